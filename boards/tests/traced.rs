//! A Verilated model that tells what its signals did, of Verilog and of a netlist that keeps the blocks.

use std::path::{Path, PathBuf};

use bitline_boards::board::Family;
use bitline_boards::netlist::blocks;
use bitline_boards::traced::TracedModel;
use bitline_boards::verilated::compile_traced;
use bitline_golden::machine::Machine;

/// In form like an export: two counters of the clocks in which the line is low, one inside a block of its own, and a memory
/// of which a word is written and read in every clock.
const TEXT: &str = "\
module top(clock,uart_rx,uart_tx,start_switch,reset_button,leds);
    input wire clock;
    input wire uart_rx;
    output wire uart_tx;
    input wire start_switch;
    input wire reset_button;
    output wire [8:0] leds;
    wire [7:0] first;
    wire [7:0] second;
    top$low$0 low$0(.clock(clock), .enable(!uart_rx), .value(first));
    top$low$1 low$1(.clock(clock), .enable(start_switch), .value(second));
    top$memory memory(.clock(clock), .address(second), .write_data(first), .read_data(leds[7:0]));
    assign uart_tx = reset_button;
    assign leds[8] = second[0];
endmodule
module top$low$0(clock,enable,value);
    input wire clock;
    input wire enable;
    output reg [7:0] value;
    initial value = 0;
    always @(posedge clock) if (enable) value <= value + 1;
endmodule
module top$low$1(clock,enable,value);
    input wire clock;
    input wire enable;
    output reg [7:0] value;
    initial value = 0;
    always @(posedge clock) if (enable) value <= value + 1;
endmodule
module top$memory(clock,address,write_data,read_data);
    input wire clock;
    input wire [7:0] address;
    input wire [7:0] write_data;
    output reg [7:0] read_data;
    (* no_rw_check, ram_style = \"block\" *) reg [7:0] word [0:255];
    integer at;
    initial for (at = 0; at < 256; at = at + 1) word[at] = 0;
    always @(posedge clock) begin
        word[address] <= write_data;
        read_data <= word[address];
    end
endmodule
";

/// Values of a port after each of the clocks, power-on first.
fn values(program: &Path, block: &str, name: &str, pins: &[u8]) -> Vec<u64> {
    let mut model = TracedModel::start(program, None).unwrap();
    let port = model.variables().iter().find(|variable| variable.block == block && variable.name == name);
    let wanted = port.unwrap_or_else(|| panic!("{block}.{name} is not among {:?}", model.variables())).value;
    let (mut now, mut values) = (0, Vec::new());
    for clock in 0..=pins.len() {
        if clock == 1 {
            model.request(pins).unwrap();
        }
        model
            .clock(&mut |value, bits| {
                if value == wanted {
                    now = u64::from_str_radix(bits, 2).unwrap();
                }
            })
            .unwrap();
        values.push(now);
    }
    values
}

fn sees_every_block(program: &Path) {
    // uart_rx high, low twice, high with the start switch, low with it, all low, reset.
    let pins = [1, 0, 0, 3, 2, 0, 5];
    assert_eq!(values(program, "low$0", "value", &pins), [0, 0, 1, 2, 2, 3, 4, 4]);
    assert_eq!(values(program, "low$1", "value", &pins), [0, 0, 0, 0, 1, 2, 2, 2]);
    assert_eq!(values(program, "low$0", "enable", &pins), [0, 0, 1, 1, 0, 1, 1, 0]);
    // The old word is read.
    assert_eq!(values(program, "memory", "read_data", &pins), [0, 0, 0, 0, 1, 0, 0, 3]);
    assert_eq!(values(program, "", "leds", &pins), [0, 0, 0, 0, 257, 0, 0, 3]);
    assert_eq!(values(program, "", "uart_tx", &pins), [0, 0, 0, 0, 0, 0, 0, 1]);
}

fn out() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("traced")
}

#[test]
fn traced_verilog_shows_every_port_in_every_clock() {
    sees_every_block(&compile_traced(&Machine::named("tiny").unwrap(), TEXT, None, &out()).unwrap());
}

/// Where a block RAM reads what is written in the same clock, it reads the old word as the text says, though the part leaves it
/// open.
#[test]
fn traced_netlists_show_the_ports_of_the_blocks() {
    for family in [Family::Ice40, Family::Ecp5] {
        let netlist = blocks(family, "small", TEXT, &out()).unwrap();
        let cell = if family == Family::Ice40 { "SB_RAM40_4K" } else { "DP16KD" };
        assert!(netlist.verilog.contains(cell), "the memory is a {cell}");
        let machine = Machine::named("tiny").unwrap();
        sees_every_block(&compile_traced(&machine, &netlist.verilog, Some(&netlist.models), &out()).unwrap());
    }
}

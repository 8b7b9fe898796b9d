//! The build flow with the real tools, on a small stand-in for the gateware's `top`.
//!
//! Needs Yosys, nextpnr, the packers, the calculators of phase-locked loops, and Icarus; `make test` sets them up.

use bitline_boards::flow::Flow;
use bitline_boards::{Board, BoardError, tools, wrapper};
use bitline_golden::machine::Machine;
use std::path::PathBuf;
use std::process::Command;

const TOP: &str = "module top(
    input wire clock, input wire uart_rx, output wire uart_tx,
    input wire start_switch, input wire reset_button, output wire [8:0] leds
);
    reg [15:0] words [0:255];
    reg [8:0] count = 0;
    reg [15:0] word = 0;
    always @(posedge clock) begin
        if (reset_button) count <= 0; else if (start_switch) count <= count + 1;
        if (uart_rx) words[count[7:0]] <= {7'd0, count};
        word <= words[count[7:0]];
    end
    assign leds = count;
    assign uart_tx = ^word;
endmodule
";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        // Inside the build folder: the WebAssembly tools do not see /tmp.
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn flow(folder: &Folder) -> Flow {
    Flow::new(Board::named("icebreaker").unwrap(), &Machine::named("digits").unwrap(), &folder.0).unwrap()
}

#[test]
fn flow_on_the_icebreaker_reports_area_and_clock_packs_and_is_not_run_twice() {
    let folder = Folder::new("builds");
    let flow = flow(&folder);

    let synthesis = flow.synthesise(TOP).unwrap();
    assert!(synthesis.took.is_some());
    // The count of nine bits, and the word's parity needs the block RAM's sixteen.
    assert!(synthesis.cells.flip_flops >= 9, "{:?}", synthesis.cells);
    assert!(synthesis.cells.carries >= 7, "{:?}", synthesis.cells);
    assert_eq!(synthesis.cells.block_rams, 1);

    let placement = flow.place(&synthesis, 7).unwrap();
    assert_eq!(placement.usage.block_rams.used, 1);
    assert_eq!((placement.usage.logic.available, placement.usage.block_rams.available), (5280, 30));
    assert!(placement.usage.logic.used >= synthesis.cells.flip_flops, "{:?}", placement.usage);
    assert!(placement.usage.meets_clock(), "{:?}", placement.usage);
    let bitstream = std::fs::read(flow.pack(&placement).unwrap()).unwrap();
    // An iCE40 bitstream begins with a comment and then this preamble.
    assert!(bitstream.windows(4).any(|w| w == [0x7E, 0xAA, 0x99, 0x7E]));

    assert_eq!(flow.synthesise(TOP).unwrap().took, None);
    assert_eq!(flow.place(&synthesis, 7).unwrap().took, None);
    assert!(flow.place(&synthesis, 8).unwrap().took.is_some(), "another seed is another placement");

    let changed = TOP.replace("count + 1", "count + 3");
    assert!(flow.synthesise(&changed).unwrap().took.is_some(), "another source is another netlist");
}

#[test]
fn flow_with_a_faster_clock_has_one_pll_and_aims_at_the_same_paths() {
    let folder = Folder::new("faster");
    for (name, hz, cell) in [
        ("icebreaker", 30_000_000, "ICESTORM_PLL"),
        ("hx8k", 72_000_000, "ICESTORM_PLL"),
        ("ulx3s", 50_000_000, "EHXPLLL"),
        ("colorlight-i5", 60_000_000, "EHXPLLL"),
    ] {
        let board = Board::named(name).unwrap().clocked_at(hz);
        let flow = Flow::new(board, &Machine::named("digits").unwrap(), &folder.0).unwrap();
        let placement = flow.place(&flow.synthesise(TOP).unwrap(), 1).unwrap();
        assert_eq!(placement.usage.clock_needed_hz, u64::from(hz), "{name}");
        assert!(placement.usage.meets_clock(), "{name}: {:?}", placement.usage);
        let report = std::fs::read_to_string(placement.folder.join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["utilization"][cell]["used"], 1, "{name}");
        let clocks = report["fmax"].as_object().unwrap();
        let aims: Vec<f64> = clocks.values().map(|clock| clock["constraint"].as_f64().unwrap()).collect();
        let aim = f64::from(flow.board().device.aim_hz) / 1e6;
        assert!(aims.len() == 1 && (aims[0] - aim).abs() < 0.1, "{name}: {clocks:?}, not {aim}");
        flow.pack(&placement).unwrap();
    }
}

/// A loop that gives edges from the start and is locked after eight of them, and a bench that wants `top` held until then.
const LOOP_AND_BENCH: &str = "module pll(input wire clock_in, output wire clock_out, output wire locked);
    reg [3:0] edges = 0;
    always @(posedge clock_in) if (!locked) edges <= edges + 1;
    assign clock_out = clock_in;
    assign locked = edges[3];
endmodule
module bench;
    reg clock = 0;
    wire [8:0] leds;
    integer edge_number;
    board_top chip(.clock(clock), .uart_rx(1'b0), .start_switch(1'b1), .reset_button(RELEASED), .leds(leds));
    initial begin
        for (edge_number = 0; edge_number < 20; edge_number = edge_number + 1) begin
            #1 clock = 1;
            #1 clock = 0;
            $write(\"%0d \", leds ^ INVERTED);
        end
    end
endmodule
";

#[test]
fn machine_behind_a_pll_starts_when_it_has_locked() {
    let folder = Folder::new("locked");
    for name in Board::names() {
        let board = Board::named(name).unwrap().clocked_at(48_000_000);
        let wrapper = wrapper::text(&board, &Machine::named("digits").unwrap());
        let leds = board.pins.leds.iter().rev().map(|led| if led.inverted { '1' } else { '0' }).collect::<String>();
        let bench = LOOP_AND_BENCH
            .replace("RELEASED", if board.pins.reset_button.inverted { "1'b1" } else { "1'b0" })
            .replace("INVERTED", &format!("9'b{leds}"))
            .replace(
                ".start_switch(1'b1)",
                if board.pins.start_switch.inverted { ".start_switch(1'b0)" } else { ".start_switch(1'b1)" },
            );
        let source = folder.0.join(format!("{name}.v"));
        std::fs::write(&source, [TOP, &wrapper, &bench].concat()).unwrap();
        let program = folder.0.join(name);
        let run = |tool: &str, arguments: &[&std::ffi::OsStr]| {
            let output = Command::new(tools::find(tool).unwrap()).args(arguments).output().unwrap();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        run(
            "iverilog",
            &["-g2012".as_ref(), "-s".as_ref(), "bench".as_ref(), "-o".as_ref(), program.as_ref(), source.as_ref()],
        );
        let counts = run("vvp", &[program.as_ref()]);
        // Eight edges in reset; the loop is locked after the eighth, and the machine counts from the ninth.
        let expected: Vec<String> = (0..20).map(|edge: u32| edge.saturating_sub(7).to_string()).collect();
        assert_eq!(counts.trim(), expected.join(" "), "{name}");
    }
}

#[test]
fn flow_with_a_clock_that_no_pll_makes_names_the_nearest() {
    let folder = Folder::new("refused-clock");
    let digits = Machine::named("digits").unwrap();
    let refused = |name: &str, hz: u32| {
        let board = Board::named(name).unwrap().clocked_at(hz);
        Flow::new(board, &digits, &folder.0).unwrap().synthesise(TOP).unwrap_err().to_string()
    };
    assert_eq!(
        refused("icebreaker", 31_300_000),
        "board icebreaker cannot make 31.3 MHz of its crystal's 12 MHz: the nearest is 31.125 MHz"
    );
    assert!(refused("icebreaker", 6_000_000).contains("outside range"), "{}", refused("icebreaker", 6_000_000));
    assert_eq!(
        refused("ulx3s", 81_300_000),
        "board ulx3s cannot make 81.3 MHz of its crystal's 25 MHz: the nearest is 81.25 MHz"
    );
    assert!(refused("ulx3s", 5_000_000).contains("not in range"), "{}", refused("ulx3s", 5_000_000));
}

#[test]
fn flow_with_a_port_too_few_names_the_tool_and_its_words() {
    let folder = Folder::new("refused");
    let error = flow(&folder).synthesise(&TOP.replace("uart_tx", "transmitted")).unwrap_err();
    let BoardError::ToolFailed { tool, log, tail, .. } = &error else { panic!("{error}") };
    assert_eq!(tool, "yosys");
    assert!(tail.contains("uart_tx"), "{tail}");
    assert!(log.ends_with("yosys.log") && log.exists(), "{}", log.display());
}

//! `board_top`: the small Verilog module between a board's pins and the gateware's `top`.

use crate::board::{Board, LEDS};
use crate::constraints::megahertz;
use crate::pll;
use bitline_golden::machine::Machine;
use std::fmt::Write as _;

/// Name of the module, and so of the whole design.
pub const MODULE: &str = "board_top";

/// Verilog of `board_top` for a machine on a board: inverts what the board inverts, holds pins that need a level,
/// and clocks the machine by the module [`pll`](mod@pll) if the board has one.
///
/// `top` must have the ports `clock`, `uart_rx`, `uart_tx`, `start_switch`, `reset_button` and `leds[8:0]`.
pub fn text(board: &Board, machine: &Machine) -> String {
    let pins = &board.pins;
    let mut ports: Vec<String> =
        ["clock", "uart_rx", "start_switch", "reset_button"].iter().map(|p| format!("input wire {p}")).collect();
    ports.push("output wire uart_tx".into());
    ports.push(format!("output wire [{}:0] leds", LEDS - 1));
    ports.extend(board.tied.iter().map(|tied| format!("output wire {}", tied.port)));

    let mut text =
        format!("// {} on {}.\nmodule {MODULE} (\n    {}\n);\n", machine.name, board.title, ports.join(",\n    "));
    for tied in &board.tied {
        writeln!(text, "    assign {} = 1'b{};", tied.port, tied.level & 1).expect("a string takes everything");
    }
    let level = |inverted: bool, wire: &str| format!("{}{wire}", if inverted { "~" } else { "" });
    let inverted_leds: String = pins.leds.iter().rev().map(|led| if led.inverted { '1' } else { '0' }).collect();
    let mut reset = level(pins.reset_button.inverted, "reset_button");
    let clock = match board.pll_hz {
        None => "clock",
        Some(hz) => {
            writeln!(
                text,
                "    wire machine_clock;    // {} MHz\n    wire locked;\n    {} loop (\n        .clock_in(clock),\n        \
                 .clock_out(machine_clock),\n        .locked(locked)\n    );",
                megahertz(hz),
                pll::MODULE
            )
            .expect("a string takes everything");
            // The machine stays in reset until its clock is one.
            reset += " | ~locked";
            "machine_clock"
        }
    };
    write!(
        text,
        "    wire [{high}:0] row;\n    wire transmit;\n    assign leds = row ^ {LEDS}'b{inverted_leds};\n    \
         assign uart_tx = {transmit};\n    top gateware (\n        .clock({clock}),\n        .uart_rx({receive}),\n        \
         .uart_tx(transmit),\n        .start_switch({start}),\n        .reset_button({reset}),\n        \
         .leds(row)\n    );\nendmodule\n",
        high = LEDS - 1,
        transmit = level(pins.uart_tx.inverted, "transmit"),
        receive = level(pins.uart_rx.inverted, "uart_rx"),
        start = level(pins.start_switch.inverted, "start_switch"),
    )
    .expect("a string takes everything");
    text
}

/// Verilog of a module `top` around a `board_top`: the ports and levels that the gateware's own `top` has.
pub fn around(board: &Board) -> String {
    let pins = &board.pins;
    let level = |inverted: bool, wire: &str| format!("{}{wire}", if inverted { "~" } else { "" });
    let inverted_leds: String = pins.leds.iter().rev().map(|led| if led.inverted { '1' } else { '0' }).collect();
    format!(
        "`timescale 1ns / 1ps\nmodule top (\n    input wire clock, input wire uart_rx, input wire start_switch, input wire \
         reset_button,\n    output wire uart_tx, output wire [{high}:0] leds\n);\n    wire [{high}:0] row;\n    wire \
         transmit;\n    assign leds = row ^ {LEDS}'b{inverted_leds};\n    assign uart_tx = {transmit};\n    {MODULE} chip \
         (\n        .clock(clock),\n        .uart_rx({receive}),\n        .uart_tx(transmit),\n        \
         .start_switch({start}),\n        .reset_button({reset}),\n        .leds(row)\n    );\nendmodule\n",
        high = LEDS - 1,
        transmit = level(pins.uart_tx.inverted, "transmit"),
        receive = level(pins.uart_rx.inverted, "uart_rx"),
        start = level(pins.start_switch.inverted, "start_switch"),
        reset = level(pins.reset_button.inverted, "reset_button"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapper_icebreaker_inverts_the_button_and_two_leds() {
        let text = text(&Board::named("icebreaker").unwrap(), &Machine::named("digits").unwrap());
        assert!(text.contains(".reset_button(~reset_button)"), "{text}");
        assert!(text.contains("assign leds = row ^ 9'b110000000;"), "{text}");
        assert!(text.contains(".start_switch(start_switch)"), "{text}");
    }

    #[test]
    fn wrapper_with_a_pll_holds_the_machine_in_reset_until_it_has_locked() {
        let board = Board::named("icebreaker").unwrap();
        let machine = Machine::named("digits").unwrap();
        let faster = text(&board.clone().clocked_at(30_000_000), &machine);
        for line in [".clock_in(clock)", ".clock(machine_clock)", ".reset_button(~reset_button | ~locked)"] {
            assert!(faster.contains(line), "{line} is not in\n{faster}");
        }
        assert_eq!(text(&board.clone().clocked_at(12_000_000), &machine), text(&board, &machine));
    }

    #[test]
    fn around_undoes_what_the_wrapper_inverts() {
        let text = around(&Board::named("icebreaker").unwrap());
        assert!(text.contains("board_top chip ("), "{text}");
        assert!(text.contains(".reset_button(~reset_button)"), "{text}");
        assert!(text.contains("assign leds = row ^ 9'b110000000;"), "{text}");
        assert!(text.contains("assign uart_tx = transmit;"), "{text}");
    }

    #[test]
    fn wrapper_ulx3s_inverts_nothing_and_ties_one_pin() {
        let text = text(&Board::named("ulx3s").unwrap(), &Machine::named("digits").unwrap());
        assert!(text.contains(".reset_button(reset_button)"), "{text}");
        assert!(text.contains("assign leds = row ^ 9'b000000000;"), "{text}");
        assert!(text.contains("assign wifi_gpio0 = 1'b1;"), "{text}");
    }
}

//! `board_top`: the small Verilog module between a board's pins and the gateware's `top`.

use crate::board::{Board, LEDS};
use bitline_golden::machine::Machine;
use std::fmt::Write as _;

/// Name of the module, and so of the whole design.
pub const MODULE: &str = "board_top";

/// Verilog of `board_top` for a machine on a board: inverts what the board inverts, holds pins that need a level.
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
    write!(
        text,
        "    wire [{high}:0] row;\n    wire transmit;\n    assign leds = row ^ {LEDS}'b{inverted_leds};\n    \
         assign uart_tx = {transmit};\n    top gateware (\n        .clock(clock),\n        .uart_rx({receive}),\n        \
         .uart_tx(transmit),\n        .start_switch({start}),\n        .reset_button({reset}),\n        \
         .leds(row)\n    );\nendmodule\n",
        high = LEDS - 1,
        transmit = level(pins.uart_tx.inverted, "transmit"),
        receive = level(pins.uart_rx.inverted, "uart_rx"),
        start = level(pins.start_switch.inverted, "start_switch"),
        reset = level(pins.reset_button.inverted, "reset_button"),
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

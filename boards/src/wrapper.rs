//! `board_top`: the small Verilog module between a board's pins and the gateware's `top`.

use crate::board::{Board, ClockSource, Family, LEDS};
use crate::error::BoardError;
use bitline_golden::machine::Machine;
use std::fmt::Write as _;

/// Name of the module, and so of the whole design.
pub const MODULE: &str = "board_top";

/// Verilog of `board_top` for a machine on a board: inverts what the board inverts, makes the machine's clock, holds
/// the machine in reset until the clock is steady.
///
/// `top` must have the ports `clock`, `uart_rx`, `uart_tx`, `start_switch`, `reset_button` and `leds[8:0]`.
///
/// # Errors
/// [`BoardError::Clock`].
pub fn text(board: &Board, machine: &Machine) -> Result<String, BoardError> {
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
    let (clock, steady) = match board.clock_source(machine)? {
        ClockSource::Crystal => ("clock", "1'b1"),
        ClockSource::Pll { feedback, output } => {
            text += &match board.device.family {
                Family::Ecp5 => ecp5_pll(feedback, output),
                // clock_source gives no PLL to a board whose definition has none.
                Family::Ice40 => unreachable!("an iCE40 board has no pll_vco_hz"),
            };
            ("machine_clock", "locked")
        }
    };
    let level = |inverted: bool, wire: &str| format!("{}{wire}", if inverted { "~" } else { "" });
    let inverted_leds: String = pins.leds.iter().rev().map(|led| if led.inverted { '1' } else { '0' }).collect();
    write!(
        text,
        "    wire [{high}:0] row;\n    wire transmit;\n    assign leds = row ^ {LEDS}'b{inverted_leds};\n    \
         assign uart_tx = {transmit};\n    top gateware (\n        .clock({clock}),\n        .uart_rx({receive}),\n        \
         .uart_tx(transmit),\n        .start_switch({start}),\n        .reset_button(({reset}) | ~{steady}),\n        \
         .leds(row)\n    );\nendmodule\n",
        high = LEDS - 1,
        transmit = level(pins.uart_tx.inverted, "transmit"),
        receive = level(pins.uart_rx.inverted, "uart_rx"),
        start = level(pins.start_switch.inverted, "start_switch"),
        reset = level(pins.reset_button.inverted, "reset_button"),
    )
    .expect("a string takes everything");
    Ok(text)
}

/// CLKOP runs at the crystal's frequency and closes the loop; CLKOS is the machine's clock.
fn ecp5_pll(feedback: u32, output: u32) -> String {
    format!(
        "    wire loop_clock, machine_clock, locked;\n    EHXPLLL #(\n        .CLKI_DIV(1), .CLKFB_DIV(1), \
         .FEEDBK_PATH(\"CLKOP\"),\n        .CLKOP_ENABLE(\"ENABLED\"), .CLKOP_DIV({feedback}), .CLKOP_CPHASE({}), \
         .CLKOP_FPHASE(0),\n        .CLKOS_ENABLE(\"ENABLED\"), .CLKOS_DIV({output}), .CLKOS_CPHASE({}), \
         .CLKOS_FPHASE(0)\n    ) pll (\n        .CLKI(clock), .CLKFB(loop_clock), .CLKOP(loop_clock), \
         .CLKOS(machine_clock), .LOCK(locked),\n        .RST(1'b0), .STDBY(1'b0), .PHASESEL0(1'b0), .PHASESEL1(1'b0), \
         .PHASEDIR(1'b0), .PHASESTEP(1'b0),\n        .PHASELOADREG(1'b0), .PLLWAKESYNC(1'b0), .ENCLKOP(1'b0), \
         .ENCLKOS(1'b0)\n    );\n",
        feedback - 1,
        output - 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapper_icebreaker_inverts_the_button_and_two_leds() {
        let text = text(&Board::named("icebreaker").unwrap(), &Machine::named("digits").unwrap()).unwrap();
        assert!(text.contains(".reset_button((~reset_button) | ~1'b1)"), "{text}");
        assert!(text.contains("assign leds = row ^ 9'b110000000;"), "{text}");
        assert!(text.contains(".start_switch(start_switch)"), "{text}");
        assert!(text.contains(".clock(clock)") && !text.contains("EHXPLLL"), "{text}");
    }

    #[test]
    fn wrapper_ulx3s_makes_twelve_megahertz_and_waits_for_it() {
        let mut machine = Machine::named("digits").unwrap();
        machine.link.clock_hz = 12_000_000;
        let text = text(&Board::named("ulx3s").unwrap(), &machine).unwrap();
        assert!(text.contains(".CLKOP_DIV(24)") && text.contains(".CLKOS_DIV(50)"), "{text}");
        assert!(text.contains(".clock(machine_clock)"), "{text}");
        assert!(text.contains(".reset_button((reset_button) | ~locked)"), "{text}");
        assert!(text.contains("assign wifi_gpio0 = 1'b1;"), "{text}");
    }
}

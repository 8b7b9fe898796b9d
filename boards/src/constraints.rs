//! A board's pins as nextpnr reads them: PCF for iCE40, LPF for ECP5.

use crate::board::{Board, Family, Pin, Pull};
use std::fmt::Write as _;

/// Name of the constraint file that the board's tools expect.
pub fn file_name(board: &Board) -> &'static str {
    match board.device.family {
        Family::Ice40 => "board.pcf",
        Family::Ecp5 => "board.lpf",
    }
}

/// The constraint file's text: every wire's pin, and the crystal's frequency.
pub fn text(board: &Board) -> String {
    match board.device.family {
        Family::Ice40 => pcf(board),
        Family::Ecp5 => lpf(board),
    }
}

fn pcf(board: &Board) -> String {
    let mut text = format!("# {}, pins from {}\n", board.title, board.source);
    for (port, pin) in board.wires() {
        let resistor = if pin.pull == Some(Pull::Up) { "-pullup yes " } else { "" };
        writeln!(text, "set_io {resistor}{port} {}", pin.site).expect("a string takes everything");
    }
    for tied in &board.tied {
        writeln!(text, "set_io {} {}", tied.port, tied.site).expect("a string takes everything");
    }
    writeln!(text, "set_frequency clock {}", megahertz(aim_at_crystal_hz(board))).expect("a string takes everything");
    text
}

fn lpf(board: &Board) -> String {
    let mut text = format!("# {}, pins from {}\n", board.title, board.source);
    text += "BLOCK RESETPATHS;\nBLOCK ASYNCPATHS;\n";
    let mut wire = |port: &str, site: &str, pin: Option<&Pin>| {
        let mut attributes = "IO_TYPE=LVCMOS33".to_string();
        match pin.and_then(|p| p.pull) {
            Some(Pull::None) => attributes += " PULLMODE=NONE",
            Some(Pull::Up) => attributes += " PULLMODE=UP",
            Some(Pull::Down) => attributes += " PULLMODE=DOWN",
            None => {}
        }
        if let Some(drive) = pin.and_then(|p| p.drive_milliamperes) {
            write!(attributes, " DRIVE={drive}").expect("a string takes everything");
        }
        writeln!(text, "LOCATE COMP \"{port}\" SITE \"{site}\";\nIOBUF PORT \"{port}\" {attributes};")
            .expect("a string takes everything");
    };
    for (port, pin) in board.wires() {
        wire(&port, &pin.site, Some(pin));
    }
    for tied in &board.tied {
        wire(&tied.port, &tied.site, None);
    }
    writeln!(text, "FREQUENCY PORT \"clock\" {} MHZ;", megahertz(aim_at_crystal_hz(board)))
        .expect("a string takes everything");
    text
}

/// What nextpnr is told of the crystal, in hertz: the frequency from which the phase-locked loop, if there is one, would make
/// the clock to aim at. nextpnr derives the loop's output from its input.
fn aim_at_crystal_hz(board: &Board) -> u32 {
    let scaled = u64::from(board.device.aim_hz) * u64::from(board.clock_hz) / u64::from(board.machine_hz());
    u32::try_from(scaled).unwrap_or(u32::MAX)
}

/// A frequency in megahertz, as the tools take it: exact to the hertz, without trailing zeros.
pub fn megahertz(hertz: u32) -> String {
    let text = format!("{}.{:06}", hertz / 1_000_000, hertz % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The pins below are copied by eye from the two published files, not from our definitions.
    #[test]
    fn constraints_icebreaker_has_the_published_pins() {
        let text = text(&Board::named("icebreaker").unwrap());
        for line in [
            "set_io clock 35",
            "set_io uart_rx 6",
            "set_io uart_tx 9",
            "set_io start_switch 20",
            "set_io reset_button 10",
            "set_io leds[0] 26",
            "set_io leds[1] 27",
            "set_io leds[2] 25",
            "set_io leds[3] 23",
            "set_io leds[4] 21",
            "set_io leds[7] 37",
            "set_io leds[8] 11",
            "set_frequency clock 36",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert_eq!(text.lines().filter(|l| l.starts_with("set_io")).count(), 14);
    }

    #[test]
    fn constraints_ulx3s_has_the_published_pins() {
        let text = text(&Board::named("ulx3s").unwrap());
        for line in [
            "LOCATE COMP \"clock\" SITE \"G2\";",
            "IOBUF PORT \"clock\" IO_TYPE=LVCMOS33 PULLMODE=NONE;",
            "LOCATE COMP \"uart_rx\" SITE \"M1\";",
            "LOCATE COMP \"uart_tx\" SITE \"L4\";",
            "IOBUF PORT \"uart_tx\" IO_TYPE=LVCMOS33 PULLMODE=UP DRIVE=4;",
            "LOCATE COMP \"start_switch\" SITE \"E8\";",
            "LOCATE COMP \"reset_button\" SITE \"R1\";",
            "LOCATE COMP \"leds[0]\" SITE \"B2\";",
            "LOCATE COMP \"leds[7]\" SITE \"H3\";",
            "LOCATE COMP \"leds[8]\" SITE \"B11\";",
            "LOCATE COMP \"wifi_gpio0\" SITE \"L2\";",
            "FREQUENCY PORT \"clock\" 90 MHZ;",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn constraints_hx8k_has_the_published_pins() {
        let text = text(&Board::named("hx8k").unwrap());
        for line in [
            "set_io clock J3",
            "set_io -pullup yes uart_rx B10",
            "set_io uart_tx B12",
            "set_io -pullup yes start_switch P16",
            "set_io leds[0] B5",
            "set_io leds[1] B4",
            "set_io leds[2] A2",
            "set_io leds[3] A1",
            "set_io leds[4] C5",
            "set_io leds[5] C4",
            "set_io leds[6] B3",
            "set_io leds[7] C3",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn constraints_colorlight_i5_has_the_published_pins() {
        let text = text(&Board::named("colorlight-i5").unwrap());
        for line in [
            "LOCATE COMP \"clock\" SITE \"P3\";",
            "LOCATE COMP \"uart_rx\" SITE \"H18\";",
            "LOCATE COMP \"uart_tx\" SITE \"J17\";",
            "LOCATE COMP \"reset_button\" SITE \"K18\";",
            "IOBUF PORT \"reset_button\" IO_TYPE=LVCMOS33 PULLMODE=UP;",
            "LOCATE COMP \"leds[8]\" SITE \"U16\";",
            "LOCATE COMP \"leds[0]\" SITE \"D1\";",
            "LOCATE COMP \"leds[7]\" SITE \"A3\";",
            "LOCATE COMP \"start_switch\" SITE \"C17\";",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn megahertz_keeps_every_hertz() {
        assert_eq!(megahertz(12_000_000), "12");
        assert_eq!(megahertz(12_500_000), "12.5");
        assert_eq!(megahertz(33_333_333), "33.333333");
        assert_eq!(megahertz(100_000_000), "100");
    }
}

//! A phase-locked loop between a board's crystal and its machine, for a machine that is faster than the crystal.
//!
//! Which dividers make a clock is the parts' own calculators' business: icepll of IceStorm, ecppll of Project Trellis. Their
//! Verilog is taken if it makes the clock that was asked for exactly; a machine's serial line is described by that clock.

use crate::board::{Board, Family};
use crate::constraints::megahertz;
use crate::error::BoardError;
use crate::tools;
use std::path::Path;
use std::process::Command;

/// Name of the module: `clock_in`, `clock_out`, and `locked`, which is high once `clock_out` is a clock.
pub const MODULE: &str = "pll";

/// Clocks in hertz that a machine can be asked to have.
pub const RANGE_HZ: std::ops::RangeInclusive<u32> = 1_000_000..=400_000_000;

impl Family {
    /// The calculator of its phase-locked loops' dividers.
    pub fn pll_tool(self) -> &'static str {
        match self {
            Self::Ice40 => "icepll",
            Self::Ecp5 => "ecppll",
        }
    }
}

/// Verilog of the module that makes `clock_hz` of the board's crystal. The tool works in the folder `work`.
///
/// # Errors
/// [`BoardError::Pll`] if there are no such dividers, with the nearest clock where the tool tells it;
/// [`BoardError::MissingTool`], [`BoardError::Io`].
pub fn verilog(board: &Board, clock_hz: u32, work: &Path) -> Result<String, BoardError> {
    let family = board.device.family;
    let program = tools::find(family.pll_tool())?;
    let (crystal, wanted) = (megahertz(board.clock_hz), megahertz(clock_hz));
    let file = "pll.v";
    let mut command = Command::new(&program);
    match family {
        Family::Ice40 => {
            command.args(["-i", &crystal, "-o", &wanted, "-m", "-n", MODULE, "-f", file]);
            command.args(board.pll_at_pin.then_some("-p"));
        }
        Family::Ecp5 => {
            command.args(["--clkin", &crystal, "--clkout0", &wanted, "-n", MODULE, "-f", file]);
            command.args(["--clkin_name", "clock_in", "--clkout0_name", "clock_out"]);
        }
    }
    let done = command.current_dir(work).output().map_err(|e| BoardError::io(&program, "started", &e))?;
    let refused = |reason: String| BoardError::Pll { board: board.name.clone(), wanted, crystal, reason };
    let words = String::from_utf8_lossy(&done.stderr);
    // Either tool says what it cannot do in a line that starts like this; ecppll makes something else then.
    let said = words.lines().find(|line| ["Error", "Warning"].iter().any(|start| line.starts_with(start)));
    if !done.status.success() || said.is_some() {
        return Err(refused(said.map_or_else(|| format!("{} failed: {words}", family.pll_tool()), str::to_string)));
    }
    let file = work.join(file);
    let text = std::fs::read_to_string(&file).map_err(|e| BoardError::io(&file, "read", &e))?;
    match made_hz(family, &text) {
        Some(made) if made == clock_hz => Ok(text),
        Some(made) => Err(refused(format!("the nearest is {} MHz", megahertz(made)))),
        None => Err(refused(format!("{} does not say what its module makes", family.pll_tool()))),
    }
}

/// The clock that a calculator's Verilog says it makes, in hertz.
fn made_hz(family: Family, verilog: &str) -> Option<u32> {
    let (before, after) = match family {
        Family::Ice40 => ("Achieved output frequency:", "MHz"),
        Family::Ecp5 => ("FREQUENCY_PIN_CLKOP=\"", "\""),
    };
    let megahertz: f64 = verilog.split_once(before)?.1.split_once(after)?.0.trim().parse().ok()?;
    Some((megahertz * 1e6).round() as u32).filter(|hertz| RANGE_HZ.contains(hertz))
}

#[cfg(test)]
mod tests {
    use super::*;

    // As the tools wrote them; cut to what is read.
    const ICEPLL: &str =
        " * Requested output frequency:   31.300 MHz\n * Achieved output frequency:    31.125 MHz\n */\n";
    const ECPPLL: &str = "(* FREQUENCY_PIN_CLKI=\"25\" *)\n(* FREQUENCY_PIN_CLKOP=\"81.25\" *)\n";

    #[test]
    fn made_hz_is_what_the_tools_say() {
        assert_eq!(made_hz(Family::Ice40, ICEPLL), Some(31_125_000));
        assert_eq!(made_hz(Family::Ecp5, ECPPLL), Some(81_250_000));
        assert_eq!(made_hz(Family::Ice40, ECPPLL), None);
        assert_eq!(made_hz(Family::Ecp5, "FREQUENCY_PIN_CLKOP=\"fast\""), None);
    }
}

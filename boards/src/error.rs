//! What can go wrong between Verilog and a bitstream.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a board cannot be used or a build fails.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum BoardError {
    /// No board of that name is built in.
    #[error("no board is called {name}; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A definition is not TOML, or a field is missing, unknown or of the wrong type.
    #[error("{file} does not parse: {reason}; compare it with {example}")]
    Syntax {
        /// The file, or the name of a built-in one.
        file: String,
        /// The parser's words.
        reason: String,
        /// A file that parses.
        example: &'static str,
    },
    /// A netlist does not have the registers that a floor plan pins.
    #[error("{netlist} does not fit the board's floor plan: {reason}; remove its folder and build again")]
    Floorplan {
        /// The netlist.
        netlist: std::path::PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// Two ports share a pin.
    #[error("board {board}: site {site} is taken by {first} and by {second}; give one of them another pin")]
    SiteTwice {
        /// The board.
        board: String,
        /// The pin.
        site: String,
        /// The port that has it.
        first: String,
        /// The port that wants it too.
        second: String,
    },
    /// Nothing says how a bitstream gets onto the board.
    #[error(
        "board {board} has no [[loader]]; name the program that writes its memory, as boards/boards/icebreaker.toml does"
    )]
    NoLoader {
        /// The board.
        board: String,
    },
    /// The board is not written with that program.
    #[error("board {board} is not written with {name}; there are: {known}")]
    UnknownLoader {
        /// The board.
        board: String,
        /// The program asked for.
        name: String,
        /// The programs there are.
        known: String,
    },
    /// No phase-locked loop of the part makes that clock from the board's crystal.
    #[error("board {board} cannot make {wanted} MHz of its crystal's {crystal} MHz: {reason}")]
    Pll {
        /// The board.
        board: String,
        /// The clock asked for, in megahertz.
        wanted: String,
        /// The crystal, in megahertz.
        crystal: String,
        /// The calculator's words, or the nearest clock there is.
        reason: String,
    },
    /// The serial line's speed cannot be made from the board's clock.
    #[error(
        "machine {machine} wants {baud} baud, board {board} has a clock of {board_hz} Hz, and {clocks} clocks a bit make {made} baud; choose a baud rate within 2 % of a whole number of at least 4 clocks"
    )]
    Baud {
        /// The machine.
        machine: String,
        /// Its baud rate.
        baud: u32,
        /// The board.
        board: String,
        /// Its clock.
        board_hz: u32,
        /// The nearest number of clocks a bit.
        clocks: u32,
        /// What they make.
        made: u64,
    },
    /// The gateware cannot be written as Verilog.
    #[error("machine {machine} has no Verilog: {reason}")]
    Export {
        /// The machine.
        machine: String,
        /// The gateware's words.
        reason: String,
    },
    /// A leaf has no proof.
    #[error("machine {machine}: no proof speaks of module {module}; add one to boards/src/formal")]
    Unproved {
        /// The machine.
        machine: String,
        /// The module of its export.
        module: String,
    },
    /// A tool is neither on PATH nor in `.tools/bin`.
    #[error("{tool} is not installed: it is neither on PATH nor in .tools/bin; run `make tools`{}", package(tool))]
    MissingTool {
        /// The tool.
        tool: String,
    },
    /// A bitstream of that board cannot be read back.
    #[error(
        "board {board}: no open tool turns its bitstream back into logic; take a board with an iCE40, or rung R3, its netlist"
    )]
    NoUnpacker {
        /// The board.
        board: String,
    },
    /// A tool gave up.
    #[error("{tool} failed with {status}; its last words, the rest is in {log}:\n{tail}")]
    ToolFailed {
        /// The tool.
        tool: String,
        /// How it ended.
        status: String,
        /// Where its whole output is.
        log: PathBuf,
        /// The end of its output.
        tail: String,
    },
    /// A tool was stopped because it took too long.
    #[error(
        "{tool} took longer than its limit of {limit_seconds} s and was stopped; choose another --seed, a placer or router \
         that goes round in circles seldom does with two, or allow more with --limit MINUTES; its last words, the rest is in \
         {log}:\n{tail}"
    )]
    TookTooLong {
        /// The tool.
        tool: String,
        /// How long it was given.
        limit_seconds: u64,
        /// Where its whole output is.
        log: PathBuf,
        /// The end of its output.
        tail: String,
    },
    /// The design needs more than the part has.
    #[error(
        "machine {machine} does not fit board {board}: it takes {used} {resource}, the part has {available}; {log}"
    )]
    DoesNotFit {
        /// The machine.
        machine: String,
        /// The board.
        board: String,
        /// nextpnr's name of what runs out.
        resource: String,
        /// How much is needed.
        used: u64,
        /// How much there is.
        available: u64,
        /// nextpnr's log.
        log: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{file} cannot be {action}: {reason}; check the path and its permissions")]
    Io {
        /// The file.
        file: PathBuf,
        /// `read`, `written` or the like.
        action: &'static str,
        /// The system's words.
        reason: String,
    },
    /// A tool's report lacks something.
    #[error("{file} has no {missing}; the tool that wrote it may be too old, compare its version with README.md")]
    Report {
        /// The report.
        file: PathBuf,
        /// What was looked for.
        missing: String,
    },
}

/// Where a tool that is in no wheel comes from.
fn package(tool: &str) -> &'static str {
    match tool {
        "icebox_vlog" => ", or install IceStorm (Debian's package is fpga-icestorm)",
        "yosys-abc" => ", or install Yosys from your system's packages (Debian's is yosys), which has it",
        _ => "",
    }
}

impl BoardError {
    /// A file or program, what cannot be done with it, and why.
    pub fn io(file: impl Into<PathBuf>, action: &'static str, reason: &std::io::Error) -> Self {
        Self::Io { file: file.into(), action, reason: reason.to_string() }
    }

    /// The same error, its files being where a folder was moved to.
    pub(crate) fn moved(mut self, from: &Path, to: &Path) -> Self {
        if let Self::ToolFailed { log: file, .. }
        | Self::TookTooLong { log: file, .. }
        | Self::DoesNotFit { log: file, .. }
        | Self::Io { file, .. }
        | Self::Report { file, .. } = &mut self
            && let Ok(inside) = file.strip_prefix(from)
        {
            *file = to.join(inside);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn board_error_says_what_value_limit_and_remedy() {
        let cases = [
            (
                BoardError::Unknown { name: "basys".into(), known: "icebreaker, ulx3s".into() },
                "no board is called basys; there are: icebreaker, ulx3s",
            ),
            (
                BoardError::Syntax { file: "a.toml".into(), reason: "missing field `name`".into(), example: "b.toml" },
                "a.toml does not parse: missing field `name`; compare it with b.toml",
            ),
            (
                BoardError::SiteTwice {
                    board: "icebreaker".into(),
                    site: "6".into(),
                    first: "uart_rx".into(),
                    second: "leds[2]".into(),
                },
                "board icebreaker: site 6 is taken by uart_rx and by leds[2]; give one of them another pin",
            ),
            (
                BoardError::NoLoader { board: "x".into() },
                "board x has no [[loader]]; name the program that writes its memory, as boards/boards/icebreaker.toml does",
            ),
            (
                BoardError::Baud {
                    machine: "digits".into(),
                    baud: 1_843_200,
                    board: "icebreaker".into(),
                    board_hz: 12_000_000,
                    clocks: 7,
                    made: 1_714_285,
                },
                "machine digits wants 1843200 baud, board icebreaker has a clock of 12000000 Hz, and 7 clocks a bit make \
                 1714285 baud; choose a baud rate within 2 % of a whole number of at least 4 clocks",
            ),
            (
                BoardError::Export { machine: "digits".into(), reason: "rows is 0".into() },
                "machine digits has no Verilog: rows is 0",
            ),
            (
                BoardError::Unproved { machine: "digits".into(), module: "top$new".into() },
                "machine digits: no proof speaks of module top$new; add one to boards/src/formal",
            ),
            (
                BoardError::MissingTool { tool: "yosys".into() },
                "yosys is not installed: it is neither on PATH nor in .tools/bin; run `make tools`",
            ),
            (
                BoardError::MissingTool { tool: "icebox_vlog".into() },
                "icebox_vlog is not installed: it is neither on PATH nor in .tools/bin; run `make tools`, or install \
                 IceStorm (Debian's package is fpga-icestorm)",
            ),
            (
                BoardError::NoUnpacker { board: "ulx3s".into() },
                "board ulx3s: no open tool turns its bitstream back into logic; take a board with an iCE40, or rung R3, its \
                 netlist",
            ),
            (
                BoardError::ToolFailed {
                    tool: "yosys".into(),
                    status: "exit status: 1".into(),
                    log: "out/yosys.log".into(),
                    tail: "ERROR: no top".into(),
                },
                "yosys failed with exit status: 1; its last words, the rest is in out/yosys.log:\nERROR: no top",
            ),
            (
                BoardError::TookTooLong {
                    tool: "nextpnr-ecp5".into(),
                    limit_seconds: 3600,
                    log: "out/nextpnr.log".into(),
                    tail: "Info: 12 arcs".into(),
                },
                "nextpnr-ecp5 took longer than its limit of 3600 s and was stopped; choose another --seed, a placer or \
                 router that goes round in circles seldom does with two, or allow more with --limit MINUTES; its last \
                 words, the rest is in out/nextpnr.log:\nInfo: 12 arcs",
            ),
            (
                BoardError::DoesNotFit {
                    machine: "digits".into(),
                    board: "icebreaker".into(),
                    resource: "ICESTORM_LC".into(),
                    used: 5993,
                    available: 5280,
                    log: "out/nextpnr.log".into(),
                },
                "machine digits does not fit board icebreaker: it takes 5993 ICESTORM_LC, the part has 5280; out/nextpnr.log",
            ),
            (
                BoardError::Io { file: "x.v".into(), action: "read", reason: "no such file".into() },
                "x.v cannot be read: no such file; check the path and its permissions",
            ),
            (
                BoardError::Report { file: "r.json".into(), missing: "utilization".into() },
                "r.json has no utilization; the tool that wrote it may be too old, compare its version with README.md",
            ),
        ];
        for (error, message) in cases {
            assert_eq!(error.to_string(), message);
        }
    }
}

//! What can go wrong between Verilog and a bitstream.

use std::path::PathBuf;
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
    /// The machine's clock cannot be made from the board's.
    #[error(
        "machine {machine} wants a clock of {machine_hz} Hz, board {board} has {board_hz} Hz and {sources}; change clock_hz of the machine"
    )]
    Clock {
        /// The machine.
        machine: String,
        /// Its clock.
        machine_hz: u32,
        /// The board.
        board: String,
        /// Its crystal.
        board_hz: u32,
        /// What else the board can make, in words.
        sources: String,
    },
    /// A tool is neither on PATH nor in `.tools/bin`.
    #[error("{tool} is not installed: it is neither on PATH nor in .tools/bin; run `make tools`")]
    MissingTool {
        /// The tool.
        tool: String,
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

impl BoardError {
    pub(crate) fn io(file: impl Into<PathBuf>, action: &'static str, reason: &std::io::Error) -> Self {
        Self::Io { file: file.into(), action, reason: reason.to_string() }
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
                BoardError::Clock {
                    machine: "digits".into(),
                    machine_hz: 13_000_000,
                    board: "icebreaker".into(),
                    board_hz: 12_000_000,
                    sources: "no PLL".into(),
                },
                "machine digits wants a clock of 13000000 Hz, board icebreaker has 12000000 Hz and no PLL; change \
                 clock_hz of the machine",
            ),
            (
                BoardError::MissingTool { tool: "yosys".into() },
                "yosys is not installed: it is neither on PATH nor in .tools/bin; run `make tools`",
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

//! The verbs.

mod arguments;
mod board;
mod doctor;
mod run;
mod sim;

use clap::Subcommand;

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Done, and where something was compared, equal.
    Equal,
    /// Machine and golden model differ.
    Differs,
    /// Something that is needed is missing.
    NotReady,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a machine in this program, over its own link, and compare it with the golden model
    Sim(sim::SimArguments),
    /// Run a board on a serial port, and compare it with the golden model
    Run(run::RunArguments),
    /// Put a simulated machine behind a pseudo-terminal, for `bitline run --port`
    Board(board::BoardArguments),
    /// See whether everything is there that bitline uses
    Doctor(doctor::DoctorArguments),
}

/// Do it.
///
/// # Errors
/// Whatever kept it from being done; the message says what to do.
pub fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Board(arguments) => board::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    }
}

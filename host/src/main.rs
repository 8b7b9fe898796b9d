//! The command `bitline`.
//!
//! What it prints on stdout is the result; stderr is the talk. It exits with 0 if all is equal or done, 1 if machine and
//! golden model differ, a mutant is not caught, or what was built misses its clock, 2 if it could not do what was asked.

mod commands;

use std::process::ExitCode;

use clap::Parser;

use commands::{Command, Verdict};

/// Train, simulate, load and check memristor crossbar machines, bit for bit.
#[derive(Debug, Parser)]
#[command(name = "bitline", version, about, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The command as it was typed, quoted for a shell.
fn command_line() -> String {
    let words: Vec<String> = std::iter::once("bitline".to_string()).chain(std::env::args().skip(1)).collect();
    commands::shell_words(&words)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(arguments.command) {
        Ok(Verdict::Equal) => ExitCode::SUCCESS,
        Ok(Verdict::Differs) => {
            eprintln!("machine and golden model differ; to see it again: {}", command_line());
            ExitCode::from(1)
        }
        Ok(Verdict::Missed) => {
            eprintln!("mutants came through that are not proved equivalent; to see it again: {}", command_line());
            ExitCode::from(1)
        }
        Ok(Verdict::TooSlow) => {
            eprintln!("the clock is missed, another --seed may meet it; to see it again: {}", command_line());
            ExitCode::from(1)
        }
        Ok(Verdict::NotReady) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {error:#}");
            eprintln!("command: {}", command_line());
            ExitCode::from(2)
        }
    }
}

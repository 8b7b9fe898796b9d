//! The command `bitline`.
//!
//! What it prints on stdout is the result; stderr is the talk. It exits with 0 if all is equal or done, 1 if machine and
//! golden model differ, 2 if it could not do what was asked.

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
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@".contains(c);
    let quote = |word: String| {
        let is_plain = !word.is_empty() && word.chars().all(plain);
        if is_plain { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    std::iter::once("bitline".to_string()).chain(std::env::args().skip(1).map(quote)).collect::<Vec<_>>().join(" ")
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(arguments.command) {
        Ok(Verdict::Equal) => ExitCode::SUCCESS,
        Ok(Verdict::Differs) => {
            eprintln!("machine and golden model differ; to see it again: {}", command_line());
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

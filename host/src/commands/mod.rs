//! The verbs.

mod arguments;
mod assemble;
mod board;
mod build;
mod compile;
mod doctor;
mod export;
mod flash;
mod mutate;
mod quantize;
mod report;
mod run;
mod sim;
mod sim_program;
mod sweep;
mod sweep_report;
mod sweep_slurm;
mod train;
mod train_lab;
mod train_network;
mod verify;
mod verify_program;

use clap::Subcommand;

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Done, and where something was compared, equal.
    Equal,
    /// Machine and golden model differ.
    Differs,
    /// A mutant came through that is not proved equivalent.
    Missed,
    /// What was built misses its clock.
    TooSlow,
    /// Something that is needed is missing.
    NotReady,
}

/// A command's words, quoted for a shell.
pub fn shell_words<W: AsRef<str>>(words: &[W]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@".contains(c);
    let quote = |word: &str| {
        let is_plain = !word.is_empty() && word.chars().all(plain);
        if is_plain { word.to_string() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    words.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a float network on the digits, a network of integers on MNIST, Fashion-MNIST or the digits, or a run of the training
    /// lab; Ctrl-C leaves a checkpoint that the same command goes on from
    Train(Box<train::TrainArguments>),
    /// Run a study: a grid of runs of the training lab, each recorded once
    Sweep(sweep::SweepArguments),
    /// Quantize a trained network, its scale factor chosen in three ways
    Quantize(quantize::QuantizeArguments),
    /// Make a program of a network for a machine that runs programs, and report where its layers go and how long they take
    Compile(compile::CompileArguments),
    /// Make a program file of a program's text
    Assemble(assemble::AssembleArguments),
    /// Print a program file's program as text
    Disassemble(assemble::DisassembleArguments),
    /// Run a machine in this program, over its own link, and compare it with the golden model
    Sim(sim::SimArguments),
    /// Run a board on a serial port, and compare it with the golden model
    Run(run::RunArguments),
    /// Put a simulated machine behind a pseudo-terminal, for `bitline run --port`
    Board(board::BoardArguments),
    /// Run one set of problems, corners and random ones, on the rungs of the ladder, and compare each with the golden model
    Verify(verify::VerifyArguments),
    /// Mutate a machine's Verilog, and see how many of the mutants the problems of R2 catch
    Mutate(mutate::MutateArguments),
    /// Write a machine's gateware as Verilog
    Export(export::ExportArguments),
    /// Make a machine's bitstream for a board: synthesis, place and route, packing; what is there already is not made again
    Build(build::BuildArguments),
    /// Write a bitstream that `bitline build` made to a board
    Flash(flash::FlashArguments),
    /// Run the digits and write one HTML file with curves, scale factors, LEDs, crossbar, confusion and counters
    Report(report::ReportArguments),
    /// See whether everything is there that bitline uses
    Doctor(doctor::DoctorArguments),
}

/// Do it.
///
/// # Errors
/// Whatever kept it from being done; the message says what to do.
pub fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Train(arguments) => train::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Quantize(arguments) => quantize::run(&arguments),
        Command::Compile(arguments) => compile::run(&arguments),
        Command::Assemble(arguments) => assemble::run(&arguments),
        Command::Disassemble(arguments) => assemble::print(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Board(arguments) => board::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Mutate(arguments) => mutate::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Flash(arguments) => flash::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    }
}

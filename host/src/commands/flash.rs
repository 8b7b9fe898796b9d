//! `bitline flash`: a bitstream into a board's memory.

use std::process::Command;

use anyhow::{Context, bail};
use bitline_boards::bitstream::{Fault, Manifest};
use bitline_boards::tools;
use clap::Args;

use super::arguments::MachineArgument;
use super::build::{BoardArgument, flow_options};
use super::{Verdict, shell_words};

/// Arguments of `bitline flash`.
#[derive(Debug, Args)]
pub struct FlashArguments {
    #[command(flatten)]
    board: BoardArgument,
    #[command(flatten)]
    machine: MachineArgument,
    /// Program that writes the board, instead of the first of the board's file that is installed
    #[arg(long, value_name = "PROGRAM")]
    loader: Option<String>,
    /// Print the command and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Write it.
pub fn run(arguments: &FlashArguments) -> anyhow::Result<Verdict> {
    let flow = arguments.board.flow(&arguments.machine)?;
    let (board, machine) = (flow.board(), &flow.machine().name);
    let build = format!("bitline build {}", flow_options(&flow));
    let Some(manifest) = Manifest::read(flow.folder())? else {
        bail!("there is no bitstream of {machine} for {} in {}; run `{build}`", board.name, flow.folder().display());
    };
    let loader = board.loader(arguments.loader.as_deref())?;
    if let Some(fault) = manifest.faults(&flow).first() {
        let other = if matches!(fault, Fault::Clock { .. }) { " --seed N` with another seed" } else { "`" };
        bail!("the bitstream in {} is not written: {fault}; run `{build}{other}", flow.folder().display());
    }
    let command = loader.command(&flow.folder().join(&manifest.file));
    println!("{}", shell_words(&command));
    if arguments.dry_run {
        return Ok(Verdict::Equal);
    }
    let Ok(program) = tools::find(&loader.tool) else {
        bail!("{} is not installed, neither on PATH nor in .tools/bin; {}", loader.tool, remedy(&loader.tool));
    };
    let status = Command::new(&program)
        .args(&command[1..])
        .status()
        .with_context(|| format!("{} cannot be started; check its permissions", program.display()))?;
    if !status.success() {
        bail!(
            "{} ended with {status}; see that the board is plugged in, that you may use its USB device (`bitline doctor`), and \
             that no other program has it",
            loader.tool
        );
    }
    eprintln!("to run it: bitline run --machine {machine} --port /dev/ttyUSB0 (`bitline doctor` lists the ports)");
    Ok(Verdict::Equal)
}

/// How to get a loader.
pub fn remedy(tool: &str) -> String {
    match tool {
        "openFPGALoader" => {
            "install it: `apt install openfpgaloader`, or from github.com/trabucayre/openFPGALoader".into()
        }
        "iceprog" => "install it: `apt install fpga-icestorm`, or from github.com/YosysHQ/icestorm".into(),
        "fujprog" => "install it from github.com/kost/fujprog".into(),
        _ => "install it and put it on PATH".into(),
    }
}

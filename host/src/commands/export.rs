//! `bitline export`: gateware as Verilog.

use std::path::PathBuf;

use anyhow::Context;
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::export::{ExportOptions, deep_verilog, verilog};
use bitline_host::engine::contents_of;
use clap::Args;

use super::Verdict;
use super::arguments::{MachineArgument, built_in_problem};

/// Arguments of `bitline export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    #[command(flatten)]
    machine: MachineArgument,
    /// Folder to write `top.v` to; it is made if it is not there
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Frequency of the board's clock, if it is not the machine's own
    #[arg(long, value_name = "HERTZ")]
    clock_hz: Option<u32>,
    /// Build weights and as many images as fit into the memories of a machine of one layer; the switch then runs them without
    /// a host
    #[arg(long)]
    built_in: bool,
}

/// Export.
pub fn run(arguments: &ExportArguments) -> anyhow::Result<Verdict> {
    let text = text(arguments)?;
    let folder = &arguments.out;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} cannot be made; choose another --out", folder.display()))?;
    let file = folder.join("top.v");
    std::fs::write(&file, text)
        .with_context(|| format!("{} cannot be written; choose another --out", file.display()))?;
    println!("{}", file.display());
    Ok(Verdict::Equal)
}

/// The machine's Verilog.
fn text(arguments: &ExportArguments) -> anyhow::Result<String> {
    let clock_hz = arguments.clock_hz;
    match arguments.machine.deep_machine()? {
        Some(machine) if !arguments.built_in => Ok(deep_verilog(&machine, &DeepContents::default(), clock_hz, false)?),
        // What is built in is the digits' one layer; a machine that runs programs is refused here.
        _ => {
            let machine = arguments.machine.machine()?;
            let contents = arguments.built_in.then(|| built_in_problem(&machine)).transpose()?;
            let contents = contents.as_ref().map(contents_of).unwrap_or_default();
            Ok(verilog(&machine, &ExportOptions { contents, clock_hz, ..ExportOptions::default() })?)
        }
    }
}

//! `bitline compile`: from a network to a program, with the mapping report.

use std::path::PathBuf;

use anyhow::Context;
use bitline_firmware::compile::Compiled;
use bitline_firmware::file::ProgramFile;
use bitline_firmware::program::Target;
use bitline_golden::network::Network;
use bitline_host::deep::compile_for;
use bitline_host::deep::floor_plan::floor_plan;
use bitline_host::deep::mapping::Mapping;
use clap::Args;

use super::Verdict;
use super::arguments::DeepMachineArgument;
use super::train::make_folder_of;

/// Arguments of `bitline compile`.
#[derive(Debug, Args)]
pub struct CompileArguments {
    /// Network to compile
    #[arg(value_name = "NETWORK")]
    network: PathBuf,
    #[command(flatten)]
    machine: DeepMachineArgument,
    /// Write the program, with its devices and thresholds, to this file (safetensors)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the mapping report as one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Draw every tile by bank, coloured by layer, to this file (SVG)
    #[arg(long, value_name = "FILE")]
    floor_plan: Option<PathBuf>,
}

/// Compile and report.
pub fn run(arguments: &CompileArguments) -> anyhow::Result<Verdict> {
    let machine = arguments.machine.machine()?;
    let network = Network::load(&arguments.network)?;
    let Compiled { program, placements } = compile_for(&network, &machine)?;
    let target = Target::of(&machine);
    let mapping = Mapping::of(&network, &machine, &program, &placements, &target.limits);
    if let Some(file) = &arguments.floor_plan {
        make_folder_of(file)?;
        let drawn = floor_plan(&mapping, &machine);
        std::fs::write(file, drawn).with_context(|| format!("{} cannot be written", file.display()))?;
        eprintln!("floor plan: {}", file.display());
    }
    if let Some(file) = &arguments.out {
        make_folder_of(file)?;
        let (name, provenance) = (network.name.clone(), network.provenance.clone());
        ProgramFile { program, network: name, machine: machine.name.clone(), provenance }.save(&target, file)?;
        eprintln!("program: {}", file.display());
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&mapping)?);
    } else {
        println!("{mapping}");
    }
    Ok(Verdict::Equal)
}

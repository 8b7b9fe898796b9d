//! `bitline sim`: a machine in this program.

use std::path::PathBuf;

use anyhow::bail;
use bitline_golden::deep_machine::DeepMachine;
use bitline_host::HostError;
use bitline_host::engine::EngineOptions;
use bitline_host::simulated_run;
use clap::Args;

use super::Verdict;
use super::arguments::{EngineArguments, ImageBar, ProblemArguments, print};
use super::sim_program::{self, ProgramRun};

/// Arguments of `bitline sim`.
#[derive(Debug, Args)]
pub struct SimArguments {
    #[command(flatten)]
    problem: ProblemArguments,
    /// Program file to load, instead of a network, on a machine that runs programs
    #[arg(long, value_name = "FILE", conflicts_with = "network")]
    program: Option<PathBuf>,
    /// Folder with the files of the data set that the network was trained on, whose test images are run, on a machine that runs
    /// programs (a network of 64 inputs has the digits without)
    #[arg(long, value_name = "FOLDER", conflicts_with = "seed")]
    data: Option<PathBuf>,
    /// First image to run, counted from 0, on a machine that runs programs: long runs can be made in parts
    #[arg(long, value_name = "IMAGE", default_value_t = 0)]
    from: usize,
    #[command(flatten)]
    engine: EngineArguments,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Write every signal's changes to this file
    #[arg(long, value_name = "FILE")]
    vcd: Option<PathBuf>,
    /// Fault: invert the device at this row and column after everything is loaded and verified
    #[arg(long, value_name = "ROW,COLUMN", value_parser = row_and_column)]
    fault_flip: Option<(usize, usize)>,
}

fn row_and_column(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once(',').map(|(row, column)| (row.trim().parse(), column.trim().parse()));
    match parts {
        Some((Ok(row), Ok(column))) => Ok((row, column)),
        _ => Err("give a row and a column, both counted from 0, as in 12,3".to_string()),
    }
}

/// Run it.
pub fn run(arguments: &SimArguments) -> anyhow::Result<Verdict> {
    let options = EngineOptions { vcd: arguments.vcd.clone(), ..arguments.engine.options() };
    if let Some(machine) = arguments.problem.machine.deep_machine()? {
        if arguments.fault_flip.is_some() {
            return Err(HostError::ProgramLacks { option: "--fault-flip" }.into());
        }
        let ProblemArguments { images, network, seed, .. } = &arguments.problem;
        let (network, program) = (network.as_deref(), arguments.program.as_deref());
        let (data, json) = (arguments.data.as_deref(), arguments.json);
        let what =
            ProgramRun { machine, network, program, seed: *seed, data, from: arguments.from, images: *images, json };
        return sim_program::run(what, &options);
    }
    if arguments.from > 0 {
        bail!("--from is for machines that run programs; leave it out");
    }
    if arguments.data.is_some() {
        let machine = arguments.problem.machine.machine.clone();
        return Err(HostError::RunsNoData { machine }.into());
    }
    if arguments.program.is_some() {
        let others = DeepMachine::names().collect::<Vec<_>>().join(", ");
        let machine = arguments.problem.machine.machine.clone();
        return Err(HostError::RunsNoPrograms { machine, others }.into());
    }
    let problem = arguments.problem.problem()?;
    let bar = ImageBar::new(problem.images.nrows());
    let result = simulated_run::run(&problem, &options, arguments.fault_flip, &mut |step| bar.show(step));
    bar.finish();
    let outcome = result?.outcome;
    if let Some((row, column)) = arguments.fault_flip {
        eprintln!("fault: the device at row {row}, column {column} was inverted after loading");
    }
    print(&outcome, arguments.json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_and_column_takes_two_numbers_only() {
        assert_eq!(row_and_column("12,3"), Ok((12, 3)));
        assert_eq!(row_and_column(" 0 , 39"), Ok((0, 39)));
        for text in ["", "12", "12,", "a,b", "-1,2", "1,2,3"] {
            assert!(row_and_column(text).is_err(), "{text}");
        }
    }
}

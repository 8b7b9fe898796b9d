//! `bitline sim`: a machine in this program.

use std::path::PathBuf;

use bitline_host::engine::EngineOptions;
use bitline_host::simulated_run;
use clap::Args;

use super::Verdict;
use super::arguments::{EngineArguments, ImageBar, ProblemArguments, print};

/// Arguments of `bitline sim`.
#[derive(Debug, Args)]
pub struct SimArguments {
    #[command(flatten)]
    problem: ProblemArguments,
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
    let problem = arguments.problem.problem()?;
    let options = EngineOptions { vcd: arguments.vcd.clone(), ..arguments.engine.options() };
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

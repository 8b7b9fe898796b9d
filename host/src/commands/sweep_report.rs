//! `bitline sweep report`: what a sweep found, beside S003.

use std::path::PathBuf;

use bitline_host::sweep_report::SweepReport;
use bitline_host::sweep_report::runs::Runs;
use clap::Args;

use super::Verdict;

/// Arguments of `bitline sweep report`.
#[derive(Debug, Args)]
pub struct SweepReportArguments {
    /// Records files; a folder stands for its records.jsonl
    #[arg(required = true, value_name = "RECORDS")]
    records: Vec<PathBuf>,
    /// Folder to write report.html and the figures' and tables' files into
    #[arg(long, value_name = "DIR", default_value = "out/sweep-report")]
    out: PathBuf,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

/// Read, compare, write.
pub fn run(arguments: &SweepReportArguments) -> anyhow::Result<Verdict> {
    let runs = Runs::read(&arguments.records)?;
    for file in runs.files.iter().filter(|file| file.torn_bytes > 0) {
        eprintln!("{}: a torn last line of {} bytes is left out", file.path.display(), file.torn_bytes);
    }
    let report = SweepReport::new(runs, crate::command_line());
    let written = report.write(&arguments.out)?;
    if arguments.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.summary());
    }
    eprintln!("{} files; open {}", written.len(), arguments.out.join("report.html").display());
    Ok(Verdict::Equal)
}

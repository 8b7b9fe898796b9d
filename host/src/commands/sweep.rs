//! `bitline sweep`: studies, grids of runs of the training lab.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use bitline_train::lab::{DataSets, RunConfig};
use bitline_train::sweep::Lab;
use bitline_train::sweep::folder::Folder;
use bitline_train::sweep::grid::{self, Study};
use bitline_train::sweep::record::{self, identity};
use bitline_train::sweep::runner::{self, Event};
use clap::{Args, Subcommand};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use serde_json::json;

use super::sweep_report::{self, SweepReportArguments};
use super::train::cancel_flag;
use super::{Verdict, sweep_slurm};

/// Time between two lines of progress where no bar shows.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Arguments of `bitline sweep`.
#[derive(Debug, Args)]
pub struct SweepArguments {
    #[command(subcommand)]
    command: SweepCommand,
}

#[derive(Debug, Subcommand)]
enum SweepCommand {
    /// Run what is not recorded yet, on this machine; Ctrl-C stops at checkpoints that the same command goes on from
    Run(RunArguments),
    /// List a study's runs, and which of them are recorded
    List(StudyArguments),
    /// Submit what is not recorded yet as an array of Slurm tasks
    Submit(sweep_slurm::SubmitArguments),
    /// Do the runs of one task of a study; what `submit`'s script calls
    Work(sweep_slurm::WorkArguments),
    /// Bring the records of a study's tasks together, and say what is missing
    Collect(StudyArguments),
    /// Draw S003's figures and tables from records, and measure its hypotheses in them
    Report(SweepReportArguments),
}

/// Which study, and where its records lie.
#[derive(Debug, Args)]
pub struct StudyArguments {
    /// The study, a TOML file
    pub study: PathBuf,
    /// Folder of records and checkpoints [default: out/sweeps/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
struct RunArguments {
    #[command(flatten)]
    study: StudyArguments,
    /// Folder of the data sets: the four files of one, or folders mnist and fashion-mnist; the digits are built in
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Runs at a time, each on one thread [default: one a processor]
    #[arg(long)]
    jobs: Option<usize>,
}

impl StudyArguments {
    /// The study's runs, and the folder of its records.
    pub fn read(&self, lab: &DataSets) -> anyhow::Result<(Study<RunConfig>, PathBuf)> {
        let file = self.study.display().to_string();
        let text = std::fs::read_to_string(&self.study)
            .with_context(|| format!("{file} cannot be read; studies are TOML files, such as those in studies/"))?;
        let study = grid::read(lab, &file, &text)?;
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("out/sweeps").join(&study.name));
        Ok((study, out))
    }
}

/// Do it.
pub fn run(arguments: &SweepArguments) -> anyhow::Result<Verdict> {
    match &arguments.command {
        SweepCommand::Run(arguments) => run_here(arguments),
        SweepCommand::List(arguments) => list(arguments),
        SweepCommand::Submit(arguments) => sweep_slurm::submit(arguments),
        SweepCommand::Work(arguments) => sweep_slurm::work(arguments),
        SweepCommand::Collect(arguments) => sweep_slurm::collect(arguments),
        SweepCommand::Report(arguments) => sweep_report::run(arguments),
    }
}

fn list(arguments: &StudyArguments) -> anyhow::Result<Verdict> {
    let lab = DataSets::new(None);
    let (study, out) = arguments.read(&lab)?;
    let records = record::read(&out.join("records.jsonl"))?.records;
    let mut done = 0;
    for config in &study.runs {
        let value = serde_json::to_value(config).expect("plain data");
        let identity = identity(&value, &lab.data_sha256(config)?);
        let is_done = records.iter().any(|record| record.identity == identity);
        done += usize::from(is_done);
        if arguments.json {
            println!("{}", json!({ "identity": identity, "recorded": is_done, "config": value }));
        } else {
            println!("{} {} {value}", &identity[..12], if is_done { "recorded" } else { "open    " });
        }
    }
    eprintln!("{}: {} runs, {done} recorded in {}", study.name, study.runs.len(), out.display());
    Ok(Verdict::Equal)
}

fn run_here(arguments: &RunArguments) -> anyhow::Result<Verdict> {
    let lab = DataSets::new(arguments.data.as_deref());
    let (study, out) = arguments.study.read(&lab)?;
    // A set that is not there is told before the first run.
    for config in &study.runs {
        lab.get(config.data_set)?;
    }
    let jobs = match arguments.jobs {
        Some(jobs) => jobs,
        None => std::thread::available_parallelism().context("processors cannot be counted; give --jobs")?.get(),
    };
    let folder = Folder::take(&out)?;
    let cancel = cancel_flag()?;
    let start = Instant::now();
    let style = "{msg} {wide_bar} {pos}/{len} epochs, {eta} left";
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(style).expect("a literal"));
    bar.enable_steady_tick(Duration::from_secs(1));
    let (mut total, mut done, mut said) = (0, 0, start);
    let mut listen = |event: Event| match event {
        Event::Torn(bytes) => eprintln!("{}: cut off a torn last line of {bytes} bytes", folder.records().display()),
        Event::Start { runs, runs_done, epochs } => {
            (total, done) = (runs, runs_done);
            eprintln!("{}: {runs} runs, {runs_done} recorded already; records in {}", study.name, out.display());
            bar.set_length(epochs as u64);
            bar.reset_eta();
            bar.set_message(format!("{done}/{total} runs"));
        }
        Event::Epochs(more) => bar.inc(more as u64),
        Event::Finished(record) => {
            done += 1;
            // The bar shows on a terminal alone; a log gets a line a minute.
            if bar.is_hidden() && said.elapsed() >= BETWEEN_LINES {
                said = Instant::now();
                let (position, length) = (bar.position(), bar.length().unwrap_or(0));
                let left = start.elapsed().mul_f64(length.saturating_sub(position) as f64 / position.max(1) as f64);
                eprintln!("{done}/{total} runs, {position}/{length} epochs, {} left", HumanDuration(left));
            }
            bar.set_message(format!("{done}/{total} runs"));
            if let Some(failure) = &record.failure {
                bar.suspend(|| eprintln!("{}: {failure}; recorded as such", &record.identity[..12]));
            }
        }
    };
    let summary = runner::run(&lab, &study.runs, &folder, jobs, &mut listen, &cancel)?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    let runner::Summary { runs, before, now } = summary;
    if arguments.study.json {
        let records = folder.records();
        println!(
            "{}",
            json!({ "study": study.name, "runs": runs, "before": before, "now": now, "seconds": seconds, "records": records })
        );
    } else {
        println!("{runs} runs, {before} before, {now} now, {} open", runs - before - now);
    }
    eprintln!("{seconds:.0} s; records in {}", folder.records().display());
    if summary.is_complete() {
        return Ok(Verdict::Equal);
    }
    eprintln!("stopped; the same command goes on");
    Ok(Verdict::NotReady)
}

//! `bitline sweep submit`, `work` and `collect`: a study on a cluster that Slurm runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use bitline_train::lab::DataSets;
use bitline_train::sweep::folder::Folder;
use bitline_train::sweep::runner::{self, Event};
use bitline_train::sweep::share::{self, Collected};
use clap::Args;
use serde_json::json;

use super::sweep::StudyArguments;
use super::train::cancel_flag;
use super::{Verdict, shell_words};

/// Arguments of `bitline sweep submit`.
#[derive(Debug, Args)]
pub struct SubmitArguments {
    #[command(flatten)]
    study: StudyArguments,
    /// Submit to Slurm, by sbatch; nothing else is known
    #[arg(long, required = true)]
    slurm: bool,
    /// Folder of the data sets, as every node sees it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Tasks that share the runs; the same number each time that a study is submitted
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    tasks: u16,
    /// A further line for the script, such as --time=4:00:00 or --partition=long; may be given several times
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// Print the script, and neither write nor submit it
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `bitline sweep work`.
#[derive(Debug, Args)]
pub struct WorkArguments {
    #[command(flatten)]
    study: StudyArguments,
    /// Folder of the data sets
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which task this is, from 0
    #[arg(long, value_name = "INDEX")]
    task: usize,
    /// Of how many
    #[arg(long, value_name = "COUNT")]
    of: usize,
}

/// An absolute path, whether or not there is something.
fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path).with_context(|| format!("{} has no place", path.display()))?;
    Ok(path.display().to_string())
}

/// Rising numbers as Slurm writes them: `0-2,5`.
fn ranges(numbers: &[usize]) -> String {
    let parts = numbers.chunk_by(|a, b| a + 1 == *b).map(|part| match part {
        [only] => only.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => unreachable!("chunks have members"),
    });
    parts.collect::<Vec<_>>().join(",")
}

fn script(arguments: &SubmitArguments, name: &str, out: &Path, open: &[usize]) -> anyhow::Result<String> {
    let tasks = usize::from(arguments.tasks);
    let list = ranges(open);
    let out = absolute(out)?;
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let mut words = vec![program.display().to_string(), "sweep".into(), "work".into()];
    words.extend([absolute(&arguments.study.study)?, "--out".into(), out.clone()]);
    if let Some(data) = &arguments.data {
        words.extend(["--data".into(), absolute(data)?]);
    }
    words.extend(["--of".into(), tasks.to_string(), "--task".into()]);
    // sbatch takes quotes away as a shell does, and % has a meaning of its own.
    let name = shell_words(&[format!("bitline-{name}")]);
    let log = shell_words(&[out.replace('%', "%%")]);
    let mut text = format!(
        "#!/bin/sh\n#SBATCH --job-name={name}\n#SBATCH --array={list}\n#SBATCH --cpus-per-task=1\n#SBATCH --requeue\n\
         #SBATCH --open-mode=append\n#SBATCH --output={log}/slurm/%a.log\n"
    );
    for option in &arguments.sbatch {
        text += &format!("#SBATCH {option}\n");
    }
    text += &format!("exec {} \"$SLURM_ARRAY_TASK_ID\"\n", shell_words(&words));
    Ok(text)
}

/// Run a tool of Slurm's, and give what it prints.
fn slurm(tool: &str, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(tool).args(words).output().with_context(|| {
        format!("{tool} cannot be run; install Slurm's client (Debian: slurm-client), or use bitline sweep run here")
    })?;
    if !output.status.success() {
        bail!("{tool} {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// Whether tasks of a job are waiting or running; a job that Slurm has forgotten has none.
fn is_queued(job: &str) -> bool {
    slurm("squeue", &["--noheader", "--format=%i", "--jobs", job]).is_ok_and(|listed| !listed.is_empty())
}

/// Submit what is not recorded yet.
pub fn submit(arguments: &SubmitArguments) -> anyhow::Result<Verdict> {
    let lab = DataSets::new(arguments.data.as_deref());
    let (study, out) = arguments.study.read(&lab)?;
    let folder = out.join("slurm");
    let tasks = usize::from(arguments.tasks);
    let (job_file, tasks_file) = (folder.join("job"), folder.join("tasks"));
    if let Ok(before) = std::fs::read_to_string(&tasks_file)
        && before.trim() != tasks.to_string()
    {
        bail!("{} was submitted as {} tasks; give --tasks {0}, or another --out", study.name, before.trim());
    }
    if let Ok(job) = std::fs::read_to_string(&job_file)
        && is_queued(job.trim())
    {
        bail!("job {} of this study is still in the queue; wait for it, or end it with scancel {0}", job.trim());
    }
    let collect = if arguments.dry_run { share::survey } else { share::collect };
    let collected = collect(&lab, &study.runs, &out)?;
    let open = collected.open_tasks(tasks);
    if open.is_empty() {
        if arguments.study.json {
            println!("{}", json!({ "job": null, "tasks": 0, "runs": 0, "script": null }));
        } else {
            println!("{} runs, all recorded in {}", study.runs.len(), out.join("records.jsonl").display());
        }
        return Ok(Verdict::Equal);
    }
    let script = script(arguments, &study.name, &out, &open)?;
    if arguments.dry_run {
        print!("{script}");
        return Ok(Verdict::Equal);
    }
    let file = folder.join("job.sh");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&file, &script))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    let answer = slurm("sbatch", &["--parsable", &file.display().to_string()])?;
    let job = answer.split(';').next().unwrap_or(&answer).to_string();
    std::fs::write(&job_file, &job)
        .and_then(|()| std::fs::write(&tasks_file, tasks.to_string()))
        .with_context(|| format!("{} cannot be written", job_file.display()))?;
    let missing = collected.missing.len();
    if arguments.study.json {
        println!("{}", json!({ "job": job, "tasks": open.len(), "runs": missing, "script": file }));
    } else {
        println!("job {job}: {missing} of {} runs in {} tasks", study.runs.len(), open.len());
    }
    eprintln!("logs in {}; then: bitline sweep collect", folder.display());
    Ok(Verdict::Equal)
}

/// Do one task's runs.
pub fn work(arguments: &WorkArguments) -> anyhow::Result<Verdict> {
    let lab = DataSets::new(arguments.data.as_deref());
    let (study, out) = arguments.study.read(&lab)?;
    let all = share::share(&study.runs, arguments.task, arguments.of)?;
    let folder = Folder::take(&share::folder_of(&out, arguments.task))?;
    let cancel = cancel_flag()?;
    let count = all.len();
    let runs = share::not_done_elsewhere(&lab, all, &out, arguments.task)?;
    let elsewhere = count - runs.len();
    let mut listen = |event: Event| {
        if let Event::Finished(record) = event {
            let failure = record.failure.map_or(String::new(), |failure| format!("; recorded as failed: {failure}"));
            eprintln!("{}: {:.1} s{failure}", &record.identity[..12], record.seconds);
        }
    };
    let summary = runner::run(&lab, &runs, &folder, 1, &mut listen, &cancel)?;
    let (before, now) = (summary.before + elsewhere, summary.now);
    if arguments.study.json {
        println!(
            "{}",
            json!({ "task": arguments.task, "of": arguments.of, "runs": count, "before": before, "now": now })
        );
    } else {
        println!("task {} of {}: {count} runs, {before} before, {now} now", arguments.task, arguments.of);
    }
    Ok(if summary.is_complete() { Verdict::Equal } else { Verdict::NotReady })
}

/// Bring the tasks' records together.
pub fn collect(arguments: &StudyArguments) -> anyhow::Result<Verdict> {
    let lab = DataSets::new(None);
    let (study, out) = arguments.read(&lab)?;
    let Collected { recorded, brought, missing } = share::collect(&lab, &study.runs, &out)?;
    if arguments.json {
        println!(
            "{}",
            json!({ "runs": study.runs.len(), "recorded": recorded, "brought": brought, "missing": missing })
        );
    } else {
        println!("{} runs, {recorded} recorded, {brought} of them now, {} missing", study.runs.len(), missing.len());
    }
    if missing.is_empty() {
        return Ok(Verdict::Equal);
    }
    eprintln!(
        "what is missing runs, waits or failed (logs in {}); bitline sweep submit --slurm submits it again",
        out.join("slurm").display()
    );
    Ok(Verdict::NotReady)
}

//! A study shared among tasks that know nothing of each other: of T tasks, task i does runs i, i + T, i + 2 T, ...
//!
//! Each works in a folder of its own below the study's, `tasks/i`, with records and a lock of its own, so that no file is written
//! from two machines. [`collect`] brings their records together.

use super::folder::Folder;
use super::record::{Appender, Record, identity, read};
use super::{Lab, SweepError};
use crate::TrainError;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The folder that a task works in.
pub fn folder_of(out: &Path, task: usize) -> PathBuf {
    out.join("tasks").join(task.to_string())
}

/// The runs of a task.
///
/// # Errors
/// [`TrainError::Config`] for a task that there is not.
pub fn share<C: Clone>(runs: &[C], task: usize, tasks: usize) -> Result<Vec<C>, TrainError> {
    if task >= tasks {
        let (value, limit) = (task.to_string(), format!("0..{tasks}"));
        return Err(TrainError::Config { field: "task", value, limit, remedy: "count tasks from 0" });
    }
    Ok(runs.iter().skip(task).step_by(tasks).cloned().collect())
}

/// Those of a task's runs that neither the study's own file nor another task has a record of. What the task itself has recorded is
/// among them, for the runner to leave out.
///
/// # Errors
/// [`SweepError::Record`] for a damaged line, [`SweepError::File`].
pub fn not_done_elsewhere<L: Lab>(
    lab: &L,
    runs: Vec<L::Config>,
    out: &Path,
    task: usize,
) -> Result<Vec<L::Config>, SweepError> {
    let mut elsewhere = read(&out.join("records.jsonl"))?.records;
    for folder in task_folders(out)?.into_iter().filter(|folder| *folder != folder_of(out, task)) {
        elsewhere.extend(read(&folder.join("records.jsonl"))?.records);
    }
    let done: HashSet<String> = elsewhere.into_iter().map(|record| record.identity).collect();
    let named = identities(lab, &runs)?;
    Ok(runs.into_iter().zip(named).filter(|(_, name)| !done.contains(name)).map(|(config, _)| config).collect())
}

/// What is recorded of a study, and what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Runs recorded in the study's own file, or, by [`survey`], anywhere.
    pub recorded: usize,
    /// Those of them that this call brought there; none by [`survey`].
    pub brought: usize,
    /// Indices of runs that are nowhere recorded, rising.
    pub missing: Vec<usize>,
}

impl Collected {
    /// The tasks, of so many, that have something left to do, rising.
    pub fn open_tasks(&self, tasks: usize) -> Vec<usize> {
        let open: HashSet<usize> = self.missing.iter().map(|run| run % tasks).collect();
        (0..tasks).filter(|task| open.contains(task)).collect()
    }
}

/// Bring the tasks' records of a study's runs into `out`'s own file, each run once. Tasks may be at work meanwhile: a line that one
/// is just writing is brought the next time. A sweep of this machine may not.
///
/// # Errors
/// [`SweepError::Busy`], [`SweepError::Record`] for a damaged line, [`SweepError::File`].
pub fn collect<L: Lab>(lab: &L, runs: &[L::Config], out: &Path) -> Result<Collected, SweepError> {
    let folder = Folder::take(out)?;
    let (mut records, own) = Appender::open(&folder.records())?;
    gather(lab, runs, out, own.records, &mut |record| records.append(record))
}

/// What [`collect`] would give, without a change to any file.
///
/// # Errors
/// [`SweepError::Record`] for a damaged line, [`SweepError::File`].
pub fn survey<L: Lab>(lab: &L, runs: &[L::Config], out: &Path) -> Result<Collected, SweepError> {
    let own = read(&out.join("records.jsonl"))?.records;
    let found = gather(lab, runs, out, own, &mut |_| Ok(()))?;
    Ok(Collected { brought: 0, ..found })
}

fn identities<L: Lab>(lab: &L, runs: &[L::Config]) -> Result<Vec<String>, SweepError> {
    let name = |config: &L::Config| -> Result<String, SweepError> {
        let value = serde_json::to_value(config).expect("a configuration is plain data");
        Ok(identity(&value, &lab.data_sha256(config)?))
    };
    runs.iter().map(name).collect()
}

/// Give `bring` each record of the tasks that `own` has not.
fn gather<L: Lab>(
    lab: &L,
    runs: &[L::Config],
    out: &Path,
    own: Vec<Record>,
    bring: &mut dyn FnMut(&Record) -> Result<(), SweepError>,
) -> Result<Collected, SweepError> {
    let mut known: HashSet<String> = own.into_iter().map(|record| record.identity).collect();
    let identities = identities(lab, runs)?;
    let wanted: HashSet<&String> = identities.iter().collect();
    let mut brought = 0;
    for task in task_folders(out)? {
        for record in read(&task.join("records.jsonl"))?.records {
            if wanted.contains(&record.identity) && known.insert(record.identity.clone()) {
                bring(&record)?;
                brought += 1;
            }
        }
    }
    let missing: Vec<usize> = (0..runs.len()).filter(|run| !known.contains(&identities[*run])).collect();
    Ok(Collected { recorded: runs.len() - missing.len(), brought, missing })
}

/// The folders of tasks, in the order of their numbers.
fn task_folders(out: &Path) -> Result<Vec<PathBuf>, SweepError> {
    let path = out.join("tasks");
    let fault = |e: &std::io::Error| SweepError::file(&path, super::error::READ, e);
    let entries = match std::fs::read_dir(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|e| fault(&e))?,
    };
    let mut tasks = Vec::new();
    for entry in entries {
        let name = entry.map_err(|e| fault(&e))?.file_name();
        if let Some(task) = name.to_str().and_then(|name| name.parse::<usize>().ok()) {
            tasks.push(task);
        }
    }
    tasks.sort_unstable();
    Ok(tasks.into_iter().map(|task| folder_of(out, task)).collect())
}

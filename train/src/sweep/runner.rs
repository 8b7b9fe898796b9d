//! Run a study on this machine: one thread a run, what is recorded already left out.

use super::folder::Folder;
use super::record::{Appender, RECORD_VERSION, Record, identity};
use super::{Lab, SweepError};
use crate::TrainError;
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

/// What a sweep tells while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The file of records ended in a torn line of so many bytes, which was cut off.
    Torn(usize),
    /// Before the first run: runs and epochs of the study, and those of them recorded already.
    Start {
        /// Runs of the study.
        runs: usize,
        /// Runs recorded already.
        runs_done: usize,
        /// Epochs of the runs that are to be done.
        epochs: usize,
    },
    /// An epoch of some run is done; one that a checkpoint held counts too.
    Epochs(usize),
    /// A run is done and on the disk.
    Finished(Box<Record>),
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Runs of the study.
    pub runs: usize,
    /// Runs that were recorded before.
    pub before: usize,
    /// Runs that were done now.
    pub now: usize,
}

impl Summary {
    /// Whether every run of the study is recorded.
    pub fn is_complete(&self) -> bool {
        self.before + self.now == self.runs
    }
}

enum Message {
    Epochs(usize),
    Done(Box<Record>),
    Failed(SweepError),
}

/// Do one run and make its record; `None` where `cancel` was set before its end.
///
/// # Errors
/// [`SweepError::Run`].
pub fn run_one<L: Lab>(
    lab: &L,
    config: &L::Config,
    checkpoint: &Path,
    progress: &mut dyn FnMut(usize),
    cancel: &AtomicBool,
) -> Result<Option<Record>, SweepError> {
    let data_sha256 = lab.data_sha256(config)?;
    let value = serde_json::to_value(config).expect("a configuration is plain data");
    let identity = identity(&value, &data_sha256);
    let start = Instant::now();
    let (epochs, failure) = match lab.run(config, checkpoint, progress, cancel) {
        Ok(epochs) => (epochs, None),
        Err(TrainError::Cancelled { .. }) => return Ok(None),
        Err(diverged @ TrainError::Diverged { .. }) => (Vec::new(), Some(diverged.to_string())),
        Err(reason) => return Err(SweepError::Run { identity, reason: Box::new(reason) }),
    };
    Ok(Some(Record {
        record_version: RECORD_VERSION,
        identity,
        config: value,
        data_sha256,
        version: env!("CARGO_PKG_VERSION").into(),
        epochs,
        failure,
        seconds: start.elapsed().as_secs_f64(),
    }))
}

/// Run what `folder` has no record of, `jobs` runs at a time. After `cancel` is set the runs under way stop at their next
/// checkpoint, and the same call goes on from there.
///
/// # Errors
/// [`SweepError`]; runs that were done by then are recorded.
pub fn run<L: Lab>(
    lab: &L,
    runs: &[L::Config],
    folder: &Folder,
    jobs: usize,
    listen: &mut dyn FnMut(Event),
    cancel: &AtomicBool,
) -> Result<Summary, SweepError> {
    if jobs == 0 {
        let (value, limit) = ("0".to_string(), "1 or more".to_string());
        return Err(TrainError::Config { field: "jobs", value, limit, remedy: "give --jobs 1" }.into());
    }
    let (mut records, contents) = Appender::open(&folder.records())?;
    if contents.torn_bytes > 0 {
        listen(Event::Torn(contents.torn_bytes));
    }
    let done: HashSet<&str> = contents.records.iter().map(|record| record.identity.as_str()).collect();
    let mut open = Vec::new();
    for config in runs {
        let value = serde_json::to_value(config).expect("a configuration is plain data");
        let identity = identity(&value, &lab.data_sha256(config)?);
        let checkpoint = folder.checkpoint(&identity);
        if done.contains(identity.as_str()) {
            // The process may have ended between the record and this.
            let _ = std::fs::remove_file(checkpoint);
        } else {
            open.push((config, checkpoint));
        }
    }
    let before = runs.len() - open.len();
    let epochs = open.iter().map(|(config, _)| lab.epochs(config)).sum();
    listen(Event::Start { runs: runs.len(), runs_done: before, epochs });

    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let (mut now, mut fault) = (0, None);
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(open.len()) {
            let sender = sender.clone();
            let (open, next, stop) = (&open, &next, &stop);
            scope.spawn(move || {
                while !cancel.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
                    let Some((config, checkpoint)) = open.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                    let mut told = 0;
                    let mut progress = |epochs: usize| {
                        let _ = sender.send(Message::Epochs(epochs.saturating_sub(told)));
                        told = told.max(epochs);
                    };
                    let message = match run_one(lab, config, checkpoint, &mut progress, cancel) {
                        Ok(Some(record)) => Message::Done(Box::new(record)),
                        Ok(None) => return,
                        Err(error) => Message::Failed(error),
                    };
                    let _ = sender.send(message);
                }
            });
        }
        drop(sender);
        for message in receiver {
            match message {
                Message::Epochs(more) => listen(Event::Epochs(more)),
                Message::Done(record) => match records.append(&record) {
                    Ok(()) => {
                        let _ = std::fs::remove_file(folder.checkpoint(&record.identity));
                        now += 1;
                        listen(Event::Finished(record));
                    }
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        fault.get_or_insert(error);
                    }
                },
                Message::Failed(error) => {
                    stop.store(true, Ordering::Relaxed);
                    fault.get_or_insert(error);
                }
            }
        }
    });
    match fault {
        Some(error) => Err(error),
        None => Ok(Summary { runs: runs.len(), before, now }),
    }
}

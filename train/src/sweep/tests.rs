//! A lab that does sums in place of training, so that a sweep's own behaviour shows.

use super::folder::Folder;
use super::record::{self, Appender, Record, canonical};
use super::runner::{Event, run};
use super::share::{Collected, collect, folder_of, share, survey};
use super::{Lab, SweepError, grid};
use crate::TrainError;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sum {
    #[serde(default)]
    seed: u64,
    epochs: usize,
    #[serde(default)]
    rate: f64,
    #[serde(default)]
    inner: Inner,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    #[serde(default)]
    bits: u32,
    #[serde(default)]
    table: Vec<u32>,
}

#[derive(Default)]
struct Sums {
    started: Mutex<Vec<Sum>>,
    epochs: AtomicUsize,
    /// Set `cancel` after so many epochs; 0 never.
    stop_after: usize,
}

impl Lab for Sums {
    type Config = Sum;

    fn check(&self, config: &Sum) -> Result<(), TrainError> {
        if config.inner.bits > 8 {
            let value = config.inner.bits.to_string();
            return Err(TrainError::Config { field: "bits", value, limit: "0..=8".into(), remedy: "lower it" });
        }
        Ok(())
    }

    fn data_sha256(&self, _: &Sum) -> Result<String, TrainError> {
        Ok("00".repeat(32))
    }

    fn epochs(&self, config: &Sum) -> usize {
        config.epochs
    }

    fn run(
        &self,
        config: &Sum,
        checkpoint: &Path,
        progress: &mut dyn FnMut(usize),
        cancel: &AtomicBool,
    ) -> Result<Vec<Value>, TrainError> {
        self.started.lock().unwrap().push(config.clone());
        if config.rate > 1.0 {
            return Err(TrainError::Diverged {
                epoch: 1,
                what: "loss",
                value: f64::INFINITY,
                learning_rate: config.rate,
            });
        }
        let mut done: Vec<Value> =
            std::fs::read(checkpoint).map_or_else(|_| Vec::new(), |bytes| serde_json::from_slice(&bytes).unwrap());
        while done.len() < config.epochs {
            if cancel.load(Ordering::Relaxed) {
                return Err(TrainError::Cancelled { done: done.len(), total: config.epochs, what: "epochs" });
            }
            done.push(Value::from(config.seed * 1000 + done.len() as u64));
            std::fs::write(checkpoint, serde_json::to_vec(&done).unwrap()).unwrap();
            progress(done.len());
            if self.epochs.fetch_add(1, Ordering::Relaxed) + 1 == self.stop_after {
                cancel.store(true, Ordering::Relaxed);
            }
        }
        Ok(done)
    }
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bitline-sweep-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn study(text: &str) -> Result<Vec<Sum>, SweepError> {
    grid::read(&Sums::default(), "study.toml", text).map(|study| study.runs)
}

fn message(text: &str) -> String {
    study(text).unwrap_err().to_string()
}

const FOUR: &str = "name = \"four\"\n[defaults]\nepochs = 3\n[[grid]]\nseed = [1, 2, 3, 4]\n";

fn sorted(path: &Path) -> Vec<Record> {
    let mut records: Vec<_> = record::read(path).unwrap().records.iter().map(Record::timeless).collect();
    records.sort_by(|a, b| a.identity.cmp(&b.identity));
    records
}

fn sweep(lab: &Sums, folder: &Path, jobs: usize) -> Result<super::runner::Summary, SweepError> {
    let runs = study(FOUR).unwrap();
    run(lab, &runs, &Folder::take(folder)?, jobs, &mut |_| (), &AtomicBool::new(false))
}

#[test]
fn grid_nested_and_list_valued_keys_are_axes_of_their_own() {
    let runs = study(
        "name = \"n\"\n[defaults]\nepochs = 1\ninner.table = [7]\n[[grid]]\ninner.bits = [2, 3]\n[[grid]]\ninner.table = [[1, 2], [3]]\nseed = 5\n",
    )
    .unwrap();
    let seen: Vec<_> = runs.iter().map(|run| (run.seed, run.inner.bits, run.inner.table.clone())).collect();
    assert_eq!(seen, [(0, 2, vec![7]), (0, 3, vec![7]), (5, 0, vec![1, 2]), (5, 0, vec![3])]);
}

#[test]
fn grid_errors_name_line_key_and_what_is_allowed() {
    assert_eq!(
        message("name = \"n\"\n[[grid]]\nepochs = 1\ninner.bits = [3, 9]\n"),
        "study.toml, line 4, inner.bits: 9 is refused: bits is 9, must be 0..=8; lower it"
    );
    let unknown = message("name = \"n\"\n[[grid]]\nepochs = 1\nsead = [3, 9]\n");
    assert!(
        unknown.starts_with("study.toml, line 4, sead: 3 is refused: unknown field `sead`, expected one of `seed`"),
        "{unknown}"
    );
    assert_eq!(
        message("name = \"n\"\n[[grid]]\nepochs = []\n"),
        "study.toml, line 3, epochs: the list is empty; give at least one value"
    );
    assert_eq!(
        message("name = \"n\"\n[[grid]]\nepochs = [1, 1]\n"),
        "study.toml, line 3, epochs: 1 stands in the list twice; leave one out"
    );
    assert_eq!(
        message("name = \"n\"\nseeds = 3\n"),
        "study.toml, line 2, seeds: is not a key of a study, which has name, defaults and grid"
    );
    assert!(message("name = \"n\"\n\n[[grid]\n").starts_with("study.toml, line 3, study: "));
}

proptest! {
    #[test]
    fn grid_counts_multiply_without_duplicates(seeds in 1usize..6, bits in 1usize..6, again in any::<bool>()) {
        let list = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
        let table = format!("[[grid]]\nseed = [{}]\ninner.bits = [{}]\n", list(seeds), list(bits));
        let tables = if again { table.repeat(2) } else { table };
        let runs = study(&format!("name = \"n\"\n[defaults]\nepochs = 1\n{tables}")).unwrap();
        let texts: HashSet<_> = runs.iter().map(|run| canonical(&serde_json::to_value(run).unwrap())).collect();
        prop_assert_eq!(runs.len(), seeds * bits);
        prop_assert_eq!(texts.len(), runs.len());
    }
}

#[test]
fn canonical_json_does_not_depend_on_the_order_of_keys() {
    let texts = [r#"{"b":[1,{"y":2,"x":1.5}],"a":"q\""}"#, r#"{"a":"q\"","b":[1,{"x":1.5,"y":2}]}"#];
    for text in texts {
        assert_eq!(canonical(&serde_json::from_str(text).unwrap()), r#"{"a":"q\"","b":[1,{"x":1.5,"y":2}]}"#);
    }
}

#[test]
fn sweep_done_twice_runs_each_run_once() {
    let folder = Scratch::new("twice");
    let lab = Sums::default();
    assert_eq!(sweep(&lab, &folder.0, 2).unwrap().now, 4);
    let again = sweep(&lab, &folder.0, 2).unwrap();
    assert_eq!((again.before, again.now, again.is_complete()), (4, 0, true));
    assert_eq!(lab.started.lock().unwrap().len(), 4);
    assert_eq!(std::fs::read_dir(folder.0.join("checkpoints")).unwrap().count(), 0);
}

#[test]
fn sweep_stopped_at_any_epoch_and_resumed_leaves_the_same_records() {
    let whole = Scratch::new("whole");
    sweep(&Sums::default(), &whole.0, 1).unwrap();
    let runs = study(FOUR).unwrap();
    for stop_after in 1..12 {
        let folder = Scratch::new(&format!("stopped-{stop_after}"));
        let lab = Sums { stop_after, ..Sums::default() };
        let first =
            run(&lab, &runs, &Folder::take(&folder.0).unwrap(), 1, &mut |_| (), &AtomicBool::new(false)).unwrap();
        assert_eq!(first.now, stop_after / 3);
        let rest = Sums::default();
        assert!(sweep(&rest, &folder.0, 2).unwrap().is_complete());
        assert_eq!(rest.epochs.into_inner(), 12 - stop_after, "the checkpoint's epochs are not done again");
        assert_eq!(sorted(&folder.0.join("records.jsonl")), sorted(&whole.0.join("records.jsonl")));
    }
}

#[test]
fn records_torn_at_any_byte_lose_the_last_line_alone() {
    let folder = Scratch::new("torn");
    sweep(&Sums::default(), &folder.0, 1).unwrap();
    let path = folder.0.join("records.jsonl");
    let (bytes, whole) = (std::fs::read(&path).unwrap(), sorted(&path));
    let last = bytes[..bytes.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    for cut in (last + 1..bytes.len()).step_by(37).chain([bytes.len() - 1]) {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let (_, contents) = Appender::open(&path).unwrap();
        assert_eq!((contents.records.len(), contents.torn_bytes), (3, cut - last));
        assert_eq!(std::fs::read(&path).unwrap(), bytes[..last]);
    }
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let mut events = Vec::new();
    let runs = study(FOUR).unwrap();
    let taken = Folder::take(&folder.0).unwrap();
    run(&Sums::default(), &runs, &taken, 1, &mut |event| events.push(event), &AtomicBool::new(false)).unwrap();
    assert_eq!(events[0], Event::Torn(bytes.len() - 5 - last));
    assert_eq!(sorted(&path), whole);
}

#[test]
fn records_changed_in_the_middle_are_refused_with_their_line() {
    let folder = Scratch::new("changed");
    sweep(&Sums::default(), &folder.0, 1).unwrap();
    let path = folder.0.join("records.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"seed\":2", "\"seed\":9", 1)).unwrap();
    let refused = record::read(&path).unwrap_err();
    assert!(
        matches!(&refused, SweepError::Record { line: 2, reason, .. } if reason.starts_with("the identity is ")),
        "{refused}"
    );
}

#[test]
fn folder_taken_twice_is_refused_until_the_first_ends_and_half_files_go_then() {
    let folder = Scratch::new("lock");
    let first = Folder::take(&folder.0).unwrap();
    let refused = Folder::take(&folder.0).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("{} is in use by another sweep; wait until it has ended, or give another --out", folder.0.display())
    );
    let half = folder.0.join("checkpoints/00.safetensors.1.part");
    std::fs::write(&half, "half").unwrap();
    Folder::take(&folder.0).unwrap_err();
    assert!(half.exists(), "the first may be writing it");
    drop(first);
    let whole = folder.0.join("checkpoints/00.safetensors");
    std::fs::write(&whole, "whole").unwrap();
    Folder::take(&folder.0).unwrap();
    assert!(whole.exists() && !half.exists());
}

#[test]
fn run_that_diverges_is_recorded_and_not_repeated() {
    let folder = Scratch::new("diverged");
    let runs = study("name = \"n\"\n[[grid]]\nepochs = 1\nrate = [2.0]\n").unwrap();
    let lab = Sums::default();
    for now in [1, 0] {
        let taken = Folder::take(&folder.0).unwrap();
        assert_eq!(run(&lab, &runs, &taken, 1, &mut |_| (), &AtomicBool::new(false)).unwrap().now, now);
    }
    let records = record::read(&folder.0.join("records.jsonl")).unwrap().records;
    assert!(records[0].failure.as_ref().unwrap().contains("lower learning_rate from 2"), "{:?}", records[0].failure);
}

#[test]
fn shares_of_tasks_are_every_run_once() {
    let runs: Vec<usize> = (0..7).collect();
    for tasks in 1..=9 {
        let shares: Vec<Vec<usize>> = (0..tasks).map(|task| share(&runs, task, tasks).unwrap()).collect();
        assert!(shares.iter().all(|own| own.len() == 7 / tasks || own.len() == 7 / tasks + 1), "{shares:?}");
        let mut all = shares.concat();
        all.sort_unstable();
        assert_eq!(all, runs, "{tasks} tasks");
    }
    assert_eq!(share(&runs, 3, 3).unwrap_err().to_string(), "task is 3, must be 0..3; count tasks from 0");
}

#[test]
fn collecting_is_refused_while_a_sweep_works_in_the_folder_and_a_survey_is_not() {
    let folder = Scratch::new("collect-busy");
    let (lab, runs) = (Sums::default(), study(FOUR).unwrap());
    let task = Folder::take(&folder_of(&folder.0, 1)).unwrap();
    let own = share(&runs, 1, 2).unwrap();
    run(&lab, &own, &task, 1, &mut |_| (), &AtomicBool::new(false)).unwrap();
    let sweeping = Folder::take(&folder.0).unwrap();
    assert!(matches!(collect(&lab, &runs, &folder.0), Err(SweepError::Busy { .. })));
    let found = survey(&lab, &runs, &folder.0).unwrap();
    assert_eq!((found.recorded, found.brought, &found.missing), (2, 0, &vec![0, 2]));
    assert_eq!(found.open_tasks(2), [0]);
    assert!(!sweeping.records().exists());
    drop(sweeping);
    assert_eq!(collect(&lab, &runs, &folder.0).unwrap(), Collected { brought: 2, ..found });
    assert_eq!(collect(&lab, &runs, &folder.0).unwrap().brought, 0);
}

//! The runs of one or several records files, checked and grouped.
//!
//! A run's result is its test accuracy after the last epoch, in percent: the best epoch is never looked for, as that would
//! choose on the test images. A run that left the numbers has none.

use super::SweepReportError;
use bitline_train::idx::sha256;
use bitline_train::image_set::DataSet;
use bitline_train::lab::{
    Algorithm, EpochLine, Hidden, NoiseLine, PostTrainingLine, Quantizer, Range, RunConfig, Storage,
};
use bitline_train::statistics::spread;
use bitline_train::sweep::record::{self, Record};
use serde::Serialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct LabRun {
    /// The record, as read.
    pub record: Record,
    /// The file it was read from first.
    pub file: PathBuf,
    /// Its configuration.
    pub config: RunConfig,
    /// Percent of the test images after the last epoch; absent where the run diverged.
    pub accuracy: Option<f64>,
    /// What its trained weights gave when they were rounded to levels, if that was asked for.
    pub post_training: Vec<PostTrainingLine>,
    /// What the trained network gave under noise, if that was asked for.
    pub noise_evaluation: Vec<NoiseLine>,
}

/// A records file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordsFile {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Records in it.
    pub records: usize,
    /// Bytes of a torn last line, which is left out.
    pub torn_bytes: usize,
}

/// Everything read.
#[derive(Debug, Clone, PartialEq)]
pub struct Runs {
    /// Each run once, by identity.
    pub runs: Vec<LabRun>,
    /// The files, in the order given.
    pub files: Vec<RecordsFile>,
}

/// The name that a setting has in a study.
pub fn name(setting: &impl Serialize) -> String {
    match serde_json::to_value(setting) {
        Ok(serde_json::Value::String(text)) => text,
        other => panic!("settings are written as words, not {other:?}"),
    }
}

/// How a run's weights are held, without a table's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Which levels there are.
    pub quantizer: Quantizer,
    /// Where their ends are.
    pub range: Range,
    /// Where the weights live.
    pub storage: Storage,
    /// Bits of a weight.
    pub bits: usize,
}

/// What a figure or table tells runs apart by; the seed and the [`recipe`] come on top.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Set of images.
    pub data_set: DataSet,
    /// Hidden layers.
    pub hidden: Hidden,
    /// How it was trained.
    pub algorithm: Algorithm,
    /// How its weights are held; none for full precision.
    pub weights: Option<Weights>,
    /// Noise of training.
    pub noise_sigma: f64,
}

impl Setting {
    /// That of a configuration.
    pub fn of(config: &RunConfig) -> Self {
        let weights = config.quantization.as_ref();
        Self {
            data_set: config.data_set,
            hidden: config.hidden,
            algorithm: config.algorithm,
            weights: weights.map(|q| Weights {
                quantizer: q.quantizer,
                range: q.range,
                storage: q.storage,
                bits: q.bits,
            }),
            noise_sigma: config.noise_sigma,
        }
    }
}

/// Results of one setting and recipe over its seeds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    /// Percent, of the runs that finished, in the order of their identities.
    pub accuracies: Vec<f64>,
    /// Runs that diverged.
    pub diverged: usize,
}

impl Cell {
    /// Mean of the runs that finished, in percent.
    pub fn mean(&self) -> Option<f64> {
        (!self.accuracies.is_empty()).then(|| spread(&self.accuracies).0)
    }

    /// Sample standard deviation, in points; of two runs or more.
    pub fn deviation(&self) -> Option<f64> {
        (self.accuracies.len() > 1).then(|| spread(&self.accuracies).1)
    }

    /// Runs, finished or diverged.
    pub fn runs(&self) -> usize {
        self.accuracies.len() + self.diverged
    }
}

/// Runs that differ in nothing but the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What they are.
    pub setting: Setting,
    /// Every other setting, [`recipe`].
    pub recipe: String,
    /// What they gave.
    pub cell: Cell,
}

/// Every setting of a run but those of [`Setting`] and the seed, in words: runs of different recipes are never averaged.
pub fn recipe(config: &RunConfig) -> String {
    let value = serde_json::to_value(config).expect("plain data");
    let apart = [
        "data_set",
        "hidden",
        "algorithm",
        "quantization",
        "noise_sigma",
        "seed",
        "held_out",
        "post_training",
        "noise_evaluation",
        "noise_draws",
    ];
    let own = |key: &str| match config.algorithm {
        Algorithm::Hsic => !key.starts_with("module_"),
        Algorithm::SyntheticGradients => !key.starts_with("hsic_"),
        _ => !key.starts_with("hsic_") && !key.starts_with("module_"),
    };
    let map = value.as_object().expect("a configuration is an object");
    let mut words: Vec<String> = map
        .iter()
        .filter(|(key, _)| !apart.contains(&key.as_str()) && own(key))
        .map(|(key, value)| format!("{key} {}", value.to_string().trim_matches('"')))
        .collect();
    words.sort();
    if let Some(table) = config.quantization.as_ref().filter(|q| !q.levels.is_empty()) {
        words.push(format!("levels {:?}", table.levels));
    }
    words.join(", ")
}

/// A recipe's learning rate, and what is left of the recipe.
pub fn without_learning_rate(recipe: &str) -> (String, String) {
    let (rate, rest): (Vec<&str>, Vec<&str>) =
        recipe.split(", ").partition(|words| words.starts_with("learning_rate "));
    (rate.join("").replace("learning_rate ", ""), rest.join(", "))
}

/// Percent.
pub(super) fn accuracy_of(correct: usize, images: usize) -> f64 {
    correct as f64 * 100.0 / images as f64
}

/// The last epoch; none where the run diverged.
fn last_line(record: &Record) -> Result<Option<EpochLine>, String> {
    if record.failure.is_some() {
        return Ok(None);
    }
    let last = record.epochs.last().ok_or("it has neither epochs nor a failure")?;
    let line: EpochLine = serde_json::from_value(last.clone()).map_err(|e| format!("its last epoch: {e}"))?;
    let rounded = line.post_training.iter().map(|line| (line.test_correct, line.test_images));
    let of_draws =
        |line: &NoiseLine| line.test_correct.iter().map(|correct| (*correct, line.test_images)).collect::<Vec<_>>();
    let noisy = line.noise_evaluation.iter().flat_map(of_draws);
    for (correct, images) in [(line.test_correct, line.test_images)].into_iter().chain(rounded).chain(noisy) {
        if images == 0 || correct > images {
            return Err(format!("its last epoch has {correct} of {images} test images correct"));
        }
    }
    Ok(Some(line))
}

impl LabRun {
    fn of(record: Record, file: &Path) -> Result<Self, SweepReportError> {
        let fault = |reason: String| SweepReportError::Run {
            file: file.into(),
            identity: record.identity.clone(),
            reason,
            version: record.version.clone(),
        };
        let config = serde_json::from_value(record.config.clone()).map_err(|e| fault(e.to_string()))?;
        let last = last_line(&record).map_err(fault)?;
        let accuracy = last.as_ref().map(|line| accuracy_of(line.test_correct, line.test_images));
        let (post_training, noise_evaluation) =
            last.map_or_else(Default::default, |line| (line.post_training, line.noise_evaluation));
        Ok(Self { config, accuracy, post_training, noise_evaluation, file: file.into(), record })
    }

    /// What was trained: the configuration in JSON, without what is evaluated afterwards, which changes no training.
    pub(super) fn training(&self) -> String {
        let RunConfig { data_set, hidden, algorithm, .. } = self.config;
        let RunConfig { post_training, noise_evaluation, noise_draws, .. } =
            RunConfig::new(data_set, hidden, algorithm, 1);
        let config = RunConfig { post_training, noise_evaluation, noise_draws, ..self.config.clone() };
        serde_json::to_string(&config).expect("plain data")
    }
}

impl Runs {
    /// Read the files; a folder stands for its `records.jsonl`. A run that several files hold alike counts once.
    ///
    /// # Errors
    /// [`SweepReportError`], but for [`SweepReportError::Report`].
    pub fn read(paths: &[PathBuf]) -> Result<Self, SweepReportError> {
        let (mut runs, mut files): (Vec<LabRun>, _) = (Vec::new(), Vec::new());
        for path in paths {
            let path = if path.is_dir() { path.join("records.jsonl") } else { path.clone() };
            if !path.exists() {
                return Err(SweepReportError::Absent { file: path });
            }
            if path.extension().is_some_and(|extension| extension == "toml") {
                return Err(SweepReportError::Study { file: path });
            }
            let contents = record::read(&path)?;
            let bytes = std::fs::read(&path).map_err(|_| SweepReportError::Absent { file: path.clone() })?;
            files.push(RecordsFile {
                path: path.clone(),
                sha256: sha256(&bytes),
                records: contents.records.len(),
                torn_bytes: contents.torn_bytes,
            });
            for record in contents.records {
                runs.push(LabRun::of(record, &path)?);
            }
        }
        if runs.is_empty() {
            let names: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
            return Err(SweepReportError::Empty { files: names.join(", ") });
        }
        // Stable: of two files, the one given first stays.
        runs.sort_by(|a, b| a.record.identity.cmp(&b.record.identity));
        let conflict =
            |pair: &&[LabRun]| pair[0].record.identity == pair[1].record.identity && !same_result(&pair[0], &pair[1]);
        if let Some(pair) = runs.windows(2).find(|pair| conflict(pair)) {
            return Err(SweepReportError::Conflict {
                identity: pair[0].record.identity.clone(),
                first: pair[0].file.clone(),
                second: pair[1].file.clone(),
            });
        }
        runs.dedup_by(|a, b| a.record.identity == b.record.identity);
        Ok(Self { runs, files })
    }

    /// The runs without those that another one trained already: what is evaluated after training changes no training. Of these the
    /// one with the most evaluations stays.
    pub(super) fn trained_once(&self) -> Vec<&LabRun> {
        let mut runs: Vec<&LabRun> = self.runs.iter().collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.post_training.len()));
        let mut seen = HashSet::new();
        runs.retain(|run| seen.insert((run.training(), run.record.data_sha256.clone())));
        runs.sort_by(|a, b| a.record.identity.cmp(&b.record.identity));
        runs
    }

    /// The runs in groups that differ in the seed alone; runs evaluated on held-out training images are left out.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for run in self.trained_once().into_iter().filter(|run| run.config.held_out == 0) {
            let (setting, recipe) = (Setting::of(&run.config), recipe(&run.config));
            let known = groups.iter().position(|group| group.setting == setting && group.recipe == recipe);
            let place = known.unwrap_or_else(|| {
                groups.push(Group { setting, recipe, cell: Cell::default() });
                groups.len() - 1
            });
            match run.accuracy {
                Some(accuracy) => groups[place].cell.accuracies.push(accuracy),
                None => groups[place].cell.diverged += 1,
            }
        }
        groups
    }

    /// Time of all runs together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.runs.iter().map(|run| run.record.seconds).sum()
    }
}

/// Whether two records of one run agree, the time and the version apart.
fn same_result(one: &LabRun, other: &LabRun) -> bool {
    one.record.epochs == other.record.epochs && one.record.failure == other.record.failure
}

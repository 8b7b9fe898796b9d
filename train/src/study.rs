//! Many seeds: how much of S001's result is the seed's luck.

use crate::TrainError;
use crate::digits::{Progress, TrainConfig, train};
use crate::quantization::{Choice, ChoiceResult, QuantizationReport, QuantizeConfig, report};
use crate::trained::Trained;
use bitline_golden::dataset::Digits;
use bitline_golden::network::EpochRecord;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts that S001 prints, of 1500 training and 297 test images.
pub const S001_FLOAT_TRAIN: u32 = 1472;
/// Float network on the test images (S001, section IV-A).
pub const S001_FLOAT_TEST: u32 = 270;
/// Quantized network on the test images, scale factor chosen on them (S001, section IV-B).
pub const S001_QUANTIZED_TEST: u32 = 273;

/// Epochs whose records a [`SeedRecord`] keeps, so that a short training can be compared with it bit for bit.
pub const FIRST_EPOCHS: usize = 3;

/// The results of one seed: one JSON line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedRecord {
    /// Settings and seed of the training.
    pub train: TrainConfig,
    /// Target of the quantization.
    pub quantize: QuantizeConfig,
    /// Float network after the last epoch.
    pub float: EpochRecord,
    /// Held-out images that the float networks of the folds classify correctly, of 1500.
    pub float_held_out_correct: u32,
    /// The three choices.
    pub choices: Vec<ChoiceResult>,
    /// The first [`FIRST_EPOCHS`] epochs.
    pub first_epochs: Vec<EpochRecord>,
    /// SHA-256 of the data file.
    pub data_sha256: String,
    /// Command that makes this line again.
    pub command: String,
    /// Version of bitline.
    pub version: String,
}

/// Mean, spread and ends of a count over the seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (divided by n - 1); 0 for one seed.
    pub deviation: f64,
    /// Smallest.
    pub least: u32,
    /// Largest.
    pub most: u32,
    /// Seeds that reach the largest, ascending.
    pub best_seeds: Vec<u64>,
}

impl Spread {
    /// Spread of `(seed, count)` pairs.
    ///
    /// # Panics
    /// If there are none.
    pub fn of(counts: &[(u64, u32)]) -> Self {
        let n = counts.len() as f64;
        let mean = counts.iter().map(|(_, c)| f64::from(*c)).sum::<f64>() / n;
        let squares: f64 = counts.iter().map(|(_, c)| (f64::from(*c) - mean).powi(2)).sum();
        let most = counts.iter().map(|(_, c)| *c).max().expect("at least one seed");
        let mut best_seeds: Vec<u64> = counts.iter().filter(|(_, c)| *c == most).map(|(seed, _)| *seed).collect();
        best_seeds.sort_unstable();
        Self {
            mean,
            deviation: if counts.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 },
            least: counts.iter().map(|(_, c)| *c).min().expect("at least one seed"),
            most,
            best_seeds,
        }
    }
}

/// The spreads of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Seeds studied, ascending.
    pub seeds: Vec<u64>,
    /// Float network, training images, of 1500; S001: 1472.
    pub float_train: Spread,
    /// Float network, test images, of 297; S001: 270.
    pub float_test: Spread,
    /// Quantized network, test images, of 297, for each choice; S001, chosen on the test images: 273.
    pub quantized_test: Vec<(Choice, Spread)>,
}

impl Summary {
    /// Summarise the records of at least one seed.
    ///
    /// # Panics
    /// If there are none.
    pub fn of(records: &[SeedRecord]) -> Self {
        let spread = |count: &dyn Fn(&SeedRecord) -> u32| {
            Spread::of(&records.iter().map(|r| (r.train.seed, count(r))).collect::<Vec<_>>())
        };
        let test = |choice| {
            let of = move |r: &SeedRecord| {
                r.choices.iter().find(|c| c.choice == choice).expect("a record holds every choice").test_correct
            };
            (choice, spread(&of))
        };
        let mut seeds: Vec<u64> = records.iter().map(|r| r.train.seed).collect();
        seeds.sort_unstable();
        Self {
            seeds,
            float_train: spread(&|r| r.float.train_correct as u32),
            float_test: spread(&|r| r.float.test_correct as u32),
            quantized_test: Choice::ALL.map(test).to_vec(),
        }
    }
}

/// One seed of a study, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedResult {
    /// The line for the results file.
    pub record: SeedRecord,
    /// The float network.
    pub trained: Trained,
    /// The sweep's curves.
    pub report: QuantizationReport,
}

/// What a study does with each seed.
#[derive(Debug, Clone)]
pub struct StudyConfig {
    /// Settings of the training; the seed is replaced.
    pub train: TrainConfig,
    /// Target of the quantization.
    pub quantize: QuantizeConfig,
    /// Threads, 1 or more; the results do not depend on it.
    pub threads: usize,
    /// What the records name as their origin.
    pub command: String,
}

/// Train and quantize every seed; the results are in the order of `seeds`. `epoch` hears of every epoch of every run,
/// folds included, from any thread.
///
/// # Errors
/// The first seed's error, in the order of `seeds`; [`TrainError::Cancelled`] when `cancel` was set.
pub fn study(
    seeds: &[u64],
    digits: &Digits,
    config: &StudyConfig,
    epoch: &(dyn Fn(&str, usize, &EpochRecord) + Sync),
    cancel: &AtomicBool,
) -> Result<Vec<SeedResult>, TrainError> {
    let one = |seed: u64| -> Result<SeedResult, TrainError> {
        let mut progress = |label: &str, epochs: usize, record: &EpochRecord| epoch(label, epochs, record);
        let progress: &mut dyn Progress = &mut progress;
        let trained = train(&TrainConfig { seed, ..config.train.clone() }, digits, None, progress, cancel)?;
        if !trained.is_complete() {
            return Err(TrainError::Cancelled { done: 0, total: seeds.len(), what: "seeds" });
        }
        let report = report(&trained, digits, &config.quantize, progress, cancel)?;
        let record = SeedRecord {
            train: trained.config.clone(),
            quantize: config.quantize,
            float: *trained.history.last().expect("complete"),
            float_held_out_correct: report.folds.iter().map(|fold| fold.float_correct).sum(),
            choices: report.choices.clone(),
            first_epochs: trained.history.iter().take(FIRST_EPOCHS).copied().collect(),
            data_sha256: digits.sha256.clone(),
            command: config.command.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(SeedResult { record, trained, report })
    };
    let next = AtomicUsize::new(0);
    let results = Mutex::new(seeds.iter().map(|_| None).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for _ in 0..config.threads.clamp(1, seeds.len().max(1)) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let result = one(seed);
                    let at = seeds.iter().position(|s| *s == seed).expect("from the list");
                    results.lock().expect("no thread panics while it holds the lock")[at] = Some(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("every thread has ended");
    let done = results.iter().filter(|r| matches!(r, Some(Ok(_)))).count();
    let results: Result<Vec<_>, _> = results.into_iter().map(|r| r.expect("every seed was taken")).collect();
    results.map_err(|error| match error {
        TrainError::Cancelled { .. } => TrainError::Cancelled { done, total: seeds.len(), what: "seeds" },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_the_textbook_one() {
        // Mean 5, squares 32, sample deviation sqrt(32 / 7).
        let counts: Vec<(u64, u32)> =
            [2, 4, 4, 4, 5, 5, 7, 9].into_iter().enumerate().map(|(i, c)| (i as u64, c)).collect();
        let spread = Spread::of(&counts);
        assert_eq!((spread.mean, spread.least, spread.most), (5.0, 2, 9));
        assert!((spread.deviation - (32f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(spread.best_seeds, [7]);
        assert_eq!(Spread::of(&[(9, 3), (4, 3)]).best_seeds, [4, 9]);
        assert_eq!(Spread::of(&[(9, 3)]).deviation, 0.0);
    }

    #[test]
    fn study_does_not_depend_on_the_threads_and_can_be_stopped() {
        let digits = Digits::embedded();
        let config = |threads| StudyConfig {
            train: TrainConfig { epochs: 1, ..TrainConfig::default() },
            quantize: QuantizeConfig { folds: 2, ..QuantizeConfig::default() },
            threads,
            command: "test".into(),
        };
        let never = AtomicBool::new(false);
        let heard = AtomicUsize::new(0);
        let count = |_: &str, _: usize, _: &EpochRecord| {
            heard.fetch_add(1, Ordering::Relaxed);
        };
        let two = study(&[3, 1, 2], &digits, &config(2), &count, &never).unwrap();
        assert_eq!(heard.load(Ordering::Relaxed), 9, "three seeds, each with two folds, one epoch");
        assert_eq!(two, study(&[3, 1, 2], &digits, &config(1), &count, &never).unwrap());
        assert_eq!(two.iter().map(|r| r.record.train.seed).collect::<Vec<_>>(), [3, 1, 2]);
        assert_eq!(Summary::of(&two.iter().map(|r| r.record.clone()).collect::<Vec<_>>()).seeds, [1, 2, 3]);
        assert_eq!(
            study(&[3, 1], &digits, &config(2), &count, &AtomicBool::new(true)).unwrap_err().to_string(),
            "stopped on request after 0 of 2 seeds; run the same command again"
        );
    }
}

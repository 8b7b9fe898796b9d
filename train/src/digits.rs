//! Softmax regression on the digits, as S001 trains it (section IV-A, Table I).
//!
//! Pixels / 16, no hidden layer, stochastic gradient descent, batch 16, 600 epochs, rows 0..1500; S001 leaves the
//! learning rate and the start to its framework's defaults, 0.01 and uniform Glorot.

use crate::TrainError;
use crate::device::DeviceChoice;
use crate::error::refuse;
use crate::softmax_regression::{SoftmaxRegression, evaluate, initial, pixels};
use crate::trained::Trained;
use bitline_golden::dataset::{Digits, PIXELS, TRAIN_ROWS};
use bitline_golden::network::EpochRecord;
use bitline_golden::random::stream;
use rand_chacha::rand_core::RngCore;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(test)]
mod tests;

/// What to train; with the data it determines every bit of the result on the `flex` device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of the streams `digits init` and `digits shuffle`.
    pub seed: u64,
    /// Passes over the training images, 1 or more; 600 in S001.
    pub epochs: usize,
    /// Images of a step, the last of an epoch may have fewer; 16 in S001.
    pub batch: usize,
    /// Step length of the gradient descent, above 0; 0.01.
    pub learning_rate: f64,
    /// Rows of 0..1500 that training leaves out, for choosing the scale factor; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Range<usize>>,
    /// Where Burn computes; not part of what is trained.
    #[serde(skip)]
    pub device: DeviceChoice,
}

impl Default for TrainConfig {
    fn default() -> Self {
        let device = DeviceChoice::default();
        Self { seed: 0, epochs: 600, batch: 16, learning_rate: 0.01, held_out: None, device }
    }
}

impl TrainConfig {
    /// S001's settings with another seed.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Rows that are trained on, in ascending order.
    pub fn rows(&self) -> Vec<usize> {
        TRAIN_ROWS.filter(|row| !self.held_out.as_ref().is_some_and(|held| held.contains(row))).collect()
    }

    fn check(&self) -> Result<(), TrainError> {
        if self.epochs == 0 {
            return refuse("epochs", "0".into(), "at least 1", "S001 trains for 600");
        }
        if self.batch == 0 || self.batch > TRAIN_ROWS.end {
            return refuse("batch", self.batch.to_string(), "1..=1500", "S001 uses 16");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return refuse(
                "learning_rate",
                self.learning_rate.to_string(),
                "finite and above 0",
                "0.01 reproduces S001",
            );
        }
        if let Some(held) = &self.held_out
            && (held.is_empty() || held.end > TRAIN_ROWS.end || held.len() == TRAIN_ROWS.end)
        {
            let value = format!("{}..{}", held.start, held.end);
            return refuse("held_out", value, "some, not all, of 0..1500", "hold out 300 rows, for example");
        }
        Ok(())
    }

    /// Names of this run's streams begin with this, so that a fold does not repeat the whole network's draws.
    fn streams(&self) -> String {
        match &self.held_out {
            None => "digits".into(),
            Some(held) => format!("digits without {}..{}", held.start, held.end),
        }
    }
}

/// Hears of every finished epoch.
pub trait Progress {
    /// An epoch of `epochs` is done; `label` names the run when there are several (`seed 3`, `seed 3 fold 2`).
    fn epoch(&mut self, label: &str, epochs: usize, record: &EpochRecord);
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn epoch(&mut self, _: &str, _: usize, _: &EpochRecord) {}
}

impl<F: FnMut(&str, usize, &EpochRecord)> Progress for F {
    fn epoch(&mut self, label: &str, epochs: usize, record: &EpochRecord) {
        self(label, epochs, record);
    }
}

/// Shuffle `rows` for an epoch, counted from 1: Fisher-Yates from the end.
///
/// Draws: stream `{streams} shuffle`, ChaCha stream number `epoch`, as [`shuffle`] takes them. Each epoch starts from ascending rows, so that an epoch
/// depends on nothing before it and a checkpoint need not hold the generator.
pub(crate) fn shuffled(mut rows: Vec<usize>, streams: &str, seed: u64, epoch: usize) -> Vec<usize> {
    let mut random = stream(&format!("{streams} shuffle"), seed);
    random.set_stream(epoch as u64);
    shuffle(&mut rows, &mut random);
    rows
}

/// Put rows in a drawn order: one `u64` r for each i from the last down to 1, and row i changes places with row
/// `floor(r (i + 1) / 2^64)`.
pub(crate) fn shuffle(rows: &mut [usize], random: &mut impl RngCore) {
    for i in (1..rows.len()).rev() {
        let other = (u128::from(random.next_u64()) * (i as u128 + 1)) >> 64;
        rows.swap(i, other as usize);
    }
}

/// Train a softmax regression on the digits.
///
/// Minimises the mean cross-entropy of `softmax(W x + b)` with `x = code / 16` by plain gradient descent,
/// `W <- W - learning_rate * gradient of the batch's mean`. After each epoch, loss and correct images over all
/// training rows and all test rows are recorded, computed in f64.
///
/// `from` continues a run that was stopped; the result is bit for bit that of an uninterrupted run. `cancel` is
/// looked at before every epoch: when it is set, what is done so far is returned, and [`Trained::is_complete`] is
/// false; save it as the checkpoint.
///
/// # Errors
/// [`TrainError::Config`], [`TrainError::CheckpointDiffers`], [`TrainError::Diverged`].
pub fn train(
    config: &TrainConfig,
    digits: &Digits,
    from: Option<Trained>,
    progress: &mut dyn Progress,
    cancel: &AtomicBool,
) -> Result<Trained, TrainError> {
    config.check()?;
    let streams = config.streams();
    let mut trained = match from {
        Some(checkpoint) => checkpoint.resumed(config, digits)?,
        None => {
            let (weights, biases) = initial(&streams, config.seed);
            let data_sha256 = digits.sha256.clone();
            Trained { config: config.clone(), weights, biases, history: Vec::new(), data_sha256 }
        }
    };
    let label = match &config.held_out {
        None => format!("seed {}", config.seed),
        Some(held) => format!("seed {} without {}..{}", config.seed, held.start, held.end),
    };
    let rows = config.rows();
    let all = pixels(digits.images.view());
    let of_rows = |rows: &[usize]| rows.iter().flat_map(|r| &all[r * PIXELS..(r + 1) * PIXELS]).copied().collect();
    let train_pixels: Vec<f32> = of_rows(&rows);
    let train_labels: Vec<u8> = rows.iter().map(|r| digits.labels[*r]).collect();
    let test_pixels = pixels(digits.test_images());

    let mut model =
        SoftmaxRegression::new(&trained.weights, &trained.biases, config.learning_rate, &config.device.open());
    for epoch in trained.history.len() + 1..=config.epochs {
        if cancel.load(Ordering::Relaxed) {
            break;
        }
        for batch in shuffled(rows.clone(), &streams, config.seed, epoch).chunks(config.batch) {
            model.step(of_rows(batch), batch.iter().map(|r| i32::from(digits.labels[*r])).collect());
        }
        let (weights, biases) = model.weights();
        let (train_loss, train_correct) = evaluate(&weights, &biases, &train_pixels, &train_labels);
        let (test_loss, test_correct) = evaluate(&weights, &biases, &test_pixels, digits.test_labels());
        if !train_loss.is_finite() {
            let (what, learning_rate) = ("training loss", config.learning_rate);
            return Err(TrainError::Diverged { epoch, what, value: train_loss, learning_rate });
        }
        let record = EpochRecord { epoch, train_loss, test_loss, train_correct, test_correct };
        trained.history.push(record);
        (trained.weights, trained.biases) = (weights, biases);
        progress.epoch(&label, config.epochs, &record);
    }
    Ok(trained)
}

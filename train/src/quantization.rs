//! Choosing the scale factor of S001's Eq. 2, three ways, all of them reported.
//!
//! | choice | images that choose | images that judge |
//! |---|---|---|
//! | [`Choice::TestImages`] | the 297 test images | the same: the figure leaks |
//! | [`Choice::TrainingImages`] | the 1500 training images | the 297 test images |
//! | [`Choice::HeldOutFolds`] | the training images, each by a network that did not see it | the 297 test images |
//!
//! The folds are equal blocks of neighbouring training rows. For each block a network is trained on the other rows,
//! with the same settings and seed (streams of its own), quantized at every factor, and counted on the block. The sum
//! over the blocks is a curve over all 1500 training images; its best factor then quantizes the network that was
//! trained on all of them. Blocks, not random rows, because neighbours are mostly by one writer: a block holds out
//! people, as the test rows do.

use crate::TrainError;
use crate::digits::{Progress, TrainConfig, train};
use crate::trained::Trained;
use bitline_golden::dataset::{Digits, TEST_ROWS, TRAIN_ROWS};
use bitline_golden::network::{Network, Provenance};
use bitline_golden::scale_factor::{self, Chosen, Sweep, quantize_layer};
use ndarray::s;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

#[cfg(test)]
mod tests;

/// Which images choose the scale factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The test images, as S001 does; the accuracy on them is then no estimate for new images.
    TestImages,
    /// The training images.
    TrainingImages,
    /// Training images that the counting network did not see.
    HeldOutFolds,
}

impl Choice {
    /// Every choice, in the order of reports.
    pub const ALL: [Self; 3] = [Self::TestImages, Self::TrainingImages, Self::HeldOutFolds];

    /// Whether the images that judge the network also chose its scale factor.
    pub fn leaks(self) -> bool {
        self == Self::TestImages
    }

    /// The name that the command line takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::TestImages => "test-images",
            Self::TrainingImages => "training-images",
            Self::HeldOutFolds => "held-out-folds",
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TestImages => "test images (as S001; leaks)",
            Self::TrainingImages => "training images",
            Self::HeldOutFolds => "held-out folds of the training images",
        })
    }
}

impl FromStr for Choice {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        Self::ALL.into_iter().find(|choice| choice.name() == text).ok_or_else(|| TrainError::Config {
            field: "choice",
            value: text.into(),
            limit: Self::ALL.map(Self::name).join(", "),
            remedy: "only test-images repeats S001",
        })
    }
}

/// The target of a quantization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizeConfig {
    /// b of Eq. 2: bits of a weight and of a bias, 2..=8; 4 in S001.
    pub weight_bits: usize,
    /// Bits of an input code; 5 hold the digits' 0..=16.
    pub input_bits: usize,
    /// Input code that stands for 1.0 and drives the biases; 16.
    pub bias_code: u32,
    /// Blocks that the training rows are cut into, 2..=1500.
    pub folds: usize,
}

impl Default for QuantizeConfig {
    fn default() -> Self {
        Self { weight_bits: 4, input_bits: 5, bias_code: 16, folds: 5 }
    }
}

impl QuantizeConfig {
    /// Rows of each fold; the first ones are one row longer when 1500 does not divide.
    ///
    /// # Errors
    /// [`TrainError::Config`].
    pub fn fold_rows(&self) -> Result<Vec<Range<usize>>, TrainError> {
        if !(2..=TRAIN_ROWS.end).contains(&self.folds) {
            return Err(TrainError::Config {
                field: "folds",
                value: self.folds.to_string(),
                limit: "2..=1500".into(),
                remedy: "5 folds hold out 300 images each",
            });
        }
        let (length, longer) = (TRAIN_ROWS.end / self.folds, TRAIN_ROWS.end % self.folds);
        let start = |fold: usize| fold * length + fold.min(longer);
        Ok((0..self.folds).map(|fold| start(fold)..start(fold + 1)).collect())
    }
}

/// A stretch of scale factors over which no count changes; it ends where the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// First step of the stretch; the scale factor is `first_step / 10000`.
    pub first_step: u32,
    /// Correct training images, of 1500.
    pub train: u32,
    /// Correct test images, of 297.
    pub test: u32,
    /// Correct held-out images, of 1500, summed over the folds.
    pub held_out: u32,
}

/// One way of choosing and what it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceResult {
    /// Which images chose.
    pub choice: Choice,
    /// Whether the test count is no estimate for new images, because the test images chose.
    pub leaks: bool,
    /// What they chose; `correct` counts among the images that chose.
    pub chosen: Chosen,
    /// Correct training images of the integer network, of 1500.
    pub train_correct: u32,
    /// Correct test images of the integer network, of 297.
    pub test_correct: u32,
}

/// One fold: the rows held out and the float network's count on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoldResult {
    /// Rows held out.
    pub rows: Range<usize>,
    /// Held-out images that the float network classifies correctly.
    pub float_correct: u32,
}

/// Everything that S001's Fig. 6 shows, for three choices instead of one; serialises to JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizationReport {
    /// Settings and seed of the training.
    pub train: TrainConfig,
    /// Target of the quantization.
    pub quantize: QuantizeConfig,
    /// SHA-256 of the data file.
    pub data_sha256: String,
    /// Version of bitline.
    pub version: String,
    /// Correct training images of the float network, of 1500.
    pub float_train_correct: u32,
    /// Correct test images of the float network, of 297.
    pub float_test_correct: u32,
    /// The folds.
    pub folds: Vec<FoldResult>,
    /// The three choices, in the order of [`Choice::ALL`].
    pub choices: Vec<ChoiceResult>,
    /// Last step of the sweep: the first that rounds every weight to zero.
    pub last_step: u32,
    /// Counts against scale factor, from step 1.
    pub curve: Vec<CurvePoint>,
}

impl QuantizationReport {
    /// The result of one choice.
    pub fn choice(&self, choice: Choice) -> &ChoiceResult {
        self.choices.iter().find(|c| c.choice == choice).expect("a report holds every choice")
    }

    /// Counts at a step: the stretch that it lies in.
    ///
    /// # Panics
    /// If `step` is 0.
    pub fn at(&self, step: u32) -> &CurvePoint {
        let after = self.curve.partition_point(|point| point.first_step <= step);
        &self.curve[after.checked_sub(1).expect("steps begin at 1")]
    }
}

/// Sweep the scale factor of a trained network on test images, training images and held-out folds, and choose it in
/// all three ways. Trains one network a fold on the way, about as long as the training itself each.
///
/// # Errors
/// [`TrainError::Unfinished`] for a checkpoint, [`TrainError::Cancelled`], and those of training and sweeping.
pub fn report(
    trained: &Trained,
    digits: &Digits,
    config: &QuantizeConfig,
    progress: &mut dyn Progress,
    cancel: &AtomicBool,
) -> Result<QuantizationReport, TrainError> {
    if !trained.is_complete() {
        return Err(TrainError::Unfinished { done: trained.history.len(), epochs: trained.config.epochs });
    }
    let sweep = |trained: &Trained, rows: Range<usize>| -> Result<Sweep, TrainError> {
        let (images, labels) = (digits.images.slice(s![rows.clone(), ..]), &digits.labels[rows]);
        let float = trained.float_layer();
        Ok(scale_factor::sweep(&float, config.weight_bits, config.bias_code, images, labels)?)
    };
    let on_train = sweep(trained, TRAIN_ROWS)?;
    let on_test = sweep(trained, TEST_ROWS)?;
    let mut folds = Vec::new();
    let mut held_out: Option<Sweep> = None;
    for rows in config.fold_rows()? {
        let fold_config = TrainConfig { held_out: Some(rows.clone()), ..trained.config.clone() };
        let fold = train(&fold_config, digits, None, progress, cancel)?;
        if !fold.is_complete() {
            return Err(TrainError::Cancelled { done: folds.len(), total: config.folds, what: "folds" });
        }
        let counts = sweep(&fold, rows.clone())?;
        held_out = Some(held_out.map_or(counts.clone(), |sum| sum.add(&counts)));
        let float_correct = fold.float_correct(digits, rows.clone()) as u32;
        folds.push(FoldResult { rows, float_correct });
    }
    let held_out = held_out.expect("at least two folds");

    let choices = Choice::ALL.map(|choice| {
        let chosen = match choice {
            Choice::TestImages => on_test.choose(),
            Choice::TrainingImages => on_train.choose(),
            Choice::HeldOutFolds => held_out.choose(),
        };
        let (train_correct, test_correct) = (on_train.correct_at(chosen.step), on_test.correct_at(chosen.step));
        ChoiceResult { choice, leaks: choice.leaks(), chosen, train_correct, test_correct }
    });
    let last_step = on_train.correct.len() as u32;
    let point = |step| CurvePoint {
        first_step: step,
        train: on_train.correct_at(step),
        test: on_test.correct_at(step),
        held_out: held_out.correct_at(step),
    };
    let mut curve: Vec<CurvePoint> = (1..=last_step).map(point).collect();
    curve.dedup_by(|b, a| (a.train, a.test, a.held_out) == (b.train, b.test, b.held_out));
    let last = trained.history.last().expect("complete, so at least one epoch");
    Ok(QuantizationReport {
        train: trained.config.clone(),
        quantize: *config,
        data_sha256: trained.data_sha256.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        float_train_correct: last.train_correct as u32,
        float_test_correct: last.test_correct as u32,
        folds,
        choices: choices.to_vec(),
        last_step,
        curve,
    })
}

/// Quantize a trained network with one scale factor (Eq. 2), keeping its floats and history.
///
/// `choice` is recorded as the factor's origin; `command` as the way to make the network again.
///
/// # Errors
/// [`TrainError::Unfinished`], [`TrainError::ScaleFactor`].
pub fn network(
    trained: &Trained,
    config: &QuantizeConfig,
    scale_factor: f64,
    choice: Option<Choice>,
    command: &str,
) -> Result<Network, TrainError> {
    if !trained.is_complete() {
        return Err(TrainError::Unfinished { done: trained.history.len(), epochs: trained.config.epochs });
    }
    let float = trained.float_layer();
    let layer = quantize_layer(&float, scale_factor, config.weight_bits, config.input_bits, config.bias_code)?;
    Ok(Network {
        name: "digits".into(),
        layers: vec![layer],
        provenance: Provenance {
            data_set: "digits".into(),
            data_sha256: trained.data_sha256.clone(),
            seed: trained.config.seed,
            command: command.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            commit: None,
            scale_factor_choice: choice.map(|choice| choice.to_string()),
        },
        history: trained.history.clone(),
    })
}

/// Sweep, choose and quantize in one call: the network with the factor of `choice`, and the report of all three.
///
/// # Errors
/// Those of [`report()`] and [`network`].
pub fn quantize(
    trained: &Trained,
    digits: &Digits,
    config: &QuantizeConfig,
    choice: Choice,
    command: &str,
    progress: &mut dyn Progress,
    cancel: &AtomicBool,
) -> Result<(Network, QuantizationReport), TrainError> {
    let report = report(trained, digits, config, progress, cancel)?;
    let network = network(trained, config, report.choice(choice).chosen.scale_factor, Some(choice), command)?;
    Ok((network, report))
}

//! Quantization-aware training of networks of several layers, from an architecture and a data set to integers.
//!
//! Minimises the mean cross-entropy of a batch by Adam; the learning rate falls from its start to 0 along half a cosine
//! (Loshchilov and Hutter 2017, Eq. 5, one period). Nothing is chosen by the test images: the network is the one that the last
//! epoch leaves.

use crate::TrainError;
use crate::adam::cosine;
use crate::architecture::Architecture;
use crate::augmentation::Augmentation;
use crate::device::DeviceChoice;
use crate::digits::{Progress, shuffled};
use crate::error::refuse;
use crate::frozen::{EXACT_SUMS, Frozen, FrozenLayer};
use crate::image_set::{DataSet, ImageSet};
use crate::model::Model;
use bitline_golden::argmax::argmax;
use bitline_golden::network::EpochRecord;
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Images that are evaluated at once.
const EVALUATED_AT_ONCE: usize = 250;

/// What to train; with the data it determines every bit of the result on the `flex` device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepConfig {
    /// Name of the network; the streams `{name} init`, `{name} shuffle` and `{name} augmentation` have it too.
    pub name: String,
    /// Set of images.
    pub data_set: DataSet,
    /// Layers.
    pub architecture: Architecture,
    /// Seed of the streams.
    pub seed: u64,
    /// Passes over the training images, 1 or more.
    pub epochs: usize,
    /// Images of a step; those that fill no batch at the end of an epoch are left out of it.
    pub batch: usize,
    /// Learning rate at the start, in parts of half the range of a layer's weights.
    pub learning_rate: f64,
    /// What is done to the images.
    pub augmentation: Augmentation,
    /// Training images that are left out, and evaluated in place of the test images, for choosing settings; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Range<usize>>,
    /// Where Burn computes; not part of what is trained.
    #[serde(skip)]
    pub device: DeviceChoice,
}

impl DeepConfig {
    /// Rows that are trained on, in ascending order.
    fn rows(&self, images: usize) -> Vec<usize> {
        (0..images).filter(|row| !self.held_out.as_ref().is_some_and(|held| held.contains(row))).collect()
    }

    fn check(&self, set: &ImageSet) -> Result<(), TrainError> {
        let images = set.train.labels.len();
        if self.data_set != set.set {
            let limit = self.data_set.to_string();
            return refuse("the data set", set.set.to_string(), limit, "load the set that the network is for");
        }
        let (side, input) = (set.set.side(), self.architecture.input);
        if (input.height, input.width, input.channels) != (side, side, 1) {
            let value = format!("{} x {} x {}", input.height, input.width, input.channels);
            return refuse("the input", value, format!("{side} x {side} x 1"), "the set's images have that size");
        }
        if let Some(held) = &self.held_out
            && (held.is_empty() || held.end > images || held.len() == images)
        {
            let value = format!("{}..{}", held.start, held.end);
            return refuse(
                "held_out",
                value,
                format!("some, not all, of 0..{images}"),
                "hold out a sixth, for example",
            );
        }
        let rows = self.rows(images).len();
        if self.epochs == 0 {
            return refuse("epochs", "0".into(), "at least 1", "leave it out for the recipe's own");
        }
        if self.batch == 0 || self.batch > rows {
            return refuse("batch", self.batch.to_string(), format!("1..={rows}"), "leave it out for the recipe's own");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            let value = self.learning_rate.to_string();
            return refuse("learning_rate", value, "finite and above 0", "leave it out for the recipe's own");
        }
        for layer in self.architecture.placed()? {
            let largest_weight = 1usize << (layer.plan.weight_bits - 1);
            let most = layer.inputs() * ((1usize << layer.input_bits) - 1) * largest_weight;
            if most >= EXACT_SUMS {
                let remedy = "give the layer fewer inputs or fewer bits: training holds sums in f32";
                return refuse("the largest sum of a layer", most.to_string(), format!("below {EXACT_SUMS}"), remedy);
            }
        }
        Ok(())
    }
}

/// A network half way or all the way through its training, between two epochs.
pub struct DeepTrainer {
    pub(crate) config: DeepConfig,
    pub(crate) model: Model,
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) data_sha256: String,
}

impl DeepTrainer {
    /// Begin, with starting weights.
    ///
    /// # Errors
    /// [`TrainError::Config`].
    pub fn new(config: &DeepConfig, set: &ImageSet) -> Result<Self, TrainError> {
        config.check(set)?;
        let DeepConfig { architecture, name, seed, batch, .. } = config;
        let model = Model::new(architecture, name, *seed, *batch, &config.device.open())?;
        Ok(Self { config: config.clone(), model, history: Vec::new(), data_sha256: set.sha256.clone() })
    }

    /// What is trained.
    pub fn config(&self) -> &DeepConfig {
        &self.config
    }

    /// One record for each epoch done. Those of the training images are taken as the images go by: changed by the
    /// augmentation, and seen by the weights of their step. Those of the test images, or of the training images held out, are the
    /// integer network's after the epoch.
    pub fn history(&self) -> &[EpochRecord] {
        &self.history
    }

    /// Whether every epoch is done.
    pub fn is_complete(&self) -> bool {
        self.history.len() == self.config.epochs
    }

    /// The network as integers.
    pub fn frozen(&self) -> Vec<FrozenLayer> {
        self.model.frozen()
    }

    /// Train the epochs that are left. `checkpoint` is called after every epoch; `cancel` is looked at before every step, and
    /// when it is set the trainer is left as the last whole epoch left it.
    ///
    /// # Errors
    /// [`TrainError::Diverged`], and those of `checkpoint`.
    pub fn train(
        &mut self,
        set: &ImageSet,
        progress: &mut dyn Progress,
        checkpoint: &mut dyn FnMut(&mut Self) -> Result<(), TrainError>,
        cancel: &AtomicBool,
    ) -> Result<(), TrainError> {
        let input_bits = self.config.architecture.input_bits;
        let codes = set.codes(&set.train.pixels, input_bits);
        let (test_codes, test_labels) = match &self.config.held_out {
            None => (set.codes(&set.test.pixels, input_bits), set.test.labels.clone()),
            Some(held) => {
                (codes.slice(ndarray::s![held.clone(), ..]).to_owned(), set.train.labels[held.clone()].to_vec())
            }
        };
        let label = format!("{} seed {}", self.config.name, self.config.seed);
        while !self.is_complete() {
            let before = self.model.state();
            let Some((train_loss, train_correct)) = self.epoch(set, &codes, cancel)? else {
                self.model.restore(before);
                break;
            };
            let mut frozen = Frozen::new(self.model.frozen(), &self.config.device.open());
            let scale = self.model.logit_scale();
            let (test_loss, test_correct) = evaluate(&mut frozen, test_codes.view(), &test_labels, scale);
            let epoch = self.history.len() + 1;
            let record = EpochRecord { epoch, train_loss, test_loss, train_correct, test_correct };
            self.history.push(record);
            checkpoint(self)?;
            progress.epoch(&label, self.config.epochs, &record);
        }
        Ok(())
    }

    /// Mean loss and correct images of one epoch's steps; none if it was cancelled.
    fn epoch(
        &mut self,
        set: &ImageSet,
        codes: &Array2<u8>,
        cancel: &AtomicBool,
    ) -> Result<Option<(f64, usize)>, TrainError> {
        let DeepConfig { name, seed, batch, epochs, learning_rate, augmentation, .. } = &self.config;
        let (batch, epoch, side) = (*batch, self.history.len() + 1, set.set.side());
        let rows = shuffled(self.config.rows(codes.nrows()), name, *seed, epoch);
        let mut random = Augmentation::random(name, *seed, epoch);
        let steps = rows.len() / batch;
        let (mut loss_sum, mut train_correct) = (0.0, 0);
        for (index, rows) in rows.chunks_exact(batch).enumerate() {
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let done = ((epoch - 1) * steps + index) as f64 / (epochs * steps) as f64;
            let rate = cosine(*learning_rate, done);
            let mut images = Vec::with_capacity(batch * side * side);
            for row in rows {
                let image = codes.row(*row);
                augmentation.append(image.as_slice().expect("rows are whole"), side, &mut random, &mut images);
            }
            let labels: Vec<u8> = rows.iter().map(|row| set.train.labels[*row]).collect();
            let (loss, correct) = self.model.step(images, &labels, rate);
            loss_sum += loss;
            train_correct += correct;
        }
        let train_loss = loss_sum / steps as f64;
        if !train_loss.is_finite() {
            let (what, learning_rate) = ("training loss", self.config.learning_rate);
            return Err(TrainError::Diverged { epoch, what, value: train_loss, learning_rate });
        }
        Ok(Some((train_loss, train_correct)))
    }
}

/// Mean cross-entropy of `softmax(scale * sums)` in nats, and the images whose largest sum is their label, ties to the lowest
/// index; computed on the host in f64 from the integer sums.
pub fn evaluate(frozen: &mut Frozen, codes: ArrayView2<'_, u8>, labels: &[u8], scale: f64) -> (f64, usize) {
    let (mut loss, mut correct) = (0.0, 0);
    for (codes, labels) in codes.axis_chunks_iter(Axis(0), EVALUATED_AT_ONCE).zip(labels.chunks(EVALUATED_AT_ONCE)) {
        for (sums, label) in frozen.sums(codes).rows().into_iter().zip(labels) {
            let sums = sums.to_vec();
            let class = usize::from(argmax(&sums).class);
            let exponent = |class: usize| scale * f64::from(sums[class] - sums[usize::from(*label)]);
            let largest = exponent(class);
            let partition: f64 = (0..sums.len()).map(|class| (exponent(class) - largest).exp()).sum();
            loss += largest + partition.ln();
            correct += usize::from(class == usize::from(*label));
        }
    }
    (loss / labels.len() as f64, correct)
}

//! What a run reads and what it leaves: the data, one line an epoch, one JSON line a run.

use super::config::RunConfig;
use super::noise_evaluation::NoiseLine;
use super::post_training::PostTrainingLine;
use crate::TrainError;
use crate::image_set::{DataSet, ImageSet};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A data set as runs read it.
#[derive(Debug, Clone, PartialEq)]
pub struct LabData {
    /// Which.
    pub set: DataSet,
    /// `[image][pixel]`, 0.0..=1.0.
    pub train_pixels: Vec<f32>,
    /// Classes, one an image.
    pub train_labels: Vec<u8>,
    /// As those of training.
    pub test_pixels: Vec<f32>,
    /// As those of training.
    pub test_labels: Vec<u8>,
    /// Of the files as read, [`DataSet::sha256`].
    pub sha256: String,
}

impl LabData {
    /// Read a set; `folder` holds its four files, and is not looked at for one that is built in.
    ///
    /// # Errors
    /// Those of [`DataSet::load`].
    pub fn load(set: DataSet, folder: Option<&Path>) -> Result<Self, TrainError> {
        Ok(Self::of(&set.load(folder)?))
    }

    /// The same of a set in memory. A pixel is divided by the largest that the set has, 255, or 16 for the digits.
    pub fn of(images: &ImageSet) -> Self {
        let largest = if images.set == DataSet::Digits { 16.0 } else { 255.0 };
        let pixels = |pixels: &ndarray::Array2<u8>| pixels.iter().map(|pixel| f32::from(*pixel) / largest).collect();
        Self {
            set: images.set,
            train_pixels: pixels(&images.train.pixels),
            train_labels: images.train.labels.clone(),
            test_pixels: pixels(&images.test.pixels),
            test_labels: images.test.labels.clone(),
            sha256: images.sha256.clone(),
        }
    }

    /// Pixels of an image.
    pub fn pixels(&self) -> usize {
        self.train_pixels.len() / self.train_labels.len()
    }
}

/// Least and largest weight of a layer, as it is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRange {
    /// Least.
    pub least: f32,
    /// Largest.
    pub largest: f32,
}

/// One epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochLine {
    /// From 1.
    pub epoch: usize,
    /// Training images classified correctly as they went by, each by the weights of its step.
    pub train_correct: usize,
    /// Training images that went by.
    pub train_images: usize,
    /// Test images, or training images held out, classified correctly after the epoch.
    pub test_correct: usize,
    /// How many of those there are.
    pub test_images: usize,
    /// Mean cross-entropy of the training images as they went by, in nats.
    pub train_loss: f64,
    /// First layer first.
    pub weights: Vec<LayerRange>,
    /// After the last epoch, the evaluations of [`RunConfig::post_training`] in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_training: Vec<PostTrainingLine>,
    /// After the last epoch, the evaluations of [`RunConfig::noise_evaluation`] in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise_evaluation: Vec<NoiseLine>,
}

/// A finished run: one JSON line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// What was run.
    pub config: RunConfig,
    /// One line an epoch.
    pub epochs: Vec<EpochLine>,
    /// Wall-clock time of training and evaluation, all sittings together; no two runs have the same.
    pub seconds: f64,
    /// Of this crate.
    pub version: String,
    /// SHA-256 of the data.
    pub data_sha256: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum RunOutcome {
    /// With every epoch done.
    Finished(Box<RunRecord>),
    /// On request, after so many whole epochs; the checkpoint has them.
    Stopped {
        /// Epochs done.
        done: usize,
    },
}

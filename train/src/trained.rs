//! A float network with its history: the result of training, and the checkpoint of a run that was stopped.
//!
//! One safetensors file: `weights` F32 `[10][64]`, `biases` F32 `[10]`, and the history's tensors as in
//! [`bitline_golden::network::file`]; the settings, the data's checksum and the number of epochs are JSON under the
//! metadata key `bitline.trained`. Nothing else is needed to go on: gradient descent without momentum has no state,
//! and every epoch's shuffle starts afresh from the seed.

use crate::TrainError;
use crate::digits::TrainConfig;
use crate::softmax_regression::{evaluate, pixels};
use bitline_golden::dataset::{CLASSES, Digits, PIXELS};
use bitline_golden::network::file::{self, Reader, f32_tensor, history_tensors, pack};
use bitline_golden::network::{EpochRecord, FloatLayer};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::Path;

/// Version of the file format that this build writes and reads.
pub const FORMAT_VERSION: u64 = 1;
/// Key of the JSON text in the safetensors metadata.
pub const METADATA_KEY: &str = "bitline.trained";

/// A float softmax regression, finished or stopped between two epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The settings it is trained with.
    pub config: TrainConfig,
    /// `[output][pixel]`, 10 x 64, for pixels in 0.0..=1.0.
    pub weights: Array2<f32>,
    /// One an output, 10.
    pub biases: Vec<f32>,
    /// One record for each epoch done.
    pub history: Vec<EpochRecord>,
    /// SHA-256 of the data file, lower-case hexadecimal.
    pub data_sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format_version: u64,
    config: TrainConfig,
    data_sha256: String,
    epochs_done: usize,
    version: String,
}

impl Trained {
    /// Whether every epoch is done.
    pub fn is_complete(&self) -> bool {
        self.history.len() == self.config.epochs
    }

    /// The weights and biases.
    pub fn float_layer(&self) -> FloatLayer {
        FloatLayer { weights: self.weights.clone(), biases: self.biases.clone() }
    }

    /// Images of those rows of the data set whose largest float output is their label.
    pub fn float_correct(&self, digits: &Digits, rows: Range<usize>) -> usize {
        let pixels = pixels(digits.images.slice(ndarray::s![rows.clone(), ..]));
        evaluate(&self.weights, &self.biases, &pixels, &digits.labels[rows]).1
    }

    /// Serialize; the same result gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut tensors = history_tensors(&self.history);
        tensors.push(f32_tensor("weights", &[CLASSES, PIXELS], self.weights.iter().copied()));
        tensors.push(f32_tensor("biases", &[CLASSES], self.biases.iter().copied()));
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            config: self.config.clone(),
            data_sha256: self.data_sha256.clone(),
            epochs_done: self.history.len(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        pack(&tensors, METADATA_KEY, serde_json::to_string(&metadata).expect("plain data"))
    }

    /// Write to a safetensors file; a reader never sees half of it.
    ///
    /// # Errors
    /// [`TrainError::Network`] with the file and the reason.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        Ok(file::write_whole(path.as_ref(), &self.to_bytes())?)
    }

    /// Read and check a file that [`Trained::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError::Network`] with the file and the reason.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let bytes = file::read_whole(path.as_ref())?;
        Self::from_bytes(&path.as_ref().display().to_string(), &bytes)
    }

    /// Read and check the bytes of such a file; `file` is the name that errors use.
    ///
    /// # Errors
    /// [`TrainError::Network`] with the file and the reason, [`TrainError::Config`] for more epochs than asked for.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self, TrainError> {
        let mut reader = Reader::new(file, bytes, METADATA_KEY, "training result")?;
        let metadata: Metadata = reader.metadata(FORMAT_VERSION)?;
        let weights = reader.f32("weights", &[CLASSES, PIXELS])?;
        let biases = reader.f32("biases", &[CLASSES])?;
        let history = reader.history(metadata.epochs_done)?;
        reader.finish()?;
        if history.len() > metadata.config.epochs {
            return Err(TrainError::Config {
                field: "epochs_done",
                value: history.len().to_string(),
                limit: format!("at most epochs = {}", metadata.config.epochs),
                remedy: "the file is damaged, train again",
            });
        }
        Ok(Self {
            config: metadata.config,
            weights: Array2::from_shape_vec((CLASSES, PIXELS), weights).expect("the reader checked the shape"),
            biases,
            history,
            data_sha256: metadata.data_sha256,
        })
    }

    /// Check that `config` and `digits` are those this was trained with, and take over the number of epochs and the
    /// device. More epochs than before extend the run; fewer than are done are refused.
    pub(crate) fn resumed(mut self, config: &TrainConfig, digits: &Digits) -> Result<Self, TrainError> {
        let same = |field, found: String, expected: String| {
            if found == expected { Ok(()) } else { Err(TrainError::CheckpointDiffers { field, found, expected }) }
        };
        let rows = |config: &TrainConfig| match &config.held_out {
            None => "none".to_string(),
            Some(held) => format!("{}..{}", held.start, held.end),
        };
        same("data checksum", self.data_sha256.clone(), digits.sha256.clone())?;
        same("seed", self.config.seed.to_string(), config.seed.to_string())?;
        same("batch", self.config.batch.to_string(), config.batch.to_string())?;
        same("learning_rate", self.config.learning_rate.to_string(), config.learning_rate.to_string())?;
        same("held-out rows", rows(&self.config), rows(config))?;
        if self.history.len() > config.epochs {
            let (found, expected) = (self.history.len().to_string(), config.epochs.to_string());
            return Err(TrainError::CheckpointDiffers { field: "epochs", found, expected });
        }
        self.config = config.clone();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained() -> Trained {
        let record =
            |epoch| EpochRecord { epoch, train_loss: 0.1, test_loss: 0.2, train_correct: 1471, test_correct: 270 };
        Trained {
            config: TrainConfig { epochs: 3, held_out: Some(3..9), ..TrainConfig::seeded(u64::MAX) },
            weights: Array2::from_shape_fn((CLASSES, PIXELS), |(o, i)| (o as f32 - i as f32) / 3.0),
            biases: (0..CLASSES).map(|o| o as f32 / 7.0).collect(),
            history: (1..=2).map(record).collect(),
            data_sha256: "00ff".into(),
        }
    }

    #[test]
    fn file_gives_back_the_result_and_the_same_bytes() {
        let bytes = trained().to_bytes();
        assert_eq!(Trained::from_bytes("f", &bytes).unwrap(), trained());
        assert_eq!(trained().to_bytes(), bytes);
        assert!(!trained().is_complete());
    }

    #[test]
    fn damaged_file_is_refused() {
        let bytes = trained().to_bytes();
        for length in (0..bytes.len()).step_by(37) {
            let error = Trained::from_bytes("f", &bytes[..length]).unwrap_err().to_string();
            assert!(error.starts_with("f is not a complete safetensors file: "), "{error}");
        }
        assert!(
            Trained::load("/nonexistent/f").unwrap_err().to_string().starts_with("/nonexistent/f cannot be read: ")
        );
        assert!(
            trained().save("/nonexistent/f").unwrap_err().to_string().starts_with("/nonexistent/f cannot be written")
        );
    }

    #[test]
    fn file_of_something_else_is_refused() {
        let bytes = pack(&[], "other", "{}".into());
        assert_eq!(
            Trained::from_bytes("f", &bytes).unwrap_err().to_string(),
            "f has no \"bitline.trained\" in its safetensors metadata, so it is not a training result; \
             make one with `bitline train`"
        );
    }

    #[test]
    fn more_epochs_than_asked_for_are_refused() {
        let bytes = Trained { config: TrainConfig { epochs: 1, ..trained().config }, ..trained() }.to_bytes();
        assert_eq!(
            Trained::from_bytes("f", &bytes).unwrap_err().to_string(),
            "epochs_done is 2, must be at most epochs = 1; the file is damaged, train again"
        );
    }
}

//! A training that stopped between two epochs, on disk: one safetensors file.
//!
//! For every parameter `p`: `p` F32, `p.first` and `p.second` of the optimizer, all of the parameter's shape; for every layer
//! with batch normalisation `layers.n.mean` and `layers.n.variance` F32; the history's tensors as in
//! [`bitline_golden::network::file`]. Settings, data checksum and epochs done are JSON under the metadata key
//! `bitline.checkpoint`. Every epoch's draws start afresh from the seed, so nothing else is needed to go on to the same bits.

use crate::TrainError;
use crate::deep_training::{DeepConfig, DeepTrainer};
use crate::image_set::ImageSet;
use bitline_golden::network::file::{self, Reader, f32_tensor, history_tensors, pack};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Version of the file format that this build writes and reads.
pub const FORMAT_VERSION: u64 = 1;
/// Key of the JSON text in the safetensors metadata.
pub const METADATA_KEY: &str = "bitline.checkpoint";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format_version: u64,
    config: DeepConfig,
    data_sha256: String,
    epochs_done: usize,
    steps_done: usize,
    version: String,
}

impl DeepTrainer {
    /// Every tensor that a checkpoint holds, by name.
    fn tensors(&mut self) -> Vec<(String, &mut Tensor<2>)> {
        let mut tensors = Vec::new();
        for parameter in &mut self.model.parameters {
            tensors.push((parameter.name.clone(), &mut parameter.value));
            tensors.push((format!("{}.first", parameter.name), &mut parameter.moments.first));
            tensors.push((format!("{}.second", parameter.name), &mut parameter.moments.second));
        }
        for (index, statistics) in self.model.statistics.iter_mut().enumerate() {
            tensors.push((format!("layers.{index}.mean"), &mut statistics.mean));
            tensors.push((format!("layers.{index}.variance"), &mut statistics.variance));
        }
        tensors
    }

    /// Serialize; the same state gives the same bytes.
    pub fn to_bytes(&mut self) -> Vec<u8> {
        let mut packed = history_tensors(&self.history);
        for (name, tensor) in self.tensors() {
            let values = tensor.clone().into_data().try_to_vec::<f32>().expect("Burn's default float is f32");
            packed.push(f32_tensor(name, &tensor.dims(), values));
        }
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            config: self.config.clone(),
            data_sha256: self.data_sha256.clone(),
            epochs_done: self.history.len(),
            steps_done: self.model.step,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        pack(&packed, METADATA_KEY, serde_json::to_string(&metadata).expect("plain data"))
    }

    /// Write a checkpoint; a reader never sees half of it.
    ///
    /// # Errors
    /// [`TrainError::Network`] with the file and the reason.
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        Ok(file::write_whole(path.as_ref(), &self.to_bytes())?)
    }

    /// Go on from a checkpoint that was made with the same settings on the same data.
    ///
    /// # Errors
    /// [`TrainError::Network`] with the file and the reason, [`TrainError::CheckpointDiffers`], [`TrainError::Config`].
    pub fn load(path: impl AsRef<Path>, config: &DeepConfig, set: &ImageSet) -> Result<Self, TrainError> {
        let bytes = file::read_whole(path.as_ref())?;
        Self::from_bytes(&path.as_ref().display().to_string(), &bytes, config, set)
    }

    /// The same from a checkpoint's bytes; `file` is the name that errors use.
    ///
    /// # Errors
    /// As [`DeepTrainer::load`].
    pub fn from_bytes(file: &str, bytes: &[u8], config: &DeepConfig, set: &ImageSet) -> Result<Self, TrainError> {
        let mut reader = Reader::new(file, bytes, METADATA_KEY, "checkpoint of a network")?;
        let metadata: Metadata = reader.metadata(FORMAT_VERSION)?;
        let same = |field, found: String, expected: String| {
            if found == expected { Ok(()) } else { Err(TrainError::CheckpointDiffers { field, found, expected }) }
        };
        let found = &metadata.config;
        same("network", found.name.clone(), config.name.clone())?;
        same("data checksum", metadata.data_sha256.clone(), set.sha256.clone())?;
        same("seed", found.seed.to_string(), config.seed.to_string())?;
        same("epochs", found.epochs.to_string(), config.epochs.to_string())?;
        same("batch", found.batch.to_string(), config.batch.to_string())?;
        same("learning_rate", found.learning_rate.to_string(), config.learning_rate.to_string())?;
        let words =
            |config: &DeepConfig| format!("{:?}", (&config.held_out, config.augmentation, &config.architecture));
        same("settings", words(found), words(config))?;
        let mut trainer = Self::new(config, set)?;
        for (name, tensor) in trainer.tensors() {
            let shape = tensor.dims();
            let values = reader.f32(&name, &shape)?;
            *tensor = Tensor::from_data(TensorData::new(values, shape), &tensor.device());
        }
        trainer.history = reader.history(metadata.epochs_done)?;
        trainer.model.step = metadata.steps_done;
        reader.finish()?;
        if trainer.history.len() > config.epochs {
            return Err(TrainError::Config {
                field: "epochs_done",
                value: trainer.history.len().to_string(),
                limit: format!("at most epochs = {}", config.epochs),
                remedy: "the file is damaged, train again",
            });
        }
        Ok(trainer)
    }
}

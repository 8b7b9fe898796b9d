//! What training refuses.

use crate::idx::IdxError;
use crate::image_set::DataSet;
use bitline_golden::dataset::DatasetError;
use bitline_golden::network::NetworkError;
use bitline_golden::scale_factor::ScaleFactorError;
use thiserror::Error;

/// Why training or quantization cannot go on.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum TrainError {
    /// The device is not known to this build.
    #[error(
        "this build has no device {name:?}, it has: {known}; choose one of them, or build bitline-train with the feature cuda or wgpu"
    )]
    UnknownDevice {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// There is nothing of that name.
    #[error("there is no {what} {name:?}; there are {known}")]
    UnknownName {
        /// What was asked for.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A data set is not built in and no folder was given.
    #[error("{set} is not built in and no folder was given; {origin}, and give their folder with --data")]
    NoFolder {
        /// The set.
        set: DataSet,
        /// Where to get it.
        origin: &'static str,
    },
    /// A file of a data set is not there.
    #[error("{folder} has neither {name} nor {name}.gz; {origin}")]
    MissingFile {
        /// The set.
        set: DataSet,
        /// The folder.
        folder: String,
        /// The file's name, plain.
        name: String,
        /// Where to get it.
        origin: &'static str,
    },
    /// A number in the configuration is out of its range.
    #[error("{field} is {value}, must be {limit}; {remedy}")]
    Config {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// The allowed range, in words.
        limit: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The weights left the numbers.
    #[error("after epoch {epoch} the {what} is {value}, must be finite; lower learning_rate from {learning_rate}")]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
        /// What was looked at.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The learning rate.
        learning_rate: f64,
    },
    /// A checkpoint was made with other settings.
    #[error(
        "the checkpoint has {field} {found}, this run asks for {expected}; use the same settings or start without it"
    )]
    CheckpointDiffers {
        /// The setting.
        field: &'static str,
        /// The checkpoint's value.
        found: String,
        /// The run's value.
        expected: String,
    },
    /// A computation that needs a trained network got one that was stopped half way.
    #[error("training stopped after {done} of {epochs} epochs; resume it from its checkpoint first")]
    Unfinished {
        /// Epochs done.
        done: usize,
        /// Epochs asked for.
        epochs: usize,
    },
    /// The caller asked to stop.
    #[error("stopped on request after {done} of {total} {what}; run the same command again")]
    Cancelled {
        /// How many were finished.
        done: usize,
        /// How many there were to do.
        total: usize,
        /// What they are.
        what: &'static str,
    },
    /// A file of floats or a network is at fault.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The data set is at fault.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A file of a data set is at fault.
    #[error(transparent)]
    Idx(#[from] IdxError),
    /// The scale factor cannot be swept or applied.
    #[error(transparent)]
    ScaleFactor(#[from] ScaleFactorError),
}

/// Refuse a setting: what is wrong with it, and what to do.
pub(crate) fn refuse<T>(
    field: &'static str,
    value: String,
    limit: impl Into<String>,
    remedy: &'static str,
) -> Result<T, TrainError> {
    Err(TrainError::Config { field, value, limit: limit.into(), remedy })
}

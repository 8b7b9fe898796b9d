//! Sweeps: a study's grid of runs, done once each, recorded one JSON line a run, stopped and resumed at any point.
//!
//! [`grid`] reads a study and expands it, [`record`] has the line of a run and the file of lines, [`folder`] keeps two sweeps
//! out of one folder, [`runner`] runs what is not recorded yet. What a run *is* comes through [`Lab`], so that the sweep knows
//! nothing of networks: a configuration goes in, a list of epochs comes out.
//!
//! A run's identity is the SHA-256 of the canonical JSON (keys sorted, no spaces) of its configuration, the checksum of its
//! data and [`record::RECORD_VERSION`]. Two runs of one identity are the same run, and it is done once.

mod error;
pub mod folder;
pub mod grid;
pub mod record;
pub mod runner;
pub mod share;

#[cfg(test)]
mod tests;

pub use error::SweepError;

use crate::TrainError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What trains a network from a configuration. Runs share it by reference, so data is loaded once.
pub trait Lab: Sync {
    /// The settings of one run: every key of them can be an axis of a grid. Refuses unknown keys when it is read.
    type Config: Serialize + DeserializeOwned + Clone + Send + Sync;

    /// Check what a single key cannot say, such as limits between keys.
    ///
    /// # Errors
    /// [`TrainError`] with the value, the limit and the remedy.
    fn check(&self, config: &Self::Config) -> Result<(), TrainError>;

    /// The checksum of the data that a run reads: SHA-256, hexadecimal.
    ///
    /// # Errors
    /// [`TrainError`] where the data is not there.
    fn data_sha256(&self, config: &Self::Config) -> Result<String, TrainError>;

    /// How many epochs a run has, for the time left.
    fn epochs(&self, config: &Self::Config) -> usize;

    /// Do one run, and give one JSON value an epoch. A run that goes on from `checkpoint` gives what it would have given
    /// uninterrupted. `progress` hears the number of epochs done after each.
    ///
    /// # Errors
    /// [`TrainError::Cancelled`] after `cancel` was set, [`TrainError::Diverged`] where the configuration leads out of the
    /// numbers (which is recorded as the run's result), anything else where the run could not be done.
    fn run(
        &self,
        config: &Self::Config,
        checkpoint: &Path,
        progress: &mut dyn FnMut(usize),
        cancel: &AtomicBool,
    ) -> Result<Vec<Value>, TrainError>;
}

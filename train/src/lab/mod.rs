//! The training lab: dense networks trained by several algorithms under the constraints of memristor hardware, S003's study.
//!
//! [`config`] says what a run is, [`run`] runs it and gives its [`record`]. A run is single-threaded; [`LabData`] is shared by
//! those that run beside each other. Every draw is from a named stream of the run's seed and epoch, so that a run that was stopped
//! goes on from its checkpoint to the same bits.

mod backward;
mod binary;
#[cfg(test)]
mod binary_tests;
mod checkpoint;
pub mod config;
mod data_sets;
pub mod deployed;
mod hsic;
mod model;
pub mod noise_evaluation;
mod normalization;
pub mod post_training;
pub mod product;
pub mod quantizer;
pub mod record;
mod rounding;
mod settings;
mod synthetic;
#[cfg(test)]
mod tests;
mod training;

pub use config::{Activation, Algorithm, Gain, Hidden, Normalization, Optimizer, RunConfig, Schedule};
pub use data_sets::DataSets;
pub use noise_evaluation::NoiseLine;
pub use post_training::{PostTraining, PostTrainingLine};
pub use quantizer::{Quantization, Quantizer, Range, Storage};
pub use record::{EpochLine, LabData, LayerRange, RunOutcome, RunRecord};
pub use training::run;

//! Training and quantization: from a data set to a network that an array can hold.
//!
//! Training runs on Burn, on a device chosen at run time ([`device`]); randomness comes from the named streams of
//! [`bitline_golden::random`], never from Burn, so the same seed gives the same bits whatever the number of threads.
//! Quantization is S001's Eq. 2, in [`bitline_golden::scale_factor`]; [`quantization`] chooses its scale factor in
//! three ways and reports all of them.
//!
//! Networks of several layers are quantized while they are trained: [`image_set`] reads the data, [`architecture`] says what
//! layers there are, [`straight_through`] has the quantizers, [`deep_training`] the steps and epochs, [`checkpoint`] their
//! file, and [`export`] makes golden's network of what [`frozen`] holds. [`recipe`] has the settings of those in `networks/`.
//!
//! Index order: weights are `[output][input]`, images `[image][pixel]`.

mod adam;
pub mod architecture;
pub mod augmentation;
pub mod checkpoint;
#[cfg(test)]
mod damaged_files;
pub mod deep_training;
pub mod device;
pub mod digits;
mod error;
pub mod export;
pub mod frozen;
pub mod idx;
pub mod image_set;
pub mod lab;
mod model;
pub mod quantization;
pub mod recipe;
mod softmax_regression;
pub mod statistics;
pub mod straight_through;
pub mod study;
pub mod sweep;
pub mod trained;

pub use error::TrainError;

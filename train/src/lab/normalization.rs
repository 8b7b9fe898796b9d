//! Batch normalisation of a layer's sums (Ioffe and Szegedy 2015, Algorithm 1 and the gradients of section 3).
//!
//! For a unit with sums s over a batch of m: `x = (s - mean) / sqrt(variance + e)`, `z = scale x + shift`, variance over m and
//! e = 0.00001; in evaluation, mean and variance are running ones, which go a tenth of the way to the batch's with every step.
//! Backward, with d at z: `d_scale = sum of d x`, `d_shift = sum of d`, and at s
//! `scale / sqrt(variance + e) * (d - mean(d) - x mean(d x))`. The shift is the layer's biases. Batches are `[image][unit]`.

use super::config::{Algorithm, Normalization, RunConfig};
use super::model::Parameter;
use super::product::column_sums;
use crate::TrainError;
use crate::error::refuse;

/// e.
const EPSILON: f32 = 1e-5;
/// The part of the way that running statistics go.
const RATE: f32 = 0.1;

/// One layer's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BatchNorm {
    /// One a unit.
    pub scale: Parameter,
    /// Running mean of the sums, one a unit.
    pub mean: Vec<f32>,
    /// Running variance.
    pub variance: Vec<f32>,
}

/// What a batch left.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Normalized {
    /// `[image][unit]`.
    x: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
}

/// Mean over the images of a function of place and unit, one a unit.
fn mean(count: usize, units: usize, of: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let mut sums = column_sums(count, units, of);
    let images = (count / units) as f32;
    sums.iter_mut().for_each(|sum| *sum /= images);
    sums
}

fn inverse(variance: &[f32]) -> Vec<f32> {
    variance.iter().map(|variance| 1.0 / (variance + EPSILON).sqrt()).collect()
}

impl BatchNorm {
    /// Scales of 1, and statistics of normalised sums.
    pub fn new(units: usize) -> Self {
        Self { scale: Parameter::new(vec![1.0; units]), mean: vec![0.0; units], variance: vec![1.0; units] }
    }

    /// s to z.
    pub fn forward(&self, sums: &mut [f32], shift: &[f32], training: bool) -> Normalized {
        let units = shift.len();
        let (centre, variance) = if training {
            let centre = mean(sums.len(), units, |place, _| sums[place]);
            let variance = mean(sums.len(), units, |place, unit| (sums[place] - centre[unit]).powi(2));
            (centre, variance)
        } else {
            (self.mean.clone(), self.variance.clone())
        };
        let inverse = inverse(&variance);
        let mut x = sums.to_vec();
        for (x, sums) in x.chunks_exact_mut(units).zip(sums.chunks_exact_mut(units)) {
            for unit in 0..units {
                x[unit] = (x[unit] - centre[unit]) * inverse[unit];
                sums[unit] = x[unit] * self.scale.value[unit] + shift[unit];
            }
        }
        Normalized { x, mean: centre, variance }
    }

    /// The gradient at s from that at z, of a batch of training.
    pub fn backward(&self, normalized: &Normalized, delta: &[f32]) -> Vec<f32> {
        let (x, units) = (&normalized.x, self.mean.len());
        let along = mean(delta.len(), units, |place, _| delta[place]);
        let across = mean(delta.len(), units, |place, _| delta[place] * x[place]);
        let inverse = inverse(&normalized.variance);
        let at = |(place, delta): (usize, &f32)| {
            let unit = place % units;
            self.scale.value[unit] * inverse[unit] * (delta - along[unit] - x[place] * across[unit])
        };
        delta.iter().enumerate().map(at).collect()
    }

    /// Put `z = y slope + offset` of exact sums y, offsets the shifts, where `s = y slope` was: evaluation's, multiplied out.
    pub fn fold(&self, slope: &mut [f32], offset: &mut [f32]) {
        for (unit, inverse) in inverse(&self.variance).into_iter().enumerate() {
            let scale = self.scale.value[unit] * inverse;
            slope[unit] *= scale;
            offset[unit] -= scale * self.mean[unit];
        }
    }

    /// Let the running statistics follow a batch.
    pub fn follow(&mut self, normalized: &Normalized) {
        let towards = |running: &mut [f32], batch: &[f32]| {
            running.iter_mut().zip(batch).for_each(|(running, batch)| *running += RATE * (batch - *running));
        };
        towards(&mut self.mean, &normalized.mean);
        towards(&mut self.variance, &normalized.variance);
    }
}

impl Normalized {
    /// The gradient of the scales from that at z.
    pub fn scale_gradient(&self, delta: &[f32]) -> Vec<f32> {
        column_sums(delta.len(), self.mean.len(), |place, _| delta[place] * self.x[place])
    }
}

/// Refuse algorithms that it is not built for, and batches without a variance.
///
/// # Errors
/// [`TrainError::Config`].
pub(super) fn check(config: &RunConfig) -> Result<(), TrainError> {
    if config.normalization == Normalization::None {
        return Ok(());
    }
    if !matches!(config.algorithm, Algorithm::Backpropagation | Algorithm::FeedbackAlignment) {
        let limit = "none but with backpropagation and feedback-alignment, whose gradients go through it";
        return refuse("normalization", "batch".into(), limit, "use normalization = none, or one of these algorithms");
    }
    if config.batch < 2 {
        return refuse("batch", "1".into(), "2 or more with normalization = batch", "64 is a good start");
    }
    Ok(())
}

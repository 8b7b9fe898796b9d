//! A trained network under noise: its test accuracy with Gaussian noise on the weights, drawn again and again.
//!
//! S002 Eq. 2: `W + N(0, sigma^2)` with weights of -1 and 1; here sigma is in parts of the layer's largest weight, so that it is S002's
//! for binary weights. Weights are quantized first. A draw is of every weight, once for all images, as programmed devices deviate;
//! biases, normalisation and thresholds are digital and have none. Draw n is the same standard normal numbers for every sigma.

use super::config::RunConfig;
use super::model::{Model, Trace};
use crate::TrainError;
use crate::error::refuse;
use crate::statistics::spread;
use bitline_golden::random::stream;
use serde::{Deserialize, Serialize};

/// What a trained network was worth under noise of one sigma.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseLine {
    /// Standard deviation of the noise, in parts of the layer's largest weight.
    pub sigma: f64,
    /// Images classified correctly, one number a draw; one in all at sigma 0.
    pub test_correct: Vec<usize>,
    /// How many images there are.
    pub test_images: usize,
}

impl NoiseLine {
    /// Mean accuracy over the draws, and its sample standard deviation, 0 of one draw; in percent.
    pub fn mean_and_deviation(&self) -> (f64, f64) {
        let percent: Vec<f64> =
            self.test_correct.iter().map(|correct| *correct as f64 * 100.0 / self.test_images as f64).collect();
        spread(&percent)
    }
}

/// A network with the noise of one draw on its weights, ready for [`Model::forward_with`].
pub(super) fn drawn(config: &RunConfig, model: &Model, sigma: f64, draw: usize) -> Trace {
    let mut random = stream(&format!("lab noise evaluation {draw}"), config.seed);
    let used = |index| model.used_at(config, index, Some((sigma, &mut random)));
    Trace { used: (0..model.layers.len()).map(used).collect(), activations: vec![Vec::new()], ..Trace::default() }
}

/// Every sigma's line; `noiseless` is the count without noise, `count` counts for a network's weights.
pub(super) fn lines(
    config: &RunConfig,
    model: &Model,
    (noiseless, test_images): (usize, usize),
    count: impl Fn(Trace) -> usize,
) -> Vec<NoiseLine> {
    let line = |sigma: &f64| {
        let test_correct = match *sigma {
            0.0 => vec![noiseless],
            sigma => (0..config.noise_draws).map(|draw| count(drawn(config, model, sigma, draw))).collect(),
        };
        NoiseLine { sigma: *sigma, test_correct, test_images }
    };
    config.noise_evaluation.iter().map(line).collect()
}

/// Refuse sigmas and draws that cannot be.
///
/// # Errors
/// [`TrainError::Config`].
pub(super) fn check(config: &RunConfig) -> Result<(), TrainError> {
    let sigmas = &config.noise_evaluation;
    let is_in_range = sigmas.iter().all(|sigma| (0.0..=10.0).contains(sigma));
    if !is_in_range || sigmas.windows(2).any(|pair| pair[0] >= pair[1]) {
        let remedy = "write noise_evaluation = [0, 0.2, 0.4], for example";
        return refuse("noise_evaluation", format!("{sigmas:?}"), "rising numbers of 0..=10", remedy);
    }
    if !(1..=1000).contains(&config.noise_draws) {
        return refuse("noise_draws", config.noise_draws.to_string(), "1..=1000", "20 is a good start");
    }
    Ok(())
}

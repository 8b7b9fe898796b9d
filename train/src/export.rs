//! From a frozen network to golden's: batch normalisation and rounding as integer thresholds, exactly.

use crate::TrainError;
use crate::deep_training::DeepTrainer;
use crate::frozen::FrozenLayer;
use bitline_golden::network::{Activation, Layer, Network, Provenance};
use ndarray::Array2;

/// The thresholds of a layer: t_k is the largest sum whose code is k or less, so that a code is the number of thresholds that a
/// sum exceeds.
///
/// They are found by bisection of the very function that the trainer evaluates, f32 rounding included; that function never
/// falls as the sum rises, because its slope is above 0. A code that no possible sum reaches has the largest possible sum as
/// its threshold; one that every sum reaches, the one below the least.
pub fn thresholds(layer: &FrozenLayer) -> Option<Activation> {
    let (affine, bits) = (layer.affine.as_ref()?, layer.placed.plan.code_bits?);
    let most = layer.largest_sum() as i32;
    let threshold = |(output, level): (usize, usize)| {
        // Sums up to `low` have codes up to `level`, sums from `high` on have more.
        let (mut low, mut high) = (-most - 1, most + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if usize::from(affine.code(output, middle, bits)) <= level {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    };
    let shape = (layer.placed.plan.outputs, Activation::levels(bits));
    Some(Activation { bits, thresholds: Array2::from_shape_fn(shape, threshold) })
}

/// A frozen layer as golden has it: no biases, the thresholds have them.
pub fn layer(layer: &FrozenLayer) -> Layer {
    Layer {
        geometry: layer.placed.geometry(),
        weights: layer.weights.clone(),
        biases: vec![0; layer.weights.nrows()],
        weight_bits: layer.placed.plan.weight_bits,
        input_bits: layer.placed.input_bits,
        bias_code: 0,
        activation: thresholds(layer),
        pool: layer.placed.pooling(),
        scale_factor: None,
        float: None,
    }
}

/// The trained network with its provenance; `command` makes it again.
///
/// # Errors
/// [`TrainError::Unfinished`], and [`TrainError::Network`] if golden refuses it.
pub fn network(trainer: &DeepTrainer, command: &str) -> Result<Network, TrainError> {
    let config = trainer.config();
    if !trainer.is_complete() {
        return Err(TrainError::Unfinished { done: trainer.history().len(), epochs: config.epochs });
    }
    let network = Network {
        name: config.name.clone(),
        layers: trainer.frozen().iter().map(layer).collect(),
        provenance: Provenance {
            data_set: config.data_set.to_string(),
            data_sha256: trainer.data_sha256.clone(),
            seed: config.seed,
            command: command.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            commit: None,
            scale_factor_choice: None,
        },
        history: trainer.history().to_vec(),
    };
    network.check()?;
    Ok(network)
}

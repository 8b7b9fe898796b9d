//! A network: integer layers that an array can hold, with what is known of where they came from.
//!
//! A layer computes `y[o] = sum_i weights[o][i] * code[i] + bias_code * biases[o]`, exact in integers; the class is
//! the largest y, ties to the lowest index. Biases are stored in the array as one more row, driven by `bias_code`
//! (design section 3); with pixels coded 0..=16 for 0.0..=1.0 the code 16 is the 1.0 that S001 multiplies a bias by.
//!
//! Layers before the last turn their sums into codes by thresholds, and may pool them ([`Activation`], [`Pool`]); a
//! convolution applies its weights to every window of a map ([`Convolution`]). `evaluate.rs` computes all this plainly.
//!
//! The file format is in [`mod@file`].

mod check;
mod error;
mod evaluate;
pub mod file;
mod geometry;
#[cfg(test)]
mod layer_tests;
#[cfg(test)]
mod tests;

pub use error::NetworkError;
pub use evaluate::LayerResult;
pub use geometry::{Activation, Convolution, Geometry, MapShape, Pool};

use crate::machine::Machine;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Values that a weight of `weight_bits` bits can take (design section 3): two's complement,
/// `-2^(b-1)..=2^(b-1)-1`; a one-bit weight is -1 or +1, and 0 is not among its values.
pub fn weight_range(weight_bits: usize) -> RangeInclusive<i8> {
    debug_assert!((1..=8).contains(&weight_bits));
    if weight_bits == 1 {
        return -1..=1;
    }
    let half = 1i16 << (weight_bits - 1);
    (-half as i8)..=((half - 1) as i8)
}

fn weight_fits(weight_bits: usize, value: i8) -> bool {
    weight_range(weight_bits).contains(&value) && (weight_bits > 1 || value != 0)
}

fn weight_range_words(weight_bits: usize) -> String {
    if weight_bits == 1 {
        "-1 or 1".into()
    } else {
        let r = weight_range(weight_bits);
        format!("{}..={}", r.start(), r.end())
    }
}

/// The float weights that a layer was quantized from.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatLayer {
    /// `[output][input]`, for inputs in 0.0..=1.0.
    pub weights: Array2<f32>,
    /// One an output.
    pub biases: Vec<f32>,
}

/// A layer of integer weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// What the weights are applied to.
    pub geometry: Geometry,
    /// `[output][input]`, each in [`weight_range`]; the inputs of a convolution are those of one window, in its order.
    pub weights: Array2<i8>,
    /// One an output, each in [`weight_range`].
    pub biases: Vec<i8>,
    /// Bw: bits of a weight and of a bias, 1..=8.
    pub weight_bits: usize,
    /// Bx: bits of an unsigned input code, 1..=8.
    pub input_bits: usize,
    /// Input code that the row of biases is driven by; the code that stands for 1.0.
    pub bias_code: u32,
    /// How sums become codes; none in the last layer.
    pub activation: Option<Activation>,
    /// How codes are pooled, if they are.
    pub pool: Option<Pool>,
    /// S001 Eq. 2: the float value of one weight step, finite and positive; none when the weights were not made so.
    pub scale_factor: Option<f64>,
    /// What the integers were quantized from, when it is known.
    pub float: Option<FloatLayer>,
}

/// Where a network came from; enough to make it again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Data set, for example `digits`.
    pub data_set: String,
    /// SHA-256 of the data set's file, lower-case hexadecimal.
    pub data_sha256: String,
    /// Seed of the named random streams.
    pub seed: u64,
    /// Command that makes the network again.
    pub command: String,
    /// Version of bitline that made it.
    pub version: String,
    /// Commit of bitline that made it, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// How the scale factor was chosen, for example `test images (leaks)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_factor_choice: Option<String>,
}

/// Loss and correct images after one epoch of training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Mean cross-entropy over the training images, in nats.
    pub train_loss: f64,
    /// Mean cross-entropy over the test images, in nats.
    pub test_loss: f64,
    /// Training images whose largest output is their label.
    pub train_correct: usize,
    /// Test images whose largest output is their label.
    pub test_correct: usize,
}

/// Integer layers with their provenance.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Name, for messages and reports.
    pub name: String,
    /// Layers in the order they run; at least one.
    pub layers: Vec<Layer>,
    /// Where it came from.
    pub provenance: Provenance,
    /// Training history of the float network, epochs ascending from 1; empty when it is not known.
    pub history: Vec<EpochRecord>,
}

impl Layer {
    /// Inputs of one window, without the bias row.
    pub fn inputs(&self) -> usize {
        self.weights.ncols()
    }

    /// Outputs.
    pub fn outputs(&self) -> usize {
        self.weights.nrows()
    }

    /// Compute the layer's exact integer outputs, plainly: `y[o] = sum_i w[o][i] * code[i] + bias_code * bias[o]`
    /// (design section 3). `codes` is `[image][input]`, the result `[image][output]`. No rounding, no saturation.
    ///
    /// # Panics
    /// If `codes` does not have [`Layer::inputs`] columns.
    pub fn outputs_of(&self, codes: ArrayView2<'_, u8>) -> Array2<i32> {
        assert_eq!(codes.ncols(), self.inputs(), "one code an input");
        Array2::from_shape_fn((codes.nrows(), self.outputs()), |(image, o)| {
            let row = self.weights.row(o);
            let sum: i32 = row.iter().zip(codes.row(image)).map(|(w, c)| i32::from(*w) * i32::from(*c)).sum();
            sum + self.bias_code as i32 * i32::from(self.biases[o])
        })
    }

    /// Lay the layer out on the machine's rows: `[output][row]`, inputs first, the biases in the first bias row,
    /// zeros in any other bias row.
    ///
    /// # Errors
    /// [`NetworkError::Fit`] and [`NetworkError::BiasCode`], as [`Network::check_fits`] gives them, for a network
    /// called `layer`.
    pub fn array_weights(&self, machine: &Machine) -> Result<Array2<i8>, NetworkError> {
        self.check_fits("layer", 0, machine)?;
        let mut array = Array2::zeros((self.outputs(), machine.rows));
        array.slice_mut(ndarray::s![.., ..self.inputs()]).assign(&self.weights);
        if machine.bias_rows > 0 {
            for (o, bias) in self.biases.iter().enumerate() {
                array[[o, self.inputs()]] = *bias;
            }
        }
        Ok(array)
    }
}

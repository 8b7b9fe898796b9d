//! A network: integer layers that an array can hold, with what is known of where they came from.
//!
//! A layer computes `y[o] = sum_i weights[o][i] * code[i] + bias_code * biases[o]`, exact in integers; the class is
//! the largest y, ties to the lowest index. Biases are stored in the array as one more row, driven by `bias_code`
//! (design section 3); with pixels coded 0..=16 for 0.0..=1.0 the code 16 is the 1.0 that S001 multiplies a bias by.
//!
//! The file format is in [`mod@file`].

pub mod file;
#[cfg(test)]
mod tests;

use crate::machine::Machine;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use thiserror::Error;

/// Why a network is refused: by a file's reader, or by a machine that it does not fit.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum NetworkError {
    /// The file cannot be opened, read or written.
    #[error("{file} cannot be {action}: {reason}; check the path and its permissions")]
    Io {
        /// The file.
        file: String,
        /// `read` or `written`.
        action: &'static str,
        /// The system's words.
        reason: String,
    },
    /// The bytes are not a complete safetensors file.
    #[error("{file} is not a complete safetensors file: {reason}; it is cut short or damaged, write it again")]
    Container {
        /// The file.
        file: String,
        /// The reader's words.
        reason: String,
    },
    /// The safetensors file holds something else than a network.
    #[error("{file} has no {key:?} in its safetensors metadata, so it is not a {kind}; make one with `bitline train`")]
    NotOurs {
        /// The file.
        file: String,
        /// The metadata key that is missing.
        key: &'static str,
        /// What was expected, in words.
        kind: &'static str,
    },
    /// The metadata is not JSON, or a field is missing, unknown or of the wrong type.
    #[error("{file}: the metadata does not parse: {reason}; write the file again with this version")]
    Metadata {
        /// The file.
        file: String,
        /// The parser's words.
        reason: String,
    },
    /// The file was written in another version of the format.
    #[error(
        "{file} has format version {found}, this build reads {supported}; use the matching build or write it again"
    )]
    FormatVersion {
        /// The file.
        file: String,
        /// Its version.
        found: u64,
        /// The version this build reads.
        supported: u64,
    },
    /// A layer's kind is not known.
    #[error("{file}: layer {layer} is of kind {kind:?}, this build knows \"dense\"; use a newer build")]
    LayerKind {
        /// The file.
        file: String,
        /// The layer, from 0.
        layer: usize,
        /// The kind asked for.
        kind: String,
    },
    /// A tensor that the metadata calls for is absent.
    #[error("{file} has no tensor {tensor:?}, its metadata calls for one; the file is incomplete, write it again")]
    MissingTensor {
        /// The file.
        file: String,
        /// The tensor's name.
        tensor: String,
    },
    /// A tensor that the format does not know.
    #[error("{file} has a tensor {tensor:?} that the format does not know; remove it, or use a newer build")]
    UnknownTensor {
        /// The file.
        file: String,
        /// The tensor's name.
        tensor: String,
    },
    /// A tensor has another element type than the format says.
    #[error("{file}: tensor {tensor:?} holds {found}, must hold {expected}; convert it")]
    ElementType {
        /// The file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// Its element type.
        found: String,
        /// The type the format asks for.
        expected: &'static str,
    },
    /// A tensor's shape does not agree with the metadata.
    #[error("{file}: tensor {tensor:?} has shape {found:?}, the metadata says {expected:?}; correct one of them")]
    TensorShape {
        /// The file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape the metadata gives.
        expected: Vec<usize>,
    },
    /// A float is not finite.
    #[error("{file}: tensor {tensor:?} element {index} is {value}, must be finite; train again with a smaller step")]
    NotFinite {
        /// The file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// Position, row-major, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A network without layers.
    #[error("network {network} has no layers, must have at least one; make one with `bitline train`")]
    NoLayers {
        /// The network.
        network: String,
    },
    /// A size or constant of a layer is out of its range.
    #[error("network {network} layer {layer}: {field} is {value}, must be {limit}; {remedy}")]
    Range {
        /// The network.
        network: String,
        /// The layer, from 0.
        layer: usize,
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// The allowed range, in words.
        limit: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Two arrays of one layer, or two layers, disagree in size.
    #[error(
        "network {network} layer {layer}: {field} has shape {found:?}, must have {expected:?}; correct one of them"
    )]
    Shape {
        /// The network.
        network: String,
        /// The layer, from 0.
        layer: usize,
        /// The array.
        field: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the rest calls for.
        expected: Vec<usize>,
    },
    /// A weight or bias does not fit `weight_bits`.
    #[error(
        "network {network} layer {layer}: {field} of output {output}, row {row}, is {value}, {weight_bits}-bit weights are {limit}; quantize again or raise weight_bits"
    )]
    WeightRange {
        /// The network.
        network: String,
        /// The layer, from 0.
        layer: usize,
        /// `weight` or `bias`.
        field: &'static str,
        /// Output, from 0.
        output: usize,
        /// Row (input), from 0; the number of inputs for a bias.
        row: usize,
        /// The value.
        value: i8,
        /// Bits a weight has.
        weight_bits: usize,
        /// The values such a weight can take, in words.
        limit: String,
    },
    /// The machine runs one layer, the network has several.
    #[error("network {network} has {layers} layers, machine {machine} runs 1; use a machine with a program")]
    TooManyLayers {
        /// The network.
        network: String,
        /// Its layers.
        layers: usize,
        /// The machine.
        machine: String,
    },
    /// A layer's size differs from the machine's.
    #[error("network {network} layer {layer} has {found} {quantity}, machine {machine} has {limit}; {remedy}")]
    Fit {
        /// The network.
        network: String,
        /// The layer, from 0.
        layer: usize,
        /// The machine.
        machine: String,
        /// What differs, with its unit.
        quantity: &'static str,
        /// The layer's number.
        found: usize,
        /// The machine's number.
        limit: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// Biases are driven by another code than they were made for.
    #[error(
        "network {network} layer {layer} has biases for a row driven by {found}, machine {machine} drives it by {machine_code}; quantize again for this machine"
    )]
    BiasCode {
        /// The network.
        network: String,
        /// The layer, from 0.
        layer: usize,
        /// The machine.
        machine: String,
        /// The layer's code.
        found: u32,
        /// The machine's code.
        machine_code: u32,
    },
}

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

/// A dense layer of integer weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// `[output][input]`, each in [`weight_range`].
    pub weights: Array2<i8>,
    /// One an output, each in [`weight_range`].
    pub biases: Vec<i8>,
    /// Bw: bits of a weight and of a bias, 1..=8.
    pub weight_bits: usize,
    /// Bx: bits of an unsigned input code, 1..=8.
    pub input_bits: usize,
    /// Input code that the row of biases is driven by; the code that stands for 1.0.
    pub bias_code: u32,
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
    /// Inputs, without the bias row.
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

    fn check(&self, network: &str, layer: usize) -> Result<(), NetworkError> {
        let range = |field, value: f64, limit: (f64, f64), remedy| {
            if value >= limit.0 && value <= limit.1 {
                return Ok(());
            }
            let limit = format!("{}..={}", limit.0, limit.1);
            Err(NetworkError::Range { network: network.into(), layer, field, value, limit, remedy })
        };
        range("weight_bits", self.weight_bits as f64, (1.0, 8.0), "split wider weights over several outputs")?;
        range("input_bits", self.input_bits as f64, (1.0, 8.0), "requantize the inputs")?;
        let code_max = f64::from((1u32 << self.input_bits) - 1);
        range("bias_code", f64::from(self.bias_code), (0.0, code_max), "raise input_bits")?;
        range("inputs", self.inputs() as f64, (1.0, 65_536.0), "split the layer")?;
        range("outputs", self.outputs() as f64, (1.0, 65_536.0), "split the layer")?;
        if let Some(sf) = self.scale_factor.filter(|sf| !(sf.is_finite() && *sf > 0.0)) {
            let limit = "finite and above 0".into();
            let remedy = "choose the scale factor again";
            let field = "scale_factor";
            return Err(NetworkError::Range { network: network.into(), layer, field, value: sf, limit, remedy });
        }
        let shape = |field, found: &[usize], expected: &[usize]| {
            if found == expected {
                return Ok(());
            }
            let (found, expected) = (found.to_vec(), expected.to_vec());
            Err(NetworkError::Shape { network: network.into(), layer, field, found, expected })
        };
        shape("biases", &[self.biases.len()], &[self.outputs()])?;
        if let Some(float) = &self.float {
            shape("float weights", float.weights.shape(), self.weights.shape())?;
            shape("float biases", &[float.biases.len()], &[self.outputs()])?;
        }
        let weights = self.weights.indexed_iter().map(|((o, i), w)| ("weight", o, i, *w));
        let biases = self.biases.iter().enumerate().map(|(o, b)| ("bias", o, self.inputs(), *b));
        for (field, output, row, value) in weights.chain(biases) {
            // A one-bit layer may do without biases: all of them 0, and no bias row is used.
            let absent = field == "bias" && value == 0 && self.has_no_biases();
            if !weight_fits(self.weight_bits, value) && !absent {
                return Err(NetworkError::WeightRange {
                    network: network.into(),
                    layer,
                    field,
                    output,
                    row,
                    value,
                    weight_bits: self.weight_bits,
                    limit: weight_range_words(self.weight_bits),
                });
            }
        }
        Ok(())
    }

    fn has_no_biases(&self) -> bool {
        self.biases.iter().all(|b| *b == 0)
    }

    fn check_fits(&self, network: &str, layer: usize, machine: &Machine) -> Result<(), NetworkError> {
        let fit = |quantity, found, limit, fits, remedy| {
            if fits {
                return Ok(());
            }
            let (network, machine) = (network.into(), machine.name.clone());
            Err(NetworkError::Fit { network, layer, machine, quantity, found, limit, remedy })
        };
        let same = |quantity, found, limit| {
            fit(quantity, found, limit, found == limit, "choose the machine that the network was trained for")
        };
        same("inputs", self.inputs(), machine.inputs())?;
        same("outputs", self.outputs(), machine.outputs)?;
        let at_most = |quantity, found, limit, remedy| fit(quantity, found, limit, found <= limit, remedy);
        at_most("bits a weight", self.weight_bits, machine.weight_bits, "quantize again with fewer bits")?;
        at_most("bits an input", self.input_bits, machine.input_bits, "requantize the inputs")?;
        let needed = usize::from(!self.has_no_biases());
        at_most("bias rows", needed, machine.bias_rows, "give the machine a bias row")?;
        // One-bit devices cannot hold a zero, so a row that is driven must hold a weight.
        if machine.weight_bits == 1 {
            let driven = machine.bias_rows * usize::from(machine.bias_code != 0);
            let remedy = "a one-bit array cannot store 0; give the machine as many bias rows as the network";
            fit("bias rows", needed, driven, needed == driven, remedy)?;
        }
        if needed > 0 && self.bias_code != machine.bias_code {
            return Err(NetworkError::BiasCode {
                network: network.into(),
                layer,
                machine: machine.name.clone(),
                found: self.bias_code,
                machine_code: machine.bias_code,
            });
        }
        Ok(())
    }
}

impl Network {
    /// Check every size, range and shape.
    ///
    /// # Errors
    /// [`NetworkError::NoLayers`], [`NetworkError::Range`], [`NetworkError::Shape`], [`NetworkError::WeightRange`].
    pub fn check(&self) -> Result<(), NetworkError> {
        if self.layers.is_empty() {
            return Err(NetworkError::NoLayers { network: self.name.clone() });
        }
        self.layers.iter().enumerate().try_for_each(|(i, layer)| layer.check(&self.name, i))
    }

    /// Check that the machine can hold and run the network: same inputs and outputs, no wider weights or inputs,
    /// a bias row driven by the layer's code if there are biases. Machines run one layer today.
    ///
    /// # Errors
    /// [`NetworkError::TooManyLayers`], [`NetworkError::Fit`], [`NetworkError::BiasCode`], and those of
    /// [`Network::check`].
    pub fn check_fits(&self, machine: &Machine) -> Result<(), NetworkError> {
        self.check()?;
        if self.layers.len() > 1 {
            let (network, machine) = (self.name.clone(), machine.name.clone());
            return Err(NetworkError::TooManyLayers { network, layers: self.layers.len(), machine });
        }
        self.layers[0].check_fits(&self.name, 0, machine)
    }
}

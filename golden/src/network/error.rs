//! Why a network is refused.

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
    #[error("{file} has no {key:?} in its safetensors metadata, so it is not a {kind}; make one with `{maker}`", maker = if *kind == "program" { "bitline compile" } else { "bitline train" })]
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
    #[error(
        "{file}: layer {layer} is of kind {kind:?}, this build knows \"dense\" and \"convolution\"; use a newer build"
    )]
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
    /// What a layer reads is not what the layer before gives.
    #[error(
        "network {network} layer {layer} reads {found} {quantity}, layer {before} gives {given}; correct one of them"
    )]
    Chain {
        /// The network.
        network: String,
        /// The layer, from 0.
        layer: usize,
        /// The layer before.
        before: usize,
        /// What differs, with its unit.
        quantity: &'static str,
        /// What the layer reads.
        found: usize,
        /// What the one before gives.
        given: usize,
    },
    /// Thresholds of one output fall.
    #[error(
        "network {network} layer {layer}: threshold {index} of output {output} is {value}, below the one before; sort them"
    )]
    Thresholds {
        /// The network.
        network: String,
        /// The layer, from 0.
        layer: usize,
        /// Output, from 0.
        output: usize,
        /// Position of the threshold, from 0.
        index: usize,
        /// The threshold.
        value: i32,
    },
    /// A layer has, or lacks, what its place in the network does not allow, or calls for.
    #[error("network {network} layer {layer} {fault}; {remedy}")]
    Place {
        /// The network.
        network: String,
        /// The layer, from 0.
        layer: usize,
        /// What it has or lacks, in words.
        fault: &'static str,
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

//! A run's network as the accelerator holds it: integer weights, and thresholds in place of biases and activation.
//!
//! A layer's sum is `g W a + b` with weights `W = step * k`, k integers, and activations `a = unit * c`, c codes: so it is
//! `z = y slope + b` of the exact integer `y = sum of k c`, with `slope = g step unit`, and its code is DoReFa's of z. The last layer
//! ranks y alone, which is why it may have no bias. With batch normalisation z is that of its running statistics; a unit whose scale
//! is below 0 gets its weights the other way round. A step's code is 1 where z is above its threshold. What is evaluated here is what [`network`] writes and what the array computes.

use super::checkpoint;
use super::config::{Activation, Normalization, RunConfig};
use super::model::{Layer, Model};
use super::quantizer::{Quantizer, Range};
use super::record::LabData;
use super::training::State;
use crate::TrainError;
use crate::architecture::{Architecture, LayerPlan};
use crate::error::refuse;
use crate::export;
use crate::frozen::{Affine, EXACT_SUMS, Frozen, FrozenLayer};
use crate::image_set::{CLASSES, DataSet};
use crate::straight_through::code_limit;
use bitline_golden::argmax::argmax;
use bitline_golden::network::{MapShape, Network, Provenance};
use burn::tensor::Device;
use ndarray::{Array2, ArrayView2};
use std::path::Path;

/// What a pixel of 1.0 is as a code.
fn largest_pixel(set: DataSet) -> f32 {
    if set == DataSet::Digits { 16.0 } else { 255.0 }
}

/// Added to a step's sum less its threshold: a code of one bit is 1 from 0.5 on, a step's above 0. The f32 just below 1, less 0.5.
const BELOW_HALF: f32 = 0.5 - f32::EPSILON / 2.0;

/// Bits of the codes between layers.
fn code_bits(config: &RunConfig) -> usize {
    if config.activation == Activation::Codes { config.activation_bits } else { 1 }
}

/// The weight levels of a run as integers: every level is `step` times one of them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Lattice {
    /// The float value of 1; none where it is the layer's largest weight over `largest`.
    step: Option<f32>,
    /// Largest magnitude.
    largest: i32,
    /// Bits in two's complement.
    bits: usize,
}

/// The least step that a table's levels are multiples of, up to 127 of them.
fn step_of(levels: &[f32]) -> Option<f32> {
    let end = levels.iter().fold(0.0f32, |end, level| end.max(level.abs()));
    let is_multiple = |level: &f32, step: f32| (level / step - (level / step).round()).abs() < 1e-3;
    (1..=127).map(|parts| end / parts as f32).find(|step| levels.iter().all(|level| is_multiple(level, *step)))
}

impl Lattice {
    /// # Errors
    /// [`TrainError::Config`] where the levels are not integers times a step that the configuration fixes.
    fn of(config: &RunConfig) -> Result<Self, TrainError> {
        let Some(quantization) = &config.quantization else {
            return refuse("quantization", "none".into(), "given", "the array holds integers: quantize the weights");
        };
        let bits = quantization.bits;
        let half = 1i32 << (bits - 1);
        let is_global = quantization.range == Range::Global;
        let lattice = match quantization.quantizer {
            Quantizer::UniformSymm => {
                let largest = half - 1;
                Self { step: is_global.then(|| 1.0 / largest as f32), largest, bits }
            }
            Quantizer::Eq2 if is_global => Self { step: Some(1.0 / half as f32), largest: half, bits },
            // -1 + 2 k / (2^b - 1): the odd numbers up to 2^b - 1, over 2^b - 1.
            Quantizer::UniformAsymm if is_global && bits <= 7 => {
                let largest = 2 * half - 1;
                Self { step: Some(1.0 / largest as f32), largest, bits: bits + 1 }
            }
            Quantizer::Levels if is_global && step_of(&quantization.levels).is_some() => {
                let step = step_of(&quantization.levels).expect("just looked at");
                let integers = quantization.levels.iter().map(|level| (level / step).round() as i32);
                let largest = integers.clone().map(i32::abs).max().expect("a table has levels");
                let fits = |bits: &usize| integers.clone().all(|k| (-(1 << (bits - 1))..1 << (bits - 1)).contains(&k));
                let bits = (2..=8).find(fits).expect("at most 127");
                Self { step: Some(step), largest, bits }
            }
            Quantizer::Sign | Quantizer::BinWs if is_global => Self { step: Some(1.0), largest: 1, bits: 1 },
            other => {
                let value = format!("{other:?} {bits} bits {:?}", quantization.range);
                let limit = "levels that are integers times a fixed step";
                return refuse("quantizer", value, limit, "use uniform-symm, or another with range = global");
            }
        };
        Ok(lattice)
    }

    /// The integers of weights that are on levels, and the float value of 1.
    fn integers(&self, weights: &[f32]) -> (Vec<i8>, f32) {
        let step = self.step.unwrap_or_else(|| {
            let largest = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
            if largest > 0.0 { largest / self.largest as f32 } else { 1.0 }
        });
        (weights.iter().map(|weight| (weight / step).round() as i8).collect(), step)
    }
}

/// Refuse a configuration whose networks the array cannot hold; the same answer before, during and after training.
///
/// # Errors
/// [`TrainError::Config`] with what to change.
pub fn check(config: &RunConfig, set: DataSet) -> Result<(), TrainError> {
    let lattice = Lattice::of(config)?;
    if !matches!(config.activation, Activation::Codes | Activation::Step | Activation::PsSign) || code_bits(config) > 4
    {
        let value = format!("{:?} of {} bits", config.activation, config.activation_bits);
        let limit = "codes of 1 to 4 bits, step or ps-sign";
        return refuse("activation", value, limit, "use activation = codes, activation_bits = 4");
    }
    let is_even =
        !matches!(config.quantization.as_ref().map(|q| q.quantizer), Some(Quantizer::Eq2 | Quantizer::Levels));
    if config.normalization == Normalization::Batch && !is_even {
        let limit = "none with eq2 and levels: a unit whose scale is below 0 needs every level's opposite";
        return refuse("normalization", "batch".into(), limit, "use another quantizer, or normalization = none");
    }
    if config.output_bias {
        let remedy = "train with output_bias = false";
        return refuse("output_bias", "true".into(), "false: the last layer's sums are ranked as they are", remedy);
    }
    let codes = (config.hidden.units as f32 * code_limit(code_bits(config)))
        .max((set.side() * set.side()) as f32 * largest_pixel(set));
    if codes * lattice.largest as f32 >= EXACT_SUMS as f32 {
        let value = format!("{} bits", lattice.bits);
        return refuse("bits", value, "sums below 2^24", "use fewer bits, or fewer units");
    }
    Ok(())
}

/// The layers of integers.
///
/// # Errors
/// Those of [`check`].
pub(crate) fn layers(config: &RunConfig, model: &Model, set: DataSet) -> Result<Vec<FrozenLayer>, TrainError> {
    check(config, set)?;
    let lattice = Lattice::of(config)?;
    let mut plans = vec![LayerPlan::dense(config.hidden.units, lattice.bits, code_bits(config)); config.hidden.layers];
    plans.push(LayerPlan::classes(CLASSES, lattice.bits));
    let side = set.side();
    let input = MapShape { height: side, width: side, channels: 1 };
    let placed = Architecture { input, input_bits: set.pixel_bits(), layers: plans }.placed()?;
    let layer = |(index, placed): (usize, &crate::architecture::PlacedLayer)| {
        let layer = &model.layers[index];
        let (integers, step) = lattice.integers(&model.used(config, index, None));
        let by_input = ArrayView2::from_shape((layer.inputs, layer.outputs), &integers).expect("a layer's own shape");
        let mut weights = by_input.t().as_standard_layout().to_owned();
        let unit = 1.0 / if index == 0 { largest_pixel(set) } else { code_limit(code_bits(config)) };
        let affine = placed.plan.code_bits.map(|_| affine(config, layer, layer.gain * step * unit, &mut weights));
        FrozenLayer { placed: *placed, weights, affine }
    };
    Ok(placed.iter().enumerate().map(layer).collect())
}

/// How a hidden layer's exact sums become codes, `slope` without normalisation; turns weights, `[output][input]`, round where needed.
fn affine(config: &RunConfig, layer: &Layer, slope: f32, weights: &mut Array2<i8>) -> Affine {
    let mut affine = Affine { slope: vec![slope; layer.outputs], offset: layer.biases.value.clone() };
    if let Some(norm) = &layer.norm {
        norm.fold(&mut affine.slope, &mut affine.offset);
    }
    if config.activation != Activation::Codes {
        let threshold = layer.threshold.as_ref().map_or(0.0, |threshold| threshold.value[0]);
        affine.offset.iter_mut().for_each(|offset| *offset += BELOW_HALF - threshold);
    }
    for (mut weights, slope) in weights.rows_mut().into_iter().zip(&mut affine.slope) {
        if *slope < 0.0 {
            *slope = -*slope;
            weights.mapv_inplace(|weight| -weight);
        }
    }
    affine
}

/// Images classified correctly by the integers, ties to the lowest class.
pub(crate) fn correct(layers: Vec<FrozenLayer>, set: DataSet, pixels: &[f32], labels: &[u8]) -> usize {
    const AT_ONCE: usize = 1000;
    let inputs = set.side() * set.side();
    let mut frozen = Frozen::new(layers, &Device::flex());
    let mut correct = 0;
    for (pixels, labels) in pixels.chunks(AT_ONCE * inputs).zip(labels.chunks(AT_ONCE)) {
        let codes = pixels.iter().map(|pixel| (pixel * largest_pixel(set)).round() as u8).collect();
        let codes = Array2::from_shape_vec((labels.len(), inputs), codes).expect("whole images");
        let sums = frozen.sums(codes.view());
        let class = |sums: ndarray::ArrayView1<'_, i32>| argmax(&sums.to_vec()).class;
        correct +=
            sums.rows().into_iter().zip(labels).filter(|(sums, label)| class(*sums) == u16::from(**label)).count();
    }
    correct
}

/// The network that a finished run left in its checkpoint; `command` makes it again.
///
/// # Errors
/// Those of [`check`]; [`TrainError::Unfinished`] if the checkpoint lacks epochs; [`TrainError::CheckpointDiffers`] and
/// [`TrainError::Network`] if it is of another run or cannot be read.
pub fn network(
    checkpoint: &Path,
    config: &RunConfig,
    data: &LabData,
    name: &str,
    command: &str,
) -> Result<Network, TrainError> {
    check(config, data.set)?;
    let mut state = State::new(config, data);
    checkpoint::load(checkpoint, config, data, &mut state)?;
    if state.lines.len() < config.epochs {
        return Err(TrainError::Unfinished { done: state.lines.len(), epochs: config.epochs });
    }
    let network = Network {
        name: name.into(),
        layers: layers(config, &state.model, data.set)?.iter().map(export::layer).collect(),
        provenance: Provenance {
            data_set: data.set.to_string(),
            data_sha256: data.sha256.clone(),
            seed: config.seed,
            command: command.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            commit: None,
            scale_factor_choice: None,
        },
        history: Vec::new(),
    };
    network.check()?;
    Ok(network)
}

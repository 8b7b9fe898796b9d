//! S001's weight quantizer (Eq. 2) and the sweep that chooses its scale factor.
//!
//! `Q = min(max(round(input / sf), -2^(b-1)), 2^(b-1) - 1)`, for weights and biases with the same `sf`. `round` is
//! half away from zero. One step of an integer weight stands for `sf`; argmax does not see the factor, so the
//! integer network needs no other constant.

use crate::network::{FloatLayer, Geometry, Layer, weight_range};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

#[cfg(test)]
mod tests;

/// Scale factors that the sweep tries per unit: S001 steps by 0.0001.
pub const STEPS_PER_UNIT: u32 = 10_000;

/// Largest step the sweep visits, a scale factor of 100; weights of trained networks reach 0 long before.
pub const LAST_STEP_LIMIT: u32 = 100 * STEPS_PER_UNIT;

/// What a sweep or a quantization refuses.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum ScaleFactorError {
    /// Eq. 2 needs a sign and at least one bit of magnitude.
    #[error("weight_bits is {weight_bits}, Eq. 2 takes 2..=8; binary weights have their own quantizer")]
    WeightBits {
        /// Bits asked for.
        weight_bits: usize,
    },
    /// A scale factor divides, and keeps signs.
    #[error("scale factor is {scale_factor}, must be finite and above 0; start the sweep at 0.0001")]
    ScaleFactor {
        /// The factor.
        scale_factor: f64,
    },
    /// A float weight or bias cannot be quantized.
    #[error("{field} of output {output} is {value}, must be finite; train again with a smaller step")]
    NotFinite {
        /// `weight` or `bias`.
        field: &'static str,
        /// Its output, from 0.
        output: usize,
        /// Its value.
        value: f32,
    },
    /// The weights are so large that no factor of the sweep brings them to zero.
    #[error(
        "the largest weight is {largest}, the sweep ends at a scale factor of {limit} and takes up to {reach}; scale the network down"
    )]
    TooLarge {
        /// Largest magnitude.
        largest: f64,
        /// Last scale factor of the sweep.
        limit: f64,
        /// Largest magnitude that the sweep covers.
        reach: f64,
    },
    /// Images, labels and weights disagree.
    #[error("{what} number {found}, must be {expected}; sweep with the images that the network takes")]
    Sizes {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// Nothing to be accurate on.
    #[error("the sweep has no images, it needs at least 1; give it a part of the data set")]
    NoImages,
}

/// The scale factor of a step: `step / 10000`, correctly rounded, not a sum of steps.
pub fn scale_factor_of(step: u32) -> f64 {
    f64::from(step) / f64::from(STEPS_PER_UNIT)
}

/// Quantize one number: S001 Eq. 2, `min(max(round(input / scale_factor), -2^(b-1)), 2^(b-1) - 1)`.
///
/// The quotient is an f64; `round` is half away from zero; both ends saturate. `weight_bits` is in 2..=8,
/// `scale_factor` above 0, `input` finite; [`quantize_layer`] checks them.
pub fn quantize(input: f32, scale_factor: f64, weight_bits: usize) -> i8 {
    let range = weight_range(weight_bits);
    let rounded = (f64::from(input) / scale_factor).round();
    rounded.max(f64::from(*range.start())).min(f64::from(*range.end())) as i8
}

/// Quantize a layer's weights and biases with one scale factor (Eq. 2).
///
/// `input_bits` and `bias_code` are copied to the result; `bias_code` is the input code that stands for 1.0.
///
/// # Errors
/// [`ScaleFactorError::WeightBits`], [`ScaleFactorError::ScaleFactor`], [`ScaleFactorError::NotFinite`].
pub fn quantize_layer(
    float: &FloatLayer,
    scale_factor: f64,
    weight_bits: usize,
    input_bits: usize,
    bias_code: u32,
) -> Result<Layer, ScaleFactorError> {
    check_float(float, weight_bits)?;
    if !(scale_factor.is_finite() && scale_factor > 0.0) {
        return Err(ScaleFactorError::ScaleFactor { scale_factor });
    }
    Ok(Layer {
        geometry: Geometry::Dense,
        activation: None,
        pool: None,
        weights: float.weights.mapv(|w| quantize(w, scale_factor, weight_bits)),
        biases: float.biases.iter().map(|b| quantize(*b, scale_factor, weight_bits)).collect(),
        weight_bits,
        input_bits,
        bias_code,
        scale_factor: Some(scale_factor),
        float: Some(float.clone()),
    })
}

fn check_float(float: &FloatLayer, weight_bits: usize) -> Result<(), ScaleFactorError> {
    if !(2..=8).contains(&weight_bits) {
        return Err(ScaleFactorError::WeightBits { weight_bits });
    }
    let weights = float.weights.indexed_iter().map(|((o, _), w)| ("weight", o, *w));
    let biases = float.biases.iter().enumerate().map(|(o, b)| ("bias", o, *b));
    match weights.chain(biases).find(|(_, _, value)| !value.is_finite()) {
        Some((field, output, value)) => Err(ScaleFactorError::NotFinite { field, output, value }),
        None => Ok(()),
    }
}

/// Count the images whose largest integer output is their label, ties to the lowest index; the plain version.
///
/// # Panics
/// If the images do not have the layer's inputs.
pub fn correct_images(layer: &Layer, images: ArrayView2<'_, u8>, labels: &[u8]) -> usize {
    let sums = layer.outputs_of(images);
    let class = |image: usize| {
        let sums = sums.row(image);
        (1..sums.len()).fold(0, |best, o| if sums[o] > sums[best] { o } else { best })
    };
    labels.iter().enumerate().filter(|(image, label)| class(*image) == usize::from(**label)).count()
}

/// Correct images for every scale factor from 0.0001 on, in steps of 0.0001.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Images that were classified.
    pub images: usize,
    /// `correct[k - 1]` belongs to step k. The last step is the first that rounds every weight and bias to zero;
    /// larger factors give the same network.
    pub correct: Vec<u32>,
}

/// The scale factor that a sweep chose.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Step of the chosen scale factor.
    pub step: u32,
    /// The scale factor, `step / 10000`.
    pub scale_factor: f64,
    /// Correct images there.
    pub correct: u32,
    /// First step of the run of equally good steps that it is the middle of.
    pub first_step: u32,
    /// Last step of that run.
    pub last_step: u32,
}

impl Sweep {
    /// Correct images at a step, 1 or more; beyond the sweep's end the network is all zeros and stays so.
    pub fn correct_at(&self, step: u32) -> u32 {
        let last = self.correct.len() - 1;
        self.correct[(step as usize - 1).min(last)]
    }

    /// Choose the scale factor with the most correct images.
    ///
    /// Among equally good factors take the middle (the lower of two) of the longest run of consecutive steps, the
    /// first such run if several are as long: the choice that a small change of weights or factor disturbs least.
    /// Deterministic. The last step, an all-zero network, is left out unless it is the only one.
    pub fn choose(&self) -> Chosen {
        let candidates = &self.correct[..(self.correct.len() - 1).max(1)];
        let best = *candidates.iter().max().expect("a sweep has at least one step");
        let (mut first, mut length) = (0, 0);
        let mut at = 0;
        for run in candidates.chunk_by(|a, b| a == b) {
            if run[0] == best && run.len() > length {
                (first, length) = (at, run.len());
            }
            at += run.len();
        }
        let step = (first + (length - 1) / 2 + 1) as u32;
        Chosen {
            step,
            scale_factor: scale_factor_of(step),
            correct: best,
            first_step: first as u32 + 1,
            last_step: (first + length) as u32,
        }
    }

    /// Add the counts of two sweeps step by step, the shorter one continued by its last count: the sweep of folds.
    pub fn add(&self, other: &Self) -> Self {
        let steps = self.correct.len().max(other.correct.len()) as u32;
        let correct = (1..=steps).map(|step| self.correct_at(step) + other.correct_at(step)).collect();
        Self { images: self.images + other.images, correct }
    }
}

/// First step in `low..=high` for which `holds`, which holds at `high` and, once it holds, at every later step.
fn first_step(mut low: u32, mut high: u32, holds: impl Fn(u32) -> bool) -> u32 {
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// One weight or bias takes a new value at a step.
struct Change {
    step: u32,
    output: usize,
    row: usize,
    delta: i32,
}

/// Every change of every quantized number from step 1 to the last, in the order of the steps.
///
/// As `sf` grows, the quotient and so |Q| never grows (division and rounding are monotone), which makes a binary
/// search over the steps exact: it evaluates [`quantize`] itself, never an approximation of its thresholds.
fn changes(float: &FloatLayer, weight_bits: usize, last_step: u32) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut follow = |output, row, value: f32| {
        let at = |step| quantize(value, scale_factor_of(step), weight_bits);
        let (mut step, mut held) = (1, 0i8);
        loop {
            let now = at(step);
            if now != held {
                changes.push(Change { step, output, row, delta: i32::from(now) - i32::from(held) });
                held = now;
            }
            if at(last_step) == held {
                return;
            }
            step = first_step(step + 1, last_step, |step| at(step) != held);
        }
    };
    for ((output, row), value) in float.weights.indexed_iter() {
        follow(output, row, *value);
    }
    for (output, value) in float.biases.iter().enumerate() {
        follow(output, float.weights.ncols(), *value);
    }
    changes.sort_by_key(|change| change.step);
    changes
}

/// Sweep the scale factor (S001, section IV-B and Fig. 6): count the images that the INTEGER network
/// `y[o] = sum_i Q(w[o][i]) * code[i] + bias_code * Q(b[o])` classifies correctly, for each `sf` from 0.0001 in steps
/// of 0.0001 to the first at which everything is zero.
///
/// `images` is `[image][input]`. Exact: equal to [`correct_images`] of [`quantize_layer`] at every step, and fast
/// because only the outputs whose weight changed between two steps are touched.
///
/// # Errors
/// [`ScaleFactorError`].
pub fn sweep(
    float: &FloatLayer,
    weight_bits: usize,
    bias_code: u32,
    images: ArrayView2<'_, u8>,
    labels: &[u8],
) -> Result<Sweep, ScaleFactorError> {
    check_float(float, weight_bits)?;
    let sizes = |what, found, expected| {
        if found == expected { Ok(()) } else { Err(ScaleFactorError::Sizes { what, found, expected }) }
    };
    let (outputs, inputs) = float.weights.dim();
    sizes("biases", float.biases.len(), outputs)?;
    sizes("pixels of an image", images.ncols(), inputs)?;
    sizes("labels", labels.len(), images.nrows())?;
    if labels.is_empty() {
        return Err(ScaleFactorError::NoImages);
    }
    let largest = float.weights.iter().chain(&float.biases).fold(0f64, |max, w| max.max(f64::from(w.abs())));
    let limit = scale_factor_of(LAST_STEP_LIMIT);
    if largest / limit >= 0.5 {
        return Err(ScaleFactorError::TooLarge { largest, limit, reach: limit / 2.0 });
    }
    // First step at which the largest magnitude, and so every other, rounds to zero.
    let last_step = first_step(1, LAST_STEP_LIMIT, |step| largest / scale_factor_of(step) < 0.5);

    let mut state = Counter::new(outputs, bias_code, images, labels);
    let mut correct = Vec::with_capacity(last_step as usize);
    let mut count = state.correct();
    for group in changes(float, weight_bits, last_step).chunk_by(|a, b| a.step == b.step) {
        correct.resize(group[0].step as usize - 1, count);
        group.iter().for_each(|change| state.apply(change));
        count = state.correct();
    }
    correct.resize(last_step as usize, count);
    Ok(Sweep { images: labels.len(), correct })
}

/// Outputs of every image, kept up to date while single weights change.
struct Counter<'a> {
    /// `[row][image]`, the bias row last.
    codes: Vec<Vec<i32>>,
    /// `[output][image]`.
    sums: Vec<Vec<i32>>,
    labels: &'a [u8],
    best: Vec<i32>,
    class: Vec<u32>,
}

impl<'a> Counter<'a> {
    fn new(outputs: usize, bias_code: u32, images: ArrayView2<'_, u8>, labels: &'a [u8]) -> Self {
        let mut codes: Vec<Vec<i32>> =
            images.columns().into_iter().map(|column| column.iter().map(|c| i32::from(*c)).collect()).collect();
        codes.push(vec![bias_code as i32; labels.len()]);
        let zeros = vec![0; labels.len()];
        Self { codes, sums: vec![zeros.clone(); outputs], labels, best: zeros, class: vec![0; labels.len()] }
    }

    fn apply(&mut self, change: &Change) {
        let codes = &self.codes[change.row];
        self.sums[change.output].iter_mut().zip(codes).for_each(|(sum, code)| *sum += change.delta * code);
    }

    fn correct(&mut self) -> u32 {
        self.best.copy_from_slice(&self.sums[0]);
        self.class.fill(0);
        for (output, sums) in self.sums.iter().enumerate().skip(1) {
            for ((best, class), sum) in self.best.iter_mut().zip(&mut self.class).zip(sums) {
                let larger = sum > best;
                *best = if larger { *sum } else { *best };
                *class = if larger { output as u32 } else { *class };
            }
        }
        self.class.iter().zip(self.labels).map(|(class, label)| u32::from(*class == u32::from(*label))).sum()
    }
}

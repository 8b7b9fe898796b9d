//! A dense network under training: weights as they are stored, as they are used, and the steps that change them.
//!
//! Weights are `[input][output]` here, batches `[image][unit]`, all row by row.

use super::config::{Activation, Algorithm, Gain, Normalization, Optimizer, RunConfig};
use super::normalization::{BatchNorm, Normalized};
use super::product::{Vectored, multiply, widest};
use super::quantizer::Storage;
use super::synthetic::Module;
use bitline_golden::random::stream;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// A uniform number of 24 bits in (0, 1).
pub(crate) fn uniform(random: &mut ChaCha8Rng) -> f32 {
    ((random.next_u32() >> 9) as f32 + 0.5) / (1u32 << 23) as f32
}

/// A standard normal number (Box and Muller 1958, the cosine's).
pub(crate) fn normal(random: &mut ChaCha8Rng) -> f32 {
    let (radius, angle) = (uniform(random), uniform(random));
    (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
}

/// Numbers that an optimizer steps, with its state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub value: Vec<f32>,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

impl Parameter {
    pub fn new(value: Vec<f32>) -> Self {
        Self { first: vec![0.0; value.len()], second: vec![0.0; value.len()], value }
    }

    /// Take a step down the gradient; `step` counts from 1.
    pub fn update(&mut self, gradient: &[f32], optimizer: Optimizer, rate: f32, step: usize) {
        widest(Update { parameter: self, gradient, optimizer, rate, step });
    }
}

struct Update<'a> {
    parameter: &'a mut Parameter,
    gradient: &'a [f32],
    optimizer: Optimizer,
    rate: f32,
    step: usize,
}

impl Vectored for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { parameter, gradient, optimizer, rate, step } = self;
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        let first_part = rate / (1.0 - 0.9f32.powi(step));
        let second_part = 1.0 / (1.0 - 0.999f32.powi(step)).sqrt();
        let state = parameter.first.iter_mut().zip(&mut parameter.second);
        for ((value, (first, second)), gradient) in parameter.value.iter_mut().zip(state).zip(gradient) {
            match optimizer {
                Optimizer::Descent => *value -= rate * gradient,
                Optimizer::Momentum => {
                    *first = 0.9 * *first + gradient;
                    *value -= rate * *first;
                }
                Optimizer::Adam => {
                    *first = 0.9 * *first + 0.1 * gradient;
                    *second = 0.999 * *second + 0.001 * (gradient * gradient);
                    *value -= first_part * *first / (second.sqrt() * second_part + 1e-8);
                }
            }
        }
    }
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    pub inputs: usize,
    pub outputs: usize,
    pub weights: Parameter,
    pub biases: Parameter,
    /// Sums are multiplied with it before the bias.
    pub gain: f32,
    /// Between sums and activation of a hidden layer; its shift are the biases.
    pub norm: Option<BatchNorm>,
    /// The one threshold p of a hidden layer with [`Activation::PsSign`], above 0.
    pub threshold: Option<Parameter>,
}

/// p at the start of training, and its least, in units of the sums after the gain. S002 says neither.
const THRESHOLD_START: f32 = 0.1;
const THRESHOLD_LEAST: f32 = 1e-3;

/// What a batch left in each layer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    /// `activations[0]` is the batch; `activations[l + 1]` what layer l gives, the last one its logits.
    pub activations: Vec<Vec<f32>>,
    /// Sums as the activation sees them: with bias, normalised, less the threshold, where a layer has these.
    pub sums: Vec<Vec<f32>>,
    /// The weights used.
    pub used: Vec<Vec<f32>>,
    /// What batch normalisation left in each layer that has it.
    pub normalized: Vec<Option<Normalized>>,
    /// Whether batch normalisation takes the statistics of the batch itself.
    pub training: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    pub layers: Vec<Layer>,
    /// Of synthetic gradients, one a hidden layer; else none.
    pub modules: Vec<Module>,
}

impl Model {
    /// Starting weights: uniform with variance 2 / inputs (He 2015) at gain 1, over half of -1..=1 with [`Gain::FanIn`]; on levels
    /// where they live there. Biases are 0.
    pub fn new(config: &RunConfig, inputs: usize, classes: usize) -> Self {
        let mut sizes = vec![inputs];
        sizes.extend(std::iter::repeat_n(config.hidden.units, config.hidden.layers));
        sizes.push(classes);
        let layers = sizes.windows(2).enumerate().map(|(index, pair)| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let is_hidden = index < config.hidden.layers;
            let gain = match config.gain {
                Gain::Unit => 1.0,
                Gain::FanIn => 2.0 / (inputs as f32).sqrt(),
            };
            let mut random = stream(&format!("lab init {index}"), config.seed);
            let width = (6.0 / inputs as f32).sqrt() / gain;
            let value = (0..inputs * outputs).map(|_| (2.0 * uniform(&mut random) - 1.0) * width).collect();
            let biases = Parameter::new(vec![0.0; outputs]);
            let has_norm = is_hidden && config.normalization == Normalization::Batch;
            let has_threshold = is_hidden && config.activation == Activation::PsSign;
            Layer {
                inputs,
                outputs,
                weights: Parameter::new(value),
                biases,
                gain,
                norm: has_norm.then(|| BatchNorm::new(outputs)),
                threshold: has_threshold.then(|| Parameter::new(vec![THRESHOLD_START])),
            }
        });
        let with_modules = if config.algorithm == Algorithm::SyntheticGradients { config.hidden.layers } else { 0 };
        let module = |index| Module::new(config, index, config.hidden.units, classes);
        let mut model = Self { layers: layers.collect(), modules: (0..with_modules).map(module).collect() };
        let mut random = stream("lab init rounding", config.seed);
        for index in 0..model.layers.len() {
            model.store(config, index, &mut random);
        }
        model
    }

    /// Bring a layer's stored weights to where they live.
    fn store(&mut self, config: &RunConfig, index: usize, random: &mut ChaCha8Rng) {
        let weights = &mut self.layers[index].weights.value;
        let Some(quantization) = &config.quantization else { return };
        match quantization.storage {
            Storage::InPlace => quantization.nearest(weights),
            Storage::InPlaceStochastic => quantization.stochastic(weights, random),
            Storage::Latent => {
                if quantization.is_clipped() {
                    weights.iter_mut().for_each(|weight| *weight = weight.clamp(-1.0, 1.0));
                }
            }
        }
    }

    /// The weights that a layer computes with: on levels if there are any; with the noise of this step if there is some.
    pub fn used(&self, config: &RunConfig, index: usize, noise: Option<&mut ChaCha8Rng>) -> Vec<f32> {
        self.used_at(config, index, noise.map(|random| (config.noise_sigma, random)))
    }

    /// The same with noise of a sigma, in parts of the layer's largest weight. A binary weight's scale is digital: the noise is on
    /// the sign, and scaled with it.
    pub fn used_at(&self, config: &RunConfig, index: usize, noise: Option<(f64, &mut ChaCha8Rng)>) -> Vec<f32> {
        let layer = &self.layers[index];
        let mut weights = layer.weights.value.clone();
        let mut scales = None;
        if let Some(quantization) = &config.quantization
            && quantization.storage == Storage::Latent
        {
            scales = quantization.quantize(&mut weights, layer.outputs);
        }
        if let Some((sigma, random)) = noise.filter(|(sigma, _)| *sigma > 0.0) {
            let largest = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
            let sigma = sigma as f32 * largest;
            weights.iter_mut().for_each(|weight| *weight += sigma * normal(random));
        }
        if let Some(scales) = scales {
            let rows = weights.chunks_exact_mut(layer.outputs);
            rows.for_each(|row| row.iter_mut().zip(&scales).for_each(|(weight, scale)| *weight *= scale));
        }
        weights
    }

    /// Compute a batch through every layer; in training with the generator of its noise, which may be none, in evaluation without.
    pub fn forward(&self, config: &RunConfig, batch: Vec<f32>, mut noise: Option<&mut ChaCha8Rng>) -> Trace {
        let mut trace = Trace { activations: vec![batch], training: noise.is_some(), ..Trace::default() };
        for index in 0..self.layers.len() {
            trace.used.push(self.used(config, index, noise.as_deref_mut()));
        }
        self.forward_with(config, &mut trace);
        trace
    }

    /// The same from `trace.used` and `trace.activations[0]`.
    pub fn forward_with(&self, config: &RunConfig, trace: &mut Trace) {
        trace.activations.truncate(1);
        trace.sums.clear();
        trace.normalized.clear();
        let last = self.layers.len() - 1;
        for (index, layer) in self.layers.iter().enumerate() {
            let input = &trace.activations[index];
            let mut sums = vec![0.0; input.len() / layer.inputs * layer.outputs];
            multiply(input, &trace.used[index], &mut sums, layer.inputs, layer.outputs);
            let mut normalized = None;
            if let Some(norm) = &layer.norm {
                sums.iter_mut().for_each(|sum| *sum *= layer.gain);
                normalized = Some(norm.forward(&mut sums, &layer.biases.value, trace.training));
            } else {
                for row in sums.chunks_exact_mut(layer.outputs) {
                    for (sum, bias) in row.iter_mut().zip(&layer.biases.value) {
                        *sum = *sum * layer.gain + bias;
                    }
                }
            }
            if let Some(threshold) = &layer.threshold {
                sums.iter_mut().for_each(|sum| *sum -= threshold.value[0]);
            }
            trace.normalized.push(normalized);
            let output = if index == last { sums.clone() } else { sums.iter().map(|s| activate(config, *s)).collect() };
            trace.activations.push(output);
            trace.sums.push(sums);
        }
    }

    /// Let running statistics of batch normalisation follow a batch of training.
    pub fn follow(&mut self, trace: &Trace) {
        for (layer, normalized) in self.layers.iter_mut().zip(&trace.normalized) {
            if let (Some(norm), Some(normalized)) = (&mut layer.norm, normalized) {
                norm.follow(normalized);
            }
        }
    }

    /// Step a layer by the gradients of its weights and biases, and bring the weights to where they live.
    pub fn update(&mut self, config: &RunConfig, index: usize, gradient: &Gradient, at: Step<'_>) {
        let is_last = index + 1 == self.layers.len();
        let layer = &mut self.layers[index];
        let stored = config.quantization.as_ref().and_then(|quantization| {
            quantization.stored_gradient(&layer.weights.value, &gradient.weights, layer.outputs)
        });
        layer.weights.update(stored.as_ref().unwrap_or(&gradient.weights), config.optimizer, at.rate, at.step);
        let has_biases = if is_last { config.output_bias } else { config.hidden_bias };
        if has_biases {
            layer.biases.update(&gradient.biases, config.optimizer, at.rate, at.step);
        }
        if let Some(norm) = &mut layer.norm {
            norm.scale.update(&gradient.scale, config.optimizer, at.rate, at.step);
        }
        if let Some(threshold) = &mut layer.threshold {
            // The threshold is taken off every sum of the layer.
            let slope: f32 = -gradient.biases.iter().sum::<f32>();
            threshold.update(&[slope], config.optimizer, at.rate, at.step);
            threshold.value[0] = threshold.value[0].max(THRESHOLD_LEAST);
        }
        self.store(config, index, at.rounding);
    }
}

/// Where in its training an update is.
pub(crate) struct Step<'a> {
    pub rate: f32,
    /// From 1.
    pub step: usize,
    pub rounding: &'a mut ChaCha8Rng,
}

/// Of one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gradient {
    pub weights: Vec<f32>,
    pub biases: Vec<f32>,
    /// Of batch normalisation's scale; empty without it.
    pub scale: Vec<f32>,
}

/// The activation's value.
fn activate(config: &RunConfig, sum: f32) -> f32 {
    match config.activation {
        Activation::Relu => sum.max(0.0),
        Activation::Tanh => sum.tanh(),
        Activation::Codes => {
            let limit = ((1u32 << config.activation_bits) - 1) as f32;
            (sum.clamp(0.0, 1.0) * limit).round() / limit
        }
        Activation::Sign => {
            if sum < 0.0 {
                -1.0
            } else {
                1.0
            }
        }
        Activation::Step | Activation::PsSign => f32::from(u8::from(sum > 0.0)),
    }
}

/// The activation's slope at a sum, or what stands for it.
pub(crate) fn slope(config: &RunConfig, sum: f32) -> f32 {
    let inside = match config.activation {
        Activation::Relu => sum > 0.0,
        Activation::Tanh => return 1.0 - sum.tanh() * sum.tanh(),
        Activation::Codes => (0.0..=1.0).contains(&sum),
        Activation::Sign | Activation::Step | Activation::PsSign => sum.abs() <= 1.0,
    };
    f32::from(u8::from(inside))
}

//! Synthetic gradients: every hidden layer trained by a module's guess of its gradient, the module by the next layer's.
//!
//! Jaderberg et al., *Decoupled Neural Interfaces using Synthetic Gradients* (2017), sections 2 and 2.1; S003's Algorithm 7. A
//! module at the output h of a hidden layer guesses `dL/dh` as `v U`, U starting at 0, where v is `[h, y]`, conditioned on the
//! label, one hot (the paper's cDNI), or `[h, 1]` without it; with a hidden layer of the module's own, `relu([h, y] A) U`. The
//! layer steps by the guess. The guess is held against the gradient that the layer above gives at its input, made of *its* guess,
//! and at the top of the true loss, and the module steps down the mean squared error of both by Adam. A layer above never waits
//! for one below, nor the other way. Modules are held in full precision.

use super::backward::{input_gradient, layer_gradient, through_activation};
use super::config::{Optimizer, RunConfig};
use super::model::{Gradient, Model, Parameter, Trace, uniform};
use super::product::{multiply, transpose};
use bitline_golden::random::stream;

/// The module at a hidden layer's output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Module {
    /// A: `[input][hidden]`; none where the module is linear.
    pub hidden: Option<Parameter>,
    /// U: `[hidden or input][unit]`.
    pub weights: Parameter,
    /// Units of the layer.
    pub units: usize,
    /// What stands beside the units at the input: the classes, or the constant alone.
    pub beside: usize,
}

impl Module {
    /// The one at hidden layer `index`; A is uniform with variance 2 / inputs (He 2015).
    pub fn new(config: &RunConfig, index: usize, units: usize, classes: usize) -> Self {
        let beside = if config.synthetic_conditioned { classes } else { 1 };
        let (inputs, middle) = (units + beside, config.synthetic_hidden);
        let mut random = stream(&format!("lab module {index}"), config.seed);
        let width = (6.0 / inputs as f32).sqrt();
        let mut drawn = || (0..inputs * middle).map(|_| (2.0 * uniform(&mut random) - 1.0) * width).collect();
        let hidden = (middle > 0).then(|| Parameter::new(drawn()));
        let rows = if middle > 0 { middle } else { inputs };
        Self { hidden, weights: Parameter::new(vec![0.0; rows * units]), units, beside }
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.units + self.beside
    }

    /// Width of what U is multiplied with.
    pub fn rows(&self) -> usize {
        self.weights.value.len() / self.units
    }

    /// The input of every image.
    fn input(&self, activations: &[f32], labels: &[u8]) -> Vec<f32> {
        let mut inputs = vec![0.0; labels.len() * self.inputs()];
        let rows = inputs.chunks_exact_mut(self.inputs()).zip(activations.chunks_exact(self.units)).zip(labels);
        for ((row, activations), label) in rows {
            row[..self.units].copy_from_slice(activations);
            row[self.units + if self.beside == 1 { 0 } else { usize::from(*label) }] = 1.0;
        }
        inputs
    }

    /// What U is multiplied with: the input itself, or the module's hidden layer.
    fn middle(&self, input: &[f32]) -> Option<Vec<f32>> {
        let hidden = self.hidden.as_ref()?;
        let mut middle = vec![0.0; input.len() / self.inputs() * self.rows()];
        multiply(input, &hidden.value, &mut middle, self.inputs(), self.rows());
        middle.iter_mut().for_each(|sum| *sum = sum.max(0.0));
        Some(middle)
    }

    /// Guess of every image, and how it came about.
    fn guess(&self, activations: &[f32], labels: &[u8]) -> Guess {
        let input = self.input(activations, labels);
        let middle = self.middle(&input);
        let mut gradient = vec![0.0; activations.len()];
        multiply(middle.as_ref().unwrap_or(&input), &self.weights.value, &mut gradient, self.rows(), self.units);
        Guess { input, middle, gradient }
    }

    /// Step towards `aim`, in the units of the guess.
    fn learn(&mut self, guess: &Guess, aim: &[f32], rate: f32, step: usize) {
        let images = aim.len() / self.units;
        let error: Vec<f32> =
            guess.gradient.iter().zip(aim).map(|(guess, aim)| (guess - aim) / images as f32).collect();
        let mut turned = Vec::new();
        transpose(guess.middle.as_ref().unwrap_or(&guess.input), self.rows(), &mut turned);
        let mut gradient = vec![0.0; self.weights.value.len()];
        multiply(&turned, &error, &mut gradient, images, self.units);
        if let (Some(hidden), Some(middle)) = (&mut self.hidden, &guess.middle) {
            let rows = gradient.len() / self.units;
            transpose(&self.weights.value, self.units, &mut turned);
            let mut back = vec![0.0; middle.len()];
            multiply(&error, &turned, &mut back, self.units, rows);
            back.iter_mut().zip(middle).for_each(|(back, middle)| *back *= f32::from(u8::from(*middle > 0.0)));
            transpose(&guess.input, self.units + self.beside, &mut turned);
            let mut gradient = vec![0.0; hidden.value.len()];
            multiply(&turned, &back, &mut gradient, images, rows);
            hidden.update(&gradient, Optimizer::Adam, rate, step);
        }
        self.weights.update(&gradient, Optimizer::Adam, rate, step);
    }
}

/// A module's guess for a batch.
pub(super) struct Guess {
    input: Vec<f32>,
    middle: Option<Vec<f32>>,
    /// `[image][unit]`, of the loss of an image: m times that of the batch's mean.
    pub gradient: Vec<f32>,
}

/// What a batch gives: every layer's gradient, and for tests what each module guessed and aimed at.
pub(super) struct Outcome {
    pub gradients: Vec<Gradient>,
    /// `(guess, aim)` of each hidden layer, of the loss of an image.
    #[cfg_attr(not(test), expect(dead_code, reason = "what tests hold against the true gradient"))]
    pub guesses: Vec<(Vec<f32>, Vec<f32>)>,
}

/// Every layer's gradient, the modules stepped; `delta` is cross-entropy's at the logits.
pub(super) fn gradients(
    config: &RunConfig,
    model: &mut Model,
    trace: &Trace,
    labels: &[u8],
    delta: Vec<f32>,
    (rate, step): (f32, usize),
) -> Outcome {
    let last = model.layers.len() - 1;
    let images = labels.len() as f32;
    let guesses: Vec<Guess> =
        (0..last).map(|index| model.modules[index].guess(&trace.activations[index + 1], labels)).collect();
    let mut deltas: Vec<Vec<f32>> = guesses
        .iter()
        .zip(&trace.sums)
        .map(|(guess, sums)| through_activation(config, sums, guess.gradient.iter().map(|g| g / images).collect()))
        .collect();
    deltas.push(delta);
    let gradients =
        deltas.iter().enumerate().map(|(index, delta)| layer_gradient(model, trace, index, delta)).collect();
    let mut pairs = Vec::with_capacity(last);
    for (index, guess) in guesses.into_iter().enumerate() {
        let mut turned = Vec::new();
        transpose(&trace.used[index + 1], model.layers[index + 1].outputs, &mut turned);
        let mut aim = input_gradient(model, index + 1, &deltas[index + 1], &turned);
        aim.iter_mut().for_each(|aim| *aim *= images);
        model.modules[index].learn(&guess, &aim, rate, step);
        pairs.push((guess.gradient, aim));
    }
    Outcome { gradients, guesses: pairs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_set::DataSet;
    use crate::lab::model::normal;
    use crate::lab::{Algorithm, Hidden};

    const UNITS: usize = 3;
    const LABELS: [u8; 6] = [0, 1, 2, 3, 0, 1];

    /// A module that guesses something, and activations for it.
    fn drawn(conditioned: bool, hidden: usize) -> (Module, Vec<f32>) {
        let layers = Hidden { layers: 1, units: UNITS };
        let mut config = RunConfig::new(DataSet::Digits, layers, Algorithm::SyntheticGradients, 1);
        (config.synthetic_conditioned, config.synthetic_hidden) = (conditioned, hidden);
        let mut module = Module::new(&config, 0, UNITS, 4);
        let mut random = stream("synthetic module test", 0);
        module.weights.value.iter_mut().for_each(|weight| *weight = normal(&mut random));
        let activations = (0..LABELS.len() * UNITS).map(|_| normal(&mut random)).collect();
        (module, activations)
    }

    fn hidden_weight(module: &mut Module, index: usize) -> &mut f32 {
        &mut module.hidden.as_mut().unwrap().value[index]
    }

    #[test]
    fn module_steps_down_the_slope_of_its_squared_error() {
        for (conditioned, hidden) in [(true, 0), (false, 0), (true, 7), (false, 7)] {
            let (module, activations) = drawn(conditioned, hidden);
            let aim: Vec<f32> = (0..activations.len()).map(|k| k as f32 * 0.1).collect();
            let error = |module: &Module| {
                let guess = module.guess(&activations, &LABELS).gradient;
                let squares = guess.iter().zip(&aim).map(|(g, a)| f64::from(g - a).powi(2));
                squares.sum::<f64>() / 2.0 / LABELS.len() as f64
            };
            let slope = |change: &dyn Fn(&mut Module, f32)| {
                let at = |step: f32| {
                    let mut moved = module.clone();
                    change(&mut moved, step);
                    error(&moved)
                };
                (at(1e-2) - at(-1e-2)) / 2e-2
            };
            let mut stepped = module.clone();
            stepped.learn(&module.guess(&activations, &LABELS), &aim, 1e-3, 1);
            // Adam's first moment after one step is a tenth of the gradient.
            for (index, first) in stepped.weights.first.iter().enumerate() {
                let expected = slope(&|module, step| module.weights.value[index] += step);
                assert!((f64::from(*first) * 10.0 - expected).abs() < 1e-3, "U {index}: {first} {expected}");
            }
            let firsts = stepped.hidden.iter().flat_map(|hidden| &hidden.first);
            for (index, first) in firsts.enumerate() {
                let expected = slope(&|module, step| *hidden_weight(module, index) += step);
                assert!((f64::from(*first) * 10.0 - expected).abs() < 5e-3, "A {index}: {first} {expected}");
            }
            assert!(error(&stepped) < error(&module), "{conditioned} {hidden}");
        }
    }

    #[test]
    fn guess_depends_on_the_label_only_if_conditioned() {
        for hidden in [0, 7] {
            for conditioned in [false, true] {
                let (module, activations) = drawn(conditioned, hidden);
                let of = |labels: &[u8]| module.guess(&activations, labels).gradient;
                assert_eq!(of(&LABELS) != of(&[3; 6]), conditioned, "{hidden}");
            }
        }
    }
}

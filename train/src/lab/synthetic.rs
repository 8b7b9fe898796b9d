//! Synthetic gradients: every hidden layer trained by a module's guess of its gradient, the module by the next layer's.
//!
//! Jaderberg et al., *Decoupled Neural Interfaces using Synthetic Gradients* (2017), sections 2 and 2.1; S003's Algorithm 9. A
//! module at the output h of a hidden layer guesses `dL/dh` as `U [h, y]` (linear, conditioned on the label, one hot; the paper's
//! cDNI), U starting at 0. The layer steps by the guess. The guess is held against the gradient that the layer above gives at its
//! input, made of *its* guess, and at the top of the true loss, and U steps down the mean squared error of both. A layer
//! above never waits for one below, nor the other way.

use super::backward::{input_gradient, layer_gradient, through_activation};
use super::config::{Optimizer, RunConfig};
use super::model::{Gradient, Model, Parameter, Trace};
use super::product::{multiply, transpose};

/// The module at a hidden layer's output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Module {
    /// U turned: `[unit or class][unit]`.
    pub weights: Parameter,
    /// Units of the layer.
    pub units: usize,
    /// Classes.
    pub classes: usize,
}

impl Module {
    pub fn new(units: usize, classes: usize) -> Self {
        Self { weights: Parameter::new(vec![0.0; (units + classes) * units]), units, classes }
    }

    /// `[h, y]` of every image.
    fn inputs(&self, activations: &[f32], labels: &[u8]) -> Vec<f32> {
        let wide = self.units + self.classes;
        let mut inputs = vec![0.0; labels.len() * wide];
        let rows = inputs.chunks_exact_mut(wide).zip(activations.chunks_exact(self.units)).zip(labels);
        for ((row, activations), label) in rows {
            row[..self.units].copy_from_slice(activations);
            row[self.units + usize::from(*label)] = 1.0;
        }
        inputs
    }

    /// The gradient guessed, `[image][unit]`, of the loss of an image: m times that of the batch's mean.
    fn guess(&self, inputs: &[f32]) -> Vec<f32> {
        let wide = self.units + self.classes;
        let mut guess = vec![0.0; inputs.len() / wide * self.units];
        multiply(inputs, &self.weights.value, &mut guess, wide, self.units);
        guess
    }

    /// Step towards `aim`, in the units of the guess.
    fn learn(&mut self, inputs: &[f32], guess: &[f32], aim: &[f32], rate: f32, step: usize) {
        let images = guess.len() / self.units;
        let error: Vec<f32> = guess.iter().zip(aim).map(|(guess, aim)| (guess - aim) / images as f32).collect();
        let mut turned = Vec::new();
        transpose(inputs, self.units + self.classes, &mut turned);
        let mut gradient = vec![0.0; self.weights.value.len()];
        multiply(&turned, &error, &mut gradient, images, self.units);
        self.weights.update(&gradient, Optimizer::Adam, rate, step);
    }
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
    let inputs: Vec<Vec<f32>> =
        (0..last).map(|index| model.modules[index].inputs(&trace.activations[index + 1], labels)).collect();
    let guesses: Vec<Vec<f32>> = (0..last).map(|index| model.modules[index].guess(&inputs[index])).collect();
    let mut deltas: Vec<Vec<f32>> = guesses
        .iter()
        .zip(&trace.sums)
        .map(|(guess, sums)| through_activation(config, sums, guess.iter().map(|g| g / images).collect()))
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
        model.modules[index].learn(&inputs[index], &guess, &aim, rate, step);
        pairs.push((guess, aim));
    }
    Outcome { gradients, guesses: pairs }
}

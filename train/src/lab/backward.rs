//! Gradients by hand: backpropagation, and feedback alignment, which differs in one matrix.
//!
//! With sums `s_l = g_l a_(l-1) W_l + b_l` (W is `[input][output]`), activations `a_l = f(s_l)` and the mean cross-entropy L of
//! softmax(s_last) over a batch of m:
//! `d_last = (softmax(s_last) - y) / m`, `d_l = f'(s_l) * (g_(l+1) d_(l+1) F_(l+1))`, `dL/dW_l = g_l a_(l-1)^T d_l`,
//! `dL/db_l = sum over the batch of d_l`.
//! Backpropagation (Rumelhart, Hinton and Williams 1986; S003 2.4.2): `F = W^T`, of the weights used, noise and levels included.
//! With batch normalisation between sum and activation, `d_l` is at its output and goes through [`super::normalization`] first.
//! Feedback alignment (Lillicrap et al. 2016; S003's Algorithm 8): `F` a matrix drawn once, never changed.

use super::config::RunConfig;
use super::model::{Gradient, Model, Trace, normal, slope};
use super::product::{multiply, transpose};
use bitline_golden::random::stream;
use std::borrow::Cow;

/// Fixed feedback of each layer but the first, `[output][input]`; that of layer 0 is empty.
pub(crate) fn feedback(config: &RunConfig, model: &Model) -> Vec<Vec<f32>> {
    model
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let mut random = stream(&format!("lab feedback {index}"), config.seed);
            // As the starting weights are spread: variance 2 / inputs, seen through the gain.
            let width = (2.0 / layer.inputs as f32).sqrt() / layer.gain;
            let count = if index == 0 { 0 } else { layer.inputs * layer.outputs };
            (0..count).map(|_| width * normal(&mut random)).collect()
        })
        .collect()
}

/// Mean cross-entropy in nats, the images whose largest logit is their label (ties to the lowest), and `d_last`.
pub(crate) fn loss(logits: &[f32], labels: &[u8], classes: usize) -> (f64, usize, Vec<f32>) {
    let (mut total, mut correct) = (0.0, 0);
    let mut delta = vec![0.0; logits.len()];
    for ((row, delta), label) in logits.chunks_exact(classes).zip(delta.chunks_exact_mut(classes)).zip(labels) {
        let label = usize::from(*label);
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        correct += usize::from(row.iter().position(|logit| *logit == largest) == Some(label));
        let mut partition = 0.0;
        for (delta, logit) in delta.iter_mut().zip(row) {
            *delta = (logit - largest).exp();
            partition += *delta;
        }
        total += f64::from(partition).ln() + f64::from(largest - row[label]);
        delta.iter_mut().for_each(|delta| *delta /= partition * labels.len() as f32);
        delta[label] -= 1.0 / labels.len() as f32;
    }
    (total / labels.len() as f64, correct, delta)
}

/// The gradient at a layer's sums from `d_l`, which is at the output of its batch normalisation; the same without one.
fn at_sums<'a>(model: &Model, trace: &Trace, index: usize, delta: &'a [f32]) -> Cow<'a, [f32]> {
    match (&model.layers[index].norm, &trace.normalized[index]) {
        (Some(norm), Some(normalized)) => norm.backward(normalized, delta).into(),
        _ => delta.into(),
    }
}

/// The gradient of a layer's weights and biases from `d_l`.
pub(crate) fn layer_gradient(model: &Model, trace: &Trace, index: usize, delta: &[f32]) -> Gradient {
    let layer = &model.layers[index];
    let mut turned = Vec::new();
    transpose(&trace.activations[index], layer.inputs, &mut turned);
    let mut weights = vec![0.0; layer.inputs * layer.outputs];
    let at_sums = at_sums(model, trace, index, delta);
    multiply(&turned, &at_sums, &mut weights, delta.len() / layer.outputs, layer.outputs);
    weights.iter_mut().for_each(|gradient| *gradient *= layer.gain);
    let mut biases = vec![0.0; layer.outputs];
    for row in delta.chunks_exact(layer.outputs) {
        biases.iter_mut().zip(row).for_each(|(bias, delta)| *bias += delta);
    }
    let scale = trace.normalized[index].as_ref().map_or_else(Vec::new, |normalized| normalized.scale_gradient(delta));
    Gradient { weights, biases, scale }
}

/// The gradient at a layer's input, `[image][input]`, from `d_l` and its feedback, `[output][input]`.
pub(crate) fn input_gradient(model: &Model, index: usize, delta: &[f32], feedback: &[f32]) -> Vec<f32> {
    let layer = &model.layers[index];
    let mut back = vec![0.0; delta.len() / layer.outputs * layer.inputs];
    multiply(delta, feedback, &mut back, layer.outputs, layer.inputs);
    back.iter_mut().for_each(|gradient| *gradient *= layer.gain);
    back
}

/// `d_l` from the gradient at a layer's activation.
pub(crate) fn through_activation(config: &RunConfig, sums: &[f32], mut gradient: Vec<f32>) -> Vec<f32> {
    gradient.iter_mut().zip(sums).for_each(|(gradient, sum)| *gradient *= slope(config, *sum));
    gradient
}

/// Every layer's gradient, from the last layer's delta; by backpropagation if there is no fixed feedback.
pub(crate) fn gradients(
    config: &RunConfig,
    model: &Model,
    trace: &Trace,
    mut delta: Vec<f32>,
    fixed: Option<&[Vec<f32>]>,
) -> Vec<Gradient> {
    let mut gradients = Vec::with_capacity(model.layers.len());
    for index in (0..model.layers.len()).rev() {
        gradients.push(layer_gradient(model, trace, index, &delta));
        if index > 0 {
            let mut turned = Vec::new();
            let feedback = match fixed {
                Some(fixed) => &fixed[index],
                None => {
                    transpose(&trace.used[index], model.layers[index].outputs, &mut turned);
                    &turned
                }
            };
            let back = input_gradient(model, index, &at_sums(model, trace, index, &delta), feedback);
            delta = through_activation(config, &trace.sums[index - 1], back);
        }
    }
    gradients.reverse();
    gradients
}

//! The epochs of a run.

use super::backward::{feedback, gradients, loss};
use super::config::{Algorithm, RunConfig, Schedule};
use super::model::{Model, Step, Trace};
use super::record::{EpochLine, LabData, LayerRange, RunOutcome, RunRecord};
use super::{checkpoint, deployed, hsic, noise_evaluation, post_training, synthetic};
use crate::TrainError;
use crate::adam::cosine;
use crate::digits::shuffle;
use crate::image_set::{CLASSES, DataSet};
use bitline_golden::random::stream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Images that are evaluated at once.
const EVALUATED_AT_ONCE: usize = 250;

/// A run between two epochs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub model: Model,
    pub lines: Vec<EpochLine>,
    pub seconds: f64,
}

impl State {
    /// Before the first epoch.
    pub fn new(config: &RunConfig, data: &LabData) -> Self {
        Self { model: Model::new(config, data.pixels(), CLASSES), lines: Vec::new(), seconds: 0.0 }
    }
}

/// Run a configuration to its end, or until `cancel` is set, which is looked at before every step.
///
/// With a `checkpoint` the run goes on from that file if it is there, and writes it after every epoch; a reader never sees half
/// of it. `progress` is called after each epoch done here.
///
/// # Errors
/// [`TrainError::Config`], [`TrainError::Diverged`], [`TrainError::CheckpointDiffers`], [`TrainError::Network`].
pub fn run(
    config: &RunConfig,
    data: &LabData,
    checkpoint: Option<&Path>,
    progress: &mut dyn FnMut(&EpochLine),
    cancel: &AtomicBool,
) -> Result<RunOutcome, TrainError> {
    config.check(data.train_labels.len())?;
    if config.data_set != data.set {
        return Err(TrainError::Config {
            field: "data_set",
            value: config.data_set.to_string(),
            limit: data.set.to_string(),
            remedy: "give the data of the set that the run is for",
        });
    }
    let mut state = State::new(config, data);
    if let Some(path) = checkpoint
        && path.exists()
    {
        checkpoint::load(path, config, data, &mut state)?;
    }
    while state.lines.len() < config.epochs {
        let (start, done) = (Instant::now(), state.lines.len());
        let Some(line) = epoch(config, data, &mut state.model, done + 1, cancel)? else {
            return Ok(RunOutcome::Stopped { done });
        };
        state.lines.push(line);
        state.seconds += start.elapsed().as_secs_f64();
        if let Some(path) = checkpoint {
            checkpoint::save(path, config, data, &state)?;
        }
        progress(state.lines.last().expect("just pushed"));
    }
    Ok(RunOutcome::Finished(Box::new(RunRecord {
        config: config.clone(),
        epochs: state.lines,
        seconds: state.seconds,
        version: env!("CARGO_PKG_VERSION").into(),
        data_sha256: data.sha256.clone(),
    })))
}

/// Rows of an epoch in their order.
fn order(config: &RunConfig, rows: usize, epoch: usize) -> Vec<usize> {
    let mut random = stream(&format!("lab shuffle {epoch}"), config.seed);
    let mut order: Vec<usize> = (0..rows).collect();
    shuffle(&mut order, &mut random);
    order
}

/// One epoch; none if it was cancelled, and the model is then half way.
fn epoch(
    config: &RunConfig,
    data: &LabData,
    model: &mut Model,
    epoch: usize,
    cancel: &AtomicBool,
) -> Result<Option<EpochLine>, TrainError> {
    let (pixels, rows) = (data.pixels(), data.train_labels.len() - config.held_out);
    let mut noise = stream(&format!("lab noise {epoch}"), config.seed);
    let mut rounding = stream(&format!("lab rounding {epoch}"), config.seed);
    let fixed = (config.algorithm == Algorithm::FeedbackAlignment).then(|| feedback(config, model));
    let steps = rows / config.batch;
    let (mut loss_sum, mut train_correct) = (0.0, 0);
    for (index, rows) in order(config, rows, epoch).chunks_exact(config.batch).enumerate() {
        if cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut batch = Vec::with_capacity(config.batch * pixels);
        rows.iter().for_each(|row| batch.extend_from_slice(&data.train_pixels[row * pixels..][..pixels]));
        let labels: Vec<u8> = rows.iter().map(|row| data.train_labels[*row]).collect();
        let step = (epoch - 1) * steps + index;
        let rate = match config.schedule {
            Schedule::Constant => config.learning_rate,
            Schedule::Cosine => cosine(config.learning_rate, step as f64 / (config.epochs * steps) as f64),
        };
        let trace = model.forward(config, batch, Some(&mut noise));
        model.follow(&trace);
        let (loss, correct, delta) = loss(trace.activations.last().expect("logits"), &labels, CLASSES);
        loss_sum += loss;
        train_correct += correct;
        let gradients = match config.algorithm {
            Algorithm::Backpropagation | Algorithm::FeedbackAlignment => {
                gradients(config, model, &trace, delta, fixed.as_deref())
            }
            Algorithm::Hsic => hsic::gradients(config, model, &trace, &labels, &delta),
            Algorithm::SyntheticGradients => {
                let rate = (rate * config.module_rate) as f32;
                synthetic::gradients(config, model, &trace, &labels, delta, (rate, step + 1)).gradients
            }
        };
        for (layer, gradient) in gradients.iter().enumerate() {
            let at = Step { rate: rate as f32, step: step + 1, rounding: &mut rounding };
            model.update(config, layer, gradient, at);
        }
    }
    let train_loss = loss_sum / steps as f64;
    if !train_loss.is_finite() {
        let (what, learning_rate) = ("training loss", config.learning_rate);
        return Err(TrainError::Diverged { epoch, what, value: train_loss, learning_rate });
    }
    let held = &data.train_pixels[rows * pixels..];
    let (test, labels) = match config.held_out {
        0 => (&data.test_pixels[..], &data.test_labels[..]),
        _ => (held, &data.train_labels[rows..]),
    };
    let (test_correct, weights) = evaluate(config, model, data.set, test, labels)?;
    let (train_images, test_images) = (steps * config.batch, labels.len());
    let mut post_training = if epoch == config.epochs { post_training::lines(config) } else { Vec::new() };
    for line in &mut post_training {
        line.test_correct = evaluate(&line.config(config), model, data.set, test, labels)?.0;
        line.test_images = test_images;
    }
    let noise_evaluation = if epoch == config.epochs {
        let count = |trace| count(config, model, trace, test, labels);
        noise_evaluation::lines(config, model, (test_correct, test_images), count)
    } else {
        Vec::new()
    };
    Ok(Some(EpochLine {
        epoch,
        train_correct,
        train_images,
        test_correct,
        test_images,
        train_loss,
        weights,
        post_training,
        noise_evaluation,
    }))
}

/// Images classified correctly without noise, and the ranges of the weights used. A network that the array can hold is evaluated
/// as the array does, in integers.
fn evaluate(
    config: &RunConfig,
    model: &Model,
    set: DataSet,
    pixels: &[f32],
    labels: &[u8],
) -> Result<(usize, Vec<LayerRange>), TrainError> {
    let trace = model.forward(config, Vec::new(), None);
    let range = |used: &Vec<f32>| LayerRange {
        least: used.iter().copied().fold(f32::INFINITY, f32::min),
        largest: used.iter().copied().fold(f32::NEG_INFINITY, f32::max),
    };
    let ranges = trace.used.iter().map(range).collect();
    if deployed::check(config, set).is_ok() {
        let layers = deployed::layers(config, model, set)?;
        return Ok((deployed::correct(layers, set, pixels, labels), ranges));
    }
    Ok((count(config, model, trace, pixels, labels), ranges))
}

/// Images classified correctly by the weights of `trace.used`.
fn count(config: &RunConfig, model: &Model, mut trace: Trace, pixels: &[f32], labels: &[u8]) -> usize {
    let inputs = model.layers[0].inputs;
    let mut correct = 0;
    for (pixels, labels) in pixels.chunks(EVALUATED_AT_ONCE * inputs).zip(labels.chunks(EVALUATED_AT_ONCE)) {
        trace.activations[0] = pixels.to_vec();
        model.forward_with(config, &mut trace);
        correct += loss(trace.activations.last().expect("logits"), labels, CLASSES).1;
    }
    correct
}

//! Tests of whole runs and of their gradients.

use super::backward::{feedback, gradients, loss};
use super::config::{Activation, Algorithm, Gain, Hidden, RunConfig};
use super::model::{Gradient, Model, Step};
use super::quantizer::{Quantization, Quantizer, Range, Storage};
use super::record::{EpochLine, LabData, RunOutcome, RunRecord};
use super::run;
use crate::image_set::{DataSet, ImageSet};
use bitline_golden::dataset::Digits;
use bitline_golden::random::stream;
use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};
use std::sync::atomic::{AtomicBool, Ordering};

fn digits() -> LabData {
    LabData::of(&ImageSet::of_digits(&Digits::embedded()))
}

fn config(algorithm: Algorithm, epochs: usize) -> RunConfig {
    let mut config = RunConfig::new(DataSet::Digits, Hidden { layers: 2, units: 20 }, algorithm, epochs);
    config.batch = 32;
    config
}

fn finished(config: &RunConfig) -> RunRecord {
    match run(config, &digits(), None, &mut |_| (), &AtomicBool::new(false)).unwrap() {
        RunOutcome::Finished(record) => *record,
        RunOutcome::Stopped { done } => panic!("stopped after {done}"),
    }
}

fn quantized(storage: Storage) -> RunConfig {
    let mut config = config(Algorithm::Backpropagation, 10);
    let (quantizer, range) = (Quantizer::UniformSymm, Range::Global);
    config.quantization = Some(Quantization { quantizer, bits: 3, range, storage, levels: Vec::new() });
    config.gain = Gain::FanIn;
    config.learning_rate = 0.01;
    config
}

/// Loss and every layer's gradient of one batch.
fn batch_gradients(config: &RunConfig, model: &Model, fixed: bool) -> Vec<Gradient> {
    let data = digits();
    let trace = model.forward(config, data.train_pixels[..32 * 64].to_vec(), None);
    let delta = loss(trace.activations.last().unwrap(), &data.train_labels[..32], 10).2;
    let fixed = fixed.then(|| feedback(config, model));
    gradients(config, model, &trace, delta, fixed.as_deref())
}

#[test]
fn backpropagation_gradients_are_those_of_automatic_differentiation() {
    for activation in [Activation::Relu, Activation::Tanh] {
        let mut config = config(Algorithm::Backpropagation, 1);
        config.activation = activation;
        config.gain = Gain::FanIn;
        let (model, data) = (Model::new(&config, 64, 10), digits());
        let device = Device::flex().autodiff();
        let tensor = |values: &[f32], shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device)
        };
        let mut map = tensor(&data.train_pixels[..32 * 64], [32, 64]);
        let mut parameters = Vec::new();
        for (index, layer) in model.layers.iter().enumerate() {
            let weights = tensor(&layer.weights.value, [layer.inputs, layer.outputs]).require_grad();
            let biases = tensor(&layer.biases.value, [1, layer.outputs]).require_grad();
            map = map.matmul(weights.clone()) * layer.gain + biases.clone();
            if index + 1 < model.layers.len() {
                map = if activation == Activation::Relu { burn::tensor::activation::relu(map) } else { map.tanh() };
            }
            parameters.push((weights, biases));
        }
        let mut hot = vec![0.0; 320];
        data.train_labels[..32].iter().enumerate().for_each(|(row, label)| hot[row * 10 + usize::from(*label)] = 1.0);
        let grads = (log_softmax(map, 1) * tensor(&hot, [32, 10])).sum().mul_scalar(-1.0 / 32.0).backward();
        for (ours, (weights, biases)) in batch_gradients(&config, &model, false).iter().zip(parameters) {
            for (ours, theirs) in [(&ours.weights, weights), (&ours.biases, biases)] {
                let theirs = theirs.grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap();
                let largest = theirs.iter().fold(0.0f32, |largest, g| largest.max(g.abs()));
                assert!(largest > 0.0);
                for (a, b) in ours.iter().zip(&theirs) {
                    assert!((a - b).abs() <= 1e-5 * largest, "{a} {b}");
                }
            }
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn feedback_alignment_turns_towards_the_true_gradient() {
    let config = config(Algorithm::FeedbackAlignment, 1);
    let mut model = Model::new(&config, 64, 10);
    let angle = |model: &Model| {
        let (aligned, real) = (batch_gradients(&config, model, true), batch_gradients(&config, model, false));
        // The last layer needs no feedback: there both are the same, to the bit.
        assert_eq!(aligned[2], real[2]);
        cosine(&aligned[1].weights, &real[1].weights).acos().to_degrees()
    };
    let before = angle(&model);
    let mut rounding = stream("unused", 0);
    for step in 1..=300 {
        for (layer, gradient) in batch_gradients(&config, &model, true).iter().enumerate() {
            model.update(&config, layer, gradient, Step { rate: 1e-2, step, rounding: &mut rounding });
        }
    }
    let after = angle(&model);
    assert!(before > 60.0 && after < before - 20.0, "{before} {after}");
}

#[test]
fn both_algorithms_learn_the_digits() {
    for (algorithm, least) in [(Algorithm::Backpropagation, 255), (Algorithm::FeedbackAlignment, 240)] {
        let mut config = config(algorithm, 20);
        config.learning_rate = 0.01;
        let record = finished(&config);
        let last = record.epochs.last().unwrap();
        assert!(last.test_correct >= least, "{algorithm}: {last:?}");
    }
}

#[test]
fn weights_in_place_are_on_levels_after_every_update() {
    for storage in [Storage::InPlace, Storage::InPlaceStochastic] {
        let config = quantized(storage);
        let table = config.quantization.as_ref().unwrap().table(&[]);
        let mut model = Model::new(&config, 64, 10);
        let mut rounding = stream("lab rounding test", 0);
        for step in 1..=5 {
            let before = model.clone();
            for (layer, gradient) in batch_gradients(&config, &model, false).iter().enumerate() {
                model.update(&config, layer, gradient, Step { rate: 0.2, step, rounding: &mut rounding });
            }
            assert!(model.layers.iter().all(|layer| layer.weights.value.iter().all(|w| table.contains(w))));
            assert_ne!(before, model);
        }
    }
}

#[test]
fn three_bits_learn_latent_and_stochastic() {
    for storage in [Storage::Latent, Storage::InPlaceStochastic] {
        let last = finished(&quantized(storage)).epochs.pop().unwrap();
        assert!(last.test_correct >= 230, "{storage:?}: {last:?}");
    }
}

#[test]
fn noise_comes_after_quantization() {
    let mut config = quantized(Storage::Latent);
    config.noise_sigma = 0.1;
    let model = Model::new(&config, 64, 10);
    let plain = model.used(&config, 0, None);
    let noisy = model.used(&config, 0, Some(&mut stream("lab noise test", 0)));
    let table = config.quantization.as_ref().unwrap().table(&[]);
    assert!(plain.iter().all(|weight| table.contains(weight)));
    assert!(noisy.iter().filter(|weight| table.contains(weight)).count() * 100 < noisy.len());
    let largest = f64::from(plain.iter().fold(0.0f32, |a, b| a.max(b.abs())));
    let spread = plain.iter().zip(&noisy).map(|(a, b)| f64::from(b - a).powi(2)).sum::<f64>() / noisy.len() as f64;
    // 1280 draws: the spread's standard error is 2 %.
    assert!((spread.sqrt() / (0.1 * largest) - 1.0).abs() < 0.1, "{spread}");
}

#[test]
fn resumed_run_leaves_the_record_of_an_uninterrupted_one() {
    let mut config = quantized(Storage::InPlaceStochastic);
    (config.epochs, config.noise_sigma) = (3, 0.05);
    let path = std::env::temp_dir().join(format!("bitline-lab-{}.safetensors", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let (cancel, data) = (AtomicBool::new(false), digits());
    let mut stop = |line: &EpochLine| cancel.store(line.epoch == 1, Ordering::Relaxed);
    let stopped = run(&config, &data, Some(&path), &mut stop, &cancel).unwrap();
    assert_eq!(stopped, RunOutcome::Stopped { done: 1 });
    cancel.store(false, Ordering::Relaxed);
    let resumed = run(&config, &data, Some(&path), &mut |_| (), &cancel).unwrap();
    let RunOutcome::Finished(mut resumed) = resumed else { panic!("{resumed:?}") };
    let whole = finished(&config);
    resumed.seconds = whole.seconds;
    assert_eq!(*resumed, whole);
    config.seed = 1;
    let other = run(&config, &data, Some(&path), &mut |_| (), &cancel).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(other.starts_with("the checkpoint has settings {"), "{other}");
}

#[test]
fn algorithm_that_is_not_here_is_refused() {
    let error = run(&config(Algorithm::Hsic, 1), &digits(), None, &mut |_| (), &AtomicBool::new(false)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no algorithm in this build \"hsic\"; there are backpropagation, feedback-alignment"
    );
}

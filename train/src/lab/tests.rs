//! Tests of whole runs and of their gradients.

use super::backward::{feedback, gradients, input_gradient, loss, through_activation};
use super::config::{Activation, Algorithm, Gain, Hidden, RunConfig};
use super::deployed;
use super::model::{Gradient, Model, Step};
use super::post_training::PostTraining;
use super::product::transpose;
use super::quantizer::{Quantization, Quantizer, Range, Storage};
use super::record::{EpochLine, LabData, RunOutcome, RunRecord};
use super::{hsic, run, synthetic};
use crate::image_set::{DataSet, ImageSet};
use bitline_golden::dataset::Digits;
use bitline_golden::network::Network;
use bitline_golden::random::stream;
use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) fn digits() -> LabData {
    LabData::of(&ImageSet::of_digits(&Digits::embedded()))
}

fn config(algorithm: Algorithm, epochs: usize) -> RunConfig {
    let mut config = RunConfig::new(DataSet::Digits, Hidden { layers: 2, units: 20 }, algorithm, epochs);
    config.batch = 32;
    config
}

pub(super) fn finished(config: &RunConfig) -> RunRecord {
    finished_at(config, None)
}

/// The record of a run on the digits, with its checkpoint.
pub(super) fn finished_at(config: &RunConfig, checkpoint: Option<&Path>) -> RunRecord {
    match run(config, &digits(), checkpoint, &mut |_| (), &AtomicBool::new(false)).unwrap() {
        RunOutcome::Finished(record) => *record,
        RunOutcome::Stopped { done } => panic!("stopped after {done}"),
    }
}

/// Test rows of the digits that the network classifies.
pub(super) fn classified(network: &Network) -> usize {
    let data = digits();
    let class = |image: &[f32]| {
        let codes: Vec<u8> = image.iter().map(|pixel| (pixel * 16.0).round() as u8).collect();
        network.evaluate(&codes).1.class
    };
    let images = data.test_pixels.chunks(64).zip(&data.test_labels);
    images.filter(|(image, label)| class(image) == u16::from(**label)).count()
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
fn hsic_gradients_do_not_cross_layers() {
    let config = config(Algorithm::Hsic, 1);
    let data = digits();
    let labels = &data.train_labels[..32];
    let of = |model: &Model| {
        let trace = model.forward(&config, data.train_pixels[..32 * 64].to_vec(), None);
        let delta = loss(trace.activations.last().unwrap(), labels, 10).2;
        hsic::gradients(&config, model, &trace, labels, &delta)
    };
    let model = Model::new(&config, 64, 10);
    let before = of(&model);
    let mut changed = model.clone();
    changed.layers[1].weights.value.iter_mut().for_each(|weight| *weight = 0.3 - *weight);
    changed.layers[2].weights.value.iter_mut().for_each(|weight| *weight = 0.3 - *weight);
    let after = of(&changed);
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
    assert_ne!(before[2], after[2]);
    // The output layer's is cross-entropy's, the hidden layers' are not.
    let real = batch_gradients(&config, &model, false);
    assert_eq!(before[2], real[2]);
    assert!(cosine(&before[0].weights, &real[0].weights) < 0.9);
}

#[test]
fn synthetic_gradients_converge_to_the_true_ones() {
    let config = config(Algorithm::SyntheticGradients, 1);
    let data = digits();
    let labels = &data.train_labels[..32];
    let mut model = Model::new(&config, 64, 10);
    let mut rounding = stream("unused", 0);
    let mut distances = Vec::new();
    for step in 1..=600 {
        let trace = model.forward(&config, data.train_pixels[..32 * 64].to_vec(), None);
        let delta = loss(trace.activations.last().unwrap(), labels, 10).2;
        // dL/dh of each hidden layer, by backpropagation.
        let mut turned = Vec::new();
        transpose(&trace.used[2], 10, &mut turned);
        let at_second = input_gradient(&model, 2, &delta, &turned);
        transpose(&trace.used[1], 20, &mut turned);
        let through = through_activation(&config, &trace.sums[1], at_second.clone());
        let real = [input_gradient(&model, 1, &through, &turned), at_second];
        let outcome = synthetic::gradients(&config, &mut model, &trace, labels, delta, (1e-2, step));
        // The distance from the true gradient, in its lengths; 1 where nothing is guessed yet.
        let distance = |(real, (guess, _)): (&Vec<f32>, &(Vec<f32>, Vec<f32>))| {
            let real: Vec<f32> = real.iter().map(|r| r * 32.0).collect();
            let off: Vec<f32> = real.iter().zip(guess).map(|(r, g)| r - g).collect();
            let length = |v: &[f32]| v.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
            length(&off) / length(&real)
        };
        distances = real.iter().zip(&outcome.guesses).map(distance).collect::<Vec<f64>>();
        if step == 1 {
            assert_eq!(distances, [1.0, 1.0]);
            // Nothing below the output layer moves yet, as it would by backpropagation.
            assert!(outcome.gradients[0].weights.iter().all(|g| *g == 0.0));
            assert!(outcome.gradients[2].weights.iter().any(|g| *g != 0.0));
        }
        for (layer, gradient) in outcome.gradients.iter().enumerate() {
            model.update(&config, layer, gradient, Step { rate: 1e-4, step, rounding: &mut rounding });
        }
    }
    assert!(distances.iter().all(|distance| *distance < 0.5), "{distances:?}");
}

#[test]
fn every_algorithm_learns_the_digits() {
    for (algorithm, least) in [
        (Algorithm::Backpropagation, 255),
        (Algorithm::FeedbackAlignment, 240),
        (Algorithm::Hsic, 230),
        (Algorithm::SyntheticGradients, 230),
    ] {
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
    for algorithm in Algorithm::ALL {
        let mut config = quantized(Storage::InPlaceStochastic);
        (config.algorithm, config.epochs, config.noise_sigma) = (algorithm, 3, 0.05);
        resumes(config.clone());
        if algorithm == Algorithm::SyntheticGradients {
            (config.synthetic_hidden, config.synthetic_conditioned) = (16, false);
            resumes(config.clone());
            let (quantizer, range, bits) = (Quantizer::UniformSymm, Range::Local, vec![2, 4]);
            config.post_training = vec![PostTraining { quantizer, range, bits, levels: Vec::new() }];
            config.quantization = None;
            resumes(config);
        }
    }
}

fn resumes(mut config: RunConfig) {
    let path =
        std::env::temp_dir().join(format!("bitline-lab-{}-{}.safetensors", config.algorithm, std::process::id()));
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

/// Settings of a network that the array can hold.
fn deployable(storage: Storage) -> RunConfig {
    let mut config = quantized(storage);
    (config.activation, config.output_bias) = (Activation::Codes, false);
    config
}

#[test]
fn deployed_network_classifies_what_the_run_recorded() {
    let data = digits();
    let symm = |bits, range| (Quantizer::UniformSymm, bits, range);
    let cases = [
        (symm(3, Range::Global), Storage::InPlaceStochastic),
        (symm(4, Range::Local), Storage::Latent),
        ((Quantizer::Eq2, 4, Range::Global), Storage::Latent),
        ((Quantizer::UniformAsymm, 3, Range::Global), Storage::Latent),
        ((Quantizer::Levels, 4, Range::Global), Storage::Latent),
    ];
    for (index, ((quantizer, bits, range), storage)) in cases.into_iter().enumerate() {
        let mut config = deployable(storage);
        config.epochs = 3;
        let levels = match quantizer {
            Quantizer::Levels => (-5..=5).map(|k| k as f32 / 5.0).collect(),
            _ => Vec::new(),
        };
        config.quantization = Some(Quantization { quantizer, bits, range, storage, levels });
        let path = std::env::temp_dir().join(format!("bitline-deployed-{index}-{}.safetensors", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let record = finished_at(&config, Some(&path));
        let network = deployed::network(&path, &config, &data, "lab", "bitline train").unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(network.layers.iter().all(|layer| layer.weight_bits <= 4));
        let correct = classified(&network);
        assert_eq!(correct, record.epochs[2].test_correct, "{quantizer:?} {bits} {range:?}");
        assert!(correct > 150, "{quantizer:?} {bits} {range:?} {correct}");
    }
}

#[test]
fn float_forward_is_the_integers_but_for_rounding() {
    let config = deployable(Storage::Latent);
    let (mut model, data) = (Model::new(&config, 64, 10), digits());
    // Without biases some sums lie on the boundary between two codes, where f32 may choose either.
    model.layers[..2].iter_mut().for_each(|layer| layer.biases.value.fill(0.0123));
    let layers = deployed::layers(&config, &model, DataSet::Digits).unwrap();
    let images =
        ndarray::Array2::from_shape_fn((32, 64), |(i, p)| (data.train_pixels[i * 64 + p] * 16.0).round() as u8);
    let logits = model.forward(&config, data.train_pixels[..32 * 64].to_vec(), None).activations.pop().unwrap();
    let unit = model.layers[2].gain / 3.0 / 15.0;
    let sums = crate::frozen::Frozen::new(layers, &Device::flex()).sums(images.view());
    for (sum, logit) in sums.iter().zip(&logits) {
        assert!((*sum as f32 * unit - logit).abs() < 1e-4, "{sum} {logit}");
    }
}

#[test]
fn networks_that_the_array_cannot_hold_are_refused_by_name() {
    let refused = |change: fn(&mut RunConfig)| {
        let mut config = deployable(Storage::Latent);
        change(&mut config);
        deployed::check(&config, DataSet::Mnist).unwrap_err().to_string()
    };
    assert_eq!(deployed::check(&deployable(Storage::Latent), DataSet::Mnist), Ok(()));
    assert!(refused(|c| c.quantization = None).starts_with("quantization is none, must be given; the array holds"));
    assert!(refused(|c| c.activation = Activation::Relu).starts_with("activation is Relu of 4 bits"));
    assert!(refused(|c| c.output_bias = true).ends_with("train with output_bias = false"));
    assert!(refused(|c| c.quantization.as_mut().unwrap().bits = 8).starts_with("bits is 8 bits, must be sums below"));
    let local = |c: &mut RunConfig| {
        let quantization = c.quantization.as_mut().unwrap();
        (quantization.quantizer, quantization.range) = (Quantizer::UniformAsymm, Range::Local);
    };
    assert!(refused(local).starts_with("quantizer is UniformAsymm 3 bits Local"));
    let uneven = |c: &mut RunConfig| {
        let quantization = c.quantization.as_mut().unwrap();
        (quantization.quantizer, quantization.levels) = (Quantizer::Levels, vec![-1.0, -0.123456, 0.7101, 0.9]);
    };
    assert!(refused(uneven).starts_with("quantizer is Levels"));
}

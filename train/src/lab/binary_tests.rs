//! Tests of runs of binary networks: batch normalisation, thresholds, noise after training, and what the array holds of them.

use super::backward::{gradients, loss};
use super::config::{Activation, Algorithm, Gain, Hidden, Normalization, RunConfig};
use super::deployed;
use super::model::{Model, Step, normal};
use super::noise_evaluation::NoiseLine;
use super::quantizer::{Quantization, Quantizer, Range, Storage};
use super::record::{EpochLine, RunOutcome};
use super::run;
use super::tests::{classified, digits, finished, finished_at};
use crate::image_set::DataSet;
use bitline_golden::random::stream;
use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};
use std::sync::atomic::{AtomicBool, Ordering};

fn binary(quantizer: Quantizer, range: Range, activation: Activation, normalization: Normalization) -> RunConfig {
    let hidden = Hidden { layers: 2, units: 60 };
    let mut config = RunConfig::new(DataSet::Digits, hidden, Algorithm::Backpropagation, 12);
    config.quantization =
        Some(Quantization { quantizer, bits: 1, range, storage: Storage::Latent, levels: Vec::new() });
    (config.activation, config.normalization, config.gain) = (activation, normalization, Gain::FanIn);
    (config.batch, config.learning_rate, config.output_bias) = (32, 0.01, false);
    config
}

/// S002's kinds: its vanilla network, and its own without and with PSSign; and the vanilla one with signs of one size.
fn kinds() -> [RunConfig; 4] {
    let vanilla = |range| binary(Quantizer::Sign, range, Activation::Step, Normalization::Batch);
    let own = |activation| RunConfig {
        hidden_bias: false,
        ..binary(Quantizer::BinWs, Range::Global, activation, Normalization::None)
    };
    [vanilla(Range::Local), own(Activation::Step), own(Activation::PsSign), vanilla(Range::Global)]
}

#[test]
fn binary_networks_learn_the_digits() {
    for config in kinds() {
        let last = finished(&config).epochs.pop().unwrap();
        assert!(last.test_correct >= 225, "{config:?}: {last:?}");
    }
    let [mut aligned, ..] = kinds();
    aligned.algorithm = Algorithm::FeedbackAlignment;
    let last = finished(&aligned).epochs.pop().unwrap();
    assert!(last.test_correct >= 200, "{last:?}");
}

#[test]
fn gradients_through_batch_normalisation_are_those_of_automatic_differentiation() {
    let mut config = RunConfig::new(DataSet::Digits, Hidden { layers: 2, units: 20 }, Algorithm::Backpropagation, 1);
    (config.normalization, config.activation) = (Normalization::Batch, Activation::Tanh);
    let (mut model, data) = (Model::new(&config, 64, 10), digits());
    let mut random = stream("lab normalisation test", 0);
    for layer in &mut model.layers {
        layer.biases.value.iter_mut().for_each(|shift| *shift = normal(&mut random));
        let scales = layer.norm.iter_mut().flat_map(|norm| &mut norm.scale.value);
        scales.for_each(|scale| *scale = normal(&mut random));
    }
    let device = Device::flex().autodiff();
    let tensor =
        |values: &[f32], shape: [usize; 2]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device);
    let mut map = tensor(&data.train_pixels[..32 * 64], [32, 64]);
    let mut parameters = Vec::new();
    for layer in &model.layers {
        let weights = tensor(&layer.weights.value, [layer.inputs, layer.outputs]).require_grad();
        let biases = tensor(&layer.biases.value, [1, layer.outputs]).require_grad();
        map = map.matmul(weights.clone());
        let mut of_layer = vec![weights, biases.clone()];
        if let Some(norm) = &layer.norm {
            let scale = tensor(&norm.scale.value, [1, layer.outputs]).require_grad();
            let centred = map.clone() - map.mean_dim(0);
            let variance = centred.clone().powi_scalar(2).mean_dim(0);
            map = (centred / (variance + 1e-5).sqrt() * scale.clone() + biases).tanh();
            of_layer.push(scale);
        } else {
            map = map + biases;
        }
        parameters.push(of_layer);
    }
    let mut hot = vec![0.0; 320];
    data.train_labels[..32].iter().enumerate().for_each(|(row, label)| hot[row * 10 + usize::from(*label)] = 1.0);
    let grads = (log_softmax(map, 1) * tensor(&hot, [32, 10])).sum().mul_scalar(-1.0 / 32.0).backward();
    let mut noise = stream("unused", 0);
    let trace = model.forward(&config, data.train_pixels[..32 * 64].to_vec(), Some(&mut noise));
    let delta = loss(trace.activations.last().unwrap(), &data.train_labels[..32], 10).2;
    for (ours, theirs) in gradients(&config, &model, &trace, delta, None).iter().zip(parameters) {
        for (ours, theirs) in [&ours.weights, &ours.biases, &ours.scale].into_iter().zip(theirs) {
            let theirs = theirs.grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap();
            let largest = theirs.iter().fold(0.0f32, |largest, g| largest.max(g.abs()));
            assert!(largest > 0.0);
            assert_eq!(ours.len(), theirs.len());
            assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() <= 1e-4 * largest), "{ours:?} {theirs:?}");
        }
    }
}

#[test]
fn running_statistics_become_those_of_the_batch() {
    let [config, ..] = kinds();
    let (mut model, data) = (Model::new(&config, 64, 10), digits());
    let batch = || data.train_pixels[..100 * 64].to_vec();
    let apart = |model: &Model| {
        let [training, evaluation] = [Some(&mut stream("unused", 0)), None].map(|n| model.forward(&config, batch(), n));
        let pairs = training.sums[0].iter().zip(&evaluation.sums[0]);
        (pairs.map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max), training)
    };
    assert!(apart(&model).0 > 0.5);
    for _ in 0..200 {
        let trace = apart(&model).1;
        model.follow(&trace);
    }
    assert!(apart(&model).0 < 1e-3);
}

#[test]
fn threshold_is_one_a_layer_positive_and_trained() {
    let config = RunConfig { hidden_bias: false, ..kinds()[2].clone() };
    let (mut model, data) = (Model::new(&config, 64, 10), digits());
    let start = model.layers[0].threshold.clone().unwrap().value;
    let plain = RunConfig { activation: Activation::Step, ..config.clone() };
    let batch = || data.train_pixels[..32 * 64].to_vec();
    let trace = model.forward(&config, batch(), None);
    let mut without = model.clone();
    without.layers[0].threshold = None;
    let sums = &without.forward(&plain, batch(), None).sums[0];
    for (sum, activation) in sums.iter().zip(&trace.activations[1]) {
        assert_eq!(*activation == 1.0, *sum > start[0], "{sum}");
    }
    assert!(sums.iter().any(|sum| *sum > 0.0 && *sum < start[0]));
    // A gradient of 1 at every unit's sum is one of minus the units at p; a long step stops above 0.
    let delta = loss(trace.activations.last().unwrap(), &data.train_labels[..32], 10).2;
    let mut gradient = gradients(&config, &model, &trace, delta, None).swap_remove(0);
    gradient.biases.fill(1.0);
    let mut rounding = stream("unused", 0);
    let mut step = |model: &mut Model, rate, step| {
        model.update(&config, 0, &gradient, Step { rate, step, rounding: &mut rounding });
        model.layers[0].threshold.clone().unwrap()
    };
    let moved = step(&mut model, 0.05, 1);
    assert!((moved.first[0] + 6.0).abs() < 1e-5 && (moved.value[0] - start[0] - 0.05).abs() < 1e-6, "{moved:?}");
    let low = step(&mut model, -10.0, 2);
    assert!(low.value[0] > 0.0 && low.value[0] < 0.01, "{low:?}");
    assert!(model.layers[2].threshold.is_none());
    assert!(model.layers[0].biases.value.iter().all(|bias| *bias == 0.0), "hidden_bias = false");
}

#[test]
fn resumed_binary_run_leaves_the_record_of_an_uninterrupted_one() {
    for mut config in kinds() {
        (config.epochs, config.noise_sigma, config.noise_evaluation, config.noise_draws) = (2, 0.2, vec![0.0, 0.3], 2);
        let path = std::env::temp_dir().join(format!("bitline-binary-{}.safetensors", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let (cancel, data) = (AtomicBool::new(false), digits());
        let mut stop = |line: &EpochLine| cancel.store(line.epoch == 1, Ordering::Relaxed);
        run(&config, &data, Some(&path), &mut stop, &cancel).unwrap();
        cancel.store(false, Ordering::Relaxed);
        let resumed = run(&config, &data, Some(&path), &mut |_| (), &cancel).unwrap();
        std::fs::remove_file(&path).unwrap();
        let RunOutcome::Finished(resumed) = resumed else { panic!("{resumed:?}") };
        assert_eq!(resumed.epochs, finished(&config).epochs);
        assert_eq!((resumed.epochs[0].noise_evaluation.len(), resumed.epochs[1].noise_evaluation.len()), (0, 2));
    }
}

#[test]
fn noise_after_training_is_on_quantized_weights_and_no_part_of_training() {
    let [.., mut config] = kinds();
    config.epochs = 4;
    let plain = finished(&config).epochs.pop().unwrap();
    let evaluated = |sigmas: &[f64], draws: usize| {
        let config = RunConfig { noise_evaluation: sigmas.to_vec(), noise_draws: draws, ..config.clone() };
        finished(&config).epochs.pop().unwrap()
    };
    let line = evaluated(&[0.0, 0.5, 2.0], 6);
    let lines = &line.noise_evaluation;
    assert_eq!(EpochLine { noise_evaluation: Vec::new(), ..line.clone() }, plain);
    assert_eq!((&lines[0].test_correct, lines[0].test_images), (&vec![plain.test_correct], 297));
    let means: Vec<f64> = lines.iter().map(|line| line.mean_and_deviation().0).collect();
    assert!(means[0] > means[1] && means[1] > means[2] + 10.0 && lines[1].mean_and_deviation().1 > 0.0, "{lines:?}");
    // A draw depends neither on the other sigmas nor on how many draws there are.
    assert_eq!(evaluated(&[0.5], 3).noise_evaluation[0].test_correct, lines[1].test_correct[..3]);

    let model = Model::new(&config, 64, 10);
    let [one, two] = [0.5, 1.0].map(|sigma| super::noise_evaluation::drawn(&config, &model, sigma, 7).used);
    for ((one, two), clean) in one[0].iter().zip(&two[0]).zip(model.used(&config, 0, None)) {
        assert!((two - clean - 2.0 * (one - clean)).abs() < 1e-5 && clean.abs() == 1.0);
    }
    let squares =
        one[0].iter().zip(model.used(&config, 0, None)).map(|(noisy, clean)| f64::from(noisy - clean).powi(2));
    let deviation = (squares.sum::<f64>() / one[0].len() as f64).sqrt();
    // 3840 draws: the standard error is 1.1 %.
    assert!((deviation / 0.5 - 1.0).abs() < 0.05, "{deviation}");
}

#[test]
fn scale_of_a_binary_weight_scales_its_noise() {
    let [config, .., signs] = kinds();
    let model = Model::new(&config, 64, 10);
    let noisy = |config| super::noise_evaluation::drawn(config, &model, 0.4, 0).used.swap_remove(1);
    let scales = super::binary::scales(&model.layers[1].weights.value, 60);
    for (place, (scaled, sign)) in noisy(&config).iter().zip(noisy(&signs)).enumerate() {
        assert!((scaled - sign * scales[place % 60]).abs() < 1e-6, "{scaled} {sign}");
    }
}

#[test]
fn mean_and_deviation_are_those_of_the_draws() {
    let line = NoiseLine { sigma: 0.1, test_correct: vec![1, 2, 3], test_images: 4 };
    assert_eq!(line.mean_and_deviation(), (50.0, 25.0));
    assert_eq!(NoiseLine { test_correct: vec![3], ..line }.mean_and_deviation(), (75.0, 0.0));
}

#[test]
fn deployed_binary_network_classifies_what_the_run_recorded() {
    let data = digits();
    let [_, step, ps_sign, vanilla] = kinds();
    for (index, mut config) in [step, ps_sign, vanilla].into_iter().enumerate() {
        config.epochs = 3;
        let path =
            std::env::temp_dir().join(format!("bitline-binary-array-{index}-{}.safetensors", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let record = finished_at(&config, Some(&path));
        let network = deployed::network(&path, &config, &data, "lab", "bitline train").unwrap();
        std::fs::remove_file(&path).unwrap();
        for layer in &network.layers {
            assert_eq!(layer.weight_bits, 1);
            assert!(layer.weights.iter().all(|weight| weight.abs() == 1));
        }
        assert_eq!(network.layers[1].input_bits, 1);
        let correct = classified(&network);
        assert_eq!(correct, record.epochs[2].test_correct, "{config:?}");
        assert!(correct > 150, "{config:?} {correct}");
    }
}

#[test]
fn float_forward_of_binary_layers_is_the_integers() {
    let data = digits();
    let [_, step, ps_sign, mut vanilla] = kinds();
    vanilla.quantization.as_mut().unwrap().range = Range::Global;
    for config in [step, ps_sign, vanilla] {
        let mut model = Model::new(&config, 64, 10);
        let mut random = stream("lab binary test", 0);
        for norm in model.layers.iter_mut().filter_map(|layer| layer.norm.as_mut()) {
            // Half of the scales are below 0.
            norm.scale.value.iter_mut().for_each(|scale| *scale = normal(&mut random));
            norm.mean.iter_mut().for_each(|mean| *mean = 0.1 * normal(&mut random) + 0.01);
        }
        let layers = deployed::layers(&config, &model, DataSet::Digits).unwrap();
        let images =
            ndarray::Array2::from_shape_fn((64, 64), |(i, p)| (data.train_pixels[i * 64 + p] * 16.0).round() as u8);
        let trace = model.forward(&config, data.train_pixels[..64 * 64].to_vec(), None);
        let exact = crate::frozen::Frozen::new(layers, &Device::flex()).evaluate(images.view());
        for (codes, activations) in exact.codes.iter().zip(&trace.activations[1..]) {
            let pairs = codes.iter().zip(activations);
            assert_eq!(pairs.filter(|(code, activation)| f32::from(**code) != **activation).count(), 0);
            // Sums of 0, which are on the boundary of a step, are among them.
            assert!(codes.contains(&0) && codes.contains(&1));
        }
    }
}

#[test]
fn binary_settings_that_cannot_be_are_refused_by_name() {
    let refused = |kind: usize, change: fn(&mut RunConfig)| {
        let mut config = kinds()[kind].clone();
        change(&mut config);
        config.check(1500).unwrap_err().to_string()
    };
    assert!(kinds().iter().all(|config| config.check(1500) == Ok(())));
    assert_eq!(
        refused(0, |c| c.quantization.as_mut().unwrap().bits = 2),
        "bits is 2, must be 1 with quantizer = sign or bin-ws; use 1"
    );
    let in_place = refused(0, |c| c.quantization.as_mut().unwrap().storage = Storage::InPlace);
    assert!(in_place.starts_with("storage is InPlace, must be latent"), "{in_place}");
    assert!(refused(1, |c| c.quantization.as_mut().unwrap().range = Range::Local).starts_with("range is Local"));
    assert!(refused(1, |c| c.quantization.as_mut().unwrap().levels = vec![0.0]).starts_with("levels is [0.0]"));
    assert!(refused(0, |c| c.algorithm = Algorithm::Hsic).starts_with("normalization is batch, must be none but with"));
    assert!(refused(0, |c| c.batch = 1).starts_with("batch is 1, must be 2 or more"));
    assert_eq!(
        refused(1, |c| c.noise_evaluation = vec![0.2, 0.1]),
        "noise_evaluation is [0.2, 0.1], must be rising numbers of 0..=10; write noise_evaluation = [0, 0.2, 0.4], for example"
    );
    assert!(refused(1, |c| c.noise_evaluation = vec![f64::NAN]).starts_with("noise_evaluation is [NaN]"));
    assert!(refused(1, |c| c.noise_draws = 0).starts_with("noise_draws is 0, must be 1..=1000"));

    let [local, step, ..] = kinds();
    let told = |config: &RunConfig| deployed::check(config, DataSet::Mnist).unwrap_err().to_string();
    assert!(told(&local).starts_with("quantizer is Sign 1 bits Local"));
    let sign = RunConfig { activation: Activation::Sign, ..step };
    assert!(told(&sign).starts_with("activation is Sign of 4 bits, must be codes of 1 to 4 bits, step or ps-sign"));
    let mut table = kinds()[3].clone();
    let quantization = table.quantization.as_mut().unwrap();
    (quantization.quantizer, quantization.bits) = (Quantizer::Eq2, 4);
    assert!(told(&table).starts_with("normalization is batch, must be none with eq2 and levels"));
}

use super::*;
use crate::dataset::Digits;
use crate::random::stream;
use ndarray::{Array2, s};
use proptest::prelude::*;
use rand_chacha::rand_core::RngCore;

/// Floats of the size of a trained softmax regression's, from a seed.
fn float(seed: u64, outputs: usize, inputs: usize) -> FloatLayer {
    let mut random = stream("scale factor tests", seed);
    let mut draw = || (f64::from(random.next_u32()) / f64::from(u32::MAX) * 4.0 - 2.0) as f32;
    FloatLayer {
        weights: Array2::from_shape_simple_fn((outputs, inputs), &mut draw),
        biases: (0..outputs).map(|_| draw()).collect(),
    }
}

#[test]
fn quantize_rounds_half_away_from_zero() {
    for (input, expected) in [(0.5, 1), (-0.5, -1), (1.5, 2), (-1.5, -2), (2.5, 3), (-2.5, -3), (0.49, 0), (-0.49, 0)] {
        assert_eq!(quantize(input, 1.0, 4), expected, "{input}");
        // 0.25 is exact in binary, so the quotients are the same halves.
        assert_eq!(quantize(input * 0.25, 0.25, 4), expected, "{input}");
    }
}

#[test]
fn quantize_saturates_at_both_ends() {
    for bits in 2..=8 {
        let (low, high) = (-(1i16 << (bits - 1)), (1i16 << (bits - 1)) - 1);
        for (input, expected) in [
            (f32::from(high) + 0.49, high),
            (f32::from(high) + 0.5, high),
            (1e30, high),
            (f32::from(low) - 0.49, low),
            (f32::from(low) - 0.5, low),
            (-1e30, low),
            (f32::from(low) + 0.5, low),
            (f32::from(low) + 0.51, low + 1),
        ] {
            assert_eq!(i16::from(quantize(input, 1.0, bits)), expected, "{input} at {bits} bits");
        }
    }
}

#[test]
fn quantize_follows_the_equation_literally() {
    // MATLAB: min(max(round(x / 0.3425), -8), 7), worked by hand.
    let cases = [
        (0.17, 0),
        (0.172, 1),
        (-0.172, -1),
        (0.6, 2),
        (2.22, 6),
        (2.23, 7),
        (9.0, 7),
        (-2.56, -7),
        (-2.58, -8),
        (-9.0, -8),
    ];
    for (input, expected) in cases {
        assert_eq!(quantize(input, 0.3425, 4), expected, "{input}");
    }
}

#[test]
fn scale_factor_of_a_step_is_the_decimal() {
    assert_eq!(scale_factor_of(3425), 0.3425);
    assert_eq!(scale_factor_of(1), 0.0001);
    assert_eq!(scale_factor_of(3), 0.0003);
}

#[test]
fn quantize_layer_keeps_what_it_came_from() {
    let float = float(1, 3, 8);
    let layer = quantize_layer(&float, 0.25, 3, 5, 16).unwrap();
    assert_eq!((layer.weight_bits, layer.input_bits, layer.bias_code), (3, 5, 16));
    assert_eq!(layer.scale_factor, Some(0.25));
    assert_eq!(layer.float.as_ref(), Some(&float));
    assert_eq!(layer.weights[[2, 7]], quantize(float.weights[[2, 7]], 0.25, 3));
    assert_eq!(layer.biases[1], quantize(float.biases[1], 0.25, 3));
}

#[test]
fn faults_are_refused() {
    let good = float(2, 3, 64);
    let digits = Digits::embedded();
    let (images, labels) = (digits.test_images(), digits.test_labels());
    let layer = |sf, bits| quantize_layer(&good, sf, bits, 5, 16).unwrap_err().to_string();
    assert_eq!(layer(1.0, 1), "weight_bits is 1, Eq. 2 takes 2..=8; binary weights have their own quantizer");
    assert_eq!(layer(0.0, 4), "scale factor is 0, must be finite and above 0; start the sweep at 0.0001");
    assert!(layer(f64::NAN, 4).starts_with("scale factor is NaN"));
    let run = |float: &FloatLayer| sweep(float, 4, 16, images, labels).unwrap_err().to_string();
    let mut bad = good.clone();
    bad.biases[1] = f32::NAN;
    assert_eq!(run(&bad), "bias of output 1 is NaN, must be finite; train again with a smaller step");
    bad.biases[1] = 50.0;
    assert_eq!(
        run(&bad),
        "the largest weight is 50, the sweep ends at a scale factor of 100 and takes up to 50; scale the network down"
    );
    bad.biases.pop();
    assert_eq!(run(&bad), "biases number 2, must be 3; sweep with the images that the network takes");
    assert_eq!(
        sweep(&good, 4, 16, images.slice(s![.., ..63]), labels).unwrap_err().to_string(),
        "pixels of an image number 63, must be 64; sweep with the images that the network takes"
    );
    assert_eq!(
        sweep(&good, 4, 16, images, &labels[1..]).unwrap_err().to_string(),
        "labels number 296, must be 297; sweep with the images that the network takes"
    );
    assert_eq!(
        sweep(&good, 4, 16, images.slice(s![..0, ..]), &[]).unwrap_err().to_string(),
        "the sweep has no images, it needs at least 1; give it a part of the data set"
    );
}

#[test]
fn sweep_equals_the_plain_count_on_the_digits() {
    let digits = Digits::embedded();
    let float = float(3, 10, 64);
    let (images, labels) = (digits.test_images(), digits.test_labels());
    let result = sweep(&float, 4, 16, images, labels).unwrap();
    let last = result.correct.len() as u32;
    for step in (1..=last).step_by(61).chain([2, 3, last - 1, last]) {
        let layer = quantize_layer(&float, scale_factor_of(step), 4, 5, 16).unwrap();
        assert_eq!(result.correct_at(step) as usize, correct_images(&layer, images, labels), "step {step}");
    }
    let zero = |step| {
        let layer = quantize_layer(&float, scale_factor_of(step), 4, 5, 16).unwrap();
        layer.weights.iter().chain(&layer.biases).all(|w| *w == 0)
    };
    assert!(zero(last) && !zero(last - 1), "the sweep ends at the first all-zero network");
}

#[test]
fn sweep_of_an_all_zero_network_has_one_step() {
    let digits = Digits::embedded();
    let float = FloatLayer { weights: Array2::zeros((10, 64)), biases: vec![0.0; 10] };
    let result = sweep(&float, 4, 16, digits.images.view(), &digits.labels).unwrap();
    // Every image ties, ties go to the lowest class, and 178 of the 1797 digits are zeros.
    assert_eq!(result.correct, [178]);
    assert_eq!(result.choose().step, 1);
}

#[test]
fn choose_takes_the_middle_of_the_longest_best_run() {
    let choose = |correct: &[u32]| {
        let chosen = Sweep { images: 9, correct: correct.to_vec() }.choose();
        (chosen.step, chosen.correct, chosen.first_step, chosen.last_step)
    };
    assert_eq!(choose(&[1, 5, 3, 5, 5, 5, 2, 0]), (5, 5, 4, 6));
    assert_eq!(choose(&[5, 5, 3, 5, 5, 0]), (1, 5, 1, 2), "the first of two, and its lower middle");
    assert_eq!(choose(&[5, 3, 5, 5, 5, 5, 0]), (4, 5, 3, 6));
    assert_eq!(choose(&[1, 1, 7]), (1, 1, 1, 2), "the all-zero end is not a choice");
    assert_eq!(choose(&[7]), (1, 7, 1, 1));
}

#[test]
fn adding_sweeps_continues_the_shorter() {
    let sum = Sweep { images: 4, correct: vec![1, 2, 3] }.add(&Sweep { images: 5, correct: vec![5, 1] });
    assert_eq!(sum, Sweep { images: 9, correct: vec![6, 3, 4] });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn sweep_equals_the_plain_count_at_every_step(
        seed in any::<u64>(),
        bits in 2usize..=8,
        outputs in 2usize..5,
        inputs in 1usize..6,
        bias_code in 0u32..32,
        scale in 0.001f32..0.05,
    ) {
        let mut float = float(seed, outputs, inputs);
        float.weights *= scale;
        float.biases.iter_mut().for_each(|b| *b *= scale);
        let mut random = stream("sweep images", seed);
        let images = Array2::from_shape_simple_fn((7, inputs), || (random.next_u32() % 32) as u8);
        let labels: Vec<u8> = (0..7).map(|_| (random.next_u32() as usize % outputs) as u8).collect();
        let result = sweep(&float, bits, bias_code, images.view(), &labels).unwrap();
        for (k, correct) in result.correct.iter().enumerate() {
            let layer = quantize_layer(&float, scale_factor_of(k as u32 + 1), bits, 5, bias_code).unwrap();
            prop_assert_eq!(*correct as usize, correct_images(&layer, images.view(), &labels), "step {}", k + 1);
        }
    }
}

//! The packed path equals the plain one, at every level this processor has.

mod common;

use bitline_golden::array::{DeviceArray, weight_range};
use bitline_golden::error::GoldenError;
use bitline_golden::machine::QuantizerConfig;
use bitline_golden::packed::{self, Level, PackedArray};
use bitline_golden::run::run;
use common::{Sizes, lossless_quantizer, sizes};
use ndarray::Array2;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600, max_global_rejects: 10_000, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
    })]

    #[test]
    fn packed_equals_plain(sizes in sizes(200)) {
        let problem = sizes.problem(true);
        prop_assume!(problem.is_some());
        let problem = problem.unwrap();
        let plain = run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap();
        for level in Level::available() {
            for threads in [1, 2] {
                let packed = PackedArray::with_level(&problem.machine, &problem.array, level).unwrap().threads(threads);
                prop_assert_eq!(&packed.run(&problem.images, &problem.labels).unwrap(), &plain, "{:?}", level);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Many outputs and images, lossless (the product kernels) and not (the lanes' transposition).
    #[test]
    fn packed_equals_plain_for_many_outputs(
        rows in 1..200usize, bias_rows in 0..2usize, outputs in 2..75usize, weight_bits in 1..=8usize,
        input_bits in 1..=8usize, tiles in 1..3usize, images in 0..150usize, lossless: bool, seed: u64,
    ) {
        let quantizer = lossless_quantizer(rows, 100);
        let bits = quantizer.bits.saturating_sub(u32::from(!lossless)).max(1);
        let (ratio, reference_column, missing_rows) = (100, true, rows / 3);
        let quantizer = QuantizerConfig { bits, ..quantizer };
        let sizes = Sizes {
            rows, bias_rows, outputs, weight_bits, input_bits, tiles, missing_rows, images, ratio, reference_column,
            quantizer, seed,
        };
        let problem = sizes.problem(true).unwrap();
        let plain = run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap();
        for level in Level::available() {
            let packed = PackedArray::with_level(&problem.machine, &problem.array, level).unwrap();
            prop_assert_eq!(&packed.run(&problem.images, &problem.labels).unwrap(), &plain, "{:?}", level);
        }
    }
}

/// Tall tiles, counts beyond a byte, several blocks of rows, every recombination.
#[test]
fn packed_equals_plain_where_counts_need_more_than_a_byte() {
    for rows in [255, 256, 257, 400, 1024] {
        let lossless = lossless_quantizer(rows, 100);
        for (weight_bits, input_bits) in [(1, 2), (2, 2), (3, 1), (4, 2)] {
            for reference_column in [true, false] {
                for quantizer in [
                    QuantizerConfig { bits: 6, ..lossless },
                    QuantizerConfig { bits: 8, shift: lossless.shift + 2, ..lossless },
                    lossless,
                ] {
                    let sizes = Sizes {
                        rows,
                        bias_rows: 1,
                        outputs: 3,
                        weight_bits,
                        input_bits,
                        tiles: 1,
                        missing_rows: 0,
                        images: 40,
                        ratio: 100,
                        reference_column,
                        quantizer,
                        seed: rows as u64,
                    };
                    let Some(problem) = sizes.problem(true) else { continue };
                    let plain = run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap();
                    for level in Level::available() {
                        let packed = PackedArray::with_level(&problem.machine, &problem.array, level).unwrap();
                        assert_eq!(packed.run(&problem.images, &problem.labels).unwrap(), plain, "{level:?} {sizes:?}");
                    }
                }
            }
        }
    }
}

/// The largest sums of either sign, where additions in few bits would be the first to overflow.
#[test]
fn packed_product_holds_the_largest_sums() {
    for (weight_bits, input_bits) in [(2, 1), (4, 4), (4, 8), (5, 7), (8, 1), (8, 4), (8, 7), (8, 8)] {
        for outputs in [5, 16, 27] {
            let (rows, ratio) = (1024, 100);
            let sizes = Sizes {
                rows,
                bias_rows: 0,
                outputs,
                weight_bits,
                input_bits,
                tiles: 1,
                missing_rows: 0,
                images: 13,
                ratio,
                reference_column: true,
                quantizer: lossless_quantizer(rows, ratio),
                seed: 1,
            };
            let mut problem = sizes.problem(false).unwrap();
            let (low, high) = weight_range(weight_bits);
            let extreme = |output: usize| if output.is_multiple_of(2) { low } else { high } as i8;
            let weights = Array2::from_shape_fn((outputs, rows), |(output, _)| extreme(output));
            problem.array = DeviceArray::from_weights(&problem.machine, &weights).unwrap();
            problem.images.fill(((1u32 << input_bits) - 1) as u8);
            let plain = run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap();
            let code = i32::from(problem.images[[0, 0]]);
            assert_eq!(plain.outputs[[0, 0]], rows as i32 * low * code);
            assert_eq!(plain.outputs[[12, 1]], rows as i32 * high * code);
            for level in Level::available() {
                let packed = PackedArray::with_level(&problem.machine, &problem.array, level).unwrap();
                let context = format!("{level:?}, {weight_bits} and {input_bits} bits, {outputs} outputs");
                assert_eq!(packed.run(&problem.images, &problem.labels).unwrap(), plain, "{context}");
                let mut sums = Array2::zeros((0, 0));
                assert!(packed.multiply(&problem.images, &mut sums).unwrap(), "{context}: no product");
                assert_eq!(sums, plain.outputs, "{context}");
            }
        }
    }
}

/// Every conversion saturates: more often in a lane than a byte counts.
#[test]
fn packed_counts_every_saturation() {
    for (weight_bits, outputs) in [(4, 10), (4, 100), (8, 9), (8, 75), (1, 300)] {
        let (rows, images) = (40, 130);
        let sizes = Sizes {
            rows,
            bias_rows: 0,
            outputs,
            weight_bits,
            input_bits: 4,
            tiles: 1,
            missing_rows: 0,
            images,
            ratio: 100,
            reference_column: true,
            quantizer: QuantizerConfig { bits: 3, ..lossless_quantizer(rows, 100) },
            seed: 1,
        };
        let mut problem = sizes.problem(false).unwrap();
        // All devices conduct: -1 in two's complement, +1 where a weight is one device.
        let weights = Array2::from_elem((outputs, rows), if weight_bits == 1 { 1 } else { -1 });
        problem.array = DeviceArray::from_weights(&problem.machine, &weights).unwrap();
        problem.images.fill(15);
        let plain = run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap();
        assert_eq!(plain.counters.saturations, (images * outputs * weight_bits * 4) as u64);
        for level in Level::available() {
            let packed = PackedArray::with_level(&problem.machine, &problem.array, level).unwrap();
            let context = format!("{level:?}, {weight_bits} bits, {outputs} outputs");
            assert_eq!(packed.run(&problem.images, &problem.labels).unwrap(), plain, "{context}");
        }
    }
}

/// A quantizer of twice the gain clamps a count of 1 to 1: right, and yet a saturation.
#[test]
fn packed_counts_a_clamp_to_the_right_code() {
    let sizes = Sizes {
        rows: 1,
        bias_rows: 0,
        outputs: 2,
        weight_bits: 1,
        input_bits: 1,
        tiles: 1,
        missing_rows: 0,
        images: 2,
        ratio: 2,
        reference_column: true,
        quantizer: QuantizerConfig { multiplier: 2, shift: 0, bits: 1 },
        seed: 0,
    };
    let problem = sizes.problem(false).unwrap();
    let plain = run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap();
    assert_eq!(packed::run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap(), plain);
    assert!(plain.counters.saturations > 0);
}

#[test]
fn packed_refuses_what_plain_refuses() {
    let sizes = Sizes {
        rows: 70,
        bias_rows: 1,
        outputs: 3,
        weight_bits: 4,
        input_bits: 4,
        tiles: 1,
        missing_rows: 0,
        images: 130,
        ratio: 100,
        reference_column: true,
        quantizer: lossless_quantizer(70, 100),
        seed: 1,
    };
    let mut problem = sizes.problem(false).unwrap();
    problem.images[[77, 5]] = 16;
    let refused = packed::run(&problem.machine, &problem.array, &problem.images, &problem.labels);
    assert_eq!(refused, run(&problem.machine, &problem.array, &problem.images, &problem.labels));
    assert_eq!(
        refused.unwrap_err(),
        GoldenError::InputCode { image: 77, input: 5, code: 16, input_bits: 4, limit: 15 }
    );
    problem.labels.pop();
    assert!(matches!(
        packed::run(&problem.machine, &problem.array, &problem.images, &problem.labels),
        Err(GoldenError::LabelCount { .. })
    ));
}

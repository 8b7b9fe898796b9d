//! The plain model against arithmetic that shares none of its code: integer products and floating point.

mod common;

use bitline_golden::array::DeviceArray;
use bitline_golden::counters::Counters;
use bitline_golden::error::GoldenError;
use bitline_golden::machine::{Machine, QuantizerConfig};
use bitline_golden::run::run;
use bitline_golden::timing::run_cycles;
use bitline_golden::trace::explain;
use common::{Problem, Sizes, lossless_quantizer, sizes};
use ndarray::{Array2, array};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Input codes with the bias rows' codes behind them, as i32.
fn driven(problem: &Problem) -> Array2<i32> {
    let (images, inputs) = problem.images.dim();
    Array2::from_shape_fn((images, inputs + problem.machine.bias_rows), |(image, row)| {
        if row < inputs { i32::from(problem.images[[image, row]]) } else { problem.machine.bias_code as i32 }
    })
}

/// Index of the first largest value, written the other way round than golden's.
fn first_largest(sums: &[i32]) -> usize {
    let largest = sums.iter().max().unwrap();
    sums.iter().position(|sum| sum == largest).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_global_rejects: 10_000, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn run_lossless_equals_the_integer_product(mut sizes in sizes(5)) {
        sizes.reference_column = true;
        sizes.quantizer = lossless_quantizer(sizes.rows, sizes.ratio);
        let problem = sizes.problem(false);
        prop_assume!(problem.is_some());
        let problem = problem.unwrap();
        prop_assert!(problem.machine.is_lossless());
        let result = run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap();
        let codes = driven(&problem);
        let product = codes.dot(&problem.weights.mapv(i32::from).t());
        prop_assert_eq!(&result.outputs, &product);

        let images = problem.images.nrows() as u64;
        let reads = images * (sizes.input_bits * sizes.tiles) as u64;
        let classes: Vec<usize> = product.rows().into_iter().map(|y| first_largest(&y.to_vec())).collect();
        let correct = classes.iter().zip(&problem.labels).filter(|(class, label)| **label == Some(**class as u8));
        prop_assert_eq!(result.counters, Counters {
            cycles: run_cycles(&problem.machine, images),
            busy_cycles: images * problem.machine.steps_per_image() as u64,
            array_reads: reads,
            row_pulses: codes.iter().map(|code| u64::from(code.count_ones())).sum(),
            conversions: reads * (sizes.outputs * sizes.weight_bits) as u64,
            saturations: 0,
            macs: images * problem.weights.len() as u64,
            images,
            correct: correct.count() as u64,
        });
        for (image, y) in product.rows().into_iter().enumerate() {
            let mut sorted = y.to_vec();
            sorted.sort_unstable();
            prop_assert_eq!(usize::from(result.classes[image]), classes[image]);
            prop_assert_eq!(result.margins[image] as i32, sorted[sizes.outputs - 1] - sorted[sizes.outputs - 2]);
        }
    }

    /// Eq. 2 in floating point, device by device, in ohms: exact, as every number is far below 2^53.
    #[test]
    fn run_any_machine_equals_device_by_device_floating_point(sizes in sizes(4)) {
        let problem = sizes.problem(true);
        prop_assume!(problem.is_some());
        let problem = problem.unwrap();
        let result = run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap();
        let codes = driven(&problem);
        let (bits, quantizer) = (sizes.weight_bits, &sizes.quantizer);
        let full_scale = f64::from((1u32 << quantizer.bits) - 1);
        let mut saturations = 0;
        for image in 0..codes.nrows() {
            for output in 0..sizes.outputs {
                let mut y = 0.0;
                for first in (0..codes.ncols()).step_by(sizes.rows) {
                    let rows = first..(first + sizes.rows).min(codes.ncols());
                    for i in 0..sizes.input_bits {
                        let on = |row: usize| f64::from((codes[[image, row]] >> i) & 1);
                        let active: f64 = rows.clone().map(on).sum();
                        for j in 0..bits {
                            let conductance = |row| {
                                let lrs = problem.array.get(row, output * bits + j);
                                if lrs { f64::from(sizes.ratio) } else { 1.0 }
                            };
                            let mut current: f64 = rows.clone().map(|row| on(row) * conductance(row)).sum();
                            if sizes.reference_column {
                                current -= active;
                            }
                            let scale = f64::from(quantizer.multiplier) / 2f64.powi(quantizer.shift as i32);
                            let unclamped = (current * scale).round();
                            let code = unclamped.min(full_scale);
                            saturations += u64::from(code != unclamped);
                            let weight = 2f64.powi((i + j) as i32);
                            y += match (bits, j + 1 == bits) {
                                (1, _) => weight * (2.0 * code - active),
                                (_, true) => -weight * code,
                                (_, false) => weight * code,
                            };
                        }
                    }
                }
                prop_assert_eq!(f64::from(result.outputs[[image, output]]), y);
            }
        }
        prop_assert_eq!(result.counters.saturations, saturations);
    }

    #[test]
    fn explain_equals_run(sizes in sizes(3)) {
        let problem = sizes.problem(true);
        prop_assume!(problem.is_some());
        let problem = problem.unwrap();
        let result = run(&problem.machine, &problem.array, &problem.images, &problem.labels).unwrap();
        let (mut pulses, mut saturations) = (0, 0);
        for (image, codes) in problem.images.rows().into_iter().enumerate() {
            let trace = explain(&problem.machine, &problem.array, codes).unwrap();
            prop_assert_eq!(&trace.outputs, &result.outputs.row(image).to_vec());
            prop_assert_eq!(trace.verdict.class, result.classes[image]);
            prop_assert_eq!(trace.verdict.margin, result.margins[image]);
            pulses += trace.reads.iter().map(|read| u64::from(read.reading.active)).sum::<u64>();
            saturations += trace.reads.iter().flat_map(|read| &read.reading.readings).filter(|r| r.saturated).count();
        }
        prop_assert_eq!((pulses, saturations as u64), (result.counters.row_pulses, result.counters.saturations));
    }
}

fn two_by_two() -> Machine {
    let base = Machine::named("tiny").unwrap();
    Machine {
        rows: 2,
        bias_rows: 0,
        bias_code: 0,
        outputs: 2,
        weight_bits: 2,
        input_bits: 2,
        row_lanes: 2,
        plane_lanes: 1,
        column_lanes: 2,
        ..base
    }
}

#[test]
fn run_hand_computed_case() {
    // y = [[1, -2], [0, 1]] . (3, 1): 3 - 2 = 1 and 1.
    let machine = two_by_two();
    let array = DeviceArray::from_weights(&machine, &array![[1, -2], [0, 1]]).unwrap();
    let result = run(&machine, &array, &array![[3, 1]], &[Some(0)]).unwrap();
    assert_eq!(result.outputs, array![[1, 1]]);
    assert_eq!((result.classes, result.margins), (vec![0], vec![0]));
    assert_eq!(result.counters.row_pulses, 3); // 3 = 11b pulses twice, 1 = 01b once
    assert_eq!(result.counters.correct, 1);
}

#[test]
fn run_saturating_column_is_clamped_and_counted() {
    // One-bit codes: the column of both LRS devices reads 2 and is clamped to 1.
    let machine = Machine { quantizer: QuantizerConfig { multiplier: 662, shift: 16, bits: 1 }, ..two_by_two() };
    let array = DeviceArray::from_weights(&machine, &array![[1, 1], [0, 1]]).unwrap();
    let result = run(&machine, &array, &array![[3, 1]], &[None]).unwrap();
    // Plane 0 drives both rows: counts 2 and 1, read as 1 and 1. Plane 1 drives row 0: 1 and 0.
    assert_eq!(result.outputs, array![[1 + 2, 1]]);
    assert_eq!((result.counters.saturations, result.counters.correct), (1, 0));
}

#[test]
fn run_leakage_adds_the_driven_rows() {
    // Without the reference column and with I passed on as it is: 99 n + a.
    let mut machine = Machine { quantizer: QuantizerConfig { multiplier: 1, shift: 0, bits: 8 }, ..two_by_two() };
    machine.conductance.reference_column = false;
    let array = DeviceArray::from_weights(&machine, &array![[1, 0], [0, 0]]).unwrap();
    let trace = explain(&machine, &array, array![1u8, 1].view()).unwrap();
    assert_eq!(trace.reads[0].reading.currents, [101, 2, 2, 2]);
    assert_eq!(trace.outputs, [101 - 2 * 2, 2 - 2 * 2]);
}

#[test]
fn run_no_images_counts_no_work() {
    let machine = two_by_two();
    let array = DeviceArray::from_weights(&machine, &Array2::zeros((2, 2))).unwrap();
    let result = run(&machine, &array, &Array2::zeros((0, 2)), &[]).unwrap();
    assert_eq!(result.counters, Counters { cycles: run_cycles(&machine, 0), ..Counters::default() });
    assert!(result.classes.is_empty());
}

#[test]
fn run_refuses_what_the_machine_cannot_take() {
    let machine = two_by_two();
    let array = DeviceArray::from_weights(&machine, &Array2::zeros((2, 2))).unwrap();
    assert_eq!(
        run(&machine, &array, &array![[1, 4]], &[None]).unwrap_err(),
        GoldenError::InputCode { image: 0, input: 1, code: 4, input_bits: 2, limit: 3 }
    );
    assert!(matches!(
        run(&machine, &array, &array![[1, 1, 1]], &[None]),
        Err(GoldenError::Shape { what: "image", unit: "inputs", value: 3, .. })
    ));
    assert_eq!(
        run(&machine, &array, &array![[1, 1]], &[]).unwrap_err(),
        GoldenError::LabelCount { labels: 0, images: 1 }
    );
    assert!(matches!(
        run(&machine, &DeviceArray::new(2, 3), &array![[1, 1]], &[None]),
        Err(GoldenError::Shape { what: "device array", unit: "columns", value: 3, .. })
    ));
}

#[test]
fn first_difference_names_output_plane_and_column() {
    let problem = Sizes {
        rows: 12,
        bias_rows: 1,
        outputs: 4,
        weight_bits: 3,
        input_bits: 3,
        tiles: 2,
        missing_rows: 3,
        images: 2,
        ratio: 100,
        reference_column: true,
        quantizer: lossless_quantizer(12, 100),
        seed: 5,
    }
    .problem(false)
    .unwrap();
    // Image 1 drives every input with all planes, so that a flipped device shows in plane 0.
    let image = problem.images.row(1);
    let before = explain(&problem.machine, &problem.array, image).unwrap();
    let mut array = problem.array.clone();
    array.flip(14, 7); // row 2 of tile 1; column 7 is bit 1 of output 2
    let after = explain(&problem.machine, &array, image).unwrap();
    let difference = before.first_difference(&after).unwrap();
    assert_eq!((difference.output, difference.reading), (2, Some((1, 0, 7))));
    let (left, right) = difference.values;
    assert_eq!(difference.to_string(), format!("output 2, tile 1, plane 0, column 7: code {left}, not {right}"));
    assert_eq!(before.first_difference(&before), None);
}

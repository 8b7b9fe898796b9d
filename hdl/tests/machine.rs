//! Whole machines: RustHDL = golden, outputs and every counter.

mod support;

use bitline_golden::array::DeviceArray;
use bitline_golden::counters::Counters;
use bitline_golden::machine::{Conductance, Machine, QuantizerConfig};
use bitline_golden::random::stream;
use bitline_golden::registers::{CONTROL_CLEAR, Region, slot_offset};
use bitline_golden::run::run;
use bitline_golden::timing::run_cycles;
use bitline_hdl::simulation::{LinkMode, SimulationOptions, simulate};
use ndarray::Array2;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use support::{Asker, Problem, code_max, run_built_in, run_on_gateware};

const MACHINES: [&str; 3] = ["tiny", "digits", "digits-turbo"];

fn machines() -> impl Iterator<Item = Machine> {
    MACHINES.into_iter().map(|name| Machine::named(name).unwrap())
}

fn assert_equal(problem: &Problem) {
    assert_eq!(run_built_in(problem), problem.expected(), "{}", problem.machine.name);
}

#[test]
fn problem_loaded_over_the_link_equals_golden() {
    for (machine, images) in machines().zip([5, 2, 3]) {
        let problem = Problem::random(&machine, images, 1);
        assert_eq!(run_on_gateware(&problem), problem.expected(), "{}", machine.name);
    }
}

#[test]
fn problem_all_zero_equals_golden() {
    machines().for_each(|machine| assert_equal(&Problem::uniform(&machine, 2, 0, 0)));
}

#[test]
fn problem_all_ones_equals_golden() {
    // Weight -1 is a 1 in every column.
    machines().for_each(|machine| assert_equal(&Problem::uniform(&machine, 2, -1, code_max(&machine))));
}

#[test]
fn problem_of_the_extreme_weights_equals_golden() {
    for machine in machines() {
        let top = 1i8 << (machine.weight_bits - 1);
        for weight in [-top, top - 1] {
            assert_equal(&Problem::uniform(&machine, 1, weight, code_max(&machine)));
        }
    }
}

#[test]
fn problem_of_alternating_signs_equals_golden() {
    for machine in machines() {
        let mut problem = Problem::uniform(&machine, 2, 0, code_max(&machine));
        let weights =
            Array2::from_shape_fn((machine.outputs, machine.rows), |(o, r)| if (o + r) % 2 == 0 { 1 } else { -1 });
        problem.devices = DeviceArray::from_weights(&machine, &weights).unwrap();
        assert_equal(&problem);
    }
}

#[test]
fn problem_with_one_hot_row_equals_golden() {
    for machine in machines() {
        let mut problem = Problem::random(&machine, 3, 7);
        let hot = [0, machine.inputs() / 2, machine.inputs() - 1];
        problem.images = Array2::from_shape_fn((3, machine.inputs()), |(image, row)| u8::from(hot[image] == row));
        assert_equal(&problem);
    }
}

#[test]
fn problem_whose_outputs_tie_takes_the_lowest_class() {
    for machine in machines() {
        let problem = Problem::uniform(&machine, 2, 1, 1);
        let result = run_built_in(&problem);
        assert_eq!(result, problem.expected());
        assert_eq!((result.classes, result.margins), (vec![0, 0], vec![0, 0]));
        assert_eq!(result.counters.correct, 2);
    }
}

#[test]
fn problem_without_labels_counts_none_correct() {
    for machine in machines() {
        let mut problem = Problem::uniform(&machine, 2, 1, 1);
        problem.labels = vec![None; 2];
        assert_equal(&problem);
        assert_eq!(run_built_in(&problem).counters.correct, 0);
    }
}

#[test]
fn run_of_any_number_of_images_takes_the_predicted_clocks() {
    for (machine, most) in machines().zip([8, 3, 8]) {
        let problem = Problem::random(&machine, most, 3);
        let mut asker = problem.built_in(LinkMode::Bytes);
        let mut expected = Counters::default();
        // The counters run on from run to run.
        for images in (0..=most).chain([1, 0]) {
            asker.start(0, images, None);
            let part = problem.images.slice(ndarray::s![..images, ..]).to_owned();
            let run = run(&machine, &problem.devices, &part, &problem.labels[..images]).unwrap().counters;
            assert_eq!(run.cycles, run_cycles(&machine, images as u64));
            expected = expected.accumulate(&run);
            assert_eq!(asker.counters(), expected, "{}, {images} images", machine.name);
        }
    }
}

#[test]
fn counters_cleared_start_again_from_zero() {
    let problem = Problem::random(&Machine::named("tiny").unwrap(), 4, 4);
    let mut asker = problem.built_in(LinkMode::Bytes);
    for _ in 0..2 {
        asker.start(0, 4, None);
        assert_eq!(asker.counters(), problem.expected().counters);
        assert_eq!(u64::from(asker.machine.leds()), problem.expected().counters.correct & 0x1FF);
        asker.set("control", CONTROL_CLEAR);
        assert_eq!(asker.counters(), Counters::default());
        assert_eq!(asker.machine.leds(), 0);
    }
}

#[test]
fn results_land_where_result_slot_says() {
    let machine = Machine::named("tiny").unwrap();
    let problem = Problem::random(&machine, 4, 5);
    for (first_slot, result_slot) in [(0, 4), (0, 12), (3, 9), (12, 0), (0, 0), (5, 5)] {
        let mut asker = Asker::new(simulate(&machine, SimulationOptions::default()).unwrap());
        asker.load(&problem, first_slot);
        asker.start(first_slot, 4, Some(result_slot));
        assert_eq!(asker.result(&problem, result_slot), problem.expected(), "{first_slot} {result_slot}");
    }
}

#[test]
fn results_are_not_stored_unless_mode_says_so() {
    let machine = Machine::named("tiny").unwrap();
    let problem = Problem::random(&machine, 4, 6);
    let mut asker = problem.built_in(LinkMode::Bytes);
    let all = |asker: &mut Asker| -> Vec<Vec<u16>> {
        let read = |slot| asker.read(Region::Slots, slot_offset(&machine, slot, 0), machine.slot_words());
        (0..machine.slots).map(read).collect()
    };
    let before = all(&mut asker);
    asker.start(0, 4, None);
    assert_eq!(all(&mut asker), before);
    assert_eq!(asker.counters(), problem.expected().counters);
    asker.start(0, 4, Some(4));
    assert_ne!(all(&mut asker), before);
}

#[test]
fn quantizer_that_saturates_equals_golden() {
    for machine in machines() {
        for (multiplier, shift, bits) in [(662, 16, 2), (662, 15, 3), (331, 16, 5), (1, 0, 7), (7, 3, 1), (300, 16, 4)]
        {
            let quantizer = QuantizerConfig { multiplier, shift, bits };
            let machine = Machine { quantizer, ..machine.clone() };
            // All but the table of 65 entries are cheap; the large machines take one of each shape.
            if machine.name != "tiny" && !matches!(bits, 2 | 7) {
                continue;
            }
            let problem = Problem::random(&machine, 2, u64::from(multiplier));
            let expected = problem.expected();
            assert!(expected.counters.saturations > 0 || bits >= 4, "nothing saturates");
            assert_equal(&problem);
        }
    }
}

#[test]
fn stuck_devices_equal_golden() {
    for machine in machines() {
        let mut problem = Problem::random(&machine, 2, 8);
        problem.devices.stick_fraction(0.2, 0.5, &mut stream("stuck", 8)).unwrap();
        assert!(problem.devices.stuck_devices() > 0);
        assert_equal(&problem);
    }
}

#[test]
fn device_flipped_after_loading_differs_from_golden_and_equals_the_flipped_array() {
    for machine in machines() {
        let mut problem = Problem::random(&machine, 2, 9);
        // A bias row is always driven, so that the flip shows.
        let (row, column) = (machine.rows - 1, machine.columns() - 2);
        let healthy = problem.expected();
        let mut asker = problem.built_in(LinkMode::Bytes);
        assert!(asker.machine.flip_device(row, column));
        assert!(!asker.machine.flip_device(machine.rows, 0) && !asker.machine.flip_device(0, machine.columns()));
        asker.start(0, 2, Some(2));
        let found = asker.result(&problem, 2);
        assert_ne!(found.outputs, healthy.outputs, "{}", machine.name);
        problem.devices.flip(row, column);
        assert_eq!(found, problem.expected(), "{}", machine.name);
    }
}

#[test]
fn bits_on_the_wire_carry_the_same_run() {
    let problem = Problem::random(&Machine::named("tiny").unwrap(), 3, 10);
    let options = SimulationOptions { link: LinkMode::Wire, ..Default::default() };
    let mut asker = Asker::new(simulate(&problem.machine, options).unwrap());
    let words = asker.identify();
    assert_eq!(words, Asker::new(simulate(&problem.machine, SimulationOptions::default()).unwrap()).identify());
    asker.load(&problem, 0);
    asker.start(0, 3, Some(3));
    assert_eq!(asker.result(&problem, 3), problem.expected());
}

/// Run a property on cases that depend on nothing but this file.
fn check<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    if let Err(error) = runner.run(&strategy, property) {
        panic!("{error}\nreproduce with: cargo test -p bitline-hdl --test machine");
    }
}

/// Equal outputs and counters for random devices, some of them stuck, images and labels.
fn equal(machine: &Machine, images: usize, seed: u64) -> Result<(), TestCaseError> {
    let mut problem = Problem::random(machine, images, seed);
    if seed.is_multiple_of(3) {
        problem.devices.stick_fraction(0.1, 0.5, &mut stream("stuck", seed)).unwrap();
    }
    prop_assert_eq!(run_built_in(&problem), problem.expected());
    Ok(())
}

/// Quantizers: the machine's own, and any other whose sums fit.
fn quantizers(machine: Machine) -> impl Strategy<Value = Machine> {
    let own = machine.quantizer;
    let any = (1u32..=1 << 12, 0u32..=20, 1u32..=10).prop_map(|(multiplier, shift, bits)| QuantizerConfig {
        multiplier,
        shift,
        bits,
    });
    prop_oneof![Just(own), any]
        .prop_map(move |quantizer| Machine { quantizer, ..machine.clone() })
        .prop_filter("sums fit", |machine| machine.check().is_ok())
}

#[test]
fn random_problems_on_the_named_machines_equal_golden() {
    for (machine, cases, most) in machines().zip([(24, 8usize), (6, 3), (6, 8)]).map(|(m, (c, i))| (m, c, i)) {
        let strategy = (quantizers(machine), 0..=most, any::<u64>());
        check(cases, strategy, |(machine, images, seed)| equal(&machine, images, seed));
    }
}

/// Machines of any small shape: every fold of rows, planes and columns, ragged or not.
fn random_machines() -> impl Strategy<Value = Machine> {
    (2usize..=6, 1usize..=6, 2usize..=7, 1usize..=40)
        .prop_flat_map(|(weight_bits, input_bits, outputs, rows)| {
            let divisors = (1..=weight_bits).filter(|n| weight_bits % n == 0);
            let column_lanes: Vec<usize> = divisors.chain((2..=outputs).map(|n| n * weight_bits)).collect();
            (
                Just((weight_bits, input_bits, outputs, rows)),
                (0..rows, 0u32..1 << input_bits, 1..=rows, 1..=input_bits, 2usize..=20),
                proptest::sample::select(column_lanes),
                (1u32..=4, 2u32..=150),
                (1u32..=1 << 12, 0u32..=18, 1u32..=8),
            )
        })
        .prop_map(
            |(size, (bias_rows, bias_code, row_lanes, plane_lanes, slots), column_lanes, (lrs, ratio), quantizer)| {
                let (weight_bits, input_bits, outputs, rows) = size;
                let (multiplier, shift, bits) = quantizer;
                Machine {
                    name: "random".into(),
                    rows,
                    bias_rows,
                    bias_code,
                    outputs,
                    weight_bits,
                    input_bits,
                    tiles: 1,
                    row_lanes,
                    plane_lanes,
                    column_lanes,
                    slots,
                    conductance: Conductance { lrs_ohms: lrs, hrs_ohms: lrs * ratio, reference_column: true },
                    quantizer: QuantizerConfig { multiplier, shift, bits },
                    link: Machine::named("tiny").unwrap().link,
                }
            },
        )
        .prop_filter("sizes within the machine's limits", |machine| machine.check().is_ok())
}

#[test]
fn random_machines_equal_golden() {
    check(96, (random_machines(), 0usize..=10, any::<u64>()), |(machine, images, seed)| {
        equal(&machine, images.min(machine.slots / 2), seed)
    });
}

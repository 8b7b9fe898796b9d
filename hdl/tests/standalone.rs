//! S001's stand-alone mode: weights and images built in, a switch, a button and nine LEDs; with the real network.

mod support;

use bitline_golden::array::DeviceArray;
use bitline_golden::counters::Counters;
use bitline_golden::dataset::Digits;
use bitline_golden::machine::Machine;
use bitline_golden::network::Network;
use bitline_golden::run::run;
use bitline_hdl::simulation::LinkMode;
use support::{Asker, Problem};

/// The shipped network and the first test images.
fn digits(machine: &str, images: usize) -> Problem {
    let machine = Machine::named(machine).unwrap();
    let network = Network::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../networks/digits.safetensors")).unwrap();
    let data = Digits::embedded();
    let weights = network.layers[0].array_weights(&machine).unwrap();
    Problem {
        devices: DeviceArray::from_weights(&machine, &weights).unwrap(),
        images: data.test_images().slice(ndarray::s![..images, ..]).to_owned(),
        labels: data.test_labels()[..images].iter().map(|label| Some(*label)).collect(),
        machine,
    }
}

fn switch(asker: &mut Asker, on: bool) {
    asker.machine.set_start_switch(on);
    asker.settle();
}

/// Hold the reset button for so many clocks.
fn press_reset(asker: &mut Asker, clocks: u64) {
    asker.machine.set_reset_button(true);
    asker.machine.advance(&mut Default::default(), &mut vec![], clocks);
    asker.machine.set_reset_button(false);
    asker.settle();
}

#[test]
fn leds_with_all_test_images_show_the_golden_count() {
    let problem = digits("digits-turbo", 297);
    let expected = problem.expected().counters;
    let mut asker = problem.built_in(LinkMode::Bytes);
    assert_eq!(asker.machine.leds(), 0);
    switch(&mut asker, true);
    assert_eq!(u64::from(asker.machine.leds()), expected.correct & 0x1FF);
    assert_eq!(asker.counters(), expected);
}

#[test]
fn switch_thrown_again_counts_again() {
    let problem = digits("digits", 20);
    let expected = problem.expected().counters;
    let mut asker = problem.built_in(LinkMode::Bytes);
    switch(&mut asker, true);
    assert_eq!(u64::from(asker.machine.leds()), expected.correct);
    // Switched on, it starts one run, and switched off none.
    asker.settle();
    switch(&mut asker, false);
    assert_eq!(u64::from(asker.machine.leds()), expected.correct);
    switch(&mut asker, true);
    assert_eq!(u64::from(asker.machine.leds()), 2 * expected.correct);
    assert_eq!(asker.counters(), expected.accumulate(&expected));
    press_reset(&mut asker, 100);
    assert_eq!(asker.machine.leds(), 0);
    assert_eq!(asker.counters(), Counters::default());
    // The switch still stands on.
    asker.settle();
    assert_eq!(asker.counters(), Counters::default());
    switch(&mut asker, false);
    switch(&mut asker, true);
    assert_eq!(asker.counters(), expected);
}

#[test]
fn reset_in_the_middle_of_a_run_leaves_nothing_behind() {
    let problem = Problem::random(&Machine::named("tiny").unwrap(), 8, 1);
    let expected = problem.expected().counters;
    for clocks in (1..30).chain([50, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105]) {
        let mut asker = problem.built_in(LinkMode::Bytes);
        asker.machine.set_start_switch(true);
        asker.machine.advance(&mut Default::default(), &mut vec![], clocks);
        asker.machine.set_start_switch(false);
        press_reset(&mut asker, 40);
        assert_eq!(asker.counters(), Counters::default(), "reset after {clocks} clocks");
        switch(&mut asker, true);
        assert_eq!(asker.counters(), expected, "reset after {clocks} clocks");
    }
}

#[test]
fn reset_restores_the_built_in_number_of_images() {
    let problem = Problem::random(&Machine::named("tiny").unwrap(), 5, 2);
    let part = problem.images.slice(ndarray::s![..2, ..]).to_owned();
    let two = run(&problem.machine, &problem.devices, &part, &problem.labels[..2]).unwrap().counters;
    let mut asker = problem.built_in(LinkMode::Bytes);
    asker.set("image_count", 2);
    switch(&mut asker, true);
    assert_eq!(asker.counters(), two);
    press_reset(&mut asker, 40);
    switch(&mut asker, false);
    switch(&mut asker, true);
    assert_eq!(asker.counters(), problem.expected().counters);
}

//! The link under noise: whatever happens to the bytes, nothing wrong is accepted and the next good frame works.
//!
//! The conversations are made from seeds; a failure names its own, and repeats.

use bitline_golden::board_model::ModelBoard;
use bitline_golden::link::Frame;
use bitline_golden::machine::Machine;
use bitline_golden::registers::{CONTROL_START, Region, address, find};
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_hdl::simulation::{SimulationOptions, build_hash, simulate};
use bitline_tests::campaign::{Campaign, Tally};
use bitline_tests::differential::{answer, compare};

/// Talk to the golden model of a machine until that many exchanges were damaged.
fn talk_to_model(machine: &str, seed: u64, share: f64, damaged: u64) -> Tally {
    let machine = Machine::named(machine).unwrap();
    let board = ModelBoard::new(machine.clone(), 77).unwrap();
    let tally = Campaign::new(Box::new(board), &machine, 77, seed, share).talk(damaged);
    eprintln!("{} seed {seed}: {tally:?}", machine.name);
    assert!(tally.damaged >= damaged, "{tally:?}");
    // Neither so quiet that nothing is tested nor so loud that nothing succeeds.
    assert!(tally.succeeded > damaged / 10 && tally.given_up > 0, "{tally:?}");
    tally
}

#[test]
fn noise_sixty_thousand_damaged_exchanges_with_tiny() {
    talk_to_model("tiny", 1, 0.35, 60_000);
}

#[test]
fn noise_thirty_thousand_damaged_exchanges_with_digits() {
    talk_to_model("digits", 2, 0.3, 30_000);
}

#[test]
fn noise_twenty_thousand_damaged_exchanges_on_a_hopeless_wire() {
    talk_to_model("tiny", 3, 0.6, 20_000);
}

#[test]
fn differential_model_equals_itself() {
    // Says that the frames and the comparison work; the gateware takes one side below.
    let machine = Machine::named("tiny").unwrap();
    let mut boards = [0, 1].map(|_| ModelBoard::new(machine.clone(), 5).unwrap());
    let [left, right] = &mut boards;
    compare(left, right, &machine, 1, 2_000);
}

#[test]
#[should_panic(expected = "frame")]
fn differential_finds_a_machine_that_differs() {
    let machine = Machine::named("tiny").unwrap();
    let mut left = ModelBoard::new(machine.clone(), 5).unwrap();
    let mut right = ModelBoard::new(machine.clone(), 6).unwrap();
    compare(&mut left, &mut right, &machine, 1, 2_000);
}

#[test]
fn noise_five_thousand_damaged_exchanges_with_the_gateware_of_tiny() {
    let machine = Machine::named("tiny").unwrap();
    let board = simulate(&machine, SimulationOptions::default()).unwrap();
    let tally = Campaign::new(board, &machine, build_hash(&machine), 4, 0.35).talk(5_000);
    eprintln!("{tally:?}");
    assert!(tally.succeeded > 500 && tally.given_up > 0, "{tally:?}");
}

#[test]
fn differential_gateware_of_tiny_equals_the_model() {
    let machine = Machine::named("tiny").unwrap();
    for seed in 1..=4 {
        let mut model = ModelBoard::new(machine.clone(), build_hash(&machine)).unwrap();
        let mut gateware = simulate(&machine, SimulationOptions::default()).unwrap();
        compare(&mut model, &mut *gateware, &machine, seed, 1_000);
    }
}

#[test]
fn control_acts_after_the_other_words_of_its_write() {
    let machine = Machine::named("tiny").unwrap();
    let mut model = ModelBoard::new(machine.clone(), 0).unwrap();
    let mut gateware = simulate(&machine, SimulationOptions::default()).unwrap();
    let first = find("mode").offset;
    // Store results; three images from slot 2, results from slot 9; start.
    let wire = Frame::write(1, address(Region::Registers, first), &[1, 2, 3, 9, 0, CONTROL_START]).encode();
    let images = [&mut model as &mut dyn VirtualMachine, &mut *gateware].map(|board| {
        answer(board, &wire);
        answer(board, &Frame::read(2, address(Region::Registers, find("images").offset), 2).encode())
    });
    assert_eq!(images[0], images[1]);
}

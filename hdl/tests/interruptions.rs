//! Switch and button at the worst moments: in every clock of a frame, and right after an aborted run.

mod support;

use bitline_golden::link::{Frame, REFUSED, REPLY, Refusal, WRITE};
use bitline_golden::machine::Machine;
use bitline_golden::registers::*;
use bitline_hdl::simulation::LinkMode;
use support::{Asker, Problem, code_max};

const MACHINES: [&str; 3] = ["tiny", "digits", "digits-turbo"];

/// A machine of few slots.
fn small(name: &str) -> Machine {
    Machine { slots: 8, ..Machine::named(name).unwrap() }
}

/// Let so many clocks pass, idle or not.
fn pass(asker: &mut Asker, clocks: u64) {
    for _ in 0..clocks {
        // Moving the button to where it is keeps the simulation from stopping.
        asker.machine.set_reset_button(false);
        assert_eq!(asker.machine.advance(&mut Default::default(), &mut vec![], 1), 1);
    }
}

/// The run counters' words, in one frame.
fn counter_words(asker: &mut Asker) -> Vec<u16> {
    let first = find(RUN_COUNTERS[0]).offset;
    asker.read(Region::Registers, first, usize::from(REGISTER_WORDS - first))
}

/// The counters' words after an undisturbed run, which golden confirms.
fn words_of_a_run(asker: &mut Asker, problem: &Problem) -> Vec<u16> {
    asker.set("control", CONTROL_CLEAR);
    asker.set("control", CONTROL_START);
    assert_eq!(asker.counters(), problem.expected().counters);
    counter_words(asker)
}

/// Every clock of a frame on the smallest machine, some of them on the others, whose control has the same text.
fn clocks_of(name: &str) -> impl Iterator<Item = u64> {
    (0..).step_by(if name == "tiny" { 1 } else { 13 })
}

/// How a WRITE and the run that the switch began while it was under way fell out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    RunFirst,
    WriteRefused,
    WriteFirst,
}

/// Switch on in the clocks of a WRITE of an image, which the run reads (slot 0) or leaves alone (slot 5).
fn switch_within_a_write(name: &str, slot: usize) {
    let machine = small(name);
    let old = Problem::random(&machine, 2, 11);
    let mut new = old.clone();
    new.images.row_mut(0).fill(code_max(&machine));
    let image = |problem: &Problem| pack_image(&machine, problem.images.row(0).as_slice().unwrap());
    let (before, after) = (image(&old), image(&new));
    let at = slot_offset(&machine, slot, 0);
    let mut asker = old.built_in(LinkMode::Bytes);
    // The run reads slots 0 and 1, and stores its results in 2 and 3.
    asker.set("mode", MODE_STORE);
    asker.set("result_slot", 2);
    asker.write(Region::Slots, at, &after);
    let changed = words_of_a_run(&mut asker, if slot == 0 { &new } else { &old });
    asker.write(Region::Slots, at, &before);
    let unchanged = words_of_a_run(&mut asker, &old);
    let mut orders = vec![];
    for clocks in clocks_of(name) {
        let told = format!("{name}, slot {slot}, switched on after {clocks} clocks");
        asker.write(Region::Slots, at, &before);
        asker.set("control", CONTROL_CLEAR);
        let write = |sequence| Frame::write(sequence, address(Region::Slots, at), &after);
        let reply = asker.ask_and(write, clocks, |machine| machine.set_start_switch(true));
        asker.machine.set_start_switch(false);
        asker.settle();
        let Some(reply) = reply else { break };
        let stored = asker.read(Region::Slots, at, before.len());
        let counted = counter_words(&mut asker);
        if reply.operation == REFUSED {
            assert_eq!(reply.payload, [Refusal::Busy as u8], "{told}");
            assert_eq!((&stored, &counted), (&before, &unchanged), "{told}");
            orders.push(Order::WriteRefused);
        } else {
            assert_eq!((reply.operation, &stored), (WRITE | REPLY, &after), "{told}");
            assert!(counted == unchanged || counted == changed, "{told}: of no image stored whole: {counted:?}");
            orders.push(if counted == unchanged { Order::RunFirst } else { Order::WriteFirst });
        }
        if clocks % 16 == 0 {
            let of = if counted == changed && slot == 0 { &new } else { &old };
            assert_eq!(asker.result(&old, 2), of.expected(), "{told}");
        }
    }
    assert!(orders.contains(&Order::WriteRefused) || name != "tiny", "{orders:?}");
    if slot == 0 {
        // The later the switch, the later the run.
        assert!(changed != unchanged && orders.is_sorted() && orders.contains(&Order::WriteFirst), "{orders:?}");
    }
}

#[test]
fn switch_in_any_clock_of_a_write_loses_neither_word_nor_run() {
    for name in MACHINES {
        switch_within_a_write(name, 0);
        switch_within_a_write(name, 5);
    }
}

#[test]
fn switch_in_any_clock_of_a_read_spoils_no_word() {
    for name in MACHINES {
        let problem = Problem::random(&small(name), 2, 12);
        let mut asker = problem.built_in(LinkMode::Bytes);
        let expected = words_of_a_run(&mut asker, &problem);
        let image = pack_image(&problem.machine, problem.images.row(1).as_slice().unwrap());
        let at = address(Region::Slots, slot_offset(&problem.machine, 1, 0));
        let (mut served, mut refused) = (0, 0);
        for clocks in clocks_of(name) {
            let told = format!("{name}, switched on after {clocks} clocks");
            asker.set("control", CONTROL_CLEAR);
            let read = |sequence| Frame::read(sequence, at, image.len() as u8);
            let reply = asker.ask_and(read, clocks, |machine| machine.set_start_switch(true));
            asker.machine.set_start_switch(false);
            asker.settle();
            let Some(reply) = reply else { break };
            assert_eq!(counter_words(&mut asker), expected, "{told}");
            if reply.operation == REFUSED {
                assert_eq!(reply.payload, [Refusal::Busy as u8], "{told}");
                refused += 1;
            } else {
                assert_eq!(reply.words(), image, "{told}");
                served += 1;
            }
        }
        assert!(served > 5 && (refused > 0 || name != "tiny"), "{name}: {served} frames served, {refused} refused");
    }
}

#[test]
fn switch_on_while_a_run_is_under_way_starts_one_more() {
    for name in MACHINES {
        let problem = Problem::random(&small(name), 8, 13);
        let expected = problem.expected().counters;
        let mut asker = problem.built_in(LinkMode::Bytes);
        for on in [true, false, true] {
            asker.machine.set_start_switch(on);
            pass(&mut asker, 4);
        }
        asker.settle();
        assert_eq!(asker.counters(), expected.accumulate(&expected), "{name}");
    }
}

#[test]
fn run_right_after_an_aborted_one_counts_nothing_of_it() {
    for (name, images) in MACHINES.into_iter().zip([3, 2, 4]) {
        let problem = Problem::random(&small(name), images, 14);
        let expected = problem.expected();
        let steps = (images * problem.machine.steps_per_image()) as u64;
        let mut asker = problem.built_in(LinkMode::Bytes);
        let counted = words_of_a_run(&mut asker, &problem);
        // Aborted in an early step, in the last ones, and while only the pipeline is at work.
        for clocks in [steps / 2, steps, steps + 6] {
            for distance in 0..=30 {
                let told = format!("{name}, aborted after {clocks} clocks, started {distance} clocks later");
                asker.machine.set_start_switch(true);
                pass(&mut asker, 1);
                asker.machine.set_start_switch(false);
                pass(&mut asker, clocks);
                // The button is pressed for one clock.
                asker.machine.set_start_switch(distance == 0);
                asker.machine.set_reset_button(true);
                asker.machine.advance(&mut Default::default(), &mut vec![], 1);
                asker.machine.set_reset_button(false);
                if distance > 0 {
                    pass(&mut asker, distance - 1);
                    asker.machine.set_start_switch(true);
                }
                asker.settle();
                asker.machine.set_start_switch(false);
                assert_eq!(counter_words(&mut asker), counted, "{told}");
                // The reset put the modes back: another run stores the outputs.
                if distance % 10 == 9 {
                    asker.set("control", CONTROL_CLEAR);
                    asker.start(0, images, Some(images));
                    assert_eq!(asker.result(&problem, images), expected, "{told}");
                }
                asker.machine.set_reset_button(true);
                asker.settle();
                asker.machine.set_reset_button(false);
                asker.settle();
                assert!(counter_words(&mut asker).iter().all(|word| *word == 0), "{told}");
            }
        }
    }
}

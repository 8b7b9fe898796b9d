//! Whole machines: RustHDL = golden, outputs and every counter, over the link.

mod support;

use bitline_golden::machine::Machine;
use support::{Problem, run_on_gateware};

#[test]
fn random_problem_on_every_machine_equals_golden() {
    for (name, images) in [("tiny", 5), ("digits", 3), ("digits-turbo", 7)] {
        let machine = Machine::named(name).unwrap();
        let problem = Problem::random(&machine, images, 1);
        let hardware = run_on_gateware(&problem);
        assert_eq!(hardware, problem.expected(), "{name}");
    }
}

#[test]
fn run_of_no_images_takes_the_predicted_clock() {
    let machine = Machine::named("tiny").unwrap();
    let problem = Problem::random(&machine, 0, 2);
    assert_eq!(run_on_gateware(&problem), problem.expected());
}

//! Rung R3 of a machine that runs programs: the netlists that Yosys makes of `tiny-deep` for the iCE40 and for the ECP5, under
//! Verilator, give what golden gives, corners and random networks.

use bitline_golden::deep_machine::DeepMachine;
use bitline_host::deep::outcome;
use bitline_host::deep::problem_set::DeepProblemSet;
use bitline_host::deep::start::Starter;
use bitline_host::engine::{Engine, EngineOptions};
use std::path::Path;

fn problems_equal_golden(engine: Engine) {
    let machine = DeepMachine::named("tiny-deep").unwrap();
    let work = Path::new(env!("CARGO_MANIFEST_DIR")).join("../out/verilated");
    let mut starter = Starter::new(&machine, &EngineOptions { engine, work, ..EngineOptions::default() }).unwrap();
    let set = DeepProblemSet { machine: &machine, seed: 1, random: 4, images: 1, data: None };
    let names = set.names().unwrap();
    assert!(names.len() > 4, "{names:?}");
    for name in names {
        let named = set.make(&name).unwrap();
        let mut runs = starter.start(&named.problem, named.maps).unwrap();
        let found = outcome::run(&named.problem, runs.as_mut(), false, &mut |_| {}).unwrap();
        assert!(found.equal, "{name} on {engine}: {found}");
    }
}

#[test]
fn ice40_netlist_of_a_machine_that_runs_programs_equals_golden() {
    problems_equal_golden(Engine::Netlist);
}

#[test]
fn ecp5_netlist_of_a_machine_that_runs_programs_equals_golden() {
    problems_equal_golden(Engine::NetlistEcp5);
}

//! Rung R2: the exported Verilog, compiled by Verilator and driven bit by bit over its serial pins, equals golden.

use std::path::Path;

use bitline_golden::machine::Machine;
use bitline_host::engine::{Engine, EngineOptions};
use bitline_host::error::HostError;
use bitline_host::problem::{Problem, Source};
use bitline_host::simulated_run;

fn verilator() -> EngineOptions {
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verilated");
    EngineOptions { engine: Engine::Verilator, work, ..EngineOptions::default() }
}

#[test]
fn verilated_tiny_equals_golden_on_made_up_problems() {
    let tiny = Machine::named("tiny").unwrap();
    for seed in 0..25 {
        let images = [0, 1, 2, 7, 16, 40][seed as usize % 6];
        let problem = Problem::new(tiny.clone(), &Source::MadeUp(seed), Some(images)).unwrap();
        let outcome = simulated_run::run(&problem, &verilator(), None, &mut |_| ()).unwrap().outcome;
        assert!(outcome.equal, "seed {seed}: {outcome}");
    }
}

#[test]
fn verilated_machine_with_saturating_quantizers_equals_golden() {
    let tiny = Machine::named("tiny").unwrap();
    let quantizer = bitline_golden::machine::QuantizerConfig { bits: 2, ..tiny.quantizer };
    let machine = Machine { name: "tiny-clip".into(), quantizer, ..tiny };
    let mut saturations = 0;
    for seed in 0..8 {
        let problem = Problem::new(machine.clone(), &Source::MadeUp(seed), Some(9)).unwrap();
        let outcome = simulated_run::run(&problem, &verilator(), None, &mut |_| ()).unwrap().outcome;
        assert!(outcome.equal, "seed {seed}: {outcome}");
        saturations += bitline_host::comparison::expect(&problem).unwrap().counters.saturations;
    }
    assert!(saturations > 0, "no problem saturated");
}

#[test]
fn verilated_machine_has_no_fault_option_and_says_so() {
    let problem = Problem::new(Machine::named("tiny").unwrap(), &Source::MadeUp(1), Some(1)).unwrap();
    let error = simulated_run::run(&problem, &verilator(), Some((0, 0)), &mut |_| ()).unwrap_err();
    assert!(matches!(error, HostError::EngineLacks { option: "--fault-flip", .. }), "{error}");
}

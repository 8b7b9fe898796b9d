//! Rung R2 with four values to a bit: the exported Verilog of `tiny` under Icarus, where what nobody initialised is X and
//! no pin may ever be.

use std::path::Path;

use bitline_golden::machine::Machine;
use bitline_hdl::export::{ExportOptions, verilog};
use bitline_host::engine::{Engine, EngineOptions, compile_text};
use bitline_host::error::HostError;
use bitline_host::problem::{Problem, Source};
use bitline_host::simulated_run;

fn icarus() -> EngineOptions {
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verilated");
    EngineOptions { engine: Engine::Icarus, work, ..EngineOptions::default() }
}

fn problem(seed: u64, images: usize) -> Problem {
    Problem::new(Machine::named("tiny").unwrap(), &Source::MadeUp(seed), Some(images)).unwrap()
}

#[test]
fn tiny_under_icarus_equals_golden_and_never_shows_an_unknown_pin() {
    for (seed, images) in [(1, 0), (2, 1)] {
        let outcome = simulated_run::run(&problem(seed, images), &icarus(), None, &mut |_| ()).unwrap().outcome;
        assert!(outcome.equal, "seed {seed}: {outcome}");
    }
}

/// Verilator, which starts every bit with 0, runs the same without a difference.
#[test]
fn register_that_is_not_initialised_stops_icarus() {
    let problem = problem(2, 1);
    let text = verilog(&problem.machine, &ExportOptions::default()).unwrap();
    let damaged: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("initial q = "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(text.lines().count(), damaged.lines().count(), "the registers have changed their text: change it here");
    let named = Machine { name: "no-initial".into(), ..problem.machine.clone() };
    for (engine, stops) in [(Engine::Icarus, true), (Engine::Verilator, false)] {
        let options = EngineOptions { engine, ..icarus() };
        let compiled = compile_text(&named, &damaged, &options).unwrap();
        let options = EngineOptions { compiled: Some(compiled), ..options };
        let result = simulated_run::run(&problem, &options, None, &mut |_| ());
        match result {
            Err(HostError::Silent { .. } | HostError::Lost { .. }) => assert!(stops, "{engine}"),
            Ok(run) => assert!(!stops && run.outcome.equal, "{engine}: {}", run.outcome),
            Err(error) => panic!("{engine}: {error}"),
        }
    }
}

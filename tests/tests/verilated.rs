//! Rungs R2 to R4: the exported Verilog, the netlists made of it and the bitstream made of that, unpacked again, each
//! compiled by Verilator and driven bit by bit over its serial pins, equal golden.

use std::path::Path;

use bitline_golden::machine::Machine;
use bitline_hdl::export::{ExportOptions, verilog};
use bitline_host::bisection::{Files, bisect};
use bitline_host::comparison::expect;
use bitline_host::engine::{Engine, EngineOptions, compile_text};
use bitline_host::error::HostError;
use bitline_host::problem::{Problem, Source};
use bitline_host::simulated_run;

fn on(engine: Engine) -> EngineOptions {
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verilated");
    EngineOptions { engine, work, ..EngineOptions::default() }
}

#[test]
fn verilated_tiny_equals_golden_on_made_up_problems() {
    let tiny = Machine::named("tiny").unwrap();
    for seed in 0..25 {
        let images = [0, 1, 2, 7, 16, 40][seed as usize % 6];
        let problem = Problem::new(tiny.clone(), &Source::MadeUp(seed), Some(images)).unwrap();
        let outcome = simulated_run::run(&problem, &on(Engine::Verilator), None, &mut |_| ()).unwrap().outcome;
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
        let outcome = simulated_run::run(&problem, &on(Engine::Verilator), None, &mut |_| ()).unwrap().outcome;
        assert!(outcome.equal, "seed {seed}: {outcome}");
        saturations += expect(&problem).unwrap().counters.saturations;
    }
    assert!(saturations > 0, "no problem saturated");
}

/// Four problems of `tiny`, one of them with more images than slots.
fn tiny_equals_golden(engine: Engine) {
    let tiny = Machine::named("tiny").unwrap();
    for seed in 0..4 {
        let problem = Problem::new(tiny.clone(), &Source::MadeUp(seed), Some([0, 1, 5, 20][seed as usize])).unwrap();
        let outcome = simulated_run::run(&problem, &on(engine), None, &mut |_| ()).unwrap().outcome;
        assert!(outcome.equal, "seed {seed}: {outcome}");
    }
}

#[test]
fn netlist_of_tiny_equals_golden_on_made_up_problems() {
    tiny_equals_golden(Engine::Netlist);
}

#[test]
fn ecp5_netlist_of_tiny_equals_golden_on_made_up_problems() {
    tiny_equals_golden(Engine::NetlistEcp5);
}

#[test]
fn bitstream_of_tiny_equals_golden_on_made_up_problems() {
    tiny_equals_golden(Engine::Bitstream);
}

#[test]
fn verilated_machine_has_no_fault_option_and_says_so() {
    let problem = Problem::new(Machine::named("tiny").unwrap(), &Source::MadeUp(1), Some(1)).unwrap();
    let error = simulated_run::run(&problem, &on(Engine::Verilator), Some((0, 0)), &mut |_| ()).unwrap_err();
    assert!(matches!(error, HostError::EngineLacks { option: "--fault-flip", .. }), "{error}");
}

/// Put a wrong table into the population count of the exported Verilog, take it up to the engine's rung, and see that
/// `shown`, a number and its image, is the first that differs, and that the block is named: with `digits` the first output and a
/// column counter; in `tiny` that table only counts row pulses.
fn wrong_table_shows(engine: Engine, problem: &Problem, shown: (&str, Option<usize>), block: (&str, &str)) {
    let text = verilog(&problem.machine, &ExportOptions::default()).unwrap();
    let wrong = text.replace("assign y = a ^ b ^ (p & d);", "assign y = a ^ b ^ (p | d);");
    assert_ne!(text, wrong, "the table has changed its text: change it here too");
    let named = Machine { name: "wrong-table".into(), ..problem.machine.clone() };
    let compiled = compile_text(&named, &wrong, &on(engine)).unwrap();
    let options = EngineOptions { compiled: Some(compiled), ..on(engine) };
    let result = simulated_run::run(problem, &options, None, &mut |_| ()).unwrap();
    let difference = result.outcome.first_difference.expect("a wrong table shows");
    assert_eq!((difference.what, difference.image), shown, "{difference}");
    let work = on(engine).work;
    let compiled = options.compiled.as_ref().unwrap();
    let files = Files { work: &work, waves: None };
    let bisection = bisect(problem, engine, compiled.machine(), compiled.text(), &files).unwrap();
    let (_, fault) = bisection.found().unwrap_or_else(|| panic!("{bisection}"));
    assert_eq!((fault.origin.block.as_str(), fault.kind.as_str()), block, "{bisection}");
    assert_eq!(fault.text_of, Some("population_count"));
}

#[test]
fn verilated_machine_with_a_wrong_table_differs() {
    wrong_table_shows(
        Engine::Verilator,
        &Problem::new(Machine::named("digits").unwrap(), &Source::Shipped, Some(3)).unwrap(),
        ("output", Some(0)),
        ("accelerator.column$0", "column_counter"),
    );
}

#[test]
fn netlist_with_a_wrong_table_differs() {
    wrong_table_shows(
        Engine::Netlist,
        &Problem::new(Machine::named("tiny").unwrap(), &Source::MadeUp(1), Some(3)).unwrap(),
        ("row_pulses", None),
        ("accelerator.pulse_counter", "pulse_counter"),
    );
}

#[test]
fn bitstream_with_a_wrong_table_differs() {
    wrong_table_shows(
        Engine::Bitstream,
        &Problem::new(Machine::named("tiny").unwrap(), &Source::MadeUp(1), Some(3)).unwrap(),
        ("row_pulses", None),
        ("accelerator.pulse_counter", "pulse_counter"),
    );
}

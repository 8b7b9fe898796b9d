//! Rungs R2 and R3: the exported Verilog, and the netlist made of it, compiled by Verilator and driven bit by bit over
//! their serial pins, equal golden.

use std::path::Path;

use bitline_boards::verilated::{self, VerilatedMachine};
use bitline_golden::machine::Machine;
use bitline_hdl::export::{ExportOptions, verilog};
use bitline_hdl::simulation::build_hash;
use bitline_host::comparison::{expect, first_difference};
use bitline_host::engine::{Engine, EngineOptions};
use bitline_host::error::HostError;
use bitline_host::link::{Client, ClientOptions, InProcessPort};
use bitline_host::problem::{Problem, Source};
use bitline_host::procedure;
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
        saturations += expect(&problem).unwrap().counters.saturations;
    }
    assert!(saturations > 0, "no problem saturated");
}

#[test]
fn netlist_of_tiny_equals_golden_on_made_up_problems() {
    let tiny = Machine::named("tiny").unwrap();
    let options = EngineOptions { engine: Engine::Netlist, ..verilator() };
    for seed in 0..4 {
        let problem = Problem::new(tiny.clone(), &Source::MadeUp(seed), Some([0, 1, 5, 20][seed as usize])).unwrap();
        let outcome = simulated_run::run(&problem, &options, None, &mut |_| ()).unwrap().outcome;
        assert!(outcome.equal, "seed {seed}: {outcome}");
    }
}

#[test]
fn verilated_machine_has_no_fault_option_and_says_so() {
    let problem = Problem::new(Machine::named("tiny").unwrap(), &Source::MadeUp(1), Some(1)).unwrap();
    let error = simulated_run::run(&problem, &verilator(), Some((0, 0)), &mut |_| ()).unwrap_err();
    assert!(matches!(error, HostError::EngineLacks { option: "--fault-flip", .. }), "{error}");
}

#[test]
fn verilated_machine_with_a_wrong_table_differs() {
    let problem = Problem::new(Machine::named("digits").unwrap(), &Source::Shipped, Some(3)).unwrap();
    let machine = Machine { name: "wrong-table".into(), ..problem.machine.clone() };
    let text = verilog(&problem.machine, &ExportOptions::default()).unwrap();
    let wrong = text.replace("assign y = a ^ b ^ (p & d);", "assign y = a ^ b ^ (p | d);");
    assert_ne!(text, wrong, "the table has changed its text: change it here too");
    let program = verilated::compile(&machine, &wrong, &verilator().work).unwrap();
    let model = VerilatedMachine::start(&machine, &program, "damaged Verilog").unwrap();
    let port = InProcessPort::new(Box::new(model), machine.link.clock_hz);
    let mut client = Client::new(port, ClientOptions::default());
    let hash = build_hash(&problem.machine);
    let measured = procedure::run(&mut client, &problem, hash, &mut |_| (), &mut |_| Ok(())).unwrap();
    let difference = first_difference(&problem, &expect(&problem).unwrap(), &measured).expect("a wrong table shows");
    assert_eq!((difference.what, difference.image), ("output", Some(0)), "{difference}");
}

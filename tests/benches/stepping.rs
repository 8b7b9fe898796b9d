//! Clocks a second of a machine's exported Verilog, compiled by Verilator, beside those of its RustHDL simulation.
//!
//! Both are the whole machine behind its UART, every bit on the serial pins, with the same images built in: the start
//! switch on for a run of all of them and off for a few clocks, again and again.
//!
//! `cargo bench -p bitline-tests [-- --json]`: medians of interleaved rounds. Verilator, `make` and a C++ compiler are needed.

use bitline_golden::machine::Machine;
use bitline_golden::timing::run_cycles;
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_host::engine::{Engine, EngineOptions, start};
use bitline_host::problem::{Problem, Source};
use bitline_tests::measured::median;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

/// Rounds, the two by turns.
const ROUNDS: usize = 5;
/// Least seconds of a round.
const ROUND_SECONDS: f64 = 1.0;
/// Clocks between a run's start and its end beyond its counter `cycles`, and between two runs.
const SWITCH_CLOCKS: u64 = 8;

/// One run of all images, and the switch off again.
fn run(machine: &mut dyn VirtualMachine, run_clocks: u64) {
    for (on, clocks) in [(true, run_clocks + SWITCH_CLOCKS), (false, SWITCH_CLOCKS)] {
        machine.set_start_switch(on);
        machine.advance(&mut VecDeque::new(), &mut vec![], clocks);
    }
}

/// Clocks a second while runs follow each other, by the machine's own clock.
fn stepped(machine: &mut dyn VirtualMachine, run_clocks: u64) -> f64 {
    let (start, first) = (Instant::now(), machine.clock());
    while start.elapsed().as_secs_f64() < ROUND_SECONDS {
        run(machine, run_clocks);
    }
    (machine.clock() - first) as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    // Cargo runs a bench in its crate's folder.
    let work = Path::new(env!("CARGO_MANIFEST_DIR")).join("../out/verilated");
    let json = std::env::args().any(|argument| argument == "--json");
    if !json {
        println!("The same machine behind its UART while images run, median of {ROUNDS} rounds, clocks a second");
        println!("{:<14} {:>12} {:>12} {:>8}", "machine", "RustHDL", "Verilator", "ratio");
    }
    for name in ["digits", "digits-turbo", "tiny"] {
        let machine = Machine::named(name).expect("a built-in machine");
        let images = machine.slots;
        let problem = Problem::new(machine.clone(), &Source::MadeUp(1), Some(images)).expect("as many images as slots");
        let made = |engine| {
            let options = EngineOptions { engine, wire: true, work: work.clone(), ..EngineOptions::default() };
            start(&machine, &options, Some(&problem)).unwrap_or_else(|e| {
                eprintln!("{e}");
                std::process::exit(2)
            })
        };
        let (mut rusthdl, mut verilator) = (made(Engine::Rusthdl), made(Engine::Verilator));
        let run_clocks = run_cycles(&machine, images as u64);
        run(&mut *rusthdl, run_clocks);
        run(&mut *verilator, run_clocks);
        assert_eq!(rusthdl.leds(), verilator.leds(), "the run of {name} counts otherwise");
        assert!(rusthdl.leds() > 0, "{name} did not run, or finds no image correct");
        let (mut slow, mut fast) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            slow.push(stepped(&mut *rusthdl, run_clocks));
            fast.push(stepped(&mut *verilator, run_clocks));
        }
        let (slow, fast) = (median(&slow), median(&fast));
        if json {
            println!(
                "{{\"bench\":\"verilated stepping\",\"machine\":\"{name}\",\"rounds\":{ROUNDS},\
                 \"rusthdl_clocks_per_second\":{slow:.0},\"verilator_clocks_per_second\":{fast:.0},\"ratio\":{:.1}}}",
                fast / slow
            );
        } else {
            println!("{name:<14} {slow:>12.0} {fast:>12.0} {:>8.1}", fast / slow);
        }
    }
}

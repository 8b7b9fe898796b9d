//! Clocks a second of the RustHDL simulation, stepped on one thread, beside the harness that RustHDL brings.
//!
//! Both simulate the same design (the machine behind its UART) with the same work: images built in, the start switch
//! on for a run of all slots and off for a few clocks, again and again. RustHDL's own `Simulation` hands the design
//! from thread to thread at every event; here it gets the fewest events there can be, its clock's two edges and the
//! switch, and no test bench that looks at every clock.
//!
//! `cargo bench -p bitline-hdl [-- --json]`: medians of interleaved rounds.

use bitline_golden::machine::Machine;
use bitline_golden::timing::run_cycles;
use bitline_hdl::accelerator::Accelerator;
use bitline_hdl::simulation::{Contents, SimulationOptions, simulate};
use rust_hdl::prelude::*;
use std::time::Instant;

/// Rounds, the two harnesses by turns.
const ROUNDS: usize = 5;
/// Least seconds of a round of ours.
const ROUND_SECONDS: f64 = 0.5;
/// Clocks of a round of RustHDL's, rounded to whole runs, one at least.
const THREADED_CLOCKS: u64 = 4000;
/// Clocks between a run's start and its end beyond its counter `cycles`: the switch's synchroniser, and one over.
const SWITCH_CLOCKS: u64 = 4;

/// A small generator: what the images hold matters little, that they toggle does.
fn contents(machine: &Machine) -> Contents {
    let mut state = 1u64;
    let mut draw = |n: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % n
    };
    Contents {
        devices: (0..machine.rows).map(|_| (0..machine.columns()).map(|_| draw(2) == 1).collect()).collect(),
        images: (0..machine.slots)
            .map(|_| (0..machine.inputs()).map(|_| draw(1 << machine.input_bits) as u8).collect())
            .collect(),
        labels: vec![Some(0); machine.slots],
        counts: 0,
    }
}

/// Clocks the switch is on.
fn on_clocks(machine: &Machine) -> u64 {
    run_cycles(machine, machine.slots as u64) + SWITCH_CLOCKS
}

/// Clocks a second, stepped.
fn stepped(machine: &Machine) -> f64 {
    let options = SimulationOptions { contents: Some(contents(machine)), ..Default::default() };
    let mut simulation = simulate(machine, options).expect("a built-in machine can be simulated");
    let mut advance = |on: bool, clocks: u64| {
        simulation.set_start_switch(on);
        assert_eq!(simulation.advance(&mut Default::default(), &mut vec![], clocks), clocks, "idle too soon");
    };
    let (start, mut clocks) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < ROUND_SECONDS {
        advance(true, on_clocks(machine));
        advance(false, SWITCH_CLOCKS);
        clocks += on_clocks(machine) + SWITCH_CLOCKS;
    }
    clocks as f64 / start.elapsed().as_secs_f64()
}

/// Clocks a second in RustHDL's harness.
fn threaded(machine: &Machine) -> f64 {
    let period = 10u64;
    let (on, off) = (on_clocks(machine), SWITCH_CLOCKS);
    let runs = (THREADED_CLOCKS / (on + off)).max(1);
    let clocks = runs * (on + off);
    let design = Accelerator::new(machine, 0, &contents(machine)).expect("a built-in machine can be made");
    let mut simulation: Simulation<Accelerator> = Simulation::new();
    simulation.add_clock(period / 2, |design| design.clock.next = !design.clock.val());
    simulation.add_testbench(move |mut bench: Sim<Accelerator>| {
        let mut design = bench.init()?;
        for _ in 0..runs {
            design.start_switch.next = true;
            design = bench.wait(on * period, design)?;
            design.start_switch.next = false;
            design = bench.wait(off * period, design)?;
        }
        bench.done(design)
    });
    let start = Instant::now();
    simulation.run(Box::new(design), (clocks + 10) * period).expect("RustHDL's harness runs to the end");
    clocks as f64 / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    if !json {
        println!("RustHDL simulation while images run, bytes on the link, median of {ROUNDS} rounds, clocks a second");
        println!("{:<14} {:>12} {:>20} {:>8}", "machine", "stepped", "threads, channels", "ratio");
    }
    for name in ["digits", "digits-turbo", "tiny"] {
        let machine = Machine::named(name).expect("a built-in machine");
        let (mut ours, mut theirs) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            ours.push(stepped(&machine));
            theirs.push(threaded(&machine));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        if json {
            println!(
                "{{\"bench\":\"stepping\",\"machine\":\"{name}\",\"rounds\":{ROUNDS},\"stepped_clocks_per_second\":{ours:.0},\
                 \"threaded_clocks_per_second\":{theirs:.0},\"ratio\":{:.2}}}",
                ours / theirs
            );
        } else {
            println!("{name:<14} {ours:>12.0} {theirs:>20.0} {:>8.2}", ours / theirs);
        }
    }
}

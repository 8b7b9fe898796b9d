//! Runs problems of machines with programs on the rungs of the ladder (contract section 8).

use std::time::Instant;

use bitline_golden::deep_machine::DeepMachine;

use super::outcome::{self, Stage};
use super::problem_set::NamedDeepProblem;
use super::reference::COUNTERS;
use super::start::Starter;
use crate::engine::{Engine, EngineOptions};
use crate::error::HostError;
use crate::verify::{Failure, Rung, RungResult};

/// Tiles from which a machine is handed whole bytes behind its UART: at 250 clocks a byte of a large one's arrays would take hours.
const WHOLE_BYTES: usize = 256;
/// Why a failure names no block.
const BY_LAYER: &str =
    "a program's difference is named by its layer and code; blocks are bisected on machines of one layer";

/// Whether a rung's problems reach a machine over every serial bit, and not as whole bytes behind its UART.
pub fn over_the_wire(machine: &DeepMachine, engine: Engine) -> bool {
    machine.tiles < WHOLE_BYTES && !matches!(engine, Engine::Golden | Engine::Rusthdl)
}

/// The engines of a rung that run programs; the iCE40's parts have no room for the large machines.
pub fn engines(rung: Rung, machine: &DeepMachine) -> Vec<Engine> {
    let runs = |engine: &Engine| match engine {
        Engine::Golden | Engine::Rusthdl | Engine::Verilator | Engine::NetlistEcp5 => true,
        Engine::Netlist => machine.tiles < WHOLE_BYTES,
        Engine::Icarus | Engine::Bitstream => false,
    };
    rung.engines().iter().copied().filter(runs).collect()
}

/// Run problems on one of a rung's engines; `seen` is told the images that are done of a problem.
///
/// # Errors
/// [`HostError`] for whatever keeps a problem from running; that is no difference.
pub fn climb(
    rung: Rung,
    engine: Engine,
    machine: &DeepMachine,
    problems: &[NamedDeepProblem],
    reproduce: &dyn Fn(&str) -> String,
    seen: &mut dyn FnMut(&str, usize),
) -> Result<RungResult, HostError> {
    let started = Instant::now();
    let options = EngineOptions { engine, wire: over_the_wire(machine, engine), ..EngineOptions::default() };
    let mut starter = Starter::new(machine, &options)?;
    let mut result =
        RungResult { rung, engine, problems: 0, outputs: 0, counters: 0, failures: Vec::new(), seconds: 0.0 };
    for NamedDeepProblem { name, problem, maps } in problems {
        let mut runs = starter.start(problem, *maps)?;
        let found = outcome::run(problem, runs.as_mut(), engine == Engine::Golden, &mut |stage| {
            if let Stage::Running(done) = stage {
                seen(name, done);
            }
        })?;
        // Integer layers do not clamp: there is nothing to hold the executor against.
        if engine == Engine::Golden
            && found.counters.0.iter().any(|(name, pair)| *name == "saturations" && pair.golden > 0)
        {
            continue;
        }
        result.problems += 1;
        result.outputs += found.codes_compared + found.sums_compared;
        result.counters += COUNTERS.len() * (1 + found.layers.len());
        if let Some(difference) = found.first_difference {
            result.failures.push(Failure {
                problem: name.clone(),
                layer: difference.layer.unwrap_or(problem.placements.len().saturating_sub(1)),
                difference: difference.to_string(),
                first: None,
                bisection: None,
                not_bisected: Some(BY_LAYER),
                reproduce: reproduce(name),
            });
        }
    }
    result.seconds = started.elapsed().as_secs_f64();
    Ok(result)
}

//! The whole procedure with a machine in this program, over its own link.

use std::time::Instant;

use crate::comparison::{Expected, expect};
use crate::engine::{EngineOptions, start};
use crate::error::HostError;
use crate::link::{Client, InProcessPort};
use crate::outcome::{Circumstances, Outcome};
use crate::problem::Problem;
use crate::procedure::{self, Measured, Step};

/// What a run gave, what it should have given, and the verdict.
#[derive(Debug, Clone)]
pub struct SimulatedRun {
    /// What the machine gave.
    pub measured: Measured,
    /// What golden predicts.
    pub expected: Expected,
    /// The verdict.
    pub outcome: Outcome,
}

/// Run a problem on an engine. `fault_flip` inverts the device at that row and column after everything is loaded and
/// verified.
///
/// # Errors
/// [`HostError::NoDevice`] for a fault outside the array, or anything that keeps the run from ending.
pub fn run(
    problem: &Problem,
    options: &EngineOptions,
    fault_flip: Option<(usize, usize)>,
    progress: &mut dyn FnMut(Step),
) -> Result<SimulatedRun, HostError> {
    let (rows, columns) = (problem.array.rows(), problem.array.columns());
    if let Some((row, column)) = fault_flip.filter(|(row, column)| *row >= rows || *column >= columns) {
        return Err(HostError::NoDevice { row, column, machine: problem.machine.name.clone(), rows, columns });
    }
    let expected = expect(problem)?;
    let machine = start(&problem.machine, options, None)?;
    let engine = format!("{}: {}", options.engine, machine.description());
    let port = InProcessPort::new(machine, problem.machine.link.clock_hz);
    let mut client = Client::new(port, options.patience);
    let started = Instant::now();
    let hash = options.build_hash(&problem.machine);
    let measured = procedure::run(&mut client, problem, hash, progress, &mut |port| {
        if let Some((row, column)) = fault_flip
            && !port.machine_mut().flip_device(row, column)
        {
            return Err(HostError::EngineLacks { engine: options.engine, option: "--fault-flip" });
        }
        Ok(())
    })?;
    let machine = client.port().machine();
    let how = Circumstances {
        engine,
        seconds: started.elapsed().as_secs_f64(),
        clocks: Some(machine.clock()),
        leds: Some(machine.leds()),
    };
    let outcome = Outcome::new(problem, &expected, &measured, how);
    Ok(SimulatedRun { measured, expected, outcome })
}

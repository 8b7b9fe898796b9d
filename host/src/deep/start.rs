//! Starts what runs a problem's program.

use bitline_boards::verilated::{self, Simulator, VerilatedMachine};
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::export::deep_verilog;
use bitline_hdl::simulation::{deep_build_hash, simulate_deep};

use super::DeepProblem;
use super::board::DeepBoard;
use super::engine::{DeepEngine, GoldenEngine};
use crate::engine::{Engine, EngineOptions};
use crate::error::HostError;
use crate::link::{Client, ClientOptions, InProcessPort};

/// What runs a problem's program.
fn engine_of<'a>(options: &EngineOptions, problem: &'a DeepProblem) -> Result<Box<dyn DeepEngine + 'a>, HostError> {
    let machine = &problem.machine;
    let empty = DeepContents::default();
    let virtual_machine = match options.engine {
        Engine::Golden => return Ok(Box::new(GoldenEngine::new(problem))),
        Engine::Rusthdl => simulate_deep(machine, options.link(), &empty, options.vcd.clone())?,
        Engine::Verilator => {
            let text = deep_verilog(machine, &empty, None, !options.wire)?;
            let face = machine.face();
            let program = if options.wire {
                verilated::compile(&face, &text, &options.work)?
            } else {
                verilated::compile_bytes(&face, &text, &options.work)?
            };
            Box::new(VerilatedMachine::start(&face, &program, Simulator::Verilator, "exported Verilog")?)
        }
        engine => return Err(HostError::NoProgramEngine { machine: machine.name.clone(), engine }),
    };
    let description = virtual_machine.description();
    let port = InProcessPort::new(virtual_machine, machine.link.clock_hz);
    let client = Client::new(port, ClientOptions::default());
    Ok(Box::new(DeepBoard::new(client, problem, deep_build_hash(machine), description)?))
}

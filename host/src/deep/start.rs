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

/// Start an engine with a problem's program loaded.
///
/// # Errors
/// [`HostError::NoProgramEngine`], a machine that cannot be made, and any link error.
pub fn start<'a>(problem: &'a DeepProblem, options: &EngineOptions) -> Result<Box<dyn DeepEngine + 'a>, HostError> {
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
    let mut description = virtual_machine.description();
    if options.engine == Engine::Verilator && !options.wire {
        description = description.replace("every bit on the wire", "whole bytes handed to the link (a short cut)");
    }
    let port = InProcessPort::new(virtual_machine, machine.link.clock_hz);
    let client = Client::new(port, ClientOptions::default());
    Ok(Box::new(DeepBoard::new(client, problem, deep_build_hash(machine), description)?))
}

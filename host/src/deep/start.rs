//! Starts what runs a problem's program.

use std::path::PathBuf;

use bitline_boards::board::Family;
use bitline_boards::netlist::netlist;
use bitline_boards::verilated::{self, Simulator, VerilatedMachine};
use bitline_golden::deep_machine::DeepMachine;
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::export::deep_verilog;
use bitline_hdl::simulation::{deep_build_hash, simulate_deep};

use super::DeepProblem;
use super::board::DeepBoard;
use super::engine::{DeepEngine, GoldenEngine};
use crate::engine::{Engine, EngineOptions};
use crate::error::HostError;
use crate::link::{Client, ClientOptions, InProcessPort};

/// Starts engines for problems of one machine, which it compiles once.
#[derive(Debug)]
pub struct Starter {
    machine: DeepMachine,
    options: EngineOptions,
    compiled: Option<PathBuf>,
}

impl Starter {
    /// For problems of that machine.
    ///
    /// # Errors
    /// [`HostError::NoProgramEngine`].
    pub fn new(machine: &DeepMachine, options: &EngineOptions) -> Result<Self, HostError> {
        let engine = options.engine;
        if !ENGINES.contains(&engine) {
            return Err(HostError::NoProgramEngine { machine: machine.name.clone(), engine });
        }
        Ok(Self { machine: machine.clone(), options: options.clone(), compiled: None })
    }

    /// Start the engine with a problem's program loaded; with `maps`, to read the maps between layers too, for which each image is
    /// run again up to the end of each layer.
    ///
    /// # Errors
    /// A machine that cannot be made, and any link error.
    pub fn start<'a>(&mut self, problem: &'a DeepProblem, maps: bool) -> Result<Box<dyn DeepEngine + 'a>, HostError> {
        let Self { machine, options, .. } = self;
        let face = machine.face();
        let what = match options.engine {
            Engine::NetlistEcp5 => "ECP5 netlist",
            Engine::Netlist => "iCE40 netlist",
            _ => "exported Verilog",
        };
        let virtual_machine = match options.engine {
            Engine::Golden => return Ok(Box::new(GoldenEngine::new(problem))),
            Engine::Rusthdl => simulate_deep(machine, options.link(), &DeepContents::default(), options.vcd.clone())?,
            _ => {
                let program = match &self.compiled {
                    Some(program) => program,
                    None => self.compiled.insert(compile(machine, options)?),
                };
                Box::new(VerilatedMachine::start(&face, program, Simulator::Verilator, what)?)
            }
        };
        let mut description = virtual_machine.description();
        if options.engine != Engine::Rusthdl && !options.wire {
            description = description.replace("every bit on the wire", "whole bytes handed to the link (a short cut)");
        }
        let port = InProcessPort::new(virtual_machine, face.link.clock_hz);
        let client = Client::new(port, ClientOptions::default());
        let board = DeepBoard::new(client, problem, deep_build_hash(machine), description)?;
        Ok(Box::new(board.with_maps(maps)))
    }
}

/// Engines that run programs.
pub const ENGINES: [Engine; 5] =
    [Engine::Golden, Engine::Rusthdl, Engine::Verilator, Engine::Netlist, Engine::NetlistEcp5];

/// Export a machine and compile it, as a netlist if that is the engine.
fn compile(machine: &DeepMachine, options: &EngineOptions) -> Result<PathBuf, HostError> {
    let text = deep_verilog(machine, &DeepContents::default(), None, !options.wire)?;
    let (face, work) = (machine.face(), &options.work);
    let family = match options.engine {
        Engine::Netlist => Family::Ice40,
        Engine::NetlistEcp5 => Family::Ecp5,
        _ if options.wire => return Ok(verilated::compile(&face, &text, work)?),
        _ => return Ok(verilated::compile_bytes(&face, &text, work)?),
    };
    let netlist = netlist(family, &machine.name, &text, work)?;
    Ok(if options.wire {
        verilated::compile_netlist(&face, &netlist, work)?
    } else {
        verilated::compile_netlist_bytes(&face, &netlist, work)?
    })
}

/// Start an engine with a problem's program loaded.
///
/// # Errors
/// [`HostError::NoProgramEngine`], a machine that cannot be made, and any link error.
pub fn start<'a>(problem: &'a DeepProblem, options: &EngineOptions) -> Result<Box<dyn DeepEngine + 'a>, HostError> {
    Starter::new(&problem.machine, options)?.start(problem, false)
}

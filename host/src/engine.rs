//! Machines that run in this program.

use std::fmt;
use std::path::PathBuf;

use bitline_boards::netlist;
use bitline_boards::verilated::{self, VerilatedMachine};
use bitline_golden::board_model::ModelBoard;
use bitline_golden::machine::Machine;
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_hdl::export::{ExportOptions, verilog};
use bitline_hdl::simulation::{Contents, LinkMode, SimulationOptions, build_hash, simulate};

use crate::error::HostError;
use crate::link::ClientOptions;
use crate::problem::Problem;

/// What runs the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// The gateware, simulated clock by clock.
    #[default]
    Rusthdl,
    /// The gateware's exported Verilog, compiled by Verilator.
    Verilator,
    /// The netlist that Yosys makes of it for the iCE40, with the cell models Yosys ships, compiled by Verilator.
    Netlist,
    /// The golden model behind the same link.
    Golden,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rusthdl, Self::Verilator, Self::Netlist, Self::Golden];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rusthdl => "rusthdl",
            Self::Verilator => "verilator",
            Self::Netlist => "netlist",
            Self::Golden => "golden",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What can be chosen about an engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Which one.
    pub engine: Engine,
    /// Carry every bit of the link over a simulated UART, instead of whole bytes.
    pub wire: bool,
    /// Write every signal's changes there (VCD).
    pub vcd: Option<PathBuf>,
    /// Folder of what is compiled (by Verilator), kept for the next time.
    pub work: PathBuf,
    /// The machine as [`compile`] made it before, for many starts; else it is looked for in `work`, and made.
    pub compiled: Option<Compiled>,
    /// How long the host waits for the machine.
    pub patience: ClientOptions,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            wire: false,
            vcd: None,
            work: "out/verilated".into(),
            compiled: None,
            patience: ClientOptions::default(),
        }
    }
}

/// A problem as what memories hold at power-on.
pub fn contents_of(problem: &Problem) -> Contents {
    let array = &problem.array;
    Contents {
        devices: (0..array.rows())
            .map(|row| (0..array.columns()).map(|column| array.get(row, column)).collect())
            .collect(),
        images: problem.images.rows().into_iter().map(|image| image.to_vec()).collect(),
        labels: problem.labels.clone(),
    }
}

/// A machine that Verilator compiled.
#[derive(Debug, Clone)]
pub struct Compiled {
    program: PathBuf,
    what: &'static str,
    mutant: Option<u32>,
}

impl Compiled {
    /// A mutant of the program that `verilated::compile_mutants` made; 0 is the machine itself.
    pub fn mutant(program: PathBuf, number: u32) -> Self {
        Self { program, what: "mutated Verilog", mutant: Some(number) }
    }
}

/// Export a machine's Verilog and compile it, as a netlist if that is the engine; what `options.work` has is not done again.
///
/// # Errors
/// [`HostError`] for a machine without gateware, or a tool that is missing or failed.
pub fn compile(machine: &Machine, options: &EngineOptions, contents: Option<&Problem>) -> Result<Compiled, HostError> {
    let contents = contents.map(contents_of).unwrap_or_default();
    let text = verilog(machine, &ExportOptions { contents, clock_hz: None })?;
    let (program, what) = if options.engine == Engine::Netlist {
        let netlist = netlist::ice40(&machine.name, &text, &options.work)?;
        (verilated::compile_netlist(machine, &netlist, &options.work)?, "iCE40 netlist")
    } else {
        (verilated::compile(machine, &text, &options.work)?, "exported Verilog")
    };
    Ok(Compiled { program, what, mutant: None })
}

/// Make a machine at power-on; with `contents`, its memories hold that problem already (S001's stand-alone mode).
///
/// # Errors
/// [`HostError`] for a machine without gateware, or an option that the engine does not have.
pub fn start(
    machine: &Machine,
    options: &EngineOptions,
    contents: Option<&Problem>,
) -> Result<Box<dyn VirtualMachine>, HostError> {
    match options.engine {
        Engine::Golden => {
            let lacking = [("--wire", options.wire), ("--vcd", options.vcd.is_some())];
            if let Some((option, _)) = lacking.into_iter().find(|(_, asked)| *asked) {
                return Err(HostError::EngineLacks { engine: options.engine, option });
            }
            let board = ModelBoard::new(machine.clone(), build_hash(machine))?;
            Ok(Box::new(match contents {
                None => board,
                Some(problem) => board.with_contents(problem.array.clone(), &problem.images, &problem.labels)?,
            }))
        }
        Engine::Verilator | Engine::Netlist => {
            if options.vcd.is_some() {
                return Err(HostError::EngineLacks { engine: options.engine, option: "--vcd" });
            }
            let compiled = match &options.compiled {
                Some(compiled) => compiled.clone(),
                None => compile(machine, options, contents)?,
            };
            Ok(Box::new(match compiled.mutant {
                None => VerilatedMachine::start(machine, &compiled.program, compiled.what)?,
                Some(number) => VerilatedMachine::start_mutant(machine, &compiled.program, number)?,
            }))
        }
        Engine::Rusthdl => {
            let link = if options.wire { LinkMode::Wire } else { LinkMode::Bytes };
            let contents = contents.map(contents_of);
            Ok(simulate(machine, SimulationOptions { link, vcd: options.vcd.clone(), contents })?)
        }
    }
}

//! Machines that run in this program.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bitline_boards::board::{Board, Family};
use bitline_boards::flow::{Flow, build_of};
use bitline_boards::netlist::netlist;
use bitline_boards::verilated::{self, Simulator, VerilatedMachine};
use bitline_golden::board_model::ModelBoard;
use bitline_golden::machine::Machine;
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_hdl::export::{ExportOptions, verilog};
use bitline_hdl::simulation::{Contents, LinkMode, SimulationOptions, build_hash, simulate};

use serde::Serialize;

use crate::error::HostError;
use crate::link::ClientOptions;
use crate::problem::Problem;

/// What runs the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The gateware, simulated clock by clock.
    #[default]
    Rusthdl,
    /// The gateware's exported Verilog, compiled by Verilator.
    Verilator,
    /// The gateware's exported Verilog under Icarus: four values a bit, so that what is not initialised shows, and slow.
    Icarus,
    /// The netlist that Yosys makes of it for the iCE40, with the cell models Yosys ships, compiled by Verilator.
    Netlist,
    /// The same for the ECP5; the model of its block RAM is bitline's own.
    NetlistEcp5,
    /// The packed iCE40 bitstream of a board, unpacked back to logic, compiled by Verilator.
    Bitstream,
    /// The golden model behind the same link.
    Golden,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Rusthdl, Self::Verilator, Self::Icarus, Self::Netlist, Self::NetlistEcp5, Self::Bitstream, Self::Golden];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rusthdl => "rusthdl",
            Self::Verilator => "verilator",
            Self::Icarus => "icarus",
            Self::Netlist => "netlist",
            Self::NetlistEcp5 => "netlist-ecp5",
            Self::Bitstream => "bitstream",
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
    /// Folder of what the tools make (Yosys, nextpnr, Verilator), kept for the next time.
    pub work: PathBuf,
    /// The machine as [`compile`] made it before, for many starts; else it is looked for in `work`, and made.
    pub compiled: Option<Compiled>,
    /// Bits that the machine's counters start with, each with as many as it has.
    pub counts: u32,
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
            counts: 0,
            patience: ClientOptions::default(),
        }
    }
}

impl EngineOptions {
    /// What a machine's IDENTIFY has to answer for a build hash.
    pub(crate) fn build_hash(&self, machine: &Machine) -> u64 {
        self.compiled.as_ref().map_or_else(|| build_hash(machine), |compiled| compiled.build_hash)
    }

    /// Bits on the wire, or whole bytes.
    pub fn link(&self) -> LinkMode {
        if self.wire { LinkMode::Wire } else { LinkMode::Bytes }
    }

    /// Clocks of one byte on a machine's wire.
    pub(crate) fn byte_clocks(&self, machine: &Machine) -> u64 {
        if let Some(Compiled { simulator: Simulator::Mutant { byte_clocks, .. }, .. }) = &self.compiled {
            return *byte_clocks;
        }
        let clocked = self.compiled.as_ref().map_or(machine, |compiled| &compiled.machine);
        clocked.link.clocks_per_byte()
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
        counts: 0,
    }
}

/// The board whose bitstream [`Engine::Bitstream`] runs: the one with an iCE40.
const BITSTREAM_BOARD: &str = "icebreaker";

/// A machine that Verilator or Icarus compiled.
#[derive(Debug, Clone)]
pub struct Compiled {
    program: PathBuf,
    simulator: Simulator,
    /// As it is clocked: a bitstream by its board's crystal.
    machine: Machine,
    what: &'static str,
    text: Arc<str>,
    /// What it answers for a build hash.
    build_hash: u64,
}

impl Compiled {
    /// A mutant of a machine in the program that `verilated::compile_mutants` made of exported Verilog.
    pub fn mutant(machine: &Machine, text: &str, program: PathBuf, simulator: Simulator, build_hash: u64) -> Self {
        let what = "mutated Verilog";
        Self { program, simulator, machine: machine.clone(), what, text: text.into(), build_hash }
    }

    /// The exported Verilog that it was made of.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The machine as it is clocked.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }
}

/// Export a machine's Verilog and compile it, as a netlist or bitstream if that is the engine; what `options.work` has is
/// not done again.
///
/// # Errors
/// [`HostError`] for a machine without gateware or without room on the board, or a tool that is missing or failed.
pub fn compile(machine: &Machine, options: &EngineOptions, contents: Option<&Problem>) -> Result<Compiled, HostError> {
    let clock_hz = (options.engine == Engine::Bitstream).then(|| Board::named(BITSTREAM_BOARD)).transpose()?;
    let contents = contents.map(contents_of).unwrap_or_default();
    let clock_hz = clock_hz.map(|board| board.clock_hz);
    let text = verilog(machine, &ExportOptions { contents, clock_hz, ..ExportOptions::default() })?;
    compile_text(machine, &text, options)
}

/// Compile Verilog that was exported before, and perhaps changed since. For a bitstream it must have the board's clock.
///
/// # Errors
/// [`HostError`] for a tool that is missing or failed, or a machine without room on the board.
pub fn compile_text(described: &Machine, text: &str, options: &EngineOptions) -> Result<Compiled, HostError> {
    let (work, machine) = (&options.work, described);
    let as_netlist = |family| -> Result<PathBuf, HostError> {
        Ok(verilated::compile_netlist(machine, &netlist(family, &machine.name, text, work)?, work)?)
    };
    let (program, what, machine) = match options.engine {
        Engine::Netlist => (as_netlist(Family::Ice40)?, "iCE40 netlist", machine.clone()),
        Engine::NetlistEcp5 => (as_netlist(Family::Ecp5)?, "ECP5 netlist", machine.clone()),
        Engine::Bitstream => {
            let flow = Flow::new(Board::named(BITSTREAM_BOARD)?, machine, work)?;
            let program = verilated::compile_netlist(machine, &flow.bitstream(text)?, work)?;
            (program, "unpacked iCE40 bitstream", flow.machine().clone())
        }
        Engine::Icarus => (verilated::compile_icarus(machine, text, work)?, "exported Verilog", machine.clone()),
        Engine::Verilator | Engine::Rusthdl | Engine::Golden => {
            (verilated::compile(machine, text, work)?, "exported Verilog", machine.clone())
        }
    };
    let simulator = if options.engine == Engine::Icarus { Simulator::Icarus } else { Simulator::Verilator };
    // A changed text is still of the machine it was exported for, whatever it is named here.
    let build_hash = build_of(text).unwrap_or_else(|| build_hash(described));
    Ok(Compiled { program, simulator, build_hash, machine, what, text: text.into() })
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
            let board = ModelBoard::new(machine.clone(), build_hash(machine))?.with_counts(options.counts);
            Ok(Box::new(match contents {
                None => board,
                Some(problem) => board.with_contents(problem.array.clone(), &problem.images, &problem.labels)?,
            }))
        }
        Engine::Verilator | Engine::Icarus | Engine::Netlist | Engine::NetlistEcp5 | Engine::Bitstream => {
            if options.vcd.is_some() {
                return Err(HostError::EngineLacks { engine: options.engine, option: "--vcd" });
            }
            let compiled = match &options.compiled {
                Some(compiled) => compiled.clone(),
                None => compile(machine, options, contents)?,
            };
            let Compiled { program, simulator, machine, what, .. } = &compiled;
            Ok(Box::new(VerilatedMachine::start_at(machine, program, *simulator, what, options.counts)?))
        }
        Engine::Rusthdl => {
            let link = if options.wire { LinkMode::Wire } else { LinkMode::Bytes };
            let counts = options.counts;
            let contents = Contents { counts, ..contents.map(contents_of).unwrap_or_default() };
            let contents = Some(contents);
            Ok(simulate(machine, SimulationOptions { link, vcd: options.vcd.clone(), contents })?)
        }
    }
}

//! Where two rungs part: from the problem that came out differently down to the first block whose output differs.
//!
//! The problem is run once more on the RustHDL simulation, bit by bit, and whatever stands on its pins stands in the same clock
//! on those of the exported Verilog; every port of every block is compared after every clock. Where the Verilog is equal and a
//! netlist or bitstream was not, the same is done with a netlist whose blocks were synthesised one by one.

use std::fmt;
use std::path::{Path, PathBuf};

use bitline_boards::board::Family;
use bitline_boards::netlist::blocks;
use bitline_boards::verilated::compile_traced;
use bitline_golden::machine::Machine;
use bitline_hdl::simulation::build_hash;
use serde::Serialize;

use crate::engine::Engine;
use crate::error::HostError;
use crate::link::{Client, ClientOptions, InProcessPort};
use crate::lockstep::{Column, Lockstep, seen};
use crate::origin::Origin;
use crate::problem::Problem;
use crate::procedure;

/// The block in which two rungs part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The first clock from power-on at whose end a port differs.
    pub clock: u64,
    /// What sort of block it is: its page in the book.
    pub kind: String,
    /// What in it is written as Verilog text of its own, if anything is.
    pub text_of: Option<&'static str>,
    /// Block, port and values.
    #[serde(flatten)]
    pub origin: Origin,
}

/// One comparison with the RustHDL simulation, clock by clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Search {
    /// What was compared.
    pub compared: &'static str,
    /// Ports compared in every clock.
    pub ports: usize,
    /// Ports that it does not have any more.
    pub missing: usize,
    /// Clocks compared.
    pub clocks: u64,
    /// The block, if there is a difference.
    pub fault: Option<Fault>,
    /// The first count of a column that differs in a run.
    pub column: Option<Column>,
}

/// What all comparisons said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bisection {
    /// One after the other, until one finds a block.
    pub searches: Vec<Search>,
    /// The waves of the last, RustHDL's and the other's, if they were asked for.
    pub waves: Vec<PathBuf>,
    /// Where the fault lies if no comparison found a block.
    pub remark: Option<&'static str>,
}

impl Bisection {
    /// The comparison that found a block.
    pub fn found(&self) -> Option<(&Search, &Fault)> {
        self.searches.last().and_then(|search| Some((search, search.fault.as_ref()?)))
    }
}

/// The block whose Verilog is written by another module of `hdl`, of the sort of block that holds it.
fn text_of(kind: &str) -> Option<&'static str> {
    matches!(kind, "column_counter" | "pulse_counter").then_some("population_count")
}

/// Folders of a bisection.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// Keeps what the tools make.
    pub work: &'a Path,
    /// How the files of both waves of the last comparison begin, if they are to be kept: before `-rusthdl.vcd`, `-verilog.vcd` and
    /// `-netlist.vcd`.
    pub waves: Option<&'a Path>,
}

/// Find the block in which an engine parts from the RustHDL simulation on a problem; `machine`, as it is clocked, and `text`, its
/// exported Verilog, are what the engine was compiled of.
///
/// # Errors
/// [`HostError`]: a tool that is missing or failed, or waves that cannot be written.
pub fn bisect(
    problem: &Problem,
    engine: Engine,
    machine: &Machine,
    text: &str,
    files: &Files,
) -> Result<Bisection, HostError> {
    let Files { work, waves } = *files;
    let family = match engine {
        Engine::Netlist | Engine::Bitstream => Some((Family::Ice40, "iCE40 netlist, block by block")),
        Engine::NetlistEcp5 => Some((Family::Ecp5, "ECP5 netlist, block by block")),
        Engine::Verilator | Engine::Icarus | Engine::Rusthdl | Engine::Golden => None,
    };
    let mut result = Bisection { searches: Vec::new(), waves: Vec::new(), remark: None };
    let program = compile_traced(machine, text, None, work)?;
    result.search(problem, machine, "exported Verilog", &program, waves.map(|name| (name, "verilog")))?;
    if let Some((family, compared)) = family
        && result.found().is_none()
    {
        let netlist = blocks(family, &machine.name, text, work)?;
        let program = compile_traced(machine, &netlist.verilog, Some(&netlist.models), work)?;
        result.search(problem, machine, compared, &program, waves.map(|name| (name, "netlist")))?;
    }
    if result.found().is_none() {
        result.remark = Some(match engine {
            Engine::Netlist | Engine::NetlistEcp5 => {
                "the blocks of the netlist are equal, each synthesised by itself: the fault lies in what the synthesis of the \
                 whole does after that (flattening, optimization across blocks)"
            }
            Engine::Bitstream => {
                "the blocks of the netlist are equal, each synthesised by itself: the fault lies after that (flattening, \
                 place and route, packing or unpacking)"
            }
            Engine::Icarus => "Verilator's model of it is equal: the fault shows under Icarus alone",
            _ => "no port differs while the host talks with RustHDL: the fault shows only at the pins of the other",
        });
    }
    Ok(result)
}

impl Bisection {
    /// Run the problem on the RustHDL simulation with the program beside it.
    fn search(
        &mut self,
        problem: &Problem,
        machine: &Machine,
        compared: &'static str,
        program: &Path,
        waves: Option<(&Path, &str)>,
    ) -> Result<(), HostError> {
        let files = waves.map(|(name, upper)| ["rusthdl", upper].map(|rung| with_ending(name, rung)));
        // Those of a comparison without a difference are of no use.
        self.waves.drain(..).for_each(|file| drop(std::fs::remove_file(file)));
        let clock_hz = machine.link.clock_hz;
        let paths = files.as_ref().map(|files| [files[0].as_path(), files[1].as_path()]);
        let (both, shared) = Lockstep::new(&problem.machine, clock_hz, program, paths)?;
        let kinds = both.kinds();
        let mut client = Client::new(InProcessPort::new(Box::new(both), clock_hz), ClientOptions::default());
        // It ends with an error where nothing is left to be found: the machine falls silent.
        let ended = procedure::run(&mut client, problem, build_hash(&problem.machine), &mut |_| (), &mut |_| Ok(()));
        drop(client);
        let mut seen = seen(&shared);
        seen.check()?;
        if seen.first.is_none() {
            ended?;
        }
        let fault = seen.first.take().map(|(clock, origin)| {
            let kind = kinds.get(&origin.block).map_or("block", String::as_str);
            Fault { clock, kind: kind.to_string(), text_of: text_of(kind), origin }
        });
        let (ports, missing, clocks) = (seen.ports, seen.missing, seen.clocks);
        self.searches.push(Search { compared, ports, missing, clocks, fault, column: seen.column.take() });
        self.waves = files.into_iter().flatten().collect();
        Ok(())
    }
}

/// `out/name` and `verilog` as `out/name-verilog.vcd`.
fn with_ending(name: &Path, rung: &str) -> PathBuf {
    let mut file = name.file_name().unwrap_or_default().to_os_string();
    file.push(format!("-{rung}.vcd"));
    name.with_file_name(file)
}

impl fmt::Display for Bisection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Search { compared, ports, missing, clocks, fault, column } in &self.searches {
            let left_out = if *missing == 0 { String::new() } else { format!(" ({missing} are not in it)") };
            match fault {
                None => writeln!(
                    f,
                    "  equal     {compared} and RustHDL: {ports} ports{left_out} in each of {clocks} clocks"
                )?,
                Some(Fault { clock, kind, text_of, origin }) => {
                    let Origin { block, port, expected, got, others, other_blocks } = origin;
                    let name = if block.is_empty() { "top" } else { block };
                    let inside = text_of.map(|text| format!(", {text} in it")).unwrap_or_default();
                    writeln!(
                        f,
                        "  block     {name} ({kind}{inside}): the first whose output differs with equal inputs, {compared} \
                         against RustHDL"
                    )?;
                    writeln!(f, "  clock     {clock} from power-on: {port} is {got}, in RustHDL {expected}")?;
                    if *other_blocks > 0 {
                        let more = if others.len() < *other_blocks { ", ..." } else { "" };
                        writeln!(f, "  also      {other_blocks} more in that clock: {}{more}", others.join(", "))?;
                    }
                    match column {
                        Some(Column { column, plane, output, bit, block, clock }) => writeln!(
                            f,
                            "  column    {column} (bit {bit} of output {output}), plane {plane}: its count in {block} is the \
                             first that differs in a run, clock {clock}"
                        )?,
                        None => writeln!(f, "  column    none: no column's count differs in a run")?,
                    }
                }
            }
        }
        if let Some(remark) = self.remark {
            writeln!(f, "  remark    {remark}")?;
        }
        if !self.waves.is_empty() {
            let files: Vec<String> = self.waves.iter().map(|file| file.display().to_string()).collect();
            writeln!(f, "  waves     {} (a time step is a clock)", files.join(", "))?;
        }
        Ok(())
    }
}

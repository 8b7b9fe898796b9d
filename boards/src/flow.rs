//! From Verilog to a bitstream: Yosys, nextpnr, the packer.
//!
//! Each is a [stage](mod@crate::stage), whose hash takes in the Verilog, the constraints, the options and the tool's version.

use crate::board::{Board, Device, Family, Floorplan};
use crate::constraints::{self, megahertz};
use crate::error::BoardError;
use crate::floorplan;
use crate::pll;
use crate::stage::{LIMIT, hash, run_within, stage, write};
use crate::tools;
use crate::usage::{Cells, Usage};
use crate::wrapper;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{Machine, MachineError};
use bitline_golden::registers::find;
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::export::{ExportOptions, deep_verilog, verilog};
use bitline_hdl::simulation::{build_hash, deep_build_hash};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A design as cells of the part, not yet placed.
#[derive(Debug, Clone)]
pub struct Synthesis {
    /// The stage's folder; holds `netlist.json`, `stat.json`, `yosys.log`, `top.v` and `board_top.v`.
    pub folder: PathBuf,
    /// Cells by what they do.
    pub cells: Cells,
    /// How long Yosys took; none when the result was there already.
    pub took: Option<Duration>,
    key: String,
}

/// A placed and routed design.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The stage's folder; holds `report.json`, `nextpnr.log`, the constraints and the textual bitstream.
    pub folder: PathBuf,
    /// The seed of the placer.
    pub seed: u64,
    /// Area and clock.
    pub usage: Usage,
    /// How long nextpnr took; none when the result was there already.
    pub took: Option<Duration>,
    key: String,
}

impl Placement {
    /// A hash of everything that determines it: Verilog, pins, options, seed and the versions of the tools.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The build flow for one machine on one board.
#[derive(Debug, Clone)]
pub struct Flow {
    board: Board,
    /// As its description has it; the build hash is made from this.
    described: Machine,
    /// As the board clocks it.
    machine: Machine,
    /// The machine that runs programs, of which `machine` is what the link sees.
    deep: Option<DeepMachine>,
    out: PathBuf,
    limit: Duration,
}

impl Flow {
    /// A flow that keeps its stages under `out/<board>/<machine>/`, with a phase-locked loop under
    /// `out/<board>/<machine>-<clock>MHz/`.
    ///
    /// # Errors
    /// [`BoardError::Baud`].
    pub fn new(board: Board, machine: &Machine, out: &Path) -> Result<Self, BoardError> {
        let clock = board.pll_hz.map(|hz| format!("-{}MHz", megahertz(hz))).unwrap_or_default();
        let out = out.join(&board.name).join(format!("{}{clock}", machine.name));
        let adapted = board.adapt(machine)?;
        let mut flow = Self { machine: adapted, described: machine.clone(), deep: None, board, out, limit: LIMIT };
        if let Some(reach_hz) = flow.reach_hz() {
            flow.board.device.aim_hz = reach_hz;
        }
        Ok(flow)
    }

    /// The same for a machine that runs programs.
    ///
    /// # Errors
    /// [`BoardError::Baud`].
    pub fn of_deep(board: Board, machine: &DeepMachine, out: &Path) -> Result<Self, BoardError> {
        Ok(Self { deep: Some(machine.clone()), ..Self::new(board, &machine.face(), out)? })
    }

    /// The same for the built-in machine of that name, of either kind.
    ///
    /// # Errors
    /// [`BoardError::Baud`], [`BoardError::Export`] for a name that no machine has.
    pub fn named(board: Board, machine: &str, out: &Path) -> Result<Self, BoardError> {
        let unknown = |e: MachineError| BoardError::Export { machine: machine.into(), reason: e.to_string() };
        match DeepMachine::find(machine).map_err(unknown)? {
            Some(deep) => Self::of_deep(board, &deep, out),
            None => Self::new(board, &Machine::named(machine).map_err(unknown)?, out),
        }
    }

    /// The same flow, each of whose tools may take that long.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The folder of all its stages.
    pub fn folder(&self) -> &Path {
        &self.out
    }

    /// The board.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The machine as the board clocks it.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// A hash of what the board adds to the gateware: pins, levels, clock and the tools' options.
    pub fn board_hash(&self) -> String {
        let wrapper = wrapper::text(&self.board, &self.machine);
        let (device, pins) = (format!("{:?}", self.board.device), constraints::text(&self.board));
        let plan = self.floorplan().map(|plan| format!("{plan:?}")).unwrap_or_default();
        hash(&[wrapper.as_bytes(), pins.as_bytes(), (device + &plan).as_bytes()])
    }

    /// The board's floor plan, if it pins anything of the machine.
    fn floorplan(&self) -> Option<&Floorplan> {
        self.board.floorplan.as_ref().filter(|_| floorplan::is_pinned(&self.machine))
    }

    /// The clock that the floor plan lets the machine reach.
    fn reach_hz(&self) -> Option<u32> {
        self.floorplan().and_then(|plan| plan.reach_hz)
    }

    /// The build hash that IDENTIFY answers on this board.
    pub fn build_hash(&self) -> u64 {
        self.deep.as_ref().map_or_else(|| build_hash(&self.described), deep_build_hash)
    }

    /// Verilog of the machine for its clock on the board.
    ///
    /// # Errors
    /// [`BoardError::Export`].
    pub fn verilog(&self) -> Result<String, BoardError> {
        let clock_hz = Some(self.board.machine_hz());
        let text = match &self.deep {
            Some(machine) => deep_verilog(machine, &DeepContents::default(), clock_hz, false),
            None => verilog(&self.described, &ExportOptions { clock_hz, ..ExportOptions::default() }),
        };
        text.map_err(|e| BoardError::Export { machine: self.described.name.clone(), reason: e.to_string() })
    }

    /// Synthesise Verilog whose module `top` has the ports that [`wrapper`] names, under `board_top`.
    ///
    /// # Errors
    /// [`BoardError`]: a missing tool, a failed one, an unreadable file.
    pub fn synthesise(&self, source: &str) -> Result<Synthesis, BoardError> {
        let source = source.as_bytes();
        let wrapper = wrapper::text(&self.board, &self.machine);
        let pll = self.board.pll_hz.map(|hz| self.pll(hz)).transpose()?;
        let script = format!(
            "read_verilog -sv top.v board_top.v{}; {}; write_json netlist.json; tee -q -o stat.json stat -json",
            pll.as_ref().map_or("", |_| " pll.v"),
            synthesis_for(&self.board.device, wrapper::MODULE)
        );
        let pinned = self.floorplan().map(|plan| (&plan.block_rams, plan.places(&self.machine)));
        let listed = format!("{pinned:?}");
        let inputs = [source, wrapper.as_bytes(), listed.as_bytes(), script.as_bytes()];
        let pll = pll.as_deref().map(str::as_bytes);
        let key = hash(&[&inputs[..], &[tools::version("yosys")?.as_bytes()], pll.as_slice()].concat());
        let (folder, took) = stage(&self.out, "synthesis", &key, |work| {
            write(&work.join("top.v"), source)?;
            write(&work.join("board_top.v"), wrapper.as_bytes())?;
            if let Some(pll) = pll {
                write(&work.join("pll.v"), pll)?;
            }
            run_within(self.limit, work, "yosys", &["-q", "-l", "yosys.log", "-p", &script], "yosys.log")?;
            match &pinned {
                Some((block_rams, places)) => {
                    floorplan::pin(&work.join("netlist.json"), wrapper::MODULE, places, block_rams)
                }
                None => Ok(()),
            }
        })?;
        let cells = Cells::from_stat(&folder.join("stat.json"), self.board.device.family)?;
        Ok(Synthesis { folder, cells, took, key })
    }

    /// Verilog of the module that makes the machine's clock.
    fn pll(&self, clock_hz: u32) -> Result<String, BoardError> {
        let key = hash(&[self.board.device.family.pll_tool().as_bytes(), &clock_hz.to_be_bytes()]);
        let (folder, _) = stage(&self.out, "pll", &key, |work| {
            let text = pll::verilog(&self.board, clock_hz, work)?;
            write(&work.join("pll.v"), text.as_bytes())
        })?;
        let file = folder.join("pll.v");
        std::fs::read_to_string(&file).map_err(|e| BoardError::io(&file, "read", &e))
    }

    /// Place and route with one seed. A clock that is missed is no error here: see [`Usage::meets_clock`].
    ///
    /// # Errors
    /// [`BoardError`]: a missing tool, a failed one (the design does not fit), an unreadable file.
    pub fn place(&self, synthesis: &Synthesis, seed: u64) -> Result<Placement, BoardError> {
        let device = &self.board.device;
        let constraints = constraints::text(&self.board);
        let file = constraints::file_name(&self.board);
        let (tool, input, output) = match device.family {
            Family::Ice40 => ("nextpnr-ice40", "--pcf", ["--asc", "bitstream.asc"]),
            Family::Ecp5 => ("nextpnr-ecp5", "--lpf", ["--textcfg", "bitstream.config"]),
        };
        let (part, seed_text) = (format!("--{}", device.part), seed.to_string());
        let (clock, speed) = (megahertz(device.aim_hz), device.speed_grade.map(|s| s.to_string()));
        let placer = self.floorplan().and_then(|plan| plan.placer.as_deref());
        let mut options = vec![part.as_str(), "--package", &device.package, "--json", "netlist.json", input, file];
        options.extend(["--seed", &seed_text, "--freq", &clock, "--report", "report.json", "--timing-allow-fail"]);
        options.extend(speed.iter().flat_map(|speed| ["--speed", speed.as_str()]));
        options.extend(device.router.iter().flat_map(|router| ["--router", router.as_str()]));
        options.extend(placer.iter().flat_map(|placer| ["--placer", *placer]));
        options.extend(self.reach_hz().map(|_| "--tmg-ripup"));
        options.extend(output);
        options.extend(["--quiet", "--log", "nextpnr.log"]);
        let key = hash(&[
            synthesis.key.as_bytes(),
            constraints.as_bytes(),
            options.join(" ").as_bytes(),
            tools::version(tool)?.as_bytes(),
        ]);
        let (folder, took) = stage(&self.out, &format!("place-seed-{seed}"), &key, |work| {
            write(&work.join(file), constraints.as_bytes())?;
            let netlist = work.join("netlist.json");
            std::fs::copy(synthesis.folder.join("netlist.json"), &netlist)
                .map_err(|e| BoardError::io(&netlist, "written", &e))?;
            run_within(self.limit, work, tool, &options, "nextpnr.log").map_err(|e| self.named_if_too_large(e))?;
            std::fs::remove_file(&netlist).map_err(|e| BoardError::io(&netlist, "removed", &e))
        })?;
        let usage = Usage::from_report(&folder.join("report.json"), device.family, self.machine.link.clock_hz)?;
        Ok(Placement { folder, seed, usage, took, key })
    }

    /// Pack into the binary that the board's memory takes; gives back its path.
    ///
    /// # Errors
    /// [`BoardError`]: a missing tool, a failed one.
    pub fn pack(&self, placement: &Placement) -> Result<PathBuf, BoardError> {
        let (tool, from, to) = match self.board.device.family {
            Family::Ice40 => ("icepack", "bitstream.asc", "bitstream.bin"),
            Family::Ecp5 => ("ecppack", "bitstream.config", "bitstream.bit"),
        };
        let key = hash(&[placement.key.as_bytes(), tool.as_bytes()]);
        let (folder, _) = stage(&self.out, &format!("pack-seed-{}", placement.seed), &key, |work| {
            let text = work.join(from);
            std::fs::copy(placement.folder.join(from), &text).map_err(|e| BoardError::io(&text, "written", &e))?;
            run_within(self.limit, work, tool, &[from, to], "pack.log")
        })?;
        Ok(folder.join(to))
    }

    /// nextpnr's own words for a design that is too large name a region, not what ran out.
    fn named_if_too_large(&self, error: BoardError) -> BoardError {
        let BoardError::ToolFailed { log, .. } = &error else { return error };
        let text = std::fs::read_to_string(log).unwrap_or_default();
        match text.lines().filter_map(utilization).find(|(_, used, available)| used > available) {
            None => error,
            Some((resource, used, available)) => BoardError::DoesNotFit {
                machine: self.machine.name.clone(),
                board: self.board.name.clone(),
                resource,
                used,
                available,
                log: log.clone(),
            },
        }
    }
}

/// The build hash that exported Verilog names in its first line; none if it has none.
pub fn build_of(verilog: &str) -> Option<u64> {
    let (_, rest) = verilog.lines().next()?.split_once(", build ")?;
    u64::from_str_radix(rest.get(..16)?, 16).ok()
}

/// A hash of Verilog without the build hash in it: gateware that a change did not touch keeps its own.
pub fn design_hash(verilog: &str) -> String {
    let Some(build) = build_of(verilog) else { return hash(&[verilog.as_bytes()]) };
    let mut text = verilog.replace(&format!("{build:016x}"), "");
    let first = usize::from(find("build_hash").offset);
    for word in 0..4 {
        // By its place: another constant may have the same value.
        let low = 16 * (first + word);
        let own = format!("assign words[{}:{low}] = ", low + 15);
        text = text.replace(&format!("{own}16'h{:x};", build >> (16 * word) & 0xffff), &format!("{own}build hash;"));
    }
    hash(&[text.as_bytes()])
}

/// Yosys' commands from Verilog to one flat module `top` of a part's cells.
///
/// Flattened after mapping, since some modules are borders that mapping must keep (ADR 0007).
fn synthesis_for(device: &Device, top: &str) -> String {
    let synth = synth(device, top);
    let synth = match device.family {
        // What is left of multiplexers with constants before they become gates: a dozen lookup tables of `digits`.
        Family::Ice40 => format!("{synth} -run begin:map_gates; opt -full; {synth} -run map_gates:"),
        Family::Ecp5 => synth,
    };
    format!("{synth}; setattr -mod -unset keep_hierarchy *; flatten; opt_clean")
}

/// Yosys' own command for a part's family.
fn synth(device: &Device, top: &str) -> String {
    // On iCE40 the older mapper takes fewer lookup tables; area is what is short there.
    match device.family {
        Family::Ice40 => format!("synth_ice40 -device {} -top {top}", ice40_device(&device.part)),
        Family::Ecp5 => format!("synth_ecp5 -abc9 -top {top}"),
    }
}

/// As [`synthesis_for`], for the part of the family that rung R3 simulates: on iCE40 the UP5K.
pub(crate) fn synthesis(family: Family, top: &str) -> String {
    synthesis_for(&device_of(family), top)
}

fn device_of(family: Family) -> Device {
    let part = match family {
        Family::Ice40 => "up5k",
        Family::Ecp5 => "85k",
    };
    Device { family, part: part.into(), package: String::new(), speed_grade: None, aim_hz: 0, router: None }
}

/// The same, with every module kept. Of what is in them only their own instances keep their names: those that Yosys gives to
/// cells are too long for Verilator.
pub(crate) fn synthesis_of_blocks(family: Family, top: &str) -> String {
    format!("{} -noflatten; rename -hide */w:* */c:* */t:{top}* %d", synth(&device_of(family), top))
}

/// Yosys' name for the sort of iCE40 that a part of nextpnr's is: `hx` and `lp` are two speeds of one, `u` is UltraPlus.
fn ice40_device(part: &str) -> &'static str {
    match part {
        part if part.starts_with("hx") => "hx",
        part if part.starts_with("lp") => "lp",
        _ => "u",
    }
}

/// A line of nextpnr's table of what is used: `Info:  ICESTORM_LC:  5993/ 5280   113%`.
fn utilization(line: &str) -> Option<(String, u64, u64)> {
    let (resource, rest) = line.strip_prefix("Info:")?.split_once(':')?;
    let (used, rest) = rest.split_once('/')?;
    let available = rest.split_whitespace().next()?;
    Some((resource.trim().to_string(), used.trim().parse().ok()?, available.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utilization_reads_nextpnrs_table_and_nothing_else() {
        let line = "Info: \t         ICESTORM_LC:  5993/ 5280   113%";
        assert_eq!(utilization(line), Some(("ICESTORM_LC".into(), 5993, 5280)));
        for other in ["Info: Device utilisation:", "Info: constrained 'clock' to bel 'X12/Y31/io1'", "ERROR: 3: 4/5 6%"]
        {
            assert_eq!(utilization(other), None, "{other}");
        }
    }

    #[test]
    fn synthesis_is_for_the_part() {
        let script = |board| synthesis_for(&Board::named(board).unwrap().device, "top");
        assert!(script("icebreaker").starts_with("synth_ice40 -device u -top top -run begin:map_gates; opt -full; "));
        assert!(script("hx8k").starts_with("synth_ice40 -device hx -top top -run begin:map_gates; opt -full; "));
        assert!(script("colorlight-i5").starts_with("synth_ecp5 -abc9 -top top; "));
        assert_eq!(synthesis(Family::Ice40, "top"), script("icebreaker"));
        assert_eq!(synthesis(Family::Ecp5, "top"), script("ulx3s"));
        assert_eq!(
            synthesis_of_blocks(Family::Ice40, "top"),
            "synth_ice40 -device u -top top -noflatten; rename -hide */w:* */c:* */t:top* %d"
        );
        assert!(synthesis_of_blocks(Family::Ecp5, "top").starts_with("synth_ecp5 -abc9 -top top -noflatten; "));
    }

    #[test]
    fn floor_plan_is_part_of_the_board_for_machines_that_are_pinned_alone() {
        let board = Board::named("ulx3s").unwrap();
        let mut other = board.clone();
        other.floorplan.as_mut().unwrap().placer = Some("heap".into());
        let flow = |board: &Board, machine: &str| {
            Flow::new(board.clone(), &Machine::named(machine).unwrap(), Path::new("out")).unwrap()
        };
        let hash = |board: &Board, machine: &str| flow(board, machine).board_hash();
        let aim = |machine: &str| flow(&board, machine).board.device.aim_hz;
        assert_ne!(hash(&board, "digits-turbo"), hash(&other, "digits-turbo"));
        assert_eq!((aim("digits-turbo"), aim("digits")), (81_000_000, board.device.aim_hz));
        assert_eq!(hash(&board, "digits"), hash(&other, "digits"));
    }

    #[test]
    fn design_hash_leaves_the_build_hash_out_and_nothing_else() {
        let flow =
            Flow::new(Board::named("hx8k").unwrap(), &Machine::named("tiny").unwrap(), Path::new("out")).unwrap();
        let verilog = flow.verilog().unwrap();
        assert_eq!(build_of(&verilog), Some(flow.build_hash()));
        // The same gateware, exported after a comment in its source changed.
        let mut other = verilog.replace(&format!("{:016x}", flow.build_hash()), "00ff11ee22dd33cc");
        for (word, literal) in ["33cc", "22dd", "11ee", "ff"].iter().enumerate() {
            let own = format!("= 16'h{:x};", flow.build_hash() >> (16 * word) & 0xffff);
            assert!(other.contains(&own), "{own}");
            other = other.replace(&own, &format!("= 16'h{literal};"));
        }
        assert_eq!(design_hash(&verilog), design_hash(&other));
        assert_ne!(design_hash(&verilog), design_hash(&verilog.replace("posedge", "negedge")));
        assert_eq!(build_of("module top;\n"), None);
    }
}

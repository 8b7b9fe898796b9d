//! From Verilog to a bitstream: Yosys, nextpnr, the packer.
//!
//! Each is a [stage](mod@crate::stage), whose hash takes in the Verilog, the constraints, the options and the tool's version.

use crate::board::{Board, Family};
use crate::constraints::{self, megahertz};
use crate::error::BoardError;
use crate::stage::{hash, run, stage, write};
use crate::tools;
use crate::usage::{Cells, Usage};
use crate::wrapper;
use bitline_golden::machine::Machine;
use bitline_hdl::export::{ExportOptions, verilog};
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

/// The build flow for one machine on one board.
#[derive(Debug, Clone)]
pub struct Flow {
    board: Board,
    /// As its description has it; the build hash is made from this.
    described: Machine,
    /// As the board clocks it.
    machine: Machine,
    out: PathBuf,
}

impl Flow {
    /// A flow that keeps its stages under `out/<board>/<machine>/`.
    ///
    /// # Errors
    /// [`BoardError::Baud`].
    pub fn new(board: Board, machine: &Machine, out: &Path) -> Result<Self, BoardError> {
        let out = out.join(&board.name).join(&machine.name);
        Ok(Self { machine: board.adapt(machine)?, described: machine.clone(), board, out })
    }

    /// Verilog of the machine, clocked by the board's crystal.
    ///
    /// # Errors
    /// [`BoardError::Export`].
    pub fn verilog(&self) -> Result<String, BoardError> {
        let options = ExportOptions { clock_hz: Some(self.board.clock_hz), ..ExportOptions::default() };
        verilog(&self.described, &options)
            .map_err(|e| BoardError::Export { machine: self.described.name.clone(), reason: e.to_string() })
    }

    /// Synthesise Verilog whose module `top` has the ports that [`wrapper`] names, under `board_top`.
    ///
    /// # Errors
    /// [`BoardError`]: a missing tool, a failed one, an unreadable file.
    pub fn synthesise(&self, source: &str) -> Result<Synthesis, BoardError> {
        let source = source.as_bytes();
        let wrapper = wrapper::text(&self.board, &self.machine);
        let script = format!(
            "read_verilog -sv top.v board_top.v; {}; write_json netlist.json; tee -q -o stat.json stat -json",
            synthesis(self.board.device.family, wrapper::MODULE)
        );
        let key = hash(&[source, wrapper.as_bytes(), script.as_bytes(), tools::version("yosys")?.as_bytes()]);
        let (folder, took) = stage(&self.out, "synthesis", &key, |work| {
            write(&work.join("top.v"), source)?;
            write(&work.join("board_top.v"), wrapper.as_bytes())?;
            run(work, "yosys", &["-q", "-l", "yosys.log", "-p", &script], "yosys.log")
        })?;
        let cells = Cells::from_stat(&folder.join("stat.json"), self.board.device.family)?;
        Ok(Synthesis { folder, cells, took, key })
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
        let mut options = vec![part.as_str(), "--package", &device.package, "--json", "netlist.json", input, file];
        options.extend(["--seed", &seed_text, "--freq", &clock, "--report", "report.json", "--timing-allow-fail"]);
        options.extend(speed.iter().flat_map(|speed| ["--speed", speed.as_str()]));
        options.extend(device.router.iter().flat_map(|router| ["--router", router.as_str()]));
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
            run(work, tool, &options, "nextpnr.log").map_err(|e| self.named_if_too_large(e))?;
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
            run(work, tool, &[from, to], "pack.log")
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

/// Yosys' commands from Verilog to one flat module `top` of a family's cells.
///
/// Flattened after mapping, since some modules are borders that mapping must keep (ADR 0007).
pub(crate) fn synthesis(family: Family, top: &str) -> String {
    let synth = match family {
        // On iCE40 the older mapper takes fewer lookup tables; area is what is short there.
        Family::Ice40 => "synth_ice40 -device u",
        Family::Ecp5 => "synth_ecp5 -abc9",
    };
    format!("{synth} -top {top}; setattr -mod -unset keep_hierarchy *; flatten; opt_clean")
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
}

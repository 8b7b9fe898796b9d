//! Recorded runs of the ladder's rungs: one line of JSON a machine, a rung and what ran it.
//!
//! `bitline verify --record` and `formal --record` write them; the status table is made from them.

use crate::error::BoardError;
use crate::flow::design_hash;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{Machine, MachineError};
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::export::{ExportOptions, deep_verilog, verilog};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The file of recorded runs, below the repository's root.
pub const FILE: &str = "docs/results/runs.jsonl";

/// One run of one rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The machine.
    pub machine: String,
    /// The rung, as in `R2`.
    pub rung: String,
    /// What ran the problems, as in `bitline sim --engine`, or `proofs`.
    pub engine: String,
    /// Problems run, or claims tried.
    pub problems: usize,
    /// Those of the problems that were random.
    pub random: usize,
    /// Images in all problems.
    pub images: usize,
    /// Outputs compared.
    pub outputs: usize,
    /// Counters compared.
    pub counters: usize,
    /// Problems that differ, or claims not proved.
    pub differences: usize,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Seed of what is random.
    pub seed: u64,
    /// Hash of the exported Verilog without its build hash ([`design_of`]).
    pub design: String,
    /// SHA-256 of every problem's machine, devices, images and labels, its first sixteen digits; none of proofs.
    pub data: Option<String>,
    /// Version of every tool that took part.
    pub tools: BTreeMap<String, String>,
    /// Version of bitline.
    pub version: String,
    /// The command that runs it again.
    pub command: String,
}

/// Hash of a machine's exported Verilog without its build hash, its first sixteen digits: what a run is of.
///
/// # Errors
/// [`BoardError::Export`].
pub fn design_of(machine: &Machine) -> Result<String, BoardError> {
    let text = verilog(machine, &ExportOptions::default())
        .map_err(|e| BoardError::Export { machine: machine.name.clone(), reason: e.to_string() })?;
    Ok(design_hash(&text)[..16].to_string())
}

/// The same of a machine that runs programs.
///
/// # Errors
/// [`BoardError::Export`].
pub fn deep_design_of(machine: &DeepMachine) -> Result<String, BoardError> {
    let text = deep_verilog(machine, &DeepContents::default(), None, false)
        .map_err(|e| BoardError::Export { machine: machine.name.clone(), reason: e.to_string() })?;
    Ok(design_hash(&text)[..16].to_string())
}

/// The same of the built-in machine of that name, of either kind.
///
/// # Errors
/// [`BoardError::Export`].
pub fn design_named(name: &str) -> Result<String, BoardError> {
    let unknown = |e: MachineError| BoardError::Export { machine: name.into(), reason: e.to_string() };
    match DeepMachine::find(name).map_err(unknown)? {
        Some(deep) => deep_design_of(&deep),
        None => design_of(&Machine::named(name).map_err(unknown)?),
    }
}

/// Read records, one a line; a file that is not there has none.
///
/// # Errors
/// [`BoardError::Io`], or [`BoardError::Syntax`] with the line's number.
pub fn read(file: &Path) -> Result<Vec<Run>, BoardError> {
    read_lines(file, "docs/results/runs.jsonl as it was committed last")
}

/// Put a run into a file, in place of the last one of the same machine, rung and engine.
///
/// # Errors
/// [`BoardError`]: the file cannot be read or written.
pub fn put(file: &Path, run: Run) -> Result<(), BoardError> {
    let mut runs = read(file)?;
    let what = |run: &Run| (run.machine.clone(), run.rung.clone(), run.engine.clone());
    runs.retain(|old| what(old) != what(&run));
    runs.push(run);
    runs.sort_by_key(what);
    write_lines(file, &runs)
}

/// Objects of a file with one a line; none if there is no such file. `example` is what the error names as a good one.
///
/// # Errors
/// [`BoardError::Io`], or [`BoardError::Syntax`] with the line's number.
pub fn read_lines<T: DeserializeOwned>(file: &Path, example: &'static str) -> Result<Vec<T>, BoardError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(BoardError::io(file, "read", &e)),
    };
    let parse = |(number, line)| {
        serde_json::from_str(line).map_err(|e| BoardError::Syntax {
            file: format!("{}, line {}", file.display(), number + 1),
            reason: e.to_string(),
            example,
        })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}

/// Write one object a line, moved into place whole: what writes may be cut short at any time.
///
/// # Errors
/// [`BoardError::Io`].
pub fn write_lines<T: Serialize>(file: &Path, records: &[T]) -> Result<(), BoardError> {
    let mut text = String::new();
    for record in records {
        writeln!(text, "{}", serde_json::to_string(record).expect("a record is plain data"))
            .expect("a string takes everything");
    }
    let partial = PathBuf::from(format!("{}.{}.tmp", file.display(), std::process::id()));
    crate::stage::write(&partial, text.as_bytes())?;
    std::fs::rename(&partial, file).map_err(|e| BoardError::io(file, "written", &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(machine: &str, rung: &str, differences: usize) -> Run {
        Run {
            machine: machine.into(),
            rung: rung.into(),
            engine: "verilator".into(),
            problems: 21,
            random: 10,
            images: 40,
            outputs: 120,
            counters: 189,
            differences,
            seconds: 1.5,
            seed: 1,
            design: "00".into(),
            data: None,
            tools: BTreeMap::new(),
            version: "0.1.0".into(),
            command: "bitline verify".into(),
        }
    }

    #[test]
    fn a_run_replaces_the_last_one_of_its_kind_and_no_other() {
        let folder = std::env::temp_dir().join(format!("bitline-runs-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("runs.jsonl");
        for one in [run("tiny", "R2", 1), run("digits", "R2", 0), run("tiny", "R2", 0), run("tiny", "R1", 3)] {
            put(&file, one).unwrap();
        }
        assert_eq!(read(&file).unwrap(), [run("digits", "R2", 0), run("tiny", "R1", 3), run("tiny", "R2", 0)]);
        std::fs::write(&file, "\n{}\n").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("line 2"));
        assert_eq!(read(&folder.join("none")).unwrap(), []);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn each_machine_has_a_design_of_its_own() {
        let designs: Vec<String> =
            Machine::names().map(|name| design_of(&Machine::named(name).unwrap()).unwrap()).collect();
        for (n, design) in designs.iter().enumerate() {
            assert_eq!(design.len(), 16);
            assert!(!designs[..n].contains(design));
        }
    }
}

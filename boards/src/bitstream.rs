//! A finished bitstream and the manifest beside it, which says what it was made from.
//!
//! Both lie in the flow's folder, `out/boards/<board>/<machine>/`, as `bitstream.bin` (iCE40) or `bitstream.bit` (ECP5) and
//! [`MANIFEST`]: a new build of the same machine for the same board replaces them.

use crate::board::{Board, Family, Loader};
use crate::error::BoardError;
use crate::flow::{Flow, Placement, Synthesis};
use crate::stage::write;
use crate::tools;
use crate::usage::{Cells, Usage};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the manifest's file.
pub const MANIFEST: &str = "bitstream.json";

/// What a bitstream was made from, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The board.
    pub board: String,
    /// The machine.
    pub machine: String,
    /// The build hash as IDENTIFY answers it, in sixteen hexadecimal digits.
    pub build_hash: String,
    /// Hash of the board's pins, levels, clock and options, [`Flow::board_hash`].
    pub board_hash: String,
    /// Seed of the placer.
    pub seed: u64,
    /// The bitstream's file, beside the manifest.
    pub file: String,
    /// SHA-256 of that file.
    pub sha256: String,
    /// Area and clock as placed.
    pub usage: Usage,
    /// Cells as synthesised.
    pub cells: Cells,
    /// Version of every tool that took part.
    pub tools: BTreeMap<String, String>,
    /// Version of bitline.
    pub version: String,
}

/// Why a bitstream should not be written to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Other gateware than the source would give now.
    Gateware {
        /// The build hash in the bitstream.
        built: String,
        /// The build hash of the source.
        source: String,
    },
    /// The board's pins, clock or options have changed since.
    Board,
    /// The file is not the one that was built.
    File,
    /// It misses its clock.
    Clock {
        /// What it reaches, in hertz.
        reached_hz: u64,
        /// What the machine needs, in hertz.
        needed_hz: u64,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gateware { built, source } => {
                write!(f, "it is stale: its build is {built}, the source is at {source}")
            }
            Self::Board => write!(f, "it is stale: the board's pins, clock or options have changed since"),
            Self::File => write!(f, "its file is missing or is not the one that was built"),
            Self::Clock { reached_hz, needed_hz } => {
                write!(f, "it reaches {reached_hz} Hz and its machine runs at {needed_hz} Hz")
            }
        }
    }
}

/// The file a board's bitstream goes by.
fn file_name(family: Family) -> &'static str {
    match family {
        Family::Ice40 => "bitstream.bin",
        Family::Ecp5 => "bitstream.bit",
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Versions of the tools of a family's flow.
///
/// # Errors
/// [`BoardError::MissingTool`].
pub fn versions(family: Family) -> Result<BTreeMap<String, String>, BoardError> {
    family.tools().iter().map(|tool| Ok((tool.to_string(), tools::version(tool)?))).collect()
}

impl Manifest {
    /// Pack a placement and put the bitstream and its manifest into the flow's folder; gives back the manifest and the
    /// bitstream's path.
    ///
    /// # Errors
    /// [`BoardError`]: the packer is missing or failed, or a file cannot be written.
    pub fn make(flow: &Flow, synthesis: &Synthesis, placement: &Placement) -> Result<(Self, PathBuf), BoardError> {
        let packed = flow.pack(placement)?;
        let bytes = std::fs::read(&packed).map_err(|e| BoardError::io(&packed, "read", &e))?;
        let family = flow.board().device.family;
        let manifest = Self {
            board: flow.board().name.clone(),
            machine: flow.machine().name.clone(),
            build_hash: format!("{:016x}", flow.build_hash()),
            board_hash: flow.board_hash(),
            seed: placement.seed,
            file: file_name(family).to_string(),
            sha256: sha256(&bytes),
            usage: placement.usage.clone(),
            cells: synthesis.cells,
            tools: versions(family)?,
            version: env!("CARGO_PKG_VERSION").to_string(),
        };
        let bitstream = flow.folder().join(&manifest.file);
        write(&bitstream, &bytes)?;
        let text = serde_json::to_string_pretty(&manifest).expect("a manifest is plain data");
        write(&flow.folder().join(MANIFEST), format!("{text}\n").as_bytes())?;
        Ok((manifest, bitstream))
    }

    /// The manifest in a flow's folder; none if nothing was built there.
    ///
    /// # Errors
    /// [`BoardError::Io`], or [`BoardError::Syntax`] if it is not a manifest.
    pub fn read(folder: &Path) -> Result<Option<Self>, BoardError> {
        let file = folder.join(MANIFEST);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(BoardError::io(file, "read", &e)),
        };
        serde_json::from_str(&text).map(Some).map_err(|e| BoardError::Syntax {
            file: file.display().to_string(),
            reason: e.to_string(),
            example: "one that `bitline build` writes, or build it again",
        })
    }

    /// What speaks against writing this bitstream, which lies in the flow's folder, to its board.
    pub fn faults(&self, flow: &Flow) -> Vec<Fault> {
        let mut faults = Vec::new();
        let source = format!("{:016x}", flow.build_hash());
        if self.build_hash != source {
            faults.push(Fault::Gateware { built: self.build_hash.clone(), source });
        }
        if self.board_hash != flow.board_hash() {
            faults.push(Fault::Board);
        }
        let bytes = std::fs::read(flow.folder().join(&self.file));
        if !bytes.is_ok_and(|bytes| sha256(&bytes) == self.sha256) {
            faults.push(Fault::File);
        }
        if !self.usage.meets_clock() {
            let Usage { clock_hz: reached_hz, clock_needed_hz: needed_hz, .. } = self.usage;
            faults.push(Fault::Clock { reached_hz, needed_hz });
        }
        faults
    }
}

impl Loader {
    /// The words of the command that writes a bitstream to the board.
    pub fn command(&self, bitstream: &Path) -> Vec<String> {
        let mut words = vec![self.tool.clone()];
        words.extend(self.options.iter().cloned());
        words.push(bitstream.display().to_string());
        words
    }
}

impl Board {
    /// The first of the board's loaders that is installed, or the one of that name; where none is installed, the first.
    ///
    /// # Errors
    /// [`BoardError::UnknownLoader`] lists those that the board has.
    pub fn loader(&self, name: Option<&str>) -> Result<&Loader, BoardError> {
        let Some(name) = name else {
            let installed = self.loaders.iter().find(|loader| tools::find(&loader.tool).is_ok());
            return Ok(installed.unwrap_or(&self.loaders[0]));
        };
        self.loaders.iter().find(|loader| loader.tool == name).ok_or_else(|| BoardError::UnknownLoader {
            board: self.name.clone(),
            name: name.to_string(),
            known: self.loaders.iter().map(|loader| loader.tool.clone()).collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loader_by_name_gives_the_command_and_another_name_is_refused() {
        let board = Board::named("ulx3s").unwrap();
        let loader = board.loader(Some("fujprog")).unwrap();
        assert_eq!(loader.command(Path::new("out/a.bit")), ["fujprog", "-j", "FLASH", "out/a.bit"]);
        assert_eq!(
            board.loader(Some("dfu-util")).unwrap_err().to_string(),
            "board ulx3s is not written with dfu-util; there are: openFPGALoader, fujprog"
        );
    }

    #[test]
    fn fault_says_what_differs() {
        let fault = Fault::Gateware { built: "00ff".into(), source: "00fe".into() };
        assert_eq!(fault.to_string(), "it is stale: its build is 00ff, the source is at 00fe");
        let fault = Fault::Clock { reached_hz: 11_000_000, needed_hz: 12_000_000 };
        assert_eq!(fault.to_string(), "it reaches 11000000 Hz and its machine runs at 12000000 Hz");
    }
}

//! Programs on disk: one safetensors file.
//!
//! Tensors: `program` U16 `[instruction][word]`; `tiles` U16 `[tile][column][word]`, row r in bit r % 16 of word r / 16, 1 for
//! LRS; `thresholds` I32 `[entry][15]`, unused ones 0. The metadata is one JSON text under the key `bitline.program`: which
//! network, which machine, the tiles' sizes, how an image lies in its slot, and where the network came from. The same
//! program gives the same bytes.

use crate::isa::{Encoded, Instruction, IsaError, Opcode, WORDS};
use crate::program::{ImageLayout, Program, Target, Tile};
use crate::text::encode;
use crate::timing::{Clocks, predict};
use crate::verify::{VerifyError, verify};
use bitline_golden::deep_machine::MOST_THRESHOLD_BITS;
use bitline_golden::network::file::{Reader, i32_tensor, pack, read_whole, u16_tensor, write_whole};
use bitline_golden::network::{Activation, NetworkError, Provenance};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Version of the format that this build writes and reads.
pub const FORMAT_VERSION: u64 = 1;
/// Key of the JSON text in the safetensors metadata.
pub const METADATA_KEY: &str = "bitline.program";

/// A program with what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramFile {
    /// What is loaded.
    pub program: Program,
    /// Name of the network, or of the text, that it was made of.
    pub network: String,
    /// Name of the machine that it is for.
    pub machine: String,
    /// Where the network came from.
    pub provenance: Provenance,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format_version: u64,
    network: String,
    machine: String,
    tile_rows: usize,
    tile_columns: usize,
    image: ImageLayout,
    provenance: Provenance,
}

/// Why a program file is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read or written, or is no program file.
    #[error(transparent)]
    Container(#[from] NetworkError),
    /// An instruction's words are none.
    #[error("{file}: instruction {at}: {reason}")]
    Instruction {
        /// The file.
        file: String,
        /// Instruction, from 0.
        at: usize,
        /// What is wrong with its words.
        reason: IsaError,
    },
    /// A device lies below a tile's last row.
    #[error(
        "{file}: tile {tile} column {column} has a device in row {row}, tiles have {rows} rows; compile the network again"
    )]
    Row {
        /// The file.
        file: String,
        /// The tile, from 0.
        tile: usize,
        /// The column, from 0.
        column: usize,
        /// The row, from 0.
        row: usize,
        /// Rows there are.
        rows: usize,
    },
    /// Thresholds fall, or are more than their layer reads.
    #[error("{file}: threshold {index} of entry {entry} is {value}, {fault}; compile the network again")]
    Threshold {
        /// The file.
        file: String,
        /// The entry, from 0.
        entry: usize,
        /// The threshold, from 0.
        index: usize,
        /// Its value.
        value: i32,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// An image's codes do not lie among those of its slot.
    #[error(
        "{file}: an image has {codes} codes, borders included, and its last one lies at {last}; compile the network again"
    )]
    Image {
        /// The file.
        file: String,
        /// Codes that it says it has.
        codes: usize,
        /// Place of its last code, from 0.
        last: usize,
    },
    /// The program is for another machine.
    #[error("the program of {network} is for machine {found}, not {machine}; compile the network for {machine}")]
    Machine {
        /// The program's network.
        network: String,
        /// The machine.
        machine: String,
        /// The program's.
        found: String,
    },
    /// The machine has other sizes than it had when the program was made.
    #[error(
        "the program of {network} has {found} {what}, machine {machine} has {limit}; compile the network again, or for a larger machine"
    )]
    Size {
        /// The program's network.
        network: String,
        /// The machine.
        machine: String,
        /// What there is another number of.
        what: &'static str,
        /// The program's number.
        found: usize,
        /// The machine's.
        limit: usize,
    },
    /// The program does not pass the checks.
    #[error("the program of {network} does not pass the checks for machine {machine}: {reason}")]
    Check {
        /// The program's network.
        network: String,
        /// The machine.
        machine: String,
        /// What is wrong with it.
        reason: VerifyError,
    },
}

impl ProgramFile {
    /// Serialize for a machine with tiles of that size.
    pub fn to_bytes(&self, target: &Target) -> Vec<u8> {
        let (rows, columns) = (target.limits.tile_rows, target.limits.tile_columns);
        let Program { instructions, tiles, thresholds, image } = &self.program;
        let levels = Activation::levels(MOST_THRESHOLD_BITS);
        let padded = thresholds.iter().flat_map(|entry| (0..levels).map(|i| entry.get(i).copied().unwrap_or(0)));
        let words = tiles.iter().flat_map(|tile| tile.columns.iter().flat_map(|column| packed(column)));
        let tensors = [
            u16_tensor("program", &[instructions.len(), WORDS], encode(instructions).into_iter().flatten()),
            u16_tensor("tiles", &[tiles.len(), columns, rows.div_ceil(16)], words),
            i32_tensor("thresholds", &[thresholds.len(), levels], padded),
        ];
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            network: self.network.clone(),
            machine: self.machine.clone(),
            tile_rows: rows,
            tile_columns: columns,
            image: *image,
            provenance: self.provenance.clone(),
        };
        pack(&tensors, METADATA_KEY, serde_json::to_string(&metadata).expect("plain data"))
    }

    /// Read the bytes of a program file; `file` is the name that errors use.
    ///
    /// # Errors
    /// [`FileError`], for what is wrong with the file whatever the machine.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self, FileError> {
        let mut reader = Reader::new(file, bytes, METADATA_KEY, "program")?;
        let metadata: Metadata = reader.metadata(FORMAT_VERSION)?;
        let first =
            |reader: &Reader<'_>, name| reader.shape(name).and_then(|shape| shape.first().copied()).unwrap_or(0);
        let length = first(&reader, "program");
        let words = reader.u16("program", &[length, WORDS])?;
        let decode = |(at, words): (usize, &Encoded)| {
            Instruction::decode(words).map_err(|reason| FileError::Instruction { file: file.into(), at, reason })
        };
        let instructions: Vec<Instruction> =
            words.as_chunks::<WORDS>().0.iter().enumerate().map(decode).collect::<Result<_, _>>()?;
        let (rows, columns) = (metadata.tile_rows, metadata.tile_columns);
        let count = first(&reader, "tiles");
        let words = reader.u16("tiles", &[count, columns, rows.div_ceil(16)])?;
        let tiles = tiles(file, &words, rows, columns)?;
        let (entries, levels) = (first(&reader, "thresholds"), Activation::levels(MOST_THRESHOLD_BITS));
        let values = reader.i32("thresholds", &[entries, levels])?;
        let thresholds = thresholds(file, &instructions, values.chunks_exact(levels))?;
        reader.finish()?;
        let image = &metadata.image;
        let last = image.first + image.height.saturating_sub(1) * image.pitch + image.row_codes.saturating_sub(1);
        if last >= image.codes {
            return Err(FileError::Image { file: file.into(), codes: image.codes, last });
        }
        let program = Program { instructions, tiles, thresholds, image: metadata.image };
        Ok(Self { program, network: metadata.network, machine: metadata.machine, provenance: metadata.provenance })
    }

    /// Check that a machine can run it.
    ///
    /// # Errors
    /// [`FileError::Machine`], [`FileError::Size`], [`FileError::Check`].
    pub fn check(&self, target: &Target) -> Result<(), FileError> {
        let limits = &target.limits;
        let names = || (self.network.clone(), target.name.clone());
        if self.machine != target.name {
            let (network, machine) = names();
            return Err(FileError::Machine { network, machine, found: self.machine.clone() });
        }
        let Program { tiles, thresholds, image, .. } = &self.program;
        let size = |what, found, limit, fits| {
            let (network, machine) = names();
            if fits { Ok(()) } else { Err(FileError::Size { network, machine, what, found, limit }) }
        };
        let same = |what, found, limit| size(what, found, limit, found == limit);
        let at_most = |what, found, limit| size(what, found, limit, found <= limit);
        if let Some(tile) = tiles.first() {
            same("columns a tile", tile.columns.len(), limits.tile_columns)?;
            same("rows a tile", tile.columns.first().map_or(0, Vec::len), limits.tile_rows)?;
        }
        at_most("tiles", tiles.len(), limits.tiles)?;
        at_most("threshold entries", thresholds.len(), limits.thresholds)?;
        at_most("codes an image", image.codes, limits.image_codes)?;
        let (network, machine) = names();
        verify(&self.program.instructions, limits).map_err(|reason| FileError::Check { network, machine, reason })?;
        let cycles: u64 = predict(&self.program.instructions, limits).iter().map(Clocks::cycles).sum();
        at_most("clocks an image", cycles as usize, limits.cycles as usize)
    }

    /// Write it to a file.
    ///
    /// # Errors
    /// [`NetworkError::Io`].
    pub fn save(&self, target: &Target, path: impl AsRef<Path>) -> Result<(), FileError> {
        Ok(write_whole(path.as_ref(), &self.to_bytes(target))?)
    }

    /// Read a file; [`ProgramFile::check`] says whether a machine can run it.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let bytes = read_whole(path.as_ref())?;
        Self::from_bytes(&path.as_ref().display().to_string(), &bytes)
    }
}

fn packed(column: &[bool]) -> impl Iterator<Item = u16> + '_ {
    column.chunks(16).map(|rows| rows.iter().enumerate().fold(0, |word, (row, lrs)| word | u16::from(*lrs) << row))
}

fn tiles(file: &str, words: &[u16], rows: usize, columns: usize) -> Result<Vec<Tile>, FileError> {
    let words_of_column = rows.div_ceil(16);
    let column = |(at, words): (usize, &[u16])| {
        let devices = words.iter().flat_map(|word| (0..16).map(move |bit| word >> bit & 1 == 1));
        let mut devices: Vec<bool> = devices.collect();
        match devices.iter().rposition(|lrs| *lrs) {
            Some(row) if row >= rows => {
                let (tile, column) = (at / columns, at % columns);
                Err(FileError::Row { file: file.into(), tile, column, row, rows })
            }
            _ => {
                devices.truncate(rows);
                Ok(devices)
            }
        }
    };
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let devices: Vec<Vec<bool>> =
        words.chunks_exact(words_of_column).enumerate().map(column).collect::<Result<_, _>>()?;
    Ok(devices.chunks_exact(columns).map(|columns| Tile { columns: columns.to_vec() }).collect())
}

/// Levels of each threshold entry that the layers of a program read.
fn levels(program: &[Instruction]) -> Vec<usize> {
    let (mut outputs, mut first, mut bits) = (0, 0, 0);
    let mut levels = Vec::new();
    for instruction in program {
        match instruction.opcode() {
            Opcode::Tiles => outputs = instruction.get("outputs"),
            Opcode::Thresholds => (first, bits) = (instruction.get("first"), instruction.get("bits")),
            Opcode::Read => {
                levels.resize(levels.len().max(first + outputs), 0);
                for entry in &mut levels[first..first + outputs] {
                    *entry = Activation::levels(bits).max(*entry);
                }
            }
            _ => {}
        }
    }
    levels
}

fn thresholds<'a>(
    file: &str,
    program: &[Instruction],
    entries: impl Iterator<Item = &'a [i32]>,
) -> Result<Vec<Vec<i32>>, FileError> {
    let levels = levels(program);
    let entry = |(entry, values): (usize, &[i32])| {
        let (read, further) = values.split_at(levels.get(entry).copied().unwrap_or(0));
        let wrong = |index: usize, fault| {
            Err(FileError::Threshold { file: file.into(), entry, index, value: values[index], fault })
        };
        if let Some(at) = further.iter().position(|value| *value != 0) {
            return wrong(read.len() + at, "which no layer reads and must be 0");
        }
        if let Some(at) = read.windows(2).position(|pair| pair[1] < pair[0]) {
            return wrong(at + 1, "below the one before it, and an entry's must not fall");
        }
        Ok(read.to_vec())
    };
    entries.enumerate().map(entry).collect()
}

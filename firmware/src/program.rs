//! A program with everything that is loaded beside it: devices and thresholds.

use crate::isa::Instruction;
use crate::verify::Limits;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{Conductance, QuantizerConfig};
use serde::{Deserialize, Serialize};

/// The machine that a program is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Name, for messages.
    pub name: String,
    /// What it has.
    pub limits: Limits,
    /// Its devices.
    pub conductance: Conductance,
    /// Its quantizers.
    pub quantizer: QuantizerConfig,
}

impl Limits {
    /// What a machine has.
    pub fn of(machine: &DeepMachine) -> Self {
        Self {
            instructions: machine.instructions,
            codes: machine.codes,
            image_codes: machine.image_codes,
            code_bits: machine.code_bits,
            tiles: machine.tiles,
            tile_rows: machine.tile_rows,
            tile_columns: machine.tile_columns,
            weight_bits: machine.weight_bits,
            row_groups: machine.row_groups,
            plane_lanes: machine.plane_lanes,
            gather_lanes: machine.gather_lanes,
            output_lanes: machine.output_lanes,
            thresholds: machine.thresholds,
            sums: machine.sums,
            layers: machine.layers,
            cycles: 1 << machine.watchdog_bits,
        }
    }
}

impl Target {
    /// A machine as the compiler and the executor see it.
    pub fn of(machine: &DeepMachine) -> Self {
        Self {
            name: machine.name.clone(),
            limits: Limits::of(machine),
            conductance: machine.conductance,
            quantizer: machine.quantizer,
        }
    }
}

/// The devices of one tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// `[column][row]`, true for LRS.
    pub columns: Vec<Vec<bool>>,
}

impl Tile {
    /// A tile of devices in HRS.
    pub fn new(limits: &Limits) -> Self {
        Self { columns: vec![vec![false; limits.tile_rows]; limits.tile_columns] }
    }
}

/// What is loaded into a machine to run a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Run for each image.
    pub instructions: Vec<Instruction>,
    /// From tile 0 up; the machine's further tiles are HRS.
    pub tiles: Vec<Tile>,
    /// From entry 0 up, 2^bits - 1 thresholds each, never falling; none where an entry only fills up to the next layer's first.
    pub thresholds: Vec<Vec<i32>>,
    /// Where an image's codes lie among those of its slot.
    pub image: ImageLayout,
}

/// An image with a border of zeros, where the first layer pads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageLayout {
    /// Rows of pixels, without border.
    pub height: usize,
    /// Codes of such a row.
    pub row_codes: usize,
    /// Codes from one row to the next, border included.
    pub pitch: usize,
    /// Place of the first code.
    pub first: usize,
    /// Codes of the image, border included.
    pub codes: usize,
}

impl ImageLayout {
    /// The image's codes as they lie in its slot.
    pub fn lay_out(&self, image: &[u8]) -> Vec<u8> {
        let mut codes = vec![0; self.codes];
        for (row, from) in image.chunks(self.row_codes).enumerate() {
            let at = self.first + row * self.pitch;
            codes[at..at + from.len()].copy_from_slice(from);
        }
        codes
    }
}

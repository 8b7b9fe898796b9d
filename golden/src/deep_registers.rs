//! The memory map of a machine that runs programs: what its regions hold beside the registers that all machines have.
//!
//! An address is that of [`crate::registers`]: a region in bits 23..16, an offset of a 16-bit word in bits 15..0. A region's
//! offsets run from 0 to its last without a gap.

use crate::deep_machine::DeepMachine;
use crate::machine::bits_to_index;
use crate::registers::REGISTER_WORDS;

/// What the upper 8 bits of an address select.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DeepRegion {
    /// The registers of [`crate::registers::REGISTERS`], and after them those of [`FAULT_OFFSET`].
    Registers = 0,
    /// The devices: tile, column, 16 rows, lowest row in bit 0.
    Array = 1,
    /// Codes: two a word, the first in the low byte; maps between layers, then the images, see [`image_offset`].
    Codes = 2,
    /// One label a slot; [`crate::registers::NO_LABEL`] means none.
    Labels = 3,
    /// Instructions: eight words each.
    Program = 4,
    /// Thresholds: entry, node 0..16 (node 0 is none), low half, high half.
    Thresholds = 5,
    /// Results: slot, then the sums, the class and the margin, two words each.
    Results = 6,
    /// Layers' own counters: record, then [`LAYER_COUNTERS`], two words each.
    Layers = 7,
}

/// Offset of the fault register: kinds, and in the next word the instruction.
pub const FAULT_OFFSET: u16 = REGISTER_WORDS;
/// Words of the register region.
pub const DEEP_REGISTER_WORDS: u16 = REGISTER_WORDS + 2;
/// Names of a layer's counters, in the order of their record.
pub const LAYER_COUNTERS: [&str; 7] =
    ["cycles", "busy_cycles", "array_reads", "row_pulses", "conversions", "saturations", "macs"];
/// Words of a record of layer counters.
pub const LAYER_WORDS: usize = 16;
/// Words of an instruction.
pub const INSTRUCTION_WORDS: usize = 8;
/// Words of a threshold entry.
pub const ENTRY_WORDS: usize = 32;

impl DeepRegion {
    /// All of them, by code.
    pub const ALL: [Self; 8] = [
        Self::Registers,
        Self::Array,
        Self::Codes,
        Self::Labels,
        Self::Program,
        Self::Thresholds,
        Self::Results,
        Self::Layers,
    ];

    /// The region of that code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|region| *region as u8 == code)
    }

    /// Words that it holds: its offsets are those below.
    pub fn words(self, machine: &DeepMachine) -> usize {
        match self {
            Self::Registers => usize::from(DEEP_REGISTER_WORDS),
            Self::Array => machine.tiles * machine.tile_columns * column_words(machine),
            Self::Codes => machine.memory_codes() / 2,
            Self::Labels => machine.slots,
            Self::Program => machine.instructions * INSTRUCTION_WORDS,
            Self::Thresholds => machine.thresholds * ENTRY_WORDS,
            Self::Results => machine.slots << (result_bits(machine) + 1),
            Self::Layers => machine.layers * LAYER_WORDS,
        }
    }

    /// Whether the host may write it; of the registers only some.
    pub fn is_writable(self) -> bool {
        !matches!(self, Self::Registers | Self::Results | Self::Layers)
    }
}

/// Words of a column of a tile.
pub fn column_words(machine: &DeepMachine) -> usize {
    machine.tile_rows.div_ceil(16)
}

/// Bits that number the values of a result: sums, class, margin.
pub fn result_bits(machine: &DeepMachine) -> usize {
    bits_to_index((machine.sums + 2).max(2 * machine.output_lanes))
}

/// Offset in [`DeepRegion::Codes`] of a slot's image.
pub fn image_offset(machine: &DeepMachine, slot: usize) -> u16 {
    ((machine.codes + slot * machine.image_codes) / 2) as u16
}

/// Offset in [`DeepRegion::Results`] of a value of a slot's result: a sum, or `sums` for the class and one more for the margin.
pub fn result_offset(machine: &DeepMachine, slot: usize, value: usize) -> u16 {
    ((slot << result_bits(machine) | value) << 1) as u16
}

/// Offset in [`DeepRegion::Array`] of the first word of a column.
pub fn column_offset(machine: &DeepMachine, tile: usize, column: usize) -> u16 {
    ((tile * machine.tile_columns + column) * column_words(machine)) as u16
}

/// Place in the heap of an entry of the `index`-th of 2^bits - 1 ascending thresholds, 1..=15: a stage of the bisection
/// compares with node 2^stage + what the stages before it found.
pub fn threshold_node(bits: usize, index: usize) -> usize {
    let stage = bits - 1 - (index + 1).trailing_zeros() as usize;
    (1 << stage) + ((index + 1) >> (bits - stage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_down_the_heap_finds_the_number_of_thresholds_below() {
        for bits in 1..=4 {
            let count = (1 << bits) - 1;
            let mut heap = [None; 16];
            (0..count).for_each(|i| heap[threshold_node(bits, i)] = Some(10 * i as i32));
            for y in -5..160 {
                let code = (0..bits).fold(0, |code, k| code << 1 | usize::from(y > heap[(1 << k) + code].unwrap()));
                assert_eq!(code, (0..count).filter(|i| y > 10 * *i as i32).count(), "{bits} bits, {y}");
            }
        }
    }

    #[test]
    fn every_region_fits_its_offsets() {
        for name in DeepMachine::names() {
            let machine = DeepMachine::named(name).unwrap();
            for region in DeepRegion::ALL {
                assert!((1..=1 << 16).contains(&region.words(&machine)), "{name}: {region:?}");
                assert_eq!(DeepRegion::from_code(region as u8), Some(region));
            }
        }
    }
}

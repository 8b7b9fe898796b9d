//! The counters that the hardware keeps and golden predicts exactly (contract section 4).

use serde::{Deserialize, Serialize};

/// Counters of the array and of the run. Each saturates at its register's width, see [`crate::registers`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Clocks from the one after START to the one in which the last result is stored, both included.
    pub cycles: u64,
    /// Clocks in which the array was read.
    pub busy_cycles: u64,
    /// Planes applied to a tile.
    pub array_reads: u64,
    /// Rows driven, summed over array reads: the sum of a.
    pub row_pulses: u64,
    /// Column counts converted by a quantizer.
    pub conversions: u64,
    /// Conversions whose code was clamped to the largest.
    pub saturations: u64,
    /// Multiply-accumulates of whole weights and inputs: rows x outputs an image.
    pub macs: u64,
    /// Images finished.
    pub images: u64,
    /// Images whose class was their label's.
    pub correct: u64,
}

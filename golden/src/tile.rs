//! One array read: a plane applied to a tile.

use std::ops::Range;

use crate::array::DeviceArray;
use crate::column::{count, current};
use crate::machine::Machine;
use crate::planes::active_rows;
use crate::quantizer::{Reading, quantize};

/// What one array read gives, column by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileReading {
    /// a: driven rows of the tile.
    pub active: u32,
    /// n of each column.
    pub counts: Vec<u32>,
    /// I of each column, in HRS device currents.
    pub currents: Vec<u64>,
    /// q of each column, and whether it was clamped.
    pub readings: Vec<Reading>,
}

/// Rows of the matrix that tile `tile` holds; the last tile may hold fewer than `machine.rows`.
pub fn tile_rows(machine: &Machine, array: &DeviceArray, tile: usize) -> Range<usize> {
    tile * machine.rows..((tile + 1) * machine.rows).min(array.rows())
}

/// Apply one plane to the devices in `rows`: for every column n, then I, then q (contract section 3, in that order).
///
/// `plane` has one bit for each row in `rows`. Mirrors the gateware's tile.
pub fn read(machine: &Machine, array: &DeviceArray, rows: Range<usize>, plane: &[bool]) -> TileReading {
    let active = active_rows(plane);
    let counts: Vec<u32> =
        (0..array.columns()).map(|column| count(plane, &array.column(rows.clone(), column))).collect();
    let currents: Vec<u64> = counts.iter().map(|&n| current(&machine.conductance, n, active)).collect();
    let readings = currents.iter().map(|&i| quantize(&machine.quantizer, i)).collect();
    TileReading { active, counts, currents, readings }
}

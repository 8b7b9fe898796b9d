//! The word kernel: rows side by side in 64-bit words, one image at a time; serves small batches, and machines
//! whose numbers do not fit the lanes.

use bitvec::prelude::{BitVec, Lsb0};

use super::pack::plane_words;
use super::quantizer::TableQuantizer;
use crate::array::DeviceArray;
use crate::machine::Machine;
use crate::recombination::column_sign;
use crate::run::row_codes;
use crate::tile::tile_rows;

/// A device array as words, and its quantizer as a table.
#[derive(Debug, Clone)]
pub(super) struct WordPlan {
    bias_codes: Vec<u8>,
    weight_bits: usize,
    input_bits: usize,
    tiles: Vec<TileWords>,
    quantizer: TableQuantizer,
}

#[derive(Debug, Clone)]
struct TileWords {
    first_row: usize,
    rows: usize,
    stride: usize,
    /// Devices, `[column][word]`.
    devices: Vec<u64>,
}

impl WordPlan {
    /// Pack an array.
    pub fn new(machine: &Machine, array: &DeviceArray) -> Self {
        let tiles = (0..machine.tiles)
            .map(|tile| {
                let rows = tile_rows(machine, array, tile);
                let devices = (0..array.columns()).flat_map(|column| {
                    let bits: BitVec<u64, Lsb0> = rows.clone().map(|row| array.get(row, column)).collect();
                    bits.into_vec()
                });
                TileWords {
                    first_row: rows.start,
                    rows: rows.len(),
                    stride: rows.len().div_ceil(64),
                    devices: devices.collect(),
                }
            })
            .collect();
        Self {
            bias_codes: row_codes(machine, []),
            weight_bits: machine.weight_bits,
            input_bits: machine.input_bits,
            tiles,
            quantizer: TableQuantizer::new(machine, machine.rows),
        }
    }

    /// Memory for one thread: the codes of all rows, and a tile's planes.
    pub fn scratch(&self) -> (Vec<u8>, Vec<u64>) {
        let stride = self.tiles.iter().map(|tile| tile.stride).max().unwrap_or(0);
        (Vec::new(), vec![0; self.input_bits * stride])
    }

    /// Add up one image's sums into `sums` and return how many conversions saturated.
    #[inline(always)]
    pub fn image(&self, image: &[u8], scratch: &mut (Vec<u8>, Vec<u64>), sums: &mut [i32]) -> u64 {
        let (codes, planes) = scratch;
        codes.clear();
        codes.extend_from_slice(image);
        codes.extend_from_slice(&self.bias_codes);
        sums.fill(0);
        let mut saturations = 0;
        for tile in &self.tiles {
            planes.fill(0);
            plane_words(&codes[tile.first_row..][..tile.rows], self.input_bits, tile.stride, planes);
            for i in 0..self.input_bits {
                let plane = &planes[i * tile.stride..][..tile.stride];
                saturations += match tile.stride {
                    1 => self.plane::<1>(tile, plane, i, sums),
                    2 => self.plane::<2>(tile, plane, i, sums),
                    4 => self.plane::<4>(tile, plane, i, sums),
                    _ => self.plane::<0>(tile, plane, i, sums),
                };
            }
        }
        saturations
    }

    /// One array read; `STRIDE` is the number of words when it is one of the usual ones, else 0.
    #[inline(always)]
    fn plane<const STRIDE: usize>(&self, tile: &TileWords, plane: &[u64], i: usize, sums: &mut [i32]) -> u64 {
        let stride = if STRIDE > 0 { STRIDE } else { tile.stride };
        let plane = &plane[..stride];
        let active: u32 = plane.iter().map(|word| word.count_ones()).sum();
        let codes = self.quantizer.codes(active as usize);
        let mut saturations = 0;
        let mut columns = tile.devices.chunks_exact(stride);
        for sum in sums {
            let mut plane_sum = 0;
            for (j, devices) in columns.by_ref().take(self.weight_bits).enumerate() {
                let n: u32 = plane.iter().zip(devices).map(|(p, d)| (p & d).count_ones()).sum();
                let code = codes[n as usize];
                saturations += code >> 31;
                plane_sum += column_sign(self.weight_bits, j) * (((code & (u32::MAX >> 1)) as i32) << j);
            }
            if self.weight_bits == 1 {
                plane_sum = 2 * plane_sum - active as i32;
            }
            *sum += plane_sum << i;
        }
        u64::from(saturations)
    }
}

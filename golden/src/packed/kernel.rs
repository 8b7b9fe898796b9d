//! The lane kernel: samples side by side in a vector register, every column counted and quantized.
//!
//! For each group of [`GROUP`] rows and each plane, the sums of the group's bits over all 2^GROUP sets of rows are
//! made once, a byte a sample, for all columns. A column's devices in the group select one set, so that its count
//! n is a sum of loaded vectors, one a group (the method of four Russians). The quantizer then acts on the
//! register of counts, and planes recombine by doubling, the highest first.
//!
//! With AVX2, whose shuffle looks up sixteen bytes, it is the other way round: a sample's bits in the group are the
//! index, and each column has a table of what its devices count for it, two columns a byte.

#![allow(clippy::needless_range_loop)] // one index walks the registers of several arrays

use super::aligned::Aligned;
use super::count::{count_one, count_two, look_up, merge};
use super::finish::{AFFINE_NARROW, AFFINE_WIDE, CLIP_BYTES, CLIP_NARROW, CLIP_WIDE, Finish, LOOKUP_BYTES};
use super::lanes::Lanes;
use super::quantizer::{Form, LaneQuantizer};
use crate::array::DeviceArray;
use crate::column::current;
use crate::machine::Machine;
use crate::quantizer::quantize;
use crate::tile::tile_rows;

/// Rows in a group.
pub(super) const GROUP: usize = 4;
/// Sets of rows in a group.
pub(super) const SETS: usize = 1 << GROUP;
/// Registers of samples handled together.
pub(super) const WIDE: usize = 2;
/// Bytes of set sums that a block of groups may take: they are to stay in the first-level cache.
const TABLE_BYTES: usize = 40 << 10;

/// Set bits of each index: a column whose devices are all 1.
const SET_BITS: [u8; SETS] = [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4];

/// Groups of one tile whose set sums are in the cache together.
#[derive(Debug, Clone)]
struct Block {
    first_row: usize,
    rows: usize,
    /// Byte offset of the set that each column's devices select, `[output][columns, highest first][group]`, two
    /// columns side by side.
    offsets: Vec<u16>,
    /// Instead of the offsets, `[output][columns side by side, highest first][group][two columns]`: how many of a column's
    /// devices each set of rows drives. Two columns share a table, the lower one in the upper four bits.
    tables: Vec<[u8; SETS]>,
}

impl Block {
    fn groups(&self) -> usize {
        self.rows.div_ceil(GROUP)
    }
}

/// A device array laid out for lanes of a given width.
#[derive(Debug, Clone)]
pub(super) struct LanePlan {
    pub weight_bits: usize,
    input_bits: usize,
    outputs: usize,
    pub quantizer: LaneQuantizer,
    /// Code of every byte count, where counts and codes are bytes and a does not matter; 128 counts are enough?
    pub table: Option<([u8; 256], bool)>,
    needs_active: bool,
    /// Whether columns are counted by their tables.
    by_table: bool,
    tiles: Vec<Vec<Block>>,
    samples: usize,
}

/// Memory of one thread.
#[derive(Debug)]
pub(super) struct Scratch {
    /// Sums of every set of rows, `[group][set][sample]`; indices, `[group][sample]`, where columns have tables.
    sets: Aligned<u8>,
    partial: Aligned<u8>,
    active: Aligned<u16>,
    /// Transposed codes, `[row][sample]`.
    pub codes: Aligned<u8>,
    /// Sums of the last tile, `[output][sample]` in the order of [`sample_of_lane`].
    pub sums: Aligned<i16>,
    /// Class and margin of each lane, same order.
    pub classes: Aligned<u16>,
    /// See `classes`.
    pub margins: Aligned<u16>,
}

/// Sample that 16-bit lane `lane` of a row of sums belongs to.
pub(super) fn sample_of_lane(lane: usize, bytes: usize) -> usize {
    let (register, within) = (lane / bytes, lane % bytes);
    let (half, within) = (within / (bytes / 2), within % (bytes / 2));
    register * bytes + within / 8 * 16 + half * 8 + within % 8
}

/// How many of an output's lowest `columns` columns are counted side by side, the highest first.
#[inline(always)]
fn columns_together(columns: usize, by_table: bool) -> usize {
    match columns {
        _ if !columns.is_multiple_of(2) => 1,
        4.. if by_table => 4,
        _ => 2,
    }
}

/// What a column, or two of them in four bits each, counts for each set of rows, from the set of its devices.
fn table(columns: &[usize]) -> [u8; SETS] {
    std::array::from_fn(|index| columns.iter().rev().fold(0, |counts, set| counts << 4 | SET_BITS[index & set]))
}

impl LanePlan {
    /// Lay out an array for registers of `bytes` bytes, columns to be counted by their tables or not; `None` where lanes
    /// cannot hold what the machine computes.
    pub fn new(machine: &Machine, array: &DeviceArray, bytes: usize, by_table: bool) -> Option<Self> {
        let quantizer = LaneQuantizer::new(machine, machine.rows)?;
        // The largest |y| of a tile; Bw = 1 counts both ways.
        let planes = (1i64 << machine.input_bits) - 1;
        let most = current(&machine.conductance, machine.rows as u32, machine.rows as u32);
        let column = i64::from(quantize(&machine.quantizer, most).code) << (machine.weight_bits - 1);
        let largest = planes * if machine.weight_bits == 1 { 2 * column + machine.rows as i64 } else { column };
        if largest > i64::from(i16::MAX) {
            return None;
        }
        let bits = machine.weight_bits;
        let set_bytes = bytes * WIDE;
        // A block's own counts must fit a byte.
        let groups_fit = (TABLE_BYTES / (SETS * set_bytes)).min(255 / GROUP);
        let tiles = (0..machine.tiles)
            .map(|tile| {
                let rows = tile_rows(machine, array, tile);
                let groups = rows.len().div_ceil(GROUP);
                let block_rows = groups.div_ceil(groups.div_ceil(groups_fit)) * GROUP;
                rows.clone()
                    .step_by(block_rows)
                    .map(|first_row| {
                        let rows = block_rows.min(rows.end - first_row);
                        let mut block = Block { first_row, rows, offsets: vec![], tables: vec![] };
                        let set = |group: usize, column: usize| -> usize {
                            (0..GROUP)
                                .filter(|k| group * GROUP + k < rows)
                                .map(|k| usize::from(array.get(first_row + group * GROUP + k, column)) << k)
                                .sum()
                        };
                        for output in 0..machine.outputs {
                            let mut j = bits;
                            while j > 0 {
                                let together = columns_together(j, by_table);
                                for group in 0..block.groups() {
                                    let sets: Vec<_> =
                                        (1..=together).map(|k| set(group, output * bits + j - k)).collect();
                                    if by_table {
                                        block.tables.extend(sets.chunks(2).map(table));
                                    } else {
                                        let offset = |set: &usize| ((group * SETS + set) * set_bytes) as u16;
                                        block.offsets.extend(sets.iter().map(offset));
                                    }
                                }
                                j -= together;
                            }
                        }
                        block
                    })
                    .collect()
            })
            .collect();
        Some(Self {
            weight_bits: bits,
            input_bits: machine.input_bits,
            outputs: machine.outputs,
            table: if bits > 1 { quantizer.table(machine) } else { None },
            needs_active: bits == 1 || !machine.conductance.reference_column,
            quantizer,
            by_table,
            tiles,
            samples: set_bytes,
        })
    }

    /// Samples that the kernel handles together.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Memory for one thread.
    pub fn scratch(&self, rows: usize) -> Scratch {
        let blocks = self.tiles.iter().flatten();
        let groups = blocks.map(Block::groups).max().unwrap_or(0);
        let columns = self.outputs * self.weight_bits;
        let folded = self.tiles.iter().any(|blocks| blocks.len() > 1);
        Scratch {
            sets: Aligned::zeros(groups * if self.by_table { 1 } else { SETS } * self.samples),
            partial: Aligned::zeros(if folded { columns * self.samples * 2 } else { 0 }),
            active: Aligned::zeros(self.samples),
            codes: Aligned::zeros(rows * self.samples),
            sums: Aligned::zeros(self.outputs * self.samples),
            classes: Aligned::zeros(self.samples),
            margins: Aligned::zeros(self.samples),
        }
    }

    /// Compute one tile's sums for the samples in `scratch.codes` and return how many conversions saturated.
    ///
    /// # Safety
    /// `L`'s processor features; `L::BYTES` is the width the plan was made for, and `scratch` is this plan's.
    #[inline(always)]
    pub unsafe fn tile<L: Lanes>(&self, tile: usize, scratch: &mut Scratch) -> u64 {
        let narrow = self.quantizer.narrow;
        // SAFETY: passed on to the caller.
        unsafe {
            match &self.quantizer.form {
                Form::Clip if narrow && self.weight_bits > 1 => self.planes::<L, CLIP_BYTES>(tile, scratch),
                Form::Clip if narrow => self.planes::<L, CLIP_NARROW>(tile, scratch),
                Form::Clip => self.planes::<L, CLIP_WIDE>(tile, scratch),
                _ if L::LOOKS_UP && self.table.is_some() => self.planes::<L, LOOKUP_BYTES>(tile, scratch),
                Form::Affine { .. } if narrow => self.planes::<L, AFFINE_NARROW>(tile, scratch),
                Form::Affine { .. } => self.planes::<L, AFFINE_WIDE>(tile, scratch),
            }
        }
    }

    /// All planes, highest first: y = 2 y + the plane's sum.
    #[inline(always)]
    unsafe fn planes<L: Lanes, const MODE: u8>(&self, tile: usize, scratch: &mut Scratch) -> u64 {
        let blocks = &self.tiles[tile];
        let mut saturations = 0;
        scratch.sums.fill(0);
        for plane in (0..self.input_bits as u32).rev() {
            // SAFETY: passed on to the caller.
            unsafe {
                scratch.active.fill(0);
                for (index, block) in blocks.iter().enumerate() {
                    let (first, last) = (index == 0, index + 1 == blocks.len());
                    if L::SHUFFLES && self.by_table {
                        self.fill_indices::<L>(block, plane, scratch);
                        if self.needs_active {
                            self.count_active::<L, true>(block, scratch);
                        }
                        saturations += self.columns::<L, MODE, true>(block, first, last, scratch);
                    } else {
                        self.fill_sets::<L>(block, plane, scratch);
                        if self.needs_active {
                            self.count_active::<L, false>(block, scratch);
                        }
                        saturations += self.columns::<L, MODE, false>(block, first, last, scratch);
                    }
                }
            }
        }
        saturations
    }

    /// Add a block's part of a, which is the count of a column of ones, to every sample's.
    #[inline(always)]
    unsafe fn count_active<L: Lanes, const BY_TABLE: bool>(&self, block: &Block, scratch: &mut Scratch) {
        let set_bytes = L::BYTES * WIDE;
        assert!(scratch.sets.len() >= block.groups() * if BY_TABLE { 1 } else { SETS } * set_bytes);
        // SAFETY: the length was checked above; features are the caller's promise.
        unsafe {
            for v in 0..WIDE {
                let mut sum = L::splat8(0);
                for group in 0..block.groups() {
                    sum = sum.add8(if BY_TABLE {
                        let index = scratch.sets.as_ptr().add(group * set_bytes + v * L::BYTES);
                        L::load(index).shuffle(SET_BITS.as_ptr())
                    } else {
                        L::load(scratch.sets.as_ptr().add((group * SETS + SETS - 1) * set_bytes + v * L::BYTES))
                    });
                }
                let mut bytes = [0u8; 64];
                sum.store(bytes.as_mut_ptr());
                for (active, byte) in scratch.active[v * L::BYTES..][..L::BYTES].iter_mut().zip(bytes) {
                    *active += u16::from(byte);
                }
            }
        }
    }

    /// Every sample's bits in every group, as the index into a column's table.
    #[inline(always)]
    unsafe fn fill_indices<L: Lanes>(&self, block: &Block, plane: u32, scratch: &mut Scratch) {
        let set_bytes = L::BYTES * WIDE;
        assert!(scratch.sets.len() >= block.groups() * set_bytes);
        assert!(scratch.codes.len() >= (block.first_row + block.rows) * set_bytes);
        // SAFETY: the lengths were checked above; features are the caller's promise.
        unsafe {
            for group in 0..block.groups() {
                for v in 0..WIDE {
                    let mut index = L::splat8(0);
                    let first = group * GROUP;
                    let mut push = |row: usize| {
                        let codes = scratch.codes.as_ptr().add((block.first_row + row) * set_bytes + v * L::BYTES);
                        index = index.add8(index).add8(L::load(codes).bit(plane));
                    };
                    // A loop of a known length is unrolled, and nearly all groups are whole.
                    if first + GROUP <= block.rows {
                        for k in (0..GROUP).rev() {
                            push(first + k);
                        }
                    } else {
                        for row in (first..block.rows).rev() {
                            push(row);
                        }
                    }
                    index.store(scratch.sets.as_mut_ptr().add(group * set_bytes + v * L::BYTES));
                }
            }
        }
    }

    /// The sums over every set of rows of every group.
    #[inline(always)]
    unsafe fn fill_sets<L: Lanes>(&self, block: &Block, plane: u32, scratch: &mut Scratch) {
        let set_bytes = L::BYTES * WIDE;
        assert!(scratch.sets.len() >= block.groups() * SETS * set_bytes);
        assert!(scratch.codes.len() >= (block.first_row + block.rows) * set_bytes);
        // SAFETY: the lengths were checked above; features are the caller's promise.
        unsafe {
            for group in 0..block.groups() {
                let sets = scratch.sets.as_mut_ptr().add(group * SETS * set_bytes);
                for v in 0..WIDE {
                    let mut sums = [L::splat8(0); SETS];
                    for k in 0..GROUP {
                        let row = group * GROUP + k;
                        let bit = if row < block.rows {
                            L::load(scratch.codes.as_ptr().add((block.first_row + row) * set_bytes + v * L::BYTES))
                                .bit(plane)
                        } else {
                            L::splat8(0)
                        };
                        for set in 0..1 << k {
                            sums[(1 << k) + set] = sums[set].add8(bit);
                        }
                    }
                    for (set, sum) in sums.into_iter().enumerate() {
                        sum.store(sets.add(set * set_bytes + v * L::BYTES));
                    }
                }
            }
        }
    }

    /// Count every column over one block; after a tile's last block, quantize and recombine.
    #[inline(always)]
    unsafe fn columns<L: Lanes, const MODE: u8, const BY_TABLE: bool>(
        &self,
        block: &Block,
        first: bool,
        last: bool,
        scratch: &mut Scratch,
    ) -> u64 {
        let groups = block.groups();
        let set_bytes = L::BYTES * WIDE;
        let columns = self.outputs * self.weight_bits;
        let tables = self.outputs * self.weight_bits.div_ceil(2);
        assert_eq!(block.offsets.len(), if BY_TABLE { 0 } else { groups * columns });
        assert_eq!(block.tables.len(), if BY_TABLE { groups * tables } else { 0 });
        assert!(scratch.sets.len() >= groups * if BY_TABLE { 1 } else { SETS } * set_bytes);
        assert!(scratch.sums.len() >= self.outputs * set_bytes && scratch.active.len() >= set_bytes);
        assert!(first && last || scratch.partial.len() >= 2 * columns * set_bytes);
        let mut saturations = 0u64;
        // SAFETY: every offset was made below groups * SETS * set_bytes, the lengths were checked above, and the
        // features are the caller's promise.
        unsafe {
            let mut finish = Finish::<L, MODE>::new(self, &scratch.active);
            let (sets, mut partial) = (scratch.sets.as_ptr(), scratch.partial.as_mut_ptr());
            let mut sums = scratch.sums.as_mut_ptr().cast::<u8>();
            let (mut offsets, mut tables) = (block.offsets.as_ptr(), block.tables.as_ptr());
            for _ in 0..self.outputs {
                finish.begin();
                let mut j = self.weight_bits;
                while j > 0 {
                    let together = columns_together(j, BY_TABLE);
                    if together == 1 {
                        let counts = if BY_TABLE {
                            look_up::<L, 1, 1>(sets, tables, groups)
                        } else {
                            [count_one::<L>(sets, offsets, groups)]
                        };
                        if let Some(counts) = merge::<L, MODE, 1>(counts, first, last, &mut partial) {
                            finish.one(counts[0]);
                        }
                    } else if together == 2 {
                        let counts = if BY_TABLE {
                            look_up::<L, 1, 2>(sets, tables, groups)
                        } else {
                            count_two::<L>(sets, offsets, groups)
                        };
                        if let Some(counts) = merge::<L, MODE, 2>(counts, first, last, &mut partial) {
                            finish.two(j, counts);
                        }
                    } else {
                        let counts = look_up::<L, 2, 4>(sets, tables, groups);
                        if let Some(counts) = merge::<L, MODE, 4>(counts, first, last, &mut partial) {
                            finish.two(j, [counts[0], counts[1]]);
                            finish.two(j - 2, [counts[2], counts[3]]);
                        }
                    }
                    j -= together;
                    offsets = offsets.wrapping_add(together * groups);
                    tables = tables.wrapping_add(together.div_ceil(2) * groups);
                }
                if last {
                    finish.end(sums, self.weight_bits == 1);
                }
                sums = sums.add(2 * set_bytes);
            }
            saturations += finish.saturations();
        }
        saturations
    }
}

/// Class and margin of every lane from its sums: as [`crate::argmax::argmax`], ties to the lowest index.
///
/// # Safety
/// `L`'s processor features.
#[inline(always)]
pub(super) unsafe fn rank<L: Lanes>(scratch: &mut Scratch) {
    let lanes = scratch.classes.len();
    let outputs = scratch.sums.len() / lanes;
    assert!(scratch.margins.len() == lanes && (lanes * 2).is_multiple_of(L::BYTES) && outputs > 0);
    // SAFETY: `first` stays below `lanes`, a multiple of the register's 16-bit lanes.
    unsafe {
        for first in (0..lanes).step_by(L::BYTES / 2) {
            let sums = scratch.sums.as_ptr().add(first).cast::<u8>();
            let mut best = L::load(sums);
            let mut runner_up = L::splat16(i16::MIN as u16);
            let mut class = L::splat16(0);
            for output in 1..outputs {
                let sum = L::load(sums.add(output * lanes * 2));
                runner_up = runner_up.max16(sum.min16(best));
                class = sum.choose_above16(best, L::splat16(output as u16), class);
                best = best.max16(sum);
            }
            class.store(scratch.classes.as_mut_ptr().add(first).cast());
            best.sub16(runner_up).store(scratch.margins.as_mut_ptr().add(first).cast());
        }
    }
}

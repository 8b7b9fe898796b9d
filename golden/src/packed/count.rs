//! What the lane kernel's columns count over a block of groups: sums of sets, or of what their tables say.

#![allow(clippy::needless_range_loop)] // one index walks the registers of several arrays

use super::finish::{Counts, wide_counts};
use super::kernel::{GROUP, SETS, WIDE};
use super::lanes::Lanes;

/// Groups whose counts together fit four bits.
const NIBBLE_GROUPS: usize = 15 / GROUP;

/// n of one column over a block.
#[inline(always)]
pub(super) unsafe fn count_one<L: Lanes>(sets: *const u8, offsets: *const u16, groups: usize) -> [L; WIDE] {
    // SAFETY: as for `LanePlan::columns`.
    unsafe {
        let mut sums = [L::splat8(0); WIDE];
        for group in 0..groups {
            let set = sets.add(usize::from(*offsets.add(group)));
            for v in 0..WIDE {
                sums[v] = sums[v].add8(L::load(set.add(v * L::BYTES)));
            }
        }
        sums
    }
}

/// n of two neighbouring columns over a block.
#[inline(always)]
pub(super) unsafe fn count_two<L: Lanes>(sets: *const u8, offsets: *const u16, groups: usize) -> [[L; WIDE]; 2] {
    // SAFETY: as for `LanePlan::columns`.
    unsafe {
        let mut sums = [[L::splat8(0); WIDE]; 2];
        for group in 0..groups {
            for column in 0..2 {
                let set = sets.add(usize::from(*offsets.add(2 * group + column)));
                for v in 0..WIDE {
                    sums[column][v] = sums[column][v].add8(L::load(set.add(v * L::BYTES)));
                }
            }
        }
        sums
    }
}

/// n of neighbouring columns over a block, by their tables.
#[inline(always)]
pub(super) unsafe fn look_up<L: Lanes, const TABLES: usize, const COLUMNS: usize>(
    mut indices: *const u8,
    mut tables: *const [u8; SETS],
    groups: usize,
) -> [[L; WIDE]; COLUMNS] {
    // SAFETY: as for `LanePlan::columns`.
    unsafe {
        let mut sums = [[L::splat8(0); WIDE]; COLUMNS];
        for _ in 0..groups / NIBBLE_GROUPS {
            look_up_groups::<L, NIBBLE_GROUPS, TABLES, COLUMNS>(indices, tables, &mut sums);
            indices = indices.add(NIBBLE_GROUPS * WIDE * L::BYTES);
            tables = tables.add(NIBBLE_GROUPS * TABLES);
        }
        for _ in 0..groups % NIBBLE_GROUPS {
            look_up_groups::<L, 1, TABLES, COLUMNS>(indices, tables, &mut sums);
            indices = indices.add(WIDE * L::BYTES);
            tables = tables.add(TABLES);
        }
        sums
    }
}

/// Add what so few groups count that two columns fit a byte.
#[inline(always)]
unsafe fn look_up_groups<L: Lanes, const GROUPS: usize, const TABLES: usize, const COLUMNS: usize>(
    indices: *const u8,
    tables: *const [u8; SETS],
    sums: &mut [[L; WIDE]; COLUMNS],
) {
    // SAFETY: as for `LanePlan::columns`.
    unsafe {
        for v in 0..WIDE {
            let mut both = [L::splat8(0); TABLES];
            for group in 0..GROUPS {
                let index = L::load(indices.add((group * WIDE + v) * L::BYTES));
                for k in 0..TABLES {
                    let counts = index.shuffle(tables.add(TABLES * group + k).cast());
                    both[k] = if group == 0 { counts } else { both[k].add8(counts) };
                }
            }
            for k in 0..TABLES {
                let (high, low) = both[k].nibbles();
                sums[2 * k][v] = sums[2 * k][v].add8(high);
                if 2 * k + 1 < COLUMNS {
                    sums[2 * k + 1][v] = sums[2 * k + 1][v].add8(low);
                }
            }
        }
    }
}

/// Add a block's counts to those of the blocks before it; the totals, after the last.
#[inline(always)]
pub(super) unsafe fn merge<L: Lanes, const MODE: u8, const COLUMNS: usize>(
    counts: [[L; WIDE]; COLUMNS],
    first: bool,
    last: bool,
    partial: &mut *mut u8,
) -> Option<[Counts<L>; COLUMNS]> {
    // SAFETY: as for `LanePlan::columns`.
    unsafe {
        let zero = L::splat8(0);
        let mut totals = [[[zero; 2]; WIDE]; COLUMNS];
        for column in 0..COLUMNS {
            for v in 0..WIDE {
                totals[column][v] = if wide_counts(MODE) {
                    let (low, high) = counts[column][v].interleave(zero);
                    [low, high]
                } else {
                    [counts[column][v], zero]
                };
            }
        }
        if first && last {
            return Some(totals);
        }
        let parts = if wide_counts(MODE) { 2 } else { 1 };
        for column in 0..COLUMNS {
            for v in 0..WIDE {
                for part in 0..parts {
                    let total = &mut totals[column][v][part];
                    if !first {
                        let before = L::load(*partial);
                        *total = if wide_counts(MODE) { total.add16(before) } else { total.add8_saturating(before) };
                    }
                    if !last {
                        total.store(*partial);
                    }
                    *partial = partial.add(L::BYTES);
                }
            }
        }
        last.then_some(totals)
    }
}

//! What follows a column's count in the lane kernel: quantizer and recombination.

#![allow(clippy::needless_range_loop)] // one index walks the registers of several arrays

use super::kernel::{LanePlan, WIDE, sample_of_lane};
use super::lanes::Lanes;
use super::quantizer::Form;

/// Counts in bytes, quantized by a clip, two columns recombined at once.
pub(super) const CLIP_BYTES: u8 = 0;
/// Counts in bytes, quantized by a clip, recombined in 16 bits.
pub(super) const CLIP_NARROW: u8 = 1;
/// Counts in bytes, quantized by a table in registers, two columns recombined at once.
pub(super) const LOOKUP_BYTES: u8 = 5;
/// Counts in 16 bits, quantized by a clip.
pub(super) const CLIP_WIDE: u8 = 2;
/// Counts in bytes, quantized by the affine form.
pub(super) const AFFINE_NARROW: u8 = 3;
/// Counts in 16 bits, quantized by the affine form.
pub(super) const AFFINE_WIDE: u8 = 4;

/// Whether counts have 16 bits.
pub(super) const fn wide_counts(mode: u8) -> bool {
    mode == CLIP_WIDE || mode == AFFINE_WIDE
}

/// Counts of a column for `WIDE` registers of samples; the second of each pair is used for wide counts only.
pub(super) type Counts<L> = [[L; 2]; WIDE];

/// Quantizer and recombination of one output's columns, with the constants in registers.
pub(super) struct Finish<L: Lanes, const MODE: u8> {
    /// The plane's sum so far, 16 bits a sample, low and high half.
    sum: Counts<L>,
    weight_bits: usize,
    saturations: u64,
    /// Saturations not yet among these, a byte a lane, and how many there can be at most in one.
    saturated: L,
    most_saturated: usize,
    limit: L,
    unsaturated: Counts<L>,
    offset: Counts<L>,
    active: Counts<L>,
    multiplier: L,
    pre_shift: u32,
    shift: u32,
    table: [L; 4],
    table_is_short: bool,
}

impl<L: Lanes, const MODE: u8> Finish<L, MODE> {
    #[inline(always)]
    pub unsafe fn new(plan: &LanePlan, active: &[u16]) -> Self {
        let quantizer = &plan.quantizer;
        // SAFETY: as for `columns`.
        unsafe {
            // Values of the samples as 16-bit lanes in interleaved order.
            let interleaved = |values: &[u16; 2 * 64]| -> Counts<L> {
                let mut lanes = [0u16; 2 * 64];
                for lane in (0..WIDE * L::BYTES).step_by(8) {
                    let sample = sample_of_lane(lane, L::BYTES);
                    lanes[lane..lane + 8].copy_from_slice(&values[sample..sample + 8]);
                }
                let mut registers = [[L::splat8(0); 2]; WIDE];
                for (v, pair) in registers.iter_mut().enumerate() {
                    for (half, register) in pair.iter_mut().enumerate() {
                        *register = L::load(lanes.as_ptr().cast::<u8>().add((2 * v + half) * L::BYTES));
                    }
                }
                registers
            };
            let spread = |table: &[u16]| {
                let mut values = [0u16; 2 * 64];
                for (value, active) in values.iter_mut().zip(active) {
                    *value = table[usize::from(*active)];
                }
                interleaved(&values)
            };
            let all = |value: u16| [[L::splat16(value); 2]; WIDE];
            let table = |table: &[u16]| match table {
                [value] => all(*value),
                _ => spread(table),
            };
            let mut unsaturated = table(&quantizer.unsaturated);
            if !wide_counts(MODE) {
                for pair in &mut unsaturated {
                    // Byte counts are compared as bytes, in sample order.
                    let most = L::splat16(255);
                    pair[0] = L::narrow(pair[0].min16_unsigned(most), pair[1].min16_unsigned(most));
                }
            }
            let (multiplier, pre_shift, shift, offset) = match &quantizer.form {
                Form::Clip => (L::splat8(0), 0, 0, all(0)),
                Form::Affine { multiplier, pre_shift, shift, offset } => {
                    (L::splat16(*multiplier), *pre_shift, *shift, table(offset))
                }
            };
            let bytes = MODE == CLIP_BYTES || MODE == CLIP_NARROW;
            let (mut table, mut table_is_short) = ([L::splat8(0); 4], false);
            if let (LOOKUP_BYTES, Some((codes, short))) = (MODE, &plan.table) {
                // Four registers of 64 codes; only registers of 64 bytes look up.
                for (k, register) in table.iter_mut().enumerate() {
                    *register = L::load(codes.as_ptr().add(k * 64));
                }
                table_is_short = *short;
            }
            Self {
                sum: all(0),
                weight_bits: plan.weight_bits,
                saturations: 0,
                saturated: L::splat8(0),
                most_saturated: 0,
                limit: if bytes { L::splat8(quantizer.limit.min(255) as u8) } else { L::splat16(quantizer.limit) },
                unsaturated,
                offset,
                active: if plan.weight_bits == 1 {
                    let mut values = [0u16; 2 * 64];
                    values[..active.len()].copy_from_slice(active);
                    interleaved(&values)
                } else {
                    all(0)
                },
                multiplier,
                pre_shift,
                shift,
                table,
                table_is_short,
            }
        }
    }

    #[inline(always)]
    pub unsafe fn begin(&mut self) {
        // SAFETY: features are the caller's promise.
        self.sum = unsafe { [[L::splat8(0); 2]; WIDE] };
    }

    /// Codes of one column, 16 bits a sample; counts its saturations.
    #[inline(always)]
    unsafe fn codes(&mut self, counts: [L; 2], v: usize) -> [L; 2] {
        // SAFETY: features are the caller's promise.
        unsafe {
            let zero = L::splat8(0);
            if wide_counts(MODE) {
                for half in 0..2 {
                    self.saturations += u64::from(counts[half].above16(self.unsaturated[v][half]));
                }
            } else {
                counts[0].count_above8(self.unsaturated[v][0], &mut self.saturated, &mut self.saturations);
            }
            let affine = |n: L, half: usize| {
                let scaled = n.multiply_high16(self.multiplier).add16_saturating(self.offset[v][half]);
                scaled.shift_right16(self.shift).min16_unsigned(self.limit)
            };
            match MODE {
                CLIP_WIDE => [counts[0].min16_unsigned(self.limit), counts[1].min16_unsigned(self.limit)],
                AFFINE_WIDE => [
                    affine(counts[0].shift_left16(self.pre_shift), 0),
                    affine(counts[1].shift_left16(self.pre_shift), 1),
                ],
                AFFINE_NARROW => {
                    // A byte behind a zero byte is the count times 256: the narrow form's pre-shift of 8.
                    let (low, high) = zero.interleave(counts[0]);
                    [affine(low, 0), affine(high, 1)]
                }
                LOOKUP_BYTES => {
                    let (low, high) = counts[0].look_up(&self.table, self.table_is_short).interleave(zero);
                    [low, high]
                }
                _ => {
                    let (low, high) = counts[0].min8(self.limit).interleave(zero);
                    [low, high]
                }
            }
        }
    }

    /// The highest of an odd number of columns, or the only one.
    #[inline(always)]
    pub unsafe fn one(&mut self, counts: Counts<L>) {
        // SAFETY: features are the caller's promise.
        unsafe {
            let zero = L::splat8(0);
            for v in 0..WIDE {
                let codes = self.codes(counts[v], v);
                for half in 0..2 {
                    let mut code = codes[half];
                    if MODE == CLIP_BYTES || MODE == LOOKUP_BYTES {
                        // The columns below are added as they weigh; the other forms double what is there.
                        code = code.shift_left16(self.weight_bits as u32 - 1);
                    }
                    self.sum[v][half] = zero.sub16(code);
                }
            }
        }
    }

    /// Columns j - 1 and j - 2.
    #[inline(always)]
    pub unsafe fn two(&mut self, j: usize, counts: [Counts<L>; 2]) {
        // SAFETY: features are the caller's promise.
        unsafe {
            let top = j == self.weight_bits;
            for v in 0..WIDE {
                if MODE == CLIP_BYTES || MODE == LOOKUP_BYTES {
                    // 2^(j-1) q[j-1] + 2^(j-2) q[j-2], with a minus sign in front of the highest column.
                    let high = (if top { 0xFF << (j - 1) } else { 1 << (j - 1) }) & 0xFF;
                    let weights = L::splat16(1 << (j - 2 + 8) | high);
                    let mut codes = [L::splat8(0); 2];
                    for column in 0..2 {
                        let limit = self.unsaturated[v][0];
                        counts[column][v][0].count_above8(limit, &mut self.saturated, &mut self.saturations);
                        codes[column] = if MODE == LOOKUP_BYTES {
                            counts[column][v][0].look_up(&self.table, self.table_is_short)
                        } else {
                            counts[column][v][0].min8(self.limit)
                        };
                    }
                    let (low, high) = codes[0].interleave(codes[1]);
                    for (half, pairs) in [low, high].into_iter().enumerate() {
                        self.sum[v][half] = self.sum[v][half].add16(pairs.multiply_pairs(weights));
                    }
                } else {
                    for column in 0..2 {
                        let codes = self.codes(counts[column][v], v);
                        for half in 0..2 {
                            let sum = self.sum[v][half];
                            let twice = sum.add16(sum);
                            self.sum[v][half] =
                                if top && column == 0 { twice.sub16(codes[half]) } else { twice.add16(codes[half]) };
                        }
                    }
                }
            }
        }
    }

    /// Add up the saturations of every lane, before a byte of them can overflow.
    #[inline(always)]
    unsafe fn settle(&mut self) {
        // SAFETY: features are the caller's promise.
        self.saturations += unsafe { self.saturated.counted() };
        (self.saturated, self.most_saturated) = (unsafe { L::splat8(0) }, 0);
    }

    /// Saturations of all outputs that have ended.
    #[inline(always)]
    pub unsafe fn saturations(&mut self) -> u64 {
        // SAFETY: features are the caller's promise.
        unsafe { self.settle() };
        self.saturations
    }

    /// y = 2 y + the plane's sum.
    #[inline(always)]
    pub unsafe fn end(&mut self, sums: *mut u8, binary: bool) {
        // SAFETY: as for `columns`.
        unsafe {
            self.most_saturated += self.weight_bits * WIDE;
            if self.most_saturated + self.weight_bits * WIDE > usize::from(u8::MAX) {
                self.settle();
            }
            for v in 0..WIDE {
                for half in 0..2 {
                    let place = sums.add((2 * v + half) * L::BYTES);
                    let mut sum = self.sum[v][half];
                    if binary {
                        // The only column came in negative: -q becomes 2 q - a.
                        let q = L::splat8(0).sub16(sum);
                        sum = q.add16(q).sub16(self.active[v][half]);
                    }
                    let before = L::load(place);
                    before.add16(before).add16(sum).store(place);
                }
            }
        }
    }
}

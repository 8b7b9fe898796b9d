//! The product kernel with the dot-product instructions of x86-64 vectors.

use std::arch::x86_64::*;

use super::product::{BLOCK, Product};

/// Images multiplied side by side.
const IMAGES: usize = 4;

/// Multiply with `vpdpbusd`.
///
/// # Safety
/// `codes` holds as many images as `sums`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn multiply_avx512(product: &Product, codes: &[u8], sums: &mut [i32]) {
    // SAFETY: passed on to the caller; the block functions have this function's features.
    unsafe {
        for_blocks(product, codes, sums, |codes, stride, images, block, blocks, sums| match (images, blocks) {
            (IMAGES, 4) => block_avx512::<IMAGES, 4>(product, codes, stride, block, sums),
            (IMAGES, 2) => block_avx512::<IMAGES, 2>(product, codes, stride, block, sums),
            (IMAGES, _) => block_avx512::<IMAGES, 1>(product, codes, stride, block, sums),
            (_, 4) => block_avx512::<1, 4>(product, codes, stride, block, sums),
            (_, 2) => block_avx512::<1, 2>(product, codes, stride, block, sums),
            _ => block_avx512::<1, 1>(product, codes, stride, block, sums),
        });
    }
}

/// Multiply with `vpmaddubsw`; at least one pair of the product's must fit 16 bits.
///
/// # Safety
/// As for [`multiply_avx512`].
#[target_feature(enable = "avx2")]
pub(super) unsafe fn multiply_avx2(product: &Product, codes: &[u8], sums: &mut [i32]) {
    // SAFETY: as above.
    unsafe {
        for_blocks(product, codes, sums, |codes, stride, images, block, blocks, sums| {
            for block in block..block + blocks {
                match images {
                    IMAGES => block_avx2::<IMAGES>(product, codes, stride, block, sums),
                    _ => block_avx2::<1>(product, codes, stride, block, sums),
                }
            }
        });
    }
}

/// Walk over groups of images and blocks of outputs: four images at a time, then one; four blocks, then two, one.
///
/// `work(codes, bytes from image to image, images, first block, blocks, the images' sums)`.
#[inline(always)]
unsafe fn for_blocks(
    product: &Product,
    codes: &[u8],
    sums: &mut [i32],
    work: impl Fn(*const u8, usize, usize, usize, usize, *mut i32),
) {
    let (images, all) = (sums.len() / product.outputs, product.outputs.div_ceil(BLOCK));
    let mut image = 0;
    while image < images {
        let together = if images - image >= IMAGES { IMAGES } else { 1 };
        let from = codes[image * product.depth..].as_ptr();
        let to = sums[image * product.outputs..].as_mut_ptr();
        let mut block = 0;
        while block < all {
            let blocks = match all - block {
                1 => 1,
                2 | 3 => 2,
                _ => 4,
            };
            work(from, product.depth, together, block, blocks, to);
            block += blocks;
        }
        image += together;
    }
}

/// `N` images times `B` blocks of outputs.
///
/// # Safety
/// `N` images of codes `stride` bytes apart, a whole number of fours each; `N` rows of sums.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn block_avx512<const N: usize, const B: usize>(
    product: &Product,
    codes: *const u8,
    stride: usize,
    block: usize,
    sums: *mut i32,
) {
    let fours = product.inputs.div_ceil(4);
    // SAFETY: the weights have `depth` >= 4 * fours inputs in every block; the rest is the caller's promise.
    unsafe {
        let mut totals = [[_mm512_setzero_si512(); B]; N];
        for (b, bias) in product.bias.as_chunks::<BLOCK>().0[block..block + B].iter().enumerate() {
            for total in &mut totals {
                total[b] = _mm512_loadu_si512(bias.as_ptr().cast());
            }
        }
        let weights = product.weights.as_ptr().add(block * BLOCK * product.depth);
        for four in 0..fours {
            let mut columns = [_mm512_setzero_si512(); B];
            for (b, column) in columns.iter_mut().enumerate() {
                *column = _mm512_loadu_si512(weights.add(b * BLOCK * product.depth + four * 4 * BLOCK).cast());
            }
            for (n, totals) in totals.iter_mut().enumerate() {
                let codes = _mm512_set1_epi32(codes.add(n * stride + four * 4).cast::<i32>().read_unaligned());
                for (total, column) in totals.iter_mut().zip(columns) {
                    *total = _mm512_dpbusd_epi32(*total, codes, column);
                }
            }
        }
        for (n, totals) in totals.iter().enumerate() {
            for (b, total) in totals.iter().enumerate() {
                let first = (block + b) * BLOCK;
                let mask = ((1u32 << (product.outputs - first).min(BLOCK)) - 1) as u16;
                _mm512_mask_storeu_epi32(sums.add(n * product.outputs + first), mask, *total);
            }
        }
    }
}

/// `N` images times one block of outputs.
///
/// Pairs of products are added in 16 bits for as long as they are sure to fit, `pairs_fit` fours of inputs, and only
/// then in 32: two instructions a vector of weights where `vpmaddwd` at every four needs three.
///
/// # Safety
/// As for [`block_avx512`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn block_avx2<const N: usize>(product: &Product, codes: *const u8, stride: usize, block: usize, sums: *mut i32) {
    let fours = product.inputs.div_ceil(4);
    // SAFETY: as for `block_avx512`.
    unsafe {
        let ones = _mm256_set1_epi16(1);
        let bias = product.bias.as_ptr().add(block * BLOCK);
        let bias = [_mm256_loadu_si256(bias.cast()), _mm256_loadu_si256(bias.add(8).cast())];
        let mut totals = [bias; N];
        let weights = product.weights.as_ptr().add(block * BLOCK * product.depth);
        for first in (0..fours).step_by(product.pairs_fit) {
            let mut pairs = [[_mm256_setzero_si256(); 2]; N];
            for four in first..fours.min(first + product.pairs_fit) {
                let place = weights.add(four * 4 * BLOCK);
                let columns = [_mm256_loadu_si256(place.cast()), _mm256_loadu_si256(place.add(32).cast())];
                for (n, pairs) in pairs.iter_mut().enumerate() {
                    let codes = _mm256_set1_epi32(codes.add(n * stride + four * 4).cast::<i32>().read_unaligned());
                    for (pair, column) in pairs.iter_mut().zip(columns) {
                        *pair = _mm256_add_epi16(*pair, _mm256_maddubs_epi16(codes, column));
                    }
                }
            }
            for (totals, pairs) in totals.iter_mut().zip(pairs) {
                for (total, pair) in totals.iter_mut().zip(pairs) {
                    *total = _mm256_add_epi32(*total, _mm256_madd_epi16(pair, ones));
                }
            }
        }
        for (n, totals) in totals.iter().enumerate() {
            let first = block * BLOCK;
            let count = (product.outputs - first).min(BLOCK);
            store_avx2(*totals, count, sums.add(n * product.outputs + first));
        }
    }
}

/// Store the first `count` of sixteen sums; a copy of so few, its length not known beforehand, would be a call.
///
/// # Safety
/// Room for `count` sums, sixteen at most.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_avx2(sums: [__m256i; 2], count: usize, mut place: *mut i32) {
    // SAFETY: sixteen, eight, four, two and one add up to no more than `count`.
    unsafe {
        let mut left = sums[0];
        if count >= 8 {
            _mm256_storeu_si256(place.cast(), left);
            place = place.add(8);
            left = sums[1];
        }
        if count == 16 {
            return _mm256_storeu_si256(place.cast(), left);
        }
        let mut left4 = _mm256_castsi256_si128(left);
        if count & 4 != 0 {
            _mm_storeu_si128(place.cast(), left4);
            place = place.add(4);
            left4 = _mm256_extracti128_si256::<1>(left);
        }
        if count & 2 != 0 {
            _mm_storel_epi64(place.cast(), left4);
            place = place.add(2);
            left4 = _mm_unpackhi_epi64(left4, left4);
        }
        if count & 1 != 0 {
            place.write_unaligned(_mm_cvtsi128_si32(left4));
        }
    }
}

/// The two largest keys of sixteen images, an image a lane.
#[derive(Clone, Copy)]
struct TopTwo {
    best: __m512i,
    second: __m512i,
}

impl TopTwo {
    /// Merge lane by lane.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn merge(self, other: Self) -> Self {
        let low = _mm512_min_epi32(self.best, other.best);
        let second = _mm512_max_epi32(self.second, other.second);
        Self { best: _mm512_max_epi32(self.best, other.best), second: _mm512_max_epi32(low, second) }
    }
}

/// Class and margin of each row of sums, as [`crate::argmax::argmax`].
///
/// Sum and output become one key, `sum * 1024 + (1023 - output)`, whose order is that of the sums and, among equal
/// sums, of the lowest output. Sixteen rows' largest two keys are then merged in a tree that transposes them.
///
/// # Safety
/// None beyond the processor features; right for sums of at most 22 bits and at most 1024 outputs.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn rank_rows(sums: &[i32], outputs: usize, classes: &mut [u16], margins: &mut [u32]) {
    let least = _mm512_set1_epi32(i32::MIN);
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let backwards = _mm512_sub_epi32(_mm512_set1_epi32(1023), lanes);
    let sixteens = sums.chunks(16 * outputs).zip(classes.chunks_mut(16)).zip(margins.chunks_mut(16));
    for ((sums, classes), margins) in sixteens {
        let mut rows = [TopTwo { best: least, second: least }; 16];
        // Four rows at a time, so that their keys stay in registers. Lanes of rows that are not there repeat the
        // last row, and are not stored.
        for (quarter, rows) in rows.chunks_exact_mut(4).enumerate() {
            let row = |k: usize| (4 * quarter + k).min(classes.len() - 1) * outputs;
            let places: [*const i32; 4] = std::array::from_fn(|k| sums[row(k)..].as_ptr());
            let mut top = [TopTwo { best: least, second: least }; 4];
            for first in (0..outputs).step_by(16) {
                let mask = ((1u32 << (outputs - first).min(16)) - 1) as u16;
                let numbers = _mm512_sub_epi32(backwards, _mm512_set1_epi32(first as i32));
                for (top, place) in top.iter_mut().zip(places) {
                    // SAFETY: the mask covers what is left of the row.
                    let sums = unsafe { _mm512_maskz_loadu_epi32(mask, place.add(first)) };
                    let key = _mm512_mask_add_epi32(least, mask, _mm512_slli_epi32::<10>(sums), numbers);
                    top.second = _mm512_max_epi32(top.second, _mm512_min_epi32(top.best, key));
                    top.best = _mm512_max_epi32(top.best, key);
                }
            }
            rows.copy_from_slice(&top);
        }
        // Two rows a register, then four, eight and sixteen.
        macro_rules! halve {
            ($count:literal, $low:expr, $high:expr) => {
                for k in 0..$count {
                    let (a, b) = (rows[2 * k], rows[2 * k + 1]);
                    let low = TopTwo { best: $low(a.best, b.best), second: $low(a.second, b.second) };
                    let high = TopTwo { best: $high(a.best, b.best), second: $high(a.second, b.second) };
                    rows[k] = low.merge(high);
                }
            };
        }
        halve!(8, _mm512_unpacklo_epi32, _mm512_unpackhi_epi32);
        halve!(4, _mm512_unpacklo_epi64, _mm512_unpackhi_epi64);
        halve!(2, _mm512_shuffle_i32x4::<0x44>, _mm512_shuffle_i32x4::<0xEE>);
        halve!(1, _mm512_shuffle_i32x4::<0x88>, _mm512_shuffle_i32x4::<0xDD>);
        let TopTwo { best, second } = rows[0];
        let number = _mm512_and_si512(best, _mm512_set1_epi32(1023));
        let class = _mm512_cvtepi32_epi16(_mm512_sub_epi32(_mm512_set1_epi32(1023), number));
        let margin = _mm512_sub_epi32(_mm512_srai_epi32::<10>(best), _mm512_srai_epi32::<10>(second));
        let mask = ((1u32 << classes.len()) - 1) as u16;
        // SAFETY: the mask covers as many images as there are.
        unsafe {
            _mm256_mask_storeu_epi16(classes.as_mut_ptr().cast(), mask, class);
            _mm512_mask_storeu_epi32(margins.as_mut_ptr().cast(), mask, margin);
        }
    }
}

//! Packing: from images of codes to what the kernels read.

use std::ops::Range;

/// All codes or-ed together: its bits above `input_bits` tell whether any code is too wide.
#[inline(always)]
pub(super) fn combined(codes: &[u8]) -> u8 {
    codes.iter().fold(0, |all, code| all | code)
}

/// Set bits of all codes together: the rows they drive, over all planes.
#[inline(always)]
pub(super) fn pulses(codes: &[u8]) -> u64 {
    let (words, rest) = codes.as_chunks::<8>();
    let words: u64 = words.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
    words + rest.iter().map(|code| u64::from(code.count_ones())).sum::<u64>()
}

/// Where squares of `size` begin that cover `count`, which is `size` or more; the last overlaps the one before it where
/// `size` does not divide `count`.
#[inline(always)]
pub(super) fn squares(count: usize, size: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(size).map(move |first| first.min(count - size))
}

/// Transpose codes `[image][input]` of the given images to `[input][lane]`, `lanes` bytes a row.
///
/// Lanes beyond the last image keep what they hold.
#[inline(always)]
pub(super) fn transpose(codes: &[u8], inputs: usize, images: Range<usize>, lanes: usize, to: &mut [u8]) {
    let count = images.len();
    assert!(count <= lanes && codes.len() >= images.end * inputs && to.len() >= inputs * lanes);
    #[cfg(target_arch = "x86_64")]
    if inputs >= 16 {
        for sample in (0..count - count % 16).step_by(16) {
            for input in squares(inputs, 16) {
                // SAFETY: 16 images from `images.start + sample` and 16 inputs from `input` exist on both sides.
                unsafe {
                    square(
                        codes.as_ptr().add((images.start + sample) * inputs + input),
                        inputs,
                        to.as_mut_ptr().add(input * lanes + sample),
                        lanes,
                    );
                }
            }
        }
        transpose_plain(codes, inputs, images.start..images.end, count - count % 16, lanes, to);
        return;
    }
    transpose_plain(codes, inputs, images, 0, lanes, to);
}

/// The images from `first` on, code by code.
fn transpose_plain(codes: &[u8], inputs: usize, images: Range<usize>, first: usize, lanes: usize, to: &mut [u8]) {
    for sample in first..images.len() {
        for (input, code) in codes[(images.start + sample) * inputs..][..inputs].iter().enumerate() {
            to[input * lanes + sample] = *code;
        }
    }
}

/// Transpose 16 x 16 bytes.
///
/// # Safety
/// Sixteen rows of sixteen bytes at both ends, `from_stride` and `to_stride` bytes apart.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn square(from: *const u8, from_stride: usize, to: *mut u8, to_stride: usize) {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm_setzero_si128, _mm_storeu_si128, _mm_unpackhi_epi8, _mm_unpacklo_epi8,
    };
    // SAFETY: SSE2 is part of x86-64; the pointers are the caller's promise.
    unsafe {
        let mut rows = [_mm_setzero_si128(); 16];
        for (k, row) in rows.iter_mut().enumerate() {
            *row = _mm_loadu_si128(from.add(k * from_stride).cast());
        }
        // Four perfect shuffles of 16 registers rotate the index by four bits: rows become columns.
        for _ in 0..4 {
            let before = rows;
            for k in 0..8 {
                rows[2 * k] = _mm_unpacklo_epi8(before[k], before[k + 8]);
                rows[2 * k + 1] = _mm_unpackhi_epi8(before[k], before[k + 8]);
            }
        }
        for (k, row) in rows.iter().enumerate() {
            _mm_storeu_si128(to.add(k * to_stride).cast(), *row);
        }
    }
}

/// Planes of one image as words: bit r % 64 of word r / 64 of plane i is bit i of row r's code.
///
/// `words`: `[plane][word]`, `stride` words a plane, cleared by the caller.
#[inline(always)]
pub(super) fn plane_words(codes: &[u8], planes: usize, stride: usize, words: &mut [u64]) {
    let done = if cfg!(target_arch = "x86_64") { codes.len() - codes.len() % 16 } else { 0 };
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_cvtsi32_si128, _mm_loadu_si128, _mm_movemask_epi8, _mm_sll_epi16};
        for (chunk, codes) in codes.as_chunks::<16>().0.iter().enumerate() {
            for plane in 0..planes {
                // SAFETY: SSE2 is part of x86-64, and the chunk has sixteen bytes.
                let bits = unsafe {
                    let shift = _mm_cvtsi32_si128(7 - plane as i32);
                    _mm_movemask_epi8(_mm_sll_epi16(_mm_loadu_si128(codes.as_ptr().cast()), shift)) as u64
                };
                words[plane * stride + chunk / 4] |= bits << (chunk % 4 * 16);
            }
        }
    }
    for (row, code) in codes.iter().enumerate().skip(done) {
        for plane in 0..planes {
            words[plane * stride + row / 64] |= u64::from((code >> plane) & 1) << (row % 64);
        }
    }
}

/// Write eight neighbouring lanes' sums as rows of outputs.
///
/// `sums`: `[output][lane]`, `lanes` a row, the eight from `lane` on; `to`: `[image][output]`, the eight images'
/// rows one after the other, fewer when the batch ends. Adds to what is there when `ADD`.
#[inline(always)]
pub(super) fn spread<const ADD: bool>(sums: &[i16], lanes: usize, lane: usize, outputs: usize, to: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if !ADD && outputs >= 8 && to.len() >= 8 * outputs {
        assert!(sums.len() >= outputs * lanes && lane + 8 <= lanes);
        for output in squares(outputs, 8) {
            // SAFETY: eight outputs from `output` on, eight lanes and eight rows of `to` exist.
            unsafe {
                spread_square(sums.as_ptr().add(output * lanes + lane), lanes, to.as_mut_ptr().add(output), outputs)
            };
        }
        return;
    }
    for (k, to) in to.chunks_exact_mut(outputs).enumerate().take(8) {
        for (output, y) in to.iter_mut().enumerate() {
            let sum = i32::from(sums[output * lanes + lane + k]);
            *y = if ADD { *y + sum } else { sum };
        }
    }
}

/// Transpose 8 x 8 sums and widen them.
///
/// # Safety
/// Eight rows of eight sums at both ends, the strides in elements.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn spread_square(from: *const i16, from_stride: usize, to: *mut i32, to_stride: usize) {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm_setzero_si128, _mm_srai_epi32, _mm_storeu_si128, _mm_unpackhi_epi16, _mm_unpacklo_epi16,
    };
    // SAFETY: SSE2 is part of x86-64; the pointers are the caller's promise.
    unsafe {
        let mut rows = [_mm_setzero_si128(); 8];
        for (k, row) in rows.iter_mut().enumerate() {
            *row = _mm_loadu_si128(from.add(k * from_stride).cast());
        }
        for _ in 0..3 {
            let before = rows;
            for k in 0..4 {
                rows[2 * k] = _mm_unpacklo_epi16(before[k], before[k + 4]);
                rows[2 * k + 1] = _mm_unpackhi_epi16(before[k], before[k + 4]);
            }
        }
        for (k, row) in rows.iter().enumerate() {
            let place = to.add(k * to_stride);
            _mm_storeu_si128(place.cast(), _mm_srai_epi32::<16>(_mm_unpacklo_epi16(*row, *row)));
            _mm_storeu_si128(place.add(4).cast(), _mm_srai_epi32::<16>(_mm_unpackhi_epi16(*row, *row)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use rand::Rng;

    #[test]
    fn transpose_puts_every_code_in_its_lane() {
        let mut random = stream("transpose", 1);
        for (inputs, images, lanes) in
            [(1, 3, 32), (15, 16, 16), (16, 16, 32), (17, 31, 32), (64, 64, 64), (100, 50, 64)]
        {
            let codes: Vec<u8> = (0..inputs * (images + 2)).map(|_| random.random()).collect();
            let mut to = vec![0; inputs * lanes];
            transpose(&codes, inputs, 2..images + 2, lanes, &mut to);
            for sample in 0..lanes {
                for input in 0..inputs {
                    let code = if sample < images { codes[(sample + 2) * inputs + input] } else { 0 };
                    assert_eq!(to[input * lanes + sample], code, "{inputs} inputs, {images} images");
                }
            }
        }
    }

    #[test]
    fn plane_words_hold_every_bit() {
        let mut random = stream("plane words", 1);
        for rows in [1, 15, 16, 63, 64, 65, 130] {
            let codes: Vec<u8> = (0..rows).map(|_| random.random()).collect();
            let mut words = vec![0; 8 * 3];
            plane_words(&codes, 8, 3, &mut words);
            for plane in 0..8 {
                for row in 0..3 * 64 {
                    let bit = codes.get(row).is_some_and(|code| (code >> plane) & 1 == 1);
                    assert_eq!((words[plane * 3 + row / 64] >> (row % 64)) & 1 == 1, bit, "{rows} rows");
                }
            }
        }
    }

    #[test]
    fn spread_puts_every_sum_in_its_row() {
        let mut random = stream("spread", 1);
        for (outputs, images) in [(2, 8), (8, 8), (10, 8), (17, 8), (17, 3), (10, 0)] {
            let sums: Vec<i16> = (0..outputs * 32).map(|_| random.random()).collect();
            let mut to = vec![7; outputs * images];
            spread::<false>(&sums, 32, 16, outputs, &mut to);
            spread::<true>(&sums, 32, 16, outputs, &mut to);
            for image in 0..images {
                for output in 0..outputs {
                    assert_eq!(to[image * outputs + output], 2 * i32::from(sums[output * 32 + 16 + image]));
                }
            }
        }
    }

    #[test]
    fn pulses_and_combined_see_every_code() {
        for length in [0, 7, 8, 9, 100] {
            let codes: Vec<u8> = (0..length).map(|k| (k * 37) as u8).collect();
            assert_eq!(pulses(&codes), codes.iter().map(|code| u64::from(code.count_ones())).sum::<u64>());
            assert_eq!(combined(&codes), codes.iter().copied().fold(0, |a, b| a | b));
        }
    }
}

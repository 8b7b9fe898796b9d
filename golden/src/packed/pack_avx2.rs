//! What [`super::pack`] does, with 256-bit vectors: two of its squares at a time.

use std::arch::x86_64::*;
use std::ops::Range;

use super::pack::squares;

/// Set bits of each half byte, twice.
const HALF_BYTE_BITS: [u8; 32] =
    [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4];

/// [`super::pack::pulses`] of codes of four bits or less.
///
/// # Safety
/// AVX2.
#[inline(always)]
pub(super) unsafe fn pulses(codes: &[u8]) -> u64 {
    let (vectors, rest) = codes.as_chunks::<32>();
    // SAFETY: each vector has 32 bytes; AVX2 is the caller's promise.
    let parts = unsafe {
        let table = _mm256_loadu_si256(HALF_BYTE_BITS.as_ptr().cast());
        let mut total = _mm256_setzero_si256();
        // A vector adds four to a byte at most.
        for vectors in vectors.chunks(63) {
            let mut bytes = _mm256_setzero_si256();
            for vector in vectors {
                let codes = _mm256_loadu_si256(vector.as_ptr().cast());
                bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(table, codes));
            }
            total = _mm256_add_epi64(total, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
        }
        let mut parts = [0u64; 4];
        _mm256_storeu_si256(parts.as_mut_ptr().cast(), total);
        parts
    };
    parts.iter().sum::<u64>() + rest.iter().map(|code| u64::from(code.count_ones())).sum::<u64>()
}

/// [`super::pack::transpose`] of a whole number of 32 images of 16 inputs or more.
///
/// # Safety
/// AVX2.
#[inline(always)]
pub(super) unsafe fn transpose(codes: &[u8], inputs: usize, images: Range<usize>, lanes: usize, to: &mut [u8]) {
    let count = images.len();
    assert!(inputs >= 16 && count.is_multiple_of(32));
    assert!(count <= lanes && codes.len() >= images.end * inputs && to.len() >= inputs * lanes);
    for sample in (0..count).step_by(32) {
        for input in squares(inputs, 16) {
            // SAFETY: 32 images from `images.start + sample` and 16 inputs from `input` exist on both sides.
            unsafe {
                two_squares(
                    codes.as_ptr().add((images.start + sample) * inputs + input),
                    inputs,
                    to.as_mut_ptr().add(input * lanes + sample),
                    lanes,
                );
            }
        }
    }
}

/// Transpose 32 x 16 bytes.
///
/// # Safety
/// AVX2; 32 rows of 16 bytes to read, 16 of 32 to write, `from_stride` and `to_stride` bytes apart.
#[inline(always)]
unsafe fn two_squares(from: *const u8, from_stride: usize, to: *mut u8, to_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut rows = [_mm256_setzero_si256(); 16];
        for (k, row) in rows.iter_mut().enumerate() {
            let half = |k: usize| _mm_loadu_si128(from.add(k * from_stride).cast());
            *row = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(half(k)), half(k + 16));
        }
        // Four perfect shuffles of 16 registers rotate the index by four bits: rows become columns.
        for _ in 0..4 {
            let before = rows;
            for k in 0..8 {
                rows[2 * k] = _mm256_unpacklo_epi8(before[k], before[k + 8]);
                rows[2 * k + 1] = _mm256_unpackhi_epi8(before[k], before[k + 8]);
            }
        }
        for (k, row) in rows.iter().enumerate() {
            _mm256_storeu_si256(to.add(k * to_stride).cast(), *row);
        }
    }
}

/// [`super::pack::spread`] of sixteen lanes from `lane` on, whose first eight images' rows are `to[0]` and whose last
/// eight's are `to[1]`; eight outputs or more.
///
/// # Safety
/// AVX2.
#[inline(always)]
pub(super) unsafe fn spread(sums: &[i16], lanes: usize, lane: usize, outputs: usize, to: [&mut [i32]; 2]) {
    assert!(outputs >= 8 && sums.len() >= outputs * lanes && lane + 16 <= lanes);
    assert!(to.iter().all(|to| to.len() >= 8 * outputs));
    let to = to.map(|to| to.as_mut_ptr());
    for output in squares(outputs, 8) {
        // SAFETY: eight outputs from `output` on, sixteen lanes and eight rows of each `to` exist.
        unsafe {
            let mut rows = [_mm256_setzero_si256(); 8];
            for (k, row) in rows.iter_mut().enumerate() {
                *row = _mm256_loadu_si256(sums.as_ptr().add((output + k) * lanes + lane).cast());
            }
            for _ in 0..3 {
                let before = rows;
                for k in 0..4 {
                    rows[2 * k] = _mm256_unpacklo_epi16(before[k], before[k + 4]);
                    rows[2 * k + 1] = _mm256_unpackhi_epi16(before[k], before[k + 4]);
                }
            }
            for (k, row) in rows.iter().enumerate() {
                let halves = [_mm256_castsi256_si128(*row), _mm256_extracti128_si256::<1>(*row)];
                for (to, half) in to.iter().zip(halves) {
                    _mm256_storeu_si256(to.add(k * outputs + output).cast(), _mm256_cvtepi16_epi32(half));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, pack};
    use crate::random::stream;
    use rand::Rng;

    #[test]
    fn squares_of_two_equal_those_of_one() {
        if !Level::available().contains(&Level::Avx2) {
            return;
        }
        let mut random = stream("two squares", 1);
        for (inputs, images) in [(16, 32), (17, 64), (64, 64), (100, 32)] {
            let codes: Vec<u8> = (0..inputs * (images + 2)).map(|_| random.random()).collect();
            let (mut two, mut one) = (vec![0; inputs * 64], vec![0; inputs * 64]);
            // SAFETY: the processor has AVX2.
            unsafe { super::transpose(&codes, inputs, 2..images + 2, 64, &mut two) };
            pack::transpose(&codes, inputs, 2..images + 2, 64, &mut one);
            assert_eq!(two, one, "{inputs} inputs, {images} images");
        }
        for outputs in [8, 9, 10, 16, 17] {
            let sums: Vec<i16> = (0..outputs * 64).map(|_| random.random()).collect();
            let (mut two, mut one) = (vec![0; 16 * outputs], vec![0; 16 * outputs]);
            let (first, second) = two.split_at_mut(8 * outputs);
            // SAFETY: as above.
            unsafe { super::spread(&sums, 64, 16, outputs, [first, second]) };
            pack::spread::<false>(&sums, 64, 16, outputs, &mut one[..8 * outputs]);
            pack::spread::<false>(&sums, 64, 24, outputs, &mut one[8 * outputs..]);
            assert_eq!(two, one, "{outputs} outputs");
        }
    }

    #[test]
    fn pulses_equal_those_of_words() {
        if !Level::available().contains(&Level::Avx2) {
            return;
        }
        for length in [0, 31, 32, 33, 5000] {
            let codes = vec![15; length];
            // SAFETY: the processor has AVX2.
            assert_eq!(unsafe { super::pulses(&codes) }, pack::pulses(&codes));
            let codes: Vec<u8> = (0..length).map(|k| (k * 7 % 16) as u8).collect();
            // SAFETY: as above.
            assert_eq!(unsafe { super::pulses(&codes) }, pack::pulses(&codes));
        }
    }
}

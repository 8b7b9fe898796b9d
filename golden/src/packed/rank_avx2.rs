//! Classes and margins of rows of sums, eight rows at a time, with 256-bit vectors.

use std::arch::x86_64::*;

/// The two largest keys of eight images, an image a lane.
#[derive(Clone, Copy)]
struct TopTwo {
    best: __m256i,
    second: __m256i,
}

impl TopTwo {
    /// Merge lane by lane.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn merge(self, other: Self) -> Self {
        let low = _mm256_min_epi32(self.best, other.best);
        let second = _mm256_max_epi32(self.second, other.second);
        Self { best: _mm256_max_epi32(self.best, other.best), second: _mm256_max_epi32(low, second) }
    }
}

/// [`super::product_x86::rank_rows`] with eight lanes: the same keys, the same tree.
///
/// # Safety
/// None beyond the processor feature; right for sums of at most 22 bits and at most 1024 outputs.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn rank_rows(sums: &[i32], outputs: usize, classes: &mut [u16], margins: &mut [u32]) {
    let least = _mm256_set1_epi32(i32::MIN);
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let backwards = _mm256_sub_epi32(_mm256_set1_epi32(1023), lanes);
    let eights = sums.chunks(8 * outputs).zip(classes.chunks_mut(8)).zip(margins.chunks_mut(8));
    for ((sums, classes), margins) in eights {
        let mut rows = [TopTwo { best: least, second: least }; 8];
        // Four rows at a time, so that their keys stay in registers. Lanes of rows that are not there repeat the
        // last row, and are not stored.
        for (half, rows) in rows.chunks_exact_mut(4).enumerate() {
            let row = |k: usize| (4 * half + k).min(classes.len() - 1) * outputs;
            let places: [*const i32; 4] = std::array::from_fn(|k| sums[row(k)..].as_ptr());
            let mut top = [TopTwo { best: least, second: least }; 4];
            for first in (0..outputs).step_by(8) {
                let numbers = _mm256_sub_epi32(backwards, _mm256_set1_epi32(first as i32));
                let there = _mm256_cmpgt_epi32(_mm256_set1_epi32((outputs - first) as i32), lanes);
                for (top, place) in top.iter_mut().zip(places) {
                    // SAFETY: the mask covers what is left of the row.
                    let sums = unsafe { _mm256_maskload_epi32(place.add(first), there) };
                    let key = _mm256_add_epi32(_mm256_slli_epi32::<10>(sums), numbers);
                    let key = _mm256_blendv_epi8(least, key, there);
                    top.second = _mm256_max_epi32(top.second, _mm256_min_epi32(top.best, key));
                    top.best = _mm256_max_epi32(top.best, key);
                }
            }
            rows.copy_from_slice(&top);
        }
        // Two rows a register, then four and eight.
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
        halve!(4, _mm256_unpacklo_epi32, _mm256_unpackhi_epi32);
        halve!(2, _mm256_unpacklo_epi64, _mm256_unpackhi_epi64);
        halve!(1, _mm256_permute2x128_si256::<0x20>, _mm256_permute2x128_si256::<0x31>);
        let TopTwo { best, second } = rows[0];
        let number = _mm256_and_si256(best, _mm256_set1_epi32(1023));
        let class = _mm256_sub_epi32(_mm256_set1_epi32(1023), number);
        let margin = _mm256_sub_epi32(_mm256_srai_epi32::<10>(best), _mm256_srai_epi32::<10>(second));
        let (mut class_lanes, mut margin_lanes) = ([0u32; 8], [0u32; 8]);
        // SAFETY: eight lanes each.
        unsafe {
            _mm256_storeu_si256(class_lanes.as_mut_ptr().cast(), class);
            _mm256_storeu_si256(margin_lanes.as_mut_ptr().cast(), margin);
        }
        for (class, lane) in classes.iter_mut().zip(class_lanes) {
            *class = lane as u16;
        }
        margins.copy_from_slice(&margin_lanes[..margins.len()]);
    }
}

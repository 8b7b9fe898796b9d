//! What the processor can do at most, by kind of instruction: loops of that instruction and little else, on data
//! in the first-level cache or in registers. All on one thread.

use std::hint::black_box;

/// One limit: a name, what one call computes, and the call.
pub struct Limit {
    /// The instruction.
    pub name: &'static str,
    /// Multiply-accumulates of 4-bit weights and 4-bit inputs that one call is worth.
    pub macs: f64,
    /// The call.
    pub call: fn(),
}

/// One-bit multiply-accumulates in a 4 x 4-bit one.
const BITS: f64 = 16.0;
/// Times a call goes over its data.
const PASSES: usize = 2_000;

/// AND and population count, 64 rows a word, 64 words.
fn and_popcount() {
    let (planes, devices) = (black_box([0x5555_u64; 64]), black_box([0x3333_u64; 64]));
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "popcnt"))]
    fn pass(planes: &[u64; 64], devices: &[u64; 64]) -> u32 {
        planes.iter().zip(devices).map(|(p, d)| (p & d).count_ones()).sum()
    }
    for _ in 0..PASSES {
        // SAFETY: listed only where there is popcnt.
        black_box(unsafe { pass(black_box(&planes), &devices) });
    }
}

/// The limits that this processor has instructions for.
pub fn limits() -> Vec<Limit> {
    #[cfg(target_arch = "x86_64")]
    {
        let passes = PASSES as f64;
        let all = [
            (is_x86_feature_detected!("popcnt"), "AND + popcount, u64", 64.0 * 64.0 / BITS, and_popcount as fn()),
            (is_x86_feature_detected!("avx2"), "byte shuffle, AVX2", 64.0 * 4.0 * 32.0 / BITS, x86::shuffle_avx2),
            (
                is_x86_feature_detected!("avx512bw"),
                "byte shuffle, AVX-512",
                64.0 * 4.0 * 64.0 / BITS,
                x86::shuffle_avx512,
            ),
            (
                is_x86_feature_detected!("avx512vpopcntdq"),
                "AND + popcount, AVX-512",
                64.0 * 512.0 / BITS,
                x86::popcount_avx512,
            ),
            (is_x86_feature_detected!("avx2"), "int8 maddubs, AVX2", 64.0 * 32.0, x86::maddubs_avx2),
            (is_x86_feature_detected!("avx512vnni"), "int8 VNNI, AVX-512", 64.0 * 64.0, x86::vnni),
        ];
        all.into_iter()
            .filter(|(has, ..)| *has)
            .map(|(_, name, macs, call)| Limit { name, macs: macs * passes, call })
            .collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = and_popcount;
        Vec::new()
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::PASSES;
    use std::arch::x86_64::*;
    use std::hint::black_box;

    // Each loop reads 64 vectors of a small array, black_box'ed once a pass so that no pass is left out.
    // SAFETY of all: listed only where the processor has the feature; the arrays have 64 vectors.

    pub fn shuffle_avx2() {
        #[target_feature(enable = "avx2")]
        fn run(data: &[[u8; 32]; 64]) {
            let table = black_box(_mm256_setr_epi8(
                0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
            ));
            let mut sums = [_mm256_setzero_si256(); 8];
            for _ in 0..PASSES {
                let data = black_box(data);
                for chunk in data.as_chunks::<8>().0 {
                    for (sum, vector) in sums.iter_mut().zip(chunk) {
                        // SAFETY: a vector's bytes.
                        let index = unsafe { _mm256_loadu_si256(vector.as_ptr().cast()) };
                        *sum = _mm256_add_epi8(*sum, _mm256_shuffle_epi8(table, index));
                    }
                }
            }
            black_box(sums);
        }
        unsafe { run(&black_box([[5; 32]; 64])) }
    }

    pub fn shuffle_avx512() {
        #[target_feature(enable = "avx512bw")]
        fn run(data: &[[u8; 64]; 64]) {
            let table = black_box(_mm512_set1_epi32(0x02_01_01_00));
            let mut sums = [_mm512_setzero_si512(); 8];
            for _ in 0..PASSES {
                let data = black_box(data);
                for chunk in data.as_chunks::<8>().0 {
                    for (sum, vector) in sums.iter_mut().zip(chunk) {
                        // SAFETY: a vector's bytes.
                        let index = unsafe { _mm512_loadu_si512(vector.as_ptr().cast()) };
                        *sum = _mm512_add_epi8(*sum, _mm512_shuffle_epi8(table, index));
                    }
                }
            }
            black_box(sums);
        }
        unsafe { run(&black_box([[5; 64]; 64])) }
    }

    pub fn popcount_avx512() {
        #[target_feature(enable = "avx512f,avx512vpopcntdq")]
        fn run(data: &[[u8; 64]; 64]) {
            let plane = black_box(_mm512_set1_epi32(0x5555));
            let mut sums = [_mm512_setzero_si512(); 8];
            for _ in 0..PASSES {
                let data = black_box(data);
                for chunk in data.as_chunks::<8>().0 {
                    for (sum, vector) in sums.iter_mut().zip(chunk) {
                        // SAFETY: a vector's bytes.
                        let devices = unsafe { _mm512_loadu_si512(vector.as_ptr().cast()) };
                        *sum = _mm512_add_epi64(*sum, _mm512_popcnt_epi64(_mm512_and_si512(plane, devices)));
                    }
                }
            }
            black_box(sums);
        }
        unsafe { run(&black_box([[5; 64]; 64])) }
    }

    pub fn maddubs_avx2() {
        #[target_feature(enable = "avx2")]
        fn run(data: &[[u8; 32]; 64]) {
            let weights = black_box(_mm256_set1_epi8(3));
            let mut sums = [_mm256_setzero_si256(); 8];
            for _ in 0..PASSES {
                let data = black_box(data);
                for chunk in data.as_chunks::<8>().0 {
                    for (sum, vector) in sums.iter_mut().zip(chunk) {
                        // SAFETY: a vector's bytes.
                        let codes = unsafe { _mm256_loadu_si256(vector.as_ptr().cast()) };
                        *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(codes, weights));
                    }
                }
            }
            black_box(sums);
        }
        unsafe { run(&black_box([[5; 32]; 64])) }
    }

    pub fn vnni() {
        #[target_feature(enable = "avx512f,avx512vnni")]
        fn run(data: &[[u8; 64]; 64]) {
            let weights = black_box(_mm512_set1_epi8(3));
            let mut sums = [_mm512_setzero_si512(); 8];
            for _ in 0..PASSES {
                let data = black_box(data);
                for chunk in data.as_chunks::<8>().0 {
                    for (sum, vector) in sums.iter_mut().zip(chunk) {
                        // SAFETY: a vector's bytes.
                        let codes = unsafe { _mm512_loadu_si512(vector.as_ptr().cast()) };
                        *sum = _mm512_dpbusd_epi32(*sum, codes, weights);
                    }
                }
            }
            black_box(sums);
        }
        unsafe { run(&black_box([[5; 64]; 64])) }
    }
}

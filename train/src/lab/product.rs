//! The matrix product of the lab: single-threaded f32, the same bits on every processor.
//!
//! `C[m][n] = sum over k, ascending, of A[m][k] * B[k][n]`, every product rounded and then added, no fused multiply-add. Each
//! element's sum has that one order whatever the width of the vectors, so that wider instructions change the time alone. Zeros
//! of `A` are left out, which changes no bit while `B` is finite: most pixels of a digit and half of the outputs of a ReLU are 0.

/// Multiply `a`, `[rows][inner]`, by `b`, `[inner][columns]`, into `c`, `[rows][columns]`; all row by row.
///
/// # Panics
/// If a slice's length is not its shape's.
pub fn multiply(a: &[f32], b: &[f32], c: &mut [f32], inner: usize, columns: usize) {
    assert_eq!(b.len(), inner * columns, "b is [inner][columns]");
    assert_eq!(a.len() * columns, c.len() * inner, "a and c have the same rows");
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512F.
            return unsafe { multiply_avx512(a, b, c, inner, columns) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { multiply_avx2(a, b, c, inner, columns) };
        }
    }
    plain(a, b, c, inner, columns);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn multiply_avx512(a: &[f32], b: &[f32], c: &mut [f32], inner: usize, columns: usize) {
    plain(a, b, c, inner, columns);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn multiply_avx2(a: &[f32], b: &[f32], c: &mut [f32], inner: usize, columns: usize) {
    plain(a, b, c, inner, columns);
}

/// The body of each width; inlined, so that it is compiled once for each set of instructions.
#[inline(always)]
fn plain(a: &[f32], b: &[f32], c: &mut [f32], inner: usize, columns: usize) {
    let mut present: Vec<(f32, usize)> = Vec::with_capacity(inner);
    for (a, c) in a.chunks_exact(inner).zip(c.chunks_exact_mut(columns)) {
        present.clear();
        present
            .extend(a.iter().enumerate().filter(|(_, value)| **value != 0.0).map(|(k, value)| (*value, k * columns)));
        let mut at = 0;
        while at < columns {
            at += match columns - at {
                64.. => strip::<64>(&present, b, c, at),
                32.. => strip::<32>(&present, b, c, at),
                16.. => strip::<16>(&present, b, c, at),
                8.. => strip::<8>(&present, b, c, at),
                4.. => strip::<4>(&present, b, c, at),
                _ => strip::<1>(&present, b, c, at),
            };
        }
    }
}

/// So many columns of a row from column `at` on; gives their number.
#[inline(always)]
fn strip<const WIDTH: usize>(present: &[(f32, usize)], b: &[f32], c: &mut [f32], at: usize) -> usize {
    let mut sums = [0.0f32; WIDTH];
    for (value, start) in present {
        let row: &[f32; WIDTH] = b[start + at..start + at + WIDTH].try_into().expect("so many columns are left");
        for (sum, weight) in sums.iter_mut().zip(row) {
            *sum += value * weight;
        }
    }
    c[at..at + WIDTH].copy_from_slice(&sums);
    WIDTH
}

/// `[rows][columns]` as `[columns][rows]`.
pub fn transpose(a: &[f32], columns: usize, out: &mut Vec<f32>) {
    let rows = a.len() / columns;
    out.clear();
    out.resize(a.len(), 0.0);
    for (row, values) in a.chunks_exact(columns).enumerate() {
        for (column, value) in values.iter().enumerate() {
            out[column * rows + row] = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitline_golden::random::stream;
    use proptest::prelude::*;
    use rand_chacha::rand_core::RngCore;

    proptest! {
        #[test]
        fn every_width_gives_the_bits_of_the_plain_sum(rows in 1usize..5, inner in 1usize..70, columns in 1usize..140, seed in 0u64..1000) {
            let mut random = stream("lab product test", seed);
            let mut draw = |n: usize| -> Vec<f32> {
                (0..n).map(|_| {
                    let word = random.next_u32();
                    if word.is_multiple_of(3) { 0.0 } else { word as i32 as f32 * 1e-9 }
                }).collect()
            };
            let (a, b) = (draw(rows * inner), draw(inner * columns));
            let mut c = vec![f32::NAN; rows * columns];
            multiply(&a, &b, &mut c, inner, columns);
            let mut narrow = vec![f32::NAN; rows * columns];
            plain(&a, &b, &mut narrow, inner, columns);
            for row in 0..rows {
                for column in 0..columns {
                    let mut sum = 0.0f32;
                    for k in 0..inner {
                        sum += a[row * inner + k] * b[k * columns + column];
                    }
                    prop_assert_eq!(c[row * columns + column].to_bits(), sum.to_bits());
                    prop_assert_eq!(narrow[row * columns + column].to_bits(), sum.to_bits());
                }
            }
        }
    }

    #[test]
    fn transposed_twice_is_itself() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let (mut b, mut c) = (Vec::new(), Vec::new());
        transpose(&a, 3, &mut b);
        assert_eq!(b, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        transpose(&b, 2, &mut c);
        assert_eq!(c, a);
    }
}

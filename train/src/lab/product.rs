//! The matrix product of the lab: single-threaded f32, the same bits on every processor.
//!
//! `C[m][n] = sum over k, ascending, of A[m][k] * B[k][n]`, every product rounded and then added, no fused multiply-add. Each
//! element's sum has that one order whatever the width of the vectors, so that wider instructions change the time alone. Zeros
//! of `A` are left out, which changes no bit while `B` is finite: most pixels of a digit and half of the outputs of a ReLU are 0.

use std::ops::AddAssign;

/// A loop that [`widest`] compiles for several sets of instructions; `run` is `#[inline(always)]`. Without fused multiply-add,
/// and with sums in an order of their own, its bits are the same in each.
pub(super) trait Vectored {
    /// What it gives.
    type Output;
    /// Run it.
    fn run(self) -> Self::Output;
}

/// Run a loop with the widest vectors of this processor.
pub(super) fn widest<B: Vectored>(body: B) -> B::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512F.
            return unsafe { with_avx512(body) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { with_avx2(body) };
        }
    }
    body.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn with_avx512<B: Vectored>(body: B) -> B::Output {
    body.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<B: Vectored>(body: B) -> B::Output {
    body.run()
}

/// Multiply `a`, `[rows][inner]`, by `b`, `[inner][columns]`, into `c`, `[rows][columns]`; all row by row.
///
/// # Panics
/// If a slice's length is not its shape's.
pub fn multiply(a: &[f32], b: &[f32], c: &mut [f32], inner: usize, columns: usize) {
    assert_eq!(b.len(), inner * columns, "b is [inner][columns]");
    assert_eq!(a.len() * columns, c.len() * inner, "a and c have the same rows");
    widest(Product { a, b, c, inner, columns });
}

struct Product<'a> {
    a: &'a [f32],
    b: &'a [f32],
    c: &'a mut [f32],
    inner: usize,
    columns: usize,
}

impl Vectored for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { a, b, c, inner, columns } = self;
        if columns.is_multiple_of(LANES) {
            return whole_lanes(a, b, c, inner, (columns, columns));
        }
        // A row that fills its last vector costs less than the remainder column by column.
        let stride = columns.next_multiple_of(LANES);
        let mut padded = vec![0.0; inner * stride];
        for (row, b) in padded.chunks_exact_mut(stride).zip(b.chunks_exact(columns)) {
            row[..columns].copy_from_slice(b);
        }
        whole_lanes(a, &padded, c, inner, (columns, stride));
    }
}

/// Columns that a strip's width is a multiple of.
const LANES: usize = 16;

/// The product where `b` has rows of `stride` columns, of which `c` takes the first `columns`.
#[inline(always)]
fn whole_lanes(a: &[f32], b: &[f32], c: &mut [f32], inner: usize, (columns, stride): (usize, usize)) {
    let mut list = vec![(0.0f32, 0usize); inner];
    for (a, c) in a.chunks_exact(inner).zip(c.chunks_exact_mut(columns)) {
        // Without a branch, which no processor would guess.
        let mut count = 0;
        for (k, value) in a.iter().enumerate() {
            list[count] = (*value, k * stride);
            count += usize::from(*value != 0.0);
        }
        let present = &list[..count];
        let mut at = 0;
        while at < stride {
            at += match stride - at {
                16 => strip::<16>(present, b, c, at),
                32 => strip::<32>(present, b, c, at),
                48 => strip::<48>(present, b, c, at),
                80 => strip::<80>(present, b, c, at),
                96 => strip::<96>(present, b, c, at),
                112 => strip::<112>(present, b, c, at),
                _ => strip::<64>(present, b, c, at),
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
    let end = c.len().min(at + WIDTH);
    c[at..end].copy_from_slice(&sums[..end - at]);
    WIDTH
}

/// `[rows][columns]` as `[columns][rows]`.
pub fn transpose(a: &[f32], columns: usize, out: &mut Vec<f32>) {
    let rows = a.len() / columns;
    out.clear();
    out.resize(a.len(), 0.0);
    // In blocks, so that the lines written stay in the cache until they are full.
    for first in (0..columns).step_by(LANES) {
        for (row, values) in a.chunks_exact(columns).enumerate() {
            for (column, value) in values.iter().enumerate().skip(first).take(LANES) {
                out[column * rows + row] = *value;
            }
        }
    }
}

/// The sum of each column over the rows, in their order, of a function of place and column; so many places, row by row.
pub(super) fn column_sums<T: Copy + Default + AddAssign>(
    places: usize,
    columns: usize,
    of: impl Fn(usize, usize) -> T,
) -> Vec<T> {
    let mut sums = vec![T::default(); columns];
    for first in (0..places).step_by(columns) {
        sums.iter_mut().enumerate().for_each(|(column, sum)| *sum += of(first + column, column));
    }
    sums
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
            Product { a: &a, b: &b, c: &mut narrow, inner, columns }.run();
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

//! Quantizers of weights: levels between two ends, and the rounding to them.
//!
//! * `uniform-asymm` (S003 2.1): `min + k (max - min) / (2^b - 1)`, k = 0..=2^b - 1; the global range is [-1, 1].
//! * `uniform-symm` (S003 2.2): `k max|w| / (2^(b-1) - 1)`, k = -(2^(b-1) - 1)..=2^(b-1) - 1; globally max|w| = 1.
//! * `eq2` (S001 Eq. 2): `k s`, k = -2^(b-1)..=2^(b-1) - 1, with the scale factor s = max|w| / 2^(b-1); globally max|w| = 1.
//! * `levels`: a table; globally as it is, locally times max|w| / its largest magnitude.
//!
//! To the nearest; halfway goes up in `uniform-asymm` and tables, away from zero in the others. Beyond the ends it saturates.
//! The order with noise: quantized first, noise after, as a programmed device deviates from its level.

use super::product::{Vectored, widest};
use crate::TrainError;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use serde::{Deserialize, Serialize};

/// Which levels there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantizer {
    /// S003 2.1.
    UniformAsymm,
    /// S003 2.2.
    UniformSymm,
    /// S001 Eq. 2.
    Eq2,
    /// [`Quantization::levels`].
    Levels,
}

/// Where the ends of the levels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// [-1, 1] in every layer.
    Global,
    /// The layer's own least and largest weight, each time that it is quantized.
    Local,
}

/// Where the weights live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// On levels: rounded to the nearest after every update, as in S003.
    InPlace,
    /// On levels: rounded up or down after every update, so that the mean is the updated weight.
    InPlaceStochastic,
    /// In full precision; forward and backward use the nearest level (straight-through estimator).
    Latent,
}

/// How a network's weights are quantized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantization {
    /// Which levels there are.
    pub quantizer: Quantizer,
    /// Bits of a weight, 2..=8; of no meaning with a table.
    pub bits: usize,
    /// Where their ends are.
    pub range: Range,
    /// Where the weights live.
    pub storage: Storage,
    /// The table of [`Quantizer::Levels`], rising.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<f32>,
}

impl Quantization {
    /// Refuse bits and tables that cannot be.
    ///
    /// # Errors
    /// [`TrainError::Config`].
    pub fn check(&self) -> Result<(), TrainError> {
        let fail =
            |field, value, limit: &str, remedy| Err(TrainError::Config { field, value, limit: limit.into(), remedy });
        if !(2..=8).contains(&self.bits) {
            return fail("bits", self.bits.to_string(), "2..=8", "use 2 to 8");
        }
        let is_table = self.quantizer == Quantizer::Levels;
        let rises = self.levels.len() >= 2
            && self.levels.iter().all(|level| level.is_finite())
            && self.levels.windows(2).all(|pair| pair[0] < pair[1]);
        if is_table != rises {
            let value = format!("{:?}", self.levels);
            return fail(
                "levels",
                value,
                "2 or more rising numbers with quantizer = levels, none without",
                "write the table, or another quantizer",
            );
        }
        Ok(())
    }

    /// The levels for a layer of these weights, rising.
    pub fn table(&self, weights: &[f32]) -> Vec<f32> {
        let local = self.range == Range::Local;
        let (mut least, mut largest) = (-1.0f32, 1.0f32);
        if local {
            (least, largest) = widest(Ends(weights));
        }
        let magnitude = largest.max(-least);
        let half = 1i32 << (self.bits - 1);
        match self.quantizer {
            Quantizer::UniformAsymm => {
                let last = 2 * half - 1;
                let span = largest - least;
                (0..=last).map(|k| if k == last { largest } else { least + span * k as f32 / last as f32 }).collect()
            }
            Quantizer::UniformSymm => (1 - half..half).map(|k| magnitude * k as f32 / (half - 1) as f32).collect(),
            Quantizer::Eq2 => (-half..half).map(|k| magnitude * k as f32 / half as f32).collect(),
            Quantizer::Levels if local => {
                let end = self.levels.iter().fold(0.0f32, |end, level| end.max(level.abs()));
                self.levels.iter().map(|level| level * (magnitude / end)).collect()
            }
            Quantizer::Levels => self.levels.clone(),
        }
    }

    /// Round weights to the nearest level.
    pub fn nearest(&self, weights: &mut [f32]) {
        let table = self.table(weights);
        let away = matches!(self.quantizer, Quantizer::UniformSymm | Quantizer::Eq2);
        // Infinite weights have given a table that does not rise; a search and a pass over it would differ.
        if table.len() <= PASS && table.iter().all(|level| level.is_finite()) {
            widest(Nearest { table: &table, away, weights });
        } else {
            for weight in weights {
                *weight = nearer(neighbours(&table, *weight), *weight, away);
            }
        }
    }

    /// Round weights up or down to one of the two levels beside them, the nearer the likelier; the mean is the weight, saturated.
    pub fn stochastic(&self, weights: &mut [f32], random: &mut ChaCha8Rng) {
        let table = self.table(weights);
        for weight in weights {
            let (low, high) = neighbours(&table, *weight);
            let place = (weight.clamp(low, high) - low) / (high - low);
            let drawn = (random.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
            *weight = if high > low && drawn < place { high } else { low };
        }
    }
}

/// The nearer of two levels; halfway the higher one, or with `away` the one further from 0.
#[inline(always)]
fn nearer((low, high): (f32, f32), weight: f32, away: bool) -> f32 {
    let (below, above) = (weight - low, high - weight);
    // Without a branch, as nothing foretells which it is.
    let up = (above < below) | ((above == below) & !(away & (weight < 0.0)));
    if up { high } else { low }
}

/// [`Quantization::nearest`]: each level in turn is taken for the lower one while it is not above the weight, from the other end for the
/// higher one while it is. It gives the levels of [`neighbours`], for as many weights at once as a vector holds.
struct Nearest<'a> {
    table: &'a [f32],
    away: bool,
    weights: &'a mut [f32],
}

/// Weights that [`Nearest`] and [`Ends`] take at once.
const LANES: usize = 16;
/// Levels up to which a pass over them is faster than a search for each weight; measured, where 127 take two thirds of its time.
const PASS: usize = 127;

impl Vectored for Nearest<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { table, away, weights } = self;
        let (chunks, rest) = weights.as_chunks_mut::<LANES>();
        for chunk in chunks {
            // By index, and of a copy: with iterators the arrays do not stay in registers.
            let own = *chunk;
            let (mut low, mut high) = ([table[0]; LANES], [table[table.len() - 1]; LANES]);
            for level in table {
                for i in 0..LANES {
                    low[i] = if *level <= own[i] { *level } else { low[i] };
                }
            }
            for level in table.iter().rev() {
                for i in 0..LANES {
                    high[i] = if *level > own[i] { *level } else { high[i] };
                }
            }
            for i in 0..LANES {
                chunk[i] = nearer((low[i], high[i]), own[i], away);
            }
        }
        for weight in rest {
            *weight = nearer(neighbours(table, *weight), *weight, away);
        }
    }
}

/// The least and the largest of some weights; infinite, the other way round, where there are none.
struct Ends<'a>(&'a [f32]);

impl Vectored for Ends<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn run(self) -> (f32, f32) {
        let (mut least, mut largest) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                least[i] = if chunk[i] < least[i] { chunk[i] } else { least[i] };
                largest[i] = if chunk[i] > largest[i] { chunk[i] } else { largest[i] };
            }
        }
        for weight in rest {
            (least[0], largest[0]) = (least[0].min(*weight), largest[0].max(*weight));
        }
        (least.into_iter().fold(f32::INFINITY, f32::min), largest.into_iter().fold(f32::NEG_INFINITY, f32::max))
    }
}

/// The levels on both sides of a weight; a level itself is the lower one, and beyond the ends both are the end.
fn neighbours(table: &[f32], weight: f32) -> (f32, f32) {
    let above = table.partition_point(|level| *level <= weight);
    (table[above.saturating_sub(1)], table[above.min(table.len() - 1)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitline_golden::random::stream;
    use proptest::prelude::*;
    use rand_chacha::rand_core::RngCore;

    fn made(quantizer: Quantizer, bits: usize, range: Range) -> Quantization {
        Quantization { quantizer, bits, range, storage: Storage::InPlace, levels: Vec::new() }
    }

    /// S003's integers, written as its equations are.
    fn s003(x: f32, least: f32, largest: f32, bits: i32, symmetric: bool) -> f64 {
        let (x, least, largest) = (f64::from(x), f64::from(least), f64::from(largest));
        if symmetric {
            let (steps, end) = (2f64.powi(bits - 1) - 1.0, largest.abs().max(least.abs()));
            (x * steps / end).round() * end / steps
        } else {
            let steps = 2f64.powi(bits) - 1.0;
            ((x - least) * steps / (largest - least)).round() * (largest - least) / steps + least
        }
    }

    proptest! {
        #[test]
        fn local_levels_are_those_of_s003(bits in 2usize..=8, values in proptest::collection::vec(-3.0f32..3.0, 3..40)) {
            let (least, largest) = values.iter().fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
            prop_assume!(largest - least > 0.1);
            for (quantizer, symmetric) in [(Quantizer::UniformAsymm, false), (Quantizer::UniformSymm, true)] {
                let mut rounded = values.clone();
                made(quantizer, bits, Range::Local).nearest(&mut rounded);
                let step = f64::from(largest - least) / 2f64.powi(bits as i32);
                for (x, q) in values.iter().zip(&rounded) {
                    let expected = s003(*x, least, largest, bits as i32, symmetric);
                    // Next to halfway, f32 and f64 may choose differently; both are as near.
                    let as_near = ((f64::from(*q) - f64::from(*x)).abs() - (expected - f64::from(*x)).abs()).abs() < 1e-5;
                    prop_assert!((f64::from(*q) - expected).abs() < 1e-5 || as_near, "{} {} {} {}", x, q, expected, step);
                }
            }
        }

        #[test]
        fn quantized_again_is_itself(bits in 2usize..=8, values in proptest::collection::vec(-3.0f32..3.0, 3..40)) {
            for quantizer in [Quantizer::UniformAsymm, Quantizer::UniformSymm, Quantizer::Eq2] {
                let q = made(quantizer, bits, Range::Global);
                let mut once = values.clone();
                q.nearest(&mut once);
                let mut twice = once.clone();
                q.nearest(&mut twice);
                prop_assert_eq!(&once, &twice);
                q.stochastic(&mut twice, &mut stream("t", 1));
                prop_assert_eq!(&once, &twice);
                let table = q.table(&[]);
                prop_assert!(once.iter().all(|w| table.contains(w)));
            }
        }
    }

    #[test]
    fn global_tables_are_written_out() {
        assert_eq!(made(Quantizer::UniformSymm, 2, Range::Global).table(&[]), [-1.0, 0.0, 1.0]);
        assert_eq!(made(Quantizer::Eq2, 2, Range::Global).table(&[]), [-1.0, -0.5, 0.0, 0.5]);
        assert_eq!(
            made(Quantizer::UniformAsymm, 2, Range::Global).table(&[]),
            [-1.0, -1.0 + 2.0 / 3.0, -1.0 + 4.0 / 3.0, 1.0]
        );
    }

    #[test]
    fn uneven_table_rounds_to_the_nearest_level() {
        let mut q = made(Quantizer::Levels, 2, Range::Global);
        q.levels = vec![-1.0, -0.2, 0.1, 0.9];
        let mut weights = vec![-9.0, -0.59, -0.61, 0.0, 0.51, 0.49, 2.0];
        q.nearest(&mut weights);
        assert_eq!(weights, [-1.0, -0.2, -1.0, 0.1, 0.9, 0.1, 0.9]);
        q.levels = vec![0.0];
        assert!(q.check().unwrap_err().to_string().starts_with("levels is [0.0], must be 2 or more rising"));
    }

    #[test]
    fn vectors_round_as_one_weight_after_the_other() {
        let mut random = stream("lab nearest test", 0);
        let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| random.next_u32() as i32 as f32 * 1e-9).collect() };
        let uneven = vec![-1.0, -0.494949, -0.2, 0.0, 0.05, 0.9];
        for count in [1, 63, 64, 65, 1000] {
            for (quantizer, bits) in [
                (Quantizer::UniformSymm, 2),
                (Quantizer::UniformAsymm, 3),
                (Quantizer::Eq2, 4),
                (Quantizer::UniformSymm, 7),
                (Quantizer::UniformSymm, 8),
                (Quantizer::Levels, 2),
            ] {
                for range in [Range::Global, Range::Local] {
                    let levels = if quantizer == Quantizer::Levels { uneven.clone() } else { Vec::new() };
                    let q = Quantization { levels, ..made(quantizer, bits, range) };
                    let mut weights = draw(count);
                    let table = q.table(&weights);
                    // Levels, and places halfway between two, are where a rule of rounding shows.
                    for (place, weight) in weights.iter_mut().enumerate().filter(|(place, _)| place % 3 > 0) {
                        let (one, next) = (table[place % table.len()], table[(place + 1) % table.len()]);
                        *weight = if place % 3 == 1 { one } else { (one + next) / 2.0 };
                    }
                    let away = matches!(quantizer, Quantizer::UniformSymm | Quantizer::Eq2);
                    let table = q.table(&weights);
                    let bits = |weight: &f32| weight.to_bits();
                    let expected: Vec<u32> =
                        weights.iter().map(|w| nearer(neighbours(&table, *w), *w, away).to_bits()).collect();
                    q.nearest(&mut weights);
                    assert_eq!(weights.iter().map(bits).collect::<Vec<_>>(), expected, "{q:?} {count}");
                }
            }
        }
    }

    #[test]
    fn ends_are_those_of_a_fold_and_without_weights_there_are_none() {
        let weights: Vec<f32> = (0..200).map(|i| ((i * 37) % 101) as f32 - 50.0).collect();
        for count in [1, 5, 64, 130, 200] {
            let own = &weights[..count];
            let expected = (own.iter().copied().fold(f32::MAX, f32::min), own.iter().copied().fold(f32::MIN, f32::max));
            assert_eq!(widest(Ends(own)), expected);
        }
        assert_eq!(widest(Ends(&[])), (f32::INFINITY, f32::NEG_INFINITY));
    }

    #[test]
    fn stochastic_rounding_is_unbiased() {
        let q = made(Quantizer::UniformSymm, 3, Range::Global);
        for weight in [-0.9f32, -0.2, 0.05, 0.3, 0.7] {
            let mut many = vec![weight; 40_000];
            q.stochastic(&mut many, &mut stream("lab rounding test", 3));
            let mean = many.iter().map(|w| f64::from(*w)).sum::<f64>() / 40_000.0;
            // Five standard errors: a step of 1/3 has a standard deviation of 1/6 at most.
            assert!((mean - f64::from(weight)).abs() < 5.0 / 6.0 / 200.0, "{weight} {mean}");
        }
    }
}

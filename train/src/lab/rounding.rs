//! Rounding of weights to the levels of a table: what a quantizer does at every step, in vectors.
//!
//! A weight lies between two levels, `low <= weight < high`; a level itself is the lower one, and beyond the ends both are the end.
//! Three ways find them, and give the same bits: few levels are compared one after another, evenly spaced ones are found by a
//! division, which may be off by one, and two comparisons; others by bisection.

use super::product::{Vectored, widest};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// Levels that are compared one after another.
const FEW: usize = 16;

/// Entries of a table that is padded with NaN, below which no weight is: more than the 256 levels of 8 bits, a power of two.
const PADDED: usize = 512;

/// Weights that [`ends`] looks at side by side.
const LANES: usize = 16;

/// Weights that are rounded to one draw of numbers at random.
const AT_ONCE: usize = 1024;

/// How the levels beside a weight are found.
enum Search {
    Few,
    Even { table: Box<[f32; PADDED]>, per_step: f32 },
    Bisection,
}

impl Search {
    /// `is_even`: the levels are evenly spaced, up to their rounding to f32.
    fn of(levels: &[f32], is_even: bool) -> Self {
        let last = levels.len() - 1;
        let span = levels[last] - levels[0];
        if !span.is_finite() {
            // Of weights without bounds: such a table does not rise, and each way would find something else.
            Self::Bisection
        } else if levels.len() <= FEW {
            Self::Few
        } else if is_even && levels.len() < PADDED && span > f32::MIN_POSITIVE * 1e6 {
            let mut table = Box::new([f32::NAN; PADDED]);
            table[..levels.len()].copy_from_slice(levels);
            Self::Even { table, per_step: last as f32 / span }
        } else {
            Self::Bisection
        }
    }
}

/// A rounding of one weight that has `low` and `high` beside it.
trait Round {
    fn round(&self, index: usize, weight: f32, low: f32, high: f32) -> f32;
}

struct Rounding<'a, R> {
    levels: &'a [f32],
    search: &'a Search,
    weights: &'a mut [f32],
    round: R,
}

impl<R: Round> Vectored for Rounding<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { levels, search, weights, round } = self;
        let last = levels.len() - 1;
        match search {
            Search::Few => {
                let mut pairs = [(0.0f32, 0.0f32); FEW];
                for (index, pair) in pairs.iter_mut().enumerate() {
                    *pair = (levels[index.min(last)], levels[(index + 1).min(last)]);
                }
                for (index, weight) in weights.iter_mut().enumerate() {
                    let (mut low, mut high) = (levels[0], levels[0]);
                    for (level, next) in pairs {
                        let is_above = level <= *weight;
                        low = if is_above { level } else { low };
                        high = if is_above { next } else { high };
                    }
                    *weight = round.round(index, *weight, low, high);
                }
            }
            Search::Even { table, per_step } => {
                let (least, end) = (levels[0], last as f32);
                for (index, weight) in weights.iter_mut().enumerate() {
                    let guess = ((*weight - least) * per_step).clamp(0.0, end) as i32 as usize + 1;
                    let guess = guess + usize::from(table[guess % PADDED] <= *weight);
                    let above = guess - usize::from(table[(guess - 1) % PADDED] > *weight);
                    let (low, high) = (table[above.saturating_sub(1) % PADDED], table[above.min(last) % PADDED]);
                    *weight = round.round(index, *weight, low, high);
                }
            }
            Search::Bisection => {
                for (index, weight) in weights.iter_mut().enumerate() {
                    let above = levels.partition_point(|level| *level <= *weight);
                    let (low, high) = (levels[above.saturating_sub(1)], levels[above.min(last)]);
                    *weight = round.round(index, *weight, low, high);
                }
            }
        }
    }
}

struct Nearest {
    away: bool,
}

impl Round for Nearest {
    #[inline(always)]
    fn round(&self, _: usize, weight: f32, low: f32, high: f32) -> f32 {
        let (below, above) = (weight - low, high - weight);
        let up = (above < below) | ((above == below) & !(self.away & (weight < 0.0)));
        if up { high } else { low }
    }
}

struct Drawn<'a> {
    words: &'a [u32; AT_ONCE],
}

impl Round for Drawn<'_> {
    #[inline(always)]
    fn round(&self, index: usize, weight: f32, low: f32, high: f32) -> f32 {
        let place = (weight.max(low).min(high) - low) / (high - low);
        let drawn = (self.words[index % AT_ONCE] >> 8) as f32 / (1u32 << 24) as f32;
        if (high > low) & (drawn < place) { high } else { low }
    }
}

/// Round weights to the nearest of the levels, which rise; halfway goes up, or with `away` away from zero.
pub(super) fn nearest(levels: &[f32], is_even: bool, away: bool, weights: &mut [f32]) {
    let search = &Search::of(levels, is_even);
    widest(Rounding { levels, search, weights, round: Nearest { away } });
}

/// Round weights to one of the two levels beside them, by one word of `random` each, so that the mean is the weight, saturated.
pub(super) fn stochastic(levels: &[f32], is_even: bool, weights: &mut [f32], random: &mut ChaCha8Rng) {
    let search = &Search::of(levels, is_even);
    let mut words = [0u32; AT_ONCE];
    for weights in weights.chunks_mut(AT_ONCE) {
        words[..weights.len()].iter_mut().for_each(|word| *word = random.next_u32());
        widest(Rounding { levels, search, weights, round: Drawn { words: &words } });
    }
}

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

/// The least and the largest of some weights; infinite, the other way round, where there are none.
pub(super) fn ends(weights: &[f32]) -> (f32, f32) {
    widest(Ends(weights))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitline_golden::random::stream;
    use proptest::prelude::*;
    use rand_chacha::rand_core::RngCore;

    /// As the module's text says it.
    fn neighbours(levels: &[f32], weight: f32) -> (f32, f32) {
        let above = levels.partition_point(|level| *level <= weight);
        (levels[above.saturating_sub(1)], levels[above.min(levels.len() - 1)])
    }

    fn plain_nearest(levels: &[f32], away: bool, weight: f32) -> f32 {
        let (low, high) = neighbours(levels, weight);
        let (below, above) = (weight - low, high - weight);
        if above < below || (above == below && !(away && weight < 0.0)) { high } else { low }
    }

    fn plain_stochastic(levels: &[f32], weight: f32, random: &mut ChaCha8Rng) -> f32 {
        let (low, high) = neighbours(levels, weight);
        let place = (weight.max(low).min(high) - low) / (high - low);
        let drawn = (random.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
        if high > low && drawn < place { high } else { low }
    }

    fn bits(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
        values.into_iter().map(f32::to_bits).collect()
    }

    /// Levels, weights on, halfway between, one ulp beside and beyond them, and anywhere.
    fn hold(levels: &[f32], is_even: bool, more: &[f32], seed: u64) {
        let mut weights: Vec<f32> = more.to_vec();
        for pair in levels.windows(2) {
            for weight in [pair[0], (pair[0] + pair[1]) / 2.0, pair[1]] {
                weights.extend([weight, weight.next_up(), weight.next_down()]);
            }
        }
        weights.extend([f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 0.0, -0.0, f32::MIN_POSITIVE, 9e30]);
        for away in [false, true] {
            let mut rounded = weights.clone();
            nearest(levels, is_even, away, &mut rounded);
            assert_eq!(bits(rounded), bits(weights.iter().map(|weight| plain_nearest(levels, away, *weight))));
        }
        let mut rounded = weights.clone();
        stochastic(levels, is_even, &mut rounded, &mut stream("rounding", seed));
        let mut random = stream("rounding", seed);
        assert_eq!(bits(rounded), bits(weights.iter().map(|weight| plain_stochastic(levels, *weight, &mut random))));
    }

    proptest! {
        #[test]
        fn even_levels_give_the_bits_of_a_bisection(
            width in 1usize..=8, ends in (-4.0f32..4.0, 1e-6f32..8.0), more in proptest::collection::vec(-9.0f32..9.0, 1500), seed: u64
        ) {
            let (least, last) = (ends.0, (1 << width) - 1);
            let levels: Vec<f32> = (0..=last).map(|k| least + ends.1 * k as f32 / last as f32).collect();
            prop_assume!(levels.windows(2).all(|pair| pair[0] < pair[1]));
            hold(&levels, true, &more, seed);
        }

        #[test]
        fn uneven_levels_give_the_bits_of_a_bisection(
            mut levels in proptest::collection::vec(-4.0f32..4.0, 2..40), more in proptest::collection::vec(-9.0f32..9.0, 40), seed: u64
        ) {
            levels.sort_by(f32::total_cmp);
            levels.dedup();
            hold(&levels, false, &more, seed);
        }
    }

    /// A layer of zeros has a table of zeros, of both signs.
    #[test]
    fn levels_that_are_all_one_give_the_bits_of_a_bisection() {
        let zeros: Vec<f32> = (-31..32).map(|k| 0.0 * k as f32 / 31.0).collect();
        hold(&zeros, true, &[0.0, -0.0, 1.0], 7);
        hold(&[0.25; 256], true, &[0.25, 0.0, 1.0], 8);
    }

    #[test]
    fn ends_are_those_of_a_fold_and_without_weights_there_are_none() {
        let weights: Vec<f32> = (0..200).map(|i| ((i * 37) % 101) as f32 - 50.0).collect();
        for count in [1, 5, 64, 130, 200] {
            let own = &weights[..count];
            let expected = (own.iter().copied().fold(f32::MAX, f32::min), own.iter().copied().fold(f32::MIN, f32::max));
            assert_eq!(ends(own), expected);
        }
        assert_eq!(ends(&[]), (f32::INFINITY, f32::NEG_INFINITY));
    }
}

//! Counting pairs of cells, and the bits that a network needs.

use super::grid::{Grid, Place};
use super::runs::Cell;
use super::s003::BITS;

/// Cells compared two by two. A cell whose runs all diverged loses to one with a result; two such are a tie.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pairs {
    /// Pairs in which the first is better.
    pub better: usize,
    /// Pairs in which the second is better.
    pub worse: usize,
    /// Pairs that are equal.
    pub equal: usize,
    /// Pairs in which both have a result and are at most [`NEAR_POINTS`] apart.
    pub near: usize,
    /// Pairs in which one or both diverged.
    pub diverged: usize,
    /// Sum of the differences, first less second, of the pairs that have both.
    sum: f64,
}

/// Two accuracies at most so far apart count as the same, in points.
pub const NEAR_POINTS: f64 = 1.0;
/// A network is usable at so many bits if it loses at most this to its full precision, in points.
pub const USABLE_POINTS: f64 = 5.0;
/// Full precision below this is no result to lose anything from, in percent.
pub const LEAST_PERCENT: f64 = 50.0;

impl Pairs {
    /// Count a pair.
    pub fn add(&mut self, first: Option<f64>, second: Option<f64>) {
        let order = match (first, second) {
            (Some(a), Some(b)) => {
                self.sum += a - b;
                self.near += usize::from((a - b).abs() <= NEAR_POINTS);
                a.total_cmp(&b)
            }
            (a, b) => {
                self.diverged += 1;
                a.is_some().cmp(&b.is_some())
            }
        };
        match order {
            std::cmp::Ordering::Greater => self.better += 1,
            std::cmp::Ordering::Less => self.worse += 1,
            std::cmp::Ordering::Equal => self.equal += 1,
        }
    }

    /// All pairs.
    pub fn count(&self) -> usize {
        self.better + self.worse + self.equal
    }

    /// Mean difference in points, first less second, of the pairs that have both.
    pub fn mean(&self) -> Option<f64> {
        let both = self.count() - self.diverged;
        (both > 0).then(|| self.sum / both as f64)
    }

    /// A part of the pairs, in percent.
    pub fn share(&self, part: usize) -> f64 {
        part as f64 * 100.0 / self.count().max(1) as f64
    }

    /// Count pairs of cells of which both are recorded.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (Option<&'a Cell>, Option<&'a Cell>)>) -> Self {
        let mut counted = Self::default();
        for (first, second) in pairs.into_iter().filter_map(|(a, b)| a.zip(b)) {
            counted.add(first.mean(), second.mean());
        }
        counted
    }
}

/// How few bits a network can do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// So many: it is usable with these and with every larger number up to 8.
    Bits(usize),
    /// It is not usable at 8 bits.
    More,
    /// Full precision is below [`LEAST_PERCENT`] or diverged.
    NoResult,
    /// A cell that decides is missing.
    Missing,
}

/// The bits that a network needs, all else as in `place` (whose own bits are not looked at).
pub fn needed(grid: &Grid, place: &Place) -> Needed {
    let Some(full) = grid.full(place.data_set, place.hidden, place.algorithm) else { return Needed::Missing };
    let Some(full) = full.mean().filter(|mean| *mean >= LEAST_PERCENT) else { return Needed::NoResult };
    let mut least = Needed::More;
    for bits in BITS.into_iter().rev() {
        let Some(cell) = grid.quantized(&Place { bits, ..*place }) else { return Needed::Missing };
        if cell.mean().is_none_or(|mean| mean < full - USABLE_POINTS) {
            break;
        }
        least = Needed::Bits(bits);
    }
    least
}

/// Median of the bits needed, 9 standing for more than 8; of none, none. Of an even number, the lower of the middle two.
pub fn median(all: &[Needed]) -> Option<usize> {
    let number = |needed: &Needed| match needed {
        Needed::Bits(bits) => Some(*bits),
        Needed::More => Some(BITS[BITS.len() - 1] + 1),
        Needed::NoResult | Needed::Missing => None,
    };
    let mut numbers: Vec<usize> = all.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers.get(numbers.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_count_a_diverged_cell_as_the_worse_one() {
        let mut pairs = Pairs::default();
        for (a, b) in [(Some(90.0), Some(89.5)), (Some(80.0), Some(90.0)), (Some(10.0), None), (None, None)] {
            pairs.add(a, b);
        }
        assert_eq!((pairs.better, pairs.worse, pairs.equal, pairs.near, pairs.diverged), (2, 1, 1, 1, 2));
        assert_eq!(pairs.mean(), Some(-4.75));
        assert_eq!(pairs.share(pairs.better), 50.0);
        assert_eq!(Pairs::default().mean(), None);
    }

    #[test]
    fn median_takes_more_than_eight_for_nine_and_leaves_out_what_is_unknown() {
        let all = [Needed::More, Needed::Bits(4), Needed::Missing, Needed::Bits(6), Needed::NoResult];
        assert_eq!(median(&all), Some(6));
        assert_eq!(median(&[Needed::More, Needed::Bits(2)]), Some(2));
        assert_eq!(median(&[Needed::Missing]), None);
    }
}

//! Quantizers of weights: levels between two ends, and the rounding to them.
//!
//! * `uniform-asymm` (S003 2.1): `min + k (max - min) / (2^b - 1)`, k = 0..=2^b - 1; the global range is [-1, 1].
//! * `uniform-symm` (S003 2.2): `k max|w| / (2^(b-1) - 1)`, k = -(2^(b-1) - 1)..=2^(b-1) - 1; globally max|w| = 1.
//! * `eq2` (S001 Eq. 2): `k s`, k = -2^(b-1)..=2^(b-1) - 1, with the scale factor s = max|w| / 2^(b-1); globally max|w| = 1.
//! * `sign`: -1 below 0 and 1 from 0 on; locally times the mean |w| of the output unit (XNOR-Net, Rastegari et al. 2016, Eq. 6).
//! * `bin-ws`: the sign after each unit's mean is taken off (S002's BinWsConv, Eq. 3 and 4); globally only.
//! * `levels`: a table; globally as it is, locally times max|w| / its largest magnitude.
//!
//! To the nearest; halfway goes up in `uniform-asymm` and tables, away from zero in the others. Beyond the ends it saturates.
//! The order with noise: quantized first, noise after, as a programmed device deviates from its level.

use super::{binary, rounding};
use crate::TrainError;
use crate::error::refuse;
use rand_chacha::ChaCha8Rng;
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
    /// -1 and 1 by the weight's sign.
    Sign,
    /// -1 and 1 by the sign of the standardised weight, S002 Eq. 3 and 4.
    BinWs,
    /// [`Quantization::levels`].
    Levels,
}

impl Quantizer {
    /// Whether weights are signs, of one bit.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Sign | Self::BinWs)
    }
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
    /// Bits of a weight: 1 with `sign` and `bin-ws`, else 2..=8; of no meaning with a table.
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
        if self.quantizer.is_binary() {
            return self.check_binary();
        }
        if !(2..=8).contains(&self.bits) {
            return refuse("bits", self.bits.to_string(), "2..=8", "use 2 to 8");
        }
        let is_table = self.quantizer == Quantizer::Levels;
        let rises = self.levels.len() >= 2
            && self.levels.iter().all(|level| level.is_finite())
            && self.levels.windows(2).all(|pair| pair[0] < pair[1]);
        if is_table != rises {
            let value = format!("{:?}", self.levels);
            return refuse(
                "levels",
                value,
                "2 or more rising numbers with quantizer = levels, none without",
                "write the table, or another quantizer",
            );
        }
        Ok(())
    }

    fn check_binary(&self) -> Result<(), TrainError> {
        if self.bits != 1 {
            return refuse("bits", self.bits.to_string(), "1 with quantizer = sign or bin-ws", "use 1");
        }
        if self.storage != Storage::Latent {
            let remedy = "a step seldom crosses a whole level; use storage = latent, or quantizer = levels with [-1, 1] in place";
            return refuse("storage", format!("{:?}", self.storage), "latent with quantizer = sign or bin-ws", remedy);
        }
        if self.quantizer == Quantizer::BinWs && self.range != Range::Global {
            let remedy = "use range = global, or quantizer = sign";
            return refuse(
                "range",
                format!("{:?}", self.range),
                "global with quantizer = bin-ws, which has no scale",
                remedy,
            );
        }
        if !self.levels.is_empty() {
            let value = format!("{:?}", self.levels);
            return refuse("levels", value, "left out with quantizer = sign or bin-ws", "use quantizer = levels");
        }
        Ok(())
    }

    /// Whether latent weights are kept in -1..=1. Those of `bin-ws` are standardised: their size says nothing.
    pub(crate) fn is_clipped(&self) -> bool {
        match self.quantizer {
            Quantizer::Sign => true,
            Quantizer::BinWs => false,
            _ => self.range == Range::Global,
        }
    }

    /// Put the weights of a layer, `[input][output]`, on their levels. Signs of a local range come with the scale of each output,
    /// which is to be multiplied with.
    pub(crate) fn quantize(&self, weights: &mut [f32], outputs: usize) -> Option<Vec<f32>> {
        if !self.quantizer.is_binary() {
            self.nearest(weights);
            return None;
        }
        let scales = (self.range == Range::Local).then(|| binary::scales(weights, outputs));
        if self.quantizer == Quantizer::BinWs {
            binary::standardise(weights, outputs);
        }
        binary::sign(weights);
        scales
    }

    /// The gradient at the stored weights from that at the ones used, where it is another: through S002's standardisation.
    pub(crate) fn stored_gradient(&self, stored: &[f32], used: &[f32], outputs: usize) -> Option<Vec<f32>> {
        (self.quantizer == Quantizer::BinWs).then(|| binary::standardise_backward(stored, used, outputs))
    }

    /// The levels for a layer of these weights, rising.
    pub fn table(&self, weights: &[f32]) -> Vec<f32> {
        let local = self.range == Range::Local;
        let (mut least, mut largest) = (-1.0f32, 1.0f32);
        if local {
            (least, largest) = rounding::ends(weights);
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
            Quantizer::Sign | Quantizer::BinWs => vec![-1.0, 1.0],
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
        rounding::nearest(&table, self.quantizer != Quantizer::Levels, away, weights);
    }

    /// Round weights up or down to one of the two levels beside them, the nearer the likelier; the mean is the weight, saturated.
    pub fn stochastic(&self, weights: &mut [f32], random: &mut ChaCha8Rng) {
        let table = self.table(weights);
        rounding::stochastic(&table, self.quantizer != Quantizer::Levels, weights, random);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitline_golden::random::stream;
    use proptest::prelude::*;

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

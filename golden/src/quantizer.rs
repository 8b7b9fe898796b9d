//! The quantizer that replaces the column's ADC.

use crate::column::current;
use crate::machine::{Conductance, QuantizerConfig};

/// A column's code, and whether it was clamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// q, 0..=2^Ba - 1.
    pub code: u32,
    /// Whether the clamp changed the value: one unit of the counter `saturations`.
    pub saturated: bool,
}

/// Quantize a column current: `q = clamp((I * m + ((1 << s) >> 1)) >> s, 0, 2^Ba - 1)` (S001 Eq. 2 in integers).
///
/// Rounds half up, which for these unsigned currents is half away from zero, as MATLAB's `round` in the seed.
/// Exact in u64: I * m is below 2^28 * 2^24. No current is negative, so the lower clamp never acts.
pub fn quantize(quantizer: &QuantizerConfig, current: u64) -> Reading {
    let half = (1u64 << quantizer.shift) >> 1;
    let scaled = (current * u64::from(quantizer.multiplier) + half) >> quantizer.shift;
    let limit = (1u64 << quantizer.bits) - 1;
    Reading { code: scaled.min(limit) as u32, saturated: scaled > limit }
}

/// Whether every count 0..=rows of a column is its own code, and none is clamped (contract section 3).
pub fn is_lossless(conductance: &Conductance, quantizer: &QuantizerConfig, rows: usize) -> bool {
    let own = |n| quantize(quantizer, current(conductance, n, 0)) == Reading { code: n, saturated: false };
    conductance.reference_column && (0..=rows as u32).all(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    #[test]
    fn quantize_lossless_machines_give_back_every_count() {
        for name in Machine::names() {
            let machine = Machine::named(name).unwrap();
            assert!(machine.is_lossless(), "{name}");
            for n in 0..=machine.rows as u32 {
                let reading = quantize(&machine.quantizer, current(&machine.conductance, n, 0));
                assert_eq!(reading, Reading { code: n, saturated: false }, "{name}");
            }
        }
    }

    #[test]
    fn quantize_rounds_half_away_from_zero() {
        let quarter = QuantizerConfig { multiplier: 1, shift: 2, bits: 8 };
        let codes: Vec<u32> = (0..=10).map(|i| quantize(&quarter, i).code).collect();
        assert_eq!(codes, [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]);
        let as_rounded: Vec<u32> = (0..=10).map(|i| (f64::from(i) / 4.0).round() as u32).collect();
        assert_eq!(codes, as_rounded);
    }

    #[test]
    fn quantize_counts_only_clamps_that_change_the_value() {
        let two_bits = QuantizerConfig { multiplier: 1, shift: 0, bits: 2 };
        let readings: Vec<(u32, bool)> =
            (0..6).map(|i| quantize(&two_bits, i)).map(|r| (r.code, r.saturated)).collect();
        assert_eq!(readings, [(0, false), (1, false), (2, false), (3, false), (3, true), (3, true)]);
    }

    #[test]
    fn quantize_largest_current_does_not_overflow() {
        let widest = QuantizerConfig { multiplier: 1 << 24, shift: 32, bits: 16 };
        let current = 65_535 * 4_096 + 4_096;
        let exact = ((u128::from(current) << 24) + (1 << 31)) >> 32;
        assert_eq!(quantize(&widest, current), Reading { code: exact.min(65_535) as u32, saturated: exact > 65_535 });
    }
}

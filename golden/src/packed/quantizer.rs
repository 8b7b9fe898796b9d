//! The quantizer rewritten for the kernels: the same function of n and a, in a form that vectors compute.
//!
//! A form is used only after it was compared with [`quantize`] for every n and a that can occur.

use crate::column::current;
use crate::machine::Machine;
use crate::quantizer::{Reading, quantize};

/// How a lane computes q from n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// `min(n, limit)`.
    Clip,
    /// `min((((n << pre_shift) * multiplier >> 16) + offset[a]) >> shift, limit)` in 16 unsigned bits, the sum
    /// held at 65535. With a reference column `offset` has one entry for all a.
    Affine { multiplier: u16, pre_shift: u32, shift: u32, offset: Vec<u16> },
}

/// The lanes' quantizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LaneQuantizer {
    pub form: Form,
    /// Largest code.
    pub limit: u16,
    /// Largest n that does not saturate, for each a, or one entry for all a.
    pub unsaturated: Vec<u16>,
    /// Whether counts are kept in bytes, held at 255, rather than in 16 bits.
    pub narrow: bool,
}

/// Code and saturation for every n of a given a.
fn readings(machine: &Machine, rows: usize, active: usize) -> Vec<Reading> {
    // With a reference column the current does not depend on a, so that every n must be right.
    let most = if machine.conductance.reference_column { rows } else { active };
    (0..=most as u32).map(|n| quantize(&machine.quantizer, current(&machine.conductance, n, active as u32))).collect()
}

impl LaneQuantizer {
    /// Find an exact form for tiles of `rows` rows, if there is one.
    pub fn new(machine: &Machine, rows: usize) -> Option<Self> {
        let actives = if machine.conductance.reference_column { rows..=rows } else { 0..=rows };
        let cases: Vec<Vec<Reading>> = actives.map(|active| readings(machine, rows, active)).collect();
        let limit = u16::try_from(machine.code_max()).ok()?;
        let unsaturated = cases
            .iter()
            // Codes grow with n, so that the unsaturated counts come first; no count at all is unsaturated if
            // the leakage alone saturates, which no n below 0 can express.
            .map(|case| {
                case.iter()
                    .position(|reading| reading.saturated)
                    .map_or(Some(u16::MAX), |n| u16::try_from(n).ok()?.checked_sub(1))
            })
            .collect::<Option<Vec<u16>>>()?;
        // Bytes do when they hold every count, or when nothing changes from 255 on.
        let narrow = rows <= 255
            || (machine.conductance.reference_column
                && cases[0][255..].iter().all(|reading| *reading == cases[0][255]));
        let clips = machine.conductance.reference_column
            && cases[0].iter().enumerate().all(|(n, reading)| reading.code == (n as u32).min(u32::from(limit)));
        let form = if clips { Form::Clip } else { affine(machine, rows, &cases, narrow)? };
        Some(Self { form, limit, unsaturated, narrow })
    }

    /// Code of every byte count, where counts and codes are bytes and a does not matter, and whether the first 128
    /// are all that occur.
    pub fn table(&self, machine: &Machine) -> Option<([u8; 256], bool)> {
        if !self.narrow || self.unsaturated.len() > 1 {
            return None;
        }
        let case = readings(machine, machine.rows, machine.rows);
        let mut table = [0; 256];
        for (n, entry) in table.iter_mut().enumerate() {
            *entry = u8::try_from(case[n.min(machine.rows)].code).ok()?;
        }
        Some((table, machine.rows < 128))
    }

    /// Entry of a table for `active` driven rows.
    #[cfg(test)]
    pub fn at(table: &[u16], active: usize) -> u16 {
        if table.len() == 1 { table[0] } else { table[active] }
    }
}

/// Search the multipliers and offsets that give every code exactly.
fn affine(machine: &Machine, rows: usize, cases: &[Vec<Reading>], narrow: bool) -> Option<Form> {
    let pre_shift = if narrow { 8 } else { (rows as u32).leading_zeros() - 16 };
    let per_count = f64::from(machine.conductance.ratio() - 1) * f64::from(machine.quantizer.multiplier)
        / (1u64 << machine.quantizer.shift) as f64;
    for shift in (0..16).rev() {
        let ideal = per_count * f64::from(1u32 << shift) * f64::from(1u32 << (16 - pre_shift));
        if ideal >= 65_535.0 {
            continue;
        }
        for multiplier in [ideal.floor() as u16, ideal.floor() as u16 + 1] {
            let offsets: Option<Vec<u16>> = cases
                .iter()
                .map(|case| offset(case, machine.code_max(), multiplier, pre_shift, shift, narrow))
                .collect();
            if let Some(offset) = offsets {
                return Some(Form::Affine { multiplier, pre_shift, shift, offset });
            }
        }
    }
    None
}

/// The smallest offset with which the affine form gives this case's codes, if one does.
fn offset(case: &[Reading], limit: u32, multiplier: u16, pre_shift: u32, shift: u32, narrow: bool) -> Option<u16> {
    let (mut low, mut high) = (0u32, 65_535u32);
    for (n, reading) in case.iter().enumerate() {
        let n = if narrow { n.min(255) } else { n } as u32;
        let scaled = ((n << pre_shift) * u32::from(multiplier)) >> 16;
        low = low.max((reading.code << shift).saturating_sub(scaled));
        if reading.code < limit {
            high = high.min((((reading.code + 1) << shift) - 1).checked_sub(scaled)?);
        }
        // The sum is held at 65535, which must still be this code.
        if reading.code << shift > 65_535 || low > high {
            return None;
        }
    }
    Some(low as u16)
}

/// q and saturation as a table of n, or of a and n; a code and, in bit 31, whether it was clamped.
#[derive(Debug, Clone)]
pub(super) struct TableQuantizer {
    table: Vec<u32>,
    stride: usize,
    rows: usize,
}

impl TableQuantizer {
    /// Tabulate for tiles of at most `rows` rows.
    pub fn new(machine: &Machine, rows: usize) -> Self {
        let encode = |reading: Reading| reading.code | u32::from(reading.saturated) << 31;
        if machine.conductance.reference_column {
            return Self { table: readings(machine, rows, rows).into_iter().map(encode).collect(), stride: 0, rows };
        }
        // Row a starts at a (a + 1) / 2 of a triangle, as n never exceeds a.
        let table = (0..=rows).flat_map(|active| readings(machine, rows, active)).map(encode).collect();
        Self { table, stride: 1, rows }
    }

    /// Codes for `active` driven rows, indexed by n in 0..=active.
    #[inline(always)]
    pub fn codes(&self, active: usize) -> &[u32] {
        debug_assert!(active <= self.rows);
        &self.table[self.stride * (active * (active + 1) / 2)..][..=active]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::QuantizerConfig;

    fn machine(rows: usize, reference_column: bool, quantizer: QuantizerConfig) -> Machine {
        let mut machine = Machine { rows, row_lanes: rows, quantizer, ..Machine::named("digits").unwrap() };
        machine.conductance.reference_column = reference_column;
        machine
    }

    /// The form as its definition reads, one number at a time.
    fn evaluate(lanes: &LaneQuantizer, n: usize, active: usize) -> Reading {
        let held = if lanes.narrow { n.min(255) } else { n } as u32;
        let code = match &lanes.form {
            Form::Clip => held,
            Form::Affine { multiplier, pre_shift, shift, offset } => {
                let scaled = ((held << pre_shift) * u32::from(*multiplier)) >> 16;
                (scaled + u32::from(LaneQuantizer::at(offset, active))).min(65_535) >> shift
            }
        };
        let saturated = held > u32::from(LaneQuantizer::at(&lanes.unsaturated, active));
        Reading { code: code.min(u32::from(lanes.limit)), saturated }
    }

    #[test]
    fn lane_and_table_quantizers_equal_the_plain_one() {
        let lossless = QuantizerConfig { multiplier: 662, shift: 16, bits: 7 };
        let mut affine = 0;
        for rows in [1, 9, 65, 127, 255, 256, 300, 1024] {
            for reference in [true, false] {
                for quantizer in [
                    lossless,
                    QuantizerConfig { bits: 6, ..lossless },
                    QuantizerConfig { shift: 18, bits: 8, ..lossless },
                    QuantizerConfig { shift: 17, bits: 5, ..lossless },
                    QuantizerConfig { multiplier: 12_345, shift: 20, bits: 8 },
                    QuantizerConfig { multiplier: 3, shift: 7, bits: 8 },
                ] {
                    let machine = machine(rows, reference, quantizer);
                    let table = TableQuantizer::new(&machine, rows);
                    let lanes = LaneQuantizer::new(&machine, rows);
                    affine += usize::from(lanes.as_ref().is_some_and(|lanes| lanes.form != Form::Clip));
                    for active in 0..=rows {
                        for n in 0..=active {
                            let plain = quantize(&quantizer, current(&machine.conductance, n as u32, active as u32));
                            let entry = table.codes(active)[n];
                            assert_eq!((entry & !(1 << 31), entry >> 31 == 1), (plain.code, plain.saturated));
                            if let Some(lanes) = &lanes {
                                assert_eq!(evaluate(lanes, n, active), plain, "{lanes:?} n {n} a {active}");
                            }
                        }
                    }
                }
            }
        }
        // Of the 96 cases 16 are clips and 13 find no form; more would be a silent loss of speed.
        assert!(affine >= 65, "{affine}");
    }
}

//! Area and clock, read from what Yosys and nextpnr report.

use crate::board::Family;
use crate::error::BoardError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// How much of one resource is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Used by the design.
    pub used: u64,
    /// In the part.
    pub available: u64,
}

impl Share {
    /// Used over available, in percent, rounded up, so that nothing looks freer than it is.
    pub fn percent(&self) -> u64 {
        if self.available == 0 { 0 } else { (self.used * 100).div_ceil(self.available) }
    }
}

/// What synthesis made, before packing: cells by what they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cells {
    /// Four-input lookup tables.
    pub luts: u64,
    /// Carry bits (an ECP5's CCU2C is two).
    pub carries: u64,
    /// Flip-flops.
    pub flip_flops: u64,
    /// Block RAMs: 4 kbit on iCE40, 18 kbit on ECP5.
    pub block_rams: u64,
    /// Lookup tables turned into memory, in 16 x 4 bits (ECP5 only).
    pub distributed_rams: u64,
    /// Multipliers.
    pub multipliers: u64,
}

impl Cells {
    /// Count from the JSON that Yosys's `stat -json` writes.
    ///
    /// # Errors
    /// [`BoardError::Report`], [`BoardError::Io`].
    pub fn from_stat(file: &Path, family: Family) -> Result<Self, BoardError> {
        let report = read(file)?;
        let types = report["design"]["num_cells_by_type"]
            .as_object()
            .ok_or_else(|| BoardError::Report { file: file.into(), missing: "design.num_cells_by_type".into() })?;
        let mut cells = Self::default();
        for (kind, number) in types {
            let number = number.as_u64().unwrap_or(0);
            match (family, kind.as_str()) {
                (Family::Ice40, "SB_LUT4") | (Family::Ecp5, "LUT4") => cells.luts += number,
                (Family::Ice40, "SB_CARRY") => cells.carries += number,
                (Family::Ecp5, "CCU2C") => cells.carries += 2 * number,
                (Family::Ice40, kind) if kind.starts_with("SB_DFF") => cells.flip_flops += number,
                (Family::Ecp5, "TRELLIS_FF") => cells.flip_flops += number,
                (Family::Ice40, kind) if kind.starts_with("SB_RAM40_4K") => cells.block_rams += number,
                (Family::Ecp5, "DP16KD" | "PDPW16KD") => cells.block_rams += number,
                (Family::Ecp5, "TRELLIS_DPR16X4") => cells.distributed_rams += number,
                (Family::Ice40, "SB_MAC16") | (Family::Ecp5, "MULT18X18D") => cells.multipliers += number,
                _ => {}
            }
        }
        Ok(cells)
    }
}

/// What nextpnr used of the part, and how fast the result is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Logic cells (iCE40) or lookup tables, carries included (ECP5).
    pub logic: Share,
    /// Flip-flops; on iCE40 they lie inside logic cells and are counted there.
    pub flip_flops: Option<Share>,
    /// Block RAMs.
    pub block_rams: Share,
    /// Multipliers.
    pub multipliers: Share,
    /// The slowest clock's highest frequency, in hertz, rounded down.
    pub clock_hz: u64,
    /// What that clock has to reach, in hertz.
    pub clock_needed_hz: u64,
}

impl Usage {
    /// Whether every path is short enough for the clock.
    pub fn meets_clock(&self) -> bool {
        self.clock_hz >= self.clock_needed_hz
    }

    /// Read nextpnr's `--report`; `clock_needed_hz` is the machine's clock.
    ///
    /// # Errors
    /// [`BoardError::Report`], [`BoardError::Io`].
    pub fn from_report(file: &Path, family: Family, clock_needed_hz: u32) -> Result<Self, BoardError> {
        let report = read(file)?;
        let share = |kind: &str| -> Result<Share, BoardError> {
            let entry = &report["utilization"][kind];
            match (entry["used"].as_u64(), entry["available"].as_u64()) {
                (Some(used), Some(available)) => Ok(Share { used, available }),
                _ => Err(BoardError::Report { file: file.into(), missing: format!("utilization.{kind}") }),
            }
        };
        let clocks = report["fmax"]
            .as_object()
            .ok_or_else(|| BoardError::Report { file: file.into(), missing: "fmax".into() })?;
        let slowest = clocks
            .values()
            .filter_map(|clock| clock["achieved"].as_f64())
            .min_by(f64::total_cmp)
            .ok_or_else(|| BoardError::Report { file: file.into(), missing: "fmax.*.achieved".into() })?;
        let (logic, flip_flops, block_rams, multipliers) = match family {
            Family::Ice40 => ("ICESTORM_LC", None, "ICESTORM_RAM", "ICESTORM_DSP"),
            Family::Ecp5 => ("TRELLIS_COMB", Some("TRELLIS_FF"), "DP16KD", "MULT18X18D"),
        };
        Ok(Self {
            logic: share(logic)?,
            flip_flops: flip_flops.map(share).transpose()?,
            block_rams: share(block_rams)?,
            // A part without any, the HX8K, has no such line.
            multipliers: share(multipliers).unwrap_or_default(),
            clock_hz: (slowest * 1e6).floor() as u64,
            clock_needed_hz: clock_needed_hz.into(),
        })
    }
}

fn read(file: &Path) -> Result<Value, BoardError> {
    let text = std::fs::read_to_string(file).map_err(|e| BoardError::io(file, "read", &e))?;
    serde_json::from_str(&text)
        .map_err(|e| BoardError::Report { file: file.into(), missing: format!("readable JSON ({e})") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("bitline-usage-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn usage_reads_the_slowest_clock_and_the_shares() {
        let path = file(
            "ice40",
            r#"{"fmax": {"fast": {"achieved": 90.5, "constraint": 12.0}, "slow": {"achieved": 20.25, "constraint": 12.0}},
                "utilization": {"ICESTORM_LC": {"available": 5280, "used": 4225}, "ICESTORM_RAM": {"available": 30, "used": 29},
                                "SB_GB": {"available": 8, "used": 0}}}"#,
        );
        let usage = Usage::from_report(&path, Family::Ice40, 12_000_000).unwrap();
        assert_eq!(usage.clock_hz, 20_250_000);
        assert_eq!((usage.logic.used, usage.logic.percent()), (4225, 81));
        assert_eq!(usage.block_rams, Share { used: 29, available: 30 });
        assert_eq!(usage.multipliers, Share::default(), "the HX8K has none and names none");
        assert!(usage.meets_clock());
        assert!(!Usage::from_report(&path, Family::Ice40, 20_250_001).unwrap().meets_clock());
        let missing = Usage::from_report(&path, Family::Ecp5, 1).unwrap_err();
        assert!(missing.to_string().contains("has no utilization.TRELLIS_COMB"), "{missing}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn cells_count_both_families_and_leave_the_rest() {
        let ice = file(
            "stat-ice",
            r#"{"design": {"num_cells_by_type": {"SB_CARRY": 24, "SB_DFF": 64, "SB_DFFSR": 10,
            "SB_LUT4": 82, "SB_RAM40_4K": 4, "SB_RAM40_4KNR": 1}}}"#,
        );
        let expected = Cells { luts: 82, carries: 24, flip_flops: 74, block_rams: 5, ..Cells::default() };
        assert_eq!(Cells::from_stat(&ice, Family::Ice40).unwrap(), expected);
        let ecp = file(
            "stat-ecp",
            r#"{"design": {"num_cells_by_type": {"$scopeinfo": 1, "CCU2C": 13, "DP16KD": 1,
            "LUT4": 7, "MULT18X18D": 1, "TRELLIS_FF": 29, "TRELLIS_DPR16X4": 2}}}"#,
        );
        let expected =
            Cells { luts: 7, carries: 26, flip_flops: 29, block_rams: 1, distributed_rams: 2, multipliers: 1 };
        assert_eq!(Cells::from_stat(&ecp, Family::Ecp5).unwrap(), expected);
        for path in [ice, ecp] {
            std::fs::remove_file(path).unwrap();
        }
    }
}

//! A column: from devices and a plane to a current.

use crate::machine::Conductance;

/// Driven devices in LRS: `n = popcount(p AND d)` (contract section 3).
///
/// `plane` and `devices` have one bit a row; a device in LRS is `true`.
pub fn count(plane: &[bool], devices: &[bool]) -> u32 {
    plane.iter().zip(devices).filter(|(driven, lrs)| **driven && **lrs).count() as u32
}

/// Column current in units of one driven HRS device's: `I = (g - 1) * n + a`, or `(g - 1) * n` once the current
/// of a reference column of HRS devices is subtracted.
///
/// Of the `active` driven devices, `count` are in LRS and conduct g, the others conduct 1 (S001: 100 kOhm and
/// 1 kOhm, g = 100). Exact: at most 4096 * 65535.
pub fn current(conductance: &Conductance, count: u32, active: u32) -> u64 {
    let leakage = if conductance.reference_column { 0 } else { u64::from(active) };
    u64::from(conductance.ratio() - 1) * u64::from(count) + leakage
}

#[cfg(test)]
mod tests {
    use super::*;

    const S001: Conductance = Conductance { lrs_ohms: 1_000, hrs_ohms: 100_000, reference_column: false };

    #[test]
    fn current_is_the_sum_of_device_conductances() {
        let devices = [true, false, true, true, false, false];
        let plane = [true, true, false, true, true, false];
        let by_device: u64 =
            devices.iter().zip(&plane).filter(|(_, driven)| **driven).map(|(lrs, _)| if *lrs { 100 } else { 1 }).sum();
        assert_eq!(count(&plane, &devices), 2);
        assert_eq!(current(&S001, 2, 4), by_device);
    }

    #[test]
    fn current_reference_column_removes_the_leakage() {
        let referenced = Conductance { reference_column: true, ..S001 };
        assert_eq!(current(&referenced, 2, 4), 198);
        assert_eq!(current(&referenced, 0, 4096), 0);
        assert_eq!(current(&S001, 0, 4096), 4096);
    }
}

//! One memristor: the VTEAM model of its state under voltage pulses.
//!
//! Kvatinsky, Ramadan, Friedman and Kolodny, "VTEAM: A general model for voltage-controlled memristors", IEEE
//! TCAS-II 62 (8), 2015, pages 786 to 790 (reference 11 of S001). The state variable is w, scaled to 0..=1: 0 is
//! the low-resistance end, 1 the high-resistance end. The rate is the paper's, with a rectangular window
//! (f_on = f_off = 1 inside the range, 0 beyond it), and resistance is linear in w:
//!
//! ```text
//!           k_off * (v / v_off - 1)^alpha_off    for 0 < v_off < v      (towards HRS)
//! dw/dt  =  0                                    for v_on <= v <= v_off
//!           k_on * (v / v_on - 1)^alpha_on       for v < v_on < 0       (towards LRS, k_on < 0)
//!
//! R(w)   =  R_LRS + (R_HRS - R_LRS) * w
//! ```
//!
//! S001 uses the limit of this model for long pulses: at or above V_off the device becomes HRS, at or below V_on it
//! becomes LRS, and in between nothing changes ([`Vteam::threshold_rule`]). The two part at the thresholds
//! themselves, where VTEAM's rate is 0 and S001 switches, and for pulses too short to switch.

use serde::{Deserialize, Serialize};

use crate::error::GoldenError;
use crate::machine::Conductance;

/// Parameters of a device under voltage. Valid for any pulse shape made of constant voltages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vteam {
    /// V_on: voltages below it move the state towards LRS; negative.
    pub v_on_volts: f64,
    /// V_off: voltages above it move the state towards HRS; positive.
    pub v_off_volts: f64,
    /// k_on: rate towards LRS at twice V_on, in w a second; negative.
    pub k_on_per_second: f64,
    /// k_off: rate towards HRS at twice V_off, in w a second; positive.
    pub k_off_per_second: f64,
    /// alpha_on: how steeply the rate towards LRS grows.
    pub alpha_on: f64,
    /// alpha_off: how steeply the rate towards HRS grows.
    pub alpha_off: f64,
}

/// S001 gives the rule and no numbers, so these are an illustration, not a fit to a device: thresholds of -1 V and
/// +1 V, a full switch in 100 ns at twice the threshold, cubic growth (alpha = 3 is common in VTEAM fits).
impl Default for Vteam {
    fn default() -> Self {
        Self {
            v_on_volts: -1.0,
            v_off_volts: 1.0,
            k_on_per_second: -1e7,
            k_off_per_second: 1e7,
            alpha_on: 3.0,
            alpha_off: 3.0,
        }
    }
}

impl Vteam {
    /// Check the signs that the equations assume.
    ///
    /// # Errors
    /// [`GoldenError::Parameter`] names the first parameter of the wrong sign.
    pub fn check(&self) -> Result<(), GoldenError> {
        let (negative, positive) = ("negative", "positive");
        let (towards_lrs, towards_hrs) = ("it moves a device towards LRS", "it moves a device towards HRS");
        for (parameter, value, limit, remedy) in [
            ("v_on_volts", self.v_on_volts, negative, towards_lrs),
            ("v_off_volts", self.v_off_volts, positive, towards_hrs),
            ("k_on_per_second", self.k_on_per_second, negative, towards_lrs),
            ("k_off_per_second", self.k_off_per_second, positive, towards_hrs),
            ("alpha_on", self.alpha_on, positive, "a rate that falls with voltage is not VTEAM"),
            ("alpha_off", self.alpha_off, positive, "a rate that falls with voltage is not VTEAM"),
        ] {
            let right = value.is_finite() && if limit == negative { value < 0.0 } else { value > 0.0 };
            if !right {
                return Err(GoldenError::Parameter { parameter, value, limit, remedy });
            }
        }
        Ok(())
    }

    /// dw/dt under a constant voltage, in w a second: the state equation above.
    pub fn rate_per_second(&self, volts: f64) -> f64 {
        if volts > self.v_off_volts {
            self.k_off_per_second * (volts / self.v_off_volts - 1.0).powf(self.alpha_off)
        } else if volts < self.v_on_volts {
            self.k_on_per_second * (volts / self.v_on_volts - 1.0).powf(self.alpha_on)
        } else {
            0.0
        }
    }

    /// w after a pulse of constant voltage: the state equation's exact solution, as the rate does not depend on w.
    pub fn pulse(&self, w: f64, volts: f64, seconds: f64) -> f64 {
        (w + self.rate_per_second(volts) * seconds).clamp(0.0, 1.0)
    }

    /// Time in which a voltage moves w through its whole range; `None` between the thresholds.
    pub fn switching_seconds(&self, volts: f64) -> Option<f64> {
        let rate = self.rate_per_second(volts).abs();
        (rate > 0.0).then(|| 1.0 / rate)
    }

    /// S001's rule: LRS (`true`) at or below V_on, HRS at or above V_off, else no change.
    pub fn threshold_rule(&self, lrs: bool, volts: f64) -> bool {
        if volts >= self.v_off_volts { false } else { volts <= self.v_on_volts || lrs }
    }
}

/// R(w) in ohms, linear between the machine's two resistances.
pub fn resistance_ohms(conductance: &Conductance, w: f64) -> f64 {
    let (lrs, hrs) = (f64::from(conductance.lrs_ohms), f64::from(conductance.hrs_ohms));
    lrs + (hrs - lrs) * w
}

/// The digital state of a device read through its conductance: LRS if it conducts at least half as much as a
/// device at the low-resistance end.
///
/// Half the LRS conductance, R <= 2 R_LRS, is where a count would round the device to 1: for a ratio of 100 that
/// is w <= 0.0101. A write must therefore go nearly all the way to LRS, and far less to leave it.
pub fn reads_lrs(conductance: &Conductance, w: f64) -> bool {
    resistance_ohms(conductance, w) <= 2.0 * f64::from(conductance.lrs_ohms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S001: Conductance = Conductance { lrs_ohms: 1_000, hrs_ohms: 100_000, reference_column: true };

    #[test]
    fn rate_is_zero_between_and_at_the_thresholds() {
        let device = Vteam::default();
        for volts in [-1.0, -0.5, 0.0, 0.999, 1.0] {
            assert_eq!(device.rate_per_second(volts), 0.0, "{volts}");
            assert_eq!(device.switching_seconds(volts), None);
        }
    }

    #[test]
    fn rate_at_twice_the_threshold_is_k() {
        let device = Vteam::default();
        assert_eq!(device.rate_per_second(2.0), 1e7);
        assert_eq!(device.rate_per_second(-2.0), -1e7);
        assert_eq!(device.switching_seconds(-2.0), Some(1e-7));
        // (3/1 - 1)^3 = 8 times as fast.
        assert_eq!(device.rate_per_second(3.0), 8e7);
    }

    #[test]
    fn pulse_solves_the_state_equation() {
        let device = Vteam { alpha_on: 2.5, k_on_per_second: -3e6, ..Vteam::default() };
        let (volts, seconds, steps) = (-1.7, 1.3e-7, 100_000);
        let euler = (0..steps).fold(0.9, |w, _| w + device.rate_per_second(volts) * seconds / f64::from(steps));
        assert!((device.pulse(0.9, volts, seconds) - euler).abs() < 1e-9);
        assert_eq!(device.pulse(0.9, volts, 1.0), 0.0);
        assert_eq!(device.pulse(0.2, 2.0, 1.0), 1.0);
    }

    #[test]
    fn long_pulses_follow_the_seeds_rule() {
        let device = Vteam::default();
        for volts in [-3.0, -1.001, -0.4, 0.0, 0.7, 1.001, 2.5] {
            for lrs in [false, true] {
                let w = device.pulse(if lrs { 0.0 } else { 1.0 }, volts, 1e3);
                assert_eq!(reads_lrs(&S001, w), device.threshold_rule(lrs, volts), "{volts} V, {lrs}");
            }
        }
    }

    #[test]
    fn threshold_rule_switches_at_the_thresholds() {
        let device = Vteam::default();
        assert!(!device.threshold_rule(true, 1.0));
        assert!(device.threshold_rule(false, -1.0));
        assert!(device.threshold_rule(true, 0.9999) && !device.threshold_rule(false, -0.9999));
    }

    #[test]
    fn resistance_is_that_of_the_machine_at_both_ends() {
        assert_eq!(resistance_ohms(&S001, 0.0), 1_000.0);
        assert_eq!(resistance_ohms(&S001, 1.0), 100_000.0);
        assert!(reads_lrs(&S001, 0.010) && !reads_lrs(&S001, 0.011));
    }

    #[test]
    fn check_refuses_wrong_signs() {
        assert_eq!(Vteam::default().check(), Ok(()));
        let error = Vteam { v_on_volts: 0.5, ..Vteam::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "v_on_volts is 0.5, must be negative; it moves a device towards LRS");
        assert!(Vteam { alpha_off: f64::NAN, ..Vteam::default() }.check().is_err());
        assert!(Vteam { k_off_per_second: -1.0, ..Vteam::default() }.check().is_err());
    }
}

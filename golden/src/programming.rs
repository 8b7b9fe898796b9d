//! Programming: write pulses, verification, and what they do to the devices around the selected one.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::array::DeviceArray;
use crate::device::{Vteam, reads_lrs};
use crate::error::GoldenError;
use crate::machine::Conductance;

/// How the lines that are not selected are biased while the selected device sees the whole voltage V.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Biasing {
    /// Other devices of the selected row and column see V/2, all others 0.
    HalfVoltage,
    /// Other devices of the selected row and column see V/3, all others -V/3.
    ThirdVoltage,
    /// The other lines are left at 0 V: the selected row's devices see V, all others 0. A bad choice, kept to show
    /// what it costs.
    Grounded,
}

/// A write scheme.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteScheme {
    /// Voltage of a pulse that sets a device to LRS; negative.
    pub set_volts: f64,
    /// Voltage of a pulse that resets a device to HRS; positive.
    pub reset_volts: f64,
    /// Length of a pulse.
    pub pulse_seconds: f64,
    /// Pulses tried before a device is given up in a round.
    pub most_pulses: u32,
    /// Times the whole array is gone over, each time only where a read disagrees.
    pub most_rounds: u32,
    /// What the other devices see.
    pub biasing: Biasing,
}

/// Pulses of 1.8 V and 200 ns switch the default device in one go, and half of that is below its thresholds.
impl Default for WriteScheme {
    fn default() -> Self {
        Self {
            set_volts: -1.8,
            reset_volts: 1.8,
            pulse_seconds: 200e-9,
            most_pulses: 8,
            most_rounds: 3,
            biasing: Biasing::HalfVoltage,
        }
    }
}

/// What programming took, and where it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProgrammingReport {
    /// Write pulses given.
    pub pulses: u64,
    /// Verifying reads.
    pub reads: u64,
    /// Rounds over the array in which some device had to be written.
    pub rounds: u32,
    /// Devices, not themselves selected at that moment, whose state a pulse changed; counted each time.
    pub disturbs: u64,
    /// Devices whose state is not the target's at the end, `(row, column)`, row by row.
    pub failures: Vec<(usize, usize)>,
}

/// The continuous states of an array's devices while they are programmed.
#[derive(Debug, Clone)]
pub struct AnalogStates {
    model: Vteam,
    conductance: Conductance,
    /// w, `[row][column]`.
    w: Array2<f64>,
    stuck: Array2<bool>,
}

impl AnalogStates {
    /// Devices at the ends of their range that the array's digital states name. Stuck devices stay there.
    ///
    /// # Errors
    /// [`GoldenError::Parameter`] from [`Vteam::check`].
    pub fn new(model: Vteam, conductance: Conductance, array: &DeviceArray) -> Result<Self, GoldenError> {
        model.check()?;
        let shape = (array.rows(), array.columns());
        let w = Array2::from_shape_fn(shape, |(row, column)| if array.get(row, column) { 0.0 } else { 1.0 });
        let stuck = Array2::from_shape_fn(shape, |(row, column)| array.stuck(row, column).is_some());
        Ok(Self { model, conductance, w, stuck })
    }

    /// w of a device.
    pub fn w(&self, row: usize, column: usize) -> f64 {
        self.w[[row, column]]
    }

    /// Read a device: whether it is in LRS. Reading disturbs nothing here.
    pub fn read(&self, row: usize, column: usize) -> bool {
        reads_lrs(&self.conductance, self.w[[row, column]])
    }

    /// Give one pulse to a device, and every other device what the biasing lets through. Returns how many other
    /// devices changed their digital state.
    pub fn pulse(&mut self, biasing: Biasing, volts: f64, seconds: f64, row: usize, column: usize) -> u64 {
        // What the rest of the row, the rest of the column, and all others see.
        let (same_row, same_column, others) = match biasing {
            Biasing::HalfVoltage => (volts / 2.0, volts / 2.0, 0.0),
            Biasing::ThirdVoltage => (volts / 3.0, volts / 3.0, -volts / 3.0),
            Biasing::Grounded => (volts, 0.0, 0.0),
        };
        self.apply(volts, seconds, row, column);
        let (rows, columns) = self.w.dim();
        let mut disturbs = 0;
        // Most biasing leaves most devices between the thresholds; those are not visited.
        if self.model.rate_per_second(same_row) != 0.0 {
            let rest = (0..columns).filter(|c| *c != column);
            disturbs += rest.map(|c| self.apply(same_row, seconds, row, c)).sum::<u64>();
        }
        if self.model.rate_per_second(same_column) != 0.0 {
            let rest = (0..rows).filter(|r| *r != row);
            disturbs += rest.map(|r| self.apply(same_column, seconds, r, column)).sum::<u64>();
        }
        if self.model.rate_per_second(others) != 0.0 {
            for r in (0..rows).filter(|r| *r != row) {
                let rest = (0..columns).filter(|c| *c != column);
                disturbs += rest.map(|c| self.apply(others, seconds, r, c)).sum::<u64>();
            }
        }
        disturbs
    }

    /// A constant voltage over one device; 1 if its digital state changed.
    fn apply(&mut self, volts: f64, seconds: f64, row: usize, column: usize) -> u64 {
        if self.stuck[[row, column]] {
            return 0;
        }
        let before = self.read(row, column);
        self.w[[row, column]] = self.model.pulse(self.w[[row, column]], volts, seconds);
        u64::from(self.read(row, column) != before)
    }

    /// Program every device to `target`, `[row][column]`, LRS is `true`: read; where the state is wrong, pulse and
    /// read again until it is right or the pulses are used up; go over the array again while rounds are left.
    ///
    /// Devices are visited row by row. No randomness.
    ///
    /// # Errors
    /// [`GoldenError::Parameter`] for a scheme whose voltages have the wrong sign or whose pulse has no length.
    pub fn program(
        &mut self,
        scheme: &WriteScheme,
        target: impl Fn(usize, usize) -> bool,
    ) -> Result<ProgrammingReport, GoldenError> {
        scheme.check()?;
        let mut report = ProgrammingReport::default();
        let (rows, columns) = self.w.dim();
        for _ in 0..scheme.most_rounds {
            let mut written = false;
            for row in 0..rows {
                for column in 0..columns {
                    let lrs = target(row, column);
                    let volts = if lrs { scheme.set_volts } else { scheme.reset_volts };
                    report.reads += 1;
                    let mut pulses = 0;
                    while self.read(row, column) != lrs && pulses < scheme.most_pulses {
                        report.disturbs += self.pulse(scheme.biasing, volts, scheme.pulse_seconds, row, column);
                        report.reads += 1;
                        pulses += 1;
                    }
                    report.pulses += u64::from(pulses);
                    written |= pulses > 0;
                }
            }
            report.rounds += u32::from(written);
            if !written {
                break;
            }
        }
        for row in 0..rows {
            for column in 0..columns {
                if self.read(row, column) != target(row, column) {
                    report.failures.push((row, column));
                }
            }
        }
        Ok(report)
    }

    /// Hand the digital states over to an array of the same shape.
    pub fn store(&self, array: &mut DeviceArray) {
        for ((row, column), _) in self.w.indexed_iter() {
            array.set(row, column, self.read(row, column));
        }
    }
}

impl WriteScheme {
    /// Check signs and lengths.
    ///
    /// # Errors
    /// [`GoldenError::Parameter`].
    pub fn check(&self) -> Result<(), GoldenError> {
        for (parameter, value, right, limit, remedy) in [
            ("set_volts", self.set_volts, self.set_volts < 0.0, "negative", "VTEAM sets to LRS below V_on"),
            ("reset_volts", self.reset_volts, self.reset_volts > 0.0, "positive", "VTEAM resets to HRS above V_off"),
            ("pulse_seconds", self.pulse_seconds, self.pulse_seconds > 0.0, "positive", "give the pulse a length"),
        ] {
            if !right || !value.is_finite() {
                return Err(GoldenError::Parameter { parameter, value, limit, remedy });
            }
        }
        Ok(())
    }
}

/// Program an array through the write path: from `array`'s present states to those of `target`, stuck devices and
/// all.
///
/// The result's states are what the columns see from then on; programming that works leaves exactly `target`.
///
/// # Errors
/// [`GoldenError::Shape`] when the arrays differ in shape, [`GoldenError::Parameter`] for model or scheme.
pub fn program(
    model: Vteam,
    conductance: Conductance,
    scheme: &WriteScheme,
    array: &mut DeviceArray,
    target: &DeviceArray,
) -> Result<ProgrammingReport, GoldenError> {
    if (array.rows(), array.columns()) != (target.rows(), target.columns()) {
        return Err(GoldenError::Shape {
            what: "device array",
            unit: "devices",
            value: array.rows() * array.columns(),
            limit: format!("{} rows of {}", target.rows(), target.columns()),
            machine: "of the target".into(),
        });
    }
    let mut states = AnalogStates::new(model, conductance, array)?;
    let report = states.program(scheme, |row, column| target.get(row, column))?;
    states.store(array);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use rand::Rng;

    const S001: Conductance = Conductance { lrs_ohms: 1_000, hrs_ohms: 100_000, reference_column: true };

    fn random_array(rows: usize, columns: usize, seed: u64) -> DeviceArray {
        let mut random = stream("programming", seed);
        let mut array = DeviceArray::new(rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                array.set(row, column, random.random());
            }
        }
        array
    }

    #[test]
    fn program_writes_exactly_what_differs() {
        let (mut array, target) = (random_array(9, 12, 1), random_array(9, 12, 2));
        let differing = (0..9 * 12).filter(|k| array.get(k / 12, k % 12) != target.get(k / 12, k % 12)).count() as u64;
        for biasing in [Biasing::HalfVoltage, Biasing::ThirdVoltage] {
            let scheme = WriteScheme { biasing, ..WriteScheme::default() };
            let report = program(Vteam::default(), S001, &scheme, &mut array.clone(), &target).unwrap();
            assert_eq!((report.pulses, report.disturbs, report.rounds), (differing, 0, 1), "{biasing:?}");
        }
        let report = program(Vteam::default(), S001, &WriteScheme::default(), &mut array, &target).unwrap();
        assert_eq!((report.failures, &array), (vec![], &target));
        // Two passes of reads, and one more a pulse.
        assert_eq!(report.reads, 2 * 9 * 12 + differing);
    }

    #[test]
    fn program_repeats_short_pulses_until_they_verify() {
        // 50 ns at 1.8 V move w by 0.8^3 * 0.5 = 0.256: four pulses for the whole way to LRS, one to leave it.
        let scheme = WriteScheme { pulse_seconds: 50e-9, ..WriteScheme::default() };
        let mut array = DeviceArray::new(1, 2);
        array.set(0, 1, true);
        let mut target = DeviceArray::new(1, 2);
        target.set(0, 0, true);
        let report = program(Vteam::default(), S001, &scheme, &mut array, &target).unwrap();
        assert_eq!((report.pulses, report.failures.len()), (4 + 1, 0));
        let scheme = WriteScheme { most_pulses: 3, most_rounds: 1, ..scheme };
        let report = program(Vteam::default(), S001, &scheme, &mut DeviceArray::new(1, 2), &target).unwrap();
        assert_eq!((report.pulses, report.failures), (3, vec![(0, 0)]));
    }

    #[test]
    fn program_below_the_thresholds_changes_nothing() {
        let scheme = WriteScheme { set_volts: -0.9, reset_volts: 0.9, ..WriteScheme::default() };
        let (mut array, target) = (random_array(4, 4, 1), random_array(4, 4, 2));
        let before = array.clone();
        let report = program(Vteam::default(), S001, &scheme, &mut array, &target).unwrap();
        assert_eq!(array, before);
        assert_eq!(report.disturbs, 0);
        assert!(!report.failures.is_empty() && report.pulses == 8 * 3 * report.failures.len() as u64);
    }

    #[test]
    fn program_half_voltage_above_the_threshold_disturbs() {
        // Half of 2.6 V is above the thresholds of 1 V, a third of it is not.
        let scheme = WriteScheme { set_volts: -2.6, reset_volts: 2.6, ..WriteScheme::default() };
        let (array, target) = (random_array(8, 8, 3), random_array(8, 8, 4));
        let half = program(Vteam::default(), S001, &scheme, &mut array.clone(), &target).unwrap();
        assert!(half.disturbs > 0 && !half.failures.is_empty());
        let scheme = WriteScheme { biasing: Biasing::ThirdVoltage, ..scheme };
        let third = program(Vteam::default(), S001, &scheme, &mut array.clone(), &target).unwrap();
        assert_eq!((third.disturbs, third.failures), (0, vec![]));
    }

    #[test]
    fn program_grounded_lines_write_the_whole_row() {
        let scheme = WriteScheme { biasing: Biasing::Grounded, most_rounds: 1, ..WriteScheme::default() };
        let mut target = DeviceArray::new(2, 4);
        target.set(0, 3, true);
        let mut array = DeviceArray::new(2, 4);
        let report = program(Vteam::default(), S001, &scheme, &mut array, &target).unwrap();
        assert_eq!(report.failures, [(0, 0), (0, 1), (0, 2)]);
        assert_eq!(report.disturbs, 3);
    }

    #[test]
    fn program_reports_stuck_devices() {
        let mut array = DeviceArray::new(3, 3);
        array.stick(1, 1, false).unwrap();
        array.stick(2, 0, true).unwrap();
        let mut target = DeviceArray::new(3, 3);
        target.set(1, 1, true);
        target.set(0, 2, true);
        let report = program(Vteam::default(), S001, &WriteScheme::default(), &mut array, &target).unwrap();
        assert_eq!(report.failures, [(1, 1), (2, 0)]);
        assert!(array.get(0, 2) && !array.get(1, 1) && array.get(2, 0));
    }

    #[test]
    fn program_refuses_bad_schemes_and_shapes() {
        let mut array = DeviceArray::new(2, 2);
        let target = DeviceArray::new(2, 2);
        let scheme = WriteScheme { set_volts: 1.0, ..WriteScheme::default() };
        let error = program(Vteam::default(), S001, &scheme, &mut array, &target).unwrap_err();
        assert_eq!(error.to_string(), "set_volts is 1, must be negative; VTEAM sets to LRS below V_on");
        let scheme = WriteScheme { pulse_seconds: 0.0, ..WriteScheme::default() };
        assert!(program(Vteam::default(), S001, &scheme, &mut array, &target).is_err());
        let other = DeviceArray::new(2, 3);
        assert!(program(Vteam::default(), S001, &WriteScheme::default(), &mut array, &other).is_err());
    }
}

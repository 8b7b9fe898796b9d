//! The device array of a machine: one state a device, as the columns see it.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::Array2;
use rand::Rng;

use crate::error::GoldenError;
use crate::machine::{Machine, MachineError};

/// States of all devices, `[row][column]`, the tiles of a tall matrix one below the other.
///
/// A state is a level, of which a machine of one-bit devices uses two: 0 is HRS, 1 is LRS. A stuck device keeps
/// its state whatever is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceArray {
    rows: usize,
    columns: usize,
    levels: Vec<u8>,
    stuck: BTreeMap<(usize, usize), bool>,
}

/// Smallest and largest weight of `weight_bits` bits; binary weights are -1 and +1 only.
pub fn weight_range(weight_bits: usize) -> (i32, i32) {
    if weight_bits == 1 { (-1, 1) } else { (-(1 << (weight_bits - 1)), (1 << (weight_bits - 1)) - 1) }
}

/// Whether bit `j` of `weight` is stored as LRS: two's complement, or for binary weights +1 as LRS, -1 as HRS.
pub fn weight_bit(weight: i8, j: usize, weight_bits: usize) -> bool {
    if weight_bits == 1 { weight > 0 } else { (weight >> j) & 1 == 1 }
}

/// Check that `rows` rows of weights fill the machine's tiles.
///
/// One tile is filled exactly. Of several, all but the last are full; the rows that the last lacks have no
/// devices and are never driven.
pub(crate) fn check_rows(machine: &Machine, what: &'static str, rows: usize) -> Result<(), GoldenError> {
    let shape = |unit, value, limit| GoldenError::Shape { what, unit, value, limit, machine: machine.name.clone() };
    let tallest = machine.tiles * machine.rows;
    let shortest = if machine.tiles == 1 { machine.rows } else { tallest - machine.rows + 1 };
    if rows < shortest || rows > tallest || rows <= machine.bias_rows {
        let limit = if shortest == tallest { tallest.to_string() } else { format!("{shortest}..={tallest}") };
        return Err(shape("rows", rows, limit));
    }
    Ok(())
}

/// Check the machine as far as this model is concerned.
///
/// A result lane of 16 bits is the gateware's limit; sums here have 32, which all tiles together must not exceed.
pub(crate) fn check_machine(machine: &Machine) -> Result<(), GoldenError> {
    match machine.check() {
        // Reported last, so that everything else has passed.
        Err(MachineError::Range { field: "sum bits", .. }) | Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    // Binary sums, 2 q - a, take one bit more than the others.
    let (value, limit) = (machine.tiles, 1usize << (31 - machine.sum_bits().min(31)));
    if value > limit || machine.sum_bits() > 31 {
        let (machine, limit) = (machine.name.clone(), format!("1..={limit}, lest sums exceed 32 bits"));
        return Err(GoldenError::Shape { what: "machine", unit: "tiles", value, limit, machine });
    }
    Ok(())
}

impl DeviceArray {
    /// An array of that shape, every device in HRS.
    pub fn new(rows: usize, columns: usize) -> Self {
        Self { rows, columns, levels: vec![0; rows * columns], stuck: BTreeMap::new() }
    }

    /// Put weights into an array, as perfect programming would: column `output * weight_bits + j` holds bit j.
    ///
    /// `weights`: `[output][row]`, the bias rows last; two's complement of `weight_bits` bits, or -1 and +1 when
    /// there is one bit. A matrix taller than a tile runs on into the next.
    ///
    /// # Errors
    /// [`GoldenError::Shape`], [`GoldenError::WeightRange`], or the machine's own fault.
    pub fn from_weights(machine: &Machine, weights: &Array2<i8>) -> Result<Self, GoldenError> {
        check_machine(machine)?;
        let (outputs, rows) = weights.dim();
        if outputs != machine.outputs {
            return Err(GoldenError::Shape {
                what: "weight matrix",
                unit: "outputs",
                value: outputs,
                limit: machine.outputs.to_string(),
                machine: machine.name.clone(),
            });
        }
        check_rows(machine, "weight matrix", rows)?;
        let bits = machine.weight_bits;
        let (low, high) = weight_range(bits);
        let mut array = Self::new(rows, machine.columns());
        for ((output, row), &weight) in weights.indexed_iter() {
            let value = i32::from(weight);
            if value < low || value > high || (bits == 1 && value == 0) {
                let limit = if bits == 1 { "-1 or 1".to_string() } else { format!("{low}..={high}") };
                return Err(GoldenError::WeightRange { output, row, value: weight, weight_bits: bits, limit });
            }
            for j in 0..bits {
                array.set(row, output * bits + j, weight_bit(weight, j, bits));
            }
        }
        Ok(array)
    }

    /// Read the weights back, `[output][row]`, stuck devices and all: the inverse of [`Self::from_weights`].
    ///
    /// # Errors
    /// [`GoldenError::Shape`] when the array is not the machine's.
    pub fn to_weights(&self, machine: &Machine) -> Result<Array2<i8>, GoldenError> {
        self.check(machine)?;
        let bits = machine.weight_bits;
        Ok(Array2::from_shape_fn((machine.outputs, self.rows), |(output, row)| {
            let stored = |j| i32::from(self.get(row, output * bits + j));
            let weight = if bits == 1 {
                2 * stored(0) - 1
            } else {
                (0..bits).map(|j| crate::recombination::column_sign(bits, j) * (stored(j) << j)).sum()
            };
            weight as i8
        }))
    }

    /// Check that this array has the machine's shape.
    ///
    /// # Errors
    /// [`GoldenError::Shape`].
    pub fn check(&self, machine: &Machine) -> Result<(), GoldenError> {
        check_rows(machine, "device array", self.rows)?;
        if self.columns != machine.columns() {
            return Err(GoldenError::Shape {
                what: "device array",
                unit: "columns",
                value: self.columns,
                limit: machine.columns().to_string(),
                machine: machine.name.clone(),
            });
        }
        Ok(())
    }

    /// Word lines, over all tiles, bias rows included.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bit lines.
    pub fn columns(&self) -> usize {
        self.columns
    }

    fn index(&self, row: usize, column: usize) -> usize {
        assert!(row < self.rows && column < self.columns, "{}", self.outside(row, column));
        row * self.columns + column
    }

    fn outside(&self, row: usize, column: usize) -> GoldenError {
        GoldenError::Position { row, column, rows: self.rows, columns: self.columns }
    }

    /// Level of a device: 0 is HRS, 1 is LRS.
    ///
    /// # Panics
    /// Outside the array, as do `get`, `set` and `flip`.
    pub fn level(&self, row: usize, column: usize) -> u8 {
        self.levels[self.index(row, column)]
    }

    /// Whether a device is in LRS, and so stores 1.
    pub fn get(&self, row: usize, column: usize) -> bool {
        self.level(row, column) == 1
    }

    /// Write a device: LRS for `true`. A stuck device stays as it is.
    pub fn set(&mut self, row: usize, column: usize, lrs: bool) {
        let index = self.index(row, column);
        if !self.stuck.contains_key(&(row, column)) {
            self.levels[index] = u8::from(lrs);
        }
    }

    /// Invert a device's state, the fault that a test injects. A stuck device stays as it is.
    pub fn flip(&mut self, row: usize, column: usize) {
        self.set(row, column, !self.get(row, column));
    }

    /// Stick a device at LRS (`true`) or HRS: it takes that state now and no write changes it again.
    ///
    /// # Errors
    /// [`GoldenError::Position`] outside the array.
    pub fn stick(&mut self, row: usize, column: usize, lrs: bool) -> Result<(), GoldenError> {
        if row >= self.rows || column >= self.columns {
            return Err(self.outside(row, column));
        }
        let index = self.index(row, column);
        self.levels[index] = u8::from(lrs);
        self.stuck.insert((row, column), lrs);
        Ok(())
    }

    /// Stick each device with probability `fraction`, at LRS with probability `lrs_share`, else at HRS.
    ///
    /// Draws one u32 for each device, row by row, and a second for each device that sticks.
    ///
    /// # Errors
    /// [`GoldenError::Parameter`] when a probability is not in 0..=1.
    pub fn stick_fraction(&mut self, fraction: f64, lrs_share: f64, random: &mut impl Rng) -> Result<(), GoldenError> {
        for (parameter, value) in [("stuck fraction", fraction), ("stuck-at-LRS share", lrs_share)] {
            if !(0.0..=1.0).contains(&value) {
                let (limit, remedy) = ("a probability, 0 to 1", "give 0.01 for one device in a hundred");
                return Err(GoldenError::Parameter { parameter, value, limit, remedy });
            }
        }
        let mut draw = |probability: f64| f64::from(random.random::<u32>()) < probability * 4_294_967_296.0;
        for row in 0..self.rows {
            for column in 0..self.columns {
                if draw(fraction) {
                    let lrs = draw(lrs_share);
                    self.stick(row, column, lrs)?;
                }
            }
        }
        Ok(())
    }

    /// Whether, and at which state, a device is stuck.
    pub fn stuck(&self, row: usize, column: usize) -> Option<bool> {
        self.stuck.get(&(row, column)).copied()
    }

    /// How many devices are stuck.
    pub fn stuck_devices(&self) -> usize {
        self.stuck.len()
    }

    /// Devices of one column in the given rows, LRS is `true`.
    pub fn column(&self, rows: Range<usize>, column: usize) -> Vec<bool> {
        rows.map(|row| self.get(row, column)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::QuantizerConfig;
    use crate::random::stream;
    use ndarray::array;

    fn tiny_weights() -> Array2<i8> {
        Array2::from_shape_fn((3, 9), |(output, row)| ((output * 9 + row) % 8) as i8 - 4)
    }

    #[test]
    fn from_weights_round_trips() {
        let machine = Machine::named("tiny").unwrap();
        let array = DeviceArray::from_weights(&machine, &tiny_weights()).unwrap();
        assert_eq!((array.rows(), array.columns()), (9, 9));
        assert_eq!(array.to_weights(&machine).unwrap(), tiny_weights());
        assert_eq!(array.column(0..9, 2), (0..9).map(|row| row % 8 < 4).collect::<Vec<_>>());
    }

    #[test]
    fn from_weights_binary_stores_plus_one_as_lrs() {
        let machine = Machine {
            weight_bits: 1,
            rows: 2,
            outputs: 2,
            column_lanes: 1,
            bias_rows: 0,
            row_lanes: 2,
            ..Machine::named("tiny").unwrap()
        };
        let weights = array![[1, -1], [-1, 1]];
        let array = DeviceArray::from_weights(&machine, &weights).unwrap();
        assert!(array.get(0, 0) && !array.get(1, 0) && !array.get(0, 1) && array.get(1, 1));
        assert_eq!(array.to_weights(&machine).unwrap(), weights);
        let error = DeviceArray::from_weights(&machine, &array![[1, 0], [1, 1]]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "weight of output 0, row 1 is 0, 1-bit weights are -1 or 1; quantize it again or raise weight_bits in the machine"
        );
    }

    #[test]
    fn from_weights_refuses_what_does_not_fit() {
        let machine = Machine::named("tiny").unwrap();
        let mut weights = tiny_weights();
        weights[[2, 8]] = 4;
        assert!(matches!(
            DeviceArray::from_weights(&machine, &weights),
            Err(GoldenError::WeightRange { output: 2, row: 8, value: 4, weight_bits: 3, .. })
        ));
        assert!(matches!(
            DeviceArray::from_weights(&machine, &Array2::zeros((3, 8))),
            Err(GoldenError::Shape { unit: "rows", value: 8, .. })
        ));
        assert!(matches!(
            DeviceArray::from_weights(&machine, &Array2::zeros((4, 9))),
            Err(GoldenError::Shape { unit: "outputs", value: 4, .. })
        ));
    }

    #[test]
    fn from_weights_tiles_take_a_ragged_last_one() {
        let machine = Machine { tiles: 3, ..Machine::named("tiny").unwrap() };
        for (rows, fits) in [(18, false), (19, true), (27, true), (28, false)] {
            assert_eq!(DeviceArray::from_weights(&machine, &Array2::zeros((3, rows))).is_ok(), fits, "{rows}");
        }
    }

    #[test]
    fn from_weights_refuses_sums_beyond_32_bits() {
        let tiny = Machine::named("tiny").unwrap();
        let wide = |bits, tiles| {
            let quantizer = QuantizerConfig { bits, ..tiny.quantizer };
            check_machine(&Machine { weight_bits: 8, input_bits: 8, column_lanes: 8, tiles, quantizer, ..tiny.clone() })
        };
        assert_eq!(wide(9, 1), Ok(())); // 25 bits, more than a result lane's 16
        assert_eq!(wide(9, 64), Ok(()));
        assert!(matches!(wide(9, 65), Err(GoldenError::Shape { unit: "tiles", value: 65, .. })));
        assert!(wide(16, 1).is_err());
    }

    #[test]
    fn stuck_device_ignores_writes() {
        let mut array = DeviceArray::new(2, 2);
        array.stick(0, 1, true).unwrap();
        array.set(0, 1, false);
        array.flip(0, 1);
        assert!(array.get(0, 1));
        assert_eq!((array.stuck(0, 1), array.stuck(0, 0)), (Some(true), None));
        assert_eq!(
            array.stick(2, 0, true).unwrap_err(),
            GoldenError::Position { row: 2, column: 0, rows: 2, columns: 2 }
        );
    }

    #[test]
    fn stick_fraction_is_seeded_and_near_its_share() {
        let stick = |seed| {
            let mut array = DeviceArray::new(100, 100);
            array.stick_fraction(0.1, 0.25, &mut stream("stuck", seed)).unwrap();
            array
        };
        assert_eq!(stick(1), stick(1));
        assert_ne!(stick(1), stick(2));
        let array = stick(1);
        assert!((900..1100).contains(&array.stuck_devices()), "{}", array.stuck_devices());
        let lrs = array.stuck.values().filter(|lrs| **lrs).count();
        assert!((200..300).contains(&lrs), "{lrs}");
        assert!(DeviceArray::new(1, 1).stick_fraction(1.5, 0.0, &mut stream("stuck", 0)).is_err());
    }
}

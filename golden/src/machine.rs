//! A machine: a complete, sized design, read from `configs/*.toml`.
//!
//! Sizes are chosen there and nowhere else. This module checks them, and derives every other width and
//! count that golden, gateware and host share.

use crate::quantizer::is_lossless;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What can be wrong with a machine's description.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum MachineError {
    /// The text is not TOML, or a field is missing, unknown or of the wrong type.
    #[error("machine description does not parse: {message}; compare it with configs/digits.toml")]
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// A size lies outside its range.
    #[error("machine {machine}: {field} is {value}, must be {limit}; {remedy}")]
    Range {
        /// The machine's name.
        machine: String,
        /// The offending field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The allowed range, in words.
        limit: String,
        /// What to do.
        remedy: &'static str,
    },
    /// No machine of that name is built in.
    #[error("no machine is called {name}; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}

/// Resistances of the two device states and how a column's current is referred to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conductance {
    /// Resistance of a device in the low-resistance state (stores 1), in ohms.
    pub lrs_ohms: u32,
    /// Resistance of a device in the high-resistance state (stores 0), in ohms.
    pub hrs_ohms: u32,
    /// Whether the current of a column whose devices are all HRS is subtracted.
    pub reference_column: bool,
}

impl Conductance {
    /// Conductance of a device in LRS in units of the HRS conductance: g = R_HRS / R_LRS (100 in S001).
    pub fn ratio(&self) -> u32 {
        self.hrs_ohms / self.lrs_ohms
    }
}

/// Constants of the quantizer that replaces the ADC (S001, Eq. 2, in integers):
/// `q = clamp((I * multiplier + half) >> shift, 0, 2^bits - 1)`, half = (1 << shift) >> 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantizerConfig {
    /// m: scales the column current.
    pub multiplier: u32,
    /// s: right shift after scaling, 0..=32.
    pub shift: u32,
    /// Ba: width of the output code, 1..=16.
    pub bits: u32,
}

/// Speed of the serial link and of the clock it is derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// Bits a second on the wire.
    pub baud: u32,
    /// Frequency of the machine's clock in hertz.
    pub clock_hz: u32,
}

impl LinkConfig {
    /// Clocks a bit lasts on the wire, rounded to the nearest whole number.
    pub fn clocks_per_bit(&self) -> u32 {
        (self.clock_hz + self.baud / 2) / self.baud
    }

    /// Clocks a byte lasts on the wire: a start bit, eight bits of data, a stop bit.
    pub fn clocks_per_byte(&self) -> u64 {
        10 * u64::from(self.clocks_per_bit())
    }
}

/// A complete, sized design.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Name, at most 16 ASCII characters.
    pub name: String,
    /// Word lines of a tile, bias rows included (R).
    pub rows: usize,
    /// How many of the rows, the last ones, are driven by `bias_code` and hold biases.
    pub bias_rows: usize,
    /// Constant input code of the bias rows, unsigned, `input_bits` wide.
    pub bias_code: u32,
    /// Neurons; each owns `weight_bits` columns.
    pub outputs: usize,
    /// Bw: bits, and so columns, of a weight, 1..=8.
    pub weight_bits: usize,
    /// Bx: bits, and so planes, of an input, 1..=8.
    pub input_bits: usize,
    /// Arrays of `rows` x `columns`.
    pub tiles: usize,
    /// Rows read per clock; `rows` means the whole column at once.
    pub row_lanes: usize,
    /// Planes read per clock; `input_bits` means all at once.
    pub plane_lanes: usize,
    /// Columns read per clock: a divisor of `weight_bits`, or a multiple of it.
    pub column_lanes: usize,
    /// Images, and results, that the slot memory holds.
    pub slots: usize,
    /// Device resistances.
    pub conductance: Conductance,
    /// The quantizer's constants.
    pub quantizer: QuantizerConfig,
    /// The link's speed.
    pub link: LinkConfig,
}

/// Smallest number of bits that holds every value in `0..=n`: clog2(n + 1).
pub const fn bits_to_hold(n: usize) -> usize {
    (usize::BITS - n.leading_zeros()) as usize
}

/// Smallest number of bits that indexes `n` things: clog2(n), at least 1.
pub const fn bits_to_index(n: usize) -> usize {
    if n <= 2 { 1 } else { bits_to_hold(n - 1) }
}

const BUILT_IN: [(&str, &str); 3] = [
    ("tiny", include_str!("../../configs/tiny.toml")),
    ("digits", include_str!("../../configs/digits.toml")),
    ("digits-turbo", include_str!("../../configs/digits-turbo.toml")),
];

/// The description of that name in a table of names and descriptions.
pub(crate) fn built_in<'a>(table: &[(&str, &'a str)], name: &str) -> Result<&'a str, MachineError> {
    let (_, text) = table.iter().find(|(known, _)| *known == name).ok_or_else(|| MachineError::Unknown {
        name: name.to_string(),
        known: table.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
    })?;
    Ok(text)
}

impl Machine {
    /// Names of the machines in `configs/`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The machine of that name in `configs/`, as it stood when this crate was built.
    ///
    /// # Errors
    /// [`MachineError::Unknown`] lists the names there are.
    pub fn named(name: &str) -> Result<Self, MachineError> {
        Self::from_toml(built_in(&BUILT_IN, name)?)
    }

    /// Read and check a machine's description.
    ///
    /// # Errors
    /// [`MachineError::Syntax`] or [`MachineError::Range`].
    pub fn from_toml(text: &str) -> Result<Self, MachineError> {
        let machine: Self =
            toml::from_str(text).map_err(|e| MachineError::Syntax { message: e.to_string().trim().to_string() })?;
        machine.check()?;
        Ok(machine)
    }

    /// Check every size and every width derived from it.
    ///
    /// # Errors
    /// [`MachineError::Range`] names the first field that is out of its range.
    pub fn check(&self) -> Result<(), MachineError> {
        let fail = |field, value: usize, limit: String, remedy| {
            Err(MachineError::Range { machine: self.name.clone(), field, value: value as u64, limit, remedy })
        };
        let range = |field, value: usize, low: usize, high: usize, remedy| {
            if (low..=high).contains(&value) { Ok(()) } else { fail(field, value, format!("{low}..={high}"), remedy) }
        };
        range("name length", self.name.len(), 1, 16, "shorten the name")?;
        range("weight_bits", self.weight_bits, 1, 8, "split wider weights over several outputs")?;
        range("input_bits", self.input_bits, 1, 8, "requantize the inputs")?;
        range("rows", self.rows, 1, 4096, "split the matrix over tiles")?;
        range("bias_rows", self.bias_rows, 0, self.rows - 1, "leave at least one row for an input")?;
        range("bias_code", self.bias_code as usize, 0, (1 << self.input_bits) - 1, "raise input_bits")?;
        range("outputs", self.outputs, 2, 1024, "argmax needs two outputs to have a margin")?;
        range("tiles", self.tiles, 1, 1 << 16, "a machine has at least one tile")?;
        range("row_lanes", self.row_lanes, 1, self.rows, "use `rows` to read the whole column at once")?;
        range("plane_lanes", self.plane_lanes, 1, self.input_bits, "use `input_bits` to read every plane at once")?;
        range("column_lanes", self.column_lanes, 1, self.columns(), "use outputs * weight_bits for all columns")?;
        if !self.weight_bits.is_multiple_of(self.column_lanes) && !self.column_lanes.is_multiple_of(self.weight_bits) {
            let limit = format!("a divisor or a multiple of weight_bits = {}", self.weight_bits);
            return fail("column_lanes", self.column_lanes, limit, "an output's columns must not straddle two clocks");
        }
        range("slots", self.slots, 1, 1 << 15, "load the images in batches")?;
        range("lrs_ohms", self.conductance.lrs_ohms as usize, 1, 1 << 30, "give the resistance in ohms")?;
        range(
            "hrs_ohms",
            self.conductance.hrs_ohms as usize,
            self.conductance.lrs_ohms as usize * 2,
            1 << 30,
            "the HRS must be at least twice the LRS",
        )?;
        range("conductance ratio", self.conductance.ratio() as usize, 2, 1 << 16, "bring the two states closer")?;
        range("quantizer.bits", self.quantizer.bits as usize, 1, 16, "codes are at most 16 bits")?;
        range("quantizer.shift", self.quantizer.shift as usize, 0, 32, "scale the multiplier down as well")?;
        range("quantizer.multiplier", self.quantizer.multiplier as usize, 1, 1 << 24, "scale the shift down as well")?;
        range("link.baud", self.link.baud as usize, 300, 12_000_000, "choose a speed the adapter knows")?;
        range(
            "clocks per bit",
            self.link.clocks_per_bit() as usize,
            4,
            65_535,
            "lower the baud rate or raise the clock",
        )?;
        range("sum bits", self.sum_bits(), 1, 16, "a result lane is 16 bits; use fewer rows, planes or columns")
    }

    /// Rows that take an input code: `rows - bias_rows`.
    pub fn inputs(&self) -> usize {
        self.rows - self.bias_rows
    }

    /// Bit lines of a tile: `outputs * weight_bits`.
    pub fn columns(&self) -> usize {
        self.outputs * self.weight_bits
    }

    /// Clocks it takes to read every row of one column group and plane group.
    pub fn row_groups(&self) -> usize {
        self.rows.div_ceil(self.row_lanes)
    }

    /// Groups the planes are read in.
    pub fn plane_groups(&self) -> usize {
        self.input_bits.div_ceil(self.plane_lanes)
    }

    /// Groups the columns are read in.
    pub fn column_groups(&self) -> usize {
        self.columns().div_ceil(self.column_lanes)
    }

    /// Outputs whose columns are read in the same clock, at least 1.
    pub fn output_lanes(&self) -> usize {
        (self.column_lanes / self.weight_bits).max(1)
    }

    /// Clocks the array is busy with one image.
    pub fn steps_per_image(&self) -> usize {
        self.row_groups() * self.plane_groups() * self.column_groups()
    }

    /// Bits that hold a column's count, 0..=rows.
    pub fn count_bits(&self) -> usize {
        bits_to_hold(self.rows)
    }

    /// Largest code the quantizer can give: 2^Ba - 1.
    pub fn code_max(&self) -> u32 {
        (1 << self.quantizer.bits) - 1
    }

    /// Bits of the signed sum y of one output, sign included: holds
    /// -2^(Bw-1) * q * (2^Bx - 1) ..= (2^(Bw-1) - 1) * q * (2^Bx - 1) for the largest code q.
    ///
    /// For one column (Bw = 1) the column is unsigned in the array and y = 2 n - a, see the layer.
    pub fn sum_bits(&self) -> usize {
        let per_plane = self.code_max() as usize;
        let planes = (1usize << self.input_bits) - 1;
        let magnitude = per_plane * planes * (1 << (self.weight_bits - 1));
        // -magnitude ..= magnitude - 1 needs clog2(magnitude) + 1 bits.
        bits_to_hold(magnitude - 1).max(1) + 1
    }

    /// 16-bit lanes that an image's packed input codes take in a slot.
    pub fn input_words(&self) -> usize {
        (self.inputs() * self.input_bits).div_ceil(16)
    }

    /// 16-bit lanes of a slot: an image's codes, or a result (one lane an output, then class, then margin).
    pub fn slot_words(&self) -> usize {
        self.input_words().max(self.outputs + 2)
    }

    /// 16-bit words that hold the rows of one column in one row group.
    pub fn array_words(&self) -> usize {
        self.row_lanes.div_ceil(16)
    }

    /// Whether the quantizer gives back every count 0..=rows unchanged and clamps none (contract section 3).
    pub fn is_lossless(&self) -> bool {
        is_lossless(&self.conductance, &self.quantizer, self.rows)
    }
}

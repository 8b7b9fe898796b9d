//! What the model refuses, and why.

use thiserror::Error;

use crate::machine::MachineError;

/// Everything the array model refuses. Fields are data; the message says what, value, limit and remedy.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum GoldenError {
    /// The machine's own description is at fault.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A weight matrix or array does not have the machine's shape.
    #[error(
        "{what} has {value} {unit}, machine {machine} takes {limit}; load a network made for this machine, or change the machine"
    )]
    Shape {
        /// The thing of the wrong shape.
        what: &'static str,
        /// What was counted.
        unit: &'static str,
        /// How many there are.
        value: usize,
        /// How many there may be, in words.
        limit: String,
        /// The machine's name.
        machine: String,
    },
    /// A weight does not fit its columns.
    #[error(
        "weight of output {output}, row {row} is {value}, {weight_bits}-bit weights are {limit}; quantize it again or raise weight_bits in the machine"
    )]
    WeightRange {
        /// Output of the weight.
        output: usize,
        /// Row of the weight.
        row: usize,
        /// Its value.
        value: i8,
        /// Bits of a weight.
        weight_bits: usize,
        /// The allowed values, in words.
        limit: String,
    },
    /// An input code needs more planes than the machine has.
    #[error(
        "input {input} of image {image} is code {code}, {input_bits}-bit codes are 0..={limit}; requantize the images or raise input_bits in the machine"
    )]
    InputCode {
        /// The image's index.
        image: usize,
        /// The input's index in the image.
        input: usize,
        /// Its code.
        code: u8,
        /// Bits of a code.
        input_bits: usize,
        /// The largest code.
        limit: u32,
    },
    /// There is not one label for each image.
    #[error("{labels} labels came with {images} images; give one label an image, None where it is unknown")]
    LabelCount {
        /// Labels given.
        labels: usize,
        /// Images given.
        images: usize,
    },
    /// A device position lies outside the array.
    #[error(
        "device at row {row}, column {column} lies outside the array of {rows} rows and {columns} columns; count both from 0"
    )]
    Position {
        /// Row asked for.
        row: usize,
        /// Column asked for.
        column: usize,
        /// Rows there are.
        rows: usize,
        /// Columns there are.
        columns: usize,
    },
    /// A device or write parameter makes no physical sense.
    #[error("{parameter} is {value}, must be {limit}; {remedy}")]
    Parameter {
        /// The parameter, with its unit in the name.
        parameter: &'static str,
        /// Its value.
        value: f64,
        /// The allowed range, in words.
        limit: &'static str,
        /// What to do.
        remedy: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_value_limit_remedy() {
        let cases: [(GoldenError, &str); 7] = [
            (
                GoldenError::Machine(MachineError::Unknown { name: "big".into(), known: "tiny".into() }),
                "no machine is called big; there are: tiny",
            ),
            (
                GoldenError::Shape {
                    what: "weight matrix",
                    unit: "rows",
                    value: 64,
                    limit: "65".into(),
                    machine: "digits".into(),
                },
                "weight matrix has 64 rows, machine digits takes 65; load a network made for this machine, or change the machine",
            ),
            (
                GoldenError::WeightRange { output: 1, row: 2, value: 8, weight_bits: 4, limit: "-8..=7".into() },
                "weight of output 1, row 2 is 8, 4-bit weights are -8..=7; quantize it again or raise weight_bits in the machine",
            ),
            (
                GoldenError::InputCode { image: 3, input: 4, code: 32, input_bits: 5, limit: 31 },
                "input 4 of image 3 is code 32, 5-bit codes are 0..=31; requantize the images or raise input_bits in the machine",
            ),
            (
                GoldenError::LabelCount { labels: 2, images: 3 },
                "2 labels came with 3 images; give one label an image, None where it is unknown",
            ),
            (
                GoldenError::Position { row: 9, column: 0, rows: 9, columns: 9 },
                "device at row 9, column 0 lies outside the array of 9 rows and 9 columns; count both from 0",
            ),
            (
                GoldenError::Parameter {
                    parameter: "v_on_volts",
                    value: 0.5,
                    limit: "negative",
                    remedy: "give the voltage that sets a device to LRS",
                },
                "v_on_volts is 0.5, must be negative; give the voltage that sets a device to LRS",
            ),
        ];
        for (error, message) in cases {
            assert_eq!(error.to_string(), message);
        }
    }
}

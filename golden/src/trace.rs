//! Every intermediate number of one image, for explaining a result and for naming the first difference.

use std::fmt;

use ndarray::{Array2, ArrayView1};

use crate::argmax::{Verdict, argmax};
use crate::array::DeviceArray;
use crate::error::GoldenError;
use crate::machine::Machine;
use crate::planes::plane;
use crate::recombination::plane_sum;
use crate::run::{check, row_codes};
use crate::tile::{TileReading, read, tile_rows};

/// One array read of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaneTrace {
    /// The tile read.
    pub tile: usize,
    /// The plane applied.
    pub plane: usize,
    /// Which of the tile's rows it drives.
    pub driven: Vec<bool>,
    /// a, and each column's n, I and q.
    pub reading: TileReading,
    /// Each output's sum for this plane, before the plane's weight 2^plane.
    pub sums: Vec<i32>,
}

/// One image from codes to class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Columns of an output.
    pub weight_bits: usize,
    /// Input codes of all rows, bias rows last.
    pub codes: Vec<u8>,
    /// The array reads, tile by tile, plane by plane.
    pub reads: Vec<PlaneTrace>,
    /// y of each output.
    pub outputs: Vec<i32>,
    /// Class and margin.
    pub verdict: Verdict,
}

/// Where two traces first part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The output.
    pub output: usize,
    /// The tile, plane and column whose reading differs; `None` when every reading agrees.
    pub reading: Option<(usize, usize, usize)>,
    /// What both have: q at that reading, else y.
    pub values: (i64, i64),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = self.values;
        match self.reading {
            Some((tile, plane, column)) => {
                write!(
                    f,
                    "output {}, tile {tile}, plane {plane}, column {column}: code {left}, not {right}",
                    self.output
                )
            }
            None => write!(f, "output {}: sum {left}, not {right}", self.output),
        }
    }
}

/// Run one image and keep every number on the way; the sums equal [`crate::run::run`]'s.
///
/// `image`: codes of the input rows. Arguments and errors as for [`crate::run::run`].
///
/// # Errors
/// [`GoldenError`] for a shape or a code that the machine cannot take.
pub fn explain(machine: &Machine, array: &DeviceArray, image: ArrayView1<'_, u8>) -> Result<Trace, GoldenError> {
    let images = Array2::from_shape_fn((1, image.len()), |(_, input)| image[input]);
    check(machine, array, &images, &[None])?;
    let codes = row_codes(machine, image.iter().copied());
    let mut outputs = vec![0; machine.outputs];
    let mut reads = Vec::new();
    for tile in 0..machine.tiles {
        let rows = tile_rows(machine, array, tile);
        for i in 0..machine.input_bits {
            let driven = plane(&codes[rows.clone()], i);
            let reading = read(machine, array, rows.clone(), &driven);
            let sums: Vec<i32> = reading
                .readings
                .chunks(machine.weight_bits)
                .map(|columns| plane_sum(&columns.iter().map(|r| r.code).collect::<Vec<_>>(), reading.active))
                .collect();
            for (output, sum) in sums.iter().enumerate() {
                outputs[output] += sum << i;
            }
            reads.push(PlaneTrace { tile, plane: i, driven, reading, sums });
        }
    }
    let verdict = argmax(&outputs);
    Ok(Trace { weight_bits: machine.weight_bits, codes, reads, outputs, verdict })
}

impl Trace {
    /// The first output that differs, and within it the first array read and column whose code does.
    pub fn first_difference(&self, other: &Self) -> Option<Difference> {
        let codes =
            |trace: &Self, read: usize, column: usize| i64::from(trace.reads[read].reading.readings[column].code);
        for output in 0..self.outputs.len() {
            for (index, read) in self.reads.iter().enumerate() {
                for column in output * self.weight_bits..(output + 1) * self.weight_bits {
                    let values = (codes(self, index, column), codes(other, index, column));
                    if values.0 != values.1 {
                        return Some(Difference { output, reading: Some((read.tile, read.plane, column)), values });
                    }
                }
            }
            let values = (i64::from(self.outputs[output]), i64::from(other.outputs[output]));
            if values.0 != values.1 {
                return Some(Difference { output, reading: None, values });
            }
        }
        None
    }
}

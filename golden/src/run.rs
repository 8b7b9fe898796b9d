//! A run: images through the array, to classes and counters, in the order of the equations.

use ndarray::Array2;

use crate::argmax::argmax;
use crate::array::{DeviceArray, check_machine};
use crate::counters::Counters;
use crate::error::GoldenError;
use crate::machine::Machine;
use crate::planes::plane;
use crate::recombination::{plane_sum, recombine};
use crate::tile::{read, tile_rows};
use crate::timing::run_cycles;

/// Everything a run gives: what the hardware stores and what it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunResult {
    /// y, `[image][output]`.
    pub outputs: Array2<i32>,
    /// The winning output of each image.
    pub classes: Vec<u16>,
    /// How far it led, see [`crate::argmax::Verdict`].
    pub margins: Vec<u32>,
    /// The counters after the run.
    pub counters: Counters,
}

/// Input codes of one image as the rows see them: the image, then `bias_code` on each bias row.
pub fn row_codes(machine: &Machine, image: impl IntoIterator<Item = u8>) -> Vec<u8> {
    image.into_iter().chain(std::iter::repeat_n(machine.bias_code as u8, machine.bias_rows)).collect()
}

/// Check that a run's parts fit the machine and each other; shared by the plain and the packed version.
pub(crate) fn check(
    machine: &Machine,
    array: &DeviceArray,
    images: &Array2<u8>,
    labels: &[Option<u8>],
) -> Result<(), GoldenError> {
    check_machine(machine)?;
    array.check(machine)?;
    check_images(&machine.name, array.rows() - machine.bias_rows, images, labels)?;
    check_codes(images, images.ncols(), machine.input_bits)
}

/// Check that codes, image by image, have `input_bits` bits at most.
pub(crate) fn check_codes<'a>(
    codes: impl IntoIterator<Item = &'a u8>,
    inputs: usize,
    input_bits: usize,
) -> Result<(), GoldenError> {
    let limit = (1u32 << input_bits) - 1;
    match codes.into_iter().enumerate().find(|(_, code)| u32::from(**code) > limit) {
        None => Ok(()),
        Some((at, code)) => {
            Err(GoldenError::InputCode { image: at / inputs, input: at % inputs, code: *code, input_bits, limit })
        }
    }
}

/// Check the number of inputs and of labels.
pub(crate) fn check_images(
    whose: &str,
    inputs: usize,
    images: &Array2<u8>,
    labels: &[Option<u8>],
) -> Result<(), GoldenError> {
    if images.ncols() != inputs {
        return Err(GoldenError::Shape {
            what: "image",
            unit: "inputs",
            value: images.ncols(),
            limit: inputs.to_string(),
            machine: whose.into(),
        });
    }
    if labels.len() != images.nrows() {
        return Err(GoldenError::LabelCount { labels: labels.len(), images: images.nrows() });
    }
    Ok(())
}

/// The counters that follow from the sizes alone; `row_pulses`, `saturations` and `correct` are left 0.
pub(crate) fn size_counters(machine: &Machine, rows: usize, images: usize) -> Counters {
    let images = images as u64;
    let array_reads = images * (machine.input_bits * machine.tiles) as u64;
    Counters {
        cycles: run_cycles(machine, images),
        busy_cycles: images * machine.steps_per_image() as u64,
        array_reads,
        conversions: array_reads * machine.columns() as u64,
        macs: images * (rows * machine.outputs) as u64,
        images,
        ..Counters::default()
    }
}

/// Run images through the array: the plain version, loops in the order of the contract's equations.
///
/// For each image, tile and plane: `n = popcount(p AND d)`, `I = (g-1) n (+ a)`, `q = clamp((I m + half) >> s)`,
/// `y = sum_i 2^i sum_j s_j 2^j q_ij`; tiles' sums add digitally; argmax, ties to the lowest index. Integers
/// throughout, exact; no randomness.
///
/// `images`: `[image][input]` codes of `input_bits` bits, bias rows excluded. `labels`: one an image; `None` is
/// never correct.
///
/// Counters: `array_reads` counts a plane applied to a tile once, however its reading is folded into clocks, and
/// `row_pulses` its driven rows, bias rows included; `conversions` and `saturations` are per column of each array
/// read; `macs` is images * matrix rows * outputs; cycles are [`run_cycles`].
///
/// # Errors
/// [`GoldenError`] for a shape or a code that the machine cannot take.
pub fn run(
    machine: &Machine,
    array: &DeviceArray,
    images: &Array2<u8>,
    labels: &[Option<u8>],
) -> Result<RunResult, GoldenError> {
    check(machine, array, images, labels)?;
    let mut counters = size_counters(machine, array.rows(), images.nrows());
    let mut outputs = Array2::zeros((images.nrows(), machine.outputs));
    let (mut classes, mut margins) = (Vec::new(), Vec::new());

    for (image, codes) in images.rows().into_iter().enumerate() {
        let codes = row_codes(machine, codes.iter().copied());
        for tile in 0..machine.tiles {
            let rows = tile_rows(machine, array, tile);
            let mut plane_sums = vec![Vec::new(); machine.outputs];
            for i in 0..machine.input_bits {
                let reading = read(machine, array, rows.clone(), &plane(&codes[rows.clone()], i));
                counters.row_pulses += u64::from(reading.active);
                counters.saturations += reading.readings.iter().filter(|r| r.saturated).count() as u64;
                for (output, columns) in reading.readings.chunks(machine.weight_bits).enumerate() {
                    let codes: Vec<u32> = columns.iter().map(|reading| reading.code).collect();
                    plane_sums[output].push(plane_sum(&codes, reading.active));
                }
            }
            for (output, sums) in plane_sums.iter().enumerate() {
                outputs[[image, output]] += recombine(sums);
            }
        }
        let verdict = argmax(outputs.row(image).as_slice().expect("rows of a fresh array are contiguous"));
        counters.correct += u64::from(labels[image].map(u16::from) == Some(verdict.class));
        classes.push(verdict.class);
        margins.push(verdict.margin);
    }
    Ok(RunResult { outputs, classes, margins, counters })
}

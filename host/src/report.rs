//! The report: one HTML file that opens from disk, with every figure as SVG and the numbers behind it in a table.
//!
//! The figures follow S001: training curves (Fig. 5), scale factor against accuracy (Fig. 6), the LED row (Fig. 7).
//! Nothing is computed here but counts and averages of what the caller measured; a part that is absent from
//! [`ReportData`] is named as absent on the page.

pub(crate) mod figures;
pub(crate) mod markup;
mod page;
mod sources;

use bitline_golden::array::DeviceArray;
use bitline_golden::counters::Counters;
use bitline_golden::machine::Machine;
use bitline_golden::network::EpochRecord;
use bitline_golden::scale_factor::{Sweep, scale_factor_of};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why no report was written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The file cannot be written.
    #[error("{file} cannot be written: {reason}; check that its folder exists and is writable")]
    Write {
        /// The file.
        file: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A figure could not be drawn.
    #[error("the figure {figure:?} cannot be drawn: {reason}; leave its data out of the report")]
    Figure {
        /// The figure.
        figure: String,
        /// The library's words.
        reason: String,
    },
    /// Two lists that belong together differ in length.
    #[error("the report has {found} {what}, must have {expected}; give one for each image of the run")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
}

/// Where the shown numbers come from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Version of bitline.
    pub version: String,
    /// Seed of the shipped network.
    pub seed: u64,
    /// Path of the network file.
    pub network: String,
    /// How its scale factor was chosen, as its provenance says.
    pub scale_factor_choice: String,
    /// Its scale factor.
    pub scale_factor: Option<f64>,
    /// The command that makes the network again.
    pub train_command: String,
    /// The command that makes this report again.
    pub report_command: String,
}

/// Training, epoch by epoch (S001, Fig. 5).
#[derive(Debug, Clone)]
pub struct Training {
    /// One record an epoch.
    pub history: Vec<EpochRecord>,
    /// Training images.
    pub train_images: usize,
    /// Test images.
    pub test_images: usize,
}

/// A way to choose the scale factor, with what it gave.
#[derive(Debug, Clone)]
pub struct Choice {
    /// On which images, in words: `test images`, `training images`, `held-out fold`.
    pub name: String,
    /// Whether these are the images that the result is told on.
    pub leaks: bool,
    /// The step chosen: the factor is step / 10000.
    pub step: u32,
    /// Training images the quantized network gets right.
    pub train_correct: u32,
    /// Test images the quantized network gets right.
    pub test_correct: u32,
    /// Whether the shipped network uses this choice.
    pub shipped: bool,
}

impl Choice {
    /// The scale factor.
    pub fn scale_factor(&self) -> f64 {
        scale_factor_of(self.step)
    }
}

/// Scale factor against accuracy (S001, Fig. 6).
#[derive(Debug, Clone)]
pub struct SweepData {
    /// Correct test images at each step.
    pub test: Sweep,
    /// Correct training images at each step.
    pub train: Sweep,
    /// Correct held-out images at each step.
    pub held_out: Option<Sweep>,
    /// The three choices.
    pub choices: Vec<Choice>,
}

/// One seed's results, as correct images.
#[derive(Debug, Clone)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// Float network, training images.
    pub float_train: u32,
    /// Float network, test images.
    pub float_test: u32,
    /// The quantized network under each choice, in one order for all seeds.
    pub choices: Vec<Choice>,
}

/// A run: what was computed by whom.
#[derive(Debug, Clone)]
pub struct Run {
    /// What ran, in words: `RustHDL simulation of the gateware, over the link`.
    pub engine: String,
    /// Whether gateware took part; if not, the page says that only the golden model ran.
    pub is_hardware: bool,
    /// Whether every output and every counter equalled golden's; absent without hardware.
    pub equal: Option<bool>,
    /// The true classes.
    pub labels: Vec<u8>,
    /// The classes computed.
    pub classes: Vec<u16>,
    /// How far each winner led.
    pub margins: Vec<u32>,
    /// What the hardware counted.
    pub counted: Option<Counters>,
    /// What golden predicts.
    pub predicted: Counters,
    /// What the LEDs show.
    pub leds: u16,
}

/// Everything a report shows.
#[derive(Debug, Clone)]
pub struct ReportData {
    /// Where the numbers come from.
    pub origin: Origin,
    /// The machine.
    pub machine: Machine,
    /// The states of its devices.
    pub devices: DeviceArray,
    /// The run.
    pub run: Run,
    /// Training curves, if the network file has them.
    pub training: Option<Training>,
    /// The sweep, if the network file has float weights.
    pub sweep: Option<SweepData>,
    /// Several seeds, if a study was made.
    pub seeds: Vec<SeedResult>,
}

/// S001's figures, the ones the page sets beside ours.
pub mod s001 {
    /// Training images correct in float, of 1500.
    pub const FLOAT_TRAIN: u32 = 1472;
    /// Test images correct in float, of 297.
    pub const FLOAT_TEST: u32 = 270;
    /// Scale factor chosen on the test images.
    pub const SCALE_FACTOR: f64 = 0.3425;
    /// Test images correct with it at 4 bits.
    pub const TEST: u32 = 273;
}

/// Images by label and class: `[label][class]`.
pub fn confusion(classes: usize, labels: &[u8], found: &[u16]) -> Vec<Vec<u32>> {
    let mut matrix = vec![vec![0; classes]; classes];
    for (label, class) in labels.iter().zip(found) {
        matrix[usize::from(*label)][usize::from(*class)] += 1;
    }
    matrix
}

/// The page as text.
///
/// # Errors
/// [`ReportError::Figure`], [`ReportError::Count`].
pub fn html(data: &ReportData) -> Result<String, ReportError> {
    let expected = data.run.labels.len();
    for (what, found) in [("classes", data.run.classes.len()), ("margins", data.run.margins.len())] {
        if found != expected {
            return Err(ReportError::Count { what, found, expected });
        }
    }
    page::html(data)
}

/// Write the page to `file`.
///
/// # Errors
/// [`ReportError`].
pub fn write(file: impl AsRef<Path>, data: &ReportData) -> Result<(), ReportError> {
    let file = file.as_ref();
    std::fs::write(file, html(data)?)
        .map_err(|e| ReportError::Write { file: file.to_path_buf(), reason: e.to_string() })
}

#[cfg(test)]
mod tests;

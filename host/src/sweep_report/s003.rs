//! What S003 publishes in numbers, and the grid that its study runs over.

use bitline_train::image_set::DataSet;
use bitline_train::lab::{Algorithm, Hidden, Quantizer, Range};

/// S003's time for its 672 runs, in hours.
pub const HOURS: f64 = 78.4;
/// Runs of S003's study, on each set of images.
pub const RUNS: usize = Algorithm::ALL.len() * ARCHITECTURES.len() * BITS.len() * QUANTIZERS.len() * RANGES.len();
/// Bits of a weight.
pub const BITS: [usize; 7] = [2, 3, 4, 5, 6, 7, 8];
/// Its two quantizers, 2.1 and 2.2.
pub const QUANTIZERS: [Quantizer; 2] = [Quantizer::UniformAsymm, Quantizer::UniformSymm];
/// Its two ranges.
pub const RANGES: [Range; 2] = [Range::Global, Range::Local];
/// Its two sets.
pub const SETS: [DataSet; 2] = [DataSet::Mnist, DataSet::FashionMnist];

/// Its architectures, in the order of tables 6.1 and 6.2 (whose first row is named "2 layers, 4 units": the hidden one, and
/// the output).
pub const ARCHITECTURES: [Hidden; 6] = [
    Hidden { layers: 1, units: 4 },
    Hidden { layers: 6, units: 20 },
    Hidden { layers: 3, units: 100 },
    Hidden { layers: 2, units: 100 },
    Hidden { layers: 2, units: 50 },
    Hidden { layers: 3, units: 50 },
];

/// Table 6.1: percent, in the order of [`ARCHITECTURES`] and [`Algorithm::ALL`].
const MNIST: [[f64; 4]; 6] = [
    [87.07, 77.99, 75.37, 38.95],
    [95.5, 92.06, 30.28, 9.8],
    [98.0, 95.22, 94.98, 14.17],
    [98.18, 95.3, 97.04, 14.39],
    [97.53, 95.05, 96.42, 56.07],
    [97.39, 94.96, 94.8, 33.87],
];

/// Table 6.2, as 6.1.
const FASHION_MNIST: [[f64; 4]; 6] = [
    [81.59, 71.22, 77.26, 47.46],
    [86.21, 81.89, 81.17, 10.13],
    [88.6, 83.65, 83.74, 11.34],
    [88.76, 84.45, 86.24, 65.34],
    [88.19, 84.2, 85.9, 68.95],
    [87.97, 83.99, 85.16, 10.0],
];

/// S003's accuracy in full precision, percent; none for what it has no number of.
pub fn full_precision(data_set: DataSet, hidden: Hidden, algorithm: Algorithm) -> Option<f64> {
    let table = match data_set {
        DataSet::Mnist => &MNIST,
        DataSet::FashionMnist => &FASHION_MNIST,
        DataSet::Digits => return None,
    };
    let row = ARCHITECTURES.iter().position(|known| *known == hidden)?;
    let column = Algorithm::ALL.iter().position(|known| *known == algorithm)?;
    Some(table[row][column])
}

/// The letters that S003's tables have for an algorithm.
pub fn letters(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Backpropagation => "BP",
        Algorithm::Hsic => "HSIC",
        Algorithm::FeedbackAlignment => "FA",
        Algorithm::SyntheticGradients => "SG",
    }
}

/// A set's name as a title has it.
pub fn title(data_set: DataSet) -> &'static str {
    match data_set {
        DataSet::Mnist => "MNIST",
        DataSet::FashionMnist => "Fashion-MNIST",
        DataSet::Digits => "the digits",
    }
}

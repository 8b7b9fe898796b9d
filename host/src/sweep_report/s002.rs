//! What S002 publishes of accuracy under noise, Tables II and III: Speech Commands v1, 12 classes, raw audio.

use bitline_train::lab::{Activation, Normalization, Quantizer, RunConfig};

/// Sigmas of evaluation, the columns.
pub const SIGMAS: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];

/// S002's networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// XNOR-Net with batch normalisation.
    Vanilla,
    /// `BinWsConv` without batch normalisation, the step at 0.
    WithoutPsSign,
    /// The same with the trained threshold.
    WithPsSign,
}

/// Which of them a configuration is, on data and in a form of ours.
pub fn kind(config: &RunConfig) -> Option<Kind> {
    let quantizer = config.quantization.as_ref()?.quantizer;
    match (quantizer, config.normalization, config.activation) {
        (Quantizer::Sign, Normalization::Batch, Activation::Step) => Some(Kind::Vanilla),
        (Quantizer::BinWs, Normalization::None, Activation::Step) => Some(Kind::WithoutPsSign),
        (Quantizer::BinWs, Normalization::None, Activation::PsSign) => Some(Kind::WithPsSign),
        _ => None,
    }
}

/// A row: the network, sigma of training, percent at each of [`SIGMAS`].
type Row = (Kind, f64, [f64; 6]);

/// Table III, sigma 0 in training, and Table II.
const ROWS: [Row; 11] = [
    (Kind::Vanilla, 0.0, [93.4, 88.28, 63.47, 31.39, 15.88, 10.64]),
    (Kind::WithoutPsSign, 0.0, [93.3, 91.06, 81.32, 56.05, 26.59, 12.77]),
    (Kind::WithPsSign, 0.0, [94.4, 93.03, 88.6, 75.50, 47.37, 21.34]),
    (Kind::Vanilla, 0.2, [93.06, 89.49, 70.43, 36.72, 19.61, 12.13]),
    (Kind::Vanilla, 0.4, [92.97, 91.74, 83.10, 55.28, 27.89, 14.26]),
    (Kind::Vanilla, 0.7, [91.12, 90.67, 88.72, 78.74, 55.32, 29.48]),
    (Kind::Vanilla, 1.0, [87.33, 87.11, 86.10, 80.63, 66.07, 42.69]),
    (Kind::WithPsSign, 0.2, [94.36, 93.78, 91.44, 84.37, 60.36, 30.98]),
    (Kind::WithPsSign, 0.4, [93.70, 93.27, 92.65, 90.28, 83.07, 59.91]),
    (Kind::WithPsSign, 0.7, [92.03, 91.52, 91.45, 90.69, 89.38, 83.11]),
    (Kind::WithPsSign, 1.0, [87.94, 87.86, 87.89, 87.50, 86.85, 85.28]),
];

/// S002's accuracy in percent; none for what it has no number of.
pub fn percent(kind: Kind, trained: f64, evaluated: f64) -> Option<f64> {
    let column = SIGMAS.iter().position(|sigma| *sigma == evaluated)?;
    ROWS.iter().find(|(k, sigma, _)| (*k, *sigma) == (kind, trained)).map(|(_, _, row)| row[column])
}

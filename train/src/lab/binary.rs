//! Binary weights: signs, XNOR-Net's scales, and S002's weight standardisation.
//!
//! For the N weights W of one output unit, S002 Eq. 3 and 4: `V = (W - mean) / (sqrt(N) deviation)`, the deviation over N, and the
//! binary weight is the sign of V. Backward, the sign counts as the identity where |V| is 1 or less (straight-through estimator;
//! Bengio, Leonard and Courville 2013), which every V is: the squares of a unit sum to 1. So `g`, the gradient at the binary weights,
//! is that at V, and with `x = sqrt(N) V` the gradient at W is `(g - mean(g) - x mean(g x)) / (sqrt(N) deviation)`.
//! XNOR-Net's scale of a unit is the mean of |W| (Rastegari et al. 2016, Eq. 6).
//!
//! Weights are `[input][output]`; sums are in f64, in the order of the inputs.

use super::product::column_sums;

/// A variance below this is taken for this: weights that are all equal have no direction.
const LEAST_VARIANCE: f64 = 1e-12;

/// Put -1 for what is below 0 and 1 for the rest.
pub(super) fn sign(weights: &mut [f32]) {
    weights.iter_mut().for_each(|weight| *weight = if *weight < 0.0 { -1.0 } else { 1.0 });
}

/// The mean of each output's |w|.
pub(super) fn scales(weights: &[f32], outputs: usize) -> Vec<f32> {
    let inputs = (weights.len() / outputs) as f64;
    let sums = column_sums(weights.len(), outputs, |place, _| f64::from(weights[place].abs()));
    sums.iter().map(|sum| (sum / inputs) as f32).collect()
}

/// Mean and deviation of each output's weights.
fn moments(weights: &[f32], outputs: usize) -> (Vec<f64>, Vec<f64>) {
    let inputs = (weights.len() / outputs) as f64;
    let mut means = column_sums(weights.len(), outputs, |place, _| f64::from(weights[place]));
    means.iter_mut().for_each(|mean| *mean /= inputs);
    let squares =
        column_sums(weights.len(), outputs, |place, output| (f64::from(weights[place]) - means[output]).powi(2));
    let deviations = squares.iter().map(|sum| (sum / inputs).max(LEAST_VARIANCE).sqrt()).collect();
    (means, deviations)
}

/// W to V, S002 Eq. 3.
pub(super) fn standardise(weights: &mut [f32], outputs: usize) {
    let root = (weights.len() as f64 / outputs as f64).sqrt();
    let (means, deviations) = moments(weights, outputs);
    for row in weights.chunks_exact_mut(outputs) {
        for (weight, (mean, deviation)) in row.iter_mut().zip(means.iter().zip(&deviations)) {
            *weight = ((f64::from(*weight) - mean) / (root * deviation)) as f32;
        }
    }
}

/// The gradient at W from that at V.
pub(super) fn standardise_backward(weights: &[f32], gradient: &[f32], outputs: usize) -> Vec<f32> {
    let inputs = (weights.len() / outputs) as f64;
    let (means, deviations) = moments(weights, outputs);
    let x = |place: usize, output: usize| (f64::from(weights[place]) - means[output]) / deviations[output];
    let along = column_sums(weights.len(), outputs, |place, _| f64::from(gradient[place]));
    let across = column_sums(weights.len(), outputs, |place, output| f64::from(gradient[place]) * x(place, output));
    let at = |(place, gradient): (usize, &f32)| {
        let output = place % outputs;
        let rest = f64::from(*gradient) - (along[output] + x(place, output) * across[output]) / inputs;
        (rest / (inputs.sqrt() * deviations[output])) as f32
    };
    gradient.iter().enumerate().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::model::normal;
    use bitline_golden::random::stream;

    const OUTPUTS: usize = 3;

    fn drawn(name: &str) -> Vec<f32> {
        let mut random = stream(name, 0);
        (0..8 * OUTPUTS).map(|k| normal(&mut random) + k as f32 * 0.05).collect()
    }

    #[test]
    fn standardised_units_have_mean_zero_and_length_one() {
        let weights = drawn("binary weights");
        let mut v = weights.clone();
        standardise(&mut v, OUTPUTS);
        for output in 0..OUTPUTS {
            let unit = |all: &[f32]| all.iter().skip(output).step_by(OUTPUTS).copied().collect::<Vec<f32>>();
            let (w, v) = (unit(&weights), unit(&v));
            assert!(v.iter().sum::<f32>().abs() < 1e-5);
            assert!((v.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
            // The sign of V is that of the weight less its unit's mean.
            let mean = w.iter().sum::<f32>() / 8.0;
            assert!(w.iter().zip(&v).all(|(w, v)| (w - mean) * v > 0.0));
        }
    }

    #[test]
    fn gradient_is_the_slope_of_standardisation() {
        let (weights, gradient) = (drawn("binary weights"), drawn("binary gradient"));
        let objective = |weights: &[f32]| {
            let mut v = weights.to_vec();
            standardise(&mut v, OUTPUTS);
            v.iter().zip(&gradient).map(|(v, g)| f64::from(v * g)).sum::<f64>()
        };
        for (place, ours) in standardise_backward(&weights, &gradient, OUTPUTS).iter().enumerate() {
            let at = |step: f32| {
                let mut moved = weights.clone();
                moved[place] += step;
                objective(&moved)
            };
            let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!((f64::from(*ours) - slope).abs() < 1e-3, "{place}: {ours} {slope}");
        }
    }

    #[test]
    fn scales_are_mean_magnitudes() {
        assert_eq!(scales(&[1.0, -4.0, -3.0, 0.0], 2), [2.0, 2.0]);
        let mut weights = [0.5, -0.0, 0.0, -1e-9];
        sign(&mut weights);
        assert_eq!(weights, [1.0, 1.0, 1.0, -1.0]);
    }

    #[test]
    fn equal_weights_stay_numbers() {
        let mut weights = vec![0.25; 6];
        assert!(standardise_backward(&weights, &[1.0; 6], 2).iter().all(|g| g.is_finite()));
        standardise(&mut weights, 2);
        assert_eq!(weights, [0.0; 6]);
    }
}

//! The HSIC bottleneck: every hidden layer trained by itself, no gradient between layers.
//!
//! Ma, Lewis and Kleijn, *The HSIC Bottleneck: Deep Learning without Back-Propagation* (2019), Eq. 7 and 8; S003's Algorithm 6.
//! A hidden layer with activations Z of a batch of m lessens `nHSIC(Z, X) - beta nHSIC(Z, Y)`, with
//! `nHSIC(Z, X) = tr(N(Z) N(X))`, `N(Z) = A (A + e I)^-1`, `A = H K H`, `H = I - 1/m`, `e` the ridge times m and
//! `K_ij = exp(-|z_i - z_j|^2 / (2 s^2))`, `s` the width times the root of z's dimension. X are the images, Y the labels, one hot.
//! The output layer is trained by cross-entropy on the last hidden layer's activations, which stay as they are.
//!
//! The gradient in closed form, with `T = N(X) - beta N(Y)` and `G = (A + e I)^-1`: since `d N(Z) = e G dA G`, the
//! objective changes by `tr(M dK)` with `M = H (e G T G) H`; with `S_ij = M_ij K_ij` that gives
//! `d/dZ = -2 / s^2 (diag(S 1) Z - S Z)`. Kernels and what is made of them are m x m, in f64.

use super::backward::{layer_gradient, through_activation};
use super::config::RunConfig;
use super::model::{Gradient, Model, Trace};
use super::product::{Vectored, multiply, transpose, widest};

/// A square matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Square {
    side: usize,
    values: Vec<f64>,
}

impl Square {
    fn product(&self, other: &Self) -> Self {
        let mut values = vec![0.0; self.values.len()];
        widest(Product { side: self.side, a: &self.values, b: &other.values, c: &mut values });
        Self { side: self.side, values }
    }

    /// H A H: without the means of rows and columns. The matrix is symmetric.
    fn centred(mut self) -> Self {
        let side = self.side;
        let means: Vec<f64> = self.values.chunks_exact(side).map(|row| row.iter().sum::<f64>() / side as f64).collect();
        let mean = means.iter().sum::<f64>() / side as f64;
        for (row, of_row) in self.values.chunks_exact_mut(side).zip(&means) {
            row.iter_mut().zip(&means).for_each(|(value, of_column)| *value -= of_row + of_column - mean);
        }
        self
    }

    /// (A + e I)^-1.
    fn resolvent(&self, ridge: f64) -> Self {
        let mut inverse = self.clone();
        inverse.values.iter_mut().step_by(self.side + 1).for_each(|value| *value += ridge);
        widest(Invert(&mut inverse));
        inverse
    }

    /// N of a centred kernel: A (A + e I)^-1 = I - e (A + e I)^-1.
    fn normalised(&self, ridge: f64) -> Self {
        let mut normalised = self.resolvent(ridge);
        normalised.values.iter_mut().for_each(|value| *value *= -ridge);
        normalised.values.iter_mut().step_by(self.side + 1).for_each(|value| *value += 1.0);
        normalised
    }
}

/// C = A B in f64, row by row.
struct Product<'a> {
    side: usize,
    a: &'a [f64],
    b: &'a [f64],
    c: &'a mut [f64],
}

impl Vectored for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (row, out) in self.a.chunks_exact(self.side).zip(self.c.chunks_exact_mut(self.side)) {
            for (factor, other) in row.iter().zip(self.b.chunks_exact(self.side)) {
                out.iter_mut().zip(other).for_each(|(out, other)| *out += factor * other);
            }
        }
    }
}

/// Put its inverse in place of a symmetric positive definite matrix, whose elimination (Gauss and Jordan) needs no pivoting:
/// every pivot is a Schur complement, above 0.
struct Invert<'a>(&'a mut Square);

impl Vectored for Invert<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let side = self.0.side;
        let mut pivot_row = vec![0.0; side];
        for pivot in 0..side {
            let row = &mut self.0.values[pivot * side..(pivot + 1) * side];
            let scale = 1.0 / std::mem::replace(&mut row[pivot], 1.0);
            row.iter_mut().for_each(|value| *value *= scale);
            pivot_row.copy_from_slice(row);
            for (index, row) in self.0.values.chunks_exact_mut(side).enumerate() {
                if index != pivot {
                    let factor = std::mem::replace(&mut row[pivot], 0.0);
                    row.iter_mut().zip(&pivot_row).for_each(|(value, above)| *value -= factor * above);
                }
            }
        }
    }
}

/// What shapes a kernel and its normal form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// s over the root of the dimension.
    width: f64,
    /// e over the images of a batch.
    ridge: f64,
}

impl Shape {
    fn of(config: &RunConfig) -> Self {
        Self { width: config.hsic_width, ridge: config.hsic_ridge }
    }

    /// s^2.
    fn variance(self, dimension: usize) -> f64 {
        self.width * self.width * dimension as f64
    }

    /// e.
    fn ridge(self, images: usize) -> f64 {
        self.ridge * images as f64
    }
}

/// K of rows of `dimension` values.
fn kernel(rows: &[f32], dimension: usize, shape: Shape) -> Square {
    let side = rows.len() / dimension;
    let mut turned = Vec::new();
    transpose(rows, dimension, &mut turned);
    let mut dots = vec![0.0f32; side * side];
    multiply(rows, &turned, &mut dots, dimension, side);
    let scale = -0.5 / shape.variance(dimension);
    let mut values = vec![1.0; side * side];
    for i in 0..side {
        for j in 0..i {
            let square = |k: usize| f64::from(dots[k * side + k]);
            let distance = (square(i) + square(j) - 2.0 * f64::from(dots[i * side + j])).max(0.0);
            let value = (scale * distance).exp();
            (values[i * side + j], values[j * side + i]) = (value, value);
        }
    }
    Square { side, values }
}

/// T of a batch: N(X) - beta N(Y).
pub(super) fn target(config: &RunConfig, images: &[f32], pixels: usize, labels: &[u8], classes: usize) -> Square {
    let mut hot = vec![0.0; labels.len() * classes];
    hot.chunks_exact_mut(classes).zip(labels).for_each(|(row, label)| row[usize::from(*label)] = 1.0);
    let (shape, ridge) = (Shape::of(config), Shape::of(config).ridge(labels.len()));
    let mut target = kernel(images, pixels, shape).centred().normalised(ridge);
    let of_labels = kernel(&hot, classes, shape).centred().normalised(ridge);
    target.values.iter_mut().zip(&of_labels.values).for_each(|(t, y)| *t -= config.hsic_beta * y);
    target
}

/// A layer's objective, `tr(N(Z) T)`.
#[cfg(test)]
pub(super) fn objective(activations: &[f32], units: usize, shape: Shape, target: &Square) -> f64 {
    let normalised = kernel(activations, units, shape).centred().normalised(shape.ridge(target.side));
    normalised.values.iter().zip(&target.values).map(|(n, t)| n * t).sum()
}

/// Its gradient at the activations, `[image][unit]`.
pub(super) fn gradient(activations: &[f32], units: usize, shape: Shape, target: &Square) -> Vec<f32> {
    let kernel = kernel(activations, units, shape);
    let (side, ridge) = (kernel.side, shape.ridge(kernel.side));
    let resolvent = kernel.clone().centred().resolvent(ridge);
    let mut pull = resolvent.product(target).product(&resolvent).centred();
    let scale = -2.0 * ridge / shape.variance(units);
    pull.values.iter_mut().zip(&kernel.values).for_each(|(pull, kernel)| *pull *= kernel * scale);
    // diag(S 1) - S, so that one product with Z is left.
    for (index, row) in pull.values.chunks_exact_mut(side).enumerate() {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|value| *value = -*value);
        row[index] += sum;
    }
    let pull: Vec<f32> = pull.values.iter().map(|value| *value as f32).collect();
    let mut gradient = vec![0.0; activations.len()];
    multiply(&pull, activations, &mut gradient, side, units);
    gradient
}

/// Every layer's gradient; `delta` is cross-entropy's at the logits, for the output layer alone.
pub(super) fn gradients(
    config: &RunConfig,
    model: &Model,
    trace: &Trace,
    labels: &[u8],
    delta: &[f32],
) -> Vec<Gradient> {
    let last = model.layers.len() - 1;
    let classes = model.layers[last].outputs;
    let target = target(config, &trace.activations[0], model.layers[0].inputs, labels, classes);
    let hidden = |index: usize| {
        let at_output =
            gradient(&trace.activations[index + 1], model.layers[index].outputs, Shape::of(config), &target);
        let delta = through_activation(config, &trace.sums[index], at_output);
        layer_gradient(model, trace, index, &delta)
    };
    let mut gradients: Vec<Gradient> = (0..last).map(hidden).collect();
    gradients.push(layer_gradient(model, trace, last, delta));
    gradients
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_set::DataSet;
    use crate::lab::model::normal;
    use crate::lab::{Algorithm, Hidden};
    use bitline_golden::random::stream;

    const IMAGES: usize = 12;

    fn drawn(count: usize, name: &str) -> Vec<f32> {
        let mut random = stream(name, 0);
        (0..count).map(|_| normal(&mut random)).collect()
    }

    fn config() -> RunConfig {
        let mut config = RunConfig::new(DataSet::Digits, Hidden { layers: 2, units: 5 }, Algorithm::Hsic, 1);
        (config.hsic_width, config.hsic_beta) = (1.0, 3.0);
        config
    }

    fn labels() -> Vec<u8> {
        (0..IMAGES as u8).map(|i| i % 3).collect()
    }

    #[test]
    fn inverse_times_the_matrix_is_one() {
        let rows = drawn(IMAGES * 4, "hsic inverse");
        let kernel = kernel(&rows, 4, Shape { width: 1.0, ridge: 1e-5 });
        let mut inverse = kernel.clone();
        widest(Invert(&mut inverse));
        let product = kernel.product(&inverse);
        for (index, value) in product.values.iter().enumerate() {
            let expected = f64::from(u8::from(index % (IMAGES + 1) == 0));
            assert!((value - expected).abs() < 1e-9, "{index} {value}");
        }
    }

    #[test]
    fn gradient_is_the_objectives_slope() {
        let (config, units) = (config(), 5);
        let target = target(&config, &drawn(IMAGES * 7, "hsic images"), 7, &labels(), 3);
        let activations = drawn(IMAGES * units, "hsic activations");
        let slope = gradient(&activations, units, Shape::of(&config), &target);
        let largest = slope.iter().fold(0.0f32, |largest, g| largest.max(g.abs()));
        for index in 0..activations.len() {
            let at = |step: f32| {
                let mut moved = activations.clone();
                moved[index] += step;
                objective(&moved, units, Shape::of(&config), &target)
            };
            let expected = (at(4e-3) - at(-4e-3)) / 8e-3;
            assert!((f64::from(slope[index]) - expected).abs() < 0.01 * f64::from(largest), "{index} {expected}");
        }
    }

    #[test]
    fn objective_of_independent_values_is_above_that_of_the_labels() {
        let config = config();
        let mut hot = vec![0.0; IMAGES * 3];
        hot.chunks_exact_mut(3).zip(labels()).for_each(|(row, label)| row[usize::from(label)] = 1.0);
        let target = target(&config, &drawn(IMAGES * 7, "hsic images"), 7, &labels(), 3);
        let same = vec![1.0; IMAGES * 3];
        // Values that never change depend on nothing: both terms are 0.
        assert!(objective(&same, 3, Shape::of(&config), &target).abs() < 1e-6);
        assert!(objective(&hot, 3, Shape::of(&config), &target) < -1.0);
    }
}

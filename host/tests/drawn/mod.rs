//! Networks of MNIST's size with drawn weights, for tests and pages that need one that is not shipped.

#![allow(dead_code, reason = "each test takes what it needs")]

use bitline_golden::network::{
    Activation, Convolution, Geometry, Layer, MapShape, Network, Pool, Provenance, weight_range,
};
use bitline_golden::random::stream;
use ndarray::Array2;
use rand::Rng;

/// A layer with weights of four bits and thresholds for codes of four, from a named stream.
fn layer(draws: &mut impl Rng, geometry: Geometry, inputs: usize, outputs: usize, input_bits: usize) -> Layer {
    let weights = Array2::from_shape_fn((outputs, inputs), |_| draws.random_range(weight_range(4)));
    let mut thresholds = Array2::from_shape_fn((outputs, 15), |_| draws.random_range(-4000..4000));
    thresholds.rows_mut().into_iter().for_each(|mut row| row.as_slice_mut().unwrap().sort_unstable());
    Layer {
        geometry,
        weights,
        biases: (0..outputs).map(|_| draws.random_range(-8..8)).collect(),
        weight_bits: 4,
        input_bits,
        bias_code: 15,
        activation: Some(Activation { bits: 4, thresholds }),
        pool: None,
        scale_factor: None,
        float: None,
    }
}

fn network(name: &str, mut layers: Vec<Layer>) -> Network {
    layers.last_mut().unwrap().activation = None;
    Network { name: name.into(), layers, provenance: Provenance::default(), history: vec![] }
}

/// Two convolutions with pooling and a dense layer, on MNIST's size, weights drawn.
pub fn convolutional() -> Network {
    let mut draws = stream("a convolutional network", 1);
    let convolution = |height, channels, kernel, padding| Convolution {
        input: MapShape { height, width: height, channels },
        kernel_height: kernel,
        kernel_width: kernel,
        stride: 1,
        padding,
    };
    let first = convolution(28, 1, 5, 2);
    let second = convolution(14, 8, 3, 0);
    let mut layers = vec![
        layer(&mut draws, Geometry::Convolution(first), first.window_inputs(), 8, 8),
        layer(&mut draws, Geometry::Convolution(second), second.window_inputs(), 16, 4),
        layer(&mut draws, Geometry::Dense, 6 * 6 * 16, 10, 4),
    ];
    layers[0].pool = Some(Pool { size: 2, stride: 2 });
    layers[1].pool = Some(Pool { size: 2, stride: 2 });
    network("drawn-convolutional", layers)
}

/// Dense layers of these sizes, weights drawn.
pub fn dense(name: &str, sizes: &[usize]) -> Network {
    let mut draws = stream("a dense network", 1);
    let bits = |n: usize| if n == 0 { 8 } else { 4 };
    let layers = sizes.windows(2).enumerate();
    network(name, layers.map(|(n, size)| layer(&mut draws, Geometry::Dense, size[0], size[1], bits(n))).collect())
}

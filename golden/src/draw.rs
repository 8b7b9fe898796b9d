//! Random networks from a seed: problems for programs and for the gateware that runs them.

use crate::network::{Activation, Convolution, Geometry, Layer, MapShape, Network, Pool, Provenance, weight_range};
use ndarray::Array2;

/// Numbers from a seed: the same ones everywhere.
#[derive(Debug, Clone)]
pub struct Draw(pub u64);

impl Draw {
    /// A number in 0..`limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// A number in `low`..=`high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    fn weight(&mut self, bits: usize) -> i8 {
        if bits == 1 {
            return 2 * self.below(2) as i8 - 1;
        }
        let range = weight_range(bits);
        (i32::from(*range.start()) + self.below(1 << bits) as i32) as i8
    }

    /// A layer of `outputs` outputs that reads a map of codes of `input_bits` bits; one with `reach` is not the last.
    pub fn layer(&mut self, input: MapShape, input_bits: usize, outputs: usize, reach: Option<usize>) -> Layer {
        let mut geometry = Geometry::Dense;
        let mut inputs = input.codes();
        if reach.is_some() && self.below(3) > 0 {
            let padding = self.below(2);
            let convolution = Convolution {
                input,
                kernel_height: self.between(1, 3.min(input.height + 2 * padding)),
                kernel_width: self.between(1, 3.min(input.width + 2 * padding)),
                stride: self.between(1, 2),
                padding,
            };
            inputs = convolution.window_inputs();
            geometry = Geometry::Convolution(convolution);
        }
        let weight_bits = self.between(1, 8);
        let weights = Array2::from_shape_fn((outputs, inputs), |_| self.weight(weight_bits));
        let with_biases = self.below(2) == 1;
        let biases = (0..outputs).map(|_| if with_biases { self.weight(weight_bits) } else { 0 }).collect();
        let bias_code = self.below(1 << input_bits) as u32;
        let mut layer = Layer { biases, bias_code, ..plain(geometry, weights, weight_bits, input_bits) };
        if let Some(reach) = reach {
            let bits = self.between(1, 4);
            layer.activation = Some(self.activation(outputs, bits, reach << weight_bits));
            let windows = layer.windows();
            let size = self.between(1, 3.min(windows.height.min(windows.width)));
            layer.pool = (size > 1).then(|| Pool { size, stride: self.between(1, size) });
        }
        layer
    }

    /// Thresholds for codes of so many bits, within `reach` of 0.
    fn activation(&mut self, outputs: usize, bits: usize, reach: usize) -> Activation {
        let mut thresholds =
            Array2::from_shape_fn((outputs, Activation::levels(bits)), |_| self.below(2 * reach) as i32 - reach as i32);
        let sort = |mut row: ndarray::ArrayViewMut1<'_, i32>| {
            row.as_slice_mut().expect("rows lie in one piece").sort_unstable();
        };
        thresholds.rows_mut().into_iter().for_each(sort);
        Activation { bits, thresholds }
    }

    /// A small network whose images have at most `code_bits` bits a code, with at most `sums` outputs; thresholds lie within
    /// `reach` << weight bits of 0.
    pub fn network(&mut self, code_bits: usize, sums: usize, reach: usize) -> Network {
        self.network_within(&Sizes { side: 7, channels: 3, outputs: 6, code_bits, sums }, reach)
    }

    /// A network within these sizes; thresholds lie within `reach` << weight bits of 0.
    pub fn network_within(&mut self, sizes: &Sizes, reach: usize) -> Network {
        let Sizes { side, channels, outputs: most_outputs, code_bits, sums } = *sizes;
        let mut map = MapShape {
            height: self.between(1, side),
            width: self.between(1, side),
            channels: self.between(1, channels),
        };
        let mut bits = self.between(1, code_bits);
        let mut layers = Vec::new();
        for _ in 0..self.below(3) {
            let outputs = self.between(1, most_outputs);
            let layer = self.layer(map, bits, outputs, Some(reach));
            map = layer.output_map();
            bits = layer.activation.as_ref().expect("a layer with a reach has one").bits;
            layers.push(layer);
        }
        let outputs = self.between(2, sums);
        layers.push(self.layer(map, bits, outputs, None));
        Network { name: "drawn".into(), layers, provenance: Provenance::default(), history: vec![] }
    }

    /// S000's keyword network with drawn weights: an image of 124 x 129 codes of 3 bits, convolutions of 11 x 11, 5 x 5 and 3 x 3 with
    /// 32 channels each, pooled 3 x 3 and 2 x 2 after the first two, and 5 words; weights on 11 levels, -5..=5, in 4 bits.
    pub fn keyword_network(&mut self) -> Network {
        const CHANNELS: usize = 32;
        const WORDS: usize = 5;
        const BITS: usize = 3;
        let mut map = MapShape { height: 124, width: 129, channels: 1 };
        let mut layers = Vec::new();
        for (kernel, pool) in [(11, Some(3)), (5, Some(2)), (3, None)] {
            let convolution =
                Convolution { input: map, kernel_height: kernel, kernel_width: kernel, stride: 1, padding: 0 };
            let inputs = convolution.window_inputs();
            let mut layer = self.level_layer(Geometry::Convolution(convolution), CHANNELS, inputs, BITS);
            // Sums spread with the root of their number; thresholds within that spread give codes of every value.
            layer.activation = Some(self.activation(CHANNELS, BITS, 12 * inputs.isqrt()));
            layer.pool = pool.map(|size| Pool { size, stride: size });
            map = layer.output_map();
            layers.push(layer);
        }
        layers.push(self.level_layer(Geometry::Dense, WORDS, map.codes(), BITS));
        Network { name: "s000".into(), layers, provenance: Provenance::default(), history: vec![] }
    }

    /// A layer with weights on S000's 11 levels.
    fn level_layer(&mut self, geometry: Geometry, outputs: usize, inputs: usize, input_bits: usize) -> Layer {
        let weights = Array2::from_shape_fn((outputs, inputs), |_| self.below(11) as i8 - 5);
        plain(geometry, weights, 4, input_bits)
    }
}

/// A layer without biases, whose sums are what it gives.
fn plain(geometry: Geometry, weights: Array2<i8>, weight_bits: usize, input_bits: usize) -> Layer {
    Layer {
        geometry,
        biases: vec![0; weights.nrows()],
        weights,
        weight_bits,
        input_bits,
        bias_code: 0,
        activation: None,
        pool: None,
        scale_factor: None,
        float: None,
    }
}

/// How large a drawn network may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Height and width of an image in pixels, at most.
    pub side: usize,
    /// Its channels, at most.
    pub channels: usize,
    /// Outputs of a layer that is not the last, at most.
    pub outputs: usize,
    /// Bits of an image's codes, at most.
    pub code_bits: usize,
    /// Outputs of the last layer, at most; at least two.
    pub sums: usize,
}

//! Random networks from a seed, for tests of programs here and of the gateware that runs them.

use bitline_golden::network::{
    Activation, Convolution, Geometry, Layer, MapShape, Network, Pool, Provenance, weight_range,
};
use ndarray::Array2;

/// Numbers from a seed.
pub struct Draw(pub u64);

impl Draw {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

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
        let mut layer = Layer {
            geometry,
            weights,
            biases,
            weight_bits,
            input_bits,
            bias_code: self.below(1 << input_bits) as u32,
            activation: None,
            pool: None,
            scale_factor: None,
            float: None,
        };
        if let Some(reach) = reach {
            let bits = self.between(1, 4);
            let reach = reach << weight_bits;
            let mut thresholds = Array2::from_shape_fn((outputs, Activation::levels(bits)), |_| {
                self.below(2 * reach) as i32 - reach as i32
            });
            thresholds.rows_mut().into_iter().for_each(|mut row| row.as_slice_mut().unwrap().sort_unstable());
            layer.activation = Some(Activation { bits, thresholds });
            let windows = layer.windows();
            let size = self.between(1, 3.min(windows.height.min(windows.width)));
            layer.pool = (size > 1).then(|| Pool { size, stride: self.between(1, size) });
        }
        layer
    }

    /// A network whose images have at most `code_bits` bits a code, with at most `sums` outputs; thresholds lie within `reach` << weight
    /// bits of 0.
    pub fn network(&mut self, code_bits: usize, sums: usize, reach: usize) -> Network {
        let mut map = MapShape { height: self.between(1, 7), width: self.between(1, 7), channels: self.between(1, 3) };
        let mut bits = self.between(1, code_bits);
        let mut layers = Vec::new();
        for _ in 0..self.below(3) {
            let outputs = self.between(1, 6);
            let layer = self.layer(map, bits, outputs, Some(reach));
            map = layer.output_map();
            bits = layer.activation.as_ref().unwrap().bits;
            layers.push(layer);
        }
        let outputs = self.between(2, sums);
        layers.push(self.layer(map, bits, outputs, None));
        Network { name: "drawn".into(), layers, provenance: Provenance::default(), history: vec![] }
    }
}

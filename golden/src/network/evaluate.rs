//! What a network computes, layer by layer, in plain integer loops: the second of golden's three levels, between the
//! trainer's float network and the program that a machine runs.

use super::geometry::{Geometry, MapShape, Pool};
use super::{Layer, Network};
use crate::argmax::{Verdict, argmax};

/// What one layer made of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerResult {
    /// y, window by window (row by row), output fastest.
    pub sums: Vec<i32>,
    /// Codes after thresholds and pooling, in the order of the next layer's map; none after the last layer.
    pub codes: Vec<u8>,
    /// The map that `codes` are.
    pub shape: MapShape,
}

impl Layer {
    /// Codes that the layer reads: its inputs, or the whole map of a convolution.
    pub fn input_codes(&self) -> usize {
        match self.geometry {
            Geometry::Dense => self.inputs(),
            Geometry::Convolution(convolution) => convolution.input.codes(),
        }
    }

    /// The map of its sums, before pooling.
    pub fn windows(&self) -> MapShape {
        match self.geometry {
            Geometry::Dense => MapShape::flat(self.outputs()),
            Geometry::Convolution(convolution) => MapShape {
                height: convolution.windows_high(),
                width: convolution.windows_wide(),
                channels: self.outputs(),
            },
        }
    }

    /// The map that it gives to the next layer.
    pub fn output_map(&self) -> MapShape {
        let (windows, pool) = (self.windows(), self.pool.unwrap_or(Pool::NONE));
        MapShape { height: pool.squares(windows.height), width: pool.squares(windows.width), ..windows }
    }

    /// `y[o] = sum_i w[o][i] * code[i] + bias_code * bias[o]` of one window. No rounding, no saturation.
    fn window_sums(&self, inputs: &[u8]) -> Vec<i32> {
        let sum = |(row, bias): (ndarray::ArrayView1<'_, i8>, &i8)| {
            let products = row.iter().zip(inputs).map(|(w, c)| i32::from(*w) * i32::from(*c));
            products.sum::<i32>() + self.bias_code as i32 * i32::from(*bias)
        };
        self.weights.rows().into_iter().zip(&self.biases).map(sum).collect()
    }

    /// Run one image through the layer.
    ///
    /// # Panics
    /// If there are not [`Layer::input_codes`] codes.
    pub fn evaluate(&self, codes: &[u8]) -> LayerResult {
        assert_eq!(codes.len(), self.input_codes(), "one code an input");
        let windows = self.windows();
        let sums: Vec<i32> = match self.geometry {
            Geometry::Dense => self.window_sums(codes),
            Geometry::Convolution(convolution) => (0..windows.height)
                .flat_map(|y| (0..windows.width).map(move |x| (y, x)))
                .flat_map(|(y, x)| self.window_sums(&convolution.window(codes, y, x)))
                .collect(),
        };
        let Some(activation) = &self.activation else {
            return LayerResult { sums, codes: Vec::new(), shape: windows };
        };
        let codes: Vec<u8> = sums.iter().enumerate().map(|(i, y)| activation.code(i % self.outputs(), *y)).collect();
        let (codes, shape) = self.pool.unwrap_or(Pool::NONE).apply(&codes, windows);
        LayerResult { sums, codes, shape }
    }
}

impl Network {
    /// Run one image through all layers: what each gave, and the verdict on the last one's sums.
    ///
    /// # Panics
    /// If the image does not have the first layer's [`Layer::input_codes`], or the network does not pass
    /// [`Network::check`].
    pub fn evaluate(&self, image: &[u8]) -> (Vec<LayerResult>, Verdict) {
        let mut results: Vec<LayerResult> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let result = layer.evaluate(results.last().map_or(image, |before| &before.codes));
            results.push(result);
        }
        let verdict = argmax(&results.last().expect("a network has layers").sums);
        (results, verdict)
    }
}

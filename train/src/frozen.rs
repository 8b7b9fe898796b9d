//! A trained network with its weights rounded and its batch normalisation folded: what there is to evaluate and export.
//!
//! Evaluation is Burn's, in f32 that holds integers: every sum is below 2^24 in magnitude, so that each is exact whatever
//! the order of addition. Pooling acts on sums here and on codes in the accelerator; the same, because a code never falls as
//! its sum rises.

use crate::architecture::{Kind, PlacedLayer};
use crate::straight_through::{code, codes};
use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::Array2;

/// Sums of that magnitude and beyond are not all integers of f32.
pub const EXACT_SUMS: usize = 1 << 24;

/// Batch normalisation with its constants multiplied out: `z = y * slope + offset`, in f32, no fused multiply-add.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// One an output, above 0.
    pub slope: Vec<f32>,
    /// One an output.
    pub offset: Vec<f32>,
}

impl Affine {
    /// The code of a sum.
    pub fn code(&self, output: usize, sum: i32, code_bits: usize) -> u8 {
        code(sum as f32 * self.slope[output] + self.offset[output], code_bits)
    }
}

/// A layer of integers.
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenLayer {
    /// Its place.
    pub placed: PlacedLayer,
    /// `[output][input]`.
    pub weights: Array2<i8>,
    /// How sums become codes; none in the last layer.
    pub affine: Option<Affine>,
}

impl FrozenLayer {
    /// The largest magnitude that a sum can have.
    pub fn largest_sum(&self) -> usize {
        let largest_code = (1usize << self.placed.input_bits) - 1;
        let row = |row: ndarray::ArrayView1<'_, i8>| row.iter().map(|w| usize::from(w.unsigned_abs())).sum::<usize>();
        self.weights.rows().into_iter().map(row).max().unwrap_or(0) * largest_code
    }
}

/// The rows of a layer's windows, as indices into the rows `[image][y][x]` of its input map, one tensor for each place in
/// the pooled squares.
///
/// A row of indices is `[image][square row][square column][kernel row][kernel column]`, so that gathered rows, one pixel
/// each, lie as golden's window does. Index `images * height * width` stands for the border: a pixel of zeros.
#[derive(Debug, Clone)]
pub(crate) struct Gather {
    images: usize,
    places: Vec<Tensor<1, Int>>,
}

impl Gather {
    pub fn new(layer: &PlacedLayer, images: usize, device: &Device) -> Self {
        let Kind::Convolution { kernel, stride, padding } = layer.plan.kind else {
            return Self { images, places: Vec::new() };
        };
        let (map, output, pool) = (layer.input, layer.output, layer.plan.pool);
        let border = images * map.height * map.width;
        let mut places = Vec::with_capacity(pool * pool);
        for (down, right) in (0..pool).flat_map(|d| (0..pool).map(move |r| (d, r))) {
            let mut indices = Vec::with_capacity(images * output.height * output.width * kernel * kernel);
            for image in 0..images {
                for (y, x) in (0..output.height).flat_map(|y| (0..output.width).map(move |x| (y, x))) {
                    let (top, left) = ((y * pool + down) * stride, (x * pool + right) * stride);
                    for (row, column) in (0..kernel).flat_map(|r| (0..kernel).map(move |c| (r, c))) {
                        let at = ((top + row).checked_sub(padding), (left + column).checked_sub(padding));
                        indices.push(match at {
                            (Some(row), Some(column)) if row < map.height && column < map.width => {
                                ((image * map.height + row) * map.width + column) as i32
                            }
                            _ => border as i32,
                        });
                    }
                }
            }
            let data = TensorData::new(indices, [images * output.height * output.width * kernel * kernel]);
            places.push(Tensor::from_data(data, device));
        }
        Self { images, places }
    }
}

/// Sums of a layer, pooled: from rows `[image][y][x]` of codes and weights `[input][output]` to rows of sums.
pub(crate) fn pooled_sums(layer: &PlacedLayer, gather: &Gather, map: Tensor<2>, weights: Tensor<2>) -> Tensor<2> {
    let channels = layer.input.channels;
    let Kind::Convolution { kernel, padding, .. } = layer.plan.kind else {
        return map.reshape([gather.images, layer.input.codes()]).matmul(weights);
    };
    let tracked = map.is_autodiff();
    let map = if padding > 0 {
        let border = Tensor::zeros([1, channels], &map.device());
        Tensor::cat(vec![map, border], 0)
    } else {
        map
    };
    let windows = gather.images * layer.output.height * layer.output.width;
    let sums = |indices: &Tensor<1, Int>| {
        let indices = if tracked { indices.clone().autodiff() } else { indices.clone() };
        let window = map.clone().select(0, indices).reshape([windows, kernel * kernel * channels]);
        window.matmul(weights.clone())
    };
    gather.places.iter().map(sums).reduce(|largest, sums| largest.max_pair(sums)).expect("a square has a place")
}

/// What a frozen network makes of some images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Codes of every layer but the last, `[layer][image * codes of the map]`, in golden's order.
    pub codes: Vec<Vec<u8>>,
    /// Sums of the last layer, `[image][class]`.
    pub sums: Array2<i32>,
}

/// Layers of integers, on a device.
pub struct Frozen {
    /// First to last.
    pub layers: Vec<FrozenLayer>,
    device: Device,
    weights: Vec<Tensor<2>>,
    gathers: Vec<Gather>,
}

impl Frozen {
    /// Put layers on a device, without automatic differentiation.
    ///
    /// # Panics
    /// If a sum can reach 2^24.
    pub fn new(layers: Vec<FrozenLayer>, device: &Device) -> Self {
        let weights = layers.iter().map(|layer| {
            assert!(layer.largest_sum() < EXACT_SUMS, "sums of f32 are exact below 2^24");
            let by_input: Vec<f32> = layer.weights.t().iter().map(|w| f32::from(*w)).collect();
            let shape = [layer.weights.ncols(), layer.weights.nrows()];
            Tensor::from_data(TensorData::new(by_input, shape), device)
        });
        let weights = weights.collect();
        Self { layers, device: device.clone(), weights, gathers: Vec::new() }
    }

    /// Evaluate images of codes, `[image][code]`.
    ///
    /// # Panics
    /// If the images do not have the first layer's codes.
    pub fn evaluate(&mut self, images: ndarray::ArrayView2<'_, u8>) -> Evaluation {
        let (codes, sums) = self.run(images, true);
        let codes = codes.into_iter().map(|codes| read(codes).into_iter().map(|c| c as u8).collect()).collect();
        Evaluation { codes, sums: integers(sums) }
    }

    /// Sums of the last layer alone, `[image][class]`.
    ///
    /// # Panics
    /// If the images do not have the first layer's codes.
    pub fn sums(&mut self, images: ndarray::ArrayView2<'_, u8>) -> Array2<i32> {
        integers(self.run(images, false).1)
    }

    fn run(&mut self, images: ndarray::ArrayView2<'_, u8>, keep: bool) -> (Vec<Tensor<2>>, Tensor<2>) {
        let count = images.nrows();
        if self.gathers.first().is_none_or(|gather| gather.images != count) {
            self.gathers = self.layers.iter().map(|layer| Gather::new(&layer.placed, count, &self.device)).collect();
        }
        let input = self.layers[0].placed.input;
        let pixels: Vec<f32> = images.iter().map(|code| f32::from(*code)).collect();
        let shape = [count * input.height * input.width, input.channels];
        let mut map = Tensor::<2>::from_data(TensorData::new(pixels, shape), &self.device);
        let mut kept = Vec::new();
        for ((layer, weights), gather) in self.layers.iter().zip(&self.weights).zip(&self.gathers) {
            let sums = pooled_sums(&layer.placed, gather, map, weights.clone());
            let (Some(affine), Some(bits)) = (&layer.affine, layer.placed.plan.code_bits) else {
                return (kept, sums);
            };
            let row = |values: &[f32]| {
                Tensor::<2>::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &self.device)
            };
            map = codes(sums * row(&affine.slope) + row(&affine.offset), bits);
            if keep {
                kept.push(map.clone());
            }
        }
        unreachable!("the last layer has no codes")
    }
}

fn read(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("Burn's default float is f32")
}

fn integers(sums: Tensor<2>) -> Array2<i32> {
    let shape = sums.dims();
    Array2::from_shape_vec(shape, read(sums).into_iter().map(|y| y as i32).collect()).expect("its own shape")
}

//! The network as it is trained: latent weights, batch normalisation, straight-through quantizers, on Burn.
//!
//! A layer computes `y = sum_i q(w_i) x_i` over codes x, takes the largest y of every pooled square, normalises
//! `z = gain (y - mean) / sqrt(variance + epsilon) + offset` over the batch (Ioffe and Szegedy 2015), and turns z into codes
//! (`straight_through.rs`). The last layer's sums, times one scale factor, are the logits. The gain stays above 0, so that
//! codes rise with sums and a network folds into thresholds exactly.

use crate::TrainError;
use crate::adam::Moments;
use crate::architecture::{Architecture, PlacedLayer};
use crate::frozen::{Affine, FrozenLayer, Gather, pooled_sums};
use crate::straight_through::{code_limit, codes, integer_weight, integer_weights, latent_range};
use bitline_golden::random::stream;
use burn::nn::loss::CrossEntropyLoss;
use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::Array2;
use rand_chacha::rand_core::RngCore;

/// Added to a variance of sums, in squared weight-code steps.
const EPSILON: f32 = 1e-3;
/// Share of a batch in the running mean and variance.
const MOMENTUM: f64 = 0.1;
/// Gain and offset that batch normalisation starts with: codes are 0 up to a deviation below the mean, and full at two above.
const START: (f32, f32) = (0.33, 0.33);
/// Least gain.
const LEAST_GAIN: f32 = 1.0 / 1024.0;
/// Latent weights start uniform in plus or minus this part of half their range.
const START_PART: f64 = 0.5;
/// Learning rate of gains, offsets and the scale of the logits, in parts of the one of weights.
const AFFINE_RATE: f64 = 0.5;

/// Something that learns.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    /// Name in checkpoints.
    pub name: String,
    /// Rank 2; weights are `[input][output]`, the others `[1][output]`.
    pub value: Tensor<2>,
    /// Least and largest value; the parameter is clamped to it after every step.
    pub range: (f32, f32),
    /// Learning rate in its own units, for a learning rate of 1.
    pub rate: f64,
    /// The optimizer's state.
    pub moments: Moments,
}

impl Parameter {
    fn new(name: String, value: Tensor<2>, range: (f32, f32), rate: f64) -> Self {
        let moments = Moments::zeros(&value);
        Self { name, value, range, rate, moments }
    }
}

/// Running mean and variance of a layer's sums, each `[1][output]`.
#[derive(Debug, Clone)]
pub(crate) struct Statistics {
    pub mean: Tensor<2>,
    pub variance: Tensor<2>,
}

/// All that a step changes.
pub(crate) struct State {
    parameters: Vec<Parameter>,
    statistics: Vec<Statistics>,
    step: usize,
}

/// A network that learns.
pub(crate) struct Model {
    layers: Vec<PlacedLayer>,
    gathers: Vec<Gather>,
    pub parameters: Vec<Parameter>,
    pub statistics: Vec<Statistics>,
    /// Steps done.
    pub step: usize,
    loss: CrossEntropyLoss,
    device: Device,
}

fn row(values: Vec<f32>, device: &Device) -> Tensor<2> {
    let shape = [1, values.len()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn read(tensor: &Tensor<2>) -> Vec<f32> {
    tensor.clone().into_data().try_to_vec().expect("Burn's default float is f32")
}

impl Model {
    /// A network with its starting weights, for batches of that many images.
    ///
    /// Draws: stream `{streams} init`, one `u32` a weight, layer by layer in the order `[input][output]`; its upper 24 bits
    /// k give `(2 k / 2^24 - 1) * limit`, computed in f64 and rounded once, with limit a quarter of the weights' range.
    pub fn new(
        architecture: &Architecture,
        streams: &str,
        seed: u64,
        batch: usize,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let layers = architecture.placed()?;
        let mut random = stream(&format!("{streams} init"), seed);
        let (mut parameters, mut statistics) = (Vec::new(), Vec::new());
        for (index, layer) in layers.iter().enumerate() {
            let (inputs, outputs) = (layer.inputs(), layer.plan.outputs);
            let half = f64::from(1u32 << (layer.plan.weight_bits - 1));
            let mut draw = || {
                let unit = f64::from(random.next_u32() >> 8) / f64::from(1u32 << 24);
                ((2.0 * unit - 1.0) * half * START_PART) as f32
            };
            let latent: Vec<f32> = (0..inputs * outputs).map(|_| draw()).collect();
            let latent = Tensor::from_data(TensorData::new(latent, [inputs, outputs]), device);
            let range = latent_range(layer.plan.weight_bits);
            parameters.push(Parameter::new(format!("layers.{index}.latent"), latent, range, half));
            if layer.plan.code_bits.is_some() {
                let all = |value| row(vec![value; outputs], device);
                let gain = (LEAST_GAIN, f32::MAX);
                let offset = (f32::MIN, f32::MAX);
                parameters.push(Parameter::new(format!("layers.{index}.gain"), all(START.0), gain, AFFINE_RATE));
                parameters.push(Parameter::new(format!("layers.{index}.offset"), all(START.1), offset, AFFINE_RATE));
                statistics.push(Statistics { mean: all(0.0), variance: all(1.0) });
            } else {
                let scale = (inputs as f64).sqrt() * half * START_PART / 3f64.sqrt()
                    * f64::from(code_limit(layer.input_bits))
                    / 2.0;
                let scale = row(vec![(1.0 / scale).ln() as f32], device);
                parameters.push(Parameter::new("log_scale".into(), scale, (f32::MIN, f32::MAX), AFFINE_RATE));
            }
        }
        let gathers = layers.iter().map(|layer| Gather::new(layer, batch, device)).collect();
        let loss = CrossEntropyLoss::new(None, &device.clone().autodiff());
        Ok(Self { layers, gathers, parameters, statistics, step: 0, loss, device: device.clone() })
    }

    /// One step on a batch of codes, `[image][code]`; gives the mean cross-entropy in nats and the correct images.
    pub fn step(&mut self, images: Vec<f32>, labels: &[u8], rate: f64) -> (f64, usize) {
        let device = self.device.clone().autodiff();
        let batch = labels.len();
        let tracked: Vec<Tensor<2>> =
            self.parameters.iter().map(|parameter| parameter.value.clone().autodiff().require_grad()).collect();
        let input = self.layers[0].input;
        let shape = [batch * input.height * input.width, input.channels];
        let mut map = Tensor::<2>::from_data(TensorData::new(images, shape), &device);
        let mut next = tracked.iter();
        let mut taken = || next.next().expect("parameters in the order of layers").clone();
        let mut logits = None;
        for (index, (layer, gather)) in self.layers.iter().zip(&self.gathers).enumerate() {
            let weights = integer_weights(taken(), layer.plan.weight_bits);
            let sums = pooled_sums(layer, gather, map.clone(), weights);
            let Some(bits) = layer.plan.code_bits else {
                logits = Some(sums * taken().exp());
                break;
            };
            let mean = sums.clone().mean_dim(0);
            let centred = sums - mean.clone();
            let variance = (centred.clone() * centred.clone()).mean_dim(0);
            let running = &mut self.statistics[index];
            let moved =
                |old: &Tensor<2>, new: &Tensor<2>| old.clone() * (1.0 - MOMENTUM) + new.clone().inner() * MOMENTUM;
            running.mean = moved(&running.mean, &mean);
            running.variance = moved(&running.variance, &variance);
            let slope = taken() / (variance + EPSILON).sqrt();
            map = codes(centred * slope + taken(), bits);
        }
        let logits = logits.expect("the last layer gives no codes");
        let classes = logits.clone().inner().argmax(1).into_data().iter::<i64>().collect::<Vec<_>>();
        let correct = classes.iter().zip(labels).filter(|(class, label)| **class == i64::from(**label)).count();
        let labels: Vec<i32> = labels.iter().map(|label| i32::from(*label)).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), &device);
        let loss = self.loss.forward(logits, labels);
        let mut gradients = loss.backward();
        self.step += 1;
        for (parameter, tracked) in self.parameters.iter_mut().zip(&tracked) {
            let gradient = tracked.grad_remove(&mut gradients).expect("every parameter takes part");
            let change = parameter.moments.update(gradient, rate * parameter.rate, self.step);
            let (low, high) = parameter.range;
            parameter.value = (parameter.value.clone() - change).clamp(low, high);
        }
        let loss = loss.inner().into_data().iter::<f64>().next().expect("one number");
        (loss, correct)
    }

    /// All that a step changes.
    pub fn state(&self) -> State {
        State { parameters: self.parameters.clone(), statistics: self.statistics.clone(), step: self.step }
    }

    /// Go back to a state.
    pub fn restore(&mut self, state: State) {
        State { parameters: self.parameters, statistics: self.statistics, step: self.step } = state;
    }

    /// Factor from sums to logits.
    pub fn logit_scale(&self) -> f64 {
        f64::from(read(&self.parameters.last().expect("the last one").value)[0]).exp()
    }

    /// The network as integers: weights rounded, batch normalisation with its running statistics multiplied out.
    pub fn frozen(&self) -> Vec<FrozenLayer> {
        let mut parameters = self.parameters.iter();
        let mut taken = || read(&parameters.next().expect("parameters in the order of layers").value);
        let mut layers = Vec::new();
        for (index, placed) in self.layers.iter().enumerate() {
            let bits = placed.plan.weight_bits;
            let latent = Array2::from_shape_vec((placed.inputs(), placed.plan.outputs), taken()).expect("its shape");
            let weights = latent.t().mapv(|w| integer_weight(w, bits)).as_standard_layout().into_owned();
            let affine = placed.plan.code_bits.map(|_| {
                let (gain, offset) = (taken(), taken());
                let Statistics { mean, variance } = &self.statistics[index];
                let deviation = read(variance).into_iter().map(|v| (v + EPSILON).sqrt());
                let slope: Vec<f32> = gain.iter().zip(deviation).map(|(gain, deviation)| gain / deviation).collect();
                let shift = read(mean).into_iter().zip(&slope).map(|(mean, slope)| mean * slope);
                let offset = offset.iter().zip(shift).map(|(offset, shift)| offset - shift).collect();
                Affine { slope, offset }
            });
            layers.push(FrozenLayer { placed: *placed, weights, affine });
        }
        layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::LayerPlan;
    use bitline_golden::network::MapShape;

    /// Numbers in -1..1 that repeat nowhere nearby.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut random = stream("test numbers", u64::from(seed));
        (0..count).map(|_| (random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
    }

    #[test]
    fn convolution_and_pooling_have_the_gradients_of_plain_loops() {
        let device = Device::flex();
        let architecture = Architecture {
            input: MapShape { height: 7, width: 6, channels: 2 },
            input_bits: 4,
            layers: vec![LayerPlan::convolution(3, 3, 1, 4, 4, 2), LayerPlan::classes(2, 4)],
        };
        let layer = architecture.placed().unwrap()[0];
        let images = 2;
        let (map_values, weight_values) = (numbers(images * 84, 1), numbers(18 * 3, 2));
        let pull_values = numbers(images * layer.output.codes(), 3);
        let tensor = |values: &[f32], shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device.clone().autodiff())
        };
        let map = tensor(&map_values, [images * 42, 2]).require_grad();
        let weights = tensor(&weight_values, [18, 3]).require_grad();
        let pull = tensor(&pull_values, [images * 9, 3]);
        let sums = pooled_sums(&layer, &Gather::new(&layer, images, &device), map.clone(), weights.clone());
        let given = read(&sums.clone().inner());
        let gradients = (sums * pull).sum().backward();

        let (mut map_gradient, mut weight_gradient) = (vec![0f32; map_values.len()], vec![0f32; 54]);
        for (image, y, x, output) in (0..images)
            .flat_map(|i| (0..9).flat_map(move |place| (0..3).map(move |output| (i, place / 3, place % 3, output))))
        {
            // Inputs of a window: map index and weight index, where there is a pixel.
            let window = |down: usize, right: usize| {
                (0..18).filter_map(move |input| {
                    let (row, column, channel) = (input / 6, input / 2 % 3, input % 2);
                    let (top, left) = (2 * y + down + row, 2 * x + right + column);
                    let inside = (1..8).contains(&top) && (1..7).contains(&left);
                    inside.then(|| (((image * 7 + top - 1) * 6 + left - 1) * 2 + channel, input * 3 + output))
                })
            };
            let sum = |(down, right)| window(down, right).map(|(m, w)| map_values[m] * weight_values[w]).sum::<f32>();
            let squares = [(0, 0), (0, 1), (1, 0), (1, 1)];
            let best = squares.into_iter().max_by(|a, b| sum(*a).total_cmp(&sum(*b))).unwrap();
            let at = ((image * 3 + y) * 3 + x) * 3 + output;
            assert!((given[at] - sum(best)).abs() < 1e-5);
            for (m, w) in window(best.0, best.1) {
                map_gradient[m] += pull_values[at] * weight_values[w];
                weight_gradient[w] += pull_values[at] * map_values[m];
            }
        }
        let near = |given: Tensor<2>, expected: &[f32]| {
            read(&given).iter().zip(expected).all(|(given, expected)| (given - expected).abs() < 1e-5)
        };
        assert!(near(map.grad(&gradients).unwrap(), &map_gradient));
        assert!(near(weights.grad(&gradients).unwrap(), &weight_gradient));
    }

    #[test]
    fn starting_weights_fill_half_their_range() {
        let input = MapShape { height: 8, width: 8, channels: 1 };
        let layers = vec![LayerPlan::dense(16, 4, 4), LayerPlan::classes(10, 1)];
        let model = Model::new(&Architecture { input, input_bits: 4, layers }, "test", 0, 1, &Device::flex()).unwrap();
        let extremes = |index: usize| {
            let values = read(&model.parameters[index].value);
            (values.iter().copied().fold(f32::MAX, f32::min), values.iter().copied().fold(f32::MIN, f32::max))
        };
        let (low, high) = extremes(0);
        assert!((-4.0..-3.9).contains(&low) && (3.9..4.0).contains(&high), "{low} {high}");
        let (low, high) = extremes(3);
        assert!((-0.5..-0.45).contains(&low) && (0.45..0.5).contains(&high), "{low} {high}");
    }

    #[test]
    fn step_lowers_the_loss_and_keeps_parameters_in_their_ranges() {
        let input = MapShape { height: 4, width: 4, channels: 1 };
        let layers = vec![LayerPlan::dense(8, 2, 2), LayerPlan::classes(2, 4)];
        let architecture = Architecture { input, input_bits: 4, layers };
        let mut model = Model::new(&architecture, "test", 1, 16, &Device::flex()).unwrap();
        // Bright above against bright below.
        let images: Vec<f32> =
            (0..256).map(|i| if (i / 8 + i / 16) % 2 == 0 { (i % 13) as f32 } else { 0.0 }).collect();
        let labels: Vec<u8> = (0..16).map(|i| i % 2).collect();
        let losses: Vec<f64> = (0..40).map(|_| model.step(images.clone(), &labels, 0.05).0).collect();
        assert!(losses[39] < 0.5 * losses[0], "{losses:?}");
        for parameter in &model.parameters {
            let (low, high) = parameter.range;
            assert!(read(&parameter.value).iter().all(|v| (low..=high).contains(v)), "{}", parameter.name);
        }
        assert_eq!(model.step, 40);
    }
}

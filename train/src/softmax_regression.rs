//! The model on Burn: `z = x W + b`, softmax, cross-entropy, plain gradient descent.

use bitline_golden::dataset::{CLASSES, PIXEL_MAX, PIXELS};
use bitline_golden::random::stream;
use burn::module::Param;
use burn::nn::loss::CrossEntropyLoss;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::{Array2, ArrayView2};
use rand_chacha::rand_core::RngCore;

/// Ten logits from 64 pixels, with its optimizer and the device they live on.
pub(crate) struct SoftmaxRegression {
    linear: Linear,
    optimizer: ModuleOptimizer,
    loss: CrossEntropyLoss,
    learning_rate: f64,
    device: Device,
}

/// Weights drawn uniformly from +-sqrt(6 / (64 + 10)) (Glorot and Bengio 2010, Eq. 16; the default of the framework
/// that S001 used), biases 0.
///
/// Draws: stream `{streams} init`, one `u32` a weight, in the order `[output][input]`; its upper 24 bits k give
/// `(2 k / 2^24 - 1) * limit`, computed in f64 and rounded once to f32.
pub(crate) fn initial(streams: &str, seed: u64) -> (Array2<f32>, Vec<f32>) {
    let mut random = stream(&format!("{streams} init"), seed);
    let limit = (6.0 / (PIXELS + CLASSES) as f64).sqrt();
    let weights = Array2::from_shape_simple_fn((CLASSES, PIXELS), || {
        let unit = f64::from(random.next_u32() >> 8) / f64::from(1u32 << 24);
        ((2.0 * unit - 1.0) * limit) as f32
    });
    (weights, vec![0.0; CLASSES])
}

impl SoftmaxRegression {
    /// Move `[output][input]` weights and biases to a device.
    pub fn new(weights: &Array2<f32>, biases: &[f32], learning_rate: f64, device: &Device) -> Self {
        let device = device.clone().autodiff();
        // Burn keeps a dense layer's weights `[input][output]`.
        let data: Vec<f32> = weights.t().iter().copied().collect();
        let mut linear = LinearConfig::new(PIXELS, CLASSES).init(&device);
        linear.weight = Param::from_tensor(Tensor::from_data(TensorData::new(data, [PIXELS, CLASSES]), &device));
        let biases = TensorData::new(biases.to_vec(), [CLASSES]);
        linear.bias = Some(Param::from_tensor(Tensor::from_data(biases, &device)));
        let loss = CrossEntropyLoss::new(None, &device);
        Self { linear, optimizer: SgdConfig::new().init(), loss, learning_rate, device }
    }

    /// One step: `W <- W - learning_rate * d(mean cross-entropy of the batch)/dW`.
    ///
    /// `pixels` are `[image][pixel]`, row-major, 0.0..=1.0; `labels` one an image.
    pub fn step(&mut self, pixels: Vec<f32>, labels: Vec<i32>) {
        let batch = labels.len();
        let pixels = Tensor::<2>::from_data(TensorData::new(pixels, [batch, PIXELS]), &self.device);
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), &self.device);
        let loss = self.loss.forward(self.linear.forward(pixels), labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.linear);
        self.linear = self.optimizer.step(self.learning_rate, self.linear.clone(), gradients);
    }

    /// Weights `[output][input]` and biases as they stand.
    pub fn weights(&self) -> (Array2<f32>, Vec<f32>) {
        let read = |data: TensorData| data.try_to_vec::<f32>().expect("Burn's default float is f32");
        let weights = read(self.linear.weight.val().into_data());
        let weights = Array2::from_shape_vec((PIXELS, CLASSES), weights).expect("the layer's shape");
        let biases = self.linear.bias.as_ref().expect("made with biases").val().into_data();
        (weights.reversed_axes().as_standard_layout().into_owned(), read(biases))
    }
}

/// Pixels as numbers: code / 16.
pub(crate) fn pixels(codes: ArrayView2<'_, u8>) -> Vec<f32> {
    codes.iter().map(|code| f32::from(*code) / f32::from(PIXEL_MAX)).collect()
}

/// Mean cross-entropy in nats, and the images whose largest output is their label, ties to the lowest index.
///
/// Computed on the host in f64 from the f32 weights, summed in the order of pixels and images, so that the record
/// does not depend on the device.
pub(crate) fn evaluate(weights: &Array2<f32>, biases: &[f32], pixels: &[f32], labels: &[u8]) -> (f64, usize) {
    let (mut loss, mut correct) = (0.0, 0);
    // [pixel][output], so that the inner loop runs over outputs.
    let by_pixel: Vec<[f64; CLASSES]> =
        (0..PIXELS).map(|i| std::array::from_fn(|o| f64::from(weights[[o, i]]))).collect();
    let start: [f64; CLASSES] = std::array::from_fn(|o| f64::from(biases[o]));
    for (image, label) in pixels.chunks_exact(PIXELS).zip(labels) {
        let mut logits = start;
        for (pixel, weights) in image.iter().zip(&by_pixel) {
            let pixel = f64::from(*pixel);
            logits.iter_mut().zip(weights).for_each(|(z, w)| *z += pixel * w);
        }
        let class = (1..CLASSES).fold(0, |best, o| if logits[o] > logits[best] { o } else { best });
        let largest = logits[class];
        let partition: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
        loss += largest + partition.ln() - logits[usize::from(*label)];
        correct += usize::from(class == usize::from(*label));
    }
    (loss / labels.len() as f64, correct)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitline_golden::dataset::Digits;
    use burn::tensor::activation::log_softmax;

    #[test]
    fn initial_weights_fill_the_glorot_range() {
        let (weights, biases) = initial("digits", 0);
        let limit = (6.0f32 / 74.0).sqrt();
        assert!(weights.iter().all(|w| w.abs() <= limit));
        let spread = weights.iter().map(|w| w * w).sum::<f32>() / weights.len() as f32;
        // Variance of a uniform distribution, limit^2 / 3, within three standard errors (0.9 / sqrt(640) each).
        assert!((spread / (limit * limit / 3.0) - 1.0).abs() < 0.11, "{spread}");
        assert!(biases.iter().all(|b| *b == 0.0));
        assert_eq!(initial("digits", 0).0, weights);
        assert_ne!(initial("digits", 1).0, weights);
        assert_ne!(initial("other", 0).0, weights);
    }

    #[test]
    fn step_is_the_textbook_gradient() {
        let digits = Digits::embedded();
        let device = Device::flex();
        let (weights, mut biases) = initial("digits", 5);
        biases[3] = 0.25;
        let batch = 16;
        let x = pixels(digits.images.slice(ndarray::s![..batch, ..]));
        let labels = &digits.labels[..batch];
        let mut model = SoftmaxRegression::new(&weights, &biases, 0.5, &device);
        assert_eq!(model.weights(), (weights.clone(), biases.clone()));
        model.step(x.clone(), labels.iter().map(|l| i32::from(*l)).collect());
        let (after, after_biases) = model.weights();

        // dL/dz = (softmax(z) - onehot) / batch, in f64.
        let (mut w, mut b) = (weights.mapv(f64::from), biases.iter().map(|b| f64::from(*b)).collect::<Vec<_>>());
        for (image, label) in x.chunks_exact(PIXELS).zip(labels) {
            let z: Vec<f64> = (0..CLASSES)
                .map(|o| {
                    f64::from(biases[o])
                        + (0..PIXELS).map(|i| f64::from(weights[[o, i]]) * f64::from(image[i])).sum::<f64>()
                })
                .collect();
            let partition: f64 = z.iter().map(|z| z.exp()).sum();
            for o in 0..CLASSES {
                let delta = z[o].exp() / partition - f64::from(u8::from(o == usize::from(*label)));
                let rate = 0.5 * delta / batch as f64;
                b[o] -= rate;
                (0..PIXELS).for_each(|i| w[[o, i]] -= rate * f64::from(image[i]));
            }
        }
        let worst = after
            .iter()
            .zip(&w)
            .chain(after_biases.iter().zip(&b))
            .fold(0f64, |m, (a, e)| m.max((f64::from(*a) - e).abs()));
        assert!(worst < 1e-6, "{worst}");
    }

    #[test]
    fn evaluate_agrees_with_burn() {
        let digits = Digits::embedded();
        let (weights, biases) = initial("digits", 9);
        let x = pixels(digits.test_images());
        let (loss, correct) = evaluate(&weights, &biases, &x, digits.test_labels());
        let device = Device::flex();
        let model = SoftmaxRegression::new(&weights, &biases, 0.1, &device);
        let logits: Tensor<2> =
            model.linear.forward(Tensor::from_data(TensorData::new(x, [297, PIXELS]), &model.device));
        let classes = logits.clone().argmax(1).into_data().iter::<i64>().collect::<Vec<_>>();
        let matches = classes.iter().zip(digits.test_labels()).filter(|(c, l)| **c == i64::from(**l)).count();
        assert_eq!(matches, correct);
        let log = log_softmax(logits, 1).into_data().try_to_vec::<f32>().unwrap();
        let mean = -digits
            .test_labels()
            .iter()
            .enumerate()
            .map(|(i, l)| f64::from(log[i * CLASSES + usize::from(*l)]))
            .sum::<f64>()
            / 297.0;
        assert!((mean - loss).abs() < 1e-5, "{mean} {loss}");
    }
}

//! Quantizers that training sees through: exact integers forward, the straight-through estimator backward.
//!
//! Forward, a weight is the nearest integer of its latent value and an activation the nearest code; backward, the step
//! function between latent value and integer counts as the identity (Bengio, Leonard and Courville 2013; for codes of b
//! bits, DoReFa-Net, Zhou et al. 2016, Eq. 5). Both are written `q(x).detach() + (x - x.detach())`: the bracket is exactly 0, so
//! the sum is exactly the integer, which `x + (q(x) - x).detach()` would not be in floating point.

use bitline_golden::network::weight_range;
use burn::tensor::Tensor;

/// Values that a latent weight of so many bits may take, in weight steps: those of the weight itself, -1.0..=1.0 for one bit.
pub fn latent_range(weight_bits: usize) -> (f32, f32) {
    let range = weight_range(weight_bits);
    (f32::from(*range.start()), f32::from(*range.end()))
}

/// Largest code of so many bits: 2^b - 1, as a number.
pub fn code_limit(code_bits: usize) -> f32 {
    ((1u32 << code_bits) - 1) as f32
}

/// Pass `x` its gradient, and give `quantized` for its value.
fn straight_through<const D: usize>(x: Tensor<D>, quantized: Tensor<D>) -> Tensor<D> {
    quantized.detach() + (x.clone() - x.detach())
}

/// Round latent weights, each in [`latent_range`], to integers; of one bit, to -1 below 0 and to 1 from 0 on.
///
/// Rounding is to the nearest, halves up: `floor(w + 0.5)`.
pub fn integer_weights(latent: Tensor<2>, weight_bits: usize) -> Tensor<2> {
    let value = latent.clone().detach();
    let quantized =
        if weight_bits == 1 { value.greater_equal_elem(0.0).float() * 2.0 - 1.0 } else { (value + 0.5).floor() };
    straight_through(latent, quantized)
}

/// The integer of one latent weight, as [`integer_weights`] has it.
pub fn integer_weight(latent: f32, weight_bits: usize) -> i8 {
    if weight_bits == 1 {
        return if latent >= 0.0 { 1 } else { -1 };
    }
    (latent + 0.5).floor() as i8
}

/// Turn activations into codes: `floor(clamp(z, 0, 1) * (2^b - 1) + 0.5)`; the gradient passes where 0 <= z <= 1.
pub fn codes(activations: Tensor<2>, code_bits: usize) -> Tensor<2> {
    let limit = code_limit(code_bits);
    let scaled = (activations * limit).clamp(0.0, limit);
    let quantized = (scaled.clone().detach() + 0.5).floor();
    straight_through(scaled, quantized)
}

/// The code of one activation, in the same f32 operations as [`codes`].
pub fn code(activation: f32, code_bits: usize) -> u8 {
    let limit = code_limit(code_bits);
    ((activation * limit).clamp(0.0, limit) + 0.5).floor() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn row(values: &[f32], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device)
    }

    fn read(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn weights_round_to_the_nearest_integer_of_their_bits() {
        let device = Device::flex();
        let latent = [-8.0, -7.5, -7.51, -0.5, -0.49, 0.0, 0.49, 0.5, 6.5, 7.0];
        assert_eq!(
            read(integer_weights(row(&latent, &device), 4)),
            [-8.0, -7.0, -8.0, 0.0, 0.0, 0.0, 0.0, 1.0, 7.0, 7.0]
        );
        assert_eq!(read(integer_weights(row(&[-1.0, -1e-9, 0.0, 0.3], &device), 1)), [-1.0, -1.0, 1.0, 1.0]);
        for bits in 1..=8 {
            let (low, high) = latent_range(bits);
            let latent: Vec<f32> = (0..=997).map(|i| low + (high - low) * i as f32 / 997.0).collect();
            let integers = read(integer_weights(row(&latent, &device), bits));
            for (latent, integer) in latent.iter().zip(integers) {
                assert_eq!(f32::from(integer_weight(*latent, bits)), integer, "{latent} in {bits} bits");
            }
        }
    }

    #[test]
    fn codes_are_the_nearest_of_their_bits_and_saturate() {
        let device = Device::flex();
        let activations = [-3.0, 0.0, 0.033, 0.034, 0.5, 0.966, 0.967, 1.0, 2.0];
        assert_eq!(read(codes(row(&activations, &device), 4)), [0.0, 0.0, 0.0, 1.0, 8.0, 14.0, 15.0, 15.0, 15.0]);
        assert_eq!(read(codes(row(&[0.49, 0.5], &device), 1)), [0.0, 1.0]);
        for bits in 1..=4 {
            let activations: Vec<f32> = (0..=9973).map(|i| (i as f32 - 1000.0) / 7919.0).collect();
            let expected = read(codes(row(&activations, &device), bits));
            for (activation, expected) in activations.iter().zip(expected) {
                assert_eq!(f32::from(code(*activation, bits)), expected, "{activation} in {bits} bits");
            }
        }
    }

    #[test]
    fn gradients_pass_straight_through_and_stop_where_codes_saturate() {
        let device = Device::flex().autodiff();
        let latent = row(&[-7.3, 0.2, 6.9], &device).require_grad();
        let factor = row(&[1.0, 10.0, 100.0], &device);
        let gradients = (integer_weights(latent.clone(), 4) * factor.clone()).sum().backward();
        assert_eq!(read(latent.grad(&gradients).unwrap()), [1.0, 10.0, 100.0]);
        let activations = row(&[-0.1, 0.4, 1.1], &device).require_grad();
        let gradients = (codes(activations.clone(), 2) * factor).sum().backward();
        assert_eq!(read(activations.grad(&gradients).unwrap()), [0.0, 30.0, 0.0]);
    }
}

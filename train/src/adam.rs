//! The optimizer: Adam (Kingma and Ba 2015, Algorithm 1), its state in plain view so that a checkpoint can hold it.

use burn::tensor::Tensor;

/// Decay of the mean of gradients.
const FIRST_DECAY: f64 = 0.9;
/// Decay of the mean of squared gradients.
const SECOND_DECAY: f64 = 0.999;
/// Kept away from a division by zero.
const EPSILON: f64 = 1e-8;

/// A step length that falls from `start` to 0 along half a cosine (Loshchilov and Hutter 2017, Eq. 5, one period); `done` in 0..=1.
pub fn cosine(start: f64, done: f64) -> f64 {
    start * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

/// Both running means of one parameter.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Of gradients.
    pub first: Tensor<2>,
    /// Of squared gradients.
    pub second: Tensor<2>,
}

impl Moments {
    /// Zeros of a parameter's shape, on its device.
    pub fn zeros(parameter: &Tensor<2>) -> Self {
        Self { first: parameter.zeros_like(), second: parameter.zeros_like() }
    }

    /// Take in a gradient; `step` counts from 1. Gives what is to be subtracted from the parameter:
    /// `rate * mhat / (sqrt(vhat) + epsilon)`.
    pub fn update(&mut self, gradient: Tensor<2>, rate: f64, step: usize) -> Tensor<2> {
        let squared = gradient.clone() * gradient.clone();
        self.first = self.first.clone() * FIRST_DECAY + gradient * (1.0 - FIRST_DECAY);
        self.second = self.second.clone() * SECOND_DECAY + squared * (1.0 - SECOND_DECAY);
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        let first_part = 1.0 - FIRST_DECAY.powi(step);
        let second_part = (1.0 - SECOND_DECAY.powi(step)).sqrt();
        let root = self.second.clone().sqrt() * (1.0 / second_part) + EPSILON;
        self.first.clone() * (rate / first_part) / root
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn update_is_the_published_algorithm() {
        let device = Device::flex();
        let gradients = [[0.5f64, -2.0], [0.1, 4.0], [-0.3, 0.0]];
        let parameter = Tensor::<2>::zeros([1, 2], &device);
        let mut moments = Moments::zeros(&parameter);
        let (mut m, mut v) = ([0.0f64; 2], [0.0f64; 2]);
        for (index, gradient) in gradients.iter().enumerate() {
            let t = index as i32 + 1;
            let tensor = Tensor::<2>::from_floats([[gradient[0] as f32, gradient[1] as f32]], &device);
            let given = moments.update(tensor, 0.01, t as usize).into_data().try_to_vec::<f32>().unwrap();
            for i in 0..2 {
                m[i] = 0.9 * m[i] + 0.1 * gradient[i];
                v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
                let (m_hat, v_hat) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.999f64.powi(t)));
                let expected = 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
                assert!((f64::from(given[i]) - expected).abs() < 1e-7, "step {t}: {} {expected}", given[i]);
            }
        }
    }
}

//! Random problems: a machine, an array and images, made from a few sizes and a seed.
#![allow(dead_code)] // each test file uses its own part

use bitline_golden::array::{DeviceArray, weight_range};
use bitline_golden::machine::{Conductance, LinkConfig, Machine, QuantizerConfig};
use bitline_golden::random::stream;
use ndarray::Array2;
use proptest::prelude::*;
use rand::Rng;

/// What a run takes.
#[derive(Debug, Clone)]
pub struct Problem {
    pub machine: Machine,
    pub weights: Array2<i8>,
    pub array: DeviceArray,
    pub images: Array2<u8>,
    pub labels: Vec<Option<u8>>,
}

/// Sizes from which a problem is drawn.
#[derive(Debug, Clone)]
pub struct Sizes {
    pub rows: usize,
    pub bias_rows: usize,
    pub outputs: usize,
    pub weight_bits: usize,
    pub input_bits: usize,
    pub tiles: usize,
    /// Rows that the last tile lacks.
    pub missing_rows: usize,
    pub images: usize,
    pub ratio: u32,
    pub reference_column: bool,
    pub quantizer: QuantizerConfig,
    pub seed: u64,
}

/// The quantizer that is a no-op for `rows` rows at that ratio.
pub fn lossless_quantizer(rows: usize, ratio: u32) -> QuantizerConfig {
    let bits = usize::BITS - rows.leading_zeros();
    let shift = (0..=24)
        .find(|&shift| {
            let multiplier = ((1u64 << shift) + u64::from(ratio - 1) / 2) / u64::from(ratio - 1);
            let half = (1u64 << shift) >> 1;
            multiplier > 0 && (0..=rows as u64).all(|n| (n * u64::from(ratio - 1) * multiplier + half) >> shift == n)
        })
        .expect("some shift is fine enough");
    let multiplier = ((1u64 << shift) + u64::from(ratio - 1) / 2) / u64::from(ratio - 1);
    QuantizerConfig { multiplier: multiplier as u32, shift, bits }
}

impl Sizes {
    pub fn machine(&self) -> Machine {
        Machine {
            name: "random".into(),
            rows: self.rows,
            bias_rows: self.bias_rows.min(self.rows - 1),
            bias_code: (1 << self.input_bits) - 1,
            outputs: self.outputs,
            weight_bits: self.weight_bits,
            input_bits: self.input_bits,
            tiles: self.tiles,
            row_lanes: self.rows.div_ceil(2),
            plane_lanes: 1,
            column_lanes: self.weight_bits,
            slots: 16,
            conductance: Conductance {
                lrs_ohms: 1000,
                hrs_ohms: 1000 * self.ratio,
                reference_column: self.reference_column,
            },
            quantizer: self.quantizer,
            link: LinkConfig { baud: 1_000_000, clock_hz: 12_000_000 },
        }
    }

    /// Draw weights, stuck devices (one in twenty when `stuck`), images and labels. `None` for a machine that
    /// the model refuses.
    pub fn problem(&self, stuck: bool) -> Option<Problem> {
        let machine = self.machine();
        let matrix_rows = (self.tiles * self.rows - if self.tiles > 1 { self.missing_rows % self.rows } else { 0 })
            .max(machine.bias_rows + 1);
        let mut random = stream("problem", self.seed);
        let (low, high) = weight_range(self.weight_bits);
        let weights = Array2::from_shape_simple_fn((self.outputs, matrix_rows), || {
            if self.weight_bits == 1 {
                if random.random() { 1 } else { -1 }
            } else {
                random.random_range(low..=high) as i8
            }
        });
        let mut array = DeviceArray::from_weights(&machine, &weights).ok()?;
        if stuck {
            array.stick_fraction(0.05, 0.5, &mut random).unwrap();
        }
        // Corners first: an image of zeros, one of the largest codes, then random ones.
        let images = Array2::from_shape_fn((self.images, matrix_rows - machine.bias_rows), |(image, _)| match image {
            0 => 0,
            1 => ((1u32 << self.input_bits) - 1) as u8,
            _ => random.random_range(0..1u32 << self.input_bits) as u8,
        });
        let labels = (0..self.images)
            .map(|_| random.random::<bool>().then(|| random.random_range(0..self.outputs as u32) as u8));
        let labels = labels.collect();
        Some(Problem { machine, weights, array, images, labels })
    }
}

/// Random sizes, any quantizer.
pub fn sizes(max_images: usize) -> impl Strategy<Value = Sizes> {
    let shape = (1..90usize, 0..3usize, 2..7usize, 1..=8usize, 1..=8usize);
    let rest = (1..4usize, 0..90usize, 0..max_images, 2..200u32, any::<bool>(), any::<u64>());
    let quantizer = (0..4usize, 1..5_000u32, 0..20u32, 1..=9u32);
    (shape, rest, quantizer).prop_map(|(shape, rest, quantizer)| {
        let (rows, bias_rows, outputs, weight_bits, input_bits) = shape;
        let (tiles, missing_rows, images, ratio, reference_column, seed) = rest;
        let (kind, multiplier, shift, bits) = quantizer;
        let lossless = lossless_quantizer(rows, ratio);
        let quantizer = match kind {
            0 => lossless,
            1 => QuantizerConfig { bits: (lossless.bits - 1).max(1), ..lossless },
            2 => {
                QuantizerConfig { bits: lossless.bits.saturating_sub(2).max(1), shift: lossless.shift + 1, ..lossless }
            }
            _ => QuantizerConfig { multiplier, shift, bits },
        };
        Sizes {
            rows,
            bias_rows,
            outputs,
            weight_bits,
            input_bits,
            tiles,
            missing_rows,
            images,
            ratio,
            reference_column,
            quantizer,
            seed,
        }
    })
}

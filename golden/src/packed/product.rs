//! The product kernel: a lossless machine's sums are `y = W x`, eight-bit integers multiplied and added in 32 bits.

use ndarray::{ArrayView2, Axis};

use super::Level;
use super::aligned::Aligned;
use crate::array::DeviceArray;
use crate::column::current;
use crate::error::GoldenError;
use crate::machine::Machine;
use crate::quantizer::quantize;

/// Outputs side by side in the weights' layout.
pub(super) const BLOCK: usize = 16;
/// Bytes of codes and sums that stay in the first-level cache beside the weights passing through.
const CHUNK_BYTES: usize = 32 << 10;

/// The weights that an array's devices hold, laid out for the dot-product instructions.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub inputs: usize,
    /// Inputs filled up to a multiple of 64 with rows of weight 0: as many bytes has an image.
    pub depth: usize,
    pub outputs: usize,
    /// `[output / 16][input / 4][output % 16][input % 4]`.
    pub weights: Aligned<i8>,
    /// What the bias rows add, one an output, filled up to a multiple of 16.
    pub bias: Aligned<i32>,
    /// Whether any of these is not 0.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    pub has_bias: bool,
    /// How many sums of two neighbouring products of a code and a weight are sure to add up in 16 bits.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    pub pairs_fit: usize,
    /// Whether every sum fits 22 bits, and there are at most 1024 outputs.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    pub keys_fit: bool,
}

impl Product {
    /// Read the weights back from the devices, stuck ones included; `None` unless the machine is lossless and, beyond
    /// that, clamps nothing: a clamp to the very count it should be would still be a saturation.
    pub fn new(machine: &Machine, array: &DeviceArray) -> Result<Option<Self>, GoldenError> {
        let largest = current(&machine.conductance, machine.rows as u32, machine.rows as u32);
        if !machine.is_lossless() || quantize(&machine.quantizer, largest).saturated {
            return Ok(None);
        }
        let matrix = array.to_weights(machine)?;
        let inputs = matrix.ncols() - machine.bias_rows;
        let (weights, biases) = matrix.view().split_at(Axis(1), inputs);
        let biases: Vec<i32> = biases
            .rows()
            .into_iter()
            .map(|row| row.iter().map(|w| i32::from(*w) * machine.bias_code as i32).sum())
            .collect();
        Ok(Some(Self::of_weights(weights, &biases, machine.input_bits, machine.weight_bits)))
    }

    /// Lay out `weights`, `[output][input]`, of `weight_bits` bits each, with what is added to the sum of each output, for
    /// codes of `input_bits` bits.
    pub fn of_weights(weights: ArrayView2<'_, i8>, biases: &[i32], input_bits: usize, weight_bits: usize) -> Self {
        let (matrix, (outputs, inputs)) = (weights, weights.dim());
        let depth = inputs.next_multiple_of(64);
        let mut weights = Aligned::zeros(outputs.next_multiple_of(BLOCK) * depth);
        for ((output, row), &weight) in matrix.indexed_iter() {
            let block = output / BLOCK * BLOCK * depth;
            weights[block + row / 4 * 4 * BLOCK + output % BLOCK * 4 + row % 4] = weight;
        }
        let mut bias = Aligned::zeros(outputs.next_multiple_of(BLOCK));
        bias[..outputs].copy_from_slice(biases);
        let code_max = (1u32 << input_bits) - 1;
        let pair = (2 * code_max as i32) << (weight_bits - 1);
        let most_added = biases.iter().map(|bias| bias.unsigned_abs()).max().unwrap_or(0);
        let largest = ((inputs as u64 * u64::from(code_max)) << (weight_bits - 1)) + u64::from(most_added);
        let (pairs_fit, keys_fit) = ((i16::MAX as i32 / pair) as usize, largest < 1 << 21 && outputs <= 1024);
        let has_bias = bias.iter().any(|bias| *bias != 0);
        Self { inputs, depth, outputs, weights, bias, has_bias, pairs_fit, keys_fit }
    }

    /// Images to take together, so that their codes and sums stay in the first-level cache.
    pub fn images_together(&self) -> usize {
        (CHUNK_BYTES / (4 * self.outputs + self.depth)).next_multiple_of(32).min(256)
    }

    /// Memory for the codes of `images` images, filled up with zeros; none where nothing is to be filled up.
    pub fn padded(&self, images: usize) -> Aligned<u8> {
        Aligned::zeros(if self.inputs == self.depth { 0 } else { images * self.depth })
    }

    /// Multiply `codes`, `[image][input]`, into `sums`, `[image][output]`, by way of `padded` where an image is no whole
    /// number of 64 inputs.
    pub fn multiply(&self, level: Level, codes: &[u8], sums: &mut [i32], padded: &mut [u8]) {
        if self.inputs == self.depth {
            return self.multiply_padded(level, codes, sums);
        }
        let padded = &mut padded[..sums.len() / self.outputs * self.depth];
        for (to, codes) in padded.chunks_exact_mut(self.depth).zip(codes.chunks_exact(self.inputs)) {
            to[..self.inputs].copy_from_slice(codes);
        }
        self.multiply_padded(level, padded, sums);
    }

    /// Multiply padded codes, `depth` bytes an image, into `sums`, `[image][output]`.
    pub fn multiply_padded(&self, level: Level, codes: &[u8], sums: &mut [i32]) {
        let images = sums.len() / self.outputs;
        assert!(codes.len() >= images * self.depth);
        #[cfg(target_arch = "x86_64")]
        {
            let whole = if level == Level::Amx { images - images % 16 } else { 0 };
            let (codes_left, sums_left) = (&codes[whole * self.depth..], &mut sums[whole * self.outputs..]);
            // SAFETY: the level is one that the processor has; lengths were checked above.
            unsafe {
                if level >= Level::Avx512 {
                    super::product_x86::multiply_avx512(self, codes_left, sums_left);
                } else if level == Level::Avx2 && self.pairs_fit > 0 {
                    super::product_x86::multiply_avx2(self, codes_left, sums_left);
                } else {
                    self.multiply_plain(codes_left, sums_left);
                }
                if whole > 0 {
                    super::amx::multiply(self, &codes[..whole * self.depth], &mut sums[..whole * self.outputs]);
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = level;
            self.multiply_plain(codes, sums);
        }
    }

    /// Plain loops over the layout.
    fn multiply_plain(&self, codes: &[u8], sums: &mut [i32]) {
        for (codes, sums) in codes.chunks_exact(self.depth).zip(sums.chunks_exact_mut(self.outputs)) {
            let blocks = self.weights.chunks_exact(BLOCK * self.depth).zip(self.bias.chunks_exact(BLOCK));
            for ((weights, bias), sums) in blocks.zip(sums.chunks_mut(BLOCK)) {
                let mut block: [i32; BLOCK] = bias.try_into().expect("a block of biases");
                for (codes, weights) in codes.as_chunks::<4>().0.iter().zip(weights.as_chunks::<{ 4 * BLOCK }>().0) {
                    for (k, code) in codes.iter().enumerate() {
                        for (output, sum) in block.iter_mut().enumerate() {
                            *sum += i32::from(*code) * i32::from(weights[output * 4 + k]);
                        }
                    }
                }
                sums.copy_from_slice(&block[..sums.len()]);
            }
        }
    }
}

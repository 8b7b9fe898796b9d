//! Shapes of layers: what a window over a feature map sees, how windows move, and how codes are pooled.
//!
//! A feature map is stored row by row, pixel by pixel, channel fastest: code `(y * width + x) * channels + c`. A
//! window's inputs come in the same order, kernel row by kernel row, so each kernel row is one run of neighbouring codes.

use serde::{Deserialize, Serialize};

/// Height, width and channels of a feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapShape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels a row.
    pub width: usize,
    /// Codes a pixel.
    pub channels: usize,
}

impl MapShape {
    /// A map of one pixel: what a dense layer reads and gives.
    pub fn flat(channels: usize) -> Self {
        Self { height: 1, width: 1, channels }
    }

    /// Codes of the map.
    pub fn codes(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Where a code lies in the map.
    pub fn at(&self, y: usize, x: usize, channel: usize) -> usize {
        (y * self.width + x) * self.channels + channel
    }
}

/// A convolution: the same weights applied to every window of a feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// The map it reads, without padding.
    pub input: MapShape,
    /// Rows of a window.
    pub kernel_height: usize,
    /// Pixels in a row of a window.
    pub kernel_width: usize,
    /// Pixels from one window to the next, both ways.
    pub stride: usize,
    /// Rows and pixels of code 0 on every side of the map.
    pub padding: usize,
}

impl Convolution {
    /// Inputs of one window: `kernel_height * kernel_width * channels`.
    pub fn window_inputs(&self) -> usize {
        self.kernel_height * self.kernel_width * self.input.channels
    }

    /// Rows of windows.
    pub fn windows_high(&self) -> usize {
        (self.input.height + 2 * self.padding - self.kernel_height) / self.stride + 1
    }

    /// Windows a row.
    pub fn windows_wide(&self) -> usize {
        (self.input.width + 2 * self.padding - self.kernel_width) / self.stride + 1
    }

    /// Copy what the window at row `y`, column `x` of the windows sees; padding is 0.
    pub fn window(&self, map: &[u8], y: usize, x: usize) -> Vec<u8> {
        let mut inputs = Vec::with_capacity(self.window_inputs());
        for (row, column) in (0..self.kernel_height).flat_map(|r| (0..self.kernel_width).map(move |c| (r, c))) {
            let (top, left) = (y * self.stride + row, x * self.stride + column);
            let pixel = (top.checked_sub(self.padding), left.checked_sub(self.padding));
            match pixel {
                (Some(top), Some(left)) if top < self.input.height && left < self.input.width => {
                    let first = self.input.at(top, left, 0);
                    inputs.extend_from_slice(&map[first..first + self.input.channels]);
                }
                _ => inputs.extend(std::iter::repeat_n(0, self.input.channels)),
            }
        }
        inputs
    }
}

/// What a layer's weights are applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Geometry {
    /// All inputs at once.
    #[default]
    Dense,
    /// Every window of a feature map.
    Convolution(Convolution),
}

/// Max pooling: of each square of codes the largest, channel by channel. Rows and pixels that fill no square are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Side of a square.
    pub size: usize,
    /// From one square to the next.
    pub stride: usize,
}

impl Pool {
    /// No pooling: squares of one code.
    pub const NONE: Self = Self { size: 1, stride: 1 };

    /// Squares along a side of that length.
    pub fn squares(&self, length: usize) -> usize {
        if length < self.size { 0 } else { (length - self.size) / self.stride + 1 }
    }

    /// Rows and columns of a square's codes, from its first one, row by row.
    #[inline(always)]
    pub fn places(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.size).flat_map(move |dy| (0..self.size).map(move |dx| (dy, dx)))
    }

    /// Pool a map.
    pub fn apply(&self, map: &[u8], shape: MapShape) -> (Vec<u8>, MapShape) {
        let pooled = MapShape { height: self.squares(shape.height), width: self.squares(shape.width), ..shape };
        let mut codes = Vec::with_capacity(pooled.codes());
        for (y, x) in (0..pooled.height).flat_map(|y| (0..pooled.width).map(move |x| (y, x))) {
            for c in 0..shape.channels {
                let code = |(dy, dx)| map[shape.at(y * self.stride + dy, x * self.stride + dx, c)];
                codes.push(self.places().map(code).max().unwrap_or(0));
            }
        }
        (codes, pooled)
    }
}

/// Thresholds between a layer's sums and the next layer's codes (contract section 3): the code of y is the number of
/// thresholds of its output that y exceeds. Batch normalisation, DoReFa quantization (S000), sign and PSSign (S002) are
/// all of this form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// b: bits of a code, 1..=4.
    pub bits: usize,
    /// `[output][2^b - 1]`, each output's never falling.
    pub thresholds: ndarray::Array2<i32>,
}

impl Activation {
    /// Thresholds an output: 2^b - 1.
    pub fn levels(bits: usize) -> usize {
        (1 << bits) - 1
    }

    /// The code of a sum.
    pub fn code(&self, output: usize, y: i32) -> u8 {
        self.thresholds.row(output).iter().filter(|threshold| y > **threshold).count() as u8
    }
}

//! What a network is made of, before it has weights: layers over maps of codes.

use crate::TrainError;
use crate::error::refuse;
use bitline_golden::network::{Convolution, Geometry, MapShape, Pool};
use serde::{Deserialize, Serialize};

/// What a layer's weights are applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Kind {
    /// All codes of the map at once.
    Dense,
    /// Every window of the map.
    Convolution {
        /// Side of the square window, in pixels.
        kernel: usize,
        /// Pixels from one window to the next.
        stride: usize,
        /// Border of code 0 on every side.
        padding: usize,
    },
}

/// One layer: integer weights, and unless it is the last, pooling, batch normalisation and codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPlan {
    /// Dense or convolution.
    pub kind: Kind,
    /// Outputs of every window.
    pub outputs: usize,
    /// Bits of a weight, 1..=8.
    pub weight_bits: usize,
    /// Bits of the codes it gives, 1..=4; none for the last layer, whose sums are ranked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_bits: Option<usize>,
    /// Side of the squares that are pooled, 1 for none; squares do not overlap.
    pub pool: usize,
}

impl LayerPlan {
    /// A dense layer that gives codes.
    pub fn dense(outputs: usize, weight_bits: usize, code_bits: usize) -> Self {
        Self { kind: Kind::Dense, outputs, weight_bits, code_bits: Some(code_bits), pool: 1 }
    }

    /// The last layer: one sum a class.
    pub fn classes(outputs: usize, weight_bits: usize) -> Self {
        Self { kind: Kind::Dense, outputs, weight_bits, code_bits: None, pool: 1 }
    }

    /// A convolution of stride 1 that gives codes, pooled in squares of side `pool`.
    pub fn convolution(
        outputs: usize,
        kernel: usize,
        padding: usize,
        weight_bits: usize,
        code_bits: usize,
        pool: usize,
    ) -> Self {
        let kind = Kind::Convolution { kernel, stride: 1, padding };
        Self { kind, outputs, weight_bits, code_bits: Some(code_bits), pool }
    }
}

/// A layer in its place: what it reads and what it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedLayer {
    /// The layer.
    pub plan: LayerPlan,
    /// The map it reads.
    pub input: MapShape,
    /// Bits of the codes it reads.
    pub input_bits: usize,
    /// The map of its windows before pooling, outputs as channels.
    pub windows: MapShape,
    /// The map it gives.
    pub output: MapShape,
}

impl PlacedLayer {
    /// Inputs of one window.
    pub fn inputs(&self) -> usize {
        match self.plan.kind {
            Kind::Dense => self.input.codes(),
            Kind::Convolution { kernel, .. } => kernel * kernel * self.input.channels,
        }
    }

    /// As golden has it.
    pub fn geometry(&self) -> Geometry {
        match self.plan.kind {
            Kind::Dense => Geometry::Dense,
            Kind::Convolution { kernel, stride, padding } => Geometry::Convolution(Convolution {
                input: self.input,
                kernel_height: kernel,
                kernel_width: kernel,
                stride,
                padding,
            }),
        }
    }

    /// As golden has it; none where nothing is pooled.
    pub fn pooling(&self) -> Option<Pool> {
        (self.plan.pool > 1).then_some(Pool { size: self.plan.pool, stride: self.plan.pool })
    }
}

/// A network's layers over the maps of one data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The image.
    pub input: MapShape,
    /// Bits of an image's codes, 1..=8.
    pub input_bits: usize,
    /// First to last.
    pub layers: Vec<LayerPlan>,
}

impl Architecture {
    /// Work out every layer's maps.
    ///
    /// # Errors
    /// [`TrainError::Config`] for a layer that its input has no room for, or that has no place.
    pub fn placed(&self) -> Result<Vec<PlacedLayer>, TrainError> {
        if self.layers.is_empty() {
            return refuse("layers", "0".into(), "at least 1", "a network ends with its classes");
        }
        let (mut input, mut input_bits) = (self.input, self.input_bits);
        if !(1..=8).contains(&input_bits) {
            return refuse("input_bits", input_bits.to_string(), "1..=8", "images have 8 bits");
        }
        let mut placed = Vec::new();
        for (index, plan) in self.layers.iter().enumerate() {
            let is_last = index + 1 == self.layers.len();
            if !(1..=8).contains(&plan.weight_bits) {
                return refuse("weight_bits", plan.weight_bits.to_string(), "1..=8", "weights have 1 to 8 bits");
            }
            if is_last != plan.code_bits.is_none() {
                let limit = "given by every layer but the last";
                return refuse("code_bits", format!("{:?}", plan.code_bits), limit, "the last layer's sums are ranked");
            }
            if plan.code_bits.is_some_and(|bits| !(1..=4).contains(&bits)) {
                return refuse("code_bits", format!("{:?}", plan.code_bits), "1..=4", "thresholds make 1 to 4 bits");
            }
            if plan.outputs == 0 {
                return refuse("outputs", "0".into(), "at least 1", "give the layer outputs");
            }
            let side = |length: usize| match plan.kind {
                Kind::Dense => Some(1),
                Kind::Convolution { kernel, stride, padding } => {
                    let room = (length + 2 * padding).checked_sub(kernel)?;
                    (kernel > 0 && stride > 0).then(|| room / stride + 1)
                }
            };
            let (Some(height), Some(width)) = (side(input.height), side(input.width)) else {
                let limit = format!("a window inside {} x {}", input.height, input.width);
                return refuse("kernel", format!("{:?}", plan.kind), limit, "make the kernel smaller");
            };
            let windows = MapShape { height, width, channels: plan.outputs };
            if plan.pool == 0 || plan.pool > height.min(width) {
                let limit = format!("1..={}", height.min(width));
                return refuse("pool", plan.pool.to_string(), limit, "pool squares of codes that there are");
            }
            let output = MapShape { height: height / plan.pool, width: width / plan.pool, ..windows };
            placed.push(PlacedLayer { plan: *plan, input, input_bits, windows, output });
            (input, input_bits) = (output, plan.code_bits.unwrap_or(0));
        }
        if placed.last().expect("not empty").plan.kind != Kind::Dense {
            return refuse("the last layer", "a convolution".into(), "dense", "its outputs are the classes");
        }
        Ok(placed)
    }
}

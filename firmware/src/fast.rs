//! The fast path of whole networks: sums, classes and counters of many images, as [`mod@crate::execute`] gives them one by one.
//!
//! On a lossless machine every count is its own code, so a layer's sums are an integer product ([`PackedNetwork`]); what a program
//! counts does not depend on the codes, but for the rows that it drives.

use crate::compile::Compiled;
use crate::execute::{Executor, LayerCounters};
use crate::program::Target;
use bitline_golden::error::GoldenError;
use bitline_golden::network::{Network, NetworkError};
use bitline_golden::packed::{NetworkRun, PackedNetwork};
use bitline_golden::quantizer::is_lossless;
use ndarray::Array2;

/// What a program made of a batch of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchResult {
    /// Sums, classes, margins, images that are right.
    pub run: NetworkRun,
    /// One a record of `count`, of all images.
    pub layers: Vec<LayerCounters>,
    /// What all images counted.
    pub counters: LayerCounters,
}

/// A compiled network, laid out once for many runs.
#[derive(Debug, Clone)]
pub struct FastProgram {
    packed: PackedNetwork,
    /// Of one image whose codes are all 0: rows driven are those of biases.
    layers: Vec<LayerCounters>,
    counters: LayerCounters,
    /// Tiles side by side of each layer, each of which is driven.
    output_groups: Vec<u64>,
}

impl Target {
    /// Whether every count of a tile is its own code, and no quantizer clamps (contract section 3).
    pub fn is_lossless(&self) -> bool {
        is_lossless(&self.conductance, &self.quantizer, self.limits.tile_rows)
    }
}

impl FastProgram {
    /// Lay out what `compiled`, made of `network` for `target`, computes; `None` unless the target is lossless.
    ///
    /// # Errors
    /// [`NetworkError`] for a network that does not pass its checks.
    ///
    /// # Panics
    /// If `compiled` is not of that network and target.
    pub fn new(network: &Network, compiled: &Compiled, target: &Target) -> Result<Option<Self>, NetworkError> {
        if !target.is_lossless() {
            return Ok(None);
        }
        let of_zeros = Executor::new(&compiled.program, target).run(&[], &mut |_, _| {});
        let of_zeros = of_zeros.expect("what is compiled for a target runs there");
        let (mut layers, mut counters) = (of_zeros.layers, of_zeros.counters);
        // Thresholds below 0 make codes of zeros: only the rows of biases are the same for every image.
        counters.row_pulses = 0;
        for ((layer, placed), record) in network.layers.iter().zip(&compiled.placements).zip(&mut layers) {
            let bias_rows = (placed.rows - layer.inputs()) as u64 * u64::from(layer.bias_code.count_ones());
            record.row_pulses = (placed.windows * placed.output_groups) as u64 * bias_rows;
            counters.row_pulses += record.row_pulses;
        }
        Ok(Some(Self {
            packed: PackedNetwork::new(network)?,
            layers,
            counters,
            output_groups: compiled.placements.iter().map(|placed| placed.output_groups as u64).collect(),
        }))
    }

    /// Use up to `threads` threads.
    pub fn threads(mut self, threads: usize) -> Self {
        self.packed = self.packed.threads(threads);
        self
    }

    /// Run images, `[image][code]` without border, and count what the machine counts.
    ///
    /// # Errors
    /// [`GoldenError`] for a number of codes or of labels, or a code, that the network does not take.
    pub fn run(&self, images: &Array2<u8>, labels: &[Option<u8>]) -> Result<BatchResult, GoldenError> {
        let (run, count) = (self.packed.run(images, labels)?, images.nrows() as u64);
        let mut counters = self.counters.times(count);
        let mut layers: Vec<LayerCounters> = self.layers.iter().map(|layer| layer.times(count)).collect();
        for ((record, pulses), groups) in layers.iter_mut().zip(&run.input_pulses).zip(&self.output_groups) {
            record.row_pulses += pulses * groups;
            counters.row_pulses += pulses * groups;
        }
        Ok(BatchResult { run, layers, counters })
    }
}

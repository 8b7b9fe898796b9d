//! Clocks a run takes, predicted from the machine's sizes.
//!
//! The gateware states the same latencies as its blocks' `LATENCY_CYCLES`; a test holds the two together, and
//! every run compares the sum.

use crate::machine::Machine;

/// From a step's address to its devices and planes at the memories' outputs.
pub const MEMORY_CYCLES: u64 = 1;
/// From devices and planes to column counts.
pub const COLUMN_COUNTER_CYCLES: u64 = 2;
/// From counts to the sum y (the quantizer between them takes no clock).
pub const SHIFT_ADD_CYCLES: u64 = 3;
/// From the last output's y to class and margin, beyond one clock for each level of the comparison tree.
pub const ARGMAX_CYCLES: u64 = 1;
/// From class and margin to the stored result and the counted image.
pub const VERDICT_CYCLES: u64 = 1;

/// Levels of the tree that compares the outputs of one clock: clog2(output lanes).
pub fn argmax_levels(machine: &Machine) -> u64 {
    u64::from(machine.output_lanes().next_power_of_two().trailing_zeros())
}

/// Clocks from the last step of an image to its counted verdict.
pub fn pipeline_cycles(machine: &Machine) -> u64 {
    MEMORY_CYCLES + COLUMN_COUNTER_CYCLES + SHIFT_ADD_CYCLES + ARGMAX_CYCLES + argmax_levels(machine) + VERDICT_CYCLES
}

/// The counter `cycles` after one run of `images` images.
///
/// One clock starts the run (and is all that a run of no images takes), one step a clock follows without a gap,
/// and the last step's results take [`pipeline_cycles`] to arrive.
pub fn run_cycles(machine: &Machine, images: u64) -> u64 {
    if images == 0 { 1 } else { 1 + images * machine.steps_per_image() as u64 + pipeline_cycles(machine) }
}

//! Clocks a run takes, predicted from the machine's sizes.
//!
//! The gateware states the same latencies as its blocks' `LATENCY_CYCLES`; a test holds the two together, and
//! every run compares the sum.

use crate::machine::Machine;

/// From a step's address to its devices and planes at the memories' outputs.
pub const MEMORY_CYCLES: u64 = 1;
/// From counts to the sum y (the quantizer between them takes no clock).
pub const SHIFT_ADD_CYCLES: u64 = 3;
/// From the last output's y to class and margin, beyond one clock for each level of the comparison tree.
pub const ARGMAX_CYCLES: u64 = 1;
/// From class and margin to the stored result and the counted image.
pub const VERDICT_CYCLES: u64 = 1;

/// From an image at the slot memory's outputs to the feeder: a machine that reads one image a clock registers it.
pub fn image_register_cycles(machine: &Machine) -> u64 {
    u64::from(machine.steps_per_image() == 1)
}

/// From an image to the row drives: a machine that reads one image a clock copies it for every few outputs, and then for
/// the columns of each.
pub fn feeder_cycles(machine: &Machine) -> u64 {
    if machine.steps_per_image() == 1 { 2 } else { 0 }
}

/// From devices and planes to column counts: one clock counts up to 15 rows at a time, each further clock makes up to
/// eight of these counts (and a row between any two) one. A machine that reads one image a clock counts 7 rows in the
/// first and makes four counts one. Machines that fold their rows take one clock more to add the row groups.
pub fn column_counter_cycles(machine: &Machine) -> u64 {
    let (mut rows_counted, counts_joined) = if machine.steps_per_image() == 1 { (7, 4) } else { (15, 8) };
    let mut cycles = 1;
    while rows_counted < machine.row_lanes {
        rows_counted = counts_joined * rows_counted + counts_joined - 1;
        cycles += 1;
    }
    cycles + u64::from(machine.row_groups() > 1)
}

/// Levels of the tree that compares the outputs of one clock: clog2(output lanes).
pub fn argmax_levels(machine: &Machine) -> u64 {
    u64::from(machine.output_lanes().next_power_of_two().trailing_zeros())
}

/// Clocks from an image's last step to the end of the clock in which its verdict is stored and counted.
pub fn pipeline_cycles(machine: &Machine) -> u64 {
    MEMORY_CYCLES
        + image_register_cycles(machine)
        + feeder_cycles(machine)
        + column_counter_cycles(machine)
        + SHIFT_ADD_CYCLES
        + ARGMAX_CYCLES
        + argmax_levels(machine)
        + VERDICT_CYCLES
}

/// The counter `cycles` after one run of `images` images.
///
/// One step a clock without a gap, and the last step's results take [`pipeline_cycles`] to arrive. A run of no
/// images takes one clock.
pub fn run_cycles(machine: &Machine, images: u64) -> u64 {
    if images == 0 { 1 } else { images * machine.steps_per_image() as u64 + pipeline_cycles(machine) }
}

/// Clock of a run, the first being 1, at whose end y of an output of the run's `image`-th image is stored.
pub fn output_clock(machine: &Machine, image: u64, output: usize) -> u64 {
    let steps_per_group = machine.plane_groups() * machine.row_groups();
    let column_groups_per_output_group = (machine.weight_bits / machine.column_lanes).max(1);
    let output_group = output / machine.output_lanes();
    let last_step = (output_group + 1) * column_groups_per_output_group * steps_per_group;
    image * machine.steps_per_image() as u64
        + last_step as u64
        + MEMORY_CYCLES
        + image_register_cycles(machine)
        + feeder_cycles(machine)
        + column_counter_cycles(machine)
        + SHIFT_ADD_CYCLES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clocks of the three machines part by part, as the ladder holds them to the gateware.
    #[test]
    fn clocks_of_the_machines_are_those_that_were_counted() {
        let machines = ["digits", "digits-turbo", "tiny"].map(|name| Machine::named(name).unwrap());
        let of = |part: fn(&Machine) -> u64| machines.each_ref().map(part);
        assert_eq!(of(image_register_cycles), [0, 1, 0]);
        assert_eq!(of(feeder_cycles), [0, 2, 0]);
        assert_eq!(of(column_counter_cycles), [2, 3, 2]);
        assert_eq!(of(argmax_levels), [0, 4, 1]);
        assert_eq!(of(pipeline_cycles), [8, 16, 9]);
        assert_eq!(of(|machine| run_cycles(machine, 0)), [1, 1, 1]);
        assert_eq!(of(|machine| run_cycles(machine, 10)), [208, 26, 129]);
        assert_eq!(of(|machine| output_clock(machine, 0, 0)), [8, 11, 12]);
        assert_eq!(of(|machine| output_clock(machine, 2, 1)), [50, 13, 36]);
        assert_eq!(of(|machine| output_clock(machine, 1, 2)), [32, 12, 30]);
    }

    /// Rows that one more clock is needed for, in both kinds of counters, folded and not.
    #[test]
    fn a_counter_takes_a_clock_more_where_its_tree_grows_a_level() {
        let machine = |rows: usize, row_lanes: usize| Machine { rows, row_lanes, ..Machine::named("digits").unwrap() };
        let whole = |rows: usize| column_counter_cycles(&machine(rows, rows));
        assert_eq!([2, 15, 16, 127, 128, 1023, 1024].map(whole), [1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(column_counter_cycles(&machine(30, 15)), 2);
        assert_eq!(column_counter_cycles(&machine(32, 16)), 3);
        let turbo = |rows: usize| Machine { rows, row_lanes: rows, ..Machine::named("digits-turbo").unwrap() };
        assert_eq!([7, 8, 31, 32, 127, 128].map(|rows| column_counter_cycles(&turbo(rows))), [1, 2, 2, 3, 3, 4]);
    }
}

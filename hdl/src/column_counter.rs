//! Counts the devices of one column that are driven and conduct.

use crate::bus::{Bus, ROW_WORDS, WideBus};
use crate::population_count::{Pace, register, registered_count};
use bitline_golden::machine::{Machine, bits_to_hold};
use rust_hdl::prelude::*;
use std::collections::VecDeque;

/// The population count n = popcount(p AND d) of one column and one plane, summed over row groups.
///
/// A leaf in Verilog: the tree of adders is computed, and RustHDL has no way to write it.
///
/// **Function** `count` = sum over the row groups of a column of popcount(`rows` AND `devices`) (contract section 3).
/// **Parameters** rows a clock, 1..=256; rows in all, which gives the width clog2(rows + 1) of the count.
/// **Ports** `rows`, `devices`: one row group. `first`: this group starts a new count. `count`: valid
/// [`ColumnCounter::latency_cycles`] after the last group's inputs.
/// **Timing** interval one group a clock, no stalls. The first clock counts up to fifteen rows at a time, every further
/// one makes eight of these counts one (seven and four in machines that read an image a clock), and folded machines
/// add row groups in one more.
/// **Number rules** unsigned, never overflows: a column has no more devices than rows.
/// **State** partial counts; any value at power-on is replaced by the next `first`.
#[derive(LogicBlock, Clone, Debug)]
pub struct ColumnCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Rows driven.
    pub rows: WideBus<In, ROW_WORDS>,
    /// Devices that conduct.
    pub devices: WideBus<In, ROW_WORDS>,
    /// This group starts a new count.
    pub first: Signal<In, Bit>,
    /// Devices driven that conduct.
    pub count: Bus<Out>,
    _line: VecDeque<(u64, bool)>,
    _row_groups: usize,
    _pace: Pace,
}

impl ColumnCounter {
    /// Clocks from the last row group to `count`.
    pub fn latency_cycles(machine: &Machine) -> u64 {
        let tree = Pace::of(machine).clocks(machine.row_lanes) as u64;
        if machine.row_groups() == 1 { tree } else { tree + 1 }
    }

    /// A counter of columns of so many rows, all read in one clock, in a machine that runs programs.
    pub fn of_rows(rows: usize) -> Self {
        let pace = Pace::FOLDED;
        Self {
            clock: Signal::default(),
            rows: WideBus::new(rows),
            devices: WideBus::new(rows),
            first: Signal::default(),
            count: Bus::new(bits_to_hold(rows)),
            _line: std::iter::repeat_n((0, true), pace.clocks(rows) - 1).collect(),
            _row_groups: 1,
            _pace: pace,
        }
    }

    /// The counter of one column and plane of a machine.
    pub fn new(machine: &Machine) -> Self {
        let stages = Pace::of(machine).clocks(machine.row_lanes);
        let before_last = if machine.row_groups() == 1 { stages - 1 } else { stages };
        Self {
            clock: Signal::default(),
            rows: WideBus::new(machine.row_lanes),
            devices: WideBus::new(machine.row_lanes),
            first: Signal::default(),
            count: Bus::new(machine.count_bits()),
            _line: std::iter::repeat_n((0, true), before_last).collect(),
            _row_groups: machine.row_groups(),
            _pace: Pace::of(machine),
        }
    }
}

impl Logic for ColumnCounter {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (rows, devices) = (self.rows.val(), self.devices.val());
            let now = rows.iter().zip(&devices).map(|(r, d)| u64::from((r & d).count_ones())).sum();
            self._line.push_back((now, self.first.val()));
            let (count, first) = self._line.pop_front().expect("a count was just pushed");
            let carried = if self._row_groups == 1 || first { 0 } else { self.count.val() };
            self.count.next = carried + count;
        }
    }
    fn connect(&mut self) {
        self.count.connect();
    }
    fn hdl(&self) -> Verilog {
        let (width, count_bits) = (self.rows.bits(), self.count.bits());
        let (mut text, total) = registered_count(self._pace, width, "rows", Some("devices"));
        if self._row_groups == 1 {
            text += &format!("always @(*) count = {total};\n");
        } else {
            let mut source = "first".to_string();
            for stage in 0..self._pace.clocks(width) {
                text += &register(&format!("first_{stage}"), 1, &source);
                source = format!("first_{stage}");
            }
            text += &format!(
                "initial count = 0;\nalways @(posedge clock) count <= ({source} ? {count_bits}'d0 : count) + {total};\n"
            );
        }
        Verilog::Custom(text)
    }
}

//! Counts the devices of one column that are driven and conduct.

use crate::bus::{Bus, ROW_WORDS, WideBus};
use crate::verilog::sum_tree;
use bitline_golden::machine::{Machine, bits_to_hold};
use rust_hdl::prelude::*;

/// The population count n = popcount(p AND d) of one column and one plane, summed over row groups.
///
/// A leaf in Verilog: the tree of adders is computed, and RustHDL has no way to write it.
///
/// **Function** `count` = sum over the row groups of a column of popcount(`rows` AND `devices`) (contract section 3).
/// **Parameters** rows a clock, 1..=256; rows in all, which gives the width clog2(rows + 1) of the count.
/// **Ports** `rows`, `devices`: one row group. `first`: this group starts a new count. `count`: two clocks after the
/// last group's inputs.
/// **Timing** latency [`ColumnCounter::LATENCY_CYCLES`], interval one group a clock, no stalls.
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
    _partial: u64,
    _partial_first: bool,
    _row_groups: usize,
}

/// Rows whose count is formed before the first register.
const CHUNK_ROWS: usize = 16;

impl ColumnCounter {
    /// Clocks from the last row group to `count`.
    pub const LATENCY_CYCLES: u64 = 2;

    /// The counter of one column and plane of a machine.
    pub fn new(machine: &Machine) -> Self {
        Self {
            clock: Signal::default(),
            rows: WideBus::new(machine.row_lanes),
            devices: WideBus::new(machine.row_lanes),
            first: Signal::default(),
            count: Bus::new(machine.count_bits()),
            _partial: 0,
            _partial_first: true,
            _row_groups: machine.row_groups(),
        }
    }
}

impl Logic for ColumnCounter {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let carried = if self._partial_first { 0 } else { self.count.val() };
            self.count.next = carried + self._partial;
            self._partial_first = self._row_groups == 1 || self.first.val();
            let (rows, devices) = (self.rows.val(), self.devices.val());
            self._partial = rows.iter().zip(&devices).map(|(r, d)| u64::from((r & d).count_ones())).sum();
        }
    }
    fn connect(&mut self) {
        self.count.connect();
    }
    fn hdl(&self) -> Verilog {
        let (width, count_bits) = (self.rows.bits(), self.count.bits());
        let mut text = format!("wire [{}:0] driven = rows & devices;\n", width - 1);
        let mut partials = vec![];
        for (chunk, start) in (0..width).step_by(CHUNK_ROWS).enumerate() {
            let rows = CHUNK_ROWS.min(width - start);
            let bits = bits_to_hold(rows);
            let terms: Vec<String> =
                (start..start + rows).map(|r| format!("{{{{{}{{1'b0}}}}, driven[{r}]}}", bits)).collect();
            text += &format!(
                "reg [{}:0] partial_{chunk} = 0;\nalways @(posedge clock) partial_{chunk} <= {};\n",
                bits - 1,
                sum_tree(&terms)
            );
            partials.push(format!("{{{{{count_bits}{{1'b0}}}}, partial_{chunk}}}"));
        }
        text += "initial count = 0;\n";
        if self._row_groups == 1 {
            text += &format!("always @(posedge clock) count <= {};\n", sum_tree(&partials));
        } else {
            text += &format!(
                "reg partial_first = 1'b1;\nalways @(posedge clock) partial_first <= first;\n\
                 always @(posedge clock) count <= (partial_first ? {count_bits}'d0 : count) + {};\n",
                sum_tree(&partials)
            );
        }
        Verilog::Custom(text)
    }
}

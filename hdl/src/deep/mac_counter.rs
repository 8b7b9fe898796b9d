//! Counts multiply-accumulates.

use crate::bus::Bus;
use crate::verilog::{range, sum_tree};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_hold;
use rust_hdl::prelude::*;

/// Whole weights times inputs of one tile: the rows of its row group times its outputs.
///
/// A leaf in Verilog: the product is made of shifted rows, so that no multiplier of the part is used.
///
/// **Ports** `rows`, `outputs` in, `enable`: they count. `macs` out, [`MacCounter::LATENCY_CYCLES`] later, else 0.
/// **Number rules** unsigned, exact. **State** the product, 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct MacCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// They count.
    pub enable: Signal<In, Bit>,
    /// Rows of the row group.
    pub rows: Bus<In>,
    /// Outputs of the tile.
    pub outputs: Bus<In>,
    /// Their product.
    pub macs: Bus<Out>,
    _line: (bool, u64, u64),
}

impl MacCounter {
    /// Clocks from `rows` to `macs`.
    pub const LATENCY_CYCLES: u64 = 2;

    /// The counter of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        Self {
            clock: Signal::default(),
            enable: Signal::default(),
            rows: Bus::new(bits_to_hold(machine.tile_rows)),
            outputs: Bus::new(bits_to_hold(machine.tile_columns)),
            macs: Bus::new(bits_to_hold(machine.tile_rows * machine.tile_columns)),
            _line: (false, 0, 0),
        }
    }
}

impl Logic for MacCounter {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (enable, rows, outputs) = self._line;
            self.macs.next = if enable { rows * outputs } else { 0 };
            self._line = (self.enable.val(), self.rows.val(), self.outputs.val());
        }
    }
    fn connect(&mut self) {
        self.macs.connect();
    }
    fn hdl(&self) -> Verilog {
        let (rows, outputs, macs) = (self.rows.bits(), self.outputs.bits(), self.macs.bits());
        let term = |i: usize| {
            let low = if i == 0 { String::new() } else { format!(", {i}'b0") };
            format!("(held_outputs[{i}] ? {{{macs}'b0, held_rows{low}}} : {}'b0)", macs + rows + i)
        };
        let terms: Vec<String> = (0..outputs).map(term).collect();
        Verilog::Custom(format!(
            "reg held_enable = 0;\nreg {}held_rows = 0;\nreg {}held_outputs = 0;\ninitial macs = 0;\n\
             always @(posedge clock) begin\n  held_enable <= enable;\n  held_rows <= rows;\n  held_outputs <= outputs;\n  \
             macs <= held_enable ? {} : {macs}'d0;\nend\n",
            range(rows),
            range(outputs),
            sum_tree(&terms)
        ))
    }
}

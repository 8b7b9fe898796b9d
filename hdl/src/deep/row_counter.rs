//! Counts the rows that are driven.

use crate::bus::{Bus, ROW_WORDS, WideBus};
use crate::population_count::{Pace, registered_count};
use bitline_golden::machine::bits_to_hold;
use rust_hdl::prelude::*;
use std::collections::VecDeque;

/// The active rows a = popcount(p) of one plane (contract section 3).
///
/// A leaf in Verilog: the tree of adders is computed.
///
/// **Ports** `rows` in; `count` out, [`RowCounter::latency_cycles`] later, as long as a column's count takes.
/// **Number rules** unsigned. **State** partial counts.
#[derive(LogicBlock, Clone, Debug)]
pub struct RowCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Rows driven.
    pub rows: WideBus<In, ROW_WORDS>,
    /// How many.
    pub count: Bus<Out>,
    _line: VecDeque<u64>,
}

impl RowCounter {
    /// Clocks from `rows` to `count`.
    pub fn latency_cycles(rows: usize) -> u64 {
        Pace::FOLDED.clocks(rows) as u64
    }

    /// A counter of so many rows.
    pub fn new(rows: usize) -> Self {
        Self {
            clock: Signal::default(),
            rows: WideBus::new(rows),
            count: Bus::new(bits_to_hold(rows)),
            _line: std::iter::repeat_n(0, Pace::FOLDED.clocks(rows) - 1).collect(),
        }
    }
}

impl Logic for RowCounter {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self._line.push_back(self.rows.val().iter().map(|word| u64::from(word.count_ones())).sum());
            self.count.next = self._line.pop_front().expect("a count was just pushed");
        }
    }
    fn connect(&mut self) {
        self.count.connect();
    }
    fn hdl(&self) -> Verilog {
        let (text, total) = registered_count(Pace::FOLDED, self.rows.bits(), "rows", None);
        Verilog::Custom(text + &format!("always @(*) count = {total};\n"))
    }
}

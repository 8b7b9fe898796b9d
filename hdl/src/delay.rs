//! Delay lines.

use crate::bus::Bus;
use crate::verilog::{literal, range};
use rust_hdl::prelude::*;
use std::collections::VecDeque;

/// Gives back what it takes, a fixed number of clocks later.
///
/// A leaf in Verilog, so that a line costs one block and not one a stage.
///
/// **Ports** `d` in, `q` out. **Timing** as many clocks as [`Delay::new`] is told, at least 1. **State** 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct Delay {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// What goes in.
    pub d: Bus<In>,
    /// What came in earlier.
    pub q: Bus<Out>,
    _line: VecDeque<u64>,
}

impl Delay {
    /// A line of `clocks` clocks for `width` bits.
    ///
    /// # Panics
    /// If `clocks` is 0.
    pub fn new(width: usize, clocks: u64) -> Self {
        assert!(clocks > 0, "a delay line has at least one stage");
        Self {
            clock: Signal::default(),
            d: Bus::new(width),
            q: Bus::new(width),
            _line: std::iter::repeat_n(0, clocks as usize - 1).collect(),
        }
    }
}

/// The text of a delay line from `d` to `q`.
fn delay_text(width: usize, clocks: usize) -> String {
    let mut text = format!("initial q = {};\n", literal(width, 0));
    let mut source = "d".to_string();
    for stage in 1..clocks {
        text += &format!(
            "reg {}stage_{stage} = {};\nalways @(posedge clock) stage_{stage} <= {source};\n",
            range(width),
            literal(width, 0)
        );
        source = format!("stage_{stage}");
    }
    text + &format!("always @(posedge clock) q <= {source};\n")
}

impl Logic for Delay {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self._line.push_back(self.d.val());
            self.q.next = self._line.pop_front().expect("a value was just pushed");
        }
    }
    fn connect(&mut self) {
        self.q.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(delay_text(self.q.bits(), self._line.len() + 1))
    }
}

/// [`Delay`] for a flag.
#[derive(LogicBlock, Clone, Debug)]
pub struct FlagDelay {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// What goes in.
    pub d: Signal<In, Bit>,
    /// What came in earlier.
    pub q: Signal<Out, Bit>,
    _line: VecDeque<bool>,
}

impl FlagDelay {
    /// A line of `clocks` clocks.
    ///
    /// # Panics
    /// If `clocks` is 0.
    pub fn new(clocks: u64) -> Self {
        assert!(clocks > 0, "a delay line has at least one stage");
        Self {
            clock: Signal::default(),
            d: Signal::default(),
            q: Signal::default(),
            _line: std::iter::repeat_n(false, clocks as usize - 1).collect(),
        }
    }
}

impl Logic for FlagDelay {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self._line.push_back(self.d.val());
            self.q.next = self._line.pop_front().expect("a value was just pushed");
        }
    }
    fn connect(&mut self) {
        self.q.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(delay_text(1, self._line.len() + 1))
    }
}

//! A register of chosen width.

use crate::bus::Bus;
use rust_hdl::prelude::*;

/// Keeps `d` at each rising edge.
///
/// RustHDL's `DFF` takes its width from a type; this takes it from a number, and a power-on value.
///
/// **Ports** `d` in; `q` out, valid one clock after `d`. **State** `q`, at power-on the value given to
/// [`Register::with_value`]. No reset.
#[derive(LogicBlock, Clone, Debug)]
pub struct Register {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// What to keep.
    pub d: Bus<In>,
    /// What is kept.
    pub q: Bus<Out>,
    _initial: u64,
}

impl Register {
    /// A register of `width` bits that starts at 0.
    pub fn new(width: usize) -> Self {
        Self::with_value(width, 0)
    }

    /// A register of `width` bits that starts at `initial`.
    pub fn with_value(width: usize, initial: u64) -> Self {
        Self { clock: Signal::default(), d: Bus::new(width), q: Bus::with_value(width, initial), _initial: initial }
    }
}

impl Logic for Register {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = self.d.val();
        }
    }
    fn connect(&mut self) {
        self.q.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "initial q = {};\nalways @(posedge clock) q <= d;\n",
            crate::verilog::literal(self.q.bits(), self._initial)
        ))
    }
}

//! Counts clamped conversions.

use crate::bus::Bus;
use crate::verilog::sum_tree;
use bitline_golden::machine::bits_to_hold;
use rust_hdl::prelude::*;

/// Counts the quantizers that clamped in one step.
///
/// A leaf in Verilog: its tree of adders is computed.
///
/// **Ports** `saturated`, one a quantizer; `enable` in; `saturations` out, one clock later, 0 where not enabled.
#[derive(LogicBlock, Clone, Debug)]
pub struct SaturationCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// One flag a quantizer.
    pub saturated: Vec<Signal<In, Bit>>,
    /// The flags belong to a step.
    pub enable: Signal<In, Bit>,
    /// How many are set.
    pub saturations: Bus<Out>,
}

impl SaturationCounter {
    /// Clocks from `saturated` to `saturations`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// A counter of `quantizers` flags.
    pub fn new(quantizers: usize) -> Self {
        Self {
            clock: Signal::default(),
            saturated: (0..quantizers).map(|_| Signal::default()).collect(),
            enable: Signal::default(),
            saturations: Bus::new(bits_to_hold(quantizers)),
        }
    }
}

impl Logic for SaturationCounter {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let set = self.saturated.iter().filter(|s| s.val()).count() as u64;
            self.saturations.next = if self.enable.val() { set } else { 0 };
        }
    }
    fn connect(&mut self) {
        self.saturations.connect();
    }
    fn hdl(&self) -> Verilog {
        let width = self.saturations.bits();
        let terms: Vec<String> =
            (0..self.saturated.len()).map(|i| format!("{{{{{width}{{1'b0}}}}, saturated${i}}}")).collect();
        Verilog::Custom(format!(
            "initial saturations = 0;\nalways @(posedge clock) saturations <= enable ? {} : {width}'d0;\n",
            sum_tree(&terms)
        ))
    }
}

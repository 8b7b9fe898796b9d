//! Turns a word of codes so that any lane comes to lie lowest.

use super::{CODE_WORDS, Codes, field, rotation, set_field};
use crate::bus::{Bus, WideBus};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// Rotates the lanes of a word of `gather_lanes` codes.
///
/// A leaf in Verilog: its stages are computed.
///
/// **Function** lane l of `rotated` is lane (l + `amount`) mod `gather_lanes` of `codes`, by a stage of two-way multiplexers
/// for each bit of `amount`.
/// **Ports** `codes`, `amount` (0..`gather_lanes`) in, `rotated` out.
/// **Timing** latency [`CodeRotator::LATENCY_CYCLES`], interval one clock. **State** the word shown, 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct CodeRotator {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A word of codes.
    pub codes: WideBus<In, CODE_WORDS>,
    /// Lane that comes to lie lowest.
    pub amount: Bus<In>,
    /// The word, turned.
    pub rotated: WideBus<Out, CODE_WORDS>,
    _lanes: usize,
    _code_bits: usize,
}

impl CodeRotator {
    /// Clocks from `codes` to `rotated`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The rotator of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let (lanes, code_bits) = (machine.gather_lanes, machine.code_bits);
        Self {
            clock: Signal::default(),
            codes: WideBus::new(lanes * code_bits),
            amount: Bus::new(bits_to_index(lanes)),
            rotated: WideBus::new(lanes * code_bits),
            _lanes: lanes,
            _code_bits: code_bits,
        }
    }
}

impl Logic for CodeRotator {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (lanes, bits) = (self._lanes, self._code_bits);
            let (codes, amount) = (self.codes.val(), self.amount.val() as usize);
            let mut rotated: Codes = [0; CODE_WORDS];
            for lane in 0..lanes {
                let code = field(&codes, (lane + amount) % lanes * bits, bits);
                set_field(&mut rotated, lane * bits, bits, code);
            }
            self.rotated.next = rotated;
        }
    }
    fn connect(&mut self) {
        self.rotated.connect();
    }
    fn hdl(&self) -> Verilog {
        let (text, net) = rotation("codes", self._lanes, self._code_bits, "amount", false);
        Verilog::Custom(format!("{text}initial rotated = 0;\nalways @(posedge clock) rotated <= {net};\n"))
    }
}

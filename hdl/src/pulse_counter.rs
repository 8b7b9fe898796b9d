//! Counts row pulses.

use crate::bus::{Bus, SLOT_WORDS, WideBus};
use crate::verilog::sum_tree;
use bitline_golden::machine::{Machine, bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// Counts the rows that an image drives, over all its planes: the sum of a.
///
/// A leaf in Verilog: its tree of adders is computed.
///
/// **Function** the set bits of an image's codes are its row pulses (plus the bias rows', a constant). Where an image
/// takes as many clocks as it has lanes, one 16-bit lane a clock is enough, and the selector that reads use serves
/// here too; else all lanes are counted in one clock.
/// **Ports** `lane`: lane `group` of the image, or `data`: all of it; `enable` in; `pulses` out, one clock later, 0
/// where not enabled.
/// **Timing** latency 1, interval 1.
#[derive(LogicBlock, Clone, Debug)]
pub struct PulseCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The image.
    pub data: WideBus<In, SLOT_WORDS>,
    /// One lane of it.
    pub lane: Bus<In>,
    /// Which lane.
    pub group: Bus<In>,
    /// Count it.
    pub enable: Signal<In, Bit>,
    /// Row pulses.
    pub pulses: Bus<Out>,
    _groups: usize,
    _input_bits: usize,
    _bias: u64,
}

/// Clocks that an image's lanes take: one a lane, or one for all.
pub fn pulse_groups(machine: &Machine) -> usize {
    if machine.input_words() <= machine.steps_per_image() { machine.input_words() } else { 1 }
}

impl PulseCounter {
    /// Clocks from `data` to `pulses`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The pulse counter of a machine.
    pub fn new(machine: &Machine) -> Self {
        let groups = pulse_groups(machine);
        let input_bits = machine.inputs() * machine.input_bits;
        let at_once = if groups == 1 { input_bits } else { 16 };
        let bias = machine.bias_rows as u64 * u64::from(machine.bias_code.count_ones());
        Self {
            clock: Signal::default(),
            data: WideBus::new(machine.slot_words() * 16),
            lane: Bus::new(16),
            group: Bus::new(bits_to_index(groups)),
            enable: Signal::default(),
            pulses: Bus::new(bits_to_hold(at_once + bias as usize)),
            _groups: groups,
            _input_bits: input_bits,
            _bias: bias,
        }
    }
}

impl Logic for PulseCounter {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let group = self.group.val() as usize;
            let counted: u64 = if self._groups == 1 {
                let data = self.data.val();
                (0..self._input_bits).map(|i| data[i / 64] >> (i % 64) & 1).sum()
            } else {
                let bits = self._input_bits.saturating_sub(16 * group).min(16);
                u64::from((self.lane.val() & ((1 << bits) - 1)).count_ones())
            };
            let bias = if group == 0 { self._bias } else { 0 };
            self.pulses.next = if self.enable.val() { counted + bias } else { 0 };
        }
    }
    fn connect(&mut self) {
        self.pulses.connect();
    }
    fn hdl(&self) -> Verilog {
        let width = self.pulses.bits();
        let bit = |value: String| format!("{{{{{width}{{1'b0}}}}, {value}}}");
        let mut terms: Vec<String> = if self._groups == 1 {
            (0..self._input_bits).map(|i| bit(format!("data[{i}]"))).collect()
        } else {
            let last = self._groups - 1;
            let exist = |i: usize| 16 * last + i < self._input_bits;
            let value = |i| if exist(i) { format!("lane[{i}]") } else { format!("lane[{i}] && group != {last}") };
            (0..16).map(|i| bit(value(i))).collect()
        };
        let mut text = String::new();
        if self._bias > 0 {
            terms.push(format!("((group == 0) ? {width}'d{} : {width}'d0)", self._bias));
        }
        text += &format!(
            "initial pulses = 0;\nalways @(posedge clock) pulses <= enable ? {} : {width}'d0;\n",
            sum_tree(&terms)
        );
        Verilog::Custom(text)
    }
}

//! Counts row pulses.

use crate::bus::{Bus, SLOT_WORDS, WideBus};
use crate::verilog::sum_tree;
use bitline_golden::machine::{Machine, bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// Counts the rows that an image drives, over all its planes: the sum of a.
///
/// A leaf in Verilog: its tree of adders is computed.
///
/// **Function** the set bits of an image's codes are its row pulses (plus the bias rows', a constant), and an image
/// takes [`Machine::steps_per_image`] clocks, so a few 16-bit lanes a clock are enough: group k counts lanes
/// `k * lanes` and up.
/// **Ports** `data`, `group`, `enable` in; `pulses` out, one clock later, 0 where not enabled.
/// **Timing** latency 1, interval 1.
#[derive(LogicBlock, Clone, Debug)]
pub struct PulseCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The image.
    pub data: WideBus<In, SLOT_WORDS>,
    /// Which lanes.
    pub group: Bus<In>,
    /// Count them.
    pub enable: Signal<In, Bit>,
    /// Row pulses.
    pub pulses: Bus<Out>,
    _lanes: usize,
    _groups: usize,
    _input_bits: usize,
    _bias: u64,
}

/// 16-bit lanes counted in one clock.
fn lanes_per_clock(machine: &Machine) -> usize {
    machine.input_words().div_ceil(machine.steps_per_image())
}

/// Clocks that an image's lanes take.
pub fn pulse_groups(machine: &Machine) -> usize {
    machine.input_words().div_ceil(lanes_per_clock(machine))
}

impl PulseCounter {
    /// Clocks from `data` to `pulses`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The pulse counter of a machine.
    pub fn new(machine: &Machine) -> Self {
        let lanes = lanes_per_clock(machine);
        let bias = machine.bias_rows as u64 * u64::from(machine.bias_code.count_ones());
        Self {
            clock: Signal::default(),
            data: WideBus::new(machine.slot_words() * 16),
            group: Bus::new(bits_to_index(pulse_groups(machine))),
            enable: Signal::default(),
            pulses: Bus::new(bits_to_hold(lanes * 16 + bias as usize)),
            _lanes: lanes,
            _groups: pulse_groups(machine),
            _input_bits: machine.inputs() * machine.input_bits,
            _bias: bias,
        }
    }
}

impl Logic for PulseCounter {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (data, group) = (self.data.val(), self.group.val() as usize);
            let first = group * self._lanes * 16;
            let bits = first..(first + self._lanes * 16).min(self._input_bits);
            let counted: u64 = bits.map(|i| data[i / 64] >> (i % 64) & 1).sum();
            let bias = if group == 0 { self._bias } else { 0 };
            self.pulses.next = if self.enable.val() { counted + bias } else { 0 };
        }
    }
    fn connect(&mut self) {
        self.pulses.connect();
    }
    fn hdl(&self) -> Verilog {
        let (width, lane_bits) = (self.pulses.bits(), self._lanes * 16);
        let padded = self._groups * lane_bits;
        let mut text = format!("wire [{}:0] codes = data[{}:0];\n", padded - 1, self._input_bits - 1);
        text += &format!("reg [{}:0] lanes;\nalways @(*) begin\n  lanes = {lane_bits}'h0;\n", lane_bits - 1);
        for group in 0..self._groups {
            text += &format!("  if (group == {group}) lanes = codes[{}:{}];\n", (group + 1) * lane_bits - 1, group * lane_bits);
        }
        text += "end\n";
        let mut terms: Vec<String> = (0..lane_bits).map(|i| format!("{{{{{width}{{1'b0}}}}, lanes[{i}]}}")).collect();
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

//! Counts row pulses.

use crate::bus::{Bus, SLOT_WORDS, WideBus};
use crate::population_count::{Pace, registered_count};
use bitline_golden::machine::{Machine, bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;
use std::collections::VecDeque;

/// Counts the rows that an image drives, over all its planes: the sum of a.
///
/// A leaf in Verilog: its tree of adders is computed.
///
/// **Function** the set bits of an image's codes are its row pulses (plus the bias rows', a constant). Where an image
/// takes as many clocks as it has lanes, one 16-bit lane a clock is enough, and the selector that reads use serves
/// here too; else all lanes are counted in one clock.
/// **Ports** `lane`: lane `group` of the image, or `data`: all of it; `enable` in; `pulses` out, 0 where not enabled.
/// **Timing** latency [`PulseCounter::latency_cycles`], interval 1.
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
    _bias: usize,
    _line: VecDeque<u64>,
    _pace: Pace,
}

/// Clocks that an image's lanes take: one a lane, or one for all.
pub fn pulse_groups(machine: &Machine) -> usize {
    if machine.input_words() <= machine.steps_per_image() { machine.input_words() } else { 1 }
}

impl PulseCounter {
    /// Clocks from `data` or `lane` to `pulses`.
    pub fn latency_cycles(machine: &Machine) -> u64 {
        Pace::of(machine).clocks(Self::bits_at_once(machine) + Self::bias_pulses(machine)) as u64
    }

    fn bits_at_once(machine: &Machine) -> usize {
        if pulse_groups(machine) == 1 { machine.inputs() * machine.input_bits } else { 16 }
    }

    /// Pulses of the bias rows over all planes.
    fn bias_pulses(machine: &Machine) -> usize {
        machine.bias_rows * machine.bias_code.count_ones() as usize
    }

    /// The pulse counter of a machine.
    pub fn new(machine: &Machine) -> Self {
        let groups = pulse_groups(machine);
        let bias = Self::bias_pulses(machine);
        Self {
            clock: Signal::default(),
            data: WideBus::new(machine.slot_words() * 16),
            lane: Bus::new(16),
            group: Bus::new(bits_to_index(groups)),
            enable: Signal::default(),
            pulses: Bus::new(bits_to_hold(Self::bits_at_once(machine) + bias)),
            _groups: groups,
            _input_bits: machine.inputs() * machine.input_bits,
            _bias: bias,
            _pace: Pace::of(machine),
            _line: std::iter::repeat_n(0, Self::latency_cycles(machine) as usize - 1).collect(),
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
            let bias = if group == 0 { self._bias as u64 } else { 0 };
            self._line.push_back(if self.enable.val() { counted + bias } else { 0 });
            self.pulses.next = self._line.pop_front().expect("a count was just pushed");
        }
    }
    fn connect(&mut self) {
        self.pulses.connect();
    }
    fn hdl(&self) -> Verilog {
        let lanes: Vec<String> = if self._groups == 1 {
            (0..self._input_bits).map(|i| format!("data[{i}]")).collect()
        } else {
            let last = self._groups - 1;
            let exist = |i: usize| 16 * last + i < self._input_bits;
            (0..16)
                .map(|i| if exist(i) { format!("lane[{i}]") } else { format!("lane[{i}] && group != {last}") })
                .collect()
        };
        let bias = std::iter::repeat_n("group == 0".to_string(), self._bias);
        let bits: Vec<String> = lanes.into_iter().chain(bias).map(|bit| format!("enable && {bit}")).collect();
        let mut text = format!("wire [{}:0] drives;\n", bits.len() - 1);
        for (i, bit) in bits.iter().enumerate() {
            text += &format!("assign drives[{i}] = {bit};\n");
        }
        let (count, total) = registered_count(self._pace, bits.len(), "drives", None);
        Verilog::Custom(text + &count + &format!("always @(*) pulses = {total};\n"))
    }
}

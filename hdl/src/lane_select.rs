//! Picks one lane out of a slot.

use crate::bus::{Bus, SLOT_WORDS, WideBus, Words};
use bitline_golden::machine::{Machine, bits_to_index};
use bitline_golden::timing::image_register_cycles;
use rust_hdl::prelude::*;

/// The 16-bit lane of a slot that a read, or the row-pulse counter, asks for.
///
/// A leaf in Verilog: its multiplexer is computed. In machines whose image is registered the word is not: what comes out of a
/// block RAM late in its clock needs a register, and what comes of one does not. The lane is then registered as one bit a lane.
///
/// **Ports** `data`, `lane` in; `word` out, 0 for a lane that does not exist. **Timing** latency 1 from `lane`,
/// [`LaneSelect::latency_cycles`] from `data`, 1 or 0.
#[derive(LogicBlock, Clone, Debug)]
pub struct LaneSelect {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A slot.
    pub data: WideBus<In, SLOT_WORDS>,
    /// Which lane.
    pub lane: Bus<In>,
    /// The lane.
    pub word: Bus<Out>,
    _lanes: usize,
    _registered: bool,
    _selected: Option<usize>,
}

impl LaneSelect {
    /// Clocks from `lane` to `word`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// Clocks from `data` to `word`: with those of the image register one.
    pub fn latency_cycles(machine: &Machine) -> u64 {
        1 - image_register_cycles(machine)
    }

    /// The selector of a machine.
    pub fn new(machine: &Machine) -> Self {
        Self {
            clock: Signal::default(),
            data: WideBus::new(machine.slot_words() * 16),
            lane: Bus::new(bits_to_index(machine.column_lanes.max(machine.slot_words()))),
            word: Bus::new(16),
            _lanes: machine.slot_words(),
            _registered: Self::latency_cycles(machine) == 1,
            _selected: None,
        }
    }
}

impl Logic for LaneSelect {
    fn update(&mut self) {
        let lane_of = |data: Words<SLOT_WORDS>, lane: usize| data[lane / 4] >> (lane % 4 * 16) & 0xFFFF;
        let edge = self.clock.pos_edge();
        if edge {
            self._selected = Some(self.lane.val() as usize).filter(|lane| *lane < self._lanes);
        }
        if edge || !self._registered {
            self.word.next = self._selected.map_or(0, |lane| lane_of(self.data.val(), lane));
        }
    }
    fn connect(&mut self) {
        self.word.connect();
    }
    fn hdl(&self) -> Verilog {
        if self._registered {
            let mut text = "initial word = 16'h0;\nalways @(posedge clock) begin\n  case (lane)\n".to_string();
            for lane in 0..self._lanes {
                text += &format!("    {lane}: word <= data[{}:{}];\n", lane * 16 + 15, lane * 16);
            }
            return Verilog::Custom(text + "    default: word <= 16'h0;\n  endcase\nend\n");
        }
        let last = self._lanes - 1;
        let mut text = format!("reg [{last}:0] selected = 0;\nalways @(posedge clock) begin\n");
        for lane in 0..self._lanes {
            text += &format!("  selected[{lane}] <= lane == {lane};\n");
        }
        let words: Vec<String> = (0..self._lanes)
            .map(|lane| format!("{{16{{selected[{lane}]}}}} & data[{}:{}]", lane * 16 + 15, lane * 16))
            .collect();
        Verilog::Custom(text + &format!("end\nalways @(*) word = {};\n", words.join(" | ")))
    }
}

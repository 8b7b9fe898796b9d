//! Picks one lane out of a slot.

use crate::bus::{Bus, SLOT_WORDS, WideBus};
use bitline_golden::machine::{Machine, bits_to_index};
use bitline_golden::timing::image_register_cycles;
use rust_hdl::prelude::*;

/// The 16-bit lane of a slot that a read, or the row-pulse counter, asks for.
///
/// A leaf in Verilog: its multiplexer is computed. In machines whose image is registered there is no register here: what
/// comes of a register needs none, and what comes of a block RAM late in its clock does.
///
/// **Ports** `data`, `lane` in; `word` out, 0 for a lane that does not exist. **Timing** latency
/// [`LaneSelect::latency_cycles`], 1 or 0.
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
}

impl LaneSelect {
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
        }
    }
}

impl Logic for LaneSelect {
    fn update(&mut self) {
        if !self._registered || self.clock.pos_edge() {
            let lane = self.lane.val() as usize;
            self.word.next = if lane < self._lanes { self.data.val()[lane / 4] >> (lane % 4 * 16) & 0xFFFF } else { 0 };
        }
    }
    fn connect(&mut self) {
        self.word.connect();
    }
    fn hdl(&self) -> Verilog {
        let (start, event, store) =
            if self._registered { ("initial word = 16'h0;\n", "posedge clock", "<=") } else { ("", "*", "=") };
        let mut text = format!("{start}always @({event}) begin\n  case (lane)\n");
        for lane in 0..self._lanes {
            text += &format!("    {lane}: word {store} data[{}:{}];\n", lane * 16 + 15, lane * 16);
        }
        Verilog::Custom(text + &format!("    default: word {store} 16'h0;\n  endcase\nend\n"))
    }
}

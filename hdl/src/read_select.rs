//! Picks one word out of what the memories read.

use crate::bus::{Bus, ROW_WORDS, WideBus};
use bitline_golden::machine::{Machine, bits_to_index};
use bitline_golden::registers::Region;
use rust_hdl::prelude::*;

/// The word that the link or the checksum asked for, out of devices, slot and label.
///
/// A leaf in Verilog: its multiplexer is computed.
///
/// **Ports** `region`, `lane`, `word`: the address asked for, in the clock after it was given to the memories;
/// `devices`, `label`: what they gave; `slot_word`: the lane of the slot, one clock later. `read_data` out.
/// **Timing** latency 2, from `slot_word` 1.
#[derive(LogicBlock, Clone, Debug)]
pub struct ReadSelect {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Which memory.
    pub region: Bus<In>,
    /// Which lane.
    pub lane: Bus<In>,
    /// Which word of a column lane.
    pub word: Bus<In>,
    /// Devices, one bus a column lane and plane lane.
    pub devices: Vec<WideBus<In, ROW_WORDS>>,
    /// The lane of a slot.
    pub slot_word: Bus<In>,
    /// A label.
    pub label: Bus<In>,
    /// The word.
    pub read_data: Bus<Out>,
    _plane_lanes: usize,
    _word: u64,
    _of_slot: bool,
}

impl ReadSelect {
    /// Clocks from the devices or label to `read_data`.
    pub const LATENCY_CYCLES: u64 = 2;

    /// The selector of a machine.
    pub fn new(machine: &Machine) -> Self {
        Self {
            clock: Signal::default(),
            region: Bus::new(2),
            lane: Bus::new(bits_to_index(machine.column_lanes.max(machine.slot_words()))),
            word: Bus::new(bits_to_index(machine.array_words())),
            devices: (0..machine.column_lanes * machine.plane_lanes).map(|_| WideBus::new(machine.row_lanes)).collect(),
            slot_word: Bus::new(16),
            label: Bus::new(16),
            read_data: Bus::new(16),
            _plane_lanes: machine.plane_lanes,
            _word: 0,
            _of_slot: false,
        }
    }
}

impl Logic for ReadSelect {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (lane, word) = (self.lane.val() as usize, self.word.val() as usize);
            self.read_data.next = if self._of_slot { self.slot_word.val() } else { self._word };
            let region = Region::from_code(self.region.val() as u8);
            self._of_slot = region == Some(Region::Slots);
            self._word = match region {
                Some(Region::Array) => self
                    .devices
                    .get(lane * self._plane_lanes)
                    .map_or(0, |d| d.val()[word / 4] >> (word % 4 * 16) & 0xFFFF),
                Some(Region::Labels) => self.label.val(),
                _ => 0,
            };
        }
    }
    fn connect(&mut self) {
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        let rows = self.devices[0].bits();
        let mut text = "reg [15:0] array_word;\nalways @(*) begin\n  array_word = 16'h0;\n  \
                        case ({lane, word})\n"
            .to_string();
        for lane in 0..self.devices.len() / self._plane_lanes {
            for word in 0..rows.div_ceil(16) {
                let (low, high) = (word * 16, (word * 16 + 16).min(rows) - 1);
                let at = lane << self.word.bits() | word;
                text += &format!("    {at}: array_word = devices${}[{high}:{low}];\n", lane * self._plane_lanes);
            }
        }
        text += &format!(
            "    default: array_word = 16'h0;\n  endcase\nend\nreg [15:0] held = 16'h0;\nreg of_slot = 1'b0;\n\
             initial read_data = 16'h0;\nalways @(posedge clock) begin\n  \
             held <= (region == {}) ? array_word : (region == {}) ? label : 16'h0;\n  of_slot <= region == {};\n  \
             read_data <= of_slot ? slot_word : held;\nend\n",
            Region::Array as u8,
            Region::Labels as u8,
            Region::Slots as u8
        );
        Verilog::Custom(text)
    }
}

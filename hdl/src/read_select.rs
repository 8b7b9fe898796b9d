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
/// `devices`, `slot_word`, `label`: what they gave. `read_data`: one clock later.
/// **Timing** latency 1.
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
}

impl ReadSelect {
    /// Clocks from the memories' outputs to `read_data`.
    pub const LATENCY_CYCLES: u64 = 1;

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
        }
    }
}

impl Logic for ReadSelect {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (lane, word) = (self.lane.val() as usize, self.word.val() as usize);
            self.read_data.next = match Region::from_code(self.region.val() as u8) {
                Some(Region::Array) => self
                    .devices
                    .get(lane * self._plane_lanes)
                    .map_or(0, |d| d.val()[word / 4] >> (word % 4 * 16) & 0xFFFF),
                Some(Region::Slots) => self.slot_word.val(),
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
            "    default: array_word = 16'h0;\n  endcase\nend\ninitial read_data = 16'h0;\n\
             always @(posedge clock) begin\n  case (region)\n    {}: read_data <= array_word;\n    \
             {}: read_data <= slot_word;\n    {}: read_data <= label;\n    default: read_data <= 16'h0;\n  endcase\nend\n",
            Region::Array as u8,
            Region::Slots as u8,
            Region::Labels as u8
        );
        Verilog::Custom(text)
    }
}

//! Picks one word out of what the memories read.

use crate::bus::{Bus, ROW_WORDS, WideBus};
use crate::verilog::range;
use bitline_golden::machine::{Machine, bits_to_index};
use bitline_golden::registers::Region;
use rust_hdl::prelude::*;
use std::ops::Range;

/// Column lanes whose words are chosen together; a power of two.
const LANES_OF_GROUP: usize = 4;

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
        let lanes = self.devices.len() / self._plane_lanes;
        let [array, slots, labels] = [Region::Array, Region::Slots, Region::Labels].map(|region| region as u8);
        let groups = lanes.div_ceil(LANES_OF_GROUP);
        let mut text = String::new();
        for group in 0..groups {
            let first = group * LANES_OF_GROUP;
            text += &self.group(group, first..lanes.min(first + LANES_OF_GROUP), groups == 1);
        }
        text += &if groups == 1 {
            format!(
                "reg [15:0] held = 16'h0;\nreg of_slot = 1'b0;\ninitial read_data = 16'h0;\n\
                 always @(posedge clock) begin\n  \
                 held <= (region == {array}) ? group_0 : (region == {labels}) ? label : 16'h0;\n  \
                 of_slot <= region == {slots};\n  read_data <= of_slot ? slot_word : held;\nend\n"
            )
        } else {
            // Each group's word is registered beside its devices; the groups and the other memories meet a clock later.
            let held: String = (0..groups).map(|g| format!("reg [15:0] held_{g} = 16'h0;\n")).collect();
            let taken: String = (0..groups).map(|g| format!("  held_{g} <= group_{g};\n")).collect();
            let cases: String = (0..groups).map(|g| format!("    {g}: array_word = held_{g};\n")).collect();
            format!(
                "{held}reg [15:0] held_label = 16'h0;\nreg [1:0] held_region = 2'h0;\n\
                 reg {}held_group = 0;\nreg [15:0] array_word;\n\
                 always @(*) begin\n  case (held_group)\n{cases}    default: array_word = 16'h0;\n  endcase\nend\n\
                 initial read_data = 16'h0;\nalways @(posedge clock) begin\n{taken}  held_label <= label;\n  \
                 held_region <= region;\n  held_group <= lane >> {};\n  \
                 read_data <= (held_region == {array}) ? array_word : (held_region == {labels}) ? held_label\n    \
                 : (held_region == {slots}) ? slot_word : 16'h0;\nend\n",
                range(self.lane.bits() - LANES_OF_GROUP.ilog2() as usize),
                LANES_OF_GROUP.ilog2(),
            )
        };
        Verilog::Custom(text)
    }
}

impl ReadSelect {
    /// Verilog of `group_<group>`, the word asked for of a few lanes' devices.
    fn group(&self, group: usize, lanes: Range<usize>, alone: bool) -> String {
        let rows = self.devices[0].bits();
        let lane_bits = if alone { String::new() } else { range(LANES_OF_GROUP.ilog2() as usize) };
        let name = format!("group_{group}");
        let mut text = format!(
            "reg [15:0] {name};\nalways @(*) begin\n  {name} = 16'h0;\n  case ({{lane{}, word}})\n",
            lane_bits.trim_end()
        );
        for lane in lanes {
            for word in 0..rows.div_ceil(16) {
                let (low, high) = (word * 16, (word * 16 + 16).min(rows) - 1);
                let at = ((lane % LANES_OF_GROUP) << self.word.bits()) | word;
                text += &format!("    {at}: {name} = devices${}[{high}:{low}];\n", lane * self._plane_lanes);
            }
        }
        text + &format!("    default: {name} = 16'h0;\n  endcase\nend\n")
    }
}

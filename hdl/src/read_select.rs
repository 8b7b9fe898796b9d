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
/// **Ports** `region`, `lane`, `word`: the address asked for, in the clock in which it is given to the memories;
/// `devices`, `label`: what they give, a clock later; `slot_word`: the lane of the slot, two clocks later. `read_data`
/// out.
/// **Timing** latency [`ReadSelect::LATENCY_CYCLES`] from the address, two from `devices` and `label`, one from
/// `slot_word`.
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
    _address: (u64, usize, usize),
    _word: u64,
    _of_slot: bool,
}

impl ReadSelect {
    /// Clocks from the address to `read_data`.
    pub const LATENCY_CYCLES: u64 = 3;

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
            _address: (0, 0, 0),
            _word: 0,
            _of_slot: false,
        }
    }
}

impl Logic for ReadSelect {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (region, lane, word) = self._address;
            self._address = (self.region.val(), self.lane.val() as usize, self.word.val() as usize);
            self.read_data.next = if self._of_slot { self.slot_word.val() } else { self._word };
            let region = Region::from_code(region as u8);
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
        let (lane_range, word_range) = (range(self.lane.bits()), range(self.word.bits()));
        let mut text = "reg [1:0] region_held = 2'h0;\nalways @(posedge clock) region_held <= region;\n".to_string();
        if groups == 1 {
            text += &format!(
                "reg {lane_range}lane_held = 0;\nreg {word_range}word_held = 0;\n\
                 always @(posedge clock) begin\n  lane_held <= lane;\n  word_held <= word;\nend\n"
            );
            text += &self.group(0, 0..lanes, "lane_held", "word_held");
            text += &format!(
                "reg [15:0] held = 16'h0;\nreg of_slot = 1'b0;\ninitial read_data = 16'h0;\n\
                 always @(posedge clock) begin\n  \
                 held <= (region_held == {array}) ? group_0 : (region_held == {labels}) ? label : 16'h0;\n  \
                 of_slot <= region_held == {slots};\n  read_data <= of_slot ? slot_word : held;\nend\n"
            );
            return Verilog::Custom(text);
        }
        // Each group has a copy of the address and registers its word beside its devices, 0 if not asked for; the groups
        // and the other memories meet a clock later.
        text += &format!("wire of_array = region == {array};\n");
        for group in 0..groups {
            let first = group * LANES_OF_GROUP;
            let (lane, word) = (format!("lane_{group}"), format!("word_{group}"));
            text += &format!(
                "wire of_array_{group};\ncopied_bit array_{group}(clock, of_array, of_array_{group});\n\
                 wire {lane_range}{lane};\nwire {word_range}{word};\n"
            );
            for (name, bits) in [("lane", self.lane.bits()), ("word", self.word.bits())] {
                for i in 0..bits {
                    let bit = |name: &str| if bits == 1 { name.to_string() } else { format!("{name}[{i}]") };
                    let (from, to) = (bit(name), bit(&format!("{name}_{group}")));
                    text += &format!("copied_bit {name}_{group}_{i}(clock, {from}, {to});\n");
                }
            }
            text += &self.group(group, first..lanes.min(first + LANES_OF_GROUP), &lane, &word);
            let high = range_of(self.lane.bits(), LANES_OF_GROUP.ilog2() as usize);
            text += &format!(
                "reg [15:0] held_{group} = 16'h0;\n\
                 always @(posedge clock) held_{group} <= (of_array_{group} && {lane}{high} == {group}) ? group_{group} : 16'h0;\n"
            );
        }
        let held: Vec<String> = (0..groups).map(|group| format!("held_{group}")).collect();
        text += &format!(
            "reg [15:0] held_label = 16'h0;\nreg of_slot = 1'b0;\ninitial read_data = 16'h0;\n\
             always @(posedge clock) begin\n  held_label <= (region_held == {labels}) ? label : 16'h0;\n  \
             of_slot <= region_held == {slots};\n  \
             read_data <= held_label | (of_slot ? slot_word : 16'h0) | {};\nend\n",
            held.join(" | ")
        );
        Verilog::Custom(text)
    }
}

/// The bits of a bus of `bits` from `low` up.
fn range_of(bits: usize, low: usize) -> String {
    format!("[{}:{low}]", bits - 1)
}

impl ReadSelect {
    /// Verilog of `group_<group>`, the word asked for of a few lanes' devices, by the nets `lane_name` and `word_name`.
    fn group(&self, group: usize, lanes: Range<usize>, lane_name: &str, word_name: &str) -> String {
        let rows = self.devices[0].bits();
        let alone = self.devices.len() / self._plane_lanes <= LANES_OF_GROUP;
        let lane_bits = if alone { String::new() } else { range(LANES_OF_GROUP.ilog2() as usize) };
        let name = format!("group_{group}");
        let mut text = format!(
            "reg [15:0] {name};\nalways @(*) begin\n  {name} = 16'h0;\n  case ({{{lane_name}{}, {word_name}}})\n",
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

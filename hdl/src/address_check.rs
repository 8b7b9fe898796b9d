//! Judges the address range of a frame.

use crate::bus::{Bus, Number};
use bitline_golden::machine::{Machine, bits_to_index};
use bitline_golden::registers::{ArrayAddress, REGISTER_WORDS, Region, find};
use rust_hdl::prelude::*;

/// Splits an address into the memories' fields, and tells whether the range exists and may be written.
///
/// **Function** [`bitline_golden::registers::range_exists`]; writable registers are those from `mode` to
/// `control`.
/// **Ports** `region`, `offset`, `words` (a frame's count) in; `exists`, `writable`, and the fields out.
/// **Timing** combinational.
#[derive(LogicBlock, Clone, Debug)]
pub struct AddressCheck {
    /// Region code.
    pub region: Bus<In>,
    /// Offset of the first word.
    pub offset: Bus<In>,
    /// Words of the range.
    pub words: Bus<In>,
    /// Every word of the range exists.
    pub exists: Signal<Out, Bit>,
    /// None of them is a read-only register.
    pub writable: Signal<Out, Bit>,
    /// Step of the array, slot or label.
    pub major: Bus<Out>,
    /// Lane of the array or slot.
    pub lane: Bus<Out>,
    /// Word of an array lane.
    pub word: Bus<Out>,
    step: Bus<Local>,
    column_lane: Bus<Local>,
    array_word: Bus<Local>,
    slot: Bus<Local>,
    slot_lane: Bus<Local>,
    registers_region: Number,
    array_region: Number,
    slots_region: Number,
    labels_region: Number,
    register_words: Number,
    first_writable: Number,
    end_writable: Number,
    slots: Number,
    slot_words: Number,
    slot_lane_bits: Number,
    slot_lane_mask: Number,
    array_steps: Number,
    array_words: Number,
    array_word_bits: Number,
    array_word_mask: Number,
    array_lanes: Number,
    array_lane_bits: Number,
    array_lane_mask: Number,
    ragged_lanes: Number,
    first_ragged_step: Number,
}

impl AddressCheck {
    /// Clocks from inputs to outputs.
    pub const LATENCY_CYCLES: u64 = 0;

    /// The check of a machine.
    pub fn new(machine: &Machine) -> Self {
        let groups = machine.column_groups();
        let slot_lane_bits = bits_to_index(machine.slot_words());
        let (word_bits, lane_bits) = (ArrayAddress::word_bits(machine), ArrayAddress::lane_bits(machine));
        let number = |n: usize| Number::new(n as u64);
        Self {
            region: Bus::new(8),
            offset: Bus::new(16),
            words: Bus::new(8),
            exists: Signal::default(),
            writable: Signal::default(),
            major: Bus::new(16),
            lane: Bus::new(bits_to_index(machine.column_lanes.max(machine.slot_words()))),
            word: Bus::new(bits_to_index(machine.array_words())),
            step: Bus::new(16),
            column_lane: Bus::new(16),
            array_word: Bus::new(16),
            slot: Bus::new(16),
            slot_lane: Bus::new(16),
            registers_region: number(Region::Registers as usize),
            array_region: number(Region::Array as usize),
            slots_region: number(Region::Slots as usize),
            labels_region: number(Region::Labels as usize),
            register_words: number(usize::from(REGISTER_WORDS)),
            first_writable: number(usize::from(find("mode").offset)),
            end_writable: number(usize::from(find("checksum").offset)),
            slots: number(machine.slots),
            slot_words: number(machine.slot_words()),
            slot_lane_bits: number(slot_lane_bits),
            slot_lane_mask: number((1 << slot_lane_bits) - 1),
            array_steps: number(groups * machine.row_groups()),
            array_words: number(machine.array_words()),
            array_word_bits: number(word_bits),
            array_word_mask: number((1 << word_bits) - 1),
            array_lanes: number(machine.column_lanes),
            array_lane_bits: number(lane_bits),
            array_lane_mask: number((1 << lane_bits) - 1),
            ragged_lanes: number(machine.columns() - (groups - 1) * machine.column_lanes),
            first_ragged_step: number((groups - 1) * machine.row_groups()),
        }
    }
}

impl Logic for AddressCheck {
    #[hdl_gen]
    fn update(&mut self) {
        self.array_word.next = self.offset.val() & self.array_word_mask.val();
        self.column_lane.next = (self.offset.val() >> self.array_word_bits.val()) & self.array_lane_mask.val();
        self.step.next = (self.offset.val() >> self.array_word_bits.val()) >> self.array_lane_bits.val();
        self.slot_lane.next = self.offset.val() & self.slot_lane_mask.val();
        self.slot.next = self.offset.val() >> self.slot_lane_bits.val();
        self.exists.next = false;
        self.writable.next = true;
        self.major.next = self.offset.val();
        self.lane.next = self.slot_lane.val();
        self.word.next = self.array_word.val();
        if self.region.val() == self.registers_region.val() {
            self.exists.next = (self.offset.val() + self.words.val()) <= self.register_words.val();
            self.writable.next = (self.offset.val() >= self.first_writable.val())
                & ((self.offset.val() + self.words.val()) <= self.end_writable.val());
        }
        if self.region.val() == self.array_region.val() {
            self.major.next = self.step.val();
            self.lane.next = self.column_lane.val();
            self.exists.next = (self.step.val() < self.array_steps.val())
                & ((self.array_word.val() + self.words.val()) <= self.array_words.val())
                & (self.column_lane.val() < self.array_lanes.val())
                & ((self.step.val() < self.first_ragged_step.val())
                    | (self.column_lane.val() < self.ragged_lanes.val()));
        }
        if self.region.val() == self.slots_region.val() {
            self.major.next = self.slot.val();
            self.exists.next = (self.slot.val() < self.slots.val())
                & ((self.slot_lane.val() + self.words.val()) <= self.slot_words.val());
        }
        if self.region.val() == self.labels_region.val() {
            self.exists.next = (self.offset.val() + self.words.val()) <= self.slots.val();
        }
    }
}

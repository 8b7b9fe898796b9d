//! Judges the address range of a frame.

use crate::bus::{Bus, Number};
use crate::register::Register;
use bitline_golden::machine::{Machine, bits_to_index};
use bitline_golden::registers::{ArrayAddress, REGISTER_WORDS, Region, find};
use rust_hdl::prelude::*;

/// Splits an address into the memories' fields, and tells whether the range exists and may be written.
///
/// **Function** [`bitline_golden::registers::range_exists`]; writable registers are those from `mode` to
/// `control`.
/// **Ports** `region`, `offset`, `words` (a frame's count) in; `exists`, `writable`, and the fields out.
/// **Timing** the fields take one clock, the judgement two.
#[derive(LogicBlock, Clone, Debug)]
pub struct AddressCheck {
    /// Clock.
    pub clock: Signal<In, Clock>,
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
    array_unit: Bus<Local>,
    array_step: Bus<Local>,
    slot: Bus<Local>,
    array_lane: Bus<Local>,
    slot_unit: Bus<Local>,
    position: Bus<Local>,
    held_major: Register,
    held_lane: Register,
    held_word: Register,
    most: Register,
    past: Register,
    unit_exists: DFF<Bit>,
    all_exist: DFF<Bit>,
    start_writable: DFF<Bit>,
    all_writable: DFF<Bit>,
    registers_region: Number,
    array_region: Number,
    slots_region: Number,
    labels_region: Number,
    register_words: Number,
    register_bits: Number,
    register_mask: Number,
    first_writable: Number,
    end_writable: Number,
    slots: Number,
    slot_bits: Number,
    slot_mask: Number,
    slot_words: Number,
    slot_lane_bits: Number,
    slot_lane_mask: Number,
    array_steps: Number,
    array_step_bits: Number,
    array_words: Number,
    array_word_bits: Number,
    array_word_mask: Number,
    array_lanes: Number,
    array_lane_bits: Number,
    array_lane_mask: Number,
    array_unit_bits: Number,
    ragged_lanes: Number,
    first_ragged_step: Number,
}

impl AddressCheck {
    /// Clocks from inputs to `exists` and `writable`.
    pub const LATENCY_CYCLES: u64 = 2;

    /// The check of a machine.
    pub fn new(machine: &Machine) -> Self {
        let groups = machine.column_groups();
        let slot_lane_bits = bits_to_index(machine.slot_words());
        let (word_bits, lane_bits) = (ArrayAddress::word_bits(machine), ArrayAddress::lane_bits(machine));
        let register_bits = bits_to_index(usize::from(REGISTER_WORDS));
        let (slot_bits, step_bits) = (bits_to_index(machine.slots), bits_to_index(groups * machine.row_groups()));
        let number = |n: usize| Number::new(n as u64);
        let mask = |bits: usize| Number::new((1 << bits) - 1);
        // The largest position within a unit, and one past it with the words of the longest frame.
        let position_bits = register_bits.max(slot_bits).max(slot_lane_bits).max(word_bits);
        Self {
            clock: Signal::default(),
            region: Bus::new(8),
            offset: Bus::new(16),
            words: Bus::new(8),
            exists: Signal::default(),
            writable: Signal::default(),
            major: Bus::new(slot_bits.max(step_bits)),
            lane: Bus::new(bits_to_index(machine.column_lanes.max(machine.slot_words()))),
            word: Bus::new(bits_to_index(machine.array_words())),
            array_unit: Bus::new(16),
            array_lane: Bus::new(lane_bits.max(1)),
            slot_unit: Bus::new(16),
            position: Bus::new(position_bits),
            held_major: Register::new(slot_bits.max(step_bits)),
            held_lane: Register::new(bits_to_index(machine.column_lanes.max(machine.slot_words()))),
            held_word: Register::new(bits_to_index(machine.array_words())),
            most: Register::new(position_bits + 1),
            past: Register::new(position_bits.max(8) + 1),
            unit_exists: DFF::default(),
            all_exist: DFF::default(),
            start_writable: DFF::default(),
            all_writable: DFF::default(),
            registers_region: number(Region::Registers as usize),
            array_region: number(Region::Array as usize),
            slots_region: number(Region::Slots as usize),
            labels_region: number(Region::Labels as usize),
            register_words: number(usize::from(REGISTER_WORDS)),
            register_bits: number(register_bits),
            register_mask: mask(register_bits),
            first_writable: number(usize::from(find("mode").offset)),
            end_writable: number(usize::from(find("checksum").offset)),
            slots: number(machine.slots),
            slot_bits: number(slot_bits),
            slot_mask: mask(slot_bits),
            slot_words: number(machine.slot_words()),
            slot_lane_bits: number(slot_lane_bits),
            slot_lane_mask: mask(slot_lane_bits),
            array_steps: number(groups * machine.row_groups()),
            array_step_bits: number(step_bits),
            array_words: number(machine.array_words()),
            array_word_bits: number(word_bits),
            array_word_mask: mask(word_bits),
            array_lanes: number(machine.column_lanes),
            array_lane_bits: number(lane_bits),
            array_lane_mask: mask(lane_bits),
            array_unit_bits: number(word_bits + lane_bits),
            ragged_lanes: number(machine.columns() - (groups - 1) * machine.column_lanes),
            first_ragged_step: number((groups - 1) * machine.row_groups()),
            array_step: Bus::new(step_bits),
            slot: Bus::new(slot_bits),
        }
    }
}

impl Logic for AddressCheck {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, most, past, unit_exists, all_exist, start_writable, all_writable);
        dff_setup!(self, clock, held_major, held_lane, held_word);
        self.major.next = self.held_major.q.val();
        self.lane.next = self.held_lane.q.val();
        self.word.next = self.held_word.q.val();
        // A region is units of words, and a range must not leave its unit: a column's rows in a step, a slot's lanes,
        // all labels, all registers.
        self.array_unit.next = self.offset.val() >> self.array_unit_bits.val();
        self.array_step.next = self.array_unit.val();
        self.array_lane.next = (self.offset.val() >> self.array_word_bits.val()) & self.array_lane_mask.val();
        self.slot_unit.next = self.offset.val() >> self.slot_lane_bits.val();
        self.slot.next = self.slot_unit.val();
        self.held_major.d.next = self.slot_unit.val();
        self.held_lane.d.next = self.offset.val() & self.slot_lane_mask.val();
        self.held_word.d.next = self.offset.val() & self.array_word_mask.val();
        self.unit_exists.d.next = false;
        self.position.next = self.offset.val() & self.register_mask.val();
        self.most.d.next = self.register_words.val();
        if self.region.val() == self.registers_region.val() {
            self.unit_exists.d.next = (self.offset.val() >> self.register_bits.val()) == 0;
        }
        if self.region.val() == self.array_region.val() {
            self.held_major.d.next = self.array_unit.val();
            self.held_lane.d.next = self.array_lane.val();
            self.position.next = self.offset.val() & self.array_word_mask.val();
            self.most.d.next = self.array_words.val();
            self.unit_exists.d.next = ((self.array_unit.val() >> self.array_step_bits.val()) == 0)
                & (self.array_step.val() < self.array_steps.val())
                & (self.array_lane.val() < self.array_lanes.val())
                & ((self.array_step.val() < self.first_ragged_step.val())
                    | (self.array_lane.val() < self.ragged_lanes.val()));
        }
        if self.region.val() == self.slots_region.val() {
            self.position.next = self.offset.val() & self.slot_lane_mask.val();
            self.most.d.next = self.slot_words.val();
            self.unit_exists.d.next =
                ((self.slot_unit.val() >> self.slot_bits.val()) == 0) & (self.slot.val() < self.slots.val());
        }
        if self.region.val() == self.labels_region.val() {
            self.held_major.d.next = self.offset.val();
            self.position.next = self.offset.val() & self.slot_mask.val();
            self.most.d.next = self.slots.val();
            self.unit_exists.d.next = (self.offset.val() >> self.slot_bits.val()) == 0;
        }
        self.past.d.next = self.position.val() + self.words.val();
        self.start_writable.d.next = self.position.val() >= self.first_writable.val();
        self.all_exist.d.next = self.unit_exists.q.val() & (self.past.q.val() <= self.most.q.val());
        self.all_writable.d.next = (self.region.val() != self.registers_region.val())
            | (self.start_writable.q.val() & (self.past.q.val() <= self.end_writable.val()));
        self.exists.next = self.all_exist.q.val();
        self.writable.next = self.all_writable.q.val();
    }
}

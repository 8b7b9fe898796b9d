//! Keeps the results of images.

use crate::bus::{BitAccess, Bus, Number};
use crate::delay::{Delay, FlagDelay};
use crate::memory::Memory;
use crate::register::Register;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::deep_registers::result_bits;
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// Stores the sums, class and margin of each slot's image, and shows any of them.
///
/// **Function** value v of a slot lies in bank v mod `output_lanes`: the sums, then the class, then the margin.
/// **Ports** `store` with `slot`, `word`, `lane_valid`, `sums`: sums word * `output_lanes` and up. `verdict` with `winner` (the class) and `margin`:
/// stored in this clock and the next. `read_value` (slot and value): two clocks later `value`, a sum extended by its sign to 32 bits,
/// class and margin by zeros.
/// While `ranks`, `sum` a clock later is the slot's sum `rank_index`, and `value` is anything.
/// **State** the results, 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct ResultMemory {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Slot of the image.
    pub slot: Bus<In>,
    /// Store sums.
    pub store: Signal<In, Bit>,
    /// Lanes that hold one, lane 0 in bit 0.
    pub lane_valid: Bus<In>,
    /// Their word.
    pub word: Bus<In>,
    /// y, one a lane.
    pub sums: Vec<Bus<In>>,
    /// Store class and margin.
    pub verdict: Signal<In, Bit>,
    /// Class.
    pub winner: Bus<In>,
    /// Margin.
    pub margin: Bus<In>,
    /// A sum of the slot is read.
    pub ranks: Signal<In, Bit>,
    /// Which.
    pub rank_index: Bus<In>,
    /// The sum.
    pub sum: Bus<Out>,
    /// Slot and value to read.
    pub read_value: Bus<In>,
    /// The value.
    pub value: Bus<Out>,
    bank: Vec<Memory>,
    address: Bus<Local>,
    lane_line: Delay,
    sum_line: FlagDelay,
    chosen: Bus<Local>,
    value_register: Register,
    after_verdict: DFF<Bit>,
    margin_register: Register,
    valid_from: Vec<Bus<Local>>,
    one: Number,
    lane: Vec<Number>,
    value_bits: Number,
    result_bits: Number,
    value_mask: Number,
    sums_end: Number,
    lane_bits: Number,
    lane_mask: Number,
    sign_bit: Number,
    sign_bits: Number,
    class_word: Number,
    class_lane: Number,
    margin_word: Number,
    margin_lane: Number,
}

impl ResultMemory {
    /// Clocks from `read_value` to `value`.
    pub const READ_CYCLES: u64 = 2;

    /// The results of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let (lanes, sum_bits) = (machine.output_lanes, machine.sum_bits());
        let lane_bits = lanes.trailing_zeros() as usize;
        let value_bits = result_bits(machine);
        let depth = machine.slots << (value_bits - lane_bits);
        let stored_bits = sum_bits.max(bits_to_index(machine.sums));
        let number = |n: usize| Number::new(n as u64);
        Self {
            clock: Signal::default(),
            slot: Bus::new(bits_to_index(machine.slots)),
            store: Signal::default(),
            lane_valid: Bus::new(lanes),
            word: Bus::new(bits_to_index(machine.sums.div_ceil(lanes))),
            sums: (0..lanes).map(|_| Bus::new(sum_bits)).collect(),
            verdict: Signal::default(),
            winner: Bus::new(bits_to_index(machine.sums)),
            margin: Bus::new(sum_bits),
            ranks: Signal::default(),
            rank_index: Bus::new(bits_to_index(machine.sums)),
            sum: Bus::new(sum_bits),
            read_value: Bus::new(bits_to_index(machine.slots) + value_bits),
            value: Bus::new(32),
            bank: (0..lanes).map(|_| Memory::new(stored_bits, depth, &[])).collect(),
            address: Bus::new(bits_to_index(machine.slots) + value_bits),
            lane_line: Delay::new(lane_bits.max(1), Memory::LATENCY_CYCLES),
            sum_line: FlagDelay::new(Memory::LATENCY_CYCLES),
            chosen: Bus::new(stored_bits),
            value_register: Register::new(32),
            after_verdict: DFF::default(),
            margin_register: Register::new(sum_bits),
            valid_from: (0..lanes).map(|_| Bus::new(lanes)).collect(),
            one: number(1),
            lane: (0..lanes).map(number).collect(),
            value_bits: number(value_bits - lane_bits),
            result_bits: number(value_bits),
            value_mask: number((1 << value_bits) - 1),
            sums_end: number(machine.sums),
            lane_bits: number(lane_bits),
            lane_mask: number(lanes - 1),
            sign_bit: number(sum_bits - 1),
            sign_bits: Number::new((u64::from(u32::MAX) >> sum_bits) << sum_bits),
            class_word: number(machine.sums / lanes),
            class_lane: number(machine.sums % lanes),
            margin_word: number((machine.sums + 1) / lanes),
            margin_lane: number((machine.sums + 1) % lanes),
        }
    }
}

impl Logic for ResultMemory {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, lane_line, sum_line);
        dff_setup!(self, clock, value_register, after_verdict, margin_register);
        self.after_verdict.d.next = self.verdict.val();
        self.margin_register.d.next = self.margin.val();
        self.address.next = self.read_value.val();
        if self.ranks.val() {
            self.address.next = (self.slot.val() << self.result_bits.val()) + self.rank_index.val();
        }
        self.lane_line.d.next = self.address.val() & self.lane_mask.val();
        self.sum_line.d.next = (self.address.val() & self.value_mask.val()) < self.sums_end.val();
        self.chosen.next = 0;
        for i in 0..self.bank.len() {
            self.bank[i].clock.next = self.clock.val();
            // A single lane has no bit to choose.
            self.valid_from[i].next = self.lane_valid.val() >> self.lane[i].val();
            self.bank[i].write_enable.next = self.store.val() & (self.valid_from[i].val() & self.one.val()).any();
            self.bank[i].write_address.next = (self.slot.val() << self.value_bits.val()) + self.word.val();
            self.bank[i].write_data.next = self.sums[i].val();
            if self.verdict.val() & (self.lane[i].val() == self.class_lane.val()) {
                self.bank[i].write_enable.next = true;
                self.bank[i].write_address.next = (self.slot.val() << self.value_bits.val()) + self.class_word.val();
                self.bank[i].write_data.next = self.winner.val();
            }
            if self.after_verdict.q.val() & (self.lane[i].val() == self.margin_lane.val()) {
                self.bank[i].write_enable.next = true;
                self.bank[i].write_address.next = (self.slot.val() << self.value_bits.val()) + self.margin_word.val();
                self.bank[i].write_data.next = self.margin_register.q.val();
            }
            self.bank[i].read_address.next = self.address.val() >> self.lane_bits.val();
            if self.lane_line.q.val() == self.lane[i].val() {
                self.chosen.next = self.bank[i].read_data.val();
            }
        }
        self.sum.next = self.chosen.val();
        self.value_register.d.next = self.chosen.val();
        if self.sum_line.q.val() & self.chosen.val().get_bit(self.sign_bit.val()) {
            self.value_register.d.next = self.chosen.val() | self.sign_bits.val();
        }
        self.value.next = self.value_register.q.val();
    }
}

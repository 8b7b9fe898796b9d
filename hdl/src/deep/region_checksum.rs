//! Reads a region back and sums what it holds.

use crate::bus::{BitAccess, Bus, Number};
use crate::register::Register;
use rust_hdl::prelude::*;

/// Walks through a region, one word a clock, and keeps the sum of the words and the sum of the sums.
///
/// **Function** `count` words from `first_offset`. `sum` = sum of the words, `sums` = sum of the running sums, both modulo 2^32
/// ([`bitline_golden::registers::checksum`]).
/// **Ports** `start`; `read_offset` out, the word to read; `data` in, the word asked for [`RegionChecksum::READ_CYCLES`] earlier;
/// `running`, `sum`, `sums` out. `abort` ends it at once.
/// **State** idle and 0 at power-on; `start` sets the sums to 0.
#[derive(LogicBlock, Clone, Debug)]
pub struct RegionChecksum {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Begin.
    pub start: Signal<In, Bit>,
    /// End at once.
    pub abort: Signal<In, Bit>,
    /// First word.
    pub first_offset: Bus<In>,
    /// Words.
    pub count: Bus<In>,
    /// A checksum is under way.
    pub running: Signal<Out, Bit>,
    /// The word to read.
    pub read_offset: Bus<Out>,
    /// The word read.
    pub data: Bus<In>,
    /// Sum of the words.
    pub sum: Bus<Out>,
    /// Sum of the running sums.
    pub sums: Bus<Out>,
    offset: Register,
    left: Register,
    on_the_way: Register,
    sum_register: Register,
    sums_register: Register,
    less_one: Number,
    arrived: Number,
    summed: Number,
}

impl Default for RegionChecksum {
    fn default() -> Self {
        let cycles = Self::READ_CYCLES as usize;
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            abort: Signal::default(),
            first_offset: Bus::new(16),
            count: Bus::new(17),
            running: Signal::default(),
            read_offset: Bus::new(16),
            data: Bus::new(16),
            sum: Bus::new(32),
            sums: Bus::new(32),
            offset: Register::new(16),
            left: Register::new(17),
            on_the_way: Register::new(cycles + 1),
            sum_register: Register::new(32),
            sums_register: Register::new(32),
            less_one: Number::new((1 << 17) - 1),
            arrived: Number::new(cycles as u64 - 1),
            summed: Number::new(cycles as u64),
        }
    }
}

impl RegionChecksum {
    /// Clocks from `read_offset` to the `data` asked for.
    pub const READ_CYCLES: u64 = super::core::DeepCore::READ_CYCLES;
}

impl Logic for RegionChecksum {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, offset, left, on_the_way, sum_register, sums_register);
        self.read_offset.next = self.offset.q.val();
        self.on_the_way.d.next = self.on_the_way.q.val() << 1;
        if self.left.q.val().any() {
            self.offset.d.next = self.offset.q.val() + 1;
            self.left.d.next = self.left.q.val() + self.less_one.val();
            self.on_the_way.d.next = (self.on_the_way.q.val() << 1) | 1;
        }
        if self.on_the_way.q.val().get_bit(self.arrived.val()) {
            self.sum_register.d.next = self.sum_register.q.val() + self.data.val();
        }
        if self.on_the_way.q.val().get_bit(self.summed.val()) {
            self.sums_register.d.next = self.sums_register.q.val() + self.sum_register.q.val();
        }
        self.running.next = self.left.q.val().any() | self.on_the_way.q.val().any();
        self.sum.next = self.sum_register.q.val();
        self.sums.next = self.sums_register.q.val();
        if self.start.val() {
            self.offset.d.next = self.first_offset.val();
            self.left.d.next = self.count.val();
            self.sum_register.d.next = 0;
            self.sums_register.d.next = 0;
        }
        if self.abort.val() {
            self.left.d.next = 0;
        }
    }
}

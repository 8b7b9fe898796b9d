//! Reads memories back and sums what they hold.

use crate::bus::{Bus, Number};
use crate::register::Register;
use bitline_golden::machine::{Machine, bits_to_hold, bits_to_index};
use bitline_golden::registers::Region;
use rust_hdl::prelude::*;

/// Walks through a memory, one word a clock, and keeps the sum of the words and the sum of the sums.
///
/// **Function** the words in the order of their offsets: all of the array's, or every lane of `count` slots from
/// `first_slot`, or their labels. `sum` = sum of the words, `sums` = sum of the running sums, both modulo 2^32
/// ([`bitline_golden::registers::checksum`]).
/// **Ports** `start` with `region`, `first_slot`, `count`; `read_*` out, the word to read; `data` in, the word asked
/// for [`Checksum::READ_CYCLES`] earlier; `running`, `sum`, `sums` out.
/// **State** idle and 0 at power-on; `start` sets the sums to 0.
#[derive(LogicBlock, Clone, Debug)]
pub struct Checksum {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Begin.
    pub start: Signal<In, Bit>,
    /// End at once.
    pub abort: Signal<In, Bit>,
    /// Which memory.
    pub region: Bus<In>,
    /// First slot or label.
    pub first_slot: Bus<In>,
    /// Slots or labels.
    pub count: Bus<In>,
    /// A checksum is under way.
    pub running: Signal<Out, Bit>,
    /// Step of the array, or slot.
    pub read_major: Bus<Out>,
    /// Lane.
    pub read_lane: Bus<Out>,
    /// Word of a lane.
    pub read_word: Bus<Out>,
    /// The word read.
    pub data: Bus<In>,
    /// Sum of the words.
    pub sum: Bus<Out>,
    /// Sum of the running sums.
    pub sums: Bus<Out>,
    reading: DFF<Bit>,
    data_valid: Vec<DFF<Bit>>,
    major: Register,
    majors_left: Register,
    lane: Register,
    word: Register,
    sum_register: Register,
    sums_register: Register,
    summed: DFF<Bit>,
    last_word: Bus<Local>,
    last_lane: Bus<Local>,
    array_region: Number,
    slots_region: Number,
    array_steps: Number,
    last_array_word: Number,
    last_array_lane: Number,
    last_ragged_lane: Number,
    first_ragged_step: Number,
    last_slot_lane: Number,
}

impl Checksum {
    /// Clocks from `read_*` to the `data` asked for.
    pub const READ_CYCLES: u64 = 3;

    /// The checksum of a machine.
    pub fn new(machine: &Machine) -> Self {
        let groups = machine.column_groups();
        let ragged = machine.columns() - (groups - 1) * machine.column_lanes;
        let lane_bits = bits_to_index(machine.column_lanes.max(machine.slot_words()));
        let word_bits = bits_to_index(machine.array_words());
        let steps = groups * machine.row_groups();
        let (slot_bits, count_bits) = (bits_to_index(machine.slots), bits_to_hold(machine.slots));
        let major_bits = slot_bits.max(bits_to_index(steps));
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            abort: Signal::default(),
            region: Bus::new(2),
            first_slot: Bus::new(slot_bits),
            count: Bus::new(count_bits),
            running: Signal::default(),
            read_major: Bus::new(major_bits),
            read_lane: Bus::new(lane_bits),
            read_word: Bus::new(word_bits),
            data: Bus::new(16),
            sum: Bus::new(32),
            sums: Bus::new(32),
            reading: DFF::default(),
            data_valid: (0..Self::READ_CYCLES).map(|_| DFF::default()).collect(),
            major: Register::new(major_bits),
            majors_left: Register::new(count_bits.max(bits_to_hold(steps))),
            lane: Register::new(lane_bits),
            word: Register::new(word_bits),
            sum_register: Register::new(32),
            sums_register: Register::new(32),
            summed: DFF::default(),
            last_word: Bus::new(word_bits),
            last_lane: Bus::new(lane_bits),
            array_region: Number::new(Region::Array as u64),
            slots_region: Number::new(Region::Slots as u64),
            array_steps: Number::new(steps as u64),
            last_array_word: Number::new(machine.array_words() as u64 - 1),
            last_array_lane: Number::new(machine.column_lanes as u64 - 1),
            last_ragged_lane: Number::new(ragged as u64 - 1),
            first_ragged_step: Number::new(((groups - 1) * machine.row_groups()) as u64),
            last_slot_lane: Number::new(machine.slot_words() as u64 - 1),
        }
    }
}

impl Logic for Checksum {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, reading, summed, major, majors_left, lane, word, sum_register, sums_register);
        for i in 0..3 {
            self.data_valid[i].clock.next = self.clock.val();
        }
        self.last_word.next = 0;
        self.last_lane.next = 0;
        if self.region.val() == self.array_region.val() {
            self.last_word.next = self.last_array_word.val();
            self.last_lane.next = self.last_array_lane.val();
            if self.major.q.val() >= self.first_ragged_step.val() {
                self.last_lane.next = self.last_ragged_lane.val();
            }
        }
        if self.region.val() == self.slots_region.val() {
            self.last_lane.next = self.last_slot_lane.val();
        }
        self.read_major.next = self.major.q.val();
        self.read_lane.next = self.lane.q.val();
        self.read_word.next = self.word.q.val();
        self.data_valid[0].d.next = self.reading.q.val();
        self.data_valid[1].d.next = self.data_valid[0].q.val();
        if self.reading.q.val() {
            self.word.d.next = self.word.q.val() + 1;
            if self.word.q.val() == self.last_word.val() {
                self.word.d.next = 0;
                self.lane.d.next = self.lane.q.val() + 1;
                if self.lane.q.val() == self.last_lane.val() {
                    self.lane.d.next = 0;
                    self.major.d.next = self.major.q.val() + 1;
                    self.majors_left.d.next = self.majors_left.q.val() - 1;
                    if self.majors_left.q.val() == 1 {
                        self.reading.d.next = false;
                    }
                }
            }
        }
        self.data_valid[2].d.next = self.data_valid[1].q.val();
        self.summed.d.next = self.data_valid[2].q.val();
        if self.data_valid[2].q.val() {
            self.sum_register.d.next = self.sum_register.q.val() + self.data.val();
        }
        if self.summed.q.val() {
            self.sums_register.d.next = self.sums_register.q.val() + self.sum_register.q.val();
        }
        self.running.next = self.reading.q.val()
            | self.data_valid[0].q.val()
            | self.data_valid[1].q.val()
            | self.data_valid[2].q.val()
            | self.summed.q.val();
        self.sum.next = self.sum_register.q.val();
        self.sums.next = self.sums_register.q.val();
        if self.start.val() {
            self.sum_register.d.next = 0;
            self.sums_register.d.next = 0;
            self.lane.d.next = 0;
            self.word.d.next = 0;
            if self.region.val() == self.array_region.val() {
                self.reading.d.next = true;
                self.major.d.next = 0;
                self.majors_left.d.next = self.array_steps.val();
            } else {
                self.reading.d.next = self.count.val() != 0;
                self.major.d.next = self.first_slot.val();
                self.majors_left.d.next = self.count.val();
            }
        }
        if self.abort.val() {
            self.reading.d.next = false;
        }
    }
}

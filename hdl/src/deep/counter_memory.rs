//! Counters of the run and of each layer, in one memory.

use crate::bus::{BitAccess, Bus, Number};
use crate::memory::Memory;
use crate::register::Register;
use bitline_firmware::isa::COUNT_SPACING_CYCLES;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// Counters that are kept; `conversions`, a multiple of `array_reads`, is not among them.
pub const KEPT_COUNTERS: usize = 6;
/// Place of `conversions` in a record, between the others.
const CONVERSIONS: u64 = 4;
/// Bits of each; they saturate.
const BITS: usize = 32;
/// Bits of a counter's place in its record.
const PLACE_BITS: usize = 3;
/// Clocks in which nothing but the cycles is counted after `count_start` or `image_done`: the next layer's first read comes later.
pub const QUIET_CYCLES: u64 = 6;
/// Clocks after which a counter's amounts are taken again, at most, and some more.
const MOST_WAIT_CYCLES: usize = 48;

/// Counts what happens; at a `count` adds it to the record of the layer that it names, and at the image's end to the run's.
///
/// **Function** amounts are added up in short registers, each of which is emptied into the *current* record in its turn. At
/// `count_start` and at `image_done` all are emptied; then the current record is added to the run's and, at a `count`, to the
/// layer's, and is 0 again. A record's counters are cycles, busy cycles, array reads, row pulses, saturations and macs, at
/// places 0..=3, 5, 6. Of the cycles the run's record has no sense.
/// **Ports** `amounts`, one a counter, are added every clock while `running`. `image_start`: cycles count from this clock on, at 0.
/// `count_start`, with `count_next` in the clock before: what was counted before this clock belongs to `layer`; `image_done`: to none. `clear`: all records are 0, and what is under
/// way is dropped. `settling`: what was counted is on its way to its records. `read_row` (a layer, or `layers` for the run)
/// and `read_place`: while `read_enable`, and always when nothing runs, the counter there is in `value` in the first clock with `value_valid`.
/// **Timing** all but cycles are quiet for [`QUIET_CYCLES`] clocks from `count_start` on, and from `image_done` on for some more; the next
/// `count_start` comes [`COUNT_SPACING_CYCLES`] after either, at the earliest.
/// **Number rules** unsigned, 32 bits, saturating. **State** 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct CounterMemory {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Every record is 0.
    pub clear: Signal<In, Bit>,
    /// A run is under way.
    pub running: Signal<In, Bit>,
    /// Cycles count from 0.
    pub image_start: Signal<In, Bit>,
    /// What was counted is the run's alone.
    pub image_done: Signal<In, Bit>,
    /// `count_start` comes in the next clock.
    pub count_next: Signal<In, Bit>,
    /// What was counted is a layer's too.
    pub count_start: Signal<In, Bit>,
    /// The layer.
    pub layer: Bus<In>,
    /// What to add, a counter each.
    pub amounts: Vec<Bus<In>>,
    /// Records are being made.
    pub settling: Signal<Out, Bit>,
    /// Read a counter while a run is under way.
    pub read_enable: Signal<In, Bit>,
    /// Its record.
    pub read_row: Bus<In>,
    /// Its place there.
    pub read_place: Bus<In>,
    /// The counter read.
    pub value: Bus<Out>,
    /// It is there.
    pub value_valid: Signal<Out, Bit>,
    short: Vec<Register>,
    memory: Memory,
    place: Register,
    part: Register,
    taking: DFF<Bit>,
    moving: DFF<Bit>,
    pending: DFF<Bit>,
    dirty: DFF<Bit>,
    to_layer: DFF<Bit>,
    served: DFF<Bit>,
    layer_register: Register,
    fresh: Register,
    known: Register,
    addend: Register,
    address: Register,
    adds: DFF<Bit>,
    captures: DFF<Bit>,
    shows: DFF<Bit>,
    old_counts: DFF<Bit>,
    flushing: Signal<Local, Bit>,
    begins: Signal<Local, Bit>,
    takes: Signal<Local, Bit>,
    yields: Signal<Local, Bit>,
    pauses: Signal<Local, Bit>,
    goes: Signal<Local, Bit>,
    moves: Signal<Local, Bit>,
    capturing: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    place_now: Bus<Local>,
    place_bit: Bus<Local>,
    row: Bus<Local>,
    row_bit: Bus<Local>,
    row_known: Bus<Local>,
    is_fresh: Bus<Local>,
    fresh_after: Bus<Local>,
    old: Bus<Local>,
    whole: Bus<Local>,
    places: Vec<Number>,
    one: Number,
    before_gap: Number,
    after_gap: Number,
    last_place: Number,
    all_fresh: Number,
    run_row: Number,
    current_row: Number,
    row_shift: Number,
    run_known: Number,
    carry: Number,
    limit: Number,
}

impl CounterMemory {
    /// Clocks from `count_start` or `image_done` to the end of `settling`, at most, each read of the link a clock more.
    pub const SETTLE_CYCLES: u64 = 4 * KEPT_COUNTERS as u64 + 1;

    /// The counters of a machine, for amounts of so many bits each.
    pub fn new(machine: &DeepMachine, amount_bits: [usize; KEPT_COUNTERS]) -> Self {
        const {
            // Four words at most are read by the link meanwhile.
            assert!(Self::SETTLE_CYCLES + 3 <= COUNT_SPACING_CYCLES as u64);
            assert!(KEPT_COUNTERS as u64 <= QUIET_CYCLES);
        }
        let row_bits = bits_to_index(machine.layers + 2);
        let short = |bits: usize| Register::new(bits_to_hold(((1 << bits) - 1) * MOST_WAIT_CYCLES));
        let number = |n: usize| Number::new(n as u64);
        let places = (0..=KEPT_COUNTERS as u64).filter(|place| *place != CONVERSIONS);
        Self {
            clock: Signal::default(),
            clear: Signal::default(),
            running: Signal::default(),
            image_start: Signal::default(),
            image_done: Signal::default(),
            count_start: Signal::default(),
            layer: Bus::new(4),
            amounts: amount_bits.map(Bus::new).into(),
            settling: Signal::default(),
            read_enable: Signal::default(),
            read_row: Bus::new(row_bits),
            read_place: Bus::new(PLACE_BITS),
            value: Bus::new(BITS),
            value_valid: Signal::default(),
            short: amount_bits.map(short).into(),
            memory: Memory::new(BITS, (machine.layers + 2) << PLACE_BITS, &[]),
            place: Register::new(PLACE_BITS),
            part: Register::new(2),
            taking: DFF::default(),
            moving: DFF::default(),
            pending: DFF::default(),
            dirty: DFF::default(),
            to_layer: DFF::default(),
            served: DFF::default(),
            layer_register: Register::new(row_bits),
            fresh: Register::with_value(1 << PLACE_BITS, 0xFF),
            known: Register::new(machine.layers + 1),
            addend: Register::new(BITS),
            address: Register::new(row_bits + PLACE_BITS),
            adds: DFF::default(),
            captures: DFF::default(),
            shows: DFF::default(),
            old_counts: DFF::default(),
            flushing: Signal::default(),
            begins: Signal::default(),
            takes: Signal::default(),
            yields: Signal::default(),
            pauses: Signal::default(),
            count_next: Signal::default(),
            goes: Signal::default(),
            moves: Signal::default(),
            capturing: Signal::default(),
            last: Signal::default(),
            place_now: Bus::new(PLACE_BITS),
            place_bit: Bus::new(1 << PLACE_BITS),
            row: Bus::new(row_bits),
            row_bit: Bus::new(machine.layers + 1),
            row_known: Bus::new(machine.layers + 1),
            is_fresh: Bus::new(1 << PLACE_BITS),
            fresh_after: Bus::new(1 << PLACE_BITS),
            old: Bus::new(BITS),
            whole: Bus::new(BITS + 1),
            places: places.map(Number::new).collect(),
            one: number(1),
            before_gap: Number::new(CONVERSIONS - 1),
            after_gap: Number::new(CONVERSIONS + 1),
            last_place: number(KEPT_COUNTERS),
            all_fresh: number(0xFF),
            run_row: number(machine.layers),
            current_row: number(machine.layers + 1),
            row_shift: number(PLACE_BITS),
            run_known: number(1 << machine.layers),
            carry: number(BITS),
            limit: Number::new((1 << BITS) - 1),
        }
    }
}

impl Logic for CounterMemory {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(
            self,
            clock,
            place,
            part,
            taking,
            moving,
            pending,
            dirty,
            to_layer,
            served,
            layer_register,
            fresh,
            known
        );
        dff_setup!(self, clock, addend, address, adds, captures, shows, old_counts);
        self.flushing.next = self.taking.q.val() | self.moving.q.val();
        self.settling.next = self.flushing.val() | self.pending.q.val() | self.adds.q.val();
        self.begins.next = self.count_start.val() | (self.pending.q.val() & !self.flushing.val());
        // At an image's end there is something for the run if an array was read since the last `count`.
        self.pending.d.next =
            (self.image_done.val() & self.dirty.q.val()) | (self.pending.q.val() & !self.begins.val());
        self.dirty.d.next = !self.begins.val() & (self.dirty.q.val() | self.amounts[1].val().any());
        // The link's turn, but not in the clock that parts the cycles of two layers.
        self.yields.next = self.read_enable.val() & !self.served.q.val() & !self.count_start.val();
        // A counter whose turn is first must not be on its way to the memory already.
        self.pauses.next = self.count_next.val() | self.image_done.val();
        self.goes.next =
            (self.running.val() | self.flushing.val() | self.begins.val()) & !self.yields.val() & !self.pauses.val();
        self.served.d.next = self.read_enable.val() & (self.served.q.val() | self.yields.val());
        // Which counter, and what of it.
        self.place_now.next = self.place.q.val();
        if self.begins.val() {
            // At an image's end the cycles may be the next one's already.
            self.place_now.next = 1;
            if self.count_start.val() {
                self.place_now.next = 0;
            }
            self.place.d.next = self.place_now.val();
            self.to_layer.d.next = self.count_start.val();
            self.layer_register.d.next = self.layer.val();
            self.taking.d.next = true;
        }
        self.moves.next = self.moving.q.val() & !self.begins.val();
        self.last.next = self.place_now.val() == self.last_place.val();
        self.row.next = self.current_row.val();
        if self.moves.val() & (self.part.q.val() == 1) {
            self.row.next = self.run_row.val();
        }
        if self.moves.val() & (self.part.q.val() == 2) {
            self.row.next = self.layer_register.q.val();
        }
        self.takes.next = self.goes.val() & !self.moves.val();
        self.capturing.next = self.goes.val() & self.moves.val() & (self.part.q.val() == 0);
        self.captures.d.next = self.capturing.val();
        self.adds.d.next = self.takes.val()
            | (self.goes.val() & (self.part.q.val() == 1))
            | (self.goes.val() & (self.part.q.val() == 2) & self.to_layer.q.val());
        self.shows.d.next = !self.goes.val();
        self.place_bit.next = self.one.val() << self.place_now.val();
        self.is_fresh.next = self.fresh.q.val() & self.place_bit.val();
        self.memory.read_address.next = (self.row.val() << self.row_shift.val()) + self.place_now.val();
        self.row_known.next = self.known.q.val() >> self.row.val();
        if !self.goes.val() {
            self.memory.read_address.next = (self.read_row.val() << self.row_shift.val()) + self.read_place.val();
            self.row_known.next = self.known.q.val() >> self.read_row.val();
        }
        self.address.d.next = (self.row.val() << self.row_shift.val()) + self.place_now.val();
        self.old_counts.d.next = self.row_known.val().get_bit(0);
        if self.takes.val() | self.capturing.val() {
            self.old_counts.d.next = !self.is_fresh.val().any();
        }
        self.row_bit.next = self.run_known.val();
        if self.to_layer.q.val() {
            self.row_bit.next = (self.one.val() << self.layer_register.q.val()) | self.run_known.val();
        }
        self.fresh_after.next = self.fresh.q.val();
        if self.goes.val() {
            self.place.d.next = self.place_now.val() + 1;
            if self.place_now.val() == self.before_gap.val() {
                self.place.d.next = self.after_gap.val();
            }
            if self.last.val() {
                self.place.d.next = 0;
            }
            if self.moves.val() {
                self.part.d.next = self.part.q.val() + 1;
                if self.part.q.val() != 2 {
                    self.place.d.next = self.place_now.val();
                } else {
                    self.part.d.next = 0;
                    if self.last.val() {
                        self.moving.d.next = false;
                        self.fresh_after.next = self.all_fresh.val();
                        self.known.d.next = self.known.q.val() | self.row_bit.val();
                    }
                }
            } else {
                self.fresh_after.next = self.fresh.q.val() & (self.place_bit.val() ^ self.all_fresh.val());
                if self.last.val() & self.taking.q.val() {
                    self.taking.d.next = false;
                    self.moving.d.next = true;
                }
            }
        }
        self.fresh.d.next = self.fresh_after.val();
        // Amounts, added up until their counter's turn.
        for i in 0..6 {
            self.short[i].clock.next = self.clock.val();
            self.short[i].d.next = self.short[i].q.val() + self.amounts[i].val();
            if self.takes.val() & (self.place_now.val() == self.places[i].val()) {
                self.short[i].d.next = self.amounts[i].val();
            }
            if self.clear.val() {
                self.short[i].d.next = 0;
            }
        }
        if self.image_start.val() {
            self.short[0].d.next = self.amounts[0].val();
            // Cycles before it are no layer's, unless they are on their way to one.
            if !self.flushing.val() {
                self.fresh.d.next = self.fresh_after.val() | self.one.val();
            }
        }
        // The memory's second clock: what was there, and what is added to it.
        self.old.next = 0;
        if self.old_counts.q.val() {
            self.old.next = self.memory.read_data.val();
        }
        self.value.next = self.old.val();
        self.value_valid.next = self.shows.q.val();
        self.whole.next = self.old.val() + self.addend.q.val();
        self.memory.write_enable.next = self.adds.q.val();
        self.memory.write_address.next = self.address.q.val();
        self.memory.write_data.next = self.whole.val();
        if self.whole.val().get_bit(self.carry.val()) {
            self.memory.write_data.next = self.limit.val();
        }
        if self.captures.q.val() {
            self.addend.d.next = self.old.val();
        }
        for i in 0..6 {
            if self.takes.val() & (self.place_now.val() == self.places[i].val()) {
                self.addend.d.next = self.short[i].q.val();
            }
        }
        if self.clear.val() {
            self.taking.d.next = false;
            self.moving.d.next = false;
            self.pending.d.next = false;
            self.dirty.d.next = false;
            self.adds.d.next = false;
            self.part.d.next = 0;
            self.place.d.next = 0;
            self.fresh.d.next = self.all_fresh.val();
            self.known.d.next = 0;
        }
    }
}

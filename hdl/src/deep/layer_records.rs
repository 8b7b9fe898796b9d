//! Counters of each layer.

use crate::bus::{BitAccess, Bus, Number};
use crate::memory::Memory;
use crate::register::Register;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// Counters that a layer has.
pub const LAYER_COUNTERS: usize = 7;
/// Bits of each; they saturate.
const BITS: usize = 32;

/// Counts what happens, and at a `count` adds it to the record of the layer that it names.
///
/// **Ports** `amounts`, one a counter, are added every clock. `image_start`: count from this clock on, at 0. `count_start`: what
/// was counted before this clock is added to record `layer`, and counting goes on from this clock, at 0; no other in the two
/// clocks after it. `clear`: all records are 0. `read_layer`: a clock later `records` are those of that layer, while nothing runs.
/// **Number rules** unsigned, 32 bits, saturating. **State** 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct LayerRecords {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Every record is 0.
    pub clear: Signal<In, Bit>,
    /// Count from 0.
    pub image_start: Signal<In, Bit>,
    /// What was counted is a layer's.
    pub count_start: Signal<In, Bit>,
    /// The layer.
    pub layer: Bus<In>,
    /// What to add, a counter each.
    pub amounts: Vec<Bus<In>>,
    /// Layer to read.
    pub read_layer: Bus<In>,
    /// Its records.
    pub records: Vec<Bus<Out>>,
    counted: Vec<Register>,
    held: Vec<Register>,
    memory: Vec<Memory>,
    whole: Vec<Bus<Local>>,
    known: Register,
    layer_register: Register,
    read_register: Register,
    writes: DFF<Bit>,
    reads_known: Bus<Local>,
    layer_bit: Bus<Local>,
    one: Number,
    overflow: Number,
    all_ones: Number,
    limit: Number,
}

impl LayerRecords {
    /// Clocks from `read_layer` to `records`.
    pub const LATENCY_CYCLES: u64 = Memory::LATENCY_CYCLES;

    /// The records of a machine, for amounts of so many bits each.
    pub fn new(machine: &DeepMachine, amount_bits: [usize; LAYER_COUNTERS]) -> Self {
        let layer_bits = bits_to_index(machine.layers);
        Self {
            clock: Signal::default(),
            clear: Signal::default(),
            image_start: Signal::default(),
            count_start: Signal::default(),
            layer: Bus::new(4),
            amounts: amount_bits.map(Bus::new).into(),
            read_layer: Bus::new(layer_bits),
            records: (0..LAYER_COUNTERS).map(|_| Bus::new(BITS)).collect(),
            counted: (0..LAYER_COUNTERS).map(|_| Register::new(BITS + 1)).collect(),
            held: (0..LAYER_COUNTERS).map(|_| Register::new(BITS + 1)).collect(),
            memory: (0..LAYER_COUNTERS).map(|_| Memory::new(BITS, machine.layers, &[])).collect(),
            whole: (0..LAYER_COUNTERS).map(|_| Bus::new(BITS + 2)).collect(),
            known: Register::new(machine.layers),
            layer_register: Register::new(layer_bits),
            read_register: Register::new(layer_bits),
            writes: DFF::default(),
            reads_known: Bus::new(machine.layers),
            layer_bit: Bus::new(machine.layers),
            one: Number::new(1),
            overflow: Number::new(BITS as u64),
            all_ones: Number::new((1 << (BITS + 1)) - 1),
            limit: Number::new((1 << BITS) - 1),
        }
    }
}

impl Logic for LayerRecords {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, known, layer_register, read_register, writes);
        self.writes.d.next = self.count_start.val();
        self.read_register.d.next = self.read_layer.val();
        self.reads_known.next = self.known.q.val() >> self.read_register.q.val();
        self.layer_bit.next = self.one.val() << self.layer_register.q.val();
        if self.count_start.val() {
            self.layer_register.d.next = self.layer.val();
            self.read_register.d.next = self.layer.val();
        }
        if self.writes.q.val() {
            self.known.d.next = self.known.q.val() | self.layer_bit.val();
        }
        if self.clear.val() {
            self.known.d.next = 0;
        }
        for i in 0..7 {
            self.counted[i].clock.next = self.clock.val();
            self.held[i].clock.next = self.clock.val();
            self.memory[i].clock.next = self.clock.val();
            self.counted[i].d.next = self.counted[i].q.val() + self.amounts[i].val();
            if self.counted[i].q.val().get_bit(self.overflow.val()) {
                self.counted[i].d.next = self.all_ones.val();
            }
            self.held[i].d.next = self.held[i].q.val();
            if self.count_start.val() {
                self.held[i].d.next = self.counted[i].q.val();
            }
            if self.count_start.val() | self.image_start.val() {
                self.counted[i].d.next = self.amounts[i].val();
            }
            self.records[i].next = 0;
            if self.reads_known.val().get_bit(0) {
                self.records[i].next = self.memory[i].read_data.val();
            }
            self.memory[i].read_address.next = self.read_layer.val();
            if self.count_start.val() {
                self.memory[i].read_address.next = self.layer.val();
            }
            self.whole[i].next = self.held[i].q.val();
            if self.reads_known.val().get_bit(0) {
                self.whole[i].next = self.held[i].q.val() + self.memory[i].read_data.val();
            }
            self.memory[i].write_enable.next = self.writes.q.val();
            self.memory[i].write_address.next = self.layer_register.q.val();
            self.memory[i].write_data.next = self.whole[i].val();
            if self.whole[i].val() > self.limit.val() {
                self.memory[i].write_data.next = self.limit.val();
            }
        }
    }
}

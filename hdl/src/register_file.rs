//! The registers the host writes, and the read side of the register map.

use crate::bus::{BitAccess, Bus, Number};
use crate::register::Register;
use crate::register_reader::RegisterReader;
use bitline_golden::machine::Machine;
use bitline_golden::registers::{PROTOCOL_VERSION, RUN_COUNTERS, find};
use rust_hdl::prelude::*;

/// Keeps what the host sets for a run, makes its commands into strobes, and reads every register.
///
/// **Function** [`bitline_golden::registers::REGISTERS`].
/// **Ports** `write_enable`, `offset`, `write_data`: a word from the link, writable registers only. `reset`: back to
/// the power-on values. `counters`: the run counters in the order of the map; `frames_*`, `running`, `summing`, `sum`,
/// `sums`: what else is read. `read_data`: the word at `offset`, one clock later. The rest out.
/// **Timing** a command's strobe comes in the clock after its write. **State** 0 at power-on, but for `image_count`,
/// which is the number of images built in.
#[derive(LogicBlock, Clone, Debug)]
pub struct RegisterFile {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Back to the power-on values.
    pub reset: Signal<In, Bit>,
    /// Store `write_data`.
    pub write_enable: Signal<In, Bit>,
    /// Offset of a word.
    pub offset: Bus<In>,
    /// The word.
    pub write_data: Bus<In>,
    /// The word read.
    pub read_data: Bus<Out>,
    /// The run counters.
    pub counters: Vec<Bus<In>>,
    /// Link counter.
    pub frames_ok: Bus<In>,
    /// Link counter.
    pub frames_bad: Bus<In>,
    /// Link counter.
    pub frames_resent: Bus<In>,
    /// A run is under way.
    pub running: Signal<In, Bit>,
    /// A checksum is under way.
    pub summing: Signal<In, Bit>,
    /// Low half of the checksum.
    pub sum: Bus<In>,
    /// High half of the checksum.
    pub sums: Bus<In>,
    /// Start a run.
    pub start: Signal<Out, Bit>,
    /// Clear the run counters.
    pub clear: Signal<Out, Bit>,
    /// Start a checksum.
    pub checksum_start: Signal<Out, Bit>,
    /// Store results.
    pub store_results: Signal<Out, Bit>,
    /// Slot of the first image.
    pub first_slot: Bus<Out>,
    /// Images of a run.
    pub image_count: Bus<Out>,
    /// Slot of the first result.
    pub result_slot: Bus<Out>,
    /// Region of a checksum.
    pub checksum_region: Bus<Out>,
    start_strobe: DFF<Bit>,
    clear_strobe: DFF<Bit>,
    checksum_strobe: DFF<Bit>,
    mode_register: Register,
    first_slot_register: Register,
    image_count_register: Register,
    result_slot_register: Register,
    region_register: Register,
    status: Bus<Local>,
    reader: RegisterReader,
    built_in_images: Number,
    control_offset: Number,
    mode_offset: Number,
    first_slot_offset: Number,
    image_count_offset: Number,
    result_slot_offset: Number,
    region_offset: Number,
}

impl RegisterFile {
    /// Clocks from `offset` to `read_data`.
    pub const LATENCY_CYCLES: u64 = RegisterReader::LATENCY_CYCLES;

    /// The register file of a machine with that many images built in.
    pub fn new(machine: &Machine, build_hash: u64, built_in_images: usize) -> Self {
        Self::of_regions(machine, build_hash, built_in_images, find("checksum_region").width as usize)
    }

    /// The same for a machine whose regions' codes take so many bits.
    pub fn of_regions(machine: &Machine, build_hash: u64, built_in_images: usize, region_bits: usize) -> Self {
        let mut name = machine.name.as_bytes().to_vec();
        name.resize(16, 0);
        let constants = [
            ("protocol", vec![PROTOCOL_VERSION]),
            ("name", name.chunks(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect()),
            ("rows", vec![machine.rows as u16]),
            ("outputs", vec![machine.outputs as u16]),
            ("word_bits", vec![(machine.weight_bits | machine.input_bits << 8) as u16]),
            ("row_lanes", vec![machine.row_lanes as u16]),
            ("plane_lanes", vec![machine.plane_lanes as u16]),
            ("column_lanes", vec![machine.column_lanes as u16]),
            ("slots", vec![machine.slots as u16]),
            ("quantizer_bits", vec![machine.quantizer.bits as u16]),
            ("build_hash", (0..4).map(|k| (build_hash >> (16 * k)) as u16).collect()),
        ];
        let width = |name: &str| find(name).kept_bits(machine);
        let (slot_bits, count_bits) = (width("first_slot"), width("image_count"));
        let mut values = vec![
            ("frames_ok", width("frames_ok")),
            ("frames_bad", width("frames_bad")),
            ("frames_resent", width("frames_resent")),
            ("status", 2),
            ("mode", 1),
            ("first_slot", slot_bits),
            ("image_count", count_bits),
            ("result_slot", slot_bits),
            ("checksum_region", region_bits),
            ("checksum", 64),
        ];
        values.extend(RUN_COUNTERS.map(|name| (name, width(name))));
        let offset = |name: &str| Number::new(u64::from(find(name).offset));
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            write_enable: Signal::default(),
            offset: Bus::new(16),
            write_data: Bus::new(16),
            read_data: Bus::new(16),
            counters: RUN_COUNTERS.map(|name| Bus::new(width(name))).into(),
            frames_ok: Bus::new(width("frames_ok")),
            frames_bad: Bus::new(width("frames_bad")),
            frames_resent: Bus::new(width("frames_resent")),
            running: Signal::default(),
            summing: Signal::default(),
            sum: Bus::new(32),
            sums: Bus::new(32),
            start: Signal::default(),
            clear: Signal::default(),
            checksum_start: Signal::default(),
            store_results: Signal::default(),
            first_slot: Bus::new(slot_bits),
            image_count: Bus::new(count_bits),
            result_slot: Bus::new(slot_bits),
            checksum_region: Bus::new(region_bits),
            start_strobe: DFF::default(),
            clear_strobe: DFF::default(),
            checksum_strobe: DFF::default(),
            mode_register: Register::new(1),
            first_slot_register: Register::new(slot_bits),
            image_count_register: Register::with_value(count_bits, built_in_images as u64),
            result_slot_register: Register::new(slot_bits),
            region_register: Register::new(region_bits),
            status: Bus::new(2),
            reader: RegisterReader::new(&constants, &values),
            built_in_images: Number::new(built_in_images as u64),
            control_offset: offset("control"),
            mode_offset: offset("mode"),
            first_slot_offset: offset("first_slot"),
            image_count_offset: offset("image_count"),
            result_slot_offset: offset("result_slot"),
            region_offset: offset("checksum_region"),
        }
    }
}

impl Logic for RegisterFile {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, start_strobe, clear_strobe, checksum_strobe, mode_register, first_slot_register);
        dff_setup!(self, clock, image_count_register, result_slot_register, region_register);
        clock!(self, clock, reader);
        self.start_strobe.d.next = false;
        self.clear_strobe.d.next = false;
        self.checksum_strobe.d.next = false;
        if self.write_enable.val() {
            if self.offset.val() == self.control_offset.val() {
                self.start_strobe.d.next = self.write_data.val().get_bit(0);
                self.clear_strobe.d.next = self.write_data.val().get_bit(1);
                self.checksum_strobe.d.next = self.write_data.val().get_bit(2);
            }
            if self.offset.val() == self.mode_offset.val() {
                self.mode_register.d.next = self.write_data.val();
            }
            if self.offset.val() == self.first_slot_offset.val() {
                self.first_slot_register.d.next = self.write_data.val();
            }
            if self.offset.val() == self.image_count_offset.val() {
                self.image_count_register.d.next = self.write_data.val();
            }
            if self.offset.val() == self.result_slot_offset.val() {
                self.result_slot_register.d.next = self.write_data.val();
            }
            if self.offset.val() == self.region_offset.val() {
                self.region_register.d.next = self.write_data.val();
            }
        }
        if self.reset.val() {
            self.start_strobe.d.next = false;
            self.checksum_strobe.d.next = false;
            self.mode_register.d.next = 0;
            self.first_slot_register.d.next = 0;
            self.image_count_register.d.next = self.built_in_images.val();
            self.result_slot_register.d.next = 0;
            self.region_register.d.next = 0;
        }
        self.start.next = self.start_strobe.q.val();
        self.clear.next = self.clear_strobe.q.val();
        self.checksum_start.next = self.checksum_strobe.q.val();
        self.store_results.next = self.mode_register.q.val().any();
        self.first_slot.next = self.first_slot_register.q.val();
        self.image_count.next = self.image_count_register.q.val();
        self.result_slot.next = self.result_slot_register.q.val();
        self.checksum_region.next = self.region_register.q.val();
        self.status.next = 0;
        if self.running.val() {
            self.status.next = 1;
        }
        if self.summing.val() {
            self.status.next = 2;
        }
        self.reader.offset.next = self.offset.val();
        self.reader.values[0].next = self.frames_ok.val();
        self.reader.values[1].next = self.frames_bad.val();
        self.reader.values[2].next = self.frames_resent.val();
        self.reader.values[3].next = self.status.val();
        self.reader.values[4].next = self.mode_register.q.val();
        self.reader.values[5].next = self.first_slot_register.q.val();
        self.reader.values[6].next = self.image_count_register.q.val();
        self.reader.values[7].next = self.result_slot_register.q.val();
        self.reader.values[8].next = self.region_register.q.val();
        self.reader.values[9].next = (self.sums.val() << 32) | self.sum.val();
        for i in 0..self.counters.len() {
            self.reader.values[i + 10].next = self.counters[i].val();
        }
        self.read_data.next = self.reader.word.val();
    }
}

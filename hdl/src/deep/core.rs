//! The machine behind the link: program, memories, arrays, thresholds, results and counters.

use super::activation::Activation;
use super::counter_memory::CounterMemory;
use super::crossbar::Crossbar;
use super::feed::Feed;
use super::instruction_decoder::InstructionDecoder;
use super::program_control::{ProgramControl, fault};
use super::program_memory::ProgramMemory;
use super::tile_reader::TileReader;
use crate::bus::{BitAccess, Bus, Number};
use crate::delay::Delay;
use crate::register::Register;
use bitline_firmware::isa::Encoded;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::deep_registers::DeepRegion;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use bitline_golden::registers::find;
use rust_hdl::prelude::*;

/// What the memories hold at power-on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeepContents {
    /// Instructions.
    pub program: Vec<Encoded>,
    /// Devices, `[tile][column][row]`, true for LRS.
    pub devices: Vec<Vec<Vec<bool>>>,
    /// Thresholds, `[entry][node]`.
    pub thresholds: Vec<[i32; 16]>,
    /// Codes of the code memory, images included.
    pub codes: Vec<u8>,
}

/// Runs programs on images: the data path of contract section 6, layer after layer.
///
/// **Function** while `running`, for each image of the run, the program. Windows are gathered from the code memory; for each of
/// them tiles are read, a tile a clock; columns are counted, quantized and summed; outputs become codes, which are pooled and
/// stored, or sums, which are ranked and kept as the image's result.
/// **Ports** `start`, `abort`, `first_slot`, `image_count`: a run. `image_done`: an image's program is over; `class_valid`, `winner`: its
/// verdict. `write_enable`: store `write_data` at `offset` of `region`, while no run is under way; [`DeepCore::READ_CYCLES`] after
/// an address `read_data` is its word; of region 0 it has the counters of the run but cycles, images and correct, and while a run is under way
/// these alone, as they stood after its last layer or image. `clear`: all these, and the layers' records, are 0. `settling`: they are about to change. The amounts of
/// counters, one clock each.
/// `fault`, `fault_at`: why a run ended early, and at which instruction.
/// **State** idle at power-on, memories as [`DeepContents`] says.
#[derive(LogicBlock, Clone, Debug)]
pub struct DeepCore {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Begin a run.
    pub start: Signal<In, Bit>,
    /// End it.
    pub abort: Signal<In, Bit>,
    /// Slot of the first image.
    pub first_slot: Bus<In>,
    /// Images.
    pub image_count: Bus<In>,
    /// A run is under way.
    pub running: Signal<Out, Bit>,
    /// What is under way is dropped.
    pub cut: Signal<Out, Bit>,
    /// An image is done.
    pub image_done: Signal<Out, Bit>,
    /// Slot of the image under way.
    pub slot: Bus<Out>,
    /// It has a class.
    pub class_valid: Signal<Out, Bit>,
    /// Its class.
    pub winner: Bus<Out>,
    /// Kinds of fault.
    pub fault: Bus<Out>,
    /// Instruction of the fault.
    pub fault_at: Bus<Out>,
    /// Region of a word.
    pub region: Bus<In>,
    /// Its offset.
    pub offset: Bus<In>,
    /// Store a word.
    pub write_enable: Signal<In, Bit>,
    /// The word.
    pub write_data: Bus<In>,
    /// The word read.
    pub read_data: Bus<Out>,
    /// The link reads, while a run is under way.
    pub read_enable: Signal<In, Bit>,
    /// Clear the counters.
    pub clear: Signal<In, Bit>,
    /// What was counted is on its way to the counters.
    pub settling: Signal<Out, Bit>,
    /// A tile is read.
    pub busy: Bus<Out>,
    /// Planes applied.
    pub array_reads: Bus<Out>,
    /// Rows driven.
    pub row_pulses: Bus<Out>,
    /// Counts converted.
    pub conversions: Bus<Out>,
    /// Codes clamped.
    pub saturations: Bus<Out>,
    /// Weights times inputs.
    pub macs: Bus<Out>,
    control: ProgramControl,
    program_memory: ProgramMemory,
    decoder: InstructionDecoder,
    feed: Feed,
    reader: TileReader,
    /// The arrays.
    pub crossbar: Crossbar,
    activation: Activation,
    counters: CounterMemory,
    image_base: Bus<Local>,
    tile_fault: Bus<Local>,
    plane_fault: Bus<Local>,
    planes_read: Bus<Local>,
    planes_converted: Bus<Local>,
    busy_amount: Bus<Local>,
    cycle_amount: Bus<Local>,
    class_known: DFF<Bit>,
    class_register: Register,
    record_adjust: Bus<Local>,
    record_place: Bus<Local>,
    record_word: Bus<Local>,
    record_register: Register,
    value_word: Bus<Local>,
    chosen: Register,
    asked_region: Register,
    asked_offset: Register,
    asked_write_data: Register,
    stores: DFF<Bit>,
    converts: DFF<Bit>,
    region_line: Delay,
    low_line: Delay,
    early_low_line: Delay,
    slot_base: Number,
    slot_bits: Number,
    tiles: Number,
    layers: Number,
    code_bits: Number,
    weight_bits: Number,
    column_bits: Number,
    fault_tile: Number,
    fault_size: Number,
    array_region: Number,
    codes_region: Number,
    program_region: Number,
    thresholds_region: Number,
    results_region: Number,
    layers_region: Number,
    low_mask: Number,
    reads_place: Number,
    conversions_place: Number,
    run_row: Number,
    run_adjust: Number,
    counter_bits: Number,
    all_ones: Number,
}

impl DeepCore {
    /// Clocks from `offset` to `read_data`.
    pub const READ_CYCLES: u64 = 4;

    /// The core of a machine.
    pub fn new(machine: &DeepMachine, contents: &DeepContents) -> Self {
        let control = ProgramControl::new(machine);
        let crossbar = Crossbar::new(machine, &contents.devices);
        let read_bits = bits_to_hold(machine.plane_lanes);
        let column_bits = machine.tile_columns.trailing_zeros() as usize;
        let kept_amounts =
            [1, 1, read_bits, crossbar.row_pulses.bits(), crossbar.saturations.bits(), crossbar.macs.bits()];
        let number = |n: usize| Number::new(n as u64);
        let region = |region: DeepRegion| Number::new(region as u64);
        let slot_bits = bits_to_index(machine.slots);
        let class_bits = bits_to_index(machine.sums);
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            abort: Signal::default(),
            first_slot: Bus::new(slot_bits),
            image_count: Bus::new(bits_to_hold(machine.slots)),
            running: Signal::default(),
            cut: Signal::default(),
            image_done: Signal::default(),
            slot: Bus::new(slot_bits),
            class_valid: Signal::default(),
            winner: Bus::new(class_bits),
            fault: Bus::new(fault::BITS),
            fault_at: Bus::new(16),
            region: Bus::new(8),
            offset: Bus::new(16),
            write_enable: Signal::default(),
            write_data: Bus::new(16),
            read_data: Bus::new(16),
            read_enable: Signal::default(),
            clear: Signal::default(),
            settling: Signal::default(),
            busy: Bus::new(1),
            array_reads: Bus::new(read_bits),
            row_pulses: Bus::new(crossbar.row_pulses.bits()),
            conversions: Bus::new(read_bits + column_bits),
            saturations: Bus::new(crossbar.saturations.bits()),
            macs: Bus::new(crossbar.macs.bits()),
            program_memory: ProgramMemory::new(machine, &contents.program),
            decoder: InstructionDecoder::new(machine),
            feed: Feed::new(machine, &contents.codes),
            reader: TileReader::new(machine),
            activation: Activation::new(machine, &contents.thresholds),
            counters: CounterMemory::new(machine, kept_amounts),
            image_base: Bus::new(super::address_bits(machine)),
            tile_fault: Bus::new(fault::BITS),
            plane_fault: Bus::new(fault::BITS),
            planes_read: Bus::new(read_bits),
            planes_converted: Bus::new(read_bits + column_bits),
            busy_amount: Bus::new(1),
            cycle_amount: Bus::new(1),
            class_known: DFF::default(),
            class_register: Register::new(class_bits),
            record_adjust: Bus::new(16),
            record_place: Bus::new(4),
            record_word: Bus::new(32 + column_bits),
            record_register: Register::new(16),
            value_word: Bus::new(32),
            chosen: Register::new(16),
            asked_region: Register::new(8),
            asked_offset: Register::new(16),
            asked_write_data: Register::new(16),
            stores: DFF::default(),
            converts: DFF::default(),
            region_line: Delay::new(8, Self::READ_CYCLES - 2),
            low_line: Delay::new(1, Self::READ_CYCLES - 2),
            early_low_line: Delay::new(1, 1),
            slot_base: number(machine.codes),
            slot_bits: number(machine.image_codes.trailing_zeros() as usize),
            tiles: number(machine.tiles),
            layers: number(machine.layers),
            code_bits: number(machine.code_bits),
            weight_bits: number(machine.weight_bits),
            column_bits: number(column_bits),
            fault_tile: Number::new(fault::TILE),
            fault_size: Number::new(fault::SIZE),
            array_region: region(DeepRegion::Array),
            codes_region: region(DeepRegion::Codes),
            program_region: region(DeepRegion::Program),
            thresholds_region: region(DeepRegion::Thresholds),
            results_region: region(DeepRegion::Results),
            layers_region: region(DeepRegion::Layers),
            low_mask: number(1),
            reads_place: number(2),
            conversions_place: number(4),
            run_row: number(machine.layers),
            // So that the run's counters begin at a multiple of 16, as the layers' records do.
            run_adjust: Number::new(u64::from((16 - find("cycles").offset % 16) % 16)),
            counter_bits: number(32),
            all_ones: number(0xFFFF),
            control,
            crossbar,
        }
    }
}

impl Logic for DeepCore {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, control, program_memory, decoder, feed, reader, crossbar, activation, counters);
        clock!(self, clock, region_line, low_line, early_low_line);
        dff_setup!(self, clock, class_known, class_register, record_register, chosen);
        dff_setup!(self, clock, asked_region, asked_offset, asked_write_data, stores, converts);
        // The link asks from one place, and memories lie everywhere: a clock for the way.
        self.asked_region.d.next = self.region.val();
        self.asked_offset.d.next = self.offset.val();
        self.asked_write_data.d.next = self.write_data.val();
        self.stores.d.next = self.write_enable.val();
        // Faults of the reads: a tile that is not there, planes that a code or columns that an output does not have, more outputs than tiles.
        self.tile_fault.next = 0;
        if self.reader.read.val() & (self.reader.tile.val() >= self.tiles.val()) {
            self.tile_fault.next = self.fault_tile.val();
        }
        self.plane_fault.next = 0;
        if self.reader.short.val()
            | (self.control.layer_start.val()
                & ((self.decoder.tiles_planes.val() > self.code_bits.val())
                    | (self.decoder.tiles_columns.val() > self.weight_bits.val())))
        {
            self.plane_fault.next = self.fault_size.val();
        }
        // The program.
        self.control.start.next = self.start.val();
        self.control.abort.next = self.abort.val();
        self.control.first_slot.next = self.first_slot.val();
        self.control.image_count.next = self.image_count.val();
        self.control.opcode.next = self.decoder.opcode.val();
        self.control.legal.next = self.decoder.legal.val();
        self.control.record_exists.next = self.decoder.shown_layer.val() < self.layers.val();
        self.control.layer_done.next = self.activation.layer_done.val();
        self.control.move_done.next = self.feed.move_done.val();
        self.control.layer_faults.next =
            self.feed.faults.val() | self.activation.faults.val() | self.tile_fault.val() | self.plane_fault.val();
        self.program_memory.read_address.next = self.control.program_address.val();
        self.program_memory.read_word.next = self.asked_offset.q.val();
        self.program_memory.write_enable.next =
            self.stores.q.val() & (self.asked_region.q.val() == self.program_region.val());
        self.program_memory.write_address.next = self.asked_offset.q.val() >> 3;
        self.program_memory.write_word.next = self.asked_offset.q.val();
        self.program_memory.write_data.next = self.asked_write_data.q.val();
        self.decoder.load.next = self.control.load.val();
        self.decoder.words.next = self.program_memory.instruction.val();
        self.decoder.apply.next = self.control.apply.val();
        self.running.next = self.control.running.val();
        self.cut.next = self.control.cut.val();
        self.slot.next = self.control.slot.val();
        self.image_done.next = self.control.image_done.val();
        self.fault.next = self.control.fault.val();
        self.fault_at.next = self.control.fault_at.val();
        // Windows.
        self.image_base.next = (self.control.slot.val() << self.slot_bits.val()) + self.slot_base.val();
        self.feed.image_base.next = self.image_base.val();
        self.feed.layer_start.next = self.control.layer_start.val();
        self.feed.single.next = self.control.ranks.val();
        self.feed.move_start.next = self.control.move_start.val();
        self.feed.fills.next = self.control.fills.val();
        self.feed.cut.next = self.control.cut.val();
        self.feed.base.next = self.decoder.window_base.val();
        self.feed.of_image.next = self.decoder.window_image.val();
        self.feed.pitch.next = self.decoder.window_pitch.val();
        self.feed.segments.next = self.decoder.window_segments.val();
        self.feed.codes.next = self.decoder.window_codes.val();
        self.feed.step_x.next = self.decoder.window_step_x.val();
        self.feed.step_y.next = self.decoder.window_step_y.val();
        self.feed.bias.next = self.decoder.window_bias.val();
        self.feed.size.next = self.decoder.pool_size.val();
        self.feed.pool_step_x.next = self.decoder.pool_step_x.val();
        self.feed.pool_step_y.next = self.decoder.pool_step_y.val();
        self.feed.wide.next = self.decoder.read_wide.val();
        self.feed.high.next = self.decoder.read_high.val();
        self.feed.place_base.next = self.decoder.output_base.val();
        self.feed.place_step_x.next = self.decoder.output_step_x.val();
        self.feed.place_step_y.next = self.decoder.output_step_y.val();
        self.feed.copy_from.next = self.decoder.copy_from.val();
        self.feed.copy_of_image.next = self.decoder.copy_image.val();
        self.feed.copy_to.next = self.decoder.copy_to.val();
        self.feed.copy_codes.next = self.decoder.copy_codes.val();
        self.feed.fill_to.next = self.decoder.fill_to.val();
        self.feed.fill_codes.next = self.decoder.fill_codes.val();
        self.feed.fill_value.next = self.decoder.fill_value.val();
        self.feed.released.next = self.reader.released.val();
        self.feed.half.next = self.reader.half.val();
        self.feed.read_row_group.next = self.reader.row_group.val();
        self.feed.read_plane_group.next = self.reader.plane_group.val();
        self.feed.read_planes.next = self.reader.planes.val();
        self.feed.read_rows.next = self.reader.rows.val();
        self.feed.store_enable.next = self.activation.store_enable.val();
        self.feed.store_address.next = self.activation.store_address.val();
        self.feed.store_lanes.next = self.activation.store_lanes.val();
        for i in 0..self.activation.store_codes.len() {
            self.feed.store_codes[i].next = self.activation.store_codes[i].val();
        }
        self.feed.link_enable.next = self.stores.q.val() & (self.asked_region.q.val() == self.codes_region.val());
        self.feed.link_address.next = self.asked_offset.q.val() << 1;
        self.feed.link_word.next = self.asked_write_data.q.val();
        self.feed.link_reads.next = !self.control.running.val();
        // Reads.
        self.reader.start.next = self.control.layer_start.val();
        self.reader.abort.next = self.control.cut.val();
        self.reader.first_tile.next = self.decoder.tiles_first.val();
        self.reader.row_groups.next = self.decoder.tiles_row_groups.val();
        self.reader.output_groups.next = self.decoder.tiles_output_groups.val();
        self.reader.outputs.next = self.decoder.tiles_outputs.val();
        self.reader.columns.next = self.decoder.tiles_columns.val();
        self.reader.layer_planes.next = self.decoder.tiles_planes.val();
        self.reader.ready.next = self.feed.ready.val();
        self.reader.final_window.next = self.feed.final_window.val();
        self.reader.group_end.next = self.feed.group_end.val();
        self.reader.row_end.next = self.feed.row_end.val();
        self.crossbar.cut.next = self.control.cut.val();
        self.crossbar.read.next = self.reader.read.val();
        self.crossbar.tile.next = self.reader.tile.val();
        self.crossbar.live_rows.next = self.reader.rows.val();
        self.crossbar.live_outputs.next = self.reader.live_outputs.val();
        self.crossbar.plane_group.next = self.reader.plane_group.val();
        self.crossbar.first.next = self.reader.first.val();
        self.crossbar.last.next = self.reader.last.val();
        self.crossbar.first_output.next = self.reader.first_output.val();
        self.crossbar.place_in.next = self.feed.place.val();
        self.crossbar.square_first_in.next = self.feed.square_first.val();
        self.crossbar.square_last_in.next = self.feed.square_last.val();
        self.crossbar.final_in.next = self.feed.final_window.val() & self.reader.final_group.val();
        self.crossbar.columns.next = self.decoder.tiles_columns.val();
        for i in 0..self.feed.rows.len() {
            self.crossbar.rows[i].next = self.feed.rows[i].val();
        }
        self.crossbar.link_reads.next = !self.control.running.val();
        self.crossbar.link_enable.next = self.stores.q.val() & (self.asked_region.q.val() == self.array_region.val());
        self.crossbar.link_offset.next = self.asked_offset.q.val();
        self.crossbar.link_word.next = self.asked_write_data.q.val();
        // Outputs.
        self.activation.cut.next = self.control.cut.val();
        self.activation.layer_start.next = self.control.layer_start.val();
        self.activation.ranks.next = self.control.ranks.val();
        self.activation.slot.next = self.control.slot.val();
        self.activation.first_entry.next = self.decoder.thresholds_first.val();
        self.activation.bits.next = self.decoder.thresholds_bits.val();
        self.activation.outputs.next = self.decoder.tiles_outputs.val();
        self.activation.valid.next = self.crossbar.valid.val();
        self.activation.lanes.next = self.crossbar.lanes.val();
        for i in 0..self.crossbar.sums.len() {
            self.activation.sums[i].next = self.crossbar.sums[i].val();
        }
        self.activation.word.next = self.crossbar.word.val();
        self.activation.place.next = self.crossbar.place.val();
        self.activation.square_first.next = self.crossbar.square_first.val();
        self.activation.square_last.next = self.crossbar.square_last.val();
        self.activation.layer_final.next = self.crossbar.layer_final.val();
        self.activation.link_enable.next =
            self.stores.q.val() & (self.asked_region.q.val() == self.thresholds_region.val());
        self.activation.link_offset.next = self.asked_offset.q.val();
        self.activation.link_word.next = self.asked_write_data.q.val();
        self.activation.read_value.next = self.asked_offset.q.val() >> 1;
        self.class_valid.next = self.class_known.q.val();
        self.winner.next = self.class_register.q.val();
        if self.activation.classified.val() {
            self.class_known.d.next = true;
            self.class_register.d.next = self.activation.winner.val();
        }
        if self.control.layer_start.val() & self.control.ranks.val() {
            self.class_known.d.next = false;
        }
        if self.control.image_start.val() {
            self.class_known.d.next = false;
        }
        // What is counted.
        self.busy_amount.next = 0;
        self.planes_read.next = 0;
        if self.reader.read.val() {
            self.busy_amount.next = 1;
            self.planes_read.next = self.reader.planes.val();
        }
        self.cycle_amount.next = 0;
        if self.control.running.val() {
            self.cycle_amount.next = 1;
        }
        self.planes_converted.next = self.planes_read.val() << self.column_bits.val();
        self.busy.next = self.busy_amount.val();
        self.array_reads.next = self.planes_read.val();
        self.conversions.next = self.planes_converted.val();
        self.row_pulses.next = self.crossbar.row_pulses.val();
        self.saturations.next = self.crossbar.saturations.val();
        self.macs.next = self.crossbar.macs.val();
        self.counters.clear.next = self.clear.val();
        self.counters.running.next = self.control.running.val();
        self.counters.image_start.next = self.control.image_start.val();
        self.counters.image_done.next = self.control.image_done.val();
        self.counters.count_next.next = self.control.count_next.val();
        self.counters.count_start.next = self.control.count_start.val();
        self.counters.layer.next = self.decoder.count_layer.val();
        self.counters.amounts[0].next = self.cycle_amount.val();
        self.counters.amounts[1].next = self.busy_amount.val();
        self.counters.amounts[2].next = self.planes_read.val();
        self.counters.amounts[3].next = self.crossbar.row_pulses.val();
        self.counters.amounts[4].next = self.crossbar.saturations.val();
        self.counters.amounts[5].next = self.crossbar.macs.val();
        self.settling.next = self.counters.settling.val();
        self.counters.read_enable.next = self.read_enable.val();
        self.counters.read_row.next = self.asked_offset.q.val() >> 4;
        self.record_adjust.next = self.asked_offset.q.val();
        if self.asked_region.q.val() == 0 {
            self.counters.read_row.next = self.run_row.val();
            self.record_adjust.next = self.asked_offset.q.val() + self.run_adjust.val();
        }
        self.record_place.next = (self.record_adjust.val() >> 1) & 7;
        self.counters.read_place.next = self.record_place.val();
        if self.record_place.val() == self.conversions_place.val() {
            self.counters.read_place.next = self.reads_place.val();
        }
        self.converts.d.next = self.record_place.val() == self.conversions_place.val();
        // What the link reads: each memory's word two clocks after its address, the choice a clock later.
        self.region_line.d.next = self.asked_region.q.val();
        self.low_line.d.next = self.asked_offset.q.val() & self.low_mask.val();
        self.early_low_line.d.next = self.asked_offset.q.val() & self.low_mask.val();
        if !self.control.running.val() {
            self.program_memory.read_address.next = self.asked_offset.q.val() >> 3;
        }
        // A conversion for each column of every plane read.
        self.record_word.next = self.counters.value.val();
        if self.converts.q.val() {
            self.record_word.next = self.counters.value.val() << self.column_bits.val();
        }
        if self.counters.value_valid.val() {
            self.record_register.d.next = self.record_word.val();
            if self.early_low_line.q.val().any() {
                self.record_register.d.next = self.record_word.val() >> 16;
            }
            if (self.record_word.val() >> self.counter_bits.val()).any() {
                self.record_register.d.next = self.all_ones.val();
            }
        }
        self.value_word.next = self.activation.value.val();
        self.chosen.d.next = 0;
        if self.region_line.q.val() == self.array_region.val() {
            self.chosen.d.next = self.crossbar.link_data.val();
        }
        if self.region_line.q.val() == self.codes_region.val() {
            self.chosen.d.next = self.feed.link_codes.val();
        }
        if self.region_line.q.val() == self.program_region.val() {
            self.chosen.d.next = self.program_memory.read_data.val();
        }
        if self.region_line.q.val() == self.thresholds_region.val() {
            self.chosen.d.next = self.activation.link_data.val();
        }
        if self.region_line.q.val() == self.results_region.val() {
            self.chosen.d.next = self.value_word.val();
            if self.low_line.q.val().any() {
                self.chosen.d.next = self.value_word.val() >> 16;
            }
        }
        if (self.region_line.q.val() == self.layers_region.val()) | (self.region_line.q.val() == 0) {
            self.chosen.d.next = self.record_register.q.val();
        }
        self.read_data.next = self.chosen.q.val();
    }
}

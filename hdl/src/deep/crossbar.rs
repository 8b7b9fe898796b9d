//! From a tile's address and the rows it is driven with to the sums of its outputs.

use super::mac_counter::MacCounter;
use super::plane_sum::PlaneSum;
use super::recombination::Recombination;
use super::row_counter::RowCounter;
use super::spread::Spread;
use super::tile_memory::TileMemory;
use super::window_memory::WindowMemory;
use super::{address_bits, output_bits, tile_bits};
use crate::bus::{BitAccess, Bus, Number, ROW_WORDS, WideBus};
use crate::column_counter::ColumnCounter;
use crate::column_quantizer::ColumnQuantizer;
use crate::delay::{Delay, FlagDelay};
use crate::register::Register;
use crate::saturation_counter::SaturationCounter;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::deep_registers::column_words;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// The arrays: devices, column counts, quantizers, sums over planes and row groups, and the outputs made of them.
///
/// **Function** each clock with `read`, tile `tile` is driven with `rows`, which come [`WindowMemory::LATENCY_CYCLES`] later. When
/// a group's last read is through, its outputs leave, `output_lanes` a clock, with what came with that read: `word`, the
/// number of the first of them over `output_lanes`, `place`, and three flags.
/// **Ports** `link_*`: devices, from and to the link. Amounts for the counters: `row_pulses`, `saturations`, `macs`, one clock each.
/// **Timing** [`Crossbar::latency_cycles`] from a group's last read to its first outputs. **State** devices as given.
#[derive(LogicBlock, Clone, Debug)]
pub struct Crossbar {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drop what is under way.
    pub cut: Signal<In, Bit>,
    /// Read a tile.
    pub read: Signal<In, Bit>,
    /// Which.
    pub tile: Bus<In>,
    /// Rows of its row group.
    pub live_rows: Bus<In>,
    /// Outputs that it makes.
    pub live_outputs: Bus<In>,
    /// Which planes.
    pub plane_group: Bus<In>,
    /// It is its output group's first.
    pub first: Signal<In, Bit>,
    /// It is its output group's last.
    pub last: Signal<In, Bit>,
    /// First output of the group.
    pub first_output: Bus<In>,
    /// Where the codes of the square go.
    pub place_in: Bus<In>,
    /// The window is its square's first.
    pub square_first_in: Signal<In, Bit>,
    /// The window is its square's last.
    pub square_last_in: Signal<In, Bit>,
    /// The group is the layer's last.
    pub final_in: Signal<In, Bit>,
    /// Columns of an output.
    pub columns: Bus<In>,
    /// What is driven.
    pub rows: Vec<WideBus<In, ROW_WORDS>>,
    /// There are outputs.
    pub valid: Signal<Out, Bit>,
    /// Lanes that hold one of the layer's.
    pub lanes: Bus<Out>,
    /// y, one a lane.
    pub sums: Vec<Bus<Out>>,
    /// Number of the first lane's output over the lanes.
    pub word: Bus<Out>,
    /// Where the codes of the square go.
    pub place: Bus<Out>,
    /// The window is its square's first.
    pub square_first: Signal<Out, Bit>,
    /// The window is its square's last.
    pub square_last: Signal<Out, Bit>,
    /// No outputs of the layer follow.
    pub layer_final: Signal<Out, Bit>,
    /// Rows driven.
    pub row_pulses: Bus<Out>,
    /// Codes clamped.
    pub saturations: Bus<Out>,
    /// Weights times inputs.
    pub macs: Bus<Out>,
    /// The link reads devices.
    pub link_reads: Signal<In, Bit>,
    /// Store devices of the link.
    pub link_enable: Signal<In, Bit>,
    /// Offset of the word.
    pub link_offset: Bus<In>,
    /// The word.
    pub link_word: Bus<In>,
    /// The word read, [`TileMemory::READ_BACK_CYCLES`] after its offset.
    pub link_data: Bus<Out>,
    /// The tiles' devices.
    pub tile_memory: TileMemory,
    spread: Spread,
    column: Vec<ColumnCounter>,
    quantizer: Vec<ColumnQuantizer>,
    row_counter: Vec<RowCounter>,
    plane_sum: PlaneSum,
    recombination: Recombination,
    saturation_counter: SaturationCounter,
    mac_counter: MacCounter,
    tile_line: Delay,
    link_column: Bus<Local>,
    link_row_word: Bus<Local>,
    read_line: FlagDelay,
    first_line: FlagDelay,
    last_line: FlagDelay,
    plane_group_line: Delay,
    columns_line: Delay,
    odd_line: FlagDelay,
    group_number: Bus<Local>,
    group_word: Bus<Local>,
    group_word_line: Delay,
    place_line: Delay,
    square_first_line: FlagDelay,
    square_last_line: FlagDelay,
    final_line: FlagDelay,
    held_word: Register,
    live: Bus<Local>,
    live_line: Delay,
    held_live: Register,
    now_live: Bus<Local>,
    held_place: Register,
    held_first: DFF<Bit>,
    held_last: DFF<Bit>,
    held_final: DFF<Bit>,
    now_word: Bus<Local>,
    now_final: Bus<Local>,
    last_emission: Bus<Local>,
    outputs_before: Bus<Local>,
    present: Bus<Local>,
    lane_bits: Number,
    lane_mask: Number,
    one: Number,
    output_lanes: Number,
    row_word_bits: Number,
    row_word_mask: Number,
    column_bits: Number,
    column_mask: Number,
    group_bits: Number,
    last_of_1: Number,
    last_of_4: Number,
    last_of_8: Number,
    modulus: Number,
}

impl Crossbar {
    /// Clocks from a read to its counts.
    fn count_cycles(machine: &DeepMachine) -> u64 {
        WindowMemory::LATENCY_CYCLES + RowCounter::latency_cycles(machine.tile_rows)
    }

    /// Clocks from a group's last read to its first outputs.
    pub fn latency_cycles(machine: &DeepMachine) -> u64 {
        Self::count_cycles(machine) + PlaneSum::LATENCY_CYCLES + Recombination::LATENCY_CYCLES
    }

    /// The arrays of a machine, with their devices at power-on.
    pub fn new(machine: &DeepMachine, devices: &[Vec<Vec<bool>>]) -> Self {
        let (rows, columns, planes) = (machine.tile_rows, machine.tile_columns, machine.plane_lanes);
        let count = Self::count_cycles(machine);
        let (done, leave) = (count + PlaneSum::LATENCY_CYCLES, Self::latency_cycles(machine));
        let counters = columns * planes;
        let lane_bits = machine.output_lanes.trailing_zeros() as usize;
        let word_bits = output_bits(machine) - lane_bits;
        let live_bits = bits_to_hold(columns + machine.output_lanes - 1);
        let address_bits = address_bits(machine);
        let (column_bits, row_word_bits) = (columns.trailing_zeros() as usize, column_words(machine).trailing_zeros());
        let saturation_counter = SaturationCounter::new(counters);
        let mac_counter = MacCounter::new(machine);
        let number = |n: usize| Number::new(n as u64);
        let last = |columns: usize| number(Recombination::emissions(machine, columns.min(machine.weight_bits)) - 1);
        let quantizer = || ColumnQuantizer::of_rows(rows, &machine.conductance, &machine.quantizer);
        let plane_group_bits = bits_to_index(machine.code_bits / planes);
        Self {
            clock: Signal::default(),
            cut: Signal::default(),
            read: Signal::default(),
            tile: Bus::new(tile_bits(machine)),
            live_rows: Bus::new(bits_to_hold(rows)),
            live_outputs: Bus::new(bits_to_hold(columns)),
            plane_group: Bus::new(plane_group_bits),
            first: Signal::default(),
            last: Signal::default(),
            first_output: Bus::new(output_bits(machine)),
            place_in: Bus::new(address_bits),
            square_first_in: Signal::default(),
            square_last_in: Signal::default(),
            final_in: Signal::default(),
            columns: Bus::new(4),
            rows: (0..planes).map(|_| WideBus::new(rows)).collect(),
            valid: Signal::default(),
            lanes: Bus::new(machine.output_lanes),
            sums: (0..machine.output_lanes).map(|_| Bus::new(machine.sum_bits())).collect(),
            word: Bus::new(word_bits),
            place: Bus::new(address_bits),
            square_first: Signal::default(),
            square_last: Signal::default(),
            layer_final: Signal::default(),
            row_pulses: Bus::new(bits_to_hold(planes * rows)),
            saturations: Bus::new(saturation_counter.saturations.bits()),
            macs: Bus::new(mac_counter.macs.bits()),
            link_reads: Signal::default(),
            link_enable: Signal::default(),
            link_offset: Bus::new(16),
            link_word: Bus::new(16),
            link_data: Bus::new(16),
            tile_memory: TileMemory::new(machine, devices),
            spread: Spread::new(machine),
            column: (0..counters).map(|_| ColumnCounter::of_rows(rows)).collect(),
            quantizer: (0..counters).map(|_| quantizer()).collect(),
            row_counter: (0..planes).map(|_| RowCounter::new(rows)).collect(),
            plane_sum: PlaneSum::new(machine),
            recombination: Recombination::new(machine),
            saturation_counter,
            mac_counter,
            tile_line: Delay::new(tile_bits(machine), WindowMemory::LATENCY_CYCLES - TileMemory::LATENCY_CYCLES),
            link_column: Bus::new(column_bits),
            link_row_word: Bus::new(row_word_bits.max(1) as usize),
            read_line: FlagDelay::new(count),
            first_line: FlagDelay::new(count),
            last_line: FlagDelay::new(count),
            plane_group_line: Delay::new(plane_group_bits, count),
            columns_line: Delay::new(4, done),
            odd_line: FlagDelay::new(done),
            group_number: Bus::new(output_bits(machine)),
            group_word: Bus::new(word_bits),
            group_word_line: Delay::new(word_bits, leave),
            place_line: Delay::new(address_bits, leave),
            square_first_line: FlagDelay::new(leave),
            square_last_line: FlagDelay::new(leave),
            final_line: FlagDelay::new(leave),
            held_word: Register::new(word_bits),
            live: Bus::new(live_bits),
            live_line: Delay::new(live_bits, leave),
            held_live: Register::new(live_bits),
            now_live: Bus::new(live_bits),
            held_place: Register::new(address_bits),
            held_first: DFF::default(),
            held_last: DFF::default(),
            held_final: DFF::default(),
            now_word: Bus::new(word_bits),
            now_final: Bus::new(1),
            last_emission: Bus::new(bits_to_index(columns)),
            outputs_before: Bus::new(live_bits),
            present: Bus::new(live_bits),
            lane_bits: number(lane_bits),
            lane_mask: number(machine.output_lanes - 1),
            one: number(1),
            output_lanes: number(machine.output_lanes),
            row_word_bits: number(row_word_bits as usize),
            row_word_mask: number(column_words(machine) - 1),
            column_bits: number(column_bits + row_word_bits as usize),
            column_mask: number(columns - 1),
            group_bits: number((columns / 8).trailing_zeros() as usize),
            last_of_1: last(1),
            last_of_4: last(4),
            last_of_8: last(8),
            modulus: number(1 << 32),
        }
    }
}

impl Logic for Crossbar {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, tile_memory, plane_sum, recombination, saturation_counter, mac_counter, tile_line);
        clock!(self, clock, read_line, first_line, last_line, plane_group_line, columns_line, odd_line);
        clock!(self, clock, live_line, group_word_line, place_line, square_first_line, square_last_line, final_line);
        dff_setup!(self, clock, held_live, held_word, held_place, held_first, held_last, held_final);
        // Devices.
        self.link_row_word.next = self.link_offset.val() & self.row_word_mask.val();
        self.link_column.next = (self.link_offset.val() >> self.row_word_bits.val()) & self.column_mask.val();
        self.tile_line.d.next = self.tile.val();
        self.tile_memory.read_address.next = self.tile_line.q.val();
        if self.link_reads.val() {
            self.tile_memory.read_address.next = self.link_offset.val() >> self.column_bits.val();
        }
        self.tile_memory.read_column.next = self.link_column.val();
        self.tile_memory.read_word.next = self.link_row_word.val();
        self.tile_memory.write_enable.next = self.link_enable.val();
        self.tile_memory.write_tile.next = self.link_offset.val() >> self.column_bits.val();
        self.tile_memory.write_column.next = self.link_column.val();
        self.tile_memory.write_word.next = self.link_row_word.val();
        self.tile_memory.write_data.next = self.link_word.val();
        self.link_data.next = self.tile_memory.read_data.val();
        // Counts, and what they are converted to.
        for i in 0..self.tile_memory.devices.len() {
            self.spread.devices[i].next = self.tile_memory.devices[i].val();
        }
        for i in 0..self.rows.len() {
            self.spread.rows[i].next = self.rows[i].val();
        }
        for i in 0..self.column.len() {
            self.column[i].clock.next = self.clock.val();
            self.column[i].first.next = true;
            self.column[i].devices.next = self.spread.column_devices[i].val();
            self.column[i].rows.next = self.spread.column_rows[i].val();
            self.quantizer[i].count.next = self.column[i].count.val();
            self.plane_sum.codes[i].next = self.quantizer[i].code.val();
            self.saturation_counter.saturated[i].next = self.quantizer[i].saturated.val();
        }
        for i in 0..self.row_counter.len() {
            self.row_counter[i].clock.next = self.clock.val();
            self.row_counter[i].rows.next = self.rows[i].val();
            self.plane_sum.active[i].next = self.row_counter[i].count.val();
        }
        self.read_line.d.next = self.read.val();
        self.first_line.d.next = self.first.val();
        self.last_line.d.next = self.last.val();
        self.plane_group_line.d.next = self.plane_group.val();
        self.saturation_counter.enable.next = self.read_line.q.val();
        self.saturations.next = self.saturation_counter.saturations.val();
        self.plane_sum.valid.next = self.read_line.q.val();
        self.plane_sum.first.next = self.first_line.q.val();
        self.plane_sum.last.next = self.last_line.q.val();
        self.plane_sum.plane_group.next = self.plane_group_line.q.val();
        self.row_pulses.next = self.plane_sum.pulses.val();
        self.mac_counter.enable.next = self.read.val() & (self.plane_group.val() == 0);
        self.mac_counter.rows.next = self.live_rows.val();
        self.mac_counter.outputs.next = self.live_outputs.val();
        self.macs.next = self.mac_counter.macs.val();
        // Outputs of a group, with what came with its last read.
        self.recombination.take.next = self.plane_sum.done.val() & !self.cut.val();
        for i in 0..self.plane_sum.sums.len() {
            self.recombination.column_sums[i].next = self.plane_sum.sums[i].val();
        }
        self.recombination.active_sum.next = self.plane_sum.active_sum.val();
        self.columns_line.d.next = self.columns.val();
        self.recombination.columns.next = self.columns_line.q.val();
        // Bit 0 of the number of a group of eight columns, the only ones that share a word.
        self.group_number.next = self.first_output.val() >> self.group_bits.val();
        self.odd_line.d.next = self.group_number.val().get_bit(0);
        self.recombination.group_low.next = self.odd_line.q.val() & (self.columns_line.q.val() == 8);
        self.group_word.next = self.first_output.val() >> self.lane_bits.val();
        self.group_word_line.d.next = self.group_word.val();
        // Outputs up to the group's last, from the beginning of its first word.
        self.live.next = (self.first_output.val() & self.lane_mask.val()) + self.live_outputs.val();
        self.live_line.d.next = self.live.val();
        self.place_line.d.next = self.place_in.val();
        self.square_first_line.d.next = self.square_first_in.val();
        self.square_last_line.d.next = self.square_last_in.val();
        self.final_line.d.next = self.final_in.val();
        self.last_emission.next = self.last_of_4.val();
        if self.columns.val() == 1 {
            self.last_emission.next = self.last_of_1.val();
        }
        if self.columns.val() == 8 {
            self.last_emission.next = self.last_of_8.val();
        }
        self.now_word.next = self.held_word.q.val();
        self.now_live.next = self.held_live.q.val();
        self.place.next = self.held_place.q.val();
        self.square_first.next = self.held_first.q.val();
        self.square_last.next = self.held_last.q.val();
        self.now_final.next = 0;
        if self.held_final.q.val() {
            self.now_final.next = 1;
        }
        if self.recombination.emission.val() == 0 {
            self.now_word.next = self.group_word_line.q.val();
            self.now_live.next = self.live_line.q.val();
            self.place.next = self.place_line.q.val();
            self.square_first.next = self.square_first_line.q.val();
            self.square_last.next = self.square_last_line.q.val();
            self.now_final.next = 0;
            if self.final_line.q.val() {
                self.now_final.next = 1;
            }
        }
        if self.recombination.valid.val() & (self.recombination.emission.val() == 0) {
            self.held_word.d.next = self.group_word_line.q.val();
            self.held_live.d.next = self.live_line.q.val();
            self.held_place.d.next = self.place_line.q.val();
            self.held_first.d.next = self.square_first_line.q.val();
            self.held_last.d.next = self.square_last_line.q.val();
            self.held_final.d.next = self.final_line.q.val();
        }
        self.valid.next = self.recombination.valid.val();
        self.word.next = self.now_word.val() + self.recombination.emission.val();
        self.layer_final.next =
            self.now_final.val().any() & (self.recombination.emission.val() == self.last_emission.val());
        for i in 0..self.sums.len() {
            self.sums[i].next = self.recombination.sums[i].val();
        }
        // Lanes beyond the layer's last output are left out.
        self.outputs_before.next = self.recombination.emission.val() << self.lane_bits.val();
        self.present.next = self.output_lanes.val();
        if self.outputs_before.val() >= self.now_live.val() {
            self.present.next = 0;
        } else if (self.outputs_before.val() + self.output_lanes.val()) > self.now_live.val() {
            self.present.next = self.now_live.val() + self.modulus.val() - self.outputs_before.val();
        }
        self.lanes.next = self.recombination.lane_valid.val()
            & ((self.one.val() << self.present.val()) + self.modulus.val() - self.one.val());
    }
}

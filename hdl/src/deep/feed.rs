//! From a layer's windows to the rows that its tiles drive.

use super::code_memory::CodeMemory;
use super::code_rotator::CodeRotator;
use super::gatherer::Gatherer;
use super::program_control::fault;
use super::window_memory::WindowMemory;
use super::window_walk::WindowWalk;
use super::write_select::WriteSelect;
use super::{address_bits, step_bits};
use crate::bus::{BitAccess, Bus, Number, ROW_WORDS, WideBus};
use crate::delay::{Delay, FlagDelay};
use crate::register::Register;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// Keeps codes and images, gathers windows from them, and shows which row groups of the window being read are there.
///
/// **Function** [`WindowWalk`], [`Gatherer`], [`CodeMemory`], [`WindowMemory`]: a chunk's codes leave the memory a clock after its
/// address, are turned to their places, and lie in the window memory two clocks after that; `ready` counts them from then on.
/// **Ports** `layer_start`, `move_start` with the fields that were set up; `image_base`: address of the image. `released`: the
/// window read from `half` is done with. `store_*`: codes that the thresholds made. `link_*`: two codes, while nothing runs;
/// `link_codes` is what lies at `link_address` two clocks later. `read_*`: row group, planes and rows that a tile is to drive; `rows` has
/// them [`WindowMemory::LATENCY_CYCLES`] later. `faults`: kinds of fault, as they are found.
/// **State** idle at power-on, every code 0.
#[derive(LogicBlock, Clone, Debug)]
pub struct Feed {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Begin a layer.
    pub layer_start: Signal<In, Bit>,
    /// The layer is one window.
    pub single: Signal<In, Bit>,
    /// Begin a move.
    pub move_start: Signal<In, Bit>,
    /// It fills.
    pub fills: Signal<In, Bit>,
    /// A move's last codes are stored.
    pub move_done: Signal<Out, Bit>,
    /// Drop what is under way.
    pub cut: Signal<In, Bit>,
    /// Address of the image.
    pub image_base: Bus<In>,
    /// Address of the first window's first code.
    pub base: Bus<In>,
    /// It counts from the image.
    pub of_image: Bus<In>,
    /// Codes from segment to segment.
    pub pitch: Bus<In>,
    /// Segments of a window.
    pub segments: Bus<In>,
    /// Codes of a segment.
    pub codes: Bus<In>,
    /// Codes to the window on the right.
    pub step_x: Bus<In>,
    /// Codes to the window below.
    pub step_y: Bus<In>,
    /// Code of the bias row.
    pub bias: Bus<In>,
    /// Side of a square.
    pub size: Bus<In>,
    /// Codes to the square on the right.
    pub pool_step_x: Bus<In>,
    /// Codes to the square below.
    pub pool_step_y: Bus<In>,
    /// Squares a row.
    pub wide: Bus<In>,
    /// Rows of squares.
    pub high: Bus<In>,
    /// Address of the first code that is made.
    pub place_base: Bus<In>,
    /// Codes to the pixel on the right.
    pub place_step_x: Bus<In>,
    /// Codes to the pixel below.
    pub place_step_y: Bus<In>,
    /// Move: address of the first code.
    pub copy_from: Bus<In>,
    /// It counts from the image.
    pub copy_of_image: Bus<In>,
    /// Where it goes.
    pub copy_to: Bus<In>,
    /// Codes.
    pub copy_codes: Bus<In>,
    /// Fill: where codes go.
    pub fill_to: Bus<In>,
    /// Codes.
    pub fill_codes: Bus<In>,
    /// What they become.
    pub fill_value: Bus<In>,
    /// The window read is done with.
    pub released: Signal<In, Bit>,
    /// Which of the two windows is read.
    pub half: Signal<In, Bit>,
    /// Row groups of it that may be read.
    pub ready: Bus<Out>,
    /// Row group in which a window ends.
    pub group_end: Bus<Out>,
    /// Row at which it ends.
    pub row_end: Bus<Out>,
    /// Where the codes of its square go.
    pub place: Bus<Out>,
    /// It is its square's first.
    pub square_first: Signal<Out, Bit>,
    /// It is its square's last.
    pub square_last: Signal<Out, Bit>,
    /// It is the layer's last.
    pub final_window: Signal<Out, Bit>,
    /// Row group to drive.
    pub read_row_group: Bus<In>,
    /// Its planes.
    pub read_plane_group: Bus<In>,
    /// So many of them.
    pub read_planes: Bus<In>,
    /// So many rows of it.
    pub read_rows: Bus<In>,
    /// What is driven, a bus a plane.
    pub rows: Vec<WideBus<Out, ROW_WORDS>>,
    /// Store codes of the thresholds.
    pub store_enable: Signal<In, Bit>,
    /// From there up.
    pub store_address: Bus<In>,
    /// In these lanes.
    pub store_lanes: Bus<In>,
    /// The codes.
    pub store_codes: Vec<Bus<In>>,
    /// Store two codes of the link.
    pub link_enable: Signal<In, Bit>,
    /// Where the link stores or reads.
    pub link_address: Bus<In>,
    /// Two codes.
    pub link_word: Bus<In>,
    /// The link reads.
    pub link_reads: Signal<In, Bit>,
    /// The two codes there.
    pub link_codes: Bus<Out>,
    /// Kinds of fault.
    pub faults: Bus<Out>,
    walk: WindowWalk,
    gatherer: Gatherer,
    code_memory: CodeMemory,
    rotator: CodeRotator,
    write_select: WriteSelect,
    window_memory: WindowMemory,
    window: Bus<Local>,
    move_base: Bus<Local>,
    amount: Bus<Local>,
    position: Bus<Local>,
    amount_line: Delay,
    window_line: FlagDelay,
    moves_line: FlagDelay,
    constant_line: FlagDelay,
    half_line: FlagDelay,
    ends_line: FlagDelay,
    too_large_line: FlagDelay,
    count_line: Delay,
    position_line: Delay,
    groups_line: Delay,
    rows_line: Delay,
    target_line: Delay,
    was_moving: DFF<Bit>,
    ready_0: Register,
    ready_1: Register,
    group_end_register: Register,
    row_end_register: Register,
    place_0: Register,
    place_1: Register,
    first_0: DFF<Bit>,
    first_1: DFF<Bit>,
    last_0: DFF<Bit>,
    last_1: DFF<Bit>,
    final_0: DFF<Bit>,
    final_1: DFF<Bit>,
    taken_place: Register,
    taken_first: DFF<Bit>,
    taken_last: DFF<Bit>,
    taken_final: DFF<Bit>,
    reading_end: Register,
    moving_end: Register,
    reads_codes: DFF<Bit>,
    moves_codes: DFF<Bit>,
    broken: DFF<Bit>,
    read_limit: Register,
    address_fault: Bus<Local>,
    size_fault: Bus<Local>,
    distance: Register,
    copies: DFF<Bit>,
    codes_end: Number,
    image_codes: Number,
    modulus: Number,
    lane_mask: Number,
    row_bits: Number,
    all_groups: Number,
    fault_address: Number,
    fault_size: Number,
}

impl Feed {
    /// Clocks from a chunk's address to its codes at the window memory.
    const CHUNK_CYCLES: u64 = CodeMemory::LATENCY_CYCLES + CodeRotator::LATENCY_CYCLES;
    /// Clocks from a chunk to the clock in which its row group counts as there.
    pub const READY_CYCLES: u64 = Self::CHUNK_CYCLES + 1;
    /// Clocks from `link_address` to `link_codes`.
    pub const LINK_CYCLES: u64 = Self::CHUNK_CYCLES;

    /// The feed of a machine, with what its code memory holds at power-on.
    pub fn new(machine: &DeepMachine, contents: &[u8]) -> Self {
        let gatherer = Gatherer::new(machine);
        let (address_bits, step_bits) = (address_bits(machine), step_bits(machine));
        let row_bits = bits_to_index(machine.tile_rows);
        let group_bits = gatherer.row_group.bits();
        let memory_bits = bits_to_index(machine.memory_codes());
        let position_bits = bits_to_index(machine.row_groups * machine.tile_rows);
        let lane_bits = bits_to_index(machine.gather_lanes);
        let planes = machine.plane_lanes;
        let number = |n: usize| Number::new(n as u64);
        let chunk = Self::CHUNK_CYCLES;
        Self {
            clock: Signal::default(),
            layer_start: Signal::default(),
            single: Signal::default(),
            move_start: Signal::default(),
            fills: Signal::default(),
            move_done: Signal::default(),
            cut: Signal::default(),
            image_base: Bus::new(address_bits),
            base: Bus::new(step_bits),
            of_image: Bus::new(1),
            pitch: Bus::new(step_bits),
            segments: Bus::new(16),
            codes: Bus::new(16),
            step_x: Bus::new(step_bits),
            step_y: Bus::new(step_bits),
            bias: Bus::new(8),
            size: Bus::new(4),
            pool_step_x: Bus::new(step_bits),
            pool_step_y: Bus::new(step_bits),
            wide: Bus::new(16),
            high: Bus::new(16),
            place_base: Bus::new(step_bits),
            place_step_x: Bus::new(step_bits),
            place_step_y: Bus::new(step_bits),
            copy_from: Bus::new(step_bits),
            copy_of_image: Bus::new(1),
            copy_to: Bus::new(step_bits),
            copy_codes: Bus::new(16),
            fill_to: Bus::new(step_bits),
            fill_codes: Bus::new(16),
            fill_value: Bus::new(8),
            released: Signal::default(),
            half: Signal::default(),
            ready: Bus::new(17),
            group_end: Bus::new(17),
            row_end: Bus::new(row_bits),
            place: Bus::new(address_bits),
            square_first: Signal::default(),
            square_last: Signal::default(),
            final_window: Signal::default(),
            read_row_group: Bus::new(16),
            read_plane_group: Bus::new(bits_to_index(machine.code_bits / planes)),
            read_planes: Bus::new(bits_to_hold(planes)),
            read_rows: Bus::new(bits_to_hold(machine.tile_rows)),
            rows: (0..planes).map(|_| WideBus::new(machine.tile_rows)).collect(),
            store_enable: Signal::default(),
            store_address: Bus::new(address_bits),
            store_lanes: Bus::new(machine.output_lanes),
            store_codes: (0..machine.output_lanes).map(|_| Bus::new(super::THRESHOLD_CODE_BITS)).collect(),
            link_enable: Signal::default(),
            link_address: Bus::new(memory_bits),
            link_word: Bus::new(16),
            link_reads: Signal::default(),
            link_codes: Bus::new(16),
            faults: Bus::new(fault::BITS),
            walk: WindowWalk::new(machine),
            code_memory: CodeMemory::with_contents(machine, contents),
            rotator: CodeRotator::new(machine),
            write_select: WriteSelect::new(machine),
            window_memory: WindowMemory::new(machine),
            window: Bus::new(address_bits),
            move_base: Bus::new(address_bits),
            amount: Bus::new(lane_bits),
            position: Bus::new(position_bits),
            amount_line: Delay::new(lane_bits, CodeMemory::LATENCY_CYCLES),
            window_line: FlagDelay::new(chunk),
            moves_line: FlagDelay::new(chunk),
            constant_line: FlagDelay::new(chunk),
            half_line: FlagDelay::new(chunk),
            ends_line: FlagDelay::new(chunk),
            too_large_line: FlagDelay::new(chunk),
            count_line: Delay::new(gatherer.count.bits(), chunk),
            position_line: Delay::new(position_bits, chunk),
            groups_line: Delay::new(group_bits, chunk),
            rows_line: Delay::new(row_bits, chunk),
            target_line: Delay::new(memory_bits, chunk),
            was_moving: DFF::default(),
            ready_0: Register::new(17),
            ready_1: Register::new(17),
            group_end_register: Register::new(17),
            row_end_register: Register::new(row_bits),
            place_0: Register::new(address_bits),
            place_1: Register::new(address_bits),
            first_0: DFF::default(),
            first_1: DFF::default(),
            last_0: DFF::default(),
            last_1: DFF::default(),
            final_0: DFF::default(),
            final_1: DFF::default(),
            taken_place: Register::new(address_bits),
            taken_first: DFF::default(),
            taken_last: DFF::default(),
            taken_final: DFF::default(),
            reading_end: Register::new(address_bits + 1),
            moving_end: Register::new(address_bits + 1),
            reads_codes: DFF::default(),
            moves_codes: DFF::default(),
            broken: DFF::default(),
            read_limit: Register::new(address_bits),
            address_fault: Bus::new(fault::BITS),
            size_fault: Bus::new(fault::BITS),
            distance: Register::new(step_bits),
            copies: DFF::default(),
            codes_end: number(machine.codes),
            image_codes: number(machine.image_codes),
            modulus: number(1 << 32),
            lane_mask: number(machine.gather_lanes - 1),
            row_bits: number(row_bits),
            all_groups: number((1 << 17) - 1),
            fault_address: Number::new(fault::ADDRESS),
            fault_size: Number::new(fault::SIZE),
            gatherer,
        }
    }
}

impl Logic for Feed {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, walk, gatherer, code_memory, rotator, write_select, window_memory, amount_line);
        clock!(self, clock, window_line, moves_line, constant_line, half_line, ends_line, too_large_line, count_line);
        clock!(self, clock, position_line, groups_line, rows_line, target_line);
        dff_setup!(self, clock, was_moving, ready_0, ready_1, group_end_register, row_end_register, place_0, place_1);
        dff_setup!(self, clock, first_0, first_1, last_0, last_1, final_0, final_1, taken_place, taken_first);
        dff_setup!(
            self,
            clock,
            taken_last,
            taken_final,
            reading_end,
            moving_end,
            reads_codes,
            moves_codes,
            read_limit,
            broken
        );
        dff_setup!(self, clock, distance, copies);
        // The walk.
        self.window.next = self.base.val();
        if self.of_image.val().any() {
            self.window.next = self.image_base.val() + self.base.val();
        }
        self.walk.start.next = self.layer_start.val();
        self.walk.abort.next = self.cut.val();
        self.walk.single.next = self.single.val();
        self.walk.base.next = self.window.val();
        self.walk.step_x.next = self.step_x.val();
        self.walk.step_y.next = self.step_y.val();
        self.walk.size.next = self.size.val();
        self.walk.pool_step_x.next = self.pool_step_x.val();
        self.walk.pool_step_y.next = self.pool_step_y.val();
        self.walk.wide.next = self.wide.val();
        self.walk.high.next = self.high.val();
        self.walk.place_base.next = self.place_base.val();
        self.walk.place_step_x.next = self.place_step_x.val();
        self.walk.place_step_y.next = self.place_step_y.val();
        self.walk.take.next = self.gatherer.walk_take.val();
        // The gatherer.
        self.gatherer.start.next = self.layer_start.val();
        self.gatherer.abort.next = self.cut.val();
        self.gatherer.walk_valid.next = self.walk.valid.val();
        self.gatherer.walk_window.next = self.walk.window.val();
        self.gatherer.segments.next = self.segments.val();
        self.gatherer.codes.next = self.codes.val();
        self.gatherer.pitch.next = self.pitch.val();
        self.gatherer.bias.next = self.bias.val();
        self.gatherer.released.next = self.released.val();
        self.gatherer.move_start.next = self.move_start.val();
        self.gatherer.move_constant.next = self.fills.val();
        self.move_base.next = self.copy_from.val();
        if self.copy_of_image.val().any() {
            self.move_base.next = self.image_base.val() + self.copy_from.val();
        }
        self.gatherer.move_from.next = self.move_base.val();
        self.gatherer.move_to.next = self.copy_to.val();
        self.gatherer.move_codes.next = self.copy_codes.val();
        if self.fills.val() {
            self.gatherer.move_to.next = self.fill_to.val();
            self.gatherer.move_codes.next = self.fill_codes.val();
        }
        self.was_moving.d.next = self.gatherer.moving.val();
        self.move_done.next = self.was_moving.q.val() & !self.gatherer.moving.val();
        // A chunk: memory, rotation, and where it goes.
        self.code_memory.read_address.next = self.gatherer.source.val();
        self.amount.next =
            (self.gatherer.source.val() + self.modulus.val()) - (self.gatherer.row.val() & self.lane_mask.val());
        if self.gatherer.moving.val() {
            self.amount.next = self.gatherer.source.val();
        }
        if self.link_reads.val() {
            self.code_memory.read_address.next = self.link_address.val();
            self.amount.next = self.link_address.val();
        }
        self.amount_line.d.next = self.amount.val();
        self.rotator.codes.next = self.code_memory.codes.val();
        self.rotator.amount.next = self.amount_line.q.val();
        self.write_select.gathered.next = self.rotator.rotated.val();
        self.link_codes.next = self.write_select.link_codes.val();
        self.window_line.d.next = self.gatherer.chunk.val() & !self.gatherer.moving.val();
        self.moves_line.d.next = self.gatherer.moving.val();
        self.constant_line.d.next = self.gatherer.constant.val();
        self.half_line.d.next = self.gatherer.half.val();
        self.ends_line.d.next = self.gatherer.window_ends.val();
        self.too_large_line.d.next = self.gatherer.too_large.val();
        self.count_line.d.next = self.gatherer.count.val();
        self.position.next = (self.gatherer.row_group.val() << self.row_bits.val()) + self.gatherer.row.val();
        self.position_line.d.next = self.position.val();
        self.groups_line.d.next = self.gatherer.groups_end.val();
        self.rows_line.d.next = self.gatherer.rows_end.val();
        self.target_line.d.next = self.gatherer.target.val();
        self.write_select.constant.next = self.constant_line.q.val();
        self.write_select.constant_code.next = self.bias.val();
        if self.moves_line.q.val() {
            self.write_select.constant_code.next = self.fill_value.val();
        }
        self.window_memory.write_enable.next =
            self.window_line.q.val() & !self.too_large_line.q.val() & !self.cut.val();
        self.window_memory.write_window.next = self.half_line.q.val();
        self.window_memory.write_position.next = self.position_line.q.val();
        self.window_memory.write_count.next = self.count_line.q.val();
        self.window_memory.write_codes.next = self.write_select.window_codes.val();
        // What the code memory stores.
        self.write_select.link_enable.next = self.link_enable.val();
        self.write_select.link_address.next = self.link_address.val();
        self.write_select.link_word.next = self.link_word.val();
        self.write_select.move_enable.next = self.moves_line.q.val() & !self.broken.q.val() & !self.cut.val();
        self.write_select.move_address.next = self.target_line.q.val();
        self.write_select.move_count.next = self.count_line.q.val();
        self.write_select.made_enable.next = self.store_enable.val() & !self.cut.val();
        self.write_select.made_address.next = self.store_address.val();
        self.write_select.made_lanes.next = self.store_lanes.val();
        for i in 0..self.store_codes.len() {
            self.write_select.made[i].next = self.store_codes[i].val();
        }
        self.code_memory.write_enable.next = self.write_select.write_enable.val();
        self.code_memory.write_address.next = self.write_select.write_address.val();
        self.code_memory.write_mask.next = self.write_select.write_mask.val();
        self.code_memory.write_codes.next = self.write_select.write_codes.val();
        // Windows: what is known of the one in each half.
        if self.gatherer.walk_take.val() {
            self.taken_place.d.next = self.walk.place.val();
            self.taken_first.d.next = self.walk.first.val();
            self.taken_last.d.next = self.walk.last.val();
            self.taken_final.d.next = self.walk.final_window.val();
        }
        if self.gatherer.window_begins.val() {
            if self.gatherer.half.val() {
                self.place_1.d.next = self.taken_place.q.val();
                self.first_1.d.next = self.taken_first.q.val();
                self.last_1.d.next = self.taken_last.q.val();
                self.final_1.d.next = self.taken_final.q.val();
            } else {
                self.place_0.d.next = self.taken_place.q.val();
                self.first_0.d.next = self.taken_first.q.val();
                self.last_0.d.next = self.taken_last.q.val();
                self.final_0.d.next = self.taken_final.q.val();
            }
        }
        if self.window_line.q.val() {
            if self.half_line.q.val() {
                self.ready_1.d.next = self.groups_line.q.val();
                if self.ends_line.q.val() {
                    self.ready_1.d.next = self.all_groups.val();
                }
            } else {
                self.ready_0.d.next = self.groups_line.q.val();
                if self.ends_line.q.val() {
                    self.ready_0.d.next = self.all_groups.val();
                }
            }
            if self.ends_line.q.val() {
                self.group_end_register.d.next = self.groups_line.q.val();
                self.row_end_register.d.next = self.rows_line.q.val();
            }
        }
        if self.released.val() {
            if self.half.val() {
                self.ready_1.d.next = 0;
            } else {
                self.ready_0.d.next = 0;
            }
        }
        if self.layer_start.val() | self.cut.val() {
            self.ready_0.d.next = 0;
            self.ready_1.d.next = 0;
            self.group_end_register.d.next = self.all_groups.val();
        }
        self.group_end.next = self.group_end_register.q.val();
        self.row_end.next = self.row_end_register.q.val();
        self.ready.next = self.ready_0.q.val();
        self.place.next = self.place_0.q.val();
        self.square_first.next = self.first_0.q.val();
        self.square_last.next = self.last_0.q.val();
        self.final_window.next = self.final_0.q.val();
        if self.half.val() {
            self.ready.next = self.ready_1.q.val();
            self.place.next = self.place_1.q.val();
            self.square_first.next = self.first_1.q.val();
            self.square_last.next = self.last_1.q.val();
            self.final_window.next = self.final_1.q.val();
        }
        self.window_memory.read_window.next = self.half.val();
        self.window_memory.read_row_group.next = self.read_row_group.val();
        self.window_memory.read_plane_group.next = self.read_plane_group.val();
        self.window_memory.read_planes.next = self.read_planes.val();
        self.window_memory.read_rows.next = self.read_rows.val();
        for i in 0..self.rows.len() {
            self.rows[i].next = self.window_memory.rows[i].val();
        }
        // Faults: a chunk that reaches past its memory, a copy onto what it reads.
        if self.layer_start.val() {
            self.read_limit.d.next = self.codes_end.val();
            if self.of_image.val().any() {
                self.read_limit.d.next = self.image_base.val() + self.image_codes.val();
            }
        }
        if self.move_start.val() {
            self.read_limit.d.next = self.codes_end.val();
            if self.copy_of_image.val().any() {
                self.read_limit.d.next = self.image_base.val() + self.image_codes.val();
            }
        }
        self.reads_codes.d.next = self.gatherer.chunk.val() & !self.gatherer.constant.val();
        self.reading_end.d.next = self.gatherer.source.val() + self.gatherer.count.val();
        self.moves_codes.d.next = self.gatherer.moving.val();
        self.moving_end.d.next = self.gatherer.target.val() + self.gatherer.count.val();
        self.distance.d.next = self.copy_from.val() + self.modulus.val() - self.copy_to.val();
        if self.copy_from.val() < self.copy_to.val() {
            self.distance.d.next = self.copy_to.val() + self.modulus.val() - self.copy_from.val();
        }
        self.copies.d.next = self.move_start.val() & !self.fills.val() & !self.copy_of_image.val().any();
        // A move past the end stores no more: the images are there.
        if self.moves_codes.q.val() & (self.moving_end.q.val() > self.codes_end.val()) {
            self.broken.d.next = true;
        }
        if self.move_start.val() {
            self.broken.d.next = false;
        }
        self.address_fault.next = 0;
        if (self.reads_codes.q.val() & (self.reading_end.q.val() > self.read_limit.q.val()))
            | (self.moves_codes.q.val() & (self.moving_end.q.val() > self.codes_end.val()))
            | (self.copies.q.val() & (self.distance.q.val() < self.copy_codes.val()))
        {
            self.address_fault.next = self.fault_address.val();
        }
        self.size_fault.next = 0;
        if self.gatherer.too_large.val() {
            self.size_fault.next = self.fault_size.val();
        }
        self.faults.next = self.address_fault.val() | self.size_fault.val();
    }
}

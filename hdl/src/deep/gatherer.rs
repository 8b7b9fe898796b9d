//! Gathers windows from the code memory.

use crate::bus::{BitAccess, Bus, Number};
use crate::deep::{address_bits, step_bits};
use crate::register::Register;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// Copies windows, segment by segment, a chunk of up to G = `gather_lanes` codes a clock; and moves and fills codes.
///
/// **Function** a window is `segments` runs of `codes` neighbouring codes, `pitch` apart, and after them the bias code, if
/// there is one. They follow each other without gaps over row groups of `tile_rows` rows. Two windows are held: the next one
/// begins when the reader is done with the one before the last.
/// **Ports** `walk_*` from the window walk; `released`: the reader is done with a window. A chunk, while `chunk`: `source`
/// is the address of its first code, `count` its codes, `constant` tells that they are no codes of the memory but
/// `constant_code`; they go to row `row` of row group `row_group` of window `half`, or, while `moving`, to address `target`. `window_begins`
/// and `window_ends` mark a window's first and last chunk, whose `rows_end`, `groups_end` are one past its last code.
/// `move_start`: move `move_codes` codes from `move_from` to `move_to`, or fill with `constant_code` if `move_constant`;
/// `moving` lasts until its last chunk.
/// **Timing** a chunk a clock, the first window's a clock after the walk has it. **State** idle at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct Gatherer {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A layer begins: no window is held.
    pub start: Signal<In, Bit>,
    /// End at once.
    pub abort: Signal<In, Bit>,
    /// There is a window.
    pub walk_valid: Signal<In, Bit>,
    /// Its first address.
    pub walk_window: Bus<In>,
    /// It is taken.
    pub walk_take: Signal<Out, Bit>,
    /// Segments of a window.
    pub segments: Bus<In>,
    /// Codes of a segment.
    pub codes: Bus<In>,
    /// Codes from segment to segment.
    pub pitch: Bus<In>,
    /// Code of the bias row, 0: none.
    pub bias: Bus<In>,
    /// The reader is done with a window.
    pub released: Signal<In, Bit>,
    /// Move or fill.
    pub move_start: Signal<In, Bit>,
    /// Fill.
    pub move_constant: Signal<In, Bit>,
    /// From there.
    pub move_from: Bus<In>,
    /// To there.
    pub move_to: Bus<In>,
    /// So many.
    pub move_codes: Bus<In>,
    /// A move is under way.
    pub moving: Signal<Out, Bit>,
    /// There is a chunk.
    pub chunk: Signal<Out, Bit>,
    /// Address of its first code.
    pub source: Bus<Out>,
    /// Address that a move puts it at.
    pub target: Bus<Out>,
    /// Its codes.
    pub count: Bus<Out>,
    /// They are a constant.
    pub constant: Signal<Out, Bit>,
    /// Which of the two windows.
    pub half: Signal<Out, Bit>,
    /// Row group of its first code.
    pub row_group: Bus<Out>,
    /// Row of its first code.
    pub row: Bus<Out>,
    /// It is a window's first.
    pub window_begins: Signal<Out, Bit>,
    /// It is a window's last.
    pub window_ends: Signal<Out, Bit>,
    /// It lies outside the window memory.
    pub too_large: Signal<Out, Bit>,
    /// Row group after it.
    pub groups_end: Bus<Out>,
    /// Row after it.
    pub rows_end: Bus<Out>,
    gathering: DFF<Bit>,
    at_begin: DFF<Bit>,
    at_bias: DFF<Bit>,
    is_moving: DFF<Bit>,
    half_register: DFF<Bit>,
    held: Register,
    segment: Register,
    current: Register,
    left: Register,
    segments_left: Register,
    row_group_register: Register,
    row_register: Register,
    target_register: Register,
    going: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    segment_ends: Signal<Local, Bit>,
    taking: Signal<Local, Bit>,
    row_after: Bus<Local>,
    lanes: Number,
    less_lanes: Number,
    less_one: Number,
    row_groups: Number,
    tile_rows: Number,
}

impl Gatherer {
    /// The gatherer of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let count_bits = bits_to_hold(machine.gather_lanes);
        let (address_bits, step_bits) = (address_bits(machine), step_bits(machine));
        let row_bits = bits_to_index(machine.tile_rows);
        // A window may begin in the last row group that exists, and end after it: seen as a fault.
        let group_bits = bits_to_hold(machine.row_groups) + 1;
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            abort: Signal::default(),
            walk_valid: Signal::default(),
            walk_window: Bus::new(address_bits),
            walk_take: Signal::default(),
            segments: Bus::new(16),
            codes: Bus::new(16),
            pitch: Bus::new(step_bits),
            bias: Bus::new(8),
            released: Signal::default(),
            move_start: Signal::default(),
            move_constant: Signal::default(),
            move_from: Bus::new(address_bits),
            move_to: Bus::new(step_bits),
            move_codes: Bus::new(16),
            moving: Signal::default(),
            chunk: Signal::default(),
            source: Bus::new(address_bits),
            target: Bus::new(address_bits),
            count: Bus::new(count_bits),
            constant: Signal::default(),
            half: Signal::default(),
            row_group: Bus::new(group_bits),
            row: Bus::new(row_bits),
            window_begins: Signal::default(),
            window_ends: Signal::default(),
            too_large: Signal::default(),
            groups_end: Bus::new(group_bits),
            rows_end: Bus::new(row_bits),
            gathering: DFF::default(),
            at_begin: DFF::default(),
            at_bias: DFF::default(),
            is_moving: DFF::default(),
            half_register: DFF::default(),
            held: Register::new(2),
            segment: Register::new(address_bits),
            current: Register::new(address_bits),
            left: Register::new(16),
            segments_left: Register::new(16),
            row_group_register: Register::new(group_bits),
            row_register: Register::new(row_bits),
            target_register: Register::new(address_bits),
            going: Signal::default(),
            ends: Signal::default(),
            segment_ends: Signal::default(),
            taking: Signal::default(),
            row_after: Bus::new(row_bits + 1),
            lanes: Number::new(machine.gather_lanes as u64),
            less_lanes: Number::new((1 << 16) - machine.gather_lanes as u64),
            less_one: Number::new(0xFFFF),
            row_groups: Number::new(machine.row_groups as u64),
            tile_rows: Number::new(machine.tile_rows as u64),
        }
    }
}

impl Logic for Gatherer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, gathering, at_begin, at_bias, is_moving, half_register, held, segment, current, left);
        dff_setup!(self, clock, segments_left, row_group_register, row_register, target_register);
        self.source.next = self.current.q.val();
        self.target.next = self.target_register.q.val();
        self.row_group.next = self.row_group_register.q.val();
        self.row.next = self.row_register.q.val();
        self.half.next = self.half_register.q.val();
        self.moving.next = self.is_moving.q.val();
        self.constant.next =
            (self.gathering.q.val() & self.at_bias.q.val()) | (self.is_moving.q.val() & self.move_constant.val());
        self.segment_ends.next = self.left.q.val() <= self.lanes.val();
        self.count.next = self.lanes.val();
        if self.segment_ends.val() {
            self.count.next = self.left.q.val();
        }
        // A window waits until one of the two halves is free.
        self.going.next = self.gathering.q.val() & !(self.at_begin.q.val() & self.held.q.val().get_bit(1));
        self.chunk.next = self.going.val() | self.is_moving.q.val();
        self.ends.next = self.at_bias.q.val()
            | (self.segment_ends.val() & (self.segments_left.q.val() == 1) & !self.bias.val().any());
        self.window_begins.next = self.going.val() & self.at_begin.q.val();
        self.window_ends.next = self.going.val() & self.ends.val();
        self.row_after.next = self.row_register.q.val() + self.count.val();
        self.rows_end.next = self.row_after.val();
        self.groups_end.next = self.row_group_register.q.val();
        if self.row_after.val() >= self.tile_rows.val() {
            self.rows_end.next = self.row_after.val() - self.tile_rows.val();
            self.groups_end.next = self.row_group_register.q.val() + 1;
        }
        self.too_large.next = self.going.val()
            & ((self.row_group_register.q.val() >= self.row_groups.val())
                | ((self.groups_end.val() >= self.row_groups.val()) & self.rows_end.val().any()));
        if self.going.val() {
            self.at_begin.d.next = false;
            self.row_register.d.next = self.rows_end.val();
            self.row_group_register.d.next = self.groups_end.val();
            self.current.d.next = self.current.q.val() + self.lanes.val();
            if self.segment_ends.val() {
                self.segment.d.next = self.segment.q.val() + self.pitch.val();
                self.current.d.next = self.segment.q.val() + self.pitch.val();
                self.left.d.next = self.codes.val();
                self.segments_left.d.next = self.segments_left.q.val() + self.less_one.val();
                if (self.segments_left.q.val() == 1) & self.bias.val().any() {
                    self.at_bias.d.next = true;
                    self.left.d.next = 1;
                }
            } else {
                self.left.d.next = self.left.q.val() + self.less_lanes.val();
            }
            if self.ends.val() {
                self.gathering.d.next = false;
                self.half_register.d.next = !self.half_register.q.val();
            }
        }
        if self.is_moving.q.val() {
            self.current.d.next = self.current.q.val() + self.lanes.val();
            self.target_register.d.next = self.target_register.q.val() + self.lanes.val();
            if self.segment_ends.val() {
                self.is_moving.d.next = false;
            } else {
                self.left.d.next = self.left.q.val() + self.less_lanes.val();
            }
        }
        // The walk's next window is taken with the last chunk of the one before.
        self.taking.next = self.walk_valid.val() & (!self.gathering.q.val() | (self.going.val() & self.ends.val()));
        self.walk_take.next = self.taking.val();
        if self.taking.val() {
            self.gathering.d.next = true;
            self.at_begin.d.next = true;
            self.at_bias.d.next = false;
            self.segment.d.next = self.walk_window.val();
            self.current.d.next = self.walk_window.val();
            self.left.d.next = self.codes.val();
            self.segments_left.d.next = self.segments.val();
            self.row_group_register.d.next = 0;
            self.row_register.d.next = 0;
        }
        if self.going.val() & self.at_begin.q.val() & !self.released.val() {
            self.held.d.next = self.held.q.val() + 1;
        }
        if self.released.val() & !(self.going.val() & self.at_begin.q.val()) {
            self.held.d.next = self.held.q.val() + 3;
        }
        if self.move_start.val() {
            self.is_moving.d.next = true;
            self.current.d.next = self.move_from.val();
            self.target_register.d.next = self.move_to.val();
            self.left.d.next = self.move_codes.val();
        }
        if self.start.val() | self.abort.val() {
            self.gathering.d.next = false;
            self.at_bias.d.next = false;
            self.is_moving.d.next = false;
            self.half_register.d.next = false;
            self.held.d.next = 0;
        }
    }
}

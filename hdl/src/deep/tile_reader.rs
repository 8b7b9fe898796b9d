//! Reads the tiles of a layer.

use crate::bus::{Bus, Number};
use crate::deep::{output_bits, tile_bits};
use crate::register::Register;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// Reads, for each window, every output group, row group and plane group, one tile a clock.
///
/// **Function** a row group is read when all its codes lie in the window memory. The reads of an output group end no earlier than
/// its outputs can leave the array: `emissions` clocks after those of the group before.
/// **Ports** `start` with what the layer sets up; `ready`: row groups that lie in the window memory, of the window in the half
/// `half`; `group_end`, `row_end`: one past the last code of a window, all ones and anything until that is known. While `read`:
/// `tile`, `row_group`, `plane_group` to read, `planes` and `rows` to drive; `first` and `last` begin and end an output
/// group, whose first output is `first_output`; `final_group`: it is the window's last. `released`: the window is read.
/// `final_window` (in): the window is the layer's last. `short`: the layer has more outputs than its tiles.
/// **Timing** the first read comes with the first `ready`. **State** idle at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct TileReader {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Begin a layer.
    pub start: Signal<In, Bit>,
    /// End at once.
    pub abort: Signal<In, Bit>,
    /// First tile.
    pub first_tile: Bus<In>,
    /// Tiles under each other.
    pub row_groups: Bus<In>,
    /// Tiles side by side.
    pub output_groups: Bus<In>,
    /// Outputs of the layer.
    pub outputs: Bus<In>,
    /// Columns of an output.
    pub columns: Bus<In>,
    /// Planes of a code.
    pub layer_planes: Bus<In>,
    /// Row groups that may be read.
    pub ready: Bus<In>,
    /// The window is the layer's last.
    pub final_window: Signal<In, Bit>,
    /// Row group that holds the window's end.
    pub group_end: Bus<In>,
    /// Row of the window's end.
    pub row_end: Bus<In>,
    /// Which of the two windows.
    pub half: Signal<Out, Bit>,
    /// Read.
    pub read: Signal<Out, Bit>,
    /// Tile.
    pub tile: Bus<Out>,
    /// Row group.
    pub row_group: Bus<Out>,
    /// Plane group.
    pub plane_group: Bus<Out>,
    /// Planes to drive.
    pub planes: Bus<Out>,
    /// Rows to drive.
    pub rows: Bus<Out>,
    /// It is the output group's first read.
    pub first: Signal<Out, Bit>,
    /// It is the output group's last read.
    pub last: Signal<Out, Bit>,
    /// The output group is the window's last.
    pub final_group: Signal<Out, Bit>,
    /// First output of the output group.
    pub first_output: Bus<Out>,
    /// Outputs of the layer from there on, as many as a tile has at most.
    pub live_outputs: Bus<Out>,
    /// The window is read.
    pub released: Signal<Out, Bit>,
    /// The tiles hold fewer outputs than the layer has.
    pub short: Signal<Out, Bit>,
    reading: DFF<Bit>,
    half_register: DFF<Bit>,
    tile_register: Register,
    row_group_register: Register,
    groups_left: Register,
    planes_left: Register,
    plane_group_register: Register,
    output_register: Register,
    outputs_left: Register,
    spacing: Register,
    tile_outputs: Bus<Local>,
    emissions: Bus<Local>,
    planes_end: Signal<Local, Bit>,
    rows_last: Signal<Local, Bit>,
    group_last: Signal<Local, Bit>,
    going: Signal<Local, Bit>,
    lanes: Number,
    less_lanes: Number,
    less_one: Number,
    all_rows: Number,
    all_groups: Number,
    outputs_of_1: Number,
    outputs_of_4: Number,
    outputs_of_8: Number,
    emissions_of_1: Number,
    emissions_of_4: Number,
    emissions_of_8: Number,
}

impl TileReader {
    /// The reader of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let outputs = |columns: usize| machine.tile_outputs(columns.min(machine.weight_bits));
        let emissions = |columns: usize| outputs(columns).div_ceil(machine.output_lanes);
        let number = |n: usize| Number::new(n as u64);
        let (tile_bits, output_bits) = (tile_bits(machine), output_bits(machine));
        let plane_groups = machine.plane_groups(machine.code_bits);
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            abort: Signal::default(),
            first_tile: Bus::new(tile_bits),
            row_groups: Bus::new(16),
            output_groups: Bus::new(16),
            outputs: Bus::new(16),
            columns: Bus::new(4),
            layer_planes: Bus::new(4),
            ready: Bus::new(17),
            final_window: Signal::default(),
            group_end: Bus::new(17),
            row_end: Bus::new(bits_to_index(machine.tile_rows)),
            half: Signal::default(),
            read: Signal::default(),
            tile: Bus::new(tile_bits),
            row_group: Bus::new(16),
            plane_group: Bus::new(bits_to_index(plane_groups)),
            planes: Bus::new(bits_to_hold(machine.plane_lanes)),
            rows: Bus::new(bits_to_hold(machine.tile_rows)),
            first: Signal::default(),
            last: Signal::default(),
            final_group: Signal::default(),
            first_output: Bus::new(output_bits),
            live_outputs: Bus::new(bits_to_hold(machine.tile_columns)),
            released: Signal::default(),
            short: Signal::default(),
            reading: DFF::default(),
            half_register: DFF::default(),
            tile_register: Register::new(tile_bits),
            row_group_register: Register::new(16),
            groups_left: Register::new(16),
            planes_left: Register::new(4),
            plane_group_register: Register::new(bits_to_index(plane_groups)),
            output_register: Register::new(output_bits),
            outputs_left: Register::new(16),
            spacing: Register::new(bits_to_hold(emissions(1))),
            tile_outputs: Bus::new(bits_to_hold(machine.tile_columns)),
            emissions: Bus::new(bits_to_hold(emissions(1))),
            planes_end: Signal::default(),
            rows_last: Signal::default(),
            group_last: Signal::default(),
            going: Signal::default(),
            lanes: number(machine.plane_lanes),
            less_lanes: number(16 - machine.plane_lanes),
            less_one: number(0xFFFF),
            all_rows: number(machine.tile_rows),
            all_groups: number((1 << 17) - 1),
            outputs_of_1: number(outputs(1)),
            outputs_of_4: number(outputs(4)),
            outputs_of_8: number(outputs(8)),
            emissions_of_1: number(emissions(1)),
            emissions_of_4: number(emissions(4)),
            emissions_of_8: number(emissions(8)),
        }
    }
}

impl Logic for TileReader {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, reading, half_register, tile_register, row_group_register, groups_left, planes_left);
        dff_setup!(self, clock, plane_group_register, output_register, outputs_left, spacing);
        self.tile_outputs.next = self.outputs_of_4.val();
        self.emissions.next = self.emissions_of_4.val();
        if self.columns.val() == 1 {
            self.tile_outputs.next = self.outputs_of_1.val();
            self.emissions.next = self.emissions_of_1.val();
        }
        if self.columns.val() == 8 {
            self.tile_outputs.next = self.outputs_of_8.val();
            self.emissions.next = self.emissions_of_8.val();
        }
        self.half.next = self.half_register.q.val();
        self.tile.next = self.tile_register.q.val();
        self.row_group.next = self.row_group_register.q.val();
        self.plane_group.next = self.plane_group_register.q.val();
        self.first_output.next = self.output_register.q.val();
        self.live_outputs.next = self.tile_outputs.val();
        if self.outputs_left.q.val() < self.tile_outputs.val() {
            self.live_outputs.next = self.outputs_left.q.val();
        }
        self.planes_end.next = self.planes_left.q.val() <= self.lanes.val();
        self.planes.next = self.lanes.val();
        if self.planes_left.q.val() <= self.lanes.val() {
            self.planes.next = self.planes_left.q.val();
        }
        self.rows.next = 0;
        if self.row_group_register.q.val() < self.group_end.val() {
            self.rows.next = self.all_rows.val();
        }
        if self.row_group_register.q.val() == self.group_end.val() {
            self.rows.next = self.row_end.val();
        }
        self.rows_last.next = (self.row_group_register.q.val() + 1) == self.row_groups.val();
        self.group_last.next = self.groups_left.q.val() == 1;
        self.first.next = (self.row_group_register.q.val() == 0) & (self.plane_group_register.q.val() == 0);
        self.last.next = self.rows_last.val() & self.planes_end.val();
        self.final_group.next = self.group_last.val();
        // A window's last read waits for its last code, also where the tiles leave rows of it out.
        self.going.next = self.reading.q.val()
            & (self.row_group_register.q.val() < self.ready.val())
            & !(self.rows_last.val()
                & self.planes_end.val()
                & self.group_last.val()
                & (self.ready.val() != self.all_groups.val()))
            & !(self.rows_last.val() & self.planes_end.val() & (self.spacing.q.val() > 1));
        self.read.next = self.going.val();
        self.released.next = self.going.val() & self.rows_last.val() & self.planes_end.val() & self.group_last.val();
        self.short.next = self.going.val()
            & self.rows_last.val()
            & self.planes_end.val()
            & self.group_last.val()
            & (self.outputs_left.q.val() > self.tile_outputs.val());
        if self.spacing.q.val() > 1 {
            self.spacing.d.next = self.spacing.q.val() + self.less_one.val();
        }
        if self.going.val() {
            self.plane_group_register.d.next = self.plane_group_register.q.val() + 1;
            self.planes_left.d.next = self.planes_left.q.val() + self.less_lanes.val();
            if self.planes_end.val() {
                self.plane_group_register.d.next = 0;
                self.planes_left.d.next = self.layer_planes.val();
                self.row_group_register.d.next = self.row_group_register.q.val() + 1;
                self.tile_register.d.next = self.tile_register.q.val() + 1;
                if self.rows_last.val() {
                    self.row_group_register.d.next = 0;
                    self.spacing.d.next = self.emissions.val();
                    self.groups_left.d.next = self.groups_left.q.val() + self.less_one.val();
                    self.output_register.d.next = self.output_register.q.val() + self.tile_outputs.val();
                    self.outputs_left.d.next = 0;
                    if self.outputs_left.q.val() > self.tile_outputs.val() {
                        self.outputs_left.d.next = self.outputs_left.q.val() - self.tile_outputs.val();
                    }
                    if self.group_last.val() {
                        self.groups_left.d.next = self.output_groups.val();
                        self.tile_register.d.next = self.first_tile.val();
                        self.output_register.d.next = 0;
                        self.outputs_left.d.next = self.outputs.val();
                        self.half_register.d.next = !self.half_register.q.val();
                        if self.final_window.val() {
                            self.reading.d.next = false;
                        }
                    }
                }
            }
        }
        if self.start.val() {
            self.reading.d.next = true;
            self.half_register.d.next = false;
            self.tile_register.d.next = self.first_tile.val();
            self.row_group_register.d.next = 0;
            self.plane_group_register.d.next = 0;
            self.planes_left.d.next = self.layer_planes.val();
            self.groups_left.d.next = self.output_groups.val();
            self.output_register.d.next = 0;
            self.outputs_left.d.next = self.outputs.val();
        }
        if self.abort.val() {
            self.reading.d.next = false;
        }
    }
}

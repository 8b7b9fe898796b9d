//! Walks through the images of a run.

use crate::bus::{Bus, Number};
use crate::pulse_counter::pulse_groups;
use crate::register::Register;
use bitline_golden::machine::{Machine, bits_to_hold, bits_to_index};
use bitline_golden::timing::pipeline_cycles;
use rust_hdl::prelude::*;

/// Makes one step a clock: which devices to read, which rows and planes to drive, and what the step begins or ends.
///
/// **Function** for each image, for each output group, for each subgroup of an output's columns, for each plane
/// group, for each row group: one step. The array address runs through row groups, and back for every plane group.
/// **Ports** `start` with `first_slot` and `image_count`: begins a run, if none is under way. `finished`: an image's
/// verdict is stored. `abort`: no further step. `aborted`: what the pipeline still holds is an aborted run's. All
/// others out, belonging to the step of this clock while `step` is set.
/// **Timing** the first step is in the clock after `start`; `running` lasts until the clock after the last
/// `finished`, and of an aborted run until the pipeline is empty, [`pipeline_cycles`] after its last step; a run of no
/// images takes one clock.
/// **State** idle at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct Sequencer {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Begin a run.
    pub start: Signal<In, Bit>,
    /// Make no further step.
    pub abort: Signal<In, Bit>,
    /// An image's verdict is stored.
    pub finished: Signal<In, Bit>,
    /// Slot of the first image.
    pub first_slot: Bus<In>,
    /// Images of the run.
    pub image_count: Bus<In>,
    /// A run is under way.
    pub running: Signal<Out, Bit>,
    /// What the pipeline still holds is an aborted run's.
    pub aborted: Signal<Out, Bit>,
    /// There is a step.
    pub step: Signal<Out, Bit>,
    /// The step is an image's first: its slot is to be read.
    pub slot_read: Signal<Out, Bit>,
    /// The image's slot.
    pub slot: Bus<Out>,
    /// Address of the devices.
    pub address: Bus<Out>,
    /// Row group.
    pub row_group: Bus<Out>,
    /// Plane group.
    pub plane_group: Bus<Out>,
    /// Which columns of the outputs.
    pub subgroup: Bus<Out>,
    /// The row group is the first.
    pub row_first: Signal<Out, Bit>,
    /// The row group is the last: the columns' counts are whole.
    pub row_last: Signal<Out, Bit>,
    /// The planes and columns are the outputs' first.
    pub output_first: Signal<Out, Bit>,
    /// The planes and columns are the outputs' last.
    pub output_last: Signal<Out, Bit>,
    /// Lanes whose row pulses are to be counted.
    pub pulse_group: Bus<Out>,
    /// They are to be counted.
    pub pulse_enable: Signal<Out, Bit>,
    is_running: DFF<Bit>,
    issuing: DFF<Bit>,
    at_image_start: DFF<Bit>,
    pulses_left: DFF<Bit>,
    slot_register: Register,
    images_left: Register,
    under_way: Register,
    is_aborted: DFF<Bit>,
    address_register: Register,
    base_address: Register,
    row_group_register: Register,
    plane_group_register: Register,
    subgroup_register: Register,
    output_group_register: Register,
    pulse_group_register: Register,
    last_row_group: Number,
    last_plane_group: Number,
    last_subgroup: Number,
    last_output_group: Number,
    last_pulse_group: Number,
    all_clocks: Number,
    at_image_end: Signal<Local, Bit>,
    last_step: Signal<Local, Bit>,
}

impl Sequencer {
    /// Clocks from `start` to the first step.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The sequencer of a machine.
    pub fn new(machine: &Machine) -> Self {
        let (row_groups, plane_groups) = (machine.row_groups(), machine.plane_groups());
        let subgroups = (machine.weight_bits / machine.column_lanes).max(1);
        let output_groups = machine.outputs.div_ceil(machine.output_lanes());
        let pulses = pulse_groups(machine);
        let (slot_bits, count_bits) = (bits_to_index(machine.slots), bits_to_hold(machine.slots));
        let address_bits = bits_to_index(row_groups * machine.column_groups());
        // Of the pipeline's clocks one is that in which the end is seen.
        let drain_clocks = pipeline_cycles(machine) as usize - 1;
        let bus = |groups: usize| Bus::new(bits_to_index(groups));
        let register = |groups: usize| Register::new(bits_to_index(groups));
        let last = |groups: usize| Number::new(groups as u64 - 1);
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            abort: Signal::default(),
            finished: Signal::default(),
            first_slot: Bus::new(slot_bits),
            image_count: Bus::new(count_bits),
            running: Signal::default(),
            aborted: Signal::default(),
            step: Signal::default(),
            slot_read: Signal::default(),
            slot: Bus::new(slot_bits),
            address: Bus::new(address_bits),
            row_group: bus(row_groups),
            plane_group: bus(plane_groups),
            subgroup: bus(subgroups),
            row_first: Signal::default(),
            row_last: Signal::default(),
            output_first: Signal::default(),
            output_last: Signal::default(),
            pulse_group: bus(pulses),
            pulse_enable: Signal::default(),
            is_running: DFF::default(),
            issuing: DFF::default(),
            at_image_start: DFF::default(),
            pulses_left: DFF::default(),
            slot_register: Register::new(slot_bits),
            images_left: Register::new(count_bits),
            under_way: Register::new(drain_clocks),
            is_aborted: DFF::default(),
            address_register: Register::new(address_bits),
            base_address: Register::new(address_bits),
            row_group_register: register(row_groups),
            plane_group_register: register(plane_groups),
            subgroup_register: register(subgroups),
            output_group_register: register(output_groups),
            pulse_group_register: register(pulses),
            last_row_group: last(row_groups),
            last_plane_group: last(plane_groups),
            last_subgroup: last(subgroups),
            last_output_group: last(output_groups),
            last_pulse_group: last(pulses),
            all_clocks: Number::new(u64::MAX >> (64 - drain_clocks)),
            at_image_end: Signal::default(),
            last_step: Signal::default(),
        }
    }
}

impl Logic for Sequencer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, is_running, issuing, is_aborted, at_image_start, pulses_left);
        dff_setup!(self, clock, slot_register, images_left, under_way, address_register, base_address);
        dff_setup!(self, clock, row_group_register, plane_group_register, subgroup_register);
        dff_setup!(self, clock, output_group_register, pulse_group_register);
        self.running.next = self.is_running.q.val();
        self.aborted.next = self.is_aborted.q.val();
        self.step.next = self.issuing.q.val();
        self.slot_read.next = self.issuing.q.val() & self.at_image_start.q.val();
        self.slot.next = self.slot_register.q.val();
        self.address.next = self.address_register.q.val();
        self.row_group.next = self.row_group_register.q.val();
        self.plane_group.next = self.plane_group_register.q.val();
        self.subgroup.next = self.subgroup_register.q.val();
        self.pulse_group.next = self.pulse_group_register.q.val();
        self.pulse_enable.next = self.issuing.q.val() & self.pulses_left.q.val();
        self.row_first.next = self.row_group_register.q.val() == 0;
        self.row_last.next = self.row_group_register.q.val() == self.last_row_group.val();
        self.output_first.next = (self.plane_group_register.q.val() == 0) & (self.subgroup_register.q.val() == 0);
        self.output_last.next = (self.plane_group_register.q.val() == self.last_plane_group.val())
            & (self.subgroup_register.q.val() == self.last_subgroup.val());
        self.at_image_end.next = (self.row_group_register.q.val() == self.last_row_group.val())
            & (self.plane_group_register.q.val() == self.last_plane_group.val())
            & (self.subgroup_register.q.val() == self.last_subgroup.val())
            & (self.output_group_register.q.val() == self.last_output_group.val());
        self.last_step.next = self.issuing.q.val() & self.at_image_end.val();
        if self.issuing.q.val() {
            self.at_image_start.d.next = self.at_image_end.val();
            self.address_register.d.next = self.address_register.q.val() + 1;
            self.row_group_register.d.next = self.row_group_register.q.val() + 1;
            if self.row_group_register.q.val() == self.last_row_group.val() {
                self.row_group_register.d.next = 0;
                if self.plane_group_register.q.val() == self.last_plane_group.val() {
                    self.plane_group_register.d.next = 0;
                    self.base_address.d.next = self.address_register.q.val() + 1;
                    self.subgroup_register.d.next = self.subgroup_register.q.val() + 1;
                    if self.subgroup_register.q.val() == self.last_subgroup.val() {
                        self.subgroup_register.d.next = 0;
                        self.output_group_register.d.next = self.output_group_register.q.val() + 1;
                    }
                } else {
                    self.plane_group_register.d.next = self.plane_group_register.q.val() + 1;
                    self.address_register.d.next = self.base_address.q.val();
                }
            }
            self.pulse_group_register.d.next = self.pulse_group_register.q.val() + 1;
            if self.pulse_group_register.q.val() == self.last_pulse_group.val() {
                self.pulses_left.d.next = false;
            }
            if self.at_image_end.val() {
                self.output_group_register.d.next = 0;
                self.address_register.d.next = 0;
                self.base_address.d.next = 0;
                self.pulse_group_register.d.next = 0;
                self.pulses_left.d.next = true;
                self.slot_register.d.next = self.slot_register.q.val() + 1;
                self.images_left.d.next = self.images_left.q.val() - 1;
                if self.images_left.q.val() == 1 {
                    self.issuing.d.next = false;
                }
            }
        }
        // A one for each image between its last step and its verdict, lowest bits first: no carries, and one bit tells
        // whether there is any. Of an aborted run, a one for each clock until the pipeline is empty.
        if self.is_aborted.q.val() | (self.finished.val() & !self.last_step.val()) {
            self.under_way.d.next = self.under_way.q.val() >> 1;
        } else if self.last_step.val() & !self.finished.val() {
            self.under_way.d.next = (self.under_way.q.val() << 1) | 1;
        }
        if !self.issuing.q.val() & ((self.under_way.q.val() & 1) == 0) {
            self.is_running.d.next = false;
            self.is_aborted.d.next = false;
        }
        if self.start.val() & !self.is_running.q.val() {
            self.is_running.d.next = true;
            self.issuing.d.next = self.image_count.val() != 0;
            self.at_image_start.d.next = true;
            self.pulses_left.d.next = true;
            self.slot_register.d.next = self.first_slot.val();
            self.images_left.d.next = self.image_count.val();
            self.address_register.d.next = 0;
            self.base_address.d.next = 0;
            self.row_group_register.d.next = 0;
            self.plane_group_register.d.next = 0;
            self.subgroup_register.d.next = 0;
            self.output_group_register.d.next = 0;
            self.pulse_group_register.d.next = 0;
        }
        if self.abort.val() & self.is_running.q.val() {
            self.issuing.d.next = false;
            self.is_running.d.next = true;
            self.is_aborted.d.next = true;
            self.under_way.d.next = self.all_clocks.val();
        }
    }
}

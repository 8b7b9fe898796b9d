//! The machine behind the UART.

use crate::address_check::AddressCheck;
use crate::argmax::Argmax;
use crate::bus::{Bus, Number};
use crate::checksum::Checksum;
use crate::column_counter::ColumnCounter;
use crate::column_quantizer::ColumnQuantizer;
use crate::counter::Counter;
use crate::delay::{Delay, FlagDelay};
use crate::device_array::DeviceArray;
use crate::feeder::Feeder;
use crate::image_register::ImageRegister;
use crate::lane_select::LaneSelect;
use crate::link_crc::LinkCrc;
use crate::link_executor::LinkExecutor;
use crate::link_receiver::LinkReceiver;
use crate::link_transmitter::LinkTransmitter;
use crate::memory::Memory;
use crate::pulse_counter::{PulseCounter, pulse_groups};
use crate::read_select::ReadSelect;
use crate::register::Register;
use crate::register_file::RegisterFile;
use crate::saturation_counter::SaturationCounter;
use crate::sequencer::Sequencer;
use crate::shift_add::ShiftAdd;
use crate::simulation::{Contents, HdlError};
use crate::slot_memory::SlotMemory;
use bitline_golden::machine::{Machine, bits_to_hold, bits_to_index};
use bitline_golden::registers::{NO_LABEL, RUN_COUNTERS, find, pack_image};
use rust_hdl::prelude::*;

/// Everything but the UART: link, registers, memories, array, recombination, verdict, counters, LEDs.
///
/// **Function** the data path of contract section 6. Each clock of a run reads one step's devices, drives its rows,
/// counts its columns, quantizes the counts, and adds them to the outputs under way.
/// **Ports** `receive_*`, `transmit_*`: bytes from and to the UART. `start_switch`, `reset_button`: asynchronous,
/// high is on. `leds`: the low nine bits of the counter `correct`.
/// **Start and reset** the switch starts one run as soon as nothing is under way, not even a frame; the button ends a
/// run, whose counters stay 0 until its last images have left the pipeline.
/// **Timing** [`bitline_golden::timing`] states the latencies, the blocks' `LATENCY_CYCLES` are the same numbers.
#[derive(LogicBlock, Clone, Debug)]
pub struct Accelerator {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A byte from the host.
    pub receive_data: Bus<In>,
    /// There is one.
    pub receive_valid: Signal<In, Bit>,
    /// It would be taken.
    pub receive_ready: Signal<Out, Bit>,
    /// A byte for the host.
    pub transmit_data: Bus<Out>,
    /// There is one.
    pub transmit_valid: Signal<Out, Bit>,
    /// It is taken.
    pub transmit_ready: Signal<In, Bit>,
    /// S001's SW0: switched on, it starts a run.
    pub start_switch: Signal<In, Bit>,
    /// S001's BTN0: clears the counters and the run's registers.
    pub reset_button: Signal<In, Bit>,
    /// The number of correct images, low nine bits.
    pub leds: Bus<Out>,
    receiver: LinkReceiver,
    frame_buffer: Memory,
    executor: LinkExecutor,
    transmitter: LinkTransmitter,
    link_crc: LinkCrc,
    address_check: AddressCheck,
    registers: RegisterFile,
    frames: Vec<Counter>,
    checksum: Checksum,
    sequencer: Sequencer,
    /// The tile's devices.
    pub devices: DeviceArray,
    slots: SlotMemory,
    labels: Memory,
    image_register: ImageRegister,
    feeder: Feeder,
    column: Vec<ColumnCounter>,
    quantizer: Vec<ColumnQuantizer>,
    shift_add: ShiftAdd,
    argmax: Argmax,
    pulse_counter: PulseCounter,
    saturation_counter: SaturationCounter,
    lane_select: LaneSelect,
    read_select: ReadSelect,
    run_counter: Vec<Counter>,
    row_group_line: Delay,
    plane_group_line: Delay,
    row_first_line: FlagDelay,
    lane_group_line: Delay,
    pulse_group_line: Delay,
    pulse_enable_line: FlagDelay,
    count_valid_line: FlagDelay,
    output_first_line: FlagDelay,
    subgroup_line: Delay,
    count_plane_group_line: Delay,
    sum_valid_line: FlagDelay,
    sum_group: Register,
    last_group: Number,
    at_last_group: Signal<Local, Bit>,
    read_lane_line: Delay,
    switch_stage: Vec<DFF<Bit>>,
    switch_served: DFF<Bit>,
    correct: DFF<Bit>,
    button_stage: Vec<DFF<Bit>>,
    sum_slot: Register,
    verdict_slot: Register,
    label_slot: Register,
    switch_start: Signal<Local, Bit>,
    run_start: Signal<Local, Bit>,
    reset: Signal<Local, Bit>,
    clear: Signal<Local, Bit>,
    summing: Signal<Local, Bit>,
    running: Signal<Local, Bit>,
    array_region: Number,
    slots_region: Number,
    labels_region: Number,
    one: Number,
    image_reads: Number,
    image_conversions: Number,
    image_macs: Number,
}

impl Accelerator {
    /// The gateware of a machine, with what its memories hold at power-on.
    ///
    /// # Errors
    /// [`HdlError`] if the gateware cannot be this machine, or the contents do not fit it.
    pub fn new(machine: &Machine, build_hash: u64, contents: &Contents) -> Result<Self, HdlError> {
        crate::simulation::check(machine, contents)?;
        let images: Vec<Vec<u16>> = contents.images.iter().map(|codes| pack_image(machine, codes)).collect();
        let mut labels: Vec<u64> =
            contents.labels.iter().map(|label| label.map_or(u64::from(NO_LABEL), u64::from)).collect();
        labels.resize(labels.len().max(images.len()), u64::from(NO_LABEL));
        let lanes = machine.column_lanes * machine.plane_lanes;
        let sequencer = Sequencer::new(machine);
        let saturation_counter = SaturationCounter::new(lanes);
        let pulse_counter = PulseCounter::new(machine);
        let constant = |n: usize| Number::new(n as u64);
        let image_reads = machine.input_bits * machine.tiles;
        let image_conversions = image_reads * machine.columns();
        let image_macs = machine.rows * machine.outputs;
        let amounts = [
            1,
            1,
            bits_to_hold(image_reads),
            pulse_counter.pulses.bits(),
            bits_to_hold(image_conversions),
            saturation_counter.saturations.bits(),
            bits_to_hold(image_macs),
            1,
            1,
        ];
        let slot_bits = bits_to_index(machine.slots);
        let output_groups = machine.outputs.div_ceil(machine.output_lanes());
        let data = Memory::LATENCY_CYCLES;
        let image = data + ImageRegister::latency_cycles(machine);
        let pulse_data = if pulse_groups(machine) == 1 { image } else { data + LaneSelect::LATENCY_CYCLES };
        let rows = image + Feeder::latency_cycles(machine);
        let count = rows + ColumnCounter::latency_cycles(machine);
        let sum = count + ShiftAdd::LATENCY_CYCLES;
        let width = |name: &str| find(name).width as usize;
        Ok(Self {
            clock: Signal::default(),
            receive_data: Bus::new(8),
            receive_valid: Signal::default(),
            receive_ready: Signal::default(),
            transmit_data: Bus::new(8),
            transmit_valid: Signal::default(),
            transmit_ready: Signal::default(),
            start_switch: Signal::default(),
            reset_button: Signal::default(),
            leds: Bus::new(9),
            receiver: LinkReceiver::default(),
            frame_buffer: Memory::new(8, 256, &[]),
            executor: LinkExecutor::default(),
            transmitter: LinkTransmitter::default(),
            link_crc: LinkCrc::default(),
            address_check: AddressCheck::new(machine),
            registers: RegisterFile::new(machine, build_hash, images.len()),
            frames: ["frames_ok", "frames_bad", "frames_resent"]
                .map(|name| Counter::new(width(name), 1).starting_at(contents.counts))
                .into(),
            checksum: Checksum::new(machine),
            devices: DeviceArray::new(machine, &contents.devices),
            slots: SlotMemory::new(machine, &images),
            labels: Memory::new(16, machine.slots, &labels),
            image_register: ImageRegister::new(machine),
            feeder: Feeder::new(machine),
            column: (0..lanes).map(|_| ColumnCounter::new(machine)).collect(),
            quantizer: (0..lanes).map(|_| ColumnQuantizer::new(machine)).collect(),
            shift_add: ShiftAdd::new(machine),
            argmax: Argmax::new(machine),
            pulse_counter,
            saturation_counter,
            lane_select: LaneSelect::new(machine),
            read_select: ReadSelect::new(machine),
            run_counter: std::iter::zip(RUN_COUNTERS, amounts)
                .map(|(name, amount)| Counter::new(width(name), amount).starting_at(contents.counts))
                .collect(),
            row_group_line: Delay::new(sequencer.row_group.bits(), image),
            plane_group_line: Delay::new(sequencer.plane_group.bits(), image),
            row_first_line: FlagDelay::new(rows),
            lane_group_line: Delay::new(sequencer.pulse_group.bits(), data),
            pulse_group_line: Delay::new(sequencer.pulse_group.bits(), pulse_data),
            pulse_enable_line: FlagDelay::new(pulse_data),
            count_valid_line: FlagDelay::new(count),
            output_first_line: FlagDelay::new(count),
            subgroup_line: Delay::new(sequencer.subgroup.bits(), count),
            count_plane_group_line: Delay::new(sequencer.plane_group.bits(), count),
            sum_valid_line: FlagDelay::new(sum),
            sum_group: Register::new(bits_to_index(output_groups)),
            last_group: constant(output_groups - 1),
            at_last_group: Signal::default(),
            read_lane_line: Delay::new(bits_to_index(machine.column_lanes.max(machine.slot_words())), data),
            switch_stage: (0..2).map(|_| DFF::default()).collect(),
            switch_served: DFF::default(),
            correct: DFF::default(),
            button_stage: (0..2).map(|_| DFF::default()).collect(),
            sum_slot: Register::new(slot_bits),
            verdict_slot: Register::new(slot_bits),
            label_slot: Register::new(slot_bits),
            switch_start: Signal::default(),
            run_start: Signal::default(),
            reset: Signal::default(),
            clear: Signal::default(),
            summing: Signal::default(),
            running: Signal::default(),
            array_region: constant(1),
            slots_region: constant(2),
            labels_region: constant(3),
            one: constant(1),
            image_reads: constant(image_reads),
            image_conversions: constant(image_conversions),
            image_macs: constant(image_macs),
            sequencer,
        })
    }
}

impl Accelerator {
    /// Whether nothing is under way: no run, no checksum, no frame half received, judged or sent.
    pub fn is_idle(&self) -> bool {
        self.receiver.is_idle()
            && self.executor.is_idle()
            && self.transmitter.is_idle()
            && self.link_crc.is_idle()
            && !self.sequencer.running.val()
            && !self.checksum.running.val()
            && !self.correct.q.val()
    }
}

impl Logic for Accelerator {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, receiver, frame_buffer, executor, transmitter, link_crc, registers);
        clock!(self, clock, checksum, sequencer);
        clock!(self, clock, devices, slots, labels, shift_add, argmax, pulse_counter, saturation_counter, read_select);
        clock!(self, clock, row_group_line, plane_group_line, row_first_line, pulse_group_line, pulse_enable_line);
        clock!(self, clock, lane_group_line, lane_select, image_register, feeder, address_check);
        clock!(self, clock, count_valid_line, output_first_line, subgroup_line, count_plane_group_line);
        clock!(self, clock, sum_valid_line);
        clock!(self, clock, read_lane_line);
        dff_setup!(self, clock, sum_group, sum_slot, verdict_slot, label_slot, switch_served, correct);
        for i in 0..self.column.len() {
            self.column[i].clock.next = self.clock.val();
        }
        for i in 0..3 {
            self.frames[i].clock.next = self.clock.val();
            self.frames[i].clear.next = false;
            self.frames[i].amount.next = self.one.val();
        }
        for i in 0..2 {
            self.switch_stage[i].clock.next = self.clock.val();
            self.button_stage[i].clock.next = self.clock.val();
        }
        for i in 0..9 {
            self.run_counter[i].clock.next = self.clock.val();
        }
        // Switch and button, brought into the clock domain.
        self.switch_stage[0].d.next = self.start_switch.val();
        self.switch_stage[1].d.next = self.switch_stage[0].q.val();
        self.button_stage[0].d.next = self.reset_button.val();
        self.button_stage[1].d.next = self.button_stage[0].q.val();
        self.reset.next = self.button_stage[1].q.val();
        // What an aborted run has in the pipeline is not counted.
        self.clear.next = self.button_stage[1].q.val() | self.sequencer.aborted.val() | self.registers.clear.val();
        for i in 0..9 {
            self.run_counter[i].clear.next = self.clear.val();
        }
        self.running.next = self.sequencer.running.val();
        self.summing.next = self.checksum.running.val();
        // A frame that is dealt with may store or read: the switch waits for its end.
        self.switch_start.next =
            self.switch_stage[1].q.val() & !self.switch_served.q.val() & !self.receiver.frame_ready.val();
        self.run_start.next = !self.sequencer.running.val()
            & !self.checksum.running.val()
            & !self.button_stage[1].q.val()
            & (self.registers.start.val() | self.switch_start.val());
        self.switch_served.d.next = self.switch_stage[1].q.val()
            & (self.switch_served.q.val() | (self.switch_start.val() & self.run_start.val()));
        // Link.
        self.receiver.data.next = self.receive_data.val();
        self.receiver.data_valid.next = self.receive_valid.val();
        self.receive_ready.next = self.receiver.data_ready.val();
        self.receiver.taken.next = self.executor.taken.val();
        self.frame_buffer.write_enable.next = self.receiver.buffer_write.val();
        self.frame_buffer.write_address.next = self.receiver.buffer_address.val();
        self.frame_buffer.write_data.next = self.receiver.buffer_data.val();
        self.frame_buffer.read_address.next = self.executor.buffer_address.val();
        self.executor.buffer_data.next = self.frame_buffer.read_data.val();
        self.executor.frame_ready.next = self.receiver.frame_ready.val();
        self.executor.frame_good.next = self.receiver.frame_good.val();
        self.executor.length_bad.next = self.receiver.length_bad.val();
        self.executor.payload_length.next = self.receiver.payload_length.val();
        self.executor.range_exists.next = self.address_check.exists.val();
        self.executor.range_writable.next = self.address_check.writable.val();
        self.executor.busy.next =
            self.running.val() | self.summing.val() | self.registers.start.val() | self.registers.checksum_start.val();
        self.executor.send_ready.next = self.transmitter.send_ready.val();
        self.transmitter.send_begin.next = self.executor.send_begin.val();
        self.transmitter.send_byte.next = self.executor.send_byte.val();
        self.transmitter.send_end.next = self.executor.send_end.val();
        self.transmitter.send_data.next = self.executor.send_data.val();
        self.transmit_data.next = self.transmitter.data.val();
        self.transmit_valid.next = self.transmitter.data_valid.val();
        self.transmitter.data_ready.next = self.transmit_ready.val();
        self.receiver.crc_ready.next = self.link_crc.ready.val();
        self.receiver.crc_right.next = self.link_crc.right.val();
        self.transmitter.crc_ready.next = self.link_crc.ready.val();
        self.transmitter.crc_low_byte.next = self.link_crc.low_byte.val();
        self.link_crc.restart.next = self.transmitter.crc_restart.val() | self.executor.taken.val();
        self.link_crc.shift.next = self.transmitter.crc_shift.val();
        self.link_crc.data_valid.next = self.receiver.buffer_write.val() | self.transmitter.crc_byte_valid.val();
        self.link_crc.data.next = self.receiver.buffer_data.val();
        if self.transmitter.crc_byte_valid.val() {
            self.link_crc.data.next = self.executor.send_data.val();
        }
        self.frames[0].enable.next = self.executor.count_ok.val();
        self.frames[1].enable.next = self.executor.count_bad.val();
        self.frames[2].enable.next = self.executor.count_resent.val();
        // Registers.
        self.address_check.region.next = self.executor.region.val();
        self.address_check.offset.next = self.executor.offset.val();
        self.address_check.words.next = self.executor.words.val();
        self.registers.reset.next = self.reset.val();
        self.registers.offset.next = self.executor.offset.val();
        self.registers.write_data.next = self.executor.write_data.val();
        self.registers.write_enable.next = self.executor.write_enable.val() & (self.executor.region.val() == 0);
        self.registers.frames_ok.next = self.frames[0].value.val();
        self.registers.frames_bad.next = self.frames[1].value.val();
        self.registers.frames_resent.next = self.frames[2].value.val();
        self.registers.running.next = self.running.val();
        self.registers.summing.next = self.summing.val();
        self.registers.sum.next = self.checksum.sum.val();
        self.registers.sums.next = self.checksum.sums.val();
        for i in 0..9 {
            self.registers.counters[i].next = self.run_counter[i].value.val();
        }
        // Memories: the link writes; the link, the checksum or the run reads.
        self.checksum.start.next = self.registers.checksum_start.val() & !self.running.val() & !self.run_start.val();
        self.checksum.abort.next = self.reset.val();
        self.checksum.region.next = self.registers.checksum_region.val();
        self.checksum.first_slot.next = self.registers.first_slot.val();
        self.checksum.count.next = self.registers.image_count.val();
        self.checksum.data.next = self.read_select.read_data.val();
        self.devices.write_enable.next =
            self.executor.write_enable.val() & (self.executor.region.val() == self.array_region.val());
        self.devices.write_address.next = self.address_check.major.val();
        self.devices.write_lane.next = self.address_check.lane.val();
        self.devices.write_word.next = self.address_check.word.val();
        self.devices.write_data.next = self.executor.write_data.val();
        self.slots.write_enable.next =
            self.executor.write_enable.val() & (self.executor.region.val() == self.slots_region.val());
        self.slots.write_slot.next = self.address_check.major.val();
        self.slots.write_lane.next = self.address_check.lane.val();
        self.slots.write_data.next = self.executor.write_data.val();
        self.labels.write_enable.next =
            self.executor.write_enable.val() & (self.executor.region.val() == self.labels_region.val());
        self.labels.write_address.next = self.address_check.major.val();
        self.labels.write_data.next = self.executor.write_data.val();
        self.devices.read_address.next = self.address_check.major.val();
        self.slots.read_slot.next = self.address_check.major.val();
        self.labels.read_address.next = self.address_check.major.val();
        self.slots.read_enable.next = self.executor.read_enable.val();
        self.read_select.region.next = self.executor.region.val();
        self.read_lane_line.d.next = self.address_check.lane.val();
        self.read_select.lane.next = self.address_check.lane.val();
        self.read_select.word.next = self.address_check.word.val();
        if self.summing.val() {
            self.devices.read_address.next = self.checksum.read_major.val();
            self.slots.read_slot.next = self.checksum.read_major.val();
            self.labels.read_address.next = self.checksum.read_major.val();
            self.slots.read_enable.next = true;
            self.read_select.region.next = self.registers.checksum_region.val();
            self.read_lane_line.d.next = self.checksum.read_lane.val();
            self.read_select.lane.next = self.checksum.read_lane.val();
            self.read_select.word.next = self.checksum.read_word.val();
        }
        if self.running.val() {
            self.devices.read_address.next = self.sequencer.address.val();
            self.slots.read_slot.next = self.sequencer.slot.val();
            self.slots.read_enable.next = self.sequencer.slot_read.val();
            self.labels.read_address.next = self.label_slot.q.val();
        }
        self.lane_select.data.next = self.image_register.image.val();
        self.lane_select.lane.next = self.read_lane_line.q.val();
        if self.running.val() {
            self.lane_select.lane.next = self.lane_group_line.q.val();
        }
        self.read_select.slot_word.next = self.lane_select.word.val();
        self.read_select.label.next = self.labels.read_data.val();
        self.executor.read_data.next = self.read_select.read_data.val();
        if self.executor.region.val() == 0 {
            self.executor.read_data.next = self.registers.read_data.val();
        }
        // The run.
        self.sequencer.start.next = self.run_start.val();
        self.sequencer.abort.next = self.reset.val();
        self.sequencer.finished.next = self.argmax.done.val();
        self.sequencer.first_slot.next = self.registers.first_slot.val();
        self.sequencer.image_count.next = self.registers.image_count.val();
        self.row_group_line.d.next = self.sequencer.row_group.val();
        self.plane_group_line.d.next = self.sequencer.plane_group.val();
        self.row_first_line.d.next = self.sequencer.row_first.val();
        self.image_register.data.next = self.slots.data.val();
        self.feeder.data.next = self.image_register.image.val();
        self.feeder.row_group.next = self.row_group_line.q.val();
        self.feeder.plane_group.next = self.plane_group_line.q.val();
        for i in 0..self.column.len() {
            self.column[i].rows.next = self.feeder.rows[i].val();
            self.column[i].devices.next = self.devices.devices[i].val();
            self.column[i].first.next = self.row_first_line.q.val();
            self.quantizer[i].count.next = self.column[i].count.val();
            self.shift_add.codes[i].next = self.quantizer[i].code.val();
            self.saturation_counter.saturated[i].next = self.quantizer[i].saturated.val();
            self.read_select.devices[i].next = self.devices.devices[i].val();
        }
        self.count_valid_line.d.next = self.sequencer.step.val() & self.sequencer.row_last.val();
        self.output_first_line.d.next = self.sequencer.output_first.val();
        self.subgroup_line.d.next = self.sequencer.subgroup.val();
        self.count_plane_group_line.d.next = self.sequencer.plane_group.val();
        self.shift_add.valid.next = self.count_valid_line.q.val();
        self.shift_add.first.next = self.output_first_line.q.val();
        self.shift_add.subgroup.next = self.subgroup_line.q.val();
        self.shift_add.plane_group.next = self.count_plane_group_line.q.val();
        self.saturation_counter.enable.next = self.count_valid_line.q.val();
        self.sum_valid_line.d.next =
            self.sequencer.step.val() & self.sequencer.row_last.val() & self.sequencer.output_last.val();
        // Output groups come in order, so the sums' group is counted rather than delayed.
        self.at_last_group.next = self.sum_group.q.val() == self.last_group.val();
        self.argmax.valid.next = self.sum_valid_line.q.val();
        self.argmax.first.next = self.sum_group.q.val() == 0;
        self.argmax.last.next = self.at_last_group.val();
        for i in 0..self.shift_add.sums.len() {
            self.argmax.sums[i].next = self.shift_add.sums[i].val();
            self.slots.sums[i].next = self.shift_add.sums[i].val();
        }
        // Results: sums as they come, then the verdict; each has its own count of images.
        self.slots.sum_enable.next = self.sum_valid_line.q.val() & self.registers.store_results.val();
        self.slots.sum_slot.next = self.sum_slot.q.val();
        self.slots.sum_group.next = self.sum_group.q.val();
        if self.sum_valid_line.q.val() {
            self.sum_group.d.next = self.sum_group.q.val() + 1;
            if self.at_last_group.val() {
                self.sum_group.d.next = 0;
                self.sum_slot.d.next = self.sum_slot.q.val() + 1;
            }
        }
        self.slots.verdict_enable.next = self.argmax.done.val() & self.registers.store_results.val();
        self.slots.verdict_slot.next = self.verdict_slot.q.val();
        self.slots.verdict_class.next = self.argmax.winner.val();
        self.slots.verdict_margin.next = self.argmax.margin.val();
        if self.argmax.done.val() {
            self.verdict_slot.d.next = self.verdict_slot.q.val() + 1;
        }
        if self.argmax.almost_done.val() {
            self.label_slot.d.next = self.label_slot.q.val() + 1;
        }
        if self.run_start.val() {
            self.sum_group.d.next = 0;
            self.sum_slot.d.next = self.registers.result_slot.val();
            self.verdict_slot.d.next = self.registers.result_slot.val();
            self.label_slot.d.next = self.registers.first_slot.val();
        }
        // Counters, in the order of the register map.
        self.lane_group_line.d.next = self.sequencer.pulse_group.val();
        self.pulse_group_line.d.next = self.sequencer.pulse_group.val();
        self.pulse_enable_line.d.next = self.sequencer.pulse_enable.val();
        self.pulse_counter.data.next = self.image_register.image.val();
        self.pulse_counter.lane.next = self.lane_select.word.val();
        self.pulse_counter.group.next = self.pulse_group_line.q.val();
        self.pulse_counter.enable.next = self.pulse_enable_line.q.val();
        self.run_counter[0].enable.next = self.running.val();
        self.run_counter[0].amount.next = self.one.val();
        self.run_counter[1].enable.next = self.sequencer.step.val();
        self.run_counter[1].amount.next = self.one.val();
        self.run_counter[2].enable.next = self.argmax.done.val();
        self.run_counter[2].amount.next = self.image_reads.val();
        self.run_counter[3].enable.next = true;
        self.run_counter[3].amount.next = self.pulse_counter.pulses.val();
        self.run_counter[4].enable.next = self.argmax.done.val();
        self.run_counter[4].amount.next = self.image_conversions.val();
        self.run_counter[5].enable.next = true;
        self.run_counter[5].amount.next = self.saturation_counter.saturations.val();
        self.run_counter[6].enable.next = self.argmax.done.val();
        self.run_counter[6].amount.next = self.image_macs.val();
        self.run_counter[7].enable.next = self.argmax.done.val();
        self.run_counter[7].amount.next = self.one.val();
        // A clock after the image, for the label comes out of its block RAM late in its clock.
        self.correct.d.next =
            self.argmax.done.val() & (self.argmax.winner.val() == self.labels.read_data.val()) & !self.clear.val();
        self.run_counter[8].enable.next = self.correct.q.val();
        self.run_counter[8].amount.next = self.one.val();
        self.leds.next = self.run_counter[8].value.val();
    }
}

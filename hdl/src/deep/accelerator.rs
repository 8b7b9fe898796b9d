//! A machine that runs programs, behind the UART.

use super::core::{DeepContents, DeepCore};
use super::region_check::RegionCheck;
use super::region_checksum::RegionChecksum;
use crate::bus::{Bus, Number};
use crate::counter::Counter;
use crate::delay::{Delay, FlagDelay};
use crate::link_crc::LinkCrc;
use crate::link_executor::LinkExecutor;
use crate::link_receiver::LinkReceiver;
use crate::link_transmitter::LinkTransmitter;
use crate::memory::Memory;
use crate::register::Register;
use crate::register_file::RegisterFile;
use crate::simulation::HdlError;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::deep_registers::{DeepRegion, FAULT_OFFSET};
use bitline_golden::machine::bits_to_index;
use bitline_golden::registers::{NO_LABEL, find};
use rust_hdl::prelude::*;

/// Everything but the UART: link, registers, labels, counters, LEDs, and the core.
///
/// **Ports** `receive_*`, `transmit_*`: bytes from and to the UART. `start_switch`, `reset_button`: asynchronous, high is on.
/// `leds`: the low nine bits of the counter `correct`.
/// **Start and reset** the switch starts one run as soon as nothing is under way, not even a frame; the button ends a run. A run
/// that the button or a fault ends leaves its counters at 0.
/// **State** idle at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct DeepAccelerator {
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
    /// Switched on, it starts a run.
    pub start_switch: Signal<In, Bit>,
    /// Clears the counters and the run's registers.
    pub reset_button: Signal<In, Bit>,
    /// The number of correct images, low nine bits.
    pub leds: Bus<Out>,
    receiver: LinkReceiver,
    frame_buffer: Memory,
    executor: LinkExecutor,
    transmitter: LinkTransmitter,
    link_crc: LinkCrc,
    region_check: RegionCheck,
    registers: RegisterFile,
    frames: Vec<Counter>,
    checksum: RegionChecksum,
    /// What runs the program.
    pub core: DeepCore,
    labels: Memory,
    label_address_line: Delay,
    label_region_line: FlagDelay,
    run_counter: Vec<Counter>,
    switch_stage: Vec<DFF<Bit>>,
    button_stage: Vec<DFF<Bit>>,
    switch_served: DFF<Bit>,
    correct: DFF<Bit>,
    fault_word: Register,
    switch_start: Signal<Local, Bit>,
    run_start: Signal<Local, Bit>,
    clear: Signal<Local, Bit>,
    running: Signal<Local, Bit>,
    under_way: Signal<Local, Bit>,
    summing: Signal<Local, Bit>,
    memory_word: Bus<Local>,
    region: Bus<Local>,
    one: Number,
    labels_region: Number,
    codes_region: Number,
    first_kept: Number,
    end_kept: Number,
    fault_offset: Number,
    fault_at_offset: Number,
    image_word_bits: Number,
    first_image: Number,
}

impl DeepAccelerator {
    /// The gateware of a machine, with what its memories hold at power-on.
    ///
    /// # Errors
    /// [`HdlError`] if the gateware cannot be this machine.
    pub fn new(machine: &DeepMachine, build_hash: u64, contents: &DeepContents) -> Result<Self, HdlError> {
        machine.check()?;
        if !machine.conductance.reference_column {
            return Err(HdlError::Unsupported {
                machine: machine.name.clone(),
                feature: "array without reference column",
                remedy: "set reference_column = true",
            });
        }
        let core = DeepCore::new(machine, contents);
        let width = |name: &str| find(name).width as usize;
        let labels = vec![u64::from(NO_LABEL); machine.slots];
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
            region_check: RegionCheck::new(machine),
            registers: RegisterFile::of_regions(&machine.face(), build_hash, 0, 3),
            frames: ["frames_ok", "frames_bad", "frames_resent"].map(|name| Counter::new(width(name), 1)).into(),
            checksum: RegionChecksum::default(),
            labels: Memory::new(16, machine.slots, &labels),
            label_address_line: Delay::new(
                bits_to_index(machine.slots),
                DeepCore::READ_CYCLES - Memory::LATENCY_CYCLES,
            ),
            label_region_line: FlagDelay::new(DeepCore::READ_CYCLES),
            run_counter: ["cycles", "images", "correct"].map(|name| Counter::new(width(name), 1)).into(),
            switch_stage: (0..2).map(|_| DFF::default()).collect(),
            button_stage: (0..2).map(|_| DFF::default()).collect(),
            switch_served: DFF::default(),
            correct: DFF::default(),
            fault_word: Register::new(16),
            switch_start: Signal::default(),
            run_start: Signal::default(),
            clear: Signal::default(),
            running: Signal::default(),
            under_way: Signal::default(),
            summing: Signal::default(),
            memory_word: Bus::new(16),
            region: Bus::new(8),
            one: Number::new(1),
            labels_region: Number::new(DeepRegion::Labels as u64),
            codes_region: Number::new(DeepRegion::Codes as u64),
            first_kept: Number::new(u64::from(find("busy_cycles").offset)),
            end_kept: Number::new(u64::from(find("images").offset)),
            fault_offset: Number::new(u64::from(FAULT_OFFSET)),
            fault_at_offset: Number::new(u64::from(FAULT_OFFSET) + 1),
            image_word_bits: Number::new(u64::from(machine.image_codes.trailing_zeros()) - 1),
            first_image: Number::new(machine.codes as u64 / 2),
            core,
        })
    }

    /// Whether nothing is under way: no run, no checksum, no frame half received, judged or sent.
    pub fn is_idle(&self) -> bool {
        self.receiver.is_idle()
            && self.executor.is_idle()
            && self.transmitter.is_idle()
            && self.link_crc.is_idle()
            && !self.core.running.val()
            && !self.core.settling.val()
            && !self.checksum.running.val()
            && !self.correct.q.val()
    }
}

impl Logic for DeepAccelerator {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, receiver, frame_buffer, executor, transmitter, link_crc, region_check, registers);
        clock!(self, clock, checksum, core, labels, label_address_line, label_region_line);
        dff_setup!(self, clock, switch_served, correct, fault_word);
        for i in 0..3 {
            self.frames[i].clock.next = self.clock.val();
            self.frames[i].clear.next = false;
            self.frames[i].amount.next = self.one.val();
        }
        for i in 0..2 {
            self.switch_stage[i].clock.next = self.clock.val();
            self.button_stage[i].clock.next = self.clock.val();
        }
        // Switch and button, brought into the clock domain.
        self.switch_stage[0].d.next = self.start_switch.val();
        self.switch_stage[1].d.next = self.switch_stage[0].q.val();
        self.button_stage[0].d.next = self.reset_button.val();
        self.button_stage[1].d.next = self.button_stage[0].q.val();
        // What a run that was cut has in the pipeline is not counted.
        self.clear.next = self.button_stage[1].q.val() | self.core.cut.val() | self.registers.clear.val();
        for i in 0..3 {
            self.run_counter[i].clock.next = self.clock.val();
            self.run_counter[i].clear.next = self.clear.val();
            self.run_counter[i].amount.next = self.one.val();
        }
        self.running.next = self.core.running.val();
        self.under_way.next = self.core.running.val() | self.core.settling.val();
        self.summing.next = self.checksum.running.val();
        // A frame that is dealt with may store or read: the switch waits for its end.
        self.switch_start.next =
            self.switch_stage[1].q.val() & !self.switch_served.q.val() & !self.receiver.frame_ready.val();
        self.run_start.next = !self.core.running.val()
            & !self.core.settling.val()
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
        self.executor.range_exists.next = self.region_check.exists.val();
        self.executor.range_writable.next = self.region_check.writable.val();
        self.executor.busy.next = self.under_way.val()
            | self.summing.val()
            | self.registers.start.val()
            | self.registers.checksum_start.val();
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
        self.region_check.region.next = self.executor.region.val();
        self.region_check.offset.next = self.executor.offset.val();
        self.region_check.words.next = self.executor.words.val();
        self.region_check.sum_region.next = self.registers.checksum_region.val();
        self.registers.reset.next = self.button_stage[1].q.val();
        self.registers.offset.next = self.executor.offset.val();
        self.registers.write_data.next = self.executor.write_data.val();
        self.registers.write_enable.next = self.executor.write_enable.val() & (self.executor.region.val() == 0);
        self.registers.frames_ok.next = self.frames[0].value.val();
        self.registers.frames_bad.next = self.frames[1].value.val();
        self.registers.frames_resent.next = self.frames[2].value.val();
        self.registers.running.next = self.under_way.val();
        self.registers.summing.next = self.summing.val();
        self.registers.sum.next = self.checksum.sum.val();
        self.registers.sums.next = self.checksum.sums.val();
        for i in 0..9 {
            self.registers.counters[i].next = 0;
        }
        self.registers.counters[0].next = self.run_counter[0].value.val();
        self.registers.counters[7].next = self.run_counter[1].value.val();
        self.registers.counters[8].next = self.run_counter[2].value.val();
        self.fault_word.d.next = self.core.fault.val();
        if self.executor.offset.val() == self.fault_at_offset.val() {
            self.fault_word.d.next = self.core.fault_at.val();
        }
        self.memory_word.next = self.core.read_data.val();
        if self.label_region_line.q.val() {
            self.memory_word.next = self.labels.read_data.val();
        }
        // A checksum: images and labels from the first slot on, other regions whole.
        self.checksum.start.next = self.registers.checksum_start.val() & !self.under_way.val() & !self.run_start.val();
        self.checksum.abort.next = self.button_stage[1].q.val();
        self.checksum.first_offset.next = 0;
        self.checksum.count.next = self.region_check.sum_words.val();
        if self.registers.checksum_region.val() == self.codes_region.val() {
            self.checksum.first_offset.next =
                (self.registers.first_slot.val() << self.image_word_bits.val()) + self.first_image.val();
            self.checksum.count.next = self.registers.image_count.val() << self.image_word_bits.val();
        }
        if self.registers.checksum_region.val() == self.labels_region.val() {
            self.checksum.first_offset.next = self.registers.first_slot.val();
            self.checksum.count.next = self.registers.image_count.val();
        }
        self.checksum.data.next = self.memory_word.val();
        // Memories: the link writes; the link or the checksum reads; a run reads labels.
        self.region.next = self.executor.region.val();
        self.core.offset.next = self.executor.offset.val();
        self.label_address_line.d.next = self.executor.offset.val();
        if self.summing.val() {
            self.region.next = self.registers.checksum_region.val();
            self.core.offset.next = self.checksum.read_offset.val();
            self.label_address_line.d.next = self.checksum.read_offset.val();
        }
        // As late as the core's words.
        self.labels.read_address.next = self.label_address_line.q.val();
        if self.running.val() {
            self.labels.read_address.next = self.core.slot.val();
        }
        self.core.region.next = self.region.val();
        self.core.write_enable.next = self.executor.write_enable.val();
        self.core.write_data.next = self.executor.write_data.val();
        self.core.read_enable.next = self.executor.read_enable.val();
        self.labels.write_enable.next =
            self.executor.write_enable.val() & (self.executor.region.val() == self.labels_region.val());
        self.labels.write_address.next = self.executor.offset.val();
        self.labels.write_data.next = self.executor.write_data.val();
        self.label_region_line.d.next = self.region.val() == self.labels_region.val();
        self.executor.read_data.next = self.memory_word.val();
        if self.executor.region.val() == 0 {
            self.executor.read_data.next = self.registers.read_data.val();
            if (self.executor.offset.val() >= self.first_kept.val())
                & (self.executor.offset.val() < self.end_kept.val())
            {
                self.executor.read_data.next = self.memory_word.val();
            }
            if self.executor.offset.val() >= self.fault_offset.val() {
                self.executor.read_data.next = self.fault_word.q.val();
            }
        }
        // The run.
        self.core.start.next = self.run_start.val();
        self.core.abort.next = self.button_stage[1].q.val();
        self.core.first_slot.next = self.registers.first_slot.val();
        self.core.image_count.next = self.registers.image_count.val();
        self.core.clear.next = self.clear.val();
        // Counters; what layers have too is kept by the core.
        self.run_counter[0].enable.next = self.running.val();
        self.run_counter[1].enable.next = self.core.image_done.val();
        // A clock after the image, for the label comes out of its memory late in its clock.
        self.correct.d.next = self.core.image_done.val()
            & self.core.class_valid.val()
            & (self.core.winner.val() == self.labels.read_data.val())
            & !self.clear.val();
        self.run_counter[2].enable.next = self.correct.q.val();
        self.leds.next = self.run_counter[2].value.val();
    }
}

//! What a board's pins see of a machine that runs programs.

use super::accelerator::DeepAccelerator;
use super::core::DeepContents;
use crate::bus::Bus;
use crate::simulation::HdlError;
use crate::uart_receiver::UartReceiver;
use crate::uart_transmitter::UartTransmitter;
use bitline_golden::deep_machine::DeepMachine;
use rust_hdl::prelude::*;

/// The machine with its UART.
///
/// **Ports** `clock`; `uart_rx`, `uart_tx`: serial line, idle high; `start_switch`, `reset_button`: high is on;
/// `leds`: nine, high is lit, bit 0 least significant.
#[derive(LogicBlock, Clone, Debug)]
pub struct DeepTop {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// From the host.
    pub uart_rx: Signal<In, Bit>,
    /// To the host.
    pub uart_tx: Signal<Out, Bit>,
    /// S001's SW0.
    pub start_switch: Signal<In, Bit>,
    /// S001's BTN0.
    pub reset_button: Signal<In, Bit>,
    /// The number of correct images.
    pub leds: Bus<Out>,
    receiver: UartReceiver,
    transmitter: UartTransmitter,
    /// Everything behind the UART.
    pub accelerator: DeepAccelerator,
    waiting_data: crate::register::Register,
    waiting_valid: DFF<Bit>,
}

impl DeepTop {
    /// The board-level design of a machine.
    ///
    /// # Errors
    /// As [`DeepAccelerator::new`].
    pub fn new(machine: &DeepMachine, build_hash: u64, contents: &DeepContents) -> Result<Self, HdlError> {
        let clocks_per_bit = machine.link.clocks_per_bit();
        Ok(Self {
            clock: Signal::default(),
            uart_rx: Signal::default(),
            uart_tx: Signal::default(),
            start_switch: Signal::default(),
            reset_button: Signal::default(),
            leds: Bus::new(9),
            receiver: UartReceiver::new(clocks_per_bit),
            transmitter: UartTransmitter::new(clocks_per_bit),
            accelerator: DeepAccelerator::new(machine, build_hash, contents)?,
            waiting_data: crate::register::Register::new(8),
            waiting_valid: DFF::default(),
        })
    }
}

impl Logic for DeepTop {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, receiver, transmitter, accelerator);
        dff_setup!(self, clock, waiting_data, waiting_valid);
        self.receiver.line.next = self.uart_rx.val();
        self.uart_tx.next = self.transmitter.line.val();
        // A byte waits while the link is busy with the one before; the next byte replaces it.
        self.accelerator.receive_data.next = self.waiting_data.q.val();
        self.accelerator.receive_valid.next = self.waiting_valid.q.val();
        if self.accelerator.receive_ready.val() {
            self.waiting_valid.d.next = false;
        }
        if self.receiver.data_valid.val() {
            self.waiting_data.d.next = self.receiver.data.val();
            self.waiting_valid.d.next = true;
        }
        self.transmitter.data.next = self.accelerator.transmit_data.val();
        self.transmitter.data_valid.next = self.accelerator.transmit_valid.val();
        self.accelerator.transmit_ready.next = self.transmitter.data_ready.val();
        self.accelerator.start_switch.next = self.start_switch.val();
        self.accelerator.reset_button.next = self.reset_button.val();
        self.leds.next = self.accelerator.leds.val();
    }
}

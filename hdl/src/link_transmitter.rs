//! Puts frames on the wire.

use crate::bus::{Bus, Number};
use crate::register::Register;
use bitline_golden::link::{END, ESC, ESC_END, ESC_ESC};
use rust_hdl::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
#[allow(missing_docs)]
pub enum TransmitterState {
    Idle,
    Escape,
    Crc,
}

/// Dresses frames as SLIP does and ends them with their CRC.
///
/// **Ports** `send_begin`, `send_byte` (with `send_data`) and `send_end`, one at a time, each taken in a clock in
/// which `send_ready` is set: END; a byte of the frame; the CRC and END. `data`, `data_valid`, `data_ready`: bytes for
/// the wire.
/// `crc_restart`, `crc_byte_valid` (with `send_data`) and `crc_shift` drive the CRC, which is `crc_ready` to be sent from its
/// `crc_low_byte` up.
/// **Timing** a byte takes a clock and the time of its CRC, or more.
/// **State** nothing to send at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct LinkTransmitter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Start a frame.
    pub send_begin: Signal<In, Bit>,
    /// Send `send_data`.
    pub send_byte: Signal<In, Bit>,
    /// End the frame.
    pub send_end: Signal<In, Bit>,
    /// A byte of the frame.
    pub send_data: Bus<In>,
    /// A command would be taken.
    pub send_ready: Signal<Out, Bit>,
    /// A byte for the wire.
    pub data: Bus<Out>,
    /// There is one.
    pub data_valid: Signal<Out, Bit>,
    /// It is taken.
    pub data_ready: Signal<In, Bit>,
    /// Begin the CRC.
    pub crc_restart: Signal<Out, Bit>,
    /// `send_data` goes into the CRC.
    pub crc_byte_valid: Signal<Out, Bit>,
    /// The CRC's low byte is sent.
    pub crc_shift: Signal<Out, Bit>,
    /// The CRC is that of all bytes sent.
    pub crc_ready: Signal<In, Bit>,
    /// The next byte of the CRC to send.
    pub crc_low_byte: Bus<In>,
    state: DFF<TransmitterState>,
    holding: DFF<Bit>,
    held: Register,
    escaped_is_end: DFF<Bit>,
    in_crc: DFF<Bit>,
    crc_bytes: Register,
    free: Signal<Local, Bit>,
    emit: Signal<Local, Bit>,
    plain: Bus<Local>,
    frame_end: Number,
    escape: Number,
    escaped_end: Number,
    escaped_escape: Number,
}

impl Default for LinkTransmitter {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            send_begin: Signal::default(),
            send_byte: Signal::default(),
            send_end: Signal::default(),
            send_data: Bus::new(8),
            send_ready: Signal::default(),
            data: Bus::new(8),
            data_valid: Signal::default(),
            data_ready: Signal::default(),
            crc_restart: Signal::default(),
            crc_byte_valid: Signal::default(),
            crc_shift: Signal::default(),
            crc_ready: Signal::default(),
            crc_low_byte: Bus::new(8),
            state: DFF::default(),
            holding: DFF::default(),
            held: Register::new(8),
            escaped_is_end: DFF::default(),
            in_crc: DFF::default(),
            crc_bytes: Register::new(3),
            free: Signal::default(),
            emit: Signal::default(),
            plain: Bus::new(8),
            frame_end: Number::new(u64::from(END)),
            escape: Number::new(u64::from(ESC)),
            escaped_end: Number::new(u64::from(ESC_END)),
            escaped_escape: Number::new(u64::from(ESC_ESC)),
        }
    }
}

impl LinkTransmitter {
    /// Clocks from `send_byte` to `data_valid`.
    pub const LATENCY_CYCLES: u64 = 1;
}

impl LinkTransmitter {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.state.q.val() == TransmitterState::Idle && !self.holding.q.val()
    }
}

impl Logic for LinkTransmitter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, holding, held, escaped_is_end, in_crc, crc_bytes);
        self.data.next = self.held.q.val();
        self.data_valid.next = self.holding.q.val();
        self.free.next = !self.holding.q.val() & self.crc_ready.val();
        self.send_ready.next =
            !self.holding.q.val() & self.crc_ready.val() & (self.state.q.val() == TransmitterState::Idle);
        self.emit.next = false;
        self.plain.next = self.send_data.val();
        if self.holding.q.val() & self.data_ready.val() {
            self.holding.d.next = false;
        }
        self.crc_restart.next = false;
        self.crc_byte_valid.next = false;
        self.crc_shift.next = false;
        if self.free.val() {
            match self.state.q.val() {
                TransmitterState::Idle => {
                    if self.send_begin.val() {
                        self.held.d.next = self.frame_end.val();
                        self.holding.d.next = true;
                        self.crc_restart.next = true;
                    }
                    if self.send_byte.val() {
                        self.emit.next = true;
                        self.crc_byte_valid.next = true;
                    }
                    if self.send_end.val() {
                        self.in_crc.d.next = true;
                        self.crc_bytes.d.next = 4;
                        self.state.d.next = TransmitterState::Crc;
                    }
                }
                TransmitterState::Escape => {
                    self.held.d.next = self.escaped_escape.val();
                    if self.escaped_is_end.q.val() {
                        self.held.d.next = self.escaped_end.val();
                    }
                    self.holding.d.next = true;
                    self.state.d.next = TransmitterState::Idle;
                    if self.in_crc.q.val() {
                        self.state.d.next = TransmitterState::Crc;
                    }
                }
                TransmitterState::Crc => {
                    if self.crc_bytes.q.val() == 0 {
                        self.held.d.next = self.frame_end.val();
                        self.holding.d.next = true;
                        self.in_crc.d.next = false;
                        self.state.d.next = TransmitterState::Idle;
                    } else {
                        self.emit.next = true;
                        self.plain.next = self.crc_low_byte.val();
                        self.crc_shift.next = true;
                        self.crc_bytes.d.next = self.crc_bytes.q.val() - 1;
                    }
                }
                _ => {
                    self.state.d.next = TransmitterState::Idle;
                }
            }
        }
        if self.emit.val() {
            self.holding.d.next = true;
            self.held.d.next = self.plain.val();
            if self.plain.val() == self.frame_end.val() {
                self.held.d.next = self.escape.val();
                self.escaped_is_end.d.next = true;
                self.state.d.next = TransmitterState::Escape;
            }
            if self.plain.val() == self.escape.val() {
                self.held.d.next = self.escape.val();
                self.escaped_is_end.d.next = false;
                self.state.d.next = TransmitterState::Escape;
            }
        }
    }
}

//! The check of frames, for both directions.

use crate::bus::{BitAccess, Bus, Number};
use crate::register::Register;
use bitline_golden::link::CRC_RESIDUE;
use rust_hdl::prelude::*;

/// Keeps the CRC-32 (IEEE 802.3) of the bytes since the last restart.
///
/// One serves the receiver and the transmitter, since a frame is answered before the next is taken.
///
/// **Ports** `restart`: begin a frame, wins; `data_valid` with `data`, where `ready`: a byte of the frame; `shift`: drop
/// the low byte, to send the rest. `low_byte`: the CRC as it goes on the wire, lowest byte first; `right`: the bytes
/// ended with their own CRC.
/// **Timing** a byte takes eight clocks, a bit each, in which `ready` is not set.
/// **State** at the start of a frame at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct LinkCrc {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Begin a frame.
    pub restart: Signal<In, Bit>,
    /// A byte of the frame.
    pub data: Bus<In>,
    /// There is one.
    pub data_valid: Signal<In, Bit>,
    /// Drop the low byte.
    pub shift: Signal<In, Bit>,
    /// A byte would be taken, and the outputs hold.
    pub ready: Signal<Out, Bit>,
    /// Low byte of the CRC.
    pub low_byte: Bus<Out>,
    /// The CRC over data and CRC is the residue.
    pub right: Signal<Out, Bit>,
    crc: Register,
    bits: Register,
    bits_left: Register,
    residue: Number,
    polynomial: Number,
    all_ones: Number,
}

impl Default for LinkCrc {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            restart: Signal::default(),
            data: Bus::new(8),
            data_valid: Signal::default(),
            shift: Signal::default(),
            ready: Signal::default(),
            low_byte: Bus::new(8),
            right: Signal::default(),
            crc: Register::with_value(32, u64::from(u32::MAX)),
            bits: Register::new(8),
            bits_left: Register::new(4),
            residue: Number::new(u64::from(CRC_RESIDUE)),
            polynomial: Number::new(0xEDB8_8320),
            all_ones: Number::new(u64::from(u32::MAX)),
        }
    }
}

impl LinkCrc {
    /// Clocks from `data_valid` to the CRC with that byte, `ready` again.
    pub const LATENCY_CYCLES: u64 = 9;

    /// Whether no byte is under way.
    pub fn is_idle(&self) -> bool {
        self.bits_left.q.val() == 0
    }
}

impl Logic for LinkCrc {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, crc, bits, bits_left);
        self.ready.next = self.bits_left.q.val() == 0;
        self.low_byte.next = self.crc.q.val() ^ self.all_ones.val();
        self.right.next = self.crc.q.val() == self.residue.val();
        if self.bits_left.q.val() != 0 {
            self.bits_left.d.next = self.bits_left.q.val() - 1;
            self.bits.d.next = self.bits.q.val() >> 1;
            self.crc.d.next = self.crc.q.val() >> 1;
            if self.crc.q.val().get_bit(0) ^ self.bits.q.val().get_bit(0) {
                self.crc.d.next = (self.crc.q.val() >> 1) ^ self.polynomial.val();
            }
        }
        if self.data_valid.val() {
            self.bits.d.next = self.data.val();
            self.bits_left.d.next = 8;
        }
        if self.shift.val() {
            self.crc.d.next = self.crc.q.val() >> 8;
        }
        if self.restart.val() {
            self.crc.d.next = self.all_ones.val();
        }
    }
}

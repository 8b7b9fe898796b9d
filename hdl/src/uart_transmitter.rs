//! Sends bytes over a serial line.

use crate::bus::{BitAccess, Bus, Number};
use crate::register::Register;
use bitline_golden::machine::bits_to_hold;
use rust_hdl::prelude::*;

/// Eight data bits, least significant first, no parity, one stop bit.
///
/// **Parameters** clocks a bit, 4..=65535.
/// **Ports** `data`, `data_valid`, `data_ready`: a byte is taken where both are set. `line` out, idle high.
/// **Timing** ten bits a byte; the start bit begins one clock after the byte is taken.
/// **State** idle at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct UartTransmitter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The byte to send.
    pub data: Bus<In>,
    /// There is one.
    pub data_valid: Signal<In, Bit>,
    /// It would be taken.
    pub data_ready: Signal<Out, Bit>,
    /// The line.
    pub line: Signal<Out, Bit>,
    clocks_left: Register,
    bits_left: Register,
    low_bits: Register,
    whole_bit: Number,
}

impl UartTransmitter {
    /// Clocks from the byte taken to its start bit.
    pub const LATENCY_CYCLES: u64 = 1;

    /// A transmitter for bits of that many clocks.
    pub fn new(clocks_per_bit: u32) -> Self {
        Self {
            clock: Signal::default(),
            data: Bus::new(8),
            data_valid: Signal::default(),
            data_ready: Signal::default(),
            line: Signal::default(),
            clocks_left: Register::new(bits_to_hold(clocks_per_bit as usize)),
            bits_left: Register::new(4),
            low_bits: Register::new(9),
            whole_bit: Number::new(u64::from(clocks_per_bit) - 1),
        }
    }
}

impl Logic for UartTransmitter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, clocks_left, bits_left, low_bits);
        // The bits to come are held inverted, so that the line idles high from power-on.
        self.line.next = !self.low_bits.q.val().get_bit(0);
        self.data_ready.next = self.bits_left.q.val() == 0;
        if self.bits_left.q.val() == 0 {
            if self.data_valid.val() {
                self.low_bits.d.next = ((self.data.val() ^ 255) << 1) | 1;
                self.bits_left.d.next = 10;
                self.clocks_left.d.next = self.whole_bit.val();
            }
        } else if self.clocks_left.q.val() != 0 {
            self.clocks_left.d.next = self.clocks_left.q.val() - 1;
        } else {
            self.clocks_left.d.next = self.whole_bit.val();
            self.low_bits.d.next = self.low_bits.q.val() >> 1;
            self.bits_left.d.next = self.bits_left.q.val() - 1;
        }
    }
}

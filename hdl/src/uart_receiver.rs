//! Receives bytes from a serial line.

use crate::bus::{BitAccess, Bus, Number};
use crate::register::Register;
use bitline_golden::machine::bits_to_hold;
use rust_hdl::prelude::*;

/// Eight data bits, least significant first, no parity, one stop bit.
///
/// **Parameters** clocks a bit, 4..=65535.
/// **Ports** `line` in, idle high, from any clock domain. `data` with `data_valid` for one clock a byte.
/// **Timing** every bit is sampled in its middle, counted from the start bit's falling edge. A byte whose stop bit is
/// low is dropped.
/// **State** waiting for a start bit at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct UartReceiver {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The line.
    pub line: Signal<In, Bit>,
    /// The byte received.
    pub data: Bus<Out>,
    /// There is one.
    pub data_valid: Signal<Out, Bit>,
    first_stage: DFF<Bit>,
    second_stage: DFF<Bit>,
    active: DFF<Bit>,
    complete: DFF<Bit>,
    clocks_left: Register,
    bits_left: Register,
    bits: Register,
    whole_bit: Number,
    half_bit: Number,
    low: Signal<Local, Bit>,
}

impl UartReceiver {
    /// Clocks from the middle of the stop bit to `data_valid`, beyond the two that bring the line into the clock domain.
    pub const LATENCY_CYCLES: u64 = 1;

    /// A receiver for bits of that many clocks.
    pub fn new(clocks_per_bit: u32) -> Self {
        Self {
            clock: Signal::default(),
            line: Signal::default(),
            data: Bus::new(8),
            data_valid: Signal::default(),
            first_stage: DFF::default(),
            second_stage: DFF::default(),
            active: DFF::default(),
            complete: DFF::default(),
            clocks_left: Register::new(bits_to_hold(clocks_per_bit as usize)),
            bits_left: Register::new(4),
            bits: Register::new(9),
            whole_bit: Number::new(u64::from(clocks_per_bit) - 1),
            half_bit: Number::new(u64::from(clocks_per_bit / 2) - 1),
            low: Signal::default(),
        }
    }
}

impl Logic for UartReceiver {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, first_stage, second_stage, active, complete, clocks_left, bits_left, bits);
        // The stages hold the line inverted, so that a line not yet seen counts as idle.
        self.first_stage.d.next = !self.line.val();
        self.second_stage.d.next = self.first_stage.q.val();
        self.low.next = self.second_stage.q.val();
        self.complete.d.next = false;
        self.data.next = self.bits.q.val();
        self.data_valid.next = self.complete.q.val();
        if !self.active.q.val() {
            if self.low.val() {
                self.active.d.next = true;
                self.clocks_left.d.next = self.half_bit.val();
                self.bits_left.d.next = 9;
            }
        } else if self.clocks_left.q.val() != 0 {
            self.clocks_left.d.next = self.clocks_left.q.val() - 1;
        } else {
            self.clocks_left.d.next = self.whole_bit.val();
            if self.bits_left.q.val() != 0 {
                self.bits_left.d.next = self.bits_left.q.val() - 1;
            }
            if self.bits_left.q.val() == 9 {
                // The middle of the start bit: a glitch is gone by now.
                if !self.low.val() {
                    self.active.d.next = false;
                }
            } else if self.bits_left.q.val() == 0 {
                self.active.d.next = false;
                self.complete.d.next = !self.low.val();
            } else if self.low.val() {
                self.bits.d.next = (self.bits.q.val() >> 1) & 127;
            } else {
                self.bits.d.next = ((self.bits.q.val() >> 1) & 127) | 128;
            }
        }
    }
}

/// What the line carries for one byte: start bit, data, stop bit.
pub fn line_levels(byte: u8) -> [bool; 10] {
    std::array::from_fn(|i| match i {
        0 => false,
        9 => true,
        _ => u64::from(byte).get_bit(i as u64 - 1),
    })
}

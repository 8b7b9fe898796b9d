//! What every machine without a board offers, whichever engine runs it: the golden model, the RustHDL simulation,
//! and later the Verilated export, the netlist and the unpacked bitstream.

use std::collections::VecDeque;

/// A machine that is stepped from software, with the link, switch, button and LEDs a board has.
pub trait VirtualMachine: Send {
    /// Take bytes from the front of `input` as the link accepts them, append bytes the machine sends to `output`,
    /// and advance by at most `clocks` clocks. Returns the clocks advanced; fewer than asked for only when the
    /// machine is idle, `input` is empty and nothing is left to send, so that stepping on would change nothing.
    fn advance(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>, clocks: u64) -> u64;

    /// Clocks since power-on. An engine without a clock (the golden model) counts one a byte.
    fn clock(&self) -> u64;

    /// The nine LEDs, LED 0 (least significant) in bit 0.
    fn leds(&self) -> u16;

    /// Set the start switch (S001's SW0).
    fn set_start_switch(&mut self, on: bool);

    /// Set the reset button (S001's BTN0).
    fn set_reset_button(&mut self, pressed: bool);

    /// Invert one stored device, as a fault after loading would: the documented fault option of `bitline sim`.
    /// Returns false if the tile has no such device.
    fn flip_device(&mut self, row: usize, column: usize) -> bool;

    /// The engine, in words, for reports and for the notice that it takes a short cut, if it does.
    fn description(&self) -> String;
}

//! Keeps an image between the slot memory and the array.

use crate::bus::{SLOT_WORDS, WideBus};
use bitline_golden::machine::Machine;
use bitline_golden::timing::image_register_cycles;
use rust_hdl::prelude::*;

/// The image that drives the array and is read from: a register in machines that read a new image in every clock, else only wires.
///
/// A block RAM is slow to answer, and such a machine hands each answer to every column at once; a machine that reads
/// its array over several clocks has the slot memory's outputs standing still.
///
/// **Ports** `data` in, `image` out. **Timing** latency [`ImageRegister::latency_cycles`], 0 or 1. **State** 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct ImageRegister {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A slot's words.
    pub data: WideBus<In, SLOT_WORDS>,
    /// The same, for the array.
    pub image: WideBus<Out, SLOT_WORDS>,
    _registered: bool,
}

impl ImageRegister {
    /// Clocks from `data` to `image`.
    pub fn latency_cycles(machine: &Machine) -> u64 {
        image_register_cycles(machine)
    }

    /// The image register of a machine.
    pub fn new(machine: &Machine) -> Self {
        Self {
            clock: Signal::default(),
            data: WideBus::new(machine.slot_words() * 16),
            image: WideBus::new(machine.slot_words() * 16),
            _registered: Self::latency_cycles(machine) == 1,
        }
    }
}

impl Logic for ImageRegister {
    fn update(&mut self) {
        if !self._registered || self.clock.pos_edge() {
            self.image.next = self.data.val();
        }
    }
    fn connect(&mut self) {
        self.image.connect();
    }
    fn hdl(&self) -> Verilog {
        let zero = crate::verilog::literal(self.image.bits(), 0);
        Verilog::Custom(if self._registered {
            format!("initial image = {zero};\nalways @(posedge clock) image <= data;\n")
        } else {
            "always @(*) image = data;\n".into()
        })
    }
}

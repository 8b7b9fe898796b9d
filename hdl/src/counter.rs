//! A counter that saturates.

use crate::bus::{BitAccess, Bus, Number};
use crate::register::Register;
use rust_hdl::prelude::*;

/// Adds amounts, and stays at its largest value rather than wrap (contract section 4).
///
/// **Ports** `amount` is added where `enable`; `clear` sets 0 and wins. `value` out, one clock later.
/// **Number rules** unsigned, saturates at 2^width - 1: one bit more is kept, and once it is set all bits are, from the
/// next clock on.
/// **State** 0 at power-on, or what [`Counter::starting_at`] was given.
#[derive(LogicBlock, Clone, Debug)]
pub struct Counter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Set 0.
    pub clear: Signal<In, Bit>,
    /// Add `amount`.
    pub enable: Signal<In, Bit>,
    /// How much.
    pub amount: Bus<In>,
    /// The count.
    pub value: Bus<Out>,
    total: Register,
    overflow_bit: Number,
    all_ones: Number,
}

impl Counter {
    /// Clocks from `amount` to `value`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// A counter of `width` bits for amounts of `amount_width` bits.
    pub fn new(width: usize, amount_width: usize) -> Self {
        Self {
            clock: Signal::default(),
            clear: Signal::default(),
            enable: Signal::default(),
            amount: Bus::new(amount_width),
            value: Bus::new(width),
            total: Register::new(width + 1),
            overflow_bit: Number::new(width as u64),
            all_ones: Number::new((1 << (width + 1)) - 1),
        }
    }

    /// The same, with these bits at power-on, as many as it has.
    #[must_use]
    pub fn starting_at(mut self, counts: u32) -> Self {
        let width = self.value.bits();
        self.total = Register::with_value(width + 1, u64::from(counts) & ((1 << width) - 1));
        self
    }
}

impl Logic for Counter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, total);
        if self.enable.val() {
            self.total.d.next = self.total.q.val() + self.amount.val();
        }
        if self.total.q.val().get_bit(self.overflow_bit.val()) {
            self.total.d.next = self.all_ones.val();
        }
        if self.clear.val() {
            self.total.d.next = 0;
        }
        self.value.next = self.total.q.val();
    }
}

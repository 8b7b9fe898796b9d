//! Signals whose width is chosen when a machine is built rather than when the crate is compiled.
//!
//! RustHDL's `Signal<D, T>` takes its width from the type `T`; a machine's sizes come from a file. [`Bus`] holds up
//! to 64 bits as a `u64`, [`WideBus`] up to 64 words of them. Both take part in RustHDL's checks, Verilog generation
//! and waves as its own signals do, and cut what is assigned to their width when it is read, as Verilog does.

use rust_hdl::prelude::*;
use std::marker::PhantomData;

/// Most words of a [`WideBus`] that carries the rows of one column.
pub const ROW_WORDS: usize = 4;
/// Most words of a [`WideBus`] that carries a slot.
pub const SLOT_WORDS: usize = 16;

/// A value of a [`WideBus`]: bit 0 is bit 0 of word 0.
pub type Words<const K: usize> = [u64; K];

fn vcd_value(width: usize, bit: impl Fn(usize) -> bool) -> VCDValue {
    let single = |value: bool| match VCDValue::from(value) {
        VCDValue::Single(v) => v,
        _ => unreachable!("a bool is a single VCD value"),
    };
    if width == 1 {
        VCDValue::Single(single(bit(0)))
    } else {
        VCDValue::Vector((0..width).rev().map(|i| single(bit(i))).collect())
    }
}

fn bits_descriptor(width: usize) -> TypeDescriptor {
    TypeDescriptor { name: format!("Bits::<{width}>"), kind: TypeKind::Bits(width) }
}

/// A signal of 1 to 64 bits.
#[derive(Clone, Debug)]
pub struct Bus<D: Direction> {
    /// What is assigned in this settling pass.
    pub next: u64,
    val: u64,
    changed: bool,
    claimed: bool,
    id: usize,
    width: usize,
    mask: u64,
    direction: PhantomData<D>,
}

impl<D: Direction> Bus<D> {
    /// A signal of `width` bits that holds 0.
    ///
    /// # Panics
    /// If the width is 0 or above 64.
    pub fn new(width: usize) -> Self {
        assert!((1..=64).contains(&width), "a bus has 1..=64 bits, not {width}");
        Self {
            next: 0,
            val: 0,
            changed: false,
            claimed: false,
            id: rust_hdl_core::signal::get_signal_id(),
            width,
            mask: u64::MAX >> (64 - width),
            direction: PhantomData,
        }
    }

    /// A signal that holds `value` until something else is assigned.
    pub fn with_value(width: usize, value: u64) -> Self {
        let mut bus = Self::new(width);
        bus.next = value & bus.mask;
        bus.val = bus.next;
        bus
    }
}

impl Bus<In> {
    /// The settled value.
    #[inline]
    pub fn val(&self) -> u64 {
        self.val
    }
}

impl Bus<Out> {
    /// The value being driven.
    #[inline]
    pub fn val(&self) -> u64 {
        self.next & self.mask
    }
}

impl Bus<Local> {
    /// The value being driven.
    #[inline]
    pub fn val(&self) -> u64 {
        self.next & self.mask
    }
}

/// A signal of up to `64 * K` bits.
#[derive(Clone, Debug)]
pub struct WideBus<D: Direction, const K: usize> {
    /// What is assigned in this settling pass.
    pub next: Words<K>,
    val: Words<K>,
    changed: bool,
    claimed: bool,
    id: usize,
    width: usize,
    direction: PhantomData<D>,
}

impl<D: Direction, const K: usize> WideBus<D, K> {
    /// A signal of `width` bits that holds 0.
    ///
    /// # Panics
    /// If the width is 0 or above `64 * K`.
    pub fn new(width: usize) -> Self {
        assert!((1..=64 * K).contains(&width), "a bus of {K} words has 1..={} bits, not {width}", 64 * K);
        Self {
            next: [0; K],
            val: [0; K],
            changed: false,
            claimed: false,
            id: rust_hdl_core::signal::get_signal_id(),
            width,
            direction: PhantomData,
        }
    }
}

impl<const K: usize> WideBus<In, K> {
    /// The settled value.
    #[inline]
    pub fn val(&self) -> Words<K> {
        self.val
    }
}

impl<const K: usize> WideBus<Out, K> {
    /// The value being driven.
    #[inline]
    #[allow(clippy::misnamed_getters)] // An output shows what is being driven, as RustHDL's own signals do.
    pub fn val(&self) -> Words<K> {
        self.next
    }
}

/// A named constant of the hardware.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    value: u64,
    id: usize,
}

impl Number {
    /// A constant.
    pub fn new(value: u64) -> Self {
        Self { value, id: rust_hdl_core::signal::get_signal_id() }
    }

    /// Its value.
    #[inline]
    pub fn val(&self) -> u64 {
        self.value
    }
}

macro_rules! block_of_an_atom {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> Logic for $type {
            fn update(&mut self) {}
            fn connect(&mut self) {
                self.claimed = true;
            }
        }

        impl<$($generics)*> Block for $type {
            fn connect_all(&mut self) {}
            #[inline]
            fn update_all(&mut self) {
                let value = self.cut();
                self.changed = self.val != value;
                if self.changed {
                    self.val = value;
                }
            }
            #[inline]
            fn has_changed(&self) -> bool {
                self.changed
            }
            fn accept(&self, name: &str, probe: &mut dyn Probe) {
                probe.visit_atom(name, self);
            }
        }

        impl<$($generics)*> Atom for $type {
            fn bits(&self) -> usize {
                self.width
            }
            fn connected(&self) -> bool {
                self.claimed
            }
            fn changed(&self) -> bool {
                self.changed
            }
            fn kind(&self) -> AtomKind {
                D::KIND
            }
            fn descriptor(&self) -> TypeDescriptor {
                bits_descriptor(self.width)
            }
            fn vcd(&self) -> VCDValue {
                vcd_value(self.width, |i| self.bit(i))
            }
            fn id(&self) -> usize {
                self.id
            }
            fn verilog(&self) -> VerilogLiteral {
                0u64.into()
            }
            fn constraints(&self) -> Vec<PinConstraint> {
                vec![]
            }
        }
    };
}

impl<D: Direction> Bus<D> {
    #[inline]
    fn cut(&self) -> u64 {
        self.next & self.mask
    }
    fn bit(&self, i: usize) -> bool {
        self.val >> i & 1 == 1
    }
}

impl<D: Direction, const K: usize> WideBus<D, K> {
    #[inline]
    fn cut(&self) -> Words<K> {
        self.next
    }
    fn bit(&self, i: usize) -> bool {
        self.val[i / 64] >> (i % 64) & 1 == 1
    }
}

block_of_an_atom!([D: Direction] Bus<D>);
block_of_an_atom!([D: Direction, const K: usize] WideBus<D, K>);

impl Logic for Number {
    fn update(&mut self) {}
}

impl Block for Number {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {}
    fn has_changed(&self) -> bool {
        false
    }
    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self);
    }
}

impl Atom for Number {
    fn bits(&self) -> usize {
        64
    }
    fn connected(&self) -> bool {
        true
    }
    fn changed(&self) -> bool {
        false
    }
    fn kind(&self) -> AtomKind {
        AtomKind::Constant
    }
    fn descriptor(&self) -> TypeDescriptor {
        bits_descriptor(64)
    }
    fn vcd(&self) -> VCDValue {
        vcd_value(64, |i| self.value >> i & 1 == 1)
    }
    fn id(&self) -> usize {
        self.id
    }
    fn verilog(&self) -> VerilogLiteral {
        self.value.into()
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        vec![]
    }
}

/// Bit access that reads the same in Rust and in the Verilog made from it.
pub trait BitAccess {
    /// Bit `index`.
    fn get_bit(self, index: u64) -> bool;
    /// `N` bits from `offset` up.
    fn get_bits<const N: usize>(self, offset: u64) -> u64;
    /// Whether any bit is set.
    fn any(self) -> bool;
}

impl BitAccess for u64 {
    #[inline]
    fn get_bit(self, index: u64) -> bool {
        self >> index & 1 == 1
    }
    #[inline]
    fn get_bits<const N: usize>(self, offset: u64) -> u64 {
        self >> offset & (u64::MAX >> (64 - N))
    }
    #[inline]
    fn any(self) -> bool {
        self != 0
    }
}

//! The sequencer's instruction set, from one table: encoding, decoding, assembler, disassembler, and the checks that a
//! program passes before it is loaded.
//!
//! `no_std` without the feature `std`: the table and the codec ([`mod@isa`]) and the checks ([`mod@verify`]) need nothing
//! but `core`, the text form ([`mod@text`]) needs `alloc`. With it, [`mod@compile`] makes a program of a network and
//! [`mod@execute`] runs it, instruction by instruction, with golden's arithmetic and the clocks that [`mod@timing`] predicts;
//! [`mod@fast`] gives the same for many images at once ([ADR 0013](../../../docs/adr/0013-programs-of-whole-layers.md)).

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "std")]
pub mod compile;
#[cfg(feature = "std")]
pub mod execute;
#[cfg(feature = "std")]
pub mod fast;
#[cfg(feature = "std")]
pub mod file;
pub mod isa;
#[cfg(feature = "std")]
pub mod program;
pub mod reference;
pub mod text;
#[cfg(feature = "std")]
pub mod timing;
pub mod verify;

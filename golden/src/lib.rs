//! The reference model of bitline.
//!
//! Integers throughout; nothing here rounds except where a doc comment says so.
//!
//! Index order: weights and devices are `[output][row]` and `[row][column]`, images are `[image][input]`.
//! Bit order: bit 0 is least significant; column `output * weight_bits + j` holds bit j; plane i holds bit i of
//! every input. Column `weight_bits - 1` of an output counts negatively (two's complement).

pub mod argmax;
pub mod array;
pub mod board_model;
pub mod column;
pub mod counters;
pub mod dataset;
pub mod deep_machine;
pub mod deep_registers;
pub mod device;
pub mod draw;
pub mod error;
pub mod link;
pub mod machine;
pub mod network;
pub mod packed;
pub mod planes;
pub mod programming;
pub mod quantizer;
pub mod random;
pub mod recombination;
pub mod registers;
pub mod run;
pub mod scale_factor;
pub mod tile;
pub mod timing;
pub mod trace;
pub mod virtual_machine;

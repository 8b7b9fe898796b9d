//! Boards: which pin is what, and the way from exported Verilog to a bitstream with the open tools.
//!
//! A [`board::Board`] is read from `boards/boards/*.toml`. [`constraints`] writes its pins for nextpnr, [`wrapper`] the
//! small Verilog module `board_top` that adapts the gateware's `top` to the board (inverted buttons and LEDs, pins held at a level).
//! [`flow`] runs Yosys, nextpnr and the packer, each stage kept under its content's hash, and [`usage`] reads area and
//! clock from what they report. [`bitstream`] is what comes out, with a manifest of what it was made from. [`budget`] says how much a machine may take.
//! [`results`] and [`runs`] are what was measured and is kept.
//! [`netlist`] and [`unpacked`] give what the tools made back as Verilog, [`verilated`] runs it, and [`traced`] looks into it.
//!
//! Clocks and frequencies are in hertz. Bit 0 of the LED row is its least significant.

pub mod and_graph;
pub mod bitstream;
pub mod board;
pub mod budget;
pub mod constraints;
pub(crate) mod counts;
pub mod equivalence;
pub mod error;
pub mod floorplan;
pub mod flow;
pub mod formal;
pub mod mutation;
pub mod netlist;
pub mod pll;
pub mod results;
pub mod runs;
pub mod stage;
pub mod tools;
pub mod traced;
pub mod unpacked;
pub mod usage;
pub mod verilated;
pub mod virtual_board;
pub mod wrapper;

pub use board::Board;
pub use error::BoardError;

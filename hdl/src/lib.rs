//! Gateware of bitline in RustHDL, its Verilog export and its cycle-accurate simulation.

pub mod bus;
pub mod register;
pub mod simulation;
pub mod verilog;

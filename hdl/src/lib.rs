//! Gateware of bitline in RustHDL, its Verilog export and its cycle-accurate simulation.

pub mod simulation;

//! Gateware of bitline in RustHDL, its Verilog export and its cycle-accurate simulation.
//!
//! One block a file: `golden/src/quantizer.rs` and `hdl/src/column_quantizer.rs` are the same noun in two models that
//! share sizes and addresses, never arithmetic. Sizes are chosen when a block is made; see `docs/adr`.

pub mod accelerator;
pub mod address_check;
pub mod argmax;
pub mod bus;
pub mod checksum;
pub mod column_counter;
pub mod column_quantizer;
pub mod counter;
pub mod deep;
pub mod delay;
pub mod device_array;
pub mod export;
pub mod feeder;
pub mod image_register;
pub mod lane_select;
pub mod link_crc;
pub mod link_executor;
pub mod link_receiver;
pub mod link_transmitter;
pub mod memory;
mod population_count;
pub mod pulse_counter;
pub mod read_select;
pub mod register;
pub mod register_file;
pub mod register_reader;
pub mod saturation_counter;
pub mod sequencer;
pub mod shift_add;
pub mod simulation;
pub mod slot_memory;
pub mod top;
pub mod trace;
pub mod uart_receiver;
pub mod uart_transmitter;
pub mod verilog;

//! Verilog of a machine.

use crate::accelerator::Accelerator;
use crate::deep::accelerator::DeepAccelerator;
use crate::deep::core::DeepContents;
use crate::deep::top::DeepTop;
use crate::population_count;
use crate::simulation::{Contents, HdlError, build_hash, deep_build_hash};
use crate::top::Top;
use crate::verilog::COPIED_BIT;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::Machine;
use rust_hdl::prelude::*;

/// What can be chosen about an export.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// Weights, images and labels built into the memories (S001's stand-alone mode).
    pub contents: Contents,
    /// Clock of the board in hertz, if not the machine's own.
    pub clock_hz: Option<u32>,
    /// What IDENTIFY answers for a build hash, if not the machine's own.
    pub build_hash: Option<u64>,
    /// Leave the UART out: the top module has the bytes before it as ports instead of the serial line. A short cut, for speed.
    pub bytes: bool,
}

/// The machine as one Verilog file whose top module is `top`.
///
/// Ports: `clock`, `uart_rx`, `uart_tx`, `start_switch`, `reset_button`, `leds[8:0]`.
///
/// # Errors
/// [`HdlError`] if the gateware cannot be this machine, the contents do not fit it, or RustHDL's own checks (everything
/// connected, no loops, no input driven twice) fail.
pub fn verilog(machine: &Machine, options: &ExportOptions) -> Result<String, HdlError> {
    let mut board = machine.clone();
    if let Some(clock_hz) = options.clock_hz {
        board.link.clock_hz = clock_hz;
        board.check().map_err(HdlError::Machine)?;
    }
    let hash = options.build_hash.unwrap_or_else(|| build_hash(machine));
    if options.bytes {
        text_of(Accelerator::new(&board, hash, &options.contents)?, &board, hash)
    } else {
        text_of(Top::new(&board, hash, &options.contents)?, &board, hash)
    }
}

/// The same for a machine that runs programs; with `bytes`, its top module has the bytes before the UART as ports instead of the serial line:
/// a short cut, for speed.
///
/// # Errors
/// [`HdlError`] if the gateware cannot be this machine, or RustHDL's own checks fail.
pub fn deep_verilog(
    machine: &DeepMachine,
    contents: &DeepContents,
    clock_hz: Option<u32>,
    bytes: bool,
) -> Result<String, HdlError> {
    let mut board = machine.clone();
    board.link.clock_hz = clock_hz.unwrap_or(board.link.clock_hz);
    let hash = deep_build_hash(machine);
    if bytes {
        text_of(DeepAccelerator::new(&board, hash, contents)?, &board.face(), hash)
    } else {
        text_of(DeepTop::new(&board, hash, contents)?, &board.face(), hash)
    }
}

/// A design as text.
fn text_of(mut top: impl Block, machine: &Machine, hash: u64) -> Result<String, HdlError> {
    top.connect_all();
    check_all(&top).map_err(|e| HdlError::Check { message: format!("{e:?}") })?;
    let text = generate_verilog_unchecked(&top);
    let header = format!(
        "// bitline machine {}, build {hash:016x}, {} clocks a bit on the serial line.\n\
         // Made by `bitline export`; do not edit.\n\
         // RustHDL 0.46: its translator writes literals of 32 bits whatever the width of the signal.\n\
         /* verilator lint_off WIDTHEXPAND */\n/* verilator lint_off WIDTHTRUNC */\n\
         // A machine's constant may be 0, and then comparing with it is constant.\n\
         /* verilator lint_off UNSIGNED */\n",
        machine.name,
        machine.link.clocks_per_bit()
    );
    let text: String =
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(|l| format!("{l}\n")).collect();
    let libraries = [("count_pair_sum", population_count::LIBRARY), ("copied_bit", COPIED_BIT)];
    let used = libraries.iter().filter(|(module, _)| text.contains(module)).map(|(_, library)| *library);
    Ok(header + &used.collect::<String>() + &text)
}

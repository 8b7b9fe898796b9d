//! Write a machine's Verilog: `cargo run -p bitline-hdl --example export -- digits > top.v`.

use bitline_golden::machine::Machine;
use bitline_hdl::export::{ExportOptions, verilog};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "digits".into());
    print!("{}", verilog(&Machine::named(&name)?, &ExportOptions::default())?);
    Ok(())
}

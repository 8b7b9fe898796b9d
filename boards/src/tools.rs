//! Where the programs of the open flow are: PATH first, then the `.tools/bin` that `make tools` fills.

use crate::error::BoardError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Programs that the flow and the checks of exported Verilog call.
pub const ALL: [&str; 14] = [
    "yosys",
    "nextpnr-ice40",
    "nextpnr-ecp5",
    "icepack",
    "iceunpack",
    "icebox_vlog",
    "icepll",
    "ecppack",
    "ecppll",
    "verilator",
    "iverilog",
    "vvp",
    "sby",
    "yices-smt2",
];

/// Programs that write a bitstream to a board; only somebody with a board needs one.
pub const LOADERS: [&str; 3] = ["openFPGALoader", "iceprog", "fujprog"];

/// Environment variable that names a folder to look in after PATH, instead of `.tools/bin`.
pub const FOLDER_VARIABLE: &str = "BITLINE_TOOLS";

/// Where a tool is.
///
/// # Errors
/// [`BoardError::MissingTool`] says how to install it.
pub fn find(tool: &str) -> Result<PathBuf, BoardError> {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        return std::env::split_paths(&path)
            .chain([PathBuf::from(folder)])
            .map(|folder| folder.join(tool))
            .find(|file| is_executable(file))
            .ok_or_else(|| BoardError::MissingTool { tool: tool.to_string() });
    }
    let here = std::env::current_dir().unwrap_or_default();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots = here.ancestors().chain(source.ancestors().skip(1).take(1));
    find_in(tool, &std::env::var_os("PATH").unwrap_or_default(), roots)
}

fn find_in<'a>(tool: &str, path: &OsStr, roots: impl Iterator<Item = &'a Path>) -> Result<PathBuf, BoardError> {
    let own = roots.map(|root| root.join(".tools").join("bin"));
    std::env::split_paths(path)
        .chain(own)
        .map(|folder| folder.join(tool))
        .find(|file| is_executable(file))
        .ok_or_else(|| BoardError::MissingTool { tool: tool.to_string() })
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// The tool's own words about its version: the first line that is one.
///
/// # Errors
/// [`BoardError::MissingTool`], or [`BoardError::Io`] if it does not start.
pub fn version(tool: &str) -> Result<String, BoardError> {
    let program = find(tool)?;
    if matches!(tool, "icepack" | "iceunpack" | "icebox_vlog" | "icepll") {
        return Ok("IceStorm, tells no version".to_string());
    }
    if tool == "ecppll" {
        return Ok("Project Trellis, tells no version".to_string());
    }
    let flag = if matches!(tool, "yosys" | "iverilog" | "vvp" | "openFPGALoader") { "-V" } else { "--version" };
    let output =
        std::process::Command::new(&program).arg(flag).output().map_err(|e| BoardError::io(&program, "started", &e))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // A first call of a WebAssembly tool says that it is being prepared.
    // One that has no version, icepack, answers with its usage.
    let says_version = |line: &&str| {
        !(line.trim().is_empty()
            || line.contains("take a while")
            || line.contains("Usage")
            || line.contains("option")
            || line.contains("--help"))
    };
    let line = text.lines().take(3).find(says_version);
    Ok(line.unwrap_or("no version given").trim().trim_matches('"').to_string())
}

/// ABC's own words about its version, which it tells when asked inside.
///
/// # Errors
/// Those of [`version`].
pub fn abc_version() -> Result<String, BoardError> {
    let program = find("yosys-abc")?;
    let output = std::process::Command::new(&program)
        .args(["-c", "version"])
        .output()
        .map_err(|e| BoardError::io(&program, "started", &e))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains("ABC") && line.contains("compiled"));
    Ok(line.unwrap_or("no version given").trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn find_prefers_path_then_tools_folder_then_names_the_tool() {
        let root = std::env::temp_dir().join(format!("bitline-tools-{}", std::process::id()));
        let (native, own) = (root.join("native"), root.join(".tools/bin"));
        for folder in [&native, &own] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let make = |file: PathBuf, mode| {
            std::fs::write(&file, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        make(native.join("yosys"), 0o755);
        make(own.join("yosys"), 0o755);
        make(own.join("icepack"), 0o755);
        make(own.join("ecppack"), 0o644);
        let look = |tool| find_in(tool, native.as_os_str(), std::iter::once(root.as_path()));
        assert_eq!(look("yosys"), Ok(native.join("yosys")));
        assert_eq!(look("icepack"), Ok(own.join("icepack")));
        assert_eq!(look("ecppack"), Err(BoardError::MissingTool { tool: "ecppack".into() }));
        std::fs::remove_dir_all(root).unwrap();
    }
}

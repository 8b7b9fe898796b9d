//! Steps of a flow, each kept in a folder named by a hash of everything that determines its result.
//!
//! A step whose folder is there is not run again. It works in a folder beside it and moves it into place when done, so
//! what is there is whole.

use crate::error::BoardError;
use crate::tools;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Run a stage in a fresh folder below `out` unless its folder is there; gives back the folder, and how long it took if
/// it was run.
///
/// # Errors
/// [`BoardError`]: what `work` says, or a folder that cannot be written.
pub fn stage(
    out: &Path,
    name: &str,
    key: &str,
    work: impl FnOnce(&Path) -> Result<(), BoardError>,
) -> Result<(PathBuf, Option<Duration>), BoardError> {
    let folder = out.join(format!("{name}-{}", &key[..16]));
    if folder.is_dir() {
        return Ok((folder, None));
    }
    let partial = out.join(format!("{name}-{}.{}.partial", &key[..16], std::process::id()));
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(|e| BoardError::io(&partial, "removed", &e))?;
    }
    std::fs::create_dir_all(&partial).map_err(|e| BoardError::io(&partial, "written", &e))?;
    let start = Instant::now();
    work(&partial)?;
    match std::fs::rename(&partial, &folder) {
        Ok(()) => {}
        // Another process finished the same stage first.
        Err(_) if folder.is_dir() => {
            std::fs::remove_dir_all(&partial).map_err(|e| BoardError::io(&partial, "removed", &e))?;
        }
        Err(e) => return Err(BoardError::io(&folder, "written", &e)),
    }
    Ok((folder, Some(start.elapsed())))
}

/// A hash of all parts, in hexadecimal.
pub fn hash(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Write a file.
///
/// # Errors
/// [`BoardError::Io`].
pub fn write(file: &Path, bytes: &[u8]) -> Result<(), BoardError> {
    std::fs::write(file, bytes).map_err(|e| BoardError::io(file, "written", &e))
}

/// Run a tool inside `folder` with names relative to it: the WebAssembly builds see another /tmp than we do.
///
/// # Errors
/// [`BoardError`]: a missing tool, or one that failed, with its last words.
pub fn run(folder: &Path, tool: &str, options: &[&str], log: &str) -> Result<(), BoardError> {
    let program = tools::find(tool)?;
    let output = Command::new(&program)
        .args(options)
        .current_dir(folder)
        .output()
        .map_err(|e| BoardError::io(&program, "started", &e))?;
    let log = folder.join(log);
    if !log.exists() {
        write(&log, &[&output.stdout[..], &output.stderr].concat())?;
    }
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
    if text.trim().is_empty() {
        text = std::fs::read_to_string(&log).unwrap_or_default();
    }
    let lines: Vec<&str> = text.trim().lines().collect();
    let tail = lines[lines.len().saturating_sub(8)..].join("\n");
    Err(BoardError::ToolFailed { tool: tool.to_string(), status: output.status.to_string(), log, tail })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("bitline-flow-{}-{name}", std::process::id()))
    }

    #[test]
    fn stage_runs_once_for_a_key_and_again_for_another() {
        let out = out("stage");
        let (one, other) = (hash(&[b"a", b"b"]), hash(&[b"ab", b""]));
        assert_ne!(one, other, "parts must not run into each other");
        let mut runs = 0;
        for key in [&one, &one, &other] {
            let (folder, _) = stage(&out, "s", key, |work| {
                runs += 1;
                write(&work.join("result"), b"x")
            })
            .unwrap();
            assert!(folder.join("result").exists());
        }
        assert_eq!(runs, 2);
        std::fs::remove_dir_all(out).unwrap();
    }

    #[test]
    fn stage_that_fails_leaves_nothing_that_counts_as_done() {
        let out = out("fails");
        let key = hash(&[b"k"]);
        let failed = BoardError::MissingTool { tool: "yosys".into() };
        assert_eq!(stage(&out, "s", &key, |_| Err(failed.clone())).unwrap_err(), failed);
        let (_, took) = stage(&out, "s", &key, |_| Ok(())).unwrap();
        assert!(took.is_some());
        std::fs::remove_dir_all(out).unwrap();
    }
}

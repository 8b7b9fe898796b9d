//! Steps of a flow, each kept in a folder named by a hash of everything that determines its result.
//!
//! A step whose folder is there is not run again. It works in a folder beside it and moves it into place when done, so
//! what is there is whole. A step that fails leaves its folder as `.failed`, for its logs; the next try replaces it.

use crate::error::BoardError;
use crate::tools;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How long a tool may take unless told otherwise: nextpnr's router can go round in circles for ever.
pub const LIMIT: Duration = Duration::from_secs(60 * 60);

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
    let name = format!("{name}-{}", &key[..16]);
    let folder = out.join(&name);
    if folder.is_dir() {
        return Ok((folder, None));
    }
    remove_abandoned(out, &name)?;
    let partial = out.join(format!("{name}.{}.partial", std::process::id()));
    let failed = out.join(format!("{name}.failed"));
    remove(&partial)?;
    std::fs::create_dir_all(&partial).map_err(|e| BoardError::io(&partial, "written", &e))?;
    let start = Instant::now();
    if let Err(error) = work(&partial) {
        remove(&failed)?;
        return Err(match std::fs::rename(&partial, &failed) {
            Ok(()) => error.moved(&partial, &failed),
            Err(_) => error,
        });
    }
    remove(&failed)?;
    match std::fs::rename(&partial, &folder) {
        Ok(()) => {}
        // Another process finished the same stage first.
        Err(_) if folder.is_dir() => remove(&partial)?,
        Err(e) => return Err(BoardError::io(&folder, "written", &e)),
    }
    Ok((folder, Some(start.elapsed())))
}

fn remove(folder: &Path) -> Result<(), BoardError> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(BoardError::io(folder, "removed", &e)),
        _ => Ok(()),
    }
}

/// Remove what processes that are gone left of this stage: they were killed before they could tidy up.
fn remove_abandoned(out: &Path, name: &str) -> Result<(), BoardError> {
    let prefix = format!("{name}.");
    for entry in std::fs::read_dir(out).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".partial"));
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists() && Path::new("/proc/self").exists()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
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

/// Run a tool that writes its result on stdout, into a file of `folder`; its other words go to `<tool>.log`.
///
/// # Errors
/// As [`run_within`].
pub fn run_into(folder: &Path, tool: &str, options: &[&str], file: &str) -> Result<(), BoardError> {
    call(LIMIT, folder, tool, options, &format!("{tool}.log"), Some(file))
}

/// Run a tool inside `folder` with names relative to it: the WebAssembly builds see another /tmp than we do. It may take
/// [`LIMIT`].
///
/// # Errors
/// As [`run_within`].
pub fn run(folder: &Path, tool: &str, options: &[&str], log: &str) -> Result<(), BoardError> {
    run_within(LIMIT, folder, tool, options, log)
}

/// Run a tool as [`run`] does, and stop it when it takes longer than `limit`.
///
/// # Errors
/// [`BoardError`]: a missing tool, one that failed or was stopped, with its last words.
pub fn run_within(limit: Duration, folder: &Path, tool: &str, options: &[&str], log: &str) -> Result<(), BoardError> {
    call(limit, folder, tool, options, log, None)
}

fn call(
    limit: Duration,
    folder: &Path,
    tool: &str,
    options: &[&str],
    log: &str,
    result: Option<&str>,
) -> Result<(), BoardError> {
    let program = tools::find(tool)?;
    let log = folder.join(log);
    // Files and not pipes: a pipe that nobody empties would stop the tool.
    let mut spoken = ["stdout", "stderr"].map(|stream| folder.join(format!("{tool}.{stream}")));
    if let Some(file) = result {
        spoken[0] = folder.join(file);
    }
    let open = |file: &PathBuf| std::fs::File::create(file).map_err(|e| BoardError::io(file, "written", &e));
    let mut child = Command::new(&program)
        .args(options)
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .stdout(open(&spoken[0])?)
        .stderr(open(&spoken[1])?)
        .spawn()
        .map_err(|e| BoardError::io(&program, "started", &e))?;
    let status = wait(&mut child, limit).map_err(|e| BoardError::io(&program, "waited for", &e))?;
    let talk = if result.is_some() { &spoken[1..] } else { &spoken[..] };
    let words: Vec<Vec<u8>> = talk.iter().map(|file| std::fs::read(file).unwrap_or_default()).collect();
    if !log.exists() {
        write(&log, &words.concat())?;
    }
    for file in talk {
        std::fs::remove_file(file).map_err(|e| BoardError::io(file, "removed", &e))?;
    }
    if status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&words[words.len() - 1]).into_owned();
    if text.trim().is_empty() {
        text = String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
    }
    let lines: Vec<&str> = text.trim().lines().collect();
    let tail = lines[lines.len().saturating_sub(8)..].join("\n");
    let tool = tool.to_string();
    Err(match status {
        Some(status) => BoardError::ToolFailed { tool, status: status.to_string(), log, tail },
        None => BoardError::TookTooLong { tool, limit_seconds: limit.as_secs(), log, tail },
    })
}

/// Wait for a child; none if it took longer than `limit` and was killed.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause.min(limit.saturating_sub(start.elapsed())));
        pause = (pause * 2).min(Duration::from_millis(200));
    }
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
    #[test]
    fn stage_that_fails_keeps_its_log_and_the_next_try_replaces_it() {
        let out = out("log");
        let key = hash(&[b"k"]);
        let fail =
            |words: &'static str| stage(&out, "s", &key, |work| run(work, "sh", &["-c", words], "sh.log")).unwrap_err();
        fail("echo first >&2; exit 3");
        let BoardError::ToolFailed { log, tail, .. } = fail("echo second >&2; exit 3") else { panic!("not a failure") };
        assert_eq!((tail.as_str(), std::fs::read_to_string(log).unwrap().as_str()), ("second", "second\n"));
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
        // What a process that was killed left behind. No process has this number.
        let abandoned = out.join(format!("s-{}.4194999.partial", &key[..16]));
        std::fs::create_dir_all(&abandoned).unwrap();
        stage(&out, "s", &key, |_| Ok(())).unwrap();
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "the result alone is left");
        std::fs::remove_dir_all(out).unwrap();
    }

    #[test]
    fn run_stops_a_tool_at_its_limit_and_says_so() {
        let out = out("limit");
        std::fs::create_dir_all(&out).unwrap();
        let start = Instant::now();
        let options = ["-c", "echo routing >&2; exec sleep 60"];
        let error = run_within(Duration::from_secs(1), &out, "sh", &options, "sh.log").unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(30));
        let expected = BoardError::TookTooLong {
            tool: "sh".into(),
            limit_seconds: 1,
            log: out.join("sh.log"),
            tail: "routing".into(),
        };
        assert_eq!(error, expected);
        std::fs::remove_dir_all(out).unwrap();
    }
}

//! A sweep's folder: `records.jsonl`, `sweep.lock`, and `checkpoints/` with a file a run that is under way.

use super::SweepError;
use super::error::{LOCK, WRITE};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// A folder that no other sweep works in as long as this value lives. The lock is the operating system's, so it ends with the
/// process, however that ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Make the folder where it is not there, and take it. What a process that was killed had half written goes.
    ///
    /// # Errors
    /// [`SweepError::Busy`], [`SweepError::File`].
    pub fn take(path: &Path) -> Result<Self, SweepError> {
        let checkpoints = path.join("checkpoints");
        std::fs::create_dir_all(&checkpoints).map_err(|e| SweepError::file(&checkpoints, WRITE, &e))?;
        let file = path.join("sweep.lock");
        let lock = OpenOptions::new().create(true).append(true).open(&file);
        let lock = lock.map_err(|e| SweepError::file(&file, WRITE, &e))?;
        match lock.try_lock() {
            Ok(()) => {
                remove_parts(&checkpoints)?;
                Ok(Self { path: path.into(), _lock: lock })
            }
            Err(TryLockError::WouldBlock) => Err(SweepError::Busy { folder: path.display().to_string() }),
            Err(TryLockError::Error(e)) => Err(SweepError::file(&file, LOCK, &e)),
        }
    }

    /// The file of records.
    pub fn records(&self) -> PathBuf {
        self.path.join("records.jsonl")
    }

    /// The checkpoint of a run.
    pub fn checkpoint(&self, identity: &str) -> PathBuf {
        self.path.join("checkpoints").join(format!("{identity}.safetensors"))
    }
}

/// Remove the files beside checkpoints that nobody can be writing now: whoever holds the lock is the only one who would.
fn remove_parts(checkpoints: &Path) -> Result<(), SweepError> {
    let fault = |e: std::io::Error| SweepError::file(checkpoints, WRITE, &e);
    for entry in std::fs::read_dir(checkpoints).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|ending| ending == "part") {
            std::fs::remove_file(path).map_err(fault)?;
        }
    }
    Ok(())
}

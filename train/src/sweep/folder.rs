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
    /// Make the folder where it is not there, and take it.
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
            Ok(()) => Ok(Self { path: path.into(), _lock: lock }),
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

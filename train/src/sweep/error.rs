//! What a sweep refuses.

use crate::TrainError;
use thiserror::Error;

/// Why a sweep cannot start or go on.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum SweepError {
    /// A file or folder cannot be read or written.
    #[error(
        "{path} cannot be {action}: {reason}; check that it exists, that you may {action_now} it and that the disk has space"
    )]
    File {
        /// The path.
        path: String,
        /// "read", "written", "locked".
        action: &'static str,
        /// The same as a verb: "read", "write", "lock".
        action_now: &'static str,
        /// What the system said.
        reason: String,
    },
    /// A study is not TOML, or one of its keys or values is not a run's.
    #[error("{file}, line {line}, {key}: {reason}")]
    Study {
        /// The study's file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// The key, dotted, or "study".
        key: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// Another sweep works in the folder.
    #[error("{folder} is in use by another sweep; wait until it has ended, or give another --out")]
    Busy {
        /// The folder.
        folder: String,
    },
    /// A line of a records file that is not the last is damaged.
    #[error(
        "{file}, line {line}: {reason}; the line was changed after it was written: remove it, and its run is done again"
    )]
    Record {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A run failed for a reason that is not the configuration's.
    #[error("run {identity}: {reason}")]
    Run {
        /// The run's identity.
        identity: String,
        /// Why.
        reason: Box<TrainError>,
    },
    /// Training's own refusals.
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl SweepError {
    /// A file's fault, from the system's.
    pub fn file(path: &std::path::Path, action: (&'static str, &'static str), reason: &std::io::Error) -> Self {
        Self::File {
            path: path.display().to_string(),
            action: action.0,
            action_now: action.1,
            reason: reason.to_string(),
        }
    }
}

/// For [`SweepError::file`].
pub const READ: (&str, &str) = ("read", "read");
/// For [`SweepError::file`].
pub const WRITE: (&str, &str) = ("written", "write");
/// For [`SweepError::file`].
pub const LOCK: (&str, &str) = ("locked", "lock");

//! What a sweep report refuses.

use crate::report::ReportError;
use bitline_train::sweep::SweepError;
use std::path::PathBuf;
use thiserror::Error;

/// Why no sweep report was written.
#[derive(Debug, Error)]
pub enum SweepReportError {
    /// A records file cannot be read, or one of its lines is damaged.
    #[error(transparent)]
    Records(#[from] SweepError),
    /// There is no such file.
    #[error("{file} is not there; give a records file, or the folder that `bitline sweep run` wrote its records into")]
    Absent {
        /// The file.
        file: PathBuf,
    },
    /// A study in place of records.
    #[error("{file} is a study; give the folder that `bitline sweep run` wrote its records into, or its records file")]
    Study {
        /// The file.
        file: PathBuf,
    },
    /// No record in any file.
    #[error("{files} hold no run; run `bitline sweep run` first")]
    Empty {
        /// The files, in words.
        files: String,
    },
    /// A record whose configuration or epochs are not those of a run of the lab.
    #[error("{file}, run {identity}: {reason}; make its report with the version of bitline that wrote it, {version}")]
    Run {
        /// The file.
        file: PathBuf,
        /// The run's identity.
        identity: String,
        /// What is wrong.
        reason: String,
        /// The version that wrote the record.
        version: String,
    },
    /// Two records of one run say different things.
    #[error(
        "run {identity}: {first} and {second} record different results of it; leave one of them out, and find out which machine or build is at fault"
    )]
    Conflict {
        /// The run's identity.
        identity: String,
        /// One file.
        first: PathBuf,
        /// The other, or the same.
        second: PathBuf,
    },
    /// A file cannot be written, or a figure not drawn.
    #[error(transparent)]
    Report(#[from] ReportError),
}

//! The record of a run, one JSON line, and the file of records.
//!
//! A line is written whole with its newline in one call and synced to the disk before the run counts as done. Power lost in
//! between can leave a last line without its newline or its end; such a line is cut off when the file is next opened, and its run
//! is done again. The order of the lines says nothing.

use super::SweepError;
use super::error::{READ, WRITE};
use crate::idx::sha256;
use bitline_golden::network::file::sync_folder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Version of a record's format; a part of a run's identity.
pub const RECORD_VERSION: u32 = 1;

/// One run, done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`RECORD_VERSION`] of the program that wrote it.
    pub record_version: u32,
    /// The run's identity, SHA-256, hexadecimal.
    pub identity: String,
    /// The configuration.
    pub config: Value,
    /// Checksum of the data, SHA-256, hexadecimal.
    pub data_sha256: String,
    /// Version of bitline.
    pub version: String,
    /// One value an epoch, from the first to the last.
    pub epochs: Vec<Value>,
    /// Why there are no epochs, where training left the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Time that the run took in this process, in seconds; after a resumption, only what came after it.
    pub seconds: f64,
}

impl Record {
    /// The record without its time, which is all that may differ between two sweeps of one study.
    pub fn timeless(&self) -> Self {
        Self { seconds: 0.0, ..self.clone() }
    }
}

/// JSON with sorted keys and no spaces: one text for one value.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            let parts: Vec<_> =
                keys.iter().map(|(k, v)| format!("{}:{}", Value::from(k.as_str()), canonical(v))).collect();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// A run's identity; see the page of [`super`].
pub fn identity(config: &Value, data_sha256: &str) -> String {
    let whole = serde_json::json!({ "config": config, "data_sha256": data_sha256, "record_version": RECORD_VERSION });
    sha256(canonical(&whole).as_bytes())
}

/// What a file of records held.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// The records, in the file's order.
    pub records: Vec<Record>,
    /// Bytes of a torn last line; 0 where the file ends as it should.
    pub torn_bytes: usize,
}

/// Read a file of records; one that is not there has none.
///
/// # Errors
/// [`SweepError::Record`] for a damaged line that is not a torn last one, [`SweepError::File`].
pub fn read(path: &Path) -> Result<Contents, SweepError> {
    let bytes = match std::fs::read(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
        other => other.map_err(|e| SweepError::file(path, READ, &e))?,
    };
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut records = Vec::new();
    for (index, line) in bytes[..whole].split_inclusive(|&byte| byte == b'\n').enumerate() {
        let fault = |reason: String| SweepError::Record { file: path.display().to_string(), line: index + 1, reason };
        let record: Record = serde_json::from_slice(line).map_err(|e| fault(e.to_string()))?;
        let expected = identity(&record.config, &record.data_sha256);
        if record.record_version != RECORD_VERSION {
            let reason = format!(
                "the record's format has version {}, this program reads {RECORD_VERSION}",
                record.record_version
            );
            return Err(fault(reason));
        }
        if record.identity != expected {
            return Err(fault(format!(
                "the identity is {}, its configuration and data give {expected}",
                record.identity
            )));
        }
        records.push(record);
    }
    Ok(Contents { records, torn_bytes: bytes.len() - whole })
}

/// A file of records, open at its end.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: File,
}

impl Appender {
    /// Read the file, cut off a torn last line, and open it at its end.
    ///
    /// # Errors
    /// As [`read`].
    pub fn open(path: &Path) -> Result<(Self, Contents), SweepError> {
        let contents = read(path)?;
        let fault = |e: std::io::Error| SweepError::file(path, WRITE, &e);
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(fault)?;
        if contents.torn_bytes > 0 {
            let length = file.metadata().map_err(fault)?.len();
            file.set_len(length - contents.torn_bytes as u64).map_err(fault)?;
        }
        file.sync_all().map_err(fault)?;
        // The file's name has to be on the disk too.
        sync_folder(path).map_err(fault)?;
        Ok((Self { path: path.into(), file }, contents))
    }

    /// Add a record; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`SweepError::File`].
    pub fn append(&mut self, record: &Record) -> Result<(), SweepError> {
        let mut line = serde_json::to_string(record).expect("a record is plain data");
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|e| SweepError::file(&self.path, WRITE, &e))
    }
}

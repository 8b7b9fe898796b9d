//! The handwritten digits of S001: 1797 images of 8x8 pixels, codes 0..=16, ten classes.
//!
//! The file is the gzipped CSV that scikit-learn ships (see `data/README.md`): one image a row, 64 pixels in reading
//! order, then the label. S001 trains on rows 0..1500 and tests on rows 1500..1797; rows count from 0.

use ndarray::{Array2, ArrayView2, s};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use thiserror::Error;

/// Pixels of an image, in reading order.
pub const PIXELS: usize = 64;
/// Largest pixel code; it stands for 1.0.
pub const PIXEL_MAX: u8 = 16;
/// Digits 0..=9.
pub const CLASSES: usize = 10;
/// Images in the set.
pub const IMAGES: usize = 1797;
/// S001's training rows.
pub const TRAIN_ROWS: Range<usize> = 0..1500;
/// S001's test rows.
pub const TEST_ROWS: Range<usize> = 1500..1797;

/// Largest decompressed size that is read; the real set has 264,712 bytes.
const MAX_BYTES: u64 = 1 << 22;

const EMBEDDED: &[u8] = include_bytes!("../../data/digits.csv.gz");
const EMBEDDED_NAME: &str = "data/digits.csv.gz";

/// Why a digits file is refused. Rows count from 0, as S001's split does.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DatasetError {
    /// The file cannot be opened or read.
    #[error("{file} cannot be read: {reason}; check the path, or leave it out to use the built-in digits")]
    Unreadable {
        /// The file.
        file: String,
        /// The system's words.
        reason: String,
    },
    /// The bytes are not one complete gzip stream.
    #[error(
        "{file} does not decompress, after {bytes} good bytes: {reason}; fetch it again and compare its sha256 with data/README.md"
    )]
    Compression {
        /// The file.
        file: String,
        /// Bytes decompressed before the fault.
        bytes: usize,
        /// The decompressor's words.
        reason: String,
    },
    /// The text is longer than any digits set.
    #[error("{file} decompresses to more than {limit} bytes, the digits need 264712; this is another file")]
    TooLarge {
        /// The file.
        file: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The text is not ASCII.
    #[error("{file} row {row} holds byte {byte:#04x}, a CSV of numbers is ASCII; fetch it again")]
    NotAscii {
        /// The file.
        file: String,
        /// Row, from 0.
        row: usize,
        /// The offending byte.
        byte: u8,
    },
    /// The file has too few or too many rows.
    #[error("{file} has {rows} rows, the digits have 1797; it is cut short or another set, fetch it again")]
    Rows {
        /// The file.
        file: String,
        /// Rows found.
        rows: usize,
    },
    /// A row has too few or too many fields.
    #[error("{file} row {row} has {fields} fields, an image has 65 (64 pixels and a label); fetch the file again")]
    Fields {
        /// The file.
        file: String,
        /// Row, from 0.
        row: usize,
        /// Fields found.
        fields: usize,
    },
    /// A field is not a whole number in its range.
    #[error(
        "{file} row {row} column {column} is {text:?}, a {what} is a whole number in 0..={limit}; fetch the file again"
    )]
    Value {
        /// The file.
        file: String,
        /// Row, from 0.
        row: usize,
        /// Column, from 0; column 64 is the label.
        column: usize,
        /// The field as it stands (its first 16 characters).
        text: String,
        /// `pixel` or `label`.
        what: &'static str,
        /// Largest value allowed.
        limit: u8,
    },
}

/// The digits, with the checksum of the file they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits {
    /// Pixel codes 0..=16, `[image][pixel]`, 1797 x 64, pixels in reading order.
    pub images: Array2<u8>,
    /// Classes 0..=9, one an image.
    pub labels: Vec<u8>,
    /// Lower-case hexadecimal SHA-256 of the gzip file's bytes.
    pub sha256: String,
}

impl Digits {
    /// The set that this crate was built with, `data/digits.csv.gz`.
    pub fn embedded() -> Self {
        // The bytes are a constant that a test parses; they cannot fail at run time.
        Self::from_gzip(EMBEDDED_NAME, EMBEDDED).expect("the embedded digits are checked by a test")
    }

    /// Read the set from a gzipped CSV file.
    ///
    /// # Errors
    /// [`DatasetError`] names the file, the row and the reason.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|e| DatasetError::Unreadable { file: file.clone(), reason: e.to_string() })?;
        Self::from_gzip(&file, &bytes)
    }

    /// Parse the bytes of a gzipped CSV file; `file` is the name that errors use.
    ///
    /// # Errors
    /// [`DatasetError`] names the file, the row and the reason.
    pub fn from_gzip(file: &str, bytes: &[u8]) -> Result<Self, DatasetError> {
        let mut text = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(bytes).take(MAX_BYTES + 1);
        let result = decoder.read_to_end(&mut text);
        if let Err(e) = result {
            return Err(DatasetError::Compression { file: file.into(), bytes: text.len(), reason: e.to_string() });
        }
        if text.len() as u64 > MAX_BYTES {
            return Err(DatasetError::TooLarge { file: file.into(), limit: MAX_BYTES });
        }
        let (images, labels) = parse(file, &text)?;
        Ok(Self { images, labels, sha256: hex(&Sha256::digest(bytes)) })
    }

    /// S001's training images, 1500 x 64.
    pub fn train_images(&self) -> ArrayView2<'_, u8> {
        self.images.slice(s![TRAIN_ROWS, ..])
    }

    /// S001's training labels, 1500.
    pub fn train_labels(&self) -> &[u8] {
        &self.labels[TRAIN_ROWS]
    }

    /// S001's test images, 297 x 64.
    pub fn test_images(&self) -> ArrayView2<'_, u8> {
        self.images.slice(s![TEST_ROWS, ..])
    }

    /// S001's test labels, 297.
    pub fn test_labels(&self) -> &[u8] {
        &self.labels[TEST_ROWS]
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn parse(file: &str, text: &[u8]) -> Result<(Array2<u8>, Vec<u8>), DatasetError> {
    if let Some(at) = text.iter().position(|b| !b.is_ascii()) {
        let row = text[..at].iter().filter(|b| **b == b'\n').count();
        return Err(DatasetError::NotAscii { file: file.into(), row, byte: text[at] });
    }
    let text = std::str::from_utf8(text).expect("ASCII is UTF-8");
    let rows = text.lines().count();
    let mut pixels = Vec::with_capacity(IMAGES * PIXELS);
    let mut labels = Vec::with_capacity(IMAGES);
    for (row, line) in text.lines().enumerate() {
        let fields = line.split(',').count();
        if fields != PIXELS + 1 {
            return Err(DatasetError::Fields { file: file.into(), row, fields });
        }
        for (column, field) in line.split(',').enumerate() {
            let (what, limit) = if column < PIXELS { ("pixel", PIXEL_MAX) } else { ("label", CLASSES as u8 - 1) };
            match field.parse::<u8>() {
                Ok(value) if value <= limit && column < PIXELS => pixels.push(value),
                Ok(value) if value <= limit => labels.push(value),
                _ => {
                    let text = field.chars().take(16).collect();
                    return Err(DatasetError::Value { file: file.into(), row, column, text, what, limit });
                }
            }
        }
    }
    if rows != IMAGES {
        return Err(DatasetError::Rows { file: file.into(), rows });
    }
    let images = Array2::from_shape_vec((IMAGES, PIXELS), pixels).expect("every row had 64 pixels");
    Ok((images, labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn csv() -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(EMBEDDED).read_to_string(&mut text).unwrap();
        text
    }

    fn refused(text: &[u8]) -> String {
        Digits::from_gzip("x.gz", &gzip(text)).unwrap_err().to_string()
    }

    fn edited(row: usize, edit: impl Fn(&str) -> String) -> Vec<u8> {
        let text = csv();
        let lines: Vec<_> =
            text.lines().enumerate().map(|(i, l)| if i == row { edit(l) } else { l.to_string() }).collect();
        (lines.join("\n") + "\n").into_bytes()
    }

    #[test]
    fn embedded_has_the_published_images_per_class() {
        let digits = Digits::embedded();
        // scikit-learn's description of the set and UCI's optdigits.names, test part.
        let mut per_class = [0; CLASSES];
        digits.labels.iter().for_each(|l| per_class[*l as usize] += 1);
        assert_eq!(per_class, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert_eq!(digits.images.iter().max(), Some(&PIXEL_MAX));
        // The first row of the set as scikit-learn's documentation prints it.
        let first: Vec<u8> = digits.images.row(0).iter().copied().take(16).collect();
        assert_eq!(first, [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]);
        assert_eq!(digits.sha256, "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22");
    }

    #[test]
    fn split_is_1500_and_297_rows() {
        let digits = Digits::embedded();
        assert_eq!(digits.train_images().dim(), (1500, 64));
        assert_eq!(digits.test_images().dim(), (297, 64));
        assert_eq!(digits.train_labels().len(), 1500);
        assert_eq!(digits.test_labels().len(), 297);
        assert_eq!(digits.test_images().row(0), digits.images.row(1500));
    }

    #[test]
    fn from_path_equals_embedded() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/digits.csv.gz");
        assert_eq!(Digits::from_path(path).unwrap(), Digits::embedded());
    }

    #[test]
    fn carriage_returns_are_read() {
        let read = Digits::from_gzip("x.gz", &gzip(csv().replace('\n', "\r\n").as_bytes())).unwrap();
        assert_eq!(read.images, Digits::embedded().images);
    }

    #[test]
    fn missing_file_is_refused() {
        assert_eq!(
            Digits::from_path("no/such/file.gz").unwrap_err().to_string(),
            "no/such/file.gz cannot be read: No such file or directory (os error 2); \
             check the path, or leave it out to use the built-in digits"
        );
    }

    #[test]
    fn truncated_file_is_refused_at_every_length() {
        for length in (0..EMBEDDED.len()).step_by(997).chain([EMBEDDED.len() - 1]).skip(1) {
            let error = Digits::from_gzip("x.gz", &EMBEDDED[..length]).unwrap_err();
            assert!(matches!(error, DatasetError::Compression { .. }), "{length}: {error}");
        }
        let message = Digits::from_gzip("x.gz", &EMBEDDED[..EMBEDDED.len() - 1]).unwrap_err().to_string();
        assert!(message.starts_with("x.gz does not decompress, after 264712 good bytes: "), "{message}");
        assert!(message.ends_with("; fetch it again and compare its sha256 with data/README.md"), "{message}");
    }

    #[test]
    fn empty_file_is_refused() {
        let error = Digits::from_gzip("x.gz", &[]).unwrap_err();
        assert!(matches!(error, DatasetError::Compression { .. } | DatasetError::Rows { .. }), "{error}");
    }

    #[test]
    fn every_flipped_byte_is_refused_or_changes_nothing() {
        let good = Digits::embedded();
        for at in (0..EMBEDDED.len()).step_by(499) {
            let mut bytes = EMBEDDED.to_vec();
            bytes[at] ^= 0x10;
            if let Ok(read) = Digits::from_gzip("x.gz", &bytes) {
                // Header fields (time, system) are not covered by gzip's CRC; the file's SHA-256 differs.
                assert!(at < 10, "byte {at}");
                assert_eq!(read.images, good.images);
                assert_ne!(read.sha256, good.sha256);
            }
        }
    }

    #[test]
    fn too_large_file_is_refused() {
        assert_eq!(
            refused(&vec![b'0'; MAX_BYTES as usize + 1]),
            "x.gz decompresses to more than 4194304 bytes, the digits need 264712; this is another file"
        );
    }

    #[test]
    fn non_ascii_byte_is_refused() {
        let mut text = csv().into_bytes();
        let at = text.iter().position(|b| *b == b'\n').unwrap() + 1;
        text[at] = 0xff;
        assert_eq!(refused(&text), "x.gz row 1 holds byte 0xff, a CSV of numbers is ASCII; fetch it again");
    }

    #[test]
    fn wrong_row_count_is_refused() {
        let text = csv();
        let short: Vec<&str> = text.lines().take(1796).collect();
        assert_eq!(
            refused(short.join("\n").as_bytes()),
            "x.gz has 1796 rows, the digits have 1797; it is cut short or another set, fetch it again"
        );
        let first = text.lines().next().unwrap();
        assert!(refused(format!("{text}{first}\n").as_bytes()).contains("has 1798 rows"));
    }

    #[test]
    fn wrong_field_count_is_refused() {
        assert_eq!(
            refused(&edited(7, |line| format!("{line},1"))),
            "x.gz row 7 has 66 fields, an image has 65 (64 pixels and a label); fetch the file again"
        );
        assert!(refused(&edited(1796, |line| line[2..].to_string())).contains("row 1796 has 64 fields"));
    }

    #[test]
    fn out_of_range_values_are_refused() {
        assert_eq!(
            refused(&edited(3, |line| line.replacen('0', "17", 1))),
            "x.gz row 3 column 0 is \"17\", a pixel is a whole number in 0..=16; fetch the file again"
        );
        let label = |line: &str| format!("{},10", line.rsplit_once(',').unwrap().0);
        assert_eq!(
            refused(&edited(1500, label)),
            "x.gz row 1500 column 64 is \"10\", a label is a whole number in 0..=9; fetch the file again"
        );
        for text in ["-1", "", "1.0", "999999999999999999999", " 1"] {
            assert!(refused(&edited(0, |line| line.replacen('0', text, 1))).contains("row 0 column 0 is"), "{text}");
        }
    }
}

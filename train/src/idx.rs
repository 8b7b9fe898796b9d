//! The idx file format of MNIST and the sets made like it: two zero bytes, the element type, the number of dimensions, each
//! dimension as a big-endian `u32`, then the elements, last dimension fastest. Elements here are bytes, type 0x08.
//!
//! Files are read plain or gzipped, told apart by their first two bytes. Offsets in errors count decompressed bytes from 0.

use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use thiserror::Error;

/// First two bytes of a gzip stream; an idx file begins with two zeros.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Element type of unsigned bytes.
const UNSIGNED_BYTES: u8 = 0x08;
/// Largest decompressed file that is read; MNIST's largest has 47,040,016 bytes.
pub const MOST_BYTES: u64 = 1 << 28;

/// Why an idx file is refused.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum IdxError {
    /// The file cannot be opened or read.
    #[error("{file} cannot be read: {reason}; check the path and its permissions")]
    Unreadable {
        /// The file.
        file: String,
        /// The system's words.
        reason: String,
    },
    /// The bytes are not one complete gzip stream.
    #[error("{file} does not decompress beyond offset {offset}: {reason}; fetch it again")]
    Compression {
        /// The file.
        file: String,
        /// Bytes decompressed before the fault.
        offset: usize,
        /// The decompressor's words.
        reason: String,
    },
    /// There is more than any set that is known.
    #[error("{file} holds more than {limit} bytes, the largest file known has 47040016; this is another file")]
    TooLarge {
        /// The file.
        file: String,
        /// The limit.
        limit: u64,
    },
    /// The first four bytes are not those of such a file.
    #[error(
        "{file} begins with {found:#010x} at offset 0, a file of {what} begins with {expected:#010x}; this is another file"
    )]
    Magic {
        /// The file.
        file: String,
        /// What it begins with.
        found: u32,
        /// What it has to begin with.
        expected: u32,
        /// `images` or `labels`.
        what: &'static str,
    },
    /// The file ends early.
    #[error("{file} ends at offset {offset}, its {what} at offset {needed}: it is cut short, fetch it again")]
    Truncated {
        /// The file.
        file: String,
        /// Where it ends.
        offset: usize,
        /// Bytes that there should be.
        needed: u64,
        /// `header` or what the header announces.
        what: String,
    },
    /// There is something behind the last element.
    #[error("{file} goes on after offset {offset}, where its {what} end: {excess} bytes too many; fetch it again")]
    Excess {
        /// The file.
        file: String,
        /// Where it should end.
        offset: usize,
        /// How many bytes follow.
        excess: usize,
        /// What the header announces.
        what: String,
    },
    /// A dimension is not the one that the set has.
    #[error("{file} announces {found} {what} at offset {offset}, the set has {expected}; this is another file")]
    Dimension {
        /// The file.
        file: String,
        /// Where the dimension stands.
        offset: usize,
        /// `images`, `labels`, `rows of pixels` or `pixels a row`.
        what: &'static str,
        /// The number there.
        found: u32,
        /// The number that has to be there.
        expected: u32,
    },
    /// A label is not one of the classes.
    #[error("{file} has label {value} at offset {offset}, labels are 0..={limit}; it is damaged, fetch it again")]
    Label {
        /// The file.
        file: String,
        /// Where it stands.
        offset: usize,
        /// The label.
        value: u8,
        /// The largest label.
        limit: u8,
    },
    /// Everything is in its place, and yet the bytes are not those that were published.
    #[error(
        "{file} has sha256 {found}, the published file (decompressed) has {expected}; it is damaged or another set, fetch it again"
    )]
    Checksum {
        /// The file.
        file: String,
        /// Of its decompressed bytes, lower-case hexadecimal.
        found: String,
        /// The published one.
        expected: String,
    },
}

/// What a file has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// `images` or `labels`.
    pub what: &'static str,
    /// Each dimension with its name, first dimension slowest.
    pub dimensions: &'static [(&'static str, u32)],
}

impl Layout {
    fn magic(&self) -> u32 {
        u32::from(UNSIGNED_BYTES) << 8 | self.dimensions.len() as u32
    }

    fn header_bytes(&self) -> usize {
        4 + 4 * self.dimensions.len()
    }

    fn elements(&self) -> usize {
        self.dimensions.iter().map(|(_, size)| *size as usize).product()
    }

    fn words(&self) -> String {
        let sizes: Vec<String> = self.dimensions.iter().map(|(_, size)| size.to_string()).collect();
        format!("{} ({})", self.what, sizes.join(" x "))
    }

    /// Where the elements begin.
    pub fn first_offset(&self) -> usize {
        self.header_bytes()
    }
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Read a file and decompress it if it is gzipped.
///
/// # Errors
/// [`IdxError::Unreadable`], [`IdxError::Compression`], [`IdxError::TooLarge`].
pub fn read(path: &Path) -> Result<Vec<u8>, IdxError> {
    let file = path.display().to_string();
    let unreadable = |e: std::io::Error| IdxError::Unreadable { file: file.clone(), reason: e.to_string() };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(unreadable)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    decompressed(&file, bytes)
}

/// Decompress a file's bytes if they are gzipped; `file` is the name that errors use.
///
/// # Errors
/// [`IdxError::Compression`], [`IdxError::TooLarge`].
pub fn decompressed(file: &str, bytes: Vec<u8>) -> Result<Vec<u8>, IdxError> {
    let plain = if bytes.starts_with(&GZIP) {
        let mut plain = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(&bytes[..]).take(MOST_BYTES + 1);
        if let Err(e) = decoder.read_to_end(&mut plain) {
            return Err(IdxError::Compression { file: file.into(), offset: plain.len(), reason: e.to_string() });
        }
        plain
    } else {
        bytes
    };
    if plain.len() as u64 > MOST_BYTES {
        return Err(IdxError::TooLarge { file: file.into(), limit: MOST_BYTES });
    }
    Ok(plain)
}

/// Check a plain file's header and length; gives the elements.
///
/// # Errors
/// [`IdxError::Magic`], [`IdxError::Truncated`], [`IdxError::Dimension`], [`IdxError::Excess`].
pub fn elements<'a>(file: &str, bytes: &'a [u8], layout: &Layout) -> Result<&'a [u8], IdxError> {
    let truncated = |needed: usize, what: String| {
        let (offset, needed) = (bytes.len(), needed as u64);
        Err(IdxError::Truncated { file: file.into(), offset, needed, what })
    };
    let word = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_be_bytes(b.try_into().expect("four bytes")));
    let header = layout.header_bytes();
    let Some(found) = word(0) else { return truncated(header, "header".into()) };
    let expected = layout.magic();
    if found != expected {
        return Err(IdxError::Magic { file: file.into(), found, expected, what: layout.what });
    }
    for (index, (what, expected)) in layout.dimensions.iter().enumerate() {
        let offset = 4 + 4 * index;
        let Some(found) = word(offset) else { return truncated(header, "header".into()) };
        if found != *expected {
            return Err(IdxError::Dimension { file: file.into(), offset, what, found, expected: *expected });
        }
    }
    let end = header + layout.elements();
    if bytes.len() < end {
        return truncated(end, layout.words());
    }
    if bytes.len() > end {
        let (offset, excess) = (end, bytes.len() - end);
        return Err(IdxError::Excess { file: file.into(), offset, excess, what: layout.words() });
    }
    Ok(&bytes[header..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write;

    const IMAGES: Layout =
        Layout { what: "images", dimensions: &[("images", 3), ("rows of pixels", 4), ("pixels a row", 5)] };

    fn good() -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5];
        bytes.extend((0..60).map(|i| i * 4));
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        elements("f", bytes, &IMAGES).unwrap_err().to_string()
    }

    #[test]
    fn good_file_gives_its_elements_plain_or_gzipped() {
        assert_eq!(elements("f", &good(), &IMAGES).unwrap(), &good()[16..]);
        assert_eq!(decompressed("f", good()).unwrap(), good());
        assert_eq!(decompressed("f", gzip(&good())).unwrap(), good());
        let two: Vec<u8> = [gzip(&good()[..20]), gzip(&good()[20..])].concat();
        assert_eq!(decompressed("f", two).unwrap(), good());
    }

    #[test]
    fn messages_say_file_offset_and_reason() {
        let with = |at: usize, value: u8| {
            let mut bytes = good();
            bytes[at] = value;
            bytes
        };
        assert_eq!(
            refused(&with(3, 1)),
            "f begins with 0x00000801 at offset 0, a file of images begins with 0x00000803; this is another file"
        );
        assert_eq!(refused(&[0, 0]), "f ends at offset 2, its header at offset 16: it is cut short, fetch it again");
        assert_eq!(
            refused(&good()[..9]),
            "f ends at offset 9, its header at offset 16: it is cut short, fetch it again"
        );
        assert_eq!(
            refused(&good()[..75]),
            "f ends at offset 75, its images (3 x 4 x 5) at offset 76: it is cut short, fetch it again"
        );
        assert_eq!(refused(&with(7, 4)), "f announces 4 images at offset 4, the set has 3; this is another file");
        assert_eq!(
            refused(&with(15, 6)),
            "f announces 6 pixels a row at offset 12, the set has 5; this is another file"
        );
        let longer = [good(), vec![1, 2]].concat();
        assert_eq!(
            refused(&longer),
            "f goes on after offset 76, where its images (3 x 4 x 5) end: 2 bytes too many; fetch it again"
        );
        let cut = decompressed("f", gzip(&good())[..30].to_vec()).unwrap_err().to_string();
        assert!(cut.starts_with("f does not decompress beyond offset "), "{cut}");
        assert_eq!(
            read(Path::new("/nonexistent/f")).unwrap_err().to_string(),
            "/nonexistent/f cannot be read: No such file or directory (os error 2); check the path and its permissions"
        );
        assert_eq!(
            IdxError::TooLarge { file: "f".into(), limit: MOST_BYTES }.to_string(),
            "f holds more than 268435456 bytes, the largest file known has 47040016; this is another file"
        );
    }

    proptest! {
        #[test]
        fn cut_file_is_refused_where_it_ends(length in 0usize..76) {
            let error = elements("f", &good()[..length], &IMAGES).unwrap_err();
            let is_at_end = matches!(error, IdxError::Truncated { offset, .. } if offset == length);
            prop_assert!(is_at_end, "{}", error);
        }

        #[test]
        fn cut_or_damaged_gzip_never_gives_other_bytes(at in 0usize..70, change in 0u8..=255, cut in any::<bool>()) {
            let whole = gzip(&good());
            let at = at % whole.len();
            let mut bytes = whole.clone();
            if cut { bytes.truncate(at) } else { bytes[at] ^= change }
            // What is not gzip any more is taken as a plain file, and refused for its first four bytes.
            if let Ok(plain) = decompressed("f", bytes)
                && let Ok(elements) = elements("f", &plain, &IMAGES)
            {
                prop_assert_eq!(elements, &good()[16..]);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_have_the_layout(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(elements) = elements("f", &bytes, &IMAGES) {
                prop_assert_eq!(elements.len(), 60);
            }
            let _ = decompressed("f", bytes);
        }
    }
}

//! Files of data sets, damaged at random: each is refused with its name and a reason, or gives what was published, to the byte.

use crate::idx::{self, IdxError, Layout, MOST_BYTES};
use crate::image_set::checked_elements;
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use std::io::Write;
use std::path::PathBuf;

const IMAGES: Layout =
    Layout { what: "images", dimensions: &[("images", 5), ("rows of pixels", 4), ("pixels a row", 3)] };
const LABELS: Layout = Layout { what: "labels", dimensions: &[("labels", 40)] };

/// A file in the form that it is published in.
#[derive(Debug, Clone)]
struct Published {
    layout: Layout,
    plain: Vec<u8>,
    gzipped: bool,
}

impl Published {
    /// Elements from `draw`, labels held to 0..=9.
    fn new(images: bool, gzipped: bool, draw: &[u8]) -> Self {
        let layout = if images { IMAGES } else { LABELS };
        let count: u32 = layout.dimensions.iter().map(|(_, size)| size).product();
        let mut plain = vec![0, 0, 8, layout.dimensions.len() as u8];
        layout.dimensions.iter().for_each(|(_, size)| plain.extend(size.to_be_bytes()));
        let element = |value: u8| if images { value } else { value % 10 };
        plain.extend(draw.iter().cycle().take(count as usize).map(|value| element(*value)));
        Self { layout, plain, gzipped }
    }

    fn bytes(&self) -> Vec<u8> {
        if !self.gzipped {
            return self.plain.clone();
        }
        // With a name and a time in its header, as the published files have.
        let mut encoder = GzBuilder::new().filename("f").mtime(7).write(Vec::new(), Compression::best());
        encoder.write_all(&self.plain).unwrap();
        encoder.finish().unwrap()
    }
}

/// One damage; places are parts of the file's length in 65536ths.
#[derive(Debug, Clone)]
enum Damage {
    Flip(u16, u8),
    Cut(u16),
    Remove(u16, usize),
    Insert(u16, Vec<u8>),
    Append(Vec<u8>),
    Repeat(u16, usize),
    /// Another number in the word at 4, 8 or 12, where a plain file has its sizes.
    Size(usize, u32),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let some = || proptest::collection::vec(any::<u8>(), 1..20);
        prop_oneof![
            (any::<u16>(), 1u8..=255).prop_map(|(at, change)| Self::Flip(at, change)),
            any::<u16>().prop_map(Self::Cut),
            (any::<u16>(), 1usize..30).prop_map(|(at, count)| Self::Remove(at, count)),
            (any::<u16>(), some()).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            some().prop_map(Self::Append),
            (1usize..40).prop_map(|count| Self::Append(vec![0; count])),
            (any::<u16>(), 1usize..30).prop_map(|(at, count)| Self::Repeat(at, count)),
            (0usize..3, any::<u32>()).prop_map(|(word, size)| Self::Size(word, size)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |at: u16| usize::from(at) * length / 65_536;
        match self {
            _ if length == 0 => {}
            Self::Flip(at, change) => bytes[place(*at)] ^= change,
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Remove(at, count) => drop(bytes.drain(place(*at)..length.min(place(*at) + count))),
            Self::Insert(at, more) => drop(bytes.splice(place(*at)..place(*at), more.iter().copied())),
            Self::Append(more) => bytes.extend(more),
            Self::Repeat(at, count) => {
                let (from, to) = (place(*at), length.min(place(*at) + count));
                let again = bytes[from..to].to_vec();
                drop(bytes.splice(to..to, again));
            }
            Self::Size(word, size) => {
                let at = 4 + 4 * word;
                if let Some(bytes) = bytes.get_mut(at..at + 4) {
                    bytes.copy_from_slice(&size.to_be_bytes());
                }
            }
        }
    }
}

/// The place in the file that an error names; none for a kind that is of the whole file.
fn offset(error: &IdxError) -> Option<usize> {
    match error {
        IdxError::Compression { offset, .. }
        | IdxError::Truncated { offset, .. }
        | IdxError::Excess { offset, .. }
        | IdxError::Dimension { offset, .. }
        | IdxError::Label { offset, .. } => Some(*offset),
        IdxError::Magic { .. } => Some(0),
        IdxError::Unreadable { .. } | IdxError::TooLarge { .. } | IdxError::Checksum { .. } => None,
    }
}

/// As [`crate::image_set::DataSet::load`] reads a file, but for the disk.
fn load(file: &str, bytes: &[u8], layout: &Layout, checksum: Option<&str>) -> Result<Vec<u8>, IdxError> {
    let plain = idx::decompressed(file, bytes.to_vec())?;
    checked_elements(file, &plain, layout, checksum)
}

fn file_of(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("bitline-damaged-{name}-{}", std::process::id()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_file_is_refused_with_its_name_or_gives_the_published_data(
        (images, gzipped) in any::<(bool, bool)>(),
        draw in proptest::collection::vec(any::<u8>(), 1..60),
        damages in proptest::collection::vec(Damage::any(), 1..4),
    ) {
        let published = Published::new(images, gzipped, &draw);
        let (layout, data) = (published.layout, &published.plain[published.layout.first_offset()..]);
        let checksum = idx::sha256(&published.plain);
        let mut bytes = published.bytes();
        prop_assert_eq!(&load("f", &bytes, &layout, Some(&checksum)).unwrap(), data);
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        match load("some/file", &bytes, &layout, Some(&checksum)) {
            Ok(elements) => prop_assert_eq!(&elements, data),
            Err(error) => {
                let text = error.to_string();
                prop_assert!(text.starts_with("some/file "), "{}", text);
                prop_assert!(text.contains("fetch it again") || text.contains("this is another file"), "{}", text);
                if let Some(at) = offset(&error) {
                    prop_assert!(text.contains(&format!("offset {at}")), "{}", text);
                    prop_assert!(gzipped || at <= bytes.len(), "{} bytes: {}", bytes.len(), text);
                }
            }
        }
        // Without the checksum a plain file may have other elements, but never another number of them, nor another label.
        if let Ok(elements) = load("f", &bytes, &layout, None) {
            prop_assert_eq!(elements.len(), data.len());
            prop_assert!(images || elements.iter().all(|label| *label <= 9));
        }
    }

    #[test]
    fn gzipped_file_with_one_damage_never_gives_other_data_without_its_checksum(
        images in any::<bool>(),
        draw in proptest::collection::vec(any::<u8>(), 1..60),
        (at, change) in (any::<u16>(), 1u8..=255),
    ) {
        let published = Published::new(images, true, &draw);
        let mut bytes = published.bytes();
        Damage::Flip(at, change).apply(&mut bytes);
        if let Ok(elements) = load("f", &bytes, &published.layout, None) {
            prop_assert_eq!(&elements, &published.plain[published.layout.first_offset()..]);
        }
    }
}

#[test]
fn every_cut_and_every_flipped_bit_of_a_file_on_disk_is_refused_or_harmless() {
    let path = file_of("cuts");
    for (images, gzipped) in [(true, false), (true, true), (false, false), (false, true)] {
        let published = Published::new(images, gzipped, &[3, 1, 41, 59, 26, 0, 0, 0]);
        let checksum = idx::sha256(&published.plain);
        let (whole, data) = (published.bytes(), &published.plain[published.layout.first_offset()..]);
        let file = path.display().to_string();
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let plain = idx::read(&path)?;
            checked_elements(&file, &plain, &published.layout, Some(&checksum))
        };
        assert_eq!(read(&whole).unwrap(), data);
        for cut in 0..whole.len() {
            let error = read(&whole[..cut]).expect_err("a file that is cut short").to_string();
            assert!(error.starts_with(&file), "{cut}: {error}");
        }
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            match read(&bytes) {
                Ok(elements) => {
                    // The time, the name and the like in gzip's header say nothing of the data, nor what fills the last byte.
                    let (header, last) = (12, whole.len() - 9);
                    assert!(gzipped && (bit / 8 < header || bit / 8 == last), "bit {bit} is not seen");
                    assert_eq!(elements, data);
                }
                Err(error) => assert!(error.to_string().starts_with(&file), "{bit}: {error}"),
            }
        }
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_follows_a_gzip_stream_is_refused_unless_it_is_one() {
    let published = Published::new(false, true, &[7, 3]);
    let checksum = idx::sha256(&published.plain);
    let with = |more: &[u8]| {
        let bytes = [published.bytes(), more.to_vec()].concat();
        load("f", &bytes, &published.layout, Some(&checksum))
    };
    let twice = with(&published.bytes()).unwrap_err();
    assert!(matches!(twice, IdxError::Excess { offset: 48, excess: 48, .. }), "{twice}");
    for more in [&[0u8, 0, 0][..], b"x", b"more bytes than a header of gzip has", &[0x1f, 0x8b]] {
        let error = with(more).unwrap_err();
        assert!(matches!(error, IdxError::Compression { offset: 48, .. }), "{more:?}: {error}");
    }
}

#[test]
fn stream_that_unfolds_beyond_the_limit_is_refused() {
    // 257 streams of 1 MiB of zeros, a kilobyte each.
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 1 << 20]).unwrap();
    let bytes = encoder.finish().unwrap().repeat(257);
    assert!(bytes.len() < 1 << 19);
    let error = idx::decompressed("f", bytes).unwrap_err();
    assert_eq!(error, IdxError::TooLarge { file: "f".into(), limit: MOST_BYTES });
}

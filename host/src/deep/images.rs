//! Images as a program reads them, and where they come from.

use bitline_golden::dataset::{Digits, PIXELS};
use bitline_golden::random::stream;
use bitline_train::image_set::DataSet;
use rand::Rng;
use std::path::PathBuf;

use crate::error::HostError;

/// Images that are made up if no number is given.
const MADE_UP: usize = 16;
/// Most images that are made up.
const MOST_MADE_UP: usize = 65_535;

/// Images with their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// Where they come from, in words.
    pub name: String,
    /// `[image][code]`, in the order of the first layer's map.
    pub images: Vec<Vec<u8>>,
    /// One an image, where it is known.
    pub labels: Vec<Option<u8>>,
}

impl ImageSet {
    /// Check that a first layer of so many codes of so many bits can read them.
    ///
    /// # Errors
    /// [`HostError::ImageCodes`], [`HostError::ImageCode`].
    pub fn check(&self, codes: usize, bits: usize) -> Result<(), HostError> {
        for (image, found) in self.images.iter().enumerate() {
            if found.len() != codes {
                return Err(HostError::ImageCodes { set: self.name.clone(), found: found.len(), expected: codes });
            }
            if let Some(code) = found.iter().find(|code| usize::from(**code) >> bits != 0) {
                return Err(HostError::ImageCode { set: self.name.clone(), image, code: *code, bits });
            }
        }
        Ok(())
    }
}

/// Something that gives images. A data set on disk is one more of these.
pub trait ImageSource {
    /// Give that many images of so many codes of so many bits; all there are if `None`.
    ///
    /// # Errors
    /// [`HostError`] if there are not as many, or none of that size.
    fn images(&self, codes: usize, bits: usize, count: Option<usize>) -> Result<ImageSet, HostError>;
}

/// The digits' test rows, which are built in.
#[derive(Debug, Clone, Copy)]
pub struct DigitImages;

impl ImageSource for DigitImages {
    fn images(&self, codes: usize, _bits: usize, count: Option<usize>) -> Result<ImageSet, HostError> {
        if codes != PIXELS {
            return Err(HostError::NoImageSet { codes, pixels: PIXELS });
        }
        let digits = Digits::embedded();
        let available = digits.test_labels().len();
        let count = count.unwrap_or(available);
        let set = "the test part of the digits";
        enough(count, set, available)?;
        Ok(ImageSet {
            name: set.into(),
            images: digits.test_images().rows().into_iter().take(count).map(|row| row.to_vec()).collect(),
            labels: digits.test_labels()[..count].iter().map(|label| Some(*label)).collect(),
        })
    }
}

/// The test part of a data set in a folder: MNIST, Fashion-MNIST.
#[derive(Debug, Clone)]
pub struct TestImages {
    /// Which.
    pub set: DataSet,
    /// Where its files lie.
    pub folder: PathBuf,
}

impl ImageSource for TestImages {
    fn images(&self, codes: usize, bits: usize, count: Option<usize>) -> Result<ImageSet, HostError> {
        let pixels = self.set.side().pow(2);
        if codes != pixels {
            return Err(HostError::ImageCodes { set: self.set.to_string(), found: pixels, expected: codes });
        }
        let read = self.set.load(Some(&self.folder))?;
        let available = read.test.labels.len();
        let count = count.unwrap_or(available);
        let name = format!("the test part of {}", self.set);
        enough(count, &name, available)?;
        let of_bits = read.codes(&read.test.pixels, bits);
        Ok(ImageSet {
            name,
            images: of_bits.rows().into_iter().take(count).map(|row| row.to_vec()).collect(),
            labels: read.test.labels[..count].iter().map(|label| Some(*label)).collect(),
        })
    }
}

/// Images of any size, made up from a seed: codes over their whole range, and no labels. Draws from the stream `made-up
/// images`, image by image.
#[derive(Debug, Clone, Copy)]
pub struct MadeUpImages(
    /// The seed.
    pub u64,
);

impl ImageSource for MadeUpImages {
    fn images(&self, codes: usize, bits: usize, count: Option<usize>) -> Result<ImageSet, HostError> {
        let count = count.unwrap_or(MADE_UP);
        enough(count, "a made-up set", MOST_MADE_UP)?;
        let mut draws = stream("made-up images", self.0);
        let image = |_| (0..codes).map(|_| draws.random_range(0..=u8::MAX >> (8 - bits))).collect();
        let images = (0..count).map(image).collect();
        Ok(ImageSet { name: format!("made up from seed {}", self.0), images, labels: vec![None; count] })
    }
}

fn enough(asked: usize, set: &str, available: usize) -> Result<(), HostError> {
    if asked <= available { Ok(()) } else { Err(HostError::Images { asked, set: set.into(), available }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_images_are_the_same_for_the_same_seed_and_within_their_bits() {
        let set = MadeUpImages(7).images(30, 3, Some(20)).unwrap();
        assert_eq!(set, MadeUpImages(7).images(30, 3, Some(20)).unwrap());
        assert_ne!(set.images, MadeUpImages(8).images(30, 3, Some(20)).unwrap().images);
        set.check(30, 3).unwrap();
        assert_eq!(set.images.iter().flatten().max(), Some(&7));
        assert_eq!((set.images.len(), set.labels.len()), (20, 20));
    }

    #[test]
    fn digits_are_the_test_rows_and_fit_five_bits() {
        let set = DigitImages.images(64, 5, None).unwrap();
        assert_eq!((set.images.len(), set.labels[0]), (297, Some(Digits::embedded().test_labels()[0])));
        set.check(64, 5).unwrap();
        assert!(matches!(set.check(64, 4), Err(HostError::ImageCode { code: 16, bits: 4, .. })));
        assert!(matches!(set.check(63, 5), Err(HostError::ImageCodes { found: 64, expected: 63, .. })));
        assert!(matches!(DigitImages.images(784, 8, None), Err(HostError::NoImageSet { codes: 784, .. })));
        assert!(matches!(DigitImages.images(64, 5, Some(298)), Err(HostError::Images { available: 297, .. })));
    }
}

//! What is run: devices, images and labels, from a network and the digits, or made up from a seed.

use std::path::PathBuf;

use bitline_golden::array::{DeviceArray, weight_range};
use bitline_golden::dataset::{Digits, PIXELS};
use bitline_golden::machine::Machine;
use bitline_golden::network::Network;
use bitline_golden::random::stream;
use ndarray::{Array2, s};
use rand::Rng;

use crate::error::HostError;

/// Where the shipped network lies in the repository.
pub const SHIPPED_NETWORK: &str = "networks/digits.safetensors";
/// The shipped network as it stood when this program was built.
const EMBEDDED_NETWORK: &[u8] = include_bytes!("../../networks/digits.safetensors");
/// Most images that are made up.
const MADE_UP_IMAGES: usize = 65_535;

/// A problem for a machine: what is loaded, and what golden computes from the same.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The machine.
    pub machine: Machine,
    /// Where the weights come from, in words.
    pub network: String,
    /// The devices.
    pub array: DeviceArray,
    /// Input codes, `[image][input]`.
    pub images: Array2<u8>,
    /// A label an image.
    pub labels: Vec<Option<u8>>,
}

/// Where the weights and images of a problem come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A network file, with the digits' test rows.
    Network(PathBuf),
    /// The shipped network with the digits' test rows where the machine takes digits, else made up from seed 1.
    Shipped,
    /// Everything made up from this seed.
    MadeUp(u64),
}

/// Find the shipped network's file in this directory or one above it.
pub fn find_shipped_network() -> Option<PathBuf> {
    find_above(SHIPPED_NETWORK)
}

/// Find a file of the repository in this directory or one above it.
pub(crate) fn find_above(file: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().map(|folder| folder.join(file)).find(|path| path.is_file())
}

/// The shipped network, and where it came from: its file if there is one here, else what was built in.
///
/// # Errors
/// [`HostError::Network`] for a file that is damaged.
pub fn shipped_network() -> Result<(Network, String), HostError> {
    match find_shipped_network() {
        Some(path) => Ok((Network::load(&path)?, path.display().to_string())),
        None => Ok((Network::from_bytes(SHIPPED_NETWORK, EMBEDDED_NETWORK)?, format!("{SHIPPED_NETWORK} (built in)"))),
    }
}

impl Problem {
    /// Make a problem with that many images; all there are if `None` (of made-up ones, a slot memory full).
    ///
    /// # Errors
    /// [`HostError`] for a network that cannot be read or does not fit, or too many images.
    pub fn new(machine: Machine, source: &Source, images: Option<usize>) -> Result<Self, HostError> {
        match source {
            Source::Network(path) => Self::digits(machine, Network::load(path)?, path.display().to_string(), images),
            Source::Shipped if machine.inputs() == PIXELS => {
                let (network, name) = shipped_network()?;
                Self::digits(machine, network, name, images)
            }
            Source::Shipped => Self::made_up(machine, 1, images),
            Source::MadeUp(seed) => Self::made_up(machine, *seed, images),
        }
    }

    /// The same with its first images only.
    #[must_use]
    pub fn first(mut self, images: usize) -> Self {
        let count = images.min(self.images.nrows());
        self.images = self.images.slice(s![..count, ..]).to_owned();
        self.labels.truncate(count);
        self
    }

    /// The digits' test rows through the only layer of a network.
    fn digits(machine: Machine, network: Network, name: String, images: Option<usize>) -> Result<Self, HostError> {
        network.check_fits(&machine)?;
        if machine.inputs() != PIXELS {
            return Err(HostError::NoImages {
                machine: machine.name.clone(),
                inputs: machine.inputs(),
                pixels: PIXELS,
            });
        }
        let array = DeviceArray::from_weights(&machine, &network.layers[0].array_weights(&machine)?)?;
        let digits = Digits::embedded();
        let available = digits.test_labels().len();
        let count = images.unwrap_or(available);
        check_images(count, "the test part of the digits", available)?;
        Ok(Self {
            machine,
            network: name,
            array,
            images: digits.test_images().slice(s![..count, ..]).to_owned(),
            labels: digits.test_labels()[..count].iter().map(|label| Some(*label)).collect(),
        })
    }

    /// Weights over their whole range, codes over theirs, and a label for three images of four.
    ///
    /// Draws from the stream `made-up problem`: weights output by output, then each image's codes and label.
    fn made_up(machine: Machine, seed: u64, images: Option<usize>) -> Result<Self, HostError> {
        let count = images.unwrap_or(machine.slots);
        check_images(count, "a made-up problem", MADE_UP_IMAGES)?;
        let mut random = stream("made-up problem", seed);
        let (low, high) = weight_range(machine.weight_bits);
        let weights = Array2::from_shape_simple_fn((machine.outputs, machine.rows), || {
            if machine.weight_bits == 1 {
                if random.random() { 1 } else { -1 }
            } else {
                random.random_range(low..=high) as i8
            }
        });
        let array = DeviceArray::from_weights(&machine, &weights)?;
        let mut codes = Array2::zeros((count, machine.inputs()));
        let mut labels = Vec::with_capacity(count);
        for mut image in codes.rows_mut() {
            image.mapv_inplace(|_: u8| random.random_range(0..1u32 << machine.input_bits) as u8);
            let label = random.random_range(0..machine.outputs.min(255) as u32) as u8;
            labels.push((random.random_range(0..4u32) > 0).then_some(label));
        }
        Ok(Self { network: format!("made up from seed {seed}"), machine, array, images: codes, labels })
    }
}

fn check_images(asked: usize, set: &str, available: usize) -> Result<(), HostError> {
    if asked <= available { Ok(()) } else { Err(HostError::Images { asked, set: set.into(), available }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Machine {
        Machine::named("tiny").unwrap()
    }

    #[test]
    fn made_up_same_seed_repeats_and_another_differs() {
        let make = |seed| Problem::new(tiny(), &Source::MadeUp(seed), Some(9)).unwrap();
        assert_eq!(make(1).array, make(1).array);
        assert_eq!(make(1).images, make(1).images);
        assert_ne!(make(1).array, make(2).array);
        assert!(make(1).labels.contains(&None) || make(2).labels.contains(&None));
    }

    #[test]
    fn images_none_is_legal_and_too_many_is_refused() {
        assert_eq!(Problem::new(tiny(), &Source::MadeUp(1), Some(0)).unwrap().images.dim(), (0, 8));
        let error = Problem::new(tiny(), &Source::MadeUp(1), Some(65_536)).unwrap_err();
        assert_eq!(error.to_string(), "65536 images were asked for, a made-up problem has 65535; ask for 0..=65535");
    }

    #[test]
    fn embedded_network_fits_the_digits_machines() {
        let network = Network::from_bytes(SHIPPED_NETWORK, EMBEDDED_NETWORK).unwrap();
        for name in ["digits", "digits-turbo"] {
            network.check_fits(&Machine::named(name).unwrap()).unwrap();
        }
    }

    #[test]
    fn missing_network_is_named() {
        let source = Source::Network("no/such.safetensors".into());
        let error = Problem::new(Machine::named("digits").unwrap(), &source, None).unwrap_err();
        assert!(error.to_string().starts_with("no/such.safetensors cannot be read"), "{error}");
    }
}

//! The problems that every rung runs of a machine with programs: corners first, then the shipped networks that fit it on their test
//! images, then random networks, each known by a name.

use std::path::Path;

use bitline_firmware::compile::compile;
use bitline_firmware::program::Target;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::draw::{Draw, Sizes};
use bitline_golden::network::{Network, weight_range};
use bitline_train::image_set::DataSet;
use bitline_train::recipe;

use super::DeepProblem;
use super::images::{DigitImages, ImageSet, ImageSource, MadeUpImages, TestImages};
use crate::error::HostError;
use crate::problem::find_above;

/// Most images of a random problem.
const MOST_IMAGES: usize = 3;
/// Images up to which a problem's maps between layers are compared too: each layer is another run of every image.
const MAPS_UP_TO: usize = 20;
/// Networks that are drawn for one problem until one fits the machine.
const DRAWS: u64 = 1000;
/// How far thresholds lie from 0, in units of the largest weight.
const REACH: usize = 4;
/// Tiles, and rows of thresholds, from which a machine counts as a large one, with larger random networks.
const LARGE: usize = 64;

/// A problem and the name that makes it again, with its seed.
#[derive(Debug, Clone)]
pub struct NamedDeepProblem {
    /// `corner/...`, `network/NAME/COUNT` or `random/N`.
    pub name: String,
    /// The problem.
    pub problem: DeepProblem,
    /// Whether its maps between layers are compared too.
    pub maps: bool,
}

/// What the problems of a machine are made from.
#[derive(Debug, Clone)]
pub struct DeepProblemSet<'a> {
    /// The machine.
    pub machine: &'a DeepMachine,
    /// Seed of what is random; random problem K is that of seed + K.
    pub seed: u64,
    /// Random problems.
    pub random: u64,
    /// Images of each shipped network.
    pub images: usize,
    /// Folder with a folder of idx files for each data set, or with those of one; without it images are made up.
    pub data: Option<&'a Path>,
}

/// The corners, in this order.
const CORNERS: [&str; 6] = [
    "all-zero-inputs",
    "largest-weights-and-inputs",
    "most-negative-weights",
    "all-zero-weights",
    "one-hot-code",
    "more-images-than-slots",
];

/// One image through S000's keyword network with weights made up, on machines that hold it.
const KEYWORDS: &str = "network/s000-made-up/1";

impl DeepProblemSet<'_> {
    /// Names of the set, in the order in which it is run.
    ///
    /// # Errors
    /// [`HostError::Network`] for a shipped network that cannot be read.
    pub fn names(&self) -> Result<Vec<String>, HostError> {
        let corners = CORNERS.iter().map(|corner| format!("corner/{corner}"));
        let mut shipped = Vec::new();
        for name in recipe::NAMES {
            if let Some(network) = shipped_network(name)?
                && self.holds(&network)
            {
                shipped.push(format!("network/{name}/{}", self.images));
            }
        }
        if self.holds(&self.keywords()) {
            shipped.push(KEYWORDS.into());
        }
        let random = (0..self.random).map(|k| format!("random/{}", self.seed.wrapping_add(k)));
        Ok(corners.chain(shipped).chain(random).collect())
    }

    /// The problem of that name. Corners draw what they leave open from the set's seed.
    ///
    /// # Errors
    /// [`HostError::ProblemName`] lists the names; those of networks and images.
    pub fn make(&self, name: &str) -> Result<NamedDeepProblem, HostError> {
        let unknown = || match self.names() {
            Ok(names) => HostError::ProblemName { name: name.to_string(), known: names.join(", ") },
            Err(error) => error,
        };
        let parts: Vec<&str> = name.split('/').collect();
        let problem = match parts[..] {
            ["corner", corner] if CORNERS.contains(&corner) => self.corner(corner)?,
            ["random", seed] => {
                let seed = seed.parse().map_err(|_| unknown())?;
                let (network, mut draw) = self.drawn(seed);
                let images = draw.between(1, MOST_IMAGES);
                self.of(network, name, &MadeUpImages(seed), images)?
            }
            _ if name == KEYWORDS => self.of(self.keywords(), name, &MadeUpImages(self.seed), 1)?,
            ["network", network, images] => {
                let images = images.parse().map_err(|_| unknown())?;
                let found = shipped_network(network)?.ok_or_else(unknown)?;
                let source = self.source(&found)?;
                match self.of(found.clone(), name, source.as_ref(), images) {
                    // As many as there are.
                    Err(HostError::Images { available, .. }) => self.of(found, name, source.as_ref(), available)?,
                    made => made?,
                }
            }
            _ => return Err(unknown()),
        };
        let maps = problem.images.images.len() <= MAPS_UP_TO;
        Ok(NamedDeepProblem { name: name.to_string(), problem, maps })
    }

    fn of(
        &self,
        network: Network,
        name: &str,
        source: &dyn ImageSource,
        images: usize,
    ) -> Result<DeepProblem, HostError> {
        DeepProblem::of_network(self.machine.clone(), network, name.into(), source, Some(images))
    }

    fn holds(&self, network: &Network) -> bool {
        compile(network, &Target::of(self.machine)).is_ok()
    }

    fn keywords(&self) -> Network {
        Draw(self.seed).keyword_network()
    }

    /// The images a shipped network was trained for; made up where its data set is not at hand.
    fn source(&self, network: &Network) -> Result<Box<dyn ImageSource>, HostError> {
        let set: DataSet = network.provenance.data_set.parse()?;
        Ok(match (set, self.data) {
            (DataSet::Digits, _) => Box::new(DigitImages),
            (_, Some(folder)) => {
                let own = folder.join(set.to_string());
                Box::new(TestImages { set, folder: if own.is_dir() { own } else { folder.into() } })
            }
            (_, None) => Box::new(MadeUpImages(self.seed)),
        })
    }

    /// A network that fits the machine, and the draws behind it.
    fn drawn(&self, seed: u64) -> (Network, Draw) {
        let machine = self.machine;
        let (code_bits, sums) = (machine.code_bits, machine.sums);
        let (side, channels, outputs) =
            if machine.tiles.min(machine.thresholds) >= LARGE { (14, 8, 32) } else { (7, 3, 6) };
        // Upper bits of a seed do not reach the lower bits of what is drawn, such as weight bits out of 8: where none of those
        // fits, other lower bits follow. The first ones come first, so that recorded problems stay what they are.
        let seeds = (0..DRAWS).map(|attempt| seed.wrapping_add(attempt << 40));
        let others = (1..DRAWS).map(|attempt| seed.wrapping_add(attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        seeds
            .chain(others)
            .map(|seed| {
                let mut draw = Draw(seed);
                (draw.network_within(&Sizes { side, channels, outputs, code_bits, sums }, REACH), draw)
            })
            .find(|(network, _)| self.holds(network))
            .expect("a network of one pixel and two outputs fits every machine")
    }

    fn corner(&self, corner: &str) -> Result<DeepProblem, HostError> {
        // One with layers between, so that codes come out of it and go in again.
        let mut network = (0..DRAWS)
            .map(|k| self.drawn(self.seed.wrapping_add(k)).0)
            .find(|network| network.layers.len() > 1)
            .expect("two of three drawn networks have several layers");
        for layer in &mut network.layers {
            let (low, high) = weight_range(layer.weight_bits).into_inner();
            match corner {
                "largest-weights-and-inputs" => layer.weights.fill(high),
                "most-negative-weights" => layer.weights.fill(low),
                // A binary weight is 1 or -1.
                "all-zero-weights" => layer.weights.fill(if layer.weight_bits == 1 { -1 } else { 0 }),
                _ => (),
            }
        }
        let (codes, bits) = (network.layers[0].input_codes(), network.layers[0].input_bits);
        let largest = u8::MAX >> (8 - bits);
        let images = match corner {
            "all-zero-inputs" => vec![vec![0; codes]],
            "one-hot-code" => {
                let hot = Draw(self.seed).below(codes);
                vec![(0..codes).map(|at| if at == hot { largest } else { 0 }).collect()]
            }
            "more-images-than-slots" => {
                MadeUpImages(self.seed).images(codes, bits, Some(self.machine.slots + 1))?.images
            }
            _ => vec![vec![largest; codes]],
        };
        let count = images.len();
        self.of(network, &format!("corner/{corner}"), &Given(images), count)
    }
}

/// These images.
struct Given(Vec<Vec<u8>>);

impl ImageSource for Given {
    fn images(&self, _: usize, _: usize, _: Option<usize>) -> Result<ImageSet, HostError> {
        Ok(ImageSet { name: "a corner's".into(), images: self.0.clone(), labels: vec![None; self.0.len()] })
    }
}

/// A network of `networks/`, in this directory or one above it; none where there is no such file.
fn shipped_network(name: &str) -> Result<Option<Network>, HostError> {
    Ok(find_above(&format!("networks/{name}.safetensors")).map(Network::load).transpose()?)
}

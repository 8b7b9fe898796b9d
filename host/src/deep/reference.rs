//! What a run has to give: golden's integer layers for results, the executor and the mapping report for counters.

use bitline_firmware::execute::LayerCounters;
use serde::Serialize;
use std::fmt;

use super::DeepProblem;
use super::engine::{DeepEngine, DeepResults, GoldenEngine, ImageRecord, in_batches};
use super::mapping::Mapping;
use crate::error::HostError;

/// The counters by name, in the contract's order.
pub const COUNTERS: [&str; 7] =
    ["cycles", "busy_cycles", "array_reads", "row_pulses", "conversions", "saturations", "macs"];

/// A number that is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeepDifference {
    /// What differs: `code`, `sum`, `class`, `margin` or a counter's name.
    pub what: &'static str,
    /// Image, from 0.
    pub image: Option<usize>,
    /// Layer, from 0.
    pub layer: Option<usize>,
    /// Code of the layer's map, or sum, from 0.
    pub index: Option<usize>,
    /// Golden's number.
    pub expected: i64,
    /// The number that was found; none where there is none.
    pub got: Option<i64>,
}

impl fmt::Display for DeepDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = [("image", self.image), ("layer", self.layer), (self.what, self.index)];
        for (name, at) in places {
            if let Some(at) = at {
                write!(f, "{name} {at} ")?;
            }
        }
        let what = if self.index.is_some() { "" } else { self.what };
        let got = self.got.map_or("nothing".to_string(), |got| got.to_string());
        write!(f, "{what}{}is {got}, golden has {}", if what.is_empty() { "" } else { " " }, self.expected)
    }
}

/// What a run has to give.
#[derive(Debug, Clone)]
pub struct Reference {
    /// One an image: by golden's integer layers where there is a network and nothing is clamped (or golden ran it), else by the
    /// golden executor.
    pub images: Vec<ImageRecord>,
    /// The golden executor's counters, all images together, and layer by layer; those of the run itself if golden ran it.
    pub counters: LayerCounters,
    /// Its records of layer counters.
    pub layers: Vec<LayerCounters>,
    /// What the mapping report says of one image, layer by layer: cycles, busy cycles, array reads, conversions, macs.
    predicted: Vec<LayerCounters>,
}

impl Reference {
    /// Compute it. `golden` are the golden executor's results, if they are known.
    ///
    /// # Errors
    /// [`HostError::Fault`] for a program that does not end in `halt`.
    pub fn of(
        problem: &DeepProblem,
        golden: Option<&DeepResults>,
        done: &mut dyn FnMut(usize),
    ) -> Result<Self, HostError> {
        let made;
        let itself = golden.is_some();
        let golden = match golden {
            Some(golden) => golden,
            None => {
                made = GoldenEngine::new(problem).run(&problem.images.images, done)?;
                &made
            }
        };
        // A column count that a quantizer clamps is not in the integer layers: there the executor is what has to be met, by all but
        // itself.
        let images = match problem.network.as_ref().filter(|_| itself || golden.counters.saturations == 0) {
            None => golden.images.clone(),
            Some(network) => in_batches(&problem.images.images, done, &|image: &Vec<u8>| {
                let (mut layers, verdict) = network.evaluate(image);
                let last = layers.pop().map(|layer| layer.sums).unwrap_or_default();
                let maps = layers.into_iter().map(|layer| Some(layer.codes)).collect();
                let verdict = (last.len() > 1).then_some(verdict);
                Ok(ImageRecord { sums: last, verdict, maps })
            })?,
        };
        let predicted = match &problem.network {
            Some(network) => Mapping::new(network, problem).layers.iter().map(|layer| layer.counters()).collect(),
            None => Vec::new(),
        };
        Ok(Self { images, counters: golden.counters, layers: golden.layers.clone(), predicted })
    }

    /// The first number of a run that is not what it has to be: image by image, layer by layer, then the counters.
    pub fn first_difference(&self, results: &DeepResults) -> Option<DeepDifference> {
        let none = ImageRecord::default();
        let in_image = |(image, expected): (usize, &ImageRecord)| {
            let got = results.images.get(image).unwrap_or(&none);
            record_difference(expected, got).map(|found| DeepDifference { image: Some(image), ..found })
        };
        let in_images = self.images.iter().enumerate().find_map(in_image);
        in_images.or_else(|| self.counter_difference(results))
    }

    fn counter_difference(&self, results: &DeepResults) -> Option<DeepDifference> {
        let images = self.images.len() as u64;
        for (layer, predicted) in self.predicted.iter().enumerate() {
            let got = results.layers.get(layer).map(LayerCounters::values);
            for (n, predicted) in predicted.values().into_iter().enumerate() {
                // Row pulses and saturations depend on the codes: golden alone says them.
                let known = !matches!(COUNTERS[n], "row_pulses" | "saturations");
                let got = got.map(|got| got[n]);
                if known && got != Some(predicted * images) {
                    return Some(counter(Some(layer), n, predicted * images, got));
                }
            }
        }
        let layers = self.layers.iter().enumerate().map(|(n, layer)| (Some(n), layer, results.layers.get(n)));
        for (layer, expected, got) in layers.chain([(None, &self.counters, Some(&results.counters))]) {
            let got = got.map(LayerCounters::values);
            for (n, expected) in expected.values().into_iter().enumerate() {
                let got = got.map(|got| got[n]);
                if got != Some(expected) {
                    return Some(counter(layer, n, expected, got));
                }
            }
        }
        None
    }

    /// Numbers that are compared: codes of maps, and sums.
    pub fn compared(&self, results: &DeepResults) -> (usize, usize) {
        let seen = results.images.iter().flat_map(|image| image.maps.iter().flatten().map(Vec::len));
        (seen.sum(), self.images.iter().map(|image| image.sums.len()).sum())
    }
}

fn counter(layer: Option<usize>, n: usize, expected: u64, got: Option<u64>) -> DeepDifference {
    let (expected, got) = (expected as i64, got.map(|got| got as i64));
    DeepDifference { what: COUNTERS[n], image: None, layer, index: None, expected, got }
}

fn record_difference(expected: &ImageRecord, got: &ImageRecord) -> Option<DeepDifference> {
    for (layer, codes) in expected.maps.iter().enumerate() {
        // A map that the engine cannot see is not compared; what was made of it is.
        let (Some(codes), Some(Some(found))) = (codes, got.maps.get(layer)) else { continue };
        let at = (0..codes.len().max(found.len())).find(|at| codes.get(*at) != found.get(*at));
        if let Some(index) = at {
            return Some(DeepDifference {
                what: "code",
                image: None,
                layer: Some(layer),
                index: Some(index),
                expected: codes.get(index).map_or(0, |code| i64::from(*code)),
                got: found.get(index).map(|code| i64::from(*code)),
            });
        }
    }
    let differs = |what, index, expected: i64, got: Option<i64>| {
        (got != Some(expected)).then_some(DeepDifference { what, image: None, layer: None, index, expected, got })
    };
    let sums = expected.sums.iter().enumerate();
    let sum = |(at, sum): (usize, &i32)| {
        differs("sum", Some(at), i64::from(*sum), got.sums.get(at).map(|sum| i64::from(*sum)))
    };
    let verdict = expected.verdict.as_ref();
    sums.map(sum).find_map(|found| found).or_else(|| {
        let found = got.verdict.as_ref();
        let class = differs("class", None, verdict?.class as i64, found.map(|found| found.class as i64));
        class.or_else(|| differs("margin", None, verdict?.margin.into(), found.map(|found| found.margin.into())))
    })
}

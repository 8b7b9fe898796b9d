//! S003's grid, filled with what was recorded.

use super::runs::{Cell, Group, Setting, Weights, name};
use super::s003::{ARCHITECTURES, BITS, QUANTIZERS, RANGES, SETS};
use bitline_train::image_set::DataSet;
use bitline_train::lab::{Algorithm, Hidden, Quantizer, Range, Storage};

/// A place of the quantized grid: weights in place, on a set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Set of images.
    pub data_set: DataSet,
    /// Hidden layers.
    pub hidden: Hidden,
    /// How it is trained.
    pub algorithm: Algorithm,
    /// ASYMM or SYMM.
    pub quantizer: Quantizer,
    /// Global or local.
    pub range: Range,
    /// Bits of a weight.
    pub bits: usize,
}

/// A recipe whose runs stand in the grid for an algorithm on a set, and how many runs of others do not.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Set of images.
    pub data_set: DataSet,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Whether these are its quantized runs.
    pub quantized: bool,
    /// The architectures it was chosen for.
    pub hidden: Vec<Hidden>,
    /// Every other setting, as [`super::runs::recipe`] has it.
    pub recipe: String,
    /// Runs of these architectures with other recipes, which the grid leaves out.
    pub left_out: usize,
}

/// The grid.
#[derive(Debug, Clone)]
pub struct Grid {
    architectures: Vec<Hidden>,
    /// S003's sets and the digits, those of which there is a run.
    pub data_sets: Vec<DataSet>,
    /// Whose runs are in it.
    pub choices: Vec<Choice>,
    groups: Vec<Group>,
}

/// Whether a setting is of S003's kind: no noise, in full precision or quantized in place by ASYMM or SYMM.
pub(super) fn belongs(setting: &Setting) -> bool {
    let in_place = |w: &Weights| w.storage == Storage::InPlace && QUANTIZERS.contains(&w.quantizer);
    setting.noise_sigma == 0.0 && setting.weights.as_ref().is_none_or(in_place)
}

impl Grid {
    /// Take those groups that are of S003's kind: no noise, full precision or ASYMM or SYMM in place. Where they have several
    /// recipes, one stands in the grid and the runs of the others are counted: in full precision for each architecture that of most
    /// runs, and of those with as many, that of most architectures; quantized, for all architectures of an algorithm on a set that of
    /// most settings, and of those with as many, that of most runs.
    pub fn new(groups: &[Group]) -> Self {
        let own: Vec<&Group> = groups.iter().filter(|group| belongs(&group.setting)).collect();
        let mut architectures = ARCHITECTURES.to_vec();
        let mut others: Vec<Hidden> = own.iter().map(|group| group.setting.hidden).collect();
        others.sort_by_key(|hidden| (hidden.layers, hidden.units));
        for hidden in others {
            if !architectures.contains(&hidden) {
                architectures.push(hidden);
            }
        }
        let (mut choices, mut kept) = (Vec::new(), Vec::new());
        let data_sets: Vec<DataSet> = SETS
            .into_iter()
            .chain([DataSet::Digits])
            .filter(|set| own.iter().any(|group| group.setting.data_set == *set))
            .collect();
        for (data_set, algorithm) in data_sets.iter().flat_map(|set| Algorithm::ALL.map(|algorithm| (*set, algorithm)))
        {
            for quantized in [false, true] {
                let mine = |group: &&&Group| {
                    let setting = &group.setting;
                    (setting.data_set, setting.algorithm, setting.weights.is_some()) == (data_set, algorithm, quantized)
                };
                let mine: Vec<&Group> = own.iter().filter(mine).copied().collect();
                let chosen = if quantized {
                    of_most_settings(&mine, &architectures)
                } else {
                    of_most_runs(&mine, &architectures)
                };
                for (recipe, hidden) in chosen {
                    let of_these = mine.iter().filter(|group| hidden.contains(&group.setting.hidden));
                    let (stand, others): (Vec<&Group>, Vec<&Group>) =
                        of_these.copied().partition(|group| group.recipe == recipe);
                    let left_out = runs_of(&others);
                    kept.extend(stand.into_iter().cloned());
                    choices.push(Choice { data_set, algorithm, quantized, hidden, recipe: recipe.into(), left_out });
                }
            }
        }
        Self { architectures, data_sets, choices, groups: kept }
    }

    /// The architectures of a set's rows: S003's, the digits apart, and after them whichever else has a run.
    pub fn architectures(&self, data_set: DataSet) -> Vec<Hidden> {
        let is_own = |hidden: &Hidden| SETS.contains(&data_set) && ARCHITECTURES.contains(hidden);
        let has_run =
            |hidden: &Hidden| self.groups.iter().any(|g| (g.setting.data_set, g.setting.hidden) == (data_set, *hidden));
        self.architectures.iter().filter(|hidden| is_own(hidden) || has_run(hidden)).copied().collect()
    }

    /// The sets that hypotheses are judged by: S003's, or where there is no run on them the digits.
    pub fn judged(&self) -> Vec<DataSet> {
        let own: Vec<DataSet> = self.data_sets.iter().filter(|set| SETS.contains(set)).copied().collect();
        if own.is_empty() { self.data_sets.clone() } else { own }
    }

    /// Every cell in the grid.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.groups.iter().map(|group| &group.cell)
    }

    fn find(&self, setting: &Setting) -> Option<&Cell> {
        self.groups.iter().find(|group| group.setting == *setting).map(|group| &group.cell)
    }

    /// The cell of a network in full precision.
    pub fn full(&self, data_set: DataSet, hidden: Hidden, algorithm: Algorithm) -> Option<&Cell> {
        self.find(&Setting { data_set, hidden, algorithm, weights: None, noise_sigma: 0.0 })
    }

    /// A quantized cell.
    pub fn quantized(&self, place: &Place) -> Option<&Cell> {
        let Place { data_set, hidden, algorithm, quantizer, range, bits } = *place;
        let weights = Some(Weights { quantizer, range, storage: Storage::InPlace, bits });
        self.find(&Setting { data_set, hidden, algorithm, weights, noise_sigma: 0.0 })
    }

    /// Every place of a set, recorded or not, in the order algorithm, architecture, quantizer, range, bits.
    pub fn places(&self, data_set: DataSet) -> Vec<Place> {
        let mut places = Vec::new();
        for algorithm in Algorithm::ALL {
            for hidden in &self.architectures(data_set) {
                for quantizer in QUANTIZERS {
                    for range in RANGES {
                        let place = |bits| Place { data_set, hidden: *hidden, algorithm, quantizer, range, bits };
                        places.extend(BITS.map(place));
                    }
                }
            }
        }
        places
    }

    /// Places of S003's own grid on a set that have no run.
    pub fn missing(&self, data_set: DataSet) -> Vec<Place> {
        let mut places = self.places(data_set);
        places.retain(|place| ARCHITECTURES.contains(&place.hidden) && self.quantized(place).is_none());
        places
    }

    /// Places with a run that diverged, and how many of their runs did.
    pub fn diverged(&self, data_set: DataSet) -> Vec<String> {
        let told = |what: String, cell: &Cell| {
            (cell.diverged > 0).then(|| format!("{what}: {} of {} runs", cell.diverged, cell.runs()))
        };
        let mut all = Vec::new();
        for algorithm in Algorithm::ALL {
            for hidden in &self.architectures(data_set) {
                let cell = self.full(data_set, *hidden, algorithm);
                all.extend(cell.and_then(|cell| told(format!("{algorithm} {hidden} full precision"), cell)));
            }
        }
        let quantized = |place: &Place| self.quantized(place).and_then(|cell| told(words(place), cell));
        all.extend(self.places(data_set).iter().filter_map(quantized));
        all
    }

    /// Whether a set has a quantized run.
    pub fn has_quantized(&self, data_set: DataSet) -> bool {
        self.groups.iter().any(|group| group.setting.data_set == data_set && group.setting.weights.is_some())
    }
}

fn runs_of(groups: &[&Group]) -> usize {
    groups.iter().map(|group| group.cell.runs()).sum()
}

/// The recipe that weighs most; of equals, the first in the alphabet.
fn heaviest<'a, W: Ord>(groups: &[&'a Group], weight: impl Fn(&str) -> W) -> Option<&'a str> {
    let mut recipes: Vec<&str> = groups.iter().map(|group| group.recipe.as_str()).collect();
    recipes.sort_unstable();
    recipes.dedup();
    // `max_by_key` takes the last of equals.
    recipes.into_iter().rev().max_by_key(|recipe| weight(recipe))
}

fn of_recipe<'a>(groups: &[&'a Group], recipe: &str) -> Vec<&'a Group> {
    groups.iter().filter(|group| group.recipe == recipe).copied().collect()
}

/// One recipe for all architectures of an algorithm on a set.
fn of_most_settings<'a>(mine: &[&'a Group], architectures: &[Hidden]) -> Vec<(&'a str, Vec<Hidden>)> {
    let weight = |recipe: &str| {
        let own = of_recipe(mine, recipe);
        (own.len(), runs_of(&own))
    };
    let has_run = |hidden: &&Hidden| mine.iter().any(|group| group.setting.hidden == **hidden);
    let all = architectures.iter().filter(has_run).copied().collect();
    heaviest(mine, weight).map(|recipe| (recipe, all)).into_iter().collect()
}

/// A recipe for each architecture, those that share one together.
fn of_most_runs<'a>(mine: &[&'a Group], architectures: &[Hidden]) -> Vec<(&'a str, Vec<Hidden>)> {
    let mut chosen: Vec<(&str, Vec<Hidden>)> = Vec::new();
    for hidden in architectures {
        let here: Vec<&Group> = mine.iter().filter(|group| group.setting.hidden == *hidden).copied().collect();
        let weight = |recipe: &str| (runs_of(&of_recipe(&here, recipe)), of_recipe(mine, recipe).len());
        let Some(recipe) = heaviest(&here, weight) else { continue };
        match chosen.iter_mut().find(|(known, _)| *known == recipe) {
            Some((_, all)) => all.push(*hidden),
            None => chosen.push((recipe, vec![*hidden])),
        }
    }
    chosen
}

/// A place in words, but for its bits.
fn network(place: &Place) -> String {
    let Place { hidden, algorithm, quantizer, range, .. } = place;
    format!("{algorithm} {hidden} {} {}", name(quantizer), name(range))
}

/// A place in words.
fn words(place: &Place) -> String {
    format!("{} {} bits", network(place), place.bits)
}

/// Places in words, those that differ in bits alone together; they stand beside each other in [`Grid::places`].
pub fn listed(places: &[Place]) -> Vec<String> {
    let line = |same: &[Place]| {
        let bits: Vec<String> = same.iter().map(|place| place.bits.to_string()).collect();
        format!("{}: {} bits", network(&same[0]), bits.join(", "))
    };
    places.chunk_by(|a, b| Place { bits: b.bits, ..*a } == *b).map(line).collect()
}

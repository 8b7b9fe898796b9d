//! Which figures there are, and what is in them.

use super::grid::{Grid, Place};
use super::panels::{INKS, Line, Panel, Panels, Stroke};
use super::runs::{Cell, Group, Setting, Weights, name, without_learning_rate};
use super::s003::{BITS, QUANTIZERS, RANGES, title};
use bitline_train::image_set::DataSet;
use bitline_train::lab::{Algorithm, Hidden, Quantizer, Range, Storage};

const FULL: f64 = 99.0;
const STORAGES: [Storage; 3] = [Storage::InPlace, Storage::InPlaceStochastic, Storage::Latent];

fn bit_ticks() -> Vec<(f64, String)> {
    let mut ticks: Vec<(f64, String)> = BITS.iter().map(|bits| (*bits as f64, bits.to_string())).collect();
    ticks.push((FULL, "full".into()));
    ticks
}

/// S003's figures 5.1 to 5.21 for one set: accuracy against bits, a colour an algorithm, solid SYMM, dashed ASYMM, a panel an
/// architecture and range.
pub fn bits(grid: &Grid, data_set: DataSet) -> Option<Panels> {
    let mut panels = Vec::new();
    for range in RANGES {
        for hidden in &grid.architectures(data_set) {
            let mut lines = Vec::new();
            let mut is_quantized = false;
            for (algorithm, ink) in Algorithm::ALL.into_iter().zip(INKS) {
                for quantizer in QUANTIZERS.into_iter().rev() {
                    let at = |bits: usize| {
                        let place = Place { data_set, hidden: *hidden, algorithm, quantizer, range, bits };
                        Some((bits as f64, grid.quantized(&place)?.clone()))
                    };
                    let mut points: Vec<(f64, Cell)> = BITS.into_iter().filter_map(at).collect();
                    is_quantized |= !points.is_empty();
                    if quantizer == Quantizer::UniformSymm {
                        points.extend(grid.full(data_set, *hidden, algorithm).map(|cell| (FULL, cell.clone())));
                    }
                    let label = format!("{algorithm}, {}", name(&quantizer));
                    let stroke = Stroke { label, ink, dashed: quantizer == Quantizer::UniformAsymm };
                    if !points.is_empty() {
                        lines.push(Line { stroke, points });
                    }
                }
            }
            if is_quantized {
                panels.push(Panel { title: format!("{hidden}, {} range", name(&range)), lines });
            }
        }
    }
    (!panels.is_empty()).then(|| Panels {
        name: format!("bits-{}", name(&data_set)),
        caption: format!(
            "Accuracy on {} against bits of a weight, weights quantized in place; \u{201c}full\u{201d} is full precision. A cross at the \
             bottom is a run that diverged; bars are a standard deviation of the seeds, where there are several.",
            title(data_set)
        ),
        x_title: "bits",
        ticks: bit_ticks(),
        last_apart: true,
        panels,
    })
}

/// What runs of one comparison have in common: storages want learning rates of their own, so that is not of it.
#[derive(Debug, Clone, PartialEq)]
struct Common {
    data_set: DataSet,
    recipe: String,
    hidden: Hidden,
    algorithm: Algorithm,
    quantizer: Quantizer,
    range: Range,
}

/// A point of a comparison.
struct Stored<'a> {
    common: Common,
    storage: Storage,
    learning_rate: String,
    bits: usize,
    cell: &'a Cell,
}

fn stored(group: &Group) -> Option<Stored<'_>> {
    let Setting { data_set, hidden, algorithm, weights, noise_sigma } = group.setting;
    let Weights { quantizer, range, storage, bits } = weights?;
    if noise_sigma != 0.0 || quantizer == Quantizer::Levels {
        return None;
    }
    let (learning_rate, recipe) = without_learning_rate(&group.recipe);
    let common = Common { data_set, recipe, hidden, algorithm, quantizer, range };
    Some(Stored { common, storage, learning_rate, bits, cell: &group.cell })
}

/// Where weights live, against bits: a figure a set and recipe, of those networks of which two storages or more were recorded. A
/// line is of a storage and learning rate, which it names where the figure has several.
pub fn storages(groups: &[Group]) -> Vec<Panels> {
    let own: Vec<Stored> = groups.iter().filter_map(stored).collect();
    let mut commons: Vec<&Common> = Vec::new();
    for Stored { common, .. } in &own {
        let is_there = |s: &Storage| own.iter().any(|other| other.common == *common && other.storage == *s);
        if !commons.contains(&common) && STORAGES.iter().filter(|s| is_there(s)).count() > 1 {
            commons.push(common);
        }
    }
    commons.sort_by_key(|c| {
        let algorithm = Algorithm::ALL.iter().position(|a| *a == c.algorithm);
        let Hidden { layers, units } = c.hidden;
        (name(&c.data_set), &c.recipe, layers, units, algorithm, name(&c.quantizer), name(&c.range))
    });
    let mut figures = Vec::new();
    for same in commons.chunk_by(|a, b| (a.data_set, &a.recipe) == (b.data_set, &b.recipe)) {
        let figure = storages_of_recipe(same, &own, &figures);
        figures.push(figure);
    }
    figures
}

/// The figure of comparisons that have set and recipe in common.
fn storages_of_recipe(same: &[&Common], own: &[Stored], before: &[Panels]) -> Panels {
    let own: Vec<&Stored> = own.iter().filter(|point| same.contains(&&point.common)).collect();
    let mut rates: Vec<(Storage, &str)> =
        own.iter().map(|point| (point.storage, point.learning_rate.as_str())).collect();
    rates.sort_by_key(|(storage, rate)| (STORAGES.iter().position(|s| s == storage), *rate));
    rates.dedup();
    let mut all_rates: Vec<&str> = rates.iter().map(|(_, rate)| *rate).collect();
    all_rates.sort_unstable();
    all_rates.dedup();
    // A storage keeps its colour; its further rates are dashed.
    let stroke = |place: usize| {
        let (storage, rate) = rates[place];
        let ink = STORAGES.into_iter().zip(INKS).find(|(s, _)| *s == storage).expect("all are listed").1;
        let label = if all_rates.len() == 1 { name(&storage) } else { format!("{}, rate {rate}", name(&storage)) };
        Stroke { label, ink, dashed: rates[..place].iter().any(|(s, _)| *s == storage) }
    };
    let panel = |common: &&Common| {
        let line = |place: usize| {
            let mine = |point: &&&Stored| {
                point.common == **common && (point.storage, point.learning_rate.as_str()) == rates[place]
            };
            let mut points: Vec<(f64, Cell)> =
                own.iter().filter(mine).map(|point| (point.bits as f64, point.cell.clone())).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            (!points.is_empty()).then(|| Line { stroke: stroke(place), points })
        };
        let Common { hidden, algorithm, quantizer, range, .. } = common;
        Panel {
            title: format!("{algorithm}, {hidden}, {}, {}", name(quantizer), name(range)),
            lines: (0..rates.len()).filter_map(line).collect(),
        }
    };
    let data_set = same[0].data_set;
    let mut ticks = bit_ticks();
    ticks.pop();
    Panels {
        name: numbered(before, &format!("storage-{}", name(&data_set))),
        caption: format!(
            "Where weights live, on {}: in place and rounded to the nearest level, in place and rounded stochastically, or \
             latent in full precision. Recipe: {}; learning rate {}.",
            title(data_set),
            same[0].recipe,
            all_rates.join(" or ")
        ),
        x_title: "bits",
        ticks,
        last_apart: false,
        panels: same.iter().map(panel).collect(),
    }
}

/// A name that no figure before has: `storage-mnist`, `storage-mnist-2`.
pub(super) fn numbered(figures: &[Panels], stem: &str) -> String {
    let before = figures.iter().filter(|figure| figure.name == stem || figure.name.starts_with(&format!("{stem}-")));
    match before.count() {
        0 => stem.to_string(),
        n => format!("{stem}-{}", n + 1),
    }
}

fn weights_label(weights: Option<Weights>) -> String {
    weights.map_or("full precision".into(), |w| {
        format!("{} bits {} {} {}", w.bits, name(&w.quantizer), name(&w.range), name(&w.storage))
    })
}

/// Accuracy without noise of networks trained with it, against its sigma: a figure a set and recipe, of those networks of which two
/// sigmas or more were recorded.
pub fn noise(groups: &[Group]) -> Vec<Panels> {
    let twin = |one: &Group, other: &Group| {
        let setting = Setting { noise_sigma: other.setting.noise_sigma, ..one.setting };
        one.recipe == other.recipe && setting == other.setting
    };
    let mut own: Vec<&Group> = groups
        .iter()
        .filter(|group| groups.iter().any(|o| twin(group, o) && o.setting.noise_sigma != group.setting.noise_sigma))
        .collect();
    let order = |g: &&Group| {
        let algorithm = Algorithm::ALL.iter().position(|a| *a == g.setting.algorithm);
        let Hidden { layers, units } = g.setting.hidden;
        (name(&g.setting.data_set), g.recipe.clone(), layers, units, algorithm, weights_label(g.setting.weights))
    };
    own.sort_by(|a, b| order(a).cmp(&order(b)).then(a.setting.noise_sigma.total_cmp(&b.setting.noise_sigma)));
    let mut figures = Vec::new();
    let figure = |g: &Group| (g.setting.data_set, g.recipe.clone());
    for same in own.chunk_by(|a, b| figure(a) == figure(b)) {
        let mut sigmas: Vec<f64> = same.iter().map(|group| group.setting.noise_sigma).collect();
        sigmas.sort_by(f64::total_cmp);
        sigmas.dedup();
        let mut labels: Vec<String> = Vec::new();
        let mut panels = Vec::new();
        for network in same.chunk_by(|a, b| a.setting.hidden == b.setting.hidden) {
            let mut lines = Vec::new();
            for twins in network.chunk_by(|a, b| twin(a, b)) {
                let setting = &twins[0].setting;
                let label = format!("{}, {}", setting.algorithm, weights_label(setting.weights));
                let known = labels.iter().position(|l| *l == label);
                let place = known.unwrap_or_else(|| {
                    labels.push(label.clone());
                    labels.len() - 1
                });
                let stroke = Stroke { label, ink: INKS[place % INKS.len()], dashed: place / INKS.len() % 2 == 1 };
                let points = twins.iter().map(|group| (group.setting.noise_sigma, group.cell.clone())).collect();
                lines.push(Line { stroke, points });
            }
            panels.push(Panel { title: network[0].setting.hidden.to_string(), lines });
        }
        let data_set = same[0].setting.data_set;
        figures.push(Panels {
            name: numbered(&figures, &format!("noise-{}", name(&data_set))),
            caption: format!(
                "Trained with noise on the weights and evaluated without, on {}: sigma in parts of a layer's largest weight. Recipe: {}.",
                title(data_set),
                same[0].recipe
            ),
            x_title: "sigma of training",
            ticks: sigmas.iter().map(|sigma| (*sigma, sigma.to_string())).collect(),
            last_apart: false,
            panels,
        });
    }
    figures
}

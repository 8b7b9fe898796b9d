//! Trained networks under noise: accuracy against the sigma of evaluation, beside S002's Tables II and III.

use super::panels::{INKS, Line, Panel, Panels, Stroke};
use super::runs::{Cell, LabRun, Runs, name, recipe};
use super::s002::{self, Kind};
use super::s003::title;
use super::tables::{PLAIN_CELL, Table, html_cell, percent, plain_cell};
use bitline_train::image_set::DataSet;
use bitline_train::lab::{Algorithm, Hidden, Normalization, RunConfig};
use std::collections::HashSet;

/// What stands in one panel: runs that differ in the sigma of training and the seed alone.
#[derive(Debug, Clone, PartialEq)]
struct Network {
    data_set: DataSet,
    hidden: Hidden,
    algorithm: Algorithm,
    weights: String,
    recipe: String,
    kind: Option<Kind>,
}

impl Network {
    fn of(config: &RunConfig) -> Self {
        let RunConfig { data_set, hidden, algorithm, .. } = *config;
        let recipe = recipe(config);
        Self { data_set, hidden, algorithm, weights: words(config), recipe, kind: s002::kind(config) }
    }

    fn title(&self) -> String {
        format!("{}, {}", self.hidden, self.weights)
    }
}

/// Weights, activation and normalisation in words.
fn words(config: &RunConfig) -> String {
    let mut words = match &config.quantization {
        None => "full precision".to_string(),
        Some(q) if q.quantizer.is_binary() => format!("{} {}", name(&q.quantizer), name(&q.range)),
        Some(q) => format!("{} bits {} {}", q.bits, name(&q.quantizer), name(&q.range)),
    };
    words += &format!(", {}", name(&config.activation));
    if config.normalization == Normalization::Batch {
        words += ", batch norm";
    }
    words
}

/// A network's draws, of every seed together, trained under a sigma and evaluated under another.
struct Entry {
    network: Network,
    trained: f64,
    evaluated: f64,
    cell: Cell,
}

/// Every evaluation under noise on the test images, each training once.
fn entries(runs: &Runs) -> Vec<Entry> {
    let (mut entries, mut seen): (Vec<Entry>, _) = (Vec::new(), HashSet::new());
    let own = |run: &&LabRun| run.config.held_out == 0 && !run.noise_evaluation.is_empty();
    for run in runs.runs.iter().filter(own) {
        let (network, trained) = (Network::of(&run.config), run.config.noise_sigma);
        let training = (run.training(), run.config.noise_draws);
        for line in &run.noise_evaluation {
            if !seen.insert((training.clone(), line.sigma.to_bits())) {
                continue;
            }
            let is_same = |e: &Entry| (e.trained, e.evaluated) == (trained, line.sigma) && e.network == network;
            let place = entries.iter().position(is_same).unwrap_or_else(|| {
                let network = network.clone();
                entries.push(Entry { network, trained, evaluated: line.sigma, cell: Cell::default() });
                entries.len() - 1
            });
            let share = |correct: &usize| super::runs::accuracy_of(*correct, line.test_images);
            entries[place].cell.accuracies.extend(line.test_correct.iter().map(share));
        }
    }
    let order = |e: &Entry| {
        let Network { data_set, hidden, algorithm, weights, recipe, kind } = &e.network;
        let algorithm = Algorithm::ALL.iter().position(|a| a == algorithm);
        // S002's networks first, in its order.
        let kind = kind.map_or(3, |kind| kind as usize);
        (name(data_set), algorithm, hidden.layers, hidden.units, kind, weights.clone(), recipe.clone())
    };
    entries.sort_by(|a, b| {
        let sigmas = a.trained.total_cmp(&b.trained).then(a.evaluated.total_cmp(&b.evaluated));
        order(a).cmp(&order(b)).then(sigmas)
    });
    entries
}

fn sorted(sigmas: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sigmas: Vec<f64> = sigmas.collect();
    sigmas.sort_by(f64::total_cmp);
    sigmas.dedup();
    sigmas
}

/// Entries of one figure and table: a set and an algorithm.
fn together(entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    entries.chunk_by(|a, b| (a.network.data_set, a.network.algorithm) == (b.network.data_set, b.network.algorithm))
}

fn file(network: &Network) -> String {
    format!("noise-evaluation-{}-{}", name(&network.data_set), network.algorithm)
}

/// The figures and their numbers.
pub fn drawn(runs: &Runs) -> (Vec<Panels>, Vec<Table>) {
    let entries = entries(runs);
    (figures(&entries), tables(&entries))
}

/// A figure a set and algorithm: a panel a network, a line a sigma of training.
fn figures(entries: &[Entry]) -> Vec<Panels> {
    let figure = |same: &[Entry]| {
        let trained = sorted(same.iter().map(|entry| entry.trained));
        let panel = |own: &[Entry]| {
            let line = |line: &[Entry]| {
                let place = trained.iter().position(|sigma| *sigma == line[0].trained).expect("of these");
                let label = format!("trained under sigma {}", line[0].trained);
                let stroke = Stroke { label, ink: INKS[place % INKS.len()], dashed: place / INKS.len() % 2 == 1 };
                Line { stroke, points: line.iter().map(|entry| (entry.evaluated, entry.cell.clone())).collect() }
            };
            let lines = own.chunk_by(|a, b| a.trained == b.trained).map(line).collect();
            Panel { title: own[0].network.title(), lines }
        };
        let mut recipes: Vec<&str> = same.iter().map(|entry| entry.network.recipe.as_str()).collect();
        recipes.dedup();
        Panels {
            name: file(&same[0].network),
            caption: format!(
                "Trained by {} on {}, evaluated under noise on the weights, whose sigma is in parts of a layer's largest weight: the mean \
                 of the draws, bars a standard deviation. Recipes: {}.",
                same[0].network.algorithm,
                title(same[0].network.data_set),
                recipes.join("; ")
            ),
            x_title: "sigma of evaluation",
            ticks: sorted(same.iter().map(|entry| entry.evaluated)).iter().map(|s| (*s, s.to_string())).collect(),
            last_apart: false,
            panels: same.chunk_by(|a, b| a.network == b.network).map(panel).collect(),
        }
    };
    together(entries).map(figure).collect()
}

/// The figures' numbers: a row a network and sigma of training, a column a sigma of evaluation, S002's number below ours.
fn tables(entries: &[Entry]) -> Vec<Table> {
    let table = |same: &[Entry]| {
        let sigmas = sorted(same.iter().map(|entry| entry.evaluated));
        let mut head: Vec<String> = ["network", "sigma of training"].map(String::from).into();
        head.extend(sigmas.iter().map(|sigma| format!("sigma {sigma}")));
        let mut plain = vec![["network", "trained_sigma", "evaluated_sigma"].map(String::from).to_vec()];
        plain[0].extend(PLAIN_CELL.map(|head| if head == "seeds" { "draws".into() } else { head.to_string() }));
        plain[0].push("s002_percent".into());
        let mut rows = Vec::new();
        for own in same.chunk_by(|a, b| a.network == b.network && a.trained == b.trained) {
            let (network, trained) = (&own[0].network, own[0].trained);
            let mut row = vec![network.title(), trained.to_string()];
            for sigma in &sigmas {
                let cell = own.iter().find(|entry| entry.evaluated == *sigma).map(|entry| &entry.cell);
                let published = network.kind.and_then(|kind| s002::percent(kind, trained, *sigma));
                row.push(html_cell(cell, published.map(|value| ("S002", value)), "draw"));
                let mut line = vec![network.title(), trained.to_string(), sigma.to_string()];
                line.extend(plain_cell(cell));
                line.push(published.map_or_else(String::new, percent));
                plain.push(line);
            }
            rows.push(row);
        }
        let (algorithm, set) = (same[0].network.algorithm, title(same[0].network.data_set));
        Table {
            name: format!("{}-table", file(&same[0].network)),
            caption: format!(
                "{algorithm} on {set}, percent of the test images: mean and sample standard deviation over draws of the noise. S002's \
                 numbers are of convolutional networks on Speech Commands, 12 classes, and stand beside ours for the slope alone."
            ),
            head,
            rows,
            plain,
        }
    };
    together(entries).map(table).collect()
}

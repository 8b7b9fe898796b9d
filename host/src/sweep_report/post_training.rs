//! Quantized after training against trained on the levels: a figure a set and recipe.

use super::panels::{INKS, Line, Panel, Panels, Stroke};
use super::runs::{Cell, LabRun, Runs, accuracy_of, name, recipe};
use super::s003::title;
use bitline_train::image_set::DataSet;
use bitline_train::lab::{Algorithm, Hidden, PostTrainingLine, Quantization, Quantizer, Range, RunConfig, Storage};

/// Where the tables begin on the axis, and where full precision is.
const TABLES: f64 = 20.0;
const FULL: f64 = 99.0;

/// What is compared, but for its levels.
#[derive(Debug, Clone, PartialEq)]
struct Network {
    data_set: DataSet,
    /// Of the run in full precision.
    recipe: String,
    hidden: Hidden,
    algorithm: Algorithm,
}

/// How a network came onto its levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Rounded after training.
    PostTraining,
    /// Trained with them in the forward and backward pass, a latent copy in full precision.
    Trained,
    /// Not at all.
    Full,
}

impl Way {
    const ALL: [Self; 3] = [Self::PostTraining, Self::Trained, Self::Full];

    fn label(self) -> &'static str {
        match self {
            Self::PostTraining => "quantized after training",
            Self::Trained => "trained on the levels (latent)",
            Self::Full => "full precision",
        }
    }
}

/// Which levels; `table` is empty where `bits` say it.
#[derive(Debug, Clone, PartialEq)]
struct Levels {
    quantizer: Quantizer,
    range: Range,
    bits: usize,
    table: Vec<f32>,
}

impl Levels {
    fn of(quantization: &Quantization) -> Self {
        let Quantization { quantizer, range, bits, levels, .. } = quantization;
        let bits = if *quantizer == Quantizer::Levels { 0 } else { *bits };
        Self { quantizer: *quantizer, range: *range, bits, table: levels.clone() }
    }

    fn of_line(line: &PostTrainingLine) -> Self {
        let (quantizer, range, bits) = (line.quantizer, line.range, line.bits.unwrap_or(0));
        Self { quantizer, range, bits, table: line.levels.clone() }
    }
}

/// Results of one network in one way on one kind of levels, none for full precision.
struct Entry {
    network: Network,
    way: Way,
    levels: Option<Levels>,
    cell: Cell,
}

#[derive(Default)]
struct Entries(Vec<Entry>);

impl Entries {
    fn add(&mut self, network: &Network, way: Way, levels: Option<Levels>, accuracy: Option<f64>) {
        let is_same = |e: &&mut Entry| e.way == way && e.levels == levels && e.network == *network;
        let cell = match self.0.iter_mut().find(is_same) {
            Some(entry) => &mut entry.cell,
            None => {
                self.0.push(Entry { network: network.clone(), way, levels, cell: Cell::default() });
                &mut self.0.last_mut().expect("just pushed").cell
            }
        };
        match accuracy {
            Some(accuracy) => cell.accuracies.push(accuracy),
            None => cell.diverged += 1,
        }
    }

    fn add_run(&mut self, run: &LabRun) {
        let RunConfig { data_set, hidden, algorithm, quantization, .. } = &run.config;
        let in_full = RunConfig { quantization: None, ..run.config.clone() };
        let (data_set, hidden, algorithm) = (*data_set, *hidden, *algorithm);
        let network = Network { data_set, recipe: recipe(&in_full), hidden, algorithm };
        match quantization {
            Some(q) if q.storage == Storage::Latent => {
                self.add(&network, Way::Trained, Some(Levels::of(q)), run.accuracy);
            }
            Some(_) => {}
            None => {
                self.add(&network, Way::Full, None, run.accuracy);
                for line in &run.post_training {
                    let accuracy = accuracy_of(line.test_correct, line.test_images);
                    self.add(&network, Way::PostTraining, Some(Levels::of_line(line)), Some(accuracy));
                }
            }
        }
    }

    fn of<'a>(&'a self, network: &'a Network, way: Way) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.way == way && entry.network == *network)
    }

    /// A panel of a quantizer and range: lines over bits, tables and full precision as points beside them.
    fn panel(&self, network: &Network, (quantizer, range): (Quantizer, Range), tables: &[Vec<f32>]) -> Panel {
        let mut lines = Vec::new();
        for (way, ink) in Way::ALL.into_iter().zip(INKS) {
            let stroke = Stroke { label: way.label().into(), ink, dashed: way == Way::PostTraining };
            let mut points: Vec<(f64, Cell)> = Vec::new();
            for entry in self.of(network, way) {
                let x = match &entry.levels {
                    None => FULL,
                    Some(levels) if levels.range != range => continue,
                    Some(levels) if levels.quantizer == quantizer => levels.bits as f64,
                    Some(levels) => match tables.iter().position(|table| *table == levels.table) {
                        Some(place) => TABLES + place as f64,
                        None => continue,
                    },
                };
                points.push((x, entry.cell.clone()));
            }
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            // Tables and full precision are a line each, so that nothing joins them.
            let joins = |a: &(f64, Cell), b: &(f64, Cell)| a.0 < TABLES && b.0 < TABLES;
            lines.extend(points.chunk_by(joins).map(|p| Line { stroke: stroke.clone(), points: p.to_vec() }));
        }
        let Network { hidden, algorithm, .. } = network;
        Panel { title: format!("{algorithm}, {hidden}, {}, {}", name(&quantizer), name(&range)), lines }
    }
}

/// The letter of a table on the axis.
fn letter(place: usize) -> String {
    char::from(b'A' + u8::try_from(place % 26).expect("below 26")).to_string()
}

fn caption(network: &Network, tables: &[Vec<f32>]) -> String {
    let mut text = format!(
        "Weights quantized after training against networks trained on the levels, on {}; \u{201c}full\u{201d} is full precision. Bars are \
         a standard deviation of the seeds, where there are several. Recipe: {}.",
        title(network.data_set),
        network.recipe
    );
    for (place, table) in tables.iter().enumerate() {
        let levels: Vec<String> = table.iter().map(f32::to_string).collect();
        text += &format!(" {}: {} levels, {}.", letter(place), table.len(), levels.join(" "));
    }
    text
}

/// Accuracy against bits, with tables of levels beside them: a figure a set and recipe of which a run in full precision was evaluated
/// on levels, a panel a network, quantizer and range.
pub fn figures(runs: &Runs) -> Vec<Panels> {
    let mut entries = Entries::default();
    let is_own = |run: &&&LabRun| run.config.held_out == 0 && run.config.noise_sigma == 0.0;
    runs.trained_once().iter().filter(is_own).for_each(|run| entries.add_run(run));
    let mut networks: Vec<&Network> = Vec::new();
    for entry in entries.0.iter().filter(|entry| entry.way == Way::PostTraining) {
        if !networks.contains(&&entry.network) {
            networks.push(&entry.network);
        }
    }
    let order = |n: &&Network| {
        let algorithm = Algorithm::ALL.iter().position(|a| *a == n.algorithm);
        (name(&n.data_set), n.recipe.clone(), n.hidden.layers, n.hidden.units, algorithm)
    };
    networks.sort_by_key(order);
    let mut figures = Vec::new();
    for same in networks.chunk_by(|a, b| (a.data_set, &a.recipe) == (b.data_set, &b.recipe)) {
        let levels =
            || same.iter().flat_map(|network| entries.of(network, Way::PostTraining)).filter_map(|e| e.levels.as_ref());
        let (mut kinds, mut tables): (Vec<(Quantizer, Range)>, Vec<Vec<f32>>) = (Vec::new(), Vec::new());
        for Levels { quantizer, range, table, .. } in levels() {
            if *quantizer != Quantizer::Levels && !kinds.contains(&(*quantizer, *range)) {
                kinds.push((*quantizer, *range));
            }
            if !table.is_empty() && !tables.contains(table) {
                tables.push(table.clone());
            }
        }
        // Without bits there is one panel a range, of the tables alone.
        if kinds.is_empty() {
            kinds = [Range::Local, Range::Global].map(|range| (Quantizer::UniformSymm, range)).to_vec();
            kinds.retain(|(_, range)| levels().any(|levels| levels.range == *range));
        }
        let mut ticks: Vec<(f64, String)> = (2..=8).map(|bits| (f64::from(bits), bits.to_string())).collect();
        ticks.extend((0..tables.len()).map(|place| (TABLES + place as f64, letter(place))));
        ticks.push((FULL, "full".into()));
        let panel =
            |network: &&Network| kinds.iter().map(|kind| entries.panel(network, *kind, &tables)).collect::<Vec<_>>();
        figures.push(Panels {
            name: super::figures::numbered(&figures, &format!("post-training-{}", name(&same[0].data_set))),
            caption: caption(same[0], &tables),
            x_title: "bits, and tables of levels",
            ticks,
            last_apart: true,
            panels: same.iter().flat_map(panel).collect(),
        });
    }
    figures
}

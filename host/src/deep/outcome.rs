//! The result of a run of a program, as one JSON object and as tables.

use std::fmt;
use std::time::Instant;

use bitline_firmware::execute::LayerCounters;
use serde::Serialize;

use super::DeepProblem;
use super::engine::DeepEngine;
use super::reference::{COUNTERS, DeepDifference, Reference};
use crate::error::HostError;
use crate::outcome::{CounterPair, CounterTable};

/// A layer's own counters, all images together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerOutcome {
    /// Which, from 0.
    pub layer: usize,
    /// As the machine kept them and as golden predicts them.
    pub counters: CounterTable,
}

/// Everything there is to say about a run of a program.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeepOutcome {
    /// The machine's name.
    pub machine: String,
    /// Where the network, or the program, came from.
    pub network: String,
    /// What ran the machine, in words.
    pub engine: String,
    /// Where the images came from.
    pub data: String,
    /// Images run.
    pub images: usize,
    /// Images whose label is known.
    pub labelled: usize,
    /// Of these, images whose class was their label.
    pub correct: usize,
    /// Their share, 0..=1; none without labels.
    pub accuracy: Option<f64>,
    /// Whether every code, sum, class, margin and counter is golden's.
    pub equal: bool,
    /// Codes of maps between layers that were compared.
    pub codes_compared: usize,
    /// Sums of last layers that were compared.
    pub sums_compared: usize,
    /// The counters, all images together.
    pub counters: CounterTable,
    /// Layer by layer.
    pub layers: Vec<LayerOutcome>,
    /// The first difference, if there is one.
    pub first_difference: Option<DeepDifference>,
    /// Wall time of the engine, in seconds.
    pub seconds: f64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The engine has run so many images.
    Running(usize),
    /// Golden has computed so many images.
    Comparing(usize),
}

/// Run a problem and compare it with golden. `golden` says that the engine is golden itself, whose counters need no second run.
///
/// # Errors
/// [`HostError`] if the engine, or golden, could not run the program.
pub fn run(
    problem: &DeepProblem,
    engine: &mut dyn DeepEngine,
    golden: bool,
    show: &mut dyn FnMut(Stage),
) -> Result<DeepOutcome, HostError> {
    let started = Instant::now();
    let results = engine.run(&problem.images.images, &mut |done| show(Stage::Running(done)))?;
    let seconds = started.elapsed().as_secs_f64();
    let reference = Reference::of(problem, golden.then_some(&results), &mut |done| show(Stage::Comparing(done)))?;
    let classes = results.images.iter().map(|image| image.verdict.as_ref().map(|verdict| verdict.class));
    let judged =
        problem.images.labels.iter().zip(classes).filter_map(|(label, class)| Some((u16::from((*label)?), class)));
    let (mut labelled, mut correct) = (0, 0);
    for (label, class) in judged {
        labelled += 1;
        correct += usize::from(class == Some(label));
    }
    let first_difference = reference.first_difference(&results);
    let (codes_compared, sums_compared) = reference.compared(&results);
    let layers = match &problem.network {
        Some(network) => network.layers.len(),
        None => reference.layers.iter().rposition(|layer| layer.cycles > 0).map_or(0, |last| last + 1),
    };
    let layer = |n: usize| LayerOutcome {
        layer: n,
        counters: table(&results.layers.get(n).copied().unwrap_or_default(), &reference.layers[n]),
    };
    Ok(DeepOutcome {
        machine: problem.machine.name.clone(),
        network: problem.name.clone(),
        engine: engine.description(),
        data: problem.images.name.clone(),
        images: problem.images.images.len(),
        labelled,
        correct,
        accuracy: (labelled > 0).then(|| correct as f64 / labelled as f64),
        equal: first_difference.is_none(),
        codes_compared,
        sums_compared,
        counters: table(&results.counters, &reference.counters),
        layers: (0..layers.min(reference.layers.len())).map(layer).collect(),
        first_difference,
        seconds,
    })
}

fn table(hardware: &LayerCounters, golden: &LayerCounters) -> CounterTable {
    let pairs = hardware.values().into_iter().zip(golden.values());
    let pairs = pairs.map(|(hardware, golden)| CounterPair { hardware, golden });
    CounterTable(COUNTERS.into_iter().zip(pairs).collect())
}

impl fmt::Display for DeepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "machine   {}", self.machine)?;
        writeln!(f, "network   {}", self.network)?;
        writeln!(f, "engine    {}", self.engine)?;
        writeln!(f, "images    {}, {}", self.images, self.data)?;
        if let Some(accuracy) = self.accuracy {
            writeln!(f, "correct   {} of {}, {:.2} %", self.correct, self.labelled, 100.0 * accuracy)?;
        }
        writeln!(f, "\n{:<14}{:>16}{:>16}", "counter", "hardware", "golden")?;
        for (name, CounterPair { hardware, golden }) in &self.counters.0 {
            let mark = if hardware == golden { "" } else { "  differs" };
            writeln!(f, "{name:<14}{hardware:>16}{golden:>16}{mark}")?;
        }
        write!(f, "\nlayer ")?;
        for name in COUNTERS {
            write!(f, " {name:>13}")?;
        }
        writeln!(f)?;
        for layer in &self.layers {
            write!(f, "{:<6}", layer.layer)?;
            for (_, pair) in &layer.counters.0 {
                write!(f, " {:>13}", pair.hardware)?;
            }
            let equal = layer.counters.0.iter().all(|(_, pair)| pair.hardware == pair.golden);
            writeln!(f, "{}", if equal { "" } else { "  differs" })?;
        }
        writeln!(f, "\ntime      {:.2} s", self.seconds)?;
        match &self.first_difference {
            None => write!(
                f,
                "equal     {} codes between layers, {} sums, every class, margin and counter",
                self.codes_compared, self.sums_compared
            ),
            Some(difference) => write!(f, "DIFFERS   {difference}"),
        }
    }
}

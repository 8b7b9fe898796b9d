//! `bitline sim` of a machine that runs programs.

use std::path::Path;

use anyhow::bail;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::network::Network;
use bitline_host::HostError;
use bitline_host::deep::DeepProblem;
use bitline_host::deep::images::{DigitImages, ImageSource, MadeUpImages, TestImages};
use bitline_host::deep::outcome::{self, Stage};
use bitline_host::deep::start::start;
use bitline_host::engine::{Engine, EngineOptions};
use bitline_host::problem::shipped_network;
use indicatif::{ProgressBar, ProgressStyle};

use super::Verdict;

/// What to run.
pub struct ProgramRun<'a> {
    /// The machine.
    pub machine: DeepMachine,
    /// A network file; the shipped network if there is neither this nor a program.
    pub network: Option<&'a Path>,
    /// A program file.
    pub program: Option<&'a Path>,
    /// Make images up from this seed; else the digits.
    pub seed: Option<u64>,
    /// Take the test images of a data set in this folder.
    pub data: Option<&'a Path>,
    /// First image.
    pub from: usize,
    /// That many images.
    pub images: Option<usize>,
    /// Print one JSON object.
    pub json: bool,
}

/// Run it.
pub fn run(what: ProgramRun<'_>, options: &EngineOptions) -> anyhow::Result<Verdict> {
    let engine = options.engine;
    if options.wire && engine == Engine::Golden {
        bail!(HostError::ProgramLacks { option: "--wire" });
    }
    if options.vcd.is_some() && engine != Engine::Rusthdl {
        bail!(HostError::ProgramLacks { option: "--vcd" });
    }
    let network = what.network.map(Network::load).transpose()?;
    let source: Box<dyn ImageSource> = match (what.data, what.seed) {
        (Some(folder), _) => {
            let trained_on = network.as_ref().map_or("mnist", |network| &network.provenance.data_set);
            Box::new(TestImages { set: trained_on.parse()?, folder: folder.into() })
        }
        (None, Some(seed)) => Box::new(MadeUpImages(seed)),
        (None, None) => Box::new(DigitImages),
    };
    let count = what.images.map(|images| what.from + images);
    let mut problem = match (what.program, network) {
        (Some(file), _) => DeepProblem::of_program(what.machine, file, source.as_ref(), count)?,
        (None, Some(network)) => {
            let name = what.network.map(|file| file.display().to_string()).unwrap_or_default();
            DeepProblem::of_network(what.machine, network, name, source.as_ref(), count)?
        }
        (None, None) => {
            let (network, name) = shipped_network()?;
            DeepProblem::of_network(what.machine, network, name, source.as_ref(), count)?
        }
    };
    let set = &mut problem.images;
    if what.from >= set.images.len() && what.from > 0 {
        bail!(
            "--from {} is past the last of {} images of {}; choose an earlier one",
            what.from,
            set.images.len(),
            set.name
        );
    }
    set.images.drain(..what.from);
    set.labels.drain(..what.from);
    let mut runs = start(&problem, options)?;
    let bar = ProgressBar::new(problem.images.images.len() as u64)
        .with_style(ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} images, {eta} left")?);
    let outcome = outcome::run(&problem, runs.as_mut(), engine == Engine::Golden, &mut |stage| {
        let (message, done) = match stage {
            Stage::Running(done) => ("running", done),
            Stage::Comparing(done) => ("comparing with golden", done),
        };
        bar.set_message(message);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let outcome = outcome?;
    if what.json {
        println!("{}", serde_json::to_string(&outcome)?);
    } else {
        println!("{outcome}");
    }
    Ok(if outcome.equal { Verdict::Equal } else { Verdict::Differs })
}

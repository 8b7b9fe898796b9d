//! `bitline report`: everything on one page.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bitline_golden::dataset::{TEST_ROWS, TRAIN_ROWS};
use bitline_golden::network::Network;
use bitline_host::engine::{Engine, EngineOptions};
use bitline_host::problem::{Problem, Source, find_shipped_network, shipped_network};
use bitline_host::report::{self, Origin, ReportData, Run, SeedResult, SweepData, Training};
use bitline_host::simulated_run;
use bitline_train::quantization::QuantizationReport;
use clap::Args;

use super::Verdict;
use super::arguments::{ImageBar, MachineArgument, engine_parser};
use super::train::make_folder_of;

/// Where the study of ten seeds lies, from the repository's root.
const STUDY: &str = "docs/results/digits-seeds.jsonl";

/// Arguments of `bitline report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    #[command(flatten)]
    machine: MachineArgument,
    /// What runs the machine: the gateware clock by clock, or the golden model behind the same link
    #[arg(long, default_value = "rusthdl", value_parser = engine_parser())]
    engine: Engine,
    /// Network to report on, instead of the shipped networks/digits.safetensors
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
    /// The sweep that `bitline quantize --sweep` wrote; the one beside the network if left out
    #[arg(long, value_name = "FILE")]
    sweep: Option<PathBuf>,
    /// File to write
    #[arg(long, value_name = "FILE", default_value = "out/report.html")]
    out: PathBuf,
}

fn sweep(file: &Path, scale_factor: Option<f64>) -> anyhow::Result<SweepData> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let report: QuantizationReport = serde_json::from_str(&text)
        .with_context(|| format!("{} is not what `bitline quantize --sweep` writes", file.display()))?;
    Ok(SweepData::from_quantization(&report, scale_factor))
}

fn seeds(file: &Path) -> anyhow::Result<Vec<SeedResult>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let line = |line: &str| Ok(SeedResult::from_record(&serde_json::from_str(line)?));
    text.lines().map(line).collect::<serde_json::Result<_>>().with_context(|| format!("{} is damaged", file.display()))
}

/// Run and report.
pub fn run(arguments: &ReportArguments) -> anyhow::Result<Verdict> {
    let machine = arguments.machine.machine()?;
    let (network, file) = match &arguments.network {
        Some(path) => (Network::load(path)?, Some(path.clone())),
        None => (shipped_network()?.0, find_shipped_network()),
    };
    let source = arguments.network.clone().map_or(Source::Shipped, Source::Network);
    let problem = Problem::new(machine.clone(), &source, None)?;
    let layer = network.layers.first().context("the network has no layer")?;

    let beside = file.as_ref().map(|file| file.with_extension("quantization.json")).filter(|file| file.exists());
    let sweep_file = arguments.sweep.clone().or(beside);
    let sweep = sweep_file.as_deref().map(|file| sweep(file, layer.scale_factor)).transpose()?;
    // The study belongs to the shipped network: <root>/networks/digits.safetensors.
    let root = file.as_ref().filter(|_| arguments.network.is_none()).and_then(|file| file.parent()?.parent());
    let study = root.map(|root| root.join(STUDY)).filter(|file| file.exists());
    let seeds = study.as_deref().map(seeds).transpose()?.unwrap_or_default();

    let bar = ImageBar::new(problem.images.nrows());
    let options = EngineOptions { engine: arguments.engine, ..EngineOptions::default() };
    let result = simulated_run::run(&problem, &options, None, &mut |step| bar.show(step));
    bar.finish();
    let ran = result?;
    let is_hardware = arguments.engine != Engine::Golden;
    let provenance = &network.provenance;
    let data = ReportData {
        origin: Origin {
            version: env!("CARGO_PKG_VERSION").into(),
            seed: provenance.seed,
            network: problem.network.clone(),
            scale_factor_choice: provenance.scale_factor_choice.clone().unwrap_or_default(),
            scale_factor: layer.scale_factor,
            train_command: provenance.command.clone(),
            report_command: crate::command_line(),
        },
        machine,
        devices: problem.array.clone(),
        run: Run {
            engine: ran.outcome.engine.clone(),
            is_hardware,
            equal: is_hardware.then_some(ran.outcome.equal),
            labels: problem.labels.iter().map(|label| label.unwrap_or_default()).collect(),
            classes: ran.measured.classes.clone(),
            margins: ran.measured.margins.clone(),
            counted: is_hardware.then_some(ran.measured.counters),
            predicted: ran.expected.counters,
            leds: ran.outcome.leds,
        },
        training: (!network.history.is_empty()).then(|| Training {
            history: network.history.clone(),
            train_images: TRAIN_ROWS.len(),
            test_images: TEST_ROWS.len(),
        }),
        sweep,
        seeds,
    };
    make_folder_of(&arguments.out)?;
    report::write(&arguments.out, &data)?;
    println!("{}", arguments.out.display());
    if let Some(difference) = &ran.outcome.first_difference {
        eprintln!("{difference}");
        return Ok(Verdict::Differs);
    }
    Ok(Verdict::Equal)
}

//! `bitline train`: a float network from the digits, with `--network` one of the networks of integers in `networks/`, or with
//! `--algorithm` a run of the training lab.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use bitline_golden::dataset::Digits;
use bitline_golden::network::EpochRecord;
use bitline_train::device::DeviceChoice;
use bitline_train::digits::{TrainConfig, train};
use bitline_train::recipe;
use bitline_train::trained::Trained;
use clap::Args;
use clap::builder::PossibleValuesParser;
use indicatif::{ProgressBar, ProgressStyle};

use super::Verdict;
use super::train_lab::{self, LabArguments};
use super::train_network;

/// Arguments of `bitline train`.
#[derive(Debug, Args)]
pub struct TrainArguments {
    /// Network to train, quantized from the start; without it, the digits' float network of one layer
    #[arg(long, value_parser = PossibleValuesParser::new(recipe::NAMES))]
    pub network: Option<String>,
    #[command(flatten)]
    pub lab: LabArguments,
    /// Folder of the data set, four idx files, .gz or not; the digits are built in
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Seed of the weights and of the order of the images
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Passes over the training images [default: the network's own; 10 in the lab; 600 for the digits' float network]
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Images of a step [default: the network's own; 64 in the lab; 16 for the digits' float network]
    #[arg(long)]
    pub batch: Option<usize>,
    /// Step length [default: the network's own; 0.001 in the lab; 0.01 for the digits' float network]
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Leave these training images out and evaluate them in place of the test images, to choose settings
    #[arg(long, value_name = "FIRST..END", value_parser = range_parser)]
    pub held_out: Option<Range<usize>>,
    /// Where Burn computes
    #[arg(long, default_value = "flex", value_parser = device_parser)]
    pub device: DeviceChoice,
    /// File of the trained network [default: out/NETWORK.safetensors; none in the lab; out/digits.trained.safetensors for the digits'
    /// float network, which is the checkpoint too]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// File of the checkpoint that every epoch writes; one that is there is continued [default:
    /// out/NETWORK.checkpoint.safetensors; in the lab one for each run in out/lab]
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Begin anew even if there is a checkpoint
    #[arg(long)]
    pub fresh: bool,
}

fn range_parser(text: &str) -> Result<Range<usize>, String> {
    let parsed = text.split_once("..").and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
    parsed.ok_or_else(|| "give the first row and the end, as in 1200..1500".to_string())
}

fn device_parser(text: &str) -> Result<DeviceChoice, String> {
    text.parse().map_err(|e: bitline_train::TrainError| e.to_string())
}

/// A flag that Ctrl-C sets.
pub fn cancel_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    ctrlc::set_handler(move || set.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be caught")?;
    Ok(flag)
}

/// A progress bar of epochs on stderr, which shows only on a terminal.
pub fn epoch_bar(epochs: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:48} {wide_bar} {pos}/{len} epochs, {eta} left").expect("a literal");
    ProgressBar::new(epochs as u64).with_style(style)
}

/// Show an epoch.
pub fn show_epoch(bar: &ProgressBar, label: &str, record: &EpochRecord) {
    let EpochRecord { train_loss, train_correct, test_correct, .. } = record;
    bar.set_message(format!("{label}: loss {train_loss:.4}, {train_correct}/1500, {test_correct}/297"));
}

/// Make the folder that a file is to lie in.
pub fn make_folder_of(file: &std::path::Path) -> anyhow::Result<()> {
    match file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display())),
        None => Ok(()),
    }
}

/// Refuse an option that only another kind of training has.
fn refuse_stray(option: Option<&str>, needs: &str) -> anyhow::Result<()> {
    option.map_or(Ok(()), |option| anyhow::bail!("{option} needs {needs}; see bitline train --help"))
}

/// Train.
pub fn run(arguments: &TrainArguments) -> anyhow::Result<Verdict> {
    if let Some(name) = &arguments.network {
        refuse_stray(arguments.lab.stray(), "--algorithm")?;
        return train_network::run(name, arguments);
    }
    if arguments.lab.is_given() {
        return train_lab::run(arguments);
    }
    refuse_stray(arguments.lab.stray(), "--algorithm")?;
    let strays = [("--data", arguments.data.is_some()), ("--held-out", arguments.held_out.is_some())];
    let strays = strays.into_iter().chain([("--checkpoint", arguments.checkpoint.is_some())]);
    refuse_stray(strays.filter(|(_, given)| *given).map(|(name, _)| name).next(), "--network or --algorithm")?;
    let TrainArguments { seed, device, fresh, .. } = *arguments;
    let default = TrainConfig::default();
    let epochs = arguments.epochs.unwrap_or(default.epochs);
    let batch = arguments.batch.unwrap_or(default.batch);
    let learning_rate = arguments.learning_rate.unwrap_or(default.learning_rate);
    let config = TrainConfig { seed, epochs, batch, learning_rate, device, ..default };
    let out = &arguments.out.clone().unwrap_or_else(|| "out/digits.trained.safetensors".into());
    let checkpoint = (!fresh && out.exists()).then(|| Trained::load(out)).transpose()?;
    let done = checkpoint.as_ref().map_or(0, |trained| trained.history.len());
    if done > 0 {
        eprintln!("{}: continuing after epoch {done}; --fresh begins anew", out.display());
    }
    make_folder_of(out)?;
    let cancel = cancel_flag()?;
    let bar = epoch_bar(epochs);
    bar.set_position(done as u64);
    let mut progress = |label: &str, _: usize, record: &EpochRecord| {
        bar.set_position(record.epoch as u64);
        show_epoch(&bar, label, record);
    };
    let trained = train(&config, &Digits::embedded(), checkpoint, &mut progress, &cancel)
        .with_context(|| format!("training to {}", out.display()))?;
    bar.finish_and_clear();
    trained.save(out)?;
    if !trained.is_complete() {
        let done = trained.history.len();
        eprintln!("stopped after epoch {done} of {epochs}; the same command goes on from {}", out.display());
        return Ok(Verdict::NotReady);
    }
    let Some(EpochRecord { train_loss, test_loss, train_correct, test_correct, .. }) = trained.history.last() else {
        return Ok(Verdict::Equal);
    };
    println!("seed      {seed}");
    println!("epochs    {epochs}, batch {batch}, learning rate {learning_rate}");
    println!("training  {train_correct}/1500 correct, loss {train_loss:.6}");
    println!("test      {test_correct}/297 correct, loss {test_loss:.6}");
    println!("written   {}", out.display());
    eprintln!("next: bitline quantize --trained {}", out.display());
    Ok(Verdict::Equal)
}

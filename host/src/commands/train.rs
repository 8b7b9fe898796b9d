//! `bitline train`: a float network from the digits.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use bitline_golden::dataset::Digits;
use bitline_golden::network::EpochRecord;
use bitline_train::device::DeviceChoice;
use bitline_train::digits::{TrainConfig, train};
use bitline_train::trained::Trained;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Verdict;

/// Arguments of `bitline train`.
#[derive(Debug, Args)]
pub struct TrainArguments {
    /// Seed of the weights and of the order of the images
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Passes over the training images
    #[arg(long, default_value_t = 600)]
    epochs: usize,
    /// Images of a step
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Step length of the gradient descent
    #[arg(long, default_value_t = TrainConfig::default().learning_rate)]
    learning_rate: f64,
    /// Where Burn computes
    #[arg(long, default_value = "flex", value_parser = device_parser)]
    device: DeviceChoice,
    /// File of the trained network, and of the checkpoint that Ctrl-C leaves; one that is there is continued
    #[arg(long, value_name = "FILE", default_value = "out/digits.trained.safetensors")]
    out: PathBuf,
    /// Begin anew even if the file is there
    #[arg(long)]
    fresh: bool,
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

/// Train.
pub fn run(arguments: &TrainArguments) -> anyhow::Result<Verdict> {
    let TrainArguments { seed, epochs, batch, learning_rate, device, ref out, fresh } = *arguments;
    let config = TrainConfig { seed, epochs, batch, learning_rate, device, ..TrainConfig::default() };
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

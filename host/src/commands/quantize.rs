//! `bitline quantize`: from a trained float network to one that an array can hold.

use std::path::PathBuf;

use anyhow::Context;
use bitline_golden::dataset::Digits;
use bitline_golden::network::EpochRecord;
use bitline_train::quantization::{Choice, QuantizeConfig, quantize};
use bitline_train::trained::Trained;
use clap::Args;

use super::Verdict;
use super::train::{cancel_flag, epoch_bar, make_folder_of, show_epoch};

/// Arguments of `bitline quantize`.
#[derive(Debug, Args)]
pub struct QuantizeArguments {
    /// Trained network, as `bitline train` writes it
    #[arg(long, value_name = "FILE", default_value = "out/digits.trained.safetensors")]
    trained: PathBuf,
    /// Images that choose the scale factor: test-images (as S001; leaks), training-images or held-out-folds
    #[arg(long, default_value = "held-out-folds", value_parser = choice_parser)]
    choice: Choice,
    /// Bits of a weight
    #[arg(long, default_value_t = QuantizeConfig::default().weight_bits)]
    weight_bits: usize,
    /// File of the quantized network
    #[arg(long, value_name = "FILE", default_value = "out/digits.safetensors")]
    out: PathBuf,
    /// Write the whole sweep, all three choices, to this file as JSON
    #[arg(long, value_name = "FILE")]
    sweep: Option<PathBuf>,
}

fn choice_parser(text: &str) -> Result<Choice, String> {
    text.parse().map_err(|e: bitline_train::TrainError| e.to_string())
}

/// Quantize.
pub fn run(arguments: &QuantizeArguments) -> anyhow::Result<Verdict> {
    let QuantizeArguments { trained: ref path, choice, weight_bits, ref out, ref sweep } = *arguments;
    let trained = Trained::load(path)?;
    let config = QuantizeConfig { weight_bits, ..QuantizeConfig::default() };
    for file in [Some(out), sweep.as_ref()].into_iter().flatten() {
        make_folder_of(file)?;
    }
    let cancel = cancel_flag()?;
    let bar = epoch_bar(trained.config.epochs * config.folds);
    let mut progress = |label: &str, _: usize, record: &EpochRecord| {
        bar.inc(1);
        show_epoch(&bar, label, record);
    };
    let command = crate::command_line();
    let (network, report) = quantize(&trained, &Digits::embedded(), &config, choice, &command, &mut progress, &cancel)?;
    bar.finish_and_clear();
    network.save(out)?;
    if let Some(file) = sweep {
        let text = serde_json::to_string(&report)? + "\n";
        std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    println!("float     {}/1500 training, {}/297 test", report.float_train_correct, report.float_test_correct);
    println!("{:<40}{:>12}{:>12}{:>10}", "scale factor chosen on", "factor", "training", "test");
    for result in &report.choices {
        let mark = if result.choice == choice { "  <- written" } else { "" };
        println!(
            "{:<40}{:>12.4}{:>12}{:>10}{mark}",
            result.choice.to_string(),
            result.chosen.scale_factor,
            result.train_correct,
            result.test_correct
        );
    }
    println!("written   {}", out.display());
    eprintln!("next: bitline sim --network {}", out.display());
    Ok(Verdict::Equal)
}

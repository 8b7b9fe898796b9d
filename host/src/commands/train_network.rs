//! `bitline train --network`: a network of integers, quantized while it is trained.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use bitline_golden::network::EpochRecord;
use bitline_train::deep_training::{DeepConfig, DeepTrainer};
use bitline_train::{TrainError, export, recipe};

use super::Verdict;
use super::train::{TrainArguments, cancel_flag, epoch_bar, make_folder_of};

/// The command that makes the network again, with only what decides its bits; the files' places are the user's.
fn provenance(name: &str, config: &DeepConfig, own: &DeepConfig) -> String {
    let mut command = format!("bitline train --network {name} --seed {}", config.seed);
    if config.data_set.checksums().is_some() {
        command += " --data DIR";
    }
    if config.epochs != own.epochs {
        command += &format!(" --epochs {}", config.epochs);
    }
    if config.batch != own.batch {
        command += &format!(" --batch {}", config.batch);
    }
    if config.learning_rate != own.learning_rate {
        command += &format!(" --learning-rate {}", config.learning_rate);
    }
    if let Some(held) = &config.held_out {
        command += &format!(" --held-out {}..{}", held.start, held.end);
    }
    command
}

/// Train a network.
pub fn run(name: &str, arguments: &TrainArguments) -> anyhow::Result<Verdict> {
    let own = recipe::named(name, arguments.seed)?;
    let config = DeepConfig {
        epochs: arguments.epochs.unwrap_or(own.epochs),
        batch: arguments.batch.unwrap_or(own.batch),
        learning_rate: arguments.learning_rate.unwrap_or(own.learning_rate),
        held_out: arguments.held_out.clone(),
        device: arguments.device,
        ..own.clone()
    };
    let or = |given: &Option<PathBuf>, ending: &str| {
        given.clone().unwrap_or_else(|| PathBuf::from(format!("out/{name}.{ending}")))
    };
    let out = or(&arguments.out, "safetensors");
    let checkpoint = or(&arguments.checkpoint, "checkpoint.safetensors");
    make_folder_of(&out)?;
    make_folder_of(&checkpoint)?;
    let set = config.data_set.load(arguments.data.as_deref())?;
    let mut trainer = if !arguments.fresh && checkpoint.exists() {
        DeepTrainer::load(&checkpoint, &config, &set)
            .with_context(|| format!("{}: --fresh begins anew", checkpoint.display()))?
    } else {
        DeepTrainer::new(&config, &set)?
    };
    let done = trainer.history().len();
    if done > 0 {
        eprintln!("{}: continuing after epoch {done}; --fresh begins anew", checkpoint.display());
    }
    let cancel = cancel_flag()?;
    let bar = epoch_bar(config.epochs);
    bar.set_position(done as u64);
    let (part, images) = match &config.held_out {
        None => ("test", set.test.labels.len()),
        Some(held) => ("held-out", held.len()),
    };
    let mut progress = |_: &str, _: usize, record: &EpochRecord| {
        let EpochRecord { epoch, train_loss, test_correct, .. } = record;
        bar.set_position(*epoch as u64);
        bar.set_message(format!("{name}: loss {train_loss:.4}, {part} {test_correct}/{images}"));
    };
    bar.set_message(format!("{name}: first epoch"));
    let start = Instant::now();
    let mut save = |trainer: &mut DeepTrainer| -> Result<(), TrainError> { trainer.save(&checkpoint) };
    trainer
        .train(&set, &mut progress, &mut save, &cancel)
        .with_context(|| format!("training to {}", checkpoint.display()))?;
    bar.finish_and_clear();
    if !trainer.is_complete() {
        let done = trainer.history().len();
        let file = checkpoint.display();
        eprintln!("stopped after epoch {done} of {}; the same command goes on from {file}", config.epochs);
        return Ok(Verdict::NotReady);
    }
    let network = export::network(&trainer, &provenance(name, &config, &own))?;
    network.save(&out)?;
    let Some(EpochRecord { train_loss, test_loss, train_correct, test_correct, .. }) = trainer.history().last() else {
        return Ok(Verdict::Equal);
    };
    let seen = (set.train.labels.len() - config.held_out.as_ref().map_or(0, |held| held.len())) / config.batch;
    println!("seed      {}", config.seed);
    println!("epochs    {}, batch {}, learning rate {}", config.epochs, config.batch, config.learning_rate);
    println!("training  {train_correct}/{} correct, loss {train_loss:.6}", seen * config.batch);
    println!("{part:<10}{test_correct}/{images} correct, loss {test_loss:.6}");
    println!("written   {}", out.display());
    eprintln!("{} epochs in {:.0} s", config.epochs - done, start.elapsed().as_secs_f64());
    Ok(Verdict::Equal)
}

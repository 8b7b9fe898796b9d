//! `bitline train --algorithm`: one run of the training lab.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use bitline_train::lab::{DataSets, EpochLine, RunConfig, RunOutcome, RunRecord, deployed, run as run_lab};
use bitline_train::sweep::Lab;
use bitline_train::sweep::record::identity;
use clap::Args;
use serde_json::{Map, Value, json};

use super::train::{TrainArguments, cancel_flag, epoch_bar, make_folder_of};
use super::{Verdict, shell_words};

/// Settings of a run of the lab; names and defaults are those of a study's file.
#[derive(Debug, Args)]
#[command(next_help_heading = "The training lab (--algorithm or --config)")]
pub struct LabArguments {
    /// Train a dense network of the lab: backpropagation, hsic, feedback-alignment or synthetic-gradients
    #[arg(long, conflicts_with = "network")]
    pub algorithm: Option<String>,
    /// TOML file with the settings of a run, which the options here replace
    #[arg(long, value_name = "FILE", conflicts_with = "network")]
    pub config: Option<PathBuf>,
    /// Hidden layers x units, such as 2x100 [default: 2x100]
    #[arg(long, value_name = "LAYERSxUNITS")]
    hidden: Option<String>,
    /// digits, mnist or fashion-mnist [default: digits]
    #[arg(long, value_name = "NAME")]
    data_set: Option<String>,
    /// Bits of a weight, 2 to 8, or 1 with sign and bin-ws; without --bits and --levels weights stay in full precision
    #[arg(long)]
    bits: Option<usize>,
    /// uniform-asymm and uniform-symm (S003 2.1, 2.2), eq2 (S001), sign, bin-ws (S002) [default: uniform-symm; levels with --levels]
    #[arg(long, value_name = "NAME")]
    quantizer: Option<String>,
    /// Ends of the levels: global (-1 to 1) or local (of each layer) [default: global]
    #[arg(long, value_name = "NAME")]
    range: Option<String>,
    /// Where weights live: in-place, in-place-stochastic or latent [default: in-place]
    #[arg(long, value_name = "NAME")]
    storage: Option<String>,
    /// Table of levels, rising, with commas between them
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', allow_hyphen_values = true)]
    levels: Vec<f64>,
    /// What sums are multiplied with: unit (nothing) or fan-in (2 / root of inputs) [default: unit]
    #[arg(long, value_name = "NAME")]
    gain: Option<String>,
    /// relu, tanh, codes, sign, step or ps-sign (S002) [default: relu]
    #[arg(long, value_name = "NAME")]
    activation: Option<String>,
    /// Bits of `--activation codes` [default: 4]
    #[arg(long, value_name = "BITS")]
    activation_bits: Option<usize>,
    /// Train the output layer without biases, as the array needs it
    #[arg(long)]
    no_output_bias: bool,
    /// Noise on quantized weights in every step, in parts of the layer's largest weight [default: 0]
    #[arg(long, value_name = "SIGMA")]
    noise_sigma: Option<f64>,
    /// Any setting by its key in a study's file, such as optimizer=descent or quantization.bits=3; may be given several times
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    set: Vec<String>,
    /// Print the run as one JSON line
    #[arg(long)]
    json: bool,
}

impl LabArguments {
    /// Whether the lab is asked for.
    pub fn is_given(&self) -> bool {
        self.algorithm.is_some() || self.config.is_some()
    }

    /// An option of the lab that was given, if there is one.
    pub fn stray(&self) -> Option<&'static str> {
        let given = [
            ("--hidden", self.hidden.is_some()),
            ("--data-set", self.data_set.is_some()),
            ("--bits", self.bits.is_some()),
            ("--quantizer", self.quantizer.is_some()),
            ("--range", self.range.is_some()),
            ("--storage", self.storage.is_some()),
            ("--levels", !self.levels.is_empty()),
            ("--gain", self.gain.is_some()),
            ("--activation", self.activation.is_some()),
            ("--activation-bits", self.activation_bits.is_some()),
            ("--no-output-bias", self.no_output_bias),
            ("--noise-sigma", self.noise_sigma.is_some()),
            ("--set", !self.set.is_empty()),
            ("--json", self.json),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

/// Put `key=value` into the settings; the value is JSON, or else a text.
fn set(settings: &mut Map<String, Value>, text: &str) -> anyhow::Result<()> {
    let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        bail!("--set {text}: give KEY=VALUE, such as --set optimizer=descent");
    };
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    let (mut table, mut key) = (settings, key);
    while let Some((first, rest)) = key.split_once('.') {
        let inner = table.entry(first).or_insert_with(|| Map::new().into());
        let Value::Object(inner) = inner else { bail!("--set {text}: {first} has no keys of its own") };
        (table, key) = (inner, rest);
    }
    table.insert(key.into(), value);
    Ok(())
}

/// The settings: of the file, then of the options, then the defaults of this verb.
fn config(arguments: &TrainArguments) -> anyhow::Result<RunConfig> {
    let lab = &arguments.lab;
    let mut settings = Map::new();
    if let Some(path) = &lab.config {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read; give a TOML file with a run's settings", path.display()))?;
        let table: Map<String, Value> = toml::from_str(&text).with_context(|| path.display().to_string())?;
        settings.extend(table);
    }
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            settings.insert(key.into(), value);
        }
    };
    let text = |given: &Option<String>| given.clone().map(Value::from);
    put("algorithm", text(&lab.algorithm));
    put("hidden", text(&lab.hidden));
    put("data_set", text(&lab.data_set));
    put("gain", text(&lab.gain));
    put("activation", text(&lab.activation));
    put("activation_bits", lab.activation_bits.map(Value::from));
    put("output_bias", lab.no_output_bias.then(|| false.into()));
    put("noise_sigma", lab.noise_sigma.map(Value::from));
    put("epochs", arguments.epochs.map(Value::from));
    put("batch", arguments.batch.map(Value::from));
    put("learning_rate", arguments.learning_rate.map(Value::from));
    put("seed", (arguments.seed != 0).then(|| arguments.seed.into()));
    for text in &lab.set {
        set(&mut settings, text)?;
    }
    for (key, value) in [("hidden", json!("2x100")), ("data_set", json!("digits")), ("epochs", json!(10))] {
        settings.entry(key).or_insert(value);
    }
    if lab.bits.is_some() || !lab.levels.is_empty() || settings.contains_key("quantization") {
        let quantizer = if lab.levels.is_empty() { "uniform-symm" } else { "levels" };
        let mut inner = match settings.remove("quantization") {
            Some(Value::Object(inner)) => inner,
            _ => Map::new(),
        };
        let given = [
            ("bits", lab.bits.map(Value::from), json!(4)),
            ("quantizer", text(&lab.quantizer), json!(quantizer)),
            ("range", text(&lab.range), json!("global")),
            ("storage", text(&lab.storage), json!("in-place")),
        ];
        for (key, value, default) in given {
            match value {
                Some(value) => drop(inner.insert(key.into(), value)),
                None => drop(inner.entry(key).or_insert(default)),
            }
        }
        if !lab.levels.is_empty() {
            inner.insert("levels".into(), json!(lab.levels));
        }
        settings.insert("quantization".into(), inner.into());
    } else if let Some(name) = lab.stray().filter(|name| ["--quantizer", "--range", "--storage"].contains(name)) {
        bail!("{name} is for quantized weights; give --bits or --levels too");
    }
    let mut config: RunConfig = serde_json::from_value(Value::Object(settings)).context("the run's settings")?;
    if let Some(held) = &arguments.held_out {
        let images = config.data_set.training_images();
        if held.end != images || held.start >= held.end {
            bail!("--held-out {}..{}: the lab leaves out the last images, give FIRST..{images}", held.start, held.end);
        }
        config.held_out = held.len();
    }
    Ok(config)
}

/// Where a run's checkpoint lies if nothing is said: a name of its own for each run.
fn checkpoint_of(config: &RunConfig, sets: &DataSets) -> anyhow::Result<PathBuf> {
    let value = serde_json::to_value(config).expect("plain data");
    let identity = identity(&value, &sets.data_sha256(config)?);
    Ok(PathBuf::from(format!("out/lab/{}.checkpoint.safetensors", &identity[..16])))
}

fn print(record: &RunRecord) {
    let share = |correct: usize, images: usize| 100.0 * correct as f64 / images as f64;
    let RunConfig { algorithm, data_set, hidden, held_out, .. } = &record.config;
    let part = if *held_out > 0 { "held out" } else { "test" };
    println!("{algorithm}, {hidden} hidden units, {data_set}");
    println!("epoch       loss    training % {:>12} %", part);
    for line in &record.epochs {
        let EpochLine { epoch, train_loss, train_correct, train_images, test_correct, test_images, .. } = line;
        let (train, test) = (share(*train_correct, *train_images), share(*test_correct, *test_images));
        println!("{epoch:>5} {train_loss:>10.5} {train:>13.2} {test:>14.2}");
    }
    let Some(last) = record.epochs.last() else { return };
    println!("{part:<9} {}/{} correct", last.test_correct, last.test_images);
    let range = |range: &bitline_train::lab::LayerRange| format!("{:.3}..{:.3}", range.least, range.largest);
    println!("weights   {}", last.weights.iter().map(range).collect::<Vec<_>>().join(", "));
    for line in &last.post_training {
        let what = match line.bits {
            Some(bits) => format!("{:?} of {bits} bits", line.quantizer),
            None => format!("{:?} {:?}", line.quantizer, line.levels),
        };
        let (correct, images) = (line.test_correct, line.test_images);
        println!("rounded to {what}, {:?} range: {correct}/{images} correct", line.range);
    }
    for line in &last.noise_evaluation {
        let ((mean, deviation), draws) = (line.mean_and_deviation(), line.test_correct.len());
        println!("noise of sigma {}: {mean:.2} %, deviation {deviation:.2}, {draws} draws", line.sigma);
    }
}

/// Train.
pub fn run(arguments: &TrainArguments) -> anyhow::Result<Verdict> {
    let config = config(arguments)?;
    let sets = DataSets::new(arguments.data.as_deref());
    sets.check(&config)?;
    if arguments.out.is_some() {
        deployed::check(&config, config.data_set).context("--out writes a network for the accelerator")?;
    }
    let checkpoint = match &arguments.checkpoint {
        Some(path) => path.clone(),
        None => checkpoint_of(&config, &sets)?,
    };
    make_folder_of(&checkpoint)?;
    if arguments.fresh && checkpoint.exists() {
        std::fs::remove_file(&checkpoint).with_context(|| format!("{} cannot be removed", checkpoint.display()))?;
    }
    let data = sets.get(config.data_set)?;
    let cancel = cancel_flag()?;
    let bar = epoch_bar(config.epochs);
    bar.set_message("first epoch");
    let start = Instant::now();
    let mut progress = |line: &EpochLine| {
        bar.set_position(line.epoch as u64);
        let EpochLine { train_loss, test_correct, test_images, .. } = line;
        bar.set_message(format!("loss {train_loss:.4}, {test_correct}/{test_images}"));
    };
    let context = || format!("the checkpoint is {}; --fresh begins anew", checkpoint.display());
    let outcome = run_lab(&config, data, Some(&checkpoint), &mut progress, &cancel).with_context(context)?;
    bar.finish_and_clear();
    let record = match outcome {
        RunOutcome::Finished(record) => record,
        RunOutcome::Stopped { done } => {
            let file = checkpoint.display();
            eprintln!("stopped after epoch {done} of {}; the same command goes on from {file}", config.epochs);
            return Ok(Verdict::NotReady);
        }
    };
    if arguments.lab.json {
        println!("{}", serde_json::to_string(&record).expect("plain data"));
    } else {
        print(&record);
    }
    if let Some(out) = &arguments.out {
        make_folder_of(out)?;
        let name = out.file_stem().map_or_else(|| "lab".into(), |stem| stem.to_string_lossy().into_owned());
        deployed::network(&checkpoint, &config, data, &name, &command_of(&config))?.save(out)?;
        eprintln!("written: {}; run it with bitline sim --machine mnist --network {0}", out.display());
    }
    eprintln!("{:.0} s; checkpoint {}", start.elapsed().as_secs_f64(), checkpoint.display());
    Ok(Verdict::Equal)
}

/// Every setting that is no table, by its dotted key.
fn leaves(prefix: &str, value: &Value, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                leaves(&path, value, out);
            }
        }
        other => out.push((prefix.into(), other.clone())),
    }
}

/// The command that makes the network again: what differs from the defaults, as `--set`.
fn command_of(config: &RunConfig) -> String {
    let RunConfig { data_set, hidden, algorithm, epochs, .. } = config;
    let mut words: Vec<String> = ["bitline", "train", "--algorithm"].map(String::from).into();
    words.extend([algorithm.to_string(), "--hidden".into(), hidden.to_string()]);
    words.extend(["--data-set".into(), data_set.to_string(), "--epochs".into(), epochs.to_string()]);
    if data_set.checksums().is_some() {
        words.extend(["--data".into(), "DIR".into()]);
    }
    let settings = |config: &RunConfig| {
        let mut all = Vec::new();
        leaves("", &serde_json::to_value(config).expect("plain data"), &mut all);
        all
    };
    let defaults = settings(&RunConfig::new(*data_set, *hidden, *algorithm, *epochs));
    for (key, value) in settings(config).into_iter().filter(|setting| !defaults.contains(setting)) {
        words.extend(["--set".into(), format!("{key}={value}")]);
    }
    shell_words(&words)
}

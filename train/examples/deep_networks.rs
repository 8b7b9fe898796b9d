//! Trains a recipe with settings changed, and prints a line an epoch: `NAME DIR CHECKPOINT [key=value ...]`.

use bitline_golden::network::EpochRecord;
use bitline_train::deep_training::DeepTrainer;
use bitline_train::recipe;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder, file, settings @ ..] = &arguments[..] else { return Err("give NAME DIR CHECKPOINT".into()) };
    let mut config = recipe::named(name, 0)?;
    for setting in settings {
        let (key, value) = setting.split_once('=').ok_or("key=value")?;
        match key {
            "seed" => config.seed = value.parse()?,
            "epochs" => config.epochs = value.parse()?,
            "batch" => config.batch = value.parse()?,
            "rate" => config.learning_rate = value.parse()?,
            "shift" => config.augmentation.shift = value.parse()?,
            "mirror" => config.augmentation.mirror = value.parse()?,
            "out" => {
                let outputs: Vec<usize> = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
                for (layer, outputs) in config.architecture.layers.iter_mut().zip(outputs) {
                    layer.outputs = outputs;
                }
            }
            "hold" => {
                let (first, end) = value.split_once("..").ok_or("a..b")?;
                config.held_out = Some(first.parse()?..end.parse()?);
            }
            _ => return Err("unknown key".into()),
        }
    }
    let set = config.data_set.load(Some(Path::new(folder)))?;
    let mut trainer = if Path::new(file).exists() {
        DeepTrainer::load(file, &config, &set)?
    } else {
        DeepTrainer::new(&config, &set)?
    };
    let start = Instant::now();
    let mut progress = |_: &str, epochs: usize, r: &EpochRecord| {
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{}/{epochs} train {:.4} {} test {:.4} {} {seconds:.1} s",
            r.epoch, r.train_loss, r.train_correct, r.test_loss, r.test_correct
        );
    };
    let file = file.clone();
    let mut checkpoint = |trainer: &mut DeepTrainer| trainer.save(&file);
    trainer.train(&set, &mut progress, &mut checkpoint, &AtomicBool::new(false))?;
    Ok(())
}

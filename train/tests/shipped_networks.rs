//! The networks in `networks/` are what their recipes train, and classify as many images as they say.
//!
//! The digits are built in, and samples of the other test sets, their first 100 images, lie in `data/`. With the whole sets,
//! in the folders `mnist` and `fashion-mnist` of the folder that `BITLINE_DATA` names, the dense networks count all 10,000
//! test images by golden; `--release -- --ignored` has the convolutional ones do so too.

mod samples;

use bitline_golden::dataset::Digits;
use bitline_golden::network::EpochRecord;
use bitline_train::deep_training::DeepTrainer;
use bitline_train::image_set::{DataSet, ImageSet};
use bitline_train::recipe;
use samples::{correct, data_folder, sample, shipped};
use std::sync::atomic::{AtomicBool, Ordering};

/// Test images that each network has to classify: of 297, and of 10,000.
const LEAST: [(&str, usize); 8] = [
    ("digits-hidden", 276),
    ("digits-conv", 285),
    ("mnist-dense", 9_780),
    ("mnist-conv", 9_900),
    ("mnist-binary", 9_750),
    ("mnist-small", 9_900),
    ("fashion-dense", 8_800),
    ("fashion-conv", 9_000),
];

/// Images of the committed samples that each network classifies.
const SAMPLE_CORRECT: [(&str, usize); 6] = [
    ("mnist-dense", 100),
    ("mnist-conv", 100),
    ("mnist-binary", 99),
    ("mnist-small", 98),
    ("fashion-dense", 86),
    ("fashion-conv", 88),
];

#[test]
fn shipped_networks_are_their_recipes_and_reach_their_aims() {
    for (name, least) in LEAST {
        let network = shipped(name);
        let config = recipe::named(name, network.provenance.seed).unwrap();
        assert_eq!(network.name, name);
        assert_eq!(network.layers.len(), config.architecture.layers.len());
        for (layer, placed) in network.layers.iter().zip(config.architecture.placed().unwrap()) {
            assert_eq!(layer.geometry, placed.geometry(), "{name}");
            assert_eq!((layer.inputs(), layer.outputs()), (placed.inputs(), placed.plan.outputs), "{name}");
            assert_eq!((layer.weight_bits, layer.input_bits), (placed.plan.weight_bits, placed.input_bits), "{name}");
            assert_eq!(layer.activation.as_ref().map(|a| a.bits), placed.plan.code_bits, "{name}");
            assert_eq!(layer.pool, placed.pooling(), "{name}");
            assert!(layer.has_no_biases(), "{name}");
        }
        let provenance = &network.provenance;
        assert_eq!(provenance.data_set, config.data_set.to_string());
        assert_eq!(provenance.data_sha256, config.data_set.sha256(), "{name}");
        let data = if config.data_set == DataSet::Digits { "" } else { " --data DIR" };
        assert_eq!(provenance.command, format!("bitline train --network {name} --seed {}{data}", provenance.seed));
        assert_eq!(network.history.len(), config.epochs, "{name}");
        let EpochRecord { test_correct, .. } = network.history.last().unwrap();
        assert!(*test_correct >= least, "{name}: {test_correct}, at least {least}");
    }
}

#[test]
fn digits_networks_classify_as_many_test_rows_as_recorded() {
    let set = ImageSet::of_digits(&Digits::embedded());
    for name in ["digits-hidden", "digits-conv"] {
        let network = shipped(name);
        assert_eq!(correct(&network, set.set, &set.test), network.history.last().unwrap().test_correct, "{name}");
    }
}

#[test]
fn samples_are_classified_as_recorded() {
    let found = SAMPLE_CORRECT.map(|(name, _)| {
        let set = recipe::named(name, 0).unwrap().data_set;
        (name, correct(&shipped(name), set, &sample(set)))
    });
    assert_eq!(found, SAMPLE_CORRECT);
}

fn counts_all(names: &[&str]) {
    for name in names {
        let set = recipe::named(name, 0).unwrap().data_set;
        let Some(folder) = data_folder(set) else { continue };
        let network = shipped(name);
        let images = set.load(Some(&folder)).unwrap();
        assert_eq!(correct(&network, set, &images.test), network.history.last().unwrap().test_correct, "{name}");
        assert_eq!(images.sha256, network.provenance.data_sha256);
    }
}

#[test]
fn dense_networks_classify_as_many_test_images_as_recorded() {
    counts_all(&["mnist-dense", "mnist-binary", "fashion-dense"]);
}

#[test]
#[ignore = "runs 30,000 images through plain loops, about two minutes; run with --release -- --ignored and BITLINE_DATA"]
fn convolutional_networks_classify_as_many_test_images_as_recorded() {
    counts_all(&["mnist-conv", "mnist-small", "fashion-conv"]);
}

#[test]
fn samples_are_the_first_test_images() {
    for set in [DataSet::Mnist, DataSet::FashionMnist] {
        let Some(folder) = data_folder(set) else { continue };
        let whole = set.load(Some(&folder)).unwrap().test;
        let sample = sample(set);
        assert_eq!(sample.pixels, whole.pixels.slice(ndarray::s![..100, ..]));
        assert_eq!(sample.labels, whole.labels[..100]);
    }
}

/// Losses are compared bit for bit where Burn's matrix product uses fused multiply-add, as on the machine that made the
/// records; elsewhere sums of gradients round differently and three digits must do.
#[test]
fn short_training_repeats_the_recorded_first_epochs() {
    const EPOCHS: usize = 3;
    let network = shipped("digits-hidden");
    let set = ImageSet::of_digits(&Digits::embedded());
    let config = recipe::named("digits-hidden", network.provenance.seed).unwrap();
    let cancel = AtomicBool::new(false);
    let mut stop = |_: &str, _: usize, record: &EpochRecord| {
        cancel.store(record.epoch == EPOCHS, Ordering::Relaxed);
    };
    let mut trainer = DeepTrainer::new(&config, &set).unwrap();
    trainer.train(&set, &mut stop, &mut |_| Ok(()), &cancel).unwrap();
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") {
        assert_eq!(trainer.history(), &network.history[..EPOCHS]);
        return;
    }
    for (now, then) in trainer.history().iter().zip(&network.history) {
        assert!((now.train_loss - then.train_loss).abs() < 1e-3 * then.train_loss, "{now:?} {then:?}");
    }
}

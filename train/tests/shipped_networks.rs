//! The networks in `networks/` are what their recipes train, and classify as many images as they say.
//!
//! The digits are built in, and samples of the other test sets, their first 100 images, lie in `data/`. With the whole sets,
//! in the folders `mnist` and `fashion-mnist` of the folder that `BITLINE_DATA` names, the dense networks count all 10,000
//! test images by golden; `--release -- --ignored` has the convolutional ones do so too.

use bitline_golden::dataset::Digits;
use bitline_golden::network::{EpochRecord, Network};
use bitline_train::deep_training::DeepTrainer;
use bitline_train::idx::{self, Layout};
use bitline_train::image_set::{DataSet, ImageSet, Images, checked_elements};
use bitline_train::recipe;
use ndarray::Array2;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

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

const SAMPLE_IMAGES: Layout =
    Layout { what: "images", dimensions: &[("images", 100), ("rows of pixels", 28), ("pixels a row", 28)] };
const SAMPLE_LABELS: Layout = Layout { what: "labels", dimensions: &[("labels", 100)] };

fn shipped(name: &str) -> Network {
    Network::load(format!("{ROOT}/networks/{name}.safetensors")).unwrap()
}

/// Read a sample, whose checksums are in `data/README.md`.
fn sample(set: DataSet) -> Images {
    let (images_sha256, labels_sha256) = match set {
        DataSet::Mnist => (
            "806da1c8626ed91a2ec572ed80666121226e1de20cec504c2787812cac71d159",
            "1a053e1de7d8946ac62b3ae5a196d52d2e96bc66fd695815a7e29f0310f9c031",
        ),
        DataSet::FashionMnist => (
            "10011aad7e104ca4844b2f2ec20ea5e697cc6fe044fcdfe102805b0cffb2c8b5",
            "825f333513fdd542aa1aa55ded6b697992e3bbc01f304e46fd0126ead73ad4d6",
        ),
        DataSet::Digits => unreachable!("the digits are built in"),
    };
    let read = |name: &str, layout: &Layout, checksum: &str| {
        let path = format!("{ROOT}/data/{set}-sample/{name}.gz");
        checked_elements(&path, &idx::read(Path::new(&path)).unwrap(), layout, Some(checksum)).unwrap()
    };
    let pixels = read("t10k-images-idx3-ubyte", &SAMPLE_IMAGES, images_sha256);
    let labels = read("t10k-labels-idx1-ubyte", &SAMPLE_LABELS, labels_sha256);
    Images { pixels: Array2::from_shape_vec((100, 784), pixels).unwrap(), labels }
}

/// Images that golden classifies, on two threads.
fn correct(network: &Network, set: DataSet, images: &Images) -> usize {
    let bits = network.layers[0].input_bits;
    let codes = bitline_train::image_set::codes(&images.pixels, set.pixel_bits(), bits);
    let count = |rows: std::ops::Range<usize>| {
        let is_right = |row: &usize| {
            let (_, verdict) = network.evaluate(codes.row(*row).as_slice().unwrap());
            verdict.class == u16::from(images.labels[*row])
        };
        rows.filter(is_right).count()
    };
    let (middle, end) = (images.labels.len() / 2, images.labels.len());
    std::thread::scope(|scope| {
        let first = scope.spawn(|| count(0..middle));
        count(middle..end) + first.join().unwrap()
    })
}

fn data_folder(set: DataSet) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("BITLINE_DATA")?).join(set.to_string()))
}

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

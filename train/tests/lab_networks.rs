//! The lab's networks in `networks/` are runs of `studies/three-bits.toml`, and classify as many images as its records say.
//!
//! Samples of the test sets, their first 100 images, lie in `data/`; with the whole sets in the folder that `BITLINE_DATA` names,
//! all 10,000 are counted.

use bitline_golden::network::Network;
use bitline_train::idx::{self, Layout};
use bitline_train::image_set::{self, DataSet, Images, checked_elements};
use ndarray::Array2;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Network, data set, `quantization.storage`, learning rate, least of 10,000 (the aims of three bits), of the sample's 100.
const NETWORKS: [(&str, DataSet, &str, f64, usize, usize); 4] = [
    ("mnist-3bit", DataSet::Mnist, "latent", 0.01, 9_700, SAMPLE[0]),
    ("mnist-3bit-in-place", DataSet::Mnist, "in-place-stochastic", 0.003, 9_500, SAMPLE[1]),
    ("fashion-3bit", DataSet::FashionMnist, "latent", 0.01, 8_600, SAMPLE[2]),
    ("fashion-3bit-in-place", DataSet::FashionMnist, "in-place-stochastic", 0.003, 8_300, SAMPLE[3]),
];

/// Images of the samples that they classify.
const SAMPLE: [usize; 4] = [100, 100, 90, 88];

fn network(name: &str) -> Network {
    Network::load(format!("{ROOT}/networks/{name}.safetensors")).unwrap()
}

/// The record of the study's run: 2x100 by backpropagation at three bits, seed 0.
fn record(set: DataSet, storage: &str, rate: f64) -> Value {
    let path = format!("{ROOT}/docs/results/sweeps/three-bits.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let is_it = |record: &Value| {
        let config = &record["config"];
        config["data_set"] == json!(set.to_string())
            && config["algorithm"] == "backpropagation"
            && config["seed"] == 0
            && config["learning_rate"] == json!(rate)
            && config["quantization"]["bits"] == 3
            && config["quantization"]["storage"] == storage
    };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).find(is_it).unwrap()
}

/// Test images classified after the last epoch.
fn correct_at_last(record: &Value) -> usize {
    let epochs = record["epochs"].as_array().unwrap();
    epochs.last().unwrap()["test_correct"].as_u64().unwrap() as usize
}

fn sample(set: DataSet) -> Images {
    let read = |name: &str, dimensions: &'static [(&'static str, u32)]| {
        let path = format!("{ROOT}/data/{set}-sample/{name}.gz");
        let layout = Layout { what: "elements", dimensions };
        checked_elements(&path, &idx::read(Path::new(&path)).unwrap(), &layout, None).unwrap()
    };
    let pixels = read("t10k-images-idx3-ubyte", &[("images", 100), ("rows", 28), ("columns", 28)]);
    let labels = read("t10k-labels-idx1-ubyte", &[("labels", 100)]);
    Images { pixels: Array2::from_shape_vec((100, 784), pixels).unwrap(), labels }
}

/// Images that golden classifies.
fn correct(network: &Network, set: DataSet, images: &Images) -> usize {
    let codes = image_set::codes(&images.pixels, set.pixel_bits(), network.layers[0].input_bits);
    let is_right = |(row, label): &(usize, &u8)| {
        let (_, verdict) = network.evaluate(codes.row(*row).as_slice().unwrap());
        verdict.class == u16::from(**label)
    };
    images.labels.iter().enumerate().filter(is_right).count()
}

#[test]
fn networks_are_the_recorded_runs_and_reach_the_aims_of_three_bits() {
    for (name, set, storage, rate, least, _) in NETWORKS {
        let (network, record) = (network(name), record(set, storage, rate));
        let recorded = correct_at_last(&record);
        assert!(recorded >= least, "{name}: {recorded}, at least {least}");
        assert_eq!(json!(network.provenance.data_sha256), record["data_sha256"], "{name}");
        assert_eq!(json!(network.provenance.seed), record["config"]["seed"], "{name}");
        for said in [format!("\"{storage}\""), format!("learning_rate={rate}"), "--hidden 2x100 ".into()] {
            assert!(network.provenance.command.contains(&said), "{name}: {said} in {}", network.provenance.command);
        }
        for layer in &network.layers {
            assert_eq!(layer.weight_bits, 3, "{name}");
            assert!(layer.has_no_biases(), "{name}");
        }
    }
}

#[test]
fn samples_are_classified_as_recorded() {
    let found = NETWORKS.map(|(name, set, ..)| (name, correct(&network(name), set, &sample(set))));
    assert_eq!(found, NETWORKS.map(|(name, .., of_sample)| (name, of_sample)));
}

#[test]
fn all_test_images_are_classified_as_in_training() {
    let Some(folder) = std::env::var_os("BITLINE_DATA").map(PathBuf::from) else { return };
    for (name, set, storage, rate, ..) in NETWORKS {
        let images = set.load(Some(&folder.join(set.to_string()))).unwrap();
        let recorded = correct_at_last(&record(set, storage, rate));
        assert_eq!(correct(&network(name), set, &images.test), recorded, "{name}");
    }
}

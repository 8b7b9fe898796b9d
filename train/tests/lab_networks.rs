//! The lab's networks in `networks/` are runs of `studies/three-bits.toml`, and classify as many images as its records say.
//!
//! Samples of the test sets, their first 100 images, lie in `data/`; with the whole sets in the folder that `BITLINE_DATA` names,
//! all 10,000 are counted.

mod samples;

use bitline_train::image_set::DataSet;
use samples::{ROOT, correct, data_folder, sample, shipped};
use serde_json::{Value, json};

/// Network, data set, `quantization.storage`, learning rate, least of 10,000 (the aims of three bits), of the sample's 100.
const NETWORKS: [(&str, DataSet, &str, f64, usize, usize); 4] = [
    ("mnist-3bit", DataSet::Mnist, "latent", 0.01, 9_700, 100),
    ("mnist-3bit-in-place", DataSet::Mnist, "in-place-stochastic", 0.003, 9_500, 100),
    ("fashion-3bit", DataSet::FashionMnist, "latent", 0.01, 8_600, 90),
    ("fashion-3bit-in-place", DataSet::FashionMnist, "in-place-stochastic", 0.003, 8_300, 88),
];

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

#[test]
fn networks_are_the_recorded_runs_and_reach_the_aims_of_three_bits() {
    for (name, set, storage, rate, least, _) in NETWORKS {
        let (network, record) = (shipped(name), record(set, storage, rate));
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
    let found = NETWORKS.map(|(name, set, ..)| (name, correct(&shipped(name), set, &sample(set))));
    assert_eq!(found, NETWORKS.map(|(name, .., of_sample)| (name, of_sample)));
}

#[test]
fn all_test_images_are_classified_as_in_training() {
    for (name, set, storage, rate, ..) in NETWORKS {
        let Some(folder) = data_folder(set) else { return };
        let images = set.load(Some(&folder)).unwrap();
        let recorded = correct_at_last(&record(set, storage, rate));
        assert_eq!(correct(&shipped(name), set, &images.test), recorded, "{name}");
    }
}

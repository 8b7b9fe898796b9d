//! Samples of the test sets and whole ones, and what golden makes of them.

use bitline_golden::network::Network;
use bitline_train::idx::{self, Layout};
use bitline_train::image_set::{DataSet, Images, checked_elements};
use ndarray::Array2;
use std::path::{Path, PathBuf};

pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

const SAMPLE_IMAGES: Layout =
    Layout { what: "images", dimensions: &[("images", 100), ("rows of pixels", 28), ("pixels a row", 28)] };
const SAMPLE_LABELS: Layout = Layout { what: "labels", dimensions: &[("labels", 100)] };

/// A network of `networks/`.
pub fn shipped(name: &str) -> Network {
    Network::load(format!("{ROOT}/networks/{name}.safetensors")).unwrap()
}

/// Read a sample, whose checksums are in `data/README.md`.
pub fn sample(set: DataSet) -> Images {
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
pub fn correct(network: &Network, set: DataSet, images: &Images) -> usize {
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

/// The set's folder in the one that `BITLINE_DATA` names.
pub fn data_folder(set: DataSet) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("BITLINE_DATA")?).join(set.to_string()))
}

//! The networks that are shipped in `networks/`, each with the settings it is trained with.

use crate::TrainError;
use crate::architecture::{Architecture, LayerPlan};
use crate::augmentation::Augmentation;
use crate::deep_training::DeepConfig;
use crate::device::DeviceChoice;
use crate::image_set::DataSet;
use bitline_golden::network::MapShape;

/// Names of the recipes.
pub const NAMES: [&str; 8] = [
    "digits-hidden",
    "digits-conv",
    "mnist-dense",
    "mnist-conv",
    "mnist-binary",
    "mnist-small",
    "fashion-dense",
    "fashion-conv",
];

/// Bits of a weight and of a code, where a network is not binary.
const BITS: usize = 4;

fn image(data_set: DataSet) -> MapShape {
    MapShape { height: data_set.side(), width: data_set.side(), channels: 1 }
}

/// 784-100-100-10.
fn dense() -> Vec<LayerPlan> {
    vec![LayerPlan::dense(100, BITS, BITS), LayerPlan::dense(100, BITS, BITS), LayerPlan::classes(10, BITS)]
}

/// Kernels that fill a tile's 64 rows: 7 x 7 = 49 of one pixel each, 4 x 4 x 32 = 512 in eight row groups, and 512 again.
fn convolutional() -> Vec<LayerPlan> {
    vec![
        LayerPlan::convolution(32, 7, 0, BITS, BITS, 2),
        LayerPlan::convolution(32, 4, 0, BITS, BITS, 2),
        LayerPlan::classes(10, BITS),
    ]
}

/// As many weights as the machine `mnist-small` holds row groups and codes for: 256 codes into the last layer, and 11 x 11 x 6 beside them.
fn small() -> Vec<LayerPlan> {
    vec![
        LayerPlan::convolution(6, 7, 0, BITS, BITS, 2),
        LayerPlan::convolution(16, 4, 0, BITS, BITS, 2),
        LayerPlan::classes(10, BITS),
    ]
}

/// The recipe of that name, with its own settings and a seed.
///
/// # Errors
/// [`TrainError::UnknownName`].
pub fn named(name: &str, seed: u64) -> Result<DeepConfig, TrainError> {
    let (data_set, input_bits, layers, epochs, batch, learning_rate, augmentation) = match name {
        "digits-hidden" => {
            let layers = vec![LayerPlan::dense(128, BITS, BITS), LayerPlan::classes(10, BITS)];
            (DataSet::Digits, 5, layers, 200, 50, 0.012, Augmentation { shift: 1, mirror: false })
        }
        "digits-conv" => {
            let layers = vec![
                LayerPlan::convolution(32, 3, 1, BITS, BITS, 2),
                LayerPlan::convolution(64, 3, 1, BITS, BITS, 2),
                LayerPlan::classes(10, BITS),
            ];
            (DataSet::Digits, 5, layers, 100, 50, 0.012, Augmentation { shift: 1, mirror: false })
        }
        "mnist-dense" => (DataSet::Mnist, 4, dense(), 40, 100, 0.006, Augmentation { shift: 1, mirror: false }),
        "mnist-conv" => (DataSet::Mnist, 4, convolutional(), 12, 50, 0.006, Augmentation { shift: 1, mirror: false }),
        "mnist-binary" => {
            let layers = vec![LayerPlan::dense(512, 1, 1), LayerPlan::classes(10, 1)];
            (DataSet::Mnist, 4, layers, 40, 100, 0.006, Augmentation { shift: 1, mirror: false })
        }
        "mnist-small" => (DataSet::Mnist, 4, small(), 12, 50, 0.006, Augmentation { shift: 1, mirror: false }),
        "fashion-dense" => (DataSet::FashionMnist, 4, dense(), 40, 100, 0.006, Augmentation { shift: 0, mirror: true }),
        "fashion-conv" => {
            (DataSet::FashionMnist, 4, convolutional(), 12, 50, 0.006, Augmentation { shift: 0, mirror: true })
        }
        _ => {
            return Err(TrainError::UnknownName { what: "network", name: name.into(), known: NAMES.join(", ") });
        }
    };
    let architecture = Architecture { input: image(data_set), input_bits, layers };
    let (name, device) = (name.into(), DeviceChoice::default());
    Ok(DeepConfig {
        name,
        data_set,
        architecture,
        seed,
        epochs,
        batch,
        learning_rate,
        augmentation,
        held_out: None,
        device,
    })
}

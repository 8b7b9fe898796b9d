//! Networks trained with quantization: golden computes what the trainer does, code by code; a stopped run ends in the same
//! bits; what does not fit is refused.

use bitline_golden::dataset::Digits;
use bitline_golden::network::{EpochRecord, MapShape};
use bitline_train::TrainError;
use bitline_train::architecture::{Architecture, Kind, LayerPlan, PlacedLayer};
use bitline_train::augmentation::Augmentation;
use bitline_train::deep_training::{DeepConfig, DeepTrainer};
use bitline_train::device::DeviceChoice;
use bitline_train::digits::Silent;
use bitline_train::export;
use bitline_train::frozen::{Affine, Frozen, FrozenLayer};
use bitline_train::image_set::{DataSet, ImageSet};
use bitline_train::recipe;
use burn::tensor::Device;
use ndarray::Array2;
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

fn digits() -> ImageSet {
    ImageSet::of_digits(&Digits::embedded())
}

fn config(input_bits: usize, layers: Vec<LayerPlan>) -> DeepConfig {
    DeepConfig {
        name: "test".into(),
        data_set: DataSet::Digits,
        architecture: Architecture { input: MapShape { height: 8, width: 8, channels: 1 }, input_bits, layers },
        seed: 3,
        epochs: 2,
        batch: 64,
        learning_rate: 0.01,
        augmentation: Augmentation { shift: 1, mirror: true },
        held_out: None,
        device: DeviceChoice::Flex,
    }
}

fn never(_: &mut DeepTrainer) -> Result<(), TrainError> {
    Ok(())
}

fn trained(config: &DeepConfig) -> DeepTrainer {
    let mut trainer = DeepTrainer::new(config, &digits()).unwrap();
    trainer.train(&digits(), &mut Silent, &mut never, &AtomicBool::new(false)).unwrap();
    trainer
}

/// Every kind of layer that there is: wide and one-bit weights and codes, border, stride, squares of two and three.
fn variety() -> Vec<DeepConfig> {
    let strided = LayerPlan {
        kind: Kind::Convolution { kernel: 3, stride: 2, padding: 1 },
        outputs: 5,
        weight_bits: 3,
        code_bits: Some(2),
        pool: 1,
    };
    vec![
        config(5, vec![LayerPlan::dense(12, 4, 4), LayerPlan::dense(9, 4, 4), LayerPlan::classes(10, 4)]),
        config(1, vec![LayerPlan::dense(24, 1, 1), LayerPlan::dense(16, 1, 1), LayerPlan::classes(10, 1)]),
        config(4, vec![LayerPlan::convolution(6, 3, 1, 4, 4, 2), strided, LayerPlan::classes(10, 4)]),
        config(3, vec![LayerPlan::convolution(4, 2, 1, 8, 1, 3), LayerPlan::dense(8, 2, 3), LayerPlan::classes(10, 1)]),
    ]
}

#[test]
fn golden_computes_the_trainers_codes_and_sums_exactly() {
    let set = digits();
    for config in variety() {
        let trainer = trained(&config);
        let network = export::network(&trainer, "test").unwrap();
        let codes = set.codes(&set.test.pixels, config.architecture.input_bits);
        let mut frozen = Frozen::new(trainer.frozen(), &Device::flex());
        let evaluation = frozen.evaluate(codes.view());
        let mut correct = 0;
        for (image, (row, label)) in codes.rows().into_iter().zip(&set.test.labels).enumerate() {
            let (results, verdict) = network.evaluate(row.as_slice().unwrap());
            let (last, before) = results.split_last().unwrap();
            for (layer, result) in before.iter().enumerate() {
                let length = result.codes.len();
                let codes = &evaluation.codes[layer][image * length..(image + 1) * length];
                assert_eq!(codes, result.codes, "image {image} layer {layer} of {:?}", config.architecture);
            }
            assert_eq!(evaluation.sums.row(image).to_vec(), last.sums, "image {image} of {:?}", config.architecture);
            correct += usize::from(verdict.class == u16::from(*label));
        }
        assert_eq!(correct, trainer.history().last().unwrap().test_correct);
        // Equality says something: no layer gives one code for everything, nor are all images of one class.
        for codes in &evaluation.codes {
            assert!(codes.iter().any(|code| *code != codes[0]), "{:?}", config.architecture);
        }
        assert!(evaluation.sums.rows().into_iter().any(|sums| sums != evaluation.sums.row(0)));
    }
}

#[test]
fn trained_network_survives_its_file_with_its_provenance() {
    let trainer = trained(&variety()[0]);
    let network = export::network(&trainer, "the command").unwrap();
    let read = bitline_golden::network::Network::from_bytes("f", &network.to_bytes()).unwrap();
    assert_eq!(read, network);
    assert_eq!((read.name.as_str(), read.provenance.data_set.as_str()), ("test", "digits"));
    assert_eq!(read.provenance.data_sha256, Digits::embedded().sha256);
    assert_eq!((read.provenance.seed, read.provenance.command.as_str()), (3, "the command"));
    assert_eq!(read.history, trainer.history());
}

#[test]
fn same_seed_gives_the_same_bytes_and_another_gives_others() {
    let config = &variety()[2];
    let bytes = trained(config).to_bytes();
    assert!(bytes == trained(config).to_bytes());
    assert!(bytes != trained(&DeepConfig { seed: 4, ..config.clone() }).to_bytes());
}

#[test]
fn stopped_run_resumes_to_the_same_bits() {
    let (set, config) = (digits(), DeepConfig { epochs: 3, ..variety()[2].clone() });
    let whole = trained(&config).to_bytes();

    // Stopped between two epochs.
    let cancel = AtomicBool::new(false);
    let mut trainer = DeepTrainer::new(&config, &set).unwrap();
    let mut stop = |_: &str, _: usize, _: &EpochRecord| cancel.store(true, Ordering::Relaxed);
    trainer.train(&set, &mut stop, &mut never, &cancel).unwrap();
    assert_eq!(trainer.history().len(), 1);
    assert!(!trainer.is_complete());
    assert_eq!(
        export::network(&trainer, "").unwrap_err().to_string(),
        "training stopped after 1 of 3 epochs; resume it from its checkpoint first"
    );
    let checkpoint = trainer.to_bytes();
    let mut resumed = DeepTrainer::from_bytes("f", &checkpoint, &config, &set).unwrap();
    assert!(resumed.to_bytes() == checkpoint);
    resumed.train(&set, &mut Silent, &mut never, &AtomicBool::new(false)).unwrap();
    assert!(resumed.to_bytes() == whole);

    // Stopped in the middle of an epoch: it is as if the epoch had not begun.
    let cancel = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            cancel.store(true, Ordering::Relaxed);
        });
        trainer.train(&set, &mut Silent, &mut never, &cancel).unwrap();
    });
    trainer.train(&set, &mut Silent, &mut never, &AtomicBool::new(false)).unwrap();
    assert!(trainer.to_bytes() == whole);
}

#[test]
fn checkpoint_of_another_run_or_a_damaged_one_is_refused() {
    let (set, config) = (digits(), DeepConfig { epochs: 1, ..variety()[0].clone() });
    let bytes = trained(&config).to_bytes();
    let refused = |bytes: &[u8], config: &DeepConfig| {
        DeepTrainer::from_bytes("f", bytes, config, &set).err().expect("refused").to_string()
    };
    let ending = "; use the same settings or start without it";
    let with = |edit: &dyn Fn(&mut DeepConfig)| {
        let mut other = config.clone();
        edit(&mut other);
        refused(&bytes, &other)
    };
    assert_eq!(with(&|c| c.seed = 4), format!("the checkpoint has seed 3, this run asks for 4{ending}"));
    assert_eq!(with(&|c| c.epochs = 2), format!("the checkpoint has epochs 1, this run asks for 2{ending}"));
    assert_eq!(with(&|c| c.batch = 32), format!("the checkpoint has batch 64, this run asks for 32{ending}"));
    assert_eq!(with(&|c| c.name = "x".into()), format!("the checkpoint has network test, this run asks for x{ending}"));
    assert!(
        with(&|c| c.learning_rate = 0.5).starts_with("the checkpoint has learning_rate 0.01, this run asks for 0.5")
    );
    assert!(with(&|c| c.held_out = Some(0..9)).starts_with("the checkpoint has settings (None, Augmentation"));
    for length in (0..bytes.len()).step_by(997) {
        let error = refused(&bytes[..length], &config);
        assert!(error.starts_with("f is not a complete safetensors file: "), "{error}");
    }
}

#[test]
fn held_out_rows_are_evaluated_and_not_trained_on() {
    let held = DeepConfig { held_out: Some(1200..1500), epochs: 1, ..variety()[0].clone() };
    let trainer = trained(&held);
    let record = trainer.history().last().unwrap();
    assert!(record.test_correct <= 300 && record.train_correct <= 1200);
    // Whatever the held-out rows hold, the weights are the same.
    let mut set = digits();
    set.train.pixels.slice_mut(ndarray::s![1200..1500, ..]).fill(7);
    let mut other = DeepTrainer::new(&held, &set).unwrap();
    other.train(&set, &mut Silent, &mut never, &AtomicBool::new(false)).unwrap();
    assert!(trainer.frozen() == other.frozen());
}

#[test]
fn settings_out_of_range_are_refused_with_the_numbers() {
    let refused = |edit: &dyn Fn(&mut DeepConfig)| {
        let mut config = variety()[2].clone();
        edit(&mut config);
        DeepTrainer::new(&config, &digits()).err().expect("refused").to_string()
    };
    assert_eq!(refused(&|c| c.epochs = 0), "epochs is 0, must be at least 1; leave it out for the recipe's own");
    assert_eq!(refused(&|c| c.batch = 1501), "batch is 1501, must be 1..=1500; leave it out for the recipe's own");
    assert!(refused(&|c| c.learning_rate = f64::NAN).starts_with("learning_rate is NaN, must be finite and above 0"));
    assert!(refused(&|c| c.held_out = Some(3..3)).starts_with("held_out is 3..3, must be some, not all, of 0..1500"));
    assert!(refused(&|c| c.data_set = DataSet::Mnist).starts_with("the data set is digits, must be mnist"));
    assert!(refused(&|c| c.architecture.input.width = 9).starts_with("the input is 8 x 9 x 1, must be 8 x 8 x 1"));
    assert!(refused(&|c| c.architecture.layers.clear()).starts_with("layers is 0, must be at least 1"));
    assert!(refused(&|c| c.architecture.input_bits = 9).starts_with("input_bits is 9, must be 1..=8"));
    assert!(refused(&|c| c.architecture.layers[0].weight_bits = 0).starts_with("weight_bits is 0, must be 1..=8"));
    assert!(
        refused(&|c| c.architecture.layers[0].code_bits = Some(5)).starts_with("code_bits is Some(5), must be 1..=4")
    );
    assert!(refused(&|c| c.architecture.layers[0].code_bits = None).contains("given by every layer but the last"));
    assert!(refused(&|c| c.architecture.layers[0].outputs = 0).starts_with("outputs is 0, must be at least 1"));
    assert!(refused(&|c| c.architecture.layers[0].pool = 9).starts_with("pool is 9, must be 1..=8"));
    let kernel = Kind::Convolution { kernel: 11, stride: 1, padding: 1 };
    assert!(refused(&|c| c.architecture.layers[0].kind = kernel).contains("must be a window inside 8 x 8"));
    assert!(refused(&|c| c.architecture.layers.truncate(1)).contains("code_bits is Some(4)"));
    let convolution = Kind::Convolution { kernel: 1, stride: 1, padding: 0 };
    assert!(refused(&|c| c.architecture.layers[2].kind = convolution).starts_with("the last layer is a convolution"));
    assert_eq!(
        recipe::named("mnist-huge", 0).unwrap_err().to_string(),
        "there is no network \"mnist-huge\"; there are digits-hidden, digits-conv, mnist-dense, mnist-conv, mnist-binary, \
         mnist-small, fashion-dense, fashion-conv"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever slope and offset batch normalisation has, the thresholds give the code of every possible sum.
    #[test]
    fn thresholds_are_the_codes_of_every_sum(
        slope in prop_oneof![1e-6f32..1e-3, 1e-3f32..1.0, 1.0f32..1e4],
        offset in prop_oneof![-1.0f32..2.0, -1e4f32..1e4],
        code_bits in 1usize..=4,
        weights in proptest::collection::vec(-8i8..=7, 1..20),
    ) {
        let map = MapShape { height: 1, width: 1, channels: weights.len() };
        let plan = LayerPlan::dense(1, 4, code_bits);
        let flat = MapShape { height: 1, width: 1, channels: 1 };
        let placed = PlacedLayer { plan, input: map, input_bits: 4, windows: flat, output: flat };
        let affine = Affine { slope: vec![slope], offset: vec![offset] };
        let weights = Array2::from_shape_vec((1, weights.len()), weights).unwrap();
        let layer = FrozenLayer { placed, weights, affine: Some(affine.clone()) };
        let activation = export::thresholds(&layer).unwrap();
        let most = layer.largest_sum() as i32;
        for sum in -most..=most {
            prop_assert_eq!(activation.code(0, sum), affine.code(0, sum, code_bits), "sum {}", sum);
        }
        let row = activation.thresholds.row(0);
        prop_assert!(row.iter().zip(row.iter().skip(1)).all(|(a, b)| a <= b));
        prop_assert!(row.iter().all(|t| (-most - 1..=most).contains(t)));
    }
}

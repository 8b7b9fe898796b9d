//! The committed results are what this code computes.

use bitline_golden::dataset::Digits;
use bitline_golden::machine::Machine;
use bitline_golden::network::Network;
use bitline_golden::scale_factor::{correct_images, quantize_layer, sweep};
use bitline_train::digits::{Silent, TrainConfig, train};
use bitline_train::quantization::{Choice, QuantizationReport};
use bitline_train::study::{FIRST_EPOCHS, S001_FLOAT_TEST, S001_QUANTIZED_TEST, SeedRecord, Summary};
use std::sync::atomic::AtomicBool;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn records() -> Vec<SeedRecord> {
    let text = std::fs::read_to_string(format!("{ROOT}/docs/results/digits-seeds.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn shipped() -> Network {
    Network::load(format!("{ROOT}/networks/digits.safetensors")).unwrap()
}

fn report() -> QuantizationReport {
    serde_json::from_str(&std::fs::read_to_string(format!("{ROOT}/networks/digits.quantization.json")).unwrap())
        .unwrap()
}

/// Losses are compared bit for bit where Burn's matrix product uses fused multiply-add, as on the machine that made
/// the records; elsewhere the sums round differently and six digits must do.
fn same(a: f64, b: f64) -> bool {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") {
        return a == b;
    }
    (a - b).abs() <= 1e-6 * a.abs()
}

#[test]
fn short_training_repeats_the_recorded_first_epochs() {
    let digits = Digits::embedded();
    for record in records().iter().filter(|r| [0, 7].contains(&r.train.seed)) {
        assert_eq!(record.data_sha256, digits.sha256);
        let config = TrainConfig { epochs: FIRST_EPOCHS, ..record.train.clone() };
        let trained = train(&config, &digits, None, &mut Silent, &AtomicBool::new(false)).unwrap();
        for (now, then) in trained.history.iter().zip(&record.first_epochs) {
            let equal = same(now.train_loss, then.train_loss) && same(now.test_loss, then.test_loss);
            assert!(equal, "seed {}: {now:?} {then:?}; made by: {}", record.train.seed, record.command);
        }
    }
}

#[test]
fn study_has_ten_seeds_within_the_accepted_ranges() {
    let records = records();
    let summary = Summary::of(&records);
    assert_eq!(summary.seeds, (0..10).collect::<Vec<_>>());
    for record in &records {
        assert_eq!(record.float.epoch, 600);
        assert!((1466..=1478).contains(&record.float.train_correct), "{record:?}");
        assert!((264..=276).contains(&record.float.test_correct), "{record:?}");
    }
    assert!((summary.float_test.mean - f64::from(S001_FLOAT_TEST)).abs() < 2.0);
    let (choice, leaking) = &summary.quantized_test[0];
    assert_eq!(*choice, Choice::TestImages);
    assert!(leaking.mean >= 271.0, "{leaking:?}");
}

#[test]
fn shipped_network_is_its_floats_quantized_and_counts_as_reported() {
    let (digits, network, report) = (Digits::embedded(), shipped(), report());
    network.check_fits(&Machine::named("digits").unwrap()).unwrap();
    network.check_fits(&Machine::named("digits-turbo").unwrap()).unwrap();
    let layer = &network.layers[0];
    let float = layer.float.as_ref().unwrap();
    let factor = layer.scale_factor.unwrap();
    assert_eq!(&quantize_layer(float, factor, layer.weight_bits, layer.input_bits, layer.bias_code).unwrap(), layer);

    let test = sweep(float, 4, 16, digits.test_images(), digits.test_labels()).unwrap();
    let train = sweep(float, 4, 16, digits.train_images(), digits.train_labels()).unwrap();
    assert_eq!(report.last_step as usize, test.correct.len());
    for step in 1..=report.last_step {
        let point = report.at(step);
        assert_eq!((point.train, point.test), (train.correct_at(step), test.correct_at(step)), "step {step}");
    }
    assert_eq!(report.choice(Choice::TestImages).chosen, test.choose());
    assert_eq!(report.choice(Choice::TrainingImages).chosen, train.choose());
    assert_eq!(factor, test.choose().scale_factor);
    let correct = correct_images(layer, digits.test_images(), digits.test_labels()) as u32;
    assert_eq!(correct, report.choice(Choice::TestImages).test_correct);
    assert!(correct >= S001_QUANTIZED_TEST);

    assert_eq!(network.provenance.data_sha256, digits.sha256);
    assert_eq!(network.provenance.scale_factor_choice.as_deref(), Some("test images (as S001; leaks)"));
    let record = records().into_iter().find(|r| r.train.seed == network.provenance.seed).unwrap();
    assert_eq!(record.choices, report.choices);
    assert_eq!(network.history.len(), 600);
    assert_eq!(network.history.last(), Some(&record.float));
    assert_eq!(network.history[..FIRST_EPOCHS], record.first_epochs);
}

/// The whole record of one seed, 600 epochs and five folds: about 15 s in a release build.
#[test]
#[ignore = "trains six networks; run with --release -- --ignored"]
fn whole_training_repeats_the_shipped_network() {
    let digits = Digits::embedded();
    let network = shipped();
    let config = TrainConfig::seeded(network.provenance.seed);
    let cancel = AtomicBool::new(false);
    let trained = train(&config, &digits, None, &mut Silent, &cancel).unwrap();
    let settings = report().quantize;
    let (choice, command) = (Choice::TestImages, &network.provenance.command);
    let (again, again_report) =
        bitline_train::quantization::quantize(&trained, &digits, &settings, choice, command, &mut Silent, &cancel)
            .unwrap();
    assert_eq!(again.to_bytes(), network.to_bytes());
    assert_eq!(again_report, report());
}

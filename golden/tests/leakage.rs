//! The committed leakage results are what the study computes, on a sample.

#[allow(dead_code)] // the sweep's constants are the example's
#[path = "../examples/leakage/study.rs"]
mod study;

use bitline_golden::dataset::Digits;
use bitline_golden::network::Network;
use study::{Record, Setting};

fn committed() -> Vec<Record> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/results/leakage.jsonl");
    let text = std::fs::read_to_string(path).expect("docs/results/leakage.jsonl is committed");
    text.lines().skip(1).map(|line| serde_json::from_str(line).expect("a record a line")).collect()
}

#[test]
fn digits_records_reproduce() {
    let records = committed();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../networks/digits.safetensors");
    let (network, data) = (Network::load(path).expect("the shipped network"), Digits::embedded());
    for (ratio, setting) in [(100, Setting::Reference), (100, Setting::Slope), (10, Setting::FullScale)] {
        let again = study::digits(&network, &data, ratio, setting);
        assert!(records.contains(&again), "rerun `cargo run --release -p bitline-golden --example leakage`: {again:?}");
    }
}

#[test]
fn random_records_reproduce() {
    let records = committed();
    for (rows, seed, ratio, setting) in [(16, 0, 10, Setting::Closest), (64, 2, 100, Setting::FullScale)] {
        let again = study::random(rows, seed, ratio, setting);
        assert!(records.contains(&again), "rerun `cargo run --release -p bitline-golden --example leakage`: {again:?}");
    }
}

/// The page's rule: without the reference column, some quantizer is lossless for every input if and only if
/// g > 2 R - 1.
#[test]
fn ratio_beyond_twice_the_rows_is_lossless_for_every_input() {
    use bitline_golden::column::current;
    use bitline_golden::machine::{Conductance, QuantizerConfig};
    use bitline_golden::quantizer::quantize;

    // m / 2^s just below 1 / (2 R), the largest that no leakage alone lifts to 1.
    let lossless = |rows: u32, ratio: u32, multiplier: u32| {
        let conductance = Conductance { lrs_ohms: 1_000, hrs_ohms: 1_000 * ratio, reference_column: false };
        let quantizer = QuantizerConfig { multiplier, shift: 24, bits: 16 };
        (0..=rows).all(|a| (0..=a).all(|n| quantize(&quantizer, current(&conductance, n, a)).code == n))
    };
    for rows in [4, 9, 16, 65] {
        let multiplier = (1 << 24) / (2 * rows) - 1;
        assert!(lossless(rows, 2 * rows, multiplier), "{rows}");
        // At 2 R - 1 no multiplier will do: all are tried for a small array.
        if rows == 4 {
            assert!((1..1 << 22).step_by(7).all(|multiplier| !lossless(rows, 2 * rows - 1, multiplier)));
        }
    }
}

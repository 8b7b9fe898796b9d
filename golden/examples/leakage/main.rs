//! What HRS leakage costs without a reference column: writes docs/results/leakage.jsonl and docs/book/leakage.svg.
//!
//! `cargo run --release -p bitline-golden --example leakage`; a minute. The same on every machine.

mod picture;
mod study;

use std::fmt::Write as _;
use std::path::Path;

use bitline_golden::dataset::Digits;
use bitline_golden::network::Network;
use serde_json::json;
use sha2::{Digest, Sha256};

use study::{RATIOS, ROWS, Record, SEEDS, SETTINGS};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join("networks/digits.safetensors");
    let bytes = std::fs::read(&path)?;
    let network = Network::load(&path)?;
    let data = Digits::embedded();

    let mut records: Vec<Record> = Vec::new();
    for setting in SETTINGS {
        records.extend(RATIOS.iter().map(|ratio| study::digits(&network, &data, *ratio, setting)));
        eprintln!("digits, {setting:?}: done");
    }
    for rows in ROWS {
        for seed in 0..SEEDS {
            for setting in &SETTINGS[1..] {
                records.extend(RATIOS.iter().map(|ratio| study::random(rows, seed, *ratio, *setting)));
            }
        }
        eprintln!("random, {rows} rows: done");
    }

    let mut text = json!({
        "provenance": {
            "command": "cargo run --release -p bitline-golden --example leakage",
            "version": env!("CARGO_PKG_VERSION"),
            "network": "networks/digits.safetensors",
            "network_sha256": Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect::<String>(),
            "data_sha256": data.sha256,
            "random_stream": "leakage",
            "seeds": SEEDS,
        }
    })
    .to_string();
    for record in &records {
        write!(text, "\n{}", serde_json::to_string(record)?)?;
    }
    text.push('\n');
    std::fs::create_dir_all(root.join("docs/results"))?;
    std::fs::write(root.join("docs/results/leakage.jsonl"), text)?;
    picture::draw(&root.join("docs/book/leakage.svg"), &records)?;

    println!("digits: ratio, codes wrong, sums wrong, bits changed, classes changed of 1797, test correct of 297");
    for record in records.iter().filter(|record| record.study == "digits") {
        println!(
            "{:>5} {:<10} {:>8.4} % {:>8.4} % {:>8.4} % {:>5} {:>4}",
            record.ratio,
            format!("{:?}", record.setting),
            100.0 * record.wrong_codes,
            100.0 * record.wrong_sums,
            100.0 * record.changed_bits,
            record.changed_classes,
            record.test_correct.unwrap_or(0)
        );
    }
    println!("random: a row for each number of rows, a column for each ratio, in %");
    println!("{:>5} {}", "", RATIOS.map(|ratio| format!("{ratio:>6}")).join(""));
    for setting in &SETTINGS[1..] {
        for (name, figure) in picture::FIGURES {
            println!("{setting:?}: {name}");
            for rows in ROWS {
                let mean = |ratio| 100.0 * picture::mean(&records, rows, ratio, *setting, figure);
                println!("{rows:>5} {}", RATIOS.map(|ratio| format!("{:>6.1}", mean(ratio))).join(""));
            }
        }
    }
    Ok(())
}

//! The study of the book's chapter on quantization: trains seeds, quantizes each in three ways, and writes
//! `docs/results/digits-seeds.jsonl`, `networks/digits.safetensors` and `networks/digits.quantization.json`.
//!
//! `cargo run --release -p bitline-train --example digits_study [-- FIRST END]`, from the repository's root; ten seeds
//! from 0 unless told otherwise. The shipped network is the first seed that reaches S001's 273 test images at the factor
//! that the test images chose, as S001's was; the first with the most of them if none does.

use bitline_golden::dataset::Digits;
use bitline_train::digits::TrainConfig;
use bitline_train::quantization::{Choice, QuantizeConfig, network};
use bitline_train::study::{S001_QUANTIZED_TEST, SeedResult, StudyConfig, Summary, study};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let seeds: Vec<u64> = match arguments[..] {
        [] => (0..10).collect(),
        [first, end] => (first..end).collect(),
        _ => return Err("give the first seed and the end, or nothing".into()),
    };
    let mut command = "cargo run --release -p bitline-train --example digits_study".to_string();
    if let [first, end] = arguments[..] {
        command += &format!(" -- {first} {end}");
    }
    let digits = Digits::embedded();
    let threads = std::thread::available_parallelism()?.get();
    let (train, quantize) = (TrainConfig::default(), QuantizeConfig::default());
    let config = StudyConfig { train, quantize, threads, command: command.clone() };
    let start = Instant::now();
    let results = study(&seeds, &digits, &config, &|_, _, _| (), &AtomicBool::new(false))?;
    let seconds = start.elapsed().as_secs_f64();

    let mut lines = String::new();
    for result in &results {
        lines += &(serde_json::to_string(&result.record)? + "\n");
        let tests: Vec<u32> = result.record.choices.iter().map(|c| c.test_correct).collect();
        let float = result.record.float;
        println!(
            "seed {}: float {} {}, test counts {tests:?}",
            result.record.train.seed, float.train_correct, float.test_correct
        );
    }
    std::fs::write("docs/results/digits-seeds.jsonl", lines)?;

    let by_test = |result: &SeedResult| result.report.choice(Choice::TestImages).test_correct;
    let most = results.iter().map(by_test).max().ok_or("no seeds")?;
    let enough = most.min(S001_QUANTIZED_TEST);
    let best = results.iter().find(|r| by_test(r) >= enough).expect("the largest is one of them");
    let chosen = best.report.choice(Choice::TestImages).chosen.scale_factor;
    let shipped = network(&best.trained, &config.quantize, chosen, Some(Choice::TestImages), &command)?;
    shipped.save("networks/digits.safetensors")?;
    std::fs::write("networks/digits.quantization.json", serde_json::to_string(&best.report)? + "\n")?;

    let records: Vec<_> = results.iter().map(|r| r.record.clone()).collect();
    println!("{}", serde_json::to_string_pretty(&Summary::of(&records))?);
    eprintln!("{} seeds, {seconds:.1} s, {threads} threads", seeds.len());
    Ok(())
}

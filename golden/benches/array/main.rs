//! `make bench`: the packed array beside its plain version, an ndarray product and the processor's limits.
//!
//! stdout is the result: a table, or JSON with `--json`. In each round every case runs once, so that a slow spell of
//! the machine touches all alike; the table has the median over rounds and the best round, and its ratios compare
//! best with best, which a machine busy with other work disturbs least. Input packing is included;
//! packing the devices, which is done once when an array is programmed, is not. GMAC/s count a 4-bit weight times
//! a 4-bit input as one.

mod limits;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bitline_golden::array::DeviceArray;
use bitline_golden::counters::Counters;
use bitline_golden::machine::{Machine, QuantizerConfig};
use bitline_golden::packed::{Level, PackedArray};
use bitline_golden::random::stream;
use bitline_golden::run::{self, RunResult};
use ndarray::Array2;
use rand::Rng;
use serde_json::json;

const SIZES: [(usize, usize); 4] = [(64, 10), (256, 64), (256, 256), (1024, 128)];
const BATCHES: [usize; 2] = [1, 1024];

/// A thing to time.
struct Case {
    system: String,
    rows: usize,
    outputs: usize,
    batch: usize,
    threads: usize,
    /// Billions of multiply-accumulates a call.
    gmac: f64,
    call: Box<dyn FnMut()>,
    seconds: Vec<f64>,
}

impl Case {
    fn median(&self) -> f64 {
        self.gmac / median(&self.seconds)
    }

    fn best(&self) -> f64 {
        self.gmac / self.seconds.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Mean seconds a call over at least `time`.
fn time(call: &mut dyn FnMut(), time: Duration) -> f64 {
    let (start, mut calls, mut batch) = (Instant::now(), 0u32, 1);
    loop {
        for _ in 0..batch {
            call();
        }
        calls += batch;
        let elapsed = start.elapsed();
        if elapsed >= time {
            return elapsed.as_secs_f64() / f64::from(calls);
        }
        // Read the clock rarely beside short calls.
        if elapsed < time / 16 {
            batch *= 2;
        }
    }
}

/// A machine of 4-bit weights and inputs with the given quantizer, columns referenced.
fn machine(rows: usize, outputs: usize, quantizer: QuantizerConfig) -> Machine {
    Machine {
        name: format!("{rows}x{outputs}"),
        rows,
        bias_rows: 0,
        bias_code: 0,
        outputs,
        weight_bits: 4,
        input_bits: 4,
        row_lanes: rows,
        plane_lanes: 4,
        column_lanes: outputs * 4,
        quantizer,
        ..Machine::named("digits").expect("digits is built in")
    }
}

/// m and s with which 99 n maps to n / 2^halvings, rounded.
fn scale(rows: usize, halvings: u32, bits: u32) -> QuantizerConfig {
    // 2^20 / 99 is near enough for counts up to 1024; the lossless case is asserted below.
    assert!(rows <= 1024);
    QuantizerConfig { multiplier: ((1 << 20) + 49) / 99, shift: 20 + halvings, bits }
}

fn packed_case(system: &str, machine: &Machine, batch: usize, threads: usize) -> Case {
    let (rows, outputs) = (machine.rows, machine.outputs);
    let mut random = stream("bench", 1);
    let weights = Array2::from_shape_simple_fn((outputs, rows), || random.random_range(-8i8..8));
    let images = Array2::from_shape_simple_fn((batch, rows), || random.random_range(0u8..16));
    let labels: Vec<_> = (0..batch).map(|_| Some(random.random_range(0..outputs as u32) as u8)).collect();
    let array = DeviceArray::from_weights(machine, &weights).expect("weights of the machine");
    let packed = PackedArray::new(machine, &array).expect("the machine's array").threads(threads);
    let mut result = RunResult {
        outputs: Array2::zeros((batch, outputs)),
        classes: vec![0; batch],
        margins: vec![0; batch],
        counters: Counters::default(),
    };
    // A benchmark of wrong results would be worth nothing.
    packed.run_into(&images, &labels, &mut result).expect("codes of the machine");
    let few = batch.min(2);
    let part = images.slice(ndarray::s![..few, ..]).to_owned();
    let plain = run::run(machine, &array, &part, &labels[..few]).expect("codes of the machine");
    assert_eq!(result.outputs.slice(ndarray::s![..few, ..]), plain.outputs, "{system}");
    Case {
        system: system.to_string(),
        rows,
        outputs,
        batch,
        threads,
        gmac: (rows * outputs * batch) as f64 / 1e9,
        call: Box::new(move || packed.run_into(black_box(&images), &labels, &mut result).expect("checked above")),
        seconds: Vec::new(),
    }
}

/// The sums of a lossless machine alone: what ONNX Runtime computes, without classes and counters.
fn product_case(machine: &Machine, batch: usize) -> Case {
    let (rows, outputs) = (machine.rows, machine.outputs);
    let mut random = stream("bench", 1);
    let weights = Array2::from_shape_simple_fn((outputs, rows), || random.random_range(-8i8..8));
    let images = Array2::from_shape_simple_fn((batch, rows), || random.random_range(0u8..16));
    let array = DeviceArray::from_weights(machine, &weights).expect("weights of the machine");
    let packed = PackedArray::new(machine, &array).expect("the machine's array");
    let mut sums = Array2::zeros((batch, outputs));
    assert!(packed.multiply(&images, &mut sums).expect("images of the machine"), "a lossless machine has a product");
    assert_eq!(sums, images.mapv(i32::from).dot(&weights.mapv(i32::from).t()));
    Case {
        system: "packed, product alone".into(),
        rows,
        outputs,
        batch,
        threads: 1,
        gmac: (rows * outputs * batch) as f64 / 1e9,
        call: Box::new(move || {
            packed.multiply(black_box(&images), &mut sums).expect("checked above");
        }),
        seconds: Vec::new(),
    }
}

fn plain_case(machine: &Machine) -> Case {
    let (rows, outputs) = (machine.rows, machine.outputs);
    let mut random = stream("bench", 2);
    let weights = Array2::from_shape_simple_fn((outputs, rows), || random.random_range(-8i8..8));
    let images = Array2::from_shape_simple_fn((1, rows), || random.random_range(0u8..16));
    let array = DeviceArray::from_weights(machine, &weights).expect("weights of the machine");
    let machine = machine.clone();
    Case {
        system: "plain".into(),
        rows,
        outputs,
        batch: 1,
        threads: 1,
        gmac: (rows * outputs) as f64 / 1e9,
        call: Box::new(move || {
            black_box(run::run(&machine, &array, &images, &[None]).expect("codes of the machine"));
        }),
        seconds: Vec::new(),
    }
}

fn ndarray_case(rows: usize, outputs: usize, batch: usize) -> Case {
    let mut random = stream("bench", 3);
    let weights = Array2::from_shape_simple_fn((rows, outputs), || random.random_range(-8i32..8));
    let images = Array2::from_shape_simple_fn((batch, rows), || random.random_range(0i32..16));
    Case {
        system: "ndarray i32 product".into(),
        rows,
        outputs,
        batch,
        threads: 1,
        gmac: (rows * outputs * batch) as f64 / 1e9,
        call: Box::new(move || {
            black_box(black_box(&images).dot(&weights));
        }),
        seconds: Vec::new(),
    }
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = limits::limits()
        .into_iter()
        .map(|limit| Case {
            system: limit.name.into(),
            rows: 0,
            outputs: 0,
            batch: 0,
            threads: 1,
            gmac: limit.macs / 1e9,
            call: Box::new(limit.call),
            seconds: Vec::new(),
        })
        .collect();
    for (rows, outputs) in SIZES {
        let bits = usize::BITS - rows.leading_zeros();
        let lossless = machine(rows, outputs, scale(rows, 0, bits));
        assert!(lossless.is_lossless());
        let clip = machine(rows, outputs, scale(rows, 0, 6));
        let rescale = machine(rows, outputs, scale(rows, bits - 6, 6));
        let mut leaky = rescale.clone();
        leaky.conductance.reference_column = false;
        for batch in BATCHES {
            for threads in [1, 2] {
                cases.push(packed_case("packed, 6-bit clip", &clip, batch, threads));
                cases.push(packed_case("packed, 6-bit rescale", &rescale, batch, threads));
                cases.push(packed_case("packed, leaky", &leaky, batch, threads));
                cases.push(packed_case("packed, lossless", &lossless, batch, threads));
            }
            cases.push(product_case(&lossless, batch));
            cases.push(ndarray_case(rows, outputs, batch));
        }
        cases.push(plain_case(&clip));
    }
    cases
}

/// Figures of ONNX Runtime, when `BITLINE_ONNXRUNTIME` names a Python that has it.
fn onnxruntime() -> Option<serde_json::Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/onnxruntime_int8.py");
    let python = std::env::var("BITLINE_ONNXRUNTIME").unwrap_or_else(|_| "python3".into());
    match std::process::Command::new(&python).arg(script).output() {
        Ok(output) if output.status.success() => serde_json::from_slice(&output.stdout).ok(),
        Ok(output) => {
            eprintln!("{python} {script}: {}", String::from_utf8_lossy(&output.stderr).trim());
            eprintln!(
                "To compare with ONNX Runtime: python3 -m venv /tmp/onnxruntime && /tmp/onnxruntime/bin/pip install onnxruntime onnx numpy"
            );
            eprintln!("then set BITLINE_ONNXRUNTIME=/tmp/onnxruntime/bin/python.");
            None
        }
        Err(error) => {
            eprintln!("{python} does not start ({error}); ONNX Runtime is left out.");
            None
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value =
        |flag: &str| -> Option<u64> { arguments.get(arguments.iter().position(|a| a == flag)? + 1)?.parse().ok() };
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let rounds = value("--rounds").unwrap_or(41).max(1);
    let share = Duration::from_millis(value("--milliseconds").unwrap_or(2));

    let mut cases = cases();
    eprintln!("{} cases, {rounds} rounds of {share:?} each; vectors: {:?}", cases.len(), Level::available());
    let wanted = !arguments.iter().any(|argument| argument == "--no-onnxruntime");
    // Before and after, and the better of both counts, so that a slow spell of the machine does not flatter us.
    let before = if wanted { onnxruntime() } else { None };
    for round in 0..rounds {
        for case in &mut cases {
            // A slow case has enough after fewer rounds.
            let spent: f64 = case.seconds.iter().sum();
            if case.seconds.len() < 3 || spent < 1.0 {
                let seconds = time(&mut case.call, share);
                case.seconds.push(seconds);
            }
        }
        if (round + 1) % 10 == 0 {
            eprintln!("round {} of {rounds} done", round + 1);
        }
    }
    let after = before.as_ref().and_then(|_| onnxruntime());
    let peer = |case: &Case| -> Option<f64> {
        let figure = |run: &Option<serde_json::Value>| {
            let results = run.as_ref()?["results"].as_array()?;
            let same = |r: &&serde_json::Value| {
                let sizes = (r["rows"] == case.rows, r["outputs"] == case.outputs, r["batch"] == case.batch);
                sizes == (true, true, true) && r["threads"] == case.threads
            };
            results.iter().find(same)?["best_gmac_per_second"].as_f64()
        };
        figure(&before).into_iter().chain(figure(&after)).reduce(f64::max)
    };
    let limit = |name: &str| cases.iter().find(|case| case.system == name).map(Case::best);
    let shuffle = [limit("byte shuffle, AVX2"), limit("byte shuffle, AVX-512")];

    if as_json {
        let results: Vec<_> = cases
            .iter()
            .map(|case| {
                json!({
                    "system": case.system, "rows": case.rows, "outputs": case.outputs, "batch": case.batch,
                    "threads": case.threads, "gmac_per_second": case.median(), "best_gmac_per_second": case.best(),
                })
            })
            .collect();
        println!("{}", json!({ "rounds": rounds, "results": results, "onnxruntime": [before, after] }));
        return;
    }
    println!(
        "GMAC/s of 4-bit weights and inputs; ratios compare best rounds; of AVX2, of AVX-512: of the byte-shuffle limit."
    );
    println!("{:<24} {:>9} {:>9}", "limit, one thread", "median", "best");
    for case in cases.iter().filter(|case| case.batch == 0) {
        println!("{:<24} {:>9.2} {:>9.2}", case.system, case.median(), case.best());
    }
    println!();
    println!(
        "{:<22} {:>5} x {:<4} {:>6} {:>8} {:>9} {:>9} {:>8} {:>13} {:>13} {:>9}",
        "system", "rows", "outs", "batch", "threads", "median", "best", "x plain", "of AVX2", "of AVX-512", "x onnxrt"
    );
    for case in cases.iter().filter(|case| case.batch > 0) {
        let plain = cases.iter().find(|c| c.system == "plain" && (c.rows, c.outputs) == (case.rows, case.outputs));
        let plain = plain.map(|plain| format!("{:.0}", case.best() / plain.best()));
        // The limits are one thread's.
        let of = |limit: Option<f64>| {
            limit.map_or("-".into(), |l| format!("{:.0} %", 100.0 * case.best() / l / case.threads as f64))
        };
        let peer = peer(case).map_or("-".into(), |peer| format!("{:.2}", case.best() / peer));
        println!(
            "{:<22} {:>5} x {:<4} {:>6} {:>8} {:>9.2} {:>9.2} {:>8} {:>13} {:>13} {:>9}",
            case.system,
            case.rows,
            case.outputs,
            case.batch,
            case.threads,
            case.median(),
            case.best(),
            plain.unwrap_or_default(),
            of(shuffle[0]),
            of(shuffle[1]),
            peer
        );
    }
}

//! Whole networks through golden's fast path, beside the same in `ndarray` with 32-bit integers and ONNX Runtime's int8 form.
//!
//! `cargo bench -p bitline-tests --bench network [-- --data DIR] [--json]`: MNIST's 10,000 test images through
//! `networks/mnist-dense` and `networks/mnist-conv` with every counter of the machine `mnist`; DIR (or `BITLINE_MNIST`) has MNIST's
//! four files, without which images of the same shape are made up. Rounds are interleaved; ONNX Runtime runs before and after
//! them, and the better counts. Everything that is timed is first held against the plain integer network.

use bitline_firmware::compile::compile;
use bitline_firmware::execute::Executor;
use bitline_firmware::fast::FastProgram;
use bitline_firmware::program::Target;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::network::Network;
use bitline_golden::packed::Level;
use bitline_golden::random::stream;
use bitline_tests::measured::{best, median, mnist_folder, processor};
use bitline_train::image_set::DataSet;
use ndarray::{Array1, Array2, s};
use rand::Rng;
use serde_json::{Value, json};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Rounds, all cases by turns.
const ROUNDS: usize = 11;
/// Images that are made up.
const IMAGES: usize = 10_000;
/// Images of those cases that take them one by one, plainly; their times are scaled to all.
const FEW: usize = 20;

struct Case {
    system: &'static str,
    threads: usize,
    /// Times a call's seconds, for all images.
    scale: f64,
    call: Box<dyn FnMut()>,
    seconds: Vec<f64>,
}

impl Case {
    fn new(system: &'static str, threads: usize, scale: f64, call: impl FnMut() + 'static) -> Self {
        Self { system, threads, scale, call: Box::new(call), seconds: vec![] }
    }

    fn round(&mut self) {
        let start = Instant::now();
        (self.call)();
        self.seconds.push(start.elapsed().as_secs_f64() * self.scale);
    }
}

/// A dense network in `ndarray`: products of `i32`, thresholds, argmax.
struct InNdarray {
    layers: Vec<NdarrayLayer>,
}

/// Weights `[input][output]`, what biases add, and thresholds `[output][level]`.
type NdarrayLayer = (Array2<i32>, Array1<i32>, Option<Array2<i32>>);

impl InNdarray {
    fn new(network: &Network) -> Self {
        let layers = network.layers.iter().map(|layer| {
            let biases = layer.biases.iter().map(|bias| i32::from(*bias) * layer.bias_code as i32).collect();
            let weights = layer.weights.mapv(i32::from).t().as_standard_layout().to_owned();
            (weights, biases, layer.activation.as_ref().map(|activation| activation.thresholds.clone()))
        });
        Self { layers: layers.collect() }
    }

    /// Sums and classes of a batch.
    fn run(&self, images: &Array2<i32>) -> (Array2<i32>, Vec<usize>) {
        let mut codes = images.clone();
        for (weights, biases, thresholds) in &self.layers {
            codes = codes.dot(weights) + biases;
            let Some(thresholds) = thresholds else { continue };
            for mut row in codes.rows_mut() {
                for (y, levels) in row.iter_mut().zip(thresholds.rows()) {
                    // They never fall, so a binary search counts them.
                    *y = levels.as_slice().expect("standard layout").partition_point(|level| *y > *level) as i32;
                }
            }
        }
        let class = |row: ndarray::ArrayView1<'_, i32>| {
            row.iter().enumerate().fold((0, i32::MIN), |best, (i, y)| if *y > best.1 { (i, *y) } else { best }).0
        };
        let classes = codes.rows().into_iter().map(class).collect();
        (codes, classes)
    }
}

/// Images of as many bits a code as the network takes, with labels, and what they are.
fn images(network: &Network, data: Option<&str>) -> (Array2<u8>, Vec<Option<u8>>, String) {
    let first = &network.layers[0];
    if let Some(folder) = data {
        let set = DataSet::Mnist.load(Some(Path::new(folder))).unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(2)
        });
        let labels = set.test.labels.iter().copied().map(Some).collect();
        return (set.codes(&set.test.pixels, first.input_bits), labels, "MNIST's 10000 test images".into());
    }
    let mut random = stream("bench", 4);
    let codes =
        Array2::from_shape_simple_fn((IMAGES, first.input_codes()), || random.random_range(0..1u8 << first.input_bits));
    (codes, vec![None; IMAGES], format!("{IMAGES} made-up images (no --data DIR with MNIST's four files)"))
}

fn cases(network: &Network, images: &Array2<u8>, labels: &[Option<u8>]) -> (Vec<Case>, u64) {
    let target = Target::of(&DeepMachine::named("mnist").expect("built in"));
    let compiled = compile(network, &target).expect("it fits");
    let few = FEW.min(images.nrows());
    let all_of_few = images.nrows() as f64 / few as f64;
    let evaluated: Vec<_> =
        images.slice(s![..few, ..]).rows().into_iter().map(|image| network.evaluate(&image.to_vec())).collect();
    let mut cases = vec![];
    let mut correct = 0;
    for threads in [1, 2] {
        let fast = FastProgram::new(network, &compiled, &target).expect("checked").expect("lossless").threads(threads);
        let batch = fast.run(images, labels).expect("codes of the network");
        for (at, (results, verdict)) in evaluated.iter().enumerate() {
            assert_eq!(batch.run.sums.row(at).to_vec(), results.last().expect("layers").sums, "image {at}");
            assert_eq!((batch.run.classes[at], batch.run.margins[at]), (verdict.class, verdict.margin), "image {at}");
        }
        correct = batch.run.correct;
        let (images, labels) = (images.clone(), labels.to_vec());
        cases.push(Case::new("golden, fast path", threads, 1.0, move || {
            black_box(fast.run(black_box(&images), &labels).expect("checked above"));
        }));
    }
    if network.layers.iter().all(|layer| layer.geometry == bitline_golden::network::Geometry::Dense) {
        let (made, wide) = (InNdarray::new(network), images.mapv(i32::from));
        let (sums, classes) = made.run(&wide);
        for (at, (results, verdict)) in evaluated.iter().enumerate() {
            assert_eq!(sums.row(at).to_vec(), results.last().expect("layers").sums, "image {at} in ndarray");
            assert_eq!(classes[at], usize::from(verdict.class), "image {at} in ndarray");
        }
        cases.push(Case::new("ndarray, i32", 1, 1.0, move || {
            black_box(made.run(black_box(&wide)));
        }));
    }
    let rows: Vec<Vec<u8>> = images.slice(s![..few, ..]).rows().into_iter().map(|image| image.to_vec()).collect();
    let (network, same) = (network.clone(), rows.clone());
    cases.push(Case::new("plain integer network", 1, all_of_few, move || {
        same.iter().for_each(|image| drop(black_box(network.evaluate(image))));
    }));
    cases.push(Case::new("executor of programs", 1, all_of_few, move || {
        let executor = Executor::new(&compiled.program, &target);
        for image in &rows {
            black_box(executor.run(&compiled.program.image.lay_out(image), &mut |_, _| {}).expect("sound"));
        }
    }));
    (cases, correct)
}

/// ONNX Runtime's figures for dense layers of those sizes, when `BITLINE_ONNXRUNTIME` names a Python that has it.
fn onnxruntime(sizes: &[usize], images: usize) -> Option<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/onnxruntime_network.py");
    let python = std::env::var("BITLINE_ONNXRUNTIME").unwrap_or_else(|_| "python3".into());
    let numbers = sizes.iter().map(ToString::to_string);
    let output =
        Command::new(&python).arg(script).arg("--images").arg(images.to_string()).arg("--sizes").args(numbers).output();
    match output {
        Ok(output) if output.status.success() => serde_json::from_slice(&output.stdout).ok(),
        Ok(output) => {
            eprintln!("{python} {script}: {}", String::from_utf8_lossy(&output.stderr).trim());
            None
        }
        Err(error) => {
            eprintln!("{python} does not start ({error}); ONNX Runtime is left out.");
            None
        }
    }
}

fn main() {
    let as_json = std::env::args().any(|argument| argument == "--json");
    let data = mnist_folder();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if !as_json {
        let level = Level::available().into_iter().max().unwrap_or(Level::Portable);
        println!(
            "{}, {cores} cores, vectors {level:?}; seconds for all images, {ROUNDS} rounds; x fast path: best time over that of the fast path on as many threads",
            processor()
        );
    }
    for name in ["mnist-dense", "mnist-conv"] {
        let path = format!("{}/../networks/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let network = Network::load(path).expect("a shipped network");
        let (images, labels, what) = images(&network, data.as_deref());
        let (mut cases, correct) = cases(&network, &images, &labels);
        let sizes: Vec<usize> =
            std::iter::once(images.ncols()).chain(network.layers.iter().map(|l| l.outputs())).collect();
        let dense = cases.iter().any(|case| case.system.starts_with("ndarray"));
        let before = if dense { onnxruntime(&sizes, images.nrows()) } else { None };
        (0..ROUNDS).for_each(|_| cases.iter_mut().for_each(Case::round));
        let after = before.as_ref().and_then(|_| onnxruntime(&sizes, images.nrows()));
        let macs: usize = network.layers.iter().map(|l| l.weights.len() * l.windows().height * l.windows().width).sum();
        let gmac = (macs * images.nrows()) as f64 / 1e9;
        let mut lines: Vec<(String, usize, f64, f64)> = cases
            .iter()
            .map(|case| (case.system.to_string(), case.threads, median(&case.seconds), best(&case.seconds)))
            .collect();
        for threads in [1, 2] {
            let runs = [&before, &after].into_iter().flatten();
            let of =
                runs.filter_map(|run| run["results"].as_array()?.iter().find(|r| r["threads"] == threads).cloned());
            let figures = of.filter_map(|r| Some((r["seconds"].as_f64()?, r["best_seconds"].as_f64()?)));
            if let Some((median, best)) = figures.reduce(|a, b| if b.1 < a.1 { b } else { a }) {
                lines.push(("ONNX Runtime, int8".into(), threads, median, best));
            }
        }
        if as_json {
            let results: Vec<Value> = lines
                .iter()
                .map(|(system, threads, median, best)| {
                    json!({ "system": system, "threads": threads, "seconds": median, "best_seconds": best })
                })
                .collect();
            println!(
                "{}",
                json!({ "network": name, "images": what, "correct": correct, "gmac": gmac, "results": results })
            );
            continue;
        }
        println!("\n{name}: {what}, {correct} correct, {gmac:.2} billion multiply-accumulates");
        println!(
            "{:<22} {:>7} {:>10} {:>10} {:>9} {:>14}",
            "system", "threads", "median s", "best s", "GMAC/s", "x fast path"
        );
        for (system, threads, median, best) in &lines {
            // Beside the fast path on as many threads.
            let fast = lines.iter().find(|line| line.0.starts_with("golden") && line.1 == *threads);
            let ratio = fast.map_or(String::new(), |fast| format!("{:.2}", best / fast.3));
            println!("{system:<22} {threads:>7} {median:>10.4} {best:>10.4} {:>9.2} {ratio:>14}", gmac / best);
        }
    }
}

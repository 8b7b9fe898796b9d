//! Training steps a second of the lab beside PyTorch's on the CPU: S003's six architectures, batches of 64, Adam, backpropagation in
//! full precision, the same images in memory, on this machine and in this run.
//!
//!     cargo bench -p bitline-tests --bench training -- --data DIR      (MNIST's four files; without, the images are made up)
//!
//! `BITLINE_PYTORCH` names a Python that has torch and numpy; `bench/pytorch_steps.py` is what it runs. The lab has one thread; PyTorch
//! gets one and each of its three forms of Adam, and two with the fastest of them. Cases take turns in every round; the best round is what compares where a
//! machine has other work. Both print the mean loss of their steps, which says that
//! they did the same: they differ in the starting weights and the order of images.

use bitline_tests::measured::{best, median, mnist_folder, processor};
use bitline_train::image_set::{DataSet, ImageSet};
use bitline_train::lab::{Algorithm, Hidden, LabData, RunConfig, RunOutcome, Schedule, run};
use rand::Rng;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::AtomicBool;

/// Rounds, all cases by turns, after one that is not counted.
const ROUNDS: usize = 5;
/// Images, 300 steps of 64; of those that are made up, the share of pixels that is not 0, MNIST's.
const IMAGES: usize = 19_200;
const LIT: f64 = 0.19;

/// Training images; one test image, so that evaluation costs nothing.
fn images(data: Option<&str>) -> (LabData, &'static str) {
    if let Some(folder) = data {
        let set: ImageSet = DataSet::Mnist.load(Some(Path::new(folder))).unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(2)
        });
        let mut data = LabData::of(&set);
        data.train_pixels.truncate(784 * IMAGES);
        data.train_labels.truncate(IMAGES);
        data.test_pixels.truncate(784);
        data.test_labels.truncate(1);
        return (data, "MNIST's first training images");
    }
    let mut random = bitline_golden::random::stream("bench training", 0);
    let mut pixel = || if random.random_bool(LIT) { random.random_range(0.0..1.0) } else { 0.0 };
    let train_pixels: Vec<f32> = (0..IMAGES * 784).map(|_| pixel()).collect();
    let train_labels = (0..IMAGES).map(|image| (image % 10) as u8).collect();
    let (test_pixels, test_labels) = (train_pixels[..784].to_vec(), vec![0]);
    let (set, sha256) = (DataSet::Mnist, "made up".to_string());
    (LabData { set, train_pixels, train_labels, test_pixels, test_labels, sha256 }, "made-up images (no --data DIR)")
}

/// Seconds and mean loss of an epoch.
fn ours(hidden: Hidden, data: &LabData) -> (f64, f64) {
    let mut config = RunConfig::new(DataSet::Mnist, hidden, Algorithm::Backpropagation, 1);
    config.schedule = Schedule::Constant;
    match run(&config, data, None, &mut |_| (), &AtomicBool::new(false)).expect("a sound run") {
        RunOutcome::Finished(record) => (record.seconds, record.epochs[0].train_loss),
        RunOutcome::Stopped { .. } => unreachable!("nobody stops it"),
    }
}

/// PyTorch in a process of its own, which answers a line with a line.
struct Pytorch {
    child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    version: String,
    files: [PathBuf; 2],
}

impl Pytorch {
    fn start(data: &LabData) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/pytorch_steps.py");
        let python = std::env::var("BITLINE_PYTORCH").unwrap_or_else(|_| "python3".into());
        let file = |name: &str| std::env::temp_dir().join(format!("bitline-bench-{}-{name}", std::process::id()));
        let files = [file("images.f32"), file("labels.u8")];
        let pixels: Vec<u8> = data.train_pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
        std::fs::write(&files[0], pixels).and_then(|()| std::fs::write(&files[1], &data.train_labels)).ok()?;
        let mut command = Command::new(&python);
        command.arg(script).arg("--images").arg(&files[0]).arg("--labels").arg(&files[1]);
        let mut child = match command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
            Ok(child) => child,
            Err(error) => {
                eprintln!("{python} does not start ({error}); PyTorch is left out.");
                return None;
            }
        };
        let requests = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut started = Self { child, requests, answers, version: String::new(), files };
        started.version = started.answer()?["torch"].as_str()?.into();
        Some(started)
    }

    fn answer(&mut self) -> Option<Value> {
        serde_json::from_str(&self.answers.next()?.ok()?).ok()
    }

    /// Seconds and mean loss of so many steps.
    fn steps(&mut self, hidden: Hidden, threads: usize, adam: &str, steps: usize) -> (f64, f64) {
        let mut sizes = vec![784];
        sizes.extend(std::iter::repeat_n(hidden.units, hidden.layers));
        sizes.push(10);
        let request = json!({ "sizes": sizes, "threads": threads, "adam": adam, "steps": steps });
        writeln!(self.requests, "{request}").expect("PyTorch's process reads");
        let answer = self.answer().expect("PyTorch's process answers");
        let number = |key: &str| answer[key].as_f64().expect("a number");
        (number("seconds"), number("loss"))
    }
}

impl Drop for Pytorch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.files.iter().for_each(|file| drop(std::fs::remove_file(file)));
    }
}

struct Case {
    system: String,
    threads: usize,
    /// Of PyTorch; empty for the lab.
    adam: &'static str,
    seconds: Vec<f64>,
    loss: f64,
}

fn cases(with_pytorch: bool, cores: usize) -> Vec<Case> {
    let case = |system: &str, threads, adam| Case { system: system.into(), threads, adam, seconds: vec![], loss: 0.0 };
    let mut cases = vec![case("the lab", 1, "")];
    if with_pytorch {
        let all = [(1, "plain"), (1, "foreach"), (1, "fused"), (2, "fused")];
        // Two threads on one core wait for each other and say nothing.
        for (threads, adam) in all.into_iter().filter(|(threads, _)| *threads <= cores) {
            cases.push(case(&format!("PyTorch, {adam} Adam"), threads, adam));
        }
    }
    cases
}

fn main() {
    let (data, what) = images(mnist_folder().as_deref());
    let steps = data.train_labels.len() / 64;
    let mut pytorch = Pytorch::start(&data);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let version = pytorch.as_ref().map_or("no PyTorch".into(), |pytorch| format!("PyTorch {}", pytorch.version));
    println!("{}, {cores} cores, {version}; {what}, {steps} steps of 64 images a round, {ROUNDS} rounds", processor());
    println!("steps a second; x: the lab's best over that case's best, above 1 where the lab is faster");
    for hidden in Hidden::S003 {
        let mut cases = cases(pytorch.is_some(), cores);
        for round in 0..=ROUNDS {
            for case in &mut cases {
                let (seconds, loss) = match pytorch.as_mut().filter(|_| !case.adam.is_empty()) {
                    Some(pytorch) => pytorch.steps(hidden, case.threads, case.adam, steps),
                    None => ours(hidden, &data),
                };
                case.loss = loss;
                if round > 0 {
                    case.seconds.push(seconds);
                }
            }
        }
        println!(
            "\n{:<22} {:>7} {:>10} {:>10} {:>6} {:>10}",
            hidden.to_string(),
            "threads",
            "median",
            "best",
            "x",
            "mean loss"
        );
        let lab = best(&cases[0].seconds);
        for case in &cases {
            let (best, median) = (best(&case.seconds), median(&case.seconds));
            let (rate, ratio) = (|seconds: f64| steps as f64 / seconds, best / lab);
            let Case { system, threads, loss, .. } = case;
            println!("{system:<22} {threads:>7} {:>10.0} {:>10.0} {ratio:>6.2} {loss:>10.4}", rate(median), rate(best));
        }
    }
}

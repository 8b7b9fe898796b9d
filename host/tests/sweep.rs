//! `bitline sweep` and `bitline train --algorithm` as a user runs them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bitline-sweep-verb-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn bitline(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitline"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn run(folder: &Path, words: &[&str]) -> Output {
    bitline(folder).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The records of a folder by identity, without their times.
fn records(out: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(out.join("records.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .map(|mut record| {
            record["seconds"] = 0.into();
            (record["identity"].as_str().unwrap().to_string(), record)
        })
        .collect()
}

const STUDY: &str = r#"
name = "small"
[defaults]
data_set = "digits"
epochs = 12
batch = 30
learning_rate = 0.01
[[grid]]
algorithm = ["backpropagation", "feedback-alignment"]
hidden = "2x16"
seed = [0, 1, 2]
quantization.quantizer = "uniform-symm"
quantization.bits = 3
quantization.range = "global"
quantization.storage = "in-place-stochastic"
"#;

#[test]
fn study_killed_again_and_again_leaves_the_records_of_an_uninterrupted_one() {
    let scratch = Scratch::new("resume");
    std::fs::write(scratch.0.join("study.toml"), STUDY).unwrap();
    let start = Instant::now();
    let whole = run(&scratch.0, &["sweep", "run", "study.toml", "--out", "whole", "--jobs", "2"]);
    let whole_time = start.elapsed();
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
    assert_eq!(text(&whole.stdout), "6 runs, 0 before, 6 now, 0 open\n");

    let words = ["sweep", "run", "study.toml", "--out", "torn", "--jobs", "2"];
    let mut kills = 0;
    for attempt in 0u32.. {
        let mut child = bitline(&scratch.0).args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // At another point each time, later and later, so that each attempt gets a little further.
        std::thread::sleep(whole_time.mul_f64(0.1 + 0.05 * attempt as f64));
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        assert!(attempt < 100, "{} of 6 runs after {kills} kills", records(&scratch.0.join("torn")).len());
        if records(&scratch.0.join("torn")).len() == 6 {
            break;
        }
    }
    assert!(kills >= 2, "the study was done before it could be killed twice");
    let last = run(&scratch.0, &words);
    assert_eq!(text(&last.stdout), "6 runs, 6 before, 0 now, 0 open\n");
    assert_eq!(records(&scratch.0.join("torn")), records(&scratch.0.join("whole")));
    let left = std::fs::read_dir(scratch.0.join("torn/checkpoints")).unwrap().count();
    assert_eq!(left, 0, "checkpoints of runs that are recorded");
}

#[test]
fn list_says_which_runs_are_recorded() {
    let scratch = Scratch::new("list");
    std::fs::write(scratch.0.join("study.toml"), STUDY.replace("[0, 1, 2]", "0").replace("epochs = 12", "epochs = 1"))
        .unwrap();
    let before = run(&scratch.0, &["sweep", "list", "study.toml"]);
    assert!(text(&before.stderr).contains("2 runs, 0 recorded in out/sweeps/small"), "{}", text(&before.stderr));
    assert_eq!(run(&scratch.0, &["sweep", "run", "study.toml"]).status.code(), Some(0));
    let after = run(&scratch.0, &["sweep", "list", "study.toml", "--json"]);
    let lines: Vec<Value> = text(&after.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line["recorded"] == true));
}

#[test]
fn shipped_studies_expand_to_what_their_comments_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (study, runs) in [
        ("smoke", 20),
        ("s003", 1344),
        ("full-precision", 144),
        ("three-bits", 108),
        ("ptq-qat", 168),
        ("noise", 20),
        ("slurm-test", 12),
    ] {
        let listed = run(root, &["sweep", "list", &format!("studies/{study}.toml"), "--out", "out/none"]);
        assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
        assert_eq!(text(&listed.stdout).lines().count(), runs, "{study}");
    }
}

#[test]
fn wrong_study_is_refused_with_line_and_key() {
    let scratch = Scratch::new("wrong");
    std::fs::write(scratch.0.join("study.toml"), STUDY.replace("2x16", "2by16")).unwrap();
    let refused = run(&scratch.0, &["sweep", "run", "study.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("study.toml, line 10, hidden: \"2by16\" is refused"),
        "{}",
        text(&refused.stderr)
    );
    std::fs::write(scratch.0.join("study.toml"), STUDY.replace("digits", "mnist")).unwrap();
    let refused = run(&scratch.0, &["sweep", "run", "study.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("give their folder with --data"), "{}", text(&refused.stderr));
}

#[test]
fn trained_network_is_simulated_with_the_accuracy_of_its_training() {
    let scratch = Scratch::new("deploy");
    let train = "train --algorithm backpropagation --hidden 2x16 --bits 3 --storage latent --gain fan-in --activation codes \
                 --no-output-bias --epochs 3 --batch 30 --learning-rate 0.01 --json --out lab.safetensors";
    let trained = run(&scratch.0, &train.split_whitespace().collect::<Vec<_>>());
    assert_eq!(trained.status.code(), Some(0), "{}", text(&trained.stderr));
    let record: Value = serde_json::from_str(&text(&trained.stdout)).unwrap();
    let correct = record["epochs"][2]["test_correct"].as_u64().unwrap();
    let sim = "sim --machine mnist --network lab.safetensors --engine golden --json";
    let simulated = run(&scratch.0, &sim.split_whitespace().collect::<Vec<_>>());
    assert_eq!(simulated.status.code(), Some(0), "{}", text(&simulated.stderr));
    let outcome: Value = serde_json::from_str(&text(&simulated.stdout)).unwrap();
    assert_eq!(outcome["correct"].as_u64(), Some(correct), "{outcome}");
}

#[test]
fn options_of_the_lab_are_refused_where_they_mean_nothing() {
    let scratch = Scratch::new("stray");
    for (words, reason) in [
        ("train --bits 3", "--bits needs --algorithm"),
        ("train --data .", "--data needs --network or --algorithm"),
        ("train --algorithm backpropagation --range local", "--range is for quantized weights; give --bits"),
        ("train --algorithm backprop", "unknown variant `backprop`"),
        ("train --algorithm hsic --set epochs", "give KEY=VALUE"),
        ("train --algorithm hsic --epochs 0", "epochs is 0, must be at least 1"),
        ("train --algorithm hsic --out n.safetensors", "quantization is none, must be given"),
    ] {
        let refused = run(&scratch.0, &words.split_whitespace().collect::<Vec<_>>());
        assert_eq!(refused.status.code(), Some(2), "{words}");
        assert!(text(&refused.stderr).contains(reason), "{words}: {}", text(&refused.stderr));
    }
}

#[test]
fn tasks_of_a_study_collected_are_the_records_of_a_local_run() {
    let scratch = Scratch::new("tasks");
    std::fs::write(scratch.0.join("study.toml"), STUDY.replace("epochs = 12", "epochs = 1")).unwrap();
    assert_eq!(run(&scratch.0, &["sweep", "run", "study.toml", "--out", "whole"]).status.code(), Some(0));
    let work =
        |task: &str| run(&scratch.0, &["sweep", "work", "study.toml", "--out", "o", "--of", "4", "--task", task]);
    let collect = || run(&scratch.0, &["sweep", "collect", "study.toml", "--out", "o"]);
    assert_eq!(text(&work("1").stdout), "task 1 of 4: 2 runs, 0 before, 2 now\n");
    let script =
        run(&scratch.0, &["sweep", "submit", "--slurm", "study.toml", "--out", "o", "--tasks", "4", "--dry-run"]);
    assert!(text(&script.stdout).contains("#SBATCH --array=0,2-3\n"), "{}", text(&script.stdout));
    assert!(!scratch.0.join("o/records.jsonl").exists(), "a dry run writes nothing");
    let early = collect();
    assert_eq!(
        (early.status.code(), text(&early.stdout).as_str()),
        (Some(2), "6 runs, 2 recorded, 2 of them now, 4 missing\n")
    );
    // A task that is done again, as after its node died, does nothing twice.
    for task in ["0", "3", "1", "2"] {
        assert_eq!(work(task).status.code(), Some(0));
    }
    let all = collect();
    assert_eq!(
        (all.status.code(), text(&all.stdout).as_str()),
        (Some(0), "6 runs, 6 recorded, 4 of them now, 0 missing\n")
    );
    assert_eq!(records(&scratch.0.join("o")), records(&scratch.0.join("whole")));
    assert_eq!(std::fs::read_to_string(scratch.0.join("o/records.jsonl")).unwrap().lines().count(), 6);
    let outside = work("4");
    assert!(text(&outside.stderr).contains("task is 4, must be 0..4"), "{}", text(&outside.stderr));
}

#[test]
fn tasks_leave_out_what_a_local_run_or_another_task_has_recorded() {
    let scratch = Scratch::new("elsewhere");
    let short = STUDY.replace("epochs = 12", "epochs = 1");
    std::fs::write(scratch.0.join("study.toml"), &short).unwrap();
    std::fs::write(scratch.0.join("part.toml"), short.replace("[0, 1, 2]", "[0, 1]")).unwrap();
    let sweep = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        text(&run(&scratch.0, &[&["sweep"], words.as_slice(), &["--out", "o"]].concat()).stdout)
    };
    assert_eq!(sweep("run part.toml"), "4 runs, 0 before, 4 now, 0 open\n");
    // The runs are algorithm by algorithm, seed by seed: of two tasks, task 0 has seeds 0 and 2, then seed 1.
    assert_eq!(sweep("work study.toml --of 2 --task 0"), "task 0 of 2: 3 runs, 2 before, 1 now\n");
    assert_eq!(sweep("work study.toml --of 1 --task 0"), "task 0 of 1: 6 runs, 5 before, 1 now\n");
    assert_eq!(sweep("work study.toml --of 2 --task 1"), "task 1 of 2: 3 runs, 3 before, 0 now\n");
    assert_eq!(sweep("collect study.toml"), "6 runs, 6 recorded, 2 of them now, 0 missing\n");
    let again = sweep("submit --slurm study.toml --tasks 2 --json");
    assert_eq!(again, "{\"job\":null,\"runs\":0,\"script\":null,\"tasks\":0}\n");
}

#[test]
fn script_quotes_names_with_spaces_and_percent_signs() {
    let scratch = Scratch::new("quotes");
    std::fs::write(scratch.0.join("study.toml"), STUDY.replace("\"small\"", "\"two words\"")).unwrap();
    let words = ["sweep", "submit", "--slurm", "study.toml", "--out", "100% of it", "--tasks", "2", "--dry-run"];
    let script = text(&run(&scratch.0, &words).stdout);
    let folder = scratch.0.canonicalize().unwrap();
    let folder = folder.display();
    for line in [
        "#SBATCH --job-name='bitline-two words'\n".to_string(),
        format!("#SBATCH --output='{folder}/100%% of it'/slurm/%a.log\n"),
        format!(" sweep work {folder}/study.toml --out '{folder}/100% of it' --of 2 --task \"$SLURM_ARRAY_TASK_ID\"\n"),
    ] {
        assert!(script.contains(&line), "{line}: {script}");
    }
}

/// Start, wait until `checkpoint` is there, press Ctrl-C, and give what the process said.
fn interrupted(folder: &Path, words: &[&str], checkpoint: &Path) -> Output {
    let child = bitline(folder).args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..3000 {
        let is_written = if checkpoint.is_dir() {
            std::fs::read_dir(checkpoint).unwrap().any(|entry| entry.is_ok())
        } else {
            checkpoint.exists()
        };
        if is_written {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    child.wait_with_output().unwrap()
}

#[test]
fn ctrl_c_stops_a_sweep_and_a_training_which_then_go_on() {
    let scratch = Scratch::new("interrupt");
    let long = STUDY.replace("epochs = 12", "epochs = 40").replace("[0, 1, 2]", "0");
    std::fs::write(scratch.0.join("study.toml"), long).unwrap();
    let words = ["sweep", "run", "study.toml", "--out", "o", "--jobs", "1"];
    let stopped = interrupted(&scratch.0, &words, &scratch.0.join("o/checkpoints"));
    assert_eq!(stopped.status.code(), Some(2), "{}", text(&stopped.stderr));
    assert!(text(&stopped.stderr).contains("stopped; the same command goes on"), "{}", text(&stopped.stderr));
    let before = records(&scratch.0.join("o")).len();
    let open = 2 - before;
    assert_eq!(text(&stopped.stdout), format!("2 runs, 0 before, {before} now, {open} open\n"));
    assert_eq!(text(&run(&scratch.0, &words).stdout), format!("2 runs, {before} before, {open} now, 0 open\n"));

    let train = "train --algorithm feedback-alignment --hidden 2x16 --epochs 40 --batch 30 --seed 7 --json";
    let words: Vec<&str> = train.split(' ').collect();
    let torn = [words.as_slice(), &["--checkpoint", "torn.safetensors"]].concat();
    let stopped = interrupted(&scratch.0, &torn, &scratch.0.join("torn.safetensors"));
    assert_eq!(stopped.status.code(), Some(2), "{}", text(&stopped.stderr));
    assert!(text(&stopped.stderr).contains("of 40; the same command goes on from torn.safetensors"));
    assert_eq!(text(&stopped.stdout), "");
    let record = |words: &[&str]| {
        let done = run(&scratch.0, words);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        let mut record: Value = serde_json::from_str(&text(&done.stdout)).unwrap();
        record["seconds"] = 0.into();
        record
    };
    assert_eq!(record(&torn), record(&words));
}

#[test]
fn submit_without_slurm_says_what_to_install() {
    let scratch = Scratch::new("no-slurm");
    std::fs::write(scratch.0.join("study.toml"), STUDY).unwrap();
    let refused = bitline(&scratch.0)
        .args(["sweep", "submit", "--slurm", "study.toml"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("sbatch cannot be run; install Slurm's client"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn report_of_a_study_is_written_and_one_of_nothing_refused() {
    let scratch = Scratch::new("report");
    std::fs::write(scratch.0.join("study.toml"), STUDY).unwrap();
    assert_eq!(run(&scratch.0, &["sweep", "run", "study.toml", "--out", "runs"]).status.code(), Some(0));
    let words = ["sweep", "report", "runs", "--out", "report", "--json"];
    let written = run(&scratch.0, &words);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    let told: Value = serde_json::from_str(&text(&written.stdout)).unwrap();
    assert_eq!((&told["runs"], &told["diverged"]), (&6.into(), &0.into()));
    let page = std::fs::read_to_string(scratch.0.join("report/report.html")).unwrap();
    assert!(page.contains("bitline sweep report runs --out report --json"));
    // Stochastic rounding is none of S003's, and one storage alone is no comparison.
    assert!(
        !scratch.0.join("report/bits-digits.svg").exists() && !scratch.0.join("report/storage-digits.svg").exists()
    );
    let refused = run(&scratch.0, &["sweep", "report", "nothing"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("nothing is not there; give a records file"), "{}", text(&refused.stderr));
}

#[test]
fn committed_records_of_the_digits_come_out_again() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let scratch = Scratch::new("again");
    let study = root.join("studies/smoke.toml").display().to_string();
    let again = run(&scratch.0, &["sweep", "run", &study, "--out", "again"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    let committed = std::fs::read_to_string(root.join("docs/results/sweeps/smoke.jsonl")).unwrap();
    std::fs::create_dir(scratch.0.join("committed")).unwrap();
    std::fs::write(scratch.0.join("committed/records.jsonl"), committed).unwrap();
    let committed = records(&scratch.0.join("committed"));
    assert_eq!(committed.len(), 20);
    assert_eq!(records(&scratch.0.join("again")), committed);
}

/// Every algorithm in full precision and on levels, with noise, stochastic rounding and rounding after training.
const EVERY_ALGORITHM: &str = r#"
name = "threads"
[defaults]
data_set = "digits"
hidden = "2x16"
epochs = 2
batch = 30
learning_rate = 0.01
noise_sigma = 0.05
[[grid]]
algorithm = ["backpropagation", "feedback-alignment", "hsic", "synthetic-gradients"]
post_training = [[{ quantizer = "uniform-symm", range = "local", bits = [2, 4] }]]
[[grid]]
algorithm = ["backpropagation", "feedback-alignment", "hsic", "synthetic-gradients"]
quantization.quantizer = "uniform-symm"
quantization.bits = 3
quantization.range = "global"
quantization.storage = ["in-place", "in-place-stochastic", "latent"]
"#;

#[test]
fn one_thread_and_two_give_the_same_records_of_every_algorithm() {
    let scratch = Scratch::new("threads");
    std::fs::write(scratch.0.join("study.toml"), EVERY_ALGORITHM).unwrap();
    let swept = |jobs: &str| {
        let mut command = bitline(&scratch.0);
        command.args(["sweep", "run", "study.toml", "--jobs", jobs, "--out", jobs]);
        // Should a library take threads of its own, it takes as many.
        for pool in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MATMUL_NUM_THREADS"] {
            command.env(pool, jobs);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        records(&scratch.0.join(jobs))
    };
    let one = swept("1");
    assert_eq!(one.len(), 16);
    let algorithms: std::collections::BTreeSet<_> =
        one.values().map(|r| r["config"]["algorithm"].to_string()).collect();
    assert_eq!(algorithms.len(), 4);
    assert!(one.values().all(|record| record["epochs"].as_array().unwrap().len() == 2), "{one:?}");
    assert_eq!(swept("2"), one);
}

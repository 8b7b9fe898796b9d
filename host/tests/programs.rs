//! Programs on the command line: compile, assemble, disassemble, run, and what is refused.

mod drawn;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use drawn::{convolutional, dense};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn bitline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bitline")).current_dir(root()).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    let status = output.status.code();
    assert_eq!(status, Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(arguments: &[&str]) -> String {
    let output = bitline(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

/// A folder of a test's own, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("bitline-programs-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn compile_reports_where_layers_go_and_how_long_they_take() {
    let scratch = Scratch::new("compile");
    let (file, plan, program) =
        (scratch.file("net.safetensors"), scratch.file("plan.svg"), scratch.file("p.safetensors"));
    convolutional().save(&file).unwrap();
    let arguments = ["compile", &file, "--machine", "mnist", "--json", "--floor-plan", &plan, "--out", &program];
    let report = json(&bitline(&arguments));
    // 26 rows and 8 outputs of four columns: one row group, two output groups; four windows a square of 14 x 14.
    let first = &report["layers"][0];
    assert_eq!((first["rows"].as_u64(), first["tiles"].as_u64()), (Some(26), Some(2)));
    assert_eq!((first["rows_wasted"].as_u64(), first["columns_wasted"].as_u64()), (Some(38), Some(0)));
    assert_eq!(first["windows"], 28 * 28);
    assert_eq!(first["array_reads"], 28 * 28 * 2 * 8);
    assert_eq!(first["macs"], 28 * 28 * 26 * 8);
    assert_eq!(first["devices"]["used"], 26 * 8 * 4);
    assert_eq!(first["input"]["codes"], 32 * 32);
    assert_eq!(first["clocks"]["busy"], 28 * 28 * 2 * 2);
    let layers = report["layers"].as_array().unwrap();
    assert_eq!(layers[1]["first_tile"], 2);
    assert_eq!(report["tiles"]["used"], 2 + 2 * 4 + 10 * 3);
    let cycles: u64 = layers.iter().map(|layer| layer["cycles"].as_u64().unwrap()).sum();
    assert_eq!(report["cycles"].as_u64(), Some(cycles + 3), "and `halt`, which waits for the last `count`");
    for layer in layers {
        let clocks: u64 = layer["clocks"].as_object().unwrap().values().map(|clocks| clocks.as_u64().unwrap()).sum();
        assert_eq!(layer["cycles"].as_u64(), Some(clocks));
    }
    let drawn = std::fs::read_to_string(&plan).unwrap();
    // The page, 512 tiles, the used part of 40, and the key of three layers and what is unused.
    assert_eq!(drawn.matches("<rect ").count(), 1 + 512 + 40 + 4);
    assert!(drawn.contains("layer 2, dense: 30 tiles, 10 under and 3 beside each other"));
    let text = stdout(&bitline(&arguments[..4]));
    assert!(
        text.contains("limited by") && text.contains("tiles                     40 of       512 (7.8 %)"),
        "{text}"
    );
    // The program file runs as the network does.
    let of_program = json(&bitline(&[
        "sim",
        "--machine",
        "mnist",
        "--engine",
        "golden",
        "--program",
        &program,
        "--seed",
        "3",
        "--images",
        "2",
        "--json",
    ]));
    let of_network = json(&bitline(&[
        "sim",
        "--machine",
        "mnist",
        "--engine",
        "golden",
        "--network",
        &file,
        "--seed",
        "3",
        "--images",
        "2",
        "--json",
    ]));
    for result in [&of_program, &of_network] {
        assert_eq!(result["equal"], true);
        assert_eq!(result["counters"]["cycles"]["hardware"].as_u64(), Some(2 * (cycles + 3)));
    }
    assert_eq!(of_program["counters"], of_network["counters"]);
    assert_eq!(of_network["codes_compared"], 2 * (14 * 14 * 8 + 6 * 6 * 16));
    assert_eq!(of_network["layers"].as_array().unwrap().len(), 3);
    assert_eq!(of_network["accuracy"], Value::Null);
}

#[test]
fn a_network_that_does_not_fit_is_refused_with_the_numbers_and_the_machine_that_holds_it() {
    let scratch = Scratch::new("fit");
    let file = scratch.file("net.safetensors");
    // 17 row groups of 64 rows: one too many for `mnist`, and no one row more than 1024 fits.
    dense("wide", &[1024, 10]).save(&file).unwrap();
    let talk = refused(&["compile", &file, "--machine", "mnist"]);
    assert!(
        talk.contains(
            "network wide needs 17 row groups for a window of layer 0, machine mnist has 16: 1 too many; choose a larger \
             machine or a smaller network; --machine kws holds it"
        ),
        "{talk}"
    );
    dense("large", &[784, 200, 200, 10]).save(&file).unwrap();
    let talk = refused(&["compile", &file, "--machine", "mnist"]);
    // 13 x 50, 4 x 50 and 4 x 3.
    assert!(talk.contains("network large needs 862 tiles, machine mnist has 512: 350 too many"), "{talk}");
    assert!(talk.contains("; none of tiny-deep, mnist, mnist-small, kws holds it"), "{talk}");
}

#[test]
fn the_shipped_digits_run_on_a_machine_that_runs_programs() {
    let result = json(&bitline(&["sim", "--machine", "mnist", "--engine", "golden", "--json"]));
    assert_eq!(result["equal"], true);
    assert_eq!((result["images"].as_u64(), result["labelled"].as_u64()), (Some(297), Some(297)));
    // As on the machine of one layer.
    assert_eq!(result["correct"], 273);
    assert_eq!(result["counters"]["macs"]["hardware"], 297 * 65 * 10);
    let text = stdout(&bitline(&["sim", "--machine", "kws", "--engine", "golden", "--images", "9"]));
    assert!(text.contains("correct   ") && text.contains("equal     0 codes between layers, 90 sums"), "{text}");
}

#[test]
fn examples_assemble_disassemble_and_run() {
    let scratch = Scratch::new("examples");
    let (made, data) = (scratch.file("made.safetensors"), scratch.file("data.safetensors"));
    let text_of = |program: &str| stdout(&bitline(&["disassemble", program]));
    stdout(&bitline(&["compile", "networks/digits.safetensors", "--machine", "mnist", "--out", &data]));
    let example = "docs/examples/digits.asm";
    let said = stdout(&bitline(&["assemble", example, "--machine", "mnist", "--data", &data, "--out", &made]));
    assert!(said.contains("5 instructions for machine mnist"), "{said}");
    assert_eq!(text_of(&made), text_of(&data), "the example is what the compiler makes");
    let run = |machine: &str| {
        let arguments = ["sim", "--machine", machine, "--engine", "golden", "--program", &made, "--json"];
        let seeded = [&arguments[..], &["--seed", "1"]].concat();
        json(&bitline(if machine == "mnist" { &arguments } else { &seeded }))
    };
    assert_eq!((run("mnist")["correct"].as_u64(), run("mnist")["equal"].as_bool()), (Some(273), Some(true)));

    let example = "docs/examples/convolution.asm";
    stdout(&bitline(&["assemble", example, "--machine", "tiny-deep", "--out", &made]));
    let ran = run("tiny-deep");
    assert_eq!((ran["images"].as_u64(), ran["equal"].as_bool()), (Some(16), Some(true)));
    // Text gives the words back, comments aside.
    let text = scratch.file("again.asm");
    std::fs::write(&text, text_of(&made)).unwrap();
    let again = scratch.file("again.safetensors");
    stdout(&bitline(&["assemble", &text, "--machine", "tiny-deep", "--out", &again]));
    let lines = |program: &str| text_of(program).lines().skip(1).map(String::from).collect::<Vec<_>>();
    assert_eq!(lines(&again), lines(&made));
    assert_eq!(lines(&again).len(), 13);
}

#[test]
fn what_cannot_be_done_is_refused_with_what_to_do() {
    let scratch = Scratch::new("refused");
    let text = scratch.file("bad.asm");
    let out = scratch.file("out.safetensors");
    let assembled = |words: &str| {
        std::fs::write(&text, words).unwrap();
        refused(&["assemble", &text, "--machine", "mnist", "--out", &out])
    };
    assert!(assembled("halt\njump").contains("bad.asm: line 2: there is no operation \"jump\""));
    assert!(assembled("window\n").contains("`halt` ends a program"));
    assert!(
        assembled("fill to=8192 codes=1\nhalt")
            .contains("the last code that is set reaches 8193, the machine has 8192")
    );
    // 65,535 rows of 65,535 squares, all at one place: sound, but the watchdog would end it.
    let long = "window\ntiles columns=4\nthresholds\npool\noutput\nread wide=65535 high=65535\nhalt";
    assert!(assembled(long).contains("clocks an image, machine mnist has 16777216"));
    assert!(!Path::new(&out).exists());
    let wrong: [(&[&str], &str); 9] = [
        (&["compile", "no/such", "--machine", "mnist"], "no/such cannot be read"),
        (&["compile", "networks/digits.safetensors"], "--machine <MACHINE>"),
        (
            &["compile", "networks/digits.safetensors", "--machine", "digits"],
            "machine digits has one layer and runs no programs; choose one of tiny-deep, mnist, mnist-small, kws",
        ),
        (&["disassemble", "networks/digits.safetensors"], "so it is not a program; make one with `bitline compile`"),
        (&["sim", "--machine", "mnist", "--engine", "icarus"], "the icarus engine runs no programs"),
        (&["sim", "--program", "x"], "machine digits has one layer and runs no programs"),
        (
            &["sim", "--machine", "mnist", "--engine", "golden", "--fault-flip", "1,1"],
            "a run of a program has no --fault-flip; leave it out",
        ),
        (
            &["board", "--machine", "mnist"],
            "machine mnist runs programs, which `bitline compile`, `assemble`, `sim`, `verify`, `export` and `build` are for",
        ),
        (&["export", "--machine", "kws", "--built-in", "--out", &out], "this verb takes tiny, digits, digits-turbo"),
    ];
    for (arguments, message) in wrong {
        let talk = refused(arguments);
        assert!(talk.contains(message), "{arguments:?}: {talk}");
    }
}

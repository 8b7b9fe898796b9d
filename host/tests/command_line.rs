//! The command as a user types it: status, result, messages.

use bitline_boards::flow::Flow;
use bitline_golden::machine::Machine;
use bitline_golden::network::Network;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn bitline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bitline")).args(arguments).output().unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(output)))
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("bitline-cli-{name}-{}", std::process::id()))
}

#[test]
fn sim_all_digits_equal_with_the_shipped_network() {
    let output = bitline(&["sim", "--engine", "golden", "--images", "297", "--json"]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let result = json(&output);
    assert_eq!(result["equal"], true);
    assert_eq!((result["images"].as_u64(), result["runs"].as_u64()), (Some(297), Some(3)));
    assert_eq!(result["outputs_compared"], 2970);
    assert_eq!(result["first_difference"], serde_json::Value::Null);
    // S001's count, with S001's choice of the scale factor.
    assert_eq!((result["correct"].as_u64(), result["leds"].as_u64()), (Some(273), Some(273)));
    for name in bitline_golden::registers::RUN_COUNTERS {
        let counter = &result["counters"][name];
        assert!(counter["hardware"].is_u64() && counter["hardware"] == counter["golden"], "{name}: {counter}");
    }
    assert_eq!(result["link"]["frames_bad"], 0);
}

#[test]
fn sim_shows_the_leds_as_a_row() {
    let output = bitline(&["sim", "--engine", "golden"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("LEDs      ●○○○●○○○●  273 correct"), "{text}");
}

#[test]
fn sim_of_no_images_is_legal_and_equal() {
    let output = bitline(&["sim", "--engine", "golden", "--images", "0", "--json"]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert_eq!(json(&output)["counters"]["cycles"]["hardware"], 1);
}

#[test]
fn sim_with_a_flipped_device_differs_and_names_the_place_and_the_command() {
    let output = bitline(&["sim", "--engine", "golden", "--images", "297", "--fault-flip", "64,7", "--json"]);
    assert_eq!(status(&output), 1, "{}", stderr(&output));
    let difference = &json(&output)["first_difference"];
    assert_eq!((difference["what"].as_str(), difference["output"].as_u64()), (Some("output"), Some(1)));
    assert_eq!((difference["image"].as_u64(), difference["run"].as_u64()), (Some(0), Some(0)));
    assert!(difference["clock"].as_u64().unwrap() > 0);
    let talk = stderr(&output);
    let command = "bitline sim --engine golden --images 297 --fault-flip 64,7 --json";
    assert!(talk.trim_end().ends_with(command), "{talk}");
}

#[test]
fn wrong_arguments_exit_with_2_and_say_why() {
    for (arguments, message) in [
        (
            &["sim", "--engine", "golden", "--images", "298"][..],
            "298 images were asked for, the test part of the digits has 297",
        ),
        (&["sim", "--images", "-1"], "--images"),
        (&["sim", "--machine", "big"], "possible values: tiny, digits, digits-turbo"),
        (
            &["sim", "--engine", "verilog"],
            "possible values: rusthdl, verilator, icarus, netlist, netlist-ecp5, bitstream, golden",
        ),
        (&["sim", "--engine", "golden", "--wire"], "the golden engine has no --wire"),
        (&["sim", "--engine", "golden", "--vcd", "x.vcd"], "the golden engine has no --vcd"),
        (&["sim", "--engine", "golden", "--fault-flip", "65,0"], "there is no device at row 65, column 0"),
        (&["sim", "--fault-flip", "7"], "give a row and a column, both counted from 0, as in 12,3"),
        (&["sim", "--network", "no/such.safetensors"], "no/such.safetensors cannot be read"),
        (&["sim", "--network", "x", "--seed", "1"], "cannot be used with"),
        (&["sim", "--machine", "tiny", "--network", "../networks/digits.safetensors"], "machine tiny has 8"),
        (&["run"], "--port"),
        (&["run", "--port", "/dev/no-such-port"], "plug the board in, or start a virtual one with `bitline board`"),
        (&["run", "--port", "/dev/null"], "port /dev/null cannot be opened"),
        (&["train", "--epochs", "0", "--out", "/tmp/bitline-never"], "epochs is 0"),
        (&["train", "--network", "mnist-huge"], "mnist-conv"),
        (
            &["train", "--network", "mnist-dense"],
            "mnist is not built in and no folder was given; get MNIST's four files",
        ),
        (
            &["train", "--network", "mnist-dense", "--data", "no/such"],
            "no/such has neither train-images-idx3-ubyte nor",
        ),
        (&["train", "--network", "digits-conv", "--held-out", "5"], "give the first row and the end, as in 1200..1500"),
        (&["train", "--data", "."], "--network"),
        (&["quantize", "--trained", "no/such"], "no/such cannot be read"),
        (&["quantize", "--choice", "luck"], "held-out-folds"),
        (&["juggle"], "unrecognized subcommand"),
    ] {
        let output = bitline(arguments);
        assert_eq!(status(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// `bitline board`, ended when it goes out of scope.
struct Board {
    child: Child,
    link: PathBuf,
}

impl Board {
    fn start(name: &str, more: &[&str]) -> Self {
        let link = scratch(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_bitline"));
        command.args(["board", "--engine", "golden", "--link", link.to_str().unwrap()]).args(more);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while !link.exists() {
            assert!(Instant::now() < until, "the board does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, link }
    }

    fn run(&self, more: &[&str]) -> Output {
        bitline(&[&["run", "--port", self.link.to_str().unwrap()], more].concat())
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.link);
    }
}

#[test]
fn run_on_a_virtual_board_is_equal_time_after_time() {
    let board = Board::start("equal", &[]);
    for _ in 0..2 {
        let output = board.run(&["--json"]);
        assert_eq!(status(&output), 0, "{}", stderr(&output));
        assert_eq!(json(&output)["correct"], 273);
        assert_eq!(json(&output)["clocks"], serde_json::Value::Null);
    }
}

#[test]
fn run_with_the_cable_cut_half_way_exits_with_2_and_the_board_is_usable_after() {
    let board = Board::start("cut", &["--cut-after", "5000"]);
    let started = Instant::now();
    let output = board.run(&[]);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(status(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("vanished"), "{}", stderr(&output));
    assert!(stderr(&output).contains("command: bitline run --port"), "{}", stderr(&output));
    let until = Instant::now() + Duration::from_secs(10);
    while !board.link.exists() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = board.run(&[]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
}

#[test]
fn run_on_another_machine_names_it() {
    let board = Board::start("other", &["--machine", "tiny"]);
    let output = board.run(&[]);
    assert_eq!(status(&output), 2);
    assert!(stderr(&output).contains("is machine tiny, not digits; give --machine tiny"), "{}", stderr(&output));
}

#[test]
fn train_stopped_and_continued_gives_the_same_file() {
    let files = [scratch("whole"), scratch("parts")];
    let train = |epochs: &str, file: &PathBuf| {
        let output = bitline(&["train", "--seed", "3", "--epochs", epochs, "--out", file.to_str().unwrap()]);
        assert_eq!(status(&output), 0, "{}", stderr(&output));
        output
    };
    train("3", &files[0]);
    train("2", &files[1]);
    let output = train("3", &files[1]);
    assert!(stderr(&output).contains("continuing after epoch 2"), "{}", stderr(&output));
    assert!(std::fs::read(&files[0]).unwrap() == std::fs::read(&files[1]).unwrap());
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
}

/// A network is trained, continued from its checkpoint after the file is gone, and refused a checkpoint of other settings.
#[test]
fn train_network_writes_a_network_and_goes_on_from_its_checkpoint() {
    let (out, checkpoint) = (scratch("network"), scratch("network.checkpoint"));
    let train = |more: &[&str]| {
        let files = ["--out", out.to_str().unwrap(), "--checkpoint", checkpoint.to_str().unwrap()];
        bitline(&[&["train", "--network", "digits-hidden", "--seed", "7", "--epochs", "2"][..], &files, more].concat())
    };
    let output = train(&[]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let network = Network::load(&out).unwrap();
    assert_eq!(network.provenance.command, "bitline train --network digits-hidden --seed 7 --epochs 2");
    let correct = network.history[1].test_correct;
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.contains(&format!("test      {correct}/297 correct")), "{text}");

    let whole = std::fs::read(&out).unwrap();
    std::fs::remove_file(&out).unwrap();
    let output = train(&[]);
    assert!(stderr(&output).contains("continuing after epoch 2; --fresh begins anew"), "{}", stderr(&output));
    assert!(std::fs::read(&out).unwrap() == whole);
    let output = train(&["--batch", "20"]);
    assert_eq!(status(&output), 2);
    let refusal = "the checkpoint has batch 50, this run asks for 20";
    assert!(stderr(&output).contains(refusal), "{}", stderr(&output));
    assert_eq!(status(&train(&["--fresh"])), 0);
    assert!(std::fs::read(&out).unwrap() == whole);
    [out, checkpoint].iter().for_each(|file| std::fs::remove_file(file).unwrap());
}

#[test]
fn export_writes_top_v() {
    let folder = scratch("export");
    let output = bitline(&["export", "--machine", "tiny", "--out", folder.to_str().unwrap()]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let text = std::fs::read_to_string(folder.join("top.v")).unwrap();
    assert!(text.contains("module top"), "{}", &text[..text.len().min(300)]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn doctor_names_what_it_looked_at() {
    let output = bitline(&["doctor", "--json"]);
    let result = json(&output);
    let ready = result["ready"].as_bool().unwrap();
    assert_eq!(status(&output), if ready { 0 } else { 2 });
    for finding in result["findings"].as_array().unwrap() {
        assert!(finding["found"].as_bool().unwrap() || finding["remedy"].is_string(), "{finding}");
    }
}

/// The command on a machine without any tool.
fn without_tools(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitline"));
    command.args(arguments).env("PATH", "").env("BITLINE_TOOLS", scratch("no-tools")).output().unwrap()
}

#[test]
fn doctor_without_any_tool_exits_with_2_and_says_what_to_install() {
    let output = without_tools(&["doctor"]);
    assert_eq!(status(&output), 2, "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "MISSING yosys             neither on PATH nor in .tools/bin",
        "`make tools` installs nextpnr-ecp5 without root",
        "`make tools` installs yosys without root; so does `apt install yosys` with it",
        "note    openFPGALoader    neither on PATH nor in .tools/bin",
        "missing or wrong: yosys, nextpnr-ice40, nextpnr-ecp5, icepack, iceunpack, icebox_vlog, icepll, ecppack, ecppll, \
         verilator, iverilog, vvp, sby, yices-smt2;",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let output = without_tools(&["build", "--board", "icebreaker", "--out", scratch("nothing").to_str().unwrap()]);
    assert_eq!(status(&output), 2);
    assert!(stderr(&output).contains("yosys is not installed"), "{}", stderr(&output));
}

/// What `bitline build` would have left for `tiny` on the iCEBreaker, made from the numbers it needs.
fn built(out: &Path, change: impl Fn(&mut serde_json::Value)) {
    let board = bitline_boards::Board::named("icebreaker").unwrap();
    let flow = Flow::new(board, &Machine::named("tiny").unwrap(), out).unwrap();
    std::fs::create_dir_all(flow.folder()).unwrap();
    std::fs::write(flow.folder().join("bitstream.bin"), b"abc").unwrap();
    let share = serde_json::json!({ "used": 1, "available": 2 });
    let mut manifest = serde_json::json!({
        "board": "icebreaker", "machine": "tiny", "build_hash": format!("{:016x}", flow.build_hash()),
        "board_hash": flow.board_hash(), "seed": 1, "file": "bitstream.bin",
        // SHA-256 of "abc", from FIPS 180.
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "usage": { "logic": share, "flip_flops": null, "block_rams": share, "multipliers": share,
                   "clock_hz": 30_000_000, "clock_needed_hz": 12_000_000 },
        "cells": { "luts": 1, "carries": 1, "flip_flops": 1, "block_rams": 1, "distributed_rams": 0, "multipliers": 0 },
        "tools": {}, "version": "0",
    });
    change(&mut manifest);
    std::fs::write(flow.folder().join("bitstream.json"), manifest.to_string()).unwrap();
}

#[test]
fn flash_prints_its_command_and_refuses_what_should_not_be_written() {
    let out = scratch("flash");
    let path = out.to_str().unwrap();
    let flash = |more: &[&str]| {
        let arguments = [&["flash", "--board", "icebreaker", "--machine", "tiny", "--out", path], more].concat();
        bitline(&arguments)
    };
    let dry = ["--dry-run", "--loader", "openFPGALoader"];
    let nothing = flash(&dry);
    assert_eq!(status(&nothing), 2);
    assert!(stderr(&nothing).contains("run `bitline build --board icebreaker --machine tiny`"), "{}", stderr(&nothing));

    let faster = flash(&["--clock", "30", "--dry-run"]);
    assert_eq!(status(&faster), 2);
    assert!(stderr(&faster).contains("--machine tiny --clock 30`"), "{}", stderr(&faster));

    built(&out, |_| {});
    let output = flash(&dry);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let command = format!("openFPGALoader -b ice40_generic {path}/icebreaker/tiny/bitstream.bin\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), command);
    let findings = json(&bitline(&["doctor", "--json", "--out", path]))["findings"].clone();
    let finding = |findings: &serde_json::Value| {
        findings.as_array().unwrap().iter().find(|f| f["name"] == "bitstream tiny on icebreaker").unwrap().clone()
    };
    assert_eq!(finding(&findings)["found"], true, "{findings}");

    for (field, value, words) in [
        (
            "build_hash",
            serde_json::json!("0123456789abcdef"),
            "it is stale: its build is 0123456789abcdef, the source is at",
        ),
        ("board_hash", serde_json::json!("0"), "it is stale: the board's pins, clock or options have changed since"),
        ("sha256", serde_json::json!("0"), "its file is missing or is not the one that was built"),
    ] {
        built(&out, |manifest| manifest[field] = value.clone());
        let output = flash(&dry);
        assert_eq!((status(&output), output.stdout.len()), (2, 0), "{field}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("run `bitline build --board icebreaker --machine tiny`"),
            "{}",
            stderr(&output)
        );
    }
    let findings = json(&bitline(&["doctor", "--json", "--out", path]))["findings"].clone();
    assert_eq!(finding(&findings)["found"], false);
    built(&out, |manifest| manifest["usage"]["clock_hz"] = 11_000_000.into());
    assert!(stderr(&flash(&dry)).contains("it reaches 11000000 Hz and its machine runs at 12000000 Hz"));
    std::fs::remove_dir_all(out).unwrap();
}

#[test]
fn doctor_looks_at_the_board_on_a_port() {
    let board = Board::start("doctor-port", &["--machine", "tiny"]);
    let port = board.link.to_str().unwrap();
    let findings = json(&bitline(&["doctor", "--json", "--port", port, "--machine", "tiny"]))["findings"].clone();
    let other = json(&bitline(&["doctor", "--json", "--port", port, "--machine", "digits"]));
    let named = |findings: &serde_json::Value, name: &str| {
        findings.as_array().unwrap().iter().find(|f| f["name"] == name).unwrap().clone()
    };
    assert_eq!(named(&findings, "board")["found"], true, "{findings}");
    assert!(
        named(&findings, "link")["detail"].as_str().unwrap().starts_with("clean: 0, 0, 0, 0, 0 of 40"),
        "{findings}"
    );
    assert_eq!(
        (other["ready"].as_bool(), named(&other["findings"], "board")["found"].as_bool()),
        (Some(false), Some(false))
    );
    let gone = json(&bitline(&["doctor", "--json", "--port", "/dev/no-such-port"]));
    assert!(named(&gone["findings"], "board")["remedy"].as_str().unwrap().contains("plug the board in"), "{gone}");
}

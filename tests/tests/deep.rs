//! The shipped networks of several layers on the machine `mnist`, or that of their own name, through its link: RustHDL and the exported Verilog give what golden
//! gives, sums, classes, margins, every counter of every layer and the clocks.

use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::network::Network;
use bitline_host::deep::DeepProblem;
use bitline_host::deep::images::MadeUpImages;
use bitline_host::deep::outcome;
use bitline_host::deep::start::start;
use bitline_host::engine::{Engine, EngineOptions};
use std::path::Path;

fn problem(name: &str, images: usize, change: impl Fn(&mut Network)) -> DeepProblem {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut network = Network::load(root.join(format!("networks/{name}.safetensors"))).unwrap();
    change(&mut network);
    let machine = DeepMachine::find(name).unwrap().unwrap_or_else(|| DeepMachine::named("mnist").unwrap());
    DeepProblem::of_network(machine, network, name.into(), &MadeUpImages(3), Some(images)).unwrap()
}

fn options(engine: Engine) -> EngineOptions {
    let work = Path::new(env!("CARGO_MANIFEST_DIR")).join("../out/verilated");
    EngineOptions { engine, work, ..EngineOptions::default() }
}

fn compare(engine: Engine, name: &str, images: usize) {
    let problem = problem(name, images, |_| {});
    let mut runs = start(&problem, &options(engine)).unwrap();
    let found = outcome::run(&problem, runs.as_mut(), false, &mut |_| {}).unwrap();
    assert!(found.equal, "{name} on {engine}: {found}");
    assert_eq!((found.images, found.sums_compared), (images, 10 * images), "{name} on {engine}");
}

#[test]
fn networks_on_rusthdl_equal_golden() {
    // Small ones: loading `mnist-dense` alone takes a minute of simulated clocks (docs/results/runs.jsonl has it).
    compare(Engine::Rusthdl, "digits-hidden", 2);
    compare(Engine::Rusthdl, "digits-conv", 1);
    compare(Engine::Rusthdl, "mnist-small", 1);
}

#[test]
fn networks_on_the_exported_verilog_equal_golden() {
    // More images than slots.
    compare(Engine::Verilator, "mnist-dense", 20);
    compare(Engine::Verilator, "mnist-binary", 20);
    compare(Engine::Verilator, "mnist-conv", 3);
    compare(Engine::Verilator, "digits-hidden", 17);
    compare(Engine::Verilator, "mnist-small", 3);
}

#[test]
fn other_weights_of_one_output_are_a_difference() {
    let loaded = problem("mnist-dense", 2, |_| {});
    let other = problem("mnist-dense", 2, |network| network.layers[2].weights.row_mut(9).mapv_inplace(|w| w ^ 1));
    let mut runs = start(&loaded, &options(Engine::Verilator)).unwrap();
    let found = outcome::run(&other, runs.as_mut(), false, &mut |_| {}).unwrap();
    assert!(!found.equal, "{found}");
}

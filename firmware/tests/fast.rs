//! The fast path of whole networks gives the executor's sums, classes and counters, clocks included.

use bitline_firmware::compile::compile;
use bitline_firmware::execute::{Executor, LayerCounters};
use bitline_firmware::fast::FastProgram;
use bitline_firmware::program::Target;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::draw::Draw;
use bitline_golden::machine::QuantizerConfig;
use bitline_golden::network::Network;
use ndarray::Array2;

/// `tiny-deep` with quantizers that clamp nothing.
fn lossless() -> DeepMachine {
    let tiny = DeepMachine::named("tiny-deep").unwrap();
    DeepMachine { quantizer: QuantizerConfig { bits: 4, ..tiny.quantizer }, ..tiny }
}

/// Run images both ways; false if the network does not fit the machine.
fn compare(network: &Network, machine: &DeepMachine, count: usize, draw: &mut Draw, what: &str) -> bool {
    let target = Target::of(machine);
    let Ok(compiled) = compile(network, &target) else { return false };
    let first = &network.layers[0];
    let images = Array2::from_shape_simple_fn((count, first.input_codes()), || draw.below(1 << first.input_bits) as u8);
    let (executor, mut all) = (Executor::new(&compiled.program, &target), LayerCounters::default());
    let mut layers = vec![LayerCounters::default(); target.limits.layers];
    let (mut sums, mut classes, mut margins) = (vec![], vec![], vec![]);
    for image in images.rows() {
        let laid_out = compiled.program.image.lay_out(image.to_slice().unwrap());
        let result = executor.run(&laid_out, &mut |_, _| {}).unwrap();
        sums.extend(result.sums);
        classes.push(result.verdict.unwrap().class);
        margins.push(result.verdict.unwrap().margin);
        all.add(&result.counters);
        layers.iter_mut().zip(&result.layers).for_each(|(layer, more)| layer.add(more));
    }
    let labels: Vec<Option<u8>> = classes.iter().map(|class| Some(*class as u8)).collect();
    let fast = FastProgram::new(network, &compiled, &target).unwrap().unwrap().threads(2);
    let batch = fast.run(&images, &labels).unwrap();
    assert_eq!(batch.run.sums.as_slice().unwrap(), sums, "{what}");
    assert_eq!((batch.run.classes, batch.run.margins), (classes, margins), "{what}");
    assert_eq!(batch.run.correct, count as u64, "{what}");
    assert_eq!(batch.layers, layers, "{what}");
    assert_eq!(batch.counters, all, "{what}");
    true
}

#[test]
fn random_networks_count_what_the_executor_counts() {
    let mut run = 0;
    for seed in 0..300 {
        let mut draw = Draw(seed);
        let network = draw.network(4, 8, 8);
        run += usize::from(compare(&network, &lossless(), 3, &mut draw, &format!("seed {seed}")));
    }
    assert!(run >= 100, "only {run} of the networks fit");
}

#[test]
fn shipped_networks_count_what_the_executor_counts() {
    let machine = DeepMachine::named("mnist").unwrap();
    for name in ["mnist-dense", "mnist-conv", "mnist-binary", "fashion-dense", "fashion-conv"] {
        let path = format!("{}/../networks/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        assert!(compare(&Network::load(path).unwrap(), &machine, 2, &mut Draw(5), name), "{name} does not fit");
    }
}

#[test]
fn a_machine_that_loses_counts_has_no_fast_path() {
    let mut target = Target::of(&lossless());
    let network = (0..).map(|seed| Draw(seed).network(4, 8, 8)).find(|n| compile(n, &target).is_ok()).unwrap();
    let compiled = compile(&network, &target).unwrap();
    let is_fast = |target: &Target| FastProgram::new(&network, &compiled, target).unwrap().is_some();
    assert!(is_fast(&target));
    // As the machine is: a count of all 8 rows is clamped.
    assert!(!is_fast(&Target::of(&DeepMachine::named("tiny-deep").unwrap())));
    target.conductance.reference_column = false;
    assert!(!is_fast(&target));
}

//! The networks in `networks/` fit the machine `mnist`, or that of their own name, and keep its array busy.

use bitline_firmware::compile::Compiled;
use bitline_firmware::program::Target;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::network::{Geometry, Network};
use bitline_host::deep::compile_for;
use bitline_host::deep::mapping::Mapping;
use bitline_train::recipe;

#[test]
fn shipped_networks_fit_their_machine_and_keep_its_array_busy() {
    let mnist = DeepMachine::named("mnist").unwrap();
    for name in recipe::NAMES {
        let machine = DeepMachine::find(name).unwrap().unwrap_or_else(|| mnist.clone());
        let file = format!("{}/../networks/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let network = Network::load(file).unwrap();
        let Compiled { program, placements } = compile_for(&network, &machine).unwrap();
        let mapping = Mapping::of(&network, &machine, &program, &placements, &Target::of(&machine).limits);
        println!(
            "{name}: {} tiles, {} clocks, {:.1} % busy, {:.1} multiply-accumulates a clock",
            mapping.tiles.used,
            mapping.cycles,
            100.0 * mapping.busy_share,
            mapping.macs_per_clock
        );
        // The digits' images are too small to hide the latency of a layer.
        if name.starts_with("digits") {
            continue;
        }
        let convolutional = network.layers.iter().any(|layer| layer.geometry != Geometry::Dense);
        let least = if convolutional { 0.6 } else { 0.7 };
        assert!(mapping.busy_share >= least, "{name} is busy {:.3} of its clocks", mapping.busy_share);
    }
}

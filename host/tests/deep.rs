//! Runs of programs: what differs is found and named, whatever it is, and the mapping report says what limits a layer.

mod drawn;

use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::network::Network;
use bitline_host::HostError;
use bitline_host::deep::engine::{DeepEngine, DeepResults, GoldenEngine};
use bitline_host::deep::images::MadeUpImages;
use bitline_host::deep::mapping::{Limit, Mapping};
use bitline_host::deep::outcome::{DeepOutcome, run};
use bitline_host::deep::problem_set::DeepProblemSet;
use bitline_host::deep::{DeepProblem, compile_for};
use drawn::{convolutional, dense};

fn problem(machine: DeepMachine, network: Network, images: usize) -> DeepProblem {
    DeepProblem::of_network(machine, network, "drawn".into(), &MadeUpImages(5), Some(images)).unwrap()
}

fn named(machine: &str) -> DeepMachine {
    DeepMachine::named(machine).unwrap()
}

/// Golden's results with something changed.
struct Changed<'a>(GoldenEngine<'a>, &'a dyn Fn(&mut DeepResults));

impl DeepEngine for Changed<'_> {
    fn description(&self) -> String {
        "changed".into()
    }

    fn run(&mut self, images: &[Vec<u8>], done: &mut dyn FnMut(usize)) -> Result<DeepResults, HostError> {
        let mut results = self.0.run(images, done)?;
        (self.1)(&mut results);
        Ok(results)
    }
}

fn changed(problem: &DeepProblem, change: &dyn Fn(&mut DeepResults)) -> DeepOutcome {
    run(problem, &mut Changed(GoldenEngine::new(problem), change), false, &mut |_| {}).unwrap()
}

#[test]
fn every_kind_of_difference_is_found_and_named() {
    let problem = problem(named("mnist"), dense("small", &[40, 20, 6]), 3);
    let equal = changed(&problem, &|_| {});
    assert!(equal.equal && equal.first_difference.is_none());
    assert_eq!((equal.codes_compared, equal.sums_compared), (3 * 20, 3 * 6));
    let first = |change: &dyn Fn(&mut DeepResults)| {
        let outcome = changed(&problem, change);
        assert!(!outcome.equal && outcome.to_string().contains("DIFFERS"));
        outcome.first_difference.unwrap()
    };
    let code = first(&|results| results.images[2].maps[0].as_mut().unwrap()[7] ^= 1);
    assert_eq!((code.what, code.image, code.layer, code.index), ("code", Some(2), Some(0), Some(7)));
    assert!(code.to_string().starts_with("image 2 layer 0 code 7 is "), "{code}");
    let sum = first(&|results| results.images[1].sums[5] += 1);
    assert_eq!((sum.what, sum.image, sum.index), ("sum", Some(1), Some(5)));
    assert_eq!(sum.got, Some(sum.expected + 1));
    assert!(sum.to_string().starts_with("image 1 sum 5 is "), "{sum}");
    let class = first(&|results| results.images[0].verdict.as_mut().unwrap().class += 1);
    assert_eq!((class.what, class.image), ("class", Some(0)));
    let margin = first(&|results| results.images[0].verdict.as_mut().unwrap().margin += 1);
    assert_eq!(margin.what, "margin");
    assert!(margin.to_string().starts_with("image 0 margin is "), "{margin}");
    let gone = first(&|results| results.images.truncate(2));
    assert_eq!((gone.image, gone.got), (Some(2), None));
    // One clock in one layer, then a row pulse, which the mapping report does not know, then the whole image's.
    let clock = first(&|results| results.layers[1].cycles += 1);
    assert_eq!((clock.what, clock.layer), ("cycles", Some(1)));
    let pulse = first(&|results| results.layers[0].row_pulses -= 1);
    assert_eq!((pulse.what, pulse.layer), ("row_pulses", Some(0)));
    let all = first(&|results| results.counters.saturations += 1);
    assert_eq!((all.what, all.layer, all.expected, all.got), ("saturations", None, 0, Some(1)));
    assert_eq!(all.to_string(), "saturations is 1, golden has 0");
    // What an engine cannot see is not compared, and not counted as compared.
    let blind = changed(&problem, &|results| results.images.iter_mut().for_each(|image| image.maps[0] = None));
    assert!(blind.equal);
    assert_eq!(blind.codes_compared, 0);
}

#[test]
fn a_machine_whose_quantizers_clamp_differs_from_integer_layers() {
    let mut machine = named("mnist");
    machine.quantizer.bits = 3;
    machine.check().unwrap();
    let problem = problem(machine, dense("small", &[40, 20, 6]), 2);
    let outcome = run(&problem, &mut GoldenEngine::new(&problem), true, &mut |_| {}).unwrap();
    assert!(!outcome.equal);
    assert_eq!(outcome.first_difference.unwrap().layer, Some(0));
    let saturations = outcome.counters.0.iter().find(|(name, _)| *name == "saturations").unwrap().1;
    assert!(saturations.hardware > 0);
    // What is not golden has to give what the executor gives.
    let other = run(&problem, &mut GoldenEngine::new(&problem), false, &mut |_| {}).unwrap();
    assert!(other.equal, "{other}");
}

#[test]
fn golden_runs_more_images_than_a_batch_in_their_order() {
    let problem = problem(named("mnist"), dense("small", &[12, 5]), 300);
    let mut told = Vec::new();
    let outcome = run(&problem, &mut GoldenEngine::new(&problem), true, &mut |stage| told.push(stage)).unwrap();
    assert!(outcome.equal, "{outcome}");
    assert_eq!(outcome.images, 300);
    assert!(told.len() >= 2);
}

#[test]
fn convolutions_run_on_golden_layer_by_layer() {
    let problem = problem(named("kws"), convolutional(), 2);
    let outcome = run(&problem, &mut GoldenEngine::new(&problem), true, &mut |_| {}).unwrap();
    assert!(outcome.equal, "{outcome}");
    assert_eq!(outcome.codes_compared, 2 * (14 * 14 * 8 + 6 * 6 * 16));
}

/// The limit of the first layer of a network on a machine.
fn limit(machine: &DeepMachine, network: &Network) -> Limit {
    let problem = problem(machine.clone(), network.clone(), 1);
    Mapping::new(network, &problem).layers[0].limit
}

#[test]
fn a_layer_is_limited_by_what_most_of_its_clocks_are() {
    let mnist = named("mnist");
    assert_eq!(limit(&mnist, &dense("busy", &[784, 100, 10])), Limit::ArrayReads);
    let narrow = DeepMachine { gather_lanes: 1, ..named("mnist") };
    assert_eq!(limit(&narrow, &dense("fed", &[784, 4, 10])), Limit::Feeding);
    assert_eq!(limit(&mnist, &dense("short", &[10, 4, 10])), Limit::Latency);
    let one_by_one = DeepMachine { output_lanes: 1, plane_lanes: 8, ..named("mnist") };
    assert_eq!(limit(&one_by_one, &dense("leaving", &[16, 200, 10])), Limit::Outputs);
    assert_eq!(limit(&mnist, &convolutional()), Limit::ArrayReads);
}

#[test]
fn a_network_one_tile_too_large_is_refused_with_the_numbers() {
    let network = dense("exact", &[784, 100, 10]);
    // 13 x 25 tiles, and 2 x 3 with the bias row.
    let needed = 13 * 25 + 2 * 3;
    let mut machine = DeepMachine { tiles: needed, banks: 1, ..named("mnist") };
    machine.check().unwrap();
    compile_for(&network, &machine).unwrap();
    machine.tiles -= 1;
    assert_eq!(
        compile_for(&network, &machine).unwrap_err().to_string(),
        format!(
            "network exact needs {needed} tiles, machine mnist has {}: 1 too many; choose a larger machine or a smaller \
             network; --machine mnist or --machine kws holds it",
            needed - 1
        )
    );
}

/// Every machine that runs programs has the whole set, corners and random problems, and golden agrees with the integer layers on it.
#[test]
fn every_machine_has_problems_that_fit_it() {
    for name in DeepMachine::names() {
        let machine = named(name);
        let set = DeepProblemSet { machine: &machine, seed: 1, random: 60, images: 1, data: None };
        let drawn = set.names().unwrap().into_iter().filter(|name| !name.starts_with("network/"));
        let mut layers = Vec::new();
        for problem in drawn {
            let made = set.make(&problem).unwrap().problem;
            layers.push(made.network.as_ref().unwrap().layers.len());
            let outcome = run(&made, &mut GoldenEngine::new(&made), false, &mut |_| {}).unwrap();
            assert!(outcome.equal, "{name} {problem}: {outcome}");
        }
        assert_eq!(layers.len(), 6 + 60, "{name}");
        assert!(layers.iter().any(|count| *count > 1), "{name}");
    }
}

/// At the clock `kws` is described for, 25 MHz: 13.7 ms.
#[test]
fn image_of_s000_takes_less_than_20_ms() {
    let machine = named("kws");
    let set = DeepProblemSet { machine: &machine, seed: 1, random: 0, images: 1, data: None };
    let problem = set.make("network/s000-made-up/1").unwrap().problem;
    let mapping = Mapping::new(problem.network.as_ref().unwrap(), &problem);
    assert_eq!((mapping.cycles, mapping.macs), (343_388, 83_347_936));
    assert!(mapping.busy_share >= 0.6 && mapping.cycles as f64 / f64::from(mapping.clock_hz) < 0.020, "{mapping:?}");
}

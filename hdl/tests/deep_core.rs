//! Networks compiled and run on the core's gateware give what golden and the executor give: codes, sums, class, counters, clocks.

use bitline_firmware::compile::{Compiled, compile};
use bitline_firmware::execute::{Executor, LayerCounters};
use bitline_firmware::program::{Program, Target};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::deep_registers::{DeepRegion, result_offset, threshold_node};
use bitline_golden::draw::Draw;
use bitline_golden::network::{Geometry, Network};
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::deep::simulation::CoreSimulation;

/// What a program lets the memories hold, with images in the first slots.
fn contents(machine: &DeepMachine, program: &Program, images: &[Vec<u8>]) -> DeepContents {
    let mut codes = vec![0; machine.memory_codes()];
    for (slot, image) in images.iter().enumerate() {
        let at = machine.codes + slot * machine.image_codes;
        codes[at..at + image.len()].copy_from_slice(image);
    }
    let heap = |thresholds: &Vec<i32>| {
        let bits = thresholds.len().count_ones() as usize;
        let mut nodes = [0; 16];
        thresholds.iter().enumerate().for_each(|(i, threshold)| nodes[threshold_node(bits, i)] = *threshold);
        nodes
    };
    DeepContents {
        program: program.instructions.iter().map(|instruction| instruction.encode()).collect(),
        devices: program.tiles.iter().map(|tile| tile.columns.clone()).collect(),
        thresholds: program.thresholds.iter().map(heap).collect(),
        codes,
    }
}

fn wide(core: &mut CoreSimulation, region: DeepRegion, offset: u16) -> u32 {
    let low = core.read(region, offset);
    u32::from(core.read(region, offset + 1)) << 16 | u32::from(low)
}

/// Run a network on some images, and compare everything.
fn compare(machine: &DeepMachine, network: &Network, images: &[Vec<u8>], what: &str) {
    let target = Target::of(machine);
    let Compiled { program, .. } = compile(network, &target).unwrap_or_else(|error| panic!("{what}: {error}"));
    let laid_out: Vec<Vec<u8>> = images.iter().map(|image| program.image.lay_out(image)).collect();
    let mut core = CoreSimulation::new(machine, &contents(machine, &program, &laid_out));
    assert!(core.run(0, images.len() as u64, 1 << 20), "{what}: no end after {} clocks", core.clock);
    assert_eq!(core.fault(), (0, 0), "{what}: fault");
    assert_eq!(core.done.len(), images.len(), "{what}: images");
    let mut layers = vec![[0; 7]; machine.layers];
    let executor = Executor::new(&program, &target);
    let mut total = LayerCounters::default();
    for (slot, image) in laid_out.iter().enumerate() {
        let expected = executor.run(image, &mut |_, _| {}).unwrap();
        let verdict = expected.verdict.unwrap();
        let sums: Vec<i32> = (0..expected.sums.len())
            .map(|o| wide(&mut core, DeepRegion::Results, result_offset(machine, slot, o)) as i32)
            .collect();
        assert_eq!(sums, expected.sums, "{what}: sums of image {slot}");
        let class = wide(&mut core, DeepRegion::Results, result_offset(machine, slot, machine.sums));
        let margin = wide(&mut core, DeepRegion::Results, result_offset(machine, slot, machine.sums + 1));
        assert_eq!((class, margin), (u32::from(verdict.class), verdict.margin), "{what}: verdict of image {slot}");
        assert_eq!(core.done[slot], (slot as u64, Some(u64::from(verdict.class))), "{what}: image {slot}");
        for (sum, layer) in layers.iter_mut().zip(&expected.layers) {
            sum.iter_mut().zip(layer.values()).for_each(|(sum, more)| *sum += more);
        }
        total.add(&expected.counters);
    }
    for (n, expected) in layers.iter().enumerate() {
        let found: Vec<u64> =
            (0..7).map(|i| u64::from(wide(&mut core, DeepRegion::Layers, (16 * n + 2 * i) as u16))).collect();
        assert_eq!(found, expected, "{what}: record of layer {n}");
    }
    assert_eq!(core.counted, total.values(), "{what}: counters");
}

#[test]
fn random_networks_run_as_the_executor_says() {
    random_networks("tiny-deep", 120, 60);
}

#[test]
fn random_networks_run_on_a_machine_of_one_lane_as_the_executor_says() {
    random_networks("mnist-small", 60, 15);
}

/// Of so many networks drawn, so many at least fit.
fn random_networks(machine: &str, drawn: u64, least: usize) {
    let machine = DeepMachine::named(machine).unwrap();
    let mut run = 0;
    for seed in 0..drawn {
        let mut draw = Draw(seed);
        let network = draw.network(machine.code_bits, machine.sums, 4);
        let input_bits = network.layers[0].input_bits;
        let inputs = match network.layers[0].geometry {
            Geometry::Dense => network.layers[0].inputs(),
            Geometry::Convolution(convolution) => convolution.input.codes(),
        };
        let images: Vec<Vec<u8>> = (0..machine.slots.min(2))
            .map(|_| (0..inputs).map(|_| draw.below(1 << input_bits) as u8).collect())
            .collect();
        let target = Target::of(&machine);
        if compile(&network, &target).is_err() {
            continue;
        }
        compare(&machine, &network, &images, &format!("{}, seed {seed}", machine.name));
        run += 1;
    }
    assert!(run >= least, "only {run} of the networks fit");
}

#[test]
fn the_export_passes_rusthdl_s_checks() {
    for name in DeepMachine::names() {
        let machine = DeepMachine::named(name).unwrap();
        for bytes in [false, true] {
            let text = bitline_hdl::export::deep_verilog(&machine, &DeepContents::default(), None, bytes)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("deep-{name}-{bytes}.v"));
            std::fs::write(path, text).unwrap();
        }
    }
}

#[test]
fn a_copy_after_a_layer_with_biases_moves_codes_and_not_the_bias() {
    use bitline_firmware::text::{assemble, encode};
    let machine = watched();
    let (program, image, _) = good(&machine);
    let mut core = CoreSimulation::new(&machine, &contents(&machine, &program, std::slice::from_ref(&image)));
    let text = "fill to=0 codes=4 value=2\nfill to=8 codes=4 value=7\nwindow codes=4 bias=3\ntiles columns=4\n\
                classify\ncopy from=0 to=8 codes=4\nhalt";
    load(&mut core, &encode(&assemble(text).unwrap()), &machine);
    assert!(core.run(0, 1, 1 << 14));
    assert_eq!(core.fault(), (0, 0));
    let words: Vec<u16> = (4..6).map(|word| core.read(DeepRegion::Codes, word)).collect();
    assert_eq!(words, [0x0202, 0x0202], "codes 8..12 after the copy");
}

/// A machine whose watchdog does not wait long.
fn watched() -> DeepMachine {
    DeepMachine { watchdog_bits: 12, ..DeepMachine::named("tiny-deep").unwrap() }
}

/// A small network, its program, an image and what it gives.
fn good(machine: &DeepMachine) -> (Program, Vec<u8>, Vec<i32>) {
    let target = Target::of(machine);
    let network = (0..)
        .map(|seed| Draw(seed).network(machine.code_bits, machine.sums, 4))
        .find(|network| network.layers.len() == 2 && compile(network, &target).is_ok())
        .unwrap();
    let program = compile(&network, &target).unwrap().program;
    let image = program.image.lay_out(&vec![1; program.image.height * program.image.row_codes]);
    let sums = Executor::new(&program, &target).run(&image, &mut |_, _| {}).unwrap().sums;
    (program, image, sums)
}

fn load(core: &mut CoreSimulation, words: &[[u16; 8]], machine: &DeepMachine) {
    for at in 0..machine.instructions {
        let instruction = words.get(at).copied().unwrap_or_default();
        (0..8).for_each(|k| core.write(DeepRegion::Program, (8 * at + k) as u16, instruction[k]));
    }
}

#[test]
fn every_kind_of_fault_ends_the_run_and_is_told_with_its_instruction() {
    use bitline_firmware::text::{assemble, encode};
    use bitline_hdl::deep::program_control::fault;
    let machine = watched();
    let (program, image, sums) = good(&machine);
    let mut core = CoreSimulation::new(&machine, &contents(&machine, &program, std::slice::from_ref(&image)));
    let layer = "window codes=8\ntiles columns=4 planes=4\nthresholds bits=4\npool\noutput\n";
    let cases = [
        ("halt".to_string(), 0, 0),
        ("read".to_string(), fault::MISSING, 0),
        ("window codes=4\nclassify".into(), fault::MISSING, 1),
        ("window codes=4\ntiles\nthresholds\npool\nread".into(), fault::MISSING, 4),
        (format!("{layer}read\nhalt"), 0, 0),
        (format!("{layer}window base=1017 codes=8\nread"), fault::ADDRESS, 6),
        (format!("{layer}window base=1016 codes=8\nread\nhalt"), 0, 0),
        (format!("{layer}window base=249 image=1 codes=8\nread"), fault::ADDRESS, 6),
        (format!("{layer}window base=248 image=1 codes=8\nread\nhalt"), 0, 0),
        (format!("{layer}output base=1024\nread"), fault::ADDRESS, 6),
        (format!("{layer}output base=1023\nread\nhalt"), 0, 0),
        (format!("{layer}tiles first=128 planes=4\nread"), fault::TILE, 6),
        // The largest numbers, of which not every bit is kept.
        (format!("{layer}window base=65535 codes=8\nread"), fault::ADDRESS, 6),
        (format!("{layer}window base=65535 image=1 codes=8\nread"), fault::ADDRESS, 6),
        (format!("{layer}window segments=2 pitch=65535 codes=4\nread"), fault::ADDRESS, 6),
        (format!("{layer}window step_x=65535 codes=8\npool size=2\nread"), fault::ADDRESS, 7),
        (format!("{layer}pool step_y=65535\nread high=2"), fault::ADDRESS, 6),
        (format!("{layer}output base=65535\nread"), fault::ADDRESS, 6),
        (format!("{layer}output step_x=65535\nread wide=2"), fault::ADDRESS, 6),
        (format!("{layer}tiles first=65535 planes=4\nread"), fault::TILE, 6),
        (format!("{layer}thresholds first=65534\nread"), fault::THRESHOLD, 6),
        ("copy from=65535 to=4 codes=4".into(), fault::ADDRESS, 0),
        ("copy from=0 to=65535 codes=4".into(), fault::ADDRESS, 0),
        ("fill to=65535 codes=4".into(), fault::ADDRESS, 0),
        (format!("{layer}window base=65535 codes=8\nhalt"), 0, 0),
        (format!("{layer}thresholds first=64\nread"), fault::THRESHOLD, 6),
        (format!("{layer}thresholds first=63\nread"), fault::THRESHOLD, 6),
        (format!("{layer}thresholds first=62\nread\nhalt"), 0, 0),
        (format!("{layer}window segments=33 codes=8\nread"), fault::SIZE, 6),
        (format!("{layer}window segments=32 codes=8\nread\nhalt"), 0, 0),
        (format!("{layer}tiles outputs=3 columns=4\nread"), fault::SIZE, 6),
        (format!("{layer}tiles planes=5\nread"), fault::SIZE, 6),
        ("window codes=4\ntiles output_groups=5 outputs=9 columns=4\nclassify".into(), fault::SIZE, 2),
        ("count layer=8".into(), fault::RECORD, 0),
        ("count layer=7\nhalt".into(), 0, 0),
        ("copy from=0 to=3 codes=4".into(), fault::ADDRESS, 0),
        ("copy from=0 to=4 codes=4\nhalt".into(), 0, 0),
        ("copy from=0 to=1021 codes=4".into(), fault::ADDRESS, 0),
        ("fill to=1021 codes=4".into(), fault::ADDRESS, 0),
        ("fill to=1020 codes=4\nhalt".into(), 0, 0),
        ("count\n".repeat(64), fault::END, 64),
        (format!("{layer}read wide=65535 high=65535"), fault::WATCHDOG, 5),
    ];
    for (text, kinds, at) in &cases {
        load(&mut core, &encode(&assemble(text).unwrap()), &machine);
        assert!(core.run(0, 1, 1 << 14), "{text}: no end");
        assert_eq!(core.fault(), (*kinds, *at), "{text}");
    }
    // Words that are no instruction.
    for words in
        [[11, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0], [7, 1, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1, 0, 0, 0]]
    {
        load(&mut core, &[words], &machine);
        assert!(core.run(0, 1, 1 << 14), "{words:?}: no end");
        assert_eq!(core.fault(), (fault::ILLEGAL, 0), "{words:?}");
    }
    // And the program that was there first runs as ever.
    load(&mut core, &encode(&program.instructions), &machine);
    assert!(core.run(0, 1, 1 << 14));
    assert_eq!(core.fault(), (0, 0));
    let found: Vec<i32> =
        (0..sums.len()).map(|o| wide(&mut core, DeepRegion::Results, result_offset(&machine, 0, o)) as i32).collect();
    assert_eq!(found, sums);
}

#[test]
fn outputs_of_more_columns_than_the_machine_has_are_a_fault() {
    use bitline_firmware::text::{assemble, encode};
    use bitline_hdl::deep::program_control::fault;
    let machine = DeepMachine::named("mnist-small").unwrap();
    let mut core = CoreSimulation::new(&machine, &DeepContents::default());
    for (columns, kinds, at) in [(4, 0, 0), (8, fault::SIZE, 2), (1, 0, 0)] {
        let text = format!("window codes=4\ntiles outputs=2 output_groups=2 columns={columns}\nclassify\nhalt");
        load(&mut core, &encode(&assemble(&text).unwrap()), &machine);
        assert!(core.run(0, 1, 1 << 14), "{columns}: no end");
        assert_eq!(core.fault(), (kinds, at), "{columns}");
    }
}

#[test]
fn random_words_as_programs_end_and_the_next_good_program_runs() {
    use bitline_firmware::isa::{OPERATIONS, Opcode};
    use bitline_firmware::text::encode;
    let machine = watched();
    let (program, image, sums) = good(&machine);
    let mut core = CoreSimulation::new(&machine, &contents(&machine, &program, std::slice::from_ref(&image)));
    let good_words = encode(&program.instructions);
    let mut draw = Draw(1);
    let mut ends = [0; 10];
    for run in 0..150 {
        let words: Vec<[u16; 8]> = (0..draw.between(1, 12))
            .map(|_| {
                let mut words: [u16; 8] = std::array::from_fn(|_| draw.below(1 << 16) as u16);
                // Most are legal, with fields that are not too large.
                if draw.below(8) > 0 {
                    let operation = &OPERATIONS[draw.below(OPERATIONS.len())];
                    let small = 1 << draw.below(11);
                    words = operation
                        .fields
                        .iter()
                        .fold(operation.smallest(), |instruction, field| {
                            let most = usize::from(field.max).min(small.max(usize::from(field.min)));
                            let value = draw.between(usize::from(field.min), most);
                            instruction.with(field.name, value).unwrap_or(instruction)
                        })
                        .encode();
                }
                words
            })
            .collect();
        load(&mut core, &words, &machine);
        assert!(core.run(0, 1, 1 << 14), "run {run}: {words:?} has no end");
        let (kinds, _) = core.fault();
        ends[if kinds == 0 { 9 } else { kinds.trailing_zeros() as usize }] += 1;
        if run % 25 == 0 {
            load(&mut core, &good_words, &machine);
            // Devices are as they were, and maps are made anew.
            assert!(core.run(0, 1, 1 << 14), "run {run}: the good program has no end");
            assert_eq!(core.fault(), (0, 0), "run {run}");
            let found: Vec<i32> = (0..sums.len())
                .map(|o| wide(&mut core, DeepRegion::Results, result_offset(&machine, 0, o)) as i32)
                .collect();
            assert_eq!(found, sums, "run {run}");
        }
    }
    assert!(ends[9] > 5 && ends.iter().filter(|count| **count > 0).count() >= 5, "{ends:?}: too much alike");
    assert_eq!(OPERATIONS[Opcode::Halt as usize].name, "halt");
}

//! Networks compiled and executed give what golden's integer layers give, layer by layer.

use bitline_firmware::compile::{Compiled, compile};
use bitline_firmware::execute::{Executor, Fault, FaultKind, ImageResult, LayerCounters, bisect, execute};
use bitline_firmware::isa::{Encoded, Instruction};
use bitline_firmware::program::{ImageLayout, Program, Target, Tile};
use bitline_firmware::text::assemble;
use bitline_firmware::timing::{Clocks, predict};
use bitline_golden::column::{count, current};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::draw::Draw;
use bitline_golden::machine::{Conductance, QuantizerConfig};
use bitline_golden::network::{Activation, MapShape, Network, Provenance};
use bitline_golden::planes::{active_rows, plane};
use bitline_golden::quantizer::quantize;
use bitline_golden::recombination::plane_sum;
use proptest::prelude::*;

/// A small machine: tiles of 16 rows and 8 columns.
fn target() -> Target {
    let machine = DeepMachine {
        name: "small".into(),
        codes: 2048,
        image_codes: 512,
        code_bits: 8,
        tiles: 2048,
        tile_rows: 16,
        row_groups: 64,
        layers: 4,
        quantizer: QuantizerConfig { multiplier: 662, shift: 16, bits: 4 },
        ..DeepMachine::named("tiny-deep").unwrap()
    };
    machine.check().unwrap();
    Target::of(&machine)
}

/// Compile, run, and compare with golden's integer layers: sums, class, codes in memory, counters.
fn check(network: &Network, image: &[u8]) {
    let target = target();
    let Compiled { program, placements } = compile(network, &target).unwrap();
    let (expected, verdict) = network.evaluate(image);
    let mut maps = vec![Vec::new(); placements.len()];
    let mut keep = |layer: usize, memory: &[u8]| {
        maps[layer] = placements[layer].output.map(|output| output.codes_in(memory)).unwrap_or_default();
    };
    let result = Executor::new(&program, &target).run(&program.image.lay_out(image), &mut keep).unwrap();
    for (n, (map, expected)) in std::iter::zip(maps, &expected).enumerate() {
        assert_eq!(map, expected.codes, "layer {n}");
    }
    assert_eq!(result.sums, expected.last().unwrap().sums);
    assert_eq!(result.verdict, Some(verdict));
    for (n, (layer, placed)) in std::iter::zip(&network.layers, &placements).enumerate() {
        let reads = (placed.windows * placed.tiles() * layer.input_bits) as u64;
        let counted = result.layers[n];
        assert_eq!(counted.array_reads, reads, "layer {n}");
        assert_eq!(counted.conversions, reads * 8, "layer {n}");
        assert_eq!(counted.macs, (placed.windows * placed.rows * layer.outputs()) as u64, "layer {n}");
        assert_eq!(counted.saturations, 0, "12 rows fit 4 bits");
    }
    check_clocks(&program, &target, &result);
    let all = result.layers.iter().fold(LayerCounters::default(), |mut all, layer| {
        all.row_pulses += layer.row_pulses;
        all.array_reads += layer.array_reads;
        all
    });
    assert_eq!((all.row_pulses, all.array_reads), (result.counters.row_pulses, result.counters.array_reads));
}

/// The executor counts the clocks that are predicted, and reads no tile in another.
fn check_clocks(program: &Program, target: &Target, result: &ImageResult) {
    let clocks = predict(&program.instructions, &target.limits);
    let all = clocks.iter().fold(Clocks::default(), |all, more| all.and(more));
    assert_eq!((result.counters.cycles, result.counters.busy_cycles), (all.cycles(), all.busy));
    let of_layers: u64 = result.layers.iter().map(|layer| layer.cycles).sum();
    let halt = clocks.last().unwrap().cycles();
    assert_eq!(of_layers + halt, all.cycles(), "all clocks but those of `halt` are a layer's");
    for layer in &result.layers {
        // Planes are read up to two at once.
        assert!((layer.array_reads.div_ceil(2)..=layer.array_reads).contains(&layer.busy_cycles));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_program_computes_what_its_network_does(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        let network = draw.network(8, 8, 8);
        let first = &network.layers[0];
        let image: Vec<u8> = (0..first.input_codes()).map(|_| draw.below(1 << first.input_bits) as u8).collect();
        check(&network, &image);
    }

    #[test]
    fn bisection_counts_the_thresholds_that_a_sum_exceeds(seed in any::<u64>(), bits in 1usize..=4, y in -20i32..20) {
        let mut draw = Draw(seed);
        let mut thresholds: Vec<i32> = (0..Activation::levels(bits)).map(|_| draw.below(40) as i32 - 20).collect();
        thresholds.sort_unstable();
        let exceeded = thresholds.iter().filter(|threshold| y > **threshold).count();
        prop_assert_eq!(usize::from(bisect(bits, y, |level| thresholds[level])), exceeded);
    }

    #[test]
    fn any_words_end_in_halt_or_in_a_fault(words in prop::collection::vec(any::<Encoded>(), 1..12)) {
        let target = target();
        let compiled = compile(&Draw(7).network(8, 8, 8), &target).unwrap();
        // Short fields, so that layers are run and not only refused.
        let cut = |words: Encoded| words.map(|word| word & 0x0013);
        let instructions: Vec<Instruction> = words.into_iter().filter_map(|w| Instruction::decode(&cut(w)).ok()).collect();
        let program = Program { instructions, ..compiled.program };
        let _ = execute(&program, &target, &[]);
    }
}

#[test]
fn packed_columns_are_goldens_where_quantizers_clamp_and_hrs_devices_leak() {
    let mut target = Target::of(&DeepMachine::named("tiny-deep").unwrap());
    target.conductance = Conductance { lrs_ohms: 1_000, hrs_ohms: 8_000, reference_column: false };
    target.quantizer = QuantizerConfig { multiplier: 12, shift: 5, bits: 3 };
    let mut draw = Draw(11);
    let limits = target.limits;
    let text = "window image=1 codes=13\ntiles row_groups=2 output_groups=2 outputs=4 columns=4 planes=3\nclassify\ncount\nhalt";
    let mut tiles = vec![Tile::new(&limits); 4];
    tiles.iter_mut().flat_map(|tile| tile.columns.iter_mut().flatten()).for_each(|device| *device = draw.below(4) > 0);
    let image = ImageLayout { height: 1, row_codes: 13, pitch: 13, first: 0, codes: 13 };
    let program = Program { instructions: assemble(text).unwrap(), tiles, thresholds: vec![], image };
    let codes: Vec<u8> = (0..13).map(|_| draw.below(8) as u8).collect();

    let (mut sums, mut counted) = ([0; 4], LayerCounters { macs: 13 * 4, ..LayerCounters::default() });
    for (at, tile) in program.tiles.iter().enumerate() {
        let driven = &codes[at % 2 * 8..(at % 2 * 8 + 8).min(13)];
        for i in 0..3 {
            let plane = plane(driven, i);
            let active = active_rows(&plane);
            counted.array_reads += 1;
            counted.row_pulses += u64::from(active);
            counted.conversions += 8;
            for output in 0..2 {
                let read = |column: &Vec<bool>| {
                    quantize(&target.quantizer, current(&target.conductance, count(&plane, column), active))
                };
                let readings: Vec<_> = tile.columns[4 * output..][..4].iter().map(read).collect();
                counted.saturations += readings.iter().filter(|reading| reading.saturated).count() as u64;
                let codes: Vec<u32> = readings.iter().map(|reading| reading.code).collect();
                sums[at / 2 * 2 + output] += plane_sum(&codes, active) << i;
            }
        }
    }
    let result = execute(&program, &target, &codes).unwrap();
    assert_eq!(result.sums, sums);
    assert!(counted.saturations > 0);
    counted.cycles = result.counters.cycles;
    counted.busy_cycles = result.counters.busy_cycles;
    assert_eq!(result.counters, counted);
}

#[test]
fn a_program_ends_in_halt_or_where_the_memory_is_zeros() {
    let mut target = target();
    let mut program = compile(&Draw(1).network(8, 8, 8), &target).unwrap().program;
    let halted = execute(&program, &target, &[]).unwrap();
    assert_eq!(program.instructions.pop().unwrap().operation().name, "halt");
    assert_eq!(execute(&program, &target, &[]).unwrap(), halted, "to the last clock");
    // A memory that is full has no zeros.
    let most = program.instructions.len();
    target.limits.instructions = most + 1;
    assert_eq!(execute(&program, &target, &[]).unwrap(), halted);
    target.limits.instructions = most;
    let end = |instruction| Fault { instruction, kind: FaultKind::End };
    assert_eq!(execute(&program, &target, &[]), Err(end(most)));
    // What does not fit the memory is not run, be it a `halt` or a fault.
    program.instructions.extend(assemble("halt\ncount layer=4").unwrap());
    assert_eq!(execute(&program, &target, &[]), Err(end(most)));
    // No instruction at all: two clocks of fetch, and one of `halt`.
    program.instructions.clear();
    assert_eq!(execute(&program, &target, &[]).unwrap().counters.cycles, 3);
}

#[test]
fn what_is_not_sound_ends_in_a_fault() {
    let target = target();
    let mut program = compile(&Draw(1).network(8, 8, 8), &target).unwrap().program;
    let fault = |program: &_| execute(program, &target, &[]).unwrap_err();
    for (text, kind) in [
        ("fill to=2047 codes=2", FaultKind::Address),
        ("copy from=511 image=1 to=0 codes=2", FaultKind::Address),
        ("copy from=4 to=7 codes=4", FaultKind::Address),
        ("copy from=7 to=4 codes=4", FaultKind::Address),
        ("copy from=4 to=4 codes=1", FaultKind::Address),
        ("count layer=4", FaultKind::Record),
        ("classify", FaultKind::Missing),
        ("window\nthresholds first=1\npool\noutput\nread", FaultKind::Missing),
        ("window base=2048\ntiles\nclassify", FaultKind::Address),
        ("window\ntiles first=2048\nclassify", FaultKind::Tile),
        ("window codes=1025\ntiles\nclassify", FaultKind::Size),
        ("window codes=1024 bias=1\ntiles\nclassify", FaultKind::Size),
        ("window segments=4 codes=256 bias=1\ntiles\nclassify", FaultKind::Size),
        ("window\ntiles outputs=3\nclassify", FaultKind::Size),
        ("window\ntiles\nthresholds first=64\npool\noutput\nread", FaultKind::Threshold),
        ("window\ntiles\nthresholds first=1\npool\noutput\nread", FaultKind::Threshold),
        ("window\ntiles\nthresholds\npool\noutput base=2048\nread", FaultKind::Address),
    ] {
        program.instructions = assemble(&text.replace("tiles", "tiles columns=4")).unwrap();
        let at = program.instructions.len() - 1;
        assert_eq!(fault(&program), Fault { instruction: at, kind }, "{text}");
    }
    // As far as these may go, they are sound: 64 row groups of 16 rows, and codes side by side.
    for text in ["window codes=1023 bias=1", "window codes=1024", "window segments=4 codes=256"] {
        program.instructions = assemble(&format!("{text}\ntiles columns=4\nclassify")).unwrap();
        execute(&program, &target, &[]).unwrap();
    }
    program.instructions =
        assemble("fill to=4 codes=3 value=9\ncopy from=4 to=7 codes=3\ncopy from=5 to=2 codes=3").unwrap();
    assert_eq!(execute(&program, &target, &[]).unwrap().memory[..11], [0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 0]);
    // The image is another memory.
    program.instructions = assemble("copy from=1 image=1 to=1 codes=2").unwrap();
    assert_eq!(execute(&program, &target, &[5, 6, 7]).unwrap().memory[..4], [0, 6, 7, 0]);
}

#[test]
fn planes_beyond_those_of_a_code_are_a_fault() {
    let mut target = target();
    let mut program = compile(&Draw(1).network(8, 8, 8), &target).unwrap().program;
    target.limits.code_bits = 4;
    let mut run = |planes: usize| {
        program.instructions = assemble(&format!("window\ntiles columns=4 planes={planes}\nclassify")).unwrap();
        execute(&program, &target, &[])
    };
    assert_eq!(run(4).unwrap().counters.array_reads, 4);
    assert_eq!(run(5), Err(Fault { instruction: 2, kind: FaultKind::Size }));
}

#[test]
fn rows_are_multiplied_in_the_row_groups_that_are_read() {
    let target = target();
    let mut program = compile(&Draw(1).network(8, 8, 8), &target).unwrap().program;
    // 37 rows and a row of biases: 16, 16 and 6 on tiles of 16 rows; 3 outputs, 2 a tile.
    let mut macs = |tiles: &str| {
        let text = format!("window image=1 codes=37 bias=1\ntiles columns=4 outputs=3 {tiles}\nclassify");
        program.instructions = assemble(&text).unwrap();
        execute(&program, &target, &[]).unwrap().counters.macs
    };
    assert_eq!(macs("row_groups=3 output_groups=2"), 38 * 3);
    assert_eq!(macs("row_groups=3 output_groups=2 planes=8"), 38 * 3, "whole inputs, not planes");
    assert_eq!(macs("row_groups=2 output_groups=2"), 32 * 3);
    assert_eq!(macs("row_groups=1 output_groups=2"), 16 * 3);
    assert_eq!(macs("row_groups=4 output_groups=2"), 38 * 3, "the fourth has no rows");
    assert_eq!(macs("row_groups=3 output_groups=3"), 38 * 3, "the third has no outputs");
}

#[test]
fn a_network_that_does_not_fit_is_refused_with_the_numbers() {
    let network = {
        let mut draw = Draw(3);
        let layer = draw.layer(MapShape::flat(30), 4, 5, None);
        Network { name: "wide".into(), layers: vec![layer], provenance: Provenance::default(), history: vec![] }
    };
    let needed = compile(&network, &target()).unwrap().program.tiles.len();
    let mut small = target();
    small.limits.tiles = needed - 1;
    assert_eq!(
        compile(&network, &small).unwrap_err().to_string(),
        format!(
            "network wide needs {needed} tiles, machine small has {}: 1 too many; choose a larger machine or a smaller network",
            needed - 1
        )
    );
    small.limits.tiles = needed;
    compile(&network, &small).unwrap();
    small.limits.layers = 0;
    assert!(compile(&network, &small).unwrap_err().to_string().contains("needs 1 records of layer counters"));
    small.limits.layers = 1;
    small.limits.cycles = 10;
    let refused = compile(&network, &small).unwrap_err().to_string();
    assert!(refused.contains("clocks an image, machine small has 10"), "{refused}");
    small.limits.cycles = 1 << 20;
    small.limits.image_codes = 29;
    assert!(compile(&network, &small).unwrap_err().to_string().contains("needs 30 codes an image"));
}

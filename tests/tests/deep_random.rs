//! Random networks and random programs on the exported Verilog of `tiny-deep`, through its link: what runs equals golden to the
//! last clock, and whatever the bytes of a program are, it ends, and the next good program runs.
//!
//! `BITLINE_NETWORKS` and `BITLINE_PROGRAMS` say how many (`make test-deep-nightly`: 1,000 and 10,000), `BITLINE_SEED` the first seed.

use bitline_boards::verilated::{self, Simulator, VerilatedMachine};
use bitline_firmware::compile::{Compiled, compile};
use bitline_firmware::execute::{Executor, FaultKind, LayerCounters};
use bitline_firmware::isa::{Encoded, Instruction, OPERATIONS, Opcode};
use bitline_firmware::program::{Program, Target};
use bitline_firmware::timing::{Clocks, predict};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::deep_registers::{DeepRegion, result_offset};
use bitline_golden::draw::Draw;
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::deep::program_control::fault;
use bitline_hdl::export::deep_verilog;
use bitline_hdl::simulation::deep_build_hash;
use bitline_host::deep::board::{DeepBoard, run_slots};
use bitline_host::deep::images::MadeUpImages;
use bitline_host::deep::{DeepProblem, outcome};
use bitline_host::link::{Client, ClientOptions, InProcessPort};
use std::path::{Path, PathBuf};

/// Networks of the quick form.
const NETWORKS: usize = 50;
/// Programs of the quick form.
const PROGRAMS: usize = 300;
/// Slots that a network's images fill.
const IMAGES: usize = 2;

fn from_environment(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// The machine's Verilog without its UART, compiled.
fn model(machine: &DeepMachine) -> PathBuf {
    let text = deep_verilog(machine, &DeepContents::default(), None, true).unwrap();
    let work = Path::new(env!("CARGO_MANIFEST_DIR")).join("../out/verilated");
    verilated::compile_bytes(&machine.face(), &text, &work).unwrap()
}

/// The machine at power-on, behind its link.
fn client(machine: &DeepMachine, model: &Path) -> Client<InProcessPort> {
    let started = VerilatedMachine::start(&machine.face(), model, Simulator::Verilator, "exported Verilog").unwrap();
    Client::new(InProcessPort::new(Box::new(started), machine.link.clock_hz), ClientOptions::default())
}

#[test]
fn random_networks_on_the_exported_verilog_equal_golden() {
    let (count, first) = (from_environment("BITLINE_NETWORKS", NETWORKS), from_environment("BITLINE_SEED", 1));
    let machine = DeepMachine::named("tiny-deep").unwrap();
    let (target, model) = (Target::of(&machine), model(&machine));
    let (mut run, mut layers, mut drawn, mut clocks, mut saturated) = (0, 0, 0, 0, 0);
    for seed in first.. {
        if run == count {
            break;
        }
        drawn += 1;
        let network = Draw(seed as u64).network(machine.code_bits, machine.sums, 4);
        if compile(&network, &target).is_err() {
            assert!(drawn < 20 + 4 * count, "too few of the networks fit: {run} of {drawn}");
            continue;
        }
        layers += network.layers.len();
        let source = MadeUpImages(seed as u64);
        let name = format!("seed {seed}");
        let problem = DeepProblem::of_network(machine.clone(), network, name, &source, Some(IMAGES)).unwrap();
        let client = client(&machine, &model);
        let mut board = DeepBoard::new(client, &problem, deep_build_hash(&machine), "exported Verilog".into()).unwrap();
        let found = outcome::run(&problem, &mut board, false, &mut |_| {}).unwrap();
        assert!(found.equal, "BITLINE_SEED={seed}: {found}");
        assert_eq!(found.images, IMAGES, "BITLINE_SEED={seed}");
        let counted = |name: &str| found.counters.0.iter().find(|(counter, _)| *counter == name).unwrap().1.hardware;
        clocks += counted("cycles");
        saturated += usize::from(counted("saturations") > 0);
        run += 1;
    }
    println!(
        "{run} networks of {drawn} drawn from seed {first} on, {layers} layers, {IMAGES} images each, {clocks} clocks: \
         every sum, class, margin and counter is golden's; quantizers clamp in {saturated}"
    );
    assert!(layers > run && (count < NETWORKS || saturated > 0), "{layers} layers, {saturated} with clamps");
}

/// A machine whose watchdog does not wait long.
fn watched() -> DeepMachine {
    DeepMachine { name: "tiny-deep-dog".into(), watchdog_bits: 12, ..DeepMachine::named("tiny-deep").unwrap() }
}

/// Bytes of a program: nothing but random; mostly legal instructions whose fields are not too large; or a good program of which
/// a few words are others.
fn random_program(draw: &mut Draw, good: &[Encoded], most: usize) -> Vec<Encoded> {
    let words = |draw: &mut Draw| -> Encoded { std::array::from_fn(|_| draw.below(1 << 16) as u16) };
    let count = if draw.below(8) == 0 { most } else { draw.between(1, 12) };
    match draw.below(6) {
        0 => (0..count).map(|_| words(draw)).collect(),
        1 | 2 => {
            let mut program = good.to_vec();
            for _ in 0..draw.between(1, 4) {
                // The eighth word has no field, and the first is the operation.
                let (at, word, value) = (draw.below(good.len()), draw.below(7), draw.below(1 << 16) as u16);
                program[at][word] = if draw.below(2) == 0 { value } else { value & 0x000f };
            }
            program
        }
        _ => (0..count).map(|_| if draw.below(24) == 0 { words(draw) } else { drawn_instruction(draw) }).collect(),
    }
}

fn drawn_instruction(draw: &mut Draw) -> Encoded {
    let operation = &OPERATIONS[draw.below(OPERATIONS.len())];
    let small = 1 << draw.below(9);
    let drawn = operation.fields.iter().fold(operation.smallest(), |instruction, field| {
        let largest = usize::from(field.max).min(small.max(usize::from(field.min)));
        let value = draw.between(usize::from(field.min), largest);
        instruction.with(field.name, value).unwrap_or(instruction)
    });
    drawn.encode()
}

/// The bit of the fault register for what golden calls it.
fn bit(kind: FaultKind) -> u16 {
    (match kind {
        FaultKind::End => fault::END,
        FaultKind::Address => fault::ADDRESS,
        FaultKind::Tile => fault::TILE,
        FaultKind::Threshold => fault::THRESHOLD,
        FaultKind::Size => fault::SIZE,
        FaultKind::Record => fault::RECORD,
        FaultKind::Missing => fault::MISSING,
    }) as u16
}

/// One run of one image: the fault register, and the counters.
fn run(client: &mut Client<InProcessPort>) -> ([u16; 2], LayerCounters) {
    let fault = run_slots(client, 0, 1).unwrap();
    (fault, client.counters().unwrap().into())
}

fn load(client: &mut Client<InProcessPort>, machine: &DeepMachine, words: &[Encoded]) {
    let zeros = std::iter::repeat_n([0; 8], machine.instructions - words.len());
    let words: Vec<u16> = words.iter().copied().chain(zeros).flatten().collect();
    client.write(DeepRegion::Program, 0, &words).unwrap();
}

#[test]
fn random_bytes_as_programs_end_and_the_next_good_program_runs() {
    let (count, seed) = (from_environment("BITLINE_PROGRAMS", PROGRAMS), from_environment("BITLINE_SEED", 1));
    let machine = watched();
    let target = Target::of(&machine);
    // A good program of two layers, whose images have no border; it stays in the slot throughout.
    let good = (0..)
        .map(|seed| Draw(seed).network(machine.code_bits, machine.sums, 4))
        .filter(|network| network.layers.len() == 2)
        .find_map(|network| compile(&network, &target).ok().map(|compiled| (network, compiled)));
    let (network, Compiled { program, placements }) = good.unwrap();
    let source = MadeUpImages(1);
    let problem = DeepProblem::of_network(machine.clone(), network, "good".into(), &source, Some(1)).unwrap();
    assert_eq!((&problem.program, placements.len()), (&program, 2));
    let image = program.image.lay_out(&problem.images.images[0]);
    let expected = Executor::new(&program, &target).run(&image, &mut |_, _| {}).unwrap();
    let good_words: Vec<Encoded> = program.instructions.iter().map(Instruction::encode).collect();

    // The board loads devices, thresholds and image, and holds their checksums against its own.
    let model = model(&machine);
    let client = client(&machine, &model);
    let mut board = DeepBoard::new(client, &problem, deep_build_hash(&machine), "exported Verilog".into()).unwrap();
    assert!(outcome::run(&problem, &mut board, false, &mut |_| {}).unwrap().equal);
    let mut client = board.into_client();

    let mut draw = Draw(seed as u64);
    // By bit of the fault register; halt last.
    let mut ends = [0usize; 10];
    let mut predicted = 0;
    for at in 0..count {
        let words = random_program(&mut draw, &good_words, machine.instructions);
        load(&mut client, &machine, &words);
        // Golden begins with maps of zeros.
        client.write(DeepRegion::Codes, 0, &vec![0; machine.codes / 2]).unwrap();
        let ([kinds, instruction], counters) = run(&mut client);
        ends[if kinds == 0 { 9 } else { kinds.trailing_zeros() as usize }] += 1;

        let decoded: Vec<Instruction> = words.iter().map_while(|words| Instruction::decode(words).ok()).collect();
        let halt = decoded.iter().position(|instruction| instruction.opcode() == Opcode::Halt);
        let reached = halt.map_or(&decoded[..], |halt| &decoded[..=halt]);
        let clocks =
            predict(reached, &target.limits).iter().fold(Clocks::default(), |all, more| all.and(more)).cycles();
        // What golden cannot say: a program that reaches a word which is no instruction, or that the watchdog ends.
        if (decoded.len() == words.len() || halt.is_some()) && clocks < 1 << (machine.watchdog_bits - 1) {
            let known = Program { instructions: reached.to_vec(), ..program.clone() };
            match Executor::new(&known, &target).run(&image, &mut |_, _| {}) {
                Ok(result) => {
                    assert_eq!(kinds, 0, "program {at} of BITLINE_SEED={seed} halts in golden: {words:?}");
                    // Entries are loaded as the heap of the good program's bits; golden keeps no memory that others could read.
                    let bits = program.thresholds[0].len().count_ones() as usize;
                    let as_loaded = |i: &Instruction| i.opcode() != Opcode::Thresholds || i.get("bits") == bits;
                    if !reached.iter().all(as_loaded) {
                        continue;
                    }
                    assert_eq!(counters, result.counters, "program {at} of BITLINE_SEED={seed}: {words:?}");
                }
                Err(fault) => {
                    assert_ne!(
                        kinds & bit(fault.kind),
                        0,
                        "{kinds:#x} at {instruction} in program {at} of BITLINE_SEED={seed}: {fault}: {words:?}"
                    );
                    assert_eq!(usize::from(instruction), fault.instruction, "program {at} of BITLINE_SEED={seed}");
                }
            }
            predicted += 1;
        }

        load(&mut client, &machine, &good_words);
        let (found, counters) = run(&mut client);
        assert_eq!(found, [0, 0], "the good program after program {at} of BITLINE_SEED={seed}: {words:?}");
        assert_eq!(
            counters, expected.counters,
            "the good program after program {at} of BITLINE_SEED={seed}: {words:?}"
        );
        let sums = client.read(DeepRegion::Results, result_offset(&machine, 0, 0), 2 * expected.sums.len()).unwrap();
        let sums: Vec<i32> =
            sums.chunks(2).map(|half| (u32::from(half[1]) << 16 | u32::from(half[0])) as i32).collect();
        assert_eq!(sums, expected.sums, "the good program after program {at} of BITLINE_SEED={seed}: {words:?}");
    }
    println!(
        "{count} programs from BITLINE_SEED={seed}: ends by fault bit 0..=8 and halt {ends:?}; {predicted} predicted by golden to the \
         instruction, of halts every counter; the good program ran after each"
    );
    let kinds = ends.iter().filter(|count| **count > 0).count();
    assert!(count < PROGRAMS || kinds >= 7 && predicted * 8 > count, "{ends:?}, {predicted} predicted: too much alike");
}

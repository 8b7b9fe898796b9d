//! Problems made from a seed, and a small link client to run them on simulated gateware.

// Every test file takes its own part of this one.
#![allow(dead_code)]

use bitline_golden::array::DeviceArray;
use bitline_golden::counters::Counters;
use bitline_golden::link::{Decoder, Frame, MAX_WORDS, REPLY};
use bitline_golden::machine::Machine;
use bitline_golden::registers::*;
use bitline_golden::run::{RunResult, run};
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_hdl::simulation::{Contents, LinkMode, SimulationOptions, simulate};
use ndarray::Array2;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine, devices, images and labels.
#[derive(Debug, Clone)]
pub struct Problem {
    pub machine: Machine,
    pub devices: DeviceArray,
    pub images: Array2<u8>,
    pub labels: Vec<Option<u8>>,
}

/// A small generator, so that a problem depends on nothing but its seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

impl Problem {
    pub fn random(machine: &Machine, images: usize, seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
        let (low, span) = (-(1i16 << (machine.weight_bits - 1)), 1u64 << machine.weight_bits);
        let weights =
            Array2::from_shape_simple_fn((machine.outputs, machine.rows), || (low + random.below(span) as i16) as i8);
        let images =
            Array2::from_shape_simple_fn((images, machine.inputs()), || random.below(1 << machine.input_bits) as u8);
        let labels = (0..images.nrows())
            .map(|_| (random.below(4) > 0).then(|| random.below(machine.outputs as u64) as u8))
            .collect();
        Self {
            machine: machine.clone(),
            devices: DeviceArray::from_weights(machine, &weights).unwrap(),
            images,
            labels,
        }
    }

    /// As [`Problem::random`], of one weight everywhere and one code for every input.
    pub fn uniform(machine: &Machine, images: usize, weight: i8, code: u8) -> Self {
        let weights = Array2::from_elem((machine.outputs, machine.rows), weight);
        let images = Array2::from_elem((images, machine.inputs()), code);
        let labels = vec![Some(0); images.nrows()];
        Self {
            machine: machine.clone(),
            devices: DeviceArray::from_weights(machine, &weights).unwrap(),
            images,
            labels,
        }
    }

    pub fn expected(&self) -> RunResult {
        run(&self.machine, &self.devices, &self.images, &self.labels).unwrap()
    }

    /// What the memories hold when all of it is built in.
    pub fn contents(&self) -> Contents {
        let devices = &self.devices;
        Contents {
            devices: (0..devices.rows()).map(|r| (0..devices.columns()).map(|c| devices.get(r, c)).collect()).collect(),
            images: self.images.rows().into_iter().map(|image| image.to_vec()).collect(),
            labels: self.labels.clone(),
            counts: 0,
        }
    }

    /// The gateware with all of it built in.
    pub fn built_in(&self, link: LinkMode) -> Asker {
        let options = SimulationOptions { link, contents: Some(self.contents()), ..Default::default() };
        Asker::new(simulate(&self.machine, options).unwrap())
    }
}

/// Largest input code of a machine.
pub fn code_max(machine: &Machine) -> u8 {
    ((1u16 << machine.input_bits) - 1) as u8
}

/// Asks and awaits, over whole frames.
pub struct Asker {
    pub machine: Box<dyn VirtualMachine>,
    sequence: u8,
    decoder: Decoder,
}

impl Asker {
    pub fn new(machine: Box<dyn VirtualMachine>) -> Self {
        Self { machine, sequence: 0, decoder: Decoder::default() }
    }

    /// Send raw bytes and give every frame that comes back until the machine is idle.
    pub fn exchange(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let (mut input, mut output) = (VecDeque::from(bytes.to_vec()), vec![]);
        let mut clocks = 0;
        while self.machine.advance(&mut input, &mut output, 10_000) == 10_000 {
            clocks += 10_000;
            assert!(clocks < 50_000_000, "the machine never becomes idle");
        }
        output.iter().filter_map(|byte| self.decoder.push(*byte)).map(|frame| frame.expect("a good reply")).collect()
    }

    pub fn ask(&mut self, make: impl Fn(u8) -> Frame) -> Vec<u16> {
        self.sequence = self.sequence.wrapping_add(1);
        let frame = make(self.sequence);
        let replies = self.exchange(&frame.encode());
        assert_eq!(replies.len(), 1, "one reply to {frame:?}");
        let reply = &replies[0];
        assert_eq!((reply.sequence, reply.operation), (frame.sequence, frame.operation | REPLY), "{frame:?} {reply:?}");
        reply.words()
    }

    /// Send a frame, do something when so many clocks have passed, and give the reply; none if the frame was answered
    /// and all was idle before.
    pub fn ask_and(
        &mut self,
        make: impl Fn(u8) -> Frame,
        clocks: u64,
        act: impl FnOnce(&mut dyn VirtualMachine),
    ) -> Option<Frame> {
        self.sequence = self.sequence.wrapping_add(1);
        let (mut input, mut output) = (VecDeque::from(make(self.sequence).encode()), vec![]);
        let passed = self.machine.advance(&mut input, &mut output, clocks);
        act(&mut *self.machine);
        while self.machine.advance(&mut input, &mut output, 10_000) == 10_000 {}
        let mut replies = output.iter().filter_map(|byte| self.decoder.push(*byte));
        let reply = replies.next().expect("a reply").expect("a good reply");
        assert!(replies.next().is_none() && reply.sequence == self.sequence, "{reply:?}");
        (passed == clocks).then_some(reply)
    }

    pub fn identify(&mut self) -> Vec<u16> {
        self.ask(Frame::identify)
    }

    pub fn read(&mut self, region: Region, offset: u16, count: usize) -> Vec<u16> {
        let words = self.ask(|s| Frame::read(s, address(region, offset), count as u8));
        assert_eq!(words.len(), count);
        words
    }

    pub fn write(&mut self, region: Region, offset: u16, words: &[u16]) {
        assert!(self.ask(|s| Frame::write(s, address(region, offset), words)).is_empty());
    }

    pub fn register(&mut self, name: &str) -> u64 {
        let r = find(name);
        let words = self.read(Region::Registers, r.offset, usize::from(r.words));
        words.iter().rev().fold(0, |value, word| value << 16 | u64::from(*word))
    }

    pub fn set(&mut self, name: &str, value: u16) {
        self.write(Region::Registers, find(name).offset, &[value]);
    }
}

/// Words of a device array in checksum order.
pub fn array_words(machine: &Machine, devices: &DeviceArray) -> Vec<(u16, u16)> {
    ArrayAddress::all(machine)
        .map(|a| {
            let word =
                a.rows(machine).enumerate().fold(0, |w, (bit, row)| w | u16::from(devices.get(row, a.column)) << bit);
            (a.offset(machine), word)
        })
        .collect()
}

/// Load, verify, run and read back a problem over the link, results after the images.
pub fn run_on_gateware(problem: &Problem) -> RunResult {
    let mut asker = Asker::new(simulate(&problem.machine, SimulationOptions::default()).unwrap());
    asker.identify();
    asker.load(problem, 0);
    let images = problem.images.nrows();
    asker.start(0, images, Some(images));
    asker.result(problem, images)
}

/// Run and read back a problem that is built into the memories, results after the images.
pub fn run_built_in(problem: &Problem) -> RunResult {
    let mut asker = problem.built_in(LinkMode::Bytes);
    let images = problem.images.nrows();
    asker.start(0, images, Some(images));
    asker.result(problem, images)
}

impl Asker {
    /// Start a checksum and read it.
    pub fn checksum(&mut self, region: Region) -> u64 {
        self.set("checksum_region", region as u16);
        self.set("control", CONTROL_CHECKSUM);
        self.register("checksum")
    }

    /// Load devices, images from `first_slot` on and labels, and check the on-chip checksums of all three.
    pub fn load(&mut self, problem: &Problem, first_slot: usize) {
        let machine = &problem.machine;
        let words = array_words(machine, &problem.devices);
        // One frame for the words of a column in a row group.
        for lane in words.chunks(machine.array_words()) {
            let column: Vec<u16> = lane.iter().map(|(_, word)| *word).collect();
            self.write(Region::Array, lane[0].0, &column);
        }
        let found = self.checksum(Region::Array);
        assert_eq!(found, checksum(words.iter().map(|(_, word)| *word)), "array checksum");
        let mut all = vec![];
        for (image, codes) in problem.images.rows().into_iter().enumerate() {
            let packed = pack_image(machine, codes.as_slice().unwrap());
            for (k, words) in packed.chunks(MAX_WORDS).enumerate() {
                self.write(Region::Slots, slot_offset(machine, first_slot + image, k * MAX_WORDS), words);
            }
            all.extend(packed);
        }
        let labels: Vec<u16> = problem.labels.iter().map(|label| label.map_or(NO_LABEL, u16::from)).collect();
        for (k, words) in labels.chunks(MAX_WORDS).enumerate() {
            self.write(Region::Labels, (first_slot + k * MAX_WORDS) as u16, words);
        }
        self.set("first_slot", first_slot as u16);
        self.set("image_count", problem.images.nrows() as u16);
        // Of slots with lanes that no image uses, see slot_checksum_covers_every_lane.
        if machine.input_words() == machine.slot_words() {
            assert_eq!(self.checksum(Region::Slots), checksum(all), "slot checksum");
        }
        assert_eq!(self.checksum(Region::Labels), checksum(labels), "label checksum");
    }

    /// Run to the end, storing results from `result_slot` on, if given.
    pub fn start(&mut self, first_slot: usize, images: usize, result_slot: Option<usize>) {
        self.set("first_slot", first_slot as u16);
        self.set("image_count", images as u16);
        self.set("mode", if result_slot.is_some() { MODE_STORE } else { 0 });
        self.set("result_slot", result_slot.unwrap_or(0) as u16);
        self.set("control", CONTROL_START);
        assert_eq!(self.register("status"), 0);
    }

    pub fn counters(&mut self) -> Counters {
        Counters::from_values(RUN_COUNTERS.map(|name| self.register(name)))
    }

    /// The results stored from `result_slot` on, and the counters.
    pub fn result(&mut self, problem: &Problem, result_slot: usize) -> RunResult {
        let (machine, images) = (&problem.machine, problem.images.nrows());
        let (mut outputs, mut classes, mut margins) = (vec![], vec![], vec![]);
        for image in 0..images {
            let offset = |lane| slot_offset(machine, result_slot + image, lane);
            let lanes: Vec<u16> = (0..machine.outputs + 2)
                .step_by(MAX_WORDS)
                .flat_map(|lane| self.read(Region::Slots, offset(lane), (machine.outputs + 2 - lane).min(MAX_WORDS)))
                .collect();
            outputs.extend(lanes[..machine.outputs].iter().map(|y| i32::from(*y as i16)));
            classes.push(lanes[class_lane(machine)]);
            margins.push(u32::from(lanes[margin_lane(machine)]));
        }
        let outputs = Array2::from_shape_vec((images, machine.outputs), outputs).unwrap();
        RunResult { outputs, classes, margins, counters: self.counters() }
    }

    /// Step until nothing is under way.
    pub fn settle(&mut self) {
        assert!(self.exchange(&[]).is_empty());
    }
}

/// Files of a folder below `hdl/src` that hold a block: name without ending, text.
pub fn block_files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
        .iter()
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_string(), std::fs::read_to_string(path).unwrap()))
        .filter(|(_, text)| text.contains("#[derive(LogicBlock"))
        .collect()
}

/// A tool, from the PATH or from where `make tools` puts it.
///
/// # Panics
/// If there is none: a check that did not run must not look like one that passed.
pub fn tool(name: &str) -> Command {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin").join(name);
    let found = [PathBuf::from(name), own].into_iter().find(|tool| Command::new(tool).arg("-V").output().is_ok());
    Command::new(
        found.unwrap_or_else(|| panic!("{name} is not installed: run `make tools`, or `make test`, which does")),
    )
}

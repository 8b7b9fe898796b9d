//! Problems made from a seed, and a small link client to run them on simulated gateware.

use bitline_golden::array::DeviceArray;
use bitline_golden::counters::Counters;
use bitline_golden::link::{Decoder, Frame, MAX_WORDS, REPLY};
use bitline_golden::machine::Machine;
use bitline_golden::registers::*;
use bitline_golden::run::{RunResult, run};
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_hdl::simulation::{SimulationOptions, simulate};
use ndarray::Array2;
use std::collections::VecDeque;

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
        let weights = Array2::from_shape_simple_fn((machine.outputs, machine.rows), || (low + random.below(span) as i16) as i8);
        let images = Array2::from_shape_simple_fn((images, machine.inputs()), || random.below(1 << machine.input_bits) as u8);
        let labels = (0..images.nrows())
            .map(|_| (random.below(4) > 0).then(|| random.below(machine.outputs as u64) as u8))
            .collect();
        Self { machine: machine.clone(), devices: DeviceArray::from_weights(machine, &weights).unwrap(), images, labels }
    }

    pub fn expected(&self) -> RunResult {
        run(&self.machine, &self.devices, &self.images, &self.labels).unwrap()
    }
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

    fn ask(&mut self, make: impl Fn(u8) -> Frame) -> Vec<u16> {
        self.sequence = self.sequence.wrapping_add(1);
        let frame = make(self.sequence);
        let replies = self.exchange(&frame.encode());
        assert_eq!(replies.len(), 1, "one reply to {frame:?}");
        let reply = &replies[0];
        assert_eq!((reply.sequence, reply.operation), (frame.sequence, frame.operation | REPLY), "{frame:?} {reply:?}");
        reply.words()
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
            let word = a.rows(machine).enumerate().fold(0, |w, (bit, row)| w | u16::from(devices.get(row, a.column)) << bit);
            (a.offset(machine), word)
        })
        .collect()
}

/// Load, verify, run and read back a problem over the link.
pub fn run_on_gateware(problem: &Problem) -> RunResult {
    let machine = &problem.machine;
    let mut asker = Asker::new(simulate(machine, SimulationOptions::default()).unwrap());
    asker.identify();
    let words = array_words(machine, &problem.devices);
    for (offset, word) in &words {
        asker.write(Region::Array, *offset, &[*word]);
    }
    asker.set("checksum_region", 1);
    asker.set("control", CONTROL_CHECKSUM);
    assert_eq!(asker.register("checksum"), checksum(words.iter().map(|(_, word)| *word)), "array checksum");
    let images = problem.images.nrows();
    let mut all = vec![];
    for (slot, image) in problem.images.rows().into_iter().enumerate() {
        let packed = pack_image(machine, image.as_slice().unwrap());
        for (k, words) in packed.chunks(MAX_WORDS).enumerate() {
            asker.write(Region::Slots, slot_offset(machine, slot, k * MAX_WORDS), words);
        }
        all.extend(packed);
        let label = problem.labels[slot].map_or(NO_LABEL, u16::from);
        asker.write(Region::Labels, slot as u16, &[label]);
    }
    asker.set("image_count", images as u16);
    asker.set("checksum_region", 2);
    asker.set("control", CONTROL_CHECKSUM);
    assert_eq!(asker.register("checksum"), checksum(all), "slot checksum");
    asker.set("checksum_region", 3);
    asker.set("control", CONTROL_CHECKSUM);
    let labels = problem.labels.iter().map(|l| l.map_or(NO_LABEL, u16::from));
    assert_eq!(asker.register("checksum"), checksum(labels), "label checksum");
    asker.set("mode", MODE_STORE);
    asker.set("result_slot", images as u16);
    asker.set("control", CONTROL_START);
    assert_eq!(asker.register("status"), 0);
    let (mut outputs, mut classes, mut margins) = (vec![], vec![], vec![]);
    for image in 0..images {
        let lanes = asker.read(Region::Slots, slot_offset(machine, images + image, 0), machine.outputs + 2);
        outputs.extend(lanes[..machine.outputs].iter().map(|y| i32::from(*y as i16)));
        classes.push(lanes[class_lane(machine)]);
        margins.push(u32::from(lanes[margin_lane(machine)]));
    }
    RunResult {
        outputs: Array2::from_shape_vec((images, machine.outputs), outputs).unwrap(),
        classes,
        margins,
        counters: Counters::from_values(RUN_COUNTERS.map(|name| asker.register(name))),
    }
}

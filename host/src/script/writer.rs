//! What each script does.

use bitline_golden::link::{END, ESC, ESC_END, ESC_ESC, Frame, crc};
use bitline_golden::machine::Machine;
use bitline_golden::random::stream;
use bitline_golden::registers::*;
use bitline_golden::timing::run_cycles;
use rand::Rng;

use super::{COUNTING, MOST_SLOTS, Step};
use crate::problem::Problem;
use crate::procedure::{array_words, slot_words};

/// Frames of a random script.
const RANDOM_FRAMES: usize = 150;
/// Starts of the script that lets counters grow.
const MANY_STARTS: usize = 150;
/// Clocks after which a run that the switch starts is under way, and not at its end.
pub(super) const SWITCH_CLOCKS: u64 = 8;

/// What a script does with a machine that gets the devices and images of a problem.
pub fn script(name: &str, problem: &Problem, seed: u64) -> Option<Vec<Step>> {
    let mut writer = Writer { machine: problem.machine.clone(), steps: Vec::new(), sequence: 0 };
    match name {
        "words" => writer.words(),
        "random" => writer.random(seed),
        "refusals" => writer.refusals(),
        "damage" => writer.damage(),
        "sequences" => writer.sequences(),
        "checksums" => writer.checksums(problem),
        "switch-and-button" => writer.switch_and_button(problem),
        "many-runs" => writer.many_runs(problem),
        "aborts" => writer.aborts(problem, 3),
        "labels" => writer.labels(problem)?,
        "pauses" => writer.pauses(),
        "leftovers" => writer.leftovers(problem),
        "short-aborts" => writer.aborts(problem, 1),
        "sums" => writer.sums(),
        "switch-waits" => writer.switch_waits(problem),
        "held-byte" => writer.held_byte(),
        "ends" => writer.ends(),
        COUNTING => writer.counting(problem),
        _ => return None,
    }
    Some(writer.steps)
}

/// A WRITE with a payload of that many bytes and a good CRC, longer than [`Frame`] makes one.
fn of_any_length(length: usize) -> Vec<u8> {
    let body: Vec<u8> = [length as u8, 202, 3].into_iter().chain(vec![0x11; length]).collect();
    let crc = crc(&body).to_le_bytes();
    let escaped = body.into_iter().chain(crc).flat_map(|byte| match byte {
        END => vec![ESC, ESC_END],
        ESC => vec![ESC, ESC_ESC],
        _ => vec![byte],
    });
    [END].into_iter().chain(escaped).chain([END]).collect()
}

/// Steps as they are written, with the sequence number of the last frame.
pub(super) struct Writer {
    pub(super) machine: Machine,
    pub(super) steps: Vec<Step>,
    sequence: u8,
}

impl Writer {
    pub(super) fn next(&mut self) -> u8 {
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.sequence
    }

    pub(super) fn send(&mut self, frame: &Frame) {
        self.steps.push(Step::Send(frame.encode()));
    }

    pub(super) fn read(&mut self, region: Region, offset: u16, count: usize) {
        let frame = Frame::read(self.next(), address(region, offset), count as u8);
        self.send(&frame);
    }

    pub(super) fn write(&mut self, region: Region, offset: u16, words: &[u16]) {
        let frame = Frame::write(self.next(), address(region, offset), words);
        self.send(&frame);
    }

    pub(super) fn set(&mut self, register: &str, words: &[u16]) {
        self.write(Region::Registers, find(register).offset, words);
    }

    pub(super) fn registers(&mut self) {
        self.read(Region::Registers, 0, usize::from(REGISTER_WORDS));
    }

    /// First offset, words that follow it in one frame: all there are, region by region.
    pub(super) fn ranges(&self) -> Vec<(Region, u16, usize)> {
        let machine = &self.machine;
        let columns = ArrayAddress::all(machine).filter(|at| at.word == 0);
        let mut ranges: Vec<_> = columns.map(|at| (Region::Array, at.offset(machine), machine.array_words())).collect();
        ranges.extend(
            (0..machine.slots).map(|slot| (Region::Slots, slot_offset(machine, slot, 0), machine.slot_words())),
        );
        ranges.extend((0..machine.slots).step_by(8).map(|at| (Region::Labels, at as u16, 8.min(machine.slots - at))));
        ranges
    }

    /// Every word of every memory holds what was written last, and every register keeps its bits.
    fn words(&mut self) {
        self.registers();
        let identify = Frame::identify(self.next());
        self.send(&identify);
        let ranges = self.ranges();
        // Patterns that differ from word to word, then their complements.
        for flip in [0, 0xFFFF] {
            let mut pattern = 0x9E37u16;
            for (region, offset, count) in &ranges {
                let words: Vec<u16> = (0..*count)
                    .map(|_| {
                        pattern = pattern.rotate_left(3).wrapping_mul(0x6255).wrapping_add(0x3619);
                        pattern ^ flip
                    })
                    .collect();
                self.write(*region, *offset, &words);
            }
            for (region, offset, count) in &ranges {
                self.read(*region, *offset, *count);
            }
            for register in REGISTERS.iter().filter(|register| register.access == Access::ReadWrite) {
                self.set(register.name, &[0xA5A5 ^ flip]);
                self.registers();
            }
            // Each word alone.
            (0..REGISTER_WORDS).for_each(|offset| self.read(Region::Registers, offset, 1));
        }
    }

    /// Frames of every kind, whole and damaged, none of which starts anything.
    fn random(&mut self, seed: u64) {
        let mut random = stream("random script", seed);
        let ranges = self.ranges();
        let modes = find("mode").offset..find("control").offset;
        for _ in 0..RANDOM_FRAMES {
            let mut pick = |count: usize| random.random_range(0..count as u32) as usize;
            let (mut region, first, count) = ranges[pick(ranges.len())];
            let (mut skip, mut words) = (pick(count), 1 + pick(count));
            // Now and then one word too many.
            words = words.min(count - skip + usize::from(pick(8) == 0));
            let mut offset = first + skip as u16;
            let values: Vec<u16> = (0..words).map(|_| [0, 1, 0x8000, 0xFFFF, pick(1 << 16) as u16][pick(5)]).collect();
            // Few sequence numbers, so that they repeat.
            let sequence = pick(6) as u8;
            let mut frame = match pick(16) {
                0 => Frame::identify(sequence),
                1..=6 => Frame::read(sequence, address(region, offset), words as u8),
                7..=12 => Frame::write(sequence, address(region, offset), &values),
                13 => {
                    (region, skip) = (Region::Registers, pick(modes.len()));
                    offset = modes.start + skip as u16;
                    Frame::write(sequence, address(region, offset), &values[..1])
                }
                14 => Frame::read(sequence, pick(1 << 24) as u32, pick(80) as u8),
                _ => {
                    let first = pick(usize::from(REGISTER_WORDS));
                    let words = 1 + pick(usize::from(REGISTER_WORDS) - first);
                    Frame::read(sequence, address(Region::Registers, first as u16), words as u8)
                }
            };
            if pick(32) == 0 {
                frame.payload.truncate(pick(4));
            }
            let mut wire = frame.encode();
            if pick(5) == 0 {
                let (at, bit) = (pick(wire.len()), pick(8));
                match pick(4) {
                    0 => wire[at] ^= 1 << bit,
                    1 => drop(wire.remove(at)),
                    2 => wire.insert(at, [END, ESC, 0, pick(256) as u8][pick(4)]),
                    _ => wire.truncate(at),
                }
            }
            self.steps.push(Step::Send(wire));
        }
        self.registers();
    }

    /// Good frames that are refused, for each reason; what they name is not changed.
    fn refusals(&mut self) {
        let machine = self.machine.clone();
        let at = |name: &str| address(Region::Registers, find(name).offset);
        let slot = |slot, lane| address(Region::Slots, slot_offset(&machine, slot, lane));
        let frame = |operation, payload: Vec<u8>| Frame { sequence: 200, operation, payload };
        let (slots, lanes) = (machine.slots, machine.slot_words());
        // Operations a bit away from those there are, and no others' numbers.
        let codes = (1..=3).flat_map(|code| (0..8).map(move |bit| code ^ 1 << bit)).chain([0, 0xFF]);
        let mut frames: Vec<Frame> =
            codes.filter(|code| !(1..=3).contains(code)).map(|code| frame(code, vec![])).collect();
        for length in 0..9 {
            (1..=3).for_each(|operation| frames.push(frame(operation, vec![0; length])));
        }
        let counts = [0, 1, 2, 27, 55, 56, 57, 58, 63, 64, 65, 66, 127, 128, 129, 192, 255];
        frames.extend(counts.map(|count| Frame::read(200, at("protocol"), count)));
        for bit in 0..24 {
            frames.extend(
                [at("protocol"), at("correct"), slot(1, 0), slot(slots - 1, lanes - 1)]
                    .map(|address| Frame::read(200, address ^ 1 << bit, 1)),
            );
            frames.push(Frame::read(200, address(Region::Array, 0) ^ 1 << bit, 1));
            frames.push(Frame::read(200, address(Region::Labels, 0) ^ 1 << bit, 1));
        }
        for count in 1..=4 {
            let words = vec![7; count];
            frames.push(Frame::write(200, slot(0, lanes - 1), &words));
            frames.push(Frame::write(200, slot(slots - 1, lanes - 2), &words));
            frames.push(Frame::write(200, address(Region::Labels, slots as u16 - 2), &words));
            frames.push(Frame::write(200, address(Region::Array, 1), &words));
            frames.push(Frame::read(200, at("correct"), count as u8));
        }
        // No strobe: where `control` is in the range, 0 is what is written.
        for offset in 0..REGISTER_WORDS {
            frames.push(Frame::write(200, address(Region::Registers, offset), &[0]));
            frames.push(Frame::write(200, address(Region::Registers, offset), &[0, 0]));
        }
        for offset in 0..96 {
            frames.push(Frame::read(200, address(Region::Array, offset), 1));
            frames.push(Frame::read(200, address(Region::Slots, offset), 1));
        }
        for frame in &mut frames {
            // Each with a number of its own, or writes would count as sent again.
            frame.sequence = self.next();
            self.steps.push(Step::Send(frame.encode()));
        }
        self.registers();
        for (region, offset, count) in self.ranges() {
            self.read(region, offset, count);
        }
    }

    /// One frame damaged in every way: no byte of it is lost on the link, and the next good frame works.
    fn damage(&mut self) {
        let wire = Frame::write(201, address(Region::Slots, 0), &[0xC0DB, 0x00C0, 0x1234]).encode();
        let mut damaged = Vec::new();
        for at in 0..wire.len() {
            let mut flipped = wire.clone();
            flipped[at] ^= 1 << (at % 8);
            damaged.push(flipped);
            let mut cut = wire.clone();
            cut.remove(at);
            damaged.push(cut);
            for byte in [END, ESC, 0x55] {
                let mut longer = wire.clone();
                longer.insert(at, byte);
                damaged.push(longer);
            }
            damaged.push(wire[..at].to_vec());
        }
        for length in [0usize, 1, 127, 128, 129, 130, 131, 132, 133, 200, 255] {
            damaged.push(of_any_length(length));
        }
        damaged.push(vec![END; 5]);
        damaged.push(vec![0x00; 300]);
        damaged.push(wire.repeat(3));
        for wire in damaged {
            self.steps.push(Step::Send(wire));
            self.read(Region::Slots, 0, 3);
        }
        self.registers();
    }

    /// A WRITE that comes again is acknowledged and not done again, whatever lies between.
    fn sequences(&mut self) {
        let label = address(Region::Labels, 0);
        self.send(&Frame::write(0, label, &[9]));
        self.send(&Frame::write(0, label, &[8]));
        for sequence in (0..8).flat_map(|bit| [1u8 << bit, 0xFF ^ 1 << bit]).chain([0, 0xFF, 0, 1]) {
            self.send(&Frame::write(sequence, label, &[u16::from(sequence)]));
            self.send(&Frame::write(sequence, label, &[0x5555]));
            self.send(&Frame::read(sequence, label, 1));
            if sequence.count_ones() < 2 {
                self.send(&Frame::write(sequence ^ 0x80, label, &[3]));
                self.send(&Frame::write(sequence, address(Region::Labels, 0x7000), &[3]));
                self.send(&Frame::write(sequence, label, &[4]));
            }
        }
        self.registers();
    }

    /// Load a problem's devices, and its first images and labels.
    pub(super) fn load(&mut self, problem: &Problem) {
        for (at, word) in array_words(problem).collect::<Vec<_>>() {
            self.write(Region::Array, at.offset(&self.machine.clone()), &[word]);
        }
        let slots = MOST_SLOTS.min(self.machine.slots).min(problem.images.nrows());
        for slot in 0..slots {
            let offset = slot_offset(&self.machine, slot, 0);
            self.write(Region::Slots, offset, &slot_words(problem, slot));
        }
        let labels: Vec<u16> = problem.labels.iter().map(|label| label.map_or(NO_LABEL, u16::from)).collect();
        self.write(Region::Labels, 0, &labels[..slots]);
    }

    /// Checksums of every region, of every number of slots, from every slot, past the last one.
    fn checksums(&mut self, problem: &Problem) {
        self.load(problem);
        let (slots, some) = (self.machine.slots as u16, self.machine.slots.min(MOST_SLOTS) as u16);
        for region in 0..4 {
            let ranges = (0..=some).map(|count| (0, count)).chain((0..some).map(|first| (first, 3)));
            let ranges = ranges.chain([(slots - 1, some), (slots / 2, some)]);
            for (first, count) in ranges.filter(|range| region > 1 || *range == (0, 0)).collect::<Vec<_>>() {
                self.set("first_slot", &[first, count]);
                self.set("checksum_region", &[region]);
                self.set("control", &[CONTROL_CHECKSUM]);
                self.read(Region::Registers, find("status").offset, 12);
            }
        }
        // Words of all ones, so that the sums carry.
        for (region, offset, count) in self.ranges() {
            self.write(region, offset, &vec![0xFFFF; count]);
        }
        self.set("first_slot", &[0, some]);
        for region in [2, 3, 2, 1] {
            self.set("checksum_region", &[region]);
            self.set("control", &[CONTROL_CHECKSUM]);
            self.registers();
        }
    }

    /// Runs by switch and by strobe, results everywhere, the button in the middle, and what is refused meanwhile.
    fn switch_and_button(&mut self, problem: &Problem) {
        self.load(problem);
        let (slots, some) = (self.machine.slots as u16, self.machine.slots.min(MOST_SLOTS) as u16);
        let ranges = self.ranges();
        self.set("image_count", &[some]);
        let toggle = |writer: &mut Self, on| {
            writer.steps.push(Step::StartSwitch(on));
            writer.steps.push(Step::Send(Vec::new()));
            writer.registers();
        };
        // On twice starts one run only.
        for on in [true, true, false, true, false] {
            toggle(self, on);
        }
        // Both strobes, and each with clear.
        for control in [2, 1, 3, 4, 5, 6, 7] {
            self.set("control", &[control]);
            self.registers();
        }
        // The answer to a READ is taken when four bytes of it are sent: a run has to last as long. A machine with too few
        // slots for such a run is not busy then, and golden, which answers in no time, would say that it is.
        let (byte_clocks, step) = (self.machine.link.clocks_per_byte(), self.machine.steps_per_image());
        let images = (6 * byte_clocks as usize).div_ceil(step).clamp(usize::from(some), usize::from(slots));
        let lasts = run_cycles(&self.machine, images as u64) > SWITCH_CLOCKS + 4 * byte_clocks;
        self.set("image_count", &[images as u16]);
        // The last byte of a frame comes while a run is under way.
        let busy = [
            Frame::write(self.next(), address(Region::Slots, 0), &[7]),
            Frame::write(self.next(), address(Region::Labels, 0), &[7]),
            Frame::write(self.next(), address(Region::Array, 0), &[7]),
            Frame::read(self.next(), address(Region::Slots, 0), 1),
            Frame::read(self.next(), address(Region::Array, 0), 1),
            Frame::read(self.next(), address(Region::Labels, 0), 1),
            Frame::read(self.next(), address(Region::Registers, find("status").offset), 1),
            Frame::write(self.next(), address(Region::Registers, find("mode").offset), &[1]),
            Frame::write(self.next(), address(Region::Registers, find("control").offset), &[2]),
            Frame::identify(self.next()),
        ];
        for frame in busy.into_iter().filter(|_| lasts) {
            let wire = frame.encode();
            let (last, first) = wire.split_last().expect("a frame is not empty");
            self.steps.push(Step::Feed(first.to_vec()));
            self.steps.push(Step::StartSwitch(true));
            self.steps.push(Step::Wait(SWITCH_CLOCKS));
            self.steps.push(Step::Send(vec![*last]));
            self.steps.push(Step::StartSwitch(false));
            self.registers();
        }
        // The button: while nothing runs, with the switch on, and in the middle of a run.
        for switch in [false, true] {
            self.set("mode", &[MODE_STORE, 2, 1, 3, 2]);
            toggle(self, switch);
            self.steps.push(Step::ResetButton(true));
            self.registers();
            self.set("mode", &[1, 1, 1, 1, 1]);
            self.set("control", &[CONTROL_START]);
            self.registers();
            self.steps.push(Step::StartSwitch(false));
            self.steps.push(Step::ResetButton(false));
            self.registers();
            self.set("mode", &[0, 0, some, 0, 0]);
            toggle(self, true);
            toggle(self, false);
        }
        self.steps.push(Step::StartSwitch(true));
        self.steps.push(Step::Wait(SWITCH_CLOCKS));
        self.steps.push(Step::ResetButton(true));
        self.steps.push(Step::Send(Vec::new()));
        self.steps.push(Step::ResetButton(false));
        toggle(self, false);
        // Results from each slot on, past the last.
        for (first, count, result) in [(0, 4, 8), (3, 5, 3), (slots - 2, 4, slots - 2), (1, 2, slots - 1), (5, 1, 0)] {
            self.load(problem);
            self.set("mode", &[MODE_STORE, first, count, result]);
            self.set("control", &[CONTROL_START]);
            self.registers();
            for (region, offset, count) in ranges.iter().filter(|range| range.0 == Region::Slots) {
                self.read(*region, *offset, *count);
            }
        }
    }

    /// Many runs: counters grow, and every number of images ends where it should.
    fn many_runs(&mut self, problem: &Problem) {
        self.load(problem);
        for count in 0..2 * self.machine.slots.min(MOST_SLOTS) as u16 {
            self.set("image_count", &[count]);
            self.set("control", &[CONTROL_START]);
            self.read(Region::Registers, find("status").offset, usize::from(REGISTER_WORDS - find("status").offset));
        }
        for _ in 0..MANY_STARTS {
            self.set("control", &[CONTROL_START]);
        }
        self.registers();
    }
}

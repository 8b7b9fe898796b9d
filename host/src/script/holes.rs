//! Scripts that mutants asked for: what each does, no problem had done before.

use bitline_golden::link::{END, Frame};
use bitline_golden::registers::*;

use super::writer::{SWITCH_CLOCKS, Writer};
use super::{MOST_SLOTS, Step};
use crate::comparison::expect;
use crate::problem::Problem;
use crate::procedure::slot_words;

/// Damaged frames, and writes that come again, of the script for counters.
const COUNTED_FRAMES: usize = 20;
/// Clocks of a run in which the script for aborts presses the button, one in each.
const ABORTS: u64 = 40;
/// Longest pause between two bytes, in clocks.
const PAUSES: u64 = 5;
/// Clocks after a frame's last byte in which the machine has seen its end.
const FRAME_CLOCKS: u64 = 48;
/// Words before the end of a memory that frames start from.
const MOST_WORDS_BACK: usize = 4;
/// Times of the switch after a frame, sixteen clocks apart.
const WAITS: u64 = 8;

impl Writer {
    /// Every counter counts a little and is read each time, is cleared, and counts again.
    pub(super) fn counting(&mut self, problem: &Problem) {
        let some = self.machine.slots.min(MOST_SLOTS) as u16;
        self.registers();
        for _ in 0..COUNTED_FRAMES {
            self.steps.push(Step::Send(vec![END, 0, END]));
            self.registers();
            let write = Frame::write(self.next(), address(Region::Labels, 0), &[1]);
            (0..2).for_each(|_| self.send(&write));
            self.registers();
        }
        self.load(problem);
        for count in [1, 1, some] {
            self.set("image_count", &[count]);
            for _ in 0..4 {
                self.set("control", &[CONTROL_START]);
                self.registers();
            }
        }
        for control in [CONTROL_CLEAR, CONTROL_START] {
            self.set("control", &[control]);
            self.registers();
        }
    }

    /// Labels a bit away from the class that an image has, for each bit: `correct` counts none of them.
    pub(super) fn labels(&mut self, problem: &Problem) -> Option<()> {
        self.load(problem);
        let some = self.machine.slots.min(MOST_SLOTS).min(problem.images.nrows());
        let classes = expect(&problem.clone().first(some)).ok()?.classes;
        self.set("image_count", &[some as u16]);
        for flip in (0..=16).map(|bit| (1u32 << bit) as u16) {
            let labels: Vec<u16> = classes.iter().map(|class| class ^ flip).collect();
            self.write(Region::Labels, 0, &labels);
            self.set("control", &[CONTROL_START]);
            self.registers();
        }
        Some(())
    }

    /// The button for that many clocks, from each clock of a run on: what is in the pipeline then is not counted.
    pub(super) fn aborts(&mut self, problem: &Problem, clocks: u64) {
        self.load(problem);
        for clock in 0..ABORTS {
            self.set("image_count", &[self.machine.slots.min(MOST_SLOTS) as u16]);
            self.steps.push(Step::StartSwitch(true));
            self.steps.push(Step::Wait(SWITCH_CLOCKS + clock));
            self.steps.push(Step::ResetButton(true));
            self.steps.push(Step::Wait(clocks));
            self.steps.push(Step::ResetButton(false));
            self.steps.push(Step::Send(Vec::new()));
            self.steps.push(Step::StartSwitch(false));
            self.read(Region::Registers, find("status").offset, usize::from(REGISTER_WORDS - find("status").offset));
        }
    }

    /// The switch, while a frame is answered, a run or a checksum is under way, or the button is down: what it starts waits.
    pub(super) fn switch_waits(&mut self, problem: &Problem) {
        let machine = self.machine.clone();
        let some = machine.slots.min(MOST_SLOTS) as u16;
        self.load(problem);
        self.set("first_slot", &[0, some]);
        self.set("checksum_region", &[Region::Slots as u16]);
        let control = address(Region::Registers, find("control").offset);
        for clocks in (0..WAITS).map(|k| FRAME_CLOCKS + 16 * k) {
            let frames = [
                Frame::read(self.next(), address(Region::Slots, 0), machine.slot_words() as u8),
                Frame::write(self.next(), control, &[CONTROL_START]),
                Frame::write(self.next(), control, &[CONTROL_CHECKSUM]),
            ];
            for frame in frames {
                self.steps.push(Step::Feed(frame.encode()));
                self.steps.push(Step::Wait(clocks));
                self.switch_once();
            }
        }
        self.steps.push(Step::ResetButton(true));
        self.steps.push(Step::StartSwitch(true));
        self.registers();
        self.steps.push(Step::ResetButton(false));
        self.switch_once();
    }

    /// The switch on, all that it starts awaited, and off.
    fn switch_once(&mut self) {
        self.steps.push(Step::StartSwitch(true));
        self.steps.push(Step::Send(Vec::new()));
        self.registers();
        self.steps.push(Step::StartSwitch(false));
        self.registers();
    }

    /// Checksums of ones in all bits of each number of slots, once around and further: the sums have other high bits each.
    pub(super) fn sums(&mut self) {
        let machine = self.machine.clone();
        let some = machine.slots.min(MOST_SLOTS);
        for slot in 0..some {
            let words = vec![0xFFFF; machine.slot_words()];
            self.write(Region::Slots, slot_offset(&machine, slot, 0), &words);
        }
        self.set("checksum_region", &[Region::Slots as u16]);
        for count in 1..2 * some {
            self.set("first_slot", &[0, count as u16]);
            self.set("control", &[CONTROL_CHECKSUM]);
            self.read(Region::Registers, find("checksum").offset, 4);
        }
    }

    /// A frame whose first byte comes while the one before is answered, and whose others come after the reply: that byte is
    /// kept, for none came after it.
    pub(super) fn held_byte(&mut self) {
        for label in [0x00C0, 0x0102] {
            let first = Frame::read(self.next(), address(Region::Labels, 0), 1).encode();
            let second = Frame::write(self.next(), address(Region::Labels, 0), &[label]).encode();
            // The END between the two is the first one's.
            let (held, rest) = second[1..].split_at(1);
            self.steps.push(Step::Feed([&first, held].concat()));
            self.steps.push(Step::Send(Vec::new()));
            self.steps.push(Step::Send(rest.to_vec()));
            self.read(Region::Labels, 0, 1);
        }
        self.registers();
    }

    /// Reads and writes from each of the last words of each memory on, to its end and past it.
    pub(super) fn ends(&mut self) {
        let ranges = self.ranges();
        let last = |region| ranges.iter().rfind(|range| range.0 == region).copied();
        let lasts: Vec<_> = [Region::Array, Region::Slots, Region::Labels].into_iter().filter_map(last).collect();
        for &(region, offset, count) in &lasts {
            for back in 1..=count.min(MOST_WORDS_BACK) {
                let first = offset + (count - back) as u16;
                for words in 1..=MOST_WORDS_BACK + 1 {
                    self.write(region, first, &vec![(16 * back + words) as u16; words]);
                    self.read(region, first, words);
                }
            }
            self.read(region, offset, count);
        }
        self.registers();
    }

    /// Frames whose bytes come with a few clocks between them, escaped ones among them.
    pub(super) fn pauses(&mut self) {
        for clocks in 1..=PAUSES {
            let wire = Frame::write(self.next(), address(Region::Labels, 0), &[0xC0DB, 0xDBC0, 0xDDDC]).encode();
            let (last, first) = wire.split_last().expect("a frame is not empty");
            for byte in first {
                self.steps.push(Step::Feed(vec![*byte]));
                self.steps.push(Step::Wait(clocks));
            }
            self.steps.push(Step::Send(vec![*last]));
            self.read(Region::Labels, 0, 3);
        }
        self.registers();
    }

    /// Ones in all bits of a slot that are none of its image's: no run counts them.
    pub(super) fn leftovers(&mut self, problem: &Problem) {
        self.load(problem);
        let machine = self.machine.clone();
        let slots = machine.slots.min(MOST_SLOTS).min(problem.images.nrows());
        let bits = machine.inputs() * machine.input_bits;
        for slot in 0..slots {
            let image = slot_words(problem, slot);
            let word = |lane: usize| {
                let ones = (0..16).filter(|bit| 16 * lane + bit >= bits).fold(0u16, |ones, bit| ones | 1 << bit);
                image.get(lane).copied().unwrap_or_default() | ones
            };
            let words: Vec<u16> = (0..machine.slot_words()).map(word).collect();
            self.write(Region::Slots, slot_offset(&machine, slot, 0), &words);
        }
        for count in [1, slots as u16] {
            self.set("mode", &[0, 0, count]);
            self.set("control", &[CONTROL_START]);
            self.registers();
        }
    }
}

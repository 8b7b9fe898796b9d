//! Two machines side by side, given the same bytes, must answer the same bytes.

use std::collections::VecDeque;

use bitline_golden::link::{Decoder, Frame, IDENTIFY, READ, WRITE};
use bitline_golden::machine::Machine;
use bitline_golden::random::stream;
use bitline_golden::registers::{self, ArrayAddress, REGISTER_WORDS, Region, slot_offset};
use bitline_golden::virtual_machine::VirtualMachine;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::noisy_port::{FAULTS, damage};

/// A frame that is likely to be good, and almost as likely to be refused for any of the reasons there are.
pub fn random_frame(machine: &Machine, random: &mut ChaCha8Rng) -> Frame {
    let mut pick = |count: usize| random.random_range(0..count as u32) as usize;
    // A small set of sequence numbers, so that they repeat.
    let sequence = pick(4) as u8;
    let (region, offset, most) = match pick(6) {
        0 | 1 => {
            let (column, row_group) = (pick(machine.columns()), pick(machine.row_groups()));
            let address = ArrayAddress { column, row_group, word: pick(machine.array_words()) };
            (Region::Array, address.offset(machine), machine.array_words() - address.word)
        }
        2 | 3 => {
            let lane = pick(machine.slot_words());
            (Region::Slots, slot_offset(machine, pick(machine.slots), lane), machine.slot_words() - lane)
        }
        4 => {
            let label = pick(machine.slots);
            (Region::Labels, label as u16, machine.slots - label)
        }
        _ => {
            let first = pick(usize::from(REGISTER_WORDS));
            (Region::Registers, first as u16, usize::from(REGISTER_WORDS) - first)
        }
    };
    let count = 1 + pick(most.min(registers::find("status").offset as usize));
    let address = registers::address(region, offset);
    let words: Vec<u16> = (0..count).map(|_| [0, 1, 3, 7, 0xFFFF, pick(1 << 16) as u16][pick(6)]).collect();
    match pick(24) {
        0..=8 => Frame::write(sequence, address, &words),
        9..=16 => Frame::read(sequence, address, count as u8),
        17 => Frame::identify(sequence),
        // Control, or modes for runs of few images whose results land on the images they came from.
        18 => Frame::write(sequence, register("control"), &[pick(8) as u16]),
        19 | 20 => {
            let (mode, first, count, region) = (pick(2), pick(machine.slots), pick(machine.slots), pick(4));
            let words = [mode, first, count, first, region].map(|word| word as u16);
            Frame::write(sequence, register("mode"), &words)
        }
        21 => Frame::read(sequence, pick(1 << 24) as u32, pick(80) as u8),
        22 => Frame::write(sequence, pick(1 << 24) as u32, &words[..1]),
        _ => {
            let operation = [IDENTIFY, READ, WRITE, pick(256) as u8][pick(4)];
            let payload = (0..pick(12)).map(|_| pick(256) as u8).collect();
            Frame { sequence, operation, payload }
        }
    }
}

fn register(name: &str) -> u32 {
    registers::address(Region::Registers, registers::find(name).offset)
}

/// Hand bytes to a machine, let it finish whatever they start, and take what it says.
pub fn answer(machine: &mut dyn VirtualMachine, bytes: &[u8]) -> Vec<u8> {
    let mut input: VecDeque<u8> = bytes.iter().copied().collect();
    let mut output = Vec::new();
    // To the end of whatever the bytes start.
    while machine.advance(&mut input, &mut output, 1 << 16) == 1 << 16 {}
    output
}

fn frames(bytes: &[u8]) -> String {
    let mut decoder = Decoder::default();
    let frames: Vec<_> = bytes.iter().filter_map(|byte| decoder.push(*byte)).collect();
    format!("{frames:?}")
}

/// Keep a WRITE from starting a run whose results fall on images it has yet to read, which is not defined: where the
/// frame sets modes by chance, storing is off; and keep it from starting anything together with modes, which
/// `control_acts_after_the_other_words_of_its_write` tests.
fn tame(frame: &mut Frame, machine: &Machine) {
    let (control, mode) = (usize::from(registers::find("control").offset), usize::from(registers::find("mode").offset));
    let modes = mode..mode + 5;
    if frame.operation != WRITE || frame.payload.len() < 5 || frame.payload[2] != Region::Registers as u8 {
        return;
    }
    let first = usize::from(u16::from_le_bytes([frame.payload[0], frame.payload[1]]));
    let words = (frame.payload.len() - 3) / 2;
    let is_whole = first == mode && words == modes.len();
    if is_whole {
        // Results land on the images they came from, and no slot comes up twice.
        frame.payload.copy_within(5..7, 9);
        let count = u16::from_le_bytes([frame.payload[7], frame.payload[8]]) % (machine.slots as u16 + 1);
        frame.payload[7..9].copy_from_slice(&count.to_le_bytes());
    }
    for offset in first..first + words {
        let low = 3 + 2 * (offset - first);
        if offset == control && words > 1 {
            frame.payload[low] &= registers::CONTROL_CLEAR as u8;
        }
        if offset == mode && !is_whole {
            frame.payload[low] &= !(registers::MODE_STORE as u8);
        }
        // Long runs say no more than short ones.
        if offset == mode + 2 {
            frame.payload[low + 1] = 0;
        }
        // Slots that change without the mode would leave a mode that stores behind.
        if modes.contains(&offset) && !is_whole && first > mode && offset < modes.end - 1 {
            frame.payload[..3].copy_from_slice(&register("checksum_region").to_le_bytes()[..3]);
            frame.payload.truncate(5);
            return;
        }
    }
}

/// Give both machines `count` random frames, some of them damaged, and compare the answers byte for byte.
///
/// Each frame's work is finished before the next is sent, so that engines of different speed can be compared.
///
/// # Panics
/// At the first answer that differs, with the frame, its number and the seed.
pub fn compare(
    left: &mut dyn VirtualMachine,
    right: &mut dyn VirtualMachine,
    machine: &Machine,
    seed: u64,
    count: usize,
) {
    let mut random = stream("differential", seed);
    for number in 0..count {
        let mut frame = random_frame(machine, &mut random);
        tame(&mut frame, machine);
        let mut wire = frame.encode();
        if random.random_bool(0.1) {
            let fault = FAULTS[random.random_range(0..FAULTS.len() as u32) as usize];
            damage(fault, &mut wire, &mut random);
        }
        let (a, b) = (answer(left, &wire), answer(right, &wire));
        assert!(
            a == b,
            "seed {seed}, frame {number}: {frame:?} on the wire as {wire:02x?}\n  {}: {}\n  {}: {}",
            left.description(),
            frames(&a),
            right.description(),
            frames(&b)
        );
        assert_eq!(left.leds(), right.leds(), "seed {seed}, frame {number}: {frame:?}");
    }
}

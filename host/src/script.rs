//! Scripted exchanges: bytes, switch and button that no run of a problem brings about, held against golden's board byte
//! by byte.
//!
//! A run sends good frames only. These send the others: frames to be refused, damaged and doubled ones, words of every
//! register and memory, starts by the switch, resets in the middle.

mod holes;
mod writer;

use std::collections::VecDeque;

use bitline_golden::board_model::ModelBoard;
use bitline_golden::link::{Decoder, END};
use bitline_golden::registers::ArrayAddress;
use bitline_golden::timing::run_cycles;
use bitline_golden::virtual_machine::VirtualMachine;

pub use writer::script;

/// Clocks that a machine may take for a frame beyond those of the bytes each way and of what it starts.
const MARGIN_CLOCKS: u64 = 256;
/// Most images of a scripted run, and most slots it loads.
const MOST_SLOTS: usize = 16;

/// One thing that is done to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send bytes, wait for the answer and the end of what was started, and compare what was answered and the LEDs.
    Send(Vec<u8>),
    /// Send bytes and go on when the last of them is on the wire.
    Feed(Vec<u8>),
    /// Let clocks pass.
    Wait(u64),
    /// Set the start switch.
    StartSwitch(bool),
    /// Set the reset button.
    ResetButton(bool),
}

/// The scripts, in this order.
pub const SCRIPTS: [&str; 17] = [
    "words",
    "random",
    "refusals",
    "damage",
    "sequences",
    "checksums",
    "switch-and-button",
    "many-runs",
    "aborts",
    "labels",
    "pauses",
    "leftovers",
    "short-aborts",
    "sums",
    "switch-waits",
    "held-byte",
    "ends",
];

/// The script for machines whose counters do not start at 0.
pub const COUNTING: &str = "counting";

/// Take a machine, on whose wire a byte takes `byte_clocks`, through a script beside golden's board, both at power-on; gives
/// back the first difference, and the bytes and LEDs compared.
pub fn compare(
    mut model: ModelBoard,
    steps: &[Step],
    hardware: &mut dyn VirtualMachine,
    byte_clocks: u64,
) -> (Option<String>, usize) {
    let machine = &model.machine().clone();
    let images = 2 * MOST_SLOTS.min(machine.slots);
    let longest = [
        run_cycles(machine, images as u64),
        (images * machine.slot_words()) as u64,
        ArrayAddress::all(machine).count() as u64,
    ];
    let quiet = 256 + longest.into_iter().max().unwrap_or_default();
    let (mut ours, mut golden) = (Vec::new(), Vec::new());
    let mut compared = 0;
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::StartSwitch(on) => {
                hardware.set_start_switch(*on);
                model.set_start_switch(*on);
            }
            Step::ResetButton(pressed) => {
                hardware.set_reset_button(*pressed);
                model.set_reset_button(*pressed);
            }
            Step::Feed(bytes) => {
                let clocks = bytes.len() as u64 * byte_clocks;
                hardware.advance(&mut bytes.iter().copied().collect(), &mut ours, clocks);
                model.advance(&mut bytes.iter().copied().collect(), &mut golden, clocks);
            }
            Step::Wait(clocks) => {
                hardware.advance(&mut VecDeque::new(), &mut ours, *clocks);
                model.advance(&mut VecDeque::new(), &mut golden, *clocks);
            }
            Step::Send(bytes) => {
                // A frame that comes while the one before it is answered may be lost on a wire, and golden has no time.
                // So an END, which may end what was damaged, is given time to be answered.
                let whole = [&bytes[..]];
                let pieces = bytes.split_inclusive(|byte| *byte == END);
                for piece in pieces.chain(whole.into_iter().filter(|whole| whole.is_empty())) {
                    let (before, sending) = (golden.len(), piece.len() as u64 * byte_clocks);
                    let jobs = settle(&mut model, piece, &mut golden, sending + quiet);
                    let answering = (golden.len() - before) as u64 * byte_clocks;
                    settle(hardware, piece, &mut ours, sending + jobs + answering + MARGIN_CLOCKS);
                    // One that is slower gets more time, as long as it says something.
                    let mut said = 0;
                    while ours.len() < golden.len() && ours.len() > said {
                        said = ours.len();
                        settle(hardware, &[], &mut ours, quiet);
                    }
                }
                compared += golden.len() + 1;
                let told = |text: String| (Some(format!("step {at}, {bytes:02x?}: {text}")), compared);
                if ours != golden {
                    return told(format!("the machine answers {}, golden {}", frames(&ours), frames(&golden)));
                }
                if hardware.leds() != model.leds() {
                    return told(format!("the LEDs show {:#b}, golden's {:#b}", hardware.leds(), model.leds()));
                }
                ours.clear();
                golden.clear();
            }
        }
    }
    (None, compared)
}

/// Hand bytes to a machine and let clocks pass; gives back how many did until nothing was under way.
fn settle(machine: &mut dyn VirtualMachine, bytes: &[u8], output: &mut Vec<u8>, clocks: u64) -> u64 {
    machine.advance(&mut bytes.iter().copied().collect(), output, clocks)
}

fn frames(bytes: &[u8]) -> String {
    let mut decoder = Decoder::default();
    let frames: Vec<_> = bytes.iter().filter_map(|byte| decoder.push(*byte)).collect();
    if frames.is_empty() { format!("{bytes:02x?}") } else { format!("{frames:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitline_golden::link::Frame;
    use bitline_golden::machine::Machine;
    use bitline_golden::registers::{Region, address};

    use crate::engine::{Engine, EngineOptions, start};

    /// Frames that a machine answers to bytes, all of which stand at its serial pins at once.
    fn answers(machine: &mut dyn VirtualMachine, bytes: &[u8]) -> Vec<Frame> {
        let (mut decoder, mut output) = (Decoder::default(), Vec::new());
        settle(machine, bytes, &mut output, 20_000);
        output.iter().filter_map(|byte| decoder.push(*byte)).map(|frame| frame.expect("a whole frame")).collect()
    }

    #[test]
    fn frame_is_lost_while_one_is_answered_and_the_next_works() {
        let tiny = Machine::named("tiny").unwrap();
        let options = EngineOptions { engine: Engine::Rusthdl, wire: true, ..EngineOptions::default() };
        let mut wire = start(&tiny, &options, None).unwrap();
        let mut model = ModelBoard::new(tiny.clone(), 0).unwrap();
        let read = |sequence| Frame::read(sequence, address(Region::Registers, 0), 4).encode();
        let sequences = |frames: Vec<Frame>| frames.iter().map(|frame| frame.sequence).collect::<Vec<_>>();
        let two = [read(1), read(2)].concat();
        assert_eq!(sequences(answers(&mut model, &two)), [1, 2]);
        assert_eq!(sequences(answers(&mut *wire, &two)), [1]);
        // What is left of the second one is ended by the next frame's first END, as garbage is.
        answers(&mut *wire, &[END]);
        assert_eq!(sequences(answers(&mut *wire, &read(3))), [3]);
        let after_garbage = [vec![0x55], read(4)].concat();
        assert_eq!(sequences(answers(&mut model, &after_garbage)), [0, 4]);
        // What passes by while the garbage is refused is missing of the frame, which is refused as damaged then.
        assert_eq!(sequences(answers(&mut *wire, &after_garbage)), [0, 0]);
        assert_eq!(sequences(answers(&mut *wire, &read(5))), [5]);
    }

    #[test]
    fn compare_names_the_step_in_which_a_machine_differs() {
        let tiny = Machine::named("tiny").unwrap();
        let steps = [Step::Send(Vec::new()), Step::Send(Frame::read(1, address(Region::Registers, 17), 1).encode())];
        let board = |hash| ModelBoard::new(tiny.clone(), hash).unwrap();
        assert_eq!(compare(board(1), &steps, &mut board(1), 40).0, None);
        let (difference, _) = compare(board(1), &steps, &mut board(2), 40);
        assert!(difference.unwrap().starts_with("step 1, [c0, "));
        assert_eq!(
            compare(board(1), &steps[..1], &mut board(1).with_counts(1), 40).0.unwrap(),
            "step 0, []: the LEDs show 0b1, golden's 0b0"
        );
    }
}

use super::*;
use crate::link::{CRC_RESIDUE, END, IDENTIFY, READ};
use crate::registers::{Region, address, class_lane, margin_lane, pack_image, slot_offset};
use ndarray::array;

fn board(name: &str) -> ModelBoard {
    ModelBoard::new(Machine::named(name).unwrap(), 0x0123_4567_89AB_CDEF).unwrap()
}

fn replies(board: &mut ModelBoard, wire: &[u8], clocks: u64) -> Vec<Frame> {
    let (mut input, mut output) = (wire.iter().copied().collect(), Vec::new());
    board.advance(&mut input, &mut output, clocks);
    let mut decoder = Decoder::default();
    output.into_iter().filter_map(|byte| decoder.push(byte)).map(Result::unwrap).collect()
}

fn ask(board: &mut ModelBoard, frame: Frame) -> Frame {
    let wire = frame.encode();
    let mut replies = replies(board, &wire, wire.len() as u64);
    assert_eq!(replies.len(), 1);
    replies.remove(0)
}

fn register(name: &str) -> u32 {
    address(Region::Registers, find(name).offset)
}

fn value(board: &ModelBoard, name: &str) -> u64 {
    let words = board.peek(register(name), usize::from(find(name).words)).unwrap();
    words.iter().rev().fold(0, |value, word| value << 16 | u64::from(*word))
}

fn write(board: &mut ModelBoard, sequence: u8, address: u32, words: &[u16]) {
    let reply = ask(board, Frame::write(sequence, address, words));
    assert_eq!(reply, Frame { sequence, operation: 0x83, payload: vec![] });
}

fn refusal(frame: &Frame) -> Option<Refusal> {
    (frame.operation == REFUSED).then(|| Refusal::from_code(frame.payload[0]).unwrap())
}

fn wait(board: &mut ModelBoard) -> u64 {
    board.advance(&mut VecDeque::new(), &mut Vec::new(), u64::MAX >> 1)
}

#[test]
fn identify_answers_name_sizes_hash_and_counts_itself() {
    let mut board = board("digits");
    let reply = ask(&mut board, Frame::identify(9));
    assert_eq!((reply.sequence, reply.operation), (9, IDENTIFY | REPLY));
    let words = reply.words();
    assert_eq!(words.len(), usize::from(IDENTIFY_WORDS));
    assert_eq!(words[0], 1);
    assert_eq!(words[1..4], [u16::from_le_bytes(*b"di"), u16::from_le_bytes(*b"gi"), u16::from_le_bytes(*b"ts")]);
    assert_eq!(words[4..9], [0; 5]);
    assert_eq!(words[9..17], [65, 10, 5 << 8 | 4, 65, 5, 2, 256, 7]);
    assert_eq!(words[17..21], [0xCDEF, 0x89AB, 0x4567, 0x0123]);
    assert_eq!(words[21..], [1, 0, 0, 0, 0, 0]);
}

#[test]
fn bad_frames_are_refused_with_sequence_0_and_counted() {
    let mut board = board("tiny");
    let mut wire = Frame::identify(5).encode();
    wire[2] ^= 1;
    let got = replies(&mut board, &wire, 100);
    assert_eq!(got, [Frame { sequence: 0, operation: REFUSED, payload: vec![Refusal::BadCrc as u8] }]);
    let got = replies(&mut board, &[1, 2, 3, END], 100);
    assert_eq!(got, [Frame { sequence: 0, operation: REFUSED, payload: vec![Refusal::BadLength as u8] }]);
    assert_eq!((value(&board, "frames_bad"), value(&board, "frames_ok")), (2, 0));
    assert_eq!(CRC_RESIDUE, 0xDEBB_20E3);
}

#[test]
fn write_with_the_last_sequence_is_acknowledged_and_not_executed() {
    let mut board = board("tiny");
    let labels = address(Region::Labels, 3);
    write(&mut board, 0, labels, &[7]);
    write(&mut board, 0, labels, &[8]);
    assert_eq!(board.peek(labels, 1).unwrap(), [7]);
    assert_eq!((value(&board, "frames_ok"), value(&board, "frames_resent")), (2, 1));
    write(&mut board, 1, labels, &[8]);
    assert_eq!(board.peek(labels, 1).unwrap(), [8]);
    // Its address is not looked at any more, its length is.
    write(&mut board, 1, 0xFF_0000, &[1]);
    assert_eq!(value(&board, "frames_resent"), 2);
    let short = Frame { sequence: 1, operation: WRITE, payload: vec![0; 3] };
    assert_eq!(refusal(&ask(&mut board, short)), Some(Refusal::BadLength));
    assert_eq!((value(&board, "frames_resent"), value(&board, "frames_ok")), (2, 5));
}

#[test]
fn refused_write_is_judged_again_when_it_is_sent_again() {
    let mut board = board("tiny");
    for resent in 0..2 {
        let reply = ask(&mut board, Frame::write(4, register("rows"), &[1]));
        assert_eq!((reply.sequence, refusal(&reply)), (4, Some(Refusal::ReadOnly)), "{resent}");
    }
    assert_eq!((value(&board, "frames_ok"), value(&board, "frames_resent")), (2, 0));
}

#[test]
fn refused_write_changes_nothing() {
    let mut board = board("tiny");
    let before = board.clone();
    let modes = register("mode");
    for frame in [
        Frame::write(1, modes, &[1, 1, 1, 1, 1, 1, 1]),
        Frame::write(1, address(Region::Slots, 3), &[5, 6, 7]),
        Frame::write(1, address(Region::Labels, 15), &[5, 6]),
    ] {
        assert!(refusal(&ask(&mut board, frame)).is_some());
    }
    assert_eq!((board.slots.clone(), board.labels.clone()), (before.slots, before.labels));
    assert_eq!((board.modes, value(&board, "status")), (before.modes, 0));
}

#[test]
fn registers_keep_their_width_and_write_only_reads_0() {
    let mut board = board("tiny");
    write(&mut board, 1, register("mode"), &[0xFFFF, 0xFFFF, 0xFFFF, 8, 0xFFFF]);
    // Sixteen slots: four bits index them, five hold their number.
    assert_eq!(board.peek(register("mode"), 6).unwrap(), [1, 15, 31, 8, 3, 0]);
}

#[test]
fn array_bits_of_rows_that_do_not_exist_are_dropped() {
    let mut board = board("tiny");
    for (row_group, kept) in [(0, 0xF), (1, 0xF), (2, 1)] {
        let at = address(Region::Array, ArrayAddress { column: 8, row_group, word: 0 }.offset(board.machine()));
        write(&mut board, row_group as u8, at, &[0xFFFF]);
        assert_eq!(board.peek(at, 1).unwrap(), [kept]);
    }
    assert!((0..9).all(|row| board.array().get(row, 8)));
}

/// Two images of tiny, every weight +1: y = sum of codes + bias code 5.
fn load_two(board: &mut ModelBoard) {
    let machine = board.machine().clone();
    for output in 0..3 {
        for row_group in 0..3 {
            let at = ArrayAddress { column: 3 * output, row_group, word: 0 }.offset(&machine);
            write(board, (10 + 3 * output + row_group) as u8, address(Region::Array, at), &[0xF]);
        }
    }
    for (slot, codes) in [[1u8, 2, 3, 4, 5, 6, 7, 0], [0; 8]].iter().enumerate() {
        let at = address(Region::Slots, slot_offset(&machine, slot, 0));
        write(board, 30 + slot as u8, at, &pack_image(&machine, codes));
    }
    write(board, 40, address(Region::Labels, 0), &[0, 0xFFFF]);
}

#[test]
fn run_stores_results_and_counts() {
    let mut board = board("tiny");
    load_two(&mut board);
    write(&mut board, 50, register("mode"), &[1, 0, 2, 8]);
    write(&mut board, 51, register("control"), &[registers::CONTROL_START]);
    assert_eq!(value(&board, "status"), 1);
    assert_eq!(wait(&mut board), run_cycles(board.machine(), 2));
    let machine = board.machine().clone();
    let result = |slot| board.peek(address(Region::Slots, slot_offset(&machine, slot, 0)), 5).unwrap();
    assert_eq!((class_lane(&machine), margin_lane(&machine)), (3, 4));
    assert_eq!(result(8), [33, 33, 33, 0, 0]);
    assert_eq!(result(9), [5, 5, 5, 0, 0]);
    assert_eq!((value(&board, "images"), value(&board, "correct"), board.leds()), (2, 1, 1));
    assert_eq!(value(&board, "cycles"), run_cycles(&machine, 2));
    assert_eq!(value(&board, "macs"), 2 * 27);
    // A second run adds to the counters; a clear in the same word as a start comes first.
    write(&mut board, 52, register("control"), &[registers::CONTROL_START]);
    wait(&mut board);
    assert_eq!(value(&board, "images"), 4);
    write(&mut board, 53, register("control"), &[registers::CONTROL_START | registers::CONTROL_CLEAR]);
    wait(&mut board);
    assert_eq!(value(&board, "images"), 2);
}

#[test]
fn busy_refuses_memories_and_writes_and_serves_registers() {
    let mut board = board("tiny");
    write(&mut board, 1, register("image_count"), &[3000]);
    write(&mut board, 2, register("control"), &[registers::CONTROL_START]);
    // The acknowledgement may have been lost: the start is acknowledged again, and is not refused as busy.
    write(&mut board, 2, register("control"), &[registers::CONTROL_START]);
    for frame in [
        Frame::write(3, register("control"), &[registers::CONTROL_START]),
        Frame::write(3, register("mode"), &[0]),
        Frame::write(3, register("rows"), &[0]),
        Frame::read(3, address(Region::Labels, 0), 1),
        Frame::read(3, address(Region::Array, 0), 1),
        Frame::read(3, address(Region::Slots, 0), 1),
    ] {
        assert_eq!(refusal(&ask(&mut board, frame)), Some(Refusal::Busy));
    }
    assert_eq!(refusal(&ask(&mut board, Frame::read(3, address(Region::Labels, 16), 1))), Some(Refusal::BadAddress));
    let status = ask(&mut board, Frame::read(3, register("status"), 1));
    assert_eq!((status.operation, status.words()), (READ | REPLY, vec![1]));
    assert_eq!(ask(&mut board, Frame::identify(4)).operation, IDENTIFY | REPLY);
    wait(&mut board);
    write(&mut board, 5, register("mode"), &[0]);
}

#[test]
fn control_acts_after_the_other_words_of_its_write() {
    let mut board = board("tiny");
    write(&mut board, 1, register("mode"), &[0, 0, 3, 0, 0, registers::CONTROL_START]);
    wait(&mut board);
    assert_eq!(value(&board, "images"), 3);
}

#[test]
fn start_with_checksum_starts_the_run_only() {
    let mut board = board("tiny");
    write(&mut board, 1, register("control"), &[registers::CONTROL_START | registers::CONTROL_CHECKSUM]);
    assert_eq!(value(&board, "status"), u64::from(registers::STATUS_RUNNING));
    wait(&mut board);
    assert_eq!((value(&board, "cycles"), value(&board, "status")), (1, 0));
}

#[test]
fn checksums_cover_what_was_loaded() {
    let mut board = board("tiny");
    load_two(&mut board);
    let machine = board.machine().clone();
    let mut sequence = 60;
    let mut sum = |board: &mut ModelBoard, region: u16| {
        sequence += 2;
        write(board, sequence, register("first_slot"), &[0, 2, 0, region]);
        write(board, sequence + 1, register("control"), &[registers::CONTROL_CHECKSUM]);
        assert_eq!(value(board, "status"), u64::from(registers::STATUS_CHECKSUM));
        wait(board);
        value(board, "checksum")
    };
    let array = ArrayAddress::all(&machine).map(|at| match (at.column % 3, at.row_group) {
        (0, 2) => 1,
        (0, _) => 15,
        _ => 0,
    });
    assert_eq!(sum(&mut board, 1), registers::checksum(array));
    let image = pack_image(&machine, &[1, 2, 3, 4, 5, 6, 7, 0]);
    let mut slots = vec![0; 10];
    slots[..2].copy_from_slice(&image);
    assert_eq!(sum(&mut board, 2), registers::checksum(slots));
    assert_eq!(sum(&mut board, 3), registers::checksum([0, 0xFFFF]));
    assert_eq!(sum(&mut board, 0), 0);
}

#[test]
fn slots_of_a_run_wrap() {
    let mut board = board("tiny");
    load_two(&mut board);
    write(&mut board, 50, register("mode"), &[1, 15, 3, 14]);
    write(&mut board, 51, register("control"), &[registers::CONTROL_START]);
    wait(&mut board);
    // Images of slots 15, 0, 1; results in 14, 15, 0.
    let machine = board.machine().clone();
    let result = |slot| board.peek(address(Region::Slots, slot_offset(&machine, slot, 0)), 5).unwrap();
    assert_eq!((result(14)[0], result(15)[0], result(0)[0]), (5, 33, 5));
}

#[test]
fn start_switch_starts_one_run_until_it_is_released() {
    let machine = Machine::named("tiny").unwrap();
    let mut board = board("tiny")
        .with_contents(
            DeviceArray::new(9, 9),
            &array![[0, 0, 0, 0, 0, 0, 0, 0], [7, 7, 7, 7, 7, 7, 7, 7]],
            &[Some(0), None],
        )
        .unwrap();
    assert_eq!(value(&board, "image_count"), 2);
    board.set_start_switch(true);
    assert_eq!(wait(&mut board), run_cycles(&machine, 2));
    assert_eq!(wait(&mut board), 0);
    assert_eq!((value(&board, "images"), board.leds()), (2, 1));
    board.set_start_switch(true);
    assert_eq!(wait(&mut board), 0);
    board.set_start_switch(false);
    board.set_start_switch(true);
    wait(&mut board);
    assert_eq!((value(&board, "images"), board.leds()), (4, 2));
}

#[test]
fn reset_button_aborts_and_clears_and_keeps_memories() {
    let mut board = board("tiny");
    load_two(&mut board);
    let before = (board.array.clone(), board.slots.clone(), board.labels.clone(), board.frames_ok);
    board.counters.correct = 5;
    write(&mut board, 50, register("mode"), &[1, 0, 2, 8]);
    write(&mut board, 51, register("control"), &[registers::CONTROL_START]);
    board.set_reset_button(true);
    assert_eq!((value(&board, "status"), board.leds(), value(&board, "image_count")), (0, 0, 0));
    write(&mut board, 52, register("image_count"), &[2]);
    board.set_start_switch(true);
    assert_eq!(wait(&mut board), 0);
    assert_eq!(value(&board, "image_count"), 0);
    board.set_reset_button(false);
    wait(&mut board);
    assert_eq!(board.counters(), Counters { cycles: 1, ..Counters::default() });
    assert_eq!((board.array, board.slots, board.labels, board.frames_ok), (before.0, before.1, before.2, before.3 + 3));
}

#[test]
fn flip_device_inverts_one_device_and_knows_its_bounds() {
    let mut board = board("tiny");
    assert!(board.flip_device(8, 8) && board.array().get(8, 8));
    assert!(!board.flip_device(9, 0) && !board.flip_device(0, 9));
}

#[test]
fn several_tiles_are_refused() {
    let machine = Machine { tiles: 2, ..Machine::named("tiny").unwrap() };
    assert_eq!(
        ModelBoard::new(machine, 0).unwrap_err().to_string(),
        "board model has 2 tiles, machine tiny takes 1; load a network made for this machine, or change the machine"
    );
}

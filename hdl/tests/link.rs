//! The gateware behind its link, beside the golden model of a board: the same bytes, the same answers.

mod support;

use bitline_golden::array::DeviceArray;
use bitline_golden::board_model::ModelBoard;
use bitline_golden::link::{END, ESC, Frame, REFUSED, Refusal};
use bitline_golden::machine::Machine;
use bitline_golden::registers::*;
use bitline_hdl::simulation::{SimulationOptions, build_hash, simulate};
use support::{Asker, Problem, Random};

/// Gateware and model of a machine, with a problem built in.
fn both(problem: &Problem) -> [Asker; 2] {
    let machine = &problem.machine;
    let options = SimulationOptions { contents: Some(problem.contents()), ..Default::default() };
    let model = ModelBoard::new(machine.clone(), build_hash(machine)).unwrap();
    let model = model.with_contents(problem.devices.clone(), &problem.images, &problem.labels).unwrap();
    [Asker::new(simulate(machine, options).unwrap()), Asker::new(Box::new(model))]
}

/// Every word of every region.
fn all_words(asker: &mut Asker, machine: &Machine) -> Vec<Vec<u16>> {
    let registers = asker.read(Region::Registers, 0, usize::from(REGISTER_WORDS));
    let mut words = vec![registers, asker.read(Region::Labels, 0, machine.slots.min(64))];
    for address in ArrayAddress::all(machine).filter(|address| address.word == 0) {
        words.push(asker.read(Region::Array, address.offset(machine), machine.array_words()));
    }
    for slot in 0..machine.slots {
        words.push(asker.read(Region::Slots, slot_offset(machine, slot, 0), machine.slot_words()));
    }
    words
}

fn refusal(replies: &[Frame]) -> Refusal {
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].operation, REFUSED);
    Refusal::from_code(replies[0].payload[0]).expect("a reason of the table")
}

#[test]
fn every_register_and_memory_word_reads_as_the_model_says() {
    for name in ["tiny", "digits", "digits-turbo"] {
        // Few slots, so that reading them all is quick.
        let machine = Machine { slots: 6, ..Machine::named(name).unwrap() };
        let problem = Problem::random(&machine, 3, 1);
        let [hardware, model] = both(&problem).map(|mut asker| {
            asker.identify();
            let start = all_words(&mut asker, &machine);
            asker.start(0, 3, Some(3));
            let checksums = [Region::Array, Region::Labels].map(|region| asker.checksum(region));
            (start, checksums, all_words(&mut asker, &machine))
        });
        assert_eq!(hardware.0, model.0, "{name} at power-on");
        assert_eq!(hardware.1, model.1, "{name}: checksums of array and labels after a run");
        assert_eq!(hardware.2, model.2, "{name} after a run");
    }
}

#[test]
fn slot_checksum_covers_every_lane() {
    for name in ["digits", "digits-turbo", "tiny"] {
        let machine = Machine { slots: 6, ..Machine::named(name).unwrap() };
        let [hardware, model] = both(&Problem::random(&machine, 3, 6)).map(|mut asker| asker.checksum(Region::Slots));
        assert_eq!(hardware, model, "{name}");
    }
}

#[test]
fn devices_of_rows_that_do_not_exist_read_zero() {
    for name in ["digits", "digits-turbo", "tiny"] {
        let machine = Machine::named(name).unwrap();
        let [hardware, model] = both(&Problem::random(&machine, 1, 7)).map(|mut asker| {
            let read_back = |address: ArrayAddress| {
                let offset = address.offset(&machine);
                asker.write(Region::Array, offset, &[0xFFFF]);
                (offset, asker.read(Region::Array, offset, 1))
            };
            ArrayAddress::all(&machine).filter(|address| address.column == 0).map(read_back).collect::<Vec<_>>()
        });
        assert_eq!(hardware, model, "{name}");
    }
}

#[test]
fn every_register_written_keeps_its_width() {
    let problem = Problem::random(&Machine::named("tiny").unwrap(), 2, 2);
    let [hardware, model] = both(&problem).map(|mut asker| {
        for register in REGISTERS.iter().filter(|r| r.access == Access::ReadWrite) {
            asker.write(Region::Registers, register.offset, &[0xA5A5]);
        }
        let odd = asker.read(Region::Registers, 0, usize::from(REGISTER_WORDS));
        // All of them in one frame, and none of the strobes.
        let span = find("checksum").offset - find("mode").offset;
        asker.write(Region::Registers, find("mode").offset, &vec![0x5A58; usize::from(span)]);
        (odd, asker.read(Region::Registers, 0, usize::from(REGISTER_WORDS)))
    });
    assert_eq!(hardware, model);
}

#[test]
fn refused_frames_change_nothing() {
    let machine = Machine::named("tiny").unwrap();
    let problem = Problem::random(&machine, 3, 3);
    let [mut asker, _] = both(&problem);
    asker.identify();
    let registers =
        |asker: &mut Asker| asker.read(Region::Registers, IDENTIFY_WORDS, usize::from(REGISTER_WORDS - IDENTIFY_WORDS));
    let memories = |asker: &mut Asker| all_words(asker, &machine)[1..].to_vec();
    let before = (registers(&mut asker), memories(&mut asker));
    let at = |name: &str| address(Region::Registers, find(name).offset);
    let payload = |length: usize| Frame { sequence: 200, operation: 3, payload: vec![1; length] };
    let slot = |lane| address(Region::Slots, slot_offset(&machine, 0, lane));
    let words = machine.slot_words();
    use Refusal::*;
    let cases: Vec<(Frame, Refusal)> = vec![
        (Frame { sequence: 200, operation: 9, payload: vec![] }, UnknownOperation),
        (Frame { sequence: 200, operation: 0x81, payload: vec![] }, UnknownOperation),
        (Frame { sequence: 200, operation: 1, payload: vec![0] }, BadLength),
        (Frame { sequence: 200, operation: 2, payload: vec![0; 5] }, BadLength),
        (payload(0), BadLength),
        (payload(3), BadLength),
        (payload(6), BadLength),
        (Frame::read(200, at("rows"), 0), BadAddress),
        (Frame::read(200, at("rows"), 65), BadAddress),
        (Frame::read(200, at("correct"), 3), BadAddress),
        (Frame::read(200, 4 << 16, 1), BadAddress),
        (Frame::write(200, 0xFF_0000, &[7]), BadAddress),
        (Frame::write(200, slot(words), &[7]), BadAddress),
        (Frame::write(200, slot(words - 1), &[7, 7]), BadAddress),
        (Frame::write(200, address(Region::Slots, slot_offset(&machine, machine.slots, 0)), &[7]), BadAddress),
        (Frame::write(200, address(Region::Labels, machine.slots as u16), &[7]), BadAddress),
        (Frame::write(200, address(Region::Labels, machine.slots as u16 - 1), &[7, 7]), BadAddress),
        (Frame::write(200, address(Region::Array, 0), &[7, 7]), BadAddress),
        (Frame::write(200, address(Region::Array, 0xFFFF), &[7]), BadAddress),
        (Frame::write(200, at("rows"), &[7]), ReadOnly),
        (Frame::write(200, at("correct"), &[7]), ReadOnly),
        (Frame::write(200, at("status"), &[0, CONTROL_START]), ReadOnly),
        (Frame::write(200, at("control"), &[1, 1]), ReadOnly),
    ];
    for (frame, reason) in &cases {
        let replies = asker.exchange(&frame.encode());
        assert_eq!((refusal(&replies), replies[0].sequence), (*reason, 200), "{frame:?}");
    }
    // Frames whose sequence number cannot be trusted: a wrong CRC, a missing byte, an escape of nothing.
    let good = Frame::write(201, at("mode"), &[1]).encode();
    for (edit, reason) in [(0, BadCrc), (1, BadLength), (2, BadLength)] {
        let mut wire = good.clone();
        match edit {
            0 => wire[6] ^= 1,
            1 => drop(wire.remove(5)),
            _ => wire.insert(5, ESC),
        }
        let replies = asker.exchange(&wire);
        assert_eq!((refusal(&replies), replies[0].sequence), (reason, 0));
    }
    assert_eq!((registers(&mut asker), memories(&mut asker)), before);
}

#[test]
fn writes_during_a_run_are_refused_and_change_nothing() {
    // As many images as keep the machine busy for some frames.
    let machine = Machine { slots: 256, ..Machine::named("tiny").unwrap() };
    let problem = Problem::random(&machine, 256, 4);
    let [mut asker, _] = both(&problem);
    asker.set("image_count", 256);
    let before = all_words(&mut asker, &machine);
    let at = |region, offset| address(region, offset);
    let mut wire = Frame::write(100, at(Region::Registers, find("control").offset), &[CONTROL_START]).encode();
    let busy = [
        Frame::write(101, at(Region::Slots, 0), &[7]),
        Frame::write(102, at(Region::Labels, 0), &[7]),
        Frame::write(103, at(Region::Array, 0), &[7]),
        Frame::write(104, at(Region::Registers, find("mode").offset), &[1]),
        Frame::read(105, at(Region::Slots, 0), 1),
        Frame::read(106, at(Region::Registers, find("status").offset), 1),
    ];
    busy.iter().for_each(|frame| wire.extend(frame.encode()));
    let replies = asker.exchange(&wire);
    assert_eq!(replies.len(), 7);
    for (frame, reply) in busy.iter().zip(&replies[1..]).take(5) {
        assert_eq!(refusal(std::slice::from_ref(reply)), Refusal::Busy, "{frame:?}");
        assert_eq!(reply.sequence, frame.sequence);
    }
    assert_eq!(replies[6].words(), [STATUS_RUNNING]);
    assert_eq!(all_words(&mut asker, &machine)[1..], before[1..]);
    assert_eq!(asker.counters(), problem.expected().counters);
}

#[test]
fn garbled_frames_are_answered_as_the_model_answers() {
    let machine = Machine::named("tiny").unwrap();
    let mut problem = Problem::random(&machine, 4, 5);
    problem.devices = DeviceArray::new(machine.rows, machine.columns());
    let [mut hardware, mut model] = both(&problem);
    let mut random = Random(5);
    for exchange in 0..1500 {
        let offset = random.below(24) as u16;
        let sequence = random.below(256) as u8;
        let region = [Region::Registers, Region::Array, Region::Slots, Region::Labels][random.below(4) as usize];
        let count = 1 + random.below(4) as usize;
        // No strobes: what runs when is the model's own.
        let offset = if region == Region::Registers { 29 + offset % 8 } else { offset };
        let mut words: Vec<u16> = (0..count).map(|_| random.below(1 << 16) as u16).collect();
        if let (Region::Array, Some(at)) = (region, ArrayAddress::from_offset(&machine, offset)) {
            // Rows that exist; for the others see devices_of_rows_that_do_not_exist_read_zero.
            words[0] &= (1 << at.rows(&machine).len()) - 1;
        }
        let mut wire = match random.below(8) {
            0 => Frame::identify(sequence),
            1..4 => Frame::read(sequence, address(region, offset), count as u8),
            _ => Frame::write(sequence, address(region, offset), &words),
        }
        .encode();
        for _ in 0..random.below(3) {
            let at = random.below(wire.len() as u64) as usize;
            match random.below(5) {
                0 => wire[at] ^= 1 << random.below(8),
                1 => drop(wire.remove(at)),
                2 => wire.insert(at, wire[at]),
                3 => wire.insert(at, [END, ESC, 0, 0xFF][random.below(4) as usize]),
                _ => wire.truncate(at),
            }
            if wire.is_empty() {
                break;
            }
        }
        assert_eq!(hardware.exchange(&wire), model.exchange(&wire), "exchange {exchange}: {wire:02x?}");
    }
    // What is left of a cut frame ends here.
    assert_eq!(hardware.exchange(&[END]), model.exchange(&[END]));
    assert_eq!(all_words(&mut hardware, &machine), all_words(&mut model, &machine));
}

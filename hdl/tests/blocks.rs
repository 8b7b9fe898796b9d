//! Blocks by themselves: their latencies, and what they compute.

#[macro_use]
#[path = "support/clocked.rs"]
mod clocked;
mod support;

use bitline_golden::machine::{Machine, QuantizerConfig};
use bitline_golden::registers::find;
use bitline_golden::{argmax, quantizer, recombination, timing};
use bitline_hdl::address_check::AddressCheck;
use bitline_hdl::argmax::Argmax;
use bitline_hdl::column_counter::ColumnCounter;
use bitline_hdl::column_quantizer::ColumnQuantizer;
use bitline_hdl::counter::Counter;
use bitline_hdl::delay::{Delay, FlagDelay};
use bitline_hdl::device_array::DeviceArray;
use bitline_hdl::feeder::Feeder;
use bitline_hdl::image_register::ImageRegister;
use bitline_hdl::lane_select::LaneSelect;
use bitline_hdl::link_crc::LinkCrc;
use bitline_hdl::link_receiver::LinkReceiver;
use bitline_hdl::link_transmitter::LinkTransmitter;
use bitline_hdl::memory::Memory;
use bitline_hdl::pulse_counter::PulseCounter;
use bitline_hdl::read_select::ReadSelect;
use bitline_hdl::register_file::RegisterFile;
use bitline_hdl::register_reader::RegisterReader;
use bitline_hdl::saturation_counter::SaturationCounter;
use bitline_hdl::sequencer::Sequencer;
use bitline_hdl::shift_add::ShiftAdd;
use bitline_hdl::slot_memory::SlotMemory;
use bitline_hdl::uart_receiver::{UartReceiver, line_levels};
use bitline_hdl::uart_transmitter::UartTransmitter;
use clocked::{connected, latency, measure, settle, tick};
use support::{Random, block_files};

clocked!(Argmax, ColumnCounter, Counter, Delay, FlagDelay, DeviceArray, LinkReceiver, LinkTransmitter, Memory);
clocked!(PulseCounter, ReadSelect, RegisterFile, RegisterReader, SaturationCounter, Sequencer, ShiftAdd, SlotMemory);
clocked!(UartReceiver, UartTransmitter, AddressCheck, Feeder, ImageRegister, LaneSelect, LinkCrc);
combinational!(ColumnQuantizer);

fn tiny() -> Machine {
    Machine::named("tiny").unwrap()
}

#[test]
fn latency_of_every_block_is_its_constant() {
    let ones = |on: bool| u64::from(on);
    let measured = [
        (
            "address_check",
            AddressCheck::LATENCY_CYCLES,
            latency(
                AddressCheck::new(&tiny()),
                |b, on| {
                    b.region.next = if on { 0 } else { 9 };
                    b.words.next = 1;
                },
                |b| b.exists.val(),
            ),
        ),
        (
            "column_quantizer",
            ColumnQuantizer::LATENCY_CYCLES,
            latency(ColumnQuantizer::new(&tiny()), |b, on| b.count.next = ones(on), |b| b.code.val() == 1),
        ),
        (
            "counter",
            Counter::LATENCY_CYCLES,
            latency(
                Counter::new(8, 1),
                |b, on| {
                    b.enable.next = on;
                    b.amount.next = 1;
                },
                |b| b.value.val() == 1,
            ),
        ),
        (
            "device_array",
            DeviceArray::LATENCY_CYCLES,
            latency(
                DeviceArray::new(&tiny(), &[vec![true]]),
                |b, on| b.read_address.next = ones(!on),
                |b| b.devices[0].val()[0] == 1,
            ),
        ),
        (
            "feeder",
            Feeder::latency_cycles(&tiny()),
            latency(Feeder::new(&tiny()), |b, on| b.data.next[0] = ones(on), |b| b.rows[0].val()[0] & 1 == 1),
        ),
        (
            "lane_select",
            LaneSelect::LATENCY_CYCLES,
            latency(LaneSelect::new(&tiny()), |b, on| b.data.next[0] = ones(on), |b| b.word.val() == 1),
        ),
        (
            "memory",
            Memory::LATENCY_CYCLES,
            latency(Memory::new(8, 2, &[0, 7]), |b, on| b.read_address.next = ones(on), |b| b.read_data.val() == 7),
        ),
        (
            "read_select",
            ReadSelect::LATENCY_CYCLES,
            latency(
                ReadSelect::new(&tiny()),
                |b, on| {
                    b.region.next = if on { 3 } else { 0 };
                    b.label.next = 5;
                },
                |b| b.read_data.val() == 5,
            ),
        ),
        (
            "register_reader",
            RegisterReader::LATENCY_CYCLES,
            latency(
                RegisterReader::new(&[("protocol", vec![1])], &[]),
                |b, on| b.offset.next = ones(!on),
                |b| b.word.val() == 1,
            ),
        ),
        (
            "register_file",
            RegisterFile::LATENCY_CYCLES,
            latency(
                RegisterFile::new(&tiny(), 0, 0),
                |b, on| b.offset.next = u64::from(find(if on { "protocol" } else { "control" }).offset),
                |b| b.read_data.val() == 1,
            ),
        ),
        (
            "saturation_counter",
            SaturationCounter::LATENCY_CYCLES,
            latency(
                SaturationCounter::new(3),
                |b, on| {
                    b.saturated[2].next = true;
                    b.enable.next = on;
                },
                |b| b.saturations.val() == 1,
            ),
        ),
        (
            "sequencer",
            Sequencer::LATENCY_CYCLES,
            latency(
                Sequencer::new(&tiny()),
                |b, on| {
                    b.start.next = on;
                    b.image_count.next = 1;
                },
                |b| b.step.val(),
            ),
        ),
        (
            "shift_add",
            ShiftAdd::LATENCY_CYCLES,
            latency(
                ShiftAdd::new(&tiny()),
                |b, on| {
                    b.codes.iter_mut().for_each(|code| code.next = 1);
                    b.valid.next = on;
                    b.first.next = true;
                },
                |b| b.sums[0].val() != 0,
            ),
        ),
        (
            "slot_memory",
            SlotMemory::LATENCY_CYCLES,
            latency(
                SlotMemory::new(&tiny(), &[vec![0], vec![9]]),
                |b, on| {
                    b.read_enable.next = true;
                    b.read_slot.next = ones(on);
                },
                |b| b.data.val()[0] == 9,
            ),
        ),
        (
            "link_crc",
            LinkCrc::LATENCY_CYCLES,
            latency(
                LinkCrc::default(),
                |b, on| {
                    b.data_valid.next = on;
                    b.data.next = u64::from(b'a');
                },
                // CRC-32 of "a" is e8b7be43.
                |b| b.ready.val() && b.low_byte.val() == 0x43,
            ),
        ),
        (
            "link_transmitter",
            LinkTransmitter::LATENCY_CYCLES,
            latency(
                LinkTransmitter::default(),
                |b, on| {
                    b.crc_ready.next = true;
                    b.send_byte.next = on;
                    b.send_data.next = 0x55;
                },
                |b| b.data_valid.val() && b.data.val() == 0x55,
            ),
        ),
        (
            "uart_transmitter",
            UartTransmitter::LATENCY_CYCLES,
            latency(UartTransmitter::new(8), |b, on| b.data_valid.next = on, |b| !b.line.val()),
        ),
    ];
    for (block, constant, measured) in measured {
        assert_eq!(measured, constant, "{block}");
    }
    // Every block that states a latency is measured here or in a test of its own.
    let elsewhere = ["argmax", "link_receiver", "uart_receiver"];
    for (name, text) in block_files("") {
        if text.contains("LATENCY_CYCLES: u64") {
            assert!(
                measured.iter().any(|m| m.0 == name) || elsewhere.contains(&name.as_str()),
                "{name} is not measured"
            );
        }
    }
}

#[test]
fn latency_constants_are_the_golden_model_s() {
    assert_eq!(Memory::LATENCY_CYCLES, timing::MEMORY_CYCLES);
    assert_eq!(DeviceArray::LATENCY_CYCLES, timing::MEMORY_CYCLES);
    assert_eq!(SlotMemory::LATENCY_CYCLES, timing::MEMORY_CYCLES);
    assert_eq!(ShiftAdd::LATENCY_CYCLES + ColumnQuantizer::LATENCY_CYCLES, timing::SHIFT_ADD_CYCLES);
    assert_eq!(Argmax::LATENCY_CYCLES, timing::ARGMAX_CYCLES);
}

#[test]
fn column_counter_latency_grows_with_its_tree_as_the_golden_model_says() {
    for row_lanes in 1..=256 {
        for rows in [row_lanes, row_lanes + 1, 3 * row_lanes] {
            let machine = Machine { rows, row_lanes, bias_rows: 0, ..tiny() };
            let measured = latency(
                ColumnCounter::new(&machine),
                |b, on| {
                    b.rows.next[0] = u64::from(on);
                    b.devices.next[0] = 1;
                    b.first.next = true;
                },
                |b| b.count.val() == 1,
            );
            assert_eq!(measured, ColumnCounter::latency_cycles(&machine), "{row_lanes} of {rows} rows");
            assert_eq!(measured, timing::column_counter_cycles(&machine), "{row_lanes} of {rows} rows");
        }
    }
}

#[test]
fn pulse_counter_latency_grows_with_its_tree() {
    for machine in Machine::names().map(|name| Machine::named(name).unwrap()) {
        let measured = latency(
            PulseCounter::new(&machine),
            |b, on| {
                (b.data.next[0], b.lane.next) = (u64::MAX, 0xFFFF);
                b.enable.next = on;
            },
            |b| b.pulses.val() != 0,
        );
        assert_eq!(measured, PulseCounter::latency_cycles(&machine), "{}", machine.name);
    }
}

#[test]
fn image_register_and_copies_stand_only_in_machines_of_one_image_a_clock() {
    for (name, expected) in [("tiny", 0), ("digits", 0), ("digits-turbo", 1)] {
        let machine = Machine::named(name).unwrap();
        let measured =
            latency(ImageRegister::new(&machine), |b, on| b.data.next[0] = u64::from(on), |b| b.image.val()[0] == 1);
        assert_eq!(measured, expected, "{name}");
        assert_eq!(measured, ImageRegister::latency_cycles(&machine), "{name}");
        assert_eq!(measured, timing::image_register_cycles(&machine), "{name}");
        let measured =
            latency(Feeder::new(&machine), |b, on| b.data.next[0] = u64::from(on), |b| b.rows[0].val()[0] & 1 == 1);
        assert_eq!(measured, Feeder::latency_cycles(&machine), "{name}");
        assert_eq!(measured, timing::feeder_cycles(&machine), "{name}");
    }
}

#[test]
fn argmax_latency_grows_with_its_tree() {
    for name in Machine::names() {
        let machine = Machine::named(name).unwrap();
        let measured = latency(
            Argmax::new(&machine),
            |b, on| {
                b.valid.next = on;
                (b.first.next, b.last.next) = (true, true);
            },
            |b| b.done.val(),
        );
        assert_eq!(measured, Argmax::LATENCY_CYCLES + timing::argmax_levels(&machine), "{name}");
    }
}

#[test]
fn link_receiver_latency_counts_from_the_end() {
    let mut block = connected(LinkReceiver::default());
    block.crc_ready.next = true;
    (block.data.next, block.data_valid.next) = (0x55, true);
    tick(&mut block);
    block.data_valid.next = false;
    (0..12).for_each(|_| tick(&mut block));
    let measured = measure(
        &mut block,
        |b, on| {
            b.data.next = u64::from(bitline_golden::link::END);
            b.data_valid.next = on;
        },
        |b| b.frame_ready.val(),
    );
    assert_eq!(measured, LinkReceiver::LATENCY_CYCLES);
}

/// Put levels on a receiver's line, `clocks` clocks each; the clock, from 1, and value of every byte received.
fn receive(clocks_per_bit: u32, levels: &[(bool, u32)]) -> Vec<(u32, u8)> {
    let mut block = connected(UartReceiver::new(clocks_per_bit));
    let mut bytes = vec![];
    let mut now = 0;
    for (level, clocks) in levels {
        for _ in 0..*clocks {
            block.line.next = *level;
            tick(&mut block);
            now += 1;
            if block.data_valid.val() {
                bytes.push((now, block.data.val() as u8));
            }
        }
    }
    bytes
}

#[test]
fn uart_receiver_latency_counts_from_the_middle_of_the_stop_bit() {
    for clocks_per_bit in [4, 8, 13] {
        let mut levels = vec![(true, 20)];
        levels.extend(line_levels(0xA7).map(|level| (level, clocks_per_bit)));
        levels.push((true, 20));
        let middle = 20 + 9 * clocks_per_bit + clocks_per_bit / 2;
        let expected = middle + 2 + UartReceiver::LATENCY_CYCLES as u32;
        assert_eq!(receive(clocks_per_bit, &levels), [(expected, 0xA7)], "{clocks_per_bit} clocks a bit");
    }
}

#[test]
fn uart_receiver_drops_glitches_and_broken_bytes() {
    // Shorter than half a bit.
    assert_eq!(receive(8, &[(true, 9), (false, 3), (true, 200)]), []);
    // The stop bit is low.
    let mut levels = vec![(true, 9)];
    levels.extend(line_levels(0x12).map(|level| (level, 8)));
    levels[10].0 = false;
    levels.push((true, 100));
    levels.extend(line_levels(0x34).map(|level| (level, 8)));
    levels.push((true, 100));
    assert_eq!(receive(8, &levels).iter().map(|(_, byte)| *byte).collect::<Vec<_>>(), [0x34]);
}

#[test]
fn uart_receiver_takes_every_byte_of_a_clock_two_percent_off() {
    for bit in [98, 100, 102] {
        let mut levels = vec![(true, 50)];
        for byte in 0..=255 {
            levels.extend(line_levels(byte).map(|level| (level, bit)));
        }
        levels.push((true, 300));
        let bytes: Vec<u8> = receive(100, &levels).iter().map(|(_, byte)| *byte).collect();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>(), "{bit} clocks a bit for 100");
    }
}

#[test]
fn uart_transmitter_sends_what_the_line_should_carry() {
    let mut block = connected(UartTransmitter::new(4));
    for byte in [0x00, 0xFF, 0xA5, 0x01] {
        (block.data.next, block.data_valid.next) = (byte, true);
        let mut levels = vec![];
        for _ in 0..40 {
            tick(&mut block);
            levels.push(block.line.val());
            block.data_valid.next = false;
        }
        let expected: Vec<bool> = line_levels(byte as u8).iter().flat_map(|level| [*level; 4]).collect();
        assert_eq!(levels, expected);
        tick(&mut block);
        assert!(block.data_ready.val());
    }
}

#[test]
fn delay_gives_back_after_its_clocks() {
    for clocks in 1..5 {
        let measured = latency(Delay::new(4, clocks), |b, on| b.d.next = u64::from(on) * 9, |b| b.q.val() == 9);
        assert_eq!(measured, clocks);
        assert_eq!(latency(FlagDelay::new(clocks), |b, on| b.d.next = on, |b| b.q.val()), clocks);
    }
}

#[test]
fn memory_reads_what_was_there_before_the_edge() {
    let mut block = connected(Memory::new(8, 4, &[1, 2]));
    (block.write_enable.next, block.write_address.next, block.write_data.next) = (true, 1, 9);
    block.read_address.next = 1;
    tick(&mut block);
    assert_eq!(block.read_data.val(), 2);
    block.write_enable.next = false;
    tick(&mut block);
    assert_eq!(block.read_data.val(), 9);
}

#[test]
fn counter_at_its_largest_value_stays_there() {
    let mut block = connected(Counter::new(4, 3));
    let mut expected = 0;
    for amount in [7, 0, 5, 2, 1, 7, 7] {
        (block.enable.next, block.amount.next) = (true, amount);
        tick(&mut block);
        // An amount that overflows shows wrapped for this one clock.
        block.enable.next = false;
        tick(&mut block);
        expected = (expected + amount).min(15);
        assert_eq!(block.value.val(), expected);
    }
    block.clear.next = true;
    tick(&mut block);
    assert_eq!(block.value.val(), 0);
}

#[test]
fn column_counter_counts_every_column_of_random_rows() {
    let mut random = Random(1);
    for (rows, row_lanes) in [(65, 65), (65, 16), (9, 4), (200, 200), (256, 64), (1, 1), (17, 5)] {
        let machine = Machine { rows, row_lanes, bias_rows: 0, ..tiny() };
        let mut block = connected(ColumnCounter::new(&machine));
        for _ in 0..20 {
            let mut expected = 0;
            for group in 0..machine.row_groups() {
                let lanes = row_lanes.min(rows - group * row_lanes);
                let draw = random.below(4);
                for bit in 0..lanes {
                    let (row, device) = (draw == 3 || random.below(2) == 1, draw >= 2 || random.below(2) == 1);
                    let (at, mask) = (bit / 64, 1u64 << (bit % 64));
                    block.rows.next[at] = block.rows.next[at] & !mask | u64::from(row) << (bit % 64);
                    block.devices.next[at] = block.devices.next[at] & !mask | u64::from(device) << (bit % 64);
                    expected += u64::from(row && device);
                }
                for bit in lanes..row_lanes {
                    block.rows.next[bit / 64] &= !(1u64 << (bit % 64));
                }
                block.first.next = group == 0;
                tick(&mut block);
            }
            // What comes next must not get into the count.
            block.first.next = true;
            (1..ColumnCounter::latency_cycles(&machine)).for_each(|_| tick(&mut block));
            assert_eq!(block.count.val(), expected, "{rows} rows, {row_lanes} a clock");
        }
    }
}

#[test]
fn column_quantizer_gives_golden_s_code_for_every_count() {
    let named = Machine::names().map(|name| Machine::named(name).unwrap());
    let configs = [(662, 16, 4), (1, 0, 1), (1 << 24, 0, 16), (300, 16, 3), (5, 1, 8), (331, 16, 6), (1, 32, 3)];
    let other = configs.map(|(multiplier, shift, bits)| Machine {
        rows: 70,
        quantizer: QuantizerConfig { multiplier, shift, bits },
        ..tiny()
    });
    for machine in named.chain(other) {
        let mut block = connected(ColumnQuantizer::new(&machine));
        for count in 0..=machine.rows as u32 {
            block.count.next = u64::from(count);
            settle(&mut block);
            let current = bitline_golden::column::current(&machine.conductance, count, 0);
            let reading = quantizer::quantize(&machine.quantizer, current);
            assert_eq!((block.code.val(), block.saturated.val()), (u64::from(reading.code), reading.saturated));
        }
    }
}

#[test]
fn shift_add_recombines_random_codes_as_golden() {
    let mut random = Random(2);
    // Planes and columns at once, folded, and ragged.
    for (plane_lanes, column_lanes) in [(5, 40), (5, 2), (5, 1), (2, 4), (1, 8), (3, 2), (4, 1)] {
        let machine = Machine { plane_lanes, column_lanes, ..Machine::named("digits").unwrap() };
        let mut block = connected(ShiftAdd::new(&machine));
        let (lanes, columns) = (machine.output_lanes(), column_lanes.min(machine.weight_bits));
        for case in 0..10 {
            // codes[output lane][plane][column]
            let draw = |random: &mut Random| if case == 0 { 65 } else { random.below(66) as u32 };
            let codes: Vec<Vec<Vec<u32>>> =
                (0..lanes).map(|_| (0..5).map(|_| (0..4).map(|_| draw(&mut random)).collect()).collect()).collect();
            let subgroups = machine.weight_bits / columns;
            for subgroup in 0..subgroups {
                for plane_group in 0..machine.plane_groups() {
                    for (at, bus) in block.codes.iter_mut().enumerate() {
                        let (lane, column, p) =
                            (at / plane_lanes / columns, at / plane_lanes % columns, at % plane_lanes);
                        let plane = codes[lane].get(plane_group * plane_lanes + p);
                        bus.next = plane.map_or(0, |plane| u64::from(plane[subgroup * columns + column]));
                    }
                    block.valid.next = true;
                    block.first.next = subgroup == 0 && plane_group == 0;
                    (block.subgroup.next, block.plane_group.next) = (subgroup as u64, plane_group as u64);
                    tick(&mut block);
                    // A gap changes nothing.
                    block.valid.next = false;
                    if random.below(2) == 1 {
                        tick(&mut block);
                    }
                }
            }
            (1..ShiftAdd::LATENCY_CYCLES).for_each(|_| tick(&mut block));
            for (lane, planes) in codes.iter().enumerate() {
                let sums: Vec<i32> = planes.iter().map(|codes| recombination::plane_sum(codes, 0)).collect();
                let expected = recombination::recombine(&sums);
                assert_eq!(block.sums[lane].val() as u16 as i16, expected as i16, "{plane_lanes} {column_lanes}");
            }
        }
    }
}

#[test]
fn argmax_ranks_random_sums_as_golden() {
    let mut random = Random(3);
    for (outputs, lanes) in [(10, 10), (10, 1), (3, 2), (10, 4), (7, 3), (2, 2), (17, 16), (9, 5)] {
        let machine = Machine { outputs, column_lanes: lanes * 3, ..tiny() };
        assert_eq!(machine.output_lanes(), lanes);
        let mut block = connected(Argmax::new(&machine));
        for case in 0..60 {
            let span = [2, 5, 1 << 16][case % 3];
            let sums: Vec<i32> = (0..outputs)
                .map(|_| match case {
                    0 => -32_767,
                    1 => 32_767,
                    _ => (random.below(span) as i32 - (span / 2) as i32).max(-32_767),
                })
                .collect();
            let groups: Vec<&[i32]> = sums.chunks(lanes).collect();
            for (g, group) in groups.iter().enumerate() {
                for lane in 0..lanes {
                    // Lanes beyond the last output hold anything.
                    let sum = group.get(lane).copied().unwrap_or(32_767);
                    block.sums[lane].next = u64::from(sum as u16);
                }
                block.valid.next = true;
                (block.first.next, block.last.next) = (g == 0, g + 1 == groups.len());
                tick(&mut block);
            }
            block.valid.next = false;
            (0..timing::argmax_levels(&machine)).for_each(|_| tick(&mut block));
            let verdict = argmax::argmax(&sums);
            assert!(block.done.val());
            let found = (block.winner.val() as u16, block.margin.val() as u32);
            assert_eq!(found, (verdict.class, verdict.margin), "{lanes} lanes, {sums:?}");
            tick(&mut block);
            assert!(!block.done.val());
        }
    }
}

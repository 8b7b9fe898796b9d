//! Leaf blocks of machines that run programs: their latencies, and the memories among them against plain models of their own.

#[path = "support/deep.rs"]
mod deep;
mod support;

use bitline_hdl::bus::{ROW_WORDS, Words};
use bitline_hdl::deep::code_memory::CodeMemory;
use bitline_hdl::deep::code_rotator::CodeRotator;
use bitline_hdl::deep::plane_sum::PlaneSum;
use bitline_hdl::deep::pool::Pool;
use bitline_hdl::deep::recombination::Recombination;
use bitline_hdl::deep::sum_rank::SumRank;
use bitline_hdl::deep::threshold::Threshold;
use bitline_hdl::deep::tile_memory::TileMemory;
use bitline_hdl::deep::window_memory::WindowMemory;
use deep::{Driver, Leaf, connected, machines, named, odd_machines, settle, tick};
use rust_hdl::prelude::Atom;
use std::collections::{HashMap, VecDeque};

/// Clocks of a simulation with random stimulus.
const CLOCKS: usize = 1500;

/// Clocks from inputs presented for one clock to the output seen.
fn latency<B: Leaf>(block: B, present: impl Fn(&mut B, bool), seen: impl Fn(&B) -> bool) -> u64 {
    let mut block = connected(block);
    present(&mut block, false);
    (0..20).for_each(|_| tick(&mut block));
    assert!(!seen(&block), "{}: seen before it was presented", B::NAME);
    present(&mut block, true);
    block.set_clock(false);
    settle(&mut block);
    if seen(&block) {
        return 0;
    }
    for clocks in 1..200 {
        tick(&mut block);
        if seen(&block) {
            return clocks;
        }
        present(&mut block, false);
    }
    panic!("{}: never seen", B::NAME)
}

#[test]
fn latency_of_every_leaf_is_its_constant() {
    for machine in machines().into_iter().filter(|machine| machine.tiles > 1) {
        let name = &machine.name;
        let one_device = [vec![vec![true]]];
        let measured = [
            (
                "tile_memory",
                TileMemory::LATENCY_CYCLES,
                latency(
                    TileMemory::new(&machine, &one_device),
                    |b, on| b.read_address.next = u64::from(!on),
                    |b| b.devices[0].val()[0] == 1,
                ),
            ),
            (
                "tile_memory back",
                TileMemory::READ_BACK_CYCLES,
                latency(
                    TileMemory::new(&machine, &one_device),
                    |b, on| b.read_address.next = u64::from(!on),
                    |b| b.read_data.val() == 1,
                ),
            ),
            (
                "code_memory",
                CodeMemory::LATENCY_CYCLES,
                latency(
                    CodeMemory::with_contents(&machine, &[1]),
                    |b, on| b.read_address.next = if on { 0 } else { machine.gather_lanes as u64 },
                    |b| b.codes.val()[0] & 1 == 1,
                ),
            ),
            (
                "code_rotator",
                CodeRotator::LATENCY_CYCLES,
                latency(
                    CodeRotator::new(&machine),
                    |b, on| b.codes.next[0] = u64::from(on),
                    |b| b.rotated.val()[0] == 1,
                ),
            ),
            (
                "plane_sum",
                PlaneSum::LATENCY_CYCLES,
                latency(PlaneSum::new(&machine), |b, on| (b.valid.next, b.last.next) = (on, true), |b| b.done.val()),
            ),
            (
                "plane_sum pulses",
                PlaneSum::PULSES_CYCLES,
                latency(
                    PlaneSum::new(&machine),
                    |b, on| (b.valid.next, b.active[0].next) = (on, 1),
                    |b| b.pulses.val() == 1,
                ),
            ),
            (
                "recombination",
                Recombination::LATENCY_CYCLES,
                latency(Recombination::new(&machine), |b, on| b.take.next = on, |b| b.valid.val()),
            ),
            (
                "threshold",
                Threshold::LATENCY_CYCLES,
                latency(Threshold::new(&machine, 1), |b, on| b.valid.next = on, |b| b.code_valid.val()),
            ),
            (
                "threshold back",
                Threshold::READ_BACK_CYCLES,
                latency(
                    Threshold::with_contents(&machine, 1, &[[1; 16]]),
                    |b, on| b.read_node.next = if on { 9 } else { 0 },
                    |b| b.read_data.val() == 1,
                ),
            ),
            (
                "pool",
                Pool::LATENCY_CYCLES,
                latency(
                    Pool::new(&machine, 1),
                    |b, on| (b.valid.next, b.last.next) = (on, true),
                    |b| b.pooled_valid.val(),
                ),
            ),
            (
                "sum_rank of two",
                SumRank::LATENCY_CYCLES + 2,
                latency(SumRank::new(&machine), |b, on| (b.rank.next, b.count.next) = (on, 2), |b| b.done.val()),
            ),
        ];
        for (block, constant, measured) in measured {
            assert_eq!(measured, constant, "{block} of {name}");
        }
        let mut block = connected(WindowMemory::new(&machine));
        block.read_planes.next = 1;
        (block.write_enable.next, block.write_count.next, block.write_codes.next[0]) = (true, 1, 1);
        tick(&mut block);
        block.write_enable.next = false;
        let measured = latency(block, |b, on| b.read_rows.next = u64::from(on), |b| b.rows[0].val()[0] == 1);
        assert_eq!(measured, WindowMemory::LATENCY_CYCLES, "window_memory of {name}");
    }
}

fn bit(words: &[u64], index: usize) -> bool {
    words[index / 64] >> (index % 64) & 1 == 1
}

/// Lane `lane` of a word of codes, bit by bit.
fn lane_code(words: &[u64], lane: usize, bits: usize) -> u64 {
    (0..bits).map(|i| u64::from(bit(words, lane * bits + i)) << i).sum()
}

#[test]
fn tile_memory_gives_every_device_written() {
    for machine in machines() {
        let mut block = connected(TileMemory::new(&machine, &[]));
        let mut driver = Driver::new(1);
        let mut devices: HashMap<(u64, usize, usize), bool> = HashMap::new();
        let mut read_back = VecDeque::from([0, 0]);
        for _ in 0..CLOCKS / 3 {
            block.drive(&machine, &mut driver);
            let tile = block.read_address.next;
            let device = |column, row| devices.get(&(tile, column, row)).copied().unwrap_or(false);
            let rows = machine.tile_rows;
            let expected: Vec<Vec<bool>> =
                (0..machine.tile_columns).map(|k| (0..rows).map(|r| device(k, r)).collect()).collect();
            let (column, word) = (block.read_column.next as usize, block.read_word.next as usize);
            read_back.push_back(
                (16 * word..rows.min(16 * word + 16)).map(|r| u64::from(expected[column][r]) << (r % 16)).sum(),
            );
            if block.write_enable.next {
                for i in 0..16 {
                    let row = block.write_word.next as usize * 16 + i;
                    let place = (block.write_tile.next, block.write_column.next as usize, row);
                    devices.insert(place, block.write_data.next >> i & 1 == 1);
                }
            }
            tick(&mut block);
            for (bus, expected) in block.devices.iter().zip(&expected) {
                let words = bus.val();
                (0..64 * ROW_WORDS).for_each(|row| {
                    assert_eq!(bit(&words, row), expected.get(row).copied().unwrap_or(false), "{}", machine.name);
                });
            }
            read_back.pop_front();
            assert_eq!(block.read_data.val(), read_back[0], "{}", machine.name);
        }
    }
}

#[test]
fn tile_memory_starts_with_what_it_is_given_and_flips() {
    let machine = named("tiny-deep");
    let mut block = connected(TileMemory::new(&machine, &[vec![], vec![vec![], vec![false, true, true]]]));
    block.read_address.next = 1;
    block.flip(1, 7, 6);
    tick(&mut block);
    let shown: Vec<u64> = block.devices.iter().map(|bus| bus.val()[0]).collect();
    assert_eq!(shown, [0, 6, 0, 0, 0, 0, 0, 64]);
}

#[test]
fn code_memory_reads_neighbours_from_any_address_and_stores_only_what_exists() {
    for machine in machines() {
        let (lanes, bits, places) = (machine.gather_lanes, machine.code_bits, machine.memory_codes());
        let mut codes: Vec<u64> = (0..places as u64).map(|i| (i * 7 + i / 5) % (1 << bits)).collect();
        let contents: Vec<u8> = codes.iter().map(|code| *code as u8).collect();
        let mut block = connected(CodeMemory::with_contents(&machine, &contents));
        let mut driver = Driver::new(2);
        for _ in 0..CLOCKS {
            block.drive(&machine, &mut driver);
            let first = block.read_address.next as usize;
            let mut expected = vec![0; lanes];
            for address in first..first + lanes {
                expected[address % lanes] = codes.get(address).copied().unwrap_or(0);
            }
            if block.write_enable.next {
                for i in (0..lanes).filter(|i| block.write_mask.next >> i & 1 == 1) {
                    let code = lane_code(&block.write_codes.next, i, bits);
                    codes.get_mut(block.write_address.next as usize + i).into_iter().for_each(|place| *place = code);
                }
            }
            tick(&mut block);
            let words = block.codes.val();
            let found: Vec<u64> = (0..lanes).map(|lane| lane_code(&words, lane, bits)).collect();
            assert_eq!(found, expected, "{} from {first}", machine.name);
        }
        assert!((0..places).all(|address| u64::from(block.code(address)) == codes[address]), "{}", machine.name);
    }
}

#[test]
fn code_rotator_turns_every_lane_down() {
    for machine in machines() {
        let (lanes, bits) = (machine.gather_lanes, machine.code_bits);
        let mut block = connected(CodeRotator::new(&machine));
        let mut driver = Driver::new(3);
        for amount in (0..lanes).chain(0..lanes) {
            block.drive(&machine, &mut driver);
            block.amount.next = amount as u64;
            let codes = block.codes.next;
            tick(&mut block);
            let rotated = block.rotated.val();
            for lane in 0..lanes {
                let expected = lane_code(&codes, (lane + amount) % lanes, bits);
                assert_eq!(lane_code(&rotated, lane, bits), expected, "{} by {amount}", machine.name);
            }
        }
    }
}

#[test]
fn window_memory_gives_planes_of_masked_row_groups() {
    for machine in machines() {
        let (rows, planes, bits, lanes) =
            (machine.tile_rows, machine.plane_lanes, machine.code_bits, machine.gather_lanes);
        let mut block = connected(WindowMemory::new(&machine));
        let mut driver = Driver::new(4);
        let mut windows = vec![vec![0u64; rows * machine.row_groups]; 2];
        let mut under_way = vec![[0; ROW_WORDS]; planes];
        for _ in 0..CLOCKS {
            block.drive(&machine, &mut driver);
            let first = block.read_row_group.next as usize * rows;
            let plane = block.read_plane_group.next as usize * planes;
            let mut next: Vec<Words<ROW_WORDS>> = vec![[0; ROW_WORDS]; planes];
            for row in 0..block.read_rows.next as usize {
                let code = windows[usize::from(block.read_window.next)][first + row];
                for (p, words) in next.iter_mut().enumerate().take(block.read_planes.next as usize) {
                    words[row / 64] |= (code >> (plane + p) & 1) << (row % 64);
                }
            }
            if block.write_enable.next {
                let window = &mut windows[usize::from(block.write_window.next)];
                for i in 0..block.write_count.next as usize {
                    let position = block.write_position.next as usize + i;
                    let code = lane_code(&block.write_codes.next, position % lanes, bits);
                    window.get_mut(position).into_iter().for_each(|place| *place = code);
                }
            }
            tick(&mut block);
            let found: Vec<Words<ROW_WORDS>> = block.rows.iter().map(|bus| bus.val()).collect();
            assert_eq!(found, under_way, "{}", machine.name);
            under_way = next;
        }
    }
}

#[test]
fn odd_machines_are_odd_in_what_they_are_for() {
    let machines = odd_machines();
    let thirds = &machines[1];
    assert!(!(thirds.tile_rows / thirds.gather_lanes).is_power_of_two());
    assert!(
        thirds.tile_outputs(8) > thirds.output_lanes && !thirds.tile_outputs(8).is_multiple_of(thirds.output_lanes)
    );
    assert_eq!(machines[2].tile_rows, machines[2].gather_lanes);
    assert!(machines[0].sum_bits() < 16 && machines[3].sum_bits() > 16);
    assert_eq!(WindowMemory::new(&machines[3]).write_codes.bits(), 64 * bitline_hdl::deep::CODE_WORDS);
}

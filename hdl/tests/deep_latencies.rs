//! Latencies of the blocks of machines that run programs that `deep_blocks.rs` does not measure, and that none is left out.

#[macro_use]
#[path = "support/clocked.rs"]
mod clocked;
mod support;

use bitline_firmware::isa::Opcode;
use bitline_golden::deep_machine::DeepMachine;
use bitline_hdl::deep::instruction_decoder::InstructionDecoder;
use bitline_hdl::deep::mac_counter::MacCounter;
use bitline_hdl::deep::program_memory::ProgramMemory;
use bitline_hdl::deep::region_check::RegionCheck;
use bitline_hdl::deep::result_memory::ResultMemory;
use bitline_hdl::deep::row_counter::RowCounter;
use bitline_hdl::deep::window_walk::WindowWalk;
use bitline_hdl::deep::write_select::WriteSelect;
use clocked::{connected, latency, measure, tick};
use support::block_files;

clocked!(InstructionDecoder, MacCounter, ProgramMemory, RegionCheck, ResultMemory, RowCounter);
clocked!(WindowWalk, WriteSelect);

fn machines() -> [DeepMachine; 2] {
    ["tiny-deep", "mnist"].map(|name| DeepMachine::named(name).unwrap())
}

#[test]
fn latency_of_every_block_of_programs_is_its_constant() {
    for machine in machines() {
        let program = [[7; 8]];
        let measured = [
            (
                "mac_counter",
                MacCounter::LATENCY_CYCLES,
                latency(
                    MacCounter::new(&machine),
                    |b, on| (b.enable.next, b.rows.next, b.outputs.next) = (on, 2, 3),
                    |b| b.macs.val() == 6,
                ),
            ),
            (
                "program_memory",
                ProgramMemory::LATENCY_CYCLES,
                latency(
                    ProgramMemory::new(&machine, &program),
                    |b, on| b.read_address.next = u64::from(!on),
                    |b| b.instruction.val()[0] & 0xFFFF == 7,
                ),
            ),
            (
                "program_memory back",
                ProgramMemory::READ_BACK_CYCLES,
                latency(
                    ProgramMemory::new(&machine, &program),
                    |b, on| b.read_address.next = u64::from(!on),
                    |b| b.read_data.val() == 7,
                ),
            ),
            (
                "region_check",
                RegionCheck::LATENCY_CYCLES,
                latency(
                    RegionCheck::new(&machine),
                    |b, on| (b.region.next, b.words.next) = (if on { 1 } else { 9 }, 1),
                    |b| b.exists.val(),
                ),
            ),
            (
                "window_walk",
                WindowWalk::LATENCY_CYCLES,
                latency(
                    WindowWalk::new(&machine),
                    |b, on| (b.start.next, b.single.next, b.take.next) = (on, true, true),
                    |b| b.valid.val(),
                ),
            ),
            (
                "write_select",
                WriteSelect::LATENCY_CYCLES,
                latency(WriteSelect::new(&machine), |b, on| b.link_enable.next = on, |b| b.write_enable.val()),
            ),
            (
                "instruction_decoder",
                InstructionDecoder::LATENCY_CYCLES,
                latency(
                    InstructionDecoder::new(&machine),
                    |b, on| (b.load.next, b.words.next[0]) = (on, Opcode::Fill as u64),
                    |b| b.opcode.val() == Opcode::Fill as u64,
                ),
            ),
        ];
        for (block, constant, measured) in measured {
            assert_eq!(measured, constant, "{block} of {}", machine.name);
        }
    }
}

#[test]
fn instruction_decoder_shows_fields_its_latency_after_they_are_applied() {
    let machine = DeepMachine::named("tiny-deep").unwrap();
    let mut block = connected(InstructionDecoder::new(&machine));
    let words = Opcode::Thresholds.operation().smallest().encode();
    block.words.next =
        std::array::from_fn(|k| (0..4).fold(0, |word, i| word | u64::from(words[4 * k + i]) << (16 * i)));
    block.load.next = true;
    tick(&mut block);
    block.load.next = false;
    assert!(block.legal.val());
    let measured = measure(&mut block, |b, on| b.apply.next = on, |b| b.thresholds_bits.val() == 1);
    assert_eq!(measured, InstructionDecoder::LATENCY_CYCLES);
}

#[test]
fn results_are_read_their_latency_after_their_address() {
    for machine in machines() {
        let mut block = connected(ResultMemory::new(&machine));
        (block.store.next, block.lane_valid.next, block.sums[0].next) = (true, 1, 9);
        tick(&mut block);
        block.store.next = false;
        let measured = measure(&mut block, |b, on| b.read_value.next = u64::from(!on), |b| b.value.val() == 9);
        assert_eq!(measured, ResultMemory::READ_CYCLES, "result_memory of {}", machine.name);
    }
}

#[test]
fn row_counter_latency_grows_with_its_tree() {
    for rows in 1..=256 {
        let measured = latency(RowCounter::new(rows), |b, on| b.rows.next[0] = u64::from(on), |b| b.count.val() == 1);
        assert_eq!(measured, RowCounter::latency_cycles(rows), "{rows} rows");
    }
}

#[test]
fn no_latency_of_a_block_of_programs_is_left_unmeasured() {
    let here = [include_str!("deep_latencies.rs"), include_str!("deep_blocks.rs")].concat();
    for (name, source) in block_files("deep") {
        let (_, rest) = source.split_once("pub struct ").unwrap();
        let block = rest.split([' ', '<']).next().unwrap();
        if source.contains("pub const LATENCY_CYCLES: u64") {
            assert!(here.contains(&format!("{block}::LATENCY_CYCLES")), "{name} is not measured");
        }
    }
}

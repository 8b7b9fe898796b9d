//! The book's page on registers, made from the register map.

use std::fmt::Write as _;

use bitline_golden::machine::Machine;
use bitline_golden::registers::{
    Access, ArrayAddress, IDENTIFY_WORDS, REGISTER_WORDS, REGISTERS, Region, class_lane, margin_lane, slot_offset,
};

const HEAD: &str = "\
# Registers and memories

Made from `golden/src/registers.rs` by `BITLINE_WRITE_BOOK=1 cargo test -p bitline-host --test book`; a test fails when \
the two differ.

An address is 24 bits: the region in bits 23..16, an offset in bits 15..0. Every offset names a 16-bit word; a register \
of several words has its low word first. Numbers are unsigned unless said otherwise.

| region | what | words |
| --- | --- | --- |
";

const MEMORIES: &str = "
## Devices (region 1)

Up to 16 devices of one column, lowest row in bit 0: rows `row_group * row_lanes + 16 * word` and up. The offset has three \
fields, from high to low: step (`column_group * row_groups + row_group`), lane (which of the columns read together), word. \
Offsets between a field's last value and its width do not exist. Bits of rows that do not exist are dropped and read 0. A \
frame stays within one column's row group.

## Slots (region 2)

A slot's offset is its number above the lane. An image's input codes are packed from bit 0 of lane 0 on, code k in bits \
`k * input_bits` and up. A result has y of each output, 16-bit two's complement, from lane 0 on, then class, then margin. A \
frame stays within one slot.

## Labels (region 3)

One word a slot; 65535 means none, and such an image never counts as correct.

";

fn access(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "read",
        Access::ReadWrite => "read, write",
        Access::WriteOnly => "write; reads 0",
    }
}

/// The page `docs/book/registers.md`.
pub fn page() -> String {
    let mut text = HEAD.to_string();
    let regions = [
        (Region::Registers, "registers", format!("{REGISTER_WORDS}")),
        (Region::Array, "devices", "columns x row groups x words of a row group".into()),
        (Region::Slots, "slots: images and results", "slots x lanes of a slot".into()),
        (Region::Labels, "labels", "slots".into()),
    ];
    for (region, what, words) in regions {
        let _ = writeln!(text, "| {} | {what} | {words} |", region as u8);
    }
    let _ = writeln!(text, "\n## Registers (region 0)\n");
    let _ = writeln!(
        text,
        "IDENTIFY answers the words 0..{IDENTIFY_WORDS}. Counters stop at their largest value, all ones.\n"
    );
    text.push_str("| offset | name | words | bits | access | meaning |\n| --- | --- | --- | --- | --- | --- |\n");
    for r in REGISTERS {
        let _ = writeln!(
            text,
            "| {} | `{}` | {} | {} | {} | {} |",
            r.offset,
            r.name,
            r.words,
            r.width,
            access(r.access),
            r.doc
        );
    }
    text.push_str(MEMORIES);
    text.push_str("## Sizes of the machines\n\n| machine | array word bits | array lane bits | words of a row group | lanes of a slot | offset of slot 1 | class lane | margin lane |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for machine in Machine::names().filter_map(|name| Machine::named(name).ok()) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            machine.name,
            ArrayAddress::word_bits(&machine),
            ArrayAddress::lane_bits(&machine),
            machine.array_words(),
            machine.slot_words(),
            slot_offset(&machine, 1, 0),
            class_lane(&machine),
            margin_lane(&machine),
        );
    }
    text
}

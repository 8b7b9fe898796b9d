//! Place and route one machine on one board and print area and clock.
//!
//! Exit status: 0 within the budget, 1 beyond it or too large for the part, 2 could not run.

use bitline_boards::bitstream::versions;
use bitline_boards::budget::Budget;
use bitline_boards::flow::{Flow, Placement, Synthesis, build_of, design_hash};
use bitline_boards::results::{self, Record};
use bitline_boards::{Board, BoardError};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: pnr --board NAME --machine NAME [--verilog FILE] [--seeds FIRST..LAST | --seed N] [--out DIR] \
                     [--limit MINUTES] [--record FILE] [--pack] [--json]";

struct Options {
    board: String,
    machine: String,
    /// Instead of the machine's own.
    verilog: Option<PathBuf>,
    seeds: std::ops::RangeInclusive<u64>,
    out: PathBuf,
    /// Longest time that one tool may take.
    limit: Duration,
    /// Where every seed's result goes as a line of JSON.
    record: Option<PathBuf>,
    pack: bool,
    json: bool,
}

fn options() -> Result<Options, String> {
    let mut arguments = std::env::args().skip(1);
    let (mut board, mut machine, mut verilog) = (None, None, None);
    let (mut seeds, mut out, mut pack, mut json) = (1..=1, PathBuf::from("out/boards"), false, false);
    let (mut limit, mut record) = (bitline_boards::stage::LIMIT, None);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{flag} needs a value; {USAGE}"));
        match flag.as_str() {
            "--board" => board = Some(value()?),
            "--machine" => machine = Some(value()?),
            "--verilog" => verilog = Some(PathBuf::from(value()?)),
            "--seed" | "--seeds" => {
                let text = value()?;
                let (first, last) = text.split_once("..").unwrap_or((&text, &text));
                let number = |t: &str| t.parse().map_err(|_| format!("{flag} is {text}, must be like 1 or 1..5"));
                seeds = number(first)?..=number(last)?;
                if seeds.is_empty() {
                    return Err(format!("{flag} is {text}, its first seed must not be above its last"));
                }
            }
            "--out" => out = value()?.into(),
            "--limit" => {
                let text = value()?;
                let minutes: u64 = text.parse().map_err(|_| format!("--limit is {text}, must be whole minutes"))?;
                limit = Duration::from_secs(60 * minutes);
            }
            "--record" => record = Some(value()?.into()),
            "--pack" => pack = true,
            "--json" => json = true,
            "--help" => return Err(USAGE.into()),
            _ => return Err(format!("{flag} is not an option; {USAGE}")),
        }
    }
    let needed = |name| format!("{name} is missing; {USAGE}");
    Ok(Options {
        board: board.ok_or_else(|| needed("--board"))?,
        machine: machine.ok_or_else(|| needed("--machine"))?,
        verilog,
        seeds,
        out,
        limit,
        record,
        pack,
        json,
    })
}

fn main() -> ExitCode {
    match options().and_then(|options| place(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn place(options: &Options) -> Result<bool, String> {
    let words = |e: BoardError| e.to_string();
    let board = Board::named(&options.board).map_err(words)?;
    let flow = Flow::named(board.clone(), &options.machine, &options.out).map_err(words)?.with_limit(options.limit);
    let machine = flow.machine();
    let budgets = Budget::all().map_err(words)?;
    let budget = budgets.iter().find(|b| b.board == board.name && b.machine == machine.name);
    let verilog = match &options.verilog {
        Some(file) => std::fs::read_to_string(file).map_err(|e| format!("{} cannot be read: {e}", file.display()))?,
        None => flow.verilog().map_err(words)?,
    };

    eprintln!("synthesising {} for {} ...", machine.name, board.title);
    let synthesis = flow.synthesise(&verilog).map_err(words)?;
    let mut placements: Vec<Placement> = Vec::new();
    let mut overruns = Vec::new();
    for seed in options.seeds.clone() {
        eprintln!("placing and routing, seed {seed} ...");
        let placed = flow.place(&synthesis, seed);
        if let Some(file) = &options.record {
            let record = record(&flow, &verilog, &synthesis, seed, &placed).map_err(words)?;
            results::put(file, record).map_err(words)?;
        }
        match placed {
            Ok(placement) => placements.push(placement),
            Err(error @ BoardError::DoesNotFit { .. }) => {
                eprintln!("{error}");
                return Ok(false);
            }
            // One seed that the router cannot finish is a result too.
            Err(error @ BoardError::TookTooLong { .. }) => overruns.push(error.to_string()),
            Err(error) => return Err(words(error)),
        }
    }
    if placements.is_empty() {
        return Err(overruns.join("\n"));
    }
    // The slowest of the seeds speaks for the machine: another seed must not break it.
    placements.sort_by_key(|p| p.usage.clock_hz);
    let (slowest, fastest) = (&placements[0], &placements[placements.len() - 1]);
    let mean = placements.iter().map(|p| p.usage.clock_hz).sum::<u64>() / placements.len() as u64;
    let bitstream = if options.pack { Some(flow.pack(fastest).map_err(words)?) } else { None };
    overruns.extend(budget.map(|budget| budget.overruns(&slowest.usage)).unwrap_or_default());
    if budget.is_none() && !slowest.usage.meets_clock() {
        let (reached, needed) = (slowest.usage.clock_hz, slowest.usage.clock_needed_hz);
        overruns.push(format!("{} on {} reaches {reached} Hz and needs {needed} Hz", machine.name, board.name));
    }

    let (usage, cells) = (&slowest.usage, &synthesis.cells);
    let megahertz = |hertz: u64| format!("{:.1}", hertz as f64 / 1e6);
    if options.json {
        let record = json!({
            "board": board.name, "machine": machine.name, "version": env!("CARGO_PKG_VERSION"),
            "seeds": placements.iter().map(|p| p.seed).collect::<Vec<_>>(),
            "usage": usage, "cells": cells,
            "clock_hz": { "slowest": slowest.usage.clock_hz, "mean": mean,
                          "fastest": fastest.usage.clock_hz },
            "budget": budget, "overruns": overruns, "bitstream": bitstream,
            "synthesis": synthesis.folder, "placement": slowest.folder,
        });
        println!("{record}");
    } else {
        println!(
            "| {} | {} | {} of {} ({} %) | {} | {} | {} | {} of {} | {} / {} / {} MHz | {} MHz |",
            machine.name,
            board.title,
            usage.logic.used,
            usage.logic.available,
            usage.logic.percent(),
            cells.luts,
            cells.carries,
            cells.flip_flops,
            usage.block_rams.used,
            usage.block_rams.available,
            megahertz(slowest.usage.clock_hz),
            megahertz(mean),
            megahertz(fastest.usage.clock_hz),
            megahertz(usage.clock_needed_hz),
        );
    }
    tell_of_the_records(&flow, &verilog);
    for overrun in &overruns {
        eprintln!("{overrun}");
    }
    if !overruns.is_empty() {
        let own = options.verilog.as_ref().map(|file| format!(" --verilog {}", file.display())).unwrap_or_default();
        eprintln!(
            "reproduce: cargo run --release -p bitline-boards --bin pnr -- --board {} --machine {}{own} --seeds {}..{}",
            board.name,
            machine.name,
            options.seeds.start(),
            options.seeds.end()
        );
    }
    Ok(overruns.is_empty())
}

/// A seed's result with everything it depends on.
fn record(
    flow: &Flow,
    verilog: &str,
    synthesis: &Synthesis,
    seed: u64,
    placed: &Result<Placement, BoardError>,
) -> Result<Record, BoardError> {
    let (board, machine) = (flow.board().name.clone(), flow.machine().name.clone());
    let command = format!("pnr --board {board} --machine {machine} --seed {seed}");
    let key = |mut hash: String| {
        hash.truncate(16);
        hash
    };
    Ok(Record {
        usage: placed.as_ref().ok().map(|p| p.usage.clone()),
        failure: placed.as_ref().err().map(|e| e.to_string().split("; ").next().unwrap_or_default().to_string()),
        cells: synthesis.cells,
        seconds: placed.as_ref().ok().and_then(|p| p.took).map(|took| took.as_secs_f64().round()),
        design: key(design_hash(verilog)),
        build: build_of(verilog).map(|build| format!("{build:016x}")),
        pins: key(flow.board_hash()),
        tools: versions(flow.board().device.family)?,
        version: env!("CARGO_PKG_VERSION").to_string(),
        board,
        machine,
        seed,
        command,
    })
}

/// Say whether the figures in the repository are of this design; gateware may change without placing it anew.
fn tell_of_the_records(flow: &Flow, verilog: &str) {
    let records = results::read(results::FILE.as_ref()).unwrap_or_default();
    let design = design_hash(verilog);
    let (board, machine) = (&flow.board().name, &flow.machine().name);
    match records.iter().find(|r| r.board == *board && r.machine == *machine) {
        None => eprintln!("{} has no figures for {machine} on {board}", results::FILE),
        Some(record) if design.starts_with(&record.design) => {
            eprintln!("the figures in {} are of this design", results::FILE);
        }
        Some(_) => eprintln!(
            "the figures in {} are of an earlier design of {machine} on {board}; `make pnr` measures this one",
            results::FILE
        ),
    }
}

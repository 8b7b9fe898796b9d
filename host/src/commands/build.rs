//! `bitline build`: from a machine to a bitstream for a board.

use std::path::PathBuf;
use std::time::Duration;

use bitline_boards::Board;
use bitline_boards::bitstream::Manifest;
use bitline_boards::flow::Flow;
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use super::Verdict;
use super::arguments::MachineArgument;

/// Which board, and where its stages are kept.
#[derive(Debug, Args)]
pub struct BoardArgument {
    /// Board, one of boards/boards/*.toml
    #[arg(long, value_parser = PossibleValuesParser::new(Board::names()))]
    pub board: String,
    /// Folder of everything that is built
    #[arg(long, value_name = "FOLDER", default_value = "out/boards")]
    pub out: PathBuf,
}

impl BoardArgument {
    /// The flow that builds a machine for the board.
    pub fn flow(&self, machine: &MachineArgument) -> anyhow::Result<Flow> {
        let board = Board::named(&self.board)?;
        Ok(Flow::named(board, &machine.machine, &self.out)?)
    }
}

/// Arguments of `bitline build`.
#[derive(Debug, Args)]
pub struct BuildArguments {
    #[command(flatten)]
    board: BoardArgument,
    #[command(flatten)]
    machine: MachineArgument,
    /// Seed of the placer
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Longest time in minutes that one tool may take
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    limit: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// A stage's time in words.
fn took(time: Option<Duration>) -> String {
    time.map_or("there already".into(), |time| format!("{:.1} s", time.as_secs_f64()))
}

/// Build.
pub fn run(arguments: &BuildArguments) -> anyhow::Result<Verdict> {
    let flow = arguments.board.flow(&arguments.machine)?.with_limit(Duration::from_secs(60 * arguments.limit));
    let (board, machine) = (flow.board(), flow.machine());
    eprintln!("1 of 4  Verilog of {} for a clock of {} Hz", machine.name, board.clock_hz);
    let verilog = flow.verilog()?;
    eprint!("2 of 4  synthesis for {} ... ", board.title);
    let synthesis = flow.synthesise(&verilog).inspect_err(|_| eprintln!())?;
    eprintln!("{}", took(synthesis.took));
    eprint!("3 of 4  place and route, seed {} ... ", arguments.seed);
    let placement = flow.place(&synthesis, arguments.seed).inspect_err(|_| eprintln!())?;
    eprintln!("{}", took(placement.took));
    eprintln!("4 of 4  packing");
    let (manifest, bitstream) = Manifest::make(&flow, &synthesis, &placement)?;

    let usage = &manifest.usage;
    if arguments.json {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let mut record = serde_json::to_value(&manifest)?;
        record["bitstream"] = json!(bitstream);
        record["meets_clock"] = json!(usage.meets_clock());
        record["seconds"] = json!({ "synthesis": seconds(synthesis.took), "placement": seconds(placement.took) });
        record["folders"] = json!({ "synthesis": synthesis.folder, "placement": placement.folder });
        println!("{record}");
    } else {
        let megahertz = |hertz: u64| format!("{:.1} MHz", hertz as f64 / 1e6);
        let share = |share: &bitline_boards::usage::Share| {
            format!("{} of {} ({} %)", share.used, share.available, share.percent())
        };
        let verdict = if usage.meets_clock() { "met" } else { "MISSED" };
        println!("bitstream  {}", bitstream.display());
        println!("build      {}, seed {}", manifest.build_hash, manifest.seed);
        println!("logic      {}", share(&usage.logic));
        println!("flip-flops {}", usage.flip_flops.as_ref().map_or(manifest.cells.flip_flops.to_string(), share));
        println!("block RAM  {}", share(&usage.block_rams));
        println!(
            "clock      {}, the board's {} is {verdict}",
            megahertz(usage.clock_hz),
            megahertz(usage.clock_needed_hz)
        );
    }
    if !usage.meets_clock() {
        return Ok(Verdict::TooSlow);
    }
    eprintln!("to write it to the board: bitline flash --board {} --machine {}", board.name, machine.name);
    Ok(Verdict::Equal)
}

//! `bitline build`: from a machine to a bitstream for a board.

use std::path::PathBuf;
use std::time::Duration;

use bitline_boards::Board;
use bitline_boards::bitstream::Manifest;
use bitline_boards::constraints;
use bitline_boards::flow::Flow;
use bitline_boards::pll;
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
    /// Clock of the machine in megahertz, made by a phase-locked loop of the part [default: the board's crystal]
    #[arg(long, value_name = "MEGAHERTZ", value_parser = megahertz)]
    pub clock: Option<u32>,
}

/// A clock in hertz from megahertz.
fn megahertz(text: &str) -> Result<u32, String> {
    let hertz = text.parse::<f64>().map_err(|e| e.to_string())? * 1e6;
    let whole = hertz.round() as u32;
    if !pll::RANGE_HZ.contains(&whole) || (hertz - f64::from(whole)).abs() > 1e-3 {
        return Err("give megahertz from 1 to 400, to the hertz, as in 30 or 31.125".to_string());
    }
    Ok(whole)
}

impl BoardArgument {
    /// The flow that builds a machine for the board.
    pub fn flow(&self, machine: &MachineArgument) -> anyhow::Result<Flow> {
        let board = Board::named(&self.board)?;
        let board = match self.clock {
            Some(hz) => board.clocked_at(hz),
            None => board,
        };
        Ok(Flow::named(board, &machine.machine, &self.out)?)
    }
}

/// The options of `bitline build` and `bitline flash` that name a flow's board, machine and clock.
pub fn flow_options(flow: &Flow) -> String {
    let board = flow.board();
    let clock = board.pll_hz.map(|hz| format!(" --clock {}", constraints::megahertz(hz))).unwrap_or_default();
    format!("--board {} --machine {}{clock}", board.name, flow.machine().name)
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
    eprintln!("1 of 4  Verilog of {} for a clock of {} Hz", machine.name, board.machine_hz());
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
            "clock      {}, the {} {} is {verdict}",
            megahertz(usage.clock_hz),
            if board.pll_hz.is_some() { "loop's" } else { "board's" },
            megahertz(usage.clock_needed_hz)
        );
    }
    if !usage.meets_clock() {
        return Ok(Verdict::TooSlow);
    }
    eprintln!("to write it to the board: bitline flash {}", flow_options(&flow));
    Ok(Verdict::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megahertz_are_whole_hertz_within_what_a_loop_makes() {
        assert_eq!(megahertz("30"), Ok(30_000_000));
        assert_eq!(megahertz("31.125"), Ok(31_125_000));
        assert_eq!(megahertz("33.000001"), Ok(33_000_001));
        for text in ["", "fast", "0", "-30", "400.1", "NaN", "inf", "30000000", "30.0000001"] {
            assert!(megahertz(text).is_err(), "{text}");
        }
    }
}

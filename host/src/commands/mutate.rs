//! `bitline mutate`: how many mutants of a machine's Verilog the problems of R2 catch.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bitline_boards::mutation::Mutant;
use bitline_boards::tools;
use bitline_host::mutation::{Known, MutantResult, Mutation, MutationOptions, without_uart};
use bitline_host::mutation_record::{self, Record, Recorded};
use bitline_host::problem_set::{SHIPPED_IMAGES, make, names};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Verdict;
use super::arguments::MachineArgument;

/// Arguments of `bitline mutate`.
#[derive(Debug, Args)]
pub struct MutateArguments {
    #[command(flatten)]
    machine: MachineArgument,
    /// Mutants that Yosys draws; all are compiled into one program
    #[arg(long, default_value_t = 1000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    mutants: u32,
    /// Run this many of them only, evenly spread
    #[arg(long, value_name = "COUNT")]
    sample: Option<usize>,
    /// Run this one only, and leave the results on file alone
    #[arg(long, value_name = "NUMBER", conflicts_with = "sample")]
    only: Option<u32>,
    /// Seed of the draw and of the problems
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Random problems, besides corners and scripts
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    problems: u64,
    /// Seconds for each way of proving that a mutant that came through changes nothing; 0 tries none
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    proof_limit: u64,
    /// Mutate what is behind the UART, and hand it whole bytes: some ten times as fast
    #[arg(long)]
    bytes: bool,
    /// Mutants run at a time
    #[arg(long, default_value_t = 2, value_name = "COUNT")]
    threads: usize,
    /// Folder of what is compiled and of the results, one JSON object a line; a run that was stopped goes on from there
    #[arg(long, default_value = "out/mutate", value_name = "FOLDER")]
    out: PathBuf,
    /// Recorded verdicts: what is run again has to agree with them
    #[arg(long, default_value = mutation_record::FILE, value_name = "FILE")]
    recorded: PathBuf,
    /// Write the verdicts there instead, once all mutants have theirs
    #[arg(long, conflicts_with_all = ["sample", "only"])]
    record: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Run it.
pub fn run(arguments: &MutateArguments) -> anyhow::Result<Verdict> {
    let described = arguments.machine.machine()?;
    let machine = if arguments.bytes { without_uart(&described) } else { described.clone() };
    let problems = names(&machine, arguments.seed, arguments.problems, SHIPPED_IMAGES)
        .iter()
        .map(|name| make(&machine, name, arguments.seed))
        .collect::<Result<Vec<_>, _>>()?;
    let options = MutationOptions {
        count: arguments.mutants,
        seed: arguments.seed,
        threads: arguments.threads,
        proof_limit: Duration::from_secs(arguments.proof_limit),
        bytes: arguments.bytes,
    };
    eprintln!("drawing and compiling {} mutants of {}, unless they are there", arguments.mutants, machine.name);
    let mutation = Mutation::new(&machine, problems, options, &arguments.out)?;
    if let Some((problem, seen)) = mutation.first_failure(0)? {
        bail!("the machine without a mutation differs in {problem}: {seen}; see `bitline verify --rung R2`");
    }
    let drawn = mutation.drawn_hash()[..16].to_string();
    let earlier = mutation_record::read(&arguments.recorded)?.into_iter().find(|old| old.machine == machine.name);
    let earlier = earlier.filter(|old| {
        let same = old.drawn == drawn;
        if !same && !arguments.record {
            eprintln!(
                "{} has other mutants of {}: `make mutate-all` runs these",
                arguments.recorded.display(),
                machine.name
            );
        }
        same
    });
    let recorded = |number| earlier.as_ref().and_then(|earlier| earlier.verdict(number));
    let chosen = choose(mutation.mutants(), arguments)?;
    let file = arguments.out.join(format!("{}-{}.jsonl", machine.name, drawn));
    let mut results = if arguments.only.is_some() { BTreeMap::new() } else { read(&file)? };
    results.retain(|_, result| mutation.is_valid(result));
    // What came through and was not given as much time for a proof is not done.
    let tried = |result: &MutantResult| result.proof.as_ref().map_or(0, |proof| proof.limit_seconds);
    let came_through: Vec<u32> =
        results.values().filter(|result| !result.is_caught()).map(|result| result.mutant.number).collect();
    results.retain(|_, result| result.is_caught() || result.is_equivalent() || tried(result) >= arguments.proof_limit);
    results.retain(|number, _| chosen.iter().any(|mutant| mutant.number == *number));
    let open: Vec<&Mutant> = chosen.iter().filter(|mutant| !results.contains_key(&mutant.number)).copied().collect();
    let bar = ProgressBar::new(chosen.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} mutants, {eta} left, {msg}")?)
        .with_position(results.len() as u64);
    let mut log = match arguments.only {
        Some(_) => None,
        None => Some(OpenOptions::new().create(true).append(true).open(&file).with_context(|| named(&file))?),
    };
    let known = |number| {
        if !arguments.record && arguments.only.is_none() && recorded(number).is_some() {
            Known::Verdict
        } else if came_through.contains(&number) {
            Known::CameThrough
        } else {
            Known::Nothing
        }
    };
    mutation.judge_all(&open, known, |result| -> anyhow::Result<()> {
        if let Some(log) = &mut log {
            writeln!(log, "{}", serde_json::to_string(result)?).with_context(|| named(&file))?;
        }
        results.insert(result.mutant.number, result.clone());
        bar.inc(1);
        bar.set_message(format!("{} came through", results.values().filter(|result| !result.is_caught()).count()));
        Ok(())
    })?;
    bar.finish_and_clear();
    let record = Record {
        machine: machine.name.clone(),
        seed: arguments.seed,
        mutants: arguments.mutants,
        design: bitline_boards::runs::design_of(&described)?,
        drawn,
        problems: mutation.problem_names().map(str::to_string).collect(),
        tools: versions(arguments)?,
        version: env!("CARGO_PKG_VERSION").to_string(),
        command: super::shell_words(&words()),
        caught: BTreeMap::new(),
        equivalent: BTreeMap::new(),
        missed: Vec::new(),
    };
    let different: Vec<u32> = results
        .values()
        .filter(|result| {
            recorded(result.mutant.number).is_some_and(|old| result.is_caught() != (old == Recorded::Caught))
        })
        .map(|result| result.mutant.number)
        .collect();
    let missed: Vec<&MutantResult> = results
        .values()
        .filter(|result| !result.is_caught() && !result.is_equivalent())
        .filter(|result| recorded(result.mutant.number) != Some(Recorded::Equivalent))
        .collect();
    let record = record.fill(results.values().cloned());
    if arguments.json {
        println!("{}", serde_json::to_string(&record)?);
    } else {
        show(arguments, &record, &results);
        if earlier.is_some() {
            let same = results.len() - different.len();
            println!("{same} of {} verdicts are those of {}", results.len(), arguments.recorded.display());
        }
    }
    for result in results.values().filter(|result| arguments.only.is_some() && result.is_caught()) {
        if let Some((problem, seen)) = &result.caught_by {
            eprintln!("mutant {} is caught by {problem}: {seen}", result.mutant.number);
        }
    }
    for number in &different {
        eprintln!("mutant {number} is recorded as {:?}, and now it is not", recorded(*number));
    }
    for MutantResult { mutant, .. } in &missed {
        eprintln!("mutant is not caught: {mutant}");
    }
    if arguments.record {
        mutation_record::put(&arguments.recorded, record)?;
    } else if !different.is_empty() {
        return Ok(Verdict::Missed);
    }
    // One that is recorded as missed is no news.
    let news = missed.iter().any(|result| recorded(result.mutant.number) != Some(Recorded::Missed));
    Ok(if news { Verdict::Missed } else { Verdict::Equal })
}

/// The command's own words, without what changes no verdict.
fn words() -> Vec<String> {
    let words = std::env::args().skip(1).filter(|word| word != "--record");
    [String::from("bitline")].into_iter().chain(words).collect()
}

fn versions(arguments: &MutateArguments) -> anyhow::Result<BTreeMap<String, String>> {
    let tools = ["yosys", "verilator"].into_iter().chain((arguments.proof_limit > 0).then_some("yosys-abc"));
    tools
        .map(|tool| {
            Ok((tool.to_string(), if tool == "yosys-abc" { tools::abc_version()? } else { tools::version(tool)? }))
        })
        .collect()
}

/// The mutants to run: all, one, or every so many-th.
fn choose<'a>(mutants: &'a [Mutant], arguments: &MutateArguments) -> anyhow::Result<Vec<&'a Mutant>> {
    if let Some(only) = arguments.only {
        let Some(mutant) = mutants.iter().find(|mutant| mutant.number == only) else {
            bail!("there is no mutant {only}; there are 1..={}", mutants.len());
        };
        return Ok(vec![mutant]);
    }
    let count = arguments.sample.unwrap_or(mutants.len()).min(mutants.len());
    Ok((0..count).map(|i| &mutants[i * mutants.len() / count]).collect())
}

fn named(file: &Path) -> String {
    format!("{} cannot be written", file.display())
}

/// What an earlier run found. A line that it could not finish is left out.
fn read(file: &Path) -> anyhow::Result<BTreeMap<u32, MutantResult>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.with_context(|| format!("{} cannot be read", file.display()))?,
    };
    let results = text.lines().filter_map(|line| serde_json::from_str::<MutantResult>(line).ok());
    Ok(results.map(|result| (result.mutant.number, result)).collect())
}

fn show(arguments: &MutateArguments, record: &Record, results: &BTreeMap<u32, MutantResult>) {
    println!("machine {}, {} mutants drawn with seed {}\n", record.machine, arguments.mutants, arguments.seed);
    println!("{:<36} {:>8} {:>8} {:>12} {:>8}", "block", "mutants", "caught", "equivalent", "missed");
    let mut blocks: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for result in results.values() {
        let of = usize::from(!result.is_caught()) + usize::from(!result.is_caught() && !result.is_equivalent());
        blocks.entry(result.mutant.block.as_str()).or_default()[of] += 1;
    }
    let line = |name: &str, [caught, equivalent, missed]: [usize; 3]| {
        println!("{name:<36} {:>8} {caught:>8} {equivalent:>12} {missed:>8}", caught + equivalent + missed);
    };
    blocks.iter().for_each(|(name, counts)| line(name, *counts));
    line("all", record.counts());
    println!("\ncaught of those not proved equivalent: {:.1} %", record.percent());
    for (problem, mutants) in &record.caught {
        println!("{:>8} fell to {problem}", mutants.len());
    }
}

//! `bitline mutate`: how many mutants of a machine's Verilog the problems of R2 catch.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bitline_boards::mutation::Mutant;
use bitline_boards::tools;
use bitline_host::mutation::{MutantResult, Mutation, MutationOptions};
use bitline_host::problem_set::{make, names};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

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
    /// Mutants run at a time
    #[arg(long, default_value_t = 2, value_name = "COUNT")]
    threads: usize,
    /// Folder of what is compiled and of the results, one JSON object a line; a run that was stopped goes on from there
    #[arg(long, default_value = "out/mutate", value_name = "FOLDER")]
    out: PathBuf,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Run it.
pub fn run(arguments: &MutateArguments) -> anyhow::Result<Verdict> {
    let machine = arguments.machine.machine()?;
    let problems = names(&machine, arguments.seed, arguments.problems)
        .iter()
        .map(|name| make(&machine, name, arguments.seed))
        .collect::<Result<Vec<_>, _>>()?;
    let options = MutationOptions {
        count: arguments.mutants,
        seed: arguments.seed,
        threads: arguments.threads,
        proof_limit: Duration::from_secs(arguments.proof_limit),
    };
    eprintln!("drawing and compiling {} mutants of {}, unless they are there", arguments.mutants, machine.name);
    let mutation = Mutation::new(&machine, problems, options, &arguments.out)?;
    if let Some((problem, seen)) = mutation.first_failure(0)? {
        bail!("the machine without a mutation differs in {problem}: {seen}; see `bitline verify --rung R2`");
    }
    let chosen = choose(mutation.mutants(), arguments)?;
    let file = arguments.out.join(format!("{}-{}.jsonl", machine.name, &mutation.key()[..16]));
    let mut results = if arguments.only.is_some() { BTreeMap::new() } else { read(&file)? };
    // What came through and was not given as much time for a proof is not done.
    let tried = |result: &MutantResult| result.proof.as_ref().map_or(0, |proof| proof.limit_seconds);
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
    mutation.judge_all(&open, |result| -> anyhow::Result<()> {
        if let Some(log) = &mut log {
            writeln!(log, "{}", serde_json::to_string(result)?).with_context(|| named(&file))?;
        }
        results.insert(result.mutant.number, result.clone());
        bar.inc(1);
        bar.set_message(format!("{} came through", results.values().filter(|result| !result.is_caught()).count()));
        Ok(())
    })?;
    bar.finish_and_clear();
    let missed: Vec<&MutantResult> =
        results.values().filter(|result| !result.is_caught() && !result.is_equivalent()).collect();
    if arguments.json {
        let count = |of: fn(&MutantResult) -> bool| results.values().filter(|result| of(result)).count();
        let summary = json!({
            "machine": machine.name,
            "seed": arguments.seed,
            "drawn": arguments.mutants,
            "run": results.len(),
            "caught": count(MutantResult::is_caught),
            "equivalent": count(MutantResult::is_equivalent),
            "missed": missed.len(),
            "problems": mutation.problem_names().collect::<Vec<_>>(),
            "verilog_sha256": mutation.verilog_hash,
            "yosys": tools::version("yosys")?,
            "verilator": tools::version("verilator")?,
            "command": super::shell_words(&std::env::args().collect::<Vec<_>>()[1..]),
            "not_caught": results.values().filter(|result| !result.is_caught()).collect::<Vec<_>>(),
            "caught_by": by_problem(&results),
        });
        println!("{summary}");
    } else {
        show(&machine.name, arguments, &results);
    }
    for result in results.values().filter(|result| arguments.only.is_some() && result.is_caught()) {
        if let Some((problem, seen)) = &result.caught_by {
            eprintln!("mutant {} is caught by {problem}: {seen}", result.mutant.number);
        }
    }
    for MutantResult { mutant, .. } in &missed {
        eprintln!(
            "mutant {} is not caught: {} of {} {} in {}, {}",
            mutant.number,
            mutant.mode,
            mutant.wire.as_deref().unwrap_or(&mutant.cell),
            mutant.port,
            mutant.block,
            mutant.source.as_deref().unwrap_or("no line")
        );
    }
    Ok(if missed.is_empty() { Verdict::Equal } else { Verdict::Missed })
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

fn by_problem(results: &BTreeMap<u32, MutantResult>) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for (problem, _) in results.values().filter_map(|result| result.caught_by.as_ref()) {
        *counts.entry(problem.as_str()).or_default() += 1;
    }
    counts
}

fn show(machine: &str, arguments: &MutateArguments, results: &BTreeMap<u32, MutantResult>) {
    println!("machine {machine}, {} mutants drawn with seed {}\n", arguments.mutants, arguments.seed);
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
    let total = blocks.values().fold([0; 3], |sum, counts| std::array::from_fn(|i| sum[i] + counts[i]));
    line("all", total);
    let [caught, _, missed] = total;
    println!(
        "\ncaught of those not proved equivalent: {:.1} %",
        100.0 * caught as f64 / (caught + missed).max(1) as f64
    );
    for (problem, count) in by_problem(results) {
        println!("{count:>8} fell to {problem}");
    }
}

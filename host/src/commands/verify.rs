//! `bitline verify`: one set of problems on the rungs of the ladder.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use bitline_boards::runs::{self, Run};
use bitline_boards::{BoardError, stage, tools};
use bitline_golden::machine::Machine;
use bitline_host::HostError;
use bitline_host::engine::{Engine, EngineOptions};
use bitline_host::problem_set::{NamedProblem, SHIPPED_IMAGES, make, names};
use bitline_host::verify::{ClimbOptions, Failure, Progress, Rung, RungResult, climb, description, run_by};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::arguments::{MachineArgument, engine_parser};
use super::{Verdict, verify_program};

/// Arguments of `bitline verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    #[command(flatten)]
    machine: MachineArgument,
    /// Rung, as in R2, or several, as in R0..R3: R0 integer product, R1 RustHDL, R2 exported Verilog,
    /// R3 iCE40 and ECP5 netlists, R4 iCE40 bitstream (not every machine has room on that board, so it is asked for by name)
    #[arg(long, default_value = "R0..R3", value_parser = rungs)]
    rung: RungRange,
    /// Of a rung that several engines climb (R2, R3), this one only
    #[arg(long, value_parser = engine_parser())]
    pub engine: Option<Engine>,
    /// Seed of what is random; random problem K is that of seed SEED + K
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Random problems, after the corners and the shipped networks that the machine takes, on their first test images
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    pub problems: u64,
    /// Test images of the shipped network, for a machine of digits: 297 are all
    #[arg(long, default_value_t = SHIPPED_IMAGES, value_name = "COUNT")]
    digits: usize,
    /// Test images of each shipped network, for a machine that runs programs [default: 20]
    #[arg(long, value_name = "COUNT")]
    pub images: Option<usize>,
    /// Folder of the data sets that these were trained on: mnist/ and fashion-mnist/, or the four files of one; without it their
    /// images are made up
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Run this problem only, as a difference names it
    #[arg(long, value_name = "NAME")]
    pub problem: Option<String>,
    /// Print one JSON object a rung instead of a table
    #[arg(long)]
    pub json: bool,
    /// Keep both waves of a difference in this folder: RustHDL's and those of the exported Verilog (or of the netlist's blocks),
    /// from power-on to 200 clocks after the first clock that differs
    #[arg(long, value_name = "FOLDER")]
    pub vcd: Option<PathBuf>,
    /// Put a line a rung into this file, in place of the last one of the same machine, rung and engine; the repository keeps
    /// docs/results/runs.jsonl, of which the status table is made
    #[arg(long, value_name = "FILE", conflicts_with = "problem")]
    pub record: Option<PathBuf>,
}

/// Rungs from a first to a last.
#[derive(Debug, Clone)]
struct RungRange(Vec<Rung>);

fn rungs(text: &str) -> Result<RungRange, String> {
    let rung = |name: &str| name.parse::<Rung>().map_err(|error| format!("{error}, and ranges like R0..R3"));
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (rung(first)?, rung(last)?);
    let between: Vec<Rung> = Rung::ALL.into_iter().filter(|rung| (first..=last).contains(rung)).collect();
    if between.is_empty() { Err(format!("{text} has its last rung below its first")) } else { Ok(RungRange(between)) }
}

impl VerifyArguments {
    /// Rungs and what climbs them, from the bottom up, of the engines that a rung has.
    pub fn runs(&self, engines: impl Fn(Rung) -> Vec<Engine>) -> Vec<(Rung, Engine)> {
        let all = self.rung.0.iter().flat_map(|rung| engines(*rung).into_iter().map(|engine| (*rung, engine)));
        all.filter(|(_, engine)| self.engine.is_none_or(|only| only == *engine)).collect()
    }

    /// Keep a rung's result, `run` being its record, and print it.
    pub fn conclude(
        &self,
        machine: &str,
        result: &RungResult,
        run: impl FnOnce() -> anyhow::Result<Run>,
    ) -> anyhow::Result<()> {
        if let Some(file) = &self.record {
            runs::put(file, run()?)?;
        }
        if self.json {
            println!("{}", json!({ "machine": machine, "seed": self.seed, "result": result }));
        } else {
            show(result);
        }
        Ok(())
    }
}

/// Run it.
pub fn run(arguments: &VerifyArguments) -> anyhow::Result<Verdict> {
    if let Some(machine) = arguments.machine.deep_machine()? {
        return verify_program::run(&machine, arguments);
    }
    let machine = arguments.machine.machine()?;
    let names = match &arguments.problem {
        Some(name) => vec![name.clone()],
        None => names(&machine, arguments.seed, arguments.problems, arguments.digits),
    };
    let problems = names.iter().map(|name| make(&machine, name, arguments.seed)).collect::<Result<Vec<_>, _>>()?;
    if !arguments.json {
        heading(&machine.name, problems.len(), arguments.seed);
    }
    let work = EngineOptions::default().work;
    let (seed, waves) = (arguments.seed, arguments.vcd.as_deref());
    if let Some(folder) = waves {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let how = ClimbOptions { machine: &machine.name, seed, work: &work, waves };
    let mut failed = false;
    let runs = arguments.runs(|rung| rung.engines().to_vec());
    if let (Some(only), true) = (arguments.engine, runs.is_empty()) {
        bail!("{only} climbs none of these rungs; `bitline verify --help` says what each rung is");
    }
    for (rung, engine) in runs {
        let count = run_by(engine, &problems).count();
        if count == 0 {
            eprintln!("{rung} {}: none of these problems is small enough for it", description(engine));
            continue;
        }
        let bar = ProgressBar::new(count as u64)
            .with_style(ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len} problems, {eta} left")?)
            .with_prefix(rung.to_string());
        let result = climb(rung, engine, &problems, &how, &mut |progress| match progress {
            Progress::Problem => bar.inc(1),
            Progress::Bisecting => bar.println(format!("{rung} differs; looking for the first block that does")),
        });
        bar.finish_and_clear();
        let result = result.map_err(|error| could_not_run(rung, engine, &error))?;
        failed |= !result.failures.is_empty();
        arguments.conclude(&machine.name, &result, || {
            let run: Vec<&NamedProblem> = run_by(engine, &problems).collect();
            recorded(&machine, &result, &run, arguments)
        })?;
        for (n, failure) in result.failures.iter().enumerate() {
            tell(&result, failure, n == 0);
        }
        if result.failures.len() > 1 && rung > Rung::R1 {
            eprintln!("the block was looked for in the first of these; each command looks for its own");
        }
    }
    Ok(if failed { Verdict::Differs } else { Verdict::Equal })
}

/// A rung's result with what it is of.
fn recorded(
    machine: &Machine,
    result: &RungResult,
    problems: &[&NamedProblem],
    arguments: &VerifyArguments,
) -> anyhow::Result<Run> {
    let (seed, count, digits) = (arguments.seed, arguments.problems, arguments.digits);
    let digits = if digits == SHIPPED_IMAGES { String::new() } else { format!(" --digits {digits}") };
    let of = RunOf {
        random: problems.iter().filter(|named| named.name.starts_with("random/")).count(),
        images: problems.iter().map(|named| named.problem.images.nrows()).sum(),
        design: runs::design_of(machine)?,
        data: checksum(problems),
        command: format!(
            "bitline verify --machine {} --rung {} --seed {seed} --problems {count}{digits}",
            machine.name, result.rung
        ),
    };
    of.run(&machine.name, result, seed)
}

/// What a rung's result is of, where [`Run`] does not take it from the result.
pub struct RunOf {
    pub random: usize,
    pub images: usize,
    pub design: String,
    pub data: String,
    pub command: String,
}

impl RunOf {
    /// The record.
    pub fn run(self, machine: &str, result: &RungResult, seed: u64) -> anyhow::Result<Run> {
        let tools = tools_of(result.engine).iter().map(|tool| Ok((tool.to_string(), tools::version(tool)?)));
        Ok(Run {
            machine: machine.into(),
            rung: result.rung.to_string(),
            engine: result.engine.to_string(),
            problems: result.problems,
            random: self.random,
            images: self.images,
            outputs: result.outputs,
            counters: result.counters,
            differences: result.failures.len(),
            seconds: result.seconds,
            seed,
            design: self.design,
            data: Some(self.data),
            tools: tools.collect::<Result<_, BoardError>>()?,
            version: env!("CARGO_PKG_VERSION").into(),
            command: self.command,
        })
    }
}

/// What keeps a rung from being climbed, which is no difference.
pub fn could_not_run(rung: Rung, engine: Engine, error: &HostError) -> anyhow::Error {
    anyhow!("rung {rung}, {}, could not run: {error}", description(engine))
}

/// The tools that made or ran an engine's machine.
fn tools_of(engine: Engine) -> &'static [&'static str] {
    match engine {
        Engine::Golden | Engine::Rusthdl => &[],
        Engine::Verilator => &["verilator"],
        Engine::Icarus => &["yosys", "iverilog"],
        Engine::Netlist | Engine::NetlistEcp5 => &["yosys", "verilator"],
        Engine::Bitstream => &["yosys", "nextpnr-ice40", "icepack", "icebox_vlog", "verilator"],
    }
}

/// Of every problem's name, machine, devices (stuck ones too), images, labels and script, the first sixteen digits.
fn checksum(problems: &[&NamedProblem]) -> String {
    let mut bytes = Vec::new();
    for NamedProblem { name, problem, script, counts } in problems {
        let (array, machine) = (&problem.array, &problem.machine);
        bytes.extend(name.bytes().chain(format!("{machine:?}{script:?}{counts:x}").bytes()));
        for (row, column) in (0..array.rows()).flat_map(|row| (0..array.columns()).map(move |column| (row, column))) {
            bytes.push(u8::from(array.get(row, column)) | u8::from(array.stuck(row, column).is_some()) << 1);
        }
        bytes.extend(problem.images.iter());
        bytes.extend(problem.labels.iter().flat_map(|label| [u8::from(label.is_some()), label.unwrap_or(0)]));
    }
    stage::hash(&[&bytes])[..16].to_string()
}

/// What the table that follows is of, and its head.
pub fn heading(machine: &str, problems: usize, seed: u64) {
    println!("machine {machine}, {problems} problems, seed {seed}\n");
    println!(
        "{:<5} {:<30} {:>9} {:>9} {:>9} {:>12} {:>9}",
        "rung", "compared with golden", "problems", "outputs", "counters", "differences", "seconds"
    );
}

/// Say what differs, and how to see it again.
pub fn tell(RungResult { rung, engine, .. }: &RungResult, failure: &Failure, is_first: bool) {
    eprintln!("{rung}, {}, differs in {}: {}", description(*engine), failure.problem, failure.difference);
    if let Some(bisection) = &failure.bisection {
        eprint!("{bisection}");
    }
    if let Some(reason) = failure.not_bisected.filter(|_| is_first) {
        eprintln!("  block     none: {reason}");
    }
    eprintln!("reproduce: {}", failure.reproduce);
}

/// A line of the table.
fn show(result: &RungResult) {
    println!(
        "{:<5} {:<30} {:>9} {:>9} {:>9} {:>12} {:>9.1}",
        result.rung.to_string(),
        description(result.engine),
        result.problems,
        result.outputs,
        result.counters,
        result.failures.len(),
        result.seconds
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_takes_one_and_a_range_and_nothing_else() {
        assert_eq!(rungs("R1").unwrap().0, [Rung::R1]);
        assert_eq!(rungs("r0..R4").unwrap().0, Rung::ALL);
        for text in ["", "R9", "R2..R0", "R0..", "1"] {
            assert!(rungs(text).is_err(), "{text}");
        }
    }
}

//! Prove what docs/book/formal.md claims of the exported Verilog (rung R5).
//!
//! Exit status: 0 all proved, 1 one is not, 2 could not run.

use bitline_boards::formal::proof::{Outcome, Proof, Verdict};
use bitline_boards::formal::{deep, proofs};
use bitline_boards::runs::{self, Run};
use bitline_boards::{BoardError, tools};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::Machine;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const USAGE: &str = "usage: formal [--quick] [--only WORD] [--list] [--jobs N] [--timeout SECONDS] [--out DIR] \
                     [--record FILE]";

struct Options {
    quick: bool,
    /// Only proofs whose name has this in it.
    only: Option<String>,
    list: bool,
    jobs: usize,
    timeout_seconds: u64,
    out: PathBuf,
    /// Where what is proved of each machine goes as a line of JSON.
    record: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut arguments = std::env::args().skip(1);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        quick: false,
        only: None,
        list: false,
        jobs,
        timeout_seconds: 600,
        out: "out/formal".into(),
        record: None,
    };
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{flag} needs a value; {USAGE}"));
        let number = |text: String| {
            let n = text.parse().ok().filter(|n| *n > 0);
            n.ok_or_else(|| format!("{flag} is {text}, must be a number of at least 1"))
        };
        match flag.as_str() {
            "--quick" => options.quick = true,
            "--list" => options.list = true,
            "--only" => options.only = Some(value()?),
            "--jobs" => options.jobs = number(value()?)? as usize,
            "--timeout" => options.timeout_seconds = number(value()?)?,
            "--out" => options.out = value()?.into(),
            "--record" => options.record = Some(value()?.into()),
            "--help" => return Err(USAGE.into()),
            _ => return Err(format!("{flag} is not an option; {USAGE}")),
        }
    }
    if options.record.is_some() && (options.quick || options.only.is_some() || options.list) {
        return Err("--record is of all proofs: leave out --quick, --only and --list".into());
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options().and_then(|options| prove(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn prove(options: &Options) -> Result<bool, String> {
    let machines: Vec<Machine> =
        Machine::names().map(Machine::named).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    let mut wanted = proofs(&machines).map_err(|e| e.to_string())?;
    let of_programs: Vec<DeepMachine> = ["tiny-deep", "mnist"]
        .into_iter()
        .map(DeepMachine::named)
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    wanted.extend(deep::proofs(&of_programs).map_err(|e| e.to_string())?);
    wanted.retain(|proof| !options.quick || proof.quick);
    if let Some(word) = &options.only {
        wanted.retain(|proof| proof.name().contains(word));
    }
    if wanted.is_empty() {
        return Err(format!("no proof is called so; {USAGE}"));
    }
    if options.list {
        wanted.iter().for_each(|proof| println!("{}", proof.name()));
        return Ok(true);
    }
    let start = Instant::now();
    let outcomes = run_all(&wanted, options)?;
    println!("| block | machine | proved | how | covers | seconds |\n| --- | --- | --- | --- | --- | --- |");
    let mut refused = Vec::new();
    for (proof, outcome) in wanted.iter().zip(&outcomes) {
        let instances = if proof.instances == 1 { String::new() } else { format!(" x {}", proof.instances) };
        let (how, seconds) = (proof.method.words(), outcome.took.as_secs_f64());
        let verdict = if outcome.verdict == Verdict::Proved { "" } else { "NOT PROVED: " };
        println!(
            "| {}{instances} | {} | {verdict}{} | {how} | {} | {seconds:.1} |",
            proof.block, proof.machine, proof.property, outcome.covers
        );
        if outcome.verdict != Verdict::Proved {
            refused.push((proof, outcome));
        }
    }
    for (proof, outcome) in &refused {
        eprintln!("{}", explain(proof, outcome));
    }
    if let Some(file) = &options.record {
        let names = machines.iter().map(|machine| &machine.name).chain(of_programs.iter().map(|machine| &machine.name));
        for name in names {
            runs::put(file, recorded(name, &wanted, &outcomes).map_err(|e| e.to_string())?)
                .map_err(|e| e.to_string())?;
        }
    }
    println!("{} proved, {} not, {:.0} s", wanted.len() - refused.len(), refused.len(), start.elapsed().as_secs_f64());
    Ok(refused.is_empty())
}

/// What was proved of a machine, its variants (`tiny-filled`, say) included.
fn recorded(machine: &str, wanted: &[Proof], outcomes: &[Outcome]) -> Result<Run, BoardError> {
    let is_machine = |name: &str| Machine::names().chain(DeepMachine::names()).any(|known| known == name);
    let of = |proof: &Proof| {
        let rest = proof.machine.strip_prefix(machine);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-') && !is_machine(&proof.machine))
    };
    let mine: Vec<&Outcome> =
        wanted.iter().zip(outcomes).filter(|(proof, _)| of(proof)).map(|(_, outcome)| outcome).collect();
    let tools = ["sby", "yices-smt2"].map(|tool| Ok((tool.to_string(), tools::version(tool)?)));
    Ok(Run {
        machine: machine.into(),
        rung: "R5".into(),
        engine: "proofs".into(),
        problems: mine.len(),
        random: 0,
        images: 0,
        outputs: 0,
        counters: 0,
        differences: mine.iter().filter(|outcome| outcome.verdict != Verdict::Proved).count(),
        seconds: mine.iter().map(|outcome| outcome.took.as_secs_f64()).sum(),
        seed: 0,
        design: runs::design_named(machine)?,
        data: None,
        tools: tools.into_iter().collect::<Result<_, BoardError>>()?,
        version: env!("CARGO_PKG_VERSION").into(),
        command: "make formal".into(),
    })
}

/// Every proof, as many at a time as there are jobs.
fn run_all(wanted: &[Proof], options: &Options) -> Result<Vec<Outcome>, String> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let outcomes = Mutex::new(vec![None; wanted.len()]);
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.min(wanted.len()) {
            scope.spawn(|| {
                while let Some(proof) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match proof.run(&options.out, options.timeout_seconds) {
                        Ok(outcome) => {
                            let (number, of) = (done.fetch_add(1, Ordering::Relaxed) + 1, wanted.len());
                            let (seconds, verdict) = (outcome.took.as_secs_f64(), &outcome.verdict);
                            let good = if *verdict == Verdict::Proved { "proved" } else { "NOT PROVED" };
                            eprintln!("{number}/{of} {} {good}, {seconds:.1} s", proof.name());
                            let at = wanted.iter().position(|other| std::ptr::eq(other, proof)).unwrap_or_default();
                            outcomes.lock().expect("no thread panics")[at] = Some(outcome);
                        }
                        Err(error) => {
                            next.store(wanted.len(), Ordering::Relaxed);
                            *failure.lock().expect("no thread panics") = Some(format!("{}: {error}", proof.name()));
                        }
                    }
                }
            });
        }
    });
    match failure.into_inner().expect("no thread panics") {
        Some(message) => Err(message),
        None => Ok(outcomes.into_inner().expect("no thread panics").into_iter().flatten().collect()),
    }
}

fn explain(proof: &Proof, outcome: &Outcome) -> String {
    let what = match &outcome.verdict {
        Verdict::Proved => "proved".to_string(),
        Verdict::Refuted { assertion, trace } => {
            let trace = trace.as_ref().map_or("none was written".into(), |file| file.display().to_string());
            format!("assertion {assertion} does not hold; trace: {trace}")
        }
        Verdict::Vacuous { unreached } => format!("vacuous, a cover statement is not reached: {unreached}"),
        Verdict::OutOfTime => "out of time; raise --timeout".into(),
    };
    format!(
        "block {} of machine {}: {}: {what}\n  files: {}\n  reproduce: make formal ONLY={}",
        proof.block,
        proof.machine,
        proof.property,
        outcome.folder.display(),
        proof.name()
    )
}

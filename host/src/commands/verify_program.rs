//! `bitline verify` of a machine that runs programs.

use anyhow::bail;
use bitline_boards::BoardError;
use bitline_boards::runs::{self, Run};
use bitline_boards::{stage, tools};
use bitline_golden::deep_machine::DeepMachine;
use bitline_host::deep::problem_set::{DeepProblemSet, NamedDeepProblem};
use bitline_host::deep::verify::{climb, engines, over_the_wire};
use bitline_host::verify::{Rung, RungResult, description};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Verdict;
use super::verify::{VerifyArguments, heading, show, tell, tools_of};

/// Images of each shipped network, where no other number is asked for.
const SHIPPED_IMAGES: usize = 20;

/// Run it.
pub fn run(machine: &DeepMachine, arguments: &VerifyArguments) -> anyhow::Result<Verdict> {
    if arguments.vcd.is_some() {
        bail!(
            "waves of a difference are kept of machines of one layer; `bitline sim --vcd` writes those of a program on RustHDL"
        );
    }
    let set = DeepProblemSet {
        machine,
        seed: arguments.seed,
        random: arguments.problems,
        images: arguments.images.unwrap_or(SHIPPED_IMAGES),
        data: arguments.data.as_deref(),
    };
    let names = match &arguments.problem {
        Some(name) => vec![name.clone()],
        None => set.names()?,
    };
    let problems = names.iter().map(|name| set.make(name)).collect::<Result<Vec<_>, _>>()?;
    if !arguments.json {
        heading(&machine.name, problems.len(), arguments.seed);
    }
    let runs: Vec<(Rung, _)> = (arguments.rungs())
        .flat_map(|rung| engines(rung, machine).into_iter().map(move |engine| (rung, engine)))
        .filter(|(_, engine)| arguments.engine.is_none_or(|only| only == *engine))
        .collect();
    if runs.is_empty() {
        bail!("nothing that runs programs of {} climbs these rungs; give R0, R1, R2 or R3", machine.name);
    }
    let images: usize = problems.iter().map(|named| named.problem.images.images.len()).sum();
    let mut failed = false;
    for (rung, engine) in runs {
        let bar = ProgressBar::new(images as u64)
            .with_style(ProgressStyle::with_template("{prefix} {msg:28} {bar:30} {pos}/{len} images, {eta} left")?)
            .with_prefix(rung.to_string());
        let (mut before, mut problem, mut last) = (0, String::new(), 0);
        let reproduce = |name: &str| format!("{} --problem {name}", command(machine, rung, arguments));
        let result = climb(rung, engine, machine, &problems, &reproduce, &mut |name, done| {
            if problem != name {
                (before, problem) = (before + last, name.to_string());
                bar.set_message(problem.clone());
            }
            last = done;
            bar.set_position((before + done) as u64);
        });
        bar.finish_and_clear();
        let result = match result {
            Ok(result) => result,
            Err(error) => bail!("rung {rung}, {}, could not run: {error}", description(engine)),
        };
        failed |= !result.failures.is_empty();
        if let Some(file) = &arguments.record {
            runs::put(file, recorded(machine, &result, &problems, arguments)?)?;
        }
        if arguments.json {
            println!("{}", json!({ "machine": machine.name, "seed": arguments.seed, "result": result }));
        } else {
            show(&result);
            if !over_the_wire(machine, engine) && rung >= Rung::R2 {
                eprintln!("{rung}: whole bytes were handed to the link behind its UART (a short cut)");
            }
        }
        result.failures.iter().for_each(|failure| tell(&result, failure, false));
    }
    Ok(if failed { Verdict::Differs } else { Verdict::Equal })
}

/// The command without what names a file.
fn command(machine: &DeepMachine, rung: Rung, arguments: &VerifyArguments) -> String {
    let mut command = format!(
        "bitline verify --machine {} --rung {rung} --seed {} --problems {}",
        machine.name, arguments.seed, arguments.problems
    );
    if let Some(images) = arguments.images {
        command += &format!(" --images {images}");
    }
    if arguments.data.is_some() {
        command += " --data DIR";
    }
    command
}

/// A rung's result with what it is of.
fn recorded(
    machine: &DeepMachine,
    result: &RungResult,
    problems: &[NamedDeepProblem],
    arguments: &VerifyArguments,
) -> anyhow::Result<Run> {
    let tools = tools_of(result.engine).iter().map(|tool| Ok((tool.to_string(), tools::version(tool)?)));
    Ok(Run {
        machine: machine.name.clone(),
        rung: result.rung.to_string(),
        engine: result.engine.to_string(),
        problems: result.problems,
        random: problems.iter().filter(|named| named.name.starts_with("random/")).count(),
        images: problems.iter().map(|named| named.problem.images.images.len()).sum(),
        outputs: result.outputs,
        counters: result.counters,
        differences: result.failures.len(),
        seconds: result.seconds,
        seed: arguments.seed,
        design: runs::deep_design_of(machine)?,
        data: Some(checksum(problems)),
        tools: tools.collect::<Result<_, BoardError>>()?,
        version: env!("CARGO_PKG_VERSION").into(),
        command: command(machine, result.rung, arguments),
    })
}

/// Of every problem's name, machine, program, images and labels, the first sixteen digits.
fn checksum(problems: &[NamedDeepProblem]) -> String {
    let mut bytes = Vec::new();
    for NamedDeepProblem { name, problem, .. } in problems {
        bytes.extend(name.bytes().chain(format!("{:?}{:?}", problem.machine, problem.program).bytes()));
        problem.images.images.iter().for_each(|image| bytes.extend(image));
        bytes.extend(problem.images.labels.iter().flat_map(|label| [u8::from(label.is_some()), label.unwrap_or(0)]));
    }
    stage::hash(&[&bytes])[..16].to_string()
}

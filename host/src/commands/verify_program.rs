//! `bitline verify` of a machine that runs programs.

use anyhow::bail;
use bitline_boards::runs::{self, Run};
use bitline_boards::stage;
use bitline_golden::deep_machine::DeepMachine;
use bitline_host::deep::problem_set::{DeepProblemSet, NamedDeepProblem};
use bitline_host::deep::verify::{climb, engines, over_the_wire};
use bitline_host::problem_set::SHIPPED_IMAGES;
use bitline_host::verify::{Rung, RungResult};
use indicatif::{ProgressBar, ProgressStyle};

use super::Verdict;
use super::verify::{RunOf, VerifyArguments, could_not_run, heading, tell};

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
    let runs = arguments.runs(|rung| engines(rung, machine));
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
        let result = result.map_err(|error| could_not_run(rung, engine, &error))?;
        failed |= !result.failures.is_empty();
        arguments.conclude(&machine.name, &result, || recorded(machine, &result, &problems, arguments))?;
        if !arguments.json && !over_the_wire(machine, engine) && rung >= Rung::R2 {
            eprintln!("{rung}: whole bytes were handed to the link behind its UART (a short cut)");
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
    let of = RunOf {
        random: problems.iter().filter(|named| named.name.starts_with("random/")).count(),
        images: problems.iter().map(|named| named.problem.images.images.len()).sum(),
        design: runs::deep_design_of(machine)?,
        data: checksum(problems),
        command: command(machine, result.rung, arguments),
    };
    of.run(&machine.name, result, arguments.seed)
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

//! Runs one set of problems on the rungs of the ladder (contract section 8).

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use bitline_golden::board_model::ModelBoard;
use bitline_golden::machine::Machine;
use bitline_golden::packed;
use ndarray::Array2;
use serde::Serialize;

use crate::bisection::{Bisection, Files, bisect};
use crate::comparison::{Difference, expect};
use crate::engine::{Compiled, Engine, EngineOptions, compile, start};
use crate::error::HostError;
use crate::problem::Problem;
use crate::problem_set::NamedProblem;
use crate::procedure::batches;
use crate::{script, simulated_run};

/// A rung: what is compared with golden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Rung {
    /// The plain integer product, and golden's packed version.
    R0,
    /// The RustHDL simulation.
    R1,
    /// The exported Verilog, compiled by Verilator, and a few problems of a small machine under Icarus.
    R2,
    /// The netlists that Yosys makes of it for the iCE40 and the ECP5, compiled by Verilator.
    R3,
    /// The placed, routed and packed bitstream of the iCE40, unpacked back to logic, compiled by Verilator.
    R4,
}

impl Rung {
    /// All there are, from the bottom up.
    pub const ALL: [Self; 5] = [Self::R0, Self::R1, Self::R2, Self::R3, Self::R4];

    /// What runs a machine on it, one after the other; on R0 that is golden itself.
    pub fn engines(self) -> &'static [Engine] {
        match self {
            Self::R0 => &[Engine::Golden],
            Self::R1 => &[Engine::Rusthdl],
            Self::R2 => &[Engine::Verilator, Engine::Icarus],
            Self::R3 => &[Engine::Netlist, Engine::NetlistEcp5],
            Self::R4 => &[Engine::Bitstream],
        }
    }
}

/// What a run of a rung compares, in words.
pub fn description(engine: Engine) -> &'static str {
    match engine {
        Engine::Golden => "integer product, packed model",
        Engine::Rusthdl => "RustHDL simulation",
        Engine::Verilator => "exported Verilog, Verilator",
        Engine::Icarus => "exported Verilog, Icarus",
        Engine::Netlist => "iCE40 netlist, Verilator",
        Engine::NetlistEcp5 => "ECP5 netlist, Verilator",
        Engine::Bitstream => "unpacked iCE40 bitstream",
    }
}

/// Whether an engine runs a problem of a rung's set: golden is what a script is held against, and Icarus, at a few thousand
/// clocks a second, takes no script and the problems of a small machine with few images.
fn is_run(engine: Engine, named: &NamedProblem) -> bool {
    let problem = &named.problem;
    let devices = problem.machine.rows * problem.machine.columns();
    match engine {
        Engine::Golden => named.script.is_none(),
        Engine::Icarus => {
            named.script.is_none() && devices <= ICARUS_DEVICES && problem.images.nrows() <= ICARUS_IMAGES
        }
        // Their counters' start is part of a netlist.
        Engine::Netlist | Engine::NetlistEcp5 | Engine::Bitstream => named.counts == 0,
        Engine::Rusthdl | Engine::Verilator => true,
    }
}

/// The problems of a set that an engine runs: golden no scripts, Icarus the first few small ones, netlists none
/// whose counters start elsewhere.
pub fn run_by(engine: Engine, problems: &[NamedProblem]) -> impl Iterator<Item = &NamedProblem> {
    let most = if engine == Engine::Icarus { ICARUS_PROBLEMS } else { usize::MAX };
    problems.iter().filter(move |named| is_run(engine, named)).take(most)
}

/// Most problems that Icarus runs, at about a second each.
const ICARUS_PROBLEMS: usize = 30;
/// Most devices of a machine that Icarus runs.
const ICARUS_DEVICES: usize = 256;
/// Most images of a problem that Icarus runs.
const ICARUS_IMAGES: usize = 1;

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl FromStr for Rung {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.map(|rung| rung.to_string()).join(", ");
        Self::ALL
            .into_iter()
            .find(|rung| rung.to_string().eq_ignore_ascii_case(name.trim()))
            .ok_or_else(|| format!("{name} is no rung; there are {known}"))
    }
}

/// A problem that came out differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The problem.
    pub problem: String,
    /// The first difference from golden, in words: layer, image, output, numbers, clock; or what ended the run.
    pub difference: String,
    /// The same as numbers, if the run came to its end.
    pub first: Option<Difference>,
    /// The layer of the machine, from 0: machines have one.
    pub layer: usize,
    /// Where the rung parts from the RustHDL simulation: of the engine's first failure.
    pub bisection: Option<Bisection>,
    /// Why there is none.
    pub not_bisected: Option<&'static str>,
    /// The command that shows it again.
    pub reproduce: String,
}

/// What a rung said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RungResult {
    /// The rung.
    pub rung: Rung,
    /// What ran the machine.
    pub engine: Engine,
    /// Problems run.
    pub problems: usize,
    /// Outputs compared; of a script, bytes answered.
    pub outputs: usize,
    /// Counters compared.
    pub counters: usize,
    /// The problems that differ.
    pub failures: Vec<Failure>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// What one problem said.
#[derive(Default)]
pub(crate) struct Compared {
    /// Outputs that were compared, or bytes and LEDs.
    pub(crate) outputs: usize,
    /// Counters that were compared.
    pub(crate) counters: usize,
    /// The first difference.
    pub(crate) difference: Option<String>,
    /// The same as numbers, of an output or a counter.
    pub(crate) first: Option<Difference>,
}

/// What can be chosen about a climb.
#[derive(Debug, Clone)]
pub struct ClimbOptions<'a> {
    /// The machine and the seed that the problems were made from.
    pub machine: &'a str,
    /// The seed.
    pub seed: u64,
    /// Folder of what the tools make, kept for the next time.
    pub work: &'a Path,
    /// Folder for the waves of a difference.
    pub waves: Option<&'a Path>,
}

/// What a climb does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A problem was run.
    Problem,
    /// The block in which the rung's first failure begins is looked for.
    Bisecting,
}

/// Why a failure of R0 or R1 names no block.
const NOTHING_BELOW: &str = "golden has no blocks to compare with: below this rung there is nothing to bisect against";
/// Why a script names none.
const A_SCRIPT: &str = "a script's difference is a byte on the link, not a block's: only problems are bisected";
/// Why a further failure names none.
const NOT_THE_FIRST: &str = "only an engine's first difference is bisected: run this problem alone";

/// Run the problems that [`run_by`] names on one of a rung's engines, and look for the block in which the first failure
/// begins; `seen` is called on the way.
///
/// # Errors
/// [`HostError`] for whatever keeps a problem from running; that is no difference, unless the RustHDL simulation of the same
/// pins differs.
pub fn climb(
    rung: Rung,
    engine: Engine,
    problems: &[NamedProblem],
    how: &ClimbOptions,
    seen: &mut dyn FnMut(Progress),
) -> Result<RungResult, HostError> {
    let started = Instant::now();
    let mut options = EngineOptions { engine, work: how.work.to_path_buf(), ..EngineOptions::default() };
    let mut compiled: Vec<(Machine, Compiled)> = Vec::new();
    let mut result =
        RungResult { rung, engine, problems: 0, outputs: 0, counters: 0, failures: Vec::new(), seconds: 0.0 };
    for named in run_by(engine, problems) {
        let NamedProblem { name, problem, script, .. } = named;
        let (compared, stopped) = match engine {
            Engine::Golden => (against_product(problem)?, None),
            Engine::Rusthdl => (on_engine(named, &options)?, None),
            _ => {
                // Once a machine: the set has few machines and may have thousands of problems.
                options.compiled = match compiled.iter().find(|(machine, _)| *machine == problem.machine) {
                    Some((_, program)) => Some(program.clone()),
                    None => {
                        let program = compile(&problem.machine, &options, None)?;
                        compiled.push((problem.machine.clone(), program.clone()));
                        Some(program)
                    }
                };
                match on_engine(named, &options) {
                    Ok(compared) => (compared, None),
                    Err(error) if script.is_some() => return Err(error),
                    Err(error) => {
                        (Compared { difference: Some(error.to_string()), ..Compared::default() }, Some(error))
                    }
                }
            }
        };
        result.problems += 1;
        result.outputs += compared.outputs;
        result.counters += compared.counters;
        if let Some(difference) = compared.difference {
            let mut failure = Failure {
                problem: name.clone(),
                difference,
                first: compared.first,
                layer: 0,
                bisection: None,
                not_bisected: None,
                reproduce: format!(
                    "bitline verify --machine {} --rung {rung} --seed {} --problem {name}",
                    how.machine, how.seed
                ),
            };
            let is_first = result.failures.is_empty();
            match options.compiled.as_ref().filter(|_| is_first && script.is_none()) {
                Some(program) => {
                    seen(Progress::Bisecting);
                    let waves = how.waves.map(|folder| folder.join(wave_name(rung, engine, name)));
                    let files = Files { work: how.work, waves: waves.as_deref() };
                    let bisection = bisect(problem, engine, program.machine(), program.text(), &files)?;
                    // A run that ended early for a reason that no block shows could not be run.
                    if let Some(error) = stopped.filter(|_| bisection.found().is_none()) {
                        return Err(error);
                    }
                    failure.bisection = Some(bisection);
                }
                None if engine == Engine::Golden || engine == Engine::Rusthdl => {
                    failure.not_bisected = Some(NOTHING_BELOW);
                }
                None if script.is_some() => failure.not_bisected = Some(A_SCRIPT),
                None => failure.not_bisected = Some(NOT_THE_FIRST),
            }
            result.failures.push(failure);
        }
        seen(Progress::Problem);
    }
    result.seconds = started.elapsed().as_secs_f64();
    Ok(result)
}

/// How the files of a failure's waves begin.
fn wave_name(rung: Rung, engine: Engine, problem: &str) -> String {
    format!("{rung}-{engine}-{}", problem.replace('/', "-"))
}

/// Run a problem or a script on an engine: outputs, counters and the link's health, or every byte, must be golden's.
///
/// # Errors
/// [`HostError`] for whatever keeps it from running to its end.
pub(crate) fn on_engine(named: &NamedProblem, options: &EngineOptions) -> Result<Compared, HostError> {
    let problem = &named.problem;
    if let Some(steps) = &named.script {
        let options = EngineOptions { counts: named.counts, ..options.clone() };
        let mut machine = start(&problem.machine, &options, None)?;
        let model = ModelBoard::new(problem.machine.clone(), options.build_hash(&problem.machine))?;
        let model = model.with_counts(named.counts);
        let byte_clocks = options.byte_clocks(&problem.machine);
        let (difference, outputs) = script::compare(model, steps, &mut *machine, byte_clocks);
        return Ok(Compared { outputs, difference, ..Compared::default() });
    }
    let run = simulated_run::run(problem, options, None, &mut |_| ())?;
    let first = run.outcome.first_difference;
    let difference = first.as_ref().map(|difference| format!("layer 0, {difference}"));
    Ok(Compared {
        outputs: run.outcome.outputs_compared,
        counters: run.outcome.counters.0.len(),
        difference: difference.or_else(|| run.measured.link.first_fault()),
        first,
    })
}

/// Golden's plain model against its packed one, and, where the quantizer is lossless, against the integer product.
fn against_product(problem: &Problem) -> Result<Compared, HostError> {
    let Problem { machine, array, images, labels, .. } = problem;
    let expected = expect(problem)?;
    let mut difference = None;
    let mut differs = |text: String| {
        difference.get_or_insert(text);
    };
    if machine.is_lossless() {
        let product = integer_product(machine, problem);
        for ((image, output), y) in product.indexed_iter() {
            let golden = i64::from(expected.outputs[[image, output]]);
            if *y != golden {
                differs(format!("image {image}, output {output}: the integer product is {y}, golden {golden}"));
            }
        }
    }
    let mut counters = bitline_golden::counters::Counters::default();
    for batch in batches(machine, images.nrows()) {
        let part = images.slice(ndarray::s![batch.clone(), ..]).to_owned();
        let packed = packed::run(machine, array, &part, &labels[batch.clone()])?;
        for (i, image) in batch.enumerate() {
            let (ours, golden) = (packed.outputs.row(i), expected.outputs.row(image));
            if let Some(output) = (0..machine.outputs).find(|output| ours[*output] != golden[*output]) {
                let (got, wanted) = (ours[output], golden[output]);
                differs(format!("image {image}, output {output}: the packed model has {got}, golden {wanted}"));
            }
        }
        counters = counters.accumulate(&packed.counters);
    }
    if counters != expected.counters {
        differs(format!("counters: the packed model has {counters:?}, golden {:?}", expected.counters));
    }
    Ok(Compared { outputs: expected.outputs.len(), counters: counters.values().len(), difference, first: None })
}

/// y = sum over rows of weight times input, the weights read back from the devices as two's complement.
///
/// Nothing of golden's arithmetic is called, not even to decode a weight or to drive a bias row: what both sides share, R0
/// cannot find wrong.
fn integer_product(machine: &Machine, problem: &Problem) -> Array2<i64> {
    let top = machine.weight_bits - 1;
    let weight = |row: usize, output: usize| -> i64 {
        (0..machine.weight_bits)
            .filter(|j| problem.array.get(row, output * machine.weight_bits + j))
            .map(|j| {
                if machine.weight_bits == 1 {
                    1
                } else if j == top {
                    -(1 << j)
                } else {
                    1 << j
                }
            })
            .sum()
    };
    // A binary device in HRS stands for -1.
    let offset = if machine.weight_bits == 1 { 1 } else { 0 };
    Array2::from_shape_fn((problem.images.nrows(), machine.outputs), |(image, output)| {
        (0..machine.rows)
            .map(|row| {
                let code = if row < machine.inputs() {
                    i64::from(problem.images[[image, row]])
                } else {
                    i64::from(machine.bias_code)
                };
                code * ((1 + offset) * weight(row, output) - offset)
            })
            .sum()
    })
}

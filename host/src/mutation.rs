//! Runs the problem set on mutants of a machine's Verilog, and says which are caught.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bitline_boards::equivalence::Prover;
use bitline_boards::mutation::{Mutant, Mutants, Proof};
use bitline_boards::stage::hash;
use bitline_boards::verilated::Simulator;
use bitline_boards::{mutation, verilated};
use bitline_golden::link::{MAX_PAYLOAD, OVERHEAD};
use bitline_golden::machine::{LinkConfig, Machine};
use bitline_golden::timing::run_cycles;
use bitline_hdl::export::{ExportOptions, verilog};
use serde::{Deserialize, Serialize};

use crate::engine::{Compiled, Engine, EngineOptions};
use crate::error::HostError;
use crate::link::ClientOptions;
use crate::problem_set::NamedProblem;
use crate::script::Step;
use crate::verify::on_engine;

/// Random problems that a mutant is given before all others.
const QUICK_PROBLEMS: usize = 3;
/// Clocks of a bit that a machine's serial line has to have at least.
const LEAST_CLOCKS_PER_BIT: u32 = 4;
/// Clocks of a byte where there is no UART, for a script that leaves its time open: more than the link takes for one.
const BYTE_CLOCKS: u64 = 16;
/// Images of one batch that a mutant may take before its run counts as one that does not end.
const MOST_IMAGES: u64 = 1024;

/// The build hash of what is mutated. The machine's own changes with every comment in the gateware's source, and would
/// change constants that mutants are made of.
const BUILD_HASH: u64 = 0x0123_4567_89AB_CDEF;

/// What is mutated and how often.
#[derive(Debug, Clone)]
pub struct MutationOptions {
    /// Mutants that Yosys draws.
    pub count: u32,
    /// Seed of the draw.
    pub seed: u64,
    /// Threads that run mutants.
    pub threads: usize,
    /// How long one proof of equivalence may take; none are tried at 0.
    pub proof_limit: Duration,
    /// Mutate what is behind the UART, and hand it whole bytes.
    pub bytes: bool,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MutantResult {
    /// The mutant.
    pub mutant: Mutant,
    /// The problem that it failed, and how; none if it came through all.
    pub caught_by: Option<(String, String)>,
    /// [`Mutation::key`] of what it was given.
    pub key: String,
    /// Of one that came through: whether it is proved to be the same at the pins.
    pub proof: Option<Proof>,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl MutantResult {
    /// Whether the problems tell it from the machine.
    pub fn is_caught(&self) -> bool {
        self.caught_by.is_some()
    }

    /// Whether it is proved that nothing can.
    pub fn is_equivalent(&self) -> bool {
        self.proof.as_ref().is_some_and(|proof| proof.method.is_some())
    }
}

/// What is known of a mutant before it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// The verdict: that it is caught or not is to be seen again, and nothing is tried to prove.
    Verdict,
    /// It came through these very problems: a proof is to be tried.
    CameThrough,
}

/// A machine's mutants, compiled, and the problems that are to catch them.
pub struct Mutation {
    machine: Machine,
    mutants: Mutants,
    prover: Mutex<Option<Arc<Prover>>>,
    program: std::path::PathBuf,
    problems: Vec<NamedProblem>,
    options: MutationOptions,
    work: std::path::PathBuf,
}

impl Mutation {
    /// Draw and compile mutants; with `options.bytes`, of a machine as [`without_uart`] gives it. Of the problems, those that need
    /// other gateware are left out.
    ///
    /// # Errors
    /// [`HostError`] for a machine without gateware, or a tool that is missing or failed.
    pub fn new(
        machine: &Machine,
        problems: Vec<NamedProblem>,
        options: MutationOptions,
        work: &Path,
    ) -> Result<Self, HostError> {
        let text = verilog(
            machine,
            &ExportOptions { build_hash: Some(BUILD_HASH), bytes: options.bytes, ..Default::default() },
        )?;
        let mutants = mutation::draw(&machine.name, &text, options.count, options.seed, work)?;
        let program = verilated::compile_mutants(machine, &mutants, options.bytes, work)?;
        let mut problems: Vec<NamedProblem> =
            problems.into_iter().filter(|named| named.problem.machine == *machine).collect();
        // Most mutants fall to a few problems that use most of the machine; scripts catch most of the others. Whole bytes
        // make the other problems far cheaper than any script, and scripts differ.
        let mut quick = 0;
        problems.sort_by_cached_key(|named| {
            quick += usize::from(named.name.starts_with("random/"));
            match &named.script {
                None if named.name.starts_with("random/") && quick <= QUICK_PROBLEMS => (0, 0),
                Some(steps) if options.bytes => (2, script_clocks(machine, steps)),
                Some(_) => (2, 0),
                None if options.bytes => (1, 0),
                None => (3, 0),
            }
        });
        Ok(Self {
            machine: machine.clone(),
            mutants,
            prover: Mutex::new(None),
            program,
            problems,
            options,
            work: work.to_path_buf(),
        })
    }

    /// The mutants, in order of number.
    pub fn mutants(&self) -> &[Mutant] {
        &self.mutants.list
    }

    /// Names of the problems, in the order they are run.
    pub fn problem_names(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().map(|named| named.name.as_str())
    }

    /// A hash of the Verilog with all its mutants.
    pub fn drawn_hash(&self) -> String {
        hash(&[self.mutants.verilog.as_bytes()])
    }

    /// A hash of what a verdict on a mutant of this Verilog depends on: the problem that caught it, or all of them.
    pub fn key(&self, caught_by: Option<&str>) -> String {
        let all = self.problems.iter().filter(|named| caught_by.is_none_or(|name| named.name == name));
        let texts: Vec<String> = all.map(|named| format!("{named:?}")).collect();
        hash(&texts.iter().map(String::as_bytes).collect::<Vec<_>>())[..16].to_string()
    }

    /// Whether an earlier result would come out again: the problem that caught it is there as it was, or it is proved
    /// equivalent, or neither happened with these very problems.
    pub fn is_valid(&self, result: &MutantResult) -> bool {
        let caught_by = result.caught_by.as_ref().map(|(problem, _)| problem.as_str());
        result.is_equivalent() || result.key == self.key(caught_by)
    }

    /// A mutant as an engine; 0 is the machine itself. Patience is that of a wire on which nothing gets lost: the time
    /// of the longest frame each way, and of a run. Where there is no UART, the bytes of a script that feeds them while
    /// something is under way come as if there were one.
    fn engine(&self, number: u32, script: Option<&[Step]>) -> EngineOptions {
        let link = &self.machine.link;
        let byte_clocks = match script {
            None => 0,
            Some(steps) if self.options.bytes => byte_clocks(&self.machine, steps),
            Some(_) => link.clocks_per_byte(),
        };
        let frame_clocks = link.clocks_per_byte() * 2 * (MAX_PAYLOAD + OVERHEAD) as u64;
        let time = |clocks: u64| Duration::from_secs_f64(clocks as f64 / f64::from(link.clock_hz));
        let run = run_cycles(&self.machine, MOST_IMAGES);
        EngineOptions {
            engine: Engine::Verilator,
            compiled: Some(Compiled::mutant(
                &self.machine,
                &self.mutants.verilog,
                self.program.clone(),
                Simulator::Mutant { number, byte_clocks },
                BUILD_HASH,
            )),
            patience: ClientOptions {
                timeout: time(frame_clocks),
                attempts: 1,
                stall: time(4 * frame_clocks),
                longest: time(4 * frame_clocks + run),
                ..ClientOptions::default()
            },
            ..EngineOptions::default()
        }
    }

    /// Run the problems on a mutant up to the first it fails, which is given back with what was seen.
    ///
    /// # Errors
    /// [`HostError`] if the program cannot be run.
    pub fn first_failure(&self, number: u32) -> Result<Option<(String, String)>, HostError> {
        self.first_failure_among(&self.problems, number)
    }

    fn first_failure_among(
        &self,
        problems: &[NamedProblem],
        number: u32,
    ) -> Result<Option<(String, String)>, HostError> {
        for named in problems {
            let seen = match on_engine(named, &self.engine(number, named.script.as_deref())) {
                Ok(compared) => compared.difference,
                Err(error @ HostError::Board(_)) => return Err(error),
                Err(error) => Some(error.to_string()),
            };
            if let Some(seen) = seen {
                return Ok(Some((named.name.clone(), seen)));
            }
        }
        Ok(None)
    }

    /// What proves mutants equivalent, made when it is first asked for; none if none are to be proved.
    fn prover(&self) -> Result<Option<Arc<Prover>>, HostError> {
        if self.options.proof_limit.is_zero() {
            return Ok(None);
        }
        let mut prover = self.prover.lock().unwrap_or_else(PoisonError::into_inner);
        if prover.is_none() {
            *prover = Some(Arc::new(Prover::new(&self.mutants, &self.machine.name, &self.work)?));
        }
        Ok(prover.clone())
    }

    /// See what becomes of a mutant.
    ///
    /// # Errors
    /// [`HostError`] if the program or a proof cannot be run.
    pub fn judge(&self, mutant: &Mutant, known: Known) -> Result<MutantResult, HostError> {
        let started = Instant::now();
        let limit = self.options.proof_limit;
        let (first, others) = self.problems.split_at(self.problems.len().min(1));
        let came_through = known == Known::CameThrough;
        // The first problem is cheaper than a look at the gates of a large machine.
        let mut caught_by = if came_through { None } else { self.first_failure_among(first, mutant.number)? };
        let prover = if known == Known::Verdict || caught_by.is_some() { None } else { self.prover()? };
        // Most that cannot be caught are known at once, and are not run on.
        let same = prover.as_ref().is_some_and(|prover| prover.is_same(mutant));
        if caught_by.is_none() && !same && !came_through {
            caught_by = self.first_failure_among(others, mutant.number)?;
        }
        let prover = prover.filter(|_| caught_by.is_none());
        let proof = prover.map(|prover| prover.prove(mutant, &self.work, limit)).transpose()?;
        let key = self.key(caught_by.as_ref().map(|(problem, _)| problem.as_str()));
        Ok(MutantResult { mutant: mutant.clone(), caught_by, key, proof, seconds: started.elapsed().as_secs_f64() })
    }

    /// See what becomes of several, on a few threads; `known` as in [`Mutation::judge`], `seen` gets each as it is done.
    ///
    /// # Errors
    /// The first [`HostError`], or what `seen` says.
    pub fn judge_all<E: From<HostError> + Send>(
        &self,
        mutants: &[&Mutant],
        known: impl Fn(u32) -> Known + Sync,
        seen: impl FnMut(&MutantResult) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let seen = Mutex::new(seen);
        let work = || -> Result<(), E> {
            while !stop.load(Ordering::Relaxed)
                && let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let told = self.judge(mutant, known(mutant.number)).map_err(E::from).and_then(|result| {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen(&result)
                });
                if told.is_err() {
                    stop.store(true, Ordering::Relaxed);
                    return told;
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.options.threads.max(1)).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}

/// A machine as it is mutated without its UART: its serial line as fast as one may be, since nothing but the time that scripts
/// leave between bytes depends on it.
pub fn without_uart(machine: &Machine) -> Machine {
    let link = LinkConfig { clock_hz: LEAST_CLOCKS_PER_BIT * machine.link.baud, ..machine.link };
    Machine { link, ..machine.clone() }
}

/// Clocks of a byte of a script where there is no UART: a script that feeds bytes while something is under way has a serial
/// line's in mind.
fn byte_clocks(machine: &Machine, steps: &[Step]) -> u64 {
    let feeds = steps.iter().any(|step| matches!(step, Step::Feed(_)));
    if feeds { machine.link.clocks_per_byte() } else { BYTE_CLOCKS }
}

/// About how many clocks such a script takes: those of its bytes.
fn script_clocks(machine: &Machine, steps: &[Step]) -> u64 {
    let bytes = steps.iter().map(|step| match step {
        Step::Send(bytes) | Step::Feed(bytes) => bytes.len() as u64,
        Step::Wait(_) | Step::StartSwitch(_) | Step::ResetButton(_) => 0,
    });
    bytes.sum::<u64>() * byte_clocks(machine, steps)
}

//! Arguments that several verbs share.

use std::path::PathBuf;

use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::Machine;
use bitline_host::HostError;
use bitline_host::engine::{Engine, EngineOptions};
use bitline_host::outcome::Outcome;
use bitline_host::problem::{Problem, Source};
use bitline_host::procedure::Step;
use bitline_host::verify::Rung;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};

use super::Verdict;

/// Names of all machines: those of one layer, then those that run programs.
fn machine_names() -> impl Iterator<Item = &'static str> {
    Machine::names().chain(DeepMachine::names())
}

/// Which machine.
#[derive(Debug, Args)]
pub struct MachineArgument {
    /// Machine, one of configs/*.toml
    #[arg(long, default_value = "digits", value_parser = PossibleValuesParser::new(machine_names()))]
    pub machine: String,
}

impl MachineArgument {
    /// The machine, where the verb takes machines of one layer.
    pub fn machine(&self) -> anyhow::Result<Machine> {
        if self.deep_machine()?.is_some() {
            let others = Machine::names().collect::<Vec<_>>().join(", ");
            return Err(HostError::RunsPrograms { machine: self.machine.clone(), others }.into());
        }
        Ok(Machine::named(&self.machine)?)
    }

    /// The machine, if it is one that runs programs.
    pub fn deep_machine(&self) -> anyhow::Result<Option<DeepMachine>> {
        Ok(DeepMachine::find(&self.machine)?)
    }
}

/// Which machine, of those that run programs.
#[derive(Debug, Args)]
pub struct DeepMachineArgument {
    /// Machine that runs programs, one of configs/*.toml
    #[arg(long, value_parser = PossibleValuesParser::new(machine_names()))]
    machine: String,
}

impl DeepMachineArgument {
    /// The machine.
    pub fn machine(&self) -> anyhow::Result<DeepMachine> {
        if Machine::names().any(|name| name == self.machine) {
            let others = DeepMachine::names().collect::<Vec<_>>().join(", ");
            return Err(HostError::RunsNoPrograms { machine: self.machine.clone(), others }.into());
        }
        Ok(DeepMachine::named(&self.machine)?)
    }
}

/// Which problem.
#[derive(Debug, Args)]
pub struct ProblemArguments {
    #[command(flatten)]
    pub machine: MachineArgument,
    /// Images to run, the first ones of the test part; all if left out
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    pub images: Option<usize>,
    /// Network to load, instead of the shipped networks/digits.safetensors
    #[arg(long, value_name = "FILE")]
    pub network: Option<PathBuf>,
    /// Make weights, images and labels up from this seed, instead of a network and the digits; for a machine that runs
    /// programs the images only
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
}

impl ProblemArguments {
    /// The problem.
    pub fn problem(&self) -> anyhow::Result<Problem> {
        let machine = self.machine.machine()?;
        let source = match (&self.network, self.seed) {
            (Some(_), Some(_)) => return Err(HostError::NetworkAndSeed { machine: machine.name }.into()),
            (Some(path), _) => Source::Network(path.clone()),
            (None, Some(seed)) => Source::MadeUp(seed),
            (None, None) => Source::Shipped,
        };
        Ok(Problem::new(machine, &source, self.images)?)
    }
}

/// The shipped problem with as many images as the slots hold, to be built into a machine's memories.
pub fn built_in_problem(machine: &Machine) -> anyhow::Result<Problem> {
    Ok(Problem::new(machine.clone(), &Source::Shipped, None)?.first(machine.slots))
}

/// What runs the machine.
#[derive(Debug, Args)]
pub struct EngineArguments {
    /// What runs the machine: the gateware clock by clock; its exported Verilog through Verilator or Icarus, its iCE40
    /// or ECP5 netlist or its unpacked iCE40 bitstream through Verilator; or the golden model behind the same link
    #[arg(long, default_value = "rusthdl", value_parser = engine_parser(), conflicts_with = "rung")]
    engine: Engine,
    /// The same, said by its rung of the ladder: R0 golden, R1 rusthdl, R2 verilator, R3 netlist, R4 bitstream
    #[arg(long)]
    rung: Option<Rung>,
    /// Carry every bit over a simulated UART; without it the link takes whole bytes, which is faster
    #[arg(long)]
    wire: bool,
}

impl EngineArguments {
    /// As the engine takes them.
    pub fn options(&self) -> EngineOptions {
        let engine = self.rung.map_or(self.engine, |rung| rung.engines()[0]);
        EngineOptions { engine, wire: self.wire, ..EngineOptions::default() }
    }
}

/// Parse an engine's name.
pub fn engine_parser() -> impl TypedValueParser<Value = Engine> {
    PossibleValuesParser::new(Engine::ALL.map(Engine::name)).map(|name| {
        Engine::ALL.into_iter().find(|engine| engine.name() == name).expect("the parser takes these names only")
    })
}

/// Print the result, as one JSON object or as a table.
pub fn print(outcome: &Outcome, json: bool) -> anyhow::Result<Verdict> {
    if json {
        println!("{}", serde_json::to_string(outcome)?);
    } else {
        println!("{outcome}");
    }
    Ok(if outcome.equal { Verdict::Equal } else { Verdict::Differs })
}

/// A progress bar of images on stderr, which shows only on a terminal.
pub struct ImageBar(ProgressBar);

impl ImageBar {
    /// A bar of that many images.
    pub fn new(images: usize) -> Self {
        let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} images").expect("a literal");
        Self(ProgressBar::new(images as u64).with_style(style).with_message("identifying"))
    }

    /// Show a step.
    pub fn show(&self, step: Step) {
        match step {
            Step::Identified => self.0.set_message("loading the array"),
            Step::ArrayLoaded => self.0.set_message("array verified"),
            Step::Loading { .. } => self.0.set_message("loading images"),
            Step::Running { .. } => self.0.set_message("running"),
            Step::Done { images, correct } => {
                self.0.set_position(images as u64);
                self.0.set_message(format!("{} {correct}", bitline_host::leds::row(correct as u16)));
            }
        }
        self.0.tick();
    }

    /// Take the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

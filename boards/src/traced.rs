//! A Verilated machine that tells what every signal did, clock by clock: one side of a comparison of two rungs.
//!
//! `boards/verilated/trace.cpp` takes the levels of the pins for each clock and gives back a VCD whose time is the clock.

use crate::error::BoardError;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A signal of the model. Several may share their values: a port and the wire that it is connected with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Instances from the top down, joined by dots; the top's is empty.
    pub block: String,
    /// The signal's name.
    pub name: String,
    /// Bits.
    pub width: usize,
    /// Which value is its.
    pub value: usize,
}

/// A Verilated machine at power-on, whose every signal is seen.
#[derive(Debug)]
pub struct TracedModel {
    process: Child,
    requests: BufWriter<ChildStdin>,
    responses: BufReader<ChildStdout>,
    line: String,
    codes: HashMap<String, usize>,
    variables: Vec<Variable>,
    waves: Option<BufWriter<File>>,
}

impl TracedModel {
    /// Start a program that [`crate::verilated::compile_traced`] made; it writes its waves to a file, if one is given.
    ///
    /// # Errors
    /// [`BoardError`] if it does not start, or what it says is no VCD of a module `top`.
    pub fn start(program: &Path, waves: Option<&Path>) -> Result<Self, BoardError> {
        let failed = |what: &'static str| move |e: std::io::Error| BoardError::io(program, what, &e);
        let waves = match waves {
            Some(file) => Some(BufWriter::new(File::create(file).map_err(|e| BoardError::io(file, "written", &e))?)),
            None => None,
        };
        let mut process =
            Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed("started"))?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let mut model = Self {
            process,
            requests: BufWriter::new(stdin.expect("stdin was piped")),
            responses: BufReader::new(stdout.expect("stdout was piped")),
            line: String::new(),
            codes: HashMap::new(),
            variables: Vec::new(),
            waves,
        };
        model.read_header().map_err(failed("read"))?;
        if model.variables.is_empty() {
            return Err(BoardError::Report { file: program.into(), missing: "signals of a module top".into() });
        }
        Ok(model)
    }

    /// Every signal.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Ask for as many clocks as there are bytes, each the levels of the pins for one: bit 0 `uart_rx`, bit 1 `start_switch`,
    /// bit 2 `reset_button`. [`TracedModel::clock`] is then to be called as many times.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn request(&mut self, pins: &[u8]) -> std::io::Result<()> {
        self.requests.write_all(&(pins.len() as u32).to_le_bytes())?;
        self.requests.write_all(pins)?;
        self.requests.flush()
    }

    /// Read one clock, the first being power-on: `changed` is handed each new value's number and its bits, the most
    /// significant first, leading zeros left out.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn clock(&mut self, changed: &mut dyn FnMut(usize, &str)) -> std::io::Result<()> {
        while self.next_line()? {
            let line = self.line.trim();
            let (bits, code) = match line.as_bytes().first() {
                Some(b'0' | b'1') => line.split_at(1),
                Some(b'b') => line[1..].split_once(' ').unwrap_or_default(),
                _ => continue,
            };
            if let Some(value) = self.codes.get(code) {
                changed(*value, bits);
            }
        }
        Ok(())
    }

    /// Write no more waves.
    ///
    /// # Errors
    /// If the last of them cannot be written.
    pub fn end_waves(&mut self) -> std::io::Result<()> {
        self.waves.take().map_or(Ok(()), |mut waves| waves.flush())
    }

    /// The next line, but for a clock's last.
    fn next_line(&mut self) -> std::io::Result<bool> {
        self.line.clear();
        if self.responses.read_line(&mut self.line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let is_last = self.line.starts_with("$comment clock");
        if let Some(waves) = self.waves.as_mut().filter(|_| !is_last) {
            waves.write_all(self.line.as_bytes())?;
        }
        Ok(!is_last)
    }

    fn read_header(&mut self) -> std::io::Result<()> {
        let mut scopes: Vec<String> = Vec::new();
        while self.next_line()? {
            let words: Vec<&str> = self.line.split_whitespace().collect();
            match words[..] {
                ["$scope", _, name, ..] => scopes.push(name.to_string()),
                ["$upscope", ..] => drop(scopes.pop()),
                ["$var", _, width, code, name, ..] => {
                    let Some(top) = scopes.iter().position(|scope| scope == "top") else { continue };
                    let next = self.codes.len();
                    let value = *self.codes.entry(code.to_string()).or_insert(next);
                    self.variables.push(Variable {
                        block: scopes[top + 1..].join("."),
                        name: name.to_string(),
                        width: width.parse().unwrap_or_default(),
                        value,
                    });
                }
                ["$enddefinitions", ..] => return Ok(()),
                _ => {}
            }
        }
        Err(std::io::ErrorKind::InvalidData.into())
    }
}

impl Drop for TracedModel {
    fn drop(&mut self) {
        // It ends with its stdin, but it may be in the middle of clocks that nobody reads any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! Mutants of a machine's exported Verilog, made by Yosys, all of them in one Verilated model that chooses one.
//!
//! Yosys flattens the design, so that each instance of a block has mutants of its own, takes out what is constant
//! anyway, and draws a list of mutants. Each one inverts a bit of a cell's port, holds it at 0 or 1, or inverts it as
//! long as another bit is 0 or 1 (`cnot0`, `cnot1`), if and only if `mutant` in `top` is its number. 0 is none of them.

use crate::counts;
use crate::error::BoardError;
use crate::stage::{hash, run, stage, write};
use crate::tools;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// Pins that are not mutated. Clocks: a register behind a gate on its clock races with the others, mutated or not. Clock,
/// enable and resets of a memory's reading side: what is read is registered outside, so that side has none of them, and
/// Yosys does not take a memory that has one by half.
const LEFT_OUT: [&str; 6] = ["CLK", "WR_CLK", "RD_CLK", "RD_EN", "RD_ARST", "RD_SRST"];
/// From Verilog to what is mutated: the counters' registers as black boxes, so that they start where an argument says; cells of one flat module, memories whole, what is constant gone, what is open 0. Every register starts
/// at 0, as `zinit` makes it with inverters: Yosys' `mutate` loses the start of a register whose output it changes, and
/// Verilator starts such a one at 0.
const PREPARE: &str = "read_verilog -sv top.v; hierarchy -top top; blackbox COUNTERS; proc; setattr -mod -unset keep_hierarchy *; flatten; \
                       memory_collect; opt; wreduce; opt_clean; setundef -zero; opt_clean; zinit -all; delete t:$scopeinfo; write_rtlil flat.il";

/// What sets the register `mutant`, and is true where there is no such argument.
const SELECT: &str = "!$value$plusargs(\"mutant=%d\", mutant)";

/// One change of one bit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutant {
    /// The value of `mutant` that selects it, from 1.
    pub number: u32,
    /// `inv`, `const0`, `const1`, `cnot0` or `cnot1`.
    pub mode: String,
    /// Path of the block it is in, as in `accelerator.shift_add`; `top` for the outermost.
    pub block: String,
    /// Yosys' name of the cell.
    pub cell: String,
    /// The cell's port and its bit, as in `Y[3]`.
    pub port: String,
    /// The wire and its bit, where it has a name of its own.
    pub wire: Option<String>,
    /// Lines of the exported Verilog.
    pub source: Option<String>,
    /// Arguments of Yosys' `mutate` that make it, without the input that selects it.
    pub options: String,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, mode, block, cell, port, wire, source, .. } = self;
        let of = wire.as_deref().unwrap_or(cell);
        let source = source.as_deref().and_then(|source| source.split(' ').next()).unwrap_or("no line");
        write!(f, "{number}, {mode} of {port} of {of} in {block}, {source}")
    }
}

/// Mutants of one machine.
#[derive(Debug, Clone)]
pub struct Mutants {
    /// What Yosys drew, in order of number.
    pub list: Vec<Mutant>,
    /// Verilog of all of them.
    pub verilog: String,
    /// Folder of the stage; the design before mutation is its `flat.il`.
    folder: PathBuf,
}

/// Draw `count` mutants of a machine's Verilog from a seed, unless `out` has them already.
///
/// # Errors
/// [`BoardError`]: Yosys is missing or failed.
pub fn draw(name: &str, verilog: &str, count: u32, seed: u64, out: &Path) -> Result<Mutants, BoardError> {
    let width = u32::BITS - count.leading_zeros();
    // Some more than asked for, instead of those that are left out.
    let drawn = count + count / 8 + 8;
    let (registers, counters) = counts::registers(verilog);
    let prepare = PREPARE.replace("COUNTERS", &counters.join(" "));
    let list = format!("{prepare}; mutate -list {drawn} -seed {seed} -o list.ys");
    let apply = "read_rtlil flat.il; script mutants.ys; write_verilog -noattr mutants.v";
    let version = tools::version("yosys")?;
    let left_out = LEFT_OUT.join(" ");
    let key = hash(&[
        verilog.as_bytes(),
        list.as_bytes(),
        &count.to_le_bytes(),
        left_out.as_bytes(),
        apply.as_bytes(),
        SELECT.as_bytes(),
        counts::at_start(&registers).as_bytes(),
        version.as_bytes(),
    ]);
    let (folder, _) = stage(out, &format!("{name}-mutants"), &key, |work| {
        write(&work.join("top.v"), verilog.as_bytes())?;
        run(work, "yosys", &["-q", "-l", "list.log", "-p", &list], "list.log")?;
        let list = work.join("list.ys");
        let list = std::fs::read_to_string(&list).map_err(|e| BoardError::io(&list, "read", &e))?;
        let chosen = list.lines().filter(|line| !is_left_out(line)).take(count as usize).zip(1..);
        let script: String = chosen
            .map(|(line, number)| {
                format!("{}\n", line.replacen("mutate", &format!("mutate -ctrl mutant {width} {number}"), 1))
            })
            .collect();
        write(&work.join("mutants.ys"), script.as_bytes())?;
        run(work, "yosys", &["-q", "-l", "apply.log", "-p", apply], "apply.log")?;
        let mutants = work.join("mutants.v");
        let text = std::fs::read_to_string(&mutants).map_err(|e| BoardError::io(&mutants, "read", &e))?;
        let text = selected_at_start(&text, width) + &counts::at_start(&registers);
        write(&mutants, text.as_bytes())?;
        write(&work.join("counters.v"), registers.as_bytes())
    })?;
    let read = |file: &str| {
        let file = folder.join(file);
        std::fs::read_to_string(&file).map_err(|e| BoardError::io(&file, "read", &e))
    };
    let list = read("mutants.ys")?.lines().zip(1..).map(|(line, number)| parse(line, number)).collect();
    Ok(Mutants { list, verilog: read("mutants.v")?, folder })
}

fn is_left_out(line: &str) -> bool {
    LEFT_OUT.iter().any(|port| line.contains(&format!(" -port {port} ")))
}

/// The input `mutant` as a register that is set before time starts, from the simulator's argument `+mutant=N`: a simulator
/// has every gate behind an input computed again in every step.
fn selected_at_start(verilog: &str, width: u32) -> String {
    let top = width - 1;
    let input = format!("  input [{top}:0] mutant;\n  wire [{top}:0] mutant;\n");
    assert_eq!(
        (verilog.matches(", mutant);").count(), verilog.matches(&input).count()),
        (1, 1),
        "Yosys writes one input"
    );
    let register = format!("  reg [{top}:0] mutant;\n  initial if ({SELECT}) mutant = 0;\n");
    verilog.replacen(", mutant);", ");", 1).replacen(&input, &register, 1)
}

/// One line of Yosys' list.
fn parse(line: &str, number: u32) -> Mutant {
    let words: Vec<&str> = line.split_whitespace().collect();
    let all = |flag: &str| -> Vec<&str> {
        words.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1]).collect::<Vec<_>>()
    };
    let one = |flag: &str| all(flag).first().copied().unwrap_or_default().to_string();
    let cell = one("-cell");
    // Documentation only, after what determines the mutant.
    let told = |word: &&&str| !matches!(**word, "-wire" | "-src");
    let start = words.iter().position(|word| *word == "-mode").unwrap_or_default();
    let wire = one("-wire");
    let sources = all("-src");
    Mutant {
        number,
        mode: one("-mode"),
        block: block(&cell, &wire),
        port: format!("{}[{}]", one("-port").trim_start_matches('\\'), one("-portbit")),
        wire: (!wire.is_empty()).then(|| format!("{}[{}]", wire.trim_start_matches('\\'), one("-wirebit"))),
        source: (!sources.is_empty()).then(|| sources.join(" ")),
        options: words[start..].iter().take_while(told).copied().collect::<Vec<_>>().join(" "),
        cell,
    }
}

/// The block's path in a flattened cell's name: `$flatten\a.\b.$and$top.v:1$2` is in `a.b`, and so is `\a.b.memory`.
/// A cell that an optimisation made has the name of no block: it is where its wire is.
fn block(cell: &str, wire: &str) -> String {
    fn path(name: &str) -> Vec<&str> {
        let parts = name.split('.').take_while(|part| !part.starts_with('$'));
        parts.map(|part| part.trim_start_matches('\\')).collect()
    }
    let path = match cell.strip_prefix("$flatten") {
        Some(rest) => path(rest),
        None => {
            let name = if cell.starts_with('$') { wire } else { cell };
            let mut path = path(name);
            path.pop();
            path
        }
    };
    if path.is_empty() { "top".to_string() } else { path.join(".") }
}

/// What [`crate::equivalence`] says about a mutant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// How it was proved; none if it was not.
    pub method: Option<String>,
    /// Seconds each way of proving was given.
    pub limit_seconds: u64,
}

impl Mutants {
    /// Where the design before mutation, `flat.il`, its black boxes, `counters.v`, and Yosys' commands for all mutants,
    /// `mutants.ys`, are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_a_line_of_the_list() {
        let line = "mutate -ctrl mutant 10 7 -mode const0 -module top -cell $flatten\\accelerator.\\shift_add.$add$top.v:5$28 \
                    -port Y -portbit 3 -wire accelerator.shift_add.sum -wirebit 3 -src top.v:5.5-5.9 -src top.v:6.1-6.2";
        let mutant = parse(line, 7);
        assert_eq!((mutant.number, mutant.mode.as_str(), mutant.port.as_str()), (7, "const0", "Y[3]"));
        assert_eq!(mutant.block, "accelerator.shift_add");
        assert_eq!(mutant.wire.as_deref(), Some("accelerator.shift_add.sum[3]"));
        assert_eq!(mutant.source.as_deref(), Some("top.v:5.5-5.9 top.v:6.1-6.2"));
        let options =
            "-mode const0 -module top -cell $flatten\\accelerator.\\shift_add.$add$top.v:5$28 -port Y -portbit 3";
        assert_eq!(mutant.options, options);
    }

    #[test]
    fn block_is_the_path_of_a_cell() {
        assert_eq!(block("$flatten\\uart.\\sender.$eq$top.v:12$3", ""), "uart.sender");
        assert_eq!(block("\\slots.memory", ""), "slots");
        assert_eq!(block("$eq$top.v:12$3", "leds"), "top");
        assert_eq!(block("$auto$ff.cc:337:slice$4100", "accelerator.link_crc.crc.q"), "accelerator.link_crc.crc");
    }
}

//! One proof: a block's own Verilog, what is claimed of it, and how SymbiYosys goes about it.

use crate::error::BoardError;
use crate::stage::write;
use crate::tools;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How a claim is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The block's registers start with anything, and its outputs depend on no more than the last clocks' inputs: as many
    /// clocks as that, from any state, are all there is.
    AnyState {
        /// Clocks.
        depth: usize,
    },
    /// The first clock after power-on.
    PowerOn,
    /// Temporal induction from power-on: holds for ever.
    Induction {
        /// Clocks that the induction step looks back.
        depth: usize,
    },
    /// Temporal induction whose base is any state of the block's registers: holds for ever, whatever came before.
    InductionFromAnyState {
        /// Clocks that the induction step looks back.
        depth: usize,
    },
}

impl Method {
    /// As the table says it.
    pub fn words(self) -> String {
        match self {
            Self::AnyState { depth } => format!("any state, {depth} clocks, complete"),
            Self::PowerOn => "the first clock".into(),
            Self::Induction { depth } => format!("induction, {depth} clocks"),
            Self::InductionFromAnyState { depth } => format!("induction, {depth} clocks, any state"),
        }
    }

    fn depth(self) -> usize {
        match self {
            Self::PowerOn => 1,
            Self::AnyState { depth } | Self::Induction { depth } | Self::InductionFromAnyState { depth } => depth,
        }
    }
}

/// A claim about one block. What the claim keeps in its own registers is called `f_...`.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The block.
    pub block: &'static str,
    /// The machine whose export it is taken from.
    pub machine: String,
    /// How many modules of that export have this very text.
    pub instances: usize,
    /// The claim, in words.
    pub property: String,
    /// How it is proved.
    pub method: Method,
    /// Clocks within which every cover statement must be reached.
    pub cover_depth: usize,
    /// Verilog: the block with the claim in it, in a module called as the block.
    pub verilog: String,
    /// Part of the quick form.
    pub quick: bool,
    /// Tells proofs apart that are otherwise called alike; 0 is not shown.
    pub number: usize,
}

/// How a proof ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The claim holds, and every cover statement is reached.
    Proved,
    /// It does not hold, or not by this method.
    Refuted {
        /// The label of the assertion, if the tool named one.
        assertion: String,
        /// A trace, if there is one.
        trace: Option<PathBuf>,
    },
    /// A cover statement is not reached: the assumptions leave too little.
    Vacuous {
        /// What the tool said.
        unreached: String,
    },
    /// Neither proved nor refuted in the time given.
    OutOfTime,
}

/// What came of a proof.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// Cover statements reached.
    pub covers: usize,
    /// How long it took.
    pub took: Duration,
    /// Where its files are.
    pub folder: PathBuf,
}

impl Proof {
    /// A name for its folder.
    pub fn name(&self) -> String {
        let slug: String = self
            .property
            .chars()
            .take_while(|c| *c != ';')
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .take(56)
            .collect();
        let slug: Vec<&str> = slug.split('-').filter(|word| !word.is_empty()).collect();
        let number = if self.number == 0 { String::new() } else { format!("-{}", self.number + 1) };
        format!("{}-{}-{}{number}", self.machine, self.block, slug.join("-"))
    }

    /// SymbiYosys' own words for it.
    fn script(&self, timeout_seconds: u64) -> String {
        let mode = if matches!(self.method, Method::AnyState { .. } | Method::PowerOn) { "bmc" } else { "prove" };
        let start = match self.method {
            Method::Induction { .. } | Method::PowerOn => "",
            // Registers of the block lose their value at power-on; those of the claim keep it.
            _ => "setattr -unset init w:* w:f_* %d\ndelete t:$meminit t:$meminit_v2\n",
        };
        let (block, depth, cover_depth) = (self.block, self.method.depth(), self.cover_depth);
        format!(
            "[tasks]\nprove\ncover\n\n[options]\nprove: mode {mode}\nprove: depth {depth}\ncover: mode cover\n\
             cover: depth {cover_depth}\ntimeout {timeout_seconds}\n\n[engines]\nsmtbmc yices\n\n[script]\n\
             read_verilog -formal -sv {block}.v\nhierarchy -check -top {block}\nproc -norom\nflatten\n{start}\
             prep -top {block}\n\n[files]\n{block}.v\n"
        )
    }

    /// Run it in a fresh folder below `out`.
    ///
    /// # Errors
    /// [`BoardError`]: SymbiYosys or its solver is missing, or could not read what it was given.
    pub fn run(&self, out: &Path, timeout_seconds: u64) -> Result<Outcome, BoardError> {
        let start = Instant::now();
        let folder = out.join(self.name());
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(|e| BoardError::io(&folder, "removed", &e))?;
        }
        std::fs::create_dir_all(&folder).map_err(|e| BoardError::io(&folder, "written", &e))?;
        write(&folder.join(format!("{}.v", self.block)), self.verilog.as_bytes())?;
        write(&folder.join("proof.sby"), self.script(timeout_seconds).as_bytes())?;
        let program = tools::find("sby")?;
        let output = Command::new(&program)
            .args(["-f", "proof.sby"])
            .current_dir(&folder)
            .output()
            .map_err(|e| BoardError::io(&program, "started", &e))?;
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        write(&folder.join("sby.log"), &[&output.stdout[..], &output.stderr].concat())?;
        let status = |task: &str| {
            let file = folder.join(format!("proof_{task}/status"));
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            text.split_whitespace().next().unwrap_or("ERROR").to_string()
        };
        let failed = |log: &str| {
            let lines: Vec<&str> = log.lines().filter(|line| line.to_lowercase().contains("error")).collect();
            let tail = lines[..lines.len().min(8)].join("\n");
            let status = output.status.to_string();
            BoardError::ToolFailed { tool: "sby".into(), status, log: folder.join("sby.log"), tail }
        };
        let covers = log.matches("Reached cover statement in step").count();
        let verdict = match (status("prove").as_str(), status("cover").as_str()) {
            ("PASS", "PASS") if covers > 0 => Verdict::Proved,
            ("FAIL" | "UNKNOWN", _) => self.refuted(&log, &folder),
            ("TIMEOUT", _) | ("PASS", "TIMEOUT") => Verdict::OutOfTime,
            ("PASS", "PASS") => Verdict::Vacuous { unreached: "there is no cover statement".into() },
            ("PASS", "FAIL") => {
                let line = log.lines().find(|line| line.contains("Unreached cover statement at"));
                Verdict::Vacuous { unreached: after(line.unwrap_or_default(), "Unreached cover statement at ") }
            }
            _ => return Err(failed(&log)),
        };
        Ok(Outcome { verdict, covers, took: start.elapsed(), folder })
    }

    fn refuted(&self, log: &str, folder: &Path) -> Verdict {
        let line = log.lines().find(|line| line.contains("Assert failed in"));
        let traces = ["trace.vcd", "trace_induct.vcd"].map(|file| folder.join("proof_prove/engine_0").join(file));
        Verdict::Refuted {
            assertion: after(line.unwrap_or_default(), "Assert failed in "),
            trace: traces.into_iter().find(|file| file.is_file()),
        }
    }
}

/// What follows `mark` in a line.
fn after(line: &str, mark: &str) -> String {
    line.split_once(mark).map_or("unknown", |(_, rest)| rest).trim().to_string()
}

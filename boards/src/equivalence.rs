//! Proofs that a mutant cannot be told from its machine at the pins.
//!
//! Yosys makes one circuit of gates and one-bit registers of the machine with all its mutants, memories included. What each
//! mutant makes of it is built beside what the machine is, gates that both have shared, and three claims are tried in turn:
//!
//! 1. No pin depends on a gate or register that the mutation changes. Sharing alone shows it.
//! 2. In every state that the machine reaches from power-on, the mutant would have the same next state and outputs; so the
//!    two never part. First with large memories that may hold anything at any time, which is more than has to be shown and
//!    often easier; then with memories as they are.
//! 3. The two part in a few registers only, those that the mutation reaches within one, two or more clocks. In every state
//!    that the machine reaches, with what the mutant has in these registers by then, all others would have the same next
//!    state, and so would the outputs; so the parting goes no further.
//! 4. The two, started together, never have different outputs, though their states may part.
//!
//! From the second on ABC merges registers that are always equal (`&scorr`) and looks for an inductive invariant (`pdr`). Each proof is one for all inputs and without
//! bound in time. All registers start at 0 (`zinit`); what the Verilog leaves open is 0.

use crate::and_graph::{Circuit, FALSE, Graph, TRUE};
use crate::error::BoardError;
use crate::mutation::{Mutant, Mutants, Proof};
use crate::stage::{hash, run, run_within, stage, write};
use crate::tools;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What the claims are called in records.
const SAME_GATES: &str = "same gates";
const SAME_WITH_ANY_MEMORY: &str = "same next state in all reached states, whatever large memories hold";
const SAME_STATES: &str = "same next state in all reached states";
const SAME_ELSEWHERE: &str = "same outside the registers it reaches in a few clocks, whatever large memories hold";
const SAME_OUTPUTS: &str = "same outputs for ever";
/// Most clocks of the third claim.
const MOST_CLOCKS: usize = 4;
/// Bits of a memory from which on the second claim lets it hold anything.
const LARGE: usize = 128;
/// Time that ABC has for what comes before its search.
const MERGING: Duration = Duration::from_secs(20);
/// What ABC does with a claim before it is given a limit of time.
const SEARCH: &str = "strash; &get; &scorr; &put; pdr";

/// From the mutated design to gates and registers without enable or reset.
///
/// `mutate` loses the start of a register whose output it changes, and a memory may have none: all start at 0, or
/// `write_aiger` would make inputs of them.
const TO_GATES: &str = "read_rtlil flat.il; script mutants.ys; read_verilog -overwrite counters.v; \
                        hierarchy -top top; proc; flatten; memory_map; setundef -undriven -zero; opt_expr; opt_clean; \
                        simplemap; techmap; opt_expr; opt_merge; dffunmap; simplemap; zinit -all; opt_expr; opt_merge; \
                        opt_clean; aigmap; opt_merge; setundef -zero; opt_expr; opt_clean; \
                        write_aiger -zinit -ascii -symbols gates.aag";

/// A machine with all its mutants as gates.
#[derive(Debug, Clone)]
pub struct Prover {
    circuit: Circuit,
    key: String,
}

/// A mutant and its machine in one graph.
struct Pair {
    graph: Graph,
    /// Next values of the machine's registers.
    machine: Vec<u32>,
    /// Registers that may differ, and the mutant's next values of them.
    parted: Vec<(usize, u32)>,
    /// Whether an output differs.
    outputs_differ: u32,
}

impl Prover {
    /// Make the circuit, unless `out` has it already.
    ///
    /// # Errors
    /// [`BoardError`]: Yosys is missing or failed.
    pub fn new(mutants: &Mutants, name: &str, out: &Path) -> Result<Self, BoardError> {
        let read = |file: &str| {
            let file = mutants.folder().join(file);
            std::fs::read(&file).map_err(|e| BoardError::io(&file, "read", &e))
        };
        let (flat, counters, script) = (read("flat.il")?, read("counters.v")?, read("mutants.ys")?);
        let key = hash(&[&flat, &counters, &script, TO_GATES.as_bytes(), tools::version("yosys")?.as_bytes()]);
        let (folder, _) = stage(out, &format!("{name}-gates"), &key, |work| {
            write(&work.join("flat.il"), &flat)?;
            write(&work.join("counters.v"), &counters)?;
            write(&work.join("mutants.ys"), &script)?;
            run(work, "yosys", &["-q", "-l", "yosys.log", "-p", TO_GATES], "yosys.log")
        })?;
        let file = folder.join("gates.aag");
        let text = std::fs::read_to_string(&file).map_err(|e| BoardError::io(&file, "read", &e))?;
        Ok(Self { circuit: Circuit::parse(&text, &file.display().to_string())?, key })
    }

    /// The claim that needs no search: whether no pin depends on what the mutation changes.
    pub fn is_same(&self, mutant: &Mutant) -> bool {
        self.pair(mutant.number).outputs_differ == FALSE
    }

    /// Try the claims in turn.
    ///
    /// # Errors
    /// [`BoardError`]: ABC is missing, or a file cannot be written. That it finds no proof is no error.
    pub fn prove(&self, mutant: &Mutant, out: &Path, limit: Duration) -> Result<Proof, BoardError> {
        let mut proof = Proof { method: None, limit_seconds: limit.as_secs() };
        if self.is_same(mutant) {
            proof.method = Some(SAME_GATES.to_string());
            return Ok(proof);
        }
        let large = self.large_memories();
        let close_by =
            (1..=MOST_CLOCKS).map(|clocks| (self.states_differ(mutant.number, clocks, &large), SAME_ELSEWHERE));
        let claims = [(self.states_differ(mutant.number, 0, &large), SAME_WITH_ANY_MEMORY)]
            .into_iter()
            .chain(close_by)
            .chain([(self.states_differ(mutant.number, 0, &[]), SAME_STATES)])
            .chain([(Some(self.pair(mutant.number).as_aiger()), SAME_OUTPUTS)]);
        for (aiger, method) in claims {
            let Some(aiger) = aiger else { continue };
            let seconds = limit.as_secs();
            let script = format!("read_aiger claim.aig; {SEARCH} -T {seconds}");
            let key = hash(&[&aiger, script.as_bytes(), self.key.as_bytes()]);
            let (folder, _) = stage(out, &format!("proof-{}", mutant.number), &key, |work| {
                write(&work.join("claim.aig"), &aiger)?;
                // Its own limit is of the search alone, and not of what is merged before.
                let said = run_within(limit + limit / 4 + MERGING, work, "yosys-abc", &["-c", &script], "abc.log");
                match said {
                    Ok(()) | Err(BoardError::TookTooLong { .. }) => {}
                    Err(error) => return Err(error),
                }
                let claim = work.join("claim.aig");
                std::fs::remove_file(&claim).map_err(|e| BoardError::io(&claim, "removed", &e))
            })?;
            let log = std::fs::read_to_string(folder.join("abc.log")).unwrap_or_default();
            if log.lines().any(|line| line.starts_with("Property proved.")) {
                proof.method = Some(method.to_string());
                break;
            }
        }
        Ok(proof)
    }

    /// Literals of the circuit's inputs, those of `mutant` set to a number. The pins are the first leaves.
    fn inputs(&self, graph: &Graph, number: u32) -> Vec<u32> {
        let selects =
            |name: &str| name.strip_prefix("mutant[").and_then(|rest| rest.strip_suffix(']')?.parse::<u32>().ok());
        let bit = |bit: u32| if number >> bit & 1 == 1 { TRUE } else { FALSE };
        let inputs = self.circuit.inputs.iter().enumerate();
        inputs.map(|(i, name)| selects(name).map_or(graph.leaf(i), bit)).collect()
    }

    /// Both in one graph. Registers that have the same next value whenever all registers that differ from none are equal
    /// are one. Leaves: inputs, the machine's registers, the mutant's.
    fn pair(&self, number: u32) -> Pair {
        let (inputs, registers) = (self.circuit.inputs.len(), self.circuit.next.len());
        let mut differs = vec![false; registers];
        loop {
            let mut graph = Graph::new(inputs + 2 * registers);
            let ours: Vec<u32> = (0..registers).map(|r| graph.leaf(inputs + r)).collect();
            let theirs: Vec<u32> =
                (0..registers).map(|r| if differs[r] { graph.leaf(inputs + registers + r) } else { ours[r] }).collect();
            let (none, mutated) = (self.inputs(&graph, 0), self.inputs(&graph, number));
            let (machine, outputs) = self.circuit.apply(&mut graph, &none, &ours);
            let (mutant, other_outputs) = self.circuit.apply(&mut graph, &mutated, &theirs);
            let parts: Vec<usize> = (0..registers).filter(|r| !differs[*r] && machine[*r] != mutant[*r]).collect();
            if parts.is_empty() {
                let pairs: Vec<(u32, u32)> = outputs.into_iter().zip(other_outputs).collect();
                let outputs_differ = graph.differ(&pairs);
                let parted = (0..registers).filter(|r| differs[*r]).map(|r| (r, mutant[r])).collect();
                return Pair { graph, machine, parted, outputs_differ };
            }
            parts.into_iter().for_each(|register| differs[register] = true);
        }
    }

    /// Bits of the large memories.
    fn large_memories(&self) -> Vec<usize> {
        let memory = |name: &str| {
            name.strip_suffix(']')?.rsplit_once("][").map(|_| name.find('['))?.map(|at| name[..at].to_string())
        };
        let memories: Vec<Option<String>> = self.circuit.registers.iter().map(|name| memory(name)).collect();
        let mut bits = BTreeMap::new();
        memories.iter().flatten().for_each(|name| *bits.entry(name.as_str()).or_insert(0usize) += 1);
        let is_large = |memory: &Option<String>| memory.as_ref().is_some_and(|name| bits[name.as_str()] >= LARGE);
        (0..memories.len()).filter(|register| is_large(&memories[*register])).collect()
    }

    /// The machine, with the mutant's own of the registers that the mutation reaches within `clocks`, and an output that
    /// tells where any other would have another next state in the mutant, or a pin another value. The registers `open` may
    /// hold anything at any time; their next values are compared all the same. None if the mutation reaches these, or no
    /// more than within a clock less.
    fn states_differ(&self, number: u32, clocks: usize, open: &[usize]) -> Option<Vec<u8>> {
        let (inputs, registers) = (self.circuit.inputs.len(), self.circuit.next.len());
        let kept: Vec<usize> = (0..registers).filter(|register| open.binary_search(register).is_err()).collect();
        let mut parted: Vec<usize> = Vec::new();
        for clock in 0..=clocks {
            let mut graph = Graph::new(inputs + registers + parted.len());
            let mut ours = vec![FALSE; registers];
            for (leaf, register) in open.iter().chain(&kept).enumerate() {
                ours[*register] = graph.leaf(inputs + leaf);
            }
            let mut theirs = ours.clone();
            for (leaf, register) in parted.iter().enumerate() {
                theirs[*register] = graph.leaf(inputs + registers + leaf);
            }
            let (none, mutated) = (self.inputs(&graph, 0), self.inputs(&graph, number));
            let (machine, outputs) = self.circuit.apply(&mut graph, &none, &ours);
            let (mutant, other_outputs) = self.circuit.apply(&mut graph, &mutated, &theirs);
            let is_parted = |register: &usize| parted.binary_search(register).is_ok();
            let others: Vec<usize> = (0..registers)
                .filter(|register| !is_parted(register) && machine[*register] != mutant[*register])
                .collect();
            if clock < clocks {
                if others.is_empty() || others.iter().any(|register| open.binary_search(register).is_ok()) {
                    return None;
                }
                parted.extend(others);
                parted.sort_unstable();
                continue;
            }
            let states = others.iter().map(|register| (machine[*register], mutant[*register]));
            let pairs: Vec<(u32, u32)> = states.chain(outputs.into_iter().zip(other_outputs)).collect();
            let output = graph.differ(&pairs);
            let next = kept.iter().map(|register| machine[*register]);
            let next: Vec<u32> = next.chain(parted.iter().map(|register| mutant[*register])).collect();
            return Some(graph.aiger(&next, output));
        }
        None
    }
}

impl Pair {
    /// Both, with an output that tells where they differ.
    fn as_aiger(&self) -> Vec<u8> {
        let mut next = self.machine.clone();
        next.resize(2 * self.machine.len(), FALSE);
        for (register, value) in &self.parted {
            next[self.machine.len() + register] = *value;
        }
        self.graph.aiger(&next, self.outputs_differ)
    }
}

//! And-inverter graphs, as Yosys and ABC exchange them (AIGER 1.9), and functions of one built up from the functions of another.
//!
//! A literal is twice a variable's number, plus 1 where it is inverted; variable 0 is the constant 0.

use crate::error::BoardError;
use std::collections::HashMap;

/// The literal of the constant 0.
pub const FALSE: u32 = 0;
/// The literal of the constant 1.
pub const TRUE: u32 = 1;

/// A circuit: inputs, registers that start at 0, gates, outputs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Circuit {
    /// Names of the inputs, as in `uart_rx` and `mutant[3]`.
    pub inputs: Vec<String>,
    /// First names of the registers, as in `argmax.best[3]` and, of a bit of a memory, `labels.word[7][15]`; empty for one
    /// without.
    pub registers: Vec<String>,
    /// Literals of the next values of the registers.
    pub next: Vec<u32>,
    /// Literals of the outputs.
    pub outputs: Vec<u32>,
    /// Inputs of the gates. Variables are numbered: inputs from 1, registers, gates, each of which reads lower ones.
    pub gates: Vec<[u32; 2]>,
}

impl Circuit {
    /// Read what `write_aiger -ascii -symbols` writes.
    ///
    /// # Errors
    /// [`BoardError::Syntax`] with the line: another format, numbers out of order, or a register that does not start at 0.
    pub fn parse(text: &str, file: &str) -> Result<Self, BoardError> {
        let fault = |at: usize, reason: &str| BoardError::Syntax {
            file: format!("{file}, line {}", at + 1),
            reason: reason.to_string(),
            example: "what Yosys' write_aiger -zinit -ascii -symbols writes",
        };
        let mut lines = text.lines().enumerate();
        let mut numbers = |count: std::ops::RangeInclusive<usize>| -> Result<(usize, Vec<u32>), BoardError> {
            let (at, line) = lines.next().ok_or_else(|| fault(text.lines().count(), "it ends too early"))?;
            let words = line.strip_prefix("aag").unwrap_or(line).split_whitespace();
            let numbers: Option<Vec<u32>> = words.map(|word| word.parse().ok()).collect();
            let numbers = numbers.filter(|numbers| count.contains(&numbers.len()));
            Ok((at, numbers.ok_or_else(|| fault(at, "these are not the numbers that belong here"))?))
        };
        let head = numbers(5..=5)?.1;
        let [inputs, registers, outputs, gates] = [1, 2, 3, 4].map(|i| head[i]);
        let unnamed = |count: u32| vec![String::new(); count as usize];
        let mut circuit = Self { inputs: unnamed(inputs), registers: unnamed(registers), ..Self::default() };
        let defines = |(at, line): (usize, Vec<u32>), variable: u32| {
            if line[0] == 2 * variable { Ok((at, line)) } else { Err(fault(at, "variables are not in order")) }
        };
        for input in 1..=inputs {
            defines(numbers(1..=1)?, input)?;
        }
        for register in 1..=registers {
            let (at, line) = defines(numbers(2..=3)?, inputs + register)?;
            if line.get(2).is_some_and(|start| *start != 0) {
                return Err(fault(at, "a register does not start at 0"));
            }
            circuit.next.push(line[1]);
        }
        for _ in 0..outputs {
            circuit.outputs.push(numbers(1..=1)?.1[0]);
        }
        for gate in 1..=gates {
            let variable = inputs + registers + gate;
            let (at, line) = defines(numbers(3..=3)?, variable)?;
            if line[1..].iter().any(|literal| *literal >= 2 * variable) {
                return Err(fault(at, "a gate reads one that comes later"));
            }
            circuit.gates.push([line[1], line[2]]);
        }
        for (_, line) in lines.take_while(|(_, line)| *line != "c") {
            let (kind, rest) = line.split_at_checked(1).unwrap_or_default();
            let places = match kind {
                "i" => &mut circuit.inputs,
                "l" => &mut circuit.registers,
                _ => continue,
            };
            let mut words = rest.split(' ');
            let place = words.next().and_then(|number| places.get_mut(number.parse::<usize>().ok()?));
            if let (Some(place), Some(name)) = (place, words.next()) {
                *place = name.to_string();
            }
        }
        if circuit.inputs.iter().any(String::is_empty) {
            return Err(fault(0, "an input has no name: a register whose start is open, or a net that nothing drives"));
        }
        Ok(circuit)
    }

    /// Next values and outputs, in a graph, of given inputs and registers.
    pub fn apply(&self, graph: &mut Graph, inputs: &[u32], registers: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let mut value = Vec::with_capacity(1 + inputs.len() + registers.len() + self.gates.len());
        value.push(FALSE);
        value.extend(inputs.iter().chain(registers));
        let of = |value: &[u32], literal: u32| value[literal as usize / 2] ^ (literal & 1);
        for [a, b] in &self.gates {
            let gate = graph.and(of(&value, *a), of(&value, *b));
            value.push(gate);
        }
        let all = |literals: &[u32]| literals.iter().map(|literal| of(&value, *literal)).collect();
        (all(&self.next), all(&self.outputs))
    }
}

/// Gates over leaves, none of them twice.
#[derive(Debug, Clone)]
pub struct Graph {
    leaves: u32,
    gates: Vec<[u32; 2]>,
    known: HashMap<[u32; 2], u32>,
}

impl Graph {
    /// A graph of that many leaves, whose literals are 2, 4 and so on.
    pub fn new(leaves: usize) -> Self {
        Self { leaves: leaves as u32, gates: Vec::new(), known: HashMap::new() }
    }

    /// The literal of a leaf.
    pub fn leaf(&self, number: usize) -> u32 {
        2 * (number as u32 + 1)
    }

    /// Both.
    pub fn and(&mut self, a: u32, b: u32) -> u32 {
        let (low, high) = (a.min(b), a.max(b));
        if low == FALSE || low ^ 1 == high {
            return FALSE;
        }
        if low == TRUE || low == high {
            return high;
        }
        *self.known.entry([low, high]).or_insert_with(|| {
            self.gates.push([low, high]);
            2 * (self.leaves + self.gates.len() as u32)
        })
    }

    /// Either.
    pub fn or(&mut self, a: u32, b: u32) -> u32 {
        self.and(a ^ 1, b ^ 1) ^ 1
    }

    /// Whether two differ.
    pub fn xor(&mut self, a: u32, b: u32) -> u32 {
        let (first, second) = (self.and(a, b ^ 1), self.and(a ^ 1, b));
        self.or(first, second)
    }

    /// Whether any pair differs.
    pub fn differ(&mut self, pairs: &[(u32, u32)]) -> u32 {
        pairs.iter().fold(FALSE, |any, (a, b)| {
            let one = self.xor(*a, *b);
            self.or(any, one)
        })
    }

    /// In binary AIGER: the first leaves as inputs, the others as registers that start at 0, one output.
    pub fn aiger(&self, next: &[u32], output: u32) -> Vec<u8> {
        let (registers, gates) = (next.len() as u32, self.gates.len() as u32);
        let all = self.leaves + gates;
        let mut bytes = format!("aig {all} {} {registers} 1 {gates}\n", self.leaves - registers).into_bytes();
        for literal in next.iter().chain([&output]) {
            bytes.extend(format!("{literal}\n").bytes());
        }
        for (gate, [low, high]) in (self.leaves + 1..).zip(&self.gates) {
            for mut difference in [2 * gate - high, high - low] {
                while difference >= 0x80 {
                    bytes.push(difference as u8 | 0x80);
                    difference >>= 7;
                }
                bytes.push(difference as u8);
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A toggle register with an enable: next = q ^ enable, output = q & enable.
    const TOGGLE: &str = "aag 6 1 1 1 4\n2\n4 11 0\n6\n6 2 4\n8 3 5\n10 7 9\n12 2 2\ni0 enable\nl0 toggle also_toggle\no0 both\nc\nmade by hand\n";

    fn run(circuit: &Circuit, input: u32, register: u32) -> (u32, u32) {
        let (next, outputs) = circuit.apply(&mut Graph::new(0), &[input], &[register]);
        (next[0], outputs[0])
    }

    #[test]
    fn circuit_computes_what_its_gates_say() {
        let circuit = Circuit::parse(TOGGLE, "toggle").unwrap();
        assert_eq!(
            (circuit.inputs.as_slice(), circuit.registers.as_slice()),
            (&["enable".into()][..], &["toggle".into()][..])
        );
        // Next is the inverse of "neither both nor none".
        for (input, register, next, output) in [(0, 0, 1, 0), (0, 1, 0, 0), (1, 0, 0, 0), (1, 1, 1, 1)] {
            assert_eq!(run(&circuit, input, register), (next, output), "{input} {register}");
        }
    }

    #[test]
    fn parse_refuses_what_it_would_misread() {
        for (from, to) in [
            ("4 11 0", "4 11 1"),
            ("6 2 4", "6 2 8"),
            ("8 3 5", "6 3 5"),
            ("aag 6 1 1 1 4", "aag 6 1 1 1 9"),
            ("aag", "aig"),
            ("i0 enable\n", ""),
        ] {
            assert!(Circuit::parse(&TOGGLE.replacen(from, to, 1), "toggle").is_err(), "{to}");
        }
    }

    #[test]
    fn graph_has_no_gate_twice_and_none_that_is_constant() {
        let mut graph = Graph::new(2);
        let (a, b) = (graph.leaf(0), graph.leaf(1));
        let both = graph.and(a, b);
        assert_eq!(both, 6);
        assert_eq!(graph.and(b, a), both);
        assert_eq!(
            [graph.and(a, a), graph.and(a, a ^ 1), graph.and(a, TRUE), graph.and(a, FALSE)],
            [a, FALSE, a, FALSE]
        );
        assert_eq!(graph.differ(&[(a, a), (both, both)]), FALSE);
        assert_ne!(graph.differ(&[(a, b)]), FALSE);
    }

    #[test]
    fn aiger_has_differences_of_seven_bits_a_byte() {
        let mut graph = Graph::new(100);
        let (a, b) = (graph.leaf(0), graph.leaf(99));
        let both = graph.and(a, b);
        // 202 - 200 = 2; 200 - 2 = 198 = 0x46 | 1 << 7.
        let expected = [b"aig 101 99 1 1 1\n3\n202\n".as_slice(), &[2, 0xC6, 1]].concat();
        assert_eq!(graph.aiger(&[a ^ 1], both), expected);
    }
}

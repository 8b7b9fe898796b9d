//! Holds the program.

use super::instruction_decoder::INSTRUCTION_WORDS;
use crate::bus::{Bus, WideBus};
use crate::memory::initial_words;
use bitline_firmware::isa::{Encoded, WORDS};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// Stores instructions word by word; reads whole ones a clock later.
///
/// A leaf in Verilog: RustHDL cannot put words together.
///
/// **Ports** `write_enable` with `write_address` (instruction), `write_word` and `write_data`. `read_address`: a clock later `instruction`
/// is all its words, word 0 in bits 15..0. `read_word` with it: two clocks later `read_data` is that word.
/// **State** the instructions, at power-on what is given, else `halt` (0).
#[derive(LogicBlock, Clone, Debug)]
pub struct ProgramMemory {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Store a word.
    pub write_enable: Signal<In, Bit>,
    /// Of which instruction.
    pub write_address: Bus<In>,
    /// Which word.
    pub write_word: Bus<In>,
    /// The word.
    pub write_data: Bus<In>,
    /// Instruction to read.
    pub read_address: Bus<In>,
    /// Its word for the link.
    pub read_word: Bus<In>,
    /// The instruction read.
    pub instruction: WideBus<Out, INSTRUCTION_WORDS>,
    /// The word for the link.
    pub read_data: Bus<Out>,
    _stored: Vec<Encoded>,
    _contents: Vec<Encoded>,
    _shown: Encoded,
    _word: usize,
}

impl ProgramMemory {
    /// Clocks from `read_address` to `instruction`.
    pub const LATENCY_CYCLES: u64 = 1;
    /// Clocks from `read_address` and `read_word` to `read_data`.
    pub const READ_BACK_CYCLES: u64 = 2;

    /// The memory of a machine with a program.
    ///
    /// # Panics
    /// If the program is longer than the memory.
    pub fn new(machine: &DeepMachine, program: &[Encoded]) -> Self {
        assert!(program.len() <= machine.instructions, "{} instructions", program.len());
        let mut stored = program.to_vec();
        stored.resize(machine.instructions, [0; WORDS]);
        let address = bits_to_index(machine.instructions);
        Self {
            clock: Signal::default(),
            write_enable: Signal::default(),
            write_address: Bus::new(address),
            write_word: Bus::new(bits_to_index(WORDS)),
            write_data: Bus::new(16),
            read_address: Bus::new(address),
            read_word: Bus::new(bits_to_index(WORDS)),
            instruction: WideBus::new(16 * WORDS),
            read_data: Bus::new(16),
            _contents: stored.clone(),
            _stored: stored,
            _shown: [0; WORDS],
            _word: 0,
        }
    }
}

impl Logic for ProgramMemory {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.read_data.next = u64::from(self._shown[self._word]);
            self._shown = self._stored.get(self.read_address.val() as usize).copied().unwrap_or_default();
            self._word = self.read_word.val() as usize;
            let shown = self._shown;
            self.instruction.next =
                std::array::from_fn(|k| (0..4).fold(0, |word, i| word | u64::from(shown[4 * k + i]) << (16 * i)));
            if self.write_enable.val()
                && let Some(stored) = self._stored.get_mut(self.write_address.val() as usize)
            {
                stored[self.write_word.val() as usize] = self.write_data.val() as u16;
            }
        }
    }
    fn connect(&mut self) {
        self.instruction.connect();
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        let depth = self._contents.len();
        let mut text = String::from(
            "reg [2:0] word_held = 0;\nalways @(posedge clock) word_held <= read_word;\ninitial read_data = 0;\n\
             always @(posedge clock) read_data <= instruction[{word_held, 4'b0} +: 16];\n",
        );
        for word in 0..WORDS {
            let contents: Vec<u64> = self._contents.iter().map(|words| u64::from(words[word])).collect();
            let name = format!("word_{word}");
            text += &format!(
                "(* no_rw_check *) reg [15:0] {name} [0:{}];\n{}reg [15:0] {name}_read;\nalways @(posedge clock) begin\n  \
                 if (write_enable && write_word == {word}) {name}[write_address] <= write_data;\n  \
                 {name}_read <= {name}[read_address];\nend\n",
                depth - 1,
                initial_words(&name, 16, &contents)
            );
        }
        let words: Vec<String> = (0..WORDS).rev().map(|word| format!("word_{word}_read")).collect();
        Verilog::Custom(text + &format!("always @(*) instruction = {{{}}};\n", words.join(", ")))
    }
}

//! A memory with one write port and one read port.

use crate::bus::Bus;
use crate::verilog::{literal, range};
use rust_hdl::prelude::*;

/// Stores words; reads a clock later.
///
/// A leaf in Verilog: RustHDL 0.46 has RAMs whose sizes are types only.
///
/// **Parameters** `width` 1..=64 bits, `depth` words, both checked when made.
/// **Ports** `write_enable`, `write_address`, `write_data`: stored at the rising edge. `read_address`: at the rising
/// edge `read_data` becomes the word there, as it was before that edge's write. Addresses from `depth` up read 0 and
/// store nothing in simulation; the machine never makes them.
/// **State** the words, at power-on what is given, else 0.
#[derive(LogicBlock, Clone, Debug)]
pub struct Memory {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Store `write_data`.
    pub write_enable: Signal<In, Bit>,
    /// Where.
    pub write_address: Bus<In>,
    /// What.
    pub write_data: Bus<In>,
    /// What to read.
    pub read_address: Bus<In>,
    /// The word read.
    pub read_data: Bus<Out>,
    _words: Vec<u64>,
    _contents: Vec<u64>,
}

impl Memory {
    /// Clocks from `read_address` to `read_data`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// A memory of `depth` words of `width` bits that starts with `contents` and zeros after it.
    ///
    /// # Panics
    /// If the contents are longer than the memory.
    pub fn new(width: usize, depth: usize, contents: &[u64]) -> Self {
        assert!(contents.len() <= depth, "{} words in a memory of {depth}", contents.len());
        let address = bitline_golden::machine::bits_to_index(depth);
        let mut words = contents.to_vec();
        words.resize(depth, 0);
        Self {
            clock: Signal::default(),
            write_enable: Signal::default(),
            write_address: Bus::new(address),
            write_data: Bus::new(width),
            read_address: Bus::new(address),
            read_data: Bus::new(width),
            _contents: words.clone(),
            _words: words,
        }
    }
}

impl Logic for Memory {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.read_data.next = self._words.get(self.read_address.val() as usize).copied().unwrap_or(0);
            if self.write_enable.val()
                && let Some(word) = self._words.get_mut(self.write_address.val() as usize)
            {
                *word = self.write_data.val();
            }
        }
    }
    fn connect(&mut self) {
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        let (width, depth) = (self.write_data.bits(), self._contents.len());
        let start = initial_words("word", width, &self._contents);
        Verilog::Custom(format!(
            "(* no_rw_check *) reg {}word [0:{}];\n{start}always @(posedge clock) begin\n  \
             if (write_enable) word[write_address] <= write_data;\n  read_data <= word[read_address];\nend\n",
            range(width),
            depth - 1
        ))
    }
}

/// Words that one `initial` block fills; Yosys takes time by the square of a block's length.
const WORDS_A_BLOCK: usize = 1024;

/// `initial` blocks that fill the memory `name`: zeros, then what is not zero.
pub(crate) fn initial_words(name: &str, width: usize, words: &[u64]) -> String {
    let zero = literal(width, 0);
    let mut text = format!("integer {name}_at;\n");
    for (block, part) in words.chunks(WORDS_A_BLOCK).enumerate() {
        let first = block * WORDS_A_BLOCK;
        let end = first + part.len();
        text += &format!(
            "initial begin\n  for ({name}_at = {first}; {name}_at < {end}; {name}_at = {name}_at + 1) {name}[{name}_at] = {zero};\n"
        );
        for (at, word) in part.iter().enumerate().filter(|(_, word)| **word != 0) {
            text += &format!("  {name}[{}] = {};\n", first + at, literal(width, *word));
        }
        text += "end\n";
    }
    text
}

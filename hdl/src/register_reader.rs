//! Reads the register map.

use crate::bus::Bus;
use bitline_golden::machine::bits_to_index;
use bitline_golden::registers::{REGISTER_WORDS, REGISTERS};
use rust_hdl::prelude::*;

/// The word at an offset of the register map.
///
/// A leaf in Verilog: its table is made from [`REGISTERS`].
///
/// **Ports** `offset` in; `values`, one a register whose value changes, in the order given to [`RegisterReader::new`];
/// `word` out, one clock later. Offsets beyond the map, and registers that are neither constant nor given, read 0.
#[derive(LogicBlock, Clone, Debug)]
pub struct RegisterReader {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Offset of a word.
    pub offset: Bus<In>,
    /// Values of the registers that change.
    pub values: Vec<Bus<In>>,
    /// The word.
    pub word: Bus<Out>,
    _words: Vec<Source>,
}

/// Where a word of the map comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    Constant(u16),
    Value { index: usize, low: usize },
}

impl RegisterReader {
    /// Clocks from `offset` to `word`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// A reader of constants (register name, words) and values (register name, width), by the names of [`REGISTERS`].
    pub fn new(constants: &[(&str, Vec<u16>)], values: &[(&str, usize)]) -> Self {
        let mut words = vec![Source::Constant(0); usize::from(REGISTER_WORDS)];
        for register in REGISTERS {
            for k in 0..usize::from(register.words) {
                let at = usize::from(register.offset) + k;
                if let Some((_, constant)) = constants.iter().find(|(name, _)| *name == register.name) {
                    words[at] = Source::Constant(constant[k]);
                } else if let Some(index) = values.iter().position(|(name, _)| *name == register.name)
                    && 16 * k < values[index].1
                {
                    words[at] = Source::Value { index, low: 16 * k };
                }
            }
        }
        Self {
            clock: Signal::default(),
            offset: Bus::new(bits_to_index(words.len())),
            values: values.iter().map(|(_, width)| Bus::new(*width)).collect(),
            word: Bus::new(16),
            _words: words,
        }
    }
}

impl Logic for RegisterReader {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.word.next = match self._words.get(self.offset.val() as usize) {
                Some(Source::Constant(word)) => u64::from(*word),
                Some(Source::Value { index, low }) => self.values[*index].val() >> low & 0xFFFF,
                None => 0,
            };
        }
    }
    fn connect(&mut self) {
        self.word.connect();
    }
    fn hdl(&self) -> Verilog {
        // Indexed rather than a case: a tree of multiplexers on the offset's bits takes fewer tables than decoded words.
        let depth = 1 << self.offset.bits();
        let mut text = format!("wire [{}:0] words;\n", 16 * depth - 1);
        for at in 0..depth {
            let value = match self._words.get(at) {
                None => "16'h0".to_string(),
                Some(Source::Constant(word)) => format!("16'h{word:x}"),
                Some(Source::Value { index, low }) => {
                    let width = self.values[*index].bits();
                    if width == 1 {
                        format!("values${index}")
                    } else {
                        format!("values${index}[{}:{low}]", (low + 16).min(width) - 1)
                    }
                }
            };
            text += &format!("assign words[{}:{}] = {value};\n", 16 * at + 15, 16 * at);
        }
        text += "initial word = 16'h0;\nalways @(posedge clock) word <= words[{offset, 4'b0} +: 16];\n";
        Verilog::Custom(text)
    }
}

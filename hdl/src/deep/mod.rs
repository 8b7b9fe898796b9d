//! Leaf blocks of a machine that runs programs ([`bitline_golden::deep_machine::DeepMachine`]).
//!
//! Words of it: a *window* is the codes of one output position; a *row group* is `tile_rows` of them, a *plane group*
//! `plane_lanes` planes of these, an *output group* the outputs of one tile. A word of codes has lane 0 in its lowest bits.

pub mod accelerator;
pub mod activation;
pub mod code_memory;
pub mod code_rotator;
pub mod core;
pub mod counter_memory;
pub mod crossbar;
pub mod feed;
pub mod gatherer;
pub mod instruction_decoder;
pub mod mac_counter;
pub mod plane_sum;
pub mod pool;
pub mod program_control;
pub mod program_memory;
pub mod recombination;
pub mod region_check;
pub mod region_checksum;
pub mod result_memory;
pub mod row_counter;
pub mod simulation;
pub mod spread;
pub mod sum_rank;
pub mod threshold;
pub mod tile_memory;
pub mod tile_reader;
pub mod top;
pub mod window_memory;
pub mod window_walk;
pub mod write_select;

use crate::bus::Words;
use crate::memory::initial_words;
use crate::verilog::range;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};

/// Bits of an address of the code memory, or of a step, as an instruction's field is kept: a number too large for them, which leads to no code
/// that exists, is their largest.
pub fn step_bits(machine: &DeepMachine) -> usize {
    (bits_to_index(machine.memory_codes()) + 1).min(16)
}

/// Bits of an address of the code memory while it is added to: the largest step on an address that exists never wraps.
pub fn address_bits(machine: &DeepMachine) -> usize {
    bits_to_index((1 << bits_to_index(machine.memory_codes())) + (1 << step_bits(machine)))
}

/// Bits of a tile's number as it is kept: all ones is none that exists.
pub fn tile_bits(machine: &DeepMachine) -> usize {
    (bits_to_index(machine.tiles) + 1).min(16)
}

/// Bits of a threshold entry as it is kept: all ones is none that exists.
pub fn entry_bits(machine: &DeepMachine) -> usize {
    (bits_to_index(machine.thresholds) + 1).min(16)
}

/// Bits of the number of an output: those of a layer that is not faulty have a threshold, or a place in a result.
pub fn output_bits(machine: &DeepMachine) -> usize {
    let outputs = machine.thresholds.max(machine.sums.next_multiple_of(machine.output_lanes));
    bits_to_index(outputs).max(machine.output_lanes.trailing_zeros() as usize + 1)
}

/// 64-bit words of a [`crate::bus::WideBus`] that carries `gather_lanes` codes: at most 64 codes of 8 bits.
pub const CODE_WORDS: usize = 8;

/// Output lanes at most: a quarter of 64 columns.
pub const MOST_OUTPUT_LANES: usize = 16;

/// Bits of a code after the thresholds.
pub const THRESHOLD_CODE_BITS: usize = bitline_golden::deep_machine::MOST_THRESHOLD_BITS;

/// Bits of the active rows of a window, each plane's with its power, summed over all planes and row groups.
pub fn active_sum_bits(machine: &DeepMachine) -> usize {
    bits_to_hold(machine.tile_rows * ((1 << machine.code_bits) - 1) * machine.row_groups)
}

/// `gather_lanes` codes as a bus carries them.
pub(crate) type Codes = Words<CODE_WORDS>;

/// `bits` bits of packed words from bit `low` up.
#[inline]
pub(crate) fn field(words: &[u64], low: usize, bits: usize) -> u64 {
    let (at, shift) = (low / 64, low % 64);
    let mut value = words[at] >> shift;
    if shift + bits > 64 {
        value |= words[at + 1] << (64 - shift);
    }
    value & (u64::MAX >> (64 - bits))
}

/// Set bits of packed words that are 0, from bit `low` up.
#[inline]
pub(crate) fn set_field(words: &mut [u64], low: usize, bits: usize, value: u64) {
    let (at, shift) = (low / 64, low % 64);
    words[at] |= value << shift;
    if shift + bits > 64 {
        words[at + 1] |= value >> (64 - shift);
    }
}

/// `value` of `bits` bits as two's complement.
#[inline]
pub(crate) fn signed(value: u64, bits: usize) -> i64 {
    (value << (64 - bits)) as i64 >> (64 - bits)
}

/// Verilog of a memory `name` that reads a clock later into `<name>_read`.
pub(crate) struct MemoryText<'a> {
    pub name: &'a str,
    pub width: usize,
    pub depth: usize,
    /// What it holds at power-on; zeros after it.
    pub contents: &'a [u64],
    pub read_address: &'a str,
    pub stores: &'a [StoreText],
}

/// Verilog of one thing that a memory stores, as expressions.
pub(crate) struct StoreText {
    pub condition: String,
    pub address: String,
    pub data: String,
    /// Lowest and highest bit of the part of the word that is stored, if not all of it.
    pub part: Option<(usize, usize)>,
}

impl StoreText {
    /// Of a whole word.
    pub fn word(condition: impl Into<String>, address: impl Into<String>, data: impl Into<String>) -> Self {
        Self { condition: condition.into(), address: address.into(), data: data.into(), part: None }
    }
}

impl MemoryText<'_> {
    pub fn text(&self) -> String {
        let Self { name, width, read_address, .. } = self;
        // A memory of one word has an address bit all the same.
        let depth = self.depth.max(2);
        let mut words = self.contents.to_vec();
        words.resize(depth, 0);
        let start = initial_words(name, *width, &words);
        let mut text = format!(
            "(* no_rw_check *) reg {r}{name} [0:{}];\n{start}reg {r}{name}_read;\nalways @(posedge clock) begin\n",
            depth - 1,
            r = range(*width)
        );
        for StoreText { condition, address, data, part } in self.stores {
            let part = part.map_or(String::new(), |(low, high)| format!("[{high}:{low}]"));
            text += &format!("  if ({condition}) {name}[{address}]{part} <= {data};\n");
        }
        text + &format!("  {name}_read <= {name}[{read_address}];\nend\n")
    }
}

/// Verilog that rotates the word of `lanes` lanes in net `source` by `amount` lanes, in one stage of two-way multiplexers a
/// bit of it, and the net that holds the result. Up: lane l goes to lane l + amount.
pub(crate) fn rotation(source: &str, lanes: usize, lane_bits: usize, amount: &str, up: bool) -> (String, String) {
    let width = lanes * lane_bits;
    let (mut text, mut net) = (String::new(), source.to_string());
    for stage in 0..lanes.trailing_zeros() as usize {
        let shift = lane_bits << stage;
        // Bits of the word that come to lie lowest.
        let cut = if up { width - shift } else { shift };
        let bit = if lanes == 2 { amount.to_string() } else { format!("{amount}[{stage}]") };
        let name = format!("{source}_turned_{stage}");
        text += &format!(
            "wire {}{name} = {bit} ? {{{net}[{}:0], {net}[{}:{cut}]}} : {net};\n",
            range(width),
            cut - 1,
            width - 1
        );
        net = name;
    }
    (text, net)
}

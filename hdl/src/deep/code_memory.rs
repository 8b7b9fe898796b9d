//! Activations, and the images behind them.

use super::{CODE_WORDS, Codes, MemoryText, StoreText, field, rotation, set_field};
use crate::bus::{Bus, WideBus};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// Holds codes, and gives or takes `gather_lanes` neighbours a clock, wherever they start.
///
/// A leaf in Verilog: memories of chosen shape are beyond RustHDL's translator.
///
/// **Function** `gather_lanes` banks; the code at an address lies in bank address mod `gather_lanes`, so neighbours lie in
/// different banks.
/// **Ports** `read_address`: [`CodeMemory::LATENCY_CYCLES`] later lane b of `codes` is what bank b has of the codes from
/// there up: not yet rotated, the code at `read_address` in lane `read_address` mod `gather_lanes`. `write_enable` stores the
/// lanes of `write_codes` that `write_mask` marks, lane l at `write_address` + l. Addresses past the end read 0 and
/// store nothing.
/// **Timing** interval one read and one write a clock; the write's rotation stands before the memories' write ports. A
/// code read in the clock that writes it shows what was there before.
/// **State** the codes, at power-on 0 or what [`CodeMemory::with_contents`] is given.
/// **Limits** in hardware a code read in the clock that writes it is either the old or the new one.
#[derive(LogicBlock, Clone, Debug)]
pub struct CodeMemory {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// First code to read.
    pub read_address: Bus<In>,
    /// Store codes.
    pub write_enable: Signal<In, Bit>,
    /// Where the first one goes.
    pub write_address: Bus<In>,
    /// Lanes that are stored, lane 0 in bit 0.
    pub write_mask: Bus<In>,
    /// Their values.
    pub write_codes: WideBus<In, CODE_WORDS>,
    /// The codes read, one lane a bank.
    pub codes: WideBus<Out, CODE_WORDS>,
    _stored: Vec<u8>,
    _contents: Vec<u8>,
    _lanes: usize,
    _code_bits: usize,
}

impl CodeMemory {
    /// Clocks from `read_address` to `codes`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The memory of a machine, of zeros.
    pub fn new(machine: &DeepMachine) -> Self {
        Self::with_contents(machine, &[])
    }

    /// The memory of a machine that starts with `contents` and zeros after it.
    ///
    /// # Panics
    /// If the contents are longer than the memory, or a code has more bits than the machine's.
    pub fn with_contents(machine: &DeepMachine, contents: &[u8]) -> Self {
        let (places, lanes, code_bits) = (machine.memory_codes(), machine.gather_lanes, machine.code_bits);
        assert!(contents.len() <= places, "{} codes in a memory of {places}", contents.len());
        assert!(contents.iter().all(|code| u64::from(*code) >> code_bits == 0), "a code of more than {code_bits} bits");
        let mut stored = contents.to_vec();
        stored.resize(places, 0);
        Self {
            clock: Signal::default(),
            read_address: Bus::new(bits_to_index(places)),
            write_enable: Signal::default(),
            write_address: Bus::new(bits_to_index(places)),
            write_mask: Bus::new(lanes),
            write_codes: WideBus::new(lanes * code_bits),
            codes: WideBus::new(lanes * code_bits),
            _contents: stored.clone(),
            _stored: stored,
            _lanes: lanes,
            _code_bits: code_bits,
        }
    }

    /// The code at an address, for tests and traces.
    pub fn code(&self, address: usize) -> u8 {
        self._stored[address]
    }
}

impl Logic for CodeMemory {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let (lanes, bits) = (self._lanes, self._code_bits);
        let first = self.read_address.val() as usize;
        let last = (first + lanes).min(self._stored.len());
        let mut codes: Codes = [0; CODE_WORDS];
        for address in first..last {
            set_field(&mut codes, address % lanes * bits, bits, u64::from(self._stored[address]));
        }
        self.codes.next = codes;
        if self.write_enable.val() {
            let (first, mask) = (self.write_address.val() as usize, self.write_mask.val());
            let words = self.write_codes.val();
            for lane in (0..lanes).filter(|lane| mask >> lane & 1 == 1) {
                if let Some(code) = self._stored.get_mut(first + lane) {
                    *code = field(&words, lane * bits, bits) as u8;
                }
            }
        }
    }
    fn connect(&mut self) {
        self.codes.connect();
    }
    fn hdl(&self) -> Verilog {
        let (lanes, bits) = (self._lanes, self._code_bits);
        let depth = self._stored.len() / lanes;
        let lane_bits = lanes.trailing_zeros() as usize;
        let (address_bits, word_bits) = (self.read_address.bits(), bits_to_index(depth));
        let mut text = String::new();
        // Words of a bank at and after the first code's, and whether they are past the end.
        for port in ["read", "write"] {
            text += &format!(
                "wire [{address_bits}:0] {port}_word = {{1'b0, {port}_address}} >> {lane_bits};\n\
                 wire [{address_bits}:0] {port}_next = {port}_word + 1'b1;\n\
                 wire {port}_word_past = {port}_word >= {depth};\nwire {port}_next_past = {port}_next >= {depth};\n"
            );
            if lanes > 1 {
                text += &format!("wire [{}:0] {port}_offset = {port}_address[{0}:0];\n", lane_bits - 1);
            }
        }
        let (turns, turned) = rotation("write_codes", lanes, bits, "write_offset", true);
        text += &turns;
        let mut parts = vec![];
        for bank in 0..lanes {
            let past_first = |port: &str| if lanes > 1 { format!("{port}_offset > {bank}") } else { "1'b0".into() };
            for port in ["read", "write"] {
                text += &format!(
                    "wire {port}_turn_{bank} = {};\n\
                     wire {}{port}_at_{bank} = {port}_turn_{bank} ? {port}_next : {port}_word;\n\
                     wire {port}_past_{bank} = {port}_turn_{bank} ? {port}_next_past : {port}_word_past;\n",
                    past_first(port),
                    crate::verilog::range(word_bits)
                );
            }
            let lane = if lanes > 1 {
                text += &format!("wire [{}:0] write_lane_{bank} = {bank} - write_offset;\n", lane_bits - 1);
                format!("write_lane_{bank}")
            } else {
                "0".into()
            };
            let marked = if lanes > 1 { format!("write_mask[{lane}]") } else { "write_mask".into() };
            let contents: Vec<u64> =
                self._contents.iter().skip(bank).step_by(lanes).map(|code| u64::from(*code)).collect();
            let name = format!("bank_{bank}");
            let code = format!("{turned}[{}:{}]", bank * bits + bits - 1, bank * bits);
            text += &MemoryText {
                name: &name,
                width: bits,
                depth,
                contents: &contents,
                read_address: &format!("read_at_{bank}"),
                stores: &[StoreText::word(
                    format!("write_enable && {marked} && !write_past_{bank}"),
                    format!("write_at_{bank}"),
                    if lanes * bits == 1 { turned.clone() } else { code },
                )],
            }
            .text();
            text += &format!("reg past_{bank};\nalways @(posedge clock) past_{bank} <= read_past_{bank};\n");
            parts.push(format!("past_{bank} ? {bits}'d0 : {name}_read"));
        }
        let parts: Vec<String> = parts.iter().rev().map(|part| format!("({part})")).collect();
        Verilog::Custom(text + &format!("always @(*) codes = {{{}}};\n", parts.join(", ")))
    }
}

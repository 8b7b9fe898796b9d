//! Keeps the largest code of a square of windows.

use super::{MOST_OUTPUT_LANES, MemoryText, StoreText, THRESHOLD_CODE_BITS, field, set_field};
use crate::bus::Bus;
use crate::verilog::range;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// The running maximum of codes, over the windows of a square.
///
/// A leaf in Verilog: memories of chosen shape are beyond RustHDL's translator.
///
/// **Function** word w of the buffer holds the codes of outputs w * `output_lanes` and up of a layer. Each code of a valid
/// lane meets what its place holds, or replaces it in the first window of a square; other lanes' places stay as they are.
/// **Ports** `valid`, `lane_valid`, `codes[e]`, `word`, `first` (first window), `last` (last window), `tag`:
/// [`Pool::LATENCY_CYCLES`] later, if `last`, `pooled_valid` with `pooled_lane_valid`, `pooled_codes[e]`, `pooled_word` and
/// `pooled_tag`, those of the codes that came with `last`. In other clocks these show what they showed or what is not whole;
/// lanes that are not valid hold anything.
/// **Timing** interval one clock, the same word in neighbouring clocks too: the first clock reads the buffer, the
/// second compares and stores.
/// **State** the buffer, 0 at power-on; each square's first window replaces what was there.
/// **Limits** no word from `thresholds / output_lanes` up comes.
#[derive(LogicBlock, Clone, Debug)]
pub struct Pool {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// There are codes.
    pub valid: Signal<In, Bit>,
    /// Lanes that hold one, lane 0 in bit 0.
    pub lane_valid: Bus<In>,
    /// Codes, one a lane.
    pub codes: Vec<Bus<In>>,
    /// Their word of the layer.
    pub word: Bus<In>,
    /// They are of the square's first window.
    pub first: Signal<In, Bit>,
    /// They are of its last.
    pub last: Signal<In, Bit>,
    /// What travels with them.
    pub tag: Bus<In>,
    /// There are codes of a whole square.
    pub pooled_valid: Signal<Out, Bit>,
    /// Lanes that hold one, lane 0 in bit 0.
    pub pooled_lane_valid: Bus<Out>,
    /// Codes, one a lane.
    pub pooled_codes: Vec<Bus<Out>>,
    /// Their word of the layer.
    pub pooled_word: Bus<Out>,
    /// What came with their last window.
    pub pooled_tag: Bus<Out>,
    _buffer: Vec<u64>,
    _held: Held,
    /// What the codes before left, and where.
    _merged: u64,
    _merged_word: Option<usize>,
}

/// Codes in their second clock.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    valid: bool,
    lane_valid: u64,
    codes: [u8; MOST_OUTPUT_LANES],
    word: usize,
    first: bool,
    last: bool,
    tag: u64,
    stored: u64,
}

impl Pool {
    /// Clocks from codes to pooled codes.
    pub const LATENCY_CYCLES: u64 = 2;

    /// The pool of a machine, with a tag of `tag_bits` bits.
    pub fn new(machine: &DeepMachine, tag_bits: usize) -> Self {
        let lanes = machine.output_lanes;
        let words = machine.thresholds / lanes;
        Self {
            clock: Signal::default(),
            valid: Signal::default(),
            lane_valid: Bus::new(lanes),
            codes: (0..lanes).map(|_| Bus::new(THRESHOLD_CODE_BITS)).collect(),
            word: Bus::new(bits_to_index(words)),
            first: Signal::default(),
            last: Signal::default(),
            tag: Bus::new(tag_bits),
            pooled_valid: Signal::default(),
            pooled_lane_valid: Bus::new(lanes),
            pooled_codes: (0..lanes).map(|_| Bus::new(THRESHOLD_CODE_BITS)).collect(),
            pooled_word: Bus::new(bits_to_index(words)),
            pooled_tag: Bus::new(tag_bits),
            _buffer: vec![0; words],
            _held: Held::default(),
            _merged: 0,
            _merged_word: None,
        }
    }

    /// The word that the held codes make of theirs.
    fn merge(&self) -> u64 {
        let Held { lane_valid, codes, word, first, stored, .. } = self._held;
        let earlier = if self._merged_word == Some(word) { self._merged } else { stored };
        let mut merged = 0;
        for (lane, code) in codes[..self.codes.len()].iter().enumerate() {
            let low = lane * THRESHOLD_CODE_BITS;
            let kept = field(&[earlier], low, THRESHOLD_CODE_BITS);
            let code = u64::from(*code);
            let larger = if first || code > kept { code } else { kept };
            set_field(
                std::slice::from_mut(&mut merged),
                low,
                THRESHOLD_CODE_BITS,
                if lane_valid >> lane & 1 == 1 { larger } else { kept },
            );
        }
        merged
    }
}

impl Logic for Pool {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let word = self.word.val() as usize;
        // Read before this edge's store: where both meet, `_merged` stands in.
        let stored = self._buffer.get(word).copied().unwrap_or(0);
        let held = self._held;
        self.pooled_valid.next = held.valid && held.last;
        if held.valid {
            self._merged = self.merge();
            if let Some(place) = self._buffer.get_mut(held.word) {
                *place = self._merged;
            }
            self.pooled_lane_valid.next = held.lane_valid;
            self.pooled_word.next = held.word as u64;
            self.pooled_tag.next = held.tag;
            for (lane, bus) in self.pooled_codes.iter_mut().enumerate() {
                bus.next = self._merged >> (lane * THRESHOLD_CODE_BITS) & ((1 << THRESHOLD_CODE_BITS) - 1);
            }
        }
        self._merged_word = held.valid.then_some(held.word);
        self._held.valid = self.valid.val();
        if self._held.valid {
            let codes = std::array::from_fn(|lane| self.codes.get(lane).map_or(0, |bus| bus.val() as u8));
            self._held = Held {
                valid: true,
                lane_valid: self.lane_valid.val(),
                codes,
                word,
                first: self.first.val(),
                last: self.last.val(),
                tag: self.tag.val(),
                stored,
            };
        }
    }
    fn connect(&mut self) {
        self.pooled_valid.connect();
        self.pooled_lane_valid.connect();
        self.pooled_codes.iter_mut().for_each(|bus| bus.connect());
        self.pooled_word.connect();
        self.pooled_tag.connect();
    }
    fn hdl(&self) -> Verilog {
        let (lanes, width) = (self.codes.len(), self.codes.len() * THRESHOLD_CODE_BITS);
        let part = |net: &str, lane: usize| {
            let low = lane * THRESHOLD_CODE_BITS;
            format!("{net}[{}:{low}]", low + THRESHOLD_CODE_BITS - 1)
        };
        let codes: Vec<String> = (0..lanes).rev().map(|lane| format!("codes${lane}")).collect();
        let pooled: Vec<String> = codes.iter().map(|code| format!("pooled_{code}")).collect();
        let mut text = format!(
            "reg held_valid = 0, held_first = 0, held_last = 0, forward = 0;\nreg {lane}held_lane_valid = 0;\n\
             reg {word}held_word = 0;\nreg {tag}held_tag = 0;\nreg {wide}held_codes = 0;\n\
             always @(posedge clock) begin\n  held_valid <= valid;\n  forward <= held_valid && held_word == word;\n  \
             if (valid) begin\n    held_lane_valid <= lane_valid;\n    held_codes <= {{{}}};\n    held_word <= word;\n    \
             held_first <= first;\n    held_last <= last;\n    held_tag <= tag;\n  end\nend\n\
             wire {wide}merged_now;\nwire {wide}merged = {{{}}};\n",
            codes.join(", "),
            pooled.join(", "),
            lane = range(lanes),
            word = range(self.word.bits()),
            tag = range(self.tag.bits()),
            wide = range(width),
        );
        text += &MemoryText {
            name: "kept",
            width,
            depth: self._buffer.len(),
            contents: &[],
            read_address: "word",
            stores: &[StoreText::word("held_valid", "held_word", "merged_now")],
        }
        .text();
        // A word stored at the edge that reads it is taken from where it was made.
        text += &format!("wire {}earlier = forward ? merged : kept_read;\n", range(width));
        for lane in 0..lanes {
            let valid = if lanes == 1 { "held_lane_valid".into() } else { format!("held_lane_valid[{lane}]") };
            let (code, earlier) = (part("held_codes", lane), part("earlier", lane));
            text += &format!(
                "wire larger_{lane} = held_first || {code} > {earlier};\n\
                 assign {} = {valid} && larger_{lane} ? {code} : {earlier};\n\
                 initial pooled_codes${lane} = 0;\n\
                 always @(posedge clock) if (held_valid) pooled_codes${lane} <= {};\n",
                part("merged_now", lane),
                part("merged_now", lane)
            );
        }
        Verilog::Custom(
            text + "initial pooled_valid = 1'b0;\ninitial pooled_lane_valid = 0;\ninitial pooled_word = 0;\n\
                    initial pooled_tag = 0;\nalways @(posedge clock) begin\n  pooled_valid <= held_valid && held_last;\n  \
                    if (held_valid) begin\n    pooled_lane_valid <= held_lane_valid;\n    \
                    pooled_word <= held_word;\n    pooled_tag <= held_tag;\n  end\nend\n",
        )
    }
}

//! Keeps the sums of the last layer and ranks them.

use super::{MemoryText, StoreText, signed};
use crate::bus::Bus;
use crate::population_count::register;
use crate::verilog::{literal, range};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// Stores the sums of a layer; the class is the index of the largest, ties to the lowest, the margin what the runner-up lacks.
///
/// A leaf in Verilog: memories of chosen shape are beyond RustHDL's translator.
///
/// **Function** sum o lies in bank o mod `output_lanes`. A ranking reads the first `count` of them, one a clock, and keeps the
/// best and the second.
/// **Ports** `store` with `word`, `lane_valid`, `sums[e]`: stored as sums word * `output_lanes` + e of the valid lanes.
/// `rank` with `count` (1..=`sums`; 0 counts as 1) begins a ranking, with what is stored up to that clock; `count` +
/// [`SumRank::LATENCY_CYCLES`] later `done` tells, for one clock, that `winner` and `margin` are its verdict, which stay
/// until the next one. A single sum has margin 0. `clear` ends a ranking and sets the verdict to 0; sums stay.
/// `read_address`: [`SumRank::READ_BACK_CYCLES`] later `read_data` is that sum, its sign extended to 32 bits.
/// **Number rules** sums are two's complement of the machine's `sum_bits`, the margin as many bits, unsigned.
/// **State** the sums, 0 at power-on; the verdict.
/// **Limits** `rank` and reading back wait for the end of a ranking: these share the banks' read ports. Sums that do not
/// exist are never asked for.
#[derive(LogicBlock, Clone, Debug)]
pub struct SumRank {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// End a ranking, forget the verdict.
    pub clear: Signal<In, Bit>,
    /// Store sums.
    pub store: Signal<In, Bit>,
    /// Lanes that hold one, lane 0 in bit 0.
    pub lane_valid: Bus<In>,
    /// Their word.
    pub word: Bus<In>,
    /// y, one a lane.
    pub sums: Vec<Bus<In>>,
    /// Begin a ranking.
    pub rank: Signal<In, Bit>,
    /// Of how many sums.
    pub count: Bus<In>,
    /// Sum to read back.
    pub read_address: Bus<In>,
    /// The sum read back.
    pub read_data: Bus<Out>,
    /// Index of the largest sum.
    pub winner: Bus<Out>,
    /// Largest sum minus the second largest.
    pub margin: Bus<Out>,
    /// There is a new verdict.
    pub done: Signal<Out, Bit>,
    _stored: Vec<i64>,
    _sum_bits: usize,
    _scanning: bool,
    _index: u64,
    _count: u64,
    _read: (Ranked, i64),
    _chosen: (Ranked, i64),
    _ranked: Ranked,
    _best: i64,
    _second: i64,
    _best_index: u64,
}

/// What travels with a sum that is ranked.
#[derive(Clone, Copy, Debug, Default)]
struct Ranked {
    valid: bool,
    last: bool,
    index: u64,
}

impl SumRank {
    /// Clocks from `rank` to `done`, beyond one for each sum.
    pub const LATENCY_CYCLES: u64 = 4;
    /// Clocks from `read_address` to `read_data`.
    pub const READ_BACK_CYCLES: u64 = 1;

    /// The sums of a machine's last layer.
    pub fn new(machine: &DeepMachine) -> Self {
        let (lanes, sums, sum_bits) = (machine.output_lanes, machine.sums, machine.sum_bits());
        let words = sums.div_ceil(lanes);
        Self {
            clock: Signal::default(),
            clear: Signal::default(),
            store: Signal::default(),
            lane_valid: Bus::new(lanes),
            word: Bus::new(bits_to_index(words)),
            sums: (0..lanes).map(|_| Bus::new(sum_bits)).collect(),
            rank: Signal::default(),
            count: Bus::new(bits_to_hold(sums)),
            read_address: Bus::new(bits_to_index(sums)),
            read_data: Bus::new(32),
            winner: Bus::new(bits_to_index(sums)),
            margin: Bus::new(sum_bits),
            done: Signal::default(),
            _stored: vec![0; words * lanes],
            _sum_bits: sum_bits,
            _scanning: false,
            _index: 0,
            _count: 0,
            _read: (Ranked::default(), 0),
            _chosen: (Ranked::default(), 0),
            _ranked: Ranked::default(),
            _best: 0,
            _second: 0,
            _best_index: 0,
        }
    }

    /// From the verdict back to the memory, so that each stage sees what the one before it had.
    fn advance(&mut self) {
        self.done.next = self._ranked.valid && self._ranked.last;
        if self.done.next {
            self.winner.next = self._best_index;
            self.margin.next = (self._best - self._second) as u64;
        }
        let (ranked, sum) = self._chosen;
        if ranked.valid {
            if ranked.index == 0 {
                (self._best, self._second, self._best_index) = (sum, sum, 0);
            } else if sum > self._best {
                (self._best, self._second, self._best_index) = (sum, self._best, ranked.index);
            } else if sum > self._second || ranked.index == 1 {
                self._second = sum;
            }
        }
        self._ranked = ranked;
        self._chosen = self._read;
        let ranked = Ranked { valid: self._scanning, last: self._index + 1 >= self._count, index: self._index };
        let address = if self._scanning { self._index } else { self.read_address.val() };
        let sum = self._stored.get(address as usize).copied().unwrap_or(0);
        self._read = (ranked, sum);
        self.read_data.next = sum as u64 & u64::from(u32::MAX);
        if self._scanning {
            self._scanning = !ranked.last;
            self._index += 1;
        }
    }
}

impl Logic for SumRank {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        self.advance();
        if self.rank.val() {
            (self._scanning, self._index, self._count) = (true, 0, self.count.val());
        }
        if self.store.val() {
            let first = self.word.val() as usize * self.sums.len();
            for (lane, bus) in self.sums.iter().enumerate() {
                if self.lane_valid.val() >> lane & 1 == 1
                    && let Some(sum) = self._stored.get_mut(first + lane)
                {
                    *sum = signed(bus.val(), self._sum_bits);
                }
            }
        }
        if self.clear.val() {
            self._scanning = false;
            for stage in [&mut self._read.0, &mut self._chosen.0, &mut self._ranked] {
                stage.valid = false;
            }
            self.done.next = false;
            (self.winner.next, self.margin.next) = (0, 0);
        }
    }
    fn connect(&mut self) {
        self.read_data.connect();
        self.winner.connect();
        self.margin.connect();
        self.done.connect();
    }
    fn hdl(&self) -> Verilog {
        let (lanes, bits) = (self.sums.len(), self._sum_bits);
        let lane_bits = lanes.trailing_zeros() as usize;
        let (sum, index) = (range(bits), range(self.winner.bits()));
        // The scan has one bit more than an index, so that the end of all sums can be told.
        let scan = self.winner.bits() + 1;
        let mut text = format!(
            "reg scanning = 0;\nreg [{high}:0] scan = 0;\nreg {count}count_held = 0;\n\
             wire at_last = scan + 1'b1 >= count_held;\n\
             always @(posedge clock) begin\n  if (scanning) begin\n    scanning <= !at_last;\n    scan <= scan + 1'b1;\n  end\n  \
             if (rank) begin\n    scanning <= 1'b1;\n    scan <= 0;\n    count_held <= count;\n  end\n  \
             if (clear) scanning <= 1'b0;\nend\n\
             wire {index}address = scanning ? scan : read_address;\nwire {}place = address >> {lane_bits};\n",
            range(self.word.bits()),
            high = scan - 1,
            count = range(self.count.bits()),
        );
        for lane in 0..lanes {
            let valid = if lanes == 1 { "lane_valid".into() } else { format!("lane_valid[{lane}]") };
            text += &MemoryText {
                name: &format!("bank_{lane}"),
                width: bits,
                depth: self._stored.len() / lanes,
                contents: &[],
                read_address: "place",
                stores: &[StoreText::word(format!("store && {valid}"), "word", format!("sums${lane}"))],
            }
            .text();
        }
        text += &format!("reg {sum}read;\nalways @(*) begin\n  read = bank_0_read;\n");
        for lane in 1..lanes {
            text += &format!("  if (lane_held == {lane}) read = bank_{lane}_read;\n");
        }
        text += "end\n";
        if lanes > 1 {
            text.insert_str(0, &register("lane_held", lane_bits, &format!("address[{}:0]", lane_bits - 1)));
        }
        // What is read, what is chosen from the banks, what is ranked.
        text += &format!(
            "wire signed [31:0] read_wide = $signed(read);\nalways @(*) read_data = read_wide;\n\
             reg read_valid = 0, read_last = 0, chosen_valid = 0, chosen_last = 0, ranked_last = 0;\n\
             reg {index}read_index = 0;\nreg {index}chosen_index = 0;\nreg {index}best_index = 0;\n\
             reg signed {sum}chosen = 0;\nreg signed {sum}best = 0;\nreg signed {sum}second = 0;\n\
             initial done = 1'b0;\ninitial winner = 0;\ninitial margin = 0;\n\
             always @(posedge clock) begin\n  \
             read_valid <= scanning && !clear;\n  read_last <= at_last;\n  read_index <= scan;\n  \
             chosen_valid <= read_valid && !clear;\n  chosen_last <= read_last;\n  chosen_index <= read_index;\n  chosen <= read;\n  \
             ranked_last <= chosen_valid && chosen_last && !clear;\n  \
             if (chosen_valid) begin\n    if (chosen_index == 0) begin\n      best <= chosen;\n      second <= chosen;\n      \
             best_index <= 0;\n    end else if (chosen > best) begin\n      best <= chosen;\n      second <= best;\n      \
             best_index <= chosen_index;\n    end else if (chosen > second || chosen_index == 1) second <= chosen;\n  end\n  \
             done <= ranked_last && !clear;\n  if (clear) begin\n    winner <= 0;\n    margin <= {};\n  end else if (ranked_last) \
             begin\n    winner <= best_index;\n    margin <= best - second;\n  end\nend\n",
            literal(bits, 0)
        );
        Verilog::Custom(text)
    }
}

//! Ranks the sums of the last layer.

use super::signed;
use crate::bus::Bus;
use crate::verilog::{literal, range};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// The class is the index of a layer's largest sum, ties to the lowest, the margin what the runner-up lacks.
///
/// A leaf in Verilog, as its parts of the pipeline are.
///
/// **Function** a ranking reads the first `count` sums, one a clock, and keeps the best and the second.
/// **Ports** `rank` with `count` (1..=`sums`; 0 counts as 1) begins a ranking of what is stored up to that clock: while `reading`, `read_index`
/// is the sum that `read_data` is to have a clock later. `count` +
/// [`SumRank::LATENCY_CYCLES`] later `done` tells, for one clock, that `winner` and `margin` are its verdict, which stay
/// until the next one. A single sum has margin 0. `clear` ends a ranking and sets the verdict to 0.
/// **Number rules** sums are two's complement of the machine's `sum_bits`, the margin as many bits, unsigned.
/// **State** the verdict, 0 at power-on.
/// **Limits** `rank` waits for the end of a ranking. Sums that do not exist are never asked for.
#[derive(LogicBlock, Clone, Debug)]
pub struct SumRank {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// End a ranking, forget the verdict.
    pub clear: Signal<In, Bit>,
    /// Begin a ranking.
    pub rank: Signal<In, Bit>,
    /// Of how many sums.
    pub count: Bus<In>,
    /// A sum is read.
    pub reading: Signal<Out, Bit>,
    /// Which.
    pub read_index: Bus<Out>,
    /// The sum asked for a clock earlier.
    pub read_data: Bus<In>,
    /// Index of the largest sum.
    pub winner: Bus<Out>,
    /// Largest sum minus the second largest.
    pub margin: Bus<Out>,
    /// There is a new verdict.
    pub done: Signal<Out, Bit>,
    _sum_bits: usize,
    _scanning: bool,
    _index: u64,
    _count: u64,
    _read: Ranked,
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
    /// Clocks from `read_index` to `read_data`.
    pub const READ_CYCLES: u64 = 1;

    /// The ranking of a machine's last layer.
    pub fn new(machine: &DeepMachine) -> Self {
        let (sums, sum_bits) = (machine.sums, machine.sum_bits());
        Self {
            clock: Signal::default(),
            clear: Signal::default(),
            rank: Signal::default(),
            count: Bus::new(bits_to_hold(sums)),
            reading: Signal::default(),
            // A bit more than an index, so that the end of all sums can be told.
            read_index: Bus::new(bits_to_index(sums) + 1),
            read_data: Bus::new(sum_bits),
            winner: Bus::new(bits_to_index(sums)),
            margin: Bus::new(sum_bits),
            done: Signal::default(),
            _sum_bits: sum_bits,
            _scanning: false,
            _index: 0,
            _count: 0,
            _read: Ranked::default(),
            _chosen: (Ranked::default(), 0),
            _ranked: Ranked::default(),
            _best: 0,
            _second: 0,
            _best_index: 0,
        }
    }

    /// From the verdict back to the reading, so that each stage sees what the one before it had.
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
        self._chosen = (self._read, signed(self.read_data.val(), self._sum_bits));
        let ranked = Ranked { valid: self._scanning, last: self._index + 1 >= self._count, index: self._index };
        self._read = ranked;
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
        if self.clear.val() {
            self._scanning = false;
            for stage in [&mut self._read, &mut self._chosen.0, &mut self._ranked] {
                stage.valid = false;
            }
            self.done.next = false;
            (self.winner.next, self.margin.next) = (0, 0);
        }
        self.reading.next = self._scanning;
        self.read_index.next = self._index;
    }
    fn connect(&mut self) {
        self.reading.connect();
        self.read_index.connect();
        self.winner.connect();
        self.margin.connect();
        self.done.connect();
    }
    fn hdl(&self) -> Verilog {
        let bits = self._sum_bits;
        let (sum, index) = (range(bits), range(self.winner.bits()));
        let mut text = format!(
            "initial reading = 0;\ninitial read_index = 0;\nreg {count}count_held = 0;\n\
             wire at_last = read_index + 1'b1 >= count_held;\n\
             always @(posedge clock) begin\n  if (reading) begin\n    reading <= !at_last;\n    \
             read_index <= read_index + 1'b1;\n  end\n  \
             if (rank) begin\n    reading <= 1'b1;\n    read_index <= 0;\n    count_held <= count;\n  end\n  \
             if (clear) reading <= 1'b0;\nend\n",
            count = range(self.count.bits()),
        );
        // What is asked for, what is read, what is ranked.
        text += &format!(
            "reg read_valid = 0, read_last = 0, chosen_valid = 0, chosen_last = 0, ranked_last = 0;\n\
             reg {index}asked_index = 0;\nreg {index}chosen_index = 0;\nreg {index}best_index = 0;\n\
             reg signed {sum}chosen = 0;\nreg signed {sum}best = 0;\nreg signed {sum}second = 0;\n\
             initial done = 1'b0;\ninitial winner = 0;\ninitial margin = 0;\n\
             always @(posedge clock) begin\n  \
             read_valid <= reading && !clear;\n  read_last <= at_last;\n  asked_index <= read_index;\n  \
             chosen_valid <= read_valid && !clear;\n  chosen_last <= read_last;\n  chosen_index <= asked_index;\n  chosen <= read_data;\n  \
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

//! Finds the largest output and the runner-up.

use crate::bus::Bus;
use bitline_golden::machine::{Machine, bits_to_index};
use rust_hdl::prelude::*;
use std::collections::VecDeque;

/// The class is the index of the largest y, ties to the lowest; the margin is what the runner-up lacks.
///
/// A leaf in Verilog: its tree of comparisons is computed.
///
/// **Function** the outputs of one clock are compared in a tree, one clock a level; the winner then meets the best of
/// the earlier groups.
/// **Ports** `sums`, `valid`, `first` (first output group of an image), `last` in. `done`: `winner` and `margin` are
/// those of a whole image; `almost_done` tells it one clock before.
/// **Timing** latency clog2(lanes) + [`Argmax::LATENCY_CYCLES`], interval one group a clock.
/// **Number rules** y is 16-bit two's complement; the margin is unsigned and at most 2^16 - 1.
/// **Limits** a lane that the last group does not fill takes no part.
#[derive(LogicBlock, Clone, Debug)]
pub struct Argmax {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// y of the group's outputs.
    pub sums: Vec<Bus<In>>,
    /// There is a group.
    pub valid: Signal<In, Bit>,
    /// It is the image's first.
    pub first: Signal<In, Bit>,
    /// It is the image's last.
    pub last: Signal<In, Bit>,
    /// Index of the largest y.
    pub winner: Bus<Out>,
    /// Largest y minus the second largest.
    pub margin: Bus<Out>,
    /// An image's verdict stands in `winner` and `margin`.
    pub done: Signal<Out, Bit>,
    /// An image's verdict will stand there in the next clock.
    pub almost_done: Signal<Out, Bit>,
    _line: VecDeque<Group>,
    _best: Candidate,
    _base: u64,
    _lanes_in_last: usize,
}

/// A winner so far. Values are y + 2^15, so that they compare as unsigned; 0 stands for no candidate, which is below
/// every y a machine can give.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    best: u64,
    second: u64,
    index: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    valid: bool,
    first: bool,
    last: bool,
    candidate: Candidate,
}

impl Candidate {
    fn meet(self, right: Self) -> Self {
        if self.best >= right.best {
            Self { second: self.second.max(right.best), ..self }
        } else {
            Self { second: right.second.max(self.best), ..right }
        }
    }
}

impl Argmax {
    /// Clocks from the last group to the verdict, beyond one for each level of the tree.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The argmax of a machine.
    pub fn new(machine: &Machine) -> Self {
        let lanes = machine.output_lanes();
        let groups = machine.outputs.div_ceil(lanes);
        let levels = lanes.next_power_of_two().trailing_zeros() as usize;
        Self {
            clock: Signal::default(),
            sums: (0..lanes).map(|_| Bus::new(16)).collect(),
            valid: Signal::default(),
            first: Signal::default(),
            last: Signal::default(),
            winner: Bus::new(bits_to_index(machine.outputs)),
            margin: Bus::new(16),
            done: Signal::default(),
            almost_done: Signal::default(),
            _line: std::iter::repeat_n(Group::default(), levels).collect(),
            _best: Candidate::default(),
            _base: 0,
            _lanes_in_last: machine.outputs - (groups - 1) * lanes,
        }
    }

    fn now(&self) -> Group {
        let candidate = self
            .sums
            .iter()
            .enumerate()
            .map(|(lane, sum)| {
                let absent = self.last.val() && lane >= self._lanes_in_last;
                Candidate { best: if absent { 0 } else { sum.val() ^ 0x8000 }, second: 0, index: lane as u64 }
            })
            .reduce(Candidate::meet)
            .expect("an argmax has a lane");
        Group { valid: self.valid.val(), first: self.first.val(), last: self.last.val(), candidate }
    }
}

impl Logic for Argmax {
    fn update(&mut self) {
        let now = self.now();
        if self.clock.pos_edge() {
            self._line.push_back(now);
            let group = self._line.pop_front().expect("a group was just pushed");
            if group.valid {
                let base = if group.first { 0 } else { self._base };
                let candidate = Candidate { index: base + group.candidate.index, ..group.candidate };
                self._best = if group.first { candidate } else { self._best.meet(candidate) };
                self._base = base + self.sums.len() as u64;
                self.winner.next = self._best.index;
                self.margin.next = self._best.best - self._best.second;
            }
            self.done.next = group.valid && group.last;
        }
        let front = self._line.front().copied().unwrap_or_else(|| self.now());
        self.almost_done.next = front.valid && front.last;
    }
    fn connect(&mut self) {
        self.winner.connect();
        self.margin.connect();
        self.done.connect();
        self.almost_done.connect();
    }
    fn hdl(&self) -> Verilog {
        let lanes = self.sums.len();
        let index_bits = bits_to_index(lanes);
        let second =
            |level: usize, node: usize| if level == 0 { NONE.into() } else { format!("second_{level}_{node}") };
        let mut text = String::new();
        for lane in 0..lanes {
            let value = format!("sums${lane} ^ 16'h8000");
            let best = if lane < self._lanes_in_last { value } else { format!("last ? 16'h0 : ({value})") };
            text +=
                &format!("wire [15:0] best_0_{lane} = {best};\nwire [{}:0] index_0_{lane} = {lane};\n", index_bits - 1);
        }
        text += "wire valid_0 = valid;\nwire first_0 = first;\nwire last_0 = last;\n";
        let (mut width, mut level) = (lanes, 0);
        while width > 1 {
            let up = level + 1;
            for flag in ["valid", "first", "last"] {
                text += &format!("reg {flag}_{up} = 1'b0;\nalways @(posedge clock) {flag}_{up} <= {flag}_{level};\n");
            }
            for node in 0..width.div_ceil(2) {
                let (left, right) = (2 * node, 2 * node + 1);
                text += &format!(
                    "reg [15:0] best_{up}_{node} = 16'h0;\nreg [15:0] second_{up}_{node} = 16'h0;\n\
                     reg [{}:0] index_{up}_{node} = 0;\nalways @(posedge clock) begin\n",
                    index_bits - 1
                );
                if right < width {
                    text += &meet(
                        &format!("best_{up}_{node}"),
                        &format!("second_{up}_{node}"),
                        &format!("index_{up}_{node}"),
                        [&format!("best_{level}_{left}"), &second(level, left), &format!("index_{level}_{left}")],
                        [&format!("best_{level}_{right}"), &second(level, right), &format!("index_{level}_{right}")],
                    );
                } else {
                    for part in ["best", "index"] {
                        text += &format!("  {part}_{up}_{node} <= {part}_{level}_{left};\n");
                    }
                    text += &format!("  second_{up}_{node} <= {};\n", second(level, left));
                }
                text += "end\n";
            }
            (width, level) = (width.div_ceil(2), up);
        }
        let last_second = second(level, 0);
        text += &format!(
            "reg {range}base = 0;\nreg [15:0] best = 16'h0;\nreg [15:0] second = 16'h0;\n\
             wire {range}candidate_index = first_{level} ? index_{level}_0 : base + index_{level}_0;\n\
             initial winner = 0;\ninitial done = 1'b0;\n\
             always @(posedge clock) begin\n  done <= valid_{level} && last_{level};\n  if (valid_{level}) begin\n  \
             base <= (first_{level} ? {bits}'d0 : base) + {bits}'d{step};\n  if (first_{level}) begin\n  \
             best <= best_{level}_0;\n  second <= {last_second};\n  winner <= candidate_index;\n  end else begin\n{}  \
             end\n  end\nend\nalways @(*) margin = best - second;\n\
             always @(*) almost_done = valid_{level} && last_{level};\n",
            meet(
                "best",
                "second",
                "winner",
                ["best", "second", "winner"],
                [&format!("best_{level}_0"), &last_second, "candidate_index"],
            ),
            range = crate::verilog::range(self.winner.bits()),
            bits = self.winner.bits(),
            step = lanes % (1 << self.winner.bits()),
        );
        Verilog::Custom(text)
    }
}

/// Assignments that let two candidates (best, second, index) meet; the left one, of the lower indices, wins ties.
/// A single output (second = 0) that wins leaves the loser's best as second, since none is below 0.
fn meet(best: &str, second: &str, index: &str, left: [&str; 3], right: [&str; 3]) -> String {
    let ([lb, ls, li], [rb, rs, ri]) = (left, right);
    let larger = |own: &str, other: &str| {
        if own == NONE { other.to_string() } else { format!("({own} >= {other}) ? {own} : {other}") }
    };
    format!(
        "  if ({lb} >= {rb}) begin\n    {best} <= {lb};\n    {index} <= {li};\n    \
         {second} <= {};\n  end else begin\n    {best} <= {rb};\n    {index} <= {ri};\n    \
         {second} <= {};\n  end\n",
        larger(ls, rb),
        larger(rs, lb)
    )
}

/// The value of no candidate.
const NONE: &str = "16'h0";

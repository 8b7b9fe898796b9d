//! Makes the outputs of a tile from its columns' sums.

use super::{MOST_OUTPUT_LANES, active_sum_bits};
use crate::bus::Bus;
use crate::verilog::{literal, range};
use bitline_golden::deep_machine::{DeepMachine, MOST_COLUMNS};
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// Applies signs and powers of columns to the sums of an output group, and sends its outputs, `output_lanes` a clock.
///
/// A leaf in Verilog: which columns meet in a lane is computed.
///
/// **Function** of `columns` = 4: y = S0 + 2 S1 + 4 S2 - 8 S3; of 8: y = S0 + ... + 64 S6 - 128 S7; of 1: y = 2 S - A.
/// Output i of the tile has columns `i * columns` and up. It leaves in emission i / `output_lanes` in lane i mod
/// `output_lanes`. Where eight columns leave half a word over (`tile_columns` / 8 is an odd number of half words), the
/// outputs of a group with `group_low` start in the upper half of the lanes, so that the outputs of a layer stay in the order of
/// its lanes; other lanes are not valid.
/// A machine of `weight_bits` = 4 takes 8 for 4.
/// **Ports** `take` captures `column_sums`, `active_sum`, `columns` and `group_low` (lowest bit of the output group's
/// number). [`Recombination::LATENCY_CYCLES`] later the first emission leaves, the others in the clocks after it:
/// `valid`, `emission` (its number), `lane_valid` (bit e for lane e), `sums[e]`. What is not valid keeps what it showed;
/// lanes that are not valid hold anything.
/// **Timing** interval [`Recombination::emissions`] clocks: the next `take` comes no earlier, and ends what is left of a group if
/// it does.
/// **Number rules** two's complement of the machine's `sum_bits`, to which every sum is cut.
/// **State** the sums captured, 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct Recombination {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Capture a group.
    pub take: Signal<In, Bit>,
    /// S of each column.
    pub column_sums: Vec<Bus<In>>,
    /// A.
    pub active_sum: Bus<In>,
    /// Columns of an output: 1, 4 or 8.
    pub columns: Bus<In>,
    /// The output group's number is odd.
    pub group_low: Signal<In, Bit>,
    /// There is an emission.
    pub valid: Signal<Out, Bit>,
    /// Which of the group's.
    pub emission: Bus<Out>,
    /// Lanes that hold an output, lane 0 in bit 0.
    pub lane_valid: Bus<Out>,
    /// y, one a lane.
    pub sums: Vec<Bus<Out>>,
    _tile_columns: usize,
    _has_eight: bool,
    _held: Vec<u64>,
    _active: u64,
    _mode: Mode,
    _odd: bool,
    _running: bool,
    _index: usize,
    _line: [Emission; 2],
}

/// Columns of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    One,
    Four,
    Eight,
}

impl Mode {
    const ALL: [Self; 3] = [Self::One, Self::Four, Self::Eight];

    fn columns(self) -> usize {
        match self {
            Self::One => 1,
            Self::Four => 4,
            Self::Eight => MOST_COLUMNS,
        }
    }
}

/// An emission on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Emission {
    valid: bool,
    index: usize,
    lane_valid: u64,
    sums: [i64; MOST_OUTPUT_LANES],
}

impl Recombination {
    /// Clocks from `take` to the first emission.
    pub const LATENCY_CYCLES: u64 = 4;

    /// Clocks that an output group takes whose outputs have that many columns.
    pub fn emissions(machine: &DeepMachine, columns: usize) -> usize {
        machine.tile_outputs(columns).div_ceil(machine.output_lanes)
    }

    /// The recombination of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let (columns, lanes) = (machine.tile_columns, machine.output_lanes);
        Self {
            clock: Signal::default(),
            take: Signal::default(),
            column_sums: (0..columns).map(|_| Bus::new(machine.column_sum_bits())).collect(),
            active_sum: Bus::new(active_sum_bits(machine)),
            columns: Bus::new(4),
            group_low: Signal::default(),
            valid: Signal::default(),
            emission: Bus::new(bits_to_index(columns / lanes)),
            lane_valid: Bus::new(lanes),
            sums: (0..lanes).map(|_| Bus::new(machine.sum_bits())).collect(),
            _tile_columns: columns,
            _has_eight: machine.weight_bits == MOST_COLUMNS,
            _held: vec![0; columns],
            _active: 0,
            _mode: Mode::One,
            _odd: false,
            _running: false,
            _index: 0,
            _line: [Emission::default(); 2],
        }
    }

    fn outputs(&self, mode: Mode) -> usize {
        self._tile_columns / mode.columns()
    }

    fn last(&self, mode: Mode) -> usize {
        self.outputs(mode).div_ceil(self.sums.len()) - 1
    }

    /// The tile's output in a lane of an emission, if there is one.
    fn output(&self, mode: Mode, odd: bool, index: usize, lane: usize) -> Option<usize> {
        let (lanes, outputs) = (self.sums.len(), self.outputs(mode));
        let before = if odd { outputs % lanes } else { 0 };
        (index * lanes + lane).checked_sub(before).filter(|output| *output < outputs)
    }

    /// The emission that leaves the captured sums now.
    fn now(&self) -> Emission {
        let mut now = Emission { valid: self._running, index: self._index, ..Emission::default() };
        if !self._running {
            return now;
        }
        for lane in 0..self.sums.len() {
            let Some(output) = self.output(self._mode, self._odd, self._index, lane) else { continue };
            now.lane_valid |= 1 << lane;
            let columns = self._mode.columns();
            let held = &self._held[output * columns..][..columns];
            now.sums[lane] = if columns == 1 {
                2 * held[0] as i64 - self._active as i64
            } else {
                let (top, others) = held.split_last().expect("an output has a column");
                let positive: u64 = others.iter().enumerate().map(|(j, sum)| sum << j).sum();
                positive as i64 - ((*top as i64) << (columns - 1))
            };
        }
        now
    }
}

impl Logic for Recombination {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let [earlier, leaving] = self._line;
        self.valid.next = leaving.valid;
        if leaving.valid {
            self.emission.next = leaving.index as u64;
            self.lane_valid.next = leaving.lane_valid;
            for (lane, sum) in self.sums.iter_mut().enumerate() {
                if leaving.lane_valid >> lane & 1 == 1 {
                    sum.next = leaving.sums[lane] as u64;
                }
            }
        }
        self._line = [self.now(), earlier];
        if self.take.val() {
            (self._running, self._index) = (true, 0);
            for (held, sum) in self._held.iter_mut().zip(&self.column_sums) {
                *held = sum.val();
            }
            self._active = self.active_sum.val();
            self._odd = self.group_low.val();
            self._mode = match self.columns.val() {
                8 if self._has_eight => Mode::Eight,
                4 | 8 => Mode::Four,
                _ => Mode::One,
            };
        } else if self._running {
            self._running = self._index < self.last(self._mode);
            self._index += 1;
        }
    }
    fn connect(&mut self) {
        self.valid.connect();
        self.emission.connect();
        self.lane_valid.connect();
        self.sums.iter_mut().for_each(|bus| bus.connect());
    }
    fn hdl(&self) -> Verilog {
        let (lanes, columns) = (self.sums.len(), self._tile_columns);
        let (column_bits, sum_bits) = (self.column_sums[0].bits(), self.sums[0].bits());
        let (column, index) = (range(column_bits), range(self.emission.bits()));
        let index_bits = self.emission.bits();
        // First clock: the group is captured.
        let mut text = format!(
            "reg running = 0, odd = 0, is_four = 0, is_eight = 0;\nreg {index}index = 0;\nreg {}active = 0;\n\
             wire {index}last_index = is_eight ? {} : is_four ? {} : {};\nalways @(posedge clock) begin\n  \
             if (take) begin\n    running <= 1'b1;\n    index <= 0;\n    odd <= group_low;\n    is_four <= {};\n    \
             is_eight <= {};\n    active <= active_sum;\n  end else if (running) begin\n    \
             running <= index != last_index;\n    index <= index + 1'b1;\n  end\nend\n",
            range(self.active_sum.bits()),
            literal(index_bits, self.last(Mode::Eight) as u64),
            literal(index_bits, self.last(Mode::Four) as u64),
            literal(index_bits, self.last(Mode::One) as u64),
            if self._has_eight { "columns == 4" } else { "columns == 4 || columns == 8" },
            if self._has_eight { "columns == 8" } else { "1'b0" },
        );
        for k in 0..columns {
            text +=
                &format!("reg {column}held_{k} = 0;\nalways @(posedge clock) if (take) held_{k} <= column_sums${k};\n");
        }
        // Second: the columns of each lane are chosen. Third: four columns each are added. Fourth: eight of them.
        text += &format!(
            "reg chosen_valid = 0, chosen_eight = 0, added_valid = 0, added_eight = 0;\n\
             reg {index}chosen_index = 0;\nreg {index}added_index = 0;\n\
             initial valid = 1'b0;\ninitial emission = 0;\ninitial lane_valid = 0;\nalways @(posedge clock) begin\n  \
             chosen_valid <= running;\n  chosen_index <= index;\n  chosen_eight <= is_eight;\n  \
             added_valid <= chosen_valid;\n  added_index <= chosen_index;\n  added_eight <= chosen_eight;\n  \
             valid <= added_valid;\n  if (added_valid) emission <= added_index;\nend\n"
        );
        for lane in 0..lanes {
            text += &self.lane(lane, column_bits, sum_bits);
        }
        let valid: Vec<String> = (0..lanes).rev().map(|lane| format!("added_lane_{lane}")).collect();
        Verilog::Custom(
            text + &format!("always @(posedge clock) if (added_valid) lane_valid <= {{{}}};\n", valid.join(", ")),
        )
    }
}

impl Recombination {
    /// Verilog of one lane, from the captured columns to `sums`.
    fn lane(&self, lane: usize, column_bits: usize, sum_bits: usize) -> String {
        let (column, sum) = (range(column_bits), range(sum_bits));
        let index_bits = self.emission.bits();
        let mut text = format!("reg lane_{lane};\n");
        for j in 0..MOST_COLUMNS {
            text += &format!("reg {column}column_{lane}_{j};\n");
        }
        // Unless said otherwise the columns are anything: those of the first emission of four.
        text += "always @(*) begin\n";
        let mut cases: Vec<(String, String)> = vec![];
        let mut exists = vec![];
        for mode in Mode::ALL {
            for odd in [false, true] {
                for index in 0..=self.last(mode) {
                    let Some(output) = self.output(mode, odd, index, lane) else { continue };
                    let parity = if self.outputs(mode).is_multiple_of(self.sums.len()) {
                        "?"
                    } else {
                        ["0", "1"][usize::from(odd)]
                    };
                    if parity == "?" && odd {
                        continue;
                    }
                    let kind =
                        ["00", "01", "10"][Mode::ALL.iter().position(|m| *m == mode).expect("a mode is one of all")];
                    let label = format!("{}'b{kind}{parity}{index:0index_bits$b}", index_bits + 3);
                    let columns = mode.columns();
                    let body: String =
                        (0..columns).map(|j| format!("column_{lane}_{j} = held_{}; ", output * columns + j)).collect();
                    cases.push((label.clone(), body));
                    exists.push(label);
                }
            }
        }
        for j in 0..MOST_COLUMNS {
            text += &format!("  column_{lane}_{j} = held_{};\n", j % self._tile_columns);
        }
        text += &format!("  lane_{lane} = 1'b0;\n  casez ({{is_eight, is_four, odd, index}})\n");
        for (label, body) in &cases {
            text += &format!("    {label}: begin lane_{lane} = 1'b1; {body}end\n");
        }
        text += "    default: ;\n  endcase\nend\n";
        // The fourth term is the top column of four, A of one, and positive of eight.
        text += &format!("reg chosen_lane_{lane} = 0, added_lane_{lane} = 0, negate_{lane} = 0;\n");
        for j in [0, 1, 2, 4, 5, 6, 7] {
            text += &format!("reg {column}chosen_{lane}_{j} = 0;\n");
        }
        text += &format!(
            "reg {sum}fourth_{lane} = 0, low_{lane} = 0, high_{lane} = 0;\n\
             wire {sum}fourth_signed_{lane} = fourth_{lane} ^ {{{sum_bits}{{negate_{lane}}}}};\n\
             initial sums${lane} = 0;\nalways @(posedge clock) begin\n  \
             chosen_lane_{lane} <= lane_{lane};\n  added_lane_{lane} <= chosen_lane_{lane};\n  \
             negate_{lane} <= !is_eight;\n  fourth_{lane} <= (is_eight || is_four) ? {{column_{lane}_3, 3'b0}} : active;\n"
        );
        // One column counts twice: in the place of the second.
        text += &format!(
            "  chosen_{lane}_0 <= (is_eight || is_four) ? column_{lane}_0 : {column_bits}'d0;\n  \
             chosen_{lane}_1 <= (is_eight || is_four) ? column_{lane}_1 : column_{lane}_0;\n  \
             chosen_{lane}_2 <= (is_eight || is_four) ? column_{lane}_2 : {column_bits}'d0;\n"
        );
        for j in 4..MOST_COLUMNS {
            text += &format!("  chosen_{lane}_{j} <= column_{lane}_{j};\n");
        }
        text + &format!(
            "  low_{lane} <= (chosen_{lane}_0 + {{chosen_{lane}_1, 1'b0}}) + ({{chosen_{lane}_2, 2'b0}} + \
             fourth_signed_{lane} + negate_{lane});\n  \
             high_{lane} <= (chosen_{lane}_4 + {{chosen_{lane}_5, 1'b0}}) + ({{chosen_{lane}_6, 2'b0}} - \
             {{chosen_{lane}_7, 3'b0}});\n  \
             if (added_valid && added_lane_{lane}) sums${lane} <= added_eight ? low_{lane} + {{high_{lane}, 4'b0}} : \
             low_{lane};\nend\n"
        )
    }
}

//! Counts the devices of one column that are driven and conduct.

use crate::bus::{Bus, ROW_WORDS, WideBus};
use crate::verilog::range;
use bitline_golden::machine::{Machine, bits_to_hold};
use rust_hdl::prelude::*;
use std::collections::VecDeque;

/// The population count n = popcount(p AND d) of one column and one plane, summed over row groups.
///
/// A leaf in Verilog: the tree of adders is computed, and RustHDL has no way to write it.
///
/// **Function** `count` = sum over the row groups of a column of popcount(`rows` AND `devices`) (contract section 3).
/// **Parameters** rows a clock, 1..=256; rows in all, which gives the width clog2(rows + 1) of the count.
/// **Ports** `rows`, `devices`: one row group. `first`: this group starts a new count. `count`: valid
/// [`ColumnCounter::latency_cycles`] after the last group's inputs.
/// **Timing** interval one group a clock, no stalls. The first clock counts seven rows at a time, every further one
/// adds partial counts in pairs (the last three, if they are odd), and folded machines add row groups in one more.
/// **Number rules** unsigned, never overflows: a column has no more devices than rows.
/// **State** partial counts; any value at power-on is replaced by the next `first`.
#[derive(LogicBlock, Clone, Debug)]
pub struct ColumnCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Rows driven.
    pub rows: WideBus<In, ROW_WORDS>,
    /// Devices that conduct.
    pub devices: WideBus<In, ROW_WORDS>,
    /// This group starts a new count.
    pub first: Signal<In, Bit>,
    /// Devices driven that conduct.
    pub count: Bus<Out>,
    _line: VecDeque<(u64, bool)>,
    _row_groups: usize,
}

/// Rows whose count is formed before the first register: as many as three bits hold.
const CHUNK_ROWS: usize = 7;

/// Clocks that add the partial counts of `chunks` chunks up: each clock halves their number, rounding down.
fn levels(chunks: usize) -> usize {
    chunks.ilog2() as usize
}

impl ColumnCounter {
    /// Clocks from the last row group to `count`.
    pub fn latency_cycles(machine: &Machine) -> u64 {
        let tree = 1 + levels(machine.row_lanes.div_ceil(CHUNK_ROWS)) as u64;
        if machine.row_groups() == 1 { tree } else { tree + 1 }
    }

    /// The counter of one column and plane of a machine.
    pub fn new(machine: &Machine) -> Self {
        let stages = 1 + levels(machine.row_lanes.div_ceil(CHUNK_ROWS));
        let before_last = if machine.row_groups() == 1 { stages - 1 } else { stages };
        Self {
            clock: Signal::default(),
            rows: WideBus::new(machine.row_lanes),
            devices: WideBus::new(machine.row_lanes),
            first: Signal::default(),
            count: Bus::new(machine.count_bits()),
            _line: std::iter::repeat_n((0, true), before_last).collect(),
            _row_groups: machine.row_groups(),
        }
    }
}

impl Logic for ColumnCounter {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (rows, devices) = (self.rows.val(), self.devices.val());
            let now = rows.iter().zip(&devices).map(|(r, d)| u64::from((r & d).count_ones())).sum();
            self._line.push_back((now, self.first.val()));
            let (count, first) = self._line.pop_front().expect("a count was just pushed");
            let carried = if self._row_groups == 1 || first { 0 } else { self.count.val() };
            self.count.next = carried + count;
        }
    }
    fn connect(&mut self) {
        self.count.connect();
    }
    fn hdl(&self) -> Verilog {
        let (width, count_bits) = (self.rows.bits(), self.count.bits());
        let mut text = format!("wire [{}:0] driven = rows & devices;\n", width - 1);
        let mut partials = vec![];
        for (chunk, start) in (0..width).step_by(CHUNK_ROWS).enumerate() {
            let rows = CHUNK_ROWS.min(width - start);
            let name = format!("partial_{chunk}");
            text += &chunk_count(&name, start, rows);
            partials.push((name, rows));
        }
        let mut level = 0;
        while partials.len() > 1 {
            let pairs = partials.len() / 2;
            partials = (0..pairs)
                .map(|pair| {
                    let end = if pair == pairs - 1 { partials.len() } else { 2 * pair + 2 };
                    let group = &partials[2 * pair..end];
                    let (name, rows) = (format!("sum_{level}_{pair}"), group.iter().map(|(_, rows)| rows).sum());
                    text += &match group {
                        [(left, CHUNK_ROWS), (right, few)] if level == 0 && *few > 1 => {
                            chunk_sum(&name, left, right, bits_to_hold(*few), bits_to_hold(rows))
                        }
                        _ => {
                            let terms: Vec<&str> = group.iter().map(|(name, _)| name.as_str()).collect();
                            register(&name, bits_to_hold(rows), &terms.join(" + "))
                        }
                    };
                    (name, rows)
                })
                .collect();
            level += 1;
        }
        let total = &partials[0].0;
        if self._row_groups == 1 {
            text += &format!("always @(*) count = {total};\n");
        } else {
            let mut source = "first".to_string();
            for stage in 0..=level {
                text += &register(&format!("first_{stage}"), 1, &source);
                source = format!("first_{stage}");
            }
            text += &format!(
                "initial count = 0;\nalways @(posedge clock) count <= ({source} ? {count_bits}'d0 : count) + {total};\n"
            );
        }
        Verilog::Custom(text)
    }
}

/// A register `name` of `bits` bits that takes `value` each clock.
fn register(name: &str, bits: usize, value: &str) -> String {
    format!("reg {}{name} = 0;\nalways @(posedge clock) {name} <= {value};\n", range(bits))
}

/// The registered count of `rows` driven rows from `start` up.
///
/// Seven rows take eleven four-input look-up tables: two rows give a sum and a carry straight from their four inputs,
/// a further row joins a full adder without an AND of its own, and the four carries, which never hold more than three,
/// make the two upper bits in one table each. The nets are kept, so that synthesis does not rearrange them.
fn chunk_count(name: &str, start: usize, rows: usize) -> String {
    let d = |i: usize| format!("driven[{}]", start + i);
    if rows < CHUNK_ROWS {
        let bits = bits_to_hold(rows);
        let terms: Vec<String> = (0..rows).map(|i| format!("{{{bits}'b0, {}}}", d(i))).collect();
        return register(name, bits, &terms.join(" + "));
    }
    let mut text = String::new();
    let mut net = |net: &str, value: String| {
        text += &format!("(* keep *) wire {name}_{net};\nassign {name}_{net} = {value};\n");
        format!("{name}_{net}")
    };
    let majority = |a: &str, b: &str, c: &str| format!("({a} & {b}) | ({c} & ({a} | {b}))");
    let (s0, c0) = (net("s0", format!("{} ^ {}", d(0), d(1))), net("c0", format!("{} & {}", d(0), d(1))));
    let (s1, c1) = (net("s1", format!("{} ^ {}", d(2), d(3))), net("c1", format!("{} & {}", d(2), d(3))));
    let (s2, c2) = (net("s2", format!("{s0} ^ {s1} ^ {}", d(4))), net("c2", majority(&s0, &s1, &d(4))));
    let a = net("a", d(5));
    let c3 = net("c3", majority(&s2, &a, &d(6)));
    let two = format!("{c0} ^ {c1} ^ {c2} ^ {c3}");
    let four = format!("({c0} & {c1}) | ({c2} & {c3}) | (({c0} | {c1}) & ({c2} | {c3}))");
    text + &register(name, 3, &format!("{{{four}, {two}, {s2} ^ {a} ^ {}}}", d(6)))
}

/// The registered sum of two chunk counts, `left` of three bits and `right` of two or three.
///
/// Five tables: shorter than a carry chain with its two ends.
fn chunk_sum(name: &str, left: &str, right: &str, right_bits: usize, bits: usize) -> String {
    let top = if right_bits == 3 { format!("{right}[2]") } else { "1'b0".into() };
    let carry = format!("{name}_carry");
    let low = format!("({left}[0] & {right}[0])");
    let sum = [
        format!("({left}[2] & {top}) | ({carry} & ({left}[2] | {top}))"),
        format!("{left}[2] ^ {top} ^ {carry}"),
        format!("{left}[1] ^ {right}[1] ^ {low}"),
        format!("{left}[0] ^ {right}[0]"),
    ];
    format!(
        "(* keep *) wire {carry};\nassign {carry} = ({left}[1] & {right}[1]) | ({low} & ({left}[1] | {right}[1]));\n{}",
        register(name, bits, &format!("{{{}}}", sum.join(", ")))
    )
}

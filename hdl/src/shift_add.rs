//! Recombines columns and planes into the sums of the outputs.

use crate::bus::Bus;
use bitline_golden::machine::{Machine, bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// y = sum over planes i of 2^i times sum over columns j of s_j 2^j q_ij (contract section 3).
///
/// A leaf in Verilog: the shape of its sums is computed.
///
/// **Function** a step brings the codes of `columns` columns of each output lane in `plane_lanes` planes. First clock:
/// the planes of each column, with their powers. Second: the columns, with their powers and the top column's sign. Third:
/// added to what earlier steps of the output gave. Where a step has every plane, each step counts 2^columns times the
/// one before, so the earlier sum moves right by `columns` bits and the step is added where it stands; else the step is
/// shifted by `plane_group * plane_lanes + subgroup * columns`.
/// **Ports** `codes[(o * columns + c) * plane_lanes + p]` for output lane o; `valid`; `first`: the step starts the
/// outputs; `subgroup`: which columns of
/// the outputs; `plane_group`. `sums[o]`: three clocks after an output's last step, 16-bit two's complement; of no meaning before.
/// **Timing** latency [`ShiftAdd::LATENCY_CYCLES`], interval one step a clock.
/// **Number rules** signed; the machine's check keeps every sum within 16 bits.
/// **State** the running sum, replaced by the next `first`; kept between steps that are not `valid`.
#[derive(LogicBlock, Clone, Debug)]
pub struct ShiftAdd {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Codes of the step.
    pub codes: Vec<Bus<In>>,
    /// There is a step.
    pub valid: Signal<In, Bit>,
    /// The step starts an output.
    pub first: Signal<In, Bit>,
    /// Which columns of the output.
    pub subgroup: Bus<In>,
    /// Which planes.
    pub plane_group: Bus<In>,
    /// y, one an output lane.
    pub sums: Vec<Bus<Out>>,
    _shape: Shape,
    _planes: Vec<i64>,
    _planes_step: Step,
    _columns: Vec<i64>,
    _columns_step: Step,
    _totals: Vec<i64>,
    _lows: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    columns: usize,
    plane_lanes: usize,
    subgroups: usize,
    plane_groups: usize,
    /// Largest code: a lossless quantizer gives none above the number of rows.
    code_max: u64,
}

impl Shape {
    /// Bits that are final before an output's last step, where each step has every plane.
    fn low_bits(&self) -> usize {
        if self.plane_groups == 1 { (self.subgroups - 1) * self.columns } else { 0 }
    }
}

/// What travels with a step through the pipeline.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    valid: bool,
    first: bool,
    subgroup: u64,
    plane_group: u64,
}

impl ShiftAdd {
    /// Clocks from a step's codes to `sums`.
    pub const LATENCY_CYCLES: u64 = 3;

    /// The shift-add of a machine.
    pub fn new(machine: &Machine) -> Self {
        let columns = machine.column_lanes.min(machine.weight_bits);
        let subgroups = machine.weight_bits / columns;
        let (lanes, code_bits) = (machine.output_lanes(), machine.quantizer.bits as usize);
        Self {
            clock: Signal::default(),
            codes: (0..lanes * columns * machine.plane_lanes).map(|_| Bus::new(code_bits)).collect(),
            valid: Signal::default(),
            first: Signal::default(),
            subgroup: Bus::new(bits_to_index(subgroups)),
            plane_group: Bus::new(bits_to_index(machine.plane_groups())),
            sums: (0..lanes).map(|_| Bus::new(16)).collect(),
            _shape: Shape {
                columns,
                plane_lanes: machine.plane_lanes,
                subgroups,
                plane_groups: machine.plane_groups(),
                code_max: if machine.is_lossless() { machine.rows as u64 } else { u64::from(machine.code_max()) },
            },
            _planes: vec![0; lanes * columns],
            _planes_step: Step::default(),
            _columns: vec![0; lanes],
            _columns_step: Step::default(),
            _totals: vec![0; lanes],
            _lows: vec![0; lanes],
        }
    }
}

impl Logic for ShiftAdd {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let Shape { columns, plane_lanes, subgroups, plane_groups, .. } = self._shape;
        let (step, low_bits) = (self._columns_step, self._shape.low_bits());
        if step.valid {
            let shift = step.plane_group as usize * plane_lanes + step.subgroup as usize * columns;
            for (i, sum) in self.sums.iter_mut().enumerate() {
                let (total, low) = (&mut self._totals[i], &mut self._lows[i]);
                let earlier = if step.first { 0 } else { *total };
                if plane_groups > 1 {
                    *total = earlier + (self._columns[i] << shift);
                } else {
                    if low_bits > 0 {
                        *low = (*low >> columns) | ((*total as u64 & ((1 << columns) - 1)) << (low_bits - columns));
                    }
                    *total = (earlier >> columns) + self._columns[i];
                }
                sum.next = (*total << low_bits) as u64 | *low;
            }
        }
        let step = self._planes_step;
        let top = step.subgroup as usize == subgroups - 1;
        for (lane, sum) in self._planes.chunks(columns).zip(&mut self._columns) {
            let signed = |(c, sum): (usize, &i64)| if top && c == columns - 1 { -(sum << c) } else { sum << c };
            *sum = lane.iter().enumerate().map(signed).sum();
        }
        self._columns_step = step;
        for (codes, sum) in self.codes.chunks(plane_lanes).zip(&mut self._planes) {
            *sum = codes.iter().enumerate().map(|(p, code)| (code.val() as i64) << p).sum();
        }
        self._planes_step = Step {
            valid: self.valid.val(),
            first: self.first.val(),
            subgroup: self.subgroup.val(),
            plane_group: self.plane_group.val(),
        };
    }
    fn connect(&mut self) {
        self.sums.iter_mut().for_each(|s| s.connect());
    }
    fn hdl(&self) -> Verilog {
        let Shape { columns, plane_lanes, subgroups, plane_groups, code_max } = self._shape;
        let flags =
            [("valid", 1), ("first", 1), ("subgroup", self.subgroup.bits()), ("plane_group", self.plane_group.bits())];
        let mut text = String::new();
        for (name, width) in flags {
            let range = crate::verilog::range(width);
            text += &format!(
                "reg {range}planes_{name} = 0;\nreg {range}columns_{name} = 0;\nalways @(posedge clock) begin\n  \
                 planes_{name} <= {name};\n  columns_{name} <= planes_{name};\nend\n"
            );
        }
        // The top column of an output counts negatively: minus is plus the complement and one.
        text += &format!(
            "wire negate = {};\nreg columns_negate = 0;\nalways @(posedge clock) columns_negate <= negate;\n",
            if subgroups == 1 { "1'b1".to_string() } else { format!("subgroup == {}", subgroups - 1) }
        );
        for lane in 0..self.sums.len() {
            let mut low = vec![];
            let mut top = Term::default();
            for c in 0..columns {
                let codes = (0..plane_lanes)
                    .map(|p| Term {
                        net: format!("codes${}", (lane * columns + c) * plane_lanes + p),
                        max: code_max,
                        power: p,
                    })
                    .collect();
                let sum = weighted_sum(&mut text, &format!("planes_{lane}_{c}"), codes);
                let (name, bits) = (format!("held_{lane}_{c}"), bits_to_hold(sum.max as usize));
                let complement = if c + 1 == columns { format!(" ^ {{{bits}{{negate}}}}") } else { String::new() };
                text += &format!(
                    "reg [{}:0] {name} = 0;\nalways @(posedge clock) {name} <= {}{complement};\n",
                    bits - 1,
                    sum.net
                );
                let term = Term { net: name, max: sum.max, power: c };
                if c + 1 == columns { top = term } else { low.push(term) }
            }
            // The bits below the top column's lowest pass by; above, one adder whose carry in is the sign.
            let low =
                if low.is_empty() { None } else { Some(weighted_sum(&mut text, &format!("columns_{lane}"), low)) };
            let shift = columns - 1;
            let low_max = low.as_ref().map_or(0, |low| low.max);
            let high_bits = bits_to_hold(((low_max >> shift) + top.max) as usize) + 1;
            let (low_bits, top_bits) = (bits_to_hold(low_max as usize), bits_to_hold(top.max as usize));
            let above = match &low {
                Some(low) if low_bits > shift => {
                    format!(
                        "{{{}'b0, {}[{}:{shift}], columns_negate}}",
                        high_bits - (low_bits - shift),
                        low.net,
                        low_bits - 1
                    )
                }
                _ => format!("{{{high_bits}'b0, columns_negate}}"),
            };
            let bits = high_bits + shift;
            let below = match (&low, shift) {
                (Some(low), 1..) if low_bits >= shift => format!(", {}[{}:0]", low.net, shift - 1),
                (Some(low), 1..) => format!(", {}'b0, {}", shift - low_bits, low.net),
                _ => String::new(),
            };
            text += &format!(
                "wire [{high_bits}:0] signed_{lane} = {above} + {{{{{}{{columns_negate}}}}, {}, 1'b1}};\n\
                 reg signed [{}:0] step_{lane} = 0;\nalways @(posedge clock) step_{lane} <= {{signed_{lane}[{high_bits}:1]{below}}};\n\
                 wire signed [15:0] wide_{lane} = step_{lane};\n",
                high_bits - top_bits,
                top.net,
                bits - 1
            );
            text += &if plane_groups == 1 { self.moving_sum(lane) } else { self.shifted_sum(lane) };
        }
        Verilog::Custom(text)
    }
}

impl ShiftAdd {
    /// The output's sum where each step has every plane: it moves right, and its low bits are final.
    fn moving_sum(&self, lane: usize) -> String {
        let (columns, low_bits) = (self._shape.columns, self._shape.low_bits());
        if low_bits == 0 {
            return format!(
                "initial sums${lane} = 0;\nalways @(posedge clock) if (columns_valid) sums${lane} <= wide_{lane};\n"
            );
        }
        let high = 15 - low_bits;
        let low = if low_bits == columns {
            format!("high_{lane}[{}:0]", columns - 1)
        } else {
            format!("{{high_{lane}[{}:0], low_{lane}[{}:{columns}]}}", columns - 1, low_bits - 1)
        };
        format!(
            "reg signed [{high}:0] high_{lane} = 0;\nreg [{}:0] low_{lane} = 0;\n\
             wire signed [{high}:0] earlier_{lane} = columns_first ? 0 : (high_{lane} >>> {columns});\n\
             always @(posedge clock) if (columns_valid) begin\n  high_{lane} <= earlier_{lane} + wide_{lane};\n  \
             low_{lane} <= {low};\nend\nalways @(*) sums${lane} = {{high_{lane}, low_{lane}}};\n",
            low_bits - 1
        )
    }

    /// The output's sum where planes come in groups: each step is shifted to its power.
    fn shifted_sum(&self, lane: usize) -> String {
        let Shape { columns, plane_lanes, subgroups, plane_groups, .. } = self._shape;
        let mut cases = String::new();
        for plane_group in 0..plane_groups {
            for subgroup in 0..subgroups {
                let shift = plane_group * plane_lanes + subgroup * columns;
                cases += &format!(
                    "  if (columns_plane_group == {plane_group} && columns_subgroup == {subgroup}) \
                     shifted_{lane} = wide_{lane} <<< {shift};\n"
                );
            }
        }
        format!(
            "reg signed [15:0] shifted_{lane};\nalways @(*) begin\n  shifted_{lane} = wide_{lane};\n{cases}end\n\
             initial sums${lane} = 0;\nalways @(posedge clock) if (columns_valid) \
             sums${lane} <= (columns_first ? 16'd0 : sums${lane}) + shifted_{lane};\n"
        )
    }
}

/// An unsigned net of exactly the bits that hold `max`, to be counted 2^power times.
#[derive(Clone, Debug, Default)]
struct Term {
    net: String,
    max: u64,
    power: usize,
}

/// Adds terms of rising powers in pairs. Bits below the higher term pass by, so that no adder is longer than it must be.
fn weighted_sum(text: &mut String, name: &str, mut terms: Vec<Term>) -> Term {
    let mut adders = 0;
    while terms.len() > 1 {
        let pairs = terms.chunks(2).map(|pair| {
            let [left, right] = pair else { return pair[0].clone() };
            let shift = right.power - left.power;
            let (left_bits, right_bits) = (bits_to_hold(left.max as usize), bits_to_hold(right.max as usize));
            let net = format!("{name}_{adders}");
            adders += 1;
            let max = left.max + (right.max << shift);
            let bits = bits_to_hold(max as usize);
            let value = if left_bits <= shift {
                let gap = if left_bits < shift { format!("{}'b0, ", shift - left_bits) } else { String::new() };
                format!("{{{}[{}:0], {gap}{}[{}:0]}}", right.net, right_bits - 1, left.net, left_bits - 1)
            } else {
                *text += &format!(
                    "wire [{}:0] {net}_above = {}[{}:{shift}] + {}[{}:0];\n",
                    bits - shift - 1,
                    left.net,
                    left_bits - 1,
                    right.net,
                    right_bits - 1
                );
                format!("{{{net}_above, {}[{}:0]}}", left.net, shift - 1)
            };
            *text += &format!("wire [{}:0] {net} = {value};\n", bits - 1);
            Term { net, max, power: left.power }
        });
        terms = pairs.collect();
    }
    let only = terms.remove(0);
    let bits = bits_to_hold(only.max as usize);
    *text += &format!("wire [{}:0] {name}_sum = {}[{}:0];\n", bits - 1, only.net, bits - 1);
    Term { net: format!("{name}_sum"), ..only }
}

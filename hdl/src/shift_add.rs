//! Recombines columns and planes into the sums of the outputs.

use crate::bus::Bus;
use bitline_golden::machine::{Machine, bits_to_index};
use rust_hdl::prelude::*;

/// y = sum over planes i of 2^i times sum over columns j of s_j 2^j q_ij (contract section 3).
///
/// A leaf in Verilog: the shape of its sums is computed.
///
/// **Function** a step brings the codes of `columns` columns of each output lane in `plane_lanes` planes. First clock: the columns of
/// each plane, with their powers and the top column's sign. Second: the planes. Third: shifted by
/// `plane_group * plane_lanes + subgroup * columns` and added to what earlier steps of the output gave.
/// **Ports** `codes[(o * columns + c) * plane_lanes + p]` for output lane o; `valid`; `first`: the step starts an output; `subgroup`: which columns of
/// the outputs; `plane_group`. `sums[o]`: three clocks after the last step, 16-bit two's complement.
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
    _columns: Vec<i64>,
    _columns_step: Step,
    _planes: Vec<i64>,
    _planes_step: Step,
    _totals: Vec<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    columns: usize,
    plane_lanes: usize,
    subgroups: usize,
    plane_groups: usize,
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
            _shape: Shape { columns, plane_lanes: machine.plane_lanes, subgroups, plane_groups: machine.plane_groups() },
            _columns: vec![0; lanes * machine.plane_lanes],
            _columns_step: Step::default(),
            _planes: vec![0; lanes],
            _planes_step: Step::default(),
            _totals: vec![0; lanes],
        }
    }
}

impl Logic for ShiftAdd {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let Shape { columns, plane_lanes, subgroups, .. } = self._shape;
        let step = self._planes_step;
        if step.valid {
            let shift = step.plane_group as usize * plane_lanes + step.subgroup as usize * columns;
            for ((sum, total), planes) in self.sums.iter_mut().zip(&mut self._totals).zip(&self._planes) {
                *total = if step.first { 0 } else { *total } + (planes << shift);
                sum.next = *total as u64;
            }
        }
        for (lane, planes) in self._columns.chunks(plane_lanes).zip(&mut self._planes) {
            *planes = lane.iter().enumerate().map(|(p, sum)| sum << p).sum();
        }
        self._planes_step = self._columns_step;
        let top = self.subgroup.val() as usize == subgroups - 1;
        for (at, sum) in self._columns.iter_mut().enumerate() {
            let (lane, p) = (at / plane_lanes, at % plane_lanes);
            *sum = (0..columns)
                .map(|c| {
                    let code = self.codes[(lane * columns + c) * plane_lanes + p].val() as i64;
                    if top && c == columns - 1 { -(code << c) } else { code << c }
                })
                .sum();
        }
        self._columns_step = Step {
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
        let Shape { columns, plane_lanes, subgroups, .. } = self._shape;
        let code_bits = self.codes[0].bits();
        let column_bits = code_bits + columns + 1;
        let plane_bits = column_bits + plane_lanes;
        let flags = [("valid", 1), ("first", 1), ("subgroup", self.subgroup.bits()), ("plane_group", self.plane_group.bits())];
        let mut text = String::new();
        for (name, width) in flags {
            let range = crate::verilog::range(width);
            text += &format!(
                "reg {range}columns_{name} = 0;\nreg {range}planes_{name} = 0;\nalways @(posedge clock) begin\n  \
                 columns_{name} <= {name};\n  planes_{name} <= columns_{name};\nend\n"
            );
        }
        for lane in 0..self.sums.len() {
            for p in 0..plane_lanes {
                let code = |c: usize| {
                    let at = (lane * columns + c) * plane_lanes + p;
                    let value = format!("$signed({{{}'b0, codes${at}}})", column_bits - code_bits);
                    if c == 0 { value } else { format!("({value} <<< {c})") }
                };
                let below: Vec<String> = (0..columns - 1).map(code).collect();
                let (low, high) = (below.join(" + "), code(columns - 1));
                let (plus, minus) = (format!("{low} + {high}"), format!("{low} - {high}"));
                let value = if subgroups == 1 {
                    minus
                } else {
                    format!("(subgroup == {}) ? {minus} : {plus}", subgroups - 1)
                };
                text += &format!(
                    "reg signed [{}:0] columns_{lane}_{p} = 0;\nalways @(posedge clock) columns_{lane}_{p} <= {value};\n",
                    column_bits - 1
                );
            }
            let terms: Vec<String> = (0..plane_lanes)
                .map(|p| {
                    let (name, extend) = (format!("columns_{lane}_{p}"), plane_bits - column_bits);
                    let wide = format!("$signed({{{{{extend}{{{name}[{}]}}}}, {name}}})", column_bits - 1);
                    if p == 0 { wide } else { format!("({wide} <<< {p})") }
                })
                .collect();
            text += &format!(
                "reg signed [{}:0] planes_{lane} = 0;\nalways @(posedge clock) planes_{lane} <= {};\n",
                plane_bits - 1,
                crate::verilog::sum_tree(&terms)
            );
            let mut cases = String::new();
            for plane_group in 0..self._shape.plane_groups {
                for subgroup in 0..subgroups {
                    let shift = plane_group * plane_lanes + subgroup * columns;
                    cases += &format!(
                        "  if (planes_plane_group == {plane_group} && planes_subgroup == {subgroup}) \
                         shifted_{lane} = wide_{lane} <<< {shift};\n"
                    );
                }
            }
            text += &format!(
                "wire signed [15:0] wide_{lane} = planes_{lane};\nreg signed [15:0] shifted_{lane};\nalways @(*) begin\n  \
                 shifted_{lane} = wide_{lane};\n{cases}end\ninitial sums${lane} = 0;\n\
                 always @(posedge clock) if (planes_valid) sums${lane} <= (planes_first ? 16'd0 : sums${lane}) + \
                 shifted_{lane};\n"
            );
        }
        Verilog::Custom(text)
    }
}

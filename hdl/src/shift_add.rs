//! Recombines columns and planes into the sums of the outputs.

use crate::bus::Bus;
use bitline_golden::machine::{Machine, bits_to_index};
use rust_hdl::prelude::*;

/// y = sum over planes i of 2^i times sum over columns j of s_j 2^j q_ij (contract section 3).
///
/// A leaf in Verilog: the shape of its sums is computed.
///
/// **Function** a step brings the codes of `columns` columns of each output lane in `plane_lanes` planes. First clock:
/// the planes of each column, with their powers. Second: the columns, with their powers and the top column's sign. Third: shifted by
/// `plane_group * plane_lanes + subgroup * columns` and added to what earlier steps of the output gave.
/// **Ports** `codes[(o * columns + c) * plane_lanes + p]` for output lane o; `valid`; `first`: the step starts the
/// outputs; `subgroup`: which columns of
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
    _planes: Vec<i64>,
    _planes_step: Step,
    _columns: Vec<i64>,
    _columns_step: Step,
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
            _shape: Shape {
                columns,
                plane_lanes: machine.plane_lanes,
                subgroups,
                plane_groups: machine.plane_groups(),
            },
            _planes: vec![0; lanes * columns],
            _planes_step: Step::default(),
            _columns: vec![0; lanes],
            _columns_step: Step::default(),
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
        let step = self._columns_step;
        if step.valid {
            let shift = step.plane_group as usize * plane_lanes + step.subgroup as usize * columns;
            for ((sum, total), step_sum) in self.sums.iter_mut().zip(&mut self._totals).zip(&self._columns) {
                *total = if step.first { 0 } else { *total } + (step_sum << shift);
                sum.next = *total as u64;
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
        let Shape { columns, plane_lanes, subgroups, .. } = self._shape;
        let code_bits = self.codes[0].bits();
        let plane_bits = code_bits + plane_lanes;
        let column_bits = plane_bits + columns + 1;
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
        for lane in 0..self.sums.len() {
            for c in 0..columns {
                let terms: Vec<String> = (0..plane_lanes)
                    .map(|p| {
                        let at = (lane * columns + c) * plane_lanes + p;
                        format!("{{{}'b0, codes${at}{}}}", plane_bits - code_bits, shifted_in(p))
                    })
                    .collect();
                text += &format!(
                    "reg [{}:0] planes_{lane}_{c} = 0;\nalways @(posedge clock) planes_{lane}_{c} <= {};\n",
                    plane_bits - 1,
                    crate::verilog::sum_tree(&terms)
                );
            }
            let planes =
                |c: usize| format!("{{{}'b0, planes_{lane}_{c}{}}}", column_bits - plane_bits - c, shifted_in(c));
            let low: Vec<String> = (0..columns - 1).map(planes).collect();
            let high = planes(columns - 1);
            let value = if subgroups == 1 {
                format!("{} - {high}", if low.is_empty() { "0".into() } else { low.join(" + ") })
            } else {
                // Minus is plus the complement and one, so that one adder serves both signs.
                text += &format!(
                    "wire negate_{lane} = planes_subgroup == {};\n\
                     wire [{}:0] high_{lane} = {high} ^ {{{column_bits}{{negate_{lane}}}}};\n",
                    subgroups - 1,
                    column_bits - 1
                );
                let low = if low.is_empty() { String::new() } else { low.join(" + ") + " + " };
                format!("{low}high_{lane} + negate_{lane}")
            };
            text += &format!(
                "reg signed [{}:0] columns_{lane} = 0;\nalways @(posedge clock) columns_{lane} <= {value};\n",
                column_bits - 1
            );
            let mut cases = String::new();
            for plane_group in 0..self._shape.plane_groups {
                for subgroup in 0..subgroups {
                    let shift = plane_group * plane_lanes + subgroup * columns;
                    cases += &format!(
                        "  if (columns_plane_group == {plane_group} && columns_subgroup == {subgroup}) \
                         shifted_{lane} = wide_{lane} <<< {shift};\n"
                    );
                }
            }
            text += &format!(
                "wire signed [15:0] wide_{lane} = columns_{lane};\nreg signed [15:0] shifted_{lane};\nalways @(*) begin\n  \
                 shifted_{lane} = wide_{lane};\n{cases}end\ninitial sums${lane} = 0;\n\
                 always @(posedge clock) if (columns_valid) sums${lane} <= (columns_first ? 16'd0 : sums${lane}) + \
                 shifted_{lane};\n"
            );
        }
        Verilog::Custom(text)
    }
}

/// What follows a value in a concatenation so that it counts 2^`bits` times.
fn shifted_in(bits: usize) -> String {
    if bits == 0 { String::new() } else { format!(", {bits}'b0") }
}

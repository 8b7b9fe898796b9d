//! Adds up a column over planes and row groups.

use super::active_sum_bits;
use crate::bus::Bus;
use crate::verilog::{range, sum_tree};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// S = sum over row groups and planes i of 2^i q, for each column of a tile, and the same of the active rows.
///
/// A leaf in Verilog: the shape of its sums is computed.
///
/// **Function** a step brings `plane_lanes` planes of a row group. First clock: the planes of each column, with their
/// powers. Second: shifted by `plane_group * plane_lanes`, added to what earlier steps gave.
/// **Ports** `codes[k * plane_lanes + p]`: the quantizer's code of column k in plane p; `active[p]`: rows that plane drives,
/// 0 for a plane that is not driven; `valid`; `first`: the step starts new sums; `last`: it makes them whole;
/// `plane_group`. [`PlaneSum::LATENCY_CYCLES`] after a step `sums[k]` and `active_sum` have it; after the last one `done`
/// tells it, for one clock. [`PlaneSum::PULSES_CYCLES`] after a step `pulses` is its active rows over all planes, 0 in every
/// other clock.
/// **Timing** interval one step a clock; a step that is not `valid` changes nothing. The next sums may begin in the clock after
/// `last`, and then these are whole for one clock only.
/// **Number rules** unsigned; the machine's `column_sum_bits` hold every sum of codes the quantizer can give.
/// **State** the sums, 0 at power-on, replaced by the next `first`.
#[derive(LogicBlock, Clone, Debug)]
pub struct PlaneSum {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Codes of the step.
    pub codes: Vec<Bus<In>>,
    /// Active rows of each plane.
    pub active: Vec<Bus<In>>,
    /// There is a step.
    pub valid: Signal<In, Bit>,
    /// It starts new sums.
    pub first: Signal<In, Bit>,
    /// It makes them whole.
    pub last: Signal<In, Bit>,
    /// Which planes.
    pub plane_group: Bus<In>,
    /// S, one a column.
    pub sums: Vec<Bus<Out>>,
    /// A: the active rows in S's place.
    pub active_sum: Bus<Out>,
    /// The sums are whole.
    pub done: Signal<Out, Bit>,
    /// Active rows of one step.
    pub pulses: Bus<Out>,
    _steps: Vec<u64>,
    _active_step: u64,
    _step: Step,
    _plane_groups: usize,
    _code_max: usize,
}

/// What travels with a step.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    valid: bool,
    first: bool,
    last: bool,
    plane_group: u64,
}

impl PlaneSum {
    /// Clocks from a step's codes to `sums`, `active_sum` and `done`.
    pub const LATENCY_CYCLES: u64 = 2;
    /// Clocks from a step's active rows to `pulses`.
    pub const PULSES_CYCLES: u64 = 1;

    /// The sums of a machine's columns.
    pub fn new(machine: &DeepMachine) -> Self {
        let (columns, planes) = (machine.tile_columns, machine.plane_lanes);
        let plane_groups = machine.code_bits / planes;
        Self {
            clock: Signal::default(),
            codes: (0..columns * planes).map(|_| Bus::new(machine.quantizer.bits as usize)).collect(),
            active: (0..planes).map(|_| Bus::new(machine.count_bits())).collect(),
            valid: Signal::default(),
            first: Signal::default(),
            last: Signal::default(),
            plane_group: Bus::new(bits_to_index(plane_groups)),
            sums: (0..columns).map(|_| Bus::new(machine.column_sum_bits())).collect(),
            active_sum: Bus::new(active_sum_bits(machine)),
            done: Signal::default(),
            pulses: Bus::new(bits_to_hold(planes * machine.tile_rows)),
            _steps: vec![0; columns],
            _active_step: 0,
            _step: Step::default(),
            _plane_groups: plane_groups,
            _code_max: machine.code_max(),
        }
    }
}

/// The planes of one column with their powers.
fn weighted(planes: &[Bus<In>]) -> u64 {
    planes.iter().enumerate().map(|(p, bus)| bus.val() << p).sum()
}

impl Logic for PlaneSum {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let step = self._step;
        if step.valid {
            let planes = self.active.len();
            let shift =
                if (step.plane_group as usize) < self._plane_groups { step.plane_group as usize * planes } else { 0 };
            for (sum, of_step) in self.sums.iter_mut().zip(&self._steps) {
                sum.next = if step.first { 0 } else { sum.next } + (of_step << shift);
            }
            let before = if step.first { 0 } else { self.active_sum.next };
            self.active_sum.next = before + (self._active_step << shift);
        }
        self.done.next = step.valid && step.last;
        for (of_step, codes) in self._steps.iter_mut().zip(self.codes.chunks_exact(self.active.len())) {
            *of_step = weighted(codes);
        }
        self._active_step = weighted(&self.active);
        self._step = Step {
            valid: self.valid.val(),
            first: self.first.val(),
            last: self.last.val(),
            plane_group: self.plane_group.val(),
        };
        self.pulses.next = if self.valid.val() { self.active.iter().map(|bus| bus.val()).sum() } else { 0 };
    }
    fn connect(&mut self) {
        self.sums.iter_mut().for_each(|bus| bus.connect());
        self.active_sum.connect();
        self.done.connect();
        self.pulses.connect();
    }
    fn hdl(&self) -> Verilog {
        let planes = self.active.len();
        let mut text = String::new();
        for (flag, bits) in [("valid", 1), ("first", 1), ("last", 1), ("plane_group", self.plane_group.bits())] {
            text += &format!("reg {}step_{flag} = 0;\nalways @(posedge clock) step_{flag} <= {flag};\n", range(bits));
        }
        let mut sum = |name: &str, terms: Vec<String>, largest: usize, to: &str, to_bits: usize| {
            let step = format!("{name}_step");
            // From the highest plane group down; the lowest stands for numbers that no plane group has.
            let shifted = (1..self._plane_groups).fold(step.clone(), |others, group| {
                format!("(step_plane_group == {group}) ? {{{step}, {}'b0}} : ({others})", group * planes)
            });
            text += &format!(
                "reg {}{step} = 0;\nalways @(posedge clock) {step} <= {};\n\
                 wire {}{name}_shifted = {shifted};\ninitial {to} = 0;\n\
                 always @(posedge clock) if (step_valid) {to} <= (step_first ? {to_bits}'d0 : {to}) + {name}_shifted;\n",
                range(bits_to_hold(largest * ((1 << planes) - 1))),
                sum_tree(&terms),
                range(to_bits)
            );
        };
        let power = |net: String, p: usize| if p == 0 { net } else { format!("{{{net}, {p}'b0}}") };
        for k in 0..self.sums.len() {
            let terms = (0..planes).map(|p| power(format!("codes${}", k * planes + p), p)).collect();
            sum(&format!("column_{k}"), terms, self._code_max, &format!("sums${k}"), self.sums[k].bits());
        }
        let rows = (1 << self.active[0].bits()) - 1;
        let terms = (0..planes).map(|p| power(format!("active${p}"), p)).collect();
        sum("active", terms, rows, "active_sum", self.active_sum.bits());
        let terms: Vec<String> = (0..planes).map(|p| format!("active${p}")).collect();
        Verilog::Custom(
            text + &format!(
                "initial done = 1'b0;\nalways @(posedge clock) done <= step_valid && step_last;\n\
                 initial pulses = 0;\nalways @(posedge clock) pulses <= valid ? {} : {}'d0;\n",
                sum_tree(&terms),
                self.pulses.bits()
            ),
        )
    }
}

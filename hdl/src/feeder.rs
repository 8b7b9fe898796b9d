//! Gathers the inputs of a step.

use crate::bus::{Bus, ROW_WORDS, SLOT_WORDS, WideBus, Words};
use crate::verilog::range;
use bitline_golden::machine::{Machine, bits_to_index};
use bitline_golden::timing::feeder_cycles;
use rust_hdl::prelude::*;
use std::collections::BTreeSet;

/// Picks the planes and rows of one step out of an image, and adds the bias rows.
///
/// A leaf in Verilog: its wiring is computed, and RustHDL's loops cannot compute.
///
/// **Function** `rows[c * plane_lanes + p]` bit r, the same for every column lane c, is bit `plane_group * plane_lanes + p` of the code that drives row
/// `row_group * row_lanes + r`: the image's code, `bias_code` for a bias row, 0 for rows and planes that do not exist.
/// **Ports** `data` in, an image's packed codes; `row_group`, `plane_group` in; `rows` out, one bus a column lane and plane
/// lane, since RustHDL's loops cannot share them out.
/// **Timing** latency [`Feeder::latency_cycles`], 0 or 1. A machine that reads one image a clock keeps a copy of the image
/// for the columns of each output, so that one register need not drive the whole array.
/// **State** the copies, 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct Feeder {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The image.
    pub data: WideBus<In, SLOT_WORDS>,
    /// Which rows.
    pub row_group: Bus<In>,
    /// Which planes.
    pub plane_group: Bus<In>,
    /// Row drives, one bus a column lane and plane lane.
    pub rows: Vec<WideBus<Out, ROW_WORDS>>,
    _sources: Vec<Vec<Vec<Source>>>,
    _row_groups: usize,
    _lanes_of_copy: Option<usize>,
    _seen: Option<(Words<SLOT_WORDS>, u64, u64)>,
}

/// Where a row's drive comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Image(usize),
    Constant(bool),
}

impl Feeder {
    /// Clocks from inputs to outputs.
    pub fn latency_cycles(machine: &Machine) -> u64 {
        feeder_cycles(machine)
    }

    /// The feeder of a machine.
    pub fn new(machine: &Machine) -> Self {
        let source = |row: usize, plane: usize| {
            if plane >= machine.input_bits || row >= machine.rows {
                Source::Constant(false)
            } else if row >= machine.inputs() {
                Source::Constant(machine.bias_code >> plane & 1 == 1)
            } else {
                Source::Image(row * machine.input_bits + plane)
            }
        };
        let (row_groups, plane_groups) = (machine.row_groups(), machine.plane_groups());
        let sources = (0..machine.plane_lanes)
            .map(|p| {
                (0..plane_groups * row_groups)
                    .map(|group| {
                        let (plane_group, row_group) = (group / row_groups, group % row_groups);
                        (0..machine.row_lanes)
                            .map(|r| source(row_group * machine.row_lanes + r, plane_group * machine.plane_lanes + p))
                            .collect()
                    })
                    .collect()
            })
            .collect();
        let columns_of_output = machine.weight_bits.min(machine.column_lanes);
        Self {
            clock: Signal::default(),
            data: WideBus::new(machine.slot_words() * 16),
            row_group: Bus::new(bits_to_index(row_groups)),
            plane_group: Bus::new(bits_to_index(plane_groups)),
            rows: (0..machine.column_lanes * machine.plane_lanes).map(|_| WideBus::new(machine.row_lanes)).collect(),
            _sources: sources,
            _row_groups: row_groups,
            _lanes_of_copy: (Self::latency_cycles(machine) == 1).then_some(columns_of_output * machine.plane_lanes),
            _seen: None,
        }
    }
}

impl Logic for Feeder {
    fn update(&mut self) {
        // Registers show the rows of an empty image until the first clock.
        if self._lanes_of_copy.is_some() && self._seen.is_some() && !self.clock.pos_edge() {
            return;
        }
        let now = (self.data.val(), self.row_group.val(), self.plane_group.val());
        if self._seen == Some(now) {
            return;
        }
        let (data, row_group, plane_group) = now;
        let group = plane_group as usize * self._row_groups + row_group as usize;
        let plane_lanes = self._sources.len();
        for (p, sources) in self._sources.iter().enumerate() {
            let mut rows = [0u64; ROW_WORDS];
            for (r, source) in sources.get(group).into_iter().flatten().enumerate() {
                let bit = match source {
                    Source::Image(at) => data[at / 64] >> (at % 64) & 1,
                    Source::Constant(bit) => u64::from(*bit),
                };
                rows[r / 64] |= bit << (r % 64);
            }
            self.rows[p..].iter_mut().step_by(plane_lanes).for_each(|bus| bus.next = rows);
        }
        self._seen = Some(now);
    }
    fn connect(&mut self) {
        self.rows.iter_mut().for_each(|r| r.connect());
    }
    fn hdl(&self) -> Verilog {
        let lanes = self.rows.len();
        let mut text = String::new();
        for (copy, first) in (0..lanes).step_by(self._lanes_of_copy.unwrap_or(lanes)).enumerate() {
            let last = lanes.min(first + self._lanes_of_copy.unwrap_or(lanes));
            let mut image = "data".to_string();
            if self._lanes_of_copy.is_some() {
                image = format!("image_{copy}");
                text += &format!("wire {}{image};\n", range(self.data.bits()));
                for at in self.bits_used() {
                    text += &format!("copied_bit {image}_{at}(clock, data[{at}], {image}[{at}]);\n");
                }
            }
            for p in 0..self._sources.len() {
                text += &self.plane(copy, p, &image);
                for lane in (first + p..last).step_by(self._sources.len()) {
                    text += &format!("always @(*) rows${lane} = plane_{copy}_{p};\n");
                }
            }
        }
        Verilog::Custom(text)
    }
}

impl Feeder {
    /// Bits of the image that drive a row.
    fn bits_used(&self) -> BTreeSet<usize> {
        let bit = |source: &Source| if let Source::Image(at) = source { Some(*at) } else { None };
        self._sources.iter().flatten().flatten().filter_map(bit).collect()
    }

    /// Verilog of `plane_<copy>_<p>`, the rows of plane lane `p` as the net `image` drives them.
    fn plane(&self, copy: usize, p: usize, image: &str) -> String {
        let expressions: Vec<String> = self._sources[p]
            .iter()
            .map(|rows| {
                let bits: Vec<String> = rows
                    .iter()
                    .rev()
                    .map(|source| match source {
                        Source::Image(at) => format!("{image}[{at}]"),
                        Source::Constant(bit) => format!("1'b{}", u8::from(*bit)),
                    })
                    .collect();
                format!("{{{}}}", bits.join(", "))
            })
            .collect();
        let width = self.rows[p].bits();
        let name = format!("plane_{copy}_{p}");
        let mut text = format!("reg [{}:0] {name};\nalways @(*) begin\n", width - 1);
        if let [only] = expressions.as_slice() {
            text += &format!("  {name} = {only};\n");
        } else {
            text += &format!("  {name} = {width}'h0;\n");
            for (group, expression) in expressions.iter().enumerate() {
                text += &format!(
                    "  if (plane_group == {} && row_group == {}) {name} = {expression};\n",
                    group / self._row_groups,
                    group % self._row_groups
                );
            }
        }
        text + "end\n"
    }
}

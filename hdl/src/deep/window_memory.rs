//! The windows that are read and gathered.

use super::{CODE_WORDS, MemoryText, StoreText, field};
use crate::bus::{Bus, ROW_WORDS, WideBus, Words};
use crate::verilog::range;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// Most planes that are read at once.
const MOST_PLANES: usize = 8;

/// Holds two windows of codes, one being gathered while the other is read, and gives planes of a row group.
///
/// A leaf in Verilog: memories of chosen shape are beyond RustHDL's translator.
///
/// **Function** position p of a window is row p mod `tile_rows` of row group p / `tile_rows`. Bit r of `rows[p]` is bit
/// `read_plane_group * plane_lanes + p` of the code in row r, 0 from row `read_rows` up: a row group that the window does not
/// fill is masked, never cleared.
/// **Ports** `write_enable` stores the next `write_count` codes of window `write_window` from `write_position` up; the code
/// of position p is lane p mod `gather_lanes` of `write_codes`. Positions past the last row group store nothing.
/// Of the planes read, those from `read_planes` up are 0.
/// `read_window`, `read_row_group`, `read_plane_group`, `read_planes`, `read_rows`: [`WindowMemory::LATENCY_CYCLES`] later `rows`.
/// **Timing** interval one read and one write a clock: the first clock of a read is the memory's, the second the choice of
/// planes and the mask.
/// **State** the codes, 0 at power-on.
/// **Limits** in hardware a code read in the clock that writes it is either the old or the new one; a gatherer writes the
/// window that is not read.
#[derive(LogicBlock, Clone, Debug)]
pub struct WindowMemory {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Store codes.
    pub write_enable: Signal<In, Bit>,
    /// In which window.
    pub write_window: Signal<In, Bit>,
    /// Position of the first code.
    pub write_position: Bus<In>,
    /// How many, 0..=`gather_lanes`.
    pub write_count: Bus<In>,
    /// Their values, position p in lane p mod `gather_lanes`.
    pub write_codes: WideBus<In, CODE_WORDS>,
    /// Window to read.
    pub read_window: Signal<In, Bit>,
    /// Its row group.
    pub read_row_group: Bus<In>,
    /// Which planes.
    pub read_plane_group: Bus<In>,
    /// How many of them.
    pub read_planes: Bus<In>,
    /// Rows of the row group that the window fills, 0..=`tile_rows`.
    pub read_rows: Bus<In>,
    /// The planes, one bus each.
    pub rows: Vec<WideBus<Out, ROW_WORDS>>,
    /// By window and row group, and among these by plane.
    _planes: Vec<Words<ROW_WORDS>>,
    _held: [Words<ROW_WORDS>; MOST_PLANES],
    _shape: Shape,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    rows: usize,
    row_groups: usize,
    group_bits: usize,
    lanes: usize,
    code_bits: usize,
}

impl WindowMemory {
    /// Clocks from `read_row_group` to `rows`.
    pub const LATENCY_CYCLES: u64 = 2;

    /// The windows of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let (rows, row_groups, code_bits) = (machine.tile_rows, machine.row_groups, machine.code_bits);
        let (lanes, group_bits) = (machine.gather_lanes, bits_to_index(row_groups));
        Self {
            clock: Signal::default(),
            write_enable: Signal::default(),
            write_window: Signal::default(),
            write_position: Bus::new(bits_to_index(row_groups * rows)),
            write_count: Bus::new(bits_to_hold(lanes)),
            write_codes: WideBus::new(lanes * code_bits),
            read_window: Signal::default(),
            read_row_group: Bus::new(group_bits),
            read_plane_group: Bus::new(bits_to_index(code_bits / machine.plane_lanes)),
            read_planes: Bus::new(bits_to_hold(machine.plane_lanes)),
            read_rows: Bus::new(bits_to_hold(rows)),
            rows: (0..machine.plane_lanes).map(|_| WideBus::new(rows)).collect(),
            _planes: vec![[0; ROW_WORDS]; (2 << group_bits) * code_bits],
            _held: [[0; ROW_WORDS]; MOST_PLANES],
            _shape: Shape { rows, row_groups, group_bits, lanes, code_bits },
        }
    }

    /// Where the planes of a row group begin.
    fn place(&self, window: bool, row_group: usize) -> usize {
        (usize::from(window) << self._shape.group_bits | row_group) * self._shape.code_bits
    }

    fn store(&mut self) {
        let Shape { rows, row_groups, lanes, code_bits, .. } = self._shape;
        let (first, count) = (self.write_position.val() as usize, self.write_count.val() as usize);
        let words = self.write_codes.val();
        for position in first..first + count.min(lanes) {
            let (row_group, row) = (position / rows, position % rows);
            if row_group < row_groups {
                let code = field(&words, position % lanes * code_bits, code_bits);
                let at = self.place(self.write_window.val(), row_group);
                for (plane, bits) in self._planes[at..at + code_bits].iter_mut().enumerate() {
                    let (word, shift) = (row / 64, row % 64);
                    bits[word] = bits[word] & !(1 << shift) | (code >> plane & 1) << shift;
                }
            }
        }
    }
}

impl Logic for WindowMemory {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        for (bus, held) in self.rows.iter_mut().zip(&self._held) {
            bus.next = *held;
        }
        let mut mask = [0; ROW_WORDS];
        for (word, bits) in mask.iter_mut().enumerate() {
            let rows = (self.read_rows.val() as usize).min(self._shape.rows).saturating_sub(64 * word);
            *bits = if rows >= 64 { u64::MAX } else { (1 << rows) - 1 };
        }
        let (planes, code_bits) = (self.rows.len(), self._shape.code_bits);
        let first = self.read_plane_group.val() as usize * planes;
        let driven = self.read_planes.val() as usize;
        let at = self.place(self.read_window.val(), self.read_row_group.val() as usize);
        for (p, held) in self._held[..planes].iter_mut().enumerate() {
            let plane = first + p;
            let stored = if plane < code_bits && p < driven { self._planes[at + plane] } else { [0; ROW_WORDS] };
            *held = std::array::from_fn(|word| stored[word] & mask[word]);
        }
        if self.write_enable.val() {
            self.store();
        }
    }
    fn connect(&mut self) {
        self.rows.iter_mut().for_each(|bus| bus.connect());
    }
    fn hdl(&self) -> Verilog {
        let Shape { rows, row_groups, group_bits, lanes, code_bits } = self._shape;
        let (slices, depth) = (rows / lanes, 2 << group_bits);
        let mut text = self.places(slices);
        text += &format!(
            "wire [{group_bits}:0] read_place = {{read_window, read_row_group}};\n\
             wire now_exists = write_enable && group_now < {row_groups};\n\
             wire next_exists = write_enable && group_next < {row_groups};\n"
        );
        // Which lanes are stored, and which of them in the word after the first code's.
        for lane in 0..lanes {
            text += &if lanes > 1 {
                let lane_high = lanes.trailing_zeros() - 1;
                format!(
                    "wire [{lane_high}:0] order_{lane} = {lane} - offset;\nwire wanted_{lane} = order_{lane} < write_count;\n\
                     wire turn_{lane} = offset > {lane};\n"
                )
            } else {
                "wire wanted_0 = write_count != 0;\nwire turn_0 = 1'b0;\n".to_string()
            };
        }
        // Bits of the code in each row.
        let mut codes = Vec::with_capacity(rows);
        let data = |lane: usize| match lanes * code_bits {
            1 => "write_codes".to_string(),
            _ => format!("write_codes[{}:{}]", lane * code_bits + code_bits - 1, lane * code_bits),
        };
        if slices == 1 {
            // Each lane has its own address.
            for lane in 0..lanes {
                let group = format!("group_at_{lane}");
                let name = format!("lane_{lane}");
                text += &format!(
                    "wire [{group_bits}:0] {group} = {{write_window, turn_{lane} ? group_next[{high}:0] : \
                     group_now[{high}:0]}};\n",
                    high = group_bits - 1
                );
                let condition = format!("wanted_{lane} && (turn_{lane} ? next_exists : now_exists)");
                text += &MemoryText {
                    name: &name,
                    width: code_bits,
                    depth,
                    contents: &[],
                    read_address: "read_place",
                    stores: &[StoreText::word(condition, group, data(lane))],
                }
                .text();
                codes.push((format!("{name}_read"), 0, code_bits));
            }
            return Verilog::Custom(text + &self.choice(&codes));
        }
        // Neighbouring slices share a memory: of two that are stored in one clock the second is in its row group or in another memory.
        let joined = self.joined(slices);
        let width = joined * lanes * code_bits;
        for first in (0..slices).step_by(joined) {
            let name = format!("slice_{first}");
            let is_now: Vec<String> = (first..first + joined).map(|slice| format!("slice_now == {slice}")).collect();
            text += &format!(
                "wire [{group_bits}:0] {name}_place = {{write_window, {} ? group_now[{high}:0] : group_next[{high}:0]}};\n",
                is_now.join(" || "),
                high = group_bits - 1
            );
            let stores: Vec<StoreText> = (0..joined * lanes)
                .map(|at| {
                    let (slice, lane) = (first + at / lanes, at % lanes);
                    let condition = format!(
                        "wanted_{lane} && (turn_{lane} ? slice_next == {slice} && next_exists : slice_now == {slice} && \
                         now_exists)"
                    );
                    let low = at * code_bits;
                    StoreText {
                        condition,
                        address: format!("{name}_place"),
                        data: data(lane),
                        part: (width > 1).then_some((low, low + code_bits - 1)),
                    }
                })
                .collect();
            text +=
                &MemoryText { name: &name, width, depth, contents: &[], read_address: "read_place", stores: &stores }
                    .text();
            codes.extend((0..joined * lanes).map(|at| (format!("{name}_read"), at * code_bits, width)));
        }
        Verilog::Custom(text + &self.choice(&codes))
    }
}

impl WindowMemory {
    /// Slices of a memory: as many as 16 bits hold, the word of a block RAM of the iCE40, but not all.
    fn joined(&self, slices: usize) -> usize {
        let fits = |joined: &usize| {
            joined * self._shape.lanes * self._shape.code_bits <= 16
                && slices.is_multiple_of(*joined)
                && *joined < slices
        };
        [8, 4, 2].into_iter().find(fits).unwrap_or(1)
    }

    /// Verilog: row group and slice of `write_position` and of the word after it. A slice is `gather_lanes` rows.
    fn places(&self, slices: usize) -> String {
        let Shape { group_bits, lanes, .. } = self._shape;
        let position_bits = self.write_position.bits();
        let lane_bits = lanes.trailing_zeros() as usize;
        let mut text = format!("wire [{position_bits}:0] word = {{1'b0, write_position}} >> {lane_bits};\n");
        if lanes > 1 {
            text += &format!("wire [{}:0] offset = write_position[{0}:0];\n", lane_bits - 1);
        }
        // Two bits more than a row group's number, so that nothing past the last one wraps.
        let group = range(group_bits + 2);
        if slices == 1 {
            return text + &format!("wire {group}group_now = word;\nwire {group}group_next = word + 1'b1;\n");
        }
        let slice_bits = bits_to_index(slices);
        let slice = range(slice_bits);
        text += &if slices.is_power_of_two() {
            let high = slice_bits - 1;
            format!("wire {group}group_now = word >> {slice_bits};\nwire {slice}slice_now = word[{high}:0];\n")
        } else {
            // word / slices as a product: exact, since the factor is too large by less than 1 in 2^position_bits.
            let shift = position_bits + slice_bits;
            let factor = (1u64 << shift).div_ceil(slices as u64);
            format!(
                "wire [{}:0] quotient = word * {};\nwire {group}group_now = quotient >> {shift};\n\
                 wire {slice}slice_now = word - group_now * {slices};\n",
                shift + position_bits,
                crate::verilog::literal(shift + 1, factor)
            )
        };
        text + &format!(
            "wire wraps = slice_now == {last};\nwire {group}group_next = wraps ? group_now + 1'b1 : group_now;\n\
             wire {slice}slice_next = wraps ? {slice_bits}'d0 : slice_now + 1'b1;\n",
            last = slices - 1
        )
    }

    /// Verilog of a read's second clock. `codes`: net, lowest bit and width of the net of the code in each row.
    fn choice(&self, codes: &[(String, usize, usize)]) -> String {
        let (rows, planes) = (self._shape.rows, self.rows.len());
        let high = rows - 1;
        let exists: Vec<String> = (0..rows).rev().map(|row| format!("read_rows > {row}")).collect();
        let mut text = format!(
            "reg [{high}:0] mask = 0;\nreg {}plane_group_held = 0;\nreg {}planes_held = 0;\n\
             always @(posedge clock) begin\n  mask <= {{{}}};\n  plane_group_held <= read_plane_group;\n  \
             planes_held <= read_planes;\nend\n",
            range(self.read_plane_group.bits()),
            range(self.read_planes.bits()),
            exists.join(", ")
        );
        for p in 0..planes {
            let mut chosen = format!("{rows}'d0");
            for group in (0..self._shape.code_bits / planes).rev() {
                let bit = |(net, low, width): &(String, usize, usize)| match width {
                    1 => net.clone(),
                    _ => format!("{net}[{}]", low + group * planes + p),
                };
                let bits: Vec<String> = codes.iter().rev().map(bit).collect();
                text += &format!("wire [{high}:0] plane_{group}_{p} = {{{}}};\n", bits.join(", "));
                chosen = format!("plane_group_held == {group} ? plane_{group}_{p} : ({chosen})");
            }
            text += &format!(
                "initial rows${p} = 0;\nalways @(posedge clock) rows${p} <= planes_held > {p} ? ({chosen}) & mask : {rows}'d0;\n"
            );
        }
        text
    }
}

//! The devices of a tile.

use crate::bus::{Bus, ROW_WORDS, WideBus, Words};
use crate::memory::initial_words;
use crate::verilog::{literal, range};
use bitline_golden::machine::{Machine, bits_to_index};
use rust_hdl::prelude::*;
use std::collections::VecDeque;

/// Column lanes that share a copy of what is stored, in a machine with a single address.
const LANES_OF_COPY: usize = 4;

/// Holds one bit a device, and gives `row_lanes` devices of `column_lanes` columns a clock.
///
/// A leaf in Verilog: memories of chosen shape are beyond RustHDL's translator.
///
/// **Function** address `column_group * row_groups + row_group` holds the devices of that column group and row
/// group; lane c is column `column_group * column_lanes + c`, bit r is row `row_group * row_lanes + r`.
/// **Ports** `read_address`: a clock later `devices[c * plane_lanes + p]` has lane c's rows, once for every plane lane; with a single address (the whole array
/// at once) `devices` shows the stored bits with no clock between. `write_enable` stores the low bits of
/// `write_data` as word `write_word` (16 rows) of lane `write_lane` at `write_address`, with a single address
/// [`DeviceArray::STORE_CYCLES`] later: its flip-flops lie all over the part, and each few lanes have a copy of the store.
/// An address that does not exist reads 0.
/// **State** the devices, at power-on what is given, else 0 (HRS). Rows that the last row group lacks stay 0.
#[derive(LogicBlock, Clone, Debug)]
pub struct DeviceArray {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Store up to 16 devices.
    pub write_enable: Signal<In, Bit>,
    /// Column group and row group.
    pub write_address: Bus<In>,
    /// Column within the group.
    pub write_lane: Bus<In>,
    /// 16 rows within the row group.
    pub write_word: Bus<In>,
    /// Their states, lowest row in bit 0.
    pub write_data: Bus<In>,
    /// Column group and row group to read.
    pub read_address: Bus<In>,
    /// The states read, one bus a column lane and plane lane.
    pub devices: Vec<WideBus<Out, ROW_WORDS>>,
    _stored: Vec<Vec<Words<ROW_WORDS>>>,
    _contents: Vec<Vec<Words<ROW_WORDS>>>,
    _rows: usize,
    _waiting: VecDeque<Option<Store>>,
    _shown: bool,
    _plane_lanes: usize,
    _row_groups: usize,
    _rows_of_last_group: usize,
}

/// A word to store.
#[derive(Clone, Copy, Debug)]
struct Store {
    address: usize,
    lane: usize,
    word: usize,
    data: u64,
}

impl DeviceArray {
    /// Clocks that a store waits in a machine with a single address.
    pub const STORE_CYCLES: usize = 2;
    /// Clocks from `read_address` to `devices`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The array of a machine, with `states[row][column]` at power-on (empty: all HRS).
    pub fn new(machine: &Machine, states: &[Vec<bool>]) -> Self {
        let (lanes, rows) = (machine.column_lanes, machine.row_lanes);
        let depth = machine.column_groups() * machine.row_groups();
        let mut stored = vec![vec![[0u64; ROW_WORDS]; lanes]; depth];
        for (row, columns) in states.iter().enumerate() {
            for column in (0..columns.len()).filter(|column| columns[*column]) {
                let address = column / lanes * machine.row_groups() + row / rows;
                stored[address][column % lanes][row % rows / 64] |= 1 << (row % rows % 64);
            }
        }
        Self {
            clock: Signal::default(),
            write_enable: Signal::default(),
            write_address: Bus::new(bits_to_index(depth)),
            write_lane: Bus::new(bits_to_index(lanes)),
            write_word: Bus::new(bits_to_index(machine.array_words())),
            write_data: Bus::new(16),
            read_address: Bus::new(bits_to_index(depth)),
            devices: (0..lanes * machine.plane_lanes).map(|_| WideBus::new(rows)).collect(),
            _plane_lanes: machine.plane_lanes,
            _row_groups: machine.row_groups(),
            _rows_of_last_group: machine.rows - (machine.row_groups() - 1) * machine.row_lanes,
            _contents: stored.clone(),
            _stored: stored,
            _rows: rows,
            _waiting: vec![None; Self::STORE_CYCLES].into(),
            _shown: false,
        }
    }

    /// Invert one stored device, behind the hardware's back.
    pub fn flip(&mut self, address: usize, lane: usize, row: usize) {
        self._stored[address][lane][row / 64] ^= 1 << (row % 64);
        self._shown = false;
    }

    /// Bits of word `word` that are rows of the last row group.
    fn mask_of_last_group(&self, word: usize) -> u64 {
        (1 << self._rows_of_last_group.saturating_sub(16 * word).min(16)) - 1
    }

    fn store(&mut self, Store { address, lane, word, data }: Store) {
        let last_group = address % self._row_groups == self._row_groups - 1;
        let last_mask = self.mask_of_last_group(word);
        let Some(stored) = self._stored.get_mut(address).and_then(|lanes| lanes.get_mut(lane)) else { return };
        if 16 * word < self._rows {
            let mask = (1u64 << (self._rows - 16 * word).min(16)) - 1;
            let exist = if last_group { mask & last_mask } else { mask };
            let (at, shift) = (word / 4, word % 4 * 16);
            stored[at] = stored[at] & !(mask << shift) | (data & exist) << shift;
        }
    }

    /// Words of 16 rows, and the width of each.
    fn words(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self._rows.div_ceil(16)).map(|k| (k, (self._rows - 16 * k).min(16)))
    }
}

impl Logic for DeviceArray {
    fn update(&mut self) {
        let single = self._stored.len() == 1;
        if self.clock.pos_edge() {
            let address = self.read_address.val() as usize;
            if !single {
                let lanes = self._stored.get(address);
                for (lane, buses) in self.devices.chunks_mut(self._plane_lanes).enumerate() {
                    let states = lanes.map_or(Default::default(), |lanes| lanes[lane]);
                    buses.iter_mut().for_each(|bus| bus.next = states);
                }
            }
            let now = self.write_enable.val().then(|| Store {
                address: if single { 0 } else { self.write_address.val() as usize },
                lane: self.write_lane.val() as usize,
                word: self.write_word.val() as usize,
                data: self.write_data.val(),
            });
            let due = if single {
                self._waiting.push_back(now);
                self._waiting.pop_front().flatten()
            } else {
                now
            };
            if let Some(store) = due {
                self.store(store);
                self._shown = false;
            }
        }
        if single && !self._shown {
            for (buses, lane) in self.devices.chunks_mut(self._plane_lanes).zip(&self._stored[0]) {
                buses.iter_mut().for_each(|bus| bus.next = *lane);
            }
            self._shown = true;
        }
    }
    fn connect(&mut self) {
        self.devices.iter_mut().for_each(|d| d.connect());
    }
    fn hdl(&self) -> Verilog {
        let depth = self._stored.len();
        let mut text = String::new();
        // Rows that the last row group does not have stay in HRS, whatever is written.
        if depth == 1 {
            text += &self.store_copies();
        }
        let ragged = self._row_groups > 1 && self._rows_of_last_group < self._rows;
        if ragged {
            let (groups, last) = (self._row_groups, self._row_groups - 1);
            text += &format!("wire of_last_group = (write_address % {groups}) == {last};\n");
        }
        for lane in 0..self._stored[0].len() {
            for (k, width) in self.words() {
                let name = format!("lane_{lane}_{k}");
                let [enable, lane_bus, word_bus, data_bus] = ["enable", "lane", "word", "data"].map(|port| {
                    if depth == 1 { format!("{port}_copy_{}", lane / LANES_OF_COPY) } else { format!("write_{port}") }
                });
                let data = if ragged {
                    format!("(of_last_group ? {data_bus} & {} : {data_bus})", literal(16, self.mask_of_last_group(k)))
                } else {
                    data_bus
                };
                let select = format!("{enable} && {lane_bus} == {lane} && {word_bus} == {k}");
                let start: Vec<u64> = (0..depth)
                    .map(|a| self._contents[a][lane][k / 4] >> (k % 4 * 16) & ((1u64 << width) - 1))
                    .collect();
                if depth == 1 {
                    text += &format!(
                        "reg {}{name} = {};\nalways @(posedge clock) if ({select}) {name} <= {data};\n",
                        range(width),
                        literal(width, start[0])
                    );
                } else {
                    // A word of a few bits is not worth a block RAM. Without one, what an address that does not exist reads
                    // is the synthesis' choice, unless it is said.
                    let is_logic = width * depth < 256;
                    let style = if is_logic { "(* ram_style = \"logic\" *) " } else { "" };
                    let read = if is_logic && !depth.is_power_of_two() {
                        format!("read_address < {depth} ? {name}[read_address] : {}", literal(width, 0))
                    } else {
                        format!("{name}[read_address]")
                    };
                    text += &format!(
                        "(* no_rw_check *) {style}reg {r}{name} [0:{}];\n{}reg {r}{name}_read;\n\
                         always @(posedge clock) begin\n  if ({select}) {name}[write_address] <= {data};\n  \
                         {name}_read <= {read};\nend\n",
                        depth - 1,
                        initial_words(&name, width, &start),
                        r = range(width),
                    );
                }
            }
            let suffix = if depth == 1 { "" } else { "_read" };
            let parts: Vec<String> = self.words().map(|(k, _)| format!("lane_{lane}_{k}{suffix}")).collect();
            let parts: Vec<String> = parts.into_iter().rev().collect();
            for p in 0..self._plane_lanes {
                let at = lane * self._plane_lanes + p;
                text += &format!("always @(*) devices${at} = {{{}}};\n", parts.join(", "));
            }
        }
        Verilog::Custom(text)
    }
}

impl DeviceArray {
    /// Verilog of `<port>_held`, the store a clock later, and of its copies `<port>_copy_<group>` a clock after that.
    fn store_copies(&self) -> String {
        let ports =
            [("enable", 1), ("lane", self.write_lane.bits()), ("word", self.write_word.bits()), ("data", 16usize)];
        let mut text = String::new();
        for (port, bits) in ports {
            text +=
                &format!("reg {}{port}_held = 0;\nalways @(posedge clock) {port}_held <= write_{port};\n", range(bits));
            for group in 0..self._stored[0].len().div_ceil(LANES_OF_COPY) {
                text += &format!("wire {}{port}_copy_{group};\n", range(bits));
                for i in 0..bits {
                    let at = if bits == 1 { String::new() } else { format!("[{i}]") };
                    let copy = format!("{port}_copy_{group}");
                    text += &format!("copied_bit {copy}_{i}(clock, {port}_held{at}, {copy}{at});\n");
                }
            }
        }
        text
    }
}

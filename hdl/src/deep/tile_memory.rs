//! The devices of every tile.

use super::{MemoryText, StoreText};
use crate::bus::{Bus, ROW_WORDS, WideBus, Words};
use crate::verilog::range;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// Rows of a word of the link.
const WORD_ROWS: usize = 16;

/// Holds one bit a device, and gives a whole tile a clock.
///
/// A leaf in Verilog: memories of chosen shape are beyond RustHDL's translator.
///
/// **Function** bit r of `devices[k]` is the device in row r and column k of the tile. In Verilog each 16 rows of a column
/// are a memory of their own, as deep as there are tiles.
/// **Ports** `read_address` (tile): [`TileMemory::LATENCY_CYCLES`] later `devices`, and with `read_column` and `read_word`
/// (16 rows) given beside it [`TileMemory::READ_BACK_CYCLES`] later `read_data`. `write_enable` stores the low bits of
/// `write_data` as word `write_word` of `write_column` of `write_tile`. Columns and words that do not exist store nothing;
/// read back, they are 0.
/// **Timing** interval one tile a clock. A tile read in the clock that writes it shows what was there before.
/// **State** the devices, at power-on what is given, else 0 (HRS).
/// **Limits** whoever reads makes no address from `tiles` up; in simulation such a tile reads 0 and stores nothing. In
/// hardware a word read in the clock that writes it is either the old or the new one.
#[derive(LogicBlock, Clone, Debug)]
pub struct TileMemory {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Tile to read.
    pub read_address: Bus<In>,
    /// Its column that the link reads.
    pub read_column: Bus<In>,
    /// 16 rows of that.
    pub read_word: Bus<In>,
    /// Store up to 16 devices.
    pub write_enable: Signal<In, Bit>,
    /// Tile.
    pub write_tile: Bus<In>,
    /// Column.
    pub write_column: Bus<In>,
    /// 16 rows.
    pub write_word: Bus<In>,
    /// Their states, lowest row in bit 0.
    pub write_data: Bus<In>,
    /// The tile's devices, one bus a column.
    pub devices: Vec<WideBus<Out, ROW_WORDS>>,
    /// The word read back, lowest row in bit 0.
    pub read_data: Bus<Out>,
    _stored: Vec<Words<ROW_WORDS>>,
    _contents: Vec<Words<ROW_WORDS>>,
    _rows: usize,
    _read: (usize, usize),
}

impl TileMemory {
    /// Clocks from `read_address` to `devices`.
    pub const LATENCY_CYCLES: u64 = 1;
    /// Clocks from `read_address`, `read_column` and `read_word` to `read_data`.
    pub const READ_BACK_CYCLES: u64 = 2;

    /// The tiles of a machine, with the devices `contents[tile][column][row]` at power-on, true for LRS.
    ///
    /// # Panics
    /// If the contents are more than the machine has.
    pub fn new(machine: &DeepMachine, contents: &[Vec<Vec<bool>>]) -> Self {
        let (rows, columns) = (machine.tile_rows, machine.tile_columns);
        assert!(contents.len() <= machine.tiles, "{} tiles for {}", contents.len(), machine.tiles);
        let mut stored = vec![[0; ROW_WORDS]; machine.tiles * columns];
        for (tile, given) in contents.iter().enumerate() {
            assert!(given.len() <= columns, "tile {tile}: {} columns for {columns}", given.len());
            for (column, states) in given.iter().enumerate() {
                assert!(states.len() <= rows, "tile {tile}: {} rows for {rows}", states.len());
                for row in (0..states.len()).filter(|row| states[*row]) {
                    stored[tile * columns + column][row / 64] |= 1 << (row % 64);
                }
            }
        }
        let (tile_bits, column_bits) = (bits_to_index(machine.tiles), bits_to_index(columns));
        let word_bits = bits_to_index(rows.div_ceil(WORD_ROWS));
        Self {
            clock: Signal::default(),
            read_address: Bus::new(tile_bits),
            read_column: Bus::new(column_bits),
            read_word: Bus::new(word_bits),
            write_enable: Signal::default(),
            write_tile: Bus::new(tile_bits),
            write_column: Bus::new(column_bits),
            write_word: Bus::new(word_bits),
            write_data: Bus::new(16),
            devices: (0..columns).map(|_| WideBus::new(rows)).collect(),
            read_data: Bus::new(16),
            _contents: stored.clone(),
            _stored: stored,
            _rows: rows,
            _read: (0, 0),
        }
    }

    /// Invert one stored device, behind the hardware's back.
    pub fn flip(&mut self, tile: usize, column: usize, row: usize) {
        self._stored[tile * self.devices.len() + column][row / 64] ^= 1 << (row % 64);
    }

    /// Rows that word `word` holds.
    fn word_rows(&self, word: usize) -> usize {
        self._rows.saturating_sub(WORD_ROWS * word).min(WORD_ROWS)
    }
}

impl Logic for TileMemory {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let columns = self.devices.len();
        let (column, word) = self._read;
        let read = self.devices.get(column).filter(|_| self.word_rows(word) > 0);
        self.read_data.next = read.map_or(0, |bus| bus.val()[word / 4] >> (word % 4 * WORD_ROWS) & 0xFFFF);
        self._read = (self.read_column.val() as usize, self.read_word.val() as usize);
        let first = self.read_address.val() as usize * columns;
        match self._stored.get(first..first + columns) {
            Some(tile) => self.devices.iter_mut().zip(tile).for_each(|(bus, states)| bus.next = *states),
            None => self.devices.iter_mut().for_each(|bus| bus.next = [0; ROW_WORDS]),
        }
        let (column, word) = (self.write_column.val() as usize, self.write_word.val() as usize);
        let rows = self.word_rows(word);
        if self.write_enable.val() && rows > 0 && column < columns {
            let at = self.write_tile.val() as usize * columns + column;
            let (mask, shift, data) = ((1u64 << rows) - 1, word % 4 * WORD_ROWS, self.write_data.val());
            if let Some(states) = self._stored.get_mut(at) {
                states[word / 4] = states[word / 4] & !(mask << shift) | (data & mask) << shift;
            }
        }
    }
    fn connect(&mut self) {
        self.devices.iter_mut().for_each(|bus| bus.connect());
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        let columns = self.devices.len();
        let words = self._rows.div_ceil(WORD_ROWS);
        let mut text = format!(
            "reg {}read_column_held = 0;\nreg {}read_word_held = 0;\nalways @(posedge clock) begin\n  \
             read_column_held <= read_column;\n  read_word_held <= read_word;\nend\n",
            range(self.read_column.bits()),
            range(self.read_word.bits())
        );
        let mut cases = String::new();
        for column in 0..columns {
            for word in 0..words {
                let (name, width) = (format!("column_{column}_{word}"), self.word_rows(word));
                let contents: Vec<u64> = self._contents[column..]
                    .iter()
                    .step_by(columns)
                    .map(|states| states[word / 4] >> (word % 4 * WORD_ROWS) & ((1 << width) - 1))
                    .collect();
                let select = format!("write_enable && write_column == {column} && write_word == {word}");
                text += &MemoryText {
                    name: &name,
                    width,
                    depth: self._stored.len() / columns,
                    contents: &contents,
                    read_address: "read_address",
                    stores: &[StoreText::word(select, "write_tile", "write_data")],
                }
                .text();
            }
            let parts: Vec<String> = (0..words).rev().map(|word| format!("column_{column}_{word}_read")).collect();
            text += &format!("always @(*) devices${column} = {{{}}};\n", parts.join(", "));
            cases += &format!("    {column}: column_words = devices${column};\n");
        }
        text += &format!(
            "reg [{high}:0] column_words;\nalways @(*) begin\n  case (read_column_held)\n{cases}    \
             default: column_words = 0;\n  endcase\nend\ninitial read_data = 0;\n\
             always @(posedge clock) begin\n  case (read_word_held)\n",
            high = words * WORD_ROWS - 1
        );
        for word in 0..words {
            let (high, low) = (word * WORD_ROWS + WORD_ROWS - 1, word * WORD_ROWS);
            text += &format!("    {word}: read_data <= column_words[{high}:{low}];\n");
        }
        Verilog::Custom(text + "    default: read_data <= 0;\n  endcase\nend\n")
    }
}

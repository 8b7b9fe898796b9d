//! Verilog that counts the ones of a word, with registers on the way.

use crate::verilog::range;
use bitline_golden::machine::{Machine, bits_to_hold};

/// Rows whose count is formed without a carry chain: as many as three bits hold.
const CHUNK_ROWS: usize = 7;

/// How many levels of adders stand between two registers, and of what they are made.
///
/// Machines that read one image a clock are made for speed, all others for area; only the first have columns by the
/// hundred, whose inputs come from afar. They need a large part, and there (ECP5) a carry chain costs two cells to enter
/// and two to leave: adders of three to six bits are smaller in tables. On iCE40 a chain comes with its tables.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    first: usize,
    further: usize,
    carry_chains: bool,
}

impl Pace {
    /// The pace of machines that read an image in several clocks.
    pub const FOLDED: Self = Self { first: 1, further: 3, carry_chains: true };

    /// The pace of a machine.
    pub fn of(machine: &Machine) -> Self {
        if machine.steps_per_image() == 1 { Self { first: 0, further: 2, carry_chains: false } } else { Self::FOLDED }
    }

    /// Clocks from `rows` rows to their registered count.
    pub fn clocks(self, rows: usize) -> usize {
        1 + levels(rows).saturating_sub(self.first).div_ceil(self.further)
    }
}

/// Adders between a chunk and the count of `rows` rows: each level adds two counts and one further row, so that
/// k levels count up to 2^(k + 3) - 1 rows.
fn levels(rows: usize) -> usize {
    if rows <= CHUNK_ROWS { 0 } else { rows.ilog2() as usize - 2 }
}

/// Verilog that counts where a word of `rows` bits, and if there is one a second, is set, and the net that holds the
/// count [`Pace::clocks`] later.
pub fn registered_count(pace: Pace, rows: usize, drives: &str, devices: Option<&str>) -> (String, String) {
    let mut tree = Tree {
        pace,
        text: match devices {
            Some(devices) => format!("wire {}driven = {drives} & {devices};\n", range(rows)),
            None => format!("wire {}driven = {drives};\n", range(rows)),
        },
        drives: drives.to_string(),
        devices: devices.map(str::to_string),
        registers: 0,
    };
    let total = tree.count(0, rows);
    let total = tree.registered(&total, pace.clocks(rows));
    (tree.text, total)
}

/// Verilog of a tree of counts, as it grows.
struct Tree {
    pace: Pace,
    text: String,
    drives: String,
    devices: Option<String>,
    registers: usize,
}

/// A net that holds the count of `rows` rows, in the clock numbered `clock` (0: that of the inputs).
#[derive(Clone)]
struct Count {
    net: String,
    rows: usize,
    clock: usize,
}

impl Tree {
    /// The count of `rows` rows from `start` up, not registered after its last adder.
    ///
    /// A chain of full adders takes a row of its own as its carry in: below the counts' lowest bits stand its drive and
    /// its device, whose carry is their AND; in later clocks the row, already known, and 1. (Never one net twice: a table
    /// with the same net on two inputs can keep nextpnr's router from ending.)
    fn count(&mut self, start: usize, rows: usize) -> Count {
        let clock = self.pace.clocks(rows) - 1;
        if rows <= CHUNK_ROWS {
            return Count { net: self.chunk(start, rows), rows, clock };
        }
        let left_rows = (1 << rows.ilog2()) - 1;
        let right_rows = rows - left_rows - 1;
        let left = self.count(start, left_rows);
        let left = self.registered(&left, clock);
        let right = (right_rows > 0).then(|| self.count(start + left_rows, right_rows));
        let right = right.map_or_else(|| "1'b0".to_string(), |right| self.registered(&right, clock));
        let extra = start + rows - 1;
        let (drive, device) = if clock == 0 {
            self.row(extra)
        } else {
            let row = self.registered(&Count { net: format!("driven[{extra}]"), rows: 1, clock: 0 }, clock);
            (row, "1'b1".into())
        };
        let (net, bits) = (format!("sum_{start}_{rows}"), bits_to_hold(rows));
        let left_bits = bits_to_hold(left_rows);
        if !self.pace.carry_chains {
            self.text += &ripple(&net, (&left, left_bits), (&right, bits_to_hold(right_rows)), &drive);
            return Count { net, rows, clock };
        }
        let right = match bits_to_hold(right_rows).max(1) {
            width if width == left_bits => right,
            width => format!("{{{}'b0, {right}}}", left_bits - width),
        };
        self.text += &format!(
            "wire [{bits}:0] wide_{net} = {{1'b0, {left}, {drive}}} + {{1'b0, {right}, {device}}};\n\
             wire [{}:0] {net} = wide_{net}[{bits}:1];\n",
            bits - 1
        );
        Count { net, rows, clock }
    }

    /// Drive and device of a row.
    fn row(&self, row: usize) -> (String, String) {
        let device = self.devices.as_ref().map_or_else(|| "1'b1".to_string(), |devices| format!("{devices}[{row}]"));
        (format!("{}[{row}]", self.drives), device)
    }

    /// The same count in a later clock.
    fn registered(&mut self, count: &Count, clock: usize) -> String {
        let mut net = count.net.clone();
        for _ in count.clock..clock {
            let name = format!("held_{}", self.registers);
            self.text += &register(&name, bits_to_hold(count.rows), &net);
            self.registers += 1;
            net = name;
        }
        net
    }

    /// The count of at most seven driven rows from `start` up.
    ///
    /// Seven rows take eleven four-input look-up tables: two rows give a sum and a carry straight from their four inputs,
    /// a further row joins a full adder without an AND of its own, and the four carries, which never hold more than three,
    /// make the two upper bits in one table each. Each table is a module of [`LIBRARY`].
    fn chunk(&mut self, start: usize, rows: usize) -> String {
        let (name, bits) = (format!("chunk_{start}"), bits_to_hold(rows));
        if rows < CHUNK_ROWS {
            let terms: Vec<String> = (0..rows).map(|i| format!("{{{bits}'b0, driven[{}]}}", start + i)).collect();
            self.text += &format!("wire {}{name} = {};\n", range(bits), terms.join(" + "));
            return name;
        }
        let row = |i: usize| {
            let (drive, device) = self.row(start + i);
            format!("{drive}, {device}")
        };
        let tables = [
            ("s0", "pair_sum", format!("{}, {}", row(0), row(1))),
            ("c0", "pair_carry", format!("{}, {}", row(0), row(1))),
            ("s1", "pair_sum", format!("{}, {}", row(2), row(3))),
            ("c1", "pair_carry", format!("{}, {}", row(2), row(3))),
            ("s2", "row_sum", format!("{name}_s0, {name}_s1, {}", row(4))),
            ("c2", "row_carry", format!("{name}_s0, {name}_s1, {}", row(4))),
            ("a", "row", row(5)),
            ("s3", "row_sum", format!("{name}_s2, {name}_a, {}", row(6))),
            ("c3", "row_carry", format!("{name}_s2, {name}_a, {}", row(6))),
            ("two", "carries_sum", format!("{name}_c0, {name}_c1, {name}_c2, {name}_c3")),
            ("four", "carries_two", format!("{name}_c0, {name}_c1, {name}_c2, {name}_c3")),
        ];
        for (net, table, inputs) in tables {
            self.text += &format!("wire {name}_{net};\ncount_{table} {name}_{net}_table({inputs}, {name}_{net});\n");
        }
        self.text += &format!("wire [2:0] {name} = {{{name}_four, {name}_two, {name}_s3}};\n");
        name
    }
}

/// Verilog of `net`: a count, a smaller or equal one, and a row, added in tables alone. Counts are nets and their bits; one
/// of no bits is 0.
fn ripple(net: &str, (left, left_bits): (&str, usize), (right, right_bits): (&str, usize), row: &str) -> String {
    let bit = |count: &str, bits: usize, i: usize| if bits == 1 { count.to_string() } else { format!("{count}[{i}]") };
    let mut text = format!("wire [{left_bits}:0] {net};\n");
    let mut carry = row.to_string();
    for i in 0..left_bits {
        let (l, next) = (bit(left, left_bits, i), format!("{net}_carry_{i}"));
        text += &format!("wire {next};\n");
        text += &if i < right_bits {
            let inputs = format!("{l}, {}, {carry}", bit(right, right_bits, i));
            format!(
                "count_full_sum {net}_sum_table_{i}({inputs}, {net}[{i}]);\n\
                 count_full_carry {net}_carry_table_{i}({inputs}, {next});\n"
            )
        } else {
            format!("assign {net}[{i}] = {l} ^ {carry};\nassign {next} = {l} & {carry};\n")
        };
        carry = next;
    }
    text + &format!("assign {net}[{left_bits}] = {carry};\n")
}

/// The tables of a seven-row counter and of an adder without carry chains, one module each, which an export adds where they are used.
///
/// A hierarchy that is kept is the one border that every version of Yosys respects; left alone, some find 13 tables
/// instead of 11. The flow flattens the netlist when the tables are made.
pub const LIBRARY: &str = "\
// Tables of the population count: p, q are row drives, d, e the devices on those rows.
(* keep_hierarchy *)
module count_row(input wire p, input wire d, output wire y);
    assign y = p & d;
endmodule
(* keep_hierarchy *)
module count_pair_sum(input wire p, input wire d, input wire q, input wire e, output wire y);
    assign y = (p & d) ^ (q & e);
endmodule
(* keep_hierarchy *)
module count_pair_carry(input wire p, input wire d, input wire q, input wire e, output wire y);
    assign y = (p & d) & (q & e);
endmodule
(* keep_hierarchy *)
module count_row_sum(input wire a, input wire b, input wire p, input wire d, output wire y);
    assign y = a ^ b ^ (p & d);
endmodule
(* keep_hierarchy *)
module count_row_carry(input wire a, input wire b, input wire p, input wire d, output wire y);
    assign y = (a & b) | (p & d & (a | b));
endmodule
(* keep_hierarchy *)
module count_carries_sum(input wire a, input wire b, input wire c, input wire d, output wire y);
    assign y = a ^ b ^ c ^ d;
endmodule
(* keep_hierarchy *)
module count_full_sum(input wire a, input wire b, input wire c, output wire y);
    assign y = a ^ b ^ c;
endmodule
(* keep_hierarchy *)
module count_full_carry(input wire a, input wire b, input wire c, output wire y);
    assign y = (a & b) | (c & (a | b));
endmodule
// At most three of the four are set.
(* keep_hierarchy *)
module count_carries_two(input wire a, input wire b, input wire c, input wire d, output wire y);
    assign y = (a & b) | (c & d) | ((a | b) & (c | d));
endmodule
";

/// A register `name` of `bits` bits that takes `value` each clock.
pub fn register(name: &str, bits: usize, value: &str) -> String {
    format!("reg {}{name} = 0;\nalways @(posedge clock) {name} <= {value};\n", range(bits))
}

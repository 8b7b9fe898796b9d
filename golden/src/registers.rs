//! The register map and the memory map: one table from which gateware, host, docs and tests are made.
//!
//! An address is 24 bits: a region in bits 23..16, an offset in bits 15..0. Every offset names a 16-bit word. A
//! 32-bit register takes two words, the low half first.

use crate::counters::Counters;
use crate::machine::{Machine, bits_to_hold, bits_to_index};

/// Version of link and register map; the host refuses any other.
pub const PROTOCOL_VERSION: u16 = 1;

/// What the upper 8 bits of an address select.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Region {
    /// The registers of [`REGISTERS`].
    Registers = 0,
    /// The devices, see [`ArrayAddress`].
    Array = 1,
    /// Images and results, see [`slot_offset`].
    Slots = 2,
    /// One label a slot; [`NO_LABEL`] means none.
    Labels = 3,
}

impl Region {
    /// The region of that code.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Registers, Self::Array, Self::Slots, Self::Labels].into_iter().find(|r| *r as u8 == code)
    }
}

/// Label of an image whose class is unknown: it is never counted as correct.
pub const NO_LABEL: u16 = 0xFFFF;

/// Who may write a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The host reads; a write is refused.
    ReadOnly,
    /// The host reads and writes.
    ReadWrite,
    /// A write acts; reads give 0.
    WriteOnly,
}

/// One row of the register map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// Name, as golden, gateware, host and docs call it.
    pub name: &'static str,
    /// Offset of its first word.
    pub offset: u16,
    /// Words it takes.
    pub words: u16,
    /// Width in bits, of which [`Register::kept_bits`] are kept; counters saturate at 2^width - 1.
    pub width: u32,
    /// Who may write it.
    pub access: Access,
    /// What one unit is, what starts and stops it.
    pub doc: &'static str,
}

const fn register(
    name: &'static str,
    offset: u16,
    words: u16,
    width: u32,
    access: Access,
    doc: &'static str,
) -> Register {
    Register { name, offset, words, width, access, doc }
}

use Access::{ReadOnly, ReadWrite, WriteOnly};

impl Register {
    /// Bits that a machine keeps of it: those that its number of slots needs, for the registers that count or name
    /// slots; [`Register::width`] for all others.
    pub fn kept_bits(&self, machine: &Machine) -> usize {
        match self.name {
            "first_slot" | "result_slot" => bits_to_index(machine.slots),
            "image_count" => bits_to_hold(machine.slots),
            _ => self.width as usize,
        }
    }
}

/// The register map.
pub const REGISTERS: [Register; 31] = [
    register("protocol", 0, 1, 16, ReadOnly, "version of link and register map"),
    register("name", 1, 8, 128, ReadOnly, "machine name, ASCII, two characters a word, low byte first, padded with 0"),
    register("rows", 9, 1, 16, ReadOnly, "rows of a tile, bias rows included"),
    register("outputs", 10, 1, 16, ReadOnly, "outputs"),
    register("word_bits", 11, 1, 16, ReadOnly, "weight bits in the low byte, input bits in the high byte"),
    register("row_lanes", 12, 1, 16, ReadOnly, "rows read per clock"),
    register("plane_lanes", 13, 1, 16, ReadOnly, "planes read per clock"),
    register("column_lanes", 14, 1, 16, ReadOnly, "columns read per clock"),
    register("slots", 15, 1, 16, ReadOnly, "slots of the slot memory"),
    register("quantizer_bits", 16, 1, 16, ReadOnly, "width of a quantizer's code"),
    register("build_hash", 17, 4, 64, ReadOnly, "hash of the machine's description and of the gateware's source"),
    register("frames_ok", 21, 2, 24, ReadOnly, "frames executed or refused for their content, since power-on"),
    register("frames_bad", 23, 2, 16, ReadOnly, "frames dropped for CRC, length or overrun, since power-on"),
    register(
        "frames_resent",
        25,
        2,
        16,
        ReadOnly,
        "frames acknowledged again without being executed again, since power-on",
    ),
    register("status", 27, 1, 2, ReadOnly, "bit 0: a run is under way; bit 1: a checksum is under way"),
    register("mode", 28, 1, 1, ReadWrite, "bit 0: store results, image i of a run in slot result_slot + i"),
    register(
        "first_slot",
        29,
        1,
        16,
        ReadWrite,
        "slot of the first image of a run or checksum; keeps the bits that index the machine's slots",
    ),
    register(
        "image_count",
        30,
        1,
        16,
        ReadWrite,
        "images of a run, or slots of a checksum; keeps the bits that hold the number of slots",
    ),
    register(
        "result_slot",
        31,
        1,
        16,
        ReadWrite,
        "slot of the first result; keeps the bits that index the machine's slots",
    ),
    register("checksum_region", 32, 1, 2, ReadWrite, "region of a checksum: 1 array, 2 slots, 3 labels"),
    register(
        "control",
        33,
        1,
        3,
        WriteOnly,
        "bit 0: start a run; bit 1: clear the run counters; bit 2: start a checksum",
    ),
    register(
        "checksum",
        34,
        4,
        64,
        ReadOnly,
        "sum of the words read (low 32 bits), and sum of those sums (high 32 bits)",
    ),
    register(
        "cycles",
        38,
        2,
        32,
        ReadOnly,
        "clocks a run was under way, from the clock after start to the last verdict",
    ),
    register("busy_cycles", 40, 2, 32, ReadOnly, "clocks in which the array was read"),
    register(
        "array_reads",
        42,
        2,
        32,
        ReadOnly,
        "planes applied to a tile, counted once however a plane's reading is folded",
    ),
    register("row_pulses", 44, 2, 32, ReadOnly, "rows driven, summed over array reads, bias rows included"),
    register("conversions", 46, 2, 32, ReadOnly, "column counts converted by a quantizer"),
    register("saturations", 48, 2, 32, ReadOnly, "conversions whose code was clamped"),
    register("macs", 50, 2, 32, ReadOnly, "multiply-accumulates of whole weights and inputs, rows x outputs an image"),
    register("images", 52, 2, 24, ReadOnly, "images finished"),
    register("correct", 54, 2, 24, ReadOnly, "images whose class was their label's; its low nine bits drive the LEDs"),
];

/// Words of the register region.
pub const REGISTER_WORDS: u16 = 56;
/// Words that IDENTIFY answers: everything from `protocol` to `frames_resent`.
pub const IDENTIFY_WORDS: u16 = 27;

/// Bit of `status`: a run is under way.
pub const STATUS_RUNNING: u16 = 1;
/// Bit of `status`: a checksum is under way.
pub const STATUS_CHECKSUM: u16 = 2;
/// Bit of `control`: start a run.
pub const CONTROL_START: u16 = 1;
/// Bit of `control`: clear the run counters.
pub const CONTROL_CLEAR: u16 = 2;
/// Bit of `control`: start a checksum.
pub const CONTROL_CHECKSUM: u16 = 4;
/// Bit of `mode`: store results.
pub const MODE_STORE: u16 = 1;

/// The row of the map with that name.
///
/// # Panics
/// If there is none: names are literals in this project's code.
pub const fn find(name: &str) -> &'static Register {
    let mut i = 0;
    while i < REGISTERS.len() {
        if equal(REGISTERS[i].name.as_bytes(), name.as_bytes()) {
            return &REGISTERS[i];
        }
        i += 1;
    }
    panic!("no such register");
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    if a.len() != b.len() {
        return false;
    }
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A 24-bit address.
pub fn address(region: Region, offset: u16) -> u32 {
    (region as u32) << 16 | u32::from(offset)
}

/// Where up to 16 devices of one column lie: rows `row_group * row_lanes + 16 * word` and up, lowest row in bit 0.
///
/// As an offset it has three fields, from high to low: step (`column_group * row_groups + row_group`, the address of
/// the device memory), lane (which of the columns read together) and word. Offsets between the fields' ends do not
/// exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrayAddress {
    /// Column of the tile.
    pub column: usize,
    /// Row group.
    pub row_group: usize,
    /// Word within the row group.
    pub word: usize,
}

impl ArrayAddress {
    /// Bits of the word field in an offset; 0 if a row group takes one word.
    pub fn word_bits(machine: &Machine) -> usize {
        if machine.array_words() == 1 { 0 } else { bits_to_index(machine.array_words()) }
    }

    /// Bits of the lane field in an offset; 0 if columns are read one by one.
    pub fn lane_bits(machine: &Machine) -> usize {
        if machine.column_lanes == 1 { 0 } else { bits_to_index(machine.column_lanes) }
    }

    /// Offset in [`Region::Array`].
    pub fn offset(&self, machine: &Machine) -> u16 {
        let (group, lane) = (self.column / machine.column_lanes, self.column % machine.column_lanes);
        let step = group * machine.row_groups() + self.row_group;
        ((step << Self::lane_bits(machine) | lane) << Self::word_bits(machine) | self.word) as u16
    }

    /// The address at that offset, if it exists.
    pub fn from_offset(machine: &Machine, offset: u16) -> Option<Self> {
        let (word_bits, lane_bits) = (Self::word_bits(machine), Self::lane_bits(machine));
        let offset = usize::from(offset);
        let word = offset & ((1 << word_bits) - 1);
        let lane = offset >> word_bits & ((1 << lane_bits) - 1);
        let step = offset >> word_bits >> lane_bits;
        let column = step / machine.row_groups() * machine.column_lanes + lane;
        (lane < machine.column_lanes && column < machine.columns() && word < machine.array_words()).then_some(Self {
            column,
            row_group: step % machine.row_groups(),
            word,
        })
    }

    /// Rows of this word that exist, lowest first.
    pub fn rows(&self, machine: &Machine) -> std::ops::Range<usize> {
        let group_end = ((self.row_group + 1) * machine.row_lanes).min(machine.rows);
        let start = self.row_group * machine.row_lanes + 16 * self.word;
        start.min(group_end)..(start + 16).min(group_end)
    }

    /// Every address of a tile, in the order of their offsets, which is the order the on-chip checksum reads them.
    pub fn all(machine: &Machine) -> impl Iterator<Item = Self> {
        let (columns, lanes) = (machine.columns(), machine.column_lanes);
        let (groups, words) = (machine.row_groups(), machine.array_words());
        (0..machine.column_groups()).flat_map(move |column_group| {
            (0..groups).flat_map(move |row_group| {
                let first = column_group * lanes;
                (first..(first + lanes).min(columns))
                    .flat_map(move |column| (0..words).map(move |word| Self { column, row_group, word }))
            })
        })
    }
}

/// Whether `words` words from `offset` may be read or written in one frame: all of them exist, and none but those of
/// the registers and labels leaves its column's row group or its slot.
pub fn range_exists(machine: &Machine, region: Region, offset: u16, words: usize) -> bool {
    let start = usize::from(offset);
    match region {
        Region::Registers => start + words <= usize::from(REGISTER_WORDS),
        Region::Labels => start + words <= machine.slots,
        Region::Slots => {
            let bits = bits_to_index(machine.slot_words());
            start >> bits < machine.slots && (start & ((1 << bits) - 1)) + words <= machine.slot_words()
        }
        Region::Array => ArrayAddress::from_offset(machine, offset)
            .is_some_and(|address| address.word + words <= machine.array_words()),
    }
}

/// Offset in [`Region::Slots`] of a lane of a slot.
pub fn slot_offset(machine: &Machine, slot: usize, lane: usize) -> u16 {
    (slot << bits_to_index(machine.slot_words()) | lane) as u16
}

/// Lane of a result slot that holds the class; lanes below hold y of each output, 16-bit two's complement.
pub fn class_lane(machine: &Machine) -> usize {
    machine.outputs
}

/// Lane of a result slot that holds the margin.
pub fn margin_lane(machine: &Machine) -> usize {
    machine.outputs + 1
}

/// Pack an image's input codes into its slot's words: code k takes bits `k * input_bits` and up, low word first.
pub fn pack_image(machine: &Machine, codes: &[u8]) -> Vec<u16> {
    let mut words = vec![0u16; machine.input_words()];
    for (k, code) in codes.iter().enumerate() {
        for bit in 0..machine.input_bits {
            if code >> bit & 1 == 1 {
                let at = k * machine.input_bits + bit;
                words[at / 16] |= 1 << (at % 16);
            }
        }
    }
    words
}

/// The on-chip checksum of a sequence of words: low half the sum of the words, high half the sum of the running
/// sums, both modulo 2^32.
pub fn checksum(words: impl IntoIterator<Item = u16>) -> u64 {
    let (mut sum, mut sums) = (0u32, 0u32);
    for word in words {
        sum = sum.wrapping_add(u32::from(word));
        sums = sums.wrapping_add(sum);
    }
    u64::from(sums) << 32 | u64::from(sum)
}

/// Names of the run counters in register order, with the field each belongs to.
pub const RUN_COUNTERS: [&str; 9] =
    ["cycles", "busy_cycles", "array_reads", "row_pulses", "conversions", "saturations", "macs", "images", "correct"];

impl Counters {
    /// The counters in the order of [`RUN_COUNTERS`].
    pub fn values(&self) -> [u64; 9] {
        [
            self.cycles,
            self.busy_cycles,
            self.array_reads,
            self.row_pulses,
            self.conversions,
            self.saturations,
            self.macs,
            self.images,
            self.correct,
        ]
    }

    /// Counters from values in the order of [`RUN_COUNTERS`].
    pub fn from_values(v: [u64; 9]) -> Self {
        let [cycles, busy_cycles, array_reads, row_pulses, conversions, saturations, macs, images, correct] = v;
        Self { cycles, busy_cycles, array_reads, row_pulses, conversions, saturations, macs, images, correct }
    }

    /// Add the counters of a further run, saturating at each register's width as the hardware does.
    pub fn accumulate(&self, run: &Self) -> Self {
        let (mine, theirs) = (self.values(), run.values());
        Self::from_values(std::array::from_fn(|i| (mine[i] + theirs[i]).min((1u64 << find(RUN_COUNTERS[i]).width) - 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_packed_without_gap_or_overlap() {
        let mut next = 0;
        for r in REGISTERS {
            assert_eq!(r.offset, next, "{}", r.name);
            assert!(r.width <= u32::from(r.words) * 16, "{}", r.name);
            next += r.words;
        }
        assert_eq!(next, REGISTER_WORDS);
        assert_eq!(find("status").offset, IDENTIFY_WORDS);
    }

    #[test]
    fn array_addresses_are_distinct_and_cover_every_device_once() {
        for name in Machine::names() {
            let machine = Machine::named(name).unwrap();
            let mut offsets = std::collections::HashSet::new();
            let mut seen = vec![0; machine.rows * machine.columns()];
            for address in ArrayAddress::all(&machine) {
                let offset = address.offset(&machine);
                assert!(offsets.insert(offset));
                assert_eq!(ArrayAddress::from_offset(&machine, offset), Some(address));
                for row in address.rows(&machine) {
                    seen[row * machine.columns() + address.column] += 1;
                }
            }
            assert!(seen.iter().all(|n| *n == 1), "{name}");
            let exist = (0..=u16::MAX).filter(|o| ArrayAddress::from_offset(&machine, *o).is_some()).count();
            assert_eq!(exist, offsets.len(), "{name}");
        }
    }

    #[test]
    fn checksum_of_swapped_words_differs() {
        assert_eq!(checksum([1, 2, 3]), (1 + 3 + 6) << 32 | 6);
        assert_ne!(checksum([1, 2, 3]), checksum([2, 1, 3]));
    }

    #[test]
    fn counters_saturate_at_the_width_of_their_register() {
        let full = Counters { cycles: u64::from(u32::MAX), images: (1 << 24) - 2, ..Default::default() };
        let more = Counters { cycles: 7, images: 5, correct: 1, ..Default::default() };
        let sum = full.accumulate(&more);
        assert_eq!((sum.cycles, sum.images, sum.correct), (u64::from(u32::MAX), (1 << 24) - 1, 1));
    }
}

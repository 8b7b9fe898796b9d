//! A machine that runs networks of several layers from a program, read from `configs/*.toml`.
//!
//! Sizes are chosen there and nowhere else; every other width that golden, firmware, gateware and host share is derived
//! here. A tile is what is read in one clock: `tile_rows` rows and `tile_columns` columns, `plane_lanes` planes at once.

use crate::machine::{Conductance, LinkConfig, Machine, MachineError, QuantizerConfig, bits_to_hold, built_in};
use serde::{Deserialize, Serialize};

/// Columns of an output at most.
pub const MOST_COLUMNS: usize = 8;
/// Bits of a code that thresholds make, at most.
pub const MOST_THRESHOLD_BITS: usize = 4;

/// A complete, sized design with a sequencer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepMachine {
    /// Name, at most 16 ASCII characters.
    pub name: String,
    /// Rows of a tile, all read in one clock.
    pub tile_rows: usize,
    /// Columns of a tile, all read in one clock; a multiple of 8.
    pub tile_columns: usize,
    /// Columns of an output at most, and so bits of a weight: 4 or 8.
    #[serde(default = "most_columns")]
    pub weight_bits: usize,
    /// Tiles.
    pub tiles: usize,
    /// Banks that the tiles lie in, for messages and pictures (S000 has four).
    pub banks: usize,
    /// Bits of a code, and so most planes of an input, 1..=8.
    pub code_bits: usize,
    /// Planes read per clock: a divisor of `code_bits`.
    pub plane_lanes: usize,
    /// Codes of the activation memory, images aside.
    pub codes: usize,
    /// Codes of an image at most, borders included: a multiple of 2.
    pub image_codes: usize,
    /// Images, and results, held at a time.
    pub slots: usize,
    /// Codes that the gatherer moves a clock: a power of two that divides `codes`, `image_codes` and `tile_rows`.
    pub gather_lanes: usize,
    /// Row groups of a window at most.
    pub row_groups: usize,
    /// Outputs that leave the array a clock.
    pub output_lanes: usize,
    /// Entries of the threshold memory: a multiple of `output_lanes`.
    pub thresholds: usize,
    /// Outputs of the last layer at most.
    pub sums: usize,
    /// Records of layer counters.
    pub layers: usize,
    /// Instructions of the program memory.
    pub instructions: usize,
    /// Clocks of an image after which the watchdog ends it, as a power of two.
    pub watchdog_bits: usize,
    /// Device resistances.
    pub conductance: Conductance,
    /// The quantizer's constants.
    pub quantizer: QuantizerConfig,
    /// The link's speed.
    pub link: LinkConfig,
}

fn most_columns() -> usize {
    MOST_COLUMNS
}

const BUILT_IN: [(&str, &str); 4] = [
    ("tiny-deep", include_str!("../../configs/tiny-deep.toml")),
    ("mnist", include_str!("../../configs/mnist.toml")),
    ("mnist-small", include_str!("../../configs/mnist-small.toml")),
    ("kws", include_str!("../../configs/kws.toml")),
];

impl DeepMachine {
    /// Names of the machines in `configs/` that run programs.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The machine of that name in `configs/`, as it stood when this crate was built.
    ///
    /// # Errors
    /// [`MachineError::Unknown`] lists the names there are.
    pub fn named(name: &str) -> Result<Self, MachineError> {
        Self::from_toml(built_in(&BUILT_IN, name)?)
    }

    /// The same, if a machine of that name runs programs.
    ///
    /// # Errors
    /// Those of [`DeepMachine::named`] but for [`MachineError::Unknown`].
    pub fn find(name: &str) -> Result<Option<Self>, MachineError> {
        Self::names().any(|known| known == name).then(|| Self::named(name)).transpose()
    }

    /// Read and check a machine's description.
    ///
    /// # Errors
    /// [`MachineError::Syntax`] or [`MachineError::Range`].
    pub fn from_toml(text: &str) -> Result<Self, MachineError> {
        let machine: Self =
            toml::from_str(text).map_err(|e| MachineError::Syntax { message: e.to_string().trim().to_string() })?;
        machine.check()?;
        Ok(machine)
    }

    /// Check every size and every width derived from it.
    ///
    /// # Errors
    /// [`MachineError::Range`] names the first field that is out of its range.
    pub fn check(&self) -> Result<(), MachineError> {
        let fail = |field, value: usize, limit: String, remedy| {
            Err(MachineError::Range { machine: self.name.clone(), field, value: value as u64, limit, remedy })
        };
        let range = |field, value: usize, low: usize, high: usize, remedy| {
            if (low..=high).contains(&value) { Ok(()) } else { fail(field, value, format!("{low}..={high}"), remedy) }
        };
        let multiple = |field, value: usize, of: usize, remedy| {
            if value.is_multiple_of(of) { Ok(()) } else { fail(field, value, format!("a multiple of {of}"), remedy) }
        };
        range("name length", self.name.len(), 1, 16, "shorten the name")?;
        range("tile_rows", self.tile_rows, 1, 256, "a row group of more rows takes several tiles")?;
        range("tile_columns", self.tile_columns, MOST_COLUMNS, 64, "read further columns as further tiles")?;
        multiple("tile_columns", self.tile_columns, MOST_COLUMNS, "an output's columns must not straddle two tiles")?;
        range("weight_bits", self.weight_bits, MOST_COLUMNS / 2, MOST_COLUMNS, "outputs have 1, 4 or 8 columns")?;
        multiple("weight_bits", self.weight_bits, MOST_COLUMNS / 2, "outputs have 1, 4 or 8 columns")?;
        range("tiles", self.tiles, 1, 1 << 16, "a machine has at least one tile")?;
        range("banks", self.banks, 1, self.tiles, "a bank has at least one tile")?;
        range("code_bits", self.code_bits, 1, 8, "requantize the inputs")?;
        range("plane_lanes", self.plane_lanes, 1, self.code_bits, "use `code_bits` to read every plane at once")?;
        multiple("code_bits", self.code_bits, self.plane_lanes, "planes are read in equal groups")?;
        range("gather_lanes", self.gather_lanes, 1, 64, "a memory word holds up to 64 codes")?;
        range("codes", self.codes, self.gather_lanes, 1 << 16, "instructions address 65,536 codes")?;
        range("image_codes", self.image_codes, self.gather_lanes, 1 << 16, "instructions address 65,536 codes")?;
        range("slots", self.slots, 1, 1 << 8, "load the images in batches")?;
        for (field, value) in [("codes", self.codes), ("image_codes", self.image_codes), ("tile_rows", self.tile_rows)]
        {
            multiple(field, value, self.gather_lanes, "memories are words of `gather_lanes` codes")?;
        }
        if !self.gather_lanes.is_power_of_two() {
            return fail(
                "gather_lanes",
                self.gather_lanes,
                "a power of two".into(),
                "codes lie in banks by their low bits",
            );
        }
        range("gather_lanes", self.gather_lanes, 2, 32, "a word of the link is two codes")?;
        if !self.image_codes.is_power_of_two() {
            return fail(
                "image_codes",
                self.image_codes,
                "a power of two".into(),
                "an image's address is its slot's number and a place",
            );
        }
        multiple("codes", self.codes, self.image_codes, "images lie behind the codes, each at a multiple of its size")?;
        range("codes with images", self.memory_codes(), 1, 1 << 17, "hold fewer images")?;
        for (field, value) in [("tile_rows", self.tile_rows), ("tile_columns", self.tile_columns)] {
            if !value.is_power_of_two() {
                return fail(
                    field,
                    value,
                    "a power of two".into(),
                    "the link counts tiles, columns and rows without gaps",
                );
            }
        }
        range("row_groups", self.row_groups, 1, 256, "split the window over several layers")?;
        range(
            "output_lanes",
            self.output_lanes,
            1,
            self.gather_lanes.min(self.tile_columns / 4),
            "a tile has that many outputs of four columns",
        )?;
        multiple("tile_columns / 4", self.tile_columns / 4, self.output_lanes, "outputs leave in equal groups")?;
        if !self.output_lanes.is_power_of_two() {
            return fail(
                "output_lanes",
                self.output_lanes,
                "a power of two".into(),
                "thresholds lie in banks by their low bits",
            );
        }
        range("thresholds", self.thresholds, self.output_lanes, 1 << 11, "an offset of the link is 16 bits")?;
        multiple("thresholds", self.thresholds, self.output_lanes, "thresholds lie in `output_lanes` banks")?;
        range("sums", self.sums, 2, 256, "argmax needs two outputs to have a margin")?;
        range("layers", self.layers, 1, 16, "`count` names one of 16 records")?;
        range("instructions", self.instructions, 2, 1 << 12, "an offset of the link is 16 bits")?;
        range("watchdog_bits", self.watchdog_bits, 8, 32, "give the watchdog a clock count as a power of two")?;
        range("quantizer.bits", self.quantizer.bits as usize, 1, 16, "codes are at most 16 bits")?;
        range("quantizer.shift", self.quantizer.shift as usize, 0, 32, "scale the multiplier down as well")?;
        range("quantizer.multiplier", self.quantizer.multiplier as usize, 1, 1 << 24, "scale the shift down as well")?;
        range("conductance ratio", self.conductance.ratio() as usize, 2, 1 << 16, "bring the two states closer")?;
        range("link.baud", self.link.baud as usize, 300, 12_000_000, "choose a speed the adapter knows")?;
        range(
            "clocks per bit",
            self.link.clocks_per_bit() as usize,
            4,
            65_535,
            "lower the baud rate or raise the clock",
        )?;
        range("sum bits", self.sum_bits(), 1, 32, "a sum is 32 bits; use fewer rows, row groups or planes")?;
        for region in crate::deep_registers::DeepRegion::ALL {
            range("words of a region", region.words(self), 1, 1 << 16, "an offset of the link is 16 bits")?;
        }
        Ok(())
    }

    /// Codes of activation memory and images together: an address of the memory is below it.
    pub fn memory_codes(&self) -> usize {
        self.codes + self.slots * self.image_codes
    }

    /// Groups that the planes of a code are read in.
    pub fn plane_groups(&self, planes: usize) -> usize {
        planes.div_ceil(self.plane_lanes)
    }

    /// Bits of a column's count, 0..=tile_rows.
    pub fn count_bits(&self) -> usize {
        bits_to_hold(self.tile_rows)
    }

    /// Largest code the quantizer can give: 2^Ba - 1, or less if no count gives it.
    pub fn code_max(&self) -> usize {
        ((1usize << self.quantizer.bits) - 1).min(self.largest_unclamped())
    }

    /// What the quantizer gives for a whole column, were it not clamped.
    fn largest_unclamped(&self) -> usize {
        let active = if self.conductance.reference_column { 0 } else { self.tile_rows as u64 };
        let current = u64::from(self.conductance.ratio() - 1) * self.tile_rows as u64 + active;
        let half = (1u64 << self.quantizer.shift) >> 1;
        ((current * u64::from(self.quantizer.multiplier) + half) >> self.quantizer.shift) as usize
    }

    /// Largest sum of a column's codes over the planes of a window and all its row groups.
    pub fn column_sum_max(&self) -> usize {
        self.code_max() * ((1 << self.code_bits) - 1) * self.row_groups
    }

    /// Bits of it.
    pub fn column_sum_bits(&self) -> usize {
        bits_to_hold(self.column_sum_max())
    }

    /// Bits of the signed sum y of an output of w = `weight_bits` columns, sign included: -2^(w-1) s ..= (2^(w-1) - 1) s for a
    /// column sum s.
    pub fn sum_bits(&self) -> usize {
        let magnitude = self.column_sum_max() << (self.weight_bits - 1);
        bits_to_hold(magnitude - 1).max(1) + 1
    }

    /// The machine as IDENTIFY answers and as the link needs it: one tile with outputs of four columns.
    pub fn face(&self) -> Machine {
        Machine {
            name: self.name.clone(),
            rows: self.tile_rows,
            bias_rows: 0,
            bias_code: 0,
            outputs: self.tile_columns / 4,
            weight_bits: 4,
            input_bits: self.code_bits,
            tiles: self.tiles,
            row_lanes: self.tile_rows,
            plane_lanes: self.plane_lanes,
            column_lanes: self.tile_columns,
            slots: self.slots,
            conductance: self.conductance,
            quantizer: self.quantizer,
            link: self.link,
        }
    }

    /// Outputs of a tile whose outputs have that many columns.
    pub fn tile_outputs(&self, columns: usize) -> usize {
        self.tile_columns / columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_are_sound_and_their_quantizers_exact() {
        for name in DeepMachine::names() {
            let machine = DeepMachine::named(name).unwrap();
            assert_eq!(machine.name, name);
            assert!(machine.code_max() <= machine.tile_rows, "{name}");
        }
        let mnist = DeepMachine::named("mnist").unwrap();
        // 64 rows of 255 in 16 row groups, and 128 of these.
        assert_eq!(mnist.column_sum_max(), 64 * 255 * 16);
        assert_eq!(mnist.sum_bits(), 26);
    }

    #[test]
    fn a_size_out_of_range_is_named_with_its_remedy() {
        let text = include_str!("../../configs/mnist.toml").replace("tile_columns = 16", "tile_columns = 12");
        let error = DeepMachine::from_toml(&text).unwrap_err().to_string();
        assert_eq!(
            error,
            "machine mnist: tile_columns is 12, must be a multiple of 8; an output's columns must not straddle two tiles"
        );
    }
}

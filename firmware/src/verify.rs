//! What a program has to be like before it is loaded: the checks that need no network, only the machine's limits.
//!
//! A program that passes touches no code, tile, threshold or record that the machine does not have, and ends. The hardware
//! traps the same faults in what was never checked.

use crate::isa::{Instruction, Opcode};

/// What a machine that runs programs has, in the units of the instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Instructions of the program memory.
    pub instructions: usize,
    /// Codes of the activation memory.
    pub codes: usize,
    /// Codes of an image: what `image=1` may reach.
    pub image_codes: usize,
    /// Bits of a code.
    pub code_bits: usize,
    /// Tiles.
    pub tiles: usize,
    /// Rows of a tile.
    pub tile_rows: usize,
    /// Columns of a tile.
    pub tile_columns: usize,
    /// Columns of an output at most.
    pub weight_bits: usize,
    /// Row groups that the window memory holds for one window.
    pub row_groups: usize,
    /// Planes read per clock.
    pub plane_lanes: usize,
    /// Codes gathered per clock.
    pub gather_lanes: usize,
    /// Outputs that leave the array per clock: a layer's first threshold entry is a multiple of it.
    pub output_lanes: usize,
    /// Entries of the threshold memory.
    pub thresholds: usize,
    /// Sums that a result holds: outputs of the last layer.
    pub sums: usize,
    /// Records of layer counters.
    pub layers: usize,
    /// Clocks of an image after which the watchdog ends it.
    pub cycles: u64,
}

/// What is wrong with a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// More instructions than the program memory holds, or none.
    #[error(
        "the program has {found} instructions, the machine holds 1..={limit}; use a machine with a larger program memory"
    )]
    Length {
        /// Instructions.
        found: usize,
        /// Most that fit.
        limit: usize,
    },
    /// The last instruction is not `halt`, or an earlier one is.
    #[error("instruction {at}: `halt` ends a program, once, and nothing follows it")]
    End {
        /// Instruction, from 0.
        at: usize,
    },
    /// A layer is run before something it needs was set up.
    #[error("instruction {at}: `{operation}` needs `{missing}` before it")]
    Missing {
        /// Instruction, from 0.
        at: usize,
        /// What runs the layer.
        operation: &'static str,
        /// What has to come before.
        missing: &'static str,
    },
    /// Something reaches further than the machine.
    #[error("instruction {at}: {what} reaches {reached}, the machine has {limit}; compile for a larger machine")]
    Reach {
        /// Instruction, from 0.
        at: usize,
        /// What it is, in words.
        what: &'static str,
        /// One more than the last that is touched, or the number that is needed.
        reached: usize,
        /// How many there are.
        limit: usize,
    },
    /// Something begins between two places where it may.
    #[error("instruction {at}: {what} is {found}, must be a multiple of {of}; compile again, for this machine")]
    Align {
        /// Instruction, from 0.
        at: usize,
        /// What it is, in words.
        what: &'static str,
        /// Its value.
        found: usize,
        /// What it has to be a multiple of.
        of: usize,
    },
    /// A `copy` writes to what it reads.
    #[error(
        "instruction {at}: `copy` of {codes} codes from {from} to {to} writes to codes that it reads; copy them by way of others"
    )]
    Overlap {
        /// Instruction, from 0.
        at: usize,
        /// Address of the first code.
        from: usize,
        /// Address it goes to.
        to: usize,
        /// Codes.
        codes: usize,
    },
    /// A field does not follow from the others.
    #[error("instruction {at}: {what} is {found}, must be {expected} by what was set up; compile again")]
    Disagree {
        /// Instruction, from 0.
        at: usize,
        /// What it is, in words.
        what: &'static str,
        /// Its value.
        found: usize,
        /// What follows.
        expected: usize,
    },
}

/// What has been set up so far.
#[derive(Default)]
struct SetUp<'a> {
    window: Option<&'a Instruction>,
    tiles: Option<&'a Instruction>,
    thresholds: Option<&'a Instruction>,
    pool: Option<&'a Instruction>,
    output: Option<&'a Instruction>,
}

/// Check a program against a machine's limits.
///
/// # Errors
/// [`VerifyError`] names the first instruction that is wrong.
pub fn verify(program: &[Instruction], limits: &Limits) -> Result<(), VerifyError> {
    if program.is_empty() || program.len() > limits.instructions {
        return Err(VerifyError::Length { found: program.len(), limit: limits.instructions });
    }
    let last = program.len() - 1;
    let end = program.iter().position(|instruction| instruction.opcode() == Opcode::Halt).unwrap_or(program.len());
    if end != last {
        return Err(VerifyError::End { at: end.min(last) });
    }
    let mut set_up = SetUp::default();
    for (at, instruction) in program.iter().enumerate() {
        let reach = |what, reached, limit| within(at, what, reached, limit);
        match instruction.opcode() {
            Opcode::Halt => {}
            Opcode::Window => set_up.window = Some(instruction),
            Opcode::Tiles => set_up.tiles = Some(instruction),
            Opcode::Thresholds => set_up.thresholds = Some(instruction),
            Opcode::Pool => set_up.pool = Some(instruction),
            Opcode::Output => set_up.output = Some(instruction),
            Opcode::Read | Opcode::Classify => set_up.check_layer(at, instruction, limits)?,
            Opcode::Copy => {
                let codes = instruction.get("codes");
                let from = if instruction.get("image") == 1 { limits.image_codes } else { limits.codes };
                reach("the last code that is copied", instruction.get("from") + codes, from)?;
                reach("the place of the last copied code", instruction.get("to") + codes, limits.codes)?;
                if copies_onto_itself(instruction) {
                    let (from, to) = (instruction.get("from"), instruction.get("to"));
                    return Err(VerifyError::Overlap { at, from, to, codes });
                }
            }
            Opcode::Fill => {
                reach("the last code that is set", instruction.get("to") + instruction.get("codes"), limits.codes)?;
                reach("the code", instruction.get("value") + 1, 1 << limits.code_bits)?;
            }
            Opcode::Count => reach("the record", instruction.get("layer") + 1, limits.layers)?,
        }
    }
    Ok(())
}

/// Whether a `copy` within the activation memory writes to codes that it reads.
pub(crate) fn copies_onto_itself(copy: &Instruction) -> bool {
    copy.get("image") == 0 && copy.get("from").abs_diff(copy.get("to")) < copy.get("codes")
}

fn within(at: usize, what: &'static str, reached: usize, limit: usize) -> Result<(), VerifyError> {
    if reached <= limit { Ok(()) } else { Err(VerifyError::Reach { at, what, reached, limit }) }
}

impl SetUp<'_> {
    fn check_layer(&self, at: usize, run: &Instruction, limits: &Limits) -> Result<(), VerifyError> {
        let operation = run.operation().name;
        let need = |part: Option<&_>, missing| match part {
            Some(part) => Ok(*part),
            None => Err(VerifyError::Missing { at, operation, missing }),
        };
        let reach = |what, reached, limit| within(at, what, reached, limit);
        let agree = |what, found: usize, expected: usize| {
            if found == expected { Ok(()) } else { Err(VerifyError::Disagree { at, what, found, expected }) }
        };
        let window: Instruction = need(self.window, "window")?;
        let tiles: Instruction = need(self.tiles, "tiles")?;
        let bias = window.get("bias");
        let rows = window.get("segments") * window.get("codes") + usize::from(bias != 0);
        let (outputs, row_groups) = (tiles.get("outputs"), tiles.get("row_groups"));
        agree("tiles under each other", row_groups, rows.div_ceil(limits.tile_rows))?;
        reach("the window", row_groups, limits.row_groups)?;
        reach("the code of the bias row", bias + 1, 1 << limits.code_bits)?;
        reach("the planes", tiles.get("planes"), limits.code_bits)?;
        reach("the columns of an output", tiles.get("columns"), limits.weight_bits)?;
        let tile_outputs = limits.tile_columns / tiles.get("columns");
        agree("tiles side by side", tiles.get("output_groups"), outputs.div_ceil(tile_outputs))?;
        reach("the last tile", tiles.get("first") + row_groups * tiles.get("output_groups"), limits.tiles)?;
        let in_window = (window.get("segments") - 1) * window.get("pitch") + window.get("codes");
        let memory = if window.get("image") == 1 { limits.image_codes } else { limits.codes };
        if run.opcode() == Opcode::Classify {
            reach("the last code of the window", window.get("base") + in_window, memory)?;
            return reach("the last sum", outputs, limits.sums);
        }
        let pool: Instruction = need(self.pool, "pool")?;
        let thresholds: Instruction = need(self.thresholds, "thresholds")?;
        let output: Instruction = need(self.output, "output")?;
        let (right, down) = (run.get("wide") - 1, run.get("high") - 1);
        let in_square = (pool.get("size") - 1) * (window.get("step_x") + window.get("step_y"));
        let first_of_last = right * pool.get("step_x") + down * pool.get("step_y");
        reach("the last code of the last window", window.get("base") + first_of_last + in_square + in_window, memory)?;
        let place = output.get("base") + right * output.get("step_x") + down * output.get("step_y");
        reach("the place of the last code", place + outputs, limits.codes)?;
        let first = thresholds.get("first");
        if !first.is_multiple_of(limits.output_lanes) {
            return Err(VerifyError::Align {
                at,
                what: "the first threshold entry",
                found: first,
                of: limits.output_lanes,
            });
        }
        reach("the last threshold entry", first + outputs, limits.thresholds)?;
        reach("the bits of a code", thresholds.get("bits"), limits.code_bits)
    }
}

//! The table of operations, and instructions as words.
//!
//! An instruction is eight 16-bit words: word 0 holds the operation's code, words 1 to 7 its fields. Whatever bit no field
//! owns is 0. A program has no jumps: it runs from its first instruction to `halt`, once for each image. Operations that
//! set something up (`window`, `tiles`, `thresholds`, `pool`, `output`) keep their fields until they are given again, also
//! from one image to the next; `read` and `classify` run a layer with what was set up.

/// Words of an instruction.
pub const WORDS: usize = 8;

/// Clocks before an image's first instruction: it is fetched, and decoded.
pub const IMAGE_CYCLES: u32 = 2;

/// Clocks of an instruction that moves nothing, and of every other before it begins: the next ones are fetched and decoded
/// meanwhile.
pub const INSTRUCTION_CYCLES: u32 = 1;

/// Clocks from a `count` to a `halt`, at least.
pub const COUNT_CYCLES: u32 = 3;

/// Clocks from a `count`, or from the clock before an image, to the next `count`, at least: what was counted is put away.
pub const COUNT_SPACING_CYCLES: u32 = 28;

/// Clocks that `copy` and `fill` take beyond those of an instruction and one a chunk.
pub const MOVE_CYCLES: u32 = 2;

/// One instruction as it lies in the program memory.
pub type Encoded = [u16; WORDS];

/// A number inside an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name in the text form.
    pub name: &'static str,
    /// Word that holds it, 1..=7.
    pub word: usize,
    /// Its lowest bit there.
    pub low: u32,
    /// Its width.
    pub bits: u32,
    /// Smallest legal value.
    pub min: u16,
    /// Largest legal value.
    pub max: u16,
    /// What it is, with its unit.
    pub doc: &'static str,
}

impl Field {
    const fn mask(&self) -> u16 {
        ((1u32 << self.bits) - 1) as u16
    }
}

/// Clocks that an operation takes, its fetch included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cycles {
    /// Always that many.
    Fixed(u32),
    /// One for each chunk of as many codes as the machine gathers a clock, and [`MOVE_CYCLES`], after [`INSTRUCTION_CYCLES`].
    Codes,
    /// As many as the layer takes, until its last code or verdict is stored, after [`INSTRUCTION_CYCLES`].
    Layer,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Opcode {
    /// End of the image's program.
    Halt = 0,
    /// Where the inputs of a window lie.
    Window = 1,
    /// Which tiles hold the layer.
    Tiles = 2,
    /// Which thresholds make codes of its sums.
    Thresholds = 3,
    /// How its codes are pooled.
    Pool = 4,
    /// Where its codes go.
    Output = 5,
    /// Run a layer whose sums become codes.
    Read = 6,
    /// Run the last layer, whose sums are ranked.
    Classify = 7,
    /// Move codes.
    Copy = 8,
    /// Set codes.
    Fill = 9,
    /// End a layer's own counters.
    Count = 10,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its code.
    pub opcode: Opcode,
    /// Name in the text form.
    pub name: &'static str,
    /// Its fields, in the order of the text form.
    pub fields: &'static [Field],
    /// What it costs.
    pub cycles: Cycles,
    /// What it does.
    pub doc: &'static str,
}

const fn whole(name: &'static str, word: usize, min: u16, doc: &'static str) -> Field {
    Field { name, word, low: 0, bits: 16, min, max: u16::MAX, doc }
}

const fn part(name: &'static str, word: usize, low: u32, bits: u32, min: u16, max: u16, doc: &'static str) -> Field {
    Field { name, word, low, bits, min, max, doc }
}

/// The instruction set.
pub const OPERATIONS: [Operation; 11] = [
    Operation {
        opcode: Opcode::Halt,
        name: "halt",
        fields: &[],
        cycles: Cycles::Fixed(INSTRUCTION_CYCLES),
        doc: "ends the program for this image; the next image starts it again. The program memory is zeros where nothing was loaded: a `halt`",
    },
    Operation {
        opcode: Opcode::Window,
        name: "window",
        fields: &[
            whole("base", 1, 0, "address of the first window's first code"),
            part("image", 7, 8, 1, 0, 1, "1: `base` counts from the image's own codes"),
            whole("pitch", 2, 0, "codes from one segment to the next: a row of the map"),
            whole("segments", 3, 1, "runs of neighbouring codes in a window: rows of the kernel"),
            whole("codes", 4, 1, "codes of a segment: kernel width times channels"),
            whole("step_x", 5, 0, "codes from a window to its right neighbour"),
            whole("step_y", 6, 0, "codes from a window to the one below"),
            part("bias", 7, 0, 8, 0, 255, "code that drives one more row, after the window's; 0: there is no such row"),
        ],
        cycles: Cycles::Fixed(INSTRUCTION_CYCLES),
        doc: "sets where the inputs of a window lie; a dense layer is one window of one segment",
    },
    Operation {
        opcode: Opcode::Tiles,
        name: "tiles",
        fields: &[
            whole(
                "first",
                1,
                0,
                "tile of output group 0, row group 0; row groups follow each other, then output groups",
            ),
            whole("row_groups", 2, 1, "tiles under each other: window codes over rows of a tile, rounded up"),
            whole("output_groups", 3, 1, "tiles side by side: outputs over outputs of a tile, rounded up"),
            whole("outputs", 4, 1, "outputs of the layer"),
            part("columns", 5, 0, 4, 1, 8, "columns of an output: 1 (weights -1 and 1), 4 or 8"),
            part("planes", 5, 4, 4, 1, 8, "planes of an input code that are driven"),
        ],
        cycles: Cycles::Fixed(INSTRUCTION_CYCLES),
        doc: "sets which tiles hold the layer's weights, and how its outputs share their columns",
    },
    Operation {
        opcode: Opcode::Thresholds,
        name: "thresholds",
        fields: &[
            whole(
                "first",
                1,
                0,
                "entry of output 0 in the threshold memory, a multiple of the outputs that leave the array a clock; one entry an output",
            ),
            part("bits", 2, 0, 3, 1, 4, "bits of a code: 2^bits - 1 thresholds an output"),
        ],
        cycles: Cycles::Fixed(INSTRUCTION_CYCLES),
        doc: "sets which thresholds turn sums into codes: a code is the number of thresholds that the sum exceeds",
    },
    Operation {
        opcode: Opcode::Pool,
        name: "pool",
        fields: &[
            part(
                "size",
                1,
                0,
                4,
                1,
                15,
                "side of a square of windows of which the largest code is kept; 1: no pooling",
            ),
            whole("step_x", 2, 0, "codes from a square's first window to that of its right neighbour"),
            whole("step_y", 3, 0, "codes from a square's first window to that of the one below"),
        ],
        cycles: Cycles::Fixed(INSTRUCTION_CYCLES),
        doc: "sets how codes are pooled, and how squares move over the map",
    },
    Operation {
        opcode: Opcode::Output,
        name: "output",
        fields: &[
            whole("base", 1, 0, "address of the first code"),
            whole("step_x", 2, 0, "codes from a pixel to its right neighbour"),
            whole("step_y", 3, 0, "codes from a pixel to the one below"),
        ],
        cycles: Cycles::Fixed(INSTRUCTION_CYCLES),
        doc: "sets where the codes of `read` go",
    },
    Operation {
        opcode: Opcode::Read,
        name: "read",
        fields: &[whole("wide", 1, 1, "squares a row"), whole("high", 2, 1, "rows of squares")],
        cycles: Cycles::Layer,
        doc: "reads the tiles for every window of every square, applies the thresholds, pools, stores the codes",
    },
    Operation {
        opcode: Opcode::Classify,
        name: "classify",
        fields: &[],
        cycles: Cycles::Layer,
        doc: "reads the tiles for one window, stores its sums, and ranks them: class and margin of the image",
    },
    Operation {
        opcode: Opcode::Copy,
        name: "copy",
        fields: &[
            whole("from", 1, 0, "address of the first code"),
            part("image", 4, 0, 1, 0, 1, "1: `from` counts from the image's own codes"),
            whole("to", 2, 0, "address it goes to"),
            whole("codes", 3, 1, "codes"),
        ],
        cycles: Cycles::Codes,
        doc: "moves codes; within the activation memory none to where it reads one",
    },
    Operation {
        opcode: Opcode::Fill,
        name: "fill",
        fields: &[
            whole("to", 1, 0, "address of the first code"),
            whole("codes", 2, 1, "codes"),
            part("value", 3, 0, 8, 0, 255, "code that each becomes"),
        ],
        cycles: Cycles::Codes,
        doc: "sets codes: the border that a padded convolution reads",
    },
    Operation {
        opcode: Opcode::Count,
        name: "count",
        fields: &[part("layer", 1, 0, 4, 0, 15, "record of layer counters")],
        cycles: Cycles::Fixed(INSTRUCTION_CYCLES),
        doc: "adds what the counters counted since the last `count`, or since the image's start, to a layer's own record",
    },
];

/// An instruction with its fields' values, in the order of its operation's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    operation: &'static Operation,
    values: [u16; 8],
}

/// Why words, or values, are not an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IsaError {
    /// Word 0 names no operation.
    #[error("operation code {code} is none of 0..={last}; was this written for another version?", last = OPERATIONS.len() - 1)]
    Opcode {
        /// Word 0.
        code: u16,
    },
    /// A bit is set that no field owns.
    #[error("`{operation}` has no field in bit {bit} of word {word}, which is set; clear it")]
    Stray {
        /// The operation.
        operation: &'static str,
        /// The word.
        word: usize,
        /// The lowest such bit.
        bit: u32,
    },
    /// A field's value is not legal.
    #[error("`{operation}` has {field}={value}, must be {min}..={max}{also}", also = also(field))]
    Value {
        /// The operation.
        operation: &'static str,
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
        /// Smallest legal value.
        min: u16,
        /// Largest legal value.
        max: u16,
    },
    /// An operation has no field of that name.
    #[error("`{operation}` has no such field; see the reference for those it has")]
    Field {
        /// The operation.
        operation: &'static str,
    },
}

fn also(field: &str) -> &'static str {
    if field == "columns" { ", and of these 1, 4 or 8" } else { "" }
}

impl Operation {
    /// The operation of that code.
    pub fn of_code(code: u16) -> Option<&'static Self> {
        OPERATIONS.get(usize::from(code))
    }

    /// The operation of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.name == name)
    }

    /// An instruction of this operation, every field at its smallest legal value.
    pub fn smallest(&'static self) -> Instruction {
        let mut values = [0; 8];
        for (value, field) in values.iter_mut().zip(self.fields) {
            *value = field.min;
        }
        Instruction { operation: self, values }
    }

    fn owned_bits(&self, word: usize) -> u16 {
        self.fields.iter().filter(|f| f.word == word).fold(0, |bits, f| bits | (f.mask() << f.low))
    }
}

impl Opcode {
    /// Its row of the table.
    pub fn operation(self) -> &'static Operation {
        &OPERATIONS[self as usize]
    }

    /// An instruction with these fields, the others at their smallest legal values.
    ///
    /// # Errors
    /// [`IsaError::Field`], [`IsaError::Value`].
    pub fn with(self, fields: &[(&str, usize)]) -> Result<Instruction, IsaError> {
        fields.iter().try_fold(self.operation().smallest(), |instruction, (name, value)| instruction.with(name, *value))
    }
}

impl Instruction {
    /// The operation's code.
    pub fn opcode(&self) -> Opcode {
        self.operation.opcode
    }

    /// The operation.
    pub fn operation(&self) -> &'static Operation {
        self.operation
    }

    /// Fields and values, in the order of the text form.
    pub fn fields(&self) -> impl Iterator<Item = (&'static Field, u16)> + '_ {
        self.operation.fields.iter().zip(self.values)
    }

    /// A field's value.
    ///
    /// # Panics
    /// If the operation has no such field: names are literals in this project's code.
    pub fn get(&self, name: &str) -> usize {
        let found = self.fields().find(|(field, _)| field.name == name);
        usize::from(found.expect("a field of this operation").1)
    }

    /// The same with another value in one field.
    ///
    /// # Errors
    /// [`IsaError::Field`], [`IsaError::Value`].
    pub fn with(mut self, name: &str, value: usize) -> Result<Self, IsaError> {
        let operation = self.operation;
        let at = operation.fields.iter().position(|field| field.name == name);
        let at = at.ok_or(IsaError::Field { operation: operation.name })?;
        let field = &operation.fields[at];
        self.values[at] = legal(operation, field, u32::try_from(value).unwrap_or(u32::MAX))?;
        Ok(self)
    }

    /// Its words.
    pub fn encode(&self) -> Encoded {
        let mut words = [0; WORDS];
        words[0] = self.operation.opcode as u16;
        for (field, value) in self.fields() {
            words[field.word] |= value << field.low;
        }
        words
    }

    /// The instruction that these words are.
    ///
    /// # Errors
    /// [`IsaError::Opcode`], [`IsaError::Stray`], [`IsaError::Value`].
    pub fn decode(words: &Encoded) -> Result<Self, IsaError> {
        let operation = Operation::of_code(words[0]).ok_or(IsaError::Opcode { code: words[0] })?;
        for (word, bits) in words.iter().enumerate().skip(1) {
            let stray = bits & !operation.owned_bits(word);
            if stray != 0 {
                return Err(IsaError::Stray { operation: operation.name, word, bit: stray.trailing_zeros() });
            }
        }
        let mut instruction = operation.smallest();
        for (value, field) in instruction.values.iter_mut().zip(operation.fields) {
            *value = legal(operation, field, u32::from(words[field.word] >> field.low & field.mask()))?;
        }
        Ok(instruction)
    }
}

fn legal(operation: &Operation, field: &Field, value: u32) -> Result<u16, IsaError> {
    let known = field.name != "columns" || matches!(value, 1 | 4 | 8);
    if known && (u32::from(field.min)..=u32::from(field.max)).contains(&value) {
        return Ok(value as u16);
    }
    let (operation, field, min, max) = (operation.name, field.name, field.min, field.max);
    Err(IsaError::Value { operation, field, value, min, max })
}

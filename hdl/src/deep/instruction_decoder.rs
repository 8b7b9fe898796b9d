//! Decodes instructions, and keeps what they set up.

use crate::bus::{Bus, WideBus};
use crate::deep::{entry_bits, step_bits, tile_bits};
use crate::verilog::literal;
use bitline_firmware::isa::{Field, Instruction, OPERATIONS, Opcode, WORDS};
use bitline_golden::deep_machine::DeepMachine;
use rust_hdl::prelude::*;

/// 64-bit words of an instruction.
pub const INSTRUCTION_WORDS: usize = WORDS / 4;

/// Takes an instruction's words, tells its operation and whether it is legal, and keeps its fields when it is applied.
///
/// A leaf in Verilog: its text is made from [`OPERATIONS`], the table that assembler and compiler use.
///
/// **Function** `load` takes `words` as the next instruction: a clock later `opcode` is its word 0, and `legal` tells that
/// the operation exists, that no bit outside its fields is set, and that every field lies in its range. `apply` copies the
/// fields of the instruction shown to the outputs of the same names, which keep them until the operation comes again. Of addresses
/// and steps, of the first tile and of the first entry as many bits are kept as tell all that exist and one more, which stands for every larger number.
/// **Timing** one clock each. **State** all 0 at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct InstructionDecoder {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Take `words`.
    pub load: Signal<In, Bit>,
    /// The words, word 0 in bits 15..0.
    pub words: WideBus<In, INSTRUCTION_WORDS>,
    /// Keep the fields of the instruction shown.
    pub apply: Signal<In, Bit>,
    /// Operation of the instruction shown.
    pub opcode: Bus<Out>,
    /// Record that it names, should it be a `count`.
    pub shown_layer: Bus<Out>,
    /// It may be applied.
    pub legal: Signal<Out, Bit>,
    /// Address of the first window's first code.
    pub window_base: Bus<Out>,
    /// It counts from the image.
    pub window_image: Bus<Out>,
    /// Codes from segment to segment.
    pub window_pitch: Bus<Out>,
    /// Segments of a window.
    pub window_segments: Bus<Out>,
    /// Codes of a segment.
    pub window_codes: Bus<Out>,
    /// Codes to the window on the right.
    pub window_step_x: Bus<Out>,
    /// Codes to the window below.
    pub window_step_y: Bus<Out>,
    /// Code of the bias row.
    pub window_bias: Bus<Out>,
    /// First tile.
    pub tiles_first: Bus<Out>,
    /// Tiles under each other.
    pub tiles_row_groups: Bus<Out>,
    /// Tiles side by side.
    pub tiles_output_groups: Bus<Out>,
    /// Outputs of the layer.
    pub tiles_outputs: Bus<Out>,
    /// Columns of an output.
    pub tiles_columns: Bus<Out>,
    /// Planes driven.
    pub tiles_planes: Bus<Out>,
    /// Entry of output 0.
    pub thresholds_first: Bus<Out>,
    /// Bits of a code.
    pub thresholds_bits: Bus<Out>,
    /// Side of a square.
    pub pool_size: Bus<Out>,
    /// Codes to the square on the right.
    pub pool_step_x: Bus<Out>,
    /// Codes to the square below.
    pub pool_step_y: Bus<Out>,
    /// Address of the first code.
    pub output_base: Bus<Out>,
    /// Codes to the pixel on the right.
    pub output_step_x: Bus<Out>,
    /// Codes to the pixel below.
    pub output_step_y: Bus<Out>,
    /// Squares a row.
    pub read_wide: Bus<Out>,
    /// Rows of squares.
    pub read_high: Bus<Out>,
    /// Address of the first code.
    pub copy_from: Bus<Out>,
    /// It counts from the image.
    pub copy_image: Bus<Out>,
    /// Where it goes.
    pub copy_to: Bus<Out>,
    /// Codes.
    pub copy_codes: Bus<Out>,
    /// Where the codes go.
    pub fill_to: Bus<Out>,
    /// Codes.
    pub fill_codes: Bus<Out>,
    /// What they become.
    pub fill_value: Bus<Out>,
    /// Record of layer counters.
    pub count_layer: Bus<Out>,
    _shown: [u16; WORDS],
}

/// Bits of a field that a machine keeps.
fn kept_bits(machine: &DeepMachine, opcode: Opcode, name: &str) -> usize {
    use Opcode::{Copy, Fill, Output, Pool, Thresholds, Tiles, Window};
    let bits = field(opcode, name).bits as usize;
    match (opcode, name) {
        (Window, "base" | "pitch" | "step_x" | "step_y")
        | (Pool, "step_x" | "step_y")
        | (Output, _)
        | (Copy, "from" | "to")
        | (Fill, "to") => bits.min(step_bits(machine)),
        (Tiles, "first") => bits.min(tile_bits(machine)),
        (Thresholds, "first") => bits.min(entry_bits(machine)),
        _ => bits,
    }
}

fn field(opcode: Opcode, name: &str) -> &'static Field {
    opcode.operation().fields.iter().find(|field| field.name == name).expect("a field of this operation")
}

impl InstructionDecoder {
    /// The decoder of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        use Opcode::{Copy, Count, Fill, Output, Pool, Read, Thresholds, Tiles, Window};
        let bus = |opcode, name| Bus::new(kept_bits(machine, opcode, name));
        Self {
            clock: Signal::default(),
            load: Signal::default(),
            words: WideBus::new(16 * WORDS),
            apply: Signal::default(),
            opcode: Bus::new(16),
            shown_layer: bus(Count, "layer"),
            legal: Signal::default(),
            window_base: bus(Window, "base"),
            window_image: bus(Window, "image"),
            window_pitch: bus(Window, "pitch"),
            window_segments: bus(Window, "segments"),
            window_codes: bus(Window, "codes"),
            window_step_x: bus(Window, "step_x"),
            window_step_y: bus(Window, "step_y"),
            window_bias: bus(Window, "bias"),
            tiles_first: bus(Tiles, "first"),
            tiles_row_groups: bus(Tiles, "row_groups"),
            tiles_output_groups: bus(Tiles, "output_groups"),
            tiles_outputs: bus(Tiles, "outputs"),
            tiles_columns: bus(Tiles, "columns"),
            tiles_planes: bus(Tiles, "planes"),
            thresholds_first: bus(Thresholds, "first"),
            thresholds_bits: bus(Thresholds, "bits"),
            pool_size: bus(Pool, "size"),
            pool_step_x: bus(Pool, "step_x"),
            pool_step_y: bus(Pool, "step_y"),
            output_base: bus(Output, "base"),
            output_step_x: bus(Output, "step_x"),
            output_step_y: bus(Output, "step_y"),
            read_wide: bus(Read, "wide"),
            read_high: bus(Read, "high"),
            copy_from: bus(Copy, "from"),
            copy_image: bus(Copy, "image"),
            copy_to: bus(Copy, "to"),
            copy_codes: bus(Copy, "codes"),
            fill_to: bus(Fill, "to"),
            fill_codes: bus(Fill, "codes"),
            fill_value: bus(Fill, "value"),
            count_layer: bus(Count, "layer"),
            _shown: [0; WORDS],
        }
    }
}

impl InstructionDecoder {
    /// Clocks from `load` to `opcode`, and from `apply` to the fields.
    pub const LATENCY_CYCLES: u64 = 1;

    /// Bits of the fields that are kept.
    fn widths(&self) -> [usize; 32] {
        self.clone().kept().map(|bus| bus.bits())
    }

    /// The fields that are kept, operation by operation in the order of the table.
    fn kept(&mut self) -> [&mut Bus<Out>; 32] {
        [
            &mut self.window_base,
            &mut self.window_image,
            &mut self.window_pitch,
            &mut self.window_segments,
            &mut self.window_codes,
            &mut self.window_step_x,
            &mut self.window_step_y,
            &mut self.window_bias,
            &mut self.tiles_first,
            &mut self.tiles_row_groups,
            &mut self.tiles_output_groups,
            &mut self.tiles_outputs,
            &mut self.tiles_columns,
            &mut self.tiles_planes,
            &mut self.thresholds_first,
            &mut self.thresholds_bits,
            &mut self.pool_size,
            &mut self.pool_step_x,
            &mut self.pool_step_y,
            &mut self.output_base,
            &mut self.output_step_x,
            &mut self.output_step_y,
            &mut self.read_wide,
            &mut self.read_high,
            &mut self.copy_from,
            &mut self.copy_image,
            &mut self.copy_to,
            &mut self.copy_codes,
            &mut self.fill_to,
            &mut self.fill_codes,
            &mut self.fill_value,
            &mut self.count_layer,
        ]
    }
}

/// Every field of the table with its operation, in the order of [`InstructionDecoder::kept`].
fn fields() -> impl Iterator<Item = (&'static str, Opcode, &'static Field)> {
    OPERATIONS.iter().flat_map(|operation| operation.fields.iter().map(|f| (operation.name, operation.opcode, f)))
}

impl Logic for InstructionDecoder {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.apply.val() {
                let shown = self._shown;
                for (bus, (_, opcode, field)) in self.kept().into_iter().zip(fields()) {
                    if shown[0] == opcode as u16 {
                        let value = u64::from(shown[field.word]) >> field.low & ((1 << field.bits) - 1);
                        bus.next = value.min((1 << bus.bits()) - 1);
                    }
                }
            }
            if self.load.val() {
                let words = self.words.val();
                self._shown = std::array::from_fn(|at| (words[at / 4] >> (16 * (at % 4))) as u16);
                self.opcode.next = u64::from(self._shown[0]);
                let layer = field(Opcode::Count, "layer");
                self.shown_layer.next = u64::from(self._shown[layer.word] >> layer.low);
                self.legal.next = Instruction::decode(&self._shown).is_ok();
            }
        }
    }
    fn connect(&mut self) {
        self.opcode.connect();
        self.shown_layer.connect();
        self.legal.connect();
        self.kept().into_iter().for_each(|bus| bus.connect());
    }
    fn hdl(&self) -> Verilog {
        let mut text = format!("reg [{0}:0] shown = {1};\n", 16 * WORDS - 1, literal(16 * WORDS, 0));
        let layer = field(Opcode::Count, "layer");
        let low = 16 * layer.word + layer.low as usize;
        text += &format!(
            "initial legal = 0;\nalways @(*) opcode = shown[15:0];\nalways @(*) shown_layer = shown[{}:{low}];\n",
            low + layer.bits as usize - 1
        );
        // Legal, of the words that come in: no stray bit, and every field in its range.
        let mut cases = Vec::new();
        for operation in &OPERATIONS {
            let mut terms = vec![format!("words[15:0] == {}", literal(16, operation.opcode as u64))];
            for word in 1..WORDS {
                let owned = operation.fields.iter().filter(|f| f.word == word);
                let owned = owned.fold(0u64, |bits, f| bits | (((1u64 << f.bits) - 1) << f.low));
                if owned != 0xFFFF {
                    let stray = literal(16, !owned & 0xFFFF);
                    terms.push(format!("(words[{}:{}] & {stray}) == 0", 16 * word + 15, 16 * word));
                }
            }
            for field in operation.fields {
                let low = 16 * field.word + field.low as usize;
                let value = format!("words[{}:{low}]", low + field.bits as usize - 1);
                if field.name == "columns" {
                    terms.push(format!("({value} == 1 || {value} == 4 || {value} == 8)"));
                } else {
                    if field.min == 1 {
                        terms.push(format!("{value} != 0"));
                    } else if field.min > 1 {
                        terms.push(format!("{value} >= {}", field.min));
                    }
                    if u32::from(field.max) < (1u32 << field.bits) - 1 {
                        terms.push(format!("{value} <= {}", field.max));
                    }
                }
            }
            cases.push(format!("({})", terms.join(" && ")));
        }
        text += &format!(
            "always @(posedge clock) if (load) begin\n  shown <= words;\n  legal <= {};\nend\n",
            cases.join("\n    || ")
        );
        for ((operation, opcode, field), bits) in fields().zip(self.widths()) {
            let (name, low) = (format!("{operation}_{}", field.name), 16 * field.word + field.low as usize);
            let end = low + field.bits as usize;
            let mut value = format!("shown[{}:{low}]", low + bits - 1);
            if low + bits < end {
                value += &format!(" | {{{bits}{{|shown[{}:{}]}}}}", end - 1, low + bits);
            }
            text += &format!(
                "initial {name} = 0;\nalways @(posedge clock) if (apply && shown[15:0] == {}) {name} <= {value};\n",
                literal(16, opcode as u64)
            );
        }
        Verilog::Custom(text)
    }
}

//! The reference page of the instruction set, made from the table.

use crate::isa::{
    COUNT_CYCLES, COUNT_SPACING_CYCLES, Cycles, IMAGE_CYCLES, INSTRUCTION_CYCLES, MOVE_CYCLES, OPERATIONS, WORDS,
};
use alloc::format;
use alloc::string::{String, ToString as _};

const HEAD: &str = "\
# The instruction set

Made from the table in `firmware/src/isa.rs`; why it is like this says [ADR 0013](../adr/0013-programs-of-whole-layers.md).
How `bitline compile` makes programs of networks, and `bitline assemble` of text, says [the compiler's page](compiler.md).

An instruction is eight 16-bit words: word 0 holds the code, words 1 to 7 the fields, and every other bit is 0. A program has no jumps. It runs from
its first instruction to `halt`, once for each image. What sets something up keeps its fields until it is given again; `read` and `classify` run a
layer with what was set up. Addresses count codes of the activation memory.

As text, an instruction is a line, a field is `name=number`, and `#` starts a comment. A field that is not given has its smallest legal value. Two dense
layers, 784 - 100 - 10, with 4-bit codes and weights, on tiles of 64 rows and 16 columns:

```text
window base=0 image=1 segments=1 codes=784      # all pixels at once
tiles first=0 row_groups=13 output_groups=25 outputs=100 columns=4 planes=4
thresholds first=0 bits=4
pool size=1
output base=2048
read wide=1 high=1
count layer=0
window base=2048 codes=100 bias=15              # and a row of biases
tiles first=325 row_groups=2 output_groups=3 outputs=10 columns=4 planes=4
classify
count layer=1
halt
```

";

/// The page, in Markdown: a table of operations, and of each operation's fields.
pub fn page() -> String {
    let mut text = HEAD.to_string();
    text += "| code | operation | clocks | what it does |\n| --- | --- | --- | --- |\n";
    for operation in &OPERATIONS {
        let clocks = match operation.cycles {
            Cycles::Fixed(clocks) => clocks.to_string(),
            Cycles::Codes => format!("{}, and one for each chunk that is gathered", INSTRUCTION_CYCLES + MOVE_CYCLES),
            Cycles::Layer => format!("{INSTRUCTION_CYCLES}, and the layer's"),
        };
        text += &format!("| {} | `{}` | {clocks} | {} |\n", operation.opcode as u16, operation.name, operation.doc);
    }
    text += &format!(
        "\nAn image begins with {IMAGE_CYCLES} clocks in which its first instruction is fetched and decoded; later ones are fetched and decoded \
         meanwhile. A `halt`\nis done {COUNT_CYCLES} clocks after the last `count`, or later, and waits for that; a `count` {COUNT_SPACING_CYCLES} clocks after the last one, and after the clock before the image.\n"
    );
    for operation in OPERATIONS.iter().filter(|operation| !operation.fields.is_empty()) {
        text += &format!(
            "\n`{}`:\n\n| field | word (of {WORDS}) | bits | legal | what it is |\n| --- | --- | --- | --- | --- |\n",
            operation.name
        );
        for field in operation.fields {
            let bits = match field.bits {
                1 => field.low.to_string(),
                bits => format!("{}..{}", field.low + bits - 1, field.low),
            };
            let legal =
                if field.name == "columns" { "1, 4, 8".into() } else { format!("{}..={}", field.min, field.max) };
            text += &format!("| `{}` | {} | {bits} | {legal} | {} |\n", field.name, field.word, field.doc);
        }
    }
    text
}

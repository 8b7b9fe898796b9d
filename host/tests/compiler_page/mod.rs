//! The page of the compiler, with what its commands print.

use std::path::Path;
use std::process::Command;

use bitline_firmware::isa::{COUNT_CYCLES, COUNT_SPACING_CYCLES, IMAGE_CYCLES, INSTRUCTION_CYCLES, MOVE_CYCLES};
use bitline_firmware::timing::{
    COUNTS_TO_SUMS, FREE_TO_GATHER, GATHER_CYCLES, GATHER_TO_READ, RANKING_CYCLES, READ_TO_ROWS, SUMS_TO_END,
};

use crate::drawn::convolutional;

const HEAD: &str = "\
# The compiler and its mapping report

Made by `BITLINE_WRITE_BOOK=1 cargo test -p bitline-host --test book`. The operations are in [instruction-set.md](instruction-set.md), why a program is like
this is in [ADR 0013](../adr/0013-programs-of-whole-layers.md).

`bitline compile NETWORK --machine M` makes a program of a network for a machine that runs programs (`tiny-deep`, `mnist`, `mnist-small`, `kws`), prints where its layers
went, and with `--out` writes the program. What follows is a network of MNIST's size with drawn weights: 5x5 convolution with 8 outputs and a border
of 2, 3x3 convolution with 16, each pooled by 2x2, then 10 dense outputs.

";

const READING: &str = "
- *rows x outs*: rows of a window, its bias row included, and outputs. A tall window takes several tiles under each other (row groups), many outputs several
  beside each other (output groups). *columns*: of an output; weights of 2 and 3 bits take 4, of 5 to 7 bits 8.
- *wasted r, c*: rows of the last row group and columns of the last output group that hold no weight.
- *codes in*, *codes out*: codes of the map with its border, and its first address in the activation memory. Maps take turns: one from the memory's start, the
  next up to its end. The first layer reads the image in its slot.
- *thresholds*: entries, one an output. A layer's first is a multiple of the outputs that leave the array a clock.

Every clock of a layer, from the first of its instructions (of the first layer's, from its fetch) to the `count` that ends it, is one of five:

| clocks | what happens | what would make them fewer |
| --- | --- | --- |
| *busy* | a tile is read | more `plane_lanes`, fewer planes, fuller tiles |
| *feeding* | the reader waits for codes of a window | more `gather_lanes`, fewer and longer segments |
| *outputs* | the reader waits until outputs have left their tile | more `output_lanes` |
| *memory* | `fill` and `copy` move codes | more `gather_lanes`, smaller borders |
| *latency* | instructions are fetched, or the last outputs are on their way | fewer, larger layers |

*limited by* names the largest. The counts do not depend on codes or weights; `bitline sim` compares them with what a machine counts, and a difference of one is a
failure.

";

fn clocks() -> String {
    let before_sums = COUNTS_TO_SUMS - 1;
    format!(
        "## How the clocks are predicted\n\n\
         `firmware/src/timing.rs` follows a layer event by event: the *gatherer* moves a chunk of up to `gather_lanes` codes of one segment a clock into one of two \
         window\nbuffers, the bias row in a chunk of its own; the *reader* reads a tile a clock, window by window, output group by output group, row group by row group, \
         plane group\nby plane group, a row group once all its codes are there. The outputs of a tile leave it `output_lanes` a clock; where that takes longer than \
         the reads of an output group,\nthe group's last read waits until as many clocks have passed since the last read of the group before. `hdl/tests/deep_core.rs` \
         holds these clocks to those of the gateware.\n\n\
         | constant | clocks |\n| --- | --- |\n\
         | before an image's first instruction | {IMAGE_CYCLES} |\n\
         | an instruction that moves nothing, and the beginning of every other | {INSTRUCTION_CYCLES} |\n\
         | from a `count` to a `halt`, at least | {COUNT_CYCLES} |\n\
         | from a `count`, or the clock before an image, to the next `count`, at least | {COUNT_SPACING_CYCLES} |\n\
         | `fill` and `copy`, beyond that and one a chunk | {MOVE_CYCLES} |\n\
         | between a layer's instruction and its first chunk | {GATHER_CYCLES} |\n\
         | from the last read of a window to the first chunk that goes into its buffer | {FREE_TO_GATHER} |\n\
         | from the last chunk of a row group to its first read | {GATHER_TO_READ} |\n\
         | from a read to its rows at the counters | {READ_TO_ROWS} |\n\
         | counting the rows of a column | 1 up to 15 rows, 2 up to 127, 3 up to 1023 |\n\
         | from counts to the first sums of an output group, the clock of these not counted | {before_sums} |\n\
         | from the last sums to the end of `read` | {SUMS_TO_END} |\n\
         | the same of `classify`, beyond one a sum | {RANKING_CYCLES} |\n\n"
    )
}

const FILES: &str = "\
## Program files

A program is one safetensors file: `program` U16 `[instruction][8]`; `tiles` U16 `[tile][column][word]`, row r in bit r % 16 of word r / 16, 1 for a device in LRS;
`thresholds` I32 `[entry][15]`, unused ones 0. Its metadata, under `bitline.program`, says which network it is of and where that came from, which machine it is
for, and where an image lies in its slot. A file is refused with the place if an instruction does not decode, thresholds fall, a device lies outside its tile, or the
program does not pass the checks for the machine (`firmware/src/verify.rs`).

`bitline disassemble FILE` prints the program as text, and `bitline assemble FILE --machine M --out FILE` makes a file of text; the two give each other's
words back. `--data FILE` takes devices, thresholds and the image's place from another program file.

";

const RUNNING: &str = "\
## Running

`bitline sim --machine M --network FILE --engine golden` compiles and runs a network, `--program FILE` a program; `--images N` of the digits' test rows, or with
`--seed S` of made-up images. Golden's integer layers say what each code between layers, each sum, class and margin has to be; golden's executor, which
runs the program instruction by instruction, says the counters; the mapping report says cycles, busy cycles, array reads, conversions and macs of each layer. The
first number that differs is named with image, layer and place.

`--json` prints one object:

| field | meaning |
| --- | --- |
| `machine`, `network`, `engine`, `data` | what ran what on what, on which images, in words |
| `images`, `labelled`, `correct`, `accuracy` | images; those whose label is known; those classified as it; their share, or null |
| `equal` | whether every code, sum, class, margin and counter is golden's |
| `codes_compared`, `sums_compared` | numbers that were compared |
| `counters`, and `layers` with `layer` and `counters` | for each counter `{hardware, golden}`, all images together |
| `first_difference` | null, or `{what, image, layer, index, expected, got}` |
| `seconds` | wall time of the engine |

";

/// The page, and the floor plan on it.
pub fn page() -> (String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = std::env::temp_dir().join(format!("bitline-page-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).display().to_string();
    let (network, plan, program) = (file("drawn.safetensors"), file("plan.svg"), file("digits.program.safetensors"));
    convolutional().save(&network).unwrap();
    let shown = |shown: &str, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_bitline")).current_dir(&root).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(str::trim_end).filter(|line| !line.starts_with("time "));
        format!("```text\n$ {shown}\n{}\n```\n", lines.collect::<Vec<_>>().join("\n"))
    };
    let example = |name: &str| {
        let text = std::fs::read_to_string(root.join("docs/examples").join(name)).unwrap();
        format!("[docs/examples/{name}](../examples/{name}):\n\n```text\n{text}```\n\n")
    };
    let mut page = HEAD.to_string();
    page += &shown(
        "bitline compile drawn.safetensors --machine mnist --floor-plan compiler.svg",
        &["compile", &network, "--machine", "mnist", "--floor-plan", &plan],
    );
    page += READING;
    page += "![Every tile of the machine, by bank, filled as far as its layer uses it](compiler.svg)\n\n";
    page += &clocks();
    page += FILES;
    let shipped = "networks/digits.safetensors";
    page += "The shipped network of the digits, as a program:\n\n";
    page += &example("digits.asm");
    shown("", &["compile", shipped, "--machine", "mnist", "--out", &program]);
    let made = file("made.safetensors");
    let assembled = ["assemble", "docs/examples/digits.asm", "--machine", "mnist", "--data", &program, "--out", &made];
    shown("", &assembled);
    let run = ["sim", "--machine", "mnist", "--engine", "golden", "--program", &made];
    page += &format!(
        "```sh\nbitline compile {shipped} --machine mnist --out out/digits.safetensors\n\
         bitline assemble docs/examples/digits.asm --machine mnist --data out/digits.safetensors --out out/example.safetensors\n\
         bitline disassemble out/example.safetensors\n\
         bitline sim --machine mnist --engine golden --program out/example.safetensors\n```\n\n"
    );
    page += &shown("bitline sim --machine mnist --engine golden --program out/example.safetensors", &run)
        .replace(&made, "out/example.safetensors");
    page += "\nA convolution with pooling, and one with a border. Without devices of its own it gives zeros, in the clocks that it takes with any:\n\n";
    page += &example("convolution.asm");
    page += RUNNING.trim_end();
    page += "\n";
    let drawn = std::fs::read_to_string(&plan).unwrap();
    let _ = std::fs::remove_dir_all(&folder);
    (page, drawn)
}

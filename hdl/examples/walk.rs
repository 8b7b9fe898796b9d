//! Writes the book's page that follows one digit through the machine.
//!
//! `cargo run -p bitline-hdl --example walk > docs/book/digit.md`; a test holds page and model together.

use bitline_golden::array::DeviceArray;
use bitline_golden::dataset::Digits;
use bitline_golden::machine::Machine;
use bitline_golden::network::Network;
use bitline_golden::run::run;
use bitline_golden::timing;
use bitline_golden::trace::{PlaneTrace, explain};

/// Row of the data set that holds the first test image.
const ROW: usize = 1500;
/// Pixels to a side.
const SIDE: usize = 8;

/// A picture of 64 values, one character or number each.
fn picture(value: impl Fn(usize) -> String) -> String {
    let line = |y: usize| (0..SIDE).map(|x| value(y * SIDE + x)).collect::<Vec<_>>().join(" ");
    (0..SIDE).map(|y| line(y) + "\n").collect()
}

/// Pictures side by side.
fn beside(pictures: &[String]) -> String {
    let line = |y: usize| pictures.iter().map(|p| p.lines().nth(y).unwrap_or("")).collect::<Vec<_>>().join("     ");
    (0..SIDE).map(|y| line(y).trim_end().to_string() + "\n").collect()
}

/// `+3`, `-4`.
fn signed(value: i64) -> String {
    format!("{value:+}")
}

fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|{}\n", " ---: |".repeat(header.len()));
    line(header) + &rule + &rows.iter().map(|row| line(row)).collect::<String>()
}

/// The page.
pub fn page() -> String {
    let machine = Machine::named("digits").expect("a built-in machine");
    let turbo = Machine::named("digits-turbo").expect("a built-in machine");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../networks/digits.safetensors");
    let network = Network::load(file).expect("the shipped network is readable");
    let layer = &network.layers[0];
    let weights = layer.array_weights(&machine).expect("the shipped network fits the machine");
    let devices = DeviceArray::from_weights(&machine, &weights).expect("the shipped weights fit the machine");
    let data = Digits::embedded();
    let (image, label) = (data.images.row(ROW), data.labels[ROW]);
    let trace = explain(&machine, &devices, image).expect("the image fits the machine");
    let test_images = data.test_images().to_owned();
    let labels: Vec<Option<u8>> = data.test_labels().iter().map(|label| Some(*label)).collect();
    let all = run(&machine, &devices, &test_images, &labels).expect("the images fit the machine");
    let one = run(&machine, &devices, &test_images.slice(ndarray::s![..1, ..]).to_owned(), &labels[..1])
        .expect("the image fits the machine");

    let class = usize::from(trace.verdict.class);
    let (bw, bx) = (machine.weight_bits, machine.input_bits);
    let first = class * bw;
    let rows = machine.rows;
    let mut page = String::new();
    let mut say = |text: String| page += &(text + "\n");

    say(format!(
        "# One digit through the machine\n\n\
         Row {ROW} of the digits, the first of the {} test images, labelled {label}, through the `digits` machine with the\n\
         shipped network (`networks/digits.safetensors`). `cargo run -p bitline-hdl --example walk` writes this page from the\n\
         golden model, and a test in `hdl/tests/digit_page.rs` fails when the two part.\n",
        test_images.nrows()
    ));

    say(format!(
        "## Pixels and codes\n\nEach pixel is 0.0 to 1.0 in sixteenths; its code is 16 times that, {bx} bits.\n"
    ));
    say(format!("```text\n{}```\n", picture(|i| format!("{:2}", image[i]))));
    say(format!(
        "Row r of the crossbar is driven by pixel r, and the last row, {}, by the constant code {} (that is 1.0): it holds\nthe biases.\n",
        rows - 1,
        machine.bias_code
    ));

    say("## Planes\n\nPlane i is bit i of every code. A `#` is a row that is driven. The bias row's bit stands below.\n".into());
    let planes: Vec<String> =
        trace.reads.iter().map(|read| picture(|i| if read.driven[i] { "#" } else { "." }.into())).collect();
    let heads: Vec<String> = (0..bx).map(|i| format!("{:<15}", format!("plane {i}"))).collect();
    let bias: Vec<String> = trace
        .reads
        .iter()
        .map(|read| format!("{:<15}", format!("bias row {}", if read.driven[rows - 1] { "#" } else { "." })))
        .collect();
    say(format!(
        "```text\n{}\n{}{}\n```\n",
        heads.join("     ").trim_end(),
        beside(&planes),
        bias.join("     ").trim_end()
    ));
    let a = |read: &PlaneTrace| read.reading.active.to_string();
    say(format!(
        "Driven rows a: {}; together {} row pulses, which the counter `row_pulses` counts.\n",
        trace.reads.iter().map(a).collect::<Vec<_>>().join(", "),
        one.counters.row_pulses
    ));

    say(format!(
        "## Devices\n\nOutput {class} owns columns {first} to {}. Its weights are {bw}-bit two's complement; column {first} + j holds bit j of\n\
         every weight, LRS for 1. Here are the weights of its 64 pixels, and the devices of its four columns (`#` is LRS).\n\
         Its bias is {}.\n",
        first + bw - 1,
        signed(i64::from(weights[[class, rows - 1]]))
    ));
    say(format!("```text\n{}```\n", picture(|i| format!("{:>2}", weights[[class, i]]))));
    let columns: Vec<String> =
        (0..bw).map(|j| picture(|i| if devices.get(i, first + j) { "#" } else { "." }.into())).collect();
    let heads: Vec<String> = (0..bw).map(|j| format!("{:<15}", format!("column {}", first + j))).collect();
    say(format!("```text\n{}\n{}```\n", heads.join("     ").trim_end(), beside(&columns)));

    let g = machine.conductance.ratio();
    let q = machine.quantizer;
    say(format!(
        "## Counts, currents, codes\n\nPlane i on column j makes n devices conduct that are driven and in LRS. With g = {g} and the reference column\n\
         subtracted, the column's current is I = {} n, in units of one device in HRS. The quantizer in place of the ADC gives\n\
         q = (I * {} + {}) >> {}, at most {}: here q = n, for the setting is lossless, and nothing saturates.\n\
         n, I and q of output {class}:\n",
        g - 1,
        q.multiplier,
        (1u64 << q.shift) >> 1,
        q.shift,
        machine.code_max()
    ));
    let mut header = vec!["plane".to_string(), "a".into()];
    header.extend((first..first + bw).map(|c| format!("column {c}")));
    let rows_of = |read: &PlaneTrace| {
        let mut cells = vec![read.plane.to_string(), a(read)];
        cells.extend((first..first + bw).map(|c| {
            let r = &read.reading;
            format!("{}, {}, {}", r.counts[c], r.currents[c], r.readings[c].code)
        }));
        cells
    };
    say(table(&header, &trace.reads.iter().map(rows_of).collect::<Vec<_>>()));

    say(format!(
        "## Recombination\n\nThe columns weigh {}, and plane i weighs 2^i:\n",
        (0..bw)
            .map(|j| signed(i64::from(bitline_golden::recombination::column_sign(bw, j)) << j))
            .collect::<Vec<_>>()
            .join(", ")
    ));
    let mut total = 0i64;
    let sums: Vec<Vec<String>> = trace
        .reads
        .iter()
        .map(|read| {
            let codes = (first..first + bw).map(|c| read.reading.readings[c].code);
            let terms: Vec<String> = codes
                .enumerate()
                .map(|(j, q)| {
                    format!("{} * {q}", signed(i64::from(bitline_golden::recombination::column_sign(bw, j)) << j))
                })
                .collect();
            let sum = i64::from(read.sums[class]);
            let weighed = sum << read.plane;
            total += weighed;
            vec![read.plane.to_string(), terms.join(" "), signed(sum), signed(weighed), signed(total)]
        })
        .collect();
    say(table(&["plane", "columns", "sum", "times 2^i", "y so far"].map(String::from), &sums));
    let product: i64 =
        trace.codes.iter().enumerate().map(|(r, code)| i64::from(*code) * i64::from(weights[[class, r]])).sum();
    say(format!("The plain integer product of the same weights and codes, bias included, is {}.\n", signed(product)));

    say("## Outputs and verdict\n".into());
    let header: Vec<String> =
        std::iter::once("output".into()).chain((0..machine.outputs).map(|o| o.to_string())).collect();
    let row = std::iter::once("y".to_string()).chain(trace.outputs.iter().map(|y| signed(i64::from(*y)))).collect();
    say(table(&header, &[row]));
    say(format!(
        "The largest is output {class}, by a margin of {}. The label is {label}: `correct` counts {}.\n",
        trace.verdict.margin, one.counters.correct
    ));

    say("## Clocks and counters\n".into());
    say(format!(
        "`digits` reads {} rows of {} planes of {} columns a clock, so the image keeps the array busy for {} clocks; y of\n\
         output {class} is stored at the end of clock {} of the run, and the last verdict {} clocks after the last step.\n\
         `digits-turbo` reads all {} columns at once: {} clock an image, and {} clocks for a run of this one.\n",
        machine.row_lanes,
        machine.plane_lanes,
        machine.column_lanes,
        machine.steps_per_image(),
        timing::output_clock(&machine, 0, class),
        timing::pipeline_cycles(&machine),
        turbo.column_lanes,
        turbo.steps_per_image(),
        timing::run_cycles(&turbo, 1)
    ));
    let names = bitline_golden::registers::RUN_COUNTERS;
    let rows: Vec<Vec<String>> = names
        .iter()
        .zip(one.counters.values().iter().zip(all.counters.values()))
        .map(|(name, (one, all))| vec![format!("`{name}`"), one.to_string(), all.to_string()])
        .collect();
    say(table(&["counter", "this image", "all test images"].map(String::from), &rows));

    let lit = all.counters.correct & 0x1FF;
    say(format!(
        "## LEDs\n\nAfter all {} test images the nine LEDs show `correct` = {}, binary {lit:09b}:\n",
        test_images.nrows(),
        all.counters.correct
    ));
    let leds: Vec<&str> = (0..9).rev().map(|bit| if lit >> bit & 1 == 1 { "●" } else { "○" }).collect();
    say(format!("```text\n{}\n```", leds.join(" ")));
    page
}

#[allow(dead_code)]
fn main() {
    print!("{}", page());
}

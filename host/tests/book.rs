//! Pages of the book that are made from the program say what the program says.
//!
//! `BITLINE_WRITE_BOOK=1 cargo test -p bitline-host --test book` writes them.

mod compiler_page;
mod drawn;

use std::path::Path;
use std::process::Command;

fn check(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/book").join(name);
    if std::env::var_os("BITLINE_WRITE_BOOK").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == text,
        "docs/book/{name} is out of date; write it with: BITLINE_WRITE_BOOK=1 cargo test -p bitline-host --test book"
    );
}

#[test]
fn registers_page_is_the_register_map() {
    check("registers.md", &bitline_host::register_page::page());
}

#[test]
fn instruction_set_page_is_the_table() {
    check("instruction-set.md", &bitline_firmware::reference::page());
}

#[test]
fn compiler_page_has_what_the_commands_print() {
    let (page, plan) = compiler_page::page();
    check("compiler.md", &page);
    check("compiler.svg", &plan);
}

/// The page of mutation keeps its text; what is between the marks is made from the record.
#[test]
fn mutation_page_has_the_recorded_figures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let records = bitline_host::mutation_record::read(&root.join(bitline_host::mutation_record::FILE)).unwrap();
    assert!(!records.is_empty(), "docs/results/mutation.jsonl has no record");
    let page = std::fs::read_to_string(root.join("docs/book/mutation.md")).unwrap();
    let (before, rest) = page.split_once(FIGURES).expect("the page has the mark before the figures");
    let (_, after) = rest.split_once(END).expect("the page has the mark after the figures");
    let table = bitline_host::mutation_record::table(&records);
    check("mutation.md", &format!("{before}{FIGURES}\n{table}{END}{after}"));
}

const FIGURES: &str = "<!-- made from docs/results/mutation.jsonl -->";
const END: &str = "<!-- end of what is made -->";

const COMMAND_LINE: &str = "\
# The command line

What each verb says about itself with `--help`; made by `BITLINE_WRITE_BOOK=1 cargo test -p bitline-host --test book`.

What `bitline` prints on stdout is the result, what it prints on stderr is the talk. It exits with

| status | meaning |
| --- | --- |
| 0 | done, and where something was compared, equal |
| 1 | the machine and the golden model differ; the first difference is named with image, output and clock; or \
what was built misses its clock; or a mutant is not caught |
| 2 | it could not do what was asked; the message says what to do, and the command is repeated |

`sim`, `run`, `board` and `report` need no network file: the shipped `networks/digits.safetensors` is built in, and the \
file is taken where one lies in this directory or above it.

## The JSON object of `sim` and `run`

That of a machine that runs programs is on [the compiler's page](compiler.md). `--json` prints one line with one object.

| field | meaning |
| --- | --- |
| `machine`, `network`, `engine` | what ran what on what, in words |
| `images`, `runs` | images, and the runs they took: half the slots hold images, half results |
| `equal` | whether every output, class, margin and counter is golden's |
| `correct`, `leds` | images whose class was their label's, and what the nine LEDs show, LED 0 in bit 0 |
| `outputs_compared` | sums y that were read back and compared |
| `counters` | for each run counter `{hardware, golden}`, see [registers.md](registers.md) |
| `link` | the board's `frames_ok`, `frames_bad`, `frames_resent`, and under `host` the client's own count |
| `first_difference` | null, or `{what, image, output, expected, got, run, clock}`; `clock` counts from 1 within run `run` |
| `seconds`, `clocks`, `clocks_per_second` | wall time, and for a simulation the machine's clocks; null for a port |

";

fn help(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bitline")).args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "bitline {} --help", words.join(" "));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The verbs that a help lists, clap's own `help` left out.
fn verbs(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A line that goes on is indented further.
    let verbs = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    verbs.filter_map(|line| line.split(' ').next()).filter(|verb| *verb != "help").collect()
}

#[test]
fn command_line_page_is_the_help() {
    let whole = help(&[]);
    let mut text = format!("{COMMAND_LINE}## bitline\n\n```text\n{whole}\n```\n");
    assert!(verbs(&whole).contains(&"sweep"), "{whole}");
    for verb in verbs(&whole) {
        let own = help(&[verb]);
        text += &format!("\n## bitline {verb}\n\n```text\n{own}\n```\n");
        for inner in verbs(&own) {
            text += &format!("\n### bitline {verb} {inner}\n\n```text\n{}\n```\n", help(&[verb, inner]));
        }
    }
    check("command-line.md", &text);
}

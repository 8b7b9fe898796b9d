//! Rung R5 can fail: wrong leaves are refuted and named, and a proof about nothing is not taken for one.

use bitline_boards::BoardError;
use bitline_boards::formal::proof::{Method, Proof, Verdict};
use bitline_boards::formal::{self, Design, arithmetic, deep, link, proofs};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{Machine, QuantizerConfig};
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::export::{ExportOptions, deep_verilog, verilog};
use bitline_hdl::simulation::Contents;
use std::path::Path;

const TIMEOUT_SECONDS: u64 = 300;

/// A machine's export with one text replaced, which must be there.
fn damaged(machine: &Machine, right: &str, wrong: &str) -> Design {
    let text = verilog(machine, &ExportOptions::default()).unwrap();
    assert!(text.contains(right), "`{right}` is no longer in the export: change it here too");
    Design::of_text(machine, Contents::default(), &text.replace(right, wrong))
}

/// What the first proof about a block says.
fn verdict(proofs: Vec<Proof>, block: &str, folder: &str) -> Verdict {
    let proof = proofs.into_iter().find(|proof| proof.block == block).unwrap();
    proof.run(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder), TIMEOUT_SECONDS).unwrap().verdict
}

fn assert_refuted(verdict: &Verdict, assertion: &str) {
    let Verdict::Refuted { assertion: found, trace } = verdict else { panic!("not refuted: {verdict:?}") };
    assert!(found.contains(assertion), "{found}");
    assert!(trace.as_ref().is_some_and(|file| file.is_file()), "no trace");
}

#[test]
fn formal_wrong_population_count_table_is_refuted_and_named() {
    let digits = Machine::named("digits").unwrap();
    let design = damaged(&digits, "assign y = a ^ b ^ (p & d);", "assign y = a ^ b ^ (p | d);");
    let verdict = verdict(arithmetic::proofs(&design), "column_counter", "formal-table");
    assert_refuted(&verdict, "column_counter: is_the_count");
}

#[test]
fn formal_wrong_leaves_of_programs_are_refuted_and_named() {
    let machine = DeepMachine::named("tiny-deep").unwrap();
    let text = deep_verilog(&machine, &DeepContents::default(), None, true).unwrap();
    for (block, right, wrong, assertion) in [
        ("spread", "column_rows$1 = rows$1", "column_rows$1 = rows$0", "spread: rows_of_1"),
        ("mac_counter", "{7'b0, held_rows, 1'b0}", "{7'b0, held_rows, 1'b1}", "mac_counter: is_the_product"),
        ("code_rotator", "{codes[3:0], codes[15:4]}", "{codes[7:4], codes[15:4]}", "code_rotator: is_lane_"),
        ("write_select", "- 1'b1;", "- 1'b0;", "write_select: which_"),
        ("recombination", "{chosen_0_1, 1'b0}", "{chosen_0_1, 1'b1}", "recombination: "),
        ("pool", "held_codes[3:0] > earlier[3:0]", "held_codes[3:0] < earlier[3:0]", "pool: "),
        ("sum_rank", "else if (chosen > best)", "else if (chosen >= best)", "sum_rank: "),
        ("code_memory", "wire read_turn_1 = read_offset > 1;", "wire read_turn_1 = read_offset >= 1;", "code_memory: "),
        (
            "window_walk",
            "window_register$d = row_of_windows$q + step_y;",
            "window_register$d = row_of_windows$q + step_x;",
            "window_walk: ",
        ),
        ("plane_sum", "(step_first ? 12'd0 : active_sum)", "active_sum", "plane_sum: is_the_sum"),
    ] {
        assert!(text.contains(right), "`{right}` is no longer in the export: change it here too");
        let proofs = deep::of_text(&machine, &text.replace(right, wrong));
        assert_refuted(&verdict(proofs, block, &format!("formal-{block}")), assertion);
    }
}

#[test]
fn formal_wrong_quantizer_entry_is_refuted_and_named() {
    let tiny = Machine::named("tiny").unwrap();
    let quantizer = QuantizerConfig { multiplier: tiny.quantizer.multiplier / 2, ..tiny.quantizer };
    let machine = Machine { name: "tiny-half".into(), quantizer, ..tiny };
    let design = damaged(&machine, "5: begin code = 4'h3; end", "5: begin code = 4'h2; end");
    let verdict = verdict(arithmetic::proofs(&design), "column_quantizer", "formal-quantizer");
    assert_refuted(&verdict, "column_quantizer: is_the_code");
}

#[test]
fn formal_wrong_crc_polynomial_is_refuted_and_named() {
    let design = damaged(&Machine::named("tiny").unwrap(), "64'hedb88320", "64'hedb88321");
    let verdict = verdict(link::proofs(&design), "link_crc", "formal-crc");
    assert_refuted(&verdict, "link_crc: ");
}

#[test]
fn formal_switch_that_does_not_wait_for_a_frame_is_refuted_and_named() {
    let design = damaged(&Machine::named("tiny").unwrap(), " & ~receiver$frame_ready;", ";");
    let verdict = verdict(link::proofs(&design), "run_and_link", "formal-switch");
    assert_refuted(&verdict, "run_and_link: ");
}

#[test]
fn formal_unreached_cover_statement_is_not_a_proof() {
    let text = "module nothing(input clock, input [3:0] d);\nalways @(*) assume (d < 5);\n\
                always @(*) assert (d != 7);\nalways @(*) cover (d == 6);\nendmodule\n";
    let proof = Proof {
        block: "nothing",
        machine: "none".into(),
        instances: 1,
        property: "nothing at all".into(),
        method: Method::AnyState { depth: 2 },
        cover_depth: 2,
        verilog: text.into(),
        quick: false,
        number: 0,
    };
    let verdict = verdict(vec![proof], "nothing", "formal-vacuous");
    assert!(matches!(verdict, Verdict::Vacuous { .. }), "{verdict:?}");
}

#[test]
fn formal_leaf_without_a_proof_is_named() {
    let tiny = Machine::named("tiny").unwrap();
    let text =
        verilog(&tiny, &ExportOptions::default()).unwrap() + "module top$accelerator$novel(clock,y);\nendmodule\n";
    let design = Design::of_text(&tiny, Contents::default(), &text);
    let error = formal::of_design(&design).unwrap_err();
    assert_eq!(error, BoardError::Unproved { machine: "tiny".into(), module: "top$accelerator$novel".into() });
}

#[test]
fn formal_leaf_of_programs_without_a_proof_is_named() {
    let machine = DeepMachine::named("tiny-deep").unwrap();
    let text = deep_verilog(&machine, &DeepContents::default(), None, true).unwrap();
    assert_eq!(deep::checked(&machine, &text).map(|proofs| proofs.is_empty()), Ok(false));
    let error = deep::checked(&machine, &(text + "module top$core$novel(clock,y);\nendmodule\n")).unwrap_err();
    assert_eq!(error, BoardError::Unproved { machine: "tiny-deep".into(), module: "top$core$novel".into() });
}

#[test]
fn formal_every_proof_has_a_name_of_its_own_and_a_cover_statement() {
    let machines: Vec<Machine> = Machine::names().map(|name| Machine::named(name).unwrap()).collect();
    let proofs = proofs(&machines).unwrap();
    let mut names: Vec<String> = proofs.iter().map(Proof::name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(proofs.iter().all(|proof| proof.verilog.contains("cover (")));
    assert!(proofs.iter().any(|proof| proof.quick) && proofs.iter().any(|proof| !proof.quick));
}

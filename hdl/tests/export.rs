//! The Verilog of every machine: its top module, its names, and what tools on the PATH say of it.

mod support;

use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::Machine;
use bitline_hdl::deep::core::DeepContents;
use bitline_hdl::export::{ExportOptions, deep_verilog, verilog};
use bitline_hdl::simulation::Contents;
use std::collections::HashSet;
use std::path::PathBuf;
use support::tool;

/// Words of Verilog and SystemVerilog (IEEE 1800-2017) that no signal may be called, less those that the export uses.
const KEYWORDS: &str = "accept_on alias always_comb always_ff always_latch and assert assume automatic before bind bins \
    binsof bit break buf bufif0 bufif1 byte cell chandle checker class clocking cmos config const constraint context \
    continue cover covergroup coverpoint cross deassign defparam design disable dist do edge endchecker endclass \
    endclocking endconfig endfunction endgenerate endgroup endinterface endpackage endprimitive endprogram \
    endproperty endsequence endspecify endtable endtask enum event eventually expect export extends extern final \
    first_match force foreach forever fork forkjoin function genvar global highz0 highz1 ifnone iff ignore_bins \
    illegal_bins implements implies import incdir include inout inside instance int interconnect interface intersect \
    join join_any join_none large let liblist library local logic longint macromodule matches medium modport nand \
    negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null package packed pmos primitive priority \
    program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc \
    randcase randsequence rcmos real realtime ref reject_on release repeat restrict return rnmos rpmos rtran rtranif0 \
    rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled \
    small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on \
    sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 \
    triand trior trireg type typedef union unique unique0 until until_with untyped use uwire var vectored virtual void \
    wait wait_order wand weak weak0 weak1 while wildcard with within wor xnor xor";

fn machines() -> impl Iterator<Item = Machine> {
    Machine::names().map(|name| Machine::named(name).unwrap())
}

/// Text without comments and strings.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"']) {
        code += &rest[..at];
        rest = &rest[at..];
        let end = match rest {
            r if r.starts_with("//") => r.find('\n'),
            r if r.starts_with("/*") => r.find("*/").map(|end| end + 2),
            r if r.starts_with('"') => r[1..].find('"').map(|end| end + 2),
            _ => {
                code.push('/');
                Some(1)
            }
        };
        rest = &rest[end.unwrap_or(rest.len())..];
    }
    code + rest
}

/// Write a machine's Verilog where a tool can read it.
fn written(machine: &Machine, contents: Contents) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("export-{}.v", machine.name));
    std::fs::write(&path, verilog(machine, &ExportOptions { contents, ..Default::default() }).unwrap()).unwrap();
    path
}

#[test]
fn verilog_has_the_board_s_ports_and_no_keyword_for_a_name() {
    let keywords: HashSet<&str> = KEYWORDS.split_whitespace().collect();
    for machine in machines() {
        let text = code(&verilog(&machine, &ExportOptions::default()).unwrap());
        assert_eq!(text.matches("module top(").count(), 1, "{}", machine.name);
        let top = text.split("module top(").nth(1).unwrap().split(");").next().unwrap();
        for port in ["clock", "uart_rx", "uart_tx", "start_switch", "reset_button", "leds"] {
            assert!(top.contains(port), "{}: top has no {port}", machine.name);
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        let used: HashSet<&str> = text.split(|c| !word(c)).filter(|name| keywords.contains(name)).collect();
        assert!(used.is_empty(), "{}: keywords {used:?} used as names", machine.name);
    }
}

#[test]
fn verilog_of_machines_that_run_programs_has_no_keyword_for_a_name() {
    let keywords: HashSet<&str> = KEYWORDS.split_whitespace().collect();
    for name in DeepMachine::names() {
        let machine = DeepMachine::named(name).unwrap();
        for bytes in [false, true] {
            let text = code(&deep_verilog(&machine, &DeepContents::default(), None, bytes).unwrap());
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
            let used: HashSet<&str> = text.split(|c| !word(c)).filter(|name| keywords.contains(name)).collect();
            assert!(used.is_empty(), "{name}: keywords {used:?} used as names");
        }
    }
}

#[test]
fn keywords_are_found_outside_comments_only() {
    assert_eq!(code("a // cell\nb /* table */ c \"wait\" d / e"), "a \nb  c  d / e");
}

#[test]
fn verilog_of_a_stale_clock_is_refused() {
    let options = ExportOptions { clock_hz: Some(1000), ..Default::default() };
    let error = verilog(&Machine::named("tiny").unwrap(), &options).unwrap_err();
    assert!(error.to_string().contains("clocks per bit"), "{error}");
}

#[test]
fn verilog_passes_icarus() {
    for machine in machines() {
        let contents = Contents {
            devices: vec![vec![true; machine.columns()]],
            images: vec![vec![1; machine.inputs()]],
            labels: vec![Some(1)],
            counts: 0,
        };
        let path = written(&machine, contents);
        let output = tool("iverilog").args(["-g2012", "-Wall", "-t", "null"]).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", machine.name);
        assert!(!said.contains("error") && !said.contains("implicit"), "{}: {said}", machine.name);
    }
}

#[test]
fn verilog_passes_verilator() {
    for machine in machines() {
        let machine = Machine { name: format!("{}-lint", machine.name.replace("digits-turbo", "turbo")), ..machine };
        let path = written(&machine, Contents::default());
        let output = tool("verilator").args(["--lint-only", "--top-module", "top"]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}: {}", machine.name, String::from_utf8_lossy(&output.stderr));
    }
}

//! Where two rungs part: a wrong line in the exported Verilog is found again as the block it stands in, in the clock in which it
//! first shows.

use std::path::Path;

use bitline_golden::machine::Machine;
use bitline_hdl::export::{ExportOptions, verilog};
use bitline_host::bisection::{Bisection, Files, bisect};
use bitline_host::engine::Engine;
use bitline_host::problem::{Problem, Source};

fn problem(images: usize) -> Problem {
    Problem::new(Machine::named("tiny").unwrap(), &Source::MadeUp(1), Some(images)).unwrap()
}

/// Look for the block in which an engine parts from RustHDL, when one piece of text of one module of the Verilog of `tiny` is
/// another.
fn bisected(engine: Engine, change: Option<[&str; 3]>) -> Bisection {
    let machine = Machine::named("tiny").unwrap();
    let mut text = verilog(&machine, &ExportOptions::default()).unwrap();
    if let Some([module, right, wrong]) = change {
        let start = text.find(&format!("\nmodule {module}(")).expect("the module is there");
        let end = start + text[start..].find("endmodule").unwrap();
        let changed = text[start..end].replacen(right, wrong, 1);
        assert_ne!(changed, text[start..end], "{module} has changed its text: change it here too");
        text.replace_range(start..end, &changed);
    }
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verilated");
    bisect(&problem(2), engine, &machine, &text, &Files { work: &work, waves: None }).unwrap()
}

/// All that the comparison rests on: in every clock of a whole problem every port of every block is equal.
#[test]
fn exported_verilog_equals_rusthdl_port_for_port() {
    let start = std::time::Instant::now();
    let bisection = bisected(Engine::Verilator, None);
    println!("{bisection} {:?}", start.elapsed());
    assert_eq!(bisection.found(), None, "{bisection}");
}

#[test]
fn netlist_blocks_equal() {
    for engine in [Engine::Netlist, Engine::NetlistEcp5] {
        let start = std::time::Instant::now();
        let bisection = bisected(engine, None);
        println!("{engine} {bisection} {:?}", start.elapsed());
    }
}

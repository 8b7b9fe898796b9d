//! Where two rungs part: a wrong line in the exported Verilog is found again as the block it stands in, in the clock in which it
//! first shows.

use std::path::{Path, PathBuf};

use bitline_golden::machine::Machine;
use bitline_hdl::export::{ExportOptions, verilog};
use bitline_host::bisection::{Bisection, Files, bisect};
use bitline_host::engine::Engine;
use bitline_host::problem::{Problem, Source};

/// Look for the block in which exported Verilog parts from RustHDL, when one piece of text of one module of the Verilog of `tiny`
/// is another.
fn bisected(change: Option<[&str; 3]>, waves: Option<&Path>) -> Bisection {
    bisected_on(Engine::Verilator, change, waves)
}

/// The same for a difference that another engine showed.
fn bisected_on(engine: Engine, change: Option<[&str; 3]>, waves: Option<&Path>) -> Bisection {
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
    let problem = Problem::new(machine.clone(), &Source::MadeUp(1), Some(2)).unwrap();
    bisect(&problem, engine, &machine, &text, &Files { work: &work, waves }).unwrap()
}

/// What every bisection rests on, and more than the pins can tell: in every clock of a whole problem every port of every block
/// of the exported Verilog has RustHDL's value.
#[test]
fn exported_verilog_equals_rusthdl_port_for_port() {
    let bisection = bisected(None, None);
    let [search] = bisection.searches.as_slice() else { panic!("{bisection}") };
    assert_eq!((bisection.found(), &search.column, search.missing), (None, &None, 0), "{bisection}");
    assert!(search.ports > 500 && search.clocks > 50_000, "{bisection}");
}

/// One column of twelve counts a row that is not driven: block, clock and column are told, and both waves end after that clock.
#[test]
fn wrong_count_in_one_column_names_column_and_clock_and_keeps_both_waves() {
    let waves = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong-column");
    let change = ["top$accelerator$column$3", "= rows & devices;", "= rows | devices;"];
    let bisection = bisected(Some(change), Some(&waves));
    let (search, fault) = bisection.found().unwrap_or_else(|| panic!("{bisection}"));
    assert_eq!((fault.origin.block.as_str(), fault.origin.port.as_str()), ("accelerator.column$3", "count"));
    assert_eq!(
        (fault.kind.as_str(), fault.text_of, fault.origin.other_blocks),
        ("column_counter", Some("population_count"), 0)
    );
    // Lane 3 of six column lanes and two plane lanes is the second column of a group, and plane 1 or 3.
    let column = search.column.as_ref().unwrap_or_else(|| panic!("{bisection}"));
    assert_eq!((column.column % 6, column.plane % 2, column.block.as_str()), (1, 1, "accelerator.column$3"));
    assert_eq!((column.output, column.bit), (column.column / 3, column.column % 3));
    assert!(fault.clock <= column.clock && column.clock <= search.clocks, "{bisection}");
    let text = bisection.to_string();
    for part in [
        "  block     accelerator.column$3 (column_counter, population_count in it): the first whose output differs"
            .to_string(),
        format!("  clock     {} from power-on: count is {}, in RustHDL ", fault.clock, fault.origin.got),
        format!("  column    {} (bit {} of output {}), plane ", column.column, column.bit, column.output),
        format!("  waves     {}-rusthdl.vcd, {}-verilog.vcd ", waves.display(), waves.display()),
    ] {
        assert!(text.contains(&part), "{part:?} is not in\n{text}");
    }
    let values: Vec<Option<String>> = bisection.waves.iter().map(|file| count_at(file, fault.clock)).collect();
    let bits = |hexadecimal: &str| u64::from_str_radix(hexadecimal.trim_start_matches("0x"), 16).ok();
    let told = [bits(&fault.origin.expected), bits(&fault.origin.got)];
    let kept: Vec<Option<u64>> = values.iter().map(|bits| u64::from_str_radix(bits.as_ref()?, 2).ok()).collect();
    assert_eq!(kept, told, "{values:?}");
    bisection.waves.iter().for_each(|file| std::fs::remove_file(file).unwrap());
}

/// The bits of `accelerator.column$3.count` in a VCD at a time, if the VCD goes on at least until then.
fn count_at(file: &PathBuf, time: u64) -> Option<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let (mut scope, mut code, mut bits, mut now) = (Vec::new(), None, None, 0);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["$scope", _, name, ..] => scope.push(name),
            ["$upscope", ..] => drop(scope.pop()),
            ["$var", _, _, id, "count", ..] if scope.ends_with(&["accelerator", "column$3"]) => code = Some(id),
            [value, id] if Some(id) == code && now <= time => bits = value.strip_prefix('b').map(str::to_string),
            [at] if at.starts_with('#') => now = at[1..].parse().unwrap(),
            _ => {}
        }
    }
    bits.filter(|_| now > time)
}

#[test]
fn wrong_comparison_names_argmax_and_no_column() {
    let change = ["top$accelerator$argmax", "best_0_0 >= best_0_1", "best_0_0 < best_0_1"];
    let bisection = bisected(Some(change), None);
    let (search, fault) = bisection.found().unwrap_or_else(|| panic!("{bisection}"));
    assert_eq!((fault.origin.block.as_str(), fault.kind.as_str()), ("accelerator.argmax", "argmax"), "{bisection}");
    assert_eq!(search.column, None, "{bisection}");
    assert!(bisection.to_string().contains("  column    none: no column's count differs in a run\n"));
}

/// A block that RustHDL translates: the wrong line drives the register in it, whose input is the first port that differs. This
/// machine never answers its host, which R2 by itself tells as silence.
#[test]
fn wrong_line_of_the_crc_names_link_crc_and_its_register() {
    let change = ["top$accelerator$link_crc", "(crc$q >> 32'h1) ^ polynomial", "(crc$q >> 32'h1)"];
    let bisection = bisected(Some(change), None);
    let (_, fault) = bisection.found().unwrap_or_else(|| panic!("{bisection}"));
    let origin = &fault.origin;
    assert_eq!((origin.block.as_str(), origin.port.as_str()), ("accelerator.link_crc", "crc.d"), "{bisection}");
    assert_eq!((fault.kind.as_str(), fault.text_of), ("link_crc", None));
}

/// What only synthesis gets wrong: Yosys defines `SYNTHESIS` and Verilator does not. The exported Verilog is equal in every port, and
/// the netlist in which each block is synthesised by itself names the block.
#[test]
fn wrong_count_that_only_synthesis_makes_is_named_by_the_netlist_of_blocks() {
    let wrong = "=\n`ifdef SYNTHESIS\n rows | devices;\n`else\n rows & devices;\n`endif\n";
    let change = ["top$accelerator$column$3", "= rows & devices;", wrong];
    let bisection = bisected_on(Engine::Netlist, Some(change), None);
    let [verilog, netlist] = bisection.searches.as_slice() else { panic!("{bisection}") };
    assert!(verilog.fault.is_none() && verilog.column.is_none(), "{bisection}");
    let fault = netlist.fault.as_ref().unwrap_or_else(|| panic!("{bisection}"));
    assert_eq!((fault.origin.block.as_str(), fault.kind.as_str()), ("accelerator.column$3", "column_counter"));
    assert!(bisection.to_string().contains("  equal     exported Verilog and RustHDL: "), "{bisection}");
}

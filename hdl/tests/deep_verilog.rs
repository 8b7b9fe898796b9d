//! The Verilog of the leaf blocks of machines that run programs: what tools say of it, and that it is the Rust model clock by clock.

#[path = "support/deep.rs"]
mod deep;
mod support;

use bitline_golden::deep_machine::DeepMachine;
use bitline_hdl::deep::code_memory::CodeMemory;
use bitline_hdl::deep::code_rotator::CodeRotator;
use bitline_hdl::deep::plane_sum::PlaneSum;
use bitline_hdl::deep::pool::Pool;
use bitline_hdl::deep::recombination::Recombination;
use bitline_hdl::deep::sum_rank::SumRank;
use bitline_hdl::deep::threshold::Threshold;
use bitline_hdl::deep::tile_memory::TileMemory;
use bitline_hdl::deep::window_memory::WindowMemory;
use deep::{Driver, Leaf, connected, named, odd_machines, random_machine, settle};
use rust_hdl::prelude::{Atom, AtomKind, Block, Probe, generate_verilog_unchecked};
use rust_hdl_core::synth::VCDValue;
use std::fmt::Write;
use std::path::PathBuf;
use support::tool;

/// Clocks of a co-simulation.
const CLOCKS: usize = 600;
/// Clocks in which a memory's output may still have no value: none was read yet.
const UNKNOWN_CLOCKS: usize = 2;

/// Ports of a leaf with their widths and what they carry, in binary.
#[derive(Default)]
struct Ports {
    inputs: Vec<(String, usize, String)>,
    outputs: Vec<(String, usize, String)>,
}

impl Probe for Ports {
    fn visit_atom(&mut self, name: &str, signal: &dyn Atom) {
        let text = match signal.vcd() {
            VCDValue::Single(value) => value.to_string(),
            VCDValue::Vector(values) => values.iter().map(ToString::to_string).collect(),
            _ => panic!("{name} is neither a bit nor bits"),
        };
        match signal.kind() {
            AtomKind::InputParameter if name == "clock" => {}
            AtomKind::InputParameter => self.inputs.push((name.to_string(), signal.bits(), text)),
            AtomKind::OutputParameter => self.outputs.push((name.to_string(), signal.bits(), text)),
            kind => panic!("{name}: a leaf has no {kind:?}"),
        }
    }
}

fn ports(block: &impl Block) -> Ports {
    let mut ports = Ports::default();
    block.accept("leaf", &mut ports);
    ports
}

/// A leaf's Verilog as module `name`.
fn verilog<B: Leaf>(block: &B, name: &str) -> String {
    let text = generate_verilog_unchecked(block);
    assert_eq!(text.matches("module top(").count(), 1, "{name}");
    text.replace("module top(", &format!("module {name}("))
}

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Verilog that applies a line of stimulus a clock and shows every output after each.
fn bench(leaf: &str, ports: &Ports, clocks: usize, stimulus: &str) -> String {
    let width: usize = ports.inputs.iter().map(|(_, width, _)| width).sum();
    let mut text = format!(
        "module bench;\nreg clock = 0;\nreg [{high}:0] lines [0:{last}];\nreg [{high}:0] line;\ninteger at;\n",
        high = width - 1,
        last = clocks - 1
    );
    let mut connections = vec![".clock(clock)".to_string()];
    let mut high = width;
    for (name, width, _) in &ports.inputs {
        connections.push(format!(".{name}(line[{}:{}])", high - 1, high - width));
        high -= width;
    }
    for (name, width, _) in &ports.outputs {
        writeln!(text, "wire [{}:0] {name};", width - 1).unwrap();
        connections.push(format!(".{name}({name})"));
    }
    let shown: Vec<&str> = ports.outputs.iter().map(|(name, _, _)| name.as_str()).collect();
    let format = vec!["%b"; shown.len()].join(" ");
    text + &format!(
        "{leaf} leaf({});\ninitial begin\n  $readmemb(\"{stimulus}\", lines);\n  \
         for (at = 0; at < {clocks}; at = at + 1) begin\n    line = lines[at];\n    #1 clock = 1;\n    \
         #1 $display(\"{format}\", {});\n    clock = 0;\n    #1;\n  end\nend\nendmodule\n",
        connections.join(", "),
        shown.join(", ")
    )
}

/// Run a leaf's Rust model and its Verilog on the same random stimulus, and compare every output after every clock.
fn co_simulate<B: Leaf>(machine: &DeepMachine) {
    let mut block = connected(B::make(machine));
    let name = format!("{}-{}", B::NAME, machine.name);
    let (mut driver, mut stimulus, mut expected) = (Driver::new(11), String::new(), vec![]);
    for clock in 0..CLOCKS {
        driver.polite = clock < CLOCKS / 2;
        block.set_clock(false);
        block.drive(machine, &mut driver);
        settle(&mut block);
        stimulus.extend(ports(&block).inputs.into_iter().map(|(_, _, bits)| bits));
        stimulus.push('\n');
        block.set_clock(true);
        settle(&mut block);
        expected.push(ports(&block).outputs);
    }
    let [lines, source, compiled] = ["lines", "v", "vvp"].map(|end| scratch(&format!("{name}.{end}")));
    std::fs::write(&lines, &stimulus).unwrap();
    let fresh = connected(B::make(machine));
    let text = verilog(&fresh, B::NAME) + &bench(B::NAME, &ports(&fresh), CLOCKS, lines.to_str().unwrap());
    std::fs::write(&source, text).unwrap();
    let output = tool("iverilog").args(["-g2012", "-s", "bench", "-o"]).args([&compiled, &source]).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let output = tool("vvp").arg("-n").arg(&compiled).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown.lines().count(), CLOCKS, "{name}: {shown}");
    for (clock, (line, outputs)) in shown.lines().zip(expected).enumerate() {
        for (bits, (port, _, expected)) in line.split(' ').zip(outputs) {
            let same = bits.chars().zip(expected.chars()).all(|(v, r)| v == r || v == 'x' && clock < UNKNOWN_CLOCKS);
            assert!(
                same && bits.len() == expected.len(),
                "{name}: {port} after clock {clock} is {bits} in Verilog, {expected} in Rust; see {}",
                source.display()
            );
        }
    }
}

/// Machines whose blocks are co-simulated.
fn machines() -> Vec<DeepMachine> {
    let mut machines = vec![named("tiny-deep"), named("mnist")];
    machines.extend(odd_machines());
    machines.extend([3, 4].map(random_machine));
    machines
}

macro_rules! co_simulations {
    ($($test:ident: $block:ty),* $(,)?) => { $(
        #[test]
        fn $test() {
            machines().iter().for_each(co_simulate::<$block>);
        }
    )* };
}

co_simulations! {
    tile_memory_verilog_is_its_model: TileMemory,
    code_memory_verilog_is_its_model: CodeMemory,
    code_rotator_verilog_is_its_model: CodeRotator,
    window_memory_verilog_is_its_model: WindowMemory,
    plane_sum_verilog_is_its_model: PlaneSum,
    recombination_verilog_is_its_model: Recombination,
    threshold_verilog_is_its_model: Threshold,
    pool_verilog_is_its_model: Pool,
    sum_rank_verilog_is_its_model: SumRank,
}

/// All nine leaves of a machine in one file, each a module of its own.
fn all_leaves(machine: &DeepMachine) -> PathBuf {
    fn one<B: Leaf>(machine: &DeepMachine) -> String {
        verilog(&connected(B::make(machine)), B::NAME)
    }
    let leaves = [
        one::<TileMemory>(machine),
        one::<CodeMemory>(machine),
        one::<CodeRotator>(machine),
        one::<WindowMemory>(machine),
        one::<PlaneSum>(machine),
        one::<Recombination>(machine),
        one::<Threshold>(machine),
        one::<Pool>(machine),
        one::<SumRank>(machine),
    ];
    let text: String = leaves.concat();
    // RustHDL 0.46: literals of 32 bits whatever the width of the signal; `bitline_hdl::export` heads its files so too.
    let header = "/* verilator lint_off WIDTHEXPAND */\n/* verilator lint_off WIDTHTRUNC */\n\
                  /* verilator lint_off UNSIGNED */\n";
    // Two tests write and read such files at once.
    let thread = std::thread::current();
    let path = scratch(&format!("{}-{}.v", thread.name().unwrap_or("leaves"), machine.name));
    std::fs::write(&path, header.to_string() + &text).unwrap();
    path
}

#[test]
fn leaves_pass_verilator() {
    // The widest machine's takes as long as all others together, and says nothing else.
    for machine in machines().into_iter().filter(|machine| machine.name != "widest") {
        let path = all_leaves(&machine);
        let output = tool("verilator").args(["--lint-only", "-Wno-MULTITOP"]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}: {}", machine.name, String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn leaves_pass_icarus() {
    for machine in machines() {
        let path = all_leaves(&machine);
        let output = tool("iverilog").args(["-g2012", "-Wall", "-t", "null"]).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", machine.name);
        assert!(!said.contains("error") && !said.contains("implicit"), "{}: {said}", machine.name);
    }
}

#[test]
fn leaves_pass_yosys() {
    for machine in [named("tiny-deep"), odd_machines().swap_remove(1)] {
        let path = all_leaves(&machine);
        // YoWASP sees another /tmp than the host: the file is named from its folder.
        let (folder, file) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
        let script = format!("read_verilog -sv {file}; proc; check -assert");
        let output = tool("yosys").current_dir(folder).args(["-q", "-p", &script]).output().unwrap();
        assert!(output.status.success(), "{}: {}", machine.name, String::from_utf8_lossy(&output.stderr));
    }
}

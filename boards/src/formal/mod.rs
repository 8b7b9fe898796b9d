//! Rung R5: proofs about the exported Verilog, made with SymbiYosys.
//!
//! [`proofs`] takes a machine's export apart ([`modules`]), writes a claim in plain integer Verilog into the text of each
//! block ([`arithmetic`], [`storage`], [`selection`], [`link`], [`control`]; of machines that run programs [`deep`]) and gives a list of [`proof::Proof`]s. The claims are made from
//! the machine's sizes and from `golden`'s tables, never from the gateware's own code. docs/book/formal.md says what each claim is, how far it
//! reaches and what it assumes.

pub mod arithmetic;
pub mod control;
pub mod deep;
mod deep_control;
mod deep_outputs;
mod deep_storage;
pub mod link;
pub mod modules;
pub mod proof;
pub mod selection;
pub mod storage;

use crate::error::BoardError;
use bitline_golden::machine::Machine;
use bitline_hdl::export::{ExportOptions, verilog};
use bitline_hdl::simulation::Contents;
use modules::Modules;
use proof::{Method, Proof};

/// Where the blocks of the accelerator are in an export.
const INSIDE: &str = "top$accelerator$";

/// A machine, what its memories hold at power-on, and the modules of its export.
#[derive(Debug)]
pub struct Design {
    /// The machine.
    pub machine: Machine,
    /// What its memories hold at power-on.
    pub contents: Contents,
    /// Its modules.
    pub modules: Modules,
}

impl Design {
    /// Export a machine.
    ///
    /// # Errors
    /// [`BoardError::Export`] if it has no Verilog.
    pub fn new(machine: &Machine, contents: Contents) -> Result<Self, BoardError> {
        let options = ExportOptions { contents: contents.clone(), ..Default::default() };
        let text = verilog(machine, &options)
            .map_err(|e| BoardError::Export { machine: machine.name.clone(), reason: e.to_string() })?;
        Ok(Self::of_text(machine, contents, &text))
    }

    /// A machine with Verilog of another origin, such as one that was damaged.
    pub fn of_text(machine: &Machine, contents: Contents, text: &str) -> Self {
        Self { machine: machine.clone(), contents, modules: Modules::parse(text) }
    }

    /// The distinct texts among the modules `top$accelerator$<name>$0`, `$1` and so on: one module of each, and how many.
    fn distinct(&self, name: &str) -> Vec<(String, usize)> {
        let mut found: Vec<(String, String, usize)> = Vec::new();
        for module in self.modules.names() {
            let Some(index) = module.strip_prefix(INSIDE).and_then(|m| m.strip_prefix(name)) else { continue };
            if !index.strip_prefix('$').is_some_and(|i| i.bytes().all(|b| b.is_ascii_digit())) {
                continue;
            }
            let text = self.modules.text(module).unwrap_or_default().replace(module, name);
            match found.iter_mut().find(|(_, other, _)| *other == text) {
                Some((_, _, count)) => *count += 1,
                None => found.push((module.to_string(), text, 1)),
            }
        }
        found.into_iter().map(|(module, _, count)| (module, count)).collect()
    }

    /// A claim about the module at a path.
    fn proof(&self, block: &'static str, module: &str, claim: Claim) -> Proof {
        let Claim { property, method, cover_depth, text, free } = claim;
        let free: Vec<&str> = free.iter().map(String::as_str).collect();
        Proof {
            block,
            machine: self.machine.name.clone(),
            instances: 1,
            property,
            method,
            cover_depth,
            verilog: self.modules.with_properties(module, block, &text, &free),
            quick: false,
            number: 0,
        }
    }

    fn path(name: &str) -> String {
        format!("{INSIDE}{name}")
    }
}

/// What [`Design::proof`] is told.
struct Claim {
    property: String,
    method: Method,
    cover_depth: usize,
    text: String,
    /// Modules below whose outputs are anything.
    free: Vec<String>,
}

impl Claim {
    fn new(property: impl Into<String>, method: Method, cover_depth: usize, text: String) -> Self {
        Self { property: property.into(), method, cover_depth, text, free: vec![] }
    }
}

/// Verilog: `name_1` .. `name_<clocks>`, the signed value `name` of `width` bits that many clocks ago.
fn line(name: &str, width: usize, clocks: usize) -> String {
    let mut text = String::new();
    for k in 1..=clocks {
        let source = if k == 1 { name.to_string() } else { format!("{name}_{}", k - 1) };
        text +=
            &format!("reg signed [{}:0] {name}_{k} = 0;\nalways @(posedge clock) {name}_{k} <= {source};\n", width - 1);
    }
    text
}

/// The name that [`line`] gives the value `clocks` ago.
fn ago(name: &str, clocks: usize) -> String {
    if clocks == 0 { name.to_string() } else { format!("{name}_{clocks}") }
}

/// Verilog: `f_age`, clocks since the proof began, at most `most`.
fn age(most: usize) -> String {
    format!("reg [7:0] f_age = 0;\nalways @(posedge clock) if (f_age < {most}) f_age <= f_age + 1;\n")
}

/// Every proof of these machines and of the variants that the first one has of them. Equal proofs, as of blocks that two
/// machines share, come once.
///
/// # Errors
/// [`BoardError`]: a machine has no Verilog, or its export has a block that no proof speaks of.
pub fn proofs(machines: &[Machine]) -> Result<Vec<Proof>, BoardError> {
    let mut found: Vec<Proof> = Vec::new();
    for (at, machine) in machines.iter().enumerate() {
        let design = Design::new(machine, Contents::default())?;
        let mut proofs = of_design(&design)?;
        // The blocks of the link have the same text in every machine; only the UART knows its clocks a bit.
        proofs.retain(|proof| at == 0 || !proof.block.starts_with("link_"));
        add(&mut found, proofs);
    }
    if let Some(machine) = machines.first() {
        for variant in clipped(machine) {
            add(&mut found, arithmetic::proofs(&Design::new(&variant, Contents::default())?));
        }
        let filled = Machine { name: format!("{}-filled", machine.name), ..machine.clone() };
        add(&mut found, storage::contents(&Design::new(&filled, made_up(machine))?));
    }
    number(&mut found);
    for proof in &mut found {
        proof.quick = is_quick(proof, machines);
    }
    Ok(found)
}

/// Tell proofs of one name apart.
fn number(found: &mut [Proof]) {
    for at in 0..found.len() {
        found[at].number = found[..at]
            .iter()
            .filter(|other| Proof { number: 0, ..(*other).clone() }.name() == found[at].name())
            .count();
    }
}

fn add(found: &mut Vec<Proof>, more: Vec<Proof>) {
    for proof in more {
        if !found.iter().any(|other| other.verilog == proof.verilog && other.property == proof.property) {
            found.push(proof);
        }
    }
}

/// The quick form: everything about the first machine but for what takes a minute, and the seven-row counters of the second.
fn is_quick(proof: &Proof, machines: &[Machine]) -> bool {
    let of = |at: usize| machines.get(at).is_some_and(|machine| machine.name == proof.machine);
    match proof.block {
        "link_receiver" | "link_order" => false,
        "column_counter" => of(0) || of(1),
        "counter" => of(0) && proof.number == 0,
        "column_quantizer" => true,
        _ => of(0),
    }
}

/// The machine with quantizers of two bits, which clamp, and with ones of half the scale, which are tables.
fn clipped(machine: &Machine) -> Vec<Machine> {
    let quantizer = machine.quantizer;
    [
        ("clip", quantizer.multiplier, 2),
        ("half", quantizer.multiplier / 2, quantizer.bits),
        ("steep", quantizer.multiplier * 2, 3),
    ]
    .map(|(name, multiplier, bits)| Machine {
        name: format!("{}-{name}", machine.name),
        quantizer: bitline_golden::machine::QuantizerConfig { multiplier, bits, ..quantizer },
        ..machine.clone()
    })
    .into()
}

/// Contents without a pattern that a wrong order could hide in.
fn made_up(machine: &Machine) -> Contents {
    let mut state = 1u32;
    let mut next = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    let images = machine.slots / 2;
    Contents {
        devices: (0..machine.rows).map(|_| (0..machine.columns()).map(|_| next(2) == 1).collect()).collect(),
        images: (0..images)
            .map(|_| (0..machine.inputs()).map(|_| next(1 << machine.input_bits) as u8).collect())
            .collect(),
        labels: (0..images).map(|_| Some(next(machine.outputs as u32) as u8)).collect(),
        counts: 0,
    }
}

/// Blocks that RustHDL's translator writes; all others are leaves, whose Verilog is written by hand.
const TRANSLATED: [&str; 14] = [
    "top",
    "top$receiver",
    "top$transmitter",
    "top$accelerator",
    "top$accelerator$receiver",
    "top$accelerator$executor",
    "top$accelerator$transmitter",
    "top$accelerator$link_crc",
    "top$accelerator$address_check",
    "top$accelerator$registers",
    "top$accelerator$checksum",
    "top$accelerator$sequencer",
    "top$accelerator$frames",
    "top$accelerator$run_counter",
];

/// Leaves that have a proof of their own; registers and delay lines are known by their ports.
const LEAVES: [&str; 14] = [
    "column",
    "quantizer",
    "shift_add",
    "saturation_counter",
    "pulse_counter",
    "argmax",
    "frame_buffer",
    "labels",
    "slots",
    "image_register",
    "devices",
    "feeder",
    "lane_select",
    "read_select",
];

/// The proofs of one design.
///
/// # Errors
/// [`BoardError::Unproved`]: a block that no proof speaks of.
pub fn of_design(design: &Design) -> Result<Vec<Proof>, BoardError> {
    for module in design.modules.names() {
        // Copies of a block end in their number; tables of the population count belong to their counters.
        let name = module.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('$');
        let known = TRANSLATED.contains(&name)
            || module.starts_with("count_")
            || module == "copied_bit"
            || module == "top$accelerator$registers$reader"
            || name.strip_prefix(INSIDE).is_some_and(|leaf| LEAVES.contains(&leaf))
            || storage::is_register(design, module);
        if !known {
            return Err(BoardError::Unproved { machine: design.machine.name.clone(), module: module.to_string() });
        }
    }
    let mut proofs = arithmetic::proofs(design);
    proofs.extend(storage::proofs(design));
    proofs.extend(selection::proofs(design));
    proofs.extend(control::proofs(design));
    proofs.extend(link::proofs(design));
    Ok(proofs)
}

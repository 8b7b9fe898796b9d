//! The gateware with bits on its pins, and every block's ports to be looked at, clock by clock: one side of a comparison
//! with what the export became.
//!
//! A path is the names of the instances from the top down, joined by dots (`accelerator.column$3`); the top's is empty. They
//! are the names in the exported Verilog. Values are unsigned, bit 0 in bit 0 of the first word.

use crate::simulation::{Contents, Design, HdlError, build_hash, settle};
use crate::top::Top;
use bitline_golden::machine::Machine;
use rust_hdl::prelude::*;
use std::collections::HashMap;

/// A port of a block. Clocks are left out: they are the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Path of the block.
    pub block: String,
    /// The port's name.
    pub name: String,
    /// Whether the block drives it.
    pub is_output: bool,
    /// Bits.
    pub width: usize,
}

impl Port {
    /// Words that a value takes.
    pub fn words(&self) -> usize {
        self.width.div_ceil(64)
    }
}

/// The levels of the pins that are inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pins {
    /// The serial line from the host.
    pub uart_rx: bool,
    /// The start switch.
    pub start_switch: bool,
    /// The reset button.
    pub reset_button: bool,
}

/// A machine at its pins.
pub struct TracedMachine {
    design: Box<Top>,
    ports: Vec<Port>,
    /// What the n-th signal that RustHDL visits is: a port to be read, an enumeration's names, or nothing of interest.
    picks: Vec<Option<Pick>>,
    kinds: HashMap<String, String>,
}

#[derive(Debug, Clone)]
struct Pick {
    words: usize,
    names: Option<Vec<String>>,
}

impl TracedMachine {
    /// A machine at power-on, clocked with `clock_hz` if that is not its own, as [`crate::export::verilog`] makes it.
    ///
    /// # Errors
    /// [`HdlError`] if the gateware cannot be this machine.
    pub fn new(machine: &Machine, clock_hz: Option<u32>) -> Result<Self, HdlError> {
        let mut board = machine.clone();
        if let Some(clock_hz) = clock_hz {
            board.link.clock_hz = clock_hz;
            board.check().map_err(HdlError::Machine)?;
        }
        let mut design = Box::new(Top::new(&board, build_hash(machine), &Contents::default())?);
        design.connect_all();
        // Nobody has sent anything yet.
        design.uart_rx.next = true;
        settle(&mut *design);
        let mut list = List::default();
        design.accept("", &mut list);
        let kinds = kinds(&format!("{design:?}"));
        Ok(Self { design, ports: list.ports, picks: list.picks, kinds })
    }

    /// Every port of every block, from the top down.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// From now on leave out the ports that are not wanted.
    pub fn keep(&mut self, is_wanted: impl Fn(&Port) -> bool) {
        let mut ports = self.ports.iter();
        for pick in &mut self.picks {
            if pick.is_some() && !ports.next().is_some_and(&is_wanted) {
                *pick = None;
            }
        }
        self.ports.retain(is_wanted);
    }

    /// What sort of block stands at each path: its page in the book (`column_counter`), or the name of one of RustHDL's own.
    pub fn kinds(&self) -> &HashMap<String, String> {
        &self.kinds
    }

    /// One clock: the pins change while it is low, and all has settled after it rose.
    pub fn step(&mut self, pins: Pins) {
        self.design.uart_rx.next = pins.uart_rx;
        self.design.set_switches(pins.start_switch, pins.reset_button);
        for high in [false, true] {
            self.design.set_clock(high);
            settle(&mut *self.design);
        }
    }

    /// The level of the serial line to the host.
    pub fn uart_tx(&self) -> bool {
        self.design.uart_tx.val()
    }

    /// The LEDs.
    pub fn leds(&self) -> u16 {
        self.design.leds()
    }

    /// Whether nothing is under way behind the UART.
    pub fn is_idle(&self) -> bool {
        self.design.accelerator.is_idle()
    }

    /// Append every port's value, in the order of [`TracedMachine::ports`].
    pub fn values(&self, into: &mut Vec<u64>) {
        self.design.accept("", &mut Sample { picks: &self.picks, at: 0, into });
    }
}

/// Collects the ports.
#[derive(Default)]
struct List {
    path: Vec<String>,
    ports: Vec<Port>,
    picks: Vec<Option<Pick>>,
}

impl Probe for List {
    fn visit_start_scope(&mut self, name: &str, _: &dyn Block) {
        self.path.push(name.to_string());
    }
    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        self.path.pop();
    }
    fn visit_atom(&mut self, name: &str, signal: &dyn Atom) {
        let names = match signal.descriptor().kind {
            TypeKind::Bits(_) | TypeKind::Signed(_) => Some(None),
            TypeKind::Enum(names) => Some(Some(names)),
            // Of composite types there are only clocks.
            TypeKind::Composite(_) => None,
        };
        let pick = names.filter(|_| signal.kind().is_parameter()).map(|names| {
            let is_output = matches!(signal.kind(), AtomKind::OutputParameter);
            // The outermost scope is the top, which has no name of its own.
            let block = self.path[1..].join(".");
            let port = Port { block, name: name.to_string(), is_output, width: signal.bits() };
            let words = port.words();
            self.ports.push(port);
            Pick { words, names }
        });
        self.picks.push(pick);
    }
}

/// Reads them.
struct Sample<'a> {
    picks: &'a [Option<Pick>],
    at: usize,
    into: &'a mut Vec<u64>,
}

impl Probe for Sample<'_> {
    fn visit_atom(&mut self, _: &str, signal: &dyn Atom) {
        let pick = &self.picks[self.at];
        self.at += 1;
        let Some(Pick { words, names }) = pick else { return };
        let start = self.into.len();
        self.into.resize(start + words, 0);
        let value = &mut self.into[start..];
        let VCDValue::Single(high) = VCDValue::from(true) else { unreachable!("a bool is a single VCD value") };
        match signal.vcd() {
            VCDValue::Single(bit) => value[0] = u64::from(bit == high),
            // Most significant bit first.
            VCDValue::Vector(bits) => {
                let last = bits.len() - 1;
                for (i, bit) in bits.into_iter().enumerate() {
                    value[(last - i) / 64] |= u64::from(bit == high) << ((last - i) % 64);
                }
            }
            // RustHDL 0.46: an enumeration shows its variant's name, and its Verilog the variant's number.
            VCDValue::String(name) => {
                let number = names.iter().flatten().position(|known| known.ends_with(&format!("::{name}")));
                value[0] = number.expect("a variant is one of its type") as u64;
            }
            VCDValue::Composite(_) => unreachable!("clocks are not picked"),
        }
    }
}

/// The sort of every block, by its path, from the design's `Debug` text: `Top { receiver: UartReceiver { ...`, and for a list
/// `column: [ColumnCounter { ...`. (RustHDL's probes tell an instance's name and not its type.)
fn kinds(text: &str) -> HashMap<String, String> {
    let mut kinds = HashMap::new();
    // For each bracket that is open: the path's length before it, and if it is a list, the next index.
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    let (mut path, mut word, mut field) = (String::new(), String::new(), String::new());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => while characters.next().is_some_and(|next| next != '"') {},
            '{' | '[' | '(' => {
                let (kind, before) = (std::mem::take(&mut word), path.len());
                let index = open.last_mut().and_then(|(_, index)| index.as_mut());
                match index {
                    Some(index) => {
                        path += &format!("${index}");
                        *index += 1;
                    }
                    None if !field.is_empty() => {
                        path += if path.is_empty() { "" } else { "." };
                        path += &field;
                    }
                    None => {}
                }
                field.clear();
                if character == '{' && !kind.is_empty() {
                    kinds.entry(path.clone()).or_insert_with(|| snake_case(&kind));
                }
                open.push((before, (character == '[').then_some(0)));
            }
            '}' | ']' | ')' => {
                path.truncate(open.pop().map_or(0, |(before, _)| before));
                (word, field) = (String::new(), String::new());
            }
            ':' => field = std::mem::take(&mut word),
            ',' => (word, field) = (String::new(), String::new()),
            _ if character.is_alphanumeric() || character == '_' => word.push(character),
            _ => {}
        }
    }
    kinds
}

/// `ColumnCounter` as `column_counter`, `DFF` as `dff`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (i, letter) in letters.iter().enumerate() {
        if letter.is_uppercase() && i > 0 && letters[i - 1].is_lowercase() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn tiny() -> TracedMachine {
        TracedMachine::new(&Machine::named("tiny").unwrap(), None).unwrap()
    }

    #[test]
    fn ports_are_those_of_the_exported_verilog() {
        let machine = Machine::named("tiny").unwrap();
        let text = crate::export::verilog(&machine, &crate::export::ExportOptions::default()).unwrap();
        for port in tiny().ports() {
            let module =
                if port.block.is_empty() { "top".into() } else { format!("top${}", port.block.replace('.', "$")) };
            let start = text.find(&format!("\nmodule {module}(")).unwrap_or_else(|| panic!("no module {module}"));
            let body = &text[start..start + text[start..].find("endmodule").unwrap()];
            let direction = if port.is_output { "output" } else { "input" };
            let range = if port.width == 1 { String::new() } else { format!("[{}:0] ", port.width - 1) };
            let declared = body.lines().any(|line| {
                let line = line.trim();
                line.starts_with(direction) && line.ends_with(&format!("  {range}{};", port.name))
            });
            assert!(declared, "{module} has no {direction} {range}{}", port.name);
        }
    }

    #[test]
    fn kinds_are_the_pages_of_the_book() {
        let machine = tiny();
        assert_eq!(machine.kinds()[""], "top");
        assert_eq!(machine.kinds()["accelerator.column$3"], "column_counter");
        assert_eq!(machine.kinds()["receiver"], "uart_receiver");
        assert_eq!(machine.kinds()["accelerator.receiver"], "link_receiver");
        assert_eq!(machine.kinds()["accelerator.run_counter$8.total"], "register");
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/book/blocks");
        for port in machine.ports() {
            let kind = machine.kinds()[&port.block].as_str();
            let page = if kind == "flag_delay" { "delay" } else { kind };
            let own = pages.join(format!("{page}.md")).exists();
            assert!(own || kind == "dff", "{} is {kind}, which has no page", port.block);
        }
    }

    #[test]
    fn keep_leaves_ports_and_values_of_what_is_wanted() {
        let mut machine = tiny();
        machine.keep(|port| port.name == "uart_rx" || port.name == "leds");
        machine.step(Pins { uart_rx: true, start_switch: false, reset_button: false });
        let names: Vec<&str> = machine.ports().iter().map(|port| port.name.as_str()).collect();
        let mut values = Vec::new();
        machine.values(&mut values);
        assert_eq!((names, values), (vec!["uart_rx", "leds", "leds"], vec![1, 0, 0]));
    }

    #[test]
    fn values_follow_the_pins_and_read_enumerations_as_numbers() {
        let mut machine = tiny();
        let at = |machine: &TracedMachine, block: &str, name: &str| -> u64 {
            let index = machine.ports().iter().position(|port| port.block == block && port.name == name).unwrap();
            let before: usize = machine.ports()[..index].iter().map(Port::words).sum();
            let mut values = Vec::new();
            machine.values(&mut values);
            assert_eq!(values.len(), machine.ports().iter().map(Port::words).sum::<usize>());
            values[before]
        };
        let pins = Pins { uart_rx: true, start_switch: false, reset_button: false };
        (0..4).for_each(|_| machine.step(pins));
        assert_eq!((at(&machine, "receiver", "line"), at(&machine, "accelerator.executor.state", "q")), (1, 0));
        machine.step(Pins { uart_rx: false, ..pins });
        assert_eq!((at(&machine, "", "uart_rx"), at(&machine, "receiver", "line")), (0, 0));
        // A run of no images, by the switch: seen in the next clock but one.
        (0..3).for_each(|_| machine.step(Pins { start_switch: true, ..pins }));
        assert_eq!(at(&machine, "accelerator.sequencer", "running"), 1);
    }
}

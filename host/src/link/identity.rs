//! What IDENTIFY answers, and whether it is the machine that was asked for.

use bitline_golden::machine::Machine;
use bitline_golden::registers::{PROTOCOL_VERSION, find};

use crate::error::HostError;

/// The words that IDENTIFY answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    words: Vec<u16>,
}

impl Identity {
    /// From the reply's words; the client has checked their number.
    pub(super) fn new(words: Vec<u16>) -> Self {
        Self { words }
    }

    /// Value of a register that IDENTIFY answers.
    ///
    /// # Panics
    /// If IDENTIFY does not answer it: names are literals in this crate.
    pub fn register(&self, name: &str) -> u64 {
        let register = find(name);
        let first = usize::from(register.offset);
        let words = &self.words[first..first + usize::from(register.words)];
        words.iter().rev().fold(0, |value, word| value << 16 | u64::from(*word))
    }

    /// The machine's name; characters that are not printable ASCII show as `?`.
    pub fn name(&self) -> String {
        let register = find("name");
        let first = usize::from(register.offset);
        let bytes = self.words[first..first + usize::from(register.words)].iter().flat_map(|word| word.to_le_bytes());
        bytes.take_while(|b| *b != 0).map(|b| if b.is_ascii_graphic() { char::from(b) } else { '?' }).collect()
    }

    /// Check version, name, sizes and build hash against what is expected, in that order.
    ///
    /// # Errors
    /// [`HostError::Protocol`], [`HostError::OtherMachine`], [`HostError::Size`] or [`HostError::Stale`].
    pub fn check(&self, port: &str, machine: &Machine, build_hash: u64) -> Result<(), HostError> {
        let port = port.to_string();
        let (found, expected) = (self.register("protocol"), u64::from(PROTOCOL_VERSION));
        if found != expected {
            return Err(HostError::Protocol { port, found, expected });
        }
        let found = self.name();
        if found != machine.name {
            let remedy = if Machine::names().any(|known| known == found) {
                format!("give --machine {found}, or load the bitstream of {}", machine.name)
            } else {
                format!("load the bitstream of {}", machine.name)
            };
            return Err(HostError::OtherMachine { port, found, expected: machine.name.clone(), remedy });
        }
        for (register, expected) in [
            ("rows", machine.rows),
            ("outputs", machine.outputs),
            ("word_bits", machine.input_bits << 8 | machine.weight_bits),
            ("row_lanes", machine.row_lanes),
            ("plane_lanes", machine.plane_lanes),
            ("column_lanes", machine.column_lanes),
            ("slots", machine.slots),
            ("quantizer_bits", machine.quantizer.bits as usize),
        ] {
            let (found, expected) = (self.register(register), expected as u64);
            if found != expected {
                let machine = machine.name.clone();
                return Err(HostError::Size { port, machine, register, found, expected });
            }
        }
        let found = self.register("build_hash");
        if found != build_hash {
            return Err(HostError::Stale { port, found, expected: build_hash });
        }
        Ok(())
    }
}

//! Chooses what the code memory stores.

use super::{CODE_WORDS, Codes, THRESHOLD_CODE_BITS, field, set_field};
use crate::bus::{Bus, WideBus};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::{bits_to_hold, bits_to_index};
use rust_hdl::prelude::*;

/// Codes, and which of their lanes are stored, from the link, from a move, or from the thresholds.
///
/// A leaf in Verilog: RustHDL cannot take words of codes apart.
///
/// **Function** `window_codes`: the gathered codes, or, with `constant`, `constant_code` in every lane; no clock between. For
/// the code memory, a clock later: two codes of `link_word` (low byte first) at `link_address`; `move_count` of the window
/// codes at `move_address`; or the lanes of `made` that `made_lanes` marks, lane l for address `made_address` + l.
/// **Ports** at most one of `link_enable`, `move_enable`, `made_enable` is set in a clock.
/// **Timing** `write_*` [`WriteSelect::LATENCY_CYCLES`] after the inputs. **State** nothing is stored at power-on.
#[derive(LogicBlock, Clone, Debug)]
pub struct WriteSelect {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Codes gathered.
    pub gathered: WideBus<In, CODE_WORDS>,
    /// They are a constant.
    pub constant: Signal<In, Bit>,
    /// The constant.
    pub constant_code: Bus<In>,
    /// The lowest two of the codes gathered, a byte each.
    pub link_codes: Bus<Out>,
    /// What a window gets.
    pub window_codes: WideBus<Out, CODE_WORDS>,
    /// Store from the link.
    pub link_enable: Signal<In, Bit>,
    /// There.
    pub link_address: Bus<In>,
    /// Two codes.
    pub link_word: Bus<In>,
    /// Store what is moved.
    pub move_enable: Signal<In, Bit>,
    /// There.
    pub move_address: Bus<In>,
    /// So many.
    pub move_count: Bus<In>,
    /// Store what the thresholds made.
    pub made_enable: Signal<In, Bit>,
    /// There.
    pub made_address: Bus<In>,
    /// These lanes.
    pub made_lanes: Bus<In>,
    /// The codes.
    pub made: Vec<Bus<In>>,
    /// Store.
    pub write_enable: Signal<Out, Bit>,
    /// From there up.
    pub write_address: Bus<Out>,
    /// These lanes.
    pub write_mask: Bus<Out>,
    /// The codes.
    pub write_codes: WideBus<Out, CODE_WORDS>,
    _code_bits: usize,
    _lanes: usize,
}

impl WriteSelect {
    /// Clocks from what is to be stored to `write_enable`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The choice of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let address_bits = bits_to_index(machine.memory_codes());
        let wide = || machine.gather_lanes * machine.code_bits;
        Self {
            clock: Signal::default(),
            gathered: WideBus::new(wide()),
            constant: Signal::default(),
            constant_code: Bus::new(8),
            link_codes: Bus::new(16),
            window_codes: WideBus::new(wide()),
            link_enable: Signal::default(),
            link_address: Bus::new(address_bits),
            link_word: Bus::new(16),
            move_enable: Signal::default(),
            move_address: Bus::new(address_bits),
            move_count: Bus::new(bits_to_hold(machine.gather_lanes)),
            made_enable: Signal::default(),
            made_address: Bus::new(address_bits),
            made_lanes: Bus::new(machine.output_lanes),
            made: (0..machine.output_lanes).map(|_| Bus::new(THRESHOLD_CODE_BITS)).collect(),
            write_enable: Signal::default(),
            write_address: Bus::new(address_bits),
            write_mask: Bus::new(machine.gather_lanes),
            write_codes: WideBus::new(wide()),
            _code_bits: machine.code_bits,
            _lanes: machine.gather_lanes,
        }
    }

    fn chosen(&self) -> Codes {
        if !self.constant.val() {
            return self.gathered.val();
        }
        let mut codes = Codes::default();
        let code = self.constant_code.val() & ((1 << self._code_bits) - 1);
        (0..self._lanes).for_each(|lane| set_field(&mut codes, lane * self._code_bits, self._code_bits, code));
        codes
    }
}

impl Logic for WriteSelect {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let code_mask = (1u64 << self._code_bits) - 1;
            let (link, moved, made) = (self.link_enable.val(), self.move_enable.val(), self.made_enable.val());
            self.write_enable.next = link || moved || made;
            if link {
                self.write_address.next = self.link_address.val();
                self.write_mask.next = 3;
                let mut codes = Codes::default();
                for lane in 0..2 {
                    let code = self.link_word.val() >> (8 * lane) & code_mask;
                    set_field(&mut codes, lane * self._code_bits, self._code_bits, code);
                }
                self.write_codes.next = codes;
            } else if moved {
                self.write_address.next = self.move_address.val();
                self.write_mask.next = (1 << self.move_count.val()) - 1;
                self.write_codes.next = self.chosen();
            } else {
                self.write_address.next = self.made_address.val();
                self.write_mask.next = self.made_lanes.val();
                let mut codes = Codes::default();
                for (lane, code) in self.made.iter().enumerate() {
                    set_field(&mut codes, lane * self._code_bits, self._code_bits, code.val() & code_mask);
                }
                self.write_codes.next = codes;
            }
        }
        self.window_codes.next = self.chosen();
        let codes = self.gathered.val();
        let code = |lane: usize| field(&codes, lane * self._code_bits, self._code_bits);
        self.link_codes.next = code(0) | code(1) << 8;
    }
    fn connect(&mut self) {
        self.link_codes.connect();
        self.window_codes.connect();
        self.write_enable.connect();
        self.write_address.connect();
        self.write_mask.connect();
        self.write_codes.connect();
    }
    fn hdl(&self) -> Verilog {
        let (bits, lanes, width) = (self._code_bits, self._lanes, self._lanes * self._code_bits);
        let outputs = self.made.len();
        // Thresholds make four bits, whatever a code has.
        let code = |lane: usize| {
            let made = self.made[lane].bits();
            if bits <= made {
                format!("made${lane}[{}:0]", bits - 1)
            } else {
                format!("{}'b0, made${lane}", bits - made)
            }
        };
        let made: Vec<String> = (0..outputs).rev().map(code).collect();
        let gap = if bits == 8 { String::new() } else { format!("{}'b0, ", 8 - bits) };
        Verilog::Custom(format!(
            "always @(*) link_codes = {{{gap}gathered[{}:{bits}], {gap}gathered[{}:0]}};\n\
             always @(*) window_codes = constant ? {{{lanes}{{constant_code[{top}:0]}}}} : gathered;\n\
             wire [{width}:0] made_codes = {{1'b0, {made}}};\nwire [{lanes}:0] made_mask = {{1'b0, made_lanes}};\n\
             wire [{lanes}:0] move_mask = ({{{lanes}'b0, 1'b1}} << move_count) - 1'b1;\n\
             initial write_enable = 0;\nalways @(posedge clock) begin\n  \
             write_enable <= link_enable | move_enable | made_enable;\n  \
             write_address <= link_enable ? link_address : move_enable ? move_address : made_address;\n  \
             write_mask <= link_enable ? {lanes}'d3 : move_enable ? move_mask[{last}:0] : made_mask[{last}:0];\n  \
             write_codes <= link_enable ? {{{rest}link_word[{second}:8], link_word[{top}:0]}} : move_enable ? window_codes : \
             made_codes[{wide}:0];\nend\n",
            2 * bits - 1,
            bits - 1,
            top = bits - 1,
            second = 8 + bits - 1,
            made = made.join(", "),
            last = lanes - 1,
            wide = width - 1,
            rest = if lanes > 2 { format!("{}'b0, ", (lanes - 2) * bits) } else { String::new() },
        ))
    }
}

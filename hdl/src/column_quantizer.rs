//! The quantizer that stands where an analog array has its ADC.

use crate::bus::Bus;
use crate::verilog::literal;
use bitline_golden::machine::{Conductance, Machine, QuantizerConfig, bits_to_hold};
use rust_hdl::prelude::*;

/// Turns a column's count into a code (S001 Eq. 2, contract section 3).
///
/// A leaf in Verilog: its table is computed.
///
/// **Function** with the reference column subtracted, the current is I = (g - 1) n, so the code
/// clamp((I m + half) >> s, 0, 2^Ba - 1) is a function of n alone: a wire where it is n for every n, a limit where it
/// is min(n, limit), a table else. `saturated` tells that the clamp changed the value.
/// **Ports** `count` in, 0..=rows; `code` out, Ba bits; `saturated` out.
/// **Timing** combinational. **Number rules** unsigned; rounds half away from zero.
#[derive(LogicBlock, Clone, Debug)]
pub struct ColumnQuantizer {
    /// n.
    pub count: Bus<In>,
    /// q.
    pub code: Bus<Out>,
    /// The clamp changed the value.
    pub saturated: Signal<Out, Bit>,
    _codes: Vec<(u64, bool)>,
}

impl ColumnQuantizer {
    /// Clocks from `count` to `code`.
    pub const LATENCY_CYCLES: u64 = 0;

    /// The quantizer of a machine's columns.
    pub fn new(machine: &Machine) -> Self {
        Self::of_rows(machine.rows, &machine.conductance, &machine.quantizer)
    }

    /// The quantizer of columns of so many rows, whose reference column is subtracted.
    pub fn of_rows(rows: usize, conductance: &Conductance, config: &QuantizerConfig) -> Self {
        let gain = u64::from(conductance.hrs_ohms / conductance.lrs_ohms) - 1;
        let half = if config.shift == 0 { 0 } else { 1u64 << (config.shift - 1) };
        let largest = (1u64 << config.bits) - 1;
        let codes = (0..=rows as u64)
            .map(|n| {
                let scaled = (gain * n * u64::from(config.multiplier) + half) >> config.shift;
                (scaled.min(largest), scaled > largest)
            })
            .collect();
        Self {
            count: Bus::new(bits_to_hold(rows)),
            code: Bus::new(config.bits as usize),
            saturated: Signal::default(),
            _codes: codes,
        }
    }
}

impl Logic for ColumnQuantizer {
    fn update(&mut self) {
        let (code, saturated) = self._codes.get(self.count.val() as usize).copied().unwrap_or((0, false));
        self.code.next = code;
        self.saturated.next = saturated;
    }
    fn connect(&mut self) {
        self.code.connect();
        self.saturated.connect();
    }
    fn hdl(&self) -> Verilog {
        let limit = self._codes.iter().map(|(code, _)| *code).max().unwrap_or(0);
        let clamps = self._codes.iter().enumerate().all(|(n, (code, _))| *code == limit.min(n as u64));
        let any_saturates = self._codes.iter().any(|(_, saturated)| *saturated);
        let code = |value| literal(self.code.bits(), value);
        let text = if clamps && !any_saturates {
            "always @(*) code = count;\ninitial saturated = 1'b0;\n".to_string()
        } else if clamps {
            format!(
                "always @(*) saturated = count > {limit};\nalways @(*) code = (count > {limit}) ? {} : count;\n",
                code(limit)
            )
        } else {
            let mut text = "always @(*) begin\n  saturated = 1'b0;\n  case (count)\n".to_string();
            for (n, (value, saturated)) in self._codes.iter().enumerate() {
                let flag = if *saturated { " saturated = 1'b1;" } else { "" };
                text += &format!("    {n}: begin code = {};{flag} end\n", code(*value));
            }
            text + &format!("    default: code = {};\n  endcase\nend\n", code(0))
        };
        Verilog::Custom(text)
    }
}

//! Turns sums into codes.

use super::{MOST_OUTPUT_LANES, MemoryText, StoreText, THRESHOLD_CODE_BITS, signed};
use crate::bus::Bus;
use crate::population_count::register;
use crate::verilog::range;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// Clocks of a stage: one for the memory, one to compare.
const STAGE_CYCLES: usize = 2;
/// Clocks of all stages.
const CYCLES: usize = STAGE_CYCLES * THRESHOLD_CODE_BITS;
/// Thresholds of an entry, and one more, which is none.
const NODES: usize = 1 << THRESHOLD_CODE_BITS;

/// The code of a sum is the number of thresholds that it exceeds, found by bisection, a stage a bit.
///
/// A leaf in Verilog: memories of chosen shape are beyond RustHDL's translator.
///
/// **Function** entry o of the memory belongs to lane o mod `output_lanes` and is number o / `output_lanes` there. It is a heap of
/// nodes 1..=15: stage k, of `bits` stages, compares y with node 2^k + code and appends to the code whether y is larger.
/// Of the 2^`bits` - 1 sorted thresholds t_0 <= t_1 <= ..., node 2^k + c holds t_i for
/// i = c 2^(`bits` - k) + 2^(`bits` - k - 1) - 1. Each lane and stage has a memory of its own.
/// **Ports** `valid`, `lane_valid`, `sums[e]`, `entry` (the number within every lane), `bits` (1..=4), `tag`:
/// [`Threshold::LATENCY_CYCLES`] later `code_valid`, `code_lane_valid`, `codes[e]`, `code_tag`. What is not valid keeps what it
/// showed; the code of a lane that is not valid is anything.
/// `write_enable` stores `write_data` in node `write_node` of entry `write_entry` (of all lanes): its low 16 bits
/// (`write_half` = 0) or the rest. `read_entry`, `read_node`, `read_half`: [`Threshold::READ_BACK_CYCLES`] later `read_data`,
/// of the threshold extended by its sign to 32 bits; node 0 stores nothing and reads 0.
/// **Timing** interval one clock: two clocks a stage, all four stages always.
/// **Number rules** sums and thresholds are two's complement of the machine's `sum_bits`.
/// **State** the thresholds, at power-on 0 or what [`Threshold::with_contents`] is given.
/// **Limits** reading back and the stages share the memories' read ports: what is read back while sums are on their way is
/// anything. Entries that do not exist are never asked for; in simulation they read 0 and store nothing.
#[derive(LogicBlock, Clone, Debug)]
pub struct Threshold {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// There are sums.
    pub valid: Signal<In, Bit>,
    /// Lanes that hold one, lane 0 in bit 0.
    pub lane_valid: Bus<In>,
    /// y, one a lane.
    pub sums: Vec<Bus<In>>,
    /// Number of their entries within each lane.
    pub entry: Bus<In>,
    /// Bits of their codes.
    pub bits: Bus<In>,
    /// What travels with them.
    pub tag: Bus<In>,
    /// Store half a threshold.
    pub write_enable: Signal<In, Bit>,
    /// Its entry, of all lanes.
    pub write_entry: Bus<In>,
    /// Its node.
    pub write_node: Bus<In>,
    /// Which half of it.
    pub write_half: Signal<In, Bit>,
    /// The half.
    pub write_data: Bus<In>,
    /// Entry to read back.
    pub read_entry: Bus<In>,
    /// Its node.
    pub read_node: Bus<In>,
    /// Which half.
    pub read_half: Signal<In, Bit>,
    /// The half read back.
    pub read_data: Bus<Out>,
    /// There are codes.
    pub code_valid: Signal<Out, Bit>,
    /// Lanes that hold one, lane 0 in bit 0.
    pub code_lane_valid: Bus<Out>,
    /// Codes, one a lane.
    pub codes: Vec<Bus<Out>>,
    /// What came with their sums.
    pub code_tag: Bus<Out>,
    /// By entry, and in it by node.
    _stored: Vec<i64>,
    _contents: Vec<i64>,
    _sum_bits: usize,
    /// Sums on their way; those that come with clock c in place c mod [`CYCLES`].
    _line: Vec<Bundle>,
    _now: usize,
    _read: Read,
}

/// The sums of one clock on their way.
#[derive(Clone, Copy, Debug, Default)]
struct Bundle {
    valid: bool,
    lane_valid: u64,
    entry: usize,
    bits: u64,
    tag: u64,
    sums: [i64; MOST_OUTPUT_LANES],
    thresholds: [i64; MOST_OUTPUT_LANES],
    codes: [u8; MOST_OUTPUT_LANES],
}

/// A threshold on its way back.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    value: i64,
    half: bool,
}

impl Threshold {
    /// Clocks from sums to codes.
    pub const LATENCY_CYCLES: u64 = CYCLES as u64;
    /// Clocks from `read_entry` to `read_data`.
    pub const READ_BACK_CYCLES: u64 = 2;

    /// The thresholds of a machine, of zeros, with a tag of `tag_bits` bits.
    pub fn new(machine: &DeepMachine, tag_bits: usize) -> Self {
        Self::with_contents(machine, tag_bits, &[])
    }

    /// The thresholds of a machine that start with `contents[entry][node]`, whose nodes 0 are left out of account.
    ///
    /// # Panics
    /// If there are more entries than the machine has.
    pub fn with_contents(machine: &DeepMachine, tag_bits: usize, contents: &[[i32; NODES]]) -> Self {
        let (lanes, sum_bits) = (machine.output_lanes, machine.sum_bits());
        assert!(contents.len() <= machine.thresholds, "{} entries for {}", contents.len(), machine.thresholds);
        let mut stored: Vec<i64> = contents
            .iter()
            .flat_map(|nodes| nodes.iter().enumerate().map(|(node, t)| if node == 0 { 0 } else { i64::from(*t) }))
            .map(|threshold| signed(threshold as u64, sum_bits))
            .collect();
        stored.resize(machine.thresholds * NODES, 0);
        Self {
            clock: Signal::default(),
            valid: Signal::default(),
            lane_valid: Bus::new(lanes),
            sums: (0..lanes).map(|_| Bus::new(sum_bits)).collect(),
            entry: Bus::new(bits_to_index(machine.thresholds / lanes)),
            bits: Bus::new(3),
            tag: Bus::new(tag_bits),
            write_enable: Signal::default(),
            write_entry: Bus::new(bits_to_index(machine.thresholds)),
            write_node: Bus::new(THRESHOLD_CODE_BITS),
            write_half: Signal::default(),
            write_data: Bus::new(16),
            read_entry: Bus::new(bits_to_index(machine.thresholds)),
            read_node: Bus::new(THRESHOLD_CODE_BITS),
            read_half: Signal::default(),
            read_data: Bus::new(16),
            code_valid: Signal::default(),
            code_lane_valid: Bus::new(lanes),
            codes: (0..lanes).map(|_| Bus::new(THRESHOLD_CODE_BITS)).collect(),
            code_tag: Bus::new(tag_bits),
            _contents: stored.clone(),
            _stored: stored,
            _sum_bits: sum_bits,
            _line: vec![Bundle::default(); CYCLES],
            _now: 0,
            _read: Read::default(),
        }
    }

    /// The sums that came `clocks` clocks ago.
    fn aged(&mut self, clocks: usize) -> &mut Bundle {
        &mut self._line[(self._now + CYCLES - clocks) % CYCLES]
    }

    fn advance(&mut self, stage: usize) {
        let (lanes, stored) = (self.sums.len(), &self._stored);
        let place = |clocks| (self._now + CYCLES - clocks) % CYCLES;
        let reading = &mut self._line[place(STAGE_CYCLES * stage)];
        if reading.valid {
            for lane in 0..lanes {
                let node = 1 << stage | usize::from(reading.codes[lane]);
                let at = (reading.entry * lanes + lane) * NODES + node;
                reading.thresholds[lane] = stored.get(at).copied().unwrap_or(0);
            }
        }
        let comparing = &mut self._line[place(STAGE_CYCLES * stage + 1)];
        if comparing.valid && comparing.bits > stage as u64 {
            for lane in 0..lanes {
                let code = &mut comparing.codes[lane];
                *code = *code << 1 | u8::from(comparing.sums[lane] > comparing.thresholds[lane]);
            }
        }
    }

    fn read_back(&mut self) {
        let Read { value, half } = self._read;
        self.read_data.next = (if half { value >> 16 } else { value }) as u64 & 0xFFFF;
        let (entry, node) = (self.read_entry.val() as usize, self.read_node.val() as usize);
        let lanes = self.sums.len();
        let stage = if node == 0 { 0 } else { node.ilog2() as usize };
        let stored = self._stored.get(entry * NODES + node).copied().unwrap_or(0);
        let reading = self.aged(STAGE_CYCLES * stage);
        let value = match node {
            0 => 0,
            _ if reading.valid => reading.thresholds[entry % lanes],
            _ => stored,
        };
        self._read = Read { value, half: self.read_half.val() };
    }

    fn store(&mut self) {
        let (entry, node, bits) = (self.write_entry.val() as usize, self.write_node.val() as usize, self._sum_bits);
        let (data, low_bits) = (self.write_data.val(), bits.min(16));
        if node == 0 {
            return;
        }
        if let Some(threshold) = self._stored.get_mut(entry * NODES + node) {
            let (mask, shift) = match self.write_half.val() {
                false => ((1u64 << low_bits) - 1, 0),
                true => ((1u64 << (bits - low_bits)) - 1, 16),
            };
            *threshold = signed(*threshold as u64 & !(mask << shift) | (data & mask) << shift, bits);
        }
    }
}

impl Logic for Threshold {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        self._now = (self._now + 1) % CYCLES;
        let bits = self._sum_bits;
        let mut bundle = Bundle { valid: self.valid.val(), ..Bundle::default() };
        if bundle.valid {
            bundle.lane_valid = self.lane_valid.val();
            bundle.entry = self.entry.val() as usize;
            bundle.bits = self.bits.val();
            bundle.tag = self.tag.val();
            for (sum, bus) in bundle.sums.iter_mut().zip(&self.sums) {
                *sum = signed(bus.val(), bits);
            }
        }
        *self.aged(0) = bundle;
        (0..THRESHOLD_CODE_BITS).for_each(|stage| self.advance(stage));
        let Bundle { valid, lane_valid, tag, codes, .. } = *self.aged(CYCLES - 1);
        self.code_valid.next = valid;
        if valid {
            self.code_lane_valid.next = lane_valid;
            self.code_tag.next = tag;
            for (bus, code) in self.codes.iter_mut().zip(codes) {
                bus.next = u64::from(code);
            }
        }
        self.read_back();
        if self.write_enable.val() {
            self.store();
        }
    }
    fn connect(&mut self) {
        self.read_data.connect();
        self.code_valid.connect();
        self.code_lane_valid.connect();
        self.codes.iter_mut().for_each(|bus| bus.connect());
        self.code_tag.connect();
    }
    fn hdl(&self) -> Verilog {
        let (lanes, lane_bits) = (self.sums.len(), self.sums.len().trailing_zeros() as usize);
        // What travels beside the sums: as it comes to each stage, and in that stage's second clock.
        let sideband = [
            ("valid", 1),
            ("lane_valid", self.lane_valid.bits()),
            ("entry", self.entry.bits()),
            ("bits", self.bits.bits()),
            ("tag", self.tag.bits()),
        ];
        let mut text = String::new();
        for (name, bits) in sideband {
            text += &format!("wire {}{name}_0 = {name};\n", range(bits));
            for stage in 0..THRESHOLD_CODE_BITS {
                text += &register(&format!("{name}_{stage}_held"), bits, &format!("{name}_{stage}"));
                if stage + 1 < THRESHOLD_CODE_BITS {
                    text += &register(&format!("{name}_{}", stage + 1), bits, &format!("{name}_{stage}_held"));
                }
            }
        }
        let last = THRESHOLD_CODE_BITS - 1;
        text += &format!(
            "initial code_valid = 1'b0;\ninitial code_lane_valid = 0;\ninitial code_tag = 0;\n\
             always @(posedge clock) begin\n  code_valid <= valid_{last}_held;\n  if (valid_{last}_held) begin\n    \
             code_lane_valid <= lane_valid_{last}_held;\n    code_tag <= tag_{last}_held;\n  end\nend\n"
        );
        for port in ["write", "read"] {
            text += &format!("wire {}{port}_place = {port}_entry >> {lane_bits};\n", range(self.entry.bits()));
            if lanes > 1 {
                text += &format!("wire [{}:0] {port}_lane = {port}_entry[{0}:0];\n", lane_bits - 1);
            }
        }
        for lane in 0..lanes {
            text += &format!("wire {}y_{lane}_0 = sums${lane};\n", range(self._sum_bits));
            for stage in 0..THRESHOLD_CODE_BITS {
                text += &self.stage(lane, stage);
            }
        }
        Verilog::Custom(text + &self.way_back())
    }
}

impl Threshold {
    /// Verilog of a stage of one lane: `t_<lane>_<stage>` is the threshold read, `code_<lane>_<stage>` comes to the stage.
    fn stage(&self, lane: usize, stage: usize) -> String {
        let (bits, low_bits) = (self._sum_bits, self._sum_bits.min(16));
        let of_lane = |port: &str| if self.sums.len() == 1 { "1'b1".into() } else { format!("{port}_lane == {lane}") };
        // Entry, and what of the node or code chooses in it.
        let place = |entry: &str, chosen: &str| match stage {
            0 => entry.to_string(),
            _ => format!("{{{entry}, {chosen}[{}:0]}}", stage - 1),
        };
        let (own, back) =
            (place(&format!("entry_{stage}"), &format!("code_{lane}_{stage}")), place("read_place", "read_node"));
        let (name, address) = (format!("t_{lane}_{stage}"), format!("address_{lane}_{stage}"));
        let mut text =
            format!("wire {}{address} = valid_{stage} ? {own} : {back};\n", range(self.entry.bits() + stage));
        let nodes = 1 << stage;
        let contents: Vec<u64> = self
            ._contents
            .chunks(NODES)
            .skip(lane)
            .step_by(self.sums.len())
            .flat_map(|entry| entry[nodes..2 * nodes].iter().map(|t| *t as u64))
            .collect();
        let mut parts = vec![];
        for (half, low, width) in [(0, 0, low_bits), (1, 16, bits - low_bits)] {
            if width == 0 {
                continue;
            }
            let contents: Vec<u64> = contents.iter().map(|t| t >> low & ((1 << width) - 1)).collect();
            let half_name = format!("{name}_half_{half}");
            text += &MemoryText {
                name: &half_name,
                width,
                depth: self._contents.len() / NODES / self.sums.len() * nodes,
                contents: &contents,
                read_address: &address,
                stores: &[StoreText::word(
                    format!(
                        "write_enable && {} && (write_node >> {stage}) == 1 && write_half == {half}",
                        of_lane("write")
                    ),
                    place("write_place", "write_node"),
                    "write_data",
                )],
            }
            .text();
            parts.insert(0, format!("{half_name}_read"));
        }
        let (y, code) = (format!("y_{lane}_{stage}"), format!("code_{lane}_{stage}"));
        text += &format!("wire {}{name} = {{{}}};\n", range(bits), parts.join(", "));
        text += &register(&format!("{y}_held"), bits, &y);
        text += &format!("wire exceeds_{lane}_{stage} = $signed({y}_held) > $signed({name});\n");
        let high = THRESHOLD_CODE_BITS - 1;
        let (held, next) = match stage {
            0 => (format!("{THRESHOLD_CODE_BITS}'d0"), format!("{{{high}'b0, exceeds_{lane}_0}}")),
            _ => {
                text += &register(&format!("{code}_held"), THRESHOLD_CODE_BITS, &code);
                (format!("{code}_held"), format!("{{{code}_held[{}:0], exceeds_{lane}_{stage}}}", high - 1))
            }
        };
        let next = format!("bits_{stage}_held > {stage} ? {next} : {held}");
        text + &if stage == high {
            format!(
                "initial codes${lane} = 0;\nalways @(posedge clock) if (valid_{stage}_held) codes${lane} <= {next};\n"
            )
        } else {
            let up = stage + 1;
            register(&format!("y_{lane}_{up}"), bits, &format!("{y}_held"))
                + &register(&format!("code_{lane}_{up}"), THRESHOLD_CODE_BITS, &next)
        }
    }

    /// Verilog that reads a threshold back: the memories have their clock, then one of them is chosen.
    fn way_back(&self) -> String {
        let (lanes, bits) = (self.sums.len(), self._sum_bits);
        let mut text =
            register("read_node_held", THRESHOLD_CODE_BITS, "read_node") + &register("read_half_held", 1, "read_half");
        if lanes > 1 {
            text += &register("read_lane_held", lanes.trailing_zeros() as usize, "read_lane");
        }
        let mut chosen = format!("{bits}'d0");
        for stage in 0..THRESHOLD_CODE_BITS {
            text += &format!("reg {}back_{stage};\nalways @(*) begin\n  back_{stage} = t_0_{stage};\n", range(bits));
            for lane in 1..lanes {
                text += &format!("  if (read_lane_held == {lane}) back_{stage} = t_{lane}_{stage};\n");
            }
            text += "end\n";
            chosen = format!("(read_node_held >> {stage}) == 1 ? back_{stage} : ({chosen})");
        }
        text + &format!(
            "wire signed {}back = {chosen};\nwire signed [31:0] back_wide = back;\ninitial read_data = 0;\n\
             always @(posedge clock) read_data <= read_half_held ? back_wide[31:16] : back_wide[15:0];\n",
            range(bits)
        )
    }
}

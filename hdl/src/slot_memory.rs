//! Images, and the results made from them.

use crate::bus::{Bus, SLOT_WORDS, WideBus, Words};
use crate::memory::initial_words;
use bitline_golden::machine::{Machine, bits_to_index};
use rust_hdl::prelude::*;

/// Holds slots of 16-bit lanes: an image's packed codes, or a result.
///
/// A leaf in Verilog: memories of chosen shape are beyond RustHDL's translator.
///
/// **Function** every lane is a memory of its own, so a whole slot is read in one clock. Lanes 0.. of a result are
/// the outputs' y, then class, then margin.
/// **Ports** `read_enable` with `read_slot`: a clock later `data` is the slot, lane 0 in bits 15..0, and stays until
/// the next read. Three writers never meet in a lane: the link (`write_*`) only while no run is under way,
/// `sum_*` stores `output_lanes` sums as lanes `sum_group * output_lanes` and up, `verdict_*` stores class and margin.
/// **State** the slots, at power-on the images given, else 0.
#[derive(LogicBlock, Clone, Debug)]
pub struct SlotMemory {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Store one lane from the link.
    pub write_enable: Signal<In, Bit>,
    /// Slot.
    pub write_slot: Bus<In>,
    /// Lane.
    pub write_lane: Bus<In>,
    /// Word.
    pub write_data: Bus<In>,
    /// Store the sums of one output group.
    pub sum_enable: Signal<In, Bit>,
    /// Slot.
    pub sum_slot: Bus<In>,
    /// Output group.
    pub sum_group: Bus<In>,
    /// The sums, one an output lane.
    pub sums: Vec<Bus<In>>,
    /// Store class and margin.
    pub verdict_enable: Signal<In, Bit>,
    /// Slot.
    pub verdict_slot: Bus<In>,
    /// Class.
    pub verdict_class: Bus<In>,
    /// Margin.
    pub verdict_margin: Bus<In>,
    /// Read a slot.
    pub read_enable: Signal<In, Bit>,
    /// Which.
    pub read_slot: Bus<In>,
    /// The slot read last.
    pub data: WideBus<Out, SLOT_WORDS>,
    _slots: Vec<Words<SLOT_WORDS>>,
    _contents: Vec<Words<SLOT_WORDS>>,
    _lanes: usize,
    _outputs: usize,
}

impl SlotMemory {
    /// Clocks from `read_slot` to `data`.
    pub const LATENCY_CYCLES: u64 = 1;

    /// The slots of a machine, with the words of `images` at power-on.
    ///
    /// # Panics
    /// If there are more images than slots; [`crate::accelerator::Accelerator::new`] checks that first.
    pub fn new(machine: &Machine, images: &[Vec<u16>]) -> Self {
        assert!(images.len() <= machine.slots, "{} images for {} slots", images.len(), machine.slots);
        let mut slots = vec![[0u64; SLOT_WORDS]; machine.slots];
        for (slot, words) in slots.iter_mut().zip(images) {
            for (lane, word) in words.iter().enumerate() {
                slot[lane / 4] |= u64::from(*word) << (lane % 4 * 16);
            }
        }
        let slot_bits = bits_to_index(machine.slots);
        Self {
            clock: Signal::default(),
            write_enable: Signal::default(),
            write_slot: Bus::new(slot_bits),
            write_lane: Bus::new(bits_to_index(machine.slot_words())),
            write_data: Bus::new(16),
            sum_enable: Signal::default(),
            sum_slot: Bus::new(slot_bits),
            sum_group: Bus::new(bits_to_index(machine.outputs.div_ceil(machine.output_lanes()))),
            sums: (0..machine.output_lanes()).map(|_| Bus::new(16)).collect(),
            verdict_enable: Signal::default(),
            verdict_slot: Bus::new(slot_bits),
            verdict_class: Bus::new(bits_to_index(machine.outputs)),
            verdict_margin: Bus::new(16),
            read_enable: Signal::default(),
            read_slot: Bus::new(slot_bits),
            data: WideBus::new(machine.slot_words() * 16),
            _contents: slots.clone(),
            _slots: slots,
            _lanes: machine.slot_words(),
            _outputs: machine.outputs,
        }
    }

    fn store(&mut self, slot: u64, lane: usize, word: u64) {
        if let Some(slot) = self._slots.get_mut(slot as usize) {
            let (at, shift) = (lane / 4, lane % 4 * 16);
            slot[at] = slot[at] & !(0xFFFF << shift) | word << shift;
        }
    }
}

impl Logic for SlotMemory {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.read_enable.val()
                && let Some(slot) = self._slots.get(self.read_slot.val() as usize)
            {
                self.data.next = *slot;
            }
            let lane = self.write_lane.val() as usize;
            if self.write_enable.val() && lane < self._lanes {
                self.store(self.write_slot.val(), lane, self.write_data.val());
            }
            if self.sum_enable.val() {
                let first = self.sum_group.val() as usize * self.sums.len();
                for i in 0..self.sums.len().min(self._outputs.saturating_sub(first)) {
                    let sum = self.sums[i].val();
                    self.store(self.sum_slot.val(), first + i, sum);
                }
            }
            if self.verdict_enable.val() {
                let (slot, class) = (self.verdict_slot.val(), self.verdict_class.val());
                let margin = self.verdict_margin.val();
                self.store(slot, self._outputs, class);
                self.store(slot, self._outputs + 1, margin);
            }
        }
    }
    fn connect(&mut self) {
        self.data.connect();
    }
    fn hdl(&self) -> Verilog {
        let (depth, group) = (self._contents.len(), self.sums.len());
        // One multiplexer of addresses and data serves all lanes of the same writers.
        let range = crate::verilog::range(self.write_slot.bits());
        let mut text = format!(
            "wire {range}sum_or_link_slot = sum_enable ? sum_slot : write_slot;\n\
             wire {range}verdict_or_link_slot = verdict_enable ? verdict_slot : write_slot;\n"
        );
        for i in 0..group {
            text += &format!("wire [15:0] sum_or_link_{i} = sum_enable ? sums${i} : write_data;\n");
        }
        for lane in 0..self._lanes {
            let start: Vec<u64> = self._contents.iter().map(|s| s[lane / 4] >> (lane % 4 * 16) & 0xFFFF).collect();
            let name = format!("lane_{lane}");
            let link = format!("write_enable && write_lane == {lane}");
            let (select, slot, data) = if lane < self._outputs {
                let sum = format!("sum_enable ? sum_group == {} : ({link})", lane / group);
                (sum, "sum_or_link_slot", format!("sum_or_link_{}", lane % group))
            } else if lane < self._outputs + 2 {
                let verdict = if lane == self._outputs { "verdict_class" } else { "verdict_margin" };
                let data = format!("verdict_enable ? {verdict} : write_data");
                (format!("verdict_enable || ({link})"), "verdict_or_link_slot", data)
            } else {
                (link, "write_slot", "write_data".into())
            };
            text += &format!(
                "(* no_rw_check *) reg [15:0] {name} [0:{}];\n{}always @(posedge clock) if ({select}) {name}[{slot}] <= \
                 {data};\nreg [15:0] {name}_read;\n\
                 always @(posedge clock) if (read_enable) {name}_read <= {name}[read_slot];\n",
                depth - 1,
                initial_words(&name, 16, &start)
            );
        }
        let lanes: Vec<String> = (0..self._lanes).rev().map(|lane| format!("lane_{lane}_read")).collect();
        text += &format!("always @(*) data = {{{}}};\n", lanes.join(", "));
        Verilog::Custom(text)
    }
}

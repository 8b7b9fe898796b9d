//! From sums to codes, or to the result of an image.

use super::pool::Pool;
use super::program_control::fault;
use super::result_memory::ResultMemory;
use super::sum_rank::SumRank;
use super::threshold::Threshold;
use super::{THRESHOLD_CODE_BITS, address_bits, output_bits};
use crate::bus::{BitAccess, Bus, Number};
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::bits_to_index;
use rust_hdl::prelude::*;

/// Thresholds and pool of a layer whose sums become codes; results and ranking of the last layer.
///
/// **Function** sums that come while `ranks` is not set become codes, whose squares' maxima leave as `store_*`, for the codes' places. Sums that
/// come while it is set are stored in the result of `slot`; after the last of them they are ranked, and class and margin stored.
/// **Ports** `valid`, `lanes`, `sums`, `word`, `place`, `square_first`, `square_last`, `layer_final`: outputs of the crossbar. `layer_done`: what
/// they made is stored. `layer_start`: check what was set up. `link_*`: thresholds, from and to the link; `read_value`: a result's
/// value. `faults`: kinds of fault, as they are found.
/// **State** thresholds as given, else 0.
#[derive(LogicBlock, Clone, Debug)]
pub struct Activation {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drop what is under way.
    pub cut: Signal<In, Bit>,
    /// Begin a layer.
    pub layer_start: Signal<In, Bit>,
    /// Its sums are ranked.
    pub ranks: Signal<In, Bit>,
    /// Slot of the image.
    pub slot: Bus<In>,
    /// Entry of output 0.
    pub first_entry: Bus<In>,
    /// Bits of a code.
    pub bits: Bus<In>,
    /// Outputs of the layer.
    pub outputs: Bus<In>,
    /// There are outputs.
    pub valid: Signal<In, Bit>,
    /// Lanes that hold one.
    pub lanes: Bus<In>,
    /// y, one a lane.
    pub sums: Vec<Bus<In>>,
    /// Number of the first lane's output over the lanes.
    pub word: Bus<In>,
    /// Where the codes of the square go.
    pub place: Bus<In>,
    /// The window is its square's first.
    pub square_first: Signal<In, Bit>,
    /// The window is its square's last.
    pub square_last: Signal<In, Bit>,
    /// No outputs of the layer follow.
    pub layer_final: Signal<In, Bit>,
    /// Store codes.
    pub store_enable: Signal<Out, Bit>,
    /// From there up.
    pub store_address: Bus<Out>,
    /// In these lanes.
    pub store_lanes: Bus<Out>,
    /// The codes.
    pub store_codes: Vec<Bus<Out>>,
    /// The layer is over.
    pub layer_done: Signal<Out, Bit>,
    /// There is a class.
    pub classified: Signal<Out, Bit>,
    /// The class.
    pub winner: Bus<Out>,
    /// Kinds of fault.
    pub faults: Bus<Out>,
    /// Store half a threshold of the link.
    pub link_enable: Signal<In, Bit>,
    /// Its offset.
    pub link_offset: Bus<In>,
    /// The half.
    pub link_word: Bus<In>,
    /// The half read, [`Threshold::READ_BACK_CYCLES`] after its offset.
    pub link_data: Bus<Out>,
    /// Slot and value to read.
    pub read_value: Bus<In>,
    /// The value, [`ResultMemory::READ_CYCLES`] later.
    pub value: Bus<Out>,
    threshold: Threshold,
    pool: Pool,
    sum_rank: SumRank,
    results: ResultMemory,
    done: DFF<Bit>,
    ranked: DFF<Bit>,
    broken: DFF<Bit>,
    entry: Bus<Local>,
    tag: Bus<Local>,
    entries_past: Bus<Local>,
    place_past: Bus<Local>,
    place_fault: Bus<Local>,
    start_fault: Bus<Local>,
    first_flag: Bus<Local>,
    last_flag: Bus<Local>,
    final_flag: Bus<Local>,
    pool_final: Bus<Local>,
    entry_bits: Number,
    node_bits: Number,
    lane_bits: Number,
    lane_mask: Number,
    entries: Number,
    most_sums: Number,
    codes_end: Number,
    first_bit: Number,
    last_bit: Number,
    final_bit: Number,
    word_bit: Number,
    place_mask: Number,
    fault_address: Number,
    fault_threshold: Number,
    fault_size: Number,
}

impl Activation {
    /// Clocks from a layer's last sums to `layer_done`, if they become codes.
    pub const CODE_CYCLES: u64 = Threshold::LATENCY_CYCLES + Pool::LATENCY_CYCLES + 1;
    /// Clocks from the last of n sums to `layer_done`, beyond n, if they are ranked.
    pub const RANK_CYCLES: u64 = SumRank::LATENCY_CYCLES + 2;

    /// The activation of a machine, with its thresholds at power-on, `[entry][node]`.
    pub fn new(machine: &DeepMachine, thresholds: &[[i32; 16]]) -> Self {
        let lanes = machine.output_lanes;
        let word_bits = bits_to_index(machine.thresholds / lanes);
        let address_bits = address_bits(machine);
        let number = |n: usize| Number::new(n as u64);
        Self {
            clock: Signal::default(),
            cut: Signal::default(),
            layer_start: Signal::default(),
            ranks: Signal::default(),
            slot: Bus::new(bits_to_index(machine.slots)),
            first_entry: Bus::new(super::entry_bits(machine)),
            bits: Bus::new(3),
            outputs: Bus::new(16),
            valid: Signal::default(),
            lanes: Bus::new(lanes),
            sums: (0..lanes).map(|_| Bus::new(machine.sum_bits())).collect(),
            word: Bus::new(output_bits(machine) - lanes.trailing_zeros() as usize),
            place: Bus::new(address_bits),
            square_first: Signal::default(),
            square_last: Signal::default(),
            layer_final: Signal::default(),
            store_enable: Signal::default(),
            store_address: Bus::new(address_bits),
            store_lanes: Bus::new(lanes),
            store_codes: (0..lanes).map(|_| Bus::new(THRESHOLD_CODE_BITS)).collect(),
            layer_done: Signal::default(),
            classified: Signal::default(),
            winner: Bus::new(bits_to_index(machine.sums)),
            faults: Bus::new(fault::BITS),
            link_enable: Signal::default(),
            link_offset: Bus::new(16),
            link_word: Bus::new(16),
            link_data: Bus::new(16),
            read_value: Bus::new(16),
            value: Bus::new(32),
            threshold: Threshold::with_contents(machine, address_bits + 3 + word_bits, thresholds),
            pool: Pool::new(machine, address_bits + 1),
            sum_rank: SumRank::new(machine),
            results: ResultMemory::new(machine),
            done: DFF::default(),
            ranked: DFF::default(),
            broken: DFF::default(),
            entry: Bus::new(word_bits),
            tag: Bus::new(address_bits + 3 + word_bits),
            entries_past: Bus::new(17),
            place_past: Bus::new(address_bits.max(16) + 1),
            place_fault: Bus::new(fault::BITS),
            start_fault: Bus::new(fault::BITS),
            first_flag: Bus::new(1),
            last_flag: Bus::new(1),
            final_flag: Bus::new(1),
            pool_final: Bus::new(1),
            entry_bits: number(5),
            node_bits: number(1),
            lane_bits: number(lanes.trailing_zeros() as usize),
            lane_mask: number(lanes - 1),
            entries: number(machine.thresholds),
            most_sums: number(machine.sums),
            codes_end: number(machine.codes),
            first_bit: number(address_bits),
            last_bit: number(address_bits + 1),
            final_bit: number(address_bits + 2),
            word_bit: number(address_bits + 3),
            place_mask: number((1 << address_bits) - 1),
            fault_address: Number::new(fault::ADDRESS),
            fault_threshold: Number::new(fault::THRESHOLD),
            fault_size: Number::new(fault::SIZE),
        }
    }
}

impl Logic for Activation {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, threshold, pool, sum_rank, results);
        dff_setup!(self, clock, done, ranked, broken);
        // Codes.
        self.threshold.valid.next = self.valid.val() & !self.ranks.val() & !self.cut.val();
        self.threshold.lane_valid.next = self.lanes.val();
        for i in 0..self.sums.len() {
            self.threshold.sums[i].next = self.sums[i].val();
            self.results.sums[i].next = self.sums[i].val();
        }
        self.entry.next = (self.first_entry.val() >> self.lane_bits.val()) + self.word.val();
        self.threshold.entry.next = self.entry.val();
        self.threshold.bits.next = self.bits.val();
        self.first_flag.next = 0;
        self.last_flag.next = 0;
        self.final_flag.next = 0;
        if self.square_first.val() {
            self.first_flag.next = 1;
        }
        if self.square_last.val() {
            self.last_flag.next = 1;
        }
        if self.layer_final.val() {
            self.final_flag.next = 1;
        }
        self.tag.next = (self.word.val() << self.word_bit.val())
            + (self.first_flag.val() << self.first_bit.val())
            + (self.last_flag.val() << self.last_bit.val())
            + (self.final_flag.val() << self.final_bit.val())
            + self.place.val();
        self.threshold.tag.next = self.tag.val();
        self.pool.valid.next = self.threshold.code_valid.val() & !self.cut.val();
        self.pool.lane_valid.next = self.threshold.code_lane_valid.val();
        for i in 0..self.sums.len() {
            self.pool.codes[i].next = self.threshold.codes[i].val();
            self.store_codes[i].next = self.pool.pooled_codes[i].val();
        }
        self.pool.word.next = self.threshold.code_tag.val() >> self.word_bit.val();
        self.pool.first.next = self.threshold.code_tag.val().get_bit(self.first_bit.val());
        self.pool.last.next = self.threshold.code_tag.val().get_bit(self.last_bit.val());
        self.pool_final.next = (self.threshold.code_tag.val() >> self.final_bit.val()) & 1;
        self.pool.tag.next =
            (self.threshold.code_tag.val() & self.place_mask.val()) + (self.pool_final.val() << self.first_bit.val());
        self.store_enable.next = self.pool.pooled_valid.val() & !self.broken.q.val();
        self.store_lanes.next = self.pool.pooled_lane_valid.val();
        self.store_address.next = (self.pool.pooled_tag.val() & self.place_mask.val())
            + (self.pool.pooled_word.val() << self.lane_bits.val());
        // Results.
        self.sum_rank.clear.next = self.cut.val();
        self.sum_rank.rank.next = self.valid.val() & self.ranks.val() & self.layer_final.val() & !self.cut.val();
        self.sum_rank.count.next = self.outputs.val();
        self.sum_rank.read_data.next = self.results.sum.val();
        self.results.ranks.next = self.sum_rank.reading.val();
        self.results.rank_index.next = self.sum_rank.read_index.val();
        self.results.slot.next = self.slot.val();
        self.results.store.next = self.valid.val() & self.ranks.val() & !self.cut.val();
        self.results.lane_valid.next = self.lanes.val();
        self.results.word.next = self.word.val();
        self.results.verdict.next = self.sum_rank.done.val() & !self.cut.val();
        self.results.winner.next = self.sum_rank.winner.val();
        self.results.margin.next = self.sum_rank.margin.val();
        self.results.read_value.next = self.read_value.val();
        self.value.next = self.results.value.val();
        self.classified.next = self.sum_rank.done.val() & (self.outputs.val() != 1);
        self.winner.next = self.sum_rank.winner.val();
        // A layer is over when what it made last is stored: a code a clock after it left, a margin a clock after the class.
        self.done.d.next = (self.pool.pooled_valid.val() & self.pool.pooled_tag.val().get_bit(self.first_bit.val()))
            | self.ranked.q.val();
        self.ranked.d.next = self.sum_rank.done.val();
        self.layer_done.next = self.done.q.val() & !self.cut.val();
        // Thresholds of the link.
        self.threshold.write_enable.next = self.link_enable.val();
        self.threshold.write_entry.next = self.link_offset.val() >> self.entry_bits.val();
        self.threshold.write_node.next = self.link_offset.val() >> self.node_bits.val();
        self.threshold.write_half.next = self.link_offset.val().get_bit(0);
        self.threshold.write_data.next = self.link_word.val();
        self.threshold.read_entry.next = self.link_offset.val() >> self.entry_bits.val();
        self.threshold.read_node.next = self.link_offset.val() >> self.node_bits.val();
        self.threshold.read_half.next = self.link_offset.val().get_bit(0);
        self.link_data.next = self.threshold.read_data.val();
        // Faults: entries that are not there, or not at the lanes' start; more sums than a result has; a square whose codes
        // lie past the memory's end.
        self.entries_past.next = self.first_entry.val() + self.outputs.val();
        self.start_fault.next = 0;
        if self.layer_start.val() {
            if self.ranks.val() {
                if self.outputs.val() > self.most_sums.val() {
                    self.start_fault.next = self.fault_size.val();
                }
            } else {
                if (self.entries_past.val() > self.entries.val())
                    | (self.first_entry.val() & self.lane_mask.val()).any()
                {
                    self.start_fault.next = self.fault_threshold.val();
                }
            }
        }
        self.place_past.next = self.place.val() + self.outputs.val();
        self.place_fault.next = 0;
        if self.valid.val() & !self.ranks.val() & (self.place_past.val() > self.codes_end.val()) {
            self.place_fault.next = self.fault_address.val();
        }
        // What lies past the end is not stored: the images are there.
        if self.place_fault.val().any() {
            self.broken.d.next = true;
        }
        if self.layer_start.val() {
            self.broken.d.next = false;
        }
        self.faults.next = self.start_fault.val() | self.place_fault.val();
    }
}

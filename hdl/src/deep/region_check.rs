//! Judges the address range of a frame.

use crate::bus::{Bus, Number};
use crate::register::Register;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::deep_registers::DeepRegion;
use bitline_golden::registers::find;
use rust_hdl::prelude::*;

/// Tells whether a range of words exists and may be written, and how many words a region has.
///
/// **Function** [`DeepRegion::words`], [`DeepRegion::is_writable`]; of the registers those from `mode` to `control` may be written.
/// **Ports** `region`, `offset`, `words` (a frame's count) in; `exists`, `writable`, [`RegionCheck::LATENCY_CYCLES`] later.
/// `sum_region` in, `sum_words` out: words of that region, a clock later.
#[derive(LogicBlock, Clone, Debug)]
pub struct RegionCheck {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Region code.
    pub region: Bus<In>,
    /// Offset of the first word.
    pub offset: Bus<In>,
    /// Words of the range.
    pub words: Bus<In>,
    /// Every word of the range exists.
    pub exists: Signal<Out, Bit>,
    /// None of them is read-only.
    pub writable: Signal<Out, Bit>,
    /// Region of a checksum.
    pub sum_region: Bus<In>,
    /// Its words.
    pub sum_words: Bus<Out>,
    most: Register,
    past: Register,
    sum_most: Register,
    region_exists: DFF<Bit>,
    region_writable: DFF<Bit>,
    start_writable: DFF<Bit>,
    all_exist: DFF<Bit>,
    all_writable: DFF<Bit>,
    registers_words: Number,
    array_words: Number,
    codes_words: Number,
    labels_words: Number,
    program_words: Number,
    thresholds_words: Number,
    results_words: Number,
    layers_words: Number,
    first_writable: Number,
    end_writable: Number,
    region_end: Number,
}

impl RegionCheck {
    /// Clocks from inputs to `exists` and `writable`.
    pub const LATENCY_CYCLES: u64 = 2;

    /// The check of a machine.
    pub fn new(machine: &DeepMachine) -> Self {
        let words = |region: DeepRegion| Number::new(region.words(machine) as u64);
        Self {
            clock: Signal::default(),
            region: Bus::new(8),
            offset: Bus::new(16),
            words: Bus::new(8),
            exists: Signal::default(),
            writable: Signal::default(),
            sum_region: Bus::new(3),
            sum_words: Bus::new(17),
            most: Register::new(17),
            past: Register::new(17),
            sum_most: Register::new(17),
            region_exists: DFF::default(),
            region_writable: DFF::default(),
            start_writable: DFF::default(),
            all_exist: DFF::default(),
            all_writable: DFF::default(),
            registers_words: words(DeepRegion::Registers),
            array_words: words(DeepRegion::Array),
            codes_words: words(DeepRegion::Codes),
            labels_words: words(DeepRegion::Labels),
            program_words: words(DeepRegion::Program),
            thresholds_words: words(DeepRegion::Thresholds),
            results_words: words(DeepRegion::Results),
            layers_words: words(DeepRegion::Layers),
            first_writable: Number::new(u64::from(find("mode").offset)),
            end_writable: Number::new(u64::from(find("checksum").offset)),
            region_end: Number::new(DeepRegion::ALL.len() as u64),
        }
    }
}

impl Logic for RegionCheck {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, most, past, sum_most, region_exists, region_writable, start_writable);
        dff_setup!(self, clock, all_exist, all_writable);
        self.most.d.next = self.registers_words.val();
        self.region_writable.d.next = self.region.val() != 0;
        if self.region.val() == 1 {
            self.most.d.next = self.array_words.val();
        }
        if self.region.val() == 2 {
            self.most.d.next = self.codes_words.val();
        }
        if self.region.val() == 3 {
            self.most.d.next = self.labels_words.val();
        }
        if self.region.val() == 4 {
            self.most.d.next = self.program_words.val();
        }
        if self.region.val() == 5 {
            self.most.d.next = self.thresholds_words.val();
        }
        if self.region.val() == 6 {
            self.most.d.next = self.results_words.val();
            self.region_writable.d.next = false;
        }
        if self.region.val() == 7 {
            self.most.d.next = self.layers_words.val();
            self.region_writable.d.next = false;
        }
        self.region_exists.d.next = self.region.val() < self.region_end.val();
        self.past.d.next = self.offset.val() + self.words.val();
        self.start_writable.d.next = (self.region.val() == 0) & (self.offset.val() >= self.first_writable.val());
        self.all_exist.d.next = self.region_exists.q.val() & (self.past.q.val() <= self.most.q.val());
        self.all_writable.d.next = self.region_writable.q.val()
            | (self.start_writable.q.val() & (self.past.q.val() <= self.end_writable.val()));
        self.exists.next = self.all_exist.q.val();
        self.writable.next = self.all_writable.q.val();
        self.sum_most.d.next = self.array_words.val();
        if self.sum_region.val() == 2 {
            self.sum_most.d.next = self.codes_words.val();
        }
        if self.sum_region.val() == 3 {
            self.sum_most.d.next = self.labels_words.val();
        }
        if self.sum_region.val() == 4 {
            self.sum_most.d.next = self.program_words.val();
        }
        if self.sum_region.val() == 5 {
            self.sum_most.d.next = self.thresholds_words.val();
        }
        if self.sum_region.val() == 6 {
            self.sum_most.d.next = self.results_words.val();
        }
        if self.sum_region.val() == 7 {
            self.sum_most.d.next = self.layers_words.val();
        }
        self.sum_words.next = self.sum_most.q.val();
    }
}

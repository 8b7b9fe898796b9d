//! Steps the core of a machine that runs programs, without its link.

use super::core::{DeepContents, DeepCore};
use crate::simulation::settle;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::deep_registers::DeepRegion;
use rust_hdl::prelude::*;

/// What the run's counters of the core count, in the order of a layer's record.
pub type Amounts = [u64; 7];

/// A core that is stepped clock by clock, its ports driven from here.
pub struct CoreSimulation {
    core: Box<DeepCore>,
    /// Clocks since power-on.
    pub clock: u64,
    /// Counted since power-on: cycles, busy cycles, array reads, row pulses, conversions, saturations, macs.
    pub counted: Amounts,
    /// Images done, and of these those with a class: their slot and class.
    pub done: Vec<(u64, Option<u64>)>,
}

impl CoreSimulation {
    /// The core of a machine with what its memories hold.
    pub fn new(machine: &DeepMachine, contents: &DeepContents) -> Self {
        let mut core = Box::new(DeepCore::new(machine, contents));
        core.connect_all();
        settle(&mut *core);
        Self { core, clock: 0, counted: [0; 7], done: Vec::new() }
    }

    /// One clock.
    pub fn step(&mut self) {
        self.core.clock.next = Clock { clk: false };
        settle(&mut *self.core);
        if self.core.running.val() {
            self.counted[0] += 1;
        }
        let core = &self.core;
        let amounts =
            [&core.busy, &core.array_reads, &core.row_pulses, &core.conversions, &core.saturations, &core.macs];
        for (counted, amount) in self.counted[1..].iter_mut().zip(amounts) {
            *counted += amount.val();
        }
        if core.image_done.val() {
            self.done.push((core.slot.val(), core.class_valid.val().then(|| core.winner.val())));
        }
        self.core.clock.next = Clock { clk: true };
        settle(&mut *self.core);
        self.clock += 1;
    }

    /// Run images, at most so many clocks; whether the run came to its end.
    pub fn run(&mut self, first_slot: u64, images: u64, limit: u64) -> bool {
        self.core.first_slot.next = first_slot;
        self.core.image_count.next = images;
        self.core.start.next = true;
        self.step();
        self.core.start.next = false;
        (0..limit).any(|_| {
            self.step();
            !self.core.running.val() && !self.core.settling.val()
        })
    }

    /// Store a word.
    pub fn write(&mut self, region: DeepRegion, offset: u16, word: u16) {
        self.core.region.next = region as u64;
        self.core.offset.next = u64::from(offset);
        self.core.write_data.next = u64::from(word);
        self.core.write_enable.next = true;
        self.step();
        self.core.write_enable.next = false;
    }

    /// Read a word.
    pub fn read(&mut self, region: DeepRegion, offset: u16) -> u16 {
        self.core.region.next = region as u64;
        self.core.offset.next = u64::from(offset);
        (0..DeepCore::READ_CYCLES).for_each(|_| self.step());
        self.core.read_data.val() as u16
    }

    /// Forget what the layers counted.
    pub fn clear(&mut self) {
        self.core.clear.next = true;
        self.step();
        self.core.clear.next = false;
    }

    /// Kinds of fault of the last run, and the instruction.
    pub fn fault(&self) -> (u64, u64) {
        (self.core.fault.val(), self.core.fault_at.val())
    }
}

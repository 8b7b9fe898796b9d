//! The counters of run and layers against sums of what was counted.

use bitline_firmware::isa::COUNT_SPACING_CYCLES;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::draw::Draw;
use bitline_hdl::deep::counter_memory::{CounterMemory, KEPT_COUNTERS, QUIET_CYCLES};
use rust_hdl::prelude::*;

/// Places of the counters in a record.
const PLACES: [u64; KEPT_COUNTERS] = [0, 1, 2, 3, 5, 6];
/// Clocks of the shortest layer, from the clock after its instruction.
const LAYER_CYCLES: u64 = 22;
const LIMIT: u64 = u32::MAX as u64;

type Record = [u64; KEPT_COUNTERS];

/// The block, what it should have counted, and a link that reads now and then.
struct Bench {
    block: CounterMemory,
    draw: Draw,
    amount_bits: [usize; KEPT_COUNTERS],
    clock: u64,
    /// When the next `count_start` may come.
    spaced: u64,
    reads: bool,
    /// Clocks until the link is through with a word, which it holds for four clocks, and how many it has had to wait.
    word: (usize, usize),
    /// The run's row places as last read.
    seen: Record,
    run: Record,
    current: Record,
    layers: Vec<Record>,
}

fn settle(block: &mut CounterMemory) {
    for _ in 0..100 {
        block.update_all();
        if !block.has_changed() {
            return;
        }
    }
    panic!("no end of settling");
}

impl Bench {
    fn new(seed: u64, amount_bits: [usize; KEPT_COUNTERS]) -> Self {
        let machine = DeepMachine::named("tiny-deep").unwrap();
        let mut block = CounterMemory::new(&machine, amount_bits);
        block.connect_all();
        settle(&mut block);
        Self {
            block,
            draw: Draw(seed),
            amount_bits,
            clock: 0,
            spaced: 0,
            reads: true,
            word: (0, 0),
            seen: [0; KEPT_COUNTERS],
            run: [0; KEPT_COUNTERS],
            current: [0; KEPT_COUNTERS],
            layers: vec![[0; KEPT_COUNTERS]; machine.layers],
        }
    }

    /// A clock of a run, with amounts if a layer is read.
    fn step(&mut self, reading: bool) {
        self.block.running.next = true;
        for i in 0..KEPT_COUNTERS {
            let most = (1 << self.amount_bits[i]) - 1;
            let amount = match i {
                0 => 1,
                _ if !reading => 0,
                1 => 1,
                // Often the largest.
                _ => [most, self.draw.below(most + 1)][self.draw.below(2)],
            };
            self.block.amounts[i].next = amount as u64;
            self.current[i] += amount as u64;
        }
        self.link();
        self.tick();
    }

    fn tick(&mut self) {
        self.block.clock.next = Clock { clk: false };
        settle(&mut self.block);
        self.block.clock.next = Clock { clk: true };
        settle(&mut self.block);
        self.clock += 1;
    }

    /// The link reads the run's counters, as seldom as its bytes leave: they only grow, and come in time.
    fn link(&mut self) {
        if !self.reads {
            return;
        }
        match self.word.0 {
            0 => {
                if self.draw.below(12) == 0 {
                    let place = PLACES[self.draw.between(1, KEPT_COUNTERS - 1)];
                    self.block.read_enable.next = true;
                    (self.block.read_row.next, self.block.read_place.next) = (self.layers.len() as u64, place);
                    self.word = (16, 0);
                }
                return;
            }
            12 => self.block.read_enable.next = false,
            13..=16 if self.word.1 < 5 => {
                if self.block.value_valid.val() {
                    let at = PLACES.iter().position(|place| *place == self.block.read_place.next).unwrap();
                    let value = self.block.value.val();
                    let most = (self.run[at] + self.current[at]).min(LIMIT);
                    assert!((self.seen[at]..=most).contains(&value), "clock {}: counter {at}", self.clock);
                    self.seen[at] = value;
                    self.word.1 = 5;
                } else {
                    self.word.1 += 1;
                    assert!(self.word.1 <= 2, "clock {}: the word comes too late", self.clock);
                }
            }
            _ => {}
        }
        self.word.0 -= 1;
    }

    fn image_start(&mut self) {
        self.current[0] = 0;
        self.block.image_start.next = true;
        self.step(false);
        self.block.image_start.next = false;
    }

    fn layer(&mut self) {
        (0..QUIET_CYCLES).for_each(|_| self.step(false));
        let reads = LAYER_CYCLES - QUIET_CYCLES + self.draw.below(60) as u64;
        (0..reads).for_each(|_| self.step(true));
        self.step(false);
    }

    fn count(&mut self, layer: usize) {
        while self.clock + 1 < self.spaced {
            self.step(false);
        }
        self.block.count_next.next = true;
        self.step(false);
        self.block.count_next.next = false;
        // What was counted before this clock.
        self.put_away(Some(layer));
        (self.block.count_start.next, self.block.layer.next) = (true, layer as u64);
        self.spaced = self.clock + u64::from(COUNT_SPACING_CYCLES);
        self.step(false);
        self.block.count_start.next = false;
    }

    fn put_away(&mut self, layer: Option<usize>) {
        for i in 0..KEPT_COUNTERS {
            self.run[i] += self.current[i];
            if let Some(layer) = layer {
                self.layers[layer][i] += self.current[i];
            }
        }
        self.current = [0; KEPT_COUNTERS];
    }

    fn image_done(&mut self) {
        (0..2).for_each(|_| self.step(false));
        self.block.image_done.next = true;
        self.spaced = self.spaced.max(self.clock + 1 + u64::from(COUNT_SPACING_CYCLES));
        self.step(false);
        self.block.image_done.next = false;
        self.put_away(None);
    }

    fn end(&mut self) {
        self.block.running.next = false;
        self.block.amounts.iter_mut().for_each(|bus| bus.next = 0);
        self.block.read_enable.next = false;
        let mut clocks = 0;
        while self.block.settling.val() {
            self.tick();
            clocks += 1;
        }
        assert!(clocks <= 2 * CounterMemory::SETTLE_CYCLES, "{clocks} clocks to settle");
    }

    fn read(&mut self, row: usize, place: u64) -> u64 {
        (self.block.read_row.next, self.block.read_place.next) = (row as u64, place);
        self.tick();
        assert!(self.block.value_valid.val());
        self.block.value.val()
    }

    fn check(&mut self, what: &str) {
        let limited = |record: Record| record.map(|count| count.min(LIMIT));
        for layer in 0..self.layers.len() {
            let found = PLACES.map(|place| self.read(layer, place));
            assert_eq!(found, limited(self.layers[layer]), "{what}: layer {layer}");
        }
        let run = self.layers.len();
        let found = PLACES.map(|place| self.read(run, place));
        assert_eq!(found[1..], limited(self.run)[1..], "{what}: run");
    }

    fn clear(&mut self) {
        self.block.clear.next = true;
        self.tick();
        self.block.clear.next = false;
        (self.run, self.seen) = ([0; KEPT_COUNTERS], [0; KEPT_COUNTERS]);
        self.layers.fill([0; KEPT_COUNTERS]);
    }
}

/// Runs of images with layers, counted or not, `clear` between some of them.
fn runs(bench: &mut Bench, what: &str) {
    for run in 0..12 {
        if bench.draw.below(4) == 0 {
            bench.clear();
        }
        for _ in 0..bench.draw.between(1, 3) {
            bench.image_start();
            for _ in 0..bench.draw.below(4) {
                if bench.draw.below(5) > 0 {
                    bench.layer();
                }
                if bench.draw.below(4) > 0 {
                    let layer = bench.draw.below(bench.layers.len());
                    bench.count(layer);
                }
            }
            bench.image_done();
        }
        bench.end();
        bench.check(&format!("{what}, run {run}"));
    }
}

#[test]
fn counters_are_sums_of_what_was_counted() {
    for seed in 0..25 {
        let mut bench = Bench::new(seed, [1, 1, 2, 5, 4, 6]);
        bench.reads = seed % 2 == 1;
        runs(&mut bench, &format!("seed {seed}"));
    }
}

#[test]
fn counters_stay_at_their_largest() {
    let mut bench = Bench::new(1, [1, 1, 1, 26, 26, 26]);
    runs(&mut bench, "wide amounts");
    assert!(bench.run.iter().filter(|count| **count > LIMIT).count() >= 2, "{:?}", bench.run);
}

#[test]
fn a_run_that_is_cut_counts_nothing() {
    for clocks in 0..40 {
        let mut bench = Bench::new(clocks, [1, 1, 2, 5, 4, 6]);
        bench.image_start();
        bench.layer();
        bench.count(3);
        (0..clocks).for_each(|_| bench.step(false));
        bench.block.clear.next = true;
        (0..3).for_each(|_| bench.step(true));
        bench.clear();
        bench.end();
        bench.current = [0; KEPT_COUNTERS];
        bench.spaced = 0;
        bench.check("after the cut");
        bench.image_start();
        bench.layer();
        bench.count(2);
        bench.image_done();
        bench.end();
        bench.check("the next run");
    }
}

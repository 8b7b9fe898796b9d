//! Leaf blocks of machines that run programs: machines to try them on, random stimulus, and how to step them.

// Every test file takes its own part of this one.
#![allow(dead_code)]

use crate::support::Random;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::machine::QuantizerConfig;
use bitline_hdl::bus::{Bus, WideBus};
use bitline_hdl::deep::code_memory::CodeMemory;
use bitline_hdl::deep::code_rotator::CodeRotator;
use bitline_hdl::deep::plane_sum::PlaneSum;
use bitline_hdl::deep::pool::Pool;
use bitline_hdl::deep::recombination::Recombination;
use bitline_hdl::deep::sum_rank::SumRank;
use bitline_hdl::deep::threshold::Threshold;
use bitline_hdl::deep::tile_memory::TileMemory;
use bitline_hdl::deep::window_memory::WindowMemory;
use rust_hdl::prelude::{Atom, Block, Clock, In};

/// Bits of the tag that goes through thresholds and pool.
pub const TAG_BITS: usize = 9;

/// A machine that the blocks are made for.
pub fn named(name: &str) -> DeepMachine {
    DeepMachine::named(name).unwrap()
}

/// Machines of odd sizes, each the first to break one way of writing a block.
pub fn odd_machines() -> Vec<DeepMachine> {
    let quantizer = |bits| QuantizerConfig { multiplier: 662, shift: 16, bits };
    let tiny = named("tiny-deep");
    let machines = vec![
        // One of everything: a row group of 65 rows and no neighbour for any code.
        DeepMachine {
            name: "smallest".into(),
            tile_rows: 65,
            tiles: 1,
            banks: 1,
            code_bits: 1,
            plane_lanes: 1,
            codes: 10,
            image_codes: 2,
            slots: 1,
            gather_lanes: 1,
            row_groups: 1,
            output_lanes: 1,
            thresholds: 1,
            sums: 2,
            quantizer: quantizer(1),
            ..tiny.clone()
        },
        // Three slices a row group, three half words of eight-column outputs, nothing a power of two.
        DeepMachine {
            name: "thirds".into(),
            tile_rows: 24,
            tile_columns: 24,
            weight_bits: 8,
            tiles: 5,
            code_bits: 6,
            plane_lanes: 2,
            codes: 104,
            image_codes: 24,
            slots: 3,
            gather_lanes: 8,
            row_groups: 5,
            output_lanes: 2,
            thresholds: 22,
            sums: 7,
            quantizer: quantizer(5),
            ..tiny.clone()
        },
        // A row group as wide as a word of codes, all planes at once.
        DeepMachine {
            name: "square".into(),
            tile_rows: 16,
            tile_columns: 16,
            weight_bits: 8,
            code_bits: 5,
            plane_lanes: 5,
            codes: 160,
            image_codes: 32,
            gather_lanes: 16,
            row_groups: 7,
            output_lanes: 4,
            sums: 21,
            quantizer: quantizer(3),
            ..tiny.clone()
        },
        // As wide as it gets.
        DeepMachine {
            name: "widest".into(),
            tile_rows: 192,
            tile_columns: 64,
            weight_bits: 8,
            tiles: 9,
            code_bits: 8,
            plane_lanes: 8,
            codes: 640,
            image_codes: 128,
            gather_lanes: 64,
            row_groups: 3,
            output_lanes: 16,
            thresholds: 2048,
            sums: 256,
            quantizer: quantizer(8),
            ..tiny.clone()
        },
        // Seven planes one by one, one output lane, words that straddle 64 bits.
        DeepMachine {
            name: "narrow".into(),
            tile_rows: 256,
            tile_columns: 16,
            weight_bits: 8,
            tiles: 3,
            code_bits: 7,
            plane_lanes: 1,
            codes: 320,
            image_codes: 64,
            gather_lanes: 32,
            row_groups: 4,
            output_lanes: 1,
            thresholds: 50,
            sums: 11,
            quantizer: quantizer(9),
            ..tiny
        },
    ];
    machines
}

/// A machine of sizes drawn from a seed.
pub fn random_machine(seed: u64) -> DeepMachine {
    let mut random = Random(seed);
    for _ in 0..10_000 {
        let gather_lanes = 1usize << random.below(6);
        let code_bits = 1 + random.below(8) as usize;
        let machine = DeepMachine {
            name: format!("random-{seed}"),
            tile_rows: gather_lanes * (1 + random.below(9) as usize),
            tile_columns: 8 * (1 + random.below(5) as usize),
            weight_bits: 8,
            tiles: 1 + random.below(40) as usize,
            banks: 1,
            code_bits,
            plane_lanes: 1 + random.below(code_bits as u64) as usize,
            codes: gather_lanes * (1 + random.below(40) as usize),
            image_codes: gather_lanes * (1 + random.below(8) as usize),
            slots: 1 + random.below(3) as usize,
            gather_lanes,
            row_groups: 1 + random.below(9) as usize,
            output_lanes: 1 << random.below(4),
            thresholds: 8 * (1 + random.below(9) as usize),
            sums: 2 + random.below(30) as usize,
            quantizer: QuantizerConfig { multiplier: 662, shift: 16, bits: 1 + random.below(8) as u32 },
            ..named("tiny-deep")
        };
        if machine.check().is_ok() {
            return machine;
        }
    }
    panic!("seed {seed} gives no machine")
}

/// The machines of `configs/` that simulations of every block take, odd and random ones.
pub fn machines() -> Vec<DeepMachine> {
    let mut machines = vec![named("tiny-deep"), named("mnist")];
    machines.extend(odd_machines());
    machines.extend((1..=6).map(random_machine));
    machines
}

/// Draws stimulus.
pub struct Driver {
    pub random: Random,
    /// What a block's rules of use have it remember.
    pub left: usize,
    /// Whether these rules are kept.
    pub polite: bool,
}

impl Driver {
    pub fn new(seed: u64) -> Self {
        Self { random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1), left: 0, polite: true }
    }

    pub fn below(&mut self, n: usize) -> u64 {
        self.random.below(n as u64)
    }

    /// Once in n times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn bits(&mut self, bits: usize) -> u64 {
        let word = (0..4).fold(0, |word, _| word << 16 | self.random.below(1 << 16));
        let word = if self.once_in(8) { [0, u64::MAX][self.below(2) as usize] } else { word };
        word & (u64::MAX >> (64 - bits))
    }

    pub fn bus(&mut self, bus: &mut Bus<In>) {
        bus.next = self.bits(bus.bits());
    }

    pub fn wide<const K: usize>(&mut self, bus: &mut WideBus<In, K>) {
        let width = bus.bits();
        for (word, next) in bus.next.iter_mut().enumerate() {
            *next = match width.saturating_sub(64 * word) {
                0 => 0,
                bits => self.bits(bits.min(64)),
            };
        }
    }
}

/// A block that random stimulus can drive.
pub trait Leaf: Block {
    const NAME: &'static str;
    fn make(machine: &DeepMachine) -> Self;
    fn set_clock(&mut self, high: bool);
    /// Set every input to what may come next.
    fn drive(&mut self, machine: &DeepMachine, driver: &mut Driver);
}

macro_rules! leaf {
    ($block:ident, $name:literal, $make:expr, $drive:expr) => {
        impl Leaf for $block {
            const NAME: &'static str = $name;
            fn make(machine: &DeepMachine) -> Self {
                #[allow(clippy::redundant_closure_call)]
                $make(machine)
            }
            fn set_clock(&mut self, high: bool) {
                self.clock.next = Clock { clk: high };
            }
            fn drive(&mut self, machine: &DeepMachine, driver: &mut Driver) {
                #[allow(clippy::redundant_closure_call)]
                $drive(self, machine, driver)
            }
        }
    };
}

leaf!(
    TileMemory,
    "tile_memory",
    |machine: &DeepMachine| {
        let mut random = Random(5);
        let mut draw = |n: usize| random.below(n as u64) as usize;
        let tiles: Vec<Vec<Vec<bool>>> = (0..machine.tiles / 2)
            .map(|_| {
                (0..machine.tile_columns).map(|_| (0..machine.tile_rows).map(|_| draw(2) == 1).collect()).collect()
            })
            .collect();
        TileMemory::new(machine, &tiles)
    },
    |b: &mut TileMemory, machine: &DeepMachine, d: &mut Driver| {
        // A few tiles only, so that what is written is read.
        let tiles = machine.tiles.min(3);
        b.read_address.next = d.below(tiles);
        b.read_column.next = d.below(machine.tile_columns);
        b.read_word.next = d.below(machine.tile_rows.div_ceil(16));
        b.write_enable.next = d.once_in(2);
        b.write_tile.next = d.below(tiles);
        b.write_column.next = d.below(machine.tile_columns);
        b.write_word.next = d.below(machine.tile_rows.div_ceil(16));
        d.bus(&mut b.write_data);
    }
);

leaf!(
    CodeMemory,
    "code_memory",
    |machine: &DeepMachine| {
        let mut random = Random(6);
        let codes: Vec<u8> =
            (0..machine.memory_codes() / 2).map(|_| random.below(1 << machine.code_bits) as u8).collect();
        CodeMemory::with_contents(machine, &codes)
    },
    |b: &mut CodeMemory, machine: &DeepMachine, d: &mut Driver| {
        let (places, lanes) = (machine.memory_codes(), machine.gather_lanes);
        // Near the beginning or the end, also past it.
        let span = (4 * lanes).min(places);
        let past = 1usize << b.read_address.bits();
        let address = |d: &mut Driver| match d.below(2) {
            0 => d.below(span),
            _ => ((places - span) as u64 + d.below(span + 2 * lanes)).min(past as u64 - 1),
        };
        b.read_address.next = address(d);
        b.write_enable.next = d.once_in(2);
        b.write_address.next = address(d);
        let lanes = u64::MAX >> (64 - lanes);
        b.write_mask.next = if d.once_in(3) { lanes } else { d.below(1 << 32) & lanes };
        d.wide(&mut b.write_codes);
    }
);

leaf!(CodeRotator, "code_rotator", CodeRotator::new, |b: &mut CodeRotator, machine: &DeepMachine, d: &mut Driver| {
    d.wide(&mut b.codes);
    b.amount.next = d.below(machine.gather_lanes);
});

leaf!(
    WindowMemory,
    "window_memory",
    WindowMemory::new,
    |b: &mut WindowMemory, machine: &DeepMachine, d: &mut Driver| {
        let (groups, rows, lanes) = (machine.row_groups, machine.tile_rows, machine.gather_lanes);
        let few = groups.min(3);
        b.write_enable.next = !d.once_in(4);
        b.write_window.next = d.once_in(2);
        // In the first groups or at the end, also past it.
        let past = 1u64 << b.write_position.bits();
        b.write_position.next = match d.below(3) {
            0 => (((groups - 1) * rows) as u64 + d.below(2 * rows)).min(past - 1),
            _ => d.below(few * rows),
        };
        b.write_count.next = if d.once_in(3) { lanes as u64 } else { d.below(lanes + 1) };
        d.wide(&mut b.write_codes);
        b.read_window.next = d.once_in(2);
        b.read_row_group.next = if d.once_in(4) { groups as u64 - 1 } else { d.below(few) };
        b.read_plane_group.next = d.below(machine.code_bits / machine.plane_lanes);
        b.read_planes.next = 1 + d.below(machine.plane_lanes);
        b.read_rows.next = if d.once_in(2) { rows as u64 } else { 1 + d.below(rows) };
    }
);

leaf!(PlaneSum, "plane_sum", PlaneSum::new, |b: &mut PlaneSum, machine: &DeepMachine, d: &mut Driver| {
    let plane_groups = machine.code_bits / machine.plane_lanes;
    let steps = plane_groups * machine.row_groups;
    // Steps of a window that are left; most windows are as large as any.
    b.valid.next = !d.once_in(4);
    if b.valid.next {
        b.first.next = d.left == 0;
        if d.left == 0 {
            d.left = if d.once_in(2) { steps } else { plane_groups * (1 + d.below(machine.row_groups) as usize) };
        }
        d.left -= 1;
        b.plane_group.next = (d.left % plane_groups) as u64;
        b.last.next = d.left == 0;
    } else {
        (b.first.next, b.last.next) = (d.once_in(2), d.once_in(2));
        b.plane_group.next = d.below(plane_groups);
    }
    let all = d.once_in(2);
    let mut up_to = |bus: &mut Bus<In>, most: usize| bus.next = if all { most as u64 } else { d.below(most + 1) };
    b.codes.iter_mut().for_each(|bus| up_to(bus, machine.code_max()));
    b.active.iter_mut().for_each(|bus| up_to(bus, machine.tile_rows));
});

leaf!(
    Recombination,
    "recombination",
    Recombination::new,
    |b: &mut Recombination, machine: &DeepMachine, d: &mut Driver| {
        d.left = d.left.saturating_sub(1);
        let ready = d.left == 0 || !d.polite && d.once_in(4);
        b.take.next = ready && !d.once_in(4);
        b.group_low.next = d.once_in(2);
        let columns = [1, 4, 8][d.below(3) as usize];
        b.columns.next = columns as u64;
        if b.take.next {
            d.left = Recombination::emissions(machine, columns);
        }
        let most = machine.column_sum_max();
        let all = d.once_in(4);
        b.column_sums.iter_mut().for_each(|bus| bus.next = if all { most as u64 } else { d.below(most + 1) });
        d.bus(&mut b.active_sum);
    }
);

leaf!(
    Threshold,
    "threshold",
    |machine: &DeepMachine| {
        let mut driver = Driver::new(7);
        let contents: Vec<[i32; 16]> =
            (0..machine.thresholds / 2).map(|_| std::array::from_fn(|_| driver.bits(8) as i32 - 128)).collect();
        Threshold::with_contents(machine, TAG_BITS, &contents)
    },
    |b: &mut Threshold, machine: &DeepMachine, d: &mut Driver| {
        let few = machine.thresholds.min(4 * machine.output_lanes);
        b.valid.next = !d.once_in(if d.polite { 4 } else { 2 });
        d.bus(&mut b.lane_valid);
        for bus in &mut b.sums {
            bus.next = if d.once_in(2) { d.bits(8).wrapping_sub(128) } else { d.bits(bus.bits()) };
            bus.next &= u64::MAX >> (64 - bus.bits());
        }
        b.entry.next = d.below(few / machine.output_lanes);
        b.bits.next = 1 + d.below(4);
        d.bus(&mut b.tag);
        b.write_enable.next = d.once_in(2);
        b.write_entry.next = d.below(few);
        d.bus(&mut b.write_node);
        b.write_half.next = d.once_in(2);
        d.bus(&mut b.write_data);
        b.read_entry.next = d.below(few);
        d.bus(&mut b.read_node);
        b.read_half.next = d.once_in(2);
    }
);

leaf!(Pool, "pool", |machine| Pool::new(machine, TAG_BITS), |b: &mut Pool, machine: &DeepMachine, d: &mut Driver| {
    b.valid.next = !d.once_in(4);
    d.bus(&mut b.lane_valid);
    b.codes.iter_mut().for_each(|bus| d.bus(bus));
    // Often the word before.
    if d.once_in(2) {
        b.word.next = d.below((machine.thresholds / machine.output_lanes).min(3));
    }
    b.first.next = d.once_in(4);
    b.last.next = d.once_in(2);
    d.bus(&mut b.tag);
});

leaf!(SumRank, "sum_rank", SumRank::new, |b: &mut SumRank, machine: &DeepMachine, d: &mut Driver| {
    d.left = d.left.saturating_sub(1);
    b.clear.next = d.once_in(60);
    let narrow = d.once_in(2);
    let bits = b.read_data.bits();
    b.read_data.next = if narrow { d.below(3).wrapping_sub(1) } else { d.bits(bits) };
    b.read_data.next &= u64::MAX >> (64 - bits);
    let ready = d.left == 0 || !d.polite && d.once_in(8);
    b.rank.next = ready && d.once_in(4);
    b.count.next = d.below(machine.sums + 1);
    if b.rank.next {
        d.left = b.count.next as usize + 1;
    }
});

pub fn settle(block: &mut impl Block) {
    for _ in 0..1000 {
        block.update_all();
        if !block.has_changed() {
            return;
        }
    }
    panic!("the block does not settle");
}

/// A block with its inputs connected.
pub fn connected<B: Leaf>(mut block: B) -> B {
    block.connect_all();
    settle(&mut block);
    block
}

/// Inputs settle while the clock is low, then it rises.
pub fn tick(block: &mut impl Leaf) {
    block.set_clock(false);
    settle(block);
    block.set_clock(true);
    settle(block);
}

//! Runs a program, instruction by instruction, with golden's arithmetic: the third of golden's three levels, and what the
//! gateware is compared with.
//!
//! Planes and columns are packed, 64 rows a word; what a word's bits count is golden's `count` and `active_rows`, and the tests
//! hold it to these.
//!
//! Whatever the words of a program say, it ends: in `halt`, or in a [`Fault`], which the hardware keeps in a register.

use crate::isa::{Instruction, Opcode};
use crate::program::{Program, Target};
use crate::timing::{Clocks, predict};
use crate::verify::copies_onto_itself;
use bitline_golden::argmax::{Verdict, argmax};
use bitline_golden::column::current;
use bitline_golden::counters::Counters;
use bitline_golden::deep_machine::MOST_COLUMNS;
use bitline_golden::quantizer::quantize;
use bitline_golden::recombination::plane_sum;

/// What one layer, or one image, counts. Units are those of the contract, section 4.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LayerCounters {
    /// Clocks, by [`mod@crate::timing`]; a `count` is the last instruction of the layer that it ends.
    pub cycles: u64,
    /// Clocks in which a tile is read.
    pub busy_cycles: u64,
    /// Planes applied to a tile.
    pub array_reads: u64,
    /// Rows driven, summed over array reads.
    pub row_pulses: u64,
    /// Column counts converted by a quantizer.
    pub conversions: u64,
    /// Conversions whose code was clamped.
    pub saturations: u64,
    /// Whole weights times inputs.
    pub macs: u64,
}

impl LayerCounters {
    fn since(&self, before: &Self) -> Self {
        let (now, before) = (self.values(), before.values());
        Self::of_values(std::array::from_fn(|n| now[n] - before[n]))
    }

    /// Every count, in the contract's order.
    pub fn values(&self) -> [u64; 7] {
        let Self { cycles, busy_cycles, array_reads, row_pulses, conversions, saturations, macs } = *self;
        [cycles, busy_cycles, array_reads, row_pulses, conversions, saturations, macs]
    }

    /// From counts in that order.
    pub fn of_values(values: [u64; 7]) -> Self {
        let [cycles, busy_cycles, array_reads, row_pulses, conversions, saturations, macs] = values;
        Self { cycles, busy_cycles, array_reads, row_pulses, conversions, saturations, macs }
    }

    /// Count what another counted as well.
    pub fn add(&mut self, more: &Self) {
        let (own, more) = (self.values(), more.values());
        *self = Self::of_values(std::array::from_fn(|n| own[n] + more[n]));
    }

    /// What `count` of the same count.
    pub fn times(&self, count: u64) -> Self {
        Self::of_values(self.values().map(|value| value * count))
    }
}

impl From<Counters> for LayerCounters {
    /// Those of a whole run, without its images.
    fn from(counters: Counters) -> Self {
        let Counters { cycles, busy_cycles, array_reads, row_pulses, conversions, saturations, macs, .. } = counters;
        Self { cycles, busy_cycles, array_reads, row_pulses, conversions, saturations, macs }
    }
}

/// What stops a program that is not sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The program memory is full, and ends before a `halt`.
    #[error("the program memory ends before a `halt`")]
    End,
    /// A code outside the memory, or outside the image, or a copy onto what it reads.
    #[error("a code outside the memory, or outside the image, or a copy onto what it reads")]
    Address,
    /// A tile that is not there.
    #[error("a tile that is not there")]
    Tile,
    /// A threshold entry that is not there, or that a layer may not begin with.
    #[error("a threshold entry that is not there, or that a layer may not begin with")]
    Threshold,
    /// A window that the window memory does not hold, planes that a code does not have, or more sums than tiles or a result.
    #[error(
        "a window that the window memory does not hold, planes that a code does not have, or more sums than tiles or a result"
    )]
    Size,
    /// A record that is not there.
    #[error("a record that is not there")]
    Record,
    /// A layer without what it needs.
    #[error("a layer without what it needs")]
    Missing,
}

/// Where and why a program stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("instruction {instruction}: {kind}")]
pub struct Fault {
    /// Instruction, from 0.
    pub instruction: usize,
    /// Why.
    pub kind: FaultKind,
}

/// What a program made of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageResult {
    /// Sums of `classify`.
    pub sums: Vec<i32>,
    /// Class and margin, if there was a `classify` of two sums or more.
    pub verdict: Option<Verdict>,
    /// The activation memory at the end.
    pub memory: Vec<u8>,
    /// What was counted.
    pub counters: LayerCounters,
    /// The records of `count`.
    pub layers: Vec<LayerCounters>,
}

/// Run a program on one image, laid out as the program says, from an activation memory of zeros.
///
/// # Errors
/// [`Fault`] for a program that would not pass [`crate::verify::verify`].
pub fn execute(program: &Program, target: &Target, image: &[u8]) -> Result<ImageResult, Fault> {
    Executor::new(program, target).run(image, &mut |_, _| {})
}

/// A program on a machine, for many images.
pub struct Executor<'a> {
    program: &'a Program,
    target: &'a Target,
    /// `[tile][column]`, a bit a row, bit 0 of word 0 first.
    devices: Vec<Vec<Vec<u64>>>,
    /// What the program memory holds, up to the `halt` that its zeros are behind a program that is shorter.
    instructions: Vec<Instruction>,
    /// Of each of them.
    clocks: Vec<Clocks>,
}

impl<'a> Executor<'a> {
    /// Load a program.
    pub fn new(program: &'a Program, target: &'a Target) -> Self {
        let column = |column: &Vec<bool>| words(column.len(), |row| column[row]);
        let devices = program.tiles.iter().map(|tile| tile.columns.iter().map(column).collect()).collect();
        let zeros = std::iter::once(Opcode::Halt.operation().smallest());
        let instructions = program.instructions.iter().copied().chain(zeros);
        let instructions: Vec<Instruction> = instructions.take(target.limits.instructions).collect();
        let clocks = predict(&instructions, &target.limits);
        Self { program, target, devices, instructions, clocks }
    }

    /// Run one image, as [`execute`] does, and show the activation memory after each `count`, with the record it counts in.
    ///
    /// # Errors
    /// [`Fault`] for a program that would not pass [`crate::verify::verify`].
    pub fn run(&self, image: &[u8], show: &mut dyn FnMut(usize, &[u8])) -> Result<ImageResult, Fault> {
        run(self, image, show)
    }
}

/// Bits as words, the first in bit 0 of word 0.
fn words(bits: usize, bit: impl Fn(usize) -> bool) -> Vec<u64> {
    let word = |first: usize| (first..bits.min(first + 64)).fold(0, |word, i| word | u64::from(bit(i)) << (i - first));
    (0..bits).step_by(64).map(word).collect()
}

/// Every plane of every row group, packed, with the rows it drives; a row group beyond the codes drives none.
fn planes_of(codes: &[u8], row_groups: usize, planes: usize, tile_rows: usize) -> Vec<(Vec<u64>, u32)> {
    let mut packed = Vec::with_capacity(row_groups * planes);
    for row_group in 0..row_groups {
        let first = (row_group * tile_rows).min(codes.len());
        let rows = &codes[first..(first + tile_rows).min(codes.len())];
        for i in 0..planes {
            let plane = words(rows.len(), |row| rows[row] >> i & 1 == 1);
            let active = plane.iter().map(|word| word.count_ones()).sum();
            packed.push((plane, active));
        }
    }
    packed
}

fn run(executor: &Executor<'_>, image: &[u8], show: &mut dyn FnMut(usize, &[u8])) -> Result<ImageResult, Fault> {
    let Executor { program, target, devices, instructions, clocks } = executor;
    let limits = &target.limits;
    let mut image = image.to_vec();
    image.resize(limits.image_codes, 0);
    let mut run = Run {
        program,
        target,
        devices,
        image,
        result: ImageResult {
            sums: Vec::new(),
            verdict: None,
            memory: vec![0; limits.codes],
            counters: LayerCounters::default(),
            layers: vec![LayerCounters::default(); limits.layers],
        },
        counted: LayerCounters::default(),
        set_up: [None; 5],
    };
    for (at, (instruction, clocks)) in instructions.iter().zip(clocks).enumerate() {
        match run.step(instruction, clocks) {
            Ok(true) if instruction.opcode() == Opcode::Count => show(instruction.get("layer"), &run.result.memory),
            Ok(true) => {}
            Ok(false) => return Ok(run.result),
            Err(kind) => return Err(Fault { instruction: at, kind }),
        }
    }
    Err(Fault { instruction: instructions.len(), kind: FaultKind::End })
}

struct Run<'a> {
    program: &'a Program,
    target: &'a Target,
    devices: &'a [Vec<Vec<u64>>],
    image: Vec<u8>,
    result: ImageResult,
    counted: LayerCounters,
    /// The last `window`, `tiles`, `thresholds`, `pool`, `output`.
    set_up: [Option<Instruction>; 5],
}

impl Run<'_> {
    /// Whether there is a next instruction.
    fn step(&mut self, instruction: &Instruction, clocks: &Clocks) -> Result<bool, FaultKind> {
        let get = |name| instruction.get(name);
        // Those of a layer that ends in a fault may be any number.
        let counters = &mut self.result.counters;
        counters.cycles = counters.cycles.saturating_add(clocks.cycles());
        counters.busy_cycles = counters.busy_cycles.saturating_add(clocks.busy);
        match instruction.opcode() {
            Opcode::Halt => return Ok(false),
            Opcode::Window | Opcode::Tiles | Opcode::Thresholds | Opcode::Pool | Opcode::Output => {
                self.set_up[instruction.opcode() as usize - Opcode::Window as usize] = Some(*instruction);
            }
            Opcode::Read => {
                self.read(get("wide"), get("high"))?;
            }
            Opcode::Classify => {
                self.result.sums = self.sums(self.set_up(Opcode::Window)?.get("base"))?;
                if self.result.sums.len() > self.target.limits.sums {
                    return Err(FaultKind::Size);
                }
                self.result.verdict = (self.result.sums.len() > 1).then(|| argmax(&self.result.sums));
            }
            Opcode::Copy => {
                if copies_onto_itself(instruction) {
                    return Err(FaultKind::Address);
                }
                for i in 0..get("codes") {
                    let code = self.code(get("image") == 1, get("from") + i)?;
                    self.store(get("to") + i, code)?;
                }
            }
            Opcode::Fill => {
                for i in 0..get("codes") {
                    self.store(get("to") + i, get("value") as u8)?;
                }
            }
            Opcode::Count => {
                let (all, before) = (self.result.counters, self.counted);
                let record = self.result.layers.get_mut(get("layer")).ok_or(FaultKind::Record)?;
                record.add(&all.since(&before));
                self.counted = all;
            }
        }
        Ok(true)
    }

    fn set_up(&self, opcode: Opcode) -> Result<Instruction, FaultKind> {
        self.set_up[opcode as usize - Opcode::Window as usize].ok_or(FaultKind::Missing)
    }

    fn code(&self, of_image: bool, at: usize) -> Result<u8, FaultKind> {
        let memory = if of_image { &self.image } else { &self.result.memory };
        memory.get(at).copied().ok_or(FaultKind::Address)
    }

    fn store(&mut self, at: usize, code: u8) -> Result<(), FaultKind> {
        *self.result.memory.get_mut(at).ok_or(FaultKind::Address)? = code;
        Ok(())
    }

    /// Codes of the window whose first code is at `base`, the bias row's last.
    fn window(&self, base: usize) -> Result<Vec<u8>, FaultKind> {
        let window = self.set_up(Opcode::Window)?;
        let (image, pitch, bias) = (window.get("image") == 1, window.get("pitch"), window.get("bias"));
        let mut codes = Vec::new();
        for segment in 0..window.get("segments") {
            for i in 0..window.get("codes") {
                codes.push(self.code(image, base + segment * pitch + i)?);
            }
            if codes.len() + usize::from(bias != 0) > self.target.limits.row_groups * self.target.limits.tile_rows {
                return Err(FaultKind::Size);
            }
        }
        codes.extend((bias != 0).then_some(bias as u8));
        Ok(codes)
    }

    /// The layer's sums in one window: every output group, every row group, every plane.
    fn sums(&mut self, base: usize) -> Result<Vec<i32>, FaultKind> {
        let (limits, tiles) = (self.target.limits, self.set_up(Opcode::Tiles)?);
        if tiles.get("planes") > limits.code_bits || tiles.get("columns") > limits.weight_bits {
            return Err(FaultKind::Size);
        }
        let codes = self.window(base)?;
        let (columns, outputs, planes) = (tiles.get("columns"), tiles.get("outputs"), tiles.get("planes"));
        let (first, row_groups, output_groups) =
            (tiles.get("first"), tiles.get("row_groups"), tiles.get("output_groups"));
        let tile_outputs = limits.tile_columns / columns;
        // A tile of a row group beyond as many is not there.
        let driven = planes_of(&codes, row_groups.min(limits.tiles), planes, limits.tile_rows);
        let none = vec![vec![0; limits.tile_rows.div_ceil(64)]; limits.tile_columns];
        let mut sums = vec![0i32; output_groups * tile_outputs];
        for (group, row_group) in (0..output_groups).flat_map(|g| (0..row_groups).map(move |r| (g, r))) {
            let at = first + group * row_groups + row_group;
            if at >= limits.tiles {
                return Err(FaultKind::Tile);
            }
            let devices = self.devices.get(at).unwrap_or(&none);
            let of_group = &mut sums[group * tile_outputs..][..tile_outputs];
            for (i, (plane, active)) in driven[row_group * planes..][..planes].iter().enumerate() {
                self.result.counters.array_reads += 1;
                self.result.counters.row_pulses += u64::from(*active);
                self.result.counters.conversions += devices.len() as u64;
                for (sum, of_output) in of_group.iter_mut().zip(devices.chunks_exact(columns)) {
                    let mut values = [0; MOST_COLUMNS];
                    for (value, column) in values.iter_mut().zip(of_output) {
                        let count = plane.iter().zip(column).map(|(plane, lrs)| (plane & lrs).count_ones()).sum();
                        let current = current(&self.target.conductance, count, *active);
                        let reading = quantize(&self.target.quantizer, current);
                        self.result.counters.saturations += u64::from(reading.saturated);
                        *value = reading.code;
                    }
                    *sum = sum.wrapping_add(plane_sum(&values[..columns], *active) << i);
                }
            }
        }
        if outputs > sums.len() {
            return Err(FaultKind::Size);
        }
        sums.truncate(outputs);
        // Rows of a window beyond the row groups are not read.
        self.result.counters.macs += (codes.len().min(row_groups * limits.tile_rows) * outputs) as u64;
        Ok(sums)
    }

    fn read(&mut self, wide: usize, high: usize) -> Result<(), FaultKind> {
        let (window, pool) = (self.set_up(Opcode::Window)?, self.set_up(Opcode::Pool)?);
        let (thresholds, output) = (self.set_up(Opcode::Thresholds)?, self.set_up(Opcode::Output)?);
        // What is missing is a fault before anything else is.
        self.set_up(Opcode::Tiles)?;
        let (first, bits) = (thresholds.get("first"), thresholds.get("bits"));
        if !first.is_multiple_of(self.target.limits.output_lanes) {
            return Err(FaultKind::Threshold);
        }
        for (y, x) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))) {
            let square = window.get("base") + y * pool.get("step_y") + x * pool.get("step_x");
            let mut largest: Vec<u8> = Vec::new();
            for (dy, dx) in (0..pool.get("size")).flat_map(|dy| (0..pool.get("size")).map(move |dx| (dy, dx))) {
                let sums = self.sums(square + dy * window.get("step_y") + dx * window.get("step_x"))?;
                largest.resize(sums.len(), 0);
                for ((o, y), code) in sums.into_iter().enumerate().zip(&mut largest) {
                    let entry = first + o;
                    if entry >= self.target.limits.thresholds {
                        return Err(FaultKind::Threshold);
                    }
                    // An entry that was not loaded is all zeros, as the memory is.
                    let loaded = self.program.thresholds.get(entry);
                    let threshold = |level: usize| loaded.and_then(|e| e.get(level)).copied().unwrap_or(0);
                    *code = bisect(bits, y, threshold).max(*code);
                }
            }
            let place = output.get("base") + y * output.get("step_y") + x * output.get("step_x");
            for (o, code) in largest.into_iter().enumerate() {
                self.store(place + o, code)?;
            }
        }
        Ok(())
    }
}

/// The code of a sum as the gateware finds it, a bit a stage, the highest first: the number of thresholds that y exceeds, if
/// they never fall.
pub fn bisect(bits: usize, y: i32, threshold: impl Fn(usize) -> i32) -> u8 {
    (0..bits).rev().fold(0, |code, bit| {
        let middle = code | 1 << bit;
        if y > threshold(middle - 1) { middle } else { code }
    }) as u8
}

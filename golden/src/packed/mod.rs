//! The fast path: the plain model's outputs and counters, exactly, from packed devices.
//!
//! Three kernels compute the same thing. The *lane* kernel puts samples side by side and counts and quantizes
//! every column of every plane; the *word* kernel does the same for one image at a time with AND and population
//! count; the *product* kernel serves lossless machines, whose sums are an integer matrix product and whose
//! counters follow from the codes. A network of several layers ([`PackedNetwork`]) is products from layer to layer.

mod aligned;
#[cfg(target_arch = "x86_64")]
mod amx;
mod count;
mod finish;
mod kernel;
mod lanes;
mod level;
mod network;
mod pack;
#[cfg(target_arch = "x86_64")]
mod pack_avx2;
mod product;
#[cfg(target_arch = "x86_64")]
mod product_x86;
mod quantizer;
#[cfg(target_arch = "x86_64")]
mod rank_avx2;
mod words;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

use ndarray::Array2;

pub use self::level::Level;
pub use self::network::{NetworkRun, PackedNetwork};

use self::kernel::{LanePlan, rank, sample_of_lane};
use self::lanes::{Lanes, Portable};
use self::product::Product;
use self::words::WordPlan;
use crate::argmax::argmax;
use crate::array::{DeviceArray, check_machine};
use crate::counters::Counters;
use crate::error::GoldenError;
use crate::machine::Machine;
use crate::run::{RunResult, check_codes, check_images, size_counters};

/// Below this share of a kernel call's lanes, images go through the word kernel one by one.
const LANES_WORTH: usize = 6;

/// A device array packed once for many runs.
#[derive(Debug, Clone)]
pub struct PackedArray {
    machine: Machine,
    rows: usize,
    level: Level,
    threads: usize,
    words: WordPlan,
    lanes: Option<LanePlan>,
    product: Option<Product>,
}

/// One thread's part of a run.
struct Part<'a> {
    images: &'a [u8],
    labels: &'a [Option<u8>],
    outputs: &'a mut [i32],
    classes: &'a mut [u16],
    margins: &'a mut [u32],
}

/// Counters that depend on the data.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    combined_codes: u8,
    row_pulses: u64,
    saturations: u64,
    correct: u64,
}

impl PackedArray {
    /// Pack an array for the widest vectors of this processor.
    ///
    /// # Errors
    /// [`GoldenError`] when the array is not the machine's.
    pub fn new(machine: &Machine, array: &DeviceArray) -> Result<Self, GoldenError> {
        Self::with_level(machine, array, Level::widest())
    }

    /// Pack an array for the given vectors; a level that this processor lacks is lowered to one that it has.
    ///
    /// # Errors
    /// [`GoldenError`] when the array is not the machine's.
    pub fn with_level(machine: &Machine, array: &DeviceArray, level: Level) -> Result<Self, GoldenError> {
        check_machine(machine)?;
        array.check(machine)?;
        let level = level.lowered();
        Ok(Self {
            rows: array.rows(),
            words: WordPlan::new(machine, array),
            lanes: LanePlan::new(machine, array, level.bytes(), level == Level::Avx2),
            product: Product::new(machine, array)?,
            machine: machine.clone(),
            level,
            threads: 1,
        })
    }

    /// Use up to `threads` threads, where a batch is large enough to gain by them.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Run images, as [`crate::run::run`].
    ///
    /// # Errors
    /// [`GoldenError`] for a shape or a code that the machine cannot take.
    pub fn run(&self, images: &Array2<u8>, labels: &[Option<u8>]) -> Result<RunResult, GoldenError> {
        let mut result = RunResult {
            outputs: Array2::zeros((0, self.machine.outputs)),
            classes: Vec::new(),
            margins: Vec::new(),
            counters: Counters::default(),
        };
        self.run_into(images, labels, &mut result)?;
        Ok(result)
    }

    /// Run images into a result whose memory is used again where it fits.
    ///
    /// # Errors
    /// [`GoldenError`] for a shape or a code that the machine cannot take; the result is then undefined.
    pub fn run_into(
        &self,
        images: &Array2<u8>,
        labels: &[Option<u8>],
        result: &mut RunResult,
    ) -> Result<(), GoldenError> {
        let (machine, count) = (&self.machine, images.nrows());
        let inputs = self.rows - machine.bias_rows;
        check_images(&machine.name, inputs, images, labels)?;
        if result.outputs.dim() != (count, machine.outputs) || !result.outputs.is_standard_layout() {
            result.outputs = Array2::zeros((count, machine.outputs));
        }
        result.classes.resize(count, 0);
        result.margins.resize(count, 0);
        let codes = images.as_standard_layout();
        let codes = codes.as_slice().expect("standard layout");

        let threads = self.threads.min(count.div_ceil(self.images_worth_a_thread())).max(1);
        let share = count.div_ceil(threads).max(1).next_multiple_of(64);
        let mut parts = Vec::with_capacity(threads);
        let mut outputs = result.outputs.as_slice_mut().expect("standard layout");
        let (mut classes, mut margins) = (&mut result.classes[..], &mut result.margins[..]);
        for first in (0..count).step_by(share) {
            let images = first..(first + share).min(count);
            let part;
            (part, outputs) = outputs.split_at_mut(images.len() * machine.outputs);
            let (class, margin);
            (class, classes) = classes.split_at_mut(images.len());
            (margin, margins) = margins.split_at_mut(images.len());
            parts.push(Part {
                images: &codes[images.start * inputs..images.end * inputs],
                labels: &labels[images],
                outputs: part,
                classes: class,
                margins: margin,
            });
        }
        let tallies: Vec<Tally> = if parts.len() > 1 {
            std::thread::scope(|scope| {
                let last = parts.pop();
                let running: Vec<_> = parts.into_iter().map(|part| scope.spawn(|| self.part(part))).collect();
                let last = last.map(|part| self.part(part));
                running.into_iter().map(|thread| thread.join().expect("a kernel does not panic")).chain(last).collect()
            })
        } else {
            parts.into_iter().map(|part| self.part(part)).collect()
        };

        let mut counters = size_counters(machine, self.rows, count);
        let bias_pulses = machine.bias_rows as u64 * u64::from(machine.bias_code.count_ones());
        counters.row_pulses = count as u64 * bias_pulses;
        for tally in tallies {
            if u32::from(tally.combined_codes) >> machine.input_bits != 0 {
                check_codes(codes, inputs, machine.input_bits)?;
            }
            counters.row_pulses += tally.row_pulses;
            counters.saturations += tally.saturations;
            counters.correct += tally.correct;
        }
        result.counters = counters;
        Ok(())
    }

    /// The sums of a lossless machine alone, `[image][output]`, without classes, margins and counters: the integer
    /// product W x, on one thread. Codes are not looked at: what an image with one of more than `input_bits` bits sums
    /// to means nothing ([`PackedArray::run`] refuses it).
    ///
    /// Returns whether there was anything to do: `false` for a machine that is not lossless, whose sums are no
    /// product, and then `sums` is as it was.
    ///
    /// # Errors
    /// [`GoldenError::Shape`] for images of another size.
    pub fn multiply(&self, images: &Array2<u8>, sums: &mut Array2<i32>) -> Result<bool, GoldenError> {
        let Some(product) = &self.product else { return Ok(false) };
        check_images(&self.machine.name, product.inputs, images, &vec![None; images.nrows()])?;
        if sums.dim() != (images.nrows(), product.outputs) || !sums.is_standard_layout() {
            *sums = Array2::zeros((images.nrows(), product.outputs));
        }
        let codes = images.as_standard_layout();
        let codes = codes.as_slice().expect("standard layout");
        let sums = sums.as_slice_mut().expect("standard layout");
        let together = product.images_together();
        let mut padded = product.padded(together.min(images.nrows()));
        let chunks = codes.chunks(together * product.inputs).zip(sums.chunks_mut(together * product.outputs));
        for (codes, sums) in chunks {
            product.multiply(self.level, codes, sums, &mut padded);
        }
        Ok(true)
    }

    /// Images that keep a thread busy for several times what starting it costs.
    fn images_worth_a_thread(&self) -> usize {
        // Some 100 microseconds at 20 multiply-accumulates a nanosecond.
        (2_000_000 / (self.rows * self.machine.outputs)).max(1)
    }

    fn part(&self, part: Part<'_>) -> Tally {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `with_level` keeps to what the processor has.
            Level::Avx512 | Level::Amx => unsafe { self.part_avx512(part) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx2 => unsafe { self.part_avx2(part) },
            // SAFETY: portable lanes need no feature.
            _ => unsafe { self.part_with::<Portable>(part) },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
    fn part_avx2(&self, part: Part<'_>) -> Tally {
        // SAFETY: this function has the features.
        unsafe { self.part_with::<x86::Avx2>(part) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vbmi,avx512vpopcntdq,avx2,popcnt,bmi1,bmi2")]
    fn part_avx512(&self, part: Part<'_>) -> Tally {
        // SAFETY: this function has the features.
        unsafe { self.part_with::<x86::Avx512>(part) }
    }

    /// # Safety
    /// `L`'s processor features; `L` is this array's level.
    #[inline(always)]
    unsafe fn part_with<L: Lanes>(&self, mut part: Part<'_>) -> Tally {
        let mut tally = Tally::default();
        let count = part.labels.len();
        let mut done = 0;
        if let Some(product) = &self.product {
            // Whatever the codes, this computes something; a code too wide is found out at the end.
            // SAFETY: passed on to the caller.
            unsafe { self.product_images::<L>(product, &mut part, &mut tally) };
            done = count;
        } else {
            tally.combined_codes = pack::combined(part.images);
            // SAFETY: passed on to the caller.
            tally.row_pulses = unsafe { pulses::<L>(part.images, tally.combined_codes) };
            if u32::from(tally.combined_codes) >> self.machine.input_bits != 0 {
                return tally;
            }
        }
        if let Some(lanes) = &self.lanes
            && count - done >= lanes.samples() / LANES_WORTH
        {
            let mut scratch = lanes.scratch(self.rows);
            let bias = (self.rows - self.machine.bias_rows) * lanes.samples();
            scratch.codes[bias..].fill(self.machine.bias_code as u8);
            while count - done >= lanes.samples() / LANES_WORTH {
                let images = done..(done + lanes.samples()).min(count);
                // SAFETY: passed on to the caller.
                tally.saturations += unsafe { self.lane_images::<L>(lanes, images.clone(), &mut part, &mut scratch) };
                done = images.end;
            }
        }
        let outputs = self.machine.outputs;
        let mut scratch = self.words.scratch();
        for image in done..count {
            let inputs = self.rows - self.machine.bias_rows;
            let sums = &mut part.outputs[image * outputs..][..outputs];
            tally.saturations += self.words.image(&part.images[image * inputs..][..inputs], &mut scratch, sums);
            let verdict = argmax(sums);
            (part.classes[image], part.margins[image]) = (verdict.class, verdict.margin);
        }
        let right = |(class, label): &(&u16, &Option<u8>)| label.map(u16::from) == Some(**class);
        tally.correct = part.classes.iter().zip(part.labels).filter(right).count() as u64;
        tally
    }

    /// Sums and classes of a lossless machine.
    ///
    /// # Safety
    /// As for `part_with`.
    #[inline(always)]
    unsafe fn product_images<L: Lanes>(&self, product: &Product, part: &mut Part<'_>, tally: &mut Tally) {
        let (outputs, together) = (self.machine.outputs, product.images_together());
        let mut padded = product.padded(together.min(part.labels.len()));
        let chunks = part.images.chunks(together * product.inputs).zip(part.outputs.chunks_mut(together * outputs));
        let verdicts = part.classes.chunks_mut(together).zip(part.margins.chunks_mut(together));
        for ((codes, sums), (classes, margins)) in chunks.zip(verdicts) {
            product.multiply(self.level, codes, sums, &mut padded);
            let combined = pack::combined(codes);
            tally.combined_codes |= combined;
            // SAFETY: passed on to the caller.
            tally.row_pulses += unsafe { pulses::<L>(codes, combined) };
            #[cfg(target_arch = "x86_64")]
            if self.level >= Level::Avx2 && product.keys_fit {
                // SAFETY: the level is one that the processor has, and the sums are narrow enough.
                unsafe {
                    match self.level {
                        Level::Avx2 => rank_avx2::rank_rows(sums, outputs, classes, margins),
                        _ => product_x86::rank_rows(sums, outputs, classes, margins),
                    }
                };
                continue;
            }
            for ((sums, class), margin) in sums.chunks_exact(outputs).zip(classes).zip(margins) {
                let verdict = argmax(sums);
                (*class, *margin) = (verdict.class, verdict.margin);
            }
        }
    }

    /// Images that fill the lanes, or less at the end of a batch, whose empty lanes hold zeros.
    ///
    /// # Safety
    /// As for `part_with`.
    #[inline(always)]
    unsafe fn lane_images<L: Lanes>(
        &self,
        lanes: &LanePlan,
        images: Range<usize>,
        part: &mut Part<'_>,
        scratch: &mut kernel::Scratch,
    ) -> u64 {
        let (samples, outputs) = (lanes.samples(), self.machine.outputs);
        let inputs = self.rows - self.machine.bias_rows;
        if images.len() < samples {
            // An empty lane drives no row, so that it neither saturates nor counts.
            scratch.codes[..inputs * samples].fill(0);
            for row in scratch.codes[inputs * samples..].chunks_exact_mut(samples) {
                row[images.len()..].fill(0);
            }
        }
        // SAFETY: passed on to the caller.
        unsafe { transpose::<L>(part.images, inputs, images.clone(), samples, &mut scratch.codes) };
        let mut saturations = 0;
        let rows = &mut part.outputs[images.start * outputs..images.end * outputs];
        for tile in 0..self.machine.tiles {
            // SAFETY: passed on to the caller.
            saturations += unsafe { lanes.tile::<L>(tile, scratch) };
            #[cfg(target_arch = "x86_64")]
            if L::SHUFFLES && tile == 0 && outputs >= 8 && images.len() == samples {
                for lane in (0..samples).step_by(16) {
                    let [first, second] = [lane, lane + 8].map(|lane| sample_of_lane(lane, L::BYTES) * outputs);
                    let (low, high) = rows.split_at_mut(second);
                    let to = [&mut low[first..], high];
                    // SAFETY: registers that shuffle are those of AVX2, whose feature the caller vouches for.
                    unsafe { pack_avx2::spread(&scratch.sums, samples, lane, outputs, to) };
                }
                continue;
            }
            for lane in (0..samples).step_by(8) {
                let first = sample_of_lane(lane, L::BYTES).min(images.len());
                let to = &mut rows[first * outputs..(first + 8).min(images.len()) * outputs];
                if tile == 0 {
                    pack::spread::<false>(&scratch.sums, samples, lane, outputs, to);
                } else {
                    pack::spread::<true>(&scratch.sums, samples, lane, outputs, to);
                }
            }
        }
        if self.machine.tiles == 1 {
            // SAFETY: passed on to the caller.
            unsafe { rank::<L>(scratch) };
            for lane in (0..samples).step_by(8) {
                let first = sample_of_lane(lane, L::BYTES).min(images.len());
                let last = (first + 8).min(images.len());
                let places = images.start + first..images.start + last;
                part.classes[places.clone()].copy_from_slice(&scratch.classes[lane..][..places.len()]);
                for (margin, lane) in part.margins[places].iter_mut().zip(&scratch.margins[lane..]) {
                    *margin = u32::from(*lane);
                }
            }
        } else {
            for (sample, sums) in rows.chunks_exact(outputs).enumerate() {
                let verdict = argmax(sums);
                part.classes[images.start + sample] = verdict.class;
                part.margins[images.start + sample] = verdict.margin;
            }
        }
        saturations
    }
}

/// [`pack::pulses`]; `combined` is what the codes come to or-ed together.
///
/// # Safety
/// `L`'s processor features.
#[inline(always)]
unsafe fn pulses<L: Lanes>(codes: &[u8], combined: u8) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if L::SHUFFLES && combined < 16 {
        // SAFETY: registers that shuffle are those of AVX2.
        return unsafe { pack_avx2::pulses(codes) };
    }
    let _ = combined;
    pack::pulses(codes)
}

/// [`pack::transpose`].
///
/// # Safety
/// `L`'s processor features.
#[inline(always)]
unsafe fn transpose<L: Lanes>(codes: &[u8], inputs: usize, images: Range<usize>, lanes: usize, to: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if L::SHUFFLES && inputs >= 16 && images.len().is_multiple_of(32) {
        // SAFETY: registers that shuffle are those of AVX2.
        return unsafe { pack_avx2::transpose(codes, inputs, images, lanes, to) };
    }
    pack::transpose(codes, inputs, images, lanes, to);
}

/// Run images through the array, as [`crate::run::run`] and equal to it, packing the array for this one run.
///
/// # Errors
/// [`GoldenError`] for a shape or a code that the machine cannot take.
pub fn run(
    machine: &Machine,
    array: &DeviceArray,
    images: &Array2<u8>,
    labels: &[Option<u8>],
) -> Result<RunResult, GoldenError> {
    PackedArray::new(machine, array)?.run(images, labels)
}

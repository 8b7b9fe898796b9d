//! Networks of several layers on the fast path: every layer an integer product, thresholds, pooling, then argmax; equal to
//! [`Network::evaluate`], which stays the plain version.

use ndarray::Array2;

use super::Level;
use super::aligned::Aligned;
use super::pack;
use super::product::{BLOCK, Product};
use crate::argmax::argmax;
use crate::error::GoldenError;
use crate::network::{Activation, Convolution, Geometry, Layer, MapShape, Network, NetworkError, Pool};
use crate::run::{check_codes, check_images};

/// Images that go through the layers together, so that their maps stay in the cache.
const IMAGES: usize = 32;

/// What a network made of a batch of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRun {
    /// `[image][output]`: y of the last layer; of a convolution its windows one after the other, output fastest.
    pub sums: Array2<i32>,
    /// One an image; ties to the lowest index.
    pub classes: Vec<u16>,
    /// One an image: largest sum less the next.
    pub margins: Vec<u32>,
    /// One a layer, of all images: bits that are set in the codes of its windows, once for every time that the pool's squares
    /// read a window; rows of biases are not among them. A lossless machine drives as many rows for each tile side by side.
    pub input_pulses: Vec<u64>,
    /// Images whose class is their label.
    pub correct: u64,
}

/// A network's layers, laid out once for many runs.
#[derive(Debug, Clone)]
pub struct PackedNetwork {
    name: String,
    input_codes: usize,
    input_bits: usize,
    outputs: usize,
    layers: Vec<PackedLayer>,
    level: Level,
    threads: usize,
}

#[derive(Debug, Clone)]
struct PackedLayer {
    product: Product,
    /// The windows of a convolution.
    convolution: Option<Convolution>,
    windows: MapShape,
    /// How often each window is read, row by row.
    reads: Vec<u64>,
    /// `[output / 16][level][output % 16]`; none in the last layer.
    thresholds: Option<Vec<[i32; BLOCK]>>,
    pool: Option<Pool>,
    input_codes: usize,
    output_codes: usize,
}

/// One thread's part of a run.
struct Part<'a> {
    images: &'a [u8],
    sums: &'a mut [i32],
    classes: &'a mut [u16],
    margins: &'a mut [u32],
}

impl PackedNetwork {
    /// Lay a network out for the widest vectors of this processor.
    ///
    /// # Errors
    /// [`NetworkError`] for one that does not pass [`Network::check`].
    pub fn new(network: &Network) -> Result<Self, NetworkError> {
        Self::with_level(network, Level::widest())
    }

    /// Lay a network out for the given vectors; a level that this processor lacks is lowered to one that it has.
    ///
    /// # Errors
    /// [`NetworkError`] for one that does not pass [`Network::check`].
    pub fn with_level(network: &Network, level: Level) -> Result<Self, NetworkError> {
        network.check()?;
        let (first, last) = (&network.layers[0], network.layers.last().expect("checked above"));
        Ok(Self {
            name: network.name.clone(),
            input_codes: first.input_codes(),
            input_bits: first.input_bits,
            outputs: last.windows().codes(),
            layers: network.layers.iter().map(PackedLayer::new).collect(),
            level: level.lowered(),
            threads: 1,
        })
    }

    /// Use up to `threads` threads.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Run images, `[image][code]`, each as [`Network::evaluate`] does. No randomness.
    ///
    /// # Errors
    /// [`GoldenError`] for a number of codes or of labels, or a code, that the network does not take.
    pub fn run(&self, images: &Array2<u8>, labels: &[Option<u8>]) -> Result<NetworkRun, GoldenError> {
        let count = images.nrows();
        check_images(&format!("of network {}", self.name), self.input_codes, images, labels)?;
        let codes = images.as_standard_layout();
        let codes = codes.as_slice().expect("standard layout");
        if u32::from(pack::combined(codes)) >> self.input_bits != 0 {
            check_codes(codes, self.input_codes, self.input_bits)?;
        }

        let mut sums = Array2::zeros((count, self.outputs));
        let (mut classes, mut margins) = (vec![0; count], vec![0; count]);
        let share = count.div_ceil(self.threads).max(1).next_multiple_of(IMAGES);
        let parts: Vec<Part<'_>> = codes
            .chunks(share * self.input_codes)
            .zip(sums.as_slice_mut().expect("standard layout").chunks_mut(share * self.outputs))
            .zip(classes.chunks_mut(share).zip(margins.chunks_mut(share)))
            .map(|((images, sums), (classes, margins))| Part { images, sums, classes, margins })
            .collect();
        let pulses: Vec<Vec<u64>> = std::thread::scope(|scope| {
            let mut parts = parts.into_iter();
            let here = parts.next();
            let running: Vec<_> = parts.map(|part| scope.spawn(|| self.part(part))).collect();
            let here = here.map(|part| self.part(part));
            running.into_iter().map(|thread| thread.join().expect("a kernel does not panic")).chain(here).collect()
        });
        let of_layer = |layer| pulses.iter().map(|part| part[layer]).sum();
        let right = |(class, label): &(&u16, &Option<u8>)| label.map(u16::from) == Some(**class);
        Ok(NetworkRun {
            input_pulses: (0..self.layers.len()).map(of_layer).collect(),
            correct: classes.iter().zip(labels).filter(right).count() as u64,
            sums,
            classes,
            margins,
        })
    }

    /// Images of one thread; the set bits of each layer's codes.
    fn part(&self, part: Part<'_>) -> Vec<u64> {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `with_level` keeps to what the processor has.
            Level::Avx2 | Level::Avx512 | Level::Amx => unsafe { self.part_avx2(part) },
            _ => self.part_plain(part),
        }
    }

    /// [`PackedNetwork::part_plain`], thresholds and population counts in 256-bit vectors.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
    fn part_avx2(&self, part: Part<'_>) -> Vec<u64> {
        self.part_plain(part)
    }

    #[inline(always)]
    fn part_plain(&self, part: Part<'_>) -> Vec<u64> {
        let mut pulses = vec![0; self.layers.len()];
        let mut scratch: Vec<Scratch> = self.layers.iter().map(PackedLayer::scratch).collect();
        let images = part.images.chunks(IMAGES * self.input_codes).zip(part.sums.chunks_mut(IMAGES * self.outputs));
        for (images, last_sums) in images {
            let count = images.len() / self.input_codes;
            for (at, layer) in self.layers.iter().enumerate() {
                let (before, here) = scratch.split_at_mut(at);
                let maps = before.last().map_or(images, |before| &before.pooled[..count * layer.input_codes]);
                pulses[at] += layer.sums(self.level, maps, &mut here[0]);
                layer.codes(count, &mut here[0]);
            }
            let sums = &scratch.last().expect("a network has layers").sums;
            last_sums.copy_from_slice(&sums[..last_sums.len()]);
        }
        for ((sums, class), margin) in part.sums.chunks_exact(self.outputs).zip(part.classes).zip(part.margins) {
            let verdict = argmax(sums);
            (*class, *margin) = (verdict.class, verdict.margin);
        }
        pulses
    }
}

/// What a layer makes of [`IMAGES`] images, on its way.
struct Scratch {
    /// `[window][input]`, padded with zeros to the product's depth.
    gathered: Aligned<u8>,
    /// `[image][window][output]`.
    sums: Vec<i32>,
    /// The same, after thresholds.
    codes: Vec<u8>,
    /// `[image][code]` of the next layer's map.
    pooled: Vec<u8>,
}

impl PackedLayer {
    fn new(layer: &Layer) -> Self {
        let biases: Vec<i32> = layer.biases.iter().map(|bias| i32::from(*bias) * layer.bias_code as i32).collect();
        let blocks = |activation: &Activation| {
            let (outputs, levels) = activation.thresholds.dim();
            let blocks = (0..outputs).step_by(BLOCK).flat_map(|first| (0..levels).map(move |level| (first, level)));
            // Beyond the last output there is nothing that anyone reads.
            let entry = |output, level| activation.thresholds.get((output, level)).copied().unwrap_or(i32::MAX);
            blocks.map(|(first, level)| std::array::from_fn(|o| entry(first + o, level))).collect()
        };
        let (windows, pool) = (layer.windows(), layer.pool.unwrap_or(Pool::NONE));
        let mut reads = vec![0; windows.height * windows.width];
        let map = layer.output_map();
        for (y, x) in (0..map.height).flat_map(|y| (0..map.width).map(move |x| (y, x))) {
            for (dy, dx) in pool.places() {
                reads[(y * pool.stride + dy) * windows.width + x * pool.stride + dx] += 1;
            }
        }
        Self {
            product: Product::of_weights(layer.weights.view(), &biases, layer.input_bits, layer.weight_bits),
            convolution: match layer.geometry {
                Geometry::Dense => None,
                Geometry::Convolution(convolution) => Some(convolution),
            },
            windows,
            reads,
            thresholds: layer.activation.as_ref().map(blocks),
            pool: layer.pool,
            input_codes: layer.input_codes(),
            output_codes: map.codes(),
        }
    }

    /// Windows whose codes and sums stay in the first-level cache.
    fn windows_together(&self) -> usize {
        self.product.images_together()
    }

    fn scratch(&self) -> Scratch {
        let sums = IMAGES * self.windows.codes();
        Scratch {
            gathered: Aligned::zeros(self.windows_together() * self.product.depth),
            sums: vec![0; sums],
            codes: vec![0; if self.thresholds.is_some() { sums } else { 0 }],
            pooled: vec![0; if self.thresholds.is_some() { IMAGES * self.output_codes } else { 0 }],
        }
    }

    /// Fill `scratch.sums` from the maps of some images; give the set bits of their windows, as often as these are read.
    #[inline(always)]
    fn sums(&self, level: Level, maps: &[u8], scratch: &mut Scratch) -> u64 {
        let (depth, outputs, a_map) = (self.product.depth, self.product.outputs, self.reads.len());
        let (windows, mut pulses) = (maps.len() / self.input_codes * a_map, 0);
        for first in (0..windows).step_by(self.windows_together()) {
            let some = first..(first + self.windows_together()).min(windows);
            let gathered = &mut scratch.gathered[..some.len() * depth];
            for (window, to) in some.clone().zip(gathered.chunks_exact_mut(depth)) {
                let map = &maps[window / a_map * self.input_codes..][..self.input_codes];
                match &self.convolution {
                    None => to[..map.len()].copy_from_slice(map),
                    Some(convolution) => {
                        let at = window % a_map;
                        gather(convolution, map, at / self.windows.width, at % self.windows.width, to);
                    }
                }
                let words = to.as_chunks::<8>().0.iter();
                let bits: u32 = words.map(|word| u64::from_ne_bytes(*word).count_ones()).sum();
                pulses += u64::from(bits) * self.reads[window % a_map];
            }
            let sums = &mut scratch.sums[some.start * outputs..some.end * outputs];
            self.product.multiply_padded(level, gathered, sums);
        }
        pulses
    }

    /// Thresholds and pooling of `images` images, from `scratch.sums` to `scratch.pooled`.
    #[inline(always)]
    fn codes(&self, images: usize, scratch: &mut Scratch) {
        let Some(thresholds) = &self.thresholds else { return };
        let outputs = self.product.outputs;
        let levels = thresholds.len() / outputs.div_ceil(BLOCK);
        let rows = images * self.reads.len();
        let codes = if self.pool.is_some() { &mut scratch.codes } else { &mut scratch.pooled };
        let codes = &mut codes[..rows * outputs];
        for (sums, codes) in scratch.sums.chunks_exact(outputs).zip(codes.chunks_exact_mut(outputs)) {
            let blocks = sums.chunks(BLOCK).zip(codes.chunks_mut(BLOCK)).zip(thresholds.chunks_exact(levels));
            for ((sums, codes), thresholds) in blocks {
                let mut block = [0; BLOCK];
                block[..sums.len()].copy_from_slice(sums);
                let mut exceeded = [0i32; BLOCK];
                for level in thresholds {
                    for ((count, y), threshold) in exceeded.iter_mut().zip(&block).zip(level) {
                        *count += i32::from(y > threshold);
                    }
                }
                codes.iter_mut().zip(exceeded).for_each(|(code, count)| *code = count as u8);
            }
        }
        let Some(pool) = self.pool else { return };
        let (from, shape) = (scratch.codes.chunks_exact(self.windows.codes()), self.windows);
        for (map, pooled) in from.zip(scratch.pooled.chunks_exact_mut(self.output_codes)).take(images) {
            let wide = pool.squares(shape.width);
            for (square, to) in pooled.chunks_exact_mut(shape.channels).enumerate() {
                let (y, x) = (square / wide * pool.stride, square % wide * pool.stride);
                to.fill(0);
                for (dy, dx) in pool.places() {
                    let codes = &map[shape.at(y + dy, x + dx, 0)..][..shape.channels];
                    to.iter_mut().zip(codes).for_each(|(largest, code)| *largest = (*largest).max(*code));
                }
            }
        }
    }
}

/// Copy what a window sees, kernel row by kernel row, padding as zeros; what lies behind a window's inputs stays.
#[inline(always)]
fn gather(convolution: &Convolution, map: &[u8], y: usize, x: usize, to: &mut [u8]) {
    let MapShape { height, width, channels } = convolution.input;
    let row_codes = convolution.kernel_width * channels;
    // Pixels of the padded map, those before `padding` and from `padding + width` on zeros.
    let (left, right) = (x * convolution.stride, x * convolution.stride + convolution.kernel_width);
    let inside = left.max(convolution.padding)..right.min(convolution.padding + width);
    for (row, to) in to[..convolution.window_inputs()].chunks_exact_mut(row_codes).enumerate() {
        let top = y * convolution.stride + row;
        if top < convolution.padding || top >= convolution.padding + height || inside.is_empty() {
            to.fill(0);
            continue;
        }
        let from = convolution.input.at(top - convolution.padding, inside.start - convolution.padding, 0);
        let (before, codes) = ((inside.start - left) * channels, inside.len() * channels);
        to[..before].fill(0);
        to[before..before + codes].copy_from_slice(&map[from..from + codes]);
        to[before + codes..].fill(0);
    }
}

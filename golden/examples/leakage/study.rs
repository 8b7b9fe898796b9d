//! What HRS leakage costs: the numbers behind docs/book/leakage.md.

use bitline_golden::array::DeviceArray;
use bitline_golden::column::current;
use bitline_golden::dataset::Digits;
use bitline_golden::machine::{Conductance, Machine, QuantizerConfig, bits_to_hold};
use bitline_golden::network::Network;
use bitline_golden::packed::PackedArray;
use bitline_golden::quantizer::quantize;
use bitline_golden::random::stream;
use ndarray::{Array2, ArrayView2};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// LRS-to-HRS conductance ratios of the sweeps.
pub const RATIOS: [u32; 18] = [2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 130, 150, 200, 300, 500, 700, 1000];
/// Rows of the random networks.
pub const ROWS: [usize; 7] = [16, 32, 64, 128, 256, 512, 1024];
/// Random networks of each size.
pub const SEEDS: u64 = 3;
/// Images for each random network.
const IMAGES: usize = 400;
/// Right shift of every quantizer here: fine enough for a ratio of 1000.
const SHIFT: u32 = 24;

/// How the quantizer was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// With the reference column, lossless.
    Reference,
    /// Without it; a device in LRS more is one code more: m / 2^s = 1 / (g - 1), as with the reference column.
    Slope,
    /// Without it; all rows in LRS give the code R: m / 2^s = 1 / g, a converter calibrated on its full scale.
    FullScale,
    /// Without it; the multiplier whose codes are closest to the counts, in the mean square.
    Closest,
}

/// The settings that a sweep compares.
pub const SETTINGS: [Setting; 4] = [Setting::Reference, Setting::Slope, Setting::FullScale, Setting::Closest];

/// One point of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// `digits`, or `random`.
    pub study: String,
    /// Rows, bias rows included.
    pub rows: usize,
    /// g.
    pub ratio: u32,
    /// How the quantizer was set.
    pub setting: Setting,
    /// m; s is 24 throughout.
    pub multiplier: u32,
    /// Ba.
    pub bits: u32,
    /// Seed of the random network.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seed: Option<u64>,
    /// Images that were run.
    pub images: usize,
    /// Share of codes that are not the count they stand for.
    pub wrong_codes: f64,
    /// Share of sums that are not the exact ones.
    pub wrong_sums: f64,
    /// Share of sums whose comparison with a threshold comes out differently; the threshold is the output's median
    /// exact sum. What the next layer would see.
    pub changed_bits: f64,
    /// Images whose class is not that of the exact sums.
    pub changed_classes: usize,
    /// Of the digits: correct of 1500 training images.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_correct: Option<u64>,
    /// Of the digits: correct of 297 test images.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test_correct: Option<u64>,
}

/// How often each pair of a driven rows and a count n occurs, over images, planes and columns.
struct Histogram {
    rows: usize,
    /// `[a][n]`.
    times: Vec<u64>,
}

impl Histogram {
    fn new(machine: &Machine, array: &DeviceArray, images: ArrayView2<'_, u8>) -> Self {
        let rows = machine.rows;
        let words = rows.div_ceil(64);
        let pack = |bit: &dyn Fn(usize) -> bool| -> Vec<u64> {
            (0..words)
                .map(|w| (w * 64..rows.min(w * 64 + 64)).map(|row| u64::from(bit(row)) << (row % 64)).sum())
                .collect()
        };
        let columns: Vec<_> = (0..array.columns()).map(|column| pack(&|row| array.get(row, column))).collect();
        let mut times = vec![0; (rows + 1) * (rows + 1)];
        for image in images.rows() {
            let code = |row: usize| image.get(row).map_or(machine.bias_code, |code| u32::from(*code));
            for i in 0..machine.input_bits {
                let plane = pack(&|row| (code(row) >> i) & 1 == 1);
                let active: u32 = plane.iter().map(|word| word.count_ones()).sum();
                for devices in &columns {
                    let n: u32 = plane.iter().zip(devices).map(|(p, d)| (p & d).count_ones()).sum();
                    times[active as usize * (rows + 1) + n as usize] += 1;
                }
            }
        }
        Self { rows, times }
    }

    /// Every pair that occurs, and how often.
    fn pairs(&self) -> impl Iterator<Item = (u32, u32, u64)> {
        let stride = self.rows + 1;
        let of = move |(k, times): (usize, &u64)| ((k / stride) as u32, (k % stride) as u32, *times);
        self.times.iter().enumerate().filter(|(_, times)| **times > 0).map(of)
    }

    /// Mean square of code minus count.
    fn squared_error(&self, conductance: &Conductance, quantizer: &QuantizerConfig) -> f64 {
        let (mut sum, mut all) = (0.0, 0.0);
        for (active, n, times) in self.pairs() {
            let code = quantize(quantizer, current(conductance, n, active)).code;
            sum += (f64::from(code) - f64::from(n)).powi(2) * times as f64;
            all += times as f64;
        }
        sum / all
    }

    /// Share of codes that are not n.
    fn wrong_codes(&self, conductance: &Conductance, quantizer: &QuantizerConfig) -> f64 {
        let (mut wrong, mut all) = (0, 0);
        for (active, n, times) in self.pairs() {
            let code = quantize(quantizer, current(conductance, n, active)).code;
            all += times;
            wrong += if code == n { 0 } else { times };
        }
        wrong as f64 / all as f64
    }
}

/// The machine under a setting; `histogram` is of the images that the multiplier is chosen on.
fn set(machine: &Machine, ratio: u32, setting: Setting, histogram: &Histogram) -> Machine {
    let lrs_ohms = 1_000;
    let conductance =
        Conductance { lrs_ohms, hrs_ohms: lrs_ohms * ratio, reference_column: setting == Setting::Reference };
    // Leakage lifts codes to 2 R at most: one bit more, so that what is measured is leakage and not clamping.
    let bits = bits_to_hold(machine.rows) as u32 + u32::from(setting != Setting::Reference);
    let config = |per_unit: f64| {
        let multiplier = (f64::from(1u32 << SHIFT) * per_unit).round() as u32;
        QuantizerConfig { multiplier, shift: SHIFT, bits }
    };
    let slope = 1.0 / f64::from(ratio - 1);
    let quantizer = match setting {
        Setting::Reference | Setting::Slope => config(slope),
        Setting::FullScale => config(1.0 / f64::from(ratio)),
        Setting::Closest => {
            // Finer steps near the slope, where many rows need them.
            (0..=400)
                .map(|step| config(slope * (1.0 - 0.8 * (f64::from(step) / 400.0).powi(2))))
                .map(|quantizer| (histogram.squared_error(&conductance, &quantizer), quantizer))
                // The first of equals, and so the one nearest to the slope.
                .reduce(|best, next| if next.0 < best.0 { next } else { best })
                .expect("there are candidates")
                .1
        }
    };
    Machine { conductance, quantizer, ..machine.clone() }
}

/// The digits network on S001's array of 64 pixels and a bias row, at one ratio under one setting. The multiplier
/// is chosen on the training images.
pub fn digits(network: &Network, data: &Digits, ratio: u32, setting: Setting) -> Record {
    let machine = Machine::named("digits").expect("a built-in machine");
    let layer = &network.layers[0];
    let weights = layer.array_weights(&machine).expect("the shipped network fits");
    let array = DeviceArray::from_weights(&machine, &weights).expect("weights of the machine");
    let exact = layer.outputs_of(data.images.view());
    let histogram = Histogram::new(&machine, &array, data.train_images());
    let machine = set(&machine, ratio, setting, &histogram);
    let packed = PackedArray::new(&machine, &array).expect("the machine's array");
    let run = |images: ArrayView2<'_, u8>, labels: &[u8]| {
        let labels: Vec<_> = labels.iter().map(|label| Some(*label)).collect();
        packed.run(&images.to_owned(), &labels).expect("codes of the machine")
    };
    let train = run(data.train_images(), data.train_labels());
    let test = run(data.test_images(), data.test_labels());
    let classes = train.classes.iter().chain(&test.classes);
    let sums = ndarray::concatenate![ndarray::Axis(0), train.outputs, test.outputs];
    Record {
        study: "digits".into(),
        rows: machine.rows,
        ratio,
        setting,
        multiplier: machine.quantizer.multiplier,
        bits: machine.quantizer.bits,
        seed: None,
        images: data.labels.len(),
        wrong_codes: Histogram::new(&machine, &array, data.images.view())
            .wrong_codes(&machine.conductance, &machine.quantizer),
        wrong_sums: share(&sums, &exact, |sum, exact, _| sum != exact),
        changed_bits: share(&sums, &exact, |sum, exact, median| (sum > median) != (exact > median)),
        changed_classes: changed(classes, &exact),
        train_correct: Some(train.counters.correct),
        test_correct: Some(test.counters.correct),
    }
}

/// A random network of ten outputs, 4-bit weights and 4-bit inputs, all values equally likely, at one ratio under
/// one setting; the multiplier is chosen on half of the images and the result taken on the other half.
///
/// Draws from the stream `leakage`: weights, `[output][row]`, then images, `[image][row]`.
pub fn random(rows: usize, seed: u64, ratio: u32, setting: Setting) -> Record {
    let outputs = 10;
    let machine = Machine {
        name: "random".into(),
        rows,
        bias_rows: 0,
        bias_code: 0,
        input_bits: 4,
        row_lanes: rows,
        plane_lanes: 4,
        ..Machine::named("digits").expect("a built-in machine")
    };
    let mut random = stream("leakage", seed);
    let weights = Array2::from_shape_simple_fn((outputs, rows), || random.random_range(-8i8..8));
    let images = Array2::from_shape_simple_fn((2 * IMAGES, rows), || random.random_range(0u8..16));
    let (choosing, measuring) = images.view().split_at(ndarray::Axis(0), IMAGES);
    let array = DeviceArray::from_weights(&machine, &weights).expect("weights of the machine");
    let exact = measuring.mapv(i32::from).dot(&weights.mapv(i32::from).t());
    let machine = set(&machine, ratio, setting, &Histogram::new(&machine, &array, choosing));
    let packed = PackedArray::new(&machine, &array).expect("the machine's array");
    let result = packed.run(&measuring.to_owned(), &[None; IMAGES]).expect("codes of the machine");
    Record {
        study: "random".into(),
        rows,
        ratio,
        setting,
        multiplier: machine.quantizer.multiplier,
        bits: machine.quantizer.bits,
        seed: Some(seed),
        images: IMAGES,
        wrong_codes: Histogram::new(&machine, &array, measuring).wrong_codes(&machine.conductance, &machine.quantizer),
        wrong_sums: share(&result.outputs, &exact, |sum, exact, _| sum != exact),
        changed_bits: share(&result.outputs, &exact, |sum, exact, median| (sum > median) != (exact > median)),
        changed_classes: changed(&result.classes, &exact),
        train_correct: None,
        test_correct: None,
    }
}

/// Images whose class is not the first largest of the exact sums.
fn changed<'a>(classes: impl IntoIterator<Item = &'a u16>, exact: &Array2<i32>) -> usize {
    let first_largest = |sums: ndarray::ArrayView1<'_, i32>| {
        let largest = sums.iter().max().expect("ten outputs");
        sums.iter().position(|sum| sum == largest).expect("one is the largest") as u16
    };
    classes.into_iter().zip(exact.rows()).filter(|(class, sums)| **class != first_largest(*sums)).count()
}

/// Share of sums for which `test(sum, exact sum, the output's median exact sum)` holds.
fn share(sums: &Array2<i32>, exact: &Array2<i32>, test: impl Fn(i32, i32, i32) -> bool) -> f64 {
    let mut times = 0;
    for (sums, exact) in sums.columns().into_iter().zip(exact.columns()) {
        let mut sorted = exact.to_vec();
        sorted.sort_unstable();
        let median = sorted[sorted.len() / 2];
        times += sums.iter().zip(exact).filter(|(sum, exact)| test(**sum, **exact, median)).count();
    }
    times as f64 / exact.len() as f64
}

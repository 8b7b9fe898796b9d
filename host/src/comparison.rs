//! Machine against golden: every output, class, margin and counter, exactly.

use bitline_golden::counters::Counters;
use bitline_golden::registers::RUN_COUNTERS;
use bitline_golden::run::run;
use bitline_golden::timing::{output_clock, run_cycles};
use ndarray::s;
use serde::Serialize;
use std::fmt;

use crate::error::HostError;
use crate::problem::Problem;
use crate::procedure::{Measured, batches};

/// What golden says that the machine must give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// y, `[image][output]`.
    pub outputs: ndarray::Array2<i32>,
    /// Class of each image.
    pub classes: Vec<u16>,
    /// Margin of each image.
    pub margins: Vec<u32>,
    /// Run counters after all batches.
    pub counters: Counters,
}

/// The first thing in which the machine and golden part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `output`, `class`, `margin`, `leds` or a counter's name.
    pub what: &'static str,
    /// The image, from 0, unless a counter differs.
    pub image: Option<usize>,
    /// The output, from 0, if an output differs.
    pub output: Option<usize>,
    /// Golden's number.
    pub expected: i64,
    /// The machine's number.
    pub got: i64,
    /// The run (one a batch of images), from 0.
    pub run: Option<usize>,
    /// The run's clock, the first being 1, at whose end the number is stored.
    pub clock: Option<u64>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, got, .. } = self;
        match (self.image, self.output) {
            (Some(image), Some(output)) => {
                write!(f, "image {image}, output {output}: the machine has {got}, golden {expected}")?
            }
            (Some(image), None) => write!(f, "image {image}, {what}: the machine has {got}, golden {expected}")?,
            _ => write!(f, "{what}: the machine has {got}, golden {expected}")?,
        }
        match (self.run, self.clock) {
            (Some(run), Some(clock)) => write!(f, " (stored in clock {clock} of run {run})"),
            _ => Ok(()),
        }
    }
}

/// Compute what the machine must give, batch by batch as it runs.
///
/// # Errors
/// [`HostError::Golden`] for a problem that does not fit the machine.
pub fn expect(problem: &Problem) -> Result<Expected, HostError> {
    let mut expected = Expected {
        outputs: ndarray::Array2::zeros((problem.images.nrows(), problem.machine.outputs)),
        classes: Vec::new(),
        margins: Vec::new(),
        counters: Counters::default(),
    };
    for batch in batches(&problem.machine, problem.images.nrows()) {
        let images = problem.images.slice(s![batch.clone(), ..]).to_owned();
        let result = run(&problem.machine, &problem.array, &images, &problem.labels[batch.clone()])?;
        expected.outputs.slice_mut(s![batch, ..]).assign(&result.outputs);
        expected.classes.extend(result.classes);
        expected.margins.extend(result.margins);
        expected.counters = expected.counters.accumulate(&result.counters);
    }
    Ok(expected)
}

/// The first difference: image by image its outputs, class and margin, then the counters in register order.
pub fn first_difference(problem: &Problem, expected: &Expected, measured: &Measured) -> Option<Difference> {
    let machine = &problem.machine;
    for (run, batch) in batches(machine, problem.images.nrows()).into_iter().enumerate() {
        for (i, image) in batch.enumerate() {
            let at = |what, output, expected, got, clock| {
                (expected != got).then_some(Difference {
                    what,
                    image: Some(image),
                    output,
                    expected,
                    got,
                    run: Some(run),
                    clock: Some(clock),
                })
            };
            let sum = |output: usize| {
                let (expected, got) = (expected.outputs[[image, output]], measured.outputs[[image, output]]);
                let clock = output_clock(machine, i as u64, output);
                at("output", Some(output), expected.into(), got.into(), clock)
            };
            let verdict = run_cycles(machine, i as u64 + 1);
            let found = (0..machine.outputs)
                .find_map(sum)
                .or_else(|| at("class", None, expected.classes[image].into(), measured.classes[image].into(), verdict))
                .or_else(|| {
                    at("margin", None, expected.margins[image].into(), measured.margins[image].into(), verdict)
                });
            if found.is_some() {
                return found;
            }
        }
    }
    let values = expected.counters.values().into_iter().zip(measured.counters.values());
    RUN_COUNTERS.into_iter().zip(values).find(|(_, (expected, got))| expected != got).map(|(what, (expected, got))| {
        let (expected, got) = (expected as i64, got as i64);
        Difference { what, image: None, output: None, expected, got, run: None, clock: None }
    })
}

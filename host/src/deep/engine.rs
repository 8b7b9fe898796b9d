//! What runs a program: golden, instruction by instruction, or whatever else gives the same results and counters.

use bitline_firmware::execute::{Executor, LayerCounters};
use bitline_golden::argmax::Verdict;

use super::DeepProblem;
use crate::error::HostError;

/// What one image gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageRecord {
    /// Sums of the last layer.
    pub sums: Vec<i32>,
    /// Class and margin.
    pub verdict: Option<Verdict>,
    /// Codes of each layer but the last, without border, where the engine can see them.
    pub maps: Vec<Option<Vec<u8>>>,
}

/// What some images gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeepResults {
    /// One an image.
    pub images: Vec<ImageRecord>,
    /// What was counted over all of them.
    pub counters: LayerCounters,
    /// The records of layer counters, over all of them.
    pub layers: Vec<LayerCounters>,
}

impl DeepResults {
    /// Go on with what further images gave.
    pub fn append(&mut self, more: Self) {
        self.images.extend(more.images);
        self.counters.add(&more.counters);
        self.layers.resize(self.layers.len().max(more.layers.len()), LayerCounters::default());
        for (layer, more) in self.layers.iter_mut().zip(&more.layers) {
            layer.add(more);
        }
    }
}

/// Something that runs a problem's program.
pub trait DeepEngine {
    /// What it is, in words.
    fn description(&self) -> String;

    /// Run images, as codes without border, and tell how many are done now and then.
    ///
    /// # Errors
    /// [`HostError`] if it could not run them.
    fn run(&mut self, images: &[Vec<u8>], done: &mut dyn FnMut(usize)) -> Result<DeepResults, HostError>;
}

/// The golden executor, on as many threads as there are processors.
#[derive(Debug)]
pub struct GoldenEngine<'a>(&'a DeepProblem);

impl<'a> GoldenEngine<'a> {
    /// Load a problem's program.
    pub fn new(problem: &'a DeepProblem) -> Self {
        Self(problem)
    }
}

impl DeepEngine for GoldenEngine<'_> {
    fn description(&self) -> String {
        "the golden executor, instruction by instruction".into()
    }

    fn run(&mut self, images: &[Vec<u8>], done: &mut dyn FnMut(usize)) -> Result<DeepResults, HostError> {
        let problem = self.0;
        let executor = Executor::new(&problem.program, &problem.target);
        let batches = in_batches(images, done, &|image: &Vec<u8>| run_one(problem, &executor, image))?;
        let mut results = DeepResults::default();
        batches.into_iter().for_each(|one| results.append(one));
        Ok(results)
    }
}

fn run_one(problem: &DeepProblem, executor: &Executor<'_>, image: &[u8]) -> Result<DeepResults, HostError> {
    let mut maps = vec![None; problem.placements.len().saturating_sub(1)];
    let mut keep = |layer: usize, memory: &[u8]| {
        let output = problem.placements.get(layer).and_then(|placement| placement.output);
        if let (Some(map), Some(output)) = (maps.get_mut(layer), output) {
            *map = Some(output.codes_in(memory));
        }
    };
    let result = executor.run(&problem.program.image.lay_out(image), &mut keep);
    let result = result.map_err(|fault| HostError::Fault { machine: problem.machine.name.clone(), fault })?;
    let record = ImageRecord { sums: result.sums, verdict: result.verdict, maps };
    Ok(DeepResults { images: vec![record], counters: result.counters, layers: result.layers })
}

/// Images between two words about progress.
const BATCH: usize = 64;

/// Do something for each image, a share of a batch on each processor, in the images' order.
///
/// # Errors
/// The first error.
pub fn in_batches<I: Sync, T: Send>(
    images: &[I],
    done: &mut dyn FnMut(usize),
    work: &(dyn Fn(&I) -> Result<T, HostError> + Sync),
) -> Result<Vec<T>, HostError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut results = Vec::with_capacity(images.len());
    for batch in images.chunks(BATCH * threads) {
        let shares = batch.chunks(batch.len().div_ceil(threads));
        let made: Vec<Vec<Result<T, HostError>>> = std::thread::scope(|scope| {
            let workers: Vec<_> =
                shares.map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<_>>())).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker only computes")).collect()
        });
        for result in made.into_iter().flatten() {
            results.push(result?);
        }
        done(results.len());
    }
    Ok(results)
}

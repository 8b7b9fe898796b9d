//! Post-training quantization: a network trained in full precision, evaluated with its weights rounded to the nearest level.
//!
//! Nothing is trained or calibrated afterwards, and biases stay in full precision. It is what quantization-aware training,
//! [`Storage::Latent`], is held against: there the levels are seen in every step (Krishnamoorthi 2018, sections 3 and 4, has both).

use super::config::RunConfig;
use super::quantizer::{Quantization, Quantizer, Range, Storage};
use crate::TrainError;
use crate::error::refuse;
use serde::{Deserialize, Serialize};

/// Levels that a trained network's weights are rounded to, one evaluation a number of bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostTraining {
    /// Which levels there are.
    pub quantizer: Quantizer,
    /// Where their ends are.
    pub range: Range,
    /// Bits of a weight, each 2..=8; none with a table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bits: Vec<usize>,
    /// The table of [`Quantizer::Levels`], rising; none with another quantizer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<f32>,
}

/// What a network was worth on levels that it was not trained for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostTrainingLine {
    /// Which levels there are.
    pub quantizer: Quantizer,
    /// Where their ends are.
    pub range: Range,
    /// Bits of a weight; none with a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<usize>,
    /// The table, if it is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<f32>,
    /// Images classified correctly, of those that the epoch's `test_correct` is counted on.
    pub test_correct: usize,
    /// How many of those there are.
    pub test_images: usize,
}

impl PostTraining {
    /// One line a number of bits, or the table's one; `test_correct` and `test_images` are 0.
    fn lines(&self) -> Vec<PostTrainingLine> {
        let Self { quantizer, range, bits, levels } = self;
        let line = |bits| {
            let levels = levels.clone();
            PostTrainingLine { quantizer: *quantizer, range: *range, bits, levels, test_correct: 0, test_images: 0 }
        };
        match quantizer {
            Quantizer::Levels => vec![line(None)],
            _ => bits.iter().map(|bits| line(Some(*bits))).collect(),
        }
    }
}

impl PostTrainingLine {
    /// The levels as a run's own are written.
    fn quantization(&self) -> Quantization {
        let Self { quantizer, range, levels, .. } = self;
        // A table has no bits, and any number in range stands for none.
        let (bits, storage) = (self.bits.unwrap_or(8), Storage::Latent);
        Quantization { quantizer: *quantizer, bits, range: *range, storage, levels: levels.clone() }
    }

    /// The run as it is evaluated: trained as it was, with these levels in use.
    pub(crate) fn config(&self, config: &RunConfig) -> RunConfig {
        RunConfig { quantization: Some(self.quantization()), post_training: Vec::new(), ..config.clone() }
    }
}

/// Every evaluation that a run asks for, in its order, nothing counted yet.
pub(crate) fn lines(config: &RunConfig) -> Vec<PostTrainingLine> {
    config.post_training.iter().flat_map(PostTraining::lines).collect()
}

/// Refuse bits and tables that cannot be, a list that says nothing, and weights that are on levels already.
///
/// # Errors
/// [`TrainError::Config`].
pub(crate) fn check(config: &RunConfig) -> Result<(), TrainError> {
    for entry in &config.post_training {
        if entry.quantizer.is_binary() {
            let (value, limit) = (format!("{:?}", entry.quantizer), "one of 2..=8 bits, or levels");
            return refuse("post_training.quantizer", value, limit, "signs are trained for: use quantization");
        }
        let is_table = entry.quantizer == Quantizer::Levels;
        if entry.bits.is_empty() != is_table {
            let (value, limit) = (format!("{:?}", entry.bits), "a list of 2..=8, left out with quantizer = levels");
            return refuse("post_training.bits", value, limit, "write bits = [2, 3, 4], for example");
        }
        for line in entry.lines() {
            line.quantization().check()?;
        }
    }
    if config.quantization.is_some() && !config.post_training.is_empty() {
        let remedy = "leave out quantization, or post_training";
        return refuse("post_training", "given".into(), "left out where quantization is given", remedy);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::backward::loss;
    use super::super::checkpoint;
    use super::super::config::{Algorithm, Hidden};
    use super::super::tests::{digits, finished_at};
    use super::super::training::State;
    use super::*;
    use crate::image_set::{CLASSES, DataSet};
    use bitline_golden::device::{Vteam, resistance_ohms};
    use bitline_golden::machine::Conductance;

    const TABLE: [f32; 5] = [-1.0, -0.2, 0.0, 0.3, 0.9];

    /// Two epochs on the digits, evaluated on levels of every kind.
    fn config() -> RunConfig {
        let mut config =
            RunConfig::new(DataSet::Digits, Hidden { layers: 2, units: 20 }, Algorithm::Backpropagation, 2);
        (config.batch, config.learning_rate) = (30, 0.01);
        let bits = vec![2, 3, 8];
        for range in [Range::Local, Range::Global] {
            for quantizer in [Quantizer::UniformSymm, Quantizer::UniformAsymm, Quantizer::Eq2] {
                config.post_training.push(PostTraining { quantizer, range, bits: bits.clone(), levels: vec![] });
            }
            let (quantizer, levels) = (Quantizer::Levels, TABLE.to_vec());
            config.post_training.push(PostTraining { quantizer, range, bits: vec![], levels });
        }
        config
    }

    #[test]
    fn evaluations_are_those_of_weights_rounded_by_hand_and_change_no_training() {
        let (config, data) = (config(), digits());
        let file = |name: &str| std::env::temp_dir().join(format!("bitline-ptq-{name}-{}", std::process::id()));
        let (path, plain_path) = (file("levels"), file("plain"));
        [&path, &plain_path].into_iter().for_each(|path| drop(std::fs::remove_file(path)));
        let record = finished_at(&config, Some(&path));
        let plain = RunConfig { post_training: vec![], ..config.clone() };
        let trained_alone = finished_at(&plain, Some(&plain_path));
        let mut state = State::new(&config, &data);
        checkpoint::load(&path, &config, &data, &mut state).unwrap();
        [&path, &plain_path].into_iter().for_each(|path| std::fs::remove_file(path).unwrap());

        let lines = record.epochs[1].post_training.clone();
        assert_eq!((lines.len(), record.epochs[0].post_training.len()), (2 * (3 * 3 + 1), 0));
        for line in &lines {
            let mut model = state.model.clone();
            model.layers.iter_mut().for_each(|layer| line.quantization().nearest(&mut layer.weights.value));
            let trace = model.forward(&plain, data.test_pixels.clone(), None);
            let correct = loss(trace.activations.last().unwrap(), &data.test_labels, CLASSES).1;
            assert_eq!((line.test_correct, line.test_images), (correct, 297), "{line:?}");
        }
        // More bits are nearer to what was trained, and 255 levels are there.
        let at = |bits: usize| lines[bits].test_correct;
        assert!(at(0) + 20 < at(2) && at(2).abs_diff(record.epochs[1].test_correct) <= 2, "{lines:?}");

        let mut epochs = record.epochs;
        epochs[1].post_training.clear();
        assert_eq!(epochs, trained_alone.epochs);
    }

    #[test]
    fn levels_that_cannot_be_are_refused_by_name() {
        let refused = |change: fn(&mut RunConfig)| {
            let mut config = config();
            change(&mut config);
            config.check(1500).unwrap_err().to_string()
        };
        assert_eq!(config().check(1500), Ok(()));
        assert_eq!(
            refused(|c| c.post_training[0].bits.clear()),
            "post_training.bits is [], must be a list of 2..=8, left out with quantizer = levels; write bits = [2, 3, 4], for example"
        );
        assert!(refused(|c| c.post_training[3].bits.push(3)).starts_with("post_training.bits is [3], must be a list"));
        assert!(
            refused(|c| c.post_training[0].quantizer = Quantizer::Sign).starts_with("post_training.quantizer is Sign")
        );
        assert!(refused(|c| c.post_training[0].bits.push(9)).starts_with("bits is 9, must be 2..=8"));
        assert!(refused(|c| c.post_training[3].levels.clear()).starts_with("levels is [], must be 2 or more rising"));
        assert!(refused(|c| c.post_training[0].levels = TABLE.to_vec()).starts_with("levels is [-1.0, -0.2"));
        let both = refused(|c| c.quantization = Some(lines(c)[0].quantization()));
        assert!(both.starts_with("post_training is given, must be left out where quantization is given"), "{both}");
    }

    #[test]
    fn settings_read_from_toml_and_back_from_json() {
        let text = "data_set = \"digits\"\nhidden = \"1x4\"\nalgorithm = \"hsic\"\nepochs = 1\npost_training = [\n\
                    { quantizer = \"uniform-symm\", range = \"local\", bits = [2, 3] },\n\
                    { quantizer = \"levels\", range = \"global\", levels = [-1.0, 0.0, 0.5] },\n]\n";
        let config: RunConfig = toml::from_str(text).unwrap();
        let words: Vec<_> = lines(&config).iter().map(|line| (line.quantizer, line.bits, line.levels.len())).collect();
        let symm = Quantizer::UniformSymm;
        assert_eq!(words, [(symm, Some(2), 0), (symm, Some(3), 0), (Quantizer::Levels, None, 3)]);
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<RunConfig>(&json).unwrap(), config);
    }

    /// Weights of a pair of devices, one of them at HRS, the other after so many pulses of these lengths from LRS; and 0.
    fn of_pulses(pulses: impl Iterator<Item = f64>) -> Vec<f64> {
        let (device, s001) =
            (Vteam::default(), Conductance { lrs_ohms: 1_000, hrs_ohms: 100_000, reference_column: true });
        let weight = |w: f64| {
            let [own, lrs, hrs] = [w, 0.0, 1.0].map(|w| 1.0 / resistance_ohms(&s001, w));
            (own - hrs) / (lrs - hrs)
        };
        let states = pulses.scan(0.0, |w, seconds| {
            *w = device.pulse(*w, 2.0, seconds);
            Some(*w)
        });
        let mut positive: Vec<f64> = [0.0].into_iter().chain(states).map(weight).collect();
        positive.reverse();
        let negative = positive.iter().rev().map(|weight| -weight);
        negative.chain([0.0]).chain(positive.clone()).collect()
    }

    #[test]
    fn tables_of_the_study_are_those_of_the_device() {
        let text = include_str!("../../../studies/ptq-qat.toml");
        let study: toml::Table = toml::from_str(text).unwrap();
        let grids = study["grid"].as_array().unwrap();
        let tables: Vec<Vec<f64>> = grids
            .iter()
            .filter_map(|grid| grid.get("quantization")?.get("levels"))
            .flat_map(|tables| tables.as_array().unwrap().clone())
            .map(|table| table.as_array().unwrap().iter().map(|level| level.as_float().unwrap()).collect())
            .collect();
        // 1 kOhm is a 99th of the way, and at 2 V the whole way is 100 ns.
        let step = 1e-7 / 99.0;
        let even = (-5..=5).map(|k| f64::from(k) / 5.0).collect();
        let expected =
            [even, of_pulses([step; 4].into_iter()), of_pulses([1.0, 2.0, 4.0, 8.0].map(|n| n * step).into_iter())];
        assert_eq!(tables.len(), 3);
        for (table, expected) in tables.iter().zip(&expected) {
            assert_eq!(table.len(), 11);
            assert!(table.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{table:?} {expected:?}");
        }
    }
}

//! What a run of the lab is: every setting, readable in TOML and JSON.

use super::noise_evaluation;
use super::normalization;
use super::post_training::{self, PostTraining};
use super::quantizer::Quantization;
pub use super::settings::{Activation, Algorithm, Gain, Hidden, Normalization, Optimizer, Schedule};
use crate::TrainError;
use crate::error::refuse;
use crate::image_set::DataSet;
use serde::{Deserialize, Serialize};

/// One run; with the data it determines every bit of the record, the time apart.
///
/// A run's identity is made of this in JSON: a field that is added has to be left out where it has its default, or runs that are
/// recorded are done again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Set of images.
    pub data_set: DataSet,
    /// Hidden layers, such as `2x100`; the output layer of 10 follows them.
    pub hidden: Hidden,
    /// How it is trained.
    pub algorithm: Algorithm,
    /// How weights are held; left out, in full precision. Biases are always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
    /// Levels that the weights are rounded to after the last epoch, for evaluation alone; for runs in full precision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_training: Vec<PostTraining>,
    /// What sums are multiplied with.
    #[serde(default)]
    pub gain: Gain,
    /// Of the hidden units.
    #[serde(default)]
    pub activation: Activation,
    /// Bits of [`Activation::Codes`], 1..=8; of no meaning otherwise.
    #[serde(default = "default_activation_bits")]
    pub activation_bits: usize,
    /// Of the hidden layers' sums.
    #[serde(default, skip_serializing_if = "is_default")]
    pub normalization: Normalization,
    /// Whether hidden layers have biases; with batch normalisation, whether it has a shift. S002's networks without it have none.
    #[serde(default = "default_hidden_bias", skip_serializing_if = "Clone::clone")]
    pub hidden_bias: bool,
    /// Whether the output layer has a bias. The array ranks that layer's sums as they are: a network for it has none.
    #[serde(default = "default_output_bias", skip_serializing_if = "Clone::clone")]
    pub output_bias: bool,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of a step; those that fill no batch at the end of an epoch are left out of it.
    #[serde(default = "default_batch")]
    pub batch: usize,
    /// Learning rate at the start.
    #[serde(default = "default_learning_rate")]
    pub learning_rate: f64,
    /// How it goes on.
    #[serde(default)]
    pub schedule: Schedule,
    /// What makes steps of gradients.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// Standard deviation of the Gaussian noise that every step adds to the weights after they are quantized, in parts of the
    /// layer's largest weight; 0 for none. Evaluation is without it.
    #[serde(default)]
    pub noise_sigma: f64,
    /// Sigmas of such noise that the trained network is evaluated under after the last epoch, rising; each 0..=10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise_evaluation: Vec<f64>,
    /// Draws of the noise for each of them but 0, 1..=1000.
    #[serde(default = "default_noise_draws", skip_serializing_if = "is_default_noise_draws")]
    pub noise_draws: usize,
    /// Last training images that are left out and evaluated in place of the test images, for choosing settings; 0 for none.
    #[serde(default)]
    pub held_out: usize,
    /// Width of HSIC's kernels, in square roots of dimensions; the paper's is 5.
    #[serde(default = "default_hsic_width")]
    pub hsic_width: f64,
    /// Weight of HSIC's term of the labels; the paper's is 500.
    #[serde(default = "default_hsic_beta")]
    pub hsic_beta: f64,
    /// Ridge that HSIC's kernels are normalised with, in parts of a batch's images; the paper's is 0.00001.
    #[serde(default = "default_hsic_ridge")]
    pub hsic_ridge: f64,
    /// Learning rate of the modules of synthetic gradients, in parts of the network's.
    #[serde(default = "default_module_rate")]
    pub module_rate: f64,
    /// Whether those modules see the label.
    #[serde(default = "default_synthetic_conditioned", skip_serializing_if = "Clone::clone")]
    pub synthetic_conditioned: bool,
    /// Units of those modules' own hidden layer, up to 4096; 0 for linear ones.
    #[serde(default, skip_serializing_if = "is_default")]
    pub synthetic_hidden: usize,
    /// Seed of every draw.
    #[serde(default)]
    pub seed: u64,
}

fn default_activation_bits() -> usize {
    4
}

fn default_hidden_bias() -> bool {
    true
}

fn default_output_bias() -> bool {
    true
}

fn default_noise_draws() -> usize {
    20
}

fn is_default_noise_draws(draws: &usize) -> bool {
    *draws == default_noise_draws()
}

fn default_batch() -> usize {
    64
}

fn default_learning_rate() -> f64 {
    1e-3
}

fn default_hsic_width() -> f64 {
    0.25
}

fn default_hsic_beta() -> f64 {
    50.0
}

fn default_hsic_ridge() -> f64 {
    0.01
}

fn default_module_rate() -> f64 {
    10.0
}

fn default_synthetic_conditioned() -> bool {
    true
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl RunConfig {
    /// A run at full precision with every other setting at its default.
    pub fn new(data_set: DataSet, hidden: Hidden, algorithm: Algorithm, epochs: usize) -> Self {
        Self {
            data_set,
            hidden,
            algorithm,
            quantization: None,
            post_training: Vec::new(),
            gain: Gain::default(),
            activation: Activation::default(),
            activation_bits: default_activation_bits(),
            normalization: Normalization::default(),
            hidden_bias: default_hidden_bias(),
            output_bias: default_output_bias(),
            epochs,
            batch: default_batch(),
            learning_rate: default_learning_rate(),
            schedule: Schedule::default(),
            optimizer: Optimizer::default(),
            noise_sigma: 0.0,
            noise_evaluation: Vec::new(),
            noise_draws: default_noise_draws(),
            held_out: 0,
            hsic_width: default_hsic_width(),
            hsic_beta: default_hsic_beta(),
            hsic_ridge: default_hsic_ridge(),
            module_rate: default_module_rate(),
            synthetic_conditioned: default_synthetic_conditioned(),
            synthetic_hidden: 0,
            seed: 0,
        }
    }

    /// Refuse what cannot be run on so many training images.
    ///
    /// # Errors
    /// [`TrainError::Config`].
    pub fn check(&self, images: usize) -> Result<(), TrainError> {
        if self.epochs == 0 {
            return refuse("epochs", "0".into(), "at least 1", "train one epoch or more");
        }
        if self.held_out >= images {
            let limit = format!("0..{images}");
            return refuse("held_out", self.held_out.to_string(), limit, "hold out a sixth, for example");
        }
        let rows = images - self.held_out;
        if self.batch == 0 || self.batch > rows {
            return refuse("batch", self.batch.to_string(), format!("1..={rows}"), "64 is a good start");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            let value = self.learning_rate.to_string();
            return refuse("learning_rate", value, "finite and above 0", "0.001 is a good start");
        }
        if !(0.0..=10.0).contains(&self.noise_sigma) {
            return refuse("noise_sigma", self.noise_sigma.to_string(), "0..=10", "0 is no noise");
        }
        if !(1..=8).contains(&self.activation_bits) {
            return refuse("activation_bits", self.activation_bits.to_string(), "1..=8", "use 1 to 8");
        }
        if !(self.hsic_width.is_finite() && self.hsic_width > 0.0) {
            return refuse("hsic_width", self.hsic_width.to_string(), "finite and above 0", "0.25 is a good start");
        }
        if !(self.hsic_beta.is_finite() && self.hsic_beta >= 0.0) {
            return refuse("hsic_beta", self.hsic_beta.to_string(), "finite, 0 or more", "50 is a good start");
        }
        if !(self.hsic_ridge.is_finite() && self.hsic_ridge > 0.0) {
            return refuse("hsic_ridge", self.hsic_ridge.to_string(), "finite and above 0", "0.00001 is the paper's");
        }
        if !(self.module_rate.is_finite() && self.module_rate > 0.0) {
            return refuse("module_rate", self.module_rate.to_string(), "finite and above 0", "10 is a good start");
        }
        if self.synthetic_hidden > 4096 {
            let value = self.synthetic_hidden.to_string();
            return refuse("synthetic_hidden", value, "0..=4096", "0 makes the modules linear");
        }
        post_training::check(self)?;
        normalization::check(self)?;
        noise_evaluation::check(self)?;
        self.quantization.as_ref().map_or(Ok(()), Quantization::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_layers_parse_and_print_back() {
        for hidden in Hidden::S003 {
            assert_eq!(hidden.to_string().parse::<Hidden>().unwrap(), hidden);
        }
        assert_eq!(
            "100".parse::<Hidden>().unwrap_err().to_string(),
            "hidden is \"100\", must be layers x units, 1..=64 and 1..=4096; write 2x100 for two hidden layers of 100 units"
        );
    }

    #[test]
    fn config_reads_back_and_refuses_unknown_fields() {
        let mut config = RunConfig::new(DataSet::Mnist, Hidden { layers: 2, units: 100 }, Algorithm::Hsic, 3);
        config.quantization = Some(
            serde_json::from_str(r#"{"quantizer":"uniform-symm","bits":3,"range":"global","storage":"in-place"}"#)
                .unwrap(),
        );
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<RunConfig>(&text).unwrap(), config);
        let short = r#"{"data_set":"mnist","hidden":"2x100","algorithm":"hsic","epochs":3}"#;
        config.quantization = None;
        assert_eq!(serde_json::from_str::<RunConfig>(short).unwrap(), config);
        let wrong = short.replace("epochs", "epoch");
        assert!(serde_json::from_str::<RunConfig>(&wrong).unwrap_err().to_string().contains("unknown field `epoch`"));
    }

    #[test]
    fn default_run_has_the_json_that_recorded_runs_have() {
        let config = RunConfig::new(DataSet::Mnist, Hidden { layers: 2, units: 100 }, Algorithm::Backpropagation, 4);
        assert_eq!(
            serde_json::to_string(&config).unwrap(),
            r#"{"data_set":"mnist","hidden":"2x100","algorithm":"backpropagation","gain":"unit","activation":"relu","activation_bits":4,"epochs":4,"batch":64,"learning_rate":0.001,"schedule":"cosine","optimizer":"adam","noise_sigma":0.0,"held_out":0,"hsic_width":0.25,"hsic_beta":50.0,"hsic_ridge":0.01,"module_rate":10.0,"seed":0}"#
        );
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let good = RunConfig::new(DataSet::Mnist, Hidden { layers: 1, units: 4 }, Algorithm::Backpropagation, 1);
        assert_eq!(good.check(100), Ok(()));
        let field = |change: fn(&mut RunConfig)| {
            let mut config = good.clone();
            change(&mut config);
            match config.check(100) {
                Err(TrainError::Config { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(field(|c| c.epochs = 0), "epochs");
        assert_eq!(field(|c| c.batch = 101), "batch");
        assert_eq!(field(|c| c.held_out = 100), "held_out");
        assert_eq!(field(|c| c.learning_rate = f64::NAN), "learning_rate");
        assert_eq!(field(|c| c.noise_sigma = -1.0), "noise_sigma");
        assert_eq!(field(|c| c.activation_bits = 9), "activation_bits");
        assert_eq!(field(|c| c.hsic_width = 0.0), "hsic_width");
        assert_eq!(field(|c| c.hsic_beta = -1.0), "hsic_beta");
        assert_eq!(field(|c| c.hsic_ridge = 0.0), "hsic_ridge");
        assert_eq!(field(|c| c.module_rate = 0.0), "module_rate");
        assert_eq!(field(|c| c.synthetic_hidden = 5000), "synthetic_hidden");
    }
}

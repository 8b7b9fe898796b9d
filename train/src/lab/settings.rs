//! The settings of a run that are words: algorithm, hidden layers, activation, optimizer and the like.

use crate::TrainError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How a network is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// The true gradient.
    Backpropagation,
    /// HSIC bottleneck (Ma, Lewis and Kleijn 2019): no gradient between layers.
    Hsic,
    /// Fixed random feedback (Lillicrap et al. 2016).
    FeedbackAlignment,
    /// Decoupled neural interfaces (Jaderberg et al. 2017): gradients guessed by a module at each hidden layer.
    SyntheticGradients,
}

impl Algorithm {
    /// All of them, in S003's order.
    pub const ALL: [Self; 4] = [Self::Backpropagation, Self::Hsic, Self::FeedbackAlignment, Self::SyntheticGradients];
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backpropagation => "backpropagation",
            Self::Hsic => "hsic",
            Self::FeedbackAlignment => "feedback-alignment",
            Self::SyntheticGradients => "synthetic-gradients",
        })
    }
}

impl FromStr for Algorithm {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        let known = || Self::ALL.map(|algorithm| algorithm.to_string()).join(", ");
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.to_string() == text);
        found.ok_or_else(|| TrainError::UnknownName { what: "algorithm", name: text.into(), known: known() })
    }
}

/// Hidden layers of a network in S003's words: `2x100` is two of 100 units each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hidden {
    /// Hidden layers, 1 or more.
    pub layers: usize,
    /// Units of each, 1 or more.
    pub units: usize,
}

impl Hidden {
    /// S003's six, table 4.1 with its misprint righted.
    pub const S003: [Self; 6] = [
        Self { layers: 1, units: 4 },
        Self { layers: 6, units: 20 },
        Self { layers: 2, units: 100 },
        Self { layers: 3, units: 100 },
        Self { layers: 2, units: 50 },
        Self { layers: 3, units: 50 },
    ];
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.layers, self.units)
    }
}

impl FromStr for Hidden {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        let parsed = text.split_once('x').and_then(|(layers, units)| Some((layers.parse().ok()?, units.parse().ok()?)));
        match parsed {
            Some((layers @ 1..=64, units @ 1..=4096)) => Ok(Self { layers, units }),
            _ => Err(TrainError::Config {
                field: "hidden",
                value: format!("{text:?}"),
                limit: "layers x units, 1..=64 and 1..=4096".into(),
                remedy: "write 2x100 for two hidden layers of 100 units",
            }),
        }
    }
}

impl TryFrom<String> for Hidden {
    type Error = TrainError;

    fn try_from(text: String) -> Result<Self, TrainError> {
        text.parse()
    }
}

impl From<Hidden> for String {
    fn from(hidden: Hidden) -> Self {
        hidden.to_string()
    }
}

/// What a hidden unit makes of its sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(0, s).
    #[default]
    Relu,
    /// tanh(s).
    Tanh,
    /// DoReFa's k-bit codes (Zhou et al. 2016, Eq. 5-6): round((2^k - 1) clip(s, 0, 1)) / (2^k - 1), straight through inside
    /// 0..=1; k is [`super::RunConfig::activation_bits`].
    Codes,
    /// -1 below 0 and 1 from 0 on; backward, 1 where |s| is 1 or less (the XNOR-style baseline's estimator).
    Sign,
    /// 1 above 0, else 0 (S002 Eq. 1); backward, 1 where |s| is 1 or less.
    Step,
    /// 1 above p, else 0, p > 0 one trained threshold a layer (S002 Eq. 9); backward, 1 where |s - p| is 1 or less.
    PsSign,
}

/// What is done to the sums of a hidden layer before its activation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// Nothing.
    #[default]
    None,
    /// Batch normalisation (Ioffe and Szegedy 2015): over the batch in training, by running statistics in evaluation.
    Batch,
}

/// What makes steps of gradients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Adam (Kingma and Ba 2015), decays 0.9 and 0.999.
    #[default]
    Adam,
    /// Gradient descent with momentum 0.9.
    Momentum,
    /// Plain gradient descent.
    Descent,
}

/// How the learning rate goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// From its start to 0 along half a cosine (Loshchilov and Hutter 2017, Eq. 5, one period).
    #[default]
    Cosine,
    /// Constant.
    Constant,
}

/// What a layer's sums are multiplied with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gain {
    /// Nothing: the weights are those of the sum, as in S003.
    #[default]
    Unit,
    /// 2 / sqrt(inputs of the layer): the weights fill -1..=1, and one fixed number a layer, digital, brings the sum back.
    FanIn,
}

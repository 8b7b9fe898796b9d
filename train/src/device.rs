//! Where Burn computes: chosen at run time among the devices this build has.

use crate::TrainError;
use burn::tensor::Device;
use std::fmt;
use std::str::FromStr;

/// A device to train on.
///
/// `flex` is Burn's CPU device, in every build. The features `cuda` and `wgpu` of this crate add theirs, written
/// `cuda`, `cuda:1`, `wgpu`. Only `flex` promises the same bits everywhere; a GPU adds in an order of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceChoice {
    /// The CPU, one thread.
    #[default]
    Flex,
    /// The NVIDIA GPU of that index.
    #[cfg(feature = "cuda")]
    Cuda(usize),
    /// The best GPU that wgpu finds.
    #[cfg(feature = "wgpu")]
    Wgpu,
}

impl DeviceChoice {
    /// Names that this build understands.
    pub fn names() -> Vec<&'static str> {
        let mut names = vec!["flex"];
        if cfg!(feature = "cuda") {
            names.push("cuda");
        }
        if cfg!(feature = "wgpu") {
            names.push("wgpu");
        }
        names
    }

    /// Open Burn's device, without automatic differentiation.
    pub(crate) fn open(self) -> Device {
        match self {
            Self::Flex => Device::flex(),
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => Device::cuda(index),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::wgpu(Default::default()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flex => f.write_str("flex"),
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => f.write_str("wgpu"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        match text {
            "flex" => Ok(Self::Flex),
            #[cfg(feature = "cuda")]
            "cuda" => Ok(Self::Cuda(0)),
            #[cfg(feature = "cuda")]
            _ if text.strip_prefix("cuda:").is_some_and(|index| index.parse::<usize>().is_ok()) => {
                Ok(Self::Cuda(text["cuda:".len()..].parse().expect("just parsed")))
            }
            #[cfg(feature = "wgpu")]
            "wgpu" => Ok(Self::Wgpu),
            _ => Err(TrainError::UnknownDevice { name: text.into(), known: Self::names().join(", ") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_print_back() {
        assert_eq!("flex".parse::<DeviceChoice>().unwrap(), DeviceChoice::Flex);
        assert_eq!(DeviceChoice::default().to_string(), "flex");
        assert!(DeviceChoice::names().iter().all(|name| name.parse::<DeviceChoice>().is_ok()));
    }

    #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
    #[test]
    fn unknown_device_is_refused_with_the_known_ones() {
        assert_eq!(
            "cuda".parse::<DeviceChoice>().unwrap_err().to_string(),
            "this build has no device \"cuda\", it has: flex; choose one of them, \
             or build bitline-train with the feature cuda or wgpu"
        );
    }
}

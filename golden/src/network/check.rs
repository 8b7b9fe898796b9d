//! What a network has to be like, alone and on a machine.

use super::{Activation, Geometry, Layer, Network, NetworkError, weight_fits, weight_range_words};
use crate::machine::Machine;

impl Layer {
    pub(super) fn check(&self, network: &str, layer: usize) -> Result<(), NetworkError> {
        let range = |field, value: f64, limit: (f64, f64), remedy| {
            if value >= limit.0 && value <= limit.1 {
                return Ok(());
            }
            let limit = format!("{}..={}", limit.0, limit.1);
            Err(NetworkError::Range { network: network.into(), layer, field, value, limit, remedy })
        };
        range("weight_bits", self.weight_bits as f64, (1.0, 8.0), "split wider weights over several outputs")?;
        range("input_bits", self.input_bits as f64, (1.0, 8.0), "requantize the inputs")?;
        let code_max = f64::from((1u32 << self.input_bits) - 1);
        range("bias_code", f64::from(self.bias_code), (0.0, code_max), "raise input_bits")?;
        range("inputs", self.inputs() as f64, (1.0, 65_536.0), "split the layer")?;
        range("outputs", self.outputs() as f64, (1.0, 65_536.0), "split the layer")?;
        if let Some(sf) = self.scale_factor.filter(|sf| !(sf.is_finite() && *sf > 0.0)) {
            let limit = "finite and above 0".into();
            let remedy = "choose the scale factor again";
            let field = "scale_factor";
            return Err(NetworkError::Range { network: network.into(), layer, field, value: sf, limit, remedy });
        }
        let shape = |field, found: &[usize], expected: &[usize]| {
            if found == expected {
                return Ok(());
            }
            let (found, expected) = (found.to_vec(), expected.to_vec());
            Err(NetworkError::Shape { network: network.into(), layer, field, found, expected })
        };
        self.check_geometry(network, layer)?;
        shape("biases", &[self.biases.len()], &[self.outputs()])?;
        if let Some(activation) = &self.activation {
            range("activation bits", activation.bits as f64, (1.0, 4.0), "codes between layers have 1 to 4 bits")?;
            let levels = Activation::levels(activation.bits);
            shape("thresholds", activation.thresholds.shape(), &[self.outputs(), levels])?;
            for ((output, index), &value) in activation.thresholds.indexed_iter() {
                if index > 0 && value < activation.thresholds[[output, index - 1]] {
                    return Err(NetworkError::Thresholds { network: network.into(), layer, output, index, value });
                }
            }
        }
        if let Some(float) = &self.float {
            shape("float weights", float.weights.shape(), self.weights.shape())?;
            shape("float biases", &[float.biases.len()], &[self.outputs()])?;
        }
        let weights = self.weights.indexed_iter().map(|((o, i), w)| ("weight", o, i, *w));
        let biases = self.biases.iter().enumerate().map(|(o, b)| ("bias", o, self.inputs(), *b));
        for (field, output, row, value) in weights.chain(biases) {
            // A one-bit layer may do without biases: all of them 0, and no bias row is used.
            let absent = field == "bias" && value == 0 && self.has_no_biases();
            if !weight_fits(self.weight_bits, value) && !absent {
                return Err(NetworkError::WeightRange {
                    network: network.into(),
                    layer,
                    field,
                    output,
                    row,
                    value,
                    weight_bits: self.weight_bits,
                    limit: weight_range_words(self.weight_bits),
                });
            }
        }
        Ok(())
    }

    /// Whether all biases are 0, and so no bias row is needed.
    pub fn has_no_biases(&self) -> bool {
        self.biases.iter().all(|b| *b == 0)
    }

    fn check_geometry(&self, network: &str, layer: usize) -> Result<(), NetworkError> {
        let range = |field, value: usize, low: usize, high: usize, remedy| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            let limit = format!("{low}..={high}");
            Err(NetworkError::Range { network: network.into(), layer, field, value: value as f64, limit, remedy })
        };
        if let Geometry::Convolution(convolution) = &self.geometry {
            let map = convolution.input;
            for (field, side) in [("map height", map.height), ("map width", map.width), ("map channels", map.channels)]
            {
                range(field, side, 1, 4096, "cut the map into several")?;
            }
            range("padding", convolution.padding, 0, 255, "padding is less than a kernel")?;
            let fits = "a kernel is no larger than the padded map";
            range("kernel height", convolution.kernel_height, 1, map.height + 2 * convolution.padding, fits)?;
            range("kernel width", convolution.kernel_width, 1, map.width + 2 * convolution.padding, fits)?;
            range("stride", convolution.stride, 1, 255, "windows move by at least one pixel")?;
            let (found, expected) = (self.weights.shape().to_vec(), vec![self.outputs(), convolution.window_inputs()]);
            if found != expected {
                let field = "weights";
                return Err(NetworkError::Shape { network: network.into(), layer, field, found, expected });
            }
        }
        if let Some(pool) = self.pool {
            let windows = self.windows();
            let side = windows.height.min(windows.width);
            range("pool size", pool.size, 1, side, "pool squares of codes that there are")?;
            range("pool stride", pool.stride, 1, 255, "squares move by at least one code")?;
        }
        Ok(())
    }

    pub(super) fn check_fits(&self, network: &str, layer: usize, machine: &Machine) -> Result<(), NetworkError> {
        let place = |fault, remedy| NetworkError::Place { network: network.into(), layer, fault, remedy };
        if self.geometry != Geometry::Dense {
            return Err(place("is a convolution", "this machine runs one dense layer; use one that runs programs"));
        }
        let fit = |quantity, found, limit, fits, remedy| {
            if fits {
                return Ok(());
            }
            let (network, machine) = (network.into(), machine.name.clone());
            Err(NetworkError::Fit { network, layer, machine, quantity, found, limit, remedy })
        };
        let same = |quantity, found, limit| {
            fit(quantity, found, limit, found == limit, "choose the machine that the network was trained for")
        };
        same("inputs", self.inputs(), machine.inputs())?;
        same("outputs", self.outputs(), machine.outputs)?;
        let at_most = |quantity, found, limit, remedy| fit(quantity, found, limit, found <= limit, remedy);
        at_most("bits a weight", self.weight_bits, machine.weight_bits, "quantize again with fewer bits")?;
        at_most("bits an input", self.input_bits, machine.input_bits, "requantize the inputs")?;
        let needed = usize::from(!self.has_no_biases());
        at_most("bias rows", needed, machine.bias_rows, "give the machine a bias row")?;
        // One-bit devices cannot hold a zero, so a row that is driven must hold a weight.
        if machine.weight_bits == 1 {
            let driven = machine.bias_rows * usize::from(machine.bias_code != 0);
            let remedy = "a one-bit array cannot store 0; give the machine as many bias rows as the network";
            fit("bias rows", needed, driven, needed == driven, remedy)?;
        }
        if needed > 0 && self.bias_code != machine.bias_code {
            return Err(NetworkError::BiasCode {
                network: network.into(),
                layer,
                machine: machine.name.clone(),
                found: self.bias_code,
                machine_code: machine.bias_code,
            });
        }
        Ok(())
    }
}

impl Network {
    /// Check every size, range and shape.
    ///
    /// # Errors
    /// [`NetworkError::NoLayers`], [`NetworkError::Range`], [`NetworkError::Shape`], [`NetworkError::WeightRange`],
    /// [`NetworkError::Thresholds`], [`NetworkError::Place`], [`NetworkError::Chain`].
    pub fn check(&self) -> Result<(), NetworkError> {
        if self.layers.is_empty() {
            return Err(NetworkError::NoLayers { network: self.name.clone() });
        }
        self.layers.iter().enumerate().try_for_each(|(i, layer)| layer.check(&self.name, i))?;
        self.check_places()?;
        self.layers.windows(2).enumerate().try_for_each(|(before, pair)| self.check_pair(before, &pair[0], &pair[1]))
    }

    /// Every layer but the last turns sums into codes; the last gives the sums of one window, to be ranked.
    fn check_places(&self) -> Result<(), NetworkError> {
        let last = self.layers.len() - 1;
        for (layer, at) in self.layers.iter().enumerate() {
            let fault = match (&at.activation, at.pool, at.geometry) {
                (None, ..) if layer < last => {
                    Some(("has no thresholds", "give every layer but the last an activation"))
                }
                (Some(_), ..) if layer == last => {
                    Some(("is the last and has thresholds", "the class is the largest sum, not a code"))
                }
                (None, Some(_), _) => Some(("pools sums", "pooling acts on codes; give the layer an activation")),
                (_, _, Geometry::Convolution(_)) if layer == last => {
                    Some(("is the last and a convolution", "end with a dense layer, whose outputs are the classes"))
                }
                _ => None,
            };
            if let Some((fault, remedy)) = fault {
                return Err(NetworkError::Place { network: self.name.clone(), layer, fault, remedy });
            }
        }
        Ok(())
    }

    /// What a layer gives is what the next one reads.
    fn check_pair(&self, before: usize, gives: &Layer, reads: &Layer) -> Result<(), NetworkError> {
        let map = gives.output_map();
        let same = |quantity, found, given| {
            if found == given {
                return Ok(());
            }
            Err(NetworkError::Chain { network: self.name.clone(), layer: before + 1, before, quantity, found, given })
        };
        if let Geometry::Convolution(convolution) = reads.geometry {
            same("rows of pixels", convolution.input.height, map.height)?;
            same("pixels a row", convolution.input.width, map.width)?;
            same("channels", convolution.input.channels, map.channels)?;
        }
        same("codes", reads.input_codes(), map.codes())?;
        let given = gives.activation.as_ref().map_or(0, |activation| activation.bits);
        same("bits a code", reads.input_bits, given)
    }

    /// Check that the machine can hold and run the network: same inputs and outputs, no wider weights or inputs,
    /// a bias row driven by the layer's code if there are biases. Machines run one layer today.
    ///
    /// # Errors
    /// [`NetworkError::TooManyLayers`], [`NetworkError::Fit`], [`NetworkError::BiasCode`], and those of
    /// [`Network::check`].
    pub fn check_fits(&self, machine: &Machine) -> Result<(), NetworkError> {
        self.check()?;
        if self.layers.len() > 1 {
            let (network, machine) = (self.name.clone(), machine.name.clone());
            return Err(NetworkError::TooManyLayers { network, layers: self.layers.len(), machine });
        }
        self.layers[0].check_fits(&self.name, 0, machine)
    }
}

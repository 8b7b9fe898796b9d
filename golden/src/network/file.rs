//! Networks on disk: one safetensors file.
//!
//! Tensors, for layer `n` from 0: `layers.n.weights` I8 `[output][input]`, `layers.n.biases` I8 `[output]`, for a layer with
//! an activation `layers.n.thresholds` I32 `[output][2^bits - 1]`, and when the float network is known `layers.n.float_weights` F32 and `layers.n.float_biases` F32 of the same shapes; when
//! the training history is known `history.train_loss`, `history.test_loss` F64 `[epoch]` and `history.train_correct`,
//! `history.test_correct` U32 `[epoch]`.
//!
//! The metadata is one JSON text under the key `bitline.network`. One key, because safetensors writes its map in no
//! particular order and the same network must give the same bytes. Nothing in the file depends on date or machine.

use super::{
    Activation, Convolution, EpochRecord, FloatLayer, Geometry, Layer, Network, NetworkError, Pool, Provenance,
};
use ndarray::Array2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Version of the format that this build writes and reads.
pub const FORMAT_VERSION: u64 = 1;
/// Key of the JSON text in the safetensors metadata.
pub const METADATA_KEY: &str = "bitline.network";
/// A layer of this kind reads all its inputs at once.
const DENSE: &str = "dense";
/// A layer of this kind moves over a map, as its field `convolution` says.
const CONVOLUTION: &str = "convolution";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format_version: u64,
    name: String,
    layers: Vec<LayerMetadata>,
    provenance: Provenance,
    epochs: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerMetadata {
    kind: String,
    inputs: usize,
    outputs: usize,
    weight_bits: usize,
    input_bits: usize,
    bias_code: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    convolution: Option<Convolution>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activation_bits: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<Pool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale_factor: Option<f64>,
    float: bool,
}

/// A tensor about to be written.
pub struct OwnedTensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

macro_rules! owned {
    ($function:ident, $element:ty, $dtype:ident) => {
        /// Make a tensor of this element type, little-endian.
        pub fn $function(
            name: impl Into<String>,
            shape: &[usize],
            values: impl IntoIterator<Item = $element>,
        ) -> OwnedTensor {
            let bytes = values.into_iter().flat_map(|v| v.to_le_bytes()).collect();
            OwnedTensor { name: name.into(), dtype: Dtype::$dtype, shape: shape.to_vec(), bytes }
        }
    };
}
owned!(i8_tensor, i8, I8);
owned!(u16_tensor, u16, U16);
owned!(i32_tensor, i32, I32);
owned!(u32_tensor, u32, U32);
owned!(f32_tensor, f32, F32);
owned!(f64_tensor, f64, F64);

/// Serialize tensors and one metadata text; the same arguments give the same bytes.
pub fn pack(tensors: &[OwnedTensor], key: &str, metadata: String) -> Vec<u8> {
    let views = tensors.iter().map(|t| {
        let view = TensorView::new(t.dtype, t.shape.clone(), &t.bytes).expect("shape and bytes agree by construction");
        (t.name.as_str(), view)
    });
    safetensors::serialize(views, Some(HashMap::from([(key.to_string(), metadata)]))).expect("sizes are in memory")
}

/// A safetensors file being read: tensors are taken by name, and none may be left.
pub struct Reader<'a> {
    file: &'a str,
    tensors: SafeTensors<'a>,
    unread: BTreeSet<String>,
    metadata: String,
}

impl<'a> Reader<'a> {
    /// Open the bytes of a safetensors file whose metadata has `key`.
    ///
    /// # Errors
    /// [`NetworkError::Container`], [`NetworkError::NotOurs`].
    pub fn new(file: &'a str, bytes: &'a [u8], key: &'static str, kind: &'static str) -> Result<Self, NetworkError> {
        let container =
            |e: safetensors::SafeTensorError| NetworkError::Container { file: file.into(), reason: e.to_string() };
        let tensors = SafeTensors::deserialize(bytes).map_err(container)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(container)?;
        let metadata = header.metadata().as_ref().and_then(|map| map.get(key)).cloned();
        let metadata = metadata.ok_or(NetworkError::NotOurs { file: file.into(), key, kind })?;
        let unread = tensors.names().into_iter().map(String::from).collect();
        Ok(Self { file, tensors, unread, metadata })
    }

    /// Parse the metadata after checking its `format_version`.
    ///
    /// # Errors
    /// [`NetworkError::Metadata`], [`NetworkError::FormatVersion`].
    pub fn metadata<T: for<'de> Deserialize<'de>>(&self, supported: u64) -> Result<T, NetworkError> {
        let failed = |e: serde_json::Error| NetworkError::Metadata { file: self.file.into(), reason: e.to_string() };
        #[derive(Deserialize)]
        struct Version {
            format_version: u64,
        }
        let found = serde_json::from_str::<Version>(&self.metadata).map_err(failed)?.format_version;
        if found != supported {
            return Err(NetworkError::FormatVersion { file: self.file.into(), found, supported });
        }
        serde_json::from_str(&self.metadata).map_err(failed)
    }

    fn take(
        &mut self,
        name: &str,
        dtype: Dtype,
        type_name: &'static str,
        shape: &[usize],
    ) -> Result<&'a [u8], NetworkError> {
        let (file, tensor) = (self.file.to_string(), name.to_string());
        let Ok(view) = self.tensors.tensor(name) else { return Err(NetworkError::MissingTensor { file, tensor }) };
        if view.dtype() != dtype {
            let found = format!("{:?}", view.dtype());
            return Err(NetworkError::ElementType { file, tensor, found, expected: type_name });
        }
        if view.shape() != shape {
            let (found, expected) = (view.shape().to_vec(), shape.to_vec());
            return Err(NetworkError::TensorShape { file, tensor, found, expected });
        }
        self.unread.remove(name);
        Ok(view.data())
    }

    fn finite(&self, name: &str, values: impl Iterator<Item = f64>) -> Result<(), NetworkError> {
        match values.enumerate().find(|(_, v)| !v.is_finite()) {
            None => Ok(()),
            Some((index, value)) => {
                Err(NetworkError::NotFinite { file: self.file.into(), tensor: name.into(), index, value })
            }
        }
    }

    /// Take an I8 tensor. See [`NetworkError`] for what can be wrong with it.
    pub fn i8(&mut self, name: &str, shape: &[usize]) -> Result<Vec<i8>, NetworkError> {
        Ok(self.take(name, Dtype::I8, "I8", shape)?.iter().map(|b| *b as i8).collect())
    }

    /// Shape of a tensor; none if there is no such tensor.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.tensor(name).ok().map(|view| view.shape().to_vec())
    }

    /// Take a U16 tensor. See [`NetworkError`] for what can be wrong with it.
    pub fn u16(&mut self, name: &str, shape: &[usize]) -> Result<Vec<u16>, NetworkError> {
        let bytes = self.take(name, Dtype::U16, "U16", shape)?;
        Ok(bytes.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b)).collect())
    }

    /// Take an I32 tensor. See [`NetworkError`] for what can be wrong with it.
    pub fn i32(&mut self, name: &str, shape: &[usize]) -> Result<Vec<i32>, NetworkError> {
        let bytes = self.take(name, Dtype::I32, "I32", shape)?;
        Ok(bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect())
    }

    /// Take a U32 tensor. See [`NetworkError`] for what can be wrong with it.
    pub fn u32(&mut self, name: &str, shape: &[usize]) -> Result<Vec<u32>, NetworkError> {
        let bytes = self.take(name, Dtype::U32, "U32", shape)?;
        Ok(bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
    }

    /// Take an F32 tensor of finite values. See [`NetworkError`] for what can be wrong with it.
    pub fn f32(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, NetworkError> {
        let bytes = self.take(name, Dtype::F32, "F32", shape)?;
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        self.finite(name, values.iter().map(|v| f64::from(*v)))?;
        Ok(values)
    }

    /// Take an F64 tensor of finite values. See [`NetworkError`] for what can be wrong with it.
    pub fn f64(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f64>, NetworkError> {
        let bytes = self.take(name, Dtype::F64, "F64", shape)?;
        let values: Vec<f64> = bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        self.finite(name, values.iter().copied())?;
        Ok(values)
    }

    /// Take the training history of `epochs` epochs.
    ///
    /// # Errors
    /// Those of the tensors.
    pub fn history(&mut self, epochs: usize) -> Result<Vec<EpochRecord>, NetworkError> {
        if epochs == 0 {
            return Ok(Vec::new());
        }
        let shape = [epochs];
        let train_loss = self.f64("history.train_loss", &shape)?;
        let test_loss = self.f64("history.test_loss", &shape)?;
        let train_correct = self.u32("history.train_correct", &shape)?;
        let test_correct = self.u32("history.test_correct", &shape)?;
        let record = |i: usize| EpochRecord {
            epoch: i + 1,
            train_loss: train_loss[i],
            test_loss: test_loss[i],
            train_correct: train_correct[i] as usize,
            test_correct: test_correct[i] as usize,
        };
        Ok((0..epochs).map(record).collect())
    }

    /// Refuse the file if it holds a tensor that nobody took.
    ///
    /// # Errors
    /// [`NetworkError::UnknownTensor`].
    pub fn finish(self) -> Result<(), NetworkError> {
        match self.unread.into_iter().next() {
            None => Ok(()),
            Some(tensor) => Err(NetworkError::UnknownTensor { file: self.file.into(), tensor }),
        }
    }
}

/// Tensors of a training history; none for an empty one.
pub fn history_tensors(history: &[EpochRecord]) -> Vec<OwnedTensor> {
    if history.is_empty() {
        return Vec::new();
    }
    let shape = [history.len()];
    vec![
        f64_tensor("history.train_loss", &shape, history.iter().map(|e| e.train_loss)),
        f64_tensor("history.test_loss", &shape, history.iter().map(|e| e.test_loss)),
        u32_tensor("history.train_correct", &shape, history.iter().map(|e| e.train_correct as u32)),
        u32_tensor("history.test_correct", &shape, history.iter().map(|e| e.test_correct as u32)),
    ]
}

/// Write `bytes` beside `path` and onto the disk, then rename: a reader never sees half a file, nor does one after a power cut.
///
/// # Errors
/// [`NetworkError::Io`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), NetworkError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let failed = |e: std::io::Error| NetworkError::Io {
        file: path.display().to_string(),
        action: "written",
        reason: e.to_string(),
    };
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        sync_folder(path)
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(&beside);
        failed(e)
    })
}

/// Put a file's name onto the disk: it is there when its folder is.
///
/// # Errors
/// Those of the folder.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Read a whole file.
///
/// # Errors
/// [`NetworkError::Io`].
pub fn read_whole(path: &Path) -> Result<Vec<u8>, NetworkError> {
    let file = path.display().to_string();
    std::fs::read(path).map_err(|e| NetworkError::Io { file, action: "read", reason: e.to_string() })
}

impl Network {
    /// Serialize; the same network gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut tensors = history_tensors(&self.history);
        for (n, layer) in self.layers.iter().enumerate() {
            let shape = layer.weights.shape();
            tensors.push(i8_tensor(format!("layers.{n}.weights"), shape, layer.weights.iter().copied()));
            tensors.push(i8_tensor(format!("layers.{n}.biases"), &shape[..1], layer.biases.iter().copied()));
            if let Some(Activation { thresholds, .. }) = &layer.activation {
                let name = format!("layers.{n}.thresholds");
                tensors.push(i32_tensor(name, thresholds.shape(), thresholds.iter().copied()));
            }
            if let Some(float) = &layer.float {
                tensors.push(f32_tensor(format!("layers.{n}.float_weights"), shape, float.weights.iter().copied()));
                tensors.push(f32_tensor(format!("layers.{n}.float_biases"), &shape[..1], float.biases.iter().copied()));
            }
        }
        let layers = self.layers.iter().map(|layer| LayerMetadata {
            kind: match layer.geometry {
                Geometry::Dense => DENSE.into(),
                Geometry::Convolution(_) => CONVOLUTION.into(),
            },
            inputs: layer.inputs(),
            outputs: layer.outputs(),
            weight_bits: layer.weight_bits,
            input_bits: layer.input_bits,
            bias_code: layer.bias_code,
            convolution: match layer.geometry {
                Geometry::Dense => None,
                Geometry::Convolution(convolution) => Some(convolution),
            },
            activation_bits: layer.activation.as_ref().map(|activation| activation.bits),
            pool: layer.pool,
            scale_factor: layer.scale_factor,
            float: layer.float.is_some(),
        });
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            name: self.name.clone(),
            layers: layers.collect(),
            provenance: self.provenance.clone(),
            epochs: self.history.len(),
        };
        pack(&tensors, METADATA_KEY, serde_json::to_string(&metadata).expect("plain data"))
    }

    /// Write the network to a safetensors file.
    ///
    /// # Errors
    /// Those of [`Network::check`], and [`NetworkError::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), NetworkError> {
        self.check()?;
        write_whole(path.as_ref(), &self.to_bytes())
    }

    /// Read and check a network file.
    ///
    /// # Errors
    /// [`NetworkError`] says what is wrong, where, and what to do.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, NetworkError> {
        let bytes = read_whole(path.as_ref())?;
        Self::from_bytes(&path.as_ref().display().to_string(), &bytes)
    }

    /// Read and check the bytes of a network file; `file` is the name that errors use.
    ///
    /// # Errors
    /// [`NetworkError`] says what is wrong, where, and what to do.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self, NetworkError> {
        let mut reader = Reader::new(file, bytes, METADATA_KEY, "network")?;
        let metadata: Metadata = reader.metadata(FORMAT_VERSION)?;
        let mut layers = Vec::new();
        for (n, layer) in metadata.layers.into_iter().enumerate() {
            let geometry = match (layer.kind.as_str(), layer.convolution) {
                (DENSE, None) => Geometry::Dense,
                (CONVOLUTION, Some(convolution)) => Geometry::Convolution(convolution),
                (DENSE | CONVOLUTION, _) => {
                    let reason = format!("layer {n} of kind {:?} and its field `convolution` disagree", layer.kind);
                    return Err(NetworkError::Metadata { file: file.into(), reason });
                }
                _ => return Err(NetworkError::LayerKind { file: file.into(), layer: n, kind: layer.kind }),
            };
            let shape = [layer.outputs, layer.inputs];
            let outputs = [layer.outputs];
            let weights = reader.i8(&format!("layers.{n}.weights"), &shape)?;
            let biases = reader.i8(&format!("layers.{n}.biases"), &outputs)?;
            let activation = match layer.activation_bits {
                None => None,
                Some(bits @ 1..=8) => {
                    let shape = [layer.outputs, Activation::levels(bits)];
                    let thresholds = reader.i32(&format!("layers.{n}.thresholds"), &shape)?;
                    Some(Activation { bits, thresholds: array(shape, thresholds) })
                }
                Some(bits) => {
                    let reason = format!("layer {n} has codes of {bits} bits");
                    return Err(NetworkError::Metadata { file: file.into(), reason });
                }
            };
            let float = if layer.float {
                let weights = reader.f32(&format!("layers.{n}.float_weights"), &shape)?;
                let biases = reader.f32(&format!("layers.{n}.float_biases"), &outputs)?;
                Some(FloatLayer { weights: array(shape, weights), biases })
            } else {
                None
            };
            layers.push(Layer {
                geometry,
                activation,
                pool: layer.pool,
                weights: array(shape, weights),
                biases,
                weight_bits: layer.weight_bits,
                input_bits: layer.input_bits,
                bias_code: layer.bias_code,
                scale_factor: layer.scale_factor,
                float,
            });
        }
        let history = reader.history(metadata.epochs)?;
        reader.finish()?;
        let network = Self { name: metadata.name, layers, provenance: metadata.provenance, history };
        network.check()?;
        Ok(network)
    }
}

fn array<T>(shape: [usize; 2], values: Vec<T>) -> Array2<T> {
    Array2::from_shape_vec(shape, values).expect("the reader checked the shape")
}

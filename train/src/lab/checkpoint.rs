//! A run between two epochs, on disk: one safetensors file.
//!
//! For layer n: `layers.n.weights` F32 `[input][output]` as they are stored, `layers.n.biases`, and `.first` and `.second` of
//! both, the optimizer's state; with batch normalisation `.scale`, in the same way, and its running `.mean` and `.variance`; with a
//! trained threshold `.threshold` of one number, in the same way; for the module of synthetic gradients at hidden layer n `modules.n.weights` and, if it has a
//! hidden layer, `modules.n.hidden` in the same way. Settings, data checksum, lines and seconds are JSON under the metadata key
//! `bitline.lab`.

use super::config::RunConfig;
use super::model::{Model, Parameter};
use super::record::{EpochLine, LabData};
use super::training::State;
use crate::TrainError;
use bitline_golden::network::file::{self, Reader, f32_tensor, pack};
use serde::{Deserialize, Serialize};
use std::path::Path;

const FORMAT_VERSION: u64 = 1;
const METADATA_KEY: &str = "bitline.lab";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format_version: u64,
    config: RunConfig,
    data_sha256: String,
    lines: Vec<EpochLine>,
    seconds: f64,
    version: String,
}

/// A vector of numbers with its name and shape.
type Named<'a> = (String, Vec<usize>, &'a mut Vec<f32>);

/// Those of one parameter.
fn named<'a>(name: &str, shape: &[usize], parameter: &'a mut Parameter) -> [Named<'a>; 3] {
    let Parameter { value, first, second } = parameter;
    let shape = || shape.to_vec();
    [
        (name.into(), shape(), value),
        (format!("{name}.first"), shape(), first),
        (format!("{name}.second"), shape(), second),
    ]
}

/// Those of a model.
fn vectors(model: &mut Model) -> Vec<Named<'_>> {
    let mut vectors = Vec::new();
    for (index, layer) in model.layers.iter_mut().enumerate() {
        let shape = [layer.inputs, layer.outputs];
        vectors.extend(named(&format!("layers.{index}.weights"), &shape, &mut layer.weights));
        vectors.extend(named(&format!("layers.{index}.biases"), &shape[1..], &mut layer.biases));
        if let Some(norm) = &mut layer.norm {
            vectors.extend(named(&format!("layers.{index}.scale"), &shape[1..], &mut norm.scale));
            vectors.push((format!("layers.{index}.mean"), shape[1..].to_vec(), &mut norm.mean));
            vectors.push((format!("layers.{index}.variance"), shape[1..].to_vec(), &mut norm.variance));
        }
        if let Some(threshold) = &mut layer.threshold {
            vectors.extend(named(&format!("layers.{index}.threshold"), &[1], threshold));
        }
    }
    for (index, module) in model.modules.iter_mut().enumerate() {
        let (inputs, rows, units) = (module.inputs(), module.rows(), module.units);
        vectors.extend(named(&format!("modules.{index}.weights"), &[rows, units], &mut module.weights));
        if let Some(hidden) = &mut module.hidden {
            vectors.extend(named(&format!("modules.{index}.hidden"), &[inputs, rows], hidden));
        }
    }
    vectors
}

/// Write; the same state gives the same bytes.
pub(crate) fn save(path: &Path, config: &RunConfig, data: &LabData, state: &State) -> Result<(), TrainError> {
    let metadata = Metadata {
        format_version: FORMAT_VERSION,
        config: config.clone(),
        data_sha256: data.sha256.clone(),
        lines: state.lines.clone(),
        seconds: state.seconds,
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let mut model = state.model.clone();
    let tensors: Vec<_> = vectors(&mut model)
        .into_iter()
        .map(|(name, shape, values)| f32_tensor(name, &shape, values.iter().copied()))
        .collect();
    let text = serde_json::to_string(&metadata).expect("plain data");
    Ok(file::write_whole(path, &pack(&tensors, METADATA_KEY, text))?)
}

/// Read what the same configuration on the same data left.
pub(crate) fn load(path: &Path, config: &RunConfig, data: &LabData, state: &mut State) -> Result<(), TrainError> {
    let bytes = file::read_whole(path)?;
    let name = path.display().to_string();
    let mut reader = Reader::new(&name, &bytes, METADATA_KEY, "checkpoint of a lab run")?;
    let metadata: Metadata = reader.metadata(FORMAT_VERSION)?;
    let json = |config: &RunConfig| serde_json::to_string(config).expect("plain data");
    let pairs = [
        ("settings", json(&metadata.config), json(config)),
        ("data checksum", metadata.data_sha256.clone(), data.sha256.clone()),
    ];
    for (field, found, expected) in pairs {
        if found != expected {
            return Err(TrainError::CheckpointDiffers { field, found, expected });
        }
    }
    for (name, shape, values) in vectors(&mut state.model) {
        *values = reader.f32(&name, &shape)?;
    }
    reader.finish()?;
    state.lines = metadata.lines;
    state.seconds = metadata.seconds;
    Ok(())
}

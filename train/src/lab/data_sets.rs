//! The data sets that runs share, each read once; what a sweep sees of the lab.

use super::config::RunConfig;
use super::record::{LabData, RunOutcome};
use crate::TrainError;
use crate::image_set::DataSet;
use crate::sweep::Lab;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

/// Data sets below one folder, read when a run first asks for them.
#[derive(Debug)]
pub struct DataSets {
    folder: Option<PathBuf>,
    sets: [OnceLock<Result<LabData, TrainError>>; DataSet::ALL.len()],
}

impl DataSets {
    /// Those of a folder: a set's four files lie in it, or in a folder in it that has the set's name (`mnist`, `fashion-mnist`),
    /// which is looked at first. Sets that are built in need none.
    pub fn new(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(Path::to_path_buf), sets: [const { OnceLock::new() }; DataSet::ALL.len()] }
    }

    /// A set.
    ///
    /// # Errors
    /// Those of [`DataSet::load`].
    pub fn get(&self, set: DataSet) -> Result<&LabData, TrainError> {
        let index = DataSet::ALL.iter().position(|known| *known == set).expect("ALL has every set");
        let load = || {
            let folder = self.folder.as_ref().map(|folder| {
                let own = folder.join(set.to_string());
                if own.is_dir() { own } else { folder.clone() }
            });
            LabData::load(set, folder.as_deref())
        };
        self.sets[index].get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

impl Lab for DataSets {
    type Config = RunConfig;

    fn check(&self, config: &RunConfig) -> Result<(), TrainError> {
        config.check(config.data_set.training_images())
    }

    /// The checksum that the set's files are held against when they are read.
    fn data_sha256(&self, config: &RunConfig) -> Result<String, TrainError> {
        Ok(config.data_set.sha256())
    }

    fn epochs(&self, config: &RunConfig) -> usize {
        config.epochs
    }

    fn run(
        &self,
        config: &RunConfig,
        checkpoint: &Path,
        progress: &mut dyn FnMut(usize),
        cancel: &AtomicBool,
    ) -> Result<Vec<Value>, TrainError> {
        let data = self.get(config.data_set)?;
        match super::run(config, data, Some(checkpoint), &mut |line| progress(line.epoch), cancel)? {
            RunOutcome::Finished(record) => {
                Ok(record.epochs.iter().map(|line| serde_json::to_value(line).expect("plain data")).collect())
            }
            RunOutcome::Stopped { done } => Err(TrainError::Cancelled { done, total: config.epochs, what: "epochs" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Algorithm, Hidden};
    use crate::sweep::folder::Folder;
    use crate::sweep::runner;

    #[test]
    fn sweep_of_the_lab_records_what_the_runs_give() {
        let path = std::env::temp_dir().join(format!("bitline-lab-sweep-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        let lab = DataSets::new(None);
        let mut config = RunConfig::new(DataSet::Digits, Hidden { layers: 1, units: 8 }, Algorithm::Backpropagation, 2);
        config.batch = 100;
        let folder = Folder::take(&path).unwrap();
        let summary = runner::run(&lab, &[config.clone()], &folder, 1, &mut |_| (), &AtomicBool::new(false)).unwrap();
        assert!(summary.is_complete());
        let records = crate::sweep::record::read(&folder.records()).unwrap().records;
        let RunOutcome::Finished(alone) =
            crate::lab::run(&config, lab.get(DataSet::Digits).unwrap(), None, &mut |_| (), &AtomicBool::new(false))
                .unwrap()
        else {
            panic!("nobody stops it")
        };
        assert_eq!(
            records[0].epochs,
            alone.epochs.iter().map(|l| serde_json::to_value(l).unwrap()).collect::<Vec<_>>()
        );
        assert_eq!(records[0].data_sha256, alone.data_sha256);
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn set_without_its_folder_says_where_to_get_it() {
        let error = DataSets::new(None).get(DataSet::FashionMnist).unwrap_err().to_string();
        assert!(error.contains("dataset-fashion-mnist") && error.contains("--data"), "{error}");
        let config = RunConfig::new(DataSet::Mnist, Hidden { layers: 1, units: 8 }, Algorithm::Backpropagation, 1);
        let lab = DataSets::new(None);
        assert!(lab.check(&RunConfig { held_out: 60_000, ..config }).is_err());
    }
}

//! The report of a sweep: S003's figures, tables and hypotheses, from the records of runs of the lab.
//!
//! One HTML page, and beside it an SVG and a CSV of each figure and a CSV of each table. The same records and command give the
//! same bytes. What no record says is named as missing.

mod error;
pub mod figures;
pub mod finding;
pub mod grid;
pub mod hypotheses;
pub mod noise_evaluation;
mod page;
pub mod panels;
pub mod post_training;
pub mod runs;
pub mod s002;
pub mod s003;
pub mod statistics;
pub mod tables;

#[cfg(test)]
mod tests;

pub use error::SweepReportError;
pub use panels::Panels;
pub use tables::Table;

use crate::report::ReportError;
use finding::Finding;
use grid::Grid;

use runs::{Cell, Runs, name};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Everything that the page shows.
#[derive(Debug, Clone)]
pub struct SweepReport {
    /// What was read.
    pub runs: Runs,
    /// The command that makes this report again.
    pub command: String,
    /// S003's grid.
    pub grid: Grid,
    /// S003's hypotheses, measured.
    pub findings: Vec<Finding>,
    /// Tables 6.1 and 6.2, and the digits'.
    pub full_precision: Vec<Table>,
    /// A table a set, quantizer and range.
    pub quantized: Vec<Table>,
    /// A figure a set.
    pub bits: Vec<Panels>,
    /// Where weights live.
    pub storages: Vec<Panels>,
    /// Quantized after training against trained on the levels.
    pub post_training: Vec<Panels>,
    /// Noise in training.
    pub noise: Vec<Panels>,
    /// Noise after training, and its numbers beside S002's.
    pub noise_evaluation: (Vec<Panels>, Vec<Table>),
}

impl SweepReport {
    /// Count and compare.
    pub fn new(runs: Runs, command: String) -> Self {
        let groups = runs.groups();
        let grid = Grid::new(&groups);
        let sets = &grid.data_sets;
        let quantized = sets
            .iter()
            .filter(|set| grid.has_quantized(**set))
            .flat_map(|set| s003::QUANTIZERS.map(|quantizer| (*set, quantizer)))
            .flat_map(|(set, quantizer)| s003::RANGES.map(|range| tables::quantized(&grid, set, quantizer, range)))
            .collect();
        Self {
            findings: hypotheses::findings(&grid, &groups),
            full_precision: sets.iter().map(|set| tables::full_precision(&grid, *set)).collect(),
            quantized,
            bits: sets.iter().filter_map(|set| figures::bits(&grid, *set)).collect(),
            storages: figures::storages(&groups),
            post_training: post_training::figures(&runs),
            noise: figures::noise(&groups),
            noise_evaluation: noise_evaluation::drawn(&runs),
            command,
            grid,
            runs,
        }
    }

    /// Runs that diverged.
    pub fn diverged(&self) -> usize {
        self.runs.runs.iter().filter(|run| run.accuracy.is_none()).count()
    }

    /// Runs in the grid that diverged.
    fn grid_diverged(&self) -> usize {
        self.grid.cells().map(|cell| cell.diverged).sum()
    }

    fn figures(&self) -> impl Iterator<Item = &Panels> {
        self.bits
            .iter()
            .chain(&self.storages)
            .chain(&self.post_training)
            .chain(&self.noise)
            .chain(&self.noise_evaluation.0)
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        let findings = self.findings.iter().map(|finding| &finding.table);
        self.full_precision.iter().chain(&self.quantized).chain(&self.noise_evaluation.1).chain(findings)
    }

    /// The page.
    ///
    /// # Errors
    /// [`ReportError::Figure`].
    pub fn html(&self) -> Result<String, ReportError> {
        page::html(self)
    }

    /// Every file: its name and its text. Files of tables without a row are left out.
    ///
    /// # Errors
    /// [`ReportError::Figure`].
    pub fn files(&self) -> Result<Vec<(String, String)>, ReportError> {
        let mut files = vec![("report.html".to_string(), self.html()?)];
        for panels in self.figures() {
            files.push((format!("{}.svg", panels.name), panels.paper_svg()?));
            files.push((format!("{}.csv", panels.name), panels.csv()));
        }
        for table in self.tables().filter(|table| !table.rows.is_empty()) {
            files.push((format!("{}.csv", table.name), table.csv()));
        }
        Ok(files)
    }

    /// Write every file into a folder, which is made where it is not there; the paths written.
    ///
    /// # Errors
    /// [`ReportError::Figure`], [`ReportError::Write`].
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
        let fault = |file: &Path, e: &std::io::Error| ReportError::Write { file: file.into(), reason: e.to_string() };
        std::fs::create_dir_all(folder).map_err(|e| fault(folder, &e))?;
        let mut written = Vec::new();
        for (name, text) in self.files()? {
            let file = folder.join(name);
            std::fs::write(&file, text).map_err(|e| fault(&file, &e))?;
            written.push(file);
        }
        Ok(written)
    }

    /// The numbers for a program.
    pub fn json(&self) -> Value {
        let mut full = Vec::new();
        let mut missing = serde_json::Map::new();
        for set in &self.grid.data_sets {
            for hidden in &self.grid.architectures(*set) {
                for algorithm in bitline_train::lab::Algorithm::ALL {
                    let cell = self.grid.full(*set, *hidden, algorithm);
                    full.push(json!({
                        "data_set": set, "hidden": hidden, "algorithm": algorithm,
                        "mean_percent": cell.and_then(Cell::mean), "deviation_points": cell.and_then(Cell::deviation),
                        "seeds": cell.map_or(0, |cell| cell.accuracies.len()),
                        "diverged": cell.map_or(0, |cell| cell.diverged),
                        "s003_percent": s003::full_precision(*set, *hidden, algorithm),
                    }));
                }
            }
            if s003::SETS.contains(set) {
                missing.insert(name(set), self.grid.missing(*set).len().into());
            }
        }
        let finding = |finding: &Finding| {
            json!({ "name": finding.name, "statement": finding.statement, "s003": finding.s003, "told": finding.told(),
                    "verdict": finding.verdict })
        };
        json!({
            "runs": self.runs.runs.len(), "diverged": self.diverged(), "missing_of_grid": missing,
            "seconds": self.runs.seconds(), "full_precision": full,
            "hypotheses": self.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    }

    /// The numbers for a reader, a few lines.
    pub fn summary(&self) -> String {
        let mut text = format!(
            "{} runs, {} diverged, {:.2} h of computing (S003: {} h)\n",
            self.runs.runs.len(),
            self.diverged(),
            self.runs.seconds() / 3600.0,
            s003::HOURS
        );
        for set in self.grid.data_sets.iter().filter(|set| s003::SETS.contains(set) && self.grid.has_quantized(**set)) {
            let missing = self.grid.missing(*set).len();
            text += &format!("{}: {missing} of S003's {} places missing\n", s003::title(*set), s003::RUNS);
        }
        for finding in &self.findings {
            text += &format!("{}: {}. {}\n", finding.statement, finding.verdict.words(), finding.told());
        }
        text
    }
}

//! Tables, as HTML and as CSV.

use super::grid::{Grid, Place};
use super::runs::{Cell, name};
use super::s003;
use crate::report::markup;
use bitline_train::image_set::DataSet;
use bitline_train::lab::{Algorithm, Quantizer, Range};

/// What stands where there is no run.
pub const MISSING: &str = "missing";

/// A table: one form for the page, one for a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its file's name, without ending.
    pub name: String,
    /// What is in it; empty where the text around says so.
    pub caption: String,
    /// Heads of the page's columns; HTML.
    pub head: Vec<String>,
    /// The page's rows; HTML.
    pub rows: Vec<Vec<String>>,
    /// Rows of the CSV, its head first; plain text.
    pub plain: Vec<Vec<String>>,
}

/// Comma-separated values as RFC 4180 has them, lines ended by a newline alone.
pub fn csv(rows: &[Vec<String>]) -> String {
    let quoted = |cell: &String| {
        let plain = !cell.contains([',', '"', '\n', '\r']);
        if plain { cell.clone() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    };
    rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n").collect()
}

impl Table {
    /// For the page, under its heading.
    pub fn html(&self) -> String {
        format!("<h3>{}</h3>\n{}", markup::escape(&self.caption), self.body())
    }

    /// For the page, without a heading.
    pub fn body(&self) -> String {
        format!("{}\n<p><small>{}.csv</small></p>\n", markup::table(&self.head, &self.rows), self.name)
    }

    /// For a paper.
    pub fn csv(&self) -> String {
        csv(&self.plain)
    }
}

/// Percent with two digits.
pub fn percent(value: f64) -> String {
    format!("{value:.2}")
}

/// A difference in points, always with its sign.
pub fn points(value: f64) -> String {
    format!("{value:+.2}")
}

fn or_empty(value: Option<f64>, text: fn(f64) -> String) -> String {
    value.map_or_else(String::new, text)
}

/// Mean, deviation, runs that finished and that diverged, as a program reads them; all empty or 0 without a run.
pub fn plain_cell(cell: Option<&Cell>) -> [String; 4] {
    let Some(cell) = cell else { return [MISSING.into(), String::new(), "0".into(), "0".into()] };
    [
        cell.mean().map_or_else(|| "diverged".to_string(), percent),
        or_empty(cell.deviation(), percent),
        cell.accuracies.len().to_string(),
        cell.diverged.to_string(),
    ]
}

/// Heads of [`plain_cell`].
pub const PLAIN_CELL: [&str; 4] = ["mean_percent", "deviation_points", "seeds", "diverged"];

/// A cell for the page, what it is held against below it; `unit` is what its accuracies are of, in the singular.
pub(super) fn html_cell(cell: Option<&Cell>, beside: Option<(&str, f64)>, unit: &str) -> String {
    let reference = beside.map(|(what, value)| format!("<br><small>{what} {}</small>", percent(value)));
    let Some(cell) = cell else {
        return format!("<span class=\"absent\">{MISSING}</span>{}", reference.unwrap_or_default());
    };
    let lost = match cell.diverged {
        0 => String::new(),
        n => format!(" <span class=\"bad\">{n} diverged</span>"),
    };
    let Some(mean) = cell.mean() else { return format!("{}{}", lost.trim(), reference.unwrap_or_default()) };
    let deviation = cell.deviation().map(|deviation| format!(" \u{b1} {}", percent(deviation))).unwrap_or_default();
    let seeds = match cell.accuracies.len() {
        1 => format!("1 {unit}"),
        n => format!("{n} {unit}s"),
    };
    let difference = beside.map(|(what, value)| {
        let sign = if mean >= value { "good" } else { "bad" };
        format!("{what} {} <span class=\"{sign}\">{}</span>, ", percent(value), points(mean - value))
    });
    format!("<b>{}</b>{deviation}{lost}<br><small>{}{seeds}</small>", percent(mean), difference.unwrap_or_default())
}

fn texts<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).to_vec()
}

/// S003's table 6.1 (MNIST) or 6.2 (Fashion-MNIST), or its like for the digits: full precision, a row an architecture, a column an
/// algorithm, S003's number and the difference beside ours.
pub fn full_precision(grid: &Grid, data_set: DataSet) -> Table {
    let mut head = vec!["hidden layers".to_string()];
    head.extend(Algorithm::ALL.map(|algorithm| s003::letters(algorithm).to_string()));
    let mut plain = vec![texts(["hidden", "algorithm"])];
    plain[0].extend(texts(PLAIN_CELL));
    plain[0].extend(texts(["s003_percent", "difference_points"]));
    let mut rows = Vec::new();
    for hidden in &grid.architectures(data_set) {
        let mut row = vec![hidden.to_string()];
        for algorithm in Algorithm::ALL {
            let cell = grid.full(data_set, *hidden, algorithm);
            let published = s003::full_precision(data_set, *hidden, algorithm);
            row.push(html_cell(cell, published.map(|value| ("S003", value)), "seed"));
            let mut line = vec![hidden.to_string(), algorithm.to_string()];
            line.extend(plain_cell(cell));
            let difference = cell.and_then(Cell::mean).zip(published).map(|(mean, published)| mean - published);
            line.extend([or_empty(published, percent), or_empty(difference, points)]);
            plain.push(line);
        }
        rows.push(row);
    }
    let number = match data_set {
        DataSet::Mnist => " (S003, table 6.1)",
        DataSet::FashionMnist => " (S003, table 6.2)",
        DataSet::Digits => "",
    };
    Table {
        name: format!("full-precision-{}", name(&data_set)),
        caption: format!("Full precision on {}{number}, percent of the test images", s003::title(data_set)),
        head,
        rows,
        plain,
    }
}

/// Quantized in place: a row an algorithm and architecture, a column a number of bits; the last column is full precision.
pub fn quantized(grid: &Grid, data_set: DataSet, quantizer: Quantizer, range: Range) -> Table {
    let mut head = texts(["algorithm", "hidden layers"]);
    head.extend(s003::BITS.map(|bits| format!("{bits} bits")));
    head.push("full precision".into());
    let mut plain = vec![texts(["algorithm", "hidden", "bits"])];
    plain[0].extend(texts(PLAIN_CELL));
    plain[0].extend(texts(["full_precision_percent", "difference_points"]));
    let mut rows = Vec::new();
    for algorithm in Algorithm::ALL {
        for hidden in &grid.architectures(data_set) {
            let full = grid.full(data_set, *hidden, algorithm);
            let mean = full.and_then(Cell::mean);
            let mut row = vec![s003::letters(algorithm).to_string(), hidden.to_string()];
            for bits in s003::BITS {
                let cell = grid.quantized(&Place { data_set, hidden: *hidden, algorithm, quantizer, range, bits });
                row.push(html_cell(cell, None, "seed"));
                let mut line = vec![algorithm.to_string(), hidden.to_string(), bits.to_string()];
                line.extend(plain_cell(cell));
                let difference = cell.and_then(Cell::mean).zip(mean).map(|(cell, full)| cell - full);
                line.extend([or_empty(mean, percent), or_empty(difference, points)]);
                plain.push(line);
            }
            row.push(html_cell(full, None, "seed"));
            rows.push(row);
        }
    }
    let (q, r) = (name(&quantizer), name(&range));
    Table {
        name: format!("quantized-{}-{q}-{r}", name(&data_set)),
        caption: format!("{q}, {r} range, in place, on {}, percent of the test images", s003::title(data_set)),
        head,
        rows,
        plain,
    }
}

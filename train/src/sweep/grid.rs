//! A study's file, and the runs it stands for.
//!
//! ```toml
//! name = "bits"
//! [defaults]                      # keys of every run; a list here is one value
//! epochs = 20
//! [[grid]]                        # a list here is an axis: 3 x 2 runs
//! seed = [0, 1, 2]
//! quantization.bits = [3, 8]
//! ```
//!
//! Runs are the product of a table's axes in the order of the keys' names, the last one turning fastest; tables follow each other
//! and a run that occurs twice is kept once. A key's value that is itself a list is a list in the axis.

use super::{Lab, SweepError};
use std::collections::HashSet;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// A study: its name and its runs, without duplicates.
#[derive(Debug, Clone)]
pub struct Study<C> {
    /// The name.
    pub name: String,
    /// The runs.
    pub runs: Vec<C>,
}

/// A key's path, the line it stands on, its values.
#[derive(Debug, Clone)]
struct Axis {
    path: Vec<String>,
    line: usize,
    values: Vec<Value>,
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|&&byte| byte == b'\n').count()
}

/// What errors need to know of the file.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn error(&self, line: usize, key: impl Into<String>, reason: impl Into<String>) -> SweepError {
        SweepError::Study { file: self.file.into(), line, key: key.into(), reason: reason.into() }
    }

    /// The leaves of a table; with `lists` a leaf's list is an axis, without it one value.
    fn axes(&self, table: &DeTable<'_>, path: &[String], lists: bool) -> Result<Vec<Axis>, SweepError> {
        let mut axes = Vec::new();
        for (key, value) in table {
            let path = [path, &[key.get_ref().to_string()]].concat();
            let line = line_of(self.text, key.span().start);
            let dotted = || path.join(".");
            match value.get_ref() {
                DeValue::Table(inner) if !inner.is_empty() => axes.extend(self.axes(inner, &path, lists)?),
                DeValue::Array(items) if lists => {
                    if items.is_empty() {
                        return Err(self.error(line, dotted(), "the list is empty; give at least one value"));
                    }
                    let values: Vec<Value> = items.iter().map(plain).collect();
                    if let Some(twice) = (1..values.len()).find(|&i| values[..i].contains(&values[i])) {
                        let reason = format!("{} stands in the list twice; leave one out", values[twice]);
                        return Err(self.error(line, dotted(), reason));
                    }
                    axes.push(Axis { path, line, values });
                }
                _ => axes.push(Axis { path, line, values: vec![plain(value)] }),
            }
        }
        Ok(axes)
    }
}

/// A value without its place in the file.
fn plain(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.to_string()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.as_str().into()), Value::Float)
        }
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(time) => Value::Datetime(*time),
        DeValue::Array(items) => Value::Array(items.iter().map(plain).collect()),
        DeValue::Table(table) => {
            Value::Table(table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value))).collect())
        }
    }
}

/// Put a value at a path. A plain value that is in the way of a table gives way.
fn put(table: &mut Table, path: &[String], value: Value) {
    let [first, rest @ ..] = path else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let inner = table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new()));
    if !inner.is_table() {
        *inner = Value::Table(Table::new());
    }
    if let Value::Table(inner) = inner {
        put(inner, rest, value);
    }
}

/// Every choice of one value an axis, the last axis turning fastest.
fn choices(axes: &[Axis]) -> Vec<Vec<usize>> {
    axes.iter().fold(vec![Vec::new()], |chosen, axis| {
        chosen.iter().flat_map(|c| (0..axis.values.len()).map(move |i| [c.as_slice(), &[i]].concat())).collect()
    })
}

fn table_of(axes: &[Axis], choice: &[usize], without: Option<usize>) -> Table {
    let mut table = Table::new();
    for (index, (axis, &value)) in axes.iter().zip(choice).enumerate() {
        if Some(index) != without {
            put(&mut table, &axis.path, axis.values[value].clone());
        }
    }
    table
}

/// The text of a serde error, in one line.
fn reason_of(error: &toml::de::Error) -> String {
    error.message().trim().replace('\n', " ")
}

/// Read a study and expand it; `file` is the name that errors use.
///
/// # Errors
/// [`SweepError::Study`] with file, line and key.
pub fn read<L: Lab>(lab: &L, file: &str, text: &str) -> Result<Study<L::Config>, SweepError> {
    let source = Source { file, text };
    let root = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        source.error(line, "study", reason_of(&error))
    })?;
    let (mut name, mut defaults, mut grids) = (None, Vec::new(), Vec::new());
    for (key, value) in root.get_ref() {
        let line = line_of(text, key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("name", DeValue::String(given)) => name = Some(given.to_string()),
            ("defaults", DeValue::Table(table)) => defaults = source.axes(table, &[], false)?,
            ("grid", DeValue::Array(tables)) => {
                for table in tables.iter() {
                    let line = line_of(text, table.span().start);
                    let DeValue::Table(inner) = table.get_ref() else {
                        return Err(source.error(line, "grid", "is not a table; write [[grid]]"));
                    };
                    grids.push((line, source.axes(inner, &[], true)?));
                }
            }
            ("name" | "defaults" | "grid", _) => {
                return Err(source.error(
                    line,
                    key.get_ref().as_ref(),
                    "is of the wrong kind; write name = \"...\", [defaults], [[grid]]",
                ));
            }
            (other, _) => {
                return Err(source.error(line, other, "is not a key of a study, which has name, defaults and grid"));
            }
        }
    }
    let name = name.ok_or_else(|| source.error(1, "name", "is missing; begin with name = \"...\""))?;
    if grids.is_empty() {
        return Err(source.error(1, "grid", "is missing; add a table [[grid]] with a list of values for a key"));
    }
    let (mut runs, mut seen) = (Vec::new(), HashSet::new());
    for (line, own) in grids {
        // A grid's key takes the place of a default of the same path, or of one above or below it that is no table in the grid.
        let covers = |d: &Axis| {
            own.iter().any(|a| a.path == d.path || d.path.starts_with(&a.path) || a.path.starts_with(&d.path))
        };
        let mut axes: Vec<Axis> = defaults.iter().filter(|d| !covers(d)).cloned().collect();
        axes.extend(own.iter().cloned());
        for choice in choices(&axes) {
            let config = config_of(lab, &axes, &choice, None).map_err(|reason| {
                let culprit = (0..axes.len()).rev().find(|&i| config_of(lab, &axes, &choice, Some(i)).is_ok());
                // Without a key that every run needs the rest is refused as well; then the reason begins with its name.
                let named = |axis: &Axis| reason.split(' ').next() == axis.path.last().map(String::as_str);
                let culprit = culprit.or_else(|| axes.iter().position(named));
                match culprit {
                    Some(i) => {
                        let value = &axes[i].values[choice[i]];
                        source.error(axes[i].line, axes[i].path.join("."), format!("{value} is refused: {reason}"))
                    }
                    None => source.error(line, "grid", reason),
                }
            })?;
            let value = serde_json::to_value(&config).expect("a configuration is plain data");
            if seen.insert(super::record::canonical(&value)) {
                runs.push(config);
            }
        }
    }
    Ok(Study { name, runs })
}

fn config_of<L: Lab>(lab: &L, axes: &[Axis], choice: &[usize], without: Option<usize>) -> Result<L::Config, String> {
    let config: L::Config = table_of(axes, choice, without).try_into().map_err(|e: toml::de::Error| reason_of(&e))?;
    lab.check(&config).map_err(|e| e.to_string())?;
    Ok(config)
}

//! A statement with what the records say to it.

use super::statistics::Pairs;
use super::tables::{Table, points};
use crate::report::markup::escape;
use serde::Serialize;

/// What the records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds here.
    Holds,
    /// It does not.
    DoesNotHold,
    /// The runs that would say are not recorded.
    NotRecorded,
}

impl Verdict {
    /// That of a rule, which none is where nothing was recorded.
    pub(super) fn of(holds: Option<bool>) -> Self {
        match holds {
            Some(true) => Self::Holds,
            Some(false) => Self::DoesNotHold,
            None => Self::NotRecorded,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds here",
            Self::DoesNotHold => "does not hold here",
            Self::NotRecorded => "the runs that would say are not recorded",
        }
    }
}

/// One statement, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Its file's name: `h1`.
    pub name: &'static str,
    /// What is stated.
    pub statement: &'static str,
    /// What S003 found.
    pub s003: &'static str,
    /// The rule by which it holds.
    pub rule: String,
    /// The numbers that decide, in words; of no meaning where nothing is recorded.
    pub measured: String,
    /// What the records say.
    pub verdict: Verdict,
    /// The numbers.
    pub table: Table,
}

impl Finding {
    /// The rule, and what was measured if anything was.
    pub fn told(&self) -> String {
        match self.verdict {
            Verdict::NotRecorded => self.rule.clone(),
            _ => format!("{} {}", self.rule, self.measured),
        }
    }
}

/// A table of plain words.
pub(super) fn sheet(name: &str, head: &[&str], rows: Vec<Vec<String>>) -> Table {
    let head: Vec<String> = head.iter().map(|word| (*word).to_string()).collect();
    let plain = std::iter::once(head.clone()).chain(rows.iter().cloned()).collect();
    let rows = rows.iter().map(|row| row.iter().map(|cell| escape(cell)).collect()).collect();
    Table { name: name.into(), caption: String::new(), head, rows, plain }
}

/// A number of pairs with its share.
pub(super) fn share(pairs: &Pairs, part: usize) -> String {
    format!("{part} ({:.0} %)", pairs.share(part))
}

/// The mean difference in words.
pub(super) fn mean(pairs: &Pairs) -> String {
    pairs.mean().map_or_else(|| "none".into(), points)
}

const PAIR_HEAD: [&str; 6] = ["pairs", "better", "worse", "within 1 point", "with a diverged run", "mean difference"];

fn pair_cells(pairs: &Pairs) -> Vec<String> {
    vec![
        pairs.count().to_string(),
        share(pairs, pairs.better),
        share(pairs, pairs.worse),
        share(pairs, pairs.near),
        pairs.diverged.to_string(),
        mean(pairs),
    ]
}

/// A table of pairs: the words of `first`, then what was counted.
pub(super) fn pair_sheet(name: &str, first: &[&str], lines: Vec<(Vec<String>, Pairs)>) -> Table {
    let head: Vec<&str> = first.iter().copied().chain(PAIR_HEAD).collect();
    let row = |(mut words, pairs): (Vec<String>, Pairs)| {
        words.extend(pair_cells(&pairs));
        words
    };
    sheet(name, &head, lines.into_iter().map(row).collect())
}

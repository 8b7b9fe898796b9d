//! Recorded verdicts on mutants: one line of JSON a machine, and the table made from them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use bitline_boards::error::BoardError;
use bitline_boards::mutation::Mutant;
use bitline_boards::runs::{read_lines, write_lines};
use serde::{Deserialize, Serialize};

use crate::mutation::MutantResult;

/// The file that `make mutate-all` writes, below the repository's root.
pub const FILE: &str = "docs/results/mutation.jsonl";

/// What became of all mutants of one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The machine.
    pub machine: String,
    /// Seed of the draw and of the problems.
    pub seed: u64,
    /// Mutants that were drawn, and judged.
    pub mutants: u32,
    /// Hash of the exported Verilog without its build hash ([`bitline_boards::runs::design_of`]).
    pub design: String,
    /// Hash of the Verilog with all its mutants, its first sixteen digits.
    pub drawn: String,
    /// The problems, in the order in which a mutant is given them.
    pub problems: Vec<String>,
    /// Version of every tool that took part.
    pub tools: BTreeMap<String, String>,
    /// Version of bitline.
    pub version: String,
    /// The command that measures it again.
    pub command: String,
    /// Mutants that were caught, by the problem that did.
    pub caught: BTreeMap<String, Vec<u32>>,
    /// Mutants that are proved equivalent, by how.
    pub equivalent: BTreeMap<String, Vec<u32>>,
    /// The others.
    pub missed: Vec<Mutant>,
}

/// What a record says of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// A problem caught it.
    Caught,
    /// It is proved equivalent.
    Equivalent,
    /// Neither.
    Missed,
}

impl Record {
    /// Put results into a record that says what they are of.
    pub fn fill(mut self, results: impl Iterator<Item = MutantResult>) -> Self {
        for MutantResult { mutant, caught_by, proof, .. } in results {
            match (caught_by, proof.and_then(|proof| proof.method)) {
                (Some((problem, _)), _) => self.caught.entry(problem).or_default().push(mutant.number),
                (None, Some(method)) => self.equivalent.entry(method).or_default().push(mutant.number),
                (None, None) => self.missed.push(mutant),
            }
        }
        self
    }

    /// What it says of a mutant; none if it does not know it.
    pub fn verdict(&self, number: u32) -> Option<Recorded> {
        let among = |groups: &BTreeMap<String, Vec<u32>>| groups.values().flatten().any(|other| *other == number);
        if among(&self.caught) {
            Some(Recorded::Caught)
        } else if among(&self.equivalent) {
            Some(Recorded::Equivalent)
        } else {
            self.missed.iter().any(|mutant| mutant.number == number).then_some(Recorded::Missed)
        }
    }

    /// Mutants caught, proved equivalent, missed.
    pub fn counts(&self) -> [usize; 3] {
        let count = |groups: &BTreeMap<String, Vec<u32>>| groups.values().map(Vec::len).sum();
        [count(&self.caught), count(&self.equivalent), self.missed.len()]
    }

    /// Caught, in per cent of those that are not proved equivalent.
    pub fn percent(&self) -> f64 {
        let [caught, _, missed] = self.counts();
        100.0 * caught as f64 / (caught + missed).max(1) as f64
    }
}

/// Read records; a file that is not there has none.
///
/// # Errors
/// [`BoardError::Io`], or [`BoardError::Syntax`] with the line's number.
pub fn read(file: &Path) -> Result<Vec<Record>, BoardError> {
    read_lines(file, "docs/results/mutation.jsonl as it was committed last")
}

/// Put a record into a file, in place of its machine's last one.
///
/// # Errors
/// [`BoardError`]: the file cannot be read or written.
pub fn put(file: &Path, record: Record) -> Result<(), BoardError> {
    let mut records = read(file)?;
    records.retain(|old| old.machine != record.machine);
    records.push(record);
    records.sort_by(|a, b| a.machine.cmp(&b.machine));
    write_lines(file, &records)
}

/// The tables in Markdown: all machines, then where what is missed lies.
pub fn table(records: &[Record]) -> String {
    let mut text = String::from(
        "| machine | mutants | caught | proved equivalent | missed | caught of those not proved equivalent |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for record in records {
        let [caught, equivalent, missed] = record.counts();
        let all = caught + equivalent + missed;
        let _ = writeln!(
            text,
            "| `{}` | {all} | {caught} | {equivalent} | {missed} | {:.1} % |",
            record.machine,
            record.percent()
        );
    }
    for record in records {
        let _ = writeln!(text, "\n`{}`, by `{}`, design `{}`:\n", record.machine, record.command, record.design);
        let lists = [("fell to", &record.caught), ("are equivalent by", &record.equivalent)];
        for (what, groups) in lists {
            let mut groups: Vec<(&str, usize)> = groups.iter().map(|(name, of)| (name.as_str(), of.len())).collect();
            groups.sort_by_key(|(name, count)| (usize::MAX - count, *name));
            let told: Vec<String> = groups.iter().map(|(name, count)| format!("{count} {name}")).collect();
            let _ = writeln!(text, "- {what}: {}", if told.is_empty() { "none".to_string() } else { told.join(", ") });
        }
        for mutant in &record.missed {
            let _ = writeln!(text, "- missed: {mutant}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitline_boards::mutation::Proof;

    fn mutant(number: u32) -> Mutant {
        Mutant {
            number,
            mode: "inv".into(),
            block: "accelerator.argmax".into(),
            cell: "$add$1".into(),
            port: "Y[3]".into(),
            wire: None,
            source: Some("top.v:1.1-1.2".into()),
            options: "-mode inv".into(),
        }
    }

    fn record(machine: &str) -> Record {
        let empty = Record {
            machine: machine.into(),
            seed: 1,
            mutants: 5,
            design: "d0".into(),
            drawn: "m0".into(),
            problems: vec!["random/1".into()],
            tools: BTreeMap::new(),
            version: "0".into(),
            command: "bitline mutate".into(),
            caught: BTreeMap::new(),
            equivalent: BTreeMap::new(),
            missed: Vec::new(),
        };
        let result = |number, caught: Option<&str>, method: Option<&str>| MutantResult {
            mutant: mutant(number),
            caught_by: caught.map(|problem| (problem.to_string(), "an output".to_string())),
            proof: method.map(|method| Proof { method: Some(method.to_string()), limit_seconds: 1 }),
            key: String::new(),
            seconds: 1.0,
        };
        let results = [
            result(1, Some("random/1"), None),
            result(2, Some("link/words"), None),
            result(3, Some("random/1"), None),
            result(4, None, Some("same gates")),
            result(5, None, None),
        ];
        empty.fill(results.into_iter())
    }

    #[test]
    fn verdicts_and_shares_are_those_of_the_results() {
        let record = record("tiny");
        use Recorded::*;
        let verdicts = [1, 2, 3, 4, 5, 6].map(|number| record.verdict(number));
        assert_eq!(verdicts, [Some(Caught), Some(Caught), Some(Caught), Some(Equivalent), Some(Missed), None]);
        assert_eq!((record.counts(), record.percent()), ([3, 1, 1], 75.0));
        let table = table(&[record]);
        assert!(table.contains("| `tiny` | 5 | 3 | 1 | 1 | 75.0 % |"), "{table}");
        assert!(table.contains("- fell to: 2 random/1, 1 link/words\n- are equivalent by: 1 same gates\n"), "{table}");
        assert!(table.contains("- missed: 5, inv of Y[3] of $add$1 in accelerator.argmax, top.v:1.1-1.2\n"), "{table}");
    }

    #[test]
    fn put_replaces_the_machines_last_record() {
        let file = std::env::temp_dir().join(format!("bitline-mutation-{}.jsonl", std::process::id()));
        for machine in ["tiny", "digits", "tiny"] {
            put(&file, record(machine)).unwrap();
        }
        assert_eq!(read(&file).unwrap(), [record("digits"), record("tiny")]);
        std::fs::write(&file, "{}\n").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("line 1"));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read(&file).unwrap(), []);
    }
}

//! The table of area and clock in the book is the one that the recorded placements make.
//!
//! `BITLINE_WRITE_BOOK=1 cargo test -p bitline-boards --test results` writes it. Whether the records are of today's gateware
//! is no test: a change of the gateware need not place every board anew. `pnr` says it of the design it places.

use bitline_boards::budget::Budget;
use bitline_boards::results::{FILE, read, summaries, table};
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- made by `BITLINE_WRITE_BOOK=1 cargo test -p bitline-boards --test results` -->\n";
const END: &str = "<!-- end of what was made -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn boards_page_has_the_table_of_the_recorded_placements() {
    let page = root().join("docs/book/boards.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has the first marker");
    let (_, after) = rest.split_once(END).expect("the page has the second marker");
    let made = format!("{before}{BEGIN}{}{END}{after}", table(&read(&root().join(FILE)).unwrap()).unwrap());
    if std::env::var_os("BITLINE_WRITE_BOOK").is_some() {
        std::fs::write(&page, &made).unwrap();
    }
    let written = std::fs::read_to_string(&page).unwrap();
    assert!(
        written == made,
        "docs/book/boards.md is not what {FILE} says; write it with: BITLINE_WRITE_BOOK=1 cargo test -p bitline-boards --test \
         results"
    );
}

#[test]
fn records_of_a_pair_are_of_one_design_and_seed_by_seed() {
    let records = read(&root().join(FILE)).unwrap();
    assert!(!records.is_empty());
    for pair in records.windows(2).filter(|pair| pair[0].board == pair[1].board && pair[0].machine == pair[1].machine) {
        assert!(pair[0].comparable(&pair[1]), "{:?} and {:?}", pair[0], pair[1]);
        assert!(pair[0].seed < pair[1].seed, "{} on {}", pair[0].machine, pair[0].board);
    }
    for record in &records {
        assert_ne!(record.usage.is_some(), record.failure.is_some(), "{record:?}");
    }
}

/// A budget catches what is more than the seeds' own noise: below the slowest seed by no more than the seeds are apart, and
/// above the largest area by no more than 2 %.
#[test]
fn budgets_are_as_tight_as_the_noise_of_the_recorded_seeds() {
    for row in summaries(&read(&root().join(FILE)).unwrap()).iter().filter(|row| row.placed >= 5) {
        let budgets = Budget::all().unwrap();
        let budget = budgets.iter().find(|b| b.board == row.board && b.machine == row.machine);
        let budget = budget.unwrap_or_else(|| panic!("{} on {} has no budget", row.machine, row.board));
        let noise = row.clock_max_hz - row.clock_min_hz;
        assert!(budget.clock_min_hz <= row.clock_min_hz, "{budget:?} {row:?}");
        assert!(budget.clock_min_hz >= row.clock_min_hz - noise.max(1_000_000), "{budget:?} {row:?}");
        assert!(budget.logic_max >= row.logic.used, "{budget:?} {row:?}");
        assert!(budget.logic_max * 100 <= row.logic.used * 102, "{budget:?} {row:?}");
    }
}

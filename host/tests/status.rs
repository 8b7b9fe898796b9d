//! The status table in the README is the one that the recorded runs make of today's gateware.

use bitline_host::status::table;
use std::path::Path;

const BEGIN: &str = "<!-- made by `make status` -->\n";
const END: &str = "<!-- end of what was made -->\n";

#[test]
fn readme_has_the_table_of_the_recorded_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = root.join("README.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has the first marker");
    let (_, after) = rest.split_once(END).expect("the page has the second marker");
    let made = format!("{before}{BEGIN}{}{END}{after}", table(&root).unwrap());
    if std::env::var_os("BITLINE_WRITE_BOOK").is_some() {
        std::fs::write(&page, &made).unwrap();
    }
    let written = std::fs::read_to_string(&page).unwrap();
    assert!(
        written == made,
        "the status table in README.md is not what the recorded runs say; write it with: make status"
    );
}

//! Each block has its page in docs/book/blocks, and the page says what the source says: file, ports, latencies.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use support::block_files;

/// Folders of `hdl/src` that hold blocks, and of `docs/book/blocks` that hold their pages.
const FOLDERS: [&str; 2] = ["", "deep/"];

/// What a page has to say besides its first sentence, in this order; those of `OPTIONAL` may be left out.
const PARTS: [&str; 8] = ["Function", "In", "Out", "Timing", "Number rules", "State", "Limits", "Tests"];
const OPTIONAL: [&str; 3] = ["Number rules", "State", "Limits"];

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/book/blocks")
}

/// Ports of a block whose type has `direction` (`<In` or `<Out`) in it.
fn ports(source: &str, direction: &str) -> BTreeSet<String> {
    let port = |line: &str| {
        let (port, kind) = line.strip_prefix("    pub ")?.split_once(": ")?;
        kind.contains(direction).then(|| port.to_string())
    };
    source.lines().filter_map(port).collect()
}

/// Constants and functions of a block that say how many clocks something takes.
fn latencies(source: &str) -> BTreeSet<String> {
    let latency = |line: &str| {
        if line.starts_with("    pub fn latency_cycles") {
            return Some("latency_cycles".to_string());
        }
        let (constant, _) = line.strip_prefix("    pub const ")?.split_once(": u64")?;
        constant.ends_with("CYCLES").then(|| constant.to_string())
    };
    source.lines().filter_map(latency).collect()
}

/// Words of a page that look like the name of a number of clocks.
fn latencies_said(page: &str) -> BTreeSet<String> {
    page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.ends_with("_CYCLES") || *word == "latency_cycles")
        .map(str::to_string)
        .collect()
}

/// The part of a page that begins with a word in bold, in one line.
fn part(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("\n**{name}** "))?;
    Some(rest.split("\n\n").next().unwrap_or_default().trim().replace('\n', " "))
}

/// The names that a list of ports explains: each item of it begins with one or more.
fn ports_said(list: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in list.split("; ") {
        let mut rest = item.trim();
        assert!(rest.starts_with('`'), "`{item}` begins with no port");
        while let Some((name, after)) = rest.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
            names.insert(name.to_string());
            rest = after.strip_prefix(", ").unwrap_or(after);
        }
    }
    names
}

#[test]
fn every_block_has_a_page_with_its_file_ports_and_latencies() {
    let index = std::fs::read_to_string(pages().join("README.md")).unwrap();
    for folder in FOLDERS {
        for (name, source) in block_files(folder) {
            let path = format!("docs/book/blocks/{folder}{name}.md");
            let page = std::fs::read_to_string(pages().join(format!("{folder}{name}.md")))
                .unwrap_or_else(|_| panic!("{path} is missing"));
            assert!(
                index.contains(&format!("({folder}{name}.md)")),
                "docs/book/blocks/README.md does not list {folder}{name}"
            );
            assert!(page.lines().count() <= 40, "{path} has more than 40 lines");
            let file = format!("Source: `hdl/src/{folder}{name}.rs`.");
            assert!(page.replace('\n', " ").contains(&file), "{path} does not say {file}");
            for (list, direction) in [("In", "<In"), ("Out", "<Out")] {
                let text = part(&page, list).unwrap_or_else(|| panic!("{path} has no **{list}**"));
                assert_eq!(ports_said(&text), ports(&source, direction), "{path}, **{list}**");
            }
            let said = latencies_said(&page);
            for latency in latencies(&source) {
                assert!(said.contains(&latency), "{path} does not say {latency}");
            }
            for latency in said {
                assert!(
                    source.contains(&latency),
                    "{path} says {latency}, which hdl/src/{folder}{name}.rs does not have"
                );
            }
        }
    }
}

#[test]
fn every_page_has_its_parts_in_their_order() {
    for folder in FOLDERS {
        for (name, _) in block_files(folder) {
            let page = std::fs::read_to_string(pages().join(format!("{folder}{name}.md"))).unwrap();
            let places: Vec<(&str, Option<usize>)> =
                PARTS.map(|name| (name, page.find(&format!("\n**{name}** ")))).into();
            for (part, place) in &places {
                assert!(place.is_some() || OPTIONAL.contains(part), "{folder}{name}.md has no **{part}**");
            }
            let found: Vec<usize> = places.into_iter().filter_map(|(_, place)| place).collect();
            assert!(found.is_sorted(), "{folder}{name}.md: {PARTS:?} in another order");
        }
    }
}

#[test]
fn every_page_is_of_a_block() {
    for folder in FOLDERS {
        let blocks = block_files(folder);
        for entry in std::fs::read_dir(pages().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let known = path.is_dir() || folder.is_empty() && name == "README";
            assert!(known || blocks.iter().any(|(block, _)| block == name), "{folder}{name}.md is of no block");
        }
    }
}

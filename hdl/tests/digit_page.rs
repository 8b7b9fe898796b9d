//! The book's walk of one digit says what the model gives.

#[path = "../examples/walk.rs"]
mod walk;

#[test]
fn digit_page_holds_the_model_s_numbers() {
    let written = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/book/digit.md")).unwrap();
    let page = walk::page();
    for (at, (written, given)) in written.lines().zip(page.lines()).enumerate() {
        assert_eq!(written, given, "docs/book/digit.md, line {}; {AGAIN}", at + 1);
    }
    assert_eq!(written, page, "docs/book/digit.md is longer or shorter; {AGAIN}");
}

const AGAIN: &str = "write it again with: cargo run -p bitline-hdl --example walk > docs/book/digit.md";

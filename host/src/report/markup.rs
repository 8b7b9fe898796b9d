//! Pieces of HTML that every report is made of, and the document around them.

use super::figures::Ink;
use std::fmt::Write as _;

/// The style of every page, its colours first.
pub(crate) const STYLE: &str = include_str!("style.css");

/// Text as HTML shows it.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A number with its thousands apart.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A table; cells are HTML.
pub(crate) fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::from("<div class=\"scroll\"><table><thead><tr>");
    for cell in head {
        write!(text, "<th>{cell}</th>").expect("a string takes everything");
    }
    text += "</tr></thead><tbody>";
    for row in rows {
        text += "<tr>";
        for cell in row {
            write!(text, "<td>{cell}</td>").expect("a string takes everything");
        }
        text += "</tr>";
    }
    text + "</tbody></table></div>"
}

/// The head of a table.
pub(crate) fn words(head: &[&str]) -> Vec<String> {
    head.iter().map(|h| (*h).to_string()).collect()
}

/// Something that a click opens.
pub(crate) fn details(summary: &str, inside: &str) -> String {
    format!("<details><summary>{summary}</summary>{inside}</details>\n")
}

/// A drawing with its caption.
pub(crate) fn figure(svg: &str, caption: &str) -> String {
    format!("<figure>{svg}<figcaption>{caption}</figcaption></figure>\n")
}

/// What the colours stand for.
pub(crate) fn legend(entries: &[(Ink, &str)]) -> String {
    let entry = |(ink, name): &(Ink, &str)| format!("<span><i style=\"background:{}\"></i>{name}</span>", ink.css());
    format!("<p class=\"legend\">{}</p>\n", entries.iter().map(entry).collect::<String>())
}

/// A part of the page, with its heading.
pub(crate) fn section(id: &str, title: &str, inside: &str) -> String {
    format!("<section id=\"{id}\"><h2>{title}</h2>\n{inside}</section>\n")
}

/// The whole page: one file, light or dark as the reader's system is.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        title = escape(title),
    )
}

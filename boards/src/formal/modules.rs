//! Exported Verilog taken apart into its modules.

use std::collections::{BTreeMap, BTreeSet};

/// The modules of one exported file, by name.
#[derive(Debug, Clone)]
pub struct Modules(BTreeMap<String, String>);

/// A port of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its bits.
    pub width: usize,
    /// Whether the module drives it.
    pub driven: bool,
}

/// Names and numbers of Verilog text: RustHDL writes `$` inside names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$')).filter(|word| !word.is_empty())
}

impl Modules {
    /// Take a file apart. Attributes before a module are left out: they are for synthesis.
    pub fn parse(text: &str) -> Self {
        let (mut found, mut open) = (BTreeMap::new(), None::<(String, String)>);
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("module ") {
                let name = words(head).next().unwrap_or_default().to_string();
                open = Some((name, String::new()));
            }
            if let Some((_, body)) = &mut open {
                body.push_str(line);
                body.push('\n');
            }
            if line.starts_with("endmodule")
                && let Some((name, body)) = open.take()
            {
                found.insert(name, body);
            }
        }
        Self(found)
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The text of a module.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A module's ports, in the order of their declarations.
    pub fn ports(&self, name: &str) -> Vec<Port> {
        let lines = self.text(name).unwrap_or_default().lines().map(str::trim);
        lines
            .filter_map(|line| {
                let driven = line.starts_with("output ");
                let rest = line.strip_prefix("input wire ").or_else(|| line.strip_prefix("output reg "))?;
                let (width, name) = match rest.trim().strip_prefix('[') {
                    Some(range) => {
                        let (high, name) = range.split_once(":0]")?;
                        (high.parse::<usize>().ok()? + 1, name)
                    }
                    None => (1, rest),
                };
                Some(Port { name: name.trim().trim_end_matches(';').to_string(), width, driven })
            })
            .collect()
    }

    /// The width of a port, if the module has it.
    pub fn width(&self, module: &str, port: &str) -> Option<usize> {
        self.ports(module).into_iter().find(|p| p.name == port).map(|p| p.width)
    }

    /// A module and everything below it, called `name`, with `properties` written before its end. Modules of `free`
    /// are replaced by ones whose outputs are anything in every clock.
    pub fn with_properties(&self, module: &str, name: &str, properties: &str, free: &[&str]) -> String {
        let mut text = String::new();
        for below in self.below(module, free) {
            text += &if free.contains(&below.as_str()) { self.freed(&below) } else { self.0[&below].clone() };
        }
        let own = self.text(module).unwrap_or_default();
        let body = own.rsplit_once("endmodule").map_or("", |(body, _)| body);
        let body = body.replacen(&format!("module {module}("), &format!("module {name}("), 1);
        text + &body + properties + "endmodule\n"
    }

    /// The modules that a module is made of, itself left out, sorted; nothing below those of `free`.
    fn below(&self, module: &str, free: &[&str]) -> BTreeSet<String> {
        let (mut found, mut open) = (BTreeSet::new(), vec![module.to_string()]);
        while let Some(name) = open.pop() {
            if free.contains(&name.as_str()) {
                continue;
            }
            for word in words(&self.0[&name]) {
                if word != name && word != module && self.0.contains_key(word) && found.insert(word.to_string()) {
                    open.push(word.to_string());
                }
            }
        }
        found
    }

    /// A module with the same ports whose outputs are anything in every clock.
    fn freed(&self, module: &str) -> String {
        let ports = self.ports(module);
        let names: Vec<&str> = ports.iter().map(|p| p.name.as_str()).collect();
        let mut text = format!("module {module}({});\n", names.join(", "));
        for Port { name, width, driven } in &ports {
            let range = format!("[{}:0]", width - 1);
            text += &if *driven {
                format!("output wire {range} {name};\n(* anyseq *) wire {range} f_{name};\nassign {name} = f_{name};\n")
            } else {
                format!("input wire {range} {name};\n")
            };
        }
        text + "endmodule\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// head\nmodule a$b(clock,d,q);\n    input wire  clock;\n    input wire  [3:0] d;\n    output reg  [1:0] q;\n    \
                        c d_table(d[0], q);\nendmodule // a$b\n(* keep *)\nmodule c(input wire x, output wire y);\nendmodule\n";

    #[test]
    fn modules_are_taken_apart_with_their_ports_and_parts() {
        let modules = Modules::parse(TEXT);
        assert_eq!(modules.names().collect::<Vec<_>>(), ["a$b", "c"]);
        assert_eq!(modules.width("a$b", "d"), Some(4));
        let q = Port { name: "q".into(), width: 2, driven: true };
        assert_eq!(modules.ports("a$b")[2], q);
        let text = modules.with_properties("a$b", "leaf", "property\n", &[]);
        assert!(text.starts_with("module c(") && text.contains("module leaf(clock"), "{text}");
        assert!(text.ends_with("property\nendmodule\n"), "{text}");
    }

    #[test]
    fn freed_modules_keep_their_ports_and_lose_their_text() {
        let text = Modules::parse(TEXT).freed("a$b");
        assert!(text.contains("(* anyseq *) wire [1:0] f_q;") && !text.contains("d_table"), "{text}");
    }
}

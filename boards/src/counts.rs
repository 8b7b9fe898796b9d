//! The counters of an exported machine, made to start at what a simulator's argument says.
//!
//! A counter of 32 bits never gets to its upper half in a simulation that starts at 0.

/// What the modules of the counters' registers begin and end like, those of a machine without its UART without `accelerator$`.
const COUNTERS: [&str; 2] = ["run_counter$", "frames$"];
const REGISTER: &str = "$total(clock,d,q);";

/// Verilog whose counters start at the simulator's argument `+counts=HEX`, each with as many of its bits as it has; at 0
/// without it.
pub(crate) fn at_start(verilog: &str) -> String {
    let mut inside = false;
    let mut text = String::with_capacity(verilog.len());
    for line in verilog.lines() {
        inside |= is_register(line);
        // One bit more than the count.
        let width =
            line.trim().strip_prefix("initial q = ").and_then(|value| value.split_once("'h")?.0.parse::<u32>().ok());
        match width.filter(|_| inside) {
            None => text.push_str(line),
            Some(width) => text.push_str(&start(width - 1)),
        }
        text.push('\n');
        inside &= !line.starts_with("endmodule");
    }
    text
}

/// The start of a counter of that many bits, in place of 0.
fn start(width: u32) -> String {
    format!(
        "    reg [31:0] counts;\n    initial begin\n        counts = 0;\n        \
         if ($value$plusargs(\"counts=%h\", counts)) begin end\n        \
         q = counts[{}:0];\n    end",
        width - 1
    )
}

/// The modules of the counters' registers, as they are in the Verilog, and their names.
pub(crate) fn registers(verilog: &str) -> (String, Vec<&str>) {
    let (mut text, mut names, mut inside) = (String::new(), Vec::new(), false);
    for line in verilog.lines() {
        if is_register(line) {
            inside = true;
            names.extend(line["module ".len()..].split('(').next());
        }
        if inside {
            text.push_str(line);
            text.push('\n');
        }
        inside &= !line.starts_with("endmodule");
    }
    (text, names)
}

fn is_register(line: &str) -> bool {
    let inside_top = line.strip_prefix("module top$").filter(|rest| rest.ends_with(REGISTER));
    inside_top.is_some_and(|rest| {
        let name = rest.strip_prefix("accelerator$").unwrap_or(rest);
        COUNTERS.iter().any(|start| name.starts_with(start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitline_golden::machine::Machine;
    use bitline_hdl::export::{ExportOptions, verilog};

    #[test]
    fn every_counter_starts_at_the_argument_and_nothing_else_is_changed() {
        let text = verilog(&Machine::named("tiny").unwrap(), &ExportOptions::default()).unwrap();
        let (registers, names) = registers(&text);
        // Nine counters of a run, three of frames.
        assert_eq!(names.len(), 12);
        assert_eq!(registers.matches("endmodule").count(), 12);
        let changed = at_start(&text);
        assert_eq!(changed.matches("$value$plusargs").count(), 12);
        // A counter of a run takes all bits, another as many as it has.
        assert!(changed.contains(&start(32)) && changed.contains(&start(16)));
        let back = (1..=32)
            .fold(changed, |text, width| text.replace(&start(width), &format!("    initial q = {}'h0;", width + 1)));
        assert_eq!(back, text);
    }
}

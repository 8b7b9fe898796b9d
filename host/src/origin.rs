//! Which block a difference comes from: every block's ports in one clock, on two rungs.

use bitline_hdl::trace::Port;
use serde::Serialize;

/// Blocks named at most, beside the first, that differ by themselves in the same clock.
const MOST_OTHERS: usize = 3;

/// The block whose output differs while its inputs are equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Its instances from the top down, as in the exported Verilog; the top's is empty.
    pub block: String,
    /// The first of its outputs that differs, or, where the block only wires others wrongly, the input of one of them.
    pub port: String,
    /// Its value on the lower of the two rungs, hexadecimal.
    pub expected: String,
    /// Its value on the upper.
    pub got: String,
    /// Further blocks whose output differs in this clock with equal inputs.
    pub others: Vec<String>,
    /// How many of them there are.
    pub other_blocks: usize,
}

/// Find the block that a difference comes from, if every clock before was equal. `expected` and `got` hold every port's value,
/// one after the other.
///
/// An output may follow its inputs within the clock, so what differs spreads: the block that begins it is the one with a wrong
/// output and right inputs. Of several, one inside the other, it is the innermost; of others the first. Where there is none, a
/// block with right inputs hands a wrong value to a block in it.
pub fn origin(ports: &[Port], expected: &[u64], got: &[u64]) -> Option<Origin> {
    let mut at = 0;
    let mut differing = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let words = at..at + port.words();
        at = words.end;
        if expected[words.clone()] != got[words.clone()] {
            differing.push((index, words));
        }
    }
    differing.first()?;
    let of = |block: &str, is_output: bool| {
        differing.iter().find(|(index, _)| ports[*index].block == block && ports[*index].is_output == is_output)
    };
    let tell = |block: &str, (index, words): &(usize, std::ops::Range<usize>), others: &[&str]| {
        let port = &ports[*index];
        let inner = port.block.strip_prefix(block).unwrap_or_default().trim_start_matches('.');
        Origin {
            block: block.to_string(),
            port: if inner.is_empty() { port.name.clone() } else { format!("{inner}.{}", port.name) },
            expected: hexadecimal(&expected[words.clone()]),
            got: hexadecimal(&got[words.clone()]),
            others: others.iter().take(MOST_OTHERS).map(|other| other.to_string()).collect(),
            other_blocks: others.len(),
        }
    };
    let mut blocks: Vec<&str> = ports.iter().map(|port| port.block.as_str()).collect();
    blocks.dedup();
    let mut wrong: Vec<&str> = Vec::new();
    for block in blocks {
        if !wrong.contains(&block) && of(block, true).is_some() && of(block, false).is_none() {
            wrong.push(block);
        }
    }
    let innermost: Vec<&str> = wrong
        .iter()
        .filter(|block| !wrong.iter().any(|other| other != *block && is_inside(other, block)))
        .copied()
        .collect();
    if let Some((block, others)) = innermost.split_first() {
        return Some(tell(block, of(block, true)?, others));
    }
    // The deepest block first.
    let mut inputs: Vec<_> = differing.iter().filter(|(index, _)| !ports[*index].is_output).collect();
    inputs.sort_by_key(|(index, _)| std::cmp::Reverse(depth(&ports[*index].block)));
    let within = |at: &&&(usize, _)| {
        let block = ports[at.0].block.as_str();
        !block.is_empty() && of(parent(block), false).is_none()
    };
    let first = inputs.iter().find(within).or(inputs.first()).map_or(&differing[0], |found| *found);
    Some(tell(parent(&ports[first.0].block), first, &[]))
}

fn depth(block: &str) -> usize {
    if block.is_empty() { 0 } else { 1 + block.matches('.').count() }
}

fn parent(block: &str) -> &str {
    block.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn is_inside(inner: &str, outer: &str) -> bool {
    outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

/// Words as one hexadecimal number, without leading zeros.
fn hexadecimal(words: &[u64]) -> String {
    let digits: String = words.iter().rev().map(|word| format!("{word:016x}")).collect();
    let digits = digits.trim_start_matches('0');
    format!("0x{}", if digits.is_empty() { "0" } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A top with two blocks in a row, the second of which has one inside; `wide` has two words.
    const PORTS: [(&str, &str, bool, usize); 9] = [
        ("", "input", false, 1),
        ("", "output", true, 1),
        ("first", "in", false, 1),
        ("first", "wide", true, 70),
        ("second", "in", false, 70),
        ("second", "out", true, 1),
        ("second.inner", "d", false, 1),
        ("second.inner", "q", true, 1),
        ("second.inner", "full", true, 1),
    ];

    fn found(wrong: &[usize]) -> Option<Origin> {
        let ports: Vec<Port> = PORTS
            .iter()
            .map(|(block, name, is_output, width)| Port {
                block: block.to_string(),
                name: name.to_string(),
                is_output: *is_output,
                width: *width,
            })
            .collect();
        let (mut expected, mut got) = (Vec::new(), Vec::new());
        for (index, port) in ports.iter().enumerate() {
            expected.extend(std::iter::repeat_n(0, port.words()));
            got.extend(std::iter::repeat_n(u64::from(wrong.contains(&index)), port.words()));
        }
        origin(&ports, &expected, &got)
    }

    fn block(wrong: &[usize]) -> (String, String) {
        let origin = found(wrong).unwrap();
        (origin.block, origin.port)
    }

    fn named(block: &str, port: &str) -> (String, String) {
        (block.to_string(), port.to_string())
    }

    #[test]
    fn equal_ports_have_no_origin() {
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn block_with_equal_inputs_is_named_and_not_those_that_follow_it() {
        // From `first` on, within the clock.
        assert_eq!(block(&[1, 3, 4, 5, 6, 7]), named("first", "wide"));
        let origin = found(&[3, 4]).unwrap();
        assert_eq!((origin.expected.as_str(), origin.got.as_str()), ("0x0", "0x10000000000000001"));
    }

    #[test]
    fn innermost_block_is_named() {
        assert_eq!(block(&[1, 5, 7]), named("second.inner", "q"));
        // Where `inner` only follows what `second` hands it, `second` is wrong.
        assert_eq!(block(&[1, 5, 6, 7]), named("second", "out"));
    }

    #[test]
    fn wrong_wire_names_the_block_that_holds_it() {
        assert_eq!(block(&[6]), named("second", "inner.d"));
        assert_eq!(block(&[4, 5]), named("", "second.in"));
        // The pins themselves.
        assert_eq!(block(&[0]), named("", "input"));
    }

    #[test]
    fn blocks_that_differ_at_once_are_counted() {
        let origin = found(&[3, 8]).unwrap();
        assert_eq!(
            (origin.block.as_str(), origin.others.as_slice()),
            ("first", ["second.inner".to_string()].as_slice())
        );
        assert_eq!(origin.other_blocks, 1);
    }
}

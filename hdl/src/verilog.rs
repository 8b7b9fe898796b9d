//! Pieces of Verilog text that several leaf blocks write.

/// `value` as a sized hexadecimal literal.
pub fn literal(width: usize, value: u64) -> String {
    format!("{width}'h{value:x}")
}

/// Words as one sized hexadecimal literal, bit 0 in bit 0 of the first word.
pub fn wide_literal(width: usize, words: &[u64]) -> String {
    let digits: String = (0..width.div_ceil(4))
        .rev()
        .map(|i| char::from_digit((words[i / 16] >> (i % 16 * 4) & 0xF) as u32, 16).expect("a nibble is a digit"))
        .collect();
    format!("{width}'h{digits}")
}

/// A declaration range for `width` bits, empty for one.
pub fn range(width: usize) -> String {
    if width == 1 { String::new() } else { format!("[{}:0] ", width - 1) }
}

/// A sum of terms as a balanced tree of parentheses, so that synthesis sees the tree and not a chain.
pub fn sum_tree(terms: &[String]) -> String {
    match terms {
        [] => "1'b0".into(),
        [one] => one.clone(),
        _ => {
            let (left, right) = terms.split_at(terms.len().div_ceil(2));
            format!("({} + {})", sum_tree(left), sum_tree(right))
        }
    }
}

/// The module `copied_bit`: a register that stays one of its own, however many show the same.
///
/// Yosys makes equal registers of one module one; a hierarchy that is kept is the border it respects. A module a bit has
/// a name of its own too, by which place and route can be told where it goes.
pub const COPIED_BIT: &str = "\
// A register that stays one of its own beside others that show the same.
(* keep_hierarchy *)
module copied_bit(input wire clock, input wire d, output reg q);
    initial q = 1'b0;
    always @(posedge clock) q <= d;
endmodule
";

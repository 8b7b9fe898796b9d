//! From column codes back to one signed sum an output.

/// Sign of bit column j: `s_j = -1` for the highest of several columns, else +1 (two's complement).
pub fn column_sign(weight_bits: usize, j: usize) -> i32 {
    if j + 1 == weight_bits && weight_bits > 1 { -1 } else { 1 }
}

/// One plane's contribution to one output, before the plane's own weight 2^i.
///
/// Bw > 1: `sum_j s_j 2^j q_j`. Bw = 1 (S002): the column stores +1 as 1 and -1 as 0, so of `active` driven rows
/// q add and the rest subtract: `2 q - a`, and the two's complement sign does not apply.
///
/// `codes`: the output's `weight_bits` codes, bit 0 first. `active`: driven rows of the tile, unquantized (it is
/// counted digitally).
pub fn plane_sum(codes: &[u32], active: u32) -> i32 {
    if let [code] = codes {
        return 2 * *code as i32 - active as i32;
    }
    codes.iter().enumerate().map(|(j, code)| column_sign(codes.len(), j) * ((*code as i32) << j)).sum()
}

/// `y = sum_i 2^i * (plane i's sum)`: planes least significant first.
///
/// Exact: an array whose tiles' sums could together exceed 32 bits is refused when it is made.
pub fn recombine(plane_sums: &[i32]) -> i32 {
    plane_sums.iter().enumerate().map(|(i, sum)| sum << i).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plane_sum_one_row_gives_the_weight() {
        for bits in 2..=8usize {
            for weight in -(1i32 << (bits - 1))..(1 << (bits - 1)) {
                let codes: Vec<u32> = (0..bits).map(|j| ((weight >> j) & 1) as u32).collect();
                assert_eq!(plane_sum(&codes, 1), weight, "{bits} bits");
            }
        }
    }

    #[test]
    fn plane_sum_binary_counts_plus_and_minus_one() {
        assert_eq!(plane_sum(&[1], 1), 1);
        assert_eq!(plane_sum(&[0], 1), -1);
        assert_eq!(plane_sum(&[0], 0), 0);
        assert_eq!(plane_sum(&[3], 5), 1);
    }

    #[test]
    fn recombine_weighs_planes_by_powers_of_two() {
        assert_eq!(recombine(&[1, -1, 3]), 1 - 2 + 12);
        assert_eq!(recombine(&[]), 0);
    }
}

//! Planes: an input vector's codes, one bit at a time.

/// Bit `plane` of every input: `p_r = (x_r >> plane) AND 1`, least significant plane first (contract section 3).
///
/// `codes`: one unsigned code a row, bias rows included. Mirrors the gateware's feeder.
pub fn plane(codes: &[u8], plane: usize) -> Vec<bool> {
    codes.iter().map(|code| (code >> plane) & 1 == 1).collect()
}

/// Rows a plane drives: `a = popcount(p)`.
pub fn active_rows(plane: &[bool]) -> u32 {
    plane.iter().filter(|driven| **driven).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plane_bits_rebuild_the_codes() {
        let codes: Vec<u8> = (0..=255).collect();
        let rebuilt: Vec<u32> =
            (0..codes.len()).map(|row| (0..8).map(|i| u32::from(plane(&codes, i)[row]) << i).sum()).collect();
        assert_eq!(rebuilt, (0..=255).collect::<Vec<u32>>());
    }

    #[test]
    fn active_rows_counts_driven_rows() {
        assert_eq!(active_rows(&plane(&[1, 0, 3, 2], 0)), 2);
        assert_eq!(active_rows(&plane(&[0; 5], 0)), 0);
    }
}

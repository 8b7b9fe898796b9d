//! The nine LEDs as a row of text.

/// LEDs of a board.
pub const LEDS: usize = 9;

/// Draw the LEDs as S001's figure shows them, LED 8 first: 273 is `●○○○●○○○●`.
pub fn row(leds: u16) -> String {
    (0..LEDS).rev().map(|bit| if leds >> bit & 1 == 1 { '●' } else { '○' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_of_273_is_the_row_of_the_paper() {
        assert_eq!(row(273), "●○○○●○○○●");
        assert_eq!(row(0), "○○○○○○○○○");
        assert_eq!(row(0b1_1000_0001), "●●○○○○○○●");
    }
}

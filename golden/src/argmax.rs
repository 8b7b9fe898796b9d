//! The class of an image: the output with the largest sum.

/// Index of the largest sum, and how far it leads the runner-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The winning output.
    pub class: u16,
    /// Best sum minus the best of the others; 0 for a tie.
    pub margin: u32,
}

/// Pick the largest of at least two sums; ties go to the lowest index (contract section 3).
pub fn argmax(sums: &[i32]) -> Verdict {
    let (mut class, mut best, mut runner_up) = (0, sums[0], i32::MIN);
    for (output, &sum) in sums.iter().enumerate().skip(1) {
        if sum > best {
            (class, best, runner_up) = (output, sum, best);
        } else {
            runner_up = runner_up.max(sum);
        }
    }
    Verdict { class: class as u16, margin: best.wrapping_sub(runner_up) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_tie_goes_to_the_lowest_index() {
        assert_eq!(argmax(&[3, 7, 7, 1]), Verdict { class: 1, margin: 0 });
        assert_eq!(argmax(&[0, 0]), Verdict { class: 0, margin: 0 });
    }

    #[test]
    fn argmax_margin_is_the_distance_to_the_runner_up() {
        assert_eq!(argmax(&[-5, -9, -6]), Verdict { class: 0, margin: 1 });
        assert_eq!(argmax(&[1, 2, 3]), Verdict { class: 2, margin: 1 });
        assert_eq!(argmax(&[3, 2, 1]), Verdict { class: 0, margin: 1 });
    }

    #[test]
    fn argmax_widest_margin_does_not_overflow() {
        assert_eq!(argmax(&[i32::MAX, i32::MIN]), Verdict { class: 0, margin: u32::MAX });
    }
}

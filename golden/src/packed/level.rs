//! Which vector instructions the kernels use.

use super::lanes::{Lanes, Portable};

/// Vector instructions to use, the widest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the compiler makes of plain loops.
    Portable,
    /// 256-bit integer vectors.
    Avx2,
    /// 512-bit vectors of bytes, with byte permutation, population count and dot product.
    Avx512,
    /// The same, and tile registers for products.
    Amx,
}

impl Level {
    /// The levels this processor has.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 =
                [is_x86_feature_detected!("popcnt"), is_x86_feature_detected!("avx2")].into_iter().all(|has| has);
            let avx512 = [
                avx2,
                is_x86_feature_detected!("avx512bw"),
                is_x86_feature_detected!("avx512vl"),
                is_x86_feature_detected!("avx512vpopcntdq"),
                is_x86_feature_detected!("avx512vbmi"),
                is_x86_feature_detected!("avx512vnni"),
            ]
            .into_iter()
            .all(|has| has);
            let amx = [avx512, super::amx::available()].into_iter().all(|has| has);
            [(true, Self::Portable), (avx2, Self::Avx2), (avx512, Self::Avx512), (amx, Self::Amx)]
                .into_iter()
                .filter_map(|(has, level)| has.then_some(level))
                .collect()
        }
        #[cfg(not(target_arch = "x86_64"))]
        vec![Self::Portable]
    }

    /// The widest level this processor has.
    pub fn widest() -> Self {
        *Self::available().last().expect("every processor runs portable code")
    }

    /// This level, or the widest below it that this processor has.
    pub(super) fn lowered(self) -> Self {
        Self::available().into_iter().filter(|has| *has <= self).max().unwrap_or(Self::Portable)
    }

    /// Samples in a register.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Portable => Portable::BYTES,
            Self::Avx2 => 32,
            Self::Avx512 | Self::Amx => 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_that_the_processor_has_stays_and_another_becomes_the_widest_below_it() {
        let available = Level::available();
        for level in [Level::Portable, Level::Avx2, Level::Avx512, Level::Amx] {
            let below: Vec<Level> = available.iter().copied().take_while(|has| *has < level).collect();
            let expected = if available.contains(&level) { level } else { *below.last().unwrap() };
            assert_eq!(level.lowered(), expected, "{level:?} of {available:?}");
        }
        assert_eq!(Level::widest(), *available.last().unwrap());
    }
}

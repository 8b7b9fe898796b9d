//! What the lane kernel needs of a vector register: samples side by side, a byte or 16 bits each.

/// A register of `BYTES` bytes. Sixteen-bit lanes are little-endian pairs of bytes.
///
/// `interleave` works within 128-bit groups, so that 16-bit lane `8 g + w` of its first result belongs to sample
/// `16 g + w`, and of its second to sample `16 g + 8 + w`.
///
/// # Safety
/// Every method needs the processor features of its implementation; `load` and `store` need `BYTES` valid bytes.
pub(super) trait Lanes: Copy {
    /// Samples in a register.
    const BYTES: usize;
    /// Whether `look_up` works.
    const LOOKS_UP: bool = false;
    /// Whether `shuffle` works.
    const SHUFFLES: bool = false;

    unsafe fn load(from: *const u8) -> Self;
    unsafe fn store(self, to: *mut u8);
    unsafe fn splat8(value: u8) -> Self;
    unsafe fn splat16(value: u16) -> Self;
    /// Bit `plane` of every byte, as 0 or 1.
    unsafe fn bit(self, plane: u32) -> Self;
    /// Byte sums that the caller knows not to exceed 255.
    unsafe fn add8(self, other: Self) -> Self;
    /// Byte sums, held at 255.
    unsafe fn add8_saturating(self, other: Self) -> Self;
    unsafe fn min8(self, other: Self) -> Self;
    /// Each byte's entry of a table of 256 bytes in four registers, or of its first 128 if no byte is larger.
    #[inline(always)]
    unsafe fn look_up(self, _table: &[Self; 4], _short: bool) -> Self {
        unreachable!("asked only where LOOKS_UP")
    }
    /// Each byte's entry of a table of 16 bytes in memory; no byte may be larger than 15.
    #[inline(always)]
    unsafe fn shuffle(self, _table: *const u8) -> Self {
        unreachable!("asked only where SHUFFLES")
    }
    /// The lower four bits of every byte, and the upper four; where SHUFFLES.
    #[inline(always)]
    unsafe fn nibbles(self) -> (Self, Self) {
        unreachable!("asked only where SHUFFLES")
    }
    /// How many bytes exceed their limit.
    unsafe fn above8(self, limit: Self) -> u32;
    /// The same, added to `total`, or byte by byte to `counter` where that is faster.
    #[inline(always)]
    unsafe fn count_above8(self, limit: Self, _counter: &mut Self, total: &mut u64) {
        // SAFETY: passed on to the caller.
        *total += u64::from(unsafe { self.above8(limit) });
    }
    /// All bytes of `count_above8`'s counter together.
    #[inline(always)]
    unsafe fn counted(self) -> u64 {
        0
    }
    /// Alternate the bytes of both, within 128-bit groups: the low eight of each, and the high eight.
    unsafe fn interleave(self, other: Self) -> (Self, Self);
    /// Undo `interleave`'s split: the low bytes of 16-bit lanes that hold at most 255.
    unsafe fn narrow(low: Self, high: Self) -> Self;
    /// Unsigned bytes times signed bytes, neighbouring products added into signed 16-bit lanes.
    unsafe fn multiply_pairs(self, weights: Self) -> Self;
    unsafe fn add16(self, other: Self) -> Self;
    unsafe fn sub16(self, other: Self) -> Self;
    /// Sums held at 65535.
    unsafe fn add16_saturating(self, other: Self) -> Self;
    unsafe fn multiply_high16(self, other: Self) -> Self;
    unsafe fn shift_left16(self, by: u32) -> Self;
    unsafe fn shift_right16(self, by: u32) -> Self;
    unsafe fn min16_unsigned(self, other: Self) -> Self;
    /// How many unsigned 16-bit lanes exceed their limit.
    unsafe fn above16(self, limit: Self) -> u32;
    unsafe fn min16(self, other: Self) -> Self;
    unsafe fn max16(self, other: Self) -> Self;
    /// Where `self` is above `other` (signed): `yes`, else `no`.
    unsafe fn choose_above16(self, other: Self, yes: Self, no: Self) -> Self;
}

/// Any processor: sixteen bytes in an array, which the compiler turns into what vectors there are.
#[derive(Clone, Copy)]
pub(super) struct Portable([u8; 16]);

impl Portable {
    #[inline(always)]
    fn zip8(self, other: Self, f: impl Fn(u8, u8) -> u8) -> Self {
        Self(std::array::from_fn(|k| f(self.0[k], other.0[k])))
    }

    #[inline(always)]
    fn lane16(self, k: usize) -> u16 {
        u16::from_le_bytes([self.0[2 * k], self.0[2 * k + 1]])
    }

    #[inline(always)]
    fn from16(f: impl Fn(usize) -> u16) -> Self {
        Self(std::array::from_fn(|k| f(k / 2).to_le_bytes()[k % 2]))
    }

    #[inline(always)]
    fn zip16(self, other: Self, f: impl Fn(u16, u16) -> u16) -> Self {
        Self::from16(|k| f(self.lane16(k), other.lane16(k)))
    }
}

impl Lanes for Portable {
    const BYTES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller vouches for BYTES valid bytes.
        Self(unsafe { from.cast::<[u8; 16]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller vouches for BYTES valid bytes.
        unsafe { to.cast::<[u8; 16]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn splat8(value: u8) -> Self {
        Self([value; 16])
    }
    #[inline(always)]
    unsafe fn splat16(value: u16) -> Self {
        Self::from16(|_| value)
    }
    #[inline(always)]
    unsafe fn bit(self, plane: u32) -> Self {
        Self(self.0.map(|byte| (byte >> plane) & 1))
    }
    #[inline(always)]
    unsafe fn add8(self, other: Self) -> Self {
        self.zip8(other, u8::wrapping_add)
    }
    #[inline(always)]
    unsafe fn add8_saturating(self, other: Self) -> Self {
        self.zip8(other, u8::saturating_add)
    }
    #[inline(always)]
    unsafe fn min8(self, other: Self) -> Self {
        self.zip8(other, u8::min)
    }
    #[inline(always)]
    unsafe fn above8(self, limit: Self) -> u32 {
        (0..16).map(|k| u32::from(self.0[k] > limit.0[k])).sum()
    }
    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        let pick = |k: usize| if k.is_multiple_of(2) { self.0[k / 2] } else { other.0[k / 2] };
        (Self(std::array::from_fn(pick)), Self(std::array::from_fn(|k| pick(k + 16))))
    }
    #[inline(always)]
    unsafe fn narrow(low: Self, high: Self) -> Self {
        Self(std::array::from_fn(|k| if k < 8 { low.0[2 * k] } else { high.0[2 * k - 16] }))
    }
    #[inline(always)]
    unsafe fn multiply_pairs(self, weights: Self) -> Self {
        let product = |k: usize| i16::from(self.0[k]) * i16::from(weights.0[k] as i8);
        Self::from16(|k| product(2 * k).saturating_add(product(2 * k + 1)) as u16)
    }
    #[inline(always)]
    unsafe fn add16(self, other: Self) -> Self {
        self.zip16(other, u16::wrapping_add)
    }
    #[inline(always)]
    unsafe fn sub16(self, other: Self) -> Self {
        self.zip16(other, u16::wrapping_sub)
    }
    #[inline(always)]
    unsafe fn add16_saturating(self, other: Self) -> Self {
        self.zip16(other, u16::saturating_add)
    }
    #[inline(always)]
    unsafe fn multiply_high16(self, other: Self) -> Self {
        self.zip16(other, |a, b| ((u32::from(a) * u32::from(b)) >> 16) as u16)
    }
    #[inline(always)]
    unsafe fn shift_left16(self, by: u32) -> Self {
        Self::from16(|k| self.lane16(k) << by)
    }
    #[inline(always)]
    unsafe fn shift_right16(self, by: u32) -> Self {
        Self::from16(|k| self.lane16(k) >> by)
    }
    #[inline(always)]
    unsafe fn min16_unsigned(self, other: Self) -> Self {
        self.zip16(other, u16::min)
    }
    #[inline(always)]
    unsafe fn above16(self, limit: Self) -> u32 {
        (0..8).map(|k| u32::from(self.lane16(k) > limit.lane16(k))).sum()
    }
    #[inline(always)]
    unsafe fn min16(self, other: Self) -> Self {
        self.zip16(other, |a, b| (a as i16).min(b as i16) as u16)
    }
    #[inline(always)]
    unsafe fn max16(self, other: Self) -> Self {
        self.zip16(other, |a, b| (a as i16).max(b as i16) as u16)
    }
    #[inline(always)]
    unsafe fn choose_above16(self, other: Self, yes: Self, no: Self) -> Self {
        Self::from16(|k| if self.lane16(k) as i16 > other.lane16(k) as i16 { yes.lane16(k) } else { no.lane16(k) })
    }
}

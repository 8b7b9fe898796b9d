//! Vector registers of x86-64: AVX2 (32 samples) and AVX-512BW (64 samples).

use std::arch::x86_64::*;

use super::lanes::Lanes;

/// Thirty-two samples; needs AVX2.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256i);

/// Sixty-four samples; needs AVX-512BW and VBMI.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512i);

// SAFETY of every method below: the trait's contract, the caller has checked for the processor feature.
macro_rules! methods {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? = $body:expr;)*) => {
        $(
            #[inline(always)]
            unsafe fn $name($($argument: $type),*) $(-> $result)? {
                unsafe { $body }
            }
        )*
    };
}

impl Lanes for Avx2 {
    const BYTES: usize = 32;
    const SHUFFLES: bool = true;

    methods! {
        load(from: *const u8) -> Self = Self(_mm256_loadu_si256(from.cast()));
        splat8(value: u8) -> Self = Self(_mm256_set1_epi8(value as i8));
        splat16(value: u16) -> Self = Self(_mm256_set1_epi16(value as i16));
        narrow(low: Self, high: Self) -> Self = Self(_mm256_packus_epi16(low.0, high.0));
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        unsafe { _mm256_storeu_si256(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn bit(self, plane: u32) -> Self {
        unsafe {
            let shifted = _mm256_srl_epi16(self.0, _mm_cvtsi32_si128(plane as i32));
            Self(_mm256_and_si256(shifted, _mm256_set1_epi8(1)))
        }
    }
    #[inline(always)]
    unsafe fn add8(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_epi8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn add8_saturating(self, other: Self) -> Self {
        unsafe { Self(_mm256_adds_epu8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn min8(self, other: Self) -> Self {
        unsafe { Self(_mm256_min_epu8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn shuffle(self, table: *const u8) -> Self {
        unsafe {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.cast()));
            Self(_mm256_shuffle_epi8(table, self.0))
        }
    }
    #[inline(always)]
    unsafe fn nibbles(self) -> (Self, Self) {
        unsafe {
            let mask = _mm256_set1_epi8(15);
            (Self(_mm256_and_si256(self.0, mask)), Self(_mm256_and_si256(_mm256_srli_epi16::<4>(self.0), mask)))
        }
    }
    #[inline(always)]
    unsafe fn above8(self, limit: Self) -> u32 {
        unsafe {
            let within = _mm256_cmpeq_epi8(_mm256_max_epu8(self.0, limit.0), limit.0);
            (_mm256_movemask_epi8(within) as u32).count_zeros()
        }
    }
    #[inline(always)]
    unsafe fn count_above8(self, limit: Self, counter: &mut Self, _total: &mut u64) {
        unsafe {
            let above = _mm256_min_epu8(_mm256_subs_epu8(self.0, limit.0), _mm256_set1_epi8(1));
            *counter = Self(_mm256_add_epi8(counter.0, above));
        }
    }
    #[inline(always)]
    unsafe fn counted(self) -> u64 {
        let mut parts = [0u64; 4];
        unsafe {
            let sums = _mm256_sad_epu8(self.0, _mm256_setzero_si256());
            _mm256_storeu_si256(parts.as_mut_ptr().cast(), sums);
        }
        parts.iter().sum()
    }
    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        unsafe { (Self(_mm256_unpacklo_epi8(self.0, other.0)), Self(_mm256_unpackhi_epi8(self.0, other.0))) }
    }
    #[inline(always)]
    unsafe fn multiply_pairs(self, weights: Self) -> Self {
        unsafe { Self(_mm256_maddubs_epi16(self.0, weights.0)) }
    }
    #[inline(always)]
    unsafe fn add16(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_epi16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub16(self, other: Self) -> Self {
        unsafe { Self(_mm256_sub_epi16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn add16_saturating(self, other: Self) -> Self {
        unsafe { Self(_mm256_adds_epu16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn multiply_high16(self, other: Self) -> Self {
        unsafe { Self(_mm256_mulhi_epu16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn shift_left16(self, by: u32) -> Self {
        unsafe { Self(_mm256_sll_epi16(self.0, _mm_cvtsi32_si128(by as i32))) }
    }
    #[inline(always)]
    unsafe fn shift_right16(self, by: u32) -> Self {
        unsafe { Self(_mm256_srl_epi16(self.0, _mm_cvtsi32_si128(by as i32))) }
    }
    #[inline(always)]
    unsafe fn min16_unsigned(self, other: Self) -> Self {
        unsafe { Self(_mm256_min_epu16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn above16(self, limit: Self) -> u32 {
        unsafe {
            let within = _mm256_cmpeq_epi16(_mm256_max_epu16(self.0, limit.0), limit.0);
            (_mm256_movemask_epi8(within) as u32).count_zeros() / 2
        }
    }
    #[inline(always)]
    unsafe fn min16(self, other: Self) -> Self {
        unsafe { Self(_mm256_min_epi16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn max16(self, other: Self) -> Self {
        unsafe { Self(_mm256_max_epi16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn choose_above16(self, other: Self, yes: Self, no: Self) -> Self {
        unsafe { Self(_mm256_blendv_epi8(no.0, yes.0, _mm256_cmpgt_epi16(self.0, other.0))) }
    }
}

impl Lanes for Avx512 {
    const BYTES: usize = 64;
    const LOOKS_UP: bool = true;

    methods! {
        load(from: *const u8) -> Self = Self(_mm512_loadu_si512(from.cast()));
        splat8(value: u8) -> Self = Self(_mm512_set1_epi8(value as i8));
        splat16(value: u16) -> Self = Self(_mm512_set1_epi16(value as i16));
        narrow(low: Self, high: Self) -> Self = Self(_mm512_packus_epi16(low.0, high.0));
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        unsafe { _mm512_storeu_si512(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn bit(self, plane: u32) -> Self {
        unsafe {
            let shifted = _mm512_srl_epi16(self.0, _mm_cvtsi32_si128(plane as i32));
            Self(_mm512_and_si512(shifted, _mm512_set1_epi8(1)))
        }
    }
    #[inline(always)]
    unsafe fn add8(self, other: Self) -> Self {
        unsafe { Self(_mm512_add_epi8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn add8_saturating(self, other: Self) -> Self {
        unsafe { Self(_mm512_adds_epu8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn min8(self, other: Self) -> Self {
        unsafe { Self(_mm512_min_epu8(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn look_up(self, table: &[Self; 4], short: bool) -> Self {
        unsafe {
            let low = _mm512_permutex2var_epi8(table[0].0, self.0, table[1].0);
            if short {
                return Self(low);
            }
            let high = _mm512_permutex2var_epi8(table[2].0, self.0, table[3].0);
            Self(_mm512_mask_mov_epi8(low, _mm512_movepi8_mask(self.0), high))
        }
    }
    #[inline(always)]
    unsafe fn above8(self, limit: Self) -> u32 {
        unsafe { _mm512_cmpgt_epu8_mask(self.0, limit.0).count_ones() }
    }
    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        unsafe { (Self(_mm512_unpacklo_epi8(self.0, other.0)), Self(_mm512_unpackhi_epi8(self.0, other.0))) }
    }
    #[inline(always)]
    unsafe fn multiply_pairs(self, weights: Self) -> Self {
        unsafe { Self(_mm512_maddubs_epi16(self.0, weights.0)) }
    }
    #[inline(always)]
    unsafe fn add16(self, other: Self) -> Self {
        unsafe { Self(_mm512_add_epi16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub16(self, other: Self) -> Self {
        unsafe { Self(_mm512_sub_epi16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn add16_saturating(self, other: Self) -> Self {
        unsafe { Self(_mm512_adds_epu16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn multiply_high16(self, other: Self) -> Self {
        unsafe { Self(_mm512_mulhi_epu16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn shift_left16(self, by: u32) -> Self {
        unsafe { Self(_mm512_sll_epi16(self.0, _mm_cvtsi32_si128(by as i32))) }
    }
    #[inline(always)]
    unsafe fn shift_right16(self, by: u32) -> Self {
        unsafe { Self(_mm512_srl_epi16(self.0, _mm_cvtsi32_si128(by as i32))) }
    }
    #[inline(always)]
    unsafe fn min16_unsigned(self, other: Self) -> Self {
        unsafe { Self(_mm512_min_epu16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn above16(self, limit: Self) -> u32 {
        unsafe { _mm512_cmpgt_epu16_mask(self.0, limit.0).count_ones() }
    }
    #[inline(always)]
    unsafe fn min16(self, other: Self) -> Self {
        unsafe { Self(_mm512_min_epi16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn max16(self, other: Self) -> Self {
        unsafe { Self(_mm512_max_epi16(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn choose_above16(self, other: Self, yes: Self, no: Self) -> Self {
        unsafe { Self(_mm512_mask_mov_epi16(no.0, _mm512_cmpgt_epi16_mask(self.0, other.0), yes.0)) }
    }
}

//! The vector units of x86-64.

use std::arch::x86_64::*;

use super::{MAX_LANES, Simd, Work};

/// AVX-512F.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Avx512;

impl Simd for Avx512 {
    const LANES: usize = 16;
    const WIDE: bool = true;
    type V = __m512;

    #[inline(always)]
    unsafe fn call<W: Work<Self>>(work: W) -> W::Output {
        #[target_feature(enable = "avx512f")]
        unsafe fn go<W: Work<Avx512>>(work: W) -> W::Output {
            // SAFETY: the caller's.
            unsafe { work.run() }
        }
        // SAFETY: the caller's.
        unsafe { go(work) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_masked(from: *const f32, mask: u32) -> Self::V {
        // SAFETY: the caller's; masked lanes are not touched.
        unsafe { _mm512_maskz_loadu_ps(mask as __mmask16, from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: the caller's.
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn store_masked(to: *mut f32, mask: u32, v: Self::V) {
        // SAFETY: the caller's; masked lanes are not touched.
        unsafe { _mm512_mask_storeu_ps(to, mask as __mmask16, v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn keep(mask: u32, v: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_maskz_mov_ps(mask as __mmask16, v) }
    }
    #[inline(always)]
    unsafe fn gather(from: *const f32, index: *const i32) -> Self::V {
        // SAFETY: the caller's.
        unsafe { _mm512_i32gather_ps::<4>(_mm512_loadu_si512(index.cast()), from) }
    }
    #[inline(always)]
    unsafe fn permute(v: Self::V, index: *const i32) -> Self::V {
        // SAFETY: the caller's.
        unsafe { _mm512_permutexvar_ps(_mm512_loadu_si512(index.cast()), v) }
    }
    #[inline(always)]
    unsafe fn columns(rows: [Self::V; 8]) -> [Self::V; MAX_LANES] {
        // SAFETY: the CPU has the unit, and with it AVX.
        unsafe {
            let mut halves = [[_mm256_setzero_ps(); 8]; 2];
            for r in 0..8 {
                halves[0][r] = _mm512_castps512_ps256(rows[r]);
                let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(rows[r]));
                halves[1][r] = _mm256_castpd_ps(high);
            }
            let mut columns = [_mm512_setzero_ps(); MAX_LANES];
            for half in 0..2 {
                let eight = transposed(halves[half]);
                for c in 0..8 {
                    columns[half * 8 + c] = _mm512_castps256_ps512(eight[c]);
                }
            }
            columns
        }
    }
    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: a prefetch of any address is harmless.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
}

/// The columns of 8 rows of 8.
#[inline(always)]
unsafe fn transposed(rows: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller's: the CPU has AVX.
    unsafe {
        // Pairs of rows, then fours: vector `j` and 4 on of `fours` hold columns `j` and `j + 4` of rows 0 to 3
        // and of rows 4 to 7.
        let mut pairs = rows;
        for i in [0, 2, 4, 6] {
            pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
            pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
        }
        let mut fours = pairs;
        for i in [0, 4] {
            for j in [0, 1] {
                let (a, b) = (_mm256_castps_pd(pairs[i + j]), _mm256_castps_pd(pairs[i + j + 2]));
                fours[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
                fours[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
            }
        }
        let mut columns = fours;
        for j in 0..4 {
            columns[j] = _mm256_permute2f128_ps::<0x20>(fours[j], fours[j + 4]);
            columns[j + 4] = _mm256_permute2f128_ps::<0x31>(fours[j], fours[j + 4]);
        }
        columns
    }
}

/// AVX2 with FMA.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Avx2;

impl Avx2 {
    #[inline(always)]
    unsafe fn lanes(mask: u32) -> __m256i {
        // SAFETY: the CPU has the unit.
        unsafe {
            let bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let mask = _mm256_set1_epi32(mask.cast_signed());
            _mm256_cmpeq_epi32(_mm256_and_si256(mask, bits), bits)
        }
    }
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const WIDE: bool = false;
    type V = __m256;

    #[inline(always)]
    unsafe fn call<W: Work<Self>>(work: W) -> W::Output {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn go<W: Work<Avx2>>(work: W) -> W::Output {
            // SAFETY: the caller's.
            unsafe { work.run() }
        }
        // SAFETY: the caller's.
        unsafe { go(work) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller's.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_masked(from: *const f32, mask: u32) -> Self::V {
        // SAFETY: the caller's; masked lanes are not touched.
        unsafe { _mm256_maskload_ps(from, Self::lanes(mask)) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn store_masked(to: *mut f32, mask: u32, v: Self::V) {
        // SAFETY: the caller's; masked lanes are not touched.
        unsafe { _mm256_maskstore_ps(to, Self::lanes(mask), v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn keep(mask: u32, v: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_and_ps(v, _mm256_castsi256_ps(Self::lanes(mask))) }
    }
    #[inline(always)]
    unsafe fn gather(from: *const f32, index: *const i32) -> Self::V {
        // SAFETY: the caller's.
        unsafe { _mm256_i32gather_ps::<4>(from, _mm256_loadu_si256(index.cast())) }
    }
    #[inline(always)]
    unsafe fn permute(v: Self::V, index: *const i32) -> Self::V {
        // SAFETY: the caller's.
        unsafe { _mm256_permutevar8x32_ps(v, _mm256_loadu_si256(index.cast())) }
    }
    #[inline(always)]
    unsafe fn columns(rows: [Self::V; 8]) -> [Self::V; MAX_LANES] {
        // SAFETY: the CPU has the unit.
        unsafe {
            let eight = transposed(rows);
            let mut columns = [_mm256_setzero_ps(); MAX_LANES];
            columns[..8].copy_from_slice(&eight);
            columns
        }
    }
    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: a prefetch of any address is harmless.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
}

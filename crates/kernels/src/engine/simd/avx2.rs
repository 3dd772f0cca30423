//! AVX2.

use std::arch::x86_64::*;

use super::{MAX_LANES, Simd, Work};

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
        #[target_feature(enable = "avx2,fma,f16c")]
        #[inline(never)]
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
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_min_ps(a, b) }
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
    unsafe fn widen(from: *const u16) -> Self::V {
        // SAFETY: the caller's.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: a prefetch of any address is harmless.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
    #[inline(always)]
    unsafe fn pairs(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe {
            let order = _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
            let both = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
            _mm256_castsi256_ps(_mm256_shuffle_epi8(both, _mm256_broadcastsi128_si256(order)))
        }
    }
    #[inline(always)]
    unsafe fn quads([a, b, c, d]: [Self::V; 4]) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe {
            let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let low = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
            let high = _mm256_packs_epi32(_mm256_cvtps_epi32(c), _mm256_cvtps_epi32(d));
            let all = _mm256_packus_epi16(low, high);
            _mm256_castsi256_ps(_mm256_shuffle_epi8(all, _mm256_broadcastsi128_si256(order)))
        }
    }
    #[inline(always)]
    unsafe fn dot_i16(w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe {
            let products = _mm256_madd_epi16(_mm256_castps_si256(w), _mm256_castps_si256(x));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum), products))
        }
    }
    #[inline(always)]
    unsafe fn dot_u8(w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit. Even and odd bytes as i16, for `vpmaddubsw` would cut sums of two products.
        unsafe {
            let (w, x) = (_mm256_castps_si256(w), _mm256_castps_si256(x));
            let even = _mm256_and_si256(x, _mm256_set1_epi16(0xff));
            let odd = _mm256_srli_epi16::<8>(x);
            let even_w = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w));
            let odd_w = _mm256_srai_epi16::<8>(w);
            let products = _mm256_add_epi32(_mm256_madd_epi16(even, even_w), _mm256_madd_epi16(odd, odd_w));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum), products))
        }
    }
    #[inline(always)]
    unsafe fn to_f32(v: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_cvtepi32_ps(_mm256_castps_si256(v)) }
    }
    #[inline(always)]
    unsafe fn add_i16(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_castsi256_ps(_mm256_adds_epi16(_mm256_castps_si256(a), _mm256_castps_si256(b))) }
    }
    #[inline(always)]
    unsafe fn sub_i16(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_castsi256_ps(_mm256_subs_epi16(_mm256_castps_si256(a), _mm256_castps_si256(b))) }
    }
    #[inline(always)]
    unsafe fn shift_i16<const N: u32>(v: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe {
            let count = _mm_cvtsi32_si128(N.cast_signed());
            _mm256_castsi256_ps(_mm256_sll_epi16(_mm256_castps_si256(v), count))
        }
    }
    #[inline(always)]
    unsafe fn interleave(a: Self::V, b: Self::V) -> [Self::V; 2] {
        // SAFETY: the CPU has the unit.
        unsafe {
            let (a, b) = (_mm256_castps_si256(a), _mm256_castps_si256(b));
            [
                _mm256_castsi256_ps(_mm256_unpacklo_epi16(a, b)),
                _mm256_castsi256_ps(_mm256_unpackhi_epi16(a, b)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn narrow<const N: u32>(v: [Self::V; 2]) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe {
            let count = _mm_cvtsi32_si128(N.cast_signed());
            let low = _mm256_sra_epi32(_mm256_castps_si256(v[0]), count);
            let high = _mm256_sra_epi32(_mm256_castps_si256(v[1]), count);
            _mm256_castsi256_ps(_mm256_packs_epi32(low, high))
        }
    }
    #[inline(always)]
    unsafe fn add_i32(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))) }
    }
    #[inline(always)]
    unsafe fn sub_i32(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))) }
    }
}

/// The columns of 8 rows of 8.
#[inline(always)]
pub(in crate::engine) unsafe fn transposed(rows: [__m256; 8]) -> [__m256; 8] {
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

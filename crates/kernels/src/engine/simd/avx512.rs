//! AVX-512.

use std::arch::asm;
use std::arch::x86_64::*;

use super::avx2::transposed;
use super::{MAX_LANES, Simd, Work};

/// AVX-512F and BW; what multiplies packed operands, VNNI and BF16, is asked for in [`crate::engine::Isa::multiplies`].
#[derive(Clone, Copy)]
pub(in crate::engine) struct Avx512;

impl Simd for Avx512 {
    const LANES: usize = 16;
    const WIDE: bool = true;
    type V = __m512;

    #[inline(always)]
    unsafe fn call<W: Work<Self>>(work: W) -> W::Output {
        #[target_feature(enable = "avx512f,avx512bw")]
        #[inline(never)]
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
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_min_ps(a, b) }
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
    unsafe fn widen(from: *const u16) -> Self::V {
        // SAFETY: the caller's.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
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
            let both = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
            let both = _mm512_shuffle_epi8(both, _mm512_broadcast_i32x4(order));
            _mm512_castsi512_ps(both)
        }
    }
    #[inline(always)]
    unsafe fn quads([a, b, c, d]: [Self::V; 4]) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe {
            let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let low = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
            let high = _mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d));
            let all = _mm512_shuffle_epi8(_mm512_packus_epi16(low, high), _mm512_broadcast_i32x4(order));
            _mm512_castsi512_ps(all)
        }
    }
    #[inline(always)]
    unsafe fn pairs_bf16(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe {
            let low = _mm512_srli_epi32::<16>(rounded_to_bf16(a));
            _mm512_castsi512_ps(_mm512_mask_blend_epi16(0xaaaa_aaaa, low, rounded_to_bf16(b)))
        }
    }
    #[inline(always)]
    unsafe fn dot_i16(w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { vpdpwssd(sum, w, x) }
    }
    #[inline(always)]
    unsafe fn dot_u8(w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { vpdpbusd(sum, x, w) }
    }
    #[inline(always)]
    unsafe fn dot_bf16(w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { vdpbf16ps(sum, w, x) }
    }
    #[inline(always)]
    unsafe fn to_f32(v: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_cvtepi32_ps(_mm512_castps_si512(v)) }
    }
    #[inline(always)]
    unsafe fn add_i16(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_castsi512_ps(_mm512_adds_epi16(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }
    #[inline(always)]
    unsafe fn sub_i16(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_castsi512_ps(_mm512_subs_epi16(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }
    #[inline(always)]
    unsafe fn shift_i16<const N: u32>(v: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi16::<N>(_mm512_castps_si512(v))) }
    }
    #[inline(always)]
    unsafe fn interleave(a: Self::V, b: Self::V) -> [Self::V; 2] {
        // SAFETY: the CPU has the unit.
        unsafe {
            let (a, b) = (_mm512_castps_si512(a), _mm512_castps_si512(b));
            [
                _mm512_castsi512_ps(_mm512_unpacklo_epi16(a, b)),
                _mm512_castsi512_ps(_mm512_unpackhi_epi16(a, b)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn narrow<const N: u32>(v: [Self::V; 2]) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe {
            let low = _mm512_srai_epi32::<N>(_mm512_castps_si512(v[0]));
            let high = _mm512_srai_epi32::<N>(_mm512_castps_si512(v[1]));
            _mm512_castsi512_ps(_mm512_packs_epi32(low, high))
        }
    }
    #[inline(always)]
    unsafe fn add_i32(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }
    #[inline(always)]
    unsafe fn sub_i32(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }
}

/// Numbers whose upper halves are the nearest bf16.
#[inline(always)]
unsafe fn rounded_to_bf16(v: __m512) -> __m512i {
    // SAFETY: the caller's: the CPU has AVX-512F.
    unsafe {
        let bits = _mm512_castps_si512(v);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd)
    }
}

/// An instruction itself: the compiler would take an intrinsic of VNNI apart into two where that shortens a chain.
macro_rules! instruction {
    ($name:ident) => {
        /// # Safety
        /// `Isa::multiplies` has found the instruction.
        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn $name(mut sum: __m512, a: __m512, b: __m512) -> __m512 {
            // SAFETY: the caller's; it works on registers alone.
            unsafe {
                asm!(
                    concat!(stringify!($name), " {}, {}, {}"),
                    inout(zmm_reg) sum,
                    in(zmm_reg) a,
                    in(zmm_reg) b,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            sum
        }
    };
}

instruction!(vpdpwssd);
instruction!(vpdpbusd);
instruction!(vdpbf16ps);

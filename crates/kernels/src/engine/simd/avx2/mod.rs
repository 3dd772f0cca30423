//! AVX2, alone and with AVX-VNNI.

mod products;

use std::arch::x86_64::*;

use super::isa::Isa;
use super::{Entry, I16, Int8, MAX_LANES, Simd, Step, Work};
use products::Products;
pub(in crate::engine) use products::{Plain, Vnni};

/// AVX2 with FMA and F16C, and what multiplies whole numbers: [`Plain`] or [`Vnni`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Avx2<P>(P);

type V = __m256;

impl Avx2<Plain> {
    /// Returns the unit if the CPU has it.
    pub(in crate::engine) fn found() -> Option<Self> {
        Plain::found().map(Self)
    }
}

impl Avx2<Vnni> {
    /// Returns the unit if the CPU has it.
    pub(in crate::engine) fn found() -> Option<Self> {
        Vnni::found().map(Self)
    }
}

/// A unit of CPUs that have AVX.
pub(in crate::engine) trait Avx: Simd {
    on_registers! {
        // The columns of 8 rows of 8.
        fn transposed(self, rows: [__m256; 8]) -> [__m256; 8] {
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
}

impl<P: Products> Avx for Avx2<P> {}

impl<P: Products> Avx2<P> {
    on_registers! {
        fn lanes(self, mask: u32) -> __m256i {
            let bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let mask = _mm256_set1_epi32(mask.cast_signed());
            _mm256_cmpeq_epi32(_mm256_and_si256(mask, bits), bits)
        }
    }
}

impl<P: Products> Simd for Avx2<P> {
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    const PAIR: Option<f32> = P::PAIR;
    type V = V;

    fn isa(self) -> Isa {
        Isa::of(P::kind(self))
    }
    entered_with!("avx2,fma,f16c");
    through_pointers! {
        fn load(self, from: *const f32) -> V { _mm256_loadu_ps(from) }
        fn load_masked(self, from: *const f32, mask: u32) -> V { _mm256_maskload_ps(from, self.lanes(mask)) }
        fn store(self, to: *mut f32, v: V) { _mm256_storeu_ps(to, v) }
        fn store_masked(self, to: *mut f32, mask: u32, v: V) { _mm256_maskstore_ps(to, self.lanes(mask), v) }
        fn gather(self, from: *const f32, index: *const i32) -> V {
            _mm256_i32gather_ps::<4>(from, _mm256_loadu_si256(index.cast()))
        }
        fn widen(self, from: *const u16) -> V { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    on_registers! {
        fn prefetch(self, from: *const f32) { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        fn prefetch_second(self, from: *const f32) { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
        fn splat(self, value: f32) -> V { _mm256_set1_ps(value) }
        fn add(self, a: V, b: V) -> V { _mm256_add_ps(a, b) }
        fn sub(self, a: V, b: V) -> V { _mm256_sub_ps(a, b) }
        fn mul(self, a: V, b: V) -> V { _mm256_mul_ps(a, b) }
        fn fma(self, a: V, b: V, c: V) -> V { _mm256_fmadd_ps(a, b, c) }
        fn max(self, a: V, b: V) -> V { _mm256_max_ps(a, b) }
        fn min(self, a: V, b: V) -> V { _mm256_min_ps(a, b) }
        fn keep(self, mask: u32, v: V) -> V { _mm256_and_ps(v, _mm256_castsi256_ps(self.lanes(mask))) }
        fn permute(self, v: V, index: &[i32; MAX_LANES]) -> V {
            _mm256_permutevar8x32_ps(v, _mm256_loadu_si256(index.as_ptr().cast()))
        }
        fn columns(self, rows: [V; 8]) -> [V; MAX_LANES] {
            let eight = self.transposed(rows);
            let mut columns = [_mm256_setzero_ps(); MAX_LANES];
            columns[..8].copy_from_slice(&eight);
            columns
        }
        fn pairs(self, a: V, b: V) -> V {
            let order = _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
            let both = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
            _mm256_castsi256_ps(_mm256_shuffle_epi8(both, _mm256_broadcastsi128_si256(order)))
        }
        fn quads(self, v: [V; 4]) -> V {
            let [a, b, c, d] = v;
            let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let low = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
            let high = _mm256_packs_epi32(_mm256_cvtps_epi32(c), _mm256_cvtps_epi32(d));
            let all = _mm256_packus_epi16(low, high);
            _mm256_castsi256_ps(_mm256_shuffle_epi8(all, _mm256_broadcastsi128_si256(order)))
        }
        fn to_f32(self, v: V) -> V { _mm256_cvtepi32_ps(_mm256_castps_si256(v)) }
        fn add_i16(self, a: V, b: V) -> V {
            _mm256_castsi256_ps(_mm256_adds_epi16(_mm256_castps_si256(a), _mm256_castps_si256(b)))
        }
        fn sub_i16(self, a: V, b: V) -> V {
            _mm256_castsi256_ps(_mm256_subs_epi16(_mm256_castps_si256(a), _mm256_castps_si256(b)))
        }
        fn shift_i16<const N: u32>(self, v: V) -> V {
            let count = _mm_cvtsi32_si128(N.cast_signed());
            _mm256_castsi256_ps(_mm256_sll_epi16(_mm256_castps_si256(v), count))
        }
        fn interleave(self, a: V, b: V) -> [V; 2] {
            let (a, b) = (_mm256_castps_si256(a), _mm256_castps_si256(b));
            [
                _mm256_castsi256_ps(_mm256_unpacklo_epi16(a, b)),
                _mm256_castsi256_ps(_mm256_unpackhi_epi16(a, b)),
            ]
        }
        fn narrow<const N: u32>(self, v: [V; 2]) -> V {
            let count = _mm_cvtsi32_si128(N.cast_signed());
            let low = _mm256_sra_epi32(_mm256_castps_si256(v[0]), count);
            let high = _mm256_sra_epi32(_mm256_castps_si256(v[1]), count);
            _mm256_castsi256_ps(_mm256_packs_epi32(low, high))
        }
        fn add_i32(self, a: V, b: V) -> V {
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)))
        }
        fn sub_i32(self, a: V, b: V) -> V {
            _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)))
        }
    }
    #[inline(always)]
    fn dot_i16(self, _: I16<Self>, w: V, x: V, sum: V) -> V {
        self.0.dot_i16(w, x, sum)
    }
    #[inline(always)]
    fn dot_u8(self, _: Int8<Self>, w: V, x: V, sum: V) -> V {
        self.0.dot_u8(w, x, sum)
    }
}

//! AVX-512.

use std::arch::asm;
use std::arch::x86_64::*;

use super::avx2::Avx;
use super::isa::{Isa, Kind};
use super::{Bf16, Entry, I16, Int8, MAX_LANES, Simd, Step, Work};

/// AVX-512F and BW; what multiplies packed operands, VNNI and BF16, has proofs of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Avx512(());

type V = __m512;

impl Avx512 {
    /// Returns the unit if the CPU has it.
    pub(in crate::engine) fn found() -> Option<Self> {
        let found =
            std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512bw");
        found.then_some(Self(()))
    }

    on_registers! {
        // Numbers whose upper halves are the nearest bf16.
        fn rounded_to_bf16(self, v: V) -> __m512i {
            let bits = _mm512_castps_si512(v);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd)
        }
    }
}

impl Avx for Avx512 {}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    type V = V;

    fn isa(self) -> Isa {
        Isa::of(Kind::Avx512(self))
    }
    entered_with!("avx512f,avx512bw");
    through_pointers! {
        fn load(self, from: *const f32) -> V { _mm512_loadu_ps(from) }
        fn load_masked(self, from: *const f32, mask: u32) -> V {
            _mm512_maskz_loadu_ps(mask as __mmask16, from)
        }
        fn store(self, to: *mut f32, v: V) { _mm512_storeu_ps(to, v) }
        fn store_masked(self, to: *mut f32, mask: u32, v: V) {
            _mm512_mask_storeu_ps(to, mask as __mmask16, v)
        }
        fn gather(self, from: *const f32, index: *const i32) -> V {
            _mm512_i32gather_ps::<4>(_mm512_loadu_si512(index.cast()), from)
        }
        fn widen(self, from: *const u16) -> V { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
    on_registers! {
        fn prefetch(self, from: *const f32) { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        fn prefetch_second(self, from: *const f32) { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
        fn splat(self, value: f32) -> V { _mm512_set1_ps(value) }
        fn add(self, a: V, b: V) -> V { _mm512_add_ps(a, b) }
        fn sub(self, a: V, b: V) -> V { _mm512_sub_ps(a, b) }
        fn mul(self, a: V, b: V) -> V { _mm512_mul_ps(a, b) }
        fn fma(self, a: V, b: V, c: V) -> V { _mm512_fmadd_ps(a, b, c) }
        fn max(self, a: V, b: V) -> V { _mm512_max_ps(a, b) }
        fn min(self, a: V, b: V) -> V { _mm512_min_ps(a, b) }
        fn keep(self, mask: u32, v: V) -> V { _mm512_maskz_mov_ps(mask as __mmask16, v) }
        fn permute(self, v: V, index: &[i32; MAX_LANES]) -> V {
            _mm512_permutexvar_ps(_mm512_loadu_si512(index.as_ptr().cast()), v)
        }
        fn columns(self, rows: [V; 8]) -> [V; MAX_LANES] {
            let mut halves = [[_mm256_setzero_ps(); 8]; 2];
            for r in 0..8 {
                halves[0][r] = _mm512_castps512_ps256(rows[r]);
                let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(rows[r]));
                halves[1][r] = _mm256_castpd_ps(high);
            }
            let mut columns = [_mm512_setzero_ps(); MAX_LANES];
            for half in 0..2 {
                let eight = self.transposed(halves[half]);
                for c in 0..8 {
                    columns[half * 8 + c] = _mm512_castps256_ps512(eight[c]);
                }
            }
            columns
        }
        fn pairs(self, a: V, b: V) -> V {
            let order = _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
            let both = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
            let both = _mm512_shuffle_epi8(both, _mm512_broadcast_i32x4(order));
            _mm512_castsi512_ps(both)
        }
        fn quads(self, v: [V; 4]) -> V {
            let [a, b, c, d] = v;
            let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let low = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
            let high = _mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d));
            let all = _mm512_shuffle_epi8(_mm512_packus_epi16(low, high), _mm512_broadcast_i32x4(order));
            _mm512_castsi512_ps(all)
        }
        fn digits(self, v: [V; 4]) -> [V; 2] {
            let [a, b, c, d] = v;
            let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let numbers = [
                _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b)),
                _mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d)),
            ];
            let high = numbers.map(|x| _mm512_srai_epi16::<8>(_mm512_adds_epi16(x, _mm512_set1_epi16(128))));
            let low = [0, 1].map(|i| _mm512_sub_epi16(numbers[i], _mm512_slli_epi16::<8>(high[i])));
            [high, low].map(|[first, second]| {
                let all = _mm512_shuffle_epi8(_mm512_packs_epi16(first, second), _mm512_broadcast_i32x4(order));
                _mm512_castsi512_ps(all)
            })
        }
        fn pairs_bf16(self, a: V, b: V) -> V {
            let low = _mm512_srli_epi32::<16>(self.rounded_to_bf16(a));
            _mm512_castsi512_ps(_mm512_mask_blend_epi16(0xaaaa_aaaa, low, self.rounded_to_bf16(b)))
        }
        fn widen_bf16(self, v: V) -> [V; 2] {
            let bits = _mm512_castps_si512(v);
            let upper = _mm512_and_si512(bits, _mm512_set1_epi32(-0x1_0000));
            [_mm512_slli_epi32::<16>(bits), upper].map(|bits| _mm512_castsi512_ps(bits))
        }
        fn dot_i16(self, proof: I16<Self>, w: V, x: V, sum: V) -> V { vpdpwssd(proof, sum, w, x) }
        fn dot_u8(self, proof: Int8<Self>, w: V, x: V, sum: V) -> V { vpdpbusd(proof, sum, x, w) }
        fn dot_bf16(self, proof: Bf16<Self>, w: V, x: V, sum: V) -> V { vdpbf16ps(proof, sum, w, x) }
        fn to_f32(self, v: V) -> V { _mm512_cvtepi32_ps(_mm512_castps_si512(v)) }
        fn add_i16(self, a: V, b: V) -> V {
            _mm512_castsi512_ps(_mm512_adds_epi16(_mm512_castps_si512(a), _mm512_castps_si512(b)))
        }
        fn sub_i16(self, a: V, b: V) -> V {
            _mm512_castsi512_ps(_mm512_subs_epi16(_mm512_castps_si512(a), _mm512_castps_si512(b)))
        }
        fn shift_i16<const N: u32>(self, v: V) -> V {
            _mm512_castsi512_ps(_mm512_slli_epi16::<N>(_mm512_castps_si512(v)))
        }
        fn interleave(self, a: V, b: V) -> [V; 2] {
            let (a, b) = (_mm512_castps_si512(a), _mm512_castps_si512(b));
            [
                _mm512_castsi512_ps(_mm512_unpacklo_epi16(a, b)),
                _mm512_castsi512_ps(_mm512_unpackhi_epi16(a, b)),
            ]
        }
        fn narrow<const N: u32>(self, v: [V; 2]) -> V {
            let low = _mm512_srai_epi32::<N>(_mm512_castps_si512(v[0]));
            let high = _mm512_srai_epi32::<N>(_mm512_castps_si512(v[1]));
            _mm512_castsi512_ps(_mm512_packs_epi32(low, high))
        }
        fn add_i32(self, a: V, b: V) -> V {
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)))
        }
        fn sub_i32(self, a: V, b: V) -> V {
            _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)))
        }
    }
}

/// An instruction itself: the compiler would take an intrinsic of VNNI apart into two where that shortens a chain.
macro_rules! instruction {
    ($name:ident, $proof:ident) => {
        #[inline]
        #[target_feature(enable = "avx512f")]
        fn $name(_: $proof<Avx512>, mut sum: V, a: V, b: V) -> V {
            // SAFETY: the multiplier is the proof that the CPU has the instruction, which works on registers alone.
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

instruction!(vpdpwssd, I16);
instruction!(vpdpbusd, Int8);
instruction!(vdpbf16ps, Bf16);

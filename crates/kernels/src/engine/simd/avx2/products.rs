//! Products of whole numbers on AVX2: by its own instructions, or by those of AVX-VNNI.

use std::arch::asm;
use std::arch::x86_64::*;

use super::{Avx2, V};
use crate::engine::simd::isa::Kind;

/// Products of pairs of i16 and of fours of bytes on a unit with AVX2. Its implementers' values are proofs that the CPU has AVX2 with
/// FMA and F16C, and the instructions that they use.
pub(in crate::engine) trait Products: Copy + Send + Sync + 'static {
    /// See [`Simd::PAIR`](crate::engine::simd::Simd::PAIR).
    const PAIR: Option<f32>;

    /// Returns the unit as an [`Isa`](crate::engine::Isa) holds it.
    fn kind(unit: Avx2<Self>) -> Kind;
    /// `sum`, an i32, and the products of two i16.
    fn dot_i16(self, w: V, x: V, sum: V) -> V;
    /// `sum`, an i32, and the products of four i8 of `w` and u8 of `x`.
    fn dot_u8(self, w: V, x: V, sum: V) -> V;
}

/// AVX2's own instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Plain(());

/// The instructions of AVX-VNNI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Vnni(());

impl Plain {
    /// Returns the proof if the CPU has AVX2 with FMA and F16C.
    pub(super) fn found() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("f16c");
        found.then_some(Self(()))
    }
}

impl Vnni {
    /// Returns the proof if the CPU has AVX-VNNI besides.
    pub(super) fn found() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avxvnni");
        Plain::found().filter(|_| found).map(|_| Self(()))
    }
}

impl Products for Plain {
    /// `vpmaddubsw` saturates sums of two products at 32,767, and 255 * 128 is less.
    const PAIR: Option<f32> = Some(128.0);

    fn kind(unit: Avx2<Self>) -> Kind {
        Kind::Avx2(unit)
    }
    on_registers! {
        fn dot_i16(self, w: V, x: V, sum: V) -> V {
            let products = _mm256_madd_epi16(_mm256_castps_si256(w), _mm256_castps_si256(x));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum), products))
        }
        fn dot_u8(self, w: V, x: V, sum: V) -> V {
            let pairs = _mm256_maddubs_epi16(_mm256_castps_si256(x), _mm256_castps_si256(w));
            let products = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum), products))
        }
    }
}

impl Products for Vnni {
    const PAIR: Option<f32> = None;

    fn kind(unit: Avx2<Self>) -> Kind {
        Kind::Avx2Vnni(unit)
    }
    on_registers! {
        fn dot_i16(self, w: V, x: V, sum: V) -> V { vpdpwssd(self, sum, w, x) }
        fn dot_u8(self, w: V, x: V, sum: V) -> V { vpdpbusd(self, sum, x, w) }
    }
}

/// An instruction itself, which the compiler would take apart as it does on AVX-512. Without `{vex}` it would be that of AVX-512.
macro_rules! instruction {
    ($name:ident) => {
        #[inline]
        #[target_feature(enable = "avx")]
        fn $name(_: Vnni, mut sum: V, a: V, b: V) -> V {
            // SAFETY: `Vnni` is the proof that the CPU has the instruction, which works on registers alone.
            unsafe {
                asm!(
                    concat!("{{vex}} ", stringify!($name), " {}, {}, {}"),
                    inout(ymm_reg) sum,
                    in(ymm_reg) a,
                    in(ymm_reg) b,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            sum
        }
    };
}

instruction!(vpdpwssd);
instruction!(vpdpbusd);

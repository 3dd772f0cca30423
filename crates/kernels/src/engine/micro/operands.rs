//! The products of each format, and their sums.

use crate::engine::simd::{Bf16, I16, Int8, Simd};

/// A format's arithmetic on a unit, which multiplies the format: its implementers are the proofs.
pub(in crate::engine) trait Operands<S: Simd>: Copy {
    /// `sum` and the products of a weight, the same in all lanes, and inputs.
    fn multiply(self, s: S, w: S::V, x: S::V, sum: S::V) -> S::V;

    /// A sum as f32.
    fn sum(self, s: S, sum: S::V) -> S::V;
}

/// Numbers in f32, which every unit multiplies.
#[derive(Clone, Copy)]
pub(in crate::engine) struct F32;

impl<S: Simd> Operands<S> for F32 {
    #[inline(always)]
    fn multiply(self, s: S, w: S::V, x: S::V, sum: S::V) -> S::V {
        s.fma(w, x, sum)
    }

    #[inline(always)]
    fn sum(self, _: S, sum: S::V) -> S::V {
        sum
    }
}

impl<S: Simd> Operands<S> for Bf16<S> {
    #[inline(always)]
    fn multiply(self, s: S, w: S::V, x: S::V, sum: S::V) -> S::V {
        s.dot_bf16(self, w, x, sum)
    }

    #[inline(always)]
    fn sum(self, _: S, sum: S::V) -> S::V {
        sum
    }
}

impl<S: Simd> Operands<S> for I16<S> {
    #[inline(always)]
    fn multiply(self, s: S, w: S::V, x: S::V, sum: S::V) -> S::V {
        s.dot_i16(self, w, x, sum)
    }

    #[inline(always)]
    fn sum(self, s: S, sum: S::V) -> S::V {
        s.to_f32(sum)
    }
}

impl<S: Simd> Operands<S> for Int8<S> {
    #[inline(always)]
    fn multiply(self, s: S, w: S::V, x: S::V, sum: S::V) -> S::V {
        s.dot_u8(self, w, x, sum)
    }

    #[inline(always)]
    fn sum(self, s: S, sum: S::V) -> S::V {
        s.to_f32(sum)
    }
}

//! How products of a format are made and summed.

use crate::engine::simd::Simd;

/// A format's arithmetic.
pub(in crate::engine) trait Operands: Copy + 'static {
    /// `sum` and the products of a weight, the same in all lanes, and inputs.
    ///
    /// # Safety
    /// The CPU has the unit, and the unit multiplies the format.
    unsafe fn multiply<S: Simd>(w: S::V, x: S::V, sum: S::V) -> S::V;

    /// A sum as f32.
    ///
    /// # Safety
    /// The CPU has the unit.
    #[inline(always)]
    unsafe fn sum<S: Simd>(sum: S::V) -> S::V {
        sum
    }
}

#[derive(Clone, Copy)]
pub(in crate::engine) struct F32;
#[derive(Clone, Copy)]
pub(in crate::engine) struct Bf16;
#[derive(Clone, Copy)]
pub(in crate::engine) struct I16;
#[derive(Clone, Copy)]
pub(in crate::engine) struct Int8;

impl Operands for F32 {
    #[inline(always)]
    unsafe fn multiply<S: Simd>(w: S::V, x: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::fma(w, x, sum) }
    }
}

impl Operands for Bf16 {
    #[inline(always)]
    unsafe fn multiply<S: Simd>(w: S::V, x: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::dot_bf16(w, x, sum) }
    }
}

impl Operands for I16 {
    #[inline(always)]
    unsafe fn multiply<S: Simd>(w: S::V, x: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::dot_i16(w, x, sum) }
    }

    #[inline(always)]
    unsafe fn sum<S: Simd>(sum: S::V) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::to_f32(sum) }
    }
}

impl Operands for Int8 {
    #[inline(always)]
    unsafe fn multiply<S: Simd>(w: S::V, x: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::dot_u8(w, x, sum) }
    }

    #[inline(always)]
    unsafe fn sum<S: Simd>(sum: S::V) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::to_f32(sum) }
    }
}

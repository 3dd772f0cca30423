//! The vector unit of AArch64.

use std::arch::aarch64::*;

use super::{Simd, Work};

/// Advanced SIMD, which every AArch64 CPU has.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Neon;

impl Simd for Neon {
    const LANES: usize = 4;
    const WIDE: bool = true;
    type V = float32x4_t;

    #[inline(always)]
    unsafe fn call<W: Work<Self>>(work: W) -> W::Output {
        // SAFETY: the caller's.
        unsafe { work.run() }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { vdupq_n_f32(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller's.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn load_masked(from: *const f32, mask: u32) -> Self::V {
        let mut v = [0.0; 4];
        for (lane, out) in v.iter_mut().enumerate() {
            if mask >> lane & 1 == 1 {
                // SAFETY: the caller's, for lanes whose bit is set.
                *out = unsafe { from.wrapping_add(lane).read() };
            }
        }
        // SAFETY: four numbers on the stack.
        unsafe { vld1q_f32(v.as_ptr()) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: the caller's.
        unsafe { vst1q_f32(to, v) }
    }
    #[inline(always)]
    unsafe fn store_masked(to: *mut f32, mask: u32, v: Self::V) {
        let mut values = [0.0; 4];
        // SAFETY: four numbers on the stack.
        unsafe { vst1q_f32(values.as_mut_ptr(), v) };
        for (lane, value) in values.iter().enumerate() {
            if mask >> lane & 1 == 1 {
                // SAFETY: the caller's, for lanes whose bit is set.
                unsafe { to.wrapping_add(lane).write(*value) };
            }
        }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { vmaxq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the CPU has the unit.
        unsafe { vminq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn keep(mask: u32, v: Self::V) -> Self::V {
        let keep: [u32; 4] = std::array::from_fn(|i| if mask >> i & 1 == 1 { u32::MAX } else { 0 });
        // SAFETY: the CPU has the unit; four numbers on the stack.
        unsafe { vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), vld1q_u32(keep.as_ptr()))) }
    }
    #[inline(always)]
    unsafe fn gather(from: *const f32, index: *const i32) -> Self::V {
        // SAFETY: the caller's.
        let v: [f32; 4] = std::array::from_fn(|i| unsafe { *from.offset(*index.add(i) as isize) });
        // SAFETY: four numbers on the stack.
        unsafe { vld1q_f32(v.as_ptr()) }
    }
    #[inline(always)]
    unsafe fn permute(v: Self::V, index: *const i32) -> Self::V {
        let mut lanes = [0.0_f32; 4];
        // SAFETY: the caller's; four numbers on the stack, and an index is reduced to a lane.
        unsafe {
            vst1q_f32(lanes.as_mut_ptr(), v);
            let picked: [f32; 4] =
                std::array::from_fn(|i| lanes[(*index.add(i)).cast_unsigned() as usize % 4]);
            vld1q_f32(picked.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
}

//! The vector unit of AArch64.

use std::arch::aarch64::*;

use super::isa::{Isa, Kind};
use super::{Entry, MAX_LANES, Simd, Step, Work};

/// Advanced SIMD, which every AArch64 CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Neon;

type V = float32x4_t;

impl Simd for Neon {
    const LANES: usize = 4;
    const REGISTERS: usize = 32;
    type V = V;

    fn isa(self) -> Isa {
        Isa::of(Kind::Neon(self))
    }
    #[inline(always)]
    fn call<W: Work<Self>>(self, work: W) -> W::Output {
        work.run(self)
    }
    entered_anyhow!();
    through_pointers! {
        fn load(self, from: *const f32) -> V { vld1q_f32(from) }
        fn store(self, to: *mut f32, v: V) { vst1q_f32(to, v) }
    }
    lane_by_lane!();
    #[inline(always)]
    fn prefetch(self, _: *const f32) {}
    #[inline(always)]
    fn prefetch_second(self, _: *const f32) {}
    on_registers! {
        fn splat(self, value: f32) -> V { vdupq_n_f32(value) }
        fn add(self, a: V, b: V) -> V { vaddq_f32(a, b) }
        fn sub(self, a: V, b: V) -> V { vsubq_f32(a, b) }
        fn mul(self, a: V, b: V) -> V { vmulq_f32(a, b) }
        fn fma(self, a: V, b: V, c: V) -> V { vfmaq_f32(c, a, b) }
        fn max(self, a: V, b: V) -> V { vmaxq_f32(a, b) }
        fn min(self, a: V, b: V) -> V { vminq_f32(a, b) }
        fn keep(self, mask: u32, v: V) -> V {
            let keep: [u32; 4] = std::array::from_fn(|i| if mask >> i & 1 == 1 { u32::MAX } else { 0 });
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), vld1q_u32(keep.as_ptr())))
        }
        fn permute(self, v: V, index: &[i32; MAX_LANES]) -> V {
            let mut lanes = [0.0_f32; 4];
            vst1q_f32(lanes.as_mut_ptr(), v);
            let picked: [f32; 4] = std::array::from_fn(|i| lanes[index[i].cast_unsigned() as usize % 4]);
            vld1q_f32(picked.as_ptr())
        }
    }
}

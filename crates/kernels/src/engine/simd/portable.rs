//! Plain Rust.

use super::isa::{Isa, Kind};
use super::{Entry, MAX_LANES, Simd, Step, Work};

/// Any CPU: what the compiler makes of four numbers at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Portable;

type V = [f32; 4];

impl Simd for Portable {
    const LANES: usize = 4;
    const REGISTERS: usize = 16;
    type V = V;

    fn isa(self) -> Isa {
        Isa::of(Kind::Portable(self))
    }
    #[inline(always)]
    fn call<W: Work<Self>>(self, work: W) -> W::Output {
        work.run(self)
    }
    entered_anyhow!();
    through_pointers! {
        fn load(self, from: *const f32) -> V { from.cast::<V>().read_unaligned() }
        fn store(self, to: *mut f32, v: V) { to.cast::<V>().write_unaligned(v) }
    }
    lane_by_lane!();
    #[inline(always)]
    fn prefetch(self, _: *const f32) {}
    #[inline(always)]
    fn prefetch_second(self, _: *const f32) {}
    #[inline(always)]
    fn splat(self, value: f32) -> V {
        [value; 4]
    }
    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn fma(self, a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        std::array::from_fn(|i| a[i].max(b[i]))
    }
    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        std::array::from_fn(|i| a[i].min(b[i]))
    }
    #[inline(always)]
    fn keep(self, mask: u32, v: V) -> V {
        std::array::from_fn(|i| if mask >> i & 1 == 1 { v[i] } else { 0.0 })
    }
    #[inline(always)]
    fn permute(self, v: V, index: &[i32; MAX_LANES]) -> V {
        std::array::from_fn(|i| v[index[i].cast_unsigned() as usize % Self::LANES])
    }
}

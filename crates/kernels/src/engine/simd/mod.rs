//! Vectors of f32 for each instruction set: the kernels are written once over [`Simd`] and compiled for each.
//!
//! A unit is a value, a token, which is only made once the CPU was found to have the unit; an [`Isa`] holds one. So whoever has a
//! token may compute: arithmetic is safe. What goes through pointers alone has a contract.
//!
//! Whole numbers lie in the same vectors, bit for bit: sums of 32 bits, and operands of 16 or 8 bits, two or four to a
//! lane. What a unit has no instruction for is done lane by lane ([`lanes`]), which is also what the tests compare with.

#[macro_use]
mod methods;

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(in crate::engine) mod isa;
mod lanes;
mod multiplier;
mod portable;
#[cfg(test)]
mod tests;

use isa::Isa;
pub(in crate::engine) use multiplier::{Bf16, I16, Int8};
pub(in crate::engine) use portable::Portable;

/// The widest vector's lanes.
pub(in crate::engine) const MAX_LANES: usize = 16;

/// A vector unit: a value of no size, which is the proof that the CPU has the unit. Every method is inlined into a function that
/// has the unit's target features, which [`Simd::call`] enters.
pub(in crate::engine) trait Simd: Copy + Send + Sync + 'static {
    /// f32 numbers in a vector; at most [`MAX_LANES`].
    const LANES: usize;
    /// Vector registers: 32 or 16.
    const REGISTERS: usize;
    /// The largest sum of the magnitudes of two weights, the first two or the last two of four, up to which [`Simd::dot_u8`] is
    /// exact; `None` if it always is.
    const PAIR: Option<f32> = None;
    /// A vector.
    type V: Copy;

    /// Returns the unit as callers outside choose it.
    fn isa(self) -> Isa;
    /// Runs `work` as a function that has the unit's target features.
    fn call<W: Work<Self>>(self, work: W) -> W::Output;

    /// Returns a function of the C ABI that has the unit's target features and runs a step of work, for code that can call no other.
    fn entry<W: Step>(self) -> Entry<W>;

    /// Loads a vector.
    ///
    /// # Safety
    /// `from` is valid for reads of [`Simd::LANES`] numbers; it need not be aligned.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// Stores a vector.
    ///
    /// # Safety
    /// `to` is valid for writes of [`Simd::LANES`] numbers; it need not be aligned.
    unsafe fn store(self, to: *mut f32, v: Self::V);
    /// Loads the lanes whose bit is set; the others are not touched and become 0.
    ///
    /// # Safety
    /// `from`, moved on by a lane, is valid for a read of one number, for each lane whose bit is set.
    unsafe fn load_masked(self, from: *const f32, mask: u32) -> Self::V;
    /// Stores the lanes whose bit is set; the others are not touched.
    ///
    /// # Safety
    /// `to`, moved on by a lane, is valid for a write of one number, for each lane whose bit is set.
    unsafe fn store_masked(self, to: *mut f32, mask: u32, v: Self::V);
    /// Loads `from[index[i]]` as lane `i`.
    ///
    /// # Safety
    /// `index` is valid for reads of [`Simd::LANES`] indices, and `from`, moved on by each of them, for a read of one number.
    unsafe fn gather(self, from: *const f32, index: *const i32) -> Self::V;
    /// Loads f16 numbers as f32.
    ///
    /// # Safety
    /// `from` is valid for reads of [`Simd::LANES`] numbers; it need not be aligned beyond theirs.
    unsafe fn widen(self, from: *const u16) -> Self::V;
    /// Asks for the cache line at `from`, which need not exist: a prefetch never faults.
    fn prefetch(self, from: *const f32);
    /// As [`Simd::prefetch`], into the second cache alone.
    fn prefetch_second(self, from: *const f32);

    /// The lanes, then zeros.
    #[inline(always)]
    fn to_array(self, v: Self::V) -> [f32; MAX_LANES] {
        let mut lanes = [0.0; MAX_LANES];
        // SAFETY: there is room for the widest vector.
        unsafe { self.store(lanes.as_mut_ptr(), v) };
        lanes
    }
    /// A vector of the first numbers.
    #[inline(always)]
    fn load_array(self, lanes: &[f32; MAX_LANES]) -> Self::V {
        // SAFETY: there are numbers for the widest vector.
        unsafe { self.load(lanes.as_ptr()) }
    }

    fn splat(self, value: f32) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// 0 in the lanes whose bit is clear.
    fn keep(self, mask: u32, v: Self::V) -> Self::V;
    /// Lane `i` is lane `index[i]` of `v`, modulo their number.
    fn permute(self, v: Self::V, index: &[i32; MAX_LANES]) -> Self::V;
    /// Lane `r` of vector `c` is lane `c` of `rows[r]`, for units of 8 lanes or more.
    fn columns(self, rows: [Self::V; 8]) -> [Self::V; MAX_LANES] {
        let _ = rows;
        unreachable!("a vector of {} lanes holds no 8 rows", Self::LANES)
    }

    /// The nearest whole numbers of `a` and `b`, which fit i16: `a`'s in the lower halves.
    fn pairs(self, a: Self::V, b: Self::V) -> Self::V {
        each(self, [a, b], lanes::pair)
    }
    /// The nearest whole numbers, which fit u8: the first vector's in the lowest bytes.
    fn quads(self, v: [Self::V; 4]) -> Self::V {
        each(self, v, lanes::quad)
    }
    /// The high and the low digits of the nearest whole numbers, which two signed digits of 8 bits hold: the first vector's in the
    /// lowest bytes.
    fn digits(self, v: [Self::V; 4]) -> [Self::V; 2] {
        [0, 1].map(|digit| each(self, v, |x| lanes::digit(x, digit)))
    }
    /// `a` and `b` as bf16, rounded to the nearest: `a`'s in the lower halves.
    fn pairs_bf16(self, a: Self::V, b: Self::V) -> Self::V {
        each(self, [a, b], lanes::pair_bf16)
    }
    /// The numbers that are the lower and the upper halves of lanes as bf16.
    fn widen_bf16(self, v: Self::V) -> [Self::V; 2] {
        [
            each(self, [v], |[v]| v << 16),
            each(self, [v], |[v]| v & 0xffff_0000),
        ]
    }
    /// `sum`, an i32, and the products of two i16.
    fn dot_i16(self, _: I16<Self>, w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        each(self, [w, x, sum], lanes::dot_i16)
    }
    /// `sum`, an i32, and the products of four i8 of `w`, within [`Simd::PAIR`], and u8 of `x`.
    fn dot_u8(self, _: Int8<Self>, w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        each(self, [w, x, sum], lanes::dot_u8)
    }
    /// `sum`, an f32, and the products of two bf16.
    fn dot_bf16(self, _: Bf16<Self>, w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        each(self, [w, x, sum], lanes::dot_bf16)
    }
    /// Lanes of i32 as f32.
    fn to_f32(self, v: Self::V) -> Self::V {
        each(self, [v], |[v]| (v.cast_signed() as f32).to_bits())
    }
    /// Sums of i16, saturated.
    fn add_i16(self, a: Self::V, b: Self::V) -> Self::V {
        each(self, [a, b], |[a, b]| lanes::halves(a, b, i16::saturating_add))
    }
    /// Differences of i16, saturated.
    fn sub_i16(self, a: Self::V, b: Self::V) -> Self::V {
        each(self, [a, b], |[a, b]| lanes::halves(a, b, i16::saturating_sub))
    }
    /// i16 times `2^N`, which fits.
    fn shift_i16<const N: u32>(self, v: Self::V) -> Self::V {
        each(self, [v], |[v]| lanes::halves(v, v, |v, _| v << N))
    }
    /// Pairs of an i16 of `a` and its like of `b`, in two vectors and an order that [`Simd::narrow`] undoes.
    fn interleave(self, a: Self::V, b: Self::V) -> [Self::V; 2] {
        [each(self, [a, b], lanes::lower), each(self, [a, b], lanes::upper)]
    }
    /// i32 shifted right by `N` and saturated to i16.
    fn narrow<const N: u32>(self, v: [Self::V; 2]) -> Self::V {
        each(self, v, lanes::narrow::<N>)
    }
    /// Sums of i32, which fit.
    fn add_i32(self, a: Self::V, b: Self::V) -> Self::V {
        each(self, [a, b], |[a, b]| a.wrapping_add(b))
    }
    /// Differences of i32, which fit.
    fn sub_i32(self, a: Self::V, b: Self::V) -> Self::V {
        each(self, [a, b], |[a, b]| a.wrapping_sub(b))
    }
}

/// Vectors of what `f` makes of the lanes' bits.
#[inline(always)]
fn each<S: Simd, const N: usize>(s: S, v: [S::V; N], f: impl Fn([u32; N]) -> u32) -> S::V {
    let mut rows = [[0.0_f32; MAX_LANES]; N];
    let mut out = [0.0_f32; MAX_LANES];
    for i in 0..N {
        rows[i] = s.to_array(v[i]);
    }
    for lane in 0..S::LANES {
        out[lane] = f32::from_bits(f(std::array::from_fn(|i| rows[i][lane].to_bits())));
    }
    s.load_array(&out)
}

/// Returns the sum of a vector's lanes.
#[inline(always)]
pub(in crate::engine) fn total<S: Simd>(s: S, v: S::V) -> f32 {
    s.to_array(v)[..S::LANES].iter().sum()
}

/// A piece of work that [`Simd::call`] runs: small functions keep their sums in registers, which one large one does not.
///
/// To run it is safe: whoever makes work that goes through pointers vouches for them.
pub(in crate::engine) trait Work<S: Simd> {
    type Output;

    fn run(self, s: S) -> Self::Output;
}

/// A piece of work that is done in several steps, beside something else.
pub(in crate::engine) trait Step {
    /// Does the next step. It is inlined into a function that has the target features of the unit whose token the work holds.
    fn step(&mut self);
}

/// A function that runs a step of the work that it is given, whose unit this CPU must have. A panic ends the process.
pub(in crate::engine) type Entry<W> = unsafe extern "C" fn(&mut W);

//! Vectors of f32 for each instruction set: the kernels are written once over [`Simd`] and compiled for each.
//!
//! Whole numbers lie in the same vectors, bit for bit: sums of 32 bits, and operands of 16 or 8 bits, two or four to a
//! lane. What a unit has no instruction for is done lane by lane ([`lanes`]), which is also what the tests compare with.

/// A vector unit. Every method is inlined into a function that has the unit's target features.
///
/// # Safety
/// All methods: the CPU has the unit. Loads and stores: the lanes that are touched lie in one allocation.
pub(in crate::engine) trait Simd: Copy + Send + Sync + 'static {
    /// f32 numbers in a vector; at most [`MAX_LANES`].
    const LANES: usize;
    /// Whether there are 32 vector registers rather than 16.
    const WIDE: bool;
    /// A vector.
    type V: Copy;

    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    /// Lanes whose bit is clear are not touched and become 0.
    unsafe fn load_masked(from: *const f32, mask: u32) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    /// Lanes whose bit is clear are not touched.
    unsafe fn store_masked(to: *mut f32, mask: u32, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// 0 in the lanes whose bit is clear.
    unsafe fn keep(mask: u32, v: Self::V) -> Self::V;
    /// Lane `i` is `from[index[i]]`.
    unsafe fn gather(from: *const f32, index: *const i32) -> Self::V;
    /// Lane `i` is lane `index[i]` of `v`.
    unsafe fn permute(v: Self::V, index: *const i32) -> Self::V;
    /// Lane `r` of vector `c` is lane `c` of `rows[r]`, for units of 8 lanes or more.
    unsafe fn columns(rows: [Self::V; 8]) -> [Self::V; MAX_LANES] {
        let _ = rows;
        unreachable!("a vector of {} lanes holds no 8 rows", Self::LANES)
    }
    /// f16 numbers.
    unsafe fn widen(from: *const u16) -> Self::V {
        let mut out = [0.0_f32; MAX_LANES];
        for (lane, out) in out.iter_mut().enumerate().take(Self::LANES) {
            // SAFETY: the caller's.
            *out = half::f16::from_bits(unsafe { from.add(lane).read() }).to_f32();
        }
        // SAFETY: there is room for the widest vector; the CPU has the unit.
        unsafe { Self::load(out.as_ptr()) }
    }
    /// Asks for the cache line at `from`, which need not exist.
    unsafe fn prefetch(from: *const f32);

    /// The nearest whole numbers of `a` and `b`, which fit i16: `a`'s in the lower halves.
    unsafe fn pairs(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 2>([a, b], lanes::pair) }
    }
    /// The nearest whole numbers, which fit u8: the first vector's in the lowest bytes.
    unsafe fn quads(v: [Self::V; 4]) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 4>(v, lanes::quad) }
    }
    /// `a` and `b` as bf16, rounded to the nearest: `a`'s in the lower halves.
    unsafe fn pairs_bf16(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 2>([a, b], lanes::pair_bf16) }
    }
    /// `sum`, an i32, and the products of two i16.
    unsafe fn dot_i16(w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 3>([w, x, sum], lanes::dot_i16) }
    }
    /// `sum`, an i32, and the products of four i8 of `w` and u8 of `x`.
    unsafe fn dot_u8(w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 3>([w, x, sum], lanes::dot_u8) }
    }
    /// `sum`, an f32, and the products of two bf16.
    unsafe fn dot_bf16(w: Self::V, x: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 3>([w, x, sum], lanes::dot_bf16) }
    }
    /// Lanes of i32 as f32.
    unsafe fn to_f32(v: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 1>([v], |[v]| (v.cast_signed() as f32).to_bits()) }
    }
    /// Sums of i16, cut to their range.
    unsafe fn add_i16(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 2>([a, b], |[a, b]| lanes::halves(a, b, i16::saturating_add)) }
    }
    /// Differences of i16, cut to their range.
    unsafe fn sub_i16(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 2>([a, b], |[a, b]| lanes::halves(a, b, i16::saturating_sub)) }
    }
    /// i16 times `2^N`, which fits.
    unsafe fn shift_i16<const N: u32>(v: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 1>([v], |[v]| lanes::halves(v, v, |v, _| v << N)) }
    }
    /// Pairs of an i16 of `a` and its like of `b`, in two vectors and an order that [`Simd::narrow`] undoes.
    unsafe fn interleave(a: Self::V, b: Self::V) -> [Self::V; 2] {
        // SAFETY: the caller's.
        unsafe {
            [
                each::<Self, 2>([a, b], lanes::lower),
                each::<Self, 2>([a, b], lanes::upper),
            ]
        }
    }
    /// i32 shifted right by `N` and cut to i16.
    unsafe fn narrow<const N: u32>(v: [Self::V; 2]) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 2>(v, lanes::narrow::<N>) }
    }
    /// Sums of i32, which fit.
    unsafe fn add_i32(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 2>([a, b], |[a, b]| a.wrapping_add(b)) }
    }
    /// Differences of i32, which fit.
    unsafe fn sub_i32(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { each::<Self, 2>([a, b], |[a, b]| a.wrapping_sub(b)) }
    }
    /// Runs `work` as a function that has the unit's target features.
    unsafe fn call<W: Work<Self>>(work: W) -> W::Output;
}

/// Vectors of what `f` makes of the lanes' bits.
#[inline(always)]
unsafe fn each<S: Simd, const N: usize>(v: [S::V; N], f: impl Fn([u32; N]) -> u32) -> S::V {
    let mut rows = [[0.0_f32; MAX_LANES]; N];
    let mut out = [0.0_f32; MAX_LANES];
    // SAFETY: the CPU has the unit; there is room for the widest vector.
    unsafe {
        for i in 0..N {
            S::store(rows[i].as_mut_ptr(), v[i]);
        }
        for lane in 0..S::LANES {
            out[lane] = f32::from_bits(f(std::array::from_fn(|i| rows[i][lane].to_bits())));
        }
        S::load(out.as_ptr())
    }
}

/// Returns the sum of a vector's lanes.
///
/// # Safety
/// The CPU has the unit.
#[inline(always)]
pub(in crate::engine) unsafe fn total<S: Simd>(v: S::V) -> f32 {
    let mut lanes = [0.0_f32; MAX_LANES];
    // SAFETY: there is room for the widest vector; the CPU has the unit.
    unsafe { S::store(lanes.as_mut_ptr(), v) };
    lanes[..S::LANES].iter().sum()
}

/// What [`Simd::call`] runs: small functions keep their sums in registers, which one large one does not.
pub(in crate::engine) trait Work<S: Simd> {
    type Output;

    /// # Safety
    /// The CPU has the unit; what else is needed, the implementer says.
    unsafe fn run(self) -> Self::Output;
}

/// The widest vector's lanes.
pub(in crate::engine) const MAX_LANES: usize = 16;

/// Plain Rust, for any CPU: what the compiler makes of four numbers at a time.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Portable;

impl Simd for Portable {
    const LANES: usize = 4;
    const WIDE: bool = false;
    type V = [f32; 4];

    #[inline(always)]
    unsafe fn call<W: Work<Self>>(work: W) -> W::Output {
        // SAFETY: the caller's.
        unsafe { work.run() }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller's.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
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
        v
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: the caller's.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn store_masked(to: *mut f32, mask: u32, v: Self::V) {
        for (lane, value) in v.iter().enumerate() {
            if mask >> lane & 1 == 1 {
                // SAFETY: the caller's, for lanes whose bit is set.
                unsafe { to.wrapping_add(lane).write(*value) };
            }
        }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i].max(b[i]))
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i].min(b[i]))
    }
    #[inline(always)]
    unsafe fn keep(mask: u32, v: Self::V) -> Self::V {
        std::array::from_fn(|i| if mask >> i & 1 == 1 { v[i] } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn gather(from: *const f32, index: *const i32) -> Self::V {
        // SAFETY: the caller's.
        std::array::from_fn(|i| unsafe { *from.offset(*index.add(i) as isize) })
    }
    #[inline(always)]
    unsafe fn permute(v: Self::V, index: *const i32) -> Self::V {
        // SAFETY: the caller's; an index is reduced to a lane.
        std::array::from_fn(|i| v[unsafe { *index.add(i) }.cast_unsigned() as usize % Self::LANES])
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
}

#[cfg(target_arch = "x86_64")]
pub(in crate::engine) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(in crate::engine) use avx512::Avx512;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(in crate::engine) mod isa;
mod lanes;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "aarch64")]
pub(in crate::engine) use arm::Neon;

#[cfg(target_arch = "aarch64")]
mod arm;

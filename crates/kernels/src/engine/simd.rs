//! Vectors of f32 for each instruction set: the kernels are written once over [`Simd`] and compiled for each.

/// A vector unit. Every method is inlined into a function that has the unit's target features.
///
/// # Safety
/// All methods: the CPU has the unit. Loads and stores: the lanes that are touched lie in one allocation.
pub(super) trait Simd: Copy + Send + Sync + 'static {
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
    /// Asks for the cache line at `from`, which need not exist.
    unsafe fn prefetch(from: *const f32);
    /// Runs `work` as a function that has the unit's target features.
    unsafe fn call<W: Work<Self>>(work: W) -> W::Output;
}

/// What [`Simd::call`] runs: small functions keep their sums in registers, which one large one does not.
pub(super) trait Work<S: Simd> {
    type Output;

    /// # Safety
    /// The CPU has the unit; what else is needed, the implementer says.
    unsafe fn run(self) -> Self::Output;
}

/// The widest vector's lanes.
pub(super) const MAX_LANES: usize = 16;

/// Plain Rust, for any CPU: what the compiler makes of four numbers at a time.
#[derive(Clone, Copy)]
pub(super) struct Portable;

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
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(super) use arm::Neon;

#[cfg(target_arch = "aarch64")]
mod arm;

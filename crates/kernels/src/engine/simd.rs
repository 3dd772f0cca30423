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
mod x86 {
    use std::arch::x86_64::*;

    use super::{MAX_LANES, Simd};

    /// AVX-512F.
    #[derive(Clone, Copy)]
    pub(in crate::engine) struct Avx512;

    impl Simd for Avx512 {
        const LANES: usize = 16;
        const WIDE: bool = true;
        type V = __m512;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm512_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::V {
            // SAFETY: the caller's.
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn load_masked(from: *const f32, mask: u32) -> Self::V {
            // SAFETY: the caller's; masked lanes are not touched.
            unsafe { _mm512_maskz_loadu_ps(mask as __mmask16, from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, v: Self::V) {
            // SAFETY: the caller's.
            unsafe { _mm512_storeu_ps(to, v) }
        }
        #[inline(always)]
        unsafe fn store_masked(to: *mut f32, mask: u32, v: Self::V) {
            // SAFETY: the caller's; masked lanes are not touched.
            unsafe { _mm512_mask_storeu_ps(to, mask as __mmask16, v) }
        }
        #[inline(always)]
        unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm512_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm512_max_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn keep(mask: u32, v: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm512_maskz_mov_ps(mask as __mmask16, v) }
        }
        #[inline(always)]
        unsafe fn gather(from: *const f32, index: *const i32) -> Self::V {
            // SAFETY: the caller's.
            unsafe { _mm512_i32gather_ps::<4>(_mm512_loadu_si512(index.cast()), from) }
        }
        #[inline(always)]
        unsafe fn permute(v: Self::V, index: *const i32) -> Self::V {
            // SAFETY: the caller's.
            unsafe { _mm512_permutexvar_ps(_mm512_loadu_si512(index.cast()), v) }
        }
        #[inline(always)]
        unsafe fn columns(rows: [Self::V; 8]) -> [Self::V; MAX_LANES] {
            // SAFETY: the CPU has the unit, and with it AVX.
            unsafe {
                let mut halves = [[_mm256_setzero_ps(); 8]; 2];
                for r in 0..8 {
                    halves[0][r] = _mm512_castps512_ps256(rows[r]);
                    let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(rows[r]));
                    halves[1][r] = _mm256_castpd_ps(high);
                }
                let mut columns = [_mm512_setzero_ps(); MAX_LANES];
                for half in 0..2 {
                    let eight = transposed(halves[half]);
                    for c in 0..8 {
                        columns[half * 8 + c] = _mm512_castps256_ps512(eight[c]);
                    }
                }
                columns
            }
        }
        #[inline(always)]
        unsafe fn prefetch(from: *const f32) {
            // SAFETY: a prefetch of any address is harmless.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        }
    }

    /// The columns of 8 rows of 8.
    #[inline(always)]
    unsafe fn transposed(rows: [__m256; 8]) -> [__m256; 8] {
        // SAFETY: the caller's: the CPU has AVX.
        unsafe {
            // Pairs of rows, then fours: vector `j` and 4 on of `fours` hold columns `j` and `j + 4` of rows 0 to 3
            // and of rows 4 to 7.
            let mut pairs = rows;
            for i in [0, 2, 4, 6] {
                pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
                pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
            }
            let mut fours = pairs;
            for i in [0, 4] {
                for j in [0, 1] {
                    let (a, b) = (_mm256_castps_pd(pairs[i + j]), _mm256_castps_pd(pairs[i + j + 2]));
                    fours[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
                    fours[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
                }
            }
            let mut columns = fours;
            for j in 0..4 {
                columns[j] = _mm256_permute2f128_ps::<0x20>(fours[j], fours[j + 4]);
                columns[j + 4] = _mm256_permute2f128_ps::<0x31>(fours[j], fours[j + 4]);
            }
            columns
        }
    }

    /// AVX2 with FMA.
    #[derive(Clone, Copy)]
    pub(in crate::engine) struct Avx2;

    impl Avx2 {
        #[inline(always)]
        unsafe fn lanes(mask: u32) -> __m256i {
            // SAFETY: the CPU has the unit.
            unsafe {
                let bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
                let mask = _mm256_set1_epi32(mask.cast_signed());
                _mm256_cmpeq_epi32(_mm256_and_si256(mask, bits), bits)
            }
        }
    }

    impl Simd for Avx2 {
        const LANES: usize = 8;
        const WIDE: bool = false;
        type V = __m256;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm256_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::V {
            // SAFETY: the caller's.
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn load_masked(from: *const f32, mask: u32) -> Self::V {
            // SAFETY: the caller's; masked lanes are not touched.
            unsafe { _mm256_maskload_ps(from, Self::lanes(mask)) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, v: Self::V) {
            // SAFETY: the caller's.
            unsafe { _mm256_storeu_ps(to, v) }
        }
        #[inline(always)]
        unsafe fn store_masked(to: *mut f32, mask: u32, v: Self::V) {
            // SAFETY: the caller's; masked lanes are not touched.
            unsafe { _mm256_maskstore_ps(to, Self::lanes(mask), v) }
        }
        #[inline(always)]
        unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm256_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm256_max_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn keep(mask: u32, v: Self::V) -> Self::V {
            // SAFETY: the CPU has the unit.
            unsafe { _mm256_and_ps(v, _mm256_castsi256_ps(Self::lanes(mask))) }
        }
        #[inline(always)]
        unsafe fn gather(from: *const f32, index: *const i32) -> Self::V {
            // SAFETY: the caller's.
            unsafe { _mm256_i32gather_ps::<4>(from, _mm256_loadu_si256(index.cast())) }
        }
        #[inline(always)]
        unsafe fn permute(v: Self::V, index: *const i32) -> Self::V {
            // SAFETY: the caller's.
            unsafe { _mm256_permutevar8x32_ps(v, _mm256_loadu_si256(index.cast())) }
        }
        #[inline(always)]
        unsafe fn columns(rows: [Self::V; 8]) -> [Self::V; MAX_LANES] {
            // SAFETY: the CPU has the unit.
            unsafe {
                let eight = transposed(rows);
                let mut columns = [_mm256_setzero_ps(); MAX_LANES];
                columns[..8].copy_from_slice(&eight);
                columns
            }
        }
        #[inline(always)]
        unsafe fn prefetch(from: *const f32) {
            // SAFETY: a prefetch of any address is harmless.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) use arm::Neon;

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::Simd;

    /// Advanced SIMD, which every AArch64 CPU has.
    #[derive(Clone, Copy)]
    pub(in crate::engine) struct Neon;

    impl Simd for Neon {
        const LANES: usize = 4;
        const WIDE: bool = true;
        type V = float32x4_t;

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
}

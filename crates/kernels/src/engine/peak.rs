//! A loop that does nothing but multiply and add in registers: the most that any kernel could do.

use super::isa::{Isa, Kind};
use super::simd::{MAX_LANES, Simd};

/// Sums that do not wait for each other, as many as the kernels keep.
const SUMS: usize = 12;

/// Multiplies and adds in registers for so many rounds; returns the multiply-accumulates done. Their number over the
/// time that the call takes is the unit's peak on one thread.
pub fn fma_macs(isa: Isa, rounds: usize) -> u64 {
    // SAFETY: an `Isa` is the proof that the CPU has the unit.
    let sum = unsafe {
        match isa.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => avx512(rounds),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => avx2(rounds),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => spin::<super::simd::Neon>(rounds),
            Kind::Portable => spin::<super::simd::Portable>(rounds),
        }
    };
    std::hint::black_box(sum);
    (rounds * SUMS * isa.lanes()) as u64
}

#[inline(always)]
unsafe fn spin<S: Simd>(rounds: usize) -> f32 {
    // SAFETY: the caller's: the CPU has the unit; there is room for the widest vector.
    unsafe {
        let [factor, term] = std::hint::black_box([0.999_f32, 0.001]).map(|x| S::splat(x));
        let mut sums = [factor; SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = S::fma(*sum, factor, term);
            }
        }
        let mut lanes = [0.0; MAX_LANES];
        let mut total = sums[0];
        for sum in &sums[1..] {
            total = S::add(total, *sum);
        }
        S::store(lanes.as_mut_ptr(), total);
        lanes.iter().sum()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(rounds: usize) -> f32 {
    // SAFETY: the caller's.
    unsafe { spin::<super::simd::Avx512>(rounds) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(rounds: usize) -> f32 {
    // SAFETY: the caller's.
    unsafe { spin::<super::simd::Avx2>(rounds) }
}

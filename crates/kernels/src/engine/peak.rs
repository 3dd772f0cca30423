//! A loop that does nothing but multiply and add in registers: the most that any kernel could do.

use super::isa::{Isa, on};
use super::simd::{MAX_LANES, Simd, Work};

/// Sums that do not wait for each other, as many as the kernels keep.
const SUMS: usize = 12;

/// Multiplies and adds in registers for so many rounds; returns the multiply-accumulates done. Their number over the
/// time that the call takes is the unit's peak on one thread.
pub fn fma_macs(isa: Isa, rounds: usize) -> u64 {
    // SAFETY: an `Isa` is the proof that the CPU has the unit.
    let sum = unsafe { on!(isa, Spin { rounds }) };
    std::hint::black_box(sum);
    (rounds * SUMS * isa.lanes()) as u64
}

struct Spin {
    rounds: usize,
}

impl<S: Simd> Work<S> for Spin {
    type Output = f32;

    #[inline(always)]
    unsafe fn run(self) -> f32 {
        // SAFETY: the caller's: the CPU has the unit; there is room for the widest vector.
        unsafe {
            let [factor, term] = std::hint::black_box([0.999_f32, 0.001]).map(|x| S::splat(x));
            let mut sums = [factor; SUMS];
            for _ in 0..self.rounds {
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
}

//! A loop that does nothing but multiply and add: the most that any kernel of a format could do.

use std::hint::black_box;
use std::marker::PhantomData;

use crate::engine::micro::operands::{Bf16, F32, I16, Int8, Operands};
use crate::engine::quant::format::Format;
use crate::engine::simd::isa::{Isa, on};
use crate::engine::simd::{MAX_LANES, Simd, Work};

/// Vectors of inputs a round.
const INPUTS: usize = 3;
/// Vectors of weights, each multiplied by each of the inputs: with 32 registers, and with 16, where a product that is no sum
/// yet needs one, too. Sums are then enough not to wait for each other.
const WEIGHTS: [usize; 2] = [6, 3];

/// Multiplies and adds for so many rounds, by the instruction that kernels of the format use; returns the
/// multiply-accumulates done, or `None` where the unit does not multiply the format. Their number over the time that the
/// call takes is the unit's peak on one thread.
pub fn peak_macs(isa: Isa, format: Format, rounds: usize) -> Option<u64> {
    isa.multiplies(format)?;
    // SAFETY: the unit multiplies the format.
    black_box(unsafe { spin(isa, format, rounds) });
    let sums = INPUTS * WEIGHTS[usize::from(!isa.wide())];
    Some((rounds * sums * isa.lanes() * format.channels()) as u64)
}

/// The sum of all lanes of all sums, which is the number of products, as far as f32 tells.
///
/// # Safety
/// The unit multiplies the format.
unsafe fn spin(isa: Isa, format: Format, rounds: usize) -> f32 {
    // SAFETY: an `Isa` is the proof that the CPU has the unit; the rest is the caller's.
    unsafe {
        match format {
            Format::F32 | Format::F16 => on!(isa, Spin::<F32>::new(format, rounds)),
            Format::Bf16 => on!(isa, Spin::<Bf16>::new(format, rounds)),
            Format::I16 => on!(isa, Spin::<I16>::new(format, rounds)),
            Format::Int8 => on!(isa, Spin::<Int8>::new(format, rounds)),
        }
    }
}

struct Spin<O> {
    rounds: usize,
    ones: Ones,
    operands: PhantomData<O>,
}

/// A vector of ones in a cache line of its own.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Ones([f32; MAX_LANES]);

impl<O> Spin<O> {
    fn new(format: Format, rounds: usize) -> Self {
        Self {
            rounds,
            ones: Ones([format.element([1.0; 4]); MAX_LANES]),
            operands: PhantomData,
        }
    }
}

impl<S: Simd, O: Operands> Work<S> for Spin<O> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run(self) -> f32 {
        let weights = WEIGHTS[usize::from(!S::WIDE)];
        let rows = [self.ones; INPUTS + WEIGHTS[0]];
        // SAFETY: the caller's: the CPU has the unit, which multiplies the format; there is room for the widest vector.
        unsafe {
            let mut sums = [[S::splat(0.0); INPUTS]; WEIGHTS[0]];
            for _ in 0..self.rounds {
                // From memory that the compiler cannot know, or it would take products out of the loop.
                let rows = black_box(&rows);
                let x: [S::V; INPUTS] = std::array::from_fn(|i| S::load(rows[i].0.as_ptr()));
                for i in 0..weights {
                    let w = S::load(rows[INPUTS + i].0.as_ptr());
                    for j in 0..INPUTS {
                        sums[i][j] = O::multiply::<S>(w, x[j], sums[i][j]);
                    }
                }
            }
            let mut total = S::splat(0.0);
            for sum in sums.as_flattened() {
                total = S::add(total, O::sum::<S>(*sum));
            }
            let mut lanes = [0.0; MAX_LANES];
            S::store(lanes.as_mut_ptr(), total);
            lanes.iter().sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [Format; 4] = [Format::F32, Format::Bf16, Format::I16, Format::Int8];

    #[test]
    fn every_unit_counts_what_it_multiplies() {
        for isa in Isa::available() {
            for format in FORMATS {
                let macs = peak_macs(isa, format, 5);
                let vector = (isa.lanes() * format.channels()) as u64;
                let sums = macs.map(|macs| (macs % (5 * vector), macs / (5 * vector)));
                let expected = isa
                    .multiplies(format)
                    .map(|_| (0, if isa.wide() { 18 } else { 9 }));
                assert_eq!(sums, expected, "{format} on {}", isa.name());
            }
        }
    }

    #[test]
    fn no_product_is_left_out() {
        for isa in Isa::available() {
            for format in FORMATS {
                if let Some(macs) = peak_macs(isa, format, 7) {
                    // SAFETY: the unit multiplies the format.
                    let sum = unsafe { spin(isa, format, 7) };
                    assert_eq!(sum, macs as f32, "{format} on {}", isa.name());
                }
            }
        }
    }
}

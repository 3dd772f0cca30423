//! A loop that does nothing but multiply and add: the most that any kernel of a format could do.

use std::hint::black_box;

use crate::engine::micro::matrix::matrix_peak_macs;
use crate::engine::micro::operands::{F32, Operands};
use crate::engine::quant::format::Format;
use crate::engine::simd::isa::{Isa, on};
use crate::engine::simd::{Bf16, I16, Int8, MAX_LANES, Simd, Work, total};

/// Vectors of weights a round.
const WEIGHTS: usize = 6;
/// Vectors of inputs, each multiplied by each of the weights: with 32 registers, and with 16, where a product that is no sum
/// yet needs one, too. Sums are then enough not to wait for each other.
const INPUTS: [usize; 2] = [3, 2];

const fn inputs(registers: usize) -> usize {
    if registers == 32 { INPUTS[0] } else { INPUTS[1] }
}

/// Multiplies and adds for `rounds` rounds, by the instruction that kernels of the format use, or groups of tiles; returns the
/// multiply-accumulates done, or `None` where the unit does not multiply the format. Their number over the time that the
/// call takes is the unit's peak on one thread.
pub fn peak_macs(isa: Isa, format: Format, rounds: usize) -> Option<u64> {
    if let (Some(tiles), Some(operand)) = (isa.tiles(), format.tiles()) {
        let digits = (format.digits() * format.digits()) as u64;
        return isa
            .multiplies(format)
            .map(|_| matrix_peak_macs(tiles, operand, rounds) / digits);
    }
    black_box(spin(isa, format, rounds)?);
    let sums = inputs(isa.registers()) * WEIGHTS;
    Some((rounds * sums * isa.lanes() * format.channels()) as u64)
}

/// The sum of all lanes of all sums, which is the number of products, as far as f32 tells.
fn spin(isa: Isa, format: Format, rounds: usize) -> Option<f32> {
    on!(isa, s => of_unit(s, format, rounds))
}

fn of_unit<S: Simd>(s: S, format: Format, rounds: usize) -> Option<f32> {
    Some(match format {
        Format::F32 | Format::F16 => s.call(Spin::new(F32, format, rounds)),
        Format::Bf16 => s.call(Spin::new(Bf16::found(s)?, format, rounds)),
        Format::I16 => s.call(Spin::new(I16::found(s)?, format, rounds)),
        Format::I8x2 => return None,
        Format::Int8 => s.call(Spin::new(Int8::found(s)?, format, rounds)),
    })
}

struct Spin<O> {
    rounds: usize,
    ones: Ones,
    operands: O,
}

/// A vector of ones in a cache line of its own.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Ones([f32; MAX_LANES]);

impl<O> Spin<O> {
    fn new(operands: O, format: Format, rounds: usize) -> Self {
        Self {
            rounds,
            ones: Ones([format.element([1.0; 4], 0); MAX_LANES]),
            operands,
        }
    }
}

impl<S: Simd, O: Operands<S>> Work<S> for Spin<O> {
    type Output = f32;

    #[inline(always)]
    fn run(self, s: S) -> f32 {
        let rows = [self.ones; INPUTS[0] + WEIGHTS];
        let mut sums = [[s.splat(0.0); INPUTS[0]]; WEIGHTS];
        for _ in 0..self.rounds {
            // From memory that the compiler cannot know, or it would take products out of the loop.
            let rows = black_box(&rows);
            let x: [S::V; INPUTS[0]] = std::array::from_fn(|i| s.load_array(&rows[i].0));
            for i in 0..WEIGHTS {
                let w = s.load_array(&rows[INPUTS[0] + i].0);
                for j in 0..inputs(S::REGISTERS) {
                    sums[i][j] = self.operands.multiply(s, w, x[j], sums[i][j]);
                }
            }
        }
        let mut sum = s.splat(0.0);
        for other in sums.as_flattened() {
            sum = s.add(sum, self.operands.sum(s, *other));
        }
        total(s, sum)
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
                    .map(|_| (0, if isa.registers() == 32 { 18 } else { 12 }));
                assert_eq!(sums, expected, "{format} on {}", isa.name());
            }
        }
    }

    #[test]
    fn no_product_is_left_out() {
        for isa in Isa::available() {
            for format in FORMATS {
                if let Some(macs) = peak_macs(isa, format, 7) {
                    let sum = spin(isa, format, 7);
                    assert_eq!(sum, Some(macs as f32), "{format} on {}", isa.name());
                }
            }
        }
    }
}

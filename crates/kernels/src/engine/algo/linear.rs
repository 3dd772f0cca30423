//! Linear layers: one scalar product per output and image.

use std::slice;

use crate::engine::layout::grid::first;
use crate::engine::layout::map::Row;
use crate::engine::layout::tiling::Part;
use crate::engine::program::packed::{Packed, halves};
use crate::engine::quant::format::{Format, Room, weight_step};
use crate::engine::simd::{MAX_LANES, Simd, total};

/// Rows of weights that are asked for before they are read: of 2,048 inputs in f16 8 KiB, which take about as long to come.
const ROWS_AHEAD: usize = 2;

/// The function that a linear layer's sums go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// No function: `x`.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

impl Activation {
    fn of(self, x: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Relu => x.max(0.0),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        }
    }
}

/// The parameters of a linear layer.
#[derive(Clone, Debug)]
pub struct LinearParams {
    /// `[outputs, inputs]`.
    pub weights: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
    /// The format in which the weights are kept: f32 or f16. Products are f32.
    pub format: Format,
}

/// A linear layer whose weights are packed.
#[derive(Debug)]
pub(in crate::engine) struct Linear {
    inputs: usize,
    weights: Packed,
    bias: Vec<f32>,
    format: Format,
    /// The value of 1 in the packed weights.
    scale: f32,
}

impl Linear {
    /// Packs the weights.
    ///
    /// # Panics
    /// If the format is neither f32 nor f16, which a program's builder refuses.
    pub(in crate::engine) fn new(params: LinearParams) -> Self {
        let LinearParams {
            weights,
            bias,
            format,
        } = params;
        let inputs = weights.len() / bias.len();
        let (weights, scale) = match format {
            Format::F32 => (weights, 1.0),
            Format::F16 => in_halves(weights),
            Format::Bf16 | Format::I16 | Format::I8x2 | Format::Int8 => {
                unreachable!("a linear layer in {format}")
            }
        };
        Self {
            inputs,
            weights: Packed::new(weights),
            bias,
            format,
            scale,
        }
    }

    /// Inputs of each output.
    pub(in crate::engine) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs.
    pub(in crate::engine) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The format of the weights.
    pub(in crate::engine) fn format(&self) -> Format {
        self.format
    }

    /// Bytes of packed weights and biases.
    pub(in crate::engine) fn weight_bytes(&self) -> usize {
        (self.weights.elements() + self.bias.len()) * size_of::<f32>()
    }

    pub(in crate::engine) fn weights_mut(&mut self) -> &mut Packed {
        &mut self.weights
    }

    /// Computes one part of the outputs, `[n, outputs]`, of inputs `[n, inputs]`.
    ///
    /// # Safety
    /// `x` and `y` point to as many numbers as the rows `from` and `to` have, which are the layer's; nobody else writes this
    /// part of `y`.
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        s: S,
        (from, x): (Row, *const f32),
        (to, y): (Row, *mut f32),
        activation: Activation,
        part: Part,
    ) {
        let (count, start) = (from.channels, self.weights.start());
        let row = match self.format {
            Format::F16 => count / 2,
            Format::F32 | Format::Bf16 | Format::I16 | Format::I8x2 | Format::Int8 => count,
        };
        for output in part.range(to.channels) {
            // Each weight is read once, from memory. The CPU's own prefetch ends with a page of 4 KiB, as many rows do.
            for at in (0..row).step_by(MAX_LANES) {
                s.prefetch_second(start.wrapping_add((output + ROWS_AHEAD) * row + at));
            }
            for image in 0..to.n {
                // SAFETY: a row of weights has `count` numbers, and one in f16 a vector more behind the last; an image has `count` inputs
                // and `to.channels` outputs, of which this one is of the part's, by the contract above.
                unsafe {
                    let x = slice::from_raw_parts(x.add(image * count), count);
                    let sum = match self.format {
                        Format::F16 => {
                            let weights = start.cast::<u16>().add(output * count);
                            dot_halves(s, slice::from_raw_parts(weights, count + S::LANES), x)
                        }
                        Format::F32 => dot(s, slice::from_raw_parts(start.add(output * count), count), x),
                        Format::Bf16 | Format::I16 | Format::I8x2 | Format::Int8 => {
                            unreachable!("refused by `Linear::new`")
                        }
                    };
                    let sum = sum * self.scale + self.bias[output];
                    *y.add(image * to.channels + output) = activation.of(sum);
                }
            }
        }
    }
}

/// Weights as f16, two to an element, and the value of 1 in them.
fn in_halves(mut weights: Vec<f32>) -> (Vec<f32>, f32) {
    let step = weight_step(Format::F16, Room::of(1.0), std::iter::once(weights.as_slice()));
    weights.iter_mut().for_each(|weight| *weight /= step);
    (halves(&weights), step)
}

/// As [`dot`] of a row of f16, with a vector more behind it.
#[inline(always)]
fn dot_halves<S: Simd>(s: S, a: &[u16], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len() + S::LANES, "elements of rows");
    let mut sums = [s.splat(0.0); 4];
    let (count, mut at) = (b.len(), 0);
    let (a, b) = (a.as_ptr(), b.as_ptr());
    while at < count {
        for (i, sum) in sums.iter_mut().enumerate() {
            let here = at + i * S::LANES;
            let mask = first(count.saturating_sub(here)) & first(S::LANES);
            if mask != 0 {
                // SAFETY: `here` is below `count`, and `a` has a vector more, as was checked; of `b`, lanes past the last are not in the
                // mask, so that what `a` has there is multiplied with zero.
                let (a, b) = unsafe { (s.widen(a.add(here)), s.load_masked(b.add(here), mask)) };
                *sum = s.fma(a, b, *sum);
            }
        }
        at += 4 * S::LANES;
    }
    total(s, s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])))
}

/// The scalar product of two rows of as many elements.
#[inline(always)]
fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "elements of rows");
    let count = a.len();
    let (a, b) = (a.as_ptr(), b.as_ptr());
    let mut sums = [s.splat(0.0); 4];
    let step = 4 * S::LANES;
    let whole = count / step * step;
    // SAFETY: both have `count` elements, as was checked: four vectors of them at each `at` below `whole`; after that, lanes
    // past the last are not in the mask.
    unsafe {
        let mut at = 0;
        while at < whole {
            for (i, sum) in sums.iter_mut().enumerate() {
                let here = at + i * S::LANES;
                *sum = s.fma(s.load(a.add(here)), s.load(b.add(here)), *sum);
            }
            at += step;
        }
        while at < count {
            let mask = first(count - at) & first(S::LANES);
            sums[0] = s.fma(
                s.load_masked(a.add(at), mask),
                s.load_masked(b.add(at), mask),
                sums[0],
            );
            at += S::LANES;
        }
    }
    total(s, s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])))
}

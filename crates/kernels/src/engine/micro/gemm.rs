//! The one matrix product under every convolution: a few output channels by a few vectors of places, kept in
//! registers over the whole depth.

use std::marker::PhantomData;

use crate::engine::micro::operands::{Bf16, F32, I16, Int8, Operands};
use crate::engine::quant::format::Format;
use crate::engine::simd::{Simd, Work};

/// Output channels that a product may hold at a time, with the vectors that fit beside them in 32 and in 16 registers.
pub(in crate::engine) const SHAPES: [(usize, usize, usize); 5] =
    [(6, 4, 2), (8, 3, 1), (12, 2, 1), (16, 1, 0), (24, 1, 0)];

/// Vectors that a product holds at a time, at most.
pub(in crate::engine) const MOST: usize = 4;

/// How far ahead of use weights are asked for, elements: they stream through once a block.
pub(in crate::engine) const AHEAD: isize = 1024;

/// Takes the sums of a product.
pub(in crate::engine) trait Sink<S: Simd>: Copy {
    /// Takes the sum of row `r` and vector `v`.
    ///
    /// # Safety
    /// The sink has room for it; the CPU has the unit.
    unsafe fn put(self, r: usize, v: usize, sum: S::V);

    /// Asks for what [`Sink::put`] will need.
    ///
    /// # Safety
    /// As for [`Sink::put`].
    #[inline(always)]
    unsafe fn expect(self, _r: usize, _v: usize) {}
}

/// Stores sums, or with `more` adds them to what is there.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Rows {
    /// Row 0.
    pub(in crate::engine) to: *mut f32,
    /// Elements from one row to the next.
    pub(in crate::engine) stride: usize,
    pub(in crate::engine) more: bool,
}

impl<S: Simd> Sink<S> for Rows {
    #[inline(always)]
    unsafe fn put(self, r: usize, v: usize, sum: S::V) {
        // SAFETY: the caller of `put` has the unit, and room for row `r` and vector `v` behind `to`; with `more` they hold sums.
        unsafe {
            let to = self.to.add(r * self.stride + v * S::LANES);
            let sum = if self.more { S::add(S::load(to), sum) } else { sum };
            S::store(to, sum);
        }
    }
}

/// As [`Rows`], each row multiplied by what its sums stand for.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Scaled {
    pub(in crate::engine) rows: Rows,
    /// One a row.
    pub(in crate::engine) scales: *const f32,
}

impl<S: Simd> Sink<S> for Scaled {
    #[inline(always)]
    unsafe fn put(self, r: usize, v: usize, sum: S::V) {
        // SAFETY: the caller's.
        unsafe { Sink::<S>::put(self.rows, r, v, S::mul(sum, S::splat(*self.scales.add(r)))) }
    }
}

/// Runs a function of operands for those of a format.
macro_rules! of_format {
    ($format:expr, $function:ident::<$s:ty, $k:ty>($($argument:expr),*)) => {
        match $format {
            Format::F32 | Format::F16 => $function::<$s, $k, F32>($($argument),*),
            Format::Bf16 => $function::<$s, $k, Bf16>($($argument),*),
            Format::I16 => $function::<$s, $k, I16>($($argument),*),
            Format::Int8 => $function::<$s, $k, Int8>($($argument),*),
        }
    };
}

/// What is multiplied: rows, vectors, and how many of each, one after the other.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Factors {
    pub(in crate::engine) format: Format,
    /// `rows` elements a step.
    pub(in crate::engine) a: *const f32,
    /// Vectors, and the elements from one step's to the next.
    pub(in crate::engine) b: (*const f32, usize),
    /// Steps.
    pub(in crate::engine) depth: usize,
    /// Elements from the weights of a step to what is asked for meanwhile.
    pub(in crate::engine) ahead: isize,
}

/// Puts `sum over i of a[i][r] * b[i][v]` for `rows` output channels and `vectors` vectors, one of [`SHAPES`].
///
/// # Safety
/// The factors hold as much as the shape says; the sink has room for all sums; the CPU has the unit.
#[inline(always)]
pub(in crate::engine) unsafe fn product<S: Simd, K: Sink<S>>(
    shape: (usize, usize),
    factors: Factors,
    sink: K,
) {
    // SAFETY: the caller's.
    unsafe { of_format!(factors.format, of_rows::<S, K>(shape, factors, sink)) }
}

#[inline(always)]
unsafe fn of_rows<S: Simd, K: Sink<S>, F: Operands>(
    (rows, vectors): (usize, usize),
    factors: Factors,
    sink: K,
) {
    // SAFETY: the caller's; each arm asks for the shape it matched.
    unsafe {
        match (rows, vectors) {
            (6, 1) => tile::<S, K, F, 6, 1, false>(factors, 6, sink),
            (6, 2) => tile::<S, K, F, 6, 2, false>(factors, 6, sink),
            (6, 3) if S::WIDE => tile::<S, K, F, 6, 3, false>(factors, 6, sink),
            (6, 4) if S::WIDE => tile::<S, K, F, 6, 4, false>(factors, 6, sink),
            (8, 1) => tile::<S, K, F, 8, 1, false>(factors, 8, sink),
            (8, 2) if S::WIDE => tile::<S, K, F, 8, 2, false>(factors, 8, sink),
            (8, 3) if S::WIDE => tile::<S, K, F, 8, 3, false>(factors, 8, sink),
            (12, 1) => tile::<S, K, F, 12, 1, false>(factors, 12, sink),
            (12, 2) if S::WIDE => tile::<S, K, F, 12, 2, false>(factors, 12, sink),
            (16, 1) if S::WIDE => tile::<S, K, F, 16, 1, false>(factors, 16, sink),
            (24, 1) if S::WIDE => tile::<S, K, F, 24, 1, false>(factors, 24, sink),
            _ => unreachable!("no product of {rows} rows and {vectors} vectors"),
        }
    }
}

/// Elements from one step's pixels to the next in [`product_of_pixels`].
pub(in crate::engine) const PIXELS_STEP: usize = 8;

/// Puts `sum over i of a[i][r] * b[i][v]` for 7 or, with 16 registers, 6 pixels, [`PIXELS_STEP`] elements a step, and
/// `vectors` vectors of output channels, whose weights lie one after the other.
///
/// # Safety
/// As for [`product`].
#[inline(always)]
pub(in crate::engine) unsafe fn product_of_pixels<S: Simd, K: Sink<S>>(
    shape: (usize, usize),
    factors: Factors,
    sink: K,
) {
    // SAFETY: the caller's.
    unsafe { of_format!(factors.format, of_pixels::<S, K>(shape, factors, sink)) }
}

#[inline(always)]
unsafe fn of_pixels<S: Simd, K: Sink<S>, F: Operands>(
    (pixels, vectors): (usize, usize),
    factors: Factors,
    sink: K,
) {
    let step = PIXELS_STEP;
    // SAFETY: the caller's; each arm asks for the shape it matched.
    unsafe {
        match (pixels, vectors) {
            (6, 1) => tile::<S, K, F, 6, 1, true>(factors, step, sink),
            (6, 2) => tile::<S, K, F, 6, 2, true>(factors, step, sink),
            (7, 1) if S::WIDE => tile::<S, K, F, 7, 1, true>(factors, step, sink),
            (7, 2) if S::WIDE => tile::<S, K, F, 7, 2, true>(factors, step, sink),
            (7, 3) if S::WIDE => tile::<S, K, F, 7, 3, true>(factors, step, sink),
            _ => unreachable!("no product of {pixels} pixels and {vectors} vectors"),
        }
    }
}

/// A product of `R` rows and `V` vectors; the weights are the vectors' with `OF_WEIGHTS`, else the rows'.
struct Tile<K, F, const R: usize, const V: usize, const OF_WEIGHTS: bool> {
    factors: Factors,
    /// Elements from one step's rows to the next.
    step: usize,
    sink: K,
    operands: PhantomData<F>,
}

#[inline(always)]
unsafe fn tile<S: Simd, K: Sink<S>, F: Operands, const R: usize, const V: usize, const OF_WEIGHTS: bool>(
    factors: Factors,
    step: usize,
    sink: K,
) {
    let tile = Tile::<K, F, R, V, OF_WEIGHTS> {
        factors,
        step,
        sink,
        operands: PhantomData,
    };
    // SAFETY: the caller's, see `product`.
    unsafe { S::call(tile) }
}

impl<S: Simd, K: Sink<S>, F: Operands, const R: usize, const V: usize, const OF_WEIGHTS: bool> Work<S>
    for Tile<K, F, R, V, OF_WEIGHTS>
{
    type Output = ();

    #[inline(always)]
    unsafe fn run(self) {
        let Self {
            factors, step, sink, ..
        } = self;
        let Factors {
            a, b, depth, ahead, ..
        } = factors;
        // SAFETY: the caller's, see `product`.
        unsafe {
            for r in 0..R {
                for v in 0..V {
                    sink.expect(r, v);
                }
            }
            let mut sums = [[S::splat(0.0); V]; R];
            for i in 0..depth {
                let (a, b) = (a.add(i * step), b.0.add(i * b.1));
                let weights = if OF_WEIGHTS { b } else { a };
                S::prefetch(weights.wrapping_offset(ahead));
                let mut x = [S::splat(0.0); V];
                for v in 0..V {
                    x[v] = S::load(b.add(v * S::LANES));
                }
                for r in 0..R {
                    let w = S::splat(*a.add(r));
                    for v in 0..V {
                        sums[r][v] = if OF_WEIGHTS {
                            F::multiply::<S>(x[v], w, sums[r][v])
                        } else {
                            F::multiply::<S>(w, x[v], sums[r][v])
                        };
                    }
                }
            }
            // An array of their own, for a sink may make the compiler index it in memory: the loop above would then store each
            // of its sums in each step.
            let mut whole = [[S::splat(0.0); V]; R];
            for r in 0..R {
                for v in 0..V {
                    whole[r][v] = F::sum::<S>(sums[r][v]);
                }
            }
            for r in 0..R {
                for v in 0..V {
                    sink.put(r, v, whole[r][v]);
                }
            }
        }
    }
}

//! The one matrix product under every convolution: a few output channels by a few vectors of places, kept in
//! registers over the whole depth.

use super::simd::{Simd, Work};

/// Output channels that a product may hold at a time, with the vectors that fit beside them in 32 and in 16 registers.
pub(super) const SHAPES: [(usize, usize, usize); 5] =
    [(6, 4, 2), (8, 3, 1), (12, 2, 1), (16, 1, 0), (24, 1, 0)];

/// How far ahead of use weights are asked for, elements: they stream through once a block.
const AHEAD: usize = 1024;

/// Takes the sums of a product.
pub(super) trait Sink<S: Simd>: Copy {
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
pub(super) struct Rows {
    /// Row 0.
    pub(super) to: *mut f32,
    /// Elements from one row to the next.
    pub(super) stride: usize,
    pub(super) more: bool,
}

impl<S: Simd> Sink<S> for Rows {
    #[inline(always)]
    unsafe fn put(self, r: usize, v: usize, sum: S::V) {
        // SAFETY: the caller's.
        unsafe {
            let to = self.to.add(r * self.stride + v * S::LANES);
            let sum = if self.more { S::add(S::load(to), sum) } else { sum };
            S::store(to, sum);
        }
    }
}

/// Puts `sum over i of a[i][r] * b[i][v]` for `rows` output channels and `vectors` vectors, one of [`SHAPES`].
///
/// # Safety
/// `a` holds `depth * rows` elements, `b` `vectors` vectors at each of `depth` multiples of its second part; the sink has
/// room for all sums; the CPU has the unit.
#[inline(always)]
pub(super) unsafe fn product<S: Simd, K: Sink<S>>(
    (rows, vectors): (usize, usize),
    a: *const f32,
    b: (*const f32, usize),
    depth: usize,
    sink: K,
) {
    // SAFETY: the caller's; each arm asks for the shape it matched.
    unsafe {
        match (rows, vectors) {
            (6, 1) => tile::<S, K, 6, 1, false>((a, 6), b, depth, sink),
            (6, 2) => tile::<S, K, 6, 2, false>((a, 6), b, depth, sink),
            (6, 3) if S::WIDE => tile::<S, K, 6, 3, false>((a, 6), b, depth, sink),
            (6, 4) if S::WIDE => tile::<S, K, 6, 4, false>((a, 6), b, depth, sink),
            (8, 1) => tile::<S, K, 8, 1, false>((a, 8), b, depth, sink),
            (8, 2) if S::WIDE => tile::<S, K, 8, 2, false>((a, 8), b, depth, sink),
            (8, 3) if S::WIDE => tile::<S, K, 8, 3, false>((a, 8), b, depth, sink),
            (12, 1) => tile::<S, K, 12, 1, false>((a, 12), b, depth, sink),
            (12, 2) if S::WIDE => tile::<S, K, 12, 2, false>((a, 12), b, depth, sink),
            (16, 1) if S::WIDE => tile::<S, K, 16, 1, false>((a, 16), b, depth, sink),
            (24, 1) if S::WIDE => tile::<S, K, 24, 1, false>((a, 24), b, depth, sink),
            _ => unreachable!("no product of {rows} rows and {vectors} vectors"),
        }
    }
}

/// Elements from one step's pixels to the next in [`product_of_pixels`].
pub(super) const PIXELS_STEP: usize = 8;

/// Puts `sum over i of a[i][r] * b[i][v]` for 7 or, with 16 registers, 6 pixels and `vectors` vectors of output
/// channels, whose weights lie one after the other.
///
/// # Safety
/// `a` holds `depth` steps of [`PIXELS_STEP`] elements, `b` `depth * vectors` vectors; the sink has room for all sums;
/// the CPU has the unit.
#[inline(always)]
pub(super) unsafe fn product_of_pixels<S: Simd, K: Sink<S>>(
    (pixels, vectors): (usize, usize),
    a: *const f32,
    b: *const f32,
    depth: usize,
    sink: K,
) {
    let (a, b) = ((a, PIXELS_STEP), (b, vectors * S::LANES));
    // SAFETY: the caller's; each arm asks for the shape it matched.
    unsafe {
        match (pixels, vectors) {
            (6, 1) => tile::<S, K, 6, 1, true>(a, b, depth, sink),
            (6, 2) => tile::<S, K, 6, 2, true>(a, b, depth, sink),
            (7, 1) if S::WIDE => tile::<S, K, 7, 1, true>(a, b, depth, sink),
            (7, 2) if S::WIDE => tile::<S, K, 7, 2, true>(a, b, depth, sink),
            (7, 3) if S::WIDE => tile::<S, K, 7, 3, true>(a, b, depth, sink),
            _ => unreachable!("no product of {pixels} pixels and {vectors} vectors"),
        }
    }
}

/// A product of `R` rows and `V` vectors; the weights are the vectors' with `OF_WEIGHTS`, else the rows'.
struct Tile<K, const R: usize, const V: usize, const OF_WEIGHTS: bool> {
    a: (*const f32, usize),
    b: (*const f32, usize),
    depth: usize,
    sink: K,
}

#[inline(always)]
unsafe fn tile<S: Simd, K: Sink<S>, const R: usize, const V: usize, const OF_WEIGHTS: bool>(
    a: (*const f32, usize),
    b: (*const f32, usize),
    depth: usize,
    sink: K,
) {
    // SAFETY: the caller's, see `product`.
    unsafe { S::call(Tile::<K, R, V, OF_WEIGHTS> { a, b, depth, sink }) }
}

impl<S: Simd, K: Sink<S>, const R: usize, const V: usize, const OF_WEIGHTS: bool> Work<S>
    for Tile<K, R, V, OF_WEIGHTS>
{
    type Output = ();

    #[inline(always)]
    unsafe fn run(self) {
        let (Self { depth, sink, .. }, (a, a_step), (b, b_step)) = (&self, self.a, self.b);
        // SAFETY: the caller's, see `product`.
        unsafe {
            for r in 0..R {
                for v in 0..V {
                    sink.expect(r, v);
                }
            }
            let mut sums = [[S::splat(0.0); V]; R];
            for i in 0..*depth {
                let (a, b) = (a.add(i * a_step), b.add(i * b_step));
                if OF_WEIGHTS {
                    for v in 0..V {
                        S::prefetch(b.wrapping_add(AHEAD + v * S::LANES));
                    }
                } else {
                    S::prefetch(a.wrapping_add(AHEAD));
                }
                let mut x = [S::splat(0.0); V];
                for v in 0..V {
                    x[v] = S::load(b.add(v * S::LANES));
                }
                for r in 0..R {
                    let w = S::splat(*a.add(r));
                    for v in 0..V {
                        sums[r][v] = S::fma(w, x[v], sums[r][v]);
                    }
                }
            }
            for r in 0..R {
                for v in 0..V {
                    sink.put(r, v, sums[r][v]);
                }
            }
        }
    }
}

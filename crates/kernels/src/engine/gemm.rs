//! The one matrix product under every convolution: a few output channels by a few vectors of places, kept in
//! registers over the whole depth.

use super::simd::Simd;

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
            (6, 1) => tile::<S, K, 6, 1>((a, 6), b, depth, false, sink),
            (6, 2) => tile::<S, K, 6, 2>((a, 6), b, depth, false, sink),
            (6, 3) if S::WIDE => tile::<S, K, 6, 3>((a, 6), b, depth, false, sink),
            (6, 4) if S::WIDE => tile::<S, K, 6, 4>((a, 6), b, depth, false, sink),
            (8, 1) => tile::<S, K, 8, 1>((a, 8), b, depth, false, sink),
            (8, 2) if S::WIDE => tile::<S, K, 8, 2>((a, 8), b, depth, false, sink),
            (8, 3) if S::WIDE => tile::<S, K, 8, 3>((a, 8), b, depth, false, sink),
            (12, 1) => tile::<S, K, 12, 1>((a, 12), b, depth, false, sink),
            (12, 2) if S::WIDE => tile::<S, K, 12, 2>((a, 12), b, depth, false, sink),
            (16, 1) if S::WIDE => tile::<S, K, 16, 1>((a, 16), b, depth, false, sink),
            (24, 1) if S::WIDE => tile::<S, K, 24, 1>((a, 24), b, depth, false, sink),
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
    let of_weights = true;
    let (a, b) = ((a, PIXELS_STEP), (b, vectors * S::LANES));
    // SAFETY: the caller's; each arm asks for the shape it matched.
    unsafe {
        match (pixels, vectors) {
            (6, 1) => tile::<S, K, 6, 1>(a, b, depth, of_weights, sink),
            (6, 2) => tile::<S, K, 6, 2>(a, b, depth, of_weights, sink),
            (7, 1) if S::WIDE => tile::<S, K, 7, 1>(a, b, depth, of_weights, sink),
            (7, 2) if S::WIDE => tile::<S, K, 7, 2>(a, b, depth, of_weights, sink),
            (7, 3) if S::WIDE => tile::<S, K, 7, 3>(a, b, depth, of_weights, sink),
            _ => unreachable!("no product of {pixels} pixels and {vectors} vectors"),
        }
    }
}

#[inline(always)]
unsafe fn tile<S: Simd, K: Sink<S>, const R: usize, const V: usize>(
    (a, a_step): (*const f32, usize),
    (b, b_step): (*const f32, usize),
    depth: usize,
    weights_in_lanes: bool,
    sink: K,
) {
    // SAFETY: the caller's, see `product`.
    unsafe {
        for r in 0..R {
            for v in 0..V {
                sink.expect(r, v);
            }
        }
        let mut sums = [[S::splat(0.0); V]; R];
        for i in 0..depth {
            let (a, b) = (a.add(i * a_step), b.add(i * b_step));
            if weights_in_lanes {
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

/// The rows to hold at a time for this many output channels and vectors: the choice with the least arithmetic, and
/// among equals the one that keeps most sums in registers.
pub(super) fn rows(outputs: usize, vectors: usize, wide: bool) -> (usize, usize) {
    let cost = |&(rows, wide_vectors, narrow_vectors): &(usize, usize, usize)| {
        let most = if wide { wide_vectors } else { narrow_vectors };
        if most == 0 {
            return None;
        }
        let blocks = vectors.div_ceil(most);
        let held = rows * vectors.div_ceil(blocks);
        // Few sums leave the multipliers waiting for each other; each step loads its rows and vectors once.
        let waiting = if held < 12 { 12.0 / held as f64 } else { 1.0 };
        let loads = 1.0 + 0.25 * (1.0 / rows as f64 + 1.0 / vectors.min(most) as f64);
        let padded = outputs.next_multiple_of(rows) * vectors;
        Some((padded as f64 * waiting * loads, (rows, most)))
    };
    let best = SHAPES.iter().filter_map(cost).min_by(|a, b| a.0.total_cmp(&b.0));
    best.expect("some shape fits every unit").1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fit_the_published_widths() {
        assert_eq!(rows(18, 13, true), (6, 4));
        assert_eq!(rows(72, 1, true), (24, 1));
        assert_eq!(rows(128, 1, true), (16, 1));
        for outputs in 1..200 {
            for vectors in 1..20 {
                for wide in [true, false] {
                    let (rows, most) = rows(outputs, vectors, wide);
                    assert!(
                        SHAPES
                            .iter()
                            .any(|s| s.0 == rows && most == if wide { s.1 } else { s.2 })
                    );
                }
            }
        }
    }
}

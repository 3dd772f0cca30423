//! The one matrix product under every convolution: a few output channels by a few vectors of places, kept in
//! registers over the whole depth.

use super::simd::Simd;

/// Output channels that a product may hold at a time, with the vectors that fit beside them in 32 and in 16 registers.
pub(super) const SHAPES: [(usize, usize, usize); 5] =
    [(6, 4, 2), (8, 3, 1), (12, 2, 1), (16, 1, 0), (24, 1, 0)];

/// How far ahead of use weights are asked for, elements: they stream through once a block.
const AHEAD: usize = 1024;

/// `c[r][v] = sum over i of a[i][r] * b[i][v]`, or with `more` that much more than it was, for `rows` output channels and `vectors` vectors, one of [`SHAPES`].
///
/// # Safety
/// `a` holds `depth * rows` elements, `b` `vectors` vectors at each of `depth` multiples of `b_stride`, `c` as many at
/// each of `rows` multiples of `c_stride`; the CPU has the unit.
#[inline(always)]
pub(super) unsafe fn product<S: Simd>(
    (rows, vectors): (usize, usize),
    a: *const f32,
    (b, b_stride): (*const f32, usize),
    depth: usize,
    (c, c_stride): (*mut f32, usize),
    more: bool,
) {
    // SAFETY: the caller's; each arm asks for the shape it matched.
    unsafe {
        match (rows, vectors) {
            (6, 1) => tile::<S, 6, 1>(a, b, b_stride, depth, c, c_stride, more),
            (6, 2) => tile::<S, 6, 2>(a, b, b_stride, depth, c, c_stride, more),
            (6, 3) if S::WIDE => tile::<S, 6, 3>(a, b, b_stride, depth, c, c_stride, more),
            (6, 4) if S::WIDE => tile::<S, 6, 4>(a, b, b_stride, depth, c, c_stride, more),
            (8, 1) => tile::<S, 8, 1>(a, b, b_stride, depth, c, c_stride, more),
            (8, 2) if S::WIDE => tile::<S, 8, 2>(a, b, b_stride, depth, c, c_stride, more),
            (8, 3) if S::WIDE => tile::<S, 8, 3>(a, b, b_stride, depth, c, c_stride, more),
            (12, 1) => tile::<S, 12, 1>(a, b, b_stride, depth, c, c_stride, more),
            (12, 2) if S::WIDE => tile::<S, 12, 2>(a, b, b_stride, depth, c, c_stride, more),
            (16, 1) if S::WIDE => tile::<S, 16, 1>(a, b, b_stride, depth, c, c_stride, more),
            (24, 1) if S::WIDE => tile::<S, 24, 1>(a, b, b_stride, depth, c, c_stride, more),
            _ => unreachable!("no product of {rows} rows and {vectors} vectors"),
        }
    }
}

#[inline(always)]
unsafe fn tile<S: Simd, const R: usize, const V: usize>(
    a: *const f32,
    b: *const f32,
    b_stride: usize,
    depth: usize,
    c: *mut f32,
    c_stride: usize,
    more: bool,
) {
    // SAFETY: the caller's, see `product`.
    unsafe {
        let mut sums = [[S::splat(0.0); V]; R];
        for i in 0..depth {
            let (a, b) = (a.add(i * R), b.add(i * b_stride));
            S::prefetch(a.wrapping_add(AHEAD));
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
                let to = c.add(r * c_stride + v * S::LANES);
                let sum = if more {
                    S::add(S::load(to), sums[r][v])
                } else {
                    sums[r][v]
                };
                S::store(to, sum);
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

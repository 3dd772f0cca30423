//! Stride 1: F(2x2, 3x3) and F(4x4, 3x3) on grids whose tiles are as wide as the transform's output.

use super::Transform;
use crate::engine::conv::{Epilogue, Io};
use crate::engine::grid::{Grid, first};
use crate::engine::simd::Simd;

/// `G` of F(2x2, 3x3).
pub(super) const F2: [[f64; 3]; 4] = [
    [1.0, 0.0, 0.0],
    [0.5, 0.5, 0.5],
    [0.5, -0.5, 0.5],
    [0.0, 0.0, 1.0],
];

/// `G` of F(4x4, 3x3).
pub(super) const F4: [[f64; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// Tiles of `M x M` outputs.
#[derive(Debug)]
pub(super) struct Stride1<const M: usize> {
    grid: Grid,
    /// For each neighbour `(dy + 1) * 3 + dx + 1`, which tiles of each vector have it.
    neighbours: [Vec<u32>; 9],
    /// For each phase, which tiles of each vector have it inside the map.
    inside: Vec<Vec<u32>>,
}

/// The side of the transformed tile.
const fn side(m: usize) -> usize {
    m + 2
}

impl<const M: usize> Stride1<M> {
    pub(super) fn new(grid: Grid, lanes: usize) -> Self {
        let shift = |i: usize| (i.cast_signed() / 3 - 1, i.cast_signed() % 3 - 1);
        Self {
            grid,
            neighbours: std::array::from_fn(|i| {
                let (dy, dx) = shift(i);
                grid.neighbour_masks(dy, dx, lanes)
            }),
            inside: (0..M * M).map(|phase| grid.inside_masks(phase, lanes)).collect(),
        }
    }
}

impl<const M: usize> Transform for Stride1<M> {
    const ELEMENTS: usize = side(M) * side(M);

    #[inline(always)]
    unsafe fn forward<S: Simd>(&self, channel: *const f32, vector: usize, to: *mut f32, plane: usize) {
        let columns = self.grid.tile_columns().cast_signed();
        let length = self.grid.phase();
        // SAFETY: the caller's; a masked lane is not touched.
        unsafe {
            let from = channel.add(vector * S::LANES);
            let mut half = [[S::splat(0.0); 6]; 6];
            for j in 0..side(M) {
                let (pj, dj) = place::<M>(j);
                let mut d = [S::splat(0.0); 6];
                for i in 0..side(M) {
                    // Row or column i of a tile: its phase, and the tile it lies in.
                    let (pi, di) = place::<M>(i);
                    let at = ((pi * M + pj) * length).cast_signed() + di * columns + dj;
                    let mask =
                        *self.neighbours[((di + 1) * 3 + dj + 1).cast_unsigned()].get_unchecked(vector);
                    d[i] = S::load_masked(from.wrapping_offset(at), mask);
                }
                let t = forward::<S, M>(d);
                for i in 0..side(M) {
                    half[i][j] = t[i];
                }
            }
            for i in 0..side(M) {
                let t = forward::<S, M>(half[i]);
                for j in 0..side(M) {
                    S::store(to.add((i * side(M) + j) * plane), t[j]);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn backward<S: Simd>(
        &self,
        (from, step): (*const f32, usize),
        vector: usize,
        channel: usize,
        io: Io,
        epilogue: Epilogue,
    ) {
        let (stride, length) = (self.grid.stride(), self.grid.phase());
        // SAFETY: the caller's; a phase ends with a whole vector.
        unsafe {
            let mut half = [[S::splat(0.0); 6]; 4];
            for j in 0..side(M) {
                let mut d = [S::splat(0.0); 6];
                for i in 0..side(M) {
                    d[i] = S::load(from.add((i * side(M) + j) * step));
                }
                let t = backward::<S, M>(d);
                for i in 0..M {
                    half[i][j] = t[i];
                }
            }
            for i in 0..M {
                let t = backward::<S, M>(half[i]);
                for j in 0..M {
                    let phase = i * M + j;
                    let at = channel * stride + phase * length + vector * S::LANES;
                    let y = epilogue.apply::<S>(t[j], channel, io.residual, at, first(S::LANES));
                    S::store(io.output.add(at), S::keep(self.inside[phase][vector], y));
                }
            }
        }
    }
}

/// The phase of row or column `i` of a transform's input, which begins one pixel before the tile, and its tile.
#[inline(always)]
const fn place<const M: usize>(i: usize) -> (usize, isize) {
    if i == 0 {
        (M - 1, -1)
    } else if i <= M {
        (i - 1, 0)
    } else {
        (0, 1)
    }
}

/// `B^T d`, of which the first `M + 2` elements count.
#[inline(always)]
unsafe fn forward<S: Simd, const M: usize>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: the caller's: the CPU has the unit.
    unsafe {
        let zero = S::splat(0.0);
        if M == 2 {
            let (a, b) = (S::sub(d[0], d[2]), S::add(d[1], d[2]));
            return [a, b, S::sub(d[2], d[1]), S::sub(d[1], d[3]), zero, zero];
        }
        let [two, four, five] = [S::splat(2.0), S::splat(4.0), S::splat(-5.0)];
        let four_less = S::splat(-4.0);
        let even = S::fma(four_less, d[2], d[4]);
        let odd = S::fma(four_less, d[1], d[3]);
        let far = S::sub(d[4], d[2]);
        let near = S::mul(two, S::sub(d[3], d[1]));
        [
            S::fma(four, d[0], S::fma(five, d[2], d[4])),
            S::add(even, odd),
            S::sub(even, odd),
            S::add(far, near),
            S::sub(far, near),
            S::fma(four, d[1], S::fma(five, d[3], d[5])),
        ]
    }
}

/// `A^T m`, of which the first `M` elements count.
#[inline(always)]
unsafe fn backward<S: Simd, const M: usize>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: the caller's: the CPU has the unit.
    unsafe {
        let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        if M == 2 {
            let zero = S::splat(0.0);
            return [S::add(m[0], sum), S::sub(difference, m[3]), zero, zero];
        }
        let (wide_sum, wide_difference) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(S::add(m[0], sum), wide_sum),
            S::fma(S::splat(2.0), wide_difference, difference),
            S::fma(S::splat(4.0), wide_sum, sum),
            S::fma(S::splat(8.0), wide_difference, S::add(difference, m[5])),
        ]
    }
}

//! Stride 1: F(2x2, 3x3) and F(4x4, 3x3) on grids whose tiles are as wide as the transform's output.

use super::whole::{forward_again, forward_pairs};
use super::{Transform, by_vector};
use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::layout::grid::{Grid, first};
use crate::engine::quant::format::Format;
use crate::engine::simd::Simd;

/// `G` of F(2x2, 3x3).
pub(in crate::engine) const F2: [[f64; 3]; 4] = [
    [1.0, 0.0, 0.0],
    [0.5, 0.5, 0.5],
    [0.5, -0.5, 0.5],
    [0.0, 0.0, 1.0],
];

/// `G` of F(4x4, 3x3).
pub(in crate::engine) const F4: [[f64; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// Tiles of `M x M` outputs.
#[derive(Debug)]
pub(in crate::engine) struct Stride1<const M: usize> {
    /// Elements from one channel to the next, and from one phase to the next.
    strides: (usize, usize),
    /// From a tile's first pixel to each that its transform reads, row by row.
    offsets: [[isize; 6]; 6],
    /// For each vector and neighbour `(dy + 1) * 3 + dx + 1`, which tiles have it.
    neighbours: Vec<[u32; 9]>,
    /// For each vector and phase, which tiles have it inside the map; none where all have all.
    inside: Option<Vec<[u32; 16]>>,
}

/// The side of the transformed tile.
const fn side(m: usize) -> usize {
    m + 2
}

impl<const M: usize> Stride1<M> {
    pub(in crate::engine) fn new(grid: Grid, lanes: usize) -> Self {
        let (columns, length) = (grid.tile_columns().cast_signed(), grid.phase().cast_signed());
        let offset = |y: usize, x: usize| {
            let [(py, dy), (px, dx)] = [y, x].map(place::<M>);
            (py * M + px).cast_signed() * length + dy * columns + dx
        };
        let neighbours = std::array::from_fn(|i| {
            let i = i.cast_signed();
            grid.neighbour_masks(i / 3 - 1, i % 3 - 1, lanes)
        });
        let fits = grid.h.is_multiple_of(M) && grid.w.is_multiple_of(M);
        Self {
            strides: (grid.stride(), grid.phase()),
            offsets: std::array::from_fn(|y| std::array::from_fn(|x| offset(y, x))),
            neighbours: by_vector::<9>(&neighbours),
            inside: (!fits).then(|| {
                let phase = |phase| match phase < M * M {
                    true => grid.inside_masks(phase, lanes),
                    false => vec![0; grid.tiles().div_ceil(lanes)],
                };
                by_vector::<16>(&std::array::from_fn(phase))
            }),
        }
    }

    /// Column `X` of the tiles' pixels after the first axis of the transform.
    #[inline(always)]
    unsafe fn column<S: Simd, const WHOLE: bool, const X: usize>(
        &self,
        from: *const f32,
        masks: &[u32; 9],
    ) -> [S::V; 6] {
        // SAFETY: the caller's; a masked lane is not touched.
        unsafe {
            let mut d = [S::splat(0.0); 6];
            if X >= side(M) {
                return d;
            }
            let (_, dx) = place::<M>(X);
            for y in 0..side(M) {
                let (_, dy) = place::<M>(y);
                let at = from.wrapping_offset(self.offsets[y][X]);
                d[y] = match (dy, dx) {
                    (0, 0) => S::load(at),
                    _ => S::load_masked(at, masks[((dy + 1) * 3 + dx + 1).cast_unsigned()]),
                };
            }
            if WHOLE {
                forward_pairs::<S, M>(d)
            } else {
                forward::<S, M>(d)
            }
        }
    }

    /// Transforms the tiles at `from`. All is written out: what a loop indexes lies in memory.
    #[inline(always)]
    unsafe fn transform<S: Simd, const WHOLE: bool>(
        &self,
        from: *const f32,
        masks: &[u32; 9],
        to: (*mut f32, usize),
    ) {
        // SAFETY: the caller's.
        unsafe {
            let half = [
                self.column::<S, WHOLE, 0>(from, masks),
                self.column::<S, WHOLE, 1>(from, masks),
                self.column::<S, WHOLE, 2>(from, masks),
                self.column::<S, WHOLE, 3>(from, masks),
                self.column::<S, WHOLE, 4>(from, masks),
                self.column::<S, WHOLE, 5>(from, masks),
            ];
            transform_row::<S, WHOLE, M, 0>(&half, to);
            transform_row::<S, WHOLE, M, 1>(&half, to);
            transform_row::<S, WHOLE, M, 2>(&half, to);
            transform_row::<S, WHOLE, M, 3>(&half, to);
            if M == 4 {
                transform_row::<S, WHOLE, M, 4>(&half, to);
                transform_row::<S, WHOLE, M, 5>(&half, to);
            }
        }
    }
}

/// Row `Y` through the second axis of the transform, each element `plane` from the one before.
#[inline(always)]
unsafe fn transform_row<S: Simd, const WHOLE: bool, const M: usize, const Y: usize>(
    half: &[[S::V; 6]; 6],
    (to, plane): (*mut f32, usize),
) {
    let row = [
        half[0][Y], half[1][Y], half[2][Y], half[3][Y], half[4][Y], half[5][Y],
    ];
    // SAFETY: the caller's.
    unsafe {
        let t = if WHOLE {
            forward_again::<S, M, Y>(row)
        } else {
            forward::<S, M>(row)
        };
        for x in 0..side(M) {
            S::store(to.add((Y * side(M) + x) * plane), t[x]);
        }
    }
}

/// Column `X` of elements, each `step` from the one before, after the first axis of the way back.
#[inline(always)]
unsafe fn column_back<S: Simd, const M: usize, const X: usize>(from: *const f32, step: usize) -> [S::V; 4] {
    // SAFETY: the caller's.
    unsafe {
        let mut d = [S::splat(0.0); 6];
        if X < side(M) {
            for y in 0..side(M) {
                d[y] = S::load(from.add((y * side(M) + X) * step));
            }
        }
        backward::<S, M>(d)
    }
}

impl<const M: usize> Transform for Stride1<M> {
    const ELEMENTS: usize = side(M) * side(M);

    #[inline(always)]
    unsafe fn forward<S: Simd>(
        &self,
        format: Format,
        channel: *const f32,
        vector: usize,
        to: *mut f32,
        plane: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            let from = channel.add(vector * S::LANES);
            let masks = self.neighbours.get_unchecked(vector);
            if format.whole() {
                self.transform::<S, true>(from, masks, (to, plane));
            } else {
                self.transform::<S, false>(from, masks, (to, plane));
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
        let inside = self.inside.as_ref().map(|vectors| &vectors[vector]);
        let base = channel * self.strides.0 + vector * S::LANES;
        // SAFETY: the caller's; a phase ends with a whole vector.
        unsafe {
            let half = [
                column_back::<S, M, 0>(from, step),
                column_back::<S, M, 1>(from, step),
                column_back::<S, M, 2>(from, step),
                column_back::<S, M, 3>(from, step),
                column_back::<S, M, 4>(from, step),
                column_back::<S, M, 5>(from, step),
            ];
            for i in 0..M {
                let row = [
                    half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i],
                ];
                let t = backward::<S, M>(row);
                for j in 0..M {
                    let phase = i * M + j;
                    let at = base + phase * self.strides.1;
                    let mut y = epilogue.apply::<S>(t[j], channel, io.residual, at, first(S::LANES));
                    if let Some(inside) = inside {
                        y = S::keep(inside[phase], y);
                    }
                    S::store(io.output.add(at), y);
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
pub(in crate::engine) unsafe fn forward<S: Simd, const M: usize>(d: [S::V; 6]) -> [S::V; 6] {
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

//! Stride 1: F(2x2, 3x3) and F(4x4, 3x3) on grids whose tiles are as wide as the transform's output.

use super::whole::{forward_again, forward_pairs};
use super::{Inputs, Outputs, Transform, by_vector};
use crate::engine::layout::grid::{Grid, Rows, first};
use crate::engine::simd::{I16, Simd};

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
    /// Elements from one channel to the next.
    stride: usize,
    /// Elements from one phase to the next.
    phase: usize,
    /// From a tile's first pixel to each that its transform reads, row by row.
    offsets: [[isize; 6]; 6],
    /// For each vector and neighbour `(dy + 1) * 3 + dx + 1`, the tiles that have it.
    neighbours: Vec<[u32; 9]>,
    /// For each vector and phase, the tiles that have it inside the map; `None` if all have all.
    inside: Option<Vec<[u32; 16]>>,
}

/// The side of the transformed tile.
const fn side(m: usize) -> usize {
    m + 2
}

impl<const M: usize> Stride1<M> {
    pub(in crate::engine) fn new(grid: Grid, lanes: usize) -> Self {
        let (columns, length) = (grid.pitch().cast_signed(), grid.phase().cast_signed());
        let offset = |y: usize, x: usize| {
            let [(py, dy), (px, dx)] = [y, x].map(place::<M>);
            (py * M + px).cast_signed() * length + dy * columns + dx
        };
        let neighbours = std::array::from_fn(|i| {
            let i = i.cast_signed();
            grid.neighbour_masks(i / 3 - 1, i % 3 - 1, lanes)
        });
        let fits = grid.rows == Rows::Dense && grid.h.is_multiple_of(M) && grid.w.is_multiple_of(M);
        Self {
            stride: grid.stride(),
            phase: grid.phase(),
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
}

/// A vector of tiles of one channel on its way there.
#[derive(Clone, Copy)]
struct Forward<'a, const M: usize> {
    tiles: &'a Stride1<M>,
    /// The tiles' neighbours that exist.
    masks: &'a [u32; 9],
    inputs: Inputs,
}

impl<const M: usize> Forward<'_, M> {
    /// Transforms the tiles, as whole numbers with `WHOLE`, which only i16 are. All is written out: what a loop indexes lies in
    /// memory.
    #[inline(always)]
    fn run<S: Simd, const WHOLE: bool>(self, s: S) {
        let half = [
            self.column::<S, WHOLE, 0>(s),
            self.column::<S, WHOLE, 1>(s),
            self.column::<S, WHOLE, 2>(s),
            self.column::<S, WHOLE, 3>(s),
            self.column::<S, WHOLE, 4>(s),
            self.column::<S, WHOLE, 5>(s),
        ];
        self.row::<S, WHOLE, 0>(s, &half);
        self.row::<S, WHOLE, 1>(s, &half);
        self.row::<S, WHOLE, 2>(s, &half);
        self.row::<S, WHOLE, 3>(s, &half);
        if M == 4 {
            self.row::<S, WHOLE, 4>(s, &half);
            self.row::<S, WHOLE, 5>(s, &half);
        }
    }

    /// Column `X` of the tiles' pixels after the first axis of the transform.
    #[inline(always)]
    fn column<S: Simd, const WHOLE: bool, const X: usize>(self, s: S) -> [S::V; 6] {
        let mut d = [s.splat(0.0); 6];
        if X >= side(M) {
            return d;
        }
        let (_, dx) = place::<M>(X);
        for y in 0..side(M) {
            let (_, dy) = place::<M>(y);
            let there = match (dy, dx) {
                (0, 0) => None,
                _ => Some(self.masks[((dy + 1) * 3 + dx + 1).cast_unsigned()]),
            };
            d[y] = self.inputs.pixels(s, self.tiles.offsets[y][X], there);
        }
        if WHOLE {
            forward_pairs::<S, M>(s, d)
        } else {
            forward::<S, M>(s, d)
        }
    }

    /// Row `Y` through the second axis of the transform.
    #[inline(always)]
    fn row<S: Simd, const WHOLE: bool, const Y: usize>(self, s: S, half: &[[S::V; 6]; 6]) {
        let row = [
            half[0][Y], half[1][Y], half[2][Y], half[3][Y], half[4][Y], half[5][Y],
        ];
        let t = if WHOLE {
            // SAFETY: with `WHOLE` the format is i16, which the unit multiplies, by the contract of `Forward::new` in `passes`.
            let proof = unsafe { I16::assumed(s) };
            forward_again::<S, M, Y>(s, proof, row)
        } else {
            forward::<S, M>(s, row)
        };
        for x in 0..side(M) {
            self.inputs.put(s, Y * side(M) + x, t[x]);
        }
    }
}

/// Column `X` of elements after the first axis of the way back.
#[inline(always)]
fn column_back<S: Simd, const M: usize, const X: usize>(s: S, tiles: Outputs) -> [S::V; 4] {
    let mut d = [s.splat(0.0); 6];
    if X < side(M) {
        for y in 0..side(M) {
            d[y] = tiles.element(s, y * side(M) + X);
        }
    }
    backward::<S, M>(s, d)
}

impl<const M: usize> Transform for Stride1<M> {
    const ELEMENTS: usize = side(M) * side(M);

    #[inline(always)]
    fn forward<S: Simd>(&self, s: S, tiles: Inputs) {
        let forward = Forward {
            tiles: self,
            masks: &self.neighbours[tiles.vector],
            inputs: tiles,
        };
        if tiles.format.whole() {
            forward.run::<S, true>(s);
        } else {
            forward.run::<S, false>(s);
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(&self, s: S, tiles: Outputs) {
        let Outputs {
            vector,
            channel,
            io,
            epilogue,
            ..
        } = tiles;
        let inside = self.inside.as_ref().map(|vectors| &vectors[vector]);
        let base = channel * self.stride + vector * S::LANES;
        let half = [
            column_back::<S, M, 0>(s, tiles),
            column_back::<S, M, 1>(s, tiles),
            column_back::<S, M, 2>(s, tiles),
            column_back::<S, M, 3>(s, tiles),
            column_back::<S, M, 4>(s, tiles),
            column_back::<S, M, 5>(s, tiles),
        ];
        // SAFETY: the maps and the epilogue have the channel, by the contract of `Backward::new`; a phase ends with a whole vector.
        unsafe {
            for i in 0..M {
                let row = [
                    half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i],
                ];
                let t = backward::<S, M>(s, row);
                for j in 0..M {
                    let phase = i * M + j;
                    let at = base + phase * self.phase;
                    let mut y = epilogue.apply(s, t[j], channel, io.residual, at, first(S::LANES));
                    if let Some(inside) = inside {
                        y = s.keep(inside[phase], y);
                    }
                    s.store(io.output.add(at), y);
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
pub(in crate::engine) fn forward<S: Simd, const M: usize>(s: S, d: [S::V; 6]) -> [S::V; 6] {
    let zero = s.splat(0.0);
    if M == 2 {
        let (a, b) = (s.sub(d[0], d[2]), s.add(d[1], d[2]));
        return [a, b, s.sub(d[2], d[1]), s.sub(d[1], d[3]), zero, zero];
    }
    let [two, four, five] = [s.splat(2.0), s.splat(4.0), s.splat(-5.0)];
    let four_less = s.splat(-4.0);
    let even = s.fma(four_less, d[2], d[4]);
    let odd = s.fma(four_less, d[1], d[3]);
    let far = s.sub(d[4], d[2]);
    let near = s.mul(two, s.sub(d[3], d[1]));
    [
        s.fma(four, d[0], s.fma(five, d[2], d[4])),
        s.add(even, odd),
        s.sub(even, odd),
        s.add(far, near),
        s.sub(far, near),
        s.fma(four, d[1], s.fma(five, d[3], d[5])),
    ]
}

/// `A^T m`, of which the first `M` elements count.
#[inline(always)]
fn backward<S: Simd, const M: usize>(s: S, m: [S::V; 6]) -> [S::V; 4] {
    let (sum, difference) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    if M == 2 {
        let zero = s.splat(0.0);
        return [s.add(m[0], sum), s.sub(difference, m[3]), zero, zero];
    }
    let (wide_sum, wide_difference) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.add(s.add(m[0], sum), wide_sum),
        s.fma(s.splat(2.0), wide_difference, difference),
        s.fma(s.splat(4.0), wide_sum, sum),
        s.fma(s.splat(8.0), wide_difference, s.add(difference, m[5])),
    ]
}

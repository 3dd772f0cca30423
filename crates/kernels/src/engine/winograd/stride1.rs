//! Stride 1: F(2x2, 3x3) and F(4x4, 3x3) on grids whose tiles are as wide as the transform's output.

use super::{Transform, by_vector};
use crate::engine::conv::{Epilogue, Io};
use crate::engine::format::Format;
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
    pub(super) fn new(grid: Grid, lanes: usize) -> Self {
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
            match format {
                Format::F32 | Format::F16 => self.transform::<S, false>(from, masks, (to, plane)),
                _ => self.transform::<S, true>(from, masks, (to, plane)),
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

/// The largest magnitude of inputs of 16 bits to F(4x4, 3x3): the first axis of its transform adds up to ten of them, of
/// which at most nine have the same sign where inputs have none.
pub(super) fn limit(signed: bool) -> f32 {
    if signed { 3276.0 } else { 3640.0 }
}

/// Bits of an element of F(4x4, 3x3) that its second axis adds and does not keep: with more dropped, rounding transformed
/// inputs would outweigh all else, for the way back magnifies it. Rows and columns 3 and 4 add up the least and are
/// magnified the most. What is beyond some 36 of the largest inputs is cut, of those rows and columns 18 and 9; the one
/// element that is 36 where all inputs are alike has room for twice that.
const fn dropped(row: usize, column: usize) -> u32 {
    match (row, column) {
        (1, 1) => 3,
        (3 | 4, 3 | 4) => 0,
        (3 | 4, _) | (_, 3 | 4) => 1,
        _ => 2,
    }
}

/// What one stands for in an element of a transformed input.
pub(super) fn unit(element: usize) -> f32 {
    (1_u32 << dropped(element / 6, element % 6)) as f32
}

/// [`forward`] of pairs of i16, for the first axis.
#[inline(always)]
unsafe fn forward_pairs<S: Simd, const M: usize>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: the caller's: the CPU has the unit.
    unsafe {
        if M == 2 {
            let zero = S::splat(0.0);
            let (a, b) = (S::sub_i16(d[0], d[2]), S::add_i16(d[1], d[2]));
            return [a, b, S::sub_i16(d[2], d[1]), S::sub_i16(d[1], d[3]), zero, zero];
        }
        let even = S::sub_i16(d[4], S::shift_i16::<2>(d[2]));
        let odd = S::sub_i16(d[3], S::shift_i16::<2>(d[1]));
        let far = S::sub_i16(d[4], d[2]);
        let apart = S::sub_i16(d[3], d[1]);
        let near = S::shift_i16::<1>(apart);
        let first = S::shift_i16::<2>(S::sub_i16(d[0], d[2]));
        let last = S::sub_i16(S::sub_i16(d[5], d[3]), S::shift_i16::<2>(apart));
        [
            S::add_i16(first, far),
            S::add_i16(even, odd),
            S::sub_i16(even, odd),
            S::add_i16(far, near),
            S::sub_i16(far, near),
            last,
        ]
    }
}

/// [`forward`] of pairs of i16 for the second axis of row `ROW`: of F(4x4, 3x3) in 32 bits, without the bits that are [`dropped`].
#[inline(always)]
unsafe fn forward_again<S: Simd, const M: usize, const ROW: usize>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: the caller's: the CPU has the unit.
    unsafe {
        if M == 2 {
            return forward_pairs::<S, M>(d);
        }
        let (evens, odds) = (S::interleave(d[2], d[4]), S::interleave(d[1], d[3]));
        let ends = S::interleave(d[0], d[5]);
        // Half of what is kept, so that it is rounded; the element with more dropped has it from both of its terms.
        let zero = bits::<S>(0);
        let half = bits::<S>((1 << dropped(ROW, 0)) / 2);
        let half_of_inner = bits::<S>((1 << dropped(ROW, 3)) / 2);
        let (more, one) = if ROW == 1 {
            (bits::<S>(3), bits::<S>(1))
        } else {
            (half, zero)
        };
        let mut sums = [[zero; 2]; 6];
        for side in 0..2 {
            let (evens, odds, ends) = (evens[side], odds[side], ends[side]);
            let even = S::dot_i16(pair::<S>(-4, 1), evens, more);
            let odd = S::dot_i16(pair::<S>(-4, 1), odds, one);
            let far = S::dot_i16(pair::<S>(-1, 1), evens, half_of_inner);
            let near = S::dot_i16(pair::<S>(-2, 2), odds, zero);
            let first = S::dot_i16(pair::<S>(-5, 1), evens, half);
            let last = S::dot_i16(pair::<S>(4, -5), odds, half);
            sums[0][side] = S::dot_i16(pair::<S>(4, 0), ends, first);
            sums[1][side] = S::add_i32(even, odd);
            sums[2][side] = S::sub_i32(even, odd);
            sums[3][side] = S::add_i32(far, near);
            sums[4][side] = S::sub_i32(far, near);
            sums[5][side] = S::dot_i16(pair::<S>(0, 1), ends, last);
        }
        let mut narrow = [zero; 6];
        for i in 0..6 {
            narrow[i] = match dropped(ROW, i) {
                0 => S::narrow::<0>(sums[i]),
                1 => S::narrow::<1>(sums[i]),
                2 => S::narrow::<2>(sums[i]),
                _ => S::narrow::<3>(sums[i]),
            };
        }
        narrow
    }
}

/// Two i16 in all lanes.
#[inline(always)]
unsafe fn pair<S: Simd>(low: i16, high: i16) -> S::V {
    // SAFETY: the caller's: the CPU has the unit.
    unsafe { bits::<S>(u32::from(low.cast_unsigned()) | u32::from(high.cast_unsigned()) << 16) }
}

/// These bits in all lanes.
#[inline(always)]
unsafe fn bits<S: Simd>(bits: u32) -> S::V {
    // SAFETY: the caller's: the CPU has the unit.
    unsafe { S::splat(f32::from_bits(bits)) }
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

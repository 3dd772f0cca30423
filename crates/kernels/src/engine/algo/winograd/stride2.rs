//! Stride 2: along each axis the even pixels meet the kernel's middle element alone, the odd ones its two outer elements
//! as a convolution of stride 1, which F(2, 2) computes with three multiplications for two outputs. So 25 make 2x2
//! outputs, where the definition has 36.

use super::{Inputs, Outputs, Transform, by_vector};
use crate::engine::layout::grid::Grid;
use crate::engine::layout::slots::{Outside, Piece, pieces};
use crate::engine::quant::format::Format;
use crate::engine::simd::Simd;

/// The transform of a kernel's elements: for the odd pixels, then the middle one for both even pixels.
pub(in crate::engine) const KERNEL: [[f64; 3]; 4] =
    [[1.0, 0.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]];

/// Tiles of 4x4 pixels, each with the last row and column of its neighbours before it, to 2x2 outputs.
#[derive(Debug)]
pub(in crate::engine) struct Stride2 {
    /// From a tile's first pixel to each that its transform reads, row by row.
    offsets: [[isize; 5]; 5],
    /// Elements from one output channel to the next.
    stride: usize,
    /// For each vector and neighbour `(dy + 1) * 2 + dx + 1` before a tile or the tile itself, the tiles that have it.
    neighbours: Vec<[u32; 4]>,
    /// For each vector and phase of the 2x2 outputs, where its tiles go.
    stores: Vec<[Vec<Piece>; 4]>,
    /// The places outside the output's map.
    outside: Outside,
}

impl Stride2 {
    pub(in crate::engine) fn new(input: Grid, output: Grid, lanes: usize) -> Self {
        let (columns, length) = (input.pitch().cast_signed(), input.phase().cast_signed());
        let offset = |y: usize, x: usize| {
            let [(py, dy), (px, dx)] = [y, x].map(place);
            (py * 4 + px).cast_signed() * length + dy * columns + dx
        };
        let neighbours = std::array::from_fn(|i| {
            let i = i.cast_signed();
            input.neighbour_masks(i / 2 - 1, i % 2 - 1, lanes)
        });
        let natural = Grid {
            p: 2,
            rows: input.rows,
            ..output
        };
        let stores = |phase: usize, vector: usize| {
            let place = |lane: usize| {
                let tile = vector * lanes + lane;
                let (n, y, x) = natural.pixel(phase * natural.phase() + tile)?;
                u32::try_from(output.place(n, y, x)).ok()
            };
            let there = lanes.min(natural.tiles() - vector * lanes);
            pieces(&(0..there).map(place).collect::<Vec<_>>())
        };
        Self {
            offsets: std::array::from_fn(|y| std::array::from_fn(|x| offset(y, x))),
            stride: output.stride(),
            neighbours: by_vector::<4>(&neighbours),
            stores: (0..natural.tiles().div_ceil(lanes))
                .map(|vector| std::array::from_fn(|phase| stores(phase, vector)))
                .collect(),
            outside: Outside::of(output, lanes),
        }
    }

    /// An estimate of the instructions that store one channel.
    pub(in crate::engine) fn stores(&self) -> usize {
        self.stores.iter().flatten().map(|pieces| 4 * pieces.len()).sum()
    }
}

impl Stride2 {
    /// Column `X` of the tiles' pixels after the first axis of the transform.
    #[inline(always)]
    fn column<S: Simd, const X: usize>(&self, s: S, tiles: Inputs) -> [S::V; 5] {
        let masks = &self.neighbours[tiles.vector];
        let mut d = [s.splat(0.0); 5];
        let (_, dx) = place(X);
        for y in 0..5 {
            let (_, dy) = place(y);
            let there = match (dy, dx) {
                (0, 0) => None,
                _ => Some(masks[((dy + 1) * 2 + dx + 1).cast_unsigned()]),
            };
            d[y] = tiles.pixels(s, self.offsets[y][X], there);
        }
        forward(s, tiles.format, d)
    }
}

/// Column `X` of elements after the first axis of the way back.
#[inline(always)]
fn column_back<S: Simd, const X: usize>(s: S, tiles: Outputs) -> [S::V; 2] {
    let mut d = [s.splat(0.0); 5];
    for y in 0..5 {
        d[y] = tiles.element(s, y * 5 + X);
    }
    backward(s, d)
}

impl Transform for Stride2 {
    const ELEMENTS: usize = 25;
    const MATRICES: usize = 16;

    #[inline(always)]
    fn matrix(element: usize) -> usize {
        let [y, x] = [element / 5, element % 5].map(|i| i.min(3));
        y * 4 + x
    }

    #[inline(always)]
    fn forward<S: Simd>(&self, s: S, tiles: Inputs) {
        let half = [
            self.column::<S, 0>(s, tiles),
            self.column::<S, 1>(s, tiles),
            self.column::<S, 2>(s, tiles),
            self.column::<S, 3>(s, tiles),
            self.column::<S, 4>(s, tiles),
        ];
        for y in 0..5 {
            let row = [half[0][y], half[1][y], half[2][y], half[3][y], half[4][y]];
            let t = forward(s, tiles.format, row);
            for x in 0..5 {
                tiles.put(s, y * 5 + x, t[x]);
            }
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
        let base = channel * self.stride;
        let half = [
            column_back::<S, 0>(s, tiles),
            column_back::<S, 1>(s, tiles),
            column_back::<S, 2>(s, tiles),
            column_back::<S, 3>(s, tiles),
            column_back::<S, 4>(s, tiles),
        ];
        // SAFETY: the maps and the epilogue have the channel, by the contract of `Backward::new`; the vector has its stores, whose
        // places are of the output's grid.
        unsafe {
            let stores = self.stores.get_unchecked(vector);
            for y in 0..2 {
                let t = backward(s, [half[0][y], half[1][y], half[2][y], half[3][y], half[4][y]]);
                for x in 0..2 {
                    for piece in &stores[y * 2 + x] {
                        let at = base + piece.place;
                        let sums = piece.of(s, t[x]);
                        let y = epilogue.apply(s, sums, channel, io.residual, at, piece.there);
                        s.store_masked(io.output.add(at), piece.there, y);
                    }
                }
            }
            if vector == 0 {
                self.outside.clear(s, io.output, channel..channel + 1);
            }
        }
    }
}

/// The phase of pixel `i` of a tile's five along an axis, which begin one before it, and the tile it lies in.
#[inline(always)]
const fn place(i: usize) -> (usize, isize) {
    if i == 0 { (3, -1) } else { (i - 1, 0) }
}

/// Five pixels to what the four of [`KERNEL`] are multiplied with, the last of them twice.
#[inline(always)]
fn forward<S: Simd>(s: S, format: Format, [a, even, b, next_even, c]: [S::V; 5]) -> [S::V; 5] {
    let (before, after) = if format.whole() {
        (s.sub_i16(a, b), s.sub_i16(c, b))
    } else {
        (s.sub(a, b), s.sub(c, b))
    };
    [before, b, after, even, next_even]
}

/// Two outputs of five products.
#[inline(always)]
fn backward<S: Simd>(s: S, [a, b, c, even, next_even]: [S::V; 5]) -> [S::V; 2] {
    [s.add(s.add(a, b), even), s.add(s.add(b, c), next_even)]
}

//! Stride 2: along each axis the even pixels meet the kernel's middle element alone, the odd ones its two outer elements
//! as a convolution of stride 1, which F(2, 2) computes with three multiplications for two outputs. So 25 make 2x2
//! outputs, where the definition has 36.

use super::Transform;
use crate::engine::conv::{Epilogue, Io};
use crate::engine::format::Format;
use crate::engine::grid::Grid;
use crate::engine::simd::Simd;
use crate::engine::slots::{Outside, Piece, pieces};

/// What the kernel's elements become: for the odd pixels, then twice the middle one for the even pixels.
pub(super) const KERNEL: [[f64; 3]; 5] = [
    [1.0, 0.0, 0.0],
    [1.0, 0.0, 1.0],
    [0.0, 0.0, 1.0],
    [0.0, 1.0, 0.0],
    [0.0, 1.0, 0.0],
];

/// Tiles of 4x4 pixels, each with the last row and column of its neighbours before it, to 2x2 outputs.
#[derive(Debug)]
pub(super) struct Stride2 {
    input: Grid,
    /// Elements from one output channel to the next.
    stride: usize,
    /// For each neighbour `(dy + 1) * 2 + dx + 1` before a tile or the tile itself, which tiles of each vector have it.
    neighbours: [Vec<u32>; 4],
    /// For each phase of the 2x2 outputs and each vector, where its tiles go.
    stores: [Vec<Vec<Piece>>; 4],
    /// The places outside the output's map.
    outside: Outside,
}

impl Stride2 {
    pub(super) fn new(input: Grid, output: Grid, lanes: usize) -> Self {
        let natural = Grid { p: 2, ..output };
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
            input,
            stride: output.stride(),
            neighbours: std::array::from_fn(|i| {
                input.neighbour_masks(i.cast_signed() / 2 - 1, i.cast_signed() % 2 - 1, lanes)
            }),
            stores: std::array::from_fn(|phase| {
                (0..natural.tiles().div_ceil(lanes))
                    .map(|vector| stores(phase, vector))
                    .collect()
            }),
            outside: Outside::of(output, lanes),
        }
    }

    /// An estimate of the instructions that store one channel.
    pub(super) fn stores(&self) -> usize {
        self.stores.iter().flatten().map(|pieces| 4 * pieces.len()).sum()
    }
}

impl Transform for Stride2 {
    const ELEMENTS: usize = 25;

    #[inline(always)]
    unsafe fn forward<S: Simd>(
        &self,
        format: Format,
        channel: *const f32,
        vector: usize,
        to: *mut f32,
        plane: usize,
    ) {
        let columns = self.input.tile_columns().cast_signed();
        let length = self.input.phase();
        // SAFETY: the caller's; a masked lane is not touched.
        unsafe {
            let from = channel.add(vector * S::LANES);
            let mut half = [[S::splat(0.0); 5]; 5];
            for j in 0..5 {
                let (pj, dj) = place(j);
                let mut d = [S::splat(0.0); 5];
                for i in 0..5 {
                    let (pi, di) = place(i);
                    let at = ((pi * 4 + pj) * length).cast_signed() + di * columns + dj;
                    let mask =
                        *self.neighbours[((di + 1) * 2 + dj + 1).cast_unsigned()].get_unchecked(vector);
                    d[i] = S::load_masked(from.wrapping_offset(at), mask);
                }
                let t = forward::<S>(format, d);
                for i in 0..5 {
                    half[i][j] = t[i];
                }
            }
            for i in 0..5 {
                let t = forward::<S>(format, half[i]);
                for j in 0..5 {
                    S::store(to.add((i * 5 + j) * plane), t[j]);
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
        let base = channel * self.stride;
        // SAFETY: the caller's; the places are of the output's channel.
        unsafe {
            let mut half = [[S::splat(0.0); 5]; 2];
            for j in 0..5 {
                let mut d = [S::splat(0.0); 5];
                for i in 0..5 {
                    d[i] = S::load(from.add((i * 5 + j) * step));
                }
                let t = backward::<S>(d);
                half[0][j] = t[0];
                half[1][j] = t[1];
            }
            for i in 0..2 {
                let t = backward::<S>(half[i]);
                for j in 0..2 {
                    for piece in &self.stores[i * 2 + j][vector] {
                        let at = base + piece.place;
                        let sums = piece.of::<S>(t[j]);
                        let y = epilogue.apply::<S>(sums, channel, io.residual, at, piece.there);
                        S::store_masked(io.output.add(at), piece.there, y);
                    }
                }
            }
            if vector == 0 {
                self.outside.clear::<S>(io.output, channel..channel + 1);
            }
        }
    }
}

/// The phase of pixel `i` of a tile's five along an axis, which begin one before it, and the tile it lies in.
#[inline(always)]
const fn place(i: usize) -> (usize, isize) {
    if i == 0 { (3, -1) } else { (i - 1, 0) }
}

/// Five pixels to what the five of [`KERNEL`] are multiplied with.
#[inline(always)]
unsafe fn forward<S: Simd>(format: Format, [a, even, b, next_even, c]: [S::V; 5]) -> [S::V; 5] {
    // SAFETY: the caller's: the CPU has the unit.
    unsafe {
        let (before, after) = match format {
            Format::F32 | Format::F16 => (S::sub(a, b), S::sub(c, b)),
            _ => (S::sub_i16(a, b), S::sub_i16(c, b)),
        };
        [before, b, after, even, next_even]
    }
}

/// Two outputs of five products.
#[inline(always)]
unsafe fn backward<S: Simd>([a, b, c, even, next_even]: [S::V; 5]) -> [S::V; 2] {
    // SAFETY: the caller's: the CPU has the unit.
    unsafe { [S::add(S::add(a, b), even), S::add(S::add(b, c), next_even)] }
}

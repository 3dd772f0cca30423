//! 3x3 convolutions of stride 1 by Winograd's minimal filtering, F(2x2, 3x3) and F(4x4, 3x3).
//!
//! Tiles run along the lanes. A grid whose tiles are as wide as the transform's output holds each of the pixels that
//! a tile needs as whole vectors, so no element is ever moved between lanes.

use super::conv::{Epilogue, Io};
use super::gemm::{self, Rows};
use super::grid::{Grid, first};
use super::isa::Target;
use super::packed::Packed;
use super::simd::Simd;
use super::tiling::Tiling;

/// A prepared convolution.
#[derive(Debug)]
pub(super) struct Winograd {
    grid: Grid,
    inputs: usize,
    outputs: usize,
    tiling: Tiling,
    /// `[block of rows][xi][input][row]`.
    weights: Packed,
    /// For each neighbour `(dy + 1) * 3 + dx + 1`, which tiles of each vector have it.
    neighbours: [Vec<u32>; 9],
    /// For each phase, which tiles of each vector have it inside the map.
    inside: Vec<Vec<u32>>,
}

/// The side of the transformed tile.
const fn side(m: usize) -> usize {
    m + 2
}

impl Winograd {
    /// The convolution with weights `[outputs, inputs, 3, 3]` on this grid, whose tiles give the transform.
    pub(super) fn new(
        grid: Grid,
        (inputs, outputs): (usize, usize),
        weights: &[f32],
        target: Target,
    ) -> Self {
        let lanes = target.isa.lanes();
        let vectors = grid.tiles().div_ceil(lanes);
        let tiling = Tiling::new(outputs, vectors, target);
        let shift = |i: usize| (i.cast_signed() / 3 - 1, i.cast_signed() % 3 - 1);
        Self {
            grid,
            inputs,
            outputs,
            tiling,
            weights: Packed::new(transformed(grid.p, (inputs, outputs), tiling.rows, weights)),
            neighbours: std::array::from_fn(|i| {
                let (dy, dx) = shift(i);
                grid.neighbour_masks(dy, dx, lanes)
            }),
            inside: (0..grid.p * grid.p)
                .map(|phase| grid.inside_masks(phase, lanes))
                .collect(),
        }
    }

    /// Side of the tiles that come out.
    pub(super) fn m(&self) -> usize {
        self.grid.p
    }

    pub(super) fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    pub(super) fn weights(&self) -> &Packed {
        &self.weights
    }

    pub(super) fn weights_mut(&mut self) -> &mut Packed {
        &mut self.weights
    }

    /// See `Convolution::effort`.
    pub(super) fn effort(&self, threads: usize) -> usize {
        let xis = side(self.m()).pow(2);
        let (vectors, blocks) = self.tiling.largest(threads);
        let outputs = blocks * self.tiling.rows;
        vectors * xis * (outputs * self.inputs + 6 * (self.inputs + outputs))
    }

    /// Elements of scratch memory that a thread needs.
    pub(super) fn scratch(&self, lanes: usize) -> usize {
        let xis = side(self.grid.p).pow(2);
        let width = self.tiling.most.min(self.tiling.vectors) * lanes;
        xis * (self.plane(width) + self.tiling.rows * width)
    }

    /// Elements from one of the transformed input's matrices to the next: a cache line more than it holds, so that
    /// a tile's values do not crowd few cache sets.
    fn plane(&self, width: usize) -> usize {
        self.inputs * width + 16
    }

    /// Computes the tiles of `vectors` for the channels of `blocks`.
    ///
    /// # Safety
    /// `io` points to maps on the grid with the convolution's channels, `scratch` to as much as
    /// [`Winograd::scratch`] says; nobody else writes these outputs or reads them; the CPU has the unit.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd, const M: usize>(
        &self,
        io: Io,
        epilogue: Epilogue,
        (vectors, blocks): (std::ops::Range<usize>, std::ops::Range<usize>),
        scratch: *mut f32,
    ) {
        let count = vectors.len().div_ceil(self.tiling.most);
        let mut start = vectors.start;
        for part in 0..count {
            let nv = (vectors.end - start).div_ceil(count - part);
            // SAFETY: the caller's.
            unsafe {
                let width = nv * S::LANES;
                let products = scratch.add(side(M).pow(2) * self.plane(width));
                self.transform_input::<S, M>(io.input, start, nv, scratch);
                for block in blocks.clone() {
                    for xi in 0..side(M).pow(2) {
                        let a = (block * side(M).pow(2) + xi) * self.inputs * self.tiling.rows;
                        let sink = Rows {
                            to: products.add(xi * self.tiling.rows * width),
                            stride: width,
                            more: false,
                        };
                        let a = self.weights.at(io.weights).add(a);
                        let b = (scratch.add(xi * self.plane(width)).cast_const(), width);
                        gemm::product::<S, _>((self.tiling.rows, nv), a, b, self.inputs, sink);
                    }
                    self.transform_output::<S, M>(io, epilogue, block, start, nv, products);
                }
            }
            start += nv;
        }
    }

    #[inline(always)]
    unsafe fn transform_input<S: Simd, const M: usize>(
        &self,
        input: *const f32,
        start: usize,
        nv: usize,
        scratch: *mut f32,
    ) {
        let (stride, tiles) = (self.grid.stride(), self.grid.tiles());
        let columns = self.grid.tile_columns().cast_signed();
        let width = nv * S::LANES;
        let plane = self.plane(width);
        for v in 0..nv {
            // Row or column i of a tile: its phase, and the tile it lies in.
            let masks: [u32; 9] = std::array::from_fn(|i| self.neighbours[i][start + v]);
            for ci in 0..self.inputs {
                // SAFETY: the caller's; a masked lane is not touched.
                unsafe {
                    let from = input.add(ci * stride + (start + v) * S::LANES);
                    let mut half = [[S::splat(0.0); 6]; 6];
                    for j in 0..side(M) {
                        let (pj, dj) = place::<M>(j);
                        let mut d = [S::splat(0.0); 6];
                        for i in 0..side(M) {
                            let (pi, di) = place::<M>(i);
                            let at = ((pi * M + pj) * tiles).cast_signed() + di * columns + dj;
                            let mask = masks[((di + 1) * 3 + dj + 1).cast_unsigned()];
                            d[i] = S::load_masked(from.wrapping_offset(at), mask);
                        }
                        let t = forward::<S, M>(d);
                        for i in 0..side(M) {
                            half[i][j] = t[i];
                        }
                    }
                    let to = scratch.add(ci * width + v * S::LANES);
                    for i in 0..side(M) {
                        let t = forward::<S, M>(half[i]);
                        for j in 0..side(M) {
                            S::store(to.add((i * side(M) + j) * plane), t[j]);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn transform_output<S: Simd, const M: usize>(
        &self,
        io: Io,
        epilogue: Epilogue,
        block: usize,
        start: usize,
        nv: usize,
        products: *const f32,
    ) {
        let (stride, tiles) = (self.grid.stride(), self.grid.tiles());
        let width = nv * S::LANES;
        let rows = self.tiling.rows.min(self.outputs - block * self.tiling.rows);
        for r in 0..rows {
            let channel = block * self.tiling.rows + r;
            for v in 0..nv {
                let vector = start + v;
                let there = first(tiles - vector * S::LANES) & first(S::LANES);
                // SAFETY: the caller's; only lanes with a tile are stored.
                unsafe {
                    let from = products.add(r * width + v * S::LANES);
                    let mut half = [[S::splat(0.0); 6]; 4];
                    for j in 0..side(M) {
                        let mut d = [S::splat(0.0); 6];
                        for i in 0..side(M) {
                            d[i] = S::load(from.add((i * side(M) + j) * self.tiling.rows * width));
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
                            let at = channel * stride + phase * tiles + vector * S::LANES;
                            let y = epilogue.apply::<S>(t[j], channel, io.residual, at, there);
                            let y = S::keep(self.inside[phase][vector], y);
                            S::store_masked(io.output.add(at), there, y);
                        }
                    }
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

/// `G g G^T` of every kernel, computed in f64, as `[block of rows][xi][input][row]` with absent rows at 0.
fn transformed(m: usize, (inputs, outputs): (usize, usize), rows: usize, weights: &[f32]) -> Vec<f32> {
    const F2: [[f64; 3]; 4] = [
        [1.0, 0.0, 0.0],
        [0.5, 0.5, 0.5],
        [0.5, -0.5, 0.5],
        [0.0, 0.0, 1.0],
    ];
    const F4: [[f64; 3]; 6] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    let g: &[[f64; 3]] = if m == 2 { &F2 } else { &F4 };
    let xis = g.len() * g.len();
    let mut out = vec![0.0; outputs.div_ceil(rows) * xis * inputs * rows];
    for (pair, kernel) in weights.as_chunks::<9>().0.iter().enumerate() {
        let (output, input) = (pair / inputs, pair % inputs);
        let half: Vec<[f64; 3]> = g
            .iter()
            .map(|g| std::array::from_fn(|x| (0..3).map(|y| g[y] * f64::from(kernel[y * 3 + x])).sum()))
            .collect();
        for (i, row) in half.iter().enumerate() {
            for (j, g_column) in g.iter().enumerate() {
                let xi = i * g.len() + j;
                let value: f64 = row.iter().zip(g_column).map(|(a, b)| a * b).sum();
                let at = ((output / rows * xis + xi) * inputs + input) * rows + output % rows;
                out[at] = value as f32;
            }
        }
    }
    out
}

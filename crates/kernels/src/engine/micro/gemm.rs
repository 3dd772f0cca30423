//! The one matrix product under every convolution: a few output channels by a few vectors of places, kept in
//! registers over the whole depth.

use crate::engine::micro::operands::{F32, Operands};
use crate::engine::quant::format::Format;
use crate::engine::simd::{Bf16, I16, Int8, Simd, Work};

/// Output channels that a product may hold at a time, and the vectors that fit beside them.
pub(in crate::engine) struct RegisterTile {
    pub(in crate::engine) rows: usize,
    /// Vectors in 32 registers.
    of_32: usize,
    /// Vectors in 16 registers.
    of_16: usize,
}

/// The tiles of [`product`].
pub(in crate::engine) const REGISTER_TILES: [RegisterTile; 5] = [
    RegisterTile::new(6, 4, 2),
    RegisterTile::new(8, 3, 1),
    RegisterTile::new(12, 2, 1),
    RegisterTile::new(16, 1, 0),
    RegisterTile::new(24, 1, 0),
];

impl RegisterTile {
    const fn new(rows: usize, of_32: usize, of_16: usize) -> Self {
        Self { rows, of_32, of_16 }
    }

    /// The vectors that fit at most; 0 if not even the rows do.
    pub(in crate::engine) fn vectors(&self, registers: usize) -> usize {
        if registers == 32 { self.of_32 } else { self.of_16 }
    }
}

/// Vectors that a product holds at a time, at most.
pub(in crate::engine) const MOST_VECTORS: usize = 4;

/// How far ahead of use weights are asked for, elements: they stream through once a block.
pub(in crate::engine) const WEIGHTS_PREFETCH: isize = 1024;

/// How many rows and vectors a product holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct TileShape {
    /// Output channels; pixels in [`product_of_pixels`].
    pub(in crate::engine) rows: usize,
    /// Vectors of places; of output channels in [`product_of_pixels`].
    pub(in crate::engine) vectors: usize,
}

/// Takes the sums of a product.
pub(in crate::engine) trait Sink<S: Simd>: Copy {
    /// Takes the sum of row `r` and vector `v`.
    ///
    /// # Safety
    /// The sink's pointers are valid for what it reads and writes of this row and vector.
    unsafe fn put(self, s: S, r: usize, v: usize, sum: S::V);

    /// Asks for what [`Sink::put`] will need.
    #[inline(always)]
    fn expect(self, _: S, _r: usize, _v: usize) {}
}

/// Stores sums, or with `more` adds them to what is there.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Rows {
    /// Row 0.
    pub(in crate::engine) to: *mut f32,
    /// Elements from one row to the next.
    pub(in crate::engine) stride: usize,
    pub(in crate::engine) more: bool,
}

impl<S: Simd> Sink<S> for Rows {
    #[inline(always)]
    unsafe fn put(self, s: S, r: usize, v: usize, sum: S::V) {
        // SAFETY: there is room for row `r` and vector `v` behind `to` by the contract of `put`; with `more` they hold sums.
        unsafe {
            let to = self.to.add(r * self.stride + v * S::LANES);
            let sum = if self.more { s.add(s.load(to), sum) } else { sum };
            s.store(to, sum);
        }
    }
}

/// As [`Rows`], each row multiplied by a scale.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Scaled {
    pub(in crate::engine) rows: Rows,
    /// One per row.
    pub(in crate::engine) scales: *const f32,
}

impl<S: Simd> Sink<S> for Scaled {
    #[inline(always)]
    unsafe fn put(self, s: S, r: usize, v: usize, sum: S::V) {
        // SAFETY: row `r` has a scale, and `rows` room for it, by the contract of `put`.
        unsafe { self.rows.put(s, r, v, s.mul(sum, s.splat(*self.scales.add(r)))) }
    }
}

/// Vectors, a few for each step.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Panel {
    /// The first step's.
    pub(in crate::engine) start: *const f32,
    /// Elements from one step's to the next.
    pub(in crate::engine) stride: usize,
}

impl Panel {
    /// The panel from a step on.
    pub(in crate::engine) fn from(self, step: usize) -> Self {
        Self {
            start: self.start.wrapping_add(step * self.stride),
            ..self
        }
    }
}

/// Factors of a product: rows, vectors, and how many of each, one after the other.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Factors {
    pub(in crate::engine) format: Format,
    /// The tile's rows of elements per step.
    pub(in crate::engine) a: *const f32,
    /// The tile's vectors.
    pub(in crate::engine) b: Panel,
    /// Steps.
    pub(in crate::engine) depth: usize,
    /// Elements from the weights of a step to what is asked for meanwhile.
    pub(in crate::engine) ahead: isize,
}

/// Evaluates an expression for the operands of a format, which the unit multiplies.
macro_rules! of_format {
    ($s:expr, $format:expr, $operands:ident => $body:expr) => {
        match $format {
            Format::F32 | Format::F16 => {
                let $operands = F32;
                $body
            }
            Format::Bf16 => {
                let $operands = Bf16::assumed($s);
                $body
            }
            Format::I16 => {
                let $operands = I16::assumed($s);
                $body
            }
            Format::Int8 => {
                let $operands = Int8::assumed($s);
                $body
            }
        }
    };
}

/// Puts `sum over i of a[i][r] * b[i][v]` for the tile's output channels and vectors, one of [`REGISTER_TILES`].
///
/// # Safety
/// The factors are valid for reads of `depth` steps of the tile's rows and vectors; [`Sink::put`] may be called for each
/// row and vector; the unit multiplies the format.
#[inline(always)]
pub(in crate::engine) unsafe fn product<S: Simd, K: Sink<S>>(
    s: S,
    tile: TileShape,
    factors: Factors,
    sink: K,
) {
    let step = tile.rows;
    // SAFETY: the unit multiplies the format, by the contract above, which is all that a `Product` stands for.
    unsafe {
        of_format!(s, factors.format, operands => Product { factors, step, sink, operands }.of_rows(s, tile))
    }
}

/// Elements from one step's pixels to the next in [`product_of_pixels`].
pub(in crate::engine) const PIXELS_STEP: usize = 8;

/// Puts `sum over i of a[i][r] * b[i][v]` for 7 or, with 16 registers, 6 pixels, [`PIXELS_STEP`] elements a step, and
/// vectors of output channels, whose weights lie one after the other.
///
/// # Safety
/// As for [`product`].
#[inline(always)]
pub(in crate::engine) unsafe fn product_of_pixels<S: Simd, K: Sink<S>>(
    s: S,
    tile: TileShape,
    factors: Factors,
    sink: K,
) {
    let step = PIXELS_STEP;
    // SAFETY: the unit multiplies the format, by the contract of `product`, which is all that a `Product` stands for.
    unsafe {
        of_format!(s, factors.format, operands => Product { factors, step, sink, operands }.of_pixels(s, tile))
    }
}

/// A product for which somebody holds to the contract of [`product`]: that function and [`product_of_pixels`] alone make one.
#[derive(Clone, Copy)]
struct Product<K, F> {
    factors: Factors,
    /// Elements from one step's rows to the next.
    step: usize,
    sink: K,
    operands: F,
}

impl<K, F> Product<K, F> {
    #[inline(always)]
    fn of_rows<S: Simd>(self, s: S, TileShape { rows, vectors }: TileShape)
    where
        K: Sink<S>,
        F: Operands<S>,
    {
        let all = S::REGISTERS == 32;
        match (rows, vectors) {
            (6, 1) => s.call(Tile::<K, F, 6, 1, false>(self)),
            (6, 2) => s.call(Tile::<K, F, 6, 2, false>(self)),
            (6, 3) if all => s.call(Tile::<K, F, 6, 3, false>(self)),
            (6, 4) if all => s.call(Tile::<K, F, 6, 4, false>(self)),
            (8, 1) => s.call(Tile::<K, F, 8, 1, false>(self)),
            (8, 2) if all => s.call(Tile::<K, F, 8, 2, false>(self)),
            (8, 3) if all => s.call(Tile::<K, F, 8, 3, false>(self)),
            (12, 1) => s.call(Tile::<K, F, 12, 1, false>(self)),
            (12, 2) if all => s.call(Tile::<K, F, 12, 2, false>(self)),
            (16, 1) if all => s.call(Tile::<K, F, 16, 1, false>(self)),
            (24, 1) if all => s.call(Tile::<K, F, 24, 1, false>(self)),
            _ => unreachable!("no product of {rows} rows and {vectors} vectors"),
        }
    }

    #[inline(always)]
    fn of_pixels<S: Simd>(self, s: S, TileShape { rows, vectors }: TileShape)
    where
        K: Sink<S>,
        F: Operands<S>,
    {
        let all = S::REGISTERS == 32;
        match (rows, vectors) {
            (6, 1) => s.call(Tile::<K, F, 6, 1, true>(self)),
            (6, 2) => s.call(Tile::<K, F, 6, 2, true>(self)),
            (7, 1) if all => s.call(Tile::<K, F, 7, 1, true>(self)),
            (7, 2) if all => s.call(Tile::<K, F, 7, 2, true>(self)),
            (7, 3) if all => s.call(Tile::<K, F, 7, 3, true>(self)),
            _ => unreachable!("no product of {rows} pixels and {vectors} vectors"),
        }
    }
}

/// A product of `R` rows and `V` vectors; the weights are the vectors' with `OF_WEIGHTS`, else the rows'.
struct Tile<K, F, const R: usize, const V: usize, const OF_WEIGHTS: bool>(Product<K, F>);

impl<S: Simd, K: Sink<S>, F: Operands<S>, const R: usize, const V: usize, const OF_WEIGHTS: bool> Work<S>
    for Tile<K, F, R, V, OF_WEIGHTS>
{
    type Output = ();

    #[inline(always)]
    fn run(self, s: S) {
        let Product {
            factors,
            step,
            sink,
            operands,
        } = self.0;
        let Factors {
            a, b, depth, ahead, ..
        } = factors;
        for r in 0..R {
            for v in 0..V {
                sink.expect(s, r, v);
            }
        }
        // SAFETY: a `Product` is made by `product` and `product_of_pixels` alone, whose callers vouch for `depth` steps of `R` rows and
        // `V` vectors and for the sink; `Product` takes no other tile than theirs.
        unsafe {
            let mut sums = [[s.splat(0.0); V]; R];
            for i in 0..depth {
                let (a, b) = (a.add(i * step), b.start.add(i * b.stride));
                let weights = if OF_WEIGHTS { b } else { a };
                s.prefetch(weights.wrapping_offset(ahead));
                let mut x = [s.splat(0.0); V];
                for v in 0..V {
                    x[v] = s.load(b.add(v * S::LANES));
                }
                for r in 0..R {
                    let w = s.splat(*a.add(r));
                    for v in 0..V {
                        sums[r][v] = if OF_WEIGHTS {
                            operands.multiply(s, x[v], w, sums[r][v])
                        } else {
                            operands.multiply(s, w, x[v], sums[r][v])
                        };
                    }
                }
            }
            // An array of their own, for a sink may make the compiler index it in memory: the loop above would then store each
            // of its sums in each step.
            let mut whole = [[s.splat(0.0); V]; R];
            for r in 0..R {
                for v in 0..V {
                    whole[r][v] = operands.sum(s, sums[r][v]);
                }
            }
            for r in 0..R {
                for v in 0..V {
                    sink.put(s, r, v, whole[r][v]);
                }
            }
        }
    }
}

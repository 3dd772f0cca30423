//! The one matrix product under every convolution: a few output channels by a few vectors of places, kept in
//! registers over the whole depth.

use std::marker::PhantomData;

use crate::engine::micro::operands::{F32, Operands};
use crate::engine::quant::format::Format;
use crate::engine::simd::{Bf16, I16, Int8, Simd, Work};

/// Vectors that a product holds at a time, at most.
pub(in crate::engine) const MOST_VECTORS: usize = 4;

/// The prefetch distance of weights, elements: they stream through once a block.
pub(in crate::engine) const WEIGHTS_PREFETCH: isize = 1024;

/// The rows and vectors that a product holds.
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
            Format::I8x2 => unreachable!("tiles alone multiply digits"),
            Format::Int8 => {
                let $operands = Int8::assumed($s);
                $body
            }
        }
    };
}

/// Puts `sum over i of a[i][r] * b[i][v]` for the tile's output channels and vectors, one of [`ROW_KERNELS`].
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
    // SAFETY: the unit multiplies the format, by the contract above, and a `Product` is made under all of that contract.
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
    // SAFETY: the unit multiplies the format, by the contract of `product`, and a `Product` is made under all of that contract.
    unsafe {
        of_format!(s, factors.format, operands => Product { factors, step, sink, operands }.of_pixels(s, tile))
    }
}

/// A product, made by [`product`] and [`product_of_pixels`] alone, under their contract.
#[derive(Clone, Copy)]
struct Product<K, F> {
    factors: Factors,
    /// Elements from one step's rows to the next.
    step: usize,
    sink: K,
    operands: F,
}

/// Rows and vectors that a product may hold, and the registers that a unit needs for them.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct KernelTile {
    pub(in crate::engine) shape: TileShape,
    registers: usize,
}

/// [`Fits::YES`] if a unit has at least `REGISTERS` registers. A condition that is a constant itself keeps the compiler from making kernels for units
/// that cannot run them.
struct Fits<S, const REGISTERS: usize>(PhantomData<S>);

impl<S: Simd, const REGISTERS: usize> Fits<S, REGISTERS> {
    const YES: bool = S::REGISTERS >= REGISTERS;
}

/// Lists kernels: makes the table that tilings and tests walk, and the method that runs a kernel of it, from the same rows.
macro_rules! kernels {
    (
        $(#[$table_doc:meta])* $table:ident, $method:ident, $of_weights:literal:
        $($rows:literal x $vectors:literal in $registers:literal),* $(,)?
    ) => {
        $(#[$table_doc])*
        pub(in crate::engine) const $table: &[KernelTile] = &[$(KernelTile {
            shape: TileShape { rows: $rows, vectors: $vectors },
            registers: $registers,
        }),*];

        impl<K, F> Product<K, F> {
            #[inline(always)]
            fn $method<S: Simd>(self, s: S, TileShape { rows, vectors }: TileShape)
            where
                K: Sink<S>,
                F: Operands<S>,
            {
                match (rows, vectors) {
                    $(($rows, $vectors) if Fits::<S, $registers>::YES => {
                        s.call(Tile::<K, F, $rows, $vectors, $of_weights>(self));
                    })*
                    _ => unreachable!("no product of {rows} rows and {vectors} vectors"),
                }
            }
        }
    };
}

// A sum takes a register each, and a step one for each vector and one for the row; without an instruction that multiplies and
// adds, one more for the product.
kernels! {
    /// The kernels of [`product`]: output channels by vectors of places.
    ROW_KERNELS, of_rows, false:
    6 x 1 in 16, 6 x 2 in 16, 6 x 3 in 32, 6 x 4 in 32,
    8 x 1 in 16, 8 x 2 in 32, 8 x 3 in 32,
    12 x 1 in 16, 12 x 2 in 32,
    16 x 1 in 32,
    24 x 1 in 32,
}
kernels! {
    /// The kernels of [`product_of_pixels`]: pixels by vectors of output channels.
    PIXEL_KERNELS, of_pixels, true:
    6 x 1 in 16, 6 x 2 in 16,
    7 x 1 in 32, 7 x 2 in 32, 7 x 3 in 32,
}

/// The largest kernels of a table on a unit of `registers` registers: for each number of rows the one with the most vectors.
pub(in crate::engine) fn largest(
    table: &'static [KernelTile],
    registers: usize,
) -> impl Iterator<Item = TileShape> {
    let fits = move |tile: &&KernelTile| tile.registers <= registers;
    let of_rows = table.chunk_by(|a, b| a.shape.rows == b.shape.rows);
    of_rows.filter_map(move |tiles| tiles.iter().rfind(fits).map(|tile| tile.shape))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::simd::MAX_LANES;
    use crate::engine::simd::isa::{Isa, on};

    const FORMATS: [Format; 5] = [Format::F32, Format::F16, Format::Bf16, Format::I16, Format::Int8];

    /// One kernel on rows and vectors of whole numbers, with the sums put one row after the other.
    struct Run<'a> {
        tile: TileShape,
        of_pixels: bool,
        factors: Factors,
        sums: &'a mut [f32],
    }

    impl<S: Simd> Work<S> for Run<'_> {
        type Output = ();

        fn run(self, s: S) {
            let sink = Rows {
                to: self.sums.as_mut_ptr(),
                stride: self.tile.vectors * S::LANES,
                more: false,
            };
            // SAFETY: `products` gives each operand `depth` steps of the tile's rows and vectors, and the sums room for all.
            unsafe {
                if self.of_pixels {
                    product_of_pixels(s, self.tile, self.factors, sink);
                } else {
                    product(s, self.tile, self.factors, sink);
                }
            }
        }
    }

    /// A small whole number: of weights with a sign, of inputs without one, as int8 has them.
    fn number(i: usize, signed: bool) -> f32 {
        let number = (i * 37 % 7) as f32;
        if signed { number - 3.0 } else { number }
    }

    /// Runs a kernel and compares its sums, which whole numbers make exact in every format, with the definition.
    fn products(isa: Isa, format: Format, tile: TileShape, of_pixels: bool, depth: usize) {
        let TileShape { rows, vectors } = tile;
        let (lanes, held) = (isa.lanes(), format.channels());
        let step = if of_pixels { PIXELS_STEP } else { rows };
        // The weights are the vectors' where the rows are pixels.
        let of_a = |i: usize, r: usize, c: usize| number((i * step + r) * 4 + c, !of_pixels);
        let of_b = |i: usize, x: usize, c: usize| number((i * vectors * lanes + x) * 4 + c + 5, of_pixels);
        let element = |values: [f32; 4]| {
            let held = std::array::from_fn(|c| if c < held { values[c] } else { 0.0 });
            format.element(held, 0)
        };
        let a = (0..depth * step).map(|at| element(std::array::from_fn(|c| of_a(at / step, at % step, c))));
        let width = vectors * lanes;
        let b =
            (0..depth * width).map(|at| element(std::array::from_fn(|c| of_b(at / width, at % width, c))));
        let (a, b): (Vec<f32>, Vec<f32>) = (a.collect(), b.collect());
        let mut sums = vec![f32::NAN; rows * width + MAX_LANES];
        let run = Run {
            tile,
            of_pixels,
            factors: Factors {
                format,
                a: a.as_ptr(),
                b: Panel {
                    start: b.as_ptr(),
                    stride: width,
                },
                depth,
                ahead: WEIGHTS_PREFETCH,
            },
            sums: &mut sums,
        };
        on!(isa, s => s.call(run));
        for r in 0..rows {
            for x in 0..width {
                let product = |i: usize| (0..held).map(move |c| of_a(i, r, c) * of_b(i, x, c)).sum::<f32>();
                let expected: f32 = (0..depth).map(product).sum();
                let sum = sums[r * width + x];
                let what = format!("{} {format} {rows}x{vectors}, depth {depth}", isa.name());
                assert_eq!(sum, expected, "{what}: row {r}, lane {x}");
            }
        }
        assert!(
            sums[rows * width..].iter().all(|x| x.is_nan()),
            "no sum is put beyond the tile"
        );
    }

    /// A kernel cannot be in a table without being tested: this walks the tables.
    #[test]
    fn every_kernel_of_every_unit_and_format_is_its_definition() {
        for isa in Isa::available() {
            for format in FORMATS {
                if isa.multiplies(format).is_none() {
                    continue;
                }
                for (table, of_pixels) in [(ROW_KERNELS, false), (PIXEL_KERNELS, true)] {
                    let fits = table.iter().filter(|tile| tile.registers <= isa.registers());
                    for tile in fits {
                        for depth in [0, 1, 2, 17] {
                            products(isa, format, tile.shape, of_pixels, depth);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn rows_stand_together_and_vectors_grow_so_that_the_last_is_the_largest() {
        for table in [ROW_KERNELS, PIXEL_KERNELS] {
            let grows = |pair: &[KernelTile]| {
                let [a, b] = [pair[0].shape, pair[1].shape];
                b.rows > a.rows || (b.rows == a.rows && b.vectors > a.vectors)
            };
            assert!(table.windows(2).all(grows));
        }
        let of_16: Vec<usize> = largest(ROW_KERNELS, 16).map(|tile| tile.vectors).collect();
        assert_eq!(of_16, [2, 1, 1], "6, 8 and 12 rows");
        let most = ROW_KERNELS.iter().map(|tile| tile.shape.vectors).max();
        assert_eq!(most, Some(MOST_VECTORS));
    }
}

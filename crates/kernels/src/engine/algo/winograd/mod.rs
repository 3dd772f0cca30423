//! 3x3 convolutions by Winograd's minimal filtering: tiles of the input are transformed, multiplied with transformed
//! kernels element by element (a matrix product over the channels for each element), and transformed back.
//!
//! Tiles run along the lanes. A grid holds each of the pixels that a tile needs as whole vectors, so no element is ever
//! moved between lanes.

mod kernels;
mod passes;
mod stride1;
mod stride2;
mod whole;

use std::ops::Range;

use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::algo::layer::{ConvShape, Layer};
use crate::engine::layout::tiling::{Part, Tiling};
use crate::engine::micro::gemm::{self, Factors, Panel, Rows, Scaled, TileShape};
use crate::engine::program::packed::Stored;
use crate::engine::quant::format::{self, Format, Room, Weights};
use crate::engine::simd::Simd;
use crate::engine::simd::isa::{Isa, on};

use kernels::{Packing, Transformed};
use passes::{Backward, Forward, Inputs, Outputs, Products, Transform};
use stride1::Stride1;
use stride2::Stride2;

/// A convolution that is cut.
#[derive(Debug)]
pub(in crate::engine) struct Winograd {
    format: Format,
    /// Elements of the format.
    inputs: usize,
    outputs: usize,
    isa: Isa,
    /// Elements from one input channel to the next.
    stride: usize,
    tiling: Tiling,
    tiles: Tiles,
}

#[derive(Debug)]
enum Tiles {
    /// F(2x2, 3x3).
    Two(Stride1<2>),
    /// F(4x4, 3x3).
    Four(Stride1<4>),
    /// F(2x2, 2x2) on the odd pixels of a stride of 2.
    Stride2(Stride2),
}

/// For each vector the masks of all kinds.
fn by_vector<const N: usize>(kinds: &[Vec<u32>; N]) -> Vec<[u32; N]> {
    (0..kinds[0].len())
        .map(|vector| kinds.each_ref().map(|masks| masks[vector]))
        .collect()
}

impl Winograd {
    /// `true` if there are transforms for a format's operands: of f32, or of pairs of i16.
    pub(in crate::engine) fn filters(format: Format) -> bool {
        match format {
            Format::F32 | Format::F16 | Format::I16 => true,
            Format::Bf16 | Format::I8x2 | Format::Int8 => false,
        }
    }

    /// The layer, in a format that is [filtered](Winograd::filters): stride 1 needs equal grids with tiles of 2 or 4, stride 2 an
    /// input with tiles of 4.
    pub(in crate::engine) fn new(layer: Layer) -> Self {
        let Layer {
            shape,
            format,
            input,
            output,
            target,
        } = layer;
        let ConvShape { outputs, stride, .. } = shape;
        let inputs = format.elements(shape.inputs);
        assert!(Self::filters(format), "no filtering in {format}");
        let lanes = target.isa.lanes();
        let tiles = match (stride, input.p) {
            (1, 2) if input == output => Tiles::Two(Stride1::new(input, lanes)),
            (1, 4) if input == output => Tiles::Four(Stride1::new(input, lanes)),
            (2, 4) => Tiles::Stride2(Stride2::new(input, output, lanes)),
            _ => unreachable!("no Winograd of stride {stride} on {input:?}"),
        };
        let tiling = Tiling::new(outputs, input.tiles().div_ceil(lanes), target);
        Self {
            format,
            inputs,
            outputs,
            isa: target.isa,
            stride: input.stride(),
            tiling,
            tiles,
        }
    }

    /// `winograd2`, `winograd4`, or for a stride of 2 `polyphase2`.
    pub(in crate::engine) fn name(&self) -> &'static str {
        match &self.tiles {
            Tiles::Two(_) => "winograd2",
            Tiles::Four(_) => "winograd4",
            Tiles::Stride2(_) => "polyphase2",
        }
    }

    /// The largest product of one element: output channels by vectors of tiles.
    pub(in crate::engine) fn sums(&self) -> TileShape {
        TileShape {
            rows: self.tiling.rows,
            vectors: self.tiling.most.min(self.tiling.vectors),
        }
    }

    /// The largest magnitude of inputs of 16 bits whose transforms fit, with or without a sign.
    pub(in crate::engine) fn limit(&self, signed: bool) -> f32 {
        match &self.tiles {
            Tiles::Two(_) | Tiles::Stride2(_) => 8191.0,
            Tiles::Four(_) => whole::limit(signed),
        }
    }

    /// Weights `[outputs, inputs, 3, 3]`, transformed, as `[block of rows][matrix][input][row]` with absent rows at 0,
    /// and their scales `[block of rows][matrix][row]`; f16 is yet to be narrowed. What weights of 16 bits drift by is next to nothing.
    pub(in crate::engine) fn packed(&self, weights: &[f32]) -> Weights<'static> {
        let (rows, matrices) = (self.tiling.rows, self.matrices());
        let kernels = weights.as_chunks().0;
        let inputs = kernels.len() / self.outputs;
        let mut out = vec![0.0; self.tiling.blocks * matrices * inputs * rows];
        let packing = Packing {
            kernels,
            inputs,
            rows,
            out: &mut out,
        };
        match &self.tiles {
            Tiles::Two(_) => on!(self.isa, s => s.call(Transformed(&stride1::F2, packing))),
            Tiles::Four(_) => on!(self.isa, s => s.call(Transformed(&stride1::F4, packing))),
            Tiles::Stride2(_) => on!(self.isa, s => s.call(Transformed(&stride2::KERNEL, packing))),
        }
        match self.format {
            Format::F32 => Weights {
                elements: out.into(),
                ..Weights::default()
            },
            Format::F16 | Format::I16 => self.quantised(&out),
            Format::Bf16 | Format::I8x2 | Format::Int8 => unreachable!("no filtering in {}", self.format),
        }
    }

    /// Transformed kernels `[block of rows][matrix][input][row]` as elements of the format.
    fn quantised(&self, kernels: &[f32]) -> Weights<'static> {
        let rows = self.tiling.rows;
        let matrix = kernels.len() / (self.tiling.blocks * self.matrices());
        let channels = self.format.channels();
        let mut out = Vec::with_capacity(kernels.len() / channels + rows);
        let mut scales = Vec::with_capacity(kernels.len() / matrix * rows);
        for (index, matrix) in kernels.chunks_exact(matrix).enumerate() {
            let mut elements = vec![0.0; self.inputs * rows];
            for row in 0..rows {
                let weights: Vec<f32> = matrix.iter().skip(row).step_by(rows).copied().collect();
                let runs = weights.chunks(self.summed() * channels);
                let step = format::weight_step(self.format, Room::of(TRANSFORMED), runs);
                for (input, pair) in weights.chunks(channels).enumerate() {
                    let [a, b] = [pair[0], pair.get(1).copied().unwrap_or(0.0)];
                    let steps = [a, b, 0.0, 0.0].map(|weight| self.format.steps(weight, step));
                    elements[input * rows + row] = self.format.element(steps, 0);
                }
                scales.push(step * self.scale(index % self.matrices()));
            }
            out.extend(elements);
        }
        Weights {
            elements: out.into(),
            scales,
            ..Weights::default()
        }
    }

    /// The scale of the elements of a transformed input that are multiplied with a matrix of kernels.
    fn scale(&self, matrix: usize) -> f32 {
        match &self.tiles {
            Tiles::Four(_) if self.format.whole() => whole::scale(matrix),
            Tiles::Two(_) | Tiles::Four(_) | Tiles::Stride2(_) => 1.0,
        }
    }

    /// Elements of inputs whose products are summed before the sum is scaled.
    fn summed(&self) -> usize {
        match self.format {
            Format::I16 => LONGEST_I16_SUM,
            Format::F16 => WIDENED.min(self.inputs),
            Format::F32 | Format::Bf16 | Format::I8x2 | Format::Int8 => self.inputs,
        }
    }

    /// Elements of a transformed tile.
    fn elements(&self) -> usize {
        match &self.tiles {
            Tiles::Two(_) => Stride1::<2>::ELEMENTS,
            Tiles::Four(_) => Stride1::<4>::ELEMENTS,
            Tiles::Stride2(_) => Stride2::ELEMENTS,
        }
    }

    /// Matrices of transformed kernels, each of an element of all kernels.
    fn matrices(&self) -> usize {
        match &self.tiles {
            Tiles::Two(_) => Stride1::<2>::MATRICES,
            Tiles::Four(_) => Stride1::<4>::MATRICES,
            Tiles::Stride2(_) => Stride2::MATRICES,
        }
    }

    /// See [`Layer::effort`](crate::engine::Layer::effort).
    pub(in crate::engine) fn effort(&self, threads: usize) -> usize {
        let (vectors, blocks) = self.tiling.largest(threads);
        let outputs = blocks * self.tiling.rows;
        // Instructions for each element there and back, and for what is stored run by run.
        let (each, stores) = match &self.tiles {
            Tiles::Two(_) | Tiles::Four(_) => (6, 0),
            Tiles::Stride2(tiles) => (3, tiles.stores().div_ceil(self.tiling.vectors)),
        };
        let transforms = each * self.elements() * (self.inputs + outputs) + stores * outputs;
        vectors * (self.elements() * outputs * self.inputs + transforms)
    }

    /// Elements of scratch memory that a thread needs.
    pub(in crate::engine) fn scratch(&self) -> usize {
        let width = self.tiling.most.min(self.tiling.vectors) * self.isa.lanes();
        self.elements() * (self.plane(width) + self.tiling.rows * width)
            + Stored::room(self.format, self.summed() * self.tiling.rows)
    }

    /// Elements from one of the transformed input's matrices to the next: a cache line more than it holds, so that
    /// a tile's values do not crowd few cache sets.
    fn plane(&self, width: usize) -> usize {
        self.inputs * width + 16
    }

    /// Computes one part of the output.
    ///
    /// # Safety
    /// As for [`Kind::run`](crate::engine::algo::layer::Kind::run).
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        s: S,
        io: Io,
        epilogue: Epilogue,
        part: Part,
        scratch: *mut f32,
    ) {
        let (vectors, blocks) = self.tiling.share(part);
        let share = Share {
            conv: self,
            io,
            epilogue,
            scratch,
        };
        match &self.tiles {
            Tiles::Two(tiles) => share.run(s, tiles, vectors, blocks),
            Tiles::Four(tiles) => share.run(s, tiles, vectors, blocks),
            Tiles::Stride2(tiles) => share.run(s, tiles, vectors, blocks),
        }
    }
}

/// A part of a convolution, made by [`Winograd::run`] alone, under its contract.
#[derive(Clone, Copy)]
struct Share<'a> {
    conv: &'a Winograd,
    io: Io,
    epilogue: Epilogue,
    /// Room for transformed inputs, their products behind them and widened kernels behind those, as [`Winograd::scratch`] counts
    /// them.
    scratch: *mut f32,
}

impl Share<'_> {
    /// Computes the part's vectors of tiles, which are the convolution's, and blocks of channels.
    #[inline(always)]
    fn run<S: Simd, T: Transform>(self, s: S, tiles: &T, vectors: Range<usize>, blocks: Range<usize>) {
        let Self {
            conv,
            io,
            epilogue,
            scratch,
        } = self;
        let rows = conv.tiling.rows;
        let count = vectors.len().div_ceil(conv.tiling.most);
        let mut start = vectors.start;
        for part in 0..count {
            let nv = (vectors.end - start).div_ceil(count - part);
            let width = nv * S::LANES;
            let plane = conv.plane(width);
            // SAFETY: maps, weights and epilogue are the layer's, vectors and blocks are this part's alone. The scratch memory is divided
            // here as it was counted, for the most vectors that are held.
            unsafe {
                let products = scratch.add(T::ELEMENTS * plane);
                let room = products.add(T::ELEMENTS * rows * width);
                s.call(Forward::new(conv, tiles, io.input, start..start + nv, scratch));
                for block in blocks.clone() {
                    for element in 0..T::ELEMENTS {
                        let matrix = block * T::MATRICES + T::matrix(element);
                        let element = Element {
                            conv,
                            kernels: io.weights,
                            matrix,
                            scales: epilogue.scales.wrapping_add(matrix * rows),
                            room,
                            vectors: nv,
                            panel: Panel {
                                start: scratch.add(element * plane),
                                stride: width,
                            },
                            to: products.add(element * rows * width),
                        };
                        element.product(s);
                    }
                    let products = Products {
                        start: products,
                        rows,
                        channels: block * rows..conv.outputs.min((block + 1) * rows),
                        vectors: start..start + nv,
                    };
                    s.call(Backward::new(tiles, products, io, epilogue.scaled()));
                }
            }
            start += nv;
        }
    }
}

/// Elements of inputs whose products are summed in whole numbers of 32 bits: more would leave few bits to each weight.
const LONGEST_I16_SUM: usize = 24;

/// Elements of inputs whose f16 kernels are widened at a time: they and the inputs stay in the first cache.
const WIDENED: usize = 96;

/// The largest magnitude of a transformed input of 16 bits.
const TRANSFORMED: f32 = 32768.0;

/// The product of one element of the transform with a block of rows: [`Share::run`] alone makes one, of its own part.
#[derive(Clone, Copy)]
struct Element<'a> {
    conv: &'a Winograd,
    /// Those of the layer.
    kernels: Stored,
    /// The place of the element's kernels among those of all blocks: a matrix of [`Winograd::inputs`] steps.
    matrix: usize,
    /// The scales of the rows' sums, where the format has any.
    scales: *const f32,
    /// Room to widen as many kernels in as are summed.
    room: *mut f32,
    /// Vectors of tiles.
    vectors: usize,
    /// A step of the vectors for each input.
    panel: Panel,
    /// Room for the sums of the vectors with each row.
    to: *mut f32,
}

impl Element<'_> {
    /// Computes the product.
    #[inline(always)]
    fn product<S: Simd>(self, s: S) {
        let Self { conv, vectors, .. } = self;
        let rows = conv.tiling.rows;
        let shape = TileShape { rows, vectors };
        let sink = |more: bool| Rows {
            to: self.to,
            stride: self.panel.stride,
            more,
        };
        // SAFETY: a matrix has `inputs` steps of `rows` kernels, and the panel as many, of which these are some; there is room for the
        // sums, and a scale for each row where the format has any. All that is what `Share::run` gives.
        unsafe {
            if conv.format == Format::F32 {
                let factors = self.factors(s, 0..conv.inputs);
                return gemm::product(s, shape, factors, sink(false));
            }
            for at in (0..conv.inputs).step_by(conv.summed()) {
                let sink = Scaled {
                    rows: sink(at > 0),
                    scales: self.scales,
                };
                let inputs = at..at + conv.summed().min(conv.inputs - at);
                gemm::product(s, shape, self.factors(s, inputs), sink);
            }
        }
    }

    /// The factors of some inputs, not more than are summed.
    #[inline(always)]
    fn factors<S: Simd>(self, s: S, inputs: Range<usize>) -> Factors {
        let rows = self.conv.tiling.rows;
        let first = (self.matrix * self.conv.inputs + inputs.start) * rows;
        assert!(inputs.end <= self.conv.inputs && inputs.len() <= self.conv.summed());
        Factors {
            format: self.conv.format,
            // SAFETY: the matrix has the kernels of these inputs, and `Share::run` gives room for as many as are summed.
            a: unsafe { self.kernels.from(s, first, inputs.len() * rows, self.room) },
            b: self.panel.from(inputs.start),
            depth: inputs.len(),
            ahead: gemm::WEIGHTS_PREFETCH,
        }
    }
}

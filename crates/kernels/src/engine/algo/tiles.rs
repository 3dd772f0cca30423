//! Convolutions as products of tiles on a matrix unit: the pixels that each output needs are gathered into a panel whose rows
//! are whole cache lines, and groups of outputs are summed over it.
//!
//! ```text
//! panel    [digit][channels x taps][line of 16 pixels]    gathered by the vector unit, rows of a tile never cross a cache line
//! weights  [group][digit][tile][block][output]            in the order of their use: a line holds 16 elements of one output
//! sums     [digits][block][line][output]                  of a group and two lines, finished by the vector unit
//! ```
//!
//! Numbers of two digits are multiplied as [planes](super::planes) say. Sums of int8 are whole over all channels: a bound on the
//! weights' scale keeps them in i32.

use std::ops::Range;

use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::algo::layer::{ConvShape, Layer};
use crate::engine::layout::places::{Place, Places};
use crate::engine::layout::slots::Room;
use crate::engine::layout::tiling::{Part, Tiling};
use crate::engine::micro::matrix::{
    Ahead, BLOCKS, Beside, Fetch, Group, Line, MatrixUnit, Operand, ROWS, Shape, Starts, Sums, VECTORS,
    joined, steps,
};
use crate::engine::simd::{Simd, Work};

/// Pixels of a line.
const PIXELS: usize = 16;

/// Lines of a panel at most, unless two lines of pixels need more: 640 KiB, a third of a second cache. Pixels of 7 x 7 then have one
/// panel up to 1,024 channels, and weights, which are larger, are read once.
const PANEL: usize = 10 << 10;

/// Vector instructions that take as long as a product of tiles with its loads. On a Xeon a product takes 19 cycles alone, and the
/// kernels of the vector unit execute one or two instructions a cycle.
const PRODUCT: usize = 32;

/// Vector instructions that take as long as to finish a vector of sums and to store it.
const FINISH: usize = 18;

/// A convolution on a matrix unit.
#[derive(Debug)]
pub(in crate::engine) struct Tiles {
    unit: MatrixUnit,
    operand: Operand,
    lanes: usize,
    /// Elements from one channel to the next, of inputs and outputs.
    strides: [usize; 2],
    /// Elements of inputs of one digit.
    inputs: usize,
    digits: usize,
    outputs: usize,
    taps: usize,
    shape: Shape,
    /// Its rows are the outputs of a group, its vectors those of pixels.
    tiling: Tiling,
    places: Places,
    /// The line of each tile in the panel.
    starts: Starts,
}

impl Tiles {
    /// The layer, whose inputs are counted in elements of the format.
    ///
    /// # Panics
    /// If the unit has no tiles of the format, see [`Format::tiles`](crate::engine::Format::tiles).
    pub(in crate::engine) fn new(layer: Layer) -> Self {
        let Layer {
            shape,
            format,
            input,
            output,
            target,
        } = layer;
        let ConvShape {
            outputs,
            kernel,
            stride,
            ..
        } = shape;
        let digits = format.digits();
        let inputs = format.elements(shape.inputs) / digits;
        let lanes = target.isa.lanes();
        let places = Places::gathered((input, output), (kernel, stride), lanes);
        let shape = divided(outputs);
        let rows = shape.blocks() * shape.rows();
        let most = VECTORS * PIXELS / lanes;
        let groups = outputs.div_ceil(rows);
        let mut tiles = Self {
            unit: target.isa.tiles().expect("`Layer::check` refuses units without"),
            operand: format.tiles().expect("`Layer::check` refuses other formats"),
            lanes,
            strides: [input.stride(), output.stride()],
            inputs,
            digits,
            outputs,
            taps: kernel * kernel,
            shape,
            tiling: Tiling::of(rows, most, places.vectors(), groups, target.threads),
            places,
            starts: Starts::new(Vec::new()),
        };
        let pitch = tiles.panel().1;
        tiles.starts = Starts::new((0..tiles.rows()).step_by(ROWS).map(|row| row * pitch).collect());
        tiles
    }

    /// Products of tiles over all channels and taps of one digit.
    fn tiles(&self) -> usize {
        (self.inputs * self.taps).div_ceil(ROWS)
    }

    /// Lines of the weights of a group.
    fn group_lines(&self) -> usize {
        self.digits * self.tiles() * self.shape.blocks() * self.shape.rows()
    }

    /// Weights `[outputs, digits, inputs, kernel, kernel]` as `[group][digit][tile][block][output][element]`, absent ones at 0 and the
    /// low digits first.
    pub(in crate::engine) fn packed(&self, weights: &[f32]) -> Vec<f32> {
        let (blocks, rows) = (self.shape.blocks(), self.shape.rows());
        let mut out = vec![0.0; self.tiling.blocks * self.group_lines() * ROWS];
        for (index, weights) in weights.chunks_exact(self.inputs * self.taps).enumerate() {
            let (output, digit) = (index / self.digits, self.digits - 1 - index % self.digits);
            let (group, in_group) = (output / self.tiling.rows, output % self.tiling.rows);
            let (block, row) = (in_group / rows, in_group % rows);
            for (tile, elements) in weights.chunks(ROWS).enumerate() {
                let tile = digit * self.tiles() + tile;
                let line = group * self.group_lines() + (tile * blocks + block) * rows + row;
                out[line * ROWS..][..elements.len()].copy_from_slice(elements);
            }
        }
        out
    }

    /// Rows of the panel, those of each digit whole tiles.
    fn rows(&self) -> usize {
        self.digits * self.tiles() * ROWS
    }

    /// Vectors whose pixels are gathered at a time, and the lines from one row of their panel to the next: an odd number, so
    /// that rows of a tile lie in different sets of the first cache.
    fn panel(&self) -> (usize, usize) {
        let most = (PANEL / self.rows()).max(VECTORS) / VECTORS * self.tiling.most;
        let vectors = most.min(self.tiling.vectors.next_multiple_of(self.tiling.most));
        (vectors, (vectors * self.lanes / PIXELS) | 1)
    }

    /// The weights of a group, or after the last one as many of the next layer, fetched while the group before is summed for so many
    /// vectors.
    fn ahead(&self, io: Io, group: usize, vectors: usize) -> Ahead {
        let lines = self.group_lines();
        let first = io.weights.start().cast::<Line>().wrapping_add(group * lines);
        let sums = vectors.div_ceil(self.tiling.most);
        let of_sum = steps(self.starts.all().tiles(), self.shape, 2 * self.digits - 1, 1);
        Ahead::new(first, lines, sums * of_sum)
    }

    /// See [`Layer::effort`](crate::engine::Layer::effort).
    pub(in crate::engine) fn effort(&self, threads: usize) -> usize {
        let (vectors, groups) = self.tiling.largest(threads);
        let lines = vectors.next_multiple_of(self.tiling.most) * self.lanes / PIXELS;
        let outputs = groups * self.tiling.rows;
        let products = lines * groups * self.shape.blocks() * self.tiles();
        let gathers = self.places.slots.gathers() * self.inputs * vectors / self.tiling.vectors;
        PRODUCT * products * self.digits.pow(2) + self.digits * (gathers + FINISH * vectors * outputs)
    }

    /// Elements of scratch memory that a thread needs.
    pub(in crate::engine) fn scratch(&self) -> usize {
        self.rows() * self.panel().1 * PIXELS
    }

    /// Computes one part of the output.
    ///
    /// # Safety
    /// As for [`Kind::run`](crate::engine::algo::layer::Kind::run); `scratch` begins at a cache line.
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        s: S,
        io: Io,
        epilogue: Epilogue,
        part: Part,
        scratch: *mut f32,
    ) {
        let (vectors, groups) = self.tiling.share(part);
        let (together, pitch) = self.panel();
        let lines = self.rows() * pitch;
        self.unit.configured(self.shape, |unit| {
            let sums = [(); 3].map(|()| Sums::zero());
            let sums = &sums[..2 * self.digits - 1];
            for start in vectors.clone().step_by(together) {
                let vectors = start..vectors.end.min(start + together);
                s.call(Gather {
                    conv: self,
                    input: io.input,
                    vectors: vectors.clone(),
                    to: scratch,
                    pitch,
                });
                // SAFETY: `scratch` holds the panel, whose rows are lines from a cache line on, by the contract above; nothing writes to
                // it while it is read here.
                let inputs =
                    unsafe { std::slice::from_raw_parts(scratch.cast::<Line>().cast_const(), lines) };
                for group in groups.clone() {
                    let first = group * self.group_lines();
                    let mut fetch = Fetch {
                        s,
                        ahead: self.ahead(io, group + 1, vectors.len()),
                    };
                    // SAFETY: the weights are those that `packed` made, which settled at a cache line, with lines for each group.
                    let weights = unsafe {
                        let start = io.weights.start().cast::<Line>().add(first);
                        std::slice::from_raw_parts(start, self.group_lines())
                    };
                    for (pair, start) in vectors.clone().step_by(self.tiling.most).enumerate() {
                        let group_of_sums = Group {
                            operand: self.operand,
                            weights,
                            inputs: &inputs[pair * VECTORS..],
                            starts: self.starts.all(),
                            pitch,
                        };
                        unit.sum_all(&group_of_sums, sums, &mut Beside::new(s, 1, &mut fetch));
                        s.call(Finish {
                            conv: self,
                            io,
                            epilogue,
                            group,
                            vectors: start..vectors.end.min(start + self.tiling.most),
                            sums,
                        });
                    }
                }
            }
        });
        if vectors.contains(&0) {
            let rows = self.tiling.rows;
            let channels = groups.start * rows..(groups.end * rows).min(self.outputs);
            // SAFETY: the output map is the layer's, and of the parts with a group only one has the first vectors, with which go
            // the places outside the map.
            unsafe { self.places.outside.clear(s, io.output, channels) };
        }
    }
}

/// The blocks of a group and the outputs of a block for `outputs` outputs: as few groups as can be, then as few blocks, all of
/// them alike.
fn divided(outputs: usize) -> Shape {
    let groups = outputs.div_ceil(ROWS).div_ceil(BLOCKS);
    let blocks = outputs.div_ceil(ROWS).div_ceil(groups);
    Shape::new(blocks, outputs.div_ceil(groups * blocks))
}

/// Gathers the pixels of some vectors of the layer into the panel: [`Tiles::run`] alone makes one, with room for the panel.
struct Gather<'a> {
    conv: &'a Tiles,
    input: *const f32,
    vectors: Range<usize>,
    to: *mut f32,
    pitch: usize,
}

impl<S: Simd> Work<S> for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, s: S) {
        let Self {
            conv,
            input,
            vectors,
            to,
            pitch,
        } = self;
        let row = pitch * PIXELS;
        let depth = conv.inputs * conv.taps;
        for digit in 0..conv.digits {
            let to = to.wrapping_add(digit * conv.tiles() * ROWS * row);
            for ci in 0..conv.inputs {
                // SAFETY: the map has the channel, the vectors are the layer's, and the panel has `taps` rows of at least their lanes for
                // each channel of each digit.
                unsafe {
                    let room = Room {
                        start: to.add(ci * conv.taps * row),
                        tap: row,
                        slot: S::LANES,
                    };
                    let channel = input.add((digit * conv.inputs + ci) * conv.strides[0]);
                    conv.places.slots.gather(s, channel, vectors.clone(), room);
                }
            }
            for at in (depth * row..conv.tiles() * ROWS * row).step_by(S::LANES) {
                // SAFETY: the panel has `tiles` times `ROWS` rows for each digit, each of whole vectors. Rows without channels meet weights
                // of 0, and must not be NaN.
                unsafe { s.store(to.add(at), s.splat(0.0)) };
            }
        }
    }
}

/// Finishes the sums of a group of outputs for some vectors: [`Tiles::run`] alone makes one, of its own part.
struct Finish<'a> {
    conv: &'a Tiles,
    io: Io,
    epilogue: Epilogue,
    group: usize,
    /// Those of a group of lines.
    vectors: Range<usize>,
    sums: &'a [Sums],
}

impl<S: Simd> Work<S> for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, s: S) {
        let Self {
            conv,
            io,
            epilogue,
            group,
            vectors,
            sums,
        } = self;
        let first = group * conv.tiling.rows;
        // Vector by vector: one channel's vectors may share a line, and reading a line that was just written waits for it.
        for (v, vector) in vectors.enumerate() {
            let together = conv.places.together(vector).then(|| conv.places.of(vector));
            for block in 0..conv.shape.blocks() {
                let first = first + block * conv.shape.rows();
                for row in 0..conv.shape.rows().min(conv.outputs.saturating_sub(first)) {
                    let (channel, start) = (first + row, (first + row) * conv.strides[1]);
                    let line = (block * VECTORS + v * S::LANES / PIXELS) * ROWS + row;
                    // SAFETY: the sums have a line for each block, line of pixels and row, and a vector lies within one. The channel
                    // exists; the lanes `there` of a place or piece are places of it, which this part alone writes, and no others
                    // are touched.
                    unsafe {
                        let lane = v * S::LANES % PIXELS;
                        let sum = |sums: &Sums| s.load(sums.start().add(line).cast::<f32>().add(lane));
                        let sum = match (conv.operand, sums) {
                            (_, [high, mixed, low]) => joined(s, [high, mixed, low].map(sum)),
                            (Operand::Bf16, sums) => sum(&sums[0]),
                            (Operand::I8U8 | Operand::I8I8 | Operand::U8I8 | Operand::U8U8, sums) => {
                                s.to_f32(sum(&sums[0]))
                            }
                        };
                        if let Some(Place { first, there, inside }) = together {
                            let at = start + first;
                            let y = epilogue.apply(s, sum, channel, io.residual, at, there);
                            s.store_masked(io.output.add(at), there, s.keep(inside, y));
                            continue;
                        }
                        for piece in conv.places.slots.list[vector].pieces() {
                            let (at, there) = (start + piece.place, piece.there);
                            let y = epilogue.apply(s, piece.of(s, sum), channel, io.residual, at, there);
                            s.store_masked(io.output.add(at), there, y);
                        }
                    }
                }
            }
        }
    }
}

//! Convolutions as products of tiles on a matrix unit, straight from operands in which every pixel that an output needs lies in a
//! whole line, see [`Planes`].
//!
//! ```text
//! inputs   [phase][element][row of tiles]      three neighbours of a row: 3 x elements rows of tiles at one distance
//! weights  [group][run][tile][block][output]   in the order of their use: a line holds 16 elements of one output
//! sums     [block][vector][output]             of a group and two rows of tiles, finished by the vector unit
//! ```
//!
//! A run is one row of the kernel. Its last tile ends where the run does and begins within the tile before, whose rows have
//! weights of 0 in it: nothing outside of the kernel is multiplied, be it with 0, for 0 x NaN is NaN. Whole numbers know no NaN, and
//! alone may have runs shorter than a tile.
//!
//! The sums of a group are finished while those of the next one are computed: the unit works beside the vector unit, and what it
//! stored is long in the cache when it is loaded.

use std::ops::Range;

use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::algo::layer::{ConvShape, Layer};
use crate::engine::layout::grid::{Grid, Rows, first};
use crate::engine::layout::map::Map;
use crate::engine::layout::planes::{PIXELS, Planes, Spot, Words};
use crate::engine::layout::tiling::Part;
use crate::engine::micro::matrix::{
    BLOCKS, Group, Line, MatrixUnit, Operand, ROWS, SUMS, Shape, Tiles, VECTORS,
};
use crate::engine::quant::format::Packing;
use crate::engine::simd::{Simd, Work};

/// Vector instructions that take as long as a product of tiles with its loads.
const PRODUCT: usize = 32;

/// Vector instructions that finish and store a vector of sums, as far as the products beside them do not hide them.
const FINISH: usize = 5;

/// Bytes of weights from which on a group stays in the caches for all pixels, rather than pixels for all groups.
const KEPT: usize = 200 << 10;

/// Sharing groups has each thread read all inputs.
const REPEATED: f64 = 1.1;

/// A convolution on a matrix unit, of inputs in planes.
#[derive(Debug)]
pub(in crate::engine) struct PlaneTiles {
    unit: MatrixUnit,
    operand: Operand,
    input: Planes,
    output: Grid,
    outputs: usize,
    shape: Shape,
    groups: usize,
    /// Where the inputs of each phase's tiles begin, in lines from the vector before the output's on.
    starts: Vec<Vec<usize>>,
    /// The rows of tiles of pairs of vectors.
    pairs: Vec<[Option<RowOf>; VECTORS]>,
    window: Window,
    outgoing: Option<Outgoing>,
}

/// How the output of a convolution becomes operands, in planes.
#[derive(Debug)]
struct Outgoing {
    planes: Planes,
    /// Elements of all channels.
    elements: usize,
    /// What each channel is multiplied by; empty for a format with a point of its own.
    scales: Vec<f32>,
    /// The least and the largest whole number.
    limits: (f32, f32),
}

impl Outgoing {
    /// Operands of a map.
    fn new(packing: &Packing, to: &Map) -> Self {
        Self {
            planes: Planes::new(to.grid, to.channels),
            elements: to.channels,
            scales: packing.steps.iter().map(|step| 1.0 / step).collect(),
            limits: packing.limits,
        }
    }

    /// A vector of a channel in steps, saturated.
    ///
    /// # Safety
    /// The format has steps, and the channel is one of the layer's.
    #[inline(always)]
    unsafe fn scaled<S: Simd>(&self, s: S, channel: usize, v: S::V) -> S::V {
        // SAFETY: `Op::check` has counted the scales of a format of whole numbers.
        let scale = s.splat(unsafe { *self.scales.get_unchecked(channel) });
        s.min(
            s.max(s.mul(scale, v), s.splat(self.limits.0)),
            s.splat(self.limits.1),
        )
    }
}

/// The kernel, in rows of tiles.
#[derive(Clone, Copy, Debug)]
struct Window {
    kernel: usize,
    elements: usize,
}

/// A row of tiles of the output.
#[derive(Clone, Copy, Debug)]
struct RowOf {
    /// Its first place within a phase.
    place: usize,
    /// Its first row of pixels.
    y: usize,
}

/// A group of sums to compute.
#[derive(Clone, Copy)]
struct Piece {
    group: usize,
    phase: usize,
    pair: usize,
}

impl Window {
    /// Rows of a run: the elements of a row of the kernel.
    fn run(self) -> usize {
        self.kernel * self.elements
    }

    /// Tiles of a run.
    fn tiles(self) -> usize {
        self.run().div_ceil(ROWS)
    }

    /// The first row of a tile of a run: the last tile ends with the run.
    fn row(self, tile: usize) -> usize {
        (tile * ROWS).min(self.run().saturating_sub(ROWS))
    }

    /// The row that is the tile's own `i`th; `None` for one of the tile before or behind the run.
    fn own(self, tile: usize, i: usize) -> Option<usize> {
        let row = self.row(tile) + i;
        (row >= tile * ROWS && row < self.run()).then_some(row)
    }
}

impl PlaneTiles {
    /// Whether the layer can be computed so: rows of tiles lie alike in both maps.
    pub(in crate::engine) fn suits(layer: Layer) -> bool {
        let Layer {
            shape,
            format,
            input,
            output,
            ..
        } = layer;
        let window = Window {
            kernel: shape.kernel,
            elements: format.elements(shape.inputs),
        };
        input.rows == Rows::Planes
            && output.rows == Rows::Aligned
            && [input, output].into_iter().all(Planes::suit)
            && input.p == shape.stride * output.p
            && (input.tile_rows(), input.tile_columns()) == (output.tile_rows(), output.tile_columns())
            && (format.whole() || window.run() >= ROWS)
    }

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
        let ConvShape { outputs, kernel, .. } = shape;
        let window = Window {
            kernel,
            elements: format.elements(shape.inputs),
        };
        let planes = Planes::new(input, window.elements);
        let starts = |phase: usize| {
            starts(
                &planes,
                input.p,
                (phase / output.p, phase % output.p),
                shape,
                window,
            )
        };
        let row = |vector: usize| {
            let row = planes.row(vector)?;
            Some(RowOf {
                place: row * output.pitch(),
                y: row % output.tile_rows() * output.p,
            })
        };
        let pair = |first: usize| std::array::from_fn(|i| row(first + i));
        let (shape, groups) = divided(outputs, format.channels());
        Self {
            unit: target.isa.tiles().expect("`Layer::check` refuses units without"),
            operand: format.tiles().expect("`Layer::check` refuses other formats"),
            input: planes,
            output,
            outputs,
            shape,
            groups,
            starts: (0..output.p * output.p).map(starts).collect(),
            pairs: (1..=planes.vectors()).step_by(VECTORS).map(pair).collect(),
            window,
            outgoing: None,
        }
    }

    /// Has the output written as operands, too, or alone where the convolution gets no map.
    pub(in crate::engine) fn write_operands(&mut self, packing: &Packing, to: &Map) {
        self.outgoing = Some(Outgoing::new(packing, to));
    }

    /// Outputs of a group.
    fn rows(&self) -> usize {
        self.shape.blocks() * self.shape.rows()
    }

    /// Lines of the weights of a group.
    fn group_lines(&self) -> usize {
        self.window.kernel * self.window.tiles() * self.rows()
    }

    /// Weights `[outputs, inputs, kernel, kernel]` as `[group][run][tile][block][output][element]`, absent ones at 0.
    pub(in crate::engine) fn packed(&self, weights: &[f32]) -> Vec<f32> {
        let Window { kernel, elements } = self.window;
        let (tiles, block) = (self.window.tiles(), self.shape.rows());
        let mut out = vec![0.0; self.groups * self.group_lines() * ROWS];
        for (output, weights) in weights.chunks_exact(elements * kernel * kernel).enumerate() {
            let (group, in_group) = (output / self.rows(), output % self.rows());
            for run in 0..kernel {
                for tile in 0..tiles {
                    let line = group * self.group_lines()
                        + (run * tiles + tile) * self.rows()
                        + in_group / block * block
                        + in_group % block;
                    for i in 0..ROWS {
                        if let Some(row) = self.window.own(tile, i) {
                            let (tap, element) = (row / elements, row % elements);
                            out[line * ROWS + i] = weights[element * kernel * kernel + run * kernel + tap];
                        }
                    }
                }
            }
        }
        out
    }

    /// The items, each a pair of rows of tiles in one phase, and the groups of one part.
    fn share(&self, part: Part) -> (Range<usize>, Range<usize>) {
        let items = self.pairs.len() * self.starts.len();
        let [by_items, by_groups] = [
            items.div_ceil(part.of) * self.groups,
            items * self.groups.div_ceil(part.of),
        ];
        match (by_groups as f64) * REPEATED < by_items as f64 {
            true => (0..items, part.range(self.groups)),
            false => (part.range(items), 0..self.groups),
        }
    }

    /// See [`Layer::effort`](crate::engine::Layer::effort).
    pub(in crate::engine) fn effort(&self, threads: usize) -> usize {
        let (items, groups) = self.share(Part {
            index: 0,
            of: threads,
        });
        let sums = items.len() * groups.len() * VECTORS;
        let products = sums * self.shape.blocks() * self.window.kernel * self.window.tiles();
        PRODUCT * products + FINISH * sums * self.rows()
    }

    /// Elements of scratch memory that a thread needs: the sums of two groups.
    pub(in crate::engine) fn scratch(&self) -> usize {
        2 * SUMS * PIXELS
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
        let (items, groups) = self.share(part);
        // SAFETY: `scratch` has room for two groups of sums and begins at a cache line; a line is any bytes.
        let sums = unsafe { &mut *scratch.cast::<[[Line; SUMS]; 2]>() };
        // SAFETY: the input is a value of the program in this order, which nobody writes now, from a cache line on.
        let inputs = unsafe { std::slice::from_raw_parts(io.input.cast::<Line>(), self.input.lines()) };
        // SAFETY: the weights are those that `packed` made, which settled at a cache line, with lines for each group.
        let weights = unsafe {
            std::slice::from_raw_parts(
                io.weights.start().cast::<Line>(),
                self.groups * self.group_lines(),
            )
        };
        let finish = |piece: Piece, sums: &[Line; SUMS]| {
            s.call(Finish {
                conv: self,
                io,
                epilogue,
                piece,
                sums,
            });
        };
        let phases = self.starts.len();
        self.unit.configured(self.shape, |unit| {
            let mut before: Option<Piece> = None;
            let mut now = 0;
            let mut compute = |piece: Piece| {
                self.sum(unit, piece, inputs, weights, &mut sums[now]);
                now = 1 - now;
                if let Some(piece) = before.replace(piece) {
                    finish(piece, &sums[now]);
                }
            };
            let mut at = |group: usize, item: usize| {
                compute(Piece {
                    group,
                    phase: item % phases,
                    pair: item / phases,
                });
            };
            if self.window.kernel == 1 {
                // Each input is needed once, so that what counts is that each channel of the output is written from end to end.
                for group in groups.clone() {
                    for phase in 0..phases {
                        let first = items.start.next_multiple_of(phases) + phase;
                        let first = if first >= items.start + phases {
                            first - phases
                        } else {
                            first
                        };
                        (first..items.end)
                            .step_by(phases)
                            .for_each(|item| at(group, item));
                    }
                }
            } else if size_of_val(weights) > KEPT {
                for group in groups.clone() {
                    items.clone().for_each(|item| at(group, item));
                }
            } else {
                for item in items.clone() {
                    groups.clone().for_each(|group| at(group, item));
                }
            }
            if let Some(piece) = before {
                finish(piece, &sums[1 - now]);
            }
        });
        if let Some(outgoing) = &self.outgoing {
            let elements = part.range(outgoing.elements);
            // SAFETY: the operands are the layer's, and each part has elements of its own.
            unsafe { outgoing.planes.clear(s, io.operands, elements) };
        }
    }

    /// Computes the sums of a piece.
    fn sum(
        &self,
        unit: &mut Tiles<'_>,
        piece: Piece,
        inputs: &[Line],
        weights: &[Line],
        sums: &mut [Line; SUMS],
    ) {
        let lines = self.group_lines();
        let group = Group {
            operand: self.operand,
            weights: &weights[piece.group * lines..][..lines],
            // Vector 1 is the first; the one before it is its neighbour above.
            inputs: &inputs[piece.pair * VECTORS..],
            runs: &self.starts[piece.phase],
            pitch: self.input.pitch(),
            tiles: 1,
        };
        unit.sum(&group, sums);
    }
}

/// Where the inputs of the tiles of a phase begin.
fn starts(planes: &Planes, p: usize, (y, x): (usize, usize), shape: ConvShape, window: Window) -> Vec<usize> {
    let ConvShape { kernel, stride, .. } = shape;
    let pad = kernel / 2;
    let tile = |run: usize, tile: usize| {
        let y = (stride * y + run).cast_signed() - pad.cast_signed();
        // Of a vector and its neighbours above and below, of which the first is the one above.
        let vector = (1 + y.div_euclid(p.cast_signed())).cast_unsigned();
        let y = y.rem_euclid(p.cast_signed()).cast_unsigned();
        planes.line(y, stride * x + 1 - pad) + vector + window.row(tile) * planes.pitch()
    };
    let tiles = |run: usize| (0..window.tiles()).map(move |index| tile(run, index));
    (0..kernel).flat_map(tiles).collect()
}

/// The blocks of a group and the number of groups for so many outputs: as few products as can be, then as few groups, all of
/// them alike. A block has whole elements of so many channels.
fn divided(outputs: usize, channels: usize) -> (Shape, usize) {
    let blocks = outputs.div_ceil(ROWS);
    let division = |most: usize| {
        let groups = blocks.div_ceil(most);
        (blocks.div_ceil(groups), groups)
    };
    let (blocks, groups) = (1..=BLOCKS.min(blocks))
        .map(division)
        .min_by_key(|(blocks, groups)| (blocks * groups, *groups))
        .expect("there are outputs");
    let rows = outputs.div_ceil(groups * blocks).next_multiple_of(channels);
    (Shape::new(blocks, rows), groups)
}

/// Finishes the sums of a piece: [`PlaneTiles::run`] alone makes one, of its own part.
struct Finish<'a> {
    conv: &'a PlaneTiles,
    io: Io,
    epilogue: Epilogue,
    piece: Piece,
    sums: &'a [Line; SUMS],
}

impl<S: Simd> Work<S> for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, s: S) {
        // What is the same for all vectors is decided once, not for each.
        let sum = !self.io.residual.is_null();
        let map = !self.io.output.is_null();
        macro_rules! units {
            ($q:literal) => {
                match (sum, map, &self.conv.outgoing) {
                    (false, true, None) => self.units::<S, $q, false, true>(s, None),
                    (true, true, None) => self.units::<S, $q, true, true>(s, None),
                    (false, true, to) => self.units::<S, $q, false, true>(s, to.as_ref()),
                    (true, true, to) => self.units::<S, $q, true, true>(s, to.as_ref()),
                    (false, false, to) => self.units::<S, $q, false, false>(s, to.as_ref()),
                    (true, false, to) => self.units::<S, $q, true, false>(s, to.as_ref()),
                }
            };
        }
        match self.conv.operand {
            Operand::Bf16 => units!(2),
            Operand::I8U8 | Operand::I8I8 | Operand::U8I8 | Operand::U8U8 => units!(4),
        }
    }
}

impl Finish<'_> {
    /// Finishes `Q` channels at a time, those of an element: whether there is a map to add (`SUM`) and one to store (`MAP`), and
    /// operands to write.
    #[inline(always)]
    fn units<S: Simd, const Q: usize, const SUM: bool, const MAP: bool>(
        &self,
        s: S,
        outgoing: Option<&Outgoing>,
    ) {
        let (conv, Piece { group, phase, pair }) = (self.conv, self.piece);
        let start = group * conv.rows();
        let rows = conv.shape.rows();
        let (y, x) = (phase / conv.output.p, phase % conv.output.p);
        let columns = first(conv.output.tile_columns());
        for (v, of) in conv.pairs[pair].iter().enumerate() {
            let Some(of) = of else { continue };
            // Rows below the map are zeros, as is what fills up a line.
            let inside = if of.y + y < conv.output.h { columns } else { 0 };
            let place = phase * conv.output.phase() + of.place;
            for block in 0..conv.shape.blocks() {
                let lines = &self.sums[(block * VECTORS + v) * ROWS..][..rows];
                for (unit, sums) in lines.chunks_exact(Q).enumerate() {
                    let channel = start + block * rows + unit * Q;
                    if channel >= conv.outputs {
                        break;
                    }
                    let unit = Unit {
                        channel,
                        count: Q.min(conv.outputs - channel),
                        sums,
                        place,
                        inside,
                    };
                    let words = self.unit::<S, Q, SUM, MAP>(s, &unit, outgoing);
                    let Some(outgoing) = outgoing else { continue };
                    let spot = Spot {
                        y,
                        x,
                        element: channel / Q,
                        vector: 1 + pair * VECTORS + v,
                    };
                    // SAFETY: the operands are the layer's, with an element for each `Q` channels and a line for each vector with a row of tiles,
                    // which this part alone computes.
                    unsafe { outgoing.planes.store(s, self.io.operands, spot, &words) };
                }
            }
        }
    }

    /// Finishes some channels of a vector; returns them as operands.
    #[inline(always)]
    fn unit<S: Simd, const Q: usize, const SUM: bool, const MAP: bool>(
        &self,
        s: S,
        unit: &Unit<'_>,
        outgoing: Option<&Outgoing>,
    ) -> Words<S::V> {
        let Io { output, residual, .. } = self.io;
        let stride = self.conv.output.stride();
        let mut words = [s.splat(0.0); PIXELS / 4];
        for part in 0..PIXELS / S::LANES {
            let lane = part * S::LANES;
            let mut values = [s.splat(0.0); 4];
            for c in 0..Q {
                if c >= unit.count {
                    break;
                }
                let channel = unit.channel + c;
                let at = channel * stride + unit.place + lane;
                // SAFETY: a line of sums has a vector at each multiple of the lanes, and there are `Q` of them. The channel is one of the
                // layer's, with a bias and, where there are any, scales; the maps have a line at the place, which this part alone
                // writes. A map that is added is not null.
                unsafe {
                    let sum = s.load(unit.sums.get_unchecked(c).0.as_ptr().cast::<f32>().add(lane));
                    let mut y = match Q {
                        2 => self.epilogue.biased(s, sum, channel),
                        _ => self.epilogue.scaled_and_biased(s, s.to_f32(sum), channel),
                    };
                    if SUM {
                        y = s.add(y, s.load(residual.add(at)));
                    }
                    y = s.keep(unit.inside >> lane, self.epilogue.rectified(s, y));
                    if MAP {
                        s.store(output.add(at), y);
                    }
                    values[c] = match outgoing {
                        Some(outgoing) if Q == 4 => outgoing.scaled(s, channel, y),
                        Some(_) | None => y,
                    };
                }
            }
            if outgoing.is_some() {
                words[part] = match Q {
                    2 => s.pairs_bf16(values[0], values[1]),
                    _ => s.quads(values),
                };
            }
        }
        words
    }
}

/// The channels of an element in one row of tiles.
struct Unit<'a> {
    /// The first channel.
    channel: usize,
    /// As many as the element has.
    count: usize,
    /// A line for each channel.
    sums: &'a [Line],
    /// The place of the row of tiles in a channel.
    place: usize,
    /// Lanes inside the map.
    inside: u32,
}

//! Convolutions as products of tiles on a matrix unit, straight from operands in which every pixel that an output needs lies in a
//! whole line, see [`Planes`].
//!
//! ```text
//! inputs   [digit][phase][element][row of tiles]       three neighbours of a row: 3 x elements rows of tiles at one distance
//! weights  [group][digit][run][tile][block][output]   in the order of their use: a line holds 16 elements of one output
//! sums     [digits][block][vector][output]             of a group and two rows of tiles, finished by the vector unit
//! ```
//!
//! A run is one row of the kernel, shared by as few tiles as can be. The last one ends where the run does and may begin within the tile
//! before, whose rows have weights of 0 in it: nothing outside of the kernel is multiplied, be it with 0, for 0 x NaN is NaN.
//!
//! Numbers of two digits, `256 h + l`, have three sums, each exact: `h h'`, `h l' + l h'` and `l l'`. Weights lie low digits first, so
//! that the sum of two products goes through inputs and weights from end to end, and the others through a half of each.
//!
//! The sums of a group are finished while those of the next one are computed, a few after every few products of tiles, see [`Beside`].

mod finish;
mod window;

use std::ops::Range;

use finish::{Finish, Outgoing};
use window::Window;

use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::algo::layer::{ConvShape, Layer};
use crate::engine::layout::grid::{Grid, Rows};
use crate::engine::layout::map::Map;
use crate::engine::layout::planes::{PIXELS, Planes};
use crate::engine::layout::tiling::Part;
use crate::engine::micro::matrix::{
    Ahead, BLOCKS, Beside, Group, Line, MatrixUnit, Operand, ROWS, SUMS, Shape, Starts, Sums, Tiles, VECTORS,
    steps,
};
use crate::engine::quant::format::Packing;
use crate::engine::simd::Simd;

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
    /// For each phase the begins of the tiles' inputs, in lines from the vector before the output's on.
    starts: Vec<Starts>,
    /// The rows and columns of phases.
    phases: Vec<(usize, usize)>,
    digits: usize,
    /// The rows of tiles of pairs of vectors.
    pairs: Vec<[Option<RowOf>; VECTORS]>,
    window: Window,
    /// Operands of the output in the layer's own format, which may be added.
    own: Option<Planes>,
    outgoing: Option<Outgoing>,
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

impl PlaneTiles {
    /// Returns `true` if the layer can be computed so: rows of tiles lie alike in both maps.
    pub(in crate::engine) fn suits(layer: Layer) -> bool {
        let Layer {
            shape, input, output, ..
        } = layer;
        input.rows == Rows::Planes
            && output.rows == Rows::Aligned
            && [input, output].into_iter().all(Planes::suit)
            && input.p == shape.stride * output.p
            && (input.tile_rows(), input.tile_columns()) == (output.tile_rows(), output.tile_columns())
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
        let (outputs, digits) = (shape.outputs, format.digits());
        let window = Window::of(shape, format);
        let planes = Planes::new(input, format.elements(shape.inputs), digits);
        let starts = |phase: usize| {
            let phase = (phase / output.p, phase % output.p);
            let high = window.starts(&planes, input.p, phase, shape);
            let of_digit = |digit: usize| high.iter().map(move |line| line + digit * planes.digit());
            Starts::new((0..digits).flat_map(of_digit).collect())
        };
        let row = |vector: usize| {
            let row = planes.row(vector)?;
            Some(RowOf {
                place: row * output.pitch(),
                y: row % output.tile_rows() * output.p,
            })
        };
        let pair = |first: usize| std::array::from_fn(|i| row(first + i));
        let (shape, groups) = divided(outputs, format.channels(), most_blocks(shape));
        let shape = shape.with_depth(window.depth());
        Self {
            unit: target.isa.tiles().expect("`Layer::check` refuses units without"),
            operand: format.tiles().expect("`Layer::check` refuses other formats"),
            input: planes,
            output,
            outputs,
            shape,
            groups,
            starts: (0..output.p * output.p).map(starts).collect(),
            phases: (0..output.p * output.p)
                .map(|phase| (phase / output.p, phase % output.p))
                .collect(),
            digits,
            pairs: (1..=planes.vectors()).step_by(VECTORS).map(pair).collect(),
            window,
            own: Planes::checked(
                Grid {
                    rows: Rows::Planes,
                    ..output
                },
                format.elements(outputs),
                digits,
            ),
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

    /// Pairs of products from one step that finishes elements to the next, and as many elements that all of a group are finished
    /// with the last one.
    fn pace(&self) -> (usize, usize) {
        let (tiles, units, sums) = (self.starts[0].all().tiles(), self.units(), self.sums());
        let most = tiles * self.shape.blocks();
        let every = (steps(tiles, self.shape, sums, 1) / units).clamp(1, most);
        (every, units.div_ceil(steps(tiles, self.shape, sums, every)))
    }

    /// Whether a group stays in the caches for all pixels, rather than pixels for all groups.
    fn keeps_groups(&self) -> bool {
        self.window.kernel == 1 || self.groups * self.group_lines() * size_of::<Line>() > KEPT
    }

    /// The weights from a group on, and after the last group those of the next layer, fetched while so many pieces are summed: those
    /// of a group, or where pixels stay, as many as all of this layer.
    fn ahead(&self, weights: &[Line], group: usize, pieces: usize) -> Ahead {
        let lines = self.group_lines() * if self.keeps_groups() { 1 } else { self.groups };
        let first = weights.as_ptr().wrapping_add(group * self.group_lines());
        let (every, _) = self.pace();
        let of_piece = steps(self.starts[0].all().tiles(), self.shape, self.sums(), every);
        Ahead::new(first, lines, pieces * of_piece)
    }

    /// Elements of the outputs of a group.
    fn units(&self) -> usize {
        self.shape.blocks() * self.of_block()
    }

    /// Elements of the outputs of a block.
    fn of_block(&self) -> usize {
        self.shape.rows() / self.operand.channels()
    }

    /// Lines of the weights of a group and a digit.
    fn digit_lines(&self) -> usize {
        self.window.kernel * self.window.tiles() * self.rows()
    }

    /// Lines of the weights of a group.
    fn group_lines(&self) -> usize {
        self.digits * self.digit_lines()
    }

    /// Sums of a piece: products of the high digits, of high and low ones, of the low ones.
    fn sums(&self) -> usize {
        2 * self.digits - 1
    }

    /// Weights `[outputs, digits, inputs, kernel, kernel]` as `[group][digit][run][tile][block][output][element]`, absent ones at 0
    /// and the low digits first.
    pub(in crate::engine) fn packed(&self, weights: &[f32]) -> Vec<f32> {
        let Window { kernel, elements } = self.window;
        let (tiles, block) = (self.window.tiles(), self.shape.rows());
        let mut out = vec![0.0; self.groups * self.group_lines() * ROWS];
        for (index, weights) in weights.chunks_exact(elements * kernel * kernel).enumerate() {
            let (output, digit) = (index / self.digits, index % self.digits);
            let (group, in_group) = (output / self.rows(), output % self.rows());
            let first = group * self.group_lines() + (self.digits - 1 - digit) * self.digit_lines();
            for run in 0..kernel {
                for tile in 0..tiles {
                    let line = first
                        + (run * tiles + tile) * self.rows()
                        + in_group / block * block
                        + in_group % block;
                    for i in 0..self.window.depth() {
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
        PRODUCT * products * self.digits.pow(2) + FINISH * sums * self.rows() * self.digits
    }

    /// Elements of scratch memory that a thread needs: the sums of a group, and of digits, which are several, those of the group
    /// before as well.
    pub(in crate::engine) fn scratch(&self) -> usize {
        self.held() * self.sums() * SUMS * PIXELS
    }

    /// Groups whose sums are held. One sum is stored when that of the group before has been finished; it takes half the room in the
    /// first cache.
    fn held(&self) -> usize {
        if self.sums() == 1 { 1 } else { 2 }
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
        let (count, held) = (self.sums(), self.held());
        // SAFETY: `scratch` has room for the sums of the groups that are held and begins at a cache line; a line is any bytes.
        let sums = unsafe { std::slice::from_raw_parts(scratch.cast::<Sums>().cast_const(), held * count) };
        // SAFETY: the input is a value of the program in this order, which nobody writes now, from a cache line on.
        let inputs = unsafe { std::slice::from_raw_parts(io.input.cast::<Line>(), self.input.lines()) };
        // SAFETY: the weights are those that `packed` made, which settled at a cache line, with lines for each group.
        let weights = unsafe {
            std::slice::from_raw_parts(
                io.weights.start().cast::<Line>(),
                self.groups * self.group_lines(),
            )
        };
        let phases = self.starts.len();
        let mut finish = Finish::new(s, self, io, epilogue);
        self.unit.configured(self.shape, |unit| {
            // All weights at once, or those of a group after the group before.
            let kept = self.keeps_groups();
            let (mut now, mut ahead) = (0, usize::MAX);
            if !kept {
                finish.ahead = self.ahead(weights, self.groups, items.len() * groups.len());
            }
            let mut compute = |piece: Piece| {
                let sums = &sums[now * count..][..count];
                if kept && ahead != piece.group {
                    ahead = piece.group;
                    finish.ahead = self.ahead(weights, ahead + 1, items.len());
                }
                self.sum(unit, piece, (inputs, weights), sums, &mut finish.beside());
                finish.begin(piece, sums);
                now = (now + 1) % held;
            };
            let mut at = |group: usize, item: usize| {
                compute(Piece {
                    group,
                    phase: item % phases,
                    pair: item / phases,
                });
            };
            if kept && self.window.kernel == 1 {
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
            } else if kept {
                for group in groups.clone() {
                    items.clone().for_each(|item| at(group, item));
                }
            } else {
                for item in items.clone() {
                    groups.clone().for_each(|group| at(group, item));
                }
            }
            finish.all();
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
        (inputs, weights): (&[Line], &[Line]),
        sums: &[Sums],
        beside: &mut Beside<'_>,
    ) {
        let lines = self.group_lines();
        let group = Group {
            operand: self.operand,
            weights: &weights[piece.group * lines..][..lines],
            // Vector 1 is the first; the one before it is its neighbour above.
            inputs: &inputs[piece.pair * VECTORS..],
            starts: self.starts[piece.phase].all(),
            pitch: self.input.pitch(),
        };
        unit.sum_all(&group, sums, beside);
    }
}

/// The most blocks of a group. A 1x1 convolution that widens takes the time of its maps, not of its products, and memory is faster
/// where fewer channels are read and written at a time: of 64 -> 256 with a sum at 56 pixels one block took 0.7 times as long as three.
fn most_blocks(shape: ConvShape) -> usize {
    match shape.kernel == 1 && shape.outputs > shape.inputs {
        true => 1,
        false => BLOCKS,
    }
}

/// The blocks of a group, `most` at most, and the number of groups for `outputs` outputs: as few products as can be, then as few
/// groups, all of them alike. A block has whole elements of `channels` channels.
fn divided(outputs: usize, channels: usize, most: usize) -> (Shape, usize) {
    let blocks = outputs.div_ceil(ROWS);
    let division = |most: usize| {
        let groups = blocks.div_ceil(most);
        (blocks.div_ceil(groups), groups)
    };
    let (blocks, groups) = (1..=most.min(blocks))
        .map(division)
        .min_by_key(|(blocks, groups)| (blocks * groups, *groups))
        .expect("there are outputs");
    let rows = outputs.div_ceil(groups * blocks).next_multiple_of(channels);
    (Shape::new(blocks, rows), groups)
}

//! Convolutions as one matrix product with places along the lanes: the pixels that each output needs are gathered into
//! a panel first, or, where a 1x1 convolution takes them as they lie, not at all.

use std::ops::Range;

use crate::engine::algo::conv::{Epilogue, Io, shifted};
use crate::engine::algo::layer::{ConvShape, Layer};
use crate::engine::layout::grid::{Grid, first};
use crate::engine::layout::places::{Place, Places};
use crate::engine::layout::slots::Room;
use crate::engine::layout::tiling::{Part, Tiling};
use crate::engine::micro::gemm::{self, Factors, MOST_VECTORS, Panel, Rows, Sink, TileShape};
use crate::engine::program::packed::Stored;
use crate::engine::quant::format::Format;
use crate::engine::simd::Simd;

/// A convolution that is cut.
#[derive(Debug)]
pub(in crate::engine) struct Direct {
    lanes: usize,
    strides: Strides,
    inputs: usize,
    outputs: usize,
    tiling: Tiling,
    format: Format,
    depth: usize,
    places: Places,
}

/// Elements from one channel to the next.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Strides {
    pub(in crate::engine) input: usize,
    pub(in crate::engine) output: usize,
}

impl Strides {
    pub(in crate::engine) fn of(input: Grid, output: Grid) -> Self {
        Self {
            input: input.stride(),
            output: output.stride(),
        }
    }
}

/// The longest sum that is kept in one register: a sum of sums rounds less than one long sum, and sums of whole numbers
/// become f32 before they overflow.
pub(in crate::engine) const LONGEST_SUM: usize = 288;

impl Direct {
    /// The layer, whose inputs are counted in elements of the format.
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
        let inputs = format.elements(shape.inputs);
        let lanes = target.isa.lanes();
        let places = match (kernel, stride) {
            (1, 1) => Places::of_1x1(output, (inputs, outputs), lanes),
            _ => Places::gathered((input, output), (kernel, stride), lanes),
        };
        let tiling = Tiling::new(outputs, places.vectors(), target);
        Self {
            lanes,
            strides: Strides::of(input, output),
            inputs,
            outputs,
            tiling,
            format,
            depth: inputs * kernel * kernel,
            places,
        }
    }

    /// The largest product: output channels by vectors of places.
    pub(in crate::engine) fn sums(&self) -> TileShape {
        TileShape {
            rows: self.tiling.rows,
            vectors: self.tiling.most.min(self.tiling.vectors),
        }
    }

    /// Weights `[outputs, inputs, kernel, kernel]` as `[block of rows][input][tap][row]`, absent rows at 0.
    pub(in crate::engine) fn packed(&self, weights: &[f32]) -> Vec<f32> {
        let rows = self.tiling.rows;
        let mut out = vec![0.0; self.tiling.blocks * self.depth * rows];
        for (output, weights) in weights.chunks_exact(self.depth).enumerate() {
            let block = output / rows * self.depth * rows;
            for (i, weight) in weights.iter().enumerate() {
                out[block + i * rows + output % rows] = *weight;
            }
        }
        out
    }

    fn width(&self) -> usize {
        self.tiling.most.min(self.tiling.vectors) * self.lanes
    }

    /// See [`Layer::effort`](crate::engine::Layer::effort).
    pub(in crate::engine) fn effort(&self, threads: usize) -> usize {
        let (vectors, blocks) = self.tiling.largest(threads);
        let whole = self
            .places
            .effort(self.inputs, self.depth, blocks * self.tiling.rows);
        whole * vectors / self.tiling.vectors
    }

    /// Elements of scratch memory that a thread needs.
    pub(in crate::engine) fn scratch(&self) -> usize {
        (self.depth + self.tiling.rows) * self.width()
            + Stored::room(self.format, self.depth.min(LONGEST_SUM) * self.tiling.rows)
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
        let mut start = vectors.start;
        while start < vectors.end {
            let left = self.places.run(start).min(vectors.end - start);
            let nv = left.div_ceil(left.div_ceil(self.tiling.most));
            share.group(s, start..start + nv, blocks.clone());
            start += nv;
        }
        if vectors.contains(&0) {
            let rows = self.tiling.rows;
            let channels = blocks.start * rows..(blocks.end * rows).min(self.outputs);
            // SAFETY: the output is the layer's map, by the contract above, and of the parts with a block only one has the first
            // vectors, with which go the places outside the map.
            unsafe { self.places.outside.clear(s, io.output, channels) };
        }
    }
}

/// A part of a convolution, made by [`Direct::run`] alone, under its contract: vectors and blocks are those of the part.
#[derive(Clone, Copy)]
struct Share<'a> {
    conv: &'a Direct,
    io: Io,
    epilogue: Epilogue,
    /// Room for the panel, the sums behind it and the weights behind those, as [`Direct::scratch`] counts them.
    scratch: *mut f32,
}

impl Share<'_> {
    /// Computes the vectors that are held at a time, at most [`MOST_VECTORS`].
    #[inline(always)]
    fn group<S: Simd>(self, s: S, vectors: Range<usize>, blocks: Range<usize>) {
        let Self { conv, scratch, .. } = self;
        let mut places = [Place::default(); MOST_VECTORS];
        for (place, vector) in places.iter_mut().zip(vectors.clone()) {
            *place = conv.places.of(vector);
        }
        let rows = conv.tiling.rows;
        let group = Group {
            conv,
            io: self.io,
            epilogue: self.epilogue,
            block: blocks.start,
            start: vectors.start,
            places,
            shape: TileShape {
                rows,
                vectors: vectors.len(),
            },
            panel: self.panel(s, &vectors),
            sums: scratch.wrapping_add(conv.depth * conv.width()),
            room: scratch.wrapping_add((conv.depth + rows) * conv.width()),
        };
        let together = vectors.clone().all(|vector| conv.places.together(vector));
        let whole = conv.places.whole(vectors).filter(|_| conv.depth <= LONGEST_SUM);
        for block in blocks {
            let group = Group { block, ..group };
            match whole {
                Some(place) if (block + 1) * rows <= conv.outputs => group.whole(s, place),
                _ => group.partly(s, together),
            }
        }
    }

    /// The pixels that some vectors need, step by step: as they lie, or gathered.
    #[inline(always)]
    fn panel<S: Simd>(self, s: S, vectors: &Range<usize>) -> Panel {
        let (conv, places) = (self.conv, &self.conv.places);
        let (input, stride) = (self.io.input, conv.strides.input);
        let (width, taps) = (vectors.len() * S::LANES, conv.depth / conv.inputs);
        if let Some(flat) = places.flat.get(vectors.start) {
            return Panel {
                start: input.wrapping_add(flat.place),
                stride,
            };
        }
        let first = vectors.start - places.flat.len();
        let slots = first..first + vectors.len();
        for ci in 0..conv.inputs {
            // SAFETY: the map has channel `ci`; a gathered panel has `depth` rows of `width` numbers, which the scratch memory holds, and
            // the sums behind it are the vector more.
            unsafe {
                let to = Room {
                    start: self.scratch.add(ci * taps * width),
                    tap: width,
                    slot: S::LANES,
                };
                let channel = input.add(ci * stride);
                places.slots.gather(s, channel, slots.clone(), to);
            }
        }
        Panel {
            start: self.scratch,
            stride: width,
        }
    }
}

/// The vectors that are held at a time with a block of channels, made by [`Share::group`] alone.
#[derive(Clone, Copy)]
struct Group<'a> {
    conv: &'a Direct,
    io: Io,
    epilogue: Epilogue,
    /// One of the part's.
    block: usize,
    /// The slot of vector 0.
    start: usize,
    places: [Place; MOST_VECTORS],
    shape: TileShape,
    panel: Panel,
    /// Room for the sums, and for weights.
    sums: *mut f32,
    room: *mut f32,
}

impl Group<'_> {
    /// Computes a block of channels that all exist, for vectors that lie one after the other inside the map from `place` on, which
    /// [`Share::group`] has looked up.
    #[inline(always)]
    fn whole<S: Simd>(self, s: S, place: usize) {
        let Self { conv, io, block, .. } = self;
        let (channel, stride) = (block * self.shape.rows, conv.strides.output);
        let at = channel * stride + place;
        let end = Whole {
            epilogue: self.epilogue.of(channel),
            output: io.output.wrapping_add(at),
            residual: shifted(io.residual, at),
            stride,
        };
        // SAFETY: the panel has the group's vectors for `depth` steps, which are at most `LONGEST_SUM`; the output, and the residual
        // where there is one, hold the vectors at `place` of each of the block's channels, which all exist.
        unsafe {
            gemm::product(s, self.shape, self.factors(s, 0..conv.depth), end);
        }
    }

    /// The factors of some steps, at most [`LONGEST_SUM`].
    #[inline(always)]
    fn factors<S: Simd>(self, s: S, steps: Range<usize>) -> Factors {
        let (conv, rows) = (self.conv, self.shape.rows);
        assert!(steps.end <= conv.depth && steps.len() <= LONGEST_SUM);
        let at = (self.block * conv.depth + steps.start) * rows;
        Factors {
            format: conv.format,
            // SAFETY: `packed` lays out `depth` rows' worth per block, so these elements exist; `room` was counted for `LONGEST_SUM` steps.
            a: unsafe { self.io.weights.from(s, at, steps.len() * rows, self.room) },
            b: self.panel.from(steps.start),
            depth: steps.len(),
            ahead: gemm::WEIGHTS_PREFETCH,
        }
    }

    /// Computes a block whose sums are long, or have channels or places that do not exist or lie apart.
    #[inline(always)]
    fn partly<S: Simd>(self, s: S, together: bool) {
        let Self { conv, sums, .. } = self;
        let TileShape { rows, vectors } = self.shape;
        let width = vectors * S::LANES;
        let end = End {
            conv,
            io: self.io,
            epilogue: self.epilogue,
            channel: self.block * rows,
            places: self.places,
            partial: if conv.depth > LONGEST_SUM {
                sums
            } else {
                std::ptr::null()
            },
            width,
        };
        // SAFETY: panel, sums and room are those of the share; `end` writes channels and places that exist alone.
        unsafe {
            for at in (0..conv.depth).step_by(LONGEST_SUM) {
                let depth = LONGEST_SUM.min(conv.depth - at);
                let factors = self.factors(s, at..at + depth);
                if together && at + depth == conv.depth {
                    gemm::product(s, self.shape, factors, end);
                } else {
                    let sink = Rows {
                        to: sums,
                        stride: width,
                        more: at > 0,
                    };
                    gemm::product(s, self.shape, factors, sink);
                }
            }
        }
        if !together {
            self.scatter(s, end);
        }
    }

    /// Stores the group's sums, whose places do not lie together.
    #[inline(always)]
    fn scatter<S: Simd>(self, s: S, end: End<'_>) {
        let Self { conv, sums, .. } = self;
        let (places, TileShape { rows, vectors }) = (&conv.places, self.shape);
        // Vector by vector: one channel's vectors may share a line, and reading a line that was just written, as a sum in place
        // does, waits for it.
        for v in 0..vectors {
            let pieces = places.slots.list[self.start + v - places.flat.len()].pieces();
            for r in 0..rows.min(conv.outputs - end.channel) {
                let channel = end.channel + r;
                // SAFETY: there is a sum for each row and vector of the group; a piece's lanes `there` are places of the output's
                // channel, which exists, and no others are touched.
                unsafe {
                    let sum = s.load(sums.add(r * end.width + v * S::LANES));
                    for piece in pieces {
                        let at = channel * conv.strides.output + piece.place;
                        let there = piece.there;
                        let sum = piece.of(s, sum);
                        let y = self.epilogue.apply(s, sum, channel, self.io.residual, at, there);
                        s.store_masked(self.io.output.add(at), there, y);
                    }
                }
            }
        }
    }
}

/// The end of a sum: what is added to it, and where it goes. [`Group::partly`] alone makes one, for its block and vectors.
#[derive(Clone, Copy)]
struct End<'a> {
    conv: &'a Direct,
    io: Io,
    epilogue: Epilogue,
    /// The channel of row 0.
    channel: usize,
    places: [Place; MOST_VECTORS],
    /// Sums so far; null if there are none.
    partial: *const f32,
    width: usize,
}

impl<S: Simd> Sink<S> for End<'_> {
    #[inline(always)]
    fn expect(self, s: S, r: usize, v: usize) {
        let at = (self.channel + r) * self.conv.strides.output + self.places[v].first;
        s.prefetch(self.io.output.wrapping_add(at));
        if !self.io.residual.is_null() {
            s.prefetch(self.io.residual.wrapping_add(at));
        }
    }

    #[inline(always)]
    unsafe fn put(self, s: S, r: usize, v: usize, sum: S::V) {
        let channel = self.channel + r;
        if channel >= self.conv.outputs {
            return;
        }
        let Place { first, there, inside } = self.places[v];
        // SAFETY: the contract of `put` gives the maps the channel, which exists, with the lanes `there` of the vector's place, and
        // no others are touched; partial sums, where there are any, are those of all rows and vectors.
        unsafe {
            let sum = if self.partial.is_null() {
                sum
            } else {
                s.add(s.load(self.partial.add(r * self.width + v * S::LANES)), sum)
            };
            let at = channel * self.conv.strides.output + first;
            let y = self.epilogue.apply(s, sum, channel, self.io.residual, at, there);
            s.store_masked(self.io.output.add(at), there, s.keep(inside, y));
        }
    }
}

/// The end of a sum that is whole, for vectors that lie one after the other inside the map.
#[derive(Clone, Copy)]
struct Whole {
    /// From row 0 on.
    epilogue: Epilogue,
    /// Row 0 and vector 0 of the output, and of what is added.
    output: *mut f32,
    residual: *const f32,
    stride: usize,
}

impl<S: Simd> Sink<S> for Whole {
    #[inline(always)]
    fn expect(self, s: S, r: usize, v: usize) {
        let at = r * self.stride + v * S::LANES;
        s.prefetch(self.output.wrapping_add(at));
        if !self.residual.is_null() {
            s.prefetch(self.residual.wrapping_add(at));
        }
    }

    #[inline(always)]
    unsafe fn put(self, s: S, r: usize, v: usize, sum: S::V) {
        let at = r * self.stride + v * S::LANES;
        // SAFETY: there is room for row `r` and vector `v` in the output and in the residual, if there is one, by the contract of
        // `put`; the vector lies whole inside the map.
        unsafe {
            let y = self.epilogue.apply(s, sum, r, self.residual, at, first(S::LANES));
            s.store(self.output.add(at), y);
        }
    }
}

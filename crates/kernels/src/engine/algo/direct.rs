//! Convolutions as one matrix product with places along the lanes: the pixels that each output needs are gathered into
//! a panel first, or, where a 1x1 convolution takes them as they lie, not at all.

use std::ops::Range;

use crate::engine::algo::conv::{Epilogue, Io, shifted};
use crate::engine::layout::grid::{Grid, first};
use crate::engine::layout::places::{Place, Places};
use crate::engine::layout::tiling::{Part, Tiling};
use crate::engine::micro::gemm::{self, Factors, MOST, Rows, Sink};
use crate::engine::program::packed::Stored;
use crate::engine::quant::format::Format;
use crate::engine::simd::Simd;
use crate::engine::simd::isa::Target;

/// A convolution that is cut.
#[derive(Debug)]
pub(in crate::engine) struct Direct {
    lanes: usize,
    strides: (usize, usize),
    inputs: usize,
    outputs: usize,
    tiling: Tiling,
    format: Format,
    depth: usize,
    places: Places,
}

/// The longest sum that is kept in one register: a sum of sums rounds less than one long sum, and sums of whole numbers
/// become f32 before they overflow.
pub(in crate::engine) const RUN: usize = 288;

impl Direct {
    /// A convolution of `kernel` 1 or 3; inputs are counted in elements of the format.
    pub(in crate::engine) fn new(
        (input, output): (Grid, Grid),
        (inputs, outputs): (usize, usize),
        (kernel, stride): (usize, usize),
        format: Format,
        target: Target,
    ) -> Self {
        let lanes = target.isa.lanes();
        let places = match (kernel, stride) {
            (1, 1) => Places::of_1x1(output, (inputs, outputs), lanes),
            _ => Places::gathered((input, output), (kernel, stride), lanes),
        };
        let tiling = Tiling::new(outputs, places.vectors(), target);
        Self {
            lanes,
            strides: (input.stride(), output.stride()),
            inputs,
            outputs,
            tiling,
            format,
            depth: inputs * kernel * kernel,
            places,
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
            + Stored::room(self.format, self.depth.min(RUN) * self.tiling.rows)
    }

    /// Computes one part of the output.
    ///
    /// # Safety
    /// As for `Winograd::run`.
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        io: Io,
        epilogue: Epilogue,
        part: Part,
        scratch: *mut f32,
    ) {
        let (vectors, blocks) = self.tiling.share(part);
        let mut start = vectors.start;
        while start < vectors.end {
            let left = self.places.run(start).min(vectors.end - start);
            let nv = left.div_ceil(left.div_ceil(self.tiling.most));
            // SAFETY: the caller's: the maps of `io` were checked; `share` gives these vectors and blocks to this part alone.
            unsafe { self.group::<S>(io, epilogue, start..start + nv, blocks.clone(), scratch) };
            start += nv;
        }
        if let (0, Some(outside)) = (vectors.start, &self.places.outside) {
            let rows = self.tiling.rows;
            let channels = blocks.start * rows..(blocks.end * rows).min(self.outputs);
            // SAFETY: the output's map was checked, as `run` demands; these channels are of this part's blocks, and of
            // the parts with a block only one has the first vectors.
            unsafe { outside.clear::<S>(io.output, channels) };
        }
    }

    /// Computes the vectors that are held at a time.
    ///
    /// # Safety
    /// As for [`Direct::run`]; the vectors, at most [`MOST`], and the blocks are those of one part.
    #[inline(always)]
    unsafe fn group<S: Simd>(
        &self,
        io: Io,
        epilogue: Epilogue,
        vectors: Range<usize>,
        blocks: Range<usize>,
        scratch: *mut f32,
    ) {
        // SAFETY: the maps of `io` were checked and the part is this thread's, both by the contract above. `Direct::scratch` counts
        // the panel, the sums behind it and the room for weights behind those, which is how they are divided here.
        unsafe {
            let mut places = [Place::default(); MOST];
            for (place, vector) in places.iter_mut().zip(vectors.clone()) {
                *place = self.places.of(vector);
            }
            let group = Group {
                conv: self,
                io,
                epilogue,
                start: vectors.start,
                places,
                shape: (self.tiling.rows, vectors.len()),
                panel: self.panel::<S>(io.input, &vectors, scratch),
                sums: scratch.add(self.depth * self.width()),
                room: scratch.add((self.depth + self.tiling.rows) * self.width()),
            };
            let together = vectors.clone().all(|vector| self.places.together(vector));
            let whole = self.places.whole(vectors).filter(|_| self.depth <= RUN);
            for block in blocks {
                match whole {
                    Some(place) if (block + 1) * self.tiling.rows <= self.outputs => {
                        group.whole::<S>(block, place);
                    }
                    _ => group.partly::<S>(block, together),
                }
            }
        }
    }

    /// The pixels that some vectors need, and the elements from one input's to the next: as they lie, or gathered.
    ///
    /// # Safety
    /// `input` is the map that the places were made for, `scratch` has room for the panel, and the CPU has the unit.
    #[inline(always)]
    unsafe fn panel<S: Simd>(
        &self,
        input: *const f32,
        vectors: &Range<usize>,
        scratch: *mut f32,
    ) -> (*const f32, usize) {
        let (stride, places) = (self.strides.0, &self.places);
        let (width, taps) = (vectors.len() * S::LANES, self.depth / self.inputs);
        // SAFETY: places and slots are of `input`'s map; a gathered panel has `depth` rows of `width` numbers, which `scratch` holds.
        unsafe {
            if let Some(flat) = places.flat.get(vectors.start) {
                return (input.add(flat.place), stride);
            }
            let slots = (vectors.start - places.flat.len(), vectors.len());
            for ci in 0..self.inputs {
                let to = scratch.add(ci * taps * width);
                places
                    .slots
                    .gather::<S>(input.add(ci * stride), slots, to, S::LANES);
            }
        }
        (scratch.cast_const(), width)
    }
}

/// The vectors that are held at a time.
#[derive(Clone, Copy)]
struct Group<'a> {
    conv: &'a Direct,
    io: Io,
    epilogue: Epilogue,
    /// The slot of vector 0.
    start: usize,
    places: [Place; MOST],
    /// Rows and vectors.
    shape: (usize, usize),
    panel: (*const f32, usize),
    /// Room for the sums, and for weights.
    sums: *mut f32,
    room: *mut f32,
}

impl Group<'_> {
    /// A block of channels that all exist, for vectors that lie one after the other from `place` on.
    ///
    /// # Safety
    /// The group is one that `Direct::group` made, all channels of the block exist, and so do the vectors from `place` on.
    #[inline(always)]
    unsafe fn whole<S: Simd>(self, block: usize, place: usize) {
        let Self { conv, io, .. } = self;
        let (channel, stride) = (block * self.shape.0, conv.strides.1);
        let at = channel * stride + place;
        let end = Whole {
            epilogue: self.epilogue.of(channel),
            output: io.output.wrapping_add(at),
            residual: shifted(io.residual, at),
            stride,
        };
        // SAFETY: the panel has the group's vectors for `depth` steps; the output, and the residual where there is one, hold the
        // block's channels at `place`, by the contract above.
        unsafe {
            let factors = Factors {
                format: conv.format,
                a: self.weights::<S>(block, 0..conv.depth),
                b: self.panel,
                depth: conv.depth,
                ahead: gemm::AHEAD,
            };
            gemm::product::<S, _>(self.shape, factors, end);
        }
    }

    /// The weights of a block of rows for some steps.
    ///
    /// # Safety
    /// The block is one of the layer's; the steps, at most [`RUN`], are within its depth; the CPU has the unit.
    #[inline(always)]
    unsafe fn weights<S: Simd>(self, block: usize, steps: Range<usize>) -> *const f32 {
        let rows = self.shape.0;
        let at = (block * self.conv.depth + steps.start) * rows;
        // SAFETY: `packed` lays out `depth` rows' worth per block, so these elements exist; `room` was counted for `RUN` steps.
        unsafe { self.io.weights.from::<S>(at, steps.len() * rows, self.room) }
    }

    /// A block whose sums are long, or have channels or places that do not exist or lie apart.
    ///
    /// # Safety
    /// The group is one that `Direct::group` made, and the block is one of its part.
    #[inline(always)]
    unsafe fn partly<S: Simd>(self, block: usize, together: bool) {
        let Self { conv, sums, .. } = self;
        let (rows, nv) = self.shape;
        let width = nv * S::LANES;
        let end = End {
            conv,
            io: self.io,
            epilogue: self.epilogue,
            channel: block * rows,
            start: self.start,
            places: self.places,
            partial: if conv.depth > RUN { sums } else { std::ptr::null() },
            width,
        };
        // SAFETY: panel, sums and room are those that `group` divided; `end` writes channels and places that exist alone.
        unsafe {
            for at in (0..conv.depth).step_by(RUN) {
                let depth = RUN.min(conv.depth - at);
                let factors = Factors {
                    format: conv.format,
                    a: self.weights::<S>(block, at..at + depth),
                    b: (self.panel.0.add(at * self.panel.1), self.panel.1),
                    depth,
                    ahead: gemm::AHEAD,
                };
                if together && at + depth == conv.depth {
                    gemm::product::<S, _>(self.shape, factors, end);
                } else {
                    let sink = Rows {
                        to: sums,
                        stride: width,
                        more: at > 0,
                    };
                    gemm::product::<S, _>(self.shape, factors, sink);
                }
            }
            if !together {
                end.scatter::<S>(nv, sums);
            }
        }
    }
}

/// The end of a sum: what is added to it, and where it goes.
#[derive(Clone, Copy)]
struct End<'a> {
    conv: &'a Direct,
    io: Io,
    epilogue: Epilogue,
    /// The channel of row 0.
    channel: usize,
    /// The slot of vector 0.
    start: usize,
    places: [Place; MOST],
    /// Sums so far; null if there are none.
    partial: *const f32,
    width: usize,
}

impl<S: Simd> Sink<S> for End<'_> {
    #[inline(always)]
    unsafe fn expect(self, r: usize, v: usize) {
        let at = (self.channel + r) * self.conv.strides.1 + self.places[v].first;
        // SAFETY: a prefetch of any address is harmless.
        unsafe { S::prefetch(self.io.output.wrapping_add(at)) };
        if !self.io.residual.is_null() {
            // SAFETY: a prefetch of any address is harmless, and the CPU has the unit, as `expect` asks of its caller.
            unsafe { S::prefetch(self.io.residual.wrapping_add(at)) };
        }
    }

    #[inline(always)]
    unsafe fn put(self, r: usize, v: usize, sum: S::V) {
        let channel = self.channel + r;
        if channel >= self.conv.outputs {
            return;
        }
        let Place { first, there, inside } = self.places[v];
        // SAFETY: the caller's; only lanes that exist are stored.
        unsafe {
            let sum = if self.partial.is_null() {
                sum
            } else {
                S::add(S::load(self.partial.add(r * self.width + v * S::LANES)), sum)
            };
            let at = channel * self.conv.strides.1 + first;
            let y = self
                .epilogue
                .apply::<S>(sum, channel, self.io.residual, at, there);
            S::store_masked(self.io.output.add(at), there, S::keep(inside, y));
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
    unsafe fn expect(self, r: usize, v: usize) {
        let at = r * self.stride + v * S::LANES;
        // SAFETY: a prefetch of any address is harmless.
        unsafe { S::prefetch(self.output.wrapping_add(at)) };
        if !self.residual.is_null() {
            // SAFETY: a prefetch of any address is harmless, and the CPU has the unit, as `expect` asks of its caller.
            unsafe { S::prefetch(self.residual.wrapping_add(at)) };
        }
    }

    #[inline(always)]
    unsafe fn put(self, r: usize, v: usize, sum: S::V) {
        let at = r * self.stride + v * S::LANES;
        // SAFETY: the caller of `put` has the unit, and room for row `r` and vector `v` in the output and in the residual, if there is one;
        // the vector lies whole inside the map.
        unsafe {
            let y = self
                .epilogue
                .apply::<S>(sum, r, self.residual, at, first(S::LANES));
            S::store(self.output.add(at), y);
        }
    }
}

impl End<'_> {
    /// Stores sums whose places do not lie together.
    #[inline(always)]
    unsafe fn scatter<S: Simd>(self, nv: usize, sums: *const f32) {
        let places = &self.conv.places;
        for r in 0..self.conv.tiling.rows.min(self.conv.outputs - self.channel) {
            let channel = self.channel + r;
            for v in 0..nv {
                // SAFETY: the caller's; only lanes that exist are stored.
                unsafe {
                    let sum = S::load(sums.add(r * self.width + v * S::LANES));
                    for piece in places.slots.list[self.start + v - places.flat.len()].pieces() {
                        let at = channel * self.conv.strides.1 + piece.place;
                        let there = piece.there;
                        let sum = piece.of::<S>(sum);
                        let y = self
                            .epilogue
                            .apply::<S>(sum, channel, self.io.residual, at, there);
                        S::store_masked(self.io.output.add(at), there, y);
                    }
                }
            }
        }
    }
}

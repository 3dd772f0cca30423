//! Convolutions as one matrix product with places along the lanes: the pixels that each output needs are gathered into
//! a panel first, or, where a 1x1 convolution takes them as they lie, not at all.

use std::ops::Range;

use super::conv::{Epilogue, Io};
use super::gemm::{self, Rows, Sink};
use super::grid::{Grid, first};
use super::isa::Target;
use super::packed::Packed;
use super::simd::Simd;
use super::slots::{Slots, outside};
use super::tiling::Tiling;

/// A prepared convolution.
#[derive(Debug)]
pub(super) struct Direct {
    strides: (usize, usize),
    inputs: usize,
    outputs: usize,
    tiling: Tiling,
    depth: usize,
    /// `[block of rows][input][tap][row]`.
    weights: Packed,
    places: Places,
}

/// The output places of each vector.
#[derive(Debug)]
struct Places {
    /// Vectors of a 1x1 convolution whose input is taken as it lies.
    flat: Vec<Flat>,
    /// The others, whose pixels are gathered.
    slots: Slots,
    /// The places outside the map that no vector has.
    outside: Vec<(usize, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Flat {
    place: usize,
    /// Lanes that exist.
    there: u32,
    /// Lanes inside the map.
    inside: u32,
}

/// The longest sum that is kept in one register: a sum of sums rounds less than one long sum.
pub(super) const RUN: usize = 288;

impl Direct {
    /// A convolution of `kernel` 1 or 3 with weights `[outputs, inputs, kernel, kernel]`.
    pub(super) fn new(
        (input, output): (Grid, Grid),
        (inputs, outputs): (usize, usize),
        (kernel, stride): (usize, usize),
        weights: &[f32],
        target: Target,
    ) -> Self {
        let lanes = target.isa.lanes();
        let places = match (kernel, stride) {
            (1, 1) => Places::of_1x1(output, (inputs, outputs), lanes),
            _ => Places {
                flat: Vec::new(),
                slots: Slots::new((input, output), (kernel, stride), lanes, |_| true),
                outside: outside(output, lanes),
            },
        };
        let tiling = Tiling::new(outputs, places.vectors(), target);
        Self {
            strides: (input.stride(), output.stride()),
            inputs,
            outputs,
            tiling,
            depth: inputs * kernel * kernel,
            weights: Packed::new(packed((inputs, outputs), kernel * kernel, tiling.rows, weights)),
            places,
        }
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

    fn width(&self, lanes: usize) -> usize {
        self.tiling.most.min(self.tiling.vectors) * lanes
    }

    /// See `Convolution::effort`.
    pub(super) fn effort(&self, threads: usize) -> usize {
        let (vectors, blocks) = self.tiling.largest(threads);
        let whole = self
            .places
            .effort(self.inputs, self.depth, blocks * self.tiling.rows);
        whole * vectors / self.tiling.vectors
    }

    /// Elements of scratch memory that a thread needs.
    pub(super) fn scratch(&self, lanes: usize) -> usize {
        (self.depth + self.tiling.rows) * self.width(lanes)
    }

    /// Computes the places of the slots `vectors` for the channels of `blocks`.
    ///
    /// # Safety
    /// As for `Winograd::run`.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(
        &self,
        io: Io,
        epilogue: Epilogue,
        (vectors, blocks): (Range<usize>, Range<usize>),
        scratch: *mut f32,
    ) {
        let mut start = vectors.start;
        while start < vectors.end {
            let left = self.places.run(start).min(vectors.end - start);
            let nv = left.div_ceil(left.div_ceil(self.tiling.most));
            // SAFETY: the caller's.
            unsafe { self.group::<S>(io, epilogue, start..start + nv, blocks.clone(), scratch) };
            start += nv;
        }
        if vectors.start == 0 {
            // SAFETY: the caller's.
            unsafe { self.clear::<S>(io.output, blocks) };
        }
    }

    /// Computes the vectors that are held at a time.
    #[inline(always)]
    unsafe fn group<S: Simd>(
        &self,
        io: Io,
        epilogue: Epilogue,
        vectors: Range<usize>,
        blocks: Range<usize>,
        scratch: *mut f32,
    ) {
        let (start, nv) = (vectors.start, vectors.len());
        let width = nv * S::LANES;
        let shape = (self.tiling.rows, nv);
        // SAFETY: the caller's.
        unsafe {
            let sums = scratch.add(self.depth * self.width(S::LANES));
            let panel = match self.places.flat.get(start) {
                Some(flat) => (io.input.add(flat.place), self.strides.0),
                None => {
                    let first = start - self.places.flat.len();
                    let taps = self.depth / self.inputs;
                    for ci in 0..self.inputs {
                        let channel = io.input.add(ci * self.strides.0);
                        let to = scratch.add(ci * taps * width);
                        self.places.slots.gather::<S>(channel, (first, nv), to, S::LANES);
                    }
                    (scratch.cast_const(), width)
                }
            };
            let together = vectors.clone().all(|vector| self.places.together(vector));
            let whole = self.places.whole(vectors.clone());
            for block in blocks {
                let a = self.weights.start().add(block * self.depth * self.tiling.rows);
                if let Some(place) =
                    whole.filter(|_| (block + 1) * self.tiling.rows <= self.outputs && self.depth <= RUN)
                {
                    let stride = self.strides.1;
                    let at = block * self.tiling.rows * stride + place;
                    let end = Whole {
                        epilogue: epilogue.of(block * self.tiling.rows),
                        output: io.output.add(at),
                        residual: if io.residual.is_null() {
                            io.residual
                        } else {
                            io.residual.add(at)
                        },
                        stride,
                    };
                    gemm::product::<S, _>(shape, a, panel, self.depth, end);
                    continue;
                }
                let end = End {
                    conv: self,
                    io,
                    epilogue,
                    channel: block * self.tiling.rows,
                    start,
                    partial: if self.depth > RUN { sums } else { std::ptr::null() },
                    width,
                };
                for at in (0..self.depth).step_by(RUN) {
                    let depth = RUN.min(self.depth - at);
                    let a = a.add(at * self.tiling.rows);
                    let b = (panel.0.add(at * panel.1), panel.1);
                    if together && at + depth == self.depth {
                        gemm::product::<S, _>(shape, a, b, depth, end);
                    } else {
                        let more = at > 0;
                        let sink = Rows {
                            to: sums,
                            stride: width,
                            more,
                        };
                        gemm::product::<S, _>(shape, a, b, depth, sink);
                    }
                }
                if !together {
                    end.scatter::<S>(nv, sums);
                }
            }
        }
    }

    /// Zeros for the places outside the map.
    #[inline(always)]
    unsafe fn clear<S: Simd>(&self, output: *mut f32, blocks: Range<usize>) {
        for channel in blocks.start * self.tiling.rows..(blocks.end * self.tiling.rows).min(self.outputs) {
            for (place, lanes) in &self.places.outside {
                // SAFETY: the caller's; the places are of the output's channel.
                unsafe {
                    S::store_masked(
                        output.add(channel * self.strides.1 + place),
                        *lanes,
                        S::splat(0.0),
                    )
                };
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
    /// Sums so far; null if there are none.
    partial: *const f32,
    width: usize,
}

impl<S: Simd> Sink<S> for End<'_> {
    #[inline(always)]
    unsafe fn expect(self, r: usize, v: usize) {
        let (place, ..) = self.place(v);
        let at = (self.channel + r) * self.conv.strides.1 + place;
        // SAFETY: a prefetch of any address is harmless.
        unsafe { S::prefetch(self.io.output.wrapping_add(at)) };
        if !self.io.residual.is_null() {
            // SAFETY: as above.
            unsafe { S::prefetch(self.io.residual.wrapping_add(at)) };
        }
    }

    #[inline(always)]
    unsafe fn put(self, r: usize, v: usize, sum: S::V) {
        let channel = self.channel + r;
        if channel >= self.conv.outputs {
            return;
        }
        let (place, there, inside) = self.place(v);
        // SAFETY: the caller's; only lanes that exist are stored.
        unsafe {
            let sum = if self.partial.is_null() {
                sum
            } else {
                S::add(S::load(self.partial.add(r * self.width + v * S::LANES)), sum)
            };
            let at = channel * self.conv.strides.1 + place;
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
            // SAFETY: as above.
            unsafe { S::prefetch(self.residual.wrapping_add(at)) };
        }
    }

    #[inline(always)]
    unsafe fn put(self, r: usize, v: usize, sum: S::V) {
        let at = r * self.stride + v * S::LANES;
        // SAFETY: the caller's.
        unsafe {
            let y = self.epilogue.apply_whole::<S>(sum, r, self.residual, at);
            S::store(self.output.add(at), y);
        }
    }
}

impl End<'_> {
    /// The first place of a vector, its lanes, and those inside the map.
    #[inline(always)]
    fn place(self, v: usize) -> (usize, u32, u32) {
        let places = &self.conv.places;
        let vector = self.start + v;
        match places.flat.get(vector) {
            Some(flat) => (flat.place, flat.there, flat.inside),
            None => {
                let slot = &places.slots.list[vector - places.flat.len()];
                let (place, there) = slot.together().unwrap_or_default();
                (place, there, there)
            }
        }
    }

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

impl Places {
    /// All vectors as they lie, or only the whole ones, with the rest gathered: whichever seems less work.
    fn of_1x1(grid: Grid, (inputs, outputs): (usize, usize), lanes: usize) -> Self {
        let all = flat(grid, lanes);
        let (whole, rest): (Vec<Flat>, Vec<Flat>) = all.iter().partition(|flat| flat.inside == first(lanes));
        let begins: Vec<usize> = rest.iter().map(|flat| flat.place).collect();
        let none = Slots::new((grid, grid), (1, 1), lanes, |_| false);
        let gathered = Slots::new((grid, grid), (1, 1), lanes, |place| {
            begins.binary_search(&(place / lanes * lanes)).is_ok()
        });
        let all = Self {
            flat: all,
            slots: none,
            outside: Vec::new(),
        };
        let mixed = Self {
            flat: whole,
            slots: gathered,
            outside: outside(grid, lanes),
        };
        let effort = |places: &Self| places.effort(inputs, inputs, outputs);
        if effort(&mixed) < effort(&all) { mixed } else { all }
    }

    fn vectors(&self) -> usize {
        self.flat.len() + self.slots.list.len()
    }

    /// How many vectors from this one on can share a panel: those that lie one after the other, or are gathered.
    fn run(&self, vector: usize) -> usize {
        if vector >= self.flat.len() {
            return self.vectors() - vector;
        }
        let adjoin = |pair: &&[Flat]| pair[0].place + pair[0].there.count_ones() as usize == pair[1].place;
        1 + self.flat[vector..].windows(2).take_while(adjoin).count()
    }

    /// The first place of vectors that lie one after the other inside the map.
    fn whole(&self, vectors: Range<usize>) -> Option<usize> {
        let flats = self.flat.get(vectors)?;
        flats
            .iter()
            .all(|flat| flat.inside == flat.there)
            .then(|| flats[0].place)
    }

    /// Whether the places of a vector lie together.
    fn together(&self, vector: usize) -> bool {
        let slot = vector
            .checked_sub(self.flat.len())
            .map(|slot| &self.slots.list[slot]);
        slot.is_none_or(|slot| slot.together().is_some())
    }

    /// An estimate of the vector instructions for all places of so many outputs.
    fn effort(&self, inputs: usize, depth: usize, outputs: usize) -> usize {
        let products = self.vectors() * outputs * depth;
        products + self.slots.gathers() * inputs + (2 * self.flat.len() + self.slots.stores()) * outputs
    }
}

/// All vectors of a channel that hold a pixel.
fn flat(grid: Grid, lanes: usize) -> Vec<Flat> {
    let inside = grid.flat_masks(lanes).into_iter().enumerate();
    inside
        .filter(|(_, inside)| *inside != 0)
        .map(|(vector, inside)| Flat {
            place: vector * lanes,
            there: first(lanes),
            inside,
        })
        .collect()
}

/// Weights as `[block of rows][input][tap][row]` with absent rows at 0.
pub(super) fn packed(
    (inputs, outputs): (usize, usize),
    taps: usize,
    rows: usize,
    weights: &[f32],
) -> Vec<f32> {
    let mut out = vec![0.0; outputs.div_ceil(rows) * taps * inputs * rows];
    for (index, weight) in weights.iter().enumerate() {
        let (output, input, tap) = (index / taps / inputs, index / taps % inputs, index % taps);
        out[((output / rows * inputs + input) * taps + tap) * rows + output % rows] = *weight;
    }
    out
}

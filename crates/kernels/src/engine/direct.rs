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
enum Places {
    /// All of a channel's, for which the input is taken as it lies: first place, lanes there, lanes inside the map.
    Flat(Vec<(usize, u32, u32)>),
    /// Pixels that are gathered, and the places outside the map.
    Gathered {
        slots: Slots,
        outside: Vec<(usize, u32)>,
        /// Whether each slot's places lie together.
        together: bool,
    },
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
        let places = if kernel == 1 && stride == 1 {
            Places::Flat(flat(output, lanes))
        } else {
            let slots = Slots::new((input, output), (kernel, stride), lanes);
            Places::Gathered {
                together: slots.list.iter().all(|slot| slot.together().is_some()),
                outside: outside(output, lanes),
                slots,
            }
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
        let outputs = blocks * self.tiling.rows;
        let stores = match &self.places {
            Places::Gathered {
                slots,
                together: false,
                ..
            } => slots.stores().div_ceil(slots.list.len()),
            _ => 2,
        };
        let gathered = match &self.places {
            Places::Flat(_) => 0,
            Places::Gathered { .. } => 3,
        };
        vectors * (outputs * (self.depth + stores) + gathered * self.depth)
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
        let count = vectors.len().div_ceil(self.tiling.most);
        let mut start = vectors.start;
        for part in 0..count {
            let nv = (vectors.end - start).div_ceil(count - part);
            let width = nv * S::LANES;
            // SAFETY: the caller's.
            unsafe {
                let sums = scratch.add(self.depth * self.width(S::LANES));
                let panel = match &self.places {
                    Places::Flat(places) => (io.input.add(places[start].0), self.strides.0),
                    Places::Gathered { slots, .. } => {
                        let taps = self.depth / self.inputs;
                        for ci in 0..self.inputs {
                            let channel = io.input.add(ci * self.strides.0);
                            slots.gather::<S>(channel, (start, nv), scratch.add(ci * taps * width), S::LANES);
                        }
                        (scratch.cast_const(), width)
                    }
                };
                for block in blocks.clone() {
                    let a = self
                        .weights
                        .at(io.weights)
                        .add(block * self.depth * self.tiling.rows);
                    let last = (self.depth - 1) / RUN * RUN;
                    for at in (0..last).step_by(RUN) {
                        let more = at > 0;
                        let sink = Rows {
                            to: sums,
                            stride: width,
                            more,
                        };
                        let from = (panel.0.add(at * panel.1), panel.1);
                        gemm::product::<S, _>(
                            (self.tiling.rows, nv),
                            a.add(at * self.tiling.rows),
                            from,
                            RUN,
                            sink,
                        );
                    }
                    let end = End {
                        conv: self,
                        io,
                        epilogue,
                        channel: block * self.tiling.rows,
                        start,
                        partial: if last > 0 { sums } else { std::ptr::null() },
                        width,
                    };
                    let from = (panel.0.add(last * panel.1), panel.1);
                    let depth = self.depth - last;
                    if self.together() {
                        gemm::product::<S, _>(
                            (self.tiling.rows, nv),
                            a.add(last * self.tiling.rows),
                            from,
                            depth,
                            end,
                        );
                    } else {
                        let more = last > 0;
                        let sink = Rows {
                            to: sums,
                            stride: width,
                            more,
                        };
                        gemm::product::<S, _>(
                            (self.tiling.rows, nv),
                            a.add(last * self.tiling.rows),
                            from,
                            depth,
                            sink,
                        );
                        end.scatter::<S>(nv, sums);
                    }
                }
                self.clear::<S>(io.output, start, blocks.clone());
            }
            start += nv;
        }
    }

    fn together(&self) -> bool {
        match &self.places {
            Places::Flat(_) => true,
            Places::Gathered { together, .. } => *together,
        }
    }

    /// With the first slot, zeros for the places outside the map.
    #[inline(always)]
    unsafe fn clear<S: Simd>(&self, output: *mut f32, start: usize, blocks: Range<usize>) {
        let Places::Gathered { outside, .. } = &self.places else {
            return;
        };
        if start > 0 {
            return;
        }
        for channel in blocks.start * self.tiling.rows..(blocks.end * self.tiling.rows).min(self.outputs) {
            for (place, lanes) in outside {
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

impl End<'_> {
    /// The first place of a vector, its lanes, and those inside the map.
    #[inline(always)]
    fn place(self, v: usize) -> (usize, u32, u32) {
        match &self.conv.places {
            Places::Flat(places) => places[self.start + v],
            Places::Gathered { slots, .. } => {
                let (place, there) = slots.list[self.start + v].together().unwrap_or_default();
                (place, there, there)
            }
        }
    }

    /// Stores sums whose places do not lie together.
    #[inline(always)]
    unsafe fn scatter<S: Simd>(self, nv: usize, sums: *const f32) {
        let Places::Gathered { slots, .. } = &self.conv.places else {
            return;
        };
        for r in 0..self.conv.tiling.rows.min(self.conv.outputs - self.channel) {
            let channel = self.channel + r;
            for v in 0..nv {
                // SAFETY: the caller's; only lanes that exist are stored.
                unsafe {
                    let sum = S::load(sums.add(r * self.width + v * S::LANES));
                    for piece in slots.list[self.start + v].pieces() {
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
    fn vectors(&self) -> usize {
        match self {
            Self::Flat(places) => places.len(),
            Self::Gathered { slots, .. } => slots.list.len(),
        }
    }
}

fn flat(grid: Grid, lanes: usize) -> Vec<(usize, u32, u32)> {
    let inside = grid.flat_masks(lanes);
    let place = |(vector, inside): (usize, u32)| {
        let place = vector * lanes;
        (place, first(grid.positions() - place) & first(lanes), inside)
    };
    inside.into_iter().enumerate().map(place).collect()
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

//! Convolutions as one matrix product with output channels along the lanes: for small maps of many channels, whose
//! places would leave lanes empty.

use std::ops::Range;

use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::algo::direct::RUN;
use crate::engine::layout::grid::Grid;
use crate::engine::layout::slots::{Outside, Slots};
use crate::engine::layout::tiling::Part;
use crate::engine::micro::gemm::{self, Factors, Rows};
use crate::engine::program::packed::Stored;
use crate::engine::quant::format::Format;
use crate::engine::simd::Simd;

/// A convolution that is cut.
#[derive(Debug)]
pub(in crate::engine) struct Channels {
    lanes: usize,
    strides: (usize, usize),
    inputs: usize,
    outputs: usize,
    taps: usize,
    format: Format,
    /// Pixels and vectors of channels that are held at a time.
    held: (usize, usize),
    slots: Slots,
    outside: Outside,
    vectors: usize,
}

/// Slots whose sums are computed together, so that weights are read once for all of them and sums stay near.
const TOGETHER: usize = 9;

/// Pixels and vectors of channels that fit into the registers, or `None` where lanes are too few for it to pay.
pub(in crate::engine) fn held(lanes: usize, wide: bool) -> Option<(usize, usize)> {
    match (lanes >= gemm::PIXELS_STEP, wide) {
        (false, _) => None,
        (true, true) => Some((7, 3)),
        (true, false) => Some((6, 2)),
    }
}

impl Channels {
    /// A convolution of `kernel` 1 or 3 on a unit of so many lanes, which has this [`held`]; inputs are counted in elements
    /// of the format.
    pub(in crate::engine) fn new(
        (input, output): (Grid, Grid),
        (inputs, outputs): (usize, usize),
        (kernel, stride): (usize, usize),
        format: Format,
        lanes: usize,
        held: (usize, usize),
    ) -> Self {
        Self {
            lanes,
            strides: (input.stride(), output.stride()),
            inputs,
            outputs,
            taps: kernel * kernel,
            format,
            held,
            slots: Slots::new((input, output), (kernel, stride), held.0, |_| true),
            outside: Outside::of(output, lanes),
            vectors: outputs.div_ceil(lanes),
        }
    }

    /// Groups of vectors of channels.
    fn groups(&self) -> usize {
        self.vectors.div_ceil(self.held.1)
    }

    fn depth(&self) -> usize {
        self.inputs * self.taps
    }

    /// Input channels whose pixels are gathered at a time.
    fn run_inputs(&self) -> usize {
        (RUN / self.taps).min(self.inputs)
    }

    /// The vectors of a group: groups differ by one at most.
    fn group(&self, group: usize) -> Range<usize> {
        let cut = |group: usize| group * self.vectors / self.groups();
        cut(group)..cut(group + 1)
    }

    /// Where a group's weights of the inputs from this one on lie.
    fn weights_at(&self, group: usize, input: usize) -> usize {
        let vectors = self.group(group);
        (vectors.start * self.depth() + input * self.taps * vectors.len()) * self.lanes
    }

    /// See [`Layer::effort`](crate::engine::Layer::effort).
    pub(in crate::engine) fn effort(&self, threads: usize) -> usize {
        let vectors = (self.groups().div_ceil(threads) * self.held.1).min(self.vectors);
        let products = self.slots.list.len() * self.depth() * self.held.0 * vectors;
        products + self.slots.gathers() * self.inputs + self.slots.stores() * vectors * self.lanes
    }

    /// Elements of scratch memory that a thread needs.
    pub(in crate::engine) fn scratch(&self) -> usize {
        let slots = TOGETHER.min(self.slots.list.len());
        slots * (self.panel() + self.held.0 * self.vectors * self.lanes)
            + Stored::room(
                self.format,
                self.run_inputs() * self.taps * self.held.1 * self.lanes,
            )
    }

    /// Elements of one slot's gathered pixels: a vector more, for each is stored whole.
    fn panel(&self) -> usize {
        (self.run_inputs() * self.taps + 2) * gemm::PIXELS_STEP
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
        let groups = part.range(self.groups());
        if groups.is_empty() {
            return;
        }
        let first = self.group(groups.start).start * S::LANES;
        let channels = first..(self.group(groups.end - 1).end * S::LANES).min(self.outputs);
        let count = self.slots.list.len();
        let wide = self.vectors * S::LANES;
        for start in (0..count).step_by(TOGETHER) {
            let slots = start..(start + TOGETHER).min(count);
            // SAFETY: the caller's: the maps of `io` were checked, and `scratch` has room for what `scratch()` counts, which is
            // the panels and sums of `TOGETHER` slots; the slots are of this layer, and no other part has these channels.
            unsafe {
                let together = TOGETHER.min(count);
                let sums = scratch.add(together * self.panel());
                let room = sums.add(together * self.held.0 * wide);
                for input in (0..self.inputs).step_by(self.run_inputs()) {
                    let inputs = input..(input + self.run_inputs()).min(self.inputs);
                    self.gather::<S>(io.input, slots.clone(), inputs.clone(), scratch);
                    for group in groups.clone() {
                        let vectors = self.group(group);
                        let nv = vectors.len();
                        let depth = inputs.len() * self.taps;
                        let at = self.weights_at(group, input);
                        let next = match group + 1 < groups.end {
                            true => self.weights_at(group + 1, input),
                            false => self.weights_at(groups.start, inputs.end),
                        };
                        let next = next.cast_signed() - at.cast_signed();
                        let b = io.weights.from::<S>(at, depth * nv * S::LANES, room);
                        for slot in 0..slots.len() {
                            let sink = Rows {
                                to: sums.add(slot * self.held.0 * wide + vectors.start * S::LANES),
                                stride: wide,
                                more: input > 0,
                            };
                            let factors = Factors {
                                format: self.format,
                                a: scratch.add(slot * self.panel()),
                                b: (b, nv * S::LANES),
                                depth,
                                // The slots after the first ask for one vector a step each of what comes next: these weights
                                // are near by now.
                                ahead: match slot {
                                    0 => gemm::AHEAD,
                                    _ => next + ((slot - 1) % nv * S::LANES).cast_signed(),
                                },
                            };
                            gemm::product_of_pixels::<S, _>((self.held.0, nv), factors, sink);
                        }
                    }
                }
                self.finish::<S>(io, epilogue, slots, channels.clone(), sums);
            }
        }
        // SAFETY: the caller's: the output map was checked, and no other part has these channels.
        unsafe { self.outside.clear::<S>(io.output, channels) };
    }

    #[inline(always)]
    unsafe fn gather<S: Simd>(
        &self,
        input: *const f32,
        slots: Range<usize>,
        inputs: Range<usize>,
        panels: *mut f32,
    ) {
        let step = gemm::PIXELS_STEP;
        for (i, ci) in inputs.enumerate() {
            for (s, slot) in slots.clone().enumerate() {
                // SAFETY: the caller's; each vector is stored over the end of the one before.
                unsafe {
                    let to = panels.add(s * self.panel() + i * self.taps * step);
                    self.slots
                        .gather::<S>(input.add(ci * self.strides.0), (slot, 1), to, step);
                }
            }
        }
    }

    /// Stores the channels of some slots.
    #[inline(always)]
    unsafe fn finish<S: Simd>(
        &self,
        io: Io,
        epilogue: Epilogue,
        slots: Range<usize>,
        channels: Range<usize>,
        sums: *const f32,
    ) {
        let wide = self.vectors * S::LANES;
        for (s, slot) in self.slots.list[slots].iter().enumerate() {
            for first in channels.clone().step_by(S::LANES) {
                // SAFETY: the caller's; the places are of the output's channel.
                unsafe {
                    let mut rows = [S::splat(0.0); 8];
                    for r in 0..self.held.0 {
                        rows[r] = S::load(sums.add((s * self.held.0 + r) * wide + first));
                    }
                    let columns = S::columns(rows);
                    for c in 0..S::LANES.min(channels.end - first) {
                        let channel = first + c;
                        for piece in slot.pieces() {
                            let at = channel * self.strides.1 + piece.place;
                            let sum = piece.of::<S>(columns[c]);
                            let y = epilogue.apply::<S>(sum, channel, io.residual, at, piece.there);
                            S::store_masked(io.output.add(at), piece.there, y);
                        }
                    }
                }
            }
        }
    }

    /// Weights `[outputs, inputs, kernel, kernel]` as `[group of vectors][input][tap][channel]`, absent channels at 0.
    pub(in crate::engine) fn packed(&self, weights: &[f32]) -> Vec<f32> {
        let (depth, lanes) = (self.depth(), self.lanes);
        let mut out = vec![0.0; self.vectors * lanes * depth];
        for group in 0..self.groups() {
            let vectors = self.group(group);
            let width = vectors.len() * lanes;
            let first = vectors.start * lanes;
            let channels = weights.chunks_exact(depth).skip(first).take(width);
            for (column, weights) in channels.enumerate() {
                for (i, weight) in weights.iter().enumerate() {
                    out[first * depth + i * width + column] = *weight;
                }
            }
        }
        out
    }
}

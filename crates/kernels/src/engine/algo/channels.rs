//! Convolutions as one matrix product with output channels along the lanes: for small maps of many channels, whose
//! places would leave lanes empty.

use std::ops::Range;

use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::algo::direct::{LONGEST_SUM, Strides};
use crate::engine::algo::layer::{ConvShape, Layer};
use crate::engine::layout::slots::{Outside, Room, Slots};
use crate::engine::layout::tiling::Part;
use crate::engine::micro::gemm::{self, Factors, PIXEL_KERNELS, Panel, Rows, TileShape};
use crate::engine::program::packed::Stored;
use crate::engine::quant::format::Format;
use crate::engine::simd::Simd;
use crate::engine::simd::isa::Isa;

/// A convolution that is cut.
#[derive(Debug)]
pub(in crate::engine) struct Channels {
    lanes: usize,
    strides: Strides,
    inputs: usize,
    outputs: usize,
    taps: usize,
    format: Format,
    /// Pixels and vectors of channels that are held at a time.
    held: TileShape,
    slots: Slots,
    outside: Outside,
    vectors: usize,
}

/// Slots whose sums are computed together, so that weights are read once for all of them and sums stay near.
const TOGETHER: usize = 9;

/// Pixels and vectors of channels that fit into the registers, or `None` where lanes are too few for it to pay.
pub(in crate::engine) fn held(isa: Isa) -> Option<TileShape> {
    let most = gemm::largest(PIXEL_KERNELS, isa.registers()).last();
    most.filter(|_| isa.lanes() >= gemm::PIXELS_STEP)
}

impl Channels {
    /// The layer, whose inputs are counted in elements of the format.
    ///
    /// # Panics
    /// If the unit has too few lanes, see [`held`].
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
        let isa = target.isa;
        let lanes = isa.lanes();
        let held = held(isa).expect("`Layer::check` refuses units of few lanes");
        Self {
            lanes,
            strides: Strides::of(input, output),
            inputs,
            outputs,
            taps: kernel * kernel,
            format,
            held,
            slots: Slots::new((input, output), (kernel, stride), held.rows, |_| true),
            outside: Outside::of(output, lanes),
            vectors: outputs.div_ceil(lanes),
        }
    }

    /// The largest product: pixels by vectors of output channels.
    pub(in crate::engine) fn sums(&self) -> TileShape {
        TileShape {
            vectors: self.held.vectors.min(self.vectors),
            ..self.held
        }
    }

    /// Groups of vectors of channels.
    fn groups(&self) -> usize {
        self.vectors.div_ceil(self.held.vectors)
    }

    fn depth(&self) -> usize {
        self.inputs * self.taps
    }

    /// Input channels whose pixels are gathered at a time.
    fn run_inputs(&self) -> usize {
        (LONGEST_SUM / self.taps).min(self.inputs)
    }

    /// The vectors of a group: groups differ by one at most.
    fn group(&self, group: usize) -> Range<usize> {
        let start = |group: usize| group * self.vectors / self.groups();
        start(group)..start(group + 1)
    }

    /// The place of a group's weights of the inputs from this one on.
    fn weights_at(&self, group: usize, input: usize) -> usize {
        let vectors = self.group(group);
        (vectors.start * self.depth() + input * self.taps * vectors.len()) * self.lanes
    }

    /// See [`Layer::effort`](crate::engine::Layer::effort).
    pub(in crate::engine) fn effort(&self, threads: usize) -> usize {
        let vectors = (self.groups().div_ceil(threads) * self.held.vectors).min(self.vectors);
        let products = self.slots.list.len() * self.depth() * self.held.rows * vectors;
        products + self.slots.gathers() * self.inputs + self.slots.stores() * vectors * self.lanes
    }

    /// Elements of scratch memory that a thread needs.
    pub(in crate::engine) fn scratch(&self) -> usize {
        let slots = TOGETHER.min(self.slots.list.len());
        slots * (self.panel() + self.held.rows * self.vectors * self.lanes)
            + Stored::room(
                self.format,
                self.run_inputs() * self.taps * self.held.vectors * self.lanes,
            )
    }

    /// Elements of one slot's gathered pixels: a vector more, for each is stored whole.
    fn panel(&self) -> usize {
        (self.run_inputs() * self.taps + 2) * gemm::PIXELS_STEP
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
        let groups = part.range(self.groups());
        if groups.is_empty() {
            return;
        }
        let first = self.group(groups.start).start * S::LANES;
        let channels = first..(self.group(groups.end - 1).end * S::LANES).min(self.outputs);
        let count = self.slots.list.len();
        let together = TOGETHER.min(count);
        let sums = scratch.wrapping_add(together * self.panel());
        let share = Share {
            layer: self,
            io,
            epilogue,
            panels: scratch,
            sums,
            room: sums.wrapping_add(together * self.held.rows * self.vectors * S::LANES),
        };
        for start in (0..count).step_by(TOGETHER) {
            let slots = start..(start + TOGETHER).min(count);
            for input in (0..self.inputs).step_by(self.run_inputs()) {
                let inputs = input..(input + self.run_inputs()).min(self.inputs);
                share.gather(s, slots.clone(), inputs.clone());
                share.multiply(s, slots.len(), inputs, groups.clone());
            }
            share.finish(s, slots, channels.clone());
        }
        // SAFETY: the output is the layer's map, by the contract above, and no other part has these channels.
        unsafe { self.outside.clear(s, io.output, channels) };
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

/// A part of a convolution, made by [`Channels::run`] alone, under its contract: slots, inputs and channels are those of the part.
#[derive(Clone, Copy)]
struct Share<'a> {
    layer: &'a Channels,
    io: Io,
    epilogue: Epilogue,
    /// The panels of up to [`TOGETHER`] slots, for up to [`Channels::run_inputs`] inputs.
    panels: *mut f32,
    /// The sums of as many slots, `[slot][pixel][channel]`, for all vectors of channels.
    sums: *mut f32,
    /// Room to widen the weights of a group in.
    room: *mut f32,
}

impl Share<'_> {
    /// Gathers the pixels of some inputs for some slots, each into its panel.
    #[inline(always)]
    fn gather<S: Simd>(self, s: S, slots: Range<usize>, inputs: Range<usize>) {
        let Self { layer, io, .. } = self;
        let step = gemm::PIXELS_STEP;
        for (i, ci) in inputs.enumerate() {
            for (index, slot) in slots.clone().enumerate() {
                // SAFETY: the map has channel `ci`, and a panel room for `run_inputs` inputs and a vector more; each vector is stored over
                // the end of the one before.
                unsafe {
                    let to = Room {
                        start: self.panels.add(index * layer.panel() + i * layer.taps * step),
                        tap: step,
                        slot: step,
                    };
                    let channel = io.input.add(ci * layer.strides.input);
                    layer.slots.gather(s, channel, slot..slot + 1, to);
                }
            }
        }
    }

    /// Adds the products of some inputs, which are gathered for `slots` slots, to the sums of some groups of channels.
    #[inline(always)]
    fn multiply<S: Simd>(self, s: S, slots: usize, inputs: Range<usize>, groups: Range<usize>) {
        let Self { layer, io, .. } = self;
        let (width, depth) = (layer.vectors * S::LANES, inputs.len() * layer.taps);
        for group in groups.clone() {
            let vectors = layer.group(group);
            let nv = vectors.len();
            let at = layer.weights_at(group, inputs.start);
            let next = match group + 1 < groups.end {
                true => layer.weights_at(group + 1, inputs.start),
                false => layer.weights_at(groups.start, inputs.end),
            };
            let next = next.cast_signed() - at.cast_signed();
            let shape = TileShape {
                vectors: nv,
                ..layer.held
            };
            // SAFETY: the weights are the layer's, with `depth` steps of the group's vectors from `at` on, for which there is room. The
            // slots have panels, and sums for all vectors of channels.
            unsafe {
                let b = Panel {
                    start: io.weights.from(s, at, depth * nv * S::LANES, self.room),
                    stride: nv * S::LANES,
                };
                for slot in 0..slots {
                    let first = slot * layer.held.rows * width + vectors.start * S::LANES;
                    let sink = Rows {
                        to: self.sums.add(first),
                        stride: width,
                        more: inputs.start > 0,
                    };
                    let factors = Factors {
                        format: layer.format,
                        a: self.panels.add(slot * layer.panel()),
                        b,
                        depth,
                        // The slots after the first ask for one vector a step each of what comes next: these weights are near by
                        // now.
                        ahead: match slot {
                            0 => gemm::WEIGHTS_PREFETCH,
                            _ => next + ((slot - 1) % nv * S::LANES).cast_signed(),
                        },
                    };
                    gemm::product_of_pixels(s, shape, factors, sink);
                }
            }
        }
    }

    /// Stores the channels of some slots.
    #[inline(always)]
    fn finish<S: Simd>(self, s: S, slots: Range<usize>, channels: Range<usize>) {
        let Self {
            layer,
            io,
            epilogue,
            sums,
            ..
        } = self;
        let width = layer.vectors * S::LANES;
        for (index, slot) in layer.slots.list[slots].iter().enumerate() {
            for first in channels.clone().step_by(S::LANES) {
                // SAFETY: there are `held.rows` rows of sums for each slot, each of all vectors of channels; the channels exist, and the
                // slot's places are of the output's grid.
                unsafe {
                    let mut rows = [s.splat(0.0); 8];
                    for r in 0..layer.held.rows {
                        rows[r] = s.load(sums.add((index * layer.held.rows + r) * width + first));
                    }
                    let columns = s.columns(rows);
                    for c in 0..S::LANES.min(channels.end - first) {
                        let channel = first + c;
                        for piece in slot.pieces() {
                            let at = channel * layer.strides.output + piece.place;
                            let sum = piece.of(s, columns[c]);
                            let y = epilogue.apply(s, sum, channel, io.residual, at, piece.there);
                            s.store_masked(io.output.add(at), piece.there, y);
                        }
                    }
                }
            }
        }
    }
}

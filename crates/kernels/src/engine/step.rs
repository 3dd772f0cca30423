//! One operation of a program on maps in its memory.

mod check;
mod show;

use super::conv::{Convolution, Io, shifted};
use super::format::{Format, Packing, weight_step};
use super::grid::Grid;
use super::isa::Isa;
use super::maps::{Linear, Map, Row};
use super::ops::{self, Enlargement, Moves, cut, exchange};
use super::packed::{Packed, halves};
use super::simd::Simd;

/// An operation; each is shared out among the program's threads.
#[derive(Debug)]
pub struct Step(Op);

#[derive(Debug)]
enum Op {
    Load {
        to: Map,
    },
    Conv {
        conv: Box<Convolution>,
        from: Map,
        to: Map,
        residual: Option<Map>,
    },
    Pack {
        packing: Packing,
        from: Map,
        to: Map,
        moves: Option<Moves>,
    },
    Enlarge {
        table: Enlargement,
        factor: usize,
        from: Map,
        to: Map,
        sum: Option<Map>,
        relu: bool,
    },
    Add {
        a: Map,
        b: Option<Map>,
        to: Map,
        relu: bool,
    },
    Pool {
        from: Map,
        to: Row,
    },
    Linear {
        linear: Linear,
        weights: Packed,
        /// What one stands for in the weights.
        step: f32,
        from: Row,
        to: Row,
    },
    Gate {
        from: Map,
        gate: Row,
        sum: Option<Map>,
        to: Map,
        relu: bool,
    },
    StoreMap {
        from: Map,
    },
    StoreRow {
        from: Row,
    },
}

/// Where a program's data lies.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) memory: *mut f32,
    pub(super) images: *const f32,
    pub(super) result: *mut f32,
}

// SAFETY: the threads of a program write disjoint parts, and a barrier lies between a write and the reads of it.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Step {
    /// Puts the images, `[n, channels, h, w]`, on the map's grid.
    pub fn load(to: Map) -> Self {
        Self(Op::Load { to })
    }

    /// A convolution, with `residual` added before its ReLU.
    pub fn conv(conv: Convolution, from: Map, to: Map, residual: Option<Map>) -> Self {
        Self(Op::Conv {
            conv: Box::new(conv),
            from,
            to,
            residual,
        })
    }

    /// `from` as operands of convolutions, several channels to an element of `to`, on whose grid they are put.
    pub fn pack(packing: Packing, from: Map, to: Map, isa: Isa) -> Self {
        let moves = (from.grid != to.grid).then(|| Moves::new(from.grid, to.grid, isa.lanes()));
        Self(Op::Pack {
            packing,
            from,
            to,
            moves,
        })
    }

    /// `from` enlarged `factor` times, with `sum` added, and by choice a ReLU.
    pub fn enlarge(from: Map, to: Map, factor: usize, sum: Option<Map>, relu: bool, isa: Isa) -> Self {
        let table = Enlargement::new(from.grid, to.grid, factor, isa.lanes());
        Self(Op::Enlarge {
            table,
            factor,
            from,
            to,
            sum,
            relu,
        })
    }

    /// `a + b`, or `a` alone, and by choice a ReLU.
    pub fn add(a: Map, b: Option<Map>, to: Map, relu: bool) -> Self {
        Self(Op::Add { a, b, to, relu })
    }

    /// The mean of each channel of each image.
    pub fn pool(from: Map, to: Row) -> Self {
        Self(Op::Pool { from, to })
    }

    /// A linear layer.
    ///
    /// # Panics
    /// If the weights are not as many as the rows say, or are to be kept in neither f32 nor f16.
    pub fn linear(mut linear: Linear, from: Row, to: Row) -> Self {
        let weights = std::mem::take(&mut linear.weights);
        assert_eq!(
            weights.len(),
            from.channels * to.channels,
            "weights of a linear layer"
        );
        let (weights, step) = match linear.format {
            Format::F32 => (weights, 1.0),
            Format::F16 => in_halves(weights),
            format => unreachable!("a linear layer in {format}"),
        };
        Self(Op::Linear {
            linear,
            weights: Packed::new(weights),
            step,
            from,
            to,
        })
    }

    /// `from` with each channel of each image multiplied by its gate, `sum` added, and by choice a ReLU.
    pub fn gate(from: Map, gate: Row, sum: Option<Map>, to: Map, relu: bool) -> Self {
        Self(Op::Gate {
            from,
            gate,
            sum,
            to,
            relu,
        })
    }

    /// The map as the program's result, `[n, channels, h, w]`.
    pub fn store_map(from: Map) -> Self {
        Self(Op::StoreMap { from })
    }

    /// The vectors as the program's result, `[n, channels]`.
    pub fn store_row(from: Row) -> Self {
        Self(Op::StoreRow { from })
    }

    /// The convolution, if this is one.
    pub fn convolution(&self) -> Option<&Convolution> {
        match &self.0 {
            Op::Conv { conv, .. } => Some(conv),
            _ => None,
        }
    }

    /// The map that a convolution reads.
    pub(super) fn convolved(&self) -> Option<Map> {
        match self.0 {
            Op::Conv { from, .. } => Some(from),
            _ => None,
        }
    }

    /// The map of numbers that it writes.
    pub(super) fn written(&self) -> Option<Map> {
        match self.0 {
            Op::Load { to }
            | Op::Conv { to, .. }
            | Op::Enlarge { to, .. }
            | Op::Add { to, .. }
            | Op::Gate { to, .. } => Some(to),
            Op::Pack { .. }
            | Op::Pool { .. }
            | Op::Linear { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => None,
        }
    }

    /// Multiply-accumulates by the definition of a convolution or linear layer, however they are computed; 0 for others.
    pub fn macs(&self) -> u64 {
        let macs = match &self.0 {
            Op::Conv { conv, to, .. } => {
                let shape = conv.shape();
                let Grid { n, h, w, .. } = to.grid;
                n * h * w * shape.outputs * shape.inputs * shape.kernel.pow(2)
            }
            Op::Linear { from, to, .. } => from.channels * to.channels * to.n,
            _ => 0,
        };
        macs as u64
    }

    /// The format of what is multiplied; none of steps that multiply no weights.
    pub fn format(&self) -> Option<Format> {
        match &self.0 {
            Op::Conv { conv, .. } => Some(conv.format()),
            Op::Linear { linear, .. } => Some(linear.format),
            _ => None,
        }
    }

    /// Bytes of prepared weights.
    pub fn weight_bytes(&self) -> usize {
        match &self.0 {
            Op::Conv { conv, .. } => conv.weight_bytes(),
            Op::Linear { linear, weights, .. } => (weights.elements() + linear.bias.len()) * size_of::<f32>(),
            _ => 0,
        }
    }

    /// The prepared weights, for a program to gather.
    pub(super) fn packed_mut(&mut self) -> Option<&mut Packed> {
        match &mut self.0 {
            Op::Conv { conv, .. } => Some(conv.weights_mut()),
            Op::Linear { weights, .. } => Some(weights),
            _ => None,
        }
    }

    pub(super) fn scratch(&self) -> usize {
        self.convolution().map_or(0, Convolution::scratch)
    }

    /// Elements of the images that it reads.
    pub(super) fn images(&self) -> usize {
        match self.0 {
            Op::Load { to } => to.channels * to.grid.n * to.grid.h * to.grid.w,
            _ => 0,
        }
    }

    /// Elements of the result that it writes.
    pub(super) fn result(&self) -> usize {
        match self.0 {
            Op::StoreMap { from } => from.channels * from.grid.n * from.grid.h * from.grid.w,
            Op::StoreRow { from } => from.elements(),
            _ => 0,
        }
    }

    /// Computes one of `parts` parts.
    ///
    /// # Safety
    /// The context's memory, images and result are as long as the step was checked for; `scratch` is this thread's
    /// and as long as [`Step::scratch`] says; the other parts are computed at the same time and nothing else; the CPU
    /// has the unit, and the step was prepared for it.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self, context: Context, part: (usize, usize), scratch: *mut f32) {
        // SAFETY: the caller's.
        unsafe {
            let at = |map: &Map| context.memory.add(map.offset);
            let or_null = |map: &Option<Map>| map.map_or(std::ptr::null(), |map| at(&map).cast_const());
            let row = |row: &Row| context.memory.add(row.offset);
            match &self.0 {
                Op::Load { to } => {
                    for channel in cut(to.channels, part) {
                        exchange(*to, channel, |at, image| {
                            *context.memory.add(at) = *context.images.add(image)
                        });
                    }
                }
                Op::StoreMap { from } => {
                    for channel in cut(from.channels, part) {
                        exchange(*from, channel, |at, image| {
                            *context.result.add(image) = *context.memory.add(at)
                        });
                    }
                }
                Op::StoreRow { from } => {
                    for i in cut(from.elements(), part) {
                        *context.result.add(i) = *row(from).add(i);
                    }
                }
                Op::Conv {
                    conv,
                    from,
                    to,
                    residual,
                } => {
                    let io = Io {
                        input: at(from),
                        output: at(to),
                        residual: or_null(residual),
                        weights: conv.weights(),
                    };
                    conv.run::<S>(io, part, scratch);
                }
                Op::Pack {
                    packing,
                    from,
                    to,
                    moves,
                } => {
                    let (stride, positions) = (from.grid.stride(), from.grid.positions());
                    let channels = packing.format.channels();
                    for element in cut(to.channels, part) {
                        let first = element * channels;
                        let x = (at(from).add(first * stride).cast_const(), stride);
                        let count = channels.min(from.channels - first);
                        let to = at(to).add(element * to.grid.stride());
                        ops::pack::<S>((packing, first), (x, count), (to, moves.as_ref()), positions);
                    }
                }
                Op::Enlarge {
                    table,
                    from,
                    to,
                    sum,
                    relu,
                    ..
                } => {
                    for channel in cut(to.channels, part) {
                        let offset = channel * to.grid.stride();
                        let small = at(from).add(channel * from.grid.stride());
                        let sum = shifted(or_null(sum), offset);
                        table.run::<S>(small, sum, at(to).add(offset), *relu);
                    }
                }
                Op::Add { a, b, to, relu } => {
                    for channel in cut(to.channels, part) {
                        let offset = channel * to.grid.stride();
                        let (a, b) = (at(a).add(offset), shifted(or_null(b), offset));
                        ops::add::<S>(a, b, at(to).add(offset), to.grid.positions(), *relu);
                    }
                }
                Op::Pool { from, to } => {
                    for channel in cut(from.channels, part) {
                        for image in 0..to.n {
                            let x = at(from).add(channel * from.grid.stride());
                            *row(to).add(image * to.channels + channel) = ops::mean::<S>(from.grid, x, image);
                        }
                    }
                }
                Op::Linear {
                    linear,
                    weights,
                    step,
                    from,
                    to,
                } => {
                    let (count, start) = (from.channels, weights.start());
                    for output in cut(to.channels, part) {
                        for image in 0..to.n {
                            let x = row(from).add(image * count).cast_const();
                            let sum = match linear.format {
                                Format::F16 => {
                                    ops::dot_halves::<S>(start.cast::<u16>().add(output * count), x, count)
                                }
                                _ => ops::dot::<S>(start.add(output * count), x, count),
                            };
                            let sum = sum * step + linear.bias[output];
                            *row(to).add(image * to.channels + output) = linear.activation.of(sum);
                        }
                    }
                }
                Op::Gate {
                    from,
                    gate,
                    sum,
                    to,
                    relu,
                } => {
                    for channel in cut(to.channels, part) {
                        let offset = channel * to.grid.stride();
                        let gates = (row(gate).add(channel).cast_const(), gate.channels);
                        let sum = shifted(or_null(sum), offset);
                        ops::gated::<S>(
                            to.grid,
                            at(from).add(offset),
                            gates,
                            sum,
                            at(to).add(offset),
                            *relu,
                        );
                    }
                }
            }
        }
    }
}

/// Weights as f16, two to an element, and what one stands for in them.
fn in_halves(mut weights: Vec<f32>) -> (Vec<f32>, f32) {
    let step = weight_step(Format::F16, 1.0, std::iter::once(weights.as_slice()));
    weights.iter_mut().for_each(|weight| *weight /= step);
    (halves(&weights), step)
}

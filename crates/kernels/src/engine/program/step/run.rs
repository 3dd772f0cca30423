//! Running a step, which is where everything that was checked before is relied on.

use super::{Op, Step};
use crate::engine::algo::conv::{Io, shifted};
use crate::engine::algo::ops::{self, cut, exchange};
use crate::engine::layout::map::{Map, Row};
use crate::engine::quant::format::Format;
use crate::engine::simd::Simd;

/// Where a program's data lies.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Context {
    pub(in crate::engine) memory: *mut f32,
    pub(in crate::engine) images: *const f32,
    pub(in crate::engine) result: *mut f32,
}

// SAFETY: the threads of a program write disjoint parts, and a barrier lies between a write and the reads of it.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Step {
    /// Computes one of `parts` parts.
    ///
    /// # Safety
    /// The context's memory, images and result are as long as the step was checked for; `scratch` is this thread's
    /// and as long as [`Step::scratch`] says; the other parts are computed at the same time and nothing else; the CPU
    /// has the unit, and the step was prepared for it.
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        context: Context,
        part: (usize, usize),
        scratch: *mut f32,
    ) {
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
                    ..
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
                                Format::F32 => ops::dot::<S>(start.add(output * count), x, count),
                                Format::Bf16 | Format::I16 | Format::Int8 => {
                                    unreachable!("refused by `Step::linear`")
                                }
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

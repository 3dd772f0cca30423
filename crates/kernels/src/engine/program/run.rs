//! Running a step, which is where everything that was checked before is relied on.

use super::memory::Shared;
use super::op::Op;
use super::step::Step;
use crate::engine::algo::conv::{Io, shifted};
use crate::engine::algo::elementwise::{self, Gates};
use crate::engine::algo::pack::Channels;
use crate::engine::layout::map::{Map, Row};
use crate::engine::layout::tiling::Part;
use crate::engine::simd::{Simd, Work};

/// A program's data.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) memory: Shared,
    pub(super) images: &'a [f32],
    pub(super) results: Shared,
}

/// One thread's part of a step.
pub(super) struct Share<'a> {
    step: &'a Step,
    context: Context<'a>,
    part: Part,
    scratch: *mut f32,
}

impl<'a> Share<'a> {
    /// # Safety
    /// Until the share has run: the context's memory, images and results are as long as the step was checked for; `scratch` is
    /// this thread's and as long as [`Step::scratch`] says; the other parts are computed at the same time and nothing else; the
    /// share runs on the unit of the target that the step was prepared for.
    pub(super) unsafe fn new(step: &'a Step, context: Context<'a>, part: Part, scratch: *mut f32) -> Self {
        Self {
            step,
            context,
            part,
            scratch,
        }
    }
}

impl<S: Simd> Work<S> for Share<'_> {
    type Output = ();

    /// Computes the part.
    #[inline(always)]
    fn run(self, s: S) {
        let Self { part, scratch, .. } = self;
        let [memory, results] = [self.context.memory, self.context.results].map(Shared::start);
        let images = self.context.images.as_ptr();
        // SAFETY: `Op::check` accepted the operation: all of its maps and rows lie in the memory, have the sizes and parameters that
        // belong together, and its output lies over nothing that another part still reads. Loads and stores go through images
        // and results as long as `Step::lengths` says. The rest is the contract of `new`.
        unsafe {
            let at = |map: &Map| memory.add(map.offset);
            let or_null = |map: &Option<Map>| map.map_or(std::ptr::null(), |map| at(&map).cast_const());
            let row = |row: &Row| memory.add(row.offset);
            match &self.step.0 {
                Op::Load { to } => {
                    let positions = to.grid.positions();
                    let has_outside = positions > to.grid.n * to.grid.h * to.grid.w;
                    for channel in part.range(to.channels) {
                        if has_outside {
                            at(to).add(channel * to.grid.stride()).write_bytes(0, positions);
                        }
                        to.exchange(channel, |at, image| {
                            *memory.add(at) = *images.add(image);
                        });
                    }
                }
                Op::StoreMap { from, at: first } => {
                    for channel in part.range(from.channels) {
                        from.exchange(channel, |at, image| {
                            *results.add(first + image) = *memory.add(at);
                        });
                    }
                }
                Op::StoreRow { from, at: first } => {
                    for i in part.range(from.elements()) {
                        *results.add(first + i) = *row(from).add(i);
                    }
                }
                Op::Conv {
                    conv,
                    from,
                    sum,
                    adds,
                    relu,
                    to,
                    packs,
                } => {
                    let written = |map: Option<&Map>| map.map_or(std::ptr::null_mut(), at);
                    let io = Io {
                        input: at(from),
                        output: written(to.as_ref()),
                        residual: or_null(sum),
                        added: or_null(adds),
                        weights: conv.weights(),
                        operands: written(packs.as_ref().map(|packs| &packs.to)),
                    };
                    conv.kind().run(s, io, conv.epilogue(*relu), part, scratch);
                }
                Op::Pack {
                    packing,
                    pack,
                    from,
                    to,
                } => {
                    let (stride, held) = (from.grid.stride(), packing.format.channels());
                    let of_digit = to.channels / packing.format.digits();
                    for element in part.range(to.channels) {
                        let (digit, first) = (element / of_digit, element % of_digit * held);
                        let channels = Channels {
                            start: at(from).add(first * stride),
                            stride,
                            first,
                            count: held.min(from.channels - first),
                            digit,
                            grid: from.grid,
                        };
                        pack.run(s, packing, channels, at(to), element);
                    }
                }
                Op::Upsample {
                    table,
                    from,
                    sum,
                    relu,
                    to,
                    ..
                } => {
                    for channel in part.range(to.channels) {
                        let offset = channel * to.grid.stride();
                        let small = at(from).add(channel * from.grid.stride());
                        let sum = shifted(or_null(sum), offset);
                        table.run(s, small, sum, at(to).add(offset), *relu);
                    }
                }
                Op::Add { a, sum, relu, to } => {
                    for channel in part.range(to.channels) {
                        let offset = channel * to.grid.stride();
                        let (a, b) = (at(a).add(offset), shifted(or_null(sum), offset));
                        elementwise::add(s, a, b, at(to).add(offset), to.grid.positions(), *relu);
                    }
                }
                Op::Concat { from, to } => {
                    let channels = from
                        .iter()
                        .flat_map(|map| (0..map.channels).map(move |c| (map, c)));
                    let part = part.range(to.channels);
                    for (channel, (map, c)) in part.clone().zip(channels.skip(part.start)) {
                        let copy = at(map).add(c * map.grid.stride());
                        at(to)
                            .add(channel * to.grid.stride())
                            .copy_from_nonoverlapping(copy, to.grid.positions());
                    }
                }
                Op::Pool { from, to } => {
                    for channel in part.range(from.channels) {
                        for image in 0..to.n {
                            let x = at(from).add(channel * from.grid.stride());
                            let x = std::slice::from_raw_parts(x, from.grid.positions());
                            let mean = elementwise::mean(s, from.grid, x, image);
                            *row(to).add(image * to.channels + channel) = mean;
                        }
                    }
                }
                Op::Linear {
                    linear,
                    activation,
                    from,
                    to,
                } => linear.run(s, (*from, row(from)), (*to, row(to)), *activation, part),
                Op::Gate {
                    from,
                    gate,
                    sum,
                    relu,
                    to,
                } => {
                    for channel in part.range(to.channels) {
                        let offset = channel * to.grid.stride();
                        let gates = Gates {
                            start: row(gate).add(channel),
                            stride: gate.channels,
                        };
                        let (x, sum) = (at(from).add(offset), shifted(or_null(sum), offset));
                        elementwise::gated(s, to.grid, x, gates, sum, at(to).add(offset), *relu);
                    }
                }
            }
        }
    }
}

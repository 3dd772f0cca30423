//! One operation of a program on maps in its memory.

use std::fmt;
use std::ops::Range;

use super::conv::{Convolution, Io};
use super::grid::Grid;
use super::isa::Isa;
use super::ops::{self, Enlargement, cut};
use super::simd::Simd;

/// A batch of maps in a program's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Its first element.
    pub offset: usize,
    /// Channels.
    pub channels: usize,
    /// Where a channel's pixels lie.
    pub grid: Grid,
}

impl Map {
    /// Elements it takes.
    pub fn elements(&self) -> usize {
        self.channels * self.grid.stride()
    }

    fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.elements()
    }
}

/// A batch of vectors in a program's memory, `[n, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its first element.
    pub offset: usize,
    /// Images.
    pub n: usize,
    /// Elements an image.
    pub channels: usize,
}

impl Row {
    /// Elements it takes.
    pub fn elements(&self) -> usize {
        self.n * self.channels
    }

    fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.elements()
    }
}

/// What a linear layer's sum goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

/// A linear layer.
#[derive(Debug)]
pub struct Linear {
    /// `[outputs, inputs]`.
    pub weights: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
    /// What follows.
    pub activation: Activation,
}

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
    pub fn linear(linear: Linear, from: Row, to: Row) -> Self {
        Self(Op::Linear { linear, from, to })
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

    /// Bytes of prepared weights.
    pub fn weight_bytes(&self) -> usize {
        match &self.0 {
            Op::Conv { conv, .. } => conv.weight_bytes(),
            Op::Linear { linear, .. } => (linear.weights.len() + linear.bias.len()) * size_of::<f32>(),
            _ => 0,
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

    /// Refuses ranges outside of `memory` elements, outputs over inputs, and shapes that do not go together.
    pub(super) fn check(&self, memory: usize) {
        let alike = |a: &Map, b: &Map| a.grid == b.grid && a.channels == b.channels;
        let fits = |sum: &Option<Map>, to: &Map| sum.as_ref().is_none_or(|sum| alike(sum, to));
        // Sums are read where they are written, so they may lie where the output does.
        let (reads, writes, sums) = match &self.0 {
            Op::Load { to } => (vec![], vec![to.range()], vec![]),
            Op::Conv {
                conv,
                from,
                to,
                residual,
            } => {
                let shape = conv.shape();
                assert!(conv.joins(from.grid, to.grid), "{self}");
                assert_eq!(
                    (from.channels, to.channels),
                    (shape.inputs, shape.outputs),
                    "{self}"
                );
                assert!(fits(residual, to), "{self}");
                (
                    vec![from.range()],
                    vec![to.range()],
                    residual.iter().map(Map::range).collect(),
                )
            }
            Op::Enlarge {
                factor,
                from,
                to,
                sum,
                ..
            } => {
                assert_eq!(
                    (from.grid.h * factor, from.grid.w * factor),
                    (to.grid.h, to.grid.w),
                    "{self}"
                );
                assert!(from.channels == to.channels && fits(sum, to), "{self}");
                (
                    vec![from.range()],
                    vec![to.range()],
                    sum.iter().map(Map::range).collect(),
                )
            }
            Op::Add { a, b, to, .. } => {
                assert!(alike(a, to) && fits(b, to), "{self}");
                (
                    vec![],
                    vec![to.range()],
                    b.iter().chain([a]).map(Map::range).collect(),
                )
            }
            Op::Pool { from, to } => {
                assert_eq!((from.channels, from.grid.n), (to.channels, to.n), "{self}");
                (vec![from.range()], vec![to.range()], vec![])
            }
            Op::Linear { linear, from, to } => {
                assert_eq!(linear.weights.len(), from.channels * to.channels, "{self}");
                assert_eq!((linear.bias.len(), from.n), (to.channels, to.n), "{self}");
                (vec![from.range()], vec![to.range()], vec![])
            }
            Op::Gate {
                from, gate, sum, to, ..
            } => {
                assert!(alike(from, to) && fits(sum, to), "{self}");
                assert_eq!((gate.channels, gate.n), (to.channels, to.grid.n), "{self}");
                let sums = sum.iter().chain([from]).map(Map::range).collect();
                (vec![gate.range()], vec![to.range()], sums)
            }
            Op::StoreMap { from } => (vec![from.range()], vec![], vec![]),
            Op::StoreRow { from } => (vec![from.range()], vec![], vec![]),
        };
        for range in reads.iter().chain(&writes).chain(&sums) {
            assert!(range.end <= memory, "{self}: {range:?} of {memory} elements");
        }
        for written in &writes {
            let over = |range: &Range<usize>| range.start < written.end && written.start < range.end;
            assert!(!reads.iter().any(over), "{self}: writes over what it reads");
            assert!(
                sums.iter().all(|range| range == written || !over(range)),
                "{self}: writes over a part of a sum"
            );
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
                    };
                    conv.run::<S>(io, part, scratch);
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
                        table.run::<S>(small, sum, at(to).add(offset), to.grid.positions(), *relu);
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
                Op::Linear { linear, from, to } => {
                    for output in cut(to.channels, part) {
                        let weights = linear.weights.as_ptr().add(output * from.channels);
                        for image in 0..to.n {
                            let x = row(from).add(image * from.channels);
                            let sum = ops::dot::<S>(weights, x, from.channels) + linear.bias[output];
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

impl Activation {
    fn of(self, x: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Relu => x.max(0.0),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        }
    }
}

/// A pointer moved on, or null as it was.
fn shifted(pointer: *const f32, offset: usize) -> *const f32 {
    if pointer.is_null() {
        pointer
    } else {
        pointer.wrapping_add(offset)
    }
}

/// Pairs each pixel's place in the memory with its place in `[n, channels, h, w]`, for one channel.
#[inline(always)]
fn exchange(map: Map, channel: usize, mut pair: impl FnMut(usize, usize)) {
    let Grid { n, h, w, p } = map.grid;
    let base = map.offset + channel * map.grid.stride();
    let tiles = map.grid.tiles();
    for image in 0..n {
        for y in 0..h {
            let row = ((image * map.channels + channel) * h + y) * w;
            for x in 0..p.min(w) {
                let first = base + map.grid.place(image, y, x);
                debug_assert!(first < base + p * p * tiles);
                for (tile, x) in (x..w).step_by(p).enumerate() {
                    pair(first + tile, row + x);
                }
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let map = |map: &Map| {
            format!(
                "{}x{}x{}x{}@{}",
                map.grid.n, map.channels, map.grid.h, map.grid.w, map.offset
            )
        };
        let plus = |sum: &Option<Map>| {
            sum.as_ref()
                .map_or(String::new(), |sum| format!(" + {}", map(sum)))
        };
        let then = |relu: bool| if relu { ", relu" } else { "" };
        match &self.0 {
            Op::Load { to } => write!(f, "load -> {}", map(to)),
            Op::Conv {
                conv,
                from,
                to,
                residual,
            } => {
                write!(
                    f,
                    "{} {}{}{} -> {}",
                    conv.name(),
                    map(from),
                    plus(residual),
                    then(conv.relu()),
                    map(to)
                )
            }
            Op::Enlarge {
                factor,
                from,
                to,
                sum,
                relu,
                ..
            } => {
                write!(
                    f,
                    "enlarge x{factor} {}{}{} -> {}",
                    map(from),
                    plus(sum),
                    then(*relu),
                    map(to)
                )
            }
            Op::Add { a, b, to, relu } => {
                write!(f, "add {}{}{} -> {}", map(a), plus(b), then(*relu), map(to))
            }
            Op::Pool { from, to } => {
                write!(f, "pool {} -> {}x{}@{}", map(from), to.n, to.channels, to.offset)
            }
            Op::Linear { linear, from, to } => write!(
                f,
                "linear {}x{}@{}, {:?} -> {}x{}@{}",
                from.n, from.channels, from.offset, linear.activation, to.n, to.channels, to.offset
            ),
            Op::Gate {
                from, sum, to, relu, ..
            } => {
                write!(f, "gate {}{}{} -> {}", map(from), plus(sum), then(*relu), map(to))
            }
            Op::StoreMap { from } => write!(f, "store {}", map(from)),
            Op::StoreRow { from } => write!(f, "store {}x{}@{}", from.n, from.channels, from.offset),
        }
    }
}

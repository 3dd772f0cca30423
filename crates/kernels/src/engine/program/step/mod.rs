//! One operation of a program on maps in its memory.

mod check;
mod run;
mod show;

use crate::engine::algo::conv::Convolution;
use crate::engine::algo::ops::{Enlargement, Moves};
use crate::engine::layout::grid::Grid;
use crate::engine::layout::map::{Linear, Map, Row};
use crate::engine::program::packed::{Packed, halves};
use crate::engine::quant::format::{Format, Packing, weight_step};
use crate::engine::simd::isa::Isa;

pub use check::Refusal;
pub(in crate::engine) use run::Context;

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
        isa: Isa,
    },
    Enlarge {
        table: Enlargement,
        isa: Isa,
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
            isa,
        })
    }

    /// `from` enlarged `factor` times, with `sum` added, and by choice a ReLU.
    pub fn enlarge(from: Map, to: Map, factor: usize, sum: Option<Map>, relu: bool, isa: Isa) -> Self {
        let table = Enlargement::new(from.grid, to.grid, factor, isa.lanes());
        Self(Op::Enlarge {
            table,
            isa,
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
            Some(weights.len()),
            from.channels.checked_mul(to.channels),
            "weights of a linear layer"
        );
        let (weights, step) = match linear.format {
            Format::F32 => (weights, 1.0),
            Format::F16 => in_halves(weights),
            format @ (Format::Bf16 | Format::I16 | Format::Int8) => {
                unreachable!("a linear layer in {format}")
            }
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
        if let Op::Conv { conv, .. } = &self.0 {
            Some(conv)
        } else {
            None
        }
    }

    /// The map that a convolution reads.
    pub(in crate::engine) fn convolved(&self) -> Option<Map> {
        if let Op::Conv { from, .. } = self.0 {
            Some(from)
        } else {
            None
        }
    }

    /// The vector unit that it was prepared for; none where every unit runs it.
    pub fn isa(&self) -> Option<Isa> {
        match &self.0 {
            Op::Conv { conv, .. } => Some(conv.isa()),
            Op::Pack { isa, .. } | Op::Enlarge { isa, .. } => Some(*isa),
            Op::Load { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Linear { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => None,
        }
    }

    /// The map of numbers that it writes.
    pub(in crate::engine) fn written(&self) -> Option<Map> {
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
            Op::Load { .. }
            | Op::Pack { .. }
            | Op::Enlarge { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => 0,
        };
        macs as u64
    }

    /// The format of what is multiplied; none of steps that multiply no weights.
    pub fn format(&self) -> Option<Format> {
        match &self.0 {
            Op::Conv { conv, .. } => Some(conv.format()),
            Op::Linear { linear, .. } => Some(linear.format),
            Op::Load { .. }
            | Op::Pack { .. }
            | Op::Enlarge { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => None,
        }
    }

    /// Bytes of prepared weights.
    pub fn weight_bytes(&self) -> usize {
        match &self.0 {
            Op::Conv { conv, .. } => conv.weight_bytes(),
            Op::Linear { linear, weights, .. } => (weights.elements() + linear.bias.len()) * size_of::<f32>(),
            Op::Load { .. }
            | Op::Pack { .. }
            | Op::Enlarge { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => 0,
        }
    }

    /// The prepared weights, for a program to gather.
    pub(in crate::engine) fn packed_mut(&mut self) -> Option<&mut Packed> {
        match &mut self.0 {
            Op::Conv { conv, .. } => Some(conv.weights_mut()),
            Op::Linear { weights, .. } => Some(weights),
            Op::Load { .. }
            | Op::Pack { .. }
            | Op::Enlarge { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => None,
        }
    }

    pub(in crate::engine) fn scratch(&self) -> usize {
        self.convolution().map_or(0, Convolution::scratch)
    }

    /// Elements of the images that it reads.
    pub(in crate::engine) fn images(&self) -> usize {
        match self.0 {
            Op::Load { to } => to.channels * to.grid.n * to.grid.h * to.grid.w,
            Op::Conv { .. }
            | Op::Pack { .. }
            | Op::Enlarge { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Linear { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => 0,
        }
    }

    /// Elements of the result that it writes.
    pub(in crate::engine) fn result(&self) -> usize {
        match self.0 {
            Op::StoreMap { from } => from.channels * from.grid.n * from.grid.h * from.grid.w,
            Op::StoreRow { from } => from.elements(),
            Op::Load { .. }
            | Op::Conv { .. }
            | Op::Pack { .. }
            | Op::Enlarge { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Linear { .. }
            | Op::Gate { .. } => 0,
        }
    }
}

/// Weights as f16, two to an element, and what one stands for in them.
fn in_halves(mut weights: Vec<f32>) -> (Vec<f32>, f32) {
    let step = weight_step(Format::F16, 1.0, std::iter::once(weights.as_slice()));
    weights.iter_mut().for_each(|weight| *weight /= step);
    (halves(&weights), step)
}

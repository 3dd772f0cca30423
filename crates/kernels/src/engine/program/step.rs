//! A step of a program: one operation that is ready to run.

use super::form::Ready;
use super::op::{Op, Operand};
use super::packed::Packed;
use crate::engine::layout::grid::Grid;
use crate::engine::layout::map::Map;
use crate::engine::quant::format::Format;

/// An operation of a program, prepared for the program's target. A [`ProgramBuilder`](crate::engine::ProgramBuilder) alone makes
/// steps, so none can run on another target.
#[derive(Debug)]
pub struct Step(pub(super) Op<Ready>);

impl Step {
    /// Returns the multiply-accumulates of a convolution or linear layer by its definition, however it is computed; 0 for other
    /// operations.
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
            | Op::Upsample { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => 0,
        };
        macs as u64
    }

    /// Returns the format of the operands that are multiplied with weights; `None` for an operation without weights.
    pub fn format(&self) -> Option<Format> {
        match &self.0 {
            Op::Conv { conv, .. } => Some(conv.format()),
            Op::Linear { linear, .. } => Some(linear.format()),
            Op::Load { .. }
            | Op::Pack { .. }
            | Op::Upsample { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => None,
        }
    }

    /// Returns the bytes of packed weights and biases.
    pub fn weight_bytes(&self) -> usize {
        match &self.0 {
            Op::Conv { conv, .. } => conv.weight_bytes(),
            Op::Linear { linear, .. } => linear.weight_bytes(),
            Op::Load { .. }
            | Op::Pack { .. }
            | Op::Upsample { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => 0,
        }
    }

    /// The packed weights, for a program to gather.
    pub(super) fn packed_mut(&mut self) -> Option<&mut Packed> {
        match &mut self.0 {
            Op::Conv { conv, .. } => Some(conv.weights_mut()),
            Op::Linear { linear, .. } => Some(linear.weights_mut()),
            Op::Load { .. }
            | Op::Pack { .. }
            | Op::Upsample { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => None,
        }
    }

    /// Elements of scratch memory that a thread needs.
    pub(super) fn scratch(&self) -> usize {
        match &self.0 {
            Op::Conv { conv, .. } => conv.scratch(),
            Op::Load { .. }
            | Op::Pack { .. }
            | Op::Upsample { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Linear { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => 0,
        }
    }

    /// The map that a convolution reads.
    pub(super) fn convolved(&self) -> Option<Map> {
        match self.0 {
            Op::Conv { from, .. } => Some(from),
            Op::Load { .. }
            | Op::Pack { .. }
            | Op::Upsample { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Linear { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => None,
        }
    }

    /// The map that the operation writes.
    pub(super) fn written(&self) -> Option<Map> {
        match self.0.output()? {
            Operand::Map(map) => Some(*map),
            Operand::Row(_) => None,
        }
    }

    /// Elements of the images that it reads and of the results up to the last that it writes.
    pub(super) fn lengths(&self) -> Lengths {
        let (images, results) = match self.0 {
            Op::Load { to } => (to.pixels(), 0),
            Op::StoreMap { from, at } => (0, at + from.pixels()),
            Op::StoreRow { from, at } => (0, at + from.elements()),
            Op::Conv { .. }
            | Op::Pack { .. }
            | Op::Upsample { .. }
            | Op::Add { .. }
            | Op::Pool { .. }
            | Op::Linear { .. }
            | Op::Gate { .. } => (0, 0),
        };
        Lengths { images, results }
    }
}

/// Elements that a program reads and writes outside of its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) images: usize,
    pub(super) results: usize,
}

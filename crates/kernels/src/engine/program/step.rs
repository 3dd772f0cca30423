//! A step of a program: one operation that is ready to run.

use super::form::Ready;
use super::op::Op;
use super::parts::{OpLayer, Operand};
use crate::engine::layout::map::Map;
use crate::engine::quant::format::Format;

/// An operation of a program, prepared for the program's target. A [`ProgramBuilder`](crate::engine::ProgramBuilder) alone makes
/// steps, so none can run on another target.
#[derive(Debug)]
pub struct Step(pub(super) Op<Ready>);

impl Step {
    fn layer(&self) -> Option<OpLayer<'_, Ready>> {
        self.0.parts().layer
    }

    /// Returns the multiply-accumulates of a convolution or linear layer by its definition, however it is computed; 0 for other
    /// operations.
    pub fn macs(&self) -> u64 {
        let (Some(layer), Some(output)) = (self.layer(), self.0.output()) else {
            return 0;
        };
        let weights = match layer {
            OpLayer::Conv(conv) => conv.shape().weights(),
            OpLayer::Linear(linear) => linear.inputs() * linear.outputs(),
        };
        let times = match output {
            Operand::Map(map) => map.grid.n * map.grid.h * map.grid.w,
            Operand::Row(row) => row.n,
        };
        (times * weights) as u64
    }

    /// Returns the format of the operands that are multiplied with weights; `None` for an operation without weights.
    pub fn format(&self) -> Option<Format> {
        self.layer().map(|layer| match layer {
            OpLayer::Conv(conv) => conv.format(),
            OpLayer::Linear(linear) => linear.format(),
        })
    }

    /// Returns `true` if a matrix unit multiplies, and `false` if the vector unit does, or if nothing is multiplied.
    pub fn is_on_tiles(&self) -> bool {
        self.layer().is_some_and(|layer| match layer {
            OpLayer::Conv(conv) => conv.is_on_tiles(),
            OpLayer::Linear(_) => false,
        })
    }

    /// Returns the bytes of packed weights and biases.
    pub fn weight_bytes(&self) -> usize {
        self.layer().map_or(0, |layer| match layer {
            OpLayer::Conv(conv) => conv.weight_bytes(),
            OpLayer::Linear(linear) => linear.weight_bytes(),
        })
    }

    /// Elements of scratch memory that a thread needs.
    pub(super) fn scratch(&self) -> usize {
        self.layer().map_or(0, |layer| match layer {
            OpLayer::Conv(conv) => conv.scratch(),
            OpLayer::Linear(_) => 0,
        })
    }

    /// The map that a convolution reads.
    pub(super) fn convolved(&self) -> Option<Map> {
        let Op::Conv { from, .. } = self.0 else {
            return None;
        };
        Some(from)
    }

    /// The map that the operation writes.
    pub(super) fn written(&self) -> Option<Map> {
        match self.0.output()? {
            Operand::Map(map) => Some(*map),
            Operand::Row(_) => None,
        }
    }
}

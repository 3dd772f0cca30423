//! The values of a program: where they lie in its memory, and the layer that has weights of its own.

use crate::engine::layout::grid::Grid;
use crate::engine::quant::format::Format;

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
    /// What the weights are kept in: f32 or f16. Products are f32.
    pub format: Format,
}

impl Activation {
    pub(in crate::engine) fn of(self, x: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Relu => x.max(0.0),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        }
    }
}

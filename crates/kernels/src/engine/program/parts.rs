//! The parts of an operation of any kind: its values, its layer, and what it does to its output last.

use std::borrow::Cow;

use super::op::Form;
use crate::engine::algo::linear::Activation;

/// The use that an operation makes of one of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads the value; its output must lie elsewhere.
    Read,
    /// It reads the value to add it to its output, which must lie elsewhere.
    Added,
    /// It reads each element before it writes the same element of its output, which may lie in the same memory.
    InPlace,
    /// It writes the value.
    Write,
    /// It writes the value, which must lie apart from all others.
    WriteApart,
}

impl Access {
    /// Returns `true` if the operation makes the value.
    pub fn writes(self) -> bool {
        matches!(self, Self::Write | Self::WriteApart)
    }
}

/// A value of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand<M, R> {
    /// A batch of maps.
    Map(M),
    /// A batch of vectors.
    Row(R),
}

/// The parts of an operation: one description, from which checks, live ranges, listings and counts come.
#[derive(Debug)]
pub struct Parts<'a, F: Form> {
    /// The name in listings, with what distinguishes the operation from others of its kind.
    pub name: Cow<'static, str>,
    /// The values, in order: what is read, then what is written.
    pub operands: Operands<'a, F>,
    /// The last function that the output goes through.
    pub activation: Activation,
    /// The parameters of an operation that multiplies its input with weights.
    pub layer: Option<OpLayer<'a, F>>,
}

/// The parameters of an operation with weights.
#[derive(Debug)]
pub enum OpLayer<'a, F: Form> {
    /// A convolution.
    Conv(&'a F::Conv),
    /// A linear layer.
    Linear(&'a F::Linear),
}

impl<'a, F: Form> Parts<'a, F> {
    pub(super) fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            operands: Vec::new(),
            activation: Activation::None,
            layer: None,
        }
    }

    pub(super) fn with(mut self, access: Access, operand: Operand<&'a F::Map, &'a F::Row>) -> Self {
        self.operands.push((access, operand));
        self
    }

    pub(super) fn reads(self, map: &'a F::Map) -> Self {
        self.with(Access::Read, Operand::Map(map))
    }

    pub(super) fn reads_row(self, row: &'a F::Row) -> Self {
        self.with(Access::Read, Operand::Row(row))
    }

    pub(super) fn reads_in_place(self, map: &'a F::Map) -> Self {
        self.with(Access::InPlace, Operand::Map(map))
    }

    pub(super) fn adds(self, sum: &'a Option<F::Map>) -> Self {
        match sum {
            Some(sum) => self.reads_in_place(sum),
            None => self,
        }
    }

    pub(super) fn adds_operands(self, operands: &'a Option<F::Map>) -> Self {
        match operands {
            Some(operands) => self.with(Access::Added, Operand::Map(operands)),
            None => self,
        }
    }

    pub(super) fn writes(self, map: &'a F::Map) -> Self {
        self.with(Access::Write, Operand::Map(map))
    }

    pub(super) fn writes_apart(self, map: &'a F::Map) -> Self {
        self.with(Access::WriteApart, Operand::Map(map))
    }

    pub(super) fn writes_row(self, row: &'a F::Row) -> Self {
        self.with(Access::Write, Operand::Row(row))
    }

    pub(super) fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    pub(super) fn relu(self, relu: bool) -> Self {
        self.activation(if relu { Activation::Relu } else { Activation::None })
    }

    pub(super) fn layer(self, layer: OpLayer<'a, F>) -> Self {
        Self {
            layer: Some(layer),
            ..self
        }
    }
}

/// The changes that an operation can make to its output before it writes it.
#[derive(Debug)]
pub enum Epilogue<'a, F: Form> {
    /// Adds a map, then applies a ReLU.
    SumThenRelu {
        /// The map that is added.
        sum: &'a mut Option<F::Map>,
        /// `true` if a ReLU comes last.
        relu: &'a mut bool,
    },
    /// Applies an activation.
    Activation(&'a mut Activation),
    /// Nothing.
    None,
}

/// The values of an operation, and how it uses them.
pub type Operands<'a, F> = Vec<(Access, Operand<&'a <F as Form>::Map, &'a <F as Form>::Row>)>;

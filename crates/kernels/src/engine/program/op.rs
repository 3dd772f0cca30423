//! The engine's one language of operations.
//!
//! A network is compiled by passes over the same [`Op`]s. Each [`Form`] says how an operation names its values and what it
//! holds of its parameters in one stage:
//!
//! ```text
//! Op<Fused>      values by number, layers by node            made by a planner from a graph
//!    │ Pass      each value gets a place, each layer its parameters
//! Op<Placed>     maps and rows in memory, weights as read    given to a ProgramBuilder
//!    │ Pass      weights packed and tables computed for the builder's target
//! Op<Ready>      what a Program runs
//! ```
//!
//! [`Op::operands`] tells what an operation reads and writes; checks, live ranges and listings come from it. No `match` over
//! an [`Op`] has a wildcard: an operation that is added stops the build wherever it must be looked at.

use std::fmt::Debug;

use crate::engine::algo::linear::Activation;
use crate::engine::quant::format::Packing;

/// How operations name values and parameters in one stage of compilation.
pub trait Form {
    /// A batch of maps, `[n, channels, h, w]`.
    type Map: Debug;
    /// A batch of vectors, `[n, channels]`.
    type Row: Debug;
    /// The parameters of a convolution.
    type Conv: Debug;
    /// The parameters of a linear layer.
    type Linear: Debug;
    /// How packing moves pixels from its input's grid to its output's.
    type Pack: Debug;
    /// Where upsampling finds its pixels.
    type Upsample: Debug;
}

/// An operation; the threads of a program share each.
#[derive(Clone, Debug)]
pub enum Op<F: Form> {
    /// Puts the images, `[n, channels, h, w]`, into a map.
    Load {
        /// The map.
        to: F::Map,
    },
    /// A convolution with bias.
    Conv {
        /// Its parameters.
        conv: F::Conv,
        /// Its input, as operands of its format.
        from: F::Map,
        /// A map that is added.
        sum: Option<F::Map>,
        /// A ReLU comes last.
        relu: bool,
        /// Its output.
        to: F::Map,
    },
    /// Converts a map to operands of convolutions, several channels to an element where the format is narrow.
    Pack {
        /// The format, and how numbers are rounded to it.
        packing: Packing,
        /// From the one grid to the other.
        pack: F::Pack,
        /// The map.
        from: F::Map,
        /// The operands.
        to: F::Map,
    },
    /// Nearest-neighbour upsampling by an integer factor.
    Upsample {
        /// Output rows per input row, and columns per column.
        factor: usize,
        /// Where the output's pixels come from.
        table: F::Upsample,
        /// The small map.
        from: F::Map,
        /// A map that is added.
        sum: Option<F::Map>,
        /// A ReLU comes last.
        relu: bool,
        /// The large map.
        to: F::Map,
    },
    /// `a + sum`, or a copy of `a`.
    Add {
        /// One map.
        a: F::Map,
        /// Another one.
        sum: Option<F::Map>,
        /// A ReLU comes last.
        relu: bool,
        /// The result.
        to: F::Map,
    },
    /// The mean of each channel of each image.
    Pool {
        /// The maps.
        from: F::Map,
        /// The means.
        to: F::Row,
    },
    /// A linear layer with bias.
    Linear {
        /// Its parameters.
        linear: F::Linear,
        /// What its sums go through.
        activation: Activation,
        /// Its input.
        from: F::Row,
        /// Its output.
        to: F::Row,
    },
    /// Multiplies each channel of each image by its gate.
    Gate {
        /// The maps.
        from: F::Map,
        /// One factor per channel of each image.
        gate: F::Row,
        /// A map that is added.
        sum: Option<F::Map>,
        /// A ReLU comes last.
        relu: bool,
        /// The result.
        to: F::Map,
    },
    /// Writes a map, `[n, channels, h, w]`, to the program's results.
    StoreMap {
        /// The map.
        from: F::Map,
        /// The first element of the results that it fills.
        at: usize,
    },
    /// Writes vectors, `[n, channels]`, to the program's results.
    StoreRow {
        /// The vectors.
        from: F::Row,
        /// The first element of the results that they fill.
        at: usize,
    },
}

/// How an operation uses one of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads the value; its output must lie elsewhere.
    Read,
    /// It reads each element before it writes the same element of its output, which may lie in the same memory.
    InPlace,
    /// It writes the value.
    Write,
}

/// A value of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand<M, R> {
    /// A batch of maps.
    Map(M),
    /// A batch of vectors.
    Row(R),
}

/// A translation of operations from form `A` to form `B`, value by value and layer by layer. [`Op::pass`] calls it for what is
/// read before what is written, and for parameters and tables last.
pub trait Pass<A: Form, B: Form> {
    /// Why an operation cannot be translated.
    type Error;

    /// Translates a map.
    fn map(&mut self, access: Access, map: A::Map) -> Result<B::Map, Self::Error>;

    /// Translates a row.
    fn row(&mut self, access: Access, row: A::Row) -> Result<B::Row, Self::Error>;

    /// Translates the parameters of a convolution between these maps.
    fn conv(&mut self, conv: A::Conv, from: &B::Map, to: &B::Map) -> Result<B::Conv, Self::Error>;

    /// Translates the parameters of a linear layer.
    fn linear(&mut self, linear: A::Linear) -> Result<B::Linear, Self::Error>;

    /// Translates what packing holds of its grids.
    fn pack(&mut self, pack: A::Pack, from: &B::Map, to: &B::Map) -> Result<B::Pack, Self::Error>;

    /// Translates the table of upsampling by `factor`.
    fn upsample(
        &mut self,
        table: A::Upsample,
        factor: usize,
        from: &B::Map,
        to: &B::Map,
    ) -> Result<B::Upsample, Self::Error>;
}

impl<F: Form> Op<F> {
    /// Returns the values that the operation uses: what it reads, then what it writes.
    pub fn operands(&self) -> Vec<(Access, Operand<&F::Map, &F::Row>)> {
        use Access::{InPlace, Read, Write};
        let map = |access, map| (access, Operand::Map(map));
        let row = |access, row| (access, Operand::Row(row));
        let sum = |sum| Option::as_ref(sum).map(|sum| map(InPlace, sum));
        match self {
            Self::Load { to } => vec![map(Write, to)],
            Self::Conv {
                from, sum: added, to, ..
            }
            | Self::Upsample {
                from, sum: added, to, ..
            } => [map(Read, from)]
                .into_iter()
                .chain(sum(added))
                .chain([map(Write, to)])
                .collect(),
            Self::Pack { from, to, .. } => vec![map(Read, from), map(Write, to)],
            Self::Add {
                a, sum: added, to, ..
            } => [map(InPlace, a)]
                .into_iter()
                .chain(sum(added))
                .chain([map(Write, to)])
                .collect(),
            Self::Pool { from, to } => vec![map(Read, from), row(Write, to)],
            Self::Linear { from, to, .. } => vec![row(Read, from), row(Write, to)],
            Self::Gate {
                from,
                gate,
                sum: added,
                to,
                ..
            } => [row(Read, gate), map(InPlace, from)]
                .into_iter()
                .chain(sum(added))
                .chain([map(Write, to)])
                .collect(),
            Self::StoreMap { from, .. } => vec![map(Read, from)],
            Self::StoreRow { from, .. } => vec![row(Read, from)],
        }
    }

    /// Returns the value that the operation writes; `None` for one that stores results.
    pub fn output(&self) -> Option<Operand<&F::Map, &F::Row>> {
        let mut operands = self.operands().into_iter();
        operands.find_map(|(access, operand)| (access == Access::Write).then_some(operand))
    }

    /// Returns where the operation takes a map that it adds; `None` if it has no such place.
    pub fn sum_mut(&mut self) -> Option<&mut Option<F::Map>> {
        match self {
            Self::Conv { sum, .. }
            | Self::Upsample { sum, .. }
            | Self::Add { sum, .. }
            | Self::Gate { sum, .. } => Some(sum),
            Self::Load { .. }
            | Self::Pack { .. }
            | Self::Pool { .. }
            | Self::Linear { .. }
            | Self::StoreMap { .. }
            | Self::StoreRow { .. } => None,
        }
    }

    /// Applies an activation to the operation's output, after its sum; returns false, and changes nothing, if the operation
    /// cannot do that.
    #[must_use]
    pub fn activate(&mut self, with: Activation) -> bool {
        match self {
            Self::Conv { relu, .. }
            | Self::Upsample { relu, .. }
            | Self::Add { relu, .. }
            | Self::Gate { relu, .. } => {
                let can = with == Activation::Relu;
                *relu |= can;
                can
            }
            Self::Linear { activation, .. } => {
                let can = *activation == Activation::None;
                if can {
                    *activation = with;
                }
                can
            }
            Self::Load { .. }
            | Self::Pack { .. }
            | Self::Pool { .. }
            | Self::StoreMap { .. }
            | Self::StoreRow { .. } => false,
        }
    }

    /// Translates the operation to another form.
    ///
    /// # Errors
    /// The pass's.
    pub fn pass<B: Form, P: Pass<F, B>>(self, pass: &mut P) -> Result<Op<B>, P::Error> {
        use Access::{InPlace, Read, Write};
        Ok(match self {
            Self::Load { to } => Op::Load {
                to: pass.map(Write, to)?,
            },
            Self::Conv {
                conv,
                from,
                sum,
                relu,
                to,
            } => {
                let from = pass.map(Read, from)?;
                let sum = sum.map(|sum| pass.map(InPlace, sum)).transpose()?;
                let to = pass.map(Write, to)?;
                let conv = pass.conv(conv, &from, &to)?;
                Op::Conv {
                    conv,
                    from,
                    sum,
                    relu,
                    to,
                }
            }
            Self::Pack {
                packing,
                pack,
                from,
                to,
            } => {
                let (from, to) = (pass.map(Read, from)?, pass.map(Write, to)?);
                let pack = pass.pack(pack, &from, &to)?;
                Op::Pack {
                    packing,
                    pack,
                    from,
                    to,
                }
            }
            Self::Upsample {
                factor,
                table,
                from,
                sum,
                relu,
                to,
            } => {
                let from = pass.map(Read, from)?;
                let sum = sum.map(|sum| pass.map(InPlace, sum)).transpose()?;
                let to = pass.map(Write, to)?;
                let table = pass.upsample(table, factor, &from, &to)?;
                Op::Upsample {
                    factor,
                    table,
                    from,
                    sum,
                    relu,
                    to,
                }
            }
            Self::Add { a, sum, relu, to } => {
                let a = pass.map(InPlace, a)?;
                let sum = sum.map(|sum| pass.map(InPlace, sum)).transpose()?;
                let to = pass.map(Write, to)?;
                Op::Add { a, sum, relu, to }
            }
            Self::Pool { from, to } => Op::Pool {
                from: pass.map(Read, from)?,
                to: pass.row(Write, to)?,
            },
            Self::Linear {
                linear,
                activation,
                from,
                to,
            } => Op::Linear {
                from: pass.row(Read, from)?,
                to: pass.row(Write, to)?,
                linear: pass.linear(linear)?,
                activation,
            },
            Self::Gate {
                from,
                gate,
                sum,
                relu,
                to,
            } => {
                let gate = pass.row(Read, gate)?;
                let from = pass.map(InPlace, from)?;
                let sum = sum.map(|sum| pass.map(InPlace, sum)).transpose()?;
                let to = pass.map(Write, to)?;
                Op::Gate {
                    from,
                    gate,
                    sum,
                    relu,
                    to,
                }
            }
            Self::StoreMap { from, at } => Op::StoreMap {
                from: pass.map(Read, from)?,
                at,
            },
            Self::StoreRow { from, at } => Op::StoreRow {
                from: pass.row(Read, from)?,
                at,
            },
        })
    }
}

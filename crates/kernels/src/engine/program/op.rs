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
//! [`Op::parts`] describes an operation: what it reads, writes and may do in place, its layer and its activation. Checks, live
//! ranges, listings and counts come from it. No `match` over
//! an [`Op`] has a wildcard: an operation that is added stops the build wherever it must be looked at.

use std::fmt::Debug;

use super::parts::{Access, Epilogue, OpLayer, Operand, Operands, Parts};
use crate::engine::algo::linear::Activation;
use crate::engine::algo::upsample::Interpolation;
use crate::engine::quant::format::Packing;

/// The types that name values and parameters of operations in one stage of compilation.
pub trait Form {
    /// A batch of maps, `[n, channels, h, w]`.
    type Map: Debug;
    /// A batch of vectors, `[n, channels]`.
    type Row: Debug;
    /// The parameters of a convolution.
    type Conv: Debug;
    /// The parameters of a linear layer.
    type Linear: Debug;
    /// The way of packed pixels from the grid of the input to that of the output.
    type Pack: Debug;
    /// The source of each upsampled pixel.
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
        /// Operands in bf16 and planes that are added in place of a map: half the memory to read, and none to write beside them.
        adds: Option<F::Map>,
        /// A ReLU comes last.
        relu: bool,
        /// Its output; `None` where only operands are wanted.
        to: Option<F::Map>,
        /// Its output as operands of the convolutions that read it.
        packs: Option<Packs<F>>,
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
    /// Upsampling by an integer factor.
    Upsample {
        /// Output rows per input row, and columns per column.
        factor: usize,
        /// The rule by which output pixels are made.
        interpolation: Interpolation,
        /// The source of each output pixel.
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
    /// The channels of several maps, one map after the other.
    Concat {
        /// The maps, on one grid.
        from: Vec<F::Map>,
        /// All their channels.
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
        /// The function that its sums go through.
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

/// Operands that an operation writes beside its output, or in place of it.
#[derive(Clone, Debug)]
pub struct Packs<F: Form> {
    /// The format, and how numbers are rounded to it.
    pub packing: Packing,
    /// The operands.
    pub to: F::Map,
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

    /// Translates the parameters of a convolution of a map to these outputs, of which there is one at least.
    fn conv(
        &mut self,
        conv: A::Conv,
        from: &B::Map,
        to: Option<&B::Map>,
        packs: Option<&Packs<B>>,
    ) -> Result<B::Conv, Self::Error>;

    /// Translates the parameters of a linear layer.
    fn linear(&mut self, linear: A::Linear) -> Result<B::Linear, Self::Error>;

    /// Translates what packing holds of its grids.
    fn pack(
        &mut self,
        pack: A::Pack,
        packing: &Packing,
        from: &B::Map,
        to: &B::Map,
    ) -> Result<B::Pack, Self::Error>;

    /// Translates the table of upsampling.
    fn upsample(
        &mut self,
        table: A::Upsample,
        interpolation: Interpolation,
        from: &B::Map,
        to: &B::Map,
    ) -> Result<B::Upsample, Self::Error>;
}

impl<F: Form> Packs<F> {
    fn pass<B: Form, P: Pass<F, B>>(self, pass: &mut P) -> Result<Packs<B>, P::Error> {
        Ok(Packs {
            packing: self.packing,
            to: pass.map(Access::WriteApart, self.to)?,
        })
    }
}

impl<F: Form> Op<F> {
    /// Returns what the operation is made of.
    pub fn parts(&self) -> Parts<'_, F> {
        match self {
            Self::Load { to } => Parts::new("load").writes(to),
            Self::Conv {
                conv,
                from,
                sum,
                adds,
                relu,
                to,
                packs,
            } => {
                let parts = Parts::new("conv")
                    .layer(OpLayer::Conv(conv))
                    .reads(from)
                    .adds(sum)
                    .adds_operands(adds)
                    .relu(*relu);
                let parts = to.iter().fold(parts, Parts::writes);
                let operands = packs.iter().map(|packs| &packs.to);
                operands.fold(parts, Parts::writes_apart)
            }
            Self::Pack {
                packing, from, to, ..
            } => Parts::new(format!("pack {}", packing.format))
                .reads(from)
                .writes(to),
            Self::Upsample {
                factor,
                interpolation,
                from,
                sum,
                relu,
                to,
                ..
            } => Parts::new(format!("upsample x{factor}{}", interpolation.suffix()))
                .reads(from)
                .adds(sum)
                .relu(*relu)
                .writes(to),
            Self::Add { a, sum, relu, to } => Parts::new("add")
                .reads_in_place(a)
                .adds(sum)
                .relu(*relu)
                .writes(to),
            Self::Concat { from, to } => from.iter().fold(Parts::new("concat"), Parts::reads).writes(to),
            Self::Pool { from, to } => Parts::new("pool").reads(from).writes_row(to),
            Self::Linear {
                linear,
                activation,
                from,
                to,
            } => Parts::new("linear")
                .layer(OpLayer::Linear(linear))
                .reads_row(from)
                .activation(*activation)
                .writes_row(to),
            Self::Gate {
                from,
                gate,
                sum,
                relu,
                to,
            } => Parts::new("gate")
                .reads_in_place(from)
                .reads_row(gate)
                .adds(sum)
                .relu(*relu)
                .writes(to),
            Self::StoreMap { from, .. } => Parts::new("store").reads(from),
            Self::StoreRow { from, .. } => Parts::new("store").reads_row(from),
        }
    }

    /// Returns the values that the operation uses: what it reads, then what it writes.
    pub fn operands(&self) -> Operands<'_, F> {
        self.parts().operands
    }

    /// Returns the value that the operation writes, of several the first one; `None` for one that stores results.
    pub fn output(&self) -> Option<Operand<&F::Map, &F::Row>> {
        let mut operands = self.operands().into_iter();
        operands.find_map(|(access, operand)| access.writes().then_some(operand))
    }

    /// Returns what the operation can do to its output before it writes it.
    pub fn epilogue_mut(&mut self) -> Epilogue<'_, F> {
        match self {
            Self::Conv { sum, relu, .. }
            | Self::Upsample { sum, relu, .. }
            | Self::Add { sum, relu, .. }
            | Self::Gate { sum, relu, .. } => Epilogue::SumThenRelu { sum, relu },
            Self::Linear { activation, .. } => Epilogue::Activation(activation),
            Self::Load { .. }
            | Self::Pack { .. }
            | Self::Concat { .. }
            | Self::Pool { .. }
            | Self::StoreMap { .. }
            | Self::StoreRow { .. } => Epilogue::None,
        }
    }

    /// Returns where the operation takes a map that it adds; `None` if it has no such place.
    pub fn sum_mut(&mut self) -> Option<&mut Option<F::Map>> {
        match self.epilogue_mut() {
            Epilogue::SumThenRelu { sum, .. } => Some(sum),
            Epilogue::Activation(_) | Epilogue::None => None,
        }
    }

    /// Applies an activation to the operation's output, after its sum; returns false, and changes nothing, if the operation
    /// cannot do that.
    #[must_use]
    pub fn activate(&mut self, with: Activation) -> bool {
        match (self.epilogue_mut(), with) {
            (Epilogue::SumThenRelu { relu, .. }, Activation::Relu) => *relu = true,
            (Epilogue::Activation(activation @ Activation::None), with) => *activation = with,
            (Epilogue::SumThenRelu { .. } | Epilogue::Activation(_) | Epilogue::None, _) => return false,
        }
        true
    }

    /// Translates the operation to another form.
    ///
    /// # Errors
    /// The pass's.
    pub fn pass<B: Form, P: Pass<F, B>>(self, pass: &mut P) -> Result<Op<B>, P::Error> {
        use Access::{Added, InPlace, Read, Write};
        Ok(match self {
            Self::Load { to } => Op::Load {
                to: pass.map(Write, to)?,
            },
            Self::Conv {
                conv,
                from,
                sum,
                adds,
                relu,
                to,
                packs,
            } => {
                let from = pass.map(Read, from)?;
                let sum = sum.map(|sum| pass.map(InPlace, sum)).transpose()?;
                let adds = adds.map(|adds| pass.map(Added, adds)).transpose()?;
                let to = to.map(|to| pass.map(Write, to)).transpose()?;
                let packs = packs.map(|packs| packs.pass(pass)).transpose()?;
                let conv = pass.conv(conv, &from, to.as_ref(), packs.as_ref())?;
                Op::Conv {
                    conv,
                    from,
                    sum,
                    adds,
                    relu,
                    to,
                    packs,
                }
            }
            Self::Pack {
                packing,
                pack,
                from,
                to,
            } => {
                let (from, to) = (pass.map(Read, from)?, pass.map(Write, to)?);
                let pack = pass.pack(pack, &packing, &from, &to)?;
                Op::Pack {
                    packing,
                    pack,
                    from,
                    to,
                }
            }
            Self::Upsample {
                factor,
                interpolation,
                table,
                from,
                sum,
                relu,
                to,
            } => {
                let from = pass.map(Read, from)?;
                let sum = sum.map(|sum| pass.map(InPlace, sum)).transpose()?;
                let to = pass.map(Write, to)?;
                let table = pass.upsample(table, interpolation, &from, &to)?;
                Op::Upsample {
                    factor,
                    interpolation,
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
            Self::Concat { from, to } => Op::Concat {
                from: from
                    .into_iter()
                    .map(|map| pass.map(Read, map))
                    .collect::<Result<_, _>>()?,
                to: pass.map(Write, to)?,
            },
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

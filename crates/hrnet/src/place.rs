//! The identity of a node as data: the unit of the network that it stands in, and its role there.
//!
//! The text of a [`Place`] is the node's name, the one that the layer has in the original HRNet checkpoints. Names are only
//! made, never taken apart: code that knows a name looks its node up with [`Graph::find`](crate::Graph::find).

use std::fmt;

use crate::ParamKind;

/// The identity of a node in its graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The batch of images.
    Input,
    /// A node of an HRNet.
    In(Unit, Role),
    /// A node of any other graph, by its name.
    Named(String),
}

/// A unit of an HRNet: a block, or a convolution with what belongs to it. All numbers count from 0, but for stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// The two convolutions before stage 1.
    Stem,
    /// A bottleneck of stage 1.
    StageOne {
        /// The bottleneck.
        block: usize,
    },
    /// The convolution that makes a branch of stage `number + 1`.
    Transition {
        /// The transition, from 1: the number of the stage before it, and of the branches of that stage.
        number: usize,
        /// The branch that it makes, a new one if it is equal to `number`.
        branch: usize,
    },
    /// A basic block.
    Block {
        /// The stage, from 2.
        stage: usize,
        /// The module in its stage.
        module: usize,
        /// The branch in its module.
        branch: usize,
        /// The block in its branch.
        block: usize,
    },
    /// The term that a branch adds to an output of its module: the branch converted to the output's size and channels.
    ExchangeTerm {
        /// The stage, from 2.
        stage: usize,
        /// The module in its stage.
        module: usize,
        /// The branch that is computed.
        output: usize,
        /// The branch that is converted.
        from: usize,
        /// The convolution among those that halve the resolution one after another; `None` for a term that has one
        /// convolution, and for the sum up to this term.
        step: Option<usize>,
    },
    /// An output of a module, the sum of its terms.
    ExchangeOutput {
        /// The stage, from 2.
        stage: usize,
        /// The module in its stage.
        module: usize,
        /// The branch that is computed.
        output: usize,
    },
    /// The head's bottleneck at the end of a branch.
    HeadBlock {
        /// The branch.
        branch: usize,
    },
    /// The head's convolution from a branch to the next.
    HeadDown {
        /// The branch that is reduced.
        from: usize,
    },
    /// The head's last convolution.
    HeadFinal,
    /// The pool and the linear layer.
    Classifier,
    /// The convolution that computes heatmaps.
    Heatmaps,
}

/// The role of a node in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A convolution.
    Conv(Layer),
    /// The batch norm of a convolution.
    BatchNorm(Layer),
    /// The ReLU of a convolution.
    Relu(Layer),
    /// A node of a block's squeeze-and-excitation.
    Gate(Gate),
    /// The enlargement of a term.
    Upsample,
    /// The sum of a block and its shortcut, or of a term and those before it.
    Add,
    /// The ReLU of the last sum.
    AddRelu,
    /// The pool before the linear layer.
    GlobalPool,
    /// The linear layer that computes the logits.
    Linear,
    /// The convolution that computes heatmaps.
    FinalConv,
}

/// A convolution of a unit, with its batch norm and its ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The only one of its unit.
    Only,
    /// One of those that follow each other in a block or in the stem, from 1.
    Numbered(usize),
    /// The one on the shortcut of a bottleneck.
    Shortcut,
}

/// A node of squeeze-and-excitation: the pool, two linear layers with their activations, and the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    /// The mean of each channel.
    Pool,
    /// The linear layer to fewer channels.
    Squeeze,
    /// The ReLU of the first linear layer.
    Relu,
    /// The linear layer back to all channels.
    Excite,
    /// The logistic function, which makes the factors.
    Sigmoid,
    /// The product of the map and its factors.
    Scale,
}

impl Unit {
    /// Returns the place of the node with this role in the unit.
    pub const fn at(self, role: Role) -> Place {
        Place::In(self, role)
    }
}

/// A place in a graph that is no HRNet.
impl From<&str> for Place {
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

impl Place {
    /// Returns the canonical name of a parameter of the node at this place: the one in an original HRNet (and timm) checkpoint.
    pub fn param_name(&self, kind: ParamKind) -> String {
        format!("{self}.{}", kind.name())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => f.write_str("input"),
            Self::In(unit, role) => {
                unit.write_prefix(f)?;
                role.fmt(f)
            }
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl Unit {
    /// Writes what is before the role in the names of the unit's nodes.
    fn write_prefix(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stem | Self::Classifier | Self::Heatmaps => Ok(()),
            Self::StageOne { block } => write!(f, "layer1.{block}."),
            // In PyTorch, the sequence of a new branch holds the sequence of its only convolution.
            Self::Transition { number, branch } if number == branch => {
                write!(f, "transition{number}.{branch}.0.")
            }
            Self::Transition { number, branch } => write!(f, "transition{number}.{branch}."),
            Self::Block {
                stage,
                module,
                branch,
                block,
            } => write!(f, "stage{stage}.{module}.branches.{branch}.{block}."),
            Self::ExchangeTerm {
                stage,
                module,
                output,
                from,
                step,
            } => {
                write!(f, "stage{stage}.{module}.fuse_layers.{output}.{from}.")?;
                step.map_or(Ok(()), |step| write!(f, "{step}."))
            }
            Self::ExchangeOutput {
                stage,
                module,
                output,
            } => write!(f, "stage{stage}.{module}.fuse_layers.{output}."),
            Self::HeadBlock { branch } => write!(f, "incre_modules.{branch}.0."),
            Self::HeadDown { from } => write!(f, "downsamp_modules.{from}."),
            Self::HeadFinal => f.write_str("final_layer."),
        }
    }
}

/// The last part of the names of nodes with this role.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // In PyTorch's sequences, the convolution is part 0, the batch norm 1, the enlargement 2.
            Self::Conv(Layer::Only) => f.write_str("0"),
            Self::Conv(Layer::Numbered(number)) => write!(f, "conv{number}"),
            Self::Conv(Layer::Shortcut) => f.write_str("downsample.0"),
            Self::BatchNorm(Layer::Only) => f.write_str("1"),
            Self::BatchNorm(Layer::Numbered(number)) => write!(f, "bn{number}"),
            Self::BatchNorm(Layer::Shortcut) => f.write_str("downsample.1"),
            Self::Relu(layer) => write!(f, "{}.relu", Self::BatchNorm(*layer)),
            Self::Gate(gate) => write!(f, "se.{gate}"),
            Self::Upsample => f.write_str("2"),
            Self::Add => f.write_str("add"),
            Self::AddRelu => f.write_str("relu"),
            Self::GlobalPool => f.write_str("global_pool"),
            Self::Linear => f.write_str("classifier"),
            Self::FinalConv => f.write_str("final_layer"),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool => "pool",
            Self::Squeeze => "fc1",
            Self::Relu => "relu",
            Self::Excite => "fc2",
            Self::Sigmoid => "sigmoid",
            Self::Scale => "scale",
        })
    }
}

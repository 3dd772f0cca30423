use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::Serialize;

use crate::{Graph, Node, NodeId, Op};

/// A number of parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Params(pub u64);

/// A number of multiply-accumulate operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Macs(pub u64);

macro_rules! count {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self(0), Add::add)
            }
        }
    };
}
count!(Params);
count!(Macs);

/// The parameters and operations of one node, for the graph's whole batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeProfile {
    /// Parameters that training changes by gradient.
    pub trainable: Params,
    /// Running statistics.
    pub state: Params,
    /// Multiply-accumulates of a convolution or linear layer; zero for every other op.
    pub macs: Macs,
}

impl NodeProfile {
    fn of(node: &Node) -> Self {
        let (mut trainable, mut state) = (0, 0);
        for param in node.params() {
            *if param.kind.trainable() {
                &mut trainable
            } else {
                &mut state
            } += param.elements() as u64;
        }
        let outputs = node.shape.elements() as u64;
        let macs = match node.op {
            Op::Conv(conv) => outputs * (conv.inputs * conv.kernel * conv.kernel) as u64,
            Op::Linear(linear) => outputs * linear.inputs as u64,
            Op::Input
            | Op::BatchNorm
            | Op::Relu
            | Op::Sigmoid
            | Op::Add
            | Op::Scale
            | Op::Concat
            | Op::Upsample(_)
            | Op::GlobalAvgPool => 0,
        };
        Self {
            trainable: Params(trainable),
            state: Params(state),
            macs: Macs(macs),
        }
    }
}

/// The element counts from which every published counting rule can be computed; see
/// [`CountingRule`](crate::CountingRule).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// Elements of convolution weights.
    pub conv_weights: u64,
    /// Elements of their biases.
    pub conv_biases: u64,
    /// Channels over all batch norms.
    pub bn_channels: u64,
    /// Elements of linear layers' weights.
    pub linear_weights: u64,
    /// Elements of their biases.
    pub linear_biases: u64,
    /// Multiply-accumulates of convolutions.
    pub conv_macs: u64,
    /// Multiply-accumulates of linear layers.
    pub linear_macs: u64,
    /// Elements that batch norms write.
    pub bn_elements: u64,
    /// Elements that ReLU and sigmoid write.
    pub activation_elements: u64,
    /// Elements that enlargements write.
    pub upsample_elements: u64,
    /// Elements that global average pools read.
    pub pool_inputs: u64,
    /// Elements that global average pools write.
    pub pool_outputs: u64,
    /// Nodes of each op.
    pub ops: OpCounts,
}

/// The number of nodes of each kind in a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are named after the ops they count")]
pub struct OpCounts {
    pub conv: u64,
    pub batch_norm: u64,
    pub relu: u64,
    pub sigmoid: u64,
    pub add: u64,
    pub scale: u64,
    pub concat: u64,
    pub upsample: u64,
    pub global_avg_pool: u64,
    pub linear: u64,
}

impl Graph {
    /// Returns the parameters and multiply-accumulates of each node.
    pub fn node_profiles(&self) -> impl Iterator<Item = (NodeId, &Node, NodeProfile)> {
        self.iter().map(|(id, node)| (id, node, NodeProfile::of(node)))
    }

    /// Returns the counts of the whole network, for its whole batch.
    pub fn profile(&self) -> Profile {
        let mut p = Profile::default();
        for (_, node, own) in self.node_profiles() {
            let elements = node.shape.elements() as u64;
            match node.op {
                Op::Input => {}
                Op::Conv(conv) => {
                    let biases = if conv.bias { conv.outputs as u64 } else { 0 };
                    p.ops.conv += 1;
                    p.conv_biases += biases;
                    p.conv_weights += own.trainable.0 - biases;
                    p.conv_macs += own.macs.0;
                }
                Op::BatchNorm => {
                    p.ops.batch_norm += 1;
                    p.bn_channels += node.shape.c as u64;
                    p.bn_elements += elements;
                }
                Op::Relu => {
                    p.ops.relu += 1;
                    p.activation_elements += elements;
                }
                Op::Sigmoid => {
                    p.ops.sigmoid += 1;
                    p.activation_elements += elements;
                }
                Op::Add => p.ops.add += 1,
                Op::Scale => p.ops.scale += 1,
                Op::Concat => p.ops.concat += 1,
                Op::Upsample(_) => {
                    p.ops.upsample += 1;
                    p.upsample_elements += elements;
                }
                Op::GlobalAvgPool => {
                    p.ops.global_avg_pool += 1;
                    p.pool_inputs += self.node(node.inputs[0]).shape.elements() as u64;
                    p.pool_outputs += elements;
                }
                Op::Linear(linear) => {
                    p.ops.linear += 1;
                    p.linear_weights += (linear.inputs * linear.outputs) as u64;
                    p.linear_biases += linear.outputs as u64;
                    p.linear_macs += own.macs.0;
                }
            }
        }
        p
    }
}

impl Profile {
    /// Returns the number of parameters that training changes by gradient: PyTorch's count.
    pub fn trainable(&self) -> Params {
        let convolutions = self.conv_weights + self.conv_biases;
        Params(convolutions + 2 * self.bn_channels + self.linear_weights + self.linear_biases)
    }

    /// Returns the number of elements of the state dict, running statistics included.
    pub fn state_dict(&self) -> Params {
        self.trainable() + Params(2 * self.bn_channels)
    }

    /// Returns the multiply-accumulates of convolutions and linear layers.
    pub fn macs(&self) -> Macs {
        Macs(self.conv_macs + self.linear_macs)
    }
}

use crate::{Param, ParamKind, Place, Shape};

/// The position of a node in its graph; inputs always come before their users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The index into [`Graph::nodes`].
    pub const fn index(self) -> usize {
        self.0
    }
}

/// A square convolution, padded by `(kernel - 1) / 2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Side of the kernel: 1 or 3 in an HRNet.
    pub kernel: usize,
    /// Step between output pixels.
    pub stride: usize,
    /// `true` if it adds a number per output channel. One before a batch norm has none.
    pub bias: bool,
}

impl Conv {
    /// Returns the number of zero pixels added on each side.
    pub const fn padding(&self) -> usize {
        (self.kernel - 1) / 2
    }
}

/// A fully connected layer with bias, `y = W x + b` with `W` of shape `[outputs, inputs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Linear {
    /// Input features.
    pub inputs: usize,
    /// Output features.
    pub outputs: usize,
}

/// Upsampling by an integer factor in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Upsample {
    /// Output rows per input row, and columns per column.
    pub factor: usize,
    /// The rule by which output pixels are made.
    pub interpolation: Interpolation,
}

impl Upsample {
    /// Returns nearest-neighbour upsampling by `factor`.
    pub const fn nearest(factor: usize) -> Self {
        Self {
            factor,
            interpolation: Interpolation::Nearest,
        }
    }

    /// Returns bilinear upsampling by `factor`.
    pub const fn bilinear(factor: usize, align_corners: bool) -> Self {
        Self {
            factor,
            interpolation: Interpolation::Bilinear { align_corners },
        }
    }
}

/// The rule by which pixels are made that lie between those of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// Output pixel `i` is input pixel `floor(i / factor)`.
    Nearest,
    /// Linear in both directions between the centres of the nearest input pixels; beyond the outermost centres their values.
    Bilinear {
        /// `true` if the centres of the corner pixels lie on each other, `false` if their outer corners do. PyTorch's
        /// `align_corners`.
        align_corners: bool,
    },
}

/// The operations of an HRNet. Walkers match it without a wildcard: a new op stops the build in each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The batch of images; every graph has one, first.
    Input,
    /// Two-dimensional convolution.
    Conv(Conv),
    /// Batch norm in inference form, over channels, with [`Op::BATCH_NORM_EPSILON`].
    BatchNorm,
    /// `max(x, 0)`.
    Relu,
    /// Logistic function, in squeeze-and-excitation.
    Sigmoid,
    /// Sum of two equal shapes.
    Add,
    /// Product of a map (first input) with one factor per channel (second input, `h = w = 1`).
    Scale,
    /// The channels of several maps of one size, one map after the other.
    Concat,
    /// Upsampling by an integer factor.
    Upsample(Upsample),
    /// Mean over rows and columns.
    GlobalAvgPool,
    /// Fully connected layer.
    Linear(Linear),
}

impl Op {
    /// Added to the variance by every batch norm, in Paddle as in PyTorch.
    pub const BATCH_NORM_EPSILON: f64 = 1e-5;

    /// Returns the op's name in listings.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Conv(_) => "conv",
            Self::BatchNorm => "batch_norm",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Add => "add",
            Self::Scale => "scale",
            Self::Concat => "concat",
            Self::Upsample(_) => "upsample",
            Self::GlobalAvgPool => "global_avg_pool",
            Self::Linear(_) => "linear",
        }
    }
}

/// One operation of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its identity, unique in the graph.
    pub place: Place,
    /// The operation.
    pub op: Op,
    /// The nodes whose values it reads, in the op's order.
    pub inputs: Vec<NodeId>,
    /// The shape of its value.
    pub shape: Shape,
}

impl Node {
    /// Returns its name, made from its place: unique in the graph, and in an original checkpoint the prefix of the names of its
    /// parameters.
    pub fn name(&self) -> String {
        self.place.to_string()
    }

    /// Returns the parameters that this node reads, in checkpoint order.
    pub fn params(&self) -> Vec<Param> {
        let param = |kind, shape: &[usize]| Param {
            place: self.place.clone(),
            kind,
            shape: shape.to_vec(),
        };
        match self.op {
            Op::Conv(conv) => {
                let shape = [conv.outputs, conv.inputs, conv.kernel, conv.kernel];
                let bias = conv.bias.then(|| param(ParamKind::ConvBias, &[conv.outputs]));
                std::iter::once(param(ParamKind::ConvWeight, &shape))
                    .chain(bias)
                    .collect()
            }
            Op::BatchNorm => vec![
                param(ParamKind::BnWeight, &[self.shape.c]),
                param(ParamKind::BnBias, &[self.shape.c]),
                param(ParamKind::BnMean, &[self.shape.c]),
                param(ParamKind::BnVariance, &[self.shape.c]),
            ],
            Op::Linear(linear) => vec![
                param(ParamKind::LinearWeight, &[linear.outputs, linear.inputs]),
                param(ParamKind::LinearBias, &[linear.outputs]),
            ],
            Op::Input
            | Op::Relu
            | Op::Sigmoid
            | Op::Add
            | Op::Scale
            | Op::Concat
            | Op::Upsample(_)
            | Op::GlobalAvgPool => Vec::new(),
        }
    }
}

/// A result of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name, unique in the graph: `logits`, `stride_4`, `heatmaps`; of any other node that node's name.
    pub name: String,
    /// The meaning of its values.
    pub kind: OutputKind,
    /// The node that computes it.
    pub node: NodeId,
}

/// The meaning of an output's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputKind {
    /// Scores of classes before the softmax, `[n, classes, 1, 1]`.
    Logits,
    /// A map of a feature pyramid, `[n, c, h / stride, w / stride]`.
    Features {
        /// Pixels of the image per pixel of the map, in either direction.
        stride: usize,
    },
    /// A map for each keypoint, `[n, maps, h / 4, w / 4]`.
    Heatmaps,
    /// The value of some node.
    Value,
}

impl Output {
    /// Returns a node's value as an output of the node's name.
    pub(crate) fn value(id: NodeId, node: &Node) -> Self {
        Self {
            name: node.name(),
            kind: OutputKind::Value,
            node: id,
        }
    }
}

/// A network for one input shape: nodes in an order in which they can run, and the outputs among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    nodes: Vec<Node>,
    outputs: Vec<Output>,
}

impl Graph {
    /// The graph of those of these nodes that the outputs need.
    pub(crate) fn new(nodes: Vec<Node>, outputs: &[Output]) -> Self {
        let outputs = outputs.to_vec();
        Self { nodes, outputs }.pruned()
    }

    /// Returns the nodes; inputs stand before their users.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the node with this id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Iterates over the nodes with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes
            .iter()
            .enumerate()
            .map(|(index, node)| (NodeId(index), node))
    }

    /// Returns the shape of the input batch, `[n, 3, h, w]`.
    pub fn input_shape(&self) -> Shape {
        self.nodes[0].shape
    }

    /// Returns the outputs, in order: one of a classifier or a pose network, several of a feature pyramid.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Iterates over the nodes that compute the outputs, in the same order.
    pub fn output_nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.outputs.iter().map(|output| &output.node)
    }

    /// Returns the node of the first output.
    pub fn output_node(&self) -> NodeId {
        self.outputs[0].node
    }

    /// Returns the shape of the first output: of a classifier `[n, classes, 1, 1]`.
    pub fn output_shape(&self) -> Shape {
        self.node(self.output_node()).shape
    }

    /// Iterates over the parameters of the network, in checkpoint order.
    pub fn params(&self) -> impl Iterator<Item = Param> {
        self.nodes.iter().flat_map(Node::params)
    }

    /// Returns the node with this name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.name() == name).map(NodeId)
    }

    /// Returns the node at this place.
    pub fn at(&self, place: &Place) -> Option<NodeId> {
        self.nodes
            .iter()
            .position(|node| node.place == *place)
            .map(NodeId)
    }

    /// Returns the part of the network that computes `last`, with `last` as its output.
    pub fn up_to(&self, last: NodeId) -> Self {
        self.computing(&[last])
    }

    /// Returns the part of the network that computes these nodes, with their values as its outputs in this order. Outputs of the
    /// network itself keep their names and kinds if they are all that is asked for.
    ///
    /// # Panics
    /// If `nodes` is empty.
    pub fn computing(&self, nodes: &[NodeId]) -> Self {
        if self
            .outputs
            .iter()
            .map(|output| output.node)
            .eq(nodes.iter().copied())
        {
            return self.clone();
        }
        let outputs = nodes.iter().map(|id| Output::value(*id, self.node(*id)));
        let outputs = outputs.collect();
        let nodes = self.nodes.clone();
        Self { nodes, outputs }.pruned()
    }

    /// The same graph without the nodes that no output needs.
    fn pruned(self) -> Self {
        let nodes = self.outputs.iter().map(|output| output.node);
        let last = nodes.clone().max().expect("a graph has an output");
        let mut needed = vec![false; last.0 + 1];
        nodes.for_each(|node| needed[node.0] = true);
        for index in (0..=last.0).rev() {
            if needed[index] {
                self.nodes[index]
                    .inputs
                    .iter()
                    .for_each(|input| needed[input.0] = true);
            }
        }
        let mut ids = vec![NodeId(0); last.0 + 1];
        let mut nodes = Vec::new();
        for (index, node) in self.nodes.into_iter().take(last.0 + 1).enumerate() {
            // The input stays first even where a part would not read it.
            if needed[index] || index == 0 {
                ids[index] = NodeId(nodes.len());
                let inputs = node.inputs.iter().map(|input| ids[input.0]).collect();
                nodes.push(Node { inputs, ..node });
            }
        }
        let outputs = self.outputs.into_iter().map(|output| Output {
            node: ids[output.node.0],
            ..output
        });
        Self {
            nodes,
            outputs: outputs.collect(),
        }
    }

    /// Returns the same network for batches of `n` images.
    pub fn with_batch(&self, n: usize) -> Self {
        let node = |node: &Node| Node {
            shape: Shape { n, ..node.shape },
            ..node.clone()
        };
        Self {
            nodes: self.nodes.iter().map(node).collect(),
            outputs: self.outputs.clone(),
        }
    }

    /// Returns true if the graph proves that a node has no values below zero.
    pub fn is_non_negative(&self, id: NodeId) -> bool {
        let node = self.node(id);
        let inputs = || node.inputs.iter().all(|input| self.is_non_negative(*input));
        match node.op {
            Op::Relu | Op::Sigmoid => true,
            Op::Add | Op::Concat | Op::Upsample(_) | Op::Scale | Op::GlobalAvgPool => inputs(),
            Op::Input | Op::Conv(_) | Op::BatchNorm | Op::Linear(_) => false,
        }
    }

    /// Returns the number of nodes that read each node's value; an output counts as one reader more.
    pub fn consumer_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.nodes.len()];
        for input in self.nodes.iter().flat_map(|node| &node.inputs) {
            counts[input.0] += 1;
        }
        for output in &self.outputs {
            counts[output.node.0] += 1;
        }
        counts
    }
}

use crate::{Conv, Graph, Linear, Node, NodeId, Op, Output, Place, Shape, Upsample};

/// The builder of graphs: it computes the shape of each node and refuses inputs that do not fit.
#[derive(Debug)]
pub struct GraphBuilder {
    nodes: Vec<Node>,
}

/// Inputs that do not fit an op.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A map has another number of channels than the layer expects.
    #[error("`{node}` takes {expected} channels, but its input has shape {actual}")]
    Channels {
        /// The layer.
        node: String,
        /// Channels of its weights.
        expected: usize,
        /// The input's shape.
        actual: Shape,
    },
    /// Two maps that are to be combined have shapes that do not fit.
    #[error("`{node}` cannot combine shapes {left} and {right}")]
    Mismatch {
        /// The op.
        node: String,
        /// Shape of its first input.
        left: Shape,
        /// Shape of its second input.
        right: Shape,
    },
}

impl GraphBuilder {
    /// Starts a graph with its input.
    pub fn new(input: Shape) -> (Self, NodeId) {
        let node = Node {
            place: Place::Input,
            op: Op::Input,
            inputs: Vec::new(),
            shape: input,
        };
        (Self { nodes: vec![node] }, NodeId(0))
    }

    /// Returns the shape of a node added before.
    pub fn shape(&self, id: NodeId) -> Shape {
        self.nodes[id.0].shape
    }

    /// Adds a convolution without bias from the channels of `x` to `outputs`.
    pub fn conv(&mut self, place: Place, x: NodeId, outputs: usize, kernel: usize, stride: usize) -> NodeId {
        let conv = Conv {
            inputs: self.shape(x).c,
            outputs,
            kernel,
            stride,
            bias: false,
        };
        self.convolve(place, x, conv)
    }

    /// Adds a convolution with bias, such as the last one of a head.
    pub fn conv_with_bias(
        &mut self,
        place: Place,
        x: NodeId,
        outputs: usize,
        kernel: usize,
        stride: usize,
    ) -> NodeId {
        let conv = Conv {
            inputs: self.shape(x).c,
            outputs,
            kernel,
            stride,
            bias: true,
        };
        self.convolve(place, x, conv)
    }

    fn convolve(&mut self, place: Place, x: NodeId, conv: Conv) -> NodeId {
        let shape = self.shape(x);
        let side = |extent: usize| (extent + 2 * conv.padding() - conv.kernel) / conv.stride + 1;
        let shape = Shape::new(shape.n, conv.outputs, side(shape.h), side(shape.w));
        self.push(place, Op::Conv(conv), vec![x], shape)
    }

    /// Adds batch norm over the channels of `x`.
    pub fn batch_norm(&mut self, place: Place, x: NodeId) -> NodeId {
        self.same_shape(place, Op::BatchNorm, x)
    }

    /// Adds the ReLU of `x`.
    pub fn relu(&mut self, place: Place, x: NodeId) -> NodeId {
        self.same_shape(place, Op::Relu, x)
    }

    /// Adds the logistic function of `x`.
    pub fn sigmoid(&mut self, place: Place, x: NodeId) -> NodeId {
        self.same_shape(place, Op::Sigmoid, x)
    }

    /// Adds the sum of two maps.
    ///
    /// # Errors
    /// If their shapes differ.
    pub fn add(&mut self, place: Place, a: NodeId, b: NodeId) -> Result<NodeId, GraphError> {
        let (left, right) = (self.shape(a), self.shape(b));
        if left != right {
            return Err(GraphError::Mismatch {
                node: place.to_string(),
                left,
                right,
            });
        }
        Ok(self.push(place, Op::Add, vec![a, b], left))
    }

    /// Adds the channels of several maps, one map after the other.
    ///
    /// # Errors
    /// If their sizes differ.
    ///
    /// # Panics
    /// If there are no maps.
    pub fn concat(&mut self, place: Place, maps: &[NodeId]) -> Result<NodeId, GraphError> {
        let first = self.shape(*maps.first().expect("maps to concatenate"));
        let mut c = 0;
        for map in maps {
            let shape = self.shape(*map);
            if (Shape { c: first.c, ..shape }) != first {
                return Err(GraphError::Mismatch {
                    node: place.to_string(),
                    left: first,
                    right: shape,
                });
            }
            c += shape.c;
        }
        Ok(self.push(place, Op::Concat, maps.to_vec(), Shape { c, ..first }))
    }

    /// Adds the map `x` with each channel multiplied by its factor in `gate`.
    ///
    /// # Errors
    /// If `gate` is not one factor per channel of each image.
    pub fn scale(&mut self, place: Place, x: NodeId, gate: NodeId) -> Result<NodeId, GraphError> {
        let (left, right) = (self.shape(x), self.shape(gate));
        if right != Shape::new(left.n, left.c, 1, 1) {
            return Err(GraphError::Mismatch {
                node: place.to_string(),
                left,
                right,
            });
        }
        Ok(self.push(place, Op::Scale, vec![x, gate], left))
    }

    /// Adds `x` upsampled.
    pub fn upsample(&mut self, place: Place, x: NodeId, by: Upsample) -> NodeId {
        let Shape { n, c, h, w } = self.shape(x);
        let shape = Shape::new(n, c, h * by.factor, w * by.factor);
        self.push(place, Op::Upsample(by), vec![x], shape)
    }

    /// Adds the mean of each channel of `x`.
    pub fn global_avg_pool(&mut self, place: Place, x: NodeId) -> NodeId {
        let Shape { n, c, .. } = self.shape(x);
        self.push(place, Op::GlobalAvgPool, vec![x], Shape::new(n, c, 1, 1))
    }

    /// Adds a fully connected layer from the channels of the vector `x` to `outputs`.
    ///
    /// # Errors
    /// If `x` is a map rather than a vector.
    pub fn linear(&mut self, place: Place, x: NodeId, outputs: usize) -> Result<NodeId, GraphError> {
        let shape = self.shape(x);
        if (shape.h, shape.w) != (1, 1) {
            return Err(GraphError::Channels {
                node: place.to_string(),
                expected: shape.c,
                actual: shape,
            });
        }
        let linear = Linear {
            inputs: shape.c,
            outputs,
        };
        Ok(self.push(
            place,
            Op::Linear(linear),
            vec![x],
            Shape::new(shape.n, outputs, 1, 1),
        ))
    }

    /// Returns the graph; its last node is the output.
    pub fn finish(self) -> Graph {
        let last = NodeId(self.nodes.len() - 1);
        let output = Output::value(last, &self.nodes[last.0]);
        self.finish_with(&[output])
    }

    /// Returns the graph that computes these outputs, without nodes that none of them needs.
    ///
    /// # Panics
    /// If there are no outputs.
    pub fn finish_with(self, outputs: &[Output]) -> Graph {
        Graph::new(self.nodes, outputs)
    }

    fn same_shape(&mut self, place: Place, op: Op, x: NodeId) -> NodeId {
        let shape = self.shape(x);
        self.push(place, op, vec![x], shape)
    }

    fn push(&mut self, place: Place, op: Op, inputs: Vec<NodeId>, shape: Shape) -> NodeId {
        self.nodes.push(Node {
            place,
            op,
            inputs,
            shape,
        });
        NodeId(self.nodes.len() - 1)
    }
}

//! A graph with its weights as an ONNX model: the same nodes under the same names, in f32, with a free batch size, and
//! by choice with free height and width and with batch norms folded into the convolutions before them. In
//! [`encode_int8`] convolutions are in 8 bits.
//!
//! A linear layer becomes a 1x1 convolution on a `1 x 1` map, which is the same arithmetic and keeps every value
//! four-dimensional; logits are flattened to `[n, classes]` at the end. Outputs have the names of the graph's: `logits`,
//! `stride_4`, `heatmaps`.
//!
//! ```
//! use hrnet::{HrnetSpec, SeededWeights, Shape};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let graph = HrnetSpec::imagenet([8, 16, 32, 64]).graph(Shape::square(1, 224))?;
//! let model = onnx::encode(&graph, &SeededWeights::new(0), onnx::Options::default())?;
//! assert_eq!(model.inputs()[0].to_string(), "images float32 [batch, 3, 224, 224]");
//! let bytes = model.to_bytes(); // the .onnx file
//! # assert!(bytes.len() > 1 << 20);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod int8;
mod model;
mod proto;

use std::collections::BTreeMap;

use hrnet::{
    FoldedConv, Graph, Interpolation, Node, NodeId, Op, Output, OutputKind, Param, Shape, WeightError,
    WeightSource,
};
pub use model::{Model, Port};
use proto::{
    Attribute, Dimension, GraphProto, ModelProto, NodeProto, OperatorSet, TensorProto, TensorShape,
    TensorType, TypeProto, ValueInfo,
};

/// The operator set that is written; every op in use has kept its meaning since.
const OPSET: i64 = 17;
/// The version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// The choices between models of one network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Leave height and width free; they must be multiples of [`hrnet::HrnetSpec::stride`] all the same.
    pub dynamic_size: bool,
    /// Fold each batch norm into the convolution before it.
    pub fold: bool,
}

/// Encodes an ONNX model with input `images`, `[batch, 3, h, w]`, and the graph's outputs under their names: `logits`,
/// `[batch, classes]`; any other `[batch, c, h, w]`. Values of a part of a network have the names of their nodes.
///
/// # Errors
/// If the weights lack a parameter of the graph.
pub fn encode(graph: &Graph, weights: &dyn WeightSource, options: Options) -> Result<Model, WeightError> {
    Writer::new(graph, weights, options.fold).model(options.dynamic_size)
}

/// The ranges of nodes' values, by the nodes' names: the lower end, at most zero, and the upper one, at least zero.
pub type Ranges = BTreeMap<String, (f32, f32)>;

/// The maps of a model in 8 bits that are rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// All of them, so that sums and enlargement are in 8 bits, too: only then does ONNX Runtime compute in integers throughout.
    #[default]
    Every,
    /// The inputs of convolutions, for all their readers; sums and enlarged maps are f32 before they are rounded as such inputs.
    Operands,
}

/// A failure to make a model in 8 bits.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Int8Error {
    /// The weights lack a parameter, or hold it in another shape.
    #[error(transparent)]
    Weight(#[from] WeightError),
    /// A value has no range.
    #[error("there is no range of what `{0}` gives")]
    Range(String),
}

/// Encodes a model as [`encode`] does, with batch norms folded and convolutions of int8 weights, one scale per output, on uint8
/// maps, one scale per map; values outside of a map's range saturate. Linear layers are f32.
///
/// Maps and weights pass `QuantizeLinear` and `DequantizeLinear` (QDQ). An engine that executes these nodes computes in f32 on
/// rounded numbers; one that recognises them as int8 multiplies integers, with the same result but for the rounding of sums.
///
/// # Errors
/// If the weights lack a parameter of the graph, or the ranges a value that is rounded.
pub fn encode_int8(
    graph: &Graph,
    weights: &dyn WeightSource,
    ranges: &Ranges,
    rounding: Rounding,
    dynamic_size: bool,
) -> Result<Model, Int8Error> {
    let mut writer = Writer::new(graph, weights, true);
    writer.maps = Some(int8::maps(graph, ranges, rounding)?);
    Ok(writer.model(dynamic_size)?)
}

struct Writer<'a> {
    graph: &'a Graph,
    weights: &'a dyn WeightSource,
    fold: bool,
    /// The rounding of values, if convolutions are in 8 bits.
    maps: Option<int8::Maps>,
    consumers: Vec<usize>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl<'a> Writer<'a> {
    fn new(graph: &'a Graph, weights: &'a dyn WeightSource, fold: bool) -> Self {
        Self {
            graph,
            weights,
            fold,
            maps: None,
            consumers: graph.consumer_counts(),
            nodes: Vec::new(),
            initializers: Vec::new(),
        }
    }

    fn model(mut self, dynamic_size: bool) -> Result<Model, WeightError> {
        let graph = self.graph;
        for (id, node) in graph.iter() {
            let inputs = node.inputs.iter().map(|input| self.read(*input)).collect();
            self.node(id, node, inputs)?;
            if let Some(map) = self.map(id) {
                self.round(id, map);
            }
        }
        let output = self.outputs(dynamic_size);
        Ok(Model(ModelProto {
            ir_version: IR_VERSION,
            producer_name: "hrnet-zoo".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            opset_import: vec![OperatorSet {
                domain: String::new(),
                version: OPSET,
            }],
            graph: Some(GraphProto {
                name: "HRNet".into(),
                node: self.nodes,
                initializer: self.initializers,
                input: vec![images(graph, dynamic_size)],
                output,
            }),
            metadata_props: Vec::new(),
        }))
    }

    /// The graph's outputs: logits are flattened, others keep their shapes.
    fn outputs(&mut self, dynamic_size: bool) -> Vec<ValueInfo> {
        let graph = self.graph;
        let mut outputs = Vec::with_capacity(graph.outputs().len());
        for output in graph.outputs() {
            let Output { name, kind, node } = output;
            let (value, shape) = (self.read(*node), graph.node(*node).shape);
            outputs.push(if *kind == OutputKind::Logits {
                let flat = vec![Attribute::int("axis", 1)];
                self.push("Flatten", "flatten", vec![value], name.clone(), flat);
                logits(name, shape)
            } else {
                let as_it_is = format!("{name}.output");
                self.push("Identity", &as_it_is, vec![value], name.clone(), Vec::new());
                map(name, shape, dynamic_size)
            });
        }
        outputs
    }

    /// The name of a node's value.
    fn value(&self, id: NodeId) -> String {
        match id.index() {
            0 => "images".into(),
            _ => format!("{}.out", self.graph.node(id).place),
        }
    }

    /// The name of what is read for a node's value.
    fn read(&self, id: NodeId) -> String {
        let value = self.value(id);
        match self.map(id) {
            Some(_) => format!("{value}.rounded"),
            None => value,
        }
    }

    fn node(&mut self, id: NodeId, node: &Node, mut inputs: Vec<String>) -> Result<(), WeightError> {
        let folds = |conv| self.fold && self.graph.folds_into_next(conv, &self.consumers);
        if folds(id) {
            return Ok(());
        }
        let output = self.value(id);
        if node.op == Op::BatchNorm && folds(node.inputs[0]) {
            return self.folded(self.graph.node(node.inputs[0]), node, output);
        }
        if matches!(node.op, Op::Conv(_)) && self.maps.is_some() {
            return self.int8_alone(node, output);
        }
        let (op, attributes) = match node.op {
            Op::Input => return Ok(()),
            Op::Conv(conv) => ("Conv", window(conv.kernel, conv.stride, conv.padding())),
            Op::Linear(_) => ("Conv", window(1, 1, 0)),
            Op::BatchNorm => (
                "BatchNormalization",
                vec![Attribute::float("epsilon", Op::BATCH_NORM_EPSILON as f32)],
            ),
            Op::Relu => ("Relu", Vec::new()),
            Op::Sigmoid => ("Sigmoid", Vec::new()),
            Op::Add => ("Add", Vec::new()),
            Op::Scale => ("Mul", Vec::new()),
            Op::Concat => ("Concat", vec![Attribute::int("axis", 1)]),
            Op::GlobalAvgPool => ("GlobalAveragePool", Vec::new()),
            Op::Upsample(by) => {
                inputs.extend([String::new(), self.scales(node, by.factor)]);
                ("Resize", resize(by.interpolation))
            }
        };
        for param in node.params() {
            inputs.push(self.initializer(&param, node.op)?);
        }
        self.push(op, &node.name(), inputs, output, attributes);
        Ok(())
    }

    /// A convolution and the batch norm behind it as one convolution with bias, named after the first.
    fn folded(&mut self, conv: &Node, batch_norm: &Node, output: String) -> Result<(), WeightError> {
        let Op::Conv(shape) = conv.op else {
            unreachable!("only convolutions fold into the batch norm behind them")
        };
        let folded = FoldedConv::new(conv, Some(batch_norm), self.weights)?;
        if self.maps.is_some() {
            self.int8(conv, &folded, output);
            return Ok(());
        }
        let name = conv.name();
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let extents = [shape.outputs, shape.inputs, shape.kernel, shape.kernel];
        let tensors = [
            TensorProto::float(weight.clone(), &extents, &folded.weight),
            TensorProto::float(bias.clone(), &[shape.outputs], &folded.bias),
        ];
        self.initializers.extend(tensors);
        let inputs = vec![self.value(conv.inputs[0]), weight, bias];
        let attributes = window(shape.kernel, shape.stride, shape.padding());
        self.push("Conv", &name, inputs, output, attributes);
        Ok(())
    }

    /// The enlargement of an upsampling node, as the tensor ONNX wants it in.
    fn scales(&mut self, node: &Node, factor: usize) -> String {
        let name = format!("{}.scales", node.place);
        let scales = [1.0, 1.0, factor as f32, factor as f32];
        self.initializers
            .push(TensorProto::float(name.clone(), &[4], &scales));
        name
    }

    fn initializer(&mut self, param: &Param, op: Op) -> Result<String, WeightError> {
        let name = param.name();
        let values = self.weights.load(param)?;
        let mut shape = param.shape.clone();
        if matches!(op, Op::Linear(_)) && shape.len() == 2 {
            shape.extend([1, 1]);
        }
        self.initializers
            .push(TensorProto::float(name.clone(), &shape, &values));
        Ok(name)
    }

    fn push(&mut self, op: &str, name: &str, input: Vec<String>, output: String, attribute: Vec<Attribute>) {
        let node = NodeProto {
            input,
            output: vec![output],
            name: name.into(),
            op_type: op.into(),
            attribute,
        };
        self.nodes.push(node);
    }
}

fn window(kernel: usize, stride: usize, padding: usize) -> Vec<Attribute> {
    vec![
        Attribute::ints("kernel_shape", &[kernel; 2]),
        Attribute::ints("pads", &[padding; 4]),
        Attribute::ints("strides", &[stride; 2]),
    ]
}

/// The attributes of `Resize` that make it interpolate so.
fn resize(interpolation: Interpolation) -> Vec<Attribute> {
    let coordinates = |mode| Attribute::string("coordinate_transformation_mode", mode);
    match interpolation {
        Interpolation::Nearest => vec![
            coordinates("asymmetric"),
            Attribute::string("mode", "nearest"),
            Attribute::string("nearest_mode", "floor"),
        ],
        Interpolation::Bilinear { align_corners } => vec![
            coordinates(if align_corners {
                "align_corners"
            } else {
                "half_pixel"
            }),
            Attribute::string("mode", "linear"),
        ],
    }
}

fn images(graph: &Graph, dynamic_size: bool) -> ValueInfo {
    map_info(
        "images",
        graph.input_shape(),
        dynamic_size.then_some(["height", "width"]),
    )
}

/// A map that is a result; where sizes are free its own are, too, but those of one pixel.
fn map(name: &str, shape: Shape, dynamic_size: bool) -> ValueInfo {
    let is_map = (shape.h, shape.w) != (1, 1);
    let [height, width] = ["height", "width"].map(|side| format!("{name}.{side}"));
    map_info(name, shape, (dynamic_size && is_map).then_some([&height, &width]))
}

/// `[batch, c, h, w]` with names for height and width where they are free.
fn map_info(name: &str, shape: Shape, free: Option<[&str; 2]>) -> ValueInfo {
    let [height, width] = match free {
        Some(names) => names.map(Extent::Free),
        None => [shape.h, shape.w].map(Extent::Fixed),
    };
    value_info(
        name,
        &[Extent::Free("batch"), Extent::Fixed(shape.c), height, width],
    )
}

fn logits(name: &str, shape: Shape) -> ValueInfo {
    value_info(name, &[Extent::Free("batch"), Extent::Fixed(shape.c)])
}

/// One extent of an input or output.
enum Extent<'a> {
    /// Any, under this name.
    Free(&'a str),
    Fixed(usize),
}

fn value_info(name: &str, extents: &[Extent<'_>]) -> ValueInfo {
    let dimension = |extent: &Extent| match extent {
        Extent::Free(name) => Dimension {
            value: None,
            param: Some((*name).into()),
        },
        Extent::Fixed(extent) => Dimension {
            value: i64::try_from(*extent).ok(),
            param: None,
        },
    };
    let shape = TensorShape {
        dim: extents.iter().map(dimension).collect(),
    };
    let tensor_type = Some(TensorType {
        elem_type: proto::FLOAT,
        shape: Some(shape),
    });
    ValueInfo {
        name: name.into(),
        r#type: Some(TypeProto { tensor_type }),
    }
}

#[cfg(test)]
mod tests;

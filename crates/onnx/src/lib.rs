//! A graph with its weights as an ONNX model: the same nodes under the same names, in f32, with a free batch size, and
//! by choice with free height and width and with batch norms folded into the convolutions before them.
//!
//! A linear layer becomes a 1x1 convolution on a `1 x 1` map, which is the same arithmetic and keeps every value
//! four-dimensional; the logits are flattened to `[n, classes]` at the end.

mod proto;

use hrnet::{FoldedConv, Graph, Node, NodeId, Op, Param, WeightError, WeightSource};
use prost::Message;

use proto::{
    Attribute, Dimension, GraphProto, ModelProto, NodeProto, OperatorSet, TensorProto, TensorShape,
    TensorType, TypeProto, ValueInfo,
};

/// The operator set that is written; every op used has kept its meaning since.
const OPSET: i64 = 17;
/// The version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// What may differ between two models of one network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Leave height and width free; they must be multiples of [`hrnet::HrnetSpec::stride`] all the same.
    pub dynamic_size: bool,
    /// Fold each batch norm into the convolution before it.
    pub fold: bool,
}

/// The bytes of an ONNX model with input `images`, `[batch, 3, h, w]`, and output `logits`, `[batch, classes]`.
///
/// # Errors
/// If the weights lack a parameter of the graph.
pub fn encode(graph: &Graph, weights: &dyn WeightSource, options: Options) -> Result<Vec<u8>, WeightError> {
    let mut writer = Writer {
        graph,
        weights,
        fold: options.fold,
        uses: graph.uses(),
        nodes: Vec::new(),
        initializers: Vec::new(),
    };
    for (id, node) in graph.iter() {
        let inputs: Vec<String> = node
            .inputs
            .iter()
            .map(|input| writer.value(input.index()))
            .collect();
        writer.node(id, node, inputs)?;
    }
    let last = writer.value(graph.output().index());
    writer.push(
        "Flatten",
        "flatten",
        vec![last],
        "logits".into(),
        vec![Attribute::int("axis", 1)],
    );

    let input = graph.input_shape();
    let side = |name, extent| match options.dynamic_size {
        true => Extent::Free(name),
        false => Extent::Fixed(extent),
    };
    let images = [
        Extent::Free("batch"),
        Extent::Fixed(input.c),
        side("height", input.h),
        side("width", input.w),
    ];
    let output = graph.output_shape();
    let logits = [
        Extent::Free("batch"),
        Extent::Fixed(output.c * output.h * output.w),
    ];
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "hrnet-zoo".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        opset_import: vec![OperatorSet {
            domain: String::new(),
            version: OPSET,
        }],
        graph: Some(GraphProto {
            name: "HRNet".into(),
            node: writer.nodes,
            initializer: writer.initializers,
            input: vec![value_info("images", &images)],
            output: vec![value_info("logits", &logits)],
        }),
    };
    Ok(model.encode_to_vec())
}

struct Writer<'a> {
    graph: &'a Graph,
    weights: &'a dyn WeightSource,
    fold: bool,
    uses: Vec<usize>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl Writer<'_> {
    fn value(&self, index: usize) -> String {
        match index {
            0 => "images".into(),
            _ => format!("{}.out", self.graph.nodes()[index].name),
        }
    }

    fn node(&mut self, id: NodeId, node: &Node, mut inputs: Vec<String>) -> Result<(), WeightError> {
        let folds = |conv| self.fold && self.graph.folds_into_next(conv, &self.uses);
        if folds(id) {
            return Ok(());
        }
        let output = self.value(id.index());
        if node.op == Op::BatchNorm && folds(node.inputs[0]) {
            return self.folded(self.graph.node(node.inputs[0]), node, output);
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
            Op::GlobalAvgPool => ("GlobalAveragePool", Vec::new()),
            Op::Upsample(factor) => {
                inputs.extend([String::new(), self.scales(node, factor)]);
                ("Resize", nearest())
            }
        };
        for param in node.params() {
            inputs.push(self.initializer(&param, node.op)?);
        }
        self.push(op, &node.name, inputs, output, attributes);
        Ok(())
    }

    /// A convolution and the batch norm behind it as one convolution with bias, named after the first.
    fn folded(&mut self, conv: &Node, batch_norm: &Node, output: String) -> Result<(), WeightError> {
        let Op::Conv(shape) = conv.op else {
            unreachable!("only convolutions fold into the batch norm behind them")
        };
        let folded = FoldedConv::new(conv, batch_norm, self.weights)?;
        let (weight, bias) = (format!("{}.weight", conv.name), format!("{}.bias", conv.name));
        let extents = [shape.outputs, shape.inputs, shape.kernel, shape.kernel];
        let tensors = [
            TensorProto::float(weight.clone(), &extents, &folded.weight),
            TensorProto::float(bias.clone(), &[shape.outputs], &folded.bias),
        ];
        self.initializers.extend(tensors);
        let inputs = vec![self.value(conv.inputs[0].index()), weight, bias];
        let attributes = window(shape.kernel, shape.stride, shape.padding());
        self.push("Conv", &conv.name, inputs, output, attributes);
        Ok(())
    }

    /// The enlargement of an upsampling node, as the tensor ONNX wants it in.
    fn scales(&mut self, node: &Node, factor: usize) -> String {
        let name = format!("{}.scales", node.name);
        let scales = [1.0, 1.0, factor as f32, factor as f32];
        self.initializers
            .push(TensorProto::float(name.clone(), &[4], &scales));
        name
    }

    fn initializer(&mut self, param: &Param, op: Op) -> Result<String, WeightError> {
        let values = self.weights.load(param)?;
        let mut shape = param.shape.clone();
        if matches!(op, Op::Linear(_)) && shape.len() == 2 {
            shape.extend([1, 1]);
        }
        self.initializers
            .push(TensorProto::float(param.name.clone(), &shape, &values));
        Ok(param.name.clone())
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

/// Enlargement that repeats pixels: output pixel `i` is input pixel `floor(i / factor)`.
fn nearest() -> Vec<Attribute> {
    vec![
        Attribute::string("coordinate_transformation_mode", "asymmetric"),
        Attribute::string("mode", "nearest"),
        Attribute::string("nearest_mode", "floor"),
    ]
}

/// One extent of an input or output.
enum Extent {
    /// Any, under this name.
    Free(&'static str),
    Fixed(usize),
}

fn value_info(name: &str, extents: &[Extent]) -> ValueInfo {
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
mod tests {
    use super::*;
    use hrnet::{HrnetSpec, SeededWeights, Shape};

    fn model(spec: &HrnetSpec, options: Options) -> ModelProto {
        let graph = spec.graph(Shape::square(1, 64)).expect("a graph");
        let bytes = encode(&graph, &SeededWeights::new(0), options).expect("seeded weights");
        ModelProto::decode(bytes.as_slice()).expect("our own bytes")
    }

    fn count(graph: &GraphProto, op: &str) -> usize {
        graph.node.iter().filter(|node| node.op_type == op).count()
    }

    #[test]
    fn the_model_has_the_graphs_nodes_and_weights() {
        let spec = HrnetSpec::imagenet([18, 36, 72, 144]);
        let graph = model(&spec, Options::default()).graph.expect("a graph");
        // 325 convolutions and the classifier.
        assert_eq!(count(&graph, "Conv"), 326);
        let ops = [
            "BatchNormalization",
            "Relu",
            "Add",
            "Resize",
            "GlobalAveragePool",
            "Flatten",
        ];
        assert_eq!(ops.map(|op| count(&graph, op)), [325, 284, 177, 31, 1, 1]);
        assert_eq!(graph.initializer.len(), 1627 + 31);
        let classifier = graph
            .initializer
            .iter()
            .find(|t| t.name == "classifier.weight")
            .expect("a classifier");
        assert_eq!(
            (classifier.dims.as_slice(), classifier.raw_data.len()),
            ([1000, 2048, 1, 1].as_slice(), 8_192_000)
        );
    }

    #[test]
    fn folding_leaves_convolutions_with_bias() {
        let options = Options {
            fold: true,
            dynamic_size: true,
        };
        let graph = model(&HrnetSpec::imagenet([18, 36, 72, 144]), options)
            .graph
            .expect("a graph");
        assert_eq!(count(&graph, "Conv"), 326);
        assert_eq!(count(&graph, "BatchNormalization"), 0);
        assert!(
            graph
                .node
                .iter()
                .filter(|node| node.op_type == "Conv")
                .all(|node| node.input.len() == 3)
        );
        let tensor = graph.input[0]
            .r#type
            .as_ref()
            .and_then(|t| t.tensor_type.as_ref())
            .expect("a type");
        let dims = &tensor.shape.as_ref().expect("a shape").dim;
        let free: Vec<Option<&str>> = dims.iter().map(|dim| dim.param.as_deref()).collect();
        assert_eq!(free, [Some("batch"), None, Some("height"), Some("width")]);
    }

    #[test]
    fn every_input_is_made_before_it_is_read() {
        let spec = HrnetSpec::imagenet([18, 36, 72, 144]).with_se();
        for fold in [false, true] {
            let options = Options {
                fold,
                dynamic_size: false,
            };
            inputs_are_made_first(&model(&spec, options).graph.expect("a graph"));
        }
    }

    fn inputs_are_made_first(graph: &GraphProto) {
        let mut known: std::collections::BTreeSet<&str> =
            graph.initializer.iter().map(|t| t.name.as_str()).collect();
        known.extend(["", "images"]);
        for node in &graph.node {
            for input in &node.input {
                assert!(
                    known.contains(input.as_str()),
                    "{} reads {input} too early",
                    node.name
                );
            }
            assert!(
                known.insert(&node.output[0]),
                "{} is written twice",
                node.output[0]
            );
        }
        assert_eq!(graph.output[0].name, "logits");
        assert!(known.contains("logits"));
    }
}

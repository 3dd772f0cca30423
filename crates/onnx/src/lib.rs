//! A graph with its weights as an ONNX model: the same nodes under the same names, in f32, with a free batch size.
//!
//! A linear layer becomes a 1x1 convolution on a `1 x 1` map, which is the same arithmetic and keeps every value
//! four-dimensional; the logits are flattened to `[n, classes]` at the end.

mod proto;

use hrnet::{Graph, Node, Op, Param, WeightError, WeightSource};
use prost::Message;

use proto::{
    Attribute, Dimension, GraphProto, ModelProto, NodeProto, OperatorSet, TensorProto, TensorShape,
    TensorType, TypeProto, ValueInfo,
};

/// The operator set that is written; every op used has kept its meaning since.
const OPSET: i64 = 17;
/// The version of the file format that goes with it.
const IR_VERSION: i64 = 8;
/// The name of the batch dimension, which stays free.
const BATCH: &str = "batch";

/// The bytes of an ONNX model with input `images`, `[batch, 3, h, w]`, and output `logits`, `[batch, classes]`.
///
/// # Errors
/// If the weights lack a parameter of the graph.
pub fn encode(graph: &Graph, weights: &dyn WeightSource) -> Result<Vec<u8>, WeightError> {
    let mut writer = Writer {
        graph,
        weights,
        nodes: Vec::new(),
        initializers: Vec::new(),
    };
    for (id, node) in graph.iter() {
        let inputs: Vec<String> = node
            .inputs
            .iter()
            .map(|input| writer.value(input.index()))
            .collect();
        writer.node(node, inputs, writer.value(id.index()))?;
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
            input: vec![value_info("images", &[input.c, input.h, input.w])],
            output: vec![value_info("logits", &[graph.output_shape().c])],
        }),
    };
    Ok(model.encode_to_vec())
}

struct Writer<'a> {
    graph: &'a Graph,
    weights: &'a dyn WeightSource,
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

    fn node(&mut self, node: &Node, mut inputs: Vec<String>, output: String) -> Result<(), WeightError> {
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

fn value_info(name: &str, extents: &[usize]) -> ValueInfo {
    let batch = Dimension {
        value: None,
        param: Some(BATCH.into()),
    };
    let fixed = extents.iter().map(|extent| Dimension {
        value: i64::try_from(*extent).ok(),
        param: None,
    });
    let shape = TensorShape {
        dim: std::iter::once(batch).chain(fixed).collect(),
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

    fn model(spec: &HrnetSpec) -> ModelProto {
        let graph = spec.graph(Shape::square(1, 64)).expect("a graph");
        let bytes = encode(&graph, &SeededWeights::new(0)).expect("seeded weights");
        ModelProto::decode(bytes.as_slice()).expect("our own bytes")
    }

    fn count(graph: &GraphProto, op: &str) -> usize {
        graph.node.iter().filter(|node| node.op_type == op).count()
    }

    #[test]
    fn the_model_has_the_graphs_nodes_and_weights() {
        let spec = HrnetSpec::imagenet([18, 36, 72, 144]);
        let graph = model(&spec).graph.expect("a graph");
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
    fn every_input_is_made_before_it_is_read() {
        let graph = model(&HrnetSpec::imagenet([18, 36, 72, 144]).with_se())
            .graph
            .expect("a graph");
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

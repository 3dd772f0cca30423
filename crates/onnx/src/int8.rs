//! Convolutions of int8 weights on uint8 maps (QDQ), laid out as ONNX Runtime's own quantizer does, so that engines know
//! them: int32 biases in steps of a product, and every zero point written down.

use hrnet::{FoldedConv, Graph, Node, NodeId, Op, WeightError};

use crate::proto::{Attribute, INT8, INT32, TensorProto, UINT8};
use crate::{Int8Error, Ranges, Rounding, Writer, window};

/// The largest whole number that a bias may be: sums of products have the rest of an i32.
const LARGEST_BIAS: f64 = (1 << 30) as f64;

/// The rounding of each node's value to 8 bits; `None` for a value that stays f32.
pub(crate) type Maps = Vec<Option<Map>>;

/// Those of a graph; enlarging takes over what is enlarged as it is.
///
/// # Errors
/// If there is no range of a value that is rounded.
pub(crate) fn maps(graph: &Graph, ranges: &Ranges, rounding: Rounding) -> Result<Maps, Int8Error> {
    let mut maps = Maps::with_capacity(graph.nodes().len());
    for (id, node) in graph.iter() {
        let map = match node.op {
            _ if !rounds(graph, id, rounding) => None,
            Op::Upsample(_) => maps[node.inputs[0].index()],
            _ => match ranges.get(&node.name()) {
                Some(range) => Some(Map::of(*range)),
                None => return Err(Int8Error::Range(node.name())),
            },
        };
        maps.push(map);
    }
    Ok(maps)
}

/// Returns true if a node's value is rounded.
fn rounds(graph: &Graph, id: NodeId, rounding: Rounding) -> bool {
    let node = graph.node(id);
    let mut readers = graph.nodes().iter().filter(|node| node.inputs.contains(&id));
    let is_map = match node.op {
        Op::Input | Op::Conv(_) | Op::BatchNorm | Op::Add | Op::Scale | Op::Concat | Op::Upsample(_) => true,
        Op::Relu => !matches!(graph.node(node.inputs[0]).op, Op::Linear(_)),
        Op::GlobalAvgPool | Op::Linear(_) | Op::Sigmoid => false,
    };
    match rounding {
        Rounding::Operands => readers.any(|reader| matches!(reader.op, Op::Conv(_))),
        // What goes into a ReLU or a batch norm is rounded behind it.
        Rounding::Every => {
            let is_inner = |reader: &Node| matches!(reader.op, Op::Relu | Op::BatchNorm);
            let is_output = graph.output_nodes().any(|output| *output == id);
            is_map && !is_output && !readers.any(is_inner)
        }
    }
}

/// The quantization of a map: the integer `n` of 0 to 255 means `(n - zero) * step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Map {
    step: f32,
    zero: u8,
}

impl Map {
    /// All of a range that holds zero, which is a whole number exactly.
    fn of((lo, hi): (f32, f32)) -> Self {
        let step = ((f64::from(hi) - f64::from(lo)) / 255.0) as f32;
        // Where there is nothing but zeros, any step does.
        let step = if step >= f32::MIN_POSITIVE { step } else { 1.0 };
        Self {
            step,
            zero: (-lo / step).round_ties_even() as u8,
        }
    }
}

/// A convolution's weights and biases as whole numbers.
#[derive(Debug, PartialEq)]
struct Whole {
    /// -127 to 127, row-major as the weights are.
    weights: Vec<i8>,
    /// The scale of the weights of each output.
    steps: Vec<f32>,
    biases: Vec<i32>,
    /// The scale of the bias of each output: that of its weights times that of the input.
    bias_steps: Vec<f32>,
}

impl Whole {
    fn of(conv: &FoldedConv, map: Map) -> Self {
        let outputs = conv.bias.len();
        let mut whole = Self {
            weights: Vec::with_capacity(conv.weight.len()),
            steps: Vec::with_capacity(outputs),
            biases: Vec::with_capacity(outputs),
            bias_steps: Vec::with_capacity(outputs),
        };
        let rows = conv.weight.chunks_exact(conv.weight.len() / outputs);
        for (weights, bias) in rows.zip(&conv.bias) {
            let step = step(weights, *bias, map);
            let bias_step = step * map.step;
            let weight = |w: &f32| (w / step).round_ties_even() as i8;
            whole.weights.extend(weights.iter().map(weight));
            whole.steps.push(step);
            let bias = f64::from(*bias) / f64::from(bias_step);
            whole.biases.push(bias.round_ties_even() as i32);
            whole.bias_steps.push(bias_step);
        }
        whole
    }
}

/// The step of one output's weights: the least that holds them, and the bias in steps of a product, which is far smaller
/// unless the weights are next to nothing.
fn step(weights: &[f32], bias: f32, map: Map) -> f32 {
    let largest = weights.iter().map(|w| w.abs()).fold(0.0, f32::max);
    let for_weights = f64::from(largest) / 127.0;
    let for_bias = f64::from(bias.abs()) / (f64::from(map.step) * LARGEST_BIAS);
    let step = for_weights.max(for_bias) as f32 * (1.0 + f32::EPSILON);
    // So that neither it nor its product with the map's is lost among the smallest numbers.
    step.max(f32::MIN_POSITIVE / map.step.min(1.0))
}

impl Writer<'_> {
    /// A convolution in 8 bits, with its bias, named after it.
    pub(crate) fn int8(&mut self, node: &Node, conv: &FoldedConv, output: String) {
        let Op::Conv(shape) = node.op else {
            unreachable!("only convolutions are in 8 bits")
        };
        let map = self
            .map(node.inputs[0])
            .expect("what a convolution reads is rounded");
        let whole = Whole::of(conv, map);
        let name = &node.name();
        let extents = [shape.outputs, shape.inputs, shape.kernel, shape.kernel];
        let weights = TensorProto::raw(
            INT8,
            format!("{name}.weight.quantized"),
            &extents,
            whole.weights.iter().map(|w| w.to_le_bytes()),
        );
        let biases = TensorProto::raw(
            INT32,
            format!("{name}.bias.quantized"),
            &[shape.outputs],
            whole.biases.iter().map(|bias| bias.to_le_bytes()),
        );
        let images = self.read(node.inputs[0]);
        let weight = self.back(format!("{name}.weight"), weights, &whole.steps);
        let bias = self.back(format!("{name}.bias"), biases, &whole.bias_steps);
        let attributes = window(shape.kernel, shape.stride, shape.padding());
        self.push("Conv", name, vec![images, weight, bias], output, attributes);
    }

    /// A convolution without a batch norm behind it.
    pub(crate) fn int8_alone(&mut self, node: &Node, output: String) -> Result<(), WeightError> {
        let conv = FoldedConv::new(node, None, self.weights)?;
        self.int8(node, &conv, output);
        Ok(())
    }

    /// Returns the rounding of a node's value, if it is rounded.
    pub(crate) fn map(&self, id: NodeId) -> Option<Map> {
        self.maps.as_ref().and_then(|maps| maps[id.index()])
    }

    /// A value rounded to 8 bits and in f32 again, under the name that [`Writer::read`] gives.
    pub(crate) fn round(&mut self, id: NodeId, map: Map) {
        let value = self.value(id);
        let named = |what: &str| format!("{value}.{what}");
        let (step, zero, quantized) = (named("scale"), named("zero_point"), named("quantized"));
        self.initializers
            .push(TensorProto::float(step.clone(), &[], &[map.step]));
        self.initializers
            .push(TensorProto::raw(UINT8, zero.clone(), &[], [[map.zero]]));
        let to = vec![value.clone(), step.clone(), zero.clone()];
        self.push("QuantizeLinear", &quantized, to, quantized.clone(), Vec::new());
        let back = self.read(id);
        let from = vec![quantized, step, zero];
        self.push("DequantizeLinear", &back, from, back.clone(), Vec::new());
    }

    /// Whole numbers around zero in f32 again, with a step for each of the outermost extent.
    fn back(&mut self, name: String, whole: TensorProto, steps: &[f32]) -> String {
        let extents = [steps.len()];
        let scale = TensorProto::float(format!("{name}.scale"), &extents, steps);
        let zero = format!("{name}.zero_point");
        let zero = match whole.data_type {
            INT8 => TensorProto::raw(INT8, zero, &extents, steps.iter().map(|_| [0])),
            kind => TensorProto::raw(kind, zero, &extents, steps.iter().map(|_| [0; 4])),
        };
        let tensors = [whole, scale, zero];
        let from = tensors.iter().map(|tensor| tensor.name.clone()).collect();
        self.initializers.extend(tensors);
        let axis = vec![Attribute::int("axis", 0)];
        self.push("DequantizeLinear", &name, from, name.clone(), axis);
        name
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use hrnet::{Graph, HrnetSpec, Param, SeededWeights, Shape, WeightSource};
    use prost::Message;

    use super::*;
    use crate::proto::{GraphProto, ModelProto};
    use crate::tests::{count, inputs_are_made_first};
    use crate::{Int8Error, Ranges, encode_int8};

    fn network() -> Graph {
        HrnetSpec::imagenet([16, 32, 64, 128])
            .with_se()
            .graph(Shape::square(1, 64))
            .expect("a graph")
    }

    /// Images from -2 to 3, and other maps of non-negative numbers, each to one of its own.
    fn ranges(graph: &Graph) -> Ranges {
        let range = |(id, node): (NodeId, &Node)| match id.index() {
            0 => (node.name(), (-2.0, 3.0)),
            index => (node.name(), (0.0, 1.0 + index as f32)),
        };
        graph.iter().map(range).collect()
    }

    fn encoded(graph: &Graph, rounding: Rounding) -> GraphProto {
        let weights = SeededWeights::new(3);
        let model = encode_int8(graph, &weights, &ranges(graph), rounding, false).expect("ranges of all");
        let model = ModelProto::decode(model.to_bytes().as_slice()).expect("our own bytes");
        model.graph.expect("a graph")
    }

    /// The op that makes a value, if a node does.
    fn maker<'a>(graph: &'a GraphProto, value: &str) -> Option<&'a str> {
        let made = graph.node.iter().find(|node| node.output[0] == value);
        made.map(|node| node.op_type.as_str())
    }

    fn tensor<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
        let mut tensors = graph.initializer.iter();
        tensors.find(|tensor| tensor.name == name).expect(name)
    }

    fn floats(tensor: &TensorProto) -> Vec<f32> {
        assert_eq!(tensor.data_type, crate::proto::FLOAT);
        let of = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
        tensor.raw_data.as_chunks::<4>().0.iter().map(of).collect()
    }

    #[test]
    fn each_convolution_reads_what_was_rounded_once() {
        let network = network();
        for rounding in [Rounding::Every, Rounding::Operands] {
            let graph = encoded(&network, rounding);
            inputs_are_made_first(&graph);
            assert_eq!(count(&graph, "BatchNormalization"), 0);
            let mut convs = 0;
            for node in graph.node.iter().filter(|node| node.op_type == "Conv") {
                let from = node.input.iter().map(|input| maker(&graph, input));
                let from: Vec<Option<&str>> = from.collect();
                if matches!(
                    network.node(network.find(&node.name).expect("ours")).op,
                    Op::Linear(_)
                ) {
                    assert_eq!(from[1..], [None, None], "{}: f32 weights", node.name);
                } else {
                    assert_eq!(from, [Some("DequantizeLinear"); 3], "{}", node.name);
                    assert!(node.input[0].ends_with(".rounded"), "{}", node.name);
                    convs += 1;
                }
            }
            let is_conv = |node: &&Node| matches!(node.op, Op::Conv(_));
            assert_eq!(convs, network.nodes().iter().filter(is_conv).count());
            let rounded = count(&graph, "QuantizeLinear");
            assert_eq!(count(&graph, "DequantizeLinear"), rounded + 2 * convs);
            assert!(
                rounding == Rounding::Every || rounded < convs,
                "some maps are read by several"
            );
        }
    }

    #[test]
    fn where_every_map_is_rounded_sums_and_enlargement_read_and_give_whole_numbers() {
        let network = network();
        let readers = |graph: &GraphProto, value: &str| -> Vec<String> {
            let reads = graph
                .node
                .iter()
                .filter(|node| node.input.contains(&value.to_owned()));
            reads.map(|node| node.op_type.clone()).collect()
        };
        let graph = encoded(&network, Rounding::Every);
        for node in graph
            .node
            .iter()
            .filter(|node| ["Add", "Resize", "Conv"].contains(&node.op_type.as_str()))
        {
            if node.op_type != "Conv" {
                let reads = node.input.iter().filter(|input| input.contains(".out"));
                assert!(
                    reads.clone().count() > 0 && reads.clone().all(|input| input.ends_with(".rounded")),
                    "{}",
                    node.name
                );
            }
            let is_linear = !node.input[0].ends_with(".rounded");
            let expected = ["QuantizeLinear", "Relu"];
            let after = readers(&graph, &node.output[0]);
            assert!(
                is_linear || (after.len() == 1 && expected.contains(&after[0].as_str())),
                "{}: {after:?}",
                node.name
            );
        }
        for node in graph.node.iter().filter(|node| node.op_type == "Resize") {
            let before = node.input[0].strip_suffix(".rounded").expect("rounded");
            let of = |value: &str, what: &str| tensor(&graph, &format!("{value}.{what}")).raw_data.clone();
            for what in ["scale", "zero_point"] {
                assert_eq!(of(before, what), of(&node.output[0], what), "{}", node.name);
            }
        }
        let operands = encoded(&network, Rounding::Operands);
        let sums = operands.node.iter().filter(|node| node.op_type == "Add");
        let apart = sums.filter(|node| readers(&operands, &node.output[0]) == ["Add"]);
        assert!(apart.count() > 0, "sums of several stay in f32");
    }

    #[test]
    fn whole_weights_are_within_half_a_step_of_the_folded_ones() {
        let network = network();
        let graph = encoded(&network, Rounding::default());
        let weights = SeededWeights::new(3);
        for name in ["conv1", "stage4.2.branches.3.1.conv2"] {
            let id = network.find(name).expect("a convolution");
            let norm = &network.nodes()[id.index() + 1];
            let folded = FoldedConv::new(network.node(id), Some(norm), &weights).expect("seeded weights");
            let whole = tensor(&graph, &format!("{name}.weight.quantized"));
            let steps = floats(tensor(&graph, &format!("{name}.weight.scale")));
            assert_eq!((whole.data_type, steps.len()), (INT8, folded.bias.len()));
            let row = folded.weight.len() / steps.len();
            for (output, (whole, exact)) in whole
                .raw_data
                .chunks(row)
                .zip(folded.weight.chunks(row))
                .enumerate()
            {
                let signed = || whole.iter().map(|byte| byte.cast_signed());
                assert_eq!(
                    signed().map(i8::unsigned_abs).max(),
                    Some(127),
                    "all of the range"
                );
                for (n, w) in signed().zip(exact) {
                    let error = (f32::from(n) * steps[output] - w).abs();
                    assert!(error <= 0.5001 * steps[output], "{name}: {n} for {w}");
                }
            }
            let reads = network.node(network.node(id).inputs[0]);
            let value = if reads.op == Op::Input {
                "images".into()
            } else {
                format!("{}.out", reads.place)
            };
            let map = floats(tensor(&graph, &format!("{value}.scale")))[0];
            let biases = tensor(&graph, &format!("{name}.bias.quantized"));
            let bias_steps = floats(tensor(&graph, &format!("{name}.bias.scale")));
            let whole = biases.raw_data.as_chunks::<4>().0.iter();
            for (output, (bias, exact)) in whole.zip(&folded.bias).enumerate() {
                let step = bias_steps[output];
                assert_eq!(step, steps[output] * map);
                let error = f64::from(i32::from_le_bytes(*bias)) * f64::from(step) - f64::from(*exact);
                assert!(error.abs() <= 0.5001 * f64::from(step), "{name}: bias {output}");
            }
        }
    }

    #[test]
    fn maps_have_their_zero_where_their_range_has_it() {
        let network = network();
        let graph = encoded(&network, Rounding::default());
        let zero = |value: &str| tensor(&graph, &format!("{value}.zero_point")).raw_data.clone();
        let step = |value: &str| floats(tensor(&graph, &format!("{value}.scale")));
        assert_eq!((step("images"), zero("images")), (vec![5.0 / 255.0], vec![102]));
        let relu = network.find("bn1.relu").expect("the first").index();
        let expected = (vec![(1.0 + relu as f32) / 255.0], vec![0]);
        assert_eq!((step("bn1.relu.out"), zero("bn1.relu.out")), expected);
        let nothing = Map::of((0.0, 0.0));
        assert_eq!(nothing, Map { step: 1.0, zero: 0 });
        assert_eq!(Map::of((-3.0, 0.0)).zero, 255);
    }

    #[test]
    fn biases_fit_whatever_the_weights() {
        let map = Map { step: 0.01, zero: 0 };
        for (weights, bias) in [
            ([0.0, 0.0], 0.75),
            ([1e-30, -1e-31], -40.0),
            ([0.0, 0.0], 0.0),
            ([1e-44, 0.0], 1e-44),
            ([3.0, -0.5], 1e6),
        ] {
            let conv = FoldedConv {
                weight: weights.to_vec(),
                bias: vec![bias],
            };
            let whole = Whole::of(&conv, map);
            assert!(whole.steps[0].is_normal() && whole.bias_steps[0].is_normal());
            let back = whole.biases[0] as f32 * whole.bias_steps[0];
            let allowed = whole.bias_steps[0].max(1e-6 * bias.abs());
            assert!((back - bias).abs() <= allowed, "{back} for {bias}");
            assert!(whole.bias_steps[0] <= (1e-6 * bias.abs()).max(map.step * 3.0));
        }
    }

    #[test]
    fn a_convolution_alone_has_no_bias_and_one_without_a_range_is_told() {
        let network = network();
        let first = network.up_to(network.find("conv1").expect("the first"));
        let graph = encoded(&first, Rounding::Every);
        assert_eq!(count(&graph, "Conv"), 1);
        let biases = tensor(&graph, "conv1.bias.quantized");
        assert!(biases.raw_data.iter().all(|byte| *byte == 0));
        let mut some = ranges(&network);
        some.remove("layer1.2.add");
        let encode = |weights: &dyn WeightSource, ranges: &Ranges, rounding| {
            encode_int8(&network, weights, ranges, rounding, false)
        };
        let seeded = SeededWeights::new(3);
        assert!(
            encode(&seeded, &some, Rounding::Every).is_ok(),
            "a ReLU is behind it"
        );
        some.remove("layer1.2.bn3");
        assert!(
            encode(&seeded, &some, Rounding::Operands).is_ok(),
            "no convolution reads it"
        );
        let error = encode(&seeded, &some, Rounding::Every).expect_err("no range");
        assert!(matches!(error, Int8Error::Range(name) if name == "layer1.2.bn3"));
        struct Nothing;
        impl WeightSource for Nothing {
            fn load(&self, param: &Param) -> Result<Cow<'_, [f32]>, WeightError> {
                Err(WeightError::Missing {
                    name: param.name(),
                    shape: param.shape.clone(),
                })
            }
        }
        let error = encode(&Nothing, &ranges(&network), Rounding::Every).expect_err("no weights");
        assert!(matches!(error, Int8Error::Weight(_)));
    }
}

//! Convolutions of int8 weights on uint8 maps (QDQ), laid out as ONNX Runtime's own quantizer does, so that engines know
//! them: int32 biases in steps of a product, and every zero point written down.

use hrnet::{FoldedConv, Node, Op, WeightError};

use crate::proto::{Attribute, INT8, INT32, TensorProto, UINT8};
use crate::{Writer, window};

/// The largest whole number that a bias may be: sums of products have the rest of an i32.
const LARGEST_BIAS: f64 = (1 << 30) as f64;

/// A map that was rounded to 8 bits.
pub(crate) struct Rounded {
    /// The map.
    value: String,
    map: Map,
    /// The same in f32 again.
    back: String,
}

/// How numbers of a map are whole ones of 0 to 255: `(n - zero) * step`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Map {
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
    /// What one of a weight stands for, for each output.
    steps: Vec<f32>,
    biases: Vec<i32>,
    /// What one of a bias stands for: a product of one and one.
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
    pub(crate) fn int8(&mut self, node: &Node, conv: &FoldedConv, range: (f32, f32), output: String) {
        let Op::Conv(shape) = node.op else {
            unreachable!("only convolutions are in 8 bits")
        };
        let map = Map::of(range);
        let whole = Whole::of(conv, map);
        let name = &node.name;
        let images = self.rounded(self.value(node.inputs[0].index()), map, name);
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
        let weight = self.back(format!("{name}.weight"), weights, &whole.steps);
        let bias = self.back(format!("{name}.bias"), biases, &whole.bias_steps);
        let attributes = window(shape.kernel, shape.stride, shape.padding());
        self.push("Conv", name, vec![images, weight, bias], output, attributes);
    }

    /// A convolution without a batch norm behind it.
    pub(crate) fn int8_alone(
        &mut self,
        node: &Node,
        range: (f32, f32),
        output: String,
    ) -> Result<(), WeightError> {
        let conv = FoldedConv {
            weight: self.weights.load(&node.params()[0])?.into_owned(),
            bias: vec![0.0; node.shape.c],
        };
        self.int8(node, &conv, range, output);
        Ok(())
    }

    /// A map rounded to 8 bits and in f32 again, once for all that read it alike; named after the first of them.
    fn rounded(&mut self, value: String, map: Map, reader: &str) -> String {
        let known = |rounded: &&Rounded| rounded.value == value && rounded.map == map;
        if let Some(rounded) = self.rounded.iter().find(known) {
            return rounded.back.clone();
        }
        let named = |what: &str| format!("{reader}.input{what}");
        let (step, zero) = (named(".scale"), named(".zero_point"));
        let (quantized, back) = (named(".quantized"), named(""));
        self.initializers
            .push(TensorProto::float(step.clone(), &[], &[map.step]));
        self.initializers
            .push(TensorProto::raw(UINT8, zero.clone(), &[], [[map.zero]]));
        let to = vec![value.clone(), step.clone(), zero.clone()];
        self.push("QuantizeLinear", &quantized, to, quantized.clone(), Vec::new());
        let from = vec![quantized, step, zero];
        self.push("DequantizeLinear", &back, from, back.clone(), Vec::new());
        self.rounded.push(Rounded {
            value,
            map,
            back: back.clone(),
        });
        back
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

    /// Images from -2 to 3, and other maps of non-negative numbers, equal where the map is.
    fn ranges(graph: &Graph) -> Ranges {
        let convs = graph.nodes().iter().filter(|node| matches!(node.op, Op::Conv(_)));
        let range = |node: &Node| match node.inputs[0].index() {
            0 => (-2.0, 3.0),
            index => (0.0, 1.0 + index as f32),
        };
        convs.map(|node| (node.name.clone(), range(node))).collect()
    }

    fn encoded(graph: &Graph, ranges: &Ranges) -> GraphProto {
        let bytes = encode_int8(graph, &SeededWeights::new(3), ranges, false).expect("ranges of all");
        let model = ModelProto::decode(bytes.as_slice()).expect("our own bytes");
        model.graph.expect("a graph")
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
        let graph = encoded(&network, &ranges(&network));
        inputs_are_made_first(&graph);
        assert_eq!(count(&graph, "BatchNormalization"), 0);
        let maker = |value: &str| graph.node.iter().find(|node| node.output[0] == value);
        let op = |value: &str| maker(value).map(|node| node.op_type.as_str());
        let is_linear = |name: &str| {
            let id = network.find(name).expect("our name");
            matches!(network.node(id).op, Op::Linear(_))
        };
        let mut convs = 0;
        for node in graph.node.iter().filter(|node| node.op_type == "Conv") {
            let from: Vec<Option<&str>> = node.input.iter().map(|input| op(input)).collect();
            if is_linear(&node.name) {
                assert_eq!(from[1..], [None, None], "{}: f32 weights", node.name);
            } else {
                assert_eq!(from, [Some("DequantizeLinear"); 3], "{}", node.name);
                let map = maker(&node.input[0]).expect("found before");
                assert_eq!(op(&map.input[0]), Some("QuantizeLinear"), "{}", node.name);
                convs += 1;
            }
        }
        assert_eq!(convs, ranges(&network).len());
        let mut read: Vec<&str> = Vec::new();
        for node in graph.node.iter().filter(|node| node.op_type == "QuantizeLinear") {
            assert!(!read.contains(&node.input[0].as_str()), "{} twice", node.input[0]);
            read.push(&node.input[0]);
        }
        assert!(read.len() < convs, "some maps are read by several");
        assert_eq!(count(&graph, "DequantizeLinear"), read.len() + 2 * convs);
    }

    #[test]
    fn whole_weights_are_within_half_a_step_of_the_folded_ones() {
        let network = network();
        let graph = encoded(&network, &ranges(&network));
        let weights = SeededWeights::new(3);
        for name in ["conv1", "stage4.2.branches.3.1.conv2"] {
            let id = network.find(name).expect("a convolution");
            let norm = &network.nodes()[id.index() + 1];
            let folded = FoldedConv::new(network.node(id), norm, &weights).expect("seeded weights");
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
            let map = floats(tensor(&graph, &format!("{name}.input.scale")))[0];
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
        let graph = encoded(&network, &ranges(&network));
        let zero = |name: &str| {
            tensor(&graph, &format!("{name}.input.zero_point"))
                .raw_data
                .clone()
        };
        let step = |name: &str| floats(tensor(&graph, &format!("{name}.input.scale")));
        assert_eq!((step("conv1"), zero("conv1")), (vec![5.0 / 255.0], vec![102]));
        let reads = network.node(network.find("conv2").expect("the second")).inputs[0].index();
        assert_eq!(
            (step("conv2"), zero("conv2")),
            (vec![(1.0 + reads as f32) / 255.0], vec![0])
        );
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
        let graph = encoded(&first, &ranges(&first));
        assert_eq!(count(&graph, "Conv"), 1);
        let biases = tensor(&graph, "conv1.bias.quantized");
        assert!(biases.raw_data.iter().all(|byte| *byte == 0));
        let mut some = ranges(&network);
        some.remove("layer1.2.conv3");
        let error = encode_int8(&network, &SeededWeights::new(3), &some, false).expect_err("no range");
        assert!(matches!(error, Int8Error::Range(name) if name == "layer1.2.conv3"));
        struct Nothing;
        impl WeightSource for Nothing {
            fn load(&self, param: &Param) -> Result<Cow<'_, [f32]>, WeightError> {
                Err(WeightError::Missing {
                    name: param.name.clone(),
                    shape: param.shape.clone(),
                })
            }
        }
        let error = encode_int8(&network, &Nothing, &ranges(&network), false).expect_err("no weights");
        assert!(matches!(error, Int8Error::Weight(_)));
    }
}

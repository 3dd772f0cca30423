use super::*;
use hrnet::{Features, HrnetSpec, SeededWeights, Shape};
use prost::Message;

fn model(spec: &HrnetSpec, options: Options) -> ModelProto {
    let graph = spec.graph(Shape::square(1, 64)).expect("a graph");
    let model = encode(&graph, &SeededWeights::new(0), options).expect("seeded weights");
    ModelProto::decode(model.to_bytes().as_slice()).expect("our own bytes")
}

pub fn count(graph: &GraphProto, op: &str) -> usize {
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

pub fn inputs_are_made_first(graph: &GraphProto) {
    assert_eq!(graph.output[0].name, "logits");
    made_first(graph);
}

/// Each value is made before it is read, and each output is made.
fn made_first(graph: &GraphProto) {
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
    for output in &graph.output {
        assert!(
            known.contains(output.name.as_str()),
            "nothing makes {}",
            output.name
        );
    }
}

#[test]
fn a_model_says_what_it_is_in_the_fields_of_the_format() {
    let spec = HrnetSpec::imagenet([2, 4, 8, 16]);
    let graph = spec.graph(Shape::square(1, 64)).expect("a graph");
    let mut model = encode(&graph, &SeededWeights::new(0), Options::default()).expect("seeded weights");
    let ports = |ports: Vec<Port>| ports.iter().map(Port::to_string).collect::<Vec<_>>();
    assert_eq!(ports(model.inputs()), ["images float32 [batch, 3, 64, 64]"]);
    assert_eq!(ports(model.outputs()), ["logits float32 [batch, 1000]"]);
    assert_eq!(model.inputs()[0].free().collect::<Vec<_>>(), ["batch"]);
    model.note("variant", "another");
    model.note("classes", "1000");
    model.note("variant", "tiny");
    let read = ModelProto::decode(model.to_bytes().as_slice()).expect("our own bytes");
    let notes: Vec<(&str, &str)> = read
        .metadata_props
        .iter()
        .map(|note| (note.key.as_str(), note.value.as_str()))
        .collect();
    assert_eq!(notes, [("classes", "1000"), ("variant", "tiny")]);
    assert_eq!((read.ir_version, model.opset()), (IR_VERSION, OPSET));
    assert_eq!(read.producer_name, "hrnet-zoo");
    assert_eq!(read.producer_version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn results_of_a_part_keep_the_names_and_shapes_of_their_nodes() {
    let spec = HrnetSpec::imagenet([2, 4, 8, 16]);
    let whole = spec.graph(Shape::square(1, 64)).expect("a graph");
    let one = whole.up_to(whole.find("global_pool").expect("a node"));
    let one = encode(&one, &SeededWeights::new(0), Options::default()).expect("seeded weights");
    assert_eq!(
        one.outputs()[0].to_string(),
        "global_pool float32 [batch, 2048, 1, 1]"
    );
    let features = spec.features(Features::Incre);
    let nodes: Vec<NodeId> = features
        .iter()
        .map(|feature| whole.at(&feature.node).expect("a node"))
        .collect();
    let graph = whole.computing(&nodes);
    for (dynamic_size, finest, coarsest) in [
        (
            false,
            "bn1.relu float32 [batch, 64, 32, 32]",
            "[batch, 1024, 2, 2]",
        ),
        (
            true,
            "bn1.relu float32 [batch, 64, bn1.relu.height, bn1.relu.width]",
            "relu.width]",
        ),
    ] {
        let options = Options {
            fold: true,
            dynamic_size,
        };
        let model = encode(&graph, &SeededWeights::new(0), options).expect("seeded weights");
        let outputs: Vec<String> = model.outputs().iter().map(Port::to_string).collect();
        assert_eq!((outputs.len(), outputs[0].as_str()), (5, finest));
        assert!(
            outputs[4].starts_with("incre_modules.3.0.relu ") && outputs[4].ends_with(coarsest),
            "{outputs:?}"
        );
        let graph = model.0.graph.expect("a graph");
        made_first(&graph);
        assert_eq!((count(&graph, "Identity"), count(&graph, "Flatten")), (5, 0));
    }
}

use super::*;
use hrnet::{HrnetSpec, SeededWeights, Shape};

fn model(spec: &HrnetSpec, options: Options) -> ModelProto {
    let graph = spec.graph(Shape::square(1, 64)).expect("a graph");
    let bytes = encode(&graph, &SeededWeights::new(0), options).expect("seeded weights");
    ModelProto::decode(bytes.as_slice()).expect("our own bytes")
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

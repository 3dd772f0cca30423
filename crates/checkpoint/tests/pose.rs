//! Weights of pose networks, under the names of Microsoft and of mmpose, and the errors of those of another head.

mod common;

use checkpoint::{CheckpointError, Layout, Naming, TensorFile, parse, write_safetensors};
use common::plain;
use hrnet::{Graph, Heatmaps, HrnetSpec, Param, SeededWeights, Shape, StageOneSpec, WeightSource};

const SEED: SeededWeights = SeededWeights::new(5);

fn pose(maps: usize) -> Graph {
    let spec = HrnetSpec {
        stem: 4,
        stage1: StageOneSpec { blocks: 1, mid: 4 },
        widths: vec![8, 8],
        modules: vec![2],
        blocks: 1,
        ..HrnetSpec::imagenet([1; 4])
    };
    let spec = spec.with_head(Heatmaps::new(maps));
    spec.graph(Shape::new(1, 3, 32, 16)).expect("a tiny graph")
}

fn written(graph: &Graph, naming: Naming) -> TensorFile {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    write_safetensors(&path, graph, &SEED, &Layout::new(naming)).expect("written");
    parse(&path, std::fs::read(&path).expect("read").into()).expect("tensors")
}

#[test]
fn weights_of_pose_networks_are_read_under_each_publishers_names() {
    let graph = pose(17);
    for naming in Naming::OF_POSE {
        let file = written(&graph, naming);
        assert_eq!(file.naming().expect("a scheme"), naming);
        let weights = file.weights(&graph).expect("the weights");
        let load = |source: &dyn WeightSource, param: &Param| source.load(param).expect("there").into_owned();
        for param in graph.params() {
            assert_eq!(
                load(&weights, &param),
                load(&SEED, &param),
                "{naming:?}: {}",
                param.name()
            );
        }
    }
}

#[test]
fn weights_of_another_head_are_refused_with_both() {
    let refused = |file: TensorFile, graph: &Graph| match file.weights(graph).expect_err("another head") {
        CheckpointError::Head { found, expected, .. } => [found, expected],
        other => panic!("{other}"),
    };
    let (people, faces) = ("a pose network with 17 heatmaps", "a pose network with 1 heatmap");
    let classes = "a classifier with 5 classes";
    for naming in Naming::OF_POSE {
        assert_eq!(refused(written(&pose(17), naming), &plain()), [people, classes]);
        assert_eq!(refused(written(&pose(17), naming), &pose(1)), [people, faces]);
    }
    for naming in Naming::OF_CLASSIFIERS {
        assert_eq!(refused(written(&plain(), naming), &pose(17)), [classes, people]);
    }
    // Neither head: the missing tensors are listed.
    let mut file = written(&pose(17), Naming::Timm);
    file.tensors.retain(|name, _| !name.starts_with("final_layer"));
    let error = file.weights(&pose(17)).expect_err("no head").to_string();
    assert!(
        error.contains("2 missing (final_layer.weight [17, 8, 1, 1]"),
        "{error}"
    );
}

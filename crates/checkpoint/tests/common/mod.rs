//! Shared by the tests of fixtures: their paths, their networks and their values.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::{Path, PathBuf};

use checkpoint::Naming;
use hrnet::{Classifier, Graph, Head, HrnetSpec, Param, SeededWeights, Shape, StageOneSpec, WeightSource};

/// The path of a file of `fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// The network of every fixture but SE's.
pub fn plain() -> Graph {
    graph(8, None)
}

/// A tiny network with two branches, this wide.
pub fn graph(width: usize, se_reduction: Option<usize>) -> Graph {
    let spec = HrnetSpec {
        stem: 4,
        stage1: StageOneSpec { blocks: 1, mid: 4 },
        widths: vec![width, width],
        modules: vec![1],
        blocks: 1,
        se_reduction,
        head: Head::Classifier(Classifier {
            mids: vec![4, 4],
            features: 8,
            classes: 5,
        }),
    };
    spec.graph(Shape::square(1, 32)).expect("a tiny graph")
}

/// The parameter of a graph with this canonical name.
pub fn param(graph: &Graph, name: &str) -> Param {
    graph
        .params()
        .find(|param| param.name() == name)
        .unwrap_or_else(|| panic!("{name}"))
}

/// Returns a scheme's name of the parameter with this canonical name.
pub fn name_of(naming: Naming, graph: &Graph, name: &str) -> String {
    let param = param(graph, name);
    naming.name_of(&param.place, param.kind)
}

/// Asserts that the source gives the seeded value of every parameter, to the bit.
pub fn assert_seeded(weights: &dyn WeightSource, graph: &Graph, except: &[&str]) {
    let seeded = SeededWeights::new(0);
    for param in graph
        .params()
        .filter(|param| !except.contains(&param.name().as_str()))
    {
        let expected = seeded.load(&param).expect("seeded");
        let found = weights.load(&param).expect("in the file");
        assert_eq!(found, expected, "{}", param.name());
    }
}

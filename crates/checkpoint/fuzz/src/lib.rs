//! What every fuzz target does with its bytes.

use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;
use checkpoint::{Format, parse};
use hrnet::{Graph, HeadSpec, HrnetSpec, Shape, StageOneSpec};
use libfuzzer_sys::Corpus;

/// The network of the fixtures that serve as seeds.
static GRAPH: LazyLock<Graph> = LazyLock::new(|| {
    let spec = HrnetSpec {
        stem: 4,
        stage1: StageOneSpec { blocks: 1, mid: 4 },
        widths: vec![8, 8],
        modules: vec![1],
        blocks: 1,
        se_reduction: None,
        head: HeadSpec {
            mids: vec![4, 4],
            features: 8,
            classes: 5,
        },
    };
    spec.graph(Shape::square(1, 32)).expect("a tiny graph")
});

/// Reads the bytes as a weight file of one of these formats and does all that can be done with it.
///
/// # Panics
/// If what is read breaks a promise of the reader's.
pub fn exercise(formats: &[Format], data: &[u8]) -> Corpus {
    if !Format::detect(data).is_ok_and(|format| formats.contains(&format)) {
        return Corpus::Reject;
    }
    let Ok(file) = parse(Path::new("fuzzed"), Bytes::copy_from_slice(data)) else {
        return Corpus::Keep;
    };
    let mut elements = 0;
    for tensor in file.tensors.values() {
        let values = tensor.values().len();
        assert!(values == 0 || values == tensor.elements());
        elements += values;
    }
    assert!(elements <= data.len(), "{elements} elements of {} bytes", data.len());
    let _ = file.health();
    if let Ok(weights) = file.bind(&GRAPH) {
        checkpoint::health(&GRAPH, &weights).expect("every parameter is bound");
    }
    Corpus::Keep
}

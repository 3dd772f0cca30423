//! The steps that every fuzz target takes with its bytes.

use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;
use checkpoint::{CheckpointError, Format, parse, parse_set};
use hrnet::{Classifier, Graph, Head, HrnetSpec, Shape, StageOneSpec};
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
        head: Head::Classifier(Classifier {
            mids: vec![4, 4],
            features: 8,
            classes: 5,
        }),
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
    let data = without_checksums(data);
    let Ok(file) = parse(Path::new("fuzzed"), data.clone()) else {
        return Corpus::Keep;
    };
    let mut elements = 0;
    for tensor in file.tensors.values() {
        let values = tensor.values().len();
        assert!(values == 0 || values == tensor.elements());
        elements += values;
    }
    assert!(elements <= data.len(), "{elements} elements of {} bytes", data.len());
    let _ = (file.health(), file.check_all());
    for key in &file.other_sets {
        // Another set may have tensors that are damaged, but it is there.
        let other = parse_set(Path::new("fuzzed"), data.clone(), Some(key));
        assert!(!matches!(other, Err(CheckpointError::Set { .. })), "{key:?} was named");
    }
    if let Ok(weights) = file.bind(&GRAPH) {
        checkpoint::health(&GRAPH, &weights).expect("every parameter is bound");
    }
    Corpus::Keep
}

/// The file with every checksum of a ZIP archive zero, as PyTorch writes them when it computes none: no random change is
/// right by chance, and all would end there.
fn without_checksums(data: &[u8]) -> Bytes {
    let mut bytes = data.to_vec();
    for (signature, place) in [(b"PK\x03\x04", 14), (b"PK\x01\x02", 16)] {
        for at in 0..data.len().saturating_sub(place + 4) {
            if data[at..].starts_with(signature) {
                bytes[at + place..][..4].fill(0);
            }
        }
    }
    bytes.into()
}

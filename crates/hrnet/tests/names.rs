//! The names of nodes and parameters. They are those of the original checkpoints, and stand in calibrations, records,
//! exported models and the user's options, so none of them may change.

use std::collections::HashSet;

use hrnet::{HrnetSpec, Shape, StageOneSpec};

/// A structure that shipped networks have; widths are not in the names.
struct Expected {
    what: &'static str,
    spec: HrnetSpec,
    /// The number of nodes and parameters.
    names: usize,
    /// The FNV-1a hash of the names, each followed by a line feed: those of the nodes, then those of the parameters.
    digest: u64,
}

fn expected() -> [Expected; 4] {
    let plain = HrnetSpec::imagenet([18, 36, 72, 144]);
    let small = |blocks, mid, modules: [usize; 3]| HrnetSpec {
        stage1: StageOneSpec { blocks, mid },
        modules: modules.to_vec(),
        blocks: 2,
        ..plain.clone()
    };
    [
        Expected {
            what: "HRNet_W18_C to HRNet_W64_C",
            spec: plain.clone(),
            names: 2772,
            digest: 0xc931_e026_5eb2_3a95,
        },
        Expected {
            what: "SE_HRNet_W64_C",
            spec: HrnetSpec::imagenet([64, 128, 256, 512]).with_se(),
            names: 3892,
            digest: 0x0cba_199d_c467_ab4b,
        },
        Expected {
            what: "hrnet_w18_small",
            spec: small(1, 32, [1, 1, 1]),
            names: 773,
            digest: 0x6b74_3d00_fa88_1a3b,
        },
        Expected {
            what: "hrnet_w18_small_v2",
            spec: small(2, 64, [1, 3, 2]),
            names: 1400,
            digest: 0x9b99_da8c_c8fe_1875,
        },
    ]
}

fn fnv1a64(names: &[String]) -> u64 {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([b'\n']));
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[test]
fn all_names_of_the_shipped_networks_are_as_they_were() {
    let found = expected().map(|expected| {
        let graph = expected.spec.graph(Shape::square(1, 64)).expect("a network");
        let nodes = graph.nodes().iter().map(|node| node.name());
        let names: Vec<String> = nodes.chain(graph.params().map(|param| param.name())).collect();
        (expected.what, names.len(), format!("{:#x}", fnv1a64(&names)))
    });
    let expected = expected().map(|e| (e.what, e.names, format!("{:#x}", e.digest)));
    assert_eq!(found, expected);
}

#[test]
fn a_place_is_that_of_one_node() {
    for expected in expected() {
        let graph = expected.spec.graph(Shape::square(1, 64)).expect("a network");
        let places: HashSet<_> = graph.nodes().iter().map(|node| &node.place).collect();
        let names: HashSet<String> = places.iter().map(ToString::to_string).collect();
        assert_eq!(
            (places.len(), names.len()),
            (graph.nodes().len(), graph.nodes().len())
        );
        let id = graph.find("stage3.0.fuse_layers.2.0.1.1").expect("a node");
        assert_eq!(graph.at(&graph.node(id).place), Some(id));
    }
}

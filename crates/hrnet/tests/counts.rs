//! Exact counts of the eight published networks at 224 x 224, computed independently from the layer shapes by `counts.py`
//! beside this file, and checked against the integers that mmpretrain, the ONNX model zoo and pytorchcv publish.

use hrnet::{Classifier, CountingRule, Head, Heatmaps, HrnetSpec, OutputKind, Profile, Shape};

/// Counts of one network: conv weights, BN channels, linear weights, linear biases, trainable, all entries,
/// conv MACs, conv + linear MACs, BN elements.
struct Expected(&'static str, [u64; 9]);

#[rustfmt::skip]
const EXPECTED: [Expected; 8] = [
    Expected("W18", [19194948, 25608, 2048000, 1000, 21295164, 21346380, 4281489072, 4283537072, 16306122]),
    Expected("W30", [35588100, 35640, 2048000, 1000, 37708380, 37779660, 8103733680, 8105781680, 21205926]),
    Expected("W32", [39105216, 37312, 2048000, 1000, 41228840, 41303464, 8919085056, 8921133056, 22022560]),
    Expected("W40", [55416320, 44000, 2048000, 1000, 57553320, 57641320, 12689949440, 12691997440, 25289096]),
    Expected("W44", [64917456, 47344, 2048000, 1000, 67061144, 67155832, 14881056960, 14883104960, 26922364]),
    Expected("W48", [75315648, 50688, 2048000, 1000, 77466024, 77567400, 17275948032, 17277996032, 28555632]),
    Expected("W64", [125878976, 64064, 2048000, 1000, 128056104, 128184232, 28893347840, 28895395840, 35088704]),
    Expected("SE_W64", [125878976, 64064, 2959360, 24800, 128991264, 129119392, 28893347840, 28896307200, 35088704]),
];

/// ReLU elements of the seven networks without squeeze-and-excitation.
const RELU_ELEMENTS: [u64; 7] = [
    14855624, 19825400, 20653696, 23966880, 25623472, 27280064, 33906432,
];

fn spec(name: &str) -> HrnetSpec {
    let (se, width) = match name.strip_prefix("SE_W") {
        Some(width) => (true, width),
        None => (false, &name[1..]),
    };
    let width: usize = width.parse().expect("a width");
    let spec = HrnetSpec::imagenet([width, 2 * width, 4 * width, 8 * width]);
    if se { spec.with_se() } else { spec }
}

fn profile(name: &str) -> Profile {
    spec(name)
        .graph(Shape::square(1, 224))
        .expect("a published network")
        .profile()
}

#[test]
fn the_eight_networks_have_their_exact_counts() {
    for Expected(name, expected) in &EXPECTED {
        let p = profile(name);
        let counts = [
            p.conv_weights,
            p.bn_channels,
            p.linear_weights,
            p.linear_biases,
            p.trainable().0,
            p.state_dict().0,
            p.conv_macs,
            p.macs().0,
            p.bn_elements,
        ];
        assert_eq!(counts, *expected, "{name}");
    }
    for (Expected(name, _), relu) in EXPECTED.iter().zip(RELU_ELEMENTS) {
        assert_eq!(profile(name).activation_elements, relu, "{name}");
    }
}

/// A published pose network: the width of its first branch, rows and columns of its input, its parameters and MACs, and what
/// Microsoft and mmpose print of them: parameters in millions, MACs in units of 2^30.
struct Pose(usize, [usize; 2], [u64; 2], [&'static str; 2]);

#[test]
fn pose_networks_have_their_exact_counts_and_the_published_figures() {
    for Pose(width, [h, w], counts, printed) in [
        Pose(32, [256, 192], [28_536_113, 7_645_003_776], ["28.5", "7.1"]),
        Pose(32, [384, 288], [28_536_113, 17_201_258_496], ["28.5", "16.0"]),
        Pose(48, [256, 192], [63_595_745, 15_691_825_152], ["63.6", "14.6"]),
        Pose(48, [384, 288], [63_595_745, 35_306_606_592], ["63.6", "32.9"]),
    ] {
        let spec = HrnetSpec::imagenet([width, 2 * width, 4 * width, 8 * width]);
        let spec = spec.with_head(Heatmaps::new(17));
        let graph = spec.graph(Shape::new(1, 3, h, w)).expect("a published network");
        let profile = graph.profile();
        assert_eq!([profile.trainable().0, profile.macs().0], counts, "W{width}");
        let figures = [counts[0] as f64 / 1e6, counts[1] as f64 / 1_073_741_824.0];
        assert_eq!(figures.map(|figure| format!("{figure:.1}")), printed, "W{width}");
        assert_eq!(graph.output_shape(), Shape::new(1, 17, h / 4, w / 4));
        let [heatmaps] = graph.outputs() else {
            panic!("one output, found {:?}", graph.outputs())
        };
        assert_eq!(
            (heatmaps.name.as_str(), heatmaps.kind),
            ("heatmaps", OutputKind::Heatmaps)
        );
        assert_eq!(spec.classes(), 0);
    }
}

/// The files of pose networks have the first output of the last module alone, and a last convolution with bias.
#[test]
fn a_pose_network_has_the_trunk_of_a_classifier_without_what_its_head_does_not_read() {
    let plain = HrnetSpec::imagenet([32, 64, 128, 256]);
    let names = |spec: &HrnetSpec| -> Vec<String> {
        let graph = spec.graph(Shape::new(1, 3, 64, 32)).expect("a graph");
        graph.params().map(|param| param.name()).collect()
    };
    let whole = names(&plain);
    let pose = names(&plain.with_head(Heatmaps::new(17)));
    let unread = |name: &&String| {
        let last_rows = (1..4).map(|row| format!("stage4.2.fuse_layers.{row}."));
        let heads = [
            "incre_modules.",
            "downsamp_modules.",
            "final_layer.",
            "classifier.",
        ]
        .map(String::from);
        last_rows.chain(heads).any(|part| name.starts_with(&part))
    };
    let mut expected: Vec<String> = whole.iter().filter(|name| !unread(name)).cloned().collect();
    expected.extend(["final_layer.weight".into(), "final_layer.bias".into()]);
    assert_eq!(pose, expected);
}

#[test]
fn nodes_add_up_to_the_total() {
    let graph = spec("SE_W64").graph(Shape::square(2, 64)).expect("a graph");
    let (mut trainable, mut state, mut macs) = (0, 0, 0);
    for (_, _, node) in graph.node_profiles() {
        trainable += node.trainable.0;
        state += node.state.0;
        macs += node.macs.0;
    }
    let total = graph.profile();
    assert_eq!(
        (trainable, trainable + state, macs),
        (total.trainable().0, total.state_dict().0, total.macs().0)
    );
    let single = spec("SE_W64")
        .graph(Shape::square(1, 64))
        .expect("a graph")
        .profile();
    assert_eq!(total.macs().0, 2 * single.macs().0, "work grows with the batch");
    assert_eq!(total.trainable(), single.trainable(), "parameters do not");
}

#[test]
fn ops_match_the_exported_onnx_graphs() {
    for name in ["W18", "W48"] {
        let ops = profile(name).ops;
        let counts = [
            ops.conv,
            ops.batch_norm,
            ops.relu,
            ops.add,
            ops.upsample,
            ops.global_avg_pool,
            ops.linear,
        ];
        assert_eq!(counts, [325, 325, 284, 177, 31, 1, 1], "{name}");
    }
    let se = profile("SE_W64").ops;
    assert_eq!(
        [se.scale, se.sigmoid, se.linear, se.global_avg_pool],
        [112, 112, 225, 113]
    );
}

#[test]
fn counting_rules_give_the_published_tables() {
    let hundredths = |rule: CountingRule, name: &str, unit: f64| {
        (rule.count(&profile(name)) as f64 / unit * 100.0).round() as u64
    };
    let flops = [
        ("W30", 1623),
        ("W32", 1786),
        ("W40", 2541),
        ("W44", 2979),
        ("W48", 3458),
        ("W64", 5783),
    ];
    for (name, expected) in flops.into_iter().chain([("SE_W64", 5783), ("W18", 858)]) {
        assert_eq!(
            hundredths(CountingRule::ModelStatFlops, name, 1e9),
            expected,
            "{name}"
        );
    }
    let params = [
        ("W18", 2129),
        ("W30", 3771),
        ("W44", 6706),
        ("W64", 12806),
        ("SE_W64", 12897),
    ];
    for (name, expected) in params {
        assert_eq!(
            hundredths(CountingRule::ModelStatParams, name, 1e6),
            expected,
            "{name}"
        );
    }
    let newer = [
        ("W18", 432),
        ("W30", 815),
        ("W48", 1734),
        ("W64", 2897),
        ("SE_W64", 2898),
    ];
    for (name, expected) in newer {
        assert_eq!(
            hundredths(CountingRule::PaddleFlops, name, 1e9),
            expected,
            "{name}"
        );
    }
}

#[test]
fn openmmlab_counts_every_layer_but_the_linear_one() {
    for (name, flops) in [
        ("W18", 4_330_397_932),
        ("W30", 8_168_305_684),
        ("W32", 8_986_267_584),
        ("W40", 12_767_574_064),
        ("W44", 14_963_902_632),
        ("W48", 17_364_014_752),
        ("W64", 29_002_298_752),
    ] {
        assert_eq!(
            CountingRule::OpenmmlabFlops.count(&profile(name)),
            flops,
            "{name}"
        );
    }
}

#[test]
fn parameter_names_are_those_of_the_original_checkpoints() {
    let graph = spec("W18").graph(Shape::square(1, 224)).expect("a graph");
    let names: Vec<String> = graph.params().map(|param| param.name()).collect();
    assert_eq!(names.len(), 1627);
    for name in [
        "conv1.weight",
        "layer1.0.downsample.1.running_var",
        "transition1.0.0.weight",
        "transition1.1.0.1.bias",
        "transition3.3.0.0.weight",
        "stage4.2.fuse_layers.3.0.2.0.weight",
        "stage3.1.branches.2.3.bn2.running_var",
        "stage2.0.fuse_layers.0.1.0.weight",
        "incre_modules.0.0.downsample.1.running_mean",
        "downsamp_modules.2.0.weight",
        "final_layer.1.weight",
        "classifier.bias",
    ] {
        assert!(names.iter().any(|n| n == name), "{name} is missing");
    }
    let se = spec("SE_W64").graph(Shape::square(1, 224)).expect("a graph");
    assert_eq!(se.params().count(), 2075);
    let squeeze = se
        .params()
        .find(|p| p.name() == "stage4.2.branches.3.3.se.fc1.weight")
        .expect("a squeeze weight");
    assert_eq!(squeeze.shape, [32, 512]);
}

#[test]
fn tiny_networks_and_odd_sizes() {
    let tiny = HrnetSpec {
        stem: 4,
        widths: vec![3, 5, 7],
        modules: vec![1, 2],
        blocks: 1,
        head: Head::Classifier(Classifier {
            mids: vec![2, 3, 4],
            features: 11,
            classes: 6,
        }),
        stage1: hrnet::StageOneSpec { blocks: 1, mid: 2 },
        se_reduction: None,
    };
    assert_eq!(tiny.stride(), 16);
    let graph = tiny.graph(Shape::new(2, 3, 48, 16)).expect("a tiny graph");
    assert_eq!(graph.output_shape(), Shape::new(2, 6, 1, 1));
    let error = tiny
        .graph(Shape::new(1, 3, 40, 16))
        .expect_err("40 is no multiple of 16");
    assert!(error.to_string().contains("multiples of 16"), "{error}");
    assert!(spec("W18").graph(Shape::square(1, 225)).is_err());
    assert!(spec("W18").graph(Shape::square(0, 224)).is_err());
    assert!(
        HrnetSpec {
            modules: vec![1],
            ..tiny.clone()
        }
        .graph(Shape::square(1, 32))
        .is_err()
    );
    assert!(
        HrnetSpec {
            widths: vec![3, 0, 7],
            ..tiny.clone()
        }
        .graph(Shape::square(1, 32))
        .is_err()
    );
    let error = HrnetSpec {
        se_reduction: Some(16),
        ..tiny
    }
    .graph(Shape::square(1, 32))
    .expect_err("3 < 16");
    assert!(error.to_string().contains("reduction"), "{error}");
}

#[test]
fn a_part_of_a_network_is_a_network() {
    let graph = spec("W18").graph(Shape::square(1, 64)).expect("a graph");
    for (branch, side) in [(0, 16), (1, 8), (2, 4), (3, 2)] {
        let last = graph
            .find(&format!("stage4.2.fuse_layers.{branch}.relu"))
            .expect("an output of stage 4");
        let part = graph.up_to(last);
        assert_eq!(part.output_shape(), Shape::new(1, 18 << branch, side, side));
        assert_eq!(part.input_shape(), graph.input_shape());
        for other in (0..4).filter(|other| *other != branch) {
            let other = format!("stage4.2.fuse_layers.{other}.relu");
            assert_eq!(part.find(&other), None, "not needed for branch {branch}");
        }
        for (id, node) in part.iter().skip(1) {
            assert!(node.inputs.iter().all(|input| *input < id), "{}", node.place);
            let whole = graph.node(graph.at(&node.place).expect("a node of the whole"));
            assert_eq!((node.op, node.shape), (whole.op, whole.shape));
        }
    }
    assert_eq!(graph.up_to(graph.output_node()), graph);
    let [fine, coarse] = ["stage4.2.fuse_layers.0.relu", "stage4.2.fuse_layers.3.relu"]
        .map(|name| graph.find(name).expect("an output of stage 4"));
    let part = graph.computing(&[coarse, fine]);
    let shapes: Vec<Shape> = part
        .outputs()
        .iter()
        .map(|output| part.node(output.node).shape)
        .collect();
    assert_eq!(
        shapes,
        [Shape::new(1, 144, 2, 2), Shape::new(1, 18, 16, 16)],
        "as they were named"
    );
    assert_eq!(part.with_batch(3).outputs(), part.outputs());
    let consumers = |graph: &hrnet::Graph| graph.consumer_counts().iter().sum::<usize>();
    let inputs: usize = part.nodes().iter().map(|node| node.inputs.len()).sum();
    assert_eq!(consumers(&part), inputs + 2, "each output is read once more");
    assert_eq!(graph.find("stage5"), None);
}

//! Ranges of what convolutions read and of the values between, against values that another backend computes of the same nodes.

use hrnet::{
    Classifier, Graph, Head, HrnetSpec, Node, NodeId, Op, Precision, SeededWeights, Shape, StageOneSpec,
};
use runtime::{Calibration, CalibrationError, Calibrator, Method, Options, Origin, Range, photo_like};

fn tiny(widths: [usize; 3]) -> HrnetSpec {
    HrnetSpec {
        stem: 4,
        stage1: StageOneSpec { blocks: 1, mid: 4 },
        widths: widths.into(),
        modules: vec![1, 1],
        blocks: 1,
        se_reduction: Some(2),
        head: Head::Classifier(Classifier {
            mids: vec![2, 4, 8],
            features: 24,
            classes: 10,
        }),
    }
}

fn graph(shape: Shape) -> Graph {
    tiny([3, 6, 12]).graph(shape).expect("a tiny network")
}

fn convolutions(graph: &Graph) -> impl Iterator<Item = &Node> {
    graph.nodes().iter().filter(|node| matches!(node.op, Op::Conv(_)))
}

fn calibrated(graph: &Graph, batches: &[Vec<f32>], method: Method) -> Calibration {
    let mut calibrator = Calibrator::new(graph, &SeededWeights::new(3)).expect("a calibrator");
    for batch in batches {
        calibrator.add(batch).expect("calibrated");
    }
    let origin = Origin {
        network: Some("tiny".into()),
        weights: Some("seeded:3".into()),
        images: "made up".into(),
    };
    calibrator.finish(method, origin).expect("ranges")
}

/// A node's value, computed by stock operations as a network of its own.
fn value(graph: &Graph, id: NodeId, images: &[f32]) -> Vec<f32> {
    if id.index() == 0 {
        return images.to_vec();
    }
    let stock = runtime::backend("candle").expect("candle");
    let part = graph.up_to(id);
    let mut session = stock
        .prepare(&part, &SeededWeights::new(3), Options::new(Precision::F32))
        .expect("prepared");
    session.logits(images).expect("values")
}

/// Checks that the range is that of the values.
fn is_of(range: Range, values: &[f32], name: &str) {
    let ends = |(lo, hi): (f32, f32), value: &f32| (lo.min(*value), hi.max(*value));
    let (lo, hi) = values.iter().fold((0.0, 0.0), ends);
    let near = |a: f32, b: f32| (a - b).abs() <= 1e-5 * (hi - lo);
    assert!(
        near(range.lo, lo) && near(range.hi, hi) && hi > 0.0,
        "{name}: {range:?}, expected {lo} to {hi}"
    );
}

#[test]
fn every_convolution_has_the_range_of_all_it_reads() {
    let shape = Shape::new(2, 3, 32, 96);
    let graph = graph(shape);
    let batches: Vec<Vec<f32>> = (0..2).map(|seed| photo_like(seed, shape)).collect();
    let found = calibrated(&graph, &batches, Method::MinMax);
    assert_eq!(found.images, 4);
    assert_eq!(found.layers().count(), convolutions(&graph).count());
    for conv in convolutions(&graph) {
        let values: Vec<f32> = batches
            .iter()
            .flat_map(|batch| value(&graph, conv.inputs[0], batch))
            .collect();
        let range = found.range(&conv.name()).expect("a range");
        is_of(range, &values, &conv.name());
        assert_eq!(found.value(&graph, conv.inputs[0]), Some(range));
        assert_eq!(found.seen(&conv.name()), Some(range));
        let near = |a: f32, b: f32| (a - b).abs() <= 1e-5 * (range.hi - range.lo);
        let channels = found.channels(&conv.name()).expect("channels");
        let count = channels.largest.len();
        let planes = values.chunks_exact(values.len() / (4 * count));
        for (channel, (largest, mean)) in channels.largest.iter().zip(&channels.means).enumerate() {
            let own = || planes.clone().skip(channel).step_by(count).flatten();
            let expected = own().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            assert!(
                near(*largest, expected),
                "{}: {largest}, expected {expected}",
                conv.place
            );
            let expected = own().sum::<f32>() / own().count() as f32;
            assert!(
                near(*mean, expected),
                "{}: mean {mean}, expected {expected}",
                conv.place
            );
        }
    }
    let percentile = calibrated(&graph, &batches, Method::Percentile(90.0));
    let narrower = |name: &str| {
        let [a, b] = [&percentile, &found].map(|found| found.range(name).expect("a range"));
        a.lo >= b.lo && a.hi <= b.hi && a.hi - a.lo < b.hi - b.lo
    };
    assert!(found.layers().all(narrower));
    assert!(
        found
            .layers()
            .all(|name| found.seen(name) == percentile.seen(name))
    );
}

#[test]
fn what_goes_into_sums_and_gates_and_the_last_pooling_has_its_range() {
    let shape = Shape::square(1, 64);
    let graph = graph(shape);
    let images = photo_like(1, shape);
    let found = calibrated(&graph, std::slice::from_ref(&images), Method::MinMax);
    let mut sums = 0;
    for (id, node) in graph.iter() {
        let feeds_relu = graph
            .nodes()
            .iter()
            .any(|reader| reader.op == Op::Relu && reader.inputs.contains(&id));
        let is_row = |node: &Node| matches!(node.op, Op::Linear(_) | Op::GlobalAvgPool | Op::Sigmoid);
        let of_row = node.inputs.iter().any(|input| is_row(graph.node(*input)));
        let has_range = match node.op {
            Op::Conv(_) => false,
            Op::Scale => !feeds_relu,
            _ => !feeds_relu && !is_row(node) && !of_row,
        };
        let range = found.value(&graph, id);
        assert_eq!(range.is_some(), has_range, "{}", node.place);
        if let Some(range) = range {
            is_of(range, &value(&graph, id, &images), &node.name());
            sums += usize::from(node.op == Op::Add);
        }
    }
    assert!(sums > 0, "sums of sums");
}

#[test]
fn a_calibration_comes_back_from_its_text() {
    let graph = graph(Shape::square(1, 32));
    let found = calibrated(&graph, &[photo_like(5, graph.input_shape())], Method::Mse);
    let text = found.to_text();
    assert_eq!(Calibration::parse(&text).expect("read"), found);
    let why = |text: &str| Calibration::parse(text).expect_err("no calibration").to_string();
    assert!(why("layers").contains("line 1"), "{}", why("layers"));
    let older = r#"{ "calibration": 1, "layers": { "conv1": { "channels": 3 } } }"#;
    assert!(
        why(older).contains("version 1, this program reads 2"),
        "{}",
        why(older)
    );
    let shorter = text.replacen("\"means\": [", "\"means\": [0.5,", 1);
    assert!(
        why(&shorter).contains("as many largest values"),
        "{}",
        why(&shorter)
    );
    let newer = text.replacen("\"calibration\": 2", "\"calibration\": 3", 1);
    assert!(why(&newer).contains("version 3"));
    let backwards = text.replacen("\"lo\": 0.0", "\"lo\": 0.5", 1);
    assert!(why(&backwards).contains("at most 0"));
}

#[test]
fn a_stand_in_is_the_same_whatever_the_batch_and_fits_its_network_alone() {
    let weights = SeededWeights::new(3);
    let stand_in = |shape| Calibration::stand_in(&graph(shape), &weights).expect("calibrated");
    let found = stand_in(Shape::square(1, 64));
    assert_eq!(found, stand_in(Shape::square(3, 64)));
    assert!(Calibration::STAND_IN.starts_with(&found.images.to_string()));
    let whole = graph(Shape::square(2, 96));
    found.check(&whole).expect("its network");
    let fusing = whole
        .nodes()
        .iter()
        .position(|node| node.op == Op::Add)
        .expect("a sum");
    let (part, _) = whole.iter().nth(fusing).expect("a node");
    found.check(&whole.up_to(part)).expect("a part of it");
    let refused = |spec: HrnetSpec| {
        let other = spec.graph(Shape::square(1, 64)).expect("a network");
        match found.check(&other) {
            Err(CalibrationError::Network(why)) => why,
            fits => panic!("{fits:?}"),
        }
    };
    let wider = refused(tiny([5, 6, 12]));
    assert!(wider.contains("reads 3 channels, not 5"), "{wider}");
    let mut longer = tiny([3, 6, 12]);
    longer.blocks = 2;
    assert!(refused(longer).contains("no range of layer"));
}

#[test]
fn what_is_no_number_is_told_with_its_layer() {
    let graph = graph(Shape::square(1, 32));
    let mut calibrator = Calibrator::new(&graph, &SeededWeights::new(3)).expect("a calibrator");
    let nothing = calibrator.finish(Method::MinMax, Origin::default());
    assert!(matches!(nothing, Err(CalibrationError::NoImages)), "{nothing:?}");
    let mut images = photo_like(0, graph.input_shape());
    images[7] = f32::INFINITY;
    let error = calibrator.add(&images).expect_err("no number").to_string();
    assert!(error.contains("layer `conv1` reads inf"), "{error}");
    let short = calibrator.add(&images[1..]).expect_err("too short");
    assert!(short.to_string().contains("prepared for 3072"), "{short}");
    assert_eq!(Range::around(1.0, -2.0), Range { lo: 0.0, hi: 0.0 });
}

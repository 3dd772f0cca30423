//! Every backend in every precision against a naive walk over the graph in f64, on small networks that hold each op.

#![expect(clippy::print_stdout, reason = "the differences seen, for --nocapture")]

mod walker;

use hrnet::{Graph, NodeId, Op, Precision, SeededWeights, Shape};
use runtime::{Backend, Options, PEERS, RuntimeError};
use testkit::largest_difference;
use walker::{Walker, backends, images, largest, networks, other_heads, pairs_that_must_run};

#[test]
fn values_are_told_to_have_none_below_zero_only_where_they_have_none() {
    for spec in networks() {
        let graph = spec.graph(Shape::square(1, 64)).expect("a network");
        let told: Vec<NodeId> = graph
            .iter()
            .map(|(id, _)| id)
            .filter(|id| graph.is_non_negative(*id))
            .collect();
        let values = Walker::new(&graph, &SeededWeights::new(3)).values(&images(graph.input_shape()));
        assert!(!told.is_empty());
        for id in told {
            let least = values[id.index()].iter().copied().fold(0.0, f64::min);
            assert!(least >= 0.0, "{}: {least}", graph.node(id).place);
        }
    }
}

#[test]
fn every_backend_gives_the_reference_logits_in_every_precision() {
    for (spec, shape) in networks()
        .into_iter()
        .zip([Shape::new(2, 3, 48, 32), Shape::new(1, 3, 32, 64)])
    {
        let ran = every_backend_agrees(&spec.graph(shape).expect("a tiny network"));
        for pair in pairs_that_must_run() {
            assert!(ran.contains(&pair), "{pair:?} was not run: {ran:?}");
        }
    }
}

/// Most vectors of the smallest maps hold no pixel then, and their lanes are those of several images.
#[test]
fn every_backend_gives_the_reference_logits_of_maps_of_one_pixel() {
    for images in [1, 3, 8, 17] {
        every_backend_agrees(&tiny(Shape::new(images, 3, 32, 32)));
    }
}

/// Compares each backend's logits with the reference's in every precision, and returns what was run.
fn every_backend_agrees(graph: &Graph) -> Vec<(&'static str, Precision)> {
    let weights = SeededWeights::new(3);
    let images = images(graph.input_shape());
    let expected = Walker::new(graph, &weights).result(&images);
    let mut ran = Vec::new();
    for backend in backends() {
        for precision in Precision::ALL
            .into_iter()
            .filter(|p| backend.arithmetic(*p).is_some())
        {
            let mut session = backend
                .prepare(graph, &weights, Options::new(precision))
                .expect("prepare");
            let logits = session.logits(&images).expect("run");
            let error = largest_difference(&logits, &expected) / largest(&expected);
            let allowed = f64::from(backend.tolerance(precision));
            assert!(
                error <= allowed,
                "{} {precision} of {}: error {error:e} of the largest logit, allowed {allowed:e}",
                backend.name(),
                graph.input_shape()
            );
            assert_eq!(
                session.logits(&images).expect("run"),
                logits,
                "a second run gives the same"
            );
            ran.push((backend.name(), precision));
        }
    }
    ran
}

#[test]
fn every_backend_gives_the_outputs_of_every_head_by_name_in_every_precision() {
    let weights = SeededWeights::new(4);
    let shape = Shape::new(2, 3, 48, 32);
    for spec in other_heads() {
        let graph = spec.graph(shape).expect("a tiny network");
        let images = images(shape);
        let values = Walker::new(&graph, &weights).values(&images);
        let mut ran = Vec::new();
        for backend in backends() {
            let precisions = Precision::ALL.into_iter();
            for precision in precisions.filter(|precision| backend.arithmetic(*precision).is_some()) {
                let mut session = backend
                    .prepare(&graph, &weights, Options::new(precision))
                    .expect("prepare");
                let outputs = session.outputs(&images).expect("run");
                assert_eq!(outputs.iter().count(), graph.outputs().len());
                assert_eq!(outputs.get("logits"), None);
                for output in graph.outputs() {
                    let what = format!("{} {precision}: {}", backend.name(), output.name);
                    let expected = &values[output.node.index()];
                    let found = outputs.get(&output.name).expect("an output of the graph");
                    assert_eq!(found.shape, graph.node(output.node).shape, "{what}");
                    let error = largest_difference(found.values, expected) / largest(expected);
                    let allowed = f64::from(backend.tolerance(precision));
                    println!("{what}: {error:e} of the largest value");
                    assert!(error <= allowed, "{what}: {error:e}, allowed {allowed:e}");
                }
                ran.push((backend.name(), precision));
            }
        }
        for pair in pairs_that_must_run() {
            assert!(ran.contains(&pair), "{pair:?} was not run: {ran:?}");
        }
    }
}

#[test]
fn features_alone_bring_the_engines_of_others() {
    let built = |name: &str| match name {
        "ort" => cfg!(feature = "ort"),
        "tract" => cfg!(feature = "tract"),
        other => panic!("is {other} built in?"),
    };
    for name in PEERS {
        match runtime::backend(name).map(Backend::name) {
            Ok(found) => assert!(built(name) && found == *name),
            Err(error) => {
                assert!(!built(name) && error.to_string().contains(&format!("--features {name}")));
            }
        }
    }
}

/// Threads change which sums are one thread's, and in whole numbers nothing at all.
#[test]
fn thread_counts_do_not_change_the_shape_and_hardly_the_value() {
    let [spec, _] = networks();
    let shape = Shape::new(3, 3, 32, 32);
    let graph = spec.graph(shape).expect("a tiny network");
    for backend in backends() {
        for precision in Precision::ALL {
            if backend.arithmetic(precision).is_none() {
                continue;
            }
            let run = |threads: usize| {
                let options = Options::new(precision).threads(threads.try_into().expect("positive"));
                let mut session = backend
                    .prepare(&graph, &SeededWeights::new(0), options)
                    .expect("prepare");
                assert_eq!(session.input_shape(), shape);
                session.logits(&images(shape)).expect("run")
            };
            let one = run(1);
            let scale = one.iter().fold(0.0_f64, |max, x| f64::from(x.abs()).max(max));
            for threads in [2, 3] {
                let error = largest_difference(&one, &run(threads)) / scale;
                let allowed = f64::from(backend.tolerance(precision)) / 3.0;
                let what = format!("{} {precision} on {threads} threads", backend.name());
                println!("{what}: {error:e} of the largest logit");
                assert!(error <= allowed, "{what}: {error:e}, allowed {allowed:e}");
            }
        }
    }
}

#[test]
fn a_part_of_a_network_is_run_as_well() {
    let [spec, _] = networks();
    let whole = spec.graph(Shape::new(2, 3, 32, 64)).expect("a tiny network");
    let map = whole.iter().find(|(_, node)| matches!(node.op, Op::Upsample(_)));
    let part = whole.up_to(map.expect("an upsampling").0);
    let images = images(part.input_shape());
    let expected = Walker::new(&part, &SeededWeights::new(5)).result(&images);
    for backend in backends() {
        let mut session = backend
            .prepare(&part, &SeededWeights::new(5), Options::new(Precision::F32))
            .expect("prepare");
        let values = session.logits(&images).expect("run");
        let error = largest_difference(&values, &expected) / largest(&expected);
        let allowed = f64::from(backend.tolerance(Precision::F32));
        assert!(error <= allowed, "{}: {error:e}", backend.name());
    }
}

/// The largest distance of a value from that of another run, as a share of the largest value: sums have the same terms in the same order.
const SAME: f64 = 1e-6;

/// Values of every kind: what a ReLU, a norm, a sum, an enlargement, a gate and a pooling give, at several sizes, one of which is
/// read further on, and the images themselves.
const SEVERAL: &[&str] = &[
    "stage3.1.fuse_layers.1.relu",
    "bn1.relu",
    "layer1.0.bn3",
    "stage2.0.fuse_layers.0.1.2",
    "input",
    "incre_modules.2.0.add",
    "global_pool",
    "classifier",
];

#[test]
fn several_results_of_one_run_are_those_of_a_run_for_each() {
    let weights = SeededWeights::new(5);
    let shape = Shape::new(2, 3, 64, 32);
    let [_, gated] = networks();
    let whole = gated.graph(shape).expect("a tiny network");
    let named = SEVERAL.iter().chain(&["layer1.1.se.scale"]);
    let nodes: Vec<NodeId> = named.map(|name| whole.find(name).expect(name)).collect();
    let graph = whole.computing(&nodes);
    let images = images(shape);
    for backend in backends() {
        for precision in Precision::ALL {
            if backend.arithmetic(precision).is_none() {
                continue;
            }
            let run = |graph: &Graph| {
                let mut session = backend
                    .prepare(graph, &weights, Options::new(precision))
                    .expect("prepare");
                let first = session.logits(&images).expect("run");
                assert_eq!(
                    session.logits(&images).expect("run"),
                    first,
                    "a second run gives the same"
                );
                (session.shapes().clone(), first)
            };
            let (shapes, mut all) = run(&graph);
            for ((node, shape), values) in nodes.iter().zip(&shapes.outputs).zip(shapes.split(&mut all)) {
                let shape = &shape.shape;
                let what = format!("{} {precision}: {}", backend.name(), whole.node(*node).name());
                let (alone, expected) = run(&whole.up_to(*node));
                assert_eq!(
                    (alone.outputs[0].shape, *shape),
                    (*shape, whole.node(*node).shape),
                    "{what}"
                );
                let scale = expected
                    .iter()
                    .fold(0.0_f64, |max, x| f64::from(x.abs()).max(max));
                let error = largest_difference(values, &expected) / scale;
                println!("{what}: {error:e} of the largest value");
                assert!(error <= SAME, "{what}: {error:e}");
            }
        }
    }
}

fn tiny(shape: Shape) -> Graph {
    let [spec, _] = networks();
    spec.graph(shape).expect("a tiny network")
}

#[test]
fn wrong_lengths_are_refused_and_the_session_stays_usable() {
    let shape = Shape::new(1, 3, 32, 32);
    let graph = tiny(shape);
    assert_eq!(
        graph.output_node(),
        graph.iter().last().map(|(id, _): (NodeId, _)| id).expect("nodes")
    );
    for backend in backends() {
        let mut session = backend
            .prepare(&graph, &SeededWeights::new(0), Options::new(Precision::F32))
            .expect("prepare");
        let error = session
            .run(&[0.0; 5], &mut [0.0; 10])
            .expect_err("five elements are no image");
        assert!(error.to_string().contains("3072"), "{error}");
        assert!(session.run(&images(shape), &mut [0.0; 3]).is_err());
        assert!(session.run(&images(shape), &mut [0.0; 10]).is_ok());
    }
}

/// Vector units make 0 of a NaN in a ReLU, so that logits of nonsense would look like logits.
#[test]
fn images_that_are_not_finite_are_refused_with_their_first_place() {
    let shape = Shape::new(2, 3, 32, 64);
    let graph = tiny(shape);
    let place = |image: usize, channel: usize, row: usize, column: usize| {
        ((image * 3 + channel) * 32 + row) * 64 + column
    };
    for backend in backends() {
        for precision in Precision::ALL {
            if backend.arithmetic(precision).is_none() {
                continue;
            }
            let mut session = backend
                .prepare(&graph, &SeededWeights::new(0), Options::new(precision))
                .expect("prepare");
            let good = session.logits(&images(shape)).expect("run");
            for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for (image, channel, row, column) in [(0, 0, 0, 0), (1, 2, 7, 40), (1, 2, 31, 63)] {
                    let mut images = images(shape);
                    images[place(image, channel, row, column)..].fill(odd);
                    let error = session.logits(&images).expect_err("no number");
                    let found = match error {
                        RuntimeError::NotFinite {
                            value,
                            image,
                            channel,
                            row,
                            column,
                        } => (value.to_bits(), image, channel, row, column),
                        other => panic!("{other}"),
                    };
                    assert_eq!(found, (odd.to_bits(), image, channel, row, column));
                }
            }
            assert_eq!(session.logits(&images(shape)).expect("run"), good);
        }
    }
    assert!(runtime::check_finite(&[f32::MAX, f32::MIN, 0.0], Shape::new(1, 3, 1, 1)).is_ok());
    let error = runtime::check_finite(&[0.0; 2], Shape::new(1, 3, 1, 1)).expect_err("too short");
    assert!(error.to_string().contains("prepared for 3"), "{error}");
}

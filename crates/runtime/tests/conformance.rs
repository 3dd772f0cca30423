//! Every backend in every precision against a naive walk over the graph in f64, on small networks that hold each op.
#![expect(clippy::print_stdout, reason = "what cannot run here, for --nocapture")]

use hrnet::{
    Graph, HeadSpec, HrnetSpec, NodeId, Op, Precision, SeededWeights, Shape, StageOneSpec, WeightSource,
};
use runtime::{BACKENDS, Backend, Options, PEERS, RuntimeError};

/// The backends that can run here; one whose library is not here is told of.
fn backends() -> Vec<&'static dyn Backend> {
    let here = |backend: &&dyn Backend| match backend.identity() {
        Ok(identity) => {
            println!("{}: {identity}", backend.name());
            true
        }
        Err(error @ RuntimeError::Missing { .. }) => {
            println!("not run: {error}");
            false
        }
        Err(error) => panic!("{}: {error}", backend.name()),
    };
    BACKENDS.iter().copied().filter(here).collect()
}

/// The graph's value for `images`.
fn reference(graph: &Graph, weights: &dyn WeightSource, images: &[f32]) -> Vec<f64> {
    values(graph, weights, images).swap_remove(graph.output().index())
}

/// The value of each node for `images`, each op written as its definition.
fn values(graph: &Graph, weights: &dyn WeightSource, images: &[f32]) -> Vec<Vec<f64>> {
    let mut values: Vec<Vec<f64>> = Vec::new();
    for node in graph.nodes() {
        let params: Vec<Vec<f64>> = node
            .params()
            .iter()
            .map(|param| {
                weights
                    .load(param)
                    .expect("seeded")
                    .iter()
                    .map(|v| f64::from(*v))
                    .collect()
            })
            .collect();
        let input = |i: usize| &values[node.inputs[i].index()];
        let map = |f: &dyn Fn(f64) -> f64| input(0).iter().map(|x| f(*x)).collect::<Vec<f64>>();
        let out = node.shape;
        let from = |i: usize| graph.node(node.inputs[i]).shape;
        values.push(match node.op {
            Op::Input => images.iter().map(|x| f64::from(*x)).collect(),
            Op::Conv(conv) => each(out, |n, c, y, x| {
                let s = from(0);
                let mut sum = 0.0;
                for ci in 0..conv.inputs {
                    for ky in 0..conv.kernel {
                        for kx in 0..conv.kernel {
                            let (iy, ix) = (y * conv.stride + ky, x * conv.stride + kx);
                            let pad = conv.padding();
                            if iy < pad || ix < pad || iy - pad >= s.h || ix - pad >= s.w {
                                continue;
                            }
                            let w = params[0][((c * conv.inputs + ci) * conv.kernel + ky) * conv.kernel + kx];
                            sum += w * input(0)[at(s, n, ci, iy - pad, ix - pad)];
                        }
                    }
                }
                sum
            }),
            Op::BatchNorm => each(out, |n, c, y, x| {
                let [weight, bias, mean, variance] = [0, 1, 2, 3].map(|p| params[p][c]);
                (input(0)[at(out, n, c, y, x)] - mean) / (variance + 1e-5).sqrt() * weight + bias
            }),
            Op::Relu => map(&|x| x.max(0.0)),
            Op::Sigmoid => map(&|x| 1.0 / (1.0 + (-x).exp())),
            Op::Add => input(0).iter().zip(input(1)).map(|(a, b)| a + b).collect(),
            Op::Scale => each(out, |n, c, y, x| {
                input(0)[at(out, n, c, y, x)] * input(1)[n * out.c + c]
            }),
            Op::Upsample(factor) => each(out, |n, c, y, x| {
                input(0)[at(from(0), n, c, y / factor, x / factor)]
            }),
            Op::GlobalAvgPool => each(out, |n, c, _, _| {
                let area = from(0).h * from(0).w;
                let start = (n * out.c + c) * area;
                input(0)[start..start + area].iter().sum::<f64>() / area as f64
            }),
            Op::Linear(linear) => each(out, |n, c, _, _| {
                let row = &params[0][c * linear.inputs..(c + 1) * linear.inputs];
                let x = &input(0)[n * linear.inputs..(n + 1) * linear.inputs];
                params[1][c] + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()
            }),
        });
    }
    values
}

fn at(s: Shape, n: usize, c: usize, y: usize, x: usize) -> usize {
    ((n * s.c + c) * s.h + y) * s.w + x
}

fn each(s: Shape, value: impl Fn(usize, usize, usize, usize) -> f64) -> Vec<f64> {
    let mut values = Vec::with_capacity(s.elements());
    for n in 0..s.n {
        for c in 0..s.c {
            for y in 0..s.h {
                values.extend((0..s.w).map(|x| value(n, c, y, x)));
            }
        }
    }
    values
}

fn networks() -> [HrnetSpec; 2] {
    let tiny = HrnetSpec {
        stem: 4,
        stage1: StageOneSpec { blocks: 2, mid: 4 },
        widths: vec![3, 6, 12],
        modules: vec![1, 2],
        blocks: 2,
        se_reduction: None,
        head: HeadSpec {
            mids: vec![2, 4, 8],
            features: 24,
            classes: 10,
        },
    };
    [
        tiny.clone(),
        HrnetSpec {
            se_reduction: Some(2),
            ..tiny
        },
    ]
}

fn images(shape: Shape) -> Vec<f32> {
    (0..shape.elements())
        .map(|i| ((i * 7919 % 1009) as f32 / 504.5) - 1.0)
        .collect()
}

#[test]
fn values_are_told_to_have_none_below_zero_only_where_they_have_none() {
    for spec in networks() {
        let graph = spec.graph(Shape::square(1, 64)).expect("a network");
        let told: Vec<NodeId> = graph
            .iter()
            .map(|(id, _)| id)
            .filter(|id| graph.is_non_negative(*id))
            .collect();
        let values = values(&graph, &SeededWeights::new(3), &images(graph.input_shape()));
        assert!(!told.is_empty());
        for id in told {
            let least = values[id.index()].iter().copied().fold(0.0, f64::min);
            assert!(least >= 0.0, "{}: {least}", graph.node(id).name);
        }
    }
}

#[test]
fn every_backend_gives_the_reference_logits_in_every_precision() {
    let weights = SeededWeights::new(3);
    for (spec, shape) in networks()
        .into_iter()
        .zip([Shape::new(2, 3, 48, 32), Shape::new(1, 3, 32, 64)])
    {
        let graph = spec.graph(shape).expect("a tiny network");
        let images = images(shape);
        let expected = reference(&graph, &weights, &images);
        let largest = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        for backend in backends() {
            for precision in Precision::ALL
                .into_iter()
                .filter(|p| backend.arithmetic(*p).is_some())
            {
                let mut session = backend
                    .prepare(&graph, &weights, Options::new(precision))
                    .expect("prepare");
                let logits = session.logits(&images).expect("run");
                let error = logits
                    .iter()
                    .zip(&expected)
                    .fold(0.0_f64, |max, (a, b)| max.max((f64::from(*a) - b).abs()));
                let allowed = f64::from(backend.tolerance(precision)) * largest;
                assert!(
                    error <= allowed,
                    "{} {precision}: error {error:e} of largest logit {largest}, allowed {allowed:e}",
                    backend.name()
                );
                assert_eq!(
                    session.logits(&images).expect("run"),
                    logits,
                    "a second run gives the same"
                );
            }
        }
    }
}

#[test]
fn features_alone_bring_the_engines_of_others() {
    for (name, built) in PEERS.iter().zip([cfg!(feature = "ort"), cfg!(feature = "tract")]) {
        match runtime::backend(name).map(Backend::name) {
            Ok(found) => assert!(built && found == *name),
            Err(error) => assert!(!built && error.to_string().contains(&format!("--features {name}"))),
        }
    }
}

#[test]
fn thread_counts_do_not_change_the_shape_and_hardly_the_value() {
    let [spec, _] = networks();
    let shape = Shape::new(3, 3, 32, 32);
    let graph = spec.graph(shape).expect("a tiny network");
    for backend in backends() {
        let run = |threads: usize| {
            let options = Options::new(Precision::F32).threads(threads.try_into().expect("positive"));
            let mut session = backend
                .prepare(&graph, &SeededWeights::new(0), options)
                .expect("prepare");
            assert_eq!(session.input_shape(), shape);
            session.logits(&images(shape)).expect("run")
        };
        let (one, three) = (run(1), run(3));
        let near = one.iter().zip(&three).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near, "{}: {one:?} and {three:?}", backend.name());
    }
}

#[test]
fn a_part_of_a_network_is_run_as_well() {
    let [spec, _] = networks();
    let whole = spec.graph(Shape::new(2, 3, 32, 64)).expect("a tiny network");
    let map = whole.iter().find(|(_, node)| matches!(node.op, Op::Upsample(_)));
    let part = whole.up_to(map.expect("an upsampling").0);
    let images = images(part.input_shape());
    let expected = reference(&part, &SeededWeights::new(5), &images);
    for backend in backends() {
        let mut session = backend
            .prepare(&part, &SeededWeights::new(5), Options::new(Precision::F32))
            .expect("prepare");
        let values = session.logits(&images).expect("run");
        let largest = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        let allowed = f64::from(backend.tolerance(Precision::F32)) * largest;
        let near = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() <= allowed;
        assert!(
            values.len() == expected.len() && values.iter().zip(&expected).all(near),
            "{}",
            backend.name()
        );
    }
}

#[test]
fn wrong_lengths_are_refused_and_the_session_stays_usable() {
    let [spec, _] = networks();
    let shape = Shape::new(1, 3, 32, 32);
    let graph = spec.graph(shape).expect("a tiny network");
    assert_eq!(
        graph.output(),
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

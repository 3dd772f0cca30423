//! Operations that an HRNet classifier lacks and other heads need, on every backend in every precision, against a naive walk in
//! f64 and against PyTorch's values (`tests/golden/torch_ops.py`).

#![expect(clippy::print_stdout, reason = "the errors seen, for --nocapture")]

mod walker;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use hrnet::{Graph, GraphBuilder, NodeId, Precision, SeededWeights, Shape, Upsample};
use npyz::NpyFile;
use runtime::{Calibrator, Method, Options, Origin};
use testkit::largest_difference;
use walker::{Walker, backends, largest};

const SHAPE: Shape = Shape::new(2, 3, 24, 40);

/// A map at half of the input's resolution, and one at a quarter.
struct Branches {
    high: NodeId,
    low: NodeId,
}

fn branches() -> (GraphBuilder, Branches) {
    let (mut builder, x) = GraphBuilder::new(SHAPE);
    let high = builder.conv("high".into(), x, 6, 3, 2);
    let high = builder.relu("high.relu".into(), high);
    let low = builder.conv("low".into(), high, 8, 3, 2);
    let low = builder.relu("low.relu".into(), low);
    (builder, Branches { high, low })
}

/// PyTorch's values.
fn golden(name: &str) -> Vec<f32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let file = File::open(folder.join(format!("op_{name}.npy"))).expect(name);
    let array = NpyFile::new(BufReader::new(file)).expect("a NumPy file");
    array.into_vec().expect("float32")
}

/// Compares every backend in every precision with the definition, and the definition with PyTorch.
fn agrees(name: &str, graph: &Graph) {
    let weights = SeededWeights::new(0);
    let uniform = weights.uniform("input", SHAPE.elements());
    let images: Vec<f32> = uniform.map(|u| ((2.0 * u - 1.0) * 2.0) as f32).collect();
    let expected = Walker::new(graph, &weights).result(&images);
    let difference = largest_difference(&golden(name), &expected) / largest(&expected);
    assert!(difference < 1e-6, "{name}: PyTorch differs by {difference:e}");
    let mut calibrator = Calibrator::new(graph, &weights).expect("a calibrator");
    calibrator.add(&images).expect("finite images");
    let ranges = calibrator.finish(Method::MinMax, Origin::default());
    let ranges = Arc::new(ranges.expect("a calibration"));
    for backend in backends() {
        for precision in Precision::ALL {
            if backend.arithmetic(precision).is_none() {
                continue;
            }
            for threads in [1, 3] {
                let options = Options {
                    calibration: precision.is_fixed_point().then(|| ranges.clone()),
                    ..Options::new(precision).threads(threads.try_into().expect("positive"))
                };
                let session = backend.prepare(graph, &weights, options);
                let values = session.expect("a session").logits(&images).expect("values");
                let error = largest_difference(&values, &expected) / largest(&expected);
                let allowed = f64::from(backend.tolerance(precision));
                let what = format!("{name}: {} {precision}, {threads} threads", backend.name());
                println!("{what}: {error:.1e}");
                assert!(error <= allowed, "{what}: error {error:e}, allowed {allowed:e}");
            }
        }
    }
}

#[test]
fn maps_are_concatenated_along_their_channels() {
    let (mut builder, Branches { high, low }) = branches();
    let up = builder.upsample("up".into(), low, Upsample::nearest(2));
    let maps = builder
        .concat("maps".into(), &[high, up, high])
        .expect("maps of one size");
    assert_eq!(builder.shape(maps), Shape::new(2, 20, 12, 20));
    let refused = builder.concat("odd".into(), &[high, low]).expect_err("two sizes");
    assert!(refused.to_string().contains("`odd`"), "{refused}");
    builder.conv("mix".into(), maps, 5, 1, 1);
    agrees("concat", &builder.finish());
}

#[test]
fn convolutions_add_a_bias_also_where_a_batch_norm_follows() {
    let (mut builder, Branches { high, .. }) = branches();
    let mid = builder.conv_with_bias("mid".into(), high, 7, 3, 1);
    let norm = builder.batch_norm("norm".into(), mid);
    let relu = builder.relu("norm.relu".into(), norm);
    builder.conv_with_bias("last".into(), relu, 5, 1, 1);
    let graph = builder.finish();
    let profile = graph.profile();
    assert_eq!(profile.conv_biases, 12);
    let own: u64 = graph.node_profiles().map(|(.., own)| own.trainable.0).sum();
    assert_eq!(profile.trainable().0, own);
    agrees("conv_bias", &graph);
}

#[test]
fn bilinear_upsampling_is_pytorchs_with_and_without_aligned_corners() {
    for (name, align_corners) in [("bilinear", false), ("bilinear_corners", true)] {
        let (mut builder, Branches { high, low }) = branches();
        let narrow = builder.conv("narrow".into(), low, 6, 1, 1);
        let up = builder.upsample("up".into(), narrow, Upsample::bilinear(2, align_corners));
        let sum = builder.add("sum".into(), up, high).expect("maps of one size");
        let two = builder.conv("two".into(), sum, 2, 1, 1);
        let relu = builder.relu("two.relu".into(), two);
        builder.upsample("large".into(), relu, Upsample::bilinear(4, align_corners));
        agrees(name, &builder.finish());
    }
}

//! Logits of timm's and PaddlePaddle's own networks on seeded weights (`tests/golden/README.md`) against every backend's.
//! The tests walk the manifest: a variant whose network has no golden fails.

#![expect(clippy::print_stdout, reason = "the errors seen, for --nocapture")]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hrnet::{Graph, Precision, SeededWeights, Shape};
use npyz::NpyFile;
use preprocess::{Profile, Transform};
use registry::{EMBEDDED, Variant, Zoo};
use runtime::{BACKENDS, Calibration, Calibrator, Method, Options, Origin};
use testkit::{largest_difference, places};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(case: &str) -> Vec<f32> {
    let path = folder().join(format!("{case}.npy"));
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let array = NpyFile::new(BufReader::new(file)).expect("a NumPy file");
    array.into_vec().expect("float32")
}

/// The distinct networks of the manifest with the names of their golden files: `HRNet_W18_C` is `w18`.
fn networks() -> Vec<(String, Variant)> {
    let zoo = Zoo::parse(EMBEDDED, Path::new("zoo.toml")).expect("the manifest");
    let first = |variant: &&Variant| zoo.network_of(variant).name == variant.name;
    let named = |variant: &Variant| {
        let name = variant.name.to_lowercase().replace("hrnet_", "");
        let name = name.trim_end_matches("_ssld").trim_end_matches("_c").to_owned();
        (name, variant.clone())
    };
    zoo.variants.iter().filter(first).map(named).collect()
}

/// `seeded.images`: the tensor named `input`, from -2 to 2.
fn images(shape: Shape) -> Vec<f32> {
    SeededWeights::new(0)
        .uniform("input", shape.elements())
        .map(|u| ((2.0 * u - 1.0) * 2.0) as f32)
        .collect()
}

fn photo() -> Vec<f32> {
    let bytes = std::fs::read(folder().join("photo.png")).expect("the photo");
    let image = preprocess::decode(&bytes).expect("a PNG");
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let transform = Transform::new(256, 224, Profile::Paddle, mean, std).expect("a transform");
    let mut batch = vec![0.0; transform.output_elements()];
    transform.batch([&image], &mut batch);
    batch
}

/// Runs the graph on every backend in these precisions and compares with the golden values.
fn agrees(case: &str, graph: &Graph, images: &[f32], precisions: &[Precision]) {
    let expected = golden(case);
    let scale = expected
        .iter()
        .fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let calibration = precisions
        .iter()
        .any(|precision| precision.is_fixed_point())
        .then(|| Arc::new(calibrated(graph, images)));
    let mut ran = Vec::new();
    for backend in BACKENDS {
        for precision in precisions.iter().copied() {
            if backend.arithmetic(precision).is_none() {
                continue;
            }
            let options = Options {
                calibration: calibration.clone(),
                ..Options::new(precision)
            };
            let mut session = backend
                .prepare(graph, &SeededWeights::new(0), options)
                .expect("a session");
            let values = session.logits(images).expect("values");
            assert_eq!(values.len(), expected.len());
            let error = largest_difference(&values, &expected) / f64::from(scale);
            let what = format!("{case} on {} in {precision}", backend.name());
            println!("{what}: largest error {error:.1e} of the largest value");
            let tolerance = f64::from(backend.tolerance(precision));
            assert!(error <= tolerance, "{what}: {error:e} is over {tolerance:e}");
            let out = graph.output_shape();
            if (out.h, out.w) == (1, 1) {
                for (ours, theirs) in values.chunks(out.c).zip(expected.chunks(out.c)) {
                    let place = places(ours, theirs).expect("first classes");
                    println!("{what}: first class has place {place}");
                    assert!(
                        place < first_places(precision),
                        "{what}: first class has place {place}"
                    );
                }
            }
            ran.push((backend.name(), precision));
        }
    }
    for pair in must_run(precisions) {
        assert!(ran.contains(&pair), "{case}: {pair:?} was not run: {ran:?}");
    }
}

/// Among how many first classes of the reference ours must be. Seeded networks are near ties: what a precision rounds may turn
/// the order of the first few, and no more.
fn first_places(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 1,
        Precision::F16 | Precision::I16 => 2,
        Precision::Bf16 => 5,
        Precision::Int8 => 10,
    }
}

/// The pairs of a backend of ours and one of these precisions that must run here, whatever `arithmetic` says: one that got lost
/// would be passed over. Plain code multiplies every format; a unit that `ZOO_ISA` names what this CPU has instructions for.
fn must_run(precisions: &[Precision]) -> Vec<(&'static str, Precision)> {
    let named = std::env::var("ZOO_ISA").ok();
    let has = |feature: &str| kernels::cpu_features().contains(&feature);
    let runs = |precision: Precision| match (named.as_deref(), precision) {
        (Some("avx2"), Precision::Bf16) => false,
        (Some("avx512"), Precision::Bf16) => has("avx512bf16"),
        (Some("avx512"), Precision::I16 | Precision::Int8) => has("avx512vnni"),
        _ => true,
    };
    let pairs = precisions.iter().flat_map(|precision| {
        let engine = ["cpu", "cpu-exact"].into_iter().filter(|_| runs(*precision));
        let stock = (!precision.is_fixed_point()).then_some("candle");
        engine.chain(stock).map(|name| (name, *precision))
    });
    pairs.collect()
}

/// Ranges on the images themselves: made-up ones are nothing like the photos that would stand in.
fn calibrated(graph: &Graph, images: &[f32]) -> Calibration {
    let mut calibrator = Calibrator::new(graph, &SeededWeights::new(0)).expect("a calibrator");
    calibrator.add(images).expect("looked at");
    let ranges = calibrator.finish(Method::MinMax, Origin::default());
    ranges.expect("a calibration")
}

/// Every network on a made-up batch of this shape.
fn all_agree(shape: Shape, precisions: &[Precision]) {
    let images = images(shape);
    for (name, variant) in networks() {
        let graph = variant.spec.graph(shape).expect("a graph");
        let case = format!("{name}_{}x{}x{}", shape.n, shape.h, shape.w);
        agrees(&case, &graph, &images, precisions);
    }
}

#[test]
fn every_network_at_the_published_size() {
    all_agree(Shape::square(1, 224), &[Precision::F32]);
}

#[test]
fn every_network_at_another_shape_in_every_precision() {
    all_agree(Shape::new(1, 3, 192, 160), &Precision::ALL);
}

#[test]
fn every_network_on_three_images_in_every_float_precision() {
    all_agree(Shape::new(3, 3, 64, 96), &Precision::FLOATS);
}

#[test]
fn every_network_on_a_photo() {
    let photo = photo();
    for (name, variant) in networks() {
        let graph = variant.spec.graph(Shape::square(1, 224)).expect("a graph");
        agrees(&format!("{name}_photo"), &graph, &photo, &[Precision::F32]);
    }
}

#[test]
fn two_images_have_their_own_logits() {
    let (name, variant) = networks().swap_remove(0);
    let shape = Shape::new(2, 3, 192, 160);
    let graph = variant.spec.graph(shape).expect("a graph");
    agrees(
        &format!("{name}_2x192x160"),
        &graph,
        &images(shape),
        &[Precision::F32],
    );
}

#[test]
fn the_features_of_stage_4_are_timms() {
    let (name, variant) = networks().swap_remove(0);
    let shape = Shape::square(1, 64);
    let graph = variant.spec.graph(shape).expect("a graph");
    for branch in 0..4 {
        let node = format!("stage4.2.fuse_layers.{branch}.relu");
        let part = graph.up_to(graph.find(&node).expect("an output of stage 4"));
        let case = format!("{name}_features_{branch}_1x64x64");
        agrees(&case, &part, &images(shape), &[Precision::F32]);
    }
}

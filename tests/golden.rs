//! Logits of timm's own networks on seeded weights (`tests/golden/make_logits.py`) against every backend's.

#![expect(clippy::print_stdout, reason = "the errors seen, for --nocapture")]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use hrnet::{HrnetSpec, Precision, SeededWeights, Shape};
use npyz::NpyFile;
use preprocess::{Interpolation, Transform};
use runtime::{BACKENDS, Options};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(case: &str) -> Vec<f32> {
    let path = folder().join(format!("{case}.npy"));
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let array = NpyFile::new(BufReader::new(file)).expect("a NumPy file");
    array.into_vec().expect("float32")
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
    let transform = Transform::new(256, 224, Interpolation::Bilinear, mean, std).expect("a transform");
    let mut batch = vec![0.0; transform.output_elements()];
    transform.batch([&image], &mut batch);
    batch
}

fn top1(logits: &[f32]) -> usize {
    (0..logits.len())
        .max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
        .expect("logits")
}

/// Runs every backend and precision on the case and compares with what timm gave.
fn agrees(case: &str, width: usize, shape: Shape, images: &[f32]) {
    let expected = golden(case);
    let spec = HrnetSpec::imagenet([width, 2 * width, 4 * width, 8 * width]);
    let graph = spec.graph(shape).expect("a graph");
    let scale = expected
        .iter()
        .fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    let classes = graph.output_shape().c;
    for backend in BACKENDS {
        for precision in Precision::ALL {
            if backend.arithmetic(precision).is_none() {
                continue;
            }
            let mut session = backend
                .prepare(&graph, &SeededWeights::new(0), Options::new(precision))
                .expect("a session");
            let logits = session.logits(images).expect("logits");
            assert_eq!(logits.len(), expected.len());
            let error = logits
                .iter()
                .zip(&expected)
                .fold(0.0_f32, |largest, (a, b)| largest.max((a - b).abs()))
                / scale;
            let what = format!("{case} on {} in {precision}", backend.name());
            println!("{what}: largest error {error:.1e} of the largest logit");
            assert!(
                error <= precision.tolerance(),
                "{what}: {error:e} is over {:e}",
                precision.tolerance()
            );
            if precision == Precision::F32 {
                for (ours, theirs) in logits.chunks(classes).zip(expected.chunks(classes)) {
                    assert_eq!(top1(ours), top1(theirs), "{what}: top-1 differs");
                }
            }
        }
    }
}

#[test]
fn w18_gives_timms_logits() {
    let shape = Shape::square(1, 224);
    agrees("w18_1x224x224", 18, shape, &images(shape));
}

#[test]
fn w32_gives_timms_logits() {
    let shape = Shape::square(1, 224);
    agrees("w32_1x224x224", 32, shape, &images(shape));
}

#[test]
fn w48_gives_timms_logits() {
    let shape = Shape::square(1, 224);
    agrees("w48_1x224x224", 48, shape, &images(shape));
}

#[test]
fn two_images_of_another_size_give_timms_logits() {
    let shape = Shape::new(2, 3, 192, 160);
    agrees("w18_2x192x160", 18, shape, &images(shape));
}

#[test]
fn a_photo_gives_timms_logits() {
    agrees("w18_photo", 18, Shape::square(1, 224), &photo());
}

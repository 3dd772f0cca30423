//! Digests of the logits of every network in every precision on every vector unit, at batch 1 and 3, on one and two threads.
//!
//! A change of the engine's shape must change no answer by a bit, which the golden tests' tolerances cannot show. Write the
//! digests before such a change and compare them after it, on the same machine:
//!
//! ```sh
//! ZOO_DIGESTS=before.txt cargo test --release --workspace --test digests -- --ignored
//! ```
//!
//! The file is written where there is none, and compared with otherwise. All networks take twenty minutes of one core;
//! `ZOO_DIGESTS_OF=HRNet_W18_C,HRNet_W32_C` computes these alone.

#![expect(
    clippy::print_stdout,
    reason = "the digests, for the process that collects them"
)]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hrnet::{Graph, HrnetSpec, Precision, SeededWeights, Shape};
use kernels::engine::Isa;
use registry::{EMBEDDED, Zoo};
use runtime::{Calibration, Calibrator, Method, Options, Origin, backend};

/// A line of a child's output that is a digest begins with this.
const MARK: &str = "digest: ";

fn images(shape: Shape) -> Vec<f32> {
    let values = SeededWeights::new(0).uniform("input", shape.elements());
    values.map(|u| ((2.0 * u - 1.0) * 2.0) as f32).collect()
}

/// FNV-1a over the bits of the values, 64 bits of it.
fn digest(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Networks that differ in their layers; variants with other weights compute the same.
fn networks() -> Vec<(String, HrnetSpec)> {
    let zoo = Zoo::parse(EMBEDDED, Path::new("zoo.toml")).expect("the manifest");
    let only = std::env::var("ZOO_DIGESTS_OF").ok();
    let wanted = |name: &str| {
        only.as_ref()
            .is_none_or(|only| only.split(',').any(|one| one == name))
    };
    let own = zoo
        .classifiers()
        .filter(|v| zoo.network_of(v).name == v.name && wanted(&v.name));
    own.map(|variant| (variant.name.clone(), variant.spec.clone()))
        .collect()
}

fn calibration(graph: &Graph, images: &[f32]) -> Arc<Calibration> {
    let mut calibrator = Calibrator::new(graph, &SeededWeights::new(0)).expect("a calibrator");
    calibrator.add(images).expect("finite images");
    let ranges = calibrator.finish(Method::MinMax, Origin::default());
    Arc::new(ranges.expect("a calibration"))
}

/// Batches of one and three images. Plain code is some hundred times slower than a vector unit, so its images are small.
fn shapes(isa: &str) -> [Shape; 2] {
    let large = if isa == "portable" { (64, 96) } else { (224, 224) };
    [Shape::new(1, 3, large.0, large.1), Shape::new(3, 3, 64, 96)]
}

/// Prints a line per network, precision, shape, backend and number of threads.
#[test]
#[ignore = "a part of the other test, which runs it once per vector unit"]
fn on_this_unit() {
    let isa = std::env::var("ZOO_ISA").expect("ZOO_ISA names the unit");
    for (name, spec) in networks() {
        for shape in shapes(&isa) {
            let graph = spec.graph(shape).expect("a graph");
            let images = images(shape);
            let ranges = calibration(&graph, &images);
            for precision in Precision::ALL {
                for (engine, threads) in [("cpu", 1), ("cpu", 2), ("cpu-exact", 1)] {
                    let engine = backend(engine).expect("ours");
                    if engine.arithmetic(precision).is_none() {
                        continue;
                    }
                    let options = Options {
                        calibration: precision.is_fixed_point().then(|| ranges.clone()),
                        ..Options::new(precision).threads(NonZeroUsize::new(threads).expect("one or more"))
                    };
                    let session = engine.prepare(&graph, &SeededWeights::new(0), options);
                    let logits = session.expect("a session").logits(&images).expect("logits");
                    let digest = digest(&logits);
                    let engine = engine.name();
                    println!("{MARK}{name} {isa} {engine} {precision} {shape} {threads} {digest:016x}");
                }
            }
        }
    }
}

#[test]
#[ignore = "for changes of the engine that must change no answer; see the head of this file"]
fn logits_are_those_of_before() {
    let file = PathBuf::from(std::env::var_os("ZOO_DIGESTS").expect("ZOO_DIGESTS names the file"));
    let mut now = String::new();
    for isa in Isa::available() {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["on_this_unit", "--exact", "--ignored", "--nocapture"]);
        let output = child.env("ZOO_ISA", isa.name()).output().expect("a child");
        let text = String::from_utf8(output.stdout).expect("text");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {text}{errors}", isa.name());
        for line in text.lines().filter_map(|line| line.split_once(MARK)) {
            now.push_str(line.1);
            now.push('\n');
        }
    }
    assert!(!now.is_empty(), "no child printed a digest");
    let Ok(before) = std::fs::read_to_string(&file) else {
        std::fs::write(&file, &now).expect("the digests are written");
        println!("{}: {} digests written", file.display(), now.lines().count());
        return;
    };
    let changed: Vec<&str> = now
        .lines()
        .filter(|line| !before.lines().any(|old| old == *line))
        .collect();
    assert!(changed.is_empty(), "not in {}: {changed:#?}", file.display());
    assert_eq!(now.lines().count(), before.lines().count(), "digests");
}

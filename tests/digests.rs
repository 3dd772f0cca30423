//! Digests of the outputs of every network in every precision on every unit, at batch 1 and 3, on one and two threads.
//!
//! A change of the engine's shape must change no output by a bit, which the golden tests' tolerances cannot show. Write the
//! digests before such a change and compare them after it, on the same machine:
//!
//! ```sh
//! ZOO_DIGESTS=before.txt cargo test --workspace --test digests -- --ignored
//! ```
//!
//! The file is written where there is none, and compared with otherwise. `ZOO_DIGESTS_OF=HRNet_W18_C,HRNet_W32_C` computes the
//! digests of these networks alone, and compares them with theirs in the file.

#![expect(
    clippy::print_stdout,
    reason = "the digests, for the process that collects them"
)]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hrnet::{Graph, Head, HrnetSpec, Param, Precision, SeededWeights, Shape, WeightError, WeightSource};
use kernels::engine::Isa;
use registry::{EMBEDDED, Zoo};
use runtime::{Calibration, Calibrator, Method, Options, Origin, backend};

/// Names the unit to a process that computes its digests alone: the engine takes the unit of `ZOO_ISA` once.
const CHILD: &str = "ZOO_DIGESTS_UNIT";

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

/// Seeded weights, made once for all sessions of a network.
struct Kept(BTreeMap<String, Vec<f32>>);

impl Kept {
    fn new(graph: &Graph) -> Self {
        let seeded = SeededWeights::new(0);
        let one = |param: Param| {
            let values = seeded.load(&param).expect("seeded weights").into_owned();
            (param.name(), values)
        };
        Self(graph.params().map(one).collect())
    }
}

impl WeightSource for Kept {
    fn load(&self, param: &Param) -> Result<Cow<'_, [f32]>, WeightError> {
        Ok(Cow::Borrowed(&self.0[&param.name()]))
    }
}

/// The names of `ZOO_DIGESTS_OF`, or none for all networks.
fn only() -> Option<Vec<String>> {
    let names = std::env::var("ZOO_DIGESTS_OF").ok()?;
    Some(names.split(',').map(str::to_owned).collect())
}

/// Networks that differ in their layers: variants with other weights compute the same, and so do pose networks for other
/// keypoints or crops, but for one layer.
fn networks() -> Vec<(String, HrnetSpec)> {
    let zoo = Zoo::parse(EMBEDDED, Path::new("zoo.toml")).expect("the manifest");
    let mut found: Vec<(String, HrnetSpec)> = Vec::new();
    for variant in &zoo.variants {
        let same = |(_, spec): &(String, HrnetSpec)| match (&spec.head, &variant.spec.head) {
            (Head::Heatmaps(_), Head::Heatmaps(_)) => spec.widths == variant.spec.widths,
            _ => *spec == variant.spec,
        };
        if !found.iter().any(same) {
            found.push((variant.name.clone(), variant.spec.clone()));
        }
    }
    if let Some(only) = only() {
        found.retain(|(name, _)| only.contains(name));
        assert_eq!(found.len(), only.len(), "of {only:?} there are {found:?}");
    }
    found
}

fn calibration(graph: &Graph, weights: &Kept, images: &[f32]) -> Arc<Calibration> {
    let mut calibrator = Calibrator::new(graph, weights).expect("a calibrator");
    calibrator.add(images).expect("finite images");
    let ranges = calibrator.finish(Method::MinMax, Origin::default());
    Arc::new(ranges.expect("a calibration"))
}

/// Batches of one and three images. Plain code is some hundred times slower than a vector unit, so its images are small.
fn shapes(isa: &str) -> [Shape; 2] {
    match isa {
        "portable" | "amx-twin" => [Shape::new(1, 3, 64, 64), Shape::new(3, 3, 32, 64)],
        _ => [Shape::new(1, 3, 224, 224), Shape::new(3, 3, 64, 96)],
    }
}

/// Prints a line per network, precision, shape, backend and number of threads.
fn print_digests(isa: &str) {
    for (name, spec) in networks() {
        let shapes = shapes(isa);
        let weights = Kept::new(&spec.graph(shapes[0]).expect("a graph"));
        for shape in shapes {
            let graph = spec.graph(shape).expect("a graph");
            let images = images(shape);
            let ranges = calibration(&graph, &weights, &images);
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
                    let session = engine.prepare(&graph, &weights, options);
                    let outputs = session.expect("a session").logits(&images).expect("outputs");
                    let digest = digest(&outputs);
                    let engine = engine.name();
                    println!("{MARK}{name} {isa} {engine} {precision} {shape} {threads} {digest:016x}");
                }
            }
        }
    }
}

#[test]
#[ignore = "for changes of the engine that must change no answer; see the head of this file"]
fn outputs_are_those_of_before() {
    let file = PathBuf::from(std::env::var_os("ZOO_DIGESTS").expect("ZOO_DIGESTS names the file"));
    if let Some(isa) = std::env::var_os(CHILD) {
        return print_digests(&isa.to_string_lossy());
    }
    let mut now = String::new();
    for isa in Isa::all() {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args([
            "outputs_are_those_of_before",
            "--exact",
            "--ignored",
            "--nocapture",
        ]);
        child.env(CHILD, isa.name()).env("ZOO_ISA", isa.name());
        let output = child.output().expect("a child");
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
    let of_others = |line: &&str| {
        let name = line.split(' ').next().map(str::to_owned);
        only().is_some_and(|only| name.is_none_or(|name| !only.contains(&name)))
    };
    let before: BTreeSet<&str> = before.lines().filter(|line| !of_others(line)).collect();
    let now: BTreeSet<&str> = now.lines().collect();
    let changed: Vec<_> = before.symmetric_difference(&now).collect();
    assert!(changed.is_empty(), "{}: {changed:#?}", file.display());
}

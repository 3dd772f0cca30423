//! Logits of timm's and PaddlePaddle's own networks on seeded weights (`tests/golden/README.md`) against every backend's.
//! The tests walk the manifest: a variant whose network has no golden fails.

#![expect(clippy::print_stdout, reason = "the errors seen, for --nocapture")]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hrnet::{Features, Graph, OutputKind, Precision, SeededWeights, Shape};
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
    zoo.classifiers().filter(first).map(named).collect()
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

/// Images, and the golden file that has what the reference gives for them.
struct Question {
    case: String,
    images: Vec<f32>,
}

impl Question {
    /// Compares values with the golden ones, and first classes where they are logits.
    fn agrees(&self, what: &str, values: &[f32], out: Shape, limits: Limits) {
        let what = format!("{} on {what}", self.case);
        let expected = golden(&self.case);
        let scale = expected
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert_eq!(values.len(), expected.len());
        let error = largest_difference(values, &expected) / f64::from(scale);
        println!("{what}: largest error {error:.1e} of the largest value");
        assert!(
            error <= limits.tolerance,
            "{what}: {error:e} is over {:e}",
            limits.tolerance
        );
        if (out.h, out.w) == (1, 1) {
            for (ours, theirs) in values.chunks(out.c).zip(expected.chunks(out.c)) {
                let place = places(ours, theirs).expect("first classes");
                println!("{what}: first class has place {place}");
                assert!(place < limits.places, "{what}: first class has place {place}");
            }
        }
    }
}

/// The largest distances of values from the reference's.
#[derive(Clone, Copy)]
struct Limits {
    /// Of the largest value.
    tolerance: f64,
    /// Among how many first classes of the reference ours must be.
    places: usize,
}

/// Which precisions to run on our engine, on its exact twin and on other backends. To prepare a network takes longer than to run
/// it, and the same code runs every network, so most pairs are for a few networks alone.
#[derive(Clone, Copy)]
struct Precisions<'a> {
    cpu: &'a [Precision],
    exact: &'a [Precision],
    others: &'a [Precision],
}

impl<'a> Precisions<'a> {
    const F32: Precisions<'static> = Precisions::same(&[Precision::F32]);

    const fn same(precisions: &'a [Precision]) -> Self {
        Self {
            cpu: precisions,
            exact: precisions,
            others: precisions,
        }
    }

    /// Those of one backend. The others are left out where `ZOO_ISA` names a vector unit: they have their own.
    fn of(self, backend: &str) -> &'a [Precision] {
        match (backend, std::env::var_os("ZOO_ISA")) {
            ("cpu", _) => self.cpu,
            ("cpu-exact", _) => self.exact,
            (_, None) => self.others,
            (_, Some(_)) => &[],
        }
    }
}

/// Runs the graph on every backend in these precisions and compares with the golden values; a session answers all questions.
fn agree(graph: &Graph, questions: &[Question], precisions: Precisions<'_>) {
    let first = &questions[0];
    let calibration = precisions
        .cpu
        .iter()
        .any(|precision| precision.is_fixed_point())
        .then(|| Arc::new(calibrated(graph, &first.images)));
    let mut ran = Vec::new();
    for backend in BACKENDS {
        for precision in precisions.of(backend.name()).iter().copied() {
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
            let what = format!("{} in {precision}", backend.name());
            let limits = Limits {
                tolerance: f64::from(backend.tolerance(precision)),
                places: first_places(precision),
            };
            for question in questions {
                let values = session.logits(&question.images).expect("values");
                question.agrees(&what, &values, graph.output_shape(), limits);
            }
            ran.push((backend.name(), precision));
        }
    }
    for pair in must_run(precisions) {
        assert!(
            ran.contains(&pair),
            "{}: {pair:?} was not run: {ran:?}",
            first.case
        );
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
fn must_run(precisions: Precisions<'_>) -> Vec<(&'static str, Precision)> {
    let named = std::env::var("ZOO_ISA").ok();
    let has = |feature: &str| kernels::cpu_features().contains(&feature);
    let runs = |precision: Precision| match (named.as_deref(), precision) {
        (Some("avx2-vnni" | "avx2"), Precision::Bf16) => false,
        (Some("avx512"), Precision::Bf16) => has("avx512bf16"),
        (Some("avx512"), Precision::I16 | Precision::Int8) => has("avx512vnni"),
        _ => true,
    };
    let engine = ["cpu", "cpu-exact"].into_iter().flat_map(|name| {
        let precisions = precisions.of(name).iter();
        precisions.map(move |precision| (name, *precision))
    });
    let engine = engine.filter(|(_, precision)| runs(*precision));
    let candle = precisions.of("candle").iter();
    let candle = candle.filter(|precision| !precision.is_fixed_point());
    engine
        .chain(candle.map(|precision| ("candle", *precision)))
        .collect()
}

/// Ranges on the images themselves: made-up ones are nothing like the photos that would stand in.
fn calibrated(graph: &Graph, images: &[f32]) -> Calibration {
    let mut calibrator = Calibrator::new(graph, &SeededWeights::new(0)).expect("a calibrator");
    calibrator.add(images).expect("looked at");
    let ranges = calibrator.finish(Method::MinMax, Origin::default());
    ranges.expect("a calibration")
}

/// The network's golden file of this shape, and the synthetic images it is of.
fn question(name: &str, shape: Shape) -> Question {
    Question {
        case: format!("{name}_{}x{}x{}", shape.n, shape.h, shape.w),
        images: images(shape),
    }
}

#[test]
fn every_network_at_the_published_size_on_noise_and_a_photo() {
    let shape = Shape::square(1, 224);
    let photo = photo();
    for (place, (name, variant)) in networks().into_iter().enumerate() {
        let graph = variant.spec.graph(shape).expect("a graph");
        let on_photo = Question {
            case: format!("{name}_photo"),
            images: photo.clone(),
        };
        let precisions = Precisions {
            others: if place == 0 { &[Precision::F32] } else { &[] },
            ..Precisions::F32
        };
        agree(&graph, &[question(&name, shape), on_photo], precisions);
    }
}

#[test]
fn every_network_at_another_shape_and_either_kind_in_every_precision() {
    let shape = Shape::new(1, 3, 192, 160);
    let networks = networks();
    let first = |se: bool| {
        let found = networks
            .iter()
            .find(|(_, variant)| variant.spec.se_reduction.is_some() == se);
        found.map(|(name, _)| name.clone())
    };
    // A network of either kind, with squeeze-excitation and without, has everything; widths matter to whole numbers, which are
    // multiplied in groups.
    let kinds = [first(false), first(true)];
    for (name, variant) in &networks {
        let graph = variant.spec.graph(shape).expect("a graph");
        let precisions = match kinds.contains(&Some(name.clone())) {
            true => Precisions::same(&Precision::ALL),
            false => Precisions {
                cpu: &[Precision::F32, Precision::I16, Precision::Int8],
                exact: &[],
                others: &[Precision::F32],
            },
        };
        agree(&graph, &[question(name, shape)], precisions);
    }
}

/// Batches run the same code in all networks: one shows it in every float precision, the rest in f32.
#[test]
fn every_network_on_three_images_and_the_first_in_every_float_precision() {
    let shape = Shape::new(3, 3, 64, 96);
    for (place, (name, variant)) in networks().into_iter().enumerate() {
        let graph = variant.spec.graph(shape).expect("a graph");
        let precisions = match place {
            0 => Precisions::same(&Precision::FLOATS),
            _ => Precisions {
                exact: &[],
                others: &[],
                ..Precisions::F32
            },
        };
        agree(&graph, &[question(&name, shape)], precisions);
    }
}

#[test]
fn two_images_have_their_own_logits() {
    let (name, variant) = networks().swap_remove(0);
    let shape = Shape::new(2, 3, 192, 160);
    let graph = variant.spec.graph(shape).expect("a graph");
    agree(&graph, &[question(&name, shape)], Precisions::F32);
}

/// A line of `features.txt`: a map of timm's `features_only=True`.
struct TimmMap {
    network: String,
    location: Features,
    stride: usize,
    channels: usize,
    mean: f64,
    largest: f64,
    samples: Vec<f64>,
}

fn timm_maps() -> Vec<TimmMap> {
    let path = folder().join("features.txt");
    let text = std::fs::read_to_string(path).expect("the maps");
    let map = |line: &str| {
        let [network, location, stride, channels, numbers @ ..] = &line.split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        let numbers = numbers.iter().map(|number| number.parse().expect("a number"));
        let numbers: Vec<f64> = numbers.collect();
        TimmMap {
            network: (*network).into(),
            location: location.parse().expect("a location"),
            stride: stride.parse().expect("a stride"),
            channels: channels.parse().expect("channels"),
            mean: numbers[0],
            largest: numbers[1],
            samples: numbers[2..].to_vec(),
        }
    };
    text.lines().map(map).collect()
}

impl TimmMap {
    /// Compares the mean and the samples, which are evenly spaced.
    fn agrees(&self, what: &str, values: &[f32], tolerance: f64) {
        let what = format!(
            "{what}: {} {} at stride {}",
            self.network, self.location, self.stride
        );
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
        let gaps = self.samples.len() - 1;
        let at = |place: usize| f64::from(values[place * (values.len() - 1) / gaps]);
        let ours = (0..self.samples.len()).map(at);
        let pairs = ours.zip(&self.samples).chain([(mean, &self.mean)]);
        let error = pairs.fold(0.0_f64, |most, (ours, theirs)| most.max((ours - theirs).abs()));
        let error = error / self.largest;
        println!("{what}: largest error {error:.1e} of the largest value");
        assert!(error <= tolerance, "{what}: {error:e} is over {tolerance:e}");
    }
}

/// Every map of every network has timm's stride and channels; to run them takes seconds each, so the small ones and the first
/// stand for all.
#[test]
fn feature_pyramids_are_timms() {
    let (maps, shape) = (timm_maps(), Shape::new(1, 3, 64, 96));
    let of = |name: &str, location: Features| -> Vec<&TimmMap> {
        let theirs = |map: &&TimmMap| (map.network.as_str(), map.location) == (name, location);
        maps.iter().filter(theirs).collect()
    };
    for (name, variant) in networks() {
        // timm has no squeeze-and-excitation.
        if variant.spec.se_reduction.is_some() {
            continue;
        }
        for location in Features::ALL {
            let theirs = of(&name, location);
            assert_eq!(theirs.len(), 5, "{name} {location}");
            let strides = variant.spec.strides();
            let spec = variant.spec.features_only(location, &strides).expect("strides");
            let graph = spec.graph(shape).expect("a graph");
            for (output, theirs) in graph.outputs().iter().zip(&theirs) {
                assert_eq!(
                    output.kind,
                    OutputKind::Features {
                        stride: theirs.stride
                    }
                );
                let found = graph.node(output.node).shape;
                let expected = Shape::new(1, theirs.channels, 64 / theirs.stride, 96 / theirs.stride);
                assert_eq!(found, expected, "{name} {location}");
            }
            if ["w18", "w18_small", "w18_small_v2"].contains(&name.as_str()) {
                run_pyramid(&graph, &theirs);
            }
        }
    }
}

/// Runs a pyramid on every backend in f32 and compares each map.
fn run_pyramid(graph: &Graph, theirs: &[&TimmMap]) {
    for backend in BACKENDS {
        if Precisions::F32.of(backend.name()).is_empty() || backend.identity().is_err() {
            continue;
        }
        let mut session = backend
            .prepare(graph, &SeededWeights::new(0), Options::new(Precision::F32))
            .expect("a session");
        let outputs = session.outputs(&images(graph.input_shape())).expect("maps");
        let tolerance = f64::from(backend.tolerance(Precision::F32));
        for map in theirs {
            let found = outputs.get(&format!("stride_{}", map.stride)).expect("a map");
            map.agrees(backend.name(), found.values, tolerance);
        }
    }
}

#[test]
fn the_features_of_stage_4_are_timms() {
    let (name, variant) = networks().swap_remove(0);
    let shape = Shape::square(1, 64);
    let graph = variant.spec.graph(shape).expect("a graph");
    for branch in 0..4 {
        let node = format!("stage4.2.fuse_layers.{branch}.relu");
        let part = graph.up_to(graph.find(&node).expect("an output of stage 4"));
        let features = Question {
            case: format!("{name}_features_{branch}_1x64x64"),
            images: images(shape),
        };
        agree(&part, &[features], Precisions::F32);
    }
}

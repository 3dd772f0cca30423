//! The library's front, as a program uses it: weights from a manifest, a file or a seed, photos in, classes and maps out.

use std::error::Error as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use checkpoint::{Layout, Naming, write_safetensors};
use hrnet::{HrnetSpec, SeededWeights, Shape};
use hrnet_zoo::{Builder, Calibration, Error, Model, Precision, top};
use registry::{Cache, Digest, Zoo};

const PHOTO: &[u8] = include_bytes!("../../../tests/golden/photo.jpg");
const SMALL: &str = "hrnet_w18_small";

/// A folder with seeded weights in timm's names, and a manifest that names them.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let zoo = Zoo::builtin();
        let variant = zoo.variant(SMALL).expect("built in");
        let graph = variant.spec.graph(Shape::square(1, 32)).expect("a network");
        let layout = Layout::new(Naming::Timm);
        let weights = folder.path().join("w.safetensors");
        write_safetensors(&weights, &graph, &SeededWeights::new(7), &layout).expect("written");
        let manifest = format!(
            "schema = 1\nextends = \"builtin\"\n\n[[variant]]\nname = \"mine\"\nbase = \"{SMALL}\"\n\
             licence = \"MIT\"\n\n\
             [[variant.weights]]\npath = \"w.safetensors\"\n"
        );
        fs::write(folder.path().join("zoo.toml"), manifest).expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn small(&self, name: &str) -> Builder {
        let builder = Model::builder(name).cache(self.path("cache"));
        builder.manifest(self.path("zoo.toml")).crop(32)
    }
}

#[test]
fn the_cache_notes_the_manifest_of_a_program_so_that_pruning_keeps_its_weights() {
    let world = World::new();
    let cache = Cache::new(world.path("cache"));
    world.small(SMALL).seeded(7).build().expect("seeded");
    assert_eq!(cache.users().expect("notes"), [], "no file of the cache was used");
    world.small("mine").build().expect("its own weights");
    let users = cache.users().expect("notes");
    assert_eq!(users.len(), 1);
    assert!(users[0].manifest.ends_with("zoo.toml"), "{users:?}");
    let digest = Digest::of(&fs::read(world.path("w.safetensors")).expect("there"));
    assert_eq!(users[0].names[&digest], ["mine local"], "as it was opened");
}

#[test]
fn the_same_weights_give_the_same_answer_wherever_they_come_from() {
    let world = World::new();
    let mut seeded = world.small(SMALL).seeded(7).top(3).build().expect("seeded");
    let logits = seeded.logits(PHOTO).expect("logits");
    let classes = seeded.classify(PHOTO).expect("classes");
    assert_eq!(classes, top(&logits, 3));
    assert_eq!((classes.len(), seeded.source()), (3, None));

    // The manifest's file is read and prepared, then the copy is mapped.
    for time in ["first", "second"] {
        let mut own = world.small("mine").build().expect(time);
        assert_eq!(own.logits(PHOTO).expect(time), logits, "{time}");
        assert!(own.source().is_some());
    }
    // Tensors have timm's names, so photos are prepared as for timm's source of the same network.
    let mut file = world
        .small(SMALL)
        .weights(world.path("w.safetensors"))
        .build()
        .expect("a file");
    assert_eq!(file.preprocess(), seeded.preprocess());
    assert_eq!(file.logits(PHOTO).expect("logits"), logits);

    let image = file.prepare(PHOTO).expect("a photo");
    let both = file.run(&[image.as_slice(), &image].concat()).expect("a batch");
    assert_eq!(both[..1000], both[1000..]);
    let apart = std::iter::zip(&both, &logits).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) < 1e-3, "as for one image");
    let error = file.run(&image[1..]).expect_err("no whole image");
    assert_eq!(
        error.to_string(),
        "a batch of 3071 elements: expected a positive multiple of 3072, [3, 32, 32] for each image"
    );
}

#[test]
fn an_error_says_what_to_do_and_keeps_its_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let of = |name: &str| Model::builder(name).cache(folder.path()).build();
    let error = of("w18").expect_err("not fetched");
    assert!(
        matches!(&error, Error::NotFetched { id, .. } if id == "paddle"),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .ends_with(": `zoo fetch HRNet_W18_C --source paddle` downloads them"),
        "{error}"
    );
    let error = of("hrnet_w18.ms_in1k").expect_err("not fetched").to_string();
    assert!(
        error.starts_with("the ms weights ") && error.contains("`zoo fetch HRNet_W18_C --source ms`"),
        "{error}"
    );
    let error = of("w19").expect_err("no variant");
    assert!(matches!(error, Error::Variant(_)), "{error:?}");

    let missing = Path::new("/nowhere/w.pth");
    let error = Model::builder("w18")
        .weights(missing)
        .build()
        .expect_err("no file");
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.expect("kept").kind(), io::ErrorKind::NotFound);

    let mut model = Model::builder(SMALL).seeded(0).crop(32).build().expect("a model");
    let error = model.classify(b"\xff\xd8no photo").expect_err("no photo");
    assert!(
        matches!(error, Error::Photo(_)) && error.source().is_some(),
        "{error:?}"
    );
    let error = Model::builder(SMALL)
        .seeded(0)
        .crop(48)
        .build()
        .expect_err("a size");
    assert!(matches!(error, Error::Size(_)), "{error:?}");
}

#[test]
fn a_calibration_of_another_network_or_of_other_weights_is_refused() {
    let graph = HrnetSpec::imagenet([8, 16, 32, 64]).graph(Shape::square(1, 32));
    let graph = graph.expect("a network");
    let mut calibration = Calibration::stand_in(&graph, &SeededWeights::new(0)).expect("ranges");
    let refused = |calibration: &Calibration| {
        let builder = Model::builder(SMALL).seeded(0).crop(32);
        let int8 = builder
            .precision(Precision::Int8)
            .calibration(calibration.clone());
        int8.build().expect_err("refused").to_string()
    };
    calibration.origin.network = Some("HRNet_W18_C".into());
    assert_eq!(
        refused(&calibration),
        "a calibration of HRNet_W18_C, expected one of hrnet_w18_small"
    );
    calibration.origin.network = Some(SMALL.into());
    calibration.origin.weights = Some("seeded:1".into());
    assert_eq!(
        refused(&calibration),
        "a calibration of seeded:1, expected one of seeded:0"
    );
    // Whatever it says of itself, its layers are those of another network.
    calibration.origin.weights = None;
    let error = refused(&calibration);
    assert!(
        error.starts_with("the calibration is of another network"),
        "{error}"
    );
}

#[test]
fn a_model_may_move_to_another_thread() {
    fn send<T: Send>() {}
    send::<Model>();
    send::<Error>();
}

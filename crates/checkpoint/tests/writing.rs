//! Weights written under every scheme's names, read back to the bit; and kept prepared beside their source.

mod common;

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use checkpoint::{
    AilmentKind, CheckpointError, Format, Layout, Naming, health, load, load_prepared, prepared_path, read,
    write_safetensors,
};
use common::{assert_seeded, fixture, graph, plain};
use hrnet::{Graph, Param, SeededWeights, WeightError, WeightSource};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef";

#[test]
fn every_scheme_is_written_and_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    for graph in [plain(), graph(16, Some(16))] {
        for naming in Naming::ALL {
            let layout = Layout::new(naming);
            write_safetensors(&path, &graph, &SeededWeights::new(0), &layout).expect("written");
            let file = read(&path).expect("a file");
            assert_eq!(
                (file.format, file.naming().expect("a scheme")),
                (Format::Safetensors, naming)
            );
            assert_eq!(file.tensors.len(), graph.params().count());
            let outputs_first = file.tensors[&naming.name_of("classifier.weight")].shape == [5, 8];
            assert_eq!(outputs_first, !naming.transposes_linear(), "{naming:?}");
            assert_seeded(&file.bind(&graph).expect("its tensors"), &graph, &[]);
        }
    }
    let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "nothing but the file is left: {left:?}");
}

#[test]
fn timm_gets_its_head_biases_and_notes() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    let layout = Layout::new(Naming::Timm).with_head_biases().with_source(DIGEST);
    for path in &paths {
        write_safetensors(path, &plain(), &SeededWeights::new(0), &layout).expect("written");
    }
    assert_eq!(
        fs::read(&paths[0]).expect("a file"),
        fs::read(&paths[1]).expect("a file")
    );
    let file = read(&paths[0]).expect("a file");
    let timm = read(&fixture("timm.safetensors")).expect("timm's").tensors;
    let wanted = timm.keys().filter(|name| !name.ends_with("num_batches_tracked"));
    assert!(file.tensors.keys().eq(wanted), "{:?}", file.tensors.keys());
    for (name, channels) in [("downsamp_modules.0.0.bias", 16), ("final_layer.0.bias", 8)] {
        assert_eq!(file.tensors[name].values().as_ref(), vec![0.0; channels]);
    }
    let notes: Vec<(&str, &str)> = file
        .notes
        .iter()
        .map(|(name, note)| (name.as_str(), note.as_str()))
        .collect();
    let expected = [
        ("format", "pt"),
        ("hrnet-zoo.source", DIGEST),
        ("hrnet-zoo.version", "1"),
    ];
    assert_eq!(notes, expected);
    assert_seeded(&file.bind(&plain()).expect("its tensors"), &plain(), &[]);
}

/// The seeded weights with one tensor's values replaced.
struct Changed {
    name: &'static str,
    value: f32,
}

impl WeightSource for Changed {
    fn load(&self, param: &Param) -> Result<Cow<'_, [f32]>, WeightError> {
        if param.name == self.name {
            return Ok(Cow::Owned(vec![self.value; param.elements()]));
        }
        let seeded = SeededWeights::new(0);
        seeded.load(param).map(|values| Cow::Owned(values.into_owned()))
    }
}

fn written(weights: &dyn WeightSource, folder: &Path) -> std::path::PathBuf {
    let path = folder.join("source.safetensors");
    write_safetensors(&path, &plain(), weights, &Layout::new(Naming::Paddle)).expect("written");
    path
}

#[test]
fn values_that_no_weights_have_are_told_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(health(&plain(), &SeededWeights::new(0)).expect("seeded"), []);
    for (name, value, kind) in [
        ("bn2.weight", f32::NAN, AilmentKind::NonFinite { count: 4, of: 4 }),
        (
            "bn2.running_var",
            -1e-3,
            AilmentKind::NegativeVariance { count: 4, of: 4 },
        ),
        ("bn2.running_var", 0.0, AilmentKind::ZeroVariance),
    ] {
        let changed = Changed { name, value };
        let found = health(&plain(), &changed).expect("all there");
        assert_eq!((found[0].tensor.as_str(), found[0].kind), (name, kind));
        let path = written(&changed, folder.path());
        let in_file = read(&path).expect("a file").health();
        assert_eq!(
            (in_file[0].tensor.as_str(), in_file[0].kind),
            (Naming::Paddle.name_of(name).as_str(), kind)
        );
        assert_eq!((found.len(), in_file.len()), (1, 1));
        match load(&path, &plain()) {
            Ok(_) => assert!(!value.is_nan(), "{name}"),
            Err(error) => assert!(
                error
                    .to_string()
                    .ends_with("damaged weights: bn2.weight: 4 of 4 values are not finite"),
                "{error}"
            ),
        }
    }
}

#[test]
fn what_cannot_be_written_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    let weights = load(&fixture("protocol4.pdparams"), &plain()).expect("the file");
    let layout = Layout::new(Naming::Timm);
    let error = write_safetensors(&path, &graph(8, Some(8)), &weights, &layout).expect_err("no SE");
    assert!(matches!(error, CheckpointError::Source { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    let nowhere = folder.path().join("no/such/folder/weights");
    let error = write_safetensors(&nowhere, &plain(), &weights, &layout).expect_err("no folder");
    assert!(matches!(error, CheckpointError::Io { .. }), "{error}");
}

/// A folder with a copy of a fixture, and where its prepared weights will be.
fn source(name: &str) -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::copy(fixture(name), &path).expect("copied");
    let prepared = prepared_path(&path, DIGEST);
    (folder, path, prepared)
}

fn assert_same(weights: &dyn WeightSource, expected: &dyn WeightSource, graph: &Graph) {
    for param in graph.params() {
        assert_eq!(
            weights.load(&param).expect("there"),
            expected.load(&param).expect("there")
        );
    }
}

#[test]
fn the_first_use_prepares_and_later_ones_map() {
    let (_folder, path, prepared) = source("timm_legacy.pth");
    assert_eq!(
        prepared.file_name().expect("a name"),
        "timm_legacy.pth.0123456789abcdef.v1.safetensors"
    );
    let graph = plain();
    let expected = load(&path, &graph).expect("the source");
    load_prepared(&path, None, &graph).expect("the source");
    assert!(!prepared.exists(), "without a digest nothing is prepared");
    let first = load_prepared(&path, Some(DIGEST), &graph).expect("the source");
    assert_same(&first, &expected, &graph);
    fs::remove_file(&path).expect("removed");
    let later = load_prepared(&path, Some(DIGEST), &graph).expect("the prepared file alone");
    assert_same(&later, &expected, &graph);
    for param in graph.params() {
        assert!(
            matches!(later.load(&param).expect("there"), Cow::Borrowed(_)),
            "{} is not copied out of the map",
            param.name
        );
    }
}

#[test]
fn a_prepared_file_that_does_not_fit_is_written_anew() {
    let (_folder, path, prepared) = source("protocol4.pdparams");
    let graph = plain();
    let expected = load(&path, &graph).expect("the source");
    load_prepared(&path, Some(DIGEST), &graph).expect("the source");
    let good = fs::read(&prepared).expect("prepared");
    let write = |graph: &Graph, layout: Layout<'_>| {
        write_safetensors(&prepared, graph, &SeededWeights::new(1), &layout).expect("written");
    };
    let spoils: [(&str, &dyn Fn()); 5] = [
        ("cut", &|| {
            fs::write(&prepared, &good[..good.len() - 1]).expect("written")
        }),
        ("empty", &|| fs::write(&prepared, b"").expect("written")),
        ("another source", &|| {
            write(
                &graph,
                Layout::new(Naming::Timm).with_source("sha256:0123456789ab"),
            );
        }),
        ("other names", &|| {
            write(&graph, Layout::new(Naming::Paddle).with_source(DIGEST));
        }),
        ("another network", &|| {
            write(
                &common::graph(16, Some(16)),
                Layout::new(Naming::Timm).with_source(DIGEST),
            );
        }),
    ];
    for (what, spoil) in spoils {
        spoil();
        assert_ne!(fs::read(&prepared).expect("a file"), good, "{what}");
        let weights = load_prepared(&path, Some(DIGEST), &graph).expect(what);
        assert_same(&weights, &expected, &graph);
        assert_eq!(fs::read(&prepared).expect("a file"), good, "{what}");
    }
    // Another network than the source's is an error of the source, and the prepared file stays.
    let error = load_prepared(&path, Some(DIGEST), &common::graph(16, None)).expect_err("another network");
    assert!(
        error.to_string().contains("protocol4.pdparams: not the weights"),
        "{error}"
    );
    assert_eq!(fs::read(&prepared).expect("a file"), good);
}

#[test]
fn without_a_place_to_prepare_the_source_serves() {
    let (_folder, path, prepared) = source("protocol4.pdparams");
    // A folder of that name cannot be replaced, whoever runs the test.
    fs::create_dir(&prepared).expect("a folder");
    let graph = plain();
    let weights = load_prepared(&path, Some(DIGEST), &graph).expect("the source");
    assert_seeded(&weights, &graph, &[]);
}

//! Weights written under every scheme's names, read back to the bit; and kept prepared beside their source.

mod common;

use std::borrow::Cow;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use checkpoint::{
    AilmentKind, CheckpointError, Format, Layout, Naming, Weights, first_difference, health, load,
    open_prepared, prepared_path, read, write_prepared, write_safetensors,
};
use common::{assert_seeded, fixture, graph, name_of, plain};
use hrnet::{Graph, Param, SeededWeights, WeightError, WeightSource};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef";

#[test]
fn every_scheme_is_written_and_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    for graph in [plain(), graph(16, Some(16))] {
        for naming in Naming::OF_CLASSIFIERS {
            let layout = Layout::new(naming);
            write_safetensors(&path, &graph, &SeededWeights::new(0), &layout).expect("written");
            let file = read(&path).expect("a file");
            assert_eq!(
                (file.format, file.naming().expect("a scheme")),
                (Format::Safetensors, naming)
            );
            assert_eq!(file.tensors.len(), graph.params().count());
            let outputs_first = file.tensors[&name_of(naming, &graph, "classifier.weight")].shape == [5, 8];
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
        if param.name() == self.name {
            return Ok(Cow::Owned(vec![self.value; param.elements()]));
        }
        let seeded = SeededWeights::new(0);
        seeded.load(param).map(|values| Cow::Owned(values.into_owned()))
    }
}

fn written(weights: &dyn WeightSource, folder: &Path) -> PathBuf {
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
            (name_of(Naming::Paddle, &plain(), name).as_str(), kind)
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

/// A file of weights prepared from a fixture, with the weights themselves.
struct Prepared {
    _folder: tempfile::TempDir,
    path: PathBuf,
    weights: Weights,
}

impl Prepared {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let weights = load(&fixture(name), &plain()).expect("the fixture");
        let path = prepared_path(&folder.path().join(name), DIGEST);
        let mut file = File::create_new(&path).expect("a file");
        write_prepared(&mut file, &path, DIGEST, &plain(), &weights).expect("written");
        Self {
            _folder: folder,
            path,
            weights,
        }
    }

    fn open(&self, graph: &Graph) -> Result<Weights, CheckpointError> {
        let file = File::open(&self.path).expect("there");
        open_prepared(&self.path, &file, DIGEST, graph)
    }
}

fn assert_same(weights: &dyn WeightSource, expected: &dyn WeightSource, graph: &Graph) {
    assert_eq!(
        first_difference(graph, weights, expected).expect("all there"),
        None
    );
}

#[test]
fn prepared_weights_are_mapped_and_the_same_to_the_bit() {
    for name in ["timm_legacy.pth", "protocol4.pdparams"] {
        let prepared = Prepared::of(name);
        assert_eq!(
            prepared.path.file_name().expect("a name").to_str(),
            Some(format!("{name}.0123456789abcdef.v1.safetensors").as_str())
        );
        let opened = prepared.open(&plain()).expect("prepared");
        assert_same(&opened, &prepared.weights, &plain());
        for param in plain().params() {
            assert!(
                matches!(opened.load(&param).expect("there"), Cow::Borrowed(_)),
                "{} is not copied out of the map",
                param.name()
            );
        }
        let again = Prepared::of(name);
        assert_eq!(
            fs::read(&again.path).expect("a file"),
            fs::read(&prepared.path).expect("a file"),
            "the same weights make the same bytes"
        );
    }
}

#[test]
fn differences_are_found_by_their_bits() {
    let seeded = SeededWeights::new(0);
    let changed = |value| Changed {
        name: "bn2.weight",
        value,
    };
    let differs = |weights: &dyn WeightSource, others: &dyn WeightSource| {
        first_difference(&plain(), weights, others).expect("all there")
    };
    assert_eq!(differs(&seeded, &SeededWeights::new(0)), None);
    assert_eq!(differs(&seeded, &changed(5.0)).as_deref(), Some("bn2.weight"));
    assert_eq!(
        differs(&changed(0.0), &changed(-0.0)).as_deref(),
        Some("bn2.weight")
    );
    assert_eq!(differs(&changed(f32::NAN), &changed(f32::NAN)), None);
}

#[test]
fn what_is_not_the_prepared_file_asked_for_is_refused_with_the_reason() {
    let prepared = Prepared::of("protocol4.pdparams");
    let good = fs::read(&prepared.path).expect("a file");
    let seeded = |graph: &Graph, digest: &str| {
        let mut file = File::create(&prepared.path).expect("a file");
        write_prepared(&mut file, &prepared.path, digest, graph, &SeededWeights::new(1)).expect("written");
    };
    let plainly = |naming| {
        let layout = Layout::new(naming).with_source(DIGEST);
        write_safetensors(&prepared.path, &plain(), &SeededWeights::new(1), &layout).expect("written");
    };
    let spoils: [(&str, &dyn Fn()); 6] = [
        ("not a safetensors file", &|| {
            fs::write(&prepared.path, &good[..good.len() - 1]).expect("written");
        }),
        ("an empty file", &|| {
            fs::write(&prepared.path, b"").expect("written")
        }),
        ("prepared from a file of digest sha256:0123456789ab,", &|| {
            seeded(&plain(), "sha256:0123456789ab");
        }),
        ("these have others", &|| plainly(Naming::Paddle)),
        ("no note `hrnet-zoo.crc32`", &|| plainly(Naming::Timm)),
        ("not the weights of this network", &|| {
            seeded(&graph(16, Some(16)), DIGEST);
        }),
    ];
    for (reason, spoil) in spoils {
        spoil();
        let error = prepared.open(&plain()).expect_err(reason).to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn no_byte_of_a_prepared_file_can_change_a_value_unseen() {
    let prepared = Prepared::of("timm_legacy.pth");
    let good = fs::read(&prepared.path).expect("a file");
    let header = 8 + u64::from_le_bytes(good[..8].try_into().expect("eight")) as usize;
    let mut seen = [0; 3];
    // Every ninth byte of the header and every hundredth and first of the data.
    let places = (0..header).step_by(9).chain((header..good.len()).step_by(101));
    for place in places {
        let mut bytes = good.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(&prepared.path, bytes).expect("written");
        let Ok(opened) = prepared.open(&plain()) else {
            seen[0] += 1;
            continue;
        };
        match first_difference(&plain(), &opened, &prepared.weights) {
            Err(WeightError::Damaged { what, .. }) => {
                seen[1] += 1;
                assert!(what.contains("the CRC-32 of its bytes is"), "{what}");
            }
            Err(error) => panic!("byte {place}: {error}"),
            Ok(different) => {
                seen[2] += 1;
                assert_eq!(different, None, "byte {place} changed a value unseen");
            }
        }
    }
    assert!(seen[0] > 10 && seen[1] > 10, "{seen:?}");
}

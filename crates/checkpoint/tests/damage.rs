//! Genuine files that were cut, changed or lied about: an error or other numbers, never a panic or absurd memory.

use std::path::Path;
use std::sync::LazyLock;

use checkpoint::{CheckpointError, TensorFile, parse, parse_set};
use hrnet::{Graph, HrnetSpec, Shape};
use proptest::prelude::*;
use safetensors::tensor::TensorView;

static W18: LazyLock<Graph> = LazyLock::new(|| {
    let spec = HrnetSpec::imagenet([18, 36, 72, 144]);
    spec.graph(Shape::square(1, 32)).expect("a graph")
});

fn parse_bytes(bytes: &[u8]) -> Result<TensorFile, CheckpointError> {
    parse(Path::new("damaged"), bytes.to_vec().into())
}

fn refused(bytes: &[u8]) -> String {
    parse_bytes(bytes).expect_err("refused").to_string()
}

fn bytes_of(name: &str) -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(fixtures.join(name)).expect(name)
}

/// A small safetensors file.
fn safetensors() -> Vec<u8> {
    let view =
        |dtype, shape: &[usize], bytes| TensorView::new(dtype, shape.to_vec(), bytes).expect("a tensor");
    let tensors = [
        ("a", view(safetensors::Dtype::F32, &[2, 3], &[1; 24])),
        ("b", view(safetensors::Dtype::F16, &[3], &[2; 6])),
        ("c", view(safetensors::Dtype::I64, &[], &[3; 8])),
    ];
    safetensors::serialize(tensors, None).expect("a header")
}

#[test]
fn every_cut_is_an_error() {
    let mut files: Vec<(&str, Vec<u8>)> = [
        "python2.pdparams",
        "pair.pdparams",
        "numpy1.pdparams",
        "dtypes.pdparams",
        "split.pdparams",
        "kinds.pth",
        "kinds_legacy.pth",
        "case_proto5.pdparams",
        "everything_legacy.pth",
    ]
    .map(|name| (name, bytes_of(name)))
    .to_vec();
    files.push(("safetensors", safetensors()));
    for (name, whole) in files {
        assert!(parse_bytes(&whole).is_ok(), "{name}");
        for length in 0..whole.len() {
            assert!(
                parse_bytes(&whole[..length]).is_err(),
                "{name} cut to {length} bytes"
            );
        }
    }
}

/// A file with the bytes at `offset` replaced.
fn with(file: &[u8], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = file.to_vec();
    changed[offset..offset + bytes.len()].copy_from_slice(bytes);
    changed
}

/// Where a ZIP archive's directory begins to tell of each file, and where it ends.
fn directory(archive: &[u8]) -> (Vec<usize>, usize) {
    let find = |signature: &[u8]| {
        let windows = archive.windows(signature.len()).enumerate();
        windows
            .filter(|(_, window)| *window == signature)
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    (find(b"PK\x01\x02"), find(b"PK\x05\x06")[0])
}

#[test]
fn directories_that_lie_are_refused() {
    let archive = bytes_of("kinds.pth");
    let (entries, end) = directory(&archive);
    let last = entries[entries.len() - 1];
    let first_header = archive[entries[0] + 42..][..4].to_vec();
    for (lie, changed) in [
        ("method", with(&archive, last + 10, &8_u16.to_le_bytes())),
        (
            "stored size",
            with(&archive, last + 20, &u32::MAX.to_le_bytes()[..3]),
        ),
        ("size", with(&archive, last + 24, &[0xFF, 0xFF, 0xFF, 0x7F])),
        (
            "one more byte",
            with(&archive, last + 24, &[archive[last + 24] + 1]),
        ),
        ("another file's place", with(&archive, last + 42, &first_header)),
        (
            "a place behind the end",
            with(&archive, last + 42, &[0, 0, 0, 0x7F]),
        ),
        ("another name", with(&archive, last + 46, b"x")),
        ("encryption", with(&archive, last + 8, &[1])),
        ("fewer files", with(&archive, end + 8, &[1, 0, 1, 0])),
        ("more files", with(&archive, end + 8, &[0xFE, 0xFF, 0xFE, 0xFF])),
        (
            "another place of it",
            with(&archive, end + 16, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ),
    ] {
        let error = refused(&changed);
        assert!(error.contains("ZIP"), "{lie}: {error}");
    }
}

/// A safetensors file of this header and as many bytes of data.
fn with_header(header: &str, data: usize) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn headers_that_lie_are_refused() {
    let one = |shape: &str, start: u64, end: u64| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{end}]}}}}"#)
    };
    let two = |start: u64, end: u64| {
        let first = one("[2]", 0, 8);
        let second = format!(r#""b":{{"dtype":"F32","shape":[2],"data_offsets":[{start},{end}]}}"#);
        format!("{},{second}}}", &first[..first.len() - 1])
    };
    assert!(parse_bytes(&with_header(&one("[2]", 0, 8), 8)).is_ok());
    assert!(parse_bytes(&with_header(&two(8, 16), 16)).is_ok());
    for (header, data, reason) in [
        (two(4, 12), 12, "invalid offset"),
        (two(0, 8), 8, "invalid offset"),
        (two(12, 20), 20, "invalid offset"),
        (one("[2]", 0, 8), 4, "incomplete"),
        (one("[2]", 0, 8), 12, "incomplete"),
        (one("[2]", 8, 0), 8, "invalid offset"),
        (one("[3]", 0, 8), 8, "invalid shape"),
        (one("[4611686018427387904,4]", 0, 0), 0, "overflow"),
        (one("[-1]", 0, 8), 8, "invalid json"),
        (one("[2]", 0, u64::MAX), 8, "invalid shape"),
        (format!(r#"{{"a":{}"#, "[".repeat(100_000)), 0, "invalid json"),
        (one("[2]", 0, 8).replace("F32", "F31"), 8, "invalid json"),
        ("{".into(), 0, "invalid json"),
    ] {
        let error = refused(&with_header(&header, data)).to_lowercase();
        assert!(
            error.contains("not a safetensors file") && error.contains(reason),
            "{error}"
        );
    }
    for length in [101_u64, 1 << 20, 0x00FF_FFFF_FFFF] {
        let bytes = [length.to_le_bytes().as_slice(), b"{", &[b' '; 99]].concat();
        assert!(refused(&bytes).contains("not a safetensors file"), "{length}");
    }
}

/// One change of a file.
#[derive(Clone, Debug)]
enum Change {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    /// A part copied over another.
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Set(at, value) => {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            Self::Insert(at, inserted) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, inserted.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = at.index(bytes.len());
                bytes.drain(at..bytes.len().min(at + count));
            }
            Self::Copy(from, to, count) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let count = (*count).min(bytes.len() - from).min(bytes.len() - to);
                bytes.copy_within(from..from + count, to);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        6 => (at(), any::<u8>()).prop_map(|(at, value)| Change::Set(at, value)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (at(), 1_usize..9).prop_map(|(at, count)| Change::Remove(at, count)),
        1 => (at(), at(), 1_usize..65).prop_map(|(from, to, count)| Change::Copy(from, to, count)),
    ]
}

/// Reads a changed file and does all that can be done with it: what it holds is bounded by its size, and errors can
/// be printed.
fn exercise(file: &[u8], changes: &[Change]) {
    let mut bytes = file.to_vec();
    changes.iter().for_each(|change| change.apply(&mut bytes));
    match parse_bytes(&bytes) {
        // Damage in a tensor's numbers goes unnoticed here; digests are what finds it.
        Ok(file) => {
            let elements: usize = file.tensors.values().map(|tensor| tensor.values().len()).sum();
            assert!(
                elements <= bytes.len(),
                "{elements} elements of {} bytes",
                bytes.len()
            );
            let _ = (file.health(), file.check_all());
            for key in &file.other_sets {
                // Another set may have tensors that are damaged, but it is there.
                let other = parse_set(Path::new("damaged"), bytes.clone().into(), Some(key));
                assert!(
                    !matches!(other, Err(CheckpointError::Set { .. })),
                    "{key:?} was named"
                );
            }
            let told: Vec<&String> = file
                .set
                .iter()
                .chain(&file.other_sets)
                .chain(&file.unknown)
                .collect();
            assert!(
                told.iter()
                    .all(|name| name.len() < 2000 && !name.contains(char::is_control))
            );
            if let Err(error) = file.bind(&W18) {
                assert!(error.to_string().len() < 5000);
            }
        }
        Err(error) => {
            let error = error.to_string();
            assert!(error.starts_with("damaged: ") && error.len() < 1000, "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }
}

/// An archive of PyTorch's as it is written without checksums, which would end the reading at the first change.
fn unchecked(mut archive: Vec<u8>) -> Vec<u8> {
    for (signature, place) in [(b"PK\x03\x04", 14), (b"PK\x01\x02", 16)] {
        let entries: Vec<usize> = (0..archive.len() - 4)
            .filter(|at| archive[*at..].starts_with(signature))
            .collect();
        entries.iter().for_each(|at| archive[at + place..][..4].fill(0));
    }
    archive
}

/// A test that changes each of some genuine files at random.
macro_rules! changed_files {
    ($($test:ident: $files:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $test(changes in prop::collection::vec(change(), 1..6), which in any::<prop::sample::Index>()) {
                    let files: Vec<Vec<u8>> = $files.into();
                    exercise(&files[which.index(files.len())], &changes);
                }
            )*
        }
    };
}

changed_files! {
    changed_pdparams_do_no_harm: ["python2.pdparams", "pair.pdparams", "dtypes.pdparams", "split.pdparams", "case_proto5.pdparams", "case_fortran.pdparams"]
        .map(bytes_of);
    changed_archives_do_no_harm: ["kinds.pth", "case_ema.pth", "everything5.pth"].map(|name| unchecked(bytes_of(name)));
    changed_archives_with_checksums_do_no_harm: ["kinds.pth", "case_swa.pth"].map(bytes_of);
    changed_legacy_pth_do_no_harm: ["kinds_legacy.pth", "everything_legacy.pth"].map(bytes_of);
    changed_safetensors_do_no_harm: [safetensors()];
}

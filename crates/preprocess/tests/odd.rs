//! Damaged and rare files are decoded, or refused, as OpenCV and Pillow do; `tests/golden/preprocess/odd.py` made them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use preprocess::{Reader, RgbImage, decode_into};

/// Files that are read otherwise than the library reads them, by reason; `crates/preprocess/src/lib.rs` says so as well.
const OTHERWISE: &[(Reader, &[&str])] = &[];

/// The result of a library for a file: its extent and the hash of its pixels, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    width: usize,
    height: usize,
    hash: u64,
}

struct Case {
    name: String,
    bytes: Vec<u8>,
    told: [(Reader, Option<Told>); 2],
}

fn golden(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/preprocess");
    fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn told(parts: &[&str]) -> Option<Told> {
    Some(Told {
        width: parts[0].parse().ok()?,
        height: parts[1].parse().ok()?,
        hash: u64::from_str_radix(parts[2], 16).ok()?,
    })
}

fn cases() -> Vec<Case> {
    let files = golden("odd.bin");
    let mut rest = files.as_slice();
    let text = String::from_utf8(golden("odd.txt")).expect("text");
    let mut cases = Vec::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let (head, body) = rest.split_at(6);
        let length = |at: &[u8]| at.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (name, body) = body.split_at(length(&head[..2]));
        let (bytes, body) = body.split_at(length(&head[2..]));
        rest = body;
        assert_eq!(name, parts[0].as_bytes(), "the two files are in the same order");
        cases.push(Case {
            name: parts[0].to_owned(),
            bytes: bytes.to_vec(),
            told: [
                (Reader::OpenCv, told(&parts[1..4])),
                (Reader::Pillow, told(&parts[4..7])),
            ],
        });
    }
    assert!(rest.is_empty(), "files that are not told of");
    cases
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[test]
fn every_file_is_read_or_refused_as_the_library_does() {
    let mut image = RgbImage::default();
    let (mut found, mut wrong) = (BTreeSet::new(), Vec::new());
    let cases = cases();
    assert!(cases.len() > 500, "{}", cases.len());
    for case in &cases {
        for (reader, expected) in case.told {
            let decoded = decode_into(&case.bytes, reader, &mut image);
            let own = decoded.as_ref().ok().map(|_| Told {
                width: image.width,
                height: image.height,
                hash: fnv1a64(&image.pixels),
            });
            if own != expected {
                let differ = match (own, expected) {
                    (Some(_), Some(_)) => "other pixels".to_owned(),
                    (Some(_), None) => "should be refused".to_owned(),
                    (None, _) => decoded.expect_err("refused").to_string(),
                };
                wrong.push(format!("{}, {reader:?}: {differ}", case.name));
                found.insert((format!("{reader:?}"), case.name.clone()));
            }
        }
    }
    let known: BTreeSet<(String, String)> = OTHERWISE
        .iter()
        .flat_map(|(reader, names)| {
            names
                .iter()
                .map(move |name| (format!("{reader:?}"), (*name).to_owned()))
        })
        .collect();
    assert!(
        found == known,
        "{} of {}: {wrong:#?}",
        wrong.len(),
        2 * cases.len()
    );
}

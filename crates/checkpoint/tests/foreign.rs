//! Files that are no weights: each is told by what it is, with what to do next.

mod common;
#[path = "common/pickles.rs"]
mod pickles;

use std::io::{Cursor, Write};
use std::path::Path;

use checkpoint::{parse, read};
use common::fixture;
use pickles::{archive, dict, floats, numbered, pickle, tensor};
use zip::write::SimpleFileOptions;

fn refused(bytes: &[u8]) -> String {
    parse(Path::new("file"), bytes.to_vec().into())
        .expect_err("refused")
        .to_string()
}

#[test]
fn what_people_take_for_weights_is_named_with_what_to_do() {
    let lfs = read(&fixture("case_lfs.pth")).expect_err("a pointer").to_string();
    assert!(
        lfs.contains("a Git LFS pointer") && lfs.contains("`git lfs pull`"),
        "{lfs}"
    );
    let tar = [&[b'a'; 257], b"ustar\x0000".as_slice()].concat();
    let onnx = b"\x08\x08\x12\x07pytorch\x1a\x052.1.0";
    let pdiparams = [[0; 16].as_slice(), &[2, 0, 0, 0, 0x08, 0x05, 1, 2]].concat();
    for (bytes, what, next) in [
        (b"".as_slice(), "an empty file", "fetch it again"),
        (&[0; 4096], "nothing but zeros", "fetch it again"),
        (b"<!DOCTYPE html><html><head>", "a web page", "`resolve`"),
        (
            b"\xef\xbb\xbf\r\n  <HTML lang=\"en\">",
            "a web page",
            "open it in a browser",
        ),
        (b"<!-- saved -->\n<html>", "a web page", ""),
        (
            b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code>",
            "an XML document",
            "not there or not public",
        ),
        (
            b"{\"error\":\"Repository not found\"}",
            "JSON",
            "Repository not found",
        ),
        (
            b"{\"metadata\":{},\"weight_map\":{\"a\":\"model-00001.safetensors\"}}",
            "the index",
            "`weight_map`",
        ),
        (b"Entry not found", "text and no weights", "Entry not found"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip", "`gunzip`"),
        (b"BZh91AY", "bzip2", "`bunzip2`"),
        (b"\xfd7zXZ\0\0\x04", "xz", "`unxz`"),
        (b"\x28\xb5\x2f\xfd\x24\0", "zstd", "`unzstd`"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive", "`7z x`"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive", "unpack"),
        (&tar, "a tar archive", "`tar xf`"),
        (b"PK\x05\x06\0\0\0\0", "an empty ZIP archive", ""),
        (b"\x89HDF\r\n\x1a\n\0\0", "HDF5", "Keras"),
        (b"\x1c\0\0\0TFL3\x14\0", "TensorFlow Lite", "made from"),
        (b"GGUF\x03\0\0\0", "GGUF", "made from"),
        (onnx, "ONNX", "made from"),
        (&pdiparams, ".pdiparams", ".pdparams"),
        (b"\x93NUMPY\x01\0", "one NumPy array", "dictionary"),
        (b"(dp0\nS'a'\np1\nI1\ns.", "protocol 0 or 1", "`protocol=2`"),
        (b"\x80\x06}.", "a pickle of protocol 6", "2 to 5"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image", ""),
        (b"\xde\xad\xbe\xef", "an unknown format", "de ad be ef"),
    ] {
        let error = refused(bytes);
        assert!(error.contains(what) && error.contains(next), "{error}");
        assert!(
            error.contains(".pdparams, .pth and .safetensors files are read"),
            "{error}"
        );
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}

/// A ZIP archive of files with these names.
fn zipped(names: &[&str], content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in names {
        zip.start_file(*name, options).expect("an entry");
        zip.write_all(content).expect("written");
    }
    zip.finish().expect("an archive").into_inner()
}

#[test]
fn archives_of_something_else_are_told_by_what_is_in_them() {
    for (names, what) in [
        (
            vec!["metadata.json", "config.json", "model.weights.h5"],
            "a Keras model",
        ),
        (vec!["a.npy", "b.npy"], "NumPy's .npz"),
        (
            vec!["hrnet/hrnet_w18.pth"],
            "unpack it, it holds `hrnet/hrnet_w18.pth`",
        ),
        (vec!["readme.txt"], "it holds `readme.txt`"),
        (
            vec!["net/data.pkl", "net/constants.pkl", "net/code/a.py"],
            "a TorchScript archive",
        ),
    ] {
        let error = refused(&zipped(&names, b"x"));
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn files_that_were_cut_say_so() {
    let whole = numbered(&dict(&[("conv1.weight", tensor("1", &[4, 4]))]));
    for length in [30, whole.len() / 2, whole.len() - 23] {
        let error = refused(&whole[..length]);
        assert!(
            error.contains("the ZIP archive is cut short") && error.contains("fetch it again"),
            "{length}: {error}"
        );
    }
    let paddle = std::fs::read(fixture("protocol4.pdparams")).expect("the file");
    let error = refused(&paddle[..paddle.len() / 2]);
    assert!(error.contains("cut short: fetch it again"), "{error}");
    let legacy = std::fs::read(fixture("kinds_legacy.pth")).expect("the file");
    let error = refused(&legacy[..legacy.len() - 10]);
    assert!(error.contains("cut short: fetch it again"), "{error}");
    let timm = std::fs::read(fixture("timm.safetensors")).expect("the file");
    for length in [100, timm.len() - 1] {
        let error = refused(&timm[..length]);
        assert!(error.contains("cut short: fetch it again"), "{error}");
    }
}

#[test]
fn every_byte_of_an_archives_pickle_is_held_against_its_checksum() {
    let value = dict(&[("conv1.weight", tensor("w", &[2]))]);
    let pickled = pickle(2, &value);
    let whole = archive(&pickled, &[("w", &floats(&[1.0, 2.0]))]);
    let at = whole
        .windows(pickled.len())
        .position(|window| window == pickled)
        .expect("the pickle");
    for offset in 0..pickled.len() {
        let mut changed = whole.clone();
        changed[at + offset] ^= 1;
        let error = refused(&changed);
        assert!(
            error.contains("ZIP entry `archive/data.pkl`: its CRC-32 is") && error.contains("fetch it again"),
            "{error}"
        );
    }
}

#[test]
fn a_changed_weight_is_found_when_weights_are_loaded_and_when_all_is_checked() {
    let path = fixture("timm.pth");
    let whole = std::fs::read(&path).expect("the file");
    let graph = common::plain();
    let file = parse(&path, whole.clone().into()).expect("the file");
    assert!(file.checksums() > 100);
    file.check_all().expect("as PyTorch wrote it");
    file.weights(&graph).expect("as PyTorch wrote them");
    // The lowest bit of a number: finite, plausible, and wrong.
    let conv1 = read(&path).expect("the file").tensors["conv1.weight"].values()[0].to_le_bytes();
    let at = whole
        .windows(4)
        .position(|window| window == conv1)
        .expect("the number");
    let mut changed = whole;
    changed[at] ^= 1;
    let file = parse(&path, changed.into()).expect("its pickle is as it was");
    for error in [
        file.check_all().expect_err("changed"),
        file.weights(&graph).expect_err("changed"),
    ] {
        let error = error.to_string();
        assert!(
            error.contains("its CRC-32 is") && error.contains("timm.pth"),
            "{error}"
        );
    }
}

#[test]
fn archives_without_checksums_are_read() {
    // As PyTorch writes them when it is told to compute none.
    let value = dict(&[("conv1.weight", tensor("w", &[2]))]);
    let mut bytes = archive(&pickle(2, &value), &[("w", &floats(&[1.0, 2.0]))]);
    for (signature, place) in [(b"PK\x03\x04", 14), (b"PK\x01\x02", 16)] {
        let entries: Vec<usize> = (0..bytes.len() - 4)
            .filter(|at| bytes[*at..].starts_with(signature))
            .collect();
        entries.iter().for_each(|at| bytes[at + place..][..4].fill(0));
    }
    let file = parse(Path::new("file"), bytes.into()).expect("the file");
    file.check_all().expect("nothing to compare with");
    assert_eq!(file.tensors["conv1.weight"].values().as_ref(), [1.0, 2.0]);
}

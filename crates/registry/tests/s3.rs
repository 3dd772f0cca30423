//! Buckets, against a server that speaks S3.

mod common;

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use common::{Bench, body, pin, serve};
use faultd::Fault::{Good, Reset, Status, Truncate};
use faultd::s3::Server;
use registry::{Digest, Fault, Kind, Location, Mirror, mirror_to};

const SIZE: usize = 12_000_000;

/// A server with one bucket, `zoo`.
fn start(folder: &Path) -> Server {
    fs::create_dir(folder.join("zoo")).expect("a bucket");
    Server::start(folder).expect("a server")
}

#[test]
fn a_bucket_is_a_mirror_as_good_as_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path());
    let target = Mirror::bucket("s3://zoo/weights/v1", &server.settings()).expect("a bucket");

    let origin = serve(&body(SIZE), &[]);
    let bench = Bench::of(&origin, "");
    let path = bench.fetch().expect("fetched").file.path;
    let upload = || mirror_to(&target, &bench.fetcher.cache, &[&bench.artifact], &bench.lock());
    assert!(upload().expect("uploaded")[0].copied);
    assert!(!upload().expect("there")[0].copied);
    let object = folder
        .path()
        .join("zoo/weights/v1/sha256")
        .join(Digest::of(&body(SIZE)).to_string());
    assert_eq!(fs::read(&object).expect("an object"), body(SIZE));

    let mut other = Bench::new(&bench.artifact.url, "");
    drop(origin);
    other.fetcher.mirrors = vec![target.clone()];
    let fetched = other.fetch().expect("from the bucket");
    assert_eq!(fetched.file.pin, pin(&body(SIZE)));
    let source = fetched.source.expect("downloaded");
    assert!(
        source.contains("/zoo/weights/v1/sha256/") && !source.contains("ignature"),
        "{source}"
    );

    fs::write(path, vec![7; SIZE]).expect("damaged");
    fs::remove_file(&object).expect("removed");
    upload().expect_err("a damaged cache makes no mirror");
    assert!(!object.exists());
}

#[test]
fn a_bucket_is_a_folder_whose_files_are_read_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path());
    let data = Location::bucket("s3://zoo/data/", &server.settings()).expect("a prefix");
    assert_eq!(data.kind(), Ok(Kind::Absent));
    let long = body(5_000_000);
    let files: [(&str, &[u8]); 5] = [
        ("n01440764/a b.JPEG", b"tench"),
        ("n01443537/deep/c.JPEG", b"deeper"),
        ("n01443537/b~1.JPEG", b""),
        ("long.tar", &long),
        ("../data2/x", b"of another prefix"),
    ];
    for (name, bytes) in &files[..4] {
        data.join(name).write(bytes).expect("written");
    }
    data.parent().join("data2/x").write(files[4].1).expect("written");

    assert_eq!(data.kind(), Ok(Kind::Folder));
    let names = |levels| {
        let listed = data.files(levels).expect("listed").into_iter();
        listed.map(|file| (file.name, file.bytes)).collect::<Vec<_>>()
    };
    let long_one = ("long.tar".to_owned(), 5_000_000);
    assert_eq!(names(1), std::slice::from_ref(&long_one));
    let two = [
        long_one,
        ("n01440764/a b.JPEG".into(), 5),
        ("n01443537/b~1.JPEG".into(), 0),
    ];
    assert_eq!(names(2), two);
    let sizes = data.sizes(&[
        "n01443537/./deep/c.JPEG",
        "none/x",
        "../up",
        "n01440764/a b.JPEG",
        "long.tar",
    ]);
    assert_eq!(sizes, Ok(vec![6, 0, 0, 5, 5_000_000]));

    let tar = data.join("long.tar");
    assert_eq!((tar.kind(), tar.name()), (Ok(Kind::File), "long.tar".to_owned()));
    assert_eq!(tar.read(1 << 30).expect("read"), long);
    let parts: Vec<_> = [7..7, 4_999_990..5_000_000, 3..9]
        .map(|range| (tar.reading(Some(range.clone()), 1 << 30), range))
        .into_iter()
        .collect();
    for (reading, range) in parts {
        let range = usize::try_from(range.start).expect("small")..usize::try_from(range.end).expect("small");
        assert_eq!(reading.wait().expect("read"), long[range]);
    }
    let mut reader = tar.reader().expect("opened");
    for (begin, bytes) in [
        (10, 600),
        (4_000_000, 512),
        (2_000_000, 2_500_000),
        (4_999_999, 1),
    ] {
        reader.seek(SeekFrom::Start(begin)).expect("there");
        let mut found = vec![0; bytes];
        reader.read_exact(&mut found).expect("read");
        let begin = usize::try_from(begin).expect("small");
        assert!(found == long[begin..begin + bytes], "{bytes} bytes from {begin}");
    }
    assert_eq!(reader.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn what_a_bucket_has_not_and_does_not_allow_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path());
    let there = Location::bucket("s3://zoo/data", &server.settings()).expect("a prefix");
    there.join("x").write(b"0123").expect("written");
    let error = there.join("y").read(10).expect_err("absent");
    assert_eq!(error.to_string(), "s3://zoo/data/y: there is no such object");
    let error = there.join("x").reading(Some(2..9), 10).wait().expect_err("short");
    assert_eq!(
        (error.to_string().as_str(), error.fault),
        ("s3://zoo/data/x: the file ends after 2 of 7 bytes", Fault::Absent)
    );

    let absent = Location::bucket("s3://zoos/data", &server.settings()).expect("a prefix");
    for error in [
        absent.kind().expect_err("absent"),
        absent.files(2).expect_err("absent"),
    ] {
        assert_eq!(error.to_string(), "s3://zoos/data: there is no such bucket");
        assert_eq!(error.fault, Fault::Absent);
    }

    // This server makes a bucket that is written to; others do as this one.
    let other = serve(
        b"",
        &[Status {
            code: 404,
            wait: None,
        }],
    );
    let endpoint = other.url("");
    let mut settings = server.settings();
    settings[0].1 = endpoint.trim_end_matches('/');
    let absent = Location::bucket("s3://zoos/data", &settings).expect("a prefix");
    let error = absent.write(b"0123").expect_err("absent");
    assert_eq!(error.to_string(), "s3://zoos/data: there is no such bucket");

    let mut settings = server.settings();
    settings[4].1 = "another";
    let closed = Location::bucket("s3://zoo/data", &settings).expect("a prefix");
    for error in [
        closed.kind().expect_err("forbidden"),
        closed.join("x").read(10).expect_err("forbidden"),
        closed.write(b"").expect_err("forbidden"),
    ] {
        assert_eq!(error.fault, Fault::Forbidden, "{error}");
        assert!(error.to_string().contains("403 Forbidden"), "{error}");
        assert!(!error.to_string().contains("another"), "{error}");
    }
}

#[test]
fn a_connection_that_is_cut_is_taken_up_where_it_ended() {
    let bytes = body(300_000);
    let faults = [
        Truncate(1000),
        Reset(70_000),
        Status {
            code: 503,
            wait: None,
        },
        Good,
    ];
    let server = serve(&bytes, &faults);
    let endpoint = server.url("");
    let settings = [
        ("aws_endpoint", endpoint.trim_end_matches('/')),
        ("aws_allow_http", "true"),
        ("aws_access_key_id", "id"),
        ("aws_secret_access_key", "key"),
    ];
    let object = Location::bucket("s3://zoo/x", &settings).expect("an object");
    let read = object.reading(Some(1..299_999), 1 << 30).wait().expect("read");
    assert!(read == bytes[1..299_999]);
    assert!(server.requests().len() >= 3, "{:?}", server.requests());
}

//! Mirrors: made from a cache, fetched from over a file system and over HTTP.

mod common;

use std::fs;
use std::path::Path;

use common::{Bench, Diary, body, pin, serve};
use faultd::{Content, Fault, Server};
use registry::{FetchError, Lock, Mirror, PinnedBy, mirror_to};

const SIZE: usize = 200_000;

/// A mirror folder with one file, and the URL its publisher has it at.
fn mirrored(folder: &Path) -> String {
    let server = serve(&body(SIZE), &[]);
    let bench = Bench::of(&server, "");
    bench.fetch().expect("fetched");
    let target = mirror(&folder.display().to_string());
    let made = mirror_to(&target, &bench.fetcher.cache, &[&bench.artifact], &bench.lock()).expect("made");
    assert!(made.len() == 1 && made[0].copied);
    let again = mirror_to(&target, &bench.fetcher.cache, &[&bench.artifact], &bench.lock()).expect("made");
    assert!(!again[0].copied);
    bench.artifact.url
}

fn mirror(text: &str) -> Mirror {
    text.parse().expect("a mirror")
}

#[test]
fn a_folder_serves_a_machine_without_a_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = mirrored(folder.path());
    let path = folder.path().display().to_string();
    for text in [path.clone(), format!("file://{path}"), format!("file://{path}/")] {
        let mut bench = Bench::new(&url, "");
        bench.fetcher.offline = true;
        bench.fetcher.mirrors = vec![mirror(&text)];
        let fetched = bench.fetch().expect("from the folder");
        assert!(fetched.newly_pinned && fetched.source.expect("copied").starts_with(&path));
        assert_eq!(bench.lock().pin(&url), Some(pin(&body(SIZE))));
        assert_eq!(bench.published().len(), 1);
    }
}

#[test]
fn any_web_server_over_the_folder_is_a_mirror() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = mirrored(folder.path());
    let web =
        Server::start("127.0.0.1:0", Content::Folder(folder.path().into()), Vec::new()).expect("a port");
    let mut bench = Bench::new(&url, "");
    bench.fetcher.mirrors = vec![mirror(&web.url(""))];
    bench.fetch().expect("from the mirror");
    assert!(web.requests()[0].starts_with("GET /index.json"));
    // What is pinned needs no index.
    let mut pinned = Bench::new(&url, &common::known(&body(SIZE)));
    pinned.fetcher.mirrors = vec![mirror(web.url("").trim_end_matches('/'))];
    let before = web.requests().len();
    pinned.fetch().expect("from the mirror");
    assert!(web.requests()[before].starts_with("GET /sha256/"));
}

#[test]
fn a_mirror_with_wrong_bytes_is_passed_over_and_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let gone = mirrored(folder.path());
    let file = folder
        .path()
        .join("sha256")
        .join(pin(&body(SIZE)).sha256.to_string());
    fs::write(&file, vec![7; SIZE]).expect("damaged");

    let mut bench = Bench::new(&gone, "");
    bench.fetcher.offline = true;
    bench.fetcher.mirrors = vec![mirror(&folder.path().display().to_string())];
    let error = bench.fetch().expect_err("nobody else to ask").to_string();
    assert!(error.contains("the mirror says sha256"), "{error}");

    let origin = serve(&body(SIZE), &[]);
    let mut bench = Bench::of(&origin, &common::known(&body(SIZE)));
    bench.fetcher.mirrors = vec![mirror(&folder.path().display().to_string())];
    let diary = Diary::default();
    let fetched = bench
        .fetcher
        .fetch(&bench.artifact, &mut bench.lock(), &diary)
        .expect("from the origin");
    assert_eq!(fetched.source, Some(origin.url("weights.pdparams")));
    assert!(diary.text().contains("zoo.toml says sha256"), "{}", diary.text());
}

#[test]
fn a_damaged_cache_makes_no_mirror() {
    let server = serve(&body(SIZE), &[Fault::Good]);
    let bench = Bench::of(&server, "");
    let path = bench.fetch().expect("fetched").file.path;
    fs::write(&path, vec![7; SIZE]).expect("damaged");
    let folder = bench.path("mirror");
    let target = mirror(&folder.display().to_string());
    let error = mirror_to(&target, &bench.fetcher.cache, &[&bench.artifact], &bench.lock());
    assert!(matches!(error, Err(FetchError::Mismatch { .. })));
    assert!(!folder.exists());
}

#[test]
fn mirrors_are_read_from_text() {
    for text in [
        "https://host/weights",
        "http://host:8000/",
        "/mnt/stick",
        "stick",
        "file:///mnt/stick",
        "C:\\stick",
    ] {
        assert!(text.parse::<Mirror>().is_ok(), "{text}");
    }
    for text in ["", "ftp://host/x", "https://", "file://host:x/"] {
        assert!(text.parse::<Mirror>().is_err(), "{text}");
    }
    #[cfg(not(feature = "object-store"))]
    {
        let told = "s3://bucket/x"
            .parse::<Mirror>()
            .expect_err("not built in")
            .to_string();
        assert!(told.contains("the feature `object-store`"), "{told}");
    }
    assert_eq!(
        mirror("https://user:secret@host/w?token=secret").to_string(),
        "https://host/w/?…"
    );
}

#[test]
fn a_replaced_pin_takes_its_notes_along() {
    let server = serve(&body(SIZE), &[]);
    let bench = Bench::of(&server, "");
    let mut scratch = Lock::open(&bench.path("scratch/zoo.lock")).expect("empty");
    let mut lock = bench.lock();
    lock.add(&bench.artifact.url, pin(b"old"), PinnedBy::FirstDownload)
        .expect("written");
    let fetched = bench
        .fetcher
        .fetch(&bench.artifact, &mut scratch, &registry::Silent)
        .expect("fetched");
    lock.replace(&bench.artifact.url, fetched.file.pin, PinnedBy::FirstDownload)
        .expect("written");
    lock.take_notes(&scratch).expect("written");
    assert_eq!(bench.lock().pin(&bench.artifact.url), Some(pin(&body(SIZE))));
    let notes = fs::read_to_string(bench.path("zoo.blocks")).expect("there");
    assert!(notes.contains(&fetched.file.pin.sha256.to_string()));
}

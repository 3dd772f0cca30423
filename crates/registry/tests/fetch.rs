//! Fetching from good servers: the cache, the lock, what is kept from one run to the next.

mod common;

use std::fs;
use std::path::Path;
use std::thread;

use common::{Bench, artifact, body, known, pin, serve};
use faultd::Fault;
use registry::{Digest, FetchError, Lock, PinnedBy, Silent};

#[test]
fn a_good_file_is_published_pinned_and_not_asked_for_again() {
    let body = body(1_200_000);
    let server = serve(&body, &[]);
    let bench = Bench::of(&server, "");
    let first = bench.fetch().expect("fetched");
    assert!(first.newly_pinned && !first.file.pinned);
    assert_eq!(first.source, Some(bench.artifact.url.clone()));
    assert_eq!(fs::read(&first.file.path).expect("the file"), body);
    assert_eq!(first.file.pin, pin(&body));
    let requests = server.requests().len();
    assert!(requests > 10, "it came in parts");
    let second = bench.fetch().expect("in the cache");
    assert!(second.source.is_none() && !second.newly_pinned && second.file.pinned);
    assert_eq!(server.requests().len(), requests);
    assert_eq!((bench.published().len(), bench.partials().len()), (1, 0));
    assert_eq!(
        bench.fetcher.cache.find(&bench.artifact, &bench.lock()),
        Some(first.file.path)
    );
}

#[test]
fn sources_with_the_same_bytes_share_one_file() {
    let servers = [serve(&body(5000), &[]), serve(&body(5000), &[])];
    let bench = Bench::of(&servers[0], "");
    let other = artifact(&servers[1].url("other.pth"), &known(&body(5000)));
    bench.fetch().expect("fetched");
    let fetched = bench
        .fetcher
        .fetch(&other, &mut bench.lock(), &Silent)
        .expect("there already");
    assert_eq!((fetched.source, servers[1].requests().len()), (None, 0));
    assert_eq!(bench.published().len(), 1);
}

#[test]
fn a_file_that_fits_the_manifests_prefix_is_taken_from_the_cache_and_pinned() {
    let server = serve(&body(5000), &[]);
    let prefix = format!(
        "sha256_prefix = \"{}\"",
        &Digest::of(&body(5000)).to_string()[..8]
    );
    let bench = Bench::of(&server, &prefix);
    bench.fetch().expect("fetched");
    fs::remove_file(bench.path("zoo.lock")).expect("removed");
    let again = bench.fetch().expect("from the cache");
    assert!(again.source.is_none() && again.newly_pinned);
    assert_eq!(bench.lock().pin(&bench.artifact.url), Some(pin(&body(5000))));
}

#[test]
fn the_lock_is_enforced_and_a_damaged_file_replaced() {
    let server = serve(&body(5000), &[Fault::Good, Fault::NewVersion, Fault::Good]);
    let bench = Bench::of(&server, "");
    let path = bench.fetch().expect("fetched").file.path;
    fs::write(&path, b"damaged").expect("written");
    let error = bench.fetch().expect_err("the server has other bytes now");
    assert!(matches!(&error, FetchError::Mismatch { .. }), "{error}");
    assert!(
        bench.published().is_empty(),
        "neither the damaged nor the other bytes are published"
    );
    let server = serve(&body(5000), &[]);
    let mut lock = bench.lock();
    let moved = artifact(&server.url("weights.pdparams"), &known(&body(5000)));
    let fetched = bench
        .fetcher
        .fetch(&moved, &mut lock, &Silent)
        .expect("the old bytes are back");
    assert_eq!(fs::read(fetched.file.path).expect("the file"), body(5000));
}

#[test]
fn only_damaged_blocks_are_fetched_again() {
    let size = 1_000_000;
    let server = serve(&body(size), &[]);
    let mut bench = Bench::of(&server, "");
    let path = bench.fetch().expect("fetched").file.path;
    let before = server.requests().len();
    let mut bytes = body(size);
    bytes[500_000] ^= 1;
    bytes[999_999] ^= 1;
    fs::write(&path, &bytes).expect("written");
    bench.fetcher.sizes.block = 1 << 20;
    bench.fetch().expect("repaired");
    let requests = server.requests()[before..].concat();
    let ranges: Vec<&str> = requests
        .lines()
        .filter(|line| line.starts_with("range:"))
        .collect();
    let block = 1 << 14;
    let first = 500_000 / block * block;
    let last = 999_999 / block * block;
    assert_eq!(
        ranges,
        [
            format!("range: bytes={first}-{}", first + block - 1),
            format!("range: bytes={last}-{}", size - 1)
        ]
    );
    assert_eq!(bench.published(), [path]);
}

#[test]
fn locked_takes_only_what_is_pinned() {
    let server = serve(&body(5000), &[]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.locked = true;
    assert!(matches!(bench.fetch(), Err(FetchError::NotPinned { .. })));
    assert_eq!(server.requests().len(), 0);
    bench.fetcher.locked = false;
    bench.fetch().expect("fetched and pinned");
    bench.fetcher.locked = true;
    bench.fetch().expect("pinned now");

    let mut vouched = Bench::of(&server, &known(&body(5000)));
    vouched.fetcher.locked = true;
    assert!(!vouched.fetch().expect("the manifest vouches for it").newly_pinned);
}

#[test]
fn offline_uses_the_cache_alone() {
    let server = serve(&body(5000), &[]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.offline = true;
    assert!(matches!(bench.fetch(), Err(FetchError::Offline { .. })));
    assert_eq!(
        fs::read_dir(bench.folder.path()).expect("readable").count(),
        0,
        "nothing is left behind"
    );
    bench.fetcher.offline = false;
    let path = bench.fetch().expect("fetched").file.path;
    bench.fetcher.offline = true;
    bench.fetch().expect("in the cache");
    fs::write(&path, b"damaged").expect("written");
    assert!(matches!(bench.fetch(), Err(FetchError::Damaged { .. })));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn two_at_once_download_once_and_neither_loses_a_pin() {
    let servers: Vec<_> = (0..6).map(|index| serve(&body(40_000 + index), &[])).collect();
    let bench = Bench::of(&servers[0], "");
    thread::scope(|scope| {
        for index in 0..12 {
            let (bench, server) = (&bench, &servers[index / 2]);
            // Each holds the lock as it was before any of the others wrote.
            let mut lock = bench.lock();
            scope.spawn(move || {
                let artifact = artifact(&server.url("weights.pdparams"), "");
                bench
                    .fetcher
                    .fetch(&artifact, &mut lock, &Silent)
                    .expect("fetched");
            });
        }
    });
    for server in &servers {
        assert!(
            bench.lock().pin(&server.url("weights.pdparams")).is_some(),
            "pinned"
        );
        assert_eq!(server.requests().len(), 1, "the second waited for the first");
    }
    assert_eq!((bench.published().len(), bench.partials().len()), (6, 0));
}

#[test]
fn without_locks_two_at_once_are_correct_all_the_same() {
    let server = serve(&body(300_000), &[]);
    let bench = Bench::of(&server, "");
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut fetcher = bench.fetcher.clone();
            // Nobody believes that the others are alive: all take each other's partials.
            fetcher.lease = std::time::Duration::ZERO;
            let (artifact, mut lock) = (&bench.artifact, bench.lock());
            scope.spawn(move || fetcher.fetch(artifact, &mut lock, &Silent).expect("fetched"));
        }
    });
    assert_eq!(bench.published().len(), 1);
}

#[test]
fn several_files_come_at_a_time_in_the_order_asked_for() {
    let servers: Vec<_> = (0..5).map(|index| serve(&body(100_000 + index), &[])).collect();
    let bench = Bench::of(&servers[0], "");
    let artifacts: Vec<_> = servers
        .iter()
        .map(|server| artifact(&server.url("w.pth"), ""))
        .collect();
    let artifacts: Vec<_> = artifacts.iter().collect();
    let results = bench.fetcher.fetch_all(&artifacts, &mut bench.lock(), &Silent);
    for (index, result) in results.into_iter().enumerate() {
        assert_eq!(result.expect("fetched").file.pin, pin(&body(100_000 + index)));
    }
    let results = bench.fetcher.cache.verify_all(&artifacts, &bench.lock(), true, 2);
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Ok(Some(file)) if file.pinned))
    );
}

#[test]
fn a_pin_that_another_process_wrote_meanwhile_is_enforced() {
    let server = serve(&body(5000), &[]);
    let bench = Bench::of(&server, "");
    let mut stale = bench.lock();
    let theirs = pin(b"abc");
    assert_eq!(
        bench
            .lock()
            .add(&bench.artifact.url, theirs, PinnedBy::FirstDownload)
            .expect("written"),
        theirs
    );
    let error = bench
        .fetcher
        .fetch(&bench.artifact, &mut stale, &Silent)
        .expect_err("other bytes are pinned");
    assert!(
        error
            .to_string()
            .contains("zoo.lock says 3 bytes, found 5000 bytes"),
        "{error}"
    );
    assert!(bench.published().is_empty());
    assert_eq!(bench.lock().pin(&bench.artifact.url), Some(theirs));
}

#[test]
fn what_cannot_be_pinned_is_not_published() {
    let server = serve(&body(5000), &[]);
    let bench = Bench::of(&server, "");
    // A folder stands where a file would have to be replaced.
    let path = bench.path("zoo.lock");
    let mut lock = Lock::open(&path).expect("empty");
    fs::create_dir(&path).expect("made");
    let error = bench
        .fetcher
        .fetch(&bench.artifact, &mut lock, &Silent)
        .expect_err("cannot be written");
    assert!(
        matches!(&error, FetchError::Disk { path: at, .. } if *at == path),
        "{error}"
    );
    assert!(bench.published().is_empty());
}

#[test]
fn a_manifest_and_a_lock_that_contradict_each_other_are_told_at_once() {
    let server = serve(&body(5000), &[]);
    let bench = Bench::of(&server, &known(&body(5000)));
    bench
        .lock()
        .add(&bench.artifact.url, pin(&body(4999)), PinnedBy::FirstDownload)
        .expect("written");
    let error = bench.fetch().expect_err("nothing could be right").to_string();
    assert!(
        error.contains("the pin of") && error.contains("zoo.toml says 5000 bytes, found 4999"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 0);
}

#[cfg(unix)]
#[test]
fn published_files_have_the_mode_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let server = serve(&body(5000), &[]);
    let bench = Bench::of(&server, "");
    let weights = bench.fetch().expect("fetched").file.path;
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let plain = bench.path("plain");
    fs::write(&plain, b"").expect("written");
    assert_eq!(mode(&weights), mode(&plain));
    assert_eq!(mode(&bench.path("zoo.lock")), mode(&plain));
}

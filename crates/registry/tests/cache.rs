//! Files in a cache that nobody expected there, and the cache's own figures.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{Bench, body, known, serve};
use faultd::Fault;
use registry::{Digest, FetchError};

const SIZE: usize = 200_000;

#[cfg(unix)]
mod planted {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A bench, and a file outside its cache that must not change.
    fn bench(server: &faultd::Server) -> (Bench, std::path::PathBuf) {
        let bench = Bench::of(server, &known(&body(SIZE)));
        let victim = bench.path("victim");
        fs::write(&victim, b"precious").expect("written");
        (bench, victim)
    }

    fn unharmed(victim: &Path) {
        assert_eq!(fs::read(victim).expect("still there"), b"precious");
    }

    #[test]
    fn a_link_in_the_place_of_a_published_file_is_refused() {
        let server = serve(&body(SIZE), &[]);
        let (bench, victim) = bench(&server);
        let path = bench.fetcher.cache.path(Digest::of(&body(SIZE)));
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        symlink(&victim, &path).expect("planted");
        let error = bench.fetch().expect_err("refused");
        assert!(matches!(&error, FetchError::Disk { .. }), "{error}");
        assert!(
            error.to_string().contains("not a regular file: remove it"),
            "{error}"
        );
        assert_eq!(bench.fetcher.cache.find(&bench.artifact, &bench.lock()), None);
        unharmed(&victim);
    }

    #[test]
    fn links_in_the_place_of_folders_are_refused() {
        for folder in ["sha256", "partial"] {
            let server = serve(&body(SIZE), &[]);
            let (bench, victim) = bench(&server);
            let elsewhere = bench.path("elsewhere");
            fs::create_dir(&elsewhere).expect("made");
            fs::create_dir(bench.fetcher.cache.root()).expect("made");
            symlink(&elsewhere, bench.fetcher.cache.root().join(folder)).expect("planted");
            let error = bench.fetch().expect_err("refused").to_string();
            assert!(
                error.contains("symbolic links in the cache are not followed"),
                "{folder}: {error}"
            );
            assert_eq!(fs::read_dir(&elsewhere).expect("readable").count(), 0, "{folder}");
            unharmed(&victim);
        }
    }

    /// Puts something in the place of a partial that leads to a victim.
    type Plant<'a> = &'a dyn Fn(&Path, &Path);

    #[test]
    fn links_in_a_partial_are_thrown_away() {
        let key = Digest::of(&body(SIZE)).to_string();
        let journal = "null\n0 200000\n";
        let plants: [Plant; 4] = [
            &|partial, victim| symlink(victim.parent().expect("a folder"), partial).expect("planted"),
            &|partial, victim| {
                fs::create_dir(partial).expect("made");
                symlink(victim, partial.join("data")).expect("planted");
                fs::write(partial.join("journal"), journal).expect("written");
            },
            &|partial, victim| {
                fs::create_dir(partial).expect("made");
                fs::hard_link(victim, partial.join("data")).expect("planted");
                fs::write(partial.join("journal"), journal).expect("written");
            },
            &|partial, victim| {
                fs::create_dir(partial).expect("made");
                fs::write(partial.join("data"), body(SIZE)).expect("written");
                symlink(victim, partial.join("journal")).expect("planted");
            },
        ];
        for plant in plants {
            let server = serve(&body(SIZE), &[]);
            let (bench, victim) = bench(&server);
            let partials = bench.fetcher.cache.root().join("partial");
            fs::create_dir_all(&partials).expect("made");
            plant(&partials.join(&key), &victim);
            bench.fetch().expect("fetched");
            assert_eq!((bench.published().len(), bench.partials().len()), (1, 0));
            unharmed(&victim);
        }
    }

    #[test]
    fn a_read_only_cache_with_good_files_is_as_good_as_any() {
        let server = serve(&body(SIZE), &[]);
        let (bench, _) = bench(&server);
        bench.fetch().expect("fetched");
        let root = bench.fetcher.cache.root();
        let folders = [
            root.join("sha256"),
            root.join("checked"),
            root.join("partial"),
            root.to_owned(),
        ];
        let mode = |mode| {
            for folder in folders.iter().filter(|folder| folder.exists()) {
                fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("set");
            }
        };
        // Without a note the file must be read, and none can be written.
        assert!(
            !root.join("checked").exists(),
            "a download is no reading of what lies there"
        );
        mode(0o555);
        let fetched = bench.fetch();
        mode(0o755);
        assert_eq!(fetched.expect("there").source, None);
        assert_eq!(server.requests().len(), 4, "nothing was asked for again");
    }
}

#[test]
fn nonsense_in_a_partial_is_fetched_over() {
    for journal in [
        "",
        "nonsense",
        "null\n5",
        "null\n-1 7\n",
        "null\n9 3\n",
        "null\n0 99999999999999999999\n",
        "null\n0 200000\n",
    ] {
        let server = serve(&body(SIZE), &[]);
        let bench = Bench::of(&server, &known(&body(SIZE)));
        let partial = bench
            .fetcher
            .cache
            .root()
            .join("partial")
            .join(Digest::of(&body(SIZE)).to_string());
        fs::create_dir_all(&partial).expect("made");
        fs::write(partial.join("data"), vec![0; SIZE + 1]).expect("written");
        fs::write(partial.join("journal"), journal).expect("written");
        bench
            .fetch()
            .unwrap_or_else(|error| panic!("{journal:?}: {error}"));
        assert_eq!(
            (bench.published().len(), bench.partials().len()),
            (1, 0),
            "{journal:?}"
        );
    }
}

#[test]
fn an_interrupted_download_is_kept_told_of_and_collected_when_it_is_old() {
    let server = serve(&body(SIZE), &[Fault::Truncate(150_000), Fault::Close]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.connections = 1;
    bench.fetcher.sizes.segment = 1 << 20;
    bench.fetch().expect_err("interrupted");
    let plan = bench
        .fetcher
        .plan(&bench.artifact, &bench.lock())
        .expect("a plan");
    assert_eq!(
        plan,
        registry::Plan::Download {
            bytes: None,
            kept: 150_000,
            sources: vec![bench.artifact.url.clone()]
        }
    );
    let cache = &bench.fetcher.cache;
    let hour = Duration::from_secs(3600);
    assert!(
        cache.collect_garbage(hour, false).expect("collected").is_empty(),
        "it is young"
    );
    let would = cache.collect_garbage(Duration::ZERO, true).expect("told");
    assert_eq!(
        (would.len(), would[0].bytes, bench.partials().len()),
        (1, 150_000, 1)
    );
    cache.collect_garbage(Duration::ZERO, false).expect("collected");
    assert!(bench.partials().is_empty());
}

#[test]
fn what_nobody_names_is_pruned() {
    let servers = [serve(&body(SIZE), &[]), serve(&body(100), &[])];
    let bench = Bench::of(&servers[0], "");
    bench.fetch().expect("fetched");
    let other = common::artifact(&servers[1].url("w.pth"), "");
    bench
        .fetcher
        .fetch(&other, &mut bench.lock(), &registry::Silent)
        .expect("fetched");
    let prepared = |content: &[u8]| {
        let path = bench.fetcher.cache.path(Digest::of(content));
        path.with_file_name(format!("{}.0123.v1.safetensors", Digest::of(content)))
    };
    for content in [&body(SIZE), &body(100)] {
        fs::write(prepared(content), b"prepared").expect("written");
    }
    for artifact in [&bench.artifact, &other] {
        let cache = &bench.fetcher.cache;
        cache.verify(artifact, &bench.lock(), false).expect("right");
    }
    let keep = BTreeSet::from([Digest::of(&body(SIZE))]);
    let removed = bench.fetcher.cache.prune(&keep, false).expect("pruned");
    assert_eq!((removed.len(), removed[0].bytes, removed[1].bytes), (2, 100, 8));
    assert!(prepared(&body(SIZE)).is_file() && !prepared(&body(100)).exists());
    let notes = bench
        .fetcher
        .cache
        .collect_garbage(Duration::from_secs(3600), false)
        .expect("collected");
    assert_eq!(notes.len(), 1, "the note on the file that is gone");
}

#[test]
fn links_are_probed_without_downloading() {
    let alive = serve(&body(SIZE), &[Fault::Good]);
    let bench = Bench::of(&alive, "");
    bench.fetch().expect("fetched");
    let lock = bench.lock();
    let dead = serve(
        &body(1),
        &[Fault::Status {
            code: 404,
            wait: None,
        }],
    );
    let dead = common::artifact(&dead.url("w.pth"), "");
    let before = alive.requests().len();
    let links = registry::probe(&[&bench.artifact, &dead], &lock, &bench.fetcher, 2);
    assert_eq!(
        (links[0].alive, links[0].bytes, links[0].has_drifted()),
        (true, Some(SIZE as u64), false)
    );
    assert_eq!(
        (links[1].alive, links[1].error.as_deref()),
        (false, Some("the server answers 404 Not Found"))
    );
    assert!(alive.requests()[before].contains("range: bytes=0-0"));

    let changed = serve(&body(SIZE), &[Fault::NewVersion]);
    let mut link = links[0].clone();
    let now = common::artifact(&changed.url("weights.pdparams"), "");
    link.etag = registry::probe(&[&now], &lock, &bench.fetcher, 1)[0].etag.clone();
    assert!(link.has_drifted(), "{link:?}");
}

//! Files that somebody named, the lock and an index among them, and what others wrote into them.

mod common;

use std::fs;

use common::{Bench, body, pin, serve};
use registry::{Lock, Mirror, mirror_to};

const SIZE: usize = 20_000;

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_lock_that_is_a_link_stays_one_and_who_may_read_it_stays_as_it_was() {
        let server = serve(&body(SIZE), &[]);
        for exists in [true, false] {
            let bench = Bench::of(&server, "");
            fs::create_dir(bench.path("shared")).expect("made");
            for name in ["zoo.lock", "zoo.blocks"] {
                let real = bench.path(&format!("shared/{name}"));
                if exists {
                    fs::write(&real, "version = 1\n").expect("written");
                    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("set");
                }
                symlink(format!("shared/{name}"), bench.path(name)).expect("linked");
            }
            let url = &bench.artifact.url;
            bench.fetch().expect("fetched");
            for name in ["zoo.lock", "zoo.blocks"] {
                assert!(bench.path(name).is_symlink(), "{name} is a link no longer");
                let real = bench.path(&format!("shared/{name}"));
                let text = fs::read_to_string(&real).expect("written");
                assert!(text.contains(url.as_str()), "{name}: {text}");
                let mode = fs::metadata(&real).expect("there").permissions().mode() & 0o777;
                assert!(mode == 0o640 || !exists, "{name}: {mode:o}");
            }
        }
    }

    #[test]
    fn downloads_behind_a_link_in_the_place_of_their_folder_are_left_alone() {
        let server = serve(&body(SIZE), &[]);
        let bench = Bench::of(&server, &common::known(&body(SIZE)));
        let elsewhere = bench.path("elsewhere");
        let partial = elsewhere.join(pin(&body(SIZE)).sha256.to_string());
        fs::create_dir_all(&partial).expect("made");
        fs::write(partial.join("data"), body(SIZE)).expect("written");
        fs::write(partial.join("journal"), format!("null\n0 {SIZE}\n")).expect("written");
        fs::create_dir(bench.fetcher.cache.root()).expect("made");
        symlink(&elsewhere, bench.fetcher.cache.root().join("partial")).expect("planted");
        let error = bench.fetch().expect_err("refused").to_string();
        assert!(
            error.contains("symbolic links in the cache are not followed"),
            "{error}"
        );
        assert!(partial.join("data").exists() && partial.join("journal").exists());
    }

    #[test]
    fn a_pipe_in_the_place_of_a_lock_is_refused_and_waited_for_by_nobody() {
        let server = serve(&body(SIZE), &[]);
        let bench = Bench::of(&server, "");
        let pipe = |name: &str| {
            let status = std::process::Command::new("mkfifo")
                .arg(bench.path(name))
                .status();
            assert!(status.expect("mkfifo").success());
        };
        pipe("zoo.blocks");
        bench.fetch().expect("the side file counts as empty");
        fs::remove_file(bench.path("zoo.lock")).expect("removed");
        pipe("zoo.lock");
        let error = Lock::open(&bench.path("zoo.lock"))
            .expect_err("refused")
            .to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
}

#[test]
fn what_others_wrote_into_an_index_is_passed_on_only_where_it_makes_sense() {
    let server = serve(&body(SIZE), &[]);
    let bench = Bench::of(&server, "");
    bench.fetch().expect("fetched");
    let folder = bench.path("mirror");
    fs::create_dir(&folder).expect("made");
    let foreign = pin(b"foreign").sha256;
    let entry = |url: &str, sha256: &str| {
        format!("{{\"url\":\"{url}\",\"bytes\":7,\"sha256\":\"{sha256}\",\"path\":\"../../.ssh/id\"}}")
    };
    let files = [
        entry("https://a/a", &foreign.to_string()),
        entry("https://b/b", "../../etc/passwd"),
    ];
    let old = format!(
        "{{\"schema\":\"hrnet-zoo/mirror\",\"version\":1,\"files\":[{}]}}",
        files.join(",")
    );
    fs::write(folder.join("index.json"), old).expect("written");
    let target: Mirror = folder.display().to_string().parse().expect("a mirror");
    mirror_to(&target, &bench.fetcher.cache, &[&bench.artifact], &bench.lock()).expect("made");
    let index = fs::read_to_string(folder.join("index.json")).expect("an index");
    assert!(
        index.contains(&format!("\"path\": \"sha256/{foreign}\"")),
        "{index}"
    );
    assert!(!index.contains(".ssh") && !index.contains("passwd"), "{index}");

    // What an index says goes into no path either: its digest must be one.
    let lies = entry(&bench.artifact.url, "../zoo.lock");
    let old = format!("{{\"schema\":\"hrnet-zoo/mirror\",\"version\":1,\"files\":[{lies}]}}");
    fs::write(folder.join("index.json"), old).expect("written");
    let mut other = Bench::new(&bench.artifact.url, "");
    other.fetcher.mirrors = vec![target];
    other.fetcher.offline = true;
    other.fetch().expect_err("it names nothing");
    assert!(other.published().is_empty());
}

#[test]
fn a_side_file_of_somebody_else_puts_nothing_on_the_screen() {
    let server = serve(&body(SIZE), &[]);
    let bench = Bench::of(&server, "");
    bench.fetch().expect("fetched");
    let path = bench.path("zoo.blocks");
    let text = fs::read_to_string(&path).expect("notes");
    for etag in ["\\u001b]0;P\\u0007", "\\\"a\\u001b[2J\\\"", "a\\nb"] {
        let planted = text.replace("'\"v0\"'", &format!("\"{etag}\""));
        assert_ne!(planted, text);
        fs::write(&path, planted).expect("written");
        let links = registry::probe(&[&bench.artifact], &bench.lock(), &bench.fetcher, 1);
        assert_eq!(links[0].first_etag, None, "{etag}");
    }
}

#[test]
fn secrets_of_a_mirror_are_in_no_text_of_it() {
    for text in [
        "https://user:sekret@host/w?token=sekret",
        "xx://user:sekret@host/",
        "https://user:sekret@host:99999999/",
        "https://user:sek/sekret@host/",
        "https:/user:sekret@host/",
        "user:sekret@host/w",
        "u:sekret@host",
        "ftp://user:sekret@host/",
        "s3://user:sekret@bucket/w",
        "az://user:sekret@bucket/w?sig=sekret",
    ] {
        let told = match text.parse::<Mirror>() {
            Ok(mirror) => format!("{mirror} {mirror:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!told.contains("sekret"), "{text}: {told}");
        let place = registry::Location::parse(text.into());
        let told = match (text.contains("://"), place) {
            (true, Err(error)) => format!("{error} {error:?}"),
            _ => String::new(),
        };
        assert!(!told.contains("sekret"), "{text}: {told}");
    }
    let server = serve(&body(SIZE), &[]);
    let mut bench = Bench::of(&server, "");
    let address = server.address();
    bench.fetcher.mirrors = vec![
        format!("http://u:sekret@{address}/?t=sekret")
            .parse()
            .expect("a mirror"),
    ];
    let shown = format!("{:?}", bench.fetcher);
    assert!(
        !shown.contains("sekret") && shown.contains(&address.to_string()),
        "{shown}"
    );
    let diary = common::Diary::default();
    bench
        .fetcher
        .fetch(&bench.artifact, &mut bench.lock(), &diary)
        .expect("the mirror has no index, the publisher has the file");
    assert!(!diary.text().contains("sekret"), "{}", diary.text());
}

#[test]
fn links_tell_versions_from_machines() {
    use faultd::Fault;
    let probe = |script: &[Fault]| {
        let server = serve(&body(SIZE), script);
        let bench = Bench::of(&server, "");
        bench.fetch().expect("fetched");
        let links = registry::probe(&[&bench.artifact], &bench.lock(), &bench.fetcher, 1);
        assert!(links[0].alive, "{links:?}");
        links[0].has_drifted()
    };
    assert!(!probe(&[]));
    assert!(!probe(&[Fault::NodeEtag]), "each answer has a tag of its own");
    assert!(!probe(&[Fault::Good, Fault::Etag("\"v0-gzip\"".into())]));
    assert!(!probe(&[Fault::Good, Fault::Etag("W/\"v0\"".into())]));
    assert!(
        !probe(&[Fault::Good, Fault::OtherVersion, Fault::Good]),
        "one machine is behind"
    );
    assert!(
        probe(&[Fault::Good, Fault::NewVersion, Fault::Good]),
        "all have the new one"
    );
}

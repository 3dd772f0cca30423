//! Servers that do parts, versions and sizes their own way, and hand out the whole file to whoever asks plainly.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use common::{Bench, body, known, serve};
use faultd::Fault;
use registry::Digest;

const SIZE: usize = 200_000;

/// Manifests that say of a file: nothing, its size, a beginning of its digest, its digest alone, both.
fn manifests() -> [String; 5] {
    let digest = Digest::of(&body(SIZE)).to_string();
    [
        String::new(),
        format!("bytes = {SIZE}"),
        format!("sha256_prefix = \"{}\"", &digest[..8]),
        format!("sha256 = \"{digest}\""),
        known(&body(SIZE)),
    ]
}

/// Fetches past this server with one try only, and tells how many requests that took.
fn brings(script: &[Fault], manifest: &str) -> usize {
    brings_with(script, manifest, 1)
}

fn brings_with(script: &[Fault], manifest: &str, attempts: u32) -> usize {
    let server = serve(&body(SIZE), script);
    let mut bench = Bench::of(&server, manifest);
    bench.fetcher.limits.attempts = attempts;
    let fetched = bench
        .fetch()
        .unwrap_or_else(|error| panic!("{script:?}, {manifest:?}: {error}"));
    let right = Digest::of(&body(SIZE));
    assert_eq!(fetched.file.pin.sha256, right, "{script:?}, {manifest:?}");
    assert_eq!(
        (bench.published().len(), bench.partials().len()),
        (1, 0),
        "{script:?}"
    );
    let requests = server.requests();
    assert!(
        requests.iter().all(|head| head.starts_with("GET ")),
        "{requests:?}"
    );
    requests.len()
}

fn always(fault: Fault) -> [Vec<Fault>; 3] {
    [
        vec![fault.clone()],
        vec![Fault::Good, fault.clone()],
        vec![Fault::Truncate(70_000), fault],
    ]
}

/// In every place of a download, whatever is known of the file.
fn is_no_hindrance(fault: &Fault) {
    let [nothing, _, beginning, _, all] = manifests();
    for manifest in [nothing, beginning, all] {
        for script in always(fault.clone()) {
            let cut = script.contains(&Fault::Truncate(70_000));
            brings_with(&script, &manifest, if cut { 2 } else { 1 });
        }
    }
}

#[test]
fn a_server_that_ignores_if_range_is_no_hindrance() {
    is_no_hindrance(&Fault::IgnoreIfRange);
    assert_eq!(
        brings(&[Fault::IgnoreIfRange], &known(&body(SIZE))),
        4,
        "in parts"
    );
}

#[test]
fn the_whole_file_in_answer_to_the_wish_for_a_part_is_taken() {
    is_no_hindrance(&Fault::WholeIfRange);
    is_no_hindrance(&Fault::IgnoreRange);
    assert_eq!(
        brings(&[Fault::WholeIfRange], &known(&body(SIZE))),
        4,
        "a known digest asks for no version"
    );
}

#[test]
fn entity_tags_of_each_machine_of_a_server_are_no_versions_where_the_digest_is_known() {
    is_no_hindrance(&Fault::NodeEtag);
    let parts = brings(&[Fault::NodeEtag], &known(&body(SIZE)));
    assert_eq!(parts, 4, "each part was asked for once");
    let server = serve(&body(SIZE), &[Fault::NodeEtag]);
    let bench = Bench::of(&server, &known(&body(SIZE)));
    bench.fetch().expect("fetched");
    let notes = fs::read_to_string(bench.path("zoo.blocks")).expect("notes");
    assert!(
        !notes.contains("etag"),
        "no version is noted where there were several: {notes}"
    );
}

#[test]
fn weak_missing_and_marked_entity_tags_are_no_hindrance() {
    for tag in ["W/\"a\"", "\"v0-gzip\"", "a", "\"\"", "\"a b\""] {
        is_no_hindrance(&Fault::Etag(tag.into()));
    }
    is_no_hindrance(&Fault::LastModified);
    is_no_hindrance(&Fault::NoEtag);
    let server = serve(
        &body(SIZE),
        &[Fault::Truncate(150_000), Fault::Etag("\"v0-gzip\"".into())],
    );
    let mut bench = Bench::of(&server, "");
    bench.fetcher.connections = 1;
    bench.fetcher.sizes.segment = 1 << 20;
    bench.fetch().expect("fetched");
    assert_eq!(
        server.requests().len(),
        2,
        "the server did not know its own tag again: all of it came in that answer"
    );
}

#[test]
fn a_part_of_a_whole_of_another_or_of_no_size_is_no_hindrance() {
    is_no_hindrance(&Fault::WrongTotal(None));
    is_no_hindrance(&Fault::WrongTotal(Some(SIZE as u64 + 7)));
    is_no_hindrance(&Fault::WrongTotal(Some(SIZE as u64 - 7)));
    is_no_hindrance(&Fault::WrongTotal(Some(5)));
    is_no_hindrance(&Fault::WrongTotal(Some(u64::MAX)));
    assert_eq!(
        brings(&[Fault::WrongTotal(None)], &known(&body(SIZE))),
        4,
        "the manifest knows"
    );
}

#[test]
fn other_forms_of_parts_are_no_hindrance() {
    is_no_hindrance(&Fault::Multipart);
    is_no_hindrance(&Fault::PartUnasked);
    is_no_hindrance(&Fault::WrongContentRange);
}

#[test]
fn servers_that_refuse_parts_are_asked_for_the_whole() {
    for code in [400, 403, 416, 501, 503] {
        is_no_hindrance(&Fault::RefuseRange(code));
    }
    // What is refused to everybody is told as it is.
    let server = serve(
        &body(SIZE),
        &[Fault::Status {
            code: 403,
            wait: None,
        }],
    );
    let error = Bench::of(&server, &known(&body(SIZE)))
        .fetch()
        .expect_err("refused")
        .to_string();
    assert!(error.contains("403") && server.requests().len() == 2, "{error}");
}

#[test]
fn what_came_is_kept_for_as_long_as_nothing_better_comes() {
    let server = serve(&body(SIZE), &[Fault::Truncate(60_000), Fault::Close]);
    let mut bench = Bench::of(&server, &known(&body(SIZE)));
    bench.fetcher.connections = 1;
    bench.fetch().expect_err("it never ends");
    let plan = bench
        .fetcher
        .plan(&bench.artifact, &bench.lock())
        .expect("a plan");
    assert!(
        matches!(plan, registry::Plan::Download { kept: 60_000, .. }),
        "{plan:?}"
    );
}

/// Lays down a download that stopped, with what its journal says of it.
fn lay_down(bench: &Bench, key: &str, bytes: &[u8], origin: &str) {
    let partial = bench.fetcher.cache.root().join("partial").join(key);
    fs::create_dir_all(&partial).expect("made");
    fs::write(partial.join("data"), bytes).expect("written");
    fs::write(partial.join("journal"), format!("{origin}\n0 {}\n", bytes.len())).expect("written");
}

#[test]
fn a_download_that_is_all_there_is_taken_as_it_is() {
    let digest = Digest::of(&body(SIZE)).to_string();
    let server = serve(&body(SIZE), &[]);
    let bench = Bench::of(&server, &format!("sha256 = \"{digest}\""));
    lay_down(&bench, &digest, &body(SIZE), "null");
    bench.fetch().expect("fetched");
    assert_eq!(server.requests().len(), 1, "the server said that nothing follows");

    let server = serve(&body(SIZE), &[]);
    let bench = Bench::of(&server, "");
    let url = &bench.artifact.url;
    let key = format!("url-{}", Digest::of(url.as_bytes()));
    let origin = |rest: &str| format!("{{\"url\":\"{url}\",\"etag\":\"\\\"v0\\\"\"{rest}}}");
    lay_down(&bench, &key, &body(SIZE), &origin(&format!(",\"total\":{SIZE}")));
    let fetched = bench.fetch().expect("fetched");
    assert_eq!(
        (server.requests().len(), fetched.file.pin.sha256),
        (0, Digest::of(&body(SIZE)))
    );

    // Whether it is the version of today, and all of it, nobody can tell.
    for noted in [
        origin(""),
        origin(",\"total\":null"),
        "null".into(),
        "{\"url\":\"else\",\"etag\":null}".into(),
    ] {
        let server = serve(&body(SIZE), &[]);
        let bench = Bench::new(url, "");
        let bench = Bench {
            artifact: common::artifact(&server.url("weights.pdparams"), ""),
            ..bench
        };
        let key = format!("url-{}", Digest::of(bench.artifact.url.as_bytes()));
        lay_down(
            &bench,
            &key,
            &body(SIZE)[..150_000],
            &noted.replace(url.as_str(), &bench.artifact.url),
        );
        let fetched = bench.fetch().expect("fetched");
        assert_eq!(fetched.file.pin.sha256, Digest::of(&body(SIZE)), "{noted}");
    }
}

#[test]
fn nonsense_for_an_entity_tag_in_a_journal_is_not_sent() {
    for tag in ["\\n", "\\\"a\\nX-Evil: 1\\\"", "\\u001b", "W/\\\"v0\\\"", ""] {
        let server = serve(&body(SIZE), &[]);
        let bench = Bench::of(&server, "");
        let url = &bench.artifact.url;
        let key = format!("url-{}", Digest::of(url.as_bytes()));
        lay_down(
            &bench,
            &key,
            &[7; 1000],
            &format!("{{\"url\":\"{url}\",\"etag\":\"{tag}\"}}"),
        );
        let fetched = bench.fetch().unwrap_or_else(|error| panic!("{tag}: {error}"));
        assert_eq!(fetched.file.pin.sha256, Digest::of(&body(SIZE)), "{tag}");
    }
}

#[test]
fn an_address_that_runs_out_midway_is_asked_for_anew() {
    let expired = |code| Fault::Status { code, wait: None };
    for code in [400, 401, 403, 404, 410] {
        for manifest in manifests() {
            let script = [Fault::Truncate(70_000), expired(code), Fault::Good];
            let store = serve(&body(SIZE), &script);
            let server = serve(
                &body(10),
                &[Fault::Redirect(store.url("signed?signature=secret"))],
            );
            let bench = Bench::of(&server, &manifest);
            let fetched = bench
                .fetch()
                .unwrap_or_else(|error| panic!("{code}, {manifest}: {error}"));
            assert_eq!(fetched.file.pin.sha256, Digest::of(&body(SIZE)));
        }
    }
    let store = serve(&body(SIZE), &[expired(403)]);
    let server = serve(
        &body(10),
        &[Fault::Redirect(store.url("signed?signature=secret"))],
    );
    let error = Bench::of(&server, "")
        .fetch()
        .expect_err("never good")
        .to_string();
    assert!(
        error.contains("403") && error.contains("after 3 tries") && !error.contains("secret"),
        "{error}"
    );
}

#[test]
fn a_server_that_switches_between_versions_gives_the_pinned_one_in_the_end() {
    let [other, good] = [Fault::OtherVersion, Fault::Good];
    for script in [
        vec![other.clone(), good.clone()],
        vec![good.clone(), other.clone(), good.clone()],
        vec![[good.clone(), other.clone()]; 4].concat(),
        vec![[other.clone(), good.clone(), good.clone()]; 4].concat(),
    ] {
        for manifest in &manifests()[2..] {
            brings_with(&script, manifest, 5);
        }
        // Whoever knows nothing takes one version or the other, whole.
        for manifest in &manifests()[..2] {
            let server = serve(&body(SIZE), &script);
            let fetched = Bench::of(&server, manifest).fetch().expect("one of them");
            let versions = [0, 1].map(|mask| {
                let bytes: Vec<u8> = body(SIZE).iter().map(|byte| byte ^ mask).collect();
                Digest::of(&bytes)
            });
            assert!(
                versions.contains(&fetched.file.pin.sha256),
                "a mixture: {script:?}"
            );
        }
    }
    let server = serve(&body(SIZE), &[other]);
    let error = Bench::of(&server, &known(&body(SIZE)))
        .fetch()
        .expect_err("never right")
        .to_string();
    assert!(error.contains("zoo.toml says sha256"), "{error}");
    let asked_whole = server
        .requests()
        .iter()
        .filter(|head| !head.contains("range: "))
        .count();
    assert_eq!(
        asked_whole, 2,
        "the second time a look at the version's name was enough"
    );
}

#[test]
fn a_file_that_is_called_a_web_page_is_one_only_where_nobody_knows_better() {
    for manifest in &manifests()[2..] {
        brings(&[Fault::CalledHtml], manifest);
    }
    for manifest in &manifests()[..2] {
        let server = serve(&body(SIZE), &[Fault::CalledHtml]);
        let error = Bench::of(&server, manifest)
            .fetch()
            .expect_err("refused")
            .to_string();
        assert!(error.contains("a web page"), "{error}");
    }
    for page in [Fault::Html(true), Fault::Html(false)] {
        let server = serve(&body(SIZE), &[page]);
        let error = Bench::of(&server, &manifests()[3])
            .fetch()
            .expect_err("refused")
            .to_string();
        assert!(error.contains("a web page"), "{error}");
    }
}

#[test]
fn chunks_are_a_file_and_chunks_without_end_are_none() {
    for manifest in manifests() {
        assert_eq!(brings(&[Fault::Chunked], &manifest), 1);
        let server = serve(&body(SIZE), &[Fault::Endless]);
        let mut bench = Bench::of(&server, &manifest);
        bench.artifact.most_bytes = 1 << 20;
        let error = bench.fetch().expect_err("it never ends").to_string();
        match manifest.contains("bytes") {
            true => assert!(error.contains("says 200000 bytes, found more"), "{error}"),
            false => assert!(error.contains("expected 1048576 at most"), "{error}"),
        }
        assert!(bench.published().is_empty());
        if !manifest.contains("bytes") {
            assert!(
                bench.partials().is_empty(),
                "nothing of it is kept: {:?}",
                bench.partials()
            );
        }
    }
}

#[test]
fn a_size_that_no_network_has_is_refused_unless_the_manifest_states_it() {
    let server = serve(&body(SIZE), &[]);
    for manifest in manifests() {
        let mut bench = Bench::of(&server, &manifest);
        bench.artifact.most_bytes = SIZE as u64 - 1;
        let before = server.requests().len();
        match bench.fetch() {
            Ok(_) => assert!(manifest.contains("bytes"), "{manifest}"),
            Err(error) => {
                let text = error.to_string();
                assert!(
                    text.contains("announces 200000 bytes, expected 199999 at most"),
                    "{text}"
                );
                assert!(
                    !manifest.contains("bytes") && bench.partials().is_empty(),
                    "{manifest}"
                );
                assert_eq!(server.requests().len(), before + 1);
            }
        }
    }
    // 21.3 million parameters: what the manifest's network takes is far below.
    let bench = Bench::of(&server, "");
    assert!(
        (200 << 20..300 << 20).contains(&bench.artifact.most_bytes),
        "{}",
        bench.artifact.most_bytes
    );
}

#[test]
fn heads_are_refused_by_the_server_and_asked_for_by_nobody() {
    let server = serve(&body(SIZE), &[]);
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    stream.write_all(b"HEAD /x HTTP/1.1\r\n\r\n").expect("sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 405");
    brings(&[], &known(&body(SIZE)));
}

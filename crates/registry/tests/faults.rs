//! Every fault of a server, one test each: what is done about it, and that nothing wrong is published.

mod common;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::{Bench, Diary, artifact, body, known, serve};
use faultd::{Fault, Wait};
use registry::{Digest, FetchError, Token, Tokens};

const SIZE: usize = 200_000;

/// Fetches past a fault and tells how many requests that took.
fn survives(script: &[Fault], manifest: &str) -> usize {
    let server = serve(&body(SIZE), script);
    let bench = Bench::of(&server, manifest);
    let fetched = bench
        .fetch()
        .unwrap_or_else(|error| panic!("{script:?}: {error}"));
    assert_eq!(fetched.file.pin.sha256, Digest::of(&body(SIZE)), "{script:?}");
    assert_eq!(
        (bench.published().len(), bench.partials().len()),
        (1, 0),
        "{script:?}"
    );
    server.requests().len()
}

/// Fails at a fault; returns the error's text and the number of requests.
fn fails(script: &[Fault], manifest: &str) -> (String, usize) {
    let server = serve(&body(SIZE), script);
    let bench = Bench::of(&server, manifest);
    let error = bench.fetch().expect_err("must fail").to_string();
    assert!(error.contains(&server.url("weights.pdparams")), "{error}");
    assert!(bench.published().is_empty(), "{script:?}");
    assert!(bench.lock().pin(&bench.artifact.url).is_none(), "{script:?}");
    (error, server.requests().len())
}

#[test]
fn truncated_anywhere_it_goes_on_where_it_stopped() {
    let manifest = known(&body(SIZE));
    for at in [0, 1, 4095, 65_535, 65_536, SIZE as u64 - 1] {
        for manifest in ["", &manifest] {
            survives(&[Fault::Truncate(at), Fault::Good], manifest);
        }
    }
    let server = serve(&body(SIZE), &[Fault::Truncate(150_000), Fault::Good]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.connections = 1;
    bench.fetcher.sizes.segment = 1 << 20;
    bench.fetch().expect("fetched");
    let second = &server.requests()[1];
    assert!(
        second.contains("range: bytes=150000-\r\n") && second.contains("if-range: \"v0\""),
        "{second}"
    );
    let (error, requests) = fails(&[Fault::Truncate(1000)], "");
    assert!(error.contains("after 3 tries") && requests >= 3, "{error}");
}

#[test]
fn extra_bytes_are_refused_where_they_begin() {
    let (error, requests) = fails(&[Fault::Extra(1)], &format!("bytes = {SIZE}"));
    assert!(
        error.contains("says 200000 bytes, found more") && requests == 1,
        "{error}"
    );
    let (error, _) = fails(&[Fault::Extra(1 << 20)], &known(&body(SIZE)));
    assert!(error.contains("found more"), "{error}");
}

#[test]
fn a_size_that_is_announced_wrong_is_refused_without_reading() {
    let (error, requests) = fails(&[Fault::Good], "bytes = 5");
    assert!(
        error.contains("zoo.toml says 5 bytes, found 200000 bytes announced"),
        "{error}"
    );
    assert_eq!(requests, 1);
}

#[test]
fn wrong_bytes_of_the_right_size_are_refused() {
    let (error, _) = fails(&[Fault::Flip(100)], &known(&body(SIZE)));
    assert!(error.contains("zoo.toml says sha256"), "{error}");
    let (error, _) = fails(&[Fault::Good], "sha256_prefix = \"00000000\"");
    assert!(error.contains("sha256 00000000…, found sha256"), "{error}");
}

#[test]
fn a_reset_connection_is_opened_again() {
    for at in [0, 1000, 65_536, 199_999] {
        survives(&[Fault::Reset(at), Fault::Good], "");
    }
    survives(&[Fault::Close, Fault::Close, Fault::Good], "");
    let (error, requests) = fails(&[Fault::Close], "");
    assert!(error.contains("after 3 tries") && requests == 3, "{error}");
}

#[test]
fn many_failures_are_no_reason_to_give_up_while_bytes_come() {
    let server = serve(&body(SIZE), &vec![Fault::Truncate(20_000); 12]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.sizes.progress = 20_000;
    bench.fetcher.connections = 1;
    bench.fetch().expect("each try brings some");
}

#[test]
fn a_stalled_server_is_given_up_after_the_idle_time() {
    let server = serve(
        &body(SIZE),
        &[Fault::Stall(5000), Fault::Stall(5000), Fault::Good],
    );
    let mut bench = Bench::of(&server, "");
    bench.fetcher.limits.idle = Duration::from_millis(100);
    bench.fetch().expect("the third try is good");

    let server = serve(&body(SIZE), &[Fault::Stall(5000)]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.limits.idle = Duration::from_millis(50);
    let error = bench.fetch().expect_err("it never goes on").to_string();
    assert!(
        error.contains("timed out: no data for 0.05 s (after 3 tries)"),
        "{error}"
    );
    assert!(bench.published().is_empty());
}

#[test]
fn a_dripping_server_is_given_up_by_its_speed() {
    let server = serve(&body(SIZE), &[Fault::Drip(50), Fault::Good]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.limits.min_speed = 10_000;
    bench.fetcher.limits.speed_window = Duration::from_millis(200);
    let diary = Diary::default();
    bench
        .fetcher
        .fetch(&bench.artifact, &mut bench.lock(), &diary)
        .expect("the second try is good");
    assert!(
        diary.text().contains("expected 10000 at least"),
        "{}",
        diary.text()
    );
}

#[test]
fn a_head_that_takes_too_long_counts_as_silence() {
    let slow = Fault::SlowHead(Duration::from_millis(20));
    let server = serve(&body(SIZE), &[slow.clone(), Fault::Good]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.limits.idle = Duration::from_millis(300);
    bench.fetch().expect("the second try is good");
    assert_eq!(
        survives(&[Fault::SlowHead(Duration::from_millis(2))], &known(&body(SIZE))),
        4,
        "slow is no fault"
    );
}

#[test]
fn server_errors_are_tried_again() {
    for code in [408, 425, 429, 500, 502, 503, 504] {
        survives(&[Fault::Status { code, wait: None }, Fault::Good], "");
        let (error, requests) = fails(&[Fault::Status { code, wait: None }], "");
        assert!(error.contains(&code.to_string()) && requests == 3, "{error}");
    }
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    for code in [400, 401, 403, 404, 410, 451] {
        let (error, requests) = fails(&[Fault::Status { code, wait: None }], "");
        assert!(error.contains(&code.to_string()) && requests == 1, "{error}");
    }
}

#[test]
fn retry_after_is_kept_in_seconds_and_as_a_date() {
    for wait in [Wait::Seconds(1), Wait::Date(2)] {
        let begun = Instant::now();
        let wait = Some(wait);
        survives(&[Fault::Status { code: 429, wait }, Fault::Good], "");
        assert!(begun.elapsed() >= Duration::from_millis(900), "{wait:?}");
    }
    let wait = Some(Wait::Seconds(3600));
    let (error, requests) = fails(&[Fault::Status { code: 503, wait }], "");
    assert!(
        error.contains("asks to wait 3600 s, longer than the 3 s allowed"),
        "{error}"
    );
    assert_eq!(requests, 1);
}

#[test]
fn a_server_that_ignores_ranges_is_taken_whole() {
    let requests = survives(&[Fault::IgnoreRange], &known(&body(SIZE)));
    assert_eq!(requests, 1, "the whole file came in the first answer");
    survives(
        &[Fault::Truncate(70_000), Fault::IgnoreRange],
        &known(&body(SIZE)),
    );
    survives(
        &[Fault::Good, Fault::IgnoreRange, Fault::Good],
        &known(&body(SIZE)),
    );
    survives(&[Fault::Good, Fault::IgnoreRange], "");
}

#[test]
fn a_wrong_content_range_ends_asking_for_parts() {
    let manifest = known(&body(SIZE));
    survives(&[Fault::WrongContentRange], &manifest);
    survives(&[Fault::Good, Fault::WrongContentRange], &manifest);
    survives(&[Fault::Good, Fault::WrongContentRange], "");
}

#[test]
fn a_file_that_changes_between_two_parts_is_begun_anew() {
    let server = serve(
        &body(SIZE),
        &[Fault::Truncate(70_000), Fault::NewVersion, Fault::Good],
    );
    let bench = Bench::of(&server, "");
    let fetched = bench.fetch().expect("the new version");
    let new: Vec<u8> = body(SIZE).iter().map(|byte| byte ^ 1).collect();
    assert_eq!(
        fetched.file.pin.sha256,
        Digest::of(&new),
        "no byte of the old version is left"
    );
    assert_eq!(bench.published().len(), 1);

    let server = serve(&body(SIZE), &[Fault::Good, Fault::NewVersion, Fault::Good]);
    let bench = Bench::of(&server, "");
    let fetched = bench.fetch().expect("one version or the other");
    assert_eq!(fetched.file.pin.sha256, Digest::of(&new));

    let (error, _) = fails(
        &[Fault::Good, Fault::NewVersion, Fault::Good],
        &known(&body(SIZE)),
    );
    assert!(error.contains("zoo.toml says sha256"), "{error}");
}

#[test]
fn without_an_entity_tag_nothing_is_joined_unless_the_digest_is_known() {
    let server = serve(&body(SIZE), &[Fault::NoEtag]);
    let bench = Bench::of(&server, "");
    bench.fetch().expect("fetched");
    assert_eq!(server.requests().len(), 1, "one version for sure");
    let server = serve(&body(SIZE), &[Fault::NoEtag]);
    let bench = Bench::of(&server, &known(&body(SIZE)));
    bench.fetch().expect("fetched");
    assert_eq!(server.requests().len(), 4, "the digest will tell");
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let target = serve(&body(SIZE), &[]);
    let server = serve(&body(10), &[Fault::Redirect(target.url("elsewhere"))]);
    let bench = Bench::of(
        &server,
        &format!(
            "bytes = {SIZE}\nsha256_prefix = \"{}\"",
            &Digest::of(&body(SIZE)).to_string()[..8]
        ),
    );
    bench.fetch().expect("at the other address");
    let (error, requests) = fails(&[Fault::RedirectLoop], "");
    assert!(error.contains("too many redirects"), "{error}");
    assert_eq!(requests, 11, "a loop is not tried again");
}

#[test]
fn a_token_is_told_to_its_host_and_to_nobody_it_redirects_to() {
    let target = serve(&body(SIZE), &[]);
    let server = serve(&body(10), &[Fault::Redirect(target.url("signed?secret=s"))]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.tokens = Tokens(vec![Token {
        host: "127.0.0.1".into(),
        secret: "hf_secret".into(),
    }]);
    bench.fetch().expect("fetched");
    assert!(server.requests()[0].contains("authorization: Bearer hf_secret"));
    assert!(
        !target
            .requests()
            .concat()
            .to_lowercase()
            .contains("authorization")
    );

    let gone = serve(
        &body(10),
        &[Fault::Status {
            code: 404,
            wait: None,
        }],
    );
    let server = serve(&body(10), &[Fault::Redirect(gone.url("signed?secret=s"))]);
    let mut bench = Bench::of(&server, "");
    bench.fetcher.tokens = Tokens(vec![Token {
        host: "127.0.0.1".into(),
        secret: "hf_secret".into(),
    }]);
    let error = bench.fetch().expect_err("gone").to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn without_a_length_the_manifest_says_where_the_end_is() {
    survives(&[Fault::NoLength], &format!("bytes = {SIZE}"));
    survives(&[Fault::NoLength], &known(&body(SIZE)));
    let (error, requests) = fails(&[Fault::NoLength], "");
    assert!(error.contains("state its `bytes`") && requests == 1, "{error}");
    let (error, _) = fails(&[Fault::NoLength], "bytes = 300000");
    assert!(error.contains("says 300000 bytes, found 200000 bytes"), "{error}");
}

#[test]
fn compression_is_refused() {
    let (error, requests) = fails(&[Fault::Gzip], "");
    assert!(error.contains("compresses") && requests == 1, "{error}");
    let server = serve(&body(SIZE), &[]);
    Bench::of(&server, "").fetch().expect("fetched");
    assert!(server.requests()[0].contains("accept-encoding: identity"));
}

#[test]
fn error_pages_are_no_files() {
    for honest in [true, false] {
        let (error, requests) = fails(&[Fault::Html(honest)], "");
        assert!(error.contains("a web page") && requests == 1, "{error}");
    }
}

#[test]
fn an_empty_file_is_no_file() {
    let server = serve(&[], &[]);
    let error = Bench::of(&server, "").fetch().expect_err("empty").to_string();
    assert!(error.contains("an empty file"), "{error}");
}

#[test]
fn nobody_there_is_a_network_error() {
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address")
        .port();
    let bench = Bench::new(&format!("http://127.0.0.1:{port}/w.pdparams"), "");
    let error = bench.fetch().expect_err("nobody listens");
    assert!(matches!(&error, FetchError::Network { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_server_that_is_not_there_is_asked_for_one_file_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let bench = Bench::new(&format!("http://{address}/w.pdparams"), "");
    let others: Vec<_> = (0..20)
        .map(|index| artifact(&format!("http://{address}/{index}.pdparams"), ""))
        .collect();
    let mut fetcher = bench.fetcher.clone();
    fetcher.files = 1;
    let diary = Diary::default();
    let results = fetcher.fetch_all(&others.iter().collect::<Vec<_>>(), &mut bench.lock(), &diary);
    let servers: BTreeSet<String> = results
        .iter()
        .map(|result| result.as_ref().expect_err("nobody listens"))
        .map(|error| format!("{:?}", error.server().expect("a server's failure")))
        .collect();
    assert_eq!(servers.len(), 1, "one server and cause: {servers:?}");
    let retries = diary.text().matches("retrying").count();
    assert_eq!(retries, 2, "three tries for the first file, none for the others");
}

#[test]
fn mirrors_are_asked_in_order_and_what_failed_is_told() {
    let dead = serve(
        &body(SIZE),
        &[Fault::Status {
            code: 404,
            wait: None,
        }],
    );
    let wrong = serve(&body(SIZE), &[Fault::Flip(7)]);
    let good = serve(&body(SIZE), &[]);
    let urls = [&dead, &wrong, &good].map(|server| server.url("weights.pdparams"));
    let manifest = format!(
        "{}\nmirrors = [\"{}\", \"{}\"]",
        known(&body(SIZE)),
        urls[1],
        urls[2]
    );
    let bench = Bench::new(&urls[0], &manifest);
    let diary = Diary::default();
    let fetched = bench
        .fetcher
        .fetch(&bench.artifact, &mut bench.lock(), &diary)
        .expect("the third has it");
    assert_eq!(fetched.source.as_ref(), Some(&urls[2]));
    let text = diary.text();
    let asked: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("asking "))
        .collect();
    assert_eq!(asked, urls);
    assert!(
        text.contains("404") && text.contains("zoo.toml says sha256"),
        "{text}"
    );

    let manifest = format!("{}\nmirrors = [\"{}\"]", known(&body(SIZE)), urls[1]);
    let error = Bench::new(&urls[0], &manifest).fetch().expect_err("none has it");
    let FetchError::Sources { failures, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(failures.len(), 2, "{error}");
    assert!(error.to_string().contains("none of 2 sources"), "{error}");
}

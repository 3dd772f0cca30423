//! Fetching against a real HTTP server on loopback, good and bad.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use registry::{Cache, Digest, FetchError, Fetched, Fetcher, Lock, NoProgress, Pin, Zoo};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// What the server sends for each request, the last answer for all that follow.
struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
}

/// What the server does with a connection once its answer is out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Close,
    Stall,
}

impl Server {
    fn start(answers: Vec<Vec<u8>>) -> Self {
        Self::with(answers, Then::Close)
    }

    fn with(answers: Vec<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!(
            "http://{}/weights.pdparams",
            listener.local_addr().expect("an address")
        );
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let index = count.fetch_add(1, Ordering::SeqCst);
                let answer = &answers[index.min(answers.len() - 1)];
                let stream = serve(stream.expect("a connection"), answer);
                if then == Then::Stall {
                    open.push(stream);
                }
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Reads one request's head and writes the raw answer.
fn serve(mut stream: TcpStream, answer: &[u8]) -> TcpStream {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    // The client may have gone away: it stops reading a body that is too long.
    let _ = stream.write_all(answer);
    stream
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn good(body: &[u8]) -> Vec<u8> {
    answer("200 OK", &format!("Content-Length: {}\r\n", body.len()), body)
}

/// A folder with a cache and a lock, and a manifest of one variant whose weights the server has.
struct Bench {
    folder: TempDir,
    zoo: Zoo,
    fetcher: Fetcher,
}

impl Bench {
    fn new(server: &Server, known: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            r#"
schema = 1
[preprocess.p]
resize_short = 256
crop = 224
interpolation = "bilinear"
mean = [0.5, 0.5, 0.5]
std = [0.2, 0.2, 0.2]
[[variant]]
name = "V"
network = {{ widths = [18, 36, 72, 144] }}
preprocess = "p"
licence = "MIT"
[[variant.weights]]
id = "paddle"
url = "{}"
format = "pdparams"
naming = "paddle"
{known}
"#,
            server.url
        );
        let zoo = Zoo::parse(&text, Path::new("zoo.toml")).expect("a manifest");
        let mut fetcher = Fetcher::new(Cache::new(folder.path().join("cache")));
        fetcher.pause = Duration::from_millis(1);
        Self { folder, zoo, fetcher }
    }

    fn fetch(&self) -> Result<Fetched, FetchError> {
        let variant = &self.zoo.variants[0];
        let mut lock = Lock::open(&self.folder.path().join("zoo.lock")).expect("a lock");
        self.fetcher
            .fetch(variant, &variant.artifacts[0], &mut lock, &NoProgress)
    }

    fn left(&self) -> usize {
        std::fs::read_dir(self.folder.path()).expect("readable").count()
    }
}

fn digest(body: &[u8]) -> Digest {
    Digest(Sha256::digest(body).into())
}

fn body() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_good_file_is_published_pinned_and_not_asked_for_again() {
    let server = Server::start(vec![good(&body())]);
    let bench = Bench::new(&server, "");
    let first = bench.fetch().expect("fetched");
    assert!(first.downloaded && first.newly_pinned && !first.file.pinned);
    assert_eq!(std::fs::read(&first.file.path).expect("the file"), body());
    assert_eq!(
        first.file.pin,
        Pin {
            bytes: 1_200_000,
            sha256: digest(&body())
        }
    );
    let second = bench.fetch().expect("in the cache");
    assert!(!second.downloaded && !second.newly_pinned && second.file.pinned);
    assert_eq!(server.requests(), 1);
    let folder = first.file.path.parent().expect("a folder");
    assert_eq!(
        std::fs::read_dir(folder).expect("readable").count(),
        1,
        "no partial file is left"
    );
}

#[test]
fn every_failure_is_told_and_leaves_nothing_behind() {
    let body = body();
    let length = format!("Content-Length: {}\r\n", body.len());
    let wrong = format!("sha256 = \"{}\"", "0".repeat(64));
    let cases = [
        (
            "404",
            vec![answer("404 Not Found", "Content-Length: 0\r\n", b"")],
            "",
            "404 Not Found",
            1,
        ),
        (
            "5xx",
            vec![answer("503 Slow Down", "Content-Length: 0\r\n", b"")],
            "",
            "(after 3 tries)",
            3,
        ),
        (
            "wrong digest",
            vec![good(&body)],
            &wrong,
            "zoo.toml says sha256 0000",
            1,
        ),
        (
            "wrong prefix",
            vec![good(&body)],
            "sha256_prefix = \"00000000\"",
            "sha256 00000000…, found sha256",
            1,
        ),
        (
            "wrong size",
            vec![good(&body)],
            "bytes = 5",
            "zoo.toml says 5 bytes, found 1200000 bytes announced",
            1,
        ),
        (
            "truncated",
            vec![answer("200 OK", &length, &body[..1000])],
            "",
            "(after 3 tries)",
            3,
        ),
        (
            "too long",
            vec![answer("200 OK", "", &body)],
            "bytes = 1000",
            "says 1000 bytes, found more",
            1,
        ),
        (
            "too short",
            vec![answer("200 OK", "", &body[..900])],
            "bytes = 1000",
            "says 1000 bytes, found 900",
            3,
        ),
        (
            "empty",
            vec![answer("200 OK", "Content-Length: 0\r\n", b"")],
            "",
            "an empty file",
            1,
        ),
        (
            "no content",
            vec![answer("204 No Content", "", b"")],
            "",
            "204 No Content",
            1,
        ),
        (
            "a part, unasked",
            vec![answer("206 Partial Content", "Content-Length: 3\r\n", b"abc")],
            "",
            "206 Partial Content",
            1,
        ),
        (
            "web page",
            vec![answer(
                "200 OK",
                "Content-Type: Text/HTML; charset=utf-8\r\n",
                b"<p>",
            )],
            "",
            "a web page",
            1,
        ),
        (
            "gzip",
            vec![answer("200 OK", "Content-Encoding: gzip\r\n", b"x")],
            "",
            "compresses",
            1,
        ),
        ("no answer", vec![Vec::new()], "", "(after 3 tries)", 3),
    ];
    for (name, answers, known, message, requests) in cases {
        let server = Server::start(answers);
        let bench = Bench::new(&server, known);
        let error = bench.fetch().expect_err(name).to_string();
        assert!(
            error.contains(message) && error.contains(&server.url),
            "{name}: {error}"
        );
        assert_eq!(server.requests(), requests, "{name}");
        assert_eq!(bench.left(), 0, "{name}: nothing is left behind");
    }
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let length = format!("Content-Length: {}\r\n", body().len());
    for (name, sent) in [
        ("before the head", Vec::new()),
        ("within the body", answer("200 OK", &length, &body()[..5000])),
    ] {
        let server = Server::with(vec![sent], Then::Stall);
        let mut bench = Bench::new(&server, "");
        bench.fetcher.idle = Duration::from_millis(100);
        bench.fetcher.attempts = 2;
        let error = bench.fetch().expect_err(name);
        assert!(matches!(&error, FetchError::Network { .. }), "{name}: {error}");
        assert!(
            error.to_string().contains("timed out (after 2 tries)"),
            "{name}: {error}"
        );
        assert_eq!((server.requests(), bench.left()), (2, 0), "{name}");
    }
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let target = Server::start(vec![good(&body())]);
    let redirect = format!("Location: {}\r\nContent-Length: 0\r\n", target.url);
    let server = Server::start(vec![answer("302 Found", &redirect, b"")]);
    let bench = Bench::new(&server, "");
    assert!(bench.fetch().expect("at the other address").downloaded);
    assert_eq!((server.requests(), target.requests()), (1, 1));

    let again = "Location: /weights.pdparams\r\nContent-Length: 0\r\n";
    let server = Server::start(vec![answer("302 Found", again, b"")]);
    let bench = Bench::new(&server, "");
    let error = bench.fetch().expect_err("it goes round").to_string();
    assert!(error.contains("too many redirects"), "{error}");
    assert_eq!(
        (server.requests(), bench.left()),
        (11, 0),
        "a loop is not tried again"
    );
}

#[test]
fn what_passes_is_tried_again() {
    let length = format!("Content-Length: {}\r\n", body().len());
    let server = Server::start(vec![
        Vec::new(),
        answer("200 OK", &length, &body()[..5000]),
        good(&body()),
    ]);
    let fetched = Bench::new(&server, "").fetch().expect("the third try is good");
    assert_eq!((fetched.file.pin.sha256, server.requests()), (digest(&body()), 3));
}

#[test]
fn the_lock_is_enforced_and_a_damaged_file_replaced() {
    let server = Server::start(vec![good(&body()), good(b"something else"), good(&body())]);
    let bench = Bench::new(&server, "");
    let path = bench.fetch().expect("fetched").file.path;
    std::fs::write(&path, b"damaged").expect("written");
    let error = bench.fetch().expect_err("the server has other bytes now");
    assert!(
        matches!(
            &error,
            FetchError::Mismatch {
                said_by: "zoo.lock",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        std::fs::read(&path).expect("still there"),
        b"damaged",
        "nothing unverified is published"
    );
    assert!(bench.fetch().expect("the old bytes are back").downloaded);
    assert_eq!(std::fs::read(&path).expect("the file"), body());
}

#[test]
fn locked_takes_only_what_is_pinned() {
    let server = Server::start(vec![good(&body())]);
    let mut bench = Bench::new(&server, "");
    bench.fetcher.locked = true;
    assert!(matches!(bench.fetch(), Err(FetchError::NotPinned { .. })));
    assert_eq!((server.requests(), bench.left()), (0, 0));
    bench.fetcher.locked = false;
    bench.fetch().expect("fetched and pinned");
    bench.fetcher.locked = true;
    bench.fetch().expect("pinned now");

    let known = format!("sha256 = \"{}\"", digest(&body()));
    let mut vouched = Bench::new(&server, &known);
    vouched.fetcher.locked = true;
    assert!(!vouched.fetch().expect("the manifest vouches for it").newly_pinned);
}

#[test]
fn offline_uses_the_cache_alone() {
    let server = Server::start(vec![good(&body())]);
    let mut bench = Bench::new(&server, "");
    bench.fetcher.offline = true;
    assert!(matches!(bench.fetch(), Err(FetchError::Offline { .. })));
    assert_eq!((server.requests(), bench.left()), (0, 0));
    bench.fetcher.offline = false;
    let path = bench.fetch().expect("fetched").file.path;
    bench.fetcher.offline = true;
    bench.fetch().expect("in the cache");
    std::fs::write(&path, b"damaged").expect("written");
    assert!(matches!(bench.fetch(), Err(FetchError::Mismatch { .. })));
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_server_that_is_not_there_is_a_network_error() {
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address")
        .port();
    let server = Server {
        url: format!("http://127.0.0.1:{port}/w.pdparams"),
        requests: Arc::default(),
    };
    let bench = Bench::new(&server, "");
    let error = bench.fetch().expect_err("nobody listens");
    assert!(matches!(&error, FetchError::Network { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert_eq!(bench.left(), 0);
}

#[test]
fn two_at_once_both_succeed_and_neither_loses_a_pin() {
    let servers: Vec<Server> = (0..8).map(|_| Server::start(vec![good(&body())])).collect();
    let bench = Bench::new(&servers[0], "");
    let lock = bench.folder.path().join("zoo.lock");
    // Each holds the lock as it was before any of the others wrote.
    let locks: Vec<Lock> = servers
        .iter()
        .flat_map(|_| {
            [
                Lock::open(&lock).expect("a lock"),
                Lock::open(&lock).expect("a lock"),
            ]
        })
        .collect();
    thread::scope(|scope| {
        for (index, mut lock) in locks.into_iter().enumerate() {
            let (bench, server) = (&bench, &servers[index / 2]);
            scope.spawn(move || {
                let variant = &bench.zoo.variants[0];
                let mut artifact = variant.artifacts[0].clone();
                artifact.url.clone_from(&server.url);
                artifact.id = format!("s{}", index / 2);
                bench
                    .fetcher
                    .fetch(variant, &artifact, &mut lock, &NoProgress)
                    .expect("fetched");
            });
        }
    });
    let lock = Lock::open(&lock).expect("a valid lock");
    for server in &servers {
        assert!(lock.pin(&server.url).is_some(), "{} is pinned", server.url);
    }
    let weights = bench.folder.path().join("cache/weights/V");
    for source in std::fs::read_dir(weights).expect("readable") {
        let source = source.expect("readable").path();
        assert_eq!(std::fs::read_dir(&source).expect("readable").count(), 1);
        assert_eq!(
            std::fs::read(source.join("weights.pdparams")).expect("the file"),
            body()
        );
    }
}

#[test]
fn a_pin_that_another_process_wrote_meanwhile_is_enforced() {
    let server = Server::start(vec![good(&body())]);
    let bench = Bench::new(&server, "");
    let path = bench.folder.path().join("zoo.lock");
    let mut stale = Lock::open(&path).expect("empty");
    let theirs = Pin {
        bytes: 3,
        sha256: digest(b"abc"),
    };
    let held = Lock::open(&path)
        .expect("empty")
        .add(&server.url, theirs)
        .expect("written");
    assert_eq!(held, theirs);
    let variant = &bench.zoo.variants[0];
    let error = bench
        .fetcher
        .fetch(variant, &variant.artifacts[0], &mut stale, &NoProgress)
        .expect_err("other bytes are pinned");
    assert!(
        error
            .to_string()
            .contains("zoo.lock says 3 bytes, found 1200000 bytes"),
        "{error}"
    );
    assert_eq!(bench.left(), 1, "the lock alone: nothing was published");
    assert_eq!(Lock::open(&path).expect("a lock").pin(&server.url), Some(theirs));
}

#[test]
fn what_cannot_be_pinned_is_not_published() {
    let server = Server::start(vec![good(&body())]);
    let bench = Bench::new(&server, "");
    // A folder stands where a file would have to be replaced.
    let path = bench.folder.path().join("zoo.lock");
    let mut lock = Lock::open(&path).expect("empty");
    std::fs::create_dir(&path).expect("made");
    let variant = &bench.zoo.variants[0];
    let error = bench
        .fetcher
        .fetch(variant, &variant.artifacts[0], &mut lock, &NoProgress)
        .expect_err("the lock cannot be written");
    assert!(
        matches!(&error, FetchError::Disk { path: at, .. } if *at == path),
        "{error}"
    );
    assert_eq!(bench.left(), 1, "the folder alone");
}

#[cfg(unix)]
#[test]
fn published_files_have_the_mode_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start(vec![good(&body())]);
    let bench = Bench::new(&server, "");
    let weights = bench.fetch().expect("fetched").file.path;
    let mode = |path: &Path| {
        let permissions = std::fs::metadata(path).expect("there").permissions();
        permissions.mode() & 0o777
    };
    let plain = bench.folder.path().join("plain");
    std::fs::write(&plain, b"").expect("written");
    assert_eq!(mode(&weights), mode(&plain));
    assert_eq!(mode(&bench.folder.path().join("zoo.lock")), mode(&plain));
}

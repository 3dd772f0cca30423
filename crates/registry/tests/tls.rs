//! Certificates of the system, and no way from https to http.

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;

use common::{Bench, body, serve};
use registry::{Token, Tokens};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};

const SIZE: usize = 5000;
const URL: &str = "REGISTRY_TEST_TLS_URL";

/// The work of a child process: fetches one file, with the certificates its environment names.
#[test]
fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let mut bench = Bench::new(&url, "");
    bench.fetcher.limits.attempts = 1;
    bench.fetcher.tokens = Tokens(vec![Token {
        host: "localhost".into(),
        secret: "hf_secret".into(),
    }]);
    if let Err(error) = bench.fetch() {
        writeln!(std::io::stderr(), "{error}").expect("standard error");
        std::process::exit(1);
    }
    std::process::exit(0);
}

/// Serves one answer over TLS again and again; returns its URL and writes its certificate to the path.
fn start(certificate: &Path, answer: Vec<u8>) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(certificate, made.cert.pem()).expect("written");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("a key that fits");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.expect("a connection");
            let mut connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = Stream::new(&mut connection, &mut socket);
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            // A client that does not trust the certificate is gone by now.
            let _ = stream.write_all(&answer);
            connection.send_close_notify();
            let _ = connection.complete_io(&mut socket);
        }
    });
    format!("https://localhost:{port}/w.pth")
}

fn run(url: &str, certificate: &Path) -> Output {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "child", "--nocapture"])
        .env(URL, url)
        .env("SSL_CERT_FILE", certificate)
        .output()
        .expect("a child")
}

#[test]
fn the_systems_certificates_decide_and_others_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, theirs) = (folder.path().join("ours.pem"), folder.path().join("theirs.pem"));
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n").into_bytes();
    answer.extend(body(SIZE));
    let url = start(&ours, answer.clone());
    start(&theirs, answer);
    let trusted = run(&url, &ours);
    assert!(
        trusted.status.success(),
        "{}",
        String::from_utf8_lossy(&trusted.stderr)
    );
    let refused = run(&url, &theirs);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && told.contains("the server's certificate is not trusted ("),
        "{told}"
    );
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = folder.path().join("ours.pem");
    let plain = serve(&body(SIZE), &[]);
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: {}\r\n\r\n",
        plain.url("w.pth")
    );
    let url = start(&certificate, redirect.into_bytes());
    let refused = run(&url, &certificate);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("redirects from https to http") && !told.contains("hf_secret"),
        "{told}"
    );
    assert_eq!(plain.requests().len(), 0);
}

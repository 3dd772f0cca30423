//! A mirror in a bucket, against a server that speaks S3.

mod common;

use std::path::Path;
use std::thread;

use common::{Bench, body, pin, serve};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use registry::{Digest, Mirror, mirror_to};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

const KEY: &str = "AKEXAMPLE";
const SECRET: &str = "never-shown";
const SIZE: usize = 12_000_000;

/// Serves the buckets of a folder, each one a folder in it; returns the address.
fn start(root: &Path) -> String {
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).expect("a folder"));
    service.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = service.build();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("for tokio");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
    });
    format!("http://{address}")
}

fn bucket(endpoint: &str) -> Mirror {
    let settings = [
        ("aws_endpoint", endpoint),
        ("aws_allow_http", "true"),
        ("aws_region", "us-east-1"),
        ("aws_access_key_id", KEY),
        ("aws_secret_access_key", SECRET),
    ];
    Mirror::bucket("s3://zoo/weights/v1", &settings).expect("a bucket")
}

#[test]
fn a_bucket_is_a_mirror_as_good_as_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("zoo")).expect("a bucket");
    let target = bucket(&start(folder.path()));

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
    assert_eq!(std::fs::read(&object).expect("an object"), body(SIZE));

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

    std::fs::write(path, vec![7; SIZE]).expect("damaged");
    std::fs::remove_file(&object).expect("removed");
    upload().expect_err("a damaged cache makes no mirror");
    assert!(!object.exists());
}

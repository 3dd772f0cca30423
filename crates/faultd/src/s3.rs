//! A server that speaks S3, for tests: its buckets are the folders of a folder.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::runtime;

/// The only keys that it knows; the second one is to be in no message.
const KEYS: [&str; 2] = ["AKEXAMPLE", "never-shown"];

/// A running server. It runs as long as the process.
#[derive(Clone, Debug)]
pub struct Server {
    endpoint: String,
}

impl Server {
    /// Serves the buckets of a folder on a port of its own.
    ///
    /// # Errors
    /// If there is no such folder or no port.
    pub fn start(root: &Path) -> io::Result<Self> {
        let files = s3s_fs::FileSystem::new(root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEYS[0], KEYS[1]));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        listener.set_nonblocking(true)?;
        let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
        thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    return;
                };
                while let Ok((socket, _)) = listener.accept().await {
                    let service = service.clone();
                    tokio::spawn(async move {
                        let server = Builder::new(TokioExecutor::new());
                        // The other side notices what went wrong.
                        let _ = server.serve_connection(TokioIo::new(socket), service).await;
                    });
                }
            })
        });
        Ok(Self { endpoint })
    }

    /// The settings with which a store is this server; in capitals they are variables of the environment.
    pub fn settings(&self) -> [(&'static str, &str); 5] {
        [
            ("aws_endpoint", &self.endpoint),
            ("aws_allow_http", "true"),
            ("aws_region", "us-east-1"),
            ("aws_access_key_id", KEYS[0]),
            ("aws_secret_access_key", KEYS[1]),
        ]
    }
}

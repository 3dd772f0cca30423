//! Buckets of object stores, and mirrors in them: uploads go through the store's own interface, downloads through URLs it signs, so that
//! they resume and are checked like any other.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Error, ObjectStore, ObjectStoreExt, WriteMultipart};
use reqwest::{Method, Url};
use tokio::runtime::Runtime;

use crate::Pin;
use crate::hashing::Hasher;

/// The time for which a signed URL is valid: longer than the largest file takes.
const SIGNED_FOR: Duration = Duration::from_secs(6 * 3600);
/// The size of a part of an upload, and the number of parts at a time: all that is held in memory.
const PIECE: usize = 8 << 20;
const PIECES: usize = 3;

/// A prefix of a bucket.
#[derive(Clone)]
pub(crate) struct Bucket {
    url: String,
    prefix: Path,
    pub(crate) store: Arc<dyn ObjectStore>,
    signer: Arc<dyn Signer>,
    pub(crate) runtime: Arc<Runtime>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl PartialEq for Bucket {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for Bucket {}

/// Builds one kind of store from the environment, its URL and settings by name.
macro_rules! store {
    ($builder:ty, $url:expr, $settings:expr) => {{
        let mut builder = <$builder>::from_env().with_url($url);
        for (key, value) in $settings {
            builder = builder.with_config(key.parse()?, *value);
        }
        let store = Arc::new(builder.build()?);
        (
            Arc::clone(&store) as Arc<dyn ObjectStore>,
            store as Arc<dyn Signer>,
        )
    }};
}

impl Bucket {
    /// The bucket of an `s3://`, `gs://` or `az://` URL; keys and endpoint come from the environment, as the
    /// provider's own tools read it, and from settings of the same names.
    pub(crate) fn open(url: &str, settings: &[(&str, &str)]) -> Result<Self, Error> {
        // Another part of the process may have chosen a provider before; either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        // The URL stands in messages and in the arguments of other processes: no secret may be in it.
        if rest.split('/').next().is_some_and(|name| name.contains('@')) {
            return Err(Error::Generic {
                store: "bucket",
                source: "the URL holds a user or a password: keys come from the environment".into(),
            });
        }
        let (store, signer) = match scheme {
            "s3" => store!(AmazonS3Builder, url, settings),
            "gs" => store!(GoogleCloudStorageBuilder, url, settings),
            _ => store!(MicrosoftAzureBuilder, url, settings),
        };
        let path = Url::parse(url)
            .map(|url| url.path().to_owned())
            .unwrap_or_default();
        // One thread keeps connections going; whoever wants something waits on a thread of its own.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Error::Generic {
            store: "tokio",
            source: Box::new(error),
        })?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            prefix: Path::parse(path.trim_matches('/'))?,
            store,
            signer,
            runtime: Arc::new(runtime),
        })
    }

    fn at(&self, path: &str) -> Path {
        path.split('/')
            .fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// A URL at which anyone who has it can read this object for some hours.
    pub(crate) fn signed(&self, path: &str) -> Result<Url, Error> {
        let path = self.at(path);
        self.runtime
            .block_on(self.signer.signed_url(Method::GET, &path, SIGNED_FOR))
    }

    /// Returns whether an object of this size is there. Its name is the digest of the bytes that were uploaded.
    pub(crate) fn holds(&self, path: &str, bytes: u64) -> Result<bool, Error> {
        match self.runtime.block_on(self.store.head(&self.at(path))) {
            Ok(meta) => Ok(meta.size == bytes),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Uploads a file that must be what the pin says; the object appears whole or not at all.
    pub(crate) fn put_file(&self, path: &str, from: &mut File, pin: Pin) -> io::Result<Pin> {
        self.runtime.block_on(async {
            let upload = self
                .store
                .put_multipart(&self.at(path))
                .await
                .map_err(io::Error::other)?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE);
            let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 1 << 18]);
            loop {
                let read = from.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                hasher.update(&buffer[..read]);
                upload.wait_for_capacity(PIECES).await.map_err(io::Error::other)?;
                upload.write(&buffer[..read]);
            }
            let found = hasher.finish();
            let ended = if found == pin {
                upload.finish().await.map(drop)
            } else {
                upload.abort().await
            };
            ended.map_err(io::Error::other)?;
            Ok(found)
        })
    }

    pub(crate) fn put_text(&self, path: &str, text: String) -> Result<(), Error> {
        self.runtime
            .block_on(self.store.put(&self.at(path), text.into()))
            .map(drop)
    }

    /// Reads a small object; `None` if it is not there.
    pub(crate) fn text(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        self.runtime.block_on(async {
            match self.store.get(&self.at(path)).await {
                Ok(object) => Ok(Some(object.bytes().await?.into())),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// The name of an object, for messages.
    pub(crate) fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

//! Objects of a bucket as files: listed, and read by ranges.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use files::too_large;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectStore, ObjectStoreExt};
use tokio::task::JoinHandle;

use crate::bucket::Bucket;
use crate::http::chain;
use crate::location::{Fault, Kind, LocationError};
use crate::reading::short;

/// The number of bytes that a reader asks for at a time. A request takes about as long as this many bytes, so that what lies nearer
/// is not worth another one.
const WINDOW: u64 = 2 << 20;
/// Requests that are under way at once.
const AT_ONCE: usize = 32;
const NO_BUCKET: &str = "there is no such bucket";

impl Bucket {
    /// The key of an object, as it is: without escapes of ours.
    pub(crate) fn key(&self, key: &str) -> Result<Path, Error> {
        Ok(Path::parse(key)?)
    }

    fn failed(&self, key: &str, error: &Error) -> LocationError {
        let text = chain(error);
        // Lists and heads tell these only in words; the addresses are where machines of the providers find keys.
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let (fault, reason) = match error {
            _ if says(&["NoSuchBucket", "ContainerNotFound"]) => (Fault::Absent, NO_BUCKET.to_owned()),
            Error::NotFound { .. } => (Fault::Absent, "there is no such object".to_owned()),
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => (Fault::Forbidden, text),
            _ if says(&["403 Forbidden", "169.254.169.254", "metadata.google.internal"]) => {
                (Fault::Forbidden, text)
            }
            _ => (Fault::Network, text),
        };
        LocationError::new(self.name(key), fault, reason)
    }

    fn run<T>(&self, key: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, LocationError> {
        self.runtime
            .block_on(work)
            .map_err(|error| self.failed(key, &error))
    }

    pub(crate) fn kind(&self, key: &str) -> Result<Kind, LocationError> {
        self.run(key, async {
            let path = self.key(key)?;
            if path.is_root() || self.store.list(Some(&path)).try_next().await?.is_some() {
                return Ok(Kind::Folder);
            }
            match self.store.head(&path).await {
                Ok(_) => Ok(Kind::File),
                Err(Error::NotFound { .. }) => Ok(Kind::Absent),
                Err(error) => Err(error),
            }
        })
    }

    /// Lists names and sizes below a key, down to `levels` levels.
    pub(crate) fn below(&self, key: &str, levels: usize) -> Result<Vec<(String, u64)>, LocationError> {
        self.run(key, list(Arc::clone(&self.store), self.key(key), levels))
    }

    /// The sizes of these objects, from lists of what they are in: far fewer requests than one an object.
    pub(crate) fn sizes(&self, keys: &[&str]) -> Result<Vec<u64>, LocationError> {
        let folder = |key: &str| key.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let folders: Vec<String> = BTreeSet::from_iter(keys.iter().map(|key| folder(key)))
            .into_iter()
            .collect();
        let mut sizes = HashMap::new();
        for folders in folders.chunks(AT_ONCE) {
            let asked: Vec<_> = folders
                .iter()
                // What is no key is no object either.
                .filter_map(|folder| Some((folder, self.key(folder).ok()?)))
                .map(|(folder, path)| {
                    let work = list(Arc::clone(&self.store), Ok(path), 1);
                    (folder, self.runtime.spawn(work))
                })
                .collect();
            for (folder, list) in asked {
                for (name, bytes) in self.run(folder, async { list.await? })? {
                    let key = if folder.is_empty() {
                        name
                    } else {
                        format!("{folder}/{name}")
                    };
                    sizes.insert(key, bytes);
                }
            }
        }
        Ok(keys
            .iter()
            .map(|key| sizes.get(*key).copied().unwrap_or(0))
            .collect())
    }

    pub(crate) fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), LocationError> {
        let put = self.run(key, async {
            let path = self.key(key)?;
            self.store.put(&path, bytes.into()).await.map(drop)
        });
        put.map_err(|error| match error.fault {
            // Not all stores say which of the two it was.
            Fault::Absent => LocationError::new(self.name(key), Fault::Absent, NO_BUCKET),
            _ => error,
        })
    }
}

async fn list(
    store: Arc<dyn ObjectStore>,
    below: Result<Path, Error>,
    levels: usize,
) -> Result<Vec<(String, u64)>, Error> {
    let below = below?;
    let objects = match levels {
        1 => store.list_with_delimiter(Some(&below)).await?.objects,
        _ => store.list(Some(&below)).try_collect().await?,
    };
    let skip = below.as_ref().len() + usize::from(!below.is_root());
    let named = objects.into_iter().filter_map(|object| {
        let name = object.location.as_ref().get(skip..)?;
        // Some tools make an empty object that stands for the folder.
        let is_file = !name.is_empty() && name.split('/').count() <= levels;
        is_file.then(|| (name.to_owned(), object.size))
    });
    Ok(named.collect())
}

/// Bytes that are on their way.
pub(crate) struct Asked {
    bucket: Arc<Bucket>,
    key: String,
    wanted: Option<u64>,
    most: u64,
    bytes: JoinHandle<Result<Sent, Error>>,
}

/// The bytes that a store sends.
enum Sent {
    Bytes(Vec<u8>),
    /// This number of bytes, which is more than are allowed; none of them were waited for.
    TooMany(u64),
}

impl Asked {
    pub(crate) fn new(bucket: &Arc<Bucket>, key: &str, range: Option<Range<u64>>, most: u64) -> Self {
        let (path, store) = (bucket.key(key), Arc::clone(&bucket.store));
        let wanted = range.as_ref().map(|range| range.end - range.start);
        let bytes = bucket.runtime.spawn(async move {
            match wanted {
                Some(0) => return Ok(Sent::Bytes(Vec::new())),
                Some(wanted) if wanted > most => return Ok(Sent::TooMany(wanted)),
                _ => {}
            }
            let options = GetOptions {
                range: range.map(Into::into),
                ..GetOptions::default()
            };
            let object = store.get_opts(&path?, options).await?;
            let bytes = object.range.end - object.range.start;
            if bytes > most {
                return Ok(Sent::TooMany(bytes));
            }
            Ok(Sent::Bytes(object.bytes().await?.into()))
        });
        Self {
            bucket: Arc::clone(bucket),
            key: key.to_owned(),
            wanted,
            most,
            bytes,
        }
    }

    pub(crate) fn wait(self) -> Result<Vec<u8>, LocationError> {
        let Self {
            bucket,
            key,
            wanted,
            most,
            bytes,
        } = self;
        let bytes = match bucket.run(&key, async { bytes.await? })? {
            Sent::Bytes(bytes) => bytes,
            Sent::TooMany(bytes) => {
                let reason = too_large(bytes, most).to_string();
                return Err(LocationError::new(bucket.name(&key), Fault::Disk, reason));
            }
        };
        match (bytes.len() as u64, wanted) {
            (found, Some(wanted)) if found < wanted => Err(LocationError::new(
                bucket.name(&key),
                Fault::Absent,
                short(found, wanted),
            )),
            _ => Ok(bytes),
        }
    }
}

/// An object that is read in any order, a window of it at a time.
pub(crate) struct Windows {
    bucket: Arc<Bucket>,
    key: String,
    size: u64,
    at: u64,
    /// The first byte of the window.
    begin: u64,
    window: Vec<u8>,
}

impl Windows {
    pub(crate) fn open(bucket: &Arc<Bucket>, key: &str) -> Result<Self, LocationError> {
        let about = bucket.run(key, async { bucket.store.head(&bucket.key(key)?).await })?;
        Ok(Self {
            bucket: Arc::clone(bucket),
            key: key.to_owned(),
            size: about.size,
            at: 0,
            begin: 0,
            window: Vec::new(),
        })
    }

    /// The bytes of the window from here on.
    fn rest(&self) -> &[u8] {
        let skip = self.at.checked_sub(self.begin);
        let skip = skip.and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.window.get(skip..)).unwrap_or(&[])
    }
}

impl Read for Windows {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at < self.size && self.rest().is_empty() {
            let range = self.at..(self.at + WINDOW).min(self.size);
            let asked = Asked::new(&self.bucket, &self.key, Some(range), WINDOW);
            self.window = asked.wait().map_err(io::Error::other)?;
            self.begin = self.at;
        }
        let read = self.rest().read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Windows {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(step) => self.at.checked_add_signed(step),
            SeekFrom::End(step) => self.size.checked_add_signed(step),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

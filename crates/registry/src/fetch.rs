use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::blocking::Client;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::http::{Body, HttpError, client};
use crate::verify::{check, expected_bytes, is_pinned, verify};
use crate::{Artifact, Cache, Digest, Lock, Pin, Variant, Verified};

/// Brings weights into a cache.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// Where they go.
    pub cache: Cache,
    /// Never use the network.
    pub offline: bool,
    /// Take only what the lock or a full digest in the manifest vouches for.
    pub locked: bool,
    /// How often a download is tried when what failed may pass.
    pub attempts: u32,
    /// The pause before the second try; it doubles with each further one.
    pub pause: Duration,
}

/// Is told how a download goes on.
pub trait Progress {
    /// A download begins, or begins anew; `bytes` is its size, where that is known.
    fn started(&self, bytes: Option<u64>);
    /// Some bytes have come.
    fn advanced(&self, bytes: u64);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn started(&self, _bytes: Option<u64>) {}
    fn advanced(&self, _bytes: u64) {}
}

/// A file that is in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The file, as verified.
    pub file: Verified,
    /// Whether it came over the network now.
    pub downloaded: bool,
    /// Whether the lock took it up now, because nobody vouched for its full digest before.
    pub newly_pinned: bool,
}

/// Why a file is not there, or not to be trusted.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The network or the server failed.
    #[error("{url}: {reason}")]
    Network {
        /// What was asked for.
        url: String,
        /// What happened, with its causes.
        reason: String,
    },
    /// The bytes are not those that were declared or pinned.
    #[error("{subject}: {said_by} says {expected}, found {actual}")]
    Mismatch {
        /// The file or URL.
        subject: String,
        /// `zoo.toml` or `zoo.lock`.
        said_by: &'static str,
        /// What it says.
        expected: String,
        /// What was found.
        actual: String,
    },
    /// The file is missing and the network may not be used.
    #[error("{path}: not in the cache, and offline")]
    Offline {
        /// Where it would lie.
        path: PathBuf,
    },
    /// Nobody vouches for the file's full digest, and `locked` was asked for.
    #[error("{url}: zoo.lock does not pin it")]
    NotPinned {
        /// The file's URL.
        url: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is to be done for one file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    /// It is there and right.
    Keep(Verified),
    /// It is missing or wrong.
    Download,
}

impl Fetcher {
    /// A fetcher with three tries a file.
    pub fn new(cache: Cache) -> Self {
        Self {
            cache,
            offline: false,
            locked: false,
            attempts: 3,
            pause: Duration::from_millis(300),
        }
    }

    /// Brings the file of one weight source and pins it if nobody vouched for it before.
    ///
    /// # Errors
    /// If it can neither be found in the cache nor downloaded and verified. The cache and the lock are then as they
    /// were before.
    pub fn fetch(
        &self,
        variant: &Variant,
        artifact: &Artifact,
        lock: &mut Lock,
        progress: &dyn Progress,
    ) -> Result<Fetched, FetchError> {
        let pin = lock.pin(&artifact.url);
        let path = self.cache.path(variant, artifact);
        if self.locked && !is_pinned(artifact, pin) {
            return Err(FetchError::NotPinned {
                url: artifact.url.clone(),
            });
        }
        let present = path.exists().then(|| verify(&path, artifact, pin));
        let (file, downloaded) = match self.plan(&path, present)? {
            Action::Keep(file) => (file, false),
            Action::Download => (self.download(&path, artifact, pin, progress)?, true),
        };
        let newly_pinned = pin.is_none() && !is_pinned(artifact, None);
        if pin.is_none() {
            let lock_path = lock.path().to_owned();
            lock.add(&artifact.url, file.pin)
                .map_err(|source| FetchError::Disk {
                    path: lock_path,
                    source,
                })?;
        }
        Ok(Fetched {
            file,
            downloaded,
            newly_pinned,
        })
    }

    /// Decides without doing: a right file stays, a wrong one is replaced unless that needs a forbidden network.
    fn plan(&self, path: &Path, present: Option<Result<Verified, FetchError>>) -> Result<Action, FetchError> {
        match present {
            Some(Ok(file)) => Ok(Action::Keep(file)),
            Some(Err(error)) if self.offline => Err(error),
            Some(Err(error @ FetchError::Disk { .. })) => Err(error),
            None if self.offline => Err(FetchError::Offline {
                path: path.to_owned(),
            }),
            Some(Err(_)) | None => Ok(Action::Download),
        }
    }

    fn download(
        &self,
        path: &Path,
        artifact: &Artifact,
        pin: Option<Pin>,
        progress: &dyn Progress,
    ) -> Result<Verified, FetchError> {
        let network = |error: HttpError| FetchError::Network {
            url: artifact.url.clone(),
            reason: error.reason,
        };
        let client = client().map_err(network)?;
        let mut pause = self.pause;
        for attempt in 1.. {
            let download = Download {
                path,
                artifact,
                pin,
                progress,
            };
            match download.run(&client) {
                Ok(file) => return Ok(file),
                Err(Stop::Http(error)) if error.passing && attempt < self.attempts => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                Err(Stop::Http(mut error)) => {
                    if attempt > 1 {
                        error.reason = format!("{} (after {attempt} tries)", error.reason);
                    }
                    return Err(network(error));
                }
                Err(Stop::Fetch(error)) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// One try at one file.
struct Download<'a> {
    path: &'a Path,
    artifact: &'a Artifact,
    pin: Option<Pin>,
    progress: &'a dyn Progress,
}

enum Stop {
    Http(HttpError),
    Fetch(FetchError),
}

impl From<HttpError> for Stop {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<FetchError> for Stop {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl Download<'_> {
    fn run(&self, client: &Client) -> Result<Verified, Stop> {
        let mut body = Body::open(client, &self.artifact.url)?;
        let expected = expected_bytes(self.artifact, self.pin);
        if let (Some(expected), Some(length)) = (expected, body.length)
            && expected != length
        {
            return Err(self
                .wrong_size(expected, format!("{length} bytes announced"))
                .into());
        }
        self.progress.started(expected.or(body.length));
        let folder = NewFolders::create(self.path.parent().expect("a file lies in a folder"))?;
        let disk = |source| FetchError::Disk {
            path: self.path.to_owned(),
            source,
        };
        let mut partial = tempfile::Builder::new()
            .prefix(".partial-")
            .tempfile_in(&folder.path)
            .map_err(disk)?;
        let found = self.stream(&mut body, &mut partial, expected)?;
        check(&self.artifact.url, self.artifact, self.pin, found)?;
        partial.as_file().sync_all().map_err(disk)?;
        partial.persist(self.path).map_err(|error| disk(error.error))?;
        sync_folder(&folder.path).map_err(disk)?;
        folder.keep();
        let pinned = is_pinned(self.artifact, self.pin);
        Ok(Verified {
            path: self.path.to_owned(),
            pin: found,
            pinned,
        })
    }

    /// Writes the body and hashes it on the way, up to one byte more than expected.
    fn stream(&self, body: &mut Body, file: &mut NamedTempFile, expected: Option<u64>) -> Result<Pin, Stop> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        let mut bytes = 0;
        loop {
            let read = body.read(&mut buffer)?;
            if read == 0 {
                return Ok(Pin {
                    bytes,
                    sha256: Digest(hasher.finalize().into()),
                });
            }
            bytes += read as u64;
            if let Some(expected) = expected.filter(|expected| bytes > *expected) {
                return Err(self.wrong_size(expected, "more".into()).into());
            }
            hasher.update(&buffer[..read]);
            let write = file.write_all(&buffer[..read]);
            write.map_err(|source| FetchError::Disk {
                path: self.path.to_owned(),
                source,
            })?;
            self.progress.advanced(read as u64);
        }
    }

    fn wrong_size(&self, expected: u64, actual: String) -> FetchError {
        FetchError::Mismatch {
            subject: self.artifact.url.clone(),
            said_by: if self.pin.is_some() {
                "zoo.lock"
            } else {
                "zoo.toml"
            },
            expected: format!("{expected} bytes"),
            actual,
        }
    }
}

/// Folders made for a file; those that were not there before are removed again unless the file is kept.
struct NewFolders {
    path: PathBuf,
    made: Vec<PathBuf>,
}

impl NewFolders {
    fn create(path: &Path) -> Result<Self, FetchError> {
        let made = path
            .ancestors()
            .take_while(|folder| !folder.exists())
            .map(Path::to_owned)
            .collect();
        let folders = Self {
            path: path.to_owned(),
            made,
        };
        fs::create_dir_all(path).map_err(|source| FetchError::Disk {
            path: path.to_owned(),
            source,
        })?;
        Ok(folders)
    }

    fn keep(mut self) {
        self.made.clear();
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        // Innermost first; one that another process has begun to use is not empty and stays.
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Makes a rename in the folder survive a power failure; Windows has no such call.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs::File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

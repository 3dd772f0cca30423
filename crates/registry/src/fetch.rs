use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::download::{Download, Ready};
use crate::http::client;
use crate::verify::{check, is_pinned, verify};
use crate::{Artifact, Cache, Lock, Pin, Variant, Verified};

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
    /// How long a server may stay silent, before its answer and within it.
    pub idle: Duration,
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

impl FetchError {
    pub(crate) fn disk(path: &Path, source: io::Error) -> Self {
        Self::Disk {
            path: path.to_owned(),
            source,
        }
    }
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
            idle: Duration::from_secs(30),
        }
    }

    /// Brings the file of one weight source and pins it if nobody vouched for it before.
    ///
    /// # Errors
    /// If it can neither be found in the cache nor downloaded and verified. Nothing is published then. A pin is
    /// written before the file it is of, so that no crash in between leaves bytes that nobody vouches for.
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
        let (found, ready) = match self.plan(&path, present)? {
            Action::Keep(file) => (file.pin, None),
            Action::Download => {
                let ready = self.download(&path, artifact, pin, progress)?;
                (ready.pin, Some(ready))
            }
        };
        if pin.is_none() {
            self.pin(&path, artifact, lock, found)?;
        }
        let downloaded = ready.is_some();
        ready.map_or(Ok(()), Ready::publish)?;
        let pinned = is_pinned(artifact, pin);
        Ok(Fetched {
            file: Verified {
                path,
                pin: found,
                pinned,
            },
            downloaded,
            newly_pinned: !pinned,
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

    /// Has the lock vouch for these bytes, unless it has come to vouch for others meanwhile.
    fn pin(&self, path: &Path, artifact: &Artifact, lock: &mut Lock, found: Pin) -> Result<(), FetchError> {
        let lock_path = lock.path().to_owned();
        let in_force = lock.add(&artifact.url, found);
        let in_force = in_force.map_err(|source| FetchError::disk(&lock_path, source))?;
        check(&path.display().to_string(), artifact, Some(in_force), found)
    }

    fn download<'a>(
        &self,
        path: &'a Path,
        artifact: &'a Artifact,
        pin: Option<Pin>,
        progress: &'a dyn Progress,
    ) -> Result<Ready<'a>, FetchError> {
        let client = client(&artifact.url, self.idle).map_err(|reason| FetchError::Network {
            url: artifact.url.clone(),
            reason,
        })?;
        let download = Download {
            path,
            artifact,
            pin,
            progress,
        };
        let mut tries = 1;
        let mut pause = self.pause;
        loop {
            match download.run(&client) {
                Ok(ready) => return Ok(ready),
                Err(stop) if stop.passing && tries < self.attempts => {
                    std::thread::sleep(pause);
                    pause *= 2;
                    tries += 1;
                }
                Err(stop) => return Err(after(tries, stop.error)),
            }
        }
    }
}

/// The error, with how often it was tried before giving up.
fn after(tries: u32, error: FetchError) -> FetchError {
    match error {
        FetchError::Network { url, reason } if tries > 1 => FetchError::Network {
            url,
            reason: format!("{reason} (after {tries} tries)"),
        },
        error => error,
    }
}

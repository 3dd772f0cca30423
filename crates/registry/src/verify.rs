use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cache::Cache;
use crate::expect::{Expected, check, is_pinned};
use crate::hashing::hash;
use crate::stamp::Stamp;
use crate::{Artifact, Digest, DigestPrefix, FetchError, Lock, Pin};
use files::open_regular;

/// A file whose bytes were found to be what is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size and digest.
    pub pin: Pin,
    /// Whether a full digest vouched for it before, the lock's or the manifest's.
    pub pinned: bool,
}

impl Cache {
    /// Holds the published file of a weight source against the manifest and the lock; nothing if it is not there.
    ///
    /// Unless `deep` is asked for, a file that looks as it did when it was last read is not read again: its size,
    /// times and inode are compared.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what either of them says.
    pub fn verify(
        &self,
        artifact: &Artifact,
        lock: &Lock,
        deep: bool,
    ) -> Result<Option<Verified>, FetchError> {
        let pin = lock.pin(&artifact.url);
        let Some(digest) = Expected::of(artifact, pin)?.sha256 else {
            return Ok(None);
        };
        let Some(found) = self.read(digest, deep)? else {
            return Ok(None);
        };
        let path = self.path(digest);
        check(&path.display().to_string(), artifact, pin, found)?;
        let pinned = is_pinned(artifact, pin);
        Ok(Some(Verified {
            path,
            pin: found,
            pinned,
        }))
    }

    /// The same for several sources at a time, on as many threads; results are in the order of the sources.
    pub fn verify_all(
        &self,
        artifacts: &[&Artifact],
        lock: &Lock,
        deep: bool,
        threads: usize,
    ) -> Vec<Result<Option<Verified>, FetchError>> {
        let results: Vec<OnceLock<_>> = artifacts.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(artifact) = artifacts.get(index) else {
                    return;
                };
                let _ = results[index].set(self.verify(artifact, lock, deep));
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads.min(artifacts.len()) {
                scope.spawn(work);
            }
            work();
        });
        let result = |slot: OnceLock<_>| slot.into_inner().expect("every index was taken");
        results.into_iter().map(result).collect()
    }

    /// Size and digest of what is published under this digest, which its bytes may not have.
    pub(crate) fn read(&self, digest: Digest, deep: bool) -> Result<Option<Pin>, FetchError> {
        if !deep && let Some(pin) = self.stamped(digest) {
            return Ok(Some(pin));
        }
        let path = self.path(digest);
        let read = || -> io::Result<(Pin, Option<Stamp>)> {
            let mut file = open_regular(&path)?;
            let before = Stamp::of(&file.metadata()?);
            let pin = hash(&mut file)?;
            let same = Stamp::of(&file.metadata()?) == before;
            Ok((pin, same.then_some(before)))
        };
        match read() {
            Ok((pin, stamp)) => {
                if let Some(stamp) = stamp.filter(|_| pin.sha256 == digest) {
                    self.stamp(digest, &stamp);
                }
                Ok(Some(pin))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FetchError::disk(&path, error)),
        }
    }

    /// A published file whose name begins like this.
    pub(crate) fn with_prefix(&self, prefix: &DigestPrefix) -> Option<Digest> {
        let files = self.files().unwrap_or_default();
        files
            .into_iter()
            .map(|file| file.digest)
            .find(|digest| digest.starts_with(prefix))
    }
}

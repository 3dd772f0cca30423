use std::fs::DirEntry;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cache::{Cache, entries};
use crate::expect::is_pinned;
use crate::{Artifact, Digest, DigestPrefix, FetchError, Lock, Pin, Voucher};

/// A file whose bytes were found to be what is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its path.
    pub path: PathBuf,
    /// Its size and digest.
    pub pin: Pin,
    /// A full digest vouched for it before: the lock's or the manifest's.
    pub pinned: bool,
    /// Who vouches for the digest.
    pub voucher: Voucher,
}

impl Cache {
    /// Compares the published file of a weight source with the manifest and the lock; `None` if it is not there.
    ///
    /// Unless `deep` is asked for, a file that looks as it did when it was last read is not read again: its size,
    /// times, device and inode are compared.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what either of them says.
    pub fn verify(
        &self,
        artifact: &Artifact,
        lock: &Lock,
        deep: bool,
    ) -> Result<Option<Verified>, FetchError> {
        let found = self.open(artifact, lock, deep)?;
        Ok(found.map(|found| Verified {
            pinned: is_pinned(artifact, lock.pin(&artifact.url)),
            voucher: Voucher::of(artifact, lock),
            path: found.path,
            pin: found.pin,
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

    /// A published file whose name begins like this.
    pub(crate) fn with_prefix(&self, prefix: &DigestPrefix) -> Option<Digest> {
        let files = entries(&self.published()).unwrap_or_default();
        let digest = |entry: &DirEntry| entry.file_name().to_str()?.parse::<Digest>().ok();
        let fitting = files
            .iter()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(digest)
            .filter(|digest| digest.starts_with(prefix));
        fitting.min_by_key(|digest| digest.0)
    }
}

//! All that lies in a cache, by kind.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cache::{Cache, entries};
use crate::cleanup::{Removed, is_temporary};
use crate::{Digest, owner};

/// The purpose of a file in a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holding {
    /// Published weight files, in `sha256/`.
    Weights,
    /// Weights prepared to be mapped, beside them; made again at the next use.
    Prepared,
    /// Downloads that stopped or are under way, in `partial/`.
    Partial,
    /// Notes on files that were read and found right, in `checked/`; without them files are read again.
    Notes,
    /// Pins and the manifests that use the cache: `zoo.lock`, `zoo.blocks` and `users/`.
    Pins,
    /// Other engines and their packages, in `peers/`.
    Peers,
    /// Times of `zoo tune`, in `tune/`.
    Tuning,
    /// Files that no part of this program put there.
    Other,
}

impl Holding {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Weights,
        Self::Prepared,
        Self::Partial,
        Self::Notes,
        Self::Pins,
        Self::Peers,
        Self::Tuning,
        Self::Other,
    ];

    /// Files of downloads, and files that are made from downloads.
    pub const DOWNLOADS: [Self; 4] = [Self::Weights, Self::Prepared, Self::Partial, Self::Notes];

    /// The kind in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Prepared => "prepared copies of weights",
            Self::Partial => "unfinished downloads",
            Self::Notes => "notes on checked files",
            Self::Pins => "pins, and manifests that use the cache",
            Self::Peers => "other engines",
            Self::Tuning => "times of `zoo tune`",
            Self::Other => "other",
        }
    }

    /// The kind of the file at this path below the cache's folder.
    fn of(path: &Path) -> Self {
        let mut parts = path.iter().map(|part| part.to_str().unwrap_or_default());
        let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match first {
            "sha256" if is_temporary(second) => Self::Partial,
            "sha256" if second.parse::<Digest>().is_ok() => Self::Weights,
            "sha256" if source(second).is_some() => Self::Prepared,
            "partial" => Self::Partial,
            "checked" => Self::Notes,
            "zoo.lock" | "zoo.blocks" | "users" => Self::Pins,
            "peers" => Self::Peers,
            "tune" => Self::Tuning,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// The digest of the published file that a file of this name is, or was prepared from.
pub(crate) fn source(name: &str) -> Option<Digest> {
    name.split('.').next()?.parse().ok()
}

/// A file in a cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Its path.
    pub path: PathBuf,
    /// Its purpose.
    pub kind: Holding,
    /// Its length, bytes.
    pub bytes: u64,
    /// The bytes it takes on the disk: fewer than its length where parts of it were never written.
    pub disk_bytes: u64,
}

impl Held {
    /// The digest of the weight file that this one is, or was prepared from; `None` for all other kinds.
    pub fn digest(&self) -> Option<Digest> {
        match self.kind {
            Holding::Weights | Holding::Prepared => source(self.path.file_name()?.to_str()?),
            _ => None,
        }
    }
}

impl Cache {
    /// Every file that lies in the cache, by path; links are counted and not followed, but for the cache's own folder.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn contents(&self) -> io::Result<Vec<Held>> {
        let mut found = Vec::new();
        let mut folders = vec![self.root().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in entries(&folder)? {
                let path = entry.path();
                let metadata = match fs::symlink_metadata(&path) {
                    Ok(metadata) => metadata,
                    // Whoever downloads renames and removes meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                if metadata.is_dir() {
                    folders.push(path);
                    continue;
                }
                let below = path.strip_prefix(self.root()).unwrap_or(&path);
                found.push(Held {
                    kind: Holding::of(below),
                    bytes: metadata.len(),
                    disk_bytes: on_disk(&metadata),
                    path,
                });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Removes all files of these kinds, but for downloads that a living process works on; with `dry_run` only lists them.
    ///
    /// # Errors
    /// If a folder cannot be read or a file not be removed.
    pub fn clear(&self, kinds: &BTreeSet<Holding>, dry_run: bool) -> io::Result<Vec<Removed>> {
        let mut removed = Vec::new();
        for held in self.contents()? {
            if !kinds.contains(&held.kind) || self.is_worked_on(&held.path) {
                continue;
            }
            if !dry_run {
                fs::remove_file(&held.path)?;
                self.remove_empty_folders(&held.path);
            }
            removed.push(Removed {
                path: held.path,
                bytes: held.bytes,
            });
        }
        Ok(removed)
    }

    /// Returns whether it lies in the partial of a process that is alive.
    fn is_worked_on(&self, path: &Path) -> bool {
        let below = path.strip_prefix(self.partials()).ok();
        let partial = below.and_then(|below| below.iter().next()?.to_str());
        partial.is_some_and(owner::is_owned)
    }

    /// Removes the folders below the cache's own in which nothing is left after this file.
    fn remove_empty_folders(&self, file: &Path) {
        let within = file.ancestors().skip(1);
        for folder in within.take_while(|folder| *folder != self.root()) {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}

#[cfg(unix)]
fn on_disk(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn on_disk(metadata: &Metadata) -> u64 {
    metadata.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_kind_and_clearing_takes_only_those_that_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path().join("cache"));
        assert_eq!(cache.contents().expect("none"), Vec::new());
        let digest = Digest::of(b"w").to_string();
        let ours = format!("partial/key.{}/data", owner::name());
        let files = [
            (format!("sha256/{digest}"), Holding::Weights),
            (format!("sha256/{digest}.v1.safetensors"), Holding::Prepared),
            ("sha256/.new-1".into(), Holding::Partial),
            ("sha256/readme".into(), Holding::Other),
            ("partial/key/data".into(), Holding::Partial),
            (ours.clone(), Holding::Partial),
            (format!("checked/{digest}.0"), Holding::Notes),
            ("zoo.lock".into(), Holding::Pins),
            ("users/1".into(), Holding::Pins),
            ("peers/lib/a/b.py".into(), Holding::Peers),
            ("tune/avx2.tsv".into(), Holding::Tuning),
            ("stray".into(), Holding::Other),
        ];
        for (name, _) in &files {
            let path = cache.root().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, b"12345").expect("written");
        }
        let held = cache.contents().expect("readable");
        let mut expected: Vec<_> = files
            .iter()
            .map(|(name, kind)| (cache.root().join(name), *kind, 5))
            .collect();
        expected.sort();
        let found: Vec<_> = held
            .iter()
            .map(|held| (held.path.clone(), held.kind, held.bytes))
            .collect();
        assert_eq!(found, expected);

        let downloads = BTreeSet::from(Holding::DOWNLOADS);
        let would = cache.clear(&downloads, true).expect("told");
        assert_eq!(cache.contents().expect("readable"), held, "a dry run");
        assert_eq!(cache.clear(&downloads, false).expect("cleared"), would);
        let left: Vec<Holding> = cache
            .contents()
            .expect("readable")
            .iter()
            .map(|held| held.kind)
            .collect();
        assert_eq!(would.len() + left.len(), files.len());
        assert!(!left.contains(&Holding::Weights) && left.contains(&Holding::Pins));
        // Only where the system tells who is alive.
        assert_eq!(cache.root().join(&ours).exists(), cfg!(unix));
        assert!(!cache.root().join("checked").exists(), "empty folders go");
    }

    #[cfg(unix)]
    #[test]
    fn what_links_lead_to_is_neither_counted_nor_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).expect("made");
        fs::write(outside.join("victim"), b"precious").expect("written");
        let cache = Cache::new(folder.path().join("cache"));
        fs::create_dir(cache.root()).expect("made");
        std::os::unix::fs::symlink(&outside, cache.root().join("partial")).expect("planted");
        let held = cache.contents().expect("readable");
        assert_eq!((held.len(), held[0].kind), (1, Holding::Partial));
        cache
            .clear(&BTreeSet::from(Holding::ALL), false)
            .expect("cleared");
        assert!(outside.join("victim").exists() && cache.contents().expect("readable").is_empty());
    }
}

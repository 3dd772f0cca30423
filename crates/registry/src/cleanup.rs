//! Cleaning: which files of the cache may be removed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::cache::{Cache, entries};
use crate::checked::FOREIGN;
use crate::contents::source;
use crate::stamp::subject;
use crate::{Digest, owner};

/// Something that was, or would be, removed from a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The path that it had.
    pub path: PathBuf,
    /// The bytes that are free again.
    pub bytes: u64,
}

impl Cache {
    /// Removes published files whose content none of these digests names, and what was prepared from them; with
    /// `dry_run` only lists them.
    ///
    /// # Errors
    /// If a folder cannot be read or a file not be removed.
    pub fn prune(&self, keep: &BTreeSet<Digest>, dry_run: bool) -> io::Result<Vec<Removed>> {
        let mut removed = Vec::new();
        for entry in entries(&self.published())? {
            let name = entry.file_name();
            // What is prepared from a file has its digest as the first part of its name.
            let digest = name.to_str().and_then(source);
            let metadata = fs::symlink_metadata(entry.path())?;
            if !metadata.is_file() || digest.is_none_or(|digest| keep.contains(&digest)) {
                continue;
            }
            if !dry_run {
                fs::remove_file(entry.path())?;
            }
            removed.push(Removed {
                path: entry.path(),
                bytes: metadata.len(),
            });
        }
        removed.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(removed)
    }

    /// Removes what no download needs: partials and temporary files that nobody has touched for `age`, and notes on
    /// files that are gone, or as old and not of the cache; with `dry_run` only lists them.
    ///
    /// # Errors
    /// If a folder cannot be read or something not be removed.
    pub fn collect_garbage(&self, age: Duration, dry_run: bool) -> io::Result<Vec<Removed>> {
        let mut garbage = Vec::new();
        for entry in entries(&self.partials())? {
            // A clock that jumped ahead makes everything look old, what is worked on included.
            let is_owned = entry.file_name().to_str().is_some_and(owner::is_owned);
            if !is_owned && owner::idle_for(&entry.path()) >= age {
                garbage.push(entry.path());
            }
        }
        for entry in entries(&self.published())? {
            let is_begun = entry.file_name().to_str().is_some_and(is_temporary);
            if is_begun && is_older(&entry, age)? {
                garbage.push(entry.path());
            }
        }
        for entry in entries(&self.checked())? {
            let name = entry.file_name();
            let keeps = match name.to_str() {
                None => false,
                Some(name) if is_temporary(name) || name.starts_with(FOREIGN) => !is_older(&entry, age)?,
                Some(name) => fs::symlink_metadata(self.published().join(subject(name))).is_ok(),
            };
            if !keeps {
                garbage.push(entry.path());
            }
        }
        let mut removed = Vec::new();
        for path in garbage {
            let metadata = fs::symlink_metadata(&path)?;
            let data = fs::symlink_metadata(path.join("data")).map_or(0, |data| data.len());
            let bytes = if metadata.is_dir() { data } else { metadata.len() };
            match (dry_run, metadata.is_dir()) {
                (true, _) => {}
                (false, true) => fs::remove_dir_all(&path)?,
                (false, false) => fs::remove_file(&path)?,
            }
            removed.push(Removed { path, bytes });
        }
        Ok(removed)
    }
}

/// Returns whether a file of this name is one that is being written.
pub(crate) fn is_temporary(name: &str) -> bool {
    [".new-", ".partial-"].iter().any(|begin| name.starts_with(begin))
}

/// Returns whether nobody has written to it for this time.
fn is_older(entry: &fs::DirEntry, age: Duration) -> io::Result<bool> {
    let modified = fs::symlink_metadata(entry.path())?.modified()?;
    // A time that has not come yet is no age.
    Ok(modified.elapsed().unwrap_or_default() >= age)
}

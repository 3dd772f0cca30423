//! Temporary folders. A folder is deleted when it is dropped or the program is ended by a signal; folders of killed programs
//! are deleted when the next folder is created there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Failure, ending};

/// Prefix of folder names in the system's temporary folder.
const PREFIX: &str = "zoo-";

/// A file in each folder that is locked while the folder is in use. Unlike a process number, a lock means the same to programs
/// in containers that share the folder.
const IN_USE: &str = ".in-use";

/// A temporary folder.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
    _lock: File,
    _entry: ending::Entry,
}

impl Scratch {
    /// Creates a folder in the system's temporary folder.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::within(&std::env::temp_dir(), PREFIX)
    }

    /// Creates a folder in `parent` with a name that starts with `prefix`, and deletes those that killed programs left there.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub(crate) fn within(parent: &Path, prefix: &str) -> Result<Self, Failure> {
        sweep(parent, prefix);
        Self::make(parent, prefix).map_err(|error| Failure::file(parent, &error))
    }

    fn make(parent: &Path, prefix: &str) -> io::Result<Self> {
        let parent = std::path::absolute(parent)?;
        let (folder, entry) = ending::folder(|| TempDir::with_prefix_in(prefix, &parent))?;
        // Locked before it has its name: whoever sees the name finds it locked.
        let unnamed = folder.path().join(".locking");
        let lock = File::create_new(&unnamed)?;
        lock.lock()?;
        fs::rename(&unnamed, folder.path().join(IN_USE))?;
        Ok(Self {
            folder,
            _lock: lock,
            _entry: entry,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the folder, for the user to take its contents.
    pub(crate) fn keep(self) -> PathBuf {
        let Self { folder, .. } = self;
        let path = folder.keep();
        // Nobody's any more: the next run would delete it.
        let _ = fs::remove_file(path.join(IN_USE));
        path
    }
}

/// Deletes the folders of killed programs; a folder that cannot be deleted is left for the next time.
fn sweep(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_named = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(prefix.as_bytes());
        if is_named && entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_left(&entry.path()) {
            // Another run may be deleting it just now.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns whether a folder is one of ours and not in use.
fn is_left(folder: &Path) -> bool {
    let lock = folder.join(IN_USE);
    // Another user's is none of our business, and a pipe in its place would be waited for.
    let is_ours = fs::symlink_metadata(&lock).is_ok_and(|file| file.is_file() && is_mine(&file));
    is_ours && File::open(&lock).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(unix)]
fn is_mine(file: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(file) == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_mine(_: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_when_it_is_dropped_unless_it_is_kept() {
        let place = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::within(place.path(), "x-").expect("a folder");
        let path = scratch.path().to_owned();
        assert!(path.is_dir() && path.is_absolute());
        drop(scratch);
        assert!(!path.exists());
        let kept = Scratch::within(place.path(), "x-").expect("a folder").keep();
        drop(Scratch::within(place.path(), "x-").expect("another"));
        assert!(kept.is_dir(), "it is the user's now");
    }

    #[test]
    fn folders_of_killed_runs_are_deleted_and_those_of_others_are_not() {
        let place = tempfile::tempdir().expect("a folder");
        let made = |name: &str, files: &[&str]| {
            let folder = place.path().join(name);
            fs::create_dir(&folder).expect("made");
            for file in files {
                fs::write(folder.join(file), "").expect("written");
            }
            folder
        };
        let dead = made("x-dead", &[IN_USE, "images.npy"]);
        let others = [
            made("x-foreign", &["images.npy"]),
            made("y-dead", &[IN_USE]),
            made("x-dead-in-a-folder", &[]),
        ];
        fs::create_dir(others[2].join(IN_USE)).expect("made");
        // Used by somebody, whatever the number of their process.
        let used = made("x-used", &[IN_USE]);
        let lock = File::open(used.join(IN_USE)).expect("opened");
        lock.lock().expect("locked");
        let scratch = Scratch::within(place.path(), "x-").expect("a folder");
        assert!(!dead.exists() && used.is_dir() && scratch.path().is_dir());
        assert!(others.iter().all(|folder| folder.is_dir()));
        drop(lock);
        let again = Scratch::within(place.path(), "x-").expect("a folder");
        assert!(!used.exists() && scratch.path().is_dir() && again.path().is_dir());
    }
}

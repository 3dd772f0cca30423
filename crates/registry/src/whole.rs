//! What the cache's own rules add to [`files`].

use std::fs;
use std::io;
use std::path::Path;

use files::Whole;

use crate::Pin;
use crate::hashing::hash;

/// What was written, read again from the disk.
pub(crate) fn read_back(file: &Whole) -> io::Result<Pin> {
    hash(&mut file.reopen()?)
}

/// Makes a folder of the cache, and what is missing above it; a symbolic link in its place is not followed.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(io::Error::other(
            "expected a folder; symbolic links in the cache are not followed: remove it",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(path),
        Err(error) => Err(error),
    }
}

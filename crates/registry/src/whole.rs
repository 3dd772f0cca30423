//! What the cache's own rules add to [`files`].

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use files::Whole;

use crate::Pin;
use crate::hashing::hash;

/// Reads a text that somebody named, links followed: one that is a file, for a pipe may never end, and of this many bytes at
/// most.
///
/// # Errors
/// Of kind `NotFound` if there is nothing, of another kind if it is no such file.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > most {
        let reason = format!("has {length} bytes, expected {most} at most");
        return Err(io::Error::other(reason));
    }
    io::read_to_string(file.take(most))
}

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

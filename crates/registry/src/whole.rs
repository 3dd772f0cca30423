//! The cache's own rules for files, on top of [`files`].

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

/// The bytes that were written, read again from the disk.
pub(crate) fn read_back(file: &Whole) -> io::Result<Pin> {
    hash(&mut file.reopen()?)
}

/// Makes a folder of the cache, and what is missing above it; a symbolic link in its place is not followed.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(not_a_folder()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(path),
        Err(error) => Err(error),
    }
}

/// Opens a regular file in a folder of the cache to read. Neither the file nor the folder is reached through a symbolic
/// link, and nothing is waited for: to open a pipe is to wait for its writer.
///
/// # Errors
/// Of kind `NotFound` if there is nothing, of another kind if it is no regular file or the folder is none.
#[cfg(unix)]
pub(crate) fn open_within(folder: &Path, name: &str) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open, openat};
    use rustix::io::Errno;

    let folder = open(folder, FLAGS | OFlags::DIRECTORY, Mode::empty()).map_err(|errno| match errno {
        Errno::NOTDIR | Errno::LOOP => not_a_folder(),
        errno => errno.into(),
    })?;
    let file = openat(folder, name, FLAGS, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP => not_a_file(),
        errno => io::Error::from(errno),
    })?;
    let file = File::from(file);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(not_a_file()),
    }
}

/// Opens a file of a folder: never through a link, and without waiting for a pipe's writer.
#[cfg(unix)]
const FLAGS: rustix::fs::OFlags = rustix::fs::OFlags::RDONLY
    .union(rustix::fs::OFlags::NOFOLLOW)
    .union(rustix::fs::OFlags::NONBLOCK)
    .union(rustix::fs::OFlags::CLOEXEC);

/// Opens a regular file below a folder that the user named to read: by names alone, none of which is a symbolic link. The
/// folder itself may be one.
///
/// # Errors
/// Of kind `NotFound` if there is nothing, of another kind if it is no regular file or lies behind a link.
#[cfg(unix)]
pub(crate) fn open_below(folder: &Path, names: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open, openat};
    use rustix::io::Errno;

    let refused = |errno| match errno {
        Errno::NOTDIR | Errno::LOOP => behind_a_link(),
        errno => io::Error::from(errno),
    };
    let followed = FLAGS.difference(OFlags::NOFOLLOW) | OFlags::DIRECTORY;
    let mut at = open(folder, followed, Mode::empty()).map_err(io::Error::from)?;
    let mut names = names.iter().peekable();
    while let Some(name) = names.next() {
        let is_folder = names.peek().is_some();
        let flags = if is_folder {
            FLAGS | OFlags::DIRECTORY
        } else {
            FLAGS
        };
        at = openat(&at, name, flags, Mode::empty()).map_err(refused)?;
    }
    let file = File::from(at);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("is not a regular file")),
    }
}

/// The same as far as the system can.
#[cfg(not(unix))]
pub(crate) fn open_below(folder: &Path, names: &Path) -> io::Result<File> {
    let path = folder.join(names);
    let (whole, root) = (fs::canonicalize(&path)?, fs::canonicalize(folder)?);
    if whole != root.join(names) {
        return Err(behind_a_link());
    }
    match fs::symlink_metadata(&whole)?.is_file() {
        true => File::open(&whole),
        false => Err(io::Error::other("is not a regular file")),
    }
}

fn behind_a_link() -> io::Error {
    io::Error::other("is or lies behind a symbolic link, which a manifest's paths do not follow")
}

/// The same as far as the system can.
#[cfg(not(unix))]
pub(crate) fn open_within(folder: &Path, name: &str) -> io::Result<File> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Err(not_a_folder());
    }
    files::open_regular(&folder.join(name))
}

fn not_a_folder() -> io::Error {
    io::Error::other(
        "expected a folder; symbolic links in the cache are not followed: remove it, or name the folder of the whole cache \
         by --cache-dir",
    )
}

#[cfg(unix)]
fn not_a_file() -> io::Error {
    io::Error::other("is not a regular file: remove it")
}

//! Files that are made from published ones and lie beside them, such as weights prepared to be mapped.
//!
//! Nobody else publishes the bytes of a copy, so that only the note of its maker tells a right one from a planted one:
//! a copy without a note of ours is not believed, whatever it says of itself.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

use files::Whole;

use crate::cache::Cache;
use crate::checked::Checked;
use crate::stamp::Stamp;
use crate::whole::{make_folder, read_back};
use crate::{Check, Digest, FetchError};

/// Whose word a copy that was changed is held against.
pub const COPY_NOTE: &str = "the note of its making";

/// A copy that is being written. Dropped without [`publish`](Self::publish) it is removed.
#[derive(Debug)]
pub struct NewCopy<'a> {
    cache: &'a Cache,
    file: Whole,
    name: String,
}

impl Cache {
    /// Opens the copy of this name if we made it and its bytes are those that we made; nothing if it is not there, or nobody
    /// vouches for it.
    ///
    /// # Errors
    /// If its bytes are others, or it cannot be read.
    pub fn open_copy(&self, name: &str, deep: bool) -> Result<Option<Checked>, FetchError> {
        let Some(noted) = self.noted(name) else {
            return Ok(None);
        };
        let Some(found) = self.look(name, deep, |found| found == noted.sha256)? else {
            return Ok(None);
        };
        match found.pin.sha256 == noted.sha256 {
            true => Ok(Some(found)),
            false => Err(FetchError::Mismatch {
                subject: found.path.display().to_string(),
                said_by: COPY_NOTE,
                expected: format!("sha256 {}", noted.sha256),
                actual: format!("sha256 {}", found.pin.sha256),
            }),
        }
    }

    /// Opens the copy of this name, whoever made it, and reads it all: whether it is right is for the caller to find out.
    ///
    /// # Errors
    /// If it cannot be read, or is no regular file.
    pub fn open_strange_copy(&self, name: &str) -> Result<Option<Checked>, FetchError> {
        self.look(name, true, |_| false)
    }

    /// Notes that the copy of this name is right if its bytes have this digest.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn vouch_for_copy(&self, name: &str, sha256: Digest) -> Result<(), FetchError> {
        self.look(name, true, |found| found == sha256).map(drop)
    }

    /// The path of the copy of this name.
    pub fn copy_path(&self, name: &str) -> PathBuf {
        self.published().join(name)
    }

    /// Removes the copy of this name, or the link in its place.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove_copy(&self, name: &str) -> Result<(), FetchError> {
        let path = self.copy_path(name);
        let remove = || {
            make_folder(&self.published())?;
            fs::remove_file(&path)
        };
        match remove() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FetchError::disk(&path, error)),
            _ => Ok(()),
        }
    }

    /// Begins a copy of this name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new_copy(&self, name: &str) -> io::Result<NewCopy<'_>> {
        make_folder(&self.published())?;
        Ok(NewCopy {
            cache: self,
            file: Whole::create(&self.copy_path(name))?,
            name: name.to_owned(),
        })
    }
}

impl NewCopy<'_> {
    /// Gives the copy its name, in place of what was there, and notes what it holds, as read again from where it was written.
    ///
    /// # Errors
    /// If either cannot be written: a copy that nobody vouches for is of no use.
    pub fn publish(mut self) -> io::Result<Checked> {
        let note = self.cache.begin_note(&self.name)?;
        self.file.flush()?;
        let pin = read_back(&self.file)?;
        let file = self.file.handle()?;
        self.file.publish()?;
        let looks = Stamp::of(&file.metadata()?);
        note.write(pin.sha256, &looks)?;
        Ok(Checked {
            path: self.cache.copy_path(&self.name),
            file,
            pin,
            check: Check::Read,
            looks,
        })
    }
}

impl Write for NewCopy<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for NewCopy<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

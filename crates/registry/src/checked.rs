//! The one door to what the cache holds: a file is opened once, without following links, and its bytes are known to be what
//! they should be before it is handed out.

use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::expect::{Expected, check};
use crate::hashing::hash;
use crate::stamp::Stamp;
use crate::whole::open_within;
use crate::{Artifact, Digest, FetchError, LocalFile, Lock, Pin};

/// The number of times that reading a file begins anew if it changes meanwhile.
const TRIES: usize = 3;

/// The way in which the digest of a file's bytes is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// All bytes were read and hashed now.
    Read,
    /// The file looks as it did when all of them were last read and hashed.
    Stamp,
}

/// An open file of the cache whose bytes are those of its digest.
#[derive(Debug)]
pub struct Checked {
    /// Its path; another file may lie there later.
    pub path: PathBuf,
    /// The file that was checked.
    pub file: File,
    /// Its size and digest.
    pub pin: Pin,
    /// The way in which these are known.
    pub check: Check,
    pub(crate) looks: Stamp,
}

impl Checked {
    /// Returns whether the file still has the bytes that it was checked to have: it still has its stamp, or is read again.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn still_holds(&self) -> io::Result<bool> {
        if Stamp::of(&self.file.metadata()?) == self.looks {
            return Ok(true);
        }
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(hash(&mut file)? == self.pin)
    }
}

/// The size and digest of an open file, and the way in which they are known.
struct Look {
    pin: Pin,
    check: Check,
    looks: Stamp,
}

impl Cache {
    /// Opens the published file of a weight source, or its own file where the manifest names one of this machine, whose bytes
    /// are what the manifest and the lock say; nothing if it is not there.
    ///
    /// Unless `deep` is asked for, a file that looks as it did when it was last read is not read again: its size, times,
    /// device and inode are compared.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what either of them says.
    pub fn open(&self, artifact: &Artifact, lock: &Lock, deep: bool) -> Result<Option<Checked>, FetchError> {
        self.open_pinned(artifact, lock.pin(&artifact.url), deep)
    }

    /// The same with the pin that is in force.
    pub(crate) fn open_pinned(
        &self,
        artifact: &Artifact,
        pin: Option<Pin>,
        deep: bool,
    ) -> Result<Option<Checked>, FetchError> {
        let expected = Expected::of(artifact, pin)?;
        let found = match (&artifact.local, expected.sha256) {
            (Some(local), _) => self.read_local(local, deep)?,
            (None, Some(digest)) => self.read(digest, deep)?,
            (None, None) => None,
        };
        if let Some(found) = &found {
            check(&found.path.display().to_string(), artifact, pin, found.pin)?;
        }
        Ok(found)
    }

    /// A file of this machine that the manifest names, whatever its bytes are; nothing if it is not there.
    fn read_local(&self, local: &LocalFile, deep: bool) -> Result<Option<Checked>, FetchError> {
        let path = local.path();
        let read = || {
            for _ in 0..TRIES {
                let mut file = match local.open() {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    file => file?,
                };
                let name = foreign_name(&file)?;
                if let Some(Look { pin, check, looks }) =
                    self.look_at(name.as_deref(), &mut file, deep, |_| true)?
                {
                    let path = path.clone();
                    return Ok(Some(Checked {
                        path,
                        file,
                        pin,
                        check,
                        looks,
                    }));
                }
            }
            Err(unsteady())
        };
        read().map_err(|source| FetchError::disk(&path, source))
    }

    /// The digest of a file of this machine that looks as it did when it was last read; `None` if it does not, or nobody noted it.
    pub(crate) fn noted_digest(&self, local: &LocalFile) -> Option<Digest> {
        let file = local.open().ok()?;
        let note = self.noted(&foreign_name(&file).ok()??)?;
        let looks = Stamp::of(&file.metadata().ok()?);
        note.holds(&looks).then_some(note.sha256)
    }

    /// The digest that the file of a weight source must have, where the lock or the manifest says it in full.
    pub fn content(&self, artifact: &Artifact, lock: &Lock) -> Option<Digest> {
        Expected::of(artifact, lock.pin(&artifact.url)).ok()?.sha256
    }

    /// Opens the file that is published under this digest, which its bytes may not have.
    pub(crate) fn read(&self, digest: Digest, deep: bool) -> Result<Option<Checked>, FetchError> {
        self.look(&digest.to_string(), deep, |found| found == digest)
    }

    /// Size and digest of an open file that somebody else keeps, read again only if it does not look as it did when it was
    /// last read.
    ///
    /// # Errors
    /// If it cannot be read, or changes all the time.
    pub fn digest_of(&self, file: &File) -> io::Result<(Pin, Check)> {
        let name = foreign_name(file)?;
        let mut file = file.try_clone()?;
        for _ in 0..TRIES {
            if let Some(look) = self.look_at(name.as_deref(), &mut file, false, |_| true)? {
                return Ok((look.pin, look.check));
            }
        }
        Err(unsteady())
    }

    /// Opens a file beside the published ones: recognised by its note and stamp, else read; `None` if it
    /// is not there. A note is made if the digest is a right one.
    pub(crate) fn look(
        &self,
        name: &str,
        deep: bool,
        is_right: impl Fn(Digest) -> bool,
    ) -> Result<Option<Checked>, FetchError> {
        let path = self.published().join(name);
        self.look_in(&path, name, deep, is_right)
            .map_err(|source| FetchError::disk(&path, source))
    }

    fn look_in(
        &self,
        path: &Path,
        name: &str,
        deep: bool,
        is_right: impl Fn(Digest) -> bool,
    ) -> io::Result<Option<Checked>> {
        for _ in 0..TRIES {
            let mut file = match open_within(&self.published(), name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                file => file?,
            };
            if let Some(Look { pin, check, looks }) = self.look_at(Some(name), &mut file, deep, &is_right)? {
                return Ok(Some(Checked {
                    path: path.to_owned(),
                    file,
                    pin,
                    check,
                    looks,
                }));
            }
        }
        Err(unsteady())
    }

    /// The size and digest of an open file; `None` if it changed while it was read. A file without a name is read each time.
    fn look_at(
        &self,
        name: Option<&str>,
        file: &mut File,
        deep: bool,
        is_right: impl Fn(Digest) -> bool,
    ) -> io::Result<Option<Look>> {
        let metadata = file.metadata()?;
        let looks = Stamp::of(&metadata);
        let note = name.filter(|_| !deep).and_then(|name| self.noted(name));
        if let Some(note) = note.filter(|note| is_right(note.sha256) && note.holds(&looks)) {
            let pin = Pin {
                bytes: metadata.len(),
                sha256: note.sha256,
            };
            let check = Check::Stamp;
            return Ok(Some(Look { pin, check, looks }));
        }
        // Begun before the first byte is read. That none can be written only means that the file will be read again.
        let begun = name.and_then(|name| self.begin_note(name).ok());
        file.rewind()?;
        let pin = hash(file)?;
        if Stamp::of(&file.metadata()?) != looks {
            return Ok(None);
        }
        if let Some(begun) = begun.filter(|_| is_right(pin.sha256)) {
            let _ = begun.write(pin.sha256, &looks);
        }
        let check = Check::Read;
        Ok(Some(Look { pin, check, looks }))
    }
}

/// The name of a file that is not the cache's, in notes: links and renames make no other file of it.
fn foreign_name(file: &File) -> io::Result<Option<String>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = file.metadata()?;
        Ok(Some(format!("{FOREIGN}{}-{}", metadata.dev(), metadata.ino())))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        Ok(None)
    }
}

/// The beginning of the name, in notes, of a file that is not the cache's.
pub(crate) const FOREIGN: &str = "file-";

fn unsteady() -> io::Error {
    io::Error::other("it changes while it is read: somebody writes to it")
}

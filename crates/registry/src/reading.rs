//! Files as they are read: at once or in parts, from the disk or a bucket.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
#[cfg(feature = "object-store")]
use std::sync::Arc;

#[cfg(feature = "object-store")]
use crate::bucket::Bucket;
use crate::location::LocationError;
#[cfg(feature = "object-store")]
use crate::objects::{Asked, Windows};
use files::{open_file, read_file, read_up_to, too_large};

/// Bytes that were asked for.
pub struct Reading(Way);

enum Way {
    Disk {
        path: PathBuf,
        range: Option<Range<u64>>,
        most: u64,
    },
    #[cfg(feature = "object-store")]
    Bucket(Asked),
}

impl Reading {
    pub(crate) fn file(path: &Path, range: Option<Range<u64>>, most: u64) -> Self {
        let path = path.to_owned();
        Self(Way::Disk { path, range, most })
    }

    #[cfg(feature = "object-store")]
    pub(crate) fn object(bucket: &Arc<Bucket>, key: &str, range: Option<Range<u64>>, most: u64) -> Self {
        Self(Way::Bucket(Asked::new(bucket, key, range, most)))
    }

    /// The bytes, once they are there.
    ///
    /// # Errors
    /// If the file cannot be read, is none, ends before the range does, or has more bytes than may be read.
    pub fn wait(self) -> Result<Vec<u8>, LocationError> {
        match self.0 {
            Way::Disk { path, range, most } => read(&path, range, most).map_err(LocationError::disk(&path)),
            #[cfg(feature = "object-store")]
            Way::Bucket(asked) => asked.wait(),
        }
    }
}

fn read(path: &Path, range: Option<Range<u64>>, most: u64) -> io::Result<Vec<u8>> {
    let Some(range) = range else {
        return read_file(path, most);
    };
    let wanted = range.end - range.start;
    if wanted > most {
        return Err(too_large(wanted, most));
    }
    let mut file = open_file(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(range.start))?;
    let there = size.saturating_sub(range.start).min(wanted);
    let bytes = read_up_to(file.take(wanted), there, most)?;
    match bytes.len() as u64 {
        found if found < wanted => Err(io::Error::new(io::ErrorKind::UnexpectedEof, short(found, wanted))),
        _ => Ok(bytes),
    }
}

/// Says that a file has less than what was asked of it.
pub(crate) fn short(found: u64, wanted: u64) -> String {
    format!("the file ends after {found} of {wanted} bytes")
}

/// Reads a file in any order; failures of a store are [`behind`](LocationError::behind) its errors.
pub struct Reader(Box<dyn ReadSeek + Send>);

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl Reader {
    pub(crate) fn file(path: &Path) -> Result<Self, LocationError> {
        let file = open_file(path).map_err(LocationError::disk(path))?;
        Ok(Self(Box::new(file)))
    }

    #[cfg(feature = "object-store")]
    pub(crate) fn object(bucket: &Arc<Bucket>, key: &str) -> Result<Self, LocationError> {
        Ok(Self(Box::new(Windows::open(bucket, key)?)))
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

//! Files as they are read: at once or in parts, from the disk or a bucket.

use std::fs::{self, File};
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

/// Bytes that were asked for.
pub struct Reading(Way);

enum Way {
    Disk(PathBuf, Option<Range<u64>>),
    #[cfg(feature = "object-store")]
    Bucket(Asked),
}

impl Reading {
    pub(crate) fn file(path: &Path, range: Option<Range<u64>>) -> Self {
        Self(Way::Disk(path.to_owned(), range))
    }

    #[cfg(feature = "object-store")]
    pub(crate) fn object(bucket: &Arc<Bucket>, key: &str, range: Option<Range<u64>>) -> Self {
        Self(Way::Bucket(Asked::new(bucket, key, range)))
    }

    /// The bytes, once they are there.
    ///
    /// # Errors
    /// If the file cannot be read, or ends before the range does.
    pub fn wait(self) -> Result<Vec<u8>, LocationError> {
        match self.0 {
            Way::Disk(path, range) => read(&path, range).map_err(LocationError::disk(&path)),
            #[cfg(feature = "object-store")]
            Way::Bucket(asked) => asked.wait(),
        }
    }
}

fn read(path: &Path, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
    let Some(range) = range else {
        return fs::read(path);
    };
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    let wanted = range.end - range.start;
    file.take(wanted).read_to_end(&mut bytes)?;
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
        let file = File::open(path).map_err(LocationError::disk(path))?;
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

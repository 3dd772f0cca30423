//! Places of files: on this machine, or in a bucket.

mod error;
mod walk;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
#[cfg(feature = "object-store")]
use std::sync::Arc;

pub use error::{Fault, LocationError, ParseLocationError};

#[cfg(feature = "object-store")]
use crate::bucket::Bucket;
use crate::reading::{Reader, Reading};
#[cfg(feature = "object-store")]
use crate::secrets::scrubbed;
use crate::secrets::shown_text;

/// A file or folder of this machine, or an object or prefix of a bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct Location(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Disk(PathBuf),
    /// The key has no slash at its ends.
    #[cfg(feature = "object-store")]
    Bucket(Arc<Bucket>, String),
}

/// The kind of thing at a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing that can be read.
    Absent,
    /// A file or an object.
    File,
    /// A folder, or a prefix with objects below.
    Folder,
}

/// A file below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path below the folder, with `/`.
    pub name: String,
    /// Its size; 0 for what cannot be read.
    pub bytes: u64,
    /// Itself.
    pub location: Location,
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self(Place::Disk(path))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Disk(path) => write!(f, "{}", path.display()),
            #[cfg(feature = "object-store")]
            Place::Bucket(bucket, key) => f.write_str(&bucket.name(key)),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Location {
    /// Takes a path; with the feature `object-store` also `s3://`, `gs://` and `az://` with BUCKET/KEY. Keys of the store and
    /// its endpoint come from the environment, as the provider's own tools read it.
    ///
    /// # Errors
    /// If it is a URL of another kind or without a bucket, or this program was built without that feature.
    pub fn parse(text: OsString) -> Result<Self, ParseLocationError> {
        match text.to_str().filter(|text| text.contains("://")) {
            None => Ok(PathBuf::from(text).into()),
            #[cfg(feature = "object-store")]
            Some(url) => Self::bucket(url, &[]),
            #[cfg(not(feature = "object-store"))]
            Some(url) => Err(ParseLocationError {
                text: shown_text(url),
                reason: match url.split_once("://") {
                    Some(("s3" | "gs" | "az", _)) => {
                        "this program was built without object stores; \
                         `cargo build --release -p zoo --features object-store` builds it with them"
                    }
                    _ => "expected a path",
                }
                .into(),
            }),
        }
    }

    /// A prefix of a bucket, with settings beside those of the environment, such as `aws_endpoint`.
    ///
    /// # Errors
    /// If the URL or a setting makes no sense.
    #[cfg(feature = "object-store")]
    pub fn bucket(url: &str, settings: &[(&str, &str)]) -> Result<Self, ParseLocationError> {
        let fail = |reason: String| ParseLocationError {
            text: shown_text(url),
            reason: scrubbed(&reason),
        };
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (name, key) = rest.split_once('/').unwrap_or((rest, ""));
        if !matches!(scheme, "s3" | "gs" | "az") || name.is_empty() {
            return Err(fail(
                "expected a path, or s3://, gs:// or az:// with BUCKET/KEY".into(),
            ));
        }
        let key = key.trim_matches('/').to_owned();
        let opened = Bucket::open(&format!("{scheme}://{name}"), settings);
        let checked = opened.and_then(|bucket| bucket.key(&key).map(|_| bucket));
        let bucket = checked.map_err(|error| fail(error.to_string()))?;
        Ok(Self(Place::Bucket(Arc::new(bucket), key)))
    }

    /// Its path, if it is on this machine.
    pub fn on_disk(&self) -> Option<&Path> {
        match &self.0 {
            Place::Disk(path) => Some(path),
            #[cfg(feature = "object-store")]
            Place::Bucket(..) => None,
        }
    }

    /// Its last name.
    pub fn name(&self) -> String {
        match &self.0 {
            Place::Disk(path) => path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            #[cfg(feature = "object-store")]
            Place::Bucket(_, key) => key.rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }

    /// The location of this name below it; the name may have folders.
    pub fn join(&self, name: &str) -> Self {
        Self(match &self.0 {
            Place::Disk(path) => Place::Disk(path.join(name)),
            #[cfg(feature = "object-store")]
            Place::Bucket(bucket, key) => {
                let parts = [key.as_str(), name].into_iter().flat_map(|path| path.split('/'));
                let parts: Vec<&str> = parts.filter(|part| !part.is_empty() && *part != ".").collect();
                Place::Bucket(Arc::clone(bucket), parts.join("/"))
            }
        })
    }

    /// The folder that it is in.
    pub fn parent(&self) -> Self {
        Self(match &self.0 {
            Place::Disk(path) => Place::Disk(path.parent().unwrap_or(Path::new("")).to_owned()),
            #[cfg(feature = "object-store")]
            Place::Bucket(bucket, key) => {
                let parent = key.rsplit_once('/').map_or("", |(parent, _)| parent);
                Place::Bucket(Arc::clone(bucket), parent.to_owned())
            }
        })
    }

    /// Looks up the kind of thing that is there.
    ///
    /// # Errors
    /// If a store or the file system does not tell, or it is neither a file nor a folder, such as a pipe or a device.
    pub fn kind(&self) -> Result<Kind, LocationError> {
        match &self.0 {
            Place::Disk(path) => match fs::metadata(path) {
                Ok(about) if about.is_dir() => Ok(Kind::Folder),
                Ok(about) if about.is_file() => Ok(Kind::File),
                Ok(about) => {
                    let what = format!(
                        "is {}, neither a file nor a folder",
                        files::kind(about.file_type())
                    );
                    Err(LocationError::new(path.display(), Fault::Disk, what))
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(Kind::Absent),
                    _ => Err(LocationError::disk(path)(error)),
                },
            },
            #[cfg(feature = "object-store")]
            Place::Bucket(bucket, key) => bucket.kind(key),
        }
    }

    /// The files in this folder and, down to `levels` levels, in the folders in it, in order of their names. Links are
    /// followed, but not to a folder that they are in.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn files(&self, levels: usize) -> Result<Vec<Listed>, LocationError> {
        let mut found = match &self.0 {
            Place::Disk(path) => walk::files(path, levels)?,
            #[cfg(feature = "object-store")]
            Place::Bucket(bucket, key) => {
                let listed = bucket.below(key, levels)?.into_iter();
                let listed = listed.map(|(name, bytes)| Listed {
                    location: self.join(&name),
                    name,
                    bytes,
                });
                listed.collect()
            }
        };
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The sizes of files below this folder in bytes; 0 for what is not there.
    ///
    /// # Errors
    /// If a store does not tell.
    pub fn sizes(&self, names: &[&str]) -> Result<Vec<u64>, LocationError> {
        match &self.0 {
            Place::Disk(path) => {
                let size = |name: &&str| fs::metadata(path.join(name)).map_or(0, |about| about.len());
                Ok(names.iter().map(size).collect())
            }
            #[cfg(feature = "object-store")]
            Place::Bucket(bucket, _) => {
                let keys: Vec<Self> = names.iter().map(|name| self.join(name)).collect();
                let keys = keys.iter().filter_map(|key| match &key.0 {
                    Place::Bucket(_, key) => Some(key.as_str()),
                    Place::Disk(_) => None,
                });
                bucket.sizes(&keys.collect::<Vec<_>>())
            }
        }
    }

    /// Reads the whole file, of at most `most` bytes.
    ///
    /// # Errors
    /// If it cannot be read, is no regular file, or has more bytes.
    pub fn read(&self, most: u64) -> Result<Vec<u8>, LocationError> {
        self.reading(None, most).wait()
    }

    /// Asks for the whole file or a range of its bytes, of which there may be `most`. A store begins to send at once, so that several can be asked for
    /// before the first is waited for; a file of this machine is read when it is waited for.
    pub fn reading(&self, range: Option<Range<u64>>, most: u64) -> Reading {
        match &self.0 {
            Place::Disk(path) => Reading::file(path, range, most),
            #[cfg(feature = "object-store")]
            Place::Bucket(bucket, key) => Reading::object(bucket, key, range, most),
        }
    }

    /// A reader that goes to and fro in the file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn reader(&self) -> Result<Reader, LocationError> {
        match &self.0 {
            Place::Disk(path) => Reader::file(path),
            #[cfg(feature = "object-store")]
            Place::Bucket(bucket, key) => Reader::object(bucket, key),
        }
    }

    /// Puts a file there that is whole whenever it is seen, in place of what was there; a link stays one. A folder of this machine must exist.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, bytes: &[u8]) -> Result<(), LocationError> {
        match &self.0 {
            Place::Disk(path) => files::write(path, bytes).map_err(LocationError::disk(path)),
            #[cfg(feature = "object-store")]
            Place::Bucket(bucket, key) => bucket.put(key, bytes.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_listed_and_read_whole_and_in_parts() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = Location::from(folder.path().to_owned());
        fs::create_dir_all(folder.path().join("a/deep/deeper")).expect("made");
        for (name, text) in [("a/two", "0123456789"), ("one", "x"), ("a/deep/deeper/three", "")] {
            here.join(name).write(text.as_bytes()).expect("written");
        }
        let names = |levels| {
            let listed = here.files(levels).expect("listed");
            let told: Vec<(String, u64)> = listed.into_iter().map(|file| (file.name, file.bytes)).collect();
            told
        };
        assert_eq!(names(1), [("one".to_owned(), 1)]);
        assert_eq!(names(2), [("a/two".to_owned(), 10), ("one".to_owned(), 1)]);
        assert_eq!(here.sizes(&["a/two", "none"]), Ok(vec![10, 0]));
        let two = here.join("a").join("two");
        assert_eq!(two.kind(), Ok(Kind::File));
        assert_eq!(two.parent(), here.join("a"));
        assert_eq!(two.read(10).expect("read"), b"0123456789");
        assert_eq!(two.reading(Some(3..6), 3).wait().expect("read"), b"345");
        let error = two.reading(Some(8..12), 4).wait().expect_err("too short");
        assert!(
            error
                .to_string()
                .ends_with("two: the file ends after 2 of 4 bytes"),
            "{error}"
        );
        assert_eq!(error.fault, Fault::Disk);
        let error = two.reading(Some(2..8), 5).wait().expect_err("too large");
        assert!(
            error
                .to_string()
                .ends_with("has 6 bytes, and no more than 5 are read"),
            "{error}"
        );
    }

    #[test]
    fn urls_that_are_no_place_are_refused() {
        let error = |text: &str| Location::parse(text.into()).expect_err(text).to_string();
        assert!(error("https://example.org/x").contains("is not a place for files: expected a path"));
        #[cfg(not(feature = "object-store"))]
        assert!(error("s3://bucket/x").contains("built without object stores; `cargo build"));
        #[cfg(feature = "object-store")]
        {
            assert!(error("s3:///x").contains("BUCKET/KEY"));
            assert!(error("s3://bucket/a/../b").contains("a/../b"));
        }
    }
}

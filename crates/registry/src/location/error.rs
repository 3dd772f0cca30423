//! Errors of locations.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Text that does not name a location. Passwords and signatures in it are not shown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a place for files: {reason}")]
pub struct ParseLocationError {
    pub(super) text: String,
    pub(super) reason: String,
}

/// A location that could not be read or written.
#[derive(Clone, Debug)]
pub struct LocationError {
    place: String,
    /// The failure, with its causes.
    pub reason: String,
    /// The kind of failure.
    pub fault: Fault,
    /// The file system's error. A store's error is in `reason`, without the secrets that its own text may hold.
    source: Option<Arc<io::Error>>,
}

impl fmt::Display for LocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// Equal if they say the same: the error of the file system has no equality.
impl PartialEq for LocationError {
    fn eq(&self, other: &Self) -> bool {
        (&self.place, &self.reason, self.fault) == (&other.place, &other.reason, other.fault)
    }
}

impl Eq for LocationError {}

impl Error for LocationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_deref()?)
    }
}

/// Why a location could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bucket, the object or the part of it that was asked for is not there.
    Absent,
    /// The store wants other keys, or none were found.
    Forbidden,
    /// The network or the store failed, after several tries.
    Network,
    /// The file system said no.
    Disk,
}

impl LocationError {
    pub(crate) fn new(place: impl fmt::Display, fault: Fault, reason: impl Into<String>) -> Self {
        Self {
            place: place.to_string(),
            reason: reason.into(),
            fault,
            source: None,
        }
    }

    pub(crate) fn disk(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| {
            let failure = Self::new(path.display(), Fault::Disk, error.to_string());
            let source = Some(Arc::new(error));
            Self { source, ..failure }
        }
    }

    /// The failure of a [`Reader`](crate::Reader) that caused the error of its caller.
    pub fn behind(error: &io::Error) -> Option<&Self> {
        let inner = error.get_ref()?;
        match inner.downcast_ref() {
            Some(found) => Some(found),
            None => Self::behind(inner.source()?.downcast_ref()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_found_behind_the_errors_around_it() {
        let failure = LocationError::new("s3://b/x", Fault::Network, "cut");
        let around = io::Error::other(failure.clone());
        let found = LocationError::behind(&around).expect("found");
        assert_eq!(
            (found.fault, found.to_string()),
            (failure.fault, failure.to_string())
        );
        assert!(LocationError::behind(&io::Error::other("else")).is_none());
        let disk = LocationError::disk(Path::new("x"))(io::ErrorKind::NotFound.into());
        let source = disk
            .source()
            .and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.expect("kept").kind(), io::ErrorKind::NotFound);
    }
}

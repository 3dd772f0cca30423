use std::io::Write;
use std::path::Path;

use reqwest::blocking::Client;
use sha2::{Digest as _, Sha256};

use crate::http::{Body, HttpError};
use crate::partial::{NewFolders, Partial, folder_of};
use crate::verify::{check, expected_bytes};
use crate::{Artifact, Digest, FetchError, Pin, Progress};

/// One try at one file.
pub(crate) struct Download<'a> {
    pub(crate) path: &'a Path,
    pub(crate) artifact: &'a Artifact,
    pub(crate) pin: Option<Pin>,
    pub(crate) progress: &'a dyn Progress,
}

/// Why a try failed, and whether another may help.
pub(crate) struct Stop {
    pub(crate) error: FetchError,
    pub(crate) passing: bool,
}

impl From<FetchError> for Stop {
    fn from(error: FetchError) -> Self {
        Self {
            error,
            passing: false,
        }
    }
}

/// Verified bytes that wait beside their path. Dropped, they leave nothing behind.
pub(crate) struct Ready<'a> {
    /// What the bytes are.
    pub(crate) pin: Pin,
    path: &'a Path,
    // Dropped in this order: a folder must be empty to be removed.
    partial: Partial,
    folders: NewFolders,
}

impl Ready<'_> {
    /// Makes the file what the cache holds.
    pub(crate) fn publish(self) -> Result<(), FetchError> {
        let published = self.partial.publish();
        published.map_err(|source| FetchError::disk(self.path, source))?;
        self.folders.keep();
        Ok(())
    }
}

impl<'a> Download<'a> {
    /// Brings the bytes next to where they are to lie, and checks them.
    pub(crate) fn run(&self, client: &Client) -> Result<Ready<'a>, Stop> {
        let mut body = Body::open(client, &self.artifact.url).map_err(|error| self.http(error))?;
        let expected = expected_bytes(self.artifact, self.pin);
        if let (Some(expected), Some(length)) = (expected, body.length)
            && expected != length
        {
            return Err(self
                .wrong_size(expected, format!("{length} bytes announced"))
                .into());
        }
        self.progress.started(expected.or(body.length));
        let disk = |source| FetchError::disk(self.path, source);
        let folders = NewFolders::create(folder_of(self.path)).map_err(disk)?;
        let mut partial = Partial::create(self.path).map_err(disk)?;
        let pin = self.stream(&mut body, &mut partial, expected)?;
        check(&self.artifact.url, self.artifact, self.pin, pin)?;
        Ok(Ready {
            pin,
            path: self.path,
            partial,
            folders,
        })
    }

    /// Writes the body and hashes it on the way, stopping where it grows longer than expected.
    fn stream(&self, body: &mut Body, file: &mut Partial, expected: Option<u64>) -> Result<Pin, Stop> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        let mut bytes = 0;
        loop {
            let read = body.read(&mut buffer).map_err(|error| self.http(error))?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            if let Some(expected) = expected.filter(|expected| bytes > *expected) {
                return Err(self.wrong_size(expected, "more".into()).into());
            }
            hasher.update(&buffer[..read]);
            let written = file.write_all(&buffer[..read]);
            written.map_err(|source| FetchError::disk(self.path, source))?;
            self.progress.advanced(read as u64);
        }
        match expected.filter(|expected| bytes < *expected) {
            // Without an announced length a connection that broke looks like the end of the file.
            Some(expected) => Err(Stop {
                error: self.wrong_size(expected, format!("{bytes} bytes")),
                passing: true,
            }),
            None if bytes == 0 => Err(self.http(HttpError::lasting("the server sends an empty file"))),
            None => Ok(Pin {
                bytes,
                sha256: Digest(hasher.finalize().into()),
            }),
        }
    }

    fn http(&self, error: HttpError) -> Stop {
        Stop {
            error: FetchError::Network {
                url: self.artifact.url.clone(),
                reason: error.reason,
            },
            passing: error.passing,
        }
    }

    fn wrong_size(&self, expected: u64, actual: String) -> FetchError {
        FetchError::Mismatch {
            subject: self.artifact.url.clone(),
            said_by: if self.pin.is_some() {
                "zoo.lock"
            } else {
                "zoo.toml"
            },
            expected: format!("{expected} bytes"),
            actual,
        }
    }
}

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use reqwest::Url;
use serde::{Deserialize, Serialize};

#[cfg(feature = "object-store")]
use crate::bucket::Bucket;
use crate::download::{Offer, Stated};
use crate::http::{Http, is_loopback};
#[cfg(feature = "object-store")]
use crate::secrets::scrubbed;
use crate::secrets::{scheme, shown, shown_text};
use crate::source::{Source, read_small};
use crate::{Artifact, Digest};

/// A copy of weights elsewhere: `sha256/<digest>` as in the cache, and an `index.json` that names them.
///
/// Any folder is one, and any server that hands out the files of such a folder.
#[derive(Clone, PartialEq, Eq)]
pub struct Mirror(pub(crate) Base);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Base {
    Web(Url),
    Folder(PathBuf),
    #[cfg(feature = "object-store")]
    Bucket(Bucket),
}

/// Text that does not name a mirror. Passwords and signatures in it are not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a mirror: {reason}")]
pub struct ParseMirrorError {
    text: String,
    reason: String,
}

impl ParseMirrorError {
    fn new(text: &str, reason: impl Into<String>) -> Self {
        Self {
            text: shown_text(text),
            reason: reason.into(),
        }
    }
}

/// The index of a mirror.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) schema: String,
    pub(crate) version: u32,
    pub(crate) files: Vec<Entry>,
}

/// One file of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The publisher's URL.
    pub(crate) url: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// Its path in the mirror.
    pub(crate) path: String,
}

pub(crate) const SCHEMA: &str = "hrnet-zoo/mirror";
pub(crate) const VERSION: u32 = 1;
/// The most an index may weigh, in bytes.
pub(crate) const LONGEST_INDEX: u64 = 16 << 20;

impl std::str::FromStr for Mirror {
    type Err = ParseMirrorError;

    /// Takes an http or https URL, a `file://` URL, or a path; with the feature `object-store` also `s3://`, `gs://` and
    /// `az://`.
    fn from_str(text: &str) -> Result<Self, ParseMirrorError> {
        let fail = |reason: &str| Err(ParseMirrorError::new(text, reason));
        if text.is_empty() {
            return fail("expected a URL or a folder");
        }
        // A drive letter is no scheme.
        let Some(scheme) = scheme(text) else {
            return Ok(Self(Base::Folder(PathBuf::from(text))));
        };
        let Ok(mut url) = Url::parse(text) else {
            return fail("the URL cannot be read");
        };
        match scheme {
            "file" => match url.to_file_path() {
                Ok(path) => Ok(Self(Base::Folder(path))),
                Err(()) => fail("expected file:///FOLDER"),
            },
            "http" | "https" if !url.path().ends_with('/') => {
                url.set_path(&format!("{}/", url.path()));
                Ok(Self(Base::Web(url)))
            }
            "http" | "https" => Ok(Self(Base::Web(url))),
            #[cfg(feature = "object-store")]
            "s3" | "gs" | "az" => Self::bucket(text, &[]),
            #[cfg(not(feature = "object-store"))]
            "s3" | "gs" | "az" => {
                fail("this program was built without object stores, the feature `object-store`")
            }
            _ => fail(
                "expected http, https, file or a folder; a folder with a colon in its name is written ./NAME",
            ),
        }
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Base::Web(url) => f.write_str(&shown(url)),
            Base::Folder(folder) => write!(f, "{}", folder.display()),
            #[cfg(feature = "object-store")]
            Base::Bucket(bucket) => write!(f, "{bucket}"),
        }
    }
}

impl Mirror {
    /// Takes what the text form takes, and paths that are no UTF-8.
    ///
    /// # Errors
    /// If it names no mirror.
    pub fn parse(text: OsString) -> Result<Self, ParseMirrorError> {
        match text.into_string() {
            Ok(text) => text.parse(),
            Err(path) => Ok(Self(Base::Folder(path.into()))),
        }
    }

    /// Returns whether it is a folder of this machine: one that needs no network.
    pub fn is_folder(&self) -> bool {
        matches!(self.0, Base::Folder(_))
    }

    /// A prefix of a bucket, with settings beside those of the environment, such as `aws_endpoint`.
    ///
    /// # Errors
    /// If the URL or a setting makes no sense.
    #[cfg(feature = "object-store")]
    pub fn bucket(url: &str, settings: &[(&str, &str)]) -> Result<Self, ParseMirrorError> {
        let bucket = Bucket::open(url, settings)
            .map_err(|error| ParseMirrorError::new(url, scrubbed(&error.to_string())))?;
        Ok(Self(Base::Bucket(bucket)))
    }

    /// Its source of this file; `None` if it cannot say.
    fn at(&self, path: &str) -> Option<Source> {
        match &self.0 {
            Base::Web(url) => {
                let mut url = url.clone();
                url.set_path(&format!("{}{path}", url.path()));
                Some(Source::Web(url))
            }
            Base::Folder(folder) => Some(Source::Disk(folder.join(path))),
            #[cfg(feature = "object-store")]
            Base::Bucket(bucket) => bucket.signed(path).ok().map(Source::Web),
        }
    }

    /// Its offer for a weight source. Content that nobody vouches for yet is looked up in its index, which nobody on the way may
    /// change: over plain http it is not looked up at all.
    pub(crate) fn offer(&self, http: &Http, artifact: &Artifact, content: Option<Digest>) -> Option<Offer> {
        if let Some(digest) = content {
            return Some(Offer::of(self.at(&path_of(digest))?));
        }
        let plain = matches!(&self.0, Base::Web(url) if url.scheme() == "http" && !is_loopback(url));
        if plain {
            return None;
        }
        let index = read_small(&self.at("index.json")?, http, LONGEST_INDEX).ok()?;
        let index: Index = serde_json::from_slice(&index).ok()?;
        let known = index.schema == SCHEMA && index.version == VERSION;
        let mut entries = index.files.into_iter().filter(|_| known);
        let entry = entries.find(|entry| entry.url == artifact.url)?;
        let sha256 = entry.sha256.parse().ok()?;
        Some(Offer {
            stated: Some(Stated {
                sha256,
                bytes: Some(entry.bytes),
                by: "the mirror",
            }),
            ..Offer::of(self.at(&path_of(sha256))?)
        })
    }
}

/// The path of this content in a mirror.
pub(crate) fn path_of(content: Digest) -> String {
    format!("sha256/{content}")
}

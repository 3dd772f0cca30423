use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::download::Offer;
use crate::expect::check;
use crate::hashing::hash;
use crate::http::{Http, is_loopback};
use crate::source::{Source, read_small, shown};
use crate::whole::{Whole, folder_of, open_regular};
use crate::{Artifact, Cache, Digest, FetchError, Lock, Pin};

/// A copy of weights elsewhere: `sha256/<digest>` as in the cache, and an `index.json` that names them.
///
/// Any folder is one, and any server that hands out the files of such a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror(Base);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Base {
    Web(Url),
    Folder(PathBuf),
}

/// Text that names no mirror.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no mirror: {reason}")]
pub struct ParseMirrorError {
    text: String,
    reason: &'static str,
}

/// What a mirror holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) schema: String,
    pub(crate) version: u32,
    pub(crate) files: Vec<Entry>,
}

/// One file of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Where the publisher has it.
    pub(crate) url: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// Where the mirror has it.
    pub(crate) path: String,
}

pub(crate) const SCHEMA: &str = "hrnet-zoo/mirror";
pub(crate) const VERSION: u32 = 1;
/// The most an index may weigh, in bytes.
const LONGEST_INDEX: u64 = 16 << 20;

impl std::str::FromStr for Mirror {
    type Err = ParseMirrorError;

    /// Takes an http or https URL, a `file://` URL, or a path.
    fn from_str(text: &str) -> Result<Self, ParseMirrorError> {
        let fail = |reason| {
            Err(ParseMirrorError {
                text: text.to_owned(),
                reason,
            })
        };
        if text.is_empty() {
            return fail("expected a URL or a folder");
        }
        // A drive letter is no scheme.
        let Some((scheme, _)) = text.split_once("://") else {
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
            _ => fail("expected http, https, file or a folder"),
        }
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Base::Web(url) => f.write_str(&shown(url)),
            Base::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl Mirror {
    /// Whether it is a folder of this machine: one that needs no network.
    pub fn is_folder(&self) -> bool {
        matches!(self.0, Base::Folder(_))
    }

    fn at(&self, path: &str) -> Source {
        match &self.0 {
            Base::Web(url) => {
                let mut url = url.clone();
                url.set_path(&format!("{}{path}", url.path()));
                Source::Web(url)
            }
            Base::Folder(folder) => Source::Disk(folder.join(path)),
        }
    }

    /// What it has to offer for a weight source. Content that nobody vouches for yet is looked up in its index, which
    /// nobody on the way may change: over plain http that means not at all.
    pub(crate) fn offer(&self, http: &Http, artifact: &Artifact, content: Option<Digest>) -> Option<Offer> {
        if let Some(digest) = content {
            return Some(Offer {
                source: self.at(&path_of(digest)),
                content: None,
            });
        }
        let plain = matches!(&self.0, Base::Web(url) if url.scheme() == "http" && !is_loopback(url));
        if plain {
            return None;
        }
        let index = read_small(&self.at("index.json"), http, LONGEST_INDEX).ok()?;
        let index: Index = serde_json::from_slice(&index).ok()?;
        let known = index.schema == SCHEMA && index.version == VERSION;
        let mut entries = index.files.into_iter().filter(|_| known);
        let entry = entries.find(|entry| entry.url == artifact.url)?;
        let content = Pin {
            bytes: entry.bytes,
            sha256: entry.sha256.parse().ok()?,
        };
        Some(Offer {
            source: self.at(&path_of(content.sha256)),
            content: Some(content),
        })
    }
}

/// Where a mirror has this content.
pub(crate) fn path_of(content: Digest) -> String {
    format!("sha256/{content}")
}

/// One file that a mirror was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// Where the publisher has it.
    pub url: String,
    /// What it is.
    pub pin: Pin,
    /// Whether it was copied now; otherwise the mirror had it.
    pub copied: bool,
}

/// Copies the cached files of these weight sources into a folder, verified on the way, and tells of them in the
/// folder's index beside what that named already. Sources that are not in the cache are left out.
///
/// # Errors
/// If a cached file is not what it should be, or the folder cannot be written; each of its files is whole even then.
pub fn mirror_to_folder(
    cache: &Cache,
    artifacts: &[&Artifact],
    lock: &Lock,
    folder: &Path,
) -> Result<Vec<Mirrored>, FetchError> {
    let mut mirrored = Vec::new();
    for artifact in artifacts {
        let Some(file) = cache.verify(artifact, lock, false)? else {
            continue;
        };
        let path = folder.join(path_of(file.pin.sha256));
        let disk = |source| FetchError::disk(&path, source);
        let copied = !holds(&path, file.pin).map_err(disk)?;
        if copied {
            let found = copy(&file.path, &path).map_err(disk)?;
            check(
                &file.path.display().to_string(),
                artifact,
                lock.pin(&artifact.url),
                found,
            )?;
        }
        mirrored.push(Mirrored {
            url: artifact.url.clone(),
            pin: file.pin,
            copied,
        });
    }
    let path = folder.join("index.json");
    write_index(&path, &mirrored).map_err(|source| FetchError::disk(&path, source))?;
    Ok(mirrored)
}

/// Whether the file is there with these bytes.
fn holds(path: &Path, pin: Pin) -> io::Result<bool> {
    match open_regular(path) {
        Ok(mut file) => Ok(hash(&mut file)? == pin),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Copies a file, whole or not at all, if its name says what its bytes are; returns what they are.
fn copy(from: &Path, to: &Path) -> io::Result<Pin> {
    let mut source = open_regular(from)?;
    fs::create_dir_all(folder_of(to))?;
    let mut target = Whole::create(to)?;
    io::copy(&mut source, &mut target)?;
    let found = target.read_back()?;
    if to.ends_with(found.sha256.to_string()) {
        target.publish()?;
    }
    Ok(found)
}

/// Adds entries to an index; one that cannot be understood is made anew.
fn write_index(path: &Path, mirrored: &[Mirrored]) -> io::Result<()> {
    let text = fs::read(path).unwrap_or_default();
    let old = serde_json::from_slice(&text).ok();
    let text = index_with(old, mirrored);
    fs::create_dir_all(folder_of(path))?;
    let mut file = Whole::create(path)?;
    file.write_all(text.as_bytes())?;
    file.publish()
}

/// The text of an index with these files in place of what it said of the same URLs.
pub(crate) fn index_with(old: Option<Index>, mirrored: &[Mirrored]) -> String {
    let old = old.filter(|index| index.schema == SCHEMA && index.version == VERSION);
    let mut files = old.map(|index| index.files).unwrap_or_default();
    files.retain(|entry| mirrored.iter().all(|file| file.url != entry.url));
    files.extend(mirrored.iter().map(|file| Entry {
        url: file.url.clone(),
        bytes: file.pin.bytes,
        sha256: file.pin.sha256.to_string(),
        path: path_of(file.pin.sha256),
    }));
    files.sort_by(|a, b| a.url.cmp(&b.url));
    let index = Index {
        schema: SCHEMA.into(),
        version: VERSION,
        files,
    };
    serde_json::to_string_pretty(&index).expect("strings and numbers") + "\n"
}

//! Making mirrors.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::expect::check;
use crate::hashing::hash;
use crate::mirror::{Base, Entry, Index, LONGEST_INDEX, Mirror, SCHEMA, VERSION, path_of};
use crate::whole::{read_back, read_text};
use crate::{Artifact, Cache, FetchError, Lock, Pin, Verified};
use files::{Whole, folder_of, open_regular};

/// One file that a mirror was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// The publisher's URL.
    pub url: String,
    /// Its size and digest.
    pub pin: Pin,
    /// It was copied now; otherwise the mirror had it.
    pub copied: bool,
}

/// Copies the cached files of these weight sources to a folder or a bucket, verified on the way, and lists them in its
/// index beside what that named already. Sources that are not in the cache are left out, and so are files that a manifest names
/// by their paths: the author of a manifest does not choose what is handed out.
///
/// # Errors
/// If a cached file is not what it should be, or the mirror cannot be written; each of its files is whole even then.
pub fn mirror_to(
    target: &Mirror,
    cache: &Cache,
    artifacts: &[&Artifact],
    lock: &Lock,
) -> Result<Vec<Mirrored>, FetchError> {
    let mut mirrored = Vec::new();
    for artifact in artifacts.iter().filter(|artifact| artifact.local.is_none()) {
        let Some(file) = cache.verify(artifact, lock, false)? else {
            continue;
        };
        let (found, copied) = copy(target, &file)?;
        check(
            &file.path.display().to_string(),
            artifact,
            lock.pin(&artifact.url),
            found,
        )?;
        mirrored.push(Mirrored {
            url: artifact.url.clone(),
            pin: file.pin,
            copied,
        });
    }
    if !mirrored.is_empty() {
        write_index(target, &mirrored)?;
    }
    Ok(mirrored)
}

/// Copies a cached file unless the mirror has it; returns what was found on the way and whether it was copied.
fn copy(target: &Mirror, file: &Verified) -> Result<(Pin, bool), FetchError> {
    let name = path_of(file.pin.sha256);
    match &target.0 {
        Base::Web(_) => Err(FetchError::Network {
            url: target.to_string(),
            reason: "a web server is not written to: expected a folder or a bucket".into(),
        }),
        Base::Folder(folder) => {
            let path = folder.join(name);
            copy_file(file, &path).map_err(|source| FetchError::disk(&path, source))
        }
        #[cfg(feature = "object-store")]
        Base::Bucket(bucket) => {
            let network = |reason: String| FetchError::Network {
                url: bucket.name(&name),
                reason,
            };
            let held = bucket.holds(&name, file.pin.bytes);
            if held.map_err(|error| network(error.to_string()))? {
                return Ok((file.pin, false));
            }
            let mut from = open_regular(&file.path).map_err(|source| FetchError::disk(&file.path, source))?;
            let put = bucket.put_file(&name, &mut from, file.pin);
            Ok((put.map_err(|error| network(error.to_string()))?, true))
        }
    }
}

/// Copies a file, whole or not at all, if it is what it should be.
fn copy_file(file: &Verified, to: &Path) -> io::Result<(Pin, bool)> {
    if holds(to, file.pin)? {
        return Ok((file.pin, false));
    }
    let mut source = open_regular(&file.path)?;
    fs::create_dir_all(folder_of(to))?;
    let mut target = Whole::create(to)?;
    io::copy(&mut source, &mut target)?;
    let found = read_back(&target)?;
    if found == file.pin {
        target.publish()?;
    }
    Ok((found, true))
}

/// Returns whether the file is there with these bytes.
fn holds(path: &Path, pin: Pin) -> io::Result<bool> {
    match open_regular(path) {
        Ok(mut file) => Ok(hash(&mut file)? == pin),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Adds files to an index; one that cannot be understood is made anew.
fn write_index(target: &Mirror, mirrored: &[Mirrored]) -> Result<(), FetchError> {
    match &target.0 {
        Base::Web(_) => Ok(()),
        Base::Folder(folder) => {
            let path = folder.join("index.json");
            let write = || {
                let old = read_text(&path, LONGEST_INDEX).unwrap_or_default();
                let text = index_with(old.as_bytes(), mirrored);
                let mut file = Whole::output(&path)?;
                file.write_all(text.as_bytes())?;
                file.publish()
            };
            write().map_err(|source| FetchError::disk(&path, source))
        }
        #[cfg(feature = "object-store")]
        Base::Bucket(bucket) => {
            let write = || {
                let old = bucket.text("index.json")?.unwrap_or_default();
                bucket.put_text("index.json", index_with(&old, mirrored))
            };
            write().map_err(|error| FetchError::Network {
                url: bucket.name("index.json"),
                reason: error.to_string(),
            })
        }
    }
}

/// The text of an index with these files in place of what it said of the same URLs.
fn index_with(old: &[u8], mirrored: &[Mirrored]) -> String {
    let old: Option<Index> = serde_json::from_slice(old).ok();
    let old = old.filter(|index| index.schema == SCHEMA && index.version == VERSION);
    let named = |file: &Entry| mirrored.iter().any(|new| new.url == file.url);
    // Who reads an index may take its paths for paths: somebody else's are not passed on.
    let kept = old.map(|index| index.files).unwrap_or_default().into_iter();
    let kept = kept.filter(|file| !named(file)).filter_map(|file| {
        let path = path_of(file.sha256.parse().ok()?);
        Some(Entry { path, ..file })
    });
    let mut files: Vec<Entry> = kept.collect();
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

//! Which manifests have their weights in a cache, so that one project's cleaning does not remove another's files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use files::Whole;
use serde::{Deserialize, Serialize};

use crate::cache::{Cache, entries};
use crate::lock::LONGEST;
use crate::whole::{make_folder, open_within, read_text};
use crate::{Digest, Known, Lock, Zoo};

/// Whose content each digest is: `HRNet_W18_C timm`, nothing where only a pin names it.
pub type Names = BTreeMap<Digest, Vec<String>>;

/// Whose each content is, by a manifest and its lock. A pin of a URL that the manifest has no longer keeps its file.
pub fn named_by(zoo: &Zoo, lock: &Lock) -> Names {
    let mut names = Names::new();
    for (_, pin) in lock.pins() {
        names.entry(pin.sha256).or_default();
    }
    for variant in &zoo.variants {
        for artifact in &variant.artifacts {
            let pinned = lock.pin(&artifact.url).map(|pin| pin.sha256);
            let declared = match &artifact.known {
                Known::Full(digest) => Some(*digest),
                Known::Prefix(_) | Known::Nothing => None,
            };
            if let Some(digest) = pinned.or(declared) {
                let name = format!("{} {}", variant.name, artifact.id);
                names.entry(digest).or_default().push(name);
            }
        }
    }
    names
}

/// A manifest that uses a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its file.
    pub manifest: PathBuf,
    /// What it and its lock name: as they are now, or as they were last seen where they cannot be read any more.
    pub names: Names,
    /// How it was found.
    pub state: UserState,
    note: PathBuf,
}

/// How a manifest that uses a cache was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserState {
    /// It is there.
    There,
    /// There is no such file any more.
    Gone,
    /// It is there and cannot be read, for this reason.
    Unreadable(String),
}

/// What the cache notes of a manifest.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    manifest: PathBuf,
    lock: PathBuf,
    names: BTreeMap<String, Vec<String>>,
}

impl Cache {
    fn users_folder(&self) -> PathBuf {
        self.root().join("users")
    }

    /// Notes that the manifest at this path, with this lock, has weights in the cache. Nothing is noted where it names no file
    /// that is there.
    ///
    /// # Errors
    /// If the note cannot be written, or the paths are no text.
    pub fn remember(&self, manifest: &Path, zoo: &Zoo, lock: &Lock) -> io::Result<()> {
        let names = named_by(zoo, lock);
        if !names
            .keys()
            .any(|digest| fs::symlink_metadata(self.path(*digest)).is_ok())
        {
            return Ok(());
        }
        let note = Note {
            manifest: std::path::absolute(manifest)?,
            lock: std::path::absolute(lock.path())?,
            names: names
                .into_iter()
                .map(|(digest, names)| (digest.to_string(), names))
                .collect(),
        };
        let text = serde_json::to_string_pretty(&note).map_err(io::Error::other)? + "\n";
        let folder = self.users_folder();
        make_folder(&folder)?;
        let name = Digest::of(note.manifest.as_os_str().as_encoded_bytes()).to_string();
        if read_within(&folder, &name).is_ok_and(|there| there == text) {
            return Ok(());
        }
        let mut file = Whole::create(&folder.join(name))?;
        file.write_all(text.as_bytes())?;
        file.place()
    }

    /// The manifests that use the cache, by path. Notes that are none are passed over: they may keep files, and name nothing
    /// that is removed.
    ///
    /// # Errors
    /// If the folder of notes is there and cannot be read.
    pub fn users(&self) -> io::Result<Vec<User>> {
        let mut users: Vec<User> = entries(&self.users_folder())?
            .into_iter()
            .filter_map(|entry| self.user(entry.file_name().to_str()?))
            .collect();
        users.sort_by(|a, b| a.manifest.cmp(&b.manifest));
        Ok(users)
    }

    fn user(&self, name: &str) -> Option<User> {
        let folder = self.users_folder();
        let text = read_within(&folder, name).ok()?;
        let note: Note = serde_json::from_str(&text).ok()?;
        let seen = note.names.into_iter();
        let seen: Names = seen
            .filter_map(|(digest, names)| Some((digest.parse().ok()?, names)))
            .collect();
        let (names, state) = match now(&note.manifest, &note.lock) {
            Ok(Some(names)) => (names, UserState::There),
            Ok(None) => (seen, UserState::Gone),
            Err(reason) => (seen, UserState::Unreadable(reason)),
        };
        Some(User {
            manifest: note.manifest,
            names,
            state,
            note: folder.join(name),
        })
    }

    /// Forgets that a manifest uses the cache.
    ///
    /// # Errors
    /// If the note cannot be removed.
    pub fn forget(&self, user: &User) -> io::Result<()> {
        make_folder(&self.users_folder())?;
        fs::remove_file(&user.note)
    }
}

/// The text of a file of a folder of the cache.
fn read_within(folder: &Path, name: &str) -> io::Result<String> {
    io::read_to_string(open_within(folder, name)?.take(LONGEST))
}

/// What a manifest and its lock name now; nothing if the manifest is gone.
fn now(manifest: &Path, lock: &Path) -> Result<Option<Names>, String> {
    let text = match read_text(manifest, LONGEST) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    // Nothing is opened, so that its paths may lead anywhere.
    let everywhere: Vec<PathBuf> = manifest
        .ancestors()
        .last()
        .map(Path::to_owned)
        .into_iter()
        .collect();
    let zoo = Zoo::parse_with(&text, manifest, &everywhere).map_err(|error| first(error.to_string()))?;
    let lock = Lock::open(lock).map_err(|error| first(error.to_string()))?;
    Ok(Some(named_by(&zoo, &lock)))
}

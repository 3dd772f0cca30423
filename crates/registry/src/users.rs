//! Which manifests have their weights in a cache, so that one project's cleaning does not remove another's files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use files::Whole;
use serde::{Deserialize, Serialize};

use crate::cache::{Cache, entries};
use crate::contents::source;
use crate::lock::LONGEST;
use crate::whole::{make_folder, open_within, read_text};
use crate::{Artifact, Digest, Known, Lock, Zoo};

/// The weight sources that have each content, as `HRNet_W18_C timm`; none if only a pin names it.
pub type Names = BTreeMap<Digest, Vec<String>>;

/// Returns the contents that a manifest and its lock name by digest. A pin of a URL that the manifest no longer has keeps its
/// file.
fn stated_by(zoo: &Zoo, lock: &Lock) -> Names {
    let mut names = Names::new();
    for (_, pin) in lock.pins() {
        names.entry(pin.sha256).or_default();
    }
    for (name, artifact) in sources(zoo) {
        if let Some(digest) = stated(artifact, lock) {
            names.entry(digest).or_default().push(name);
        }
    }
    names
}

/// Returns every weight source with its name here, as `HRNet_W18_C timm`.
fn sources(zoo: &Zoo) -> impl Iterator<Item = (String, &Artifact)> {
    zoo.variants.iter().flat_map(|variant| {
        let artifacts = variant.artifacts.iter();
        artifacts.map(|artifact| (format!("{} {}", variant.name, artifact.id), artifact))
    })
}

/// Returns the digest that the lock or the manifest states for a source.
fn stated(artifact: &Artifact, lock: &Lock) -> Option<Digest> {
    let pinned = lock.pin(&artifact.url).map(|pin| pin.sha256);
    pinned.or(match &artifact.known {
        Known::Full(digest) => Some(*digest),
        Known::Prefix(_) | Known::Nothing => None,
    })
}

/// Returns whether a source is a file of this machine whose digest nothing states: only the file itself says what it holds.
fn is_open(artifact: &Artifact, lock: &Lock) -> bool {
    artifact.local.is_some() && stated(artifact, lock).is_none()
}

/// A manifest that uses a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its file.
    pub manifest: PathBuf,
    /// The contents that it and its lock name: as they are now, or as last seen if they cannot be read any more.
    pub names: Names,
    /// Its state.
    pub state: UserState,
    note: PathBuf,
}

/// The state of a manifest that uses a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserState {
    /// It is there.
    There,
    /// There is no such file any more.
    Gone,
    /// It is there and cannot be read, for this reason.
    Unreadable(String),
}

/// The cache's note on a manifest.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    manifest: PathBuf,
    lock: PathBuf,
    names: BTreeMap<String, Vec<String>>,
}

impl Note {
    /// The contents that it names, without keys that are no digests.
    fn digests(&self) -> Names {
        let names = self.names.iter();
        names
            .filter_map(|(digest, names)| Some((digest.parse().ok()?, names.clone())))
            .collect()
    }
}

/// The contents that a source of this name had.
fn last_seen(seen: &Names, source: &str) -> Vec<Digest> {
    let had = |names: &[String]| names.iter().any(|name| name == source);
    let seen = seen.iter().filter(|(_, names)| had(names));
    seen.map(|(digest, _)| *digest).collect()
}

impl Cache {
    fn users_folder(&self) -> PathBuf {
        self.root().join("users")
    }

    /// The contents that a manifest and its lock name. A file of this machine whose digest neither states counts as what it
    /// holds now; it is read if nobody noted that.
    pub fn named_by(&self, zoo: &Zoo, lock: &Lock) -> Names {
        let mut names = stated_by(zoo, lock);
        for (name, artifact) in sources(zoo).filter(|(_, artifact)| is_open(artifact, lock)) {
            // A file that cannot be read has no copy that could be used.
            if let Ok(Some(file)) = self.open(artifact, lock, false) {
                names.entry(file.pin.sha256).or_default().push(name);
            }
        }
        names
    }

    /// Notes that the manifest at this path, with this lock, uses files of the cache: weights, or copies prepared from its own
    /// files. Without such a file nothing is noted. No weights are read: `used` is a source that was just opened, with the digest
    /// of its file. Other files of this machine whose digest nothing states count as what they held when they were last read.
    ///
    /// # Errors
    /// If the note cannot be written, or the paths are not text.
    pub fn remember(
        &self,
        manifest: &Path,
        zoo: &Zoo,
        lock: &Lock,
        used: Option<(&Artifact, Digest)>,
    ) -> io::Result<()> {
        let manifest = std::path::absolute(manifest)?;
        let name = Digest::of(manifest.as_os_str().as_encoded_bytes()).to_string();
        let names = self.last_known(zoo, lock, used, &self.seen(&name));
        let held = entries(&self.published())?;
        let uses = |entry: &fs::DirEntry| {
            let digest = entry.file_name().to_str().and_then(source);
            digest.is_some_and(|digest| names.contains_key(&digest))
        };
        if !held.iter().any(uses) {
            return Ok(());
        }
        let note = Note {
            manifest,
            lock: std::path::absolute(lock.path())?,
            names: names
                .into_iter()
                .map(|(digest, names)| (digest.to_string(), names))
                .collect(),
        };
        let text = serde_json::to_string_pretty(&note).map_err(io::Error::other)? + "\n";
        let folder = self.users_folder();
        make_folder(&folder)?;
        if read_within(&folder, &name).is_ok_and(|there| there == text) {
            return Ok(());
        }
        let mut file = Whole::create(&folder.join(name))?;
        file.write_all(text.as_bytes())?;
        file.place()
    }

    /// The contents that a manifest and its lock name, as [`Cache::remember`] notes them.
    fn last_known(&self, zoo: &Zoo, lock: &Lock, used: Option<(&Artifact, Digest)>, seen: &Names) -> Names {
        let mut names = stated_by(zoo, lock);
        for (name, artifact) in sources(zoo).filter(|(_, artifact)| is_open(artifact, lock)) {
            let used = used.filter(|(used, _)| used.local == artifact.local);
            let known = used
                .map(|(_, digest)| digest)
                .or_else(|| self.noted_digest(artifact.local.as_ref()?));
            let digests = match known {
                Some(digest) => vec![digest],
                None => last_seen(seen, &name),
            };
            for digest in digests {
                names.entry(digest).or_default().push(name.clone());
            }
        }
        names
    }

    /// The contents in the note of this name; none if there is no such note.
    fn seen(&self, name: &str) -> Names {
        let text = read_within(&self.users_folder(), name).unwrap_or_default();
        let note: Option<Note> = serde_json::from_str(&text).ok();
        note.map(|note| note.digests()).unwrap_or_default()
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
        let seen = note.digests();
        let (names, state) = match now(&note.manifest, &note.lock, &seen) {
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

/// The contents that a manifest and its lock name now; `None` if the manifest is gone. Files of this machine are not opened:
/// those whose digest nothing states count as what they held when they were `seen` last.
fn now(manifest: &Path, lock: &Path, seen: &Names) -> Result<Option<Names>, String> {
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
    let mut names = stated_by(&zoo, &lock);
    for (name, _) in sources(&zoo).filter(|(_, artifact)| is_open(artifact, &lock)) {
        for digest in last_seen(seen, &name) {
            names.entry(digest).or_default().push(name.clone());
        }
    }
    Ok(Some(names))
}

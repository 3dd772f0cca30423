use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TomlError, Value, value};

use crate::blocks::SideFile;
use crate::whole::read_text;
use crate::{Cache, Digest, Extends, ManifestError};
use files::{Whole, folder_of};

/// The size and digest of each URL's content at its first download, enforced from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    path: PathBuf,
    pins: BTreeMap<String, Entry>,
    /// The pins of another lock: in force where this one has none, and not written here.
    inherited: BTreeMap<String, Entry>,
}

/// A pin, and by whose word it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    pin: Pin,
    by: PinnedBy,
}

/// By whose word a URL's content was pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinnedBy {
    /// Nobody's: the first download was trusted, as far as `zoo.toml` does not state a digest.
    FirstDownload,
    /// The publisher's: its server stated the digest before the first download, which had it.
    Publisher,
}

/// The size and digest of one URL's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Exact size.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub sha256: Digest,
}

/// The version of `zoo.lock` that this program reads and writes.
const VERSION: u32 = 1;
/// The most bytes that a lock or its side file may have.
pub(crate) const LONGEST: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLock {
    version: Spanned<u32>,
    #[serde(default)]
    artifact: Vec<WirePin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePin {
    url: Spanned<String>,
    bytes: u64,
    sha256: Spanned<String>,
    stated_by: Option<StatedBy>,
}

/// The one who stated a digest, if anyone did.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StatedBy {
    Publisher,
}

impl Lock {
    /// The name of the file, beside the manifest or in the cache.
    pub const NAME: &str = "zoo.lock";

    /// The lock at `path`; a file that does not exist is an empty lock.
    ///
    /// # Errors
    /// If the file cannot be read or is not valid.
    pub fn open(path: &Path) -> Result<Self, ManifestError> {
        match read_text(path, LONGEST) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self {
                path: path.to_owned(),
                pins: BTreeMap::new(),
                inherited: BTreeMap::new(),
            }),
            Err(error) => Err(ManifestError::unreadable(path, error)),
        }
    }

    /// The lock in force for a manifest: `zoo.lock` beside it; for the built-in manifest, which has no file, the one in the cache,
    /// which is in force, too, if a manifest extends the built-in one.
    ///
    /// # Errors
    /// If a file cannot be read or is not valid.
    pub fn in_force(cache: &Cache, manifest: Option<&Path>, extends: Extends) -> Result<Self, ManifestError> {
        let builtin = cache.root().join(Self::NAME);
        let Some(manifest) = manifest else {
            return Self::open(&builtin);
        };
        let mut lock = Self::open(&manifest.with_file_name(Self::NAME))?;
        if extends == Extends::Builtin {
            lock.inherit(&Self::open(&builtin)?);
        }
        Ok(lock)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        let wire: WireLock = toml::from_str(text).map_err(|error| ManifestError::toml(path, text, &error))?;
        let fail = |span, message: String| Err(ManifestError::new(path, text, span, message));
        if *wire.version.get_ref() != VERSION {
            let found = wire.version.get_ref();
            return fail(
                wire.version.span(),
                format!("version {found}: this program reads version {VERSION}"),
            );
        }
        let mut pins = BTreeMap::new();
        for pin in wire.artifact {
            let sha256 = match pin.sha256.get_ref().parse() {
                Ok(sha256) => sha256,
                Err(error) => return fail(pin.sha256.span(), format!("{error}")),
            };
            let span = pin.url.span();
            let entry = Entry {
                pin: Pin {
                    bytes: pin.bytes,
                    sha256,
                },
                by: match pin.stated_by {
                    Some(StatedBy::Publisher) => PinnedBy::Publisher,
                    None => PinnedBy::FirstDownload,
                },
            };
            if pins.insert(pin.url.into_inner(), entry).is_some() {
                return fail(span, "this URL is pinned twice".into());
            }
        }
        Ok(Self {
            path: path.to_owned(),
            pins,
            inherited: BTreeMap::new(),
        })
    }

    /// The file the lock is kept in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes up what other processes wrote since; what can no longer be read stays as it was.
    pub fn reload(&mut self) {
        if let Ok(now) = Self::open(&self.path) {
            self.pins = now.pins;
        }
    }

    /// Has what another lock pins be in force where this one says nothing.
    pub fn inherit(&mut self, other: &Self) {
        self.inherited
            .extend(other.pins.iter().map(|(url, entry)| (url.clone(), *entry)));
    }

    /// The pin of this URL.
    pub fn pin(&self, url: &str) -> Option<Pin> {
        self.entry(url).map(|entry| entry.pin)
    }

    /// By whose word this URL's content is pinned, if it is.
    pub fn pinned_by(&self, url: &str) -> Option<PinnedBy> {
        self.entry(url).map(|entry| entry.by)
    }

    fn entry(&self, url: &str) -> Option<&Entry> {
        self.pins.get(url).or_else(|| self.inherited.get(url))
    }

    /// Returns whether the pin of this URL is inherited.
    pub(crate) fn borrows(&self, url: &str) -> bool {
        !self.pins.contains_key(url) && self.inherited.contains_key(url)
    }

    /// Every URL with what this lock itself pins for it, in order.
    pub fn pins(&self) -> impl Iterator<Item = (&str, Pin)> {
        self.pins.iter().map(|(url, entry)| (url.as_str(), entry.pin))
    }

    /// Pins a URL's content and writes the lock, whole or not at all; returns the pin that is now in force. That is
    /// another than the one given if the file has come to pin the URL since it was read: the first pin stands, and
    /// pins that other processes wrote are kept. So are comments and the order of what is there.
    ///
    /// # Errors
    /// If the file cannot be read or written; the lock in memory is then unchanged.
    pub fn add(&mut self, url: &str, pin: Pin, by: PinnedBy) -> io::Result<Pin> {
        self.change(|pins| {
            let first = pins.get(url).map(|entry| entry.pin);
            let change = first.is_none().then(|| (url.to_owned(), Entry { pin, by }));
            (first.unwrap_or(pin), change)
        })
    }

    /// Pins a URL's content in place of whatever was pinned for it, and writes the lock, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be read or written; the lock in memory is then unchanged.
    pub fn replace(&mut self, url: &str, pin: Pin, by: PinnedBy) -> io::Result<()> {
        self.change(|_| ((), Some((url.to_owned(), Entry { pin, by }))))
    }

    /// Takes over what was noted at downloads under another lock: block digests and the servers' versions.
    ///
    /// # Errors
    /// If the side file cannot be written.
    pub fn take_notes(&self, other: &Self) -> io::Result<()> {
        SideFile::merge(&self.path, &other.path)
    }

    /// Has `decide` see the pins as they are on disk now, and writes the change it wants.
    fn change<T>(
        &mut self,
        decide: impl FnOnce(&BTreeMap<String, Entry>) -> (T, Option<(String, Entry)>),
    ) -> io::Result<T> {
        let folder = folder_of(&self.path);
        fs::create_dir_all(folder)?;
        let _alone = alone_in(folder);
        let mut now = Self::open(&self.path).map_err(io::Error::other)?;
        let (answer, change) = decide(&now.pins);
        if let Some((url, entry)) = change {
            let text = match read_text(&self.path, LONGEST) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => HEAD.to_owned(),
                text => text?,
            };
            let mut file = Whole::output(&self.path)?;
            file.write_all(with_pin(&text, &url, entry).map_err(io::Error::other)?.as_bytes())?;
            file.publish()?;
            now.pins.insert(url, entry);
        }
        self.pins = now.pins;
        Ok(answer)
    }
}

/// Keeps other processes from changing the lock in this folder, until dropped.
///
/// Waits a second at most: the folder may be locked for long by someone who does not mean us. Two that write at the
/// same moment without this may lose one pin, which the next fetch writes again.
pub(crate) fn alone_in(folder: &Path) -> Option<File> {
    files::hold_folder(folder, Duration::from_secs(1)).ok().flatten()
}

/// The beginning of a new lock.
const HEAD: &str = "# Written by `zoo fetch`: what each URL held when it was first downloaded. Keep it under version \
                    control.\nversion = 1\n";

/// The key that says who stated a digest, and its value.
const STATED_BY: &str = "stated_by";
const PUBLISHER: &str = "publisher";

/// The text of a lock with one pin changed in its place, or put before the first URL that sorts after it.
fn with_pin(text: &str, url: &str, entry: Entry) -> Result<String, TomlError> {
    let Entry { pin, by } = entry;
    let mut document: DocumentMut = text.parse()?;
    let item = document
        .entry("artifact")
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let Some(tables) = item.as_array_of_tables_mut() else {
        return Ok(text.to_owned());
    };
    let url_of = |table: &Table| {
        table
            .get("url")
            .and_then(Item::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (bytes, sha256) = (
        i64::try_from(pin.bytes).unwrap_or(i64::MAX),
        pin.sha256.to_string(),
    );
    let held = tables.iter().position(|table| url_of(table) == url);
    if let Some(table) = held.and_then(|index| tables.get_mut(index)) {
        for (key, new) in [("bytes", Value::from(bytes)), ("sha256", Value::from(sha256))] {
            if let Some(value) = table.get_mut(key).and_then(Item::as_value_mut) {
                let decor = value.decor().clone();
                *value = new;
                *value.decor_mut() = decor;
            }
        }
        table.remove(STATED_BY);
        if by == PinnedBy::Publisher {
            table.insert(STATED_BY, value(PUBLISHER));
        }
        return Ok(document.to_string());
    }
    let mut table = Table::new();
    table.insert("url", value(url));
    table.insert("bytes", value(bytes));
    table.insert("sha256", value(sha256));
    if by == PinnedBy::Publisher {
        table.insert(STATED_BY, value(PUBLISHER));
    }
    table.decor_mut().set_prefix("\n");
    let mut all: Vec<Table> = tables.iter().cloned().collect();
    let place = all
        .iter()
        .position(|table| url_of(table).as_str() > url)
        .unwrap_or(all.len());
    all.insert(place, table);
    *tables = ArrayOfTables::new();
    for (index, mut table) in all.into_iter().enumerate() {
        table.set_position(Some(isize::try_from(index).unwrap_or(isize::MAX)));
        tables.push(table);
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_kept_sorted_and_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/zoo.lock");
        let mut lock = Lock::open(&path).expect("an empty lock");
        let pin = |byte| Pin {
            bytes: u64::from(byte),
            sha256: Digest([byte; 32]),
        };
        lock.add("https://b/x\"y", pin(2), PinnedBy::Publisher)
            .expect("written");
        lock.add("https://a/x", pin(1), PinnedBy::FirstDownload)
            .expect("written");
        let text = fs::read_to_string(&path).expect("the file");
        assert!(text.find("https://a/x") < text.find("https://b/x"), "{text}");
        let again = Lock::open(&path).expect("valid");
        assert_eq!(again, lock);
        assert_eq!(again.pin("https://a/x"), Some(pin(1)));
        assert_eq!(again.pin("https://c/x"), None);
        let by = |url| again.pinned_by(url);
        assert_eq!(by("https://a/x"), Some(PinnedBy::FirstDownload));
        assert_eq!(by("https://b/x\"y"), Some(PinnedBy::Publisher));
        let left: Vec<_> = fs::read_dir(path.parent().expect("a folder"))
            .expect("readable")
            .collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
    }

    #[test]
    fn comments_and_order_outlive_every_change() {
        let pin = |byte| Pin {
            bytes: u64::from(byte),
            sha256: Digest([byte; 32]),
        };
        let entry = |url: &str, byte, comment: &str| {
            let Pin { bytes, sha256 } = pin(byte);
            format!("\n[[artifact]]\nurl = \"{url}\"\nbytes = {bytes} # {comment}\nsha256 = \"{sha256}\"\n")
        };
        let text = format!(
            "# Ours.\nversion = 1\n\n# About c.{}# About a.{}# The end.\n",
            entry("c", 1, "c"),
            entry("a", 2, "a")
        );
        let with =
            |text: &str, url, byte, by| with_pin(text, url, Entry { pin: pin(byte), by }).expect("valid");
        let changed = with(&text, "a", 3, PinnedBy::FirstDownload);
        assert_eq!(changed, text.replace(&entry("a", 2, "a"), &entry("a", 3, "a")));
        let stated = with(&text, "a", 3, PinnedBy::Publisher);
        assert!(stated.contains("\nstated_by = \"publisher\"\n"), "{stated}");
        assert_eq!(with(&stated, "a", 3, PinnedBy::FirstDownload), changed);
        let added = with(&text, "b", 4, PinnedBy::FirstDownload);
        for comment in ["# Ours.", "# About c.", "# About a.", "# The end.", "# c\n"] {
            assert!(added.contains(comment), "{comment} is lost: {added}");
        }
        let lock = Lock::parse(&added, Path::new("zoo.lock")).expect("valid");
        let pins: Vec<_> = lock.pins().collect();
        assert_eq!(pins, [("a", pin(2)), ("b", pin(4)), ("c", pin(1))]);
    }

    #[test]
    fn faults_are_told_with_their_place() {
        let error = |text: &str| {
            Lock::parse(text, Path::new("zoo.lock"))
                .expect_err(text)
                .to_string()
        };
        assert!(
            error("version = 2").starts_with("zoo.lock:1:11: version 2"),
            "{}",
            error("version = 2")
        );
        let pin = "[[artifact]]\nurl = \"u\"\nbytes = 1\nsha256 = \"00\"\n";
        assert!(error(&format!("version = 1\n{pin}")).starts_with("zoo.lock:5:10: `00` is not a SHA-256"));
        let good = pin.replace("00", &"0".repeat(64));
        assert!(error(&format!("version = 1\n{good}{good}")).contains("pinned twice"));
        assert!(error(&format!("version = 1\n{good}mode = 1")).contains("unknown field `mode`"));
    }
}

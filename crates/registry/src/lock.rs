use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::whole::{Whole, folder_of};
use crate::{Digest, ManifestError};

/// What was seen at the first download of each URL; enforced from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    path: PathBuf,
    pins: BTreeMap<String, Pin>,
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
}

impl Lock {
    /// The lock at `path`; a file that does not exist is an empty lock.
    ///
    /// # Errors
    /// If the file cannot be read or is not valid.
    pub fn open(path: &Path) -> Result<Self, ManifestError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self {
                path: path.to_owned(),
                pins: BTreeMap::new(),
            }),
            Err(error) => Err(ManifestError::new(path, "", 0..0, error.to_string())),
        }
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
            if pins
                .insert(
                    pin.url.into_inner(),
                    Pin {
                        bytes: pin.bytes,
                        sha256,
                    },
                )
                .is_some()
            {
                return fail(span, "this URL is pinned twice".into());
            }
        }
        Ok(Self {
            path: path.to_owned(),
            pins,
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

    /// What is pinned for this URL.
    pub fn pin(&self, url: &str) -> Option<Pin> {
        self.pins.get(url).copied()
    }

    /// Every URL with what is pinned for it, in order.
    pub fn pins(&self) -> impl Iterator<Item = (&str, Pin)> {
        self.pins.iter().map(|(url, pin)| (url.as_str(), *pin))
    }

    /// Pins a URL's content and writes the lock, whole or not at all; returns the pin that is now in force. That is
    /// another than the one given if the file has come to pin the URL since it was read: the first pin stands, and
    /// pins that other processes wrote are kept.
    ///
    /// # Errors
    /// If the file cannot be read or written; the lock in memory is then unchanged.
    pub fn add(&mut self, url: &str, pin: Pin) -> io::Result<Pin> {
        let folder = folder_of(&self.path);
        fs::create_dir_all(folder)?;
        let _alone = alone_in(folder);
        let mut pins = Self::open(&self.path).map_err(io::Error::other)?.pins;
        let first = pins.get(url).copied();
        if first.is_none() {
            pins.insert(url.to_owned(), pin);
            let mut file = Whole::create(&self.path)?;
            file.write_all(render(&pins).as_bytes())?;
            file.publish()?;
        }
        self.pins = pins;
        Ok(first.unwrap_or(pin))
    }
}

/// Keeps other processes from changing the lock in this folder, until dropped.
///
/// Waits a second at most: the folder may be locked for long by someone who does not mean us. Two that write at the
/// same moment without this may lose one pin, which the next fetch writes again.
pub(crate) fn alone_in(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    for _ in 0..100 {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::Error(_)) => return None,
        }
    }
    None
}

fn render(pins: &BTreeMap<String, Pin>) -> String {
    let mut text = format!(
        "# Written by `zoo fetch`: what each URL held when it was first downloaded. Keep it under version control.\n\
         version = {VERSION}\n"
    );
    for (url, Pin { bytes, sha256 }) in pins {
        let url = toml::Value::String(url.clone());
        text.push_str(&format!(
            "\n[[artifact]]\nurl = {url}\nbytes = {bytes}\nsha256 = \"{sha256}\"\n"
        ));
    }
    text
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
        lock.add("https://b/x\"y", pin(2)).expect("written");
        lock.add("https://a/x", pin(1)).expect("written");
        let text = fs::read_to_string(&path).expect("the file");
        assert!(text.find("https://a/x") < text.find("https://b/x"), "{text}");
        let again = Lock::open(&path).expect("valid");
        assert_eq!(again, lock);
        assert_eq!(again.pin("https://a/x"), Some(pin(1)));
        assert_eq!(again.pin("https://c/x"), None);
        let left: Vec<_> = fs::read_dir(path.parent().expect("a folder"))
            .expect("readable")
            .collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
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
        assert!(error(&format!("version = 1\n{pin}")).starts_with("zoo.lock:5:10: `00` is no SHA-256"));
        let good = pin.replace("00", &"0".repeat(64));
        assert!(error(&format!("version = 1\n{good}{good}")).contains("pinned twice"));
        assert!(error(&format!("version = 1\n{good}mode = 1")).contains("unknown field `mode`"));
    }
}

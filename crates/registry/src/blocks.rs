use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::http::is_strong;
use crate::lock::{LONGEST, alone_in};
use crate::whole::read_text;
use crate::{Digest, Pin};
use files::{Whole, folder_of};

/// The digests of a file's blocks. They tell which block is damaged; the digest of the whole only tells that one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockList {
    /// The size of every block but the last.
    pub(crate) block_bytes: u64,
    /// SHA-256 of each block.
    pub(crate) blocks: Vec<Digest>,
}

/// The lock's side file, `zoo.blocks` beside `zoo.lock`: block lists by content, and what servers said of each URL.
///
/// Nothing in it is trusted: a wrong block list makes a repair fail, it cannot make wrong bytes pass.
#[derive(Clone, Debug)]
pub(crate) struct SideFile {
    path: PathBuf,
    files: BTreeMap<String, WireFile>,
    urls: BTreeMap<String, Seen>,
}

/// A server's names for a URL's content at the first download.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The digest of that content.
    pub sha256: String,
    /// Its version, as the server names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

const VERSION: u32 = 1;
const HEAD: &str = "# Written by `zoo fetch` beside zoo.lock: digests of blocks, for `zoo verify --repair`, and what the servers\n\
                    # called each version, for `zoo links`. It may be deleted; nothing in it is trusted.\n";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    #[serde(default)]
    file: BTreeMap<String, WireFile>,
    #[serde(default)]
    url: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFile {
    bytes: u64,
    block_bytes: u64,
    blocks: Vec<String>,
}

impl SideFile {
    /// The side file of the lock at this path. One that is missing or not to be understood counts as empty: all that
    /// it holds comes again.
    pub(crate) fn beside(lock: &Path) -> Self {
        let path = lock.with_extension("blocks");
        let text = read_text(&path, LONGEST).unwrap_or_default();
        let wire = toml::from_str(&text)
            .ok()
            .filter(|wire: &Wire| wire.version == VERSION);
        let (files, urls) = wire.map(|wire| (wire.file, wire.url)).unwrap_or_default();
        Self { path, files, urls }
    }

    /// The block list of this content, if it makes sense for it.
    pub(crate) fn list(&self, pin: Pin) -> Option<BlockList> {
        let file = self.files.get(&pin.sha256.to_string())?;
        let blocks: Result<Vec<Digest>, _> = file.blocks.iter().map(|digest| digest.parse()).collect();
        let list = BlockList {
            block_bytes: file.block_bytes,
            blocks: blocks.ok()?,
        };
        let fits = file.bytes == pin.bytes
            && list.block_bytes > 0
            && list.blocks.len() as u64 == pin.bytes.div_ceil(list.block_bytes);
        fits.then_some(list)
    }

    /// The version of this URL's content, as its server named it at the first download.
    pub(crate) fn etag(&self, url: &str, content: Digest) -> Option<&str> {
        let seen = self
            .urls
            .get(url)
            .filter(|seen| seen.sha256 == content.to_string());
        // It comes from a file that anybody may have written, and is shown.
        seen?.etag.as_deref().filter(|etag| is_strong(etag))
    }

    /// Keeps a block list and what the server said, unless they are kept already.
    pub(crate) fn keep(
        lock: &Path,
        pin: Pin,
        list: &BlockList,
        url: &str,
        etag: Option<&str>,
    ) -> io::Result<()> {
        let folder = folder_of(lock);
        fs::create_dir_all(folder)?;
        let _alone = alone_in(folder);
        let mut side = Self::beside(lock);
        let sha256 = pin.sha256.to_string();
        let listed = side.list(pin).is_some();
        if listed && side.urls.get(url).is_some_and(|seen| seen.sha256 == sha256) {
            return Ok(());
        }
        let file = WireFile {
            bytes: pin.bytes,
            block_bytes: list.block_bytes,
            blocks: list.blocks.iter().map(Digest::to_string).collect(),
        };
        side.files.insert(sha256.clone(), file);
        let etag = etag.map(str::to_owned);
        side.urls.insert(url.to_owned(), Seen { sha256, etag });
        side.write()
    }

    /// Adds what the side file of another lock holds.
    pub(crate) fn merge(lock: &Path, other: &Path) -> io::Result<()> {
        let other = Self::beside(other);
        let _alone = alone_in(folder_of(lock));
        let mut side = Self::beside(lock);
        side.files.extend(other.files);
        side.urls.extend(other.urls);
        side.write()
    }

    fn write(self) -> io::Result<()> {
        let wire = Wire {
            version: VERSION,
            file: self.files,
            url: self.urls,
        };
        if fs::metadata(&self.path).is_ok_and(|found| !found.is_file()) {
            // A pipe would be waited for.
            return Err(io::Error::other("is not a regular file"));
        }
        let mut file = Whole::output(&self.path)?;
        file.write_all(HEAD.as_bytes())?;
        file.write_all(toml::to_string(&wire).map_err(io::Error::other)?.as_bytes())?;
        file.place()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_kept_and_only_given_for_what_they_fit() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = folder.path().join("zoo.lock");
        let pin = |byte, bytes| Pin {
            bytes,
            sha256: Digest([byte; 32]),
        };
        let list = BlockList {
            block_bytes: 10,
            blocks: vec![Digest([7; 32]), Digest([8; 32])],
        };
        SideFile::keep(&lock, pin(1, 15), &list, "https://a/\"x", Some("\"v1\"")).expect("kept");
        SideFile::keep(&lock, pin(2, 15), &list, "https://b/x", None).expect("kept");
        SideFile::keep(&lock, pin(1, 15), &list, "https://a/\"x", Some("\"v2\"")).expect("kept");
        let side = SideFile::beside(&lock);
        assert_eq!(side.list(pin(1, 15)), Some(list));
        assert_eq!(side.list(pin(1, 25)), None, "another size");
        assert_eq!(side.list(pin(3, 15)), None, "another content");
        let first = side.etag("https://a/\"x", Digest([1; 32]));
        assert_eq!(first, Some("\"v1\""), "the first one stays");
        assert_eq!(
            side.etag("https://a/\"x", Digest([2; 32])),
            None,
            "of other content"
        );
        fs::write(folder.path().join("zoo.blocks"), "version = 1\n[file]\nnonsense").expect("written");
        assert!(SideFile::beside(&lock).list(pin(1, 15)).is_none());
    }
}

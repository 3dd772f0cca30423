//! The content of a file in any format: the set of tensors that is taken, and facts about it.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::Tensor;
use crate::error::shown;

/// Tensors by their names in a file.
pub(crate) type Tensors = BTreeMap<String, Tensor>;
/// The notes of a file beside its tensors.
pub(crate) type Notes = BTreeMap<String, String>;

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) tensors: Tensors,
    pub(crate) notes: Notes,
    /// Names in the set that is taken whose tensors cannot be read, and why.
    pub(crate) unread: BTreeMap<String, String>,
    /// Classes and functions that the file refers to and that are not known.
    pub(crate) unknown: Vec<String>,
    pub(crate) set: Option<String>,
    pub(crate) other_sets: Vec<String>,
    pub(crate) members: Vec<Member>,
}

/// A part of an archive with a checksum.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) bytes: Bytes,
    /// The CRC-32 that the archive notes.
    pub(crate) crc: u32,
    /// True if tensors of the set that is taken are in it.
    pub(crate) is_taken: bool,
}

impl Member {
    /// Compares its bytes with the checksum.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let found = crc32fast::hash(&self.bytes);
        if found == self.crc {
            return Ok(());
        }
        Err(Fault::Checksum(format!(
            "ZIP entry `{}`: its CRC-32 is {found:08x}, where {:08x} is noted for its {} bytes",
            shown(&self.name),
            self.crc,
            self.bytes.len()
        )))
    }
}

/// A fault for which a file cannot be read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is damaged, or holds something that weights do not need.
    Content(String),
    /// Bytes of it are others than were written.
    Checksum(String),
    /// It has no set of tensors of this name; these are there.
    Set { wanted: String, known: Vec<String> },
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Content(reason)
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::Content(reason.to_owned())
    }
}

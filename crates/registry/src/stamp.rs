//! What a file looked like when it was last read and found right, so that it need not be read again.

use std::fs::{self, Metadata};
use std::io::Write;

use crate::cache::Cache;
use crate::whole::make_folder;
use crate::{Digest, Pin};
use files::Whole;

/// Size, times and inode of a file: any change of its bytes changes one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(String);

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Self(format!(
                "1 size {} mtime {}.{:09} ctime {}.{:09} dev {} inode {}\n",
                metadata.len(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
                metadata.dev(),
                metadata.ino(),
            ))
        }
        #[cfg(not(unix))]
        Self(format!(
            "1 size {} mtime {:?} created {:?}\n",
            metadata.len(),
            metadata.modified(),
            metadata.created()
        ))
    }
}

impl Cache {
    /// The published file's size and digest, if it looks as it did when it was last found right.
    pub(crate) fn stamped(&self, content: Digest) -> Option<Pin> {
        let metadata = fs::symlink_metadata(self.path(content)).ok()?;
        let noted = fs::read_to_string(self.checked().join(content.to_string())).ok()?;
        let same = metadata.is_file() && Stamp::of(&metadata).0 == noted;
        same.then_some(Pin {
            bytes: metadata.len(),
            sha256: content,
        })
    }

    /// Notes that the published file was found right when it looked like this. That this cannot be written, in a
    /// read-only cache say, only means that the file will be read again.
    pub(crate) fn stamp(&self, content: Digest, stamp: &Stamp) {
        let path = self.checked().join(content.to_string());
        let write = || {
            make_folder(&self.checked())?;
            let mut file = Whole::create(&path)?;
            file.write_all(stamp.0.as_bytes())?;
            file.place()
        };
        let _ = write();
    }
}

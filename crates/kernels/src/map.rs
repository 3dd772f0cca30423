use std::fs::{self, File};
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// A file's bytes, mapped for reading: they are fetched from disk as they are touched, and shared with other processes.
///
/// The file must not change while it is mapped. Weights are published whole, by a rename, and never rewritten in
/// place; a file that is *replaced* stays as it was for those who have it mapped. One that somebody truncates in place
/// ends the process with SIGBUS when a page beyond its new end is touched, as with every program that maps files.
#[derive(Debug)]
pub struct FileMap(Mmap);

impl FileMap {
    /// The bytes of the regular file at `path`.
    ///
    /// # Errors
    /// If there is none, or the system cannot map it.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Asked before opening: to open a pipe is to wait for its writer.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let file = File::open(path)?;
        #[expect(unsafe_code, reason = "a mapping is only as constant as its file")]
        // SAFETY: the bytes are only read, and files of weights are published whole and never rewritten in place.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self(map))
    }
}

impl AsRef<[u8]> for FileMap {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_bytes_and_a_folder_is_none() {
        let missing = FileMap::open(Path::new("no/such/file")).expect_err("no file");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/map.rs");
        let map = FileMap::open(&path).expect("this file");
        assert_eq!(map.as_ref(), include_bytes!("map.rs"));
        let folder = FileMap::open(Path::new(env!("CARGO_MANIFEST_DIR"))).expect_err("a folder");
        assert_eq!(folder.to_string(), "not a regular file");
    }
}

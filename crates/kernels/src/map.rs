use std::fs::{self, File};
use std::io;
use std::path::Path;

use memmap2::Mmap;

use crate::lost::Watched;

/// A file's bytes, mapped for reading: they are fetched from disk as they are touched, and shared with other processes.
///
/// The file must not change while it is mapped. Weights are published whole, by a rename, and never rewritten in
/// place; a file that is *replaced* stays as it was for those who have it mapped. One that somebody truncates in place
/// ends the process when a page beyond its new end is touched, as with every program that maps files: by SIGBUS, or in words
/// after [`end_in_words`](crate::end_in_words).
#[derive(Debug)]
pub struct FileMap {
    // First: it is to be forgotten before it is unmapped.
    _watched: Watched,
    map: Mmap,
}

impl FileMap {
    /// The bytes of the regular file at `path`.
    ///
    /// # Errors
    /// If there is none, or the system cannot map it.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Asked before opening: to open a pipe is to wait for its writer.
        if !fs::metadata(path)?.is_file() {
            return Err(not_regular());
        }
        Self::of(path, &File::open(path)?)
    }

    /// The bytes of an open regular file, whatever lies at `path` now, which only messages name.
    ///
    /// # Errors
    /// If it is none, or the system cannot map it.
    pub fn of(path: &Path, file: &File) -> io::Result<Self> {
        if !file.metadata()?.is_file() {
            return Err(not_regular());
        }
        #[expect(unsafe_code, reason = "a mapping is only as constant as its file")]
        // SAFETY: the bytes are only read, and files of weights are published whole and never rewritten in place.
        let map = unsafe { Mmap::map(file) }?;
        Ok(Self {
            _watched: Watched::new(&map, path),
            map,
        })
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

impl AsRef<[u8]> for FileMap {
    fn as_ref(&self) -> &[u8] {
        &self.map
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

    /// The variable that has the test below be the process that ends.
    const TRUNCATES: &str = "KERNELS_TEST_TRUNCATES";

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_cut_while_it_is_mapped_ends_the_process_in_words() {
        if let Some(path) = std::env::var_os(TRUNCATES) {
            crate::end_in_words("error: ", " became shorter\n", 8);
            let path = Path::new(&path);
            let others: Vec<FileMap> = (0..300)
                .map(|_| FileMap::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/map.rs")))
                .collect::<io::Result<_>>()
                .expect("maps beyond those that are known");
            drop(others);
            let map = FileMap::open(path).expect("the file");
            let file = File::options().write(true).open(path).expect("the file");
            file.set_len(10).expect("cut");
            let sum: u64 = map.as_ref().iter().map(|byte| u64::from(*byte)).sum();
            unreachable!("the sum {sum} of bytes that are not there");
        }
        let path = std::env::temp_dir().join(format!("kernels-map-{}", std::process::id()));
        fs::write(&path, vec![1; 1 << 20]).expect("written");
        let name = "map::tests::a_file_that_is_cut_while_it_is_mapped_ends_the_process_in_words";
        let ended = std::process::Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", name, "--nocapture"])
            .env(TRUNCATES, &path)
            .output()
            .expect("started");
        fs::remove_file(&path).expect("removed");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(8), "{said}");
        assert!(
            said.ends_with(&format!("error: {} became shorter\n", path.display())),
            "{said}"
        );
    }
}

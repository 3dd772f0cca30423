//! Recognizes files by their first bytes, for errors that name the kind.

use std::io::{self, Read};

use registry::{Location, LocationError};

use crate::{Exit, Failure};

/// Number of first bytes that identify a file.
pub(super) const HEAD: usize = 512;

/// The kind of a data set's file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tar,
    List,
    /// A file that is not supported: its kind, and advice.
    Other(&'static str, &'static str),
}

pub(super) const PACKED: &str = "unpack it first: `tar -xf` makes a folder, `gzip -d`, `zstd -d`, `xz -d` or `bzip2 -d` make a .tar. Images \
                      are read in a random order, which a compressed file does not allow";
const LIST: &str =
    "`zoo eval` takes a folder of folders by class, tar archives, or a list of `PATH CLASS` lines";
const AGAIN: &str = "the download failed: download the file again";

/// First bytes of unsupported files, their kinds, and advice.
const MAGIC: [(&[u8], &str, &str); 18] = [
    (b"\x1f\x8b", "compressed by gzip", PACKED),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", PACKED),
    (b"\xfd7zXZ\0", "compressed by xz", PACKED),
    (b"BZh", "compressed by bzip2", PACKED),
    (b"\x04\x22\x4d\x18", "compressed by lz4", PACKED),
    (
        b"PK\x03\x04",
        "a ZIP archive",
        "`unzip` makes a folder of it, which is read",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7z archive",
        "`7z x` makes a folder of it, which is read",
    ),
    (
        b"Rar!",
        "a RAR archive",
        "`unrar x` makes a folder of it, which is read",
    ),
    (b"\xff\xd8\xff", "a JPEG image", LIST),
    (b"\x89PNG", "a PNG image", LIST),
    (b"GIF8", "a GIF image", LIST),
    (b"RIFF", "a WebP image or another RIFF file", LIST),
    (b"PAR1", "a Parquet file", LIST),
    (b"\x89HDF", "an HDF5 file", LIST),
    (b"SQLite format 3", "an SQLite database", LIST),
    (b"<!DOCTYPE", "a web page", AGAIN),
    (b"<html", "a web page", AGAIN),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS",
        "`git lfs pull` downloads the file itself",
    ),
];

/// Returns the kind of a file by its first bytes or, if they say nothing, by its name.
pub(super) fn kind(head: &[u8], name: &str) -> Kind {
    if head.get(257..262) == Some(b"ustar") {
        return Kind::Tar;
    }
    let begins = |magic: &[u8]| {
        let head = head.get(..magic.len()).unwrap_or(head);
        head.eq_ignore_ascii_case(magic)
    };
    match MAGIC.iter().find(|(magic, ..)| begins(magic)) {
        Some((_, what, advice)) => Kind::Other(what, advice),
        None if is_tar(name) => Kind::Tar,
        None => Kind::List,
    }
}

/// Reads the first bytes of a file.
pub(super) fn head(file: &Location) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::new();
    let read = file.reader()?.take(HEAD as u64).read_to_end(&mut head);
    read.map_err(|error| unread(file, &error))?;
    Ok(head)
}

/// Returns the failure of a file that cannot be read.
pub(super) fn unread(file: &Location, error: &io::Error) -> Failure {
    match LocationError::behind(error) {
        Some(failure) => Failure::from(failure),
        None => Failure::new(Exit::Disk, format!("{file}: {error}")),
    }
}

/// Returns whether a name is that of a tar archive.
pub(super) fn is_tar(name: &str) -> bool {
    ends(name, &[".tar"])
}

/// Returns whether a name is that of a compressed archive.
pub(super) fn is_packed(name: &str) -> bool {
    let endings = [
        ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.bz2", ".tbz", ".tbz2", ".tar.lz4",
        ".zip", ".7z", ".rar",
    ];
    ends(name, &endings)
}

fn ends(name: &str, endings: &[&str]) -> bool {
    let lower = name.to_ascii_lowercase();
    endings
        .iter()
        .any(|ending| lower.len() > ending.len() && lower.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_say_what_a_file_is_before_its_name_does() {
        let mut tar = [0; HEAD];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(kind(&tar, "data"), Kind::Tar);
        assert_eq!(
            kind(&tar, "data.tar.gz"),
            Kind::Tar,
            "unpacked, with its old name"
        );
        assert_eq!(kind(b"a.jpg 1\n", "val.txt"), Kind::List);
        assert_eq!(kind(&[7; HEAD], "old.TAR"), Kind::Tar);
        let what = |head: &[u8], name: &str| match kind(head, name) {
            Kind::Other(what, _) => what,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(what(b"\x1f\x8b\x08", "data.tar"), "compressed by gzip");
        assert_eq!(what(b"PK\x03\x04", "data.zip"), "a ZIP archive");
        assert_eq!(what(b"<!doctype html>", "data.tar"), "a web page");
        assert!(is_packed("A.TAR.GZ") && is_packed("a.tgz") && !is_packed(".tgz") && !is_packed("a.tar"));
    }
}

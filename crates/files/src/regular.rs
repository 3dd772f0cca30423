//! A user's files: only regular ones are read, and only up to a size.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::path::Path;

use crate::open::{Links, flags};

/// The largest text file that is read whole, bytes: records of many years, lists of all of ImageNet.
pub const LARGEST_TEXT: u64 = 1 << 32;

/// Opens a regular file, or a link to one, to read.
///
/// # Errors
/// If there is none, or it is a folder, a pipe or a device: reading those may never end.
pub fn open_file(path: &Path) -> io::Result<File> {
    check(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    flags(&mut options, Links::Follow);
    let file = options.open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// If it cannot be read, is no regular file, or has more bytes.
pub fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_file(path)?;
    let bytes = file.metadata()?.len();
    if bytes > most {
        return Err(too_large(bytes, most));
    }
    read_up_to(file, bytes, most)
}

/// Reads a regular file of at most `most` bytes of text.
///
/// # Errors
/// As [`read_file`], or if it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read_file(path, most)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("not a text file: {error}")))
}

/// Reads the rest of a reader, probably `likely` bytes; a file that grows may have more.
///
/// # Errors
/// If there is more than `most`, or no memory for it.
pub fn read_up_to(reader: impl Read, likely: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(likely.min(most)).unwrap_or(usize::MAX))
        .map_err(|_| {
            io::Error::new(
                io::ErrorKind::OutOfMemory,
                format!("no memory for {likely} bytes"),
            )
        })?;
    reader.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        found if found > most => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("has more than {most} bytes, and no more are read"),
        )),
        _ => Ok(bytes),
    }
}

/// Returns the error for a file that is larger than what is read.
pub fn too_large(bytes: u64, most: u64) -> io::Error {
    let what = format!("has {bytes} bytes, and no more than {most} are read");
    io::Error::new(io::ErrorKind::FileTooLarge, what)
}

fn check(about: &Metadata) -> io::Result<()> {
    match about.is_file() {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "is {}: only regular files are read",
            kind(about.file_type())
        ))),
    }
}

/// Returns the name of a kind of file that is no regular one, with its article.
pub fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    "something else"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        read_file(path, 100).expect_err("refused").to_string()
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a");
        fs::write(&file, [7; 100]).expect("written");
        assert_eq!(read_file(&file, 100).expect("read"), [7; 100]);
        let error = read_file(&file, 99).expect_err("too large");
        assert_eq!(error.to_string(), "has 100 bytes, and no more than 99 are read");
        assert_eq!(refused(folder.path()), "is a folder: only regular files are read");
        let absent = read_file(&folder.path().join("b"), 100).expect_err("absent");
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
        fs::write(&file, b"\xff").expect("written");
        let error = read_text(&file, 100).expect_err("no text");
        assert!(error.to_string().starts_with("not a text file"), "{error}");
    }

    #[test]
    fn a_file_that_grows_is_read_no_further_than_its_limit() {
        let error = read_up_to(io::repeat(7), 10, 100).expect_err("endless");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_up_to(&b"0123"[..], 2, 100).expect("read"), b"0123");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pipes_and_devices_are_refused_without_waiting_for_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe.jpg");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
        assert_eq!(refused(&pipe), "is a pipe: only regular files are read");
        let link = folder.path().join("zero.jpg");
        std::os::unix::fs::symlink("/dev/zero", &link).expect("a link");
        assert_eq!(refused(&link), "is a device: only regular files are read");
        let sparse = folder.path().join("sparse.jpg");
        File::create(&sparse)
            .expect("made")
            .set_len(3 << 30)
            .expect("a size");
        assert_eq!(
            refused(&sparse),
            "has 3221225472 bytes, and no more than 100 are read"
        );
    }
}

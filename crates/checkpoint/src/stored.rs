use std::io::{self, Seek, Write};

use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// The size from which a member's length takes 64 bits.
const LARGE: usize = u32::MAX as usize;

/// Writes a ZIP archive of these members without compressing them, as NumPy's `.npz` files are. The same members make the same
/// bytes: no time is noted.
///
/// # Errors
/// If it cannot be written, or two members have one name.
pub fn write_zip<W: Write + Seek>(
    out: W,
    members: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> io::Result<W> {
    let mut archive = ZipWriter::new(out);
    for (name, bytes) in members {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() >= LARGE);
        archive.start_file(name, options).map_err(io::Error::from)?;
        archive.write_all(&bytes)?;
    }
    archive.finish().map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    #[test]
    fn members_lie_in_the_archive_as_they_are() {
        let members = || [("a.npy".to_owned(), vec![7; 300]), ("b".to_owned(), Vec::new())];
        let write = || {
            write_zip(Cursor::new(Vec::new()), members())
                .expect("written")
                .into_inner()
        };
        let bytes = write();
        assert_eq!(bytes, write());
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("an archive");
        assert_eq!(archive.len(), 2);
        for (name, expected) in members() {
            let mut member = archive.by_name(&name).expect("a member");
            assert_eq!(member.compression(), CompressionMethod::Stored);
            let mut found = Vec::new();
            member.read_to_end(&mut found).expect("whole");
            assert_eq!(found, expected);
        }
        let twice = [("a".to_owned(), vec![1]), ("a".to_owned(), vec![2])];
        assert!(write_zip(Cursor::new(Vec::new()), twice).is_err());
    }
}

//! Sparse files: GNU tar omits long runs of zeros and describes in one of four ways where the stored pieces belong.

use std::io;

use tar::GnuSparseHeader;

use super::pax::{Pax, number};
use super::walk::BLOCK;
use crate::eval::data::{Body, Piece};

/// The most pieces of a file; photos have a few.
const MOST: usize = 1 << 16;
/// The largest map before the data, in bytes.
const LARGEST_MAP: u64 = 1 << 20;

/// The positions of the stored pieces of a file.
#[derive(Debug)]
pub(super) struct Map {
    /// The size of the whole file.
    bytes: Result<u64, String>,
    /// Offset and length.
    pieces: Result<Vec<(u64, u64)>, String>,
}

/// A sparse file as described by pax attributes.
#[derive(Debug)]
pub(super) enum Said {
    /// The whole map.
    Map(Map),
    /// Only the size; the map is stored before the data.
    Size(u64),
}

/// Returns the description of a sparse file in pax attributes; `None` for other files.
pub(super) fn of_pax(pax: &Pax) -> Option<Result<Said, String>> {
    pax.below("GNU.sparse.").next()?;
    Some(said(pax))
}

fn said(pax: &Pax) -> Result<Said, String> {
    let size = |key: &str| {
        pax.number(key)
            .and_then(|size| size.ok_or_else(|| format!("{key} is missing")))
    };
    if pax.get("GNU.sparse.major").is_some() {
        let version = [pax.number("GNU.sparse.major")?, pax.number("GNU.sparse.minor")?];
        return match version {
            [Some(1), Some(0)] => Ok(Said::Size(size("GNU.sparse.realsize")?)),
            _ => Err("its version is not known".into()),
        };
    }
    let numbers = match pax.get("GNU.sparse.map") {
        Some(map) => map.split(|byte| *byte == b',').map(number).collect(),
        // The oldest form repeats its keys.
        None => pax
            .below("GNU.sparse.")
            .filter(|(key, _)| matches!(*key, "offset" | "numbytes"))
            .map(|(_, value)| number(value))
            .collect::<Option<Vec<u64>>>(),
    };
    let numbers = numbers.ok_or("its map has something else than numbers")?;
    Ok(Said::Map(Map {
        bytes: Ok(size("GNU.sparse.size")?),
        pieces: pairs(&numbers),
    }))
}

fn pairs(numbers: &[u64]) -> Result<Vec<(u64, u64)>, String> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|[offset, length]| (*offset, *length)).collect()),
        _ => Err("its map is not whole".into()),
    }
}

impl Said {
    /// Returns the file's size and where its bytes are; `read` reads a part of the archive.
    pub(super) fn resolve(
        self,
        begin: u64,
        stored: u64,
        read: impl FnOnce(u64, u64) -> io::Result<Vec<u8>>,
    ) -> Result<(u64, Body), String> {
        match self {
            Self::Map(map) => map.lay_out(begin, stored),
            Self::Size(bytes) => {
                let text = read(begin, stored.min(LARGEST_MAP)).map_err(|error| error.to_string())?;
                let (numbers, used) = lines(&text).ok_or("its map is not whole")?;
                let map = Map {
                    bytes: Ok(bytes),
                    pieces: pairs(&numbers),
                };
                let used = (used as u64).next_multiple_of(BLOCK);
                let left = stored.checked_sub(used).ok_or("its map is not whole")?;
                map.lay_out(begin + used, left)
            }
        }
    }
}

/// Reads a map before the data: the number of pieces, then offset and length of each, one number per line. Also returns the
/// map's length in bytes.
fn lines(text: &[u8]) -> Option<(Vec<u64>, usize)> {
    let mut at = 0;
    let mut line = || {
        let rest = text.get(at..)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        at += end + 1;
        number(&rest[..end])
    };
    let pieces = usize::try_from(line()?).ok().filter(|pieces| *pieces <= MOST)?;
    let numbers: Option<Vec<u64>> = (0..2 * pieces).map(|_| line()).collect();
    Some((numbers?, at))
}

impl Map {
    pub(super) fn new(bytes: io::Result<u64>) -> Self {
        Self {
            bytes: bytes.map_err(|error| error.to_string()),
            pieces: Ok(Vec::new()),
        }
    }

    /// Adds pieces of a header.
    pub(super) fn add(&mut self, headers: &[GnuSparseHeader]) {
        let Ok(pieces) = &mut self.pieces else { return };
        for header in headers.iter().filter(|header| !header.is_empty()) {
            match (header.offset(), header.length()) {
                (Ok(offset), Ok(length)) if pieces.len() < MOST => pieces.push((offset, length)),
                (Ok(_), Ok(_)) => {
                    self.pieces = Err(format!("it has more than {MOST} pieces"));
                    return;
                }
                _ => {
                    self.pieces = Err("its map has something else than numbers".into());
                    return;
                }
            }
        }
    }

    /// Returns the file's size and where its pieces are in the archive, each from a block on.
    pub(super) fn lay_out(self, begin: u64, stored: u64) -> Result<(u64, Body), String> {
        let (bytes, mut pieces) = (self.bytes?, self.pieces?);
        // An empty one at the end says how long the file is.
        pieces.retain(|(_, length)| *length > 0);
        let (mut at, mut next, mut laid) = (0, 0_u64, Vec::new());
        for (offset, length) in pieces {
            let end = offset.checked_add(length).filter(|end| *end <= bytes);
            let end = end.ok_or("a piece is behind its end")?;
            if offset < at {
                return Err("its pieces overlap".into());
            }
            let last = next.checked_add(length).filter(|last| *last <= stored);
            let last = last.ok_or("the archive has fewer bytes of it than its map")?;
            laid.push(Piece {
                at: offset,
                begin: begin + next,
                bytes: length,
            });
            (at, next) = (end, last.next_multiple_of(BLOCK));
        }
        Ok((bytes, Body::Sparse(laid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(bytes: u64, pieces: &[(u64, u64)]) -> Map {
        Map {
            bytes: Ok(bytes),
            pieces: Ok(pieces.to_vec()),
        }
    }

    #[test]
    fn each_piece_begins_with_a_block() {
        let (bytes, body) = map(9000, &[(0, 10), (4096, 512), (8192, 100), (9000, 0)])
            .lay_out(1024, 2000)
            .expect("a map");
        let piece = |at, begin, bytes| Piece { at, begin, bytes };
        assert_eq!(bytes, 9000);
        assert_eq!(
            body,
            Body::Sparse(vec![
                piece(0, 1024, 10),
                piece(4096, 1536, 512),
                piece(8192, 2048, 100)
            ])
        );
    }

    #[test]
    fn maps_that_do_not_fit_are_refused() {
        let refused =
            |bytes, pieces: &[(u64, u64)]| map(bytes, pieces).lay_out(0, 1024).expect_err("does not fit");
        assert!(refused(100, &[(90, 11)]).contains("behind its end"));
        assert!(refused(100, &[(u64::MAX, 2)]).contains("behind its end"));
        assert!(refused(100, &[(50, 10), (55, 10)]).contains("overlap"));
        assert!(refused(9000, &[(0, 1025)]).contains("fewer bytes"));
        assert!(refused(9000, &[(0, 1), (600, 1), (1200, 1)]).contains("fewer bytes"));
        assert_eq!(lines(b"2\n0\n1\n5\n"), None);
        assert_eq!(lines(b"99999999999\n"), None);
        assert_eq!(lines(b"1\n0\n12\nrest"), Some((vec![0, 12], 7)));
    }
}

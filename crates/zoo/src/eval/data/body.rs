//! The location of an image's bytes, and how they are requested.

use registry::{Fault, Location, LocationError, Reading};

use crate::files::LARGEST_IMAGE;

/// The location of an image's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// The whole file.
    File,
    /// A part of the archive from this byte on.
    Part(u64),
    /// Pieces of the archive, with zeros between them.
    Sparse(Vec<Piece>),
    /// Nowhere: the bytes cannot be read, for this reason.
    Nowhere(String),
}

/// A piece of a sparse file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Offset in the file.
    pub(crate) at: u64,
    /// Offset in the archive.
    pub(crate) begin: u64,
    pub(crate) bytes: u64,
}

/// The requested bytes of an image.
pub(crate) enum Asked {
    Whole(Reading),
    Pieces { bytes: u64, pieces: Vec<(u64, Reading)> },
    Nowhere(String),
}

impl Body {
    /// Requests the bytes, `bytes` in total.
    pub(super) fn ask(&self, file: &Location, bytes: u64) -> Asked {
        let part = |begin, bytes| file.reading(Some(begin..begin + bytes), LARGEST_IMAGE);
        match self {
            Self::File => Asked::Whole(file.reading(None, LARGEST_IMAGE)),
            Self::Part(begin) => Asked::Whole(part(*begin, bytes)),
            Self::Sparse(_) if bytes > LARGEST_IMAGE => Asked::Nowhere(format!(
                "a sparse file of {bytes} bytes, and no more than {LARGEST_IMAGE} are read"
            )),
            Self::Sparse(pieces) => Asked::Pieces {
                bytes,
                pieces: pieces
                    .iter()
                    .map(|piece| (piece.at, part(piece.begin, piece.bytes)))
                    .collect(),
            },
            Self::Nowhere(why) => Asked::Nowhere(why.clone()),
        }
    }
}

impl Asked {
    /// Waits for the bytes; the inner error says why the image cannot be read.
    ///
    /// # Errors
    /// If a store cannot be reached, which is not a fault of the image.
    pub(crate) fn wait(self) -> Result<Result<Vec<u8>, String>, LocationError> {
        match self {
            Self::Whole(reading) => of_the_image(reading),
            Self::Nowhere(why) => Ok(Err(why)),
            Self::Pieces { bytes, pieces } => {
                let size = usize::try_from(bytes).unwrap_or(usize::MAX);
                let mut whole = Vec::new();
                if whole.try_reserve_exact(size).is_err() {
                    return Ok(Err(format!("no memory for {bytes} bytes")));
                }
                whole.resize(size, 0);
                for (at, reading) in pieces {
                    let piece = match of_the_image(reading)? {
                        Ok(piece) => piece,
                        Err(why) => return Ok(Err(why)),
                    };
                    let at = usize::try_from(at).unwrap_or(usize::MAX);
                    let place = whole.get_mut(at..).and_then(|rest| rest.get_mut(..piece.len()));
                    match place {
                        Some(place) => place.copy_from_slice(&piece),
                        None => return Ok(Err("a piece is behind its end".into())),
                    }
                }
                Ok(Ok(whole))
            }
        }
    }
}

/// Separates faults of an image from faults of the way to it.
fn of_the_image(reading: Reading) -> Result<Result<Vec<u8>, String>, LocationError> {
    match reading.wait() {
        Err(error) if !matches!(error.fault, Fault::Absent | Fault::Disk) => Err(error),
        read => Ok(read.map_err(|error| error.reason)),
    }
}

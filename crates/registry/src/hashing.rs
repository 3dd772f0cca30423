use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::blocks::BlockList;
use crate::{Digest, Pin};

/// Follows a growing file: the digest of all its bytes, and of each block of them.
pub(crate) struct Hashing {
    whole: Sha256,
    /// `whole` as it was before the block that is being read.
    before_block: Sha256,
    block: Sha256,
    position: u64,
    block_bytes: u64,
    done: Vec<Digest>,
    known: Option<BlockList>,
    buffer: Vec<u8>,
}

/// The result of [`Hashing::follow`].
pub(crate) enum Followed {
    /// To where it was asked to go.
    Good,
    /// To the end of a block that is not what the list says; it counts as unread again.
    Bad(BadBlock),
}

/// A block that is not what the list says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadBlock {
    pub(crate) range: Range<u64>,
    pub(crate) expected: Digest,
    pub(crate) found: Digest,
}

impl Hashing {
    /// Nothing read yet; with a list, blocks are held against it.
    pub(crate) fn new(block_bytes: u64, known: Option<BlockList>) -> Self {
        Self {
            whole: Sha256::new(),
            before_block: Sha256::new(),
            block: Sha256::new(),
            position: 0,
            block_bytes: known.as_ref().map_or(block_bytes, |list| list.block_bytes).max(1),
            done: Vec::new(),
            known,
            buffer: vec![0; 1 << 18],
        }
    }

    /// Everything is to be read again.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.block_bytes, self.known.take());
    }

    /// The number of bytes read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Reads the file on to `end`, or as far as one buffer goes; `total` is where the file ends.
    pub(crate) fn follow(&mut self, file: &mut File, end: u64, total: Option<u64>) -> io::Result<Followed> {
        let start = self.done.len() as u64 * self.block_bytes;
        let block_end = (start + self.block_bytes).min(total.unwrap_or(u64::MAX));
        let wanted = (end.min(block_end) - self.position).min(self.buffer.len() as u64);
        let buffer = &mut self.buffer[..usize::try_from(wanted).expect("a buffer's length")];
        file.seek(SeekFrom::Start(self.position))?;
        file.read_exact(buffer)?;
        self.whole.update(&*buffer);
        self.block.update(&*buffer);
        self.position += wanted;
        if self.position < block_end {
            return Ok(Followed::Good);
        }
        let digest = Digest(self.block.finalize_reset().into());
        let known = self
            .known
            .as_ref()
            .and_then(|list| list.blocks.get(self.done.len()));
        if let Some(expected) = known.filter(|known| **known != digest) {
            self.whole = self.before_block.clone();
            self.position = start;
            return Ok(Followed::Bad(BadBlock {
                range: start..block_end,
                expected: *expected,
                found: digest,
            }));
        }
        self.done.push(digest);
        self.before_block = self.whole.clone();
        Ok(Followed::Good)
    }

    /// Ends the hashing: the size and digest of all that was read, and the digests of its blocks.
    pub(crate) fn finish(self) -> (Pin, BlockList) {
        let mut blocks = self.done;
        // A file whose size came to light only at its end stops inside a block.
        if self.position > blocks.len() as u64 * self.block_bytes {
            blocks.push(Digest(self.block.finalize().into()));
        }
        let pin = Pin {
            bytes: self.position,
            sha256: Digest(self.whole.finalize().into()),
        };
        let block_bytes = self.block_bytes;
        (pin, BlockList { block_bytes, blocks })
    }
}

/// Size and digest of bytes that come one after the other.
#[derive(Default)]
pub(crate) struct Hasher {
    sha256: Sha256,
    bytes: u64,
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> Pin {
        Pin {
            bytes: self.bytes,
            sha256: Digest(self.sha256.finalize().into()),
        }
    }
}

/// Size and digest of a file, from its start.
pub(crate) fn hash(file: &mut File) -> io::Result<Pin> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow_all(hashing: &mut Hashing, file: &mut File, total: u64) -> Vec<Range<u64>> {
        let mut bad = Vec::new();
        while hashing.position() < total && bad.len() < 3 {
            if let Followed::Bad(block) = hashing.follow(file, total, Some(total)).expect("readable") {
                bad.push(block.range);
            }
        }
        bad
    }

    #[test]
    fn blocks_and_whole_agree_with_hashing_each_alone() {
        let bytes: Vec<u8> = (0..=255).cycle().take(2500).collect();
        let mut file = tempfile::tempfile().expect("a file");
        io::Write::write_all(&mut file, &bytes).expect("written");
        let mut hashing = Hashing::new(1000, None);
        assert!(follow_all(&mut hashing, &mut file, 2500).is_empty());
        let (pin, list) = hashing.finish();
        assert_eq!(pin.sha256, Digest(Sha256::digest(&bytes).into()));
        let each: Vec<Digest> = bytes
            .chunks(1000)
            .map(|block| Digest(Sha256::digest(block).into()))
            .collect();
        assert_eq!(list.blocks, each);

        let mut damaged = list.clone();
        damaged.blocks[1] = Digest([0; 32]);
        let mut hashing = Hashing::new(7, Some(damaged));
        assert_eq!(follow_all(&mut hashing, &mut file, 2500), vec![1000..2000; 3]);
        assert_eq!(hashing.position(), 1000, "it waits where the bad block begins");
        let mut hashing = Hashing::new(7, Some(list));
        assert!(follow_all(&mut hashing, &mut file, 2500).is_empty());
        assert_eq!(hashing.finish().0, pin);
    }
}

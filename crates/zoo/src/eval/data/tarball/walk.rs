//! The members of a tar archive with their positions: POSIX ustar and pax, GNU's and the old format.

use std::io::{self, Read, Seek, SeekFrom};

use tar::Header;

use super::pax::Pax;
use super::sparse;
use crate::eval::data::Body;

pub(super) const BLOCK: u64 = 512;
/// The largest name or set of attributes, in bytes; real ones have some hundred.
const LARGEST_ATTRIBUTES: u64 = 1 << 20;
/// The largest file that is read during the scan, in bytes: files of classes have a few.
const LARGEST_TEXT: u64 = 1 << 10;
/// The distance behind the end mark in which another member is searched for. Archives are padded to 10 KiB, at most to some
/// hundred.
const TAIL: u64 = 1 << 20;

/// A member of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its path, with `/` and without `./` before it.
    pub(super) name: String,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    File {
        body: Body,
        bytes: u64,
        /// Its text, if it was requested.
        text: Option<Vec<u8>>,
    },
    /// Another name of an earlier member.
    HardLink(String),
    /// A path relative to the folder of the link.
    SymbolicLink(String),
    Folder,
    /// Its kind, with an article.
    Other(&'static str),
}

/// The end of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Two blocks of zeros, as it should be.
    Marked,
    /// One block of zeros.
    HalfMarked,
    /// No block of zeros: it may be truncated after a member.
    Unmarked,
    /// Data that is not a member follows the mark.
    Litter,
}

/// The reason why an archive cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("not a tar archive: {0}")]
    NotTar(String),
    #[error("damaged at byte {at}, after {after}: {why}")]
    Damaged { at: u64, after: String, why: String },
    #[error("the archive is cut: it ends at byte {at}, {inside}")]
    Cut { at: u64, inside: String },
    #[error("more members follow its end mark, from byte {at} on")]
    GoesOn { at: u64 },
}

/// Scans an archive, and reads the text of the requested files.
pub(super) fn walk(
    archive: &mut (impl Read + Seek),
    is_text: impl Fn(&str) -> bool,
) -> Result<(Vec<Member>, End), Broken> {
    let total = archive.seek(SeekFrom::End(0))?;
    if total == 0 {
        return Err(Broken::NotTar("it has 0 bytes".into()));
    }
    let mut walk = Walk {
        archive,
        total,
        next: 0,
        members: Vec::new(),
    };
    let mut attributes = Attributes::default();
    while let Some(header) = walk.header()? {
        walk.member(&header, &mut attributes, &is_text)?;
    }
    if attributes != Attributes::default() {
        return Err(walk.cut("between the attributes of a member and the member"));
    }
    let end = walk.end()?;
    Ok((walk.members, end))
}

struct Walk<'a, R> {
    archive: &'a mut R,
    total: u64,
    /// Position of the next header.
    next: u64,
    members: Vec<Member>,
}

/// Attributes from the headers before a member.
#[derive(Debug, Default, PartialEq, Eq)]
struct Attributes {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Pax,
}

impl<R: Read + Seek> Walk<'_, R> {
    /// Reads the next header; `None` at the end mark, and at the end of an archive without one.
    fn header(&mut self) -> Result<Option<Header>, Broken> {
        if self.next == self.total || self.ends_in_zeros()? {
            return Ok(None);
        }
        let block = self.block(self.next)?;
        if is_zero(&block) {
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        if !is_sound(&header) {
            return Err(self.damaged("no header of a member, or a damaged one".into()));
        }
        Ok(Some(header))
    }

    /// Returns whether less than a block is left, and it is a part of the end mark.
    fn ends_in_zeros(&mut self) -> io::Result<bool> {
        let left = self.total - self.next;
        Ok(self.next > 0 && left < BLOCK && is_zero(&self.read(self.next, left)?))
    }

    fn block(&mut self, at: u64) -> Result<[u8; BLOCK as usize], Broken> {
        if self.total - at < BLOCK {
            let inside = match self.members.last() {
                None => return Err(Broken::NotTar(format!("it has {} bytes", self.total))),
                Some(last) => format!("inside the header after {}", last.name),
            };
            return Err(self.cut(&inside));
        }
        let mut block = [0; BLOCK as usize];
        self.archive.seek(SeekFrom::Start(at))?;
        self.archive.read_exact(&mut block)?;
        Ok(block)
    }

    fn damaged(&self, why: String) -> Broken {
        match self.members.last() {
            None => Broken::NotTar(why),
            Some(last) => Broken::Damaged {
                at: self.next,
                after: last.name.clone(),
                why,
            },
        }
    }

    fn cut(&self, inside: &str) -> Broken {
        Broken::Cut {
            at: self.total,
            inside: inside.to_owned(),
        }
    }

    /// Adds the member of a header, and moves to the next header.
    fn member(
        &mut self,
        header: &Header,
        attributes: &mut Attributes,
        is_text: impl Fn(&str) -> bool,
    ) -> Result<(), Broken> {
        let stored = size(header).map_err(|error| self.damaged(error.to_string()))?;
        let begin = self.next + BLOCK;
        match header.entry_type().as_byte() {
            b'L' => attributes.name = Some(until_zero(self.attributes(begin, stored)?)),
            b'K' => attributes.link = Some(until_zero(self.attributes(begin, stored)?)),
            // The second is Solaris's.
            b'x' | b'X' => {
                let text = self.attributes(begin, stored)?;
                let added = attributes.pax.add(&text);
                added.map_err(|why| self.damaged(why))?;
            }
            // Of the whole archive: comments, and times of files.
            b'g' => {
                self.attributes(begin, stored)?;
            }
            kind => {
                let attributes = std::mem::take(attributes);
                return self.file(header, kind, stored, attributes, is_text);
            }
        }
        Ok(())
    }

    /// Reads the data of a special header, and moves behind it.
    fn attributes(&mut self, begin: u64, bytes: u64) -> Result<Vec<u8>, Broken> {
        if bytes > LARGEST_ATTRIBUTES {
            return Err(self.damaged(format!("the attributes of a member have {bytes} bytes")));
        }
        self.pass(begin, bytes, "the attributes of a member")?;
        Ok(self.read(begin, bytes)?)
    }

    fn read(&mut self, begin: u64, bytes: u64) -> io::Result<Vec<u8>> {
        self.archive.seek(SeekFrom::Start(begin))?;
        let found = ::files::read_up_to((&mut *self.archive).take(bytes), bytes, bytes)?;
        match found.len() as u64 {
            found if found < bytes => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(found),
        }
    }

    /// Moves to the header behind a member's data, which must be complete.
    fn pass(&mut self, begin: u64, bytes: u64, name: &str) -> Result<(), Broken> {
        let end = begin.checked_add(bytes);
        match end.and_then(|end| end.checked_next_multiple_of(BLOCK)) {
            Some(next) if next <= self.total => {
                self.next = next;
                Ok(())
            }
            Some(_) if end.is_some_and(|end| end <= self.total) => {
                Err(self.cut(&format!("inside the padding after {name}")))
            }
            _ => Err(self.cut(&format!("inside {name}, which has {bytes} bytes"))),
        }
    }

    fn file(
        &mut self,
        header: &Header,
        kind: u8,
        stored: u64,
        attributes: Attributes,
        is_text: impl Fn(&str) -> bool,
    ) -> Result<(), Broken> {
        let Attributes { name, link, pax } = attributes;
        let begin = self.next + BLOCK;
        let stored = match pax.number("size").map_err(|why| self.damaged(why))? {
            Some(size) => size,
            None => stored,
        };
        let path = pax.name().map(<[u8]>::to_vec).or(name);
        let path = path.unwrap_or_else(|| header.path_bytes().into_owned());
        let is_folder = path.ends_with(b"/");
        let name = plain(&path);
        let target = || {
            let target = pax.get("linkpath").map(<[u8]>::to_vec).or(link);
            let own = || header.link_name_bytes().unwrap_or_default().into_owned();
            readable(&target.unwrap_or_else(own))
        };
        let what = match kind {
            b'0' | b'7' if is_folder => {
                self.pass(begin, stored, &name)?;
                What::Folder
            }
            b'0' | b'7' => {
                self.pass(begin, stored, &name)?;
                self.regular(begin, stored, &pax, is_text(&name))?
            }
            b'S' => self.sparse(header, begin, stored, &name)?,
            b'1' => {
                let target = plain(target().as_bytes());
                self.link(begin, stored, &name)?;
                What::HardLink(target)
            }
            b'2' => {
                let target = target();
                self.link(begin, stored, &name)?;
                What::SymbolicLink(target)
            }
            kind => {
                self.pass(begin, stored, &name)?;
                match kind {
                    // GNU's volume label is a title.
                    b'5' | b'D' | b'V' => What::Folder,
                    b'3' | b'4' => What::Other("a device"),
                    b'6' => What::Other("a pipe"),
                    b'M' => What::Other("a part of a file that begins in another archive"),
                    _ => What::Other("a member of an unknown kind"),
                }
            }
        };
        self.members.push(Member { name, what });
        Ok(())
    }

    /// Returns a file with all of its bytes, or a sparse file as described by pax attributes.
    fn regular(&mut self, begin: u64, stored: u64, pax: &Pax, is_text: bool) -> Result<What, Broken> {
        if let Some(sparse) = sparse::of_pax(pax) {
            let map = sparse.and_then(|sparse| sparse.resolve(begin, stored, |at, most| self.read(at, most)));
            return Ok(laid_out(map));
        }
        let text = is_text && stored <= LARGEST_TEXT;
        let text = text.then(|| self.read(begin, stored)).transpose()?;
        Ok(What::File {
            body: Body::Part(begin),
            bytes: stored,
            text,
        })
    }

    /// Returns a sparse file in GNU's own format: its map is in the header and in the blocks behind it.
    fn sparse(&mut self, header: &Header, begin: u64, stored: u64, name: &str) -> Result<What, Broken> {
        let Some(gnu) = header.as_gnu() else {
            self.pass(begin, stored, name)?;
            return Ok(What::Other("a sparse file without a map"));
        };
        let mut map = sparse::Map::new(gnu.real_size());
        map.add(&gnu.sparse);
        let (mut begin, mut goes_on) = (begin, gnu.is_extended());
        while goes_on {
            let mut more = tar::GnuExtSparseHeader::new();
            *more.as_mut_bytes() = self.block(begin)?;
            map.add(more.sparse());
            goes_on = more.is_extended();
            begin += BLOCK;
        }
        self.pass(begin, stored, name)?;
        Ok(laid_out(map.lay_out(begin, stored)))
    }

    /// Moves behind a link. Some programs give it the size of its target and no data, others its data.
    fn link(&mut self, begin: u64, stored: u64, name: &str) -> Result<(), Broken> {
        self.next = begin;
        if stored == 0 || begin == self.total {
            return Ok(());
        }
        let block = self.block(begin)?;
        if is_zero(&block) || is_sound(Header::from_byte_slice(&block)) {
            return Ok(());
        }
        self.pass(begin, stored, name)
    }

    /// Reads the end of the archive.
    fn end(&mut self) -> Result<End, Broken> {
        let (mut at, until) = (self.next, self.total.min(self.next.saturating_add(TAIL)));
        let (mut zeros, mut litter) = (0, false);
        while until - at >= BLOCK {
            let block = self.block(at)?;
            if is_zero(&block) {
                zeros += u32::from(!litter && zeros < 2);
            } else if is_sound(Header::from_byte_slice(&block)) {
                return Err(Broken::GoesOn { at });
            } else {
                litter = true;
            }
            at += BLOCK;
        }
        Ok(match zeros {
            0 => End::Unmarked,
            _ if litter => End::Litter,
            1 => End::HalfMarked,
            _ => End::Marked,
        })
    }
}

/// Returns the number of bytes after a header; old programs leave it blank for none.
fn size(header: &Header) -> io::Result<u64> {
    let is_blank = |byte: &u8| matches!(byte, 0 | b' ');
    match header.as_old().size.iter().all(is_blank) {
        true => Ok(0),
        false => header.entry_size(),
    }
}

fn laid_out(map: Result<(u64, Body), String>) -> What {
    match map {
        Ok((bytes, body)) => What::File {
            body,
            bytes,
            text: None,
        },
        Err(why) => What::File {
            body: Body::Nowhere(format!("a sparse file that cannot be put together: {why}")),
            bytes: 0,
            text: None,
        },
    }
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// Returns whether a header has its stated checksum; old programs summed signed bytes.
fn is_sound(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let others = || bytes[..148].iter().chain(&bytes[156..]);
    let plain: i64 = others().map(|byte| i64::from(*byte)).sum();
    let signed: i64 = others().map(|byte| i64::from(byte.cast_signed())).sum();
    let blanks = 8 * i64::from(b' ');
    header.cksum().is_ok_and(|sum| {
        [plain, signed]
            .iter()
            .any(|found| found + blanks == i64::from(sum))
    })
}

fn until_zero(mut name: Vec<u8>) -> Vec<u8> {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name.truncate(end);
    name
}

/// Returns a member's path without a leading `./`, `/` and the like.
pub(super) fn plain(path: &[u8]) -> String {
    let text = readable(path);
    let parts = text.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

/// Converts bytes to text; bytes that are not UTF-8 become `\xff`, so that different names stay different.
fn readable(bytes: &[u8]) -> String {
    bytes.utf8_chunks().fold(String::new(), |mut text, chunk| {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
        text
    })
}

//! Files of one JSON value a line, to which processes append.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use serde::de::{DeserializeOwned, Error};

/// The values of a line: one, or several where files were put together whose last line lacked its end.
pub(crate) struct Line<T> {
    pub(crate) values: Vec<T>,
    /// The bytes that these take.
    pub(crate) whole: usize,
    /// Why what follows is no value; `None` if nothing follows.
    pub(crate) fault: Option<serde_json::Error>,
}

impl<T: DeserializeOwned> Line<T> {
    pub(crate) fn of(line: &[u8]) -> Self {
        let mut found = serde_json::Deserializer::from_slice(line).into_iter();
        let mut parsed = Self {
            values: Vec::new(),
            whole: 0,
            fault: None,
        };
        loop {
            match found.next() {
                None => break,
                Some(Err(error)) => {
                    parsed.fault = Some(error);
                    break;
                }
                Some(Ok(value)) => {
                    parsed.values.push(value);
                    parsed.whole = found.byte_offset();
                }
            }
        }
        parsed
    }

    /// Returns `true` if the rest behind the whole values is the beginning of a value that starts with `head`, as a killed process
    /// leaves it. Any other unfinished text is not ours.
    pub(crate) fn is_torn(&self, line: &[u8], head: &str) -> bool {
        let (rest, head) = (&line[self.whole..], head.as_bytes());
        let begins = head.starts_with(rest) || rest.starts_with(head);
        begins && self.fault.as_ref().is_some_and(serde_json::Error::is_eof)
    }
}

/// A last line, which is of somebody else.
pub(crate) struct Foreign {
    /// The offset of its first byte.
    pub(crate) at: u64,
    /// Why it is none of ours.
    pub(crate) fault: serde_json::Error,
}

/// Has the file end in a whole line: a last value that a killed process left torn is cut off, a line feed that is missing is
/// added. A line of anything else stays as it is, and comes back as an error.
///
/// Zeros behind a line are what some file systems leave of a write when the power fails.
pub(crate) fn mend_end<T: DeserializeOwned>(file: &mut File, head: &str) -> io::Result<Result<(), Foreign>> {
    let begin = last_line(file)?;
    let line = from(file, begin)?;
    if line.is_empty() {
        return Ok(Ok(()));
    }
    let (line, length) = (without_zeros(&line), line.len());
    let foreign = |fault| Ok(Err(Foreign { at: begin, fault }));
    if line.is_empty() && begin == 0 {
        return foreign(serde_json::Error::custom("the file holds zeros"));
    }
    let parsed = Line::<T>::of(line);
    let keep = match parsed.fault {
        None => line.len(),
        Some(_) if parsed.is_torn(line, head) => parsed.whole,
        Some(fault) => return foreign(fault),
    };
    if keep < length {
        file.set_len(begin + keep as u64)?;
    }
    if keep > 0 {
        add(file, b"\n")?;
    }
    Ok(Ok(()))
}

/// The text without the mark that some editors begin a file with.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The line without the zeros at its end.
pub(crate) fn without_zeros(line: &[u8]) -> &[u8] {
    let zeros = line.iter().rev().take_while(|byte| **byte == 0).count();
    &line[..line.len() - zeros]
}

/// The offset of the last line: behind the last line feed, or behind the byte order mark at the beginning of the file.
fn last_line(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        let mut part = vec![0; usize::try_from(end - begin).expect("at most a step")];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + last as u64 + 1);
        }
        if begin == 0 {
            return Ok((part.len() - without_mark(&part).len()) as u64);
        }
        end = begin;
    }
    Ok(0)
}

/// The bytes from there to the end.
fn from(file: &mut File, begin: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Adds whole lines and waits until they are on disk; where they do not fit there, nothing of them stays.
pub(crate) fn add(file: &mut File, lines: &[u8]) -> io::Result<()> {
    let before = file.seek(SeekFrom::End(0))?;
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    if written.is_err() {
        // What failed is the writing; a half line that cannot be cut off is so by who writes next.
        let _ = file.set_len(before);
    }
    written
}

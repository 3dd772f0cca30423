//! Members that are links to other members.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use super::walk::{Member, What};
use crate::eval::data::Body;

/// The most links that are followed for one member, as on most systems.
const MOST: usize = 40;
/// The largest file of a class.
const LARGEST_TEXT: u64 = 1 << 10;

/// Members by name.
pub(super) struct Names<'a> {
    members: &'a [Member],
    by_name: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(members: &'a [Member]) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, member) in members.iter().enumerate() {
            by_name.entry(&member.name).or_default().push(index);
        }
        Self { members, by_name }
    }

    /// Returns where a member's bytes are and how many there are, whatever it is.
    pub(super) fn body(&self, index: usize) -> (Body, u64) {
        match self.file(index) {
            Ok((body, bytes, _)) => (body.clone(), bytes),
            Err(why) => (Body::Nowhere(why), 0),
        }
    }

    /// Reads the text of a member that is a file of a class.
    pub(super) fn text(&self, index: usize, archive: &mut (impl Read + Seek)) -> Result<Vec<u8>, String> {
        let (body, bytes, text) = self.file(index)?;
        if let Some(text) = text {
            return Ok(text.to_vec());
        }
        if bytes > LARGEST_TEXT {
            return Err(format!("it has {bytes} bytes"));
        }
        match body {
            Body::Part(begin) => {
                let mut text = Vec::new();
                let read = archive
                    .seek(SeekFrom::Start(*begin))
                    .and_then(|_| archive.by_ref().take(bytes).read_to_end(&mut text));
                read.map_err(|error| error.to_string())?;
                Ok(text)
            }
            _ => Err("it is a sparse file".into()),
        }
    }

    /// Follows links to a file; the error says why there is none.
    fn file(&self, index: usize) -> Result<(&Body, u64, Option<&[u8]>), String> {
        let mut at = index;
        for _ in 0..=MOST {
            let Member { name, what } = &self.members[at];
            at = match what {
                What::File {
                    body: Body::Nowhere(why),
                    ..
                } => return Err(why.clone()),
                What::File { body, bytes, text } => return Ok((body, *bytes, text.as_deref())),
                What::Folder => return Err(format!("it is a link to the folder {name}")),
                What::Other(what) => return Err(format!("it is {what}")),
                What::HardLink(target) => self.before(target, at).ok_or_else(|| absent(target))?,
                What::SymbolicLink(target) => {
                    let path = beside(name, target).ok_or_else(|| absent(target))?;
                    self.last(&path).ok_or_else(|| absent(target))?
                }
            };
        }
        Err(format!(
            "it is one of more than {MOST} links that lead to each other"
        ))
    }

    /// Returns the last member with this name before another member: the target of a hard link.
    fn before(&self, name: &str, index: usize) -> Option<usize> {
        let found = self.by_name.get(name)?;
        found.iter().rev().copied().find(|found| *found < index)
    }

    fn last(&self, name: &str) -> Option<usize> {
        self.by_name.get(name)?.last().copied()
    }
}

fn absent(target: &str) -> String {
    format!("it is a link to {target}, which the archive does not have")
}

/// Returns the path that a link of this name leads to; `None` above the archive's root.
fn beside(link: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_from_the_folder_that_they_are_in() {
        let at = |link: &str, target: &str| beside(link, target);
        assert_eq!(at("a/b/c.jpg", "d.jpg").as_deref(), Some("a/b/d.jpg"));
        assert_eq!(at("a/b/c.jpg", ".././../d.jpg").as_deref(), Some("d.jpg"));
        assert_eq!(at("a/b/c.jpg", "../../../d.jpg"), None);
        assert_eq!(at("c.jpg", "/etc/passwd"), None);
    }
}

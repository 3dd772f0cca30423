//! Labelled images on disk: folders by class, lists of files, tar archives.

mod classes;
mod folder;
mod list;
mod tarball;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use harness::eval;
use registry::Digest;

use crate::files::IMAGE_ENDINGS;
use crate::{Exit, Failure};

/// A data set, its images in order of their names.
#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) entries: Vec<Entry>,
    pub(crate) about: eval::DataSet,
    /// Files that are no images by their names, which were passed over.
    pub(crate) passed_over: usize,
}

/// An image that is not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path below the data set, with `/`.
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) bytes: u64,
    /// The right classes: usually one, and none for an image that counts neither way.
    pub(crate) labels: Vec<usize>,
}

/// Where an image lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    /// In a tar archive, from a byte on.
    Tar(PathBuf, u64),
}

/// What is found at a path, before labels and order are checked.
#[derive(Debug, Default)]
struct Found {
    entries: Vec<Entry>,
    passed_over: usize,
}

impl Images {
    /// The data set at a path: a folder of folders by class, a folder of tar archives, one such archive, or a list.
    ///
    /// `root` is what the paths of a list are below; without it the list's folder. `real` is a file of other labels.
    pub(crate) fn open(
        path: &Path,
        root: Option<&Path>,
        real: Option<&Path>,
        classes: usize,
    ) -> Result<Self, Failure> {
        let mut found = match path {
            path if path.is_dir() => folder::find(path, classes)?,
            path if is_tar(path) => tarball::find(&[path.to_owned()], classes)?,
            path if path.is_file() => list::find(path, root)?,
            path => {
                let what = format!("{}: there is no such file or folder", path.display());
                return Err(Failure::new(Exit::Missing, what));
            }
        };
        if let Some(real) = real {
            classes::relabel(&mut found.entries, real)?;
        }
        Self::check(path, found, classes)
    }

    fn check(path: &Path, found: Found, classes: usize) -> Result<Self, Failure> {
        let Found {
            mut entries,
            passed_over,
        } = found;
        let bad = |what: String| Failure::new(Exit::Usage, format!("{}: {what}", path.display()));
        if entries.is_empty() {
            let endings = IMAGE_ENDINGS.join(", ");
            return Err(
                bad("there are no images".into()).help(format!("looked for names that end in {endings}"))
            );
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(bad(format!("{} is there twice", pair[0].name)));
        }
        let mut seen = vec![false; classes];
        for entry in &entries {
            for label in &entry.labels {
                match seen.get_mut(*label) {
                    Some(seen) => *seen = true,
                    None => {
                        return Err(bad(format!(
                            "{}: class {label}, but the network knows 0 to {}",
                            entry.name,
                            classes - 1
                        )));
                    }
                }
            }
        }
        let about = eval::DataSet {
            images: entries.len(),
            classes: seen.iter().filter(|seen| **seen).count(),
            digest: digest(&entries),
        };
        Ok(Self {
            entries,
            about,
            passed_over,
        })
    }

    /// The classes that are labels, in order.
    pub(crate) fn classes(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = self
            .entries
            .iter()
            .flat_map(|entry| entry.labels.clone())
            .collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

impl Entry {
    /// Puts the image file's bytes in place of what is in `bytes`.
    pub(crate) fn read(&self, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.clear();
        match &self.place {
            Place::File(path) => {
                File::open(path)?.read_to_end(bytes)?;
                Ok(())
            }
            Place::Tar(path, begin) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(*begin))?;
                file.take(self.bytes).read_to_end(bytes)?;
                if (bytes.len() as u64) < self.bytes {
                    let what = format!("the archive ends after {} of {} bytes", bytes.len(), self.bytes);
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
                }
                Ok(())
            }
        }
    }
}

/// Of names, labels and sizes; the images' own bytes are known only when all of them have been read.
fn digest(entries: &[Entry]) -> String {
    let mut text = String::new();
    for Entry {
        name, labels, bytes, ..
    } in entries
    {
        text.push_str(&format!("{name}\t{labels:?}\t{bytes}\n"));
    }
    Digest::of(text.as_bytes()).to_string()
}

fn is_tar(path: &Path) -> bool {
    path.is_file()
        && path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("tar"))
}

#[cfg(test)]
mod tests;

//! Labelled images on disk or in a bucket: folders by class, lists of files, tar archives, COCO's annotations.

mod body;
mod classes;
mod coco;
mod folder;
mod kinds;
mod list;
mod passed;
mod tarball;

use harness::eval;
use registry::{Digest, Kind, Location};

pub(crate) use body::{Asked, Body, Piece};
pub(crate) use classes::Folders;
pub(crate) use coco::{PeopleFiles, PeopleSet, is_valid};
pub(crate) use passed::{PassedOver, is_systems};

use crate::files::IMAGE_ENDINGS;
use crate::{Exit, Failure};

/// A data set, its images sorted by name.
#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) entries: Vec<Entry>,
    pub(crate) about: eval::DataSet,
    /// Skipped files.
    pub(crate) passed_over: PassedOver,
    /// Damaged files.
    pub(crate) incomplete: Vec<Incomplete>,
}

/// A description of a damaged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incomplete {
    /// Nothing is missing.
    Harmless(String),
    /// Images may be missing.
    Doubtful(String),
}

/// An image that has not been read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path below the data set, with `/`.
    pub(crate) name: String,
    /// The image file, or the tar archive that contains it.
    pub(crate) file: Location,
    pub(crate) body: Body,
    pub(crate) bytes: u64,
    /// The right classes: usually one, and none for an image that counts neither way.
    pub(crate) labels: Vec<usize>,
}

/// The files found at a path, before labels and order are checked.
#[derive(Debug, Default)]
struct Found {
    entries: Vec<Entry>,
    passed_over: PassedOver,
    incomplete: Vec<Incomplete>,
    /// Number of all files and members, without folders and links to folders.
    seen: usize,
    /// Number of members that hold the class of an image.
    classes: usize,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.passed_over.add(other.passed_over);
        self.incomplete.extend(other.incomplete);
        self.seen += other.seen;
        self.classes += other.classes;
    }
}

impl Images {
    /// Opens the data set at a path: a folder with one subfolder per class, a folder of tar archives, one such archive, or a
    /// list.
    ///
    /// `root` is the base folder for the paths of a list, by default the list's folder. `real` is a file of replacement labels;
    /// `folders` are the classes that names of folders stand for.
    pub(crate) fn open(
        path: &Location,
        root: Option<&Location>,
        real: Option<&Location>,
        folders: &Folders,
    ) -> Result<Self, Failure> {
        let mut found = Self::find(path, root, real.is_some(), folders)?;
        let (all, parts) = (
            found.seen,
            [found.entries.len(), found.classes, found.passed_over.count()],
        );
        assert_eq!(
            all,
            parts.iter().sum::<usize>(),
            "{path}: what is no image is passed over"
        );
        found.entries.sort_by(|a, b| a.name.cmp(&b.name));
        refuse_twins(path, &found.entries)?;
        if let Some(real) = real {
            classes::relabel(&mut found.entries, real)?;
        }
        Self::check(path, found, folders.classes())
    }

    fn find(
        path: &Location,
        root: Option<&Location>,
        labelled: bool,
        folders: &Folders,
    ) -> Result<Found, Failure> {
        match path.kind()? {
            Kind::Folder => folder::find(path, folders, labelled),
            Kind::File => match kinds::kind(&kinds::head(path)?, &path.name()) {
                kinds::Kind::Tar => tarball::find(std::slice::from_ref(path), folders, labelled),
                kinds::Kind::List => list::find(path, root),
                kinds::Kind::Other(what, advice) => {
                    let what = format!("{path}: {what}, which is not a data set");
                    Err(Failure::new(Exit::Usage, what).help(advice))
                }
            },
            Kind::Absent => {
                let what = format!("{path}: no such file or folder");
                Err(Failure::new(Exit::Missing, what))
            }
        }
    }

    fn check(path: &Location, found: Found, classes: usize) -> Result<Self, Failure> {
        let Found {
            entries,
            passed_over,
            incomplete,
            ..
        } = found;
        let bad = |what: String| Failure::new(Exit::Usage, format!("{path}: {what}"));
        if entries.is_empty() {
            let endings = IMAGE_ENDINGS.join(", ");
            let passed_over = passed_over.told().map(|told| format!("; {told}"));
            let what = format!("there are no images{}", passed_over.unwrap_or_default());
            return Err(bad(what).help(format!("looked for names that end in {endings}")));
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
            incomplete,
        })
    }

    /// Returns the classes that are labels, sorted.
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
    /// Requests the image file's bytes.
    pub(crate) fn reading(&self) -> Asked {
        self.body.ask(&self.file, self.bytes)
    }
}

/// Returns the digest of names, labels and sizes; the images' own bytes are known only after all of them have been read.
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

/// Refuses an image that occurs twice in the list sorted by name, because it would count twice.
fn refuse_twins(path: &Location, entries: &[Entry]) -> Result<(), Failure> {
    let Some([one, other]) = entries
        .array_windows()
        .find(|[one, other]| one.name == other.name)
    else {
        return Ok(());
    };
    let what = format!("{path}: {} is there twice", one.name);
    let failure = Failure::new(Exit::Usage, what);
    Err(match one.file == other.file {
        false => failure.help(format!("in {} and {}", one.file, other.file)),
        true => failure,
    })
}

/// Reads a text file, without the byte order mark of Windows.
fn text(file: &Location) -> Result<String, Failure> {
    let bytes = file.read(::files::LARGEST_TEXT)?;
    let bad = |what: &str| Failure::new(Exit::Usage, format!("{file}: not a text file: {what}"));
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(bad("it is UTF-16").help("save it as UTF-8: `iconv -f UTF-16 -t UTF-8` makes it so"));
    }
    let text = String::from_utf8(bytes).map_err(|error| bad(&error.to_string()))?;
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests;

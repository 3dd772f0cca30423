//! Images in tar archives: with a `.cls` beside each, as WebDataset has it, or in folders by class.
//!
//! An archive is scanned once for the positions of its members, which are then read one by one, because images run in an order
//! of their own.

mod links;
mod pax;
mod samples;
mod sparse;
mod walk;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use registry::Location;

use super::classes::{Class, Folders};
use super::kinds::{self, Kind};
use super::passed::is_systems;
use super::{Body, Entry, Found, Incomplete};
use crate::files::is_image;
use crate::{Exit, Failure};
use links::Names;
use walk::{Broken, End, Member, What};

/// The most archives that are scanned at once; in a bucket each waits for one request after the other.
const AT_ONCE: usize = 16;

/// Finds the images of tar archives; with labels from elsewhere (`labelled`) they need no class.
pub(super) fn find(archives: &[Location], folders: &Folders, labelled: bool) -> Result<Found, Failure> {
    let look = Look { folders, labelled };
    let mut all = Found::default();
    for found in look.all(archives)? {
        all.add(found);
    }
    Ok(all)
}

/// The way to scan archives.
struct Look<'a> {
    folders: &'a Folders,
    labelled: bool,
}

impl Look<'_> {
    /// Scans archives in parallel and returns the results in their order.
    fn all(&self, archives: &[Location]) -> Result<Vec<Found>, Failure> {
        let next = AtomicUsize::new(0);
        let look = || {
            let mut found = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(archive) = archives.get(index) else {
                    return Ok::<_, Failure>(found);
                };
                found.push((index, self.one(archive)?));
            }
        };
        let mut all = Vec::new();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..archives.len().min(AT_ONCE))
                .map(|_| scope.spawn(look))
                .collect();
            for thread in threads {
                all.extend(thread.join().expect("looking through archives does not panic")?);
            }
            Ok::<(), Failure>(())
        })?;
        all.sort_by_key(|(index, _)| *index);
        Ok(all.into_iter().map(|(_, found)| found).collect())
    }

    fn one(&self, archive: &Location) -> Result<Found, Failure> {
        let mut reader = archive.reader()?;
        let (members, end) = walk::walk(&mut reader, is_class).map_err(|broken| failure(archive, &broken))?;
        let mut found = Found::default();
        found.incomplete.extend(told(archive, end, members.last()));
        let names = Names::new(&members);
        let (mut images, mut classes) = (Vec::new(), Vec::new());
        for (index, member) in members.iter().enumerate() {
            if matches!(member.what, What::Folder) {
                continue;
            }
            found.seen += 1;
            match &member.name {
                name if is_systems(name) => found.passed_over.file(name),
                name if is_image(Path::new(name)) => images.push(index),
                name if is_class(name) => classes.push(index),
                name => found.passed_over.file(name),
            }
        }
        let samples = match self.labelled {
            true => HashMap::new(),
            false => {
                let names = |places: &[usize]| -> Vec<&str> {
                    places.iter().map(|index| members[*index].name.as_str()).collect()
                };
                samples::pair(&names(&images), &names(&classes))
                    .map_err(|why| Failure::new(Exit::Usage, format!("{archive}: {why}")).help(ONE_SAMPLE))?
            }
        };
        found.classes = samples.values().collect::<HashSet<_>>().len();
        for _ in found.classes..classes.len() {
            found.passed_over.class_alone();
        }
        for (place, index) in images.iter().enumerate() {
            let name = &members[*index].name;
            let (mut body, bytes) = names.body(*index);
            let labels = match samples.get(&place).map(|class| classes[*class]) {
                _ if self.labelled => Vec::new(),
                None => vec![self.folder(archive, name)?.index()],
                Some(class) => match names.text(class, &mut reader) {
                    Ok(text) => vec![self.class(archive, name, &members[class].name, &text)?],
                    Err(why) => {
                        let class = &members[class].name;
                        body = Body::Nowhere(format!("its class, {class}, cannot be read: {why}"));
                        Vec::new()
                    }
                },
            };
            found.entries.push(Entry {
                name: name.clone(),
                file: archive.clone(),
                body,
                bytes,
                labels,
            });
        }
        Ok(found)
    }

    /// Returns the class of the folder that a member is in.
    fn folder(&self, archive: &Location, name: &str) -> Result<Class, Failure> {
        match name.rsplit_once('/') {
            Some((folders, _)) => {
                let class = self.folders.any(folders);
                class.map_err(|why| self.folders.failure(archive, name, &why))
            }
            None => {
                let what = format!("{archive}: {name} has no class");
                Err(Failure::new(Exit::Usage, what).help(
                    "expected a .cls member of the same name, or folders by class; else write a list of files, or give \
                     classes by image number with --labels",
                ))
            }
        }
    }

    /// Returns the class that a `.cls` member holds, unless a WordNet id around the image contradicts it.
    fn class(&self, archive: &Location, image: &str, name: &str, text: &[u8]) -> Result<usize, Failure> {
        let bad = |what: String| Failure::new(Exit::Usage, format!("{archive}: {what}"));
        let class = number(text).map_err(|text| bad(format!("{name}: `{text}` is not a class number")))?;
        let folders = image.rsplit_once('/').map_or("", |(folders, _)| folders);
        match self.folders.any(folders) {
            Ok(Class::Wnid(other)) if other != class => Err(bad(format!(
                "{image}: {name} says class {class}, its folder says class {other}"
            ))
            .help("the classes are numbered in another order; here they are sorted WordNet ids, from 0")),
            _ => Ok(class),
        }
    }
}

const ONE_SAMPLE: &str = "a sample is what has one name up to the first dot after the last folder, as in WebDataset, or up to the last \
                         dot where that would give it several images or classes; it has one image and one class";

fn is_class(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("cls"))
}

/// Returns the class that a `.cls` member holds; the error says what its text is instead.
fn number(text: &[u8]) -> Result<usize, String> {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start_matches('\u{feff}').trim();
    text.parse().map_err(|_| {
        let begin: String = text.chars().take(40).collect();
        begin.escape_debug().to_string()
    })
}

/// Describes an archive that does not end as it should.
fn told(archive: &Location, end: End, last: Option<&Member>) -> Option<Incomplete> {
    let after = last.map_or("its beginning", |member| &member.name);
    let what = match end {
        End::Marked => return None,
        End::HalfMarked => {
            return Some(Incomplete::Harmless(format!(
                "{archive}: ends with one block of zeros, not with two"
            )));
        }
        End::Unmarked => format!(
            "{archive}: has no end mark after {after}: it may have been cut there, and images may be missing"
        ),
        End::Litter => format!("{archive}: data that is not a member follows its end mark, after {after}"),
    };
    Some(Incomplete::Doubtful(what))
}

fn failure(archive: &Location, broken: &Broken) -> Failure {
    let what = format!("{archive}: {broken}");
    match broken {
        Broken::Io(error) => kinds::unread(archive, error),
        Broken::NotTar(_) => match kinds::head(archive) {
            Err(failure) => failure,
            Ok(head) => match kinds::kind(&head, "") {
                Kind::Other(kind, advice) => {
                    Failure::new(Exit::Usage, format!("{archive}: not a tar archive, but {kind}")).help(advice)
                }
                Kind::Tar | Kind::List => Failure::new(Exit::Usage, what),
            },
        },
        Broken::Damaged { .. } => Failure::new(Exit::Checksum, what).help("download the archive again"),
        Broken::Cut { .. } => Failure::new(Exit::Checksum, what)
            .help("download the rest of it: `tar -tf` of a whole archive exits with 0"),
        Broken::GoesOn { .. } => Failure::new(Exit::Usage, what).help(
            "archives that were put together by `cat` end for most programs where the first one does: `tar -A` joins them, \
             or keep them apart in a folder",
        ),
    }
}

#[cfg(test)]
mod tests;

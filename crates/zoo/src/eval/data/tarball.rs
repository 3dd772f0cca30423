use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use registry::{Location, LocationError};
use tar::Archive;

use super::classes::Folders;
use super::{Entry, Found};
use crate::files::is_image;
use crate::{Exit, Failure};

/// Archives that are looked through at once: in a bucket each waits for one request after the other.
const AT_ONCE: usize = 16;

/// The images of tar archives: with a `.cls` beside each, as WebDataset has it, or in folders by class.
///
/// An archive is gone through once, for the places of its members; these are then read alone, for images are taken in an order
/// of their own.
pub(super) fn find(archives: &[Location], classes: usize) -> Result<Found, Failure> {
    let folders = Folders::new(classes);
    let mut found = Found::default();
    for (archive, members) in archives.iter().zip(all_members(archives)?) {
        found.passed_over += members.passed_over;
        for (name, begin, bytes) in members.images {
            let class = match members.classes.get(key(&name)) {
                Some(class) => *class,
                None => folder_class(&folders, &name, archive)?,
            };
            found.entries.push(Entry {
                name,
                file: archive.clone(),
                begin: Some(begin),
                bytes,
                labels: vec![class],
            });
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Members {
    /// Name, first byte and size.
    images: Vec<(String, u64, u64)>,
    /// By key.
    classes: HashMap<String, usize>,
    passed_over: usize,
}

/// The members of each archive, in order of the archives.
fn all_members(archives: &[Location]) -> Result<Vec<Members>, Failure> {
    let next = AtomicUsize::new(0);
    let look = || {
        let mut found = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(archive) = archives.get(index) else {
                return Ok::<_, Failure>(found);
            };
            found.push((index, members(archive)?));
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
    Ok(all.into_iter().map(|(_, members)| members).collect())
}

fn members(archive: &Location) -> Result<Members, Failure> {
    let bad = |what: String| Failure::new(Exit::Usage, format!("{archive}: {what}"));
    let damaged = |error: io::Error| match LocationError::behind(&error) {
        Some(failure) => Failure::from(failure),
        None => bad(format!("not a tar archive, or a damaged one: {error}")),
    };
    let mut members = Members::default();
    let mut tar = Archive::new(archive.reader()?);
    for entry in tar.entries_with_seek().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(damaged)?.into_owned();
        let name = path.to_string_lossy().into_owned();
        if is_image(&path) {
            members
                .images
                .push((name, entry.raw_file_position(), entry.size()));
        } else if path.extension().is_some_and(|ending| ending == "cls") {
            let mut text = String::new();
            io::Read::read_to_string(&mut entry, &mut text).map_err(damaged)?;
            let class = text
                .trim()
                .parse()
                .map_err(|_| bad(format!("{name}: `{}` is no class number", text.trim())))?;
            members.classes.insert(key(&name).to_owned(), class);
        } else {
            members.passed_over += 1;
        }
    }
    Ok(members)
}

/// A WebDataset sample's key: the name up to the first dot after the last folder.
fn key(name: &str) -> &str {
    let folder = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = name[folder..].find('.').map_or(name.len(), |dot| folder + dot);
    &name[..dot]
}

fn folder_class(folders: &Folders, name: &str, archive: &Location) -> Result<usize, Failure> {
    let folder = Path::new(name).parent().and_then(Path::file_name);
    match folder {
        Some(folder) => folders.class(&folder.to_string_lossy(), archive),
        None => {
            let what = format!("{archive}: {name} has no class");
            Err(Failure::new(Exit::Usage, what).help(
                "expected a .cls member of the same name, or folders by class; else write a list of files",
            ))
        }
    }
}

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use tar::Archive;

use super::classes::Folders;
use super::{Entry, Found, Place};
use crate::files::is_image;
use crate::{Exit, Failure};

/// The images of tar archives: with a `.cls` beside each, as WebDataset has it, or in folders by class.
pub(super) fn find(archives: &[PathBuf], classes: usize) -> Result<Found, Failure> {
    let folders = Folders::new(classes);
    let mut found = Found::default();
    for archive in archives {
        let members = members(archive)?;
        found.passed_over += members.passed_over;
        for (name, begin, bytes) in members.images {
            let class = match members.classes.get(key(&name)) {
                Some(class) => *class,
                None => folder_class(&folders, &name, archive)?,
            };
            found.entries.push(Entry {
                name,
                place: Place::Tar(archive.clone(), begin),
                bytes,
                labels: vec![class],
            });
        }
    }
    Ok(found)
}

struct Members {
    /// Name, first byte and size.
    images: Vec<(String, u64, u64)>,
    /// By key.
    classes: HashMap<String, usize>,
    passed_over: usize,
}

fn members(archive: &Path) -> Result<Members, Failure> {
    let disk = |error| Failure::file(archive, &error);
    let bad = |what: String| Failure::new(Exit::Usage, format!("{}: {what}", archive.display()));
    let mut members = Members {
        images: Vec::new(),
        classes: HashMap::new(),
        passed_over: 0,
    };
    let mut tar = Archive::new(File::open(archive).map_err(disk)?);
    let entries = tar.entries_with_seek().map_err(disk)?;
    for entry in entries {
        let mut entry =
            entry.map_err(|error| bad(format!("not a tar archive, or a damaged one: {error}")))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(disk)?.into_owned();
        let name = path.to_string_lossy().into_owned();
        if is_image(&path) {
            members
                .images
                .push((name, entry.raw_file_position(), entry.size()));
        } else if path.extension().is_some_and(|ending| ending == "cls") {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut entry, &mut text).map_err(disk)?;
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

fn folder_class(folders: &Folders, name: &str, archive: &Path) -> Result<usize, Failure> {
    let folder = Path::new(name).parent().and_then(Path::file_name);
    match folder {
        Some(folder) => folders.class(&folder.to_string_lossy(), archive),
        None => {
            let what = format!("{}: {name} has no class", archive.display());
            Err(Failure::new(Exit::Usage, what).help(
                "expected a .cls member of the same name, or folders by class; else write a list of files",
            ))
        }
    }
}

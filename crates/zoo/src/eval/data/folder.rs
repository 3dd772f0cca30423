use std::fs;
use std::path::{Path, PathBuf};

use super::classes::Folders;
use super::{Entry, Found, Place, is_tar, tarball};
use crate::Failure;
use crate::files::is_image;

/// The images of a folder: in folders by class, or else in tar archives.
pub(super) fn find(data: &Path, classes: usize) -> Result<Found, Failure> {
    let mut folders = Vec::new();
    let mut archives = Vec::new();
    let mut found = Found::default();
    for path in list(data)? {
        if path.is_dir() {
            folders.push(path);
        } else if is_tar(&path) {
            archives.push(path);
        } else {
            found.passed_over += 1;
        }
    }
    if folders.is_empty() {
        let passed_over = found.passed_over;
        return Ok(Found {
            passed_over,
            ..tarball::find(&archives, classes)?
        });
    }
    found.passed_over += archives.len();
    let names = Folders::new(classes);
    for folder in folders {
        let name = name(&folder);
        let class = names.class(&name, data)?;
        for path in list(&folder)? {
            if !path.is_file() || !is_image(&path) {
                found.passed_over += 1;
                continue;
            }
            let bytes = fs::metadata(&path)
                .map_err(|error| Failure::file(&path, &error))?
                .len();
            found.entries.push(Entry {
                name: format!("{name}/{}", self::name(&path)),
                place: Place::File(path),
                bytes,
                labels: vec![class],
            });
        }
    }
    Ok(found)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let disk = |error| Failure::file(folder, &error);
    let entries = fs::read_dir(folder).map_err(disk)?;
    entries
        .map(|entry| Ok(entry.map_err(disk)?.path()))
        .collect::<Result<_, _>>()
        .map(|mut paths: Vec<PathBuf>| {
            paths.sort();
            paths
        })
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

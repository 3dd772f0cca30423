use clap::builder::{OsStringValueParser, TypedValueParser};
use registry::Location;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::{Exit, Failure};

/// Endings of files that are taken for images.
pub(crate) const IMAGE_ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "bmp"];

/// Writes a file that the user named, so that no half file is ever seen.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    ::files::write(path, bytes).map_err(|error| Failure::file(path, &error))
}

/// The bytes of an image file, or of standard input for `-`.
pub(crate) fn read_image(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    bytes.map_err(|error| Failure::file(path, &error))
}

/// The file, or the images in the folder and its subfolders, in the order of names.
pub(crate) fn add_images(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let before = files.len();
    walk(path, files)?;
    if files.len() == before {
        let failure = Failure::new(
            Exit::Usage,
            format!("{}: no images in this folder", path.display()),
        );
        return Err(failure.help(format!(
            "files that end in {} are taken",
            IMAGE_ENDINGS.join(", ")
        )));
    }
    Ok(())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let fail = |error| Failure::file(folder, &error);
    let mut paths = fs::read_dir(folder)
        .map_err(fail)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(fail)?;
    paths.sort();
    for path in paths {
        // A link to a folder may lead back to where we are.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, files)?;
        } else if path.is_file() && is_image(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file's name ends as an image's.
pub(crate) fn is_image(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    IMAGE_ENDINGS
        .iter()
        .any(|known| ending.eq_ignore_ascii_case(known))
}

/// A path, which need not be UTF-8, or a URL.
pub(crate) fn location() -> impl TypedValueParser<Value = Location> {
    OsStringValueParser::new().try_map(Location::parse)
}

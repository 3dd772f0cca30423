use clap::builder::{OsStringValueParser, TypedValueParser};
use registry::Location;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::eval::data::{PassedOver, is_systems};
use crate::{Exit, Failure};

/// Extensions of image files.
pub(crate) const IMAGE_ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "bmp"];

/// The largest image file that is read, in bytes; a BMP of 89 million pixels is as large.
pub(crate) const LARGEST_IMAGE: u64 = 1 << 28;

/// Writes a file that the user named, whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    ::files::write(path, bytes).map_err(|error| Failure::file(path, &error))
}

/// Refuses a file that could not be written, before the work begins whose result goes there.
pub(crate) fn check_output(path: &Path) -> Result<(), Failure> {
    ::files::check_output(path).map_err(|error| Failure::file(path, &error))
}

/// Refuses a file of records to which none could be appended, before they are measured. Makes its folder if there is none.
pub(crate) fn check_records(path: &Path) -> Result<(), Failure> {
    make_folder(path)?;
    ::files::check_append(path).map_err(|error| Failure::file(path, &error))
}

/// Makes the folder of a file if it does not exist.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    let folder = ::files::folder_of(path);
    fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))
}

/// Reads an image file, or standard input for `-`.
pub(crate) fn read_image(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = if path == Path::new("-") {
        ::files::read_up_to(io::stdin().lock(), 0, LARGEST_IMAGE)
    } else {
        ::files::read_file(path, LARGEST_IMAGE)
    };
    bytes.map_err(|error| Failure::file(path, &error))
}

/// Finds the images in files and folders, sorted by name, and reports skipped files.
pub(crate) fn find_images(cx: &Context, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Photos::default();
    for path in paths {
        found.add(path)?;
    }
    if let Some(told) = found.passed_over.told() {
        cx.out.note(&told);
    }
    Ok(found.files)
}

/// Images that were found.
#[derive(Debug, Default)]
struct Photos {
    files: Vec<PathBuf>,
    passed_over: PassedOver,
}

impl Photos {
    /// Adds a file, or the images in a folder and its subfolders.
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        if !path.is_dir() {
            self.files.push(path.to_owned());
            return Ok(());
        }
        let before = self.files.len();
        self.walk(path, path)?;
        if self.files.len() == before {
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

    fn walk(&mut self, root: &Path, folder: &Path) -> Result<(), Failure> {
        let fail = |error| Failure::file(folder, &error);
        let mut paths = fs::read_dir(folder)
            .map_err(fail)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<PathBuf>, _>>()
            .map_err(fail)?;
        paths.sort();
        for path in paths {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            match path.is_dir() {
                // A link to a folder may lead back to where we are.
                true if path.is_symlink() => self.passed_over.link(),
                true => self.walk(root, &path)?,
                // What has an image's name and is no file is told when it is read.
                false if is_image(&path) && !is_systems(&name) => self.files.push(path),
                false => self.passed_over.file(&name),
            }
        }
        Ok(())
    }
}

/// Returns whether a file has the extension of an image.
pub(crate) fn is_image(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    IMAGE_ENDINGS
        .iter()
        .any(|known| ending.eq_ignore_ascii_case(known))
}

/// Parses a path, which need not be UTF-8, or a URL.
pub(crate) fn location() -> impl TypedValueParser<Value = Location> {
    OsStringValueParser::new().try_map(Location::parse)
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,\\".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

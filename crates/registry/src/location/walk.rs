//! The files below a folder of this machine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Listed, LocationError};

/// Returns the files in this folder and, down to `levels` levels, in the folders in it, in no order.
pub(super) fn files(folder: &Path, levels: usize) -> Result<Vec<Listed>, LocationError> {
    let mut walk = Walk {
        above: Vec::new(),
        found: Vec::new(),
    };
    walk.folder(folder, "", levels)?;
    Ok(walk.found)
}

/// A walk through folders.
struct Walk {
    /// The folders that the one at hand is in, without links.
    above: Vec<PathBuf>,
    found: Vec<Listed>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, name: &str, levels: usize) -> Result<(), LocationError> {
        let disk = LocationError::disk(folder);
        let real = fs::canonicalize(folder).map_err(&disk)?;
        if self.above.contains(&real) {
            return Ok(());
        }
        self.above.push(real);
        for entry in fs::read_dir(folder).map_err(&disk)? {
            let path = entry.map_err(&disk)?.path();
            let name = format!("{name}{}", shown(path.file_name().unwrap_or_default()));
            match fs::metadata(&path) {
                Ok(about) if about.is_dir() && levels > 1 => {
                    self.folder(&path, &format!("{name}/"), levels - 1)?;
                }
                Ok(about) if about.is_dir() => {}
                about => self.found.push(Listed {
                    name,
                    bytes: about.map_or(0, |about| about.len()),
                    location: path.into(),
                }),
            }
        }
        self.above.pop();
        Ok(())
    }
}

/// A name as text, in which bytes that are none are written as `\xff`, so that unlike names stay unlike.
fn shown(name: &OsStr) -> String {
    let chunks = name.as_encoded_bytes().utf8_chunks();
    chunks.fold(String::new(), |mut text, chunk| {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
        text
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::Location;

    #[test]
    fn a_link_to_a_folder_above_is_not_followed_and_names_that_are_no_text_stay_unlike() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).expect("made");
        std::os::unix::fs::symlink(folder.path(), deep.join("round")).expect("a link");
        std::os::unix::fs::symlink(&deep, folder.path().join("other")).expect("a link");
        for name in [&b"\xff"[..], b"\xfe"] {
            fs::write(deep.join(OsStr::from_bytes(name)), "x").expect("written");
        }
        let listed = Location::from(folder.path().to_owned())
            .files(usize::MAX)
            .expect("listed");
        let names: Vec<String> = listed.into_iter().map(|file| file.name).collect();
        assert_eq!(names, [r"a/b/\xfe", r"a/b/\xff", r"other/\xfe", r"other/\xff"]);
    }
}

//! Weight files that a manifest names by their paths.
//!
//! Whoever wrote a manifest need not be who runs this program on it, so that a path in it leads to what lies below the
//! manifest's own folder, or below one that the user names beside it, and nowhere else: not by `..`, not through a symbolic
//! link. Such a file is read and never written, moved, removed or copied to a mirror.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use reqwest::Url;

use crate::whole::open_below;

/// A weight file below a folder of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// The manifest's folder, or one that the user named.
    folder: PathBuf,
    /// The path below it: names alone.
    below: PathBuf,
}

/// The folders in which the files of a manifest may lie.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folders {
    /// The manifest's own.
    own: PathBuf,
    /// Others, by their whole paths.
    others: Vec<PathBuf>,
}

/// A file that the rules of this module allow.
pub(crate) struct Placed {
    pub(crate) file: LocalFile,
    /// The key of its pin: its path from the manifest, or its whole path.
    pub(crate) key: String,
}

impl LocalFile {
    /// Its path, whether or not it is there.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.below)
    }

    /// Returns whether a regular file is there that can be read.
    pub fn is_there(&self) -> bool {
        self.open().is_ok()
    }

    /// Reads it as text, of at most `most` bytes.
    ///
    /// # Errors
    /// Of kind `NotFound` if there is nothing, of another kind if it is no regular file, lies behind a symbolic link, is no text
    /// or is larger.
    pub fn read_text(&self, most: u64) -> io::Result<String> {
        let file = self.open()?;
        let bytes = files::read_up_to(&file, file.metadata()?.len(), most)?;
        String::from_utf8(bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
    }

    /// Opens it to read.
    ///
    /// # Errors
    /// Of kind `NotFound` if there is nothing, of another kind if it is no regular file or lies behind a symbolic link.
    pub(crate) fn open(&self) -> io::Result<File> {
        open_below(&self.folder, &self.below)
    }
}

impl Folders {
    /// The folder of this manifest, and others that the user allows.
    pub(crate) fn of(manifest: &Path, others: &[PathBuf]) -> Self {
        let own = manifest.parent().filter(|folder| !folder.as_os_str().is_empty());
        let whole = |folder: &PathBuf| std::path::absolute(folder).ok();
        Self {
            own: own.unwrap_or(Path::new(".")).to_owned(),
            others: others.iter().filter_map(whole).collect(),
        }
    }

    /// Finds the file of a path, or says why it may not be named.
    pub(crate) fn place(&self, text: &str) -> Result<Placed, String> {
        if text.contains(|next: char| next.is_control()) {
            return Err("holds a control character".into());
        }
        let path = Path::new(text);
        if path.is_absolute() {
            return self.place_whole(path);
        }
        match names(path) {
            Some(below) => Ok(self.own(below)),
            None => Err("leaves the folder of the manifest: expected a path below it, without `..`".into()),
        }
    }

    /// The same for a `file://` URL.
    pub(crate) fn place_url(&self, url: &Url) -> Result<Placed, String> {
        match url.to_file_path() {
            Ok(path) => self.place_whole(&path),
            Err(()) => Err("names no file of this machine: expected file:///PATH".into()),
        }
    }

    fn place_whole(&self, path: &Path) -> Result<Placed, String> {
        let own = std::path::absolute(&self.own).ok();
        if let Some(below) = own.and_then(|own| names(path.strip_prefix(own).ok()?)) {
            return Ok(self.own(below));
        }
        let below = |folder: &PathBuf| {
            Some(LocalFile {
                below: names(path.strip_prefix(folder).ok()?)?,
                folder: folder.clone(),
            })
        };
        match self.others.iter().find_map(below) {
            Some(file) => Ok(Placed {
                key: file.path().display().to_string(),
                file,
            }),
            None => Err(
                "is outside the folder of the manifest: `--weights-dir DIR` (ZOO_WEIGHTS_DIR) names another \
                         folder that manifests may name files in"
                    .into(),
            ),
        }
    }

    fn own(&self, below: PathBuf) -> Placed {
        let parts: Vec<String> = below
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        Placed {
            key: format!("./{}", parts.join("/")),
            file: LocalFile {
                folder: self.own.clone(),
                below,
            },
        }
    }
}

/// A path of names alone, of one at least.
fn names(path: &Path) -> Option<PathBuf> {
    let mut names = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (names != Path::new("")).then_some(names)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_path_stays_below_the_folders_that_are_allowed() {
        let folders = Folders::of(Path::new("here/zoo.toml"), &[PathBuf::from("/data")]);
        let key = |path: &str| folders.place(path).map(|placed| placed.key);
        assert_eq!(key("w.pth"), Ok("./w.pth".into()));
        assert_eq!(key("./runs/best of 3.pth"), Ok("./runs/best of 3.pth".into()));
        for path in ["", ".", "..", "../w.pth", "runs/../../w.pth", "runs/..", "a\0b"] {
            assert!(key(path).is_err(), "{path:?}");
        }
        #[cfg(unix)]
        {
            assert_eq!(key("/data/w.pth"), Ok("/data/w.pth".into()));
            for path in ["/etc/passwd", "/data", "/data/../etc/passwd", "/database/w.pth"] {
                let why = key(path).expect_err(path);
                assert!(why.contains("--weights-dir"), "{path}: {why}");
            }
            let url = |text: &str| {
                folders
                    .place_url(&Url::parse(text).expect(text))
                    .map(|placed| placed.key)
            };
            assert_eq!(url("file:///data/w.pth"), Ok("/data/w.pth".into()));
            for text in [
                "file:///etc/passwd",
                "file://host/data/w.pth",
                "file:///data/%2e%2e/etc/passwd",
            ] {
                assert!(url(text).is_err(), "{text}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_folders_and_pipes_are_no_weight_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("own/runs")).expect("made");
        fs::write(path("secret"), "secret").expect("written");
        fs::write(path("own/runs/w.pth"), "weights").expect("written");
        std::os::unix::fs::symlink(path("secret"), path("own/link.pth")).expect("linked");
        std::os::unix::fs::symlink(folder.path(), path("own/up")).expect("linked");
        rustix::fs::mkfifoat(rustix::fs::CWD, path("own/pipe.pth"), rustix::fs::Mode::RWXU).expect("made");
        let folders = Folders::of(&path("own/zoo.toml"), &[]);
        let open = |name: &str| folders.place(name).expect("below").file.open();
        let text = io::read_to_string(open("runs/w.pth").expect("opened")).expect("read");
        assert_eq!(text, "weights");
        for name in ["link.pth", "up/secret", "pipe.pth", "runs"] {
            let error = open(name).expect_err(name);
            assert_ne!(error.kind(), io::ErrorKind::NotFound, "{name}: {error}");
        }
        for name in ["none.pth", "none/w.pth"] {
            assert_eq!(
                open(name).expect_err(name).kind(),
                io::ErrorKind::NotFound,
                "{name}"
            );
        }
    }
}

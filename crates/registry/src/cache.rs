use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Artifact, Digest, Lock};

/// The folder weights are kept in, addressed by content.
///
/// `sha256/<64 hex digits>` is a published file: its name is the digest of its bytes, so no file can be taken for
/// another, and sources with the same bytes share one; `sha256/<digest>.<more>.safetensors` beside it are its weights
/// prepared to be mapped, which may be deleted. `checked/<name>.<user>` notes what the bytes of a file were when that user
/// last read them all, and its size, times, device and inode then; notes that others may write to are not believed.
/// `partial/<key>/` is a download that stopped, its bytes in `data` and what of them is there in `journal`;
/// `partial/<key>.<owner>/` is one that a process works on. `users/<digest>` names a manifest that has its weights here, and
/// what it named last. Everything but `sha256/` may be deleted at any time; links that someone plants in these folders, or for
/// them, are never followed. The cache's own folder may be a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache in this folder.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder for this user's cache on this platform, or `None` where the system does not tell one.
    #[expect(
        clippy::disallowed_methods,
        reason = "where a system keeps caches is told by its variables"
    )]
    pub fn platform_root() -> Option<PathBuf> {
        let home = |variable: &str| {
            std::env::var_os(variable)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let folder = if cfg!(windows) {
            home("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            home("HOME").map(|home| home.join("Library/Caches"))
        } else {
            // The XDG rule: a relative path is to be passed over.
            let xdg = home("XDG_CACHE_HOME").filter(|folder| folder.is_absolute());
            xdg.or_else(|| home("HOME").map(|home| home.join(".cache")))
        };
        folder.map(|folder| folder.join("hrnet-zoo"))
    }

    /// The cache's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path at which the file with this content is published.
    pub fn path(&self, content: Digest) -> PathBuf {
        self.published().join(content.to_string())
    }

    /// The path of a weight source's published file, if its content is known and it is there; or of its own file, if the
    /// manifest names one of this machine. Its bytes are not read, so nothing may be computed from them: [`open`](Self::open)
    /// is for that.
    pub fn find(&self, artifact: &Artifact, lock: &Lock) -> Option<PathBuf> {
        if let Some(local) = &artifact.local {
            return local.is_there().then(|| local.path());
        }
        let path = self.path(self.content(artifact, lock)?);
        let is_folder = fs::symlink_metadata(self.published()).ok()?.is_dir();
        let is_there = is_folder && fs::symlink_metadata(&path).ok()?.is_file();
        is_there.then_some(path)
    }

    pub(crate) fn published(&self) -> PathBuf {
        self.root.join("sha256")
    }

    pub(crate) fn partials(&self) -> PathBuf {
        self.root.join("partial")
    }

    pub(crate) fn checked(&self) -> PathBuf {
        self.root.join("checked")
    }

    /// Removes the folders that a failed download made. Folders in use are not empty, and stay.
    pub(crate) fn leave_no_empty_folder(&self) {
        for folder in [&self.partials(), &self.root] {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The entries of a folder; empty if it is not there.
pub(crate) fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

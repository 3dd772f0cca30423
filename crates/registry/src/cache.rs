use std::path::{Path, PathBuf};

use crate::{Artifact, Variant};

/// The folder weights are kept in: `<root>/weights/<variant>/<source>/<file>`, one file a folder.
///
/// Each part of a path is a checked name of the manifest, so a path never leaves the root; a file is there only once
/// its bytes have been verified.
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

    /// Where a variant's weights of one source lie once they are fetched.
    pub fn path(&self, variant: &Variant, artifact: &Artifact) -> PathBuf {
        self.root
            .join("weights")
            .join(&variant.name)
            .join(&artifact.id)
            .join(&artifact.file_name)
    }
}

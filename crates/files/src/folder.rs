use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::whole::{folder_of, sync_folder};

/// The prefix of the names of unfinished files and folders.
pub(crate) const UNFINISHED: &str = ".new-";

/// A folder that is being filled beside the path it is to have. Dropped before [`place`](Self::place), it is removed.
#[derive(Debug)]
pub struct WholeFolder(TempDir);

impl WholeFolder {
    /// Creates a folder in this one.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create_in(folder: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(UNFINISHED);
        // As any new folder: the umask decides who may read it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        Ok(Self(builder.tempdir_in(folder)?))
    }

    /// Returns its path until it is published.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Renames the folder to this path, beside it, in place of an empty folder. If something else is there, returns the folder.
    ///
    /// # Errors
    /// If it cannot be renamed; it is then gone.
    pub fn place(self, path: &Path) -> io::Result<Result<PathBuf, Self>> {
        // An empty folder holds nothing that could be lost, anything else is not removed by this.
        let _ = fs::remove_dir(path);
        if fs::symlink_metadata(path).is_ok() {
            return Ok(Err(self));
        }
        match fs::rename(self.path(), path) {
            Ok(()) => {
                // It has another name now: there is nothing to remove.
                let _ = self.0.keep();
                sync_folder(folder_of(path))?;
                Ok(Ok(path.to_owned()))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty
                ) =>
            {
                Ok(Err(self))
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the folders in this one that killed processes left. The caller must keep other processes from creating one.
    ///
    /// # Errors
    /// If the folder cannot be read or one not be removed.
    pub fn remove_abandoned(folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let is_ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            if is_ours && entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

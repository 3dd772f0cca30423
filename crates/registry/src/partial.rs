//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file being written beside the path it is to have. Dropped without [`publish`](Self::publish) it is removed.
pub(crate) struct Partial {
    file: NamedTempFile,
    path: PathBuf,
}

impl Partial {
    /// An empty file under a name of its own, in the folder of `path`, which must exist.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".partial-");
        // As any new file: the umask decides who may read it. Temporary files are the owner's alone by default.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        Ok(Self {
            file: builder.tempfile_in(folder_of(path))?,
            path: path.to_owned(),
        })
    }

    /// Gives the file its path, in place of what was there; it survives a power failure from then on.
    pub(crate) fn publish(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path)?;
        sync_folder(folder_of(&self.path))
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The folder a path lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes a rename in the folder durable; Windows has no such call.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// Folders made for a file; those that were not there before are removed again unless they are kept.
pub(crate) struct NewFolders {
    made: Vec<PathBuf>,
}

impl NewFolders {
    /// Makes `path` and what is missing above it.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let missing = path.ancestors().take_while(|folder| !folder.exists());
        let folders = Self {
            made: missing.map(Path::to_owned).collect(),
        };
        fs::create_dir_all(path)?;
        Ok(folders)
    }

    pub(crate) fn keep(mut self) {
        self.made.clear();
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        // Innermost first; one that another process has begun to use is not empty and stays.
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
}

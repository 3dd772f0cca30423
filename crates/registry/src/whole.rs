//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::Pin;
use crate::hashing::hash;

/// A file being written beside the path it is to have. Dropped without [`publish`](Self::publish) it is removed.
pub(crate) struct Whole {
    file: NamedTempFile,
    path: PathBuf,
}

impl Whole {
    /// An empty file under a name of its own, in the folder of `path`, which must exist.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".new-");
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

    /// What was written, read again from the disk.
    pub(crate) fn read_back(&mut self) -> io::Result<Pin> {
        let mut file = self.file.reopen()?;
        hash(&mut file)
    }

    /// Gives the file its path without waiting for the disk: for what can be made again.
    pub(crate) fn place(self) -> io::Result<()> {
        self.file.persist(&self.path)?;
        Ok(())
    }
}

impl Write for Whole {
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
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// Makes a folder of the cache, and what is missing above it; a symbolic link in its place is not followed.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(io::Error::other(
            "expected a folder; symbolic links in the cache are not followed: remove it",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(path),
        Err(error) => Err(error),
    }
}

/// Opens a regular file to read, never through a symbolic link at its end.
///
/// # Errors
/// Of kind `NotFound` if there is nothing, of another kind if it is no regular file.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    no_follow(&mut options);
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("is not a regular file: remove it"));
    }
    options.open(path)
}

/// Has the file not be opened if a symbolic link is in its place.
pub(crate) fn no_follow(options: &mut fs::OpenOptions) {
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
    }
    #[cfg(not(unix))]
    let _ = options;
}

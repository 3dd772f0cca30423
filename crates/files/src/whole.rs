use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::folder::UNFINISHED;

/// Links that lead to links before one is taken for a circle, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// A file that is being written beside the path it is to have. Dropped before [`publish`](Self::publish) or
/// [`place`](Self::place), it is removed.
///
/// Its own name is random, not made of the process's number, which is 1 in every container. A new file gets the permissions
/// that the umask leaves; one that replaces another keeps that one's.
#[derive(Debug)]
pub struct Whole(Target);

#[derive(Debug)]
enum Target {
    /// A file with a name of its own, and the path it is to have.
    Beside(NamedTempFile, PathBuf),
    /// A pipe or a device, which nothing can take the place of.
    Stream(File),
}

impl Whole {
    /// Creates a file in a folder of the program's own. A symbolic link at `path` will be replaced, not followed.
    ///
    /// # Errors
    /// If the folder is not there or no file can be made in it, or `path` is a folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        let found = existing(path)?;
        if found.as_ref().is_some_and(Metadata::is_dir) {
            return Err(is_folder());
        }
        let replaced = found.filter(Metadata::is_file);
        let file = new_beside(path, replaced.as_ref()).map_err(|error| plain(error, path))?;
        Ok(Self(Target::Beside(file, path.to_owned())))
    }

    /// Creates a file that a user named. Symbolic links are followed, so that a link stays a link; pipes and devices are written to
    /// as they are.
    ///
    /// # Errors
    /// If the folder is not there or no file can be made in it, `path` is a folder, or links lead in a circle.
    pub fn output(path: &Path) -> io::Result<Self> {
        let path = followed(path)?;
        match existing(&path)? {
            Some(found) if !found.is_file() && !found.is_dir() => {
                let stream = File::options().write(true).open(&path)?;
                Ok(Self(Target::Stream(stream)))
            }
            _ => Self::create(&path),
        }
    }

    /// Renames the file to its path, in place of what was there; from then on it survives a power failure.
    ///
    /// # Errors
    /// If it cannot be written to the disk or cannot be renamed; what was there is then left as it was.
    pub fn publish(self) -> io::Result<()> {
        match self.0 {
            Target::Beside(file, path) => {
                file.as_file().sync_all()?;
                file.persist(&path).map_err(|error| error.error)?;
                sync_folder(folder_of(&path))
            }
            Target::Stream(mut stream) => stream.flush(),
        }
    }

    /// Renames the file to its path without waiting for the disk: for files that can be made again.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn place(self) -> io::Result<()> {
        if let Target::Beside(file, path) = self.0 {
            file.persist(&path).map_err(|error| error.error)?;
        }
        Ok(())
    }

    /// Returns a handle to the file, which stays valid when it is renamed.
    ///
    /// # Errors
    /// If the system has no more handles.
    pub fn handle(&self) -> io::Result<File> {
        match &self.0 {
            Target::Beside(file, _) => file.as_file().try_clone(),
            Target::Stream(stream) => stream.try_clone(),
        }
    }

    /// Opens the file to read what was written.
    ///
    /// # Errors
    /// If it cannot be opened; a pipe or a device cannot be read again.
    pub fn reopen(&self) -> io::Result<File> {
        match &self.0 {
            Target::Beside(file, _) => file.reopen(),
            Target::Stream(_) => Err(ErrorKind::Unsupported.into()),
        }
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            // Not by the temporary file itself, whose errors name its random path.
            Target::Beside(file, _) => file.as_file_mut().write(bytes),
            Target::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Target::Beside(file, _) => file.as_file_mut().flush(),
            Target::Stream(stream) => stream.flush(),
        }
    }
}

impl Seek for Whole {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.0 {
            Target::Beside(file, _) => file.as_file_mut().seek(to),
            Target::Stream(stream) => stream.seek(to),
        }
    }
}

/// Writes a file that a user named: it has all of these bytes, or its content from before. See [`Whole::output`].
///
/// # Errors
/// If it cannot be written; what was there is then left as it was.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Whole::output(path)?;
    file.write_all(bytes)?;
    file.publish()
}

/// Checks that [`write()`] can put a file there, before long work whose result belongs in it: a file is made beside it and removed.
/// Pipes and devices are not opened.
///
/// # Errors
/// If the folder is not there or no file can be made in it, `path` is a folder, or links lead in a circle.
pub fn check_output(path: &Path) -> io::Result<()> {
    let path = followed(path)?;
    match existing(&path)? {
        Some(found) if !found.is_file() && !found.is_dir() => Ok(()),
        _ => Whole::create(&path).map(drop),
    }
}

/// Checks that lines can be appended to the file, before long work whose records belong in it: a file that is there is opened
/// for it, else as [`check_output`].
///
/// # Errors
/// As [`check_output`], and if the file that is there cannot be written.
pub fn check_append(path: &Path) -> io::Result<()> {
    let path = followed(path)?;
    match existing(&path)? {
        Some(found) if found.is_file() => File::options().append(true).open(&path).map(drop),
        _ => check_output(&path),
    }
}

/// Returns the folder in which a path lies.
pub fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes a rename in the folder durable, if the system has a call for that and the folder may be read.
///
/// # Errors
/// If the disk fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // The file is in its place: that the folder may only be written, or its file system knows no such call, undoes nothing.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Returns the metadata of the path itself, which may be a link.
fn existing(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Follows links at the end of the path. The target need not exist. A link to a pipe or a device stays as it is: that of
/// `/dev/stdout` to a pipe names no path.
fn followed(path: &Path) -> io::Result<PathBuf> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return Ok(path.to_owned());
    }
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if !existing(&path)?.is_some_and(|found| found.is_symlink()) {
            return Ok(path);
        }
        let target = fs::read_link(&path)?;
        path = folder_of(&path).join(target);
    }
    Err(io::Error::other("its symbolic links lead in a circle"))
}

/// Creates an empty file in the folder of `path`, with the permissions of the file that it will replace.
fn new_beside(path: &Path, replaced: Option<&Metadata>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    // As any new file: the umask decides who may read it. Temporary files are the owner's alone by default.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder_of(path))?;
    if let (true, Some(replaced)) = (cfg!(unix), replaced) {
        file.as_file().set_permissions(replaced.permissions())?;
    }
    Ok(file)
}

fn is_folder() -> io::Error {
    io::Error::new(ErrorKind::IsADirectory, "is a folder; name a file in it")
}

/// Returns the error of creating a file without the random name that the file would have had.
fn plain(error: io::Error, path: &Path) -> io::Error {
    match error.kind() {
        ErrorKind::NotFound => {
            let folder = folder_of(path).display();
            io::Error::new(
                ErrorKind::NotFound,
                format!("there is no folder {folder}: make it"),
            )
        }
        kind => match error.to_string().split_once(" at path ") {
            Some((reason, _)) => io::Error::new(kind, reason),
            None => error,
        },
    }
}

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a regular file to read, never through a symbolic link at its end.
///
/// # Errors
/// Of kind `NotFound` if there is nothing, of another kind if it is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let checked = |metadata: &Metadata| match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("is not a regular file: remove it")),
    };
    // To open a device may already act on it.
    checked(&fs::symlink_metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    flags(&mut options, Links::Refuse);
    let file = options.open(path)?;
    checked(&file.metadata()?)?;
    Ok(file)
}

/// The treatment of a symbolic link at the end of a path.
pub(crate) enum Links {
    Follow,
    Refuse,
}

/// Sets the flags to open a file that was a regular one a moment ago: the call must not wait for the writer of a pipe in its
/// place, and a terminal must not become this process's.
pub(crate) fn flags(options: &mut OpenOptions, links: Links) {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = match links {
            Links::Follow => flags,
            Links::Refuse => flags | OFlags::NOFOLLOW,
        };
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed());
    }
    #[cfg(not(unix))]
    let _ = (options, links);
}

/// Sets the flag by which a symbolic link in the file's place is not opened.
pub fn no_follow(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
    }
    #[cfg(not(unix))]
    let _ = options;
}

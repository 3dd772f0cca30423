use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a regular file to read, never through a symbolic link at its end.
///
/// # Errors
/// Of kind `NotFound` if there is nothing, of another kind if it is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    no_follow(&mut options);
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("is not a regular file: remove it"));
    }
    options.open(path)
}

/// Has the file not be opened if a symbolic link is in its place.
pub fn no_follow(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
    }
    #[cfg(not(unix))]
    let _ = options;
}

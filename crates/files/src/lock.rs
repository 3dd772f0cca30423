use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Waits until nobody else holds the file, and holds it until it is closed. If the file system has no locks, it does not wait.
///
/// # Errors
/// If the system refuses.
pub fn lock(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if has_no_locks(&error) => return Ok(()),
            result => return result,
        }
    }
}

/// Opens the file of a lock, which is created if necessary, and holds it; `None` if another process holds it. The file stays when
/// the lock is gone: if it were removed, two processes could hold two files of one name.
///
/// # Errors
/// If it cannot be opened.
pub fn try_hold(path: &Path) -> io::Result<Option<File>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) if has_no_locks(&error) => Ok(Some(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Holds the file as [`try_hold`] does, but waits until it is free.
///
/// # Errors
/// If it cannot be opened.
pub fn hold(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    lock(&file)?;
    Ok(file)
}

/// The wait before a folder's lock is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// Locks a folder itself, without a file in it, and returns its handle, which holds the lock until it is dropped. Returns
/// `None` if another process still holds it after `patience`. Where folders have no locks, nobody waits.
///
/// # Errors
/// If the folder cannot be opened.
pub fn hold_folder(folder: &Path, patience: Duration) -> io::Result<Option<File>> {
    let handle = open_folder(folder)?;
    let begun = Instant::now();
    loop {
        match handle.try_lock() {
            Ok(()) => return Ok(Some(handle)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Interrupted => {}
            // A file system without locks, or a system that locks no folders.
            Err(TryLockError::Error(_)) => return Ok(Some(handle)),
        }
    }
}

fn open_folder(folder: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    // FILE_FLAG_BACKUP_SEMANTICS: without it Windows opens no folders.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::custom_flags(&mut options, 0x0200_0000);
    options.open(folder)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    crate::no_follow(&mut options);
    options.open(path)
}

fn has_no_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    let none_left = error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error());
    #[cfg(not(unix))]
    let none_left = false;
    none_left || error.kind() == ErrorKind::Unsupported
}

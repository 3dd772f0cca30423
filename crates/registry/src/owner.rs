//! Who works on what in the cache. All of this only saves traffic: whoever errs here downloads twice.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cache::{Cache, entries};
use crate::whole::make_folder;

/// A name for this process's next partial: machine, process and a number of chance.
pub(crate) fn name() -> String {
    let chance = fastrand::u64(..);
    format!("{}-{}-{chance:016x}", machine(), std::process::id())
}

/// Something that tells this machine, since it started, from others that share the cache.
fn machine() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    if id.is_empty() { "m".into() } else { id }
}

/// The partials of this key whose owners are dead: a process of this machine that is no more, or one that noted
/// nothing for `lease`.
pub(crate) fn abandoned(folder: &Path, key: &str, lease: Duration) -> Vec<PathBuf> {
    let others = entries(folder).unwrap_or_default().into_iter();
    let of_key = others.filter(|entry| {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(key)?.strip_prefix('.'));
        owner.is_some_and(|owner| owner != "lock" && (is_dead(owner) || idle_for(&entry.path()) > lease))
    });
    of_key.map(|entry| entry.path()).collect()
}

fn is_dead(owner: &str) -> bool {
    let mut parts = owner.split('-');
    let here = parts.next() == Some(&machine());
    let process = parts.next().and_then(|process| process.parse().ok());
    here && process.is_some_and(|process| !is_alive(process))
}

#[cfg(unix)]
fn is_alive(process: i32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    // No permission to signal a process is a sign of life too.
    Pid::from_raw(process).is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_alive(_process: i32) -> bool {
    true
}

/// How long ago a partial's owner noted something.
pub(crate) fn idle_for(partial: &Path) -> Duration {
    let noted = fs::symlink_metadata(partial.join("journal"))
        .or_else(|_| fs::symlink_metadata(partial))
        .and_then(|metadata| metadata.modified());
    noted
        .ok()
        .and_then(|noted| noted.elapsed().ok())
        .unwrap_or_default()
}

/// The right of way for one key, by an advisory lock.
pub(crate) struct Turn {
    path: PathBuf,
    _file: File,
}

impl Turn {
    /// Waits until nobody else works on the key. Without locks, or when whoever holds the lock notes nothing for
    /// `lease`, nobody waits.
    pub(crate) fn wait(cache: &Cache, key: &str, lease: Duration) -> Option<Self> {
        let folder = cache.partials();
        let path = folder.join(format!("{key}.lock"));
        make_folder(&folder).ok()?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .ok()?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Some(Self { path, _file: file }),
                Err(TryLockError::Error(_)) => return None,
                Err(TryLockError::WouldBlock) => {}
            }
            if since.elapsed() > lease && !is_worked_on(&folder, key, lease) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn is_worked_on(folder: &Path, key: &str, lease: Duration) -> bool {
    let prefix = format!("{key}.");
    let others = entries(folder).unwrap_or_default().into_iter();
    let mut of_key = others.filter(|entry| {
        let name = entry.file_name();
        name.to_str()
            .is_some_and(|name| name.starts_with(&prefix) && !name.ends_with(".lock"))
    });
    of_key.any(|entry| idle_for(&entry.path()) <= lease)
}

//! The processes that work on downloads. All of this only saves traffic: a process that errs here downloads twice.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::cache::{Cache, entries};
use crate::whole::make_folder;
use files::no_follow;

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
        owner.is_some_and(|owner| owner != "lock" && (is_dead(owner) || is_silent(&entry.path(), lease)))
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

/// The time since a partial's owner noted something; `None` for one who noted it in the future, by a clock that was wrong or
/// is.
pub(crate) fn idle_for(partial: &Path) -> Duration {
    since_note(partial, SystemTime::now()).unwrap_or_default()
}

/// Returns whether a partial's owner noted nothing for `lease`. Nobody can tell the age of a note from the future; one that is
/// further away than that is none of an owner who goes on, for his next one will have another time.
fn is_silent(partial: &Path, lease: Duration) -> bool {
    match since_note(partial, SystemTime::now()) {
        Ok(past) => past > lease,
        Err(future) => future > lease,
    }
}

/// The time since the last note, or the time until it.
fn since_note(partial: &Path, now: SystemTime) -> Result<Duration, Duration> {
    let noted = fs::symlink_metadata(partial.join("journal"))
        .or_else(|_| fs::symlink_metadata(partial))
        .and_then(|metadata| metadata.modified());
    match noted {
        Ok(noted) => now.duration_since(noted).map_err(|error| error.duration()),
        // It is gone, so somebody works on it.
        Err(_) => Ok(Duration::ZERO),
    }
}

/// Returns whether a process of this machine that is alive works on a partial of this name.
pub(crate) fn is_owned(name: &str) -> bool {
    let owner = name.rsplit_once('.').map_or("", |(_, owner)| owner);
    // Elsewhere nobody tells who is alive.
    cfg!(unix) && owner.starts_with(&format!("{}-", machine())) && !is_dead(owner)
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
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        no_follow(&mut options);
        let file = options.open(&path).ok()?;
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
    of_key.any(|entry| !is_silent(&entry.path(), lease))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(120);
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

    /// A cache with a partial of this owner, noted at this time.
    fn cache(owner: &str, noted: SystemTime) -> (tempfile::TempDir, Cache, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path().to_owned());
        let partial = cache.partials().join(format!("key.{owner}"));
        fs::create_dir_all(&partial).expect("made");
        let journal = File::create(partial.join("journal")).expect("made");
        journal.set_modified(noted).expect("set");
        (folder, cache, partial)
    }

    #[test]
    fn a_note_of_a_clock_that_was_wrong_holds_nobody_up() {
        let now = SystemTime::now();
        for (noted, silent) in [
            (now, false),
            (now + LEASE / 2, false),
            (now - LEASE * 2, true),
            (now - YEAR, true),
            (now + YEAR, true),
        ] {
            let (_folder, cache, partial) = cache("elsewhere-1-2", noted);
            assert_eq!(is_silent(&partial, LEASE), silent, "{noted:?}");
            let found = abandoned(&cache.partials(), "key", LEASE);
            assert_eq!(found.len(), usize::from(silent), "{noted:?}");
        }
    }

    #[test]
    fn nobody_waits_for_a_lock_whose_holder_notes_in_the_future() {
        let (_folder, cache, _) = cache("elsewhere-1-2", SystemTime::now() + YEAR);
        let held = File::create(cache.partials().join("key.lock")).expect("made");
        held.try_lock().expect("free");
        // This returns, where it would have waited for a year.
        assert!(Turn::wait(&cache, "key", Duration::from_millis(20)).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_clock_that_jumps_ahead_collects_nothing_that_is_worked_on() {
        let ours = name();
        for (owner, kept) in [(ours.as_str(), true), ("elsewhere-1-2", false)] {
            let (_folder, cache, partial) = cache(owner, SystemTime::now() - YEAR);
            cache.collect_garbage(LEASE, false).expect("collected");
            assert_eq!(partial.exists(), kept, "{owner}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_planted_for_a_lock_makes_nothing_where_it_leads() {
        let (folder, cache, _) = cache("elsewhere-1-2", SystemTime::now());
        let victim = folder.path().join("victim");
        std::os::unix::fs::symlink(&victim, cache.partials().join("key.lock")).expect("planted");
        assert!(
            Turn::wait(&cache, "key", LEASE).is_none(),
            "locks only save traffic"
        );
        assert!(!victim.exists());
    }
}

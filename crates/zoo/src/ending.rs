//! The end by a signal: children are ended, temporary folders deleted, and the program ends as the signal demands.
//!
//! A thread waits for SIGINT, SIGTERM and SIGHUP; the handler only wakes it. While it cleans up it holds the list of folders
//! and children, so that nothing new is created, and failures that the clean-up causes are neither printed nor recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Folders and children to clean up.
static HELD: Mutex<Held> = Mutex::new(Held {
    folders: BTreeSet::new(),
    children: BTreeMap::new(),
});

struct Held {
    folders: BTreeSet<PathBuf>,
    /// By process number.
    children: BTreeMap<u32, Kind>,
}

/// The way to end a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This program, which cleans up itself when it receives a signal.
    Zoo,
    /// A group of processes with nothing to clean up except its folder.
    Group,
}

/// An entry in the list of things to clean up, removed when dropped.
#[derive(Debug)]
pub(crate) struct Entry(What);

#[derive(Debug)]
enum What {
    Folder(PathBuf),
    Child(u32),
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut held = held();
        match &self.0 {
            What::Folder(path) => {
                held.folders.remove(path);
            }
            What::Child(pid) => {
                held.children.remove(pid);
            }
        }
    }
}

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates a folder that is deleted when the program is ended.
pub(crate) fn folder(make: impl FnOnce() -> io::Result<TempDir>) -> io::Result<(TempDir, Entry)> {
    let mut held = held();
    let folder = make()?;
    held.folders.insert(folder.path().to_owned());
    let entry = Entry(What::Folder(folder.path().to_owned()));
    Ok((folder, entry))
}

/// Starts a child that is ended with the program. Drop the entry after waiting for the child.
pub(crate) fn child(kind: Kind, spawn: impl FnOnce() -> io::Result<Child>) -> io::Result<(Child, Entry)> {
    let mut held = held();
    let child = spawn()?;
    held.children.insert(child.id(), kind);
    let entry = Entry(What::Child(child.id()));
    Ok((child, entry))
}

/// Blocks forever if the program is being ended: a child that failed may have been ended for that reason.
pub(crate) fn unless_ended() {
    drop(held());
}

/// Ends the program with this code, from any thread.
#[expect(clippy::disallowed_methods, reason = "after all that is to be removed is")]
pub(crate) fn exit(code: i32) -> ! {
    let held = held();
    clear(&held);
    std::process::exit(code)
}

/// Ends the children and deletes the folders.
fn clear(held: &Held) {
    #[cfg(unix)]
    signals::end_children(held);
    held.folders.iter().for_each(|folder| remove(folder));
}

/// Deletes a folder that may still be written to.
fn remove(folder: &Path) {
    for _ in 0..20 {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                thread::sleep(Duration::from_millis(5));
            }
            _ => break,
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn watch() {}

#[cfg(unix)]
pub(crate) use signals::watch;

#[cfg(unix)]
mod signals {
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use std::time::Duration;

    use harness::Stopwatch;
    use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
    use signal_hook::consts::{SIGABRT, SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag::register_conditional_shutdown;
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    use super::{Held, Kind, clear, held};
    use crate::Exit;

    /// The time that children of this program have to clean up.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Starts to wait for signals. Signals that were ignored when the program started, as under nohup, stay ignored.
    pub(crate) fn watch() {
        // How Rust ends a program whose memory cannot be had, after a line that says how many bytes were wanted.
        let always = Arc::new(AtomicBool::new(true));
        let _ = register_conditional_shutdown(SIGABRT, i32::from(Exit::Memory.code()), always);
        let ignored = ignored();
        let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter();
        let wanted = wanted.filter(|signal| ignored & (1 << (signal - 1)) == 0);
        // Without the thread the system ends the program at once, and what it leaves goes with the next run.
        let Ok(mut signals) = Signals::new(wanted) else {
            return;
        };
        let _ = thread::Builder::new().name("signals".into()).spawn(move || {
            if let Some(signal) = signals.forever().next() {
                end(signal);
            }
        });
    }

    /// Returns a bit for each ignored signal, as far as the system reports them.
    fn ignored() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
            .unwrap_or(0)
    }

    #[expect(clippy::disallowed_methods, reason = "after all that is to be removed is")]
    fn end(signal: i32) -> ! {
        let held = held();
        clear(&held);
        // By the signal itself, so that a shell's loop ends, too: shells tell it as 128 and the signal's number.
        let _ = emulate_default_handler(signal);
        std::process::exit(128 + signal)
    }

    pub(super) fn end_children(held: &Held) {
        let children = || {
            let known = held.children.iter();
            known.filter_map(|(pid, kind)| Some((Pid::from_raw(i32::try_from(*pid).ok()?)?, *kind)))
        };
        // Children that are gone need no signal.
        for (pid, kind) in children() {
            let _ = match kind {
                Kind::Zoo => kill_process(pid, Signal::TERM),
                Kind::Group => kill_process_group(pid, Signal::KILL),
            };
        }
        let watch = Stopwatch::start();
        for (pid, _) in children().filter(|(_, kind)| *kind == Kind::Zoo) {
            while test_kill_process(pid).is_ok() {
                if watch.elapsed() > PATIENCE {
                    let _ = kill_process(pid, Signal::KILL);
                    break;
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
